"""PyTorch's own optimisers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import secondorder as so
from production.line_searches import findings
from production.records import Case
from secondorder.validate import Candidate, Finding, check, from_torch, record

STEPS = 50


def cases() -> list[Case]:
    """Adam and AdamW step by step; L-BFGS with and without its line search, an iteration a step."""
    return [
        Case("Adam", "adam", f"Defaults, {STEPS} steps led along each other in float64.", adam),
        Case("AdamW", "adamw", f"weight_decay=0.01 in both, {STEPS} steps in float64.", adamw),
        Case(
            "LBFGS",
            "lbfgs",
            "Defaults with max_iter=1, so that a step is an iteration, and no stopping tolerances; 12 steps in float64.",
            plain,
        ),
        Case(
            "LBFGS, late pairs",
            "lbfgs",
            "The same against fixed_step=1 on a logistic regression, until it has converged.",
            late_pairs,
        ),
        Case(
            "LBFGS, strong Wolfe",
            "lbfgs",
            "An iteration a step; each direction against the two-loop recursion on the points and gradients of the run, each "
            "step length against the strong Wolfe conditions, which leave it free within them.",
            strong_wolfe,
        ),
    ]


def adam():
    return check(from_torch(torch.optim.Adam), "adam", steps=STEPS)


def adamw():
    return check(from_torch(torch.optim.AdamW, weight_decay=0.01), "adamw", steps=STEPS, weight_decay=0.01)


def plain():
    return check(iteration_by_iteration(), "lbfgs", steps=12, memory=100)


def late_pairs() -> Finding:
    """From where on it leaves the reference, and the product s·y of the pair that was left out there."""
    problem = so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2)
    run = record(iteration_by_iteration(), problem, steps=30)
    report = check(run, "lbfgs", memory=100, fixed_step=1.0, diagnose=False)
    if report.first is None:
        return Finding("late pairs", True, report.verdict, {"worst": report.match.worst})
    k = report.first.step
    s, y = (ask(run.rows[k - 1].x) - ask(run.rows[k - 2].x) for ask in (lambda x: x, problem.grad))
    cosine = s @ y / (np.linalg.norm(s) * np.linalg.norm(y))
    words = (
        f"to {np.nanmax(report.errors['step'][:k]):.1e} the same up to step {k - 1}; there s·y of the new pair is {s @ y:.1e}, "
        f"below its absolute threshold 1e-10, and the pair is left out, though the cosine of s and y is {cosine:.2f}"
    )
    assert s @ y <= 1e-10
    return Finding("late pairs", False, words, {"step": k, "product": float(s @ y), "cosine": float(cosine)})


def iteration_by_iteration(**options: Any) -> Candidate:
    return from_torch(torch.optim.LBFGS, max_iter=1, tolerance_grad=0.0, tolerance_change=0.0, **options)


def strong_wolfe():
    optimiser = iteration_by_iteration(line_search_fn="strong_wolfe", max_eval=26)
    return findings(record(optimiser, so.problems.rosenbrock(), steps=30), memory=100, decrease=1e-4, curvature=0.9)
