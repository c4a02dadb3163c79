"""How far a cloud of particles is from a law: distances between samples, and how large they are by chance.

A distance between finite samples is never 0. :func:`floor` is what two exact samples of the same size have between them: read
every distance against it.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder.arrays import Array, to_numpy
from secondorder.checks import size, whole
from secondorder.oracles import Problem, cloud

SEED = 0
"""Of the directions and the reference samples, when none is given."""
MANY, MOST = 2000, 10_000
"""Points of which all pairs are looked at where that was not asked for; and those of which all projections are."""
BLOCK = 2**22
"""Pairs that are held at a time."""


def sliced_wasserstein(X: Array, Y: Array, directions: int = 64, seed: int = SEED) -> float:
    r"""The sliced Wasserstein-2 distance :cite:`bonneel2015sliced`: in random directions u, between the projections.

    .. math:: \Big(\frac1m\sum_u\int_0^1\big(F_{Xu}^{-1}(q)-F_{Yu}^{-1}(q)\big)^2dq\Big)^{1/2}

    Parameters
    ----------
    X, Y : array (n, d) and (m, d)
        As many points each or not.
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
    if len(A) == len(B):
        return float(np.sqrt(np.mean((A - B) ** 2)))
    cuts = np.union1d(
        *(np.arange(len(C) + 1) / len(C) for C in (A, B))
    )  # between them both quantile functions are constant
    A, B = (C[(0.5 * (cuts[1:] + cuts[:-1]) * len(C)).astype(int)] for C in (A, B))
    return float(np.sqrt(np.mean(np.diff(cuts) @ (A - B) ** 2)))


def energy_distance(X: Array, Y: Array) -> float:
    r"""The energy distance :cite:`szekely2013energy`: :math:`2E\|X-Y\|-E\|X-X'\|-E\|Y-Y'\|\ge0`, unbiased, so that it may
    be a little below 0.

    >>> energy_distance(np.asarray([[0.0], [0.0]]), np.asarray([[3.0], [3.0]]))
    6.0
    """
    X, Y = _pair(X, Y, least=2)
    return 2.0 * _across(X, Y, _distance) - _within(X, _distance) - _within(Y, _distance)


def maximum_mean_discrepancy(X: Array, Y: Array, bandwidth: float | None = None) -> float:
    r"""The squared maximum mean discrepancy for a Gaussian kernel :cite:`gretton2012kernel`, lemma 6: unbiased.

    Parameters
    ----------
    X, Y : array (n, d) and (m, d)
    bandwidth : float > 0, optional
        b of :math:`k(x,y)=\exp(-\|x-y\|^2/2b^2)`; by default the median distance within Y, the reference
        (its first 2000 points).

    >>> X = np.random.default_rng(0).standard_normal((300, 2))
    >>> round(maximum_mean_discrepancy(X[:150], X[150:]), 2), round(maximum_mean_discrepancy(X[:150], X[150:] + 9.0), 2)
    (0.0, 1.13)
    """
    X, Y = _pair(X, Y, least=2)
    if bandwidth is None:
        some = Y[:MANY]
        bandwidth = float(np.median(_distance(some, some)[np.triu_indices(len(some), 1)])) or 1.0
    elif size("bandwidth", bandwidth):
        bandwidth = float(bandwidth)

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
    if not hasattr(law, "responsibilities"):
        raise TypeError(f"law must be a mixture, as problems.gaussian_mixture gives; got {law!r}")
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
    law : Problem with ``sample(n, rng, alpha=, sigma=)``
        Such as :func:`secondorder.problems.gaussian_mixture`, which is drawn with fixed counts.
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
    clouds = [draws(law, n, rng, alpha, sigma) for _ in range(pairs)]
    if clouds[0] is None:
        raise ValueError(f"law must have sample(n, rng, alpha=, sigma=) for its floor; got {law!r}")
    return float(np.mean([distance(X, Y) for X, Y in zip(clouds[::2], clouds[1::2], strict=True)]))


def draws(law: Any, n: int, rng: np.random.Generator, alpha: float = 1.0, sigma: float = 0.0) -> Array | None:
    """Exact draws (n, d) of a law at a noise level, with fixed counts where it has them; None where it cannot be drawn.

    >>> draws(Problem(score=lambda X, alpha, sigma: -X), 3, np.random.default_rng(0)) is None
    True
    """
    sample = getattr(law, "sample", None)
    for fixed in ({"fixed_counts": True}, {}):
        try:
            inspect.signature(sample).bind(n, rng, alpha=alpha, sigma=sigma, **fixed)  # type: ignore[arg-type]
        except TypeError:
            continue
        return sample(n, rng, alpha=alpha, sigma=sigma, **fixed)  # type: ignore[misc]
    return None


def quality(law: Problem, X: Array, alpha: float = 1.0, sigma: float = 0.0) -> dict[str, float]:
    """What ``History.optimality`` says of particles at a noise level: sliced Wasserstein and energy distance to as many
    exact draws, the first also between two exact samples (``_floor``); and the mean log-density. Whatever the law offers: one
    without noise and with a singular covariance has no density. Of more than 10 000 particles so many at random are looked at,
    for the energy distance 2000.

    >>> from secondorder.problems import gaussian_mixture
    >>> mixture = gaussian_mixture()
    >>> found = quality(mixture, mixture.sample(500, np.random.default_rng(1)))
    >>> list(found)
    ['sliced_wasserstein', 'sliced_wasserstein_floor', 'energy_distance', 'mean_log_density']
    """
    found: dict[str, float] = {}
    n = min(X.shape[0], MOST)
    Y = draws(law, n, np.random.default_rng(SEED), alpha, sigma)
    if Y is not None:
        some = np.random.default_rng(SEED).permutation(X.shape[0])[:n]
        A, B = to_numpy(X)[some], to_numpy(Y)
        found["sliced_wasserstein"] = sliced_wasserstein(A, B)
        found["sliced_wasserstein_floor"] = floor(sliced_wasserstein, law, n, alpha=alpha, sigma=sigma, seed=SEED + 1)
        if n > 1:
            found["energy_distance"] = energy_distance(A[:MANY], B[:MANY])
    if law.log_density is not None:
        with contextlib.suppress(ValueError):
            found["mean_log_density"] = float(np.mean(to_numpy(law.log_density(X, alpha=alpha, sigma=sigma))))
    return found


def _pair(X: Any, Y: Any, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    X = to_numpy(cloud(X)).astype(float)
    Y = to_numpy(cloud(Y, X.shape[1])).astype(float)
    if min(len(X), len(Y)) < least:
        raise ValueError(f"a cloud needs at least {least} particles for this distance; got {len(X)} and {len(Y)}")
    return X, Y


def _row_errors(X: Array, reference: Array) -> np.ndarray:
    X, Y = _pair(X, reference)
    if len(X) != len(Y):
        raise ValueError(f"the two clouds must have as many rows; got {len(X)} and {len(Y)}")
    return np.linalg.norm(X - Y, axis=1)


def _distance(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(X, Y)


def _across(X: np.ndarray, Y: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    rows = max(1, BLOCK // len(Y))
    return float(sum(np.sum(kernel(X[i : i + rows], Y)) for i in range(0, len(X), rows)) / (len(X) * len(Y)))


def _within(X: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    """The mean over pairs of different points."""
    n, itself = len(X), float(kernel(X[:1], X[:1])[0, 0])
    return (n * _across(X, X, kernel) - itself) / (n - 1)
