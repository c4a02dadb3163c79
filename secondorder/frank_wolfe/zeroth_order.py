"""Zeroth-order Frank–Wolfe: values of f only, and no projection."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.catalogue import count, method
from secondorder.ledger import Ledger, NonFinite
from secondorder.run import Iterate, Iterates

Estimator = Literal["kwsa", "rdsa", "i-rdsa"]


@method(
    paper="sahu2019towards",
    measure="gap",
    needs=("f", "lmo"),
    variants={
        "RDSA": {"estimator": "rdsa"},
        "KWSA": {"estimator": "kwsa"},
        "RDSA without averaging": {"estimator": "rdsa", "averaging": False},
    },
)
def zeroth_order_frank_wolfe(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    estimator: Estimator = "i-rdsa",
    directions: count = 10,
    averaging: bool = True,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""Frank–Wolfe from values of f: differences estimate the gradient, and a running average of them is what it follows.

    Reference: :cite:`sahu2019towards`, Algorithm 2. With F(·;ξ) the loss of the step's batch, the same in all of its values,
    :math:`s=t+8` and :math:`d_{-1}=0`,

    .. math::

        d_t=(1-\rho_t)d_{t-1}+\rho_t\hat g_t,\qquad v_t\in\arg\min_{v\in\mathcal C}\langle d_t,v\rangle,\qquad
        x_{t+1}=(1-\gamma_t)x_t+\gamma_tv_t,\quad\gamma_t=\frac2s

    .. math::

        \begin{array}{llll}
        \text{KWSA}&\hat g_t=\sum_i\frac{F(x_t+c_te_i;\xi_t)-F(x_t;\xi_t)}{c_t}e_i&\rho_t=\frac4{s^{2/3}}&
        c_t=\frac2{d^{1/2}s^{1/3}}\\
        \text{RDSA}&\hat g_t=\frac{F(x_t+c_tz;\xi_t)-F(x_t;\xi_t)}{c_t}z,\ z\sim N(0,I)&
        \rho_t=\frac4{d^{1/3}s^{2/3}}&c_t=\frac2{d^{3/2}s^{1/3}}\\
        \text{I-RDSA}&\text{the mean of }m\text{ of these}&\rho_t=\frac4{(1+d/m)^{1/3}s^{2/3}}&
        c_t=\frac{2\sqrt m}{d^{3/2}s^{1/3}}
        \end{array}

    Parameters
    ----------
    problem : Problem
        Offers ``f`` and ``lmo``. Values are asked for outside the feasible set, about :math:`c_t\sqrt d` from x.
    x : array (d,)
        The start, in the feasible set.
    batch_size : int, optional
        Examples in each step's batch, by default all.
    estimator : "kwsa", "rdsa" or "i-rdsa" (default)
        Differences along the coordinates, along one random direction, along several.
    directions : int, default 10
        m of I-RDSA; the other two do without.
    averaging : bool, default True
        Without it :math:`d_t=\hat g_t`, and the noise of a single estimate remains: RDSA stalls.

    Yields
    ------
    Iterate
        ``batch_grad`` (:math:`d_t`), ``vertex`` (:math:`v_t`), ``averaging`` (:math:`\rho_t`) and ``smoothing``
        (:math:`c_t`), all at x; ``step_size`` of the step that led there. There is no gap among them: without a gradient
        nothing certifies the answer. Where the problem has one, the loop evaluates the gap off the books.

    Guarantee: for convex f with an L₁-Lipschitz gradient :math:`\mathbb Ef(x_T)-f^*=O(T^{-1/3})` for KWSA, and
    :math:`O((d/m)^{1/3}T^{-1/3})` for random directions, m = 1 for RDSA.
    Cost: d + 1 values (KWSA), 2 (RDSA), m + 1 (I-RDSA) and a linear minimisation an iteration.

    Rounding: a difference errs by about :math:`\varepsilon|f|/c_t`, with :math:`\varepsilon` the rounding unit. In float32
    that swamps RDSA for large d.

    Departures: t counts from 0, so that :math:`\rho_0=1` for KWSA. A difference that leaves the domain of f is halved.

    One meets the :math:`c_t` of I-RDSA with :math:`\sqrt m` in the numerator, as here, and in the denominator. Here, meant for
    :math:`m\le d^2`, curvature disturbs the mean of m directions as much as it disturbs the one of RDSA; in the denominator
    differences are m times shorter and m times more exposed to rounding.

    >>> import secondorder as so
    >>> problem = so.problems.quadratic([1.0, 4.0, 4.0]).subject_to(so.sets.Simplex(3))
    >>> history = so.minimize(problem, "zeroth_order_frank_wolfe", steps=500, tol=0)
    >>> bool(history["gap"].min() < 0.03), history.oracle["f"], history.oracle["grad"]
    (True, 5511, 0)
    """
    batch_rng, direction_rng = (rng or np.random.default_rng(0)).spawn(2)
    batch_grad, account = 0.0 * x, dict[str, Any]()
    for t, batch in enumerate(problem.batches(batch_size, batch_rng)):
        weight, smoothing = schedule(estimator, x.shape[0], directions, t)
        estimate = estimated_gradient(batch, x, estimator, directions, smoothing, direction_rng)
        batch_grad = (1.0 - weight) * batch_grad + weight * estimate if averaging else estimate
        vertex = problem.lmo(batch_grad)
        yield Iterate(x, batch_grad=batch_grad, vertex=vertex, averaging=weight, smoothing=smoothing, **account)
        step_size = 2.0 / (t + 8.0)
        x = (1.0 - step_size) * x + step_size * vertex
        account = {"step_size": step_size}
    return "finished"


