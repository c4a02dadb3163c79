"""Minimum variance: the optimality conditions, a closed form, and SciPy."""

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

import secondorder as so
from secondorder.problems import minimum_variance


def test_two_assets_in_closed_form():
    """x₁ = (σ₂² − c)/(σ₁² + σ₂² − 2c), and everything in one asset where that is outside [0, 1]."""
    returns = np.random.default_rng(0).standard_normal((50, 2)) * [1.0, 1.5] + np.linspace(0.0, 1.0, 50)[:, None]
    problem = minimum_variance(returns)
    (a, c), (_, b) = np.cov(returns[:, 0], returns[:, 1])
    np.testing.assert_allclose(problem.covariance, [[a, c], [c, b]], rtol=1e-13)
    share = (b - c) / (a + b - 2.0 * c)
    assert 0.1 < share < 0.9
    x = so.minimize(problem, "away_step", tol=1e-12).x
    np.testing.assert_allclose(x, [share, 1.0 - share], rtol=0, atol=1e-5)
    alone = minimum_variance(returns * [1.0, 0.1])
    np.testing.assert_allclose(so.minimize(alone, "away_step", tol=1e-12).x, [0.0, 1.0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cap", [None, 0.08, 0.025])
def test_the_optimality_conditions(cap):
    """Assets held below the cap have the same covariance with the portfolio, those at 0 more, those at the cap less."""
    problem = minimum_variance(cap=cap)
    history = so.minimize(problem, "away_step", tol=1e-12)
    x, shared = history.x, problem.grad(history.x)
    assert history.status in {"converged", "finished"} and problem.constraint.violation(x) <= 1e-12
    top = 1.0 if cap is None else cap
    held, full = x > 1e-7, x > top - 1e-7
    if cap == 0.025:
        assert np.all(full), "40 assets of at most 1/40: equal fractions"
        return
    level = np.mean(shared[held & ~full])
    np.testing.assert_allclose(shared[held & ~full], level, rtol=0, atol=1e-8)
    assert np.all(shared[~held] >= level - 1e-8) and np.all(shared[full] <= level + 1e-8)
    assert 5 < np.count_nonzero(held) < 35 and np.any(full) == (cap is not None)


@pytest.mark.parametrize("cap", [None, 0.2])
def test_scipy_finds_no_less(cap):
    problem = minimum_variance(d=12, seed=2, cap=cap)
    history = so.minimize(problem, "away_step", tol=1e-10)
    found = scipy_minimize(
        lambda x: 100.0 * problem.f(x), problem.x0, jac=lambda x: 100.0 * problem.grad(x), method="SLSQP",
        bounds=[(0.0, cap)] * 12, constraints={"type": "eq", "fun": lambda x: np.sum(x) - 1.0},
        options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert found.success and history.f[-1] == pytest.approx(found.fun / 100.0, abs=1e-9)
    np.testing.assert_allclose(history.x, found.x, rtol=0, atol=1e-4)


def test_the_covariance_is_that_of_factors_and_assets():
    """All but a few eigenvalues lie between the least and the largest variance of the assets' own."""
    problem = minimum_variance(d=60, factors=3, seed=4)
    eigenvalues = np.linalg.eigvalsh(problem.covariance)
    assert problem.lipschitz_grad == pytest.approx(eigenvalues[-1], rel=1e-12)
    assert eigenvalues[0] >= 0.15**2 and eigenvalues[-4] <= 0.4**2 < eigenvalues[-1]
    np.testing.assert_array_equal(problem.x0, np.full(60, 1.0 / 60.0))


def test_seed():
    assert np.array_equal(minimum_variance(seed=1).covariance, minimum_variance(seed=1).covariance)
    assert not np.array_equal(minimum_variance(seed=1).covariance, minimum_variance().covariance)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"returns": [1.0, 2.0]}, r"returns must be a matrix .* got shape \(2,\)"),
        ({"returns": [[1.0, 2.0]]}, r"returns must have at least 2 rows, a period each; got shape \(1, 2\)"),
        ({"returns": [[1.0], [np.nan]]}, "returns must be finite; got 1 entries"),
        ({"returns": [[1.0], [2.0, 3.0]]}, "returns must be an array"),
        ({"returns": [[1e200], [-1e200]]}, "returns are too large: their covariance is not finite"),
        ({"d": 0}, "d must be a whole number, at least 1; got 0"),
        ({"factors": 1.5}, "factors must be a whole number, at least 1; got 1.5"),
        ({"cap": 0.01}, "cap must be at least radius / d = 0.025; got 0.01"),
        ({"cap": -1.0}, "cap must be a finite number above 0; got -1.0"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        minimum_variance(**options)
