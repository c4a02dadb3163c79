"""What explains a difference: the smallest set of changes to the reference under which it agrees."""

from __future__ import annotations

import functools
import inspect
import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from tqdm.auto import tqdm

from secondorder.catalogue import Parameter
from secondorder.ledger import Ledger
from secondorder.validate import transformations as transform
from secondorder.validate.comparison import AT_THE_POINT, Difference, Match, accounts, first_difference, match
from secondorder.validate.forcing import follow
from secondorder.validate.recording import Candidate, Recording, record
from secondorder.validate.rewrites import Edit, Switch, edits, executed, line_of, literals, places, rewritten

SECONDS = 15.0
"""How long the search may take, in time of the processor."""

DEPTH, BEAM = 3, 4
"""At most so many changes together; so many sets of changes are carried on to the next depth."""

ALTERNATIVES = 3
"""At most so many other explanations are told."""

INTEGERS = (*range(1, 13), 15, 20, 25, 30, 50, 64, 100, 128)
"""What a whole number is tried as."""

IN_PLACE_OF_ZERO = (1.0, 0.5, -1.0)

SHRUNK = 3.0
"""A change is also progress if it makes the first difference so many times smaller."""


NEARLY = 1e-6
"""A difference so small may be rounding."""


@dataclass(frozen=True)
class Explanation:
    """The changes to the reference under which it agrees; none where nothing was found.

    ``alternatives`` are other sets of changes that explain it as well, ``tried`` how many were tried, ``cut`` whether the
    search came to its limit of time.
    """

    switches: tuple[Switch, ...]
    alternatives: tuple[tuple[Switch, ...], ...] = ()
    tried: int = 0
    cut: bool = False

    def __bool__(self) -> bool:
        return bool(self.switches)

    def __str__(self) -> str:
        if self.switches:
            words = " and ".join(map(str, self.switches))
            return f"it equals the reference {words if words.startswith('without') else 'with ' + words}"
        return "no change known here explains it" + (" (the search was cut short)" if self.cut else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values only."""
        return {
            "switches": [_plain(switch) for switch in self.switches],
            "alternatives": [[_plain(switch) for switch in each] for each in self.alternatives],
            "tried": self.tried,
            "cut": self.cut,
        }


def _plain(switch: Switch) -> dict[str, Any]:
    where = None if switch.where is None else list(switch.where)
    return {"kind": switch.kind, "words": switch.words, "where": where, "change": dict(switch.change)}


@dataclass(frozen=True, eq=False)
class Change:
    """A switch, and how it is made: other hyper-parameters, an edit of the source, or a transformation."""

    switch: Switch
    hyper: Mapping[str, Any] = field(default_factory=dict)
    edit: Edit | None = None
    wrap: transform.Wrap | None = None


@dataclass(frozen=True, eq=False)
class Family:
    """Changes by a number; ``scale`` is the coordinate in which it is sought."""

    start: float
    scale: str
    make: Callable[[float], Change]
    named: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Group:
    """Changes of one sort; of those after a ``final`` one none is tried if something explains."""

    changes: Iterator[Any]
    final: bool = False

    def __iter__(self) -> Iterator[Any]:
        return self.changes


Trial = tuple[tuple[Change, ...], Difference]
"""Some changes, and the first difference with them."""


def explain(
    function: Callable[..., Any],
    hyper: Mapping[str, Any],
    recording: Recording,
    found: Match,
    others: Callable[[], Sequence[Recording]] = tuple,
) -> Explanation | None:
    """Search for the smallest set of changes to the reference under which it agrees with the candidate.

    Tried are the method's variants and hyper-parameters, numbers being fitted; transformations of the whole, such as a scale
    or a delay; and the method's source with one thing changed (:mod:`secondorder.validate.rewrites`). A change that moves the
    first difference on is kept, and others are tried on top, three at most.

    Parameters
    ----------
    function : a method
    hyper : its hyper-parameters
    recording : Recording
        Of the candidate.
    found : Match
        How the two compare.
    others : function that gives recordings, default none
        Of the same candidate on other problems: there the explanation must hold too. Called once something is found.

    Returns
    -------
    Explanation or None
        None if there is nothing to explain. Every explanation passes the whole comparison.

    >>> import secondorder as so
    >>> from secondorder.validate.recording import Candidate, record
    >>> def mine(problem, x):
    ...     return so.diagonal.adam(problem, x, beta2=0.99)
    >>> run = record(Candidate("mine", mine), so.problems.rosenbrock(), steps=5)
    >>> print(explain(so.diagonal.adam, {}, run, match(so.diagonal.adam, {}, run)))
    it equals the reference with beta2=0.99 (default: 0.999) [secondorder/diagonal/adam.py, line 157]
    """
    if found.first is None:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return _Search(function, hyper, recording, found, others).explanation()


class _Search:
    def __init__(
        self,
        function: Callable[..., Any],
        hyper: Mapping[str, Any],
        recording: Recording,
        found: Match,
        others: Callable[[], Sequence[Recording]],
    ) -> None:
        assert found.first is not None
        self.others = functools.cache(others)
        self.function, self.hyper, self.recording, self.found = function, dict(hyper), recording, found
        self.info = function.method  # type: ignore[attr-defined]
        self.loose = _loosened(found)
        self.ended = bool(recording.status and recording.problem and found.first.step >= len(recording.rows))
        self.values = {**self.info.defaults(), **self.hyper}
        self.order = [name for name in found.errors if name != "step"] + ["step"]
        self.began, self.tried, self.cut = time.process_time(), 0, False
        self.bar: tqdm | None = None

    def explanation(self) -> Explanation:
        with tqdm(desc="diagnosis", unit=" changes", delay=2.0, disable=None, leave=False) as self.bar:
            assert self.found.first is not None
            beam: list[Trial] = [((), self.found.first)]
            for depth in range(DEPTH):
                explained, progress = self._widened(beam, depth)
                if not explained and not depth:
                    explained = self._together(progress)
                if explained or self.cut:
                    break
                progress = [trial for trial in progress if self._nearer(trial[1], beam[-1][1])]
                beam = self._best(progress)[: BEAM // (depth + 1)]
                if not beam:
                    break
        sets: list[tuple[Switch, ...]] = []
        for changes in explained:
            switches = tuple(change.switch for change in changes)
            if all([dict(a.change) for a in switches] != [dict(b.change) for b in other] for other in sets):
                sets.append(switches)
        first, rest = (sets[0], sets[1:]) if sets else ((), [])
        return Explanation(first, tuple(_various(rest)[:ALTERNATIVES]), self.tried, self.cut and not first)

    def _best(self, progress: list[Trial]) -> list[Trial]:
        """The best first; of those that come equally far the first alone: several numbers can be fitted to one difference."""
        best: list[Trial] = []
        for trial in sorted(progress, key=lambda trial: self._rank(trial[1]), reverse=True):
            place, error = self._rank(trial[1])[:2], trial[1].error
            if not any(
                self._rank(other)[:2] == place and np.isclose(other.error, error, rtol=1e-3, atol=0.0)
                for _, other in best
            ):
                best.append(trial)
        return best

    def _widened(self, beam: list[Trial], depth: int) -> tuple[list[tuple[Change, ...]], list[Trial]]:
        """Of each set of changes those with one more: what explains the candidate, and what leads elsewhere."""
        explained: list[tuple[Change, ...]] = []
        progress: list[Trial] = []
        for changes, difference in beam:
            for group in self._groups(changes, difference, depth):
                for one in group:
                    if self._late():
                        return explained, progress
                    more = self._fitted(changes, difference, (one,)) if isinstance(one, Family) else (one,)
                    if more is None:
                        continue
                    new = self._difference((*changes, *more))
                    if new is None and self._confirmed((*changes, *more)):
                        explained.append((*changes, *more))
                        if depth:
                            return explained, progress
                        continue
                    new = new or self._difference((*changes, *more), self.found)
                    if new is not None and new.step >= difference.step:
                        progress.append(((*changes, *more), new))
                if explained and group.final:
                    break
        return explained, progress

    def _together(self, progress: list[Trial]) -> list[tuple[Change, ...]]:
        """Two changes that show only together: two variants, another setting and a number, or two numbers."""
        assert self.found.first is not None
        for pair in itertools.combinations(self._variants(()), 2):
            if self._late():
                break
            if self._difference(pair) is None and self._confirmed(pair):
                return [pair]
        place = self._rank(self.found.first)[:2]
        settings = [
            trial
            for trial in progress
            if trial[0][0].switch.kind in ("variant", "hyperparameter")
            and self._rank(trial[1])[:2] == place
            and not isinstance(next(iter(trial[0][0].hyper.values())), int)
        ]
        numbers = [family for family in self._numbers() if self._responds((), self.found.first, family)]
        pairs = itertools.chain(
            ((changes, difference, (family,)) for changes, difference in settings for family in self._numbers()),
            (((), self.found.first, pair) for pair in itertools.combinations(numbers, 2)),
        )
        for changes, difference, families in pairs:
            if self._late():
                break
            more = self._fitted(changes, difference, families)
            if more is not None and len({name for c in (*changes, *more) for name in c.hyper}) > 1:
                trial = (*changes, *more)
                if self._difference(trial) is None and self._confirmed(trial):
                    return [trial]
        return []

    def _late(self) -> bool:
        self.cut = self.cut or time.process_time() - self.began > SECONDS
        return self.cut

    def _groups(self, changes: tuple[Change, ...], difference: Difference, depth: int) -> Iterator[Group]:
        yield Group(itertools.chain(self._variants(changes), self._hyper(), self._numbers()), final=True)
        yield Group(self._transformations(difference))
        if depth < 2:
            yield Group(self._edits(depth), final=True)
            yield Group(self._literals(depth), final=True)

    def _realised(self, changes: tuple[Change, ...]) -> tuple[Callable[..., Any], dict[str, Any]]:
        function, hyper = self.function, dict(self.hyper)
        source = tuple(change.edit for change in changes if change.edit is not None)
        if source:
            function = transform.limited_answers(self._questions)(rewritten(function, source))
        for change in changes:
            hyper.update(change.hyper)
            if change.wrap is not None:
                function = change.wrap(function)
        return function, hyper

    @functools.cached_property
    def _questions(self) -> int:
        """More than a reference needs that still makes sense."""
        return 1000 + 20 * sum(map(len, self.recording.queries))

    def _difference(self, changes: tuple[Change, ...], allowed: Match | None = None) -> Difference | None:
        self.tried += 1
        if self.bar is not None:
            self.bar.update()
        try:
            function, hyper = self._realised(changes)
            different = first_difference(function, hyper, self.recording, allowed or self.loose)
            return self.found.first if different is None and not self._ends_alike(function, hyper) else different
        except Exception:
            return Difference(0, "x", np.inf, 0.0)

    def _ends_alike(self, function: Callable[..., Any], hyper: Mapping[str, Any]) -> bool:
        """Where the candidate ended by itself and the reference did not: whether with the changes it does too, there."""
        if not self.ended:
            return True
        run = self._alone(function, hyper)
        return run.status == self.recording.status and len(run.rows) == len(self.recording.rows)

    def _alone(self, function: Callable[..., Any], hyper: Mapping[str, Any]) -> Recording:
        """A run that is not led, a little longer than that of the candidate."""
        rows, problem = self.recording.rows, self.recording.problem
        assert problem is not None
        draws = "rng" in inspect.signature(self.info.function).parameters

        def iterates(problem: Ledger, x: Any, rng: np.random.Generator) -> Any:
            return function(problem, **({"rng": rng} if draws else {}), **hyper)

        alone = Candidate("alone", iterates)
        return record(alone, problem, rows[0].x, steps=len(rows) + 1, seed=self.recording.seed)

    def _confirmed(self, changes: tuple[Change, ...]) -> bool:
        """Whether it passes the whole comparison, and that still judges what differed."""
        assert self.found.first is not None
        try:
            function, hyper = self._realised(changes)
            whole = match(function, hyper, self.recording)
        except Exception:
            return False
        first = self.found.first
        allowed = whole.tolerances.get(first.quantity, np.zeros(0))
        if self.ended:
            return whole.agrees and self._ends_alike(function, hyper) and self._holds(function, hyper)
        if first.quantity == "x" and first.error == np.inf:  # the reference broke down, or asked what is not on record
            judged = whole.steps >= max(first.step, 1)
        elif any(change.switch.kind == "delay" for change in changes):  # it may have nothing to show at first
            judged = bool(np.any(np.isfinite(allowed)))
        else:
            judged = first.step < len(allowed) and allowed[first.step] * SHRUNK < first.error
        return bool(judged and whole.agrees and whole.steps >= first.step) and self._holds(function, hyper)

    def _holds(self, function: Callable[..., Any], hyper: Mapping[str, Any]) -> bool:
        """Whether nothing differs on the other problems."""
        try:
            return all(match(function, hyper, other).agrees for other in self.others())
        except Exception:
            return False

    def _rank(self, difference: Difference) -> tuple[int, int, float]:
        place = self.order.index(difference.quantity) if difference.quantity in self.order else -1
        return difference.step, place, -difference.error

    def _nearer(self, new: Difference, old: Difference) -> bool:
        if new.quantity == "x" and new.error == np.inf:  # it broke down
            return False
        a, b = self._rank(new), self._rank(old)
        return a[:2] > b[:2] or (a[:2] == b[:2] and new.error * SHRUNK < old.error)

    def _value(self, changes: tuple[Change, ...], difference: Difference) -> np.ndarray:
        """The reference's value of the quantity that differs first, flattened."""
        function, hyper = self._realised(changes)
        rows = itertools.islice(accounts(follow(function, hyper, self.recording)), difference.step + 1)
        *_, account = rows
        return _flat(account[difference.quantity])

    def _residual(
        self, changes: tuple[Change, ...], difference: Difference, families: tuple[Family, ...]
    ) -> Callable[[Any], np.ndarray]:
        """What is left of the first difference, over its size, at given coordinates of some numbers."""
        walk = itertools.islice(accounts(self.recording.rows), difference.step + 1)
        theirs = _flat(list(walk)[-1].get(difference.quantity))
        size = float(np.max(np.abs(theirs), initial=0.0)) or 1.0

        def residual(coordinates: Any) -> np.ndarray:
            self.tried += 1
            numbers = [COORDINATES[family.scale][1](float(u)) for family, u in zip(families, coordinates)]
            try:
                value = self._value(
                    (*changes, *(family.make(number) for family, number in zip(families, numbers))), difference
                )
                good = value.shape == theirs.shape and bool(np.all(np.isfinite(value)))
            except Exception:
                good = False
            return (value - theirs) / size if good else np.full(theirs.shape, 1e3)

        return residual

    def _responds(self, changes: tuple[Change, ...], difference: Difference, family: Family) -> bool:
        residual, start = self._residual(changes, difference, (family,)), COORDINATES[family.scale][0](family.start)
        first, second = residual([start]), residual([start + 1e-2])
        return (
            first.size > 0
            and not np.array_equal(first, second)
            and bool(np.max(np.abs(second)) < 10.0 * np.max(np.abs(first)) + 10.0)
        )

    def _fitted(
        self, changes: tuple[Change, ...], difference: Difference, families: tuple[Family, ...]
    ) -> tuple[Change, ...] | None:
        """The changes by the numbers that remove the first difference, if there are such; as round as will do."""
        if len(families) == 1 and not self._responds(changes, difference, families[0]):
            return None
        residual = self._residual(changes, difference, families)
        start = [float(COORDINATES[family.scale][0](family.start)) for family in families]
        before = float(np.max(np.abs(residual(start)), initial=0.0))
        limit = 30 * len(families)
        try:
            method = "lm" if residual(start).size >= len(families) else "trf"
            fit = least_squares(residual, start, method=method, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=limit)
        except Exception:
            return None
        numbers = [float(COORDINATES[family.scale][1](u)) for family, u in zip(families, fit.x)]
        if not np.all(np.isfinite(numbers)) or np.max(np.abs(fit.fun)) * SHRUNK > before:
            return None
        try:
            return self._rounded(changes, difference, families, numbers)
        except ValueError:  # outside the domain
            return None

    def _rounded(
        self, changes: tuple[Change, ...], difference: Difference, families: tuple[Family, ...], numbers: list[float]
    ) -> tuple[Change, ...] | None:
        made = [family.make(number) for family, number in zip(families, numbers)]
        best = self._difference((*changes, *made))
        if best is not None and not self._nearer(best, difference):
            return None
        for k, (family, value) in enumerate(zip(families, numbers)):
            for number in _round(value, family.named):
                trial = [*made[:k], family.make(number), *made[k + 1 :]]
                new = self._difference((*changes, *trial))
                if new is None or (
                    best is not None
                    and self._rank(new)[:2] >= self._rank(best)[:2]
                    and (self._rank(new)[:2] > self._rank(difference)[:2])
                ):
                    made = trial
                    break
        return tuple(made)

    def _variants(self, changes: tuple[Change, ...]) -> Iterator[Change]:
        if any(change.switch.kind == "variant" for change in changes):
            return
        for name, hyper in self.info.variants.items():
            new = {key: value for key, value in hyper.items() if self.values[key] != value}
            if new:
                where = places(self.function, next(iter(new)))
                words = ", ".join(self._said(key, value) for key, value in new.items())
                yield Change(Switch("variant", f'{words}, the variant "{name}"', where, new), new)
            structural = {k: v for k, v in new.items() if not isinstance(v, float)}
            if 0 < len(structural) < len(new):
                words = ", ".join(self._said(key, value) for key, value in structural.items())
                where = places(self.function, next(iter(structural)))
                yield Change(Switch("variant", f'{words}, of the variant "{name}"', where, structural), structural)

    def _said(self, name: str, value: Any) -> str:
        """In words what a hyper-parameter is and was."""
        return f"{name}={value!r} ({'given' if name in self.hyper else 'default'}: {self.values[name]!r})"

    def _set(self, name: str, value: Any) -> Change:
        parameter = next(p for p in self.info.parameters if p.name == name)
        if parameter.kind is int and value is not None:
            value = int(value)
        switch = Switch("hyperparameter", self._said(name, value), places(self.function, name), {name: value})
        return Change(switch, {name: value})

    def _hyper(self) -> Iterator[Change]:
        parameters = [p for p in self.info.parameters if p.name != "batch_size"]
        for p in parameters:
            for value in _others(p, self.values[p.name]):
                yield self._set(p.name, value)
        for a, b in itertools.combinations(parameters, 2):
            if a.name.rstrip("0123456789") == b.name.rstrip("0123456789") != a.name:
                new = {a.name: self.values[b.name], b.name: self.values[a.name]}
                yield Change(
                    Switch("hyperparameter", f"{a.name} and {b.name} swapped", places(self.function, a.name), new), new
                )

    def _numbers(self) -> Iterator[Family]:
        for p in self.info.parameters:
            if p.kind is not float or p.choices:
                continue
            fraction = p.interval is not None and p.interval.high == 1.0
            value = self.values[p.name]
            between = [value] if value and value < 1.0 else [0.5, 0.9]
            for start in dict.fromkeys(between if fraction else [value or 1e-2, 1.0]):
                yield Family(start, "fraction" if fraction else "positive", functools.partial(self._set, p.name))

    def _transformations(self, difference: Difference) -> Iterator[Change | Family]:
        asked = [o for o in self.info.oracles(self.values) if o not in ("lmo", "project", "domain", "log_density")]
        yield from self._scales(asked)
        if self.info.kind == "optimiser":
            yield from self._decays()
        yield from self._delays(asked)
        yield from self._conventions(difference.quantity)

    def _scale(self, words: str, where: Any, wrap: Callable[[float], transform.Wrap]) -> Family:
        """The scales of one thing, those by the number of examples by name."""
        n = getattr(self.recording.problem, "n", None)
        named = {"N": n, "1/N": 1.0 / n, "N^2": n**2, "1/N^2": 1.0 / n**2} if isinstance(n, int) else {}

        def make(c: float) -> Change:
            name = next((f" = {name}" for name, value in named.items() if abs(c - value) < 1e-9 * value), "")
            return Change(Switch("scale", f"{words} times {c:g}{name}", where, {"factor": c}), wrap=wrap(c))

        return Family(1.0, "any", make, named)

    def _scales(self, asked: list[str]) -> Iterator[Family]:
        step = line_of(self.function, assigned="step") or line_of(self.function, assigned="x")
        yield self._scale("the step", step, transform.scaled_step)
        for oracles in [(oracle,) for oracle in asked] + ([tuple(asked)] if len(asked) > 1 else []):
            words = f"`{oracles[0]}`" if len(oracles) == 1 else "the loss"
            where = line_of(self.function, called=oracles[0])
            yield self._scale(words, where, functools.partial(transform.scaled_answers, oracles))

    def _decays(self) -> Iterator[Family]:
        step = line_of(self.function, assigned="step") or line_of(self.function, assigned="x")
        grad = line_of(self.function, called="grad")

        def of_step(c: float) -> Change:
            switch = Switch("decay", f"{c:g} times x taken away from it", step, {"weight_decay": c})
            return Change(switch, wrap=transform.decayed_step(c))

        def of_gradient(c: float) -> Change:
            switch = Switch("decay", f"{c:g} times x added to the gradient", grad, {"l2": c})
            return Change(switch, wrap=transform.decayed_gradient(c))

        yield Family(0.0, "any", of_step)
        yield Family(0.0, "any", of_gradient)

    def _delays(self, asked: list[str]) -> Iterator[Change]:
        for oracle in asked:
            words, where = f"the answers of `{oracle}` one step late", line_of(self.function, called=oracle)
            switch = Switch("delay", words, where, {"late": oracle, "steps": 1})
            yield Change(switch, wrap=transform.late_answers(oracle))
        exposed = [name for name in self.order if name not in AT_THE_POINT]
        sets = [*((name,) for name in exposed), *([tuple(exposed)] if len(exposed) > 1 else [])]
        for names, steps in itertools.product(sets, (1, 2)):
            words = f"{' and '.join(f'`{name}`' for name in names)} {('one step', 'two steps')[steps - 1]} late"
            where = line_of(self.function, assigned=names[0])
            switch = Switch("delay", words, where, {"late": list(names), "steps": steps})
            wrap = transform.late_step(steps) if "step" in names else None
            shown = [name for name in names if name != "step"]
            yield Change(switch, wrap=transform.both(wrap, transform.shown_late(shown, steps)))

    def _conventions(self, name: str) -> Iterator[Change | Family]:
        if name in ("step", "x"):
            return
        decays = {
            p.name: self.values[p.name]
            for p in self.info.parameters
            if any(part in p.name for part in ("beta", "decay", "momentum"))
            and isinstance(self.values[p.name], float)
            and 0.0 < self.values[p.name] < 1.0
        }
        ways = transform.conventions(decays)
        split = getattr(self.recording.problem, "split", None)
        for words, change in itertools.chain(ways, transform.flattenings(split) if split else ()):
            switch = Switch("convention", f"`{name}` shown {words}", None, {"quantity": name, "shown": words})
            yield Change(switch, wrap=transform.shown_as(name, change))
        for other in self.order:
            if other not in (name, "step", *AT_THE_POINT):
                switch = Switch("convention", f"`{name}` and `{other}` exchanged", None, {"exchanged": [name, other]})
                yield Change(switch, wrap=transform.exchanged(name, other))
        family = self._scale(f"`{name}` shown", None, lambda c: transform.shown_as(name, lambda v, k: c * v))
        yield Family(1.0, "any", lambda c: _as_convention(family.make(c)), family.named)

    @functools.cached_property
    def _lines(self) -> frozenset[tuple[str, int]]:
        assert self.found.first is not None
        return self._executed(self.found.first.step)

    def _executed(self, step: int) -> frozenset[tuple[str, int]]:
        def run() -> None:
            if self.ended:
                self._alone(self.function, self.hyper)
            for _ in itertools.islice(follow(self.function, self.hyper, self.recording), step + 1):
                pass

        try:
            return executed(self.function, run)
        except Exception:
            return frozenset()

    def _edits(self, depth: int) -> Iterator[Change]:
        for edit in edits(self.function):
            if depth or edit.touches(self._lines):
                yield Change(edit.switch, edit=edit)

    def _literals(self, depth: int) -> Iterator[Change | Family]:
        for literal in literals(self.function):
            make = literal.edit
            if depth or make(literal.value).touches(self._lines):
                if not literal.value:  # of a comparison, where a fit finds no slope
                    yield from (_edited(make(other)) for other in IN_PLACE_OF_ZERO)
                yield Family(literal.value, "any", lambda c, make=make: _edited(make(c)))  # type: ignore[misc]


COORDINATES: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "any": (lambda value: value, lambda u: u),
    "positive": (np.log, np.exp),
    "fraction": (lambda value: float(np.log(value / (1.0 - value))), lambda u: 1.0 / (1.0 + float(np.exp(-u)))),
}
"""In what coordinate a number is sought, and back."""


