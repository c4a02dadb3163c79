r"""Gradient-normalised smoothness: what follows from the acceptance test, and the rate of each class, which it is not told.

Write :math:`F_k=f(x_k)-f^*`, :math:`g_k` for the gradients, :math:`r_k=\|g_{k+1}\|/\|g_k\|`. For convex f and
:math:`\mathbf H\succeq0`, :math:`F_k-F_{k+1}\le-g_k^\top h\le\|g_k\|\gamma_k`, which the acceptance test turns into
:math:`r_k\le\sqrt8`. So a lower bound :math:`\frac12\gamma(x)\ge\kappa\|\nabla f(x)\|^\beta`, with
:math:`\beta\le\frac23` and :math:`\kappa\|g_0\|^\beta\le1`, survives the doubling of :math:`\gamma`, which is as fast as
:math:`\|g_k\|^\beta` can grow. (For :math:`\mathbf H=0` and :math:`\beta=1` it does too: up to a step of :math:`2/L_1`
gradients do not grow, and beyond it :math:`\gamma_k/\|g_k\|` has room to fall by :math:`\sqrt2`.) Then, D bounding the distance
of the iterates to the solution,

.. math:: F_k-F_{k+1}\ge\tfrac\kappa8\|g_{k+1}\|^{1+\beta}r_k^{1-\beta}\ge c\,F_{k+1}^{1+\beta}r_k^{1-\beta},\quad
    c=\frac\kappa{8D^{1+\beta}} .

The r_k multiply to :math:`\rho=\|g_K\|/\|g_0\|`, and their mean is at least the geometric one: :math:`\beta=0` gives
``linear``, :math:`\beta>0` ``sublinear``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from secondorder.guarantees.classical import distances
from secondorder.guarantees.core import guarantee
from secondorder.history import History
from secondorder.newton.gradient_normalized import SMOOTHNESS_MAX, SMOOTHNESS_MIN
from secondorder.oracles import Problem
from secondorder.problems import chain, ill_scaled_logistic, power_of_residual, soft_maximum
from secondorder.run import minimize

METHOD = "gradient_normalized_newton"
SOURCE = "semenov2026gradient"


def far_logistic() -> Any:
    """A logistic regression from all entries 10, its solution computed by Newton's method; ``concordance`` is M."""
    problem: Any = ill_scaled_logistic(n=200, d=10, decades=1.0, l2=1e-3)
    problem.x_star = minimize(problem, "newton", tol=1e-13).x
    problem.f_star = float(problem.f(problem.x_star))
    problem.x0 = np.full(10, 10.0)
    problem.concordance = float(np.sqrt(np.max(np.sum(problem.A**2, axis=1))))
    return problem


def soft() -> Any:
    """A soft maximum; ``concordance``, M, is the largest distance of two rows over mu, as a third cumulant is at most
    the variance times the range."""
    problem: Any = soft_maximum(n=100, d=10, mu=0.5)
    distances = np.linalg.norm(problem.A[:, None] - problem.A[None], axis=2)
    problem.concordance = float(np.max(distances)) / problem.mu
    return problem


def cube() -> Any:
    """The cube of a norm; the Hessian of a third of |u|³ has the Lipschitz constant 2."""
    return power_of_residual(p=3, n=40, d=5)


def quartic() -> Any:
    return power_of_residual(p=4, n=40, d=5)


# ---------------------------------------------------------------------------------------------------- the decrease


def decrease(problem: Problem, history: History) -> tuple[Any, Any]:
    promised = history["smoothness"][1:] / 8.0 * history.grad_norm[1:] ** 2 / history.grad_norm[:-1]
    return promised, -np.diff(history.f)


for _hessian, _problem in (
    ("exact", soft),
    ("gauss_newton", soft),
    ("fisher", quartic),
    ("diagonal_rank_one", quartic),
    ("zero", soft),
):
    guarantee(
        METHOD,
        f"decrease, {_hessian}",
        r"\frac{\gamma_k}8\frac{\|g_{k+1}\|^2}{\|g_k\|}\le f(x_k)-f(x_{k+1})",
        source=SOURCE,
        problem=_problem,
        hyper=lambda problem, hessian=_hessian: {"hessian": hessian},  # type: ignore[misc]
        steps=1000,
        tol=1e-9,
    )(decrease)


