"""Krylov subspaces: conjugate gradients that notice negative curvature, and Lanczos that stays orthogonal."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from secondorder.arrays import Array, epsilon, namespace, norm


class CG(NamedTuple):
    """The answer of :func:`cg`. ``curvature`` is a direction of non-positive curvature, or None."""

    x: Array
    residual_norm: float
    iterations: int
    curvature: Array | None


def cg(
    matvec: Callable[[Array], Array],
    b: Array,
    *,
    tol: float = 1e-10,
    max_iterations: int | None = None,
    preconditioner: Callable[[Array], Array] | None = None,
) -> CG:
    r"""Conjugate gradients for :math:`Ax=b` from :math:`x=0` (:cite:`hestenes1952methods`).

    .. math::

        \alpha=\frac{r^\top z}{p^\top Ap},\quad x\leftarrow x+\alpha p,\quad r\leftarrow r-\alpha Ap,\quad
        z=P^{-1}r,\quad \beta=\frac{r_+^\top z_+}{r^\top z},\quad p\leftarrow z_++\beta p .

    Parameters
    ----------
    matvec : callable
        The product with the symmetric matrix A.
    b : array (d,)
    tol : float, default 1e-10
        Stops at :math:`\|r\|\le\mathrm{tol}\,\|b\|`.
    max_iterations : int, default 2 d
    preconditioner : callable, optional
        The product with :math:`P^{-1}`, symmetric positive definite.

    Returns
    -------
    CG
        With the true residual norm :math:`\|b-Ax\|`, recomputed at the end. If a direction with
        :math:`p^\top Ap\le10\,\epsilon\,\|p\|\|Ap\|` is met, the iteration stops, ``x`` is the last iterate before it
        and ``curvature`` is that direction.

    Cost: one product an iteration and one at the end; four vectors.

    >>> import numpy as np
    >>> answer = cg(lambda v: np.asarray([1.0, 2.0, 2.0]) * v, np.ones(3))
    >>> answer.iterations, answer.x
    (2, array([1. , 0.5, 0.5]))
    """
    xp = namespace(b)
    apply = preconditioner or (lambda r: r)
    x, r = xp.zeros_like(b), b
    z = apply(r)
    p, rz, target = z, float(r @ z), tol * norm(b)
    iterations, curvature = 0, None
    limit = 2 * b.shape[0] if max_iterations is None else max_iterations
    while iterations < limit and norm(r) > target:
        Ap = matvec(p)
        pAp = float(p @ Ap)
        if pAp <= 10.0 * epsilon(b) * norm(p) * norm(Ap):
            curvature = p
            break
        x = x + (rz / pAp) * p
        r = r - (rz / pAp) * Ap
        z = apply(r)
        rz, previous = float(r @ z), rz
        p = z + (rz / previous) * p
        iterations += 1
    return CG(x, norm(b - matvec(x)), iterations, curvature)


class Lanczos(NamedTuple):
    r""":math:`AQ_k=Q_kT_k+\beta_kq_{k+1}e_k^\top`: ``vectors`` is Q (d, k), ``diagonal`` and ``off_diagonal`` hold T,
    ``residual`` is :math:`\beta_k` (0 when the subspace is invariant)."""

    vectors: Array
    diagonal: list[float]
    off_diagonal: list[float]
    residual: float

    def tridiagonal(self) -> Array:
        """T as a dense (k, k) array."""
        xp = namespace(self.vectors)
        k = len(self.diagonal)
        rows = [
            [self.diagonal[i] if i == j else self.off_diagonal[min(i, j)] if abs(i - j) == 1 else 0.0 for j in range(k)]
            for i in range(k)
        ]
        return xp.asarray(rows, dtype=self.vectors.dtype)


def lanczos(matvec: Callable[[Array], Array], q: Array, k: int) -> Lanczos:
    r"""``k`` steps of Lanczos from ``q``, with two passes of full re-orthogonalisation.

    Reference: :cite:`golub2013matrix`, §10.1.

    Stops early, with residual 0, when the Krylov subspace is invariant: a residual below 1e4 rounding units.

    Parameters
    ----------
    matvec : callable
        The product with the symmetric matrix A.
    q : array (d,)
        The start, not zero; it is normalised.
    k : int
        At most ``d`` steps are useful.

    Cost: ``k`` products, :math:`O(k^2d)` for the orthogonality, ``k`` vectors of memory.

    >>> import numpy as np
    >>> answer = lanczos(lambda v: np.asarray([1.0, 2.0, 3.0]) * v, np.ones(3), 3)
    >>> np.linalg.eigvalsh(answer.tridiagonal()).round(12)
    array([1., 2., 3.])
    """
    xp = namespace(q)
    if k < 1:
        raise ValueError(f"k must be at least 1; got {k}")
    if not norm(q) > 0.0:
        raise ValueError("q must not be zero")
    q = q / norm(q)
    basis: list[Array] = [q]
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    scale = 0.0
    for j in range(min(k, q.shape[0])):
        w = matvec(basis[j])
        scale = max(scale, norm(w))
        diagonal.append(float(basis[j] @ w))
        Q = xp.stack(basis, axis=1)
        for _ in range(2):
            w = w - Q @ (Q.T @ w)
        beta = norm(w)
        if beta <= 1e4 * epsilon(q) * scale or j + 1 == q.shape[0]:
            return Lanczos(Q, diagonal, off_diagonal, 0.0)
        off_diagonal.append(beta)
        basis.append(w / beta)
    return Lanczos(xp.stack(basis[:-1], axis=1), diagonal, off_diagonal[:-1], off_diagonal[-1])
