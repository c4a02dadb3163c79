"""The matrix that makes a local norm Euclidean."""

import numpy as np
import pytest

from secondorder.linalg import whitening


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("condition", [1.0, 1e3])
def test_it_squares_to_the_inverse(dtype, condition):
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    H = ((Q * np.geomspace(1.0, condition, 6)) @ Q.T).astype(dtype)
    W, g = whitening(H), rng.standard_normal(6).astype(dtype)
    assert W.dtype == dtype
    tolerance = 50.0 * condition * np.finfo(dtype).eps
    np.testing.assert_allclose(W @ H @ W.T, np.eye(6), atol=tolerance)
    np.testing.assert_allclose(W.T @ (W @ g), np.linalg.solve(H, g), rtol=tolerance, atol=tolerance)
    assert np.array_equal(W, np.tril(W))


@pytest.mark.parametrize("H", [np.diag([1.0, -1.0]), np.zeros((2, 2)), np.full((2, 2), np.nan)])
def test_others_are_refused(H):
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        whitening(H)
