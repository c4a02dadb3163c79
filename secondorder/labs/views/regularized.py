"""The pictures of the chapter on regularising with the gradient. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import Axis, Band, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.cubic import LIPSCHITZ, waves
from secondorder.labs.views.inexact import above_rounding, exponentials
from secondorder.labs.views.newton import Method, edited
from secondorder.ledger import Ledger
from secondorder.newton import (
    adaptive_gradient_regularized_newton,
    cubic_newton,
    gradient_descent,
    gradient_regularized_newton,
    nesterov,
    newton,
    super_universal_newton,
)
from secondorder.oracles import Problem
from secondorder.run import minimize
from secondorder.stopping import target

DAMPINGS = np.geomspace(0.02, 5.0, 40)


def damped(problem: Problem, gradient: float, damping: float, method: Method) -> tuple[float, float]:
    """A step of the gradient-regularised method from 0 with this damping, and the gradient that is left."""
    walk = method(Ledger(problem), problem.x0, M=damping**2 / gradient)
    after = next(walk, next(walk))
    step = float(next(walk).x[0]) if after.x is problem.x0 else float(after.x[0])
    return step, float(problem.grad(np.asarray([step]))[0])


@view(
    title="One step, its damping, and the gradient that it leaves",
    chapter="newton/regularized",
    methods=("gradient_regularized_newton",),
    controls=(
        Slider(
            "times", (0.25, 0.4, 0.6, 1.0, 2.0, 4.0), "damping λ, in units of √(½L₂‖∇f‖)", 0.4,
            live=(0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0),
        ),
        Slider(
            "gradient", (0.1, 0.3, 1.0), "gradient g", 1.0,
            live=(0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        ),
        Slider("curvature", (0.0, 0.1, 0.3, 1.0), "curvature H", 0.1, live=(0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)),
    ),
    presets={
        "too little": {"times": 0.25, "gradient": 1.0, "curvature": 0.0},
        "what the proof asks for": {"times": 1.0, "gradient": 1.0, "curvature": 0.1},
        "more than enough": {"times": 4.0, "gradient": 1.0, "curvature": 0.1},
        "curvature helps": {"times": 0.25, "gradient": 0.1, "curvature": 1.0},
    },
)  # fmt: skip
def damping_test(
    *, times: float = 0.4, gradient: float = 1.0, curvature: float = 0.1, method: Method | None = None
) -> Scene:
    """A convex function of one variable, the damped model, and the tests that a step has to pass."""
    problem, sufficient = waves(gradient, curvature), math.sqrt(0.5 * LIPSCHITZ * gradient)
    damping = times * sufficient
    h = np.linspace(-5.0, 1.0, 61)
    quadratic = gradient * h + 0.5 * curvature * h**2
    marks: list[Any] = [
        Line(h, [problem.f([each]) for each in h], label="f, with L₂ = 2", color="muted"),
        Line(h, quadratic, label="quadratic model", color=2, dash=True, width=1.5),
        Line(h, quadratic + 0.5 * damping * h**2, label="with ½λh²", color=0),
    ]
    lengths = gradient / (curvature + DAMPINGS)
    left = np.asarray([damped(problem, gradient, each, gradient_regularized_newton)[1] for each in DAMPINGS])
    scale = 1.0 / gradient
    tests: list[Any] = [
        Band(DAMPINGS, 0.0 * DAMPINGS, 4.0 * DAMPINGS * lengths * scale, color=2, label="passes: 0 to 4λ‖h‖"),
        Line(DAMPINGS, np.where(left * scale > -8.0, left * scale, np.nan), label="gradient after the step", color=0),
        Line(DAMPINGS, 2.0 * DAMPINGS * lengths * scale, label="2λ‖h‖", color=2, dash=True, width=1.5),
        Rule(x=sufficient, label="√(½L₂‖∇f‖)"),
    ]
    found = []
    for color, (label, run) in zip((1, 3), edited(method, gradient_regularized_newton)):
        step, slope = damped(problem, gradient, damping, run)
        label = "the step" if color == 1 else label
        marks.append(Line([0.0, step], [0.0, problem.f([step])], label=label, color=color, markers=True, line=False))
        if slope * scale > -2.0:
            tests.append(Line([damping], [slope * scale], color=color, markers=True, line=False))
        found.append((step, slope, float(problem.f([step]))))
    return Scene(
        (
            Panel(Axis("step h", domain=(-5.0, 1.0)), Axis("value", domain=(-2.5, 2.5)), tuple(marks), title="the step"),
            Panel(
                Axis("damping λ", "log", domain=(0.02, 5.0)), Axis("gradient, relative to g", domain=(-2.0, 4.2)),
                tuple(tests), title="the tests",
            ),
        ),
        _test_sentence(times, gradient, curvature, damping, *found[0]),
    )  # fmt: skip


def _test_sentence(
    times: float, gradient: float, curvature: float, damping: float, step: float, slope: float, f: float
) -> str:
    length = abs(step)
    both = f <= -2.0 / 3.0 * damping * length**2 and abs(slope) <= 2.0 * damping * length
    gradients = -slope * step >= slope**2 / (4.0 * damping)
    passed = (
        "both tests of AdaN and that of the super-universal method pass"
        if both and gradients
        else "the tests of AdaN pass and that of the super-universal method fails"
        if both
        else "AdaN's tests fail and that of the super-universal method passes"
        if gradients
        else "AdaN's tests and that of the super-universal method fail"
    )
    why = "the step goes beyond the minimum" if slope < 0.0 else f"{slope / gradient:.0%} of the gradient is left"
    return (
        f"Gradient {gradient:g}, curvature {curvature:g}, λ = {damping:.2g}, {times:g} times what is always enough: the step "
        f"is {length:.2g} long, f {'falls' if f < 0.0 else 'rises'} by {abs(f):.2g} and {why}; {passed}."
    )


# ------------------------------------------------------------------------------------------------- every class at once


def raw_tumours() -> Problem:
    """Logistic regression on columns whose scales differ by a factor of a hundred thousand, with its least value."""
    problem = problems.logistic("breast_cancer", l2=1e-4)
    problem.f_star = float(minimize(problem, newton, tol=1e-11).f[-1])
    return problem


CASES: dict[str, Callable[[], Any]] = {
    "polytope, p = 2": lambda: problems.polytope_feasibility(2),
    "polytope, p = 3": lambda: problems.polytope_feasibility(3),
    "polytope, p = 4": lambda: problems.polytope_feasibility(4),
    "chain, p = 2": lambda: problems.chain(30),
    "chain, p = 3": lambda: problems.chain(30, p=3),
    "soft maximum": problems.soft_maximum,
    "tumours, raw": lambda: raw_tumours(),
}
EXPONENTS = {"2/3": 2.0 / 3.0, "3/4": 0.75, "5/6": 5.0 / 6.0, "1": 1.0}
ACROSS = ("steps", "gradient-equivalents")
GAP = 1e-8


@functools.lru_cache(maxsize=8)
def case_problem(case: str) -> Any:
    """One of ``CASES``, with its least value."""
    return CASES[case]()


@functools.lru_cache(maxsize=256)
def case_run(method: Method, case: str, exponent: str | None = None) -> History:
    """A run to a gap of ``GAP``, of 600 steps at most; ``exponent``: of the super-universal method, given."""
    problem = case_problem(case)
    hyper: dict[str, Any] = {"exponent": EXPONENTS[exponent]} if exponent else {}
    return minimize(problem, method, tol=0.0, steps=600, stop=target(problem.f_star + GAP), **hyper)


def sufficient_damping(problem: Any, size: np.ndarray) -> np.ndarray:
    """The damping that passes every test, by the better of the known constants; NaN where there is none."""
    second, third = getattr(problem, "lipschitz_hess", None), getattr(problem, "lipschitz_third", None)
    best = np.full_like(size, np.inf)
    best = np.minimum(best, np.sqrt(0.5 * second * size)) if second else best
    best = np.minimum(best, np.cbrt(0.5 * third * size**2)) if third else best
    return np.where(np.isfinite(best), best, np.nan)


@view(
    title="One method for every class",
    chapter="newton/regularized",
    methods=("super_universal_newton", "adaptive_gradient_regularized_newton"),
    controls=(
        Choice("case", tuple(CASES), "problem", "polytope, p = 3"),
        Choice("exponent", tuple(EXPONENTS), "exponent α", "1"),
        Choice("across", ACROSS, "count", "steps"),
    ),
    presets={
        "the chain": {"case": "chain, p = 2", "across": "steps"},
        "the chain of third order": {"case": "chain, p = 3", "across": "steps"},
        "cubic Newton leads": {"case": "polytope, p = 4", "across": "gradient-equivalents"},
        "the least exponent": {"case": "soft maximum", "exponent": "2/3", "across": "steps"},
        "the largest exponent": {"case": "soft maximum", "exponent": "1", "across": "steps"},
        "badly scaled": {"case": "tumours, raw", "across": "steps"},
    },
)
def universal(
    *, case: str = "polytope, p = 3", exponent: str = "1", across: str = "steps", method: Method | None = None
) -> Scene:
    """The gap by steps or by cost, and the damping of every step against the gradient norm where it was taken."""
    problem = case_problem(case)
    rivals = {
        "cubic Newton": case_run(cubic_newton, case),
        "Nesterov": case_run(nesterov, case),
        "gradient descent": case_run(gradient_descent, case),
    }
    ours = _edited(method, exponent, case)
    gaps: list[Any] = [_descent(run, across, label, color) for color, (label, run) in zip((2, 3, 4), rivals.items())]
    size = np.geomspace(1e-9, 1e4, 27)
    sufficient = sufficient_damping(problem, size)
    dampings: list[Any] = []
    if np.any(np.isfinite(sufficient)):
        dampings.append(Line(size, sufficient, label="always enough", color="muted", dash=True, width=1.5))
    for color, (label, run) in zip((0, 1, 5), ours.items()):
        gaps.append(_descent(run, across, label, color, markers=len(run) < 100))
        if "damping" in run.names:
            dampings.append(
                Line(run.grad_norm[:-1], run["damping"][1:], label=label, color=color, markers=True, line=False)
            )
    across_axis = Axis(across, "log", domain=(0.9, 3e3))
    return Scene(
        (
            Panel(across_axis, Axis("gap f(x) − f*", "log", domain=(1e-9, 1e5)), tuple(gaps), title="the descent"),
            Panel(
                Axis("gradient norm ‖∇f‖", "log", domain=(1e-9, 1e4)), Axis("damping λ", "log", domain=(1e-7, 1e4)),
                tuple(dampings), title="the damping",
            ),
        ),
        _universal_sentence(case, exponent, across, {**ours, **rivals}),
    )  # fmt: skip


def _edited(method: Method | None, exponent: str, case: str) -> dict[str, History]:
    runs = {
        "super-universal": case_run(super_universal_newton, case, exponent),
        "AdaN": case_run(adaptive_gradient_regularized_newton, case),
    }
    if method is not None:
        info = method.method  # type: ignore[attr-defined]
        dial = any(each.name == "exponent" for each in info.parameters)
        runs[f"your {info.name}"] = case_run(method, case, exponent if dial else None)
    return runs


def spent(history: History, across: str) -> np.ndarray:
    """Steps, or gradient-equivalents, up to each row."""
    return history.cost() if across == "gradient-equivalents" else np.arange(len(history))


def _descent(history: History, across: str, label: str, color: int, markers: bool = False) -> Line:
    rows = np.unique(np.geomspace(1, max(len(history) - 1, 1), 50).round().astype(int))
    rows = rows[rows < len(history)]
    gap = np.maximum(history.primal_gap[rows], 1e-9)
    return Line(
        np.maximum(spent(history, across)[rows], 1.0), gap, label=label, color=color, markers=markers, width=1.8
    )


def _universal_sentence(case: str, exponent: str, across: str, runs: dict[str, History]) -> str:
    def count(run: History) -> str:
        reached = run.primal_gap[-1] <= 1.01 * GAP
        return f"{spent(run, across)[-1]:.0f}" if reached else f"more than {spent(run, across)[-1]:.0f}"

    ours = next(iter(runs.values()))
    trials = float(np.nanmean(ours["trials"])) if "trials" in ours.names else 1.0
    words = ("AdaN", "cubic Newton", "Nesterov", "gradient descent")
    others = ", ".join(f"{each} {count(runs[each])}" for each in words)
    return (
        f"{case[0].upper()}{case[1:]}, α = {exponent}: to a gap of 1e-8 the super-universal method takes {count(ours)} "
        f"{across}, with {trials:.2f} trials a step; {others}."
    )


# ------------------------------------------------------------------------------------------------- of the text only


@functools.lru_cache(maxsize=64)
def constant_damping(case: str, damping: float, steps: int = 400) -> History:
    """Newton's method with one damping throughout: the super-universal step with q = 2, where the norm has exponent 0."""
    problem, start = start_of(case)
    return minimize(problem, super_universal_newton, start, M=damping, q=2.0, tol=1e-8, steps=steps)


