"""The pictures of the chapter on networks: a fit, the spectra of two matrices, and runs on batches."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.diagonal import adam
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import edited
from secondorder.least_squares import exact_gauss_newton
from secondorder.newton import gradient_descent, trust_region
from secondorder.problems.data import two_moons
from secondorder.run import minimize

Method = Callable[..., Any]
Run = tuple[np.ndarray, np.ndarray]
"""The iterates and the loss at each."""

# ------------------------------------------------------------------------------------------------------- a fit

EXAMPLES, WIDTH, STEPS = 30, 12, 3000
DAMPINGS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
OTHERS: dict[str, tuple[Method, dict[str, Any]]] = {
    "Adam, rate 0.03": (adam, {"learning_rate": 0.03}),
    "gradient descent": (gradient_descent, {}),
    "exact Hessian": (trust_region, {"steps": 200}),
}


def sine(seed: int = 0, width: int = WIDTH, l2: float = 0.0) -> Any:
    """A tanh network on 30 points of sin(πt) with noise of standard deviation 0.1; the same points for every seed."""
    t = np.linspace(-3.0, 3.0, EXAMPLES)
    y = np.sin(np.pi * t) + 0.1 * np.random.default_rng(0).standard_normal(EXAMPLES)
    return problems.mlp((t[:, None], y), [1, width, 1], seed=seed, l2=l2)


@view(
    title="A curve fitted by a network",
    chapter="least_squares/networks",
    methods=("exact_gauss_newton", "adam"),
    controls=(
        Slider("damping", DAMPINGS, "damping λ", 1e-2, log=True),
        Choice("other", tuple(OTHERS), "beside it", "Adam, rate 0.03"),
        Slider("step", (0, 1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 500, 1000, 3000), "steps made", 50),
    ),
    presets={
        "half a hundred steps": {"damping": 1e-2, "other": "Adam, rate 0.03", "step": 50},
        "Adam gets there": {"damping": 1e-2, "other": "Adam, rate 0.03", "step": 1000},
        "gradient descent does not": {"damping": 1e-2, "other": "gradient descent", "step": 3000},
        "damped too much": {"damping": 1.0, "other": "gradient descent", "step": 200},
        "beside the exact Hessian": {"damping": 1e-3, "other": "exact Hessian", "step": 80},
    },
)
def network_fit(
    *, damping: float = 1e-2, other: str = "Adam, rate 0.03", step: int = 50, method: Method | None = None
) -> Scene:
    """The function that a network of 37 parameters computes after k steps, and the loss along the runs."""
    problem = sine()
    runs = [("Gauss–Newton" if run is exact_gauss_newton else label, fit_run(run, damping))
            for label, run in edited(method, exact_gauss_newton)]  # fmt: skip
    baseline, hyper = OTHERS[other]
    runs.insert(1, (other, other_run(baseline, tuple(hyper.items()))))
    t = np.linspace(-3.0, 3.0, 121)
    fits: list[Any] = [Line(problem.X[:, 0], problem.Y[:, 0], label="data", color="muted", markers=True, line=False)]
    losses: list[Any] = []
    for color, (label, (x, f)) in zip((0, 1, 3), runs):
        k = min(step, len(f) - 1)
        fits.append(Line(t, problem.outputs(x[k], t[:, None])[:, 0], label=label, color=color))
        shown = _thinned(len(f))
        losses.append(Line(shown + 1, f[shown], label=label, color=color))
    losses.append(Rule(x=float(step + 1), label="the step shown"))
    return Scene(
        (
            Panel(Axis("t", domain=(-3.1, 3.1)), Axis("output", domain=(-1.9, 1.9)), tuple(fits), "the function"),
            Panel(
                Axis("steps made + 1", "log", (1.0, STEPS + 1.0)), Axis("loss f on the 30 points", "log", (1e-5, 2.0)),
                tuple(losses), "the loss",
            ),
        ),
        _fit_sentence(damping, other, step, runs[0][1], runs[1][1]),
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def fit_run(method: Method, damping: float) -> Run:
    """200 steps of Gauss–Newton on the sine, or of an edited method that may take no damping."""
    return _run(minimize(sine(), method, steps=200, tol=0.0, keep="x", **_taken(method, damping=damping)))


@functools.lru_cache(maxsize=16)
def other_run(method: Method, hyper: tuple[tuple[str, Any], ...]) -> Run:
    """What runs beside it, 3000 steps of it unless it says otherwise."""
    return _run(minimize(sine(), method, tol=0.0, keep="x", **{"steps": STEPS, **dict(hyper)}))


def _run(history: History) -> Run:
    return history["x"], history.f


def _taken(method: Method, **hyper: Any) -> dict[str, Any]:
    """Those of the settings that a method, the reader's own perhaps, has."""
    known = inspect.signature(method).parameters
    return {name: value for name, value in hyper.items() if name in known}


