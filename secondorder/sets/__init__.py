"""Feasible sets: compact convex sets with a linear minimisation oracle, and where it is at hand a projection.

>>> import secondorder as so
>>> problem = so.problems.quadratic([1.0, 4.0]).subject_to(so.sets.Simplex(2))
>>> so.minimize(problem, "away_step").x.round(4)
array([0.8, 0.2])

Three of them are intersections with an oracle in closed form: :class:`CappedSimplex` (simplex and box), :class:`KSparse`
(an ℓ1 ball and a cube), :class:`NonnegativeL2Ball` (ball and orthant).
"""

from secondorder.sets.balls import L2Ball, LpBall, NonnegativeL2Ball
from secondorder.sets.feasible_set import FeasibleSet
from secondorder.sets.matrices import NuclearBall, Spectrahedron
from secondorder.sets.polytopes import Birkhoff, Box, CappedSimplex, Hull, KSparse, L1Ball, LinfBall, Simplex

__all__ = [
    "Birkhoff",
    "Box",
    "CappedSimplex",
    "FeasibleSet",
    "Hull",
    "KSparse",
    "L1Ball",
    "L2Ball",
    "LinfBall",
    "LpBall",
    "NonnegativeL2Ball",
    "NuclearBall",
    "Simplex",
    "Spectrahedron",
]
