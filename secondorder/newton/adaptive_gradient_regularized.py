"""Gradient-regularised Newton that finds its constant from values and gradients, or from gradients alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import method
from secondorder.ledger import Ledger
from secondorder.linalg import decreased, solve_definite
from secondorder.run import Iterate, Iterates

M_MIN = 1e-10


@method(
    paper="mishchenko2023regularized",
    needs=lambda hyper: ("f", "grad", "hess") if hyper["search"] else ("grad", "hess"),
    variants={"AdaN+": {"search": False}},
)
def adaptive_gradient_regularized_newton(problem: Ledger, x: Array, *, search: bool = True) -> Iterates:
    r"""Gradient-regularised Newton whose constant is searched until value and gradient have both fallen enough (AdaN).

    Reference: :cite:`mishchenko2023regularized`, the methods AdaN and AdaN+ (there :math:`H_k=M_k`).

    .. math:: x_{k+1}=x_k-\big(\nabla^2f(x_k)+\lambda_kI\big)^{-1}\nabla f(x_k),\qquad\lambda_k=\sqrt{M_k\|\nabla f(x_k)\|}

    :math:`M_k` is half of :math:`M_{k-1}` at first and doubles until the step h has both

    .. math:: f(x_k+h)\le f(x_k)-\tfrac23\lambda_k\|h\|^2\qquad\text{and}\qquad\|\nabla f(x_k+h)\|\le2\lambda_k\|h\| .

    Parameters
    ----------
    problem : Problem
        Convex; offers ``grad`` and ``hess``; ``f`` too with the search.
    x : array (d,)
        The start.
    search : bool, default True
        False is AdaN+, which tests nothing: after each step it measures how wrong the linear model of the gradient was,
        :math:`M_{k+1}=\max\big\{\frac12M_k,\ \|\nabla f(x_{k+1})-\nabla f(x_k)-\nabla^2f(x_k)h\|/\|h\|^2\big\}`. No theorem
        covers it.

    Yields
    ------
    Iterate
        ``grad``; ``f`` and ``trials`` with the search; ``M``, ``damping`` (:math:`\lambda_k`), ``step`` and ``radius`` that
        led there. Ends as ``stalled`` when 100 doublings do not pass; AdaN+ as ``breakdown`` where
        :math:`\nabla^2f+\lambda I` is not positive definite.

    Guarantee, for convex f: both tests pass once :math:`M\ge L_2/2`, so :math:`M_k\le\max(1,L_2)`, and
    :math:`f(x_k)-f^*=O(L_2D^3/k^2)`; for strongly convex f superlinear of order 3/2. None for AdaN+.
    Cost: a Hessian; a solve of order :math:`d^3`, a value and, if that has fallen enough, a gradient a trial. AdaN+ has
    one solve and one gradient a step.

    Departures: the first M is 1; the test of values allows for rounding; where the matrix is not positive definite the
    trial has failed; M is kept above 1e-10.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.pseudo_huber(), "adaptive_gradient_regularized_newton", x0=[30.0])
    >>> history.status
    'converged'
    """
    M, f, grad = 1.0, problem.f(x) if search else 0.0, problem.grad(x)
    f_new, grad_new, identity = 0.0, grad, namespace(x).eye(x.shape[0], dtype=x.dtype)
    account: dict[str, Any] = {}
    while True:
        yield Iterate(x, f=f if search else None, grad=grad, **account)
        H = problem.hess(x)
        for trials in range(1, 101):  # noqa: B007 (it is yielded)
            damping = math.sqrt(M * norm(grad))
            try:
                step = solve_definite(H + damping * identity, -grad)
                radius = norm(step)
                f_new = problem.f(x + step) if search else 0.0
                if not search or decreased(f, f_new, 2.0 / 3.0 * damping * radius**2, epsilon(x)):
                    grad_new = problem.grad(x + step)
                    if not search or norm(grad_new) <= 2.0 * damping * radius:
                        break
            except (ArithmeticError, np.linalg.LinAlgError):
                if not search:
                    raise
            M *= 2.0
        else:
            return "stalled: 100 doublings of M passed no test; is the gradient right?"
        account = {"M": M, "damping": damping, "step": step, "radius": radius, "trials": trials if search else None}
        seen = 0.0 if search or not radius > 0.0 else norm(grad_new - grad - H @ step) / radius**2
        x, f, grad, M = x + step, f_new, grad_new, max(M / 2.0, seen, M_MIN)
