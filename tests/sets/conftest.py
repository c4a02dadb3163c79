"""The tables of sets over which the tests of this folder run, small enough to list all vertices, and their constraints."""

import itertools
import math

import numpy as np
import pytest

from secondorder.sets import (
    Birkhoff,
    Box,
    CappedSimplex,
    Hull,
    KSparse,
    L1Ball,
    L2Ball,
    LinfBall,
    LpBall,
    NonnegativeL2Ball,
    Simplex,
)


def points():
    return np.random.default_rng(7).standard_normal((9, 4))


POLYTOPES = {
    "simplex": lambda: Simplex(5, 2.0),
    "simplex d=1": lambda: Simplex(1),
    "solid simplex": lambda: Simplex(5, 0.7, solid=True),
    "solid simplex d=1": lambda: Simplex(1, solid=True),
    "capped, 4 and a half": lambda: CappedSimplex(6, cap=2.0 / 9.0),
    "capped, exactly 3": lambda: CappedSimplex(6, cap=0.7, radius=2.1),
    "capped, all at the cap": lambda: CappedSimplex(5, cap=0.2),
    "capped, cap idle": lambda: CappedSimplex(4, cap=9.0, radius=2.0),
    "l1": lambda: L1Ball(5, 3.0),
    "l1 d=1": lambda: L1Ball(1),
    "box": lambda: Box([-1.0, 0.0, 2.0, -3.0, 0.5], [1.0, 0.1, 2.0, 5.0, 0.75]),
    "linf": lambda: LinfBall(4, 0.5),
    "k-sparse": lambda: KSparse(5, 2, 1.5),
    "k-sparse, k=3": lambda: KSparse(6, 3),
    "k-sparse, k=1": lambda: KSparse(4, 1),
    "k-sparse, k=d": lambda: KSparse(4, 4),
    "birkhoff": lambda: Birkhoff(4),
    "birkhoff n=1": lambda: Birkhoff(1),
    "hull": lambda: Hull(points()),
    "hull of one": lambda: Hull([[1.0, -2.0]]),
}
BALLS = {
    "l2": lambda: L2Ball(5, 2.0),
    "l2 d=1": lambda: L2Ball(1),
    "lp p=1.3": lambda: LpBall(5, 1.3, 0.5),
    "lp p=2": lambda: LpBall(5, 2.0),
    "lp p=6": lambda: LpBall(5, 6.0, 3.0),
    "nonnegative": lambda: NonnegativeL2Ball(5, 2.0),
    "nonnegative d=1": lambda: NonnegativeL2Ball(1),
}
BAD = (0.0, -1.0, math.nan, math.inf, True, "1", None)


def pytest_generate_tests(metafunc):
    for kind, table in {"polytope": POLYTOPES, "ball": BALLS}.items():
        for name in {kind, f"projectable_{kind}"} & set(metafunc.fixturenames):
            chosen = {label: make() for label, make in table.items() if name == kind or make().project}
            metafunc.parametrize(name, chosen.values(), ids=chosen)


@pytest.fixture(params=BAD, ids=str)
def bad(request):
    """What is no finite number above 0."""
    return request.param


@pytest.fixture
def gradients():
    """A function that gives random directions of dimension d, some with ties and zeros, one of them 0."""

    def draw(d, seed=0):
        rng = np.random.default_rng(seed)
        return [*rng.standard_normal((20, d)), *rng.integers(-1, 2, (20, d)).astype(float), np.zeros(d)]

    return draw


@pytest.fixture
def inequalities():
    """A function that writes a polytope as {Ax ≤ b, Cx = e, lower ≤ x ≤ upper}, for SciPy's ``linprog``."""

    def signed(d, bound):
        return {"A_ub": np.asarray(list(itertools.product([-1.0, 1.0], repeat=d))), "b_ub": np.full(2**d, bound)}

    def write(polytope):
        d = polytope.d
        match polytope:
            case Simplex(solid=True):
                return {"A_ub": np.ones((1, d)), "b_ub": [polytope.radius], "bounds": (0.0, None)}
            case Simplex():
                return {"A_eq": np.ones((1, d)), "b_eq": [polytope.radius], "bounds": (0.0, None)}
            case CappedSimplex():
                return {"A_eq": np.ones((1, d)), "b_eq": [polytope.radius], "bounds": (0.0, polytope.cap)}
            case L1Ball():
                return {**signed(d, polytope.radius), "bounds": (None, None)}
            case KSparse():
                return {**signed(d, polytope.k * polytope.radius), "bounds": (-polytope.radius, polytope.radius)}
            case Box():
                return {"bounds": list(zip(polytope.low, polytope.high))}
            case Birkhoff():
                one = np.ones((1, polytope.n))
                rows = np.vstack([np.kron(np.eye(polytope.n), one), np.kron(one, np.eye(polytope.n))])
                return {"A_eq": rows, "b_eq": np.ones(2 * polytope.n), "bounds": (0.0, None)}

    return write
