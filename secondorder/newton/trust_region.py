"""Trust regions: the quadratic model, believed within a radius that is earned."""

from __future__ import annotations

import math
from typing import Any, Literal

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import fraction, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import cauchy_length, eigen, reduction_ratio, steihaug, trust_region_step
from secondorder.run import Iterate, Iterates, products


@method(
    paper="conn2000trust",
    needs=lambda hyper: ("f", "grad", "hess") if hyper["subproblem"] == "exact" else ("f", "grad", "hvp"),
    variants={"Steihaug-Toint": {"subproblem": "steihaug"}},
)
def trust_region(
    problem: Ledger,
    x: Array,
    *,
    subproblem: Literal["exact", "steihaug"] = "exact",
    initial_radius: positive | None = None,
    max_radius: positive = 1e10,
    acceptance: fraction = 0.1,
) -> Iterates:
    r"""Newton's method in a trust region, solved exactly or by truncated conjugate gradients.

    Reference: :cite:`conn2000trust`, Algorithm 6.1.1; :cite:`nocedal2006numerical`, Algorithm 4.1. The trial step
    minimises the model within the radius, and is judged by the ratio of what happened to what was promised:

    .. math::

        h_k=\arg\min_{\|h\|\le\Delta_k}m(h),\quad m(h)=\nabla f(x_k)^\top h+\tfrac12h^\top\nabla^2f(x_k)h,\qquad
        \rho_k=\frac{f(x_k)-f(x_k+h_k)}{-m(h_k)} .

    The step is taken if :math:`\rho_k>\eta`. Then :math:`\Delta\leftarrow\frac14\|h\|`
    if :math:`\rho<\frac14` or the step was not taken,
    :math:`\Delta\leftarrow\min(2\Delta,\Delta_{\max})` if :math:`\rho>\frac34` and the step reached the boundary.

    Parameters
    ----------
    problem : Problem
        Offers ``f`` and ``grad``; ``hess`` for the exact subproblem, ``hvp`` for "steihaug".
    x : array (d,)
        The start.
    subproblem : "exact" (default) or "steihaug"
        "exact" finds the global minimiser, hard case included (:func:`secondorder.linalg.trust_region_step`), and so
        leaves saddles; "steihaug" follows conjugate gradients to the boundary (:func:`secondorder.linalg.steihaug`,
        residual :math:`\min(\frac12,\sqrt{\|g\|})`), needs no matrix, and can stop at a saddle.
    initial_radius : float > 0, optional
        :math:`\Delta_0`, in the units of x. By default the length of the Cauchy step,
        :math:`\|g\|^3/|g^\top Hg|` at the start (:func:`secondorder.linalg.cauchy_length`).
    max_radius : float > 0, default 1e10
        :math:`\Delta_{\max}`.
    acceptance : float in (0, 1), default 0.1
        :math:`\eta`.

    Yields
    ------
    Iterate
        ``f``, ``grad``; ``trust_radius`` (:math:`\Delta` of this trial), ``step`` and ``radius`` (its length),
        ``decrease`` (:math:`-m(h)`), ``ratio``, ``accepted``; ``multiplier`` and ``hard`` (exact), or ``inner_iterations``
        and ``ended`` (steihaug). A rejected trial is a row: x repeats, ``accepted`` is False.
        Ends as ``stalled`` when the radius is below rounding.

    Guarantee: every limit point is stationary; with the exact subproblem its Hessian is positive semi-definite.
    Cost: a value an iteration; after an accepted step a gradient, and a Hessian with its eigendecomposition or some
    products.

    Departures: the books leave :math:`\Delta_0` open; Nocedal and Wright shrink to :math:`\frac14\Delta`; a rounding allowance
    is added to both sides of the ratio, without which no step is accepted near a
    solution.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.saddle(), "trust_region", x0=[1.0, 0.0])
    >>> history.status, abs(history.x).round(6)
    ('converged', array([0.      , 1.414214]))
    """
    grad = problem.grad(x)
    yield Iterate(x, grad=grad)
    f, H = problem.f(x), eigen(problem.hess(x)) if subproblem == "exact" else None
    trust_radius = initial_radius
    if trust_radius is None:
        trust_radius = min(cauchy_length(grad, problem.hvp(x, grad) if H is None else H @ grad), max_radius)
    while True:
        account: dict[str, Any] = {"trust_radius": trust_radius}
        if subproblem == "exact":
            H = eigen(problem.hess(x)) if H is None else H
            found: Any = trust_region_step(grad, H, trust_radius)
            account |= found._asdict()
        else:
            tol = min(0.5, math.sqrt(norm(grad)))
            found = steihaug(products(problem, x), grad, trust_radius, tol=tol)
            account |= {"step": found.step, "radius": norm(found.step), "decrease": found.decrease}
            account |= {"inner_iterations": found.iterations, "ended": found.ended}
        radius = account["radius"]
        if not radius > epsilon(x) * norm(x):
            return "stalled: the step is below the rounding of x"
        f_new = problem.f(x + found.step)
        ratio = reduction_ratio(f, f_new, found.decrease, epsilon(x))
        accepted = ratio > acceptance
        if ratio < 0.25 or not accepted:
            trust_radius = radius / 4.0
        elif ratio > 0.75 and radius >= 0.99 * trust_radius:
            trust_radius = min(2.0 * trust_radius, max_radius)
        if accepted:
            x, f, H = x + found.step, f_new, None
            grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, **account, ratio=ratio, accepted=accepted)
