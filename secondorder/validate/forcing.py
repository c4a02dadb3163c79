r"""The reference, led along a recording: what it asks is answered as the candidate was answered.

Two runs of one method part by rounding, and on a hard problem rounding grows into a difference that means nothing. So the
reference asks at (its point minus its present offset from the candidate), and where the candidate asked the same the
answer is the recorded one. Both then see the same derivatives, and whatever differs in a step was computed differently.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from secondorder.arrays import Array
from secondorder.ledger import Ledger
from secondorder.oracles import Problem
from secondorder.run import Iterate
from secondorder.validate.answers import NEAR
from secondorder.validate.recording import UNSHIFTED, Query, Recording, tapped

COINCIDENCE = 2.0**12
"""Points so many rounding units apart are one."""


def follow(
    function: Callable[..., Any],
    hyper: Mapping[str, Any],
    recording: Recording,
    rounding: np.random.Generator | None = None,
) -> Iterator[Iterate]:
    """The iterates of a method with these hyper-parameters, led along a recording, at most as many as that has rows.

    With ``rounding``, every answer is changed at random by the rounding unit of its largest entry: what moves then, and
    how far, is what rounding can explain.
    """
    replay = Replay(recording, rounding)
    info = function.method  # type: ignore[attr-defined]
    tries = "f" in info.oracles(hyper)  # a method that compares values asks at trial points
    replay.one_point = recording.one_point and not tries
    start = recording.rows[0].x
    ledger = Ledger(tapped(replay.problem, replay.answer), start, particles=info.kind == "sampler")
    options: dict[str, Any] = {} if recording.grid is None else {"grid": recording.grid}
    names = {p.name for p in info.parameters}
    if recording.batch_size is not None and "batch_size" in names:
        options["batch_size"] = recording.batch_size
    if "rng" in inspect.signature(info.function).parameters:
        options["rng"] = replay.rng("probe" in names)
    with np.errstate(all="ignore"):
        for k, iterate in enumerate(function(ledger, **{**options, **hyper})):
            replay.row, replay.x = k, iterate.x
            yield iterate
            if k + 1 == len(recording.rows):
                return


class Replay:
    """Answers as the candidate was answered. ``row`` and ``x`` are the reference's last iterate."""

    def __init__(self, recording: Recording, rounding: np.random.Generator | None = None) -> None:
        self.recording, self.rounding = recording, rounding
        self.row, self.x = -1, recording.rows[0].x
        self.one_point = recording.one_point
        self._kinds: dict[int, dict[Any, tuple[list[Query], list[Array]]]] = {}
        self.problem = recording.problem if recording.problem is not None else recording.answered

    def answer(self, batch: Problem, oracle: str, *arguments: Any, **options: float) -> Any:
        """The recorded answer to the same question, or that of the problem at the shifted point."""
        row = max(self.row, 0)
        if oracle in UNSHIFTED:
            point = arguments[0]
        elif self.one_point:
            row += not np.array_equal(arguments[0], self.x)
            point = self.recording.rows[min(row, len(self.recording.rows) - 1)].x
        else:
            point = arguments[0] - (self.x - self.recording.rows[row].x)
        plain = [a for a in arguments[1:] if not isinstance(a, np.random.Generator)]
        query = self._same_asked(row, oracle, (point, *plain), options)
        if query is not None:
            return self._rounded(query.answer, oracle)
        if self.recording.problem is None:
            near = NEAR if self.rounding is None else np.inf
            return self._rounded(self.recording.answered.recall(row, oracle, [point, *plain], options, near), oracle)
        return self._rounded(getattr(self.recording.batch(row), oracle)(point, *arguments[1:], **options), oracle)

    def _same_asked(self, row: int, oracle: str, arguments: tuple[Any, ...], options: dict[str, float]) -> Query | None:
        """The same question on record at this row or those beside it, the nearest if there are several."""
        queries, stacks = self._nearby(row).get(_signature(oracle, arguments, options), ([], []))
        apart, same = np.zeros(len(queries)), np.ones(len(queries), dtype=bool)
        for argument, stack in zip(filter(_is_array, arguments), stacks):
            size = np.max(np.abs(stack), axis=1, initial=1e-300)
            error = np.max(np.abs(stack - argument.ravel()), axis=1, initial=0.0) / size
            apart, same = np.maximum(apart, error), same & (error <= COINCIDENCE * self.recording.epsilon)
        return queries[int(np.argmin(np.where(same, apart, np.inf)))] if np.any(same) else None

    def _nearby(self, row: int) -> dict[Any, tuple[list[Query], list[Array]]]:
        """Questions of one kind together, with a matrix for each argument that is an array, a row for each question."""
        if row not in self._kinds:
            kinds: dict[Any, list[Query]] = {}
            for query in itertools.chain(*self.recording.queries[max(row - 1, 0) : row + 2]):
                kinds.setdefault(_signature(query.oracle, query.arguments, query.options), []).append(query)
            self._kinds = {row: {kind: (queries, _stacked(queries)) for kind, queries in kinds.items()}}
        return self._kinds[row]

    def _rounded(self, answer: Any, oracle: str = "") -> Any:
        if self.rounding is None or isinstance(answer, bool) or oracle in UNSHIFTED:
            return answer
        if isinstance(answer, tuple):
            return (
                type(answer)(*map(self._rounded, answer))
                if hasattr(answer, "_fields")
                else tuple(map(self._rounded, answer))
            )
        answer = np.asarray(answer)
        size = self.recording.epsilon * float(np.max(np.abs(answer), initial=0.0))
        noise = self.rounding.uniform(-1.0, 1.0, answer.shape)
        if answer.ndim == 2 and answer.shape[0] == answer.shape[1]:
            noise = (noise + noise.T) / 2.0
        return answer + size * noise if answer.ndim else float(answer + size * noise)

    def rng(self, probes: bool) -> np.random.Generator:
        """A generator that gives the same draws as the candidate's: the same seed, and the probes that it was seen to use."""
        generator = np.random.default_rng(self.recording.seed)
        return Draws(generator.bit_generator, self) if probes else generator


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _signature(oracle: str, arguments: tuple[Any, ...], options: Mapping[str, float]) -> tuple[Any, ...]:
    """What two questions share that can be the same: all but the numbers in their arrays."""
    return oracle, *((a.shape if _is_array(a) else a) for a in arguments), *sorted(options.items())


