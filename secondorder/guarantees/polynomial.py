r"""Gradient steps through polynomials of the metric B.

All constants are those of plain gradient methods in the coordinates :math:`u=P^{-1/2}x`, where the Hessian is at most
:math:`LP^{1/2}BP^{1/2}`: with the scaling of the library, :math:`\lambda_{\max}(BP)=1`, the gradient has the constant L, and
L = 1 for the metrics of logistic regression and of a quadratic; :math:`\alpha` is the least eigenvalue of BP, and
:math:`\mu B\preceq\nabla^2f`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from secondorder.guarantees.core import guarantee
from secondorder.history import History
from secondorder.linalg import Chebyshev, eigen
from secondorder.newton.polynomial_preconditioned import preconditioner
from secondorder.oracles import Problem
from secondorder.problems import quadratic, spiked_logistic
from secondorder.run import minimize

METHOD = "polynomial_preconditioned_gradient"
SPECTRUM = (*np.geomspace(4e3, 1e3, 3), *np.geomspace(1.0, 0.25, 47))
DEGREE = 3


def bowl() -> Problem:
    """Three eigenvalues a thousand times the other 47."""
    return quadratic(SPECTRUM, rotate=True)


@functools.cache
def regression() -> Problem:
    """The same gap in the data of a logistic regression; its minimum by Newton's method."""
    problem = spiked_logistic()
    problem.x_star = minimize(problem, "newton", tol=1e-13).x
    problem.f_star = float(problem.f(problem.x_star))
    return problem


def given(**hyper: Any) -> Any:
    """The settings of the theorems: M = L = 1."""
    return lambda problem: {"degree": DEGREE, "M": 1.0, **hyper}


def matrix(problem: Any, polynomial: Any = None) -> np.ndarray:
    """B, or the P of a polynomial, as a dense array."""
    apply = problem.metric if polynomial is None else preconditioner(problem.metric, problem.x0, polynomial, DEGREE)
    return np.stack([apply(e) for e in np.eye(len(problem.x0))])


def squared_distance(problem: Any) -> float:
    """From the start to the solution, in the norm of the inverse of P."""
    step = problem.x0 - problem.x_star
    return float(step @ np.linalg.solve(matrix(problem, "symmetric"), step))


def least(problem: Problem) -> float:
    """The least eigenvalue of BP, P symmetric."""
    return float(eigen(matrix(problem) @ matrix(problem, "symmetric")).values[0])


def relative_convexity(problem: Any, history: History) -> float:
    r"""A constant :math:`\mu` with :math:`\mu B\preceq\nabla^2f` between every iterate and the solution.

    The weight of a row falls with the size of its margin, so on a segment it is least at an end: the Hessian with the least
    weight of each row is below all of them."""
    weights = np.min([problem._weights(x) for x in (*history["x"], problem.x_star)], axis=0)
    below = (problem.A.T * weights) @ problem.A / len(weights) + problem.l2 * np.eye(len(problem.x0))
    B = eigen(matrix(problem))
    root = B.vectors / np.sqrt(B.values)
    return float(eigen(root.T @ below @ root).values[0])


@guarantee(
    METHOD,
    "decrease",
    r"\frac1{2M}\nabla f(x_k)^\top P\,\nabla f(x_k)\le f(x_k)-f(x_{k+1})",
    source="doikov2023polynomial",
    problem=regression,
    hyper=given(),
    steps=500,
)
def decrease(problem: Any, history: History) -> tuple[Any, Any]:
    return history["decrease"][1:], -np.diff(history.f)


@guarantee(
    METHOD,
    "values",
    r"f(x_k)-f^*\le\frac M{2k}\|x_0-x^*\|_{P^{-1}}^2",
    source="doikov2023polynomial",
    proof="here",
    problem=regression,
    hyper=given(),
    steps=1000,
)
def values(problem: Any, history: History) -> tuple[Any, Any]:
    k = np.arange(1, len(history))
    return history.primal_gap[1:], history["M"][1:] * squared_distance(problem) / (2.0 * k)


