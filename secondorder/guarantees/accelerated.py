"""Accelerated cubic Newton, exact and with inexact derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from secondorder.guarantees.core import guarantee, rate
from secondorder.history import History
from secondorder.problems import chain, logistic
from secondorder.run import minimize

INEXACT = "agafonov2024advancing"
NOISES = (0.1, 1.0, 10.0)
DRAWS = 4


def constants(problem: Any, **more: Any) -> dict[str, Any]:
    """The M of the theorem."""
    return {"M": 2.0 * problem.lipschitz_hess, **more}


def start_distance(problem: Any) -> float:
    """R, from the start to the solution."""
    return float(np.linalg.norm(problem.x0 - problem.x_star))


def noisy_logistic(distance: float = 3.0) -> Any:
    """Logistic regression on 300 random rows without a ridge, from a point at the given distance of its solution."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((300, 20))
    y = np.where(rng.random(300) < 1.0 / (1.0 + np.exp(-A @ rng.standard_normal(20))), 1.0, -1.0)
    direction = rng.standard_normal(20)
    problem = logistic((A, y), l2=0.0)
    problem.x_star = minimize(problem, "newton", tol=1e-13).x
    problem.f_star = float(problem.f(problem.x_star))
    problem.x0 = problem.x_star + distance / np.linalg.norm(direction) * direction
    return problem


def invariant(problem: Any, history: History) -> tuple[Any, Any]:
    """Both sides less the least value, so that they are positive."""
    return history.primal_gap[1:], history["ceiling"][1:] - problem.f_star


INVARIANT = r"f(x_t)-f^*\le\min\psi_t/A_t-f^*"
guarantee(
    "accelerated_cubic_newton",
    "invariant",
    INVARIANT,
    source="nesterov2008accelerating",
    problem=lambda: chain(30),
    hyper=constants,
    proof="here",
    steps=400,
)(invariant)
guarantee(
    "accelerated_cubic_newton",
    "invariant, larger weights",
    INVARIANT,
    source="kamzolov2024optami",
    problem=lambda: chain(30),
    hyper=lambda problem: constants(problem, enlargement=2.0),
    proof="here",
    steps=400,
)(invariant)
for noise in NOISES:
    guarantee(
        "accelerated_inexact_newton",
        f"invariant, Hessian noise {noise:g}",
        INVARIANT,
        source=INEXACT,
        problem=lambda: chain(30),
        hyper=lambda problem, noise=noise: constants(problem, hessian_noise=noise),  # type: ignore[misc]
        proof="here",
    )(invariant)


@guarantee(
    "accelerated_cubic_newton",
    "values",
    r"f(x_t)-f^*\le\frac{12L_2R^3}{t(t+1)(t+2)}",
    source="nesterov2008accelerating",
    problem=lambda: chain(30),
    hyper=constants,
    proof="here",
    steps=900,
)
def accelerated_values(problem: Any, history: History) -> tuple[Any, Any]:
    t, R = np.arange(1.0, len(history)), start_distance(problem)
    return history.primal_gap[1:], 12.0 * problem.lipschitz_hess * R**3 / (t * (t + 1.0) * (t + 2.0))


@guarantee(
    "accelerated_cubic_newton",
    "values, larger weights",
    r"f(x_t)-f^*\le\frac{\kappa_3R^3}{3A_t}",
    source="kamzolov2024optami",
    problem=lambda: chain(30),
    hyper=lambda problem: constants(problem, enlargement=2.0),
    proof="here",
    steps=400,
)
def enlarged_values(problem: Any, history: History) -> tuple[Any, Any]:
    R = start_distance(problem)
    return history.primal_gap[1:], history["cubic"][1:] * R**3 / (3.0 * history["total_weight"][1:])


