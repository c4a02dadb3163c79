"""The pictures of the AdaHessian chapter: an estimate of a diagonal, what a diagonal can do, and races on the digits."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.diagonal import adahessian
from secondorder.history import History
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import edited
from secondorder.linalg import hutchinson_diagonal, random_probes
from secondorder.oracles import Problem
from secondorder.problems.networks import Mlp
from secondorder.run import minimize

Method = Callable[..., Any]

# ---------------------------------------------------------------------------------------------------- the estimate

SIZE = 16
PROBES = ("rademacher", "gaussian", "constant")
COUNTS = (1, 3, 10, 30, 100)
COUPLINGS = (0.0, 0.1, 0.3, 1.0, 2.0)
FLOOR = 1e-3


@view(
    title="A diagonal from a few products",
    chapter="diagonal/adahessian",
    controls=(
        Choice("probe", PROBES, "probe", "rademacher"),
        Slider("coupling", COUPLINGS, "size of the entries beside the diagonal", 1.0),
        Slider("samples", COUNTS, "probes", 3, live=(1, 2, 3, 5, 10, 20, 30, 50, 100)),
    ),
    presets={
        "one probe": {"probe": "rademacher", "coupling": 1.0, "samples": 1},
        "a hundred": {"probe": "rademacher", "coupling": 1.0, "samples": 100},
        "a diagonal matrix": {"probe": "rademacher", "coupling": 0.0, "samples": 1},
        "a diagonal matrix, normal numbers": {"probe": "gaussian", "coupling": 0.0, "samples": 1},
        "a hundred constant ones": {"probe": "constant", "coupling": 1.0, "samples": 100},
    },
)
def diagonal_estimate(*, probe: str = "rademacher", coupling: float = 1.0, samples: int = 3) -> Scene:
    """Hutchinson's estimate of a diagonal of 16 numbers beside the true one; its error against the number of probes."""
    H = coupled(coupling)
    h, index = np.diag(H), np.arange(1, SIZE + 1)
    D = estimate(H, probe, samples, seed=0)
    size = float(np.linalg.norm(h))
    here, promised = float(np.linalg.norm(D - h)) / size, promised_error(H, probe, np.asarray(COUNTS)) / size
    measured = measured_errors(coupling, probe) / size
    return Scene(
        (
            Panel(
                Axis("entry", domain=(0.0, SIZE + 1.0)),
                Axis("value", domain=(-12.0, 24.0)),
                (
                    Line(index, h, label="diagonal of H", color="muted", markers=True, width=1.5),
                    Line(index, np.clip(D, -12.0, 24.0), label="estimate", color=0, markers=True, line=False),
                    Rule(y=0.0),
                ),
                title=f"{_probes(samples)}, {probe}",
            ),
            Panel(
                Axis("probes", "log", (0.8, 125.0)),
                Axis("error / norm of the diagonal", "log", (FLOOR / 1.5, 5.0)),
                (
                    Line(COUNTS, np.maximum(promised, FLOOR), label="promised", color="muted", width=1.5),
                    Line(
                        COUNTS, np.maximum(measured, FLOOR), label="measured, 200 runs", color=1, markers=True, line=False
                    ),
                    Line([samples], [max(here, FLOOR)], label="this estimate", color=0, markers=True, line=False),
                ),
                title=f"root mean square error, no less than {FLOOR:g}",
            ),
        ),
        _estimate_sentence(probe, coupling, samples, here),
    )  # fmt: skip


def coupled(coupling: float) -> np.ndarray:
    """A symmetric matrix with 1 to 10 on its diagonal and normal numbers of this size beside it."""
    M = np.random.default_rng(5).standard_normal((SIZE, SIZE))
    beside = np.triu(M, 1)
    return np.diag(np.geomspace(1.0, 10.0, SIZE)) + coupling * (beside + beside.T)


def estimate(H: np.ndarray, probe: str, samples: int, seed: int) -> np.ndarray:
    """The diagonal of H, estimated from so many probes."""
    probes = random_probes(np.random.default_rng(seed), H[0], samples, probe)  # type: ignore[arg-type]
    return hutchinson_diagonal(lambda z: H @ z, probes)


def promised_error(H: np.ndarray, probe: str, samples: np.ndarray) -> np.ndarray:
    """The root of the mean square error by the formulas; what constant probes miss is no error that more of them mend."""
    beside = H - np.diag(np.diag(H))
    if probe == "constant":
        return np.full(len(samples), float(np.linalg.norm(np.sum(beside, axis=1))))
    total = np.sum(beside**2) + (2.0 * np.sum(np.diag(H) ** 2) if probe == "gaussian" else 0.0)
    return np.sqrt(total / samples)


