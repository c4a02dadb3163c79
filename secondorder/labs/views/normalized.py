"""The pictures of the chapter on a measured radius of trust. Everything in them is a run of the library."""

from __future__ import annotations

import copy
import functools
from typing import Any, NamedTuple

import numpy as np

from secondorder import problems
from secondorder.guarantees import normalized as theory
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Scene, Slider, view
from secondorder.labs.views.inexact import exponentials
from secondorder.labs.views.newton import Method, edited
from secondorder.newton import gradient_normalized_newton
from secondorder.oracles import Problem
from secondorder.run import minimize

HESSIANS = {"exact": "exact", "Gauss-Newton": "gauss_newton", "zero": "zero"}
MUS = (0.1, 0.2, 0.5, 1.0, 2.0)
STARTS = (0.03, 0.1, 0.3, 1.0, 3.0)
TOL = 1e-9
LEAST = 1e-16


# ------------------------------------------------------------------------------------------- approximate Hessians


@functools.lru_cache(maxsize=8)
def soft_maximum(mu: float) -> Problem:
    """200 affine functions of 20 variables, smoothed by ``mu``."""
    return problems.soft_maximum(mu=mu)


@functools.lru_cache(maxsize=64)
def soft_run(method: Method, hessian: str, mu: float) -> History:
    """The run of ``method`` down to a gradient norm of ``TOL``."""
    return minimize(soft_maximum(mu), method, hessian=HESSIANS[hessian], tol=TOL, steps=2000)


@view(
    title="One method, three Hessians",
    chapter="newton/normalized",
    methods=("gradient_normalized_newton",),
    controls=(
        Choice("hessian", tuple(HESSIANS), "the Hessian", "Gauss-Newton"),
        Slider("mu", MUS, "smoothing μ", 0.5, log=True),
    ),
    presets={
        "exact": {"hessian": "exact"},
        "Gauss-Newton, hardly smoothed": {"hessian": "Gauss-Newton", "mu": 0.1},
        "Gauss-Newton, well smoothed": {"hessian": "Gauss-Newton", "mu": 2.0},
        "no Hessian": {"hessian": "zero"},
    },
)
def approximate_hessians(*, hessian: str = "Gauss-Newton", mu: float = 0.5, method: Method | None = None) -> Scene:
    """The soft maximum: the descent, and the radius of trust beside the length of the steps."""
    descent: list[Any] = []
    for color, name in enumerate(HESSIANS):
        if name != hessian:
            run = soft_run(gradient_normalized_newton, name, mu)
            descent.append(Line(_steps(run), run.grad_norm, label=name, color=color, dash=True, width=1.2))
    runs = [(label, soft_run(run, hessian, mu)) for label, run in edited(method, gradient_normalized_newton)]
    trust: list[Any] = []
    for (label, run), color in zip(runs, (list(HESSIANS).index(hessian), 3), strict=False):
        mine = run is not runs[0][1]
        descent.append(Line(_steps(run), run.grad_norm, label=label if mine else hessian, color=color, width=2.5))
        k, of = _steps(run)[1:], f", {label}" if mine else ""
        trust.append(Line(k, run["smoothness"][1:], label=f"trusted: radius γ{of}", color=color, width=2.5))
        trust.append(
            Line(k, run["radius"][1:], label=f"used: step ‖h‖{of}", color="muted" if not mine else 4, dash=True)
        )
    across = Axis("step, the start counted as 1", "log", domain=(1.0, 1000.0))
    return Scene(
        (
            Panel(across, Axis("gradient norm ‖∇f‖", "log", domain=(1e-14, 1e1)), tuple(descent), "the descent"),
            Panel(across, Axis("length in units of x", "log", domain=(1e-12, 1e4)), tuple(trust), "trusted, and used"),
        ),
        _soft_sentence(hessian, mu, runs[0][1]),
    )


def _steps(history: History) -> np.ndarray:
    return np.arange(1, len(history) + 1)


def _soft_sentence(hessian: str, mu: float, history: History) -> str:
    used = history["radius"][1:] / history["smoothness"][1:]
    name = {"exact": "the exact Hessian", "Gauss-Newton": "the Gauss-Newton matrix", "zero": "no Hessian"}[hessian]
    count = int(np.sum(history["trials"][1:]))
    return (
        f"μ = {mu:g}, with {name}: {len(history) - 1} steps and {count} trials to a gradient norm of 1e-9. The trusted radius "
        f"runs from {history['smoothness'][1]:.2g} to {history['smoothness'][-1]:.2g} and reaches "
        f"{np.max(history['smoothness'][1:]):.2g}; the median step uses {np.median(used):.0%} of it."
    )


# ------------------------------------------------------------------------------------------------------ the classes


class Case(NamedTuple):
    """A class of functions with its constants, the bound on gamma(x) it gives, and that on the values."""

    problem: Any
    hessian: str
    radius: Any
    values: Any
    power: str
    rate: str


