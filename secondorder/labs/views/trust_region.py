"""The pictures of the trust-region chapter: the subproblem in a plane, and runs with the radius they earn."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Rule, Scene, Slider, Text, view
from secondorder.labs.views.newton import edited
from secondorder.linalg import eigen, steihaug, trust_region_step
from secondorder.newton import sr1, trust_region
from secondorder.oracles import Problem
from secondorder.run import minimize

Method = Callable[..., Any]

SIDE = 3.2
RADII = (0.4, 0.7, 1.0, 1.25, 1.5, 2.0, 3.0)
CURVATURES = (-1.5, -1.0, -0.5, 0.0, 0.5)
TILTS = (0, 1, 5, 15, 30, 60, 90)
LEVELS = np.asarray([-6.0, -4.5, -3.0, -2.0, -1.2, -0.6, -0.25, 0.0, 0.6, 1.5, 3.0, 5.0, 7.5])


@view(
    title="The subproblem in the plane",
    chapter="newton/trust_region",
    methods=("trust_region",),
    controls=(
        Slider("radius", RADII, "radius Δ", 1.5, live=tuple(np.round(np.arange(0.2, 3.01, 0.05), 2).tolist())),
        Slider(
            "curvature", CURVATURES, "least curvature λ₁", -1.0,
            live=tuple(np.round(np.arange(-1.5, 0.76, 0.05), 2).tolist()),
        ),
        Slider("tilt", TILTS, "angle from −g to the x₂ axis, degrees", 30, live=tuple(range(91))),
    ),
    presets={
        "inside: Newton's step": {"radius": 2.0, "curvature": 0.5, "tilt": 30},
        "on the boundary": {"radius": 1.0, "curvature": 0.5, "tilt": 30},
        "negative curvature": {"radius": 1.5, "curvature": -1.0, "tilt": 30},
        "almost hard": {"radius": 1.5, "curvature": -1.0, "tilt": 1},
        "the hard case": {"radius": 1.5, "curvature": -1.0, "tilt": 0},
        "hard, were the disc not so small": {"radius": 0.4, "curvature": -1.0, "tilt": 0},
    },
)  # fmt: skip
def subproblem_in_the_plane(
    *, radius: float = 1.5, curvature: float = -1.0, tilt: int = 30, method: Method | None = None
) -> Scene:
    """The model with curvatures λ₁ and 1 and a gradient of length 1, its minimiser in the disc, and Steihaug's path."""
    model = _model(curvature, tilt)
    H, g = model.hess(model.x0), model.grad(model.x0)
    runs = [
        (label, minimize(model, run, steps=1, tol=0.0, initial_radius=radius, keep=("step",)))
        for label, run in edited(method, trust_region)
    ]
    row = runs[0][1].rows[1]
    step, multiplier = row["step"], row["multiplier"]
    path, ended = conjugate_path(H, g, radius)
    gained = -model.f(path[-1])
    circle = np.linspace(0.0, 2.0 * np.pi, 121)
    side = np.linspace(-SIDE, SIDE, 33)
    X, Y = np.meshgrid(side, side)
    values = 0.5 * (curvature * X**2 + Y**2) + g[0] * X + g[1] * Y
    marks: list[Any] = [
        Field(side, side, values, LEVELS),
        Line(radius * np.cos(circle), radius * np.sin(circle), label="‖h‖ = Δ", color="muted", width=1.5),
        Line(path[:, 0], path[:, 1], label="Steihaug–Toint", color=1, markers=True, width=2.0),
    ]
    for color, (label, run) in zip((0, 3), runs):
        h = run.rows[1].get("step", np.zeros(2))
        marks.append(Line([0.0, h[0]], [0.0, h[1]], label=label, color=color, markers=True, width=2.5))
    if row["hard"]:
        marks.append(Line([0.0, -step[0]], [0.0, step[1]], label="as good", color=0, dash=True, width=1.5))
    t = np.linspace(-2.0, 5.0, 211)
    pole = max(0.0, -curvature)
    inverse = inverse_length(curvature, g, t)
    length = 1.0 / np.linalg.norm(step)
    curve: list[Any] = [
        Line(t, np.where(t >= pole - 1e-9, inverse, np.nan), label="1/‖h(λ)‖, λ allowed", color=0, width=2.5),
        Line(t, np.where(t <= pole + 1e-9, inverse, np.nan), label="λ too small", color="muted", dash=True, width=1.5),
        Rule(y=1.0 / radius, label="1/Δ", color=5, dash=False),
        Rule(x=pole, label="max(0, −λ₁)", color=2, dash=False),
        Line([multiplier], [length], label="the step", color=1, markers=True, line=False),
    ]
    disc = (-SIDE, SIDE)
    return Scene(
        (
            Panel(Axis("x₁", domain=disc), Axis("x₂", domain=disc), tuple(marks), title="the model", equal=True),
            Panel(
                Axis("λ", domain=(-2.0, 5.0)), Axis("1 / length of the step", domain=(0.0, 3.2)), tuple(curve),
                title="the secular equation",
            ),
        ),
        _subproblem_sentence(row, radius, curvature, tilt, gained, ended),
    )  # fmt: skip


