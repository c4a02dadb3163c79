"""The pictures of the chapter on self-concordant objectives. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder import problems, sets
from secondorder.frank_wolfe import frank_wolfe, monotone_frank_wolfe, second_order_frank_wolfe
from secondorder.frank_wolfe.second_order import THRESHOLDS
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.oracles import Problem
from secondorder.run import minimize

CASES = ("optimal design", "Poisson counts", "portfolio", "logistic, l1 ball")
RULES = {"2/(t+2), refused or taken": "open_loop", "halved until it passes": "halving"}
STEPS = 1000
SHOWN = (0, 1, 2, 3, 5, 8, 15, 30, 60, 120, 300, 1000)


@functools.lru_cache(maxsize=8)
def case_problem(case: str) -> Problem:
    """One of ``CASES``: three with logarithms, and the l1-constrained logistic regression of the tumours."""
    if case == "optimal design":
        return problems.d_optimal_design(degree=3, n=21)
    if case == "Poisson counts":
        return problems.poisson_inverse(n=40, d=20)
    if case == "portfolio":
        return problems.log_portfolio()
    return problems.logistic("breast_cancer", l2=0.0, standardize=True).subject_to(sets.L1Ball(30, 1.0))


@functools.lru_cache(maxsize=8)
def solution(case: str) -> np.ndarray:
    """The minimiser, to a Frank–Wolfe gap of 1e-10."""
    return np.asarray(minimize(case_problem(case), second_order_frank_wolfe, tol=1e-10, steps=400).x)


@functools.lru_cache(maxsize=8)
def least_value(case: str) -> float:
    """The least value of f."""
    return float(case_problem(case).f(solution(case)))


@functools.lru_cache(maxsize=64)
def first_order_run(method: Method, case: str, rule: str | None = None) -> History:
    """``STEPS`` steps of ``method``, or fewer where it ends before."""
    hyper: dict[str, Any] = {} if rule is None else {"step_rule": rule}
    return minimize(case_problem(case), method, tol=1e-9, steps=STEPS, **hyper)


@functools.lru_cache(maxsize=64)
def newton_run(method: Method, case: str, inner: str = "away_step", threshold: str = "inverse") -> History:
    """The method of second order down to a gap of 1e-6; without away steps inside at most 1000 inner steps each."""
    most = 10_000 if inner == "away_step" else 1_000
    return minimize(
        case_problem(case), method, tol=1e-6, steps=300, keep="x", inner=inner, threshold=threshold, max_inner=most
    )


# ---------------------------------------------------------------------------------------------- the equivalence theorem


@functools.lru_cache(maxsize=16)
def design_problem(degree: int) -> Any:
    """Polynomials of this degree on a grid of 31 points, and the support of the optimum."""
    return problems.d_optimal_design(degree=degree, n=31)


@functools.lru_cache(maxsize=32)
def design_run(method: Method, degree: int, rule: str) -> History:
    """The run as far as the slider goes, with its points."""
    return minimize(
        design_problem(degree), method, tol=0.0, steps=SHOWN[-1], step_rule=RULES[rule], keep=("x", "vertex")
    )


@view(
    title="The equivalence theorem: weights, and the variance they leave",
    chapter="frank_wolfe/self_concordant",
    methods=("monotone_frank_wolfe",),
    controls=(
        Slider("step", SHOWN, "step", 8, live=(*range(0, 60), *range(60, 1001, 20))),
        Choice("degree", ("2", "3", "5"), "degree of the polynomial", "3"),
        Choice("rule", tuple(RULES), "step size", "2/(t+2), refused or taken"),
    ),
    presets={
        "the start": {"step": 0},
        "the first steps": {"step": 3},
        "almost there": {"step": 300},
        "degree 5": {"step": 120, "degree": "5"},
        "halved steps": {"step": 300, "rule": "halved until it passes"},
    },
)
def equivalence(
    *, step: int = 8, degree: str = "3", rule: str = "2/(t+2), refused or taken", method: Method | None = None
) -> Scene:
    """Optimal design for a polynomial: the measurements, and the variance of the prediction, which may not exceed d."""
    problem, d = design_problem(int(degree)), int(degree) + 1
    t = problem.grid
    runs = [(label, design_run(run, int(degree), rule)) for label, run in edited(method, monotone_frank_wolfe)]
    highest = 1.05 * float(problem.variance(problem.x0).max())
    weights: list[Any] = [
        Line(t[problem.x_star > 0], problem.x_star[problem.x_star > 0], label="the optimum", color="muted", markers=True,
             line=False)
    ]  # fmt: skip
    variances: list[Any] = [Rule(y=float(d), label=f"d = {d}", color="muted")]
    for color, (label, history) in enumerate(runs):
        row = min(step, len(history) - 1)
        x = history.rows[row]["x"]
        weights.append(Line(*_stems(t, x), label=label, color=color, width=2.5))
        variance = problem.variance(x)
        variances.append(Line(t, variance, label=label, color=color))
        best = int(np.argmax(variance))
        variances.append(
            Line(t[best : best + 1], variance[best : best + 1], label="the next vertex" if color == 0 else None,
                 color=color, markers=True, line=False)
        )  # fmt: skip
    history = runs[0][1]
    row = min(step, len(history) - 1)
    return Scene(
        (
            Panel(
                Axis("where to measure", domain=(-1.05, 1.05)), Axis("fraction of the measurements", domain=(0.0, 0.75)),
                tuple(weights), title="the design",
            ),
            Panel(
                Axis("where to predict", domain=(-1.05, 1.05)), Axis("variance a'M⁻¹a", domain=(0.0, highest)),
                tuple(variances), title="what it leaves unknown",
            ),
        ),
        _design_sentence(degree, row, history, problem),
    )  # fmt: skip


def _stems(t: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A vertical line for each weight above a thousandth."""
    t, x = t[x > 1e-3], x[x > 1e-3]
    nothing = np.full_like(t, np.nan)
    return np.stack([t, t, nothing], axis=1).ravel(), np.stack([0.0 * x, x, nothing], axis=1).ravel()


