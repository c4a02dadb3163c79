"""What the chapter on gradient-free Frank–Wolfe says of its pictures."""

import math

import numpy as np
import pytest

from secondorder.frank_wolfe import zeroth_order_frank_wolfe
from secondorder.labs.views import gradient_free as views


@pytest.mark.parametrize("estimate", views.ESTIMATORS)
def test_every_run_spends_the_budget(estimate):
    history = views.noisy_run(zeroth_order_frank_wolfe, estimate, "averaged", 3.0)
    spent = history.oracle["f"] * views.NoisyValues.n
    assert views.BUDGET - views.values(estimate, views.D) < round(spent) <= views.BUDGET


def test_a_batch_of_noisy_values_has_the_variance_it_says():
    problem, rng = views.distance(5, sigma=2.0), np.random.default_rng(0)
    slopes = [
        [(batch.f(e) - batch.f(0 * e)) - (problem.f(e) - problem.f(0 * e)) for e in np.eye(5)]
        for batch, _ in zip(problem.batches(1, rng), range(4000))
    ]
    squares = np.sum(np.square(slopes), axis=1)
    assert squares.mean() == pytest.approx(4.0, abs=5.0 * squares.std() / math.sqrt(4000))


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("estimate", views.KINDS)
def test_errors_of_slopes_are_the_larger_of_the_two_promised(estimate, precision):
    found = views.length_errors(estimate, 10, precision)
    curvature, rounding = views.promised_errors(estimate, 10, precision)
    long = curvature > 30.0 * rounding
    np.testing.assert_allclose(found[long], curvature[long], rtol=0.6)  # eight draws of a heavy-tailed square
    assert np.all(found <= 5.0 * (curvature + rounding))


def test_not_averaged_an_estimate_errs_as_much_as_its_variance_says():
    """RDSA without noise: the root of d + 1 times the gradient."""
    problem = views.distance(views.D)
    history = views.noisy_run(zeroth_order_frank_wolfe, "RDSA", "the last one alone", 0.0)
    relative = views.errors(history, problem)
    assert np.sqrt(np.mean(relative**2)) == pytest.approx(math.sqrt(views.D + 1.0), rel=0.1)


def test_prices_are_zero_where_the_vertex_is_that_of_the_gradient():
    history, problem = views.plane_run(zeroth_order_frank_wolfe, "KWSA", "averaged"), views.plane()
    same = [
        np.array_equal(v, problem.lmo(problem.grad(x))) for x, v in zip(history["x"], history["vertex"], strict=True)
    ]
    prices = views.prices(history, problem)
    assert np.all(prices[same] == 0.0) and np.all(prices >= 0.0) and 0 < sum(same) < len(same)
