"""Pictures as data: what a view returns, and what two renderers draw.

A *view* is a pure function from the values of its controls to a `Scene`. The browser (`frontend/src/draw.js`) and
matplotlib (`draw` below) draw the same scene, so the lesson's figure, the lab and the published page cannot differ.
"""

from __future__ import annotations

import base64
import difflib
import importlib
import inspect
import itertools
import math
import pkgutil
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from secondorder.plots import PALETTE

MUTED = "#808080"

Color = int | Literal["muted"]
Value = int | float | str


# ---------------------------------------------------------------------------------------------------- axes, marks


@dataclass(frozen=True)
class Axis:
    """One axis: its label (with the unit), its scale, its domain (None: what the marks need), and whether it has ticks."""

    label: str
    scale: Literal["linear", "log"] = "linear"
    domain: tuple[float, float] | None = None
    ticks: bool = True

    def __post_init__(self) -> None:
        if self.scale not in ("linear", "log"):
            raise ValueError(f"axis {self.label!r}: scale is {self.scale!r}, expected 'linear' or 'log'")
        if self.domain is not None:
            low, high = (float(value) for value in self.domain)
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(
                    f"axis {self.label!r}: domain is {self.domain}, expected two finite numbers, low < high"
                )
            if self.scale == "log" and low <= 0:
                raise ValueError(f"axis {self.label!r}: domain is {self.domain}, but a log axis needs positive numbers")
            object.__setattr__(self, "domain", (low, high))


@dataclass(frozen=True, eq=False)
class Line:
    """A curve, a path, or a few points (`markers=True, line=False`). NaN or an infinity in `x` or `y` breaks the line."""

    x: Any
    y: Any
    label: str | None = None
    color: Color = 0
    dash: bool = False
    width: float = 2.0
    markers: bool = False
    line: bool = True

    def __post_init__(self) -> None:
        _vectors(self, "x", "y")
        if not (self.line or self.markers):
            raise ValueError("Line: line=False and markers=False draws nothing")


@dataclass(frozen=True, eq=False)
class Points:
    """A cloud of dots of radius `size` (pixels), see-through so that a crowd looks darker."""

    x: Any
    y: Any
    label: str | None = None
    color: Color = 0
    size: float = 1.5
    opacity: float = 0.5

    def __post_init__(self) -> None:
        _vectors(self, "x", "y")
        if not (self.size > 0 and 0 < self.opacity <= 1):
            raise ValueError(
                f"Points: size is {self.size}, opacity {self.opacity}; expected size > 0, 0 < opacity <= 1"
            )


@dataclass(frozen=True, eq=False)
class Image:
    """A grey picture on `x[0] <= x <= x[1]`, `y[0] <= y <= y[1]`: row 0 of `z` at the top, `low` black, `high` white."""

    x: Any
    y: Any
    z: Any
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        x, y, z = (_array(self, name) for name in ("x", "y", "z"))
        for name, ends in (("x", x), ("y", y)):
            if ends.shape != (2,) or not ends[0] < ends[1]:
                raise ValueError(f"Image: {name} must be two finite numbers, the lower first")
        if z.ndim != 2 or not z.size or not np.all(np.isfinite(z)):
            raise ValueError(f"Image: z has shape {z.shape}, expected a matrix of finite numbers")
        low = float(z.min() if self.low is None else self.low)
        high = float(z.max() if self.high is None else self.high)
        if not -math.inf < low <= high < math.inf:
            raise ValueError(f"Image: low is {low}, high is {high}, expected finite numbers, low <= high")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def bytes(self) -> np.ndarray:
        """The picture in 256 shades; a constant one is black."""
        span = (self.high or 0.0) - (self.low or 0.0)
        shades = (self.z - self.low) / span if span > 0 else np.zeros(self.z.shape)
        return np.rint(255 * np.clip(shades, 0, 1)).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Field:
    """Contour lines of `z`, of shape `(len(y), len(x))`, at `levels`; the grid is even in the scale of its axes."""

    x: Any
    y: Any
    z: Any
    levels: Any

    def __post_init__(self) -> None:
        z = _array(self, "z")
        x, y, levels = (_array(self, name) for name in ("x", "y", "levels"))
        if x.ndim != 1 or y.ndim != 1 or len(x) < 2 or len(y) < 2 or z.shape != (len(y), len(x)):
            raise ValueError(f"Field: z has shape {z.shape}, expected (len(y), len(x)) = ({y.size}, {x.size})")
        if levels.ndim != 1 or not len(levels) or not np.all(np.diff(levels) > 0):
            raise ValueError("Field: levels must be an increasing sequence of finite numbers")


