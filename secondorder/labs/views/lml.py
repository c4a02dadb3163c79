"""The pictures of the chapter on Levenberg–Marquardt–Langevin. Everything in them is a run of the library."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from secondorder.distances import coupled_rmse, floor, sliced_wasserstein
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Field, Line, Panel, Points, Rule, Scene, Slider, view
from secondorder.labs.views._mixtures import plane, sixteen
from secondorder.labs.views.newton import Method, edited
from secondorder.problems.gaussian_mixture import GaussianMixture, gaussian_mixture
from secondorder.run import sample
from secondorder.sampling.corrections import levenberg_marquardt
from secondorder.sampling.lml import lml
from secondorder.schedules import noise_grid

PARTICLES, SHOWN = 1000, 300
LAWS = {"plane": plane, "sixteen": sixteen}
WHERE = {"in the direction only": "direction", "everywhere": "all"}


@functools.lru_cache(maxsize=8)
def start(law: str, n: int = PARTICLES) -> np.ndarray:
    """The particles at the first noise level, the same for every run."""
    return np.random.default_rng(7).standard_normal((n, LAWS[law]().means.shape[1]))


def flow(law: GaussianMixture, x: np.ndarray, steps: int = 300) -> np.ndarray:
    """Where the probability flow takes the particles x: Heun's method with many steps."""
    for s, t in noise_grid(steps).steps:
        h, carried = t.alpha * (t.ratio - s.ratio), t.alpha / s.alpha * x
        first = -s.sigma * law.score(x, alpha=s.alpha, sigma=s.sigma)
        x = carried + 0.5 * h * (first - t.sigma * law.score(carried + h * first, alpha=t.alpha, sigma=t.sigma))
    return x


@functools.lru_cache(maxsize=8)
def exact(law: str, n: int = PARTICLES) -> np.ndarray:
    """The end points that a run aims at."""
    return flow(LAWS[law](), start(law, n))


@functools.lru_cache(maxsize=8)
def drawn(law: str, n: int = PARTICLES) -> np.ndarray:
    """As many draws from the law itself."""
    return LAWS[law]().sample(n, np.random.default_rng(1), fixed_counts=True)


@functools.lru_cache(maxsize=8)
def chance(law: str, n: int = PARTICLES) -> float:
    """The sliced Wasserstein distance between two exact samples."""
    return floor(sliced_wasserstein, LAWS[law](), n)


@functools.lru_cache(maxsize=1024)
def finish(method: Method, law: str, steps: int, hyper: tuple[tuple[str, Any], ...], n: int = PARTICLES) -> np.ndarray:
    """The end points of a run."""
    return np.asarray(sample(LAWS[law](), method, start(law, n), steps=steps, **dict(hyper)).x)


def ends(method: Method, law: str, steps: int, n: int = PARTICLES, **hyper: Any) -> np.ndarray:
    """The same with keywords."""
    return finish(method, law, steps, tuple(sorted(hyper.items())), n)


def error(method: Method, law: str, steps: int, n: int = PARTICLES, **hyper: Any) -> float:
    """The root mean square distance of the end points from the exact ones, particle by particle."""
    return coupled_rmse(ends(method, law, steps, n, **hyper), exact(law, n))


def rounded(x: float) -> str:
    """Three digits, and for very large or small numbers a power of ten."""
    return f"{x:.2e}" if x and not 1e-3 <= abs(x) < 1e4 else f"{x:.3g}"


# ------------------------------------------------------------------------------------------------------- the residue

PRECISIONS: dict[str, Any] = {"single (32 bits)": np.float32, "double (64 bits)": np.float64}
DIMENSIONS = (16, 256, 3072, 16384, 65536)
RHOS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
PUBLISHED = {"CIFAR-10": (3072, 1e-3), "Stable Diffusion": (16384, 1e-3), "FLUX": (65536, 1e-2)}
"""Published settings, with the dimension of what is sampled: 3 × 32 × 32, 4 × 64 × 64, and 16 × 64 × 64 for 512 pixels."""
ROUNDINGS = 0.6
"""Two roundings of an entry, each of a root mean square of about 0.42 u."""


