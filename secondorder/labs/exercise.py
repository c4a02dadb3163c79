"""Exercises: one tagged notebook is the source of the student's version and of the solution.

Cells carry the tags ``stub`` (what the student fills in), ``hint``, ``solution`` and ``check``.
"""

from __future__ import annotations

import copy
from typing import Any


def tagged(notebook: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    """The cells of a notebook, as read by ``json`` or ``nbformat``, that carry ``tag``."""
    return [cell for cell in notebook["cells"] if tag in cell["metadata"].get("tags", ())]


def student(notebook: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``notebook`` without the cells tagged ``solution``, to hand out to a class.

    >>> cells = [{"metadata": {"tags": [tag]}, "source": tag} for tag in ("stub", "hint", "solution", "check")]
    >>> [cell["source"] for cell in student({"cells": cells})["cells"]]
    ['stub', 'hint', 'check']
    """
    handed_out = copy.deepcopy(notebook)
    solutions = tagged(handed_out, "solution")
    handed_out["cells"] = [cell for cell in handed_out["cells"] if cell not in solutions]
    return handed_out
