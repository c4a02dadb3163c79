"""DPM-Solver: what it is the same as, where it is exact, and the algorithms of the papers as loops."""

import math

import numpy as np
import pytest

from secondorder.labs.views._mixtures import plane, sixteen
from secondorder.problems import gaussian_mixture
from secondorder.run import sample
from secondorder.schedules import NoiseGrid, noise_grid

SCHEDULES, SPACINGS = ("vp", "ve", "flow"), ("log_snr", "quadratic", "edm")


def start(law, grid, n=40, seed=3):
    return grid.levels[0].sigma * np.random.default_rng(seed).standard_normal((n, law.x0.shape[0]))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("law", [plane, sixteen])
def test_order_one_is_ddim_in_either_form(law, schedule, spacing):
    """To 1e-10 of the size of x: rounding is amplified along the path."""
    grid = noise_grid(15, schedule, spacing)
    x = start(law(), grid)
    ddim = sample(law(), "ddim", x, grid=grid).x
    for prediction in ("data", "noise"):
        solver = sample(law(), "dpm_solver", x, grid=grid, order=1, prediction=prediction).x
        np.testing.assert_allclose(solver, ddim, rtol=0, atol=1e-10 * np.abs(x).max())


@pytest.mark.parametrize(
    "options", [{"order": k, "second_difference": d} for k in (2, 3) for d in ("coded", "corrected")]
)
@pytest.mark.parametrize("prediction", ["data", "noise"])
def test_for_data_in_one_point_every_step_is_exact(options, prediction):
    law = gaussian_mixture(means=[[1.0, -2.0]], covariances=[np.zeros((2, 2))])
    grid = noise_grid(8, "vp", "edm")
    history = sample(law, "dpm_solver", particles=6, grid=grid, prediction=prediction, keep="x", **options)
    x, (a, s) = history["x"], grid.levels[0]
    noise = (x[0] - a * law.means) / s
    for k, level in enumerate(grid.levels):
        np.testing.assert_allclose(x[k], level.alpha * law.means + level.sigma * noise, rtol=0, atol=1e-12)


def test_2m_is_algorithm_2_of_the_paper():
    law, grid = plane(), noise_grid(9, "vp", "uniform")
    x = start(law, grid)
    levels = grid.levels

    def data(x, level):
        return law.posterior_mean(x, alpha=level.alpha, sigma=level.sigma)

    y, before = x, None
    for i, (s, t) in enumerate(grid.steps):
        h, new = t.half_log_snr - s.half_log_snr, data(y, s)
        if before is None:
            D = new
        else:
            r = (s.half_log_snr - levels[i - 1].half_log_snr) / h
            D = (1.0 + 0.5 / r) * new - 0.5 / r * before
        y, before = t.sigma / s.sigma * y - t.alpha * math.expm1(-h) * D, new
    found = sample(law, "dpm_solver", x, grid=grid, lower_order_final=False)
    np.testing.assert_allclose(found.x, y, rtol=0, atol=1e-10)
    assert found.oracle["score"] == 9


def test_third_order_of_the_noise_as_published():
    law, grid = plane(), noise_grid(16, "vp", "quadratic")
    x = start(law, grid)

    def noise(x, level):
        return -level.sigma * law.score(x, alpha=level.alpha, sigma=level.sigma)

    for factor, second in ((1.0, "coded"), (2.0, "corrected")):
        history = sample(
            law, "dpm_solver", x, grid=grid, order=3, prediction="noise", second_difference=second, keep="x"
        )
        L = [level.half_log_snr for level in grid.levels]
        for i in range(2, 16):
            s, t, h = grid.levels[i], grid.levels[i + 1], L[i + 1] - L[i]
            m = [noise(history["x"][i - j], grid.levels[i - j]) for j in range(3)]
            r0, r1 = (L[i] - L[i - 1]) / h, (L[i - 1] - L[i - 2]) / h
            D10, D11 = (m[0] - m[1]) / r0, (m[1] - m[2]) / r1
            D1, D2 = D10 + r0 / (r0 + r1) * (D10 - D11), factor / (r0 + r1) * (D10 - D11)
            e = math.exp(h)
            added = (e - 1.0) * m[0] + ((e - 1.0) / h - 1.0) * D1 + ((e - 1.0 - h) / h**2 - 0.5) * D2
            expected = t.alpha / s.alpha * history["x"][i] - t.sigma * added
            np.testing.assert_allclose(history["x"][i + 1], expected, rtol=0, atol=1e-9)


def test_the_order_of_each_step_is_in_its_row_and_falls_at_the_end_of_short_walks_only():
    def orders(**options):
        return sample(plane(), "dpm_solver", particles=3, **options)["order"][1:].tolist()

    assert orders(steps=6, order=3) == [1, 2, 3, 3, 2, 1]
    assert orders(steps=6, order=3, lower_order_final=False) == [1, 2, 3, 3, 3, 3]
    assert orders(steps=15) == [1] + 14 * [2]


@pytest.mark.parametrize("prediction", ["data", "noise"])
def test_the_increment_is_what_is_added_to_the_linear_part(prediction):
    history = sample(plane(), "dpm_solver", particles=4, steps=5, prediction=prediction, keep=("x", "increment"))
    for before, row in zip(history.rows[:-1], history.rows[1:], strict=True):
        part = "sigma" if prediction == "data" else "alpha"
        linear = row[part] / before[part] * before["x"]
        np.testing.assert_allclose(row["x"], linear + row["increment"], rtol=1e-12, atol=1e-13)


def test_to_noise_free_data_the_last_step_is_the_predicted_data():
    history = sample(plane(), "dpm_solver", particles=4, steps=16, spacing="edm", keep=("x", "data"))
    np.testing.assert_allclose(history.x, history["data"][-1], rtol=1e-12)
    grid = NoiseGrid([*noise_grid(15).levels, (1.0, 0.0)])
    noise = sample(plane(), "dpm_solver", history["x"][0], grid=grid, prediction="noise", keep="data")
    np.testing.assert_allclose(noise.x, noise["data"][-1], rtol=0, atol=1e-10)
