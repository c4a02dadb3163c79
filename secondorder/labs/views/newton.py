"""The pictures of the Newton chapters. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Rule, Scene, Slider, Text, view
from secondorder.newton import cubic_newton, gradient_descent, lazy_newton, lazy_regularized_newton, newton
from secondorder.oracles import Problem
from secondorder.run import minimize

Method = Callable[..., Any]

LANDSCAPES = {
    "Rosenbrock": problems.rosenbrock,
    "Himmelblau": problems.himmelblau,
    "saddle": problems.saddle,
    "double well": problems.double_well,
}
VARIANTS: dict[str, tuple[Method, dict[str, Any]]] = {
    "gradient descent": (gradient_descent, {}),
    "pure Newton": (newton, {"line_search": None}),
    "Newton with line search": (newton, {}),
    "cubic Newton": (cubic_newton, {}),
}
CONDITIONS = (1, 2, 5, 10, 20, 50, 100, 200)


def edited(method: Method | None, original: Method) -> list[tuple[str, Method]]:
    """The methods a picture runs: the library's, and beside it an edited copy where one is given."""
    runs = [(original.method.name, original)]  # type: ignore[attr-defined]
    if method is not None and method is not original:
        runs.append((f"your {method.method.name}", method))  # type: ignore[attr-defined]
    return runs


@view(
    title="A bowl, seen by two methods",
    chapter="intro",
    methods=("gradient_descent", "newton"),
    controls=(Slider("condition", (1, 2, 5, 10, 20, 50, 100), "condition number", 20, live=tuple(range(1, 201))),),
    presets={"round": {"condition": 1}, "a ravine": {"condition": 100}},
)
def bowl(*, condition: int = 20, method: Method | None = None) -> Scene:
    """Gradient descent with step 1/L and Newton on the quadratic with curvatures 1 and ``condition``."""
    runs = [("gradient descent", _bowl_run(gradient_descent, condition))]
    runs += [(label, _bowl_run(run, condition)) for label, run in edited(method, newton)]
    X, Y = np.linspace(-3.5, 3.5, 61), np.linspace(-3.5, 3.5, 61)
    Z = 0.5 * (X[None, :] ** 2 + condition * Y[:, None] ** 2)
    levels = 4.5 * np.asarray([0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0])
    paths = [
        Line(h["x"][:, 0], h["x"][:, 1], label=label, color=color, markers=True, width=1.5)
        for color, (label, h) in enumerate(runs)
    ]
    counts: list[Any] = []
    for color, (label, run) in enumerate([("gradient descent", gradient_descent), *edited(method, newton)]):
        steps = [len(_bowl_run(run, c)) - 1 for c in CONDITIONS]
        counts.append(Line(CONDITIONS, steps, label=label, color=color, markers=True, width=1.5))
    here, newtons = len(runs[0][1]) - 1, len(runs[1][1]) - 1
    sentence = (
        f"With condition number {condition}, gradient descent takes {here} {'step' if here == 1 else 'steps'} to bring "
        f"the gradient norm below 1e-6; Newton takes {newtons}."
    )
    side = (-3.5, 3.5)
    return Scene(
        (
            Panel(Axis("x₁", domain=side), Axis("x₂", domain=side), (Field(X, Y, Z, levels), *paths), "the paths"),
            Panel(
                Axis("condition number", "log", domain=(0.8, 250.0)), Axis("steps", "log", domain=(0.7, 4000.0)),
                (*counts, Rule(x=float(condition), label=f"condition number {condition}")), title="the count",
            ),
        ),
        sentence,
    )  # fmt: skip


@functools.lru_cache(maxsize=256)
def _bowl_run(method: Method, condition: int) -> History:
    problem = problems.quadratic([1.0, float(condition)], x0=[3.0, 3.0 / np.sqrt(condition)])
    hyper: dict[str, Any] = {"lipschitz": float(condition)} if method is gradient_descent else {}
    return minimize(problem, method, tol=1e-6, keep="x", **hyper)


