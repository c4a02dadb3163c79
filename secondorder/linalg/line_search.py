"""Backtracking, and how much of a change in f may be rounding."""

from __future__ import annotations

import math
from collections.abc import Callable

ROUNDING_UNITS = 1e3


def rounding(f: float, f_new: float, epsilon: float) -> float:
    r"""The allowance :math:`10^3\,\epsilon\max(|f|, |f^+|)` in a test of decrease.

    Near a solution such tests fail only because f is rounded.

    >>> rounding(1.0, 0.5, 1e-16)
    1e-13
    """
    return ROUNDING_UNITS * epsilon * max(abs(f), abs(f_new))


def armijo(
    phi: Callable[[float], float],
    f: float,
    slope: float,
    epsilon: float,
    sufficient_decrease: float = 1e-4,
    backtracking: float = 0.5,
    max_trials: int = 60,
) -> tuple[float, float, int] | None:
    r"""The first :math:`\alpha=\beta^j` with :math:`\varphi(\alpha)\le f+c_1\alpha\,\varphi'(0)`, see
    :cite:`nocedal2006numerical`, Algorithm 3.1.

    Parameters
    ----------
    phi : callable
        The value along the direction; not finite means outside the domain, and fails the test.
    f, slope : float
        ``phi(0)`` and ``phi'(0)``; the slope must be negative.
    epsilon : float
        Rounding unit, for the allowance :func:`rounding`.

    Returns
    -------
    (step_size, value, trials), or None when ``max_trials`` did not find a decrease.

    >>> armijo(lambda a: (1 - 3 * a) ** 2, 1.0, -6.0, 1e-16)
    (0.5, 0.25, 2)
    """
    step_size = 1.0
    for trials in range(1, max_trials + 1):
        value = phi(step_size)
        if math.isfinite(value):
            allowance = rounding(f, value, epsilon)
            if value <= f + sufficient_decrease * step_size * slope + allowance:
                return step_size, value, trials
        step_size *= backtracking
    return None
