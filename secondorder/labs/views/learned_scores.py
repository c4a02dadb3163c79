"""The pictures of the chapter on learnt scores. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.labs.scene import Axis, Choice, Image, Line, Panel, Points, Rule, Scene, Slider, view
from secondorder.labs.views._mixtures import plane
from secondorder.labs.views.newton import Method
from secondorder.problems.score_network import ScoreNetwork, training_data
from secondorder.run import sample
from secondorder.sampling import adams_bashforth, ddim, dpm_solver, probability_flow

SOLVERS: dict[str, Method] = {
    "DDIM": ddim,
    "Adams–Bashforth": adams_bashforth,
    "DPM-Solver++(2M)": dpm_solver,
    "Heun": probability_flow,
}
NAMES = tuple(method.method.name for method in SOLVERS.values())  # type: ignore[attr-defined]
SETTINGS: dict[str, dict[str, Any]] = {"adams_bashforth": {"order": 2, "variable": True}}
EVALUATIONS = (5, 7, 9, 13, 19, 29, 49)
ROWS, COLUMNS = 4, 6
RANGE: dict[str, Any] = {"schedule": "ve", "spacing": "edm"}
REFERENCE_STEPS = 200


@functools.cache
def network(name: str) -> ScoreNetwork:
    """The network of the package for one of the two data sets."""
    return problems.score_network(name)


@functools.cache
def images(held_out: bool = False) -> np.ndarray:
    """The digits on which the network was trained, or those that it has never seen, float64."""
    return training_data("digits", held_out).astype(float)


def mosaic(pictures: np.ndarray, columns: int) -> Image:
    """8 × 8 pictures with values from -1 to 1, row by row from the top, each in a frame of one dark pixel; cells of side 1."""
    rows = math.ceil(len(pictures) / columns)
    cells = np.full((rows * columns, 10, 10), -1.0)
    cells[: len(pictures), 1:9, 1:9] = np.reshape(pictures, (-1, 8, 8))
    z = cells.reshape(rows, columns, 10, 10).transpose(0, 2, 1, 3).reshape(10 * rows, 10 * columns)
    return Image((0, columns), (0, rows), z, low=-1.0, high=1.0)


def picture(pictures: np.ndarray, columns: int, title: str) -> Panel:
    """A panel that holds nothing but a mosaic."""
    image = mosaic(pictures, columns)
    bare = [Axis("", domain=(0.0, float(ends[1])), ticks=False) for ends in (image.x, image.y)]
    return Panel(bare[0], bare[1], (image,), title=title, equal=True)


@functools.lru_cache(maxsize=128)
def digits_run(method: Method, evaluations: int) -> np.ndarray:
    """So many evaluations of the score, at the noise levels of EDM: Heun's method takes two a step, but in the last."""
    name = method.method.name  # type: ignore[attr-defined]
    steps = (evaluations + 1) // 2 if name == "probability_flow" else evaluations
    run = sample(network("digits"), method, particles=ROWS * COLUMNS, steps=steps, **RANGE, **SETTINGS.get(name, {}))
    return np.asarray(run.x)


@functools.cache
def flow() -> np.ndarray:
    """Where the same particles end when the flow of the network is solved with many steps."""
    return digits_run(probability_flow, 2 * REFERENCE_STEPS - 1)


def grey(X: np.ndarray, Y: np.ndarray) -> float:
    """The root mean square difference of two sets of images, in a pixel; from black to white are 2."""
    return float(np.sqrt(np.mean((X - Y) ** 2)))


