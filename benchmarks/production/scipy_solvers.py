"""SciPy's second-order solvers: their subproblems, and what each step must satisfy."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize._trustregion import _minimize_trust_region
from scipy.optimize._trustregion_exact import IterativeSubproblem
from scipy.optimize._trustregion_krylov import get_trlib_quadratic_subproblem

import secondorder as so
from production.records import Case
from secondorder.run import Iterate
from secondorder.validate import (
    Candidate,
    Finding,
    Recording,
    check,
    check_step_solver,
    from_scipy,
    from_scipy_least_squares,
    record,
)
from secondorder.validate.adapters import handed

STEPS = 20


def exact(k_easy: float, k_hard: float) -> Callable[[Any, Any, float], Any]:
    """trust-exact's subproblem, accurate to a share k of the radius."""

    def solver(g: Any, H: Any, radius: float) -> Any:
        model = IterativeSubproblem(
            np.zeros(len(g)), lambda x: 0.0, lambda x: g, lambda x: H, k_easy=k_easy, k_hard=k_hard
        )
        return model.solve(radius)[0]

    return solver


def krylov(inexact: bool) -> Callable[[Any, Any, float], Any]:
    """trust-krylov's subproblem, stopped as trust-krylov stops it or run to the end."""
    interior, boundary = (-2.0, -3.0) if inexact else (1e-8, 1e-6)
    make = get_trlib_quadratic_subproblem(tol_rel_i=interior, tol_rel_b=boundary)

    def solver(g: Any, H: Any, radius: float) -> Any:
        return make(np.zeros(len(g)), lambda x: 0.0, lambda x: g, None, lambda x, v: H @ v).solve(radius)[0]

    return solver


def logistic() -> Any:
    """Convex and smooth, with a Hessian that changes."""
    return so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2)


def trust_exact() -> dict[str, Any]:
    """Led along with its own radii, as it is and with its subproblem solved to 1e-12 of the radius."""
    options = {"initial_trust_radius": 1.0, "max_trust_radius": 1000.0, "eta": 0.1, "gtol": 1e-12}

    def tight(problem: Any, x: Any) -> Any:
        def solve(tell: Any) -> Any:
            return _minimize_trust_region(
                problem.f,
                np.array(x),
                jac=problem.grad,
                hess=problem.hess,
                subproblem=functools.partial(IterativeSubproblem, k_easy=1e-12, k_hard=1e-12),
                callback=lambda intermediate_result: tell(intermediate_result.x),
                **options,
            )

        yield Iterate(x)
        yield from handed(solve)

    hyper = {"initial_radius": 1.0, "max_radius": 1000.0, "acceptance": 0.1}
    reports = [
        check(each, "trust_region", logistic(), steps=STEPS, probes=False, diagnose=False, **hyper)
        for each in (from_scipy("trust-exact", **options), Candidate("tight", tight))
    ]
    loose, accurate = reports
    words = f"{loose.verdict}; with its subproblem solved to 1e-12 of the radius (k_easy, k_hard): {accurate.verdict}"
    return {
        "verdict": "agrees" if loose.agrees else "departs" if accurate.agrees else "differs, unexplained",
        "words": words,
        "evidence": {"as it is": loose.to_dict()["first"], "accurate": accurate.to_dict()["worst"]},
        "explanation": ["k_easy=0.1, k_hard=0.2: a step within a tenth of the radius is good enough"],
        "worst": loose.match.worst,
        "steps": loose.steps,
        "problem": loose.problem,
    }


def newton_cg() -> tuple[Finding, ...]:
    """Every step against the conjugate gradient iterates of its system, and the rule that chose among them."""
    problem = logistic()
    run = record(from_scipy("Newton-CG", xtol=0.0), problem, steps=STEPS)
    angles, chosen, ended, lengths = [], [], [], []
    for before, after in itertools.pairwise(run.rows):
        step, grad, H = after.x - before.x, problem.grad(before.x), problem.hess(before.x)
        size = np.sum(np.abs(grad))
        if np.linalg.norm(step) == 0.0:
            break
        iterates = list(conjugate_gradients(H, grad, len(grad)))
        allowed = min(0.5, np.sqrt(size)) * size
        first = next(k for k, (_, residual, _) in enumerate(iterates) if np.sum(np.abs(residual)) <= allowed)
        angles.append(min(sine(step, each) for each, *_ in iterates))
        chosen.append(sine(step, iterates[first][0]) < 1e-8)
        k = int(np.argmin([sine(step, each) for each, *_ in iterates]))
        ended.append(not chosen[-1] and iterates[k][2] <= 3.0 * np.finfo(float).eps)
        lengths.append(float(np.linalg.norm(step) / np.linalg.norm(iterates[first][0])))
    worst = max(angles)
    return (
        Finding(
            "direction",
            worst < 1e-10,
            f"{len(angles)} steps leave the conjugate gradient iterates of H s = -g by at most {worst:.1e}",
            {"worst": worst, "steps": len(angles)},
        ),
        Finding(
            "truncation",
            all(chosen),
            f"at {sum(chosen)} of {len(chosen)} steps it is the first with |Hs + g|_1 <= min(1/2, sqrt|g|_1) |g|_1, which "
            "is the rule of newton_cg in another norm"
            + f"; at {sum(ended)} a direction d with d'Hd <= 3 eps, an absolute test, ended it earlier"
            * any(ended),
            {"kept": sum(chosen), "steps": len(chosen), "step_sizes": lengths},
        ),
    )