@view(
    title="Newton on √(1 + x²)",
    chapter="newton/newton",
    methods=("newton",),
    controls=(
        Slider(
            "start", (0.3, 0.6, 0.8, 0.95, 1.0, 1.05, 1.2, 1.5, 2.0), "start x₀", 0.8,
            live=tuple(np.round(np.arange(0.05, 2.51, 0.05), 2).tolist()),
        ),
        Choice("variant", ("pure Newton", "Newton with line search", "cubic Newton"), "method", "pure Newton"),
    ),
    presets={"converges": {"start": 0.8}, "cycles": {"start": 1.0}, "diverges": {"start": 1.2}},
)  # fmt: skip
def newton_on_a_line(*, start: float = 0.8, variant: str = "pure Newton", method: Method | None = None) -> Scene:
    """Iterates on a convex function whose curvature dies away, where Newton's step is x⁺ = −x³."""
    problem = problems.pseudo_huber(1)
    original, hyper = VARIANTS[variant]
    x = np.linspace(-4.0, 4.0, 161)
    curve = np.sqrt(1.0 + x * x)
    # the model that the first step minimises
    slope, curvature = start / np.sqrt(1.0 + start**2), (1.0 + start**2) ** -1.5
    parabola = np.sqrt(1.0 + start**2) + slope * (x - start) + 0.5 * curvature * (x - start) ** 2
    marks: list[Any] = [
        Line(x, curve, label="f(x) = √(1 + x²)", color="muted"),
        Line(x, parabola, label="quadratic model at x₀", color=2, dash=True, width=1.5),
    ]
    errors: list[Any] = []
    sentence = ""
    for color, (label, run) in enumerate(edited(method, original)):
        settings = hyper if run is original else {}
        history = minimize(problem, run, [start], steps=5, keep="x", **settings)
        path = history["x"][:, 0]
        inside = np.abs(path) <= 4.0
        marks.append(
            Line(np.where(inside, path, np.nan), np.sqrt(1.0 + np.where(inside, path, 0.0) ** 2), label=label,
                 color=color, markers=True, width=1.2)
        )  # fmt: skip
        size = np.abs(path)
        errors.append(
            Line(np.arange(len(size)), np.where(size > 0.0, size, np.nan), label=label, color=color, markers=True)
        )
        sentence = sentence or _line_sentence(variant, start, path)
    return Scene(
        (
            Panel(Axis("x", domain=(-4.0, 4.0)), Axis("value", domain=(0.5, 4.5)), tuple(marks), title="the steps"),
            Panel(
                Axis("iteration", domain=(0.0, 5.2)), Axis("distance |x| to the minimum", "log", domain=(1e-17, 1e17)),
                (Rule(y=1.0, label="|x| = 1"), *errors), title="the distance",
            ),
        ),
        sentence,
    )  # fmt: skip


def _line_sentence(variant: str, start: float, path: np.ndarray) -> str:
    end, steps = abs(path[-1]), len(path) - 1
    if end > 4.0:
        fate = f"runs away: each step cubes the distance and changes sides, and after {steps} steps |x| = {end:.2g}"
    elif end > 0.5 * start:
        fate = f"goes nowhere: after {steps} steps it stands at x = {path[-1]:.3g}"
    else:
        fate = (
            f"reaches {f'|x| = {end:.2g}' if end else '0 to rounding'} in {steps} {'step' if steps == 1 else 'steps'}"
        )
    return f"From x₀ = {start:g}, {variant} {fate}."


@view(
    title="The model and the step",
    chapter="newton/newton",
    methods=("gradient_descent", "newton", "cubic_newton"),
    controls=(
        Choice("landscape", tuple(LANDSCAPES), "function", "Rosenbrock"),
        Choice("variant", tuple(VARIANTS), "method", "Newton with line search"),
        Slider("step", tuple(range(13)), "iteration", 3, live=tuple(range(41))),
    ),
    presets={
        "Newton heads for a saddle": {"landscape": "saddle", "variant": "pure Newton", "step": 4},
        "cubic Newton leaves it": {"landscape": "saddle", "variant": "cubic Newton", "step": 4},
    },
)
def model_and_step(
    *,
    landscape: str = "Rosenbrock",
    variant: str = "Newton with line search",
    step: int = 3,
    method: Method | None = None,
) -> Scene:
    """A path on a landscape, with the level set of the model that the next step minimises."""
    problem = LANDSCAPES[landscape]()
    original, hyper = VARIANTS[variant]
    runs = []
    for label, run in edited(method, original):
        settings = tuple(hyper.items()) if run is original else ()
        runs.append((label, _path(landscape, run, settings, 40)))
    history = runs[0][1]
    k = min(step, len(history) - 1)
    x, row = history["x"][k], history.rows[k]
    following = history.rows[k + 1] if k + 1 < len(history) else {}
    H = np.eye(2) * following.get("lipschitz", 1.0) if "lipschitz" in history.names else problem.hess(x)
    model = (x, problem.grad(x), H, following.get("M", 0.0)) if following else None
    sentence = (
        f"{variant} on {landscape}: after {k} of {len(history) - 1} steps f = {row['f']:.3g} and the gradient norm is "
        f"{row['grad_norm']:.2g}. {_ending(history, problem)}"
    )
    return Scene(
        (
            _landscape_panel(problem, [(label, h["x"], min(step, len(h) - 1)) for label, h in runs], model),
            _gradient_panel(runs, k),
        ),
        sentence,
    )


