"""Noise levels: the formulas of the schedules, the spacings, and what is refused."""

import itertools
import math

import numpy as np
import pytest

from secondorder.schedules import BETA_0, BETA_1, ENDS, Level, NoiseGrid, noise_grid

SCHEDULES, SPACINGS = ("vp", "ve", "flow"), ("log_snr", "uniform", "quadratic", "edm")


def vp_time(level):
    """The t of a level of the variance-preserving schedule, from its lambda."""
    m = 2.0 * (BETA_1 - BETA_0) * math.log1p(math.exp(-2.0 * level.half_log_snr))
    return m / ((math.sqrt(BETA_0**2 + m) + BETA_0) * (BETA_1 - BETA_0))


def test_ratio_and_half_log_snr_of_a_level():
    level = Level(0.6, 0.3)
    assert level.ratio == pytest.approx(0.5) and level.half_log_snr == pytest.approx(math.log(2.0))
    assert Level(1.0, 0.0).ratio == 0.0 and Level(1.0, 0.0).half_log_snr == math.inf


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_level_lies_on_its_schedule_and_the_ends_are_the_stated_ones(schedule, spacing):
    grid = noise_grid(7, schedule, spacing)
    assert len(grid.levels) == 8 and len(grid.steps) == 7
    for alpha, sigma in grid.levels:
        on = {"vp": alpha**2 + sigma**2, "ve": alpha, "flow": alpha + sigma}[schedule]
        assert on == pytest.approx(1.0, abs=1e-14)
    assert all(s.ratio > t.ratio for s, t in grid.steps)
    first, last = ENDS[schedule]
    *_, least, end = grid.levels
    if spacing == "edm":
        assert end == (1.0, 0.0)
    else:
        least = end
    where = (lambda level: vp_time(level)) if schedule == "vp" else (lambda level: level.sigma)
    assert where(grid.levels[0]) == pytest.approx(first, rel=1e-10)
    assert where(least) == pytest.approx(last, rel=1e-10)


def test_variance_preserving_levels_solve_the_differential_equation():
    """d log alpha / dt = -beta(t) / 2 with beta from 0.1 to 20, by central differences on the uniform grid."""
    N = 1000
    levels = noise_grid(N, "vp", "uniform").levels
    t = np.linspace(*ENDS["vp"], N + 1)
    log_alpha = np.log([level.alpha for level in levels])
    slope = (log_alpha[2:] - log_alpha[:-2]) / (t[2:] - t[:-2])
    np.testing.assert_allclose(slope, -0.5 * (BETA_0 + t[1:-1] * (BETA_1 - BETA_0)), rtol=1e-9)
    np.testing.assert_allclose([vp_time(level) for level in levels], t, rtol=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_each_spacing_spaces_evenly(schedule):
    N = 9

    def spread(values):
        steps = np.diff(values)
        return np.ptp(steps) / np.abs(steps).max()

    def levels(spacing):
        return noise_grid(N, schedule, spacing).levels

    def time(level):
        return vp_time(level) if schedule == "vp" else level.sigma

    assert spread([level.half_log_snr for level in levels("log_snr")]) < 1e-10
    assert spread([time(level) for level in levels("uniform")]) < 1e-9
    assert spread([math.sqrt(time(level)) for level in levels("quadratic")]) < 1e-9
    assert spread([level.ratio ** (1.0 / 7.0) for level in levels("edm")[:-1]]) < 1e-10


def test_one_step_has_the_two_ends():
    assert [level.sigma for level in noise_grid(1, "ve").levels] == pytest.approx([80.0, 0.002], rel=1e-12)
    assert [level.sigma for level in noise_grid(1, "ve", "edm").levels] == pytest.approx([80.0, 0.0], rel=1e-12)


def test_other_ends():
    levels = noise_grid(4, "ve", sigma_min=0.02, sigma_max=8.0).levels
    assert [levels[0].sigma, levels[-1].sigma] == pytest.approx([8.0, 0.02], rel=1e-12)
    flow = noise_grid(4, "flow", "uniform", sigma_max=0.9).levels
    assert [flow[0].sigma, flow[-1].sigma] == pytest.approx([0.9, 0.001], rel=1e-12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"schedule": "cosine"}, "schedule must be one of 'vp', 've', 'flow'"),
        ({"spacing": "karras"}, "spacing must be one of"),
        ({"sigma_max": 5.0}, "vp"),
        ({"schedule": "ve", "sigma_min": 90.0}, "sigma_min < sigma_max"),
        ({"schedule": "ve", "sigma_min": 0.0}, "0 < sigma_min"),
        ({"schedule": "flow", "sigma_max": 1.0}, "< 1"),
    ],
)
def test_a_grid_that_is_none_is_refused_with_the_reason(options, words):
    with pytest.raises(ValueError, match=words):
        noise_grid(**options)


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ([(1.0, 1.0)], "at least two"),
        ([1.0, 0.5], "pairs of numbers"),
        ([(1.0, 0.5), (1.0, 1.0)], "from noise to data"),
        ([(1.0, 1.0), (1.0, 1.0)], "from noise to data"),
        ([(0.0, 1.0), (1.0, 0.5)], "alpha > 0"),
        ([(1.0, 1.0), (1.0, -0.5)], "sigma >= 0"),
        ([(1.0, math.inf), (1.0, 0.5)], "alpha > 0 and sigma >= 0"),
        ([(1.0, math.nan), (1.0, 0.5)], "alpha > 0 and sigma >= 0"),
        ([(1.0, 1.0), (1.0, 0.0), (1.0, 0.0)], "from noise to data"),
    ],
)
def test_levels_that_do_not_go_from_noise_to_data_are_refused(levels, words):
    with pytest.raises(ValueError, match=words):
        NoiseGrid(levels)


def test_a_grid_is_a_value():
    one, other = noise_grid(5), noise_grid(5)
    assert one == other and hash(one) == hash(other) and one != noise_grid(6)
    assert [(s, t) for s, t in one.steps] == list(itertools.pairwise(one.levels))


@pytest.mark.parametrize("end", ["sigma_min", "sigma_max"])
@pytest.mark.parametrize("value", ["small", math.nan, math.inf, [1.0], True], ids=str)
def test_ends_are_numbers(end, value):
    with pytest.raises(ValueError, match=f"{end} must be a finite number above 0; got "):
        noise_grid(3, "ve", **{end: value})
