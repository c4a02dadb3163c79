"""What the loop costs a step, beside what the method does: two variables, where nothing else costs much.

Run with ``python benchmarks/loop.py``. Each row holds medians over repeats of a run of up to 1000 steps: the ``run``,
the generator walked ``alone``, and what the ``loop`` adds. The loop is to stay under 50 µs a step.
"""

import itertools
import statistics
import time

import secondorder as so
from secondorder.catalogue import find

STEPS, REPEATS = 1000, 25
METHODS = {
    "gradient_descent, 1/L given": ("gradient_descent", {"lipschitz": 2000.0}),
    "gradient_descent": ("gradient_descent", {}),
    "newton": ("newton", {}),
    "cubic_newton, M given": ("cubic_newton", {"M": 1e4}),
    "lazy_newton, M given": ("lazy_newton", {"M": 1e4, "period": 5}),
}


def main():
    problem = so.problems.rosenbrock()
    print(f"{'µs a step':30}{'steps':>8}{'run':>8}{'alone':>8}{'loop':>8}")
    for label, (name, hyper) in METHODS.items():
        method, run, alone = find(name), [], []
        for _ in range(REPEATS):  # the two in turn, so that a busy machine is busy for both
            start = time.perf_counter()
            rows = len(so.minimize(problem, method, steps=STEPS, tol=0.0, **hyper))
            middle = time.perf_counter()
            list(itertools.islice(method(problem, **hyper), rows))
            run.append(1e6 * (middle - start) / rows)
            alone.append(1e6 * (time.perf_counter() - middle) / rows)
        loop = statistics.median(a - b for a, b in zip(run, alone, strict=True))
        print(f"{label:30}{rows - 1:8}{statistics.median(run):8.1f}{statistics.median(alone):8.1f}{loop:8.1f}")


if __name__ == "__main__":
    main()
