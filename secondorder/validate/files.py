r"""Recorded runs in files, for any language: written, and read with care.

A file is a table of arrays under names, and ``meta``, an object of plain facts: as ``.npz`` (the arrays without pickle,
``meta`` a JSON string) or as ``.json`` (the arrays as nested lists). ``files.SCHEMA`` says what the names mean.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from secondorder.oracles import CLOUD, ORACLES, Problem
from secondorder.run import Iterate
from secondorder.schedules import NoiseGrid
from secondorder.validate.recording import Query, Recording

VERSION = 1
"""Of the schema; a file of another is refused."""

LIMIT = 256 * 2**20
"""Bytes of all arrays of a file together."""

JSON_LIMIT = 8 * 2**20
"""Bytes of a JSON file; read, it may be some thirty times as large."""

ROWS = 100_000
"""Iterates of a run."""

PRECISIONS = {kind: float(np.finfo(kind).eps) for kind in ("float16", "float32", "float64")}
"""Their rounding units."""

SCHEMA = {
    "meta": "an object: schema, version, method, variant, paper, hyper (every hyper-parameter), seed, precision, problem, "
    "quantities (their names in order of computation), rows, asked, drawn, complete, notes; all may be missing",
    "x": "(T+1, d), the iterates x_0 ... x_T; of a sampler (T+1, n, d), a cloud a row. The one array that must be there",
    "QUANTITY": "(T, ...) for rows 1 ... T, each belonging to the step that led to that row, or (T+1, ...) for all; for other "
    "rows, meta.rows[QUANTITY] lists them. Its name is that of the reference: step, first_moment, radius, ...",
    "QUANTITY/0, QUANTITY/1, ...": "the parts of a quantity that is a tuple of arrays, one a layer",
    "QUANTITY@K": "its value in row K, where the shape changes from row to row",
    "ORACLE": "f, grad, batch_grad, hess, residual, jac or score: (T, ...) or (T+1, ...), the answers at x_0, x_1, ...",
    "probe, hvp": "(T, d) or (T+1, d): vectors v_t, and the Hessian at x_t times v_t",
    "grid": "(L, 2): the noise levels (alpha, sigma) that a sampler walks through",
    "asked/N/argument/I": "(Q, ...): argument I of each question of group N, asked of the problem. meta.asked[N] has its "
    "oracle, and for each question its row (asked at the point of that row, or on the way from it to the next) and its place "
    "in the order of all; arguments that are no arrays stand there too",
    "asked/N/option/NAME": "(Q,): a number that was given by name, such as alpha and sigma",
    "asked/N/answer": "(Q, ...): the answers; of tuples asked/N/answer/0, asked/N/answer/1, ..., of tuples of them .../0/0",
    "drawn/N": "(K, ...): random numbers. meta.drawn[N] has their distribution, for each the row after which they were drawn "
    "(-1 before the first), the stream (batches, probes ... draw from their own) and the place in the order of all",
    "tolerance/QUANTITY": "(T+1,): what is allowed in each row, as the largest entry of the difference over the largest of "
    "either; inf where rounding could explain anything. That of x is for x_t - x_(t-1)",
    "problem/NAME": "data of the problem, where they are small; not needed, as every answer is there",
    "problem/atoms@K, problem/weights@K": "x_K as a convex combination of vertices, for methods that keep one",
}
"""What a file holds: names, and what they mean."""


def write_run(
    path: str | os.PathLike[str],
    *,
    x: Any,
    method: str = "",
    hyper: Mapping[str, Any] | None = None,
    layers: Sequence[Sequence[int]] | None = None,
    seed: int = 0,
    **quantities: Any,
) -> None:
    """Write a run of your own, to be held against a reference: ``secondorder check FILE METHOD``.

    Parameters
    ----------
    path : path
        ``.npz``, or ``.json``.
    x : array (T+1, d)
        The iterates, the start first. A float32 array is judged at the precision of float32.
    method, hyper : optional
        What was run, and with which hyper-parameters.
    layers : shapes, optional
        Of the matrices that x holds row by row, one after another.
    seed : int, default 0
    **quantities
        Arrays (T+1, ...), or (T, ...): ``grad`` (at the iterates), ``first_moment`` and so on; tuples of them for tuples. See
        ``files.SCHEMA``.

    Raises
    ------
    ValueError
        For arrays that do not fit.

    >>> import tempfile, secondorder as so
    >>> x, grad = np.asarray([[1.0, 2.0], [0.999, 1.999], [0.998, 1.998]]), np.asarray([[2.0, 8.0], [1.998, 7.996]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_run(f"{folder}/mine.npz", x=x, grad=grad)
    ...     so.validate.check(f"{folder}/mine.npz", "adam", tolerance=1e-3).agrees
    True
    """
    arrays = {"x": np.asarray(x)}
    for name, value in quantities.items():
        parts = {f"{name}/{i}": part for i, part in enumerate(value)} if isinstance(value, tuple) else {name: value}
        arrays |= {key: np.asarray(part) for key, part in parts.items()}
    meta: dict[str, Any] = {
        "schema": "secondorder.run",
        "version": VERSION,
        "method": method,
        "hyper": dict(hyper or {}),
    }
    meta |= {"seed": seed, "precision": str(arrays["x"].dtype) if arrays["x"].dtype.kind == "f" else "float64"}
    meta["problem"] = {} if layers is None else {"layers": [list(shape) for shape in layers]}
    with _named(path):
        _recording(json.loads(json_text(meta)), arrays, "run")
    save(Path(path), meta, arrays)


def read_run(path: str | os.PathLike[str]) -> Recording:
    """A recorded run, from a file of :func:`write_vectors`, :func:`write_run`, or of your own; ``files.SCHEMA`` says of what.

    Nothing in it is executed, and sizes are checked before anything is read.

    Parameters
    ----------
    path : path
        ``.npz`` or ``.json``; which, its first bytes tell.

    Returns
    -------
    Recording
        Without a problem: its answers are those on record.

    Raises
    ------
    ValueError
        In one line, for a file that is damaged, malformed, too large, of another version, or holds NaN.
    OSError
        For one that cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_run(f"{folder}/mine.npz", x=[[1.0, 2.0], [0.9, 1.8]], grad=[[1.0, 2.0]])
    ...     run = read_run(f"{folder}/mine.npz")
    >>> run.name, len(run.rows), [query.oracle for query in run.queries[0]]
    ('mine', 2, ['grad'])
    """
    with _named(path):
        meta, arrays = _contents(path)
        return _recording(meta, arrays, Path(path).stem)


def save(path: Path, meta: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    if path.suffix == ".json":
        table = {name: array.tolist() for name, array in arrays.items()}
        path.write_text(json_text({"meta": meta, **table}) + "\n", "utf-8")
        return
    if path.suffix != ".npz":
        raise ValueError(f"path must end in .npz or .json; got {str(path)!r}")
    with open(path, "wb") as file:
        np.savez_compressed(file, meta=np.asarray(json_text(meta)), **arrays)  # type: ignore[arg-type]


def json_text(value: Any, indent: int | None = None) -> str:
    return json.dumps(_spelt(value), indent=indent, allow_nan=False)


def _spelt(value: Any) -> Any:
    """JSON has no infinity: it is spelt as a string."""
    if isinstance(value, Mapping):
        return {name: _spelt(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelt(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


class _named:
    """Say of every error in which file it was."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if (
            error is None
            or not isinstance(error, Exception)
            or (isinstance(error, OSError) and error.filename is not None)
        ):
            return
        said = " ".join(str(error).split())
        if type(error) is not Malformed:  # a damaged file can fail in any way
            said = f"is damaged: {type(error).__name__}{f': {said}' if said else ''}"
        raise ValueError(f"{self.path!r} {said}") from error


class Malformed(ValueError):
    """What is wrong with a file."""


def _contents(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(8).removeprefix(b"\xef\xbb\xbf")  # an editor's mark of UTF-8
        if start[:2] == b"PK":
            if size > LIMIT:
                raise Malformed(f"is too large: {size} bytes; at most {LIMIT} are read")
            return _from_zip(file)
        if start.lstrip()[:1] == b"{":
            if size > JSON_LIMIT:
                raise Malformed(f"is too large: {size} bytes of JSON; at most {JSON_LIMIT} are read (write .npz)")
            file.seek(0)
            return _from_json(file.read(JSON_LIMIT))
    raise Malformed("is neither .npz nor .json of a recorded run")


def _from_zip(file: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if total > LIMIT:
            raise Malformed(f"is too large: {total} bytes when unpacked; at most {LIMIT} are read")
        arrays: dict[str, np.ndarray] = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name == member.filename or name in arrays or member.flag_bits & 1:
                raise Malformed(f"has a member {member.filename!r}, which is no array of its own")
            with archive.open(member) as stream:
                arrays[name] = _array(name, stream, member.file_size)
    meta = arrays.pop("meta", None)
    if meta is None:
        return {}, arrays
    if meta.dtype.kind != "U" or meta.ndim:
        raise Malformed(f"has a meta that is no string, but {meta.dtype} of shape {meta.shape}")
    return _meta(json.loads(str(meta))), arrays


def _array(name: str, stream: Any, size: int) -> np.ndarray:
    """An array, its header checked before its data are read."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise Malformed(f"has {name!r} in format {version} of .npy; 1.0 and 2.0 are read")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(stream)
    if dtype.kind not in "fiubU":
        raise Malformed(f"has {name!r} of dtype {dtype}; numbers, booleans and strings are read")
    length = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or stream.tell() + length != size:
        raise Malformed(f"has {name!r} of shape {shape} and {dtype}, {length} bytes, in {size} bytes")
    data = stream.read(length)
    if len(data) != length or stream.read(1):
        raise Malformed(f"ends in the middle of {name!r}")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="))


def _from_json(text: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    table = json.loads(text)
    if not isinstance(table, dict):
        raise Malformed("is no object of names and arrays")
    meta = _meta(table.pop("meta", {}))
    arrays = {}
    for name, value in table.items():
        try:
            array = np.array(value)
            if array.dtype.kind == "U" and set(array.flat) & {"Infinity", "-Infinity", "NaN"}:
                array = array.astype(float)
        except ValueError:
            raise Malformed(f"has {name!r}, which is no array: its rows differ in length") from None
        if array.dtype.kind not in "fiubU":
            raise Malformed(f"has {name!r}, which is no array of numbers")
        arrays[name] = array
    return meta, arrays


def _meta(meta: Any) -> dict[str, Any]:
    if not isinstance(meta, dict):
        raise Malformed(f"has a meta that is no object, but {type(meta).__name__}")
    version, schema = meta.get("version", VERSION), meta.get("schema", "secondorder.run")
    if schema != "secondorder.run":
        raise Malformed(f"is of the schema {schema!r}; 'secondorder.run' is read")
    if version != VERSION:
        raise Malformed(f"is of version {version!r} of the schema; {VERSION} is read")
    for name, kind in (("hyper", dict), ("problem", dict), ("rows", dict), ("asked", list), ("quantities", list)):
        if not isinstance(meta.get(name, kind()), kind):
            raise Malformed(f"has a meta.{name} that is no {'object' if kind is dict else 'list'}")
    return meta


def _recording(meta: dict[str, Any], arrays: dict[str, np.ndarray], name: str) -> Recording:
    x = _iterates(arrays)
    T = len(x) - 1
    for key, array in arrays.items():
        told = not key.startswith(("tolerance/", "problem/", "drawn/", "asked/"))
        if told and array.dtype.kind == "f" and np.isnan(array).any():
            raise Malformed(f"has NaN in {key!r}")
    quantities, answers = _sorted_out(meta, arrays, T)
    rows = [
        Iterate(x[t], **{key: values[t] for key, values in quantities.items() if t in values}) for t in range(T + 1)
    ]
    grid = NoiseGrid(arrays["grid"]) if "grid" in arrays else None
    queries = _asked(meta, arrays, x) if meta.get("complete") else _answered(answers, x, grid)
    precision, seed = meta.get("precision", str(arrays["x"].dtype)), meta.get("seed", 0)
    if precision not in PRECISIONS:
        if "precision" in meta:
            raise Malformed(f"has the precision {precision!r}; known: {', '.join(PRECISIONS)}")
        precision = "float64"
    if not isinstance(seed, int) or seed < 0:
        raise Malformed(f"has the seed {seed!r}, which is no whole number of at least 0")
    return Recording(
        str(meta.get("name") or meta.get("method") or name),
        tuple(rows),
        queries,
        None,
        PRECISIONS[precision],
        None,
        seed,
        grid,
        hyper={str(key): _number(value) for key, value in meta.get("hyper", {}).items()},
        facts=_facts(meta, arrays, x.shape[-1]),
    )


def _iterates(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    if "x" not in arrays:
        raise Malformed(f"has no array 'x'; it has {', '.join(list(arrays)[:8]) or 'none'}")
    x = arrays["x"]
    if x.ndim not in (2, 3) or x.dtype.kind not in "fiu" or len(x) < 2 or not x.size:
        raise Malformed(f"has 'x' of shape {x.shape} and {x.dtype}; (T+1, d) is expected, two rows or more")
    if len(x) > ROWS:
        raise Malformed(f"is too long: {len(x)} iterates; at most {ROWS} are read")
    if not np.all(np.isfinite(x)):
        row = int(np.argmin(np.all(np.isfinite(x.reshape(len(x), -1)), axis=1)))
        raise Malformed(f"has 'x' not finite in row {row}")
    return x.astype(np.float64)


def _number(value: Any) -> Any:
    return float(value) if value in ("Infinity", "-Infinity") else value


def is_oracle(name: str) -> bool:
    return name in ORACLES or name == "batch_grad"


def _sorted_out(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], T: int
) -> tuple[dict[str, dict[int, Any]], dict[str, dict[int, Any]]]:
    """By name the quantities, and the answers at the iterates, each by row."""
    parts: dict[str, dict[int, dict[int, Any]]] = {}
    quantities: dict[str, dict[int, Any]] = {}
    for key, array in arrays.items():
        if key == "x" or key == "grid" or key.startswith(("asked/", "drawn/", "tolerance/", "problem/")):
            continue
        name, at, row = key.partition("@")
        name, slash, part = name.partition("/")
        if not (row or "0").isdecimal() or not (part or "0").isdecimal():
            raise Malformed(f"has an array {key!r}, whose name is none of the schema")
        if at:
            values = {_row(key, int(row), T): _plain(array)}
        else:
            values = dict(zip(_rows_of(meta, key, name, array, T), map(_plain, array), strict=True))
        if slash:
            parts.setdefault(name, {}).setdefault(int(part), {}).update(values)
        else:
            quantities.setdefault(name, {}).update(values)
    for name, each in parts.items():
        if sorted(each) != list(range(len(each))) or any(set(each[0]) != set(part) for part in each.values()):
            raise Malformed(f"has parts of {name!r} missing: they are {sorted(each)}")
        quantities[name] = {t: tuple(each[i][t] for i in sorted(each)) for t in each[0]}
    order = [str(name) for name in meta.get("quantities", [])]
    ranked = sorted(quantities, key=lambda name: order.index(name) if name in order else len(order))
    points = ("probe", *ORACLES, "batch_grad")
    answers = {name: quantities[name] for name in ranked if name in points}
    alien = () if meta.get("complete") else set(ORACLES) - {"f"} | {"probe"}
    return {name: quantities[name] for name in ranked if name not in alien or name == "grad"}, answers


def _rows_of(meta: Mapping[str, Any], key: str, name: str, array: np.ndarray, T: int) -> Sequence[int]:
    listed = meta.get("rows", {}).get(name)
    if array.ndim == 0:
        raise Malformed(f"has {key!r} without rows; {T} or {T + 1} are expected, as x has {T + 1}")
    if listed is not None:
        if not isinstance(listed, list) or len(listed) != len(array):
            raise Malformed(f"has {key!r} with {len(array)} rows, and others in meta.rows")
        return [_row(key, t, T) for t in listed]
    if len(array) == T + 1:
        return range(T + 1)
    if len(array) == T:
        return range(T) if is_oracle(name) or name == "probe" else range(1, T + 1)
    raise Malformed(f"has {key!r} with {len(array)} rows; {T} or {T + 1} are expected, as x has {T + 1}")


def _row(key: str, t: Any, T: int) -> int:
    if not isinstance(t, int) or not 0 <= t <= T:
        raise Malformed(f"has {key!r} in row {t!r}; rows are 0 to {T}")
    return t


def _plain(value: Any) -> Any:
    value = np.asarray(value)
    if value.ndim == 0:
        return value.item()
    if value.dtype.kind == "U":
        raise Malformed("has strings where numbers are expected")
    return value.astype(np.float64) if value.dtype.kind in "fiu" else value


def _answered(answers: Mapping[str, Mapping[int, Any]], x: np.ndarray, grid: NoiseGrid | None) -> Any:
    """The questions of a run that tells of no more than the answers at its iterates."""
    nothing = Problem(name="recorded")
    queries: list[tuple[Query, ...]] = []
    for t, point in enumerate(x):
        here: list[Query] = []
        for name, values in answers.items():
            oracle = "grad" if name == "batch_grad" else name
            if t not in values or oracle in (
                "probe",
                "project",
                "signals",
                "output_loss",
                "domain",
                "ggn_product",
                "diagonal_rank_one",
                "third",
                "metric",
            ):
                continue
            arguments: tuple[Any, ...] = (point,)
            if oracle == "hvp":
                if t not in answers.get("probe", {}):
                    raise Malformed(
                        f"has 'hvp' in row {t} without 'probe', the vector that the Hessian was multiplied by"
                    )
                arguments = (point, answers["probe"][t])
            if oracle == "lmo":
                arguments = (answers["grad"][t],) if t in answers.get("grad", {}) else ()
            if arguments:
                options = {}
                if oracle in CLOUD:
                    level = (1.0, 0.0) if grid is None else grid.levels[min(t, len(grid.levels) - 1)]
                    options = {"alpha": level[0], "sigma": level[1]}
                here.append(_query(oracle, arguments, options, values[t], name, nothing))
        queries.append(tuple(here))
    return tuple(queries)


def _query(
    oracle: str, arguments: tuple[Any, ...], options: dict[str, float], answer: Any, key: str, nothing: Problem
) -> Query:
    point = arguments[0]
    fitting = (
        oracle not in ("grad", "hvp", "third", "metric", "ggn_product", "lmo", "project", "score")
        or np.shape(answer) == point.shape
    )
    if not fitting:
        raise Malformed(f"has {key!r} of shape {np.shape(answer)} where x has {point.shape}")
    exact = oracle not in ("f", "residual", "log_density", "domain")
    if not _finite(arguments) or (exact and not _finite(answer)):
        raise Malformed(f"has a question or answer of {oracle} that is not finite, in {key!r}")
    return Query(oracle, arguments, options, answer, nothing)


def _finite(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_finite, value))
    return not isinstance(value, (float, np.ndarray)) or bool(np.all(np.isfinite(value)))


def _asked(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], x: np.ndarray) -> Any:
    """The questions of a complete file, row by row, in their order."""
    nothing = Problem(name="recorded")
    placed: list[tuple[int, int, Query]] = []
    for n, entry in enumerate(meta.get("asked", [])):
        key = f"asked/{n}"
        oracle, rows, order = entry["oracle"], entry["rows"], entry["order"]
        if oracle not in ORACLES:
            raise Malformed(f"has an oracle {oracle!r} in meta.asked; known: {', '.join(ORACLES)}")
        plain, count = entry.get("plain", {}), int(entry["arguments"])
        prefix = f"{key}/option/"
        options = {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}
        given = [
            plain[str(i)] if str(i) in plain else _column(arrays, f"{key}/argument/{i}", rows) for i in range(count)
        ]
        answers = _column(arrays, f"{key}/answer", rows)
        for i, (row, place) in enumerate(zip(rows, order, strict=True)):
            arguments = tuple(each[i] if isinstance(each, list) else each for each in given)
            if not arguments or not isinstance(arguments[0], np.ndarray) or arguments[0].size != x[0].size:
                raise Malformed(f"has '{key}/argument/0' that is no point of {x[0].size} numbers")
            named = {name: float(values[i]) for name, values in options.items()}
            query = _query(oracle, arguments, named, answers[i], f"{key}/answer", nothing)
            placed.append((_row(key, row, len(x) - 1), int(place), query))
    queries: list[list[Query]] = [[] for _ in x]
    for row, _, query in sorted(placed, key=lambda each: each[1]):
        queries[row].append(query)
    return tuple(map(tuple, queries))


def _column(arrays: Mapping[str, np.ndarray], key: str, rows: Sequence[int]) -> list[Any]:
    """An array as the list of its rows; of tuples, put together from their parts."""
    if key in arrays:
        if arrays[key].ndim == 0 or len(arrays[key]) != len(rows):
            raise Malformed(f"has {key!r} of shape {arrays[key].shape} for {len(rows)} questions")
        return list(map(_plain, arrays[key]))
    parts = 0
    while any(name == f"{key}/{parts}" or name.startswith(f"{key}/{parts}/") for name in arrays):
        parts += 1
    if not parts:
        raise Malformed(f"has no array {key!r}")
    return list(zip(*(_column(arrays, f"{key}/{i}", rows) for i in range(parts)), strict=True))


def _facts(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], d: int) -> dict[str, Any]:
    """What a method reads of the problem besides the answers."""
    problem = meta.get("problem", {})
    facts: dict[str, Any] = {name: float(problem[name]) for name in ("l2", "residual_weight") if name in problem}
    if "linear" in problem:
        facts["linear"] = tuple(int(j) for j in problem["linear"])
    if "layers" in problem:
        shapes = tuple(tuple(int(n) for n in shape) for shape in problem["layers"])
        if sum(map(math.prod, shapes)) != d or min((n for shape in shapes for n in shape), default=0) < 1:
            raise Malformed(f"has layers of {sum(map(math.prod, shapes))} numbers where x has {d}")
        facts["shapes"] = shapes
    if "problem/atoms@0" in arrays:
        rows = range(len(arrays["x"]))
        for name in ("atoms", "weights"):
            lacking = [t for t in rows if f"problem/{name}@{t}" not in arrays]
            if lacking:
                raise Malformed(f"has no array 'problem/{name}@{lacking[0]}'")
            facts[name] = [arrays[f"problem/{name}@{t}"] for t in rows]
        if any(a.shape != (*w.shape, d) for a, w in zip(facts["atoms"], facts["weights"], strict=True)):
            raise Malformed(f"has 'problem/atoms@K' that do not fit 'problem/weights@K' and x of {d} numbers")
    if meta.get("complete"):
        facts["oracles"] = tuple(name for name in problem.get("oracles", ()) if name in ORACLES)
    return facts
