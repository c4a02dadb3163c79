"""Levenberg-Marquardt: Gauss-Newton steps, damped until the linear model is right about them."""

from __future__ import annotations

import math
from typing import Any, Literal

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import method, positive
from secondorder.least_squares.convergence import convergence, cosine, settled
from secondorder.ledger import Ledger
from secondorder.linalg import column_norms, damped_least_squares, reduction_ratio, rounding
from secondorder.run import Iterate, Iterates

ACCEPTANCE = 1e-4
"""The least ratio of actual to promised decrease of a step that is taken."""
PROBE = 0.1
"""How much of the velocity is walked to measure the second derivative along it."""


@method(
    paper="more1978levenberg",
    needs=("residual", "jac"),
    measure="convergence_test",
    variants={"geodesic": {"geodesic": True}, "identity scaling": {"scaling": "identity"}},
)
def levenberg_marquardt(
    problem: Ledger,
    x: Array,
    *,
    scaling: Literal["marquardt", "identity"] = "marquardt",
    initial_damping: positive = 1e-3,
    geodesic: bool = False,
    max_acceleration: positive = 0.75,
) -> Iterates:
    r"""The Levenberg-Marquardt method, with or without geodesic acceleration.

    Reference: :cite:`marquardt1963algorithm`, with the scaling of :cite:`more1978levenberg` and the damping of
    :cite:`nielsen1999damping` (also :cite:`madsen2004methods`). A trial step minimises the linear model of the
    residual and a penalty on its length,

    .. math::

        h=\arg\min_h\ \|r+Jh\|^2+\mu\|Dh\|^2,\qquad
        \varrho=\frac{\frac12\|r\|^2-\frac12\|r(x+h)\|^2}{\frac12\|Jh\|^2+\mu\|Dh\|^2},

    and is taken if :math:`\varrho>10^{-4}`; then
    :math:`\mu\leftarrow\mu\max\{\frac13,1-(2\varrho-1)^3\}` and :math:`\nu=2`, else
    :math:`\mu\leftarrow\nu\mu` and :math:`\nu\leftarrow2\nu`.

    Geodesic acceleration (:cite:`transtrum2012improvements`) takes h for the velocity at the start of a geodesic of
    the manifold of the residuals, and adds half the acceleration there:

    .. math::

        r''\approx\frac2\delta\Big(\frac{r(x+\delta h)-r}\delta-Jh\Big),\qquad
        a=\arg\min_a\|r''+Ja\|^2+\mu\|Da\|^2,\qquad h\leftarrow h+\tfrac12a .

    Parameters
    ----------
    problem : Problem
        Offers ``residual`` and ``jac``.
    x : array (d,)
        The start.
    scaling : "marquardt" (default) or "identity"
        :math:`D_j`, the largest length so far of the j-th column of J, so that the units of the parameters do not
        matter; or 1.
    initial_damping : float > 0, default 1e-3
        :math:`\tau`; :math:`\mu_0=\tau`, for "identity" times the largest :math:`\|J_j\|^2` at the start.
    geodesic : bool, default False
        Whether to add the acceleration.
    max_acceleration : float > 0, default 0.75
        A step with :math:`2\|Da\|/\|Dh\|` above this is rejected.

    Yields
    ------
    Iterate
        ``f``, ``grad``, ``cosine``; ``damping``, ``acceleration`` (:math:`2\|Da\|/\|Dh\|`, geodesic), ``step``,
        ``ratio``, ``accepted``; ``relative_step``, ``relative_decrease`` and ``convergence_test``
        (:func:`secondorder.least_squares.convergence.convergence`; in the first row the cosine). A rejected trial is a
        row: x repeats, ``accepted`` is False. Ends as ``stalled`` when a rejected step is below rounding.

    Guarantee: the gradient tends to zero where J is bounded and Lipschitz; with zero residual and J of full rank at the
    solution, locally quadratic. A run can end on a plateau at infinity, where a column of J vanishes: from its first
    start the default does so on BoxBOD of NIST, the only one of the 54 runs that fails; both variants succeed on all.
    Cost: an iteration takes one residual (two with ``geodesic``) and a QR factorisation of order :math:`(m+d)d^2`; a step
    that is taken, one Jacobian.

    Departures: Moré chooses the damping by a trust radius, Nielsen takes :math:`D=I`; a rounding allowance stands on both
    sides of the ratio, as in ``trust_region``, and :math:`\mu` does not fall where it decides.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.nist("Misra1a"), "levenberg_marquardt")
    >>> history.status, history.x.round(8)
    ('converged', array([2.38942129e+02, 5.50160000e-04]))
    """
    xp = namespace(x)
    weight = 2.0 * problem.residual_weight
    r, J = problem.residual(x), problem.jac(x)
    f, grad, angle = 0.5 * float(r @ r), J.T @ r, cosine(J, r)
    yield Iterate(x, f=weight * f, grad=weight * grad, cosine=angle, convergence_test=angle)
    lengths = column_norms(J)
    damping = initial_damping if scaling == "marquardt" else initial_damping * float(xp.max(lengths)) ** 2
    growth = 2.0
    while angle > 0.0:
        scale = xp.where(lengths > 0.0, lengths, xp.ones_like(lengths))
        D = scale if scaling == "marquardt" else xp.ones_like(scale)
        solve = damped_least_squares(J, damping, D)
        step = -solve(r)
        linear, damped = norm(J @ step) ** 2, damping * norm(D * step) ** 2
        account: dict[str, Any] = {"damping": damping}
        if geodesic:
            bend = 2.0 / PROBE * ((problem.residual(x + PROBE * step) - r) / PROBE - J @ step)
            account["acceleration"] = math.inf
            if math.isfinite(norm(bend)):
                acceleration = -solve(bend)
                account["acceleration"] = 2.0 * norm(D * acceleration) / norm(D * step)
                step = step + 0.5 * acceleration
        r_new = problem.residual(x + step)
        f_new = 0.5 * float(r_new @ r_new)
        ratio = reduction_ratio(f, f_new, 0.5 * linear + damped, epsilon(x))
        accepted = ratio > ACCEPTANCE and account.get("acceleration", 0.0) <= max_acceleration
        account |= {"step": step, "ratio": ratio, "accepted": accepted}
        account |= convergence(x=x, step=step, scale=scale, f=f, f_new=f_new, linear=linear, damped=damped, ratio=ratio)
        damping, growth = nielsen(damping, growth, trusted(ratio, f, f_new, linear, damped, epsilon(x)), accepted)
        if accepted:
            x, r, f = x + step, r_new, f_new
            J = problem.jac(x)
            grad, angle = J.T @ r, cosine(J, r)
            lengths = xp.maximum(lengths, column_norms(J))
        yield Iterate(x, f=weight * f, grad=weight * grad, cosine=angle, **settled(account, angle))
        if not accepted and account["relative_step"] < epsilon(x):
            return "stalled: the step is below the rounding of x"
    return "stalled: the gradient vanishes"


