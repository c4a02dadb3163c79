"""A view with live controls in a notebook: the browser sends the controls' state, the kernel answers with the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError("live explorers need anywidget: pip install 'secondorder[lab]'") from error

from secondorder.labs.scene import Axis, Scene, Value, View, control_spec, encode, get_view, nearest

SCRIPT = Path(__file__).parent / "static" / "explorer.js"
if not SCRIPT.exists():
    raise ImportError("secondorder/labs/static/explorer.js is missing; build it with: pip install -e .")


class Explorer(anywidget.AnyWidget):
    """The widget behind `explore`.

    Attributes:
        state: the controls' values; set it to move them.
        scene: the encoded picture for `scene["state"]`; without panels where the view failed.
        error: what went wrong there, in one line; empty if nothing did.
        current: the `Scene` on show, or None.
    """

    _esm = SCRIPT
    spec = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, view: View, allowed: Mapping[str, tuple[Value, ...]], fixed: Mapping[str, Any]) -> None:
        self._view, self._allowed, self._fixed = view, allowed, fixed
        controls = view.free(fixed)
        start = {control.name: nearest(allowed[control.name], control.default) for control in controls}
        spec = {
            "title": view.title,
            "controls": [control_spec(control, allowed[control.name]) for control in controls],
            "presets": view.open_presets(fixed),
        }
        self.current: Scene | None = self._compute(start)  # errors are raised here, not shown
        super().__init__(spec=spec, state=start, scene=self._encode(self.current, start))
        self.observe(self._answer, "state")

    def _compute(self, state: Mapping[str, Value]) -> Scene:
        if state.keys() != self._allowed.keys():
            raise ValueError(f"state has {', '.join(state) or 'nothing'}, expected {', '.join(self._allowed)}")
        values = {}
        for name, value in state.items():
            values[name] = nearest(self._allowed[name], value)
            if values[name] != value:
                raise ValueError(f"{name}={value!r} is not an allowed value; the nearest is {values[name]!r}")
        return self._view(**values, **self._fixed)

    def _encode(self, scene: Scene | None, state: Mapping[str, Value]) -> dict[str, Any]:
        encoded = {} if scene is None else encode(scene, _bytes)
        return encoded | {"state": dict(state)}  # tells the browser which state this answers

    def _answer(self, change: Mapping[str, Any]) -> None:
        state, error = change["new"], ""
        try:
            self.current = self._compute(state)
        except Exception as problem:  # shown in place of the picture
            self.current, error = None, " ".join(f"{type(problem).__name__}: {problem}".split())
        with self.hold_sync():
            self.error = error
            self.scene = self._encode(self.current, state)


def _bytes(values: np.ndarray, axis: Axis) -> dict[str, Any]:
    return {"float64": values.astype("<f8").tobytes(), "log": False}


def explore(
    view: str | Callable[..., Scene] | View,
    *,
    controls: Mapping[str, Iterable[Value]] | None = None,
    **fixed: Any,
) -> Explorer:
    """Show `view` with live controls.

    Args:
        view: the view, or its name.
        controls: other allowed values for some controls, such as `{"period": range(1, 101)}`.
        **fixed: keywords held constant: a control (which then has no slider), or another keyword of the function.

    Raises:
        ValueError: a control or keyword that the view does not have.
    """
    view = get_view(view)
    free: dict[str, tuple[Value, ...]] = {control.name: tuple(control.live or ()) for control in view.free(fixed)}
    for name, values in (controls or {}).items():
        if name not in free:
            raise ValueError(f"view {view.name!r} has no control {name!r} to set; it has {', '.join(free) or 'none'}")
        free[name] = tuple(value.item() if isinstance(value, np.generic) else value for value in values)
        if not free[name]:
            raise ValueError(f"controls: {name!r} has no values")
    return Explorer(view, free, fixed)