@functools.lru_cache(maxsize=64)
def measured_errors(coupling: float, probe: str, runs: int = 200) -> np.ndarray:
    """The root of the mean square error over some runs, for each number of probes."""
    H, rng = coupled(coupling), np.random.default_rng(1)
    errors = []
    for samples in COUNTS:
        Z = random_probes(rng, H[0], runs * samples, probe)  # type: ignore[arg-type]
        D = np.mean((Z * (Z @ H)).reshape(runs, samples, SIZE), axis=1)
        errors.append(np.sqrt(np.mean(np.sum((D - np.diag(H)) ** 2, axis=1))))
    return np.asarray(errors)


def _probes(samples: int) -> str:
    return "one probe" if samples == 1 else f"{samples} probes"


def _estimate_sentence(probe: str, coupling: float, samples: int, here: float) -> str:
    kind = {"rademacher": "random signs", "gaussian": "normal numbers", "constant": "-1 everywhere"}[probe]
    text = (
        f"From {_probes(samples)} of {kind}, entries of size {coupling:g} beside the diagonal: this estimate is off by "
        f"{here:.1%} of the diagonal's norm. "
    )
    if coupling == 0.0:
        return text + (
            "Normal numbers scatter even here." if probe == "gaussian" else "A diagonal matrix hides nothing."
        )
    if probe == "constant":
        return text + "Every such probe says the same, the sums of the rows, so a hundred are no better than one."
    return text + "A hundred times as many have a tenth of the error, in the mean."


# ------------------------------------------------------------------------------------------- what a diagonal can do

ANGLES = (-45, -30, -15, 0, 15, 30, 45)
CONDITIONS = (3, 10, 30, 100)
STEPS = 40
PLAIN: dict[str, Any] = {"learning_rate": 0.5, "beta1": 0.0, "beta2": 0.99, "tol": 0.0}


@view(
    title="A ravine along the axes, and one across them",
    chapter="diagonal/adahessian",
    methods=("adahessian",),
    controls=(
        Slider("angle", ANGLES, "angle of the ravine, degrees", 0, live=tuple(range(-45, 46, 5))),
        Slider("condition", CONDITIONS, "condition number", 30, live=(3, 5, 10, 20, 30, 50, 100)),
        Choice("probe", PROBES, "probe", "rademacher"),
    ),
    presets={
        "along the axes": {"angle": 0, "condition": 100, "probe": "rademacher"},
        "by 15 degrees": {"angle": 15, "condition": 100, "probe": "rademacher"},
        "by 45 degrees": {"angle": 45, "condition": 100, "probe": "rademacher"},
        "by 45 degrees, row sums": {"angle": 45, "condition": 10, "probe": "constant"},
        "by -45 degrees, row sums": {"angle": -45, "condition": 10, "probe": "constant"},
    },
)
def diagonal_paths(
    *, angle: int = 0, condition: int = 30, probe: str = "rademacher", method: Method | None = None
) -> Scene:
    """AdaHessian without momentum on a quadratic with curvatures 1 and ``condition``, and its ravine turned."""
    H = ravine_matrix(angle, condition)
    runs = [
        (label, color, False, ravine_run(run, angle, condition, probe))
        for color, (label, run) in zip((0, 3), edited(method, adahessian))
    ]
    exact, full = halved(H, np.diag(np.diag(H)), angle), halved(H, H, angle)
    t = np.linspace(0.0, 2.0 * np.pi, 61)
    root = turn(angle) @ np.diag([1.0, condition**-0.5])
    levels = [
        _path(size * root @ np.stack([np.cos(t), np.sin(t)]), label=None, color="muted", width=0.8)
        for size in (0.5, 1.5, 3.0)
    ]
    paths = [
        _path(_inside(h["x"]), label=f"{name}, {probe}", color=color, markers=True, width=1.5)
        for name, color, _, h in runs
    ]
    ends = (-4.2, 4.2)
    k = np.arange(STEPS + 1)
    curves = [
        Line(k, np.clip(full[1], 1e-12, 1e4), label="Newton, halved", color=2, dash=True, width=1.5),
        Line(k, np.clip(exact[1], 1e-12, 1e4), label="true diagonal", color=1, dash=True, width=1.5),
        *(Line(k, np.clip(h.f, 1e-12, 1e4), label=name, color=color, width=2.5) for name, color, _, h in runs),
    ]
    return Scene(
        (
            Panel(
                Axis("first coordinate", domain=ends),
                Axis("second coordinate", domain=ends),
                (
                    *levels,
                    _path(_inside(exact[0]), label="true diagonal", color=1, dash=True, width=1.5),
                    *paths,
                ),
                title="paths",
                equal=True,
            ),
            Panel(Axis("step", domain=(0.0, STEPS)), Axis("f", "log", (1e-12, 1e4)), tuple(curves), title="values"),
        ),
        _path_sentence(angle, condition, probe, H, runs[0][3].f, exact[1]),
    )


