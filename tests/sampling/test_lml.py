"""LML against its bases, against Adams and Bashforth, and against a loop over particles."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.distances import coupled_rmse, median_row_error
from secondorder.labs.views._mixtures import plane, sixteen, stretched
from secondorder.sampling.multistep import multistep_increment, step_orders
from secondorder.schedules import noise_grid


def start(law, n=200, seed=7):
    return np.random.default_rng(seed).standard_normal((n, law.means.shape[1]))


def final(law, X, grid, **hyper):
    run = so.sample(law, "lml", X, grid=grid, **hyper)
    assert run.status == "finished" and run.oracle["score"] == len(grid.steps)
    return run.x


def prediction(law, x, s):
    noise = -s.sigma * law.score(x, alpha=s.alpha, sigma=s.sigma)
    return noise, (x - s.sigma * noise) / s.alpha


def solved(law, X, grid):
    """The base of orders 1, 2, 3, and Euler for a flow, each written as it is in its paper."""

    def multistep(order, kind):
        x, past, levels = X, [], []
        for (s, t), now in zip(grid.steps, step_orders(len(grid.steps), order), strict=True):
            past, levels = [prediction(law, x, s)[kind == "data"], *past], [s, *levels]
            linear = t.alpha / s.alpha if kind == "noise" else t.sigma / s.sigma
            x = linear * x + multistep_increment(past[:now], levels[:now], t, kind)
        return x

    return multistep


def reference(law, X, steps=600):
    """Heun's method for dz/dg = noise, z = x / alpha."""
    x, grid = X, noise_grid(steps)
    for s, t in grid.steps:
        h, carried = t.alpha * (t.ratio - s.ratio), t.alpha / s.alpha * x
        first = prediction(law, x, s)[0]
        x = carried + 0.5 * h * (first + prediction(law, carried + h * first, t)[0])
    return x


def adams_bashforth(law, X, grid):
    """Of second order with variable steps, for dz/dg = noise; the first step is Euler's."""
    z, e_before, h_before = X / grid.levels[0].alpha, None, None
    for s, t in grid.steps:
        e, h = prediction(law, s.alpha * z, s)[0], t.ratio - s.ratio
        z = z + h * (e if e_before is None else e + 0.5 * h / h_before * (e - e_before))
        e_before, h_before = e, h
    return grid.levels[-1].alpha * z


@pytest.mark.parametrize("rho", [1e-2, 1.0])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("kind", ["noise", "data"])
def test_without_memory_it_is_the_multistep_solver(kind, order, rho):
    law = sixteen()
    X, grid = start(law, 40), noise_grid(16)
    found = final(law, X, grid, order=order, prediction=kind, rho=rho)
    np.testing.assert_allclose(found, solved(law, X, grid)(order, kind), rtol=0, atol=1e-8)


@pytest.mark.parametrize("where", ["direction", "all"])
@pytest.mark.parametrize("rho", [1e-2, 1.0])
def test_without_memory_it_is_ddim(rho, where):
    law = sixteen()
    X = start(law, 100)
    ddim = so.sample(law, "ddim", X, steps=12).x
    np.testing.assert_allclose(
        final(law, X, noise_grid(12), base="ddim", where=where, rho=rho), ddim, rtol=0, atol=1e-8
    )
    for form in ({"form": "memory", "memory": 1}, {"form": "extrapolation", "c": 0.0}):
        found = final(law, X, noise_grid(12), base="ddim", where=where, **form)
        np.testing.assert_allclose(found, ddim, rtol=0, atol=1e-10)


def test_without_memory_it_is_euler_for_the_flow():
    law, grid = plane(), noise_grid(12, "flow")
    x = X = start(law)
    for s, t in grid.steps:
        noise, data = prediction(law, x, s)
        x = x + (t.sigma - s.sigma) * (noise - data)
    np.testing.assert_allclose(final(law, X, grid, base="flow", rho=0.1), x, rtol=0, atol=1e-9)
    edm = noise_grid(12, "flow", "edm")
    assert edm.levels[-1] == (1.0, 0.0) and np.all(np.isfinite(final(law, X, edm, base="flow", kappa=0.1)))


def test_the_flow_needs_a_grid_of_its_own():
    with pytest.raises(ValueError, match="alpha \\+ sigma = 1"):
        so.sample(plane(), "lml", base="flow")


