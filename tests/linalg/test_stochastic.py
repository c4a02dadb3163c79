"""The estimator of a diagonal: unbiased over all signs, exact where it should be, and as uncertain as its formula says."""

import itertools

import array_api_strict
import numpy as np
import pytest

from secondorder.linalg import block_means, hutchinson_diagonal, random_probes


def matrix(d=5, seed=0, symmetric=True):
    M = np.random.default_rng(seed).standard_normal((d, d))
    return M + M.T if symmetric else M


def all_signs(d):
    return np.asarray(list(itertools.product([-1.0, 1.0], repeat=d)))


def single_estimates(H, probes):
    return np.stack([hutchinson_diagonal(lambda z: H @ z, probe[None, :]) for probe in probes])


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_mean_over_all_signs_is_the_diagonal(d, symmetric):
    H = matrix(d, symmetric=symmetric)
    np.testing.assert_allclose(hutchinson_diagonal(lambda z: H @ z, all_signs(d)), np.diag(H), atol=1e-13)


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_variance_over_all_signs_is_the_squares_beside_the_diagonal(symmetric):
    """With all 2^d signs it is no estimate: equal to rounding. For a symmetric matrix the sum is twice the upper triangle."""
    H = matrix(symmetric=symmetric)
    variance = np.var(single_estimates(H, all_signs(5)), axis=0)
    beside = H - np.diag(np.diag(H))
    np.testing.assert_allclose(variance, np.sum(beside**2, axis=1), rtol=1e-12)
    if symmetric:
        assert np.sum(variance) == pytest.approx(2.0 * np.sum(np.triu(H, 1) ** 2), rel=1e-12)


def test_normal_probes_add_twice_the_square_of_the_diagonal():
    """Exact moments by Gauss-Hermite quadrature: with 3 points a dimension all polynomials of degree 5 in each z_i."""
    H, (nodes, weights) = matrix(3), np.polynomial.hermite_e.hermegauss(3)
    weights = weights / np.sum(weights)
    probes = np.asarray(list(itertools.product(nodes, repeat=3)))
    weight = np.prod(list(itertools.product(weights, repeat=3)), axis=1)
    D = single_estimates(H, probes)
    mean = weight @ D
    np.testing.assert_allclose(mean, np.diag(H), atol=1e-12)
    beside = np.sum((H - np.diag(np.diag(H))) ** 2, axis=1)
    np.testing.assert_allclose(weight @ (D - mean) ** 2, 2.0 * np.diag(H) ** 2 + beside, rtol=1e-10)


def test_signs_are_exact_for_a_diagonal_matrix_whatever_they_are():
    h = np.asarray([3.0, -2.0, 0.0, 1e6])
    for probe in all_signs(4):
        np.testing.assert_array_equal(hutchinson_diagonal(lambda z: h * z, probe[None, :]), h)
    rng = np.random.default_rng(0)
    assert np.max(np.abs(hutchinson_diagonal(lambda z: h * z, random_probes(rng, h, 1, "gaussian")) - h)) > 0.1


def test_constant_probes_give_the_sums_of_the_rows():
    H = matrix()
    probes = random_probes(np.random.default_rng(0), H[0], 3, "constant")
    np.testing.assert_allclose(hutchinson_diagonal(lambda z: H @ z, probes), np.sum(H, axis=1), rtol=1e-13)


def test_several_probes_are_averaged():
    H, probes = matrix(), random_probes(np.random.default_rng(0), np.zeros(5), 7, "gaussian")
    D = hutchinson_diagonal(lambda z: H @ z, probes)
    np.testing.assert_allclose(D, np.mean(single_estimates(H, probes), axis=0), rtol=1e-13)


@pytest.mark.parametrize("kind", ["rademacher", "gaussian"])
def test_probes_are_white(kind):
    """40000 draws: each entry of the second moment has a standard deviation of at most sqrt(2 / 40000) = 0.007."""
    Z = random_probes(np.random.default_rng(0), np.zeros(4), 40_000, kind)
    np.testing.assert_allclose(Z.T @ Z / len(Z), np.eye(4), atol=5 * 0.007)
    np.testing.assert_allclose(np.mean(Z, axis=0), 0.0, atol=5 * 0.005)
    assert (set(np.unique(Z)) == {-1.0, 1.0}) == (kind == "rademacher")


@pytest.mark.parametrize("kind", ["rademacher", "gaussian", "constant"])
def test_on_any_library_in_any_precision(kind):
    H = matrix().astype(np.float32)
    strict = array_api_strict.asarray(H)
    ours, theirs = (
        hutchinson_diagonal(lambda z, M=M: M @ z, random_probes(np.random.default_rng(3), M[0, :], 2, kind))
        for M in (H, strict)
    )
    assert ours.dtype == np.float32 and theirs.dtype == array_api_strict.float32
    np.testing.assert_array_equal(ours, np.asarray(theirs))
    with pytest.raises(ValueError, match="rademacher"):
        random_probes(np.random.default_rng(0), H[0], 1, "ones")
    with pytest.raises(ValueError, match=r"shape \(S, d\)"):
        hutchinson_diagonal(lambda z: z, H[0])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 9])
def test_block_means_against_a_loop(size):
    M = np.random.default_rng(0).standard_normal((2, 7))
    wanted = np.empty_like(M)
    for i, j in np.ndindex(M.shape):
        first = j - j % size
        wanted[i, j] = sum(M[i, first : first + size]) / len(M[i, first : first + size])
    np.testing.assert_allclose(block_means(M, size), wanted, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(block_means(array_api_strict.asarray(M), size), wanted, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(block_means(block_means(M, size), size), wanted, rtol=1e-14, atol=1e-15)


def test_a_block_has_a_size():
    with pytest.raises(ValueError, match="size"):
        block_means(np.ones(3), 0)


def test_what_does_not_fit_is_named():
    rng, probes = np.random.default_rng(0), np.ones((2, 3))
    for wrong in (lambda z: np.ones(1), lambda z: z[:, None]):
        with pytest.raises(ValueError, match=r"matvec must return an array of shape \(3,\)"):
            hutchinson_diagonal(wrong, probes)
    for like, count in ((np.zeros(3), 0), (np.zeros(3), -1), (np.zeros(3, dtype=int), 1)):
        with pytest.raises(ValueError, match="count"):
            random_probes(rng, like, count)
