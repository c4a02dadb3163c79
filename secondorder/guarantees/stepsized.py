"""Newton steps shortened by a formula, in the local norms: logistic regression from far away, and a barrier near a wall."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder.guarantees.core import guarantee
from secondorder.history import History
from secondorder.oracles import Problem
from secondorder.problems import analytic_center, logistic
from secondorder.run import minimize

CUBIC, ROOT = "affine_invariant_cubic_newton", "root_newton"
X: dict[str, Any] = {"keep": ("x",)}


@functools.cache
def far_logistic() -> Problem:
    """400 unit rows in 10 dimensions, a ridge of 0.003, from all entries 10, where pure Newton cycles."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 10))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = rows @ rng.standard_normal(10) + 0.15 * rng.standard_normal(400) > 0.0
    problem = logistic((rows, labels), l2=3e-3, x0=np.full(10, 10.0))
    problem.x_star = minimize(problem, "newton", tol=1e-14, steps=50).x
    problem.f_star = float(problem.f(problem.x_star))
    return problem


def smoothness(problem: Any, order: int = 3) -> float:
    r"""The constant of a regularised logistic regression in the local norms: of its Hessian, or (4) its third derivative.

    The third derivative of the loss in one margin is at most :math:`1/6\sqrt3`, the fourth 1/8. So
    :math:`\|\nabla^2f(y)-\nabla^2f(x)\|\le\frac{\max_i\|a_i\|\,\|A\|^2}{6\sqrt3\,n}\|y-x\|`, and
    :math:`\|h\|\le\|h\|_x/\sqrt\mu` for each of the three (four) vectors that it meets.
    """
    size = float(np.sqrt(np.max(np.sum(problem.A**2, axis=1))))
    gram = (problem.lipschitz_grad - problem.l2) / problem.smoothness
    bound = size / (6.0 * math.sqrt(3.0)) if order == 3 else size**2 / 8.0
    return float(bound * gram / problem.l2 ** (order / 2.0))


def valid_root(problem: Any, order: int = 3) -> float:
    """The least M that the derivation of :func:`secondorder.newton.root_newton` allows."""
    return smoothness(problem, order) / 18.0


def barrier_constant(problem: Any) -> float:
    r"""M for a self-concordant barrier whose Newton decrement is at most :math:`\sqrt n`.

    The step of length r has :math:`\lambda=r+\frac M2r^2`, and self-concordance bounds the gradient's error by
    :math:`\frac{r^2}{1-r}`, below :math:`\frac M2r^2` if :math:`1-r\ge2/M`. With :math:`M=2+2\sqrt n` and
    :math:`\lambda\le\sqrt n` it is, since :math:`r\le\sqrt n/(1+\sqrt n)`.
    """
    return 2.0 + 2.0 * math.sqrt(problem.n)


def local_norms(problem: Any, history: History) -> tuple[np.ndarray, np.ndarray]:
    """Of the gradient after each step in the dual norm at the point before it; of the step to x* in the norm at x."""
    x, dual, distance = list(history["x"]), [], []
    for k, point in enumerate(x):
        H = problem.hess(point)
        away = point - problem.x_star
        distance.append(math.sqrt(away @ H @ away))
        if k + 1 < len(x):
            g = problem.grad(x[k + 1])
            dual.append(math.sqrt(g @ np.linalg.solve(H, g)))
    return np.asarray(dual), np.asarray(distance)


LOGISTIC: dict[str, Any] = {
    "problem": far_logistic,
    "hyper": lambda problem: {"M": smoothness(problem)},
    "proof": "here",
    **X,
}
BARRIER: dict[str, Any] = {
    "problem": analytic_center,
    "hyper": lambda problem: {"M": barrier_constant(problem)},
    "proof": "here",
    **X,
}
MODEL = r"\tfrac12r_k^2+\tfrac M3r_k^3\le f(x_k)-f(x_{k+1})"


def decrease(problem: Any, history: History) -> tuple[Any, Any]:
    """The model of AICN bounds f from above at the step."""
    return history["decrease"][1:], -np.diff(history.f)