@guarantee(
    METHOD,
    "ceiling, Gauss-Newton",
    r"f(x_k)-f(x_{k+1})\le\mu",
    source=SOURCE,
    proof="here",
    problem=soft,
    hyper=lambda problem: {"hessian": "gauss_newton"},
    steps=500,
    tol=1e-9,
)
def ceiling(problem: Any, history: History) -> tuple[Any, Any]:
    """The matrix is at least gg'/mu, by the inequality of Cauchy and Schwarz, so -g'h <= mu for any damping: what limits the
    approximation, not the method."""
    return -np.diff(history.f), problem.mu


@guarantee(
    METHOD,
    "gradient, given smoothness",
    r"\|g_{k+1}\|\le2\lambda_k\|h_k\|",
    source=SOURCE,
    proof="here",
    problem=far_logistic,
    hyper=lambda problem: {"smoothness": 1.0 / problem.concordance},
    tol=1e-9,
)
def given_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    """With gamma = 1/M, which bounds gamma(x) from below, no search is needed."""
    return history.grad_norm[1:], 2.0 * history["damping"][1:] * history["radius"][1:]


guarantee(
    METHOD,
    "decrease, given smoothness",
    r"\frac{\gamma}8\frac{\|g_{k+1}\|^2}{\|g_k\|}\le f(x_k)-f(x_{k+1}),\quad\gamma=\tfrac1M",
    source=SOURCE,
    proof="here",
    problem=far_logistic,
    hyper=lambda problem: {"smoothness": 1.0 / problem.concordance},
    tol=1e-9,
)(decrease)


# ------------------------------------------------------------------------------- lower bounds on gamma(x) before each step


def lipschitz_radius(problem: Any, history: History) -> np.ndarray:
    return np.sqrt(2.0 * history.grad_norm[:-1] / problem.lipschitz_hess)


def concordant_radius(problem: Any, history: History) -> np.ndarray:
    return np.full(len(history) - 1, 1.0 / problem.concordance)


def gauss_newton_radius(problem: Any, history: History) -> np.ndarray:
    """The matrix is the Hessian and gg'/mu, of norm |g|²/mu, and above the Hessian: its region lies in the Hessian's."""
    return 1.0 / (problem.concordance + history.grad_norm[:-1] / problem.mu)


def gradient_radius(problem: Any, history: History) -> np.ndarray:
    return history.grad_norm[:-1] / problem.lipschitz_grad


def relative_radius(problem: Any, error: float, slope: float) -> float:
    r"""gamma(x) / |u| for the quartic, at :math:`\|A^\top u\|/\|u\|` = ``slope`` and an error of the Hessian of ``error`` |u|².

    The cubic and quartic terms left add :math:`\|A\|^3\|h\|^2(3\|u\|+\|A\|\|h\|)`, so t is the positive root of
    :math:`et+\|A\|^3t^2(3+\|A\|t)=s`.
    """
    size = float(np.linalg.norm(problem.A, 2))
    roots = np.roots([size**4, 3.0 * size**3, error, -slope])
    return float(np.max(roots[np.abs(roots.imag) < 1e-9 * np.abs(roots)].real))


def hessian_error(problem: Any, hessian: str) -> float:
    """How far the Hessian of the quartic is from its approximation, over |u|²."""
    gram = problem.A.T @ problem.A
    left = {"fisher": gram, "diagonal_rank_one": gram - np.diag(np.diag(gram)), "zero": 3.0 * gram}[hessian]
    return float(np.linalg.norm(left, 2))


def quartic_radius(problem: Any, history: History) -> np.ndarray:
    error = hessian_error(problem, history.hyper["hessian"])
    u = np.stack(list(history["x"]))[:-1] @ problem.A.T - problem.b
    size = np.linalg.norm(u, axis=1)
    slopes = np.linalg.norm(u @ problem.A, axis=1) / size
    return np.asarray(size * [relative_radius(problem, error, slope) for slope in slopes])


# ------------------------------------------------------------------------------------- what is measured of gamma(x)


def first_trials(history: History) -> np.ndarray:
    """The smoothness that each step tries first."""
    doubled = np.clip(2.0 * history["smoothness"][1:-1], SMOOTHNESS_MIN, SMOOTHNESS_MAX)
    return np.concatenate([[1.0], doubled])


def measured(history: History, bound: Any) -> tuple[Any, Any]:
    """The smaller of the first trial and half of the bound on gamma(x_k), against the gamma_k accepted."""
    return np.minimum(first_trials(history), 0.5 * bound), history["smoothness"][1:]


