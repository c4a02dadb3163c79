r"""Exponential multistep steps: the linear part of the probability-flow equation exactly, the rest from past predictions.

With :math:`\lambda=\log(\alpha/\sigma)`, :math:`h=\lambda_t-\lambda_s` and a prediction that is a polynomial in
:math:`\lambda`, the equation is solved exactly by

.. math::

    x_t=\frac{\alpha_t}{\alpha_s}x_s-\sigma_t\int_0^he^{h-\tau}\,\varepsilon(\tau)\,d\tau
       =\frac{\sigma_t}{\sigma_s}x_s+\alpha_t\int_0^he^{\tau-h}\,\hat x_0(\tau)\,d\tau .
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from secondorder.arrays import Array
from secondorder.schedules import Level

Prediction = Literal["data", "noise"]


def multistep_increment(
    past: Sequence[Array],
    levels: Sequence[Level],
    target: Level,
    prediction: Prediction = "data",
    *,
    corrected: bool = False,
) -> Array:
    r"""The integral, for the step from ``levels[0]`` to ``target``.

    Order 1 holds the newest prediction :math:`m_0` constant; order 2 is the midpoint form of DPM-Solver++(2M),
    :math:`m_0+\tfrac12D_1`; order 3 adds first and second differences with their exact weights :cite:`lu2022dpmpp`.
    The published code of order 3 has :math:`D_2=\tfrac12h^2m''` where the weight belongs to :math:`h^2m''`: it is of
    second order. ``corrected`` doubles it.

    Parameters
    ----------
    past : one to three arrays (n, d)
        Predictions, the newest first; as many as the order.
    levels : as many levels
        Where they were made.
    target : Level
        Where the step goes. A step to :math:`\sigma=0` is of order 1: there :math:`h=\infty`.
    prediction : {"data", "noise"}, default "data"
        Which of the two was predicted.
    corrected : bool, default False
        Use :math:`h^2m''`.

    >>> from secondorder.schedules import noise_grid
    >>> import numpy as np
    >>> s, t = noise_grid(1, "ve", sigma_min=1.0, sigma_max=2.0).levels
    >>> multistep_increment([np.asarray([[4.0]])], [s], t)          # half of the way to 4
    array([[2.]])
    """
    s = levels[0]
    sign = -1.0 if prediction == "noise" else 1.0
    whole = constant_weight(s, target, prediction)
    increment = sign * whole * past[0]
    if len(past) == 1 or target.sigma == 0.0:
        return increment
    h = target.half_log_snr - s.half_log_snr
    r0 = (s.half_log_snr - levels[1].half_log_snr) / h
    first = (past[0] - past[1]) / r0
    if len(past) == 2:
        return increment + (0.5 * sign * whole) * first
    r1 = (levels[1].half_log_snr - levels[2].half_log_snr) / h
    difference = first - (past[1] - past[2]) / r1
    second = (2.0 if corrected else 1.0) / (r0 + r1) * difference
    first = first + (r0 / (r0 + r1)) * difference
    scale, phi1, phi2 = weights(h, target, prediction)
    return increment + (sign * scale) * (phi1 * first + phi2 * second)


def constant_weight(s: Level, t: Level, prediction: Prediction) -> float:
    r"""The integral for a prediction of 1: :math:`\sigma_t(e^h-1)`, or :math:`\alpha_t(1-e^{-h})`."""
    if prediction == "noise":
        return t.alpha * (s.ratio - t.ratio)
    return t.alpha - s.alpha * t.sigma / s.sigma


def weights(h: float, t: Level, prediction: Prediction) -> tuple[float, float, float]:
    r"""The scale :math:`\sigma_t` or :math:`\alpha_t`, and the integrals of :math:`\tau/h` and :math:`\tau^2/(2h^2)`."""
    if prediction == "noise":
        return t.sigma, math.expm1(h) / h - 1.0, (math.expm1(h) - h) / h**2 - 0.5
    return t.alpha, 1.0 + math.expm1(-h) / h, 0.5 - (h + math.expm1(-h)) / h**2


def step_orders(steps: int, order: int, lower_order_final: bool = True) -> list[int]:
    """The order of each step: it grows with the history; of fewer than 15 steps the last is of order 1, the one before
    at most of order 2.

    >>> step_orders(5, 3), step_orders(15, 2)[-2:]
    ([1, 2, 3, 2, 1], [2, 2])
    """
    fall = lower_order_final and steps < 15
    return [min(order, i + 1, steps - i if fall else order) for i in range(steps)]
