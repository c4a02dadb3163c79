"""The pictures of the chapter on Langevin dynamics. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder.distances import floor, sliced_wasserstein
from secondorder.history import History
from secondorder.labs.scene import Axis, Band, Choice, Field, Line, Panel, Points, Rule, Scene, Slider, view
from secondorder.labs.views._mixtures import plane
from secondorder.labs.views.newton import Method, edited
from secondorder.oracles import Problem
from secondorder.problems.gaussian_mixture import GaussianMixture, gaussian_mixture
from secondorder.run import sample
from secondorder.sampling import langevin

Array = np.ndarray
SHOWN = 400
"""Particles of a cloud that a page shows: the first rows."""


def histogram(values: Array, edges: Array, color: int = 0, label: str | None = None) -> Band:
    """The density of the values as steps."""
    heights = np.histogram(values, edges)[0] / (len(values) * np.diff(edges))
    high = np.repeat(heights, 2)
    return Band(np.repeat(edges, 2)[1:-1], np.zeros_like(high), high, color=color, label=label)


def percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


# --------------------------------------------------------------------------------------- gradient descent and its noise

PARTICLES = 1000
STEP = 0.04
NOISES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
UPDATES = (0, 1, 3, 10, 30, 100, 300)
STARTS = ("everywhere", "one point")
SIDE = (-5.5, 5.5)


@functools.lru_cache(maxsize=16)
def tempered(noise: float) -> Problem:
    """p to the power 1/c²: a Langevin step of size c²η for it is a gradient step of size η with c times the noise."""
    law, c2 = plane(), max(noise, 1e-6) ** 2
    return Problem(
        score=lambda X, alpha=1.0, sigma=0.0: law.score(X) / c2,
        log_density=lambda X, alpha=1.0, sigma=0.0: law.log_density(X) / c2,
        x0=law.x0,
        name="tempered mixture",
    )


def start(where: str) -> Array:
    rng = np.random.default_rng(1)
    return np.tile([0.5, -0.5], (PARTICLES, 1)) if where == "one point" else rng.uniform(*SIDE, (PARTICLES, 2))


@functools.lru_cache(maxsize=64)
def noise_run(method: Method, noise: float, where: str) -> dict[int, Array]:
    """The clouds after each number of updates in ``UPDATES``, of gradient ascent on log p with c √(2η) of noise."""
    size = max(noise, 1e-6) ** 2 * STEP
    run = sample(tempered(noise), method, start(where), steps=UPDATES[-1], step_size=size, keep="x", seed=2)
    return {k: run["x"][min(k, len(run) - 1)] for k in UPDATES}


@functools.cache
def exact_draws() -> Array:
    return np.asarray(plane().sample(PARTICLES, np.random.default_rng(3), fixed_counts=True))


@functools.lru_cache(maxsize=16)
def first_marginal(noise: float) -> tuple[Array, Array]:
    """The density of x₁ under p to the power 1/c², by quadrature."""
    x = np.linspace(-9.0, 9.0, 181)
    X = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    log_p = plane().log_density(X) / noise**2
    density = np.sum(np.exp(log_p - log_p.max()).reshape(181, 181), axis=0)
    seen = np.abs(x) <= SIDE[1]
    return x[seen], (density / (density.sum() * (x[1] - x[0])))[seen]


@functools.cache
def contours() -> Field:
    x = np.linspace(*SIDE, 67)
    z = np.exp(plane().log_density(np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2))).reshape(67, 67)
    return Field(x, x, z, z.max() * np.asarray([0.02, 0.1, 0.25, 0.5, 0.75]))


@functools.cache
def noise_floor() -> float:
    return floor(sliced_wasserstein, plane(), PARTICLES)


def mode_shares(X: Array) -> Array:
    """The share of the particles that belong to each component of the plane's mixture."""
    return np.bincount(np.argmax(plane().responsibilities(X), axis=1), minlength=3) / len(X)


