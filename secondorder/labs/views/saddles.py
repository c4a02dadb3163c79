"""The pictures of the chapter on saddles. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Rule, Scene, Slider, Text, view
from secondorder.labs.views.newton import Method, edited, level_set
from secondorder.labs.views.newton import _thinned as thinned
from secondorder.linalg import flipped_solve, modified_cholesky, shifted_solve
from secondorder.newton import arc, cubic_newton, newton, newton_cg, perturbed_zeroth_order, trust_region
from secondorder.oracles import Problem
from secondorder.run import minimize

METHODS: dict[str, tuple[Method, dict[str, Any]]] = {
    "pure Newton": (newton, {"line_search": None}),
    "eigenvalue flip": (newton, {"modification": "flip"}),
    "shifted": (newton, {"modification": "shift"}),
    "modified Cholesky": (newton, {"modification": "cholesky"}),
    "Newton-CG": (newton_cg, {}),
    "Steihaug-Toint": (trust_region, {"subproblem": "steihaug"}),
    "exact trust region": (trust_region, {}),
    "ARC": (arc, {}),
    "cubic Newton": (cubic_newton, {}),
}
SHOWN = [name for name in METHODS if name != "modified Cholesky"]  # on a diagonal Hessian it is the flip
OFFSETS = (0.0, 1e-12, 1e-8, 1e-4, 0.3)
STEPS = 60


def settings(run: Method, name: str) -> dict[str, Any]:
    """The settings of a named method, also for an edited copy of the same method."""
    original, hyper = METHODS[name]
    return hyper if run.method.name == original.method.name else {}  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=512)
def saddle_run(name: str, offset: float, method: Method | None = None) -> History:
    """The run from (1, offset) on the saddle, its minima at (0, ±√2)."""
    run = METHODS[name][0] if method is None else method
    return minimize(problems.saddle(), run, [1.0, offset], steps=STEPS, keep="x", **settings(run, name))


def escapes(history: History) -> bool:
    """Whether the run has found a minimum: a stationary point with a positive definite Hessian."""
    return history.status == "converged" and history.optimality["smallest_eigenvalue"] > 0.0


@view(
    title="At a saddle",
    chapter="newton/saddles",
    methods=("newton", "newton_cg", "trust_region", "arc", "cubic_newton"),
    controls=(
        Choice("name", tuple(SHOWN), "method", "eigenvalue flip"),
        Slider("offset", OFFSETS, "offset x₂ of the start", 1e-4, log=True),
        Slider("step", (*range(6), 8, 12, 30), "iteration", 12, live=tuple(range(STEPS + 1))),
    ),
    presets={
        "Newton goes to the saddle": {"name": "pure Newton", "offset": 0.3, "step": 3},
        "the flip doubles": {"name": "eigenvalue flip", "offset": 1e-8, "step": 8},
        "Newton-CG, exactly on the ridge": {"name": "Newton-CG", "offset": 0.0, "step": 1},
        "the hard case": {"name": "exact trust region", "offset": 0.0, "step": 1},
    },
)
def at_a_saddle(
    *, name: str = "eigenvalue flip", offset: float = 1e-4, step: int = 12, method: Method | None = None
) -> Scene:
    """A path from (1, offset), and where each iterate stands in smallest curvature and gradient norm."""
    problem = problems.saddle()
    runs = [(label, saddle_run(name, offset, run)) for label, run in edited(method, METHODS[name][0])]
    history = runs[0][1]
    k = min(step, len(history) - 1)
    left, right, bottom, top = problem.window
    X, Y = np.linspace(left, right, 49), np.linspace(bottom, top, 61)
    Z = problem.values(*np.meshgrid(X, Y))
    marks: list[Any] = [Field(X, Y, Z, [-0.8, -0.4, 0.0, 0.3, 0.8, 1.6, 2.6, 3.8]), *_model(history, name, k)]
    curvature: list[Any] = [Rule(x=0.0, label="curvature 0"), Rule(y=1e-8, label="tolerance", dash=False)]
    for color, (label, run) in enumerate(runs):
        path, j = run["x"], min(step, len(run) - 1)
        size = np.maximum(run.grad_norm[: j + 1], 1e-13)
        smallest = np.minimum(2.0, 3.0 * path[:, 1] ** 2 - 2.0)[: j + 1]
        marks.append(Line(path[: j + 1, 0], path[: j + 1, 1], label=label, color=color, markers=True, width=1.5))
        marks.append(Text(path[j : j + 1, 0], path[j : j + 1, 1], (f"x{j}",)))
        curvature.append(Line(smallest, size, label=label, color=color, markers=True, width=1.5))
        curvature.append(Text(smallest[j:], size[j:], (f"x{j}",)))
    return Scene(
        (
            Panel(Axis("x₁", domain=(left, right)), Axis("x₂", domain=(bottom, top)), tuple(marks), "the path", equal=True),
            Panel(
                Axis("smallest eigenvalue of the Hessian", domain=(-2.5, 2.5)),
                Axis("gradient norm ‖∇f‖", "log", domain=(3e-14, 30.0)), tuple(curvature), title="what it stands on",
            ),
        ),
        _saddle_sentence(name, offset, history, k),
    )  # fmt: skip


def _model(history: History, name: str, k: int) -> list[Line]:
    """The level set, through iterate k, of the model that the next step minimises, and the trust region."""
    if k + 1 >= len(history):
        return []
    problem, x, row = problems.saddle(), history["x"][k], history.rows[k + 1]
    H = problem.hess(x)
    if row.get("modified"):
        H = modified(H, METHODS[name][1]["modification"])
    curve = level_set(x, problem.grad(x), H, row.get("M", 2.0 * row.get("sigma", 0.0)), 9.0)
    inside = np.all(abs(curve) < (1.6, 2.4), axis=1)
    lines = []
    if np.any(inside):
        curve = thinned(np.where(inside[:, None], curve, np.nan), 0.12)
        lines.append(Line(curve[:, 0], curve[:, 1], label="level set of the model", color=2, width=1.5))
    if "trust_radius" in row:
        angle = np.linspace(0.0, 2.0 * np.pi, 37)
        circle = x[:, None] + row["trust_radius"] * np.stack([np.cos(angle), np.sin(angle)])
        lines.append(Line(circle[0], circle[1], label="trust region", color=4, dash=True, width=1.2))
    return lines


def _saddle_sentence(name: str, offset: float, history: History, k: int) -> str:
    x, last = history["x"][k], len(history) - 1
    size = history.grad_norm[k]
    now = f"at ({x[0]:.3g}, {x[1]:.3g}), gradient norm {size:.2g}"
    steps = "step" if last == 1 else "steps"
    here = f"{name[0].upper()}{name[1:]} from (1, {offset:g}) stands {now} after {k} of {last} {steps}"
    if history.status == "converged":
        smallest = history.optimality["smallest_eigenvalue"]
        kind = "a minimum" if escapes(history) else "the saddle"
        end = f"It reports converged at {kind}: the smallest eigenvalue there is {smallest:.3g}"
    elif history.status == "step_limit":
        end = f"After {last} steps it is still under way"
    else:
        end = f"The run ends as {history.status}"
    extra = ""
    if history.rows[min(k + 1, last)].get("hard") and k < last:
        extra = " The next step is the hard case: its missing length goes along the eigenvector."
    elif "negative_curvature" in history.names:
        met = int(np.nansum(history["negative_curvature"]))
        extra = f" Negative curvature was met in {met} of {last} {steps}."
    return f"{here}. {end}.{extra}"


MODIFICATIONS = {"eigenvalue flip": "flip", "shifted": "shift", "modified Cholesky": "cholesky"}
CURVATURES = (-3.0, -2.0, -1.5, -1.2, -0.6, -0.3, -0.1, 0.1, 0.3, 0.6, 1.0, 3.0)
GRADIENT = np.asarray([0.6, 1.0])
OTHER = 1.0


def modified(H: np.ndarray, modification: str) -> np.ndarray:
    """The matrix that the library's modification puts in place of a Hessian that is not positive definite."""
    identity = np.eye(len(H))
    if modification == "flip":
        return np.linalg.inv(flipped_solve(H, identity))
    if modification == "shift":
        return H + shifted_solve(H, GRADIENT if len(H) == 2 else np.ones(len(H)))[1] * identity
    return H + np.diag(modified_cholesky(H)[2])


