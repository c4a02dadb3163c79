"""DDIM: a step to the predicted data, and back up by the predicted noise."""

from __future__ import annotations

import math

import numpy as np

from secondorder.arrays import Array, standard_normal
from secondorder.catalogue import method, unit
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.predictions import predictions
from secondorder.schedules import NoiseGrid


@method(
    paper="song2021denoising",
    needs=("score",),
    kind="sampler",
    grid=("vp", "log_snr"),
    variants={"stochastic": {"eta": 1.0}},
)
def ddim(
    problem: Ledger, x: Array, *, grid: NoiseGrid, eta: unit = 0.0, rng: np.random.Generator | None = None
) -> Iterates:
    r"""DDIM: predict noise and data, and mix them again at the next noise level.

    Reference: :cite:`song2021denoising`, equation 12. From the level s to the next level t,

    .. math::

        \varepsilon=-\sigma_s\nabla\log p_s(x_s),\qquad\hat x_0=\frac{x_s-\sigma_s\varepsilon}{\alpha_s},\qquad
        x_t=\alpha_t\hat x_0+\sqrt{\sigma_t^2-\varsigma^2}\,\varepsilon+\varsigma z,\qquad
        \varsigma=\eta\,\frac{\sigma_t}{\sigma_s}\sqrt{\sigma_s^2-\frac{\alpha_s^2}{\alpha_t^2}\sigma_t^2} .

    With :math:`\eta=0` nothing is random, and in :math:`z=x/\alpha`, :math:`g=\sigma/\alpha` it is Euler's method for the
    probability flow :math:`dz/dg=\varepsilon`.

    Parameters
    ----------
    problem : Problem
        Offers ``score``.
    x : array (n, d)
        The particles at the first level.
    grid : NoiseGrid
        The noise levels, by default 20 steps of the variance-preserving schedule, even in :math:`\log(\alpha/\sigma)`.
    eta : float in [0, 1], default 0
        :math:`\eta`; with 1 it is :func:`ddpm` with the small variance.

    Yields
    ------
    Iterate
        ``alpha`` and ``sigma`` of the particles; ``noise`` and ``data``, the predictions :math:`\varepsilon` and
        :math:`\hat x_0` that led there.

    Guarantee: error of order one in the largest step, for a smooth score.
    Cost: one score a step.

    Departures: none. For the variance-preserving schedule the last root is the paper's :math:`\sqrt{1-\alpha_s^2/\alpha_t^2}`;
    the authors' code clips :math:`\hat x_0` of images, this does not.

    >>> import secondorder as so
    >>> point = so.Problem(score=lambda X, alpha, sigma: (alpha * 3.0 - X) / sigma**2, x0=[0.0])
    >>> so.sample(point, "ddim", [[5.0], [-2.0]], steps=1, spacing="edm").x        # all the mass at 3: one step is exact
    array([[3.],
           [3.]])
    """
    yield Iterate(x, **grid.levels[0]._asdict())
    for s, t in grid.steps:
        noise, data = predictions(problem, x, s)
        ancestral = eta * t.sigma / s.sigma * math.sqrt(s.sigma**2 - (s.alpha / t.alpha * t.sigma) ** 2)
        x = t.alpha * data + math.sqrt(t.sigma**2 - ancestral**2) * noise
        if eta > 0.0:
            assert rng is not None
            x = x + ancestral * standard_normal(rng, x)
        yield Iterate(x, **t._asdict(), noise=noise, data=data)
    return "finished"
