"""The pictures of the Shampoo chapter: what the roots do to one gradient and to the next, and why a run diverges."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.kronecker import shampoo
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import edited
from secondorder.oracles import Problem
from secondorder.run import minimize

Method = Callable[..., Any]

# ------------------------------------------------------------------------------------------------- one gradient, and two

EPSILONS = (1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)
EXPONENTS = {"1/8": 0.125, "1/4, the paper's": 0.25, "1/2": 0.5}
SINGULAR = np.geomspace(1e-4, 1.0, 9)
ANGLES = np.linspace(0.0, 90.0, 13)
ROOTS = {"new, of both gradients": 1, "old, of the first alone": 2}


@view(
    title="What the roots do to one gradient, and to the next",
    chapter="kronecker/shampoo",
    methods=("shampoo",),
    controls=(
        Choice("exponent", tuple(EXPONENTS), "exponent of each side", "1/4, the paper's"),
        Slider("epsilon", EPSILONS, "ε", 1e-8, log=True),
        Choice("roots", tuple(ROOTS), "roots at the second step", "old, of the first alone"),
    ),
    presets={
        "the paper": {"exponent": "1/4, the paper's", "epsilon": 1e-8, "roots": "new, of both gradients"},
        "old roots": {"exponent": "1/4, the paper's", "epsilon": 1e-8, "roots": "old, of the first alone"},
        "old roots, larger ε": {"exponent": "1/4, the paper's", "epsilon": 1e-2, "roots": "old, of the first alone"},
        "half powers": {"exponent": "1/2", "epsilon": 1e-8, "roots": "new, of both gradients"},
    },
)
def shampoo_roots(
    *,
    exponent: str = "1/4, the paper's",
    epsilon: float = 1e-8,
    roots: str = "old, of the first alone",
    method: Method | None = None,
) -> Scene:
    """The singular values of the first direction; and how long the second is, by the angle between the two gradients."""
    p, interval = EXPONENTS[exponent], ROOTS[roots]
    hyper = {"exponent": p, "epsilon": epsilon}
    first, second = [], []
    for color, (label, run) in zip((0, 3), edited(method, shampoo)):
        values = _directions(run, ((SINGULAR, None),), **hyper)[0]
        lengths = np.asarray([_turned(run, angle, root_interval=interval, **hyper) for angle in ANGLES])
        first.append(Line(SINGULAR, np.clip(np.abs(np.diag(values)), 1e-8, 1e8), label, color, markers=True))
        second.append(Line(ANGLES, np.clip(lengths, 1e-8, 1e14), label, color, markers=True))
    s = np.geomspace(1e-4, 1.0, 60)
    curve = Line(s, s * (s * s + epsilon) ** (-2.0 * p), "σ(σ² + ε)⁻²ᵖ", "muted", width=1.2)
    knee = Rule(x=max(1e-4, epsilon**0.5), label="σ = √ε" if epsilon >= 1e-8 else "σ = √ε lies further left", color=2)
    return Scene(
        (
            Panel(
                Axis("singular value σ of G", "log", (8e-5, 1.3)),
                Axis("singular value of the direction", "log", (1e-5, 1e5)),
                (curve, *first, knee),
                title="the first step",
            ),
            Panel(
                Axis("degrees between first and second gradient", domain=(-2.0, 92.0)),
                Axis("spectral norm of the direction", "log", (1e-1, 1e13)),
                (*second, Rule(y=1.0, label="1", color="muted")),
                title="the second step",
            ),
        ),
        _roots_sentence(exponent, epsilon, roots, first[0], second[0]),
    )


def _directions(run: Method, gradients: Any, **hyper: Any) -> list[np.ndarray]:
    """The directions under given gradients, in turn: singular values on the diagonal, or the column and row of a product."""
    matrices = [np.diag(u) if v is None else np.outer(u, v) for u, v in gradients]
    d = len(matrices[0])
    known = run.method.defaults()  # type: ignore[attr-defined]
    hyper = {name: value for name, value in hyper.items() if name in known}
    problem = Problem(lambda x: 0.0, grad=lambda x: matrices[-1 if np.any(x) else 0].ravel(), x0=np.zeros(d * d))
    problem.split = lambda x: (x.reshape(d, d),)  # type: ignore[attr-defined]
    history = minimize(problem, run, steps=len(matrices), tol=0.0, keep=("x",), learning_rate=1.0, **hyper)
    return [-step.reshape(d, d) for step in np.diff(history["x"], axis=0)]


def _turned(run: Method, angle: float, **hyper: Any) -> float:
    """The spectral norm of the second direction, both sides of the second gradient turned by the angle from the first's."""
    t = np.radians(angle)
    e, u = np.asarray([1.0, 0.0]), np.asarray([np.cos(t), np.sin(t)])
    return float(np.linalg.norm(_directions(run, ((e, e), (u, u)), **hyper)[-1], 2))