def turned(curvature: float, angle: float) -> np.ndarray:
    """The Hessian with eigenvalues ``curvature`` and 1, the first eigenvector at ``angle`` degrees."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    Q = np.asarray([[c, -s], [s, c]])
    return (Q * [curvature, OTHER]) @ Q.T


@functools.lru_cache(maxsize=1024)
def model_step(curvature: float, angle: float, name: str, method: Method | None = None) -> np.ndarray:
    """The first step of a method from 0 on the quadratic with that Hessian and the gradient (0.6, 1)."""
    H = turned(curvature, angle)
    problem = Problem(lambda x: GRADIENT @ x + 0.5 * x @ H @ x, lambda x: GRADIENT + H @ x, lambda x: H, x0=np.zeros(2))
    run = newton if method is None else method
    hyper: dict[str, Any] = {"modification": MODIFICATIONS[name]} if run.method.name == "newton" else {}  # type: ignore[attr-defined]
    return minimize(problem, run, steps=1, tol=0.0, keep="x", **hyper)["x"][-1]


@functools.lru_cache(maxsize=64)
def spectrum_curve(name: str, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Curvatures from -3 to 3 (not 0), and the two eigenvalues that the modification makes of each with 1."""
    values = np.concatenate([-np.linspace(3.0, 0.02, 75), np.linspace(0.02, 3.0, 75)])
    return values, np.asarray([_eigenvalues(float(value), angle, name) for value in values])


