"""A problem known by nothing but the answers on record: what a recorded file is held against."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from secondorder.arrays import Array
from secondorder.linalg.layers import join, split
from secondorder.oracles import ORACLES, Problem
from secondorder.sets.feasible_set import FeasibleSet

if TYPE_CHECKING:
    from secondorder.catalogue import Method
    from secondorder.run import Iterate
    from secondorder.validate.recording import Query, Recording

NEAR = 1e-6
"""Questions so far apart, relative to the size of what is asked, are one where nothing else is known of the problem."""


class Unanswered(ValueError):
    """A question that is not on record."""


class Answered(Problem):
    """The problem of a recording that has none: its oracles are those on record, and what else a method reads of a problem
    is taken from ``recording.facts``: ``l2``, ``residual_weight``, ``linear``, ``shapes`` of the layers, and for each
    row the ``atoms`` and ``weights`` of its point."""

    def __init__(self, recording: Recording) -> None:
        asked = [query for queries in recording.queries for query in queries]
        start, facts = np.asarray(recording.rows[0].x), recording.facts
        names = dict.fromkeys([*(query.oracle for query in asked), *facts.get("oracles", ())])
        known = {name: functools.partial(self._unplaced, name) for name in names}
        super().__init__(x0=start if start.ndim == 1 else start[0], name="recorded", **known)  # type: ignore[arg-type]
        for name in {"l2", "residual_weight", "linear"} & set(facts):
            setattr(self, name, facts[name])
        if "shapes" in facts:
            self.split = functools.partial(split, shapes=facts["shapes"])
            self.join = join
        if "atoms" in facts:
            self.constraint = _Hull(recording.rows, list(zip(facts["atoms"], facts["weights"], strict=True)))
        self.last = len(recording.rows) - 1
        self.tables = _tables(recording.queries)
        self.tried = bool({"f", "residual"} & set(known))

    def recall(
        self, row: int, oracle: str, arguments: Sequence[Any], options: Mapping[str, float], near: float = NEAR
    ) -> Any:
        """The answer on record to the nearest question, first of those asked about that row; or :class:`Unanswered`.

        The gradient or score of the last point may be missing where no trial point is told by it: no step depends on it, and
        the one before stands for it.
        """
        table = self.tables.get(_kind(oracle, arguments, options))
        if table is not None:
            found = table.nearest(arguments, options, row, near)
            if found is not None:
                return found
            if row == self.last and oracle in ("grad", "score") and not self.tried and table.rows[-1] == row - 1:
                return table.answers[-1]
        if oracle == "domain":
            return True
        raise Unanswered(f"the reference asks {oracle} at a point that the recording has no answer for")

    def _unplaced(self, oracle: str, *arguments: Any, **options: float) -> Any:
        plain = [a for a in arguments if not isinstance(a, np.random.Generator)]
        return self.recall(0, oracle, plain, options)


def require_answers(info: Method, hyper: Mapping[str, Any], recording: Recording) -> None:
    """Raise unless a recording without a problem has answers of every oracle that the method needs."""
    if recording.problem is not None:
        return
    known = recording.answered.oracles
    served = {*known, "hvp"} if "hess" in known else set(known)
    missing = [name for name in info.oracles(hyper) if name not in served]
    if missing:
        raise ValueError(
            f"{recording.name} has answers of {', '.join(known) or 'no oracle'}; {info.name} asks {', '.join(missing)} too: "
            f"add {', '.join(f'{name} ({ORACLES[name]})' for name in missing)}, a row for each iterate"
        )


class _Hull(FeasibleSet):
    """Where a recorded run took place: nothing is known of it but its points as combinations of vertices."""

    def __init__(self, rows: Sequence[Iterate], combinations: list[tuple[Array, Array]]) -> None:
        self.rows, self.combinations = np.stack([row.x for row in rows]), combinations
        self.d, self.start, self.diameter = self.rows.shape[1], self.rows[0], np.inf

    def decompose(self, x: Array) -> tuple[Array, Array]:
        return self.combinations[int(np.argmin(np.max(np.abs(self.rows - x), axis=1)))]

    def lmo(self, grad: Array) -> Array:
        raise Unanswered("the reference asks lmo at a point that the recording has no answer for")

    def violation(self, x: Array) -> float:
        return 0.0


class _Table:
    """Questions of one kind: their rows, their arrays one beside the other, and the answers."""

    def __init__(self, queries: list[tuple[int, Query]]) -> None:
        self.rows = np.asarray([row for row, _ in queries])
        self.answers = [query.answer for _, query in queries]
        asked = [_arrays(query.arguments, query.options) for _, query in queries]
        self.asked = [np.stack(each) for each in zip(*asked, strict=True)]
        self.sizes = [np.maximum(np.max(np.abs(a), axis=1, initial=0.0), 1e-300) for a in self.asked]

    def nearest(self, arguments: Sequence[Any], options: Mapping[str, float], row: int, near: float) -> Any:
        given = _arrays(arguments, options)
        low, high = np.searchsorted(self.rows, [row - 1, row + 2])
        for window in (slice(low, high), slice(None)):
            distances = [
                np.max(np.abs(a[window] - b), axis=1, initial=0.0) / size[window]
                for a, b, size in zip(self.asked, given, self.sizes, strict=True)
            ]
            if len(distances[0]):
                distance = np.max(distances, axis=0)
                found = int(np.argmin(distance))
                if distance[found] <= near:
                    return self.answers[window][found]
        return None


def _tables(rows: Sequence[Sequence[Query]]) -> dict[Any, _Table]:
    kinds: dict[Any, list[tuple[int, Query]]] = {}
    for row, queries in enumerate(rows):
        for query in queries:
            kinds.setdefault(_kind(query.oracle, query.arguments, query.options), []).append((row, query))
    return {kind: _Table(queries) for kind, queries in kinds.items()}


def _kind(oracle: str, arguments: Sequence[Any], options: Mapping[str, float]) -> Any:
    """What two questions must have in common to be compared: all but the entries of arrays."""
    return oracle, tuple(a.shape if isinstance(a, np.ndarray) else a for a in arguments), tuple(sorted(options))


def _arrays(arguments: Sequence[Any], options: Mapping[str, float]) -> list[np.ndarray]:
    numbers = np.asarray([options[name] for name in sorted(options)], dtype=float)
    arrays = [np.ravel(a) for a in arguments if isinstance(a, np.ndarray)]
    return [*arrays, *([numbers] if options else [])]
