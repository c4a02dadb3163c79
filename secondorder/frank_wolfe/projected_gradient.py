"""The projected gradient method, the contrast to the family."""

from __future__ import annotations

import math
from typing import Any

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import rounding
from secondorder.run import Iterate, Iterates


@method(
    paper="beck2017first",
    measure="gap",
    needs=lambda hyper: ("f", "grad", "project") if hyper["lipschitz"] is None else ("grad", "project"),
)
def projected_gradient(problem: Ledger, x: Array, *, lipschitz: positive | None = None) -> Iterates:
    r"""The projected gradient method: a gradient step, and back to the nearest point of the set.

    Not a Frank–Wolfe method but the contrast to one: it asks for projections and never for a linear minimisation.

    Reference: :cite:`beck2017first`, chapter 10; first by :cite:`goldstein1964convex` and :cite:`levitin1966constrained`.

    .. math:: x_{k+1}=P_{\mathcal C}\big(x_k-\tfrac1{L_1}\nabla f(x_k)\big)

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``project``; ``f`` too when ``lipschitz`` is adapted. With ``lmo`` as well, the loop looks at the
        gap, which this method itself does not need.
    x : array (d,)
        The start, in the feasible set.
    lipschitz : float > 0, optional
        :math:`L_1`, the Lipschitz constant of the gradient, in units of f over x²; given, it is not tested, nor is the domain
        asked. By default it starts at 1, doubles until
        :math:`f(x^+)\le f(x)+\langle\nabla f(x),x^+-x\rangle+\frac{L_1}2\|x^+-x\|^2`, and halves after each step. Where the
        promised decrease is below the rounding of f, the test is :math:`\|\nabla f(x^+)-\nabla f(x)\|\le L_1\|x^+-x\|`,
        at a gradient a trial.

    Yields
    ------
    Iterate
        ``grad``; ``f`` and ``trials`` when adaptive; ``lipschitz`` and ``step`` that led there. Ends as ``stalled`` when the
        step is below the rounding of x, as at a fixed point, or when 100 doublings find no decrease.

    Guarantee: :math:`f(x_k)-f^*\le\frac{L_1\|x_0-x^*\|^2}{2k}` for convex f and a valid constant, and
    :math:`\|x_{k+1}-x^*\|^2\le(1-\frac\mu{L_1})\|x_k-x^*\|^2` if f is :math:`\mu`-strongly convex (chapter 10 there).
    Cost: one gradient and one projection an iteration; adaptive, one projection and one value a trial.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 4.0]).subject_to(so.sets.Simplex(2))
    >>> so.minimize(problem, "projected_gradient").x.round(4)
    array([0.8, 0.2])
    """
    adaptive = lipschitz is None
    lipschitz, f, f_new = lipschitz or 1.0, None, None
    account: dict[str, Any] = {}
    while True:
        grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, **account)
        if adaptive:
            f, lipschitz = problem.f(x) if f is None else f, lipschitz / 2.0 if account else lipschitz
        for trials in range(1, 101):  # noqa: B007 (it is yielded)
            point = problem.project(x - grad / lipschitz)
            step = point - x
            if f is None:  # the constant is given
                break
            f_new = problem.f(point) if problem.domain(point) else math.inf
            if below_model(problem, x, f, grad, point, f_new, lipschitz):
                break
            lipschitz *= 2.0
        else:
            return "stalled: 100 doublings of L found no decrease; is the gradient right?"
        if norm(step) <= epsilon(x) * norm(x):
            return "stalled: the step is below the rounding of x"
        account = {"lipschitz": lipschitz, "step": step, "trials": trials if adaptive else None}
        x, f = point, f_new


def below_model(problem: Ledger, x: Array, f: float, grad: Array, point: Array, f_new: float, lipschitz: float) -> bool:
    r"""Whether f at the point lies below its quadratic model about x, with constant :math:`L_1`."""
    step = point - x
    promised = -float(grad @ step) - 0.5 * lipschitz * float(step @ step)
    allowance = rounding(f, f_new, epsilon(x)) if math.isfinite(f_new) else 0.0
    if promised <= allowance and f_new <= f + allowance:  # the values cannot tell; the gradients can
        return norm(problem.grad(point) - grad) <= lipschitz * norm(step)
    return f_new <= f - promised
