"""The pictures of the chapter on the conditional gradient idea. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder import sets
from secondorder.frank_wolfe import away_step, frank_wolfe
from secondorder.history import History
from secondorder.labs.scene import Axis, Band, Choice, Field, Line, Panel, Rule, Scene, Slider, Text, view
from secondorder.labs.views.newton import Method, edited
from secondorder.oracles import Problem
from secondorder.run import minimize
from secondorder.sets import FeasibleSet

# ------------------------------------------------------------------------------------------------- the linear problem

SETS: dict[str, FeasibleSet] = {
    "triangle": sets.Hull([[-1.2, -0.8], [1.2, -0.8], [0.0, 1.3]]),
    "square": sets.LinfBall(2),
    "l1 ball": sets.L1Ball(2, radius=1.3),
    "l2 ball": sets.L2Ball(2, radius=1.2),
    "l3 ball": sets.LpBall(2, p=3.0, radius=1.2),
    "hull of seven points": sets.Hull(
        [[-1.3, 0.1], [-0.9, -0.9], [0.2, -1.3], [1.3, -0.4], [1.1, 0.9], [-0.3, 1.2], [0.2, 0.1]]
    ),
}
ANGLES = tuple(range(0, 360, 15))


def direction(angle: float) -> np.ndarray:
    """The unit vector at an angle in degrees."""
    return np.asarray([math.cos(math.radians(angle)), math.sin(math.radians(angle))])


@functools.lru_cache(maxsize=16)
def answers(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Angles in degrees all around, and what the oracle answers to a gradient at each."""
    angles = np.arange(0.0, 360.5, 0.5)
    return angles, np.stack([SETS[name].lmo(direction(angle)) for angle in angles])


@view(
    title="The linear problem",
    chapter="frank_wolfe/frank_wolfe",
    controls=(
        Choice("over", tuple(SETS), "feasible set", "triangle"),
        Slider("angle", ANGLES, "direction of the gradient, degrees", 60, live=tuple(range(360))),
    ),
    presets={
        "another vertex": {"over": "triangle", "angle": 150},
        "a tie": {"over": "square", "angle": 90},
        "every direction its own": {"over": "l3 ball", "angle": 60},
    },
)
def linear_minimisation(*, over: str = "triangle", angle: int = 60) -> Scene:
    """Where a linear function is least on a set, as its gradient turns."""
    grad, (angles, vertices) = direction(angle), answers(over)
    vertex = SETS[over].lmo(grad)
    least, along = float(grad @ vertex), np.asarray([-grad[1], grad[0]])
    ends = np.stack([vertex - 4.0 * along, vertex + 4.0 * along])
    values = np.sum(np.stack([direction(a) for a in angles]) * vertices, axis=1)
    side = (-1.9, 1.9)
    plane = (
        Line(vertices[:, 0], vertices[:, 1], label="the set, by the oracle's answers", color="muted", width=1.5),
        Line(ends[:, 0], ends[:, 1], label="⟨g, y⟩ = ⟨g, v⟩", color=2, dash=True, width=1.5),
        Line([0.0, 0.5 * grad[0]], [0.0, 0.5 * grad[1]], label="gradient g", color=0),
        Line(vertex[:1], vertex[1:], label="answer v", color=1, markers=True, line=False),
        Text(0.5 * grad[:1], 0.5 * grad[1:], ("g",)),
        Text(vertex[:1], vertex[1:], ("v",)),
    )
    corners = SETS[over].vertices() if SETS[over].polytope else np.empty((0, 2))
    turning = np.stack([direction(a) for a in angles])
    curves: list[Any] = [
        Line(angles, turning @ corner, label=None if i else "⟨g, vertex⟩, each vertex", color="muted", width=1.0)
        for i, corner in enumerate(corners)
    ]
    return Scene(
        (
            Panel(Axis("x₁", domain=side), Axis("x₂", domain=side), plane, title="the set", equal=True),
            Panel(
                Axis("direction of g, degrees", domain=(0.0, 360.0)), Axis("least value of ⟨g, y⟩", domain=(-2.0, 2.0)),
                (
                    *curves, Line(angles, values, label="least: ⟨g, v⟩", color=1),
                    Line([float(angle)], [least], color=0, markers=True, line=False), Rule(x=float(angle)),
                ),
                title="the value",
            ),
        ),
        _linear_sentence(over, angle, vertex, least),
    )  # fmt: skip


