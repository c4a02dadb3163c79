"""The older methods on functions with Lipschitz derivatives: gradients, Newton, trust regions, cubics, lazy Hessians."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder.arrays import norm
from secondorder.guarantees.core import guarantee
from secondorder.history import History
from secondorder.oracles import Problem
from secondorder.problems import (
    analytic_center,
    chain,
    chebyshev_rosenbrock,
    logistic,
    power_of_residual,
    quadratic,
    soft_maximum,
)
from secondorder.run import minimize

CHAIN = {"problem": lambda: chain(30), "hyper": lambda problem: {"M": problem.lipschitz_hess}, "steps": 900}
PERIOD = 5


@functools.lru_cache(maxsize=2)
def far_logistic(l2: float = 1e-3) -> Problem:
    """Logistic regression on the standardised tumours from all entries 10, where Newton's undamped step diverges."""
    problem = logistic("breast_cancer", l2=l2, standardize=True, x0=np.full(30, 10.0))
    problem.x_star = minimize(problem, "newton", tol=1e-14).x
    problem.f_star = float(problem.f(problem.x_star))
    return problem


def near_logistic() -> Problem:
    """The same regression with l2 = 0.1, from a distance of mu / 2 L2 to its solution, mu its least curvature there."""
    near = logistic("breast_cancer", l2=0.1, standardize=True)
    near.x_star = far_logistic(0.1).x_star
    radius = least_curvature(near) / (2.0 * near.lipschitz_hess)
    near.x0 = near.x_star + np.full(30, radius / math.sqrt(30.0))
    return near


@functools.lru_cache(maxsize=1)
def cosines(n: int = 40, d: int = 10) -> Problem:
    r"""The mean of :math:`\cos a_i^\top x` plus :math:`\frac1{20}\|x\|^2`, from close to its maximum: not convex, with known
    constants."""
    A = np.random.default_rng(0).standard_normal((n, d))
    problem: Any = Problem(
        lambda x: float(np.mean(np.cos(A @ x)) + 0.05 * (x @ x)),
        lambda x: -A.T @ np.sin(A @ x) / n + 0.1 * x,
        lambda x: -(A.T * np.cos(A @ x)) @ A / n + 0.1 * np.eye(d),
        x0=np.full(d, 1e-2),
        name="cosines",
        fresh=True,
    )
    problem.lipschitz_grad = float(np.linalg.eigvalsh(A.T @ A)[-1]) / n + 0.1
    problem.lipschitz_hess = float(np.mean(np.linalg.norm(A, axis=1) ** 3))
    return problem


def cubed_residual() -> Problem:
    """A third of the cube of a small residual: as flat at its solution as a Lipschitz Hessian allows, so that no run is much
    faster than the bounds on values, which fall far below the first gap."""
    return power_of_residual(3, n=8, d=3)


def constant(problem: Any) -> dict[str, float]:
    """M at the Lipschitz constant of the Hessian."""
    return {"M": problem.lipschitz_hess}


def distances(problem: Problem, history: History) -> np.ndarray:
    """The distance of every iterate to the solution; the run has to keep x."""
    return np.linalg.norm(np.stack(list(history["x"])) - problem.x_star, axis=1)


def least_curvature(problem: Any) -> float:
    """The smallest eigenvalue of the Hessian at the solution."""
    return float(np.linalg.eigvalsh(problem.hess(problem.x_star))[0])


def decrements(problem: Any, history: History) -> np.ndarray:
    """The Newton decrement at every iterate; the run has to keep x."""
    points = list(history["x"])
    return np.asarray([math.sqrt(g @ np.linalg.solve(problem.hess(x), g)) for x in points for g in (problem.grad(x),)])


def ages(history: History, period: int) -> np.ndarray:
    """Before each step the distance to the snapshot; the run has to keep x."""
    x = np.stack(list(history["x"]))
    return np.linalg.norm(x[:-1] - x[[k - k % period for k in range(len(x) - 1)]], axis=1)


