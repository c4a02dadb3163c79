"""The table of problems that every test of this folder runs over: a new problem is one line."""

import numpy as np
import pytest
from scipy.sparse import random_array

from secondorder.problems import (
    chain,
    double_well,
    himmelblau,
    ill_scaled_logistic,
    logistic,
    pseudo_huber,
    quadratic,
    rosenbrock,
    saddle,
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
    "pseudo_huber": lambda: pseudo_huber(4),
    "chain p=2": lambda: chain(7),
    "chain p=3": lambda: chain(5, p=3),
    "chain d=1": lambda: chain(1),
    "logistic breast_cancer": lambda: logistic("breast_cancer", standardize=True, l2=1e-2),
    "logistic sparse": lambda: logistic(sparse_data(2)),
    "softmax wine": lambda: softmax("wine", standardize=True),
    "softmax sparse": lambda: softmax(sparse_data(4), l2=0.0),
    "ill_scaled_logistic": lambda: ill_scaled_logistic(n=50, d=6),
}


@pytest.fixture(params=TABLE.values(), ids=TABLE.keys(), scope="session")
def problem(request):
    return request.param()


@pytest.fixture
def x(problem):
    """A generic point near the start."""
    return problem.x0 + 0.5 * np.random.default_rng(1).standard_normal(problem.x0.shape)


@pytest.fixture
def v(problem):
    direction = np.random.default_rng(2).standard_normal(problem.x0.shape)
    return direction / np.linalg.norm(direction)
