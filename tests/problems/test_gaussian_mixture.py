"""Gaussian mixtures: density, score and Hessian against independent twins, and Tweedie's identities at every noise level."""

import array_api_strict
import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy.special import logsumexp
from scipy.integrate import quad
from scipy.stats import kstest, multivariate_normal, norm

import secondorder as so
from secondorder.problems import gaussian_mixture

LEVELS = [(1.0, 0.1), (0.8, 0.6), (0.3, 0.954), (1.0, 8.0)]
CALLS = ("log_density", "score", "score_hessian", "responsibilities", "posterior_mean", "posterior_covariance")


def random_mixture(d=4, K=5, seed=3):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((K, d, d))
    covariances = 0.2 * A @ A.transpose(0, 2, 1) + 0.05 * np.eye(d)
    return gaussian_mixture(
        weights=rng.dirichlet(np.ones(K)), means=2.0 * rng.standard_normal((K, d)), covariances=covariances
    )


def line():
    return gaussian_mixture(weights=[0.3, 0.7], means=[[-1.0], [2.0]], covariances=[[[0.5]], [[0.2]]])


def flat():
    """A segment, a point and a full component: two of the three covariances are singular."""
    return gaussian_mixture(
        means=[[0.0, 0.0], [2.0, 1.0], [-2.0, 2.0]], covariances=[np.ones((2, 2)), np.zeros((2, 2)), 0.3 * np.eye(2)]
    )


MIXTURES = {"default": gaussian_mixture, "random": random_mixture, "line": line}


@pytest.fixture(params=MIXTURES.values(), ids=MIXTURES)
def p(request):
    return request.param()


def points(p, n=20, seed=0):
    """From the middle of the mixture and from well outside it."""
    d = p.means.shape[1]
    return p.mean + np.random.default_rng(seed).standard_normal((n, d)) * np.linspace(0.5, 8.0, n)[:, None]


def noised(p, alpha, sigma):
    eye = np.eye(p.means.shape[1])
    return gaussian_mixture(
        weights=p.weights, means=alpha * p.means, covariances=alpha**2 * p.covariances + sigma**2 * eye
    )


def naive(p):
    """The log density in autograd's NumPy, with explicit inverses and determinants."""
    precisions = np.linalg.inv(p.covariances)
    logs = np.log(p.weights) - 0.5 * np.linalg.slogdet(2.0 * np.pi * p.covariances)[1]

    def log_density(x):
        return logsumexp(
            anp.array([c - 0.5 * (x - m) @ P @ (x - m) for c, m, P in zip(logs, p.means, precisions, strict=True)])
        )

    return log_density