def per_period(values: np.ndarray, period: int = PERIOD) -> np.ndarray:
    """The sums over the whole periods."""
    return values[: len(values) // period * period].reshape(-1, period).sum(axis=1)


# ------------------------------------------------------------------------------------------------------- first order


@guarantee(
    "gradient_descent",
    "values",
    r"f(x_k)-f^*\le\frac{L_1\|x_0-x^*\|^2}{2k}",
    source="beck2017first",
    problem=soft_maximum,
    hyper=lambda problem: {"lipschitz": problem.lipschitz_grad},
    steps=2000,
)
def gradient_descent_values(problem: Any, history: History) -> tuple[Any, Any]:
    k, R = np.arange(1, len(history)), np.linalg.norm(problem.x0 - problem.x_star)
    return history.primal_gap[1:], problem.lipschitz_grad * R**2 / (2.0 * k)


@guarantee(
    "gradient_descent",
    "distance",
    r"\|x_{k+1}-x^*\|\le\big(1-\tfrac\mu{L_1}\big)\|x_k-x^*\|",
    source="nesterov2018lectures",
    proof="here",
    problem=far_logistic,
    hyper=lambda problem: {"lipschitz": problem.lipschitz_grad},
    steps=2000,
    keep=("x",),
)
def gradient_descent_distance(problem: Any, history: History) -> tuple[Any, Any]:
    """The step multiplies the distance by the mean of I - H/L over a segment, whose norm is at most 1 - mu/L; mu = l2."""
    e = distances(problem, history)
    return e[1:], (1.0 - problem.l2 / problem.lipschitz_grad) * e[:-1]


@guarantee(
    "gradient_descent",
    "least gradient",
    r"\min_{i<k}\|\nabla f(x_i)\|^2\le\frac{2L_1(f(x_0)-f(x_k))}k",
    source="nesterov2018lectures",
    problem=cosines,
    hyper=lambda problem: {"lipschitz": problem.lipschitz_grad},
    steps=400,
)
def gradient_descent_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    """Not convex: from a maximum the method goes where it can."""
    k = np.arange(1, len(history))
    left = np.minimum.accumulate(history.grad_norm[:-1] ** 2)
    return left, 2.0 * problem.lipschitz_grad * (history.f[0] - history.f[1:]) / k


@guarantee(
    "nesterov",
    "values, far start",
    r"f(x_k)-f^*\le\frac{2L_1\|x_0-x^*\|^2}{(k+1)^2}",
    source="su2016differential",
    problem=far_logistic,
    hyper=lambda problem: {"lipschitz": problem.lipschitz_grad, "restart": False},
    steps=2000,
)
@guarantee(
    "nesterov",
    "values",
    r"f(x_k)-f^*\le\frac{2L_1\|x_0-x^*\|^2}{(k+1)^2}",
    source="su2016differential",
    problem=soft_maximum,
    hyper=lambda problem: {"lipschitz": problem.lipschitz_grad, "restart": False},
    steps=2000,
)
def nesterov_values(problem: Any, history: History) -> tuple[Any, Any]:
    k, R = np.arange(1, len(history)), np.linalg.norm(problem.x0 - problem.x_star)
    return history.primal_gap[1:], 2.0 * problem.lipschitz_grad * R**2 / (k + 1.0) ** 2


# ------------------------------------------------------------------------------------------------------------- Newton


@guarantee(
    "newton",
    "local",
    r"\|x_{k+1}-x^*\|\le\frac{L_2}\mu\|x_k-x^*\|^2\quad\text{from}\quad\|x_0-x^*\|\le\frac\mu{2L_2}",
    source="nocedal2006numerical",
    proof="here",
    problem=near_logistic,
    hyper=lambda problem: {"line_search": None},
    steps=6,
    keep=("x",),
    tol=0.0,
)
def newton_local(problem: Any, history: History) -> tuple[Any, Any]:
    """The Hessian at x_k is at least mu - L2 |x_k - x*|, hence mu/2, and the step leaves half of L2 |x_k - x*|^2 over it."""
    e = distances(problem, history)
    return e[1:], problem.lipschitz_hess / least_curvature(problem) * e[:-1] ** 2


@guarantee(
    "newton",
    "one step, near",
    r"\|x_{k+1}-x^*\|\le\frac{L_2}{2\lambda_{\min}(\nabla^2f(x_k))}\|x_k-x^*\|^2\quad\text{after a full step}",
    source="nocedal2006numerical",
    proof="here",
    problem=near_logistic,
    steps=6,
    keep=("x",),
    tol=0.0,
)
@guarantee(
    "newton",
    "one step",
    r"\|x_{k+1}-x^*\|\le\frac{L_2}{2\lambda_{\min}(\nabla^2f(x_k))}\|x_k-x^*\|^2\quad\text{after a full step}",
    source="nocedal2006numerical",
    proof="here",
    problem=far_logistic,
    keep=("x",),
)
def newton_one_step(problem: Any, history: History) -> tuple[Any, Any]:
    """From anywhere: H(x_k) (x_{k+1} - x*) is the remainder of Taylor's formula for the gradient between x_k and x*."""
    e, full = distances(problem, history), history["step_size"][1:] == 1.0
    curvature = np.asarray([np.linalg.eigvalsh(problem.hess(x))[0] for x in list(history["x"])[:-1]])
    return e[1:][full], (problem.lipschitz_hess / (2.0 * curvature) * e[:-1] ** 2)[full]


@guarantee(
    "newton",
    "line search",
    r"f(x_k)-f(x_{k+1})\ge c_1\beta\frac\mu{L_1}\lambda_k^2,\quad\lambda_k^2=g_k^\top H_k^{-1}g_k",
    source="boyd2004convex",
    problem=lambda: far_logistic(0.1),
    hyper=lambda problem: {"sufficient_decrease": 0.3},
    keep=("x",),
)
def newton_line_search(problem: Any, history: History) -> tuple[Any, Any]:
    """Every step size up to mu / L1 passes the test of Armijo, as c1 < 1/2."""
    ratio = problem.l2 / problem.lipschitz_grad
    return 0.3 * 0.5 * ratio * decrements(problem, history)[:-1] ** 2, -np.diff(history.f)


@guarantee(
    "newton",
    "self-concordant",
    r"f(x_k)-f(x_{k+1})\ge c_1\beta\frac{\lambda_k^2}{1+\lambda_k}",
    source="boyd2004convex",
    problem=analytic_center,
    hyper=lambda problem: {"sufficient_decrease": 0.3},
    keep=("x",),
)
def newton_self_concordant(problem: Any, history: History) -> tuple[Any, Any]:
    """No constant of the problem enters: every step size up to 1 / (1 + decrement) passes the test of Armijo."""
    decrement = decrements(problem, history)[:-1]
    return 0.3 * 0.5 * decrement**2 / (1.0 + decrement), -np.diff(history.f)


@guarantee(
    "newton_cg",
    "gradient, quadratic",
    r"\|g_{k+1}\|\le(1-\alpha_k)\|g_k\|+\alpha_k\|r_k\|",
    source="dembo1982inexact",
    proof="here",
    problem=lambda: quadratic(np.logspace(0.0, 3.0, 30).tolist(), x0=np.ones(30)),
    hyper=lambda problem: {"forcing": "fixed", "forcing_term": 0.5},
    keep=("step",),
)
@guarantee(
    "newton_cg",
    "gradient",
    r"\|g_{k+1}\|\le(1-\alpha_k)\|g_k\|+\alpha_k\|r_k\|+\frac{L_2}2\|x_{k+1}-x_k\|^2",
    source="dembo1982inexact",
    proof="here",
    problem=far_logistic,
    keep=("step",),
)
def newton_cg_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    """What the linear model leaves of the gradient, (1 - alpha) g + alpha r, and what Taylor's theorem adds."""
    g, alpha = history.grad_norm, history["step_size"][1:]
    length = np.asarray([norm(step) for step in list(history["step"])[1:]])
    linear = (1.0 - alpha) + alpha * history["linear_residual"][1:]
    return g[1:], linear * g[:-1] + getattr(problem, "lipschitz_hess", 0.0) / 2.0 * length**2


@guarantee(
    "newton_cg",
    "direction",
    r"-g_k^\top p_k\ge\frac{\|g_k\|^2}{\lambda_{\max}(H_k)}\quad\text{however inexact the solve}",
    source="nocedal2006numerical",
    proof="here",
    problem=far_logistic,
    hyper=lambda problem: {"forcing": "fixed", "forcing_term": 0.9},
    keep=("x", "step"),
)
def newton_cg_direction(problem: Any, history: History) -> tuple[Any, Any]:
    """The model at an iterate of conjugate gradients is half the slope, and falls from the first iterate on."""
    x, step = list(history["x"])[:-1], list(history["step"])[1:]
    slope = [-float(problem.grad(z) @ p) / a for z, p, a in zip(x, step, history["step_size"][1:], strict=True)]
    largest = np.asarray([np.linalg.eigvalsh(problem.hess(z))[-1] for z in x])
    return history.grad_norm[:-1] ** 2 / largest, slope


# ---------------------------------------------------------------------------------------------- trust regions and cubics


@guarantee(
    "trust_region",
    "model, Steihaug-Toint",
    r"-m(h_k)\ge\tfrac12\|g_k\|\min\Big(\Delta_k,\frac{\|g_k\|}{\|H_k\|}\Big)",
    source="nocedal2006numerical",
    problem=chebyshev_rosenbrock,
    hyper=lambda problem: {"subproblem": "steihaug"},
    keep=("x",),
)
@guarantee(
    "trust_region",
    "model",
    r"-m(h_k)\ge\tfrac12\|g_k\|\min\Big(\Delta_k,\frac{\|g_k\|}{\|H_k\|}\Big)",
    source="nocedal2006numerical",
    problem=chebyshev_rosenbrock,
    keep=("x",),
)
def trust_region_model(problem: Any, history: History) -> tuple[Any, Any]:
    """The model falls by at least half of what its slope promises up to the Cauchy point."""
    g, size = history.grad_norm[:-1], spectral_norms(problem, history)
    return 0.5 * g * np.minimum(history["trust_radius"][1:], g / size), history["decrease"][1:]


def spectral_norms(problem: Any, history: History) -> np.ndarray:
    """The norm of the Hessian before every step; the run has to keep x."""
    return np.asarray([np.abs(np.linalg.eigvalsh(problem.hess(x))).max() for x in list(history["x"])[:-1]])


@guarantee(
    "cubic_newton",
    "values, cubed residual",
    r"f(x_k)-f^*\le\frac{9L_2D^3}{(k+4)^2}",
    source="nesterov2006cubic",
    proof="here",
    problem=cubed_residual,
    hyper=constant,
    steps=400,
    keep=("x",),
)
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
    "decrease, not convex",
    r"\frac M{12}\|h_k\|^3\le f(x_k)-f(x_{k+1})",
    source="nesterov2006cubic",
    problem=cosines,
    hyper=constant,
)
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
    "gradient, far start",
    r"\|\nabla f(x_{k+1})\|\le\frac{L_2+M}2\|h_k\|^2",
    source="nesterov2006cubic",
    problem=far_logistic,
    hyper=constant,
    steps=400,
)
@guarantee(
    "cubic_newton",
    "gradient",
    r"\|\nabla f(x_{k+1})\|\le\frac{L_2+M}2\|h_k\|^2",
    source="nesterov2006cubic",
    **CHAIN,  # type: ignore[arg-type]
)
def cubic_newton_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    return history.grad_norm[1:], (problem.lipschitz_hess + history["M"][1:]) / 2.0 * history["radius"][1:] ** 2


