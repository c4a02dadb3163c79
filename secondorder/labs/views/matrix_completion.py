"""The pictures of the chapter on matrix completion. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.frank_wolfe import frank_wolfe
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import edited
from secondorder.problems.data import bundled
from secondorder.problems.matrix_completion import MatrixCompletion, low_rank
from secondorder.run import minimize

Method = Callable[..., Any]

# ------------------------------------------------------------------------------------------------- images with holes

IMAGES, SIDE, SHOWN = 400, 8, (0, 1, 2, 3)
STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
RADII = (50, 100, 200, 400, 800)
LEVELS = np.linspace(0.12, 0.92, 5)
CORNERS = np.asarray([[-0.45, -0.45], [0.45, -0.45], [0.45, 0.45], [-0.45, 0.45], [-0.45, -0.45], [np.nan, np.nan]])


@functools.lru_cache(maxsize=8)
def digits(radius: float) -> MatrixCompletion:
    """400 images of 64 pixels, one a row; every other pixel, at random, is missing."""
    return problems.matrix_completion(bundled("digits")[0][:IMAGES] / 16.0, radius=radius, observed=0.5, held_out=0.5)


@functools.lru_cache(maxsize=16)
def completed(method: Method, radius: float) -> dict[int, np.ndarray]:
    """The iterates after some numbers of steps, with exact steps; the last of a run that ended stands for later ones."""
    history = minimize(digits(radius), method, step_rule="exact", steps=STEPS[-1], tol=0.0, keep="x")
    return {step: np.asarray(history["x"][min(step, len(history) - 1)]) for step in STEPS}


def baseline(problem: MatrixCompletion) -> float:
    """The held-out error of the simplest guess: each column's mean over the entries that are seen."""
    seen, values = (part.reshape(problem.constraint.shape) for part in (problem.observed, problem.targets))
    mean = np.sum(seen * values, axis=0) / np.maximum(np.sum(seen, axis=0), 1.0)
    return problem.held_out_error(np.broadcast_to(mean, values.shape).reshape(-1))


@view(
    title="A matrix, completed",
    chapter="frank_wolfe/matrix_completion",
    methods=("frank_wolfe",),
    controls=(
        Slider("steps", STEPS, "steps", 64),
        Slider("radius", RADII, "radius r", 200),
    ),
    presets={
        "one step": {"steps": 1, "radius": 200},
        "sixteen": {"steps": 16, "radius": 200},
        "a hundred": {"steps": 128, "radius": 200},
        "a small ball": {"steps": 128, "radius": 50},
        "a large ball": {"steps": 128, "radius": 800},
    },
)
def completed_digits(*, steps: int = 64, radius: int = 200, method: Method | None = None) -> Scene:
    """Four images of 400, of which half of the pixels are missing: given and completed, and true."""
    problem = digits(radius)
    seen, images = (part.reshape(IMAGES, -1)[list(SHOWN)] for part in (problem.observed, problem.targets))

    def shown(run: Method) -> np.ndarray:
        return completed(run, radius)[steps].reshape(IMAGES, -1)[list(SHOWN)]

    given = _squares(seen * images, "given pixels", 0)
    panels = [_panel("given and completed", _shades(shown(frank_wolfe)), given), _panel("true", _shades(images))]
    for label, run in edited(method, frank_wolfe)[1:]:
        panels.insert(1, _panel("completed by your copy", _squares(shown(run), label, 2)))
    x = completed(frank_wolfe, radius)[steps]
    spectrum = problem.factors(x)[1]
    rank = int(np.sum(spectrum > 1e-6 * max(1.0, float(spectrum[0]))))
    return Scene(
        tuple(panels),
        f"Four of 400 images: the pixels that were given, as squares with the areas of their grey values, over what "
        f"completes them in shades of grey; beside them the truth. After "
        f"{_count(steps)} in the ball of radius {radius} the 400 × 64 matrix has rank {rank} and the "
        f"nuclear norm {float(np.sum(spectrum)):.0f}. The root mean square error relative to blank paper is "
        f"{fit(problem, x):.2f} on the given pixels and {problem.held_out_error(x):.2f} on the missing ones; the mean of "
        f"each pixel over the images it is given in has {baseline(problem):.2f}.",
    )


def fit(problem: MatrixCompletion, x: np.ndarray) -> float:
    """The error on the entries that f sees, measured as the held-out one."""
    residual, values = problem.observed * (x - problem.targets), problem.observed * problem.targets
    return float(np.linalg.norm(residual) / np.linalg.norm(values))


def _panel(title: str, *marks: Field | Line) -> Panel:
    ends = (-1.0, 2.0 * SIDE + 1.0)
    return Panel(Axis("pixel", domain=ends), Axis("pixel", domain=ends), marks, title, equal=True)


