"""The reference's own source with one thing changed: what an implementation elsewhere may compute instead."""

from __future__ import annotations

import ast
import copy
import dataclasses
import functools
import inspect
import itertools
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from secondorder.catalogue import FAMILIES, SPECIAL
from secondorder.ledger import Ledger
from secondorder.schedules import noise_grid

KINDS = (
    "variant", "hyperparameter", "scale", "convention", "decay", "epsilon", "bias correction", "exponent", "sign",
    "transposition", "delay", "order", "constant", "probe",
)  # fmt: skip
"""Of a switch."""

DAMPING = ("epsilon", "eps", "ridge", "damping")
"""Parts of the names of small numbers that are added lest something be divided by zero."""

PROBES = ("rademacher", "gaussian", "constant")

TURNS, SECONDS = 20_000, 2.0
"""How often the loops of a rewritten function may turn, and how long: a changed search may never end."""


@dataclass(frozen=True)
class Switch:
    """One change to a reference.

    ``kind`` is one of ``KINDS``; ``words`` say what is changed; ``where`` is the path of the source, from the package on,
    and the line concerned, if it is one; ``change`` is the same for a program: hyper-parameters and their values, or what
    stands in the source and in its place.
    """

    kind: str
    words: str
    where: tuple[str, int] | None = None
    change: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.words if self.where is None else f"{self.words} [{self.where[0]}, line {self.where[1]}]"


@dataclass(frozen=True, eq=False)
class Edit:
    """A change to one node, known by its index, of a definition at the top of a module."""

    switch: Switch
    module: str
    definition: str
    index: int
    change: Callable[[Any], ast.AST]
    span: tuple[int, int]

    def touches(self, lines: frozenset[tuple[str, int]]) -> bool:
        """Whether its statement is among these lines; a constant of the module always is."""
        path = self.switch.where[0] if self.switch.where else ""
        return self.span == (0, 0) or any((path, k) in lines for k in range(self.span[0], self.span[1] + 1))


@dataclass(frozen=True, eq=False)
class Literal:
    """A number in the source; ``edit(value)`` puts another in its place."""

    value: float
    edit: Callable[[float], Edit]


@dataclass(frozen=True)
class Source:
    """A module taken apart: its functions, classes and constants by name, every node with an ``index``."""

    path: str
    definitions: Mapping[str, Any]


Found = tuple[str, str, Any, Callable[[Any], ast.AST]]
"""Of a rule: the kind, the words, the node and its change."""


def edits(function: Callable[..., Any]) -> tuple[Edit, ...]:
    """All known changes to the source of a method, one thing each, its own module first, then the helpers that it imports.

    >>> import secondorder as so
    >>> next(str(edit.switch) for edit in edits(so.diagonal.adam) if edit.switch.kind == "epsilon")
    '`epsilon` inside the root [secondorder/diagonal/adam.py, line 159]'
    """
    return _enumerated(function)[0]


def literals(function: Callable[..., Any]) -> tuple[Literal, ...]:
    """The numbers in the source of a method and of its helpers."""
    return _enumerated(function)[1]


@functools.lru_cache(maxsize=4096)
def rewritten(function: Callable[..., Any], changes: tuple[Edit, ...]) -> Callable[..., Any]:
    """The method with its source changed; it is not added to the catalogue.

    Raises ``LookupError`` where an earlier change took away what a later one concerns.
    """
    home = function.method.function.__module__  # type: ignore[attr-defined]
    replaced: dict[str, Any] = {}
    clock = _Clock()
    for module in dict.fromkeys(edit.module for edit in changes if edit.module != home):
        imported = {alias: helper for alias, helper in _helpers(home).items() if helper.__module__ == module}
        roots = [helper.__name__ for helper in imported.values()]
        space = _executed(module, roots, [edit for edit in changes if edit.module == module], {}, clock)
        replaced |= {alias: space[helper.__name__] for alias, helper in imported.items() if helper.__name__ in space}
    space = _executed(home, [function.__name__], [edit for edit in changes if edit.module == home], replaced, clock)
    return _as_method(space[function.__name__], function, clock)


