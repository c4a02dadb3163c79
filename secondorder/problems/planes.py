"""More classics of two variables."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat

from secondorder.arrays import Array
from secondorder.problems.classics import Plane


class Beale(Plane):
    """Made by :func:`beale`."""

    window = (-4.5, 4.5, -4.5, 4.5)

    def values(self, X: Array, Y: Array) -> Array:
        return (1.5 - X + X * Y) ** 2 + (2.25 - X + X * Y**2) ** 2 + (2.625 - X + X * Y**3) ** 2

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        terms = _beale_terms(x, y)
        return sum(2.0 * r * (p - 1.0) for r, p, _, _ in terms), sum(2.0 * r * x * q for r, _, q, _ in terms)

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        terms = _beale_terms(x, y)
        return (
            sum(2.0 * (p - 1.0) ** 2 for _, p, _, _ in terms),
            sum(2.0 * q * (x * (p - 1.0) + r) for r, p, q, _ in terms),
            sum(2.0 * ((x * q) ** 2 + r * x * s) for r, _, q, s in terms),
        )


def _beale_terms(x: Any, y: Any) -> list[tuple[Any, Any, Any, Any]]:
    """For i = 1, 2, 3 the residual and y^i with its two derivatives."""
    powers = [(y, 1.0, 0.0), (y**2, 2.0 * y, 2.0), (y**3, 3.0 * y**2, 6.0 * y)]
    return [(c - x + x * p, p, q, s) for c, (p, q, s) in zip((1.5, 2.25, 2.625), powers, strict=True)]


def beale() -> Beale:
    r"""A flat valley with steep corners :cite:`more1981testing`, from (1, 1).

    .. math:: f(x,y)=\sum_{i=1}^3\big(c_i-x(1-y^i)\big)^2,\qquad c=(1.5,\,2.25,\,2.625)

    One minimum, f = 0 at (3, 1/2). A valley to :math:`x\to-\infty,\ y\to1` has the height 0.452 at its end;
    from (-1, 1.5) methods run into it.

    >>> import secondorder as so
    >>> p = so.problems.beale()
    >>> float(p.f(p.x_star)), p.hess(p.x_star).round(3)
    (0.0, array([[  3.156, -11.438],
           [-11.438,  46.125]]))
    """
    return Beale("beale", (1.0, 1.0), [(3.0, 0.5)], 0.0)


class Booth(Plane):
    """Made by :func:`booth`."""

    window = (-10.0, 10.0, -10.0, 10.0)

    def values(self, X: Array, Y: Array) -> Array:
        return (X + 2.0 * Y - 7.0) ** 2 + (2.0 * X + Y - 5.0) ** 2

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return 10.0 * x + 8.0 * y - 34.0, 8.0 * x + 10.0 * y - 38.0

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 10.0 + 0.0 * x, 8.0 + 0.0 * x, 10.0 + 0.0 * y


def booth() -> Booth:
    r"""A quadratic with a tilted bowl, from (-8, 4) :cite:`jamil2013survey`.

    .. math:: f(x,y)=(x+2y-7)^2+(2x+y-5)^2

    The minimum is f = 0 at (1, 3), the eigenvalues are 2 and 18. Newton's method takes one step.

    >>> import secondorder as so
    >>> so.minimize(so.problems.booth(), "newton").x.round(12)
    array([1., 3.])
    """
    return Booth("booth", (-8.0, 4.0), [(1.0, 3.0)], 0.0)


class Matyas(Plane):
    """Made by :func:`matyas`."""

    window = (-10.0, 10.0, -10.0, 10.0)

    def values(self, X: Array, Y: Array) -> Array:
        return 0.26 * (X**2 + Y**2) - 0.48 * X * Y

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return 0.52 * x - 0.48 * y, 0.52 * y - 0.48 * x

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 0.52 + 0.0 * x, -0.48 + 0.0 * x, 0.52 + 0.0 * y


def matyas() -> Matyas:
    r"""A long quadratic valley along the diagonal, from (-4, 8) :cite:`jamil2013survey`.

    .. math:: f(x,y)=0.26\,(x^2+y^2)-0.48\,xy

    The minimum is f = 0 at the origin, the eigenvalues are 0.04 and 1.

    >>> import numpy as np
    >>> import secondorder as so
    >>> p = so.problems.matyas()
    >>> np.linalg.eigvalsh(p.hess(p.x0)).round(12)
    array([0.04, 1.  ])
    """
    return Matyas("matyas", (-4.0, 8.0), [(0.0, 0.0)], 0.0)


class ThreeHumpCamel(Plane):
    """Made by :func:`three_hump_camel`."""

    window = (-2.5, 2.5, -2.5, 2.5)

    def values(self, X: Array, Y: Array) -> Array:
        return 2.0 * X**2 - 1.05 * X**4 + X**6 / 6.0 + X * Y + Y**2

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return 4.0 * x - 4.2 * x**3 + x**5 + y, x + 2.0 * y

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 4.0 - 12.6 * x**2 + 5.0 * x**4, 1.0 + 0.0 * x, 2.0 + 0.0 * y


def three_hump_camel() -> ThreeHumpCamel:
    r"""Three wells of which the middle one is deepest, from (2, -1.5) :cite:`jamil2013survey`.

    .. math:: f(x,y)=2x^2-1.05x^4+\tfrac16x^6+xy+y^2

    The minimum is f = 0 at the origin. The start lies in the basin of one of the two local minima
    ±(-1.7476, 0.8738), f = 0.2986.

    >>> import secondorder as so
    >>> round(float(so.minimize(so.problems.three_hump_camel(), "cubic_newton").f[-1]), 4)
    0.2986
    """
    return ThreeHumpCamel("three_hump_camel", (2.0, -1.5), [(0.0, 0.0)], 0.0)


class SixHumpCamel(Plane):
    """Made by :func:`six_hump_camel`."""

    window = (-2.0, 2.0, -1.2, 1.2)

    def values(self, X: Array, Y: Array) -> Array:
        return 4.0 * X**2 - 2.1 * X**4 + X**6 / 3.0 + X * Y - 4.0 * Y**2 + 4.0 * Y**4

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return 8.0 * x - 8.4 * x**3 + 2.0 * x**5 + y, x - 8.0 * y + 16.0 * y**3

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 8.0 - 25.2 * x**2 + 10.0 * x**4, 1.0 + 0.0 * x, 48.0 * y**2 - 8.0


def six_hump_camel() -> SixHumpCamel:
    r"""Six wells, two of them deepest, from (-1, 0.1) :cite:`jamil2013survey`.

    .. math:: f(x,y)=\big(4-2.1x^2+\tfrac13x^4\big)x^2+xy+4(y^2-1)y^2

    The minima are ±(0.0898, -0.7127) with f = -1.0316; the local ones have -0.2155 and 2.1043. At the start the
    Hessian is negative definite.

    >>> import numpy as np
    >>> import secondorder as so
    >>> p = so.problems.six_hump_camel()
    >>> round(float(p.f(p.minima[1])), 12), bool(np.all(np.linalg.eigvalsh(p.hess(p.x0)) < 0))
    (-1.03162845349, True)
    """
    x, y = 0.08984201310031806, -0.7126564030207396
    return SixHumpCamel("six_hump_camel", (-1.0, 0.1), [(x, y), (-x, -y)], -1.0316284534898774)


class Branin(Plane):
    """Made by :func:`branin`."""

    window = (-5.0, 10.0, 0.0, 15.0)
    b = 5.1 / (4.0 * math.pi**2)
    c = 5.0 / math.pi
    s = 10.0 - 10.0 / (8.0 * math.pi)

    def values(self, X: Array, Y: Array) -> Array:
        return (Y - self.b * X**2 + self.c * X - 6.0) ** 2 + self.s * _cos(X) + 10.0

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        u, bend = y - self.b * x**2 + self.c * x - 6.0, self.c - 2.0 * self.b * x
        return 2.0 * u * bend - self.s * _sin(x), 2.0 * u

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        u, bend = y - self.b * x**2 + self.c * x - 6.0, self.c - 2.0 * self.b * x
        return 2.0 * bend**2 - 4.0 * self.b * u - self.s * _cos(x), 2.0 * bend, 2.0 + 0.0 * y


def branin() -> Branin:
    r"""Three equal minima, from (2, 9) :cite:`jamil2013survey`.

    .. math::

        f(x,y)=\Big(y-\frac{5.1}{4\pi^2}x^2+\frac5\pi x-6\Big)^2+10\Big(1-\frac1{8\pi}\Big)\cos x+10

    The minima in the window are (-π, 12.275), (π, 2.275) and (3π, 2.475), with :math:`f=\frac{10}{8\pi}`; there is one
    more for every odd multiple of π.

    >>> import secondorder as so
    >>> p = so.problems.branin()
    >>> round(p.f_star, 12), p.minima.round(3)
    (0.39788735773, array([[-3.142, 12.275],
           [ 3.142,  2.275],
           [ 9.425,  2.475]]))
    """
    minima = [(-math.pi, 12.275), (math.pi, 2.275), (3.0 * math.pi, 2.475)]
    return Branin("branin", (2.0, 9.0), minima, 10.0 / (8.0 * math.pi))


class GoldsteinPrice(Plane):
    """Made by :func:`goldstein_price`."""

    window = (-2.0, 2.0, -2.0, 2.0)

    def values(self, X: Array, Y: Array) -> Array:
        (a, _, _), (b, _, _) = self._factors(X, Y)
        return a * b

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        (a, da, _), (b, db, _) = self._factors(x, y)
        return da * b + 2.0 * a * db, da * b - 3.0 * a * db

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        (a, da, dda), (b, db, ddb) = self._factors(x, y)
        return (
            dda * b + 4.0 * da * db + 4.0 * a * ddb,
            dda * b - da * db - 6.0 * a * ddb,
            dda * b - 6.0 * da * db + 9.0 * a * ddb,
        )

    @staticmethod
    def _factors(x: Any, y: Any) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
        """Both factors with two derivatives, by s = x + y and by t = 2x - 3y."""
        s, t = x + y, 2.0 * x - 3.0 * y
        p, dp = 19.0 - 14.0 * s + 3.0 * s**2, 6.0 * s - 14.0
        q, dq = 18.0 - 16.0 * t + 3.0 * t**2, 6.0 * t - 16.0
        u = s + 1.0
        return (
            (1.0 + u**2 * p, 2.0 * u * p + u**2 * dp, 2.0 * p + 4.0 * u * dp + 6.0 * u**2),
            (30.0 + t**2 * q, 2.0 * t * q + t**2 * dq, 2.0 * q + 4.0 * t * dq + 6.0 * t**2),
        )


def goldstein_price() -> GoldsteinPrice:
    r"""Four minima on a surface that rises to a million, from (-0.5, -0.25) :cite:`goldstein1971descent`.

    .. math::

        f(x,y)=\big(1+(s+1)^2(19-14s+3s^2)\big)\big(30+t^2(18-16t+3t^2)\big),\qquad s=x+y,\quad t=2x-3y

    The minimum is f = 3 at (0, -1). The local ones are 30 at (-0.6, -0.4), near the start, 84 at (1.8, 0.2) and 840 at
    (1.2, 0.8).

    >>> import numpy as np
    >>> import secondorder as so
    >>> p = so.problems.goldstein_price()
    >>> [round(float(p.f(np.asarray(x)))) for x in ((0.0, -1.0), (-0.6, -0.4), (1.8, 0.2), (1.2, 0.8))]
    [3, 30, 84, 840]
    """
    return GoldsteinPrice("goldstein_price", (-0.5, -0.25), [(0.0, -1.0)], 3.0)


class McCormick(Plane):
    """Made by :func:`mccormick`."""

    window = (-1.5, 4.0, -3.0, 4.0)

    def values(self, X: Array, Y: Array) -> Array:
        return _sin(X + Y) + (X - Y) ** 2 - 1.5 * X + 2.5 * Y + 1.0

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return _cos(x + y) + 2.0 * (x - y) - 1.5, _cos(x + y) - 2.0 * (x - y) + 2.5

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        s = _sin(x + y)
        return 2.0 - s, -2.0 - s, 2.0 - s


def mccormick() -> McCormick:
    r"""A ramp with waves, from (0.5, 1.5) :cite:`jamil2013survey`.

    .. math:: f(x,y)=\sin(x+y)+(x-y)^2-1.5x+2.5y+1

    Unbounded below: there are minima at :math:`x+y=-\frac{2\pi}3+2\pi k`, :math:`x-y=1` for every whole k, each lower
    than the next by π. ``f_star`` :math:`=-\frac{\sqrt3}2-\frac\pi3` and ``minima`` are those of the window (k = 0),
    where the function is usually posed; a method that leaves it may fall below.

    >>> import secondorder as so
    >>> p = so.problems.mccormick()
    >>> round(p.f_star, 12), p.x_star.round(6)
    (-1.913222954981, array([-0.547198, -1.547198]))
    """
    middle = -math.pi / 3.0
    f_star = -math.sqrt(0.75) - math.pi / 3.0
    return McCormick("mccormick", (0.5, 1.5), [(middle + 0.5, middle - 0.5)], f_star)


class StyblinskiTang(Plane):
    """Made by :func:`styblinski_tang`."""

    window = (-5.0, 5.0, -5.0, 5.0)

    def values(self, X: Array, Y: Array) -> Array:
        return 0.5 * (X**4 - 16.0 * X**2 + 5.0 * X + Y**4 - 16.0 * Y**2 + 5.0 * Y)

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return 2.0 * x**3 - 16.0 * x + 2.5, 2.0 * y**3 - 16.0 * y + 2.5

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 6.0 * x**2 - 16.0, 0.0 * x, 6.0 * y**2 - 16.0


def styblinski_tang() -> StyblinskiTang:
    r"""Four wells of different depth, from the origin :cite:`styblinski1990experiments`.

    .. math:: f(x,y)=\tfrac12\,(x^4-16x^2+5x)+\tfrac12\,(y^4-16y^2+5y)

    The minimum is f = -78.332 at x = y = -2.9035; in the other wells x or y is 2.7468, and f = -64.196 or -50.059. At
    the start the Hessian is -16 times the identity: pure Newton walks to the maximum at x = y = 0.1567.

    >>> import secondorder as so
    >>> p = so.problems.styblinski_tang()
    >>> round(p.f_star, 10), p.x_star.round(6)
    (-78.3323314075, array([-2.903534, -2.903534]))
    """
    x = -2.903534027771177
    return StyblinskiTang("styblinski_tang", (0.0, 0.0), [(x, x)], -78.33233140754285)


class MonkeySaddle(Plane):
    """Made by :func:`monkey_saddle`."""

    window = (-4.5, 4.5, -4.5, 4.5)

    def values(self, X: Array, Y: Array) -> Array:
        return X**3 - 3.0 * X * Y**2 + 0.25 * (X**2 + Y**2) ** 2

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        square = x**2 + y**2
        return 3.0 * (x**2 - y**2) + square * x, -6.0 * x * y + square * y

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        square = x**2 + y**2
        return 6.0 * x + square + 2.0 * x**2, 2.0 * x * y - 6.0 * y, square + 2.0 * y**2 - 6.0 * x


def monkey_saddle() -> MonkeySaddle:
    r"""A saddle for two legs and a tail, from (1, 0.1): at the origin the Hessian is zero, yet three ways lead down.

    .. math:: f(x,y)=x^3-3xy^2+\tfrac14(x^2+y^2)^2

    The quartic term bounds the classical saddle :math:`x^3-3xy^2` from below; it changes nothing up to third order.
    The minima are (-3, 0) and :math:`(\tfrac32,\pm\tfrac32\sqrt3)`, with f = -6.75. Pure Newton converges to the origin,
    linearly with ratio 1/2; there the gradient and the Hessian vanish, and no second-order test tells it from a minimum.

    >>> import numpy as np
    >>> import secondorder as so
    >>> p = so.problems.monkey_saddle()
    >>> x = 1e-3 * p.x0
    >>> (x - np.linalg.solve(p.hess(x), p.grad(x))).round(6), bool(np.any(p.hess(0.0 * x)))
    (array([5.e-04, 5.e-05]), False)
    """
    root = 1.5 * math.sqrt(3.0)
    return MonkeySaddle("monkey_saddle", (1.0, 0.1), [(-3.0, 0.0), (1.5, root), (1.5, -root)], -6.75)


def _sin(x: Any) -> Any:
    return array_api_compat.array_namespace(x).sin(x)


def _cos(x: Any) -> Any:
    return array_api_compat.array_namespace(x).cos(x)
