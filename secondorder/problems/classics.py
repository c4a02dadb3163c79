"""Small functions whose every derivative fits on a line: five to look at, and the worst case of the theory."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.checks import whole
from secondorder.oracles import Problem


class Plane(Problem):
    """A function of two variables that can be drawn.

    A subclass gives ``values(X, Y)``, ``slopes(x, y)`` (two numbers) and ``curvatures(x, y)`` (xx, xy and yy).
    ``window`` is (xmin, xmax, ymin, ymax), the part worth drawing; ``minima``, shape (m, 2), are the global minima.
    """

    window: ClassVar[tuple[float, float, float, float]]

    def __init__(self, name: str, x0: tuple[float, float], minima: list[tuple[float, float]], f_star: float) -> None:
        super().__init__(x0=x0, name=name, f_star=f_star, fresh=True)
        self.minima = np.asarray(minima)
        self.x_star = self.minima[0].copy()

    @abstractmethod
    def values(self, X: Array, Y: Array) -> Array:
        """f at all points (X, Y) of a grid: two arrays of one shape give an array of that shape."""

    @abstractmethod
    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The two partial derivatives."""

    @abstractmethod
    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        """The second derivatives xx, xy and yy."""

    def f(self, x: Array) -> Array:
        return self.values(*_pair(x))

    def grad(self, x: Array) -> Array:
        return namespace(x).stack(self.slopes(*_pair(x)))

    def hess(self, x: Array) -> Array:
        xp = namespace(x)
        xx, xy, yy = self.curvatures(*_pair(x))
        return xp.reshape(xp.stack([xx, xy, xy, yy]), (2, 2))

    def hvp(self, x: Array, v: Array) -> Array:
        return self.hess(x) @ v


def _pair(x: Array) -> tuple[Any, Any]:
    if x.shape != (2,):
        raise ValueError(
            f"x must be a vector of shape (2,); got shape {tuple(x.shape)} (for grids there is values(X, Y))"
        )
    return x[0], x[1]


class Rosenbrock(Plane):
    """Made by :func:`rosenbrock`."""

    window = (-2.0, 2.0, -1.0, 3.0)

    def values(self, X: Array, Y: Array) -> Array:
        return (1.0 - X) ** 2 + 100.0 * (Y - X**2) ** 2

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return -2.0 * (1.0 - x) - 400.0 * x * (y - x**2), 200.0 * (y - x**2)

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 2.0 - 400.0 * (y - 3.0 * x**2), -400.0 * x, 200.0 + 0.0 * y


def rosenbrock() -> Rosenbrock:
    r"""The curved valley of :cite:`rosenbrock1960automatic`, from (-1.2, 1).

    .. math:: f(x,y)=(1-x)^2+100\,(y-x^2)^2

    One minimum, f = 0 at (1, 1). The Hessian is indefinite above the parabola :math:`y=x^2+\tfrac1{200}`.

    >>> import secondorder as so
    >>> p = so.problems.rosenbrock()
    >>> round(float(p.f(p.x0)), 12), p.x_star
    (24.2, array([1., 1.]))
    """
    return Rosenbrock("rosenbrock", (-1.2, 1.0), [(1.0, 1.0)], 0.0)


class Himmelblau(Plane):
    """Made by :func:`himmelblau`."""

    window = (-5.0, 5.0, -5.0, 5.0)

    def values(self, X: Array, Y: Array) -> Array:
        return (X**2 + Y - 11.0) ** 2 + (X + Y**2 - 7.0) ** 2

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        u, v = x**2 + y - 11.0, x + y**2 - 7.0
        return 4.0 * x * u + 2.0 * v, 2.0 * u + 4.0 * y * v

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 12.0 * x**2 + 4.0 * y - 42.0, 4.0 * (x + y), 12.0 * y**2 + 4.0 * x - 26.0


