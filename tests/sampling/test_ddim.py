"""DDIM: closed forms of a step, the law of the noise it adds, and its limits."""

import math

import numpy as np
import pytest

from secondorder.labs.views._mixtures import plane
from secondorder.problems import gaussian_mixture
from secondorder.run import sample
from secondorder.schedules import NoiseGrid, noise_grid

SCHEDULES = ("vp", "ve", "flow")


def gaussian(variance, mean=0.0):
    return gaussian_mixture(means=[[mean]], covariances=[[[variance]]])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("variance", [0.01, 1.0, 25.0])
def test_a_step_on_one_gaussian_multiplies_by_the_euler_factor(schedule, variance):
    grid = noise_grid(6, schedule)
    history = sample(gaussian(variance), "ddim", [[1.0], [-0.3]], grid=grid, keep="x")
    z = history["x"][:, :, 0] / np.asarray([level.alpha for level in grid.levels])[:, None]
    for k, (s, t) in enumerate(grid.steps):
        factor = 1.0 + (t.ratio - s.ratio) * s.ratio / (variance + s.ratio**2)
        np.testing.assert_allclose(z[k + 1], factor * z[k], rtol=1e-9)


def test_for_data_in_one_point_a_step_is_exact_whatever_its_length():
    grid = NoiseGrid([(0.1, 0.99), (0.7, 0.5), (1.0, 0.0)])
    law = gaussian(0.0, mean=3.0)
    history = sample(law, "ddim", [[1.5]], grid=grid, keep=("x", "noise", "data"))
    noise = (1.5 - 0.1 * 3.0) / 0.99
    expected = [level.alpha * 3.0 + level.sigma * noise for level in grid.levels]
    np.testing.assert_allclose(history["x"][:, 0, 0], expected, rtol=1e-14)
    for row in history.rows[1:]:
        np.testing.assert_allclose([row["noise"][0, 0], row["data"][0, 0]], [noise, 3.0], rtol=1e-13)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_the_added_noise_has_the_stated_variance(eta):
    """From one point, 40 000 particles: the standard error of a variance is its sqrt(2/n), of a mean its root/sqrt(n)."""
    n, (s, t) = 40_000, ((0.5, 0.8), (0.9, 0.3))
    law, x = gaussian(1.0), np.full((40_000, 1), 0.7)
    X = sample(law, "ddim", x, grid=NoiseGrid([s, t]), eta=eta).x[:, 0]
    added = eta * t[1] / s[1] * math.sqrt(s[1] ** 2 - (s[0] / t[0] * t[1]) ** 2)
    data = 0.7 * s[0] / (s[0] ** 2 + s[1] ** 2)  # E[x_0 | x_s], and the noise that goes with it
    noise = (0.7 - s[0] * data) / s[1]
    mean = t[0] * data + math.sqrt(t[1] ** 2 - added**2) * noise
    assert abs(X.mean() - mean) < 5.0 * added / math.sqrt(n)
    assert abs(X.var() / added**2 - 1.0) < 5.0 * math.sqrt(2.0 / n)


def test_with_eta_one_the_step_draws_from_the_posterior_given_the_predicted_data():
    """q(x_t | x_s, x_0) of the forward process, by conditioning the joint Gaussian of (x_t, x_s) given x_0."""
    (a_s, s_s), (a_t, s_t) = (0.5, 0.8), (0.9, 0.3)
    transition = a_s / a_t  # x_s = transition x_t + noise
    covariance = transition * s_t**2
    variance = s_t**2 - covariance**2 / s_s**2
    ancestral = s_t / s_s * math.sqrt(s_s**2 - (a_s / a_t * s_t) ** 2)
    assert ancestral**2 == pytest.approx(variance, rel=1e-12)
    gain = covariance / s_s**2  # mean: a_t x_0 + gain (x_s - a_s x_0) = a_t x_0 + gain s_s noise
    assert math.sqrt(s_t**2 - ancestral**2) == pytest.approx(gain * s_s, rel=1e-12)


def test_without_noise_no_seed_matters_and_with_noise_it_does():
    x = np.random.default_rng(0).standard_normal((20, 2))
    runs = {
        (eta, seed): sample(plane(), "ddim", x, steps=5, eta=eta, seed=seed).x for eta in (0.0, 1.0) for seed in (1, 2)
    }
    assert np.array_equal(runs[0.0, 1], runs[0.0, 2]) and not np.allclose(runs[1.0, 1], runs[1.0, 2])


def test_one_score_a_step_and_the_levels_in_the_rows():
    history = sample(plane(), "ddim", particles=10, steps=7)
    assert history.oracle["score"] == 7 and history.status == "finished" and len(history) == 8
    grid = noise_grid(7)
    np.testing.assert_array_equal(history["sigma"], [level.sigma for level in grid.levels])
    np.testing.assert_array_equal(history["alpha"], [level.alpha for level in grid.levels])
