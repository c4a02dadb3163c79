"""How far to go along a feasible direction: the short step, with a constant given or adapted, and the exact search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from secondorder.arrays import Array, epsilon, norm
from secondorder.ledger import Ledger
from secondorder.linalg import rounding

SHRINK, GROW = 0.9, 2.0
"""What the constant is multiplied with after a step and after a refused trial (:cite:`pedregosa2020linearly`)."""
TRIALS = 100
"""A search gives up after as many."""


def asked(hyper: Mapping[str, Any]) -> tuple[str, ...]:
    """The oracles of a method with a :class:`Search`: only backtracking looks at values."""
    backtracks = hyper["step_rule"] == "short" and hyper["lipschitz"] is None
    return ("f", "grad", "lmo") if backtracks else ("grad", "lmo")


class Search:
    r"""A step size in :math:`[0,\gamma_{\max}]` along a direction of descent d with slope :math:`-G=\nabla f(x)^\top d`.

    The short step :math:`\min\{G/(L_1\|d\|^2),\gamma_{\max}\}` minimises the quadratic upper bound of f. Without a
    constant, L₁ is adapted by backtracking: it shrinks by 0.9, then doubles until
    :math:`f(x+\gamma d)\le f(x)-\gamma G+\tfrac{\gamma^2}2L_1\|d\|^2`; where that decrease is below the rounding of f,
    until the slope at the new point is not positive. The exact search finds the root of the slope, from below: it never
    goes past the minimiser of a convex f, nor out of its domain.

    ``f`` is the value at the current point, where a search has computed it; a call moves on to the next point.
    """

    def __init__(self, problem: Ledger, rule: Literal["short", "exact"], lipschitz: float | None) -> None:
        self.problem, self.rule = problem, rule
        self.lipschitz, self.adaptive = lipschitz, lipschitz is None
        self.f: float | None = None

    def __call__(self, x: Array, grad: Array, direction: Array, largest: float) -> tuple[float, dict[str, Any]]:
        """The step size, 0 where the direction makes no representable progress, and what there is to yield of it."""
        slope, square = -float(grad @ direction), float(direction @ direction)
        if not (slope > 0.0 and largest > 0.0):
            return 0.0, {}
        if self.rule == "exact":
            step_size, trials = self._root(x, direction, slope, largest)
            return step_size, {"step_size": step_size, "trials": trials}
        if self.lipschitz is not None and not self.adaptive:
            step_size = short_step(slope, self.lipschitz * square, largest)
            return step_size, {"step_size": step_size}
        return self._backtrack(x, grad, direction, slope, square, largest)

    def _backtrack(
        self, x: Array, grad: Array, direction: Array, slope: float, square: float, largest: float
    ) -> tuple[float, dict[str, Any]]:
        problem, f = self.problem, self.problem.f(x) if self.f is None else self.f
        if self.lipschitz is None:  # of a linear f any constant is one; this one lets the first step be the largest
            L = self._curvature(x, grad, direction) or slope / (largest * square)
        else:
            L = SHRINK * self.lipschitz
        for trials in range(1, TRIALS + 1):
            step_size = short_step(slope, L * square, largest)
            point = x + step_size * direction
            f_new = problem.f(point) if problem.domain(point) else math.inf
            promised = step_size * slope - 0.5 * step_size**2 * L * square
            allowance = rounding(f, f_new, epsilon(x)) if math.isfinite(f_new) else 0.0
            enough = f_new <= f - promised
            if promised <= allowance and f_new <= f + allowance:  # the values cannot tell; the slope can
                enough = float(problem.grad(point) @ direction) <= epsilon(x) * slope
            if enough:
                self.f, self.lipschitz = f_new, L
                return step_size, {"step_size": step_size, "lipschitz": L, "trials": trials}
            L *= GROW
        return 0.0, {}

    def _curvature(self, x: Array, grad: Array, direction: Array) -> float:
        """A first guess of L₁ from the gradients at two near points."""
        nudge = 1e-3
        while not self.problem.domain(x + nudge * direction) and nudge > 1e-12:
            nudge /= 2.0
        return norm(self.problem.grad(x + nudge * direction) - grad) / (nudge * norm(direction))

    def _root(self, x: Array, direction: Array, slope: float, largest: float) -> tuple[float, int]:
        from scipy.optimize import brentq

        slopes = {0.0: -slope}

        def at(step_size: float) -> float:
            if step_size not in slopes:
                point = x + step_size * direction
                inside = self.problem.domain(point)
                slopes[step_size] = float(self.problem.grad(point) @ direction) if inside else slope
            return slopes[step_size]

        if at(largest) > 0.0:
            brentq(at, 0.0, largest, xtol=1e-300, rtol=max(1e-12, 4.0 * epsilon(x)), maxiter=TRIALS, disp=False)
        return max(step_size for step_size, value in slopes.items() if value <= 0.0), len(slopes) - 1


def short_step(slope: float, curvature: float, largest: float) -> float:
    r"""The minimiser of :math:`-\gamma G+\frac{\gamma^2}2c` on :math:`[0,\gamma_{\max}]`, c being the curvature.

    >>> short_step(1.0, 4.0, 1.0), short_step(1.0, 0.0, 1.0)
    (0.25, 1.0)
    """
    return largest if slope >= largest * curvature else slope / curvature
