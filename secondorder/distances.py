"""How far a cloud of particles is from a law: distances between samples, and how large they are by chance.

A distance between finite samples is never 0. :func:`floor` is what two exact samples of the same size have between them: read
every distance against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder.arrays import Array, to_numpy
from secondorder.checks import whole
from secondorder.oracles import Problem, cloud

SEED = 0
"""Of the directions and the reference samples, when none is given."""


def sliced_wasserstein(X: Array, Y: Array, directions: int = 64, seed: int = SEED) -> float:
    r"""The sliced Wasserstein-2 distance :cite:`bonneel2015sliced`: in random directions u, between the projections.

    .. math:: \Big(\frac1m\sum_u\int_0^1\big(F_{Xu}^{-1}(q)-F_{Yu}^{-1}(q)\big)^2dq\Big)^{1/2}

    Parameters
    ----------
    X, Y : array (n, d) and (m, d)
        For n = m the quantile functions differ by sorting.
    directions : int, default 64
        How many, uniform on the sphere and the same for the same seed; in one dimension a single one.
    seed : int, default 0

    >>> round(sliced_wasserstein(np.zeros((4, 1)), np.full((4, 1), 3.0)), 12)
    3.0
    """
    X, Y = _pair(X, Y)
    d = X.shape[1]
    U = np.random.default_rng(seed).standard_normal((d, whole("directions", directions) if d > 1 else 1))
    U /= np.linalg.norm(U, axis=0)
    A, B = np.sort(X @ U, axis=0), np.sort(Y @ U, axis=0)
    if len(A) != len(B):
        at = (np.arange(max(len(A), len(B))) + 0.5) / max(len(A), len(B))
        A, B = (np.quantile(C, at, axis=0, method="inverted_cdf") for C in (A, B))
    return float(np.sqrt(np.mean((A - B) ** 2)))


def energy_distance(X: Array, Y: Array) -> float:
    r"""The energy distance :cite:`szekely2013energy`: :math:`2E\|X-Y\|-E\|X-X'\|-E\|Y-Y'\|\ge0`, unbiased, so that it may
    be a little below 0.

    >>> energy_distance(np.asarray([[0.0], [0.0]]), np.asarray([[3.0], [3.0]]))
    6.0
    """
    X, Y = _pair(X, Y)
    return 2.0 * _across(X, Y, _distance) - _within(X, _distance) - _within(Y, _distance)


def maximum_mean_discrepancy(X: Array, Y: Array, bandwidth: float | None = None) -> float:
    r"""The squared maximum mean discrepancy for a Gaussian kernel :cite:`gretton2012kernel`, lemma 6: unbiased.

    Parameters
    ----------
    X, Y : array (n, d) and (m, d)
    bandwidth : float > 0, optional
        b of :math:`k(x,y)=\exp(-\|x-y\|^2/2b^2)`; by default the median distance within Y, the reference.

    >>> X = np.random.default_rng(0).standard_normal((300, 2))
    >>> round(maximum_mean_discrepancy(X[:150], X[150:]), 2), round(maximum_mean_discrepancy(X[:150], X[150:] + 9.0), 2)
    (0.0, 1.13)
    """
    X, Y = _pair(X, Y)
    if bandwidth is None:
        distances = _distance(Y, Y)
        bandwidth = float(np.median(distances[np.triu_indices(len(Y), 1)])) or 1.0

    def kernel(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * (_distance(A, B) / bandwidth) ** 2)

    return _within(X, kernel) + _within(Y, kernel) - 2.0 * _across(X, Y, kernel)


def mode_divergence(law: Any, X: Array) -> float:
    r"""How far the shares of a mixture's components are off: :math:`\mathrm{KL}(w\,\|\,\hat w)`, each particle counted for the
    component of largest responsibility. Infinite if a component has none.

    >>> from secondorder.problems import gaussian_mixture
    >>> mixture = gaussian_mixture()
    >>> mode_divergence(mixture, mixture.sample(4000, np.random.default_rng(0))) < 1e-3
    True
    """
    responsible = np.argmax(to_numpy(law.responsibilities(X)), axis=1)
    w = to_numpy(law.weights).astype(float)
    share = np.bincount(responsible, minlength=len(w)) / len(responsible)
    with np.errstate(divide="ignore"):
        return float(np.sum(w[w > 0] * np.log(w[w > 0] / share[w > 0])))


def coupled_rmse(X: Array, reference: Array) -> float:
    """The root mean square distance between rows that started from the same point: for deterministic samplers.

    >>> coupled_rmse(np.zeros((2, 2)), np.asarray([[3.0, 4.0], [0.0, 0.0]])) == 12.5**0.5
    True
    """
    return float(np.sqrt(np.mean(_row_errors(X, reference) ** 2)))


def median_row_error(X: Array, reference: Array) -> float:
    """The median distance between rows that started from the same point.

    On a mixture some rows change basin when the steps change; they carry the mean, and the median shows the order.

    >>> median_row_error(np.zeros((3, 1)), np.asarray([[1.0], [2.0], [100.0]]))
    2.0
    """
    return float(np.median(_row_errors(X, reference)))


def floor(
    distance: Callable[[Array, Array], float],
    law: Any,
    n: int,
    *,
    alpha: float = 1.0,
    sigma: float = 0.0,
    repeats: int = 5,
    seed: int = SEED,
) -> float:
    """The mean ``distance`` between two independent exact samples of n points: what chance alone makes of it.

    Parameters
    ----------
    distance : function of two clouds
    law : Problem with ``sample``
        Such as :func:`secondorder.problems.gaussian_mixture`; drawn with fixed counts.
    n : int
    alpha, sigma : float, default 1 and 0
        The noise level.
    repeats : int, default 5
        Pairs to average over.
    seed : int, default 0

    >>> from secondorder.problems import gaussian_mixture
    >>> 0.01 < floor(sliced_wasserstein, gaussian_mixture(), 4000) < 0.05
    True
    """
    rng = np.random.default_rng(seed)
    pairs = 2 * whole("repeats", repeats)
    draws = [law.sample(n, rng, alpha=alpha, sigma=sigma, fixed_counts=True) for _ in range(pairs)]
    return float(np.mean([distance(X, Y) for X, Y in zip(draws[::2], draws[1::2], strict=True)]))


def quality(law: Problem, X: Array, alpha: float = 1.0, sigma: float = 0.0) -> dict[str, float]:
    """What ``History.optimality`` says of particles at a noise level: sliced Wasserstein and energy distance to as many
    exact draws, the first also between two exact samples (``_floor``); and the mean log-density. Whatever the law offers.

    >>> from secondorder.problems import gaussian_mixture
    >>> mixture = gaussian_mixture()
    >>> found = quality(mixture, mixture.sample(500, np.random.default_rng(1)))
    >>> list(found)
    ['sliced_wasserstein', 'sliced_wasserstein_floor', 'energy_distance', 'mean_log_density']
    """
    found: dict[str, float] = {}
    draw = getattr(law, "sample", None)
    if draw is not None:
        Y = draw(len(X), np.random.default_rng(SEED), alpha=alpha, sigma=sigma, fixed_counts=True)
        found["sliced_wasserstein"] = sliced_wasserstein(X, Y)
        found["sliced_wasserstein_floor"] = floor(
            sliced_wasserstein, law, len(X), alpha=alpha, sigma=sigma, seed=SEED + 1
        )
        found["energy_distance"] = energy_distance(X, Y)
    if law.log_density is not None:
        found["mean_log_density"] = float(np.mean(to_numpy(law.log_density(X, alpha=alpha, sigma=sigma))))
    return found


def _pair(X: Any, Y: Any) -> tuple[np.ndarray, np.ndarray]:
    X = to_numpy(cloud(X)).astype(float)
    return X, to_numpy(cloud(Y, X.shape[1])).astype(float)


def _row_errors(X: Array, reference: Array) -> np.ndarray:
    X, Y = _pair(X, reference)
    if len(X) != len(Y):
        raise ValueError(f"the two clouds must have as many rows; got {len(X)} and {len(Y)}")
    return np.linalg.norm(X - Y, axis=1)


def _distance(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(X, Y)


def _across(X: np.ndarray, Y: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    return float(np.mean(kernel(X, Y)))


def _within(X: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    """The mean over pairs of different points."""
    if len(X) < 2:
        raise ValueError("a cloud needs at least two particles for a distance")
    K = kernel(X, X)
    return float((np.sum(K) - np.trace(K)) / (len(X) * (len(X) - 1)))
