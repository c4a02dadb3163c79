"""optax on JAX."""

from __future__ import annotations

import optax

import secondorder as so
from production.line_searches import findings
from production.records import Case
from secondorder.validate import check, from_optax, record

STEPS = 50


def cases() -> list[Case]:
    """adam step by step; lbfgs direction by direction."""
    return [
        Case("adam", "adam", f"learning_rate=0.001, {STEPS} steps led along each other in float64.", adam),
        Case(
            "lbfgs",
            "lbfgs",
            "Defaults; each direction against the two-loop recursion on the points and gradients of the run, each step length "
            "against the strong Wolfe conditions, which leave it free within them.",
            lbfgs,
        ),
    ]


def adam():
    return check(from_optax(optax.adam(1e-3), name="optax.adam"), "adam", steps=STEPS)


def lbfgs():
    run = record(from_optax(optax.lbfgs(), name="optax.lbfgs"), so.problems.rosenbrock(), steps=30)
    return findings(run, memory=10, decrease=1e-4, curvature=0.9)