def _model(curvature: float, tilt: int) -> Problem:
    """The quadratic h'Hh/2 + g'h, from the origin."""
    angle = np.deg2rad(tilt)
    H = np.diag([curvature, 1.0])
    g = -np.asarray([np.sin(angle) if tilt else 0.0, np.cos(angle) if tilt != 90 else 0.0])
    return Problem(
        lambda h: float(g @ h + 0.5 * h @ H @ h), lambda h: g + H @ h, lambda h: H, lambda h, v: H @ v, x0=np.zeros(2)
    )


def conjugate_path(H: np.ndarray, g: np.ndarray, radius: float) -> tuple[np.ndarray, str]:
    """The points that Steihaug–Toint passes, the origin included, and how it ended."""
    points = [np.zeros_like(g)]
    while True:
        found = steihaug(lambda v: H @ v, g, radius, tol=1e-8, max_iterations=len(points))
        points.append(found.step)
        if found.ended != "limit":
            return np.asarray(points), found.ended


def inverse_length(curvature: float, g: np.ndarray, t: np.ndarray) -> np.ndarray:
    """1 / ‖h(λ)‖ for the model with curvatures ``curvature`` and 1; a component that is zero drops out."""
    with np.errstate(divide="ignore"):
        square = sum(c * c / (value + t) ** 2 for c, value in zip(g, (curvature, 1.0)) if c)
    return np.where(np.isinf(square), 0.0, 1.0 / np.sqrt(square))


def _subproblem_sentence(
    row: dict[str, Any], radius: float, curvature: float, tilt: int, gained: float, ended: str
) -> str:
    multiplier, best = row["multiplier"], row["decrease"]
    if row["hard"]:
        where = (
            f"this is the hard case: no λ above −λ₁ = {-curvature:g} makes the step long enough, so λ = {-curvature:g} and "
            "the missing length goes along x₁, to either side"
        )
    elif multiplier == 0.0:
        where = "the minimiser of the model lies in the disc, λ = 0 and the step is Newton's"
    else:
        where = f"the step ends on the boundary with λ = {multiplier:.3g}"
    stop = {
        "boundary": "leaves the disc",
        "curvature": "meets a direction without positive curvature",
        "residual": "ends inside",
    }[ended]
    return (
        f"Δ = {radius:g}, λ₁ = {curvature:g}, angle {tilt}°: {where}. It promises a decrease of {best:.3g}; "
        f"Steihaug–Toint {stop} and promises {gained:.3g}, {gained / best:.0%} of that."
    )


# ----------------------------------------------------------------------------------------------------- a run

LANDSCAPES: dict[str, tuple[Callable[[], Any], tuple[float, float] | None]] = {
    "Rosenbrock": (problems.rosenbrock, None),
    "Himmelblau": (problems.himmelblau, None),
    "double well": (problems.double_well, None),
    "saddle, from its axis": (problems.saddle, (1.0, 0.0)),
}
VARIANTS: dict[str, tuple[Method, dict[str, Any]]] = {
    "exact": (trust_region, {}),
    "Steihaug–Toint": (trust_region, {"subproblem": "steihaug"}),
    "SR1": (sr1, {}),
}


