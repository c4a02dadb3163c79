"""What a candidate did: its iterates, what it asked of the problem, and what it was told."""

from __future__ import annotations

import copy
import functools
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from secondorder.arrays import Array, frozen
from secondorder.ledger import Ledger, a_problem
from secondorder.oracles import Problem
from secondorder.run import PATIENCE, Iterate, Iterates
from secondorder.schedules import NoiseGrid
from secondorder.validate.answers import Answered

DOUBLE = float(np.finfo(np.float64).eps)

EVERY_LEVEL = 100_000
"""More steps than a grid of noise levels has: a sampler walks to its end."""

UNSHIFTED = ("lmo", "project")
"""Oracles whose argument is not a point of the trajectory."""


@dataclass(frozen=True)
class Candidate:
    """An implementation to be judged: a generator of iterates, as a method is.

    Parameters
    ----------
    name : str
        What the report calls it.
    iterates : function ``(problem, x, **options) -> generator of Iterate``
        Of the options ``rng``, ``batch_size`` and ``grid`` it is handed those that it names. Its problem is a
        ``secondorder.ledger.Ledger``: every answer is checked and frozen.
    epsilon : float, default that of float64
        The rounding unit of the arithmetic it works in.
    """

    name: str
    iterates: Callable[..., Iterates]
    epsilon: float = DOUBLE


@dataclass(frozen=True)
class Query:
    """One question to the problem, or to the batch that stood for it, and its answer."""

    oracle: str
    arguments: tuple[Any, ...]
    options: dict[str, float]
    answer: Any
    problem: Problem


@dataclass(frozen=True)
class Recording:
    """A run of a candidate, a row for each iterate.

    ``queries[k]`` are those at the point of row k, or between it and the next. ``failure`` says in words why the run
    ended early, if it did; the rows up to there are kept. Of a run that was read from a file there is no ``problem``; ``hyper``
    are the hyper-parameters on record, ``facts`` what is known of the problem, see
    ``secondorder.validate.answers.Answered``.
    """

    name: str
    rows: tuple[Iterate, ...]
    queries: tuple[tuple[Query, ...], ...]
    problem: Problem | None
    epsilon: float = DOUBLE
    batch_size: int | None = None
    seed: int = 0
    grid: NoiseGrid | None = None
    failure: str = ""
    status: str = ""
    hyper: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def partial(self) -> bool:
        """Whether it has no problem, and questions were asked that are not on record."""
        return self.problem is None and "oracles" not in self.facts

    @functools.cached_property
    def answered(self) -> Answered:
        """The problem as far as it is on record."""
        return Answered(self)

    @functools.cached_property
    def one_point(self) -> bool:
        """Whether everything was asked at the iterates themselves, nothing at trial points between them."""
        return not self.facts.get("searched") and all(
            any(np.array_equal(query.arguments[0], row.x) for row in self.rows[k : k + 2])
            for k, queries in enumerate(self.queries)
            for query in queries
            if query.oracle not in UNSHIFTED
        )

    def batch(self, k: int) -> Problem:
        """What row k was asked of: the batch of its step, or the problem."""
        for query in self.queries[k] if k < len(self.queries) else ():
            return query.problem
        assert self.problem is not None
        return self.problem