def half_slope(problem: Any, history: History) -> tuple[Any, Any]:
    """Armijo's condition with the constant 1/2, at the first and only step size."""
    return 0.5 * history["step_size"][1:] * history["decrement"][1:] ** 2, -np.diff(history.f)


def progress(problem: Any, history: History) -> tuple[Any, Any]:
    """What the search of root Newton tests, at every step of a run that does not search."""
    x, dual = list(history["x"]), local_norms(problem, history)[0]
    right = [2.0 * t * problem.grad(b) @ (a - b) for a, b, t in zip(x, x[1:], history["damping"][1:], strict=False)]
    return dual**2, right


for room, where in ((LOGISTIC, ""), (BARRIER, " on a barrier")):
    guarantee(CUBIC, "decrease" + where, MODEL, source="hanzely2022damped", **room)(decrease)
    guarantee(
        CUBIC, "half the slope" + where, r"\tfrac{\alpha_k}2\lambda_k^2\le f(x_k)-f(x_{k+1})",
        source="hanzely2022damped", **room,
    )(half_slope)  # fmt: skip


@guarantee(
    CUBIC,
    "gradient",
    r"\|\nabla f(x_{k+1})\|_{x_k}^*\le\tfrac{L+M}2r_k^2",
    source="hanzely2022damped",
    **LOGISTIC,
)
def gradient(problem: Any, history: History) -> tuple[Any, Any]:
    r"""The model's gradient is :math:`(1-\alpha)\nabla f(x_k)`, of norm :math:`\frac M2r^2`; its error is at most L/2 r^2."""
    right = 0.5 * (smoothness(problem) + history["M"][1:]) * history["radius"][1:] ** 2
    return local_norms(problem, history)[0], right


@guarantee(
    CUBIC, "gradient on a barrier", r"\|\nabla f(x_{k+1})\|_{x_k}^*\le\tfrac M2r_k^2+\tfrac{r_k^2}{1-r_k}",
    source="hanzely2022damped", **BARRIER,
)  # fmt: skip
def barrier_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    M, r = history["M"][1:], history["radius"][1:]
    return local_norms(problem, history)[0], 0.5 * M * r**2 + r**2 / (1.0 - r)


@guarantee(
    CUBIC,
    "step on a barrier",
    r"\alpha_k\le\tfrac1{1+\lambda_k}",
    source="hanzely2022damped",
    **BARRIER,
)
def shorter_than_classical(problem: Any, history: History) -> tuple[Any, Any]:
    r"""The two are equal at :math:`M=2+2\lambda`, and the decrement is never above :math:`\sqrt n`."""
    return history["step_size"][1:], 1.0 / (1.0 + history["decrement"][1:])


@guarantee(
    CUBIC, "values", r"f(x_k)-f^*\le\tfrac92\frac{(L+M)D^3}{(k+4)^2}", source="hanzely2022damped", **LOGISTIC
)  # fmt: skip
def values(problem: Any, history: History) -> tuple[Any, Any]:
    """The recursion of cubic Newton, with local norms: D bounds the local distance to the solution at the iterates."""
    k, D = np.arange(1, len(history)), local_norms(problem, history)[1].max()
    return history.primal_gap[1:], 4.5 * (smoothness(problem) + history["M"][1:]) * D**3 / (k + 4.0) ** 2


@guarantee(
    CUBIC, "quadratic end", r"\lambda_{k+1}\le\frac{(L+M)r_k^2}{2\sqrt{1-Lr_k}}\quad\text{where }Lr_k<1",
    source="hanzely2022damped", **{**LOGISTIC, "hyper": lambda problem: {"M": 4.0 * smoothness(problem)}},
)  # fmt: skip
def quadratic_end(problem: Any, history: History) -> tuple[Any, Any]:
    r"""The gradient's bound, and :math:`\nabla^2f(x_{k+1})\succeq(1-Lr)\nabla^2f(x_k)`."""
    L, M, r = smoothness(problem), history["M"][1:-1], history["radius"][1:-1]
    near = L * r < 1.0
    M, r = M[near], r[near]
    return history["decrement"][2:][near], (L + M) * r**2 / (2.0 * np.sqrt(1.0 - L * r))


