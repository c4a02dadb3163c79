"""Langevin dynamics against closed forms, naive twins, and tests that it has to pass as a sampler."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

import secondorder as so
from secondorder.sampling import langevin

LINE = so.problems.gaussian_mixture(weights=[0.6, 0.4], means=[[-1.2], [1.5]], covariances=[[[0.4]], [[0.25]]])
PLANE = so.problems.gaussian_mixture()
P_LEAST = 1e-4
"""The least p-value with which a correct sampler passes; those of a wrong one must be below its square."""


def gaussian(*variances):
    d = len(variances)
    return so.problems.gaussian_mixture(means=np.zeros((1, d)), covariances=np.diag(variances)[None, :, :])


def after(law, x, updates, seed=0, **hyper):
    return so.sample(law, "langevin", x, steps=updates, seed=seed, **hyper)


def p_value(law, X, axis=0, bins=20):
    """That of a chi-square test of independent rows, in bins of equal probability of the marginal along an axis."""
    means, deviations = law.means[:, axis], np.sqrt(law.covariances[:, axis, axis])
    fine = np.linspace(X[:, axis].min() - 5.0, X[:, axis].max() + 5.0, 20_001)
    cdf = stats.norm.cdf((fine[:, None] - means) / deviations) @ law.weights
    edges = np.interp(np.arange(1, bins) / bins, cdf, fine)
    counts = np.bincount(np.searchsorted(edges, X[:, axis]), minlength=bins)
    return float(stats.chisquare(counts).pvalue)


# ------------------------------------------------------------------------------------------------------- one update


def naive(law, x, eta, rng, metropolis, sigma=0.0):
    """One particle after the other, with densities of the proposal as SciPy has them."""
    z, out = rng.standard_normal(x.shape), x.copy()
    uniform = 1.0 - rng.random(len(x)) if metropolis else None

    def mean(point):
        return point + eta * law.score(point[None, :], sigma=sigma)[0]

    for i, point in enumerate(x):
        y = mean(point) + math.sqrt(2.0 * eta) * z[i]
        if metropolis:
            spread = math.sqrt(2.0 * eta)
            forward = stats.norm.logpdf(y, mean(point), spread).sum()
            backward = stats.norm.logpdf(point, mean(y), spread).sum()
            new, old = (law.log_density(a[None, :], sigma=sigma)[0] for a in (y, point))
            if math.log(uniform[i]) > new + backward - old - forward:
                continue
        out[i] = y
    return out


@pytest.mark.parametrize("metropolis", [False, True])
@pytest.mark.parametrize("sigma", [0.0, 0.7])
def test_every_update_is_that_of_a_naive_twin(metropolis, sigma):
    eta, x = 0.3, PLANE.sample(40, np.random.default_rng(1))
    walk = langevin(PLANE, x, step_size=eta, metropolis=metropolis, sigma=sigma, rng=np.random.default_rng(2))
    rng, moved = np.random.default_rng(2), []
    for it in itertools.islice(walk, 12):
        np.testing.assert_allclose(it.x, x, rtol=0, atol=1e-11)
        assert it.sigma == sigma
        if "acceptance" in it:
            assert it.acceptance == np.mean(np.any(it.x != moved[-1], axis=1))
        moved.append(it.x)
        x = naive(PLANE, it.x, eta, rng, metropolis, sigma)
    assert ("acceptance" in it) == metropolis


def test_the_ratio_of_a_gaussian_is_known():
    """log of p(y)q(x|y)/p(x)q(y|x) is η(‖x‖²−‖y‖²)/4v²: the moves are those that it allows."""
    v, eta, n = 0.5, 0.6, 2000
    law = gaussian(v, v, v)
    x = law.sample(n, np.random.default_rng(0))
    _, it = itertools.islice(langevin(law, x, step_size=eta, metropolis=True, rng=np.random.default_rng(3)), 2)
    rng = np.random.default_rng(3)
    y = (1.0 - eta / v) * x + math.sqrt(2.0 * eta) * rng.standard_normal(x.shape)
    log_ratio = eta * np.sum(x**2 - y**2, axis=1) / (4.0 * v**2)
    moved = np.log(1.0 - rng.random(n)) <= log_ratio
    assert 0.2 < moved.mean() < 0.95
    np.testing.assert_allclose(it.x, np.where(moved[:, None], y, x), rtol=0, atol=1e-13)


def test_what_it_counts():
    plain, adjusted = (after(PLANE, np.zeros((5, 2)), 7, metropolis=m) for m in (False, True))
    assert plain.oracle["score"] == 7 and plain.oracle["log_density"] == 0
    assert adjusted.oracle["score"] == adjusted.oracle["log_density"] == 8


# ------------------------------------------------------------------------------------------------- the law of a chain


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_unadjusted_on_a_gaussian_is_an_autoregression(sigma):
    """Mean and variance at every update, in three directions at once; the last is beyond stability, η > 2v."""
    variances, eta, start, n = np.asarray([0.4, 1.0, 0.15]), 0.4, np.asarray([1.0, -2.0, 0.3]), 20_000
    v = variances + sigma**2
    run = after(gaussian(*variances), np.tile(start, (n, 1)), 12, step_size=eta, sigma=sigma, keep="x")
    factor, stationary = 1.0 - eta / v, v / (1.0 - eta / (2.0 * v))
    for k, x in enumerate(run["x"]):
        variance = stationary * (1.0 - factor ** (2 * k))
        assert np.all(variance >= 0.0)
        error = np.sqrt(variance / n)
        assert np.all(np.abs(x.mean(axis=0) - factor**k * start) <= 5.0 * error + 1e-12), k
        assert np.all(np.abs(x.var(axis=0) - variance) <= 5.0 * math.sqrt(2.0 / n) * variance + 1e-12), k


@pytest.mark.parametrize("eta", [0.1, 0.5, 1.0, 1.6])
def test_unadjusted_on_a_gaussian_stays_in_its_own_law(eta):
    """Started in N(0, v/(1 − η/2v)) every later cloud has that law, and it is not the target's."""
    v, n = 1.0, 20_000
    stationary = v / (1.0 - eta / (2.0 * v))
    x = after(gaussian(v), gaussian(stationary).sample(n, np.random.default_rng(4)), 40, step_size=eta).x
    assert p_value(gaussian(stationary), x) > P_LEAST
    assert p_value(gaussian(v), x) < P_LEAST or eta < 0.2