@guarantee(
    "cubic_newton",
    "curvature",
    r"-\lambda_{\min}(\nabla^2f(x_{k+1}))\le\Big(L_2+\frac M2\Big)\|h_k\|",
    source="nesterov2006cubic",
    problem=cosines,
    hyper=constant,
    keep=("x",),
)
def cubic_newton_curvature(problem: Any, history: History) -> tuple[Any, Any]:
    """The Hessian plus M/2 of the step length is positive semi-definite where the step began."""
    least = [np.linalg.eigvalsh(problem.hess(x))[0] for x in list(history["x"])[1:]]
    return -np.asarray(least), (problem.lipschitz_hess + history["M"][1:] / 2.0) * history["radius"][1:]


@guarantee(
    "cubic_newton",
    "adapted M",
    r"M_k\le\max(1,2L_2)",
    source="nesterov2006cubic",
    proof="here",
    problem=cosines,
)
def cubic_newton_adapted(problem: Any, history: History) -> tuple[Any, Any]:
    """Every M from L2 on passes the test, so no trial beyond it is doubled."""
    return history["M"][1:], max(1.0, 2.0 * problem.lipschitz_hess)


@guarantee(
    "arc",
    "model, Krylov",
    r"-m(s_k)\ge\frac{\|g_k\|}{6\sqrt2}\min\Big(\frac{\|g_k\|}{1+\|H_k\|},\frac12\sqrt{\frac{\|g_k\|}{\sigma_k}}\Big)",
    source="cartis2011adaptive",
    problem=chebyshev_rosenbrock,
    hyper=lambda problem: {"subproblem": "krylov"},
    keep=("x",),
)
@guarantee(
    "arc",
    "model",
    r"-m(s_k)\ge\frac{\|g_k\|}{6\sqrt2}\min\Big(\frac{\|g_k\|}{1+\|H_k\|},\frac12\sqrt{\frac{\|g_k\|}{\sigma_k}}\Big)",
    source="cartis2011adaptive",
    problem=chebyshev_rosenbrock,
    keep=("x",),
)
def arc_model(problem: Any, history: History) -> tuple[Any, Any]:
    """What the Cauchy point, the best along the gradient, gains at least; see their Lemma 2.1."""
    g, size, sigma = history.grad_norm[:-1], spectral_norms(problem, history), history["sigma"][1:]
    cauchy = g / (6.0 * math.sqrt(2.0)) * np.minimum(g / (1.0 + size), 0.5 * np.sqrt(g / sigma))
    return cauchy, history["decrease"][1:]


