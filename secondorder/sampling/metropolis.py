"""The Metropolis–Hastings test, for many chains at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from secondorder.arrays import Array, namespace


def accept(log_ratio: Array, rng: np.random.Generator) -> Array:
    """For each chain whether it moves, shape (n,): with probability min(1, exp(log_ratio)); never where that is NaN.

    >>> accept(np.asarray([0.0, 5.0, -np.inf, np.nan]), np.random.default_rng(0))
    array([ True,  True, False, False])
    """
    xp = namespace(log_ratio)
    uniform = xp.asarray(1.0 - rng.random(log_ratio.shape[0]), dtype=log_ratio.dtype)  # never 0
    return xp.log(uniform) <= log_ratio


def known(log_density: Array) -> Array:
    """Where it is not a number, -inf: a chain that starts there moves to the first proposal that has a density.

    >>> known(np.asarray([0.5, np.nan]))
    array([ 0.5, -inf])
    """
    xp = namespace(log_density)
    return xp.where(xp.isnan(log_density), xp.full_like(log_density, -math.inf), log_density)


def chosen(moved: Array, new: Sequence[Array], old: Sequence[Array]) -> tuple[Array, ...]:
    """Of each pair of arrays (n, ...) the new rows where a chain moved and the old ones elsewhere."""
    xp = namespace(moved)

    def pick(a: Array, b: Array) -> Array:
        return xp.where(xp.reshape(moved, (-1,) + (1,) * (a.ndim - 1)), a, b)

    return tuple(pick(a, b) for a, b in zip(new, old, strict=True))