@view(
    title="Gradient descent, and noise of the right size",
    chapter="sampling/langevin",
    methods=("langevin",),
    controls=(
        Slider("noise", NOISES, "noise, in units of √(2η)", 1.0),
        Slider("updates", UPDATES, "updates", 100),
        Choice("where", STARTS, "particles start", "everywhere"),
    ),
    presets={
        "gradient descent": {"noise": 0.0, "updates": 300},
        "the right size": {"noise": 1.0, "updates": 300},
        "twice as much": {"noise": 2.0, "updates": 300},
        "from one point": {"noise": 1.0, "updates": 3, "where": "one point"},
    },
)
def langevin_noise(
    *, noise: float = 1.0, updates: int = 100, where: str = "everywhere", method: Method | None = None
) -> Scene:
    """Particles that climb log p with noise, and the density of their first coordinate."""
    runs = [(label, noise_run(this, noise, where)[updates]) for label, this in edited(method, langevin)]
    edges = np.linspace(*SIDE, 45)
    x, density = first_marginal(1.0)
    cloud: list[Any] = [contours()]
    marginal: list[Any] = []
    for color, (label, X) in enumerate(runs):
        cloud.append(Points(X[:SHOWN, 0], X[:SHOWN, 1], label=label, color=color, size=2.0, opacity=0.6))
        marginal.append(histogram(X[:, 0], edges, color=color, label=label))
    marginal.append(Line(x, density, label="p", color="muted"))
    if noise not in (0.0, 1.0):
        marginal.append(Line(*first_marginal(noise), label="p to the power 1/c²", color=3, dash=True))
    X = runs[0][1]
    return Scene(
        (
            Panel(Axis("x₁", domain=SIDE), Axis("x₂", domain=SIDE), tuple(cloud), title="the particles", equal=True),
            Panel(Axis("x₁", domain=SIDE), Axis("density", domain=(0.0, 0.8)), tuple(marginal), title="density of x₁"),
        ),
        _noise_sentence(noise, updates, where, X),
    )


def _noise_sentence(noise: float, updates: int, where: str, X: Array) -> str:
    size = "Without noise" if noise == 0.0 else f"With {noise:g} times the noise √(2η)"
    first, second, third = map(percent, mode_shares(X))
    height = np.mean(plane().log_density(X)) - np.mean(plane().log_density(exact_draws()))
    level = f"{abs(height):.1f} {'above' if height > 0.0 else 'below'}" if abs(height) >= 0.05 else "equal to"
    return (
        f"{size}, particles from {where}, after {updates} update{'' if updates == 1 else 's'}: {first}, {second} and {third} "
        "belong to the three components, whose weights are 50 %, 30 % and 20 %. Their mean log-density is "
        f"{level} that of exact draws, from which they have a sliced Wasserstein distance of "
        f"{sliced_wasserstein(X, exact_draws()):.2f} (exact draws among themselves: about {noise_floor():.2f})."
    )


# ------------------------------------------------------------------------------------------------ what a step size costs

ETAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
LAWS = ("one Gaussian", "two modes")
TESTS = ("unadjusted", "adjusted")
CHAINS = 10_000
EDGES = np.linspace(-4.0, 4.0, 21)
FINE = np.linspace(-6.0, 6.0, 601)


@functools.cache
def line(law: str) -> GaussianMixture:
    """The standard normal law, or two modes at ∓1 with variance 0.35 and weights 0.6 and 0.4."""
    if law == "one Gaussian":
        return gaussian_mixture(means=[[0.0]], covariances=[[[1.0]]])
    return gaussian_mixture(weights=[0.6, 0.4], means=[[-1.0], [1.0]], covariances=[[[0.35]], [[0.35]]])


def density(law: GaussianMixture, x: Array, sigma: float = 0.0) -> Array:
    return np.asarray(np.exp(law.log_density(x[:, None], sigma=sigma)))


def kernel(law: GaussianMixture, eta: float, x: Array, adjusted: bool = False, sigma: float = 0.0) -> Array:
    """The matrix of transition probabilities of a chain between the cells of an even grid."""
    mean = x + eta * law.score(x[:, None], sigma=sigma)[:, 0]
    log_q = -((x[None, :] - mean[:, None]) ** 2) / (4.0 * eta)
    P = np.exp(log_q) * (x[1] - x[0]) / math.sqrt(4.0 * math.pi * eta)
    if adjusted:
        log_flux = law.log_density(x[:, None], sigma=sigma)[:, None] + log_q
        P = P * np.exp(np.minimum(0.0, log_flux.T - log_flux))
        return P + np.diag(1.0 - P.sum(axis=1))
    return np.asarray(P / P.sum(axis=1, keepdims=True))


