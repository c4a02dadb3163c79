"""Estimates from two-point differences, and the escape from a saddle, counted in values."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.ledger import Ledger
from secondorder.newton.zeroth_order import estimated_gradient

D = 20


def ridge(seed=0, d=D):
    """A saddle at 0 with curvature 1 but for one direction, in which f falls to -1/4; the start has no part in it."""
    spectrum = np.ones(d)
    spectrum[-1] = -1.0
    x0 = 1e-3 * np.random.default_rng(seed).standard_normal(d)
    x0[-1] = 0.0
    return so.Problem(
        lambda x: 0.5 * (spectrum @ (x * x)) + 0.25 * x[-1] ** 4,
        lambda x: spectrum * x + (x**3) * (np.arange(d) == d - 1),
        lambda x: np.diag(spectrum + 3.0 * x * x * (np.arange(d) == d - 1)),
        x0=x0,
    )


def reached(row):
    return "there" if row["f"] <= -0.24 else None


def values_to_escape(directions, seeds=range(9), **hyper):
    hyper = {"lipschitz": 1.0, **hyper}
    runs = [
        so.minimize(
            ridge(100 + seed),
            "perturbed_zeroth_order",
            seed=seed,
            directions=directions,
            stop=reached,
            steps=5000,
            **hyper,
        )
        for seed in seeds
    ]
    assert all(run.status == "there" for run in runs)
    return float(np.median([run.oracle["f"] for run in runs]))


@pytest.mark.parametrize("smoothing", [1e-6, 1e-2, 1.0, 30.0])
def test_on_a_quadratic_the_estimate_is_zz_g_for_every_smoothing(smoothing):
    problem = so.problems.quadratic([1.0, -2.0, 5.0, 0.5], rotate=True, x0=[1.0, -2.0, 0.5, 3.0])
    found, square = estimated_gradient(Ledger(problem), problem.x0, "gaussian", 3, smoothing, np.random.default_rng(4))
    Z, grad = np.random.default_rng(4).standard_normal((3, 4)), problem.grad(problem.x0)
    np.testing.assert_allclose(found, Z.T @ (Z @ grad) / 3, rtol=1e-13 / min(smoothing, 1.0) + 1e-12)
    assert square == pytest.approx(np.mean((Z @ grad) ** 2), rel=1e-9)
    assert square == pytest.approx(grad @ found, rel=1e-9)


def test_off_a_quadratic_the_bias_is_of_second_order_in_u():
    problem = so.problems.saddle()
    x, errors = np.asarray([0.3, 0.7]), []
    for smoothing in (1e-1, 1e-2):
        found, _ = estimated_gradient(Ledger(problem), x, "gaussian", 1, smoothing, np.random.default_rng(0))
        z = np.random.default_rng(0).standard_normal(2)
        errors.append(np.linalg.norm(found - z * (z @ problem.grad(x))))
    assert errors[0] / errors[1] == pytest.approx(100.0, rel=1e-3)


@pytest.mark.parametrize("m", [1, 4, 12])
def test_mean_and_mean_square_of_the_estimate(m):
    """4000 estimates. A mean of them is off by a standard error, seen in the sample itself; five of these are allowed."""
    d, draws = 12, 4000
    problem = so.problems.quadratic(np.linspace(-1.0, 2.0, d), rotate=True)
    grad, rng, ledger = problem.grad(problem.x0), np.random.default_rng(m), Ledger(problem)
    found = np.stack([estimated_gradient(ledger, problem.x0, "gaussian", m, 1e-2, rng)[0] for _ in range(draws)])
    squares = np.sum(found**2, axis=1)
    promised = (1.0 + (d + 1.0) / m) * (grad @ grad)
    assert abs(squares.mean() - promised) <= 5.0 * squares.std() / math.sqrt(draws)
    assert 5.0 * squares.std() / math.sqrt(draws) < 0.25 * promised, "the test is sharp enough to say something"
    assert np.all(np.abs(found.mean(axis=0) - grad) <= 5.0 * found.std(axis=0) / math.sqrt(draws))


def test_coordinate_differences_are_the_gradient():
    problem = so.problems.quadratic([1.0, 30.0, -4.0], rotate=True)
    found, square = estimated_gradient(Ledger(problem), problem.x0, "coordinates", 3, 1e-2, np.random.default_rng(0))
    grad = problem.grad(problem.x0)
    np.testing.assert_allclose(found, grad, rtol=1e-12)
    assert square == pytest.approx(grad @ grad, rel=1e-12)


def naive(f, x, *, m, u, r, L, steps, seed):
    """The update in plain NumPy, drawn in the same order."""
    rng, d = np.random.default_rng(seed), len(x)
    path = [x]
    for _ in range(steps):
        estimate = np.zeros(d)
        for _ in range(m):
            z = rng.standard_normal(d)
            estimate += (f(x + u * z) - f(x - u * z)) / (2.0 * u) * z / m
        noise = r / math.sqrt(d) * rng.standard_normal(d)
        x = x - m / (4.0 * L * (d + m)) * (estimate + noise)
        path.append(x)
    return np.stack(path)


def test_it_is_the_update_of_the_docstring():
    problem = ridge(3)
    hyper = {"directions": 4, "smoothing": 1e-3, "perturbation": 0.05, "lipschitz": 2.0}
    run = so.minimize(
        problem, "perturbed_zeroth_order", steps=30, seed=5, keep=("x", "step", "noise", "batch_grad"), **hyper
    )
    path = naive(problem.f, problem.x0, m=4, u=1e-3, r=0.05, L=2.0, steps=30, seed=5)
    np.testing.assert_allclose(run["x"], path, rtol=0, atol=1e-12)
    assert run.oracle["f"] == 8 * 31 and run["step_size"][1] == 4 / (4 * 2.0 * 24)
    for before, row in zip(run.rows, run.rows[1:], strict=False):
        np.testing.assert_allclose(row["step"], -row["step_size"] * (before["batch_grad"] + row["noise"]), rtol=1e-15)


def test_the_adapted_constant_satisfies_the_descent_lemma_and_stays_below_twice_the_true_one():
    spectrum = np.linspace(1.0, 300.0, 10)
    problem = so.problems.quadratic(spectrum, rotate=True)
    run = so.minimize(problem, "perturbed_zeroth_order", steps=300, perturbation=0.0)
    L = run["lipschitz"][1:]
    assert np.all(np.diff(L) >= 0) and 1.0 < L[-1] < 2.0 * spectrum.max()
    assert np.all(np.diff(run.f) < 0), "without the perturbation every step descends"


def test_without_doublings_that_help_it_stalls():
    """A function that rises by one each time it is asked descends in no direction."""
    asked = iter(range(10**6))
    run = so.minimize(so.Problem(lambda x: float(next(asked)), x0=[1.0, 2.0]), "perturbed_zeroth_order")
    assert run.status == "stalled" and "100 doublings" in run.message


@pytest.mark.parametrize("lipschitz", [1.0, None])
def test_the_values_to_escape_agree_for_every_number_of_directions(lipschitz):
    """Within a factor of about two; medians over nine starts and seeds."""
    needed = [values_to_escape(m, lipschitz=lipschitz) for m in (1, D // 2, D)]
    assert max(needed) <= 2.2 * min(needed)
    assert min(needed) > 1000 and max(needed) < 5000


def test_values_to_escape_grow_in_proportion_to_the_dimension():
    def needed(d):
        problem = ridge(0, d)
        runs = [
            so.minimize(
                problem, "perturbed_zeroth_order", seed=s, directions=d, lipschitz=1.0, stop=reached, steps=2000
            )
            for s in range(5)
        ]
        return np.median([run.oracle["f"] for run in runs])

    assert 6.0 < needed(80) / needed(10) < 12.0  # 8, but for the logarithm of d


def test_without_noise_coordinate_differences_stay_at_the_saddle():
    """A zero component of the gradient stays zero; Gaussian directions leave by themselves, the perturbation in any case."""
    stay = so.minimize(
        ridge(1), "perturbed_zeroth_order", estimator="coordinates", perturbation=0.0, lipschitz=1.0, steps=2000
    )
    assert stay.x[-1] == 0.0 and stay.f[-1] >= 0.0
    leave = so.minimize(
        ridge(1), "perturbed_zeroth_order", estimator="coordinates", lipschitz=1.0, steps=2000, stop=reached
    )
    assert leave.status == "there"


def test_at_the_saddle_itself_only_the_perturbation_moves():
    """A trace of x_1 keeps the run from ending as converged at once."""
    problem, at = ridge(0), 1e-12 * np.eye(D)[0]
    hyper = {"tol": 0.0, "steps": 3000, "stop": reached, "lipschitz": 1.0}
    still = so.minimize(problem, "perturbed_zeroth_order", at, perturbation=0.0, estimator="coordinates", **hyper)
    assert still.status != "there" and not np.any(still.x[1:])
    assert so.minimize(problem, "perturbed_zeroth_order", at, **hyper).status == "there"


def test_it_circles_a_minimum_with_gradients_below_the_perturbation():
    """On a bowl with curvature 1 the stationary mean square is about eta r^2 / 2."""
    problem = so.problems.quadratic(np.ones(10), rotate=True)
    run = so.minimize(problem, "perturbed_zeroth_order", directions=10, lipschitz=1.0, steps=3000, tol=0.0, seed=1)
    settled, eta = run.grad_norm[len(run) // 2 :], run["step_size"][1]
    assert np.mean(settled**2) == pytest.approx(eta * 1e-4 / (2.0 - 2.1 * eta), rel=0.2)
    assert settled.max() < 1e-2


def test_a_difference_that_leaves_the_domain_is_halved():
    problem = so.Problem(lambda x: x[0] - math.log(x[0]) if x[0] > 0 else math.inf, x0=[0.3])
    run = so.minimize(problem, "perturbed_zeroth_order", smoothing=0.2, perturbation=0.0, lipschitz=10.0, steps=300)
    assert run.status == "step_limit" and run.f[-1] < 1.01
