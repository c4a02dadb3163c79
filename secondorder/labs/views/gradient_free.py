"""The pictures of the chapter on gradient-free Frank–Wolfe. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from secondorder import sets
from secondorder.arrays import norm
from secondorder.frank_wolfe import frank_wolfe, zeroth_order_frank_wolfe
from secondorder.frank_wolfe.zeroth_order import Estimator, estimated_gradient, schedule
from secondorder.history import History
from secondorder.labs.scene import Axis, Band, Choice, Field, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.ledger import Ledger
from secondorder.oracles import Problem
from secondorder.run import minimize

ESTIMATORS: dict[str, dict[str, Any]] = {
    "KWSA": {"estimator": "kwsa"},
    "RDSA": {"estimator": "rdsa"},
    "I-RDSA, m = 5": {"estimator": "i-rdsa", "directions": 5},
    "I-RDSA, m = 20": {"estimator": "i-rdsa", "directions": 20},
}
AVERAGING = {"averaged": True, "the last one alone": False}
D, BUDGET = 20, 4200
"""The dimension of the first picture, and the values of f that each of its runs may spend."""


class NoisyValues(Problem):
    """f on a feasible set, where each batch, of one example, adds a random slope of its own.

    The gradient of a batch has mean ∇f and E‖·−∇f‖² = sigma². ``n`` is the number of examples there might be.
    """

    n = 100

    def __init__(
        self, f: Callable[[Any], float], grad: Callable[[Any], Any], constraint: sets.FeasibleSet, sigma: float = 0.0,
        x0: Any = None, f_star: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f, grad, x0=x0, constraint=constraint, f_star=f_star, name="noisy values", fresh=True)
        self.sigma = sigma

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[Problem]:
        d = self.constraint.d  # type: ignore[union-attr]
        while True:
            batch = Problem(functools.partial(self._tilted, self.sigma / math.sqrt(d) * rng.standard_normal(d)))
            batch.n = batch_size  # type: ignore[attr-defined]
            yield batch

    def _tilted(self, slope: np.ndarray, x: np.ndarray) -> float:
        return self.f(x) + float(slope @ x)


def distance(d: int, sigma: float = 0.0, seed: int = 1) -> NoisyValues:
    """½‖x − b‖² on the ℓ1 ball, b a normal vector outside it: the solution is the projection of b, on a face."""
    b, ball = np.random.default_rng(seed).standard_normal(d), sets.L1Ball(d)

    def f(x: np.ndarray) -> float:
        return 0.5 * float((x - b) @ (x - b))

    return NoisyValues(f, lambda x: x - b, ball, sigma, x0=np.zeros(d), f_star=f(ball.project(b)))


def values(estimate: str, d: int) -> int:
    """The values of f that an iteration takes."""
    setting = ESTIMATORS[estimate]
    return {"kwsa": d, "rdsa": 1}.get(setting["estimator"], setting.get("directions", 0)) + 1


@functools.lru_cache(maxsize=128)
def noisy_run(method: Method, estimate: str, averaging: str, sigma: float, seed: int = 0) -> History:
    """The run on ``distance(D)`` of one of ``ESTIMATORS`` within ``BUDGET`` values of f."""
    return minimize(
        distance(D, sigma), method, steps=BUDGET // values(estimate, D) - 1, tol=0.0, seed=seed, batch_size=1,
        averaging=AVERAGING[averaging], keep=("x", "batch_grad"), **ESTIMATORS[estimate],
    )  # fmt: skip


def errors(history: History, problem: Problem) -> np.ndarray:
    """In every row, ‖d_t − ∇f(x_t)‖ over ‖∇f(x_t)‖."""
    grads = [problem.grad(x) for x in history["x"]]
    return np.asarray([norm(d - g) / norm(g) for d, g in zip(history["batch_grad"], grads, strict=True)])


def smoothed(column: np.ndarray, first: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Steps and root-mean-squares over windows of an eighth of a decade, without the rows before ``first``."""
    k = np.arange(first, len(column))
    window = np.floor(8.0 * np.log10(k + 1e-9)).astype(int)
    groups = [k[window == w] for w in np.unique(window)]
    return np.asarray([g.mean() for g in groups]), np.asarray([math.sqrt(np.mean(column[g] ** 2)) for g in groups])


def gaps(history: History, problem: Problem) -> np.ndarray:
    """The Frank–Wolfe gap of every row: of a run on batches the loop looks at a few only."""
    gradients = [problem.grad(x) for x in history["x"]]
    return np.asarray([float(g @ (x - problem.lmo(g))) for g, x in zip(gradients, history["x"], strict=True)])


