"""Frank–Wolfe methods: a linear problem over the feasible set instead of a projection, and a gap that proves the answer."""

# ruff: noqa: I001 (the order is that of the book, and of the catalogue)
from secondorder.frank_wolfe.frank_wolfe import frank_wolfe
from secondorder.frank_wolfe.away_step import away_step

__all__ = ["away_step", "frank_wolfe"]
