"""What the chapter on scores says of its pictures."""

import math

import numpy as np
import pytest

from secondorder.labs.scene import get_view
from secondorder.labs.views import scores as views
from secondorder.sampling import annealed_langevin, ddpm, langevin
from secondorder.schedules import Level


@pytest.mark.parametrize("sigma", views.SIGMAS)
@pytest.mark.parametrize("alpha", [1.0, 0.7])
def test_the_ellipse_is_that_of_the_points_behind(sigma, alpha):
    """Score and Hessian against the mixture of the clean points, made by conditioning component by component."""
    for place in views.PLACES:
        x, level = views.noisy_point(place), Level(alpha, sigma)
        mean, covariance, scaled = views.tweedie(x, level)
        exact = views.behind(x, level)
        np.testing.assert_allclose(mean, exact.mean, rtol=0, atol=1e-11)
        np.testing.assert_allclose(covariance, exact.covariance, rtol=0, atol=1e-11)
        low, high = np.linalg.eigvalsh(scaled)
        assert low > -1.0
        assert (high > 0.0) == (np.linalg.eigvalsh(covariance)[-1] > (sigma / alpha) ** 2)


def test_the_ellipse_is_two_standard_deviations_away():
    covariance = np.asarray([[2.0, 0.5], [0.5, 1.0]])
    away = views.ellipse(np.asarray([1.0, -1.0]), covariance) - [1.0, -1.0]
    np.testing.assert_allclose(np.sum(away @ np.linalg.inv(covariance) * away, axis=1), 4.0, rtol=1e-12)


def test_two_modes_of_equal_weight_merge_where_the_exercise_says():
    edge = math.sqrt(1.0 - views.SPREAD**2)
    assert [views.count_modes(0.5, factor * edge) for factor in (0.5, 0.98, 1.02, 2.0)] == [2, 2, 1, 1]
    assert views.count_modes(0.9, 0.6) == 1 and views.count_modes(0.9, 0.2) == 2
    scene = get_view("merging_modes")
    assert "two modes" in scene(sigma=0.2).sentence and "negative everywhere" in scene(sigma=1.1).sentence


def test_the_shares_add_up_and_are_the_weights_for_exact_draws():
    """4,000 draws: the standard error of a mean responsibility is at most .008, five of them .04."""
    levels = [4.0, 1.0, 0.05]
    clouds = [(views.plane().sample(4000, np.random.default_rng(0), sigma=sigma), sigma) for sigma in levels]
    found = views.shares(clouds)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(found, np.tile(views.plane().weights, (3, 1)), rtol=0, atol=0.04)


@pytest.mark.parametrize("method", [annealed_langevin, ddpm, langevin])
def test_a_walk_has_a_cloud_at_each_level(method):
    walk = views.walked(method, 2.0)
    sigmas = [level.sigma for level in views.down(2.0).levels]
    assert len(walk) == views.DOWN and all(X.shape == (views.PARTICLES, 2) for X, _ in walk)
    expected = [views.LOWEST] * views.DOWN if method is langevin else sigmas
    np.testing.assert_array_equal([sigma for _, sigma in walk], expected)


def test_the_levels_repair_what_langevin_alone_does_not():
    def off(method, highest):
        return np.max(np.abs(views.shares(views.walked(method, highest))[-1] - views.plane().weights))

    assert off(annealed_langevin, 4.0) < 0.06 < 0.07 < off(langevin, 4.0)
    assert off(annealed_langevin, 0.25) > 0.15 and off(ddpm, 4.0) < 0.03


def test_the_sentence_follows_the_preconditioner():
    scene = get_view("preconditioned_levels")
    assert "0 % of it is in the picture" in scene(kind="rank one", damping=0.2, step_size=0.5).sentence
    assert "100 % of it is in the picture" in scene(kind="Hessian").sentence