def trusted(ratio: float, f: float, f_new: float, linear: float, damped: float, epsilon: float) -> float:
    r"""The ratio as far as rounding lets it tell: where the promise is below the rounding of f, at most a half, which
    leaves the damping as it is; unless it is the damping that made it so small,
    :math:`\mu\|Dh\|^2>100\,\|Jh\|^2`.

    >>> trusted(1.0, 1.0, 1.0, 1e-20, 0.0, 1e-16), trusted(1.0, 1.0, 1.0, 1e-20, 1e-17, 1e-16)
    (0.5, 1.0)
    """
    telling = 0.5 * linear + damped > rounding(f, f_new, epsilon) or damped > 100.0 * linear
    return ratio if telling else min(ratio, 0.5)


def nielsen(damping: float, growth: float, ratio: float, accepted: bool) -> tuple[float, float]:
    r"""The next :math:`\mu` and :math:`\nu`, see :cite:`nielsen1999damping`.

    >>> nielsen(3.0, 2.0, 1.0, True), nielsen(3.0, 2.0, 0.5, True), nielsen(3.0, 4.0, -1.0, False)
    ((1.0, 2.0), (3.0, 2.0), (12.0, 8.0))
    """
    if accepted:
        return damping * max(1.0 / 3.0, 1.0 - (2.0 * ratio - 1.0) ** 3), 2.0
    return damping * growth, 2.0 * growth
