"""What a denoiser knows: the predictions are conditional expectations, and their Jacobian is a conditional covariance."""

import numpy as np
import pytest

from secondorder.ledger import Ledger
from secondorder.problems import gaussian_mixture
from secondorder.sampling.predictions import predictions
from secondorder.schedules import Level

LEVELS = [Level(1.0, 0.1), Level(0.8, 0.6), Level(0.3, 0.954), Level(1.0, 8.0)]


def cloud(mixture, level, n=40):
    return mixture.sample(n, np.random.default_rng(5), alpha=level.alpha, sigma=level.sigma)


def both(mixture, X, level):
    return predictions(Ledger(mixture, X, particles=True), X, level)


@pytest.mark.parametrize("level", LEVELS)
def test_they_are_the_posterior_means(level):
    """Against Gaussian conditioning, component by component; the noise loses what x - alpha E[x_0] cancels."""
    mixture = gaussian_mixture()
    X = cloud(mixture, level)
    noise, data = both(mixture, X, level)
    mean = mixture.posterior_mean(X, **level._asdict())
    np.testing.assert_allclose(data, mean, rtol=0, atol=1e-12 * max(1.0, level.sigma**2))
    np.testing.assert_allclose(noise, (X - level.alpha * mean) / level.sigma, rtol=0, atol=1e-12 / level.sigma)
    np.testing.assert_allclose(level.alpha * data + level.sigma * noise, X, rtol=0, atol=1e-13 * np.abs(X).max())


@pytest.mark.parametrize("level", LEVELS)
def test_the_jacobian_of_the_data_prediction_is_the_posterior_covariance(level):
    """Cov[x_0 | x] = (sigma²/alpha) d x̂_0/dx; central differences err by about h² of the third derivative, here < 1e-6."""
    mixture = gaussian_mixture()
    X, h = cloud(mixture, level), 1e-4 * level.sigma
    columns = [(both(mixture, X + h * e, level)[1] - both(mixture, X - h * e, level)[1]) / (2.0 * h) for e in np.eye(2)]
    covariance = level.sigma**2 / level.alpha * np.stack(columns, axis=2)
    expected = mixture.posterior_covariance(X, **level._asdict())
    np.testing.assert_allclose(covariance, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_no_other_function_of_the_noisy_point_is_nearer_to_the_data():
    """The error is orthogonal to every function of x: five means of 40,000 draws, each within 5 of its standard errors;
    and its mean square is the mean trace of the posterior covariance."""
    mixture, level = gaussian_mixture(), Level(0.8, 0.6)
    rng = np.random.default_rng(0)
    X0 = mixture.sample(40_000, rng)
    X = level.alpha * X0 + level.sigma * rng.standard_normal(X0.shape)
    _, data = both(mixture, X, level)
    error = X0 - data
    for g in (np.ones_like(X), X, X**2, np.sin(3.0 * X), data):
        inner = np.sum(error * g, axis=1)
        assert abs(inner.mean()) < 5.0 * inner.std() / np.sqrt(len(X))
    excess = np.sum(error**2, axis=1) - np.trace(mixture.posterior_covariance(X, **level._asdict()), axis1=1, axis2=2)
    assert abs(excess.mean()) < 5.0 * excess.std() / np.sqrt(len(X))


def test_both_take_one_evaluation_of_the_score():
    mixture, X = gaussian_mixture(), np.zeros((3, 2))
    ledger = Ledger(mixture, X, particles=True)
    predictions(ledger, X, Level(0.6, 0.8))
    assert ledger.counts["score"] == 1
