"""Views, and the two ways to show them: live in a notebook (`explore`) and in a page without a server (`page`)."""

from __future__ import annotations

from typing import Any

# `page` and `views` are functions here and modules below: the modules come first, so that the functions keep the names.
import secondorder.labs.views  # noqa: F401
from secondorder.labs.notebooks import source
from secondorder.labs.page import page
from secondorder.labs.scene import (
    Axis,
    Band,
    Choice,
    Field,
    Image,
    Line,
    Panel,
    Points,
    Rule,
    Scene,
    Slider,
    Text,
    draw,
    get_view,
    view,
    views,
)

__all__ = [
    "Axis",
    "Band",
    "Choice",
    "Field",
    "Image",
    "Line",
    "Panel",
    "Points",
    "Rule",
    "Scene",
    "Slider",
    "Text",
    "draw",
    "explore",
    "get_view",
    "page",
    "source",
    "view",
    "views",
]


def __getattr__(name: str) -> Any:
    if name == "explore":  # the only part that needs anywidget
        from secondorder.labs.explorer import explore

        return explore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
