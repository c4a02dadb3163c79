"""What an implementation may do to a method as a whole, whatever its source: scale, delay, show something else."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from secondorder.ledger import Ledger
from secondorder.linalg import Layer
from secondorder.oracles import Problem
from secondorder.run import Iterate
from secondorder.validate.recording import UNSHIFTED, tapped

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
Rows = Iterable[Iterate]


def through(
    asked: Callable[[Ledger], Ledger] | None = None, shown: Callable[[Rows], Iterator[Iterate]] | None = None
) -> Wrap:
    """A change to what a method is told, or to what is seen of its iterates."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def seen(problem: Ledger, **hyper: Any) -> Rows:
            rows = function(problem if asked is None else asked(problem), **hyper)
            return rows if shown is None else shown(rows)

        return seen

    return wrap


def answers(change: Callable[[str, tuple[Any, ...], Any], Any]) -> Wrap:
    """Every answer of the problem becomes ``change(oracle, arguments, answer)``."""

    def ask(batch: Problem, oracle: str, *arguments: Any, **options: float) -> Any:
        return change(oracle, arguments, getattr(batch, oracle)(*arguments, **options))

    def asked(problem: Ledger) -> Ledger:
        changed = copy.copy(problem)
        changed.problem = tapped(problem.problem, ask)
        return changed

    return through(asked=asked)


def scaled_answers(oracles: Iterable[str], factor: float) -> Wrap:
    chosen = tuple(oracles)

    def change(oracle: str, arguments: tuple[Any, ...], answer: Any) -> Any:
        if oracle not in chosen:
            return answer
        if oracle == "signals":
            return tuple(Layer(inputs, factor * signals) for inputs, signals in answer)
        return tuple(factor * part for part in answer) if isinstance(answer, tuple) else factor * answer

    return answers(change)


def limited_answers(calls: int) -> Wrap:
    """After so many questions there is no answer."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def seen(problem: Ledger, **hyper: Any) -> Any:
            left = iter(range(calls))

            def change(oracle: str, arguments: tuple[Any, ...], answer: Any) -> Any:
                if next(left, None) is None:
                    raise RuntimeError(f"more than {calls} questions")
                return answer

            return answers(change)(function)(problem, **hyper)

        return functools.wraps(function)(seen)

    return wrap


def late_answers(oracle: str) -> Wrap:
    """Each answer is that to the question before."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def seen(problem: Ledger, **hyper: Any) -> Any:
            last: list[Any] = []

            def change(asked: str, arguments: tuple[Any, ...], answer: Any) -> Any:
                if asked != oracle:
                    return answer
                last.append(answer)
                return last[-2:][0]

            return answers(change)(function)(problem, **hyper)

        return functools.wraps(function)(seen)

    return wrap


def decayed_gradient(rate: float) -> Wrap:
    return answers(lambda oracle, arguments, answer: answer + rate * arguments[0] if oracle == "grad" else answer)


def decayed_step(rate: float) -> Wrap:
    return changed_step(lambda: lambda x, step: step - rate * x)


def scaled_step(factor: float) -> Wrap:
    return changed_step(lambda: lambda x, step: factor * step)


def late_step(steps: int) -> Wrap:
    def begin() -> Callable[[Any, Any], Any]:
        told: list[Any] = []

        def change(x: Any, step: Any) -> Any:
            told.append(step)
            return told[-1 - steps] if len(told) > steps else 0.0 * step

        return change

    return changed_step(begin)


def changed_step(begin: Callable[[], Callable[[Any, Any], Any]]) -> Wrap:
    """From x go ``change(x, step)`` in place of the step, ``change = begin()``; what is asked is asked as far beside x as
    it was meant to be.
    """

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def seen(problem: Ledger, **hyper: Any) -> Iterator[Iterate]:
            own = shown = problem.x

            def ask(batch: Problem, oracle: str, *arguments: Any, **options: float) -> Any:
                point, *rest = arguments
                if oracle not in UNSHIFTED:
                    point = shown if np.array_equal(point, own) else point + (shown - own)
                return getattr(batch, oracle)(point, *rest, **options)

            changed = copy.copy(problem)
            changed.problem, change = tapped(problem.problem, ask), begin()
            for k, row in enumerate(function(changed, **hyper)):
                if k == 0:
                    yield row
                    continue
                step = change(shown, row.quantities.get("step", row.x - own))
                own, shown = row.x, shown + step
                yield Iterate(shown, **{**row.quantities, "step": step})

        return seen

    return wrap


