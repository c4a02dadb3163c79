"""Dense symmetric matrices: the eigendecomposition that methods keep, and the solve that refuses saddles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from secondorder.arrays import Array, namespace


class Eigen(NamedTuple):
    """A symmetric matrix as its eigenvalues (ascending, shape (d,)) and orthonormal eigenvectors (columns)."""

    values: Array
    vectors: Array


def eigen(H: Array) -> Eigen:
    """The eigendecomposition of a symmetric matrix, about 9 d^3 operations.

    >>> eigen(np.diag([2.0, 1.0])).values
    array([1., 2.])
    """
    return Eigen(*namespace(H).linalg.eigh(H))


def solve_definite(H: Array, b: Array) -> Array:
    """Solve ``H x = b`` for a positive definite ``H``; raises ``LinAlgError`` for any other.

    The Cholesky factor decides whether ``H`` is positive definite. The array API has no triangular solve, so the
    solution itself comes from a general one.

    >>> solve_definite(np.diag([2.0, 4.0]), np.asarray([2.0, 2.0]))
    array([1. , 0.5])
    >>> solve_definite(np.diag([1.0, -1.0]), np.ones(2))
    Traceback (most recent call last):
    numpy.linalg.LinAlgError: the matrix is not positive definite
    """
    xp = namespace(H)
    try:
        definite = bool(xp.all(xp.isfinite(xp.linalg.cholesky(H))))
    except np.linalg.LinAlgError:
        definite = False
    if not definite:
        raise np.linalg.LinAlgError("the matrix is not positive definite")
    return xp.linalg.solve(H, b)
