"""Newton's method and what keeps it from failing; first-order and quasi-Newton methods for contrast."""

# ruff: noqa: I001 (the order is that of the book, and of the catalogue)
from secondorder.newton.gradient_descent import gradient_descent
from secondorder.newton.nesterov import nesterov
from secondorder.newton.nonlinear_cg import nonlinear_cg
from secondorder.newton.lbfgs import lbfgs
from secondorder.newton.bfgs import bfgs
from secondorder.newton.sr1 import sr1
from secondorder.newton.newton import newton
from secondorder.newton.newton_cg import newton_cg
from secondorder.newton.trust_region import trust_region
from secondorder.newton.cubic import cubic_newton
from secondorder.newton.arc import arc
from secondorder.newton.gradient_regularized import gradient_regularized_newton
from secondorder.newton.lazy import lazy_newton, lazy_regularized_newton

__all__ = [
    "arc",
    "bfgs",
    "cubic_newton",
    "gradient_descent",
    "gradient_regularized_newton",
    "lazy_newton",
    "lazy_regularized_newton",
    "lbfgs",
    "nesterov",
    "newton",
    "newton_cg",
    "nonlinear_cg",
    "sr1",
    "trust_region",
]