def schedule(estimator: Estimator, d: int, directions: int, t: int) -> tuple[float, float]:
    r"""The weight :math:`\rho_t` of the newest estimate and the length :math:`c_t` of its differences."""
    s = t + 8.0
    if estimator == "kwsa":
        return min(4.0 / s ** (2.0 / 3.0), 1.0), 2.0 / (d**0.5 * s ** (1.0 / 3.0))
    m, spread = (1, d) if estimator == "rdsa" else (directions, 1.0 + d / directions)
    weight = 4.0 / (spread ** (1.0 / 3.0) * s ** (2.0 / 3.0))
    return min(weight, 1.0), 2.0 * m**0.5 / (d**1.5 * s ** (1.0 / 3.0))


def estimated_gradient(
    problem: Ledger, x: Array, estimator: Estimator, directions: int, smoothing: float, rng: np.random.Generator
) -> Array:
    r"""The estimate :math:`\hat g` from forward differences of length ``smoothing``."""
    f, total, m = problem.f(x), 0.0 * x, directions if estimator == "i-rdsa" else 1
    for z in _axes(x) if estimator == "kwsa" else _random_directions(x, m, rng):
        total = total + _slope(problem, x, f, z, smoothing) * z
    return total / m


def _slope(problem: Ledger, x: Array, f: float, z: Array, smoothing: float) -> float:
    """The forward difference along z, halved in length as long as it ends outside the domain of f."""
    for _ in range(60):
        point = x + smoothing * z
        slope = (problem.f(point) - f) / smoothing if problem.domain(point) else math.inf
        if math.isfinite(slope):
            return slope
        smoothing /= 2.0
    raise NonFinite("f is not finite, at x or at any distance from it")


def _axes(x: Array) -> Iterator[Array]:
    xp = namespace(x)
    yield from (xp.astype(xp.arange(x.shape[0]) == i, x.dtype) for i in range(x.shape[0]))


def _random_directions(x: Array, m: int, rng: np.random.Generator) -> Iterator[Array]:
    xp = namespace(x)
    yield from (xp.asarray(rng.standard_normal(x.shape[0]), dtype=x.dtype) for _ in range(m))
