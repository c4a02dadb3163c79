"""What the chapter on projections says of its pictures."""

import numpy as np
import pytest

from secondorder.frank_wolfe import frank_wolfe, projected_gradient
from secondorder.labs.views import projection as views


def test_only_what_a_set_offers_is_run():
    assert list(views.offered("Birkhoff, 8 × 8")) == ["away steps", "Frank–Wolfe"]
    assert list(views.offered("nuclear ball, 6 × 6")) == ["projected gradient", "Frank–Wolfe"]


def test_pieces():
    assert views.pieces("simplex, d = 60", np.eye(60)[:2]).tolist() == [1, 1]
    assert views.pieces("box, d = 60", np.asarray([[1.0, -1.0, 0.5], [0.0, 0.5, 0.9]])).tolist() == [1, 3]
    low = np.outer(np.arange(1.0, 7.0), np.ones(6))
    assert views.pieces("nuclear ball, 6 × 6", np.stack([low.ravel(), np.eye(6).ravel()])).tolist() == [1, 6]


def test_a_row_costs_its_gradients_and_what_led_there():
    """Step k of projected gradient took k projections, its row k + 1 gradients; one linear minimisation more elsewhere."""
    run = views.contest(projected_gradient, "l1 ball, d = 60", 10)
    k = views.steps_to(run, 1e-3)
    assert views.price(run, 1e-3, 7.0) == k + 1 + 7.0 * k
    run = views.contest(frank_wolfe, "l1 ball, d = 60", 10)
    assert views.price(run, 1e-2, 7.0) == 2 * (views.steps_to(run, 1e-2) + 1)


@pytest.mark.parametrize("tol", [1e-1, 1e-2])
def test_at_the_break_even_both_cost_the_same(tol):
    over, condition = "nuclear ball, 6 × 6", 10
    ratio = views.break_even(over, condition, tol)
    runs = [views.contest(method, over, condition) for method in (projected_gradient, frank_wolfe)]
    assert views.price(runs[0], tol, ratio) == pytest.approx(views.price(runs[1], tol, ratio), rel=1e-12)


def test_what_is_not_reached_is_told():
    assert "no break-even" in views.price_of_projection(case="box, κ = 10", accuracy="1e-3").sentence
    assert "There is no projection." in views.project_or_not(over="Birkhoff, 8 × 8", condition=10).sentence
    assert "coordinates off the bounds in the end" in views.project_or_not(over="box, d = 60", condition=1).sentence
