"""The portfolio of least variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from secondorder.arrays import Array, is_sparse
from secondorder.checks import whole
from secondorder.oracles import Problem
from secondorder.problems.data import matrix
from secondorder.sets.feasible_set import FeasibleSet
from secondorder.sets.polytopes import CappedSimplex, Simplex


class MinimumVariance(Problem):
    """Made by :func:`minimum_variance`. ``covariance`` (d, d) and ``lipschitz_grad``."""

    def __init__(self, covariance: Array, constraint: FeasibleSet) -> None:
        super().__init__(constraint=constraint, name="minimum_variance", fresh=True)
        self.covariance = covariance
        self.lipschitz_grad = float(np.linalg.norm(covariance, 2))

    def f(self, x: Array) -> Array:
        return 0.5 * (x @ (self.covariance @ x))

    def grad(self, x: Array) -> Array:
        return self.covariance @ x

    def hess(self, x: Array) -> Array:
        return +self.covariance

    def hvp(self, x: Array, v: Array) -> Array:
        return self.covariance @ v


def minimum_variance(
    returns: Any = None, *, d: int = 40, factors: int = 4, cap: float | None = None, seed: int = 0
) -> MinimumVariance:
    r"""The portfolio of d assets whose return varies least :cite:`markowitz1952portfolio`.

    .. math:: \min_{x\ge0,\ \sum_ix_i=1}\ f(x)=\tfrac12x^\top\Sigma x,\qquad \nabla f=\Sigma x,\qquad\nabla^2f=\Sigma

    x holds the fractions of the capital, from equal ones. At the solution all assets that are held, short of the cap, have
    the same covariance :math:`(\Sigma x)_i` with the portfolio, and none outside has less: about half of those drawn are
    not held at all.

    Parameters
    ----------
    returns : array (n, d), optional
        Your own returns, a period a row, of which :math:`\Sigma` is the sample covariance. By default it is drawn as
        :math:`\Sigma=B\,B^\top+\mathrm{diag}(\sigma^2)`, per year: the first factor is a market of 16 % volatility, to which
        assets are exposed 0.5 to 1.5 times, the others are sectors of 8 %; the volatilities :math:`\sigma` of their own
        range from 15 to 40 %.
    d : int ≥ 1, default 40
        Assets drawn.
    factors : int ≥ 1, default 4
        Factors drawn, with the market.
    cap : float, optional
        No asset gets a larger fraction, at least 1/d.
    seed : int, default 0

    Returns
    -------
    MinimumVariance
        With ``covariance`` and its largest eigenvalue ``lipschitz_grad``.

    >>> import secondorder as so
    >>> problem = so.problems.minimum_variance()
    >>> history = so.minimize(problem, "away_step", tol=1e-10)
    >>> int(np.sum(history.x > 1e-9)), round(float(2.0 * history.f[-1]) ** 0.5, 3)
    (21, 0.142)
    """
    if returns is None:
        d, factors, rng = whole("d", d), whole("factors", factors), np.random.default_rng(seed)
        market, sectors = 0.16 * rng.uniform(0.5, 1.5, (d, 1)), 0.08 * rng.standard_normal((d, factors - 1))
        B = np.hstack([market, sectors])
        covariance = B @ B.T + np.diag(rng.uniform(0.15, 0.4, d) ** 2)
    else:
        returns = matrix(returns, "returns")
        returns = np.asarray(returns.toarray() if is_sparse(returns) else returns, dtype=float)
        if returns.shape[0] < 2:
            raise ValueError(f"returns must have at least 2 rows, a period each; got shape {returns.shape}")
        with np.errstate(over="ignore", invalid="ignore"):
            covariance = np.atleast_2d(np.cov(returns, rowvar=False))
        if not np.all(np.isfinite(covariance)):
            raise ValueError("returns are too large: their covariance is not finite")
    d = covariance.shape[0]
    return MinimumVariance(covariance, Simplex(d) if cap is None else CappedSimplex(d, cap))
