"""What the chapter on self-concordant objectives says of its pictures."""

import numpy as np
import pytest

from secondorder.frank_wolfe import monotone_frank_wolfe, second_order_frank_wolfe
from secondorder.labs.scene import get_view
from secondorder.labs.views import self_concordant as views


def line(panel, label):
    return next(mark for mark in panel.marks if getattr(mark, "label", None) == label)


def test_the_highest_point_above_d_is_the_gap():
    scene = get_view("equivalence")(step=30, degree="3")
    design, left_unknown = scene.panels
    history = views.design_run(monotone_frank_wolfe, 3, "2/(t+2), refused or taken")
    variance = line(left_unknown, "monotone_frank_wolfe").y
    assert variance.max() - 4.0 == pytest.approx(history["gap"][30], rel=1e-9)
    heights = line(design, "monotone_frank_wolfe").y[1::3]
    x = history.rows[30]["x"]
    np.testing.assert_allclose(heights, x[x > 1e-3])
    optimum = line(design, "the optimum")
    assert len(optimum.x) == 4 and np.all(optimum.y == 0.25)


def test_the_distance_is_that_of_the_norm_at_the_solution():
    history = views.newton_run(second_order_frank_wolfe, "optimal design")
    distance = views.distances(history, "optimal design")
    assert distance[-1] < 1e-3 < distance[0] and len(distance) == len(history)


@pytest.mark.parametrize("case", views.CASES[:3])
def test_the_least_value_is_below_every_run(case):
    runs = [views.first_order_run(monotone_frank_wolfe, case), views.newton_run(second_order_frank_wolfe, case)]
    assert all(run.f.min() >= views.least_value(case) - 1e-9 for run in runs)


def test_a_run_that_ends_early_says_so():
    scene = get_view("newton_inside")(case="Poisson counts", inner="Frank–Wolfe alone")
    assert "The run ends there: 1000 inner steps" in scene.sentence
    assert "ends there" not in get_view("newton_inside")().sentence
    assert "leaves the domain" in get_view("self_concordant_rates")(case="optimal design").sentence
    assert "leaves the domain" not in get_view("self_concordant_rates")(case="portfolio").sentence