@guarantee(
    METHOD,
    "values, fast",
    r"f(x_k)-f^*\le\frac{2M}{(k+1)^2}\|x_0-x^*\|_{P^{-1}}^2",
    source="doikov2023polynomial",
    proof="here",
    problem=regression,
    hyper=given(momentum="nesterov"),
    steps=1000,
)
def fast_values(problem: Any, history: History) -> tuple[Any, Any]:
    k = np.arange(1, len(history))
    return history.primal_gap[1:], 2.0 * history["M"][1:] * squared_distance(problem) / (k + 1.0) ** 2


@guarantee(
    METHOD,
    "linear rate, logistic",
    r"f(x_k)-f^*\le\Big(1-\frac{\alpha\mu}M\Big)^k\big(f(x_0)-f^*\big)",
    source="doikov2023polynomial",
    proof="here",
    problem=regression,
    hyper=given(),
    steps=1000,
    keep=("x",),
)
def linear_rate(problem: Any, history: History) -> tuple[Any, Any]:
    factor = 1.0 - least(problem) * relative_convexity(problem, history) / history["M"][1]
    return history.primal_gap[1:], factor ** np.arange(1, len(history)) * history.primal_gap[0]


@guarantee(
    METHOD,
    "linear rate, a quadratic",
    r"f(x_k)-f^*\le\Big(1-\frac\alpha M\Big)^{2k}\big(f(x_0)-f^*\big)",
    source="doikov2023polynomial",
    proof="here",
    problem=bowl,
    hyper=given(),
    steps=1000,
)
def quadratic_rate(problem: Any, history: History) -> tuple[Any, Any]:
    r"""Here :math:`1/\alpha=\xi_\tau\lambda_1/\lambda_d`, as far as the scale of P is exact."""
    factor = 1.0 - least(problem) / history["M"][1]
    return history.primal_gap[1:], factor ** (2 * np.arange(1, len(history))) * history.primal_gap[0]


@guarantee(
    METHOD,
    "linear rate, Chebyshev",
    r"f(x_k)-f^*\le\Big(\frac{2\epsilon}{1+\epsilon}\Big)^{2k}\big(f(x_0)-f^*\big),\quad"
    r"\epsilon=1/T_{\tau+1}\Big(\frac{\lambda_1+\lambda_d}{\lambda_1-\lambda_d}\Big)",
    source="doikov2023polynomial",
    proof="here",
    problem=bowl,
    hyper=given(polynomial="chebyshev"),
    steps=1000,
)
def chebyshev_rate(problem: Any, history: History) -> tuple[Any, Any]:
    deviation = Chebyshev(DEGREE, SPECTRUM[-1], SPECTRUM[0]).deviation
    factor = (2.0 * deviation / (1.0 + deviation)) ** 2
    return history.primal_gap[1:], factor ** np.arange(1, len(history)) * history.primal_gap[0]


@guarantee(
    METHOD,
    "best polynomial",
    r"\frac1{2M}\nabla f(x_k)^\top P\,\nabla f(x_k)\le -\min_{h}\Big\{\nabla f(x_k)^\top h+\frac M2h^\top Bh\Big\}"
    r"\quad\text{over }h\in\mathcal K_{\tau+1},\text{ P symmetric or Chebyshev}",
    source="doikov2023polynomial",
    problem=regression,
    hyper=given(polynomial="krylov"),
    keep=("x",),
)
def best_polynomial(problem: Any, history: History) -> tuple[Any, Any]:
    grads = np.stack([problem.grad(x) for x in history["x"][:-1]])
    squares = [np.sum((grads @ matrix(problem, p)) * grads, axis=1) for p in ("symmetric", "chebyshev")]
    return np.max(squares, axis=0) / (2.0 * history["M"][1:]), history["decrease"][1:]


@guarantee(
    METHOD,
    "Krylov, a quadratic",
    r"f(x_{k+1})-f^*\le\epsilon^2\big(f(x_k)-f^*\big)",
    source="doikov2023polynomial",
    proof="here",
    problem=bowl,
    hyper=given(polynomial="krylov", degree=1),
)
def krylov_rate(problem: Any, history: History) -> tuple[Any, Any]:
    """The step of a polynomial of degree 1 in which M = 1 is two conjugate gradient steps from the last point."""
    deviation = Chebyshev(1, SPECTRUM[-1], SPECTRUM[0]).deviation
    return history.primal_gap[1:], deviation**2 * history.primal_gap[:-1]
