"""Adams–Bashforth: extrapolate the noise prediction from the last ones, and feed it to DDIM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from secondorder.arrays import Array
from secondorder.catalogue import Interval, method
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.predictions import predictions
from secondorder.schedules import NoiseGrid


@method(
    paper="liu2022pseudo",
    needs=("score",),
    kind="sampler",
    grid=("vp", "log_snr"),
    variants={"second order": {"order": 2}, "variable steps": {"order": 2, "variable": True}},
)
def adams_bashforth(
    problem: Ledger,
    x: Array,
    *,
    grid: NoiseGrid,
    order: Annotated[int, Interval(1, 4, "[", "]")] = 4,
    variable: bool = False,
) -> Iterates:
    r"""Pseudo linear multistep (PLMS): the constants of Adams and Bashforth on the noise prediction, then DDIM.

    Reference: :cite:`liu2022pseudo`. With the noise predictions :math:`\varepsilon_0,\varepsilon_1,\dots`, the newest first,
    order 4 is

    .. math::

        \bar\varepsilon=\tfrac1{24}(55\varepsilon_0-59\varepsilon_1+37\varepsilon_2-9\varepsilon_3),\qquad
        x_t=\frac{\alpha_t}{\alpha_s}(x_s-\sigma_s\bar\varepsilon)+\sigma_t\bar\varepsilon ,

    and the orders below have :math:`\frac1{12}(23,-16,5)`, :math:`\frac12(3,-1)` and 1. In :math:`z=x/\alpha`,
    :math:`g=\sigma/\alpha` the second equation is :math:`z_t=z_s+(g_t-g_s)\,\bar\varepsilon`.

    Parameters
    ----------
    problem : Problem
        Offers ``score``.
    x : array (n, d)
        The particles at the first level.
    grid : NoiseGrid
        The noise levels, by default 20 steps of the variance-preserving schedule, even in :math:`\log(\alpha/\sigma)`.
    order : int from 1 to 4, default 4
        How many predictions a step uses, once there are so many. Order 1 is :func:`ddim`.
    variable : bool, default False
        Integrate over g the polynomial through the predictions where they were made :cite:`zhang2023fast`, see
        :func:`~secondorder.sampling.adams_bashforth.adams_weights`. The constants are that for equal steps of g.

    Yields
    ------
    Iterate
        ``alpha`` and ``sigma`` of the particles; ``noise`` and ``data``, the predictions where the step began; ``direction``,
        :math:`\bar\varepsilon`.

    Guarantee: error of order two from ``order=2`` on, for a smooth score, on grids whose neighbouring steps of g have a ratio
    of :math:`1+O(1/N)`, as all of :func:`~secondorder.schedules.noise_grid` have but for a last step to :math:`\sigma=0`: the
    first step is Euler's, and the constants are exact for lines up to that ratio. On grids even in
    :math:`\log(\alpha/\sigma)` those of order 2 are :func:`dpm_solver` of order 2 with ``prediction="noise"``.
    Cost: one score a step.

    Departures: the paper takes its first three steps by a method of Runge and Kutta, with four scores each; this begins with
    lower orders.

    >>> import secondorder as so
    >>> law = so.problems.gaussian_mixture()
    >>> linear = so.sample(law, "adams_bashforth", steps=10, order=2)
    >>> solver = so.sample(law, "dpm_solver", steps=10, prediction="noise", lower_order_final=False)
    >>> bool(np.allclose(linear.x, solver.x, rtol=0, atol=1e-10))
    True
    """
    past: list[Array] = []
    ratios: list[float] = []
    yield Iterate(x, **grid.levels[0]._asdict())
    for s, t in grid.steps:
        noise, data = predictions(problem, x, s)
        past, ratios = [noise, *past[: order - 1]], [s.ratio, *ratios[: order - 1]]
        nodes = [(g - s.ratio) / (t.ratio - s.ratio) for g in ratios] if variable else range(0, -len(past), -1)
        direction = sum(weight * each for weight, each in zip(adams_weights(nodes), past, strict=True))
        x = t.alpha * (x / s.alpha + (t.ratio - s.ratio) * direction)
        yield Iterate(x, **t._asdict(), noise=noise, data=data, direction=direction)
    return "finished"


def adams_weights(nodes: Sequence[float]) -> list[float]:
    r"""Weights of the values at ``nodes`` that give :math:`\int_0^1` of every polynomial of lower degree than their number.

    The step goes from 0 to 1, so past nodes are negative.

    >>> [round(24 * weight, 10) for weight in adams_weights([0, -1, -2, -3])]
    [55.0, -59.0, 37.0, -9.0]
    """
    powers = np.arange(len(nodes))
    moments = np.asarray(nodes, dtype=float) ** powers[:, None]
    return np.linalg.solve(moments, 1.0 / (powers + 1.0)).tolist()