@functools.lru_cache(maxsize=64)
def stationary(law: str, eta: float) -> tuple[Array, Array]:
    """The density to which unadjusted chains tend, from the matrix of their transition probabilities."""
    A = kernel(line(law), eta, FINE).T - np.eye(len(FINE))
    A[0] = 1.0
    return FINE, np.linalg.solve(A, np.eye(len(FINE))[0]) / (FINE[1] - FINE[0])


@functools.lru_cache(maxsize=64)
def bias_run(method: Method, law: str, eta: float, adjusted: bool) -> tuple[Array, History]:
    """Chains from exact draws after a time of 4, the sum of the step sizes: where they are, and the run."""
    begin = line(law).sample(CHAINS, np.random.default_rng(4), fixed_counts=True)
    run = sample(line(law), method, begin, steps=math.ceil(4.0 / eta), step_size=eta, metropolis=adjusted, seed=5)
    return np.ravel(np.asarray(run.x)), run


@functools.cache
def cells(law: str) -> Array:
    """The probabilities under p of the cells between ``EDGES``."""
    return in_cells(FINE, density(line(law), FINE))


def in_cells(x: Array, heights: Array) -> Array:
    """The integrals of a density, given on an even grid, over the cells between ``EDGES``."""
    total = np.concatenate([[0.0], np.cumsum(0.5 * (heights[1:] + heights[:-1])) * (x[1] - x[0])])
    return np.asarray(np.diff(np.interp(EDGES, x, total)))


@functools.cache
def bias(law: str, eta: float) -> float:
    """The total variation distance, in the cells, between p and the law to which unadjusted chains tend."""
    return float(0.5 * np.sum(np.abs(in_cells(*stationary(law, eta)) - cells(law))))


def seen_bias(law: str, values: Array) -> float:
    """The total variation distance, in the cells, between p and a histogram."""
    return float(0.5 * np.sum(np.abs(np.histogram(values, EDGES)[0] / len(values) - cells(law))))


@functools.cache
def bias_floor(law: str) -> float:
    """What ``seen_bias`` is for exact draws."""
    rngs = np.random.default_rng(6).spawn(20)
    return float(np.mean([seen_bias(law, np.ravel(line(law).sample(CHAINS, rng))) for rng in rngs]))


@view(
    title="What a step size costs",
    chapter="sampling/langevin",
    methods=("langevin",),
    controls=(
        Slider("eta", ETAS, "step size η", 0.4),
        Choice("law", LAWS, "law", "two modes"),
        Choice("test", TESTS, "chains", "unadjusted"),
    ),
    presets={
        "a large step": {"eta": 0.6, "test": "unadjusted"},
        "the same, adjusted": {"eta": 0.6, "test": "adjusted"},
        "a Gaussian stays one": {"law": "one Gaussian", "eta": 0.6, "test": "unadjusted"},
    },
)
def langevin_bias(
    *, eta: float = 0.4, law: str = "two modes", test: str = "unadjusted", method: Method | None = None
) -> Scene:
    """The law of long chains beside p, and how its error grows with the step size."""
    adjusted = test == "adjusted"
    runs = [(test if this is langevin else label, this) for label, this in edited(method, langevin)]
    x = np.linspace(-4.0, 4.0, 161)
    grid, limit = stationary(law, eta)
    left: list[Any] = []
    right: list[Any] = [
        Line(ETAS, [bias(law, h) for h in ETAS], label="limit, unadjusted", color=3, dash=True, width=1.5)
    ]
    for color, (label, this) in enumerate(runs):
        left.append(histogram(bias_run(this, law, eta, adjusted)[0], EDGES, color=color, label=label))
        seen = [seen_bias(law, bias_run(this, law, h, adjusted)[0]) for h in ETAS]
        right.append(Line(ETAS, seen, label=label, color=color, markers=True, line=False))
        right.append(Points([eta], [seen[ETAS.index(eta)]], color=color, size=7.0, opacity=0.35))
    left.append(Line(x, density(line(law), x), label="p", color="muted"))
    if not adjusted:
        left.append(Line(grid[100:501:2], limit[100:501:2], label="limit", color=3, dash=True, width=1.5))
    right.append(Rule(y=bias_floor(law), label="exact draws"))
    top = 0.55
    return Scene(
        (
            Panel(Axis("x", domain=(-4.0, 4.0)), Axis("density", domain=(0.0, top)), tuple(left), title="the law"),
            Panel(
                Axis("step size η", "log", domain=(0.01, 1.0)),
                Axis("total variation distance to p", "log", domain=(0.001, 1.0)),
                tuple(right),
                title="its error",
            ),
        ),
        _bias_sentence(eta, law, test, *bias_run(langevin, law, eta, adjusted)),
    )


