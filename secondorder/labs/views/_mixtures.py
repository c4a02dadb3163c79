"""The laws of the chapters on sampling: their score is exact at every noise level."""

from __future__ import annotations

from functools import cache

import numpy as np

from secondorder.problems.gaussian_mixture import GaussianMixture, gaussian_mixture


@cache
def plane() -> GaussianMixture:
    """Three separated components in the plane."""
    return gaussian_mixture()


@cache
def sixteen() -> GaussianMixture:
    """Four components of equal weight in sixteen dimensions, each stretched in directions of its own."""
    rng, d, K = np.random.default_rng(3), 16, 4
    means = 2.0 * rng.standard_normal((K, d))
    roots = 0.15 * rng.standard_normal((K, d, d))
    return gaussian_mixture(means=means, covariances=roots @ roots.transpose(0, 2, 1) + 0.02 * np.eye(d))


@cache
def stretched(d: int = 16, least: float = 1e-3) -> GaussianMixture:
    """One Gaussian around 0 with variances from ``least`` to 1, evenly spaced in their logarithm."""
    return gaussian_mixture(means=np.zeros((1, d)), covariances=np.diag(np.geomspace(least, 1.0, d))[None, :, :])