def _thinned(rows: int) -> np.ndarray:
    """Up to some 120 rows, even on a logarithmic axis."""
    return np.unique(np.round(np.geomspace(1, rows, 120)).astype(int)) - 1


def _fit_sentence(damping: float, other: str, step: int, one: Run, two: Run) -> str:
    def state(run: Run, name: str) -> str:
        f = run[1]
        k = min(step, len(f) - 1)
        made = f" (its run ended after {k} steps)" if k < step else ""
        return f"{name}{made} is at a loss of {f[k]:.2g}"

    text = f"After {step} steps {state(one, f'Gauss–Newton with λ = {damping:g}')}; {state(two, other)}."
    reached = [np.flatnonzero(f < 0.01) for _, f in (one, two)]
    words = [f"falls below 0.01 after {hits[0]} steps" if hits.size else "does not reach 0.01" for hits in reached]
    return f"{text} Gauss–Newton {words[0]}, the other {words[1]}."


# ------------------------------------------------------------------------------------------------------ spectra


def _moons(activation: str) -> Any:
    return problems.mlp(two_moons(100, 0.25, 1), [2, 6, 2], activation)


NETWORKS: dict[str, Callable[[], Any]] = {
    "sine, squared loss": sine,
    "two moons, softmax": lambda: _moons("tanh"),
    "two moons, softmax, ReLU": lambda: _moons("relu"),
}
FLOOR = 1e-9


@view(
    title="The spectra of the Hessian and of the Gauss–Newton matrix",
    chapter="least_squares/networks",
    methods=("exact_gauss_newton",),
    controls=(
        Choice("network", tuple(NETWORKS), "network", "sine, squared loss"),
        Slider("step", (0, 1, 2, 3, 5, 8, 12, 16, 20, 30, 40, 50, 60), "steps made", 0, live=tuple(range(61))),
    ),
    presets={
        "the start": {"network": "sine, squared loss", "step": 0},
        "on the way": {"network": "sine, squared loss", "step": 12},
        "fitted": {"network": "sine, squared loss", "step": 60},
        "classes": {"network": "two moons, softmax", "step": 20},
        "ReLU": {"network": "two moons, softmax, ReLU", "step": 20},
    },
)
def network_spectrum(*, network: str = "sine, squared loss", step: int = 0, method: Method | None = None) -> Scene:
    """The eigenvalues of both matrices at an iterate, largest first, and how far apart they are along the run."""
    runs = [(label, spectra(network, run)) for label, run in edited(method, exact_gauss_newton)]
    rows = runs[0][1]
    H, G, apart = rows[min(step, len(rows) - 1)]
    d = len(H)
    up, down = H[H > FLOOR], -H[H < -FLOOR][::-1]
    negative = np.arange(d - down.size + 1, d + 1)
    marks: list[Any] = [
        Line(np.arange(1, up.size + 1), up[::-1], label="H, positive", color=0, markers=True, width=1.2),
        Line(negative, down[::-1], label="H, negative", color=1, markers=True, width=1.2),
        Line(np.arange(1, d + 1), G[::-1], label="G", color=2, markers=True, width=1.2),
    ]
    history: list[Any] = []
    for (one, two), (label, run) in zip(((3, 1), (4, 6)), runs):
        steps, own = np.arange(len(run)), "" if label == runs[0][0] else f", {label}"
        below = [np.sum(values < -FLOOR) / d for values, _, _ in run]
        history += [
            Line(steps, [distance for _, _, distance in run], label="‖H − G‖ / ‖G‖" + own, color=one),
            Line(steps, below, label="negative share" + own, color=two),
        ]
    history.append(Rule(x=float(step), label="the step shown"))
    return Scene(
        (
            Panel(
                Axis("rank", domain=(0.0, d + 1.0)), Axis("size of the eigenvalue", "log", (FLOOR, 1e2)), tuple(marks),
                "the spectra",
            ),
            Panel(Axis("steps made", domain=(0.0, 60.0)), Axis("ratio", "log", (1e-4, 3.0)), tuple(history), "along the run"),
        ),
        _spectrum_sentence(network, step, len(rows) - 1, H, G, apart),
    )  # fmt: skip


