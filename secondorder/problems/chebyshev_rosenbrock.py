"""A Rosenbrock valley that bends back and forth exponentially often."""

from __future__ import annotations

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.checks import whole
from secondorder.problems.power_of_norm import PowerOfNorm, exponent


class ChebyshevRosenbrock(PowerOfNorm):
    """Made by :func:`chebyshev_rosenbrock`."""

    def __init__(self, d: int, p: float) -> None:
        x0 = np.ones(d)
        x0[0] = -1.0
        super().__init__(x0=x0, name="chebyshev_rosenbrock", f_star=0.0, fresh=True)
        self.p = p
        self.x_star = np.ones(d)

    def residual(self, x: Array) -> Array:
        """u(x), shape (d,)."""
        return namespace(x).concat([0.5 * (1.0 - x[:1]), x[1:] - 2.0 * x[:-1] ** 2 + 1.0])

    def jac(self, x: Array) -> Array:
        """The Jacobian of u, shape (d, d): lower bidiagonal."""
        xp, d = namespace(x), x.shape[0]
        diagonal = xp.concat([-0.5 * xp.ones_like(x[:1]), xp.ones_like(x[1:])])
        return diagonal * xp.eye(d, dtype=x.dtype) - 4.0 * x * xp.eye(d, k=-1, dtype=x.dtype)

    inner, inner_jac = residual, jac

    def hess(self, x: Array) -> Array:
        xp, p = namespace(x), self.p
        u, J = self.residual(x), self.jac(x)
        bend = xp.concat([-4.0 * u[1:], xp.zeros_like(u[:1])])
        H = J.T @ J + bend * xp.eye(x.shape[0], dtype=x.dtype)
        size = xp.linalg.vector_norm(u)
        if p == 2.0 or not size > 0.0:
            return size ** (p - 2.0) * H
        s = J.T @ (u / size)
        return size ** (p - 2.0) * (H + (p - 2.0) * s[:, None] * s)

    def hvp(self, x: Array, v: Array) -> Array:
        return self.hess(x) @ v


def chebyshev_rosenbrock(d: int = 4, p: float = 2) -> ChebyshevRosenbrock:
    r"""A power of the norm of chained Chebyshev polynomials, from (-1, 1, ..., 1) :cite:`jarre2013nesterov`.

    .. math::

        f(x)=\frac1p\|u(x)\|^p,\qquad u_1=\tfrac12(1-x_1),\qquad u_i=x_i-2x_{i-1}^2+1

    The minimum is 0, at the ones, and no other point is stationary. At the start only :math:`u_1=1` is not zero. The
    valley :math:`u_2=\dots=u_d=0` is :math:`x_i=T_2(x_{i-1})`, so along it :math:`x_d` is the Chebyshev polynomial of
    degree :math:`2^{d-1}` of :math:`x_1`: a method that follows it downhill turns about :math:`2^{d-2}` times and more.
    The paper has twice this f for p = 2.

    .. math::

        \nabla^2f=\|u\|^{p-2}\Big(J^\top J+\sum_iu_i\nabla^2u_i\Big)+(p-2)\|u\|^{p-4}\,(J^\top u)(J^\top u)^\top

    Parameters
    ----------
    d : int ≥ 1, default 4
    p : float ≥ 2, default 2
        For p > 2 the Hessian at the minimiser is zero.

    >>> import secondorder as so
    >>> p = so.problems.chebyshev_rosenbrock()
    >>> p.residual(p.x0), float(p.f(p.x0)), float(p.f(p.x_star))
    (array([1., 0., 0., 0.]), 0.5, 0.0)
    >>> [len(so.minimize(so.problems.chebyshev_rosenbrock(d), "cubic_newton")) > 2**d for d in (2, 4, 6)]
    [True, True, True]
    """
    return ChebyshevRosenbrock(whole("d", d), exponent(p))
