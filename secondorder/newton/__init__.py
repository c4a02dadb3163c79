"""Newton's method and what keeps it from failing; gradient descent for contrast."""

# ruff: noqa: I001 (the order is that of the book, and of the catalogue)
from secondorder.newton.gradient_descent import gradient_descent
from secondorder.newton.newton import newton
from secondorder.newton.cubic import cubic_newton
from secondorder.newton.lazy import lazy_newton, lazy_regularized_newton

__all__ = ["cubic_newton", "gradient_descent", "lazy_newton", "lazy_regularized_newton", "newton"]