def nearest_images(X: np.ndarray, pool: np.ndarray, itself: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The image of the pool nearest to each row, and the root mean square differences; ``itself`` skips equal images."""
    squares = np.sum(X**2, axis=1)[:, None] - 2.0 * X @ pool.T + np.sum(pool**2, axis=1)
    if itself:
        squares = np.where(squares < 1e-6, np.inf, squares)
    best = np.argmin(squares, axis=1)
    return pool[best], np.sqrt(np.mean((X - pool[best]) ** 2, axis=1))


@view(
    title="Digits out of noise",
    chapter="sampling/learned_scores",
    methods=NAMES,
    controls=(
        Choice("solver", tuple(SOLVERS), "solver", "DPM-Solver++(2M)"),
        Slider("evaluations", EVALUATIONS, "evaluations of the score", 13),
    ),
    presets={
        "too few": {"solver": "DDIM", "evaluations": 5},
        "second order, as few": {"solver": "DPM-Solver++(2M)", "evaluations": 9},
        "first order, many": {"solver": "DDIM", "evaluations": 49},
    },
)
def learned_digits(*, solver: str = "DPM-Solver++(2M)", evaluations: int = 13, method: Method | None = None) -> Scene:
    """Samples of the learnt law by one of four solvers, with the nearest images of the training data."""
    own = method is not None and method is not SOLVERS[solver]
    label = f"your {method.method.name}" if own else solver  # type: ignore[union-attr]
    run = method if own and method is not None else SOLVERS[solver]
    X = digits_run(run, evaluations)
    nearest, distances = nearest_images(X, images())
    lines: list[Any] = []
    for color, (name, each) in enumerate(SOLVERS.items()):
        errors = [grey(digits_run(each, e), flow()) for e in EVALUATIONS]
        lines.append(
            Line(
                EVALUATIONS, errors, label=name, color=color, markers=name == label, width=2.5 if name == label else 1.5
            )
        )
    if own:
        errors = [grey(digits_run(run, e), flow()) for e in EVALUATIONS]
        lines.append(Line(EVALUATIONS, errors, label=label, color=4, markers=True, width=2.5))
    error = grey(X, flow())
    return Scene(
        (
            picture(X, COLUMNS, f"{ROWS * COLUMNS} samples"),
            picture(nearest, COLUMNS, "the nearest training images"),
            Panel(
                Axis("evaluations of the score", "log", domain=(4.5, 55.0)),
                Axis("distance from the exact flow, grey levels", "log", domain=(1e-3, 30.0)),
                (*lines, Rule(x=evaluations)), title="error of the solver",
            ),
        ),
        f"{label[0].upper()}{label[1:]} with {evaluations} evaluations: a pixel is {error:.2g} from where the exact flow of "
        f"the network leads, black and white being 2 apart. The nearest training images are {np.mean(distances):.2f} away on "
        "average.",
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- what is still uncertain

NOISE = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 5.0)
SPREADS = (-2.0, -1.0, 0.0, 1.0, 2.0)
DIRECTIONS = 3
KEPT = 20


@functools.cache
def example(digit: int) -> np.ndarray:
    """A held-out image of a digit, the first of its kind."""
    from secondorder.problems.data import bundled

    X, y = bundled("digits")
    rows = np.arange(len(X))
    return X[(rows % 6 == 5) & (y == digit)][0] / 8.0 - 1.0


@functools.lru_cache(maxsize=128)
def posterior(digit: int, sigma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The noisy image (the same noise at every level), the mean of the clean one given it, and the covariance's
    eigenvalues, falling, and eigenvectors as rows."""
    noise = np.random.default_rng(digit).standard_normal(64)
    noisy = example(digit) + sigma * noise
    mean = network("digits").posterior_mean(noisy[None, :], alpha=1.0, sigma=sigma)[0]
    values, vectors = np.linalg.eigh(network("digits").posterior_covariance(noisy[None, :], alpha=1.0, sigma=sigma)[0])
    signs = np.sign(np.sum(vectors, axis=0))  # brighter to the right
    return noisy, mean, values[::-1], (vectors * np.where(signs == 0.0, 1.0, signs)).T[::-1]


@view(
    title="Which strokes are still uncertain",
    chapter="sampling/learned_scores",
    controls=(
        Slider("sigma", NOISE, "noise σ", 1.0),
        Slider("digit", tuple(range(10)), "digit", 4),
    ),
    presets={
        "hardly any noise": {"sigma": 0.2, "digit": 4},
        "half way": {"sigma": 1.0, "digit": 4},
        "nothing but noise": {"sigma": 5.0, "digit": 4},
    },
)
def uncertain_strokes(*, sigma: float = 1.0, digit: int = 4) -> Scene:
    """The covariance of a clean image given a noisy one, from the Jacobian of the denoiser."""
    noisy, mean, values, vectors = posterior(digit, sigma)
    deviations = np.sqrt(np.maximum(values, 0.0))
    moved = [mean + c * deviations[k] * vectors[k] for k in range(DIRECTIONS) for c in SPREADS]
    clean = example(digit)
    known = np.cumsum(np.maximum(values, 0.0)) / np.sum(np.maximum(values, 0.0))
    half = int(np.argmax(known >= 0.5)) + 1
    lines: list[Any] = [
        Line(np.arange(1, KEPT + 1), np.where(values[:KEPT] > 0.0, np.sqrt(np.maximum(values[:KEPT], 0.0)), np.nan),
             label="deviation of the clean image", markers=True),
        Rule(y=sigma, label="noise σ"),
    ]  # fmt: skip
    return Scene(
        (
            picture(np.stack([clean, noisy, mean]), 3, "clean, noisy, mean"),
            picture(np.stack(moved), len(SPREADS), "mean ± 2 deviations, three axes"),
            Panel(
                Axis("axis of the posterior covariance", domain=(0.0, KEPT + 1.0)),
                Axis("standard deviation, grey levels", "log", domain=(1e-2, 10.0)),
                tuple(lines), title="how uncertain",
            ),
        ),
        f"Noise of {sigma:g} on a {digit}: half of what is uncertain lies along {half} of 64 axes, with a deviation of "
        f"{deviations[0]:.2f} along the first. The mean misses the clean image by {grey(mean, clean):.2f} a pixel; "
        f"the covariance expects {math.sqrt(max(float(np.sum(values)), 0.0) / 64.0):.2f}.",
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- against the exact score

LEVELS = (0.03, 0.06, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 6.0, 12.0, 25.0, 50.0)
PLACES = ("where the law is", "far outside")
FAR = 3.0
"""How many deviations of the noisy law away from its mean "far outside" is."""


@functools.lru_cache(maxsize=64)
def plane_points(sigma: float, place: str, n: int = 2000) -> np.ndarray:
    """Points of the noisy law, or on a circle far outside."""
    law, rng = plane(), np.random.default_rng(1)
    if place == "where the law is":
        return law.sample(n, rng, sigma=sigma, fixed_counts=True)
    angles = 2.0 * np.pi * np.arange(n) / n
    radius = FAR * math.sqrt(float(np.trace(law.covariance)) / 2.0 + sigma**2)
    return law.mean + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


@functools.lru_cache(maxsize=64)
def plane_errors(sigma: float, place: str) -> tuple[float, float]:
    """The root mean square error of the learnt score, relative to the exact one; and of the denoiser, relative to the
    deviation of the data."""
    X = plane_points(sigma, place)
    exact, learnt = (law.score(X, alpha=1.0, sigma=sigma) for law in (plane(), network("plane")))
    error = float(np.sqrt(np.mean((learnt - exact) ** 2)))
    return error / float(np.sqrt(np.mean(exact**2))), sigma**2 * error / network("plane").spread


def arrows(X: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Segments from each row of X along V, as one broken line."""
    ends = np.stack([X, X + V, np.full_like(X, np.nan)], axis=1).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


@view(
    title="The learnt score against the exact one",
    chapter="sampling/learned_scores",
    controls=(
        Slider("sigma", LEVELS, "noise σ", 0.4, log=True),
        Choice("place", PLACES, "compare", "where the law is"),
    ),
    presets={
        "hardly any noise": {"sigma": 0.06, "place": "where the law is"},
        "in the middle": {"sigma": 0.8, "place": "where the law is"},
        "far outside": {"sigma": 0.4, "place": "far outside"},
    },
)
def plane_scores(*, sigma: float = 0.4, place: str = "where the law is") -> Scene:
    """Both scores of the mixture in the plane as arrows, and their difference at each noise level."""
    X = plane_points(sigma, place)
    shown = X[:: len(X) // 30]
    size = math.hypot(
        network("plane").spread, sigma
    )  # the picture shows everything in units of the noisy law's deviation
    cloud = plane_points(sigma, "where the law is")[::5] / size
    marks: list[Any] = [Points(cloud[:, 0], cloud[:, 1], color="muted", opacity=0.35)]
    for label, law, color, width in (("exact score", plane(), 1, 4.0), ("learnt score", network("plane"), 0, 1.8)):
        V = 0.12 * size * law.score(shown, alpha=1.0, sigma=sigma)
        marks.append(Line(*arrows(shown / size, V), label=label, color=color, width=width))
    marks.append(
        Points(shown[:, 0] / size, shown[:, 1] / size, label="where they start", color=3, size=2.5, opacity=1.0)
    )
    errors = {name: np.asarray([plane_errors(level, name) for level in LEVELS]) for name in PLACES}
    score, denoiser = plane_errors(sigma, place)
    lines: list[Any] = [
        Line(LEVELS, errors[place][:, 0], label="score", color=0, markers=True),
        Line(LEVELS, errors[place][:, 1], label="denoiser", color=2, markers=True),
        Rule(x=sigma),
    ]
    return Scene(
        (
            Panel(
                Axis("first coordinate / deviation", domain=(-3.5, 3.5)),
                Axis("second coordinate / deviation", domain=(-3.5, 3.5)), tuple(marks), title="the scores", equal=True,
            ),
            Panel(
                Axis("noise σ", "log", domain=(0.025, 60.0)),
                Axis("relative root mean square error", "log", domain=(1e-4, 10.0)),
                tuple(lines), title="error of the network",
            ),
        ),
        f"Noise {sigma:g}, {place}: the learnt score is wrong by {100 * score:.3g} % of the exact one, the mean of the clean "
        f"point by {100 * denoiser:.3g} % of the deviation of the data.",
    )  # fmt: skip
