"""The pictures of the least-squares chapter: a fit on its way, the path of the damping, the factor of Gauss-Newton."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.optimize import brentq

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import (
    Axis,
    Choice,
    Field,
    Line,
    Panel,
    Rule,
    Scene,
    Slider,
    Text,
    view,
)
from secondorder.labs.views.newton import edited
from secondorder.least_squares import (
    gauss_newton,
    levenberg_marquardt,
    variable_projection,
)
from secondorder.linalg import column_norms, damped_least_squares
from secondorder.oracles import Problem
from secondorder.problems.nist import FITS as FITS_OF_NIST
from secondorder.run import minimize

Method = Callable[..., Any]
DEFAULTS: Mapping[str, Any] = MappingProxyType({})

# ----------------------------------------------------------------------------------------------------- a fit

FITS = tuple(f"{name}, start {start}" for name in ("Misra1a", "Rat43", "Thurber", "BoxBOD") for start in (1, 2))
VARIANTS: dict[str, tuple[Method, dict[str, Any]]] = {
    "Levenberg–Marquardt": (levenberg_marquardt, {}),
    "Levenberg–Marquardt, geodesic": (levenberg_marquardt, {"geodesic": True}),
    "Gauss–Newton": (gauss_newton, {}),
    "variable projection": (variable_projection, {}),
}
MOST_TRIALS = 60


@view(
    title="A fit on its way",
    chapter="least_squares/levenberg_marquardt",
    methods=("levenberg_marquardt", "gauss_newton", "variable_projection"),
    controls=(
        Choice("fit", FITS, "data and start", "Rat43, start 1"),
        Choice("variant", tuple(VARIANTS), "method", "Levenberg–Marquardt"),
        Slider(
            "trial",
            (*range(9), 10, 12, 15, 20, 25, 30, 40),
            "trials made",
            4,
            live=tuple(range(MOST_TRIALS + 1)),
        ),
    ),
    presets={
        "far from the data": {
            "fit": "Rat43, start 1",
            "variant": "Levenberg–Marquardt",
            "trial": 0,
        },
        "the plateau": {
            "fit": "BoxBOD, start 1",
            "variant": "Levenberg–Marquardt",
            "trial": 12,
        },
        "no plateau without b₁": {
            "fit": "BoxBOD, start 1",
            "variant": "variable projection",
            "trial": 4,
        },
        "a line search is not enough": {"fit": "Rat43, start 1", "variant": "Gauss–Newton", "trial": 40},
    },
)
def curve_fit(
    *,
    fit: str = "Rat43, start 1",
    variant: str = "Levenberg–Marquardt",
    trial: int = 4,
    method: Method | None = None,
) -> Scene:
    """The curve after some trials beside the data, and the damping and the error of the trials up to there."""
    original, hyper = VARIANTS[variant]
    runs = [(label, fit_run(fit, m, hyper if m is original else DEFAULTS)) for label, m in edited(method, original)]
    k = min(trial, len(runs[0][1]) - 1)
    return Scene(
        (_data_panel(fit, runs, trial), _account_panel(fit, runs, trial)),
        _fit_sentence(fit, variant, runs[0][1], k),
    )


def fit_problem(fit: str) -> Any:
    name, _, start = fit.partition(", start ")
    return problems.nist(name, int(start))


def fit_run(fit: str, method: Method, hyper: Mapping[str, Any] = DEFAULTS) -> History:
    return _fit_run(fit, method, tuple(hyper.items()))


@functools.lru_cache(maxsize=128)
def _fit_run(fit: str, method: Method, hyper: tuple[tuple[str, Any], ...]) -> History:
    return minimize(fit_problem(fit), method, steps=MOST_TRIALS, keep=("x",), **dict(hyper))


def relative_errors(problem: Any, history: History) -> np.ndarray:
    """The relative error of the worst parameter, row by row, at least 1e-11."""
    return np.asarray([10.0 ** -problem.log_relative_error(x) for x in history["x"]])


def _data_panel(fit: str, runs: list[tuple[str, History]], trial: int) -> Panel:
    problem = fit_problem(fit)
    span, height = np.ptp(problem.t), np.ptp(problem.y)
    low, high = (
        min(0.0, problem.y.min()) - 0.15 * height,
        problem.y.max() + 0.2 * height,
    )
    t = np.linspace(problem.t.min() - 0.05 * span, problem.t.max() + 0.05 * span, 91)

    def curve(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.clip(problem.model(x, t), low - height, high + height)

    marks = [
        Line(problem.t, problem.y, label="data", color=4, markers=True, line=False),
        Line(
            t,
            curve(problem.certified),
            label="certified",
            color=2,
            dash=True,
            width=1.5,
        ),
    ]
    for color, (label, history) in zip((0, 3), runs):
        x = history["x"][min(trial, len(history) - 1)]
        marks.append(Line(t, curve(x), label=label, color=color, width=2.5))
    across = Axis("predictor t", domain=(float(t[0]), float(t[-1])))
    return Panel(across, Axis("response y", domain=(low, high)), tuple(marks), "data and curve")


def _account_panel(fit: str, runs: list[tuple[str, History]], trial: int) -> Panel:
    problem = fit_problem(fit)
    longest = max(len(fit_run(fit, m, hyper)) for m, hyper in VARIANTS.values())
    marks: list[Any] = []
    for color, (label, history) in zip((0, 3), runs):
        k, own = min(trial, len(history) - 1), "" if color == 0 else f", {label}"
        error = np.clip(relative_errors(problem, history)[: k + 1], 1e-11, 1e5)
        marks.append(
            Line(
                np.arange(k + 1),
                error,
                label="relative error" + own,
                color=2 if color == 0 else 5,
                width=2.0,
            )
        )
        damping = np.asarray([row.get("damping", np.nan) for row in history.rows[: k + 1]], dtype=float)
        damping = np.clip(damping, 1e-11, 1e5)
        if np.isfinite(damping).any():
            marks.append(
                Line(
                    np.arange(k + 1),
                    damping,
                    label="damping μ" + own,
                    color=color,
                    markers=True,
                    width=1.5,
                )
            )
        refused = np.flatnonzero([row.get("accepted") is False for row in history.rows[: k + 1]])
        if len(refused) and color == 0:
            marks.append(
                Line(
                    refused,
                    damping[refused],
                    label="rejected",
                    color=1,
                    markers=True,
                    line=False,
                )
            )
        marks.append(Rule(x=float(k), color="muted" if color == 0 else color))
    return Panel(
        Axis("trial", domain=(0.0, longest - 0.5)), Axis("damping μ, and error of the worst parameter", "log", (1e-12, 1e6)),
        tuple(marks), title="along the run",
    )  # fmt: skip


def _fit_sentence(fit: str, variant: str, history: History, k: int) -> str:
    problem = fit_problem(fit)
    refused = sum(row.get("accepted") is False for row in history.rows[1 : k + 1])
    digits = problem.log_relative_error(history["x"][k])
    correct = f"{digits:.1f} correct digits" if digits > 0.05 else "no correct digit"
    text = (
        f"{variant[0].upper()}{variant[1:]} on {fit}: after {k} of {len(history) - 1} trials"
        + (f", {refused} of them rejected" if refused else "")
        + f", the residual sum of squares is {2.0 * history.f[k]:.6g}, certified {problem.certified_rss:.6g}, and "
        + f"the worst parameter has {correct}."
    )  # fmt: skip
    if k + 1 < len(history):
        row = history.rows[k + 1]
        if "damping" in row:
            text += f" The next trial, with μ = {row['damping']:.2g}, is {'taken' if row['accepted'] else 'rejected'}."
        elif "step_size" in row:
            cut = f"cut to {row['step_size']:.3g} of its length" if row["step_size"] < 1.0 else "taken whole"
            text += f" The next step is {cut}."
        return text
    endings = {"converged": "has converged", "step_limit": "was cut off here"}
    end = endings.get(history.status, f"ends as {history.status}")
    text += f" The run {end}"
    return text + (", but not at the certified answer." if history.status == "converged" and digits < 4.0 else ".")


# ------------------------------------------------------------------------------------------- the path of the damping

PLANE = (40.0, 260.0, 0.0, 1.6)
STRETCH = 200.0
"""What b₂ is multiplied by, for angles in the picture that are as they look."""
DAMPINGS = tuple(float(f"{10.0 ** (k / 2):.2g}") for k in range(-8, 5))
TAU = np.geomspace(1e-6, 1e3, 109)
UNITS = (1, 10, 100, 1000)


@view(
    title="The path of the damping",
    chapter="least_squares/levenberg_marquardt",
    methods=("levenberg_marquardt",),
    controls=(
        Slider(
            "damping", DAMPINGS, "damping τ", 0.1, log=True,
            live=tuple(sorted({*(float(f"{10.0 ** (k / 8):.2g}") for k in range(-32, 17)), *DAMPINGS})),
        ),
        Slider("unit", UNITS, "b₁ is measured in units of", 1, live=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
    ),
    presets={
        "almost Gauss–Newton": {"damping": 0.0001, "unit": 1},
        "almost the gradient": {"damping": 100.0, "unit": 1},
        "other units": {"damping": 1.0, "unit": 1000},
        "units that agree": {"damping": 1.0, "unit": 100},
    },
)  # fmt: skip
def damping_path(*, damping: float = 0.1, unit: int = 1, method: Method | None = None) -> Scene:
    """All the first steps on BoxBOD from its second start, with and without scaling, and what each of them gains."""
    problem = problems.nist("BoxBOD", 2)
    scaled, plain = paths(unit)
    runs = [(label, first_step(m, "marquardt", damping, unit)) for label, m in edited(method, levenberg_marquardt)]
    other = first_step(levenberg_marquardt, "identity", damping, unit)
    start = problem.x0
    marks: list[Any] = [landscape()]
    for path, label, color, dash in (
        (scaled, "D of Marquardt", 0, False),
        (plain, "D = I", 1, True),
    ):
        points = start + path
        marks.append(
            Line(
                points[:, 0],
                points[:, 1],
                label=label,
                color=color,
                dash=dash,
                width=2.0,
            )
        )
    marks.append(
        Line(
            [start[0] + other[0]],
            [start[1] + other[1]],
            color=1,
            markers=True,
            line=False,
        )
    )
    for color, (label, step) in zip((0, 3), runs):
        end = start + step
        marks.append(
            Line(
                [start[0], end[0]],
                [start[1], end[1]],
                label=label,
                color=color,
                markers=True,
                width=1.2,
            )
        )
    least = problem.certified
    marks.append(Line([least[0]], [least[1]], color=2, markers=True, line=False))
    marks.append(Text([start[0], least[0]], [start[1], least[1]], ("start", "minimum")))
    promised, gained = gains(problem, scaled)
    _, gained_plain = gains(problem, plain)
    curves = (
        Line(TAU, promised, label="promised, D of Marquardt", color=2, width=2.0),
        Line(TAU, gained, label="gained", color=0, width=2.5),
        Line(TAU, gained_plain, label="gained, D = I", color=1, dash=True, width=2.0),
        Rule(x=damping, label="τ"),
    )
    return Scene(
        (
            Panel(Axis("b₁", domain=PLANE[:2]), Axis("b₂", domain=PLANE[2:]), tuple(marks), "steps for all dampings"),
            Panel(
                Axis("damping τ", "log", (1e-6, 1e3)), Axis("decrease, as a share of f", domain=(-0.1, 1.1)), curves,
                title="what the step gains",
            ),
        ),
        _damping_sentence(problem, damping, unit, runs[0][1], other),
    )  # fmt: skip


@functools.cache
def landscape() -> Field:
    """log₁₀ of the residual sum of squares of BoxBOD over the plane of its parameters."""
    problem = problems.nist("BoxBOD", 2)
    b1, b2 = np.linspace(*PLANE[:2], 61), np.linspace(*PLANE[2:], 61)
    Z = np.asarray([[problem.f(np.asarray([p, q])) for p in b1] for q in b2])
    return Field(b1, b2, np.log10(2.0 * Z), np.linspace(3.2, 5.2, 11))


@functools.cache
def paths(unit: float) -> tuple[np.ndarray, np.ndarray]:
    """The steps for all dampings with the scaling of Marquardt and without."""
    problem = problems.nist("BoxBOD", 2)
    return all_steps(problem, "marquardt", TAU, unit), all_steps(problem, "identity", TAU, unit)


def rescaled(problem: Any, units: Any) -> Problem:
    """The same sum of squares in other units: x = units · y."""
    u = np.asarray(units, dtype=float)
    return Problem(
        lambda y: problem.f(u * y), lambda y: u * problem.grad(u * y),
        residual=lambda y: problem.residual(u * y), jac=lambda y: problem.jac(u * y) * u, x0=problem.x0 / u,
    )  # fmt: skip


def first_step(method: Method, scaling: str, damping: float, unit: float = 1.0) -> np.ndarray:
    """The first trial step of a method with b₁ measured in units of ``unit``, in the units of the data."""
    units = np.asarray([float(unit), 1.0])
    run = minimize(
        rescaled(problems.nist("BoxBOD", 2), units), method, steps=1, tol=0.0, scaling=scaling, initial_damping=damping,
        keep=("step",),
    )  # fmt: skip
    return units * run.rows[1].get("step", np.zeros(2))


def all_steps(problem: Any, scaling: str, tau: np.ndarray, unit: float = 1.0) -> np.ndarray:
    """The same step from ``damped_least_squares``, for many dampings."""
    units = np.asarray([float(unit), 1.0])
    r, J = problem.residual(problem.x0), problem.jac(problem.x0) * units
    lengths = column_norms(J)
    D, most = (lengths, 1.0) if scaling == "marquardt" else (np.ones(2), float(np.max(lengths)) ** 2)
    return np.asarray([-units * damped_least_squares(J, float(mu) * most, D)(r) for mu in tau])


def gains(problem: Any, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The decrease of the linear model along each step and that of f, as shares of f at the start."""
    r, J = problem.residual(problem.x0), problem.jac(problem.x0)
    f = 0.5 * r @ r
    linear = np.asarray([0.5 * np.sum((r + J @ h) ** 2) for h in steps])
    return 1.0 - linear / f, np.asarray([1.0 - float(problem.f(problem.x0 + h)) / f for h in steps])


