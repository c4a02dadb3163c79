"""Newton's method with a Hessian that is computed only once a period: two models, one loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import count, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import Eigen, cubic_step, decreased, eigen
from secondorder.run import Iterate, Iterates

M_MIN = 1e-10


@method(
    paper="doikov2023lazy",
    needs=lambda hyper: ("f", "grad", "hess") if hyper["M"] is None else ("grad", "hess"),
    variants={"cubic Newton": {"period": 1}},
)
def lazy_newton(problem: Ledger, x: Array, *, M: positive | None = None, period: count | None = None) -> Iterates:
    r"""Cubic Newton with a Hessian that serves m steps.

    Reference: :cite:`doikov2023lazy`, Algorithm 1.

    The gradient is fresh at every step, the Hessian that of the snapshot :math:`z_k=x_{m\lfloor k/m\rfloor}`:

    .. math::

        x_{k+1}=x_k+\arg\min_h\Big\{\nabla f(x_k)^\top h+\tfrac12h^\top\nabla^2f(z_k)h+\tfrac M6\|h\|^3\Big\}

    The eigendecomposition of :math:`\nabla^2f(z_k)` serves the whole period, so a step inside it costs a gradient and
    :math:`O(d^2)`.

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``hess``; ``f`` too when ``M`` is adapted.
    x : array (d,)
        The start.
    M : float > 0, optional
        Kept as given; :math:`M=6mL_2` is always enough. By default it starts at 1 and is adapted once a period:
        after 1, 2, 4, … and all m steps the period must have made its promised progress
        :math:`f(z)-f(x_i)\ge\frac M{24}\sum_{j<i}\|h_j\|^3` (up to rounding). If not, **the whole period so far is
        taken back** to z, ``M`` doubles and the period starts again with the same Hessian; after a full period ``M``
        halves.
    period : int ≥ 1, optional
        m, the steps a Hessian serves; by default d, which balances d gradients' worth of Hessian against d gradients.

    Yields
    ------
    Iterate
        ``grad``; ``M``, ``step``, ``radius``, ``multiplier``, ``decrease`` (of the model), ``hard``; ``age`` (steps
        since the snapshot); ``accepted``, False where the period was taken back and x is the snapshot again.
        Ends as ``stalled`` when 100 doublings in one period find no progress.

    Guarantee, for :math:`M=6mL_2`: :math:`\min_k\|\nabla f(x_k)\|\le\varepsilon` within
    :math:`O\big(\sqrt{L_2/m}\,(f_0-f^*)\,\varepsilon^{-3/2}\big)` Hessians, m times as many steps; in
    gradient-equivalents the total is least near m = d, a factor :math:`\sqrt d` below m = 1.
    Cost a period: a Hessian and its eigendecomposition (about :math:`9d^3`), m gradients, :math:`O(md^2)`; adaptive,
    about :math:`\log_2m` values.

    Departures: the paper's adaptive rule also tests progress once a period; the test used here, on the steps rather
    than on gradient norms and also inside the period, is this library's own: it secures the decrease, while the rate
    above also needs M not much below :math:`mL_2`. It passes whenever :math:`M\ge1.6\,mL_2`, hence
    :math:`M\le\max(1,3.2\,mL_2)` throughout.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.rosenbrock(), "lazy_newton", period=2)
    >>> history.status, history.oracle["hess"] < history.oracle["grad"]
    ('converged', True)
    """

    def model(grad: Array, H: Eigen, M: float) -> tuple[Array, float, dict[str, Any]]:
        cubic = cubic_step(grad, H, M)
        return cubic.step, M / 24.0 * cubic.radius**3, cubic._asdict()

    return (yield from lazy_loop(problem, x, M, period, model))


@method(
    paper="doikov2023lazy",
    needs=lambda hyper: ("f", "grad", "hess") if hyper["M"] is None else ("grad", "hess"),
    variants={"gradient-regularised Newton": {"period": 1}},
)
def lazy_regularized_newton(
    problem: Ledger, x: Array, *, M: positive | None = None, period: count | None = None
) -> Iterates:
    r"""Gradient-regularised Newton with a Hessian that serves m steps, for convex functions.

    Reference: :cite:`doikov2023lazy`, Algorithm 2.

    With the snapshot :math:`z_k=x_{m\lfloor k/m\rfloor}`,

    .. math::

        x_{k+1}=x_k-\big(\nabla^2f(z_k)+\lambda_kI\big)^{-1}\nabla f(x_k),\qquad \lambda_k=\sqrt{M\|\nabla f(x_k)\|}.

    Parameters
    ----------
    problem : Problem
        Convex; offers ``grad`` and ``hess``; ``f`` too when ``M`` is adapted.
    x : array (d,)
        The start.
    M : float > 0, optional
        Kept as given; :math:`M=3mL_2` is always enough. By default it starts at 1 and is adapted once a period: after
        1, 2, 4, … and all m steps the period must have made its promised progress
        :math:`f(z)-f(x_i)\ge\frac12\sum_{j<i}\lambda_j\|h_j\|^2` (up to rounding). If not, **the whole period so far is
        taken back** to z, ``M`` doubles and the period starts again with the same Hessian; after a full period ``M``
        halves.
    period : int ≥ 1, optional
        m, the steps a Hessian serves; by default d.

    Yields
    ------
    Iterate
        ``grad``; ``M``, ``damping`` (:math:`\lambda_k`), ``step``, ``radius``, ``age``, ``accepted`` as in
        :func:`lazy_newton`. Ends as ``breakdown`` where :math:`\nabla^2f(z)+\lambda I` is not positive definite (with a
        given ``M``; an adapted one grows first), as ``stalled`` when 100 doublings in one period find no progress.

    Guarantee, for convex f and :math:`M=3mL_2`: :math:`f(x_k)-f^*=O(mL_2D^3/k^2)`, with one Hessian in m steps.
    Cost a period: a Hessian and its eigendecomposition (about :math:`9d^3`), m gradients, :math:`O(md^2)`; adaptive,
    about :math:`\log_2m` values.

    Departures: the adaptive test is this library's own, as in :func:`lazy_newton`; it passes whenever
    :math:`M\ge mL_2`.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.pseudo_huber(), "lazy_regularized_newton", x0=[30.0], period=3)
    >>> history.status, history.oracle["hess"] < history.oracle["grad"]
    ('converged', True)
    """

    def model(grad: Array, H: Eigen, M: float) -> tuple[Array, float, dict[str, Any]]:
        damping = math.sqrt(M * norm(grad))
        if not float(H.values[0]) + damping > 0.0:
            raise np.linalg.LinAlgError(f"the Hessian plus damping {damping:.3g} is not positive definite")
        step = -(H.vectors @ ((H.vectors.T @ grad) / (H.values + damping)))
        radius = norm(step)
        return step, 0.5 * damping * radius**2, {"damping": damping, "step": step, "radius": radius}

    return (yield from lazy_loop(problem, x, M, period, model))


def lazy_loop(
    problem: Ledger,
    x: Array,
    M: float | None,
    period: int | None,
    model: Callable[[Array, Eigen, float], tuple[Array, float, dict[str, Any]]],
) -> Iterates:
    """Steps of ``model(grad, H, M)``, which answers a step, the decrease it promises and its account, with a
    Hessian that is refreshed once in ``period`` steps (d by default). ``M=None`` adapts M once a period."""
    adaptive, period = M is None, period or x.shape[0]
    M, grad = M or 1.0, problem.grad(x)
    yield Iterate(x, grad=grad)
    while True:
        z, grad_z, H = x, grad, eigen(problem.hess(x))
        f_z = problem.f(z) if adaptive else 0.0
        age, promised, restarts = 0, 0.0, 0
        while age < period:
            account: dict[str, Any] = {"M": M, "age": age + 1}
            try:
                step, decrease, quantities = model(grad, H, M)
                account |= quantities
                x, age, promised = x + step, age + 1, promised + decrease
                due = adaptive and (age == period or age & (age - 1) == 0)
                accepted = not due or decreased(f_z, problem.f(x), promised, epsilon(x))
                grad = problem.grad(x) if accepted else grad_z
                failure = "f did not fall enough; is the gradient right?"
            except (ArithmeticError, np.linalg.LinAlgError) as error:
                if not adaptive:
                    raise
                accepted, failure = False, str(error)
            if not accepted:
                x, grad, age, promised = z, grad_z, 0, 0.0
                M, restarts = 2.0 * M, restarts + 1
                if restarts > 100:
                    return f"stalled: 100 restarts of one period found no progress; the last trial: {failure}"
            yield Iterate(x, grad=grad, **account, accepted=accepted)
        M = max(M / 2.0, M_MIN) if adaptive else M