@functools.lru_cache(maxsize=1)
def exact_gradient() -> History:
    """Frank–Wolfe with the gradient, as many steps as the budget gives at d + 1 values each."""
    return minimize(distance(D), frank_wolfe, steps=BUDGET // (D + 1) - 1, tol=0.0)


@view(
    title="What a gradient costs in values",
    chapter="frank_wolfe/gradient_free",
    methods=("zeroth_order_frank_wolfe",),
    controls=(
        Choice("estimate", tuple(ESTIMATORS), "estimate", "RDSA"),
        Choice("averaging", tuple(AVERAGING), "what is followed", "averaged"),
        Slider("sigma", (0.0, 1.0, 3.0), "noise of a batch's gradient, σ", 0.0),
    ),
    presets={
        "one direction": {"estimate": "RDSA", "averaging": "averaged", "sigma": 0.0},
        "one direction, not averaged": {"estimate": "RDSA", "averaging": "the last one alone", "sigma": 0.0},
        "all coordinates": {"estimate": "KWSA", "averaging": "averaged", "sigma": 0.0},
        "all coordinates, noisy, not averaged": {
            "estimate": "KWSA", "averaging": "the last one alone", "sigma": 3.0,
        },
    },
)  # fmt: skip
def estimators(
    *, estimate: str = "RDSA", averaging: str = "averaged", sigma: float = 0.0, method: Method | None = None
) -> Scene:
    """½‖x − b‖² on the ℓ1 ball in 20 dimensions, from values of f alone."""
    problem = distance(D, sigma)
    marks: list[Any] = []
    exact = exact_gradient()
    steps, height = smoothed(exact["gap"])
    marks.append(Line((steps + 1) * (D + 1), height, label="gradient, at 21 values", color="muted", width=1.5))
    relative: list[Any] = []
    for color, (label, run) in enumerate(edited(method, zeroth_order_frank_wolfe)):
        history = noisy_run(run, estimate, averaging, sigma)
        name = estimate if color == 0 else label
        steps, height = smoothed(gaps(history, problem))
        marks.append(Line((steps + 1) * values(estimate, D), height, label=name, color=color, width=2.4))
        relative.append(Line(*smoothed(errors(history, problem)), label=name, color=color, width=2.4))
    history = noisy_run(zeroth_order_frank_wolfe, estimate, averaging, sigma)
    error, gap = errors(history, problem), gaps(history, problem)
    steps = np.geomspace(3.0, BUDGET / 2.0, 20)
    relative.insert(
        0, Line(steps, 3.0 * steps ** (-1.0 / 3.0), label="slope −1/3", color="muted", dash=True, width=1.5)
    )
    tail = slice(len(gap) // 2, None)
    last, off = float(np.mean(gap[tail])), float(np.sqrt(np.mean(error[tail] ** 2)))
    noise = f"noise σ = {sigma:g}" if sigma else "no noise"
    followed = "averaged" if AVERAGING[averaging] else "not averaged"
    return Scene(
        (
            Panel(
                Axis("values of f", "log", domain=(3.0, 5000.0)), Axis("Frank–Wolfe gap", "log", domain=(2e-3, 5.0)),
                tuple(marks), title="the gap",
            ),
            Panel(
                Axis("step", "log", domain=(0.9, 2500.0)), Axis("‖d − ∇f‖ / ‖∇f‖", "log", domain=(2e-2, 2e1)),
                tuple(relative), title="the error of the estimate",
            ),
        ),
        f"{estimate}, {followed}, {noise}: {values(estimate, D)} values an iteration, {len(history)} iterations for "
        f"{len(history) * values(estimate, D)} values. Over the second half of the run the gap is {last:.2g} in the mean, "
        f"and the direction that is followed errs by {off:.0%} of the gradient.",
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- in the plane

PLANE: dict[str, dict[str, Any]] = {
    "KWSA": {"estimator": "kwsa"},
    "RDSA": {"estimator": "rdsa"},
    "I-RDSA, m = 4": {"estimator": "i-rdsa", "directions": 4},
}
PLANE_STEPS, NOISE = 300, 1.0


@functools.lru_cache(maxsize=1)
def plane() -> NoisyValues:
    """A quadratic on the diamond; its minimiser lies beyond the edge between (1, 0) and (0, 1)."""
    H, center = np.asarray([1.0, 3.0]), np.asarray([0.9, 0.7])

    def f(x: np.ndarray) -> float:
        return 0.5 * float((x - center) @ (H * (x - center)))

    return NoisyValues(f, lambda x: H * (x - center), sets.L1Ball(2), NOISE, x0=np.asarray([-0.8, -0.1]))


@functools.lru_cache(maxsize=32)
def plane_run(method: Method, estimate: str, averaging: str) -> History:
    """The run on ``plane()``, with everything kept."""
    return minimize(
        plane(), method, steps=PLANE_STEPS, tol=0.0, seed=2, batch_size=1, averaging=AVERAGING[averaging],
        keep=("x", "batch_grad", "vertex"), **PLANE[estimate],
    )  # fmt: skip


def angles(history: History, problem: Problem) -> np.ndarray:
    """In every row, the angle between the direction that is followed and the gradient, in degrees."""
    found = []
    for x, d in zip(history["x"], history["batch_grad"], strict=True):
        g = problem.grad(x)
        found.append(math.degrees(math.acos(min(1.0, max(-1.0, float(d @ g) / (norm(d) * norm(g)))))))
    return np.asarray(found)


def prices(history: History, problem: Problem) -> np.ndarray:
    """In every row, how much more ⟨∇f, v⟩ the vertex taken has than the best one."""
    grads = [problem.grad(x) for x in history["x"]]
    return np.asarray([float(g @ (v - problem.lmo(g))) for g, v in zip(grads, history["vertex"], strict=True)])


@view(
    title="The direction that is followed, and the one that is meant",
    chapter="frank_wolfe/gradient_free",
    methods=("zeroth_order_frank_wolfe",),
    controls=(
        Slider("step", (0, 1, 2, 5, 10, 30, 100, 300), "step", 5),
        Choice("estimate", tuple(PLANE), "estimate", "RDSA"),
        Choice("averaging", tuple(AVERAGING), "what is followed", "averaged"),
    ),
    presets={
        "early": {"step": 2, "averaging": "averaged"},
        "late": {"step": 300, "averaging": "averaged"},
        "late, not averaged": {"step": 300, "averaging": "the last one alone"},
    },
)
def estimated_direction(
    *, step: int = 5, estimate: str = "RDSA", averaging: str = "averaged", method: Method | None = None
) -> Scene:
    """A quadratic on the diamond, with noisy values: the path, and at its end both directions."""
    problem = plane()
    X = Y = np.linspace(-1.4, 1.4, 41)
    Z = np.asarray([[problem.f(np.asarray([a, b])) for a in X] for b in Y])
    corners = np.asarray([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0], [1.0, 0.0]])
    marks: list[Any] = [Field(X, Y, Z, np.asarray([0.02, 0.1, 0.3, 0.7, 1.5, 3.0, 5.0]))]
    marks.append(Line(corners[:, 0], corners[:, 1], label="feasible set", color="muted", width=2.0))
    turned: list[Any] = [Rule(y=90.0, label="a right angle"), Rule(x=step + 1.0, dash=False)]
    for color, (label, run) in enumerate(edited(method, zeroth_order_frank_wolfe)):
        history, name = plane_run(run, estimate, averaging), "path" if color == 0 else label
        path = history["x"][: step + 1]
        marks.append(Line(path[:, 0], path[:, 1], label=name, color=color, markers=True, width=1.2))
        angle = angles(history, problem)
        turned.append(
            Line(np.arange(1, len(angle) + 1), angle, label=estimate if color == 0 else label, color=color,
                 line=False, markers=True)
        )  # fmt: skip
    history = plane_run(zeroth_order_frank_wolfe, estimate, averaging)
    row = min(step, len(history) - 1)
    x, d, g, v = history["x"][row], history["batch_grad"][row], problem.grad(history["x"][row]), history["vertex"][row]
    for label, direction, color in (("−∇f", g, 2), ("followed: −d", d, 1)):
        ends = np.stack([x, x - 0.45 * direction / norm(direction)])
        marks.append(Line(ends[:, 0], ends[:, 1], label=label, color=color, width=3.0))
    marks.append(Line(v[:1], v[1:], label="vertex taken", color=1, markers=True, line=False))
    vertices = "the vertex the gradient takes" if np.array_equal(problem.lmo(g), v) else "another vertex"
    angle, price = angles(history, problem), prices(history, problem)
    followed = "the average" if AVERAGING[averaging] else "the last estimate alone"
    return Scene(
        (
            Panel(
                Axis("x₁", domain=(-1.4, 1.4)), Axis("x₂", domain=(-1.4, 1.4)), tuple(marks), title="the path", equal=True
            ),
            Panel(
                Axis("step + 1", "log", domain=(0.9, 330.0)), Axis("angle to the gradient, degrees", domain=(0.0, 190.0)),
                tuple(turned), title="the angle",
            ),
        ),
        f"{estimate}, following {followed}: at step {step} its direction is {angle[row]:.0f}° off the gradient and leads to "
        f"{vertices}. In the second half of the {len(history)} rows the angle is "
        f"{np.median(angle[len(angle) // 2 :]):.0f}° in the median, and by the gradient's prices the vertex taken costs "
        f"{np.mean(price[len(price) // 2 :]):.2f} too much in the mean.",
    )  # fmt: skip


# -------------------------------------------------------------------------------------------- the length of differences

LENGTHS = np.logspace(-14.0, 1.0, 31)
KINDS: dict[str, tuple[Estimator, int]] = {"KWSA": ("kwsa", 1), "RDSA": ("rdsa", 1), "I-RDSA, m = 20": ("i-rdsa", 20)}
LAST = 100_000


@functools.lru_cache(maxsize=64)
def length_errors(estimate: str, d: int, precision: str) -> np.ndarray:
    """For each of ``LENGTHS``, how far the estimate is from the same one with exact slopes, over ‖∇f‖.

    KWSA with exact slopes is the gradient; random directions give the mean of z z'∇f, with the same z.
    """
    kind, m = KINDS[estimate]
    b = np.random.default_rng(0).standard_normal(d)
    dtype = np.dtype(precision)
    target, x = b.astype(dtype), np.zeros(d, dtype=dtype)
    problem = Ledger(Problem(lambda x: 0.5 * ((x - target) @ (x - target)), x0=x))
    linear = Ledger(Problem(lambda x: -float(b @ x), x0=np.zeros(d)))
    found = []
    for c in LENGTHS:
        squares = []
        for seed in range(1 if kind == "kwsa" else 8):
            rough, exact = (
                estimated_gradient(p, p.x, kind, m, length, np.random.default_rng(seed))
                for p, length in ((problem, float(c)), (linear, 1.0))
            )
            squares.append(float(np.sum((rough.astype(float) - exact) ** 2)))
        found.append(math.sqrt(np.mean(squares)) / norm(b))
    return np.asarray(found)


def promised_errors(estimate: str, d: int, precision: str, c: np.ndarray = LENGTHS) -> tuple[np.ndarray, np.ndarray]:
    """What curvature and what rounding should cost there, over ‖∇f‖: of orders c and 1/c."""
    kind, m = KINDS[estimate]
    b = np.random.default_rng(0).standard_normal(d)
    size, eps = norm(b), float(np.finfo(precision).eps)
    squares = d if kind == "kwsa" else d * (d + 2.0) * (d + 4.0) / m
    amplified = math.sqrt(d if kind == "kwsa" else d / m)
    return 0.5 * c * math.sqrt(squares) / size, amplified * eps * 0.5 * size**2 / c / size


@view(
    title="How long a difference should be",
    chapter="frank_wolfe/gradient_free",
    controls=(
        Choice("estimate", tuple(KINDS), "estimate", "RDSA"),
        Slider("d", (10, 100, 1000), "dimension", 100),
        Choice("precision", ("float64", "float32"), "precision", "float64"),
    ),
    presets={
        "float64": {"estimate": "RDSA", "d": 100, "precision": "float64"},
        "float32, many dimensions": {"estimate": "RDSA", "d": 1000, "precision": "float32"},
        "all coordinates": {"estimate": "KWSA", "d": 1000, "precision": "float32"},
    },
)
def difference_length(*, estimate: str = "RDSA", d: int = 100, precision: str = "float64") -> Scene:
    """The error of the slopes in one estimate of the gradient of ½‖x − b‖², against the length of the differences."""
    kind, m = KINDS[estimate]
    found = length_errors(estimate, d, precision)
    curvature, rounding = promised_errors(estimate, d, precision)
    first, last = (schedule(kind, d, m, t)[1] for t in (0, LAST))
    low, high = 1e-10, 1e4
    used = np.asarray([last, first])
    marks: list[Any] = [
        Band(used, np.full(2, low), np.full(2, high), label="c in use", color=2),
        Line(LENGTHS, curvature, label="curvature, ∝ c", color="muted", dash=True, width=1.5),
        Line(LENGTHS, rounding, label="rounding, ∝ 1/c", color="muted", width=1.5),
        Line(LENGTHS, found, label="measured", color=0, markers=True, width=1.5),
        Rule(y=1.0),
    ]
    if kind == "i-rdsa":
        other = np.asarray([last / m, first / m])
        marks.insert(1, Band(other, np.full(2, low), np.full(2, high), label="c with 2/√m", color=1))
    at_last = float(np.exp(np.interp(np.log(last), np.log(LENGTHS), np.log(found))))
    which = "curvature" if np.interp(np.log(last), np.log(LENGTHS), curvature - rounding) > 0 else "rounding"
    return Scene(
        (
            Panel(
                Axis("length c of the differences", "log", domain=(1e-14, 10.0)),
                Axis("error of the slopes / ‖∇f‖", "log", domain=(low, high)), tuple(marks), title="one estimate",
            ),
        ),
        f"{estimate}, d = {d}, {precision}: the lengths used fall from {first:.1g} to {last:.1g} in 100 000 steps, where the "
        f"slopes err by {at_last:.1g} of the gradient, mostly from {which}. The best length on the axis is "
        f"{LENGTHS[np.nanargmin(found)]:.0e}, with an error of {found.min():.1g}.",
    )  # fmt: skip
