"""What the loop costs a step, beside what the method does: two variables, where nothing else costs much.

Run with ``python benchmarks/loop.py``. Each row is the median over repeats of a run of up to 1000 steps; ``alone`` walks
the generator without the loop, ``loop`` is the difference. The loop is to stay under 50 µs a step.
"""

import itertools
import statistics
import time
from functools import partial

import secondorder as so
from secondorder.catalogue import find

STEPS, REPEATS = 1000, 15
METHODS = {
    "gradient_descent, 1/L given": ("gradient_descent", {"lipschitz": 2000.0}),
    "gradient_descent": ("gradient_descent", {}),
    "cubic_newton, M given": ("cubic_newton", {"M": 1e4}),
    "lazy_newton, M given": ("lazy_newton", {"M": 1e4, "period": 5}),
}


def microseconds(action, steps):
    """The median time of one of the steps of an action."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times) / steps


def main():
    problem = so.problems.rosenbrock()
    print(f"{'µs a step':30}{'run':>8}{'alone':>8}{'loop':>8}")
    for label, (name, hyper) in METHODS.items():
        method = find(name)
        run = partial(so.minimize, problem, method, steps=STEPS, tol=0.0, **hyper)
        rows = len(run())  # fewer where a gradient of exactly zero is reached
        whole = microseconds(run, rows)
        alone = microseconds(lambda: list(itertools.islice(method(problem, **hyper), rows)), rows)  # noqa: B023
        print(f"{label:30}{whole:8.1f}{alone:8.1f}{whole - alone:8.1f}")


if __name__ == "__main__":
    main()
