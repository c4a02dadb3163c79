"""The logarithmic barrier of a polytope."""

from __future__ import annotations

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.checks import whole
from secondorder.oracles import Problem


class AnalyticCenter(Problem):
    """Made by :func:`analytic_center`. ``A`` (n, d), ``b`` (n,), ``n``, ``self_concordance`` (M, nu)."""

    self_concordance = (2.0, 3.0)

    def __init__(self, A: Array, b: Array, x0: Array) -> None:
        super().__init__(x0=x0, name="analytic_center", fresh=True)
        self.A, self.b, self.n = A, b, A.shape[0]
        self.x_star = np.zeros(A.shape[1])
        self.f_star = float(self.f(self.x_star))

    def domain(self, x: Array) -> bool:
        return bool(namespace(x).all(self.A @ x < self.b))

    def f(self, x: Array) -> Array:
        xp = namespace(x)
        return -xp.sum(xp.log(self.b - self.A @ x))

    def grad(self, x: Array) -> Array:
        return self.A.T @ (1.0 / (self.b - self.A @ x))

    def hess(self, x: Array) -> Array:
        scaled = self.A / (self.b - self.A @ x)[:, None]
        return scaled.T @ scaled

    def hvp(self, x: Array, v: Array) -> Array:
        return self.A.T @ ((self.A @ v) / (self.b - self.A @ x) ** 2)

    def third(self, x: Array, h: Array) -> Array:
        slack = self.b - self.A @ x
        return 2.0 * (self.A.T @ ((self.A @ h) ** 2 / slack**3))


def analytic_center(n: int = 40, d: int = 10, closeness: float = 1e-3, seed: int = 0) -> AnalyticCenter:
    r"""The point of a random polytope with the greatest product of distances to its walls, from a start near one of them.

    .. math:: f(x)=-\sum_{i=1}^n\log(b_i-a_i^\top x),\qquad
        \nabla^2f=\sum_i\frac{a_ia_i^\top}{(b_i-a_i^\top x)^2}

    Defined where all :math:`a_i^\top x<b_i`; convex and standard self-concordant, (M, ν) = (2, 3), and a barrier: the
    Newton decrement is at most :math:`\sqrt n` everywhere. The rows are normal, :math:`b_i` uniform on [1/2, 2], and then
    :math:`b_i` times the mean of :math:`a_j/b_j` is taken off each row: so the gradient vanishes at the origin, the centre,
    and the polytope is bounded.

    Parameters
    ----------
    n : int > d, default 40
        Walls.
    d : int ≥ 1, default 10
    closeness : float in (0, 1], default 1e-3
        The start is on a random ray from the centre, at this fraction of the way from the wall back to the centre.
    seed : int, default 0

    Returns
    -------
    AnalyticCenter
        With ``A``, ``b``, ``n``, ``domain``, ``third``, ``x_star`` = 0, ``f_star`` and ``self_concordance`` = (M, ν).

    >>> problem = analytic_center()
    >>> problem.domain(problem.x0), problem.domain(1.01 * problem.x0)
    (True, False)
    """
    n, d, rng = whole("n", n), whole("d", d), np.random.default_rng(seed)
    if n <= d:
        raise ValueError(f"n must be above d: a bounded polytope of {d} dimensions has at least {d + 1} walls; got {n}")
    if not 0.0 < closeness <= 1.0:
        raise ValueError(f"closeness must be in (0, 1]; got {closeness!r}")
    A, b, ray = rng.standard_normal((n, d)), rng.uniform(0.5, 2.0, n), rng.standard_normal(d)
    A = A - b[:, None] * np.mean(A / b[:, None], axis=0)
    wall = 1.0 / np.max(A @ ray / b)
    return AnalyticCenter(A, b, (1.0 - closeness) * wall * ray)