@pytest.mark.parametrize("base", ["dpm_solver", "ddim", "ddim everywhere", "flow"])
@pytest.mark.parametrize("kappa", [0.2, -0.1])
def test_it_is_what_a_loop_over_particles_does(base, kappa):
    """The published recipe for one particle at a time, with the raw direction of the step before."""
    law, rho = plane(), 0.7
    where = "all" if base == "ddim everywhere" else "direction"
    grid, X = noise_grid(9, "flow" if base == "flow" else "vp"), start(law, 12)
    found = final(law, X, grid, base=base.split()[0], where=where, order=2, rho=rho, kappa=kappa)
    for row, answer in zip(X, found, strict=True):
        x, before, past, levels = row[None, :], None, [], []
        for (s, t), now in zip(grid.steps, step_orders(9, 2), strict=True):
            noise, data = prediction(law, x, s)
            past, levels = [noise, *past], [s, *levels]
            e = {"flow": noise - data, "dpm_solver": multistep_increment(past[:now], levels[:now], t, "noise")}
            e = e.get(base, noise)[0]
            p = e if before is None else kappa * before + (1.0 - kappa) * e
            v = e - (e @ p) / (rho + p @ p) * p
            turned, before = v * math.sqrt(e @ e) / math.sqrt(v @ v), e
            x = {
                "flow": x + (t.sigma - s.sigma) * turned,
                "dpm_solver": t.alpha / s.alpha * x + turned,
                "ddim": t.alpha * data + t.sigma * turned,
                "ddim everywhere": t.alpha * (x - s.sigma * turned) / s.alpha + t.sigma * turned,
            }[base]
        np.testing.assert_allclose(answer, x[0], rtol=0, atol=1e-8)


def test_the_rows_hold_the_direction_and_what_became_of_it():
    law, X = plane(), start(plane(), 30)
    run = so.sample(law, "lml", X, steps=5, base="ddim", kappa=0.3, keep=("x", "direction", "corrected"))
    assert "direction" not in run.rows[0] and len(run) == 6
    for before, row in zip(run.rows[:-1], run.rows[1:], strict=True):
        level = so.schedules.Level(before["alpha"], before["sigma"])
        noise, data = prediction(law, before["x"], level)
        np.testing.assert_allclose(row["direction"], noise, atol=1e-12)
        np.testing.assert_allclose(row["x"], row["alpha"] * data + row["sigma"] * row["corrected"], atol=1e-12)


def test_a_run_remembers_nothing_of_the_one_before():
    law, X = plane(), start(plane(), 30)
    grid = noise_grid(6)
    assert np.array_equal(final(law, X, grid, kappa=0.3), final(law, X, grid, kappa=0.3))


