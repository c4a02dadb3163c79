"""A view for the tests: damped Newton on a quartic valley, its path and its convergence against two steady rates.

It is registered by the fixture `demo`, not here: pytest imports this file to look for doctests.
"""

import numpy as np

from secondorder.labs import Axis, Band, Choice, Field, Line, Panel, Rule, Scene, Slider, Text

OPTIONS = {
    "title": "Damped Newton in a valley",
    "chapter": "demo",
    "controls": (
        Slider("damping", (0.0, 0.01, 0.1, 1.0, 10.0), "Damping λ", default=0.1, log=True),
        Slider("steps", (5, 10, 20), "Steps", default=10, live=range(1, 21)),
        Choice("start", ("left", "right"), "Start", default="left"),
    ),
    "presets": {"no damping": {"damping": 0.0}, "slow and long": {"damping": 10.0, "steps": 20}},
}


def demo(damping: float = 0.1, steps: int = 10, start: str = "left") -> Scene:
    """Minimise (x² - y)² + (x - 1)²/10 from one of two starts."""
    x = np.array([-1.2 if start == "left" else 1.7, 1.6])
    path = [x]
    for _ in range(steps):
        a, b = x
        grad = np.array([4 * a * (a * a - b) + (a - 1) / 5, -2 * (a * a - b)])
        hess = np.array([[12 * a * a - 4 * b + 0.2, -4 * a], [-4 * a, 2]])
        weights, vectors = np.linalg.eigh(hess)
        x = x - vectors @ (vectors.T @ grad / (np.abs(weights) + damping))
        path.append(x)
    path = np.array(path)
    a, b = np.linspace(-2, 2, 61), np.linspace(-1, 2.5, 51)
    values = (a[None, :] ** 2 - b[:, None]) ** 2 + (a[None, :] - 1) ** 2 / 10
    error = np.linalg.norm(path - 1, axis=1)
    k = np.arange(1, steps + 2)
    landscape = Panel(
        Axis("first coordinate", domain=(-2, 2)),
        Axis("second coordinate", domain=(-1, 2.5)),
        (
            Field(a, b, values, 10.0 ** np.arange(-2, 1.5, 0.5)),
            Line(path[:, 0], path[:, 1], label="Newton", markers=True),
            Text(path[[0, -1], 0], path[[0, -1], 1], ("start", f"after {steps}")),
        ),
        title="The path",
        equal=True,
    )
    convergence = Panel(
        Axis("iteration", "log"),
        Axis("distance to the minimum", "log", domain=(1e-16, 10)),
        (
            Band(k, error[0] * 0.3**k, error[0] * 0.9**k, color=2, label="linear rates 0.3 to 0.9"),
            Line(k, error, label="Newton", markers=True),
            Line(k, error[0] / k, label="1/k", color=1, dash=True),
            Line(k, error[0] / k**2.0, label="1/k²", color=3),
            Rule(y=2.2e-16, label="machine precision"),
        ),
        title="The distance",
    )
    return Scene(
        (landscape, convergence),
        f"With damping {damping:g}, {steps} steps from the {start} end {error[-1]:.1e} away from the minimum.",
    )
