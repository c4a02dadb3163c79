"""Curvature operators of other libraries, against those of this one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag
from scipy.sparse.linalg import LinearOperator

from secondorder import checks
from secondorder import operators as ours
from secondorder.ledger import Ledger, a_problem
from secondorder.linalg import ExampleGradients, Layer, eigen, kronecker_factors, kronecker_moments
from secondorder.oracles import Problem, point
from secondorder.validate.comparison import SAFETY, UNITS, relative_error
from secondorder.validate.recording import in_one_line
from secondorder.validate.verdict import Finding, plain

DRAWS = 64
"""Draws of the reference from which the spread of a Monte-Carlo operator is learnt."""
SIGMAS = 7.0
"""A mean is off if it is so many of its standard errors from where it should be: single draws have heavy tails."""
MOST_CHANGES = 3
"""An explanation by more is none."""

KINDS: dict[str, tuple[str, Callable[..., ours.Curvature]]] = {
    "hessian": ("the Hessian", ours.Hessian),
    "ggn": ("the generalised Gauss-Newton matrix", ours.GGN),
    "fisher": ("the Fisher", ours.Fisher),
    "empirical_fisher": ("the empirical Fisher", ours.EmpiricalFisher),
    "kfac": ("K-FAC", ours.KFAC),
    "ekfac": ("EK-FAC", ours.EKFAC),
    "empirical_kfac": ("K-FAC of the empirical Fisher", lambda p, x: ours.KFAC(p, x, "empirical")),
    "empirical_ekfac": ("EK-FAC of the empirical Fisher", lambda p, x: ours.EKFAC(p, x, "empirical")),
}
DRAWN: dict[str, tuple[str, Callable[..., ours.Curvature]]] = {
    f"monte_carlo_{kind}": (KINDS[kind][0], make)
    for kind, make in (("fisher", ours.Fisher), ("kfac", ours.KFAC), ("ekfac", ours.EKFAC))
}


@dataclass(frozen=True)
class OperatorReport:
    """What :func:`check_operator` found; true if the operator is the reference.

    ``error`` is the largest entry of the difference over the largest of the matrix, ``tolerance`` what is allowed,
    ``findings`` the named checks, ``explanation`` the fewest changes to the reference under which the two agree.
    """

    kind: str
    problem: str
    d: int
    error: float
    tolerance: float
    findings: tuple[Finding, ...]
    explanation: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        return not any(finding.passed is False for finding in self.findings)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.agrees:
            drawn = self.kind in DRAWN
            return "within its statistical error it is the reference" if drawn else f"it agrees to {self.error:.1e}"
        if self.explanation:
            return f"it is {', '.join(self.explanation)}"
        return "; ".join(f"{finding.name}: {finding.words}" for finding in self.findings if finding.passed is False)

    def __bool__(self) -> bool:
        return self.agrees

    def __str__(self) -> str:
        head = f"an operator of {self.d} parameters against {self.kind} on {self.problem}"
        lines = [f"{head}: {'agrees' if self.agrees else 'DIFFERS'}", f"  {self.verdict}"]
        return "\n".join([*lines, *(f"  {finding}" for finding in self.findings)])

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries; numbers that are not finite become None."""
        findings = [vars(finding) for finding in self.findings]
        told: dict[str, Any] = {**vars(self), "findings": findings, "agrees": self.agrees, "verdict": self.verdict}
        return plain(told)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)


