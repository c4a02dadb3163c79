"""The secular equation of the cubic model, hard case included."""

from __future__ import annotations

import math
from typing import NamedTuple

from secondorder.arrays import Array, namespace, norm
from secondorder.linalg.dense import Eigen


class CubicStep(NamedTuple):
    r"""A global minimiser of the cubic model.

    ``multiplier`` is :math:`s=\frac M2\|h\|`, ``decrease`` is :math:`-m(h)\ge\frac M{12}\|h\|^3`, and ``hard`` that
    the step leaves along an eigenvector on which the gradient has no component.
    """

    step: Array
    radius: float
    multiplier: float
    decrease: float
    hard: bool


def cubic_step(grad: Array, H: Eigen, M: float) -> CubicStep:
    r"""The global minimiser of the cubic model :math:`m(h)=g^\top h+\tfrac12h^\top Hh+\tfrac M6\|h\|^3`.

    Reference: :cite:`nesterov2006cubic`, eq. 2.4 and section 5.1. A step h is such a minimiser exactly when, with
    :math:`s=\frac M2\|h\|`,

    .. math:: (H+sI)h=-g,\qquad H+sI\succeq0 .

    In the eigenbasis, with :math:`c=Q^\top g` and :math:`h(s)=-c/(\lambda+s)`, the root of

    .. math:: \phi(s)=\frac1{\|h(s)\|}-\frac M{2s}

    is sought on :math:`s>\max(0,-\lambda_1)`. :math:`\phi` is increasing and concave there, so Newton's method from the
    left of the root never overshoots it and needs no safeguard; the start is the largest of the roots of the
    one-dimensional problems. The unknown is the distance :math:`t=s+\lambda_1` from the pole (when
    :math:`\lambda_1\le0`), with denominators :math:`(\lambda_i-\lambda_1)+t`: in :math:`s` itself the accuracy is lost
    as soon as :math:`c_1` is tiny. In the hard case (:math:`c_1=0` and :math:`\|h(-\lambda_1)\|\le2|\lambda_1|/M`)
    no root exists, and the missing length goes along the eigenvector.

    Parameters
    ----------
    grad : array (d,)
    H : Eigen
        The eigendecomposition, which may serve for many gradients.
    M : float > 0
        The cubic constant. Conventions differ: this is :math:`M/6`; ARC's :math:`\sigma` is :math:`M/2`.

    Cost: :math:`O(d^2)` for the change of basis, :math:`O(d)` for each of some ten Newton steps.

    >>> import numpy as np
    >>> from secondorder.linalg import eigen
    >>> answer = cubic_step(np.asarray([0.0, 1.0]), eigen(np.diag([-2.0, 1.0])), 1.0)   # the hard case
    >>> answer.hard, round(-answer.decrease, 6), np.abs(answer.step).round(6)
    (True, -5.5, array([3.986087, 0.333333]))
    """
    xp = namespace(grad)
    c = H.vectors.T @ grad
    pole = max(0.0, -float(H.values[0]))
    distance = H.values + pole
    t, hard = _root(xp.abs(c), distance, pole, M)
    h = -_quotient(c, distance + t)
    if hard:
        missing = math.sqrt(max(0.0, (2.0 * pole / M) ** 2 - norm(h) ** 2))
        h = xp.where(xp.arange(c.shape[0]) == 0, xp.full_like(h, missing), h)
    radius = norm(h)
    decrease = 0.5 * float(xp.sum((distance + t) * h * h)) + M / 12.0 * radius**3
    return CubicStep(H.vectors @ h, radius, pole + t, decrease, hard)


def _root(size: Array, distance: Array, pole: float, M: float) -> tuple[float, bool]:
    """The distance t of the multiplier from the pole for components of this size, and whether it is the hard case."""
    xp = namespace(size)
    longest = 2.0 * pole / M
    if bool(xp.all(size <= distance * longest)) and norm(_quotient(size, distance)) <= longest:
        return 0.0, pole > 0.0
    width = distance + pole + xp.sqrt((distance - pole) ** 2 + 2.0 * M * size)
    t = max(0.0, float(xp.max(_quotient(M * size - 2.0 * distance * pole, width))))
    for _ in range(100):
        h = _quotient(size, distance + t)
        length = norm(h)
        if length == 0.0:  # a gradient near 1e-160: its square underflows
            break
        phi = 1.0 / length - 0.5 * M / (pole + t)
        u = h / length
        slope = float(xp.sum(_quotient(u * u, distance + t))) / length + 0.5 * M / (pole + t) / (pole + t)
        if not t - phi / slope > t:
            break
        t = t - phi / slope
    return t, False


def _quotient(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is 0."""
    xp = namespace(a)
    return xp.where(b == 0.0, xp.zeros_like(a), a / xp.where(b == 0.0, xp.ones_like(b), b))
