"""Conformance vectors: what the reference computes, for implementations in any language to be held against."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from secondorder.catalogue import Method, find, nearest
from secondorder.ledger import Ledger, a_problem
from secondorder.oracles import Problem
from secondorder.run import PATIENCE, Iterates
from secondorder.schedules import NoiseGrid, noise_grid
from secondorder.validate.comparison import match
from secondorder.validate.files import VERSION, is_oracle, json_text, save
from secondorder.validate.problems import cloud, problems_for
from secondorder.validate.recording import EVERY_LEVEL, Candidate, Query, Recording, record

JSON_SIZE = 20_000
"""Up to so many numbers a set is written as JSON too."""

DATA_SIZE = 10_000
"""Up to so many numbers the data of a problem are written."""

PARTICLES = 5
"""Of a sampler."""


def write_vectors(
    method: str | Callable[..., Any],
    out: str | os.PathLike[str],
    *,
    variants: Sequence[str] | None = None,
    problem: Problem | None = None,
    steps: int = 10,
    seed: int = 0,
) -> list[Path]:
    """Write conformance vectors of a method: one run with its defaults, and one with each of its variants.

    Parameters
    ----------
    method : str or function
    out : path
        A folder, made if it is missing. Files of the same names are replaced.
    variants : names, default all
        ``"default"`` is that with the defaults.
    problem : Problem, optional
        By default the first of :func:`problems_for`; for a variant the first that tells it from the defaults.
    steps : int, default 10
        At most ``steps + 1`` rows; of a sampler that walks through noise levels, their number less one.
    seed : int, default 0
        Of the random numbers, which are written too.

    Returns
    -------
    list of Path
        The ``.npz`` files; beside small ones is the same as ``.json``, and ``index.json`` lists all with their SHA-256.
        The same arguments write the same bytes.

    Raises
    ------
    ValueError
        For an unknown variant, or a run that fails.

    >>> import tempfile, secondorder as so
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_vectors("adamw", folder, steps=3)
    ...     [file.name for file in files], len(so.validate.read_run(files[0]).rows)
    (['adamw.npz', 'adamw-decay-times-learning-rate.npz'], 4)
    """
    info: Method = find(method).method  # type: ignore[attr-defined]
    known: dict[str, Mapping[str, Any]] = {"default": {}, **info.variants}
    chosen = list(known) if variants is None else list(variants)
    for name in chosen:
        if name not in known:
            raise ValueError(f"{info.name} has no variant {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps!r}")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    written, entries = [], []
    for name in tqdm(chosen, desc=f"vectors of {info.name}", delay=PATIENCE, leave=False, disable=None):
        problems = problems_for(info, known[name]) if problem is None else [a_problem(problem)]
        meta, arrays = _vectors(method, name, {**info.defaults(), **known[name]}, problems, steps, seed)
        path = folder / f"{_slug(info.name, name)}.npz"
        save(path, meta, arrays)
        written.append(path)
        files = [path]
        if sum(array.size for array in arrays.values()) <= JSON_SIZE:
            files.append(path.with_suffix(".json"))
            save(files[-1], meta, arrays)
        sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        entries.append({"variant": name, "hyper": meta["hyper"], "steps": len(arrays["x"]) - 1, "sha256": sums})
    index = {"schema": "secondorder.vectors", "version": VERSION, "method": info.name, "paper": info.paper}
    (folder / "index.json").write_text(json_text({**index, "seed": seed, "runs": entries}, indent=1) + "\n", "utf-8")
    return written


class Drawn(NamedTuple):
    """Random numbers, after which row and from which stream they were drawn."""

    distribution: str
    row: int
    stream: int
    value: np.ndarray


class Witness(np.random.Generator):
    """A generator that writes down what is drawn from it."""

    def __init__(self, bit_generator: Any, log: list[Drawn], row: list[int], streams: Iterator[int]) -> None:
        super().__init__(bit_generator)
        self.log, self.row, self.streams, self.stream = log, row, streams, next(streams)

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        seeds = self.bit_generator.seed_seq.spawn(n_children)  # type: ignore[attr-defined]
        return [Witness(type(self.bit_generator)(seed), self.log, self.row, self.streams) for seed in seeds]

    def _noted(self, distribution: str, *arguments: Any, **options: Any) -> Any:
        value = getattr(super(), distribution)(*arguments, **options)
        self.log.append(Drawn(distribution, self.row[0], self.stream, np.array(value)))
        return value

    def random(self, *arguments: Any, **options: Any) -> Any:
        return self._noted("random", *arguments, **options)

    def uniform(self, *arguments: Any, **options: Any) -> Any:
        return self._noted("uniform", *arguments, **options)

    def normal(self, *arguments: Any, **options: Any) -> Any:
        return self._noted("normal", *arguments, **options)

    def standard_normal(self, *arguments: Any, **options: Any) -> Any:
        return self._noted("standard_normal", *arguments, **options)

    def integers(self, *arguments: Any, **options: Any) -> Any:
        return self._noted("integers", *arguments, **options)

    def permutation(self, *arguments: Any, **options: Any) -> Any:
        return self._noted("permutation", *arguments, **options)


def _vectors(
    method: str | Callable[..., Any],
    variant: str,
    hyper: dict[str, Any],
    problems: list[Problem],
    steps: int,
    seed: int,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    function = find(method)
    info: Method = function.method  # type: ignore[attr-defined]
    for problem in problems:
        recording, drawn = _run(function, hyper, problem, steps, seed)
        if variant == "default" or not match(function, info.defaults(), recording).agrees:
            break
    else:  # none tells the variant from the default
        problem = problems[0]
        recording, drawn = _run(function, hyper, problem, steps, seed)
    allowed = match(function, hyper, recording)
    meta: dict[str, Any] = {
        "schema": "secondorder.run",
        "version": VERSION,
        "method": info.name,
        "variant": variant,
        "paper": info.paper,
        "hyper": hyper,
        "seed": seed,
        "precision": "float64",
        "complete": True,
        "status": recording.status,
        "notes": _notes(info),
    }
    arrays = {"x": np.stack([row.x for row in recording.rows])}
    meta["quantities"], meta["rows"] = _put_quantities(recording, arrays)
    meta["problem"] = _put_problem(problem, recording, arrays)
    meta["asked"] = _put_queries(recording, arrays)
    meta["drawn"] = _put_draws(drawn, arrays)
    if recording.grid is not None:
        arrays["grid"] = np.asarray(recording.grid.levels)
    arrays |= {f"tolerance/{name}": curve for name, curve in _whole(allowed.tolerances, len(recording.rows)).items()}
    return meta, arrays


def _run(
    function: Callable[..., Any], hyper: Mapping[str, Any], problem: Problem, steps: int, seed: int
) -> tuple[Recording, list[Drawn]]:
    info: Method = function.method  # type: ignore[attr-defined]
    drawn: list[Drawn] = []
    grid = None if info.grid is None else noise_grid(steps, *info.grid)
    recording = record(
        Candidate(info.name, _witnessed(function, hyper, seed, drawn)), problem,
        cloud(problem, grid, PARTICLES, seed) if info.kind == "sampler" else None,
        steps=steps if grid is None else EVERY_LEVEL, seed=seed, grid=grid, particles=info.kind == "sampler",
    )  # fmt: skip
    if recording.failure or len(recording.rows) < 2:
        raise ValueError(f"{info.name} on {problem.name!r} has no run to write: {recording.failure or 'no step'}")
    return recording, drawn


def _witnessed(
    function: Callable[..., Any], hyper: Mapping[str, Any], seed: int, log: list[Drawn]
) -> Callable[..., Iterates]:
    """The method, its random numbers written down."""
    names = inspect.signature(function.method.function).parameters  # type: ignore[attr-defined]

    def iterates(problem: Ledger, x: Any, *, grid: NoiseGrid | None = None) -> Iterates:
        row = [-1]
        rng = Witness(np.random.default_rng(seed).bit_generator, log, row, iter(range(10**9)))
        options = {name: value for name, value in (("rng", rng), ("grid", grid)) if name in names and value is not None}
        walk = function(problem, **hyper, **options)
        while True:
            try:
                iterate = next(walk)
            except StopIteration as end:
                return str(end.value)
            row[0] += 1
            yield iterate

    return iterates


def _notes(info: Method) -> list[str]:
    about = [" ".join(part.split()) for part in (inspect.getdoc(info.function) or "").split("\n\n")]
    return [
        info.summary,
        *(part for part in about if part.startswith("Departures:")),
        "Answer every question with the answer on record: no code of the problem is needed.",
        "Errors are the largest entry of the difference over the largest of either, of each layer apart.",
    ]


def _put_quantities(recording: Recording, arrays: dict[str, np.ndarray]) -> tuple[list[str], dict[str, list[int]]]:
    names = list(dict.fromkeys(name for row in recording.rows for name in row.quantities))
    names = [name for name in names if name != "step"] + ["step"] * ("step" in names)
    rows = {name: [t for t, row in enumerate(recording.rows) if name in row] for name in names}
    for name in names:
        _put(arrays, name, rows[name], [recording.rows[t].quantities[name] for t in rows[name]])
    every = [*range(len(recording.rows))]
    return names, {
        name: rows[name] for name in names if rows[name] != every and (rows[name] != every[1:] or is_oracle(name))
    }


def _put(arrays: dict[str, np.ndarray], name: str, rows: list[int], values: list[Any]) -> None:
    if isinstance(values[0], tuple):
        for i, part in enumerate(zip(*values, strict=True)):
            _put(arrays, f"{name}/{i}", rows, list(part))
    elif len({np.shape(value) for value in values}) == 1:
        arrays[name] = np.stack([np.asarray(value) for value in values])
    else:
        arrays |= {f"{name}@{t}": np.asarray(value) for t, value in zip(rows, values, strict=True)}


def _put_problem(problem: Problem, recording: Recording, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The facts that methods read, and data where they are small."""
    facts: dict[str, Any] = {"name": problem.name, "kind": type(problem).__name__, "oracles": list(problem.oracles)}
    facts |= {"l2": float(problem.l2), "residual_weight": float(problem.residual_weight)}
    if getattr(problem, "linear", ()):
        facts["linear"] = [int(j) for j in problem.linear]  # type: ignore[attr-defined]
    if hasattr(problem, "split"):
        facts["layers"] = [list(layer.shape) for layer in problem.split(recording.rows[0].x)]
    if problem.constraint is not None:
        facts["constraint"] = str(problem.constraint)
        if problem.constraint.decompose is not None:
            for t, row in enumerate(recording.rows):
                atoms, weights = problem.constraint.decompose(row.x)
                arrays |= {f"problem/atoms@{t}": np.asarray(atoms), f"problem/weights@{t}": np.asarray(weights)}
    data = {name: value for name, value in vars(problem).items() if isinstance(value, np.ndarray) and name[0] != "_"}
    if sum(value.size for value in data.values()) <= DATA_SIZE:
        arrays |= {f"problem/{name}": value for name, value in data.items() if value.dtype.kind in "fiub"}
    plain = {
        name: value for name, value in vars(problem).items() if isinstance(value, (str, int, float)) and name[0] != "_"
    }
    return {**plain, **facts}


