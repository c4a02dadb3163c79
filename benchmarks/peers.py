"""Our Newton methods beside SciPy's and scikit-learn's on the same logistic regressions, in one run.

Run with ``python benchmarks/peers.py``. Everybody starts at zero, has our oracles (scikit-learn its own) and is asked
for a gradient norm of 1e-8 in the terms it understands; times are medians over repeats. ``stopped at`` is what the
method itself reported; the gradient norm is ours, of the mean loss, at the point it returned.
"""

import statistics
import time
import warnings

import numpy as np
import scipy.optimize as opt
from sklearn.linear_model import LogisticRegression

import secondorder as so

L2, TOL, REPEATS = 1e-4, 1e-8, 5


def synthetic(n=20_000, d=100):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, d)) * np.geomspace(1.0, 0.1, d)
    w = rng.standard_normal(d)
    return so.problems.logistic((A, rng.random(n) < 1.0 / (1.0 + np.exp(-A @ w))), l2=L2)


def ours(name):
    def solve(problem):
        history = so.minimize(problem, name, tol=TOL)
        return history.x, f"{history.status}, {len(history) - 1} steps, {history.oracle['hess']} Hessians"

    return solve


def scipys(method, **options):
    def solve(problem):
        hess = {} if "BFGS" in method else {"hess": problem.hess}
        answer = opt.minimize(problem.f, problem.x0, jac=problem.grad, method=method, options=options, **hess)
        return answer.x, f"{'success' if answer.success else 'no success'}, {answer.nit} steps"

    return solve


def scikit_learns(problem):
    model = LogisticRegression(
        C=1.0 / (problem.n * L2), fit_intercept=False, solver="newton-cholesky", tol=TOL, max_iter=1000
    )
    model.fit(problem.A, problem.y)
    return model.coef_[0], f"{int(model.n_iter_[0])} steps"


SOLVERS = {
    "newton": ours("newton"),
    "cubic_newton": ours("cubic_newton"),
    "lazy_newton": ours("lazy_newton"),
    "scipy trust-exact": scipys("trust-exact", gtol=TOL),
    "scipy Newton-CG": scipys("Newton-CG", xtol=1e-12),
    "scipy BFGS": scipys("BFGS", gtol=TOL, norm=2, maxiter=10_000),
    "scipy L-BFGS-B": scipys("L-BFGS-B", gtol=TOL / 10.0, ftol=0.0, maxiter=10_000, maxfun=100_000),
    "scikit-learn newton-cholesky": scikit_learns,
}


def main():
    problems = {
        "breast_cancer, standardised": so.problems.logistic("breast_cancer", l2=L2, standardize=True),
        "synthetic, n = 20000, d = 100": synthetic(),
    }
    for title, problem in problems.items():
        print(f"\n{title:32}{'ms':>10}{'gradient norm':>16}  stopped at")
        for label, solve in SOLVERS.items():
            times = []
            for _ in range(REPEATS):
                start = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    x, report = solve(problem)
                times.append(time.perf_counter() - start)
            norm = np.linalg.norm(problem.grad(x))
            print(f"{label:32}{1e3 * statistics.median(times):10.1f}{norm:16.1e}  {report}")


if __name__ == "__main__":
    main()
