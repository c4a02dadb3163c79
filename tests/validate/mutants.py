"""Mutants of the methods, made mechanically from their source: one small change each, compiled as a module of its own."""

import ast
import contextlib
import copy
import dataclasses
import functools
import inspect
import signal
import sys
import types

import numpy as np

import secondorder as so
from secondorder.arrays import norm
from secondorder.catalogue import find
from secondorder.ledger import Ledger
from secondorder.linalg.line_search import no_allowance
from secondorder.validate.comparison import _shared, accounts, relative_error
from secondorder.validate.problems import problems_for
from secondorder.validate.recording import Candidate, record, tapped
from secondorder.validate.verdict import check

DOCUMENTED = ("constant", "sign", "transposition", "delay", "exponent", "epsilon")
HELD_BACK = ("operator", "dropped line")
STEPS = 20
ROUNDING = 1e-9
"""Two runs apart by no more than this are one, in the check for equivalence."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change to a method's source: its kind, the line it concerns, before and after, and the method that results."""

    method: str
    kind: str
    line: int
    before: str
    after: str
    function: object = dataclasses.field(compare=False, repr=False)

    def __str__(self):
        return f"{self.method}, line {self.line}, {self.kind}: {self.before} -> {self.after}"


# Mutators: of a node of the tree they give (kind, node in its place).


def numbers(node):
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = node.value
        yield "constant", ast.Constant(value + 1 if type(value) is int else 2.0 * value if value else 0.5)


def signs(node):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield "sign", ast.BinOp(node.left, other, node.right)


OTHERS = {ast.Mult: ast.Div, ast.Div: ast.Mult}
REVERSED = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt}