def _design_sentence(degree: str, row: int, history: History, problem: Any) -> str:
    variance = problem.variance(history.rows[row]["x"])
    refused = sum(each["trials"] - each["accepted"] for each in history.rows[1 : row + 1])
    where = float(problem.grid[int(np.argmax(variance))])
    times = "time" if refused == 1 else "times"
    return (
        f"Polynomial of degree {degree}, step {row}, a trial refused {refused} {times} so far: the variance is largest at "
        f"t = {where:.2f}, where it is {variance.max():.4g}. Its excess over d = {int(degree) + 1} is the Frank–Wolfe gap, "
        f"{history.rows[row]['gap']:.3g}; f is {history.primal_gap[row]:.2g} above its least value."
    )


# -------------------------------------------------------------------------------------------------- four functions, rates


@view(
    title="Four functions, and what each method makes of them",
    chapter="frank_wolfe/self_concordant",
    methods=("monotone_frank_wolfe",),
    controls=(Choice("case", CASES, "function", "Poisson counts"),),
    presets={
        "every vertex outside": {"case": "optimal design"},
        "photon counts": {"case": "Poisson counts"},
        "where the open loop was safe": {"case": "portfolio"},
    },
)
def self_concordant_rates(*, case: str = "Poisson counts", method: Method | None = None) -> Scene:
    """Both gaps against the step, on logarithmic axes: a line of slope −1 is the promise."""
    (_, original), *own = edited(method, monotone_frank_wolfe)
    runs = {
        "open loop alone": (first_order_run(frank_wolfe, case), 1),
        "monotone": (first_order_run(original, case, "open_loop"), 0),
        "halved steps": (first_order_run(original, case, "halving"), 2),
        **{label: (first_order_run(run, case, "open_loop"), 3) for label, run in own},
        "second order": (newton_run(second_order_frank_wolfe, case), 4),
    }
    panels = []
    for measure in ("Frank–Wolfe gap", "primal gap"):
        ends, anchor = np.asarray([10.0, STEPS + 1.0]), shown(runs["monotone"][0], case, measure)[9]
        marks = [Line(ends, 2.0 * anchor * 10.0 / ends, label="slope −1", color="muted", dash=True, width=1.2)]
        for label, (history, color) in runs.items():
            y = shown(history, case, measure)
            at = _logarithmic(len(y))
            marks.append(Line(at + 1, y[at], label=label, color=color, markers=len(at) < 3, width=1.8))
        panels.append(
            Panel(Axis("step + 1", "log", domain=(1.0, STEPS + 1.0)),
                  Axis("least so far", "log", domain=(1e-8, 2e3)), tuple(marks), title=measure)
        )  # fmt: skip
    return Scene(tuple(panels), _rates_sentence(case, runs))


def shown(history: History, case: str, measure: str) -> np.ndarray:
    """The least gap so far, in one of its two senses, and not below 1e-8."""
    values = history["gap"] if measure == "Frank–Wolfe gap" else history.f - least_value(case)
    return np.maximum(np.minimum.accumulate(values), 1e-8)


def _logarithmic(length: int) -> np.ndarray:
    return np.unique(np.geomspace(1, length, 80).astype(int)) - 1


