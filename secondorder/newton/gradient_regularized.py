"""Newton's method regularised with the square root of the gradient norm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import rounding, solve_definite
from secondorder.run import Iterate, Iterates

M_MIN = 1e-10


@method(
    paper="mishchenko2023regularized",
    needs=lambda hyper: ("f", "grad", "hess") if hyper["M"] is None else ("grad", "hess"),
)
def gradient_regularized_newton(problem: Ledger, x: Array, *, M: positive | None = None) -> Iterates:
    r"""Newton's method with damping proportional to the root of the gradient norm, for convex functions.

    Reference: :cite:`mishchenko2023regularized`, Algorithm 1 (there :math:`H=M`); the same step with other constants in
    :cite:`doikov2024gradient`.

    .. math:: x_{k+1}=x_k-\big(\nabla^2f(x_k)+\lambda_kI\big)^{-1}\nabla f(x_k),\qquad \lambda_k=\sqrt{M\|\nabla f(x_k)\|}

    Parameters
    ----------
    problem : Problem
        Convex; offers ``grad`` and ``hess``; ``f`` too when ``M`` is adapted.
    x : array (d,)
        The start.
    M : float > 0, optional
        Kept as given; :math:`M\ge L_2/2` is enough. By default it starts at 1, doubles until
        :math:`f(x^+)\le f(x)-\frac23\lambda\|h\|^2` (up to rounding), and halves after each step (not below 1e-10).

    Yields
    ------
    Iterate
        ``grad``; ``M``, ``damping`` (:math:`\lambda_k`), ``step`` and ``radius`` that led there; ``f`` and ``trials``
        when adaptive. Ends as ``breakdown`` where :math:`\nabla^2f+\lambda I` is not positive definite (with a given ``M``;
        an adapted one grows first), as ``stalled`` when 100 doublings find no decrease.

    Guarantees, for convex f and :math:`M\ge L_2/2`: :math:`\|\nabla f(x^+)\|\le2\lambda\|h\|`,
    :math:`f(x)-f(x^+)\ge\frac23\lambda\|h\|^2`, and :math:`f(x_k)-f^*=O(L_2D^3/k^2)`; for strongly convex f superlinear
    of order 3/2.
    Cost: a gradient, a Hessian, and a solve of order :math:`d^3` a trial.

    Departures: the adaptive test is on values only; the author's AdaN also asks for
    :math:`\|\nabla f(x^+)\|\le2\lambda\|h\|`.

    >>> import secondorder as so
    >>> so.minimize(so.problems.pseudo_huber(), "gradient_regularized_newton", x0=[30.0]).status
    'converged'
    """
    adaptive = M is None
    M, f, identity = M or 1.0, None, namespace(x).eye(x.shape[0], dtype=x.dtype)
    account: dict[str, Any] = {}
    while True:
        grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, **account)
        H = problem.hess(x)
        f = problem.f(x) if adaptive and f is None else f
        M = max(M / 2.0, M_MIN) if adaptive and account else M
        for trials in range(1, 101):
            damping = math.sqrt(M * norm(grad))
            try:
                step = solve_definite(H + damping * identity, -grad)
            except np.linalg.LinAlgError:
                if not adaptive:
                    raise
                M *= 2.0
                continue
            radius = norm(step)
            account = {"M": M, "damping": damping, "step": step, "radius": radius}
            if not adaptive:
                break
            f_new, f_old = problem.f(x + step), f or 0.0
            if f_new <= f_old - 2.0 / 3.0 * damping * radius**2 + _allowance(f_old, f_new, x):
                f, account["trials"] = f_new, trials
                break
            M *= 2.0
        else:
            return "stalled: 100 doublings of M found no decrease; is the gradient right?"
        x = x + step


def _allowance(f: float, f_new: float, x: Array) -> float:
    return rounding(f, f_new, epsilon(x)) if math.isfinite(f_new) else 0.0
