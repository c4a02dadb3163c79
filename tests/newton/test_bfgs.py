"""BFGS: the secant equation in every step, the inverse Hessian in d steps, conjugate gradients on quadratics."""

import itertools

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import cg, rounding

EPS = np.finfo(float).eps


def logistic():
    return so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3)


PROBLEMS = {"rosenbrock": so.problems.rosenbrock, "himmelblau": so.problems.himmelblau, "logistic": logistic}


def replay(problem, history):
    """The inverse Hessians after each step, by the formula as published, from the points alone."""
    x, G, eye = history["x"], None, np.eye(history.d)
    for old, new in itertools.pairwise(x):
        s, y = new - old, problem.grad(new) - problem.grad(old)
        rho = 1.0 / (y @ s)
        G = (y @ s) / (y @ y) * eye if G is None else G
        G = (eye - rho * np.outer(s, y)) @ G @ (eye - rho * np.outer(y, s)) + rho * np.outer(s, s)
        yield s, y, G


@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_secant_equation_definiteness_and_direction_in_every_step(make):
    problem = make()
    history = so.minimize(problem, "bfgs", keep=("x", "step"), tol=1e-6)
    assert history.status == "converged" and np.all(history["updated"][1:] == 1)
    for k, (s, y, G) in enumerate(replay(problem, history), start=1):
        size = np.linalg.norm(G, 2)
        # The difference of two gradients carries their rounding.
        np.testing.assert_allclose(G @ y, s, rtol=0, atol=1e-12 * size * np.linalg.norm(y) + 1e-9 * np.linalg.norm(s))
        assert np.linalg.eigvalsh(0.5 * (G + G.T))[0] > 0.0
        if k + 1 < len(history):
            expected = -history["step_size"][k + 1] * G @ problem.grad(history["x"][k])
            np.testing.assert_allclose(
                history.rows[k + 1]["step"], expected, rtol=0, atol=1e-6 * np.linalg.norm(expected)
            )


@pytest.mark.parametrize("curvature", [0.9, 0.1])
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_both_wolfe_conditions_hold_at_every_step(make, curvature):
    problem = make()
    history = so.minimize(problem, "bfgs", curvature=curvature, keep=("x", "step"))
    assert history.status == "converged"
    for k in range(len(history) - 1):
        f, f_new, step = history.f[k], history.f[k + 1], history.rows[k + 1]["step"]
        slope = problem.grad(history["x"][k]) @ step
        assert slope < 0.0 and f_new <= f + 1e-4 * slope + rounding(f, f_new, EPS)
        assert abs(problem.grad(history["x"][k + 1]) @ step) <= curvature * abs(slope) * (1.0 + 1e-8)


@pytest.mark.parametrize("spectrum", [[1.0, 10.0], [1.0, 2.0, 5.0, 20.0, 100.0]], ids=str)
def test_with_exact_searches_it_is_conjugate_gradients_and_learns_the_inverse(spectrum):
    """d nearly exact searches on a quadratic."""
    d = len(spectrum)
    problem = so.problems.quadratic(spectrum, rotate=True, x0=np.arange(1.0, d + 1))
    history = so.minimize(problem, "bfgs", curvature=1e-10, keep="x", steps=d, tol=0.0)
    g = problem.grad(problem.x0)
    for k in range(1, d + 1):
        expected = problem.x0 + cg(lambda v: problem.A @ v, -g, tol=0.0, max_iterations=k).x
        np.testing.assert_allclose(history["x"][k], expected, atol=1e-8)
    *_, (_, _, G) = replay(problem, history)
    np.testing.assert_allclose(G, np.linalg.inv(problem.A), atol=1e-7)
    np.testing.assert_allclose(history["x"][d], 0.0, atol=1e-8)


def test_one_value_and_one_gradient_a_trial():
    history = so.minimize(so.problems.rosenbrock(), "bfgs")
    trials = np.nansum(history["trials"])
    assert history.oracle == {"f": 1 + trials, "grad": 1 + trials, "hess": 0, "hvp": 0}


def test_the_scale_of_the_variables_does_not_matter_after_the_first_step():
    """The first trial has length 1; every later one is the full step near the end."""
    history = so.minimize(logistic(), "bfgs", np.full(8, 3.0), keep="step")
    assert history["step_size"][1] * np.linalg.norm(logistic().grad(np.full(8, 3.0))) >= 1.0 - 1e-12
    assert np.all(history["step_size"][-5:] == 1.0)


def test_it_is_superlinear_near_a_minimum():
    g = so.minimize(logistic(), "bfgs", tol=1e-12).grad_norm
    assert np.max((g[1:] / g[:-1])[-3:]) < 0.1 < 0.5 < np.median(g[1:] / g[:-1])


def test_outside_the_domain_is_stepped_back_from():
    inside = so.Problem(
        lambda x: float(x[0] - np.log(x[0])) if x[0] > 0.0 else float("inf"), lambda x: 1.0 - 1.0 / x, x0=[1e-3]
    )
    history = so.minimize(inside, "bfgs")
    assert history.status == "converged"
    np.testing.assert_allclose(history.x, 1.0)


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, x0=[1.0])
    history = so.minimize(spike, "bfgs")
    assert (history.status, len(history)) == ("stalled", 1)
