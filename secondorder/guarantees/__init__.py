"""What theorems promise of the methods, each held against a run on a problem whose constants are known.

The tests assert every inequality at every iteration, and the book's table "promised and measured" is made from the same runs.

>>> import secondorder as so
>>> verdict = so.guarantees.get("nesterov: values").run()
>>> len(verdict.left), len(verdict.violations)
(2000, 0)
"""

# ruff: noqa: I001 (the order is that of the book)
from secondorder.catalogue import nearest
from secondorder.guarantees.core import GUARANTEES, RATES, Guarantee, Rate, Verdict, guarantee, rate
from secondorder.guarantees import classical, escape
from secondorder.guarantees import regularized
from secondorder.guarantees import stepsized
from secondorder.guarantees import normalized
from secondorder.guarantees import polynomial
from secondorder.guarantees import accelerated
from secondorder.guarantees import tensor

__all__ = [
    "GUARANTEES",
    "RATES",
    "Guarantee",
    "Rate",
    "Verdict",
    "accelerated",
    "classical",
    "escape",
    "get",
    "guarantee",
    "normalized",
    "polynomial",
    "rate",
    "regularized",
    "stepsized",
    "tensor",
]


def get(name: str) -> Guarantee:
    """The guarantee of that name, such as "cubic_newton: values"; :data:`GUARANTEES` has them all."""
    if name not in GUARANTEES:
        raise ValueError(f"unknown guarantee {name!r}{nearest(name, GUARANTEES)}")
    return GUARANTEES[name]
