"""A view for a page without a server: its whole grid, computed now, and read by `frontend/src/page.js` later.

Numbers travel as 16-bit integers, counted between the smallest and the largest of their array in the scale of their
axis (a hundredth of a pixel); equal arrays, marks and panels are stored once.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from secondorder.labs.scene import Axis, Control, Scene, View, control_spec, encode, get_view

LIMIT = 2_000_000  # bytes of one explorer in a page
STEPS = 65534  # of the quantised range; the code below the lowest means a gap
GAP = -32768

_ids = itertools.count(1)


@dataclass(frozen=True)
class StaticExplorer:
    """What `page` returns: shown as HTML by Jupyter and by the book."""

    view: View
    fixed: dict[str, Any]
    default: Scene
    data: dict[str, Any]

    def _repr_html_(self) -> str:
        payload = json.dumps(self.data, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
        name, sentence = self.view.name, html.escape(self.default.sentence)
        return (
            f'<figure class="so-explorer" id="so-{name}-{next(_ids)}" data-view="{name}">\n'
            f'<script type="application/json">{payload}</script>\n'
            f'<noscript><img src="data:image/png;base64,{_png(self.default)}" alt="{sentence}"></noscript>\n'
            f'<figcaption class="so-sentence" aria-live="polite">{sentence}</figcaption>\n</figure>'
        )


def page(view: str | Callable[..., Scene] | View, **fixed: Any) -> StaticExplorer:
    """Compute `view` on the grid of its controls' values, for a page without a server.

    Args:
        view: the view, or its name.
        **fixed: keywords held constant: a control (which then has no slider), or another keyword of the function.

    Raises:
        ValueError: more than three controls, a keyword that the view does not take, or more than 2 MB.
    """
    view = get_view(view)
    controls = view.free(fixed)
    if len(controls) > 3:
        names = ", ".join(control.name for control in controls)
        raise ValueError(f"view {view.name!r} has {len(controls)} controls ({names}); a page holds at most 3: fix some")
    parts: list[dict[str, Any]] = []
    where: dict[str, int] = {}

    def share(part: dict[str, Any]) -> dict[str, int]:
        index = where.setdefault(json.dumps(part), len(parts))
        if index == len(parts):
            parts.append(part)
        return {"$": index}

    def array(values: np.ndarray, axis: Axis) -> dict[str, int]:
        return share(quantise(values, axis))

    scenes = [encode(scene, array, share) for scene in _grid(view, controls, fixed)]
    defaults = {control.name: control.default for control in controls}
    data = {
        "title": view.title,
        "controls": [control_spec(control, control.values) for control in controls],
        "presets": view.open_presets(fixed),
        "state": defaults,
        "parts": parts,
        "scenes": scenes,
    }
    size = len(json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode())
    if size > LIMIT:
        counts = " x ".join(f"{len(control.values)} values of {control.name}" for control in controls)
        raise ValueError(
            f"view {view.name!r} takes {size / 1e6:.1f} MB in the page, the limit is {LIMIT / 1e6:.0f} MB: "
            f"reduce {counts or 'its arrays'}, or the points of its lines and fields"
        )
    return StaticExplorer(view, fixed, view(**defaults, **fixed), data)


def _grid(view: View, controls: tuple[Control, ...], fixed: dict[str, Any]) -> list[Scene]:
    """The scenes of all states, the last control running fastest; a progress bar when it takes more than 2 s."""
    states = [
        dict(zip([control.name for control in controls], values))
        for values in itertools.product(*(control.values for control in controls))
    ]
    scenes, start, bar = [], time.monotonic(), None
    for done, state in enumerate(states):
        if bar is None and time.monotonic() - start > 2:
            from tqdm import tqdm

            bar = tqdm(total=len(states), initial=done, desc=view.name, file=sys.stderr)
        try:
            scenes.append(view(**state, **fixed))
        except Exception as error:
            error.add_note(f"in view {view.name!r} at {state}")
            raise
        if bar is not None:
            bar.update()
    if bar is not None:
        bar.close()
    return scenes


def quantise(values: np.ndarray, axis: Axis) -> dict[str, Any]:
    """Return `values` for JSON: integers as they are, other numbers rounded to 1/65534 of their range along `axis`.

    Values far outside the axis's domain would coarsen that range; such arrays go as 32-bit floats.

    >>> quantise(np.arange(3), Axis("iteration"))
    {'list': [0, 1, 2]}
    """
    if values.dtype.kind in "iu" and axis.scale == "linear":
        return {"list": values.tolist()}
    log = axis.scale == "log"
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.log10(values) if log else values.astype(float)
    gaps = ~np.isfinite(levels)
    if gaps.all():
        return {"list": [None] * values.size}
    low, high = float(levels[~gaps].min()), float(levels[~gaps].max())
    shape = {"log": log}
    if axis.domain is not None:
        start, stop = (math.log10(bound) if log else bound for bound in axis.domain)
        if low < (3 * start - stop) / 2 or high > (3 * stop - start) / 2:
            levels = np.clip(levels, -3e38, 3e38).astype("<f4")
            return shape | {"float32": base64.b64encode(levels.tobytes()).decode()}
    scaled = (levels - low) * (STEPS / (high - low)) if high > low else np.zeros_like(levels)
    codes = np.where(gaps, GAP, np.rint(np.where(gaps, 0, scaled)) - STEPS // 2).astype("<i2")
    return shape | {"low": low, "high": high, "int16": base64.b64encode(codes.tobytes()).decode()}


def dequantise(part: dict[str, Any]) -> np.ndarray:
    """Undo `quantise`, as the browser does."""
    if "list" in part:
        return np.array([np.nan if value is None else value for value in part["list"]])
    if "float32" in part:
        levels = np.frombuffer(base64.b64decode(part["float32"]), "<f4").astype(float)
    else:
        codes = np.frombuffer(base64.b64decode(part["int16"]), "<i2").astype(float)
        levels = part["low"] + (codes + STEPS // 2) * ((part["high"] - part["low"]) / STEPS)
        levels[codes == GAP] = np.nan
    return 10**levels if part["log"] else levels


def _png(scene: Scene) -> str:
    file = io.BytesIO()
    scene.plot().savefig(file, format="png", dpi=90)
    return base64.b64encode(file.getvalue()).decode()