def _roots_sentence(exponent: str, epsilon: float, roots: str, first: Line, second: Line) -> str:
    high, low = first.y[-1], first.y[0]
    return (
        f"Exponent {exponent.split(',')[0]}, ε = {epsilon:g}: singular values from {SINGULAR[0]:g} to 1 become {low:.2g} to "
        f"{high:.2g} in the first direction. With roots that are {roots}, the second direction has length {second.y[0]:.2g} if "
        f"the gradient stays, {second.y[1]:.2g} if it turns by {ANGLES[1]:g} degrees and {second.y[-1]:.2g} at a right angle."
    )


# ------------------------------------------------------------------------------------------------------- why it diverges

STEPS = 150
RATES = (0.03, 0.1, 0.3, 1.0)
INTERVALS = (1, 2, 5, 20)
VERSIONS: dict[str, dict[str, Any]] = {
    "sums": {},
    "running averages": {"beta2": 0.95},
    "averages, ε = 1e-12": {"beta2": 0.95, "epsilon": 1e-12},
    "averages, exponent 1/2": {"beta2": 0.95, "exponent": 0.5},
    "averages, ε = 1e-12, length of Adam": {"beta2": 0.95, "epsilon": 1e-12, "grafting": "adam"},
    "averages, ε = 1e-12, length of SGD": {"beta2": 0.95, "epsilon": 1e-12, "grafting": "sgd"},
}


@view(
    title="Why does it diverge?",
    chapter="kronecker/shampoo",
    methods=("shampoo",),
    controls=(
        Choice("version", tuple(VERSIONS), "version", "running averages"),
        Slider("interval", INTERVALS, "steps between roots", 1),
        Slider("rate", RATES, "learning rate", 0.1, log=True),
    ),
    presets={
        "new roots": {"version": "running averages", "interval": 1, "rate": 0.1},
        "roots every 20 steps": {"version": "running averages", "interval": 20, "rate": 0.3},
        "a tiny ε": {"version": "averages, ε = 1e-12", "interval": 5, "rate": 0.03},
        "a tiny ε, new roots": {"version": "averages, ε = 1e-12", "interval": 1, "rate": 0.3},
        "grafted": {"version": "averages, ε = 1e-12, length of Adam", "interval": 20, "rate": 0.03},
        "half powers": {"version": "averages, exponent 1/2", "interval": 1, "rate": 0.3},
    },
)
def shampoo_race(
    *, version: str = "running averages", interval: int = 1, rate: float = 0.1, method: Method | None = None
) -> Scene:
    """The loss of a small network, and how long the direction is, on batches of 20 of the two moons."""
    loss, length = [], []
    runs = [(f"{label}, here", color, run) for color, (label, run) in zip((0, 3), edited(method, shampoo))]
    found: list[tuple[str, Any, History, np.ndarray]] = [
        (label, color, *raced(run, version, interval, rate)) for label, color, run in runs
    ]
    found.insert(0, ("averages, new roots, 0.1", "muted", *raced(shampoo, "running averages", 1, 0.1)))
    for label, color, history, norms in found:
        seen = np.isfinite(history.f)
        width = 1.2 if color == "muted" else 2.2
        loss.append(Line(np.flatnonzero(seen), np.clip(history.f[seen], 1e-5, 1e5), label, color, width=width))
        length.append(Line(np.arange(1, len(norms) + 1), np.clip(norms, 1e-3, 1e8), label, color, width=width))
    limit = bound(version)
    rules = () if limit is None else (Rule(y=limit, label="bound for new roots", color=2),)
    return Scene(
        (
            Panel(Axis("step", domain=(0.0, STEPS)), Axis("loss on all data", "log", (1e-5, 1e5)), tuple(loss)),
            Panel(
                Axis("step", domain=(0.0, STEPS)),
                Axis("largest spectral norm of a layer's direction", "log", (1e-3, 1e8)),
                (*length, *rules),
            ),
        ),
        _race_sentence(version, interval, rate, *found[1][2:]),
    )


