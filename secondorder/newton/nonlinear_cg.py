"""Nonlinear conjugate gradients."""

from __future__ import annotations

from typing import Any, Literal

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import fraction, method
from secondorder.ledger import Ledger
from secondorder.linalg import wolfe
from secondorder.run import Iterate, Iterates, ray


@method(
    paper="nocedal2006numerical",
    needs=("f", "grad"),
    variants={"Polak-Ribière+": {"update": "polak_ribiere"}, "Hager-Zhang": {"update": "hager_zhang"}},
)
def nonlinear_cg(
    problem: Ledger,
    x: Array,
    *,
    update: Literal["polak_ribiere", "hager_zhang"] = "hager_zhang",
    curvature: fraction = 0.1,
) -> Iterates:
    r"""Nonlinear conjugate gradients with a strong Wolfe search.

    Reference: :cite:`nocedal2006numerical`, Algorithm 5.4; :cite:`hager2005new`, eq. 1.6. With
    :math:`y=g_{k+1}-g_k`, the direction is :math:`d_{k+1}=-g_{k+1}+\beta d_k`,

    .. math::

        \beta^{\rm PR+}=\max\Big(0,\frac{g_{k+1}^\top y}{g_k^\top g_k}\Big),\qquad
        \beta^{\rm HZ}=\frac1{d_k^\top y}\Big(y-2d_k\frac{\|y\|^2}{d_k^\top y}\Big)^\top g_{k+1} ,

    and :math:`-g_{k+1}` again where that would not descend.

    Parameters
    ----------
    problem : Problem
        Offers ``f`` and ``grad``.
    x : array (d,)
        The start.
    update : "hager_zhang" (default) or "polak_ribiere"
    curvature : float in (0, 1), default 0.1
        :math:`c_2` of the strong Wolfe conditions (:func:`secondorder.linalg.wolfe`); :math:`c_1=10^{-4}`.

    Yields
    ------
    Iterate
        ``f``, ``grad``; ``step``, ``step_size``, ``trials``, ``beta`` and ``restarted`` that led there.
        Ends as ``stalled`` when 100 trials find no Wolfe point along the gradient itself.

    Guarantee: on a quadratic with exact searches, the iterates of conjugate gradients, at most d of them.
    Cost: a value and a gradient a trial, two to four trials a step; four vectors.

    Departures: the first trial repeats the last first-order change, :math:`\alpha_{k-1}g_{k-1}^\top d_{k-1}/g_k^\top d_k`
    (:cite:`nocedal2006numerical`, §3.5), at most :math:`10^{10}` times the last step size; Hager and Zhang's
    own code uses their approximate Wolfe conditions and a lower bound on :math:`\beta`.

    >>> import secondorder as so
    >>> so.minimize(so.problems.rosenbrock(), "nonlinear_cg").status
    'converged'
    """
    grad = problem.grad(x)
    yield Iterate(x, grad=grad)
    f, direction, first, beta, restarted = problem.f(x), -grad, 1.0 / max(norm(grad), 1e-300), 0.0, True
    while True:
        slope = float(grad @ direction)
        found = None
        if slope < 0.0:
            found = wolfe(ray(problem, x, direction), f, slope, epsilon(x), curvature=curvature, first=first)
        if found is None:
            if restarted:
                return "stalled: no Wolfe point even along the gradient: is the gradient right, and f bounded below?"
            direction, first, beta, restarted = -grad, 1.0 / norm(grad), 0.0, True
            continue
        step_size, f_new, grad_new, trials = found
        step, y = step_size * direction, grad_new - grad
        account: dict[str, Any] = {"step": step, "step_size": step_size, "trials": trials}
        x, previous = x + step, slope * step_size
        yield Iterate(x, f=f_new, grad=grad_new, **account, beta=beta, restarted=restarted)
        if update == "polak_ribiere":
            beta = max(0.0, float(grad_new @ y) / float(grad @ grad))
        else:
            dy = float(direction @ y)
            beta = float((y - 2.0 * float(y @ y) / dy * direction) @ grad_new) / dy
        direction = -grad_new + beta * direction
        restarted = not float(grad_new @ direction) < 0.0
        if restarted:
            direction, beta = -grad_new, 0.0
        f, grad = f_new, grad_new
        first = min(1e10 * step_size, max(1e-10 * step_size, previous / min(float(grad @ direction), -1e-300)))