def _linear_sentence(over: str, angle: int, vertex: np.ndarray, least: float) -> str:
    feasible, (angles, vertices) = SETS[over], answers(over)
    text = (
        f"On the {over}, with the gradient at {angle}°, the linear function is least at v = ({vertex[0]:.2f}, "
        f"{vertex[1]:.2f}), where it is {least:.2f}"
    )
    if not feasible.polytope:
        return text + "; the answer moves with every turn of the gradient."
    ties = np.count_nonzero(feasible.vertices() @ direction(angle) <= least + 1e-12)
    if ties > 1:
        return text + "; all of an edge is as good, and the oracle answers with one end."
    same = np.count_nonzero(np.all(np.abs(vertices[:-1] - vertex) < 1e-9, axis=1)) * float(angles[1])
    return text + f"; the same vertex is the answer over about {same:.0f}° of directions."


# ------------------------------------------------------------------------------------------------- the method

PENTAGON = np.asarray([[-1.7, -0.5], [-0.9, 1.3], [0.9, 1.4], [1.8, 0.0], [0.4, -1.4]])
TARGETS = {"interior": ((0.35, 0.15), 1), "face": ((-1.1, -1.93), 1), "vertex": ((2.17, -0.255), 2)}
"""The point whose distance is minimised, and the vertex that the run starts from."""
RULES: dict[str, dict[str, Any]] = {"open loop": {}, "exact line search": {"step_rule": "exact"}}
STEPS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200)


@functools.lru_cache(maxsize=8)
def nearest_point(target: str) -> Problem:
    """Half the squared distance from one of ``TARGETS``, on the pentagon."""
    b, first = np.asarray(TARGETS[target][0]), TARGETS[target][1]
    problem = Problem(
        lambda x: float(0.5 * np.sum((x - b) ** 2)),
        lambda x: x - b,
        constraint=sets.Hull(PENTAGON),
        x0=PENTAGON[first],
        name=f"target in the {target}",
    )
    problem.x_star = minimize(problem, away_step, tol=1e-14, step_rule="exact").x
    problem.f_star = problem.f(problem.x_star)
    return problem


@functools.lru_cache(maxsize=64)
def path(method: Method, target: str, rule: str) -> History:
    """The run of ``method``, as far as the last of ``STEPS``."""
    return minimize(nearest_point(target), method, tol=0.0, steps=STEPS[-1], keep=("x", "vertex"), **RULES[rule])