def _eigenvalues(curvature: float, angle: float, name: str) -> np.ndarray:
    H = turned(curvature, angle)
    return np.linalg.eigvalsh(modified(H, MODIFICATIONS[name]) if curvature <= 0.0 else H)


@view(
    title="Three repairs of an indefinite Hessian",
    chapter="newton/saddles",
    methods=("newton",),
    controls=(
        Slider("curvature", CURVATURES, "eigenvalue λ₁", -1.2,
               live=tuple(v for v in np.round(np.arange(-3.0, 3.01, 0.1), 1).tolist() if v != 0.0)),
        Slider("angle", (0, 15, 30, 45), "angle of its eigenvector (degrees)", 30, live=tuple(range(0, 91, 5))),
        Choice("name", tuple(MODIFICATIONS), "modification", "eigenvalue flip"),
    ),
    presets={
        "flipped": {"curvature": -0.3, "angle": 30, "name": "eigenvalue flip"},
        "shifted: a long step": {"curvature": -1.2, "angle": 0, "name": "shifted"},
        "modified Cholesky in the eigenbasis": {"curvature": -2.0, "angle": 0, "name": "modified Cholesky"},
        "positive definite: nothing to repair": {"curvature": 0.6, "angle": 30, "name": "eigenvalue flip"},
    },
)  # fmt: skip
def modified_hessians(
    *, curvature: float = -1.2, angle: int = 30, name: str = "eigenvalue flip", method: Method | None = None
) -> Scene:
    """A quadratic with curvatures λ₁ and 1, the model that a repair makes of it, and both steps."""
    H = turned(curvature, angle)
    used = modified(H, MODIFICATIONS[name]) if curvature <= 0.0 else H
    side = np.linspace(-4.0, 4.0, 41)
    U, V = np.meshgrid(side, side)
    Z = GRADIENT[0] * U + GRADIENT[1] * V + 0.5 * (H[0, 0] * U * U + 2.0 * H[0, 1] * U * V + H[1, 1] * V * V)
    raw = -np.linalg.solve(H, GRADIENT)
    curve = level_set(np.zeros(2), GRADIENT, used, 0.0, 9.0)
    plane: list[Any] = [Field(side, side, Z, [-20.0, -10.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 10.0, 20.0])]
    if len(curve):
        plane.append(Line(curve[:, 0], curve[:, 1], label="modified model", color=2, width=1.5))
    plane.append(_arrow(raw, "Newton's step", "muted", True))
    for color, (label, run) in enumerate(edited(method, newton)):
        plane.append(_arrow(model_step(curvature, angle, name, run), label, color, False))
    values, pairs = spectrum_curve(name, angle)
    spectrum: list[Any] = []
    for i, (label, color) in enumerate((("smaller", 0), ("larger", 1))):
        curves = np.insert(pairs[:, i], 75, np.nan)
        spectrum.append(Line(np.insert(values, 75, np.nan), curves, label=label, color=color, width=2.0))
    here = np.linalg.eigvalsh(used)
    spectrum.append(Line([curvature, curvature], here, color="muted", markers=True, line=False))
    spectrum += [
        Line([-3.0, 3.0], [-3.0, 3.0], label="λ₁", color="muted", dash=True, width=1.2), Rule(x=curvature)
    ]  # fmt: skip
    return Scene(
        (
            Panel(Axis("h₁", domain=(-4.0, 4.0)), Axis("h₂", domain=(-4.0, 4.0)), tuple(plane), "the step", equal=True),
            Panel(
                Axis("eigenvalue λ₁ of the Hessian", domain=(-3.1, 3.1)),
                Axis("eigenvalues used", domain=(-3.1, 8.2)), tuple(spectrum), title="what is put in their place",
            ),
        ),
        _modified_sentence(curvature, angle, name, raw, here),
    )  # fmt: skip