def _damping_sentence(problem: Any, damping: float, unit: int, step: np.ndarray, other: np.ndarray) -> str:
    f = float(problem.f(problem.x0))
    change = [1.0 - float(problem.f(problem.x0 + h)) / f for h in (step, other)]
    says = [f"lowers f by {c:.0%}" if c >= 0.0 else f"raises f by {-c:.0%}" for c in change]
    share = abs(other[0]) / (abs(other[0]) + STRETCH * abs(other[1]))
    return (
        f"τ = {damping:g}, b₁ in units of {unit}: with the scaling of Marquardt the step is ({step[0]:.3g}, {step[1]:.2g}) and "
        f"{says[0]}; without it, ({other[0]:.3g}, {other[1]:.2g}), and it {says[1]}. "
        + ("Almost all of the unscaled step is along b₂." if share < 0.1 else "Almost all of the unscaled step is along b₁."
           if share > 0.9 else "The unscaled step changes both parameters.")
    )  # fmt: skip


# ------------------------------------------------------------------------------------ the factor of Gauss-Newton

TIMES = np.asarray([1.0, 2.0, 3.0])
THIRD = (-8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8)
STARTS = (-1.0, -0.5, 0.0, 0.5, 1.0)
MAP_SIDE = (-1.6, 1.6)