# ------------------------------------------------------------------------------------------------------ lazy Hessians


@guarantee(
    "lazy_newton",
    "period, not convex",
    r"\frac M{24}\sum_{j<m}\|h_j\|^3\le f(z)-f(x_m)",
    source="doikov2023lazy",
    proof="here",
    problem=cosines,
    hyper=lambda problem: {"M": 1.6 * PERIOD * problem.lipschitz_hess, "period": PERIOD},
    steps=400,
)
@guarantee(
    "lazy_newton",
    "period",
    r"\frac M{24}\sum_{j<m}\|h_j\|^3\le f(z)-f(x_m)",
    source="doikov2023lazy",
    proof="here",
    problem=lambda: chain(30),
    hyper=lambda problem: {"M": 6.0 * PERIOD * problem.lipschitz_hess, "period": PERIOD},
    steps=1000,
)
def lazy_newton_period(problem: Any, history: History) -> tuple[Any, Any]:
    """For every M from 1.6 m L2 on; derived in the chapter on lazy Hessians."""
    return history["M"][1] / 24.0 * per_period(history["radius"][1:] ** 3), -per_period(np.diff(history.f))


@guarantee(
    "lazy_newton",
    "gradient",
    r"\|\nabla f(x_{k+1})\|\le\frac{M+L_2}2\|h_k\|^2+L_2\|x_k-z_k\|\|h_k\|",
    source="doikov2023lazy",
    proof="here",
    problem=soft_maximum,
    hyper=lambda problem: {"M": 6.0 * PERIOD * problem.lipschitz_hess, "period": PERIOD},
    steps=400,
    keep=("x",),
)
def lazy_newton_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    """The cubic term, the third order and the age of the Hessian."""
    r, L, M = history["radius"][1:], problem.lipschitz_hess, history["M"][1:]
    return history.grad_norm[1:], (M + L) / 2.0 * r**2 + L * ages(history, PERIOD) * r


