"""The mathematics under the methods. No problem, no method: arrays in, arrays out."""

from secondorder.linalg.dense import Eigen, eigen, flipped_solve, modified_cholesky, shifted_solve, solve_definite
from secondorder.linalg.krylov import (
    CG,
    MINRES,
    KrylovStep,
    Lanczos,
    TruncatedStep,
    cg,
    krylov_step,
    lanczos,
    lanczos_walk,
    minres,
    steihaug,
)
from secondorder.linalg.line_search import armijo, reduction_ratio, rounding, wolfe
from secondorder.linalg.secular import ModelStep, cauchy_length, cubic_step, trust_region_step

__all__ = [
    "CG",
    "MINRES",
    "Eigen",
    "KrylovStep",
    "Lanczos",
    "ModelStep",
    "TruncatedStep",
    "armijo",
    "cauchy_length",
    "cg",
    "cubic_step",
    "eigen",
    "flipped_solve",
    "krylov_step",
    "lanczos",
    "lanczos_walk",
    "minres",
    "modified_cholesky",
    "reduction_ratio",
    "rounding",
    "shifted_solve",
    "solve_definite",
    "steihaug",
    "trust_region_step",
    "wolfe",
]