@dataclass(frozen=True, eq=False)
class Band:
    """The region between two curves."""

    x: Any
    low: Any
    high: Any
    color: Color = 0
    label: str | None = None

    def __post_init__(self) -> None:
        _vectors(self, "x", "low", "high")


@dataclass(frozen=True)
class Rule:
    """A straight line across the panel at one `x` or at one `y`."""

    x: float | None = None
    y: float | None = None
    label: str | None = None
    color: Color = "muted"
    dash: bool = True

    def __post_init__(self) -> None:
        if (self.x is None) == (self.y is None):
            raise ValueError("Rule: give either x or y")
        _check_color(self)
        name = "y" if self.x is None else "x"
        value = float(getattr(self, name))
        if not math.isfinite(value):
            raise ValueError(f"Rule: {name} is {value}, expected a finite number")
        object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class Text:
    """Words beside points."""

    x: Any
    y: Any
    text: tuple[str, ...]

    def __post_init__(self) -> None:
        _vectors(self, "x", "y")
        object.__setattr__(self, "text", tuple(str(word) for word in self.text))
        if len(self.text) != len(self.x):
            raise ValueError(f"Text: {len(self.text)} texts for {len(self.x)} points")


Mark = Line | Points | Image | Field | Band | Rule | Text


def _array(mark: Any, name: str) -> np.ndarray:
    """Freeze the field `name` of `mark` as an array of numbers, infinities as NaN."""
    values = np.array(getattr(mark, name))
    kind = type(mark).__name__
    if values.dtype.kind not in "iuf" and values.size:
        raise ValueError(f"{kind}: {name} has dtype {values.dtype}, expected real numbers")
    if values.dtype.kind == "f" or not values.size:
        values = values.astype(float)
        values[~np.isfinite(values)] = np.nan
    values.setflags(write=False)
    object.__setattr__(mark, name, values)
    return values


def _vectors(mark: Any, *names: str) -> None:
    """Freeze the named fields as vectors of one length."""
    kind, arrays = type(mark).__name__, [_array(mark, name) for name in names]
    for name, values in zip(names, arrays):
        if values.ndim != 1:
            raise ValueError(f"{kind}: {name} has shape {values.shape}, expected a vector")
        if len(values) != len(arrays[0]):
            raise ValueError(f"{kind}: {names[0]} has {len(arrays[0])} values, but {name} has {len(values)}")
    _check_color(mark)


def _check_color(mark: Any) -> None:
    color = getattr(mark, "color", "muted")
    if color != "muted" and not (isinstance(color, int) and 0 <= color < len(PALETTE)):
        raise ValueError(f"{type(mark).__name__}: color is {color!r}, expected 0 to {len(PALETTE) - 1} or 'muted'")


def _coordinates(mark: Mark) -> dict[str, tuple[str, ...]]:
    """Which fields of a mark are measured along which axis."""
    return {"x": ("x",), "y": ("low", "high") if isinstance(mark, Band) else ("y",)}


# ------------------------------------------------------------------------------------------------- panels, scenes


