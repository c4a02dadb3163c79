"""What the chapter on saddles says of its picture of what curvature buys."""

import numpy as np
import pytest

from secondorder.labs.scene import get_view
from secondorder.labs.views import saddles as views


def line(panel, label):
    return next(mark for mark in panel.marks if getattr(mark, "label", None) == label)


def test_the_saddle_is_one_and_its_minima_are_known():
    problem = views.wide_saddle(6, 0.25)
    x = np.append(np.zeros(5), 1.0)
    assert problem.f(x) == problem.f_star and not np.any(problem.grad(x))
    at = np.zeros(6)
    assert problem.f(at) == 0 and np.linalg.eigvalsh(problem.hess(at))[0] == -0.25 and problem.x0[-1] == 0


def test_the_currency():
    run = views.escape_run("trust region", 10, 1.0)
    values = run.oracle["f"] + 20 * run.oracle["grad"] + 200 * run.oracle["hess"]
    assert views.spent(run, 10, "values of f")[-1] == values
    assert views.spent(run, 10, "gradient-equivalents")[-1] == pytest.approx(run.cost()[-1])


def test_second_order_lines_are_flat_and_those_without_derivatives_rise():
    right = get_view("what_curvature_buys")(d=10).panels[1]
    for name in ("trust region", "ARC"):
        assert np.ptp(line(right, name).y) < 0.1 * line(right, name).y.max()
    for name in ("random, m = 1", "coordinates"):
        assert line(right, name).y.max() > 2.5 * line(right, name).y.min()


def test_who_wins_where():
    strong = get_view("what_curvature_buys")(d=40, curvature=1.0).sentence
    weak = get_view("what_curvature_buys")(d=5, curvature=0.25).sentence
    assert "Cheapest here: random, m = 1" in strong and "Cheapest here: ARC" in weak
    assert "Still at the saddle: flip" in strong
