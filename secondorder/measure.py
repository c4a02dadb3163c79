"""The order and the rate that a run shows, with an uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from secondorder.history import History


class Estimate(NamedTuple):
    """A measured number and the half-width of its uncertainty.

    >>> str(Estimate(1.98, 0.04))
    '1.98 ± 0.04'
    """

    value: float
    uncertainty: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.uncertainty:.1g}"


def measured_order(errors: History | Sequence[float], floor: float | None = None) -> Estimate:
    r"""The order q of local convergence, :math:`e_{k+1}\approx Ce_k^q`.

    From each three successive errors,
    :math:`q_k=\log(e_{k+2}/e_{k+1})/\log(e_{k+1}/e_k)`; the answer is the median of the last three whose errors
    decrease and stay above the rounding floor, the uncertainty half their range, or infinite where there is only one.

    Parameters
    ----------
    errors : History, or a sequence of positive errors
        Of a history, its gradient norms.
    floor : float, optional
        Errors at or below it are rounding; by default 1e3 rounding units of the largest error.

    Raises ``ValueError`` with fewer than three usable errors.

    >>> measured_order([1e-1, 1e-2, 1e-4, 1e-8]).value
    2.0
    """
    e = np.asarray(errors.grad_norm if isinstance(errors, History) else errors, dtype=float)
    floor = 1e3 * np.finfo(float).eps * float(np.max(e, initial=0.0)) if floor is None else floor
    orders = [np.log(c / b) / np.log(b / a) for a, b, c in zip(e, e[1:], e[2:], strict=False) if a > b > c > floor]
    if not orders:
        raise ValueError("an order takes three successive errors that decrease and lie above the rounding floor")
    last = orders[-3:]
    return Estimate(float(np.median(last)), float(np.ptp(last)) / 2.0 if len(last) > 1 else float("inf"))


def measured_rate(errors: History | Sequence[float]) -> Estimate:
    r"""The exponent p of sublinear convergence, :math:`e_k\approx Ck^{-p}`, with its standard error.

    Least squares of :math:`\log e_k` on :math:`\log k` over the middle third of :math:`\log k`, the end of the run
    being either superlinear or rounding. Of a history, the errors are its primal gaps. An upper bound is not a slope: to
    check a theorem, hold its inequality against every k.

    Raises ``ValueError`` with fewer than five positive errors in that third.

    >>> measured_rate([1.0, *(k**-2.0 for k in range(1, 200))]).value.__round__(6)
    2.0
    """
    from scipy.stats import linregress

    e = np.asarray(errors.primal_gap if isinstance(errors, History) else errors, dtype=float)
    k = np.arange(len(e))
    span = np.log(max(len(e) - 1, 1))
    middle = (k >= np.exp(span / 3.0)) & (k <= np.exp(2.0 * span / 3.0)) & (e > 0.0)
    if np.count_nonzero(middle) < 5:
        raise ValueError("a rate takes at least five positive errors in the middle third of log k")
    fit = linregress(np.log(k[middle]), np.log(e[middle]))
    return Estimate(-float(fit.slope), float(fit.stderr))