@functools.lru_cache(maxsize=32)
def spectra(network: str, method: Method) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """For every iterate the eigenvalues of H and of G, ascending, and ‖H − G‖/‖G‖ in the Frobenius norm."""
    problem = NETWORKS[network]()
    history = minimize(problem, method, steps=60, tol=0.0, keep="x", **_taken(method, damping=1e-2))
    rows = []
    for x in history["x"]:
        H, G = problem.hess(x), problem.ggn(x)
        rows.append((np.linalg.eigvalsh(H), np.linalg.eigvalsh(G), float(np.linalg.norm(H - G) / np.linalg.norm(G))))
    return rows


def _spectrum_sentence(network: str, step: int, last: int, H: np.ndarray, G: np.ndarray, apart: float) -> str:
    ended = f" (the run ended after {last} steps)" if last < step else ""
    below = int(np.sum(H < -FLOOR))
    rank = int(np.sum(G / G[-1] > 1e-6))
    least = f", the least of them {H[0]:.2g}" if below else ""
    return (
        f"{network[0].upper()}{network[1:]}, after {step} steps{ended}: of the {len(H)} eigenvalues of the Hessian {below} are "
        f"negative{least}; of those of the Gauss–Newton matrix none. {rank} of these exceed a millionth of the largest, "
        f"{G[-1]:.2g}. The matrices differ by {apart:.2g} times the norm of the second."
    )


# ------------------------------------------------------------------------------------------------------ batches

SEARCHES = {"line search": True, "fixed step": False}
LAST = 60


def crossing() -> Any:
    """A tanh network on 100 points of two moons that overlap."""
    return problems.mlp(two_moons(100, 0.25, 1), [2, 8, 2])


@view(
    title="Gauss–Newton on batches",
    chapter="least_squares/networks",
    methods=("exact_gauss_newton",),
    controls=(
        Slider("batch_size", (5, 20, 50, 100), "examples in a batch, of 100", 20, live=(2, 5, 10, 20, 30, 50, 70, 100)),
        Slider("damping", (1e-4, 1e-2, 1e-1, 1.0), "damping λ", 1e-1, live=(1e-5, *DAMPINGS, 10.0), log=True),
        Slider("step", (0, 1, 2, 3, 5, 10, 15, 20, 30, 40, 50, 60), "steps made", 30, live=tuple(range(LAST + 1))),
    ),
    presets={
        "all the data": {"batch_size": 100, "damping": 1e-2, "step": 30},
        "a batch, damped": {"batch_size": 20, "damping": 1e-1, "step": 30},
        "a batch, believed": {"batch_size": 20, "damping": 1e-4, "step": 30},
        "five examples, believed": {"batch_size": 5, "damping": 1e-2, "step": 60},
        "safe and slow": {"batch_size": 5, "damping": 1.0, "step": 60},
    },
)
def network_batches(
    *, batch_size: int = 20, damping: float = 1e-1, step: int = 30, method: Method | None = None
) -> Scene:
    """Where the network is undecided between two classes, and the loss on all the data along the run."""
    problem = crossing()
    runs = {
        name: batch_run(exact_gauss_newton, batch_size, damping, search) for name, search in SEARCHES.items()
    } | {
        label: batch_run(run, batch_size, damping, True)
        for label, run in edited(method, exact_gauss_newton)[1:]
    }  # fmt: skip
    side, height = np.linspace(-1.8, 2.8, 33), np.linspace(-1.4, 1.9, 29)
    grid = np.stack([each.ravel() for each in np.meshgrid(side, height)], axis=1)
    x, _ = runs["line search"]
    z = problem.outputs(x[min(step, len(x) - 1)], grid)
    p = 1.0 / (1.0 + np.exp(np.clip(z[:, 0] - z[:, 1], -30.0, 30.0)))
    marks: list[Any] = [Field(side, height, p.reshape(height.size, side.size), np.asarray([0.1, 0.5, 0.9]))]
    for label, color in ((0, 0), (1, 1)):
        points = problem.X[problem.Y[:, label] == 1.0]
        marks.append(Line(points[:, 0], points[:, 1], label=f"class {label}", color=color, markers=True, line=False))
    curves: list[Any] = []
    for color, (name, (_, f)) in zip((0, 1, 3), runs.items()):
        own = name if name in SEARCHES else f"{name}, line search"
        curves.append(Line(np.arange(len(f)), np.minimum(f, 1e3), label=own, color=color))
    curves.append(Rule(x=float(step), label="the step shown"))
    return Scene(
        (
            Panel(Axis("x₁", domain=(-1.8, 2.8)), Axis("x₂", domain=(-1.4, 1.9)), tuple(marks), "P(class 1) = 0.1, 0.5, 0.9"),
            Panel(
                Axis("steps made", domain=(0.0, float(LAST))), Axis("loss f on all 100 points", "log", (1e-2, 1e3)),
                tuple(curves), "the loss",
            ),
        ),
        _batch_sentence(batch_size, damping, step, *(runs[name][1] for name in SEARCHES)),
    )  # fmt: skip


