"""An inequality that a theorem proves, and the run that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from secondorder.history import History
from secondorder.measure import Estimate, measured_rate
from secondorder.oracles import Problem
from secondorder.run import minimize

Sides = Callable[[Problem, History], tuple[Any, Any]]

ALLOWANCE = 1e3 * np.finfo(float).eps
"""How far rounding may carry the left-hand side above the right-hand one, of the largest value it takes in the run."""

GUARANTEES: dict[str, Guarantee] = {}
"""Every guarantee by its name, in the order of the book."""


RATES: dict[str, Rate] = {}
"""Every rate by its name: what a theorem promises up to a constant that is not computed."""


class Verdict(NamedTuple):
    """The two sides of an inequality along a run, one entry for each step it speaks of."""

    history: History
    left: np.ndarray
    right: np.ndarray

    @property
    def rounding(self) -> float:
        """How far above the right-hand side the left-hand one may be."""
        return ALLOWANCE * max(1.0, float(np.max(np.abs(self.left), initial=0.0)))

    @property
    def tightness(self) -> np.ndarray:
        """left / right, at most 1 where the inequality holds; 0 where the left-hand side is rounding."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.abs(self.left) <= self.rounding, 0.0, self.left / self.right)

    @property
    def violations(self) -> np.ndarray:
        """The entries at which the left-hand side is above the right-hand one by more than rounding."""
        return np.flatnonzero(~(self.left <= self.right + self.rounding))


@dataclass(frozen=True)
class Guarantee:
    """A proven inequality for a method on a problem whose constants are known; made by :func:`guarantee`.

    ``statement`` is its LaTeX, ``source`` the BibTeX key of the paper whose theorem or proof it is, ``proof`` one of
    "theorem" (stated so in the source) and "here" (constants derived in the docstring of ``sides`` or in the chapter).
    """

    name: str
    method: str
    statement: str
    source: str
    proof: str
    problem: Callable[[], Problem]
    sides: Sides
    hyper: Callable[[Any], Mapping[str, Any]]
    steps: int
    keep: tuple[str, ...]
    tol: float

    def run(self, **hyper: Any) -> Verdict:
        """Run the method and evaluate both sides; other hyper-parameters than those of the theorem by name.

        >>> from secondorder import guarantees
        >>> verdict = guarantees.get("cubic_newton: values").run()
        >>> len(verdict.violations), bool(verdict.tightness.max() < 1.0)
        (0, True)
        """
        problem = self.problem()
        settings = {**self.hyper(problem), **hyper}
        history = minimize(problem, self.method, steps=self.steps, tol=self.tol, keep=self.keep, **settings)
        left, right = self.sides(problem, history)
        left, right = np.broadcast_arrays(np.asarray(left, dtype=float), np.asarray(right, dtype=float))
        if not len(left):
            raise ValueError(f"the run of {self.name!r} has no step to judge: it ended as {history.status!r}")
        return Verdict(history, left, right)


def guarantee(
    method: str,
    label: str,
    statement: str,
    *,
    source: str,
    problem: Callable[[], Problem],
    hyper: Callable[[Any], Mapping[str, Any]] = lambda problem: {},
    proof: str = "theorem",
    steps: int = 200,
    keep: tuple[str, ...] = (),
    tol: float = 1e-12,
) -> Callable[[Sides], Sides]:
    """Enter a function of problem and history, which answers both sides of an inequality, among the guarantees."""

    def enter(sides: Sides) -> Sides:
        name = f"{method}: {label}"
        if name in GUARANTEES:
            raise ValueError(f"there is a guarantee {name!r} already")
        GUARANTEES[name] = Guarantee(name, method, statement, source, proof, problem, sides, hyper, steps, keep, tol)
        return sides

    return enter


@dataclass(frozen=True)
class Rate:
    """An order of convergence, an error of :math:`O(k^{-p})`, measured on a run; made by :func:`rate`."""

    name: str
    method: str
    exponent: float
    statement: str
    source: str
    problem: Callable[[], Problem]
    errors: Callable[[Problem, History], Any]
    hyper: Callable[[Any], Mapping[str, Any]]
    steps: int
    keep: tuple[str, ...]

    def run(self, **hyper: Any) -> tuple[History, Estimate]:
        """Run the method and measure the exponent on the middle third of log k; more hyper-parameters by name."""
        problem = self.problem()
        settings = {**self.hyper(problem), **hyper}
        history = minimize(problem, self.method, steps=self.steps, tol=0.0, keep=self.keep, **settings)
        return history, measured_rate(self.errors(problem, history))


def rate(
    method: str,
    label: str,
    exponent: float,
    statement: str,
    *,
    source: str,
    problem: Callable[[], Problem],
    hyper: Callable[[Any], Mapping[str, Any]] = lambda problem: {},
    steps: int = 400,
    keep: tuple[str, ...] = (),
) -> Callable[[Callable[[Problem, History], Any]], Callable[[Problem, History], Any]]:
    """Enter a function of problem and history, which answers the error of every row, among the rates."""

    def enter(errors: Callable[[Problem, History], Any]) -> Callable[[Problem, History], Any]:
        name = f"{method}: {label}"
        if name in RATES:
            raise ValueError(f"there is a rate {name!r} already")
        RATES[name] = Rate(name, method, exponent, statement, source, problem, errors, hyper, steps, keep)
        return errors

    return enter
