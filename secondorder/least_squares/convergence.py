"""When a least-squares method has converged: the tests of MINPACK, which no unit of the parameters changes."""

from __future__ import annotations

import math
from typing import Any

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.linalg import column_norms, rounding


def cosine(J: Array, r: Array) -> float:
    r"""The largest :math:`|\cos|` of an angle between the residual and a column of its Jacobian,
    :math:`\max_j|J_j^\top r|/(\|J_j\|\|r\|)`; zero where the gradient is.

    >>> import numpy as np
    >>> cosine(np.asarray([[1.0, 0.0], [0.0, 0.0]]), np.asarray([3.0, 4.0]))
    0.6
    """
    xp = namespace(J)
    lengths, length = column_norms(J), norm(r)
    lengths = xp.where(lengths > 0.0, lengths, xp.ones_like(lengths))
    return float(xp.max(xp.abs(J.T @ (r / length)) / lengths)) if length > 0.0 else 0.0


def relative_step(x: Array, step: Array, scale: Array) -> float:
    r"""The length of a step relative to x, :math:`\|Dh\|/\max(\|Dx\|,\|D(x+h)\|)`, D the lengths of the columns of J.

    >>> import numpy as np
    >>> relative_step(np.asarray([3.0, 0.0]), np.asarray([1.0, 0.0]), np.asarray([2.0, 1.0]))
    0.25
    """
    longest = max(norm(scale * x), norm(scale * (x + step)))
    return norm(scale * step) / longest if longest > 0.0 else 0.0


def relative_decrease(f: float, f_new: float, promised: float, ratio: float, epsilon: float) -> float | None:
    r"""The square root of the larger of actual and promised decrease, over f; None where the two disagree, their
    ratio being -1 (outside the domain) or above 2.

    >>> relative_decrease(1.0, 0.75, 0.25, 1.0, 1e-16)
    0.5
    """
    if not -1.0 < ratio <= 2.0 or f == 0.0:
        return None
    return math.sqrt(max(abs(f - f_new) - rounding(f, f_new, epsilon), promised) / f)


def convergence(
    *, x: Array, step: Array, scale: Array, f: float, f_new: float, linear: float, damped: float, ratio: float
) -> dict[str, Any]:
    r"""The account of a trial step for the stopping rule: ``relative_step``, ``relative_decrease``, and the smaller of
    the two as ``convergence_test``.

    Two departures from MINPACK's ``lmder1``, which compares its tolerance with these two and sets that for the cosine to
    zero. The decrease, of second order in the step, enters by its square root: itself, it stops at half as many digits.
    And the relative step counts only where it is not damping that made it short,
    :math:`\mu\|Dh\|^2\le\|Jh\|^2`: a step that is short for that reason is no sign of a solution.

    Parameters
    ----------
    scale : array (d,)
        The largest lengths so far of the columns of J.
    f, f_new : float
        :math:`\frac12\|r\|^2` before and after.
    linear, damped : float
        :math:`\|Jh\|^2` and :math:`\mu\|Dh\|^2`; the linear model promises the decrease
        :math:`\frac12\|Jh\|^2+\mu\|Dh\|^2`.
    ratio : float
        Actual over promised decrease.
    """
    account = {"relative_step": relative_step(x, step, scale)}
    tests = [account["relative_step"]] if damped <= linear else []
    decrease = relative_decrease(f, f_new, 0.5 * linear + damped, ratio, epsilon(x))
    if decrease is not None:
        account["relative_decrease"] = decrease
        tests.append(decrease)
    return {**account, "convergence_test": min(tests, default=1.0)}


def settled(account: dict[str, Any], cosine: float) -> dict[str, Any]:
    """The account of a step to a point with this cosine: there is nothing left to test where the gradient vanishes."""
    return account if cosine > 0.0 else {**account, "convergence_test": 0.0}
