"""The pictures of the K-FAC chapter: the factors beside the exact block, the damping, and runs; and what it measures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.diagonal import adam, adamw
from secondorder.history import History
from secondorder.kronecker import ekfac, kfac
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import edited
from secondorder.linalg import ExampleGradients, Layer, eigen, kronecker_damping, kronecker_factors, kronecker_moments
from secondorder.newton import gradient_descent
from secondorder.problems.networks import Mlp
from secondorder.run import minimize

Method = Callable[..., Any]

# ------------------------------------------------------------------------------------------ the factors as pictures

LAYERS = {"first": 0, "second": 1, "third": 2}
TRAINED = (0, 3, 6, 10, 20)
COUNTS = (1, 3, 10, 50, 200)
SMALL = 2e-3
CORNERS = np.asarray([[-0.45, -0.45], [0.45, -0.45], [0.45, 0.45], [-0.45, 0.45], [-0.45, -0.45], [np.nan, np.nan]])


@view(
    title="A block of the Fisher matrix, and two that stand for it",
    chapter="kronecker/kfac",
    controls=(
        Choice("layer", tuple(LAYERS), "layer", "third"),
        Slider("trained", TRAINED, "steps of K-FAC made", 20, live=tuple(range(31))),
        Slider("examples", COUNTS, "examples", 200, live=(1, 2, 3, 5, 10, 20, 50, 100, 200)),
    ),
    presets={
        "at the start": {"layer": "third", "trained": 0, "examples": 200},
        "trained": {"layer": "third", "trained": 20, "examples": 200},
        "trained, one example": {"layer": "third", "trained": 20, "examples": 1},
        "trained, three": {"layer": "third", "trained": 20, "examples": 3},
        "the hidden layer": {"layer": "second", "trained": 20, "examples": 200},
    },
)
def block_and_factors(*, layer: str = "third", trained: int = 20, examples: int = 200) -> Scene:
    """The exact block of a layer, K-FAC's and EK-FAC's, for a 2-4-3-2 network on the two moons."""
    net, x = trained_moons(trained)
    part = net.batch(np.arange(examples)).signals(x, "exact")[LAYERS[layer]]
    F, K, E = blocks(part)
    largest = float(np.max(np.abs(F)))
    titles = ("exact", f"K-FAC, error {_percent(K, F)}", f"EK-FAC, error {_percent(E, F)}")
    return Scene(
        tuple(_matrix(M / largest, title) for M, title in zip((F, K, E), titles, strict=True)),
        _block_sentence(layer, trained, examples, F, K, E),
    )


@functools.lru_cache(maxsize=64)
def trained_moons(steps: int) -> tuple[Mlp, np.ndarray]:
    """A 2-4-3-2 network on the two moons, its examples in random order, and its weights after some steps of K-FAC."""
    net = problems.mlp("two_moons", [2, 4, 3, 2]).batch(np.random.default_rng(0).permutation(200))
    return net, minimize(net, kfac, steps=steps, fisher="exact", damping=0.01, tol=0.0).x  # type: ignore[return-value]


def blocks(layer: Layer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The block of a layer, as it is, of K-FAC, and of EK-FAC: dense, the weights row by row."""
    G = ExampleGradients((layer,)).dense()
    A, B = kronecker_factors(*layer)
    U_A, U_B = eigen(A).vectors, eigen(B).vectors
    U, S = np.kron(U_B, U_A), kronecker_moments(U_A, U_B, layer)
    return G.T @ G / layer.inputs.shape[0], np.kron(B, A), (U * S.ravel()) @ U.T


def relative(M: np.ndarray, F: np.ndarray) -> float:
    """The Frobenius distance of M from F, relative to F."""
    return float(np.linalg.norm(M - F) / np.linalg.norm(F))


def _percent(M: np.ndarray, F: np.ndarray) -> str:
    error = relative(M, F)
    return "0" if error < 1e-6 else "less than 0.1%" if error < 1e-3 else f"{error:.1%}"


def _matrix(M: np.ndarray, title: str) -> Panel:
    """A square for each entry, its area the size, the first row at the top."""
    d = len(M)
    ends = (0.3, d + 0.7)
    marks = tuple(
        Line(*_squares(sign * M), label=label, color=color, width=2.0)
        for sign, label, color in ((1.0, "positive", 0), (-1.0, "negative", 1))
    )
    return Panel(Axis("column", domain=ends), Axis("row, from the last up", domain=ends), marks, title, equal=True)


