"""Stopping rules: functions of a row of the history that answer a status, or None to go on. They compose.

A status may carry a reason: ``"stalled: why"``.

>>> rule = any_of(tolerance("grad_norm", 1e-6), step_limit(3))
>>> rule({"grad_norm": 1.0, "step": 3, "elapsed": 0.1})
'step_limit'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

StoppingRule = Callable[[Mapping[str, Any]], str | None]
"""A row has ``step`` (0 at the start), ``elapsed`` wall seconds, and every recorded scalar."""


def tolerance(measure: str, tol: float) -> StoppingRule:
    """``"converged"`` once the row's ``measure`` is at most ``tol``."""
    return lambda row: "converged" if row.get(measure, float("inf")) <= tol else None


def target(f: float) -> StoppingRule:
    """``"converged"`` once the value is at most ``f``."""
    return lambda row: "converged" if row.get("f", math.inf) <= f else None


def step_limit(steps: int) -> StoppingRule:
    """``"step_limit"`` after ``steps`` iterations."""
    return lambda row: "step_limit" if row["step"] >= steps else None


def time_limit(seconds: float) -> StoppingRule:
    """``"time_limit"`` after ``seconds`` of wall time."""
    return lambda row: "time_limit" if row["elapsed"] >= seconds else None


def no_progress(measure: str, patience: int) -> StoppingRule:
    """``"stalled"`` after ``patience`` rows without a new least value of f or of ``measure``.

    >>> rule = no_progress("grad_norm", 2)
    >>> [rule({"step": k, "f": 1.0, "grad_norm": 1.0}) for k in range(3)]
    [None, None, 'stalled: no new least value of f or of grad_norm in 2 steps; is the gradient right?']
    """
    best: dict[str, float] = {}
    since = 0

    def rule(row: Mapping[str, Any]) -> str | None:
        nonlocal since
        for name in ("f", measure):
            if row.get(name, math.inf) < best.get(name, math.inf):
                best[name], since = row[name], row["step"]
        if row["step"] - since < patience:
            return None
        return f"stalled: no new least value of f or of {measure} in {patience} steps; is the gradient right?"

    return rule


def any_of(*rules: StoppingRule) -> StoppingRule:
    """The answer of the first rule that has one."""
    return lambda row: next((status for rule in rules if (status := rule(row))), None)


def all_of(*rules: StoppingRule) -> StoppingRule:
    """The answer of the last rule, once all have one in the same row."""

    def rule(row: Mapping[str, Any]) -> str | None:
        answers = [each(row) for each in rules]
        return answers[-1] if all(answers) else None

    return rule
