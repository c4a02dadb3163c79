"""Static figures of histories (matplotlib): convergence, clouds of particles; and how a notebook shows them."""

from __future__ import annotations

import base64
import html as escape
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace, to_numpy
from secondorder.history import History

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#C06C9B", "#A67C00", "#3D8FC6", "#8C6BB1")
"""Okabe–Ito hues, told apart with any colour vision; the light ones darkened, so that each has a contrast of at least
3:1 on white and on the black of the dark themes."""

X_AXES = {"step": "iterations", "cost": "gradient-equivalents", "seconds": "seconds"}
Y_AXES = {"primal_gap": "f(x) − f*", "gap": "Frank–Wolfe gap", "f": "f(x)", "grad_norm": "‖∇f(x)‖"}
LOGARITHMIC = ("primal_gap", "gap", "grad_norm")

DRAWN = 2000
"""Particles of a cloud in a picture; of more, every second, third …"""
REGIONS = (0.9, 0.6, 0.3)
"""What the contours of a density hold."""
DARK, GREY = "#404040", "#8A8A8A"

Box = list[tuple[float, float]]
"""Limits of the axes."""


def convergence(histories: Mapping[str, History], x: str = "step", y: str | None = None) -> Any:
    """A figure of ``y`` against ``x`` for each history, through the rows that have both.

    Parameters
    ----------
    histories : mapping from labels to histories
    x : "step" (default), "cost" (gradient-equivalents) or "seconds"
    y : "primal_gap", "f", "grad_norm", or any recorded number; by default the Frank–Wolfe gap where every history has
        one, else the gradient norm

    Returns the matplotlib Figure.
    """
    import matplotlib.pyplot as plt

    if x not in X_AXES:
        raise ValueError(f"x must be one of {', '.join(X_AXES)}; got {x!r}")
    y = y or _measure(histories)
    figure = plt.figure(figsize=(6.0, 3.6), layout="constrained")
    plt.close(figure)  # so that a notebook shows it once
    axes = figure.add_subplot()
    for (label, history), color in zip(histories.items(), PALETTE * 10, strict=False):
        values = history.primal_gap if y == "primal_gap" else np.asarray(history[y], dtype=float)
        across = {"step": np.arange(len(history)), "cost": history.cost(), "seconds": history.seconds}[x]
        across, values = across[~np.isnan(values)], values[~np.isnan(values)]
        if y in LOGARITHMIC:
            values = np.where(values > 0.0, values, np.nan)
        axes.plot(across, values, color=color, marker="." if len(values) < 60 else None, label=label)
    if y in LOGARITHMIC:
        axes.set_yscale("log")
    axes.set_xlabel(X_AXES[x])
    axes.set_ylabel(Y_AXES.get(y, y))
    axes.grid(alpha=0.3)
    if len(histories) > 1:
        figure.legend(loc="outside upper center", ncols=min(4, len(histories)), frameon=False)
    return figure


def _measure(histories: Mapping[str, History]) -> str:
    return "gap" if histories and all("gap" in history.names for history in histories.values()) else "grad_norm"


def cloud(histories: Mapping[str, History]) -> Any:
    """A figure of the particles at the end of each history, in the first two coordinates, on the law where it can be drawn.

    In the plane the law is the contours that hold 90, 60 and 30 % of it (of a problem without ``sample``, contours of its
    density), in more dimensions exact draws; in one dimension a histogram stands under the density. The panels share their
    axes; what lies outside them is counted in the title.

    Parameters
    ----------
    histories : mapping from labels to histories of :func:`secondorder.sample`

    Returns the matplotlib Figure.
    """
    import matplotlib.pyplot as plt

    if not histories:
        raise ValueError("cloud needs a history at least")
    for label, history in histories.items():
        if not history.particles:
            raise ValueError(f"{label} has no particles: cloud draws histories of sample")
    across = 2 if len(histories) == 4 else min(3, len(histories))
    down = math.ceil(len(histories) / across)
    size = (max(4.5, 3.3 * across), 3.3 * down)
    figure, grid = plt.subplots(
        down, across, figsize=size, layout="constrained", squeeze=False, sharex=True, sharey=True
    )
    plt.close(figure)
    clouds = {label: _thinned(to_numpy(history.x)) for label, history in histories.items()}
    laws = {label: _law(history) for label, history in histories.items()}
    box = _box([law for law in laws.values() if law is not None] or list(clouds.values()))
    for axes in grid.flat[len(clouds) :]:
        axes.set_visible(False)
    for axes, (label, X), color in zip(grid.flat, clouds.items(), PALETTE * 10, strict=False):
        draw = _histogram if X.shape[1] == 1 else _scatter
        draw(axes, X, histories[label], laws[label], box, color)
        inside = [(low <= column) & (column <= high) for (low, high), column in zip(box, X.T, strict=False)]
        outside = 1.0 - float(np.mean(np.all(inside, axis=0)))
        axes.set_title(label + (f"\n{outside:.0%} outside" if outside >= 0.005 else ""), fontsize="medium")
        axes.set_xlim(*box[0])
        axes.label_outer()
    return figure