def near(got, expected, tol):
    """Within tol of the largest entry."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=tol * max(np.max(np.abs(expected)), 1e-300))


def test_density_and_derivatives_are_those_of_the_formula(p):
    """The twin inverts covariances of condition up to 1e3: 1e-11 leaves two digits."""
    density, X = naive(p), points(p)
    near(p.log_density(X), [density(x) for x in X], 1e-12)
    near(p.score(X), [autograd.grad(density)(x) for x in X], 1e-11)
    near(p.score_hessian(X), [autograd.hessian(density)(x) for x in X], 1e-11)


def test_density_and_responsibilities_against_scipy(p):
    X = points(p)
    pieces = np.asarray(
        [
            w * multivariate_normal(m, S).pdf(X)
            for w, m, S in zip(p.weights, p.means, p.covariances, strict=True)
        ]
    )  # fmt: skip
    seen = pieces.sum(axis=0) > 1e-250
    assert seen.sum() >= 10, "the rest underflows in the twin"
    near(p.log_density(X)[seen], np.log(pieces.sum(axis=0))[seen], 1e-12)
    r = p.responsibilities(X)
    near(r[seen], (pieces / pieces.sum(axis=0)).T[seen], 1e-11)
    np.testing.assert_allclose(r.sum(axis=1), 1.0, rtol=0, atol=1e-15 * len(p.weights))


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
def test_score_and_hessian_are_central_differences(p, alpha, sigma):
    """With h = 1e-5 the error is about h² f''' and 1e-16 |f| / h; both stay below 1e-7 of the largest entry."""
    X, h, level = points(p), 1e-5, {"alpha": alpha, "sigma": sigma}
    steps = h * np.eye(X.shape[1])
    density = [(p.log_density(X + s, **level) - p.log_density(X - s, **level)) / (2 * h) for s in steps]
    slope = [(p.score(X + s, **level) - p.score(X - s, **level)) / (2 * h) for s in steps]
    near(p.score(X, **level), np.stack(density, axis=1), 1e-7)
    near(p.score_hessian(X, **level), np.stack(slope, axis=2), 1e-7)


def test_the_optimisation_face_is_the_negative_of_the_other(p):
    v = np.random.default_rng(5).standard_normal(p.mean.shape)
    for x in points(p):
        X = x[None, :]
        assert p.f(x) == -p.log_density(X)[0] and np.array_equal(p.grad(x), -p.score(X)[0])
        assert np.array_equal(p.hess(x), -p.score_hessian(X)[0])
        # C⁻¹v directly or through the matrix: the condition, up to 1e3, costs digits.
        np.testing.assert_allclose(p.hvp(x, v), p.hess(x) @ v, rtol=0, atol=1e-12 * np.max(np.abs(p.hess(x))))
    assert np.array_equal(p.x0, p.mean)


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
def test_tweedie(p, alpha, sigma):
    """Gaussian conditioning, component by component, against score and Hessian of the noisy density."""
    X, level = points(p), {"alpha": alpha, "sigma": sigma}
    mean = (X + sigma**2 * p.score(X, **level)) / alpha
    covariance = (sigma / alpha) ** 2 * (np.eye(X.shape[1]) + sigma**2 * p.score_hessian(X, **level))
    near(p.posterior_mean(X, **level), mean, 1e-12)
    near(p.posterior_covariance(X, **level), covariance, 1e-12)
    assert np.min(np.linalg.eigvalsh(p.posterior_covariance(X, **level))) > 0.0


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
def test_posterior_is_bayes_rule(alpha, sigma):
    """E and Var of x_0 given x_t by quadrature of p(x_0) N(x_t; alpha x_0, sigma²), to the 1e-9 that quad is asked for."""
    p = line()
    for t in (-2.0, 0.1, 1.5):

        def joint(x, power, t=t):
            return x**power * np.exp(p.log_density(np.asarray([[x]]))[0]) * norm.pdf(t, alpha * x, sigma)

        likely = [-1.0, 2.0] if sigma > 0.3 else [t / alpha, t / alpha - 5 * sigma, t / alpha + 5 * sigma]
        mass, first, second = (
            quad(joint, -9.0, 9.0, args=(power,), points=likely, epsabs=0, epsrel=1e-10, limit=200)[0]
            for power in range(3)
        )
        X = np.asarray([[t]])
        assert np.log(mass) == pytest.approx(p.log_density(X, alpha=alpha, sigma=sigma)[0], abs=1e-9)
        assert first / mass == pytest.approx(p.posterior_mean(X, alpha=alpha, sigma=sigma)[0, 0], abs=1e-9)
        variance = second / mass - (first / mass) ** 2
        assert variance == pytest.approx(p.posterior_covariance(X, alpha=alpha, sigma=sigma)[0, 0, 0], abs=1e-8)


@pytest.mark.parametrize(("alpha", "sigma"), [(1.0, 0.0), *LEVELS])
def test_it_integrates_to_one_and_satisfies_the_identity_of_fisher(alpha, sigma):
    """E[s²] = -E[s'], E[s] = 0, by quadrature over 14 standard deviations on either side, to about 1e-10."""
    p, level = line(), {"alpha": alpha, "sigma": sigma}
    middle, reach = alpha * p.mean[0], 14.0 * np.sqrt(alpha**2 * p.covariance[0, 0] + sigma**2)

    def expectation(g):
        def integrand(x):
            X = np.asarray([[x]])
            return g(X) * np.exp(p.log_density(X, **level)[0])

        inner = [float(alpha * m) for m in p.means[:, 0]]
        return quad(integrand, middle - reach, middle + reach, points=inner, epsabs=1e-12, limit=200)[0]

    assert expectation(lambda X: 1.0) == pytest.approx(1.0, abs=1e-10)
    assert expectation(lambda X: p.score(X, **level)[0, 0]) == pytest.approx(0.0, abs=1e-10)
    squared = expectation(lambda X: p.score(X, **level)[0, 0] ** 2)
    assert squared == pytest.approx(-expectation(lambda X: p.score_hessian(X, **level)[0, 0, 0]), rel=1e-9)


def test_a_single_gaussian():
    """Everything in closed form; f is a quadratic and Newton's method takes one step."""
    m, S = np.asarray([1.0, -2.0, 0.5]), np.asarray([[2.0, 0.3, 0.0], [0.3, 1.0, -0.4], [0.0, -0.4, 0.5]])
    p, X = gaussian_mixture(means=[m], covariances=[S]), np.random.default_rng(0).standard_normal((7, 3))
    P, alpha, sigma = np.linalg.inv(S), 0.7, 0.4
    near(p.log_density(X), multivariate_normal(m, S).logpdf(X), 1e-14)
    near(p.score(X), -(X - m) @ P, 1e-14)
    near(p.score_hessian(X), np.broadcast_to(-P, (7, 3, 3)), 1e-14)
    assert np.array_equal(p.responsibilities(X), np.ones((7, 1)))
    posterior = np.linalg.inv(P + alpha**2 / sigma**2 * np.eye(3))
    mean = (m @ P + alpha / sigma**2 * X) @ posterior
    near(p.posterior_mean(X, alpha=alpha, sigma=sigma), mean, 1e-13)
    near(p.posterior_covariance(X, alpha=alpha, sigma=sigma), np.broadcast_to(posterior, (7, 3, 3)), 1e-13)
    near(p.covariance, S, 1e-15)
    assert np.array_equal(p.mean, m)
    history = so.minimize(p, "newton", X[0])
    assert len(history) == 2 and np.allclose(history.x, m, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
def test_noise_is_a_mixture_of_its_own(p, alpha, sigma):
    """Another eigendecomposition of covariances of condition up to 1e3: digits beyond 1e-12 may differ."""
    X, q, level = points(p), noised(p, alpha, sigma), {"alpha": alpha, "sigma": sigma}
    for call in CALLS[:4]:
        near(getattr(p, call)(X, **level), getattr(q, call)(X), 1e-12)
    near(alpha * p.mean, q.mean, 1e-14)
    near(alpha**2 * p.covariance + sigma**2 * np.eye(X.shape[1]), q.covariance, 1e-14)


def test_the_ends_of_the_noise(p):
    """Without noise x_0 is x_t; with alpha = 0, x_t says nothing and the posterior is the mixture.

    The exponents, up to about 100, round to 1e-14, and so do the responsibilities.
    """
    X = points(p)
    near(p.posterior_mean(X), X, 1e-13)
    assert np.max(np.abs(p.posterior_covariance(X))) <= 1e-13 * np.max(np.abs(X)) ** 2
    nothing = {"alpha": 0.0, "sigma": 2.0}
    near(p.responsibilities(X, **nothing), np.broadcast_to(p.weights, (20, len(p.weights))), 1e-13)
    near(p.posterior_mean(X, **nothing), np.broadcast_to(p.mean, X.shape), 1e-13)
    near(p.posterior_covariance(X, **nothing), np.broadcast_to(p.covariance, (20, *p.covariance.shape)), 1e-13)


@pytest.mark.parametrize("reach", [1e3, 1e6])
@pytest.mark.parametrize(("alpha", "sigma"), [(1.0, 0.0), (0.8, 0.6)])
def test_far_away_one_component_is_alone(p, reach, alpha, sigma):
    """Both signs of many directions; there the answer is that of one Gaussian, with no digit lost to the distance."""
    d, level = p.means.shape[1], {"alpha": alpha, "sigma": sigma}
    U = np.random.default_rng(4).standard_normal((10, d))
    X = reach * U / np.linalg.norm(U, axis=1, keepdims=True)
    C = alpha**2 * p.covariances + sigma**2 * np.eye(d)
    normals = [multivariate_normal(alpha * m, S) for m, S in zip(p.means, C, strict=True)]
    logs = np.log(p.weights) + np.stack([each.logpdf(X) for each in normals], axis=-1).reshape(10, -1)
    k = np.argmax(logs, axis=1)
    assert np.array_equal(p.responsibilities(X, **level), np.eye(len(p.weights))[k]), "no ties among these directions"
    near(p.log_density(X, **level), logs[np.arange(10), k], 1e-12)
    P = np.linalg.inv(C)[k]
    near(p.score(X, **level), -(P @ (X - alpha * p.means[k])[:, :, None])[:, :, 0], 1e-12)
    near(p.score_hessian(X, **level), -P, 1e-12)
    if sigma > 0.0:
        posterior = sigma**2 * p.covariances[k] @ P
        near(p.posterior_covariance(X, **level), posterior, 1e-12)
        near(p.posterior_mean(X, **level), (X + sigma**2 * p.score(X, **level)) / alpha, 1e-12)


def test_far_away_in_float32():
    p = so.to_device(gaussian_mixture(), "numpy", dtype="float32")
    X = np.asarray([[1e6, 0.0], [-3e5, 8e5]], dtype=np.float32)
    for call in CALLS:
        answer = getattr(p, call)(X, alpha=0.8, sigma=0.6)
        assert answer.dtype == np.float32 and np.all(np.isfinite(answer)), call


def test_hessian_and_posterior_covariance_are_symmetric(p):
    X = points(p)
    for H in (p.score_hessian(X, sigma=0.3), p.posterior_covariance(X, sigma=0.3)):
        assert np.max(np.abs(H - H.transpose(0, 2, 1))) <= 1e-15 * np.max(np.abs(H))


@pytest.mark.parametrize(("alpha", "sigma"), [(1.0, 0.0), (0.6, 0.8)])
def test_samples_have_the_moments(p, alpha, sigma):
    """n = 100 000: the means of x, of (x - m)(x - m)' and of the responsibilities, each within 5 standard errors."""
    n, d = 100_000, p.means.shape[1]
    X = p.sample(n, np.random.default_rng(11), alpha=alpha, sigma=sigma)
    away = X - alpha * p.mean
    products = away[:, :, None] * away[:, None, :]
    r = p.responsibilities(X, alpha=alpha, sigma=sigma)
    covariance = alpha**2 * p.covariance + sigma**2 * np.eye(d)
    assert X.shape == (n, d)
    for values, expected in ((X, alpha * p.mean), (products, covariance), (r, p.weights)):
        error = np.std(values, axis=0) / np.sqrt(n)
        assert np.all(np.abs(np.mean(values, axis=0) - expected) <= 5.0 * error)


def test_samples_follow_the_distribution():
    """Kolmogorov and Smirnov, n = 20 000: a right sampler fails one seed in a thousand, and this one does not."""
    p = line()
    X = p.sample(20_000, np.random.default_rng(2), alpha=0.9, sigma=0.3)[:, 0]
    deviations = np.sqrt(0.81 * p.covariances[:, 0, 0] + 0.09)
    assert kstest(X, lambda x: norm.cdf(x[:, None], 0.9 * p.means[:, 0], deviations) @ p.weights).pvalue > 1e-3


def test_one_seed_is_one_sample():
    p, strict = flat(), so.to_device(flat(), "array_api_strict")
    X = p.sample(50, np.random.default_rng(0), sigma=0.1)
    assert np.array_equal(X, p.sample(50, np.random.default_rng(0), sigma=0.1))
    near(np.asarray(strict.sample(50, np.random.default_rng(0), sigma=0.1)), X, 1e-15)
    single = so.to_device(flat(), "numpy", dtype="float32").sample(50, np.random.default_rng(0), sigma=0.1)
    assert single.dtype == np.float32
    near(single, X, 1e-6)


def test_singular_covariances():
    """They can be sampled; a density they have only under noise, and then all identities hold."""
    p, X = flat(), np.random.default_rng(0).standard_normal((9, 2))
    drawn = p.sample(500, np.random.default_rng(1))
    on_segment, at_point = np.abs(drawn[:, 0] - drawn[:, 1]) < 1e-12, np.all(drawn == [2.0, 1.0], axis=1)
    assert 100 < on_segment.sum() < 230 and 100 < at_point.sum() < 230, "about a third each"
    for call in CALLS:
        for level in ({}, {"alpha": 0.0}, {"sigma": 1e-200}):
            with pytest.raises(ValueError, match=r"sigma must be above 0 where .* singular.*; got alpha=\d\.0, sigma="):
                getattr(p, call)(X, **level)
    with pytest.raises(ValueError, match="sigma must be above 0"):
        p.f(p.x0)
    level = {"alpha": 0.9, "sigma": 0.2}
    near(p.posterior_mean(X, **level), (X + 0.04 * p.score(X, **level)) / 0.9, 1e-12)
    second = (0.2 / 0.9) ** 2 * (np.eye(2) + 0.04 * p.score_hessian(X, **level))
    near(p.posterior_covariance(X, **level), second, 1e-12)
    near(p.score(X, **level), noised(p, **level).score(X), 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_singular_to_rounding_is_singular(dtype):
    """eigh gives the zeros of vv' as about ±1e-16 |v|²: they are neither refused nor taken for variances."""
    for v in np.random.default_rng(0).standard_normal((20, 4)).astype(dtype):
        p = gaussian_mixture(means=np.zeros((1, 4), dtype=dtype), covariances=np.outer(v, v)[None])
        assert np.count_nonzero(p.variances) == 1 and p.variances.dtype == dtype
        assert np.all(np.isfinite(p.sample(5, np.random.default_rng(1))))


def test_points_without_extent_are_a_softmax():
    """The optimal denoiser of a finite data set: a softmax of distances over its points."""
    data, X = np.random.default_rng(0).standard_normal((6, 3)), np.random.default_rng(1).standard_normal((8, 3))
    p = gaussian_mixture(means=data, covariances=np.zeros((6, 3, 3)))
    distances = np.sum((X[:, None, :] - 0.7 * data) ** 2, axis=2)
    weights = np.exp(-distances / (2 * 0.5**2))
    weights /= weights.sum(axis=1, keepdims=True)
    near(p.responsibilities(X, alpha=0.7, sigma=0.5), weights, 1e-13)
    near(p.posterior_mean(X, alpha=0.7, sigma=0.5), weights @ data, 1e-13)
    assert np.array_equal(np.unique(p.sample(200, np.random.default_rng(2))), np.unique(data))


def test_the_order_of_the_components_and_those_of_weight_zero_change_nothing(p):
    """Other than the order of sums."""
    X, order = points(p), np.random.default_rng(7).permutation(len(p.weights))
    parts = {"weights": p.weights, "means": p.means, "covariances": p.covariances}
    permuted = gaussian_mixture(**{name: values[order] for name, values in parts.items()})
    more = {"weights": [0.0], "means": p.means[:1] + 1.0, "covariances": p.covariances[:1]}
    padded = gaussian_mixture(**{name: np.concatenate([values, more[name]]) for name, values in parts.items()})
    for call in CALLS:
        expected = getattr(p, call)(X, alpha=0.8, sigma=0.6)
        columns = slice(None) if call != "responsibilities" else (slice(None), order)
        near(getattr(permuted, call)(X, alpha=0.8, sigma=0.6), expected[columns], 1e-13)
        if call != "responsibilities":
            near(getattr(padded, call)(X, alpha=0.8, sigma=0.6), expected, 1e-13)
    assert np.array_equal(padded.responsibilities(X)[:, -1], np.zeros(20))
    near(permuted.mean, p.mean, 1e-14)
    near(permuted.covariance, p.covariance, 1e-14)


def test_rows_do_not_see_each_other(p):
    X = points(p)
    for call in CALLS:
        together = getattr(p, call)(X, sigma=0.5)
        alone = np.concatenate([getattr(p, call)(x[None, :], sigma=0.5) for x in X])
        near(together, alone, 1e-13)
        assert getattr(p, call)(X[:0], sigma=0.5).shape == (0, *together.shape[1:])


@pytest.mark.parametrize(("alpha", "sigma"), [(1.0, 0.0), (0.8, 0.6)])
def test_array_api_strict_and_float32(p, alpha, sigma):
    """float32, 1e-7, loses up to the condition 1e3 of the covariances."""
    X, level = points(p), {"alpha": alpha, "sigma": sigma}
    strict, single = so.to_device(p, "array_api_strict"), so.to_device(p, "numpy", dtype="float32")
    for call in CALLS:
        expected = getattr(p, call)(X, **level)
        near(np.asarray(getattr(strict, call)(array_api_strict.asarray(X), **level)), expected, 1e-13)
        answer = getattr(single, call)(X.astype(np.float32), **level)
        assert answer.dtype == np.float32
        size = np.max(np.abs(expected)) + np.max(np.abs(X)) * (call == "posterior_covariance")
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-3 * size)


def test_precision_is_that_of_means_and_covariances():
    p = gaussian_mixture()
    means, covariances = p.means.astype(np.float32), p.covariances.astype(np.float32)
    single = gaussian_mixture(weights=[0.5, 0.3, 0.2], means=means, covariances=covariances, x0=[1, 2])
    assert {v.dtype for v in vars(single).values() if isinstance(v, np.ndarray)} == {np.dtype(np.float32)}
    assert np.array_equal(single.x0, [1.0, 2.0])
    assert gaussian_mixture(means=means, covariances=p.covariances).means.dtype == np.float64
    strict = array_api_strict.asarray(p.means)
    assert isinstance(gaussian_mixture(means=strict, covariances=p.covariances).means, np.ndarray)


def test_the_caller_keeps_the_data():
    means, covariances, weights = np.zeros((2, 2)), np.stack([np.eye(2), 2 * np.eye(2)]), np.full(2, 0.5)
    p = gaussian_mixture(weights=weights, means=means, covariances=covariances)
    before = p.f(p.x0)
    for array in (means, covariances, weights):
        array += 1.0
    assert p.f(p.x0) == before


def test_trust_region_finds_a_mode_from_everywhere():
    """Every start ends where the Hessian is positive definite, near one of the three means, and each is found."""
    p, found = gaussian_mixture(), set()
    assert np.linalg.eigvalsh(p.hess(np.zeros(2)))[0] < 0.0, "between the modes f is not convex"
    for x in np.vstack([[[0.0, 0.0], [0.5, 0.5]], np.random.default_rng(0).uniform(-4.0, 4.0, (15, 2))]):
        history = so.minimize(p, "trust_region", x)
        assert history.status == "converged" and np.linalg.norm(p.grad(history.x)) <= 1e-8
        assert np.linalg.eigvalsh(p.hess(history.x))[0] > 0.5
        distances = np.linalg.norm(p.means - history.x, axis=1)
        assert distances.min() < 1e-2
        found.add(int(np.argmin(distances)))
    assert found == {0, 1, 2}


I2 = np.eye(2)[None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [0.5, 0.6, -0.1]}, r"weights must be at least 0 and add up to 1; got \[0.5, 0.6, -0.1\]"),
        ({"weights": [0.5, 0.3, 0.3]}, r"weights must .* add up to 1; got \[0.5, 0.3, 0.3\]"),
        ({"weights": [0.5, 0.5]}, r"weights must have shape \(3,\), one for each mean; got \(2,\)"),
        ({"weights": [0.5, np.nan, 0.5]}, "weights must be finite; got 1 entries"),
        ({"means": [[0.0, 0.0]]}, "means and covariances must be given together; got None as covariances"),
        ({"covariances": I2}, "means and covariances must be given together; got None as means"),
        ({"means": [0.0, 0.0], "covariances": I2}, r"means must have shape \(K, d\), .*; got \(2,\)"),
        ({"means": np.zeros((0, 2)), "covariances": I2}, r"means must have shape \(K, d\), .*; got \(0, 2\)"),
        ({"means": [[0.0], [1.0, 2.0]], "covariances": I2}, "means must be an array of real numbers; got"),
        ({"means": [[0.0, np.inf]], "covariances": I2}, "means must be finite; got 1 entries"),
        (
            {"means": [[0.0, 0.0]], "covariances": np.eye(2)},
            r"covariances must have shape \(1, 2, 2\), .* got \(2, 2\)",
        ),
        ({"means": [[0.0, 0.0]], "covariances": I2 * np.nan}, "covariances must be finite; got 4 entries"),
        (
            {"means": [[0.0, 0.0]], "covariances": [[[1.0, 0.5], [0.4, 1.0]]]},
            r"covariances\[0\] must be symmetric; got \[\[1.0, 0.5\], \[0.4, 1.0\]\]",
        ),
        (
            {"means": np.zeros((2, 2)), "covariances": [np.eye(2), [[1.0, 2.0], [2.0, 1.0]]]},
            r"covariances\[1\] must be positive semidefinite; its least eigenvalue is -1",
        ),
        ({"x0": [1.0]}, r"x0 must have shape \(2,\), the dimension of the means; got \(1,\)"),
        ({"x0": [1.0, np.nan]}, "x0 must be finite"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        gaussian_mixture(**options)


@pytest.mark.parametrize("name", ["weights", "means", "covariances"])
def test_what_is_not_a_real_number(name):
    good = {"weights": [1.0], "means": [[0.0]], "covariances": [[[1.0]]]}
    for value in ([["a"]], [[1.0j]], [[None]]):
        with pytest.raises(TypeError, match=f"{name} must hold real numbers; got dtype"):
            gaussian_mixture(**{**good, name: value})


@pytest.mark.parametrize("call", CALLS)
def test_bad_calls(call):
    ask, X = getattr(gaussian_mixture(), call), np.zeros((3, 2))
    for bad, seen in ((np.zeros(2), r"shape \(2,\)"), (np.zeros((2, 3)), r"shape \(2, 3\)"), ([[0.0, 0.0]], "list")):
        with pytest.raises(ValueError, match=rf"X must be an array of shape \(n, 2\), .*; got {seen}"):
            ask(bad)
    for name in ("alpha", "sigma"):
        for value in (-0.1, np.nan, np.inf, "1", True, None):
            with pytest.raises(ValueError, match=f"{name} must be a finite number, at least 0; got {value!r}"):
                ask(X, **{name: value})


def test_bad_samples():
    p, rng = gaussian_mixture(), np.random.default_rng(0)
    with pytest.raises(ValueError, match="n must be a whole number, at least 1; got 0"):
        p.sample(0, rng)
    with pytest.raises(TypeError, match=r"rng must be a NumPy Generator, .*; got 3"):
        p.sample(10, 3)
    with pytest.raises(ValueError, match=r"sigma must be a finite number, at least 0; got -1\.0"):
        p.sample(10, rng, sigma=-1.0)