@functools.lru_cache(maxsize=256)
def batch_run(method: Method, batch_size: int, damping: float, search: bool) -> Run:
    """The iterates of 60 steps, and the loss on all the data at each."""
    problem = crossing()
    hyper = _taken(
        method, batch_size=None if batch_size >= problem.n else batch_size, damping=damping, line_search=search
    )
    x = minimize(problem, method, steps=LAST, tol=0.0, keep="x", seed=0, **hyper)["x"]
    return x, np.asarray([float(problem.f(each)) for each in x])


def _batch_sentence(batch_size: int, damping: float, step: int, searched: np.ndarray, fixed: np.ndarray) -> str:
    def state(f: np.ndarray) -> str:
        return f"{f[min(step, len(f) - 1)]:.2g}"

    what = "all 100 examples in every step" if batch_size >= 100 else f"batches of {batch_size} of 100 examples"
    rises = int(np.sum(np.diff(searched[: step + 1]) > 0.0))
    return (
        f"With {what} and λ = {damping:g}, after {step} steps: the loss on all the data is {state(searched)} with a line "
        f"search and {state(fixed)} with the fixed step 1, from {searched[0]:.2g} at the start. With the search {rises} of "
        f"the {step} steps made it rise."
    )


# ------------------------------------------------------------------------------------- what the chapter measures


def dial(problem: Any, x: np.ndarray, dampings: np.ndarray) -> list[dict[str, float]]:
    """For each damping the step from x: its length, its cosine with −g, what its model promises and what f does."""
    g, G, f = problem.grad(x), problem.ggn(x), float(problem.f(x))
    values, Q = np.linalg.eigh(G)
    values, c = np.maximum(values, 0.0), Q.T @ g
    rows = []
    for damping in dampings:
        step = -Q @ (c / (values + damping))
        rows.append({
            "damping": float(damping), "length": float(np.linalg.norm(step)),
            "cosine": float(-g @ step / np.linalg.norm(g) / np.linalg.norm(step)),
            "promised": f + float(g @ step + 0.5 * step @ G @ step), "f": float(problem.f(x + step)),
        })  # fmt: skip
    return rows


def overfit(problem: Any, x: np.ndarray, batch_size: int, damping: float, batches: int = 20) -> tuple[float, float]:
    """The loss after one searched step on a batch over that before, on the batch and on the rest; medians."""
    ratios, rng = [], np.random.default_rng(0)
    for _ in range(batches):
        order = rng.permutation(problem.n)
        seen, rest = problem.batch(order[:batch_size]), problem.batch(order[batch_size:])
        moved = minimize(seen, exact_gauss_newton, x, damping=damping, steps=1, tol=0.0).x
        ratios.append([float(part.f(moved) / part.f(x)) for part in (seen, rest)])
    one, two = np.median(ratios, axis=0)
    return float(one), float(two)
