"""Adaptive regularisation with cubics."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import above_one, fraction, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import cauchy_length, cubic_step, eigen, krylov_step, reduction_ratio
from secondorder.run import Iterate, Iterates, products

SIGMA_MIN = 1e-10


@method(
    paper="cartis2011adaptive",
    needs=lambda hyper: ("f", "grad", "hess") if hyper["subproblem"] == "exact" else ("f", "grad", "hvp"),
    variants={"Krylov": {"subproblem": "krylov"}},
)
def arc(
    problem: Ledger,
    x: Array,
    *,
    subproblem: Literal["exact", "krylov"] = "exact",
    initial_sigma: positive | None = None,
    acceptance: fraction = 0.1,
    very_successful: fraction = 0.9,
    growth: above_one = 2.0,
) -> Iterates:
    r"""ARC: cubic regularisation whose weight is judged like a trust radius.

    Reference: :cite:`cartis2011adaptive`, Algorithm 2.1 with the choices of its §7. The trial step minimises

    .. math:: m(s)=\nabla f(x_k)^\top s+\tfrac12s^\top\nabla^2f(x_k)s+\tfrac{\sigma_k}3\|s\|^3,\qquad
        \rho_k=\frac{f(x_k)-f(x_k+s_k)}{-m(s_k)},

    and is taken if :math:`\rho_k\ge\eta_1`. Then :math:`\sigma\leftarrow\max(\min(\sigma,\|\nabla f(x_k)\|),\sigma_{\min})`
    if :math:`\rho_k>\eta_2`, :math:`\sigma\leftarrow\gamma\sigma` if :math:`\rho_k<\eta_1`.

    Parameters
    ----------
    problem : Problem
        Offers ``f`` and ``grad``; ``hess`` for the exact subproblem, ``hvp`` for "krylov".
    x : array (d,)
        The start.
    subproblem : "exact" (default) or "krylov"
        "exact" is the global minimiser from an eigendecomposition; "krylov" that over a Krylov subspace, to a residual
        of :math:`0.1\min(1,\|g\|)\|g\|` (:func:`secondorder.linalg.krylov_step`): no matrix, and blind to the hard case.
    initial_sigma : float > 0, optional
        :math:`\sigma_0`, in units of f over x³. By default :math:`\|g\|/\Delta_0^2` with the length
        :math:`\Delta_0` of the Cauchy step at the start (:func:`secondorder.linalg.cauchy_length`); the paper's
        experiments set 1. Conventions differ: :math:`\sigma=M/2` of ``cubic_newton``.
    acceptance, very_successful : float in (0, 1), default 0.1 and 0.9
        :math:`\eta_1\le\eta_2`; ``ValueError`` otherwise.
    growth : float > 1, default 2
        :math:`\gamma`.

    Yields
    ------
    Iterate
        ``f``, ``grad``; ``sigma`` (of this trial), ``step``, ``multiplier`` (:math:`\sigma\|s\|`), ``decrease``
        (:math:`-m(s)`), ``ratio``, ``accepted``; ``radius`` and ``hard`` (exact), or ``residual`` and ``products`` (krylov).
        A rejected trial is a row: x repeats, ``accepted`` is False. Ends as ``stalled`` when steps fall below rounding.

    Guarantee: a gradient norm of :math:`\varepsilon` within :math:`O(\varepsilon^{-3/2})` iterations.
    Cost: one value an iteration; one gradient and one Hessian with its eigendecomposition an accepted step.

    Departures: :math:`\sigma_0` is measured, where the paper's experiments set 1; a rounding allowance on both sides of
    the ratio, as in ``trust_region``; :math:`\sigma_{\min}=10^{-10}` in place of the rounding unit, below which the
    model of an indefinite Hessian is no model.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.saddle(), "arc", x0=[1.0, 0.0])
    >>> history.status, abs(history.x).round(6)
    ('converged', array([0.      , 1.414214]))
    """
    if acceptance > very_successful:
        raise ValueError(f"acceptance must be at most very_successful; got {acceptance} and {very_successful}")
    grad = problem.grad(x)
    yield Iterate(x, grad=grad)
    f, H = problem.f(x), eigen(problem.hess(x)) if subproblem == "exact" else None
    sigma = initial_sigma
    if sigma is None:
        length = cauchy_length(grad, problem.hvp(x, grad) if H is None else H @ grad)
        sigma = max(norm(grad) / length**2, SIGMA_MIN)
    while True:
        account: dict[str, Any] = {"sigma": sigma}
        if subproblem == "exact":
            H = eigen(problem.hess(x)) if H is None else H
            found: Any = cubic_step(grad, H, 2.0 * sigma)
        elif not norm(grad) > 0.0:
            return "stalled: the step is below the rounding of x"
        else:
            found = krylov_step(
                partial(cubic_step, M=2.0 * sigma),
                products(problem, x),
                grad, tol=0.1 * min(1.0, norm(grad)),
            )  # fmt: skip
        account |= found._asdict()
        if not norm(found.step) > epsilon(x) * norm(x):
            return "stalled: the step is below the rounding of x"
        f_new = problem.f(x + found.step)
        ratio = reduction_ratio(f, f_new, found.decrease, epsilon(x))
        accepted = ratio >= acceptance
        if ratio > very_successful:
            sigma = max(min(sigma, norm(grad)), SIGMA_MIN)
        elif not accepted:
            sigma *= growth
        if accepted:
            x, f, H = x + found.step, f_new, None
            grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, **account, ratio=ratio, accepted=accepted)
