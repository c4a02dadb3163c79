"""The orders of the solvers, measured against flows that are known or solved far more finely.

Slopes are log2 of the ratio of the errors with N and 2 N steps, with N large enough for the leading term to lead.
"""

import functools
import math

import numpy as np
import pytest

from secondorder.distances import coupled_rmse, median_row_error
from secondorder.labs.views._mixtures import plane, sixteen, stretched
from secondorder.ledger import Ledger
from secondorder.problems import gaussian_mixture
from secondorder.run import sample
from secondorder.sampling.multistep import multistep_increment
from secondorder.sampling.predictions import predictions
from secondorder.schedules import NoiseGrid, noise_grid

SOLVERS = {
    "DDIM": ("ddim", {}, 1),
    "Heun": ("probability_flow", {"schedule": "vp", "spacing": "log_snr"}, 2),
    "2M": ("dpm_solver", {"lower_order_final": False}, 2),
    "noise, 2": ("dpm_solver", {"prediction": "noise", "lower_order_final": False}, 2),
    "AB2": ("adams_bashforth", {"order": 2}, 2),
    "AB2, variable": ("adams_bashforth", {"order": 2, "variable": True}, 2),
}


def gaussian_flow(law, x, s, t):
    """The exact flow of one Gaussian around 0 with a diagonal covariance, from the level s to the level t."""
    v = np.diagonal(law.covariances[0])
    return t.alpha / s.alpha * x * np.sqrt((v + t.ratio**2) / (v + s.ratio**2))


@functools.cache
def start(law):
    return np.random.default_rng(7).standard_normal((400, law.x0.shape[0]))


@functools.cache
def reference(law, steps=600):
    options = {"order": 3, "second_difference": "corrected"}
    return sample(law, "dpm_solver", start(law), steps=steps, **options).x


@functools.cache
def errors(law, solver, steps, measure=median_row_error):
    name, options, _ = SOLVERS[solver]
    return measure(sample(law, name, start(law), steps=steps, **options).x, reference(law))


def slope(law, solver, steps, measure=median_row_error):
    return math.log2(errors(law, solver, steps, measure) / errors(law, solver, 2 * steps, measure))


def test_the_reference_is_accurate():
    """On one Gaussian against the exact flow, on a mixture against itself with half the steps."""
    grid = noise_grid(1)
    law = stretched()
    assert median_row_error(reference(law), gaussian_flow(law, start(law), *grid.levels)) < 2e-6
    assert median_row_error(reference(plane()), reference(plane(), 300)) < 2e-5


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("law", [stretched, plane])
def test_the_measured_order_is_the_promised_one(law, solver):
    assert slope(law(), solver, 60) == pytest.approx(SOLVERS[solver][2], rel=0.25)


def test_on_a_mixture_in_sixteen_dimensions_too():
    for solver in ("DDIM", "2M"):
        assert slope(sixteen(), solver, 60) == pytest.approx(SOLVERS[solver][2], rel=0.25)


def test_the_mean_error_of_separated_modes_falls_with_half_the_order():
    """Rows that end in another basin carry the mean square: their share falls like h, each costs a constant."""
    law, grid = sixteen(), (20, 160)
    rmse = [errors(law, "DDIM", N, coupled_rmse) for N in grid]
    median = [errors(law, "DDIM", N) for N in grid]
    mean_slope, median_slope = (math.log(e[0] / e[1]) / math.log(8.0) for e in (rmse, median))
    assert 0.25 < mean_slope < 0.8 and 0.9 < median_slope < 1.1
    X = sample(law, "ddim", start(law), steps=20).x
    apart = np.linalg.norm(X - reference(law), axis=1)
    moved = np.argmax(law.responsibilities(X), axis=1) != np.argmax(law.responsibilities(reference(law)), axis=1)
    assert 0.0 < moved.mean() < 0.15
    assert np.sum(apart[moved] ** 2) > 0.8 * np.sum(apart**2), "a few rows have most of the error"


def accurate_start_error(law, steps, corrected, prediction):
    """The median error of order 3 on the exact flow of a Gaussian, its first two steps replaced by that flow."""
    grid, x0 = noise_grid(steps), start(law)
    past, levels, x, problem = [], [], x0, Ledger(law, x0, particles=True)
    for k, (s, t) in enumerate(grid.steps):
        noise, data = predictions(problem, x, s)
        past, levels = [noise if prediction == "noise" else data, *past[:2]], [s, *levels[:2]]
        if k < 2:
            x = gaussian_flow(law, x, s, t)
            continue
        linear = t.alpha / s.alpha if prediction == "noise" else t.sigma / s.sigma
        x = linear * x + multistep_increment(past, levels, t, prediction, corrected=corrected)
    return median_row_error(x, gaussian_flow(law, x0, grid.levels[0], grid.levels[-1]))


@pytest.mark.parametrize("prediction", ["data", "noise"])
def test_third_order_is_of_order_two_as_coded_and_of_order_three_or_more_corrected(prediction):
    law = stretched()
    slopes = {}
    for corrected in (False, True):
        coarse, fine = (accurate_start_error(law, N, corrected, prediction) for N in (80, 160))
        slopes[corrected] = math.log2(coarse / fine)
    assert slopes[False] == pytest.approx(2.0, rel=0.2)
    assert slopes[True] > 2.7


def test_heun_leaves_half_of_the_noise_in_where_one_step_passes_the_width_of_the_data():
    """From g = 5 to 0.05 past a standard deviation of 0.5: the slope at the end is near 0, the average half the first."""
    law = gaussian_mixture(means=[[0.0]], covariances=[[[0.25]]])
    big, small = 5.0, 0.05
    grid = NoiseGrid([(1.0, big), (1.0, small)])
    heun = sample(law, "probability_flow", [[1.0]], grid=grid).x[0, 0]
    euler = sample(law, "ddim", [[1.0]], grid=grid).x[0, 0]
    exact = math.sqrt((0.25 + small**2) / (0.25 + big**2))
    assert heun == pytest.approx(0.5, abs=0.02) and abs(heun - exact) > 3.0 * abs(euler - exact)