def _shades(values: np.ndarray) -> Field:
    """Four images in a square, in shades of grey, with a white margin."""
    canvas = np.zeros((2 * SIDE + 3, 2 * SIDE + 3))
    for k, image in enumerate(values):
        top, left = 1 + (SIDE + 1) * (k // 2), 1 + (SIDE + 1) * (k % 2)
        canvas[top : top + SIDE, left : left + SIDE] = image.reshape(SIDE, SIDE)
    at = np.arange(-1, 2 * SIDE + 2)
    return Field(at, at, np.clip(canvas[::-1], 0.0, 1.0), LEVELS)


def _squares(values: np.ndarray, label: str, color: int) -> Line:
    """Four images in a square, their pixels as squares with the areas of the grey values."""
    outlines = []
    for k, image in enumerate(values):
        i, j = np.divmod(np.nonzero(image > LEVELS[0])[0], SIDE)
        centre = np.stack([j + (SIDE + 1) * (k % 2), 2 * SIDE - i - (SIDE + 1) * (k // 2)])
        side = np.sqrt(np.minimum(image[i * SIDE + j], 1.0))
        outlines.append((centre[:, :, None] + side[:, None] * CORNERS.T[:, None, :]).reshape(2, -1))
    x, y = np.concatenate(outlines, axis=1)
    return Line(x, y, label=label, color=color, width=1.5)


# ------------------------------------------------------------------------------------------------------ which radius

SHAPE, RANK = (60, 40), 2
PARTS = (0.4, 0.7, 1.0, 1.3, 2.0, 3.0)
NOISES = (0.0, 0.1, 0.3)
LONG = 60


@functools.lru_cache(maxsize=64)
def made(noise: float, part: float, observed: float = 0.35) -> MatrixCompletion:
    """A 60 × 40 matrix of rank 2 plus noise, seen in part; the radius is a part of the nuclear norm of the matrix without
    noise. The rest is held out, so x is the whole matrix."""
    radius = part * float(np.sum(np.linalg.svd(truth(), compute_uv=False)))
    whole = low_rank(SHAPE, RANK, noise, 1.0, seed=1)
    return problems.matrix_completion(whole, radius=radius, observed=observed, held_out=1.0 - observed)


@functools.lru_cache(maxsize=1)
def truth() -> np.ndarray:
    """The matrix of :func:`made` without noise."""
    return np.asarray(low_rank(SHAPE, RANK, 0.0, 1.0, seed=1).toarray())


@functools.lru_cache(maxsize=256)
def errors(method: Method, noise: float, part: float) -> tuple[np.ndarray, np.ndarray]:
    """The errors on the seen and on the held-out entries, after each step."""
    problem = made(noise, part)
    history = minimize(problem, method, step_rule="exact", steps=LONG, tol=0.0, keep="x")
    return (
        np.asarray([fit(problem, x) for x in history["x"]]),
        np.asarray([problem.held_out_error(x) for x in history["x"]]),
    )


@view(
    title="Fitting the entries, and the matrix",
    chapter="frank_wolfe/matrix_completion",
    methods=("frank_wolfe",),
    controls=(
        Slider("radius", PARTS, "radius / nuclear norm of the truth", 1.0),
        Choice("noise", tuple(f"{noise:g}" for noise in NOISES), "noise, standard deviation", "0.1"),
    ),
    presets={
        "too small": {"radius": 0.7},
        "the norm of the truth": {"radius": 1.0},
        "too large": {"radius": 3.0},
        "too large, much noise": {"radius": 3.0, "noise": "0.3"},
    },
)
def fit_and_held_out(*, radius: float = 1.0, noise: str = "0.1", method: Method | None = None) -> Scene:
    """The errors on the entries that are seen and on those that are not, by steps and by the radius."""
    level, marks = float(noise), []
    for color, (label, run) in enumerate(edited(method, frank_wolfe)):
        seen, hidden = errors(run, level, radius)
        at, name = np.arange(len(seen)) + 1.0, "" if color == 0 else f"{label}, "
        marks.append(Line(at, seen, label=f"{name}seen", color=2 * color, dash=True))
        marks.append(Line(at, hidden, label=f"{name}held out", color=2 * color + 1))
    ends = [errors(frank_wolfe, level, part) for part in PARTS]
    seen, hidden = errors(frank_wolfe, level, radius)
    least = min(PARTS, key=lambda part: errors(frank_wolfe, level, part)[1][-1])
    error = Axis("error relative to zeros", "log", domain=(2e-3, 1.5))
    return Scene(
        (
            Panel(Axis("step + 1", "log", domain=(1.0, LONG + 1.0)), error, tuple(marks), "by step"),
            Panel(
                Axis("radius / nuclear norm of the truth", domain=(0.3, 3.1)),
                error,
                (
                    Line(PARTS, [end[0][-1] for end in ends], label="seen", color=0, dash=True, markers=True),
                    Line(PARTS, [end[1][-1] for end in ends], label="held out", color=1, markers=True),
                    Rule(x=radius),
                ),
                f"after {LONG} steps",
            ),
        ),
        f"Radius {radius:g} times the nuclear norm of the truth, noise {noise}: after {LONG} steps the error is "
        f"{seen[-1]:.2g} on the entries that f sees and {hidden[-1]:.2g} on those held out. Of the radii on the axis "
        f"{least:g} has the least held-out error, {errors(frank_wolfe, level, least)[1][-1]:.2g}.",
    )


# --------------------------------------------------------------------------------------------- steps, gap and rank

RULES: dict[str, dict[str, Any]] = {
    "open loop 2/(t+2)": {},
    "open loop 4/(t+4)": {"ell": 4.0},
    "short step": {"step_rule": "short"},
    "exact": {"step_rule": "exact"},
}
OBSERVED = {"80 %": 0.8, "35 %": 0.35}
LOOKS = (1, 3, 10, 30, 100)


@functools.lru_cache(maxsize=64)
def ruled(method: Method, rule: str, known: str) -> tuple[History, dict[int, np.ndarray]]:
    """A run with the radius of the truth and no noise, and the singular values of X after some steps."""
    problem = made(0.0, 1.0, OBSERVED[known])
    history = minimize(problem, method, steps=LOOKS[-1], tol=0.0, keep="x", **RULES[rule])
    iterates = {step: history["x"][min(step, len(history) - 1)] for step in LOOKS}
    return history, {step: np.asarray(problem.factors(x)[1]) for step, x in iterates.items()}


@view(
    title="One rank a step",
    chapter="frank_wolfe/matrix_completion",
    methods=("frank_wolfe",),
    controls=(
        Choice("rule", tuple(RULES), "step size", "exact"),
        Slider("step", LOOKS, "step", 30),
        Choice("known", tuple(OBSERVED), "entries seen", "35 %"),
    ),
    presets={
        "open loop, few entries": {"rule": "open loop 2/(t+2)", "known": "35 %"},
        "exact, few entries": {"rule": "exact", "known": "35 %"},
        "open loop, many entries": {"rule": "open loop 2/(t+2)", "known": "80 %"},
        "early": {"step": 3},
        "late": {"step": 100},
    },
)
def rank_and_rules(*, rule: str = "exact", step: int = 30, known: str = "35 %", method: Method | None = None) -> Scene:
    """The gap by step sizes, and the singular values of an iterate against those of the truth."""
    gaps: list[Any] = []
    for name in RULES:
        if name != rule:
            gaps.append(_gap(ruled(frank_wolfe, name, known)[0], label=None, color="muted", width=1.2))
    values: list[Any] = []
    for color, (label, run) in enumerate(edited(method, frank_wolfe)):
        history, spectra = ruled(run, rule, known)
        gaps.append(_gap(history, label=rule if color == 0 else f"{label}, {rule}", color=2 * color))
        s = spectra[step]
        at = np.arange(1, len(s) + 1)
        values.append(
            Line(at, s, label="X" if color == 0 else f"X, {label}", color=2 * color, markers=True, line=False)
        )
    true = np.linalg.svd(truth(), compute_uv=False)[:RANK]
    values.append(Line(np.arange(1, RANK + 1), true, label="truth", color=1, markers=True, line=False))
    history, spectra = ruled(frank_wolfe, rule, known)
    s = spectra[step]
    rank = int(np.sum(s > 1e-6 * s[0]))
    here = min(step, len(history) - 1)
    return Scene(
        (
            Panel(
                Axis("step + 1", "log", domain=(1.0, LOOKS[-1] + 1.0)), Axis("gap", "log", domain=(1e-3, 10.0)),
                (*gaps, Rule(x=here + 1.0)), "the gap; grey: the other step sizes",
            ),
            Panel(
                Axis("number", domain=(0.0, 41.0)), Axis("singular value", "log", domain=(1e-4, 100.0)), tuple(values),
                f"the spectrum after {_count(step)}",
            ),
        ),
        f"{rule[0].upper()}{rule[1:]}, {known} of the entries seen: after {_count(here)} the gap is "
        f"{history['gap'][here]:.2g}. X has rank {rank}, the truth 2; beyond the second the singular values of X add up to "
        f"{float(np.sum(s[2:rank])) / float(np.sum(s)):.2g} of its nuclear norm.",
    )  # fmt: skip


def _count(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"


def _gap(history: History, **style: Any) -> Line:
    return Line(np.arange(len(history)) + 1.0, np.maximum(history["gap"], 1e-16), **style)
