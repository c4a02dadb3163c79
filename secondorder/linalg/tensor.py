"""The regularised third-order model of a convex function: its step, without its third derivative as an array."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import NamedTuple

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.linalg.dense import Eigen
from secondorder.linalg.line_search import rounding
from secondorder.linalg.secular import ModelStep, _half, _minimiser, _shifted

SMOOTHNESS = 1.0 + 1.0 / math.sqrt(2.0)
r"""The Hessian of the model is at most this times that of :math:`\rho`, see :func:`tensor_step`."""

CONVEXITY = 1.0 - 1.0 / math.sqrt(2.0)
r"""The Hessian of the model is at least this times that of :math:`\rho`."""

INNER_STEPS = 50
"""At most so many inner steps; with a valid M they shrink the Bregman distance by 8e-5."""

ACCURACY = 1.0 / 6.0
"""How small the gradient of the model is, relative to that of f at the same point."""


class TensorStep(NamedTuple):
    r"""A step that nearly minimises the third-order model :math:`\Omega`.

    ``new_grad`` is :math:`\nabla f(x+h)`, ``residual`` :math:`\|\nabla\Omega(h)\|`, ``decrease`` :math:`-\Omega(h)`,
    ``inner`` the number of inner steps; ``solved`` says that the residual is at most a sixth of :math:`\|\nabla f(x+h)\|`.
    """

    step: Array
    radius: float
    new_grad: Array
    residual: float
    decrease: float
    inner: int
    solved: bool


def quartic_step(grad: Array, H: Eigen, c: float) -> ModelStep:
    r"""The global minimiser of the quartic model :math:`m(h)=g^\top h+\tfrac12h^\top Hh+\tfrac c4\|h\|^4`.

    A step h is such a minimiser exactly when, with :math:`s=c\|h\|^2`,

    .. math:: (H+sI)h=-g,\qquad H+sI\succeq0 .

    The root s of :math:`1/\|h(s)\|-\sqrt{c/s}`, concave and increasing, is sought as in
    :func:`secondorder.linalg.cubic_step` by Newton's method from the left.

    Parameters
    ----------
    grad : array (d,)
    H : Eigen
        The eigendecomposition, which may serve for many gradients.
    c : float > 0
        The quartic constant; of a third-order model with M/24 it is M/6.

    Cost: as for :func:`secondorder.linalg.cubic_step`.

    >>> import numpy as np
    >>> from secondorder.linalg import eigen
    >>> answer = quartic_step(np.asarray([0.0, 2.0]), eigen(np.eye(2)), 1.0)   # h + h^3 = -2
    >>> answer.step.round(12), round(answer.multiplier, 12)
    (array([ 0., -1.]), 1.0)
    """
    gradient, distance, pole = _shifted(grad, H)
    xp, size = namespace(gradient), abs(gradient)
    if (
        pole > 0.0
    ):  # (pole + t) (distance + t)^2 >= c g^2 for every component: either t > pole or 2 pole bounds the first factor
        start = size * math.sqrt(c / (2.0 * pole)) - distance
        start = xp.where(start > pole, xp.full_like(start, pole), start)
    else:  # t (distance + t)^2 >= c g^2, of which the larger of the two summands is at least half
        root = (0.25 * c * size * size) ** (1.0 / 3.0)
        far = distance > root
        start = xp.where(far, root * (root / xp.where(far, distance, xp.ones_like(root))) ** 2, root)

    def allowed(t: float) -> tuple[float, float]:
        longest = math.sqrt((pole + t) / c)
        return longest, 0.5 / max(c * longest, sys.float_info.min)

    h, t, hard = _minimiser(gradient, distance, pole, start, allowed)
    radius, multiplier = norm(h), pole + t
    return ModelStep(H.vectors @ h, radius, multiplier, _half(h, distance + t) + 0.25 * c * radius**4, hard)


def tensor_step(
    grad: Array, H: Eigen, third: Callable[[Array], Array], gradient: Callable[[Array], Array], M: float
) -> TensorStep:
    r"""A step that nearly minimises :math:`\Omega(h)=g^\top h+\tfrac12h^\top Hh+\tfrac16D^3f[h]^3+\tfrac M{24}\|h\|^4`.

    Reference: :cite:`nesterov2021implementable`. For a convex f with :math:`L_3`-Lipschitz third derivative and
    :math:`M\ge6L_3` the model is convex, and close to :math:`\rho(h)=\tfrac12h^\top Hh+\tfrac M{24}\|h\|^4`:

    .. math:: (1-\tfrac1{\sqrt2})\,\nabla^2\rho(h)\preceq\nabla^2\Omega(h)\preceq(1+\tfrac1{\sqrt2})\,\nabla^2\rho(h) .

    Hence gradient steps measured by :math:`\rho` instead of a norm converge linearly, whatever the conditioning: with
    :math:`\beta(h,y)=\rho(y)-\rho(h)-\nabla\rho(h)^\top(y-h)` and :math:`L=1+1/\sqrt2`,

    .. math::

        h_{j+1}=\arg\min_y\big\{\nabla\Omega(h_j)^\top y+L\,\beta(h_j,y)\big\},\qquad
        \beta(h_{j+1},h^*)\le0.83\,\beta(h_j,h^*) .

    Each is a :func:`quartic_step` and costs one :math:`D^3f[h,h]`. The first point is the minimiser of
    :math:`g^\top h+\rho(h)`, for which none is needed. They end where
    :math:`\|\nabla\Omega(h)\|\le\frac16\|\nabla f(x+h)\|`, and, unsolved, where :math:`\Omega` rises: M is too small then.

    Parameters
    ----------
    grad : array (d,)
    H : Eigen
        The Hessian, positive semidefinite.
    third, gradient : callable
        :math:`D^3f(x)[h,h]` and :math:`\nabla f(x+h)`, of h.
    M : float > 0
        The quartic constant.

    Cost: an inner step is a ``third``, a ``gradient`` and :math:`O(d^2)`.

    >>> import numpy as np
    >>> from secondorder.linalg import eigen
    >>> found = tensor_step(np.asarray([-1.0]), eigen(np.zeros((1, 1))), lambda h: 0.0 * h, lambda h: h**3 - 1.0, M=6.0)
    >>> found.step, found.inner, found.solved
    (array([1.]), 1, True)
    """
    c, best, eps = M / 6.0, -math.inf, epsilon(grad)
    quartic, D3 = quartic_step(grad, H, c), namespace(grad).zeros_like(grad)
    for inner in range(1, INNER_STEPS + 1):
        h = quartic.step
        D3, Hh, quarter = third(h), H @ h, c * quartic.radius**2 * h
        model_grad, new_grad = grad + 0.5 * D3 + Hh + quarter, gradient(h)
        residual = norm(model_grad)
        decrease = -float(h @ (grad + D3 / 6.0 + 0.5 * Hh + 0.25 * quarter))
        solved = residual <= ACCURACY * norm(new_grad) or residual <= rounding(norm(grad), 0.0, eps)
        if solved or inner == INNER_STEPS or decrease + rounding(decrease, decrease, eps) < best:
            break
        best, quartic = decrease, quartic_step(model_grad / SMOOTHNESS - Hh - quarter, H, c)
    return TensorStep(h, quartic.radius, new_grad, residual, decrease, inner, solved)
