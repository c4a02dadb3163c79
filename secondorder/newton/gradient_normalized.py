"""Newton's method with any approximate Hessian and a measured radius of trust."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import diagonal_rank_one_solve, rounding, solve_definite
from secondorder.run import Iterate, Iterates

SMOOTHNESS_MIN, SMOOTHNESS_MAX = 1e-9, 1e10
ORACLE = {
    **{"exact": ("hess",), "gauss_newton": ("ggn_product",), "zero": ()},
    **dict.fromkeys(("fisher", "diagonal_rank_one"), ("diagonal_rank_one",)),
}
"""What each approximate Hessian is made from."""


@method(
    paper="semenov2026gradient",
    needs=lambda hyper: (*(("f",) if hyper["smoothness"] is None else ()), "grad", *ORACLE[hyper["hessian"]]),
    variants={
        "Gauss-Newton": {"hessian": "gauss_newton"},
        "Fisher term": {"hessian": "fisher"},
        "diagonal plus rank one": {"hessian": "diagonal_rank_one"},
        "zero Hessian": {"hessian": "zero"},
    },
)
def gradient_normalized_newton(
    problem: Ledger,
    x: Array,
    *,
    hessian: Literal["exact", "gauss_newton", "fisher", "diagonal_rank_one", "zero"] = "exact",
    smoothness: positive | None = None,
) -> Iterates:
    r"""Newton's method with an approximate Hessian, damped by the gradient norm over a measured radius of trust.

    Reference: :cite:`semenov2026gradient`, Algorithm 1. With any :math:`\mathbf H(x)\succeq0` in place of the Hessian,

    .. math::

        x_{k+1}=x_k-\big(\mathbf H(x_k)+\lambda_kI\big)^{-1}\nabla f(x_k),\qquad
        \lambda_k=\frac{\|\nabla f(x_k)\|}{\gamma_k},

    so that :math:`\|x_{k+1}-x_k\|\le\gamma_k`. The *gradient-normalised smoothness* :math:`\gamma(x)` is the largest
    :math:`\gamma` with :math:`\|\nabla f(x+h)-\nabla f(x)-\mathbf H(x)h\|\le\frac{\|\nabla f(x)\|}\gamma\|h\|` for all h with
    :math:`\|h\|\le\gamma` and :math:`h^\top\mathbf H(x)h\le\|\nabla f(x)\|\|h\|`. Whatever is known of f or of
    :math:`\mathbf H` is a lower bound on it; the method is told nothing and measures :math:`\gamma_k` as it walks.

    Parameters
    ----------
    problem : Problem
        Offers ``grad``; ``f`` too when the smoothness is measured; and what ``hessian`` asks for.
    x : array (d,)
        The start.
    hessian : str, default "exact"
        :math:`\mathbf H`: "exact", from ``hess``; "gauss_newton", the generalised Gauss-Newton matrix and the ridge, from
        d calls of ``ggn_product``; "fisher", :math:`c\,\nabla f\,\nabla f^\top`, and "diagonal_rank_one",
        :math:`\mathrm{diag}(D)+c\,\nabla f\,\nabla f^\top`, from ``diagonal_rank_one``, solved in :math:`O(d)`; "zero",
        which leaves gradient descent with a step measured the same way.
    smoothness : float > 0, optional
        :math:`\gamma`, a length in units of x, kept as given; no f is needed then. By default it starts at 1, halves until
        :math:`f(x^+)\le f(x)-\frac1{8\lambda}\|\nabla f(x^+)\|^2`, and doubles after each step (between 1e-9 and 1e10).
        Where that decrease is below the rounding of f, the test is
        :math:`\|\nabla f(x^+)+\lambda h\|\le\lambda\|h\|`, the definition of :math:`\gamma` at the step taken.

    Yields
    ------
    Iterate
        ``grad``; ``smoothness`` (:math:`\gamma_k`), ``damping`` (:math:`\lambda_k`), ``step`` and ``radius`` that led
        there; ``f`` and ``trials`` when measured. Ends as ``breakdown`` where :math:`\mathbf H+\lambda I` is not positive
        definite (with a given ``smoothness``; a measured one halves first), as ``stalled`` when 100 halvings find no
        decrease.

    Guarantee: :math:`f(x_k)-f(x_{k+1})\ge\frac{\gamma_k}8\frac{\|\nabla f(x_{k+1})\|^2}{\|\nabla f(x_k)\|}` and, for
    :math:`\mathbf H\succeq0`, :math:`\gamma_k\ge\min\{\text{first trial},\frac12\gamma(x_k)\}`. With exact Hessians that are
    :math:`L_2`-Lipschitz :math:`\gamma(x)\ge\sqrt{2\|\nabla f(x)\|/L_2}`, with :math:`\mathbf H=0`
    :math:`\gamma(x)\ge\|\nabla f(x)\|/L_1`, and for quasi-self-concordant f
    (:math:`|D^3f(x)[u,u,v]|\le M\|v\|\,u^\top\nabla^2f(x)u`) :math:`\gamma(x)\ge1/M`. For convex f the rates
    :math:`O(1/k^2)`, :math:`O(1/k)` and a linear one follow, see ``secondorder.guarantees``.
    Cost: a gradient and a solve (:math:`O(d^3)`, :math:`O(d)` with rank one) a trial, a value a trial, and
    :math:`\mathbf H`: a Hessian, d products, or a call of ``diagonal_rank_one``.

    Departures: the gradient test beyond the rounding of f, and the upper end of :math:`\gamma`, are this library's. On the
    exact form of the region in the definition of :math:`\gamma(x)` the paper may differ.

    >>> import secondorder as so
    >>> problem = so.problems.soft_maximum(mu=1.0)
    >>> runs = {H: so.minimize(problem, "gradient_normalized_newton", hessian=H) for H in ("exact", "gauss_newton", "zero")}
    >>> [len(history) - 1 for history in runs.values()]
    [9, 27, 36]
    """
    measured, smoothness = smoothness is None, smoothness or 1.0
    f, grad = problem.f(x) if measured else None, problem.grad(x)
    account: dict[str, Any] = {}
    while True:
        yield Iterate(x, f=f, grad=grad, **account)
        if not norm(grad) > 0.0:
            return "stalled: the gradient vanishes"
        solve = regularized(problem, x, grad, hessian)
        if measured and account:
            smoothness = min(max(2.0 * smoothness, SMOOTHNESS_MIN), SMOOTHNESS_MAX)
        for trials in range(1, 101):  # noqa: B007 (it is yielded)
            damping, step = norm(grad) / smoothness, None
            try:
                step = solve(damping)
            except np.linalg.LinAlgError:
                if not measured:
                    return "breakdown: H + λI is not positive definite; a smaller smoothness, or a measured one, damps more"
            if step is not None:
                f_new, grad_new = judged(problem, x, step, damping, f)
                if grad_new is not None:
                    break
            smoothness /= 2.0
        else:
            return "stalled: 100 halvings of the smoothness found no decrease; is the gradient right?"
        account = {"smoothness": smoothness, "damping": damping, "step": step, "radius": norm(step)}
        account |= {"trials": trials} if measured else {}
        x, f, grad = x + step, f_new, grad_new


def regularized(problem: Ledger, x: Array, grad: Array, hessian: str) -> Callable[[float], Array]:
    """The step at x as a function of the damping."""
    xp = namespace(x)
    if hessian == "zero":
        return lambda damping: -grad / damping
    if hessian in ("fisher", "diagonal_rank_one"):
        diagonal, weight = problem.diagonal_rank_one(x)
        kept = diagonal if hessian == "diagonal_rank_one" else xp.zeros_like(x)
        return lambda damping: diagonal_rank_one_solve(kept + damping, weight, grad, -grad)
    identity = xp.eye(x.shape[0], dtype=x.dtype)
    if hessian == "exact":
        H = problem.hess(x)
    else:
        columns = [problem.ggn_product(x, identity[:, i]) for i in range(x.shape[0])]
        H = xp.stack(columns, axis=1) + problem.l2 * identity
    return lambda damping: solve_definite(H + damping * identity, -grad)


def judged(
    problem: Ledger, x: Array, step: Array, damping: float, f: float | None
) -> tuple[float | None, Array | None]:
    """Value and gradient after the step, the gradient None where the step is refused; without f none is."""
    if f is None:
        return None, problem.grad(x + step)
    f_new = problem.f(x + step)
    allowance = rounding(f, f_new, epsilon(x)) if math.isfinite(f_new) else 0.0
    if not f_new <= f + allowance:
        return f_new, None
    grad = problem.grad(x + step)
    promised = norm(grad) ** 2 / (8.0 * damping)
    if promised > allowance:
        return f_new, grad if f_new <= f - promised else None
    return f_new, grad if norm(grad + damping * step) <= damping * norm(step) else None
