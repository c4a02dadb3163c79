"""What the correction of Levenberg–Marquardt–Langevin costs a step, beside one evaluation of a network.

Run with ``python benchmarks/sampling.py``. The network has two hidden layers with SiLU and a denoiser's scaling around them,
evaluated by NumPy in single precision for all particles at once. Each row holds medians over repeats, the network and the
correction in turn: microseconds a step, and the correction in per cent of the network. The published form, four inner
products and two sums of vectors, is to stay under 5 % beside a network of width 256 or more; beside a toy of width 64 NumPy's
passes over small arrays make it 10 to 30 %.
"""

import itertools
import statistics
import time

import numpy as np

from secondorder.sampling.corrections import extrapolated, from_ensemble, from_memory, levenberg_marquardt

SIZES = ((2, 64, 2000), (16, 64, 2000), (16, 256, 2000), (256, 1024, 500), (3072, 4096, 64))
"""Dimension, width, particles."""
REPEATS = 15


def network(d, width, rng):
    """A denoiser D(x, sigma), turned into a score."""
    sizes = (d + 5, width, width, d)
    layers = [rng.standard_normal((a, b)).astype(np.float32) / np.float32(a**0.5) for a, b in itertools.pairwise(sizes)]

    def score(x, sigma):
        scale = np.float32(1.0 / np.sqrt(sigma**2 + 1.0))
        level = 0.25 * np.log(sigma)
        angles = 2.0 * np.pi * level
        told = np.asarray([level, np.sin(angles), np.cos(angles), np.sin(2 * angles), np.cos(2 * angles)], np.float32)
        h = np.concatenate([scale * x, np.broadcast_to(told, (len(x), 5))], axis=1)
        for W in layers[:-1]:
            h = h @ W
            h = h / (1.0 + np.exp(-h))
        denoised = scale * scale * x + np.float32(sigma) * scale * (h @ layers[-1])
        return (denoised - x) / np.float32(sigma**2)

    return score


def clock(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return 1e6 * (time.perf_counter() - start)


def main():
    corrections = {
        "published": lambda e, q: levenberg_marquardt(e, q, 1.0, 0.1),
        "extrapolation": lambda e, q: extrapolated(e, q, 0.1),
        "memory of 2": lambda e, q: from_memory([e, q], 1.0),
        "memory of 4": lambda e, q: from_memory([e, q, e, q], 1.0),
        "ensemble": lambda e, q: from_ensemble(e, 1.0),
    }
    print(f"{'d':>5}{'width':>7}{'n':>6}{'network':>10}   " + "".join(f"{name:>20}" for name in corrections))
    for d, width, n in SIZES:
        rng = np.random.default_rng(0)
        score, (e, q) = network(d, width, rng), rng.standard_normal((2, n, d)).astype(np.float32)
        times = {name: [] for name in ("network", *corrections)}
        for _ in range(REPEATS):  # in turn, so that a busy machine is busy for all
            times["network"].append(clock(score, e, 0.7))
            for name, correct in corrections.items():
                if name != "ensemble" or d <= 256:
                    times[name].append(clock(correct, e, q))
        plain = statistics.median(times["network"])
        cells = []
        for name in corrections:
            spent = statistics.median(times[name]) if times[name] else None
            cells.append("-" if spent is None else f"{spent:.0f} ({100.0 * spent / plain:.1f} %)")
        print(f"{d:5}{width:7}{n:6}{plain:10.0f}   " + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
