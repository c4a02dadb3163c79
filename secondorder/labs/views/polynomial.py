"""The pictures of the chapter on polynomial preconditioning. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.labs.scene import Axis, Band, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.linalg import Chebyshev, eigen, spectrum_ratio
from secondorder.newton import lbfgs, newton_cg, polynomial_preconditioned_gradient
from secondorder.newton.polynomial_preconditioned import preconditioner
from secondorder.oracles import Problem
from secondorder.problems.quadratic import Quadratic
from secondorder.run import minimize

D, STEPS = 50, 1000
SPECTRA = {
    "three huge": (*np.geomspace(4e3, 1e3, 3), *np.geomspace(1.0, 0.25, D - 3)),
    "one huge": (1e3, *np.geomspace(4.0, 1.0, D - 1)),
    "spread evenly": tuple(np.geomspace(1.6e4, 1.0, D)),
}
POLYNOMIALS = ("symmetric", "chebyshev", "krylov")
DEGREES = (0, 1, 2, 3, 4, 5, 6)


@functools.lru_cache(maxsize=8)
def quadratic(spectrum: str) -> Quadratic:
    """A quadratic that starts where every eigenvector has the same share of the value; its B is its own matrix."""
    values = np.asarray(SPECTRA[spectrum])
    return problems.quadratic(SPECTRA[spectrum], x0=1.0 / np.sqrt(values))


@functools.lru_cache(maxsize=128)
def quadratic_run(method: Method, spectrum: str, polynomial: str, degree: int) -> History:
    """Down to a billionth of the start's value, with M = 1."""
    problem = quadratic(spectrum)
    goal = 1e-9 * float(problem.f(problem.x0))
    return minimize(
        problem, method, tol=0.0, steps=STEPS, stop=lambda row: "finished" if row["f"] <= goal else None,
        polynomial=polynomial, degree=degree, M=1.0,
    )  # fmt: skip


def after(spectrum: str, polynomial: str, degree: int) -> np.ndarray:
    """What P makes of every eigenvalue, as multiples of the largest; for "krylov" the P of the first step."""
    problem, values = quadratic(spectrum), np.asarray(SPECTRA[spectrum])
    grad = problem.grad(problem.x0)
    return values * preconditioner(problem.metric, problem.x0, polynomial, degree)(grad) / grad  # type: ignore[arg-type]


def condition(spectrum: str, polynomial: str, degree: int) -> float:
    """The ratio of the largest to the least eigenvalue of BP; for Chebyshev's polynomial the bound on it."""
    values = np.asarray(SPECTRA[spectrum])
    if polynomial == "symmetric":
        return spectrum_ratio(values, degree) * float(values.max() / values.min())
    deviation = Chebyshev(degree, float(values.min()), float(values.max())).deviation
    return (1.0 + deviation) / (1.0 - deviation)


def steps_needed(spectrum: str, polynomial: str, degree: int) -> int:
    """In closed form, the steps in which the value falls to a billionth: every eigenvector has the same share of it."""
    factors = np.square(1.0 - after(spectrum, polynomial, degree))
    low, high = 0, 1
    while np.mean(factors**high) > 1e-9:
        low, high = high, 2 * high
    while high > low + 1:
        middle = (low + high) // 2
        low, high = (middle, high) if np.mean(factors**middle) > 1e-9 else (low, middle)
    return high


@functools.lru_cache(maxsize=4)
def conjugate_gradients(spectrum: str) -> np.ndarray:
    """The relative value after 0, 1, 2, … products of conjugate gradients: no polynomial method has less at as many."""
    problem = quadratic(spectrum)
    x, r = problem.x0, -problem.grad(problem.x0)
    p, found = r, [problem.f(problem.x0)]
    while found[-1] > 1e-9 * found[0] and len(found) < 400:
        product = problem.metric(p)
        step = float(r @ r) / float(p @ product)
        x, new = x + step * p, r - step * product
        p, r = new + float(new @ new) / float(r @ r) * p, new
        found.append(problem.f(x))
    return np.asarray(found) / found[0]


def _thinned(cost: np.ndarray, values: np.ndarray, **style: Any) -> Line:
    keep = np.unique(np.geomspace(1, len(cost), 90).astype(int)) - 1
    return Line(np.maximum(cost[keep], 1.0), np.maximum(values[keep], 1e-10), **style)


