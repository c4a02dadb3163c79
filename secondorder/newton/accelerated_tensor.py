"""Third-order steps, plain and accelerated, that see the third derivative along one direction at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import EstimatingFunction, TensorStep, eigen, rounding, tensor_step
from secondorder.run import Iterate, Iterates

M_MIN = 1e-10
STALLED = "stalled: 100 doublings of M found no step that makes its progress; is the gradient right?"
PROGRESS = 30.0 / 7.0
r"""A step h to x promises :math:`-\nabla f(x)^\top h\ge(\frac{30}{7M}\|\nabla f(x)\|^4)^{1/3}`."""

PACE = 16.0 / 27.0 * PROGRESS
r"""With :math:`a^4\le\frac{160}{63M}(A+a)^3` that progress pays for the next plane of the estimating function."""


@method(
    paper="nesterov2021implementable",
    needs=lambda hyper: (
        *(("f",) if hyper["accelerated"] else ()),
        *("grad", "hess"),
        *(("third",) if hyper["third_derivative"] == "exact" else ()),
    ),
    variants={
        "not accelerated": {"accelerated": False},
        "weights as proven": {"weights": "proven", "safeguard": False},
        "exact third derivative": {"third_derivative": "exact"},
    },
)
def accelerated_tensor_method(
    problem: Ledger,
    x: Array,
    *,
    M: positive | None = None,
    accelerated: bool = True,
    weights: Literal["searched", "proven"] = "searched",
    safeguard: bool = True,
    third_derivative: Literal["differences", "exact"] = "differences",
) -> Iterates:
    r"""Steps of the regularised third-order model, accelerated, for convex functions.

    References: :cite:`nesterov2021implementable` for step and model, :cite:`nesterov2021superfast` for the differences.

    A *tensor step* from v nearly minimises a model that is convex although it is of third order,

    .. math::

        T(v)=v+h,\qquad\Omega(h)=\nabla f(v)^\top h+\tfrac12h^\top\nabla^2f(v)h+\tfrac16D^3f(v)[h]^3+\tfrac M{24}\|h\|^4,
        \qquad\|\nabla\Omega(h)\|\le\tfrac16\|\nabla f(v+h)\|,

    by :func:`secondorder.linalg.tensor_step`, which asks for :math:`D^3f(v)[h,h]` only. Acceleration keeps the sum of
    tangent planes :math:`\psi_t(x)=\sum_{i\le t}a_i\big(f(u_i)+\nabla f(u_i)^\top(x-u_i)\big)+\frac14\|x-x_0\|^4`, least
    at :math:`y_t`, and :math:`A_t=\sum_{i\le t}a_i`:

    .. math::

        a^4=q\,(A_t+a)^3,\qquad v=\frac{A_tx_t+a\,y_t}{A_t+a},\qquad u_{t+1}=T(v),\qquad
        x_{t+1}=\text{the better of }u_{t+1}\text{ and }T(x_t).

    Parameters
    ----------
    problem : Problem
        Convex; offers ``grad`` and ``hess``; ``f`` too when ``accelerated``, ``third`` too when that is "exact".
    x : array (d,)
        The start.
    M : float > 0, optional
        Kept as given; :math:`M\ge6L_3` is enough. By default it starts at 1, doubles until the step is solved and
        :math:`-\nabla f(v+h)^\top h\ge\big(\frac{30}{7M}\|\nabla f(v+h)\|^4\big)^{1/3}` (up to rounding), and halves after
        each step (not below 1e-10); :math:`T(x_t)` and :math:`T(v)` have one each.
    accelerated : bool, default True
        False takes :math:`x_{t+1}=T(x_t)` alone.
    weights : {"searched", "proven"}, default "searched"
        Of the planes. The proof needs :math:`q=\frac{160}{63M}`, or a larger one and a look:
        :math:`A_{t+1}f(u_{t+1})\le\min\psi_{t+1}`. "searched" doubles q after each step, and halves it until one of the two
        holds; a trial is a tensor step.
    safeguard : bool, default True
        Also step from :math:`x_t` and keep the better point, by values, for a second Hessian. False: :math:`x_{t+1}=u_{t+1}`.
    third_derivative : {"differences", "exact"}, default "differences"
        "differences" needs gradients alone, :math:`D^3f(v)[h,h]\approx\tau^{-2}\big(\nabla f(v+\tau h)+\nabla f(v-\tau h)
        -2\nabla f(v)\big)` with :math:`\tau=\max(\epsilon^{1/8},\epsilon^{1/3}\|v\|/\|h\|)` of the rounding unit (0.011
        and :math:`6\cdot10^{-6}\|v\|/\|h\|` in float64).

    Yields
    ------
    Iterate
        ``grad``; ``M``, ``step``, ``radius``, ``residual`` (:math:`\|\nabla\Omega(h)\|`), ``decrease`` (:math:`-\Omega(h)`),
        ``inner`` (steps of the subsolver), ``solved`` and ``trials`` of the tensor step that led there; when accelerated
        ``f``, ``plain`` (the step started at :math:`x_t`, not at v), ``mixture`` (v), ``total_weight`` (:math:`A_{t+1}`),
        ``ceiling`` (:math:`\min\psi_{t+1}/A_{t+1}\ge f(x_{t+1})`), ``pace`` (:math:`\frac{63M}{160}q`) and ``searches``.
        Ends as ``stalled`` when 100 doublings of M find no step.

    Guarantees, for convex f and :math:`M\ge6L_3`: not accelerated,
    :math:`f(x_k)-f^*\le\frac{6.3\,MD^4}{(k+1)(k+2)(k+3)}`, with D the largest distance of an iterate to the solution;
    accelerated, :math:`A_tf(x_t)\le\min\psi_t` and :math:`f(x_t)-f^*\le\frac{25.2\,M\|x_0-x^*\|^4}{(t+3)^4}`.
    Cost of a tensor step: a Hessian, its eigendecomposition (about :math:`9d^3`), and some three inner steps of two
    gradients (or one ``third``), a gradient and :math:`O(d^2)` each. Accelerated: two of them, or about three with
    searched weights.

    Departures: the search, the safeguard, the adaptive test and the start of the subsolver are this library's own. The
    paper's weights are :math:`A_t\propto t^4`; those above are larger, :math:`A_t\ge\frac q{256}(t+3)^4`.

    >>> import secondorder as so
    >>> runs = so.compare(so.problems.soft_maximum(), ["accelerated_tensor_method", "cubic_newton"])
    >>> len(runs["accelerated_tensor_method"]) < len(runs["cubic_newton"])
    True
    """
    searched, pace, M_plain, M_ahead = weights == "searched", 0.0, M or 1.0, M or 1.0
    reach = partial(_reach, problem, adaptive=M is None, values=accelerated, exact=third_derivative == "exact")
    f, grad, psi = None, problem.grad(x), EstimatingFunction(x, 0.0 * x, quartic=1.0)
    kept: Any = None
    plain: Any = None
    account: dict[str, Any] = {}
    while True:
        yield Iterate(x, f=f, grad=grad, **account)
        if safeguard or not accelerated or plain is None:
            kept = plain = reach(x, grad, M_plain)
            if plain is None:
                return STALLED
            M_plain = plain.next_M
        if accelerated:
            found = _plane(reach, psi, x, None if psi.total_weight else plain, M_ahead, pace if searched else 0.0)
            if found is None:
                return STALLED
            ahead, psi, pace, searches = found
            kept = plain if safeguard and plain.f < ahead.f else ahead
            account = {"plain": kept is plain, "total_weight": psi.total_weight, "searches": searches}
            account |= {"ceiling": psi.ceiling, "mixture": ahead.x - ahead.step.step}
            account |= {"pace": pace * ahead.M / PACE}
            f, pace, M_ahead = kept.f, 2.0 * pace, ahead.next_M
        account |= {"M": kept.M, "trials": kept.trials, **kept.step._asdict()}
        x, grad = kept.x, account.pop("new_grad")


class Reached(NamedTuple):
    """A tensor step with its end ``x``, the value there, the ``M`` that was accepted and that with which the next starts."""

    x: Array
    f: float
    M: float
    next_M: float
    trials: int
    step: TensorStep


def _reach(
    problem: Ledger, v: Array, grad: Array | None, M: float, *, adaptive: bool, values: bool, exact: bool
) -> Reached | None:
    """A tensor step from v that makes its progress, with the first M of a doubling sequence if adaptive; or None."""
    grad, H = problem.grad(v) if grad is None else grad, eigen(problem.hess(v))
    third = partial(problem.third, v) if exact else differences(problem, v, grad)
    allowance = rounding(norm(grad), 0.0, epsilon(v))
    for trials in range(1, 101):
        step = tensor_step(grad, H, third, lambda h: problem.grad(v + h), M)
        due = (PROGRESS / M) ** (1.0 / 3.0) * norm(step.new_grad) ** (4.0 / 3.0)
        makes_it = step.solved and -float(step.new_grad @ step.step) + allowance * step.radius >= due
        if makes_it or not adaptive:
            f = problem.f(v + step.step) if values else math.nan
            return Reached(v + step.step, f, M, max(M / 2.0, M_MIN) if adaptive else M, trials, step)
        M *= 2.0
    return None


def differences(problem: Ledger, v: Array, grad: Array) -> Callable[[Array], Array]:
    r"""The third derivative at v along h, twice, from two gradients on either side of v.

    Its truncation is at most :math:`\frac{L_3}3\tau\|h\|^3`, of the order of what the model neglects anyway; rounding
    is divided by :math:`\tau^2`, and would not shrink with h if :math:`\tau\|h\|` had no lower bound.
    """
    eps, least = epsilon(v), epsilon(v) ** (1.0 / 3.0) * norm(v)

    def third(h: Array) -> Array:
        length = norm(h)
        reach = max(eps**0.125 * length, least)
        if length == 0.0:
            return 0.0 * h
        step = (reach / length) * h
        return (length / reach) ** 2 * (problem.grad(v + step) + problem.grad(v - step) - 2.0 * grad)

    return third


def _plane(
    reach: Callable[..., Reached | None],
    psi: EstimatingFunction,
    x: Array,
    first: Reached | None,
    M: float,
    pace: float,
) -> tuple[Reached, EstimatingFunction, float, int] | None:
    """The step from between x and the minimiser of psi that pays for its plane, psi with that plane, the pace (at least the
    proven one), and the steps tried. ``first`` is the step from x where psi has no plane, and v is x whatever the pace."""
    pace = max(pace if first is None else 0.0, PACE / (M if first is None else first.M))
    for searches in range(1, 1001):
        weight = psi.next_weight(pace)
        reached = first or reach(psi.mixture(weight, x), None, M)
        if reached is None:
            break
        larger = psi.plus(weight, reached.x, reached.f, reached.step.new_grad)
        allowance = larger.total_weight * rounding(reached.f, reached.f, epsilon(x))
        if pace <= PACE / reached.M or (larger.total_weight * reached.f <= larger.minimum + allowance):
            return reached, larger, pace, searches
        M, pace = reached.M, max(pace / 2.0, PACE / reached.M)
    return None