@view(
    title="The radius is earned",
    chapter="newton/trust_region",
    methods=("trust_region", "sr1"),
    controls=(
        Choice("landscape", tuple(LANDSCAPES), "function", "Rosenbrock"),
        Choice("variant", tuple(VARIANTS), "model and subproblem", "exact"),
        Slider("step", (*range(13), 15, 18, 21, 25, 30, 40, 55), "trials made", 6, live=tuple(range(61))),
    ),
    presets={
        "a trial too far": {"landscape": "Rosenbrock", "variant": "exact", "step": 1},
        "out of the hard case": {"landscape": "saddle, from its axis", "variant": "exact", "step": 0},
        "stuck on the saddle": {"landscape": "saddle, from its axis", "variant": "Steihaug–Toint", "step": 1},
        "a model that learns": {"landscape": "Rosenbrock", "variant": "SR1", "step": 12},
    },
)
def trust_region_path(
    *, landscape: str = "Rosenbrock", variant: str = "exact", step: int = 6, method: Method | None = None
) -> Scene:
    """A path with the disc of the next trial; radius and ratio of the trials made, the rejected ones marked."""
    original, hyper = VARIANTS[variant]
    runs = []
    for label, run in edited(method, original):
        runs.append((label, trial_run(landscape, run, tuple(hyper.items()) if run is original else ())))
    history = runs[0][1]
    k = min(step, len(history) - 1)
    return Scene(
        (_path_panel(landscape, runs, step), _trial_panel(landscape, runs, k)),
        _path_sentence(landscape, variant, history, k),
    )


@functools.lru_cache(maxsize=128)
def trial_run(landscape: str, method: Method, hyper: tuple[tuple[str, Any], ...] = ()) -> History:
    factory, start = LANDSCAPES[landscape]
    return minimize(factory(), method, start, steps=60, keep=("x", "step"), **dict(hyper))


def _path_panel(landscape: str, runs: list[tuple[str, History]], step: int) -> Panel:
    problem = LANDSCAPES[landscape][0]()
    left, right, bottom, top = problem.window
    X, Y = np.linspace(left, right, 61), np.linspace(bottom, top, 61)
    Z = problem.values(*np.meshgrid(X, Y))
    low = float(np.min(Z))
    levels = low + (float(np.max(Z)) - low) * np.linspace(0.0, 1.0, 12)[1:-1] ** 3
    marks: list[Any] = [Field(X, Y, Z, levels)]
    for color, (label, history) in zip((0, 3), runs):
        k = min(step, len(history) - 1)
        path = history["x"][: k + 1]
        if color == 0 and k + 1 < len(history):
            marks += _next_trial(history, k)
        marks.append(Line(path[:, 0], path[:, 1], label=label, color=color, markers=True, width=1.5))
    k = min(step, len(runs[0][1]) - 1)
    x = runs[0][1]["x"][k]
    marks.append(Text([x[0]], [x[1]], (f"x{k}",)))
    return Panel(Axis("x₁", domain=(left, right)), Axis("x₂", domain=(bottom, top)), tuple(marks), "the path", True)


def _next_trial(history: History, k: int) -> list[Any]:
    x, row = history["x"][k], history.rows[k + 1]
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    radius, end = row["trust_radius"], x + row["step"]
    taken = row["accepted"]
    return [
        Line(x[0] + radius * np.cos(angle), x[1] + radius * np.sin(angle), label="disc of Δ", color=2, width=1.5),
        Line(
            [x[0], end[0]], [x[1], end[1]], label="next trial" + ("" if taken else ", rejected"),
            color=0 if taken else 1, dash=True, width=2.0,
        ),
    ]  # fmt: skip


def _trial_panel(landscape: str, runs: list[tuple[str, History]], k: int) -> Panel:
    longest = max(len(trial_run(landscape, run, tuple(hyper.items()))) for run, hyper in VARIANTS.values())
    marks: list[Any] = [Rule(y=0.25, label="ρ = ¼", color=5, dash=False), Rule(y=0.75, label="ρ = ¾", dash=False)]
    for color, (label, history) in zip((0, 3), runs):
        made = min(k, len(history) - 1)
        trials = np.arange(1, made + 1)
        own = "" if color == 0 else f", {label}"
        ratio = np.clip(history["ratio"][1 : made + 1], -1.0, 2.0)
        taken = history["accepted"][1 : made + 1].astype(bool)
        size = np.log10(history["trust_radius"][1 : made + 1])
        marks += [
            Line(trials, size, label="log₁₀ Δ" + own, color=2 if color == 0 else 4, width=2.0),
            Line(trials, ratio, label="ratio ρ" + own, color=color, markers=True, width=1.2),
        ]
        if color == 0 and not taken.all():
            marks.append(
                Line(trials[~taken], ratio[~taken], label="rejected", color=1, markers=True, line=False)
            )  # fmt: skip
    marks.append(Rule(x=float(k + 1) if k + 1 < len(runs[0][1]) else float(k), label="next trial"))
    return Panel(
        Axis("trial", domain=(0.0, longest + 0.5)), Axis("ratio ρ, and log₁₀ of the radius Δ", domain=(-3.2, 2.2)),
        tuple(marks), title="radius and ratio",
    )  # fmt: skip


