"""The pictures of the chapter on precision. Everything in them is a run of the library, judged in double precision."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.arrays import Array, is_array, namespace, norm
from secondorder.diagonal import adam
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.least_squares import exact_gauss_newton, levenberg_marquardt
from secondorder.newton import (
    bfgs,
    cubic_newton,
    gradient_descent,
    gradient_regularized_newton,
    lbfgs,
    newton,
    trust_region,
)
from secondorder.oracles import Problem, to_device
from secondorder.run import minimize

UNITS = {"single": 2.0**-24, "double": 2.0**-53}
"""Rounding units: a number is stored with a relative error of at most this."""


def rounded(answer: Any, dtype: str) -> Any:
    """An answer of an oracle with every array in it rounded to ``dtype``."""
    if isinstance(answer, tuple):
        return tuple(rounded(part, dtype) for part in answer)
    return answer.astype(dtype) if is_array(answer) and answer.ndim else answer


def mixed(problem: Problem, x: str = "float32", hess: str = "float32") -> Problem:
    """The oracles computed in double precision and rounded afterwards: matrices to ``hess``, all else to ``x``."""
    oracles = {}
    for name in problem.oracles:
        kind = hess if name in ("hess", "jac") else x
        oracles[name] = _wrapped(getattr(problem, name), kind, x)
    start: Array = problem.x0
    made = Problem(x0=start.astype(x), name=problem.name, fresh=True, **oracles)
    made.residual_weight = problem.residual_weight
    return made


def _wrapped(oracle: Any, kind: str, x: str) -> Any:
    def wrapped(*arguments: Any, **more: Any) -> Any:
        inputs = (a.astype("float64") if is_array(a) and a.dtype.kind == "f" else a for a in arguments)
        return rounded(rounded(oracle(*inputs, **more), kind), x)

    return wrapped


# ------------------------------------------------------------------------------------------------------- networks

NETWORKS = ("tanh, f* = 0", "sine, f* = 0", "tanh, f* = 0.045")
OFFSET = 0.3
LEARNERS: dict[str, tuple[Method, dict[str, Any]]] = {
    "gradient descent": (gradient_descent, {}),
    "Adam": (adam, {"learning_rate": 1e-2}),
    "L-BFGS": (lbfgs, {}),
    "BFGS": (bfgs, {}),
    "Newton, eigenvalue flip": (newton, {"modification": "flip"}),
    "exact trust region": (trust_region, {}),
    "cubic Newton": (cubic_newton, {}),
    "gradient-regularised Newton": (gradient_regularized_newton, {}),
    "Levenberg-Marquardt": (levenberg_marquardt, {}),
    "Gauss-Newton": (exact_gauss_newton, {"adaptive_damping": True}),
}
PRECISIONS = ("double", "single", "single, sums in double")
STEPS = 80


@functools.lru_cache(maxsize=8)
def network(name: str) -> Problem:
    """A network of 16 hidden units (65 weights) on 8 examples that one of 2 hidden units has labelled, so that f* = 0. With
    f* = 0.045 each example comes twice, its label 0.3 too high and 0.3 too low: that adds a constant and changes no derivative.
    """
    activation, least = name.split(", ")
    rng = np.random.default_rng(1)
    X = rng.standard_normal((8, 2))
    teacher = problems.mlp((X, np.zeros((8, 1))), [2, 2, 1], activation, "squared", seed=11)
    Y = np.asarray(teacher.outputs(1.5 * teacher.x0))
    if least != "f* = 0":
        X, Y = np.concatenate([X, X]), np.concatenate([Y + OFFSET, Y - OFFSET])
    return as_least_squares(problems.mlp((X, Y), [2, 16, 1], activation, "squared", seed=1))


def as_least_squares(net: Any) -> Problem:
    """A network with one output and a squared loss that offers its residual and Jacobian too, f being half a sum of squares."""
    scale = net.n**-0.5

    def jac(x: Array) -> Array:
        xp = namespace(x)
        units = xp.eye(net.n, dtype=x.dtype)
        return scale * xp.stack([net.vjp(x, units[:, i : i + 1]) for i in range(net.n)])

    more = {name: getattr(net, name) for name in ("ggn_product", "signals", "output_loss")}
    made = Problem(
        net.f, net.grad, net.hess, net.hvp, x0=net.x0, name=net.name, fresh=True,
        residual=lambda x: scale * (net.outputs(x) - net.Y)[:, 0], jac=jac, **more,
    )  # fmt: skip
    made.net = net  # type: ignore[attr-defined]
    return made


def in_precision(problem: Any, precision: str) -> Problem:
    """A network of :func:`network` in one of ``PRECISIONS``."""
    if precision == "double":
        return problem
    return mixed(problem) if "," in precision else as_least_squares(to_device(problem.net, "numpy", dtype="float32"))


@functools.lru_cache(maxsize=512)
def network_run(name: str, precision: str, learner: str, method: Method | None = None) -> History:
    """The run of a method in a precision, until it ends by itself or after 80 steps."""
    original, hyper = LEARNERS[learner]
    run = original if method is None else method
    hyper = hyper if run.method.name == original.method.name else {}  # type: ignore[attr-defined]
    return minimize(in_precision(network(name), precision), run, tol=0.0, steps=STEPS, keep="x", **hyper)


@functools.lru_cache(maxsize=512)
def judged(name: str, precision: str, learner: str, method: Method | None = None) -> tuple[np.ndarray, np.ndarray]:
    """f - f* and gradient norms at the iterates of a run, in double precision and where f* = 0."""
    exact, history = network(name.split(",")[0] + ", f* = 0"), network_run(name, precision, learner, method)
    points = [np.asarray(x, dtype=float) for x in history["x"]]
    return np.asarray([float(exact.f(x)) for x in points]), np.asarray([norm(exact.grad(x)) for x in points])


def needed(values: np.ndarray, below: float = 1e-10) -> int | None:
    """The steps until the values are below a number, None if they never are."""
    return int(np.argmax(values <= below)) if np.any(values <= below) else None


@view(
    title="Where it stops",
    chapter="newton/precision",
    methods=tuple(dict.fromkeys(run.method.name for run, _ in LEARNERS.values())),  # type: ignore[attr-defined]
    controls=(
        Choice("learner", tuple(LEARNERS), "method", "gradient-regularised Newton"),
        Choice("name", NETWORKS, "network", NETWORKS[0]),
    ),
    presets={
        "half the digits, the same steps": {"learner": "Levenberg-Marquardt", "name": NETWORKS[0]},
        "a threshold that is too high": {"learner": "Newton, eigenvalue flip", "name": NETWORKS[1]},
        "values that cannot tell": {"learner": "BFGS", "name": NETWORKS[2]},
        "too slow to notice": {"learner": "Adam", "name": NETWORKS[0]},
    },
)
def where_it_stops(
    *, learner: str = "gradient-regularised Newton", name: str = NETWORKS[0], method: Method | None = None
) -> Scene:
    """f − f* and the gradient norm along a run in three precisions, computed in double precision at its iterates."""
    values, norms = [], []
    for color, precision in enumerate(PRECISIONS):
        f, g = judged(name, precision, learner)
        k, style = np.arange(len(f)), {"label": precision, "color": color, "markers": len(f) < 40}
        values.append(Line(k, np.maximum(f, 1e-35), **style))  # type: ignore[arg-type]
        norms.append(Line(k, np.maximum(g, 1e-19), **style))  # type: ignore[arg-type]
    if method is not None:
        ((_, original), (label, copy)) = edited(method, _original(learner, method))
        f, g = judged(name, "single", learner, copy if copy is not original else None)
        values.append(Line(np.arange(len(f)), np.maximum(f, 1e-35), label=f"{label}, single", color=4, dash=True))
        norms.append(Line(np.arange(len(g)), np.maximum(g, 1e-19), label=f"{label}, single", color=4, dash=True))
    units = [Rule(y=UNITS[kind] ** 2, label=f"u², {kind}") for kind in UNITS]
    return Scene(
        (
            Panel(
                Axis("step", domain=(0.0, STEPS + 2.0)), Axis("f − f*", "log", domain=(1e-35, 10.0)),
                (*values, *units), title="the value",
            ),
            Panel(
                Axis("step", domain=(0.0, STEPS + 2.0)), Axis("gradient norm ‖∇f‖", "log", domain=(1e-19, 10.0)),
                (*norms, *(Rule(y=UNITS[kind], label=f"u, {kind}") for kind in UNITS)), title="the gradient",
            ),
        ),
        _network_sentence(learner, name),
    )  # fmt: skip


def _original(learner: str, method: Method) -> Method:
    """The library's method of that name, for a copy: that of the learner if it has the name, else another."""
    named = {run.method.name: run for run, _ in LEARNERS.values()}  # type: ignore[attr-defined]
    return named.get(method.method.name, LEARNERS[learner][0])  # type: ignore[attr-defined]