def _as_method(raw: Callable[..., Any], function: Callable[..., Any], clock: _Clock) -> Callable[..., Any]:
    info = dataclasses.replace(function.method, function=raw)  # type: ignore[attr-defined]

    @functools.wraps(raw)
    def method(problem: Ledger, **hyper: Any) -> Any:
        special = {name: hyper.pop(name) for name in SPECIAL if name in hyper}
        if info.grid is not None and "grid" not in special:
            special["grid"] = noise_grid(20, *info.grid)
        clock.set()
        return raw(problem, problem.x, **info.check(hyper), **special)

    method.method = info  # type: ignore[attr-defined]
    return method


@functools.lru_cache(maxsize=1024)
def places(function: Callable[..., Any], name: str) -> tuple[str, int] | None:
    """Where a hyper-parameter acts: the first line that does more with it than hand it on to a function of the module."""
    own = function.method.function  # type: ignore[attr-defined]
    source = _source(own.__module__)
    uses: list[tuple[bool, int]] = []
    for definition in _reached(own.__module__, own.__name__):
        handed = {
            id(argument)
            for call in ast.walk(source.definitions[definition])
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in source.definitions
            for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        }
        uses += [
            (id(node) in handed, node.lineno)
            for node in ast.walk(source.definitions[definition])
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        ]
    return (source.path, min(uses)[1]) if uses else None


@functools.lru_cache(maxsize=1024)
def line_of(function: Callable[..., Any], *, assigned: str = "", called: str = "") -> tuple[str, int] | None:
    """The last line of a method that assigns to a name, or the first that calls it."""
    own = function.method.function  # type: ignore[attr-defined]
    source = _source(own.__module__)
    nodes = [n for key in _reached(own.__module__, own.__name__) for n in ast.walk(source.definitions[key])]
    stores = [n.lineno for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id == assigned]
    calls = [n.lineno for n in nodes if isinstance(n, ast.Call) and _called(n) == called]
    return (source.path, max(stores) if assigned else min(calls)) if (stores if assigned else calls) else None