@pytest.mark.parametrize("law", [PLANE, LINE], ids=["plane", "line"])
def test_adjusted_leaves_a_mixture_as_it_is_and_unadjusted_does_not(law):
    """The power of the test: with the same step and the same draws, unadjusted chains fail it by far."""
    n, eta = 20_000, 0.2
    start = law.sample(n, np.random.default_rng(5))
    adjusted, plain = (after(law, start, 30, step_size=eta, metropolis=m) for m in (True, False))
    assert 0.6 < np.mean(adjusted["acceptance"][1:]) < 0.95
    axes = range(start.shape[1])
    assert min(p_value(law, adjusted.x, axis) for axis in axes) > P_LEAST
    assert min(p_value(law, plain.x, axis) for axis in axes) < P_LEAST**2


def test_adjusted_leaves_the_noised_law_as_it_is():
    sigma = 0.8
    noised = so.problems.gaussian_mixture(
        weights=PLANE.weights, means=PLANE.means, covariances=PLANE.covariances + sigma**2 * np.eye(2)
    )
    start = noised.sample(20_000, np.random.default_rng(6))
    x = after(PLANE, start, 20, step_size=0.5, sigma=sigma, metropolis=True).x
    assert min(p_value(noised, x, axis) for axis in (0, 1)) > P_LEAST
    assert p_value(PLANE, x) < P_LEAST**2


def test_the_energy_distance_says_the_same():
    n, eta = 1500, 0.6
    start, exact = PLANE.sample(n, np.random.default_rng(7)), PLANE.sample(n, np.random.default_rng(8))
    by_chance = [
        so.distances.energy_distance(*(PLANE.sample(n, rng) for _ in range(2)))
        for rng in np.random.default_rng(9).spawn(8)
    ]
    adjusted, plain = (after(PLANE, start, 30, step_size=eta, metropolis=m).x for m in (True, False))
    spread = np.std(by_chance)
    assert so.distances.energy_distance(adjusted, exact) < np.mean(by_chance) + 8.0 * spread
    assert so.distances.energy_distance(plain, exact) > np.mean(by_chance) + 30.0 * spread


def fluxes(law, metropolis, eta=0.25, n=200_000):
    """The asymmetry of the flux between each two of eight bins, in standard errors."""
    x = law.sample(n, np.random.default_rng(10))
    y = after(law, x, 1, step_size=eta, metropolis=metropolis).x
    edges = np.quantile(x, np.arange(1, 8) / 8)
    i, j = np.searchsorted(edges, x[:, 0]), np.searchsorted(edges, y[:, 0])
    N = np.zeros((8, 8))
    np.add.at(N, (i, j), 1.0)
    upper = np.triu_indices(8, 1)
    there, back = N[upper], N.T[upper]
    seen = there + back >= 25.0  # below that the normal approximation is none
    assert seen.sum() >= 10
    return np.abs(there - back)[seen] / np.sqrt(there + back)[seen]


def test_in_equilibrium_the_flux_there_is_the_flux_back():
    assert fluxes(LINE, metropolis=True).max() < 5.0
    assert fluxes(LINE, metropolis=False).max() > 15.0


def test_the_rejected_share_of_a_gaussian_falls_like_the_step_size_to_the_three_halves():
    """(η/v)^(3/2)/(√2π) to first order: E|xz|/(2√2) with two independent standard normal numbers."""
    v, n, etas = 2.0, 60_000, np.asarray([0.1, 0.2, 0.4, 0.8])
    law = gaussian(v)
    start = law.sample(n, np.random.default_rng(11))
    rejected = [1.0 - after(law, start, 12, step_size=eta, metropolis=True)["acceptance"][1:].mean() for eta in etas]
    leading = (etas / v) ** 1.5 / (math.sqrt(2.0) * math.pi)
    np.testing.assert_allclose(rejected[:3], leading[:3], rtol=0.1)  # 5 standard errors of the first are 0.07 of it
    slope = np.polyfit(np.log(etas), np.log(rejected), 1)[0]
    assert 1.4 < slope < 1.6


