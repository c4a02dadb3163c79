"""What every feasible set offers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from secondorder.arrays import Array, epsilon, norm


class FeasibleSet(ABC):
    r"""A compact convex set in :math:`\mathbb R^d`, as Frank–Wolfe methods see it: through its linear minimisation oracle.

    ``d`` is the dimension, ``start`` a point of the set, ``diameter`` the largest Euclidean distance of two of its
    points. Optional parts are None where a set has none: ``project(x)``, the nearest point; ``decompose(x)``, the atoms
    (k, d) and weights (k,) of x as a convex combination of vertices; ``vertices()``, all of them as rows, where they
    are few enough to list. ``polytope`` says whether there are finitely many.
    """

    d: int
    start: Array
    diameter: float
    polytope = False
    project: Any = None
    decompose: Any = None
    vertices: Any = None

    @abstractmethod
    def lmo(self, grad: Array) -> Array:
        r"""A point v of the set, a vertex of a polytope, with the least :math:`\langle\nabla f,v\rangle`."""

    @abstractmethod
    def violation(self, x: Array) -> float:
        """How far outside the constraints x lies: the largest amount by which one is broken, 0 inside."""

    def contains(self, x: Array) -> bool:
        """Whether x is in the set, up to the rounding of x and the square root of the rounding unit of the diameter."""
        return self.violation(x) <= math.sqrt(epsilon(x)) * self.diameter + 64.0 * epsilon(x) * norm(x)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.d})"


def table(name: str, value: Any, shape: tuple[str, ...]) -> np.ndarray:
    """``value`` as a new array of finite numbers of that shape, nowhere empty, or an error that names it."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != len(shape) or not array.size or not np.all(np.isfinite(array)):
        axes = f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(shape)})"
        raise ValueError(f"{name} must be a finite array of shape {axes}; got {value!r}")
    return array
