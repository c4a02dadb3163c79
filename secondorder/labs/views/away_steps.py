"""The pictures of the chapter on away steps. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, Literal

import numpy as np

from secondorder import sets
from secondorder.frank_wolfe import away_step, blended_pairwise, frank_wolfe, pairwise
from secondorder.history import History
from secondorder.labs.scene import Axis, Band, Choice, Field, Line, Panel, Rule, Scene, Slider, Text, view
from secondorder.labs.views.newton import Method, edited
from secondorder.oracles import Problem
from secondorder.run import minimize

METHODS: dict[str, Method] = {
    "Frank–Wolfe": frank_wolfe,
    "away steps": away_step,
    "pairwise": pairwise,
    "blended pairwise": blended_pairwise,
}
NAMES = tuple(method.method.name for method in METHODS.values())  # type: ignore[attr-defined]
CORNERS = np.asarray([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
CORNER_NAMES = ("(−1, 0)", "(1, 0)", "(0, 1)")
TARGETS = {"on a side": (0.2137, -0.5), "inside": (0.2137, 0.3), "at a corner": (1.4, -0.5)}
"""Where the point of the triangle nearest to b lies, and b."""
B1 = TARGETS["on a side"][0]


def nearest_point(b: Any, constraint: sets.FeasibleSet, x0: Any = None, f_star: float | None = None) -> Problem:
    """The squared distance from b, on a set."""
    b = np.asarray(b, dtype=float)
    return Problem(
        lambda x: float((x - b) @ (x - b)), lambda x: 2.0 * (x - b), x0=x0, constraint=constraint, f_star=f_star,
        name="nearest point", fresh=True,
    )  # fmt: skip


@functools.lru_cache(maxsize=8)
def triangle(answer: str = "on a side") -> Problem:
    """The squared distance from b on the triangle with the corners (±1, 0) and (0, 1), from the corner (0, 1)."""
    f_star = {"on a side": 0.25, "inside": 0.0, "at a corner": 0.41}[answer]
    return nearest_point(TARGETS[answer], sets.Hull(CORNERS), [0.0, 1.0], f_star)


@functools.lru_cache(maxsize=64)
def triangle_run(method: Method, answer: str, steps: int = 12) -> History:
    """At most ``steps`` steps of ``method`` with exact line search, to a gap of 1e-12."""
    return minimize(triangle(answer), method, step_rule="exact", tol=1e-12, steps=steps, keep=("x", "vertex"))


def shares(x: np.ndarray) -> np.ndarray:
    """The weights of a point of the triangle: there is only one way to combine it from the three corners."""
    return np.linalg.solve(np.vstack([CORNERS.T, np.ones(3)]), np.append(x, 1.0))


@view(
    title="Weights that move",
    chapter="frank_wolfe/away_steps",
    methods=NAMES,
    controls=(
        Choice("run", tuple(METHODS), "method", "Frank–Wolfe"),
        Slider("step", tuple(range(13)), "step", 4),
        Choice("answer", tuple(TARGETS), "the answer lies", "on a side"),
    ),
    presets={
        "the zig-zag": {"run": "Frank–Wolfe", "step": 12, "answer": "on a side"},
        "one step back": {"run": "away steps", "step": 3, "answer": "on a side"},
        "a swap": {"run": "pairwise", "step": 2, "answer": "on a side"},
        "an answer inside": {"run": "Frank–Wolfe", "step": 12, "answer": "inside"},
    },
)
def triangle_weights(
    *, run: str = "Frank–Wolfe", step: int = 4, answer: str = "on a side", method: Method | None = None
) -> Scene:
    """The path on a triangle, and the weight of each of its corners."""
    runs = [(name, triangle_run(this, answer)) for name, this in edited(method, METHODS[run])]
    history = runs[0][1]
    k = min(step, len(history) - 1)
    b, X, Y = TARGETS[answer], np.linspace(-1.3, 1.6, 59), np.linspace(-0.7, 1.25, 40)
    Z = (X[None, :] - b[0]) ** 2 + (Y[:, None] - b[1]) ** 2
    around = CORNERS[[0, 1, 2, 0]]
    marks: list[Any] = [
        Field(X, Y, Z, np.asarray([0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0])),
        Line(around[:, 0], around[:, 1], color="muted", width=1.5),
        Line([b[0]], [b[1]], label="b", color="muted", markers=True, line=False),
    ]
    for color, (name, this) in enumerate(runs):
        path = this["x"][: step + 1]
        marks.append(Line(path[:, 0], path[:, 1], label=name, color=color, markers=True, width=1.5))
    vertex, used = history["vertex"][k], CORNERS[shares(history["x"][k]) > 1e-12]
    marks.append(Line(used[:, 0], used[:, 1], label="corners in use", color=2, markers=True, line=False))
    marks.append(Line(vertex[:1], vertex[1:], label="the oracle's answer", color=4, markers=True, line=False))
    marks.append(Text([-1.2, 0.85, 0.05], [-0.24, -0.24, 1.04], CORNER_NAMES))
    weights = np.clip(shares(history["x"][k]), 0.0, None)
    bars: list[Any] = []
    for i, weight in enumerate(weights):
        color, sides = 3 if i == 2 else 2, np.asarray([i - 0.3, i - 0.3, i + 0.3, i + 0.3])
        bars.append(Band(sides[1:3], np.zeros(2), np.full(2, weight), color=color))
        bars.append(Line(sides, [0.0, weight, weight, 0.0], color=color, width=1.5))
    bars.append(Text(np.arange(3) - 0.3, weights, tuple(map(_short, weights))))
    bars.append(Text(np.arange(3) - 0.3, np.full(3, 1.14), CORNER_NAMES))
    return Scene(
        (
            Panel(
                Axis("x₁", domain=(-1.3, 1.6)), Axis("x₂", domain=(-0.7, 1.25)), tuple(marks), title="the path", equal=True
            ),
            Panel(
                Axis("corner", domain=(-0.5, 3.1)),
                Axis("weight", domain=(0.0, 1.27)),
                tuple(bars),
                title="the weights of the corners",
            ),
        ),
        _triangle_sentence(run, history, k, answer, weights),
    )  # fmt: skip


def _short(weight: float) -> str:
    return f"{weight:.0e}" if 0.0 < weight < 5e-4 else f"{weight:.3f}"


MOVES = {
    "frank_wolfe": "goes towards a vertex",
    "away": "goes away from a vertex",
    "drop": "takes the last weight from a vertex",
    "pairwise": "moves weight from one vertex to another",
    "swap": "moves the whole weight of a vertex to a new one",
}


def _triangle_sentence(run: str, history: History, k: int, answer: str, weights: np.ndarray) -> str:
    if k == 0:
        did = f"{run} starts at the corner (0, 1)"
    else:
        row = history.rows[k]
        move = MOVES[row.get("move", "frank_wolfe")]
        did = f"step {k} of {run} {move}, with step size {row['step_size']:.2g}"
    done = ", and the run is finished" if k == len(history) - 1 and history.status == "converged" else ""
    return (
        f"The answer lies {answer}: {did}{done}. The weights of (−1, 0), (1, 0) and (0, 1) are "
        f"{weights[0]:.3g}, {weights[1]:.3g} and {weights[2]:.3g}; the Frank–Wolfe gap is {max(history['gap'][k], 0.0):.2g}."
    )


# ------------------------------------------------------------------------------------------- gap and active set, larger

CASES = ("lasso, 200 features", "permutations, n = 12")
RULES: dict[str, Literal["short", "exact"]] = {"short step": "short", "exact search": "exact"}


@functools.lru_cache(maxsize=4)
def case_problem(case: str) -> Problem:
    """Least squares with 200 features on an ℓ1 ball from a corner, or the projection onto the Birkhoff polytope."""
    rng = np.random.default_rng(0)
    if case == CASES[1]:
        return nearest_point(rng.standard_normal(144), sets.Birkhoff(12), np.eye(12).ravel())
    A, signal = rng.standard_normal((100, 200)) / 10.0, np.zeros(200)
    signal[rng.permutation(200)[:20]] = rng.standard_normal(20)
    b = A @ signal + 0.05 * rng.standard_normal(100)
    radius = 0.8 * float(np.abs(signal).sum())
    return Problem(
        lambda x: 0.5 * float((A @ x - b) @ (A @ x - b)), lambda x: A.T @ (A @ x - b), lambda x: A.T @ A,
        x0=radius * np.eye(200)[0], constraint=sets.L1Ball(200, radius), name="lasso", fresh=True,
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def case_run(method: Method, case: str, rule: str) -> History:
    """The run to a gap of 1e-8, of at most 1500 steps (Frank–Wolfe: 600)."""
    steps = 600 if method is frank_wolfe else 1500
    return minimize(case_problem(case), method, step_rule=RULES[rule], tol=1e-8, steps=steps)


def thinned(values: np.ndarray, most: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Steps, at most about ``most`` of them and evenly spread, with their values."""
    k = np.unique(np.round(np.linspace(0, len(values) - 1, min(most, len(values)))).astype(int))
    return k, np.asarray(values)[k]


