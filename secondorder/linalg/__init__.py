"""The mathematics under the methods. No problem, no method: arrays in, arrays out."""

from secondorder.linalg.dense import Eigen, eigen, solve_definite
from secondorder.linalg.krylov import CG, MINRES, KrylovStep, Lanczos, cg, krylov_step, lanczos, lanczos_walk, minres
from secondorder.linalg.line_search import armijo, rounding
from secondorder.linalg.secular import ModelStep, cubic_step, trust_region_step

__all__ = [
    "CG",
    "MINRES",
    "Eigen",
    "KrylovStep",
    "Lanczos",
    "ModelStep",
    "armijo",
    "cg",
    "cubic_step",
    "eigen",
    "krylov_step",
    "lanczos",
    "lanczos_walk",
    "minres",
    "rounding",
    "solve_definite",
    "trust_region_step",
]
