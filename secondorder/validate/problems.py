"""On what a candidate is judged unless the user says otherwise: small problems on which a mistake shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from secondorder import problems, sets
from secondorder.catalogue import Method, find
from secondorder.oracles import Problem
from secondorder.schedules import NoiseGrid


def problems_for(method: str | Callable[..., Any] | Method, hyper: Mapping[str, Any] | None = None) -> list[Problem]:
    """The problems a method is judged on, each with a start at which curvature, scale and sign all matter.

    Parameters
    ----------
    method : str, function or Method
        A name from :func:`secondorder.methods`, a method, or what the catalogue knows of one.
    hyper : mapping, optional
        Hyper-parameters that ask for other oracles than the defaults; those problems are left out that do not offer them.

    Returns
    -------
    list of Problem
        Made anew by each call.

    >>> [problem.name for problem in problems_for("adam")]
    ['mlp', 'rosenbrock']
    """
    info: Method = method if isinstance(method, Method) else find(method).method  # type: ignore[attr-defined]
    oracles = info.oracles(hyper)
    if info.kind == "sampler":
        return [problems.gaussian_mixture()]
    if {"lmo", "project"} & set(oracles):
        smooth = problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2)
        return [smooth.subject_to(sets.L1Ball(5, 3.0)), smooth.subject_to(sets.Simplex(5)), beyond_a_face()]
    if "residual" in oracles:
        return [problems.nist("Misra1a", start=1), *(problems.nist("MGH09", start=start) for start in (1, 2))]
    if info.family in ("natural", "kronecker", "diagonal", "least_squares"):
        return [network(), problems.rosenbrock()] if "signals" not in oracles else [network()]
    valleys = [problems.rosenbrock(), problems.himmelblau(), problems.chebyshev_rosenbrock()]
    chosen: list[Problem] = [problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2), *valleys, network()]
    if "diagonal_rank_one" in oracles:
        chosen.append(problems.power_of_residual(3, n=12, d=4))
    return [problem for problem in chosen if set(oracles) <= {*problem.oracles, "hvp"}]


def cloud(problem: Problem, grid: NoiseGrid | None, particles: int, seed: int) -> np.ndarray:
    """Where a sampler starts: normal numbers, of the size of the noise at the first level."""
    scale = 1.0 if grid is None else grid.levels[0].sigma
    return scale * np.random.default_rng(seed).standard_normal((particles, np.size(problem.x0)))  # type: ignore[arg-type]


def beyond_a_face() -> Problem:
    """The square of a weighted distance to a point outside of a ball in the 1-norm: its solution lies on a face, and steps
    are cut short."""
    weights, centre = np.arange(1.0, 5.0), np.array([0.5, 2.0, -2.5, 2.5])
    return Problem(
        lambda x: float(0.5 * weights @ (x - centre) ** 2),
        lambda x: weights * (x - centre),
        lambda x: np.diag(weights),
        name="beyond a face",
        constraint=sets.L1Ball(4, 1.0),
    )


def network(examples: int = 24) -> Problem:
    """A network of 3 inputs, 4 hidden units and 3 classes, on made-up data: 31 weights in matrices that are not square."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((examples, 3))
    y = np.argmax(X @ rng.standard_normal((3, 3)), axis=1)
    return problems.mlp((X, y), [3, 4, 3], l2=1e-2)
