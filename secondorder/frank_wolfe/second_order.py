"""Newton's method on a feasible set, with Frank–Wolfe for the quadratic model."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from secondorder.arrays import Array, namespace
from secondorder.catalogue import count, method
from secondorder.frank_wolfe.active_set import ActiveSet
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates

BETA, SIGMA, C, SAFETY = 1.0 / 6.0, 0.96, 2.0, 0.99


def distance_bound(t: float) -> float:
    r"""How far x is from the solution, :math:`\|x-x^*\|_{x^*}\le h(t)`, when the Newton step has length t at most.

    .. math:: h(t)=\frac{t(1-2t+2t^2)}{(1-2t)(1-t)^2-t^2}

    >>> round(distance_bound(THRESHOLDS["inverse"]), 5), round(BETA, 5)
    (0.16667, 0.16667)
    """
    return t * (1.0 - 2.0 * t + 2.0 * t**2) / ((1.0 - 2.0 * t) * (1.0 - t) ** 2 - t**2)


THRESHOLDS = {"inverse": 0.120919, "reciprocal": 1.0 / distance_bound(BETA)}
"""h⁻¹(β), and the other way to read that notation, 1/h(β)."""


class ModelStep(NamedTuple):
    """From x to the point that Frank–Wolfe found, the length of that in the norm of the Hessian, and at what cost."""

    step: Array
    decrement: float
    gap: float
    iterations: int


def model_step(
    problem: Ledger, x: Array, grad: Array, vertex: Array, accuracy: float, away_steps: bool, most: int
) -> ModelStep:
    r"""Frank–Wolfe on the model :math:`\langle\nabla f(x),z-x\rangle+\frac12\|z-x\|_x^2` from x, to a gap of η².

    The line search is exact. With away steps the set of atoms begins with those of x, otherwise none is kept.
    """
    xp, active = namespace(x), ActiveSet.of(problem, x) if away_steps else None
    step, product = 0.0 * x, 0.0 * x
    for iterations in range(most + 1):
        slope = grad + product
        vertex = problem.lmo(slope) if iterations else vertex
        direction, largest, away = vertex - x - step, 1.0, -1
        gap = -float(slope @ direction)
        if gap <= accuracy**2 or iterations == most:
            break
        if active is not None:
            away = int(xp.argmax(active.atoms @ slope))
            back, weight = x + step - active.atoms[away, :], float(active.weights[away])
            away = away if -float(slope @ back) > gap and weight < 1.0 else -1
            direction, largest = (back, weight / (1.0 - weight)) if away >= 0 else (direction, largest)
        change = problem.hvp(x, direction)
        curvature = float(direction @ change)
        step_size = min(largest, -float(slope @ direction) / curvature) if curvature > 0.0 else largest
        if active is not None and away >= 0:
            active = active.towards(away, -step_size)
        elif active is not None:
            active, new = active.including(vertex)
            active = active.towards(new, step_size)
        step, product = step + step_size * direction, product + step_size * change
    return ModelStep(step, math.sqrt(max(float(step @ product), 0.0)), gap, iterations)


@method(
    paper="liu2022newton",
    measure="gap",
    needs=("grad", "hvp", "lmo"),
    variants={
        "Frank-Wolfe without away steps inside": {"inner": "frank_wolfe"},
        "threshold read as the inverse of h": {"threshold": "inverse"},
        "threshold read as one over h": {"threshold": "reciprocal"},
    },
)
def second_order_frank_wolfe(
    problem: Ledger,
    x: Array,
    *,
    inner: Literal["away_step", "frank_wolfe"] = "away_step",
    threshold: Literal["inverse", "reciprocal"] = "inverse",
    max_inner: count = 10_000,
) -> Iterates:
    r"""Newton's method on a feasible set for a self-concordant f, its quadratic model minimised by Frank–Wolfe.

    Reference: :cite:`liu2022newton`. With :math:`\|u\|_x^2=u^\top\nabla^2f(x)u` a step minimises the model

    .. math::

        z_k\approx\arg\min_{z\in\mathcal C}\ \langle\nabla f(x_k),z-x_k\rangle+\tfrac12\|z-x_k\|_{x_k}^2,\qquad
        x_{k+1}=x_k+\alpha_k(z_k-x_k)

    by Frank–Wolfe with exact line search and away steps from :math:`x_k`, until the gap of the model is at most
    :math:`\eta_k^2`. With :math:`\gamma_k=\|z_k-x_k\|_{x_k}`,

    .. math:: \alpha_k=\min\Big\{1,\ 0.99\,\frac{\gamma_k^2-\eta_k^2}{\gamma_k^3+\gamma_k^2-\gamma_k\eta_k^2}\Big\}

    until for the first time :math:`\gamma_k+\eta_k\le h^{-1}(\beta)`, see ``distance_bound`` in the source; from then on
    :math:`\alpha_k=1` and :math:`\eta_{k+1}=\sigma\eta_k`. Here β = 1/6, σ = 0.96 and
    :math:`\eta_0=\min\{\beta/2,\,h^{-1}(\beta)/4\}`.

    Parameters
    ----------
    problem : Problem
        Offers ``grad``, ``hvp`` (or ``hess``) and ``lmo``; f is standard self-concordant.
    x : array (d,)
        The start, in the feasible set and in the domain of f.
    inner : "away_step" (default) or "frank_wolfe"
        How the model is minimised: on a polytope away steps take :math:`O(\log1/\eta_k)` inner steps, Frank–Wolfe alone
        :math:`O(1/\eta_k^2)`.
    threshold : "inverse" (default) or "reciprocal"
        Where full steps begin: :math:`h^{-1}(\beta)=0.1209`, the bound that the convergence proof needs; or
        :math:`1/h(\beta)=3.615`, the other way to read that notation. The second is cheaper where it works, but its steps
        may leave the domain.
    max_inner : int ≥ 1, default 10000
        Inner steps after which the run ends.

    Yields
    ------
    Iterate
        ``grad``, ``vertex``, ``gap``; ``decrement`` (:math:`\gamma_k`), ``accuracy`` (:math:`\eta_k`), ``inner_iterations``
        and ``step_size`` of the step that led there. Ends as ``finished`` when the gap is zero, as ``stalled`` when
        ``max_inner`` inner steps do not reach the accuracy.

    Guarantee: every damped step stays in the domain and lowers f by at least a constant; after the last of them
    :math:`\|x_k-x^*\|_{x^*}\le\beta\sigma^{k}`, counted from there.
    Cost: a product with the Hessian and a linear minimisation an inner step, a gradient and a linear minimisation an outer
    one.

    Departures: away steps inside, which the authors discuss as an extension, are the default; which reading of the
    threshold they meant is inferred from the proof.

    >>> import secondorder as so
    >>> problem = so.problems.d_optimal_design(degree=2)
    >>> so.minimize(problem, "second_order_frank_wolfe", tol=0.05).status
    'converged'
    """
    full, near = THRESHOLDS[threshold], False
    eta = min(BETA / C, full / 4.0)
    account: dict[str, Any] = {}
    while True:
        grad = problem.grad(x)
        vertex = problem.lmo(grad)
        gap = float(grad @ (x - vertex))
        yield Iterate(x, grad=grad, vertex=vertex, gap=gap, **account)
        if gap <= 0.0:
            return "finished: the gap is zero"
        found = model_step(problem, x, grad, vertex, eta, inner == "away_step", max_inner)
        if found.gap > eta**2:
            return f"stalled: {max_inner} inner steps leave a gap of {found.gap:.3g} in the model, above {eta**2:.3g}"
        gamma = found.decrement
        near = near or gamma + eta <= full
        step_size = 1.0
        if not near:
            excess = gamma - eta**2 / gamma  # so written, the formula has no powers that overflow
            step_size = min(1.0, SAFETY * excess / (gamma * (1.0 + excess)))
        account = {
            "decrement": gamma, "accuracy": eta, "inner_iterations": found.iterations, "step_size": step_size,
        }  # fmt: skip
        x, eta = x + step_size * found.step, SIGMA * eta if near else eta
