"""The projected gradient method: its bounds at every step, its fixed points, what it is without a set, other solvers."""

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

import secondorder as so

EPS = np.finfo(float).eps


def planted(spectrum, support=3, seed=0):
    """A convex quadratic on the simplex whose minimiser is known by its optimality conditions, and its constant."""
    rng = np.random.default_rng(seed)
    d = len(spectrum)
    Q = so.problems.quadratic(spectrum, rotate=True, seed=seed).A
    x_star = np.append(rng.dirichlet(np.ones(support)), np.zeros(d - support))
    grad_star = np.append(np.zeros(support), rng.uniform(0.1, 0.2, d - support)) - 0.3  # least on the support
    problem = so.Problem(
        lambda x: float(0.5 * (x - x_star) @ Q @ (x - x_star) + grad_star @ (x - x_star)),
        lambda x: Q @ (x - x_star) + grad_star,
        constraint=so.sets.Simplex(d),
        x0=np.eye(d)[-1],
        f_star=0.0,
    )
    return problem, x_star, float(max(spectrum))


SPECTRA = {
    "singular": [0.0, 0.0, 0.1, 1.0, 2.0, 5.0, 9.0, 10.0],
    "strongly convex": np.logspace(-2, 1, 8),
}


@pytest.mark.parametrize("spectrum", SPECTRA.values(), ids=SPECTRA)
def test_bound_of_convex_functions_holds_at_every_step(spectrum):
    problem, x_star, L = planted(spectrum)
    history = so.minimize(problem, "projected_gradient", lipschitz=L, tol=0.0, steps=3000)
    k = np.arange(1, len(history))
    distance = np.sum((problem.x0 - x_star) ** 2)
    assert np.all(history.primal_gap[1:] <= L * distance / (2.0 * k) + 1e-15)
    assert history.primal_gap[-1] < 1e-9
    assert np.all(history.primal_gap <= history["gap"] + 1e-15)


@pytest.mark.parametrize("spectrum", SPECTRA.values(), ids=SPECTRA)
def test_bound_with_adapted_constants_holds_at_every_step(spectrum):
    """Telescoping each step's inequality with its own constant replaces k/L by the sum of the 1/L_i."""
    problem, x_star, L = planted(spectrum)
    history = so.minimize(problem, "projected_gradient", tol=1e-10, steps=3000)
    constants = history["lipschitz"][1:]
    distance = np.sum((problem.x0 - x_star) ** 2)
    assert np.all(history.primal_gap[1:] <= distance / (2.0 * np.cumsum(1.0 / constants)) + 1e-13)
    assert np.all(np.diff(history.f) <= 1e-13)
    assert np.max(constants) <= 2.0 * L
    assert history.oracle["project"] == np.nansum(history["trials"])


def test_distance_contracts_at_every_step():
    problem, x_star, L = planted(SPECTRA["strongly convex"])
    history = so.minimize(problem, "projected_gradient", lipschitz=L, tol=0.0, steps=3000, keep="x")
    square = np.sum((history["x"] - x_star) ** 2, axis=1)
    assert np.all(square[1:] <= (1.0 - 0.01 / L) * square[:-1] + (50 * EPS) ** 2)
    assert square[-1] < 1e-20


def test_factor_along_the_flattest_direction():
    """With the minimum inside and the start on the eigenvector of mu, the distance shrinks by exactly 1 - mu/L."""
    spectrum, centre = np.asarray([1.0, 4.0, 10.0]), np.asarray([0.2, 0.2, 0.2])
    problem = so.Problem(
        lambda x: float(0.5 * np.sum(spectrum * (x - centre) ** 2)),
        lambda x: spectrum * (x - centre),
        constraint=so.sets.Simplex(3, solid=True),
    )
    start = centre + np.asarray([0.3, 0.0, 0.0])
    history = so.minimize(problem, "projected_gradient", start, lipschitz=10.0, tol=0.0, steps=60, keep="x")
    np.testing.assert_allclose(history["x"][:, 0] - 0.2, 0.3 * 0.9 ** np.arange(61), rtol=1e-10)


