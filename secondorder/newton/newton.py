"""Newton's method, pure and with a line search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from secondorder.arrays import Array, epsilon, namespace
from secondorder.catalogue import fraction, method
from secondorder.ledger import Ledger
from secondorder.linalg import armijo, solve_definite
from secondorder.run import Iterate, Iterates


@method(
    paper="nocedal2006numerical",
    needs=lambda hyper: ("grad", "hess") if hyper["line_search"] is None else ("f", "grad", "hess"),
    variants={"pure": {"line_search": None}},
)
def newton(
    problem: Ledger,
    x: Array,
    *,
    line_search: Literal["armijo"] | None = "armijo",
    sufficient_decrease: fraction = 1e-4,
    backtracking: fraction = 0.5,
) -> Iterates:
    r"""Newton's method, with a line search or pure.

    Reference: :cite:`nocedal2006numerical`, eq. 3.30 and Algorithm 3.1.

    .. math:: \nabla^2f(x_k)\,p_k=-\nabla f(x_k),\qquad x_{k+1}=x_k+\alpha_kp_k

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``hess``; ``f`` too for the line search.
    x : array (d,)
        The start.
    line_search : "armijo" (default) or None
        None is the pure method, :math:`\alpha_k=1`: it solves for a stationary point of any kind, a saddle or a
        maximum as readily as a minimum, and may cycle or diverge. With "armijo" the Hessian must be positive
        definite, and :math:`\alpha_k` is the first of :math:`1,\beta,\beta^2,\dots` with
        :math:`f(x_k+\alpha p_k)\le f(x_k)+c_1\alpha\,\nabla f(x_k)^\top p_k` (up to rounding of f).
    sufficient_decrease : float in (0, 1), default 1e-4
        :math:`c_1`.
    backtracking : float in (0, 1), default 0.5
        :math:`\beta`.

    Yields
    ------
    Iterate
        ``grad``; ``step`` (the whole :math:`\alpha_kp_k`); with a line search ``f``, ``step_size`` and ``trials``.
        Ends as ``breakdown`` at a singular Hessian (or, with the line search, one that is not positive definite:
        ``cubic_newton`` goes on there), as ``stalled`` when 60 trials find no decrease.

    Guarantee: where :math:`\nabla^2f(x^*)\succeq\mu I` and :math:`\|x_k-x^*\|\le\mu/(2L_2)`, full steps give
    :math:`\|x_{k+1}-x^*\|\le\frac{L_2}\mu\|x_k-x^*\|^2`.
    Cost: a gradient, a Hessian and a solve of order :math:`d^3`; a value for each trial.

    >>> import secondorder as so
    >>> len(so.minimize(so.problems.quadratic([1.0, 1e6]), "newton")) - 1
    1
    """
    f, step, step_size, trials = None, None, None, None
    while True:
        grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, step=step, step_size=step_size, trials=trials)
        H = problem.hess(x)
        if line_search is None:
            step = namespace(x).linalg.solve(H, -grad)
            x = x + step
            continue
        step = solve_definite(H, -grad)
        f = problem.f(x) if f is None else f
        slope = float(grad @ step)
        found = armijo(_along(problem, x, step), f, slope, epsilon(x), sufficient_decrease, backtracking)
        if found is None:
            return "stalled: 60 trials found no decrease along the Newton direction; is the gradient right?"
        step_size, f, trials = found
        step = step_size * step
        x = x + step


def _along(problem: Ledger, x: Array, step: Array) -> Callable[[float], float]:
    return lambda step_size: problem.f(x + step_size * step)
