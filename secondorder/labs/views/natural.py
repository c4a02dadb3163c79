"""The pictures of the chapter on the natural gradient: a plane of Gaussians, stretched parameters, three Fishers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Rule, Scene, Slider, Text, view
from secondorder.labs.views.newton import edited
from secondorder.linalg import ExampleGradients, Layer
from secondorder.natural import natural_gradient
from secondorder.newton import gradient_descent
from secondorder.oracles import Problem
from secondorder.problems.linear_models import sigmoid, softplus
from secondorder.run import minimize

Method = Callable[..., Any]
Array = np.ndarray


# ------------------------------------------------------------------------------------------- models of one layer


class Linear(Problem):
    """A linear predictor z = Xw without intercept; y is a label 0 or 1 (logistic), or real with unit variance."""

    x0: Array

    def __init__(self, X: Array, y: Array, logistic: bool, name: str = "linear") -> None:
        super().__init__(x0=np.zeros(X.shape[1]), name=name, fresh=True)
        self.X, self.y, self.logistic, self.n = X, y, logistic, len(y)

    def mean(self, w: Array) -> Array:
        """The expectation of y for each row."""
        z = self.X @ w
        return sigmoid(z) if self.logistic else z

    def variance(self, w: Array) -> Array:
        """The variance of y for each row, which is the second derivative of its loss in z."""
        p = self.mean(w)
        return p * (1.0 - p) if self.logistic else np.ones_like(p)

    def f(self, w: Array) -> float:
        z = self.X @ w
        return float(np.mean(softplus(z) - self.y * z if self.logistic else 0.5 * (z - self.y) ** 2))

    def grad(self, w: Array) -> Array:
        return self.X.T @ (self.mean(w) - self.y) / self.n

    def hess(self, w: Array) -> Array:
        return (self.X.T * self.variance(w)) @ self.X / self.n

    def signals(
        self, w: Array, kind: str, rng: np.random.Generator | None = None, samples: int = 1
    ) -> tuple[Layer, ...]:
        """The derivatives of the losses in z: rooted variances, or means less labels."""
        p = self.mean(w)
        if kind == "exact":
            signals = np.sqrt(self.variance(w))[None, :]
        elif kind == "empirical":
            signals = (p - self.y)[None, :]
        else:
            assert rng is not None
            shape = (samples, self.n)
            drawn = rng.random(shape) < p if self.logistic else p + rng.standard_normal(shape)
            signals = (p - drawn) / samples**0.5
        return (Layer(self.X, signals[:, :, None]),)


def in_parameters(problem: Any, A: Array) -> Problem:
    """The same problem in the parameters φ, x = Aφ; it has no layers, so each example's gradient is one row."""

    def signals(phi: Array, *how: Any) -> tuple[Layer, ...]:
        G = ExampleGradients(problem.signals(A @ phi, *how))
        return (Layer(np.ones((G.n, 1)), (G.dense() @ A).reshape(G.K, G.n, -1)),)

    return Problem(
        lambda phi: problem.f(A @ phi), lambda phi: A.T @ problem.grad(A @ phi), signals=signals,
        x0=np.linalg.solve(A, problem.x0), name=f"{problem.name}, x = Aφ",
    )  # fmt: skip


def ellipse(M: Array, level: float = 1.0, points: int = 73) -> tuple[Array, Array]:
    """The points δ of the plane with δ'Mδ = level."""
    values, Q = np.linalg.eigh(M)
    angle = np.linspace(0.0, 2.0 * np.pi, points)
    circle = np.stack([np.cos(angle), np.sin(angle)]) * np.sqrt(level / values)[:, None]
    x, y = Q @ circle
    return x, y


# ------------------------------------------------------------------------------------------ the plane of Gaussians

TARGET, SPREAD = 1.0, 0.5
"""Mean and standard deviation of the sample."""
BEGIN = (-1.5, 1.5)
MU, SIGMA = (-2.5, 2.5), (0.05, 2.6)


