"""Frank–Wolfe methods: a linear problem over the feasible set instead of a projection, and a gap that proves the answer."""

# ruff: noqa: I001 (the order is that of the book, and of the catalogue)
from secondorder.frank_wolfe.frank_wolfe import frank_wolfe
from secondorder.frank_wolfe.monotone import monotone_frank_wolfe
from secondorder.frank_wolfe.away_step import away_step
from secondorder.frank_wolfe.pairwise import pairwise
from secondorder.frank_wolfe.blended_pairwise import blended_pairwise
from secondorder.frank_wolfe.second_order import second_order_frank_wolfe
from secondorder.frank_wolfe.zeroth_order import zeroth_order_frank_wolfe
from secondorder.frank_wolfe.projected_gradient import projected_gradient

__all__ = [
    "away_step",
    "blended_pairwise",
    "frank_wolfe",
    "monotone_frank_wolfe",
    "pairwise",
    "projected_gradient",
    "second_order_frank_wolfe",
    "zeroth_order_frank_wolfe",
]
