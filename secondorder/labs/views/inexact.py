"""The pictures of the chapter on inexact Newton. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.arrays import norm
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.measure import measured_order
from secondorder.newton import newton_cg
from secondorder.newton.newton_cg import next_forcing
from secondorder.oracles import Problem
from secondorder.run import minimize

TOL = 1e-11
FORCINGS: dict[str, dict[str, Any]] = {
    "fixed 0.5": {"forcing": "fixed", "forcing_term": 0.5},
    "fixed 0.1": {"forcing": "fixed", "forcing_term": 0.1},
    "fixed 1e-10": {"forcing": "fixed", "forcing_term": 1e-10},
    "square root": {"forcing": "square_root"},
    "Eisenstat-Walker 1": {"forcing": "eisenstat_walker_1"},
    "Eisenstat-Walker 2": {"forcing": "eisenstat_walker_2"},
}
ORDERS = {
    "fixed 0.1": 1.0,
    "square root": 1.5,
    "Eisenstat-Walker 1": (1.0 + math.sqrt(5.0)) / 2.0,
    "Eisenstat-Walker 2": 2.0,
}
CASES = ("tumours, far start", "tumours, from 0", "ill-scaled, d = 100")
ETAS = (0.9, 0.7, 0.5, 0.3, 0.1, 0.03, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10)
ACROSS = {"products": "hvp", "steps": "step"}


@functools.lru_cache(maxsize=8)
def case_problem(case: str) -> tuple[Problem, np.ndarray]:
    """The problem and the start of one of ``CASES``: logistic regressions with d = 30 and d = 100."""
    if case == "ill-scaled, d = 100":
        problem = problems.ill_scaled_logistic(n=500, d=100)
        return problem, problem.x0
    problem = problems.logistic("breast_cancer", l2=1e-3, standardize=True)
    return problem, np.full(30, 10.0 if case == "tumours, far start" else 0.0)


@functools.lru_cache(maxsize=256)
def forcing_run(method: Method, forcing: str, case: str) -> History:
    """The run of ``method`` down to a gradient norm of ``TOL``."""
    problem, start = case_problem(case)
    return minimize(problem, method, start, tol=TOL, steps=300, **FORCINGS[forcing])


@functools.lru_cache(maxsize=4)
def fixed_curve(case: str) -> np.ndarray:
    """The products that each fixed forcing term of ``ETAS`` takes, down to a gradient norm of ``TOL``."""
    problem, start = case_problem(case)
    runs = [minimize(problem, newton_cg, start, tol=TOL, steps=300, forcing="fixed", forcing_term=eta) for eta in ETAS]
    return np.asarray([run.oracle["hvp"] for run in runs])


def digits(history: History) -> tuple[float, float]:
    """Decimal digits that the linear residuals gained, summed over the steps, and those that the gradient norm did."""
    residuals, norms = history["linear_residual"][1:], history.grad_norm
    return float(-np.sum(np.log10(residuals))), float(np.log10(norms[0] / norms[-1]))


@view(
    title="What exactness costs, and what it buys",
    chapter="newton/inexact",
    methods=("newton_cg",),
    controls=(
        Choice("forcing", tuple(FORCINGS), "forcing term", "Eisenstat-Walker 2"),
        Choice("case", CASES, "problem", "tumours, far start"),
        Choice("across", tuple(ACROSS), "count", "products"),
    ),
    presets={
        "solved almost exactly": {"forcing": "fixed 1e-10"},
        "solved very loosely": {"forcing": "fixed 0.5"},
        "count steps instead": {"forcing": "fixed 1e-10", "across": "steps"},
    },
)
def forcing_terms(
    *,
    forcing: str = "Eisenstat-Walker 2",
    case: str = "tumours, far start",
    across: str = "products",
    method: Method | None = None,
) -> Scene:
    """A logistic regression, solved with steps as exact as the forcing term asks for."""
    runs = [(label, forcing_run(run, forcing, case)) for label, run in edited(method, newton_cg)]
    everything = {name: forcing_run(newton_cg, name, case) for name in FORCINGS}
    marks: list[Any] = []
    for name, dash in (("fixed 1e-10", False), ("fixed 0.5", True)):
        if name != forcing:
            marks.append(_descent(everything[name], across, label=name, color="muted", dash=dash, width=1.5))
    for color, (label, history) in enumerate(runs):
        marks.append(_descent(history, across, label=label, color=color, markers=True))
    furthest = max(_spent(history, across)[-1] for history in everything.values())
    most = max(len(history) for history in everything.values())
    history = runs[0][1]
    k = np.arange(1, len(history))
    each = (
        Line(k, history["forcing_term"][1:], label="asked for: η", color="muted", dash=True, width=1.5),
        Line(k, history["linear_residual"][1:], label="linear residual reached", color=0, markers=True, width=1.5),
        Line(k, history.grad_norm[1:] / history.grad_norm[:-1], label="gradient norm, new / old", color=2,
             markers=True, width=1.5),
    )  # fmt: skip
    return Scene(
        (
            Panel(
                Axis(across, domain=(0.0, 1.04 * furthest)), Axis("gradient norm ‖∇f‖", "log", domain=(1e-17, 1e2)),
                (*marks, Rule(y=TOL, label="1e-11", dash=False)), title="the descent",
            ),
            Panel(
                Axis("step", domain=(0.0, most + 1.0)), Axis("relative to the gradient norm", "log", domain=(1e-13, 1e2)),
                each, title="every step",
            ),
        ),
        _forcing_sentence(forcing, case, across, history, everything["fixed 1e-10"]),
    )  # fmt: skip


def _spent(history: History, across: str) -> np.ndarray:
    return history.counts["hvp"] if ACROSS[across] == "hvp" else np.arange(len(history))


def _descent(history: History, across: str, **style: Any) -> Line:
    return Line(_spent(history, across), np.maximum(history.grad_norm, 1e-17), **style)


def _forcing_sentence(forcing: str, case: str, across: str, history: History, exact: History) -> str:
    solved, gained = digits(history)
    here, there = int(_spent(history, across)[-1]), int(_spent(exact, across)[-1])
    against = f"; with η = 1e-10 it takes {there}" if forcing != "fixed 1e-10" else ""
    return (
        f"{case[0].upper()}{case[1:]}, forcing term {forcing}: a gradient norm of 1e-11 takes {here} {across}{against}. "
        f"In {len(history) - 1} steps the linear systems were solved to {solved:.0f} digits in all, of which the "
        f"gradient kept {gained:.0f}."
    )


# ------------------------------------------------------------------------------------------------- orders of convergence

TAYLOR = [1.0 / math.factorial(k) for k in range(2, 12)]


def _above_tangent(u: np.ndarray) -> np.ndarray:
    """e^u − 1 − u with a small relative error, also near 0."""
    series = np.zeros_like(u)
    for coefficient in reversed(TAYLOR):
        series = coefficient + u * series
    return np.where(np.abs(u) < 0.1, u * u * series, np.expm1(u) - u)


@functools.lru_cache(maxsize=16)
def exponentials(start: float = 1.0, d: int = 12, seed: int = 2) -> Problem:
    """The sum of e^u − 1 − u over u = Ax, which is least at 0: its gradient keeps its digits however small it is.

    ``start`` is the distance of the start from the minimum.
    """
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((3 * d, d)) / math.sqrt(3 * d)
    direction = rng.standard_normal(d)
    return Problem(
        lambda x: float(np.sum(_above_tangent(A @ x))),
        lambda x: A.T @ np.expm1(A @ x),
        lambda x: A.T @ (np.exp(A @ x)[:, None] * A),
        x0=start * direction / norm(direction),
        name="exponentials",
        f_star=0.0,
    )


def forced_step(grad: np.ndarray, H: np.ndarray, eta: float) -> np.ndarray:
    """The fraction 1 − η of the Newton step, whose residual Hp + g is η g."""
    return -(1.0 - eta) * np.linalg.solve(H, grad)


def forced_norms(problem: Problem, forcing: str, steps: int = 16) -> np.ndarray:
    """Gradient norms when each linear residual is exactly what the library's forcing term asks for."""
    setting = FORCINGS[forcing]
    x, eta, previous, linear = problem.x0, None, None, 0.0
    norms = [norm(problem.grad(x))]
    while len(norms) <= steps and norms[-1] > 1e-45:
        eta = next_forcing(setting["forcing"], setting.get("forcing_term", 0.1), eta, norms[-1], previous, linear)
        x = x + forced_step(problem.grad(x), problem.hess(x), eta)
        previous, linear = norms[-1], eta * norms[-1]
        norms.append(norm(problem.grad(x)))
    return above_rounding(np.asarray(norms))