def _network_sentence(learner: str, name: str) -> str:
    parts = []
    for precision in PRECISIONS:
        f, _ = judged(name, precision, learner)
        steps, history = needed(f), network_run(name, precision, learner)
        reached = f"below 1e-10 after {steps} steps" if steps is not None else "never below 1e-10"
        parts.append(f"{precision}: {reached}, {f[-1]:.1g} at the end ({history.status.replace('_', ' ')})")
    return f"{learner[0].upper()}{learner[1:]} on the network {name}. f − f* in {'; in '.join(parts)}."


# ------------------------------------------------------------------------------------------- conditioning and damping

DIMENSION = 10
CONDITIONS = (1e1, 1e3, 1e5, 1e7, 1e9)
CONSTANTS = (1e-12, 1e-9, 1e-6, 1e-3)
STORAGE = {
    "single": ("float32", "float32", "float32"),
    "single, sums in double": ("float64", "float32", "float32"),
    "double, Hessian in single": ("float64", "float64", "float32"),
    "double": ("float64", "float64", "float64"),
}
"""Each with the precision of the sums, of x and the gradient, and of the Hessian."""
QUADRATIC_STEPS = 40


@functools.lru_cache(maxsize=16)
def system(condition: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A rotated matrix with eigenvalues from 1 down to 1 / ``condition``, a right-hand side, and the solution, exact but for
    the last digit: residuals in rational numbers refine it."""
    rng = np.random.default_rng(3)
    Q = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0]
    H = (Q * condition ** -np.linspace(0.0, 1.0, DIMENSION)) @ Q.T
    H = 0.5 * (H + H.T)
    b = H @ rng.standard_normal(DIMENSION)
    rows, rest, x = [[Fraction(v) for v in row] for row in H], [Fraction(v) for v in b], np.zeros(DIMENSION)
    exact = [Fraction(0)] * DIMENSION
    for _ in range(5):
        left = [
            float(r - sum(h * v for h, v in zip(row, exact, strict=True))) for row, r in zip(rows, rest, strict=True)
        ]
        exact = [v + Fraction(s) for v, s in zip(exact, np.linalg.solve(H, left), strict=True)]
        x = np.asarray([float(v) for v in exact])
    return H, b, x


def stored(condition: float, storage: str) -> Problem:
    """The quadratic of :func:`system` in one of the precisions of ``STORAGE``."""
    sums, point, hess = STORAGE[storage]
    H, b = (part.astype(sums) for part in system(condition)[:2])
    start = np.zeros(DIMENSION, dtype=point)
    return Problem(
        grad=lambda x: (H @ x.astype(sums) - b).astype(point),
        hess=lambda x: H.astype(hess).astype(point),
        x0=start, name=f"quadratic, {storage}", fresh=True,
    )  # fmt: skip


@functools.lru_cache(maxsize=512)
def quadratic_run(condition: float, M: float, storage: str, method: Method = gradient_regularized_newton) -> History:
    """The run of the regularised method with a constant M."""
    hyper: dict[str, Any] = {"M": M} if any(p.name == "M" for p in method.method.parameters) else {}  # type: ignore[attr-defined]
    return minimize(stored(condition, storage), method, steps=QUADRATIC_STEPS, tol=0.0, keep="x", **hyper)


def errors(condition: float, history: History) -> np.ndarray:
    """The relative errors of the iterates."""
    x = system(condition)[2]
    return np.asarray([norm(np.asarray(point, dtype=float) - x) / norm(x) for point in history["x"]])


@functools.lru_cache(maxsize=64)
def final_errors(M: float, storage: str) -> np.ndarray:
    """The relative error of the last iterate for each condition number."""
    return np.asarray([errors(c, quadratic_run(c, M, storage))[-1] for c in CONDITIONS])


@view(
    title="Digits, conditioning and damping",
    chapter="newton/precision",
    methods=("gradient_regularized_newton",),
    controls=(
        Slider("condition", CONDITIONS, "condition number κ", 1e5, log=True, live=tuple(10.0**k for k in range(1, 10))),
        Slider("M", CONSTANTS, "constant M of the damping √(M‖∇f‖)", 1e-9, log=True,
               live=tuple(10.0**k for k in range(-12, 0))),
        Choice("storage", tuple(STORAGE), "precision", "single"),
    ),
    presets={
        "single loses κ": {"condition": 1e5, "M": 1e-9, "storage": "single"},
        "sums in double give x all its digits": {"condition": 1e7, "M": 1e-9, "storage": "single, sums in double"},
        "a Hessian in single is enough": {"condition": 1e7, "M": 1e-9, "storage": "double, Hessian in single"},
        "too ill-conditioned for single": {"condition": 1e9, "M": 1e-12, "storage": "double, Hessian in single"},
        "the damping rules": {"condition": 1e7, "M": 1e-3, "storage": "double"},
    },
)  # fmt: skip
def digits_and_conditioning(
    *, condition: float = 1e5, M: float = 1e-9, storage: str = "single", method: Method | None = None
) -> Scene:
    """The error of each iterate of a regularised Newton method, and where it ends for every condition number."""
    left: list[Any] = []
    for color, (label, run) in enumerate(edited(method, gradient_regularized_newton)):
        history = quadratic_run(condition, M, storage, run)
        size = np.maximum(errors(condition, history), 1e-18)
        left.append(Line(np.arange(len(size)), size, label=label, color=color, markers=True, width=1.5))
        if "damping" in history.names and color == 0:
            damping = history["damping"][1:]
            left.append(Line(np.arange(1, len(history)), damping, label="damping λ", color=2, width=1.5))
    unit = UNITS["single" if STORAGE[storage][2] == "float32" else "double"]
    left += [
        Rule(y=unit, label="u‖H‖", dash=False),
        Rule(y=1.0 / condition, label="1/κ"),
    ]
    ends = np.asarray([10.0, 1e9])
    right: list[Any] = [
        Line(ends, ends * UNITS[kind], label="κu" if kind == "single" else None, color="muted", dash=True, width=1.2)
        for kind in UNITS
    ]
    for color, kind in enumerate(STORAGE):
        size = np.maximum(final_errors(M, kind), 1e-18)
        width = 3.0 if kind == storage else 1.5
        right.append(Line(CONDITIONS, size, label=kind, color=color, markers=True, width=width))
    right.append(Rule(x=condition))
    return Scene(
        (
            Panel(
                Axis("step", domain=(0.0, QUADRATIC_STEPS + 1.0)),
                Axis("relative error; damping / ‖H‖", "log", domain=(1e-18, 1e2)), tuple(left), title="one run",
            ),
            Panel(
                Axis("condition number κ", "log", domain=(5.0, 2e9)),
                Axis("relative error of the last iterate", "log", domain=(1e-18, 1e2)), tuple(right), title="the ends of all",
            ),
        ),
        _digits_sentence(condition, M, storage),
    )  # fmt: skip


def _digits_sentence(condition: float, M: float, storage: str) -> str:
    history = quadratic_run(condition, M, storage)
    error, unit = errors(condition, history)[-1], UNITS["single" if STORAGE[storage][1] == "float32" else "double"]
    end = "breaks down: the Hessian is not positive definite" if history.status == "breakdown" else "ends"
    damping = history["damping"][-1]
    scale = UNITS["single" if STORAGE[storage][2] == "float32" else "double"]
    against = "below" if damping < scale else "above"
    return (
        f"{storage[0].upper()}{storage[1:]}, condition number {condition:.0e}, M = {M:g}: after {len(history) - 1} steps the "
        f"run {end}, with a relative error of {error:.1e}, which is {error / unit:.2g} u and {error / unit / condition:.2g} κu "
        f"of what holds x. The damping is {damping:.1e} at the end, {against} the rounding u‖H‖ = {scale:.0e} of the Hessian."
    )
