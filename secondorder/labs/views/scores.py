"""The pictures of the chapter on scores. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder.distances import floor, sliced_wasserstein
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Points, Rule, Scene, Slider, view
from secondorder.labs.views._mixtures import plane
from secondorder.labs.views.newton import Method, edited
from secondorder.ledger import Ledger
from secondorder.problems.gaussian_mixture import GaussianMixture, gaussian_mixture
from secondorder.run import sample
from secondorder.sampling import annealed_langevin, ddpm, langevin
from secondorder.sampling.predictions import predictions
from secondorder.schedules import Level, NoiseGrid, noise_grid

Array = np.ndarray
SHOWN = 300
"""Particles of a cloud that a picture shows: the first rows."""
SIDE = (-5.5, 5.5)
LOWEST = 0.05
"""The last noise level of every walk."""


# ------------------------------------------------------------------------------------- one dimension: two modes and noise

SPREAD = 0.3
"""The standard deviation of each of the two modes, at -1 and 1."""
MERGING = (0.1, 0.2, 0.4, 0.6, 0.8, 0.95, 1.1, 1.5)
LINE = np.linspace(-4.0, 4.0, 321)


@functools.lru_cache(maxsize=8)
def two_modes(weight: float) -> GaussianMixture:
    """Two Gaussians on the line, at -1 and at 1; the weight is that of the second."""
    return gaussian_mixture(
        weights=[1.0 - weight, weight], means=[[-1.0], [1.0]], covariances=np.full((2, 1, 1), SPREAD**2)
    )


def count_modes(weight: float, sigma: float) -> int:
    """The local maxima of the noised density: where the score changes from plus to minus."""
    score = two_modes(weight).score(np.linspace(-1.5, 1.5, 3000)[:, None], sigma=sigma)[:, 0]
    return int(np.sum((score[:-1] > 0.0) & (score[1:] <= 0.0)))


@view(
    title="Noise merges the modes",
    chapter="sampling/scores",
    controls=(
        Slider("sigma", MERGING, "noise level σ", 0.4),
        Slider("weight", (0.5, 0.6, 0.7, 0.8, 0.9), "weight of the mode at 1", 0.5),
    ),
    presets={
        "two modes": {"sigma": 0.2, "weight": 0.5},
        "just merged": {"sigma": 1.1, "weight": 0.5},
        "a small mode drowns earlier": {"sigma": 0.6, "weight": 0.9},
    },
)
def merging_modes(*, sigma: float = 0.4, weight: float = 0.5) -> Scene:
    """Two modes on the line under noise: density, and the variance of the clean point in units of the noise."""
    law, X = two_modes(weight), LINE[:, None]
    clean, noisy = (np.exp(law.log_density(X, sigma=level)) for level in (0.0, sigma))
    variance = law.posterior_covariance(X, sigma=sigma)[:, 0, 0] / sigma**2
    top, dense = int(np.argmax(variance)), np.linspace(-4.0, 4.0, 8001)
    above = dense[law.score_hessian(dense[:, None], sigma=sigma)[:, 0, 0] > 0.0]
    return Scene(
        (
            Panel(
                Axis("x", domain=(-3.0, 3.0)), Axis("density", domain=(0.0, 1.3)),
                (
                    Line(LINE, clean, label="data: p₀", color="muted", dash=True, width=1.5),
                    Line(LINE, noisy, label="noisy data: pₜ", color=0),
                ),
                title="the density",
            ),
            Panel(
                Axis("noisy point x", domain=(-3.0, 3.0)), Axis("Var[x₀ | x] / σ²", "log", domain=(0.03, 30.0)),
                (
                    Rule(y=1.0, label="as uncertain as the noise"),
                    Line(LINE, variance, label="1 + σ² (log pₜ)″", color=2),
                ),
                title="what is left uncertain",
            ),
        ),
        _merging_sentence(sigma, weight, float(variance[top]), float(LINE[top]), above),
    )  # fmt: skip


def _merging_sentence(sigma: float, weight: float, most: float, where: float, above: Array) -> str:
    modes = {1: "one mode", 2: "two modes"}[count_modes(weight, sigma)]
    if above.size:
        convex = f"For x between {_two(above[0])} and {_two(above[-1])} the second derivative of log pₜ is positive"
    else:
        convex = "The second derivative of log pₜ is negative everywhere"
    return (
        f"Noise σ = {sigma:g}, weights {1.0 - weight:.1f} and {weight:.1f}: the noisy density has {modes}. {convex}, and "
        f"the clean point has at most {most:.3g} times the variance of the noise, at x = {_two(where)}."
    )


# --------------------------------------------------------------------------------------------- behind a noisy point, plane

SIGMAS = (0.1, 0.3, 0.6, 1.0, 1.5, 2.5, 4.0, 8.0)
PLACES = (-0.25, 0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0, 1.25)


@functools.lru_cache(maxsize=256)
def contours(sigma: float, n: int = 41, reach: float = SIDE[1]) -> Field:
    """Of the noised density of the plane."""
    x = np.linspace(-reach, reach, n)
    X = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    z = np.exp(plane().log_density(X, sigma=sigma)).reshape(n, n)
    return Field(x, x, z, z.max() * np.asarray([0.02, 0.1, 0.25, 0.5, 0.75]))


def noisy_point(place: float) -> Array:
    """On the line from the first mode, at 0, to the second, at 1."""
    return (1.0 - place) * plane().means[0] + place * plane().means[1]


def behind(x: Array, level: Level) -> GaussianMixture:
    """The law of the clean point given a noisy point of the plane, component by component: a mixture again."""
    law, (alpha, sigma) = plane(), level
    gains = alpha * law.covariances @ np.linalg.inv(alpha**2 * law.covariances + sigma**2 * np.eye(2))
    means = law.means + np.einsum("kij,kj->ki", gains, x - alpha * law.means)
    covariances = law.covariances - alpha * gains @ law.covariances
    shares = law.responsibilities(x[None, :], alpha=alpha, sigma=sigma)[0]
    symmetric = 0.5 * (covariances + covariances.transpose(0, 2, 1))
    return gaussian_mixture(weights=shares / shares.sum(), means=means, covariances=symmetric)


def tweedie(x: Array, level: Level) -> tuple[Array, Array, Array]:
    """From score and Hessian alone: the mean of the clean point, its covariance, and σ² times the Hessian."""
    X = x[None, :]
    _, data = predictions(Ledger(plane(), X, particles=True), X, level)
    scaled = level.sigma**2 * plane().score_hessian(X, **level._asdict())[0]
    return data[0], (level.sigma / level.alpha) ** 2 * (np.eye(2) + scaled), scaled


def ellipse(center: Array, covariance: Array, radius: float = 2.0) -> Array:
    """The points at so many standard deviations, shape (65, 2)."""
    values, axes = np.linalg.eigh(covariance)
    turn = np.linspace(0.0, 2.0 * math.pi, 65)
    return center + radius * (np.stack([np.cos(turn), np.sin(turn)], axis=1) * np.sqrt(values)) @ axes.T


@view(
    title="Behind a noisy point",
    chapter="sampling/scores",
    controls=(
        Slider("sigma", SIGMAS, "noise level σ", 1.5),
        Slider("place", PLACES, "place between two modes", 0.5),
    ),
    presets={
        "little noise": {"sigma": 0.3, "place": 0.25},
        "between the modes": {"sigma": 1.5, "place": 0.5},
        "almost only noise": {"sigma": 8.0, "place": 0.5},
    },
)
def behind_a_point(*, sigma: float = 1.5, place: float = 0.5) -> Scene:
    """A noisy point of the plane, and the clean points that may lie behind it."""
    level, x = Level(1.0, sigma), noisy_point(place)
    mean, covariance, scaled = tweedie(x, level)
    draws = np.asarray(behind(x, level).sample(SHOWN, np.random.default_rng(0), fixed_counts=True))
    round_it = ellipse(mean, covariance)
    there, here = (
        Line(x[:1], x[1:], label=label, color=1, markers=True, line=False) for label in ("noisy point x", "x")
    )
    across = Axis("x₁", domain=SIDE), Axis("x₂", domain=SIDE)
    return Scene(
        (
            Panel(
                *across,
                (
                    contours(sigma),
                    Line([x[0], mean[0]], [x[1], mean[1]], label="σ² times the score", color=0),
                    there,
                ),
                title="noisy data: pₜ", equal=True,
            ),
            Panel(
                *across,
                (
                    contours(0.0),
                    Points(draws[:, 0], draws[:, 1], label="clean points behind x", color=2, size=1.8),
                    Line(round_it[:, 0], round_it[:, 1], label="2 standard deviations", color=0, width=2.5),
                    Line(mean[:1], mean[1:], label="their mean", color=0, markers=True, line=False),
                    here,
                ),
                title="clean data: p₀", equal=True,
            ),
        ),
        _behind_sentence(sigma, place, mean, covariance, scaled),
    )  # fmt: skip


def _behind_sentence(sigma: float, place: float, mean: Array, covariance: Array, scaled: Array) -> str:
    small, large = np.sqrt(np.linalg.eigvalsh(covariance))
    low, high = np.linalg.eigvalsh(scaled)
    where = {0.0: "at the first mean", 0.5: "halfway between two means", 1.0: "at the second mean"}.get(
        place, f"at {_two(place)} of the way between two means"
    )
    wider = "wider than the noise in one direction" if high > 0.0 else "narrower than the noise in every direction"
    return (
        f"Noise σ = {sigma:g}, x {where}: the clean point has the mean ({_two(mean[0])}, {_two(mean[1])}) and standard "
        f"deviations {small:.2g} and {large:.2g} along the axes of the ellipse, {wider}. "
        f"The eigenvalues of σ²∇² log pₜ are {_two(low)} and {_two(high)}."
    )


def _two(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


# --------------------------------------------------------------------------------------------- down the noise levels

WALKERS = ("annealed Langevin", "ancestral sampling", "Langevin at the last level")
HIGHEST = (0.25, 0.5, 1.0, 2.0, 4.0)
DOWN = 11
"""Noise levels of a walk."""
UPDATES = 10
PARTICLES = 2000


def down(highest: float, levels: int = DOWN) -> NoiseGrid:
    return noise_grid(levels - 1, "ve", sigma_min=LOWEST, sigma_max=highest)


@functools.lru_cache(maxsize=64)
def walked(method: Method, highest: float) -> list[tuple[Array, float]]:
    """The cloud at the end of the work at each noise level, and that level's σ; from a Gaussian as wide as the highest."""
    grid, info = down(highest), method.method  # type: ignore[attr-defined]
    start = highest * np.random.default_rng(1).standard_normal((PARTICLES, 2))
    if info.grid is not None and "updates" not in info.defaults():
        return _rows(sample(plane(), method, start, grid=grid, keep="x"), range(DOWN))
    setting: dict[str, Any] = {"grid": grid, "updates": UPDATES, "step_size": 0.5}
    if info.grid is None:
        setting = {"steps": UPDATES * DOWN, "step_size": 0.05, "sigma": LOWEST}
    return _rows(sample(plane(), method, start, keep="x", **setting), range(UPDATES, UPDATES * DOWN + 1, UPDATES))


