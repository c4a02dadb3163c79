"""Exact first and second derivatives of a formula, carried along while it is evaluated.

A jet holds, for every entry of an array u that depends on x, the value, the gradient and the Hessian. Sums, products
and elementary functions act on all three by the rules of calculus,

    (uv)' = u v' + v u',    (uv)'' = u v'' + v u'' + u' v'^T + v' u'^T,    φ(u)'' = φ'(u) u'' + φ''(u) u' u'^T,

so a formula written once gives its derivatives to rounding. It costs memory (m, d, d): for small d.

>>> import numpy as np
>>> x = variables(np.asarray([2.0, 3.0]))
>>> a, b = coordinates(x)
>>> u = a**2 * exp(b - 3.0)
>>> u.value, u.first, u.second
(array([4.]), array([[4., 4.]]), array([[[2., 4.],
        [4., 4.]]]))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from secondorder.arrays import Array, namespace


class Jet:
    """``value`` (m,), ``first`` (m, d) and ``second`` (m, d, d). Shapes (1,) and (m,) combine as arrays do.

    An array of constants stands to the right of a jet, as in ``u * t``: to its left, some libraries refuse.
    """

    __array_ufunc__ = None  # so that NumPy does not take a jet for a number

    def __init__(self, value: Array, first: Array, second: Array) -> None:
        xp = namespace(value)
        m, d = value.shape[0], first.shape[1]
        self.value = value
        self.first = xp.broadcast_to(first, (m, d))
        self.second = xp.broadcast_to(second, (m, d, d))

    @property
    def shape(self) -> tuple[int]:
        return self.value.shape

    def __getitem__(self, part: slice) -> Jet:
        return Jet(self.value[part], self.first[part, :], self.second[part, :, :])

    def __add__(self, other: Any) -> Jet:
        if isinstance(other, Jet):
            return Jet(self.value + other.value, self.first + other.first, self.second + other.second)
        return Jet(self.value + other, self.first, self.second)

    def __mul__(self, other: Any) -> Jet:
        u, v = self, other
        if not isinstance(v, Jet):
            c = v * namespace(u.value).ones_like(u.value)
            return Jet(c * u.value, c[:, None] * u.first, c[:, None, None] * u.second)
        cross = u.first[:, :, None] * v.first[:, None, :]
        cross = cross + namespace(cross).matrix_transpose(cross)
        return Jet(
            u.value * v.value,
            u.value[:, None] * v.first + v.value[:, None] * u.first,
            u.value[:, None, None] * v.second + v.value[:, None, None] * u.second + cross,
        )

    def __pow__(self, p: float) -> Jet:
        u = self.value
        return self.chain(u**p, p * u ** (p - 1.0), p * (p - 1.0) * u ** (p - 2.0))

    def chain(self, value: Array, slope: Array, curvature: Array) -> Jet:
        """φ(u) from the entries of φ(u), φ'(u) and φ''(u)."""
        outer = self.first[:, :, None] * self.first[:, None, :]
        return Jet(
            value,
            slope[:, None] * self.first,
            slope[:, None, None] * self.second + curvature[:, None, None] * outer,
        )

    def __neg__(self) -> Jet:
        return self * -1.0

    def __sub__(self, other: Any) -> Jet:
        return self + -other

    def __rsub__(self, other: Any) -> Jet:
        return -self + other

    def __truediv__(self, other: Any) -> Jet:
        return self * other**-1.0

    def __rtruediv__(self, other: Any) -> Jet:
        return self**-1.0 * other

    __radd__ = __add__
    __rmul__ = __mul__


def variables(x: Array) -> Jet:
    """The jet of x itself."""
    xp = namespace(x)
    d = x.shape[0]
    return Jet(x, xp.eye(d, dtype=x.dtype), xp.zeros((d, d, d), dtype=x.dtype))


def coordinates(x: Any) -> list[Any]:
    """The entries of an array or jet, each of shape (1,)."""
    return [x[i : i + 1] for i in range(x.shape[0])]


def join(parts: list[Any]) -> Any:
    """Arrays or jets one after the other."""
    if isinstance(parts[0], Jet):
        join = namespace(parts[0].value).concat
        return Jet(*(join([getattr(part, each) for part in parts]) for each in ("value", "first", "second")))
    return namespace(parts[0]).concat(parts)


def total(u: Any) -> Any:
    """The sum of the entries, of shape (1,)."""
    if isinstance(u, Jet):
        add = namespace(u.value).sum
        return Jet(*(add(part, axis=0, keepdims=True) for part in (u.value, u.first, u.second)))
    return namespace(u).sum(u, axis=0, keepdims=True)


def power(u: Any, v: Any) -> Any:
    """u^v for positive u, either of them a jet or an array.

    >>> import numpy as np
    >>> power(np.asarray([4.0]), variables(np.asarray([0.5]))).value
    array([2.])
    """
    return exp(v * log(u))


def _elementary(name: str, slopes: Callable[[Any, Array], tuple[Array, Array]]) -> Callable[[Any], Any]:
    """The function of the array library called ``name``, of arrays and of jets; ``slopes`` are φ' and φ''."""

    def function(u: Any) -> Any:
        v = u.value if isinstance(u, Jet) else u
        xp = namespace(v)
        value = getattr(xp, name)(v)
        return u.chain(value, *slopes(xp, v)) if isinstance(u, Jet) else value

    return function


exp = _elementary("exp", lambda xp, u: (xp.exp(u), xp.exp(u)))
log = _elementary("log", lambda xp, u: (1.0 / u, -1.0 / u**2))
sin = _elementary("sin", lambda xp, u: (xp.cos(u), -xp.sin(u)))
cos = _elementary("cos", lambda xp, u: (-xp.sin(u), -xp.cos(u)))
atan = _elementary("atan", lambda xp, u: (1.0 / (1.0 + u**2), -2.0 * u / (1.0 + u**2) ** 2))
sqrt = _elementary("sqrt", lambda xp, u: (0.5 / xp.sqrt(u), -0.25 / (u * xp.sqrt(u))))
absolute = _elementary("abs", lambda xp, u: (xp.sign(u), xp.zeros_like(u)))