def bound(version: str) -> float | None:
    """On the spectral norm of a direction with new roots and the paper's exponents; none for the others."""
    hyper = VERSIONS[version]
    if "exponent" in hyper or "grafting" in hyper:
        return None
    return float((1.0 - hyper["beta2"]) ** -0.5) if "beta2" in hyper else 1.0


@functools.lru_cache(maxsize=256)
def raced(run: Method, version: str, interval: int, rate: float) -> tuple[History, np.ndarray]:
    """A run on the two moons, and the largest spectral norm among the layers of each step's direction."""
    net = problems.mlp("two_moons", [2, 12, 8, 2])
    known = run.method.defaults()  # type: ignore[attr-defined]
    hyper = {"root_interval": interval, "learning_rate": rate, "batch_size": 20, **VERSIONS[version]}
    hyper = {name: value for name, value in hyper.items() if name in known}
    history = minimize(net, run, steps=STEPS, tol=0.0, keep=("x",), **hyper)
    steps = np.diff(history["x"], axis=0) / rate
    return history, np.asarray([max(np.linalg.norm(W, 2) for W in net.split(step)) for step in steps])


def _race_sentence(version: str, interval: int, rate: float, history: History, norms: np.ndarray) -> str:
    f = history.f[np.isfinite(history.f)]
    often = "every step" if interval == 1 else f"every {interval} steps"
    rise = f", after a rise to {np.max(f):.2g}" if np.max(f) > 1.05 * f[0] and np.max(f) > 1.05 * f[-1] else ""
    limit = bound(version)
    where = (
        ""
        if limit is None
        else f", {'above' if np.max(norms) > limit * (1.0 + 1e-6) else 'within'} the bound {limit:.2g}"
    )
    return (
        f"Shampoo with {version}, roots {often}, learning rate {rate:g}: the loss goes from {f[0]:.2g} to {f[-1]:.2g} in "
        f"{len(history) - 1} steps{rise}. The longest direction of a layer has spectral norm {np.max(norms):.3g}{where}."
    )


# ------------------------------------------------------------------------------------- what the chapter measures


def cosines(steps: int, layer: int = 1, seed: int = 0) -> dict[str, float]:
    """Of the second moment H of the examples' gradients of a layer with the Kronecker products that stand for it, after
    some steps of training on the two moons; signals of the model's own labels."""
    net = problems.mlp("two_moons", [2, 6, 5, 2], seed=seed)
    x = net.x0 if not steps else minimize(net, shampoo, steps=steps, learning_rate=0.3, tol=0.0).x
    inputs, signals = net.signals(x, "exact")[layer]
    G = np.einsum("knb,na->knba", signals, inputs).reshape(-1, signals.shape[2], inputs.shape[1]) / net.n**0.5
    m, n = G.shape[1:]
    H = np.einsum("tij,tkl->ijkl", G, G).reshape(m * n, m * n)
    L, R = np.einsum("tij,tkj->ik", G, G), np.einsum("tij,tik->jk", G, G)
    U, _, Vt = np.linalg.svd(H.reshape(m, n, m, n).transpose(0, 2, 1, 3).reshape(m * m, n * n))
    A, B = inputs.T @ inputs / net.n, np.einsum("kni,knj->ij", signals, signals) / net.n
    stands = {
        "Shampoo": np.kron(_half(L), _half(R)),
        "Shampoo²": np.kron(L, R),
        "K-FAC": np.kron(B, A),
        "nearest": np.kron(U[:, 0].reshape(m, m), Vt[0].reshape(n, n)),
    }
    return {name: abs(float(np.sum(H * K) / np.linalg.norm(H) / np.linalg.norm(K))) for name, K in stands.items()}


def _half(A: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(A)
    return (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
