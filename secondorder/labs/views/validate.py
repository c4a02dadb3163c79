"""The pictures of the chapter on checking: a mistake and its size, and a reference that is led beside one that runs free."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.arrays import Array
from secondorder.diagonal import adam
from secondorder.labs.scene import Axis, Band, Choice, Line, Panel, Scene, Slider, view
from secondorder.labs.views.newton import edited
from secondorder.newton import gradient_descent
from secondorder.validate import Candidate, Recording, Report, check, from_step, record

Method = Callable[..., Any]

LEAST = 1e-17
"""Errors below it, zero among them, are drawn here."""

ROUNDING = "rounding, of a step"

# ----------------------------------------------------------------------------------------------- a mistake and its size

STEPS, BATCH, RATE = 200, 20, 0.01
SIZES = (1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0)
MISTAKES = (
    "ε inside the root",
    "ε before the bias correction",
    "the gradient of the step before",
    "no bias correction",
    "weight decay in the gradient",
    "β₂ in place of 1 − β₂",
)


def mistaken_adam(mistake: str = "", size: float = 1.0) -> Candidate:
    """Adam, with so much of a mistake: at 1 as one meets it, at 0.01 a hundredth of the way there.

    >>> bool(check(mistaken_adam(), "adam", learning_rate=RATE))
    True
    """

    def mixed(right: Any, wrong: Any, where: str) -> Any:
        return right + size * (wrong - right) if mistake == where else right

    def step(params: Array, grad: Array, state: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
        t = state["t"] + 1
        g = mixed(grad, state["previous"] if t > 1 else grad, "the gradient of the step before")
        g = mixed(g, g + 1e-2 * params, "weight decay in the gradient")
        m = 0.9 * state["m"] + (1.0 - 0.9) * g
        v = 0.999 * state["v"] + mixed(1.0 - 0.999, 0.999, "β₂ in place of 1 − β₂") * g * g
        first = mixed(1.0 - 0.9**t, 1.0, "no bias correction")
        second = mixed(1.0 - 0.999**t, 1.0, "no bias correction")
        root = np.sqrt(v / second) + 1e-8
        root = mixed(root, np.sqrt(v / second + 1e-8), "ε inside the root")
        root = mixed(root, (np.sqrt(v) + 1e-8) / np.sqrt(second), "ε before the bias correction")
        return params - RATE * (m / first) / root, {"t": t, "m": m, "v": v, "previous": grad}

    return from_step(step, {"t": 0, "m": 0.0, "v": 0.0, "previous": 0.0}, name=mistake or "no mistake")


@view(
    title="A mistake and its size",
    chapter="validate/check",
    methods=("adam",),
    controls=(
        Choice("mistake", MISTAKES, "the mistake", MISTAKES[0]),
        Slider("size", SIZES, "how much of it", 1.0, log=True),
    ),
    presets={
        "ε inside the root": {"mistake": "ε inside the root", "size": 1.0},
        "a millionth of it": {"mistake": "ε inside the root", "size": 1e-6},
        "below rounding": {"mistake": "ε inside the root", "size": 1e-14},
        "a gradient too late": {"mistake": "the gradient of the step before", "size": 1.0},
        "it trains faster": {"mistake": "no bias correction", "size": 1.0},
    },
)
def validate_mistake(*, mistake: str = MISTAKES[0], size: float = 1.0, method: Method | None = None) -> Scene:
    """The losses of Adam and of an Adam with a mistake; and the error of each of its quantities, step by step."""
    label, run = edited(method, adam)[-1]
    if method is None:
        label, candidate = "with the mistake", mistaken_adam(mistake, size)
    else:
        candidate = Candidate(label, functools.partial(run, learning_rate=RATE))
    recording, report = judge(candidate)
    reference, seen = _reference_losses(), losses(recording)
    ticks, steps = np.arange(0, STEPS + 1, 2), np.arange(1, report.steps + 1)
    errors = tuple(
        Line(steps, np.clip(curve[1 : len(steps) + 1], LEAST, 10.0), name, color, width=1.5)
        for color, (name, curve) in zip((0, 2, 3), report.errors.items())
    )
    allowed = Band(steps, np.full(len(steps), LEAST), report.tolerances["step"][1 : len(steps) + 1], "muted", ROUNDING)
    both = (
        Line(ticks, reference, "the reference", "muted", width=5.0),
        Line(ticks[: len(seen)], np.maximum(seen, 1e-3), label, 3, width=1.5),
    )
    across = Axis("step", domain=(0.0, STEPS))
    error = Axis("error, relative to the quantity", "log", (LEAST, 10.0))
    return Scene(
        (
            Panel(across, Axis("loss on all data", "log", (1e-3, 1.0)), both, title="what one watches"),
            Panel(across, error, (allowed, *errors), title="what a check sees"),
        ),
        _mistake_sentence(
            f"Adam, {mistake}, {'all' if size == 1.0 else f'{size:g}'} of it" if method is None else label.capitalize(),
            report,
            reference,
            seen,
        ),
    )


def judge(candidate: Candidate) -> tuple[Recording, Report]:
    """A run on batches of 20 of the two moons, and what is to be said of it against Adam."""
    recording = record(candidate, problems.mlp("two_moons", [2, 12, 8, 2]), steps=STEPS, batch_size=BATCH)
    return recording, check(recording, adam, learning_rate=RATE, diagnose=False)


def losses(recording: Recording) -> np.ndarray:
    """The loss on all data at every second step."""
    assert recording.problem is not None
    return np.asarray([recording.problem.f(row.x) for row in recording.rows[::2]])


@functools.cache
def _reference_losses() -> np.ndarray:
    return losses(judge(mistaken_adam())[0])


def _mistake_sentence(what: str, report: Report, reference: np.ndarray, seen: np.ndarray) -> str:
    apart = float(np.max(np.abs(seen / reference[: len(seen)] - 1.0)))
    if report.first is None:
        found = f"nothing beyond rounding in {report.steps} steps, {report.match.worst:.1e} at most"
    else:
        found = (
            f"it first in {report.first.quantity}, at step {report.first.step}, by {report.first.error:.1e} of its size"
        )
    return (
        f"{what}. After {STEPS} steps the loss of the reference is {reference[-1]:.3g} and that of this one {seen[-1]:.3g}; on "
        f"the way they differ by at most {apart:.2g} of the reference's. The check sees {found}."
    )


# ------------------------------------------------------------------------------------------ running free, and being led

LONG = 120
RATES = (0.025, 0.03, 0.032, 0.034, 0.036, 0.038)
ERRORS = (0.0, 1e-12, 1e-9, 1e-6)
PRECISIONS = ("float64", "float32")


def descent(rate: float, error: float = 0.0, precision: str = "float64") -> Candidate:
    """Gradient descent whose step is too long by a relative error, in its own order of operations and precision.

    >>> bool(check(descent(1e-3), "gradient_descent", problems.rosenbrock(), lipschitz=1e3))
    True
    """
    scale = np.dtype(precision).type(rate * (1.0 + error))

    def step(params: Array, grad: Array, state: None) -> tuple[Array, None]:
        return params - scale * grad, state

    return from_step(step, name="gradient descent", dtype=precision)


@view(
    title="Running free, and being led",
    chapter="validate/check",
    methods=("gradient_descent",),
    controls=(
        Slider("rate", RATES, "learning rate", 0.036),
        Choice("precision", PRECISIONS, "the candidate computes in", "float64"),
        Slider("error", ERRORS, "its step is too long by", 0.0),
    ),
    presets={
        "tame": {"rate": 0.025, "precision": "float64", "error": 0.0},
        "rounding grows": {"rate": 0.036, "precision": "float64", "error": 0.0},
        "in float32": {"rate": 0.036, "precision": "float32", "error": 0.0},
        "a step too long by 1e-9": {"rate": 0.036, "precision": "float64", "error": 1e-9},
    },
)
def validate_forcing(
    *, rate: float = 0.036, precision: str = "float64", error: float = 0.0, method: Method | None = None
) -> Scene:
    """Gradient descent on Himmelblau's function with too long a step: two runs that part, and one led along the other."""
    label, run = edited(method, gradient_descent)[-1]
    if method is None:
        label, candidate = "the candidate", descent(rate, error, precision)
    else:
        candidate = Candidate(label, functools.partial(run, lipschitz=1.0 / rate))
    problem = problems.himmelblau()
    recording = record(candidate, problem, steps=LONG)
    report = check(recording, gradient_descent, lipschitz=1.0 / rate, diagnose=False)
    alone = record(Candidate("alone", functools.partial(gradient_descent, lipschitz=1.0 / rate)), problem, steps=LONG)
    steps = np.arange(1, report.steps + 1)
    allowed, led = (curves["step"][1 : len(steps) + 1] for curves in (report.tolerances, report.errors))
    free = np.asarray(report.free)[1:]
    across = Axis("step", domain=(0.0, LONG))
    return Scene(
        (
            Panel(
                Axis("step", domain=(LONG / 2, LONG)),
                Axis("first coordinate of x"),
                (_tail(alone, "the reference", "muted", 4.0), _tail(recording, label, 3, 1.5)),
                title="both run by themselves",
            ),
            Panel(
                across,
                Axis("relative error", "log", (LEAST, 10.0)),
                (
                    Band(steps, np.full(len(steps), LEAST), allowed, "muted", ROUNDING),
                    Line(
                        np.arange(1, len(free) + 1),
                        np.clip(free, LEAST, 10.0),
                        "x, both free",
                        3,
                        width=1.5,
                    ),
                    Line(steps, np.clip(led, LEAST, 10.0), "step, reference led", 0, width=1.5),
                ),
                title="what is compared",
            ),
        ),
        _forcing_sentence(rate, label if method is not None else _described(error, precision), report),
    )


def _tail(recording: Recording, label: str, color: Any, width: float) -> Line:
    steps = np.arange(LONG // 2, len(recording.rows))
    return Line(steps, [recording.rows[k].x[0] for k in steps], label, color, width=width)


def _described(error: float, precision: str) -> str:
    return f"a candidate in {precision}, {f'its step too long by {error:g}' if error else 'without a mistake'}"


def _forcing_sentence(rate: float, what: str, report: Report) -> str:
    free = np.asarray(report.free)
    parted = np.flatnonzero(free > 0.01)
    apart = f"are 1 % apart at step {parted[0]}" if len(parted) else f"are {np.max(free):.1e} apart at most"
    first = report.first
    found = (
        f"nothing beyond rounding, {report.match.worst:.1e} at most"
        if first is None
        else f"{first.quantity} at step {first.step}, off by {first.error:.1e}"
    )
    return (
        f"Learning rate {rate:g}, {what}: left to themselves the two runs {apart}. "
        f"A reference that is led along the candidate finds {found}."
    )
