"""Gauss-Newton: its step, its local rates, its line search and what it does without full rank."""

import numpy as np
import pytest

import secondorder as so
from secondorder.problems import least_squares

PURE = {"line_search": None}


def noisy(size):
    """A decay with a disturbance of the given size, in closed form; its minimum is found by Newton's method."""
    t = np.linspace(0.0, 3.0, 20)
    y = 2.0 * np.exp(-t) + size * np.cos(3.0 * t)
    import autograd.numpy as anp

    return least_squares(lambda x: x[0] * anp.exp(-x[1] * t) - y, x0=[1.8, 0.9])


def errors(problem, x_star, **hyper):
    history = so.minimize(problem, "gauss_newton", keep="x", tol=1e-13, **hyper)
    return np.asarray([np.linalg.norm(x - x_star) for x in history["x"]])


@pytest.mark.parametrize("hyper", [{}, PURE], ids=["armijo", "pure"])
def test_every_step_solves_the_linear_problem(hyper):
    problem = so.problems.nist("Misra1a", start=2)
    history = so.minimize(problem, "gauss_newton", keep=("x", "step"), **hyper)
    assert history.status == "converged" and problem.log_relative_error(history.x) > 8.0
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        J = problem.jac(x)
        D = np.linalg.norm(J, axis=0)
        h = np.linalg.lstsq(J / D, -problem.residual(x), rcond=None)[0] / D
        if np.linalg.norm(D * h) > 1e-6:
            np.testing.assert_allclose(row["step"], row.get("step_size", 1.0) * h, rtol=1e-6)
        np.testing.assert_array_equal(row["x"], x + row["step"])
        assert row["f"] == pytest.approx(float(problem.f(row["x"])), rel=1e-14)


def test_quadratic_where_the_residual_vanishes():
    e = errors(noisy(0.0), np.asarray([2.0, 1.0]), **PURE)
    near = [k for k in range(len(e) - 1) if 1e-7 < e[k] < 0.1]
    assert len(near) >= 2
    constants = [e[k + 1] / e[k] ** 2 for k in near]
    assert max(constants) < 3.0 * min(constants)


def test_linear_with_the_predicted_factor_otherwise():
    problem = noisy(0.5)
    x_star = so.minimize(problem, "newton", tol=1e-14).x
    J = problem.jac(x_star)
    A = np.linalg.solve(J.T @ J, problem.hess(x_star) - J.T @ J)
    factor = np.max(np.abs(np.linalg.eigvals(A)))
    e = errors(problem, x_star, **PURE)
    measured = [e[k + 1] / e[k] for k in range(len(e) - 1) if 1e-9 < e[k] < 1e-4]
    assert 0.01 < factor < 1.0 and len(measured) >= 3
    assert measured[-1] == pytest.approx(factor, rel=0.02)


def test_a_factor_above_one_drives_it_from_a_minimum():
    """r = (x + 1, λx² + x - 1) has a minimum at 0 with the factor |λ|: the pure method leaves it, the line search does
    not."""
    for slope, leaves in ((0.5, False), (-0.5, False), (-2.0, True)):
        problem = least_squares(
            lambda x, s=slope: np.asarray([x[0] + 1.0, s * x[0] ** 2 + x[0] - 1.0]),
            lambda x, s=slope: np.asarray([[1.0], [2.0 * s * x[0] + 1.0]]),
            [1e-3],
        )
        history = so.minimize(problem, "gauss_newton", steps=6, keep="x", **PURE)
        e = np.abs(history["x"][:, 0])
        assert (e[3] > e[0]) == leaves
        assert e[1] / e[0] == pytest.approx(abs(slope), rel=0.02)


def test_without_full_rank_the_shortest_step_in_the_units_of_the_columns():
    A = np.asarray([[1.0, 100.0], [1.0, 100.0], [0.0, 0.0]])
    b = np.asarray([2.0, 4.0, 1.0])
    problem = least_squares(lambda x: A @ x - b, lambda x: A, np.zeros(2))
    history = so.minimize(problem, "gauss_newton", **PURE)
    assert history.status == "converged"
    np.testing.assert_allclose(history.x, [1.5, 0.015], rtol=1e-12)


def test_the_line_search_saves_what_the_full_step_loses():
    """x/sqrt(1 + x²): from 3 the full step goes to -27."""
    problem = least_squares(
        lambda x: x / np.sqrt(1.0 + x**2), lambda x: np.asarray([[(1.0 + x[0] ** 2) ** -1.5]]), [3.0]
    )
    assert so.minimize(problem, "gauss_newton", **PURE, steps=3).x[0] < -1e6
    history = so.minimize(problem, "gauss_newton")
    assert history.status == "converged" and history["trials"][1] > 1 and abs(history.x[0]) < 1e-8
    assert history.oracle["residual"] == 1 + np.nansum(history["trials"])


def test_a_wrong_jacobian_stalls():
    problem = least_squares(lambda x: x - 1.0, lambda x: -np.eye(2), [3.0, 4.0])
    history = so.minimize(problem, "gauss_newton")
    assert history.status == "stalled" and np.linalg.norm(history.x - [3.0, 4.0]) < 1e-9