def check_operator(
    operator: Any,
    kind: str,
    problem: Problem,
    x: Any = None,
    *,
    order: str = "rows",
    samples: int = 1,
    seed: int = 0,
    tolerance: float | None = None,
) -> OperatorReport:
    r"""Hold a curvature operator against the reference, entry by entry, and be told what it is instead.

    Looked for, the fewest changes first: another matrix (:math:`J^\top J`, the empirical Fisher, one block a layer, biases
    apart, a Kronecker factor left out …), another order of the parameters, a factor (:math:`N`, :math:`N^{-2}`, 2, the number
    of outputs …) on the whole or on the block of one layer, and a multiple of the identity (the penalty).

    Parameters
    ----------
    operator : LinearOperator, function ``v -> C v``, or array (d, d)
        Of a Monte-Carlo kind also a list of several that were drawn independently: the test is the sharper.
    kind : str
        ``"hessian"`` (of the whole objective), ``"ggn"``, ``"fisher"``, ``"empirical_fisher"``, ``"kfac"``, ``"ekfac"``,
        ``"empirical_kfac"``, ``"empirical_ekfac"``; see :mod:`secondorder.operators`. Or ``"monte_carlo_fisher"``,
        ``"monte_carlo_kfac"``, ``"monte_carlo_ekfac"``, judged by their statistical error.
    problem : Problem
        Such as :func:`secondorder.problems.mlp`, mean loss and all.
    x : array (d,), optional
        Where; by default the problem's start. In the order of this library.
    order : str, default "rows"
        The order of the parameters in the operator, of :func:`parameter_orders`; ``"weights, bias"`` is PyTorch's.
    samples : int, default 1
        Labels drawn for each example, for Monte-Carlo kinds.
    seed : int, default 0
    tolerance : float, optional
        Relative to the largest entry; by default 1000 rounding units of the operator's precision, and 100 times what rounding
        of x does to the reference.

    Returns
    -------
    OperatorReport
        Also for an operator that raises, returns a wrong shape or NaN.

    Raises ``ValueError`` for an unknown kind or order, or a problem that lacks the oracle.

    Cost: d + 1 products, and the dense reference; of Monte-Carlo kinds 64 of them.

    >>> import secondorder as so
    >>> problem = so.validate.problems_for(so.kronecker.shampoo.method)[0]
    >>> C = so.operators.EmpiricalFisher(problem, problem.x0)
    >>> check_operator(C, "empirical_fisher", problem).agrees
    True
    >>> print(check_operator(lambda v: 24 * (C @ v), "fisher", problem).verdict)
    it is the empirical Fisher, times N (N = 24: the sum over the examples, not the mean)
    """
    if kind not in (*KINDS, *DRAWN):
        raise ValueError(f"kind must be one of {', '.join((*KINDS, *DRAWN))}; got {kind!r}")
    if tolerance is not None:
        checks.size("tolerance", tolerance)
    problem = a_problem(problem)
    x = point(problem.x0 if x is None else x, "x")
    {**KINDS, **DRAWN}[kind][1](problem, x)
    matrices = Matrices(problem, x)
    orders = parameter_orders(problem, x.shape[0])
    if order not in orders:
        raise ValueError(f"order must be one of {', '.join(map(repr, orders))} for {problem.name}; got {order!r}")
    several = kind in DRAWN and isinstance(operator, (list, tuple))
    given = list(operator) if several else [operator]
    findings: list[Finding] = []
    draws: list[np.ndarray] = []
    unit = max(map(_unit, given))
    base = UNITS * unit if tolerance is None else tolerance
    for each in given:
        matrix, found = _dense(each, x.shape[0], base, seed)
        findings = found if all(finding.passed for finding in findings) else findings
        if matrix is None:
            return OperatorReport(kind, problem.name, x.shape[0], np.inf, base, tuple(findings))
        draws.append(matrix)
    if kind != "hessian":
        findings.append(_definite(draws[0], base))
    if kind in DRAWN:
        return _drawn(draws, kind, matrices, order, samples, seed, base, findings)
    reference, moved = matrices[kind], _ours(draws[0], orders[order])
    allowed = base + SAFETY * _rounding(kind, problem, x, unit, seed)
    error = relative_error(moved, reference)
    findings.append(_located(moved, reference, error, allowed, problem))
    looked = error > allowed and all(finding.passed for finding in findings if finding.name == "linear")
    explanation = () if not looked else explain_matrix(draws[0], kind, matrices, order, allowed)
    return OperatorReport(kind, problem.name, x.shape[0], error, allowed, tuple(findings), explanation)