SMOOTHNESS = r"\min\{\text{first trial},\tfrac12\gamma(x_k)\}\le\gamma_k,\quad"


@guarantee(
    METHOD,
    "smoothness, Lipschitz Hessian",
    SMOOTHNESS + r"\gamma(x)=\sqrt{2\|\nabla f(x)\|/L_2}",
    source=SOURCE,
    problem=cube,
    tol=1e-9,
)
def smoothness_lipschitz(problem: Any, history: History) -> tuple[Any, Any]:
    return measured(history, lipschitz_radius(problem, history))


@guarantee(
    METHOD,
    "smoothness, quasi-self-concordant",
    SMOOTHNESS + r"\gamma(x)=\tfrac1M",
    source=SOURCE,
    proof="here",
    problem=far_logistic,
    tol=1e-9,
)
def smoothness_concordant(problem: Any, history: History) -> tuple[Any, Any]:
    return measured(history, concordant_radius(problem, history))


@guarantee(
    METHOD,
    "smoothness, Gauss-Newton",
    SMOOTHNESS + r"\gamma(x)=\Big(M+\frac{\|\nabla f(x)\|}\mu\Big)^{-1}",
    source=SOURCE,
    proof="here",
    problem=soft,
    hyper=lambda problem: {"hessian": "gauss_newton"},
    steps=500,
    tol=1e-9,
)
def smoothness_gauss_newton(problem: Any, history: History) -> tuple[Any, Any]:
    return measured(history, gauss_newton_radius(problem, history))


@guarantee(
    METHOD,
    "smoothness, zero Hessian",
    SMOOTHNESS + r"\gamma(x)=\|\nabla f(x)\|/L_1",
    source=SOURCE,
    problem=soft,
    hyper=lambda problem: {"hessian": "zero"},
    steps=1000,
    tol=1e-9,
)
def smoothness_zero(problem: Any, history: History) -> tuple[Any, Any]:
    return measured(history, gradient_radius(problem, history))


def smoothness_quartic(problem: Any, history: History) -> tuple[Any, Any]:
    return measured(history, quartic_radius(problem, history))


for _hessian in ("fisher", "diagonal_rank_one"):
    guarantee(
        METHOD,
        f"smoothness, {_hessian}",
        SMOOTHNESS + r"\gamma(x)=t\|u\|,\ et+\|A\|^3t^2(3+\|A\|t)=\frac{\|A^\top u\|}{\|u\|}",
        source=SOURCE,
        proof="here",
        problem=quartic,
        hyper=lambda problem, hessian=_hessian: {"hessian": hessian},  # type: ignore[misc]
        keep=("x",),
        tol=1e-9,
    )(smoothness_quartic)


# ----------------------------------------------------------------------------------------------- the rate of a class


def diameter(problem: Any, history: History) -> float:
    return float(distances(problem, history).max())


def linear(history: History, c: float, power: float = 1.0) -> tuple[Any, Any]:
    r""":math:`F_K\le F_0(1+c\rho^{p/K})^{-K}`, from :math:`F_k\ge F_{k+1}(1+cr_k^p)`: :math:`\log(1+ce^y)` is convex."""
    F, K = history.primal_gap, np.arange(1, len(history))
    rho = history.grad_norm[1:] / history.grad_norm[0]
    return F[1:], F[0] * (1.0 + c * rho ** (power / K)) ** -K


def sublinear(history: History, c: float, beta: float) -> tuple[Any, Any]:
    r""":math:`F_K\le(F_0^{-\beta}+cmK\rho^{(1-\beta)/K})^{-1/\beta}`.

    :math:`F_{k+1}^{-\beta}-F_k^{-\beta}\ge F_{k+1}^{-\beta}(1-(1+a)^{-\beta})` with :math:`a=cF_{k+1}^\beta r_k^{1-\beta}`, at
    most :math:`\bar a=cF_0^\beta8^{(1-\beta)/2}`; :math:`1-(1+a)^{-\beta}` is concave, hence at least
    :math:`ma`, :math:`m=(1-(1+\bar a)^{-\beta})/\bar a`.
    """
    F, K = history.primal_gap, np.arange(1, len(history))
    rho = history.grad_norm[1:] / history.grad_norm[0]
    most = c * F[0] ** beta * 8.0 ** ((1.0 - beta) / 2.0)
    m = (1.0 - (1.0 + most) ** -beta) / most
    return F[1:], (F[0] ** -beta + c * m * K * rho ** ((1.0 - beta) / K)) ** (-1.0 / beta)


