"""The mathematics under the methods. No problem, no method: arrays in, arrays out."""

from secondorder.linalg.dense import Eigen, eigen, solve_definite
from secondorder.linalg.krylov import CG, Lanczos, cg, lanczos
from secondorder.linalg.line_search import armijo, rounding
from secondorder.linalg.secular import CubicStep, cubic_step

__all__ = [
    "CG",
    "CubicStep",
    "Eigen",
    "Lanczos",
    "armijo",
    "cg",
    "cubic_step",
    "eigen",
    "lanczos",
    "rounding",
    "solve_definite",
]