def _expectation(q: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.stack([q[0], np.sqrt(q[1] - q[0] ** 2)])


def _natural(q: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([-0.5 * q[0] / q[1], np.sqrt(-0.5 / q[1])])


COORDINATES: dict[str, tuple[tuple[str, str], Callable[[Array], Array], Callable[[Array], Array]]] = {
    "μ and σ": (("μ", "σ"), lambda t: t, lambda q: q),
    "μ and log σ": (("μ", "log σ"), lambda t: np.stack([t[0], np.log(t[1])]), lambda q: np.stack([q[0], np.exp(q[1])])),
    "natural": (
        ("μ/σ²", "−1/(2σ²)"), lambda t: np.stack([t[0] / t[1] ** 2, -0.5 / t[1] ** 2]), _natural,
    ),
    "expectation": (
        ("E y", "E y²"), lambda t: np.stack([t[0], t[0] ** 2 + t[1] ** 2]), _expectation,
    ),
}  # fmt: skip
"""Axis labels, the coordinates of (μ, σ), and the way back (NaN outside)."""
WINDOWS = {
    "μ and σ": (MU, SIGMA),
    "μ and log σ": (MU, (-2.0, 1.0)),
    "natural": ((-3.0, 6.0), (-3.2, 0.0)),
    "expectation": (MU, (0.0, 6.5)),
}
FLOW = {"μ and σ": 20.0, "μ and log σ": 20.0, "natural": 20.0, "expectation": 60.0}
"""The inverse of the step size of gradient descent."""


def gaussian(coordinates: str) -> Problem:
    """Minus the mean log-likelihood of a normal distribution, less its constant, in these coordinates."""
    _, forward, back = COORDINATES[coordinates]

    def turn(q: Array) -> tuple[Array, Array]:
        mu, sigma = t = back(q)
        if coordinates == "μ and σ":
            return t, np.eye(2)
        if coordinates == "μ and log σ":
            return t, np.diag([1.0, sigma])
        if coordinates == "natural":
            return t, np.asarray([[sigma**2, 2.0 * mu * sigma**2], [0.0, sigma**3]])
        return t, np.asarray([[1.0, 0.0], [-mu / sigma, 0.5 / sigma]])

    def f(q: Array) -> float:
        return float(likelihood(*back(q)))

    def grad(q: Array) -> Array:
        (mu, sigma), T = turn(q)
        second = SPREAD**2 + (mu - TARGET) ** 2
        return T.T @ np.asarray([(mu - TARGET) / sigma**2, 1.0 / sigma - second / sigma**3])

    def signals(q: Array, kind: str, rng: Any = None, samples: int = 1) -> tuple[Layer, ...]:
        (_, sigma), T = turn(q)
        return (Layer(np.ones((1, 1)), (np.diag([1.0, 2.0**0.5]) / sigma @ T)[:, None, :]),)

    return Problem(
        f, grad, signals=signals, x0=forward(np.asarray(BEGIN)), name="gaussian", f_star=np.log(SPREAD) + 0.5
    )


def likelihood(mu: Any, sigma: Any) -> Any:
    """Minus the mean log-likelihood of the sample under N(μ, σ²), less ½log 2π."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sigma > 0, np.log(sigma) + 0.5 * (SPREAD**2 + (mu - TARGET) ** 2) / sigma**2, np.inf)


def divergence(mu: float, sigma: float, other_mu: Any, other_sigma: Any) -> Any:
    """KL(N(μ, σ²) ‖ the other)."""
    return np.log(other_sigma / sigma) + 0.5 * (sigma**2 + (mu - other_mu) ** 2) / other_sigma**2 - 0.5


def equal_divergence(mu: float, sigma: float, level: float, points: int = 73) -> tuple[Array, Array]:
    """The normal distributions at the divergence ``level`` from N(μ, σ²), found by bisection along rays."""
    angle = np.linspace(0.0, 2.0 * np.pi, points)
    dx, dy = sigma * np.cos(angle), sigma * np.sin(angle)
    low, high = np.zeros(points), np.where(dy < 0, sigma / np.maximum(-dy, 1e-9) * (1 - 1e-9), 50.0)
    for _ in range(60):
        t = 0.5 * (low + high)
        far = divergence(mu, sigma, mu + t * dx, sigma + t * dy) > level
        low, high = np.where(far, low, t), np.where(far, t, high)
    return mu + low * dx, sigma + low * dy


@functools.lru_cache(maxsize=64)
def gaussian_run(coordinates: str, method: Method, rate: float) -> History:
    """A run from BEGIN; ``rate`` is the learning rate of the natural gradient, and not used by gradient descent."""
    problem, natural = gaussian(coordinates), method is not gradient_descent
    hyper = {"damping": 0.0, "learning_rate": rate} if natural else {"lipschitz": FLOW[coordinates]}
    steps = round(min(200.0, 8.0 / rate)) if natural else 3000
    return minimize(problem, method, steps=steps, tol=1e-6, keep=("x",), **hyper)  # type: ignore[arg-type]


def gaussian_path(coordinates: str, method: Method, rate: float) -> Array:
    """The points (μ, σ) of a run, shape (2, steps + 1)."""
    return COORDINATES[coordinates][2](gaussian_run(coordinates, method, rate)["x"].T)


def flow(t: Array) -> Array:
    """The exact natural gradient flow from BEGIN: E y and E y² go straight to those of the sample."""
    mu, sigma = BEGIN
    first = TARGET + (mu - TARGET) * np.exp(-t)
    second = TARGET**2 + SPREAD**2
    return _expectation(np.stack([first, second + (mu**2 + sigma**2 - second) * np.exp(-t)]))


CENTRES = [(mu, sigma) for sigma in (0.35, 0.9, 1.8) for mu in (-1.8, 0.0, 1.8)]


@view(
    title="A plane of normal distributions",
    chapter="natural/natural_gradient",
    methods=("natural_gradient",),
    controls=(
        Choice("coordinates", tuple(COORDINATES), "coordinates of both methods", "μ and log σ"),
        Slider("rate", (0.05, 0.1, 0.3, 1.0), "learning rate η", 0.1, live=(0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)),
        Slider("level", (0.01, 0.05, 0.2), "divergence of the curves", 0.05, live=(0.01, 0.02, 0.05, 0.1, 0.2, 0.4)),
    ),
    presets={
        "as it is written down": {"coordinates": "μ and σ", "rate": 0.1},
        "other coordinates": {"coordinates": "μ and log σ", "rate": 0.1},
        "large steps": {"coordinates": "μ and σ", "rate": 1.0},
        "one step": {"coordinates": "expectation", "rate": 1.0},
    },
)
def plane_of_gaussians(
    *, coordinates: str = "μ and log σ", rate: float = 0.1, level: float = 0.05, method: Method | None = None
) -> Scene:
    """Curves of equal divergence over (μ, σ), and two ways to fit a sample, run in the chosen coordinates."""
    labels, forward, _ = COORDINATES[coordinates]
    runs = [(1, "gradient descent", gradient_descent)]
    runs += [(color, label, run) for color, (label, run) in zip((0, 3), edited(method, natural_gradient))]
    planes: list[list[Any]] = [[_landscape("μ and σ")], [_landscape(coordinates)]]
    for number, (mu, sigma) in enumerate(CENTRES):
        x, y = ellipse(np.diag([1.0, 2.0]) / sigma**2, 2.0 * level)
        curves = (
            ("metric", (x + mu, y + sigma), False, 2),
            ("divergence", equal_divergence(mu, sigma, level), True, 4),
        )
        for label, curve, dash, color in curves:
            points = np.stack(curve)
            points = np.where(points[1] > 1e-3, points, np.nan)
            for plane, (u, v) in zip(planes, (points, forward(points))):
                plane.append(
                    Line(u, v, label=label if number == 0 else None, color=color, dash=dash, width=1.4)
                )  # fmt: skip
    for color, label, run in runs:
        t = gaussian_path(coordinates, run, rate)
        markers = run is not gradient_descent
        t = t if markers else t[:, _thin(t)]
        for plane, (u, v) in zip(planes, (t, forward(t))):
            plane.append(Line(u, v, label=label, color=color, markers=markers, width=2.0))
    (x0, y0), (x1, y1) = (forward(np.asarray(place)) for place in (BEGIN, (TARGET, SPREAD)))
    for plane, (u, v) in zip(planes, (((BEGIN[0], TARGET), (BEGIN[1], SPREAD)), ((x0, x1), (y0, y1)))):
        plane.append(Text(u, v, ("start", "sample")))
    domain = WINDOWS[coordinates]
    return Scene(
        (
            Panel(
                Axis("mean μ", domain=MU), Axis("standard deviation σ", domain=SIGMA), tuple(planes[0]),
                title="seen in μ and σ",
            ),
            Panel(
                Axis(labels[0], domain=domain[0]), Axis(labels[1], domain=domain[1]), tuple(planes[1]),
                title=f"seen in the coordinates {labels[0]}, {labels[1]}",
            ),
        ),
        f"{_plane_sentence(coordinates, rate)} The curves stand for a divergence of {level:g}.",
    )  # fmt: skip


def _thin(points: Array) -> Array:
    """The indices of at most 60 points of a path, evenly spread along its length, the last included."""
    walked = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points), axis=0))])
    return np.unique(np.searchsorted(walked, np.linspace(0.0, walked[-1], 60)).clip(max=points.shape[1] - 1))


@functools.lru_cache(maxsize=8)
def _landscape(coordinates: str) -> Field:
    (left, right), (bottom, top) = WINDOWS[coordinates]
    u, v = np.linspace(left, right, 51), np.linspace(bottom, top, 51)
    U, V = np.meshgrid(u, v)
    with np.errstate(all="ignore"):
        values = likelihood(*COORDINATES[coordinates][2](np.stack([U, V])))
    levels = np.log(SPREAD) + 0.5 + np.asarray([0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0])
    return Field(u, v, np.where(np.isfinite(values), np.minimum(values, 30.0), 30.0), levels)


def _plane_sentence(coordinates: str, rate: float) -> str:
    run, slow = (gaussian_run(coordinates, each, rate) for each in (natural_gradient, gradient_descent))
    away = _distance_to_flow(gaussian_path(coordinates, natural_gradient, rate))
    straight = _distance_to_flow(gaussian_path(coordinates, gradient_descent, rate))
    mu, sigma = COORDINATES[coordinates][2](np.asarray(run.x))
    where = coordinates if " " in coordinates else f"the {coordinates} parameters"
    if run.status not in ("converged", "step_limit", "stalled"):
        return (
            f"Natural gradient in {where}, η = {rate:g}: step {len(run)} leaves the half-plane. The learning rate is too large "
            "for these coordinates."
        )
    return (
        f"Natural gradient in {where}, η = {rate:g}: after {len(run) - 1} {'step' if len(run) == 2 else 'steps'} it is at "
        f"μ = {mu:.2f}, σ = {sigma:.2f}; the sample has μ = {TARGET:g}, σ = {SPREAD:g}. In the plane of μ and σ its points are "
        f"at most {away:.2g} from the path of vanishing steps; those of gradient descent, {len(slow) - 1} short steps, up to "
        f"{straight:.2g}."
    )


def _distance_to_flow(points: Array) -> float:
    """The largest distance of a point to the natural gradient flow."""
    curve = flow(np.linspace(0.0, 12.0, 2000))
    points = points[:, np.all(np.isfinite(points), axis=0)]
    points = points[:, _thin(points)]
    return float(np.max(np.min(np.linalg.norm(points[:, :, None] - curve[:, None, :], axis=0), axis=1)))


# --------------------------------------------------------------------------------------------- stretched parameters

SQUARE = ((-2.5, 4.0), (-2.5, 4.0))
HOME = np.asarray([-1.2, 2.2])


@functools.lru_cache(maxsize=1)
def two_weights() -> Linear:
    """Logistic regression with two correlated features, started at HOME."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((80, 2)) @ np.asarray([[1.2, 0.5], [0.0, 0.8]])
    y = (rng.random(80) < sigmoid(X @ np.asarray([1.5, -0.8]))).astype(float)
    problem = Linear(X, y, logistic=True, name="two weights")
    problem.x0 = HOME
    problem.f_star = minimize(problem, "newton", tol=1e-10).f[-1]
    return problem


def stretch(factor: float, angle: float) -> Array:
    """Stretches by ``factor`` in the direction at ``angle`` degrees and shrinks by it across."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    Q = np.asarray([[c, -s], [s, c]])
    return Q @ np.diag([factor, 1.0 / factor]) @ Q.T


@functools.lru_cache(maxsize=256)
def stretched_run(method: Method, factor: float, angle: float, damping: float) -> tuple[Array, Array]:
    """The path in the weights and the gap, of a run in the parameters φ, weights = Aφ."""
    problem, A = two_weights(), stretch(factor, angle)
    if method is gradient_descent:
        hyper = {"lipschitz": float(np.linalg.eigvalsh(A.T @ problem.X.T @ problem.X @ A)[-1]) / (4.0 * problem.n)}
    else:
        hyper = {"damping": damping, "learning_rate": 0.25}
    run = minimize(in_parameters(problem, A), method, steps=40, tol=0.0, keep=("x",), **hyper)  # type: ignore[arg-type]
    return run["x"] @ A.T, run.f - problem.f_star


@view(
    title="Stretched parameters",
    chapter="natural/natural_gradient",
    methods=("natural_gradient",),
    controls=(
        Slider("factor", (1, 2, 4, 8), "stretch s", 4, live=(1, 1.5, 2, 3, 4, 6, 8, 12)),
        Slider("angle", (0, 45, 90, 135), "direction of the stretch, degrees", 45, live=tuple(range(0, 180, 15))),
        Slider("damping", (0.0, 0.001, 0.01, 0.1, 1.0), "damping λ", 0.0),
    ),
    presets={
        "as given": {"factor": 1, "damping": 0.0},
        "stretched": {"factor": 8, "angle": 45, "damping": 0.0},
        "stretched and damped": {"factor": 8, "angle": 45, "damping": 0.1},
    },
)
def stretched_parameters(
    *, factor: float = 4, angle: float = 45, damping: float = 0.0, method: Method | None = None
) -> Scene:
    """Two methods that work on φ, seen in the weights θ = Aφ."""
    problem = two_weights()
    (left, right), (bottom, top) = SQUARE
    runs = [(1, "gradient descent", gradient_descent)]
    runs += [(color, label, run) for color, (label, run) in zip((0, 3), edited(method, natural_gradient))]
    x, y = ellipse(np.linalg.inv(stretch(factor, angle) @ stretch(factor, angle).T), 0.09)
    unit = Line(HOME[0] + x, HOME[1] + y, label="‖Δφ‖ = 0.3", color="muted", dash=True, width=1.5)
    F = ellipse(problem.hess(HOME), 0.04)
    metric = Line(HOME[0] + F[0], HOME[1] + F[1], label="metric", color=2, width=1.5)
    plane: list[Any] = [_weights_field(), unit, metric]
    curves: list[Any] = []
    for color, label, run in runs:
        path, gap = stretched_run(run, factor, angle, damping)
        plane.append(Line(path[:, 0], path[:, 1], label=label, color=color, markers=True, width=1.8))
        shown = np.maximum(gap, 1e-10)
        curves.append(Line(np.arange(len(gap)), shown, label=label, color=color, width=2.2))
    if factor != 1:
        path, gap = stretched_run(natural_gradient, 1, 0, damping)
        plane.append(Line(path[:, 0], path[:, 1], label="natural, s = 1", color=4, dash=True, width=1.4))
        curves.append(
            Line(np.arange(len(gap)), np.maximum(gap, 1e-10), label="natural, s = 1", color=4, dash=True, width=1.5)
        )  # fmt: skip
    return Scene(
        (
            Panel(
                Axis("θ₁", domain=(left, right)), Axis("θ₂", domain=(bottom, top)), tuple(plane), title="the weights",
                equal=True,
            ),
            Panel(
                Axis("step", domain=(0.0, 40.0)), Axis("f − f*", "log", domain=(1e-10, 2.0)), tuple(curves),
                title="the loss",
            ),
        ),
        _stretched_sentence(factor, angle, damping),
    )  # fmt: skip


@functools.lru_cache(maxsize=1)
def _weights_field() -> Field:
    problem = two_weights()
    (left, right), (bottom, top) = SQUARE
    x, y = np.linspace(left, right, 41), np.linspace(bottom, top, 41)
    values = np.asarray([[problem.f(np.asarray([u, v])) for u in x] for v in y])
    return Field(x, y, values, problem.f_star + np.asarray([0.003, 0.02, 0.06, 0.15, 0.3, 0.6, 1.0, 1.5]))


def _stretched_sentence(factor: float, angle: float, damping: float) -> str:
    moved = {
        name: deviation(run, factor, angle, damping)
        for name, run in (("natural", natural_gradient), ("plain", gradient_descent))
    }
    gap = {run: stretched_run(run, factor, angle, damping)[1][-1] for run in (natural_gradient, gradient_descent)}
    shift = "not at all" if moved["natural"] < 1e-8 else f"by up to {moved['natural']:.2g}"
    how = "" if factor == 1 else f" at {angle:g}°"
    return (
        f"Parameters stretched by {factor:g}{how}, damping {damping:g}: against s = 1, the path of the natural gradient moves "
        f"{shift}, that of gradient descent "
        + ("not at all" if moved["plain"] < 1e-8 else f"by up to {moved['plain']:.2g}")
        + f". After 40 steps the losses are {_gap(gap[natural_gradient])} and {_gap(gap[gradient_descent])} above the least."
    )


def _gap(value: float) -> str:
    return f"{value:.1e}" if value > 1e-10 else "less than 1e-10"


def deviation(method: Method, factor: float, angle: float, damping: float = 0.0) -> float:
    """The largest distance between the weights after as many steps, with and without the stretch."""
    one, other = (stretched_run(method, *how, damping)[0] for how in ((factor, angle), (1, 0)))
    n = min(len(one), len(other))
    return float(np.max(np.linalg.norm(one[:n] - other[:n], axis=1)))


# --------------------------------------------------------------------------------------------------- three Fishers

MODELS = ("regression, noise ¼", "regression, noise ½", "regression, noise 1", "logistic regression")
PLACES = ("at the minimum", "away from it")
SAMPLES = (1, 2, 5, 10, 30, 100, 300)
KINDS = ("exact", "monte_carlo", "empirical")
WORDS = {"exact": "exact", "monte_carlo": "Monte Carlo", "empirical": "empirical"}


@functools.lru_cache(maxsize=8)
def model(name: str) -> Linear:
    """Two correlated features, 60 examples, data from a model of the class but for the noise."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((60, 2)) @ np.asarray([[1.0, 0.6], [0.0, 0.8]])
    z, noise = X @ np.asarray([1.0, -1.0]), rng.standard_normal(60)
    if name == "logistic regression":
        return Linear(X, (rng.random(60) < sigmoid(z)).astype(float), logistic=True, name=name)
    return Linear(X, z + {"¼": 0.25, "½": 0.5, "1": 1.0}[name.split()[-1]] * noise, logistic=False, name=name)


@functools.lru_cache(maxsize=16)
def place(name: str, where: str) -> Array:
    """The minimum, or a point at a distance of 2 from it."""
    best = minimize(model(name), "newton", tol=1e-12).x
    assert best is not None
    return best + (0.0 if where == PLACES[0] else np.asarray([-1.6, 1.2]))


def fisher(problem: Any, x: Array, kind: str, samples: int = 1, seed: int = 0) -> Array:
    """The mean of GG' over the gradients G under signals of this kind."""
    labels = np.random.default_rng(seed).spawn(2)[1]  # the stream from which natural_gradient draws labels
    G = ExampleGradients(problem.signals(x, kind, labels, samples)).dense()
    return G.T @ G / problem.n


@functools.lru_cache(maxsize=512)
def fisher_error(name: str, where: str, samples: int, seeds: int = 40) -> Array:
    """The relative Frobenius errors of the sampled Fisher, one for each seed."""
    problem, x = model(name), place(name, where)
    F = fisher(problem, x, "exact")
    errors = [np.linalg.norm(fisher(problem, x, "monte_carlo", samples, seed) - F) for seed in range(seeds)]
    return np.asarray(errors) / np.linalg.norm(F)


def expected_error(problem: Linear, x: Array) -> float:
    """The relative error of the Fisher matrix from one drawn label for each example, in root mean square."""
    q = problem.variance(x)
    fourth = q * (1.0 - 4.0 * q) if problem.logistic else 2.0 * q
    lengths = np.sum(problem.X**2, axis=1)
    return float(np.sqrt(np.sum(fourth * lengths**2)) / problem.n / np.linalg.norm(problem.hess(x)))


@view(
    title="Three matrices by one name",
    chapter="natural/natural_gradient",
    methods=("natural_gradient",),
    controls=(
        Choice("name", MODELS, "model", "regression, noise ½"),
        Choice("where", PLACES, "point", "away from it"),
        Slider("samples", SAMPLES, "labels drawn for each example", 1),
    ),
    presets={
        "a label each": {"name": "regression, noise ½", "where": "away from it", "samples": 1},
        "many labels": {"name": "regression, noise ½", "where": "away from it", "samples": 300},
        "where the three agree": {"name": "logistic regression", "where": "at the minimum", "samples": 300},
        "less noise than the model believes": {
            "name": "regression, noise ¼",
            "where": "at the minimum",
            "samples": 300,
        },
    },
)
def three_fishers(
    *,
    name: str = "regression, noise ½",
    where: str = "away from it",
    samples: int = 1,
    seed: int = 0,
    method: Method | None = None,
) -> Scene:
    """The unit ellipse of each matrix with the step it leads to; the error of the sampled one against the draws."""
    problem, x = model(name), place(name, where)
    best = place(name, PLACES[0])
    matrices = {kind: fisher(problem, x, kind, samples, seed) for kind in KINDS}
    plane: list[Any] = []
    for kind, color, dash in zip(KINDS, (0, 1, 2), (False, True, False)):
        u, v = ellipse(matrices[kind])
        plane.append(Line(u, v, label=f"{WORDS[kind]}", color=color, dash=dash, width=2.2))
    if where != PLACES[0]:
        for kind, color in zip(KINDS, (0, 1, 2)):
            for number, (label, run) in enumerate(edited(method, natural_gradient)):
                step = _first_step(problem, x, run, kind, samples, seed)
                mark = f"{label}, {WORDS[kind]}" if number else None
                shade = (3, 5, 4)[KINDS.index(kind)] if number else color
                plane.append(
                    Line(
                        [0.0, step[0]],
                        [0.0, step[1]],
                        label=mark,
                        color=shade,
                        dash=kind == "monte_carlo",
                        markers=True,
                        width=2.0,
                    )
                )
        plane.append(Text([best[0] - x[0]], [best[1] - x[1]], ("minimum",)))
    F, size = matrices["exact"], np.linalg.norm(matrices["exact"])
    errors = np.stack([fisher_error(name, where, K) for K in SAMPLES])
    mean = np.sqrt(np.mean(errors**2, axis=1))
    wrong = float(np.linalg.norm(matrices["empirical"] - F) / size)
    own = float(np.linalg.norm(matrices["monte_carlo"] - F) / size)
    curves: list[Any] = [
        Line(SAMPLES, mean, label="Monte Carlo", color=1, markers=True),
        Line(
            SAMPLES,
            expected_error(problem, x) / np.sqrt(SAMPLES),
            label="expected",
            color="muted",
            dash=True,
            width=1.5,
        ),
        Line([samples], [own], label="this draw", color=6, markers=True, line=False),
        Rule(y=wrong, label="empirical", color=2, dash=False),
    ]
    side = (-4.5, 4.5)
    title = "unit ellipses and the steps" if where != PLACES[0] else "unit ellipses"
    return Scene(
        (
            Panel(Axis("change of θ₁", domain=side), Axis("change of θ₂", domain=side), tuple(plane), title, equal=True),
            Panel(
                Axis("labels drawn for each example", "log", domain=(0.8, 400.0)),
                Axis("relative error of the matrix", "log", domain=(2e-3, 60.0)), tuple(curves), title="error",
            ),
        ),
        _fishers_sentence(name, where, samples, own, wrong, matrices),
    )  # fmt: skip


def _first_step(problem: Linear, x: Array, run: Method, kind: str, samples: int, seed: int) -> Array:
    history = minimize(
        problem, run, x, steps=1, tol=0.0, seed=seed, keep=("step",), damping=0.0, fisher=kind, samples=samples
    )
    return history.rows[-1]["step"]


def _fishers_sentence(name: str, where: str, samples: int, own: float, wrong: float, matrices: dict[str, Array]) -> str:
    ratio = float(np.trace(matrices["empirical"]) / np.trace(matrices["exact"]))
    labels = "one label" if samples == 1 else f"{samples} labels"
    return (
        f"{name[0].upper()}{name[1:]}, {where}: with {labels} drawn for each example the sampled matrix is wrong by "
        f"{own:.2g} of the exact one. The empirical one is wrong by {wrong:.2g}; its trace is {ratio:.2g} times that of the "
        "Fisher matrix."
    )
