"""The table of problems that every test of this folder runs over: a new problem is one line."""

import numpy as np
import pytest
from scipy.sparse import random_array

from secondorder import problems
from secondorder.problems import (
    chain,
    chebyshev_rosenbrock,
    double_well,
    himmelblau,
    ill_scaled_logistic,
    logistic,
    pseudo_huber,
    quadratic,
    rosenbrock,
    saddle,
    soft_maximum,
    softmax,
)


def sparse_data(classes):
    rng = np.random.default_rng(5)
    A = random_array((60, 8), density=0.3, rng=rng, format="csr", data_sampler=rng.standard_normal)
    return A, rng.integers(classes, size=60)


TABLE = {
    "quadratic": lambda: quadratic([0.0, 1.0, 30.0]),
    "quadratic rotated": lambda: quadratic([-3.0, 1.0, 1.0, 9.0], rotate=True),
    "rosenbrock": rosenbrock,
    "himmelblau": himmelblau,
    "saddle": saddle,
    "double_well": double_well,
    "beale": problems.beale,
    "booth": problems.booth,
    "matyas": problems.matyas,
    "three_hump_camel": problems.three_hump_camel,
    "six_hump_camel": problems.six_hump_camel,
    "branin": problems.branin,
    "goldstein_price": problems.goldstein_price,
    "mccormick": problems.mccormick,
    "styblinski_tang": problems.styblinski_tang,
    "monkey_saddle": problems.monkey_saddle,
    "pseudo_huber": lambda: pseudo_huber(4),
    "chain p=2": lambda: chain(7),
    "chain p=3": lambda: chain(5, p=3),
    "chain d=1": lambda: chain(1),
    "chebyshev_rosenbrock": chebyshev_rosenbrock,
    "chebyshev_rosenbrock p=3": lambda: chebyshev_rosenbrock(5, p=3),
    "chebyshev_rosenbrock d=1": lambda: chebyshev_rosenbrock(1, p=4.5),
    "polytope_feasibility p=2.5": lambda: problems.polytope_feasibility(2.5, n=40, d=6),
    "polytope_feasibility": lambda: problems.polytope_feasibility(n=40, d=6),
    "polytope_feasibility p=4": lambda: problems.polytope_feasibility(4, n=40, d=6),
    "power_of_residual": lambda: problems.power_of_residual(n=30, d=6),
    "power_of_residual p=3": lambda: problems.power_of_residual(3, n=30, d=6, seed=1),
    "analytic_center": lambda: problems.analytic_center(n=20, d=5, closeness=1.0),
    "soft_maximum": lambda: soft_maximum(n=60, d=8, mu=2.0),
    "logistic breast_cancer": lambda: logistic("breast_cancer", standardize=True, l2=1e-2),
    "logistic sparse": lambda: logistic(sparse_data(2)),
    "softmax wine": lambda: softmax("wine", standardize=True),
    "softmax sparse": lambda: softmax(sparse_data(4), l2=0.0),
    "ill_scaled_logistic": lambda: ill_scaled_logistic(n=50, d=6),
    "spiked_logistic": lambda: problems.spiked_logistic(n=50, d=6, spikes=2, gap=10.0),
    "minimum_variance": lambda: problems.minimum_variance(d=6, factors=2),
    "point_matching": lambda: problems.point_matching(n=3),
    "gaussian_mixture": problems.gaussian_mixture,
    "mlp": lambda: problems.mlp("two_moons", [2, 5, 2], l2=1e-2),
    "mlp squared": lambda: problems.mlp("diabetes", [10, 4, 1], "softplus"),
    **{f"test:{name}": make for name, make in problems.test_functions().items()},
}


@pytest.fixture(params=TABLE.values(), ids=TABLE.keys(), scope="session")
def problem(request):
    return request.param()


SCALES = {
    "test:osborne_1": np.asarray([1.0, 1.0, 1.0, 2e-3, 2e-3]),  # its rates multiply times up to 320
    "analytic_center": 0.1,  # inside its walls
}


@pytest.fixture
def x(problem):
    """A generic point near the start."""
    return problem.x0 + 0.5 * SCALES.get(problem.name, 1.0) * np.random.default_rng(1).standard_normal(problem.x0.shape)


@pytest.fixture
def v(problem):
    direction = np.random.default_rng(2).standard_normal(problem.x0.shape)
    return SCALES.get(problem.name, 1.0) * direction / np.linalg.norm(direction)