def _path_sentence(landscape: str, variant: str, history: History, k: int) -> str:
    place = landscape if landscape != "saddle, from its axis" else "the saddle"
    refused = int(np.sum(history["accepted"][1 : k + 1] == 0.0))
    text = (
        f"{variant[0].upper()}{variant[1:]} on {place}: after {k} of {len(history) - 1} trials, {refused} of them rejected, "
        f"f = {history.f[k]:.3g}."
    )
    if k + 1 < len(history):
        row = history.rows[k + 1]
        verdict = "taken" if row["accepted"] else "rejected"
        ratio = row["ratio"]
        kept = f"keeps {ratio:.0%} of it" if ratio >= 0.0 else "makes f rise" + (" by more" if ratio <= -1.0 else "")
        text += f" The next trial, with Δ = {row['trust_radius']:.2g}, promises {row['decrease']:.2g} and {kept}: {verdict}."
        if row.get("hard"):
            text += " It is the hard case: the gradient says nothing of the direction that is taken."
        return text
    smallest = np.linalg.eigvalsh(LANDSCAPES[landscape][0]().hess(history.x))[0]
    return text + (
        f" The run is over, at a {'minimum' if smallest > 0 else 'saddle'}: the least curvature there is {smallest:.3g}."
        if history.status == "converged"
        else f" The run ends as {history.status}."
    )


# ------------------------------------------------------------------------------------- what the chapter measures


@functools.lru_cache(maxsize=512)
def collection_run(name: str, initial_radius: float | None = None) -> tuple[Any, History]:
    """A standard test function, and a run on it with default settings but for the first radius."""
    problem = problems.test_functions()[name]()
    return problem, minimize(problem, trust_region, initial_radius=initial_radius, steps=500, keep=("x", "step"))


def reached(problem: Any, history: History) -> float | None:
    """The known local minimum that a run arrived at, or None."""
    near = min(problem.known_minima, key=lambda value: abs(history.f[-1] - value))
    return near if abs(history.f[-1] - near) <= 1e-6 * abs(near) + 1e-10 else None


def in_units(problem: Any, units: Any) -> Problem:
    """The same problem in other units: x = units · y."""
    u = np.asarray(units, dtype=float)
    return Problem(
        lambda y: problem.f(u * y), lambda y: u * problem.grad(u * y), lambda y: u[:, None] * problem.hess(u * y) * u,
        x0=problem.x0 / u,
    )  # fmt: skip


def learned(history: History, H: np.ndarray) -> np.ndarray:
    """‖B − H‖/‖H‖ after every update of an SR1 run on the quadratic with Hessian H, B replayed from its steps."""
    B = np.eye(len(H))
    errors = [np.linalg.norm(B - H)]
    for row in history.rows[1:]:
        if row["updated"]:
            misfit = (H - B) @ row["step"]
            B = B + np.outer(misfit, misfit) / (misfit @ row["step"])
            errors.append(np.linalg.norm(B - H))
    return np.asarray(errors) / np.linalg.norm(H)


def kkt(problem: Any, history: History) -> np.ndarray:
    """For every trial: the residuals of (H + λI)h = −g, of λ ≥ −λ₁, and of λ(Δ − ‖h‖) = 0, relative."""
    rows = []
    for before, row in zip(history.rows, history.rows[1:]):
        g, H = problem.grad(before["x"]), problem.hess(before["x"])
        values = np.linalg.eigvalsh(H)
        h, multiplier, size = row["step"], row["multiplier"], float(np.max(np.abs(values)))
        terms = np.linalg.norm(g) + (size + multiplier) * row["radius"]
        stationary = np.linalg.norm(H @ h + multiplier * h + g) / terms
        definite = max(0.0, -values[0] - multiplier) / (size + multiplier)
        slack = multiplier * abs(row["trust_radius"] - row["radius"]) / ((size + multiplier) * row["trust_radius"])
        rows.append((stationary, definite, slack))
    return np.asarray(rows)


def believe(problem: Any, x: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Promised and achieved decrease of the exact step from x, for each radius."""
    g, H, f = problem.grad(x), eigen(problem.hess(x)), float(problem.f(x))
    steps = [trust_region_step(g, H, float(radius)) for radius in radii]
    return np.asarray([s.decrease for s in steps]), np.asarray([f - float(problem.f(x + s.step)) for s in steps])
