"""What a run of L-BFGS with a line search must satisfy whatever points the search prefers."""

from __future__ import annotations

from collections import deque

import numpy as np

from secondorder.newton.lbfgs import two_loop
from secondorder.validate import Finding, Recording

SMALL = 1e-9
"""Steps shorter than this share of x are not judged: their pairs are rounding."""


def findings(run: Recording, memory: int, decrease: float, curvature: float) -> tuple[Finding, ...]:
    """The directions against the two-loop recursion, and the step lengths against the strong Wolfe conditions."""
    assert run.problem is not None and not run.failure, run.failure
    problem, pairs = run.problem, deque(maxlen=memory)  # type: ignore[var-annotated]
    angles, missed = [], []
    for k in range(len(run.rows) - 1):
        x, new = run.rows[k].x, run.rows[k + 1].x
        step, grad, grad_new = new - x, problem.grad(x), problem.grad(new)
        if np.linalg.norm(step) <= SMALL * np.linalg.norm(x):
            break
        direction = two_loop(pairs, grad)
        along = direction * (step @ direction) / (direction @ direction)
        angles.append(float(np.linalg.norm(step - along) / np.linalg.norm(step)))
        slope, slope_new, change = grad @ step, grad_new @ step, problem.f(new) - problem.f(x)
        rounding = 1e-12 * abs(problem.f(x))
        if change > decrease * slope + rounding or abs(slope_new) > curvature * abs(slope) + rounding:
            missed.append(k + 1)
        y = grad_new - grad
        if step @ y > 1e-8 * np.linalg.norm(step) * np.linalg.norm(y):
            pairs.append((step, y, float(step @ y)))
    worst = max(angles)
    straight, judged = worst <= 1e-6, len(angles)
    return (
        Finding(
            "direction",
            straight,
            f"{judged} directions leave those of the two-loop recursion by at most {worst:.1e} of the step",
            {"worst": worst, "steps": judged},
        ),
        Finding(
            "strong Wolfe conditions",
            not missed,
            f"met at {judged - len(missed)} of {judged} steps (c1={decrease:g}, c2={curvature:g})"
            + (f", missed at {', '.join(map(str, missed))}" if missed else ""),
            {"missed": missed, "steps": judged},
        ),
    )
