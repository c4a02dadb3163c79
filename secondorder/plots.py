"""Static figures of histories (matplotlib), and how a notebook shows them."""

from __future__ import annotations

import base64
import html as escape
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from secondorder.history import History

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#C06C9B", "#A67C00", "#3D8FC6", "#8C6BB1")
"""Okabe–Ito hues, told apart with any colour vision; the light ones darkened, so that each has a contrast of at least
3:1 on white and on the black of the dark themes."""

X_AXES = {"step": "iterations", "cost": "gradient-equivalents", "seconds": "seconds"}
Y_AXES = {"primal_gap": "f(x) − f*", "gap": "Frank–Wolfe gap", "f": "f(x)", "grad_norm": "‖∇f(x)‖"}
LOGARITHMIC = ("primal_gap", "gap", "grad_norm")


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


def html(histories: Mapping[str, History]) -> str:
    """A table with one line a history and a picture of them all, for notebooks."""
    from secondorder.run import Comparison

    rows = Comparison(histories).table()
    columns = list(next(iter(rows.values()))) if rows else []
    head = "".join(f"<th>{escape.escape(name)}</th>" for name in ("", *columns))
    body = "".join(
        f"<tr><th>{escape.escape(label)}</th>"
        + "".join(f"<td>{escape.escape(_short(value))}</td>" for value in row.values())
        + "</tr>"
        for label, row in rows.items()
    )
    measure = {"gap": "Frank–Wolfe gap", "grad_norm": "Gradient norm"}[_measure(histories)]
    buffer = io.BytesIO()
    convergence(histories).savefig(buffer, format="png", dpi=110)
    picture = base64.b64encode(buffer.getvalue()).decode()
    alt = "; ".join(f"{label}: {row['status']} after {row['steps']} steps" for label, row in rows.items())
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f'<img alt="{measure} against iterations. {escape.escape(alt)}" src="data:image/png;base64,{picture}">'
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
