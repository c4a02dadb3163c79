"""How many times faster Newton's method is on a GPU: CuPy against NumPy on logistic regression, n = 200000, d = 1000.

Run with ``python benchmarks/gpu.py [float32|float64]``. It says so where there is no GPU. Moving the data is not timed.
"""

import sys
import time

import numpy as np

import secondorder as so
from secondorder.arrays import to_numpy

N, D, L2 = 200_000, 1000, 1e-4


def gpu():
    """CuPy, or None with the reason printed."""
    try:
        import cupy

        if cupy.cuda.runtime.getDeviceCount():
            return cupy
        print("There is no GPU here: nothing to compare.")
    except ImportError:
        print("CuPy is not installed: pip install 'secondorder[gpu]'. Nothing to compare.")
    except Exception as error:
        print(f"There is no usable GPU here ({error}): nothing to compare.")
    return None


def main(dtype="float32"):
    cupy = gpu()
    if cupy is None:
        return
    rng = np.random.default_rng(0)
    A = rng.standard_normal((N, D), dtype=np.float32).astype(dtype)
    y = rng.random(N) < 1.0 / (1.0 + np.exp(-A @ (rng.standard_normal(D) / np.sqrt(D)).astype(dtype)))
    problem = so.problems.logistic((A, y), l2=L2)
    device = so.to_device(problem, "cupy")
    seconds, answers = {}, {}
    print(f"{f'n = {N}, d = {D}, {dtype}':36}{'s':>8}{'s a step':>10}{'gradient norm':>16}")
    for label, p in (("NumPy", problem), ("CuPy", device)):
        so.minimize(p, "newton", steps=1)  # compiles the kernels
        cupy.cuda.Device().synchronize()
        start = time.perf_counter()
        history = so.minimize(p, "newton")
        cupy.cuda.Device().synchronize()
        seconds[label], answers[label] = time.perf_counter() - start, to_numpy(history.x)
        print(
            f"{label + ', ' + history.status:36}{seconds[label]:8.2f}"
            f"{seconds[label] / max(1, len(history) - 1):10.3f}{history.grad_norm[-1]:16.1e}"
        )
    apart = np.max(np.abs(answers["NumPy"] - answers["CuPy"]))
    print(f"CuPy is {seconds['NumPy'] / seconds['CuPy']:.1f} times as fast; the answers differ by {apart:.1e}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
