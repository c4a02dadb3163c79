"""Levenberg-Marquardt: every row replayed by a dense twin, its limits, geodesics, and when it stops."""

import itertools
import math

import numpy as np
import pytest
import scipy.optimize

import secondorder as so
from secondorder.least_squares import levenberg_marquardt
from secondorder.linalg import reduction_ratio, rounding
from secondorder.problems import least_squares

EPS = np.finfo(float).eps
VARIANTS = {"default": {}, **levenberg_marquardt.method.variants}
PROBLEMS = {
    "rosenbrock": lambda: so.problems.get("test:rosenbrock"),
    "Misra1a": lambda: so.problems.nist("Misra1a"),
    "MGH09": lambda: so.problems.nist("MGH09", start=2),
    "Eckerle4": lambda: so.problems.nist("Eckerle4"),
}


def second_row(problem, **hyper):
    return next(itertools.islice(levenberg_marquardt(problem, **hyper), 1, None))


def affine(rng, m=8, d=3):
    A, b = rng.standard_normal((m, d)), rng.standard_normal(m)
    return A, b, least_squares(lambda x: A @ x - b, lambda x: A, np.ones(d))


@pytest.mark.parametrize("hyper", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_every_row_replayed(make, hyper):
    """Step, ratio, acceptance, damping, x and f of each row, from the problem and NumPy's least squares."""
    problem = make()
    history = so.minimize(problem, "levenberg_marquardt", keep=("x", "step"), steps=60, **hyper)
    x, growth, damping = problem.x0, 2.0, 1e-3
    lengths = np.linalg.norm(problem.jac(x), axis=0)
    if hyper.get("scaling") == "identity":
        damping *= np.max(lengths) ** 2
    for row in history.rows[1:]:
        r, J = problem.residual(x), problem.jac(x)
        f, D = 0.5 * float(r @ r), np.ones_like(x) if hyper.get("scaling") == "identity" else lengths
        assert row["damping"] == pytest.approx(damping, rel=1e-12)
        stacked = np.concatenate([J, math.sqrt(row["damping"]) * np.diag(D)]) / lengths
        zeros = np.zeros_like(x)
        v = h = np.linalg.lstsq(stacked, np.concatenate([-r, zeros]), rcond=None)[0] / lengths
        if hyper.get("geodesic"):
            bend = 200.0 * (problem.residual(x + 0.1 * v) - r - 0.1 * (J @ v))
            a = np.linalg.lstsq(stacked, np.concatenate([-bend, zeros]), rcond=None)[0] / lengths
            assert row["acceleration"] == pytest.approx(
                2.0 * np.linalg.norm(D * a) / np.linalg.norm(D * v), rel=1e-2, abs=1e-3
            )
            h = v + 0.5 * a
        # the second difference of the geodesic loses digits once the step is short
        tolerance = 1e-3 if hyper.get("geodesic") else 1e-6
        assert np.linalg.norm(lengths * (row["step"] - h)) <= tolerance * np.linalg.norm(
            lengths * h
        ) + 1e-13 * math.sqrt(f)
        h = row["step"]
        f_new = 0.5 * float(np.sum(problem.residual(x + h) ** 2))
        promised = 0.5 * np.linalg.norm(J @ v) ** 2 + row["damping"] * np.linalg.norm(D * v) ** 2
        assert row["ratio"] == pytest.approx(reduction_ratio(f, f_new, promised, EPS), rel=1e-3, abs=1e-6)
        assert row["accepted"] == (row["ratio"] > 1e-4 and row.get("acceleration", 0.0) <= 0.75)
        if row["accepted"]:
            x, growth = x + h, 2.0
            lengths = np.maximum(lengths, np.linalg.norm(problem.jac(x), axis=0))
            if promised < 100.0 * rounding(f, f_new, EPS):
                break  # from here on it is the rounding of f that decides
            damping = row["damping"] * max(1.0 / 3.0, 1.0 - (2.0 * row["ratio"] - 1.0) ** 3)
        else:
            damping, growth = row["damping"] * growth, 2.0 * growth
        np.testing.assert_array_equal(row["x"], x)
        assert row["f"] == pytest.approx(float(problem.f(x)), rel=1e-14)
    assert history.oracle["jac"] == len(history) - sum(not row["accepted"] for row in history.rows[1:])
    assert history.oracle["residual"] == 1 + (len(history) - 1) * (2 if hyper.get("geodesic") else 1)


def test_large_damping_gives_a_short_scaled_gradient_step():
    problem = so.problems.nist("Misra1a")
    r, J = problem.residual(problem.x0), problem.jac(problem.x0)
    D = np.linalg.norm(J, axis=0)
    it = second_row(problem, initial_damping=1e9)
    np.testing.assert_allclose(it.step, -(J.T @ r) / (1e9 * D**2), rtol=1e-8)


def test_no_damping_is_gauss_newton():
    problem = so.problems.nist("Misra1a", start=2)
    gauss_newton = next(itertools.islice(so.least_squares.gauss_newton(problem, line_search=None), 1, None))
    np.testing.assert_allclose(second_row(problem, initial_damping=1e-30).step, gauss_newton.step, rtol=1e-9)


def test_an_affine_residual_keeps_its_promise_in_every_step():
    A, b, problem = affine(np.random.default_rng(0))
    history = so.minimize(problem, "levenberg_marquardt")
    assert history.status == "converged" and len(history) > 3
    np.testing.assert_allclose(history["ratio"][1:3], 1.0, atol=1e-9)
    np.testing.assert_allclose(history["ratio"][3:], 1.0, atol=1e-4)  # differences of f close to rounding
    np.testing.assert_allclose(history.x, np.linalg.lstsq(A, b, rcond=None)[0], rtol=1e-10)
    at_once = second_row(problem, initial_damping=1e-30)
    np.testing.assert_allclose(at_once.x, history.x, rtol=1e-10)


def test_the_second_derivative_along_the_velocity_is_exact_for_a_quadratic_residual():
    problem = so.problems.get("test:rosenbrock")
    x, tau = problem.x0, 0.5
    r, J = problem.residual(x), problem.jac(x)
    D2 = np.sum(J * J, axis=0)
    solve = np.linalg.inv(J.T @ J + tau * np.diag(D2))
    v = -solve @ J.T @ r
    bend = np.asarray([v @ problem.curvature(x, e) @ v for e in np.eye(2)])
    a = -solve @ J.T @ bend
    it = second_row(problem, geodesic=True, initial_damping=tau)
    np.testing.assert_allclose(it.step, v + 0.5 * a, rtol=1e-11)
    assert it.acceleration == pytest.approx(2.0 * math.sqrt((D2 @ a**2) / (D2 @ v**2)), rel=1e-11)


@pytest.mark.parametrize(
    ("x0", "plain", "geodesic"), [((-1.2, 1.0), 18, 12), ((-5.0, 5.0), 25, 12), ((10.0, -20.0), 30, 12)]
)
def test_geodesics_cut_corners(x0, plain, geodesic):
    """Jacobians in the bent valley; with D = I the gain is small."""
    problem = so.problems.get("test:rosenbrock")
    runs = [so.minimize(problem, "levenberg_marquardt", x0, geodesic=each) for each in (False, True)]
    assert [h.status for h in runs] == ["converged"] * 2
    assert [h.oracle["jac"] for h in runs] == [plain, geodesic]


def test_the_units_of_the_parameters_do_not_matter():
    """Parameters in other units: the same run under Marquardt's scaling, another with the identity."""
    original, units = so.problems.nist("Misra1a"), np.asarray([2.0**10, 2.0**-12])
    scaled = least_squares(
        lambda x: original.residual(units * x), lambda x: original.jac(units * x) * units, original.x0 / units
    )
    one, other = (so.minimize(p, "levenberg_marquardt") for p in (original, scaled))
    np.testing.assert_array_equal(one.f, other.f)
    np.testing.assert_array_equal(one["convergence_test"], other["convergence_test"])
    assert len(so.minimize(original, "levenberg_marquardt", scaling="identity")) != len(
        so.minimize(scaled, "levenberg_marquardt", scaling="identity")
    )


def test_a_weight_of_one_changes_f_and_its_gradient_only():
    """f = |r|^2 as in the Moré-Garbow-Hillstrom collection, and its half."""
    whole = so.problems.get("test:bard")
    half = least_squares(whole.residual, whole.jac, whole.x0)
    one, other = (so.minimize(p, "levenberg_marquardt", keep="x") for p in (whole, half))
    np.testing.assert_array_equal(one["x"], other["x"])
    np.testing.assert_allclose(one.f, 2.0 * other.f, rtol=1e-14)
    np.testing.assert_allclose(one.f, [whole.f(x) for x in one["x"]], rtol=1e-13)
    np.testing.assert_allclose(one.grad_norm[:-1], [np.linalg.norm(whole.grad(x)) for x in one["x"][:-1]], rtol=1e-6)


@pytest.mark.parametrize("name", ["test:bard", "test:kowalik_osborne", "nist:Thurber", "nist:Rat43"])
def test_scipy_finds_the_same_minimum(name):
    problem = so.problems.get(name)
    ours = so.minimize(problem, "levenberg_marquardt").x
    options = {"method": "lm", "xtol": 1e-12, "ftol": 1e-12, "x_scale": "jac"}
    theirs = scipy.optimize.least_squares(problem.residual, problem.x0, jac=problem.jac, **options).x
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_nothing_yielded_is_nan_at_an_exact_fit():
    problem = so.problems.get("test:rosenbrock")
    history = so.minimize(problem, "levenberg_marquardt", tol=0.0)
    assert history.status == "converged" and history.f[-1] == 0.0 and history["cosine"][-1] == 0.0
    for name in ("cosine", "relative_step", "convergence_test", "ratio", "damping"):
        assert np.all(np.isfinite(history[name][1:])), name
    assert so.minimize(problem, "levenberg_marquardt", [1.0, 1.0]).status == "converged"


@pytest.mark.parametrize("geodesic", [False, True])
def test_a_step_outside_the_domain_is_rejected(geodesic):
    def residual(x):
        return np.asarray([np.log(x[0]) if x[0] > 0.0 else np.nan, 0.1 * x[0]])

    problem = least_squares(residual, lambda x: np.asarray([[1.0 / x[0]], [0.1]]), [20.0])
    history = so.minimize(problem, "levenberg_marquardt", initial_damping=1e-6, geodesic=geodesic)
    assert history.status == "converged" and history["ratio"][1] == -1.0 and not history["accepted"][1]
    assert np.all(np.isfinite(history["relative_step"][1:]))
    x = history.x[0]
    assert np.log(x) / x + 0.01 * x == pytest.approx(0.0, abs=1e-8)


def test_a_jacobian_that_promises_too_much_stalls():
    spike = least_squares(lambda x: np.asarray([1.0 + abs(x[0] - 1.0)]), lambda x: np.asarray([[1.0]]), [1.0])
    history = so.minimize(spike, "levenberg_marquardt", tol=0.0)
    assert history.status == "stalled" and abs(history.x[0] - 1.0) < 1e-9


def test_a_parameter_without_effect_stays():
    """Its column of J is zero, and so is that of D without the 1 that stands in for it."""
    problem = least_squares(
        lambda x: np.asarray([x[0] - 3.0, 0.5 * x[0] ** 2]), lambda x: np.asarray([[1.0, 0.0], [x[0], 0.0]]), [1.0, 7.0]
    )
    for hyper in VARIANTS.values():
        history = so.minimize(problem, "levenberg_marquardt", **hyper)
        assert history.status == "converged" and history.x[1] == 7.0


@pytest.mark.parametrize("third", [-1.0, -4.0])
def test_large_residuals_do_not_stall(third):
    """Gauss-Newton's factor is above 2 here: the damping has to stay, also where f no longer tells the steps apart."""
    t, y = np.asarray([1.0, 2.0, 3.0]), np.asarray([2.0, 4.0, third])
    problem = least_squares(lambda x: np.exp(t * x[0]) - y, lambda x: (t * np.exp(t * x[0]))[:, None], [0.5])
    history = so.minimize(problem, "levenberg_marquardt")
    assert history.status == "converged" and len(history) < 100
    assert abs(problem.grad(history.x)[0]) < 1e-6