def test_without_the_projection_both_values_of_c_are_adams_and_bashforth():
    """c = r/2 in both places, or c* = r (1 - g_s/g_t)/2 in the direction alone: the same step, to rounding."""
    law, grid = sixteen(), noise_grid(12, spacing="quadratic")
    x = y = X = start(law, 50)
    before = {"x": None, "y": None}
    h_before = None
    for s, t in grid.steps:
        h = t.ratio - s.ratio
        r = 0.0 if h_before is None else h / h_before
        e = prediction(law, x, s)[0]
        turned = e if before["x"] is None else e + 0.5 * r * (e - before["x"])
        x, before["x"] = t.alpha / s.alpha * x + t.alpha * h * turned, e
        e, data = prediction(law, y, s)
        turned = e if before["y"] is None else e + 0.5 * r * (1.0 - s.ratio / t.ratio) * (e - before["y"])
        y, before["y"], h_before = t.alpha * data + t.sigma * turned, e, h
    expected = adams_bashforth(law, X, grid)
    np.testing.assert_allclose(x, expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("steps", [10, 20])
def test_the_sign_of_c_depends_on_where_it_acts(steps):
    """On a grid even in log(alpha/sigma) both values are constants: exp(-h)/2, and -(1 - exp(-h))/2."""
    law, grid = sixteen(), noise_grid(steps)
    X = start(law, 800)
    exact = reference(law, X, 200)
    h = grid.levels[1].half_log_snr - grid.levels[0].half_log_snr
    best = {"all": 0.5 * math.exp(-h), "direction": -0.5 * (1.0 - math.exp(-h))}
    error = {
        (where, sign): coupled_rmse(
            final(law, X, grid, base="ddim", where=where, form="extrapolation", c=sign * c), exact
        )
        for where, c in best.items()
        for sign in (1.0, 0.0, -1.0)
    }
    for where in best:
        assert error[where, 1.0] < 0.97 * error[where, 0.0] < 0.97**2 * error[where, -1.0]
    assert error["direction", 1.0] < 0.95 * error["direction", 0.0]
    # of the published form, kappa at the same c for a direction of the length sqrt(16)
    small = {k: final(law, X, grid, base="ddim", rho=1e-3, kappa=k * 0.1 * 1e-3 / 16.0) for k in (1.0, -1.0)}
    assert coupled_rmse(small[-1.0], exact) < error["direction", 0.0] < coupled_rmse(small[1.0], exact)


@pytest.fixture(scope="module")
def one_gaussian():
    """Where no row changes its basin: the error of the extrapolation, by where, c and the number of steps."""
    law = stretched(16)
    X = start(law, 40)
    exact = reference(law, X, 1200)

    def error(where, c, steps):
        found = final(law, X, noise_grid(steps), base="ddim", where=where, form="extrapolation", c=c)
        return median_row_error(found, exact)

    return error


def test_the_best_c_takes_the_error_along_the_sphere_only(one_gaussian):
    """More than half of DDIM's error is gone; the length of the direction keeps its own, of order one."""
    for where in ("all", "direction"):
        errors = []
        for steps in (160, 320):
            h = (noise_grid(1).levels[1].half_log_snr - noise_grid(1).levels[0].half_log_snr) / steps
            c = 0.5 * math.exp(-h) if where == "all" else -0.5 * (1.0 - math.exp(-h))
            errors.append(one_gaussian(where, c, steps))
            assert errors[-1] < 0.45 * one_gaussian("all", 0.0, steps)
        assert 0.9 <= math.log2(errors[0] / errors[1]) <= 1.25


def test_a_fixed_c_in_the_direction_does_not_converge(one_gaussian):
    """It leaves an error of order c: 32 times the steps bring no less of it, where DDIM divides its error by 32."""
    for c in (0.1, -0.1):
        assert one_gaussian("direction", c, 640) > 0.02
        assert one_gaussian("direction", c, 1280) > 0.95 * one_gaussian("direction", c, 640)
        assert 1.8 <= one_gaussian("all", c, 320) / one_gaussian("all", c, 640) <= 2.2
    assert one_gaussian("direction", 0.0, 640) < 0.006
    assert one_gaussian("direction", 0.2, 640) == pytest.approx(2.0 * one_gaussian("direction", 0.1, 640), rel=0.25)


@pytest.mark.parametrize("steps", [6, 10])
def test_a_small_positive_c_helps_a_multistep_base_and_a_negative_one_harms(steps):
    """The errors of orders 1, 2, 3 at c = -0.1, 0, 0.1, 0.5: the least at 0.1 for orders 2 and 3."""
    law = sixteen()
    X = start(law, 800)
    exact = reference(law, X, 200)
    for order in (1, 2, 3):
        harm, none, small, large = (
            coupled_rmse(final(law, X, noise_grid(steps), order=order, form="extrapolation", c=c), exact)
            for c in (-0.1, 0.0, 0.1, 0.5)
        )
        assert small < 0.95 * none and none < 0.97 * harm
        assert (large < none) if order == 1 else (large > none)


def test_in_single_precision_the_points_move_and_the_law_hardly():
    """With kappa = 0: the end points of G16 move by more than the distance of DDIM from the law shows."""
    law = sixteen()
    single = so.problems.gaussian_mixture(
        means=law.means.astype(np.float32), covariances=law.covariances.astype(np.float32)
    )
    X, Y = start(law, 2000), law.sample(2000, np.random.default_rng(1), fixed_counts=True)
    ddim = so.sample(law, "ddim", X, steps=10).x
    assert coupled_rmse(so.sample(single, "ddim", X.astype(np.float32), steps=10).x, ddim) < 1e-2
    moved = so.sample(single, "lml", X.astype(np.float32), steps=10, base="ddim", rho=1e-5).x
    assert moved.dtype == np.float32 and coupled_rmse(moved, ddim) > 1.0
    away = so.distances.sliced_wasserstein
    floor = so.distances.floor(away, law, 2000)
    assert abs(away(moved, Y) - away(ddim, Y)) < 2.0 * floor
