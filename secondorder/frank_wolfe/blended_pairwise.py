"""Blended pairwise Frank–Wolfe."""

from __future__ import annotations

from typing import Any, Literal

from secondorder.arrays import Array, namespace
from secondorder.catalogue import method, positive
from secondorder.frank_wolfe.active_set import ActiveSet
from secondorder.frank_wolfe.step_rules import Search, asked
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates


@method(
    paper="tsuji2022pairwise",
    measure="gap",
    needs=asked,
    variants={"exact line search": {"step_rule": "exact"}},
)
def blended_pairwise(
    problem: Ledger,
    x: Array,
    *,
    step_rule: Literal["short", "exact"] = "short",
    lipschitz: positive | None = None,
) -> Iterates:
    r"""Blended pairwise Frank–Wolfe: shift weight between the atoms in use while that gains enough, else add a vertex.

    Reference: :cite:`tsuji2022pairwise`. With :math:`x_t=\sum_{s\in S}w_ss`, v the answer of the oracle, a and s the atoms in
    S with the largest and the least :math:`\langle\nabla f(x_t),\cdot\rangle`,

    .. math::

        d_t=\begin{cases}s-a,&\gamma_{\max}=w_a&\text{if }
        \langle\nabla f(x_t),a-s\rangle\ge\langle\nabla f(x_t),x_t-v\rangle\\
        v-x_t,&\gamma_{\max}=1&\text{otherwise}\end{cases}
        \qquad x_{t+1}=x_t+\gamma_td_t

    Only the second kind of step brings a vertex into S, so there are no swaps; the first kind drops a when it is as long as
    it may be.

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
        search has it; ``move`` ("pairwise", "drop" or "frank_wolfe"), ``step_size``, ``trials``, ``lipschitz`` of the step
        that led there. Ends as ``finished`` when the gap is zero, as ``stalled`` when a search finds no representable
        progress.

    Guarantee: :math:`f(x_t)-f^*\le(1-\frac{\mu\delta^2}{4L_1D^2})^{t/2}(f(x_0)-f^*)` from a vertex, for
    :math:`\mu`-strongly convex f on a polytope of pyramidal width :math:`\delta` and diameter D; with :math:`2L_1` where
    the constant is adapted; from k atoms :math:`k-1` steps more.
    Cost: a gradient, a linear minimisation and :math:`O(kd)` an iteration.
    Departures: the oracle is asked at every step, for the gap; the lazy form of the paper is not here.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 4.0, 4.0]).subject_to(so.sets.Simplex(3))
    >>> history = so.minimize(problem, "blended_pairwise", tol=1e-10)
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
        slopes = atoms @ grad
        away, local = int(xp.argmax(slopes)), int(xp.argmin(slopes))
        if float(slopes[away] - slopes[local]) >= gap:
            largest = float(weights[away])
            step_size, account = search(x, grad, atoms[local, :] - atoms[away, :], largest)
            active, move = active.shifted(away, local, step_size), "drop" if step_size == largest else "pairwise"
        else:
            active, i = active.including(vertex)
            step_size, account = search(x, grad, vertex - x, 1.0)
            active, move = active.towards(i, step_size), "frank_wolfe"
        if step_size == 0.0:
            return "stalled: no representable progress along the direction"
        x, account = active.point(), {"move": move, **account}