def executed(function: Callable[..., Any], run: Callable[[], Any]) -> frozenset[tuple[str, int]]:
    """The lines, with their modules' paths, of the source of a method and its helpers that ``run()`` comes by."""
    home = function.method.function.__module__  # type: ignore[attr-defined]
    modules = {home, *(helper.__module__ for helper in _helpers(home).values())}
    paths = {sys.modules[module].__file__: _source(module).path for module in modules}
    seen: set[tuple[str, int]] = set()

    def trace(frame: types.FrameType, event: str, _: Any) -> Any:
        path = paths.get(frame.f_code.co_filename)
        if path is None:
            return None
        if event == "line":
            seen.add((path, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    threading.settrace(trace)  # of a run with a limit of time
    try:
        run()
    finally:
        sys.settrace(before)
        threading.settrace(before)
    return frozenset(seen)


@functools.cache
def _source(module: str) -> Source:
    package = Path(sys.modules["secondorder"].__file__ or "").parent.parent
    try:
        text = inspect.getsource(sys.modules[module])
        file = Path(sys.modules[module].__file__ or "")
    except (OSError, TypeError, KeyError):
        return Source("", {})
    path = file.relative_to(package).as_posix() if file.is_relative_to(package) else file.name
    definitions: dict[str, Any] = {}
    for top in ast.parse(text).body:
        if isinstance(top, (ast.FunctionDef, ast.ClassDef)):
            definitions[top.name] = top
        elif isinstance(top, ast.Assign) and _numbers(top.value):
            definitions[ast.unparse(top.targets[0])] = top
    indices = itertools.count()
    for definition in definitions.values():
        getattr(definition, "decorator_list", []).clear()
        for node in ast.walk(definition):
            if isinstance(node, (ast.expr, ast.stmt)):  # others, such as operators, are shared between expressions
                vars(node)["index"] = next(indices)
            body = getattr(node, "body", None)
            if isinstance(body, list) and len(body) > 1 and _is_text(body[0]):
                del body[0]
            if isinstance(node, ast.While):  # a changed search may never end
                node.body.insert(0, ast.parse("_turn()").body[0])
        ast.fix_missing_locations(definition)
        for statement in ast.walk(definition):
            if isinstance(statement, ast.stmt):
                for node in ast.walk(statement):
                    vars(node)["span"] = (statement.lineno, statement.end_lineno)
    return Source(path, definitions)


def _numbers(node: ast.AST) -> bool:
    return all(isinstance(each, (ast.Constant, ast.Tuple, ast.UnaryOp, ast.USub, ast.Load)) for each in ast.walk(node))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@functools.cache
def _reached(module: str, *roots: str) -> tuple[str, ...]:
    """The definitions that these lead to by name."""
    definitions = _source(module).definitions
    found, waiting = dict.fromkeys(root for root in roots if root in definitions), list(roots)
    while waiting:
        names = _loads(definitions.get(waiting.pop(0), ast.Module([], [])))
        for key in definitions:
            if key not in found and names & set(key.strip("()").split(", ")):
                found[key] = None
                waiting.append(key)
    return tuple(found)


@functools.cache
def _helpers(module: str) -> dict[str, Any]:
    """What a module imports from its family and from the linear algebra, by the name it has there."""
    rooms = {f"secondorder.{family}" for family in (*FAMILIES, "linalg")}
    return {
        name: value
        for name, value in vars(sys.modules[module]).items()
        if isinstance(value, (types.FunctionType, type))
        and value.__module__ != module
        and ".".join(value.__module__.split(".")[:2]) in rooms
        and not hasattr(value, "method")
    }


@functools.lru_cache(maxsize=256)
def _enumerated(function: Callable[..., Any]) -> tuple[tuple[Edit, ...], tuple[Literal, ...]]:
    own = function.method.function  # type: ignore[attr-defined]
    home = own.__module__
    reached = _reached(home, own.__name__)
    names = set().union(*(_loads(_source(home).definitions[key]) for key in reached)) if reached else set()
    modules: dict[str, list[str]] = {home: [own.__name__]}
    family = home.rpartition(".")[0]
    helpers = [helper for alias, helper in _helpers(home).items() if alias in names]
    for helper in sorted(helpers, key=lambda helper: not helper.__module__.startswith(family)):
        modules.setdefault(helper.__module__, []).append(helper.__name__)
    changes: list[Edit] = []
    numbers: list[Literal] = []
    for module, roots in modules.items():
        source = _source(module)
        for key in _reached(module, *roots):
            make = functools.partial(_edit, source, module, key)
            changes += [make(*found) for rule in RULES for found in rule(source.definitions[key])]
            numbers += [_literal(make, node, exponent) for node, exponent in _constants(source.definitions[key])]
    order = {module: k for k, module in enumerate(modules)}
    changes.sort(key=lambda edit: (order[edit.module], KINDS.index(edit.switch.kind)))
    return tuple(changes), tuple(numbers)


def _edit(
    source: Source, module: str, key: str, kind: str, words: str, node: Any, change: Callable[[Any], ast.AST]
) -> Edit:
    line = getattr(node, "line", node.lineno)
    old, new = ast.unparse(node), ""
    if isinstance(node, ast.expr):
        new = ast.unparse(ast.fix_missing_locations(change(copy.deepcopy(node))))
        if not words:
            words = f"`{new}` in place of `{old}`"
            if len(old) < 6:
                words += f" in `{_short(_statement(source.definitions[key], node))}`"
    content = {"old": old, "new": new} if new else {"words": words}
    span = (0, 0) if isinstance(source.definitions[key], ast.Assign) else node.span
    return Edit(Switch(kind, words, (source.path, line), content), module, key, node.index, change, span)


def _literal(make: Callable[..., Edit], node: ast.Constant, exponent: bool) -> Literal:
    kind = "exponent" if exponent else "constant"
    return Literal(float(node.value), lambda value: make(kind, "", node, lambda old: _number(value)))  # type: ignore[arg-type]


def _executed(
    module: str, roots: Iterable[str], changes: Iterable[Edit], replaced: Mapping[str, Any], clock: _Clock
) -> dict[str, Any]:
    """The names of a module with its functions defined anew, some of them changed."""
    source, left = _source(module), list(changes)
    needed = _reached(module, *roots)
    space = {
        **vars(sys.modules[module]),
        **replaced,
        "__name__": "rewritten",
        "_turn": clock.turn,
        "_late": _late,
        "_maximum": np.maximum,
    }
    for key, definition in source.definitions.items():
        own = [edit for edit in left if edit.definition == key]
        if not own and (isinstance(definition, ast.Assign) or key not in needed):
            continue
        exec(_compiled(module, key) if not own else _changed(module, key, own), space)
    return space


@functools.cache
def _compiled(module: str, key: str) -> types.CodeType:
    return _changed(module, key, [])


def _changed(module: str, key: str, changes: Iterable[Edit]) -> types.CodeType:
    tree = copy.deepcopy(_source(module).definitions[key])
    for edit in changes:
        surgeon = _Surgeon(edit)
        tree = surgeon.visit(tree)
        if not surgeon.done:
            raise LookupError(f"nothing left to change for: {edit.switch}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # dont_inherit is False: annotations stay text, as they do in this module
        return compile(ast.Module([tree], []), "<rewritten>", "exec")


class _Surgeon(ast.NodeTransformer):
    def __init__(self, edit: Edit) -> None:
        self.edit, self.done = edit, False

    def visit(self, node: ast.AST) -> Any:
        if getattr(node, "index", None) != self.edit.index or self.done:
            return node if self.done else self.generic_visit(node)
        self.done = True
        line = getattr(node, "lineno", 1)
        changed = ast.copy_location(self.edit.change(node), node)
        changed.lineno = line  # type: ignore[attr-defined]
        return ast.fix_missing_locations(changed)


class _Clock:
    """Counts the turns of loops since it was set."""

    def __init__(self) -> None:
        self.set()

    def set(self) -> None:
        self.turns, self.began = 0, time.perf_counter()

    def turn(self) -> None:
        self.turns += 1
        if self.turns > TURNS or time.perf_counter() - self.began > SECONDS:
            raise RuntimeError("a loop of a rewritten function does not end")


def _late(past: dict[int, Any], key: int, value: Any) -> Any:
    """The value of the last time, and of this time at first."""
    last = past.get(key, value)
    past[key] = value
    return last


# What follows are the rules: each looks through one definition.


def _signs(definition: Any) -> Iterator[Found]:
    for node in _expressions(definition):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            yield (
                "sign",
                "",
                node,
                lambda n: _binary(n.left, ast.Add() if isinstance(n.op, ast.Sub) else ast.Sub(), n.right),
            )
            yield "sign", "", node, lambda n: _binary(_negated(n.left), n.op, n.right)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield "sign", "", node, lambda n: n.operand if isinstance(n, ast.UnaryOp) else n
        if isinstance(node, ast.Call):
            for argument in filter(_is_quantity, node.args):
                yield "sign", f"`{ast.unparse(argument)}` negated", argument, _negated
    for value in _values(definition):
        if not isinstance(value, ast.UnaryOp):
            yield "sign", f"`{_short(value)}` negated", value, _negated


def _transpositions(definition: Any) -> Iterator[Found]:
    for node in _expressions(definition):
        if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
            yield "transposition", "", node, lambda n: n.value
        if isinstance(node, ast.Call) and _called(node) == "matrix_transpose":
            yield "transposition", "", node, lambda n: n.args[0]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            yield "transposition", "", node, lambda n: _binary(n.right, n.op, n.left)
            yield "transposition", "", node, lambda n: _filled("(a @ b).T", a=n.left, b=n.right)
            for operand in (node.left, node.right):
                if not (isinstance(operand, ast.Attribute) and operand.attr == "T"):
                    yield "transposition", "", operand, _transposed
        if isinstance(node, ast.Subscript) and ast.unparse(node.slice).strip("()") in (":, None", "None, :"):
            yield "transposition", "", node, _other_axis
        if isinstance(node, ast.Call):
            for argument in filter(_is_quantity, node.args):
                if isinstance(argument, (ast.Name, ast.Subscript)):
                    yield "transposition", f"`{ast.unparse(argument)}` transposed", argument, _transposed
    for value in _values(definition):
        yield "transposition", f"`{_short(value)}` transposed", value, _transposed


def _exponents(definition: Any) -> Iterator[Found]:
    for node in _expressions(definition):
        templates: list[tuple[str, dict[str, str]]] = []
        if isinstance(node, ast.Call) and _called(node) == "sqrt" and len(node.args) == 1:
            templates = [(text, {"a": "args.0"}) for text in ("a", "a ** 0.25", "a ** 2", "a ** -0.5")]
        sides = {"a": "left", "b": "right"}
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            constant = isinstance(node.right, ast.Constant)
            others = () if constant else ("a ** (b / 2)", "a ** (2 * b)", "a ** (-b)", "a ** (b + 1)", "a ** (b - 1)")
            templates = [(text, sides) for text in ("a", *others)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not isinstance(node.right, ast.Constant):
            templates = [(text, sides) for text in ("a / b ** 0.5", "a / b ** 2")]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            if ast.dump(node.left) == ast.dump(node.right):
                templates = [(text, sides) for text in ("a", "abs(a)", "a * a * b")]
            elif isinstance(node.left, ast.BinOp) and ast.dump(node.left.right) == ast.dump(node.right):
                parts = {"a": "left.left", "b": "right"}
                templates = [(text, parts) for text in ("a * b", "a * abs(b)", "a * b * b * b")]
        if _is_load(node) and ("exponent" in node.id or "power" in node.id):
            templates = [(text, {"a": ""}) for text in ("a / 2", "2 * a", "-a")]
        for text, paths in templates:
            yield "exponent", "", node, functools.partial(_from_parts, template=text, paths=paths)


def _epsilons(definition: Any) -> Iterator[Found]:
    corrections = [node for node in _expressions(definition) if _is_correction(node)]
    for node in _expressions(definition):
        sum_ = _with_epsilon(node)
        if sum_ is not None:
            other, name = sum_
            inside = _argument_of(other)
            if inside is not None:
                put = functools.partial(_put_inside, inside=inside.index, kept=other.index)
                yield "epsilon", f"`{name.id}` inside the root", node, functools.partial(put, epsilon=name)
                for correction in corrections:
                    before = _filled("a / b", a=name, b=correction)
                    words = f"`{name.id}` inside the root and before the bias correction"
                    yield "epsilon", words, node, functools.partial(put, epsilon=before)
            larger = functools.partial(_larger, other=other.index, name=name)
            yield "epsilon", f"the larger of the two in place of `{ast.unparse(node)}`", node, larger
        if isinstance(node, (ast.Call, ast.BinOp)):
            inner = _argument_of(node)
            sum_ = None if inner is None else _with_epsilon(inner)
            if inner is not None and sum_ is not None:
                outside = functools.partial(_put_outside, inner=inner.index, kept=sum_[0].index, name=sum_[1])
                yield "epsilon", f"`{sum_[1].id}` outside the root", node, outside
        if _is_load(node) and _is_epsilon(node):
            yield "epsilon", f"without `{node.id}`", node, lambda n: _number(0.0)
            yield "epsilon", f"the square of `{node.id}`", node, lambda n: _filled("a ** 2", a=n)
            yield "epsilon", f"the root of `{node.id}`", node, lambda n: _filled("a ** 0.5", a=n)
            for correction in corrections:
                words = f"`{node.id}` before the bias correction"
                yield "epsilon", words, node, functools.partial(_over, divisor=_filled("c ** 0.5", c=correction))
                yield "epsilon", words, node, functools.partial(_over, divisor=correction)


def _bias_corrections(definition: Any) -> Iterator[Found]:
    found = [node for node in _expressions(definition) if _is_correction(node)]
    for node in found:
        text = ast.unparse(node)
        yield "bias correction", f"without the bias correction `{text}`", node, lambda n: _number(1.0)
        for step in (1, -1):
            words = f"the bias correction `{text}` {'a step ahead' if step > 0 else 'a step behind'}"
            yield "bias correction", words, node, functools.partial(_shifted, step=step)
    if len(found) > 1:
        indices = [node.index for node in found]
        all_of = functools.partial(_everywhere, indices=indices)
        yield (
            "bias correction",
            "without bias corrections",
            _at(definition, found),
            functools.partial(all_of, change=lambda n: _number(1.0)),
        )
        for step in (1, -1):
            words = f"all bias corrections {'a step ahead' if step > 0 else 'a step behind'}"
            shifted = functools.partial(all_of, change=functools.partial(_shifted, step=step))
            yield "bias correction", words, _at(definition, found), shifted


def _decays(definition: Any) -> Iterator[Found]:
    names = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
    for node in _expressions(definition):
        if not (_is_load(node) and "decay" in node.id):
            continue
        yield "decay", f"without `{node.id}`", node, lambda n: _number(0.0)
        if "learning_rate" in names:
            yield "decay", f"`{node.id}` times the learning rate", node, lambda n: _filled("a * learning_rate", a=n)
            yield "decay", f"`{node.id}` over the learning rate", node, lambda n: _filled("a / learning_rate", a=n)
    for loop in _loops(definition):
        asked: list[Any] = [
            node.value
            for node in ast.walk(loop)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _called(node.value) == "grad"
        ]
        decays = {n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and "decay" in n.id}
        for name in sorted(decays):
            uses = [n.index for n in ast.walk(loop) if isinstance(n, ast.Name) and n.id == name]  # type: ignore[attr-defined]
            for text in (name, f"{name} / learning_rate") if "learning_rate" in names else (name,):
                coupled = functools.partial(_coupled, uses=uses, asked=[call.index for call in asked], text=text)
                yield "decay", f"`{text}` times x added to the gradient", _at(loop, asked or [loop]), coupled


def _delays(definition: Any) -> Iterator[Found]:
    keys = itertools.count()
    for loop in _loops(definition):
        assigned = {name for statement in loop.body for name in _stores(statement)}
        if isinstance(loop, ast.For):
            assigned |= _stores(loop.target)
        earlier = {name for statement in definition.body if statement is not loop for name in _stores(statement)}
        for block in ast.walk(loop):
            for statement in getattr(block, "body", ()) if isinstance(block, (ast.For, ast.While, ast.If)) else ():
                if isinstance(statement, ast.Assign):
                    for name in sorted(_stores(statement)):
                        later = functools.partial(_late_after, statement=statement.index, name=name, key=next(keys))  # type: ignore[attr-defined]
                        yield "delay", f"`{name}` one step late", _at(definition, [statement]), later
        for node in _expressions(loop):
            if not (_is_load(node) and node.id in assigned):
                continue
            words = f"`{node.id}` one step late"
            late = functools.partial(_one_use, use=node.index, key=next(keys))
            yield "delay", words, _at(definition, [node]), late
            if node.id in earlier:
                old = functools.partial(_old_use, loop=loop.index, uses=[node.index], name=node.id)
                yield "delay", words, _at(definition, [node]), old
        for name in sorted(assigned & earlier):
            uses = [n for n in _expressions(loop) if _is_load(n) and n.id == name]
            uses = _after_assignment(loop, name, uses)
            if len(uses) > 1:
                old = functools.partial(_old_use, loop=loop.index, uses=[use.index for use in uses], name=name)
                yield "delay", f"`{name}` one step late", _at(definition, uses), old


def _orders(definition: Any) -> Iterator[Found]:
    for block in ast.walk(definition):
        body = getattr(block, "body", None)
        if not isinstance(body, list) or isinstance(block, (ast.ClassDef, ast.Module)):
            continue
        for i, first in enumerate(body):
            writes = _stores(first)
            for j in range(i + 1, len(body)):
                if writes & _loads(body[j]) or _loads(first) & _stores(body[j]):
                    moved = functools.partial(_moved, i=i, j=j)
                    text = f"`{_short(first)}` after `{_short(body[j])}`"
                    yield "order", text, _at(block, [first]), moved


def _numbers_changed(definition: Any) -> Iterator[Found]:
    for node, exponent in _constants(definition):
        value: Any = node.value
        others = [value / 2.0, 2 * value, 0, 1, value + 1, value - 1, 10 * value, value / 10.0, -value]
        for other in dict.fromkeys(others):
            if other != value and (isinstance(value, float) or other == int(other)):
                new = functools.partial(_other_number, value=type(value)(other))
                yield "exponent" if exponent else "constant", "", node, new


def _probes(definition: Any) -> Iterator[Found]:
    for node in _expressions(definition):
        if isinstance(node, ast.Constant) and node.value in PROBES:
            for other in PROBES:
                if other != node.value:
                    yield "probe", f"{other} probes", node, functools.partial(_other_text, text=other)


RULES: tuple[Callable[[Any], Iterator[Found]], ...] = (
    _decays, _epsilons, _bias_corrections, _exponents, _signs, _transpositions, _delays, _orders, _numbers_changed,
    _probes,
)  # fmt: skip


# And what they share.


def _expressions(definition: Any) -> Iterator[Any]:
    """The nodes of the body, without annotations, defaults, messages and what is merely shown."""
    if isinstance(definition, (ast.FunctionDef, ast.ClassDef, ast.For, ast.While)):
        waiting: list[Any] = list(reversed(definition.body))
    else:
        waiting = [definition.value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Raise, ast.JoinedStr, ast.arguments)) or (
            isinstance(node, ast.Call) and _called(node) == "Iterate"
        ):
            continue
        if isinstance(node, ast.YieldFrom):  # what is handed on acts elsewhere
            yield from (each for each in ast.walk(node) if isinstance(each, ast.Constant))
            continue
        yield node
        children = [child for name, child in ast.iter_fields(node) if name not in ("annotation", "returns")]
        flat: list[Any] = [c for child in children for c in (child if isinstance(child, list) else [child])]
        waiting.extend(child for child in reversed(flat) if isinstance(child, ast.AST))


def _values(definition: Any) -> Iterator[Any]:
    """What is assigned or returned, the parts of a tuple one by one."""
    for node in _expressions(definition):
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Return, ast.AnnAssign)) and node.value is not None:
            parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            yield from filter(_is_quantity, parts)


def _is_quantity(node: Any) -> bool:
    """Whether it may be a number or an array, and is neither a sign away from another nor one of the usual objects."""
    if isinstance(node, ast.Name):
        return node.id not in ("problem", "batch", "batch_size", "name", "rng", "self", "xp") and not node.id.endswith(
            "_rng"
        )
    if isinstance(node, ast.Call):
        return _called(node) not in (
            "batches",
            "count",
            "default_rng",
            "getattr",
            "namespace",
            "partial",
            "spawn",
            "zip",
        )
    kinds = (ast.BinOp, ast.Attribute, ast.Subscript, ast.ListComp)
    return isinstance(node, kinds) or (isinstance(node, ast.IfExp) and not isinstance(node.body, ast.Constant))


def _constants(definition: Any) -> Iterator[tuple[ast.Constant, bool]]:
    """The numbers, and whether each is an exponent."""
    powers = {id(n.right) for n in ast.walk(definition) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow)}
    for node in _expressions(definition):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield node, id(node) in powers