def turn(angle: float) -> np.ndarray:
    """The rotation by an angle in degrees."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.asarray([[c, -s], [s, c]])


def ravine_matrix(angle: float, condition: float) -> np.ndarray:
    """A symmetric matrix with eigenvalues 1, along the turned first axis, and ``condition``."""
    H = turn(angle) @ np.diag([1.0, float(condition)]) @ turn(angle).T
    return 0.5 * (H + H.T)


def ravine(angle: float, condition: float) -> Problem:
    """The quadratic of :func:`ravine_matrix`, from a start that turns with it."""
    H = ravine_matrix(angle, condition)
    start = turn(angle) @ np.asarray([3.0, 2.0 / condition**0.5])
    return Problem(lambda x: 0.5 * float(x @ H @ x), lambda x: H @ x, hvp=lambda x, v: H @ v, x0=start, name="ravine")


@functools.lru_cache(maxsize=512)
def ravine_run(method: Method, angle: float, condition: float, probe: str) -> History:
    return minimize(ravine(angle, condition), method, steps=STEPS, keep="x", probe=probe, **PLAIN)


def halved(H: np.ndarray, scale: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (steps + 1, 2) and values of steps of half the gradient over a fixed matrix."""
    x = turn(angle) @ np.asarray([3.0, 2.0 / np.linalg.eigvalsh(H)[-1] ** 0.5])
    points = [x]
    for _ in range(STEPS):
        points.append(points[-1] - 0.5 * np.linalg.solve(scale, H @ points[-1]))
    walk = np.asarray(points)
    return walk, 0.5 * np.einsum("ki,ij,kj->k", walk, H, walk)


def _path(points: np.ndarray, **look: Any) -> Line:
    """A line through points that are given as two rows."""
    return Line(points[0], points[1], **look)


def _inside(points: Any) -> np.ndarray:
    """The coordinates as rows, up to the first point outside the picture, which is brought to its edge."""
    walk = np.asarray(points)
    outside = np.nonzero(np.max(np.abs(walk), axis=1) > 4.2)[0]
    if len(outside):
        walk = walk[: outside[0] + 1]
        walk[-1] *= 4.2 / np.max(np.abs(walk[-1]))
    return walk.T


def _path_sentence(
    angle: int, condition: int, probe: str, H: np.ndarray, f: np.ndarray, exact: np.ndarray
) -> str:  # fmt: skip
    sums = ", ".join(f"{value:.3g}" for value in np.sum(H, axis=1))
    about = f"row sums {sums}" if probe == "constant" else f"the entry beside it {H[0, 1]:.3g}"
    ratio = f[-1] / f[0]
    moved = "grows beyond bounds" if not ratio < 1e3 else f"goes from {f[0]:.3g} to {f[-1]:.2g}"
    return (
        f"Curvatures 1 and {condition}, the ravine turned by {angle} degrees: the diagonal of H is {H[0, 0]:.3g}, "
        f"{H[1, 1]:.3g}, {about}. With {probe} probes f {moved} in {STEPS} steps, with the true diagonal to {exact[-1]:.2g}."
    )


# ----------------------------------------------------------------------------------------- what the chapter measures

RACERS: dict[str, tuple[str, dict[str, Any]]] = {
    "AdaHessian": ("adahessian", {"learning_rate": 0.1}),
    "no averaging": ("adahessian", {"learning_rate": 0.3, "block_size": 1}),
    "means of magnitudes": ("adahessian", {"learning_rate": 0.3, "averaging": "absolute"}),
    "constant probe": ("adahessian", {"learning_rate": 0.5, "probe": "constant"}),
    "Adam": ("adam", {"learning_rate": 0.1}),
    "K-FAC": ("kfac", {"damping": 0.003}),
}
"""Each with the best of five to seven learning rates or dampings for it."""

BUDGET = {"adahessian": 120, "adam": 360, "kfac": 55}


def digits() -> Mlp:
    """The network of the races: 64 inputs, 32 hidden units, 10 classes."""
    return problems.mlp("digits", [64, 32, 10])


@functools.lru_cache(maxsize=64)
def raced(name: str, seed: int = 0) -> History:
    """A run of one of the racers on batches of 500, for about the same number of gradient-equivalents."""
    method, hyper = RACERS[name]
    return minimize(digits(), method, steps=BUDGET[method], seed=seed, batch_size=500, tol=0.0, keep="x", **hyper)


def full_losses(history: History, every: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Gradient-equivalents, and the loss on all of the data, looked at off the books, at every so many steps."""
    net = digits()
    chosen = sorted({*range(0, len(history), every), len(history) - 1})
    return history.cost()[chosen], np.asarray([float(net.f(history["x"][k])) for k in chosen])


def setting_of(name: str) -> str:
    """The number of a racer, in words."""
    hyper = RACERS[name][1]
    return f"λ = {hyper['damping']:g}" if "damping" in hyper else f"η = {hyper['learning_rate']:g}"
