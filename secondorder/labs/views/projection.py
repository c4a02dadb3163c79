"""The pictures of the chapter on projections. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder import problems, sets
from secondorder.frank_wolfe import away_step, frank_wolfe, projected_gradient
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.oracles import Problem
from secondorder.run import minimize
from secondorder.sets import FeasibleSet

SETS: dict[str, FeasibleSet] = {
    "simplex, d = 60": sets.Simplex(60),
    "l1 ball, d = 60": sets.L1Ball(60),
    "box, d = 60": sets.LinfBall(60),
    "nuclear ball, 6 × 6": sets.NuclearBall((6, 6)),
    "Birkhoff, 8 × 8": sets.Birkhoff(8),
}
CONDITIONS = (1, 10, 100, 1000)
METHODS: dict[str, Method] = {
    "projected gradient": projected_gradient,
    "away steps": away_step,
    "Frank–Wolfe": frank_wolfe,
}
STEPS = 300


@functools.lru_cache(maxsize=32)
def quadratic_on(over: str, condition: float) -> Problem:
    """A quadratic with eigenvalues from 1/condition to 1, about a noisy mixture of eight vertices, from a vertex."""
    feasible, rng = SETS[over], np.random.default_rng(4)
    A = problems.quadratic(np.geomspace(1.0 / condition, 1.0, feasible.d).tolist(), rotate=True, seed=4).A
    mixture = sum(w * feasible.lmo(rng.standard_normal(feasible.d)) for w in rng.dirichlet(np.ones(8)))
    centre = 1.5 * mixture + 0.1 * feasible.diameter * rng.standard_normal(feasible.d) / math.sqrt(feasible.d)
    return Problem(
        lambda x: float(0.5 * (x - centre) @ (A @ (x - centre))),
        lambda x: A @ (x - centre),
        constraint=feasible,
        x0=feasible.lmo(rng.standard_normal(feasible.d)),
        name=f"quadratic on the {over}",
    )


def offered(over: str) -> dict[str, Method]:
    """The methods that can run on a set: projections need ``project``, away steps a polytope."""
    can = {"projected gradient": SETS[over].project is not None, "away steps": SETS[over].polytope}
    return {label: method for label, method in METHODS.items() if can.get(label, True)}


@functools.lru_cache(maxsize=128)
def contest(method: Method, over: str, condition: float) -> History:
    """The run of a method, down to a gap of 1e-8; those with a constant in them know that L = 1."""
    hyper: dict[str, Any] = {} if method.method.name == "frank_wolfe" else {"lipschitz": 1.0}  # type: ignore[attr-defined]
    return minimize(quadratic_on(over, condition), method, tol=1e-8, steps=STEPS, keep="x", **hyper)


def least_gap(history: History) -> np.ndarray:
    """The least gap so far, in each row; at least 1e-16."""
    return np.maximum(np.minimum.accumulate(history["gap"]), 1e-16)


def steps_to(history: History, tol: float) -> int | None:
    """The first step whose gap is at most ``tol``."""
    below = np.flatnonzero(history["gap"] <= tol)
    return int(below[0]) if below.size else None


MEASURES = {"nuclear": "rank", "box": "coordinates off the bounds"}


def pieces(over: str, X: np.ndarray) -> np.ndarray:
    """How many pieces each iterate has: nonzeros; in the box coordinates off the bounds; of matrices the rank."""
    if over.startswith("nuclear"):
        return np.asarray([np.linalg.matrix_rank(x.reshape(6, 6), tol=1e-9) for x in X])
    return np.sum(np.abs(X) < 1.0 - 1e-9 if over.startswith("box") else np.abs(X) > 1e-9, axis=1)


@view(
    title="Project, or not",
    chapter="frank_wolfe/projection",
    methods=("projected_gradient", "away_step", "frank_wolfe"),
    controls=(
        Choice("over", tuple(SETS), "feasible set", "l1 ball, d = 60"),
        Slider("condition", CONDITIONS, "condition number", 100),
    ),
    presets={
        "well conditioned": {"over": "l1 ball, d = 60", "condition": 1},
        "badly conditioned": {"over": "nuclear ball, 6 × 6", "condition": 1000},
        "many bounds": {"over": "box, d = 60", "condition": 10},
        "nothing to project with": {"over": "Birkhoff, 8 × 8", "condition": 10},
    },
)
def project_or_not(*, over: str = "l1 ball, d = 60", condition: int = 100, method: Method | None = None) -> Scene:
    """The gap of three methods against the step, and how many pieces their iterates are made of."""
    runs = [(label, contest(run, over, condition)) for label, run in offered(over).items()]
    if "projected gradient" in dict(runs):
        runs += [(label, contest(run, over, condition)) for label, run in edited(method, projected_gradient)[1:]]
    colors = {label: i for i, label in enumerate(METHODS)}
    gaps, sizes = [], []
    for label, history in runs:
        style: dict[str, Any] = {"label": label, "color": colors.get(label, 3), "width": 1.8}
        t = np.arange(1, len(history))
        style["markers"] = len(t) < 3  # a single step is no line
        gaps.append(Line(t, np.maximum(least_gap(history)[1:], 1e-8), **style))
        sizes.append(Line(t, pieces(over, history["x"][1:]), **style))
    steps = Axis("step", "log", domain=(1.0, float(STEPS)))
    measure = MEASURES.get(over.replace(",", "").split()[0], "nonzeros")
    return Scene(
        (
            Panel(steps, Axis("least gap so far", "log", domain=(1e-8, 1e3)), tuple(gaps), title="the gap"),
            Panel(steps, Axis(measure, domain=(0.0, _most(over))), tuple(sizes), title="what an iterate is made of"),
        ),
        _contest_sentence(over, condition, runs, measure),
    )


def _most(over: str) -> float:
    return 6.5 if over.startswith("nuclear") else 66.0


def _contest_sentence(over: str, condition: int, runs: list[tuple[str, History]], measure: str) -> str:
    told = []
    for label, history in runs:
        k = steps_to(history, 1e-3)
        reached, steps = ("1e-3", k) if k is not None else (f"{least_gap(history)[-1]:.1g}", len(history) - 1)
        size = int(pieces(over, history["x"][-1:])[0])
        made = f"rank {size}" if measure == "rank" else f"{size} {measure}"
        told.append(f"{label}: a gap of {reached} after {steps} {'step' if steps == 1 else 'steps'}, {made} in the end")
    missing = "" if SETS[over].project is not None else " There is no projection."
    runs_told = "; ".join(told)
    return f"{over[0].upper()}{over[1:]}, condition number {condition}. {runs_told[0].upper()}{runs_told[1:]}.{missing}"


# ------------------------------------------------------------------------------------------------- the price

RATIOS = (1, 3, 10, 30, 100, 300)
PROJECTABLE = tuple(over for over, feasible in SETS.items() if feasible.project is not None)


CASES = {
    f"{over.split(',')[0]}, κ = {condition}": (over, condition)
    for over in PROJECTABLE
    for condition in (10, 1000)
    if not (over.startswith("box") and condition == 1000)
}


def price(history: History, tol: float, ratio: float) -> float | None:
    """What the run cost down to the tolerance: a gradient 1, a linear minimisation 1, a projection ``ratio``."""
    k = steps_to(history, tol)
    return None if k is None else float(history.cost(lmo=1.0, project=ratio)[k])


def break_even(over: str, condition: float, tol: float) -> float | None:
    """The ratio at which the projected gradient method costs as much as the cheapest of the others; None without one."""
    runs = {label: contest(run, over, condition) for label, run in offered(over).items()}
    others = [cost for label, run in runs.items() if label != "projected gradient" and (cost := price(run, tol, 1.0))]
    steps = steps_to(runs["projected gradient"], tol)
    if not others or not steps:
        return None
    return (min(others) - float(runs["projected gradient"].cost()[steps])) / steps


@view(
    title="The price of a projection",
    chapter="frank_wolfe/projection",
    methods=("projected_gradient", "away_step", "frank_wolfe"),
    controls=(
        Choice("case", tuple(CASES), "problem", "nuclear ball, κ = 1000"),
        Choice("accuracy", ("1e-1", "1e-2", "1e-3", "1e-4"), "gap", "1e-2"),
        Slider("ratio", RATIOS, "projection / linear minimisation", 10),
    ),
    presets={
        "roughly, with a dear projection": {"case": "nuclear ball, κ = 1000", "accuracy": "1e-2", "ratio": 30},
        "well conditioned": {"case": "nuclear ball, κ = 10", "accuracy": "1e-3", "ratio": 10},
        "a cheap projection": {"case": "box, κ = 10", "accuracy": "1e-1", "ratio": 1},
    },
)
def price_of_projection(
    *,
    case: str = "nuclear ball, κ = 1000",
    accuracy: str = "1e-2",
    ratio: int = 10,
    method: Method | None = None,
) -> Scene:
    """The gap against what was paid for it, and the price of one accuracy as projections become dearer."""
    (over, condition), tol, ratios = CASES[case], float(accuracy), np.geomspace(1.0, RATIOS[-1], 25)
    runs = [(label, contest(run, over, condition)) for label, run in offered(over).items()]
    runs += [(label, contest(run, over, condition)) for label, run in edited(method, projected_gradient)[1:]]
    colors = {label: i for i, label in enumerate(METHODS)}
    gaps: list[Any] = [Rule(y=tol)]
    prices: list[Any] = [Rule(x=float(ratio))]
    for label, history in runs:
        style: dict[str, Any] = {"label": label, "color": colors.get(label, 3), "width": 1.8}
        gaps.append(Line(history.cost(lmo=1.0, project=float(ratio))[1:], least_gap(history)[1:], **style))
        paid = [price(history, tol, r) for r in ratios]
        if None not in paid:
            prices.append(Line(ratios, np.asarray(paid), **style))
    cost = Axis("cost, in gradients", "log", domain=(1.0, 1e5))
    return Scene(
        (
            Panel(cost, Axis("least gap so far", "log", domain=(1e-8, 1e3)), tuple(gaps), title="the gap, by its price"),
            Panel(
                Axis("projection / linear minimisation", "log", domain=(1.0, float(RATIOS[-1]))),
                Axis(f"cost of a gap of {accuracy}", "log", domain=(1.0, 1e5)), tuple(prices), title="the break-even",
            ),
        ),
        _price_sentence(case, accuracy, ratio, runs),
    )  # fmt: skip


def _price_sentence(case: str, accuracy: str, ratio: int, runs: list[tuple[str, History]]) -> str:
    paid = {label: price(history, float(accuracy), float(ratio)) for label, history in runs}
    told = [
        f"{label} {cost:.0f}" if cost is not None else f"{label} does not get there" for label, cost in paid.items()
    ]
    even = break_even(*CASES[case], float(accuracy))
    if even is None:
        verdict = "There is no break-even: none of the others gets there in 300 steps."
    elif even > 0.0:
        verdict = (
            f"Projecting is the cheaper choice while a projection costs less than {even:.3g} linear minimisations."
        )
    else:
        verdict = "Projecting would not be the cheaper choice even if it were free."
    return (
        f"{case[0].upper()}{case[1:]}, a projection at {ratio} linear {'minimisation' if ratio == 1 else 'minimisations'}: "
        f"a gap of {accuracy} costs, in gradients: {', '.join(told)}. {verdict}"
    )
