"""Feasible sets: compact convex sets with a linear minimisation oracle, and where it is at hand a projection.

>>> import secondorder as so
>>> problem = so.problems.quadratic([1.0, 4.0]).subject_to(so.sets.Simplex(2))
>>> so.minimize(problem, "away_step").x.round(4)
array([0.8, 0.2])
"""

from secondorder.sets.feasible_set import FeasibleSet
from secondorder.sets.polytopes import Hull, Simplex

__all__ = ["FeasibleSet", "Hull", "Simplex"]