def _arrow(step: np.ndarray, label: str, color: Any, dash: bool) -> Line:
    return Line([0.0, step[0]], [0.0, step[1]], label=label, color=color, markers=True, dash=dash, width=2.0)


def _modified_sentence(curvature: float, angle: int, name: str, raw: np.ndarray, used: np.ndarray) -> str:
    slope = float(GRADIENT @ raw)
    way = "climbs" if slope > 0.0 else "descends"
    step = model_step(curvature, angle, name)
    new = float(GRADIENT @ step)
    if curvature > 0.0:
        return (
            f"With λ₁ = {curvature:g} the Hessian is positive definite: nothing is changed, and the step is Newton's own, "
            f"of length {np.linalg.norm(raw):.3g}, with slope {slope:.3g}."
        )
    return (
        f"With λ₁ = {curvature:g}, its eigenvector at {angle}°, Newton's own step {way} (slope {slope:.3g}). The "
        f"{name} model has the eigenvalues {used[0]:.3g} and {used[1]:.3g} in place of {curvature:g} and {OTHER:g}; "
        f"its step has length {np.linalg.norm(step):.3g} and slope {new:.3g}."
    )


# ------------------------------------------------------------------------------------------------ what curvature buys

ESCAPES: dict[str, tuple[Method, dict[str, Any]]] = {
    "trust region": (trust_region, {}),
    "ARC": (arc, {}),
    "flip": (newton, {"modification": "flip"}),
    "random, m = 1": (perturbed_zeroth_order, {"directions": 1, "lipschitz": 1.0}),
    "coordinates": (perturbed_zeroth_order, {"estimator": "coordinates", "lipschitz": 1.0}),
}
DIMENSIONS = (5, 10, 20, 40)
WEAK = (0.25, 0.5, 1.0)
COUNTS = ("values of f", "gradient-equivalents")
DEPTH = 0.96


def wide_saddle(d: int, curvature: float) -> Problem:
    """A saddle in d variables with curvature 1, but for the last, in which it is -``curvature`` and two minima lie at ±1. The
    start is 1e-3 off in the other variables and exactly 0 in the last."""
    spectrum = np.append(np.ones(d - 1), -curvature)
    x0 = np.append(1e-3 * np.random.default_rng(0).standard_normal(d - 1), 0.0)

    def last(value: float) -> np.ndarray:
        return np.append(np.zeros(d - 1), value)

    return Problem(
        lambda x: float(0.5 * spectrum @ (x * x) + 0.25 * curvature * x[-1] ** 4),
        lambda x: spectrum * x + last(curvature * x[-1] ** 3),
        lambda x: np.diag(spectrum + last(3.0 * curvature * x[-1] ** 2)),
        x0=x0, f_star=-0.25 * curvature, fresh=True,
    )  # fmt: skip


@functools.lru_cache(maxsize=256)
def escape_run(name: str, d: int, curvature: float, seed: int = 0, method: Method | None = None) -> History:
    """The run until f has come down by 96 per cent of the depth of the minima."""
    original, hyper = ESCAPES[name]
    run = original if method is None else method
    hyper = hyper if run.method.name == original.method.name else {}  # type: ignore[attr-defined]
    problem = wide_saddle(d, curvature)
    deep = DEPTH * (problem.f_star or 0.0)
    return minimize(
        problem, run, steps=20_000, seed=seed, stop=lambda row: "there" if row["f"] <= deep else None, **hyper
    )


