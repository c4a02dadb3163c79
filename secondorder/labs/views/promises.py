"""The picture of the page on what is promised and what is measured: a guarantee, judged along its run."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from secondorder import guarantees
from secondorder.guarantees import Guarantee, Verdict
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, view
from secondorder.labs.views.newton import Method, edited
from secondorder.newton import cubic_newton

CONSTANTS = ("M", "lipschitz")
FACTORS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
NAMES = (
    "gradient_descent: least gradient",
    "nesterov: values",
    "cubic_newton: decrease, not convex",
    "cubic_newton: gradient, far start",
    "cubic_newton: curvature",
    "gradient_regularized_newton: decrease",
    "affine_invariant_cubic_newton: decrease",
    "lazy_newton: period, not convex",
    "polynomial_preconditioned_gradient: decrease",
    "accelerated_cubic_newton: invariant",
)
SHOWN = 150


def constant(name: str) -> tuple[str, float]:
    """The hyper-parameter of a guarantee that stands for a Lipschitz constant, and its value there."""
    entry = guarantees.get(name)
    settings = entry.hyper(entry.problem())
    key = next(key for key in CONSTANTS if key in settings)
    return key, settings[key]


@functools.lru_cache(maxsize=256)
def verdict(name: str, factor: float = 1.0, method: Method | None = None) -> Verdict:
    """Both sides of a guarantee, on a run whose constant is ``factor`` times the theorem's."""
    entry: Guarantee = guarantees.get(name)
    key, value = constant(name)
    if method is not None:
        entry = dataclasses.replace(entry, method=method)  # type: ignore[arg-type]
    return entry.run(**({} if factor == 1.0 else {key: factor * value}))


def broken(found: Verdict) -> np.ndarray:
    """The entries at which the inequality fails; a side that is not finite fails."""
    finite = np.isfinite(found.left) & np.isfinite(found.right)
    largest = float(np.max(np.abs(found.left[finite]), initial=0.0))
    allowance = guarantees.core.ALLOWANCE * max(1.0, largest)
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(~(finite & (found.left <= found.right + allowance)))


def thinned(length: int) -> np.ndarray:
    """At most about ``SHOWN`` of so many indices, evenly in their logarithm where there are more."""
    if length <= SHOWN:
        return np.arange(length)
    return np.unique(np.geomspace(1, length, SHOWN).astype(int)) - 1


@view(
    title="A theorem and a run, on the same axes",
    chapter="newton/promises",
    methods=("cubic_newton",),
    controls=(
        Choice("name", NAMES, "guarantee", "cubic_newton: decrease, not convex"),
        Slider("factor", FACTORS, "the constant, times", 1.0),
    ),
    presets={
        "the theorem's constant": {"factor": 1.0},
        "a tenth of it": {"factor": 0.1},
        "a thousandth": {"factor": 0.001},
    },
)
def promised(
    *, name: str = "cubic_newton: decrease, not convex", factor: float = 1.0, method: Method | None = None
) -> Scene:
    """Both sides of an inequality along a run, and their quotient, with a constant that may be invalid."""
    runs = [("", verdict(name, factor))]
    if name.startswith("cubic_newton"):
        runs += [(label, verdict(name, factor, run)) for label, run in edited(method, cubic_newton)[1:]]
    sides: list[Any] = []
    quotients: list[Any] = [Rule(y=1.0, label="no room left")]
    for i, (label, found) in enumerate(runs):
        k = thinned(len(found.left))
        bad = broken(found)
        bad = bad[thinned(len(bad))] if len(bad) else bad
        whose = f", {label}" if label else ""
        sides.append(Line(k + 1, _positive(found.right[k]), label=f"right-hand side{whose}", color="muted", width=2.5))
        sides.append(Line(k + 1, _positive(found.left[k]), label=f"left-hand side{whose}", color=3 * i))
        if len(bad):
            sides.append(
                Line(bad + 1, _positive(found.left[bad]), label=f"broken{whose}", color=1, markers=True, line=False)
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            quotients.append(
                Line(k + 1, _positive(found.left[k] / found.right[k]), label=label or "left / right", color=3 * i)
            )
    longest = max(len(verdict(name, each).left) for each in FACTORS)
    ends = Axis("step (or period) judged", "log", domain=(0.9, 1.2 * longest))
    return Scene(
        (
            Panel(ends, Axis("both sides", "log", domain=(1e-16, 1e6)), tuple(sides), title=name),
            Panel(ends, Axis("left / right", "log", domain=(1e-8, 1e4)), tuple(quotients), title="how much room"),
        ),
        _sentence(name, factor, runs[0][1]),
    )  # fmt: skip


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values) & (values > 0.0), np.clip(values, 1e-16, 1e6), np.nan)


def _sentence(name: str, factor: float, found: Verdict) -> str:
    key, value = constant(name)
    bad, length = broken(found), len(found.left)
    said = f"{name}, with {key} = {factor * value:.3g}, {factor:g} times the theorem's: "
    if len(bad):
        first = f"the inequality fails at {len(bad)} of {length} steps or periods judged, first at step {bad[0] + 1}"
    else:
        tight = found.tightness
        first = (
            f"the inequality holds at all {length} steps or periods judged; the left-hand side comes closest at step "
            f"{int(np.argmax(tight)) + 1}, {tight.max():.2g} of the right-hand one"
        )
    return f"{said}{first}. The run ended as {found.history.status}."
