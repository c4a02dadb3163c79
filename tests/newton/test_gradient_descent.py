"""Gradient descent: its bound at every k, the ceiling on its constant, a naive twin."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import rounding

EPS = np.finfo(float).eps


def quadratics():
    rotated = so.problems.quadratic([0.01, 1.0, 4.0, 10.0], rotate=True, x0=[3.0, -1.0, 2.0, 1.0])
    chain = so.problems.chain(30, p=1)  # the worst quadratic for gradient methods
    return {"rotated": (rotated, 10.0), "chain": (chain, 4.0 * math.cos(math.pi / 61) ** 2)}


@pytest.mark.parametrize(("problem", "L"), quadratics().values(), ids=quadratics())
def test_bound_of_convex_functions_holds_at_every_step(problem, L):
    history = so.minimize(problem, "gradient_descent", lipschitz=L, steps=2000)
    k = np.arange(len(history))
    bound = 2.0 * L * np.sum((problem.x0 - problem.x_star) ** 2) / (k + 4.0)
    assert np.all(history.primal_gap <= bound + 1e-14)


@pytest.mark.parametrize(("problem", "L"), quadratics().values(), ids=quadratics())
def test_adapted_constant_stays_below_twice_the_true_one(problem, L):
    history = so.minimize(problem, "gradient_descent", steps=2000)
    assert np.nanmax(history["lipschitz"]) <= max(1.0, 2.0 * L)


@pytest.mark.parametrize("problem", [so.problems.rosenbrock(), so.problems.ill_scaled_logistic(n=60, d=5)], ids=repr)
def test_adapted_steps_make_the_promised_decrease(problem):
    history = so.minimize(problem, "gradient_descent", steps=300)
    f, L = history.f, history["lipschitz"]
    for k in range(len(history) - 1):
        promised = history.grad_norm[k] ** 2 / (2.0 * L[k + 1])
        assert f[k + 1] <= f[k] - promised + rounding(f[k], f[k + 1], EPS)
        start = L[k] / 2.0 if k else 1.0
        assert L[k + 1] == start * 2.0 ** (history["trials"][k + 1] - 1)
    assert history.oracle["f"] == 1 + np.nansum(history["trials"]) and history.oracle["grad"] == len(history)


def test_constant_step_is_the_naive_loop():
    problem = so.problems.ill_scaled_logistic(n=60, d=5)
    history = so.minimize(problem, "gradient_descent", lipschitz=2.0, steps=20, keep="x")
    x = problem.x0
    for k in range(21):
        np.testing.assert_allclose(history["x"][k], x, rtol=1e-14)
        x = x - problem.grad(x) / 2.0


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, x0=[1.0])
    history = so.minimize(spike, "gradient_descent")
    assert (history.status, len(history)) == ("stalled", 1)
