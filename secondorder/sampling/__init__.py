"""Samplers: generators of particle clouds, from Langevin dynamics to diffusion models."""

# ruff: noqa: I001 (the order is that of the book, and of the catalogue)
from secondorder.sampling.langevin import langevin
from secondorder.sampling.newton_langevin import newton_langevin
from secondorder.sampling.rank_one_langevin import rank_one_langevin
from secondorder.sampling.annealed_langevin import annealed_langevin
from secondorder.sampling.ddpm import ddpm
from secondorder.sampling.ddim import ddim
from secondorder.sampling.probability_flow import probability_flow
from secondorder.sampling.dpm_solver import dpm_solver
from secondorder.sampling.adams_bashforth import adams_bashforth
from secondorder.sampling.lml import lml

__all__ = [
    "adams_bashforth",
    "annealed_langevin",
    "ddim",
    "ddpm",
    "dpm_solver",
    "langevin",
    "lml",
    "newton_langevin",
    "probability_flow",
    "rank_one_langevin",
]
