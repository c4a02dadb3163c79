"""Levenberg-Marquardt beside SciPy's ``lm`` (MINPACK) and ``trf`` on the 54 runs of NIST, in one table.

Run with ``python benchmarks/least_squares.py``. Everybody has the same start, residual and Jacobian. ``minimize`` has its
own default tolerance; SciPy is asked for 1e-12 in all three of its tests, and, in the last two columns, for its default of
1e-8. All but "identity scaling" scale the parameters by the columns of the Jacobian. Digits are the log relative error of
the worst parameter, at most 11; * is a run with fewer than 4. Seconds are one run each.
"""

import statistics
import time
import warnings

import scipy.optimize as opt

import secondorder as so
from secondorder.problems.nist import FITS


def ours(**hyper):
    def solve(problem):
        history = so.minimize(problem, "levenberg_marquardt", **hyper)
        return history.x, history.oracle["residual"], history.oracle["jac"]

    return solve


def scipys(method, tol):
    def solve(problem):
        counts = {"residual": 0, "jac": 0}

        def counted(name):
            def oracle(x):
                counts[name] += 1
                return getattr(problem, name)(x)

            return oracle

        answer = opt.least_squares(
            counted("residual"), problem.x0, jac=counted("jac"), method=method, x_scale="jac",
            ftol=tol, xtol=tol, gtol=tol, max_nfev=10_000,
        )  # fmt: skip
        return answer.x, counts["residual"], counts["jac"]

    return solve


SOLVERS = {
    "default": ours(),
    "geodesic": ours(geodesic=True),
    "identity scaling": ours(scaling="identity"),
    "scipy lm": scipys("lm", 1e-12),
    "scipy trf": scipys("trf", 1e-12),
    "scipy lm 1e-8": scipys("lm", 1e-8),
    "scipy trf 1e-8": scipys("trf", 1e-8),
}


def measured(solve, problem):
    """Digits, residuals, Jacobians and seconds; a solver that raises has no digits."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            x, residuals, jacobians = solve(problem)
        except ValueError:
            return -99.0, 0, 0, time.perf_counter() - start
    return problem.log_relative_error(x), residuals, jacobians, time.perf_counter() - start


def main():
    runs = {label: [] for label in SOLVERS}
    print("digits / residuals / Jacobians")
    print(f"{'':14}" + "".join(f"{label:>20}" for label in SOLVERS))
    for name in FITS:
        for start in (1, 2):
            line = f"{name:10}{start:2}  "
            for label, solve in SOLVERS.items():
                run = measured(solve, so.problems.nist(name, start))
                runs[label].append(run)
                mark = "*" if not run[0] >= 4.0 else " "
                line += f"{max(run[0], -9.9):7.1f}{mark}{run[1]:6d}{run[2]:6d}"
            print(line)
    rows = {
        "4 digits": lambda of: sum(d >= 4.0 for d in of[0]),
        "median digits": lambda of: round(statistics.median(of[0]), 2),
        "residuals": lambda of: sum(of[1]),
        "Jacobians": lambda of: sum(of[2]),
        "seconds": lambda of: round(sum(of[3]), 2),
    }
    for title, summary in rows.items():
        print(f"{title:14}" + "".join(f"{summary(list(zip(*runs[label], strict=True))):>20}" for label in SOLVERS))


if __name__ == "__main__":
    main()
