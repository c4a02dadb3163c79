"""Second-order optimisation, to read, to move and to check.

>>> import secondorder as so
>>> so.minimize(so.problems.rosenbrock(), "cubic_newton").status
'converged'
"""

from __future__ import annotations

import importlib
from typing import Any

from secondorder.catalogue import FAMILIES, method, methods
from secondorder.history import History
from secondorder.measure import Estimate, measured_order, measured_rate
from secondorder.oracles import Problem, to_device
from secondorder.run import Comparison, Iterate, compare, minimize, sample
from secondorder.scipy_bridge import as_scipy

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Estimate",
    "History",
    "Iterate",
    "Problem",
    "as_scipy",
    "compare",
    "measured_order",
    "measured_rate",
    "method",
    "methods",
    "minimize",
    "sample",
    "to_device",
]

_ROOMS = (
    *FAMILIES,
    "distances",
    "guarantees",
    "labs",
    "linalg",
    "operators",
    "plots",
    "problems",
    "schedules",
    "sets",
    "stopping",
    "validate",
)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"secondorder.{name}")
    raise AttributeError(f"module 'secondorder' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
