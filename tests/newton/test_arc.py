"""ARC: every row replayed, the cubic model solved in every row, its counts, saddles."""

import math
from functools import partial

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import cubic_step, eigen, krylov_step, reduction_ratio

EPS = np.finfo(float).eps
KRYLOV = {"subproblem": "krylov"}
PROBLEMS = {
    "rosenbrock": so.problems.rosenbrock,
    "himmelblau": so.problems.himmelblau,
    "saddle": so.problems.saddle,
    "double well": so.problems.double_well,
    "chain": lambda: so.problems.chain(12),
    "logistic": lambda: so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3),
}


def model(problem, x, h, sigma):
    return problem.grad(x) @ h + 0.5 * h @ problem.hess(x) @ h + sigma / 3.0 * np.linalg.norm(h) ** 3


@pytest.mark.parametrize("sigma", [1.0, 1e-4, 300.0])
@pytest.mark.parametrize("hyper", [{}, KRYLOV], ids=["exact", "krylov"])
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_every_row_replayed(make, hyper, sigma):
    """Ratio, acceptance, the next sigma, x and f, from the row's own numbers and the problem."""
    problem = make()
    history = so.minimize(
        problem,
        "arc",
        initial_sigma=sigma,
        acceptance=0.2,
        very_successful=0.8,
        growth=3.0,
        keep=("x", "step"),
        **hyper,
    )
    assert history.status == "converged"
    x, f = problem.x0, float(problem.f(problem.x0))
    for row in history.rows[1:]:
        assert row["sigma"] == pytest.approx(sigma, rel=1e-14)
        sigma = row["sigma"]
        h, g = row["step"], problem.grad(x)
        assert row["decrease"] == pytest.approx(-model(problem, x, h, sigma), rel=1e-7, abs=1e-20)
        f_new = float(problem.f(x + h))
        assert row["ratio"] == reduction_ratio(f, f_new, row["decrease"], EPS)
        assert row["accepted"] == (row["ratio"] >= 0.2)
        if row["ratio"] > 0.8:  # the gradient where the model was built
            sigma = max(min(sigma, np.linalg.norm(g)), 1e-10)
        elif not row["accepted"]:
            sigma *= 3.0
        if row["accepted"]:
            x, f = x + h, f_new
        np.testing.assert_array_equal(row["x"], x)
        assert row["f"] == f


@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_the_exact_step_is_the_global_minimiser_in_every_row(make):
    problem = make()
    history = so.minimize(problem, "arc", keep=("x", "step"))
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        h, multiplier = row["step"], row["multiplier"]
        g, H = problem.grad(x), problem.hess(x)
        size = np.linalg.norm(H, 2)
        assert multiplier == pytest.approx(row["sigma"] * row["radius"], rel=1e-9)
        assert np.linalg.norm(H @ h + multiplier * h + g) <= 1e-12 * ((size + multiplier) * row["radius"] + 1e-14)
        assert np.linalg.eigvalsh(H)[0] + multiplier >= -1e-14 * max(size, multiplier)
        assert row["decrease"] >= row["sigma"] / 6.0 * row["radius"] ** 3 * (1.0 - 1e-10)


def cauchy_length(g, H, sigma):
    """The length of the minimiser along -g."""
    b = g @ H @ g / (g @ g)
    return -b / (2.0 * sigma) + math.sqrt((b / (2.0 * sigma)) ** 2 + np.linalg.norm(g) / sigma)


@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_the_krylov_step_keeps_its_residual_and_beats_the_cauchy_point(make):
    problem = make()
    history = so.minimize(problem, "arc", keep=("x", "step"), **KRYLOV)
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        h, sigma, g, H = row["step"], row["sigma"], problem.grad(x), problem.hess(x)
        size = np.linalg.norm(g)
        dense = np.linalg.norm(g + H @ h + sigma * np.linalg.norm(h) * h)
        assert row["residual"] == pytest.approx(dense, rel=1e-6, abs=1e-12 * size + 1e-15)
        assert row["residual"] <= 0.1 * min(1.0, size) * size
        R = cauchy_length(g, H, sigma)
        assert -row["decrease"] <= model(problem, x, -R * g / size, sigma) + 1e-10 * size * R


