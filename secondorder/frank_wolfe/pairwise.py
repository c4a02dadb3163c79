"""Pairwise Frank–Wolfe."""

from __future__ import annotations

from typing import Any, Literal

from secondorder.arrays import Array, namespace
from secondorder.catalogue import method, positive
from secondorder.frank_wolfe.active_set import ActiveSet
from secondorder.frank_wolfe.step_rules import Search, asked
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates


@method(
    paper="lacostejulien2015global",
    measure="gap",
    needs=asked,
    variants={"exact line search": {"step_rule": "exact"}},
)
def pairwise(
    problem: Ledger,
    x: Array,
    *,
    step_rule: Literal["short", "exact"] = "short",
    lipschitz: positive | None = None,
) -> Iterates:
    r"""Pairwise Frank–Wolfe: move weight from the worst vertex in use straight to the best one of the polytope.

    Reference: :cite:`lacostejulien2015global`, Algorithm 2. With :math:`x_t=\sum_{s\in S}w_ss`, v the answer of the oracle
    and :math:`a=\arg\max_{s\in S}\langle\nabla f(x_t),s\rangle`,

    .. math::

        d_t=v-a,\qquad\gamma_{\max}=w_a,\qquad x_{t+1}=x_t+\gamma_td_t

    No other weight changes. A step as long as it may be takes a out of S; if v was not in S it takes its place, a swap.

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``lmo``; ``f`` too where the constant of the short step is adapted. The feasible set is a
        polytope.
    x : array (d,)
        The start; S begins with the atoms that the set finds for it (``decompose``), or with the start itself.
    step_rule : "short" (default) or "exact"
        As in :func:`~secondorder.frank_wolfe.frank_wolfe`, up to :math:`\gamma_{\max}`.
    lipschitz : float > 0, optional
        :math:`L_1` of the short step; by default adapted by backtracking.

    Yields
    ------
    Iterate
        ``grad``, ``vertex``, ``gap``, ``atoms`` (k, d) and ``weights`` (k,), ``active`` (their number k); ``f`` when a
        search has it; ``move`` ("pairwise", "drop" or "swap"), ``step_size``, ``trials``, ``lipschitz`` of the step that led
        there. Ends as ``finished`` when the gap is zero, as ``stalled`` when a search finds no representable progress.

    Guarantee: each step shorter than :math:`\gamma_{\max}` takes at least the fraction :math:`\frac{\mu\delta^2}{L_1D^2}` of
    :math:`f(x_t)-f^*`, for :math:`\mu`-strongly convex f on a polytope of pyramidal width :math:`\delta` and diameter D; with
    :math:`2L_1` where the constant is adapted. How many swaps come between two of these is bounded only by a factorial of
    the number of vertices (Theorem 1 there).
    Cost: a gradient, a linear minimisation and :math:`O(kd)` an iteration.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 4.0, 4.0]).subject_to(so.sets.Simplex(3))
    >>> history = so.minimize(problem, "pairwise", tol=1e-10)
    >>> history.status, history.x.round(6)
    ('converged', array([0.666667, 0.166667, 0.166667]))
    """
    search, active = Search(problem, step_rule, lipschitz), ActiveSet.of(problem, x)
    xp, account = namespace(x), dict[str, Any]()
    while True:
        grad = problem.grad(x)
        vertex = problem.lmo(grad)
        gap = float(grad @ (x - vertex))
        atoms, weights = active
        yield Iterate(
            x, f=search.f, grad=grad, vertex=vertex, gap=gap, atoms=atoms, weights=weights, active=weights.shape[0],
            **account,
        )  # fmt: skip
        if gap <= 0.0:
            return "finished: the gap is zero"
        away = int(xp.argmax(atoms @ grad))
        active, i = active.including(vertex)
        largest = float(weights[away])
        step_size, account = search(x, grad, vertex - atoms[away, :], largest)
        if step_size == 0.0:
            return "stalled: no representable progress from one vertex to the other"
        longest, new = step_size == largest, i == weights.shape[0]
        move = ("swap" if new else "drop") if longest else "pairwise"
        active = active.shifted(away, i, step_size)
        x, account = active.point(), {"move": move, **account}
