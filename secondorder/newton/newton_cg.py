"""Inexact Newton: conjugate gradients, no more exact than they need to be."""

from __future__ import annotations

import math
from typing import Any, Literal

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import count, fraction, method
from secondorder.ledger import Ledger
from secondorder.linalg import armijo, cg
from secondorder.run import Iterate, Iterates, along, products

Forcing = Literal["fixed", "square_root", "eisenstat_walker_1", "eisenstat_walker_2"]
FIRST, LARGEST = 0.5, 0.9


@method(
    paper="eisenstat1996choosing",
    needs=("f", "grad", "hvp"),
    variants={
        "fixed": {"forcing": "fixed"},
        "square root": {"forcing": "square_root"},
        "Eisenstat-Walker 1": {"forcing": "eisenstat_walker_1"},
        "Eisenstat-Walker 2": {"forcing": "eisenstat_walker_2"},
    },
)
def newton_cg(
    problem: Ledger,
    x: Array,
    *,
    forcing: Forcing = "eisenstat_walker_2",
    forcing_term: fraction = 0.1,
    max_inner: count | None = None,
) -> Iterates:
    r"""Inexact Newton by conjugate gradients, with a forcing term and a line search.

    Reference: :cite:`eisenstat1996choosing`, eqs. 2.2 and 2.6; :cite:`dembo1982inexact`; :cite:`nocedal2006numerical`,
    Algorithm 7.1. Conjugate gradients stop as soon as

    .. math:: \|\nabla^2f(x_k)p+\nabla f(x_k)\|\le\eta_k\|\nabla f(x_k)\| ,

    and the forcing term is, with :math:`g_k=\nabla f(x_k)` and :math:`s_k` the step taken,

    - "fixed": :math:`\eta_k=\eta`;
    - "square_root": :math:`\min(\frac12,\sqrt{\|g_k\|})`;
    - "eisenstat_walker_1": :math:`\big|\|g_k\|-\|g_{k-1}+\nabla^2f(x_{k-1})s_{k-1}\|\big|/\|g_{k-1}\|`, at least
      :math:`\eta_{k-1}^{(1+\sqrt5)/2}` while that is above 0.1;
    - "eisenstat_walker_2": :math:`0.9\,(\|g_k\|/\|g_{k-1}\|)^2`, at least :math:`0.9\,\eta_{k-1}^2` while that is above 0.1;

    the last two with :math:`\eta_0=0.5` and at most 0.9.

    Parameters
    ----------
    problem : Problem
        Offers ``f``, ``grad`` and ``hvp`` (or ``hess``, whose product is then taken).
    x : array (d,)
        The start.
    forcing : the four above, default "eisenstat_walker_2"
    forcing_term : float in (0, 1), default 0.1
        :math:`\eta` of "fixed".
    max_inner : int ≥ 1, optional
        At most this many products a step; by default 2 d.

    Yields
    ------
    Iterate
        ``f``, ``grad``; ``forcing_term`` (:math:`\eta_k`), ``inner_iterations``, ``linear_residual`` (relative),
        ``negative_curvature`` (whether it was met: the step is then what conjugate gradients had, or :math:`-g` if
        they had nothing), ``step``, ``step_size``, ``trials``. Ends as ``stalled`` when 60 trials find no decrease.

    Guarantee, near a minimum with a positive definite Hessian: linear for a fixed :math:`\eta<1`; order 3/2 for the
    square root, :math:`(1+\sqrt5)/2` for the first choice of Eisenstat and Walker, 2 for the second.
    Cost: one product an inner iteration and one to check (three in all where the first direction has no positive
    curvature), a gradient, a value a trial.

    Departures: from "eisenstat_walker_1" as published in that the step is the one taken after the line search.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.quadratic([1.0, 2.0, 3.0]), "newton_cg", forcing="square_root")
    >>> history.status, bool(history["negative_curvature"][1])
    ('converged', False)
    """
    f, eta, grad, linear = None, None, None, 0.0
    account: dict[str, Any] = {}
    while True:
        grad, previous = problem.grad(x), grad
        yield Iterate(x, f=f, grad=grad, **account)
        eta = next_forcing(forcing, forcing_term, eta, norm(grad), None if previous is None else norm(previous), linear)
        found = cg(products(problem, x), -grad, tol=eta, max_iterations=max_inner)
        step, residual = (found.x, -found.residual) if found.iterations else (-grad, grad + problem.hvp(x, -grad))
        f = problem.f(x) if f is None else f
        searched = armijo(along(problem, x, step), f, float(grad @ step), epsilon(x))
        if searched is None:
            return "stalled: 60 trials found no decrease along the step; is the gradient right?"
        step_size, f, trials = searched
        linear = norm((1.0 - step_size) * grad + step_size * residual)
        x = x + step_size * step
        account = {
            "forcing_term": eta, "inner_iterations": found.iterations,
            "linear_residual": norm(residual) / max(norm(grad), 1e-300),
            "negative_curvature": found.curvature is not None, "step": step_size * step, "step_size": step_size,
            "trials": trials,
        }  # fmt: skip


def next_forcing(
    forcing: str, fixed: float, eta: float | None, grad_norm: float, previous: float | None, linear: float
) -> float:
    r"""The forcing term of a step, from that of the step before (None at first), the gradient norms of both, and
    ``linear`` :math:`=\|g_{k-1}+\nabla^2f(x_{k-1})s_{k-1}\|`.

    >>> next_forcing("eisenstat_walker_2", 0.1, 0.5, 1e-2, 1e-1, 0.0).__round__(9)
    0.225
    """
    if forcing == "fixed":
        return fixed
    if forcing == "square_root":
        return min(0.5, math.sqrt(grad_norm))
    if eta is None or not previous:
        return FIRST
    if forcing == "eisenstat_walker_1":
        term, floor = abs(grad_norm - linear) / previous, eta ** ((1.0 + math.sqrt(5.0)) / 2.0)
    else:
        term, floor = 0.9 * (grad_norm / previous) ** 2, 0.9 * eta**2
    return min(max(term, floor if floor > 0.1 else 0.0), LARGEST)