@dataclass(frozen=True, eq=False)
class Panel:
    """Marks in one pair of axes; `equal` gives both axes the same unit length."""

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    title: str = ""
    equal: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", tuple(self.marks))
        if self.equal and "log" in (self.x.scale, self.y.scale):
            raise ValueError(f"panel {self.title!r}: equal axes must both be linear")
        for mark in self.marks:
            if not isinstance(mark, Mark):
                raise ValueError(f"panel {self.title!r}: {type(mark).__name__} is not a mark")
            for name, attributes in _coordinates(mark).items():
                axis = getattr(self, name)
                if isinstance(mark, Image) and axis.scale == "log":
                    raise ValueError(f"panel {self.title!r}: an Image needs linear axes, {axis.label!r} is logarithmic")
                for attribute in attributes:
                    self._check(mark, attribute, axis)

    def _check(self, mark: Mark, attribute: str, axis: Axis) -> None:
        if getattr(mark, attribute) is None:  # the other coordinate of a Rule
            return
        values = np.atleast_1d(getattr(mark, attribute)).astype(float)
        finite = values[np.isfinite(values)]
        where = f"panel {self.title!r}: {attribute} of {type(mark).__name__}"
        if axis.scale == "log" and finite.size and finite.max() <= 0:
            raise ValueError(f"{where} has no positive value for the log axis {axis.label!r}")
        if isinstance(mark, Field):
            steps = np.diff(np.log(values) if axis.scale == "log" else values)
            if not (np.all(steps > 0) and np.ptp(steps) <= 1e-6 * steps.max()):
                raise ValueError(f"{where} must increase in equal steps on the {axis.scale} axis {axis.label!r}")


@dataclass(frozen=True, eq=False)
class Scene:
    """Panels side by side, and the sentence that says in words what they show (it is the alternative text as well).

    >>> x = np.arange(5)
    >>> panel = Panel(Axis("iteration"), Axis("error", "log"), (Line(x, 10.0**-x, label="Newton"),))
    >>> Scene((panel,), sentence="The error falls tenfold an iteration.").sentence
    'The error falls tenfold an iteration.'
    """

    panels: tuple[Panel, ...]
    sentence: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "panels", tuple(self.panels))
        if not self.panels:
            raise ValueError("Scene: panels is empty")
        if not isinstance(self.sentence, str) or not self.sentence.strip():
            raise ValueError("Scene: sentence is empty; say in words what the picture shows")

    def plot(self) -> Any:
        """Return the scene as a matplotlib figure."""
        return draw(self)


def encode(
    scene: Scene,
    array: Callable[[np.ndarray, Axis], Any],
    share: Callable[[dict[str, Any]], Any] = lambda part: part,
) -> dict[str, Any]:
    """Return the scene as nested dictionaries, for the browser.

    Args:
        scene: what to encode.
        array: encodes one array, given the axis along which it is measured.
        share: called with every mark and panel; may store it elsewhere and return a reference.
    """

    def part(mark: Mark, panel: Panel) -> Any:
        axes = {"z": _height_axis(mark)} if isinstance(mark, Field) else {}
        for name, attributes in _coordinates(mark).items():
            axes |= dict.fromkeys(attributes, getattr(panel, name))
        out: dict[str, Any] = {"kind": type(mark).__name__.lower()}
        if isinstance(mark, Image):
            return share(out | {"x": mark.x.tolist(), "y": mark.y.tolist(), "source": _png_source(mark.bytes())})
        for item in fields(mark):
            value = getattr(mark, item.name)
            if item.name in axes and isinstance(value, np.ndarray):
                value = array(value, axes[item.name])
            elif item.name == "levels":
                value = value.tolist()
            elif item.name == "color" and value != "muted":
                value = PALETTE[value]
            elif isinstance(value, tuple):
                value = list(value)
            out[item.name] = value
        return share(out)

    def axis(item: Axis) -> dict[str, Any]:
        domain = item.domain and list(item.domain)
        return {"label": item.label, "scale": item.scale, "domain": domain, "ticks": item.ticks}

    panels = [
        share(
            {
                "x": axis(panel.x),
                "y": axis(panel.y),
                "title": panel.title,
                "equal": panel.equal,
                "marks": [part(mark, panel) for mark in panel.marks],
            }
        )
        for panel in scene.panels
    ]
    return {"panels": panels, "sentence": scene.sentence}


