"""Newton's method, pure and with a line search."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, epsilon, namespace
from secondorder.catalogue import fraction, method
from secondorder.ledger import Ledger
from secondorder.linalg import armijo, flipped_solve, modified_cholesky, shifted_solve, solve_definite
from secondorder.run import Iterate, Iterates, along


@method(
    paper="nocedal2006numerical",
    needs=lambda hyper: ("grad", "hess") if hyper["line_search"] is None else ("f", "grad", "hess"),
    variants={
        "pure": {"line_search": None},
        "eigenvalue flip": {"modification": "flip"},
        "shifted": {"modification": "shift"},
        "modified Cholesky": {"modification": "cholesky"},
    },
)
def newton(
    problem: Ledger,
    x: Array,
    *,
    line_search: Literal["armijo"] | None = "armijo",
    modification: Literal["flip", "shift", "cholesky"] | None = None,
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
    modification : "flip", "shift", "cholesky" or None (default)
        What a line search does where the Hessian is not positive definite. None ends the run. "flip" takes the absolute
        values of its eigenvalues (:cite:`dauphin2014identifying`), "shift" adds a multiple of the identity
        (:cite:`nocedal2006numerical`, Algorithm 3.3), "cholesky" adds the diagonal E of Gill, Murray and Wright
        (:cite:`gill1981practical`). The pure method ignores it.
    sufficient_decrease : float in (0, 1), default 1e-4
        :math:`c_1`.
    backtracking : float in (0, 1), default 0.5
        :math:`\beta`.

    Yields
    ------
    Iterate
        ``grad``; ``step`` (the whole :math:`\alpha_kp_k`); with a line search ``f``, ``step_size``, ``trials`` and
        ``modified`` (whether the Hessian was). Ends as ``breakdown`` at a singular Hessian (or, with the line search and
        no ``modification``, one that is not positive definite), as ``stalled`` when 60 trials find no decrease.

    Guarantee: where :math:`\nabla^2f(x^*)\succeq\mu I` and :math:`\|x_k-x^*\|\le\mu/(2L_2)`, full steps give
    :math:`\|x_{k+1}-x^*\|\le\frac{L_2}\mu\|x_k-x^*\|^2`.
    Cost: a gradient, a Hessian and a solve of order :math:`d^3`; a value for each trial.

    >>> import secondorder as so
    >>> len(so.minimize(so.problems.quadratic([1.0, 1e6]), "newton")) - 1
    1
    """
    f = None
    account: dict[str, Any] = {}
    while True:
        grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, **account)
        H = problem.hess(x)
        if line_search is None:
            step = namespace(x).linalg.solve(H, -grad)
            x, account = x + step, {"step": step}
            continue
        step, modified = direction(H, grad, modification)
        f = problem.f(x) if f is None else f
        slope = float(grad @ step)
        found = armijo(along(problem, x, step), f, slope, epsilon(x), sufficient_decrease, backtracking)
        if found is None:
            return "stalled: 60 trials found no decrease along the Newton direction; is the gradient right?"
        step_size, f, trials = found
        x = x + step_size * step
        account = {"step": step_size * step, "step_size": step_size, "trials": trials, "modified": modified}


def direction(H: Array, grad: Array, modification: str | None) -> tuple[Array, bool]:
    """The Newton direction, and whether the Hessian was modified to get it."""
    try:
        return solve_definite(H, -grad), False
    except np.linalg.LinAlgError:
        if modification is None:
            raise
    if modification == "flip":
        return flipped_solve(H, -grad), True
    if modification == "shift":
        return shifted_solve(H, -grad)[0], True
    L, D, _ = modified_cholesky(H)
    solve = namespace(H).linalg.solve
    return solve(L.T, solve(L, -grad) / D), True
