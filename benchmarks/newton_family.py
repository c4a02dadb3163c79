"""Every method of the Newton family, with default settings, on the same regressions to a gradient norm of 1e-8, in one run.

Run with ``python benchmarks/newton_family.py``; ``python benchmarks/newton_family.py FOLDER`` adds the rows of a9a from
``FOLDER/a9a.npz``, the CSR arrays of that LIBSVM set (data, indices, indptr, shape, y). Everybody starts at zero with a
limit of 60 seconds a run. Cost is in gradient-equivalents (a Hessian d); seconds are the method's own, of one run. Where a
run does not arrive, the gradient norm it reached says how far it was.
"""

import pathlib
import sys

import numpy as np
import scipy.sparse

import secondorder as so

TOL, SECONDS = 1e-8, 60.0


def a9a(folder):
    """Logistic regression on 32 561 adults with 123 sparse features."""
    with np.load(pathlib.Path(folder) / "a9a.npz") as file:
        parts = (file["data"].astype(np.float64), file["indices"], file["indptr"])
        return so.problems.logistic((scipy.sparse.csr_array(parts, shape=file["shape"]), file["y"]), l2=1e-6)


def main():
    problems = {
        "tumours, standardised": so.problems.logistic("breast_cancer", l2=1e-4, standardize=True),
        "tumours, raw": so.problems.logistic("breast_cancer", l2=1e-4),
        "digits": so.problems.softmax("digits", l2=1e-4),
    }
    if len(sys.argv) > 1:
        problems["a9a"] = a9a(sys.argv[1])
    for title, problem in problems.items():
        print(f"\n{title:38}{'d':>5}{'steps':>9}{'cost':>11}{'seconds':>10}{'gradient':>10}  stopped")
        for info in so.methods("newton"):
            if not set(info.oracles()) <= set(problem.oracles):
                continue
            run = so.minimize(problem, info.name, tol=TOL, steps=10**7, seconds=SECONDS)
            print(
                f"{info.name:38}{run.d:5}{len(run) - 1:9}{run.cost()[-1]:11.0f}{run.seconds[-1]:10.2f}"
                f"{np.nanmin(run.grad_norm):10.1e}  {run.status}",
                flush=True,
            )


if __name__ == "__main__":
    main()