def _rows(history: History, ends: range) -> list[tuple[Array, float]]:
    rows = history.rows
    return [(rows[min(k, len(rows) - 1)]["x"], rows[min(k, len(rows) - 1)]["sigma"]) for k in ends]


def shares(clouds: list[tuple[Array, float]]) -> Array:
    """The mean responsibility of each component, a row a level: under the exact law of any level it is the weight."""
    return np.asarray([plane().responsibilities(X, sigma=sigma).mean(axis=0) for X, sigma in clouds])


def _cloud(X: Array, **style: Any) -> Points:
    return Points(X[:SHOWN, 0], X[:SHOWN, 1], **style)


@view(
    title="Down the noise levels",
    chapter="sampling/scores",
    methods=("annealed_langevin", "ddpm"),
    controls=(
        Choice("walker", WALKERS, "sampler", WALKERS[0]),
        Slider("level", tuple(range(1, DOWN + 1)), "noise level, counted from the highest", 4),
        Slider("highest", HIGHEST, "highest σ, and spread of the start", 4.0),
    ),
    presets={
        "from far above": {"walker": WALKERS[0], "highest": 4.0, "level": DOWN},
        "from too low": {"walker": WALKERS[0], "highest": 0.25, "level": DOWN},
        "ancestral sampling": {"walker": WALKERS[1], "highest": 4.0, "level": DOWN},
        "without the levels": {"walker": WALKERS[2], "highest": 4.0, "level": DOWN},
    },
)
def noise_levels(
    *, walker: str = WALKERS[0], level: int = 4, highest: float = 4.0, method: Method | None = None
) -> Scene:
    """A cloud on its way down the noise levels, and how many particles belong to each mode."""
    library = dict(zip(WALKERS, (annealed_langevin, ddpm, langevin), strict=True))[walker]
    (_, original), *others = edited(method, library)
    clouds = walked(original, highest)
    X, sigma = clouds[level - 1]
    dots: list[Any] = [contours(sigma, 35), _cloud(X, label=walker, color=0)]
    found = shares(clouds)
    at = np.arange(1, DOWN + 1)
    lines: list[Any] = [Rule(y=float(weight), color="muted") for weight in plane().weights]
    lines += [
        Line(at, found[:, k], label=f"around {name}", color=color, markers=True)
        for k, (name, color) in enumerate(zip(("(−2, 0)", "(2, 1)", "(0, −2.5)"), (0, 1, 2), strict=True))
    ]
    for label, run in others:
        theirs = walked(run, highest)
        dots.append(_cloud(theirs[level - 1][0], label=label, color=3))
        lines += [
            Line(at, column, label=label if k == 0 else None, color=3, dash=True)
            for k, column in enumerate(shares(theirs).T)
        ]
    lines.append(Rule(x=float(level), color="muted", dash=False))
    along = "updates, in tens" if walker == WALKERS[2] else "noise level, from the highest"
    return Scene(
        (
            Panel(
                Axis("x₁", domain=SIDE), Axis("x₂", domain=SIDE), tuple(dots), title="the cloud, and pₜ", equal=True
            ),
            Panel(
                Axis(along, domain=(0.5, DOWN + 0.5)),
                Axis("share of the particles", domain=(0.0, 0.85)), tuple(lines), title="by mode; dashed: the weights",
            ),
        ),
        _levels_sentence(walker, level, highest, sigma, found[level - 1], found[-1]),
    )  # fmt: skip


