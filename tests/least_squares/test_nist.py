"""The 54 runs of NIST: digits from both starts, the false plateau, SciPy beside."""

import functools

import numpy as np
import pytest

import secondorder as so
from secondorder.problems.nist import FITS

RUNS = [(name, start) for name in FITS for start in (1, 2)]
PLATEAU = ("BoxBOD", 1)


@functools.cache
def digits(name, start, variant="default"):
    hyper = {"default": {}, **so.least_squares.levenberg_marquardt.method.variants}[variant]
    problem = so.problems.nist(name, start)
    history = so.minimize(problem, "levenberg_marquardt", **hyper)
    assert history.status == "converged" or history.message == "the step is below the rounding of x"
    return problem.log_relative_error(history.x)


@pytest.mark.parametrize(("name", "start"), [run for run in RUNS if run != PLATEAU])
def test_the_default_has_six_digits(name, start):
    """The requirement is four from start 1, six from start 2."""
    assert digits(name, start) >= 6.0


@pytest.mark.parametrize(("name", "start"), RUNS)
def test_geodesic_acceleration_has_six_digits_in_all(name, start):
    assert digits(name, start, "geodesic") >= 6.0


def test_medians():
    for variant in ("default", "geodesic"):
        assert np.median([digits(*run, variant) for run in RUNS]) >= 9.0


def test_the_false_plateau_of_boxbod():
    """From start 1 the default ends where b2 is so large that the model is its own limit, the mean of the data."""
    problem = so.problems.nist(*PLATEAU)
    history = so.minimize(problem, "levenberg_marquardt")
    assert history.status == "converged" and problem.log_relative_error(history.x) < 0.0
    assert history.x[0] == pytest.approx(np.mean(problem.y), rel=1e-3) and history.x[1] > 30.0
    assert 2.0 * history.f[-1] == pytest.approx(9771.5, rel=1e-3)
    assert digits(*PLATEAU, "identity scaling") >= 6.0


@pytest.mark.slow
def test_identity_scaling_has_six_digits_in_all():
    assert min(digits(*run, "identity scaling") for run in RUNS) >= 6.0