def spent(history: History, d: int, count: str) -> np.ndarray:
    """Values of f, a gradient being 2d of them by central differences and a Hessian 2d²; or gradient-equivalents."""
    return history.cost(f=1.0, grad=2.0 * d, hess=2.0 * d * d) if count == COUNTS[0] else history.cost()


def to_escape(name: str, d: int, curvature: float, count: str) -> float:
    """What a method spends until it is there, the median of three seeds; infinite if it stays."""
    runs = [
        escape_run(name, d, curvature, seed)
        for seed in (range(3) if ESCAPES[name][0] is perturbed_zeroth_order else (0,))
    ]
    return float(np.median([spent(run, d, count)[-1] if run.status == "there" else np.inf for run in runs]))


@view(
    title="What curvature buys",
    chapter="newton/saddles",
    methods=("trust_region", "arc", "newton", "perturbed_zeroth_order"),
    controls=(
        Slider("d", DIMENSIONS, "dimension d", 20),
        Slider("curvature", WEAK, "negative curvature |λ₁|", 1.0, log=True),
        Choice("count", COUNTS, "count", COUNTS[0]),
    ),
    presets={
        "without derivatives, a strong saddle": {"d": 40, "curvature": 1.0, "count": COUNTS[0]},
        "without derivatives, a weak saddle": {"d": 5, "curvature": 0.25, "count": COUNTS[0]},
        "with derivatives": {"d": 40, "curvature": 0.25, "count": COUNTS[1]},
    },
)
def what_curvature_buys(
    *, d: int = 20, curvature: float = 1.0, count: str = COUNTS[0], method: Method | None = None
) -> Scene:
    """f against what was spent, from beside a saddle whose gradient does not point away, and the sums for every |λ₁|."""
    marks: list[Any] = [Rule(y=0.0, label="the saddle"), Rule(y=-1.0, label="the minima", dash=False)]
    totals: list[Any] = []
    for color, name in enumerate(ESCAPES):
        history = escape_run(name, d, curvature)
        marks.append(_fall(history, d, curvature, count, label=name, color=color, markers=len(history) < 20))
        ends = [to_escape(name, d, weak, count) for weak in WEAK]
        if np.all(np.isfinite(ends)):
            totals.append(Line(1.0 / np.asarray(WEAK), ends, label=name, color=color, markers=True))
    if method is not None:
        name = next(k for k, (run, _) in ESCAPES.items() if run.method.name == method.method.name)  # type: ignore[attr-defined]
        ((_, _), *copies) = edited(method, ESCAPES[name][0])
        for label, copy in copies:
            marks.append(
                _fall(escape_run(name, d, curvature, 0, copy), d, curvature, count, label=label, color=5, dash=True)
            )
    totals.append(Rule(x=1.0 / curvature))
    return Scene(
        (
            Panel(
                Axis(count, "log", domain=(1.0, 1e5)), Axis("f / depth of the minima", domain=(-1.1, 0.2)),
                tuple(marks), title="the descent",
            ),
            Panel(
                Axis("L / |λ₁|", "log", domain=(0.9, 4.5)), Axis(f"{count} to leave", "log", domain=(10.0, 1e5)),
                tuple(totals), title="what leaving costs",
            ),
        ),
        _curvature_sentence(d, curvature, count),
    )  # fmt: skip


def _fall(history: History, d: int, curvature: float, count: str, **style: Any) -> Line:
    keep = np.unique(np.geomspace(1, len(history), 60).astype(int)) - 1
    return Line(np.maximum(spent(history, d, count)[keep], 1.0), history.f[keep] / (0.25 * curvature), **style)


def _curvature_sentence(d: int, curvature: float, count: str) -> str:
    needed = {name: to_escape(name, d, curvature, count) for name in ESCAPES}
    staying = [name for name, value in needed.items() if not np.isfinite(value)]
    cheapest = min(needed, key=lambda name: needed[name])
    told = ", ".join(f"{name} {value:.0f}" for name, value in needed.items() if np.isfinite(value))
    return (
        f"d = {d}, curvatures 1 and -{curvature:g}. To come down by 96 per cent of the way, in {count}: {told}. "
        f"Still at the saddle: {', '.join(staying)}. Cheapest here: {cheapest}."
    )