def _put_queries(recording: Recording, arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    groups: dict[Any, list[tuple[int, int, Query]]] = {}
    place = 0
    for t, queries in enumerate(recording.queries):
        for query in queries:
            groups.setdefault(_likeness(query), []).append((t, place, query))
            place += 1
    asked = []
    for n, group in enumerate(groups.values()):
        first = group[0][2]
        plain: dict[str, Any] = {}
        for i, argument in enumerate(first.arguments):
            if isinstance(argument, np.ndarray):
                arrays[f"asked/{n}/argument/{i}"] = np.stack([query.arguments[i] for _, _, query in group])
            else:
                plain[str(i)] = argument
        for name in first.options:
            arrays[f"asked/{n}/option/{name}"] = np.asarray([query.options[name] for _, _, query in group])
        _put(arrays, f"asked/{n}/answer", [], [query.answer for _, _, query in group])
        entry = {"oracle": first.oracle, "rows": [t for t, _, _ in group], "order": [k for _, k, _ in group]}
        asked.append({**entry, "arguments": len(first.arguments), "plain": plain})
    return asked


def _likeness(query: Query) -> Any:
    arguments = tuple(_shape(a) if isinstance(a, np.ndarray) else a for a in query.arguments)
    return query.oracle, arguments, tuple(query.options), _shape(query.answer)


def _shape(value: Any) -> Any:
    return tuple(map(_shape, value)) if isinstance(value, tuple) else np.shape(value)


def _put_draws(drawn: list[Drawn], arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    groups: dict[Any, list[tuple[int, Drawn]]] = {}
    for place, each in enumerate(drawn):
        groups.setdefault((each.distribution, each.value.shape), []).append((place, each))
    found = []
    for n, ((distribution, _), group) in enumerate(groups.items()):
        arrays[f"drawn/{n}"] = np.stack([each.value for _, each in group])
        entry = {"distribution": distribution, "rows": [each.row for _, each in group]}
        found.append({**entry, "streams": [each.stream for _, each in group], "order": [place for place, _ in group]})
    return found


def _whole(curves: Mapping[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
    """What a run lacks at its end, or in a row, is not judged there."""
    padded = {name: np.append(curve, np.full(rows - len(curve), np.inf)) for name, curve in curves.items()}
    return {name: np.where(np.isnan(curve), np.inf, curve) for name, curve in padded.items()}


def _slug(method: str, variant: str) -> str:
    plain = unicodedata.normalize("NFKD", variant).encode("ascii", "ignore").decode().lower()
    return method if variant == "default" else f"{method}-{'-'.join(re.findall('[a-z0-9]+', plain))}"
