"""Langevin dynamics: gradient ascent on the log-density, with noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace, standard_normal
from secondorder.catalogue import method, nonnegative, positive
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.metropolis import accept, chosen, known


def _needs(hyper: Mapping[str, Any]) -> tuple[str, ...]:
    return ("score", "log_density") if hyper["metropolis"] else ("score",)


@method(
    paper="roberts1996exponential", needs=_needs, kind="sampler", variants={"Metropolis adjusted": {"metropolis": True}}
)
def langevin(
    problem: Ledger,
    x: Array,
    *,
    step_size: positive = 0.1,
    metropolis: bool = False,
    sigma: nonnegative = 0.0,
    rng: np.random.Generator,
) -> Iterates:
    r"""Langevin dynamics: a step along the score and a draw of noise; unadjusted (ULA), or Metropolis adjusted (MALA).

    Reference: :cite:`roberts1996exponential`, sections 1.4.1 and 1.4.2, with their h written :math:`2\eta`:

    .. math::

        y=x+\eta\,\nabla\log p(x)+\sqrt{2\eta}\,z,\quad z\sim\mathcal N(0,I),\qquad
        \alpha(x,y)=\min\Big\{1,\frac{p(y)\,q(x\mid y)}{p(x)\,q(y\mid x)}\Big\},\quad
        q(y\mid x)\propto\exp\Big(-\frac{\|y-x-\eta\nabla\log p(x)\|^2}{4\eta}\Big).

    Parameters
    ----------
    problem : Problem
        Offers ``score``, and with ``metropolis`` also ``log_density``.
    x : array (n, d)
        The particles, each a chain of its own.
    step_size : float > 0, default 0.1
        :math:`\eta`, in units of x squared.
    metropolis : bool, default False
        Accept y with probability :math:`\alpha(x,y)`, or stay: then p itself is invariant. Unadjusted, every y is taken.
    sigma : float >= 0, default 0
        The noise level at which to sample: that of :math:`x_0+\sigma\varepsilon`.

    Yields
    ------
    Iterate
        ``sigma``; adjusted also ``acceptance``, the fraction of the particles that moved.

    Guarantee: adjusted, p is invariant for every :math:`\eta`. Unadjusted, the law it tends to is off by a term of order
    :math:`\eta`; for :math:`\mathcal N(0,v)` it is :math:`\mathcal N(0,v/(1-\eta/2v))`, if :math:`\eta<2v`.
    Where the score grows faster than x, unadjusted chains may run off to infinity, and adjusted ones stand still far out.
    Cost: a score a step; adjusted also a density, and one more of each at the start.

    Departures: none. Where p(y) is 0 or not a number the particle stays, and the score at y is not asked for; one that starts
    at such a point takes the first y with a density.

    >>> import secondorder as so
    >>> line = so.problems.gaussian_mixture(means=[[0.0]], covariances=[[[1.0]]])
    >>> biased, exact = (so.sample(line, "langevin", particles=20_000, steps=50, step_size=0.5, metropolis=m)
    ...                  for m in (False, True))
    >>> round(float(biased.x.var()), 1), round(float(exact.x.var()), 1)      # 4/3 and 1
    (1.3, 1.0)
    """
    xp = namespace(x)
    yield Iterate(x, sigma=sigma)
    score = problem.score(x, sigma=sigma)
    log_density = known(problem.log_density(x, sigma=sigma)) if metropolis else None
    while True:
        y = x + step_size * score + math.sqrt(2.0 * step_size) * standard_normal(rng, x)
        if not metropolis:
            x = y
            yield Iterate(x, sigma=sigma)
            score = problem.score(x, sigma=sigma)
            continue
        log_density_y = problem.log_density(y, sigma=sigma)
        possible = log_density_y > -math.inf  # elsewhere there need not be a score, and x is kept
        score_y = problem.score(xp.where(possible[:, None], y, x), sigma=sigma)
        there, back = y - x - step_size * score, x - y - step_size * score_y
        log_ratio = log_density_y - log_density + xp.sum(there**2 - back**2, axis=1) / (4.0 * step_size)
        moved = accept(log_ratio, rng)
        x, score, log_density = chosen(moved, (y, score_y, log_density_y), (x, score, log_density))
        yield Iterate(x, sigma=sigma, acceptance=float(xp.mean(xp.astype(moved, x.dtype))))
