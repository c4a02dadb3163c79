"""Trust regions: every row replayed, the model solved in every row, saddles left or not."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import reduction_ratio

EPS = np.finfo(float).eps
STEIHAUG = {"subproblem": "steihaug"}
PROBLEMS = {
    "rosenbrock": so.problems.rosenbrock,
    "himmelblau": so.problems.himmelblau,
    "saddle": so.problems.saddle,
    "double well": so.problems.double_well,
    "chain": lambda: so.problems.chain(12),
    "logistic": lambda: so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3),
}


@pytest.mark.parametrize("radius", [1.0, 1e-2, 30.0])
@pytest.mark.parametrize("hyper", [{}, STEIHAUG], ids=["exact", "steihaug"])
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_every_row_replayed(make, hyper, radius):
    """Ratio, acceptance, the next radius, x and f, from the row's own numbers and the problem."""
    problem = make()
    history = so.minimize(
        problem, "trust_region", initial_radius=radius, max_radius=50.0, acceptance=0.05, keep=("x", "step"), **hyper
    )
    assert history.status == "converged"
    x, f = problem.x0, float(problem.f(problem.x0))
    for row in history.rows[1:]:
        assert row["trust_radius"] == radius
        h, length = row["step"], row["radius"]
        assert length == pytest.approx(np.linalg.norm(h), rel=1e-14) and length <= radius * (1.0 + 1e-12)
        model = problem.grad(x) @ h + 0.5 * h @ problem.hess(x) @ h
        assert row["decrease"] == pytest.approx(-model, rel=1e-7, abs=1e-20)
        f_new = float(problem.f(x + h))
        assert row["ratio"] == reduction_ratio(f, f_new, row["decrease"], EPS)
        slack = 1e3 * EPS * max(abs(f), abs(f_new))
        assert row["ratio"] == pytest.approx(max(-1.0, (f - f_new + slack) / (row["decrease"] + slack)), rel=1e-12)
        assert row["accepted"] == (row["ratio"] > 0.05)
        if row["ratio"] < 0.25:
            radius = length / 4.0
        elif row["ratio"] > 0.75 and length >= 0.99 * radius:
            radius = min(2.0 * radius, 50.0)
        if row["accepted"]:
            x, f = x + h, f_new
        np.testing.assert_array_equal(row["x"], x)
        assert row["f"] == f


@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_the_exact_step_is_the_global_minimiser_in_every_row(make):
    problem = make()
    history = so.minimize(problem, "trust_region", keep=("x", "step"))
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        h, multiplier, radius = row["step"], row["multiplier"], row["trust_radius"]
        g, H = problem.grad(x), problem.hess(x)
        size = np.linalg.norm(H, 2)
        assert np.linalg.norm(H @ h + multiplier * h + g) <= 1e-12 * ((size + multiplier) * row["radius"] + 1e-14)
        assert multiplier >= 0.0 and np.linalg.eigvalsh(H)[0] + multiplier >= -1e-14 * max(size, multiplier)
        assert multiplier == 0.0 or row["radius"] == pytest.approx(radius, rel=1e-12)


@pytest.mark.parametrize("make", [so.problems.rosenbrock, so.problems.himmelblau], ids=lambda make: make.__name__)
def test_one_value_an_iteration_and_derivatives_at_accepted_points_only(make):
    history = so.minimize(make(), "trust_region", initial_radius=30.0)
    accepted = int(np.nansum(history["accepted"]))
    assert accepted < len(history) - 1, "the test needs a rejected step"
    assert history.oracle == {"f": len(history), "grad": 1 + accepted, "hess": accepted, "hvp": 0}
    matrix_free = so.minimize(make(), "trust_region", initial_radius=30.0, **STEIHAUG)
    assert matrix_free.oracle["hvp"] == np.nansum(matrix_free["inner_iterations"])
    assert matrix_free.oracle["hess"] == 0


def test_a_saddle_is_left_by_the_exact_step_at_once_and_is_the_end_of_steihaug():
    """From (1, 0) every gradient is along the first axis, and so is what conjugate gradients see."""
    problem = so.problems.saddle()
    history = so.minimize(problem, "trust_region", [1.0, 0.0])
    assert history.status == "converged" and history["hard"][1]
    np.testing.assert_allclose(np.abs(history.x), [0.0, math.sqrt(2.0)], atol=1e-6)
    assert history.optimality["smallest_eigenvalue"] > 0.0
    history = so.minimize(problem, "trust_region", [1.0, 0.0], **STEIHAUG)
    assert history.status == "converged"
    np.testing.assert_allclose(history.x, 0.0, atol=1e-7)
    assert history.optimality["smallest_eigenvalue"] == pytest.approx(-2.0)


def test_steihaug_keeps_its_residual_and_its_cauchy_decrease():
    problem = PROBLEMS["logistic"]()
    history = so.minimize(problem, "trust_region", np.full(8, 10.0), keep=("x", "step"), **STEIHAUG)
    assert {"boundary", "residual"} <= set(history["ended"][1:])
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        g, H, h = problem.grad(x), problem.hess(x), row["step"]
        size = np.linalg.norm(g)
        if row["ended"] == "residual":
            assert np.linalg.norm(H @ h + g) <= min(0.5, math.sqrt(size)) * size * (1.0 + 1e-6)
        else:
            assert row["radius"] == pytest.approx(row["trust_radius"], rel=1e-12)
        assert row["decrease"] >= 0.5 * size * min(row["trust_radius"], size / np.linalg.norm(H, 2)) * (1.0 - 1e-10)


@pytest.mark.parametrize("hyper", [{}, STEIHAUG], ids=["exact", "steihaug"])
def test_a_large_radius_on_a_quadratic_is_newton(hyper):
    problem = so.problems.quadratic([1.0, 3.0, 9.0], rotate=True)
    history = so.minimize(problem, "trust_region", initial_radius=1e6, **hyper)
    assert history.status == "converged"
    if not hyper:
        assert len(history) == 2
    assert history["ratio"][1] == pytest.approx(1.0, rel=1e-12)


def test_local_order_is_two():
    history = so.minimize(so.problems.rosenbrock(), "trust_region", initial_radius=1.0)
    assert abs(so.measured_order(history).value - 2.0) < 0.3


def test_a_step_outside_the_domain_is_rejected():
    inside = so.Problem(
        lambda x: float(x[0] - np.log(x[0])) if x[0] > 0.0 else float("inf"),
        lambda x: 1.0 - 1.0 / x,
        lambda x: np.diag(x**-2.0),
        x0=[5.0],
    )
    history = so.minimize(inside, "trust_region", initial_radius=100.0)
    assert history.status == "converged" and history["ratio"][1] == -1.0 and not history["accepted"][1]
    np.testing.assert_allclose(history.x, 1.0)


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, lambda x: np.eye(1), x0=[1.0])
    history = so.minimize(spike, "trust_region")
    assert history.status == "stalled" and not np.nansum(history["accepted"])