def test_the_rejected_share_of_a_mixture_has_the_same_power():
    etas = np.asarray([0.005, 0.01, 0.02, 0.04])
    start = PLANE.sample(20_000, np.random.default_rng(12))
    rejected = [1.0 - after(PLANE, start, 15, step_size=eta, metropolis=True)["acceptance"][1:].mean() for eta in etas]
    assert 1.3 < np.polyfit(np.log(etas), np.log(rejected), 1)[0] < 1.65


@pytest.mark.parametrize("d", [30, 120])
def test_the_acceptance_in_many_dimensions_is_that_of_the_limit(d):
    """2Φ(−√(dη³/8)) for a standard normal law, Roberts and Rosenthal's 2Φ(−Kℓ³/2) with K = 1/4 and 2η = ℓ²d^(−1/3)."""
    n, law = 3000, gaussian(*np.ones(d))
    start = law.sample(n, np.random.default_rng(13))
    for spread in (0.5, 1.1):
        eta = (8.0 * (spread / 2.0) ** 2 / d) ** (1.0 / 3.0)
        measured = after(law, start, 10, step_size=eta, metropolis=True)["acceptance"][1:].mean()
        assert measured == pytest.approx(2.0 * stats.norm.cdf(-spread / 2.0), abs=0.03)  # 0.5/√30,000 and O(1/√d)


# ----------------------------------------------------------------------------------------------------- where it ends


def half_line():
    """p(x) = x e^(−x) for x > 0: no density elsewhere, and no score."""

    def log_density(X, alpha=1.0, sigma=0.0):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(X[:, 0] > 0.0, np.log(np.abs(X[:, 0])) - X[:, 0], -np.inf)

    def score(X, alpha=1.0, sigma=0.0):
        return np.where(X > 0.0, 1.0 / np.abs(X) - 1.0, np.nan)

    return so.Problem(score=score, log_density=log_density, x0=[1.0])


def test_adjusted_never_moves_to_where_there_is_no_density():
    law, start = half_line(), np.random.default_rng(14).gamma(2.0, size=(20_000, 1))
    run = after(law, start, 40, step_size=0.5, metropolis=True)
    assert run.status == "step_limit" and np.all(run.x > 0.0) and np.all(run["acceptance"][1:] < 0.95)
    assert stats.kstest(run.x[:, 0], stats.gamma(2.0).cdf).pvalue > P_LEAST
    assert after(law, start, 40, step_size=0.5).status == "diverged", "unadjusted it steps off the half-line"


def test_a_density_that_is_not_a_number_is_none():
    law = so.Problem(
        score=lambda X, alpha=1.0, sigma=0.0: -X,
        log_density=lambda X, alpha=1.0, sigma=0.0: np.where(np.abs(X[:, 0]) < 1.0, -0.5 * X[:, 0] ** 2, np.nan),
        x0=[0.0],
    )
    run = after(law, np.zeros((500, 1)), 50, step_size=0.5, metropolis=True)
    assert (
        run.status == "step_limit" and np.abs(run.x).max() < 1.0 < np.abs(after(law, run.x, 1, step_size=0.5).x).max()
    )


@pytest.mark.parametrize("nothing", [np.nan, -np.inf])
@pytest.mark.parametrize("method", ["langevin", "newton_langevin"])
def test_a_particle_that_starts_without_a_density_moves_to_where_there_is_one(method, nothing):
    law = so.Problem(
        score=lambda X, alpha=1.0, sigma=0.0: -X,
        score_hessian=lambda X, alpha=1.0, sigma=0.0: -np.ones((len(X), 1, 1)),
        log_density=lambda X, alpha=1.0, sigma=0.0: np.where(np.abs(X[:, 0]) < 1.0, -0.5 * X[:, 0] ** 2, nothing),
        x0=[0.0],
    )
    start = np.full((500, 1), 1.5)
    run = so.sample(law, method, start, steps=50, step_size=0.5, metropolis=True)
    assert run.status == "step_limit" and np.abs(run.x).max() < 1.0


def quartic():
    return so.Problem(
        score=lambda X, alpha=1.0, sigma=0.0: -(X**3),
        log_density=lambda X, alpha=1.0, sigma=0.0: -0.25 * X[:, 0] ** 4,
        x0=[0.0],
    )


def test_a_score_that_grows_faster_than_its_argument_throws_unadjusted_chains_to_infinity():
    plain, adjusted = (after(quartic(), np.full((50, 1), 5.0), 30, step_size=0.2, metropolis=m) for m in (False, True))
    assert plain.status == "diverged"
    assert adjusted.status == "step_limit" and np.all(adjusted.x == 5.0), "from there every proposal is rejected"
