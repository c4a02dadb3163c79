"""Dense symmetric matrices: the eigendecomposition that methods keep, and the solve that refuses saddles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from secondorder.arrays import Array, epsilon, namespace


class Eigen(NamedTuple):
    """A symmetric matrix as its eigenvalues (ascending, shape (d,)) and orthonormal eigenvectors (columns)."""

    values: Array
    vectors: Array

    def __matmul__(self, v: Array) -> Array:
        return self.vectors @ (self.values * (namespace(v).matrix_transpose(self.vectors) @ v))


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


def whitening(H: Array) -> Array:
    r"""A matrix W with :math:`W^\top W=H^{-1}` for a positive definite ``H``, raises ``LinAlgError`` for any other.

    It is the inverse of the Cholesky factor. With it the local norms are Euclidean ones, :math:`\sqrt{g^\top H^{-1}g}=\|Wg\|`,
    and every further solve, :math:`H^{-1}g=W^\top(Wg)`, costs :math:`2d^2`.

    >>> whitening(np.diag([4.0, 16.0]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    xp = namespace(H)
    try:
        L = xp.linalg.cholesky(H)
    except np.linalg.LinAlgError:
        L = xp.full_like(H, float("nan"))
    if not bool(xp.all(xp.isfinite(L))):
        raise np.linalg.LinAlgError("the matrix is not positive definite")
    return xp.tril(xp.linalg.solve(L, xp.eye(H.shape[0], dtype=H.dtype)))


def diagonal_rank_one_solve(diagonal: Array, weight: float, u: Array, b: Array) -> Array:
    r"""Solve :math:`(\mathrm{diag}(D)+c\,uu^\top)x=b` for positive D and c ≥ 0 by the formula of Sherman and Morrison, in O(d).

    >>> diagonal_rank_one_solve(np.asarray([1.0, 2.0]), 1.0, np.asarray([1.0, 2.0]), np.asarray([4.0, 0.0]))
    array([ 3., -1.])
    """
    scaled = u / diagonal
    return b / diagonal - (weight * (scaled @ b) / (1.0 + weight * (scaled @ u))) * scaled


def flipped_solve(H: Array, b: Array) -> Array:
    r"""Solve with the absolute value of a symmetric matrix, :math:`|H|=Q|\Lambda|Q^\top`.

    Reference: :cite:`dauphin2014identifying`. Eigenvalues below
    :math:`\sqrt\epsilon\,\max(1,|\lambda|_{\max})` in size are raised to that.

    >>> flipped_solve(np.diag([2.0, -4.0]), np.asarray([2.0, 2.0]))
    array([1. , 0.5])
    """
    xp = namespace(H)
    values, vectors = eigen(H)
    size = xp.abs(values)
    floor = math.sqrt(epsilon(H)) * max(1.0, float(xp.max(size)))
    size = xp.where(size < floor, xp.full_like(size, floor), size)
    return vectors @ ((vectors.T @ b) / size)


def shifted_solve(H: Array, b: Array) -> tuple[Array, float]:
    r"""Solve :math:`(H+\tau I)x=b` with the first :math:`\tau` of a doubling sequence that makes it positive definite.

    Reference: :cite:`nocedal2006numerical`, Algorithm 3.3: :math:`\tau_0=0` if the diagonal is positive, else
    :math:`10^{-3}-\min_iH_{ii}`; then :math:`\tau\leftarrow\max(2\tau,10^{-3})`. Returns x and :math:`\tau`.
    The :math:`10^{-3}` is absolute, as in the book: on a function whose curvatures are far smaller it is a large shift.

    >>> shifted_solve(np.diag([1.0, -1.0]), np.ones(2))[1]
    1.001
    """
    xp = namespace(H)
    identity = xp.eye(H.shape[0], dtype=H.dtype)
    least = float(xp.min(xp.linalg.diagonal(H)))
    shift = 0.0 if least > 0.0 else 1e-3 - least
    while True:
        try:
            return solve_definite(H + shift * identity, b), shift
        except np.linalg.LinAlgError:
            shift = max(2.0 * shift, 1e-3)


def modified_cholesky(H: Array) -> tuple[Array, Array, Array]:
    r"""The factors :math:`LDL^\top=H+E` of Gill, Murray and Wright, E diagonal and non-negative.

    Reference: :cite:`gill1981practical`, §4.4.2.2. With :math:`\gamma=\max_i|H_{ii}|`,
    :math:`\xi=\max_{i\ne j}|H_{ij}|`, :math:`\beta^2=\max(\gamma,\xi/\sqrt{\max(1,d^2-1)},\epsilon)` and
    :math:`\delta=\epsilon\max(\gamma+\xi,1)`, step j eliminates the row q with the largest
    :math:`|c_{qq}|` of those that are left, where :math:`C` is what the earlier steps left of H, and takes

    .. math:: d_j=\max\big(|c_{qq}|,\ (\theta/\beta)^2,\ \delta\big),\qquad \theta=\max_{i\text{ left}}|c_{iq}|,

    :math:`\ell_{ij}=c_{iq}/d_j` and :math:`E_{qq}=d_j-c_{qq}`.

    E is zero where H is safely positive definite, and, but for ties, does not depend on the order of the variables.
    Returns L, the diagonal of D, and that of E. The rows of L are in the order of H, so that L is unit lower
    triangular once they are put into the order of elimination. Cost: about :math:`d^3`.

    >>> L, D, E = modified_cholesky(np.asarray([[1.0, 2.0], [2.0, 1.0]]))
    >>> (L * D @ L.T).round(12), E
    (array([[3.46410162, 2.        ],
           [2.        , 1.30940108]]), array([2.46410162, 0.30940108]))
    """
    xp = namespace(H)
    n, eps = H.shape[0], epsilon(H)
    c = xp.asarray(xp.linalg.diagonal(H), copy=True)
    gamma = float(xp.max(xp.abs(c)))
    xi = float(xp.max(xp.abs(H - c * xp.eye(n, dtype=H.dtype))))
    beta = math.sqrt(max(gamma, xi / math.sqrt(max(1.0, n * n - 1.0)), eps))
    delta = eps * max(gamma + xi, 1.0)
    L, D, E = xp.zeros_like(H), xp.zeros_like(c), xp.zeros_like(c)
    left = xp.ones_like(c)  # 1 for a row that is left, 0 after its elimination
    for j in range(n):
        q = int(xp.argmax(xp.where(left > 0.0, xp.abs(c), left - 1.0)))
        left[q], pivot = 0.0, float(c[q])
        column = left * (H[:, q] - L[:, :j] @ (D[:j] * L[q, :j]))
        theta = float(xp.max(xp.abs(column)))
        D[j] = max(abs(pivot), (theta / beta) ** 2, delta)
        E[q] = D[j] - pivot
        L[:, j] = column / D[j]
        L[q, j] = 1.0
        c = c - D[j] * L[:, j] ** 2
    return L, D, E


class Pseudoinverse(NamedTuple):
    """A matrix's orthonormal basis ``range`` (m, k) and ``inverse`` (d, k), whose product with its transpose is the
    pseudo-inverse; columns of zeros stand for what is below the cutoff."""

    range: Array
    inverse: Array

    def solve(self, b: Array) -> Array:
        """The least-squares solution of A x = b."""
        return self.inverse @ (self.range.T @ b)

    def outside(self, b: Array) -> Array:
        """What is left of b, or of each column, outside the range of A."""
        return b - self.range @ (self.range.T @ b)


def pseudoinverse(A: Array) -> Pseudoinverse:
    r"""The pseudo-inverse of an (m, d) matrix in factors, for least squares without :math:`A^\top A`.

    From the singular values of A with its columns scaled to length 1, so that the units of the unknowns do not decide
    about rank; those below :math:`\max(m,d)\,\epsilon` times the largest count as zero. Among the solutions of a
    rank-deficient problem this is the shortest in the scaled unknowns. About :math:`6md^2+20d^3` operations.

    >>> A = np.asarray([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    >>> pseudoinverse(A).solve(np.asarray([2.0, 5.0, 4.0])).round(12), pseudoinverse(A).outside(np.ones(3)).round(12)
    (array([1.5, 1.5]), array([0., 1., 0.]))
    """
    xp = namespace(A)
    scale = column_norms(A)
    scale = xp.where(scale > 0.0, scale, xp.ones_like(scale))
    U, s, Vt = xp.linalg.svd(A / scale, full_matrices=False)
    kept = xp.astype(s > max(A.shape) * epsilon(A) * s[0], A.dtype)
    return Pseudoinverse(U * kept, Vt.T / scale[:, None] * (kept / xp.where(kept > 0.0, s, xp.ones_like(s))))


def column_norms(A: Array) -> Array:
    """The lengths of the columns.

    >>> column_norms(np.asarray([[3.0, 0.0], [4.0, 1.0]]))
    array([5., 1.])
    """
    return namespace(A).linalg.vector_norm(A, axis=0)


def damped_least_squares(A: Array, damping: float, scale: Array) -> Callable[[Array], Array]:
    r"""The map from b to the minimiser of :math:`\|Ax-b\|^2+\mu\|Dx\|^2`, D diagonal; factored once.

    By the QR factors of :math:`A` stacked on :math:`\sqrt\mu D`, so that :math:`A^\top A`, whose condition number is
    squared, is never formed. About :math:`4(m+d)d^2` operations.

    >>> damped_least_squares(np.asarray([[1.0], [1.0]]), 2.0, np.asarray([1.0]))(np.asarray([3.0, 5.0]))
    array([2.])
    """
    xp = namespace(A)
    Q, R = xp.linalg.qr(xp.concat([A, math.sqrt(damping) * scale * xp.eye(A.shape[1], dtype=A.dtype)]))
    Q = Q[: A.shape[0], :]
    return lambda b: xp.linalg.solve(R, Q.T @ b)
