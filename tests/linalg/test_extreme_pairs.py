"""The least eigenpair and the top singular pair, by Lanczos, against dense decompositions."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import least_eigenpair, top_singular_pair


def symmetric(spectrum, seed=0):
    spectrum = np.asarray(spectrum, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum), len(spectrum))))[0]
    A = (Q * spectrum) @ Q.T
    return 0.5 * (A + A.T)


def top(A, seed=1, **options):
    start = np.random.default_rng(seed).standard_normal(A.shape[1])
    return top_singular_pair(lambda v: A @ v, lambda u: A.T @ u, start, **options)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 10**6))
def test_least_eigenvalue_and_its_residual(d, seed):
    rng = np.random.default_rng(seed)
    A = symmetric(rng.standard_normal(d), seed)
    pair = least_eigenpair(lambda v: A @ v, rng.standard_normal(d))
    values = np.linalg.eigvalsh(A)
    size = np.max(np.abs(values))
    assert abs(pair.value - values[0]) <= 1e-9 * size
    assert np.linalg.norm(pair.vector) == pytest.approx(1.0, abs=1e-12)
    assert np.linalg.norm(A @ pair.vector - pair.value * pair.vector) <= pair.residual + 1e-9 * size


@pytest.mark.parametrize("shape", [(8, 5), (5, 5), (40, 30), (3, 1), (1, 1)])
def test_top_singular_pair_against_the_dense_one(shape):
    A = np.random.default_rng(3).standard_normal(shape)
    U, s, Vt = np.linalg.svd(A)
    pair = top(A)
    assert pair.value == pytest.approx(s[0], rel=1e-12)
    np.testing.assert_allclose(np.outer(pair.left, pair.right), np.outer(U[:, 0], Vt[0]), rtol=0, atol=1e-8)
    assert np.linalg.norm(A @ pair.right - pair.value * pair.left) <= 1e-13 * s[0]
    assert np.linalg.norm(A.T @ pair.left - pair.value * pair.right) <= 2e-10 * s[0]


def test_the_reported_residual_is_the_true_one():
    """Stopped after four dimensions, where it is far from converged."""
    A = np.random.default_rng(4).standard_normal((60, 50))
    pair = top(A, max_dimension=4)
    assert pair.products == 5
    assert np.linalg.norm(A.T @ pair.left - pair.value * pair.right) == pytest.approx(pair.residual, rel=1e-6)
    assert 1e-3 < pair.residual / pair.value < 1.0 and pair.value < np.linalg.norm(A, 2)


def test_products_are_counted_and_the_tolerance_saves_some():
    A, counts = np.random.default_rng(5).standard_normal((100, 80)), []

    def product(v):
        counts.append(1)
        return A @ v

    start = np.random.default_rng(1).standard_normal(80)
    exact = top_singular_pair(product, lambda u: A.T @ u, start)
    assert len(counts) == exact.products < 80
    loose = top(A, tol=1e-2)
    assert loose.products < exact.products and loose.residual <= 1e-2 * loose.value


def test_a_cluster_on_top_costs_no_accuracy_in_the_value():
    """Fifty singular values within one part in a million: which vector is found does not matter."""
    rng = np.random.default_rng(6)
    U, V = (np.linalg.qr(rng.standard_normal((80, 80)))[0] for _ in range(2))
    s = np.concatenate([1.0 + 1e-6 * rng.random(50), 0.5 * rng.random(30)])
    assert top((U * s) @ V.T).value == pytest.approx(s.max(), abs=1e-10)


def test_the_zero_matrix_and_rank_one():
    pair = top(np.zeros((4, 3)))
    assert pair.value == 0.0 and np.all(pair.left == 0.0) and np.linalg.norm(pair.right) == pytest.approx(1.0)
    u, v = np.asarray([3.0, 4.0]), np.asarray([0.0, 0.0, 2.0])
    pair = top(np.outer(u, v))
    assert pair.value == pytest.approx(10.0) and pair.products <= 3


def test_array_api_strict_and_float32():
    A = np.random.default_rng(7).standard_normal((12, 9))
    S = array_api_strict.asarray(A)
    start = np.random.default_rng(1).standard_normal(9)
    strict = top_singular_pair(lambda v: S @ v, lambda u: S.T @ u, array_api_strict.asarray(start))
    assert strict.value == pytest.approx(top(A).value, rel=1e-12)
    small = A.astype(np.float32)
    single = top_singular_pair(lambda v: small @ v, lambda u: small.T @ u, start.astype(np.float32))
    assert single.left.dtype == single.right.dtype == np.float32
    assert single.value == pytest.approx(top(A).value, rel=1e-4)