@view(
    title="How fast Gauss–Newton is",
    chapter="least_squares/levenberg_marquardt",
    methods=("gauss_newton",),
    controls=(
        Slider("third", THIRD, "third observation y₃", 3, live=tuple(range(-8, 9))),
        Slider(
            "start",
            STARTS,
            "start x₀",
            1.0,
            live=tuple(np.round(np.arange(-1.0, 1.01, 0.1), 1).tolist()),
        ),
    ),
    presets={
        "an exact fit": {"third": 8, "start": 1.0},
        "a good fit": {"third": 3, "start": 1.0},
        "a poor fit": {"third": -1, "start": 1.0},
        "no fit at all": {"third": -4, "start": 0.0},
    },
)
def gauss_newton_factor(*, third: int = 3, start: float = 1.0, method: Method | None = None) -> Scene:
    """The pure method on r = (eˣ − 2, e²ˣ − 4, e³ˣ − y₃): the map that it iterates, and its error."""
    problem, least = exponential(third), exponential_minimum(third)
    runs = [(label, factor_run(third, start, m)) for label, m in edited(method, gauss_newton)]
    x = np.linspace(*MAP_SIDE, 161)
    image = x - np.asarray([problem.grad(np.asarray([v]))[0] / np.sum(problem.jac(np.asarray([v])) ** 2) for v in x])
    marks: list[Any] = [
        Line(x, x, label="x", color="muted", width=1.0),
        Line(x, np.clip(image, -4.0, 4.0), label="next x", color=2, width=2.5),
    ]
    errors: list[Any] = []
    factor = predicted_factor(third)
    for color, (label, run) in zip((0, 3), runs):
        path = run["x"][:, 0]
        steps = np.clip(np.repeat(path[:14], 2), -4.0, 4.0)
        marks.append(Line(steps[:-1], steps[1:], label=label, color=color, markers=True, width=1.3))
        error = np.abs(path - least)
        error = np.where(error > 1e-15, error, np.nan)
        errors.append(
            Line(
                np.arange(len(error)),
                error,
                label=label,
                color=color,
                markers=True,
                width=2.0,
            )
        )
    error = np.abs(runs[0][1]["x"][:, 0] - least)
    k = np.arange(31)
    anchor = int(np.argmax(error < 0.03)) if (error < 0.03).any() else 0
    if factor > 1e-3:
        errors.append(
            Line(
                k,
                error[anchor] * factor ** (k - anchor),
                label="predicted slope",
                color=1,
                dash=True,
                width=1.5,
            )
        )
    marks.append(Rule(x=least, label="x*", color=1))
    return Scene(
        (
            Panel(Axis("x", domain=MAP_SIDE), Axis("next x", domain=MAP_SIDE), tuple(marks), "the map", equal=True),
            Panel(Axis("iteration", domain=(0.0, 30.0)), Axis("|x − x*|", "log", (1e-15, 30.0)), tuple(errors), "the error"),
        ),
        _factor_sentence(third, start, factor, least, runs[0][1]),
    )  # fmt: skip


