"""What the pictures of the chapter on the natural gradient are made of, held against its formulas."""

import numpy as np
import pytest

from secondorder.labs.views import natural as views
from secondorder.natural import natural_gradient
from secondorder.newton import gradient_descent
from secondorder.run import minimize

COORDINATES = tuple(views.COORDINATES)


def slope(f, x, h=1e-6):
    """Central differences."""
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=-1)


@pytest.mark.parametrize("coordinates", COORDINATES)
def test_gradient_and_fisher_of_the_normal_distribution(coordinates):
    problem, (_, forward, back) = views.gaussian(coordinates), views.COORDINATES[coordinates]
    x = forward(np.asarray([0.4, 0.8]))
    np.testing.assert_allclose(back(x), [0.4, 0.8])
    np.testing.assert_allclose(problem.grad(x), slope(problem.f, x), atol=1e-7)
    (layer,) = problem.signals(x, "exact")
    F = np.einsum("kni,knj->ij", layer.signals, layer.signals)
    T = slope(back, x)
    np.testing.assert_allclose(F, T.T @ np.diag([1.0, 2.0]) / 0.8**2 @ T, rtol=1e-6)
    y = np.random.default_rng(0).normal(0.4, 0.8, 400_000)
    scores = np.stack([(y - 0.4) / 0.8**2, ((y - 0.4) ** 2 - 0.8**2) / 0.8**3]).T @ T
    np.testing.assert_allclose(scores.T @ scores / len(y), F, rtol=0.02, atol=0.02 * np.abs(F).max())


def test_the_curves_have_the_divergence_they_claim():
    for mu, sigma in views.CENTRES:
        x, y = views.equal_divergence(mu, sigma, 0.1)
        np.testing.assert_allclose(views.divergence(mu, sigma, x, y), 0.1, rtol=1e-8)
        u, v = views.ellipse(np.diag([1.0, 2.0]) / sigma**2, 2e-6)  # small: the metric is the divergence
        np.testing.assert_allclose(views.divergence(mu, sigma, mu + u, sigma + v), 1e-6, rtol=1e-2)


def test_the_flow_solves_its_equation_and_the_runs_approach_it():
    h, t = 1e-5, np.asarray(0.7)
    mu, sigma = views.flow(t)
    second = views.SPREAD**2 + (mu - views.TARGET) ** 2
    right = [views.TARGET - mu, 0.5 * (second / sigma - sigma)]
    np.testing.assert_allclose((views.flow(t + h) - views.flow(t - h)) / (2 * h), right, rtol=1e-6)
    for coordinates in COORDINATES:
        far, near = (
            np.linalg.norm(
                views.gaussian_path(coordinates, natural_gradient, rate)[:, round(1 / rate)] - views.flow(1.0)
            )
            for rate in (0.1, 0.05)
        )
        assert 1.8 < far / near < 2.4


def test_one_step_fits_in_the_expectation_parameters():
    run = views.gaussian_run("expectation", natural_gradient, 1.0)
    np.testing.assert_allclose(run["x"][1], [views.TARGET, views.TARGET**2 + views.SPREAD**2], rtol=1e-12)


@pytest.mark.parametrize("name", views.MODELS)
def test_the_linear_models(name):
    problem, w = views.model(name), np.asarray([0.3, -0.5])
    np.testing.assert_allclose(problem.grad(w), slope(problem.f, w), atol=1e-8)
    np.testing.assert_allclose(problem.hess(w), slope(problem.grad, w), atol=1e-8)
    np.testing.assert_allclose(views.fisher(problem, w, "exact"), problem.hess(w), rtol=1e-12)
    np.testing.assert_allclose(views.fisher(problem, w, "monte_carlo", 20_000), problem.hess(w), rtol=0.03)
    gradients = (problem.mean(w) - problem.y)[:, None] * problem.X
    np.testing.assert_allclose(views.fisher(problem, w, "empirical"), gradients.T @ gradients / problem.n)


@pytest.mark.parametrize("name", views.MODELS)
def test_the_sampled_matrix_has_the_expected_error(name):
    problem, x = views.model(name), views.place(name, "away from it")
    errors = views.fisher_error(name, "away from it", 4, seeds=400)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(views.expected_error(problem, x) / 2, rel=0.15)


@pytest.mark.parametrize("kind", views.KINDS)
def test_the_step_in_the_picture_belongs_to_the_ellipse(kind):
    name = "logistic regression"
    problem, x = views.model(name), views.place(name, "away from it")
    step = views._first_step(problem, x, natural_gradient, kind, 3, 2)
    np.testing.assert_allclose(views.fisher(problem, x, kind, 3, 2) @ step, -problem.grad(x), rtol=1e-10)


@pytest.mark.parametrize("factor", [2, 8])
@pytest.mark.parametrize("angle", [0, 60])
def test_only_the_undamped_natural_gradient_is_invariant(factor, angle):
    assert views.deviation(natural_gradient, factor, angle) < 1e-9
    assert views.deviation(natural_gradient, factor, angle, 0.1) > 0.1
    assert views.deviation(gradient_descent, factor, angle) > 0.1


def test_the_damped_path_is_that_of_the_stretched_metric():
    problem, A = views.two_weights(), views.stretch(4, 30)
    run = minimize(views.in_parameters(problem, A), "natural_gradient", steps=1, damping=0.1, tol=0.0, keep=("step",))
    F, x = problem.hess(problem.x0), problem.x0
    expected = -np.linalg.solve(F + 0.1 * np.linalg.inv(A @ A.T), problem.grad(x))
    np.testing.assert_allclose(A @ run.rows[1]["step"], expected, rtol=1e-10)


def test_a_run_that_leaves_the_half_plane_says_so():
    assert "leaves the half-plane" in views.plane_of_gaussians(coordinates="natural", rate=1.0).sentence
    assert "leaves" not in views.plane_of_gaussians().sentence