def both(first: Wrap | None, second: Wrap) -> Wrap:
    return second if first is None else lambda function: second(first(function))


def shown_as(name: str, change: Callable[[Any, int], Any]) -> Wrap:
    """Show ``change(value, k)`` for a quantity of the k-th iterate."""

    def shown(rows: Rows) -> Iterator[Iterate]:
        for k, row in enumerate(rows):
            if name in row.quantities:
                value = row.quantities[name]
                told = tuple(change(part, k) for part in value) if isinstance(value, tuple) else change(value, k)
                yield Iterate(row.x, **{**row.quantities, name: told})
            else:
                yield row

    return through(shown=shown)


def exchanged(name: str, other: str) -> Wrap:
    """Show each of two quantities as the other."""

    def shown(rows: Rows) -> Iterator[Iterate]:
        for row in rows:
            told = {name: row.quantities.get(other), other: row.quantities.get(name)}
            yield Iterate(row.x, **{**row.quantities, **told})

    return through(shown=shown)


def shown_late(names: Iterable[str], steps: int) -> Wrap:
    """Show of some quantities the values so many steps before; none at first."""
    chosen = tuple(names)

    def shown(rows: Rows) -> Iterator[Iterate]:
        told: list[Mapping[str, Any]] = []
        for row in rows:
            told.append(row.quantities)
            before = told[-1 - steps] if len(told) > steps else {}
            late = {name: before.get(name) for name in chosen if name in row.quantities}
            yield Iterate(row.x, **{**row.quantities, **late})

    return through(shown=shown)


def conventions(decays: Mapping[str, float]) -> Iterator[tuple[str, Callable[[Any, int], Any]]]:
    """In what other ways a quantity is kept, and by what each becomes that."""
    for decay, beta in decays.items():
        yield from _averages(decay, beta)
    yield "as its root", lambda v, k: np.sqrt(np.abs(v))
    yield "as its square", lambda v, k: v * v
    yield "as its reciprocal", lambda v, k: 1.0 / v
    yield "with the other sign", lambda v, k: -v
    yield "in magnitude", lambda v, k: np.abs(v)
    yield "transposed", lambda v, k: np.asarray(v).T
    yield "inverted", lambda v, k: np.linalg.inv(v)


def _averages(decay: str, beta: float) -> Iterator[tuple[str, Callable[[Any, int], Any]]]:
    yield f"divided by 1 - {decay}**t", lambda v, k: v / (1.0 - beta**k)
    yield f"times 1 - {decay}**t", lambda v, k: v * (1.0 - beta**k)
    yield f"divided by 1 - {decay}", lambda v, k: v / (1.0 - beta)
    yield f"times 1 - {decay}", lambda v, k: v * (1.0 - beta)
    yield f"as a root, divided by 1 - {decay}**t", lambda v, k: np.sqrt(np.abs(v) / (1.0 - beta**k))


def flattenings(split: Callable[[Any], tuple[Any, ...]]) -> Iterator[tuple[str, Callable[[Any, int], Any]]]:
    """Other orders of the entries of a vector of parameters."""

    def each(order: Callable[[Any], list[Any]]) -> Callable[[Any, int], Any]:
        return lambda v, k: np.concatenate([part for W in split(v) for part in order(np.asarray(W))])

    yield "with each layer flattened column by column", each(lambda W: [W.T.ravel()])
    yield "with the weights of each layer before its biases", each(lambda W: [W[:, :-1].ravel(), W[:, -1]])
    yield "with the biases of each layer before its weights", each(lambda W: [W[:, -1], W[:, :-1].ravel()])
