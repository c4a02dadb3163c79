"""Adams–Bashforth: the published constants, steps of their own length, and what it is the same as."""

import numpy as np
import pytest

from secondorder.labs.views._mixtures import plane
from secondorder.oracles import Problem
from secondorder.run import sample
from secondorder.schedules import NoiseGrid, noise_grid

CONSTANTS = {1: [1.0], 2: [1.5, -0.5], 3: [23 / 12, -16 / 12, 5 / 12], 4: [55 / 24, -59 / 24, 37 / 24, -9 / 24]}


def start(grid, n=40, seed=3):
    return grid.levels[0].sigma * np.random.default_rng(seed).standard_normal((n, 2))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_it_is_ddim_on_the_mixed_noise_of_the_paper(order):
    law, grid = plane(), noise_grid(8, "vp", "uniform")
    x, past = start(grid), []
    y = x
    for s, t in grid.steps:
        past.insert(0, -s.sigma * law.score(y, alpha=s.alpha, sigma=s.sigma))
        constants = CONSTANTS[min(order, len(past))]
        mixed = sum(c * e for c, e in zip(constants, past))
        y = t.alpha * (y - s.sigma * mixed) / s.alpha + t.sigma * mixed
    found = sample(law, "adams_bashforth", x, grid=grid, order=order)
    np.testing.assert_allclose(found.x, y, rtol=0, atol=1e-9)
    assert found.oracle["score"] == 8


@pytest.mark.parametrize("schedule", ["vp", "ve", "flow"])
def test_on_equal_steps_of_lambda_order_two_is_the_noise_form_of_dpm_solver(schedule):
    grid = noise_grid(12, schedule)
    x = start(grid)
    multistep = sample(plane(), "adams_bashforth", x, grid=grid, order=2).x
    solver = sample(plane(), "dpm_solver", x, grid=grid, prediction="noise", lower_order_final=False).x
    np.testing.assert_allclose(multistep, solver, rtol=0, atol=1e-10 * np.abs(x).max())
    uneven = noise_grid(12, schedule, "quadratic")
    x = start(uneven)
    multistep = sample(plane(), "adams_bashforth", x, grid=uneven, order=2).x
    solver = sample(plane(), "dpm_solver", x, grid=uneven, prediction="noise", lower_order_final=False).x
    assert not np.allclose(multistep, solver, rtol=0, atol=1e-3), "the steps of lambda are not equal here"


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_variable_steps_are_exact_where_the_noise_is_a_polynomial_in_g(order):
    """dz/dg = g^(order-1): exact once the history is long enough; the constants are exact on equal steps only."""

    def score(X, alpha, sigma):
        return 0.0 * X - (sigma / alpha) ** (order - 1) / sigma

    law = Problem(score=score, x0=[0.0])
    for ratios, also_constants in (([3.0, 2.8, 2.0, 1.7, 1.1, 0.6, 0.5], False), (np.arange(7.0, 0.0, -1.0), True)):
        grid = NoiseGrid([(0.9, 0.9 * g) for g in ratios])
        for variable in (True, False):
            history = sample(law, "adams_bashforth", [[1.0]], grid=grid, order=order, variable=variable, keep="x")
            z, g = history["x"][:, 0, 0] / 0.9, np.asarray(ratios)
            error = np.diff(z) - np.diff(g**order) / order
            exact = np.max(np.abs(error[order - 1 :])) < 1e-9
            assert exact == (variable or also_constants or order == 1)


def test_variable_order_two_is_the_textbook_rule():
    law, grid = plane(), noise_grid(8)
    x = start(grid)
    z, before, last = x / grid.levels[0].alpha, None, 0.0
    for s, t in grid.steps:
        step = t.ratio - s.ratio
        noise = -s.sigma * law.score(s.alpha * z, alpha=s.alpha, sigma=s.sigma)
        mixed = noise if before is None else noise + 0.5 * step / last * (noise - before)
        z, before, last = z + step * mixed, noise, step
    found = sample(law, "adams_bashforth", x, grid=grid, order=2, variable=True)
    np.testing.assert_allclose(found.x, grid.levels[-1].alpha * z, rtol=0, atol=1e-9)


def test_the_direction_is_what_ddim_was_fed():
    history = sample(plane(), "adams_bashforth", particles=5, steps=6, keep=("x", "direction"))
    for before, row in zip(history.rows[:-1], history.rows[1:], strict=True):
        data = (before["x"] - before["sigma"] * row["direction"]) / before["alpha"]
        expected = row["alpha"] * data + row["sigma"] * row["direction"]
        np.testing.assert_allclose(row["x"], expected, rtol=1e-10, atol=1e-12)
