"""What the chapter on Langevin dynamics says of its pictures."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from secondorder.labs.scene import get_view
from secondorder.labs.views import langevin as views
from secondorder.labs.views._mixtures import plane
from secondorder.sampling import langevin


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_the_noise_slider_scales_the_noise_of_gradient_ascent_and_nothing_else(noise):
    x = views.start("everywhere")[:50]
    walk = langevin(views.tempered(noise), x, step_size=noise**2 * views.STEP, rng=np.random.default_rng(0))
    z = np.random.default_rng(0).standard_normal(x.shape)
    expected = x + views.STEP * plane().score(x) + noise * math.sqrt(2.0 * views.STEP) * z
    np.testing.assert_allclose(next(itertools.islice(walk, 1, None)).x, expected, rtol=0, atol=1e-12)


def test_without_noise_the_particles_end_where_the_gradient_is_zero():
    end = views.noise_run(langevin, 0.0, "everywhere")[300]
    assert np.quantile(np.linalg.norm(plane().score(end), axis=1), 0.95) < 1e-3
    assert len(np.unique(end.round(1), axis=0)) <= 12


def test_the_marginal_by_quadrature_is_that_of_the_mixture():
    x, density = views.first_marginal(1.0)
    law = plane()
    parts = stats.norm.pdf(x[:, None], law.means[:, 0], np.sqrt(law.covariances[:, 0, 0]))
    np.testing.assert_allclose(density, parts @ law.weights, atol=2e-4)


def test_more_noise_samples_a_power_of_the_density():
    X = views.noise_run(langevin, 2.0, "everywhere")[300]
    x, density = views.first_marginal(2.0)
    cdf = np.cumsum(density) * (x[1] - x[0])
    inside = X[np.abs(X[:, 0]) < views.SIDE[1], 0]
    gap = np.abs(np.interp(np.sort(inside), x, cdf / cdf[-1]) - (np.arange(len(inside)) + 0.5) / len(inside)).max()
    assert gap < 0.07  # 1.6/√1000 by chance, and an error of the first order in the step size
    right, other = views.first_marginal(1.0)
    assert abs(np.interp(0.0, right, np.cumsum(other)) - np.interp(0.0, x, np.cumsum(density))) > 0.5


@pytest.mark.parametrize("eta", views.ETAS)
def test_the_law_from_transition_probabilities_is_the_formula_on_a_gaussian(eta):
    x, q = views.stationary("one Gaussian", eta)
    exact = stats.norm.pdf(x, scale=math.sqrt(1.0 / (1.0 - 0.5 * eta)))
    np.testing.assert_allclose(q, exact, atol=1e-5)


@pytest.mark.parametrize("law", views.LAWS)
def test_the_bias_is_of_order_one_and_the_runs_have_it(law):
    etas = np.asarray(views.ETAS)
    biases = np.asarray([views.bias(law, eta) for eta in etas])
    assert 0.9 < np.polyfit(np.log(etas[:4]), np.log(biases[:4]), 1)[0] < 1.2
    for eta in (0.2, 0.6):
        unadjusted, adjusted = (views.seen_bias(law, views.bias_run(langevin, law, eta, a)[0]) for a in (False, True))
        assert unadjusted == pytest.approx(views.bias(law, eta), abs=0.02)
        assert adjusted < 2.0 * views.bias_floor(law)


def test_the_roughness_of_the_two_laws():
    assert views.roughness("normal") == pytest.approx(0.25, abs=1e-9)
    for law in ("normal", "logistic"):
        runs = {d: views.jumps(langevin, law, d) for d in (1, 256)}
        gaps = {d: np.abs(run[0] - views.limit_acceptance(law, views.SCALED)).max() for d, run in runs.items()}
        assert gaps[256] < 0.08 < gaps[1]
        accepted, squared = runs[256]
        assert 0.4 < accepted[np.argmax(squared)] < 0.7


def test_the_product_laws_have_variance_one_and_their_own_scores():
    x = np.linspace(-30.0, 30.0, 6001)
    for name in ("normal", "logistic"):
        law = views.product_law(name, 1)
        log_p = law.log_density(x[:, None])
        p = np.exp(log_p)
        assert np.sum(x**2 * p) / np.sum(p) == pytest.approx(1.0, abs=1e-6)
        np.testing.assert_allclose(np.gradient(log_p, x)[1:-1], law.score(x[1:-1, None])[:, 0], atol=1e-4)


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_the_exact_shares_belong_to_a_chain_in_detailed_balance(sigma):
    law, x = views.two_modes(2.0), np.linspace(-7.0, 7.0, 400)
    P, p = views.kernel(law, 0.1, x, adjusted=True, sigma=sigma), views.density(law, x, sigma)
    np.testing.assert_allclose(P.sum(axis=1), 1.0, atol=1e-12)
    flux = p[:, None] * P
    np.testing.assert_allclose(flux, flux.T, atol=1e-12)


def test_the_runs_cross_as_often_as_the_exact_chain():
    for apart, sigma in ((2.0, 0.0), (4.0, 1.0), (6.0, 2.0)):
        run, exact = views.mode_run(langevin, apart, sigma)[0], views.mode_shares_exact(apart, sigma)
        assert np.abs(run - exact)[[1, 10, 100, 500]].max() < 5.0 * math.sqrt(0.25 / 1000)
        assert exact[-1] == pytest.approx(views.right_of_zero(apart, sigma), abs=0.02)
    assert views.mode_shares_exact(6.0, 0.0)[-1] < 1e-5


def test_the_sentences_say_what_the_pictures_show():
    assert get_view("langevin_noise")(noise=0.0).sentence.startswith("Without noise")
    assert "of the proposals was accepted" in get_view("langevin_bias")(test="adjusted").sentence
    assert "accepted" not in get_view("langevin_bias")(test="unadjusted").sentence
    assert "1 normal coordinate," in get_view("langevin_jump")(d=1).sentence
    assert "by the exact transition probabilities" in get_view("langevin_modes")(apart=6.0).sentence
