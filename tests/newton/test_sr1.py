"""SR1: the Hessian of a quadratic after d trials without any search, every row replayed."""

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import eigen, reduction_ratio, trust_region_step

EPS = np.finfo(float).eps
PROBLEMS = {
    "rosenbrock": so.problems.rosenbrock,
    "himmelblau": so.problems.himmelblau,
    "double well": so.problems.double_well,
    "logistic": lambda: so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3),
}


def replay(problem, history):
    """(row, gradient, B before, B after) of every trial, taken or not, by the formula as published."""
    B, x = np.eye(history.d), history["x"][0]
    for k, row in enumerate(history.rows[1:], start=1):
        s, g, before = row["step"], problem.grad(x), B
        misfit = problem.grad(x + s) - g - B @ s
        if row["updated"]:
            B = B + np.outer(misfit, misfit) / (misfit @ s)
        yield row, g, before, B, misfit
        x = history["x"][k]


@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_every_row_replayed(make):
    problem = make()
    history = so.minimize(problem, "sr1", keep=("x", "step"))
    assert history.status == "converged"
    radius, f, x = 1.0, history.f[0], problem.x0
    for row, g, B, after, misfit in replay(problem, history):
        s, length = row["step"], row["radius"]
        assert row["trust_radius"] == pytest.approx(radius, rel=1e-14) and length <= radius * (1.0 + 1e-12)
        exact = trust_region_step(g, eigen(B), radius)
        assert row["decrease"] == pytest.approx(exact.decrease, rel=1e-6)
        assert row["decrease"] == pytest.approx(-(g @ s + 0.5 * s @ B @ s), rel=1e-6)
        f_new = float(problem.f(x + s))
        assert row["ratio"] == reduction_ratio(f, f_new, row["decrease"], EPS)
        assert row["accepted"] == (row["ratio"] > 1e-3)
        size = length * np.linalg.norm(misfit)
        assert row["updated"] == (abs(misfit @ s) >= 1e-8 * size > 0.0)
        if row["updated"]:  # the secant equation, up to the rounding that the update magnifies
            y = misfit + B @ s
            lost = size / abs(misfit @ s) * EPS * (np.linalg.norm(B, 2) + np.linalg.norm(after, 2)) * length
            np.testing.assert_allclose(after @ s, y, rtol=0, atol=1e-10 * np.linalg.norm(y) + 10.0 * lost)
        if row["ratio"] > 0.75 and length > 0.8 * row["trust_radius"]:
            radius = 2.0 * row["trust_radius"]
        elif row["ratio"] < 0.1:
            radius = length / 2.0
        if row["accepted"]:
            x, f = x + s, f_new
        np.testing.assert_array_equal(row["x"], x)
        assert row["f"] == f


@pytest.mark.parametrize("spectrum", [[0.5, 2.0, 7.0], [1.5, 4.0, 9.0, 20.0, 60.0], [-3.0, 2.0, 5.0, -0.5]], ids=str)
def test_it_learns_the_hessian_of_a_quadratic_in_d_trials(spectrum):
    """Indefinite ones too, and although no step was searched for."""
    d = len(spectrum)
    problem = so.problems.quadratic(spectrum, rotate=True, x0=np.arange(1.0, d + 1))
    history = so.minimize(problem, "sr1", keep=("x", "step"), steps=d, tol=0.0)
    assert np.all(history["updated"][1:] == 1)
    *_, (_, _, _, B, _) = replay(problem, history)
    np.testing.assert_allclose(B, problem.A, atol=1e-8 * np.max(np.abs(spectrum)))


def test_then_it_takes_newtons_step():
    problem = so.problems.quadratic([1.5, 4.0, 9.0], rotate=True, x0=[1.0, 2.0, 3.0])
    history = so.minimize(problem, "sr1", initial_radius=100.0)
    assert history.status == "converged" and len(history) - 1 <= 4


def test_one_value_and_one_gradient_an_iteration():
    history = so.minimize(so.problems.rosenbrock(), "sr1")
    assert history.oracle == {"f": len(history), "grad": len(history), "hess": 0, "hvp": 0}


def test_it_learns_from_every_trial_within_the_domain():
    history = so.minimize(so.problems.rosenbrock(), "sr1")
    bad = (history["accepted"] == 0) & (history["ratio"] == -1.0)
    assert np.any(bad) and np.all(history["updated"][bad] == 1)
    inside = so.Problem(
        lambda x: float(x[0] - np.log(x[0])) if x[0] > 0.0 else float("inf"), lambda x: 1.0 - 1.0 / x, x0=[5.0]
    )
    history = so.minimize(inside, "sr1", initial_radius=100.0, keep="step")
    assert history.status == "converged" and (history["ratio"][2], history["updated"][2]) == (-1.0, 0)
    assert history.oracle["grad"] == len(history) - 1, "there is no gradient to be had outside"
    np.testing.assert_allclose(history.x, 1.0)


def test_it_is_superlinear_near_a_minimum():
    g = so.minimize(PROBLEMS["logistic"](), "sr1").grad_norm
    assert np.min(g[-5:][1:] / g[-5:][:-1]) < 0.05


def test_it_leaves_the_saddle_that_its_hessian_learns_of():
    history = so.minimize(so.problems.saddle(), "sr1")
    assert history.status == "converged" and history.optimality["smallest_eigenvalue"] > 0.0


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, x0=[1.0])
    history = so.minimize(spike, "sr1")
    assert history.status == "stalled" and not np.nansum(history["accepted"])