def _png_source(shades: np.ndarray) -> str:
    """The address of a grey PNG with these shades (uint8) inside it: about a byte a pixel before compression."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = shades.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey
    rows = np.pad(shades, ((0, 0), (1, 0))).tobytes()  # a row starts with its filter: 0, none
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode()


def _height_axis(mark: Field) -> Axis:
    """The scale on which heights are rounded: logarithmic where the levels span decades."""
    low, high = float(mark.levels[0]), float(mark.levels[-1])
    if low > 0 and high / low > 100:
        return Axis("z", "log", (low / 10, high * 10))
    return Axis("z")


# -------------------------------------------------------------------------------------------------- in matplotlib


def draw(scene: Scene, figure: Any = None) -> Any:
    """Draw `scene` with matplotlib.

    Args:
        scene: what to draw.
        figure: a matplotlib figure to draw into; None makes one (closed in pyplot, so that a notebook shows it once).

    Returns:
        The figure.
    """
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(5.0 * len(scene.panels), 4.2), layout="constrained")
        plt.close(figure)
    parts = figure.subfigures(1, len(scene.panels), squeeze=False)[0]
    for part, panel in zip(parts, scene.panels):
        axes = part.add_subplot()
        _frame(axes, panel)
        for order, mark in enumerate(panel.marks, start=2):
            _draw_mark(axes, mark, panel, order)
        handles, labels = axes.get_legend_handles_labels()
        if labels:
            part.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False)
    return figure


def _frame(axes: Any, panel: Panel) -> None:
    axes.set(xlabel=panel.x.label, ylabel=panel.y.label, xscale=panel.x.scale, yscale=panel.y.scale)
    axes.set_title(panel.title, loc="left")
    if panel.x.domain:
        axes.set_xlim(*panel.x.domain)
    if panel.y.domain:
        axes.set_ylim(*panel.y.domain)
    if panel.equal:
        axes.set_aspect("equal", adjustable="box" if panel.x.domain and panel.y.domain else "datalim")
    if not panel.x.ticks:
        axes.set_xticks([])
    if not panel.y.ticks:
        axes.set_yticks([])
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_mark(axes: Any, mark: Mark, panel: Panel, order: int) -> None:
    index = getattr(mark, "color", "muted")
    color = MUTED if index == "muted" else PALETTE[int(index)]
    if isinstance(mark, Field):
        shades = [(0.5, 0.53, 0.57, alpha) for alpha in np.linspace(0.06, 0.45, len(mark.levels))]
        axes.contourf(mark.x, mark.y, mark.z, mark.levels, colors=shades, extend="max", zorder=0)
        axes.contour(mark.x, mark.y, mark.z, mark.levels, colors=MUTED, linewidths=0.7, zorder=1)
    elif isinstance(mark, Line):
        x, y = _visible(mark.x, panel.x), _visible(mark.y, panel.y)
        style = ("--" if mark.dash else "-") if mark.line else "none"
        marker = "o" if mark.markers else None
        axes.plot(
            x, y, ls=style, marker=marker, ms=4, color=color, lw=mark.width, label=mark.label or "_", zorder=order
        )
    elif isinstance(mark, Points):
        x, y = _visible(mark.x, panel.x), _visible(mark.y, panel.y)
        area = (1.5 * mark.size) ** 2  # the diameter in points, squared; a pixel is 3/4 of a point
        axes.scatter(x, y, s=area, color=color, alpha=mark.opacity, lw=0, zorder=order)
        axes.plot([], [], "o", ms=4, color=color, label=mark.label or "_")  # large enough for the legend
    elif isinstance(mark, Image):
        where = {"extent": (*mark.x, *mark.y), "origin": "upper", "aspect": axes.get_aspect(), "zorder": 0}
        axes.imshow(mark.bytes(), cmap="gray", vmin=0, vmax=255, interpolation="nearest", **where)
    elif isinstance(mark, Band):
        low, high = _visible(mark.low, panel.y), _visible(mark.high, panel.y)
        axes.fill_between(
            _visible(mark.x, panel.x), low, high, color=color, alpha=0.2, lw=0, label=mark.label, zorder=order
        )
    elif isinstance(mark, Rule):
        rule, value = (axes.axhline, mark.y) if mark.x is None else (axes.axvline, mark.x)
        rule(value, ls="--" if mark.dash else "-", color=color, lw=1.2, label=mark.label or "_", zorder=order)
    else:
        for x, y, word in zip(_visible(mark.x, panel.x), _visible(mark.y, panel.y), mark.text):
            if np.isfinite(x + y):
                axes.annotate(word, (x, y), (5, 5), textcoords="offset points", fontsize=9, zorder=order)


def _visible(values: np.ndarray, axis: Axis) -> np.ndarray:
    """Gaps for what a log axis cannot show."""
    values = np.asarray(values, dtype=float)
    return np.where(values > 0, values, np.nan) if axis.scale == "log" else values


# --------------------------------------------------------------------------------------------------------- controls


@dataclass(frozen=True)
class Slider:
    """A slider that steps through `values` in a published page and through `live` (default: the same) in a lab.

    `log=True` writes its values as powers, such as 1e-3.
    """

    name: str
    values: Sequence[int | float]
    label: str
    default: int | float
    live: Sequence[int | float] | None = None
    log: bool = False

    def __post_init__(self) -> None:
        for attribute in ("values", "live"):
            values = self.values if getattr(self, attribute) is None else getattr(self, attribute)
            values = tuple(value.item() if isinstance(value, np.generic) else value for value in values)
            if not values or not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
                raise ValueError(f"slider {self.name!r}: {attribute} must be finite numbers, at least one")
            if any(a >= b for a, b in itertools.pairwise(values)):
                raise ValueError(f"slider {self.name!r}: {attribute} must increase")
            if self.default not in values:
                raise ValueError(f"slider {self.name!r}: default {self.default!r} is not among its {attribute}")
            object.__setattr__(self, attribute, values)


@dataclass(frozen=True)
class Choice:
    """A drop-down list of words."""

    name: str
    options: Sequence[str]
    label: str
    default: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        if not self.options or not all(isinstance(option, str) for option in self.options):
            raise ValueError(f"choice {self.name!r}: options must be words, at least one")
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"choice {self.name!r}: options must differ")
        if self.default not in self.options:
            raise ValueError(f"choice {self.name!r}: default {self.default!r} is not among its options")

    @property
    def values(self) -> tuple[str, ...]:
        """The options, under the name a slider gives them."""
        return tuple(self.options)

    @property
    def live(self) -> tuple[str, ...]:
        """The options: a lab offers the same."""
        return tuple(self.options)


Control = Slider | Choice


def control_spec(control: Control, values: Sequence[Value]) -> dict[str, Any]:
    """Return what the browser needs to build `control` over `values`."""
    kind = "slider" if isinstance(control, Slider) else "choice"
    log = isinstance(control, Slider) and control.log
    return {"kind": kind, "name": control.name, "label": control.label, "values": list(values), "log": log}


def nearest(values: Sequence[Value], value: Value) -> Value:
    """Return the allowed value that equals `value`, or for numbers the closest one.

    >>> nearest((1, 5, 25), 7), nearest(("newton", "cubic"), "cubic")
    (5, 'cubic')
    """
    if value in values:
        return values[list(values).index(value)]
    if isinstance(value, str) or any(isinstance(item, str) for item in values):
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, values))}")
    return min(values, key=lambda item: abs(float(item) - float(value)))


# ------------------------------------------------------------------------------------------------------------ views


@dataclass(frozen=True)
class View:
    """A registered view: the function, its controls, and its presets (control values by name)."""

    name: str
    function: Callable[..., Scene] = field(repr=False)
    title: str
    chapter: str
    methods: tuple[str, ...]
    controls: tuple[Control, ...]
    presets: Mapping[str, Mapping[str, Value]]

    def __call__(self, **values: Any) -> Scene:
        """Return the scene at these values; controls not given stand at their default."""
        scene = self.function(**({control.name: control.default for control in self.controls} | values))
        if not isinstance(scene, Scene):
            raise TypeError(f"view {self.name!r} returned {type(scene).__name__}, expected a Scene")
        return scene

    def free(self, fixed: Mapping[str, Any]) -> tuple[Control, ...]:
        """Return the controls that are not fixed; ValueError where `fixed` names what the function does not take."""
        known = inspect.signature(self.function).parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
            for name in fixed:
                if name not in known:
                    raise ValueError(f"view {self.name!r} takes no {name!r}; it takes {', '.join(known)}")
        return tuple(control for control in self.controls if control.name not in fixed)

    def open_presets(self, fixed: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
        """Return the presets that agree with `fixed`, without the values that it fixes."""
        return {
            caption: {name: value for name, value in preset.items() if name not in fixed}
            for caption, preset in self.presets.items()
            if all(fixed.get(name, value) == value for name, value in preset.items())
            and not preset.keys() <= fixed.keys()
        }


VIEWS: dict[str, View] = {}


def view(
    *,
    title: str,
    chapter: str,
    methods: Sequence[str] = (),
    controls: Sequence[Control] = (),
    presets: Mapping[str, Mapping[str, Value]] | None = None,
) -> Callable[[Callable[..., Scene]], Callable[..., Scene]]:
    """Register a pure function from control values to a `Scene`; it stays a function, with its `View` in `.view`.

    Args:
        title: what the picture is called.
        chapter: the page of the book it belongs to, such as "newton/lazy".
        methods: names of the methods it runs.
        controls: sliders and choices; each is a keyword of the function.
        presets: caption to control values, shown as links.

    Raises:
        ValueError: a control or preset that does not fit the function, or a name that another function has.
    """

    def register(function: Callable[..., Scene]) -> Callable[..., Scene]:
        entry = View(function.__name__, function, title, chapter, tuple(methods), tuple(controls), dict(presets or {}))
        _check_view(entry)
        VIEWS[entry.name] = entry
        function.view = entry  # type: ignore[attr-defined]
        return function

    return register


def _check_view(entry: View) -> None:
    where = f"view {entry.name!r}"
    other = VIEWS.get(entry.name)
    if other is not None and other.function.__module__ != entry.function.__module__:
        raise ValueError(f"{where} is already registered by {other.function.__module__}")
    parameters = inspect.signature(entry.function).parameters
    controls = {control.name: control for control in entry.controls}
    if len(controls) != len(entry.controls):
        raise ValueError(f"{where}: two controls have the same name")
    for name, control in controls.items():
        if name not in parameters:
            raise ValueError(f"{where}: control {name!r} is not a keyword of the function")
        if parameters[name].default not in (inspect.Parameter.empty, control.default):
            raise ValueError(
                f"{where}: control {name!r} starts at {control.default!r}, the function at {parameters[name].default!r}"
            )
    for caption, preset in entry.presets.items():
        for name, value in preset.items():
            if name not in controls:
                raise ValueError(f"{where}: preset {caption!r} sets {name!r}, which is not a control")
            if value not in controls[name].values:
                raise ValueError(f"{where}: preset {caption!r} sets {name}={value!r}, not among the control's values")


def views() -> list[View]:
    """Return every view of the package (and those registered since), by name."""
    package = importlib.import_module("secondorder.labs.views")
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return [VIEWS[name] for name in sorted(VIEWS)]


def get_view(view: str | Callable[..., Scene] | View) -> View:
    """Return the `View` of a name or of a decorated function.

    Raises:
        ValueError: no such view; the message lists those there are.
    """
    if isinstance(view, View):
        return view
    if callable(view):
        entry = getattr(view, "view", None)
        if isinstance(entry, View):
            return entry
        raise ValueError(f"{getattr(view, '__name__', view)!r} is not a view: decorate it with @view(...)")
    if view not in VIEWS:
        names = [entry.name for entry in views()]
        if view not in names:
            near = difflib.get_close_matches(str(view), names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ";"
            raise ValueError(f"no view {view!r}{hint} There are: {', '.join(names) or 'none'}")
    return VIEWS[view]
