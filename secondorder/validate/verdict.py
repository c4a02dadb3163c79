"""The verdict on a candidate: agrees, or the first thing that differs and what explains it."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from secondorder.arrays import norm
from secondorder.catalogue import find
from secondorder.checks import whole
from secondorder.ledger import Ledger, a_problem
from secondorder.oracles import Problem
from secondorder.run import Iterate
from secondorder.schedules import NoiseGrid, noise_grid
from secondorder.validate.adapters import as_candidate
from secondorder.validate.answers import require_answers
from secondorder.validate.comparison import AT_THE_POINT, BLURRED, Difference, Match, accounts, match
from secondorder.validate.forcing import follow
from secondorder.validate.problems import cloud, problems_for
from secondorder.validate.recording import EVERY_LEVEL, Candidate, Recording, record

PARTICLES = 50
"""Of a sampler, unless a start is given."""

NEGLIGIBLE = 1e-6
"""A step that is so much shorter than the longest is none that a candidate must take."""


NUMERICAL = ("LinAlgError", "FloatingPointError", "NonFinite", "ZeroDivisionError", "OverflowError")
"""Errors that rounding can bring about: no fault of a candidate from where it decides."""


@dataclass(frozen=True)
class Finding:
    """The answer of one named check: ``passed`` is None where it does not apply, or only measures; false if it failed."""

    name: str
    passed: bool | None
    words: str
    measured: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        mark = {True: "passed", False: "FAILED", None: "measured" if self.measured else "not applicable"}[self.passed]
        return f"{self.name}: {mark}. {self.words}"

    def __bool__(self) -> bool:
        return self.passed is not False


@dataclass(frozen=True)
class Report:
    """What :func:`check` found; true if the candidate agrees.

    ``first`` is the first difference, ``errors`` and ``tolerances`` a curve for each quantity, ``free`` the distance of
    the two when each runs by itself (relative to the size of x), ``explanation`` the smallest set of changes to the reference
    under which it agrees, ``findings`` the named checks, ``failure`` what went wrong in the candidate, ``missing`` what only
    the reference exposes, ``agreed`` the problems on which it agreed before this one, ``status`` why the candidate ended
    before the last step.

    >>> import secondorder as so
    >>> print(check(so.diagonal.adam, "adam", so.problems.rosenbrock(), steps=5, beta2=0.99, diagnose=False, probes=False))
    adam against adam(beta2=0.99) on rosenbrock: DIFFERS
      step 1, `second_moment`: differs by 9.0e-01 of its size, where rounding explains 2.6e-13
      quantity       largest error  at step  allowed there  differs from
      grad                 0.0e+00        0        2.4e-13             -
      first_moment         0.0e+00        1        2.5e-13             -
      second_moment        9.0e-01        1        2.6e-13        step 1
      step                 1.5e-04        5        2.7e-13        step 2
      x                    1.5e-04        5        2.3e-12        step 2
      running free: x apart by 2.8e-07 of its size after 5 steps
    """

    candidate: str
    method: str
    hyper: Mapping[str, Any]
    problem: str
    epsilon: float
    match: Match
    free: np.ndarray | None = None
    explanation: Any = None
    findings: tuple[Finding, ...] = ()
    failure: str = ""
    missing: tuple[str, ...] = ()
    agreed: tuple[str, ...] = ()
    status: str = ""

    columns: ClassVar = ("quantity", "largest error", "at step", "allowed there", "differs from")

    @property
    def agrees(self) -> bool:
        known = not any(finding.passed is False for finding in self.findings)
        return known and not self.failure and self.first is None and self.steps > 0

    @property
    def differs(self) -> bool:
        """Whether it does not agree, and there was something to judge; both may break down before their first step."""
        return not self.agrees and bool(self.failure or self.first or self.steps)

    @property
    def first(self) -> Difference | None:
        return self.match.first

    @property
    def steps(self) -> int:
        return self.match.steps

    @property
    def errors(self) -> Mapping[str, np.ndarray]:
        return self.match.errors

    @property
    def tolerances(self) -> Mapping[str, np.ndarray]:
        return self.match.tolerances

    @property
    def verdict(self) -> str:
        """One sentence."""
        broke = f"it broke down at {self.failure}" if self.failure else ""
        if self.first is not None:
            why = f"; {self.explanation}" if self.explanation is not None else ""
            return f"{self.first}{why}" + (f"; {broke}" if broke else "")
        if broke:
            return broke
        if self.steps == 0:
            return f"nothing could be judged: {self.match.ended or self.status or 'it took no step'}"
        failed = [finding for finding in self.findings if finding.passed is False]
        if failed:
            return f"the steps agree to {self.match.worst:.1e}, but {failed[0].name}: {failed[0].words}"
        steps = "1 step" if self.steps == 1 else f"{self.steps} steps"
        return f"it agrees to {self.match.worst:.1e} for {steps}"

    @property
    def headline(self) -> str:
        """Who was held against what, on which problems."""
        hyper = ", ".join(f"{name}={value!r}" for name, value in self.hyper.items())
        names = [*self.agreed, self.problem] if self.agrees else [self.problem]
        return (
            f"{self.candidate} against {self.method}({hyper}) on {' and '.join(names)}: "
            + ("agrees" if self.agrees else "DIFFERS" if self.first is not None or self.steps else "NOT JUDGED")
            + (f" (agrees on {' and '.join(self.agreed)})" if self.agreed and not self.agrees else "")
        )

    def table(self) -> list[tuple[str, ...]]:
        """For each quantity its largest error, where that was, what was allowed there, and from where on it differs."""
        rows: list[tuple[str, ...]] = []
        for name, curve in self.errors.items():
            t, allowed = int(np.nanargmax(curve)), self.tolerances[name]
            over = np.flatnonzero(curve > allowed)
            since = f"step {over[0]}" if len(over) else "-"
            rows.append((name, f"{curve[t]:.1e}", str(t), f"{allowed[t]:.1e}", since))
        return rows

    def notes(self) -> list[str]:
        """What else there is to know."""
        notes = []
        if self.missing and self.steps:
            notes.append(f"not exposed by the candidate, and not compared: {', '.join(self.missing)}")
        if self.free is not None and len(self.free) > 1:
            notes.append(f"running free: x apart by {self.free[-1]:.1e} of its size after {len(self.free) - 1} steps")
        if self.match.ended and not self.failure and self.steps:
            notes.append(f"judged up to step {self.steps}: {self.match.ended.removeprefix('Unanswered: ')}")
        if self.status and self.steps:
            notes.append(f"the candidate ended by itself: {self.status}")
        return [*notes, *map(str, self.findings)]

    def plot(self) -> Any:
        """A matplotlib figure of the error curves, what is allowed, and the first difference."""
        from secondorder.validate.curves import figure

        return figure(self)

    def _repr_html_(self) -> str:
        from secondorder.validate.curves import html

        return html(self)

    def __bool__(self) -> bool:
        return self.agrees

    def __str__(self) -> str:
        lines = [self.headline, f"  {self.verdict}"]
        if self.errors:
            table = [self.columns, *self.table()]
            widths = [max(map(len, column)) for column in zip(*table, strict=True)]
            for first, *rest in table:
                cells = [cell.rjust(width + 2) for cell, width in zip(rest, widths[1:], strict=True)]
                lines.append(f"  {first.ljust(widths[0])}{''.join(cells)}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes())])

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries; numbers that are not finite become None."""
        return plain(
            {
                "candidate": self.candidate,
                "method": self.method,
                "hyper": dict(self.hyper),
                "problem": self.problem,
                "agrees": self.agrees,
                "verdict": self.verdict,
                "steps": self.steps,
                "epsilon": self.epsilon,
                "worst": self.match.worst,
                "first": None if self.first is None else vars(self.first),
                "explanation": None if self.explanation is None else self.explanation.to_dict(),
                "errors": self.errors,
                "tolerances": self.tolerances,
                "free": self.free,
                "findings": [vars(finding) for finding in self.findings],
                "failure": self.failure,
                "missing": self.missing,
                "agreed": self.agreed,
                "status": self.status,
            }
        )

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)