def _ending(history: History, problem: Problem) -> str:
    if history.status == "step_limit":
        return f"It is still under way after {len(history) - 1} steps."
    if history.status != "converged":
        return f"The run ends as {history.status}: {history.message or 'no progress'}."
    smallest, largest = np.linalg.eigvalsh(problem.hess(history.x))[[0, -1]]
    where = "minimum" if smallest > 0 else "maximum" if largest < 0 else "saddle point"
    return f"It converges to a {where}, with f = {history.f[-1]:.3g} and smallest curvature {smallest:.3g}."


@functools.lru_cache(maxsize=256)
def _path(landscape: str, method: Method, hyper: tuple[tuple[str, Any], ...], steps: int) -> History:
    return minimize(LANDSCAPES[landscape](), method, steps=steps, keep="x", **dict(hyper))


def _landscape_panel(
    problem: Any,
    paths: list[tuple[str, np.ndarray, int]],
    model: tuple[np.ndarray, np.ndarray, np.ndarray, float] | None,
) -> Panel:
    left, right, bottom, top = problem.window
    X, Y = np.linspace(left, right, 61), np.linspace(bottom, top, 61)
    Z = problem.values(*np.meshgrid(X, Y))
    low = float(np.min(Z))
    levels = low + (float(np.max(Z)) - low) * np.linspace(0.0, 1.0, 12)[1:-1] ** 3
    marks: list[Any] = [Field(X, Y, Z, levels)]
    curve = level_set(*model, 2.0 * (right - left)) if model else np.empty((0, 2))
    if len(curve):
        marks.append(Line(curve[:, 0], curve[:, 1], label="level set of the model", color=2, width=1.5))
    for color, (label, path, k) in enumerate(paths):
        path = np.where(np.max(np.abs(path), axis=1, keepdims=True) < 5.0 * (right - left), path, np.nan)
        marks.append(Line(path[: k + 1, 0], path[: k + 1, 1], label=label, color=color, markers=True, width=1.5))
        marks.append(Text(path[k : k + 1, 0], path[k : k + 1, 1], (f"x{k}",)))
    return Panel(Axis("x₁", domain=(left, right)), Axis("x₂", domain=(bottom, top)), tuple(marks), title="the path")


def level_set(x: np.ndarray, grad: np.ndarray, H: np.ndarray, M: float, reach: float) -> np.ndarray:
    """The points x + r u within ``reach`` where the model is as at x: r solves g·u + r u·Hu/2 + M r²/6 = 0.

    NaN rows part the branches. The directions u are even in the scale of H, so that a thin ellipse is as round.
    """
    values, Q = np.linalg.eigh(H)
    size = np.maximum(np.abs(values), 1e-6 * np.max(np.abs(values)) + 1e-12)
    angle = np.linspace(0.0, 2.0 * np.pi, 2881)
    u = Q @ (np.stack([np.cos(angle), np.sin(angle)]) / np.sqrt(size)[:, None])
    u = u / np.linalg.norm(u, axis=0)
    p, q, a = grad @ u, np.sum(u * (H @ u), axis=0), M / 6.0
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(0.25 * q * q - 4.0 * a * p)
        branches = [(-0.5 * q + root) / (2.0 * a), (-0.5 * q - root) / (2.0 * a)] if M else [-2.0 * p / q]
    curves = []
    for r in branches:
        r = np.where((r > 0.0) & (r < reach), r, np.nan)
        if np.any(np.isfinite(r)):
            curves += [_thinned((x[:, None] + r * u).T, reach / 150.0), np.full((1, 2), np.nan)]
    return np.concatenate(curves) if curves else np.empty((0, 2))


