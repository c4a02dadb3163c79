"""Away-step Frank–Wolfe."""

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
def away_step(
    problem: Ledger,
    x: Array,
    *,
    step_rule: Literal["short", "exact"] = "short",
    lipschitz: positive | None = None,
) -> Iterates:
    r"""Frank–Wolfe with away steps: go towards the best vertex, or away from the worst one in use.

    Reference: :cite:`lacostejulien2015global`, Algorithm 1; first by :cite:`guelat1986some`. With
    :math:`x_t=\sum_{s\in S}w_ss`, v the answer of the oracle and :math:`a=\arg\max_{s\in S}\langle\nabla f(x_t),s\rangle`,

    .. math::

        d_t=\begin{cases}v-x_t,&\gamma_{\max}=1&\text{if }
        \langle\nabla f(x_t),x_t-v\rangle\ge\langle\nabla f(x_t),a-x_t\rangle\\
        x_t-a,&\gamma_{\max}=\frac{w_a}{1-w_a}&\text{otherwise}\end{cases}
        \qquad x_{t+1}=x_t+\gamma_td_t

    A step as long as it may be away from a drops a from S. That :math:`w_a<\frac12` there follows from the condition.

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
        search has it; ``move`` ("frank_wolfe", "away" or "drop"), ``step_size``, ``trials``, ``lipschitz`` of the step that
        led there. Ends as ``finished`` when the gap is zero, as ``stalled`` when a search finds no representable progress.

    Guarantee: :math:`f(x_t)-f^*\le(1-\frac{\mu\delta^2}{4L_1D^2})^{t/2}(f(x_0)-f^*)` from a vertex, for
    :math:`\mu`-strongly convex f on a polytope of pyramidal width :math:`\delta` and diameter D (Theorem 1 there); with
    :math:`2L_1` where the constant is adapted; from k atoms :math:`k-1` steps more.
    Cost: a gradient, a linear minimisation and :math:`O(kd)` an iteration.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 4.0, 4.0]).subject_to(so.sets.Simplex(3))
    >>> history = so.minimize(problem, "away_step", tol=1e-10)
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
        if gap >= float(grad @ (atoms[away, :] - x)):
            active, i = active.including(vertex)
            step_size, account = search(x, grad, vertex - x, 1.0)
            active, move = active.towards(i, step_size), "frank_wolfe"
        else:
            weight = float(weights[away])
            largest = weight / (1.0 - weight) if weight < 1.0 else 0.0
            step_size, account = search(x, grad, x - atoms[away, :], largest)
            if step_size == largest:
                active, move = active.without(away), "drop"
            else:
                active, move = active.towards(away, -step_size), "away"
        if step_size == 0.0:
            return "stalled: no representable progress along the direction"
        x, account = active.point(), {"move": move, **account}
