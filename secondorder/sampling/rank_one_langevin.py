"""Rank-one Langevin: the score's outer product with itself in place of the Hessian."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from secondorder.arrays import Array, standard_normal
from secondorder.catalogue import method, nonnegative, positive
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.curvature import rank_one


def _needs(hyper: Mapping[str, Any]) -> tuple[str, ...]:
    return ("score", "score_hessian") if hyper["divergence_correction"] else ("score",)


@method(
    paper="wang2025lml",
    needs=_needs,
    kind="sampler",
    variants={"without the correction": {"divergence_correction": False}},
)
def rank_one_langevin(
    problem: Ledger,
    x: Array,
    *,
    step_size: positive = 0.01,
    damping: positive = 1.0,
    divergence_correction: bool = True,
    sigma: nonnegative = 0.0,
    rng: np.random.Generator,
) -> Iterates:
    r"""Rank-one Langevin: the damped outer product of the score as curvature, one per particle.

    Reference: the rank-one damped curvature of :cite:`wang2025lml`, used as the position-dependent matrix of Langevin dynamics
    :cite:`girolami2011riemann` with the drift of :cite:`xifara2014langevin`. With :math:`s=\nabla\log p(x)`,
    :math:`J=\nabla^2\log p(x)` and :math:`n=\|s\|^2`,

    .. math::

        P=\rho\,(\rho I+ss^\top)^{-1},\qquad
        \Gamma=\frac{2\langle s,Js\rangle}{(\rho+n)^2}\,s-\frac{Js+\operatorname{tr}(J)\,s}{\rho+n},\qquad
        y=x+\eta\,\big(Ps+\Gamma\big)+\sqrt{2\eta}\,P^{1/2}z,\quad z\sim\mathcal N(0,I).

    Along the score P is :math:`\rho/(\rho+n)`, across it 1: where the score is long, the particle is slowed down.

    Parameters
    ----------
    problem : Problem
        Offers ``score``, and with ``divergence_correction`` also ``score_hessian``.
    x : array (n, d)
        The particles, each a chain of its own.
    step_size : float > 0, default 0.01
        :math:`\eta`, in units of x squared.
    damping : float > 0, default 1
        :math:`\rho`, in units of the squared score; as :math:`\rho\to\infty` it is :func:`langevin`.
    divergence_correction : bool, default True
        Add :math:`\Gamma=\operatorname{div}P`. Without it the law p is not kept, however small the step.
    sigma : float >= 0, default 0
        The noise level at which to sample: that of :math:`x_0+\sigma\varepsilon`.

    Yields
    ------
    Iterate
        ``sigma``; ``drift``, :math:`Ps+\Gamma` at the particle before.

    Guarantee: with the correction the law it tends to is off by a term of order :math:`\eta`. The mean of :math:`ss^\top` under
    p is that of :math:`-J`, but at no point does it show more than one direction.
    Cost: a score a step, with the correction also a Hessian, of which :math:`Js` and the trace are used.

    Departures: the paper corrects the noise prediction of deterministic samplers, and restores its length; this is the Langevin
    dynamics that the same matrix defines, with matching noise.

    >>> import secondorder as so
    >>> law = so.problems.gaussian_mixture(means=[[0.0]], covariances=[[[1.0]]])
    >>> X = law.sample(20_000, np.random.default_rng(0))
    >>> kept, lost = (so.sample(law, "rank_one_langevin", X, steps=200, damping=0.5, divergence_correction=c)
    ...               for c in (True, False))
    >>> round(float(kept.x.var()), 1), float(lost.x.var()) > 1.5
    (1.0, True)
    """
    yield Iterate(x, sigma=sigma)
    while True:
        score = problem.score(x, sigma=sigma)
        hessian = problem.score_hessian(x, sigma=sigma) if divergence_correction else None
        drift, spread = rank_one(score, damping, hessian)
        x = x + step_size * drift + math.sqrt(2.0 * step_size) * spread(standard_normal(rng, x))
        yield Iterate(x, sigma=sigma, drift=drift)
