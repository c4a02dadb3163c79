"""Inexact Newton: the forcing terms replayed, what the inner iteration keeps, no over-solving, curvature noticed."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import cg, rounding

EPS = np.finfo(float).eps
FORCING = ("fixed", "square_root", "eisenstat_walker_1", "eisenstat_walker_2")
GOLDEN = (1.0 + math.sqrt(5.0)) / 2.0


def logistic():
    return so.problems.ill_scaled_logistic(n=400, d=30, decades=1.0, l2=1e-3)


PROBLEMS = {
    "rosenbrock": so.problems.rosenbrock,
    "himmelblau": so.problems.himmelblau,
    "chain": lambda: so.problems.chain(12),
    "logistic": logistic,
}


@pytest.mark.parametrize("forcing", FORCING)
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_every_step_keeps_its_forcing_term_which_is_the_papers(make, forcing):
    problem = make()
    history = so.minimize(problem, "newton_cg", forcing=forcing, keep=("x", "step"))
    assert history.status == "converged"
    eta = None
    for k in range(len(history) - 1):
        row, size, x = history.rows[k + 1], history.grad_norm[k], history["x"][k]
        g, H = problem.grad(x), problem.hess(x)
        if forcing == "fixed":
            expected = 0.1
        elif forcing == "square_root":
            expected = min(0.5, math.sqrt(size))
        elif k == 0:
            expected = 0.5
        else:
            before, step = history.grad_norm[k - 1], history.rows[k]["step"]
            if forcing == "eisenstat_walker_1":
                old = history["x"][k - 1]
                linear = np.linalg.norm(problem.grad(old) + problem.hess(old) @ step)
                term, floor = abs(size - linear) / before, eta**GOLDEN
            else:
                term, floor = 0.9 * (size / before) ** 2, 0.9 * eta**2
            expected = min(0.9, max(term, floor) if floor > 0.1 else term)
        # The difference of two norms loses what they have in common.
        eta = row["forcing_term"]
        assert eta == pytest.approx(expected, rel=1e-8, abs=1e-9)
        direction = row["step"] / row["step_size"]
        residual = np.linalg.norm(H @ direction + g) / size
        assert row["linear_residual"] == pytest.approx(residual, rel=1e-5, abs=1e-9)
        if not row["negative_curvature"]:
            assert row["linear_residual"] <= eta * (1.0 + 1e-10) or row["inner_iterations"] == 2 * len(x)
        # Armijo, on the direction that conjugate gradients gave.
        slope = float(g @ row["step"])
        assert slope < 0.0
        assert row["f"] <= history.f[k] + 1e-4 * slope + rounding(history.f[k], row["f"], EPS)
        assert row["step_size"] == 0.5 ** (row["trials"] - 1)


@pytest.mark.parametrize("forcing", FORCING)
def test_the_naive_loop_agrees(forcing):
    """With the recorded forcing terms, conjugate gradients and backtracking give the same points."""
    problem = logistic()
    history = so.minimize(problem, "newton_cg", np.full(30, 2.0), forcing=forcing, keep="x")
    x = np.full(30, 2.0)
    for k, point in enumerate(history["x"]):
        np.testing.assert_allclose(point, x, rtol=1e-7, atol=1e-7)
        if k + 1 == len(history):
            break
        g, H = problem.grad(x), problem.hess(x)
        p, a = cg(lambda v, H=H: H @ v, -g, tol=history["forcing_term"][k + 1]).x, 1.0
        while problem.f(x + a * p) > problem.f(x) + 1e-4 * a * (g @ p) + 1e3 * EPS * problem.f(x):
            a /= 2.0
        x = x + a * p


def test_products_are_counted_and_the_hessian_is_not_formed():
    history = so.minimize(logistic(), "newton_cg")
    steps = len(history) - 1
    assert history.oracle == {
        "f": 1 + np.nansum(history["trials"]),
        "grad": steps + 1,
        "hess": 0,
        "hvp": np.nansum(history["inner_iterations"]) + steps,
    }


@pytest.mark.parametrize("forcing", FORCING[2:])
def test_eisenstat_and_walker_do_not_over_solve(forcing):
    """Fewer products than nearly exact steps, to the same accuracy, from a far start."""
    problem, start = logistic(), np.full(30, 10.0)
    ours = so.minimize(problem, "newton_cg", start, forcing=forcing)
    exact = so.minimize(problem, "newton_cg", start, forcing="fixed", forcing_term=1e-10)
    assert ours.status == exact.status == "converged"
    assert ours.oracle["hvp"] < 0.7 * exact.oracle["hvp"]


@pytest.mark.parametrize("m", [1, 2, 4])
def test_distinct_eigenvalues_bound_the_inner_iterations(m):
    problem = so.problems.quadratic(np.repeat(1.0 + np.arange(m), 3), rotate=True, x0=np.arange(1.0, 3 * m + 1))
    history = so.minimize(problem, "newton_cg", forcing="fixed", forcing_term=1e-12)
    assert history["inner_iterations"][1] == m and len(history) == 2


def test_at_most_max_inner_products():
    history = so.minimize(logistic(), "newton_cg", max_inner=3)
    assert history.status == "converged" and np.nanmax(history["inner_iterations"]) == 3


def test_negative_curvature_is_noticed_and_descended():
    """At himmelblau's start the Hessian is negative definite: the first direction is -g."""
    problem = so.problems.himmelblau()
    history = so.minimize(problem, "newton_cg", keep="step")
    assert history.status == "converged"
    assert history["negative_curvature"][1] and history["inner_iterations"][1] == 0
    step, g = history.rows[1]["step"], problem.grad(problem.x0)
    np.testing.assert_allclose(step, -history["step_size"][1] * g, rtol=1e-14)
    assert np.all(np.diff(history.f) <= 1e-12)
    assert history.optimality["smallest_eigenvalue"] > 0.0


def test_a_saddle_that_the_gradient_points_to_is_its_end():
    history = so.minimize(so.problems.saddle(), "newton_cg", [1.0, 0.0])
    assert history.status == "converged" and history.optimality["smallest_eigenvalue"] == pytest.approx(-2.0)


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, hvp=lambda x, v: v, x0=[1.0])
    history = so.minimize(spike, "newton_cg")
    assert (history.status, len(history)) == ("stalled", 1)
