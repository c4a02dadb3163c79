"""The pictures of the chapter on acceleration and inexactness. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.arrays import norm
from secondorder.guarantees.accelerated import noisy_logistic
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.newton import accelerated_cubic_newton, accelerated_inexact_newton, cubic_newton
from secondorder.run import minimize
from secondorder.stopping import target

SCHEMES: dict[str, dict[str, Any]] = {
    "the theorem's constants": {},
    "larger weights (NATA)": {"enlargement": 2.0},
    "everything adapted": {"M": None},
}
ACROSS = {"iterations": 1e3, "gradient-equivalents": 1e5}
GRADIENT_NOISES, HESSIAN_NOISES = (0.0, 0.01, 0.03, 0.1), (0.0, 1.0, 10.0, 100.0)
HORIZON, DISTANCE = 120, 3.0


@functools.lru_cache(maxsize=64)
def chain_run(method: Method, d: int, scheme: str) -> History:
    """A run on the chain down to a gap of 1e-11, with M = L₂ for cubic Newton and M = 2 L₂ for an accelerated method."""
    problem: Any = problems.chain(d)
    factor = 1.0 if method is cubic_newton else 2.0
    hyper: dict[str, Any] = {"M": factor * problem.lipschitz_hess, **SCHEMES[scheme]}
    steps = (18 if "enlargement" in hyper else 30) * d
    if method is cubic_newton:
        hyper.pop("enlargement", None)
        steps = 30 * d
    return minimize(problem, method, tol=0.0, steps=steps, stop=target(problem.f_star + 1e-11), **hyper)


def first_below(history: History, gap: float, across: str = "iterations") -> float | None:
    """What it took to a gap of at most so much; None if it did not get there."""
    below = history.primal_gap <= gap
    return float(_spent(history, across)[int(np.argmax(below))]) if below.any() else None


def _spent(history: History, across: str) -> np.ndarray:
    return np.arange(len(history)) if across == "iterations" else history.cost()


@view(
    title="Acceleration on the worst-case chain",
    chapter="newton/accelerated",
    methods=("accelerated_cubic_newton",),
    controls=(
        Slider("d", (5, 10, 20, 30), "dimension d", 30, live=tuple(range(2, 31))),
        Choice("scheme", tuple(SCHEMES), "constants", "the theorem's constants"),
        Choice("across", tuple(ACROSS), "count", "iterations"),
    ),
    presets={
        "the theorem": {"scheme": "the theorem's constants", "d": 30},
        "larger weights": {"scheme": "larger weights (NATA)", "d": 30},
        "adapted": {"scheme": "everything adapted", "d": 30},
    },
)
def accelerated_chain(
    *,
    d: int = 30,
    scheme: str = "the theorem's constants",
    across: str = "iterations",
    method: Method | None = None,
) -> Scene:
    """Cubic Newton and its acceleration, and the ceiling that the estimating function keeps above the gap."""
    cubic = chain_run(cubic_newton, d, scheme)
    runs = [(label, chain_run(run, d, scheme)) for label, run in edited(method, accelerated_cubic_newton)]
    marks = [Line(_spent(cubic, across)[1:], _gaps(cubic)[1:], label="cubic_newton", color="muted")]
    for color, (label, history) in zip((0, 3), runs):
        marks.append(Line(_spent(history, across)[1:], _gaps(history)[1:], label=label, color=color))
    history = runs[0][1]
    t, f_star = np.arange(1, len(history)), history.f_star or 0.0
    right: list[Any] = [Line(t, _gaps(history)[1:], label="gap", color=0)]
    adapted = scheme == "everything adapted"  # a restart interrupts the ceiling, often at every other step
    right.append(Line(t, history["ceiling"][1:] - f_star, label="ceiling", color=1, width=1.5, markers=adapted))
    if not adapted:
        R = norm(problems.chain(d).x_star)
        bound = history["cubic"][1:] * R**3 / (3.0 * history["total_weight"][1:])
        right.append(Line(t, bound, label="bound", color="muted", dash=True))
    gap = Axis("gap f − f*", "log", domain=(1e-11, 1e6))
    return Scene(
        (
            Panel(Axis(across, "log", domain=(1.0, ACROSS[across])), gap, (*marks, Rule(y=1e-6, label="1e-6")),
                  title="the race"),
            Panel(Axis("iterations", "log", domain=(1.0, 1e3)), gap, tuple(right), title="promise and gap"),
        ),
        _chain_sentence(d, scheme, across, cubic, history),
    )  # fmt: skip


def _gaps(history: History) -> np.ndarray:
    return np.maximum(history.primal_gap, 1e-12)


def _chain_sentence(d: int, scheme: str, across: str, cubic: History, history: History) -> str:
    def took(run: History, gap: float) -> str:
        spent = first_below(run, gap, across)
        return f"more than {_spent(run, across)[-1]:.0f}" if spent is None else f"{spent:.0f}"

    early = "ahead" if cubic.primal_gap[5] <= history.primal_gap[5] else "behind"
    return (
        f"Chain with d = {d}, {scheme}. After 5 steps cubic Newton is {early}. A gap of 1e-6 takes it "
        f"{took(cubic, 1e-6)} {across}, and {took(history, 1e-6)} the accelerated method; a gap of 1e-10 takes "
        f"{took(cubic, 1e-10)} and {took(history, 1e-10)}."
    )


# ---------------------------------------------------------------------------------------------------------- the dials


@functools.lru_cache(maxsize=1)
def regression() -> Any:
    """A logistic regression in 20 dimensions from a start at distance 3 of its solution."""
    return noisy_logistic(DISTANCE)


@functools.lru_cache(maxsize=256)
def dial_run(method: Method, gradient_noise: float, hessian_noise: float, compensation: bool) -> History:
    """So many steps from derivatives with noise, with the constants of the theorem."""
    problem = regression()
    return minimize(
        problem, method, tol=0.0, steps=HORIZON, M=2.0 * problem.lipschitz_hess, distance=DISTANCE,
        gradient_noise=gradient_noise, hessian_noise=hessian_noise, compensation=compensation,
    )  # fmt: skip


def broken(history: History) -> int:
    """At how many steps f is above the ceiling by more than rounding."""
    return int(np.sum(history.f[1:] > history["ceiling"][1:] + 1e-12))


@view(
    title="A dial for each kind of noise",
    chapter="newton/accelerated",
    methods=("accelerated_inexact_newton",),
    controls=(
        Slider("gradient_noise", GRADIENT_NOISES, "gradient noise σ₁", 0.0),
        Slider("hessian_noise", HESSIAN_NOISES, "Hessian noise δ₂", 1.0),
        Choice("compensation", ("with", "without"), "compensation", "with"),
    ),
    presets={
        "Hessian noise": {"gradient_noise": 0.0, "hessian_noise": 10.0, "compensation": "with"},
        "not compensated": {"gradient_noise": 0.0, "hessian_noise": 10.0, "compensation": "without"},
        "gradient noise": {"gradient_noise": 0.1, "hessian_noise": 0.0, "compensation": "with"},
    },
)
def noise_dials(
    *,
    gradient_noise: float = 0.0,
    hessian_noise: float = 1.0,
    compensation: str = "with",
    method: Method | None = None,
) -> Scene:
    """The gap along a run with noise, and where it stands in the end for other positions of either dial."""
    held = compensation == "with"
    t = np.arange(1, HORIZON + 1)
    marks = [
        _dial_line(dial_run(accelerated_inexact_newton, 0.0, 0.0, held), label="no noise", color="muted", dash=True),
        _dial_line(
            dial_run(accelerated_inexact_newton, gradient_noise, hessian_noise, not held),
            label="uncompensated" if held else "compensated", color=1,
        ),
    ]  # fmt: skip
    runs = edited(method, accelerated_inexact_newton)
    for color, (label, run) in zip((0, 3), runs):
        marks.append(_dial_line(dial_run(run, gradient_noise, hessian_noise, held), label=label, color=color))
    anchor = 1e-2
    marks.append(Line(t[9:], anchor * (t[9:] / 10.0) ** -2.0, label="slope −2", color=2, dash=True, width=1.2))
    ends = [
        (color, label, values, [_end(s, e, held) for s, e in pairs])
        for color, label, values, pairs in (
            (1, "σ₁ turned", GRADIENT_NOISES[1:], [(s, hessian_noise) for s in GRADIENT_NOISES[1:]]),
            (4, "δ₂ turned", HESSIAN_NOISES[1:], [(gradient_noise, e) for e in HESSIAN_NOISES[1:]]),
        )
    ]
    here = _end(gradient_noise, hessian_noise, held)
    right: list[Any] = [Line(x, y, label=label, color=color, markers=True) for color, label, x, y in ends]
    right.append(Rule(y=here, label="now", color=0))
    return Scene(
        (
            Panel(Axis("step t", "log", domain=(1.0, 1.0 * HORIZON)), Axis("gap f − f*", "log", domain=(1e-9, 20.0)),
                  tuple(marks), title="the descent"),
            Panel(Axis("size of the noise, σ₁ or δ₂", "log", domain=(5e-3, 200.0)),
                  Axis(f"gap after {HORIZON} steps", "log", domain=(1e-9, 20.0)), tuple(right), title="where it ends"),
        ),
        _dial_sentence(gradient_noise, hessian_noise, held, here),
    )  # fmt: skip


def _end(gradient_noise: float, hessian_noise: float, held: bool) -> float:
    return float(_gaps(dial_run(accelerated_inexact_newton, gradient_noise, hessian_noise, held))[-1])


def _dial_line(history: History, **style: Any) -> Line:
    return Line(np.arange(1, len(history)), _gaps(history)[1:], **style)


def _dial_sentence(gradient_noise: float, hessian_noise: float, held: bool, here: float) -> str:
    history = dial_run(accelerated_inexact_newton, gradient_noise, hessian_noise, held)
    count = broken(history)
    kept = "is kept at every step" if not count else f"is broken at {count} of {HORIZON} steps"
    note = " (with noisy gradients it is promised in expectation only)" if gradient_noise and held else ""
    return (
        f"σ₁ = {gradient_noise:g}, δ₂ = {hessian_noise:g}, {'with' if held else 'without'} compensation: the gap is "
        f"{history.primal_gap[HORIZON // 2]:.1e} after {HORIZON // 2} steps and {here:.1e} after {HORIZON}; "
        f"{'without' if held else 'with'} compensation it ends at {_end(gradient_noise, hessian_noise, not held):.1e}. "
        f"The invariant {kept}{note}."
    )