@view(
    title="What a polynomial makes of a spectrum",
    chapter="newton/polynomial",
    methods=("polynomial_preconditioned_gradient",),
    controls=(
        Slider("degree", DEGREES, "degree τ", 3),
        Choice("polynomial", POLYNOMIALS, "polynomial", "symmetric"),
        Choice("spectrum", tuple(SPECTRA), "spectrum of B", "three huge"),
    ),
    presets={
        "the gap is cut": {"degree": 3, "polynomial": "symmetric", "spectrum": "three huge"},
        "one less": {"degree": 2, "polynomial": "symmetric", "spectrum": "three huge"},
        "no gap to cut": {"degree": 6, "polynomial": "symmetric", "spectrum": "spread evenly"},
        "chosen by the gradient": {"degree": 3, "polynomial": "krylov", "spectrum": "three huge"},
    },
)
def cut_gaps(
    *, degree: int = 3, polynomial: str = "symmetric", spectrum: str = "three huge", method: Method | None = None
) -> Scene:
    """The eigenvalues of B before and after, and the runs on the quadratic whose matrix is B."""
    values = np.asarray(SPECTRA[spectrum])
    made = after(spectrum, polynomial, degree)
    plain = quadratic_run(polynomial_preconditioned_gradient, spectrum, "symmetric", 0)
    runs = [
        (label, quadratic_run(run, spectrum, polynomial, degree))
        for label, run in edited(method, polynomial_preconditioned_gradient)
    ]
    exact = conjugate_gradients(spectrum)
    lines = [_thinned(plain.cost(), plain.f / plain.f[0], label="gradient method", color="muted", width=1.5)]
    lines += [Line(np.arange(1, len(exact)), exact[1:], label="conjugate gradients", color=2, dash=True)]
    for color, (label, run) in zip((0, 1), runs):
        lines.append(_thinned(run.cost(), run.f / run.f[0], label=label if color else "preconditioned", color=color))
    name = "PB, first step" if polynomial == "krylov" else "PB"
    spectra = (
        Line(values, values / values.max(), label="B", color="muted", markers=True, line=False),
        Line(values, np.where(made > 1e-5, made, np.nan), label=name, color=0, markers=True, line=False),
    )
    return Scene(
        (
            Panel(
                Axis("eigenvalue λ of B", "log", domain=(0.2, 2e4)),
                Axis("λ p(λ)", "log", domain=(1e-5, 5.0)), spectra, title="the spectrum, before and after",
            ),
            Panel(
                Axis("gradients and products", "log", domain=(1.0, 3e4)),
                Axis("(f − f*) / (f₀ − f*)", "log", domain=(1e-9, 2.0)),
                (*lines, Rule(x=float(D), label=f"d = {D}")), title="the run",
            ),
        ),
        _gap_sentence(degree, polynomial, spectrum, runs[0][1], len(exact) - 1),
    )  # fmt: skip


def _gap_sentence(degree: int, polynomial: str, spectrum: str, run: History, products: int) -> str:
    before = condition(spectrum, "symmetric", 0)
    if polynomial == "krylov":
        what = "a polynomial of its own for every gradient"
    else:
        bound = "at most " if polynomial == "chebyshev" and degree else ""
        left = condition(spectrum, polynomial, degree)
        what = f"condition number {before:.0f} before and {bound}{left:.{0 if left >= 100.0 else 1}f} after"
    cost = run.cost()[-1]
    end = (
        "falls to a billionth" if run.status == "finished" else f"falls by a factor of {run.f[0] / run.f[-1]:.3g} only"
    )
    return (
        f"Spectrum {spectrum}, {polynomial} polynomial of degree {degree}: {what}. In {len(run) - 1} steps, and {cost:.0f} "
        f"gradients and products with what it takes to set up, the value {end}; conjugate gradients reach a billionth "
        f"with {products}."
    )


# ------------------------------------------------------------------------------------------- a Hessian that is not B

CASES = ("spiked data", "tumours")
LIMIT = 400


@functools.lru_cache(maxsize=4)
def regression(case: str) -> Problem:
    """A logistic regression, d = 50 and d = 30."""
    if case == "spiked data":
        return problems.spiked_logistic(gap=100.0)
    return problems.logistic("breast_cancer", l2=1e-3, standardize=True)


@functools.lru_cache(maxsize=128)
def regression_run(method: Method, case: str, polynomial: str, degree: int) -> History:
    """At most ``LIMIT`` steps, with M adapted."""
    settings: dict[str, Any] = {"symmetric, fast": {"momentum": "restarted"}, "krylov": {"polynomial": "krylov"}}.get(
        polynomial, {}
    )
    return minimize(regression(case), method, tol=1e-8, steps=LIMIT, keep="x", degree=degree, **settings)


