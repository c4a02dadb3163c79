"""Sums of squares: methods that use the Jacobian of the residual in place of the Hessian."""

# ruff: noqa: I001 (the order is that of the book, and of the catalogue)
from secondorder.least_squares.gauss_newton import gauss_newton
from secondorder.least_squares.levenberg_marquardt import levenberg_marquardt
from secondorder.least_squares.variable_projection import variable_projection
from secondorder.least_squares.exact_gauss_newton import exact_gauss_newton

__all__ = ["exact_gauss_newton", "gauss_newton", "levenberg_marquardt", "variable_projection"]
