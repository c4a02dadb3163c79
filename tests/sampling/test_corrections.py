"""What the corrections are in closed form, in exact arithmetic and in floating point."""

import numpy as np
import pytest

from secondorder.problems import gaussian_mixture
from secondorder.sampling.corrections import as_long, extrapolated, from_ensemble, from_memory, levenberg_marquardt


def cloud(n=50, d=7, seed=0, apart=0.3):
    """A direction and one before it that resembles it, as along a path."""
    rng = np.random.default_rng(seed)
    e = rng.standard_normal((n, d)) * rng.uniform(0.5, 3.0, (n, 1))
    return e, e + apart * rng.standard_normal((n, d))


def lengths(v):
    return np.linalg.norm(v, axis=1)


def apart(v, w):
    """The relative distance of each row."""
    return lengths(v - w) / lengths(w)


@pytest.mark.parametrize("kappa", [-0.5, 0.0, 1e-3, 0.4, 1.0, 2.0])
@pytest.mark.parametrize("rho", [1e-2, 1.0, 30.0])
def test_it_is_the_damped_inverse_of_a_rank_one_matrix(rho, kappa):
    e, q = cloud()
    found = levenberg_marquardt(e, q, rho, kappa)
    for row, before, answer in zip(e, q, found, strict=True):
        p = kappa * before + (1.0 - kappa) * row
        v = np.linalg.solve(rho * np.eye(7) + np.outer(p, p), row)
        np.testing.assert_allclose(answer, np.linalg.norm(row) / np.linalg.norm(v) * v, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rho", [1e-3, 1.0, 100.0])
def test_without_the_direction_before_it_is_the_identity(rho):
    e, q = cloud()
    for previous, kappa in ((q, 0.0), (None, 0.0), (None, 0.7)):
        # u (rho + |e|²) / rho, u = 1.1e-16 and |e|² <= 200: 2e-11 at rho = 1e-3
        assert apart(levenberg_marquardt(e, previous, rho, kappa), e).max() <= 2e-14 * (1.0 + 1.0 / rho)
    np.testing.assert_array_equal(extrapolated(e, None, 0.3), e)
    np.testing.assert_array_equal(extrapolated(e, q, 0.0), as_long(e, e))


@pytest.mark.parametrize("d", [64, 3072])
def test_in_single_precision_a_residue_is_left(d):
    """It falls like 1/rho: two roundings of each entry, each of a root mean square of about 0.4 u, times |e|²/rho; where that
    is large the direction is random, at a distance of the square root of 2."""
    e = np.random.default_rng(1).standard_normal((40, d)).astype(np.float32)
    u, squared = 2.0**-24, float(np.mean(np.sum(e.astype(float) ** 2, axis=1)))

    def residue(rho):
        return np.sqrt(np.mean(apart(levenberg_marquardt(e, None, rho, 0.0).astype(float), e.astype(float)) ** 2))

    rhos = [u * squared / delta for delta in (1e-4, 1e-3, 1e-2)]
    for rho in rhos:
        assert 0.45 <= residue(rho) / (u * squared / rho) <= 0.75
    slope = np.polyfit(np.log(rhos), np.log([residue(rho) for rho in rhos]), 1)[0]
    assert -1.05 <= slope <= -0.95
    assert 1.2 <= residue(u * squared / 100.0) <= 1.6


def test_a_tiny_kappa_is_lost_in_single_precision():
    """1 - kappa rounds to 1, and kappa q is below half a unit in the last place of most entries."""
    e, q = (a.astype(np.float32) for a in cloud(d=300))
    kept = 1e-8 * q + (1.0 - 1e-8) * e == e
    assert kept.mean() > 0.9
    rho = 1e-8 * 300.0 / 0.3  # c = 0.3 |e|²/300: a third of the difference, in exact arithmetic
    wanted = levenberg_marquardt(e.astype(float), q.astype(float), rho, 1e-8)
    single = levenberg_marquardt(e, q, rho, 1e-8).astype(float)
    away = (wanted - e) / lengths(wanted - e)[:, None]
    found = (single - e) / lengths(single - e)[:, None]
    assert np.median(np.sum(away * found, axis=1)) < 0.2, "what is left does not point where the correction does"


@pytest.mark.parametrize("kappa", [-0.7, -1e-3, 0.2, 1.0, 3.0])
@pytest.mark.parametrize("rho", [1e-2, 1.0, 50.0])
def test_it_is_an_extrapolation_whatever_kappa(rho, kappa):
    """With a c for each particle; where <e, p> < 0 the sum in the bracket keeps its sign, for v has a positive part along e."""
    e, q = cloud(n=80)
    p = kappa * q + (1.0 - kappa) * e
    across = e - q - (np.sum((e - q) * e, axis=1) / lengths(e) ** 2)[:, None] * e
    c = kappa * np.sum(e * p, axis=1) / (rho + kappa**2 * lengths(across) ** 2)
    found = levenberg_marquardt(e, q, rho, kappa)
    for i in range(len(e)):
        np.testing.assert_allclose(found[i], extrapolated(e[i : i + 1], q[i : i + 1], c[i])[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("c", [-0.3, 0.01, 0.5])
def test_to_first_order_it_is_an_extrapolation(c):
    """The relative error is of the order of kappa, at the same c: it falls a hundredfold with it."""
    e, q = cloud(n=1, d=30)
    expected = extrapolated(e, q, c)
    errors = []
    for kappa in (1e-3, 1e-5):
        kappa = np.copysign(kappa, c)
        found = levenberg_marquardt(e, q, kappa * float(e[0] @ e[0]) / c, kappa)
        errors.append(apart(found - e, expected - e)[0])
    assert errors[0] <= 10 * 1e-3 and 70.0 <= errors[0] / errors[1] <= 140.0


def test_only_the_ratio_of_kappa_and_rho_matters():
    e, q = cloud()
    for kappa, rho in ((1e-6, 1e-5), (-1e-6, 1e-5)):
        one, other = levenberg_marquardt(e, q, rho, kappa), levenberg_marquardt(e, q, 10 * rho, 10 * kappa)
        assert np.median(apart(other - e, one - e)) < 1e-4 < np.median(apart(one, e))


def test_the_extrapolation_is_tangential():
    e, q = cloud()
    c = 0.4
    found = extrapolated(e, q, c)
    step = found * (lengths(e) ** 2 / np.sum(found * e, axis=1))[:, None] - e  # back to the plane through e
    np.testing.assert_allclose(np.sum(step * e, axis=1), 0.0, atol=1e-10)
    across = e - q - (np.sum((e - q) * e, axis=1) / lengths(e) ** 2)[:, None] * e
    np.testing.assert_allclose(step, c * across, rtol=0, atol=1e-10)


def test_a_memory_of_one_is_the_identity_and_of_two_a_kappa_of_one():
    e, q = cloud()
    for rho in (1e-6, 1.0, 100.0):
        assert apart(from_memory([e], rho), e).max() <= 1e-14
        expected = levenberg_marquardt(e, q, 2.0 * rho, 1.0)
        np.testing.assert_allclose(from_memory([e, q], rho), expected, rtol=0, atol=1e-8)
    single = e.astype(np.float32)
    assert apart(from_memory([single], 1e-6), single).max() <= 1e-6, "nothing cancels, whatever rho"


def test_of_two_equal_directions_the_memory_leaves_a_residue():
    """The weights are about 1/(2 rho) and its negative, and each product is rounded: 0.3 u |e|²/rho in all."""
    e = np.random.default_rng(1).standard_normal((40, 3072)).astype(np.float32)
    squared = float(np.mean(np.sum(e.astype(float) ** 2, axis=1)))
    for rho in (1e-2, 1e-1):
        residue = np.sqrt(np.mean(apart(from_memory([e, e], rho).astype(float), e.astype(float)) ** 2))
        assert 0.2 <= residue / (2.0**-24 * squared / rho) <= 0.4


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_memory_is_the_damped_inverse_of_the_mean_outer_product(k):
    rng, rho = np.random.default_rng(k), 0.3
    directions = [rng.standard_normal((6, 4)) for _ in range(k)]
    found = from_memory(directions, rho)
    for i, answer in enumerate(found):
        A = sum(np.outer(e[i], e[i]) for e in directions) / k
        v = np.linalg.solve(A + rho * np.eye(4), directions[0][i])
        np.testing.assert_allclose(answer, lengths(directions[0])[i] / np.linalg.norm(v) * v, rtol=0, atol=1e-11)


def test_past_directions_at_right_angles_change_nothing():
    directions = list(np.eye(4)[:3, None, :] * np.asarray([2.0, 3.0, 0.5])[:, None, None])
    np.testing.assert_allclose(from_memory(directions, 0.1), directions[0], rtol=0, atol=1e-14)


def test_on_one_gaussian_the_ensemble_turns_every_direction_to_the_mean():
    """e = sigma C⁻¹(x - m). If the cloud has the covariance C, then F = sigma² C⁻¹, and as rho → 0 what is left points along
    x - m."""
    rng, d, sigma = np.random.default_rng(3), 5, 0.4
    variances = np.geomspace(1e-2, 1.0, d)
    law = gaussian_mixture(means=np.ones((1, d)), covariances=np.diag(variances)[None, :, :])
    whitened = np.linalg.qr(rng.standard_normal((60, d)))[0] * np.sqrt(60.0)
    away = whitened * np.sqrt(0.9**2 * variances + sigma**2)
    e = -sigma * law.score(0.9 + away, alpha=0.9, sigma=sigma)
    np.testing.assert_allclose(from_ensemble(e, 1e-12), as_long(away, e), rtol=0, atol=1e-9)
    damped = as_long(away / (1.0 + 0.3 * (variances * 0.81 + sigma**2) / sigma**2), e)
    np.testing.assert_allclose(from_ensemble(e, 0.3), damped, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lengths_and_zeros_are_kept(dtype):
    e, q = (a.astype(dtype) for a in cloud())
    e[3] = 0.0
    for found in (
        levenberg_marquardt(e, q, 0.1, 0.3), extrapolated(e, q, 0.3), from_memory([e, q], 0.1), from_ensemble(e, 0.1)
    ):  # fmt: skip
        assert found.dtype == dtype and np.all(np.isfinite(found))
        np.testing.assert_allclose(lengths(found), lengths(e), rtol=20 * np.finfo(dtype).eps)


def test_where_nothing_is_left_the_direction_stays():
    e = np.full((1, 4), 2.0, dtype=np.float32)
    assert np.array_equal(levenberg_marquardt(e, None, 1e-30, 0.0), e)
