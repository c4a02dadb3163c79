"""Polytopes: their vertices are the atoms that away and pairwise steps move weight between."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace, to_numpy
from secondorder.sets.feasible_set import FeasibleSet, dimension, size


class Simplex(FeasibleSet):
    r"""The simplex :math:`\{x\ge0,\ \sum_ix_i=r\}`, or the solid one with :math:`\sum_ix_i\le r`.

    .. math:: \mathrm{lmo}(g)=r\,e_i,\quad i=\arg\min_jg_j\qquad(\text{solid: }0\text{ if }\min_jg_j\ge0)

    Parameters
    ----------
    d : int ≥ 1
    radius : float > 0, default 1
    solid : bool, default False
        Whether the origin belongs to it too.

    The projection takes a sort, :math:`O(d\log d)`; the atoms of x are its positive coordinates (and the origin).

    >>> triangle = Simplex(3)
    >>> triangle.lmo(np.asarray([0.5, -1.0, 2.0])), triangle.project(np.asarray([1.0, 0.5, -1.0]))
    (array([0., 1., 0.]), array([0.75, 0.25, 0.  ]))
    """

    polytope = True

    def __init__(self, d: int, radius: float = 1.0, solid: bool = False) -> None:
        self.d, self.radius, self.solid = dimension("d", d), size("radius", radius), bool(solid)
        self.start = np.full(self.d, self.radius / (self.d + self.solid))
        self.diameter = self.radius * (math.sqrt(2.0) if self.d > 1 else float(self.solid))

    def lmo(self, grad: Array) -> Array:
        xp = namespace(grad)
        i = xp.argmin(grad)
        length = 0.0 if self.solid and float(grad[i]) >= 0.0 else self.radius
        return xp.where(xp.arange(self.d) == i, xp.asarray(length, dtype=grad.dtype), 0.0 * grad)

    def project(self, x: Array) -> Array:
        xp = namespace(x)
        inside = xp.clip(x, 0.0, None)
        if self.solid and float(xp.sum(inside)) <= self.radius:
            return inside
        falling = xp.flip(xp.sort(x))
        shifts = (xp.cumulative_sum(falling) - self.radius) / xp.astype(xp.arange(1, self.d + 1), x.dtype)
        return xp.clip(x - xp.max(shifts), 0.0, None)

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        excess = float(xp.sum(x)) - self.radius
        return max(0.0, -float(xp.min(x)), excess if self.solid else abs(excess))

    def decompose(self, x: Array) -> tuple[Array, Array]:
        atoms, weights = np.eye(self.d) * self.radius, to_numpy(x) / self.radius
        if self.solid:
            atoms, weights = np.vstack([atoms, np.zeros(self.d)]), np.append(weights, 1.0 - weights.sum())
        return convex_combination(atoms, weights, x)

    def vertices(self) -> Array:
        corners = np.eye(self.d) * self.radius
        return np.vstack([corners, np.zeros(self.d)]) if self.solid else corners


class Hull(FeasibleSet):
    r"""The convex hull of given points, one a row: any polytope that is small enough to list.

    .. math:: \mathrm{lmo}(g)=v_i,\quad i=\arg\min_j\langle g,v_j\rangle

    Parameters
    ----------
    points : array (k, d)

    >>> Hull([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]).lmo(np.asarray([1.0, -1.0]))
    array([0., 2.])
    """

    polytope = True

    def __init__(self, points: Any) -> None:
        self.points = np.asarray(points, dtype=float)
        if self.points.ndim != 2 or not self.points.size or not np.all(np.isfinite(self.points)):
            raise ValueError(f"points must be a finite array of shape (k, d); got {points!r}")
        self.d = self.points.shape[1]
        self.start = self.points.mean(axis=0)
        self.diameter = float(np.sqrt(((self.points[:, None] - self.points[None]) ** 2).sum(axis=2).max()))

    def lmo(self, grad: Array) -> Array:
        xp = namespace(grad)
        return self.points[int(xp.argmin(self.points @ grad)), ...]

    def violation(self, x: Array) -> float:
        return float(np.max(np.abs(self._weights(x) @ to_numpy(self.points) - to_numpy(x))))

    def decompose(self, x: Array) -> tuple[Array, Array]:
        return convex_combination(to_numpy(self.points), self._weights(x), x)

    def vertices(self) -> Array:
        return self.points

    def _weights(self, x: Array) -> np.ndarray:
        """The convex weights that come nearest to x, by linear programming in the largest deviation."""
        from scipy.optimize import linprog

        P, x = to_numpy(self.points).astype(float).T, to_numpy(x).astype(float)
        d, k = P.shape
        rows = np.hstack([np.vstack([P, -P]), -np.ones((2 * d, 1))])
        equal = np.append(np.ones(k), 0.0)[None]
        found = linprog(np.append(np.zeros(k), 1.0), rows, np.concatenate([x, -x]), equal, [1.0])
        weights = np.clip(found.x[:k], 0.0, None)
        return weights / weights.sum()


def convex_combination(atoms: np.ndarray, weights: np.ndarray, like: Array) -> tuple[Array, Array]:
    """The atoms of positive weight, in the array library and precision of ``like``; the weights add up to 1."""
    xp = namespace(like)
    keep = weights > 0.0
    kept = weights[keep] / weights[keep].sum()
    return xp.asarray(atoms[keep], dtype=like.dtype), xp.asarray(kept, dtype=like.dtype)
