"""The pictures of the chapter on third-order steps. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.linalg import eigen, tensor_step
from secondorder.newton import accelerated_tensor_method, cubic_newton
from secondorder.oracles import Problem
from secondorder.run import minimize

L3 = (1.0 + 0.5**4) / 8.0
"""A bound on the fourth derivative of :func:`two_slopes`."""

POINTS = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.5, 3.0, 4.5, 6.0)
FACTORS = (0.1, 1.0, 3.0, 6.0, 20.0, 100.0)
CASES = ("chain, d = 10", "soft maximum", "logistic, far start")
STEPS = 150
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"accelerated": False},
    "proven weights": {"weights": "proven", "safeguard": False},
    "searched weights": {"safeguard": False},
    "default": {},
}
COLORS = {"plain": 1, "proven weights": 2, "searched weights": 3, "default": 0}
CONSTANTS = {"M adapted": False, "M = 6 L₃": True}


@functools.lru_cache(maxsize=1)
def two_slopes() -> Any:
    """log(1 + e^-x) + log(1 + e^(x/2)): convex, and steeper on the left."""

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-z))

    def derivative(order: int, z: np.ndarray) -> np.ndarray:
        s = sigmoid(z)
        return (s, s * (1.0 - s), s * (1.0 - s) * (1.0 - 2.0 * s))[order - 1]

    return Problem(
        lambda x: float(np.sum(np.logaddexp(0.0, -x) + np.logaddexp(0.0, 0.5 * x))),
        lambda x: -derivative(1, -x) + 0.5 * derivative(1, 0.5 * x),
        lambda x: np.diag(derivative(2, -x) + 0.25 * derivative(2, 0.5 * x)),
        third=lambda x, h: (-derivative(3, -x) + 0.125 * derivative(3, 0.5 * x)) * h * h,
        x0=[4.0],
        name="two slopes",
    )


def inner_residuals(problem: Any, v: np.ndarray, M: float) -> tuple[np.ndarray, np.ndarray]:
    """Of every inner step at v, the norm of the gradient of the model and a sixth of that of f."""
    rows: list[tuple[float, float]] = []
    grad, H = problem.grad(v), eigen(problem.hess(v))

    def gradient(h: np.ndarray) -> np.ndarray:
        at = problem.grad(v + h)
        model = grad + 0.5 * problem.third(v, h) + H @ h + M / 6.0 * float(h @ h) * h
        rows.append((float(np.linalg.norm(model)), float(np.linalg.norm(at)) / 6.0))
        return at

    tensor_step(grad, H, lambda h: problem.third(v, h), gradient, M)
    model, sixth = np.asarray(rows).T
    return model, sixth


@view(
    title="Three models of one function",
    chapter="newton/tensor",
    methods=("accelerated_tensor_method",),
    controls=(
        Slider("point", POINTS, "point v", 1.5),
        Slider("factor", FACTORS, "M over L₃", 6.0),
    ),
    presets={
        "as proven": {"point": 1.5, "factor": 6.0},
        "M too small": {"point": 1.5, "factor": 0.1},
        "M far too large": {"point": 1.5, "factor": 100.0},
    },
)
def third_order_models(*, point: float = 1.5, factor: float = 6.0, method: Method | None = None) -> Scene:
    """Taylor polynomials of degree 2 and 3 at a point, the regularised model, and where its step ends."""
    problem, M = two_slopes(), factor * L3
    v = np.asarray([point])
    g, H = float(problem.grad(v)[0]), float(problem.hess(v)[0, 0])
    x = np.linspace(-8.0, 10.0, 181)
    h = x - point
    f = np.logaddexp(0.0, -x) + np.logaddexp(0.0, 0.5 * x)
    f_v = problem.f(v)
    second = f_v + g * h + 0.5 * H * h**2
    third = second + problem.third(v, np.ones(1))[0] * h**3 / 6.0
    model = third + M / 24.0 * h**4
    marks: list[Any] = [
        Line(x, f, label="f", color="muted", width=3.0),
        Line(x, _inside(second), label="degree 2", color=1, width=1.5, dash=True),
        Line(x, _inside(third), label="degree 3", color=2, width=1.5, dash=True),
        Line(x, _inside(model), label="model Ω: degree 3 and M/24 h⁴", color=0),
    ]
    ends = []
    for color, (label, run) in enumerate(edited(method, accelerated_tensor_method)):
        end = minimize(problem, run, v, M=M, steps=1, tol=0.0, accelerated=False, third_derivative="exact").x
        end = np.asarray(end)
        ends.append(float(end[0]))
        name = "the step" if label == "accelerated_tensor_method" else label
        marks.append(
            Line([point, end[0]], [f_v, problem.f(end)], label=name, color=3 * color, markers=True, line=False)
        )
    residual, sixth = inner_residuals(problem, v, M)
    inner = np.arange(1, len(residual) + 1)
    low = f - model
    above = float(np.max(low))
    where = "lies above f everywhere" if above <= 1e-9 else f"falls below f, by up to {above:.2g} in the picture"
    tail = "" if residual[-1] <= sixth[-1] else " It never got there: the model is not convex enough"
    return Scene(
        (
            Panel(Axis("x", domain=(-8.0, 10.0)), Axis("value", domain=(-2.0, 8.0)), tuple(marks), title="at one point"),
            Panel(
                Axis("inner step", domain=(0.5, 7.5)), Axis("norm of a gradient", "log", domain=(1e-6, 10.0)),
                (
                    Line(inner, np.maximum(residual, 1e-6), label="gradient of the model", color=0, markers=True),
                    Line(inner, sixth, label="a sixth of that of f", color="muted", markers=True, dash=True),
                ),
                title="inside the step",
            ),
        ),
        f"At v = {point:g} with M = {factor:g} L₃ the model {where}. The step ends at {ends[0]:.2f}, where f has a slope of "
        f"{abs(problem.grad(np.asarray([ends[0]]))[0]):.2g}, after {len(inner)} inner step{'s' * (len(inner) > 1)}.{tail}",
    )  # fmt: skip


def _inside(values: np.ndarray) -> np.ndarray:
    """NaN above and below what the picture shows."""
    return np.where((values > -2.0) & (values < 8.0), values, np.nan)


@functools.lru_cache(maxsize=8)
def case_problem(case: str) -> tuple[Problem, Any]:
    """The problem of one of ``CASES`` with its least value, and the start."""
    if case == "chain, d = 10":
        problem: Problem = problems.chain(10, p=3)
        return problem, problem.x0
    if case == "soft maximum":
        problem = problems.soft_maximum(n=100, d=10)
        return problem, problem.x0
    problem = problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3)
    start = np.full(8, 10.0)
    problem.f_star = float(minimize(problem, cubic_newton, start, tol=1e-13, steps=200).f.min())
    return problem, start


@functools.lru_cache(maxsize=64)
def tensor_run(method: Method, setting: str, case: str, known: bool) -> History:
    """A run of ``STEPS`` steps at most, with exact third derivatives."""
    problem, start = case_problem(case)
    hyper = {**SETTINGS[setting], "third_derivative": "exact"}
    if known:
        hyper["M"] = 6.0 * problem.lipschitz_third  # type: ignore[attr-defined]
    return minimize(problem, method, start, steps=STEPS if known else 60, tol=1e-10, **hyper)


@functools.lru_cache(maxsize=8)
def cubic_run(case: str) -> History:
    """Cubic Newton with an adapted constant."""
    problem, start = case_problem(case)
    return minimize(problem, cubic_newton, start, steps=STEPS, tol=1e-10)


def spent(history: History, across: str) -> np.ndarray:
    """The horizontal coordinate of every row, for a logarithmic axis."""
    return np.maximum(history.cost(), 1.0) if across == "gradient-equivalents" else np.arange(len(history)) + 1.0


@view(
    title="What the third order buys, and what acceleration does",
    chapter="newton/tensor",
    methods=("accelerated_tensor_method",),
    controls=(
        Choice("case", CASES, "problem", "chain, d = 10"),
        Choice("constant", tuple(CONSTANTS), "constant", "M = 6 L₃"),
        Choice("across", ("steps", "gradient-equivalents"), "count", "steps"),
    ),
    presets={
        "the constants of the proof": {"case": "chain, d = 10", "constant": "M = 6 L₃"},
        "adapted": {"case": "soft maximum", "constant": "M adapted"},
        "what it costs": {"case": "logistic, far start", "constant": "M adapted", "across": "gradient-equivalents"},
    },
)
def third_order_runs(
    *,
    case: str = "chain, d = 10",
    constant: str = "M = 6 L₃",
    across: str = "steps",
    method: Method | None = None,
) -> Scene:
    """Third-order steps, plain and accelerated, beside cubic Newton."""
    known, (problem, _) = CONSTANTS[constant], case_problem(case)
    cubic = cubic_run(case)
    runs = {name: tensor_run(accelerated_tensor_method, name, case, known) for name in SETTINGS}
    marks: list[Any] = [Line(*_gap(cubic, problem, across), label="cubic Newton, adapted", color="muted", width=2.5)]
    weights: list[Any] = []
    for name, history in runs.items():
        marks.append(Line(*_gap(history, problem, across), label=name, color=COLORS[name], dash=name == "plain"))
        if "pace" in history.names:
            t = np.arange(1, len(history))
            weights.append(Line(t, history["pace"][1:], color=COLORS[name], dash=name == "proven weights"))
    for label, run in edited(method, accelerated_tensor_method)[1:]:
        history = tensor_run(run, "default", case, known)
        marks.append(Line(*_gap(history, problem, across), label=label, color=4, markers=True))
        weights.append(Line(np.arange(1, len(history)), history["pace"][1:], color=4, markers=True))
    reached = {name: _until(history, problem, across) for name, history in (*runs.items(), ("cubic Newton", cubic))}
    least_taken = min(reached.values())
    first = [name for name, taken in reached.items() if taken == least_taken]
    ahead = f"first at a gap of 1e-6: {', '.join(first)} ({_words(least_taken, across)})"
    ahead += "" if "cubic Newton" in first else f"; cubic Newton takes {_words(reached['cubic Newton'], across)}"
    plain, proven = runs["plain"], runs["proven weights"]
    least = [max(float(_floor(problem, history)[-1]), 0.0) for history in (plain, proven)]
    furthest = 1e6 if across == "gradient-equivalents" else 200.0
    return Scene(
        (
            Panel(
                Axis("step, from 1" if across == "steps" else across, "log", domain=(1.0, furthest)),
                Axis("f less its least value", "log", domain=(1e-12, 1e3)), tuple(marks), title="the gap",
            ),
            Panel(
                Axis("step", "log", domain=(1.0, 200.0)), Axis("pace q, times 63 M / 160", "log", domain=(0.3, 1e12)),
                (Rule(y=1.0, label="proven"), *weights), title="how fast the weights grow",
            ),
        ),
        f"{case[0].upper()}{case[1:]}, {constant}, by {across}: {ahead}. "
        f"After {len(plain) - 1} steps the plain method is at {_size(least[0])}; accelerated with the proven weights, after "
        f"{len(proven) - 1}, it is at {_size(least[1])}.",
    )  # fmt: skip


def _floor(problem: Problem, history: History) -> np.ndarray:
    return history.f - float(problem.f_star or 0.0)


def _gap(history: History, problem: Problem, across: str) -> tuple[np.ndarray, np.ndarray]:
    return spent(history, across), np.maximum(_floor(problem, history), 1e-14)


def _until(history: History, problem: Problem, across: str, gap: float = 1e-6) -> float:
    """What it took to a gap; infinite where it never came so far."""
    below = np.flatnonzero(_floor(problem, history) <= gap)
    along = history.cost() if across == "gradient-equivalents" else np.arange(len(history))
    return float(along[below[0]]) if below.size else np.inf


def _words(amount: float, across: str) -> str:
    return f"{amount:.0f} {across}" if np.isfinite(amount) else f"more than {STEPS} steps"


def _size(gap: float) -> str:
    return f"{gap:.1g}" if gap > 1e-12 else "rounding"