@np.errstate(all="ignore")  # what overflows is compared, and differs
def check(
    candidate: Any,
    method: str | Callable[..., Any],
    problem: Problem | None = None,
    x0: Any = None,
    *,
    steps: int = 20,
    seed: int = 0,
    tolerance: float | None = None,
    grid: NoiseGrid | None = None,
    diagnose: bool = True,
    probes: bool = True,
    **hyper: Any,
) -> Report:
    """Hold an implementation against the reference, and be told the first thing that differs.

    Parameters
    ----------
    candidate : Candidate, method, generator function, recording or path of a recorded run
        Of an optimiser of another library by an adapter: :func:`from_torch`, :func:`from_optax`, :func:`from_scipy`,
        :func:`from_step`.
    method : str or function
        The reference: a name from :func:`secondorder.methods`.
    problem : Problem, optional
        By default those of :func:`problems_for` that method, one after another, until one shows a difference.
    x0 : array, optional
        The start; by default the problem's own.
    steps : int, default 20
    seed : int, default 0
        Of batches and probes, the same for both.
    tolerance : float in [0, 0.1), optional
        Relative; by default 1000 rounding units of the candidate's precision. What two runs of the reference with rounded
        answers show to be rounding is allowed in any case.
    grid : NoiseGrid, optional
        For samplers.
    diagnose : bool, default True
        Search for what explains a difference.
    probes : bool, default True
        Run the named checks of ``secondorder.validate.probes`` on candidate and reference, for the report's ``findings``.
    **hyper
        Hyper-parameters of the reference: what the candidate claims to use.

    Returns
    -------
    Report
        Also for a candidate that raises, returns a wrong shape or NaN, or writes to what it is given.

    Raises
    ------
    TypeError, ValueError
        For an unknown method or hyper-parameter, or a candidate that is none.

    >>> import secondorder as so
    >>> report = check(so.diagonal.adamw, "adam", steps=5)           # adamw takes 1e-5 of x away by default
    >>> report.agrees, report.first.step, report.first.quantity
    (False, 1, 'step')
    """
    function = find(method)
    info = function.method  # type: ignore[attr-defined]
    hyper = info.check(hyper)
    steps = _checked(info, steps, seed, tolerance, grid)
    judged = as_candidate(candidate)
    if isinstance(judged, Recording):
        recordings = iter([judged])
    else:
        problems = problems_for(info, hyper) if problem is None else [a_problem(problem)]
        recordings = _records(judged, info, problems, x0, steps, seed, hyper, grid)
    reports: list[Report] = []
    seen: list[Recording] = []

    def others() -> list[Recording]:
        return [other for other in (*seen, *recordings) if other.rows and not other.failure]

    for recording in recordings:
        reports.append(_judged(function, hyper, recording, tolerance, others if diagnose else None))
        seen.append(recording)
        if reports[-1].differs:
            break
    judged_by = [report for report in reports if report.agrees or report.differs] or reports
    answered: tuple[Finding, ...] = ()
    if probes and isinstance(judged, Candidate) and not judged_by[-1].failure:
        from secondorder.validate.probes import findings

        answered = findings(judged, function, hyper)
    return replace(
        judged_by[-1], agreed=tuple(report.problem for report in judged_by[:-1] if report.agrees), findings=answered
    )