def percents(values: Array) -> str:
    first, second, third = (f"{100.0 * value:.1f}" for value in values)
    return f"{first}, {second} and {third} %"


def _levels_sentence(walker: str, level: int, highest: float, sigma: float, now: Array, last: Array) -> str:
    if walker == WALKERS[2]:
        did = f"after {UPDATES * level} updates at σ = {LOWEST:g}, from a cloud of spread {highest:g}"
    else:
        did = f"at level {level} of {DOWN} on the way down from σ = {highest:g}, which is σ = {sigma:.2g}"
    off = np.max(np.abs(last - plane().weights))
    return (
        f"{walker[0].upper()}{walker[1:]}, {did}: the shares of the modes are {percents(now)}, their weights 50, 30 and 20 %. "
        f"At the end of the walk one share is off by {100.0 * off:.1f} points."
    )


# --------------------------------------------------------------------------------------------- preconditioned annealing

KINDS = {"Hessian": "newton", "ensemble": "ensemble", "rank one": "rank_one"}
DAMPINGS = (0.05, 0.2, 1.0, 5.0, 50.0)
STEP_SIZES = (0.05, 0.1, 0.2, 0.5, 1.0, 1.5)
FEW = 10, 3
"""Levels, and updates at each."""
CLOUD = 1000