def _thinned(curve: np.ndarray, spacing: float) -> np.ndarray:
    """Points about ``spacing`` apart along the curve, with the ends of each piece and one NaN row between pieces."""
    gap = np.isnan(curve[:, 0])
    along = np.nancumsum(np.concatenate([[0.0], np.linalg.norm(np.diff(curve, axis=0), axis=1)]))
    edge = gap | np.roll(gap, 1) | np.roll(gap, -1)
    keep = np.concatenate([[True], np.floor(along[1:] / spacing) > np.floor(along[:-1] / spacing)]) | edge
    keep &= ~(gap & np.roll(gap, 1))
    return curve[keep]


def _gradient_panel(runs: list[tuple[str, History]], k: int) -> Panel:
    marks: list[Any] = []
    for color, (label, history) in enumerate(runs):
        size = np.where(history.grad_norm > 0.0, history.grad_norm, np.nan)
        marks.append(Line(history.cost(), size, label=label, color=color, markers=len(history) < 42, width=1.5))
    history = runs[0][1]
    marks.append(Rule(x=float(history.cost()[k]), label=f"iteration {k}"))
    return Panel(
        Axis("gradient-equivalents"),
        Axis("gradient norm ‖∇f‖", "log", domain=(1e-13, 1e4)),
        tuple(marks),
        title="the cost",
    )


CONSTANTS = ("adaptive", "1", "10", "100", "1000")


@view(
    title="The path of lazy Newton",
    chapter="newton/lazy",
    methods=("lazy_newton",),
    controls=(
        Slider("period", (1, 2, 3, 5, 8, 12, 20), "m, steps a Hessian serves", 8, live=tuple(range(1, 41))),
        Choice("M", CONSTANTS, "constant M", "100"),
        Slider("step", (*range(9), 10, 12, 15, 20, 30, 60), "iteration", 6, live=tuple(range(61))),
    ),
    presets={
        "m = 1: cubic Newton": {"period": 1, "M": "adaptive"},
        "an old Hessian, trusted too much": {"period": 12, "M": "10", "step": 12},
        "an old Hessian, kept in check": {"period": 12, "M": "1000", "step": 12},
    },
)
def lazy_path(*, period: int = 8, M: str = "100", step: int = 6, method: Method | None = None) -> Scene:
    """Himmelblau's function, walked with a Hessian that is up to m − 1 steps old."""
    problem = problems.himmelblau()
    hyper = (("period", period), ("M", None if M == "adaptive" else float(M)))
    runs = [(label, _path("Himmelblau", run, hyper, 60)) for label, run in edited(method, lazy_newton)]
    history = runs[0][1]
    k = min(step, len(history) - 1)
    path = history["x"]
    model, next_step = None, ""
    if k + 1 < len(history):
        following = history.rows[k + 1]
        age = following["age"] - 1
        model = (path[k], problem.grad(path[k]), problem.hess(path[_snapshot(history, k)]), following["M"])
        next_step = f"; the next step uses one that is {age} {'step' if age == 1 else 'steps'} old"
    size = history.grad_norm[k]
    taken_back = sum(row.get("accepted") is False for row in history.rows[: k + 1])
    hessians = int(history.counts["hess"][k])
    sentence = (
        f"With m = {period} and M {'adapted' if M == 'adaptive' else '= ' + M}, iteration {k} has cost {hessians} "
        f"{'Hessian' if hessians == 1 else 'Hessians'}{next_step}. The gradient norm is "
        + (f"{size:.2g}" if np.isfinite(size) else "too large to show")
        + (f"; {taken_back} {'period was' if taken_back == 1 else 'periods were'} taken back" if taken_back else "")
        + f". The run {_fate(history)}."
    )
    panel = _landscape_panel(problem, [(label, h["x"], min(step, len(h) - 1)) for label, h in runs], model)
    return Scene((panel, _gradient_panel(runs, k)), sentence)


def _snapshot(history: History, k: int) -> int:
    """The row at whose point the Hessian of the step after row k was computed."""
    age = history.rows[k + 1]["age"]
    while age > 1 and k > 0:
        age, k = age - 1, k - 1
    return k


def _fate(history: History) -> str:
    steps = len(history) - 1
    if history.status == "converged":
        return f"converges in {steps} steps and {history.oracle['hess']} Hessians"
    if history.status == "step_limit":
        return f"has a gradient norm of {history.grad_norm[-1]:.2g} after {steps} steps"
    return f"ends as {history.status} after {steps} steps"


