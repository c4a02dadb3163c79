"""Balls: their boundary is curved, and every point of it is a corner of its own."""

from __future__ import annotations

import math

import numpy as np

from secondorder.arrays import Array, namespace, norm
from secondorder.checks import size, whole
from secondorder.sets.feasible_set import FeasibleSet


class L2Ball(FeasibleSet):
    r"""The Euclidean ball :math:`\{\|x\|_2\le r\}`.

    .. math:: \mathrm{lmo}(g)=-r\,\frac g{\|g\|_2}\qquad(0\text{ for }g=0)

    Parameters
    ----------
    d : int ≥ 1
    radius : float > 0, default 1

    >>> ball = L2Ball(2, radius=5.0)
    >>> ball.lmo(np.asarray([-3.0, 4.0])), ball.project(np.asarray([6.0, 8.0]))
    (array([ 3., -4.]), array([3., 4.]))
    """

    def __init__(self, d: int, radius: float = 1.0) -> None:
        self.d, self.radius = whole("d", d), size("radius", radius)
        self.start, self.diameter = np.zeros(self.d), 2.0 * self.radius

    def lmo(self, grad: Array) -> Array:
        return -self.radius * _unit(grad)

    def project(self, x: Array) -> Array:
        return x if norm(x) <= self.radius else self.radius * _unit(x)

    def violation(self, x: Array) -> float:
        return max(0.0, norm(x) - self.radius)


class LpBall(FeasibleSet):
    r"""The ball :math:`\{\|x\|_p\le r\}` for :math:`1<p<\infty`, with :math:`\frac1p+\frac1q=1`.

    .. math:: \mathrm{lmo}(g)_i=-r\,\mathrm{sgn}(g_i)\frac{|g_i|^{q-1}}{\|g\|_q^{q-1}}\qquad(0\text{ for }g=0)

    Parameters
    ----------
    d : int ≥ 1
    p : float > 1
        For 1, 2 and infinity there are :class:`L1Ball`, :class:`L2Ball` and :class:`LinfBall`.
    radius : float > 0, default 1

    There is no ``project``: it has no closed form.

    >>> LpBall(2, p=3.0).lmo(np.asarray([-4.0, 1.0])).round(4)
    array([ 0.9615, -0.4807])
    """

    def __init__(self, d: int, p: float, radius: float = 1.0) -> None:
        self.d, self.p, self.radius = whole("d", d), size("p", p), size("radius", radius)
        if self.p <= 1.0:
            raise ValueError(f"p must be above 1 (for 1 there is L1Ball); got {p!r}")
        self.start = np.zeros(self.d)
        self.diameter = 2.0 * self.radius * max(1.0, self.d ** (0.5 - 1.0 / self.p))

    def lmo(self, grad: Array) -> Array:
        xp, q = namespace(grad), self.p / (self.p - 1.0)
        sizes = xp.abs(_scaled(grad))
        total = float(xp.sum(sizes**q))
        return -self.radius / max(total, 1.0) ** (1.0 / self.p) * xp.sign(grad) * sizes ** (q - 1.0)

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        largest = float(xp.max(xp.abs(x)))
        return max(0.0, largest * float(xp.sum(xp.abs(_scaled(x)) ** self.p)) ** (1.0 / self.p) - self.radius)

    def __str__(self) -> str:
        return f"LpBall({self.d}, {self.p:g})"


class NonnegativeL2Ball(FeasibleSet):
    r"""The part :math:`\{x\ge0,\ \|x\|_2\le r\}` of the Euclidean ball with no negative entry.

    .. math:: \mathrm{lmo}(g)=r\,\frac{(-g)_+}{\|(-g)_+\|_2}\qquad(0\text{ if }g\ge0)

    Parameters
    ----------
    d : int ≥ 1
    radius : float > 0, default 1

    The projection clips to the orthant, then shortens to the radius.

    >>> part = NonnegativeL2Ball(3, radius=5.0)
    >>> part.lmo(np.asarray([-3.0, -4.0, 1.0])), part.project(np.asarray([6.0, 8.0, -1.0]))
    (array([3., 4., 0.]), array([3., 4., 0.]))
    """

    def __init__(self, d: int, radius: float = 1.0) -> None:
        self.d, self.radius = whole("d", d), size("radius", radius)
        self.start = np.full(self.d, 0.5 * self.radius / math.sqrt(self.d))
        self.diameter = self.radius * (math.sqrt(2.0) if self.d > 1 else 1.0)

    def lmo(self, grad: Array) -> Array:
        return self.radius * _unit(namespace(grad).clip(-grad, 0.0, None))

    def project(self, x: Array) -> Array:
        inside = namespace(x).clip(x, 0.0, None)
        return inside if norm(inside) <= self.radius else self.radius * _unit(inside)

    def violation(self, x: Array) -> float:
        return max(0.0, -float(namespace(x).min(x)), norm(x) - self.radius)


def _scaled(x: Array) -> Array:
    """x over its largest entry, so that powers neither overflow nor vanish; 0 stays 0."""
    xp = namespace(x)
    largest = float(xp.max(xp.abs(x)))
    return x / largest if largest > 0.0 else x


def _unit(x: Array) -> Array:
    """x over its Euclidean norm; 0 stays 0."""
    scaled = _scaled(x)
    return scaled / max(norm(scaled), 1.0)