def parameter_orders(problem: Problem, d: int | None = None) -> dict[str, np.ndarray]:
    """Of each known order of a network's parameters the positions in this library's: ``theirs = ours[positions]``.

    ``"rows"`` is this library's: of each layer the matrix [W b], row by row. ``"weights, bias"`` is PyTorch's,
    ``"bias, weights by columns"`` that of sorted dictionaries of (inputs, outputs) kernels, as in Flax.

    Parameters
    ----------
    problem : Problem
        With ``shapes``, those of the matrices [W b]; any other has one order only.
    d : int, optional
        How many parameters, for a problem without ``shapes`` and start.

    Returns
    -------
    dict of arrays (d,)

    >>> import secondorder as so
    >>> problem = so.problems.mlp(([[1.0, 2.0], [3.0, 4.0]], [0, 1]), [2, 2])
    >>> {name: positions.tolist() for name, positions in parameter_orders(problem).items()}["weights, bias"]
    [0, 1, 3, 4, 2, 5]
    """
    shapes = getattr(problem, "shapes", None)
    if shapes is None:
        return {"rows": np.arange(len(problem.x0) if d is None else d)}  # type: ignore[arg-type]
    layers = _layers(shapes)
    weights, biases = [layer[:, :-1] for layer in layers], [layer[:, -1] for layer in layers]
    pairs = list(zip(weights, biases, strict=True))
    found = {
        "rows": [layer.ravel() for layer in layers],
        "weights, bias": [np.append(W, b) for W, b in pairs],
        "columns": [layer.T.ravel() for layer in layers],
        "bias, weights": [np.append(b, W) for W, b in pairs],
        "bias, weights by columns": [np.append(b, W.T) for W, b in pairs],
        "all weights, all biases": [W.ravel() for W in weights] + biases,
        "last layer first": [layer.ravel() for layer in layers[::-1]],
    }
    return {name: np.concatenate(parts) for name, parts in found.items()}


class Matrices(dict[str, np.ndarray]):
    """The dense references at a point, and what is mistaken for them, each made when it is asked for."""

    def __init__(self, problem: Problem, x: np.ndarray) -> None:
        super().__init__()
        self.problem, self.x = problem, x
        self.makers: dict[str, Callable[[], np.ndarray]] = {
            words: lambda make=make: make(problem, x).to_dense()  # type: ignore[misc]
            for words, make in KINDS.values()
            if getattr(make, "needs", "signals") in Ledger(problem, x).oracles
        }
        if "signals" in problem.oracles:
            self._add_relatives()

    def _add_relatives(self) -> None:
        for words in ("the generalised Gauss-Newton matrix", "the Hessian", "the empirical Fisher"):
            self.makers[f"the diagonal blocks of {words}, one a layer,"] = lambda words=words: self._blocks(words)  # type: ignore[misc]
        for kind, whose in (("exact", ""), ("empirical", " of the empirical Fisher")):
            for words, block in RELATIVES.items():
                self.makers[words.format(whose)] = lambda kind=kind, block=block: self._by_layer(kind, block)  # type: ignore[misc]
        self.makers["J'J, without the Hessian of the loss,"] = lambda: self._second_moment("unit")
        self.makers["the outer product of the mean gradient"] = lambda: self._mean_outer()
        self.makers["the covariance of the examples' gradients, their mean taken away,"] = lambda: (
            self["the empirical Fisher"] - self._mean_outer()
        )

    def __missing__(self, words: str) -> np.ndarray:
        words = KINDS[words][0] if words in KINDS else words
        if words not in self:
            self[words] = self.makers[words]()
        return self[words]

    def _layers(self, kind: str) -> tuple[Layer, ...]:
        layers: tuple[Layer, ...] = self.problem.signals(self.x, kind, np.random.default_rng(0), 1)
        return layers

    def _by_layer(self, kind: str, block: Callable[[Layer], np.ndarray]) -> np.ndarray:
        return block_diag(*map(block, self._layers(kind)))

    def _blocks(self, words: str) -> np.ndarray:
        layers = [layer.ravel() for layer in _layers(self.problem.shapes)]  # type: ignore[attr-defined]
        return block_diag(*(self[words][np.ix_(layer, layer)] for layer in layers))

    def _second_moment(self, kind: str) -> np.ndarray:
        G = ExampleGradients(self._layers(kind))
        return G.dense().T @ G.dense() / G.n

    def _mean_outer(self) -> np.ndarray:
        G = ExampleGradients(self._layers("empirical"))
        mean = np.sum(G.dense(), axis=0) / G.n
        return np.outer(mean, mean)


def _kronecker(layer: Layer, left: bool = True, right: bool = True) -> np.ndarray:
    A, B = kronecker_factors(*layer)
    return np.kron(B if left else np.eye(len(B)), A if right else np.eye(len(A)))


