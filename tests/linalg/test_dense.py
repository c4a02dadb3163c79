"""The eigendecomposition and the solve that refuses saddles."""

import array_api_strict
import numpy as np
import pytest

from secondorder.linalg import eigen, solve_definite


def symmetric(spectrum, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum), len(spectrum))))[0]
    A = (Q * np.asarray(spectrum)) @ Q.T
    return 0.5 * (A + A.T)


def test_eigen_is_ascending_and_orthonormal():
    A = symmetric([3.0, -1.0, 0.5, 0.5])
    values, vectors = eigen(A)
    np.testing.assert_allclose(values, [-1.0, 0.5, 0.5, 3.0], atol=1e-14)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-14)
    np.testing.assert_allclose((vectors * values) @ vectors.T, A, atol=1e-14)


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e10])
def test_solve_definite_solves(condition):
    A = symmetric(np.geomspace(1.0, condition, 8))
    b = np.random.default_rng(1).standard_normal(8)
    x = solve_definite(A, b)
    # Backward stable: the residual is small relative to |A| |x|, whatever the condition number.
    assert np.linalg.norm(A @ x - b) <= 1e-14 * condition * np.linalg.norm(x) * 10


@pytest.mark.parametrize(
    "A",
    [
        np.diag([1.0, -1.0]),
        np.diag([1.0, -1e-12]),
        -np.eye(3),
        np.zeros((2, 2)),
        np.ones((2, 2)) - 1e-9 * np.eye(2),
        symmetric([-1e-6, 1.0, 2.0]),
        np.full((2, 2), np.nan),
    ],
)
@pytest.mark.parametrize("library", [np, array_api_strict])
def test_solve_definite_refuses_every_other_matrix(A, library):
    with pytest.raises(np.linalg.LinAlgError, match="the matrix is not positive definite"):
        solve_definite(library.asarray(A), library.ones(A.shape[0]))