def _loops(definition: Any) -> list[Any]:
    return [node for node in ast.walk(definition) if isinstance(node, (ast.For, ast.While))]


def _loads(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _stores(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _after_assignment(loop: Any, name: str, uses: list[Any]) -> list[Any]:
    lines = [s.lineno for s in ast.walk(loop) if isinstance(s, ast.stmt) and s is not loop and name in _stores(s)]
    return [use for use in uses if lines and use.lineno > min(lines)]


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _statement(definition: Any, node: Any) -> Any:
    """The innermost statement around a node; of a compound one, its head."""
    last = [s for s in ast.walk(definition) if isinstance(s, ast.stmt) and (s.lineno, s.end_lineno) == node.span][-1]
    return getattr(last, "test", getattr(last, "iter", last))


def _short(node: ast.AST, length: int = 60) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _at(holder: Any, nodes: Sequence[Any]) -> Any:
    """The holder, as a node that is said to be at the line of the first of some nodes in it."""
    mark = copy.copy(holder)
    first = min(nodes, key=lambda node: node.lineno)
    mark.line, mark.span = first.lineno, first.span
    return mark


def _filled(template: str, **parts: Any) -> Any:
    """An expression with other expressions in the place of its names."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> Any:
            return copy.deepcopy(parts[node.id]) if node.id in parts else node

    return Fill().visit(ast.parse(template, mode="eval").body)


def _from_parts(node: Any, template: str, paths: Mapping[str, str]) -> Any:
    """A template filled with parts of a node, each at the end of a path of attributes and indices."""

    def part(path: str) -> Any:
        found = node
        for name in filter(None, path.split(".")):
            found = found[int(name)] if name.isdigit() else getattr(found, name)
        return found

    return _filled(template, **{name: part(path) for name, path in paths.items()})


def _is_load(node: Any) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _over(node: Any, divisor: Any) -> Any:
    return _filled("a / b", a=node, b=divisor)


def _other_number(node: Any, value: float) -> Any:
    return _number(value)


def _other_text(node: Any, text: str) -> Any:
    return ast.Constant(text)


def _number(value: float) -> Any:
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def _binary(left: Any, op: Any, right: Any) -> Any:
    return ast.BinOp(left, op, right)


def _negated(node: Any) -> Any:
    return ast.UnaryOp(ast.USub(), node)


def _transposed(node: Any) -> Any:
    return ast.Attribute(node, "T", ast.Load())


def _other_axis(node: Any) -> Any:
    node.slice.elts.reverse()
    return node


def _is_correction(node: Any) -> bool:
    """Whether it reads ``1 - b ** t``."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and isinstance(node.left, ast.Constant)
        and node.left.value == 1
        and isinstance(node.right, ast.BinOp)
        and isinstance(node.right.op, ast.Pow)
    )


def _shifted(node: Any, step: int) -> Any:
    node.right.right = _filled("a + 1" if step > 0 else "a - 1", a=node.right.right)
    return node


def _is_epsilon(node: Any) -> bool:
    return isinstance(node, ast.Name) and any(part in node.id.lower() for part in DAMPING)


def _with_epsilon(node: Any) -> tuple[Any, Any] | None:
    """Of a sum with an epsilon the other term, and the epsilon."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)):
        return None
    for name, other in ((node.right, node.left), (node.left, node.right)):
        if _is_epsilon(name):
            return other, name
    return None


def _argument_of(node: Any) -> Any:
    """What a root or power is taken of."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _argument_of(node.left) or node.left
    if isinstance(node, ast.Call) and len(node.args) == 1:
        return node.args[0]
    return None


def _replaced(node: Any, changes: Mapping[int, Callable[[Any], Any]]) -> Any:
    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            change = changes.get(getattr(node, "index", -1))
            return self.generic_visit(node) if change is None else change(node)

    return Replace().visit(node)


def _inner(node: Any, index: int) -> Any:
    return next(each for each in ast.walk(node) if getattr(each, "index", -1) == index)


def _put_inside(node: Any, inside: int, kept: int, epsilon: Any) -> Any:
    return _replaced(_inner(node, kept), {inside: lambda n: _filled("a + b", a=n, b=epsilon)})


def _put_outside(node: Any, inner: int, kept: int, name: Any) -> Any:
    bare = _replaced(node, {inner: lambda n: _inner(n, kept)})
    return _filled("a + b", a=bare, b=name)


def _larger(node: Any, other: int, name: Any) -> Any:
    return _filled("_maximum(a, b)", a=_inner(node, other), b=name)


def _everywhere(node: Any, indices: Iterable[int], change: Callable[[Any], Any]) -> Any:
    return _replaced(node, dict.fromkeys(indices, change))


def _coupled(loop: Any, uses: Iterable[int], asked: Iterable[int], text: str) -> Any:
    changes: dict[int, Callable[[Any], Any]] = dict.fromkeys(uses, lambda n: _number(0.0))
    changes |= dict.fromkeys(asked, lambda n: _filled(f"g + ({text}) * x", g=n, x=n.args[0]))
    return _replaced(loop, changes)


def _one_use(definition: Any, use: int, key: int) -> Any:
    definition = _replaced(definition, {use: lambda n: _filled(f"_late(_past, {key}, a)", a=n)})
    definition.body.insert(0, ast.parse("_past = {}").body[0])
    return definition


def _late_after(definition: Any, statement: int, name: str, key: int) -> Any:
    late = ast.parse(f"{name} = _late(_past, {key}, {name})").body[0]
    for block in ast.walk(definition):
        body: Any = getattr(block, "body", ())
        at = (
            [k for k, each in enumerate(body) if getattr(each, "index", -1) == statement]
            if isinstance(body, list)
            else []
        )
        if at:
            body.insert(at[0] + 1, late)
            break
    else:
        raise LookupError("nothing left to delay")
    definition.body.insert(0, ast.parse("_past = {}").body[0])
    return definition


def _old_use(definition: Any, loop: int, uses: Iterable[int], name: str) -> Any:
    definition = _replaced(definition, dict.fromkeys(uses, lambda n: ast.Name(f"_old_{name}", ast.Load())))
    _inner(definition, loop).body.insert(0, ast.parse(f"_old_{name} = {name}").body[0])
    return definition


def _moved(block: Any, i: int, j: int) -> Any:
    block.body.insert(j, block.body.pop(i))
    return block
