"""Backtracking, and how much of a change in f may be rounding."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

ROUNDING_UNITS = 1e3


@contextlib.contextmanager
def no_allowance() -> Iterator[None]:
    """Inside, tests of decrease allow nothing for rounding: what they decide otherwise is decided by rounding.

    >>> with no_allowance():
    ...     rounding(1.0, 0.5, 1e-16)
    0.0
    """
    global ROUNDING_UNITS
    usual, ROUNDING_UNITS = ROUNDING_UNITS, 0.0
    try:
        yield
    finally:
        ROUNDING_UNITS = usual


def rounding(f: float, f_new: float, epsilon: float) -> float:
    r"""The allowance :math:`10^3\,\epsilon\max(|f|, |f^+|)` in a test of decrease.

    Near a solution such tests fail only because f is rounded.

    >>> rounding(1.0, 0.5, 1e-16)
    1e-13
    """
    return ROUNDING_UNITS * epsilon * max(abs(f), abs(f_new))


def decreased(f: float, f_new: float, promised: float, epsilon: float) -> bool:
    """Whether f fell by what was promised, up to :func:`rounding`; never to a value that is not finite.

    >>> decreased(1.0, 0.5, 0.5, 1e-16), decreased(1.0, 0.5, 0.6, 1e-16), decreased(1.0, math.inf, 0.5, 1e-16)
    (True, False, False)
    """
    return math.isfinite(f_new) and f_new <= f - promised + rounding(f, f_new, epsilon)


def reduction_ratio(f: float, f_new: float, promised: float, epsilon: float) -> float:
    r"""What a step achieved over what its model promised, with the :func:`rounding` allowance on both sides.

    A value that is not finite, outside the domain, counts as -1, and so does any ratio below that.

    >>> reduction_ratio(1.0, 0.25, 1.5, 1e-16).__round__(9), reduction_ratio(1.0, math.inf, 1.0, 1e-16)
    (0.5, -1.0)
    """
    if not math.isfinite(f_new):
        return -1.0
    allowance = rounding(f, f_new, epsilon)
    return max(-1.0, (f - f_new + allowance) / (promised + allowance)) if promised + allowance > 0.0 else -1.0


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


def wolfe(
    phi: Callable[[float], tuple[float, float, Any]],
    f: float,
    slope: float,
    epsilon: float,
    sufficient_decrease: float = 1e-4,
    curvature: float = 0.9,
    first: float = 1.0,
    max_trials: int = 100,
) -> tuple[float, float, Any, int] | None:
    r"""A step size with the strong Wolfe conditions (:cite:`nocedal2006numerical`, eq. 3.7),

    .. math:: \varphi(\alpha)\le f+c_1\alpha\,\varphi'(0),\qquad |\varphi'(\alpha)|\le c_2|\varphi'(0)| .

    An interval is kept whose lower end decreases enough and still falls steeply, and whose upper end fails the first
    condition or rises; it doubles until it closes and then shrinks, by quadratic interpolation kept away from its
    ends, or by halves where two trials left more than two thirds of it. Such an interval always holds a point that
    passes.

    Parameters
    ----------
    phi : callable
        Answers value, slope and whatever the caller wants back (the gradient).
    f, slope : float
        ``phi(0)`` and its slope, negative.
    epsilon : float
        Rounding unit, for the allowance :func:`rounding`.
    first : float, default 1
        The first trial.

    Returns
    -------
    (step_size, value, what phi answered third, trials), or None after ``max_trials``, as on a function that is not
    bounded below along the direction.

    >>> wolfe(lambda a: ((1 - 3 * a) ** 2, -6 * (1 - 3 * a), "there"), 1.0, -6.0, 1e-16, curvature=0.1)[2]
    'there'
    """
    low, low_value, low_slope, high, step_size = 0.0, f, slope, math.inf, first
    before = width = math.inf
    for trials in range(1, max_trials + 1):
        value, slope_here, answer = phi(step_size)
        allowance = rounding(f, value, epsilon) if math.isfinite(value) else 0.0
        if not value <= f + sufficient_decrease * step_size * slope + allowance:
            high, high_value = step_size, value
        elif slope_here < curvature * slope:
            low, low_value, low_slope = step_size, value, slope_here
        elif slope_here > -curvature * slope:
            high, high_value = step_size, value
        else:
            return step_size, value, answer, trials
        if math.isinf(high):
            step_size *= 2.0
            continue
        before, width, last = width, high - low, before
        bend = high_value - low_value - low_slope * width
        interpolate = math.isfinite(bend) and bend > 0.0 and width <= 2.0 / 3.0 * last
        inner = -0.5 * low_slope * width**2 / bend if interpolate else 0.5 * width
        step_size = low + min(max(inner, 0.1 * width), 0.9 * width)
    return None
