import numpy as np
import pytest

from secondorder.problems import gaussian_mixture
from secondorder.sampling.curvature import damped_eigen, damped_newton, ensemble, rank_one

LAW = gaussian_mixture()
SIGMA = 0.5
X = LAW.sample(40, np.random.default_rng(0), sigma=SIGMA)
SCORE, HESSIAN = LAW.score(X, sigma=SIGMA), LAW.score_hessian(X, sigma=SIGMA)


def dense_newton(i, damping):
    """P at particle i: the eigenvalues of minus the Hessian, negative ones as 0."""
    h, U = np.linalg.eigh(-HESSIAN[i])
    return U @ np.diag(1.0 / (np.maximum(h, 0.0) + damping)) @ U.T


def dense_rank_one(s, damping):
    return damping * np.linalg.inv(damping * np.eye(len(s)) + np.outer(s, s))


MATRICES = {
    "damped_newton": (
        lambda damping: damped_newton(SCORE, HESSIAN, damping),
        lambda damping: [dense_newton(i, damping) for i in range(len(X))],
    ),
    "ensemble": (
        lambda damping: ensemble(SCORE, damping),
        lambda damping: (
            [np.linalg.inv(np.mean([np.outer(s, s) for s in SCORE], axis=0) + damping * np.eye(2))] * len(X)
        ),
    ),
    "rank_one": (
        lambda damping: rank_one(SCORE, damping),
        lambda damping: [dense_rank_one(s, damping) for s in SCORE],
    ),
}


@pytest.mark.parametrize("damping", [1e-3, 0.5, 20.0])
@pytest.mark.parametrize("name", MATRICES)
def test_the_drift_is_p_times_the_score_and_the_spread_its_root(name, damping):
    fast, dense = MATRICES[name]
    (drift, spread), P = fast(damping), np.asarray(dense(damping))
    V, W = np.random.default_rng(1).standard_normal((2, *X.shape))
    np.testing.assert_allclose(drift, np.einsum("nij,nj->ni", P, SCORE), rtol=1e-9)
    np.testing.assert_allclose(spread(spread(V)), np.einsum("nij,nj->ni", P, V), rtol=1e-9)
    np.testing.assert_allclose(np.sum(W * spread(V), axis=1), np.sum(V * spread(W), axis=1), rtol=1e-9, atol=1e-12)
    assert np.all(np.sum(V * spread(V), axis=1) > 0.0), "the root is symmetric and positive definite"


def test_there_are_points_where_log_p_is_convex_and_they_count_as_flat():
    h = np.linalg.eigvalsh(-HESSIAN)
    precision, _ = damped_eigen(HESSIAN, 0.3)
    assert np.sum(h < 0.0) >= 3
    np.testing.assert_allclose(precision, np.where(h > 0.0, h, 0.0) + 0.3, rtol=1e-12)


@pytest.mark.parametrize("damping", [0.1, 1.0])
def test_the_correction_is_the_divergence_of_p(damping):
    h, numeric = 1e-5, np.zeros_like(X)
    for j in range(2):
        e = h * np.eye(2)[j]
        there, back = LAW.score(X + e, sigma=SIGMA), LAW.score(X - e, sigma=SIGMA)
        for i in range(len(X)):
            difference = dense_rank_one(there[i], damping) - dense_rank_one(back[i], damping)
            numeric[i] += difference[:, j] / (2.0 * h)
    correction = rank_one(SCORE, damping, HESSIAN)[0] - rank_one(SCORE, damping)[0]
    np.testing.assert_allclose(correction, numeric, rtol=0, atol=1e-7)  # central differences, of size 1
    assert np.max(np.abs(numeric)) > 0.5


def test_the_correction_in_three_dimensions_of_one_gaussian():
    Y = np.random.default_rng(2).standard_normal((5, 3))
    n = np.sum(Y**2, axis=1, keepdims=True)
    drift, _ = rank_one(-Y, 0.7, np.broadcast_to(-np.eye(3), (5, 3, 3)))
    expected = -0.7 / (0.7 + n) * Y - (3.0 + 1.0) / (0.7 + n) * Y + 2.0 * n / (0.7 + n) ** 2 * Y
    np.testing.assert_allclose(drift, expected, rtol=1e-12)


def test_where_the_score_vanishes_nothing_is_divided_by_it():
    zero = np.zeros((1, 2))
    drift, spread = rank_one(zero, 0.5, -np.eye(2)[None])
    assert np.array_equal(drift, zero) and np.array_equal(spread(np.ones((1, 2))), np.ones((1, 2)))
    drift, spread = ensemble(zero, 4.0)
    assert np.array_equal(drift, zero) and np.allclose(spread(np.ones((1, 2))), 0.5)


def test_much_damping_leaves_the_identity():
    V = np.random.default_rng(3).standard_normal(X.shape)
    drift, spread = rank_one(SCORE, 1e9, HESSIAN)
    np.testing.assert_allclose(drift, SCORE, atol=1e-6)
    np.testing.assert_allclose(spread(V), V, atol=1e-6)
    for drift, spread in (damped_newton(SCORE, HESSIAN, 1e9), ensemble(SCORE, 1e9)):
        np.testing.assert_allclose(1e9 * drift, SCORE, rtol=1e-6)
        np.testing.assert_allclose(1e9**0.5 * spread(V), V, rtol=1e-6)


def test_on_average_the_outer_product_of_the_score_is_minus_the_hessian():
    """Fisher's identity, by Monte Carlo, each entry within five of its standard errors (which are below 0.02)."""
    Y = LAW.sample(40_000, np.random.default_rng(4), sigma=SIGMA)
    s = LAW.score(Y, sigma=SIGMA)
    differences = s[:, :, None] * s[:, None, :] + LAW.score_hessian(Y, sigma=SIGMA)
    errors = differences.std(axis=0) / len(Y) ** 0.5
    assert np.all(errors < 0.02) and np.all(np.abs(differences.mean(axis=0)) < 5.0 * errors)


def test_an_ensemble_in_equilibrium_is_newtons_method_for_one_gaussian():
    """P estimates the covariance; of n draws its relative error is about sqrt(2/n) = 1 %, five of them are allowed."""
    C = np.asarray([[1.0, 0.1], [0.1, 0.02]])
    law = gaussian_mixture(means=[[0.0, 0.0]], covariances=[C])
    Y = law.sample(20_000, np.random.default_rng(5))
    drift, _ = ensemble(law.score(Y), 1e-9)
    np.testing.assert_allclose(drift, -Y, atol=0.05 * np.max(np.abs(Y)))