@functools.cache
def exponential(third: float) -> Problem:
    """Three observations 2, 4, y₃ of eˣᵗ at t = 1, 2, 3: the fit is exact for y₃ = 8."""
    y = np.asarray([2.0, 4.0, third])

    def residual(x: np.ndarray) -> np.ndarray:
        return np.exp(TIMES * x[0]) - y

    def jac(x: np.ndarray) -> np.ndarray:
        return (TIMES * np.exp(TIMES * x[0]))[:, None]

    return Problem(
        lambda x: 0.5 * float(np.sum(residual(x) ** 2)), lambda x: jac(x).T @ residual(x),
        lambda x: jac(x).T @ jac(x) + curvature(x, residual(x)), residual=residual, jac=jac, x0=[1.0],
        name=f"exponential, y₃ = {third:g}",
    )  # fmt: skip


def curvature(x: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Σ r ∇²r of the exponential residuals."""
    return np.asarray([[np.sum(r * TIMES**2 * np.exp(TIMES * x[0]))]])


def exponential_minimum(third: float) -> float:
    return float(brentq(lambda x: exponential(third).grad(np.asarray([x]))[0], -3.0, 1.0, xtol=1e-15))


def predicted_factor(third: float) -> float:
    """|(J'J)⁻¹ Σ r ∇²r| at the minimum."""
    problem, x = exponential(third), np.asarray([exponential_minimum(third)])
    return abs(float(curvature(x, problem.residual(x))[0, 0])) / float(np.sum(problem.jac(x) ** 2))


@functools.lru_cache(maxsize=512)
def factor_run(third: float, start: float, method: Method, line_search: str | None = None) -> History:
    return minimize(
        exponential(third),
        method,
        [start],
        steps=30,
        tol=1e-13,
        keep=("x",),
        line_search=line_search,
    )


def _factor_sentence(third: int, start: float, factor: float, least: float, history: History) -> str:
    rss = round(2.0 * float(exponential(third).f(np.asarray([least]))), 12)
    text = (
        f"y₃ = {third}, x₀ = {start:g}: at the minimum x* = {least:.4f} the residual sum of squares is {rss:.3g}, "
        f"and the factor (J'J)⁻¹Σ r ∇²r is {0.0 if factor < 1e-12 else factor:.2g} in size."
    )
    error = max(abs(history["x"][-1, 0] - least), 1e-16)
    if factor < 1e-3:
        return (
            text
            + f" The residual is zero, the digits double: the error is {error:.0e} after {len(history) - 1} iterations."
        )
    if factor < 1.0:
        return (
            text
            + f" Near x* an iteration leaves that share of the error, which is {error:.0e} after {len(history) - 1} of them."
        )
    return (
        text
        + f" Above 1, the minimum repels the iterates: after {len(history) - 1} iterations the distance is {error:.2g}."
    )


# ------------------------------------------------------------------------------------- what the chapter measures


def canyon() -> Problem:
    """Rosenbrock's residuals (10 (y − x²), 1 − x), with f = ½|r|²."""
    return problems.least_squares(
        lambda x: np.asarray([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]]),
        lambda x: np.asarray([[-20.0 * x[0], 10.0], [-1.0, 0.0]]),
        [-1.2, 1.0],
        name="canyon",
    )


def reduced(problem: Any, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For a fit b₁ φ(b₂): the best b₁ for every b₂, and the f that is left."""
    phi = np.asarray([problem.model(np.asarray([1.0, a]), problem.t) for a in alpha])
    best = phi @ problem.y / np.sum(phi**2, axis=1)
    return best, np.asarray([float(problem.f(np.asarray([c, a]))) for c, a in zip(best, alpha)])


FIT_NAMES = tuple(FITS_OF_NIST)
NIST_METHODS: dict[str, tuple[Method, dict[str, Any]]] = {
    "default": (levenberg_marquardt, {}),
    "geodesic": (levenberg_marquardt, {"geodesic": True}),
    "identity": (levenberg_marquardt, {"scaling": "identity"}),
    "varpro": (variable_projection, {}),
}
NIST_STEPS = 10_000


@functools.cache
def nist_run(name: str, start: int, which: str) -> tuple[Any, History]:
    method, hyper = NIST_METHODS[which]
    problem = problems.nist(name, start)
    return problem, minimize(problem, method, steps=NIST_STEPS, **hyper)


@functools.cache
def scipy_run(name: str, start: int, solver: str, tolerance: float = 1e-8) -> tuple[float, int]:
    """Correct digits and residual evaluations of ``scipy.optimize.least_squares`` with exact Jacobians, scaled by them."""
    from scipy.optimize import least_squares

    problem, calls = problems.nist(name, start), 0

    def residual(x: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        return problem.residual(x)

    with np.errstate(all="ignore"):
        found = least_squares(
            residual, problem.x0, problem.jac, method=solver, x_scale="jac", max_nfev=NIST_STEPS,
            ftol=tolerance, xtol=tolerance, gtol=tolerance,
        )  # fmt: skip
    return problem.log_relative_error(found.x), calls