def weights(history: History, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weight of each vertex in each iterate of a run from a vertex, and the number of the vertex each step took."""
    chosen = np.asarray([int(np.argmin(np.sum((vertices - v) ** 2, axis=1))) for v in history["vertex"]])
    first = int(np.argmin(np.sum((vertices - history["x"][0]) ** 2, axis=1)))
    rows = [np.eye(len(vertices))[first]]
    for vertex, step_size in zip(chosen, history["step_size"][1:], strict=False):
        rows.append((1.0 - step_size) * rows[-1] + step_size * np.eye(len(vertices))[vertex])
    return np.stack(rows), chosen


@view(
    title="Vertices light up, weights move",
    chapter="frank_wolfe/frank_wolfe",
    methods=("frank_wolfe",),
    controls=(
        Choice("target", tuple(TARGETS), "minimum in", "face"),
        Choice("rule", tuple(RULES), "step size", "open loop"),
        Slider("step", STEPS, "steps", 4, live=tuple(range(STEPS[-1] + 1))),
    ),
    presets={
        "inside": {"target": "interior", "rule": "open loop", "step": 10},
        "on a face, line search": {"target": "face", "rule": "exact line search", "step": 10},
        "at a vertex": {"target": "vertex", "rule": "open loop", "step": 3},
    },
)
def conditional_gradient(
    *, target: str = "face", rule: str = "open loop", step: int = 4, method: Method | None = None
) -> Scene:
    """The path of Frank–Wolfe in a pentagon, the weights of the vertices, and the gap above the error."""
    problem = nearest_point(target)
    runs = [(label, path(run, target, rule)) for label, run in edited(method, frank_wolfe)]
    history = runs[0][1]
    k = min(step, len(history) - 1)
    shares, chosen = weights(history, PENTAGON)
    return Scene(
        (
            _pentagon_panel(problem, runs, step, int(chosen[k])),
            _weights_panel(shares[k], int(chosen[k])),
            _certificate_panel(problem, runs, k),
        ),
        _path_sentence(target, rule, step, history, problem, shares[k], int(chosen[k])),
    )


def _pentagon_panel(problem: Problem, runs: list[tuple[str, History]], step: int, vertex: int) -> Panel:
    X, Y = np.linspace(-2.1, 2.3, 45), np.linspace(-1.8, 1.9, 38)
    b = problem.x0 - problem.grad(problem.x0)
    Z = 0.5 * ((X[None, :] - b[0]) ** 2 + (Y[:, None] - b[1]) ** 2)
    x, closed, star = runs[0][1]["x"], np.vstack([PENTAGON, PENTAGON[:1]]), np.asarray(problem.x_star)
    k = min(step, len(x) - 1)
    marks: list[Any] = [
        Field(X, Y, Z, 0.5 * np.arange(0.5, 6.0, 0.5) ** 2),
        Line(closed[:, 0], closed[:, 1], color="muted", width=1.5),
        Line([x[k, 0], PENTAGON[vertex, 0]], [x[k, 1], PENTAGON[vertex, 1]], label="to the answer v", color=2, dash=True,
             width=1.5),
    ]  # fmt: skip
    for color, (label, history) in enumerate(runs):
        points = history["x"][: step + 1]
        marks.append(Line(points[:, 0], points[:, 1], label=label, color=color, markers=True, width=1.2))
    marks += [
        Line(star[:1], star[1:], label="minimum", color=3, markers=True, line=False),
        Text(PENTAGON[:, 0], PENTAGON[:, 1], tuple("12345")),
    ]
    ends = (Axis("x₁", domain=(-2.1, 2.3)), Axis("x₂", domain=(-1.8, 1.9)))
    return Panel(*ends, tuple(marks), title="the path", equal=True)


def _weights_panel(share: np.ndarray, vertex: int) -> Panel:
    marks: list[Any] = []
    for i, weight in enumerate(share.tolist()):
        if weight == 0.0 and i != vertex:
            continue
        color, edges = 2 if i == vertex else 0, np.asarray([i + 0.65, i + 1.35])
        marks.append(Band(edges, np.zeros(2), np.full(2, weight), color=color))
        marks.append(
            Line(edges[[0, 0, 1, 1]], [0.0, weight, weight, 0.0], color=color, width=2.0,
                 label="answer v" if i == vertex else None)
        )  # fmt: skip
    marks.append(Text(np.arange(1, 6), share, tuple("12345")))
    return Panel(Axis("vertex", domain=(0.4, 5.6)), Axis("weight", domain=(0.0, 1.05)), tuple(marks), "the weights")


def _certificate_panel(problem: Problem, runs: list[tuple[str, History]], k: int) -> Panel:
    t = np.arange(1, STEPS[-1] + 1)
    bound = 2.0 * problem.constraint.diameter**2 / (t + 2.0)  # type: ignore[union-attr]
    marks: list[Any] = [Line(t, bound, label="2LD²/(t+2)", color="muted", dash=True, width=1.5)]
    for color, (label, history) in enumerate(runs):
        steps, mine = np.arange(1, len(history)), "" if color == 0 else f", {label}"
        few = len(history) < 10  # a curve of one point is seen by its marker only
        gap, error = (np.where(e > 1e-14, e, np.nan) for e in (history["gap"], history.primal_gap))
        marks.append(Line(steps, gap[1:], label="gap" + mine, color=2 * color, width=1.5, markers=few))
        marks.append(Line(steps, error[1:], label="error f − f*" + mine, color=2 * color + 1, width=1.5, markers=few))
    if k:
        marks.append(Rule(x=float(k)))
    axes = (Axis("step t", "log", domain=(1.0, float(STEPS[-1]))), Axis("value", "log", domain=(1e-6, 100.0)))
    return Panel(*axes, tuple(marks), title="the certificate")


def _path_sentence(
    target: str, rule: str, step: int, history: History, problem: Problem, share: np.ndarray, vertex: int
) -> str:
    k = min(step, len(history) - 1)
    gap, error = history["gap"][k], max(float(history.primal_gap[k]), 0.0)
    where = {"interior": "inside", "face": "on a face", "vertex": "at a vertex"}[target]
    used = np.count_nonzero(share > 1e-12)
    moves = f"; the next step goes towards vertex {vertex + 1}" if k + 1 < len(history) else ""
    ended = ", where the run ended" if k < step else ""
    return (
        f"Minimum {where}, {rule}, after {k} {'step' if k == 1 else 'steps'}{ended}: the gap is {gap:.2g} and the true "
        f"error {error:.2g}; {used} of the five vertices {'carries' if used == 1 else 'carry'} weight{moves}."
    )


# ------------------------------------------------------------------------------------------------- sparsity


@functools.lru_cache(maxsize=16)
def ball_in_simplex(d: int, rule: str, steps: int) -> History:
    """Half the squared norm on the simplex, from a vertex: t atoms cannot do better than ½(1/t − 1/d)."""
    problem = Problem(
        lambda x: float(0.5 * x @ x),
        lambda x: x,
        constraint=sets.Simplex(d),
        x0=np.eye(d)[0],
        name="half the squared norm",
        f_star=0.5 / d,
    )
    return minimize(problem, frank_wolfe, tol=0.0, steps=steps, keep="x", **RULES[rule])
