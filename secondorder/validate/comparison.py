"""A reference led along a recording, quantity by quantity: the first that differs, and how far rounding could carry it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from secondorder.linalg.line_search import no_allowance
from secondorder.run import Iterate
from secondorder.validate.answers import Unanswered
from secondorder.validate.forcing import follow
from secondorder.validate.recording import DOUBLE, Recording

SAFETY = 100.0
"""A difference is one if it is so many times what two random changes by rounding made."""

UNITS = 1000.0
"""And at least so many rounding units, relative to the size of the quantity."""

BLURRED = 0.1
"""Where rounding could explain so much of a quantity, it is not judged; if it is the step, nothing is from there on."""

CANCELLED = 4.0
"""Rounding units of x in a step that is the difference of two points."""

AT_THE_POINT = ("f", "grad", "batch_grad", "residual", "gap")
"""What the problem answers at the iterate: a consequence of the step to it, and no loss if a candidate does not expose it."""


@dataclass(frozen=True)
class Difference:
    """The first quantity to differ, in the order of computation, and by how much of its size; ``note`` says in words what
    has no size, such as another shape."""

    step: int
    quantity: str
    error: float
    tolerance: float
    note: str = ""

    def __str__(self) -> str:
        how = self.note or (f"differs by {self.error:.1e} of its size, where rounding explains {self.tolerance:.1e}")
        return f"step {self.step}, `{self.quantity}`: {how}"


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
) -> Match:
    """Lead a method along a recording and compare every quantity that both expose, step by step.

    Parameters
    ----------
    function : a method
    hyper : its hyper-parameters
    recording : Recording
    tolerance : float, optional
        Relative, in place of 1000 rounding units; what rounding can explain is allowed in any case.

    Returns
    -------
    Match
        Also where the reference breaks down.

    Cost: the method three times, or four.

    >>> import secondorder as so
    >>> from secondorder.validate.recording import Candidate, record
    >>> run = record(Candidate("itself", so.diagonal.adam), so.problems.rosenbrock(), steps=5)
    >>> match(so.diagonal.adam, {}, run).agrees, match(so.diagonal.adam, {"beta2": 0.99}, run).first.quantity
    (True, 'second_moment')
    """
    rows, broke = _walked(follow(function, hyper, recording))
    exact = list(accounts(rows))
    floors, firmly = _floors(function, hyper, recording, exact)
    base = min(UNITS * recording.epsilon, 0.5 * BLURRED) if tolerance is None else tolerance
    clear = int(sum(SAFETY * floors["step"] < BLURRED)) if rows else 0
    ended = _ending(broke, clear, len(rows), len(recording.rows))
    errors: dict[str, np.ndarray] = {}
    tolerances: dict[str, np.ndarray] = {}
    first = None
    for t, (ours, theirs) in enumerate(zip(exact[:clear], accounts(recording.rows))):
        for name, value, other in _shared(ours, theirs):
            error = relative_error(other, value)
            derived = name == "x" or (name == "step" and "x" not in theirs)
            allowed = base + SAFETY * floors["x" if derived and "x" in ours else name][t]
            if derived:
                size = max(_size(value), _size(other))
                lost = CANCELLED * (recording.epsilon * _size(recording.rows[t].x) + DOUBLE * _size(rows[t].x))
                allowed += lost / max(size, 1e-300)
                if lost > BLURRED * size > 0.0 and clear > t:
                    clear, ended = t, f"from step {t} on rounding decides"
            allowed = allowed if allowed < BLURRED else np.inf
            errors.setdefault(name, np.full(len(rows), np.nan))[t] = error
            tolerances.setdefault(name, np.full(len(rows), np.nan))[t] = allowed
            if first is None and t < clear and not error <= allowed:
                first = Difference(t, name, error, allowed, _in_words(other, value))
        if t >= clear:
            break
    unanswered = isinstance(broke, Unanswered)
    # Where every question is on record, or rounding does not move the end.
    told = "oracles" in recording.facts if unanswered else firmly
    if first is None and broke is not None and clear == len(rows) and told:
        first = Difference(len(rows), "x", np.inf, 0.0, str(broke) if unanswered else f"goes on, and {ended}")
    return Match(errors, tolerances, first, max(0, min(clear, len(recording.rows)) - 1), ended)


def _ending(broke: Exception | None, clear: int, steps: int, recorded: int) -> str:
    """Why no more steps are judged, or nothing."""
    if clear < steps:
        return f"from step {clear} on rounding decides"
    if broke is not None:
        return f"Unanswered: {broke}" if isinstance(broke, Unanswered) else f"the reference breaks down there: {broke}"
    return "the reference ends there" if steps < recorded else ""


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
        for name, value, other in _shared(ours, account):
            error = relative_error(other, value)
            curve = allowed.tolerances.get(name)
            limit = curve[t] if curve is not None and t < len(curve) and curve[t] == curve[t] else 1e-9
            if not error <= limit:
                return Difference(t, name, error, float(limit), _in_words(other, value))
    return None


def accounts(rows: Iterable[Iterate]) -> Iterator[dict[str, Any]]:
    """Of each row what it tells, in the order of computation: what led to its point; ``step``, where it has none the
    difference of two points, else that difference follows as ``x``; and last what the problem answers there."""
    previous = None
    for row in rows:
        account = {name: value for name, value in row.quantities.items() if name not in ("step", *AT_THE_POINT)}
        moved = None if previous is None else np.asarray(row.x) - np.asarray(previous)
        account["step"] = moved
        if previous is not None and "step" in row:
            account |= {"step": row.step, "x": moved}
        account |= {name: row.quantities[name] for name in AT_THE_POINT if name in row}
        previous = row.x
        yield account


def _shared(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """What both tell. A step that only one of them names is held against the way that the other went."""
    if ("x" in ours) != ("x" in theirs):
        ours, theirs = ({**account, "step": account.get("x", account["step"])} for account in (ours, theirs))
    for name, value in ours.items():
        if value is not None and theirs.get(name) is not None:
            yield name, value, theirs[name]


def relative_error(theirs: Any, ours: Any) -> float:
    """The largest entry of the difference over the largest of either; of a tuple of arrays, the largest of its parts."""
    if isinstance(ours, tuple) or isinstance(theirs, tuple):
        if not (isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) == len(theirs)):
            return np.inf
        return max(map(relative_error, theirs, ours), default=0.0)
    if isinstance(ours, (str, bool)) or isinstance(theirs, (str, bool)):
        return 0.0 if np.ndim(ours) == np.ndim(theirs) == 0 and ours == theirs else np.inf
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape or ours.dtype.kind not in "fiub" or theirs.dtype.kind not in "fiub":
        return np.inf
    if not (np.all(np.isfinite(ours)) and np.all(np.isfinite(theirs))):
        return 0.0 if np.array_equal(ours, theirs, equal_nan=True) else np.inf
    scale = max(np.max(np.abs(ours), initial=0.0), np.max(np.abs(theirs), initial=0.0))
    return float(np.max(np.abs(ours - theirs), initial=0.0) / scale) if scale > 0.0 else 0.0


def _in_words(theirs: Any, ours: Any) -> str:
    """What a number cannot say of a difference: another kind, another shape, not finite."""
    if isinstance(ours, (str, bool)) or isinstance(theirs, (str, bool)):
        return f"is {theirs!r}, that of the reference {ours!r}"
    if _kind(theirs) != _kind(ours):
        turned = _kind(theirs) == _kind(_transposed(ours))
        return f"is {_kind(theirs)}, that of the reference {_kind(ours)}" + (": transposed" if turned else "")
    kinds = [np.asarray(each).dtype for each in (theirs, ours) if not isinstance(each, tuple)]
    if any(kind.kind not in "fiub" for kind in kinds):
        return f"is of {kinds[0]}, that of the reference of {kinds[1]}"
    bad = [who for who, value in (("candidate", theirs), ("reference", ours)) if not _finite(value)]
    if bad:
        return f"is not finite in the {' and the '.join(bad)}"
    turned = relative_error(theirs, _transposed(ours)) < 1e-3 * relative_error(theirs, ours)
    return "is that of the reference transposed" if turned else ""


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)} ({', '.join(map(_kind, value))})"
    shape = np.shape(value)
    return f"an array of shape {shape}" if shape else "a number"


def _transposed(value: Any) -> Any:
    return tuple(map(np.transpose, value)) if isinstance(value, tuple) else np.transpose(value)


def _finite(value: Any) -> bool:
    return all(np.all(np.isfinite(part)) for part in (value if isinstance(value, tuple) else (value,)))


def _size(value: Any) -> float:
    return float(np.max(np.abs(value)))


def _walked(rows: Iterator[Iterate]) -> tuple[list[Iterate], Exception | None]:
    walked: list[Iterate] = []
    try:
        walked.extend(rows)
    except Exception as error:
        return walked, error
    return walked, None


def _floors(
    function: Callable[..., Any], hyper: Mapping[str, Any], recording: Recording, exact: list[dict[str, Any]]
) -> tuple[dict[str, np.ndarray], bool]:
    """The largest effect of rounding on each quantity up to each step, and whether a breakdown stays where it is. It is seen in
    two disturbed runs, and where f decides in one whose tests of decrease allow nothing for rounding. What such a run lacks is
    beyond judgement."""
    floors: dict[str, np.ndarray] = {}
    firmly = True
    walks = [_walked(follow(function, hyper, recording, np.random.default_rng(seed))) for seed in (1, 2)]
    if {"f", "residual"} & set(function.method.oracles(hyper)):  # type: ignore[attr-defined]
        with no_allowance():
            walks.append(_walked(follow(function, hyper, recording)))
    for rows, broke in walks:
        firmly = firmly and broke is not None and len(rows) == len(exact)
        noisy = list(accounts(rows))
        for t, account in enumerate(exact):
            for name, value in account.items():
                floor = floors.setdefault(name, np.zeros(len(exact)))
                other = noisy[t].get(name) if t < len(noisy) else None
                seen = 0.0 if value is None else np.inf if other is None else relative_error(other, value)
                floor[t:] = np.maximum(floor[t:], seen)
    return floors, firmly