def himmelblau() -> Himmelblau:
    r"""Four minima, four saddles and a maximum between them, from (0, 0).

    .. math:: f(x,y)=(x^2+y-11)^2+(x+y^2-7)^2

    All four minima have f = 0, one of them at (3, 2). At the start the Hessian is negative definite: pure Newton
    walks to the maximum near (-0.27, -0.92).

    >>> import secondorder as so
    >>> p = so.problems.himmelblau()
    >>> p.minima.round(3)
    array([[ 3.   ,  2.   ],
           [-2.805,  3.131],
           [-3.779, -3.283],
           [ 3.584, -1.848]])
    """
    minima = [
        (3.0, 2.0),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.283185991286170),
        (3.584428340330492, -1.848126526964404),
    ]
    return Himmelblau("himmelblau", (0.0, 0.0), minima, 0.0)


class Saddle(Plane):
    """Made by :func:`saddle`."""

    window = (-1.5, 1.5, -2.2, 2.2)

    def values(self, X: Array, Y: Array) -> Array:
        return X**2 - Y**2 + 0.25 * Y**4

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return 2.0 * x, y**3 - 2.0 * y

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 2.0 + 0.0 * x, 0.0 * x, 3.0 * y**2 - 2.0


def saddle() -> Saddle:
    r"""A saddle at the origin between two minima, from (1, 0.1).

    .. math:: f(x,y)=x^2-y^2+\tfrac14y^4

    The minima are :math:`(0,\pm\sqrt2)` with f = -1. Pure Newton goes to the saddle; from (1, 0) the gradient never
    points away from it, and only a method that handles the hard case leaves.

    >>> import secondorder as so
    >>> p = so.problems.saddle()
    >>> p.f_star, p.minima.round(3)
    (-1.0, array([[ 0.   ,  1.414],
           [ 0.   , -1.414]]))
    """
    return Saddle("saddle", (1.0, 0.1), [(0.0, math.sqrt(2.0)), (0.0, -math.sqrt(2.0))], -1.0)


