"""Frank–Wolfe for generalised self-concordant functions."""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

from secondorder.arrays import Array, epsilon
from secondorder.catalogue import method
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates


@method(
    paper="carderera2021simple",
    measure="gap",
    needs=("f", "grad", "lmo"),
    variants={"steps halved until they pass": {"step_rule": "halving"}},
)
def monotone_frank_wolfe(
    problem: Ledger, x: Array, *, step_rule: Literal["open_loop", "halving"] = "open_loop"
) -> Iterates:
    r"""Frank–Wolfe with the open loop, where a step that leaves the domain or raises f is not taken.

    Reference: :cite:`carderera2021simple`, Algorithm 1. With :math:`v_t` the answer of the oracle,

    .. math::

        y_t=x_t+\frac2{t+2}(v_t-x_t),\qquad x_{t+1}=\begin{cases}y_t&\text{if }y_t\in\operatorname{dom}f
        \text{ and }f(y_t)\le f(x_t)\\x_t&\text{otherwise}\end{cases}

    The domain is asked first, since f outside of it may be anything. The counter advances after a refusal too, so that the
    next step is shorter.

    Parameters
    ----------
    problem : Problem
        Offers ``f``, ``grad`` and ``lmo``, and ``domain`` where f is not defined on the whole feasible set.
    x : array (d,)
        The start, in the feasible set and in the domain.
    step_rule : "open_loop" (default) or "halving"
        The rule above; or the step size :math:`2^{1-N}/(t+2)`, where N grows until the trial passes both tests, and is
        kept.

    Yields
    ------
    Iterate
        ``f``, ``grad``, ``vertex``, ``gap``; ``step_size`` (tried), ``accepted`` (whether it was taken; otherwise x is that
        of the row before) and ``trials``. Ends as ``finished`` when the gap is zero, as ``stalled`` when N reaches three
        quarters of the binary digits ("halving").

    Guarantee of "open_loop", for a convex :math:`(M,\nu)`-generalised self-concordant f with largest curvature L on the level
    set of the start: :math:`f(x_t)-f^*\le\frac{4(T+1)}{t+1}\max\{f(x_0)-f^*,\,LD^2\omega_\nu(\frac12)\}` from
    :math:`T=\lceil4MD\rceil-2` on for :math:`\nu=2` and :math:`T=\lceil2(\nu-2)MDL^{\nu/2-1}\rceil-2` for :math:`\nu>2`, with
    :math:`\omega_2(\tau)=(e^\tau-\tau-1)/\tau^2`, :math:`\omega_3(\tau)=(-\tau-\ln(1-\tau))/\tau^2`; the least gap falls as
    O(1/t) too. No constant is asked for.
    Cost: a value and a question to the domain a trial, a gradient and a linear minimisation after a step that is taken.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.d_optimal_design(degree=2), "monotone_frank_wolfe", tol=0.05)
    >>> history.status, bool((history.f[1:] <= history.f[:-1]).all())
    ('converged', True)
    """
    most, halvings = 0 if step_rule == "open_loop" else int(-0.75 * math.log2(epsilon(x))), 0
    f, accepted = problem.f(x), True
    account: dict[str, Any] = {}
    for t in itertools.count():
        if accepted:
            grad = problem.grad(x)
            vertex = problem.lmo(grad)
            gap = float(grad @ (x - vertex))
        yield Iterate(x, f=f, grad=grad, vertex=vertex, gap=gap, **account)
        if gap <= 0.0:
            return "finished: the gap is zero"
        first, accepted = halvings, False
        while not accepted:
            step_size = 2.0 ** (1 - halvings) / (t + 2.0)
            trial = (1.0 - step_size) * x + step_size * vertex
            f_trial = problem.f(trial) if problem.domain(trial) else math.inf
            accepted, trials = f_trial <= f, halvings - first + 1
            if halvings >= most:
                break
            halvings += not accepted
        if not accepted and most:
            return f"stalled: a step halved {halvings} times left the domain or raised f"
        x, f = (trial, f_trial) if accepted else (x, f)
        account = {"step_size": step_size, "accepted": accepted, "trials": trials}
    raise AssertionError
