"""A point of a polytope, by the powers of the violated inequalities."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.checks import whole
from secondorder.oracles import Problem


class PolytopeFeasibility(Problem):
    """Made by :func:`polytope_feasibility`. ``A`` (n, d) and ``b`` (n,)."""

    def __init__(self, A: Array, b: Array, x_star: Array, p: float) -> None:
        super().__init__(x0=np.full(A.shape[1], 3.0), name="polytope_feasibility", f_star=0.0, fresh=True)
        self.A, self.b, self.x_star, self.p = A, b, x_star, p
        rows = np.sqrt(np.sum(A * A, axis=1))
        self.lipschitz_grad = 2.0 * float(np.linalg.norm(A, 2)) ** 2 if p == 2 else None
        self.lipschitz_hess = _constant(A, rows, 6.0) if p == 3 else None
        self.lipschitz_third = _constant(A, rows**2, 24.0) if p == 4 else None
        if p < 3:
            self.third = None  # type: ignore[assignment, method-assign]

    def violation(self, x: Array) -> Array:
        """By how much each inequality is violated, shape (n,); 0 where it holds, NaN where x is."""
        xp = namespace(x)
        slack = self.A @ x - self.b
        return xp.where(slack <= 0.0, xp.zeros_like(slack), slack)

    def f(self, x: Array) -> Array:
        return namespace(x).sum(self.violation(x) ** self.p)

    def grad(self, x: Array) -> Array:
        return self.A.T @ (self.p * self.violation(x) ** (self.p - 1.0))

    def hess(self, x: Array) -> Array:
        return self.A.T @ (self._weights(x)[:, None] * self.A)

    def hvp(self, x: Array, v: Array) -> Array:
        return self.A.T @ (self._weights(x) * (self.A @ v))

    def third(self, x: Array, h: Array) -> Array:
        p = self.p
        return self.A.T @ (p * (p - 1.0) * (p - 2.0) * self._power(x, p - 3.0) * (self.A @ h) ** 2)

    def _weights(self, x: Array) -> Array:
        return self.p * (self.p - 1.0) * self._power(x, self.p - 2.0)

    def _power(self, x: Array, exponent: float) -> Array:
        """The power of the violations, 0 where an inequality holds, also for the exponent 0."""
        xp, violation = namespace(x), self.violation(x)
        return xp.where(violation > 0.0, violation**exponent, xp.zeros_like(violation))


def _constant(A: Array, weights: Array, factor: float) -> float:
    return factor * float(np.linalg.norm(A.T @ (weights[:, None] * A), 2))


def polytope_feasibility(p: float = 3, n: int = 100, d: int = 20, seed: int = 0) -> PolytopeFeasibility:
    r"""A point that satisfies n random linear inequalities, from all entries 3.

    .. math:: f(x)=\sum_{i=1}^n\big(a_i^\top x-b_i\big)_+^p,\qquad(t)_+=\max(t,0)

    The rows :math:`a_i` are uniform on the unit sphere and :math:`b_i=a_i^\top z+s_i`, with z standard normal and
    :math:`s_i` uniform on [0, 1]: z, which is ``x_star``, is feasible, so the least value is 0, and there are many
    minimisers. Convex; the Hessian is zero at every feasible point, and pure Newton is undefined there. The derivative
    of order :math:`p-1` is Lipschitz continuous for a whole p, and jumps where an inequality is just met if differentiated
    again. One of the experiments of :cite:`doikov2024super`.

    Parameters
    ----------
    p : float ≥ 2, default 3
    n : int ≥ 1, default 100
        Inequalities.
    d : int ≥ 1, default 20
    seed : int, default 0

    Returns
    -------
    PolytopeFeasibility
        With ``A``, ``b`` and ``violation(x)``. ``lipschitz_grad`` :math:`=2\|A\|^2` for p = 2, ``lipschitz_hess``
        :math:`=6\,\|\sum_i\|a_i\|a_ia_i^\top\|` for p = 3 and ``lipschitz_third``
        :math:`=24\,\|\sum_i\|a_i\|^2a_ia_i^\top\|` for p = 4; otherwise None. ``third`` for :math:`p\ge3`.

    >>> import secondorder as so
    >>> problem = so.problems.polytope_feasibility()
    >>> history = so.minimize(problem, "cubic_newton")
    >>> history.status, bool(problem.violation(history.x).max() < 1e-4)
    ('converged', True)
    """
    n, d = whole("n", n), whole("d", d)
    if isinstance(p, bool) or not isinstance(p, Real) or not 2.0 <= p < math.inf:
        raise ValueError(f"p must be a finite number, at least 2; got {p!r}")
    rng: Any = np.random.default_rng(seed)
    A, z = rng.standard_normal((n, d)), rng.standard_normal(d)
    A = A / np.sqrt(np.sum(A * A, axis=1))[:, None]
    return PolytopeFeasibility(A, A @ z + rng.uniform(0.0, 1.0, n), z, float(p))