def _apart(layer: Layer, corrected: bool = False) -> np.ndarray:
    """The weights' block and the biases' block, each with factors of its own."""
    b, a = layer.shape
    positions = np.arange(b * a).reshape(b, a)
    matrix = np.zeros((b * a, b * a))
    for columns in (slice(0, a - 1), slice(a - 1, a)):
        part, where = Layer(layer.inputs[:, columns], layer.signals), positions[:, columns].ravel()
        A, B = kronecker_factors(*part)
        if corrected:
            U_A, U_B = eigen(A).vectors, eigen(B).vectors
            U = np.kron(U_B, U_A)
            matrix[np.ix_(where, where)] = (U * kronecker_moments(U_A, U_B, part).ravel()) @ U.T
        else:
            matrix[np.ix_(where, where)] = np.kron(B, A)
    return matrix


RELATIVES: dict[str, Callable[[Layer], np.ndarray]] = {
    "K-FAC{} with the biases apart": _apart,
    "EK-FAC{} with the biases apart": lambda layer: _apart(layer, corrected=True),
    "K-FAC{} without the factor of the inputs": lambda layer: _kronecker(layer, right=False),
    "K-FAC{} without the factor of the signals": lambda layer: _kronecker(layer, left=False),
}


def explain_matrix(matrix: np.ndarray, kind: str, matrices: Matrices, order: str, allowed: float) -> tuple[str, ...]:
    """The fewest changes to the reference that make it this matrix, given as it came, said to be in this order."""
    claimed = KINDS[kind][0]
    best: tuple[float, tuple[str, ...]] = (MOST_CHANGES + 1.0, ())
    for name, positions in parameter_orders(matrices.problem, len(matrix)).items():
        moved = _ours(matrix, positions)
        ordered = () if name == order else (f"in the order {name!r} of the parameters",)
        for words in matrices.makers:
            known = len(ordered) + (words != claimed)
            for more, doubt in _fits(moved, matrices[words], matrices.problem, allowed):
                if known + len(more) + doubt < best[0]:
                    best = known + len(more) + doubt, (words, *ordered, *more)
    return best[1]


