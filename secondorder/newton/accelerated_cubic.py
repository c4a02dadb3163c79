"""Accelerated cubic Newton: the cubic step from a point that an estimating function chooses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from secondorder.arrays import Array, epsilon
from secondorder.catalogue import above_one, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import Eigen, EstimatingFunction, cubic_step, decreased, eigen, rounding
from secondorder.run import Iterate, Iterates

M_MIN = 1e-10


@method(
    paper="nesterov2008accelerating",
    needs=("f", "grad", "hess"),
    variants={"theorem": {"M": 1.0}, "NATA": {"M": 1.0, "enlargement": 2.0}},
)
def accelerated_cubic_newton(
    problem: Ledger, x: Array, *, M: positive | None = None, enlargement: above_one | None = None
) -> Iterates:
    r"""Cubic Newton steps from a mixture of the iterate and the minimiser of all tangent planes so far, for convex functions.

    Reference: :cite:`nesterov2008accelerating`. With :math:`\psi_0(x)=\frac{\kappa_3}3\|x-x_0\|^3`, :math:`A_0=0` and
    :math:`T_M` the step of :func:`cubic_newton`,

    .. math::

        y_t=\arg\min\psi_t,\qquad v_t=\frac{A_tx_t+a_ty_t}{A_t+a_t},\qquad x_{t+1}=T_M(v_t),

    .. math::

        \psi_{t+1}(x)=\psi_t(x)+a_t\big(f(x_{t+1})+\nabla f(x_{t+1})^\top(x-x_{t+1})\big),\qquad A_{t+1}=A_t+a_t .

    Everything rests on the invariant :math:`A_tf(x_t)\le\min\psi_t`. For :math:`M\ge2L_2`, :math:`\kappa_3=3M` and
    :math:`a_t=\frac12(t+1)(t+2)` it is a theorem; otherwise it is tested.

    Parameters
    ----------
    problem : Problem
        Convex; offers ``f``, ``grad`` and ``hess``.
    x : array (d,)
        The start.
    M : float > 0, optional
        Kept as given; :math:`M\ge2L_2` is enough. By default it starts at 1, doubles until
        :math:`f(x^+)\le f(v)+m(h)` (up to rounding) as in :func:`cubic_newton`, and halves after each step (not below 1e-10).
        The weight then doubles before a step and is halved, in :math:`\psi` only, until the invariant holds. Where no
        weight will do, or a step gains less than the first since the last start, which was a plain cubic step, the
        scheme starts again at the better of the two points.
    enlargement : float > 1, optional
        Of the weights for a given M: they are multiplied by this factor before each step and divided by it, each time with
        a new v and a new Hessian, until the invariant holds (NATA, :cite:`kamzolov2024optami`). By default the theorem's.
        With an adapted M, the factor in place of 2 by which the weight grows before a step.

    Yields
    ------
    Iterate
        ``f``, ``grad``; ``ceiling`` (:math:`\min\psi_t/A_t\ge f(x_t)`), ``weight`` (:math:`a_t`), ``total_weight``
        (:math:`A_{t+1}`), ``minimiser`` (:math:`y_t`), ``mixture`` (:math:`v_t`), ``M``, ``step`` (from v), ``radius``,
        ``multiplier``, ``decrease`` and ``hard`` of the step that led there; ``cubic`` (:math:`\kappa_3`), and ``damping`` and
        ``quadratic``, which are 0 here; ``trials`` with NATA, ``restarted`` when M is adapted. Ends as ``stalled`` when 100
        trials do not pass.

    Guarantee, for :math:`M=2L_2` and convex f: :math:`f(x_t)-f^*\le\frac{12L_2R^3}{t(t+1)(t+2)}`,
    :math:`R=\|x_0-x^*\|`; for any weights that keep the invariant :math:`f(x_t)-f^*\le\frac{\kappa_3R^3}{3A_t}`. Values
    may rise, and near a nondegenerate solution the rate is no better.
    Cost: a value, two gradients, a Hessian and its eigendecomposition (about :math:`9d^3`); with NATA about two Hessians.

    Departures: the constants are derived in the chapter; the paper has its own. Adapting M, halving the weight after the
    step, and the restart are this library's. NATA scales the increments of :math:`t^3`, here those of
    :math:`\frac16t(t+1)(t+2)`.

    >>> import secondorder as so
    >>> problem = so.problems.chain(10)
    >>> history = so.minimize(problem, "accelerated_cubic_newton", M=2 * problem.lipschitz_hess, steps=300)
    >>> bool(all(history.f[1:] <= history["ceiling"][1:] + 1e-12)), bool(history.primal_gap[-1] < 1e-6)
    (True, True)
    """
    return (yield from accelerated_loop(problem, x, M, enlargement))


Hedge = Callable[[int, float, float], tuple[float, float]]
r"""What inexact derivatives ask for: from t, :math:`a_t` and :math:`A_{t+1}` to a damping of the model and the least
:math:`\kappa_2`."""


def exact(t: int, weight: float, total_weight: float) -> tuple[float, float]:
    return 0.0, 0.0


def accelerated_loop(
    problem: Any,
    x: Array,
    M: float | None,
    enlargement: float | None,
    kappa: float = 3.0,
    hedge: Hedge = exact,
    name: str = "grad",
) -> Iterates:
    r"""The accelerated scheme with :math:`\kappa_3` of ``kappa`` M, for anything that answers ``f``, ``grad`` and ``hess``."""
    adaptive, M = M is None, M or 1.0
    factor = enlargement or (2.0 if adaptive else 1.0)
    f, grad, first, M_first = problem.f(x), problem.grad(x), 0.0, M
    psi, t, scale, account = EstimatingFunction(x, 0.0 * x, cubic=kappa * M), 0, 1.0, dict[str, Any]()
    while True:
        yield Iterate(x, **{"f": f, name: grad, **account})
        scale, M = scale * factor, max(M / 2.0, M_MIN) if adaptive and account else M
        for trials in range(1, 101):  # noqa: B007 (it is yielded)
            new = attempt(problem, psi, x, f, t, scale, M, hedge, adaptive)
            if new is None or new.kept or adaptive or not enlargement:
                break
            scale /= factor
        else:
            return "stalled: 100 smaller weights do not keep the invariant; is f convex and M large enough?"
        if new is None and t == 0:
            return "stalled: 100 doublings of M found no decrease; is the gradient right?"
        gain = f - new.f if new else -math.inf
        if new and t == 0:
            first, M_first = gain, new.account["M"]
        restarted = adaptive and not (new and new.kept and gain >= (first if t else -math.inf))
        account = {**new.account} if new else {}
        account |= {"trials": trials} if enlargement else {"restarted": restarted} if adaptive else {}
        if new and (gain >= 0.0 or t == 0 or not restarted):
            x, f, grad = new.x, new.f, new.grad
        if new is None or restarted:
            psi, t, scale, M = EstimatingFunction(x, 0.0 * x, cubic=kappa * M_first), 0, 1.0, M_first
            continue
        M, psi, scale, t = new.account["M"], new.psi, 2.0 * new.account["weight"] / (t + 1.0) / (t + 2.0), t + 1
        account |= {"ceiling": psi.ceiling} if math.isfinite(psi.ceiling) else {}


class Attempt(NamedTuple):
    """A step of the scheme: where it leads, the estimating function with the plane found there, and whether the invariant is
    kept."""

    x: Array
    f: float
    grad: Array
    psi: EstimatingFunction
    kept: bool
    account: dict[str, Any]


def attempt(
    problem: Any,
    psi: EstimatingFunction,
    x: Array,
    f: float,
    t: int,
    scale: float,
    M: float,
    hedge: Hedge,
    adaptive: bool,
) -> Attempt | None:
    """A step with the theorem's weight times ``scale``; None where no M found, or f(v) itself is no number."""
    weight = scale * (t + 1.0) * (t + 2.0) / 2.0
    damping, quadratic = hedge(t, weight, psi.total_weight + weight)
    psi = replace(psi, quadratic=max(psi.quadratic, quadratic))
    v = psi.mixture(weight, x)
    f_v = problem.f(v) if adaptive else 0.0
    if not math.isfinite(f_v):
        return None
    grad_v, H = problem.grad(v), eigen(problem.hess(v))
    for _ in range(100):
        cubic = cubic_step(grad_v, Eigen(H.values + damping, H.vectors), M)
        f_new = problem.f(v + cubic.step)
        if not adaptive or decreased(f_v, f_new, cubic.decrease, epsilon(x)):
            break
        M *= 2.0
    else:
        return None
    grad = problem.grad(v + cubic.step)
    new, allowance = psi.plus(weight, v + cubic.step, f_new, grad), rounding(f, f_new, epsilon(x))
    for _ in range(100):
        if not adaptive or new.ceiling >= f_new - allowance:
            break
        weight /= 2.0
        new = psi.plus(weight, v + cubic.step, f_new, grad)
    account = {
        "M": M,
        "damping": damping,
        "weight": weight,
        "total_weight": new.total_weight,
        "minimiser": psi.minimiser,
    }
    account |= {"mixture": v, "quadratic": psi.quadratic, "cubic": psi.cubic, **cubic._asdict()}
    return Attempt(v + cubic.step, f_new, grad, new, new.ceiling >= f_new - allowance, account)
