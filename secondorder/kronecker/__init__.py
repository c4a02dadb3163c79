"""Preconditioners with a Kronecker factor for each side of a layer."""

# ruff: noqa: I001 (the order is that of the book)
from secondorder.kronecker.kfac import kfac
from secondorder.kronecker.ekfac import ekfac
from secondorder.kronecker.shampoo import shampoo

__all__ = ["ekfac", "kfac", "shampoo"]
