"""How a report looks in a notebook: its error curves, and a table."""

from __future__ import annotations

import html as escape
from typing import TYPE_CHECKING, Any

import numpy as np

from secondorder.plots import PALETTE

if TYPE_CHECKING:
    from secondorder.validate.verdict import Report

FLOOR = 1e-17
"""Where errors of exactly zero are drawn."""


def figure(report: Report) -> Any:
    """The error of each quantity over the steps, the largest tolerance of each step as a band, the first difference marked."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    picture = plt.figure(figsize=(6.4, 3.8), layout="constrained")
    plt.close(picture)  # so that a notebook shows it once
    axes = picture.add_subplot()
    for (name, curve), color in zip(report.errors.items(), PALETTE * 10, strict=False):
        drawn = np.where(np.isnan(curve), np.nan, np.clip(curve, FLOOR, 1e3))
        axes.plot(drawn, color=color, marker="." if len(curve) < 60 else None, label=name)
    if report.tolerances:
        allowed = np.asarray(list(report.tolerances.values()))
        allowed = np.max(np.where(np.isfinite(allowed), allowed, 0.0), axis=0)
        band = axes.fill_between(np.arange(len(allowed)), FLOOR / 3.0, np.maximum(allowed, FLOOR), alpha=0.15, lw=0.0)
        band.set(color="grey", label="allowed")
    if report.first is not None:
        height = min(max(report.first.error, FLOOR), 1e3)
        axes.plot(report.first.step, height, "o", ms=12, mfc="none", mec="#404040", mew=1.5, label="first difference")
    axes.set_yscale("log")
    axes.set_ylim(bottom=FLOOR / 3.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step")
    axes.set_ylabel("largest error, of the quantity's size")
    axes.set_title(f"{report.candidate} against {report.method} on {report.problem}", fontsize="medium")
    axes.grid(alpha=0.3)
    if report.errors:
        picture.legend(loc="outside right upper", frameon=False, fontsize="small")
    return picture


def html(report: Report) -> str:
    """The verdict, and a table of the quantities."""
    lines = [f"<p><strong>{escape.escape(report.headline)}</strong><br>{escape.escape(report.verdict)}</p>"]
    if report.errors:
        head = "".join(f"<th>{name}</th>" for name in report.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape.escape(cell)}</td>" for cell in row) + "</tr>" for row in report.table()
        )
        lines.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    notes = "".join(f"<li>{escape.escape(note)}</li>" for note in report.notes())
    return "\n".join([*lines, f"<ul>{notes}</ul>"] if notes else lines)
