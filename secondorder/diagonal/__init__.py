"""Methods that scale each coordinate by itself."""

from secondorder.diagonal.adam import adam, adamw

__all__ = ["adam", "adamw"]
