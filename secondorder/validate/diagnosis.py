"""What explains a difference: the smallest set of changes to the reference under which it agrees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from secondorder.validate.comparison import Match
from secondorder.validate.recording import Recording


@dataclass(frozen=True)
class Explanation:
    """The changes to the reference under which it agrees; none where nothing was found."""

    switches: tuple[Any, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"switches": []}


def explain(
    function: Callable[..., Any], hyper: Mapping[str, Any], recording: Recording, found: Match
) -> Explanation | None:
    """Search for what explains the difference."""
    return None
