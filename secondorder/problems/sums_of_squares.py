"""Sums of squares of residuals: what they share, and two ways to write the residuals down."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.oracles import Problem
from secondorder.problems.jets import variables


class SumOfSquares(Problem):
    r"""A nonlinear least-squares problem with the weight w, 1 unless a subclass has another ``residual_weight``,

    .. math::

        f=w\sum_ir_i(x)^2,\qquad\nabla f=2wJ^\top r,\qquad\nabla^2f=2w\Big(J^\top J+\sum_ir_i\nabla^2r_i\Big).

    ``known_minima`` are the values at the known local minima, least first; some are only approached at infinity.
    """

    x0: Array
    residual_weight = 1.0

    def __init__(self, name: str, x0: Any, known_minima: tuple[float, ...] = (), x_star: Any = None) -> None:
        f_star = min(known_minima, default=None)
        super().__init__(x0=np.asarray(x0, dtype=np.float64), name=name, f_star=f_star, fresh=True)
        self.known_minima = known_minima
        self.x_star = None if x_star is None else np.asarray(x_star, dtype=np.float64)

    @abstractmethod
    def residual(self, x: Array) -> Array:
        """r(x), shape (m,)."""

    @abstractmethod
    def jac(self, x: Array) -> Array:
        """The Jacobian J of the residual, shape (m, d)."""

    @abstractmethod
    def curvature(self, x: Array, w: Array) -> Array:
        """The sum of w_i times the Hessian of r_i, shape (d, d)."""

    def f(self, x: Array) -> Array:
        r = self.residual(x)
        return self.residual_weight * (r @ r)

    def grad(self, x: Array) -> Array:
        return 2.0 * self.residual_weight * (self.jac(x).T @ self.residual(x))

    def hess(self, x: Array) -> Array:
        J = self.jac(x)
        return 2.0 * self.residual_weight * (J.T @ J + self.curvature(x, self.residual(x)))

    def hvp(self, x: Array, v: Array) -> Array:
        return self.hess(x) @ v


class Powers(SumOfSquares):
    r"""Residuals that are sums of powers of linear forms, given by matrices:

    .. math::

        r=c+Lx+P\,(Mx+a)^p,\qquad J=L+P\,\mathrm{diag}(pu^{p-1})M,\qquad
        \sum_iw_i\nabla^2r_i=M^\top\mathrm{diag}\big(p(p-1)u^{p-2}\odot P^\top w\big)M,\qquad u=Mx+a,

    with an exponent, at least 2, for each of the q entries of u.

    Parameters
    ----------
    L : array (m, d)
    M : array (q, d)
    P : array (m, q)
    c, a, p : array (m,), (q,), (q,), or a number for all entries
    """

    def __init__(
        self,
        name: str,
        x0: Any,
        known_minima: tuple[float, ...],
        x_star: Any = None,
        *,
        L: Any,
        M: Any,
        P: Any,
        c: Any = 0.0,
        a: Any = 0.0,
        p: Any = 2.0,
    ) -> None:
        super().__init__(name, x0, known_minima, x_star)
        self.L, self.M, self.P = (np.asarray(each, dtype=np.float64) for each in (L, M, P))
        (m, q), ones = self.P.shape, np.ones
        self.c, self.a, self.p = c * ones(m), a * ones(q), p * ones(q)

    def residual(self, x: Array) -> Array:
        return self.c + self.L @ x + self.P @ (self.M @ x + self.a) ** self.p

    def jac(self, x: Array) -> Array:
        u = self.M @ x + self.a
        return self.L + self.P @ ((self.p * u ** (self.p - 1.0))[:, None] * self.M)

    def curvature(self, x: Array, w: Array) -> Array:
        return self.M.T @ (self._weights(x, w)[:, None] * self.M)

    def hvp(self, x: Array, v: Array) -> Array:
        """Without the Hessian, in O(md + mq + qd)."""
        u, Mv = self.M @ x + self.a, self.M @ v
        slope = self.p * u ** (self.p - 1.0)
        Jv = self.L @ v + self.P @ (slope * Mv)
        JtJv = self.L.T @ Jv + self.M.T @ (slope * (self.P.T @ Jv))
        return 2.0 * self.residual_weight * (JtJv + self.M.T @ (self._weights(x, self.residual(x)) * Mv))

    def _weights(self, x: Array, w: Array) -> Array:
        u = self.M @ x + self.a
        return self.p * (self.p - 1.0) * u ** (self.p - 2.0) * (self.P.T @ w)


class Formula(SumOfSquares):
    """Residuals given by one formula, ``formula(x, **data)``, whose derivatives :mod:`secondorder.problems.jets` finds.

    The formula is evaluated on arrays and on jets: it takes ``exp`` and the like from that module. The arrays in
    ``data`` become attributes.

    >>> from secondorder.problems.jets import coordinates, exp
    >>> def decay(x, t, y):
    ...     size, rate = coordinates(x)
    ...     return size * exp(-rate * t) - y
    >>> p = Formula("decay", decay, [1.0, 0.0], t=np.asarray([0.0, 1.0]), y=np.asarray([2.0, 1.0]))
    >>> p.residual(p.x0), p.jac(p.x0)
    (array([-1.,  0.]), array([[ 1.,  0.],
           [ 1., -1.]]))
    """

    def __init__(
        self,
        name: str,
        formula: Callable[..., Any],
        x0: Any,
        known_minima: tuple[float, ...] = (),
        x_star: Any = None,
        **data: Array,
    ) -> None:
        super().__init__(name, x0, known_minima, x_star)
        self.formula = formula
        self.data = tuple(data)
        vars(self).update(data)

    def _evaluated(self, x: Any) -> Any:
        return self.formula(x, **{name: getattr(self, name) for name in self.data})

    def residual(self, x: Array) -> Array:
        return self._evaluated(x)

    def jac(self, x: Array) -> Array:
        return self._evaluated(variables(x)).first

    def curvature(self, x: Array, w: Array) -> Array:
        return namespace(x).sum(w[:, None, None] * self._evaluated(variables(x)).second, axis=0)

    def grad(self, x: Array) -> Array:
        r = self._evaluated(variables(x))
        return 2.0 * self.residual_weight * (r.first.T @ r.value)

    def hess(self, x: Array) -> Array:
        r = self._evaluated(variables(x))
        bend = namespace(x).sum(r.value[:, None, None] * r.second, axis=0)
        return 2.0 * self.residual_weight * (r.first.T @ r.first + bend)