@functools.lru_cache(maxsize=4)
def start_of(case: str) -> tuple[Problem, Any]:
    """Two starts far from the solution."""
    if case == "tumours":
        problem = problems.logistic("breast_cancer", l2=1e-3, standardize=True)
        return problem, np.full(30, 10.0)
    maximum = problems.soft_maximum()
    return maximum, maximum.x0


ORDERS: dict[str, tuple[float, dict[str, float]]] = {
    "constant damping": (0.0, {"M": 1.0, "q": 2.0}),
    "q = 3": (0.5, {"M": 1.0, "q": 3.0}),
    "q = 4": (2.0 / 3.0, {"M": 1.0, "q": 4.0}),
    "searched, α = 2/3": (2.0 / 3.0, {"exponent": EXPONENTS["2/3"]}),
    "searched, α = 5/6": (5.0 / 6.0, {"exponent": EXPONENTS["5/6"]}),
    "searched, α = 1": (1.0, {"exponent": EXPONENTS["1"]}),
}
"""The exponent of the gradient norm in the damping, and the setting of the super-universal method."""


def local_norms(setting: str) -> np.ndarray:
    """Gradient norms on the sum of exponentials, whose gradient keeps its digits, down to the last that is not rounding."""
    hyper: dict[str, Any] = ORDERS[setting][1]
    return above_rounding(minimize(exponentials(1.0), super_universal_newton, tol=1e-45, steps=40, **hyper).grad_norm)
