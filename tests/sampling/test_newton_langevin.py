import itertools

import numpy as np
import pytest

import secondorder as so
from secondorder.sampling.metropolis import accept

VARIANCES = np.asarray([1e-3, 0.05, 1.0])
GAUSSIAN = so.problems.gaussian_mixture(means=[[1.0, -2.0, 0.5]], covariances=[np.diag(VARIANCES)])
LINE = so.problems.gaussian_mixture(weights=[0.6, 0.4], means=[[-1.0], [1.2]], covariances=[[[0.3]], [[0.1]]])


def moments_of_the_line(damping):
    """Mean and standard deviation of x^2 under p, and under p times max(h, 0) + damping, by quadrature."""
    t = np.linspace(-6.0, 6.0, 20_001)[:, None]
    p, h = np.exp(LINE.log_density(t)), -LINE.score_hessian(t)[:, 0, 0]
    found = []
    for weight in (p, p * (np.maximum(h, 0.0) + damping)):
        weight = weight / weight.sum()
        mean = weight @ t[:, 0] ** 2
        found.append((mean, (weight @ (t[:, 0] ** 2 - mean) ** 2) ** 0.5))
    return found


@pytest.mark.parametrize("damping", [1e-6, 0.5, 30.0])
def test_two_chains_with_the_same_noise_come_together_at_the_rate_of_each_axis(damping):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((2, 7, 3))
    a, b = (
        so.sample(GAUSSIAN, "newton_langevin", x, steps=4, step_size=0.3, damping=damping, keep="x")["x"]
        for x in (X, Y)
    )
    h = 1.0 / VARIANCES
    for k in range(5):
        np.testing.assert_allclose(b[k] - a[k], (1.0 - 0.3 * h / (h + damping)) ** k * (Y - X), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("integrator", ["euler", "exponential"])
def test_on_one_gaussian_every_step_has_the_law_of_its_autoregression(integrator):
    """Mean within 5 standard errors, variance within 5 times its relative standard error sqrt(2/n) = 1 %."""
    n, step_size, damping = 20_000, 0.4, 2.0
    X = np.full((n, 3), 4.0)
    run = so.sample(
        GAUSSIAN, "newton_langevin", X, steps=5, step_size=step_size, damping=damping, integrator=integrator, keep="x"
    )
    h = 1.0 / VARIANCES
    factor = 1.0 - step_size * h / (h + damping)
    noise = (2.0 * step_size if integrator == "euler" else step_size * (2.0 - step_size)) / (h + damping)
    mean, variance = X[0] - GAUSSIAN.means[0], np.zeros(3)
    for k in range(1, 6):
        mean, variance = factor * mean, factor**2 * variance + noise
        seen = run["x"][k]
        assert np.all(np.abs(seen.mean(axis=0) - GAUSSIAN.means[0] - mean) < 5.0 * np.sqrt(variance / n)), k
        assert np.all(np.abs(seen.var(axis=0) / variance - 1.0) < 5.0 * (2.0 / n) ** 0.5), k


def test_the_variance_it_tends_to_is_that_of_the_docstring():
    """60 steps from afar: |1 - eta h/(h + rho)|^120 < 1e-7 for each axis. The relative error is sqrt(2/n) = 1 %."""
    step_size, damping = 0.6, 0.7
    run = so.sample(GAUSSIAN, "newton_langevin", particles=20_000, steps=60, step_size=step_size, damping=damping)
    h = 1.0 / VARIANCES
    expected = VARIANCES / (1.0 - step_size * h / (2.0 * (h + damping)))
    assert np.all(np.abs(run.x.var(axis=0) / expected - 1.0) < 0.05)
    assert np.all(expected > 1.2 * VARIANCES), "twenty standard errors away from the exact variances"


def test_stochastic_newton_draws_from_a_gaussian_at_once():
    """The proposal is the Gaussian itself, wherever the chain is: accepted always, and the start is forgotten."""
    stochastic_newton = {**so.sampling.newton_langevin.method.variants["stochastic Newton"], "damping": 1e-12}
    rng = np.random.default_rng(1)
    X, Y = 5.0 * rng.standard_normal((2, 500, 3))
    a, b = (so.sample(GAUSSIAN, "newton_langevin", x, steps=3, keep="x", **stochastic_newton) for x in (X, Y))
    assert np.array_equal(a["acceptance"][1:], np.ones(3)) and np.array_equal(b["acceptance"][1:], np.ones(3))
    np.testing.assert_allclose(a["x"][1], b["x"][1], rtol=0, atol=1e-9)


def test_each_move_is_that_of_a_test_written_with_dense_matrices():
    law, step_size, damping, n = so.problems.gaussian_mixture(), 0.9, 0.4, 60
    X = law.sample(n, np.random.default_rng(2))
    run = so.sample(
        law, "newton_langevin", X, steps=4, step_size=step_size, damping=damping, metropolis=True, keep="x", seed=5
    )

    def model(x):
        h, U = np.linalg.eigh(-law.score_hessian(x[None])[0])
        H = U @ np.diag(np.maximum(h, 0.0) + damping) @ U.T
        return (
            x + step_size * np.linalg.solve(H, law.score(x[None])[0]),
            H,
            U @ np.diag(np.diag(U.T @ H @ U) ** -0.5) @ U.T,
        )

    def log_q(y, x):
        mean, H, _ = model(x)
        return -(y - mean) @ H @ (y - mean) / (4.0 * step_size) + 0.5 * np.linalg.slogdet(H)[1]

    _, rng = np.random.default_rng(5).spawn(2)
    x, moves = X, 0
    for k in range(1, 5):
        z = rng.standard_normal(x.shape)
        y = np.asarray([model(a)[0] + (2.0 * step_size) ** 0.5 * model(a)[2] @ b for a, b in zip(x, z)])
        log_ratio = law.log_density(y) - law.log_density(x)
        log_ratio = log_ratio + [log_q(a, b) - log_q(b, a) for a, b in zip(x, y)]
        moved = accept(log_ratio, rng)
        x, moves = np.where(moved[:, None], y, x), moves + int(moved.sum())
        np.testing.assert_allclose(run["x"][k], x, rtol=0, atol=1e-9)
        assert run["acceptance"][k] == moved.mean()
    assert 0.2 * 4 * n < moves < 0.9 * 4 * n, "both answers occur"


@pytest.mark.parametrize("integrator", ["euler", "exponential"])
def test_adjusted_the_law_stays_and_unadjusted_it_becomes_another(integrator):
    """E x^2 from 20,000 chains that start in p. Adjusted: within 4.5 standard errors of p.

    Unadjusted with a small step: within 4.5 standard errors, and 1.5 % for the step, of p (max(h, 0) + rho), which is the
    law of the diffusion without its correction. The two means are more than 14 standard errors apart.
    """
    n, damping = 20_000, 0.5
    (exact, spread), (biased, _) = moments_of_the_line(damping)
    error = spread / n**0.5
    assert abs(biased - exact) > 14.0 * error
    X = LINE.sample(n, np.random.default_rng(3))
    setting = {"damping": damping, "integrator": integrator}
    adjusted = so.sample(LINE, "newton_langevin", X, steps=40, step_size=0.8, metropolis=True, **setting)
    assert abs(np.mean(adjusted.x**2) - exact) < 4.5 * error and 0.5 < adjusted["acceptance"][-1] < 0.99
    unadjusted = so.sample(LINE, "newton_langevin", X, steps=200, step_size=0.03, **setting)
    assert abs(np.mean(unadjusted.x**2) - biased) < 4.5 * error + 0.015 * biased


def test_far_from_the_law_the_determinant_matters():
    """Half of the particles in each component of the wrong share: adjusted chains find the share again.

    A draw is in the left component with probability w = 0.6; with n = 4000 its share has a standard error of 0.8 %.
    """
    n = 4000
    X = LINE.sample(n, np.random.default_rng(4))
    X = np.where(np.arange(n)[:, None] % 2 == 0, -np.abs(X), np.abs(X))
    run = so.sample(LINE, "newton_langevin", X, steps=300, step_size=1.0, damping=0.5, metropolis=True)
    truth = np.mean(LINE.sample(400_000, np.random.default_rng(5)) < 0.0)
    assert abs(np.mean(run.x < 0.0) - truth) < 4.5 * 0.008


def test_much_damping_is_langevin_with_a_small_step():
    law = so.problems.gaussian_mixture()
    for metropolis in (False, True):
        a = so.sample(law, "langevin", particles=50, steps=5, step_size=0.1, metropolis=metropolis)
        b = so.sample(
            law, "newton_langevin", particles=50, steps=5, step_size=0.1 * 1e8, damping=1e8, metropolis=metropolis
        )
        np.testing.assert_allclose(b.x, a.x, atol=1e-5)


def test_the_noise_level_is_that_of_the_law():
    noisy = so.problems.gaussian_mixture(means=[[0.0]], covariances=[[[1.0]]])
    plain = so.problems.gaussian_mixture(means=[[0.0]], covariances=[[[1.25]]])
    for metropolis, integrator in itertools.product((False, True), ("euler", "exponential")):
        setting = {"particles": 30, "steps": 4, "metropolis": metropolis, "integrator": integrator}
        a = so.sample(noisy, "newton_langevin", sigma=0.5, **setting)
        b = so.sample(plain, "newton_langevin", **setting)
        np.testing.assert_allclose(a.x, b.x, rtol=1e-12)
        assert a["sigma"][-1] == 0.5


def test_it_pays_for_one_score_and_one_hessian_a_step():
    law = so.problems.gaussian_mixture()
    plain = so.sample(law, "newton_langevin", particles=5, steps=6).oracle
    assert (plain["score"], plain["score_hessian"], plain.get("log_density", 0)) == (6, 6, 0)
    adjusted = so.sample(law, "newton_langevin", particles=5, steps=6, metropolis=True).oracle
    assert (adjusted["score"], adjusted["score_hessian"], adjusted["log_density"]) == (7, 7, 7), (
        "one more, at the start"
    )


def test_an_exponential_step_of_two_is_refused():
    with pytest.raises(ValueError, match="step_size must be below 2"):
        so.sample(LINE, "newton_langevin", particles=2, steps=1, step_size=2.0, integrator="exponential")


def test_where_there_is_no_density_a_particle_stays_and_nothing_is_asked_for():
    def log_density(X, alpha, sigma):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(X[:, 0] > 0.0, np.log(X[:, 0]) - X[:, 0], -np.inf)

    def inside(X):
        assert np.all(X > 0.0)
        return X

    law = so.Problem(
        score=lambda X, alpha, sigma: 1.0 / inside(X) - 1.0,
        score_hessian=lambda X, alpha, sigma: -1.0 / inside(X)[:, :, None] ** 2,
        log_density=log_density,
        x0=[1.0],
    )
    X = np.random.default_rng(0).gamma(2.0, size=(4000, 1))
    run = so.sample(law, "newton_langevin", X, steps=50, step_size=1.0, damping=0.1, metropolis=True)
    assert run.status == "step_limit" and np.all(run.x > 0.0)
    assert abs(run.x.mean() - 2.0) < 5.0 * (2.0 / 4000) ** 0.5, "a gamma law: mean and variance 2"
