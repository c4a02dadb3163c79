"""Nesterov's method: its bound at every k, the naive loop, the differential equation that it follows."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import j1

import secondorder as so
from secondorder.linalg import rounding

EPS = np.finfo(float).eps
PUBLISHED = {"restart": False}


def logistic():
    return so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3)


def solved():
    """Problem, constant, solution and minimum."""
    rotated = so.problems.quadratic([0.01, 1.0, 4.0, 10.0], rotate=True, x0=[3.0, -1.0, 2.0, 1.0])
    chain = so.problems.chain(30, p=1)  # the worst quadratic for gradient methods
    model = logistic()
    x_star = so.minimize(model, "newton", tol=1e-14, steps=50).x
    return {
        "rotated": (rotated, 10.0, rotated.x_star, 0.0),
        "chain": (chain, 4.0 * math.cos(math.pi / 61) ** 2, chain.x_star, chain.f_star),
        # A mean of logistic losses has at most a quarter of the curvature of its squares.
        "logistic": (
            model,
            np.linalg.norm(model.A, 2) ** 2 / (4 * len(model.A)) + 1e-3,
            x_star,
            float(model.f(x_star)),
        ),
    }


@pytest.mark.parametrize(("problem", "L", "x_star", "f_star"), solved().values(), ids=solved())
def test_the_published_bound_holds_at_every_step(problem, L, x_star, f_star):
    history = so.minimize(problem, "nesterov", lipschitz=L, steps=2000, **PUBLISHED)
    k = np.arange(1, len(history))
    bound = 2.0 * L * np.sum((problem.x0 - x_star) ** 2) / (k + 1.0) ** 2
    assert np.all(history.f[1:] - f_star <= bound + 1e-13)
    assert not np.nansum(history["restarted"])
    np.testing.assert_allclose(history["momentum"][1:], (k - 1.0) / (k + 2.0), rtol=1e-15)
    assert history.oracle["f"] == 0 and history.oracle["grad"] == len(history) - 1


@pytest.mark.parametrize(("problem", "L", "x_star", "f_star"), solved().values(), ids=solved())
def test_the_bound_holds_for_the_adapted_constant_too(problem, L, x_star, f_star):
    history = so.minimize(problem, "nesterov", steps=2000, **PUBLISHED)
    k = np.arange(1, len(history))
    constants = history["lipschitz"][1:]
    assert np.all(np.diff(constants) >= 0.0) and constants[-1] <= max(1.0, 2.0 * L)
    bound = 2.0 * constants * np.sum((problem.x0 - x_star) ** 2) / (k + 1.0) ** 2
    # Each step may be wrong by the rounding that its test allows, and the proof adds these up with weights of order k.
    slack = rounding(history.f[0], np.max(np.abs(history.f)), EPS)
    assert np.all(history.f[1:] - f_star <= bound + slack * k)
    trials = np.nansum(history["trials"])
    assert history.oracle["f"] == trials + len(history) - 1


def test_the_naive_loop_agrees():
    problem, L = logistic(), 2.0
    history = so.minimize(problem, "nesterov", lipschitz=L, steps=60, keep=("x", "step"), **PUBLISHED)
    x = v = problem.x0
    for k, point in enumerate(history["x"], start=1):
        np.testing.assert_allclose(point, x, rtol=1e-10, atol=1e-12)
        new = v - problem.grad(v) / L
        x, v = new, new + (k - 1.0) / (k + 2.0) * (new - x)


def errors(problem, exact, t=6.0):
    """The largest distance from the solution of the differential equation up to time t, for growing constants."""
    for L in (1e2, 1e4, 1e6):
        steps = round(t * math.sqrt(L))
        walk = itertools.islice(so.newton.nesterov(problem, lipschitz=L, **PUBLISHED), steps + 1)
        x = np.stack([iterate.x for iterate in walk])
        yield np.max(np.abs(x[1:] - exact(np.arange(1, steps + 1) / math.sqrt(L))))


def test_it_follows_its_differential_equation_in_closed_form():
    """On a quadratic X'' + 3/t X' + AX = 0 has the solution 2 J₁(t√λ)/(t√λ) in each eigendirection."""
    spectrum = np.asarray([0.3, 1.0, 4.0])
    problem = so.problems.quadratic(spectrum, x0=[1.0, -2.0, 1.5])

    def exact(t):
        z = np.outer(t, np.sqrt(spectrum))
        return problem.x0 * 2.0 * j1(z) / z

    far, near, nearest = errors(problem, exact)
    # The error is of the order of the step 1/√L: a tenth for a hundred times the constant.
    assert near < 0.2 * far and nearest < 0.2 * near and nearest < 0.01


def test_it_follows_its_differential_equation_by_integration():
    problem = so.problems.pseudo_huber(2)
    x0 = problem.x0 * np.asarray([1.0, -2.0])
    problem = so.Problem(problem.f, problem.grad, x0=x0)

    def slope(t, z):
        x, v = z[:2], z[2:]
        # At t = 0 the equation is 4 X'' = -∇f.
        return np.concatenate([v, -problem.grad(x) / 4.0 if t == 0.0 else -3.0 / t * v - problem.grad(x)])

    path = solve_ivp(slope, (0.0, 6.001), np.concatenate([x0, 0.0 * x0]), rtol=1e-10, atol=1e-12, dense_output=True)
    far, near, nearest = errors(problem, lambda t: path.sol(t)[:2].T)
    assert near < 0.2 * far and nearest < 0.2 * near and nearest < 0.01


def test_a_restart_forgets_the_momentum_when_it_points_uphill():
    problem = so.problems.quadratic([0.01, 1.0], x0=[1.0, 1.0])
    history = so.minimize(problem, "nesterov", lipschitz=1.0, keep=("x", "step"))
    assert history.status == "converged" and np.nansum(history["restarted"]) >= 1
    x = v = problem.x0
    k = 1
    for point, row in zip(history["x"][1:], history.rows[1:], strict=True):
        g = problem.grad(v)
        new = v - g
        assert row["restarted"] == bool(g @ (new - x) > 0.0)
        k = 1 if row["restarted"] else k
        assert row["momentum"] == (k - 1.0) / (k + 2.0)
        x, v, k = new, new + (k - 1.0) / (k + 2.0) * (new - x), k + 1
        np.testing.assert_allclose(point, x, rtol=1e-12, atol=1e-15)


def test_restarts_make_it_linear_on_strongly_convex_functions():
    problem = so.problems.quadratic(np.geomspace(1e-3, 1.0, 10))
    ours = so.minimize(problem, "nesterov", lipschitz=1.0)
    theirs = so.minimize(problem, "nesterov", lipschitz=1.0, **PUBLISHED)
    assert ours.status == "converged" and len(ours) < 0.5 * len(theirs)


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, x0=[1.0])
    history = so.minimize(spike, "nesterov")
    assert (history.status, len(history)) == ("stalled", 1)