def conjugate_gradients(H: Any, g: Any, most: int) -> Any:
    """The iterates of H s = -g from 0, their residuals, and d'Hd of the next direction d."""
    s, residual = np.zeros(len(g)), np.array(g)
    direction = -residual
    for _ in range(most):
        square = residual @ residual
        alpha = square / (direction @ H @ direction)
        s = s + alpha * direction
        residual = residual + alpha * (H @ direction)
        direction = -residual + residual @ residual / square * direction
        yield s, residual, direction @ H @ direction


def sine(a: Any, b: Any) -> float:
    """Of the angle between two vectors."""
    return float(np.linalg.norm(a - b * (a @ b) / (b @ b)) / np.linalg.norm(a))


def minpack() -> tuple[Finding, ...]:
    """Every step against the family of Levenberg-Marquardt steps, with the scaling that SciPy hands to MINPACK."""
    found = []
    options = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    for name in ("Misra1a", "MGH09", "Thurber"):
        for words, scale in (("identity scaling", 1.0), ("scaling by the columns of J", "jac")):
            problem = so.problems.nist(name, start=1)
            run = record(from_scipy_least_squares("lm", x_scale=scale, **options), problem, steps=STEPS)
            found.append(_of_the_family(f"{name}, {words}", run, problem, scale))
    return tuple(found)


def _of_the_family(name: str, run: Recording, problem: Any, scale: Any) -> Finding:
    """For some mu >= 0, (J'J + mu D^2) s = -J'r: what is left of the equation, over its right side."""
    left, damping = [], []
    D = np.zeros(len(run.rows[0].x))
    for before, after in itertools.pairwise(run.rows):
        J, r, s = problem.jac(before.x), problem.residual(before.x), after.x - before.x
        D = np.maximum(D, np.linalg.norm(J, axis=0)) if scale == "jac" else np.ones(len(s))
        if np.linalg.norm(s) < 1e-7 * np.linalg.norm(after.x):
            break
        unit = 1.0 / np.linalg.norm(J, axis=0)
        missing, pull = unit * (J.T @ (r + J @ s)), unit * D**2 * s
        mu = max(0.0, -float(missing @ pull) / float(pull @ pull))
        left.append(float(np.linalg.norm(missing + mu * pull) / np.linalg.norm(unit * (J.T @ r))))
        damping.append(mu)
    return Finding(
        name,
        max(left) < 1e-8,
        f"{len(left)} steps solve (J'J + mu D^2) s = -J'r for some mu >= 0, to {max(left):.1e}",
        {"worst": max(left), "steps": len(left), "mu": damping},
    )


def battery(solver: Callable[[Any, Any, float], Any], tolerance: float) -> Finding:
    """The answers on the battery of subproblems: of the figures only the cases that fail."""
    found = check_step_solver(solver, tolerance=tolerance)
    return replace(found, measured={name: found.measured[name] for name in ("cases", "failed")})


def cases() -> list[Case]:
    """The subproblems on the battery, then steps."""
    how = "one subproblem at a time, against the global minimiser"
    stops = "At a gradient of zero minimize stops before it asks"
    a_tenth = "As trust-exact calls it a step is good enough within a tenth of the radius (k_easy=0.1, k_hard=0.2)"
    single = (
        "A Krylov space without the lowest eigenvector cannot give the hard case, and with a zero gradient answers vary"
    )
    found = [
        Case(name, "linalg.trust_region_step", how + allowed, functools.partial(battery, solver, tolerance), note)
        for name, solver, tolerance, allowed, note in (
            ("trust-exact, subproblem", exact(0.1, 0.2), 0.2, "; a fifth of the decrease may be missed", a_tenth),
            ("trust-exact, subproblem with k_easy = k_hard = 1e-8", exact(1e-8, 1e-8), 1e-6, ", to 1e-6", ""),
            ("trust-krylov, subproblem", krylov(True), 0.2, "; a fifth of the decrease may be missed", single),
            ("trust-krylov, subproblem with inexact=False", krylov(False), 1e-6, ", to 1e-6", single),
        )
    ]
    found = [replace(each, note=". ".join(filter(None, (stops, each.note)))) for each in found]
    found = [replace(each, implementation=f"scipy {each.implementation}") for each in found]
    return [
        *found,
        Case("scipy trust-exact", "trust_region", f"{STEPS} steps led along, float64", trust_exact),
        Case(
            "scipy Newton-CG",
            "newton_cg",
            f"up to {STEPS} steps, each against the conjugate gradient iterates of its system, float64",
            newton_cg,
        ),
        Case(
            "scipy least_squares(method='lm')",
            "levenberg_marquardt",
            f"up to {STEPS} steps, each against the family of steps; MINPACK chooses mu by a radius, the reference by a rule "
            "for the damping",
            minpack,
        ),
    ]