@functools.lru_cache(maxsize=256)
def residue(d: int, rho: float, precision: str) -> tuple[float, np.ndarray, np.ndarray]:
    """How far the correction without memory turns a random direction, relative to its length; and 400 entries of both."""
    rows = max(1, 16384 // d)
    e = np.random.default_rng(d).standard_normal((rows, d)).astype(PRECISIONS[precision])
    turned = levenberg_marquardt(e, None, rho, 0.0)
    away = np.sum((turned.astype(float) - e) ** 2, axis=1) / np.sum(e.astype(float) ** 2, axis=1)
    return float(np.sqrt(np.mean(away))), e.ravel()[:400].astype(float), turned.ravel()[:400].astype(float)


def unit_roundoff(precision: str) -> float:
    """u, half the distance from 1 to the next number."""
    return 0.5 * float(np.finfo(PRECISIONS[precision]).eps)


@view(
    title="What is left of the identity",
    chapter="sampling/lml",
    controls=(
        Slider("rho", RHOS, "damping ρ", 1e-3, log=True),
        Slider("d", DIMENSIONS, "dimension d", 3072),
        Choice("precision", tuple(PRECISIONS), "precision", "single (32 bits)"),
    ),
    presets={
        "CIFAR-10": {"d": 3072, "rho": 1e-3, "precision": "single (32 bits)"},
        "FLUX": {"d": 65536, "rho": 1e-2, "precision": "single (32 bits)"},
        "the default of the class": {"d": 3072, "rho": 1.0, "precision": "single (32 bits)"},
        "double precision": {"d": 3072, "rho": 1e-3, "precision": "double (64 bits)"},
    },
)
def rounding_residue(*, rho: float = 1e-3, d: int = 3072, precision: str = "single (32 bits)") -> Scene:
    """The distance of the corrected direction from the direction when κ = 0, and entries of both."""
    u, (delta, before, after) = unit_roundoff(precision), residue(d, rho, precision)
    marks: list[Any] = []
    for other in (n for n in DIMENSIONS if n != d):
        values = [residue(other, r, precision)[0] for r in RHOS]
        marks.append(Line(RHOS, values, label="" if marks else "other d", color="muted", width=1.0))
    law = np.asarray([ROUNDINGS * u * d / r for r in RHOS])
    marks.append(Line(RHOS, np.where(law < 3.0, law, np.nan), label="0.6 u d / ρ", color=1, dash=True))
    marks.append(Line(RHOS, [residue(d, r, precision)[0] for r in RHOS], label=f"d = {d}", color=0, markers=True))
    if precision == "single (32 bits)":
        for color, (name, (n, r)) in zip((2, 3, 5), PUBLISHED.items(), strict=True):
            marks.append(Line([r], [residue(n, r, precision)[0]], label=name, color=color, markers=True, line=False))
    marks.append(Line([rho], [delta], label="this ρ", color=4, markers=True, line=False))
    marks.append(Rule(y=math.sqrt(2.0), label="random"))
    straight = Line([-4.0, 4.0], [-4.0, 4.0], label="the identity", color="muted", dash=True, width=1.0)
    return Scene(
        (
            Panel(
                Axis("damping ρ", "log", domain=(8e-6, 3.0)),
                Axis("‖ẽ − e‖ / ‖e‖", "log", domain=(4.0 * u, 30.0)),
                tuple(marks),
                title="κ = 0, entries of e of size 1",
            ),
            Panel(
                Axis("entry of e", domain=(-4.0, 4.0)),
                Axis("entry of ẽ", domain=(-4.0, 4.0)),
                (straight, Points(before, after, label="400 entries", color=0, size=2.0)),
                title="before and after",
                equal=True,
            ),
        ),
        f"In {precision.split()[0]} precision and {d} dimensions, the correction with ρ = {rho:g} and κ = 0 turns a random "
        f"direction by {rounded(delta)} of its length; the estimate 0.6 u d / ρ is {rounded(ROUNDINGS * u * d / rho)}. In "
        f"exact arithmetic it is 0. {_worth(delta)}",
    )


def _worth(delta: float) -> str:
    if delta > 0.9:
        return "The direction is lost."
    return "The entries stand on steps." if delta > 0.02 else "Nothing can be seen of it."


# ------------------------------------------------------------------------------------------------- the extrapolation

BASES: dict[str, dict[str, Any]] = {
    "DDIM, in the direction only": {"base": "ddim", "where": "direction"},
    "DDIM, everywhere": {"base": "ddim", "where": "all"},
    "multistep, order 2": {"base": "dpm_solver", "order": 2},
    "multistep, order 3": {"base": "dpm_solver", "order": 3},
}
STEPS = (6, 10, 20, 40)
CS = (-0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.5)


def second_order(base: str, steps: int) -> float | None:
    """The c with which the extrapolation, without its projection, is Adams and Bashforth's method; for DDIM."""
    grid = noise_grid(steps).levels
    shrunk = math.exp(grid[0].half_log_snr - grid[1].half_log_snr)
    return {"DDIM, in the direction only": -0.5 * (1.0 - shrunk), "DDIM, everywhere": 0.5 * shrunk}.get(base)


@view(
    title="One number, to the right or to the left",
    chapter="sampling/lml",
    methods=("lml",),
    controls=(
        Slider("c", CS, "c", 0.1),
        Slider("steps", STEPS, "steps", 10),
        Choice("base", tuple(BASES), "base", "DDIM, in the direction only"),
    ),
    presets={
        "as published, κ > 0": {"base": "DDIM, in the direction only", "c": 0.2},
        "the other sign": {"base": "DDIM, in the direction only", "c": -0.2},
        "everywhere": {"base": "DDIM, everywhere", "c": 0.2},
        "order 3": {"base": "multistep, order 3", "c": 0.05},
        "too much": {"base": "multistep, order 3", "c": 0.5},
    },
)
def extrapolation(
    *, c: float = 0.1, steps: int = 10, base: str = "DDIM, in the direction only", method: Method | None = None
) -> Scene:
    """The error of the end points against c, and the end points."""
    hyper = {**BASES[base], "form": "extrapolation"}
    curves: list[Any] = []
    there = exact("plane")[: SHOWN // 2]
    cloud: list[Any] = [Points(there[:, 0], there[:, 1], label="exact", color="muted", size=2.5)]
    for color, (name, this) in enumerate(edited(method, lml)):
        errors = [error(this, "plane", steps, c=value, **hyper) for value in CS]
        shade = 3 * color
        curves.append(Line(CS, errors, label=name, color=shade, markers=True))
        x = ends(this, "plane", steps, c=c, **hyper)[: SHOWN // 2]
        moved = np.stack([there, x, np.full_like(x, np.nan)], axis=1).reshape(-1, 2)
        cloud.append(Line(moved[:, 0], moved[:, 1], color=shade, width=0.8))
        cloud.append(Points(x[:, 0], x[:, 1], label=name, color=shade, size=2.0, opacity=0.7))
    now, plain = (error(lml, "plane", steps, c=value, **hyper) for value in (c, 0.0))
    curves.append(Line([c], [now], label="this c", color=4, markers=True, line=False))
    curves.append(Rule(y=plain, label="base, c = 0"))
    best = second_order(base, steps)
    if best is not None:
        curves.append(Rule(x=best, label="second order", color=2))
    return Scene(
        (
            Panel(
                Axis("c", domain=(-0.45, 0.55)),
                Axis("rms distance from the exact end points", "log", domain=(0.004, 2.0)),
                tuple(curves),
                title="error",
            ),
            Panel(
                Axis("x₁", domain=(-5.0, 5.0)), Axis("x₂", domain=(-5.0, 5.0)), tuple(cloud), title="end points", equal=True
            ),
        ),
        _extrapolation_sentence(base, steps, c, now, plain, best),
    )  # fmt: skip


def _extrapolation_sentence(base: str, steps: int, c: float, now: float, plain: float, best: float | None) -> str:
    change = 100.0 * (now / plain - 1.0)
    if c == 0.0:
        did = "c = 0 is the base itself"
    else:
        did = f"c = {c:g} makes it {now:.3f}, {abs(change):.0f} % {'more' if change > 0 else 'less'}".replace("-", "−")
    where = "" if best is None else f" Second order would want c = {best:.2f}.".replace("-", "−")
    return f"{base}, {steps} steps: the base errs by {plain:.3f}; {did}.{where}"


# ----------------------------------------------------------------------------------------------------- the directions

FORMS: dict[str, dict[str, Any]] = {
    "published, κ = 0": {"form": "published", "kappa": 0.0},
    "published, κ = 0.1": {"form": "published", "kappa": 0.1},
    "published, κ = −0.1": {"form": "published", "kappa": -0.1},
    "memory of 2": {"form": "memory", "memory": 2},
    "memory of 4": {"form": "memory", "memory": 4},
    "ensemble": {"form": "ensemble"},
}
DAMPINGS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@view(
    title="Turned directions, and where they lead",
    chapter="sampling/lml",
    methods=("lml",),
    controls=(
        Choice("form", tuple(FORMS), "form", "published, κ = 0"),
        Slider("rho", DAMPINGS, "damping ρ", 1.0),
        Choice("where", tuple(WHERE), "corrected", "in the direction only"),
    ),
    presets={
        "nothing": {"form": "published, κ = 0", "rho": 1.0},
        "memory, everywhere": {"form": "memory of 2", "rho": 1.0, "where": "everywhere"},
        "memory, in the direction": {"form": "memory of 2", "rho": 0.3, "where": "in the direction only"},
        "the Hessian of the crowd": {"form": "ensemble", "rho": 0.1, "where": "everywhere"},
    },
)
def turned_directions(
    *, form: str = "published, κ = 0", rho: float = 1.0, where: str = "in the direction only",
    method: Method | None = None,
) -> Scene:  # fmt: skip
    """End points over the density of the law, and two distances against the damping."""
    hyper = {"base": "ddim", "where": WHERE[where], **FORMS[form]}
    at = np.linspace(-5.0, 5.0, 51)
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    density = np.exp(plane().log_density(grid)).reshape(51, 51)
    cloud: list[Any] = [Field(at, at, density, np.asarray([0.002, 0.01, 0.04, 0.1]))]
    curves: list[Any] = []
    for color, (name, this) in enumerate(edited(method, lml)):
        mine = "" if color == 0 else f"{name}: "
        runs = [ends(this, "plane", 10, rho=value, **hyper) for value in DAMPINGS]
        x = runs[DAMPINGS.index(rho)][:SHOWN]
        cloud.append(Points(x[:, 0], x[:, 1], label=name, color=3 * color, size=2.0, opacity=0.7))
        paths = [coupled_rmse(x, exact("plane")) for x in runs]
        laws = [sliced_wasserstein(x, drawn("plane")) for x in runs]
        curves.append(Line(DAMPINGS, paths, label=f"{mine}exact end points", color=3 * color, markers=True))
        curves.append(Line(DAMPINGS, laws, label=f"{mine}the law", color=1 + 3 * color, markers=True))
    k = DAMPINGS.index(rho)
    path, law = (float(curves[i].y[k]) for i in (0, 1))
    plain = coupled_rmse(ends(lml, "plane", 10, base="ddim"), exact("plane"))
    curves += [
        Rule(y=plain, label="DDIM", color=0),
        Rule(y=chance("plane"), label="chance"),
        Rule(x=rho, dash=False),
    ]
    return Scene(
        (
            Panel(
                Axis("x₁", domain=(-5.0, 5.0)), Axis("x₂", domain=(-5.0, 5.0)), tuple(cloud), title="end points", equal=True
            ),
            Panel(
                Axis("damping ρ", "log", domain=(0.08, 40.0)), Axis("rms distance; sliced W₂", "log", domain=(0.03, 12.0)),
                tuple(curves),
                title="two distances",
            ),
        ),
        f"{form[0].upper()}{form[1:]}, ρ = {rho:g}, corrected {where}: after 10 steps the particles are {path:.2f} from their "
        f"exact end points (DDIM: {plain:.2f}) and the cloud {law:.2f} from the law; two exact samples are "
        f"{chance('plane'):.2f} apart.",
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- figures of the chapter


@functools.lru_cache(maxsize=1)
def single() -> GaussianMixture:
    """The mixture in sixteen dimensions in single precision."""
    law = sixteen()
    return gaussian_mixture(means=law.means.astype(np.float32), covariances=law.covariances.astype(np.float32))


@functools.lru_cache(maxsize=64)
def rounding_run(rho: float, precision: str, n: int = PARTICLES) -> tuple[float, float]:
    """DDIM with the correction, κ = 0, 10 steps in sixteen dimensions: how far its end points are from DDIM's, and the sliced
    Wasserstein distance from the law."""
    law, x = (
        (single(), start("sixteen", n).astype(np.float32))
        if precision == "single"
        else (sixteen(), start("sixteen", n))
    )
    run: History = sample(law, lml, x, steps=10, base="ddim", rho=rho)
    plain = np.asarray(sample(sixteen(), "ddim", start("sixteen", n), steps=10).x)
    return coupled_rmse(run.x, plain), sliced_wasserstein(run.x, drawn("sixteen", n))


def table(steps: int, n: int = PARTICLES) -> dict[int, dict[float, float]]:
    """The error of the multistep bases of order 1, 2, 3 in sixteen dimensions, for each c."""
    return {
        order: {
            c: error(lml, "sixteen", steps, n, order=order, form="extrapolation", c=c)
            for c in (-0.1, 0.0, 0.1, 0.25, 0.5)
        }
        for order in (1, 2, 3)
    }
