"""Cubic Newton in the local norm: the minimiser it claims to be, its invariances, its constant, and where it fails."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import secondorder as so
from secondorder.guarantees import GUARANTEES, stepsized
from secondorder.guarantees.stepsized import barrier_constant, far_logistic, smoothness
from secondorder.linalg import rounding

METHOD = "affine_invariant_cubic_newton"
EPS = np.finfo(float).eps


def twin(problem, x, M, steps):
    """The method from its definition: the model in the coordinates in which the Hessian is the identity, where it is cubic
    Newton with a Hessian of 1, and there by a search over the length of the step."""
    points = [x]
    for _ in range(steps):
        values, vectors = np.linalg.eigh(problem.hess(x))
        root = vectors / np.sqrt(values) @ vectors.T
        g = root @ problem.grad(x)
        size = np.linalg.norm(g)
        r = minimize_scalar(
            lambda r, size=size: -r * size + r**2 / 2 + M * r**3 / 6, bounds=(0.0, size), options={"xatol": 1e-14}
        ).x
        x = x - root @ (r * g / size)
        points.append(x)
    return np.stack(points)


def in_coordinates(problem, A):
    """f(Ay), from the start A^-1 x0."""
    return so.Problem(
        lambda y: problem.f(A @ y),
        lambda y: A.T @ problem.grad(A @ y),
        lambda y: A.T @ problem.hess(A @ y) @ A,
        x0=np.linalg.solve(A, problem.x0),
    )


@pytest.mark.parametrize("M", [0.5, 20.0])
def test_it_is_cubic_newton_in_the_local_norm(M):
    """A search over lengths gives half of the digits of its minimiser, so 1e-6 is what can be asked for."""
    problem = so.problems.ill_scaled_logistic(n=60, d=4, decades=0.5, l2=1e-2)
    history = so.minimize(problem, METHOD, M=M, keep="x", steps=5, tol=0.0)
    np.testing.assert_allclose(history["x"], twin(problem, problem.x0, M, 5), rtol=1e-6, atol=1e-6)


def test_where_the_hessian_is_the_identity_it_is_cubic_newton():
    problem = so.problems.quadratic([1.0, 1.0, 1.0], x0=[3.0, -4.0, 12.0])
    ours, cubic = (so.minimize(problem, m, M=2.0, keep="x", steps=4, tol=0.0) for m in (METHOD, "cubic_newton"))
    np.testing.assert_allclose(ours["x"], cubic["x"], atol=1e-12)
    # From 13: r + r^2 = 13.
    assert ours["radius"][1] == pytest.approx((math.sqrt(53.0) - 1.0) / 2.0, rel=1e-14)


@pytest.mark.parametrize("M", [1e-3, 1.0, 75.0])
def test_the_equation_of_the_step_size(M):
    history = so.minimize(far_logistic(), METHOD, M=M, steps=30)
    alpha, decrement = history["step_size"][1:], history["decrement"][1:]
    np.testing.assert_allclose(alpha * (1.0 + M / 2.0 * alpha * decrement), 1.0, rtol=1e-14)
    assert np.all((alpha > 0.0) & (alpha <= 1.0)) and np.all(alpha >= 1.0 / (1.0 + M * decrement / 2.0))
    np.testing.assert_allclose(history["radius"][1:], alpha * decrement, rtol=1e-15)


@pytest.mark.parametrize("hyper", [{}, {"M": 10.0}, {"M": 1.0}])
def test_it_does_not_depend_on_the_coordinates(hyper):
    problem = so.problems.ill_scaled_logistic(n=80, d=5, decades=0.5, l2=1e-2)
    A = np.random.default_rng(1).standard_normal((5, 5)) * [1.0, 10.0, 0.1, 3.0, 1.0]
    options = {"steps": 5, "tol": 0.0, "keep": "x", **hyper}
    x = so.minimize(problem, METHOD, **options)
    y = so.minimize(in_coordinates(problem, A), METHOD, **options)
    np.testing.assert_allclose(y["x"] @ A.T, x["x"], rtol=0, atol=1e-8)
    assert np.array_equal(x["M"][1:], y["M"][1:])
    cubic = [so.minimize(p, "cubic_newton", M=1.0, steps=1, tol=0.0).x for p in (problem, in_coordinates(problem, A))]
    assert np.linalg.norm(A @ cubic[1] - cubic[0]) > 1e-2  # cubic Newton does


@pytest.mark.parametrize("make", [far_logistic, so.problems.analytic_center, so.problems.ill_scaled_logistic])
def test_adapted_steps_make_the_promised_decrease(make):
    problem = make()
    history = so.minimize(problem, METHOD)
    assert history.status == "converged"
    f, M, trials = history.f, history["M"], history["trials"]
    for k in range(len(history) - 1):
        r = history["radius"][k + 1]
        assert f[k + 1] <= f[k] - (r**2 / 2.0 + M[k + 1] * r**3 / 3.0) + rounding(f[k], f[k + 1], EPS)
        assert M[k + 1] == (max(M[k] / 2.0, 1e-10) if k else 1.0) * 2.0 ** (trials[k + 1] - 1)
    assert history.oracle["hess"] == len(history) - 1 and history.oracle["grad"] == len(history)
    assert history.oracle["f"] <= 1 + np.nansum(trials)


def test_a_valid_constant_needs_no_line_search_where_pure_newton_never_arrives():
    problem = far_logistic()
    pure = so.minimize(problem, "newton", line_search=None, steps=300)
    assert pure.status == "step_limit" and pure.f.max() > problem.f(problem.x0)
    history = so.minimize(problem, METHOD, M=smoothness(problem))
    assert history.status == "converged" and history.oracle["f"] == 0 and np.all(np.diff(history.f) <= 1e-14)
    assert len(history) - 1 == 20
    invalid = so.minimize(problem, METHOD, M=smoothness(problem) / 1e3, steps=300)
    assert invalid.status == "step_limit" and invalid.f.max() > invalid.f[0]


def test_the_counts_of_a_far_start():
    """Gaussian rows, m = 400, d = 10, a ridge of 1e-3, from all entries 10."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 10))
    y = np.sign(X @ rng.standard_normal(10) + 0.5 * rng.standard_normal(400))
    problem = so.problems.logistic((X, y), l2=1e-3, x0=np.full(10, 10.0))
    for M, steps in ((10.0, 10), (30.0, 15)):
        history = so.minimize(problem, METHOD, M=M, tol=1e-13, steps=60)
        assert abs(len(history) - 1 - steps) <= 1 and np.all(np.diff(history.f) <= 1e-14)
    assert so.minimize(problem, METHOD, M=1.0, steps=300).status == "step_limit"


