"""What the chapter on all lazy and approximate Hessians says of its picture."""

import numpy as np
import pytest

import secondorder as so
from secondorder.labs.views import lazy_family as views

ILL, SOFT, NETWORK = views.CASES


def total(case, dial, label, price):
    setting = next(each for each in views.settings(case, dial) if each.label == label)
    return views.spent(views.dial_run(case, setting), price)[0]


@pytest.mark.parametrize("case", views.CASES)
def test_every_position_reaches_the_goal(case):
    for dial in views.DIALS:
        runs = [views.dial_run(case, setting) for setting in views.settings(case, dial)]
        assert len(runs) >= 2
        assert all(run.status == "converged" for run in runs)
        assert all(np.linalg.norm(views.case_problem(case).grad(run.x)) <= views.GOAL for run in runs)


def test_the_price_of_a_hessian_touches_only_the_dials_that_form_one():
    for dial, label in (("memory", "30 pairs"), ("inner accuracy", "η = 0.1")):
        assert total(ILL, dial, label, 1) == total(ILL, dial, label, 100)
    run = views.dial_run(ILL, views.DIALS["period"][-1])
    assert total(ILL, "period", "m = 1", 100) - total(ILL, "period", "m = 1", 1) == 99 * run.oracle["hess"]


def test_a_point_of_the_plane_times_its_steps_is_the_total():
    scene = views.laziness(dial="period", case=ILL, price=30)
    line = next(mark for mark in scene.panels[0].marks if getattr(mark, "label", None) == "period")
    totals = [total(ILL, "period", f"m = {m}", 30) for m in views.PERIODS]
    np.testing.assert_allclose(line.x * line.y, totals)


@pytest.mark.parametrize("case", views.CASES)
def test_the_best_period_grows_with_the_price(case):
    best = [min(views.PERIODS, key=lambda m: total(case, "period", f"m = {m}", price)) for price in views.PRICES]
    assert best == sorted(best) and best[-1] > best[0]


def test_the_cheapest_is_no_dearer_than_any():
    dial, setting, least = views.cheapest(SOFT, 10)
    assert least == total(SOFT, dial, setting.label, 10)
    assert all(
        least <= views.spent(views.dial_run(SOFT, each), 10)[0] for name in views.DIALS for each in views.DIALS[name]
        if views.offered(SOFT, each)
    )  # fmt: skip


def test_models_are_offered_where_there_is_one():
    labels = [setting.label for setting in views.settings(NETWORK, "model of the Hessian")]
    assert labels == [setting.label for setting in views.DIALS["model of the Hessian"]]
    assert [setting.label for setting in views.settings(ILL, "model of the Hessian")] == ["none, Nesterov", "exact"]


def test_a_period_of_chord_steps_has_order_m_plus_one():
    from secondorder.labs.views.inexact import above_rounding, exponentials

    for m in (1, 2, 3):
        run = so.minimize(exponentials(0.3), "lazy_newton", M=1e-12, period=m, tol=1e-45, steps=14 * m)
        ends = np.log(above_rounding(run.grad_norm)[::m])
        assert (ends[-1] - ends[-2]) / (ends[-2] - ends[-3]) == pytest.approx(m + 1, abs=0.35)