LINEAR = r"F_K\le F_0\big(1+c\,\rho^{1/K}\big)^{-K},\quad c=\frac{\gamma_*}{8D},\ \gamma_*="


@guarantee(
    METHOD,
    "values, quasi-self-concordant",
    LINEAR + r"\min\{1,\tfrac1{2M}\}",
    source=SOURCE,
    proof="here",
    problem=far_logistic,
    keep=("x",),
    tol=1e-9,
)
def values_concordant(problem: Any, history: History) -> tuple[Any, Any]:
    return linear(history, min(1.0, 0.5 / problem.concordance) / (8.0 * diameter(problem, history)))


@guarantee(
    METHOD,
    "values, Gauss-Newton",
    LINEAR + r"\min\Big\{1,\tfrac12\Big(M+\frac\varrho\mu\Big)^{-1}\Big\}",
    source=SOURCE,
    proof="here",
    problem=soft,
    hyper=lambda problem: {"hessian": "gauss_newton"},
    keep=("x",),
    steps=500,
    tol=1e-9,
)
def values_gauss_newton(problem: Any, history: History) -> tuple[Any, Any]:
    """The gradient is a mean of the rows of A, and no longer than the longest of them."""
    rho = math.sqrt(problem.lipschitz_grad * problem.mu)
    least = min(1.0, 0.5 / (problem.concordance + rho / problem.mu))
    return linear(history, least / (8.0 * diameter(problem, history)))


@guarantee(
    METHOD,
    "values, Lipschitz Hessian",
    r"F_K\le\big(F_0^{-1/2}+cmK\sqrt{\rho^{1/K}}\big)^{-2}=O\Big(\frac{L_2D^3}{K^2}\Big)",
    source=SOURCE,
    proof="here",
    problem=lambda: chain(30),
    keep=("x",),
    tol=1e-9,
)
def values_lipschitz(problem: Any, history: History) -> tuple[Any, Any]:
    kappa = min(history.grad_norm[0] ** -0.5, (2.0 * problem.lipschitz_hess) ** -0.5)
    return sublinear(history, kappa / (8.0 * diameter(problem, history) ** 1.5), 0.5)


@guarantee(
    METHOD,
    "values, zero Hessian",
    r"F_K\le\Big(\frac1{F_0}+cmK\Big)^{-1}=O\Big(\frac{L_1D^2}K\Big)",
    source=SOURCE,
    proof="here",
    problem=soft,
    hyper=lambda problem: {"hessian": "zero"},
    keep=("x",),
    steps=1000,
    tol=1e-9,
)
def values_zero(problem: Any, history: History) -> tuple[Any, Any]:
    kappa = min(1.0 / history.grad_norm[0], 0.5 / problem.lipschitz_grad)
    return sublinear(history, kappa / (8.0 * diameter(problem, history) ** 2), 1.0)


@guarantee(
    METHOD,
    "values, fisher",
    r"F_K\le F_0\big(1+\tfrac12\kappa\sigma^{4/3}\rho^{2/(3K)}\big)^{-K},\quad\tfrac12\gamma(x)\ge\kappa\|\nabla f(x)\|^{1/3}",
    source=SOURCE,
    proof="here",
    problem=quartic,
    hyper=lambda problem: {"hessian": "fisher"},
    keep=("x",),
    tol=1e-9,
)
def values_fisher(problem: Any, history: History) -> tuple[Any, Any]:
    r"""The quartic with beta = 1/3: :math:`\|\nabla f\|\le\|A\|\|u\|^3`, and :math:`\|\nabla f\|^{4/3}\ge4\sigma^{4/3}f` in
    place of the distance, sigma being the least singular value of A."""
    singular = np.linalg.svd(problem.A, compute_uv=False)
    t = relative_radius(problem, hessian_error(problem, "fisher"), float(singular[-1]))
    kappa = min(history.grad_norm[0] ** (-1.0 / 3.0), 0.5 * t * float(singular[0]) ** (-1.0 / 3.0))
    return linear(history, 0.5 * kappa * float(singular[-1]) ** (4.0 / 3.0), 2.0 / 3.0)