@guarantee(
    CUBIC, "quadratic end on a barrier", r"\lambda_{k+1}\le\frac{r_k^2}{1-r_k}\Big(\tfrac M2+\tfrac1{1-r_k}\Big)",
    source="hanzely2022damped", **BARRIER,
)  # fmt: skip
def barrier_quadratic_end(problem: Any, history: History) -> tuple[Any, Any]:
    r"""The gradient's bound, and :math:`\nabla^2f(x_{k+1})\succeq(1-r)^2\nabla^2f(x_k)`."""
    M, r = history["M"][1:-1], history["radius"][1:-1]
    return history["decrement"][2:], r**2 / (1.0 - r) * (M / 2.0 + 1.0 / (1.0 - r))


@guarantee(
    CUBIC, "adapted constant", r"M_k\le\max(1,2L)", source="hanzely2022damped", problem=far_logistic, proof="here"
)  # fmt: skip
def adapted_constant(problem: Any, history: History) -> tuple[Any, Any]:
    """The test of this library's rule passes at every M from L on, so no doubling starts there."""
    return history["M"][1:], max(1.0, 2.0 * smoothness(problem))


def root_values(problem: Any, history: History, q: int) -> tuple[Any, Any]:
    r"""While :math:`\theta\ge1`: the decrease is at least :math:`\lambda^2/4\theta`, and :math:`\lambda\ge(f-f^*)/D`."""
    K = int(np.argmin(np.append(history["damping"][1:] >= 1.0, False)))
    k, D = np.arange(1, K + 1), local_norms(problem, history)[1].max()
    constant = smoothness(problem, q) / 2.0
    return history.primal_gap[1 : K + 1], (4.0 * (q - 1.0) / k) ** (q - 1.0) * constant * D**q


for q in (3, 4):
    ORDER: dict[str, Any] = {
        "problem": far_logistic,
        "hyper": lambda problem, q=q: {"M": valid_root(problem, q), "exponent": float(q)},
        "source": "hanzely2024revisited",
        "proof": "here",
        **X,
    }
    guarantee(
        ROOT, f"progress, q = {q}", r"\|\nabla f(x_{k+1})\|_{x_k}^{*2}\le2\theta_k\nabla f(x_{k+1})^\top(x_k-x_{k+1})",
        **ORDER,
    )(progress)  # fmt: skip
    guarantee(
        ROOT, f"half the slope, q = {q}", r"\tfrac{\alpha_k}2\lambda_k^2\le f(x_k)-f(x_{k+1})", **ORDER
    )(half_slope)  # fmt: skip
    guarantee(
        ROOT, f"values, q = {q}",
        rf"f(x_k)-f^*\le9M\big(\tfrac{{{4 * (q - 1)}}}k\big)^{q - 1}D^{q}\quad\text{{while }}\theta_k\ge1", **ORDER,
    )(functools.partial(root_values, q=q))  # fmt: skip


@guarantee(
    ROOT, "searched", r"\frac{\|\nabla f(x_{k+1})\|_{x_k}^{*2}}{2\theta_k}\le f(x_k)-f(x_{k+1})",
    source="hanzely2024revisited", problem=far_logistic, proof="here", **X,
)  # fmt: skip
def searched(problem: Any, history: History) -> tuple[Any, Any]:
    """What the test asks for, and convexity."""
    return local_norms(problem, history)[0] ** 2 / (2.0 * history["damping"][1:]), -np.diff(history.f)


@guarantee(
    ROOT, "sigma on a barrier", r"\sigma_k\le1", source="hanzely2024revisited", problem=analytic_center, proof="here"
)  # fmt: skip
def sigma_on_a_barrier(problem: Any, history: History) -> tuple[Any, Any]:
    r"""At :math:`\sigma=1` the step is the classical one, :math:`r/(1-r)=\lambda`: the test passes there."""
    return history["sigma"][1:], 1.0