def _loosened(found: Match) -> Match:
    """With room for the rounding of a changed method, which can be more than that of the reference."""
    assert found.first is not None
    least = min(NEARLY, 1e-3 * found.first.error)
    return replace(found, tolerances={name: np.maximum(curve, least) for name, curve in found.tolerances.items()})


def _others(parameter: Parameter, value: Any) -> list[Any]:
    """Values that a hyper-parameter may have instead, fitted numbers apart."""
    others: list[Any] = list(parameter.choices)
    if parameter.kind is bool:
        others = [not value]
    elif parameter.kind is int and not parameter.choices:
        others = [*INTEGERS, *([2 * value, value // 2, 10 * value, value // 10] if value else [])]
    if parameter.optional:
        others.append(None)
    return [other for other in dict.fromkeys(others) if other != value]


def _round(value: float, named: Mapping[str, float]) -> list[float]:
    """Numbers near a fitted one, the shortest first; also of its complement and its reciprocal."""
    near = [float(c) for c in named.values() if abs(value - c) <= 1e-4 * abs(c)]
    for digits in range(5):
        near += [float(f"{value:.{digits}e}"), 1.0 - float(f"{1.0 - value:.{digits}e}")]
        near += [1.0 / float(f"{1.0 / value:.{digits}e}")] if value else []
    near += [float(f"{value:.{digits}e}") for digits in (6, 8, 10)]
    return list(dict.fromkeys(float(f"{c:.15g}") for c in near))


def _edited(edit: Edit) -> Change:
    return Change(edit.switch, edit=edit)


def _as_convention(change: Change) -> Change:
    switch = change.switch
    return Change(Switch("convention", switch.words, None, switch.change), wrap=change.wrap)


def _flat(value: Any) -> np.ndarray:
    """As one vector; of what is no number, an empty one."""
    if value is None or isinstance(value, str):
        return np.zeros(0)
    parts = value if isinstance(value, tuple) else (value,)
    return np.concatenate([np.ravel(np.asarray(part, dtype=float)) for part in parts])


def _various(sets: list[tuple[Switch, ...]]) -> list[tuple[Switch, ...]]:
    """Those of a kind not seen before first."""
    seen: set[tuple[str, ...]] = set()
    fresh: list[tuple[Switch, ...]] = []
    rest: list[tuple[Switch, ...]] = []
    for each in sets:
        kinds = tuple(switch.kind for switch in each)
        (rest if kinds in seen else fresh).append(each)
        seen.add(kinds)
    return [*fresh, *rest]