def _scatter(axes: Any, X: Array, history: History, law: Array | None, box: Box, color: str) -> None:
    if (X.shape[1] > 2 or not _contours(axes, history, law, box)) and law is not None:
        axes.plot(law[:, 0], law[:, 1], ".", color=GREY, alpha=0.35, markersize=2.5)
    axes.plot(X[:, 0], X[:, 1], ".", color=color, alpha=0.5, markersize=3.0)
    axes.set_aspect("equal", adjustable="box")
    axes.set_ylim(*box[1])
    axes.set_xlabel("x₁")
    axes.set_ylabel("x₂")


def _histogram(axes: Any, X: Array, history: History, law: Array | None, box: Box, color: str) -> None:
    (low, high), width = box[0], box[0][1] - box[0][0]
    axes.hist(X[:, 0], bins=np.linspace(low, high, 51), weights=np.full(len(X), 50.0 / width / len(X)), color=color,
              alpha=0.6)  # fmt: skip
    wide = np.linspace(low - width, high + width, 3001)
    logs = _log_density(history, wide[:, None])
    if logs is not None:
        p = np.exp(logs - np.max(logs))
        axes.plot(wide, p / np.trapezoid(p, wide), color=DARK)
    axes.set_xlabel("x")
    axes.set_ylabel("density")


def picture(histories: Mapping[str, History], x: str = "step", y: str | None = None) -> Any:
    """What histories show of themselves: :func:`cloud` where all have particles and no quantity is asked for, else
    :func:`convergence`."""
    if x in X_AXES and y is None and histories and all(history.particles for history in histories.values()):
        return cloud(histories)
    return convergence(histories, x=x, y=y)


def _thinned(X: np.ndarray) -> np.ndarray:
    return X[:: math.ceil(len(X) / DRAWN)].astype(float)


def _level(history: History) -> dict[str, float]:
    last = history.rows[-1]
    return {"alpha": last.get("alpha", 1.0), "sigma": last.get("sigma", 0.0)}


def _law(history: History) -> np.ndarray | None:
    """Exact draws at the noise level of the particles, of a problem that has them."""
    from secondorder.distances import draws

    if not history.rows:
        return None
    found = draws(history._problem, DRAWN, np.random.default_rng(0), **_level(history))
    return None if found is None else to_numpy(found).astype(float)


def _box(clouds: list[Array]) -> Box:
    """Limits of the first two coordinates that hold nearly all points, with a margin."""
    limits = []
    for k in range(min(2, clouds[0].shape[1])):
        low, high = np.quantile(np.concatenate([X[:, k] for X in clouds]), [0.002, 0.998])
        margin = 0.15 * float(high - low) or 1.0
        limits.append((float(low) - margin, float(high) + margin))
    return limits


def _log_density(history: History, points: Array) -> Array | None:
    """Of the law of a history; None where it has none, or none at this noise level."""
    problem, x = history._problem, history.x
    if problem is None or problem.log_density is None or x is None or not history.rows:
        return None
    try:
        logs = problem.log_density(namespace(x).asarray(points, dtype=x.dtype), **_level(history))
        logs = to_numpy(logs).astype(float)
    except Exception:  # whatever a density of the user's own may raise, the particles are drawn
        return None
    return logs if logs.shape == points.shape[:1] and np.isfinite(np.max(logs)) else None


def _contours(axes: Any, history: History, law: Array | None, box: Box) -> bool:
    """Draw contours of the density, if there is one."""
    sides = [np.linspace(low, high, 101) for low, high in box]
    logs = _log_density(history, np.stack([side.ravel() for side in np.meshgrid(*sides)], axis=1))
    if logs is None:
        return False
    at = None if law is None else _log_density(history, law)
    levels = np.max(logs) - [4.5, 2.0, 0.5] if at is None else np.quantile(at, 1.0 - np.asarray(REGIONS))
    logs = np.maximum(logs, levels[0] - 50.0).reshape(101, 101)
    axes.contour(*sides, logs, levels=np.unique(levels), colors=DARK, linewidths=1.0, linestyles="solid", zorder=3)
    return True


def html(histories: Mapping[str, History]) -> str:
    """A table with one line a history and a picture of them all, for notebooks."""
    from secondorder.run import Comparison

    rows = Comparison(histories).table()
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    head = "".join(f"<th>{escape.escape(name)}</th>" for name in ("", *columns))
    body = "".join(
        f"<tr><th>{escape.escape(label)}</th>"
        + "".join(f"<td>{escape.escape(_short(row.get(name, '')))}</td>" for name in columns)
        + "</tr>"
        for label, row in rows.items()
    )
    if histories and all(history.particles for history in histories.values()):
        shown = (
            "Particles in the first two coordinates." if _dimensions(histories) > 1 else "Histogram of the particles."
        )
    else:
        measure = {"gap": "Frank–Wolfe gap", "grad_norm": "Gradient norm"}[_measure(histories)]
        shown = f"{measure} against iterations."
    buffer = io.BytesIO()
    picture(histories).savefig(buffer, format="png", dpi=110)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    alt = "; ".join(f"{label}: {row['status']} after {row['steps']} steps" for label, row in rows.items())
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f'<img alt="{shown} {escape.escape(alt)}" src="data:image/png;base64,{encoded}">'
    )


def _dimensions(histories: Mapping[str, History]) -> int:
    return max(history.d for history in histories.values())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
