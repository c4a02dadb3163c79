"""The pictures of the chapter on samplers as solvers. Everything in them is a run of the library."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from secondorder.distances import coupled_rmse, median_row_error
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Points, Rule, Scene, Slider, view
from secondorder.labs.views._mixtures import plane, sixteen, stretched
from secondorder.labs.views.newton import Method
from secondorder.ledger import Ledger
from secondorder.problems.gaussian_mixture import GaussianMixture, gaussian_mixture
from secondorder.run import sample
from secondorder.sampling import adams_bashforth, ddim, dpm_solver, probability_flow
from secondorder.sampling.multistep import multistep_increment
from secondorder.sampling.predictions import predictions
from secondorder.schedules import Level, NoiseGrid, Spacing, noise_grid

SOLVERS: dict[str, tuple[Method, dict[str, Any]]] = {
    "Euler (DDIM)": (ddim, {}),
    "Heun": (probability_flow, {}),
    "DPM++ 2M": (dpm_solver, {}),
    "Adams 2": (adams_bashforth, {"order": 2}),
    "Adams 4": (adams_bashforth, {}),
}
PROMISED = dict(zip(SOLVERS, (1, 2, 2, 2, 2), strict=True))
"""The order on a grid even in λ; the constants of Adams–Bashforth are for one even in g."""
NAMES = ("ddim", "probability_flow", "dpm_solver", "adams_bashforth")
SPACINGS: dict[str, Spacing] = {
    "even in λ": "log_snr",
    "even in t": "uniform",
    "even in √t": "quadratic",
    "even in g^(1/7)": "edm",
}
PARTICLES = 2000


def levels(steps: int, spacing: str = "even in λ") -> NoiseGrid:
    """Variance preserving levels, all from t = 1 to t = 0.001: without the last step of "edm" to σ = 0."""
    if SPACINGS[spacing] == "edm":
        return NoiseGrid(noise_grid(steps + 1, "vp", "edm").levels[:-1])
    return noise_grid(steps, "vp", SPACINGS[spacing])


@functools.cache
def narrow(width: float = 1.0) -> GaussianMixture:
    """The three components in the plane, with standard deviations multiplied by ``width``."""
    law = plane()
    return gaussian_mixture(weights=law.weights, means=law.means, covariances=width**2 * law.covariances)


@functools.cache
def start(d: int, particles: int = PARTICLES) -> np.ndarray:
    """Where every sampler starts: the first rows are the same for any number of particles."""
    return np.random.default_rng(7).standard_normal((particles, d))


@functools.lru_cache(maxsize=16)
def exact(law: GaussianMixture, particles: int = PARTICLES) -> np.ndarray:
    """Where the flow takes the particles of ``start``: 600 steps of corrected third order."""
    x = start(law.means.shape[1], particles)
    return np.asarray(sample(law, dpm_solver, x, steps=600, order=3, second_difference="corrected").x)


@functools.lru_cache(maxsize=512)
def end(
    method: Method, solver: str, law: GaussianMixture, evaluations: int, spacing: str, particles: int
) -> np.ndarray:
    """Where a sampler takes the particles of ``start`` with so many evaluations of the score; ``solver`` names its options."""
    return np.asarray(walk(method, solver, law, evaluations, spacing, start(law.means.shape[1], particles)).x)


def walk(
    method: Method, solver: str, law: GaussianMixture, evaluations: int, spacing: str, x: np.ndarray, keep: Any = ()
) -> History:
    """The run of a sampler from x with so many evaluations of the score."""
    grid = levels(evaluations // evaluations_a_step(method), spacing)
    known = [parameter.name for parameter in method.method.parameters]  # type: ignore[attr-defined]
    options = {name: value for name, value in SOLVERS[solver][1].items() if name in known}
    return sample(law, method, x, grid=grid, keep=keep, **options)


@functools.lru_cache(maxsize=64)
def evaluations_a_step(method: Method) -> int:
    """Counted on two steps of one particle."""
    return max(1, round(sample(plane(), method, start(2)[:1], grid=levels(2)).oracle["score"] / 2))


def beside(method: Method | None, *solvers: str) -> list[tuple[str, Method, str]]:
    """Label, method and name of the options of each curve; an edited copy runs with the options of its original."""
    runs = [(name, SOLVERS[name][0], name) for name in solvers]
    if method is not None:
        name = _name(method)
        same = [solver for solver in (*solvers, *SOLVERS) if _name(SOLVERS[solver][0]) == name]
        runs.append((f"your {name}", method, same[0] if same else solvers[0]))
    return runs


def _name(method: Method) -> str:
    return str(method.method.name)  # type: ignore[attr-defined]


def other_mode(law: GaussianMixture, X: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Which rows end in another component than those of the reference."""
    return np.argmax(law.responsibilities(X), axis=1) != np.argmax(law.responsibilities(reference), axis=1)