@guarantee(
    "accelerated_cubic_newton",
    "progress at the new point",
    r"\sqrt{\tfrac2{3L_2}}\,\|\nabla f(x_{t+1})\|^{3/2}\le\nabla f(x_{t+1})^\top(v_t-x_{t+1})",
    source="nesterov2008accelerating",
    problem=lambda: chain(30),
    hyper=constants,
    proof="here",
    steps=400,
    keep=("x", "step"),
)
def progress(problem: Any, history: History) -> tuple[Any, Any]:
    grads = [problem.grad(x) for x in history["x"][1:]]
    left = np.sqrt(2.0 / 3.0 / problem.lipschitz_hess) * np.asarray([np.linalg.norm(g) ** 1.5 for g in grads])
    return left, np.asarray([-g @ h for g, h in zip(grads, history["step"][1:])])


@guarantee(
    "accelerated_inexact_newton",
    "values, Hessian noise 1",
    r"f(x_t)-f^*\le\frac6{t(t+1)(t+2)}\Big(\frac{\kappa_2}2R^2+\frac{17}3L_2R^3\Big),\ \kappa_2\le6\delta_2t",
    source=INEXACT,
    problem=lambda: chain(30),
    hyper=lambda problem: constants(problem, hessian_noise=1.0),
    proof="here",
    steps=600,
)
def inexact_values(problem: Any, history: History) -> tuple[Any, Any]:
    t, R = np.arange(1.0, len(history)), start_distance(problem)
    bracket = 3.0 * 1.0 * t * R**2 + 17.0 / 3.0 * problem.lipschitz_hess * R**3
    return history.primal_gap[1:], 6.0 * bracket / (t * (t + 1.0) * (t + 2.0))


def expected_bound(problem: Any, history: History, gradient_noise: float, distance: float) -> np.ndarray:
    """What the mean of f - f* is below with noisy gradients, for every t ≥ 1; of the run only what is not random is used."""
    t, R = np.arange(len(history) - 1.0), start_distance(problem)
    a, A, damping = history["weight"][1:], history["total_weight"][1:], history["damping"][1:]
    lost = np.cumsum(a**2 / (2.0 * gradient_noise / distance * (t + 3.0) ** 2.5) + A / damping)
    held = history["quadratic"][1:] / 2.0 * R**2 + history["cubic"][1:] / 3.0 * R**3
    return (held + gradient_noise**2 * lost) / A


@guarantee(
    "accelerated_inexact_newton",
    "values, gradient noise 0.1",
    r"\mathbb Ef(x_t)-f^*\le\frac1{A_t}\Big(\frac{\kappa_2}2R^2+7L_2R^3+\sigma_1^2\sum_i\Big(\frac{a_i^2}{2\bar\lambda_i}"
    r"+\frac{A_{i+1}}{\bar\delta_i}\Big)\Big)",
    source=INEXACT,
    problem=noisy_logistic,
    hyper=lambda problem: constants(problem, gradient_noise=0.1, distance=start_distance(problem)),
    proof="here",
    steps=300,
)
def noisy_values(problem: Any, history: History) -> tuple[Any, Any]:
    """The left-hand side is the mean over some runs, of which the one on record is the first."""
    given = {name: value for name, value in history.hyper.items() if name != "seed"}
    runs = [history] + [
        minimize(problem, history.method, steps=len(history) - 1, tol=0.0, seed=seed, **given)
        for seed in range(1, DRAWS)
    ]
    mean = np.mean([run.primal_gap[1:] for run in runs], axis=0)
    return mean, expected_bound(problem, history, given["gradient_noise"], given["distance"])


@rate(
    "accelerated_inexact_newton",
    "Hessian noise 1",
    2.0,
    r"f(x_t)-f^*=O(\delta_2R^2/t^2)",
    source=INEXACT,
    problem=noisy_logistic,
    hyper=lambda problem: constants(problem, hessian_noise=1.0),
    steps=400,
)
def hessian_noise_gap(problem: Any, history: History) -> np.ndarray:
    return history.primal_gap


@rate(
    "accelerated_inexact_newton",
    "gradient noise 0.1",
    0.5,
    r"\mathbb Ef(x_t)-f^*=O(\sigma_1R/\sqrt t)",
    source=INEXACT,
    problem=noisy_logistic,
    hyper=lambda problem: constants(problem, gradient_noise=0.1, distance=start_distance(problem)),
    steps=400,
)
def gradient_noise_gap(problem: Any, history: History) -> np.ndarray:
    return history.primal_gap