def _bias_sentence(eta: float, law: str, test: str, values: Array, run: History) -> str:
    seen = seen_bias(law, values)
    variance, true = float(values.var()), float(line(law).covariance[0, 0])
    words = (
        f"{law[0].upper()}{law[1:]}, {test} chains with step size {eta:g}: after {len(run) - 1} updates the variance is "
        f"{variance:.2f} where p has {true:.2f}, and the total variation distance to p, in twenty cells, is {seen:.3f}; "
        f"that of as many exact draws is {bias_floor(law):.3f}. "
    )
    if test == "adjusted":
        return words + f"A share of {np.mean(run['acceptance'][1:]):.2f} of the proposals was accepted."
    return words + f"That of the law to which the chains tend is {bias(law, eta):.3f}."


# -------------------------------------------------------------------------------------------------- the best acceptance

DIMENSIONS = (1, 4, 16, 64, 256)
SCALED = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
"""Step sizes, times d^(1/3)."""
WIDTH = math.sqrt(3.0) / math.pi
"""The scale of the logistic law of variance 1."""


def product_law(name: str, d: int) -> Problem:
    """d independent coordinates, standard normal or logistic of variance 1."""
    if name == "normal":
        return Problem(
            score=lambda X, alpha=1.0, sigma=0.0: -X,
            log_density=lambda X, alpha=1.0, sigma=0.0: -0.5 * np.sum(X * X, axis=1),
            x0=np.zeros(d), name="normal",
        )  # fmt: skip
    return Problem(
        score=lambda X, alpha=1.0, sigma=0.0: -np.tanh(X / (2.0 * WIDTH)) / WIDTH,
        log_density=lambda X, alpha=1.0, sigma=0.0: -2.0 * np.sum(np.logaddexp(0.0, X / WIDTH) - 0.5 * X / WIDTH, axis=1),
        x0=np.zeros(d), name="logistic",
    )  # fmt: skip


@functools.cache
def roughness(name: str) -> float:
    """K of Roberts and Rosenthal: the root of E[5g'''² − 3g''³]/48, where g is the log-density of a coordinate."""
    x = np.linspace(-25.0, 25.0, 20_001)
    if name == "normal":
        second, third, p = -np.ones_like(x), np.zeros_like(x), np.exp(-0.5 * x * x)
    else:
        bend = 1.0 / np.cosh(x / (2.0 * WIDTH)) ** 2
        second, third, p = -bend / (2.0 * WIDTH**2), bend * np.tanh(x / (2.0 * WIDTH)) / (2.0 * WIDTH**3), bend
    return math.sqrt(float(np.sum((5.0 * third**2 - 3.0 * second**3) * p) / np.sum(p)) / 48.0)


def limit_acceptance(name: str, scaled: Array) -> Array:
    """2Φ(−Kℓ³/2) with ℓ² = 2 η d^(1/3)."""
    from scipy.special import ndtr

    return np.asarray(2.0 * ndtr(-0.5 * roughness(name) * (2.0 * np.asarray(scaled)) ** 1.5))


