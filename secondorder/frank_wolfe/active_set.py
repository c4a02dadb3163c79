"""A point as a convex combination of vertices, for methods that can take weight from one."""

from __future__ import annotations

from typing import NamedTuple

from secondorder.arrays import Array, epsilon, namespace
from secondorder.ledger import Ledger


class ActiveSet(NamedTuple):
    r"""Atoms (k, d) and their weights (k,): :math:`x=\sum_iw_is_i` with :math:`w_i>0` and :math:`\sum_iw_i=1`."""

    atoms: Array
    weights: Array

    @classmethod
    def of(cls, problem: Ledger, x: Array) -> ActiveSet:
        """The decomposition of x that its set offers; without one, x is the first atom."""
        decompose = getattr(problem.constraint, "decompose", None)
        return cls(x[None, :], namespace(x).ones_like(x[:1])) if decompose is None else cls(*decompose(x))

    def point(self) -> Array:
        return self.weights @ self.atoms

    def including(self, vertex: Array) -> tuple[ActiveSet, int]:
        """The set with the vertex in it, with weight 0 if it is new, and where it stands."""
        xp = namespace(vertex)
        found = xp.nonzero(xp.all(self.atoms == vertex[None, :], axis=1))[0]
        if found.shape[0]:
            return self, int(found[0])
        weights = xp.concat([self.weights, xp.zeros_like(self.weights[:1])])
        return ActiveSet(xp.concat([self.atoms, vertex[None, :]]), weights), self.weights.shape[0]

    def towards(self, i: int, step_size: float) -> ActiveSet:
        r"""After :math:`x\leftarrow x+\gamma(s_i-x)`; a negative :math:`\gamma` leads away from the atom."""
        xp = namespace(self.weights)
        one = xp.astype(xp.arange(self.weights.shape[0]) == i, self.weights.dtype)
        return self._cleared((1.0 - step_size) * self.weights + step_size * one)

    def without(self, i: int) -> ActiveSet:
        r"""After the longest step away from an atom, :math:`\gamma_{\max}=\frac{w_i}{1-w_i}`: the others grow in proportion."""
        xp = namespace(self.weights)
        return self._cleared(xp.where(xp.arange(self.weights.shape[0]) == i, 0.0 * self.weights, self.weights))

    def shifted(self, away: int, i: int, step_size: float) -> ActiveSet:
        r"""After :math:`x\leftarrow x+\gamma(s_i-s_{\rm away})`."""
        xp = namespace(self.weights)
        index = xp.arange(self.weights.shape[0])
        change = xp.astype(index == i, self.weights.dtype) - xp.astype(index == away, self.weights.dtype)
        return self._cleared(self.weights + step_size * change)

    def _cleared(self, weights: Array) -> ActiveSet:
        """Without the atoms whose weight is rounding; the rest adds up to 1."""
        xp = namespace(weights)
        keep = xp.nonzero(weights > 2.0 * epsilon(weights))[0]
        if keep.shape[0] == weights.shape[0]:
            return ActiveSet(self.atoms, weights / xp.sum(weights))
        weights = xp.take(weights, keep)
        return ActiveSet(xp.take(self.atoms, keep, axis=0), weights / xp.sum(weights))
