"""scikit-learn's newton-cholesky solver, run again and again with one more iteration."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

import secondorder as so
from production.records import Case
from secondorder.run import Iterate
from secondorder.validate import Candidate, Report, check

STEPS = 5


def held() -> Report:
    """Logistic regression without intercept, from 0; its constant C is 1/(n l2)."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 5)) * np.asarray([1.0, 3.0, 0.3, 1.0, 2.0])
    y = np.where(A @ rng.standard_normal(5) + rng.standard_normal(60) > 0.0, 1.0, -1.0)
    l2 = 1e-2
    problem = so.problems.logistic((A, y), l2=l2)

    def iterates(ledger: Any, x: Any) -> Any:
        yield Iterate(x)
        last = np.array(x)
        for k in range(1, STEPS + 1):
            solver = LogisticRegression(
                C=1.0 / (len(A) * l2), solver="newton-cholesky", fit_intercept=False, tol=1e-14, max_iter=k
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                point = solver.fit(A, y).coef_.ravel()
            if np.array_equal(point, last):
                return "finished"
            yield Iterate(point)
            last = point
        return "finished"

    return check(
        Candidate("newton-cholesky", iterates),
        "newton",
        problem,
        np.zeros(5),
        steps=STEPS,
        probes=False,  # it knows no problem but this
        sufficient_decrease=2.0**-11,
    )


def cases() -> list[Case]:
    """One path."""
    how = f"the points after 1, 2 … {STEPS} iterations, from 0, float64"
    return [Case("sklearn.linear_model.LogisticRegression(solver='newton-cholesky')", "newton", how, held)]
