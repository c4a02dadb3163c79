"""Numbers that a caller gives: converted, or refused with an error that names them."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np


def whole(name: str, value: Any) -> int:
    """``value`` as an integer, at least 1, or an error that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a whole number, at least 1; got {value!r}")
    return int(value)


def size(name: str, value: Any) -> float:
    """``value`` as a finite number above 0, or an error that names it."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < math.inf:
        raise ValueError(f"{name} must be a finite number above 0; got {value!r}")
    return float(value)