@view(
    title="The gap, and the number of vertices in use",
    chapter="frank_wolfe/away_steps",
    methods=NAMES,
    controls=(
        Choice("case", CASES, "problem", CASES[0]),
        Choice("rule", tuple(RULES), "step size", "exact search"),
        Choice("scale", ("linear", "logarithmic"), "step axis", "linear"),
    ),
    presets={
        "straight lines": {"scale": "linear"},
        "slope −1": {"scale": "logarithmic"},
        "permutations": {"case": CASES[1]},
    },
)
def active_set_rates(
    *, case: str = CASES[0], rule: str = "exact search", scale: str = "linear", method: Method | None = None
) -> Scene:
    """The least gap so far against steps, and the size of the active set, of all four methods."""
    runs = {name: case_run(this, case, rule) for name, this in METHODS.items()}
    for label, this in edited(method, away_step)[1:]:
        runs[label] = case_run(this, case, rule)
    gaps, sizes = [], []
    shift = 1 if scale == "logarithmic" else 0
    for color, (name, history) in enumerate(runs.items()):
        k, least = thinned(np.minimum.accumulate(history["gap"]))
        gaps.append(Line(k + shift, np.maximum(least, 1e-9), label=name, color=color))
        if "active" in history.names:
            k, active = thinned(history["active"])
            sizes.append(Line(k + shift, active, label=name, color=color))
    most = max(len(history) for history in runs.values())
    across = Axis(
        "step + 1" if shift else "step",
        "log" if shift else "linear",
        domain=(0.9, 1.2 * most) if shift else (0.0, 1.02 * most),
    )
    top = max(float(history["active"].max()) for history in runs.values() if "active" in history.names)
    return Scene(
        (
            Panel(
                across, Axis("least Frank–Wolfe gap so far", "log", domain=(1e-9, 1e3)),
                (*gaps, Rule(y=1e-8, label="1e-8", dash=False)), title="the certificate",
            ),
            Panel(across, Axis("vertices in use", domain=(0.0, 1.08 * top)), tuple(sizes), title="the active set"),
        ),
        _rates_sentence(case, rule, scale, runs),
    )  # fmt: skip