@functools.lru_cache(maxsize=512)
def annealed(
    method: Method,
    kind: str,
    damping: float,
    step_size: float,
    seed: int = 0,
    particles: int = CLOUD,
    budget: Any = FEW,
) -> tuple[Array, float]:
    """The cloud at the lowest level after so few updates, and its sliced Wasserstein distance to exact draws."""
    levels, updates = budget
    run = sample(
        plane(), method, particles=particles, seed=seed, grid=down(8.0, levels), updates=updates, step_size=step_size,
        preconditioner=kind, damping=damping,
    )  # fmt: skip
    assert run.x is not None
    X = np.asarray(run.x)
    exact = plane().sample(particles, np.random.default_rng(1000 + seed), sigma=LOWEST, fixed_counts=True)
    return X, sliced_wasserstein(X, exact)


@functools.cache
def chance(particles: int = CLOUD) -> float:
    """The distance between two exact samples."""
    return floor(sliced_wasserstein, plane(), particles, sigma=LOWEST)


def curve(method: Method, kind: str, damping: float) -> Array:
    """The distance for each step size."""
    return np.asarray([annealed(method, kind, damping, step_size)[1] for step_size in STEP_SIZES])


@view(
    title="Curvature on the way down",
    chapter="sampling/scores",
    methods=("annealed_langevin",),
    controls=(
        Choice("kind", tuple(KINDS), "preconditioner", "Hessian"),
        Slider("damping", DAMPINGS, "damping ρ", 0.2),
        Slider("step_size", STEP_SIZES, "step size η", 0.5),
    ),
    presets={
        "the Hessian": {"kind": "Hessian", "damping": 0.2, "step_size": 1.0},
        "the ensemble": {"kind": "ensemble", "damping": 0.2, "step_size": 1.0},
        "rank one": {"kind": "rank one", "damping": 0.2, "step_size": 0.5},
        "rank one, damped away": {"kind": "rank one", "damping": 50.0, "step_size": 1.0},
    },
)
def preconditioned_levels(
    *, kind: str = "Hessian", damping: float = 0.2, step_size: float = 0.5, method: Method | None = None
) -> Scene:
    """Ten noise levels with three updates each: the cloud, and its distance to the law for every step size."""
    X, off = annealed(annealed_langevin, KINDS[kind], damping, step_size)
    inside = int(np.sum(np.all(np.abs(X) <= SIDE[1], axis=1)))
    dots: list[Any] = [contours(LOWEST, 35), _cloud(X, label=kind, color=0)]
    plain, this = (curve(annealed_langevin, name, damping) for name in ("none", KINDS[kind]))
    lines: list[Any] = [
        Rule(y=chance(), label="two exact samples"),
        Line(STEP_SIZES, plain, label="no preconditioner", color="muted", dash=True, markers=True, width=1.5),
    ]
    for color, name in ((4, "Hessian"), (2, "ensemble"), (1, "rank one")):
        if name != kind:
            lines.append(
                Line(STEP_SIZES, curve(annealed_langevin, KINDS[name], damping), label=name, color=color, width=1.2)
            )
    lines.append(Line(STEP_SIZES, this, label=kind, color=0, markers=True))
    for label, run in edited(method, annealed_langevin)[1:]:
        dots.append(_cloud(annealed(run, KINDS[kind], damping, step_size)[0], label=label, color=3))
        lines.append(Line(STEP_SIZES, curve(run, KINDS[kind], damping), label=label, color=3, dash=True))
    lines.append(Rule(x=step_size, color="muted", dash=False))
    return Scene(
        (
            Panel(
                Axis("x₁", domain=SIDE), Axis("x₂", domain=SIDE), tuple(dots), title="after 30 updates", equal=True
            ),
            Panel(
                Axis("step size η", "log", domain=(0.045, 1.7)),
                Axis("sliced Wasserstein distance", "log", domain=(0.04, 40.0)),
                tuple(lines), title="distance to the law",
            ),
        ),
        f"{kind[0].upper()}{kind[1:]}, damping {damping:g}, step size {step_size:g}, ten levels of three updates: the cloud is "
        f"{off:.2g} from exact draws, which are {chance():.2g} from one another; {100.0 * inside / len(X):.0f} % of it is in "
        f"the picture. The best step size gives {this.min():.2g}, without preconditioner {plain.min():.2g}.",
    )  # fmt: skip