def _ours(matrix: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """A matrix in the order of this library."""
    back = np.argsort(positions)
    return matrix[np.ix_(back, back)]


def _fits(
    matrix: np.ndarray, reference: np.ndarray, problem: Problem, allowed: float
) -> Iterator[tuple[tuple[str, ...], float]]:
    """The factors and shifts under which a reference is this matrix, in words, and how far-fetched they are."""
    if not np.any(reference) or not np.any(matrix):
        return
    identity, size = np.eye(len(matrix)), np.max(np.abs(matrix))
    for scaled, shifted in ((True, True), (True, False), (False, True), (False, False)):
        factor, shift = _least_squares(matrix, reference, scaled, shifted)
        error = relative_error(matrix, factor * reference + shift * identity)
        if scaled and shifted and error > 10.0 * allowed:
            break  # the other three are special cases
        if error <= allowed and np.max(np.abs(factor * reference)) > 100.0 * allowed * size:
            told = [_factor(factor, problem, allowed)] if scaled else []
            told += [_shift(shift, factor, problem, allowed)] if shifted else []
            yield tuple(words for words, _ in told), sum(doubt for _, doubt in told)
    yield from _layer_fits(matrix, reference, problem, allowed)


def _least_squares(matrix: np.ndarray, reference: np.ndarray, scaled: bool, shifted: bool) -> tuple[float, float]:
    """The best factor and shift, where they are free."""
    d, trace = len(matrix), np.trace(reference)
    if scaled and shifted:
        normal = np.asarray([[np.vdot(reference, reference), trace], [trace, d]])
        factor, shift = np.linalg.lstsq(normal, [np.vdot(reference, matrix), np.trace(matrix)], rcond=None)[0]
        return float(factor), float(shift)
    if scaled:
        return float(np.vdot(reference, matrix) / np.vdot(reference, reference)), 0.0
    return 1.0, float(np.trace(matrix) - trace) / d if shifted else 0.0


def _layer_fits(
    matrix: np.ndarray, reference: np.ndarray, problem: Problem, allowed: float
) -> Iterator[tuple[tuple[str, ...], float]]:
    """A factor on the diagonal blocks of some layers."""
    layers = [layer.ravel() for layer in _layers(getattr(problem, "shapes", ()))]
    if len(layers) < 2:
        return
    model, told = np.array(reference), []
    for k, layer in enumerate(layers):
        where = np.ix_(layer, layer)
        if np.any(reference[where]) and relative_error(matrix[where], reference[where]) > allowed:
            factor, _ = _least_squares(matrix[where], reference[where], True, False)
            model[where] *= factor
            if relative_error(matrix[where], model[where]) > 10.0 * allowed:
                return
            words, doubt = _factor(factor, problem, allowed)
            told.append((f"the block of layer {k + 1} {words}", doubt))
    if told and relative_error(matrix, model) <= allowed:
        yield tuple(words for words, _ in told), sum(doubt for _, doubt in told)


def _factor(factor: float, problem: Problem, allowed: float) -> tuple[str, float]:
    """A factor by its name, or its value with doubt."""
    names = [
        words
        for value, words in factors(problem)
        if abs(factor - value) <= max(100.0 * allowed, 1e-6) * abs(value)
    ]  # fmt: skip
    return (f"times {' or '.join(names)}", 0.0) if names else (f"times {factor:.6g}", 0.5)


def factors(problem: Problem) -> list[tuple[float, str]]:
    """What a curvature matrix is multiplied with by mistake or by convention, and why."""
    found = [(2.0, "2"), (0.5, "1/2"), (-1.0, "-1"), (4.0, "4"), (0.25, "1/4")]
    n = getattr(problem, "n", None)
    widths = getattr(problem, "widths", None)
    if n and n > 1:
        found += [
            (n, f"N (N = {n}: the sum over the examples, not the mean)"),
            (1 / n, f"1/N (N = {n}: divided by the number of examples once more)"),
            (1 / n**2, f"1/N^2 (N = {n}: signals of the mean loss, not of each example's)"),
            (n**2, f"N^2 (N = {n})"),
            (n / (n - 1), f"N/(N - 1) (N = {n})"),
            ((n - 1) / n, f"(N - 1)/N (N = {n})"),
        ]
    if widths is not None and widths[-1] > 1:
        C = widths[-1]
        found += [
            (C, f"C (C = {C} outputs: their sum, not their mean)"),
            (1 / C, f"1/C (C = {C} outputs: their mean, not their sum)"),
            (2 / C, f"2/C (C = {C} outputs: the mean squared error over them, without the 1/2)"),
            (4 / C**2, f"4/C^2 (C = {C} outputs: gradients of the mean squared error over them, without the 1/2)"),
            (1 / C**2, f"1/C^2 (C = {C} outputs: gradients of the mean over them)"),
        ]
        if n and n > 1:
            found += [
                (1 / (n * C), f"1/(N C) (N = {n}, C = {C}: divided by both once more)"),
                (n * C, f"N C (N = {n}, C = {C}: the sum over both)"),
            ]
    return found


def _shift(shift: float, factor: float, problem: Problem, allowed: float) -> tuple[str, float]:
    """A multiple of the identity by its name, or its value with doubt."""
    l2 = float(getattr(problem, "l2", 0.0))
    for value, words in ((l2, f"plus the l2 penalty ({l2:g} I)"), (-l2, f"without the l2 penalty ({l2:g} I)")):
        if l2 > 0.0 and min(abs(shift - value), abs(shift - factor * value)) <= max(100.0 * allowed, 1e-6) * l2:
            return words, 0.0
    return f"plus {shift:.6g} I", 0.5


def _layers(shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """The positions of each layer's matrix in a vector."""
    ends = np.cumsum([b * a for b, a in shapes])
    return [np.arange(end - b * a, end).reshape(b, a) for (b, a), end in zip(shapes, ends, strict=True)]


def _unit(operator: Any) -> float:
    dtype = getattr(operator, "dtype", None)
    return float(np.finfo(np.float32 if dtype == np.float32 else np.float64).eps)


def _dense(operator: Any, d: int, tolerance: float, seed: int) -> tuple[np.ndarray | None, list[Finding]]:
    """The matrix of an operator and what it is like; None if there is none to speak of."""
    try:
        product = _product(operator)
        matrix = np.stack([_column(product(unit.copy()), d) for unit in np.eye(d)], axis=1)
        v = np.random.default_rng(seed).standard_normal(d)
        combined = _column(product(v.copy()), d)
    except _Unlike as error:
        return None, [Finding("shape", False, str(error))]
    except Exception as error:
        return None, [Finding("products", False, f"it broke down with {in_one_line(error)}")]
    bad = int(np.sum(~np.isfinite(matrix)))
    if bad:
        return None, [Finding("finite", False, f"{bad} of {d * d} entries are NaN or infinite", {"entries": bad})]
    size = float(np.max(np.abs(matrix))) or 1.0
    linear = float(np.max(np.abs(combined - matrix @ v)) / (size * np.sum(np.abs(v))))
    symmetric = float(np.max(np.abs(matrix - matrix.T)) / size)
    again = "C v is not the same combination of its columns: it is not linear, or random from one product to the next"
    return matrix, [
        Finding("shape", True, f"({d}, {d})"),
        Finding("finite", True, "every entry is a number"),
        Finding("linear", linear <= tolerance, again if linear > tolerance else "as its columns say", {"error": linear}),
        Finding("symmetric", symmetric <= tolerance, f"C and its transpose are {symmetric:.1e} apart", {"error": symmetric}),
    ]  # fmt: skip


class _Unlike(ValueError):
    """An answer of another shape."""


def _product(operator: Any) -> Callable[[np.ndarray], Any]:
    if isinstance(operator, LinearOperator) or not callable(operator):
        shape = np.shape(operator)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise _Unlike(f"it must be a square matrix, an operator, or a function v -> C v; its shape is {shape}")
        if not isinstance(operator, LinearOperator) and np.iscomplexobj(operator):
            raise _Unlike("it must be real; got complex numbers")
        matrix = operator if isinstance(operator, LinearOperator) else np.asarray(operator, dtype=float)
        return lambda v: matrix @ v
    return operator


def _column(answer: Any, d: int) -> np.ndarray:
    if np.iscomplexobj(answer):
        raise _Unlike("a product must be real; got complex numbers")
    column = np.array(answer, dtype=float)
    if column.size != d:
        raise _Unlike(f"a product must have shape ({d},); got {column.shape}")
    return column.ravel()


def _definite(matrix: np.ndarray, tolerance: float) -> Finding:
    least, largest = np.linalg.eigvalsh(0.5 * (matrix + matrix.T))[[0, -1]]
    holds = bool(least >= -tolerance * len(matrix) * max(abs(largest), abs(least)))
    measured = {"least": float(least), "largest": float(largest)}
    return Finding("semi-definite", holds, f"its eigenvalues are between {least:.2g} and {largest:.2g}", measured)


def _rounding(kind: str, problem: Problem, x: np.ndarray, unit: float, seed: int) -> float:
    """How far a change of x by its rounding moves the reference."""
    noise = np.random.default_rng(seed).uniform(-1.0, 1.0, x.shape)
    here, there = (KINDS[kind][1](problem, y).to_dense() for y in (x, x + unit * np.max(np.abs(x)) * noise))
    return relative_error(there, here)


def _located(matrix: np.ndarray, reference: np.ndarray, error: float, allowed: float, problem: Problem) -> Finding:
    """Whether the matrix is the reference, and if not in which blocks."""
    if error <= allowed:
        return Finding("matrix", True, f"the same to {error:.1e}", {"error": error, "tolerance": allowed})
    groups = {"everything": np.arange(len(matrix))}
    for k, layer in enumerate(_layers(getattr(problem, "shapes", ()))):
        groups = {**groups, f"W{k + 1}": layer[:, :-1].ravel(), f"b{k + 1}": layer[:, -1]}
    if len(groups) > 1:
        del groups["everything"]
    size = np.max(np.abs(reference))
    errors = {
        f"{first} × {second}": float(np.max(np.abs((matrix - reference)[np.ix_(groups[first], groups[second])])) / size)
        for first, second in itertools.product(groups, repeat=2)
    }
    off = [name for name, each in errors.items() if each > allowed]
    where = (
        "in every block" if len(off) == len(errors) else f"in {', '.join(off[:6])}{' …' if len(off) > 6 else ''} only"
    )
    words = f"differs by {error:.1e} of its largest entry, {where}, where rounding explains {allowed:.1e}"
    return Finding("matrix", False, words, {"error": error, "tolerance": allowed, "blocks": errors})


# ------------------------------------------------------------------------------------------------ Monte-Carlo kinds


class Spread(NamedTuple):
    """Mean and standard deviation of what single draws of the reference show."""

    mean: np.ndarray
    deviation: np.ndarray
    reference: np.ndarray


def _drawn(
    draws: list[np.ndarray],
    kind: str,
    matrices: Matrices,
    order: str,
    samples: int,
    seed: int,
    tolerance: float,
    findings: list[Finding],
) -> OperatorReport:
    """The verdict on draws, given as they came."""
    problem, x, exact = matrices.problem, matrices.x, kind.removeprefix("monte_carlo_")
    make = DRAWN[kind][1]

    def draw(k: int) -> np.ndarray:
        return make(problem, x, "monte_carlo", samples=samples, seed=seed + k).to_dense()

    first = draw(0)
    mean = matrices[exact] if exact != "ekfac" else np.asarray(sum(draw(k) for k in range(DRAWS, 2 * DRAWS)) / DRAWS)
    shown = np.stack([_shown(each, mean, problem) for each in map(draw, range(DRAWS))])
    spread = Spread(np.mean(shown, axis=0), np.std(shown, axis=0, ddof=1), mean)
    positions = parameter_orders(problem, len(x))[order]
    found = _statistics([_ours(each, positions) for each in draws], spread, problem)
    error = relative_error(np.mean([_ours(each, positions) for each in draws], axis=0), mean)
    itself = explain_matrix(draws[0], exact, matrices, order, tolerance)
    if itself and not explain_matrix(first, exact, matrices, "rows", tolerance):
        found.append(Finding("drawn", False, f"nothing seems to be drawn: it is {', '.join(itself)}"))
    elif not all(finding.passed for finding in found):
        itself = _explain_draws(draws, exact, spread, order, problem)
    allowed = float(np.sqrt(spread.mean[-1] / len(draws)))
    told = () if all(finding.passed for finding in found) else itself
    return OperatorReport(kind, problem.name, len(x), error, allowed, (*findings, *found), told)


def _shown(draw: np.ndarray, mean: np.ndarray, problem: Problem) -> np.ndarray:
    """What a draw shows: its size along the expected matrix, on the whole and in each layer, and its squared distance."""
    blocks = [np.ix_(*2 * [layer.ravel()]) for layer in _layers(problem.shapes)]  # type: ignore[attr-defined]
    parts = [(draw, mean), *((draw[where], mean[where]) for where in blocks)]
    sizes = [np.vdot(M, A) / np.vdot(M, M) for A, M in parts]
    return np.asarray([*sizes, np.vdot(draw - mean, draw - mean) / np.vdot(mean, mean)])


def _statistics(draws: list[np.ndarray], spread: Spread, problem: Problem) -> list[Finding]:
    m, shown = len(draws), np.mean([_shown(each, spread.reference, problem) for each in draws], axis=0)
    z = (shown - spread.mean) / np.maximum(spread.deviation * np.sqrt(1.0 / m + 1.0 / DRAWS), 1e-12)
    worst = int(np.argmax(np.abs(z[:-1])))
    apart = _shown(np.mean(draws, axis=0), spread.reference, problem)[-1] * m / spread.mean[-1]
    chance = 1.0 + 3.0 * SIGMAS * spread.deviation[-1] / spread.mean[-1]
    size = (
        f"{'in layer ' + str(worst) if worst else 'on the whole'} the mean is {shown[worst]:.3g} of what it should be"
    )
    words = f"{size}, {abs(z[worst]):.1f} standard errors off"
    if apart > chance:
        words += f", and {np.sqrt(apart):.2g} times as far from it as chance explains"
    times = shown[-1] / spread.mean[-1]
    return [
        Finding(
            "unbiased",
            bool(abs(z[worst]) <= SIGMAS and apart <= chance),
            words,
            {"z": z[:-1].tolist(), "sizes": shown[:-1].tolist(), "distance": float(apart), "draws": m},
        ),
        Finding(
            "spread",
            bool(abs(z[-1]) <= 2.0 * SIGMAS),
            f"the variance of a draw is {times:.3g} times that of the reference, {abs(z[-1]):.1f} standard errors off",
            {"ratio": float(times), "z": float(z[-1])},
        ),
    ]


def _explain_draws(
    draws: list[np.ndarray], exact: str, spread: Spread, order: str, problem: Problem
) -> tuple[str, ...]:
    """Another order or a known factor under which the draws have the mean and the spread that they should."""
    best: tuple[int, tuple[str, ...]] = (MOST_CHANGES + 1, ())
    for name, positions in parameter_orders(problem, len(draws[0])).items():
        ordered = () if name == order else (f"in the order {name!r} of the parameters",)
        moved = [_ours(each, positions) for each in draws]
        for value, words in [(1.0, ""), *factors(problem)]:
            changes = (*ordered, *([f"times {words}"] if words else []))
            found = _statistics([each / value for each in moved], spread, problem)
            if len(changes) < best[0] and all(finding.passed for finding in found):
                best = len(changes), (KINDS[exact][0], *changes)
    return best[1]