def test_fixed_points_are_the_points_of_gap_zero():
    r"""Both ways by :math:`L\|s\|^2\le G\le(\|g\|+LD)\|s\|`, which the projection's inequality gives."""
    problem, x_star, L = planted(SPECTRA["singular"])
    rng = np.random.default_rng(1)
    for x in rng.dirichlet(np.full(8, 0.3), size=50):
        grad = problem.grad(x)
        gap = grad @ (x - problem.lmo(grad))
        step = np.linalg.norm(problem.project(x - grad / L) - x)
        upper = (np.linalg.norm(grad) + L * problem.constraint.diameter) * step
        assert L * step**2 - 1e-13 <= gap <= upper + 1e-13 and gap > 1e-3
    history = so.minimize(problem, "projected_gradient", x_star, tol=0.0, lipschitz=L)
    assert np.max(history["gap"]) < 1e-14 and np.max(np.abs(history.x - x_star)) < 1e-14


def test_without_a_set_it_is_gradient_descent():
    free = so.problems.ill_scaled_logistic(n=60, d=5)
    whole = so.Problem(free.f, free.grad, project=lambda x: x, x0=free.x0)
    for hyper in ({}, {"lipschitz": 2.0}):
        here = so.minimize(whole, "projected_gradient", steps=30, keep="x", **hyper)
        there = so.minimize(free, "gradient_descent", steps=30, keep="x", **hyper)
        np.testing.assert_allclose(here["x"], there["x"], rtol=1e-9, atol=1e-12)


def test_in_a_box_the_minimum_of_a_separable_quadratic_is_reached_at_once():
    """Of equal curvatures 1/L is the exact step, and clipping solves the rest."""
    centre = np.asarray([0.5, 2.0, -3.0])
    box = so.Problem(
        lambda x: float(2.0 * np.sum((x - centre) ** 2)),
        lambda x: 4.0 * (x - centre),
        project=lambda x: np.clip(x, -1.0, 1.0),
        x0=np.zeros(3),
    )
    history = so.minimize(box, "projected_gradient", lipschitz=4.0)
    assert (history.status, len(history)) == ("stalled", 2)
    np.testing.assert_array_equal(history.x, [0.5, 1.0, -1.0])


def test_every_iterate_is_feasible():
    problem, _, L = planted(SPECTRA["singular"])
    for hyper in ({}, {"lipschitz": L}, {"lipschitz": L / 3.0}):
        history = so.minimize(problem, "projected_gradient", steps=100, keep="x", **hyper)
        assert max(problem.constraint.violation(x) for x in history["x"]) <= 1e-14


def test_three_solvers_agree():
    A = np.random.default_rng(2).standard_normal((60, 10))
    b = A @ np.linspace(-0.5, 0.5, 10)
    problem = so.Problem(
        lambda x: float(np.mean(np.logaddexp(0.0, A @ x) - (b > 0) * (A @ x))),
        lambda x: A.T @ (0.5 * (1.0 + np.tanh(0.5 * A @ x)) - (b > 0)) / 60.0,
        constraint=so.sets.Simplex(10),
    )
    ours = so.minimize(problem, "projected_gradient", tol=1e-10)
    away = so.minimize(problem, "away_step", tol=1e-10)
    theirs = scipy_minimize(
        problem.f, problem.x0, jac=problem.grad, method="SLSQP", bounds=[(0.0, 1.0)] * 10,
        constraints={"type": "eq", "fun": lambda x: np.sum(x) - 1.0}, options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert ours.status == away.status == "converged"
    assert ours.f[-1] == pytest.approx(away.f[-1], abs=1e-10)
    assert ours.f[-1] == pytest.approx(theirs.fun, abs=1e-8)


@pytest.mark.parametrize("hyper", [{}, {"lipschitz": 10.0}], ids=["adapted", "given"])
def test_zero_tolerance_ends_where_the_step_is_rounding(hyper):
    problem, x_star, _ = planted(np.linspace(1.0, 10.0, 8))
    history = so.minimize(problem, "projected_gradient", tol=0.0, **hyper)
    assert history.status == "stalled" and len(history) < 1000
    np.testing.assert_allclose(history.x, x_star, atol=1e-13)


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(
        lambda x: float(x[0] != 0.5), lambda x: x - [0.0, 2.0], constraint=so.sets.Simplex(2), x0=[0.5, 0.5]
    )
    history = so.minimize(spike, "projected_gradient")
    assert (history.status, len(history)) == ("stalled", 1)
