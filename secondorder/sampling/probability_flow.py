"""The probability-flow equation, solved by Euler's or Heun's method; with noise put back in if wanted."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from secondorder.arrays import Array, standard_normal
from secondorder.catalogue import method, nonnegative, positive
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.schedules import Level, NoiseGrid

MOST_CHURN = math.sqrt(2.0) - 1.0
"""No step puts in more noise than the particles have."""


@method(
    paper="karras2022elucidating",
    needs=("score",),
    kind="sampler",
    grid=("ve", "edm"),
    variants={
        "Euler": {"solver": "euler"},
        "stochastic": {"churn": 40.0, "churn_min": 0.05, "churn_max": 50.0, "churn_noise": 1.003},
    },
)
def probability_flow(
    problem: Ledger,
    x: Array,
    *,
    grid: NoiseGrid,
    solver: Literal["euler", "heun"] = "heun",
    churn: nonnegative = 0.0,
    churn_min: nonnegative = 0.0,
    churn_max: positive | None = None,
    churn_noise: nonnegative = 1.0,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""Heun's method on the probability-flow equation (EDM), or Euler's.

    Reference: :cite:`karras2022elucidating`, algorithms 1 and 2. In :math:`z=x/\alpha`, :math:`g=\sigma/\alpha` the flow is the
    same for every schedule; a step of Heun's method averages the slope at both ends of a step of Euler's:

    .. math::

        \frac{dz}{dg}=\varepsilon(z,g)=-\sigma\nabla\log p_t(x),\qquad
        \tilde z=z_s+(g_t-g_s)\,\varepsilon(z_s,g_s),\qquad
        z_t=z_s+(g_t-g_s)\,\frac{\varepsilon(z_s,g_s)+\varepsilon(\tilde z,g_t)}2 .

    With ``churn`` S, each of the N steps first adds noise:
    :math:`\hat g=(1+\gamma)\,g_s`, :math:`\hat z=z_s+S_{\mathrm{noise}}\sqrt{\hat g^2-g_s^2}\,n`,
    :math:`n\sim\mathcal N(0,I)`, :math:`\gamma=\min(S/N,\sqrt2-1)`.

    Parameters
    ----------
    problem : Problem
        Offers ``score``.
    x : array (n, d)
        The particles at the first level.
    grid : NoiseGrid
        The noise levels, by default 20 steps of the variance-exploding schedule, evenly spaced in
        :math:`\sigma^{1/7}`, the last of them to :math:`\sigma=0`.
    solver : {"heun", "euler"}, default "heun"
        Euler's method is :func:`ddim`. A step to :math:`\sigma=0` is always Euler's, for want of a slope there.
    churn : float >= 0, default 0
        S, the amount of noise put in over the whole way; with 0 nothing is random.
    churn_min : float >= 0, default 0
        No noise is put in where :math:`\sigma/\alpha` is below it.
    churn_max : float > 0, by default no limit
        Nor where it is above this. Raises ``ValueError`` if ``churn_min`` is larger.
    churn_noise : float >= 0, default 1
        :math:`S_{\mathrm{noise}}`, a factor on the noise put in; not 1, it makes up for what a trained network removes.

    Yields
    ------
    Iterate
        ``alpha`` and ``sigma`` of the particles; ``noise``, the prediction :math:`\varepsilon` where the step began, and
        ``direction``, the slope :math:`(z_t-z_s)/(g_t-g_s)` that was taken.

    Guarantee: error of order two in the largest step of g (Euler: one), for a smooth score.
    Cost: two scores a step (Euler: one), one for a step to :math:`\sigma=0`.

    Departures: added noise raises :math:`\sigma` and leaves :math:`\alpha`, so that a score is asked for off the schedule
    unless that is ``"ve"``, the paper's.

    >>> import secondorder as so
    >>> law = so.problems.gaussian_mixture(means=[[0.0]], covariances=[[[1.0]]])
    >>> exact = 80.0 / 6401.0**0.5
    >>> errors = [abs(so.sample(law, "probability_flow", [[80.0]], steps=N).x[0, 0] - exact) for N in (20, 40)]
    >>> 3.0 < float(errors[0] / errors[1]) < 5.0
    True
    """
    most = math.inf if churn_max is None else churn_max
    if churn_min > most:
        raise ValueError(f"churn_min must be at most churn_max; got {churn_min!r} and {churn_max!r}")
    gamma = min(churn / len(grid.steps), MOST_CHURN)
    yield Iterate(x, **grid.levels[0]._asdict())
    for s, t in grid.steps:
        if gamma > 0.0 and churn_min <= s.ratio <= most:
            assert rng is not None
            raised = Level(s.alpha, s.sigma * (1.0 + gamma))
            x = x + churn_noise * math.sqrt(raised.sigma**2 - s.sigma**2) * standard_normal(rng, x)
            s = raised
        z, step = x / s.alpha, t.ratio - s.ratio
        direction = noise = -s.sigma * problem.score(x, *s)
        x = t.alpha * (z + step * direction)
        if solver == "heun" and t.sigma > 0.0:
            direction = 0.5 * (noise - t.sigma * problem.score(x, *t))
            x = t.alpha * (z + step * direction)
        yield Iterate(x, **t._asdict(), noise=noise, direction=direction)
    return "finished"
