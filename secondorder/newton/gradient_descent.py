"""Gradient descent, the yardstick."""

from __future__ import annotations

import math
from typing import Any

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import rounding
from secondorder.run import Iterate, Iterates


@method(
    paper="nesterov2018lectures",
    needs=lambda hyper: ("f", "grad") if hyper["lipschitz"] is None else ("grad",),
)
def gradient_descent(problem: Ledger, x: Array, *, lipschitz: positive | None = None) -> Iterates:
    r"""Gradient descent with step 1/L, adapted or given.

    Reference: :cite:`nesterov2018lectures`, §2.1.5.

    .. math:: x_{k+1}=x_k-\frac1{L_1}\nabla f(x_k)

    Parameters
    ----------
    problem : Problem
        Offers ``grad``; ``f`` too when ``lipschitz`` is adapted.
    x : array (d,)
        The start.
    lipschitz : float > 0, optional
        :math:`L_1`, the Lipschitz constant of the gradient, in units of f over x². By default it starts at 1, doubles
        until :math:`f(x^+)\le f(x)-\frac1{2L_1}\|\nabla f(x)\|^2`, and halves after each step. Where that decrease is
        below the rounding of f, the test is :math:`\|\nabla f(x^+)-\nabla f(x)\|\le L_1\|x^+-x\|`, at a gradient
        a trial.

    Yields
    ------
    Iterate
        ``grad``; ``f`` and ``trials`` when adaptive; ``lipschitz`` and ``step`` that led there.
        Ends as ``stalled`` when 100 doublings find no decrease.

    Guarantee: :math:`f(x_k)-f^*\le\frac{2L_1\|x_0-x^*\|^2}{k+4}` for convex f and a valid constant
    (Corollary 2.1.2 there, with :math:`\|\cdot\|` Euclidean).
    Cost: one gradient an iteration; adaptive, one value a trial.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 10.0])
    >>> len(so.minimize(problem, "gradient_descent", lipschitz=10.0, tol=1e-6)) - 1
    132
    """
    adaptive = lipschitz is None
    lipschitz, f = lipschitz or 1.0, None
    account: dict[str, Any] = {}
    while True:
        grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, **account)
        if not adaptive:
            step = -grad / lipschitz
            x, account = x + step, {"lipschitz": lipschitz, "step": step}
            continue
        f = problem.f(x) if f is None else f
        lipschitz, square = lipschitz / 2.0 if account else lipschitz, float(grad @ grad)
        for trials in range(1, 101):  # noqa: B007 (it is yielded)
            step, promised = -grad / lipschitz, square / (2.0 * lipschitz)
            f_new = problem.f(x + step)
            allowance = rounding(f, f_new, epsilon(x)) if math.isfinite(f_new) else 0.0
            enough = f_new <= f - promised
            if promised <= allowance and f_new <= f + allowance:  # the values cannot tell; the gradients can
                enough = norm(problem.grad(x + step) - grad) <= lipschitz * norm(step)
            if enough:
                break
            lipschitz *= 2.0
        else:
            return "stalled: 100 doublings of L found no decrease; is the gradient right?"
        x, f, account = x + step, f_new, {"lipschitz": lipschitz, "step": step, "trials": trials}