def _rates_sentence(case: str, runs: dict[str, Any]) -> str:
    plain, monotone, newton = runs["open loop alone"][0], runs["monotone"][0], runs["second order"][0]
    refused = int(np.sum(monotone["accepted"][1:] == 0))
    name = case[0].upper() + case[1:]
    alone = (
        "The open loop alone leaves the domain at its first step."
        if len(plain) < 3
        else f"The open loop alone stays in the domain and reaches {np.min(plain['gap']):.1e}."
    )
    return (
        f"{name}: after {len(monotone) - 1} steps of the monotone method, {refused} of them refused, the least Frank–Wolfe "
        f"gap is {np.min(monotone['gap']):.1e}. {alone} The second-order method has {np.min(newton['gap']):.1e} after "
        f"{len(newton) - 1} steps, with {newton.oracle['hvp']:.0f} products with the Hessian."
    )


# ------------------------------------------------------------------------------------------------------- second order


@view(
    title="Newton inside the set: how close, and how full a step",
    chapter="frank_wolfe/self_concordant",
    methods=("second_order_frank_wolfe",),
    controls=(
        Choice("case", CASES[:3], "function", "optimal design"),
        Choice("inner", ("away steps", "Frank–Wolfe alone"), "inside", "away steps"),
        Choice("threshold", ("0.1209", "3.615"), "full steps below", "0.1209"),
    ),
    presets={
        "as proved": {"inner": "away steps", "threshold": "0.1209"},
        "full steps at once": {"inner": "away steps", "threshold": "3.615"},
        "without away steps": {"case": "portfolio", "inner": "Frank–Wolfe alone", "threshold": "3.615"},
    },
)
def newton_inside(
    *,
    case: str = "optimal design",
    inner: str = "away steps",
    threshold: str = "0.1209",
    method: Method | None = None,
) -> Scene:
    """The length of each Newton step, the distance it guarantees, and what the steps cost inside."""
    solver = "away_step" if inner == "away steps" else "frank_wolfe"
    reading = "inverse" if threshold == "0.1209" else "reciprocal"
    runs = [(label, newton_run(run, case, solver, reading)) for label, run in edited(method, second_order_frank_wolfe)]
    history = runs[0][1]
    step, away = np.arange(1, len(history)), distances(history, case)
    promised = np.full(len(history), np.nan)
    if reading == "inverse" and len(history) > 1 and np.any(history["step_size"][1:] == 1.0):
        first = int(np.argmax(history["step_size"][1:] == 1.0))
        promised[first:] = 0.96 ** np.arange(len(history) - first) / 6.0
    near: list[Any] = [
        Rule(y=THRESHOLDS[reading], label="threshold", color="muted"),
        Line(np.arange(len(history)), promised, label="promised", color="muted", width=1.5),
        Line(np.arange(len(history)), away, label="distance", color=2, markers=len(away) < 2, width=1.8),
    ]
    if len(step):
        near.append(Line(step, history["decrement"][1:], label="step γ", color=0, markers=True, width=1.2))
    cost = [
        Line(
            run.counts["hvp"] + 1.0, np.maximum(run["gap"], 1e-8), label=label, color=3 * color, markers=True, width=1.5
        )
        for color, (label, run) in enumerate(runs)
    ]
    return Scene(
        (
            Panel(Axis("outer step", domain=(0.0, 40.0)), Axis("in the norm of the Hessian", "log", domain=(1e-4, 1e2)),
                  tuple(near), title="how close"),
            Panel(Axis("products with the Hessian + 1", "log", domain=(1.0, 1e5)),
                  Axis("Frank–Wolfe gap", "log", domain=(1e-7, 1e3)), tuple(cost), title="what it costs"),
        ),
        _newton_sentence(case, inner, threshold, history),
    )  # fmt: skip


def distances(history: History, case: str) -> np.ndarray:
    """How far each point is from the solution, in the norm of the Hessian there."""
    best, problem = solution(case), case_problem(case)
    return np.asarray([math.sqrt(max(0.0, (x - best) @ problem.hvp(best, x - best))) for x in history["x"]])


def _newton_sentence(case: str, inner: str, threshold: str, history: History) -> str:
    name = case[0].upper() + case[1:]
    damped = int(np.sum(history["step_size"][1:] < 1.0)) if len(history) > 1 else 0
    full = len(history) - 1 - damped
    idle = int(np.sum(history["inner_iterations"][1:] == 0)) if len(history) > 1 else 0
    still = f" In {idle} of them x is accurate enough already, and stays." if idle else ""
    end = "" if history.status == "converged" else f" The run ends there: {history.message or history.status}."
    return (
        f"{name}, {inner} inside, full steps below {threshold}: {damped} damped and {full} full "
        f"{'step' if full == 1 else 'steps'} take {history.oracle['hvp']} products with the Hessian, to a Frank–Wolfe gap of "
        f"{history['gap'][-1]:.1e}.{still}{end}"
    )
