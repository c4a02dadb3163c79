"""Sign, polar factor, square root and inverse p-th root of a matrix, by products of matrices alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.checks import whole
from secondorder.linalg.dense import eigen

CLOSE = 0.1
"""A residual below which the iterations converge quadratically, so that only rounding can keep it from falling."""


class MatrixFunction(NamedTuple):
    """The answer of an iteration, the Frobenius norm of what should be zero, and how many steps it took."""

    value: Array
    residual: float
    iterations: int


class SquareRoots(NamedTuple):
    """The answer of :func:`square_roots`."""

    root: Array
    inverse_root: Array
    residual: float
    iterations: int


def matrix_sign(A: Array, *, tol: float | None = None, max_iterations: int = 100) -> MatrixFunction:
    r"""The sign of a matrix with real eigenvalues, by Newton–Schulz.

    Reference: :cite:`higham2008functions`, chapter 5.

    .. math:: X_0=A/\|A\|_F,\qquad X_{k+1}=\tfrac12X_k(3I-X_k^2)

    Each eigenvalue follows :math:`x\leftarrow\frac12x(3-x^2)` to 1 or -1; small ones grow by 3/2 a step. An A that is not
    symmetric may lie outside the region of convergence, :math:`\|I-X_0^2\|<1` being sufficient.

    Parameters
    ----------
    A : array (n, n)
        Without zero among its eigenvalues.
    tol : float, optional
        Of the residual :math:`\|I-X^2\|_F`; by default :math:`4n` rounding units. An iteration ends too where rounding keeps
        the residual from falling.
    max_iterations : int, default 100

    Raises ``numpy.linalg.LinAlgError`` if the residual is not below 0.1 in the end. Cost: two products of matrices a step.

    >>> matrix_sign(np.asarray([[2.0, 1.0], [0.0, -3.0]])).value.round(12)
    array([[ 1. ,  0.4],
           [ 0. , -1. ]])
    """

    def step(X: Array, gram: Array) -> Array:
        return 1.5 * X - 0.5 * (X @ gram)

    return _iterate(
        A / _size(A), lambda X: X @ X, step, tol, max_iterations, "sign needs eigenvalues that are not zero"
    )


def polar_factor(A: Array, *, tol: float | None = None, max_iterations: int = 100) -> MatrixFunction:
    r"""The matrix with orthonormal columns (rows, if A is wide) nearest to A: :math:`UV^\top` for :math:`A=U\Sigma V^\top`.

    Reference: :cite:`higham2008functions`, chapter 8. By Newton–Schulz,

    .. math:: X_0=A/\|A\|_F,\qquad X_{k+1}=\tfrac12X_k(3I-X_k^\top X_k)

    in which each singular value follows :math:`\sigma\leftarrow\frac12\sigma(3-\sigma^2)` to 1.

    Parameters
    ----------
    A : array (m, n)
        Of full rank.
    tol, max_iterations
        As in :func:`matrix_sign`, for the residual :math:`\|I-X^\top X\|_F`.

    Raises ``numpy.linalg.LinAlgError`` if the residual is not below 0.1 in the end. Cost: two products of matrices a step.

    >>> polar_factor(np.asarray([[0.0, 2.0], [-3.0, 0.0]])).value.round(12)
    array([[ 0.,  1.],
           [-1.,  0.]])
    """
    if A.shape[0] < A.shape[1]:
        found = polar_factor(A.T, tol=tol, max_iterations=max_iterations)
        return found._replace(value=found.value.T)
    return _iterate(
        A / _size(A), lambda X: X.T @ X, _newton_schulz, tol, max_iterations, "the polar factor needs full rank"
    )


def square_roots(A: Array, *, tol: float | None = None, max_iterations: int = 100) -> SquareRoots:
    r"""The square root of a positive definite matrix and its inverse, by the coupled Newton–Schulz iteration.

    Reference: :cite:`higham2008functions`, chapter 6.

    .. math::

        Y_0=A/\|A\|_F,\quad Z_0=I,\qquad T_k=\tfrac12(3I-Z_kY_k),\quad Y_{k+1}=Y_kT_k,\quad Z_{k+1}=T_kZ_k

    :math:`Y\to(A/\|A\|_F)^{1/2}` and :math:`Z\to(A/\|A\|_F)^{-1/2}`; in this order of the products rounding is not amplified.

    Parameters
    ----------
    A : array (n, n)
        Symmetric, positive definite.
    tol, max_iterations
        As in :func:`matrix_sign`, for the residual :math:`\|I-ZY\|_F`.

    Raises ``numpy.linalg.LinAlgError`` if the residual is not below 0.1 in the end. Cost: three products of matrices a step;
    about :math:`\log_{9/4}\kappa+5` steps at condition number :math:`\kappa`.

    >>> square_roots(np.diag([4.0, 9.0])).root.round(12)
    array([[2., 0.],
           [0., 3.]])
    """
    xp, scale = namespace(A), _size(A)
    eye = xp.eye(A.shape[0], dtype=A.dtype)

    def step(YZ: Array, gram: Array) -> Array:
        T = 1.5 * eye - 0.5 * gram
        return xp.stack([YZ[0, ...] @ T, T @ YZ[1, ...]])

    found = _iterate(
        xp.stack([A / scale, eye]), lambda YZ: YZ[1, ...] @ YZ[0, ...], step, tol, max_iterations,
        "square roots need a positive definite matrix",
    )  # fmt: skip
    Y, Z = found.value[0, ...], found.value[1, ...]
    return SquareRoots(Y * scale**0.5, Z / scale**0.5, found.residual, found.iterations)


def inverse_root(A: Array, p: int, *, tol: float | None = None, max_iterations: int = 100) -> MatrixFunction:
    r"""The inverse p-th root :math:`A^{-1/p}` of a positive definite matrix, by the coupled Newton iteration.

    Reference: :cite:`guo2006schur`; see also :cite:`higham2008functions`, chapter 7. With
    :math:`c=(2\|A\|_F/(p+1))^{1/p}`,

    .. math::

        X_0=I/c,\quad M_0=A/c^p,\qquad T_k=\frac{(p+1)I-M_k}p,\quad X_{k+1}=X_kT_k,\quad M_{k+1}=T_k^pM_k

    so that :math:`M_k=X_k^pA\to I`. For p = 1 it is Newton's iteration for the inverse.

    Parameters
    ----------
    A : array (n, n)
        Symmetric, positive definite.
    p : int ≥ 1
    tol, max_iterations
        As in :func:`matrix_sign`, for the residual :math:`\|I-M\|_F`.

    Raises ``numpy.linalg.LinAlgError`` if the residual is not below 0.1 in the end. Cost: about :math:`2+2\log_2p` products of
    matrices a step.

    >>> inverse_root(np.diag([16.0, 81.0]), 4).value.round(12)
    array([[0.5       , 0.        ],
           [0.        , 0.33333333]])
    """
    p = whole("p", p)
    xp, c = namespace(A), (2.0 * _size(A) / (p + 1.0)) ** (1.0 / p)
    eye = xp.eye(A.shape[0], dtype=A.dtype)

    def step(XM: Array, M: Array) -> Array:
        T = ((p + 1.0) * eye - M) / p
        return xp.stack([XM[0, ...] @ T, xp.linalg.matrix_power(T, p) @ M])

    found = _iterate(
        xp.stack([eye / c, A / c**p]), lambda XM: XM[1, ...], step, tol, max_iterations,
        "an inverse root needs a positive definite matrix",
    )  # fmt: skip
    return found._replace(value=found.value[0, ...])


def symmetric_power(A: Array, exponent: float, ridge: float = 0.0, *, relative: bool = False) -> Array:
    r"""The power :math:`(A+\rho I)^q` of a positive semi-definite matrix, by its eigendecomposition.

    :math:`\rho` is the ridge, or with ``relative`` the ridge times the largest eigenvalue. Eigenvalues that rounding made
    negative count as zero; those below the smallest normal number as that number.

    Parameters
    ----------
    A : array (n, n)
        Symmetric, positive semi-definite.
    exponent : float
        q.
    ridge : float ≥ 0, default 0
    relative : bool, default False

    Raises ``FloatingPointError`` if A is not finite. Cost: about :math:`11n^3`.

    >>> symmetric_power(np.diag([0.0, 15.0]), -0.25, 1.0)
    array([[1. , 0. ],
           [0. , 0.5]])
    """
    xp = namespace(A)
    if not bool(xp.all(xp.isfinite(A))):
        raise FloatingPointError("a matrix whose power is wanted is not finite")
    values, vectors = eigen(A)
    values = xp.clip(values, min=0.0)
    values = values + ridge * (values[-1] if relative else 1.0)
    values = xp.clip(values, min=float(xp.finfo(A.dtype).smallest_normal))
    return (vectors * values**exponent) @ vectors.T


def _newton_schulz(X: Array, gram: Array) -> Array:
    return 1.5 * X - 0.5 * (X @ gram)


def _size(A: Array) -> float:
    size = norm(A)
    if not 0.0 < size < float("inf"):
        raise np.linalg.LinAlgError(f"the matrix must be finite and not zero; its norm is {size:g}")
    return size


def _iterate(
    X: Array,
    gram: Callable[[Array], Array],
    step: Callable[[Array, Array], Array],
    tol: float | None,
    max_iterations: int,
    need: str,
) -> MatrixFunction:
    """Steps until what should be the identity is, or rounding keeps it from coming nearer."""
    xp, previous = namespace(X), float("inf")
    best = X
    for iterations in range(max_iterations + 1):
        product = gram(X)
        n = product.shape[0]
        residual = norm(xp.eye(n, dtype=X.dtype) - product)
        if not residual < float("inf") or (previous < CLOSE and residual >= previous):
            break
        best, previous = X, residual
        if residual <= (4.0 * n * epsilon(X) if tol is None else tol) or iterations == max_iterations:
            break
        X = step(X, product)
    if not previous < CLOSE:
        raise np.linalg.LinAlgError(f"{need}; after {iterations} steps the residual is {previous:.2g}")
    return MatrixFunction(best, previous, iterations)