@functools.lru_cache(maxsize=64)
def jumps(method: Method, name: str, d: int) -> tuple[Array, Array]:
    """For each step size the share accepted and the mean squared jump over d^(2/3), over ten updates in equilibrium."""
    rng, n = np.random.default_rng(7), max(400, 16_000 // d)
    begin = rng.standard_normal((n, d)) if name == "normal" else rng.logistic(scale=WIDTH, size=(n, d))
    accepted, squared = [], []
    for scaled in SCALED:
        run = sample(
            product_law(name, d), method, begin, steps=10, step_size=scaled * d ** (-1.0 / 3.0), metropolis=True, keep="x",
            seed=8,
        )  # fmt: skip
        accepted.append(np.mean(run["acceptance"][1:]))
        squared.append(np.mean(np.sum(np.diff(run["x"], axis=0) ** 2, axis=2)) / d ** (2.0 / 3.0))
    return np.asarray(accepted), np.asarray(squared)


@view(
    title="The best share of rejections is not zero",
    chapter="sampling/langevin",
    methods=("langevin",),
    controls=(
        Slider("scaled", SCALED, "η d^(1/3)", 0.5),
        Slider("d", DIMENSIONS, "dimension d", 64),
        Choice("law", ("normal", "logistic"), "coordinates", "normal"),
    ),
    presets={
        "one dimension": {"d": 1, "scaled": 2.0},
        "many dimensions, the best step": {"d": 256, "scaled": 1.5},
        "another law": {"d": 256, "scaled": 1.25, "law": "logistic"},
    },
)
def langevin_jump(*, scaled: float = 0.5, d: int = 64, law: str = "normal", method: Method | None = None) -> Scene:
    """The share of proposals accepted against the step size, and how far the chains get against that share."""
    fine = np.geomspace(0.02, 6.0, 120)
    promised = limit_acceptance(law, fine)
    left: list[Any] = [Line(fine, promised, label="limit, d → ∞", color="muted", dash=True, width=1.5)]
    right: list[Any] = [
        Line(promised, 2.0 * fine * promised, label="limit, d → ∞", color="muted", dash=True, width=1.5),
        Rule(x=0.574, label="0.574"),
    ]
    for color, (label, this) in enumerate(edited(method, langevin)):
        accepted, squared = jumps(this, law, d)
        here = SCALED.index(scaled)
        left.append(Line(SCALED, accepted, label=label, color=color, markers=True))
        left.append(Points([scaled], [accepted[here]], color=color, size=7.0, opacity=0.35))
        right.append(Line(accepted, squared, label=label, color=color, markers=True))
        right.append(Points([accepted[here]], [squared[here]], color=color, size=7.0, opacity=0.35))
    accepted, squared = jumps(langevin, law, d)
    return Scene(
        (
            Panel(
                Axis("step size η d^(1/3)", domain=(0.0, 4.2)), Axis("share accepted", domain=(0.0, 1.05)),
                tuple(left), title="acceptance",
            ),
            Panel(
                Axis("share accepted", domain=(0.0, 1.05)), Axis("squared jump / d^(2/3)", domain=(0.0, 2.6)),
                tuple(right), title="how far an update gets",
            ),
        ),
        _jump_sentence(scaled, d, law, accepted, squared),
    )  # fmt: skip


def _jump_sentence(scaled: float, d: int, law: str, accepted: Array, squared: Array) -> str:
    here, best = SCALED.index(scaled), int(np.argmax(squared))
    eta, coordinates = scaled * d ** (-1.0 / 3.0), "coordinate" if d == 1 else "coordinates"
    return (
        f"{d} {law} {coordinates}, step size {eta:.3g}: {percent(accepted[here])} of the proposals are accepted, and an "
        f"update moves a chain by {squared[here] * d ** (2.0 / 3.0):.2g} in the mean square, "
        f"{percent(squared[here] / (2.0 * scaled))} of 2ηd. Of the ten step sizes {SCALED[best] * d ** (-1.0 / 3.0):.3g} gets "
        f"furthest, with {percent(accepted[best])} accepted."
    )


# ----------------------------------------------------------------------------------------------------------- two modes

APART = (2.0, 4.0, 6.0, 8.0)
SIGMAS = (0.0, 0.5, 1.0, 2.0, 3.0)
SPREAD = 0.25
LONG = 500


@functools.cache
def two_modes(apart: float) -> GaussianMixture:
    """Modes of variance 1/4 with weights 0.3 and 0.7, so far apart."""
    return gaussian_mixture(
        weights=[0.3, 0.7], means=[[-0.5 * apart], [0.5 * apart]], covariances=[[[SPREAD]], [[SPREAD]]]
    )


def mode_step(sigma: float) -> float:
    return 0.3 * (SPREAD + sigma**2)


@functools.lru_cache(maxsize=64)
def mode_run(method: Method, apart: float, sigma: float) -> tuple[Array, Array]:
    """Adjusted chains from the left component: the share right of 0 after each update, and where they are at the end."""
    begin = -0.5 * apart + math.sqrt(SPREAD + sigma**2) * np.random.default_rng(9).standard_normal((1000, 1))
    run = sample(
        two_modes(apart), method, begin, steps=LONG, step_size=mode_step(sigma), metropolis=True, sigma=sigma, keep="x",
        seed=10,
    )  # fmt: skip
    return np.mean(run["x"][:, :, 0] > 0.0, axis=1), np.ravel(np.asarray(run.x))


@functools.lru_cache(maxsize=64)
def mode_shares_exact(apart: float, sigma: float) -> Array:
    """The probability of being right of 0 after each update, from the matrix of transition probabilities."""
    law, s = two_modes(apart), math.sqrt(SPREAD + sigma**2)
    x = np.linspace(-0.5 * apart - 6.0 * s, 0.5 * apart + 6.0 * s, 400)
    P = kernel(law, mode_step(sigma), x, adjusted=True, sigma=sigma)
    p = np.exp(-0.5 * ((x + 0.5 * apart) / s) ** 2)
    p, shares = p / p.sum(), []
    for _ in range(LONG + 1):
        shares.append(p[x > 0.0].sum())
        p = p @ P
    return np.asarray(shares)


def right_of_zero(apart: float, sigma: float) -> float:
    from scipy.special import ndtr

    z = 0.5 * apart / math.sqrt(SPREAD + sigma**2)
    return float(0.3 * ndtr(-z) + 0.7 * ndtr(z))


def thinned(most: int = LONG) -> Array:
    return np.unique(np.round(np.geomspace(1, most, 60)).astype(int))


@view(
    title="Two modes, and a level of noise",
    chapter="sampling/langevin",
    methods=("langevin",),
    controls=(
        Slider("apart", APART, "distance of the modes", 4.0),
        Slider("sigma", SIGMAS, "noise level σ", 0.5),
    ),
    presets={
        "near": {"apart": 2.0, "sigma": 0.0},
        "far": {"apart": 6.0, "sigma": 0.0},
        "far, at a level of noise": {"apart": 6.0, "sigma": 2.0},
    },
)
def langevin_modes(*, apart: float = 4.0, sigma: float = 0.5, method: Method | None = None) -> Scene:
    """Adjusted chains that all start in the left mode: where they are after 500 updates, and how many crossed when."""
    law, x, edges = two_modes(apart), np.linspace(-9.0, 9.0, 181), np.linspace(-9.0, 9.0, 61)
    k = thinned()
    left: list[Any] = []
    right: list[Any] = []
    for color, (label, this) in enumerate(edited(method, langevin)):
        shares, end = mode_run(this, apart, sigma)
        left.append(histogram(end, edges, color=color, label=label))
        right.append(Line(k, shares[k], label=label, color=color))
    left.append(Line(x, density(law, x, sigma), label="density at this noise level", color="muted"))
    right.append(
        Line(k, mode_shares_exact(apart, sigma)[k], label="exact", color=3, dash=True, width=1.5)
    )  # fmt: skip
    right.append(Rule(y=right_of_zero(apart, sigma), label="in equilibrium"))
    return Scene(
        (
            Panel(
                Axis("x", domain=(-9.0, 9.0)), Axis("density", domain=(0.0, 0.85)), tuple(left),
                title="after 500 updates",
            ),
            Panel(
                Axis("update", "log", domain=(1.0, 500.0)), Axis("share right of 0", domain=(-0.02, 1.0)), tuple(right),
                title="who has crossed",
            ),
        ),
        _modes_sentence(apart, sigma),
    )  # fmt: skip


def _modes_sentence(apart: float, sigma: float) -> str:
    shares, exact = mode_run(langevin, apart, sigma)[0], mode_shares_exact(apart, sigma)
    balance = right_of_zero(apart, sigma)
    half = np.flatnonzero(exact >= 0.5 * balance)
    if not half.size:
        when = f"by the exact transition probabilities a share of {exact[-1]:.1g} has crossed"
    elif half[0] == 0:
        when = "half of what equilibrium asks for was there at the start"
    else:
        when = f"half of what equilibrium asks for has crossed after {half[0]} update{'' if half[0] == 1 else 's'}"
    return (
        f"Modes {apart:g} apart, noise level {sigma:g}, step size {mode_step(sigma):.3g}: after 500 updates "
        f"{percent(shares[-1])} of the chains are right of 0, where equilibrium has {percent(balance)}; {when}."
    )
