"""Gradient-regularised Newton: three inequalities at every step, the adaptive constant, when it is another method."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import rounding

EPS = np.finfo(float).eps
METHOD = "gradient_regularized_newton"


def logistic():
    return so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3)


CONVEX = {"chain": lambda: so.problems.chain(12), "logistic": logistic}


@pytest.mark.parametrize("factor", [1.0, 5.0])
@pytest.mark.parametrize("make", CONVEX.values(), ids=CONVEX)
def test_three_inequalities_at_every_step_for_a_safe_constant(make, factor):
    problem = make()
    M = factor * problem.lipschitz_hess / 2.0
    history = so.minimize(problem, METHOD, M=M, keep=("x", "step"), steps=150)
    assert len(history) > 5
    for k in range(len(history) - 1):
        row, x, x_new = history.rows[k + 1], history["x"][k], history["x"][k + 1]
        g, g_new, h, r, damping = problem.grad(x), problem.grad(x_new), row["step"], row["radius"], row["damping"]
        assert damping == pytest.approx(math.sqrt(M * np.linalg.norm(g)), rel=1e-14)
        assert r == pytest.approx(np.linalg.norm(h), rel=1e-14)
        H = problem.hess(x)
        residual = np.linalg.norm(H @ h + damping * h + g)
        assert residual <= 1e-12 * ((np.linalg.norm(H, 2) + damping) * r + np.linalg.norm(g))
        assert r <= damping / M * (1.0 + 1e-12)
        size, f, f_new = np.linalg.norm(g_new), history.f[k], history.f[k + 1]
        tiny = 1e-14 * (np.linalg.norm(H, 2) * np.linalg.norm(x) + 1.0)  # the rounding of a gradient
        assert size <= 2.0 * damping * r * (1.0 + 1e-10) + tiny
        assert g_new @ (x - x_new) >= size**2 / (2.0 * damping) * (1.0 - 1e-10) - tiny * (r + size / damping)
        assert f - f_new >= 2.0 / 3.0 * damping * r**2 - rounding(f, f_new, EPS)


@pytest.mark.parametrize("M", [0.05, 0.5, 8.0])
@pytest.mark.parametrize("make", CONVEX.values(), ids=CONVEX)
def test_it_is_the_lazy_method_with_a_period_of_one(make, M):
    problem = make()
    ours = so.minimize(problem, METHOD, M=M, keep="x", steps=60)
    lazy = so.minimize(problem, "lazy_regularized_newton", M=M, period=1, keep="x", steps=60)
    assert ours.status == lazy.status and len(ours) == len(lazy) > 5
    np.testing.assert_allclose(ours["x"], lazy["x"], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(ours["damping"][1:], lazy["damping"][1:], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("make", [*CONVEX.values(), so.problems.rosenbrock], ids=[*CONVEX, "rosenbrock"])
def test_adapted_steps_make_the_promised_decrease(make):
    problem = make()
    history = so.minimize(problem, METHOD)
    assert history.status == "converged"
    f, M = history.f, history["M"]
    for k in range(len(history) - 1):
        promised = 2.0 / 3.0 * history["damping"][k + 1] * history["radius"][k + 1] ** 2
        assert f[k + 1] <= f[k] - promised + rounding(f[k], f[k + 1], EPS)
        start = max(M[k] / 2.0, 1e-10) if k else 1.0
        assert M[k + 1] == start * 2.0 ** (history["trials"][k + 1] - 1)
    steps = len(history) - 1
    assert history.oracle["grad"] == steps + 1 and history.oracle["hess"] == steps
    assert history.oracle["f"] <= 1 + np.nansum(history["trials"])  # no value where the matrix is indefinite
    if getattr(problem, "lipschitz_hess", None):
        assert np.nanmax(M) <= max(1.0, problem.lipschitz_hess)


def test_a_given_constant_needs_no_values_and_breaks_down_where_the_matrix_is_indefinite():
    history = so.minimize(logistic(), METHOD, M=1.0)
    assert history.status == "converged" and history.oracle["f"] == 0
    # At himmelblau's start the lowest curvature is about -42, the gradient norm about 26.
    history = so.minimize(so.problems.himmelblau(), METHOD, M=1.0)
    assert (history.status, len(history)) == ("breakdown", 1) and "positive definite" in history.message
    history = so.minimize(so.problems.himmelblau(), METHOD)
    assert history.status == "converged" and history["M"][1] > 42.0**2 / 27.0


def test_local_order_is_three_halves():
    """With a constant that is kept, from the last gradient norms; the estimate comes from above."""
    history = so.minimize(logistic(), METHOD, M=5.0, tol=1e-12)
    assert 1.4 < so.measured_order(history).value < 1.75


def test_a_far_start_where_newton_diverges():
    for start in (30.0, 1e4):
        history = so.minimize(so.problems.pseudo_huber(), METHOD, [start])
        assert history.status == "converged"
        np.testing.assert_allclose(history.x, 0.0, atol=1e-7)


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, lambda x: np.eye(1), x0=[1.0])
    history = so.minimize(spike, METHOD)
    assert (history.status, len(history)) == ("stalled", 1)
