"""copt's Frank-Wolfe, with its own sets, on the objectives of this library."""

from __future__ import annotations

import contextlib
import io
import itertools
from typing import Any

import copt
import numpy as np

import secondorder as so
from production.records import Case
from secondorder.validate import Candidate, Finding, Report, check, record
from secondorder.validate.adapters import handed

STEPS = 30
RADIUS = 3.0


def problem() -> Any:
    """Logistic regression on the l1 ball."""
    smooth = so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2)
    return smooth.subject_to(so.sets.L1Ball(5, RADIUS))


def candidate(step: str, told: list[dict[str, float]] | None = None) -> Candidate:
    """The points of copt, and into ``told`` what its step-size rule says of each iteration."""

    def iterates(ledger: Any, x: Any) -> Any:
        def solve(tell: Any) -> Any:
            def callback(inside: dict[str, Any]) -> None:
                names = ("f_t", "old_f_t", "certificate", "norm_update_direction", "lipschitz_t")
                if told is not None:
                    told.append({name: inside[name] for name in names})
                tell(inside["x"])

            options = {"step": step, "tol": 0.0, "max_iter": STEPS + 5, "callback": callback}
            if step == "DR":
                options["lipschitz"] = ledger.lipschitz_grad
            with contextlib.redirect_stdout(io.StringIO()):
                return copt.minimize_frank_wolfe(
                    lambda y: (ledger.f(y), ledger.grad(y)),
                    np.array(x),
                    copt.constraint.L1Ball(RADIUS).lmo,
                    jac=True,
                    **options,
                )

        yield from handed(solve)

    return Candidate(f"copt {step}", iterates)


def held(step: str, **hyper: Any) -> Report:
    """Against the reference with the same rule."""
    on = problem()
    if step == "DR":
        hyper["lipschitz"] = on.lipschitz_grad
    return check(candidate(step), "frank_wolfe", on, steps=STEPS, **hyper)


def guesses() -> dict[str, Any]:
    """The backtracking rule: which first guess of the constant its doublings start from."""
    told: list[dict[str, float]] = []
    record(candidate("backtracking", told), problem(), steps=STEPS)
    doublings: dict[str, list[float]] = {"reference": [], "theirs": []}
    for before, now in itertools.pairwise(told[:-1]):
        shrunk = 0.9 * before["lipschitz_t"]
        fitted = now["certificate"] ** 2 / (2 * (now["old_f_t"] - now["f_t"]) * now["norm_update_direction"])
        first = max(min(fitted, before["lipschitz_t"]), shrunk)
        doublings["reference"].append(float(np.log2(now["lipschitz_t"] / shrunk)))
        doublings["theirs"].append(float(np.log2(now["lipschitz_t"] / first)))
    off = {name: max(abs(each - round(each)) for each in found) for name, found in doublings.items()}
    explained = Finding("first guess", off["theirs"] < 1e-9, "", off)
    report = held("backtracking", step_rule="short")
    words = (
        "the constant is first guessed as max(min(G^2 / (2 (f_before - f) |d|^2), L), 0.9 L), the reference's is 0.9 L; "
        f"its constants are that guess times powers of 2 to {off['theirs']:.1e}"
    )
    return {
        "verdict": "agrees" if report.agrees else "departs" if explained.passed else "differs, unexplained",
        "words": words if not report.agrees else report.verdict,
        "evidence": {"off a power of 2": off, "first": report.to_dict()["first"]},
        "explanation": ["first guess of the constant from the last decrease"] if explained.passed else None,
        "worst": report.match.worst,
        "steps": report.steps,
        "problem": report.problem,
    }


def cases() -> list[Case]:
    """The three step-size rules."""
    how = f"{STEPS} steps led along, its own linear minimisation oracle, float64"
    return [
        Case("copt.minimize_frank_wolfe(step='sublinear')", "frank_wolfe", how, lambda: held("sublinear")),
        Case("copt.minimize_frank_wolfe(step='DR')", "frank_wolfe", how, lambda: held("DR", step_rule="short")),
        Case("copt.minimize_frank_wolfe(step='backtracking')", "frank_wolfe", how, guesses),
    ]
