"""Steepest descent in the metric of the Fisher information."""

from secondorder.natural.natural_gradient import natural_gradient

__all__ = ["natural_gradient"]