def operators(node):
    if isinstance(node, ast.BinOp) and type(node.op) in OTHERS:
        yield "operator", ast.BinOp(node.left, OTHERS[type(node.op)](), node.right)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in REVERSED:
        yield "operator", ast.Compare(node.left, [REVERSED[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    if isinstance(node, ast.BoolOp):
        yield "operator", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    if _called(node) in ("max", "min", "maximum", "minimum"):
        swap = {"max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum"}[_called(node)]
        yield "operator", ast.Call(_renamed(node.func, swap), node.args, node.keywords)


def transpositions(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield "transposition", ast.BinOp(node.right, ast.MatMult(), node.left)
        yield "transposition", ast.BinOp(ast.Attribute(node.left, "T", ast.Load()), ast.MatMult(), node.right)
    if _called(node) == "matrix_transpose" and node.args:
        yield "transposition", node.args[0]
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transposition", node.value


def exponents(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield "exponent", ast.BinOp(node.left, ast.Pow(), ast.BinOp(ast.Constant(2.0), ast.Mult(), node.right))
        yield "exponent", ast.BinOp(node.left, ast.Pow(), ast.BinOp(ast.Constant(0.5), ast.Mult(), node.right))
    if _called(node) == "sqrt" and len(node.args) == 1:
        yield "exponent", node.args[0]
        yield "exponent", ast.Call(node.func, [ast.Call(node.func, node.args, [])], [])


def epsilons(node):
    """A small number added outside a function goes inside, and the other way round."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for outer, small in ((node.left, node.right), (node.right, node.left)):
            if _called(outer) == "sqrt" and _is_small(small):
                yield "epsilon", ast.Call(outer.func, [ast.BinOp(outer.args[0], ast.Add(), small)], [])
    if _called(node) == "sqrt" and isinstance(node.args[0], ast.BinOp) and isinstance(node.args[0].op, ast.Add):
        inside = node.args[0]
        for term, small in ((inside.left, inside.right), (inside.right, inside.left)):
            if _is_small(small):
                yield "epsilon", ast.BinOp(ast.Call(node.func, [term], []), ast.Add(), small)


MUTATORS = (numbers, signs, operators, transpositions, exponents, epsilons)


def _is_small(node):
    name = node.id if isinstance(node, ast.Name) else node.value if isinstance(node, ast.Constant) else None
    return (isinstance(name, str) and "eps" in name) or (isinstance(name, float) and 0.0 < name < 1e-3)


def _called(node):
    if not isinstance(node, ast.Call):
        return None
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)


def _renamed(node, name):
    return (
        ast.Attribute(node.value, name, ast.Load()) if isinstance(node, ast.Attribute) else ast.Name(name, ast.Load())
    )


class _Replace(ast.NodeTransformer):
    def __init__(self, target, new):
        self.target, self.new = target, new

    def visit(self, node):
        return self.new if node is self.target else self.generic_visit(node)


class _Rename(ast.NodeTransformer):
    def __init__(self, name, new):
        self.name, self.new = name, new

    def visit_Name(self, node):
        if node.id == self.name and isinstance(node.ctx, ast.Load):
            return ast.copy_location(ast.Name(self.new, ast.Load()), node)
        return node


def _expressions(function):
    """Every node of a function that computes something: not its annotations, decorators, docstring or return type."""
    pending = [d for d in (*function.args.defaults, *function.args.kw_defaults) if d is not None] + function.body
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node
        skipped = [node.annotation] if isinstance(node, ast.AnnAssign) else []
        pending.extend(child for child in ast.iter_child_nodes(node) if child not in skipped)


def _blocks(node):
    """Every list of statements below a node, with the loop it stands in directly."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield node, block
            for statement in block:
                yield from _blocks(statement)


def _names(target):
    return [n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _changes(tree, executed):
    """(kind, line, before, after, function that changes a copy of the tree in place) for every mutation of executed lines."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    seen = set()
    for function in functions:
        for node in _expressions(function):
            default = any(node is d for d in function.args.kw_defaults)
            if id(node) in seen or not (default or getattr(node, "lineno", 0) in executed):
                continue
            seen.add(id(node))
            for mutate in MUTATORS:
                for kind, new in mutate(node):
                    yield kind, node.lineno, ast.unparse(node), ast.unparse(new), functools.partial(_swap, node, new)
    for holder, block in (pair for function in functions for pair in _blocks(function)):
        for k, statement in enumerate(block):
            if statement.lineno not in executed or (id(statement) in seen and not isinstance(statement, ast.stmt)):
                continue
            if isinstance(statement, (ast.Assign, ast.AugAssign)) or (
                isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            ):
                line = ast.unparse(statement)
                yield "dropped line", statement.lineno, line, "pass", functools.partial(_swap, statement, ast.Pass())
            if isinstance(holder, (ast.For, ast.While)) and isinstance(statement, ast.Assign):
                for name in dict.fromkeys(n for target in statement.targets for n in _names(target)):
                    if any(isinstance(n, ast.Name) and n.id == name for s in block[k + 1 :] for n in ast.walk(s)):
                        late = functools.partial(_late, statement, name)
                        yield "delay", statement.lineno, ast.unparse(statement), f"{name} used one step late", late


def _swap(target, new, tree):
    _Replace(target, new).visit(tree)


def _late(statement, name, tree):
    """After its assignment a name stands for its value of the last time round, until it is assigned again."""
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        for _, block in _blocks(function):
            if statement in block:
                k = block.index(statement)
                used, last = f"{name}_used", f"{name}_last"
                for later in range(k + 1, len(block)):
                    again = any(
                        name in _names(n) for n in ast.walk(block[later]) if isinstance(n, (ast.Assign, ast.For))
                    )
                    block[later] = _Rename(name, used).visit(block[later])
                    if again:
                        break
                block[k + 1 : k + 1] = ast.parse(f"{used} = {name} if {last} is None else {last}\n{last} = {name}").body
                start = 1 if isinstance(function.body[0], ast.Expr) else 0
                function.body.insert(start, ast.parse(f"{last} = None").body[0])
                return


def executed_lines(info, runs):
    """The lines of the method's own file that these runs pass through."""
    path, lines = inspect.getsourcefile(inspect.unwrap(info.function)), set()

    def trace(frame, event, argument):
        if frame.f_code.co_filename != path:
            return None
        lines.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        runs()
    finally:
        sys.settrace(before)
    return lines


def mutants(info):
    """Every mutant of a method, stillborn ones included, in the order of kinds and lines."""
    path = inspect.getsourcefile(inspect.unwrap(info.function))
    with open(path, encoding="utf-8") as file:
        source = file.read()
    executed = executed_lines(info, lambda: [walked(find(info.name), problem) for problem in problems_for(info)])
    tree = ast.parse(source)
    for kind, line, before, after, change in _changes(tree, _whole_statements(tree, executed)):
        memo = {}
        mutated = copy.deepcopy(tree, memo)
        _applied(change, memo, mutated)
        function = _compiled(mutated, path, info)
        if function is not None:
            yield Mutant(info.name, kind, line, before, after, function)


def _applied(change, memo, tree):
    """A change made for a tree, done to its copy."""
    change.func(*(memo.get(id(argument), argument) for argument in change.args), tree)


def _whole_statements(tree, executed):
    """All lines of every simple statement of which one was executed, and of the heads of the others."""
    lines = set(executed)
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            end = node.body[0].lineno - 1 if getattr(node, "body", None) else node.end_lineno
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) and lines & set(range(node.lineno, end + 1)):
                lines |= set(range(node.lineno, end + 1))
    return lines


def _compiled(tree, path, info):
    module = types.ModuleType(f"mutant_{info.name}")
    sys.modules[module.__name__] = module
    ast.fix_missing_locations(tree)
    try:
        exec(compile(tree, path, "exec"), module.__dict__)
    except Exception:  # a default outside of its domain
        return None
    return getattr(module, info.name)


# Which methods, and which mutants.


class TooLong(Exception):
    pass


@contextlib.contextmanager
def time_limit(seconds):
    """Interrupt what loops for ever (in the main thread, on POSIX)."""

    def stop(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def walked(function, problem, x0=None, seed=0, steps=STEPS, **hyper):
    """The rows of a free run, and the error that ended it."""
    draws = "rng" in inspect.signature(function.method.function).parameters
    rows = []
    try:
        with np.errstate(all="ignore"), time_limit(1.0):
            ledger = Ledger(problem, x0)
            iterates = function(ledger, **hyper, **({"rng": np.random.default_rng(seed)} if draws else {}))
            for _ in range(steps + 1):
                rows.append(next(iterates))
                if not np.all(np.isfinite(rows[-1].x)):
                    raise FloatingPointError("x is not finite")
    except StopIteration:
        return rows, ""
    except TooLong:
        raise
    except Exception as error:
        return rows, f"{type(error).__name__}"
    return rows, ""


@functools.cache
def carries_state(name):
    """Whether a method that starts afresh from its own fifth point goes another way than the run that comes from there."""
    function = find(name)
    for problem in problems_for(function.method):
        rows, _ = walked(function, problem, steps=8)
        for k in range(1, len(rows) - 1):
            fresh, _ = walked(function, problem, rows[k].x, steps=1)
            ours, anew = rows[k + 1].x - rows[k].x, fresh[1].x - fresh[0].x if len(fresh) > 1 else 0.0 * rows[0].x
            if norm(ours - anew) > ROUNDING * max(norm(ours), norm(anew)):
                return True
    return False


def stateful():
    """The optimisers of the catalogue that carry more than x from step to step."""
    return [info for info in so.methods(kind="optimiser") if carries_state(info.name)]


def same_run(ours, theirs, allowed):
    """Whether two runs go the same way, and what both tell is the same to rounding, as far as rounding lets judge."""
    (rows, error), (others, other_error) = ours, theirs
    if len(rows) != len(others) and min(len(rows), len(others)) < len(allowed):
        return False
    if error != other_error and len(allowed) == len(rows):
        return False
    return all(
        relative_error(a, b) <= limit
        for mine, other, limit in zip(accounts(rows), accounts(others), allowed)
        for _, a, b in _shared(mine, other)
    )


def rounding_of(run, rounded):
    """What a run with rounded answers differs by, up to each row, with allowance; to where a solution is reached, or
    rounding decides."""
    allowed, worst, longest = [], ROUNDING, 0.0
    for mine, other in zip(accounts(run[0]), accounts(rounded[0])):
        worst = max([worst, *(1e4 * relative_error(a, b) for _, a, b in _shared(mine, other))])
        moved = np.inf if mine["step"] is None else float(np.max(np.abs(mine["step"])))
        longest = max(longest, moved if np.isfinite(moved) else 0.0)
        if worst > 0.1 or 0.0 < moved < 1e-7 * longest:
            break
        allowed.append(worst)
    return allowed


def rounded(problem):
    """The problem, each number of each answer rounded up or down at random."""
    rng = np.random.default_rng(0)

    def nudged(answer):
        if isinstance(answer, tuple):
            return answer
        noise = rng.choice([-1.0, 1.0], np.shape(answer))
        noise = (
            np.triu(noise) + np.triu(noise, 1).T if noise.ndim == 2 and len(noise) == noise.size / len(noise) else noise
        )
        return answer * (1.0 + 2.0**-52 * noise) if np.asarray(answer).dtype.kind == "f" else answer

    return tapped(problem, lambda batch, oracle, *a, **o: nudged(getattr(batch, oracle)(*a, **o)))


def trials(info):
    """Problems and starts other than those a candidate is judged on: their starts moved. The generator is the one that a
    method takes if it is given none: from which one a candidate draws is its own affair."""
    for problem in problems_for(info):
        for seed in (11, 12):
            rng = np.random.default_rng(seed)
            x0 = problem.x0 + 0.1 * rng.standard_normal(problem.x0.shape) * (0.1 + np.abs(problem.x0))
            if problem.constraint is not None:
                x0 = problem.constraint.project(x0)
            yield problem, x0, 0


@functools.cache
def _reference_runs(name):
    function, found = find(name), []
    for problem, x0, seed in trials(function.method):
        run = walked(function, problem, x0, seed)
        nearby = walked(function, rounded(problem), x0, seed)
        with no_allowance():
            strictly = walked(function, problem, x0, seed)
        allowed = list(map(max, rounding_of(run, nearby), rounding_of(run, strictly)))
        found.append((problem, x0, seed, run, allowed))
    return found


def equivalent(mutant):
    """Whether a mutant tells the same as the method in free runs from other starts."""
    return all(
        same_run(reference, walked(mutant.function, problem, x0, seed), allowed)
        for problem, x0, seed, reference, allowed in _reference_runs(mutant.method)
    )


def stillborn(mutant):
    """Whether it breaks down before its first step, wherever it starts: then it is no candidate."""
    trials = _reference_runs(mutant.method)
    return all(len(walked(mutant.function, *trial[:3], steps=1)[0]) < 2 for trial in trials)


def fate(mutant):
    """ "stillborn", "hangs", "equivalent", "detected" or "missed"."""
    try:
        if stillborn(mutant):
            return "stillborn"
        if equivalent(mutant):
            return "equivalent"
    except TooLong:
        return "hangs"
    return "detected" if reports(mutant)[-1].differs else "missed"


def reports(mutant, diagnose=False):
    """The reports on the problems that a candidate is judged on, up to the first that differs."""
    candidate, found = Candidate(str(mutant), mutant.function), []
    if diagnose:
        return [check(candidate, mutant.method, steps=STEPS, seed=1, probes=False)]
    for problem in problems_for(find(mutant.method).method):
        recording = record(candidate, problem, steps=STEPS, seed=1, seconds=5.0)
        found.append(check(recording, mutant.method, diagnose=False))
        if found[-1].differs:
            break
    return found


@functools.cache
def statements(name):
    """Of each line of a method's file the first and last line of the simple statement it belongs to."""
    with open(source_of(name), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    spans = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            end = node.body[0].lineno - 1 if getattr(node, "body", None) else node.end_lineno
            spans.update(dict.fromkeys(range(node.lineno, end + 1), (node.lineno, end)))
    return spans


def source_of(name):
    return inspect.getsourcefile(inspect.unwrap(find(name).method.function))


def named(mutant, report):
    """Whether the explanation names the statement that was changed, or hyper-parameters under which the method is the mutant:
    the same in free runs from other starts, too."""
    explanation = report.explanation
    if not explanation:
        return False
    first, last = statements(mutant.method).get(mutant.line, (mutant.line, mutant.line))
    file = source_of(mutant.method).replace("\\", "/")
    if any(s.where and file.endswith(s.where[0]) and first <= s.where[1] <= last for s in explanation.switches):
        return True
    if not all(s.kind in ("variant", "hyperparameter") for s in explanation.switches):
        return False
    hyper = {name: value for s in explanation.switches for name, value in s.change.items()}
    try:
        return all(
            same_run(
                walked(find(mutant.method), problem, x0, seed, **hyper),
                walked(mutant.function, problem, x0, seed),
                allowed,
            )
            for problem, x0, seed, _, allowed in _reference_runs(mutant.method)
        )
    except (TypeError, ValueError, TooLong):
        return False
