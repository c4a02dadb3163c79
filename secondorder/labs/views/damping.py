"""The pictures of the chapter on damping without a line search. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.guarantees.stepsized import far_logistic, smoothness
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.newton import affine_invariant_cubic_newton, newton, root_newton
from secondorder.run import minimize

STEPS = 60
FLOOR = 1e-15
CONSTANTS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
STARTS = (1.0, 3.0, 10.0, 30.0)
ROOT_CONSTANTS = (0.01, 0.1, 1.0, 10.0, 100.0)
EXPONENTS = (2.0, 2.5, 3.0, 3.5, 4.0)
CASES = ("unit rows, d = 10", "tumours, d = 30")


@functools.lru_cache(maxsize=2)
def case_problem(case: str) -> Any:
    """One of ``CASES``, both logistic regressions, with its least value."""
    if case == CASES[0]:
        return far_logistic()
    problem = problems.logistic("breast_cancer", l2=1e-3, standardize=True)
    problem.f_star = float(problem.f(minimize(problem, newton, tol=1e-13, steps=50).x))
    return problem


@functools.lru_cache(maxsize=1024)
def far_run(method: Method, case: str, start: float, **hyper: Any) -> History:
    """From all entries ``start``, at most ``STEPS`` steps, down to a gradient norm of 1e-9."""
    problem = case_problem(case)
    return minimize(problem, method, np.full(problem.A.shape[1], start), tol=1e-9, steps=STEPS, **hyper)


def gaps(history: History) -> np.ndarray:
    return np.maximum(history.primal_gap, FLOOR)


def rises(history: History) -> np.ndarray:
    """The steps at which f rose by more than rounding."""
    return 1 + np.flatnonzero(np.diff(history.f) > 1e-12 * np.abs(history.f[1:]))


def ending(history: History) -> str:
    """How a run went, in words."""
    steps, up = len(history) - 1, len(rises(history))
    went = "f falls at every step" if not up else f"f rises {up} {'time' if up == 1 else 'times'}"
    if history.status == "converged":
        return f"takes {steps} steps to a gradient norm of 1e-9, and {went}"
    return f"is not there after {steps} steps, and {went}"


@view(
    title="One constant instead of a search",
    chapter="newton/damping",
    methods=("affine_invariant_cubic_newton",),
    controls=(
        Slider("M", CONSTANTS, "constant M", 30.0),
        Slider("start", STARTS, "start: all entries", 10.0),
        Choice("case", CASES, "problem", CASES[0]),
    ),
    presets={
        "far too small": {"M": 0.03},
        "small, and lucky": {"M": 1.0},
        "near the proven one": {"M": 100.0},
        "over-cautious": {"M": 300.0, "start": 30.0},
        "tumours": {"M": 10.0, "case": CASES[1]},
    },
)
def damped_constant(
    *, M: float = 30.0, start: float = 10.0, case: str = CASES[0], method: Method | None = None
) -> Scene:
    """The descent and the step sizes of affine-invariant cubic Newton with a constant that is given."""
    pure = far_run(newton, case, start, line_search=None)
    adapted = far_run(affine_invariant_cubic_newton, case, start)
    runs = [(label, far_run(run, case, start, M=M)) for label, run in edited(method, affine_invariant_cubic_newton)]
    descent: list[Any] = [
        Line(np.arange(len(pure)), gaps(pure), label="pure Newton", color="muted", dash=True, width=1.5),
        Line(np.arange(len(adapted)), gaps(adapted), label="M adapted", color=2, markers=True, width=1.5),
    ]
    sizes: list[Any] = [
        Rule(y=1.0, label="pure Newton"),
        Line(np.arange(1, len(adapted)), adapted["step_size"][1:], label="M adapted", color=2, markers=True, width=1.5),
    ]
    for color, (label, run) in enumerate(runs):
        name = f"{label}, M = {M:g}" if label.startswith("your") else f"M = {M:g}"
        descent.append(Line(np.arange(len(run)), gaps(run), label=name, color=color, markers=True))
        if "step_size" in run.rows[-1]:
            sizes.append(Line(np.arange(1, len(run)), run["step_size"][1:], label=name, color=color, markers=True))
    shown = runs[0][1]
    up = rises(shown)
    descent.append(Line(up, gaps(shown)[up], label="f rose", color=3, markers=True, line=False))
    alpha = shown["step_size"][1:]
    return Scene(
        (
            Panel(
                Axis("step", domain=(0.0, STEPS + 1.0)), Axis("f − f*", "log", domain=(FLOOR / 2, 1e5)),
                tuple(descent), title="the descent",
            ),
            Panel(
                Axis("step", domain=(0.0, STEPS + 1.0)), Axis("step size α", "log", domain=(0.01, 1.5)),
                tuple(sizes), title="the step size",
            ),
        ),
        f"{case[0].upper()}{case[1:]}, from all entries {start:g}: with M = {M:g} the method {ending(shown)}; its step "
        f"sizes go from {alpha[0]:.2g} to {alpha[-1]:.2g}. Pure Newton {ending(pure)}. With M adapted it takes "
        f"{len(adapted) - 1} steps and {int(np.nansum(adapted['trials']))} trials.",
    )  # fmt: skip


@view(
    title="A root for every smoothness",
    chapter="newton/damping",
    methods=("root_newton",),
    controls=(
        Slider("exponent", EXPONENTS, "exponent q", 3.0),
        Slider("M", ROOT_CONSTANTS, "constant M", 1.0),
        Choice("case", CASES, "problem", CASES[0]),
    ),
    presets={
        "constant damping": {"exponent": 2.0},
        "square root": {"exponent": 3.0},
        "third order": {"exponent": 4.0},
        "too bold, tumours": {"exponent": 4.0, "M": 0.1, "case": CASES[1]},
    },
)
def root_powers(*, exponent: float = 3.0, M: float = 1.0, case: str = CASES[0], method: Method | None = None) -> Scene:
    """The descent of root Newton from all entries 10, and its damping against the Newton decrement."""
    searched = far_run(root_newton, case, 10.0)
    runs = [(label, far_run(run, case, 10.0, M=M, exponent=exponent)) for label, run in edited(method, root_newton)]
    slope = (exponent - 2.0) / (exponent - 1.0)
    ends = np.asarray([1e-8, 1e4])
    descent: list[Any] = [
        Line(np.arange(len(searched)), gaps(searched), label="searched", color=2, markers=True, width=1.5)
    ]
    damping: list[Any] = [
        Line(ends, (9.0 * M) ** (1.0 / (exponent - 1.0)) * ends**slope, label=f"slope {slope:.2g}", color="muted",
             dash=True, width=1.5),
        Line(searched["decrement"][1:], searched["damping"][1:], label="searched", color=2, markers=True, line=False),
    ]  # fmt: skip
    for color, (label, run) in enumerate(runs):
        name = f"{label}, q = {exponent:g}" if label.startswith("your") else f"q = {exponent:g}, M = {M:g}"
        descent.append(Line(np.arange(len(run)), gaps(run), label=name, color=color, markers=True))
        if {"decrement", "damping"} <= run.rows[-1].keys():
            damping.append(
                Line(run["decrement"][1:], run["damping"][1:], label=name, color=color, markers=True, line=False)
            )
    shown = runs[0][1]
    up = rises(shown)
    descent.append(Line(up, gaps(shown)[up], label="f rose", color=3, markers=True, line=False))
    theta = shown["damping"][1:]
    return Scene(
        (
            Panel(
                Axis("step", domain=(0.0, STEPS + 1.0)), Axis("f − f*", "log", domain=(FLOOR / 2, 1e5)),
                tuple(descent), title="the descent",
            ),
            Panel(
                Axis("Newton decrement λ", "log", domain=(1e-8, 1e4)), Axis("damping θ", "log", domain=(1e-8, 1e4)),
                tuple(damping), title="the damping",
            ),
        ),
        f"{case[0].upper()}{case[1:]}: root Newton with q = {exponent:g} and M = {M:g} {ending(shown)}. Its damping is "
        f"proportional to the power {slope:.2g} of the decrement and goes from {theta[0]:.2g} to {theta[-1]:.2g}. With a "
        f"search it takes {len(searched) - 1} steps and {searched.oracle['grad']} gradients.",
    )  # fmt: skip


def proven_constant(case: str) -> float:
    """The Lipschitz constant of the Hessian in the local norms that can be proved for one of ``CASES``."""
    return smoothness(case_problem(case))
