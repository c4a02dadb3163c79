"""The verdict on a candidate: agrees, or the first thing that differs and what explains it."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from secondorder.arrays import norm
from secondorder.catalogue import find
from secondorder.ledger import a_problem
from secondorder.oracles import Problem
from secondorder.schedules import NoiseGrid, noise_grid
from secondorder.validate.adapters import as_candidate
from secondorder.validate.comparison import AT_THE_POINT, Difference, Match, accounts, match
from secondorder.validate.problems import problems_for
from secondorder.validate.recording import Candidate, Recording, record


@dataclass(frozen=True)
class Finding:
    """The answer of one named check: ``passed`` is None where it does not apply."""

    name: str
    passed: bool | None
    words: str
    measured: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        mark = {True: "passed", False: "FAILED", None: "not applicable"}[self.passed]
        return f"{self.name}: {mark}. {self.words}"


@dataclass(frozen=True)
class Report:
    """What :func:`check` found; true if the candidate agrees.

    ``first`` is the first difference, ``errors`` and ``tolerances`` a curve for each quantity, ``free`` the distance of
    the two when each runs by itself (relative to the size of x), ``explanation`` the smallest set of changes to the reference
    under which it agrees, ``findings`` the named checks, ``failure`` what went wrong in the candidate.
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

    @property
    def agrees(self) -> bool:
        return not self.failure and self.first is None and not any(f.passed is False for f in self.findings)

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
        if self.failure:
            return f"it broke down at {self.failure}"
        if self.first is not None:
            why = f"; {self.explanation}" if self.explanation is not None else ""
            return f"{self.first}{why}"
        failed = [finding for finding in self.findings if finding.passed is False]
        if failed:
            return f"the steps agree to {self.match.worst:.1e}, but {failed[0].name}: {failed[0].words}"
        return f"it agrees to {self.match.worst:.1e} for {self.steps} steps"

    def __bool__(self) -> bool:
        return self.agrees

    def __str__(self) -> str:
        hyper = ", ".join(f"{name}={value!r}" for name, value in self.hyper.items())
        lines = [
            f"{self.candidate} against {self.method}({hyper}) on {self.problem}: {'agrees' if self.agrees else 'DIFFERS'}",
            f"  {self.verdict}",
        ]
        if self.errors:
            lines.append(f"  {'quantity':<20}{'largest error':>14}{'at step':>9}{'allowed there':>15}")
        for name, curve in self.errors.items():
            t = int(np.nanargmax(curve))
            lines.append(f"  {name:<20}{curve[t]:>14.1e}{t:>9}{self.tolerances[name][t]:>15.1e}")
        if self.missing:
            lines.append(f"  not exposed by the candidate, and not compared: {', '.join(self.missing)}")
        if self.free is not None and len(self.free):
            lines.append(f"  running free: x apart by {self.free[-1]:.1e} of its size after {len(self.free) - 1} steps")
        if self.match.ended and not self.failure:
            lines.append(f"  judged up to step {self.steps}: {self.match.ended}")
        return "\n".join([*lines, *(f"  {finding}" for finding in self.findings)])

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries; numbers that are not finite become None."""
        return _plain(
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
            }
        )

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)


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
    tolerance : float, optional
        Relative; by default 1000 rounding units of the candidate's precision. What two runs of the reference with rounded
        answers show to be rounding is allowed in any case.
    grid : NoiseGrid, optional
        For samplers.
    diagnose : bool, default True
        Search for what explains a difference.
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
    if isinstance(candidate, Recording):
        recordings = [candidate]
    else:
        judged = as_candidate(candidate)
        if isinstance(judged, Recording):
            recordings = [judged]
        else:
            problems = problems_for(info) if problem is None else [a_problem(problem)]
            recordings = _records(judged, info, problems, x0, steps, seed, hyper, grid)  # type: ignore[assignment]
    report = None
    for recording in recordings:
        report = _judged(function, hyper, recording, tolerance, diagnose)
        if not report.agrees:
            break
    assert report is not None
    return report


def assert_matches(
    candidate: Any, method: str | Callable[..., Any], problem: Problem | None = None, **options: Any
) -> None:
    """Raise ``AssertionError`` with the report unless the candidate agrees; the arguments are those of :func:`check`.

    >>> import secondorder as so
    >>> assert_matches(so.diagonal.adam, "adam", steps=5)
    """
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
) -> Any:
    particles = info.kind == "sampler"
    if info.grid is not None and grid is None:
        grid = noise_grid(steps, *info.grid)
    steps = steps if grid is None else 100_000  # to the end of the grid
    for problem in problems:
        start = x0
        if particles and x0 is None:
            scale = 1.0 if grid is None else grid.levels[0].sigma
            start = scale * np.random.default_rng(seed).standard_normal((50, problem.x0.shape[0]))  # type: ignore[union-attr]
        yield record(
            candidate, problem, start, steps=steps, seed=seed, batch_size=hyper.get("batch_size"), grid=grid,
            particles=particles,
        )  # fmt: skip


def _judged(
    function: Callable[..., Any], hyper: dict[str, Any], recording: Recording, tolerance: float | None, diagnose: bool
) -> Report:
    info = function.method  # type: ignore[attr-defined]
    name = "recorded" if recording.problem is None else recording.problem.name
    if not recording.rows:
        nothing = Match({}, {}, None, 0)
        return Report(recording.name, info.name, hyper, name, recording.epsilon, nothing, failure=recording.failure)
    hyper = {**recording.hyper, **hyper}
    found = match(function, hyper, recording, tolerance)
    own = _alone(function, hyper, recording)
    failure = "" if own is not None and own.failure == recording.failure else recording.failure
    explanation = None
    if diagnose and found.first is not None and not failure:
        from secondorder.validate.diagnosis import explain

        explanation = explain(function, hyper, recording, found)
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
    )


def _missing(
    function: Callable[..., Any], hyper: Mapping[str, Any], recording: Recording, found: Match
) -> tuple[str, ...]:
    from secondorder.validate.forcing import follow

    rows = [row for row, _ in zip(follow(function, hyper, recording), range(2))]
    told = dict.fromkeys(name for account in accounts(rows) for name in account)
    return tuple(name for name in told if name not in (*found.errors, *AT_THE_POINT))


def _alone(function: Callable[..., Any], hyper: Mapping[str, Any], recording: Recording) -> Recording | None:
    """The reference run by itself, as the candidate was."""
    if recording.problem is None:
        return None
    return record(
        Candidate("reference", functools.partial(function, **hyper)),
        recording.problem,
        recording.rows[0].x,
        steps=len(recording.rows) - (not recording.failure),
        seed=recording.seed,
        grid=recording.grid,
        particles=function.method.kind == "sampler",  # type: ignore[attr-defined]
    )


def _apart(own: Recording, recording: Recording) -> np.ndarray:
    """The distance of two runs over the size of x."""
    pairs = zip(own.rows, recording.rows)
    return np.asarray([norm(a.x - b.x) / max(norm(a.x), norm(b.x), 1e-300) for a, b in pairs])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return os.fspath(value) if isinstance(value, os.PathLike) else value