def steep() -> Any:
    """The sum of e^u - 1 - u over u = Ax, from a distance of 12: quasi-self-concordant, M being the longest row of A, which is
    no longer than the norm of A; the Hessian at 0 is A'A."""
    problem: Any = exponentials(12.0)
    problem.x_star = np.zeros(len(problem.x0))
    problem.concordance = float(np.linalg.norm(problem.hess(problem.x_star), 2)) ** 0.5
    return problem


CASES = {
    "exact Hessian, Lipschitz: cube of a norm": Case(
        theory.cube, "exact", theory.lipschitz_radius, theory.values_lipschitz, "1/2", "1/k²"
    ),
    "exact Hessian, quasi-self-concordant: exponentials": Case(
        steep, "exact", theory.concordant_radius, theory.values_concordant, "0", "linear"
    ),
    "exact Hessian, quasi-self-concordant: logistic": Case(
        theory.far_logistic, "exact", theory.concordant_radius, theory.values_concordant, "0", "linear"
    ),
    "Gauss-Newton: soft maximum": Case(
        theory.soft, "gauss_newton", theory.gauss_newton_radius, theory.values_gauss_newton, "0 to -1", "linear"
    ),
    "no Hessian, Lipschitz gradient: soft maximum": Case(
        theory.soft, "zero", theory.gradient_radius, theory.values_zero, "1", "1/k"
    ),
    "Fisher term: quartic": Case(
        theory.quartic, "fisher", theory.quartic_radius, theory.values_fisher, "1/3", "linear"
    ),
}
FIRST = "exact Hessian, Lipschitz: cube of a norm"


@functools.lru_cache(maxsize=32)
def case_problem(case: str, start: float) -> Problem:
    """The problem of one of ``CASES``, from ``start`` times its own distance to the solution."""
    problem: Any = copy.copy(_given(case))
    problem.x0 = problem.x_star + start * (problem.x0 - problem.x_star)
    return problem


@functools.lru_cache(maxsize=8)
def _given(case: str) -> Any:
    return CASES[case].problem()


@functools.lru_cache(maxsize=64)
def case_run(method: Method, case: str, start: float) -> History:
    """The run of ``method`` down to a gradient norm of ``TOL``, with its points."""
    return minimize(case_problem(case, start), method, hessian=CASES[case].hessian, tol=TOL, steps=1000, keep=("x",))


@view(
    title="The class, found by walking",
    chapter="newton/normalized",
    methods=("gradient_normalized_newton",),
    controls=(
        Choice("case", tuple(CASES), "what is true of f", FIRST),
        Slider("start", STARTS, "distance of the start, times its own", 1.0, log=True),
    ),
    presets={
        "Lipschitz Hessian": {"case": FIRST},
        "quasi-self-concordant": {"case": "exact Hessian, quasi-self-concordant: exponentials"},
        "no Hessian": {"case": "no Hessian, Lipschitz gradient: soft maximum"},
        "Fisher term": {"case": "Fisher term: quartic"},
    },
)
def classes_found(*, case: str = FIRST, start: float = 1.0, method: Method | None = None) -> Scene:
    """The radius against the gradient norm, and the gap against the steps, each with what the class guarantees."""
    chosen, problem = CASES[case], case_problem(case, start)
    runs = [(label, case_run(run, case, start)) for label, run in edited(method, gradient_normalized_newton)]
    history = runs[0][1]
    half = 0.5 * chosen.radius(problem, history)
    gap, bound = chosen.values(problem, history)
    k = np.arange(1, len(history))
    trust: list[Any] = [
        Line(history.grad_norm[:-1], half, label=f"½γ(x) of the class, slope {chosen.power}", color="muted", dash=True)
    ]
    values: list[Any] = [Line(k, bound, label=f"bound of the class, {chosen.rate}", color="muted", dash=True)]
    for color, (label, run) in enumerate(runs):
        name = "measured" if color == 0 else label
        trust.append(Line(run.grad_norm[:-1], run["smoothness"][1:], label=name, color=color, markers=True, width=1.2))
        steps = np.arange(1, len(run))
        values.append(Line(steps, np.maximum(run.primal_gap[1:], LEAST), label=name, color=color, markers=True))
    ratio = history["smoothness"][1:] / half
    below = " (there the first trial, 1, is shorter)" if np.min(ratio) < 1.0 else ""
    return Scene(
        (
            Panel(
                Axis("gradient norm before the step ‖∇f(xₖ)‖", "log", domain=(1e-9, 1e6)),
                Axis("radius γₖ in units of x", "log", domain=(1e-12, 1e5)), tuple(trust), "the trusted radius",
            ),
            Panel(
                Axis("step k", "log", domain=(1.0, 200.0)), Axis("f(xₖ) − f*", "log", domain=(1e-16, 1e7)),
                tuple(values), "promised and measured",
            ),
        ),
        f"{case[0].upper()}{case[1:]}, start at {start:g} times its distance: in {len(history) - 1} steps the radius is never "
        f"below {np.min(ratio):.2g} times ½γ(x) of the class{below}, and in the median {np.median(ratio):.2g} times. After the "
        f"last step the gap is {max(gap[-1], LEAST):.1e}; the class promises {bound[-1]:.1e}.",
    )  # fmt: skip
