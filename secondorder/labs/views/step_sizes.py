"""The pictures of the chapter on step sizes. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from secondorder import problems
from secondorder.frank_wolfe import blended_pairwise, frank_wolfe
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Rule, Scene, Slider, Text, view
from secondorder.labs.views.newton import Method, edited
from secondorder.measure import measured_rate
from secondorder.oracles import Problem
from secondorder.run import minimize
from secondorder.sets import FeasibleSet, Hull, L1Ball, L2Ball

CORNERS = np.asarray([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
ROUND = np.asarray([0.8, 0.6])
RULES: dict[str, dict[str, Any]] = {
    "open loop": {},
    "exact line search": {"step_rule": "exact"},
    "backtracking": {"step_rule": "short"},
}
STEPS = (0, 1, 2, 3, 5, 8, 13, 21, 34)
LONG = 2000


class Place(NamedTuple):
    """A set, a quadratic by its target and its Hessian, a start, and the answer."""

    feasible: FeasibleSet
    H: np.ndarray
    target: np.ndarray
    x0: np.ndarray
    x_star: np.ndarray

    def problem(self) -> Problem:
        """Half the squared distance to the target, in the metric of H."""
        H, target = self.H, self.target
        problem = Problem(
            lambda x: 0.5 * float((x - target) @ H @ (x - target)),
            lambda x: H @ (x - target),
            lambda x: H,
            x0=self.x0,
            constraint=self.feasible,
            name="distance",
        )
        problem.f_star = float(problem.f(self.x_star))
        return problem


def _place(feasible: FeasibleSet, H: Any, target: Any, x0: Any, x_star: Any) -> Place:
    return Place(feasible, *(np.asarray(part, dtype=float) for part in (H, target, x0, x_star)))


DISC, TILTED, SHEARED = L2Ball(2), np.diag([1.0, 3.0]), np.asarray([[1.0, 1.5], [1.5, 4.0]])
CORNER, LEANING = CORNERS[1], np.asarray([[1.0, 1.2], [1.2, 3.0]])
PLACES: dict[str, Place] = {
    "below the base": _place(Hull(CORNERS), np.eye(2), [0.2137, -0.5], [0, 1], [0.2137, 0]),
    "below the base, sheared": _place(Hull(CORNERS), SHEARED, [0.3637, -0.1], [-1, 0], [0.2137, 0]),
    "inside the triangle": _place(Hull(CORNERS), np.eye(2), [0.15, 0.35], [0, 1], [0.15, 0.35]),
    "beyond a corner": _place(Hull(CORNERS), LEANING, CORNER + np.linalg.solve(LEANING, [0.4, 0.3]), [-1, 0], CORNER),
    "outside the disc": _place(DISC, TILTED, ROUND + np.linalg.solve(TILTED, ROUND), [-1, 0], ROUND),
    "inside the disc": _place(DISC, TILTED, [0.35, 0.2], [-1, 0], [0.35, 0.2]),
}
PROMISED = {
    "below the base, sheared": (1.0, 2.0, 2.0, 2.0),
    "inside the triangle": (2.0, 2.0, 2.0, 2.0),
    "beyond a corner": (1.0, 2.0, 4.0, 8.0),
    "outside the disc": (1.0, 2.0, 4.0, 8.0),
    "inside the disc": (2.0, 2.0, 2.0, 2.0),
}
"""The exponent p of f − f* = O(t^−p) for ℓ = 1, 2, 4, 8."""
ELLS = (1, 2, 4, 8)


@functools.lru_cache(maxsize=256)
def place_run(method: Method, place: str, rule: str, steps: int = 300, ell: float = 2.0) -> History:
    """A run to the last step, and not only to a tolerance."""
    hyper = {"ell": ell} if rule == "open loop" else RULES[rule]
    return minimize(PLACES[place].problem(), method, tol=0.0, steps=steps, keep=("x", "vertex", "step_size"), **hyper)


def outline(feasible: FeasibleSet) -> np.ndarray:
    """The boundary of a set of the plane, as its oracle answers round the clock."""
    if feasible.polytope:
        return np.vstack([CORNERS, CORNERS[:1]])
    angles = np.linspace(0.0, 2.0 * np.pi, 97)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _errors(history: History, floor: float = 1e-15) -> np.ndarray:
    return np.where(history.primal_gap > floor, history.primal_gap, np.nan)


@view(
    title="Three rules, one target",
    chapter="frank_wolfe/step_sizes",
    methods=("frank_wolfe",),
    controls=(
        Choice("place", tuple(PLACES), "target", "below the base"),
        Choice("rule", tuple(RULES), "step size", "exact line search"),
        Slider("step", STEPS, "steps", 8, live=tuple(range(61))),
    ),
    presets={
        "zig-zag": {"place": "below the base", "rule": "exact line search", "step": 13},
        "the open loop there": {"place": "below the base", "rule": "open loop", "step": 13},
        "inside": {"place": "inside the triangle", "rule": "exact line search", "step": 13},
        "a disc": {"place": "outside the disc", "rule": "exact line search", "step": 5},
        "a disc, open loop": {"place": "outside the disc", "rule": "open loop", "step": 5},
    },
)
def step_rules(
    *,
    place: str = "below the base",
    rule: str = "exact line search",
    step: int = 8,
    method: Method | None = None,
) -> Scene:
    """The path of one rule in the plane, and the errors of all three."""
    here, history = PLACES[place], place_run(frank_wolfe, place, rule)
    shown = min(step, len(history) - 1)
    edge = outline(here.feasible)
    X, Y = np.linspace(-1.25, 1.7, 48), np.linspace(-1.1, 1.3, 40)
    dx, dy = X[None, :] - here.target[0], Y[:, None] - here.target[1]
    Z = 0.5 * (here.H[0, 0] * dx**2 + 2.0 * here.H[0, 1] * dx * dy + here.H[1, 1] * dy**2)
    marks: list[Any] = [
        Field(X, Y, Z, [0.02, 0.08, 0.2, 0.4, 0.8, 1.5, 3.0]),
        Line(edge[:, 0], edge[:, 1], color="muted", width=1.5),
    ]
    if shown < len(history) - 1:
        x, vertex = history["x"][shown], history["vertex"][shown]
        marks.append(Line([x[0], vertex[0]], [x[1], vertex[1]], label="to the next vertex", color="muted", dash=True))
    curves: list[Any] = []
    for color, name in enumerate(RULES):
        for number, (label, run) in enumerate(edited(method, frank_wolfe)):
            h = place_run(run, place, name)
            if name == rule:
                path = h["x"][: shown + 1]
                tag, tint = (f"path, {label}", 3) if number else ("path", color)
                marks.append(Line(path[:, 0], path[:, 1], label=tag, color=tint, markers=True, width=1.5))
            elif number:
                continue
            tag, tint = (label, 3) if number else (name, color)
            t = np.arange(1, len(h))
            width, few = 3.0 if name == rule else 1.5, len(h) < 10  # a curve of one point is seen by its marker only
            curves.append(Line(t, _errors(h)[1:], label=tag, color=tint, width=width, markers=few))
    marks.append(Text([here.target[0]], [here.target[1]], ("target",)))
    marks.append(Line([here.target[0]], [here.target[1]], color=4, markers=True, line=False))
    if shown:
        curves.append(Rule(x=float(shown)))
    return Scene(
        (
            Panel(Axis("x₁", domain=(-1.25, 1.7)), Axis("x₂", domain=(-1.1, 1.3)), tuple(marks), "the path", equal=True),
            Panel(
                Axis("step t", "log", domain=(1.0, 300.0)), Axis("f(x) − f*", "log", domain=(1e-9, 10.0)),
                tuple(curves), title="the error",
            ),
        ),
        _rule_sentence(place, rule, step, history),
    )  # fmt: skip


def _rule_sentence(place: str, rule: str, step: int, history: History) -> str:
    shown = min(step, len(history) - 1)
    others = " and ".join(
        f"{_number(place_run(frank_wolfe, place, name), step)} with {name}" for name in RULES if name != rule
    )
    count = f"{shown} step" + "s" * (shown != 1)
    end = ", its last since the gap is zero," if shown == len(history) - 1 else ""
    return (
        f"Target {place}. After {count}{end} with {rule}, f − f* is {_number(history, shown)}, and the Frank–Wolfe "
        f"gap vouches for {max(history['gap'][shown], 0.0):.1e}. At step {step} f − f* is {others}."
    )


def _number(history: History, step: int) -> str:
    error = history.primal_gap[min(step, len(history) - 1)]
    return f"{error:.1e}" if error > 1e-15 else "zero to rounding"


# --------------------------------------------------------------------------------------------------- the open loop


@view(
    title="What ℓ is good for",
    chapter="frank_wolfe/step_sizes",
    methods=("frank_wolfe",),
    controls=(
        Slider("ell", ELLS, "ℓ of the open loop", 2),
        Choice("place", tuple(PROMISED), "target", "below the base, sheared"),
    ),
    presets={
        "a long memory": {"ell": 1, "place": "below the base, sheared"},
        "ℓ = 2 is enough on a face": {"ell": 2, "place": "below the base, sheared"},
        "on the disc every ℓ counts": {"ell": 4, "place": "outside the disc"},
        "and inside none does": {"ell": 8, "place": "inside the disc"},
    },
)
def open_loop(*, ell: int = 2, place: str = "below the base, sheared", method: Method | None = None) -> Scene:
    """The error of the open loop with its exponent, and the weights of the vertices in the average that x is."""
    promised = PROMISED[place][ELLS.index(ell)]
    t, T = np.arange(1, LONG + 1), 50
    curves: list[Any] = []
    for color, (label, run) in enumerate(edited(method, frank_wolfe)):
        h = place_run(run, place, "open loop", LONG, float(ell))
        curves.append(Line(t[: len(h) - 1], _errors(h)[1:], label=f"f − f*, {label}", color=color))
    history = place_run(frank_wolfe, place, "open loop", LONG, float(ell))
    error, gap = _errors(history), np.where(history["gap"] > 1e-15, history["gap"], np.nan)
    k = np.arange(1, len(history))
    anchor = np.nanmax(error[20:60] * np.arange(20.0, min(60, len(error))) ** promised)
    curves += [
        Line(k, gap[1:], label="Frank–Wolfe gap", color=4, width=1.2),
        Line(k, anchor * k**-promised, label=f"slope −{promised:g}", color="muted", dash=True, width=1.5),
    ]
    others = iter((1, 2, 5))
    bars = [
        Line(np.arange(T), answer_weights(place_run(frank_wolfe, place, "open loop", T + 1, float(other)), T),
             label=f"ℓ = {other}", color=0 if other == ell else next(others), width=3.0 if other == ell else 1.2)
        for other in ELLS
    ]  # fmt: skip
    measured = measured_rate(error.tolist())
    return Scene(
        (
            Panel(
                Axis("step t", "log", domain=(1.0, float(LONG))), Axis("error and gap", "log", domain=(1e-12, 10.0)),
                tuple(curves), title="the error",
            ),
            Panel(
                Axis("answer number s", domain=(0.0, 50.0)), Axis("weight of the vertex vₛ in x₅₀", domain=(0.0, 0.17)),
                tuple(bars), title="the average",
            ),
        ),
        f"Target {place}, ℓ = {ell}: f − f* falls like t^−{measured.value:.2f} (± {measured.uncertainty:.1g}), "
        f"promised {promised:g}. In x after 50 steps the first vertex weighs "
        f"{answer_weights(history, T)[0]:.1e} and the last {answer_weights(history, T)[-1]:.2f}.",
    )  # fmt: skip


def answer_weights(history: History, steps: int) -> np.ndarray:
    """The weights of the first answers of the oracle in the point after as many steps."""
    step_size = history["step_size"][1 : steps + 1]
    kept = np.concatenate([np.cumprod((1.0 - step_size)[::-1])[::-1][1:], [1.0]])
    return step_size * kept


# ------------------------------------------------------------------------------------------------------- real data

RADII = (2, 5, 10)
DATA_RULES: dict[str, dict[str, Any]] = {
    "ℓ = 2": {},
    "ℓ = 4": {"ell": 4.0},
    "exact": {"step_rule": "exact"},
    "backtracking": {"step_rule": "short"},
}
ACROSS = ("steps", "gradient-equivalents")


@functools.lru_cache(maxsize=4)
def tumours(radius: int) -> Problem:
    """Logistic regression on 569 tumours with the 1-norm of the coefficients bounded, and its least value."""
    logistic = problems.logistic("breast_cancer", l2=0.0, standardize=True)
    problem = logistic.subject_to(L1Ball(logistic.x0.shape[0], float(radius)))
    problem.f_star = float(np.min(minimize(problem, blended_pairwise, tol=1e-10, step_rule="exact").f))
    return problem


@functools.lru_cache(maxsize=64)
def tumour_run(method: Method, radius: int, rule: str) -> History:
    return minimize(tumours(radius), method, tol=0.0, steps=500, **DATA_RULES[rule])


@view(
    title="Sparse coefficients for 569 tumours",
    chapter="frank_wolfe/step_sizes",
    methods=("frank_wolfe",),
    controls=(
        Slider("radius", RADII, "bound on ‖x‖₁", 10),
        Choice("across", ACROSS, "count", "steps"),
    ),
    presets={"in steps": {"across": "steps"}, "in gradients": {"across": "gradient-equivalents"}},
)
def searched_or_not(*, radius: int = 10, across: str = "steps", method: Method | None = None) -> Scene:
    """Error and gap of four rules, by steps or by what the searches pay."""
    panels = []
    for name, label, title in (
        ("primal_gap", "f(x) − f*", "the error"),
        ("gap", "least Frank–Wolfe gap so far", "the certificate"),
    ):
        curves = []
        for color, rule in enumerate(DATA_RULES):
            for number, (tag, run) in enumerate(edited(method, frank_wolfe)):
                if number and color:
                    continue
                h = tumour_run(run, radius, rule)
                y = h.primal_gap if name == "primal_gap" else np.minimum.accumulate(h["gap"])
                y = np.where(y > 1e-12, y, np.nan)
                x = np.arange(len(h)) if across == "steps" else h.cost()
                keep = np.unique(np.geomspace(1, len(h), 250).astype(int)) - 1
                text, tint, width = (tag, 5, 1.5) if number else (rule, color, 2.0)
                curves.append(Line(np.maximum(x[keep], 1), y[keep], label=text, color=tint, width=width))
        panels.append(
            Panel(
                Axis(across, "log", domain=(1.0, 5e3 if across != "steps" else 500.0)),
                Axis(label, "log", domain=(1e-10 if name == "primal_gap" else 1e-7, 20.0)), tuple(curves), title=title,
            )
        )  # fmt: skip
    loop, exact = (tumour_run(frank_wolfe, radius, rule) for rule in ("ℓ = 2", "exact"))
    trials = np.nanmean(exact["trials"])
    return Scene(
        tuple(panels),
        f"Bound {radius} on the 1-norm, {across} across: after 500 steps f − f* is {loop.primal_gap[-1]:.1e} with the open "
        f"loop, and {_number(exact, 500)} with the exact line search, which asks for {trials:.1f} gradients more a step. "
        f"The least gaps are {np.min(loop['gap']):.1e} and {max(np.min(exact['gap']), 0.0):.1e}.",
    )


# ---------------------------------------------------------------------------------------------------- the whole plane


def duel(feasible: FeasibleSet, x_star: np.ndarray, target: np.ndarray, steps: int = 100) -> float:
    """log₁₀ of the error of line search over that of the open loop, in the median of the last fifth of the steps.

    Both start at (0, ⅓). For half the squared distance the short step with constant 1 is the exact line search.
    """
    errors, rules = [], ({"step_rule": "short", "lipschitz": 1.0}, dict[str, Any]())
    for hyper in rules:
        problem = Place(feasible, np.eye(2), target, np.asarray([0.0, 1.0 / 3.0]), x_star).problem()
        history = minimize(problem, frank_wolfe, tol=0.0, steps=steps, **hyper)
        last = history.primal_gap[-max(len(history) // 5, 1) :]
        errors.append(max(float(np.median(last)), 1e-14))
    return float(np.log10(errors[0] / errors[1]))


def nearest_in(feasible: FeasibleSet, target: np.ndarray) -> np.ndarray:
    """The point of the triangle or of the disc nearest to the target."""
    if feasible.project is not None:
        return feasible.project(target)
    A = np.vstack([CORNERS.T, np.ones(3)])
    if np.all(np.linalg.solve(A, np.append(target, 1.0)) >= 0.0):
        return target
    points = []
    for start, end in zip(CORNERS, np.roll(CORNERS, -1, axis=0), strict=True):
        along = np.clip((target - start) @ (end - start) / ((end - start) @ (end - start)), 0.0, 1.0)
        points.append(start + along * (end - start))
    return min(points, key=lambda p: float((p - target) @ (p - target)))


@functools.lru_cache(maxsize=2)
def region(shape: str, columns: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid of targets and the outcome of the duel at each; 0 where both are exact."""
    feasible: FeasibleSet = Hull(CORNERS) if shape == "triangle" else L2Ball(2)
    low, high = (-0.8, 1.3) if shape == "triangle" else (-1.4, 1.4)
    X, Y = np.linspace(-1.62, 1.68, columns), np.linspace(low, high, rows)
    targets = [[np.asarray([x, y]) for x in X] for y in Y]
    return X, Y, np.asarray([[duel(feasible, nearest_in(feasible, b), b) for b in row] for row in targets])
