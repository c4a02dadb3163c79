"""The pictures of the chapter on Newton–Langevin. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder.history import History
from secondorder.labs.scene import Axis, Band, Choice, Field, Line, Panel, Points, Rule, Scene, Slider, view
from secondorder.labs.views._mixtures import plane, stretched
from secondorder.labs.views.newton import Method, edited
from secondorder.problems.gaussian_mixture import GaussianMixture, gaussian_mixture
from secondorder.run import sample
from secondorder.sampling import langevin, newton_langevin, rank_one_langevin

Array = np.ndarray

# ------------------------------------------------------------------------------------- how fast each direction forgets

D, LEAST = 8, 1e-3
"""The Gaussian of the first picture: its variances go from ``LEAST`` to 1, a condition number of 1000."""
DEVIATIONS = np.geomspace(LEAST, 1.0, D) ** 0.5
DAMPINGS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
STEP_SIZES = (0.1, 0.3, 0.5, 1.0, 1.5)
TOGETHER = 40
"""Steps that two chains take with the same noise."""


@functools.lru_cache(maxsize=64)
def differences(method: Method, step_size: float, damping: float | None = None) -> Array:
    """The difference (steps + 1, d) between two chains with the same noise, in standard deviations of each direction."""
    start = np.random.default_rng(0).standard_normal((1, D)) * DEVIATIONS
    setting: dict[str, Any] = {} if damping is None else {"damping": damping}
    a, b = (
        sample(stretched(D, LEAST), method, x, steps=TOGETHER, step_size=step_size, keep="x", **setting)["x"]
        for x in (start, start + DEVIATIONS)
    )
    return (b - a)[:, 0, :] / DEVIATIONS


def promised_factors(step_size: float, damping: float) -> Array:
    """1 − ηh/(h + ρ) for the precision h of each direction."""
    h = DEVIATIONS**-2.0
    return 1.0 - step_size * h / (h + damping)


def halving(factors: Array) -> int:
    """Steps until the slowest direction has halved its distance."""
    slowest = float(np.max(np.abs(factors)))
    return max(1, math.ceil(math.log(2.0) / -math.log(slowest))) if slowest > 0.0 else 1


@view(
    title="How fast each direction forgets its start",
    chapter="sampling/newton_langevin",
    methods=("newton_langevin",),
    controls=(
        Slider("damping", DAMPINGS, "damping ρ", 1.0, log=True),
        Slider("step_size", STEP_SIZES, "step size η", 0.3),
    ),
    presets={
        "almost undamped": {"damping": 0.01},
        "much too damped": {"damping": 10_000.0},
        "one full step": {"damping": 0.01, "step_size": 1.0},
        "overshooting": {"damping": 0.01, "step_size": 1.5},
    },
)
def contraction(*, damping: float = 1.0, step_size: float = 0.3, method: Method | None = None) -> Scene:
    """Two chains with the same noise on a stretched Gaussian: the factor of their distance along each direction."""
    runs = [(label, differences(this, step_size, damping)) for label, this in edited(method, newton_langevin)]
    plain = differences(langevin, LEAST * step_size)
    fine = np.geomspace(DEVIATIONS[0], 1.0, 61)
    factors: list[Any] = [
        Rule(y=0.0, dash=False),
        Line(fine, 1.0 - step_size / (1.0 + damping * fine**2), label="1 − ηh/(h + ρ)", color="muted", width=1.5),
    ]
    distances: list[Any] = []
    steps = np.arange(TOGETHER + 1)
    for color, label, seen in [(2, "langevin", plain), *((c, *run) for c, run in enumerate(runs))]:
        factors.append(Line(DEVIATIONS, seen[1] / seen[0], label=label, color=color, markers=True, line=False))
        worst = np.max(np.abs(seen), axis=1)
        distances.append(Line(steps, worst, label=label, color=color))
    return Scene(
        (
            Panel(
                Axis("standard deviation of the direction", "log", domain=(0.025, 1.3)),
                Axis("factor of one step", domain=(-0.75, 1.15)), tuple(factors), title="one step",
            ),
            Panel(
                Axis("step", domain=(0.0, float(TOGETHER))),
                Axis("largest distance, in standard deviations", "log", domain=(1e-6, 2.0)),
                tuple(distances), title="two chains with the same noise",
            ),
        ),
        _contraction_sentence(damping, step_size, runs[0][1][1], plain[1]),
    )  # fmt: skip


def _contraction_sentence(damping: float, step_size: float, factors: Array, plain: Array) -> str:
    return (
        f"Damping {damping:g}, step size {step_size:g}: in one step the distance of two chains is multiplied by "
        f"{factors[0]:.5f} along the narrowest direction and by {factors[-1]:.5f} along the widest. To halve it everywhere "
        f"takes {_steps(halving(factors))}; Langevin dynamics, whose step of {LEAST * step_size:g} the narrowest direction "
        f"dictates, takes {_steps(halving(plain))}."
    )


def _steps(n: int) -> str:
    return "1 step" if n == 1 else f"{n} steps"


# ------------------------------------------------------------------------------------- with and without the correction

NOISE, ETA, PARTICLES, SHOWN = 1.0, 0.02, 1000, 350
TIMES = (0.5, 1.0, 2.0, 4.0)
RHOS = (0.3, 1.0, 3.0, 10.0, 30.0)
CORRECTIONS = {"with correction": True, "no correction": False}
SIDE = (-8.0, 8.0)


@functools.cache
def equilibrium(n: int = PARTICLES) -> Array:
    """Exact draws at the noise level 1: where the particles start."""
    return np.asarray(plane().sample(n, np.random.default_rng(2), sigma=NOISE, fixed_counts=True))


def exact_trace() -> float:
    return float(np.trace(plane().covariance)) + 2.0 * NOISE**2


@functools.lru_cache(maxsize=64)
def correction_run(method: Method, damping: float, corrected: bool) -> History:
    """Four units of time, from equilibrium."""
    return sample(
        plane(), method, equilibrium(), steps=round(TIMES[-1] / ETA), step_size=ETA, damping=damping, sigma=NOISE,
        divergence_correction=corrected, keep="x",
    )  # fmt: skip


def traces(run: History) -> Array:
    """The trace of the covariance of the cloud in every row."""
    return np.asarray([float(np.sum(np.var(x, axis=0))) for x in run["x"]])


@functools.cache
def contours() -> Field:
    x = np.linspace(*SIDE, 65)
    z = np.exp(plane().log_density(np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2), sigma=NOISE)).reshape(65, 65)
    return Field(x, x, z, z.max() * np.asarray([0.01, 0.1, 0.3, 0.6, 0.9]))


@view(
    title="With and without the divergence of P",
    chapter="sampling/newton_langevin",
    methods=("rank_one_langevin",),
    controls=(
        Slider("damping", RHOS, "damping ρ", 1.0),
        Choice("drift", tuple(CORRECTIONS), "Γ in the drift", "no correction"),
        Slider("time", TIMES, "time", 4.0),
    ),
    presets={
        "the law is kept": {"drift": "with correction", "damping": 1.0, "time": 4.0},
        "the law is lost": {"drift": "no correction", "damping": 1.0, "time": 4.0},
        "off by less": {"drift": "no correction", "damping": 10.0, "time": 4.0},
        "almost Langevin": {"drift": "no correction", "damping": 30.0, "time": 4.0},
    },
)
def correction(
    *, damping: float = 1.0, drift: str = "no correction", time: float = 4.0, method: Method | None = None
) -> Scene:
    """A cloud that starts in equilibrium, moved by the rank-one metric with or without its divergence."""
    corrected, at = CORRECTIONS[drift], round(time / ETA)
    runs = [(label, correction_run(this, damping, corrected)) for label, this in edited(method, rank_one_langevin)]
    other = traces(correction_run(rank_one_langevin, damping, not corrected))
    cloud: list[Any] = [contours()]
    spread: list[Any] = [Rule(y=exact_trace(), label="exact", dash=False)]
    clock = ETA * np.arange(len(other))[::2]
    (unchosen,) = (name for name in CORRECTIONS if name != drift)
    spread.append(Line(clock, other[::2], label=unchosen, color="muted", dash=True, width=1.5))
    for color, (label, run) in enumerate(runs):
        X = run["x"][min(at, len(run) - 1)][:SHOWN]
        cloud.append(Points(X[:, 0], X[:, 1], label=label, color=color, size=2.0, opacity=0.6))
        trace = traces(run)[: at + 1 : 2]
        name = drift if color == 0 else label
        spread.append(Line(clock[: len(trace)], trace, label=name, color=color))
    X = runs[0][1]["x"][at]
    outside = float(np.mean(plane().log_density(X, sigma=NOISE) < contour_level()))
    size = np.sum((X - X.mean(axis=0)) ** 2, axis=1)
    return Scene(
        (
            Panel(Axis("x₁", domain=SIDE), Axis("x₂", domain=SIDE), tuple(cloud), title="the particles", equal=True),
            Panel(
                Axis("time", domain=(0.0, TIMES[-1])), Axis("trace of the covariance", domain=(5.0, 16.0)),
                tuple(spread), title="how wide the cloud is",
            ),
        ),
        f"Damping {damping:g}, {drift}, time {time:g}: the trace of the covariance is {size.mean():.1f} ± "
        f"{size.std() / len(size) ** 0.5:.1f}, where the law has {exact_trace():.1f}. Of the particles {100.0 * outside:.1f} % "
        f"lie where the density is below a hundredth of its maximum; of exact draws, {100.0 * _exact_outside():.1f} % do.",
    )  # fmt: skip


@functools.cache
def contour_level() -> float:
    """The logarithm of a hundredth of the largest density, the outermost contour."""
    return math.log(float(contours().levels[0]))


@functools.cache
def _exact_outside() -> float:
    draws = plane().sample(100_000, np.random.default_rng(3), sigma=NOISE, fixed_counts=True)
    return float(np.mean(plane().log_density(draws, sigma=NOISE) < contour_level()))


# ----------------------------------------------------------------------------------- the bias of a metric that changes

CHAINS = 2000
BIAS_STEPS = (0.1, 0.2, 0.5, 1.0)
BIAS_DAMPINGS = (0.3, 1.0, 3.0, 10.0)
TESTS = {"unadjusted": False, "Metropolis adjusted": True}
EDGES = np.linspace(-3.0, 2.5, 56)


@functools.cache
def line() -> GaussianMixture:
    """Two components on a line, between which log p is convex."""
    return gaussian_mixture(weights=[0.6, 0.4], means=[[-0.7], [0.8]], covariances=[[[0.3]], [[0.1]]])


def precision(x: Array, damping: float) -> Array:
    """1/P at each x: max(h, 0) + ρ, with h minus the second derivative of log p."""
    return np.maximum(-line().score_hessian(x[:, None])[:, 0, 0], 0.0) + damping


def small_step_law(x: Array, damping: float) -> Array:
    """The density p/P on an even grid: what the diffusion with drift Ps alone tends to."""
    density = np.exp(line().log_density(x[:, None])) * precision(x, damping)
    return density / np.sum(density * (x[1] - x[0]))


@functools.cache
def valley() -> float:
    """Where p is least between the two means."""
    x = np.linspace(-0.7, 0.8, 1501)
    return float(x[np.argmin(line().log_density(x[:, None]))])


def right_shares(damping: float) -> tuple[float, float]:
    """The probability of the right of the valley under p, and under p/P."""
    x = np.linspace(-6.0, 6.0, 4001)
    p = np.exp(line().log_density(x[:, None]))
    return tuple(float(np.sum(q[x > valley()]) / np.sum(q)) for q in (p, small_step_law(x, damping)))  # type: ignore[return-value]


@functools.lru_cache(maxsize=64)
def bias_run(method: Method, step_size: float, damping: float, adjusted: bool) -> History:
    """Chains that start in p; the more damping, the slower they are, and the more steps they take."""
    X = line().sample(CHAINS, np.random.default_rng(4), fixed_counts=True)
    steps = round((12.0 + 6.0 * damping) / step_size)
    return sample(line(), method, X, steps=steps, step_size=step_size, damping=damping, metropolis=adjusted, keep="x")


def late(run: History) -> Array:
    """The particles of four moments in the last fifth of a run, together."""
    rows = np.linspace(4 * len(run) // 5, len(run) - 1, 4).astype(int)
    return np.concatenate([run["x"][k][:, 0] for k in rows])


def steps_of(values: Array) -> Band:
    """A histogram as the region under its steps."""
    heights = np.histogram(values, EDGES)[0] / (len(values) * np.diff(EDGES))
    return Band(np.repeat(EDGES, 2)[1:-1], np.zeros(2 * len(heights)), np.repeat(heights, 2))


@view(
    title="The bias of a metric that changes from place to place",
    chapter="sampling/newton_langevin",
    methods=("newton_langevin",),
    controls=(
        Slider("step_size", BIAS_STEPS, "step size η", 0.1),
        Slider("damping", BIAS_DAMPINGS, "damping ρ", 0.3),
        Choice("test", tuple(TESTS), "Metropolis test", "unadjusted"),
    ),
    presets={
        "a small step does not help": {"step_size": 0.1, "damping": 0.3, "test": "unadjusted"},
        "damping does": {"step_size": 0.1, "damping": 10.0, "test": "unadjusted"},
        "a test removes it": {"step_size": 0.5, "damping": 0.3, "test": "Metropolis adjusted"},
    },
)
def bias(
    *, step_size: float = 0.1, damping: float = 0.3, test: str = "unadjusted", method: Method | None = None
) -> Scene:
    """Chains on a mixture of two components, their law and the two densities it may have."""
    adjusted = TESTS[test]
    runs = [(label, bias_run(this, step_size, damping, adjusted)) for label, this in edited(method, newton_langevin)]
    x = np.linspace(EDGES[0], EDGES[-1], 241)
    p = np.exp(line().log_density(x[:, None]))
    density: list[Any] = [
        steps_of(late(runs[0][1])),
        Line(x, p, label="p", color="muted", width=2.5),
        Line(x, small_step_law(x, damping), label="p/P", color=1, dash=True),
    ]
    middle = 0.5 * (EDGES[1:] + EDGES[:-1])
    for color, (label, run) in zip((0, 3), runs):
        heights = np.histogram(late(run), EDGES)[0] / (len(late(run)) * np.diff(EDGES))
        density.append(Line(middle, heights, label=label, color=color, width=1.5))
    reach = (step_size / precision(x, damping)) ** 0.5
    exact, limit = right_shares(damping)
    return Scene(
        (
            Panel(Axis("x", domain=(EDGES[0], EDGES[-1])), Axis("density", domain=(0.0, 1.05)),
                  tuple(density), title="the chains"),
            Panel(
                Axis("x", domain=(EDGES[0], EDGES[-1])), Axis("√(2ηP), size of the noise", "log", domain=(0.08, 4.0)),
                (Line(x, 2.0**0.5 * reach, color=4),), title="how far a step goes",
            ),
        ),
        _bias_sentence(step_size, damping, test, runs[0][1], exact, limit)
        + "".join(_of_edited(label, test, run) for label, run in runs[1:]),
    )  # fmt: skip


def _of_edited(label: str, test: str, run: History) -> str:
    there = f"{100.0 * float(np.mean(late(run) > valley())):.0f} %"
    moved = f", {100.0 * float(np.mean(run['acceptance'][1:])):.0f} % of the moves accepted" if TESTS[test] else ""
    return f" Of the chains of {label}, {there} are there{moved}."


def _bias_sentence(step_size: float, damping: float, test: str, run: History, exact: float, limit: float) -> str:
    moved = f", {100.0 * float(np.mean(run['acceptance'][1:])):.0f} % of the moves accepted" if TESTS[test] else ""
    return (
        f"{test[0].upper()}{test[1:]}, step size {step_size:g}, damping {damping:g}{moved}: in the last fifth of "
        f"{len(run) - 1} steps from p, {100.0 * float(np.mean(late(run) > valley())):.0f} % of the chains are in the right "
        f"component. Under p it holds {100.0 * exact:.0f} %, under p/P {100.0 * limit:.0f} %."
    )
