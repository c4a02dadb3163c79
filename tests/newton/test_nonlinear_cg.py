"""Nonlinear conjugate gradients: the linear ones on quadratics, and every row replayed."""

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import cg, rounding

EPS = np.finfo(float).eps
UPDATES = ("polak_ribiere", "hager_zhang")
PROBLEMS = {
    "rosenbrock": so.problems.rosenbrock,
    "himmelblau": so.problems.himmelblau,
    "logistic": lambda: so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3),
}


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("spectrum", [[1.0, 10.0], [1.0, 2.0, 5.0, 20.0, 100.0]], ids=str)
def test_with_exact_searches_on_a_quadratic_it_is_the_linear_method(update, spectrum):
    d = len(spectrum)
    problem = so.problems.quadratic(spectrum, rotate=True, x0=np.arange(1.0, d + 1))
    history = so.minimize(problem, "nonlinear_cg", update=update, curvature=1e-10, keep="x", steps=d, tol=0.0)
    g = problem.grad(problem.x0)
    for k in range(1, d + 1):
        expected = problem.x0 + cg(lambda v: problem.A @ v, -g, tol=0.0, max_iterations=k).x
        np.testing.assert_allclose(history["x"][k], expected, atol=1e-8)
    np.testing.assert_allclose(history["x"][d], 0.0, atol=1e-8)


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_every_row_replayed(make, update):
    """Beta by the formulas as published, the direction, the restarts and both Wolfe conditions."""
    problem = make()
    history = so.minimize(problem, "nonlinear_cg", update=update, keep=("x", "step"))
    assert history.status == "converged"
    x = history["x"]
    direction = -problem.grad(x[0])
    for k, row in enumerate(history.rows[1:], start=1):
        g, g_new, step = problem.grad(x[k - 1]), problem.grad(x[k]), row["step"]
        np.testing.assert_allclose(step, row["step_size"] * direction, rtol=0, atol=1e-9 * np.linalg.norm(step))
        slope, f, f_new = g @ step, history.f[k - 1], history.f[k]
        assert slope < 0.0 and f_new <= f + 1e-4 * slope + rounding(f, f_new, EPS)
        assert abs(g_new @ step) <= 0.1 * abs(slope) * (1.0 + 1e-8)
        if k + 1 == len(history):
            break
        y, d = g_new - g, step / row["step_size"]
        if update == "polak_ribiere":
            beta = max(0.0, (g_new @ y) / (g @ g))
        else:
            beta = (y - 2.0 * d * (y @ y) / (d @ y)) @ g_new / (d @ y)
        direction = -g_new + beta * d
        after = history.rows[k + 1]
        assert after["restarted"] == (not g_new @ direction < 0.0)
        if after["restarted"]:
            direction, beta = -g_new, 0.0
        assert after["beta"] == pytest.approx(beta, rel=1e-6, abs=1e-10)
        direction = -g_new + after["beta"] * d


def test_hager_and_zhangs_directions_descend_by_seven_eighths():
    """g·d ≤ -7/8 |g|² whatever the search (their Theorem 1.1)."""
    problem = so.problems.rosenbrock()
    history = so.minimize(problem, "nonlinear_cg", curvature=0.9, keep=("x", "step"))
    assert history.status == "converged"
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        g = problem.grad(x)
        assert g @ row["step"] / row["step_size"] <= -0.875 * (g @ g) * (1.0 - 1e-6)


def test_one_value_and_one_gradient_a_trial():
    history = so.minimize(so.problems.rosenbrock(), "nonlinear_cg")
    trials = np.nansum(history["trials"])
    assert history.oracle == {"f": 1 + trials, "grad": 1 + trials, "hess": 0, "hvp": 0}
    assert trials < 5 * (len(history) - 1)


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, x0=[1.0])
    history = so.minimize(spike, "nonlinear_cg")
    assert (history.status, len(history)) == ("stalled", 1)
