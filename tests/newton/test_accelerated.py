"""Accelerated cubic Newton: the invariant, the bounds, a dense twin, and what noise does to them."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.guarantees import GUARANTEES
from secondorder.guarantees.accelerated import expected_bound, noisy_logistic, start_distance
from secondorder.linalg import rounding
from secondorder.newton.accelerated_inexact import Noisy, symmetric_noise

EPS = np.finfo(float).eps
CUBIC, INEXACT = "accelerated_cubic_newton", "accelerated_inexact_newton"


def broken(history):
    """The steps at which f(x_t) is above min ψ_t / A_t by more than rounding."""
    f, ceiling = history.f[1:], history["ceiling"][1:]
    return np.flatnonzero(f > ceiling + 1e3 * EPS * np.maximum(np.abs(f), np.abs(ceiling)))


# ------------------------------------------------------------------------------------------------------- a dense twin


def twin(problem, M, steps, quadratic=lambda t: 0.0, damping=0.0, kappa=3.0):
    """The scheme with A_t in closed form, and the step found by bisecting its length."""
    x, s, points = problem.x0, np.zeros_like(problem.x0), [problem.x0]
    for t in range(steps):
        A, a = t * (t + 1) * (t + 2) / 6, (t + 1) * (t + 2) / 2
        k2, k3, size = quadratic(t), kappa * M, np.linalg.norm(s)
        rho = (-k2 + math.sqrt(k2**2 + 4.0 * k3 * size)) / (2.0 * k3)
        y = problem.x0 - (rho / size if size else 0.0) * s
        v = (A * x + a * y) / (A + a)
        g, H = problem.grad(v), problem.hess(v) + damping * np.eye(len(x))
        low, high = 0.0, 10.0 + 2.0 * math.sqrt(np.linalg.norm(g) / M)
        for _ in range(200):
            r = 0.5 * (low + high)
            h = -np.linalg.solve(H + M / 2.0 * r * np.eye(len(x)), g)
            low, high = (r, high) if np.linalg.norm(h) > r else (low, r)
        x = v + h
        s = s + a * problem.grad(x)
        points.append(x)
    return np.stack(points)


@pytest.mark.parametrize("make", [lambda: so.problems.chain(8), lambda: so.problems.soft_maximum(40, 5, mu=0.5)])
def test_the_dense_twin_agrees(make):
    problem = make()
    M = 2.0 * problem.lipschitz_hess
    history = so.minimize(problem, CUBIC, M=M, steps=25, tol=0.0, keep="x")
    np.testing.assert_allclose(np.stack(list(history["x"])), twin(problem, M, 25), rtol=1e-8, atol=1e-9)
    k = np.arange(1, 26)
    np.testing.assert_array_equal(history["total_weight"][1:], k * (k + 1) * (k + 2) / 6)


def test_the_compensated_twin_agrees():
    """With what a Hessian noise of 0.5 is compensated by, but without the noise itself."""
    problem, delta = so.problems.chain(8), 0.5
    M = 2.0 * problem.lipschitz_hess

    def quadratic(t):
        a, A = (t + 1) * (t + 2) / 2, (t + 1) * (t + 2) * (t + 3) / 6
        return 2.0 * (2.0 * delta) * a**2 / A

    points = twin(problem, M, 25, quadratic, 2.0 * delta, 8.5)
    ceiling = so.minimize(problem, INEXACT, M=M, hessian_noise=delta, steps=25, tol=0.0)
    np.testing.assert_allclose(ceiling["quadratic"][1:], [quadratic(t) for t in range(25)], rtol=1e-12)
    np.testing.assert_array_equal(ceiling["damping"][1:], 2.0 * delta)
    np.testing.assert_allclose(ceiling["cubic"][1:], 8.5 * M)
    assert np.linalg.norm(points[-1] - ceiling.x) < np.linalg.norm(points[-1] - points[0])


def test_the_first_step_is_a_cubic_step():
    problem = so.problems.soft_maximum()
    first = [so.minimize(problem, name, M=50.0, steps=1, tol=0.0).x for name in (CUBIC, INEXACT, "cubic_newton")]
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(first[1], first[2])


def test_rotations_rotate_the_run():
    problem, rng = so.problems.chain(6), np.random.default_rng(1)
    Q, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    turned = so.Problem(
        lambda z: problem.f(Q @ z), lambda z: Q.T @ problem.grad(Q @ z), lambda z: Q.T @ problem.hess(Q @ z) @ Q,
        x0=Q.T @ problem.x0,
    )  # fmt: skip
    for hyper in ({"M": 30.0}, {"M": 30.0, "enlargement": 2.0}):
        one, other = (so.minimize(p, CUBIC, steps=30, tol=0.0, **hyper) for p in (problem, turned))
        np.testing.assert_allclose(other.x, Q.T @ one.x, rtol=1e-7, atol=1e-8)


# ------------------------------------------------------------------------------------------ the invariant, and tampering


@pytest.mark.parametrize("make", [lambda: so.problems.chain(30), so.problems.soft_maximum], ids=["chain", "soft"])
@pytest.mark.parametrize("hyper", [{}, {"enlargement": 2.0}, {"enlargement": 4.0}], ids=str)
def test_the_invariant_holds_for_a_valid_constant(make, hyper):
    problem = make()
    assert not len(broken(so.minimize(problem, CUBIC, M=2.0 * problem.lipschitz_hess, steps=150, **hyper)))


@pytest.mark.parametrize("name", [CUBIC, INEXACT])
@pytest.mark.parametrize("make", [lambda: so.problems.chain(30), so.problems.ill_scaled_logistic], ids=["chain", "log"])
def test_adapted_the_invariant_holds_wherever_there_is_a_ceiling(make, name):
    history = so.minimize(make(), name)
    assert history.status == "converged"
    kept = np.isfinite(history["ceiling"])
    f, ceiling = history.f[kept], history["ceiling"][kept]
    assert kept.sum() > len(history) / 3 and np.any(history["restarted"] == 1)
    assert np.all(f <= ceiling + 1e3 * EPS * np.maximum(np.abs(f), np.abs(ceiling)))
    assert np.all(np.diff(history.f) <= rounding(1.0, history.f[0], EPS)), "the better of two points is kept"


def test_adapted_one_hessian_a_step():
    history = so.minimize(so.problems.soft_maximum(), CUBIC)
    assert history.oracle["hess"] == len(history) - 1


@pytest.mark.parametrize("M", [0.01, 0.3])
def test_an_invalid_constant_breaks_the_invariant_and_larger_weights_stall(M):
    problem = so.problems.chain(30)
    assert len(broken(so.minimize(problem, CUBIC, M=M, steps=200)))


def test_every_entry_can_fail():
    """A constant that is too small or too large, or noise without its compensation."""
    assert len(GUARANTEES[f"{CUBIC}: invariant"].run(M=0.3).violations)
    assert len(GUARANTEES[f"{CUBIC}: progress at the new point"].run(M=1e3).violations)
    assert len(GUARANTEES[f"{CUBIC}: values"].run(M=1e6).violations)
    for noise in (10.0, 100.0):
        verdict = GUARANTEES[f"{INEXACT}: invariant, Hessian noise 10"].run(hessian_noise=noise, compensation=False)
        assert len(verdict.violations), noise
    assert len(
        GUARANTEES[f"{INEXACT}: values, Hessian noise 1"].run(hessian_noise=100.0, compensation=False).violations
    )


# --------------------------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("delta", [0.1, 1.0, 10.0, 100.0])
def test_compensated_no_hessian_noise_breaks_the_invariant(delta):
    problem = so.problems.chain(30)
    for seed in range(3):
        history = so.minimize(
            problem, INEXACT, M=2.0 * problem.lipschitz_hess, hessian_noise=delta, steps=100, seed=seed
        )
        assert not len(broken(history))
        t = np.arange(1, 101)
        assert np.all(history["quadratic"][1:] <= 6.0 * delta * t)


def test_uncompensated_much_noise_breaks_it_and_little_does_not():
    problem = so.problems.chain(30)
    M = 2.0 * problem.lipschitz_hess
    count = [
        len(broken(so.minimize(problem, INEXACT, M=M, hessian_noise=delta, compensation=False, steps=200)))
        for delta in (0.1, 1.0, 10.0, 100.0)
    ]
    assert count[0] == count[1] == 0 < count[2] < count[3] == 200


def test_the_noise_has_the_size_it_says():
    rng, H = np.random.default_rng(0), np.zeros((6, 6))
    for W in (symmetric_noise(rng, H) for _ in range(20)):
        assert np.linalg.norm(W, 2) == pytest.approx(1.0) and np.array_equal(W, W.T)
    flat = Noisy(so.problems.quadratic(np.ones(5)), 2.0, 0.0, np.random.default_rng(0))
    draws = np.stack([flat.grad(np.zeros(5)) for _ in range(4000)])
    assert np.linalg.norm(draws.mean(axis=0)) < 5.0 * 2.0 / math.sqrt(4000)
    assert np.mean(np.sum(draws**2, axis=1)) == pytest.approx(4.0, rel=0.05)


def test_without_noise_and_compensation_only_the_cubic_weight_differs():
    problem = so.problems.chain(10)
    history = so.minimize(problem, INEXACT, M=40.0, steps=20, tol=0.0, keep="x")
    np.testing.assert_allclose(np.stack(list(history["x"])), twin(problem, 40.0, 20, kappa=8.5), rtol=1e-8, atol=1e-9)


def gap(problem, steps, **noise):
    given = {"M": 2.0 * problem.lipschitz_hess, "distance": start_distance(problem), **noise}
    runs = [so.minimize(problem, INEXACT, steps=steps, tol=0.0, seed=seed, **given) for seed in range(2)]
    return np.mean([run.primal_gap[-1] for run in runs]), runs[0]


def test_each_dial_moves_the_floor_at_least_as_gently_as_the_bound():
    problem = noisy_logistic()
    for dial, values in (("gradient_noise", (0.01, 0.03, 0.1)), ("hessian_noise", (1.0, 10.0, 100.0))):
        gaps = [gap(problem, 100, **{dial: value})[0] for value in values]
        assert gaps[0] < gaps[1] < gaps[2], dial
    for sigma in (0.01, 0.1):
        mean, run = gap(problem, 100, gradient_noise=sigma)
        assert mean <= expected_bound(problem, run, sigma, start_distance(problem))[-1]


def test_the_gradient_on_record_is_exact_and_the_sampled_one_is_not():
    problem = noisy_logistic()
    history = so.minimize(problem, INEXACT, M=20.0, gradient_noise=0.1, steps=5, tol=0.0, keep=("x", "sampled_grad"))
    for x, sampled, recorded in zip(history["x"], history["sampled_grad"], history.grad_norm):
        assert recorded == pytest.approx(np.linalg.norm(problem.grad(x)))
        assert np.linalg.norm(sampled - problem.grad(x)) > 1e-3


# ------------------------------------------------------------------------------------------------- where methods cross


def test_on_the_chain_they_cross_twice():
    """Fixed constants: cubic leads early, accelerated reaches 1e-6 first, cubic is exact sooner."""
    problem = so.problems.chain(30)
    L = problem.lipschitz_hess
    cubic = so.minimize(problem, "cubic_newton", M=L, steps=1000, tol=1e-12).primal_gap
    fast = so.minimize(problem, CUBIC, M=2.0 * L, steps=1000, tol=1e-12).primal_gap
    assert cubic[50] < fast[50]
    assert np.argmax(fast <= 1e-6) < 0.8 * np.argmax(cubic <= 1e-6)
    assert np.argmax(cubic <= 1e-10) > 0 and fast[: len(cubic)].min() > 1e-10
