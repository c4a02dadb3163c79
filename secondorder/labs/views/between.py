"""The pictures of the chapter on first order, second order, and what lies between."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import edited
from secondorder.newton import bfgs, gradient_descent, lbfgs, nesterov, newton, newton_cg, nonlinear_cg
from secondorder.oracles import Problem
from secondorder.run import minimize

Method = Callable[..., Any]

GOAL = 1e-6
METHODS: dict[str, Method] = {
    "gradient descent": gradient_descent,
    "Nesterov": nesterov,
    "nonlinear CG": nonlinear_cg,
    "L-BFGS": lbfgs,
    "BFGS": bfgs,
    "Newton-CG": newton_cg,
    "Newton": newton,
}
PROBLEMS: dict[str, Callable[[], Problem]] = {
    "Rosenbrock, d = 2": problems.rosenbrock,
    "logistic regression, d = 30": lambda: problems.logistic("breast_cancer", l2=1e-3, standardize=True),
    "ill-scaled logistic, d = 40": problems.ill_scaled_logistic,
}
PRICES = (1, 2, 5, 10, 20, 40, 100)


@functools.lru_cache(maxsize=128)
def contest(problem: str, method: Method) -> History:
    """A run to a gradient norm of ``GOAL``, cut off after 20000 steps."""
    return minimize(PROBLEMS[problem](), method, tol=GOAL, steps=20_000)


def totals(problem: str, price: float) -> dict[str, float]:
    """Gradient-equivalents to the goal when a Hessian costs ``price`` gradients; infinite where it was not reached."""
    runs = {label: contest(problem, method) for label, method in METHODS.items()}
    return {label: h.cost(hess=price)[-1] if h.status == "converged" else np.inf for label, h in runs.items()}


@view(
    title="Seven methods, one currency",
    chapter="newton/between",
    methods=tuple(m.method.name for m in METHODS.values()),  # type: ignore[attr-defined]
    controls=(
        Choice("problem", tuple(PROBLEMS), "problem", "ill-scaled logistic, d = 40"),
        Slider("price", PRICES, "a Hessian costs … gradients", 40, live=tuple(range(1, 101))),
    ),
    presets={"Hessians for a song": {"price": 1}, "Hessians at 100 gradients": {"price": 100}},
)
def between(*, problem: str = "ill-scaled logistic, d = 40", price: int = 40, method: Method | None = None) -> Scene:
    """Gradient norm against gradient-equivalents for seven methods, and their totals against the price of a Hessian."""
    runs = dict(METHODS)
    if method is not None:
        name = method.method.name  # type: ignore[attr-defined]
        original = [label for label, run in METHODS.items() if run.method.name == name]  # type: ignore[attr-defined]
        runs = {label: METHODS[label] for label in dict.fromkeys(("gradient descent", "L-BFGS", "Newton", *original))}
        runs[f"your {name}"] = method
    falls: list[Any] = []
    costs: list[Any] = []
    for color, (label, run) in enumerate(runs.items()):
        history = contest(problem, run)
        spent = np.maximum(history.cost(hess=float(price)), 1.0)
        thin = np.unique(np.round(np.geomspace(1, len(history), 120)).astype(int)) - 1
        best = np.minimum.accumulate(np.where(history.grad_norm > 0.0, history.grad_norm, np.inf))
        falls.append(Line(spent[thin], best[thin], label=label, color=color, width=1.8))
        if history.status == "converged":
            across = [history.cost(hess=float(p))[-1] for p in PRICES]
            costs.append(Line(PRICES, across, label=label, color=color, width=1.8))
    spent_by = {label: total for label, total in totals(problem, float(price)).items() if np.isfinite(total)}
    first, last = min(spent_by, key=spent_by.__getitem__), max(spent_by, key=spent_by.__getitem__)
    late = [label for label in METHODS if label not in spent_by]
    sentence = (
        f"On {problem}, with a Hessian at the price of {price} {'gradient' if price == 1 else 'gradients'}, {first} is the "
        f"cheapest way to a gradient norm of 1e-6, with {spent_by[first]:.0f} gradient-equivalents; {last} takes "
        f"{spent_by[last]:.0f}" + (f"; {' and '.join(late)} did not arrive" if late else "")
    )
    if method is not None:
        history = contest(problem, method)
        arrived = history.status == "converged"
        sentence += f"; your {name} " + (
            f"takes {history.cost(hess=float(price))[-1]:.0f}" if arrived else f"ended as {history.status}"
        )
    sentence += "."
    cost = Axis("gradient-equivalents", "log", domain=(1.0, 5e4))
    return Scene(
        (
            Panel(
                cost, Axis("best gradient norm so far", "log", domain=(1e-8, 1e3)),
                (*falls, Rule(y=GOAL, label="goal")), title="the descent",
            ),
            Panel(
                Axis("price of a Hessian in gradients", "log", domain=(0.9, 110.0)),
                Axis("gradient-equivalents to the goal", "log", domain=(5.0, 5e4)),
                (*costs, Rule(x=float(price), label="this price")), title="the total",
            ),
        ),
        sentence,
    )  # fmt: skip


CURVATURES = (0.02, 0.005)
"""Of the bowl that Su, Boyd and Candès draw, f = 0.02 x₁² + 0.005 x₂² (section 2 there), as the factors of x²."""


@view(
    title="Nesterov's method and its differential equation",
    chapter="newton/between",
    methods=("nesterov",),
    controls=(
        Slider("fineness", (1, 2, 5, 10, 30, 100), "step 1/L, L = … times the smallest valid one", 2),
        Choice("restart", ("never", "uphill"), "restart", "never"),
    ),
    presets={"as large a step as is safe": {"fineness": 1}, "almost the equation": {"fineness": 100}},
)
def nesterov_ode(*, fineness: int = 2, restart: str = "never", method: Method | None = None) -> Scene:
    """Iterates at t = k/√L beside the solution of X″ + (3/t) X′ + ∇f(X) = 0."""
    lipschitz = 2.0 * max(CURVATURES) * fineness
    spectrum = [2.0 * c for c in CURVATURES]
    problem = problems.quadratic(spectrum, x0=[1.0, 1.0])
    end = 120.0
    t, X = equation(end)
    paths: list[Any] = [Line(X[:, 0], X[:, 1], label="differential equation", color="muted", width=3.0)]
    gaps: list[Any] = [Line(t, gap(X), label="differential equation", color="muted", width=3.0)]
    hyper: dict[str, Any] = {"lipschitz": lipschitz, "restart": restart == "uphill"}
    end_with: list[str] = []
    for color, (label, run) in enumerate(edited(method, nesterov)):
        history = minimize(problem, run, steps=int(np.ceil(end * np.sqrt(lipschitz))), tol=0.0, keep="x", **hyper)
        time, path = np.arange(len(history)) / np.sqrt(lipschitz), history["x"]
        thin = slice(None, None, max(1, len(path) // 150))
        paths.append(Line(path[thin, 0], path[thin, 1], label=label, color=color, markers=len(path) < 60, width=1.3))
        gaps.append(Line(time[thin], _positive(gap(path))[thin], label=label, color=color, width=1.3))
        nearest = np.stack([np.interp(time, t, X[:, i]) for i in (0, 1)], axis=1)
        distance = float(np.max(np.linalg.norm(path - nearest, axis=1)))
        end_with.append(
            f"{'they stay' if color == 0 else f'those of {label}'} within {distance:.2g} of the differential equation and "
            f"end with a gap of {gap(path)[-1]:.1e}"
        )
        if color == 0:
            times = int(np.nansum(np.asarray(history["restarted"], dtype=float)))
            count = len(history) - 1
    gaps.append(Line(t[1:], 2.0 * 2.0 / t[1:] ** 2, label="bound 2R²/t²", color=2, dash=True, width=1.3))
    x = np.linspace(-1.1, 1.1, 45)
    levels = [0.0005, 0.002, 0.005, 0.01, 0.016, 0.024]
    field = Field(x, x, CURVATURES[0] * x[None, :] ** 2 + CURVATURES[1] * x[:, None] ** 2, levels)
    sentence = (
        f"With L at {'' if fineness == 1 else f'{fineness} times '}its smallest valid value, {count} steps"
        + ("" if restart == "never" else f" with {times} restart{'' if times == 1 else 's'}")
        + f" reach t = {end:g}; {'; '.join(end_with)}."
    )
    side = (-1.1, 1.1)
    return Scene(
        (
            Panel(Axis("x₁", domain=side), Axis("x₂", domain=side), (field, *paths), title="the paths"),
            Panel(
                Axis("time t = k/√L", domain=(0.0, end)), Axis("gap f(x) − f*", "log", domain=(1e-20, 1e1)),
                tuple(gaps), title="the gap",
            ),
        ),
        sentence,
    )  # fmt: skip


def gap(x: np.ndarray) -> np.ndarray:
    """The bowl's values at the rows of x; its minimum is 0."""
    return np.sum(np.asarray(CURVATURES) * x * x, axis=1)


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0.0, values, np.nan)


@functools.lru_cache(maxsize=4)
def equation(end: float) -> tuple[np.ndarray, np.ndarray]:
    """The solution from rest at (1, 1), to 1e-9; the friction 3/t is regular at 0 because the speed is."""
    from scipy.integrate import solve_ivp

    curvature = 2.0 * np.asarray(CURVATURES)
    start = 1e-4
    x0 = np.ones(2)
    speed = -curvature * x0 * start / 4.0  # X ≈ x₀ − ∇f(x₀) t²/8
    t = np.linspace(start, end, 300)
    answer = solve_ivp(
        lambda t, z: np.concatenate([z[2:], -3.0 / t * z[2:] - curvature * z[:2]]),
        (start, end), np.concatenate([x0, speed]), t_eval=t, rtol=1e-9, atol=1e-11,
    )  # fmt: skip
    return t, answer.y[:2].T
