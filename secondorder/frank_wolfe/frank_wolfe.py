"""The Frank–Wolfe method."""

from __future__ import annotations

from typing import Any, Literal

from secondorder.arrays import Array
from secondorder.catalogue import at_least_one, method, positive
from secondorder.frank_wolfe.step_rules import Search, asked
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates


@method(
    paper="jaggi2013revisiting",
    measure="gap",
    needs=asked,
    variants={
        "open loop, ell = 4": {"ell": 4.0},
        "short step by backtracking": {"step_rule": "short"},
        "exact line search": {"step_rule": "exact"},
    },
)
def frank_wolfe(
    problem: Ledger,
    x: Array,
    *,
    step_rule: Literal["open_loop", "short", "exact"] = "open_loop",
    ell: at_least_one = 2.0,
    lipschitz: positive | None = None,
) -> Iterates:
    r"""The Frank–Wolfe method: step towards the vertex that the gradient likes best.

    Reference: :cite:`jaggi2013revisiting`, Algorithm 1; first by :cite:`frank1956algorithm`.

    .. math::

        v_t\in\arg\min_{v\in\mathcal C}\langle\nabla f(x_t),v\rangle,\qquad
        G_t=\langle\nabla f(x_t),x_t-v_t\rangle,\qquad x_{t+1}=(1-\gamma_t)x_t+\gamma_tv_t

    For convex f the gap :math:`G_t` is a certificate: :math:`f(x_t)-f^*\le G_t`.

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``lmo``; ``f`` too where the constant of the short step is adapted.
    x : array (d,)
        The start, in the feasible set.
    step_rule : "open_loop" (default), "short" or "exact"
        :math:`\gamma_t=\ell/(t+\ell)`, which looks at nothing; :math:`\gamma_t=\min\{G_t/(L_1\|x_t-v_t\|^2),1\}`; the
        minimiser of a convex f on the segment, as the root of its slope, at a gradient a trial.
    ell : float ≥ 1, default 2
        :math:`\ell` of the open loop.
    lipschitz : float > 0, optional
        :math:`L_1` of the short step, in units of f over x². By default adapted by backtracking
        (:cite:`pedregosa2020linearly`, Algorithm 2), at a value a trial.

    Yields
    ------
    Iterate
        ``grad``, ``vertex`` (:math:`v_t`), ``gap``; ``f`` when a search has it; ``step_size``, ``trials`` and
        ``lipschitz`` of the step that led there. Ends as ``finished`` when the gap is zero, as ``stalled`` when a search
        finds no representable progress.

    Guarantee: for convex f and t ≥ 1, with D the diameter, :math:`f(x_t)-f^*\le\frac{2L_1D^2}{t+2}` for the open loop with
    :math:`\ell=2` and for the short and exact steps (Theorem 1 there); with :math:`2L_1` where the constant is adapted.
    Cost: a gradient and a linear minimisation an iteration.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 4.0]).subject_to(so.sets.Simplex(2))
    >>> so.minimize(problem, "frank_wolfe", tol=1e-3).x.round(2)
    array([0.8, 0.2])
    """
    search = Search(problem, "exact" if step_rule == "exact" else "short", lipschitz)
    t, account = 0, dict[str, Any]()
    while True:
        grad = problem.grad(x)
        vertex = problem.lmo(grad)
        gap = float(grad @ (x - vertex))
        yield Iterate(x, f=search.f, grad=grad, vertex=vertex, gap=gap, **account)
        if gap <= 0.0:
            return "finished: the gap is zero"
        if step_rule == "open_loop":
            step_size = ell / (t + ell)
            account = {"step_size": step_size}
        else:
            step_size, account = search(x, grad, vertex - x, 1.0)
        if step_size == 0.0:
            return "stalled: no representable progress towards the vertex"
        x, t = (1.0 - step_size) * x + step_size * vertex, t + 1