def _count(evaluations: int, solver: str) -> str:
    steps = evaluations // evaluations_a_step(SOLVERS[solver][0])
    return f"{evaluations} evaluations of the score" + (f" in {steps} steps" if steps != evaluations else "")


# ------------------------------------------------------------------------------------------------ paths in the plane

EVALUATIONS = (6, 10, 16, 24, 40)
FOLLOWED = 9


@functools.cache
def _density() -> Field:
    X = np.linspace(-5.0, 5.0, 81)
    points = np.stack(np.meshgrid(X, X), axis=-1).reshape(-1, 2)
    Z = np.exp(plane().log_density(points)).reshape(81, 81)
    return Field(X, X, Z, np.asarray([0.003, 0.01, 0.03, 0.06, 0.1, 0.15]))


@functools.cache
def _followed() -> tuple[np.ndarray, np.ndarray]:
    run = sample(plane(), dpm_solver, start(2)[:FOLLOWED], steps=200, order=3, second_difference="corrected", keep="x")
    return _joined(run["x"][::4])


def _joined(paths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One line through several paths (k, n, 2), broken between them."""
    k, n, _ = paths.shape
    broken = np.concatenate([paths, np.full((1, n, 2), np.nan)]).transpose(1, 0, 2).reshape(n * (k + 1), 2)
    return broken[:, 0], broken[:, 1]


@view(
    title="Paths of particles, from noise to data",
    chapter="sampling/solvers",
    methods=NAMES,
    controls=(
        Choice("solver", tuple(SOLVERS), "solver", "Euler (DDIM)"),
        Slider("evaluations", EVALUATIONS, "evaluations of the score", 10),
        Choice("spacing", tuple(SPACINGS), "steps", "even in λ"),
    ),
    presets={
        "Euler, 10": {"solver": "Euler (DDIM)", "evaluations": 10, "spacing": "even in λ"},
        "Heun, 6": {"solver": "Heun", "evaluations": 6, "spacing": "even in λ"},
        "2M, 10": {"solver": "DPM++ 2M", "evaluations": 10, "spacing": "even in λ"},
    },
)
def sampler_paths(
    *,
    solver: str = "Euler (DDIM)",
    evaluations: int = 10,
    spacing: str = "even in λ",
    method: Method | None = None,
) -> Scene:
    """A few particles on their way, beside the exact flow, and where all of them end."""
    law, shown = plane(), 300
    reference = exact(law)
    paths: list[Any] = [_density(), Line(*_followed(), label="exact flow", color="muted", width=1.5)]
    ends: list[Any] = [_density()]
    for k, (label, run, options) in enumerate(beside(method, solver)):
        color = tuple(SOLVERS).index(solver) if k == 0 else 6
        history = walk(run, options, law, evaluations, spacing, start(2)[:FOLLOWED], keep="x")
        paths.append(Line(*_joined(history["x"]), label=label, color=color, markers=True, width=1.0))
        X = end(run, options, law, evaluations, spacing, PARTICLES)[:shown]
        ends.append(Points(X[:, 0], X[:, 1], label=label, color=color, size=2.0))
    X = end(SOLVERS[solver][0], solver, law, evaluations, spacing, PARTICLES)
    moved = 100.0 * np.mean(other_mode(law, X, reference))
    x, y = Axis("x₁", domain=(-5.0, 5.0)), Axis("x₂", domain=(-5.0, 5.0))
    return Scene(
        (
            Panel(x, y, tuple(paths), title=f"{FOLLOWED} particles", equal=True),
            Panel(x, y, tuple(ends), title="where 300 of them end", equal=True),
        ),
        f"{solver}, {_count(evaluations, solver)}, {spacing}: half of {PARTICLES} particles end within "
        f"{median_row_error(X, reference):.2g} of where the exact flow takes them; the root mean square of the distances is "
        f"{coupled_rmse(X, reference):.2g}, and {moved:.3g} % end in another component.",
    )


# ------------------------------------------------------------------------------------------- who carries the mean error

WIDTHS = (0.1, 0.3, 1.0)


@functools.lru_cache(maxsize=4)
def _basins(width: float, shown: int = 600) -> tuple[Points, ...]:
    """The starts, coloured by the component where the flow ends."""
    law, x = narrow(width), start(2)[:shown]
    component = np.argmax(law.responsibilities(exact(law)[:shown]), axis=1)
    names = [f"flows to ({mean[0]:g}, {mean[1]:g})".replace("-", "−") for mean in law.means]
    return tuple(
        Points(x[component == k, 0], x[component == k, 1], label=names[k], color=color, size=1.8, opacity=0.45)
        for k, color in enumerate((0, 2, 4))
    )


def larger(errors: np.ndarray, most: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Errors, and the share of all that are at least as large: at most ``most`` points, dense where the share is small."""
    down = np.sort(errors)[::-1]
    k = np.unique(np.round(np.geomspace(1, len(down), most)).astype(int))
    return down[k - 1], k / len(down)


@view(
    title="Who carries the mean error",
    chapter="sampling/solvers",
    methods=NAMES,
    controls=(
        Choice("solver", tuple(SOLVERS), "solver", "Euler (DDIM)"),
        Slider("evaluations", (*EVALUATIONS, 80), "evaluations of the score", 16),
        Slider("width", WIDTHS, "width of the components", 0.1),
    ),
    presets={
        "well apart": {"width": 0.1, "solver": "Euler (DDIM)"},
        "overlapping": {"width": 1.0, "solver": "Euler (DDIM)"},
        "second order": {"width": 0.1, "solver": "DPM++ 2M"},
    },
)
def changed_basins(
    *, solver: str = "Euler (DDIM)", evaluations: int = 16, width: float = 0.1, method: Method | None = None
) -> Scene:
    """The starts of the particles that end in another component, and the share of particles with a larger error."""
    law = narrow(width)
    reference, x = exact(law), start(2)
    places: list[Any] = list(_basins(width))
    shares: list[Any] = []
    sentence = ""
    for k, (label, run, options) in enumerate(beside(method, solver)):
        X = end(run, options, law, evaluations, "even in λ", PARTICLES)
        errors, moved = np.linalg.norm(X - reference, axis=1), other_mode(law, X, reference)
        shares.append(Line(*larger(errors), label=label, color=0 if k == 0 else 6))
        if k == 0:
            places.append(Points(x[moved, 0], x[moved, 1], label="ends elsewhere", color=1, size=3.0, opacity=0.9))
            rmse, median = coupled_rmse(X, reference), median_row_error(X, reference)
            shares += [
                Rule(x=median, label="median", color=2),
                Rule(x=rmse, label="root mean square", color=1),
            ]
            carried = 100.0 * np.sum(errors[moved] ** 2) / np.sum(errors**2)
            sentence = (
                f"{solver}, {_count(evaluations, solver)}, width {width:g}: {100.0 * np.mean(moved):.3g} % of {PARTICLES} "
                f"particles end in another component than the exact flow, and carry {carried:.0f} % of the mean square. Its "
                f"root is {rmse:.2g}, the median error {median:.2g}."
            )
    return Scene(
        (
            Panel(
                Axis("start x₁", domain=(-3.5, 3.5)), Axis("start x₂", domain=(-3.5, 3.5)), tuple(places),
                title="where they start", equal=True,
            ),
            Panel(
                Axis("distance from the exact end", "log", domain=(1e-5, 20.0)),
                Axis("share of particles with at least that", "log", domain=(3e-4, 1.2)), tuple(shares),
                title="how far off they end",
            ),
        ),
        sentence,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------- the error against evaluations

LAWS = {
    "one Gaussian, d = 16": stretched,
    "three components, d = 2": plane,
    "four components, d = 16": sixteen,
}
MEASURES = {"median": median_row_error, "root mean square": coupled_rmse}
DOUBLINGS = (10, 20, 40, 80, 160)
FEWER = 400


@functools.lru_cache(maxsize=256)
def curve(method: Method, solver: str, law: str, measure: str, spacing: str) -> np.ndarray:
    """The error of a sampler at each number of evaluations in ``DOUBLINGS``."""
    return np.asarray(
        [
            MEASURES[measure](end(method, solver, LAWS[law](), n, spacing, FEWER), exact(LAWS[law](), FEWER))
            for n in DOUBLINGS
        ]
    )


def slopes(errors: np.ndarray) -> np.ndarray:
    """The order seen at each doubling."""
    return np.log2(errors[:-1] / errors[1:])


@view(
    title="Error against evaluations",
    chapter="sampling/solvers",
    methods=NAMES,
    controls=(
        Choice("law", tuple(LAWS), "data", "four components, d = 16"),
        Choice("measure", tuple(MEASURES), "error", "median"),
        Choice("spacing", tuple(SPACINGS), "steps", "even in λ"),
    ),
    presets={
        "straight lines": {"law": "one Gaussian, d = 16", "measure": "median", "spacing": "even in λ"},
        "half the order": {"law": "four components, d = 16", "measure": "root mean square", "spacing": "even in λ"},
        "even in t": {"law": "one Gaussian, d = 16", "measure": "median", "spacing": "even in t"},
    },
)
def solver_errors(
    *,
    law: str = "four components, d = 16",
    measure: str = "median",
    spacing: str = "even in λ",
    method: Method | None = None,
) -> Scene:
    """The error of five solvers from 10 to 160 evaluations, and the order seen at each doubling."""
    errors: list[Any] = []
    orders: list[Any] = [Rule(y=1.0, label="order 1 and 2"), Rule(y=2.0)]
    seen = {}
    for color, (label, run, options) in enumerate(beside(method, *SOLVERS)):
        values = curve(run, options, law, measure, spacing)
        seen[label] = values
        errors.append(Line(DOUBLINGS, values, label=label, color=color, markers=True, width=1.5))
        orders.append(Line(DOUBLINGS[1:], slopes(values), label=label, color=color, markers=True, width=1.5))
    n = DOUBLINGS[1]
    best = min(tuple(SOLVERS), key=lambda name: seen[name][1])
    words = "; ".join(f"{name} {seen[name][1]:.2g} and {slopes(seen[name])[-1]:.2f}" for name in SOLVERS)
    return Scene(
        (
            Panel(
                Axis("evaluations of the score", "log", domain=(9.0, 180.0)),
                Axis(f"{measure} distance from the exact end", "log", domain=(3e-6, 10.0)), tuple(errors),
                title="the error",
            ),
            Panel(
                Axis("evaluations of the score", "log", domain=(9.0, 180.0)),
                Axis("order, from the last two", domain=(-1.0, 5.0)), tuple(orders), title="the order",
            ),
        ),
        f"{law[0].upper()}{law[1:]}, steps {spacing}: {measure} error with {n} evaluations, and the order seen from 80 to 160: "
        f"{words}. With {n} evaluations the least error is that of {best}.",
    )  # fmt: skip


# -------------------------------------------------------------------------------------- for the figures of the chapter


def gaussian_flow(law: GaussianMixture, x: np.ndarray, s: Level, t: Level) -> np.ndarray:
    """The exact flow of one Gaussian around 0 with a diagonal covariance."""
    v = np.diagonal(law.covariances[0])
    return t.alpha / s.alpha * x * np.sqrt((v + t.ratio**2) / (v + s.ratio**2))


def third_order_error(steps: int, corrected: bool, accurate: bool = True) -> float:
    """The median error of the third order on ``stretched``; ``accurate`` takes the first two steps with the exact flow."""
    law, grid, x0 = stretched(), levels(steps), start(16, FEWER)
    past: list[np.ndarray] = []
    at: list[Level] = []
    x, problem = x0, Ledger(law, x0, particles=True)
    for k, (s, t) in enumerate(grid.steps):
        past, at = [predictions(problem, x, s)[1], *past[:2]], [s, *at[:2]]
        if accurate and k < 2:
            x = gaussian_flow(law, x, s, t)
        else:
            x = t.sigma / s.sigma * x + multistep_increment(past, at, t, "data", corrected=corrected)
    return median_row_error(x, gaussian_flow(law, x0, grid.levels[0], grid.levels[-1]))


def factors(variance: float, g: float, below: np.ndarray) -> dict[str, np.ndarray]:
    """By what one step from g to ``below`` multiplies z, for one Gaussian: exactly, and by Euler and Heun."""
    first, last = g / (variance + g * g), below / (variance + below * below)
    euler = 1.0 + (below - g) * first
    return {
        "exact": np.sqrt((variance + below**2) / (variance + g * g)),
        "Euler": euler,
        "Heun": 1.0 + 0.5 * (below - g) * (first + euler * last),
    }
