"""What the chapter on step sizes says of its pictures."""

import numpy as np
import pytest

from secondorder.frank_wolfe import frank_wolfe
from secondorder.labs.views import step_sizes as views


@pytest.mark.parametrize("name", views.PLACES)
def test_the_stated_answer_is_the_answer(name):
    place = views.PLACES[name]
    grad = place.problem().grad(place.x_star)
    assert place.feasible.violation(place.x_star) <= 1e-15
    assert float(grad @ (place.x_star - place.feasible.lmo(grad))) <= 1e-14, "the gap is zero there"
    assert all(axis[0] < value < axis[1] for axis, value in zip([(-1.25, 1.7), (-1.1, 1.3)], place.target, strict=True))


@pytest.mark.parametrize("ell", [1.0, 2.0, 5.0])
def test_the_weights_of_the_answers_give_the_point(ell):
    run = views.place_run(frank_wolfe, "inside the disc", "open loop", 60, ell)
    for steps in (1, 2, 50):
        weights = views.answer_weights(run, steps)
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(weights @ run["vertex"][:steps], run["x"][steps], atol=1e-13)


def test_the_nearest_point_of_the_triangle_is_where_the_gap_vanishes():
    triangle = views.PLACES["below the base"].feasible
    for target in np.random.default_rng(0).uniform(-2.0, 2.0, (40, 2)):
        nearest = views.nearest_in(triangle, target)
        grad = nearest - target
        assert triangle.violation(nearest) <= 1e-12
        assert float(grad @ (nearest - triangle.lmo(grad))) <= 1e-12


def test_the_duel_goes_to_the_open_loop_below_the_base_and_to_the_search_inside():
    triangle = views.PLACES["below the base"].feasible
    for target, sign in (([0.2137, -0.5], 1.0), ([0.07, 0.45], -1.0), ([1.5, -0.6], 0.0)):
        target = np.asarray(target)
        outcome = views.duel(triangle, views.nearest_in(triangle, target), target)
        assert outcome * sign > 0.7 if sign else outcome == 0.0


def test_a_run_that_ends_early_says_so():
    assert (
        "After 2 steps, its last"
        in views.step_rules(place="beyond a corner", rule="exact line search", step=13).sentence
    )
    assert "its last" not in views.step_rules(place="below the base", rule="open loop", step=13).sentence


@pytest.mark.parametrize("rule", ["ℓ = 2", "exact"])
def test_the_best_value_on_the_tumours_is_below_every_run(rule):
    run = views.tumour_run(frank_wolfe, 5, rule)
    assert np.min(run.primal_gap) >= -1e-12 and np.all(run["gap"] >= run.primal_gap - 1e-12)
