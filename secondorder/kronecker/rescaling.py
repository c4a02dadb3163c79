"""What K-FAC and EK-FAC share: averages of the factors, how long a step is, and how much damping."""

from __future__ import annotations

import math
from typing import Any

from secondorder.arrays import Array, epsilon
from secondorder.ledger import Ledger
from secondorder.linalg import Layer, kronecker_factors, reduction_ratio


def model_step(
    batch: Ledger, x: Array, grad: Array, direction: Array, previous: Array | None, damping: float
) -> tuple[Array, dict[str, Any]]:
    r"""The least value of the damped Gauss-Newton model on the span of the direction and the previous step.

    Reference: :cite:`martens2015optimizing`, §6.4 and §7. With :math:`M=F+\lambda I`, the step
    :math:`\alpha D+\mu\delta_0` solves

    .. math::

        \begin{bmatrix}D^\top MD&D^\top M\delta_0\\D^\top M\delta_0&\delta_0^\top M\delta_0\end{bmatrix}
        \begin{bmatrix}\alpha\\\mu\end{bmatrix}=-\begin{bmatrix}g^\top D\\g^\top\delta_0\end{bmatrix},

    and there the model has changed by :math:`\frac12g^\top\delta`.
    """
    MD = batch.ggn_product(x, direction) + damping * direction
    a, gd = float(direction @ MD), float(grad @ direction)
    if not a > 0.0:
        return 0.0 * direction, {"scale": 0.0, "momentum": 0.0}
    alpha, mu, step = -gd / a, 0.0, -gd / a * direction
    if previous is not None:
        b = float(previous @ MD)
        c = float(previous @ batch.ggn_product(x, previous)) + damping * float(previous @ previous)
        gp, determinant = float(grad @ previous), a * c - b * b
        if determinant > 1e-12 * a * c:  # not parallel
            alpha, mu = (-gd * c + gp * b) / determinant, (-gp * a + gd * b) / determinant
            step = alpha * direction + mu * previous
    return step, {"scale": alpha, "momentum": mu}


def kl_step(
    grad: Array, direction: Array, previous: Array | None, learning_rate: float, momentum: float, kl_clip: float
) -> tuple[Array, dict[str, Any]]:
    r"""Heavy ball with the direction shrunk until the step's squared length in the metric is at most :math:`\kappa`.

    .. math::

        \nu=\min\Big(1,\sqrt{\frac\kappa{\eta^2|g^\top D|}}\Big),\qquad\delta=\eta\nu D+\mu\delta_0,

    :math:`|g^\top D|` being :math:`D^\top FD` for :math:`D=-F^{-1}g`. An infinite :math:`\kappa` clips nothing.
    """
    size = abs(float(grad @ direction))
    scale = min(1.0, math.sqrt(kl_clip / size) / learning_rate) if size > 0.0 else 1.0
    step = learning_rate * scale * direction
    return step if previous is None else step + momentum * previous, {"scale": scale, "momentum": momentum}


def averaged_factors(
    factors: list[tuple[Array, Array]], layers: tuple[Layer, ...], past: float
) -> list[tuple[Array, Array]]:
    """The running averages of each layer's factors, with weight ``past`` on the old ones; the first are the layers' own."""
    seen = [kronecker_factors(*layer) for layer in layers]
    return [
        (past * A + (1.0 - past) * A_new, past * B + (1.0 - past) * B_new)
        for (A, B), (A_new, B_new) in zip(factors or seen, seen, strict=True)
    ]


def judged_damping(
    batch: Ledger, x: Array, grad: Array, step: Array, damping: float, interval: int
) -> tuple[float, float]:
    """The next damping, and the ratio of what the step gains on the batch to what the model promised."""
    ratio = reduction_ratio(batch.f(x), batch.f(x + step), -0.5 * float(grad @ step), epsilon(x))
    return adapted_damping(damping, ratio, interval), ratio


def adapted_damping(damping: float, ratio: float, interval: int) -> float:
    """Times or over (19/20) to the power of the interval, as the model was trusted too little or too much."""
    factor = (19.0 / 20.0) ** interval
    return damping * factor if ratio > 0.75 else damping / factor if ratio < 0.25 else damping
