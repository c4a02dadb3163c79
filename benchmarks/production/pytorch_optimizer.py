"""pytorch_optimizer, the same cases for each version."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
import pytorch_optimizer
import torch

import secondorder as so
from production.records import Case
from secondorder.validate import Candidate, Finding, check, from_torch, record, refresh_schedule, unbiased_probes
from secondorder.validate.problems import network

STEPS, EPSILON, RATE = 30, 1e-6, 1e-3
ROOTS_IN_SINGLE = importlib.metadata.version("pytorch_optimizer") < "4"
"""Version 3 takes the roots of Shampoo's factors in float32, whatever the parameters are."""


def cases() -> list[Case]:
    """Shampoo and AdaHessian step by step; AdaHessian and SophiaH by probes alone."""
    led = f"{STEPS} steps led along each other"
    precision = "float64, to which its roots were changed from float32" if ROOTS_IN_SINGLE else "float64"
    shampoo = f"lr=0.001, matrix_eps=1e-6, {led}; {precision}"
    hutchinson = {"hessian_distribution": "rademacher"}
    return [
        Case("Shampoo, precision", "shampoo", "The inverse root of one float64 factor.", precision_of_roots),
        Case("Shampoo", "shampoo", f"{shampoo}; a network of two matrices.", matrices),
        Case(
            "Shampoo, momentum",
            "shampoo",
            f"momentum=0.9, {shampoo}; the same network.",
            lambda: matrices(momentum=0.9),
        ),
        Case("Shampoo, a vector", "shampoo", f"matrix_eps=1e-4, otherwise {shampoo}; one vector.", vector),
        Case(
            "Shampoo, roots every ten steps",
            "shampoo",
            "preconditioning_compute_steps=10: the first step that moves x.",
            first_movement,
        ),
        Case(
            "AdaHessian",
            "adahessian",
            f"hessian_distribution='rademacher', eps=1e-4, lr=0.1, {led} in float64 with the same probes.",
            adahessian,
        ),
        Case(
            "AdaHessian, probes",
            "probes",
            "hessian_distribution='rademacher': its products with the Hessian, seen from outside.",
            lambda: probes(pytorch_optimizer.AdaHessian, **hutchinson),
        ),
        Case(
            "SophiaH, probes",
            "probes",
            "hessian_distribution='rademacher', update_period=10: its products with the Hessian, seen from outside.",
            lambda: probes(pytorch_optimizer.SophiaH, update_period=10, **hutchinson),
        ),
        Case("SophiaH, a period of one", "probes", "update_period=1: five steps.", lambda: runs(update_period=1)),
    ]


def matrices(**options: Any):
    return led_along(network(), EPSILON, **options)


def vector():
    return led_along(so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2), 1e-4)


def led_along(problem: so.Problem, epsilon: float, **options: Any):
    if ROOTS_IN_SINGLE:
        pytorch_optimizer.optimizer.shampoo.compute_power_svd = power
    return check(
        factored(epsilon, **options), "shampoo", problem, steps=STEPS, learning_rate=RATE, epsilon=epsilon, **options
    )


def factored(epsilon: float, **options: Any) -> Candidate:
    """Shampoo with its factors under the names of the reference, which keeps them without the ridge they start from."""
    optimiser = from_torch(pytorch_optimizer.Shampoo, lr=RATE, matrix_eps=epsilon, **options)

    def without_ridge(factors: Any) -> Any:
        if factors is None:
            return None
        return tuple(
            each - epsilon * np.eye(len(each)) for each in (factors if isinstance(factors, tuple) else (factors,))
        )

    def iterates(problem, x, *, batch_size=None, rng=None):
        for row in optimiser.iterates(problem, x, batch_size=batch_size, rng=rng):
            left, right = (without_ridge(row.quantities.get(f"pre_cond_{axis}")) for axis in (0, 1))
            yield so.Iterate(row.x, left_factor=left, right_factor=right)
        return "finished"

    return Candidate("Shampoo", iterates)


def power(matrix: torch.Tensor, order: float) -> torch.Tensor:
    """The function of that name in version 3, without its cast to float32."""
    u, s, vh = torch.linalg.svd(matrix)
    return u @ torch.diag(s ** (-1.0 / order)) @ vh


def precision_of_roots() -> Finding:
    """The released function against the power of the same factor by an eigendecomposition in float64."""
    module = pytorch_optimizer.optimizer.shampoo
    factor = torch.tensor(np.diag([1.0, 2.0, 4.0]) + 0.5, dtype=torch.float64)
    values, vectors = np.linalg.eigh(factor.numpy())
    exact = vectors @ np.diag(values**-0.5) @ vectors.T
    error = float(np.max(np.abs(module.compute_power_svd(factor, 2).numpy() - exact)) / np.max(np.abs(exact)))
    words = f"the inverse root of a well-conditioned factor in float64 is right to {error:.1e}"
    return Finding("precision of the roots", error < 1e-12, words, {"error": error})


def first_movement() -> Finding:
    run = record(from_torch(pytorch_optimizer.Shampoo, preconditioning_compute_steps=10), network(), steps=12)
    moves = [k for k in range(1, len(run.rows)) if not np.array_equal(run.rows[k].x, run.rows[k - 1].x)]
    words = f"x first moves at step {moves[0]}; the reference takes roots at the first step and every tenth after"
    return Finding("first movement", moves[0] == 1, words, {"first": moves[0]})


def adahessian():
    optimiser = from_torch(pytorch_optimizer.AdaHessian, hessian_distribution="rademacher", eps=1e-4, lr=0.1)
    return check(optimiser, "adahessian", steps=STEPS, learning_rate=0.1, epsilon=1e-4)


def probes(make: Any, **options: Any) -> tuple[Finding, ...]:
    optimiser = from_torch(make, **options)
    return unbiased_probes(optimiser), refresh_schedule(optimiser, expected=0)


def runs(**options: Any) -> Finding:
    run = record(from_torch(pytorch_optimizer.SophiaH, **options), network(), steps=5)
    return Finding(
        "it runs", not run.failure, run.failure or "five steps without an error", {"steps": len(run.rows) - 1}
    )
