"""Gradient descent, Nesterov's method and cubic Newton on functions with Lipschitz derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from secondorder.guarantees.core import guarantee
from secondorder.history import History
from secondorder.oracles import Problem
from secondorder.problems import chain, soft_maximum

CHAIN = {"problem": lambda: chain(30), "hyper": lambda problem: {"M": problem.lipschitz_hess}, "steps": 900}


def distances(problem: Problem, history: History) -> np.ndarray:
    """The distance of every iterate to the solution; the run has to keep x."""
    return np.linalg.norm(np.stack(list(history["x"])) - problem.x_star, axis=1)


@guarantee(
    "gradient_descent",
    "values",
    r"f(x_k)-f^*\le\frac{L_1\|x_0-x^*\|^2}{2k}",
    source="nesterov2018lectures",
    problem=soft_maximum,
    hyper=lambda problem: {"lipschitz": problem.lipschitz_grad},
    steps=2000,
)
def gradient_descent_values(problem: Any, history: History) -> tuple[Any, Any]:
    k, R = np.arange(1, len(history)), np.linalg.norm(problem.x0 - problem.x_star)
    return history.primal_gap[1:], problem.lipschitz_grad * R**2 / (2.0 * k)


@guarantee(
    "nesterov",
    "values",
    r"f(x_k)-f^*\le\frac{2L_1\|x_0-x^*\|^2}{(k+1)^2}",
    source="nesterov1983method",
    problem=soft_maximum,
    hyper=lambda problem: {"lipschitz": problem.lipschitz_grad, "restart": False},
    steps=2000,
)
def nesterov_values(problem: Any, history: History) -> tuple[Any, Any]:
    k, R = np.arange(1, len(history)), np.linalg.norm(problem.x0 - problem.x_star)
    return history.primal_gap[1:], 2.0 * problem.lipschitz_grad * R**2 / (k + 1.0) ** 2


@guarantee(
    "cubic_newton",
    "values",
    r"f(x_k)-f^*\le\frac{9L_2D^3}{(k+4)^2}",
    source="nesterov2006cubic",
    proof="here",
    keep=("x",),
    **CHAIN,  # type: ignore[arg-type]
)
def cubic_newton_values(problem: Any, history: History) -> tuple[Any, Any]:
    """The proof uses D, which bounds the distance to the solution, at the iterates only."""
    k, D = np.arange(1, len(history)), distances(problem, history).max()
    return history.primal_gap[1:], 9.0 * problem.lipschitz_hess * D**3 / (k + 4.0) ** 2


@guarantee(
    "cubic_newton",
    "decrease",
    r"\frac M{12}\|h_k\|^3\le f(x_k)-f(x_{k+1})",
    source="nesterov2006cubic",
    **CHAIN,  # type: ignore[arg-type]
)
def cubic_newton_decrease(problem: Any, history: History) -> tuple[Any, Any]:
    return history["M"][1:] / 12.0 * history["radius"][1:] ** 3, -np.diff(history.f)


@guarantee(
    "cubic_newton",
    "gradient",
    r"\|\nabla f(x_{k+1})\|\le\frac{L_2+M}2\|h_k\|^2",
    source="nesterov2006cubic",
    **CHAIN,  # type: ignore[arg-type]
)
def cubic_newton_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    return history.grad_norm[1:], (problem.lipschitz_hess + history["M"][1:]) / 2.0 * history["radius"][1:] ** 2
