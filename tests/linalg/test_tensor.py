"""The regularised third-order model: its closeness to a quartic one, and the subsolver's rate."""

import itertools
import math

import numpy as np
import pytest

from secondorder.linalg import eigen, quartic_step, tensor_step
from secondorder.linalg.tensor import CONVEXITY, SMOOTHNESS


def convex_model(seed, d=5, n=12):
    """At a random point, the derivatives of a mean of log(1 + e^z) over z = Ax, and a bound on its fourth one."""
    rng = np.random.default_rng(seed)
    A, x = rng.standard_normal((n, d)) * 2.0, rng.standard_normal(d) * rng.choice([0.1, 1.0, 3.0])
    p = 1.0 / (1.0 + np.exp(-A @ x))
    first, second, third = p, p * (1 - p), p * (1 - p) * (1 - 2 * p)
    L3 = 0.125 * float(np.mean(np.sum(A * A, axis=1) ** 2))
    tensor = np.einsum("i,ij,ik,il->jkl", third / n, A, A, A)
    return A.T @ first / n + rng.standard_normal(d), (A.T * second / n) @ A, tensor, L3


def hessians(H, tensor, M, h):
    """Of the model and of rho, at h."""
    quartic = M / 6.0 * (h @ h * np.eye(h.size) + 2.0 * np.outer(h, h))
    return H + np.einsum("jkl,l->jk", tensor, h) + quartic, H + quartic


@pytest.mark.parametrize("seed", range(20))
def test_the_model_is_relatively_smooth_and_convex(seed):
    """Three factors times larger than needed, it is closer still; the tested sandwich is that of M = 6 L3."""
    _, H, tensor, L3 = convex_model(seed)
    rng = np.random.default_rng(seed + 100)
    for size in (1e-3, 0.1, 1.0, 30.0):
        h = size * rng.standard_normal(H.shape[0])
        model, rho = hessians(H, tensor, 6.0 * L3, h)
        allowance = 1e-12 * np.linalg.norm(rho)
        assert np.linalg.eigvalsh(model - CONVEXITY * rho)[0] >= -allowance
        assert np.linalg.eigvalsh(SMOOTHNESS * rho - model)[0] >= -allowance


def test_the_sandwich_fails_for_a_constant_that_is_too_small():
    found = []
    for seed in range(20):
        _, H, tensor, L3 = convex_model(seed)
        h = np.random.default_rng(seed + 100).standard_normal(H.shape[0])
        model, rho = hessians(H, tensor, 1e-3 * L3, h)
        found.append(np.linalg.eigvalsh(model - CONVEXITY * rho)[0] < -1e-6)
    assert any(found)


def rho(H, M, h):
    return 0.5 * h @ H @ h + M / 24.0 * (h @ h) ** 2


def rho_grad(H, M, h):
    return H @ h + M / 6.0 * (h @ h) * h


@pytest.mark.parametrize("seed", range(12))
def test_bregman_steps_shrink_the_distance_by_0_83_each(seed):
    """A naive twin of the subsolver with dense solves; each distance is at most 0.83 of the one before."""
    g, H, tensor, L3 = convex_model(seed)
    M = 6.0 * L3

    def model_grad(h):
        return g + 0.5 * np.einsum("jkl,k,l->j", tensor, h, h) + rho_grad(H, M, h)

    def bregman_step(h):
        target = rho_grad(H, M, h) - model_grad(h) / SMOOTHNESS  # the gradient of rho at the next point
        low, high = 0.0, 1e6
        for _ in range(200):
            s = 0.5 * (low + high)
            step = np.linalg.solve(H + s * np.eye(g.size), target)
            low, high = (s, high) if s < M / 6.0 * (step @ step) else (low, s)
        return step

    points = [np.zeros(g.size)]
    while len(points) < 120:
        points.append(bregman_step(points[-1]))
    best = points[-1]
    assert np.linalg.norm(model_grad(best)) <= 1e-9 * np.linalg.norm(g)
    distance = [rho(H, M, best) - rho(H, M, h) - rho_grad(H, M, h) @ (best - h) for h in points[:40]]
    floor = 1e-10 * max(distance)
    assert pytest.approx(0.8284, abs=1e-4) == 1.0 - CONVEXITY / SMOOTHNESS
    for before, after in itertools.pairwise(distance):
        assert after <= (1.0 - CONVEXITY / SMOOTHNESS) * before + floor
    found = tensor_step(g, eigen(H), lambda h: np.einsum("jkl,k,l->j", tensor, h, h), lambda h: 0.0 * h, M)
    assert found.residual <= 2e-3 * np.linalg.norm(g)  # 50 inner steps, as nothing else stops them
    np.testing.assert_allclose(found.step, best, atol=1e-2 * np.linalg.norm(best))


