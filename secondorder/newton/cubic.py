"""Cubic regularisation of Newton's method."""

from __future__ import annotations

import math
from typing import Any

from secondorder.arrays import Array, epsilon
from secondorder.catalogue import method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import cubic_step, eigen, rounding
from secondorder.run import Iterate, Iterates

M_MIN = 1e-10


@method(
    paper="nesterov2006cubic",
    needs=lambda hyper: ("f", "grad", "hess") if hyper["M"] is None else ("grad", "hess"),
)
def cubic_newton(problem: Ledger, x: Array, *, M: positive | None = None) -> Iterates:
    r"""Cubic Newton: the global minimiser of the quadratic model plus M/6 of the cubed step.

    Reference: :cite:`nesterov2006cubic`, eqs. 2.4 and 3.3.

    .. math::

        x_{k+1}=x_k+\arg\min_h\Big\{\nabla f(x_k)^\top h+\tfrac12h^\top\nabla^2f(x_k)h+\tfrac M6\|h\|^3\Big\}

    The model bounds f from above once :math:`M\ge L_2`, the Lipschitz constant of the Hessian; its global minimum is
    found also where the Hessian is indefinite, see :func:`secondorder.linalg.cubic_step`.

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``hess``; ``f`` too when ``M`` is adapted.
    x : array (d,)
        The start.
    M : float > 0, optional
        Kept as given. By default it starts at 1, doubles until the value is at most that of the model,
        :math:`f(x^+)\le f(x)+m(h)` (up to rounding), and halves after each step (not below 1e-10).

    Yields
    ------
    Iterate
        ``grad``; ``M``, ``step``, ``radius`` (:math:`\|h\|`), ``multiplier`` (:math:`\frac M2\|h\|`), ``decrease``
        (:math:`-m(h)`) and ``hard`` of the step that led there; ``f`` and ``trials`` when adaptive. Ends as
        ``stalled`` when 100 doublings find no decrease.

    Guarantees, for :math:`M\ge L_2`: :math:`f(x_k)-f(x_{k+1})\ge\frac M{12}\|h\|^3`,
    :math:`\|\nabla f(x_{k+1})\|\le\frac{L_2+M}2\|h\|^2`, and for convex f with :math:`M=L_2`, :math:`k\ge1`,
    :math:`f(x_k)-f^*\le9L_2D^3/(k+4)^2`, where D bounds the distance to the solution on the level set (Theorem 4 of the
    paper has :math:`\frac32L_2D^3/(1+k/3)^2`; the constant here follows from its recursion).
    Cost: a gradient, a Hessian, one eigendecomposition (about :math:`9d^3`), :math:`O(d^2)` a trial.

    Departures: the paper's constant bounds :math:`\frac M6\|h\|^3` as here; its adaptive line search (§5.2 there)
    keeps M between two given constants, here there is only a floor.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.saddle(), "cubic_newton", x0=[1.0, 0.0])
    >>> history.status, abs(history.x).round(6)
    ('converged', array([0.      , 1.414214]))
    """
    adaptive = M is None
    M, f = M or 1.0, None
    account: dict[str, Any] = {}
    while True:
        grad = problem.grad(x)
        yield Iterate(x, f=f, grad=grad, **account)
        H = eigen(problem.hess(x))
        if not adaptive:
            cubic = cubic_step(grad, H, M)
            x, account = x + cubic.step, {"M": M, **cubic._asdict()}
            continue
        f = problem.f(x) if f is None else f
        M = max(M / 2.0, M_MIN) if account else M
        for trials in range(1, 101):  # noqa: B007 (it is yielded)
            cubic = cubic_step(grad, H, M)
            f_new = problem.f(x + cubic.step)
            if math.isfinite(f_new) and f_new <= f - cubic.decrease + rounding(f, f_new, epsilon(x)):
                break
            M *= 2.0
        else:
            return "stalled: 100 doublings of M found no decrease; is the gradient right?"
        x, f, account = x + cubic.step, f_new, {"M": M, "trials": trials, **cubic._asdict()}