def _checked(info: Any, steps: Any, seed: Any, tolerance: Any, grid: Any) -> int:
    """The steps, if these can be arguments of :func:`check`."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a whole number, at least 0; got {seed!r}")
    if tolerance is not None and not (isinstance(tolerance, Real) and 0.0 <= float(tolerance) < BLURRED):
        raise ValueError(f"tolerance must be a number in [0, {BLURRED:g}); got {tolerance!r}")
    if grid is not None and not isinstance(grid, NoiseGrid):
        raise TypeError(f"grid must be a NoiseGrid; got {type(grid).__name__}")
    if grid is not None and info.grid is None:
        raise TypeError(f"{info.name} walks through no noise levels, and takes no grid")
    return whole("steps", steps)


def assert_matches(
    candidate: Any, method: str | Callable[..., Any], problem: Problem | None = None, **options: Any
) -> None:
    """Raise ``AssertionError`` with the report unless the candidate agrees: for a test.

    Parameters
    ----------
    candidate, method, problem, **options
        As of :func:`check`.

    Raises
    ------
    AssertionError
        With the report as its words.
    TypeError, ValueError
        As :func:`check`.

    >>> import secondorder as so
    >>> assert_matches(so.diagonal.adam, "adam", steps=5)
    """
    __tracebackhide__ = True  # pytest shows the report, and not this
    report = check(candidate, method, problem, **options)
    if not report:
        raise AssertionError(str(report))


def _records(
    candidate: Candidate,
    info: Any,
    problems: list[Problem],
    x0: Any,
    steps: int,
    seed: int,
    hyper: Mapping[str, Any],
    grid: NoiseGrid | None,
) -> Iterator[Recording]:
    particles = info.kind == "sampler"
    if info.grid is not None and grid is None:
        grid = noise_grid(steps, *info.grid)
    steps = steps if grid is None else EVERY_LEVEL
    for problem in problems:
        start = cloud(problem, grid, PARTICLES, seed) if particles and x0 is None else x0
        info.require(Ledger(problem, start, particles=particles), hyper)
        yield record(
            candidate, problem, start, steps=steps, seed=seed, batch_size=hyper.get("batch_size"), grid=grid,
            particles=particles,
        )  # fmt: skip


def _judged(
    function: Callable[..., Any],
    hyper: dict[str, Any],
    recording: Recording,
    tolerance: float | None,
    others: Callable[[], Sequence[Recording]] | None,
) -> Report:
    info = function.method  # type: ignore[attr-defined]
    name = "recorded" if recording.problem is None else recording.problem.name
    if not recording.rows:
        alone = _alone(function, hyper, recording)
        both = bool(recording.failure) and alone is not None and alone.failure == recording.failure
        why = f"both break down at {recording.failure}" if both else "" if recording.failure else "it yields nothing"
        nothing = Match({}, {}, None, 0, why)
        return Report(
            recording.name, info.name, hyper, name, recording.epsilon, nothing,
            failure="" if both else recording.failure, status=recording.status,
        )  # fmt: skip
    hyper = {**info.check(recording.hyper), **hyper}
    require_answers(info, hyper, recording)
    found = match(function, hyper, recording, tolerance)
    if recording.partial and "trials" in (*found.errors, *_missing(function, hyper, recording, found)):
        recording = replace(recording, facts={**recording.facts, "searched": True})
        found = match(function, hyper, recording, tolerance)
    if "Unanswered: " in found.ended and not found.steps and found.first is None:
        raise ValueError(f"{recording.name} cannot be judged: {found.ended.partition('Unanswered: ')[2]}")
    own = _alone(function, hyper, recording)
    found = _ended(found, info, recording, own)
    failure = "" if own is not None and own.failure == recording.failure else recording.failure
    status = recording.status
    if "rounding decides" in found.ended and any(f": {kind}: " in failure for kind in NUMERICAL):
        failure, status = "", f"{failure}, where rounding decides"
    explanation = None
    if others is not None and found.first is not None:
        from secondorder.validate.diagnosis import explain

        explanation = explain(function, hyper, recording, found, others)
    return Report(
        recording.name,
        info.name,
        hyper,
        name,
        recording.epsilon,
        found,
        free=None if own is None else _apart(own, recording),
        explanation=explanation,
        failure=failure,
        missing=_missing(function, hyper, recording, found),
        status=status,
    )


def _ended(found: Match, info: Any, recording: Recording, own: Recording | None) -> Match:
    """An end before its time is a difference: where the noise levels say how many steps there are, and where one says that
    it can go no further, and the other can."""
    if own is None or found.first is not None or recording.failure or "rounding" in found.ended:
        return found
    last, end = len(recording.rows) - 1, len(own.rows) - 1
    shorter, longer = (recording, own) if last < end else (own, recording)
    who = ("", ", the reference ") if last < end else ("goes on, the reference ", "")
    if info.grid is not None and last != end:
        note = f"ends after {last} steps, the reference after {end}"
    elif info.grid is None and ":" in shorter.status and _goes_on(longer.rows, len(shorter.rows) - 1):
        note = f"{who[0]}ends ({shorter.status})" + (f"{who[1]}goes on" if who[1] else "")
    else:
        return found
    return replace(found, first=Difference(min(last, end) + 1, "x", math.inf, 0.0, note))


def _goes_on(rows: Sequence[Iterate], end: int) -> bool:
    moved = [norm(b.x - a.x) for a, b in itertools.pairwise(rows)]
    return max(moved[end:], default=0.0) > NEGLIGIBLE * max(moved, default=0.0)


def _missing(
    function: Callable[..., Any], hyper: Mapping[str, Any], recording: Recording, found: Match
) -> tuple[str, ...]:
    rows: list[Iterate] = []
    with contextlib.suppress(Exception):
        rows.extend(itertools.islice(follow(function, hyper, recording), 2))
    told = dict.fromkeys(name for account in accounts(rows) for name in account)
    return tuple(name for name in told if name not in (*found.errors, *AT_THE_POINT, "x"))


def _alone(function: Callable[..., Any], hyper: Mapping[str, Any], recording: Recording) -> Recording | None:
    """The reference run by itself, as the candidate was."""
    sampler = function.method.kind == "sampler"  # type: ignore[attr-defined]
    if recording.problem is None or (sampler and not recording.rows):
        return None
    return record(
        Candidate("reference", functools.partial(function, **hyper)),
        recording.problem,
        recording.rows[0].x if recording.rows else None,
        steps=len(recording.rows) + 10 * bool(recording.status) if recording.grid is None else EVERY_LEVEL,
        seed=recording.seed,
        grid=recording.grid,
        particles=sampler,
    )


def _apart(own: Recording, recording: Recording) -> np.ndarray:
    """The distance of two runs over the size of x."""
    pairs = zip(own.rows, recording.rows)
    return np.asarray([norm(a.x - b.x) / max(norm(a.x), norm(b.x), 1e-300) for a, b in pairs])


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return os.fspath(value) if isinstance(value, os.PathLike) else value
