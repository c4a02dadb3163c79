"""Annealed Langevin dynamics: a few updates at each noise level, from the highest to the lowest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, standard_normal
from secondorder.catalogue import count, method, positive
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.curvature import damped_newton, ensemble, rank_one
from secondorder.sampling.predictions import predictions
from secondorder.schedules import Level, NoiseGrid

Preconditioner = Literal["none", "newton", "ensemble", "rank_one"]


def _needs(hyper: Mapping[str, Any]) -> tuple[str, ...]:
    return ("score", "score_hessian") if hyper["preconditioner"] == "newton" else ("score",)


@method(
    paper="song2019generative",
    needs=_needs,
    kind="sampler",
    grid=("ve", "log_snr"),
    variants={
        "denoised": {"denoise": True},
        "Newton": {"preconditioner": "newton"},
        "ensemble": {"preconditioner": "ensemble"},
        "rank one": {"preconditioner": "rank_one"},
    },
)
def annealed_langevin(
    problem: Ledger,
    x: Array,
    *,
    grid: NoiseGrid,
    updates: count = 10,
    step_size: positive = 0.1,
    preconditioner: Preconditioner = "none",
    damping: positive = 0.2,
    denoise: bool = False,
    rng: np.random.Generator,
) -> Iterates:
    r"""Annealed Langevin dynamics: some steps of Langevin at each noise level, in units of its noise.

    Reference: :cite:`song2019generative`, algorithm 1. At each level, with its :math:`s=\sigma\nabla\log p_t(x)`, so many
    times

    .. math:: x\leftarrow x+\sigma\big(\eta\,Ps+\sqrt{2\eta}\,P^{1/2}z\big),\qquad z\sim\mathcal N(0,I).

    The preconditioner P is the identity; or, with the eigenvalues h and eigenvectors U of :math:`-\sigma^2\nabla^2\log p_t(x)`,
    the damped Newton matrix :math:`U\,\mathrm{diag}(\max(h,0)+\rho)^{-1}U^\top`; or
    :math:`(\frac1n\sum_iss^\top+\rho I)^{-1}` over all particles; or :math:`\rho(\rho I+ss^\top)^{-1}` of each alone.

    Parameters
    ----------
    problem : Problem
        Offers ``score``; for ``"newton"`` also ``score_hessian``.
    x : array (n, d)
        The particles at the first level.
    grid : NoiseGrid
        The noise levels, by default 21 of the variance-exploding schedule, even in :math:`\log\sigma`.
    updates : int >= 1, default 10
        T, the updates at each level, the first and the last among them.
    step_size : float > 0, default 0.1
        :math:`\eta`, a number without a unit. In the paper's terms :math:`\eta=\alpha_i/(2\sigma_i^2)=\epsilon/(2\sigma_L^2)`;
        its :math:`\epsilon=2\cdot10^{-5}` with :math:`\sigma_L=0.01` is 0.1.
    preconditioner : {"none", "newton", "ensemble", "rank_one"}, default "none"
        P.
    damping : float > 0, default 0.2
        :math:`\rho` of P, without a unit: compared with curvatures times :math:`\sigma^2`.
    denoise : bool, default False
        End with the data prediction, :math:`x+\sigma^2\nabla\log p_t(x)`, at :math:`\sigma=0` :cite:`song2020improved`.

    Yields
    ------
    Iterate
        One after each update: ``alpha`` and ``sigma`` of its level; ``noise`` and ``drift``, the prediction :math:`-s` and the
        :math:`Ps` that led there. With ``denoise``, a last one at :math:`\alpha=1,\sigma=0` with ``noise`` and ``data``.

    Guarantee: without preconditioner, for :math:`\mathcal N(0,v)`, :math:`\eta<2` and with :math:`q=\eta\sigma^2/(v+\sigma^2)`,
    many updates at a level tend to :math:`\mathcal N(0,(v+\sigma^2)/(1-q/2))`. The variance is too large by a factor of at most
    :math:`1/(1-\eta/2)`, and that at the last level remains.
    Cost: a score an update; for ``"newton"`` also a Hessian and :math:`O(nd^3)`.

    Departures: the paper takes 10 levels and 100 updates at each. The preconditioners are not in the paper; where P depends on
    x, the drift lacks the divergence of P, so that the law they tend to is off even as :math:`\eta\to0`. On other
    schedules x is scaled with :math:`\alpha` between the levels. A grid that ends in :math:`\sigma=0` ends denoised.

    >>> import secondorder as so
    >>> mixture = so.problems.gaussian_mixture()
    >>> grid = so.schedules.noise_grid(19, "ve", sigma_min=0.05, sigma_max=8.0)
    >>> history = so.sample(mixture, "annealed_langevin", particles=4000, grid=grid, step_size=0.5)
    >>> len(history), history.oracle["score"], [round(s, 2) for s in history["sigma"][[0, 10, 11, -1]].tolist()]
    (201, 200, [8.0, 8.0, 6.12, 0.05])
    >>> mixture.responsibilities(history.x, sigma=0.05).mean(axis=0).round(1)        # the modes, by weight 0.5, 0.3 and 0.2
    array([0.5, 0.3, 0.2])
    """
    levels = [level for level in grid.levels if level.sigma > 0.0]
    last = levels[0]
    yield Iterate(x, **last._asdict())
    for level in levels:
        x, last = (level.alpha / last.alpha) * x, level
        for _ in range(updates):
            score = level.sigma * problem.score(x, *level)
            drift, spread = _preconditioned(preconditioner, problem, x, level, score, damping)
            step = step_size * drift + math.sqrt(2.0 * step_size) * spread(standard_normal(rng, x))
            x = x + level.sigma * step
            yield Iterate(x, **level._asdict(), noise=-score, drift=drift)
    if denoise or grid.levels[-1].sigma == 0.0:
        noise, data = predictions(problem, x, last)
        yield Iterate(data, alpha=1.0, sigma=0.0, noise=noise, data=data)
    return "finished"


def _preconditioned(
    preconditioner: Preconditioner, problem: Ledger, x: Array, level: Level, score: Array, damping: float
) -> tuple[Array, Callable[[Array], Array]]:
    """The drift Ps, and the map from z to P^{1/2}z, at particles with the scaled score s."""
    if preconditioner == "newton":
        return damped_newton(score, level.sigma**2 * problem.score_hessian(x, *level), damping)
    if preconditioner == "ensemble":
        return ensemble(score, damping)
    if preconditioner == "rank_one":
        return rank_one(score, damping)
    return score, lambda z: z