@functools.lru_cache(maxsize=8)
def other_run(method: Method, case: str) -> History:
    return minimize(regression(case), method, tol=1e-8)


def relative_spectrum(case: str, x: np.ndarray) -> tuple[float, float]:
    """The least and the largest eigenvalue of the Hessian relative to B: mu and L at x, which no P = p(B) can change."""
    problem = regression(case)
    B = eigen(np.stack([problem.metric(e) for e in np.eye(len(x))]))
    root = B.vectors / np.sqrt(B.values)
    values = eigen(root.T @ problem.hess(x) @ root).values
    return float(values[0]), float(values[-1])


@view(
    title="A Hessian that is not B",
    chapter="newton/polynomial",
    methods=("polynomial_preconditioned_gradient", "newton_cg", "lbfgs"),
    controls=(
        Slider("degree", (0, 1, 2, 3, 5, 8), "degree τ", 3),
        Choice("polynomial", ("symmetric", "symmetric, fast", "krylov"), "method", "krylov"),
        Choice("case", CASES, "data", "spiked data"),
    ),
    presets={
        "the gap is cut": {"degree": 3, "polynomial": "krylov", "case": "spiked data"},
        "one less": {"degree": 2, "polynomial": "krylov", "case": "spiked data"},
        "real data": {"degree": 3, "polynomial": "krylov", "case": "tumours"},
        "a higher degree": {"degree": 8, "polynomial": "krylov", "case": "tumours"},
    },
)
def fixed_metric(
    *, degree: int = 3, polynomial: str = "krylov", case: str = "spiked data", method: Method | None = None
) -> Scene:
    """A logistic regression: the descent against its cost, and how far the Hessian is from B along the run."""
    runs = [
        (label, regression_run(run, case, polynomial, degree))
        for label, run in edited(_of(method, polynomial_preconditioned_gradient), polynomial_preconditioned_gradient)
    ]
    others = [("Newton-CG", newton_cg, 2, True), ("L-BFGS", lbfgs, 3, True)]
    lines = []
    for label, original, color, dash in others:
        for shown, run in edited(_of(method, original), original):
            name = label if run is original else shown
            lines.append(_norms(other_run(run, case), label=name, color=color if run is original else 4, dash=dash))
    for color, (label, history) in zip((0, 1), runs):
        lines.append(_norms(history, label=label if color else "preconditioned", color=color))
    history = runs[0][1]
    k = np.unique(np.geomspace(1, len(history), 12).astype(int)) - 1
    low, high = np.transpose([relative_spectrum(case, history["x"][i]) for i in k])
    return Scene(
        (
            Panel(
                Axis("gradient-equivalents", "log", domain=(1.0, 1e4)),
                Axis("gradient norm ‖∇f‖", "log", domain=(1e-9, 1e2)), tuple(lines), title="the descent",
            ),
            Panel(
                Axis("step", "log", domain=(1.0, 1.2 * LIMIT)), Axis("eigenvalues of the Hessian relative to B", "log",
                domain=(3e-3, 3.0)),
                (
                    Band(k + 1.0, low, high, color=0, label="from μ to L at the iterate"),
                    Line(k + 1.0, history["M"][np.maximum(k, 1)], label="M", color=1, markers=True, width=1.2),
                ), title="what no polynomial of B can change",
            ),
        ),
        _metric_sentence(degree, polynomial, case, history, low[-1], high[-1]),
    )  # fmt: skip


def _of(method: Method | None, original: Method) -> Method | None:
    """The edited copy where it is one of that method."""
    named = getattr(getattr(method, "method", None), "name", None)
    return method if named == original.method.name else None  # type: ignore[attr-defined]


def _norms(history: History, **style: Any) -> Line:
    return _thinned(history.cost(), np.asarray(history.grad_norm), **style)


def _metric_sentence(degree: int, polynomial: str, case: str, history: History, low: float, high: float) -> str:
    newton = other_run(newton_cg, case)
    verb = "is 1e-8" if history.status == "converged" else f"is still {history.grad_norm[-1]:.1e}"
    return (
        f"{case.capitalize()}, {polynomial}, degree {degree}: after {len(history) - 1} steps and {history.cost()[-1]:.0f} "
        f"gradient-equivalents the gradient norm {verb}; Newton-CG takes {newton.cost()[-1]:.0f}. At the last iterate "
        f"the Hessian lies between {low:.2g} and {high:.2g} times B."
    )