class DoubleWell(Plane):
    """Made by :func:`double_well`."""

    window = (-1.8, 1.8, -1.5, 1.5)

    def values(self, X: Array, Y: Array) -> Array:
        return 0.25 * (X**2 - 1.0) ** 2 + 0.5 * Y**2

    def slopes(self, x: Any, y: Any) -> tuple[Any, Any]:
        return x**3 - x, 1.0 * y

    def curvatures(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        return 3.0 * x**2 - 1.0, 0.0 * y, 1.0 + 0.0 * y


def double_well() -> DoubleWell:
    r"""Two wells and the pass between them, from (0.1, 1).

    .. math:: f(x,y)=\tfrac14(x^2-1)^2+\tfrac12y^2

    The minima are (±1, 0) with f = 0, the pass is the origin with f = 1/4. At the start the curvature in x is
    negative: pure Newton goes to the pass.

    >>> import secondorder as so
    >>> p = so.problems.double_well()
    >>> p.minima, p.hess(p.x0).round(2)
    (array([[ 1.,  0.],
           [-1.,  0.]]), array([[-0.97,  0.  ],
           [ 0.  ,  1.  ]]))
    """
    return DoubleWell("double_well", (0.1, 1.0), [(1.0, 0.0), (-1.0, 0.0)], 0.0)


class PseudoHuber(Problem):
    """Made by :func:`pseudo_huber`."""

    def __init__(self, d: int) -> None:
        super().__init__(x0=np.full(d, 1.5), name="pseudo_huber", f_star=float(d), fresh=True)
        self.x_star = np.zeros(d)

    def f(self, x: Array) -> Array:
        return namespace(x).sum(_hypotenuse(x))

    def grad(self, x: Array) -> Array:
        return x / _hypotenuse(x)

    def hess(self, x: Array) -> Array:
        xp = namespace(x)
        return (1.0 / _hypotenuse(x)) ** 3 * xp.eye(x.shape[0], dtype=x.dtype)

    def hvp(self, x: Array, v: Array) -> Array:
        return (1.0 / _hypotenuse(x)) ** 3 * v


def _hypotenuse(x: Array) -> Array:
    """sqrt(1 + x^2), which does not overflow."""
    xp = namespace(x)
    return xp.hypot(xp.ones_like(x), x)


def pseudo_huber(d: int = 1) -> PseudoHuber:
    r"""A convex function on which pure Newton diverges, from all entries 1.5.

    .. math:: f(x)=\sum_i\sqrt{1+x_i^2}

    Newton's step is :math:`x^+=-x^3` in every coordinate: it converges for :math:`|x|<1`, cubically, and diverges for
    :math:`|x|>1`. The minimum is d, at the origin.

    Parameters
    ----------
    d : int ≥ 1, default 1

    >>> import secondorder as so
    >>> p = so.problems.pseudo_huber()
    >>> p.x0 - p.grad(p.x0) / p.hess(p.x0)[0]
    array([-3.375])
    """
    return PseudoHuber(whole("d", d))


class Chain(Problem):
    """Made by :func:`chain`."""

    def __init__(self, d: int, p: float) -> None:
        super().__init__(x0=np.zeros(d), name="chain", f_star=-p * d / (p + 1.0), fresh=True)
        self.p = p
        self.A = np.eye(d) - np.eye(d, k=1)
        self.e1 = np.eye(d)[0]
        self.x_star = np.arange(d, 0, -1.0)
        norm_of_A = 2.0 * math.cos(math.pi / (2 * d + 1))
        self.lipschitz_hess = 2.0 * norm_of_A**3 if p == 2 else None
        self.lipschitz_third = 6.0 * norm_of_A**4 if p == 3 else None
        if p < 2:
            self.third = None  # type: ignore[assignment, method-assign]

    def f(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.sum(xp.abs(_forward(x)) ** (self.p + 1.0)) / (self.p + 1.0) - x[0]

    def grad(self, x: Array) -> Array:
        u = _forward(x)
        return _backward(namespace(x).abs(u) ** (self.p - 1.0) * u) - self.e1

    def hess(self, x: Array) -> Array:
        return self.A.T @ (self._weights(x)[:, None] * self.A)

    def hvp(self, x: Array, v: Array) -> Array:
        return _backward(self._weights(x) * _forward(v))

    def third(self, x: Array, h: Array) -> Array:
        xp, u = namespace(x), _forward(x)
        return _backward(self.p * (self.p - 1.0) * xp.abs(u) ** (self.p - 2.0) * xp.sign(u) * _forward(h) ** 2)

    def _weights(self, x: Array) -> Array:
        return self.p * namespace(x).abs(_forward(x)) ** (self.p - 1.0)


def _forward(x: Array) -> Array:
    """Ax: each entry less the next."""
    xp = namespace(x)
    return x - xp.concat([x[1:], xp.zeros_like(x[:1])])


def _backward(v: Array) -> Array:
    """A'v: each entry less the one before."""
    xp = namespace(v)
    return v - xp.concat([xp.zeros_like(v[:1]), v[:-1]])


def chain(d: int = 20, p: float = 2) -> Chain:
    r"""The worst case for methods of order p, see :cite:`nesterov2018lectures`, from the origin.

    .. math::

        f(x)=\frac1{p+1}\sum_{i=1}^d|(Ax)_i|^{p+1}-x_1,\qquad (Ax)_i=x_i-x_{i+1},\quad (Ax)_d=x_d

    Convex. The minimiser is :math:`x^*_i=d+1-i` with :math:`f^*=-\frac p{p+1}d`. The first coordinate alone appears in
    the gradient at the start, and each step unlocks about one more. At the start the Hessian is zero (p > 1), so
    pure Newton is undefined there.

    Parameters
    ----------
    d : int ≥ 1, default 20
    p : float ≥ 1, default 2
        f has a Lipschitz continuous p-th derivative. For p = 2, ``lipschitz_hess`` :math:`=2\|A\|^3<16` bounds the
        constant of the Hessian, with :math:`\|A\|=2\cos\frac\pi{2d+1}`, and for p = 3 ``lipschitz_third``
        :math:`=6\|A\|^4<96` that of the third derivative; otherwise they are None.

    >>> import secondorder as so
    >>> problem = so.problems.chain(3)
    >>> problem.x_star, problem.f_star, float(problem.f(problem.x_star))
    (array([3., 2., 1.]), -2.0, -2.0)
    """
    d = whole("d", d)
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 1.0 <= p < math.inf:
        raise ValueError(f"p must be a finite number, at least 1; got {p!r}")
    return Chain(d, float(p))
