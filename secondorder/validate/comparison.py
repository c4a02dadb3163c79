"""A reference led along a recording, quantity by quantity: the first that differs, and how far rounding could carry it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from secondorder.run import Iterate
from secondorder.validate.forcing import follow
from secondorder.validate.recording import Recording

SAFETY = 100.0
"""A difference is one if it is so many times what two random changes by rounding made."""

UNITS = 1000.0
"""And at least so many rounding units, relative to the size of the quantity."""

BLURRED = 0.1
"""Where rounding could explain so much of a quantity, it is not judged; if it is the step, nothing is from there on."""

AT_THE_POINT = ("f", "grad", "batch_grad", "residual", "gap")
"""What the problem answers at the iterate: the same for both, as both are led along one recording."""


@dataclass(frozen=True)
class Difference:
    """The first quantity to differ, in the order of computation, and by how much of its size."""

    step: int
    quantity: str
    error: float
    tolerance: float

    def __str__(self) -> str:
        return (
            f"step {self.step}, `{self.quantity}`: differs by {self.error:.1e} of its size, "
            f"where rounding explains {self.tolerance:.1e}"
        )


@dataclass(frozen=True)
class Match:
    """How a reference and a candidate compare: an error curve for each quantity, and the first difference.

    ``errors[name][t]`` is the largest entry of the difference at step t over the largest of the quantity (of each layer
    apart), NaN where one of them has none; ``tolerances`` is what is allowed, of the same shape. ``steps`` have been
    judged; ``ended`` says why no more, if it was not the candidate's end.
    """

    errors: Mapping[str, np.ndarray]
    tolerances: Mapping[str, np.ndarray]
    first: Difference | None
    steps: int
    ended: str = ""

    @property
    def agrees(self) -> bool:
        return self.first is None

    @property
    def worst(self) -> float:
        """The largest error on record."""
        return max((float(np.nanmax(curve)) for curve in self.errors.values() if np.any(curve == curve)), default=0.0)


def match(
    function: Callable[..., Any],
    hyper: Mapping[str, Any],
    recording: Recording,
    tolerance: float | None = None,
    rename: Mapping[str, str] | None = None,
) -> Match:
    """Lead a method along a recording and compare every quantity that both expose, step by step.

    Parameters
    ----------
    function : a method
    hyper : its hyper-parameters
    recording : Recording
    tolerance : float, optional
        Relative, in place of 1000 rounding units; what rounding can explain is allowed in any case.

    >>> import secondorder as so
    >>> from secondorder.validate.recording import Candidate, record
    >>> run = record(Candidate("itself", so.diagonal.adam), so.problems.rosenbrock(), steps=5)
    >>> match(so.diagonal.adam, {}, run).agrees, match(so.diagonal.adam, {"beta2": 0.99}, run).first.quantity
    (True, 'second_moment')
    """
    rows, ended = _walked(follow(function, hyper, recording))
    base = UNITS * recording.epsilon if tolerance is None else tolerance
    floors: dict[str, np.ndarray] = {}
    exact = list(accounts(rows))
    for seed in (1, 2):
        noisy, _ = _walked(follow(function, hyper, recording, np.random.default_rng(seed)))
        _raise_floors(floors, exact, list(accounts(noisy)), len(rows))
    errors: dict[str, np.ndarray] = {}
    tolerances: dict[str, np.ndarray] = {}
    first = None
    clear = int(sum(SAFETY * floors["step"] < BLURRED))
    if clear < len(rows):
        ended = f"from step {clear} on rounding decides"
    for t, (ours, theirs) in enumerate(zip(exact[:clear], accounts(recording.rows))):
        for name, value in ours.items():
            if name in AT_THE_POINT or name not in theirs or value is None or theirs[name] is None:
                continue
            error = relative_error(theirs[name], value)
            allowed = base + SAFETY * floors[name][t] + _cancellation(name, recording.rows, t, recording.epsilon)
            allowed = allowed if allowed < BLURRED else np.inf
            errors.setdefault(name, np.full(len(rows), np.nan))[t] = error
            tolerances.setdefault(name, np.full(len(rows), np.nan))[t] = allowed
            if first is None and not error <= allowed:
                first = Difference(t, name, error, allowed)
    return Match(errors, tolerances, first, max(0, min(clear, len(recording.rows)) - 1), ended)


def first_difference(
    function: Callable[..., Any],
    hyper: Mapping[str, Any],
    recording: Recording,
    allowed: Match,
    steps: int | None = None,
) -> Difference | None:
    """As :func:`match`, with the tolerances of an earlier match, and only up to the first difference: for a search."""
    walk = accounts(follow(function, hyper, recording))
    theirs = accounts(recording.rows[: 1 + (allowed.steps if steps is None else min(steps, allowed.steps))])
    for t, account in enumerate(theirs):
        try:
            ours = next(walk)
        except StopIteration:
            return None if t > allowed.steps else Difference(t, "x", np.inf, 0.0)
        except Exception:
            return Difference(t, "x", np.inf, 0.0)
        for name, value in ours.items():
            if name in AT_THE_POINT or account.get(name) is None or value is None:
                continue
            error = relative_error(account[name], value)
            curve = allowed.tolerances.get(name)
            limit = curve[t] if curve is not None and t < len(curve) and curve[t] == curve[t] else 1e-9
            if not error <= limit:
                return Difference(t, name, error, float(limit))
    return None


def accounts(rows: Iterable[Iterate]) -> Iterator[dict[str, Any]]:
    """Of each row what it tells, in its order, ``step`` last; where a row has no step, the difference of its points."""
    previous = None
    for row in rows:
        account = {name: value for name, value in row.quantities.items() if name != "step"}
        derived = None if previous is None else np.asarray(row.x) - np.asarray(previous)
        account["step"] = derived if previous is None or "step" not in row else row.step
        previous = row.x
        yield account


def relative_error(theirs: Any, ours: Any) -> float:
    """The largest entry of the difference over the largest of either; of a tuple of arrays, the largest of its parts."""
    if isinstance(ours, tuple) or isinstance(theirs, tuple):
        if not (isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) == len(theirs)):
            return np.inf
        return max(map(relative_error, theirs, ours), default=0.0)
    if isinstance(ours, (str, bool)) or isinstance(theirs, (str, bool)):
        return 0.0 if ours == theirs else np.inf
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape or ours.dtype.kind not in "fiub" or theirs.dtype.kind not in "fiub":
        return np.inf
    if not (np.all(np.isfinite(ours)) and np.all(np.isfinite(theirs))):
        return 0.0 if np.array_equal(ours, theirs, equal_nan=True) else np.inf
    scale = max(np.max(np.abs(ours), initial=0.0), np.max(np.abs(theirs), initial=0.0))
    return float(np.max(np.abs(ours - theirs), initial=0.0) / scale) if scale > 0.0 else 0.0


def _cancellation(name: str, rows: tuple[Iterate, ...], t: int, epsilon: float) -> float:
    """What is lost where a step is the difference of two points."""
    if name != "step" or t == 0:
        return 0.0
    x, step = np.max(np.abs(rows[t - 1].x)), np.max(np.abs(rows[t].x - rows[t - 1].x))
    return float(4.0 * epsilon * x / step) if step > 0.0 else 0.0


def _walked(rows: Iterator[Iterate]) -> tuple[list[Iterate], str]:
    walked: list[Iterate] = []
    try:
        walked.extend(rows)
    except Exception as error:
        if not walked:
            raise
        return walked, f"{type(error).__name__}: {error}"
    return walked, ""


def _raise_floors(
    floors: dict[str, np.ndarray], exact: list[dict[str, Any]], noisy: list[dict[str, Any]], steps: int
) -> None:
    """The largest effect of rounding on each quantity up to each step; what a disturbed run lacks is beyond judgement."""
    for t, account in enumerate(exact):
        for name, value in account.items():
            floor = floors.setdefault(name, np.zeros(steps))
            other = noisy[t].get(name) if t < len(noisy) else None
            seen = 0.0 if value is None else np.inf if other is None else relative_error(other, value)
            floor[t:] = np.maximum(floor[t:], seen)
