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
from secondorder.newton.zeroth_order import perturbed_zeroth_order
from secondorder.newton.gradient_regularized import gradient_regularized_newton
from secondorder.newton.adaptive_gradient_regularized import adaptive_gradient_regularized_newton
from secondorder.newton.super_universal import super_universal_newton
from secondorder.newton.affine_invariant_cubic import affine_invariant_cubic_newton
from secondorder.newton.root_newton import root_newton
from secondorder.newton.lazy import lazy_newton, lazy_regularized_newton
from secondorder.newton.accelerated_cubic import accelerated_cubic_newton
from secondorder.newton.accelerated_inexact import accelerated_inexact_newton
from secondorder.newton.gradient_normalized import gradient_normalized_newton
from secondorder.newton.polynomial_preconditioned import polynomial_preconditioned_gradient
from secondorder.newton.accelerated_tensor import accelerated_tensor_method

__all__ = [
    "accelerated_cubic_newton",
    "accelerated_inexact_newton",
    "accelerated_tensor_method",
    "adaptive_gradient_regularized_newton",
    "affine_invariant_cubic_newton",
    "arc",
    "bfgs",
    "cubic_newton",
    "gradient_descent",
    "gradient_normalized_newton",
    "gradient_regularized_newton",
    "lazy_newton",
    "lazy_regularized_newton",
    "lbfgs",
    "nesterov",
    "newton",
    "newton_cg",
    "nonlinear_cg",
    "perturbed_zeroth_order",
    "polynomial_preconditioned_gradient",
    "root_newton",
    "sr1",
    "super_universal_newton",
    "trust_region",
]