def corridor(f, start):
    """One wall at -1, ten at 1/10: from -0.7 Newton's step leaves through the single wall."""
    A, b = np.asarray([[-1.0], *[[1.0]] * 10]), np.asarray([1.0, *[0.1] * 10])
    problem = so.Problem(
        lambda x: f(b - A @ x),
        lambda x: A.T @ (1.0 / (b - A @ x)),
        lambda x: (A.T / (b - A @ x) ** 2) @ A,
        x0=[start],
        domain=lambda x: bool(np.all(A @ x < b)),
    )
    problem.n = 11
    return problem


@pytest.mark.parametrize("start", [-0.7, -0.6, 0.09])
def test_a_valid_constant_stays_in_the_domain_of_a_barrier(start):
    problem = corridor(lambda slack: -np.sum(np.log(slack)), start)
    if start < 0.0:
        assert so.minimize(problem, "newton", line_search=None).status == "diverged"
    for hyper in ({}, {"M": barrier_constant(problem)}):
        history = so.minimize(problem, METHOD, **hyper)
        assert history.status == "converged" and history.x[0] == pytest.approx(-0.9, abs=1e-9)


def test_a_trial_outside_the_domain_fails_whatever_f_answers_there():
    """Here f is far below its minimum outside, and the first trial ends there: the decrement is so small for M = 1."""
    problem = corridor(lambda slack: -np.sum(np.log(np.abs(slack))) - 100.0 * np.any(slack < 0.0), -0.7)
    problem.grad, problem.hess = (
        lambda x, given=problem.grad: 1e-8 * given(x),
        lambda x, given=problem.hess: 1e-8 * given(x),
    )
    history = so.minimize(problem, METHOD, keep="x", steps=3, tol=0.0)
    assert history["trials"][1] > 1 and all(problem.domain(x) for x in history["x"])


def test_a_hessian_that_is_not_definite_ends_the_run():
    history = so.minimize(so.problems.himmelblau(), METHOD)
    assert history.status == "breakdown" and "not positive definite" in history.message


def test_the_wrong_gradient_is_stalled():
    problem = so.Problem(lambda x: float(x @ x), lambda x: -2.0 * x, lambda x: 2.0 * np.eye(2), x0=[1.0, 1.0])
    history = so.minimize(problem, METHOD)
    assert history.status == "stalled" and "is the gradient right?" in history.message


def test_at_the_accuracy_of_the_numbers_it_ends():
    for dtype in ("float32", "float64"):
        problem = so.oracles.to_device(so.problems.ill_scaled_logistic(n=60, d=5), "numpy", dtype)
        history = so.minimize(problem, METHOD, tol=1e-30, steps=200)
        assert history.x.dtype == dtype and np.nanmax(history["M"]) < 1e6
        assert history.grad_norm.min() <= 1e3 * np.finfo(dtype).eps


BREAKS = {  # the least factor by which the valid constant must shrink for a violation to be seen
    "affine_invariant_cubic_newton: decrease": 1e-3,
    "affine_invariant_cubic_newton: half the slope": 1e-3,
    "affine_invariant_cubic_newton: step on a barrier": 1e-1,
}


@pytest.mark.parametrize("name", BREAKS)
def test_an_invalid_constant_breaks_the_inequality(name):
    guarantee = GUARANTEES[name]
    valid = guarantee.hyper(guarantee.problem())["M"]
    assert len(guarantee.run(M=BREAKS[name] * valid).violations)


@pytest.mark.parametrize("label", ["decrease", "gradient", "quadratic end"])
def test_a_wrong_constant_of_the_function_breaks_it_too(label, monkeypatch):
    monkeypatch.setattr(stepsized, "smoothness", lambda problem: 1e-3 * smoothness(problem))
    assert len(GUARANTEES[f"{METHOD}: {label}"].run().violations)


def test_the_constant_of_the_local_norms_bounds_the_change_of_the_hessian():
    problem, rng = far_logistic(), np.random.default_rng(3)
    L = smoothness(problem)
    for _ in range(50):
        x, step = rng.standard_normal((2, 10)) * [[5.0], [2.0]]
        H = problem.hess(x)
        values, vectors = np.linalg.eigh(H)
        root = vectors / np.sqrt(values) @ vectors.T
        change = np.linalg.norm(root @ (problem.hess(x + step) - H) @ root, 2)
        assert change <= L * math.sqrt(step @ H @ step)
