"""AdaN: both tests at every step, a dense twin, and AdaN+, which measures its constant instead."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import rounding

EPS = np.finfo(float).eps
METHOD = "adaptive_gradient_regularized_newton"


def logistic():
    return so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3)


CONVEX = {
    "chain": lambda: so.problems.chain(12),
    "logistic": logistic,
    "soft_maximum": so.problems.soft_maximum,
    "polytope": so.problems.polytope_feasibility,
}


def twin(problem, steps, search=True):
    """As published, with the inverse written out."""
    x, M, points = problem.x0, 2.0, [problem.x0]
    for k in range(steps):
        g, H = problem.grad(x), problem.hess(x)
        M = M / 4.0 if search else M
        while True:
            M = 2.0 * M if search else M
            damping = math.sqrt((M if search or k else 1.0) * np.linalg.norm(g))
            h = -np.linalg.inv(H + damping * np.eye(len(x))) @ g
            r, g_new = np.linalg.norm(h), problem.grad(x + h)
            lower = problem.f(x + h) <= problem.f(x) - 2.0 / 3.0 * damping * r**2
            if not search or (np.linalg.norm(g_new) <= 2.0 * damping * r and lower):
                break
        if not search:
            M = max((M if k else 1.0) / 2.0, np.linalg.norm(g_new - g - H @ h) / r**2)
        x = x + h
        points.append(x)
    return np.asarray(points)


@pytest.mark.parametrize("search", [True, False], ids=["AdaN", "AdaN+"])
@pytest.mark.parametrize("make", CONVEX.values(), ids=CONVEX)
def test_it_takes_the_steps_of_the_published_method(make, search):
    history = so.minimize(make(), METHOD, search=search, steps=9, keep="x")
    points = twin(make(), len(history) - 1, search)
    assert len(history) > 5
    # an inverse instead of a solve: 1e-16 times the condition number of H + damping, up to 1e5 here
    np.testing.assert_allclose(history["x"], points, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("make", CONVEX.values(), ids=CONVEX)
def test_both_tests_hold_and_the_constant_moves_by_factors_of_two(make):
    problem = make()
    history = so.minimize(problem, METHOD)
    assert history.status == "converged"
    f, M, start = history.f, history["M"], 1.0
    for k, row in enumerate(history.rows[1:]):
        assert row["damping"] == pytest.approx(math.sqrt(M[k + 1] * history.grad_norm[k]), rel=1e-14)
        assert history.grad_norm[k + 1] <= 2.0 * row["damping"] * row["radius"]
        assert f[k + 1] <= f[k] - 2.0 / 3.0 * row["damping"] * row["radius"] ** 2 + rounding(f[k], f[k + 1], EPS)
        assert M[k + 1] == start * 2.0 ** (row["trials"] - 1)
        start = max(M[k + 1] / 2.0, 1e-10)
    steps, trials = len(history) - 1, np.nansum(history["trials"])
    assert history.oracle["hess"] == steps and history.oracle["f"] == trials + 1
    assert steps + 1 <= history.oracle["grad"] <= trials + 1
    if getattr(problem, "lipschitz_hess", None):
        assert np.nanmax(M) <= max(1.0, problem.lipschitz_hess)


def test_the_test_of_gradients_is_what_it_adds_to_the_search_on_values():
    """On the chain the gradient decides at some steps, and the constant stays larger."""
    ours = so.minimize(so.problems.chain(30), METHOD, steps=30)
    values_only = so.minimize(so.problems.chain(30), "gradient_regularized_newton", steps=30)
    assert ours.oracle["grad"] > len(ours) and ours["M"][-1] > values_only["M"][-1]


@pytest.mark.parametrize("make", CONVEX.values(), ids=CONVEX)
def test_without_a_search_the_constant_is_how_wrong_the_model_of_the_gradient_was(make):
    problem = make()
    history = so.minimize(problem, METHOD, search=False, keep=("x", "step", "grad"))
    assert history.status == "converged" and history.oracle["f"] == 0
    assert history.oracle["grad"] == len(history) == history.oracle["hess"] + 1
    assert history["M"][1] == 1.0
    for k in range(1, len(history) - 1):
        x, h = history["x"][k - 1], history["step"][k]
        error = history["grad"][k] - history["grad"][k - 1] - problem.hess(x) @ h
        seen = np.linalg.norm(error) / np.linalg.norm(h) ** 2
        expected = max(history["M"][k] / 2.0, seen, 1e-10)
        assert history["M"][k + 1] == pytest.approx(expected, rel=1e-6)
        if getattr(problem, "lipschitz_hess", None) and np.linalg.norm(h) > 1e-4:  # below, the error is rounding
            assert seen <= problem.lipschitz_hess / 2.0


def test_on_a_quadratic_the_model_is_exact_and_the_constant_halves():
    history = so.minimize(so.problems.quadratic([1.0, 4.0]), METHOD, search=False, steps=6, tol=1e-6)
    M = history["M"][1:]
    np.testing.assert_allclose(M, 0.5 ** np.arange(len(M)), rtol=1e-6)


def test_the_two_variants_are_told_apart():
    runs = [so.minimize(so.problems.chain(20), METHOD, search=search, steps=8) for search in (True, False)]
    assert "trials" in runs[0].rows[1] and "trials" not in runs[1].rows[1]
    assert abs(runs[0].f[-1] - runs[1].f[-1]) > 1e-3


def test_local_order_is_at_least_three_halves():
    """Better than that, as M falls along the way, by a factor of two a step."""
    history = so.minimize(logistic(), METHOD, tol=1e-12)
    assert so.measured_order(history).value > 1.4


def test_a_far_start_where_newton_diverges():
    for search in (True, False):
        history = so.minimize(so.problems.pseudo_huber(), METHOD, [30.0], search=search)
        assert history.status == "converged"
        np.testing.assert_allclose(history.x, 0.0, atol=1e-7)


def test_where_the_matrix_is_indefinite_the_search_goes_on_and_adan_plus_ends():
    history = so.minimize(so.problems.himmelblau(), METHOD)
    assert history.status == "converged" and history["trials"][1] > 1
    history = so.minimize(so.problems.himmelblau(), METHOD, search=False)
    assert history.status == "breakdown" and "positive definite" in history.message


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, lambda x: np.eye(1), x0=[1.0])
    history = so.minimize(spike, METHOD)
    assert (history.status, len(history)) == ("stalled", 1)


def test_it_ends_when_asked_for_more_than_rounding_allows():
    for make in CONVEX.values():
        history = so.minimize(make(), METHOD, tol=1e-300, steps=300)
        assert history.grad_norm.min() < 1e-9 and history.status in {"stalled", "step_limit", "converged"}
