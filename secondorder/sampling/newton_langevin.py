"""Newton-Langevin: Langevin dynamics in the metric of the damped Hessian."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, namespace, standard_normal
from secondorder.catalogue import method, nonnegative, positive
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.curvature import along, damped_eigen
from secondorder.sampling.metropolis import accept, chosen, known


def _needs(hyper: Mapping[str, Any]) -> tuple[str, ...]:
    return ("score", "score_hessian", "log_density") if hyper["metropolis"] else ("score", "score_hessian")


@method(
    paper="girolami2011riemann",
    needs=_needs,
    kind="sampler",
    variants={
        "Metropolis adjusted": {"metropolis": True},
        "stochastic Newton": {"integrator": "exponential", "step_size": 1.0, "damping": 1e-3, "metropolis": True},
    },
)
def newton_langevin(
    problem: Ledger,
    x: Array,
    *,
    step_size: positive = 0.1,
    damping: positive = 0.2,
    metropolis: bool = False,
    integrator: Literal["euler", "exponential"] = "euler",
    sigma: nonnegative = 0.0,
    rng: np.random.Generator,
) -> Iterates:
    r"""Newton-Langevin: a damped Newton step of length eta, and noise of the same shape.

    Reference: the simplified manifold MALA of :cite:`girolami2011riemann`, with their :math:`\epsilon^2` written
    :math:`2\eta` and the damped Hessian of log p for their metric; with the integrator ``"exponential"`` and
    :math:`\eta=1` the stochastic Newton method of :cite:`martin2012stochastic`. With :math:`J=\nabla^2\log p(x)`,

    .. math::

        P=(\max(-J,0)+\rho I)^{-1},\qquad y=x+\eta P\,\nabla\log p(x)+\sqrt{v}\,P^{1/2}z,\quad z\sim\mathcal N(0,I),\qquad
        \alpha(x,y)=\min\Big\{1,\frac{p(y)\,q(x\mid y)}{p(x)\,q(y\mid x)}\Big\},

    where q is the density :math:`\mathcal N(x+\eta P\nabla\log p(x),vP)` with its determinant, and :math:`v=2\eta`; or
    :math:`v=\eta(2-\eta)`, which integrates a Gaussian with :math:`P=\Sigma` exactly :cite:`roberts2002langevin`.

    Parameters
    ----------
    problem : Problem
        Offers ``score`` and ``score_hessian``, and with ``metropolis`` also ``log_density``.
    x : array (n, d)
        The particles, each a chain of its own.
    step_size : float > 0, default 0.1
        :math:`\eta`, without unit: 1 is a full Newton step. Below 2 for ``"exponential"``.
    damping : float > 0, default 0.2
        :math:`\rho`, in units of the Hessian. As :math:`\rho\to\infty` it is :func:`langevin` with step size :math:`\eta/\rho`.
    metropolis : bool, default False
        Accept y with probability :math:`\alpha(x,y)`, or stay: then p itself is invariant.
    integrator : {"euler", "exponential"}, default "euler"
        :math:`v=2\eta` or :math:`v=\eta(2-\eta)`.
    sigma : float >= 0, default 0
        The noise level at which to sample: that of :math:`x_0+\sigma\varepsilon`.

    Yields
    ------
    Iterate
        ``sigma``; ``drift``, the damped Newton step :math:`P\nabla\log p` at the particle before; adjusted also
        ``acceptance``, the fraction of the particles that moved.

    Guarantee: adjusted, p is invariant for every :math:`\eta`. For one Gaussian the deviation along an axis with
    precision h shrinks by :math:`1-\eta h/(h+\rho)` in each step, and the unadjusted law has the variance
    :math:`h^{-1}/(1-\eta h/2(h+\rho))` instead of :math:`h^{-1}`. Unadjusted on other laws, the missing drift :math:`\Gamma`
    leaves a bias even as :math:`\eta\to0`.
    Cost: a score and a Hessian a step, and :math:`O(d^3)` for each particle; adjusted also a density, and one more of each at
    the start.

    Departures: :math:`\Gamma=\operatorname{div}P` is left out, which needs third derivatives; hence "simplified". The
    papers take the Fisher information or a Hessian that is positive definite by a prior: here the Hessian is made so by
    dropping its negative eigenvalues and adding :math:`\rho`. Where p(y) is 0 or not a number the particle stays, and nothing
    else is asked for there.

    >>> import secondorder as so
    >>> law = so.problems.gaussian_mixture(means=[[0.0, 0.0]], covariances=[[[1.0, 0.0], [0.0, 1e-4]]])
    >>> history = so.sample(law, "newton_langevin", [[9.0, 9.0]] * 4000, steps=30, step_size=0.3, damping=1e-3)
    >>> (history.x.std(axis=0) / [1.0, 0.01]).round(1)                 # 1 / sqrt(1 - 0.15), in both directions
    array([1.1, 1.1])
    """
    if integrator == "exponential" and step_size >= 2.0:
        raise ValueError(f"step_size must be below 2 with the integrator 'exponential'; got {step_size!r}")
    variance = 2.0 * step_size if integrator == "euler" else step_size * (2.0 - step_size)
    xp = namespace(x)

    def local(x: Array) -> tuple[Array, Array, Array]:
        """The drift at each particle, and eigenvalues and eigenvectors of P⁻¹."""
        score = problem.score(x, sigma=sigma)
        precision, axes = damped_eigen(problem.score_hessian(x, sigma=sigma), damping)
        return along(axes, 1.0 / precision, score), precision, axes

    def log_q(y: Array, x: Array, drift: Array, precision: Array, axes: Array) -> Array:
        """log q(y | x), up to a constant."""
        whitened = along(axes, precision**0.5, y - x - step_size * drift)
        return 0.5 * xp.sum(xp.log(precision) - whitened**2 / variance, axis=1)

    yield Iterate(x, sigma=sigma)
    drift, precision, axes = local(x)
    log_density = known(problem.log_density(x, sigma=sigma)) if metropolis else None
    while True:
        y = x + step_size * drift + math.sqrt(variance) * along(axes, precision**-0.5, standard_normal(rng, x))
        if not metropolis:
            x = y
            yield Iterate(x, sigma=sigma, drift=drift)
            drift, precision, axes = local(x)
            continue
        log_density_y = problem.log_density(y, sigma=sigma)
        possible = log_density_y > -math.inf  # elsewhere there need not be a score, and x is kept
        here, there = (drift, precision, axes), local(xp.where(possible[:, None], y, x))
        log_ratio = log_density_y - log_density + log_q(x, y, *there) - log_q(y, x, *here)
        moved = accept(log_ratio, rng)
        x, log_density, *here = chosen(moved, (y, log_density_y, *there), (x, log_density, *here))  # type: ignore[assignment]
        yield Iterate(x, sigma=sigma, drift=drift, acceptance=float(xp.mean(xp.astype(moved, x.dtype))))
        drift, precision, axes = here
