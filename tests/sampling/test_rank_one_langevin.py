import itertools

import numpy as np
import pytest

import secondorder as so

LINE = so.problems.gaussian_mixture(means=[[0.0]], covariances=[[[1.0]]])
DISC = so.problems.gaussian_mixture(means=[[0.0, 0.0]], covariances=[np.eye(2)])


def draws(t, density, n):
    """n numbers with this density on the grid t, one in each of n equal shares of the probability."""
    total = np.cumsum(density)
    return np.interp((np.arange(n) + 0.5) / n, total / total[-1], t)


@pytest.mark.parametrize("damping", [0.5, 3.0])
def test_on_a_line_the_law_without_correction_is_p_times_rho_plus_the_squared_score(damping):
    """Of N(0, 1): a variance of (rho + 3)/(rho + 1). Started in that law, it stays there; with the correction it leaves.

    The start is stratified; the variance of n = 20,000 draws has a relative standard error of about 1 %. Five of them are
    allowed, the variances 1 and (rho + 3)/(rho + 1) are more than 30 apart.
    """
    t = np.linspace(-9.0, 9.0, 100_001)
    X = draws(t, np.exp(-0.5 * t**2) * (damping + t**2), 20_000)[:, None]
    X = np.random.default_rng(0).permutation(X)
    expected = (damping + 3.0) / (damping + 1.0)
    assert X.var() == pytest.approx(expected, rel=1e-3)
    setting = {"steps": 150, "step_size": 0.01, "damping": damping}
    without = so.sample(LINE, "rank_one_langevin", X, divergence_correction=False, **setting)
    corrected = so.sample(LINE, "rank_one_langevin", X, **setting)
    assert without.x.var() == pytest.approx(expected, rel=0.05)
    assert corrected.x.var() < 0.85 * expected


def test_with_the_correction_a_normal_law_stays():
    """Relative standard error of the variance sqrt(2/n) = 1 %; the step of 0.01 adds less than 1 %."""
    X = LINE.sample(20_000, np.random.default_rng(1))
    for damping in (0.3, 2.0):
        run = so.sample(LINE, "rank_one_langevin", X, steps=300, step_size=0.01, damping=damping)
        assert run.x.var() == pytest.approx(1.0, rel=0.06)


def test_in_the_plane_the_law_without_correction_is_wider_by_a_formula():
    """Of N(0, I) in d dimensions, for rho > d - 1: N(0, tau I) times rho + |x|^2, with tau = 1/(1 - (d - 1)/rho)."""
    d, damping, n = 2, 4.0, 20_000
    tau = 1.0 / (1.0 - (d - 1.0) / damping)
    expected = (damping * d * tau + d * (d + 2.0) * tau**2) / (damping + d * tau)
    t = np.linspace(0.0, 15.0, 100_001)
    radius = draws(t, t * np.exp(-0.5 * t**2 / tau) * (damping + t**2), n)
    rng = np.random.default_rng(2)
    angle = rng.uniform(0.0, 2.0 * np.pi, n)
    X = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert np.mean(np.sum(X**2, axis=1)) == pytest.approx(expected, rel=1e-3) and expected > 3.7
    run = so.sample(
        DISC, "rank_one_langevin", X, steps=150, step_size=0.01, damping=damping, divergence_correction=False
    )
    size = np.sum(run.x**2, axis=1)
    assert abs(size.mean() - expected) < 5.0 * size.std() / n**0.5 + 0.01 * expected


def test_with_little_damping_and_no_correction_the_cloud_never_comes_to_rest():
    """For rho < d - 1 there is no law to tend to: the mean square of the radius grows on and on."""
    X = DISC.sample(2000, np.random.default_rng(3))
    run = so.sample(
        DISC, "rank_one_langevin", X, steps=1000, step_size=0.02, damping=0.5, divergence_correction=False, keep="x"
    )
    sizes = [float(np.mean(np.sum(run["x"][k] ** 2, axis=1))) for k in (0, 125, 250, 500, 1000)]
    assert all(later > 1.3 * earlier for earlier, later in itertools.pairwise(sizes)) and sizes[-1] > 15.0


def test_on_a_mixture_the_trace_of_the_covariance_is_kept_only_with_the_correction():
    """Three components under noise of 1: the trace has a Monte-Carlo error of 0.1 with n = 4000 particles."""
    law = so.problems.gaussian_mixture()
    exact = float(np.trace(law.covariance)) + 2.0
    X = law.sample(4000, np.random.default_rng(4), sigma=1.0, fixed_counts=True)
    found = {
        corrected: float(np.trace(np.cov(
            so.sample(
                law, "rank_one_langevin", X, steps=400, step_size=0.01, damping=0.5, sigma=1.0,
                divergence_correction=corrected,
            ).x.T
        )))
        for corrected in (True, False)
    }  # fmt: skip
    assert abs(found[True] - exact) < 0.5
    assert found[False] > exact + 3.0, "thirty Monte-Carlo errors"


def test_much_damping_is_langevin():
    law = so.problems.gaussian_mixture()
    a = so.sample(law, "langevin", particles=50, steps=5, step_size=0.05)
    for corrected in (True, False):
        b = so.sample(
            law,
            "rank_one_langevin",
            particles=50,
            steps=5,
            step_size=0.05,
            damping=1e9,
            divergence_correction=corrected,
        )
        np.testing.assert_allclose(b.x, a.x, atol=1e-5)


def test_it_asks_for_a_hessian_only_for_the_correction():
    law = so.Problem(score=lambda X, alpha, sigma: -X / (alpha**2 + sigma**2), x0=[0.0])
    run = so.sample(law, "rank_one_langevin", particles=5, steps=6, divergence_correction=False)
    assert run.oracle["score"] == 6 and run["sigma"][-1] == 0.0
    with pytest.raises(ValueError, match="score_hessian"):
        so.sample(law, "rank_one_langevin", particles=5, steps=6)


def test_the_noise_level_is_that_of_the_law():
    noisy = so.sample(DISC, "rank_one_langevin", particles=30, steps=4, sigma=0.5)
    wide = so.problems.gaussian_mixture(means=[[0.0, 0.0]], covariances=[1.25 * np.eye(2)])
    np.testing.assert_allclose(noisy.x, so.sample(wide, "rank_one_langevin", particles=30, steps=4).x, rtol=1e-12)
