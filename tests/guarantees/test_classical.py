"""An invalid constant breaks the older methods' inequalities, and their problems have the constants they claim."""

import numpy as np
import pytest

import secondorder as so
from secondorder.guarantees.classical import PERIOD, cosines, far_logistic, near_logistic

INVALID = {
    "gradient_descent: values": lambda p: {"lipschitz": 1e-4 * p.lipschitz_grad},
    "gradient_descent: distance": lambda p: {"lipschitz": 10.0 * p.lipschitz_grad},
    "gradient_descent: least gradient": lambda p: {"lipschitz": 30.0 * p.lipschitz_grad},
    "nesterov: values": lambda p: {"lipschitz": 200.0 * p.lipschitz_grad},
    "newton: line search": lambda p: {"sufficient_decrease": 1e-9, "backtracking": 1e-4},
    "cubic_newton: decrease, not convex": lambda p: {"M": 0.02 * p.lipschitz_hess},
    "lazy_newton: period, not convex": lambda p: {"M": 0.02 * PERIOD * p.lipschitz_hess},
    "lazy_regularized_newton: period": lambda p: {"M": 0.002 * p.lipschitz_hess},
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_constant_is_seen(name):
    guarantee = so.guarantees.get(name)
    assert len(guarantee.run(**INVALID[name](guarantee.problem())).violations)


@pytest.mark.parametrize("name", ["lazy_newton: period", "lazy_newton: gradient"])
def test_another_period_is_not_the_one_judged(name):
    verdict = so.guarantees.get(name).run(period=PERIOD)
    assert verdict.history.hyper["period"] == PERIOD and not len(verdict.violations)


@pytest.mark.parametrize("problem", [far_logistic(), far_logistic(0.1), cosines()], ids=lambda problem: problem.name)
def test_the_constants_bound_what_they_are_to_bound(problem):
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0, 10.0):
        x, y = scale * rng.standard_normal((2, problem.x0.shape[0]))
        distance = np.linalg.norm(x - y)
        assert np.linalg.norm(problem.grad(x) - problem.grad(y)) <= problem.lipschitz_grad * distance
        assert np.linalg.norm(problem.hess(x) - problem.hess(y), 2) <= problem.lipschitz_hess * distance


def test_the_known_solutions_are_solutions():
    for problem in (far_logistic(), far_logistic(0.1)):
        assert np.linalg.norm(problem.grad(problem.x_star)) < 1e-13


def test_undamped_newton_diverges_from_the_far_start():
    assert so.minimize(far_logistic(), "newton", line_search=None).status != "converged"


def test_the_near_start_is_at_the_distance_of_the_theorem():
    problem = near_logistic()
    least = np.linalg.eigvalsh(problem.hess(problem.x_star))[0]
    distance = np.linalg.norm(problem.x0 - problem.x_star)
    assert distance * 2.0 * problem.lipschitz_hess / least == pytest.approx(1.0)


def test_derivatives_of_the_cosines():
    problem, v = cosines(), 1e-6 * np.random.default_rng(0).standard_normal(10)
    for x in (problem.x0, np.arange(10.0)):
        change = problem.f(x + v) - problem.f(x - v)
        assert change == pytest.approx(2.0 * problem.grad(x) @ v, rel=1e-5)
        np.testing.assert_allclose(problem.grad(x + v) - problem.grad(x - v), 2.0 * problem.hess(x) @ v, rtol=1e-5)