def _stacked(queries: list[Query]) -> list[Array]:
    by_position = zip(*(filter(_is_array, query.arguments) for query in queries))
    return [np.asarray([argument.ravel() for argument in arguments]) for arguments in by_position]


class Draws(np.random.Generator):
    """A generator whose random probes are the vectors that the candidate multiplied by the Hessian."""

    def __init__(self, bit_generator: Any, replay: Replay) -> None:
        super().__init__(bit_generator)
        self.replay, self.seen, self.row = replay, 0, -1

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        seeds = self.bit_generator.seed_seq.spawn(n_children)  # type: ignore[attr-defined]
        return [Draws(type(self.bit_generator)(seed), self.replay) for seed in seeds]

    def _probes(self, size: tuple[int, ...]) -> Array | None:
        row = max(self.replay.row, 0)
        if row != self.row:
            self.seen, self.row = 0, row
        queries = self.replay.recording.queries[row] if row < len(self.replay.recording.queries) else ()
        used = [query.arguments[1] for query in queries if query.oracle == "hvp"][self.seen : self.seen + size[0]]
        self.seen += size[0]
        return np.stack(used) if len(used) == size[0] and np.shape(used) == size else None

    def integers(self, low: Any, high: Any = None, size: Any = None, **options: Any) -> Any:  # type: ignore[override]
        drawn = super().integers(low, high, size, **options)
        used = self._probes(size) if isinstance(size, tuple) and len(size) == 2 else None
        return drawn if used is None else (used + 1.0) / 2.0

    def standard_normal(self, size: Any = None, **options: Any) -> Any:  # type: ignore[override]
        drawn = super().standard_normal(size, **options)
        used = self._probes(size) if isinstance(size, tuple) and len(size) == 2 else None
        return drawn if used is None else used