def _squares(M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outlines of squares at the positive entries, the largest as wide as a cell."""
    row, column = np.nonzero(M > SMALL)
    side = np.minimum(1.0, np.sqrt(M[row, column]))[:, None]
    x, y = column[:, None] + 1.0 + side * CORNERS[:, 0], len(M) - row[:, None] + side * CORNERS[:, 1]
    return x.ravel(), y.ravel()


def _block_sentence(layer: str, trained: int, examples: int, F: np.ndarray, K: np.ndarray, E: np.ndarray) -> str:
    d = len(F)
    many = "one example" if examples == 1 else f"{examples} examples"
    text = (
        f"The {layer} layer's block, {d} by {d}, from {many}, after {trained} steps of K-FAC: squares with the "
        "areas of the entries, blue where they are positive, orange where negative. "
    )
    if relative(K, F) < 1e-6:
        return text + "From one example the Kronecker product is the block itself, and so is EK-FAC's."
    return text + (
        f"The Kronecker product of the factors misses it by {_percent(K, F)} of its Frobenius norm, the true second "
        f"moments in the same eigenbasis by {_percent(E, F)}."
    )


# ------------------------------------------------------------------------------------------------------- damping

DAMPINGS = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
BALANCES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@view(
    title="Damping the product, or damping the factors",
    chapter="kronecker/kfac",
    controls=(
        Choice("layer", tuple(LAYERS), "layer", "second"),
        Slider("damping", DAMPINGS, "damping λ", 0.01, log=True),
        Slider("balance", BALANCES, "π over its best value", 1.0),
    ),
    presets={
        "balanced": {"layer": "second", "damping": 0.01, "balance": 1.0},
        "all on the signals": {"layer": "second", "damping": 0.01, "balance": 0.1},
        "all on the inputs": {"layer": "second", "damping": 0.01, "balance": 10.0},
        "hardly any": {"layer": "second", "damping": 1e-4, "balance": 1.0},
    },
)
def damped_eigenvalues(*, layer: str = "second", damping: float = 0.01, balance: float = 1.0) -> Scene:
    """Eigenvalues of K-FAC's block under the two ways of damping, and the excess of the second over the first."""
    net, x = trained_moons(3)
    A, B = kronecker_factors(*net.signals(x, "exact")[LAYERS[layer]])
    a, b = (np.clip(eigen(M).values, 0.0, None) for M in (A, B))
    best = np.sqrt(np.mean(a) / np.mean(b))
    plain = np.outer(b, a).ravel()
    order, root = np.argsort(-plain), np.sqrt(damping)
    pi = balance * best
    factored = np.outer(b + root / pi, a + root * pi).ravel()
    index = np.arange(1, len(plain) + 1)
    t = np.geomspace(0.08, 12.5, 60)
    excess = _excess(a, b, damping, t * best)
    here = float(_excess(a, b, damping, np.asarray([pi]))[0])
    return Scene(
        (
            Panel(
                Axis("eigenvalue, by size of the undamped", domain=(0.5, len(plain) + 0.5)),
                Axis("value", "log", (1e-7, 30.0)),
                (
                    Line(index, plain[order], label="undamped", color="muted", markers=True, width=1.5),
                    Line(index, plain[order] + damping, label="exact damping", color=0, markers=True, width=2.0),
                    Line(index, factored[order], label="factors damped", color=1, markers=True, width=2.0),
                    Rule(y=damping, label="λ", color=2),
                ),
                title="the eigenvalues",
            ),
            Panel(
                Axis("π over its best value", "log", (0.08, 12.5)),
                Axis("mean excess over exact damping / λ", "log", (0.1, 1e3)),
                (
                    Line(t, excess / damping, label="mean of the excess", color=1, width=2.5),
                    Line([balance], [here / damping], label="here", color=0, markers=True, line=False),
                ),
                title="the price of two inverses",
            ),
        ),
        _damping_sentence(layer, damping, balance, plain, factored, here),
    )  # fmt: skip


def _excess(a: np.ndarray, b: np.ndarray, damping: float, pi: np.ndarray) -> np.ndarray:
    """The mean eigenvalue of the damped factors' product minus that of the product plus λ."""
    return np.sqrt(damping) * (pi * np.mean(b) + np.mean(a) / pi)


def _damping_sentence(
    layer: str, damping: float, balance: float, plain: np.ndarray, factored: np.ndarray, excess: float
) -> str:
    ratio = factored / (plain + damping)
    where = "at its best value" if balance == 1.0 else f"at {balance:g} times its best value"
    return (
        f"The {layer} layer after three steps, λ = {damping:g}, π {where}: every eigenvalue of the damped factors' product "
        f"is larger than the one of exact damping, {np.min(ratio):.2f} to {np.max(ratio):.3g} times; the mean excess is "
        f"{excess / damping:.3g} λ."
    )


# ------------------------------------------------------------------------------------------------------------ runs

SETTINGS = (1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
NETWORKS: dict[str, tuple[str, tuple[int, ...], float]] = {
    "two moons, 2-5-5-2": ("two_moons", (2, 5, 5, 2), 1e-4),
    "diabetes, 10-8-1": ("diabetes", (10, 8, 1), 0.1),
}
RUNS: dict[str, tuple[Method, str, float]] = {
    "K-FAC": (kfac, "damping", 0.01),
    "EK-FAC": (ekfac, "damping", 0.01),
    "Adam": (adam, "learning_rate", 0.1),
    "AdamW": (adamw, "learning_rate", 0.1),
    "gradient descent": (gradient_descent, "lipschitz", 1.0),
}
THIN: dict[str, Any] = {"K-FAC": 1, "EK-FAC": 2, "Adam": 6, "gradient descent": "muted"}
STEPS = 60


@view(
    title="Loss against steps, and against work",
    chapter="kronecker/kfac",
    methods=("kfac", "ekfac", "adam", "adamw"),
    controls=(
        Choice("network", tuple(NETWORKS), "network", "two moons, 2-5-5-2"),
        Choice("variant", tuple(RUNS), "method", "K-FAC"),
        Slider("setting", SETTINGS, "damping, or learning rate", 0.01, log=True),
    ),
    presets={
        "K-FAC": {"network": "two moons, 2-5-5-2", "variant": "K-FAC", "setting": 0.01},
        "damped too much": {"network": "two moons, 2-5-5-2", "variant": "K-FAC", "setting": 1.0},
        "EK-FAC, damped too little": {"network": "two moons, 2-5-5-2", "variant": "EK-FAC", "setting": 1e-3},
        "Adam at its usual rate": {"network": "two moons, 2-5-5-2", "variant": "Adam", "setting": 1e-3},
        "Adam, tuned": {"network": "two moons, 2-5-5-2", "variant": "Adam", "setting": 0.3},
    },
)
def network_race(
    *, network: str = "two moons, 2-5-5-2", variant: str = "K-FAC", setting: float = 0.01, method: Method | None = None
) -> Scene:
    """The loss of one method at one setting, and thin lines for the others at settings that suit them."""
    original, name, _ = RUNS[variant]
    shown: list[tuple[Line, History]] = []

    def add(label: str, color: Any, thin: bool, history: History) -> None:
        line = Line([0.0], [1.0], label=label, color=color, dash=thin, width=1.2 if thin else 2.5)
        shown.append((line, history))

    for other, (run, hyper, usual) in RUNS.items():
        if other not in (variant, "AdamW"):
            add(f"{other}, {usual:g}", THIN[other], True, _raced(network, run, hyper, usual))
    for color, (label, run) in zip((0, 3), edited(method, original)):
        own, label = (name, variant) if run is original else (_setting_of(run), label)
        add(f"{label}, {setting:g}", color, False, _raced(network, run, own, setting))
    low = NETWORKS[network][2]
    panels = []
    for label, end in (("step", float(STEPS)), ("gradient-equivalents", 250.0)):
        marks = tuple(
            replace(line, x=np.arange(len(h)) if label == "step" else h.cost(), y=np.clip(h.f, None, 1e3))
            for line, h in shown
        )
        panels.append(Panel(Axis(label, domain=(0.0, end)), Axis("loss f", "log", (low, 10.0)), marks))
    return Scene(tuple(panels), _race_sentence(network, variant, setting, [h for _, h in shown]))


@functools.lru_cache(maxsize=256)
def _raced(network: str, method: Method, hyper: str | None, setting: float) -> History:
    data, widths, _ = NETWORKS[network]
    if hyper == "lipschitz":
        setting = 1.0 / setting
    settings: dict[str, Any] = {hyper: setting} if hyper else {}
    return minimize(problems.mlp(data, widths), method, steps=STEPS, tol=0.0, **settings)


def _setting_of(method: Method) -> str | None:
    """Which of its arguments the slider is for."""
    known = method.method.defaults()  # type: ignore[attr-defined]
    return next((name for name in ("damping", "learning_rate", "lipschitz") if name in known), None)


def _race_sentence(network: str, variant: str, setting: float, histories: list[History]) -> str:
    last = next(h for h in histories[-2:] if h.method == RUNS[variant][0].method.name)  # type: ignore[attr-defined]
    end, cost = float(last.f[-1]), float(last.cost()[-1])
    moved = "has risen" if end > last.f[0] else "is down"
    name = "damping" if RUNS[variant][1] == "damping" else "learning rate"
    return (
        f"{variant} with {name} {setting:g} on {network}: after {len(last) - 1} steps, "
        f"{cost:.0f} gradient-equivalents, the loss {moved} from {last.f[0]:.3g} to {end:.2g}."
    )


# ------------------------------------------------------------------------------------- what the chapter measures

TASKS: dict[str, tuple[tuple[int, ...], str, float, dict[str, int]]] = {
    "classifier": ((64, 32, 10), "softmax", 0.02, {"kfac": 100, "ekfac": 100, "adam": 300}),
    "autoencoder": ((64, 32, 16, 32, 64), "squared", 0.5, {"kfac": 60, "ekfac": 60, "adam": 250}),
}


def digits_task(task: str, seed: int) -> Mlp:
    """A network on the digits, its start drawn with this seed."""
    widths, loss, *_ = TASKS[task]
    X = problems.mlp("digits", [64, 10]).X
    return problems.mlp((X, X) if task == "autoencoder" else "digits", widths, loss=loss, seed=seed)


def to_target(task: str, method: str, seed: int, steps: int | None = None, **hyper: Any) -> History:
    """A run on batches of 500 that ends once the loss on all of the data, looked at off the books, is at the target."""
    net, target = digits_task(task, seed), TASKS[task][2]

    def enough(row: Mapping[str, Any]) -> str | None:
        return "converged" if row.get("f", target + 1.0) <= target else None

    def look(iterate: Any) -> bool:  # the rows of Adam, whose steps cost less than a gradient, have f now and then only
        return method == "adam" and float(net.f(iterate.x)) <= target

    return minimize(
        net, method, steps=steps or TASKS[task][3][method], seed=seed, batch_size=500, tol=0.0, stop=enough, callback=look,
        **hyper,
    )  # fmt: skip


def steps_to_target(history: History) -> float:
    """The steps that a run of :func:`to_target` took, infinite where it did not arrive."""
    return len(history) - 1.0 if arrived(history) else float("inf")


def arrived(history: History) -> bool:
    return history.status in ("converged", "stopped")


def shared_layer(average: bool, n: int = 6, R: int = 5, seed: int = 0) -> Layer:
    """The first layer of a deep linear network that reads R positions with the same weights; exact signals of a squared
    loss, on the average of its outputs over the positions or on each of them."""
    rng = np.random.default_rng(seed)
    inputs = np.concatenate([rng.standard_normal((n, R, 3)), np.ones((n, R, 1))], axis=2)
    later = rng.standard_normal((3, 4))
    if average:
        return Layer(inputs, np.broadcast_to(later[:, None, None, :] / R, (3, n, R, 4)))
    signals = np.zeros((R, 3, n, R, 4))
    for r in range(R):
        signals[r, :, :, r, :] = later[:, None, :]
    return Layer(inputs, signals.reshape(R * 3, n, R, 4))


def shared_block(layer: Layer) -> np.ndarray:
    """The exact block of such a layer: an example's gradient is summed over its positions before it is squared."""
    n = layer.inputs.shape[0]
    G = np.einsum("knrb,nra->knba", layer.signals, layer.inputs).reshape(
        -1, layer.signals.shape[3] * layer.inputs.shape[2]
    )
    return G.T @ G / n


def damped_block(A: np.ndarray, B: np.ndarray, damping: float) -> np.ndarray:
    """The product of the damped factors, dense, the weights row by row."""
    A, B = kronecker_damping(A, B, damping)
    return np.kron(B, A)