PERIODS = (1, 2, 3, 6, 13, 25, 40, 80, 160, 200)
ACROSS = {"gradient-equivalents": "cost", "Hessians": "hess", "iterations": "step"}
MODELS = {"cubic": lazy_newton, "regularised": lazy_regularized_newton}


@view(
    title="What laziness costs, and saves",
    chapter="newton/lazy",
    methods=("lazy_newton", "lazy_regularized_newton"),
    controls=(
        Slider("period", PERIODS, "m, steps a Hessian serves", 13),
        Choice("model", tuple(MODELS), "model", "cubic"),
        Choice("across", tuple(ACROSS), "count", "gradient-equivalents"),
    ),
    presets={
        "a new Hessian at every step": {"period": 1},
        "m = d": {"period": 40},
        "count iterations instead": {"across": "iterations"},
    },
)
def lazy_cost(
    *,
    period: int = 13,
    model: str = "cubic",
    across: str = "gradient-equivalents",
    method: Method | None = None,
) -> Scene:
    """An ill-scaled logistic regression, d = 40: the gap against what was spent, for one period and two extremes."""
    original = MODELS[model]
    marks: list[Any] = []
    runs = edited(method, original)
    for color, (label, run) in enumerate(runs):
        spent, gap = _descent(run, period, across)
        marks.append(Line(spent, gap, label=f"{label}, m = {period}", color=color, width=2.5))
    for m, color in ((1, 3), (40, 4)):
        if m != period:
            spent, gap = _descent(original, m, across)
            marks.append(Line(spent, gap, label=f"m = {m}", color=color, width=1.5))
    totals = np.asarray([_total(original, m, across) for m in PERIODS])
    here = _total(original, period, across)
    curve: list[Any] = [
        Line(PERIODS, totals, label=f"{model}: total to a gap of 1e-9", color="muted", markers=True, width=1.5),
        Line([period], [here], label=f"m = {period}", color=0, markers=True, line=False),
        Rule(x=40.0, label="m = d"),
    ]
    best = PERIODS[int(np.argmin(totals))]
    sentence = (
        f"With m = {period} the {model} method reaches a gap of 1e-9 with {here:.0f} {across}; "
        + (f"with m = 1 it takes {totals[0]:.0f}, and " if period > 1 else "")
        + f"of the periods shown m = {best} takes the fewest, {totals.min():.0f}."
    )
    return Scene(
        (
            Panel(
                Axis(across), Axis("gap f(x) − f*", "log", domain=(1e-10, 1e1)),
                (*marks, Rule(y=1e-9, label="gap 1e-9")), title="the descent",
            ),
            Panel(Axis("period m", "log"), Axis(across, "log"), tuple(curve), title="the total against the period"),
        ),
        sentence,
    )  # fmt: skip


@functools.lru_cache(maxsize=8)
def _regression(seed: int) -> Problem:
    problem = problems.ill_scaled_logistic(seed=seed)
    reference = minimize(problem, newton, tol=1e-13)
    problem.f_star = float(reference.f.min())
    return problem


@functools.lru_cache(maxsize=512)
def lazy_run(method: Method, period: int, seed: int = 0) -> History:
    problem = _regression(seed)
    return minimize(problem, method, period=period, tol=0.0, steps=4000, stop=_gap_below(problem, 1e-9))


def _gap_below(problem: Problem, gap: float) -> Any:
    from secondorder.stopping import target

    return target((problem.f_star or 0.0) + gap)


def _descent(method: Method, period: int, across: str) -> tuple[np.ndarray, np.ndarray]:
    history = lazy_run(method, period)
    spent = {"cost": history.cost(), "hess": history.counts["hess"], "step": np.arange(len(history))}[ACROSS[across]]
    gap = np.maximum(history.primal_gap, 1e-10)
    thin = np.unique(np.round(np.linspace(0, len(gap) - 1, 120)).astype(int))
    return spent[thin], gap[thin]


def _total(method: Method, period: int, across: str) -> float:
    return float(_descent(method, period, across)[0][-1])


def lazy_curve(method: Method = lazy_newton, seeds: int = 5) -> np.ndarray:
    """Gradient-equivalents to a gap of 1e-9 for each of ``PERIODS``, one row a seed: the chapter's figure."""
    return np.asarray([[lazy_run(method, m, seed).cost()[-1] for m in PERIODS] for seed in range(seeds)])
