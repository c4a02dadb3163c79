"""The gradient method, preconditioned by a polynomial of a matrix that bounds the Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np

from secondorder.arrays import Array, epsilon, norm, standard_normal
from secondorder.catalogue import Interval, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import (
    Chebyshev,
    krylov_solve,
    least_eigenpair,
    power_traces,
    rounding,
    spectral_interval,
    symmetric_polynomial,
)
from secondorder.run import Iterate, Iterates

Polynomial = Literal["symmetric", "chebyshev", "krylov"]
Degree = Annotated[int, Interval(0, math.inf, "[", ")")]


@method(
    paper="doikov2023polynomial",
    needs=lambda hyper: ("f", "grad", "metric") if hyper["M"] is None else ("grad", "metric"),
    variants={
        "gradient method": {"degree": 0},
        "Chebyshev": {"polynomial": "chebyshev"},
        "Krylov": {"polynomial": "krylov"},
        "fast gradient": {"momentum": "nesterov"},
    },
)
def polynomial_preconditioned_gradient(
    problem: Ledger,
    x: Array,
    *,
    polynomial: Polynomial = "symmetric",
    degree: Degree = 2,
    momentum: Literal["nesterov", "restarted"] | None = None,
    M: positive | None = None,
) -> Iterates:
    r"""Gradient steps through a polynomial of a fixed matrix that bounds the Hessian.

    Reference: :cite:`doikov2023polynomial`. With :math:`\mu B\preceq\nabla^2f(x)\preceq LB` and a polynomial p of degree
    :math:`\tau`, scaled such that the largest eigenvalue of :math:`BP` is 1,

    .. math:: x_{k+1}=x_k-\frac1MP\,\nabla f(x_k),\qquad P=p(B)\approx B^{-1} .

    - "symmetric": :math:`P_\tau=\sum_{i=0}^\tau(-1)^i\sigma_{\tau-i}(\lambda)B^i`, with the elementary symmetric polynomials of
      the eigenvalues of B, found from traces: cuts the gaps between the :math:`\tau+1` largest eigenvalues
      (:func:`secondorder.linalg.symmetric_polynomial`);
    - "chebyshev": the best polynomial for an interval that holds the spectrum (:class:`secondorder.linalg.Chebyshev`);
    - "krylov": the best for the gradient at hand; the step minimises :math:`g^\top h+\frac M2h^\top Bh` over
      :math:`g,Bg,\dots,B^\tau g`, which are :math:`\tau+1` steps of conjugate gradients.

    Parameters
    ----------
    problem : Problem
        Convex; offers ``grad`` and ``metric``; ``f`` too when ``M`` is adapted.
    x : array (d,)
        The start.
    polynomial : "symmetric" (default), "chebyshev" or "krylov"
    degree : int ≥ 0, default 2
        :math:`\tau`, d - 1 at most; 0 is the gradient method.
    momentum : "nesterov" or "restarted", optional
        The fast gradient method in the norm of :math:`P^{-1}`: the step is taken from
        :math:`v_k=x_k+\frac{k-1}{k+2}(x_k-x_{k-1})`, and M never falls; "restarted" begins again at k = 1 when the momentum
        points uphill (:cite:`odonoghue2015adaptive`). With "krylov", whose P changes with the gradient, it has no proof.
    M : float > 0, optional
        Kept as given; :math:`M\ge L` is enough, 1 for the metrics of :func:`secondorder.problems.logistic`,
        :func:`secondorder.problems.softmax` and :func:`secondorder.problems.quadratic`. By default it starts at 1, doubles
        until :math:`f(x^+)\le f(x)-\frac1{2M}g^\top Pg` and halves after each step. Where that decrease is below the rounding
        of f the test is :math:`g_+^\top Pg\ge0`, the same on a quadratic, at a gradient a trial.

    Yields
    ------
    Iterate
        ``M``, ``decrease`` (:math:`\frac1{2M}g^\top Pg`), ``step``; without momentum ``grad`` and, when M is adapted, ``f``;
        ``trials`` when adapted; with momentum ``momentum`` (:math:`\frac{k-1}{k+2}`) and ``restarted``. Ends as ``breakdown``
        when :math:`g^\top Pg\le0`, as ``stalled`` when 100 doublings find no decrease.

    Guarantee, with :math:`\beta,\alpha` the extreme eigenvalues of :math:`BP` (here :math:`\beta=1`) and :math:`M=L`: linear
    with the factor :math:`1-\frac{\alpha\mu}{\beta L}`; :math:`f(x_k)-f^*\le\frac{\beta L}{2k}\|x_0-x^*\|_{P^{-1}}^2`,
    with "nesterov" :math:`\frac{2\beta L}{(k+1)^2}` in place of :math:`\frac{\beta L}{2k}`. "krylov" decreases its model at
    least as much as any polynomial of its degree.
    Cost: a gradient and :math:`\tau` products with B an iteration (:math:`\tau+1` for "krylov"); adaptive, a value a trial.
    Once: :math:`d\lceil\tau/2\rceil` products for the traces (d for :math:`\tau=0`), and some :math:`10(\tau+1)` for the scale
    of P ("symmetric"); d at most for the interval ("chebyshev"); none ("krylov").

    Departures: the paper's P is not scaled, so that its M is :math:`\beta` times this one. How M is adapted for "krylov" is
    this library's own.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 2.0, 3.0, 50.0, 100.0])
    >>> name = "polynomial_preconditioned_gradient"
    >>> [len(so.minimize(problem, name, degree=degree, M=1.0)) - 1 for degree in (0, 2, 4)]
    [1833, 91, 1]
    """
    adaptive, M, f, v, k, direction = M is None, M or 1.0, None, x, 1, None
    account: dict[str, Any] = {}
    while True:
        grad = problem.grad(v)
        yield Iterate(x, **({} if momentum else {"f": f, "grad": grad}), **account)
        direction = direction or preconditioner(problem.metric, x, polynomial, degree)
        descent = direction(grad)
        square = float(grad @ descent)
        if not square > 0.0 and norm(grad) > 0.0:
            raise np.linalg.LinAlgError(
                f"the preconditioner is not positive definite: g'Pg is {square:.3g}; a lower degree or polynomial='krylov' "
                "loses fewer digits"
            )
        if adaptive:
            f = problem.f(v) if f is None or momentum else f
            found = _adapted(problem, v, descent, f, square, M / 2.0 if account and not momentum else M)
            if found is None:
                return "stalled: 100 doublings of M found no decrease; is the gradient right?"
            M, f, trials = found
        x_new = v - descent / M
        restarted = momentum == "restarted" and float(grad @ (x_new - x)) > 0.0
        k = 1 if restarted else k
        factor = (k - 1.0) / (k + 2.0) if momentum else 0.0
        v, account, k = x_new + factor * (x_new - x), {"M": M, "decrease": square / (2.0 * M), "step": x_new - x}, k + 1
        account |= {"trials": trials} if adaptive else {}
        account |= {"momentum": factor, "restarted": restarted} if momentum else {}
        x = x_new


def _adapted(
    problem: Ledger, v: Array, descent: Array, f: float, square: float, M: float
) -> tuple[float, float, int] | None:
    """M, the value at v - descent / M and the trials it took to decrease f from v by square / 2M."""
    for trials in range(1, 101):
        point = v - descent / M
        f_new, promised = problem.f(point), square / (2.0 * M)
        allowance = rounding(f, f_new, epsilon(v)) if math.isfinite(f_new) else 0.0
        enough = f_new <= f - promised
        if promised <= allowance and f_new <= f + allowance:  # the values cannot tell; the gradient can
            enough = float(problem.grad(point) @ descent) >= 0.0
        if enough:
            return M, f_new, trials
        M *= 2.0
    return None


def preconditioner(
    metric: Callable[[Array], Array], x: Array, polynomial: Polynomial, degree: int
) -> Callable[[Array], Array]:
    """The map from g to Pg, with the largest eigenvalue of BP at 1 (for "krylov" the best such polynomial for each g)."""
    d = x.shape[0]
    degree, start = min(degree, d - 1), standard_normal(np.random.default_rng(0), x)
    if polynomial == "krylov":
        return lambda grad: krylov_solve(metric, grad, degree)
    if polynomial == "chebyshev":
        p = Chebyshev(degree, *spectral_interval(metric, start))
        return lambda grad: p.apply(metric, grad) / (1.0 + p.deviation)
    q = symmetric_polynomial(power_traces(metric, x, max(degree, 1)), d, degree)
    top = least_eigenpair(lambda v: -q.apply(metric, metric(v)), start, tol=1e-3)
    largest = top.residual - top.value
    if not largest > 0.0:
        raise np.linalg.LinAlgError(
            f"the metric is not positive definite: the largest eigenvalue of BP is {largest:.3g}"
        )
    return lambda grad: q.apply(metric, grad) / largest
