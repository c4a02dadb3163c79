"""The pictures of the chapter on cubic regularisation. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.ledger import Ledger
from secondorder.newton import arc, cubic_newton, gradient_regularized_newton
from secondorder.oracles import Problem
from secondorder.run import minimize
from secondorder.stopping import target

LIPSCHITZ = 2.0


def waves(gradient: float, curvature: float) -> Problem:
    """A function of one variable with the given slope and curvature at 0, where it is 0, and |f'''| ≤ 2."""
    return Problem(
        lambda x: gradient * x[0] + 0.5 * curvature * x[0] ** 2 + LIPSCHITZ * (0.5 * x[0] ** 2 - 1.0 + np.cos(x[0])),
        lambda x: gradient + curvature * x + LIPSCHITZ * (x - np.sin(x)),
        lambda x: np.array([[curvature + LIPSCHITZ * (1.0 - np.cos(x[0]))]]),
        x0=[0.0],
        name="waves",
    )


@view(
    title="The cubic model and its step",
    chapter="newton/cubic",
    methods=("cubic_newton",),
    controls=(
        Slider(
            "curvature", (-1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0), "curvature H", 0.25,
            live=tuple(np.arange(-1.0, 2.01, 0.25).tolist()),
        ),
        Slider(
            "gradient", (0.0, 0.1, 0.25, 0.5, 1.0), "gradient g", 1.0,
            live=tuple(np.arange(0.0, 1.01, 0.05).round(2).tolist()),
        ),
        Slider(
            "M", (0.25, 0.5, 1.0, 2.0, 4.0, 8.0), "constant M", 2.0,
            live=(0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0),
        ),
    ),
    presets={
        "M = L₂": {"curvature": 0.25, "gradient": 1.0, "M": 2.0},
        "M too small: f rises": {"curvature": 0.0, "gradient": 1.0, "M": 0.25},
        "negative curvature": {"curvature": -1.0, "gradient": 0.5, "M": 2.0},
        "the hard case": {"curvature": -1.0, "gradient": 0.0, "M": 2.0},
    },
)  # fmt: skip
def cubic_model(
    *, curvature: float = 0.25, gradient: float = 1.0, M: float = 2.0, method: Method | None = None
) -> Scene:
    """One step of cubic Newton on a function of one variable: the models, and the equation for the step's length."""
    problem = waves(gradient, curvature)
    h = np.linspace(-5.0, 5.0, 101)
    quadratic = gradient * h + 0.5 * curvature * h**2
    marks: list[Any] = [
        Line(h, [problem.f([each]) for each in h], label="f, with L₂ = 2", color="muted"),
        Line(h, quadratic, label="quadratic", color=2, dash=True, width=1.5),
        Line(h, quadratic + M / 6.0 * np.abs(h) ** 3, label="cubic", color=0),
    ]
    runs = []
    for color, (label, run) in enumerate(edited(method, cubic_newton), start=1):
        walk = run(Ledger(problem), problem.x0, M=M)  # not minimize, which stops at once where the gradient is zero
        first = next(walk)
        after = next(walk, first)
        end = float(after.x[0])
        marks.append(
            Line([0.0, end], [0.0, problem.f(after.x)], label=label, color=color if color == 1 else 3,
                 markers=True, line=False)
        )  # fmt: skip
        runs.append((end, getattr(after, "decrease", 0.0)))
    end, promise = runs[0]
    low, high = max(0.0, -curvature), 5.0
    s = low + (high - low) * np.linspace(0.0, 1.0, 81)[1:] ** 2
    pair: list[Any] = [
        Line(s, gradient / (curvature + s), label="length of h(s)", color=2),
        Line([0.0, high], [0.0, 2.0 * high / M], label="length 2s/M", color=0),
    ]
    if curvature < 0.0:
        pair.append(Rule(x=-curvature, label="s = −H", color=2))
    pair.append(Line([0.5 * M * abs(end)], [abs(end)], label="the root", color=1, markers=True, line=False))
    return Scene(
        (
            Panel(Axis("step h", domain=(-5.0, 5.0)), Axis("value", domain=(-3.0, 5.0)), tuple(marks), title="the models"),
            Panel(
                Axis("multiplier s", domain=(0.0, high)), Axis("length", domain=(0.0, 6.0)), tuple(pair),
                title="the secular equation",
            ),
        ),
        _model_sentence(curvature, gradient, M, end, promise, float(problem.f([end]))),
    )  # fmt: skip


def _model_sentence(curvature: float, gradient: float, M: float, end: float, promise: float, f: float) -> str:
    if gradient == 0.0 and curvature >= 0.0:
        return (
            f"The gradient is zero and the curvature {curvature:g} is not negative: whatever M is, here {M:g}, the model "
            "is least at h = 0, and there is no step to take."
        )
    newton = f"is least at h = {-gradient / curvature:.3g}" if curvature > 0.0 else "has no minimum"
    sign = "±" if gradient == 0.0 else ""
    kept = (
        "M is at least L₂, so the promise is kept" if M >= LIPSCHITZ else "M is below L₂ = 2, so nothing is guaranteed"
    )
    return (
        f"With gradient {gradient:g} and curvature {curvature:g} the quadratic model {newton}; the cubic model with "
        f"M = {M:g} is least at h = {sign}{end:.3g}. It promises a decrease of {promise:.2g}, and f "
        f"{'falls' if f < 0.0 else 'rises'} by {abs(f):.2g}: {kept}."
        + (" This is the hard case: s = −H gives the length, and both signs will do." if gradient == 0.0 else "")
    )


CHAIN: dict[str, tuple[Method, bool]] = {
    "cubic, M adapted": (cubic_newton, False),
    "cubic, M = L₂": (cubic_newton, True),
    "ARC": (arc, False),
    "gradient-regularised, M adapted": (gradient_regularized_newton, False),
    "gradient-regularised, M = L₂/2": (gradient_regularized_newton, True),
}
GAP = 1e-10


@view(
    title="Cubic methods on the worst-case chain",
    chapter="newton/cubic",
    methods=("cubic_newton", "arc", "gradient_regularized_newton"),
    controls=(
        Choice("variant", tuple(CHAIN), "method", "cubic, M adapted"),
        Slider("d", (5, 10, 20, 30), "dimension d", 30, live=tuple(range(2, 31))),
        Slider(
            "step", (0, 1, 2, 5, 10, 15, 20, 25, 30, 40, 60, 100, 200, 400, 800), "iteration k", 10,
            live=(*range(41), *range(45, 101, 5), *range(120, 881, 20)),
        ),
    ),
    presets={
        "M = L₂": {"variant": "cubic, M = L₂", "step": 100},
        "M adapted": {"variant": "cubic, M adapted", "step": 20},
        "ARC": {"variant": "ARC", "step": 20},
    },
)  # fmt: skip
def cubic_on_the_chain(
    *, variant: str = "cubic, M adapted", d: int = 30, step: int = 10, method: Method | None = None
) -> Scene:
    """The gap with its proven bounds, the coordinates, and the weight of the cube along the run."""
    original, fixed = CHAIN[variant]
    problem: Any = problems.chain(d)
    gaps: list[Any] = []
    weights: list[Any] = [Rule(y=problem.lipschitz_hess, label="L₂")]
    index = np.arange(1, d + 1)
    moved: list[Any] = [Line(index, problem.x_star, label="solution", color="muted", markers=True, width=1.0)]
    for color, (label, run) in enumerate(edited(method, original)):
        history = chain_run(run, d, fixed and run.method.name == original.method.name)  # type: ignore[attr-defined]
        rows = _thin(len(history))
        gaps.append(Line(rows, np.maximum(history.primal_gap[rows], 1e-12), label=label, color=color))
        weights.append(Line(rows, _weight(history)[rows], label=label, color=color))
        moved.append(
            Line(index, history["x"][min(step, len(history) - 1)], label=label, color=color, markers=True, width=1.0)
        )
    history = chain_run(original, d, fixed)
    k = min(step, len(history) - 1)
    rows = _thin(1001)
    plain, start = chain_bounds(d)
    below = np.arange(1, d)
    gaps += [
        Line(rows, plain(rows), label="9L₂D³/(k+4)²", color="muted", width=1.5),
        Line(rows, start(rows), label="the sharper bound", color="muted", dash=True, width=1.5),
        Line(below, 2.0 / 3.0 * (d - below), label="⅔(d−k), from below", color=2, dash=True, width=1.5),
        Line([max(k, 1)], [max(history.primal_gap[k], 1e-12)] if k else [np.nan], color=0, markers=True, line=False),
    ]
    across = Axis("iteration k", "log", domain=(0.9, 1100.0))
    return Scene(
        (
            Panel(across, Axis("gap f(x) − f*", "log", domain=(1e-11, 1e8)), tuple(gaps), title="the gap"),
            Panel(
                Axis("coordinate i", domain=(0.0, 31.0)), Axis("x", domain=(-1.0, 31.0)), tuple(moved),
                title=f"the point after {k} {'step' if k == 1 else 'steps'}",
            ),
            Panel(across, Axis("M (ARC: 2σ)", "log", domain=(1e-7, 1e2)), tuple(weights), title="the weight of the cube"),
        ),
        _chain_sentence(variant, d, k, history),
    )  # fmt: skip


def _chain_sentence(variant: str, d: int, k: int, history: History) -> str:
    count, solves = len(history) - 1, chain_solves(history)
    touched = int(np.sum(history["x"][k] != 0.0))
    reference = len(chain_run(cubic_newton, d, True)) - 1
    return (
        f"{variant[0].upper() + variant[1:]}, d = {d}: after {k} of {count} steps the gap is {history.primal_gap[k]:.2g} and "
        f"{touched} of {d} coordinates have moved. It reaches a gap of 1e-10 with {solves} linear systems or "
        "models solved"
        + ("." if variant == "cubic, M = L₂" else f"; cubic Newton with M = L₂ takes {reference}.")
    )  # fmt: skip


def chain_solves(history: History) -> int:
    """The models minimised: one a row, or as many as there were trials."""
    return int(np.nansum(history["trials"])) if "trials" in history.names else len(history) - 1


def chain_bounds(d: int) -> tuple[Any, Any]:
    """What is proven of cubic Newton with M ≤ L₂ on the chain: from L₂D³ alone, and from the gap at the start."""
    problem: Any = problems.chain(d)
    scale = problem.lipschitz_hess * np.linalg.norm(problem.x_star) ** 3
    gap = -problem.f_star
    return (
        lambda k: 9.0 * scale / (np.asarray(k) + 4.0) ** 2,
        lambda k: gap / (1.0 + np.asarray(k) * np.sqrt(gap / scale) / 3.0) ** 2,
    )


@functools.lru_cache(maxsize=256)
def chain_run(method: Method, d: int, fixed: bool) -> History:
    """A run on the chain to a gap of 1e-10; ``fixed``: with the constant that the theory asks for."""
    problem: Any = problems.chain(d)
    hyper: dict[str, Any] = {}
    if fixed:
        regularized = method.method.name == "gradient_regularized_newton"  # type: ignore[attr-defined]
        hyper["M"] = problem.lipschitz_hess / (2.0 if regularized else 1.0)
    return minimize(problem, method, tol=0.0, steps=3000, stop=target(problem.f_star + GAP), keep="x", **hyper)


def _weight(history: History) -> np.ndarray:
    for name, factor in (("M", 1.0), ("sigma", 2.0)):
        if name in history.names:
            return factor * history[name]
    return np.full(len(history), np.nan)


def _thin(rows: int) -> np.ndarray:
    """Row numbers from 1 on, evenly spaced on a logarithmic axis."""
    return np.unique(np.geomspace(1, max(rows - 1, 1), 120).round().astype(int))
