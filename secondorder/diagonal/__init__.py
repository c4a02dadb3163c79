"""Methods that scale each coordinate by itself."""

from secondorder.diagonal.adahessian import adahessian
from secondorder.diagonal.adam import adam, adamw

__all__ = ["adahessian", "adam", "adamw"]