def record(
    candidate: Candidate,
    problem: Problem,
    x0: Any = None,
    *,
    steps: int = 20,
    seed: int = 0,
    batch_size: int | None = None,
    grid: NoiseGrid | None = None,
    particles: bool = False,
    seconds: float = 120.0,
) -> Recording:
    """Run a candidate and write down what it did; what goes wrong in it ends the recording with a ``failure``.

    Parameters
    ----------
    candidate : Candidate
    problem : Problem
    x0 : array, optional
        The start; by default the problem's own.
    steps : int, default 20
        At most ``steps + 1`` rows.
    seed : int, default 0
        Of the generator that the candidate draws batches and probes from.
    batch_size, grid : optional
        Handed on to a candidate that takes them.
    particles : bool, default False
        Whether it is a sampler, and x its cloud of particles.
    seconds : float, default 120
        A candidate that is not done by then is left to itself: the rows up to there are kept, with a ``failure``.

    Returns
    -------
    Recording
        Its start is the given one, rounded to the candidate's precision.

    Raises
    ------
    TypeError, ValueError
        For a problem that is none, or a start that does not fit it.

    >>> import secondorder as so
    >>> def descent(problem, x):
    ...     while True:
    ...         yield so.Iterate(x)
    ...         x = x - 0.1 * problem.grad(x)
    >>> recording = record(Candidate("mine", descent), so.problems.quadratic([1.0, 2.0]), steps=3)
    >>> len(recording.rows), [query.oracle for query in recording.queries[0]]
    (4, ['grad'])
    """
    if not isinstance(candidate, Candidate):
        raise TypeError(f"candidate must be a Candidate; got {type(candidate).__name__}")
    asked: list[Query] = []
    over = threading.Event()

    def ask(batch: Problem, oracle: str, *arguments: Any, **options: float) -> Any:
        if over.is_set():
            raise TimeoutError
        answer = getattr(batch, oracle)(*arguments, **options)
        kept = tuple(_copied(a) for a in arguments if not isinstance(a, np.random.Generator))
        asked.append(Query(oracle, kept, options, _copied(answer), batch))
        return answer

    ledger = Ledger(tapped(a_problem(problem), ask), x0, particles=particles)
    if candidate.epsilon > DOUBLE:
        ledger.x = frozen(ledger.x.astype(np.float32).astype(np.float64))
    start = np.array(ledger.x)
    rows: list[Iterate] = []
    queries: list[list[Query]] = []
    ending: list[str] = []
    offered = {"rng": np.random.default_rng(seed), "batch_size": batch_size, "grid": grid}
    asked.clear()

    def walk() -> None:
        try:
            with np.errstate(all="ignore"):
                iterates = candidate.iterates(ledger, ledger.x, **accepted(candidate.iterates, offered))
                while len(rows) <= steps and not over.is_set():
                    iterate = next(iterates)
                    _check(iterate, start)
                    _assign(asked, iterate, rows, queries)
                    rows.append(iterate)
            ending.extend(("", ""))
        except StopIteration as end:
            ending.extend(("", str(end.value or "finished")))
        except BaseException as error:  # a candidate may even call sys.exit
            ending.extend((_told(error, len(rows)), ""))

    _within(seconds, walk, over, rows, steps)
    failure, status = tuple(ending) or (f"step {len(rows)}: it took longer than {seconds:g} s", "")
    return Recording(
        candidate.name, tuple(rows), tuple(map(tuple, queries)), problem, candidate.epsilon, batch_size, seed, grid,
        failure, status,
    )  # fmt: skip


def tapped(problem: Problem, ask: Callable[..., Any]) -> Problem:
    """A copy whose oracles, and those of its batches, are answered by ``ask(problem, oracle, *arguments, **options)``."""
    tap = copy.copy(problem)
    for oracle in problem.oracles:
        setattr(tap, oracle, functools.partial(ask, problem, oracle))

    def batches(batch_size: int, rng: np.random.Generator) -> Iterator[Problem]:
        for batch in problem.batches(batch_size, rng):
            yield tap if batch is problem else tapped(batch, ask)

    tap.batches = batches  # type: ignore[method-assign]
    return tap


def _within(seconds: float, work: Callable[[], None], over: threading.Event, rows: list[Iterate], steps: int) -> None:
    """Do it on a thread that is left alone when the time is over; a bar tells of its rows if it takes long."""
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        worker.join(min(PATIENCE, seconds))
        end = time.monotonic() + seconds - PATIENCE
        if worker.is_alive() and end > time.monotonic():
            with tqdm(total=steps, desc="candidate", leave=False, disable=None) as bar:
                while worker.is_alive() and time.monotonic() < end:
                    worker.join(0.1)
                    bar.update(len(rows) - 1 - bar.n)
    finally:
        over.set()


def in_one_line(error: BaseException) -> str:
    """The kind of an error and what it says, if it can."""
    try:
        said = " ".join(str(error).split()) or "nothing more"
    except Exception:
        said = "it cannot say what"
    return f"{type(error).__name__}: {said}"


def _told(error: BaseException, step: int) -> str:
    said = in_one_line(error)
    if "read-only" in said:
        said += " (what is handed to a candidate, and what it has yielded, must not be written to)"
    return f"step {step}: {said}"


def accepted(function: Callable[..., Any], offered: dict[str, Any]) -> dict[str, Any]:
    """Of the options those that the function names, and that there are."""
    names = inspect.signature(function).parameters
    everything = any(p.kind is p.VAR_KEYWORD for p in names.values())
    return {name: value for name, value in offered.items() if value is not None and (everything or name in names)}


def _assign(asked: list[Query], iterate: Iterate, rows: list[Iterate], queries: list[list[Query]]) -> None:
    """Put what was asked since the last row to the new row if it was asked at its point, else to the last."""
    queries.append([])
    for query in asked:
        point = query.arguments[0]
        here = not rows or (np.array_equal(point, iterate.x) and not np.array_equal(point, rows[-1].x))
        queries[-1 if here else -2].append(query)
    asked.clear()


def _check(iterate: Any, start: Array) -> None:
    if not isinstance(iterate, Iterate):
        raise TypeError(f"a candidate yields secondorder.Iterate(x, ...); got {type(iterate).__name__}")
    x = np.asarray(iterate.x)
    if x.shape != start.shape:
        raise ValueError(f"x must have shape {start.shape}; got {x.shape}")
    if not np.all(np.isfinite(x)):
        raise FloatingPointError("x is not finite")


def _copied(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else value
