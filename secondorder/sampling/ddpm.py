"""Ancestral sampling: each step draws the less noisy point given the noisier one."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from secondorder.arrays import Array, namespace, standard_normal
from secondorder.catalogue import method
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.predictions import predictions
from secondorder.schedules import Level, NoiseGrid

Variance = Literal["small", "large", "optimal"]


@method(
    paper="ho2020denoising",
    needs=("score",),
    kind="sampler",
    grid=("vp", "uniform"),
    variants={"large variance": {"variance": "large"}, "Analytic-DPM": {"variance": "optimal"}},
)
def ddpm(
    problem: Ledger, x: Array, *, grid: NoiseGrid, variance: Variance = "small", rng: np.random.Generator
) -> Iterates:
    r"""DDPM, ancestral sampling: the mean of the less noisy point by the score, and a draw of noise around it.

    Reference: :cite:`ho2020denoising`, algorithm 2. From the level s to the next level t, with
    :math:`a=\alpha_s/\alpha_t` and :math:`\beta=\sigma_s^2-a^2\sigma_t^2`, so that :math:`x_s` is
    :math:`a\,x_t+\sqrt\beta\,z`,

    .. math::

        \varepsilon=-\sigma_s\nabla\log p_s(x_s),\qquad
        x_t=\frac1a\Big(x_s-\frac{\beta}{\sigma_s}\,\varepsilon\Big)+\varsigma z,\qquad
        \varsigma^2=\begin{cases}\tilde\beta=\beta\,\sigma_t^2/\sigma_s^2&\text{small}\\\beta&\text{large}\\
        \tilde\beta+\big(\frac{\beta}{a\sigma_s}\big)^2\big(1-\tfrac1d\,\mathbb E\|\varepsilon\|^2\big)&\text{optimal.}
        \end{cases}

    The mean is exact for every law. The variance of :math:`x_t` given :math:`x_s` is
    :math:`\tilde\beta I+(\alpha_t\beta/\sigma_s^2)^2\,\mathrm{Cov}[x_0\mid x_s]`, and by the second-order twin of Tweedie's
    formula that covariance is :math:`(\sigma_s/\alpha_s)^2(I+\sigma_s^2\nabla^2\log p_s)`. The optimal variance
    :cite:`bao2022analytic` is the mean of it all over directions and particles: as
    :math:`\mathbb E[\nabla^2\log p_s]=-\mathbb E[\nabla\log p_s\nabla\log p_s^\top]`, the trace takes no Hessian.

    Parameters
    ----------
    problem : Problem
        Offers ``score``.
    x : array (n, d)
        The particles at the first level.
    grid : NoiseGrid
        The noise levels, by default 20 steps of the variance-preserving schedule, even in t.
    variance : {"small", "large", "optimal"}, default "small"
        :math:`\varsigma^2`. The expectation in the optimal one is the mean over the particles, its bracket at least 0.

    Yields
    ------
    Iterate
        ``alpha`` and ``sigma`` of the particles; ``noise`` and ``data``, the predictions :math:`\varepsilon` and
        :math:`\hat x_0` that led there, and ``variance``, :math:`\varsigma^2`.

    Guarantee: from an exact start the law is exact at every level, for any number of steps, where all the data are one point
    (small; optimal with many particles), and for :math:`\mathcal N(0,I)` on the variance-preserving schedule (large; optimal
    with many particles).
    Cost: one score a step.

    Departures: no noise is added in a step to :math:`\sigma_t=0`, as in the last step of the paper; where the grid ends at
    a :math:`\sigma_t>0`, as the default does, noise belongs to the law of that level and is added. The optimal variance is
    estimated from the particles as they are sampled, that of the paper from the training data, beforehand.

    >>> import secondorder as so
    >>> line = so.problems.gaussian_mixture(means=[[0.0]], covariances=[[[0.25]]])
    >>> spread = {v: float(so.sample(line, "ddpm", particles=50_000, steps=5, variance=v).x.std())
    ...           for v in ("small", "large", "optimal")}
    >>> {v: round(s, 1) for v, s in spread.items()}                                   # 0.5 is exact
    {'small': 0.2, 'large': 0.7, 'optimal': 0.5}
    """
    yield Iterate(x, **grid.levels[0]._asdict())
    for s, t in grid.steps:
        noise, data = predictions(problem, x, s)
        a = s.alpha / t.alpha
        beta = s.sigma**2 - (a * t.sigma) ** 2
        drawn = step_variance(variance, noise, s, t)
        x = (x - (beta / s.sigma) * noise) / a
        if drawn > 0.0:
            x = x + math.sqrt(drawn) * standard_normal(rng, x)
        yield Iterate(x, **t._asdict(), noise=noise, data=data, variance=drawn)
    return "finished"


def step_variance(variance: Variance, noise: Array, s: Level, t: Level) -> float:
    r"""The :math:`\varsigma^2` of :func:`ddpm` in the step from s to t; 0 where :math:`\sigma_t=0`.

    >>> s, t = Level(0.6, 0.8), Level(0.8, 0.6)
    >>> [round(step_variance(v, np.asarray([[0.0, 1.0]]), s, t), 4) for v in ("small", "large", "optimal")]
    [0.2461, 0.4375, 0.5119]
    """
    if t.sigma == 0.0:
        return 0.0
    a = s.alpha / t.alpha
    beta = s.sigma**2 - (a * t.sigma) ** 2
    if variance == "large":
        return beta
    small = beta * (t.sigma / s.sigma) ** 2
    if variance == "small":
        return small
    unexplained = 1.0 - float(namespace(noise).mean(noise**2))
    return small + (beta / (a * s.sigma)) ** 2 * max(unexplained, 0.0)
