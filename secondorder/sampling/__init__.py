"""Samplers: generators of particle clouds, from Langevin dynamics to diffusion models."""

# ruff: noqa: I001 (the order is that of the book, and of the catalogue)
from secondorder.sampling.langevin import langevin
from secondorder.sampling.ddim import ddim

__all__ = [
    "ddim",
    "langevin",
]
