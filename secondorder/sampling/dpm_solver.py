"""DPM-Solver: the linear part of the flow exactly, the prediction extrapolated from the last steps."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np  # noqa: F401 (the doctest)

from secondorder.arrays import Array
from secondorder.catalogue import Interval, method
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.multistep import Prediction, multistep_increment, step_orders
from secondorder.sampling.predictions import predictions
from secondorder.schedules import Level, NoiseGrid


@method(
    paper="lu2022dpmpp",
    needs=("score",),
    kind="sampler",
    grid=("vp", "log_snr"),
    variants={
        "noise prediction": {"prediction": "noise"},
        "first order (DDIM)": {"order": 1},
        "third order, as coded": {"order": 3},
        "third order, corrected": {"order": 3, "second_difference": "corrected"},
    },
)
def dpm_solver(
    problem: Ledger,
    x: Array,
    *,
    grid: NoiseGrid,
    order: Annotated[int, Interval(1, 3, "[", "]")] = 2,
    prediction: Prediction = "data",
    lower_order_final: bool = True,
    second_difference: Literal["coded", "corrected"] = "coded",
) -> Iterates:
    r"""DPM-Solver++(2M), and its relatives: exponential multistep methods for the probability flow.

    Reference: :cite:`lu2022dpmpp`, algorithm 2 (2M), and :cite:`lu2022dpm` for the noise prediction. In
    :math:`\lambda=\log(\alpha/\sigma)` the flow has a linear part, which is solved exactly; the rest is an integral over the
    prediction, on which past values are spent. With :math:`h=\lambda_t-\lambda_s`, for the data prediction :math:`\hat x_0` and
    for the noise prediction :math:`\varepsilon`:

    .. math::

        x_t=\frac{\sigma_t}{\sigma_s}x_s+\alpha_t\int_0^he^{\tau-h}\,\hat x_0\,d\tau
        \qquad\text{or}\qquad
        x_t=\frac{\alpha_t}{\alpha_s}x_s-\sigma_t\int_0^he^{h-\tau}\,\varepsilon\,d\tau .

    Order 2 puts the constant :math:`m_0+\frac{h}{2h_{\mathrm{before}}}(m_0-m_1)` under the integral, :math:`m_0` and
    :math:`m_1` being the newest predictions; see :func:`~secondorder.sampling.multistep.multistep_increment` for order 3.

    Parameters
    ----------
    problem : Problem
        Offers ``score``.
    x : array (n, d)
        The particles at the first level.
    grid : NoiseGrid
        The noise levels, by default 20 steps of the variance-preserving schedule, even in :math:`\lambda`.
    order : int from 1 to 3, default 2
        How many predictions a step uses, once there are so many. Order 1 is :func:`ddim`.
    prediction : {"data", "noise"}, default "data"
        Which of the two is extrapolated: DPM-Solver++, or DPM-Solver.
    lower_order_final : bool, default True
        Of fewer than 15 steps take the last with order 1 and the one before with at most order 2.
    second_difference : {"coded", "corrected"}, default "coded"
        For order 3: the second difference as it is in the published code, half of what its weight belongs to, which makes
        the method one of second order; or the whole of it.

    Yields
    ------
    Iterate
        ``alpha`` and ``sigma`` of the particles; ``noise`` and ``data``, the predictions where the step began; ``increment``,
        the integral; ``order``, that of the step.

    Guarantee: error of order ``order`` in the largest h, but of order 2 for ``order=3`` as coded, for a smooth score. In the
    limit the first step, which is of order 1, holds the whole to order 2; where it begins in almost pure noise it hardly shows.
    Cost: one score a step.

    Departures: algorithm 2 does not lower the order at the end; the authors' code does, by default, and says of fewer than 15
    steps, but acts on fewer than 10.

    >>> import secondorder as so
    >>> point = so.Problem(score=lambda X, alpha, sigma: (alpha * 3.0 - X) / sigma**2, x0=[0.0])
    >>> so.sample(point, "dpm_solver", [[5.0], [-2.0]], steps=6, spacing="edm").x     # the data prediction is 3 throughout
    array([[3.],
           [3.]])
    """
    past: list[Array] = []
    levels: list[Level] = []
    yield Iterate(x, **grid.levels[0]._asdict())
    for k, (s, t) in zip(step_orders(len(grid.steps), order, lower_order_final), grid.steps, strict=True):
        noise, data = predictions(problem, x, s)
        past, levels = [data if prediction == "data" else noise, *past[:2]], [s, *levels[:2]]
        increment = multistep_increment(past[:k], levels[:k], t, prediction, corrected=second_difference == "corrected")
        x = (t.sigma / s.sigma if prediction == "data" else t.alpha / s.alpha) * x + increment
        yield Iterate(x, **t._asdict(), noise=noise, data=data, increment=increment, order=k)
    return "finished"
