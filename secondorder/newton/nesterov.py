"""Nesterov's accelerated gradient method."""

from __future__ import annotations

import math
from typing import Any

from secondorder.arrays import Array, epsilon
from secondorder.catalogue import method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import rounding
from secondorder.run import Iterate, Iterates


@method(
    paper="nesterov1983method",
    needs=lambda hyper: ("f", "grad") if hyper["lipschitz"] is None else ("grad",),
)
def nesterov(problem: Ledger, x: Array, *, lipschitz: positive | None = None, restart: bool = True) -> Iterates:
    r"""Nesterov's accelerated gradient method.

    Reference: :cite:`nesterov1983method`; in this form :cite:`su2016differential`, eq. 1. With
    :math:`v_0=x_0`,

    .. math:: x_k=v_{k-1}-\frac1{L_1}\nabla f(v_{k-1}),\qquad v_k=x_k+\frac{k-1}{k+2}(x_k-x_{k-1}) .

    As the step shrinks, the points :math:`x_k` at :math:`t=k/\sqrt{L_1}` follow the differential equation
    :math:`\ddot X+\frac3t\dot X+\nabla f(X)=0`: a ball with friction that fades.

    Parameters
    ----------
    problem : Problem
        Offers ``grad``; ``f`` too when ``lipschitz`` is adapted.
    x : array (d,)
        The start.
    lipschitz : float > 0, optional
        :math:`L_1`, in units of f over x². By default it starts at 1 and doubles until
        :math:`f(x_k)\le f(v)-\frac1{2L_1}\|\nabla f(v)\|^2` (up to rounding); it never falls, as the proof requires.
    restart : bool, default True
        Begin again at k = 1, without momentum, when the momentum points uphill
        (:cite:`odonoghue2015adaptive`, gradient scheme). False is the method as published.

    Yields
    ------
    Iterate
        ``lipschitz``, ``momentum`` (the factor :math:`\frac{k-1}{k+2}` that made v), ``restarted``, ``step``; ``trials`` when
        adaptive. The gradient is taken at v, so that at x is not yielded; values may rise.
        Ends as ``stalled`` when 100 doublings find no decrease.

    Guarantee: :math:`f(x_k)-f^*\le\frac{2L_1\|x_0-x^*\|^2}{(k+1)^2}` for convex f, a valid constant and no restart.
    Cost: a gradient an iteration; adaptive, a value at v and one a trial.

    Departures: restarting is the default, the published method the setting ``restart=False``.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 1000.0])
    >>> runs = so.compare(problem, ["nesterov", "gradient_descent"], tol=1e-6)
    >>> len(runs["nesterov"]) < len(runs["gradient_descent"]) / 4
    True
    """
    adaptive, lipschitz, v, k = lipschitz is None, lipschitz or 1.0, x, 1
    account: dict[str, Any] = {}
    while True:
        yield Iterate(x, **account)
        grad = problem.grad(v)
        if adaptive:
            f, square = problem.f(v), float(grad @ grad)
            for trials in range(1, 101):  # noqa: B007 (it is yielded)
                f_new = problem.f(v - grad / lipschitz)
                if math.isfinite(f_new) and f_new <= f - square / (2.0 * lipschitz) + rounding(f, f_new, epsilon(x)):
                    break
                lipschitz *= 2.0
            else:
                return "stalled: 100 doublings of L found no decrease; is the gradient right?"
            account["trials"] = trials
        x_new = v - grad / lipschitz
        restarted = restart and float(grad @ (x_new - x)) > 0.0
        k = 1 if restarted else k
        momentum = (k - 1.0) / (k + 2.0)
        v, step, k = x_new + momentum * (x_new - x), x_new - x, k + 1
        account |= {"lipschitz": lipschitz, "momentum": momentum, "restarted": restarted, "step": step}
        x = x_new