def above_rounding(norms: np.ndarray) -> np.ndarray:
    """The norms up to the first step that gains 14 digits or more: x + p is rounded to 16 digits of x."""
    gained = norms[1:] <= 1e-14 * norms[:-1]
    return norms[: int(np.argmax(gained)) + 1] if gained.any() else norms


@functools.lru_cache(maxsize=256)
def _order_norms(method: Method, forcing: str, start: float) -> np.ndarray:
    history = minimize(exponentials(start), method, tol=1e-45, steps=16, **FORCINGS[forcing])
    return above_rounding(history.grad_norm)


@view(
    title="The order of convergence",
    chapter="newton/inexact",
    methods=("newton_cg",),
    controls=(
        Choice("forcing", tuple(ORDERS), "forcing term", "Eisenstat-Walker 1"),
        Slider("start", (0.1, 0.3, 1.0, 2.0, 3.0), "distance of the start", 1.0),
    ),
    presets={
        "order 1": {"forcing": "fixed 0.1"},
        "order 3/2": {"forcing": "square root"},
        "the golden ratio": {"forcing": "Eisenstat-Walker 1"},
        "order 2": {"forcing": "Eisenstat-Walker 2"},
    },
)
def forced_orders(*, forcing: str = "Eisenstat-Walker 1", start: float = 1.0, method: Method | None = None) -> Scene:
    """Each gradient norm against the one before, with residuals of exactly η and with those of conjugate gradients."""
    forced = forced_norms(exponentials(start), forcing)
    runs = [("residual exactly η", 2, forced)]
    runs += [
        (label, color, _order_norms(run, forcing, start))
        for color, (label, run) in enumerate(edited(method, newton_cg))
    ]
    promised, last = ORDERS[forcing], forced[-1] / forced[-2] ** ORDERS[forcing]
    ends = np.asarray([1e-45, 1e2])
    steps: list[Any] = [
        Line(ends, last * ends**promised, label=f"slope {promised:.3g}", color="muted", dash=True, width=1.5)
    ]
    orders: list[Any] = [Rule(y=promised, label=f"promised: {promised:.3g}")]
    for label, color, norms in reversed(runs):
        gains = np.diff(np.log(norms))
        steps.append(Line(norms[:-1], norms[1:], label=label, color=color, markers=True, width=1.2))
        orders.append(Line(np.arange(2, len(norms)), gains[1:] / gains[:-1], label=label, color=color, markers=True))
    order, real = measured_order(forced.tolist(), floor=0.0), runs[1][2]
    gains = np.diff(np.log(real))
    seen = gains[1:] / gains[:-1]
    return Scene(
        (
            Panel(
                Axis("gradient norm", "log", domain=(1e-28, 1e2)),
                Axis("gradient norm one step later", "log", domain=(1e-40, 1e2)), tuple(steps), title="one step",
            ),
            Panel(
                Axis("step", domain=(1.0, 17.0)), Axis("order from three norms", domain=(0.0, 4.5)),
                tuple(orders), title="the order",
            ),
        ),
        f"Forcing term {forcing}, start at distance {start:g}: with residuals of exactly η the order measured on the "
        f"last steps is {order.value:.2f}, promised {promised:.3g}. Conjugate gradients do better than asked by a "
        f"different factor each time, and their single steps show orders from {seen.min():.1f} to {seen.max():.1f}.",
    )  # fmt: skip
