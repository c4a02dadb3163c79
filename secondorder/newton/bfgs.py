"""BFGS: curvature learnt from gradient differences."""

from __future__ import annotations

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import fraction, method
from secondorder.ledger import Ledger
from secondorder.linalg import wolfe
from secondorder.run import Iterate, Iterates, ray


@method(paper="nocedal2006numerical", needs=("f", "grad"))
def bfgs(problem: Ledger, x: Array, *, curvature: fraction = 0.9) -> Iterates:
    r"""The BFGS method with a strong Wolfe search.

    Reference: :cite:`nocedal2006numerical`, Algorithm 6.1. The approximation G of the inverse Hessian is changed as
    little as makes it map the last gradient difference :math:`y` to the last step :math:`s`, with
    :math:`\varrho=1/y^\top s`:

    .. math:: x_{k+1}=x_k-\alpha_kG_k\nabla f(x_k),\qquad
        G_{k+1}=(I-\varrho sy^\top)G_k(I-\varrho ys^\top)+\varrho ss^\top .

    Parameters
    ----------
    problem : Problem
        Offers ``f`` and ``grad``.
    x : array (d,)
        The start.
    curvature : float in (0, 1), default 0.9
        :math:`c_2` of the strong Wolfe conditions; :math:`c_1=10^{-4}`.

    Yields
    ------
    Iterate
        ``f``, ``grad``; ``step``, ``step_size``, ``trials``, ``updated`` (whether :math:`y^\top s` was large enough) that led
        there. Ends as ``stalled`` when 100 trials find no Wolfe point, even along the gradient.

    Guarantee: superlinear near a minimum with a positive definite Hessian; on a quadratic with exact searches, the
    iterates of conjugate gradients, and :math:`G_d=H^{-1}`.
    Cost: a value and a gradient a trial, :math:`O(d^2)`; memory :math:`d^2`.

    Departures: none from Algorithm 6.1; :math:`G_0=(y^\top s/y^\top y)I` (eq. 6.20) before the first update, and
    pairs with :math:`y^\top s\le10^{-8}\|s\|\|y\|` are skipped.

    >>> import secondorder as so
    >>> so.minimize(so.problems.rosenbrock(), "bfgs").status
    'converged'
    """
    xp, grad, G = namespace(x), problem.grad(x), None
    yield Iterate(x, grad=grad)
    f = problem.f(x)
    while True:
        direction = -grad if G is None else -(G @ grad)
        slope, first = float(grad @ direction), 1.0 if G is not None else 1.0 / max(norm(grad), 1e-300)
        found = None
        if slope < 0.0:
            found = wolfe(ray(problem, x, direction), f, slope, epsilon(x), curvature=curvature, first=first)
        if found is None:
            if G is None:
                return "stalled: no Wolfe point even along the gradient: is the gradient right, and f bounded below?"
            G = None
            continue
        step_size, f, grad_new, trials = found
        step, y = step_size * direction, grad_new - grad
        sy = float(step @ y)
        updated = sy > 1e-8 * norm(step) * norm(y)
        if updated:
            G = sy / float(y @ y) * xp.eye(x.shape[0], dtype=x.dtype) if G is None else G
            Gy = G @ y
            cross = xp.linalg.outer(Gy, step)
            G = G - (cross + cross.T) / sy + (1.0 + float(y @ Gy) / sy) / sy * xp.linalg.outer(step, step)
        x, grad = x + step, grad_new
        yield Iterate(x, f=f, grad=grad, step=step, step_size=step_size, trials=trials, updated=updated)
