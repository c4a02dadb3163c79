"""Point matching: the formula, its zero at the true permutation, and what the first oracle call sees."""

import itertools

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import secondorder as so
from secondorder.problems import point_matching


@pytest.fixture(scope="module")
def noisy():
    return point_matching(n=5, noise=0.1, seed=3)


def test_oracles_are_those_of_the_formula(noisy):
    def naive(x):
        X = anp.reshape(x, (5, 5))
        return 0.5 * anp.sum((anp.dot(noisy.A, X) - anp.dot(X, noisy.B)) ** 2)

    rng = np.random.default_rng(0)
    for x, v in rng.standard_normal((5, 2, 25)):
        np.testing.assert_allclose(noisy.f(x), naive(x), rtol=1e-13)
        np.testing.assert_allclose(noisy.grad(x), autograd.grad(naive)(x), rtol=0, atol=1e-11)
        np.testing.assert_allclose(noisy.hess(x), autograd.hessian(naive)(x), rtol=0, atol=1e-11)
        np.testing.assert_allclose(noisy.hvp(x, v), noisy.hess(x) @ v, rtol=0, atol=1e-11)


def test_distances_of_the_clouds(noisy):
    """They are those within each cloud; point i of the first is point ``permutation[i]`` of the second."""
    assert np.array_equal(np.sort(noisy.permutation), np.arange(5)) and noisy.f_star is None
    for D, cloud in zip((noisy.A, noisy.B), noisy.clouds, strict=True):
        for i, j in itertools.product(range(5), repeat=2):
            assert D[i, j] == pytest.approx(np.hypot(*(cloud[i] - cloud[j])), abs=1e-14)
    shuffled = noisy.B[np.ix_(noisy.permutation, noisy.permutation)]
    assert 0.0 < np.max(np.abs(shuffled - noisy.A)) < 8 * 0.1


@pytest.mark.parametrize("seed", range(5))
def test_without_noise_the_true_permutation_has_the_value_0(seed):
    problem = point_matching(n=9, noise=0.0, seed=seed)
    assert problem.f_star == 0.0 and problem.f(problem.x_star) <= 1e-25
    assert np.array_equal(problem.match(problem.x_star), problem.permutation)
    assert np.array_equal(np.flatnonzero(problem.x_star), 9 * np.arange(9) + problem.permutation)
    other = np.eye(9)[np.roll(problem.permutation, 1)].ravel()
    assert problem.f(other) > 1.0


@pytest.mark.parametrize("n", [2, 7, 20])
def test_at_the_start_the_oracle_sorts_by_mean_distance(n):
    """There the gradient is −2n ab' up to terms of one index alone, with the mean distances a and b."""
    problem = point_matching(n=n, noise=0.3, seed=n)
    a, b = np.mean(problem.A, axis=1), np.mean(problem.B, axis=1)
    G = problem.grad(problem.x0).reshape(n, n) + 2.0 * n * np.outer(a, b)
    G = G - G[:1] - G[:, :1] + G[0, 0]
    np.testing.assert_allclose(G, 0.0, atol=1e-11)
    partners = np.argmax(problem.lmo(problem.grad(problem.x0)).reshape(n, n), axis=1)
    np.testing.assert_array_equal(np.argsort(b)[np.argsort(np.argsort(a))], partners)


@pytest.mark.parametrize("method", ["away_step", "pairwise"])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_methods_find_the_permutation(method, noise):
    problem = point_matching(n=6, noise=noise, seed=0)
    history = so.minimize(problem, method, step_rule="exact", tol=1e-5)
    assert history.status == "converged" and np.array_equal(problem.match(history.x), problem.permutation)
    assert problem.constraint.violation(history.x) <= 1e-12
    if not noise:
        assert history.f[-1] <= 1e-5, "f - f* is at most the gap"


def test_match_is_the_nearest_permutation(noisy):
    for x in np.random.default_rng(1).uniform(size=(10, 25)):
        distances = {p: np.linalg.norm(np.eye(5)[list(p)].ravel() - x) for p in itertools.permutations(range(5))}
        assert tuple(noisy.match(x)) == min(distances, key=distances.get)


def test_seed():
    assert np.array_equal(point_matching(seed=1).B, point_matching(seed=1).B)
    assert not np.array_equal(point_matching(seed=1).B, point_matching().B)


@pytest.mark.parametrize("noise", [-0.1, np.inf, np.nan, True, "1"])
def test_bad_noise(noise):
    with pytest.raises(ValueError, match="noise must be a finite number, at least 0; got"):
        point_matching(noise=noise)


def test_bad_size():
    with pytest.raises(ValueError, match="n must be a whole number, at least 1; got 0"):
        point_matching(n=0)