STRAIGHT = {"linear": "a constant factor a step", "logarithmic": "a power of the step"}


def _rates_sentence(case: str, rule: str, scale: str, runs: dict[str, History]) -> str:
    plain = runs["Frank–Wolfe"]
    ways = [
        f"{name} in {len(history) - 1} steps with at most {history['active'].max():.0f} vertices in use"
        for name, history in runs.items()
        if "active" in history.names and history.status == "converged"
    ]
    return (
        f"{case[0].upper()}{case[1:]}, {rule}: after {len(plain) - 1} steps Frank–Wolfe has brought the gap to "
        f"{plain['gap'].min():.1g}. The others reach 1e-8: {', '.join(ways[:-1])} and {ways[-1]}. "
        f"On a {scale} axis {STRAIGHT[scale]} is a straight line."
    )


# ----------------------------------------------------------------------------------------------------- pyramidal width

DIMENSIONS = (8, 16, 32, 64)
POLYTOPES = ("simplex", "cube")
CURVATURES = (1.0, 4.0)


def width(polytope: str, d: int) -> float:
    """The pyramidal width of the simplex, or of [0, 1]^d."""
    return 1.0 / math.sqrt(d) if polytope == "cube" else math.sqrt(1.0 / (d // 2) + 1.0 / (d - d // 2))


def pyramidal_width(points: np.ndarray) -> float:
    """That of the hull of a few points, all of them vertices: the least distance of a face from the other vertices.

    A subset is a face where some direction is least on it alone, a linear program; the distance is the nearest point to 0
    in the hull of all differences, found by blended pairwise steps.
    """
    from scipy.optimize import linprog

    points = np.asarray(points, dtype=float)
    k, d = points.shape
    least = math.inf
    for size in range(1, k):
        for face in itertools.combinations(range(k), size):
            rest = [i for i in range(k) if i not in face]
            equal = points[list(face)] - points[face[0]]
            above = points[face[0]] - points[rest]
            if linprog(np.zeros(d), above, -np.ones(k - size), equal, np.zeros(size), bounds=(None, None)).status == 0:
                apart = (points[list(face)][:, None] - points[rest][None]).reshape(-1, d)
                differences = sets.Hull(apart)
                run = minimize(nearest_point(np.zeros(d), differences, apart[0]), "blended_pairwise", tol=1e-13)
                least = min(least, math.sqrt(run.f[-1]))
    return least


def promised_decrease(polytope: str, d: int) -> float:
    """μδ²/(4LD²), the share of the error that a step of away_step or blended_pairwise takes unless it is a drop."""
    diameter = math.sqrt(2.0 if polytope == "simplex" else d)
    return CURVATURES[0] * width(polytope, d) ** 2 / (4.0 * CURVATURES[1] * diameter**2)


@functools.lru_cache(maxsize=16)
def quadratic_on(polytope: str, d: int, seed: int = 0) -> Problem:
    r"""A quadratic with curvatures from 1 to 4 whose minimum over the polytope is known, on a face, from a vertex.

    At :math:`x^*` half of the coordinates are 0, and the gradient is 0 for the others and positive for these: with that
    :math:`x^*` is optimal, and the centre is :math:`x^*-H^{-1}\nabla f(x^*)`.
    """
    rng = np.random.default_rng([seed, d])
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    H = (Q * np.linspace(*CURVATURES, d)) @ Q.T
    answer, multipliers = np.zeros(d), np.zeros(d)
    free = d // 2
    answer[:free] = rng.dirichlet(np.full(free, 4.0)) if polytope == "simplex" else rng.uniform(0.2, 0.8, free)
    multipliers[free:] = rng.uniform(0.2, 1.0, d - free)
    center = answer - np.linalg.solve(H, multipliers)
    return Problem(
        lambda x: 0.5 * float((x - center) @ (H @ (x - center))), lambda x: H @ (x - center), lambda x: H,
        x0=np.eye(d)[-1] if polytope == "simplex" else np.ones(d),
        constraint=sets.Simplex(d) if polytope == "simplex" else sets.Box(np.zeros(d), np.ones(d)),
        f_star=0.5 * float((answer - center) @ (H @ (answer - center))), name=f"quadratic on the {polytope}", fresh=True,
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def width_run(method: Method, polytope: str, d: int) -> History:
    """The run with exact line search to a gap of 1e-10."""
    return minimize(quadratic_on(polytope, d), method, step_rule="exact", tol=1e-10, steps=3000)


def measured_decrease(history: History) -> float:
    """The share of the error that a step takes on average, from the start to an error of 1e-10 of the first."""
    h = history.primal_gap
    last = max(1, int(np.argmax(h <= 1e-10 * h[0])) if np.any(h <= 1e-10 * h[0]) else len(h) - 1)
    return -math.expm1(math.log(max(h[last], 1e-16) / h[0]) / last)


@view(
    title="The pyramidal width, promised and measured",
    chapter="frank_wolfe/away_steps",
    methods=("away_step", "pairwise", "blended_pairwise"),
    controls=(
        Choice("polytope", POLYTOPES, "polytope", "simplex"),
        Slider("d", DIMENSIONS, "dimension d", 8),
        Choice("run", tuple(METHODS)[1:], "method", "away steps"),
    ),
    presets={
        "the simplex": {"polytope": "simplex", "d": 8},
        "a cube of 64 dimensions": {"polytope": "cube", "d": 64},
    },
)
def width_bound(
    *, polytope: str = "simplex", d: int = 8, run: str = "away steps", method: Method | None = None
) -> Scene:
    """The error at every step beside its bound, and the share that a step takes against the dimension."""
    runs = [(name, width_run(this, polytope, d)) for name, this in edited(method, METHODS[run])]
    history, rate = runs[0][1], promised_decrease(polytope, d)
    k = np.arange(len(history))
    bound = history.primal_gap[0] * (1.0 - rate) ** (0.5 * k)
    whom = " to the other two" if run == "pairwise" else ""  # what is promised to pairwise steps has a factorial in it
    errors: list[Any] = [Line(*thinned(bound), label="promised" + whom, color="muted", dash=True)]
    takes: list[Any] = [
        Line(DIMENSIONS, [-math.expm1(0.5 * math.log1p(-promised_decrease(polytope, n))) for n in DIMENSIONS],
             label="promised" + whom, color="muted", dash=True, markers=True)
    ]  # fmt: skip
    for color, (name, this) in enumerate(runs):
        errors.append(
            Line(*thinned(np.where(this.primal_gap > 1e-13, this.primal_gap, np.nan)), label=name, color=color)
        )
        which = edited(method, METHODS[run])[color][1]
        shown = [measured_decrease(width_run(which, polytope, n)) for n in DIMENSIONS]
        takes.append(Line(DIMENSIONS, shown, label=name, color=color, markers=True))
    takes.append(Rule(x=float(d), label=f"d = {d}"))
    return Scene(
        (
            Panel(
                Axis("step", domain=(0.0, 1.03 * len(history))), Axis("f − f*", "log", domain=(1e-13, 1e3)), tuple(errors),
                title="the error",
            ),
            Panel(
                Axis("dimension d", domain=(0.0, 70.0)),
                Axis("share of the error that a step takes", "log", domain=(3e-6, 1.5)), tuple(takes), title="a step",
            ),
        ),
        f"The {polytope} in {d} dimensions has pyramidal width {width(polytope, d):.3g}. {run[0].upper()}{run[1:]}: "
        f"{len(history) - 1} steps, of which each takes {100.0 * measured_decrease(history):.2g} % of the error on average; "
        f"promised{whom} {100.0 * -math.expm1(0.5 * math.log1p(-rate)):.2g} %.",
    )  # fmt: skip
