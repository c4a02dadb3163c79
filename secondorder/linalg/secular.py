"""Secular equations: the global minimisers of the cubic and of the trust-region model, hard case included."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from secondorder.arrays import Array, namespace, norm
from secondorder.linalg.dense import Eigen


class ModelStep(NamedTuple):
    r"""A global minimiser of a model.

    ``multiplier`` is the :math:`\lambda` with :math:`(H+\lambda I)h=-g`, ``decrease`` is what the model promises,
    :math:`-m(h)`, and ``hard`` says that the step leaves along an eigenvector on which the gradient has no component.
    """

    step: Array
    radius: float
    multiplier: float
    decrease: float
    hard: bool


def cauchy_length(grad: Array, Hg: Array) -> float:
    r"""The distance along :math:`-g` to the extremum of the quadratic model, :math:`\|g\|^3/|g^\top Hg|`; 1 if there is none.

    It has the units of x, and so gives a first trust radius; :math:`\|g\|` over its square has those of a cubic weight.

    Reference: :cite:`conn2000trust`, §17.2.

    >>> import numpy as np
    >>> cauchy_length(np.asarray([0.0, 2.0]), np.asarray([0.0, 8.0]))
    0.5
    """
    size, curvature = norm(grad), abs(float(grad @ Hg))
    length = size**3 / curvature if curvature > 0.0 else 0.0
    return length if 0.0 < length < math.inf else 1.0


def cubic_step(grad: Array, H: Eigen, M: float) -> ModelStep:
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
    c, distance, pole = _shifted(grad, H)
    size = abs(c)
    width = distance + pole + namespace(c).sqrt((distance - pole) ** 2 + 2.0 * M * size)
    start = _quotient(M * size - 2.0 * distance * pole, width)
    h, t, hard = _minimiser(c, distance, pole, start, lambda t: (2.0 * (pole + t) / M, 2.0 / M))
    radius, multiplier = norm(h), pole + t
    return ModelStep(H.vectors @ h, radius, multiplier, _half(h, distance + t) + M / 12.0 * radius**3, hard)


def trust_region_step(grad: Array, H: Eigen, radius: float) -> ModelStep:
    r"""The global minimiser of :math:`m(h)=g^\top h+\tfrac12h^\top Hh` over :math:`\|h\|\le\Delta`.

    Reference: :cite:`more1983computing`. A step is such a minimiser exactly when for some :math:`\lambda\ge0`

    .. math:: (H+\lambda I)h=-g,\qquad H+\lambda I\succeq0,\qquad \lambda(\Delta-\|h\|)=0 .

    Either the Newton step lies inside, or :math:`\lambda` is the root of the concave increasing function
    :math:`1/\|h(\lambda)\|-1/\Delta`, sought as in :func:`cubic_step` by Newton's method from the left in the distance
    from the pole.

    Parameters
    ----------
    grad : array (d,)
    H : Eigen
        The eigendecomposition of the Hessian.
    radius : float > 0
        The trust radius :math:`\Delta`, in the units of the step.

    Cost: as for :func:`cubic_step`.

    >>> import numpy as np
    >>> from secondorder.linalg import eigen
    >>> answer = trust_region_step(np.asarray([0.0, 1.0]), eigen(np.diag([-2.0, 1.0])), 1.0)   # the hard case
    >>> answer.hard, answer.multiplier, np.abs(answer.step).round(6)
    (True, 2.0, array([0.942809, 0.333333]))
    """
    c, distance, pole = _shifted(grad, H)
    start = abs(c) / radius - distance
    h, t, hard = _minimiser(c, distance, pole, start, lambda t: (radius, 0.0))
    length, multiplier = norm(h), pole + t
    return ModelStep(
        H.vectors @ h, length, multiplier, _half(h, distance + t) + 0.5 * multiplier * length**2, hard
    )  # fmt: skip


def _shifted(grad: Array, H: Eigen) -> tuple[Array, Array, float]:
    """The gradient in the eigenbasis, and the spectrum as its distance from the pole max(0, -lambda_1)."""
    pole = max(0.0, -float(H.values[0]))
    return H.vectors.T @ grad, H.values + pole, pole


def _minimiser(
    c: Array, distance: Array, pole: float, start: Array, allowed: Callable[[float], tuple[float, float]]
) -> tuple[Array, float, bool]:
    """The step -c / (distance + t) whose length is the ``allowed`` one at t, a function with its derivative; with t,
    and whether it is the hard case. ``start`` bounds t from below, component by component."""
    xp = namespace(c)
    longest, _ = allowed(0.0)
    inside = bool(xp.all(abs(c) <= distance * longest)) and norm(_quotient(c, distance)) <= longest
    t = 0.0 if inside else _root(abs(c), distance, max(0.0, float(xp.max(start))), allowed)
    h = -_quotient(c, distance + t)
    hard = inside and pole > 0.0
    if hard:
        missing = math.sqrt(max(0.0, longest**2 - norm(h) ** 2))
        h = xp.where(xp.arange(c.shape[0]) == 0, xp.full_like(h, missing), h)
    return h, t, hard


def _root(size: Array, distance: Array, t: float, allowed: Callable[[float], tuple[float, float]]) -> float:
    """Newton's method from the left for 1 / length = 1 / allowed."""
    xp = namespace(size)
    for _ in range(100):
        h = _quotient(size, distance + t)
        length = norm(h)
        if length == 0.0:  # a gradient near 1e-160: its square underflows
            break
        u, (limit, growth) = h / length, allowed(t)
        phi = 1.0 / length - 1.0 / limit
        slope = float(xp.sum(_quotient(u * u, distance + t))) / length + growth / limit / limit
        if not t - phi / slope > t:
            break
        t = t - phi / slope
    return t


def _half(h: Array, weights: Array) -> float:
    return 0.5 * float(namespace(h).sum(weights * h * h))


def _quotient(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is 0."""
    xp = namespace(a)
    return xp.where(b == 0.0, xp.zeros_like(a), a / xp.where(b == 0.0, xp.ones_like(b), b))