@guarantee(
    "lazy_newton",
    "adapted M",
    r"M_k\le\max(1,3.2\,mL_2)",
    source="doikov2023lazy",
    proof="here",
    problem=cosines,
    hyper=lambda problem: {"period": PERIOD},
)
def lazy_newton_adapted(problem: Any, history: History) -> tuple[Any, Any]:
    """Every M from 1.6 m L2 on passes the test of a period."""
    return history["M"][1:], max(1.0, 3.2 * PERIOD * problem.lipschitz_hess)


@guarantee(
    "lazy_regularized_newton",
    "period, far start",
    r"\frac12\sum_{j<m}\lambda_j\|h_j\|^2\le f(z)-f(x_m)",
    source="doikov2023lazy",
    proof="here",
    problem=far_logistic,
    hyper=lambda problem: {"M": (2.0 * PERIOD - 1.0) / 3.0 * problem.lipschitz_hess, "period": PERIOD},
    steps=400,
)
@guarantee(
    "lazy_regularized_newton",
    "period",
    r"\frac12\sum_{j<m}\lambda_j\|h_j\|^2\le f(z)-f(x_m)",
    source="doikov2023lazy",
    proof="here",
    problem=lambda: chain(30),
    hyper=lambda problem: {"M": 3.0 * PERIOD * problem.lipschitz_hess, "period": PERIOD},
    steps=1000,
)
def lazy_regularized_newton_period(problem: Any, history: History) -> tuple[Any, Any]:
    """For every M from (2 m - 1) L2 / 3 on; derived in the chapter on lazy Hessians."""
    return 0.5 * per_period(history["damping"][1:] * history["radius"][1:] ** 2), -per_period(np.diff(history.f))


@guarantee(
    "lazy_regularized_newton",
    "gradient",
    r"\|\nabla f(x_{k+1})\|\le\lambda_k\|h_k\|+\frac{L_2}2\|h_k\|^2+L_2\|x_k-z_k\|\|h_k\|",
    source="doikov2023lazy",
    proof="here",
    problem=soft_maximum,
    hyper=lambda problem: {"M": 3.0 * PERIOD * problem.lipschitz_hess, "period": PERIOD},
    steps=400,
    keep=("x",),
)
def lazy_regularized_newton_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    r, L = history["radius"][1:], problem.lipschitz_hess
    return history.grad_norm[1:], history["damping"][1:] * r + L / 2.0 * r**2 + L * ages(history, PERIOD) * r