@pytest.mark.parametrize("spectrum", [[0.0, 0.0], [0.0, 3.0], [1e-8, 1e4], [-2.0, 1.0], [-1e-9, 5.0]])
@pytest.mark.parametrize("c", [1e-6, 1.0, 1e5])
def test_the_quartic_step_is_the_global_minimiser(spectrum, c):
    rng = np.random.default_rng(3)
    Q = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    H = Q * spectrum @ Q.T
    for size in (1e-6, 1.0, 1e6):
        g = size * rng.standard_normal(2)
        found = quartic_step(g, eigen(H), c)
        s, h = found.multiplier, found.step
        assert s == pytest.approx(c * (h @ h), rel=1e-6)
        np.testing.assert_allclose(H @ h + s * h, -g, rtol=1e-6, atol=1e-8 * size)
        assert min(spectrum) + s >= -1e-9 * max(1.0, s)
        value = g @ h + 0.5 * h @ H @ h + 0.25 * c * (h @ h) ** 2
        assert found.decrease == pytest.approx(-value, rel=1e-6)


def test_the_quartic_hard_case_leaves_along_the_eigenvector():
    found = quartic_step(np.asarray([0.0, 1.0]), eigen(np.diag([-2.0, 1.0])), 0.5)
    assert found.hard and found.multiplier == pytest.approx(2.0)
    np.testing.assert_allclose(np.abs(found.step), [math.sqrt(4.0 - 1.0 / 9.0), 1.0 / 3.0])


def test_one_variable_in_closed_form():
    """f = x^4 / 4 - x at 0: the model is M/24 h^4 - h, exact for M = 6, and its third derivative at 1 is not."""
    step = tensor_step(np.asarray([-1.0]), eigen(np.zeros((1, 1))), lambda h: 0.0 * h, lambda h: h**3 - 1.0, 48.0)
    assert step.step[0] == pytest.approx((6.0 / 48.0) ** (1.0 / 3.0)) and step.inner == 1
    at = 2.0
    step = tensor_step(
        np.asarray([at**3 - 1.0]),
        eigen(np.asarray([[3.0 * at**2]])),
        lambda h: 6.0 * at * h * h,
        lambda h: (at + h) ** 3 - 1.0,
        36.0,
    )
    h = step.step[0]
    assert step.solved and step.inner > 1
    assert abs(7.0 + 12.0 * h + 6.0 * h**2 + 6.0 * h**3) == pytest.approx(step.residual, abs=1e-12)
    assert step.residual <= abs((at + h) ** 3 - 1.0) / 6.0
    assert step.decrease == pytest.approx(-(7.0 * h + 6.0 * h**2 + 2.0 * h**3 + 1.5 * h**4))


def test_a_model_whose_constant_is_too_small_is_given_up_where_it_rises():
    given_up = []
    for seed in range(20):
        g, H, tensor, L3 = convex_model(seed)
        for M in (6.0 * L3, 1e-3 * L3):
            found = tensor_step(g, eigen(H), lambda h, D=tensor: np.einsum("jkl,k,l->j", D, h, h), lambda h: 0.0 * h, M)
            given_up.append((M < L3, not found.solved and found.inner < 50))
    assert not any(early for small, early in given_up if not small)
    assert any(early for small, early in given_up if small)
