"""Euler and Heun on the probability flow, and the law of the noise put back in."""

import math

import numpy as np
import pytest

from secondorder.labs.views._mixtures import plane
from secondorder.problems import gaussian_mixture
from secondorder.run import sample
from secondorder.schedules import NoiseGrid, noise_grid

SCHEDULES = ("vp", "ve", "flow")


def gaussian(variance):
    return gaussian_mixture(means=[[0.0]], covariances=[[[variance]]])


def start(law, grid, n=50, seed=3):
    return grid.levels[0].sigma * np.random.default_rng(seed).standard_normal((n, law.x0.shape[0]))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_step_of_heun_on_one_gaussian_multiplies_by_its_factor(schedule):
    v, grid = 0.2, noise_grid(5, schedule, "edm")
    history = sample(gaussian(v), "probability_flow", [[1.0]], grid=grid, keep="x")
    z = history["x"][:, 0, 0] / np.asarray([level.alpha for level in grid.levels])
    for k, (s, t) in enumerate(grid.steps):
        step, slope = t.ratio - s.ratio, s.ratio / (v + s.ratio**2)
        euler = 1.0 + step * slope
        heun = 1.0 + 0.5 * step * (slope + euler * t.ratio / (v + t.ratio**2))
        assert z[k + 1] == pytest.approx((heun if t.sigma > 0.0 else euler) * z[k], rel=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_heun_is_the_textbook_method_on_the_denoiser(schedule):
    """A loop over x with slopes (x - D(x, sigma)) / sigma for VE, in z for the others; D is the posterior mean."""
    law, grid = plane(), noise_grid(6, schedule, "edm")
    x = start(law, grid)

    def slope(z, level):
        return (z - law.posterior_mean(level.alpha * z, alpha=level.alpha, sigma=level.sigma)) / level.ratio

    z = x / grid.levels[0].alpha
    for s, t in grid.steps:
        first = slope(z, s)
        moved = z + (t.ratio - s.ratio) * first
        z = moved if t.sigma == 0.0 else z + (t.ratio - s.ratio) * 0.5 * (first + slope(moved, t))
    history = sample(law, "probability_flow", x, grid=grid)
    np.testing.assert_allclose(history.x, grid.levels[-1].alpha * z, rtol=1e-8, atol=1e-8)
    assert history.oracle["score"] == 2 * 6 - 1, "the step to sigma = 0 is Euler's"


@pytest.mark.parametrize("spacing", ["log_snr", "edm"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_euler_is_ddim(schedule, spacing):
    grid = noise_grid(12, schedule, spacing)
    x = start(plane(), grid)
    euler = sample(plane(), "probability_flow", x, grid=grid, solver="euler")
    assert euler.oracle["score"] == 12
    np.testing.assert_allclose(euler.x, sample(plane(), "ddim", x, grid=grid).x, rtol=0, atol=1e-10)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_schedules_with_the_same_ratios_give_the_same_samples(solver):
    """The flow in z = x/alpha knows only sigma/alpha: up to the factor alpha, VP and VE agree step by step."""
    vp = noise_grid(8, "vp", "log_snr")
    ve = NoiseGrid([(1.0, level.ratio) for level in vp.levels])
    z = start(plane(), ve)
    a = sample(plane(), "probability_flow", vp.levels[0].alpha * z, grid=vp, solver=solver).x
    b = sample(plane(), "probability_flow", z, grid=ve, solver=solver).x
    np.testing.assert_allclose(a, vp.levels[-1].alpha * b, rtol=0, atol=1e-9)


def test_the_direction_is_the_slope_that_was_taken():
    history = sample(plane(), "probability_flow", particles=5, steps=6, keep=("x", "direction", "noise"))
    for before, row in zip(history.rows[:-1], history.rows[1:], strict=True):
        z, step = before["x"] / before["alpha"], row["sigma"] / row["alpha"] - before["sigma"] / before["alpha"]
        np.testing.assert_allclose(row["x"] / row["alpha"], z + step * row["direction"], rtol=1e-12, atol=1e-12)
        noise = -before["sigma"] * plane().score(before["x"], alpha=before["alpha"], sigma=before["sigma"])
        np.testing.assert_allclose(row["noise"], noise, rtol=1e-12, atol=1e-14)


def test_churn_adds_the_stated_noise_before_the_step():
    """One Euler step from particles of variance v + g²: the factor is known, and the variance has standard error √(2/n)."""
    n, v, (s, t) = 100_000, 0.5, NoiseGrid([(1.0, 2.0), (1.0, 0.7)]).levels
    for churn, noise in ((0.1, 1.0), (0.3, 1.2), (5.0, 1.0)):
        gamma = min(churn, math.sqrt(2.0) - 1.0)  # N = 1
        raised = (1.0 + gamma) * s.sigma
        x = math.sqrt(v + s.sigma**2) * np.random.default_rng(11).standard_normal((n, 1))
        options = {"solver": "euler", "churn": churn, "churn_noise": noise}
        X = sample(gaussian(v), "probability_flow", x, grid=NoiseGrid([s, t]), seed=5, **options).x
        factor = 1.0 + (t.sigma - raised) * raised / (v + raised**2)
        expected = factor**2 * (v + s.sigma**2 + noise**2 * (raised**2 - s.sigma**2))
        assert abs(X.var() / expected - 1.0) < 5.0 * math.sqrt(2.0 / n)


def test_churn_is_divided_by_the_steps_and_stays_within_its_window():
    grid = noise_grid(4, "ve", "edm", sigma_min=0.1, sigma_max=10.0)
    x = start(plane(), grid)
    plain = sample(plane(), "probability_flow", x, grid=grid, keep="x")
    assert np.array_equal(plain.x, sample(plane(), "probability_flow", x, grid=grid, seed=9).x), "no noise by default"
    inside = 0.5 * (grid.levels[1].sigma + grid.levels[2].sigma)
    late = sample(plane(), "probability_flow", x, grid=grid, churn=1.0, churn_max=inside, keep="x")
    assert np.array_equal(late["x"][2], plain["x"][2]) and not np.allclose(late["x"][3], plain["x"][3])
    early = sample(plane(), "probability_flow", x, grid=grid, churn=1.0, churn_min=grid.levels[0].sigma, keep="x")
    assert not np.allclose(early["x"][1], plain["x"][1])
    never = sample(plane(), "probability_flow", x, grid=grid, churn=1.0, churn_min=11.0)
    assert np.array_equal(never.x, plain.x)
    silent = sample(plane(), "probability_flow", x, grid=grid, churn=1.0, churn_noise=0.0, keep="x")
    s, t = grid.levels[:2]
    raised = 1.25 * s.sigma  # 1 / 4 of it in each of four steps
    noise = -raised * plane().score(x, alpha=1.0, sigma=raised)
    moved = x + (t.sigma - raised) * noise
    slope = 0.5 * (noise - t.sigma * plane().score(moved, alpha=1.0, sigma=t.sigma))
    np.testing.assert_allclose(silent["x"][1], x + (t.sigma - raised) * slope, rtol=1e-12, atol=1e-12)


def test_a_window_of_churn_that_holds_nothing_is_refused():
    with pytest.raises(ValueError, match=r"churn_min must be at most churn_max; got 5\.0 and 1\.0"):
        sample(plane(), "probability_flow", particles=3, churn=40.0, churn_min=5.0, churn_max=1.0)
