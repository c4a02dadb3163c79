"""Descent along an estimated gradient, and how near a solution the rounding of x lets Newton's method come."""

from __future__ import annotations

from typing import Any

import numpy as np

from secondorder.guarantees.core import guarantee
from secondorder.history import History
from secondorder.oracles import Problem, to_device
from secondorder.problems import logistic, quadratic

SPECTRUM = np.linspace(0.1, 2.0, 20)


@guarantee(
    "perturbed_zeroth_order",
    "descent",
    r"f(x_{k+1})\le f(x_k)-\eta\big(s_k+\nabla f(x_k)^\top\Xi_k\big)+\frac{L_1}2\|x_{k+1}-x_k\|^2,\quad"
    r"s_k=\frac1m\sum_i\big(z_i^\top\nabla f(x_k)\big)^2",
    source="ren2023escaping",
    proof="here",
    problem=lambda: quadratic(SPECTRUM.tolist(), rotate=True),
    hyper=lambda problem: {"lipschitz": SPECTRUM.max(), "directions": 2},
    keep=("x", "step", "noise"),
)
def perturbed_zeroth_order_descent(problem: Any, history: History) -> tuple[Any, Any]:
    r"""The descent lemma, with :math:`\nabla f^\top\hat g=s`; the constant is the one the method ran with."""
    rows = [
        row["step_size"] * (before["slope_square"] + float(problem.grad(before["x"]) @ row["noise"]))
        - 0.5 * row["lipschitz"] * float(row["step"] @ row["step"])
        for before, row in zip(history.rows, history.rows[1:], strict=False)
    ]
    return history.f[1:], history.f[:-1] - np.asarray(rows)


def _double() -> Any:
    return logistic("breast_cancer", l2=1e-3, standardize=True)


def single() -> Problem:
    """Logistic regression on the tumours in float32."""
    return to_device(_double(), "numpy", dtype="float32")


@guarantee(
    "newton",
    "in single precision",
    r"\|\nabla f(x_{k+1})\|\le\|\nabla f(x_k)+\nabla^2f(x_k)h_k\|+\frac{L_2}2\|h_k\|^2+L_1u\|x_{k+1}\|",
    source="higham2002accuracy",
    proof="here",
    problem=single,
    keep=("x", "step"),
    tol=0.0,
    steps=25,
)
def newton_in_single_precision(problem: Any, history: History) -> tuple[Any, Any]:
    """All of it in exact arithmetic but for x and h: x + h, rounded, differs from x + h by at most u |x_{k+1}|."""
    exact, u, left, right = _double(), 2.0**-24, [], []
    for before, row in zip(history.rows, history.rows[1:], strict=False):
        x, h, end = (np.asarray(v, dtype=float) for v in (before["x"], row["step"], row["x"]))
        residual = np.linalg.norm(exact.grad(x) + exact.hess(x) @ h)
        model = 0.5 * exact.lipschitz_hess * float(h @ h)
        left.append(np.linalg.norm(exact.grad(end)))
        right.append(residual + model + exact.lipschitz_grad * u * np.linalg.norm(end))
    return left, right
