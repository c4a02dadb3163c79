"""Quadratics with a prescribed spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.oracles import Problem, point


class Quadratic(Problem):
    """Half of x'Ax for a symmetric matrix ``A``; made by :func:`quadratic`."""

    def __init__(self, A: Array, x0: Array, *, f_star: float | None = None) -> None:
        super().__init__(x0=x0, name="quadratic", f_star=f_star, fresh=True)
        self.A = A
        self.x_star = None if f_star is None else np.zeros_like(self.x0)

    def f(self, x: Array) -> Array:
        return 0.5 * (x @ (self.A @ x))

    def grad(self, x: Array) -> Array:
        return self.A @ x

    def hess(self, x: Array) -> Array:
        return +self.A

    def hvp(self, x: Array, v: Array) -> Array:
        return self.A @ v

    def third(self, x: Array, h: Array) -> Array:
        return namespace(x).zeros_like(x)

    def metric(self, v: Array) -> Array:
        """A itself: the Hessian, where that is positive definite."""
        return self.A @ v


def quadratic(
    spectrum: Sequence[float] = (1.0, 10.0), *, rotate: bool = False, x0: Any = None, seed: int = 0
) -> Quadratic:
    r"""A quadratic with given eigenvalues, the problem on which everything is known.

    .. math:: f(x)=\tfrac12x^\top Ax,\qquad A=Q\,\mathrm{diag}(\lambda_1,\dots,\lambda_d)\,Q^\top

    Parameters
    ----------
    spectrum : sequence of d floats, default (1, 10)
        The eigenvalues, of any sign. ``f_star`` is 0 and ``x_star`` the origin when none is negative; otherwise f has
        no minimum and both are None.
    rotate : bool, default False
        Whether Q is a random rotation or reflection, uniformly distributed. By default it is the identity.
    x0 : array (d,), optional
        The start; by default all ones.
    seed : int, default 0
        Draws Q.

    Raises ``ValueError`` for an empty or non-finite ``spectrum``, or an ``x0`` of another length.

    >>> import secondorder as so
    >>> p = so.problems.quadratic([1.0, 4.0])
    >>> float(p.f(p.x0)), p.grad(p.x0)
    (2.5, array([1., 4.]))
    >>> np.linalg.eigvalsh(so.problems.quadratic([-1.0, 2.0, 5.0], rotate=True).A).round(12)
    array([-1.,  2.,  5.])
    """
    eigenvalues = point(spectrum, "spectrum")
    d = eigenvalues.shape[0]
    x0 = np.ones(d) if x0 is None else point(x0)
    if x0.shape != (d,):
        raise ValueError(f"x0 must have shape ({d},), one entry for each eigenvalue; got {tuple(x0.shape)}")
    A = np.diag(eigenvalues)
    if rotate:
        Q, R = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
        Q = Q * np.sign(np.diag(R))
        A = (Q * eigenvalues) @ Q.T
        A = 0.5 * (A + A.T)
    return Quadratic(A, x0, f_star=0.0 if bool(np.all(eigenvalues >= 0.0)) else None)
