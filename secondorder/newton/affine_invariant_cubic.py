"""Cubic Newton in the norm that the Hessian defines: a Newton step, shortened by a formula."""

from __future__ import annotations

import math
from typing import Any

from secondorder.arrays import Array, epsilon
from secondorder.catalogue import method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import decreased, solve_definite
from secondorder.run import Iterate, Iterates

M_MIN = 1e-10


@method(
    paper="hanzely2022damped",
    needs=lambda hyper: ("f", "grad", "hess") if hyper["M"] is None else ("grad", "hess"),
    variants={"constant given": {"M": 10.0}},
)
def affine_invariant_cubic_newton(problem: Ledger, x: Array, *, M: positive | None = None) -> Iterates:
    r"""Cubic Newton in the local norm: Newton's step times a number, for convex functions with a definite Hessian.

    Reference: :cite:`hanzely2022damped`, AICN (there :math:`M=L_{\rm est}`).

    With the local norms :math:`\|h\|_x^2=h^\top\nabla^2f(x)h` and :math:`\|g\|_x^{*2}=g^\top\nabla^2f(x)^{-1}g`,

    .. math::

        x_{k+1}=x_k+\arg\min_h\Big\{\nabla f(x_k)^\top h+\tfrac12\|h\|_{x_k}^2+\tfrac M6\|h\|_{x_k}^3\Big\}
        =x_k-\alpha_k\nabla^2f(x_k)^{-1}\nabla f(x_k),\qquad\alpha_k=\frac2{1+\sqrt{1+2M\lambda_k}},

    where :math:`\lambda_k=\|\nabla f(x_k)\|^*_{x_k}` is the Newton decrement. With a given constant no value of f is asked
    for and no step is tried twice.

    Parameters
    ----------
    problem : Problem
        Convex; offers ``grad`` and ``hess``, positive definite; ``f`` too when ``M`` is adapted.
    x : array (d,)
        The start.
    M : float > 0, optional
        Kept as given; :math:`M\ge L` is enough, if :math:`\|\nabla^2f(y)-\nabla^2f(x)\|_x\le L\|y-x\|_x` for all x and y,
        as with :math:`L=L_2/\mu^{3/2}` for :math:`\nabla^2f\succeq\mu I` :cite:`hanzely2022damped`. By default it starts
        at 1, doubles until :math:`f(x^+)\le f(x)-\frac12r^2-\frac M3r^3` (up to rounding), with
        :math:`r=\|x^+-x\|_x`, and halves after each step (not below 1e-10).

    Yields
    ------
    Iterate
        ``grad``; ``M``, ``step``, ``step_size`` (:math:`\alpha`), ``decrement`` (:math:`\lambda`), ``radius``
        (:math:`r=\alpha\lambda`, in the local norm) and ``decrease`` (:math:`\frac12r^2+\frac M3r^3`, that of the model) of
        the step that led there; ``f`` and ``trials`` when adaptive. Ends as ``breakdown`` where the Hessian is not
        positive definite, as ``stalled`` when 100 doublings find no decrease.

    Guarantees, for :math:`M\ge L`: :math:`f(x)-f(x^+)\ge\frac12r^2+\frac M3r^3\ge\frac\alpha2\lambda^2`,
    :math:`\|\nabla f(x^+)\|_x^*\le\frac{L+M}2r^2`, hence quadratic at the end, and for convex f
    :math:`f(x_k)-f^*\le\frac92(L+M)D^3/(k+4)^2`, :math:`k\ge1`, where D bounds :math:`\|x_k-x^*\|_{x_k}`. The order
    :math:`k^{-2}` is the paper's, the constants follow from the recursion of :func:`secondorder.newton.cubic_newton`.
    In other coordinates, x = Ay, the iterates are the same points.
    Cost: a gradient, a Hessian, and a solve of order :math:`d^3`; adaptive, a value and :math:`O(d)` a trial.

    Departures: the paper keeps its constant. The adaptive rule is this library's own; its test passes whenever
    :math:`M\ge L`, hence :math:`M\le\max(1,2L)` throughout, and a trial outside the domain fails it.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.analytic_center(), "affine_invariant_cubic_newton", M=15.0)
    >>> history.status, history.oracle["f"]
    ('converged', 0)
    """
    adaptive = M is None
    M, f = M or 1.0, None
    account: dict[str, Any] = {}
    while True:
        grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, **account)
        newton_step = solve_definite(problem.hess(x), -grad)
        decrement = math.sqrt(max(0.0, -float(grad @ newton_step)))
        f = problem.f(x) if adaptive and f is None else f
        M = max(M / 2.0, M_MIN) if adaptive and account else M
        for trials in range(1, 101):  # noqa: B007 (it is yielded)
            step_size = 2.0 / (1.0 + math.sqrt(1.0 + 2.0 * M * decrement))
            step, radius = step_size * newton_step, step_size * decrement
            decrease = radius**2 / 2.0 + M / 3.0 * radius**3
            if not adaptive:
                break
            f_old, f_new = f or 0.0, problem.f(x + step) if problem.domain(x + step) else math.inf
            if decreased(f_old, f_new, decrease, epsilon(x)):
                f = f_new
                break
            M *= 2.0
        else:
            return "stalled: 100 doublings of M found no decrease; is the gradient right?"
        x, account = x + step, {"M": M, "step": step, "step_size": step_size, "decrement": decrement}
        account |= {"radius": radius, "decrease": decrease, "trials": trials if adaptive else None}