def test_the_formula_of_the_cauchy_point_is_the_search_along_the_gradient():
    rng = np.random.default_rng(0)
    for sigma in (1e-3, 1.0, 50.0):
        B, g = rng.standard_normal((4, 4)), rng.standard_normal(4)
        line = cubic_step(
            np.asarray([np.linalg.norm(g)]), eigen(np.asarray([[g @ (B + B.T) @ g / (g @ g)]])), 2.0 * sigma
        )
        assert line.radius == pytest.approx(cauchy_length(g, B + B.T, sigma), rel=1e-12)


@pytest.mark.parametrize("make", [so.problems.rosenbrock, so.problems.himmelblau], ids=lambda make: make.__name__)
def test_one_value_an_iteration_and_derivatives_at_accepted_points_only(make):
    history = so.minimize(make(), "arc", initial_sigma=1e-4)
    accepted = int(np.nansum(history["accepted"]))
    assert accepted < len(history) - 1, "the test needs a rejected step"
    # The Hessian at the last point is never asked for.
    assert history.oracle == {"f": len(history), "grad": 1 + accepted, "hess": accepted, "hvp": 0}
    matrix_free = so.minimize(make(), "arc", initial_sigma=1e-4, **KRYLOV)
    assert matrix_free.oracle["hvp"] == np.nansum(matrix_free["products"])
    assert matrix_free.oracle["hess"] == 0


def test_a_saddle_is_left_by_the_exact_step_at_once_and_is_the_end_of_the_krylov_one():
    """From (1, 0) every gradient is along the first axis, and so is what a Krylov subspace sees."""
    problem = so.problems.saddle()
    history = so.minimize(problem, "arc", [1.0, 0.0])
    assert history.status == "converged" and np.any(history["hard"] == 1)
    np.testing.assert_allclose(np.abs(history.x), [0.0, math.sqrt(2.0)], atol=1e-6)
    assert history.optimality["smallest_eigenvalue"] > 0.0
    history = so.minimize(problem, "arc", [1.0, 0.0], **KRYLOV)
    assert history.status == "converged"
    np.testing.assert_allclose(history.x, 0.0, atol=1e-7)
    assert history.optimality["smallest_eigenvalue"] == pytest.approx(-2.0)
    x, g = np.asarray([1.0, 0.0]), np.asarray([2.0, 0.0])
    found = krylov_step(partial(cubic_step, M=2.0), lambda v: problem.hvp(x, v), g, restart=np.asarray([0.3, -1.0]))
    assert abs(found.step[1]) > 1.0, "with a restart it is left"


def test_a_model_that_is_always_very_successful_is_cubic_newton():
    """With a tiny acceptance and a weight that never changes, the steps are those of cubic_newton with M = 2 sigma."""
    problem = PROBLEMS["logistic"]()
    ours = so.minimize(
        problem, "arc", initial_sigma=2.0, very_successful=1.0 - 1e-16, growth=2.0, steps=6, keep="x", tol=0.0
    )
    fixed = np.flatnonzero(ours["sigma"][1:] != 2.0)
    rows = 1 + (fixed[0] if len(fixed) else len(ours) - 1)
    assert rows >= 2
    theirs = so.minimize(problem, "cubic_newton", M=4.0, steps=6, keep="x", tol=0.0)
    np.testing.assert_array_equal(ours["x"][:rows], theirs["x"][:rows])


def test_local_order_is_two():
    history = so.minimize(so.problems.rosenbrock(), "arc", initial_sigma=1.0)
    assert abs(so.measured_order(history).value - 2.0) < 0.3


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, lambda x: np.eye(1), x0=[1.0])
    history = so.minimize(spike, "arc")
    assert history.status == "stalled" and not np.nansum(history["accepted"])
