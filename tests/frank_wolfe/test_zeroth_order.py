"""Zeroth-order Frank–Wolfe: what the estimates err by, what averaging takes away, and what the theorem promises.

Statistical tolerances are five standard errors of the mean that is compared, or more; all draws are seeded.
"""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.frank_wolfe.zeroth_order import estimated_gradient, schedule
from secondorder.ledger import Ledger

METHOD = "zeroth_order_frank_wolfe"
ESTIMATORS = ("kwsa", "rdsa", "i-rdsa")


class Noisy(so.Problem):
    """f with a random slope in each batch: the gradient of a batch has the covariance sigma²/d times the identity."""

    n = 100

    def __init__(self, f, grad, constraint, sigma, x0=None):
        super().__init__(f, grad, x0=x0, constraint=constraint, fresh=True)
        self.sigma = sigma

    def batches(self, batch_size, rng):
        while True:
            slope = self.sigma / math.sqrt(self.constraint.d) * rng.standard_normal(self.constraint.d)
            batch = so.Problem(lambda x, slope=slope: self.f(x) + float(slope @ x))
            batch.n = batch_size
            yield batch


def linear(g, constraint, sigma=0.0, x0=None):
    return Noisy(lambda x: float(g @ x), lambda x: g + 0.0 * x, constraint, sigma, x0)


def distance(d, sigma=0.0, seed=1):
    """½‖x − b‖² on the ℓ1 ball, with b outside; the projection of b is the solution."""
    b = np.random.default_rng(seed).standard_normal(d)
    ball = so.sets.L1Ball(d)
    problem = Noisy(lambda x: 0.5 * float((x - b) @ (x - b)), lambda x: x - b, ball, sigma, np.zeros(d))
    problem.f_star = problem.f(ball.project(b))
    return problem


def draws(problem, x, estimator, m, c, count, seed=0):
    ledger, rng = Ledger(problem, x), np.random.default_rng(seed)
    return np.stack([estimated_gradient(ledger, x, estimator, m, c, rng) for _ in range(count)])


# --------------------------------------------------------------------------------------------------- one estimate


@pytest.mark.parametrize("c", [1.0, 1e-2])
def test_kwsa_on_a_quadratic_is_the_gradient_and_half_the_diagonal(c):
    rng = np.random.default_rng(0)
    B = rng.standard_normal((6, 6))
    H, g, x = B @ B.T, rng.standard_normal(6), rng.standard_normal(6)
    problem = so.Problem(lambda x: 0.5 * float(x @ H @ x) + float(g @ x), x0=x)
    (estimate,) = draws(problem, x, "kwsa", 1, c, 1)
    # eps |f| / c, with |f| about 10
    np.testing.assert_allclose(estimate, H @ x + g + 0.5 * c * np.diag(H), rtol=0, atol=1e-13 / c)


@pytest.mark.parametrize(("estimator", "m"), [("rdsa", 1), ("i-rdsa", 4)])
@pytest.mark.parametrize("d", [3, 12])
def test_random_directions_on_a_linear_function(estimator, m, d):
    """The mean is g and E‖ĝ‖² = ‖g‖² + (d + 1)‖g‖²/m, which for m = 1 is (d + 2)‖g‖²; whatever the length c."""
    g, count = np.arange(1.0, d + 1.0) / d, 6000
    estimates = draws(so.Problem(lambda x: float(g @ x), x0=np.zeros(d)), np.zeros(d), estimator, m, 0.7, count)
    size = float(g @ g)
    error = np.linalg.norm(estimates.mean(axis=0) - g)
    assert error <= 3.0 * math.sqrt((d + 1) * size / m / count)  # of d coordinates together: 3 is ample
    squares = np.sum(estimates**2, axis=1)
    standard_error = squares.std() / math.sqrt(count)
    assert abs(squares.mean() - (1.0 + (d + 1) / m) * size) <= 5.0 * standard_error
    assert standard_error < 0.05 * squares.mean(), "sharp enough to tell d + 2 from d"


@pytest.mark.parametrize(("estimator", "m"), [("rdsa", 1), ("i-rdsa", 5)])
def test_curvature_adds_variance_and_no_bias_on_a_quadratic(estimator, m):
    """At the minimiser of ½‖x‖² the estimate is the mean of (c/2)‖z‖²z: mean 0, E‖·‖² = c²d(d+2)(d+4)/(4m)."""
    d, c, count = 6, 0.5, 6000
    estimates = draws(so.problems.quadratic(np.ones(d)), np.zeros(d), estimator, m, c, count)
    squares, promised = np.sum(estimates**2, axis=1), c**2 * d * (d + 2) * (d + 4) / (4.0 * m)
    assert abs(squares.mean() - promised) <= 5.0 * squares.std() / math.sqrt(count)
    assert np.linalg.norm(estimates.mean(axis=0)) <= 3.0 * math.sqrt(promised / count)


def test_weights_and_lengths_where_the_roots_are_whole():
    """At t = 19 s is 27, and (1 + d/m)^(1/3) is 2 for d = 14 and m = 2."""
    assert schedule("kwsa", 4, 1, 19) == pytest.approx((4.0 / 9.0, 1.0 / 3.0), rel=1e-12)
    assert schedule("rdsa", 8, 5, 19) == pytest.approx((2.0 / 9.0, 2.0 / 3.0 / 8.0**1.5), rel=1e-12)
    assert schedule("i-rdsa", 14, 2, 19) == pytest.approx((2.0 / 9.0, 2.0**1.5 / 3.0 / 14.0**1.5), rel=1e-12)


def test_the_lengths_of_both_random_estimators_give_curvature_the_same_variance():
    d = 7
    for t in (0, 5, 1000):
        _, one = schedule("rdsa", d, 1, t)
        for m in (2, 10, 40):
            _, c = schedule("i-rdsa", d, m, t)
            assert c**2 / m == pytest.approx(one**2, rel=1e-12)
            assert c <= schedule("kwsa", d, 1, t)[1] * (1.0 + 1e-12), "as long as m is at most d squared"


def test_weights_start_at_one_or_below_and_decay_like_two_thirds():
    for estimator in ESTIMATORS:
        for d in (1, 10, 1000):
            weights = [schedule(estimator, d, 3, t)[0] for t in range(2000)]
            assert min(weights) > 0.0 and max(weights) == weights[0] <= 1.0
            assert weights[992] / weights[0] == pytest.approx((8.0 / 1000.0) ** (2.0 / 3.0), rel=1e-12)
    assert schedule("kwsa", 10, 1, 0)[0] == pytest.approx(1.0)


@pytest.mark.parametrize(("estimator", "m", "values"), [("kwsa", 10, 6), ("rdsa", 10, 2), ("i-rdsa", 3, 4)])
def test_values_an_iteration(estimator, m, values):
    history = so.minimize(distance(5), METHOD, steps=20, tol=0, estimator=estimator, directions=m)
    assert history.oracle["f"] == 21 * values and history.oracle["lmo"] == 21 and history.oracle["grad"] == 0


class Shifted(Noisy):
    """Every batch adds a large number of its own to f; a difference within one sample does not see it."""

    def batches(self, batch_size, rng):
        for k, batch in enumerate(super().batches(batch_size, rng)):
            batch.f = lambda x, f=batch.f, k=k: f(x) + 100.0 * (-1) ** k
            yield batch


def test_both_values_of_a_difference_share_their_sample_and_count_by_its_share():
    rows = []
    for kind in (Noisy, Shifted):
        problem = kind(lambda x: 0.1 * float(x[0]), lambda x: 0.1 * np.eye(4)[0], so.sets.L1Ball(4), 1.0)
        history = so.minimize(problem, METHOD, steps=9, tol=0, batch_size=1, estimator="rdsa", keep="batch_grad")
        assert history.oracle["f"] == pytest.approx(10 * 2 / problem.n)
        rows.append(history["batch_grad"])
    np.testing.assert_allclose(*rows, rtol=0, atol=1e-10)


# ---------------------------------------------------------------------------------------------------- the averages


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rows_are_the_recursions(estimator):
    problem = distance(5)
    history = so.minimize(
        problem, METHOD, steps=40, tol=0, seed=4, estimator=estimator, directions=3, keep=("x", "batch_grad", "vertex")
    )
    ledger, rng = Ledger(problem), np.random.default_rng(4).spawn(2)[1]
    x, average = problem.x0, np.zeros(5)
    for t, row in enumerate(history.rows):
        rho, c = schedule(estimator, 5, 3, t)
        average = (1 - rho) * average + rho * estimated_gradient(ledger, x, estimator, 3, c, rng)
        np.testing.assert_allclose(row["batch_grad"], average, rtol=1e-13, atol=1e-14)
        np.testing.assert_array_equal(row["vertex"], problem.lmo(average))
        np.testing.assert_allclose(row["x"], x, rtol=1e-13, atol=1e-15)
        assert (row["averaging"], row["smoothing"]) == (rho, c)
        x = x + 2.0 / (t + 8.0) * (row["vertex"] - x)


@pytest.mark.parametrize(("estimator", "m"), [("kwsa", 1), ("rdsa", 1), ("i-rdsa", 4)])
def test_the_noise_of_the_average_on_a_linear_function(estimator, m):
    """There e_t = (1 − ρ)e_{t−1} + ρn_t exactly, so E‖e_t‖² is (1 − ρ)²E‖e_{t−1}‖² + ρ²V, from e_{−1} = −g with bias apart.

    V is sigma² for KWSA, and for m directions sigma² + (d + 1)(‖g‖² + sigma²)/m. For large t it tends to ρV/2, of order
    t^(-2/3).
    """
    d, sigma, steps, seeds = 8, 0.8, 400, 24
    g = np.linspace(1.0, 2.0, d) / np.linalg.norm(np.linspace(1.0, 2.0, d))
    variance = sigma**2 + (0.0 if estimator == "kwsa" else (d + 1) * (1.0 + sigma**2) / m)
    problem = linear(g, so.sets.Simplex(d), sigma)
    errors = np.zeros(steps + 1)
    for seed in range(seeds):
        history = so.minimize(
            problem,
            METHOD,
            steps=steps,
            tol=0,
            seed=seed,
            batch_size=1,
            estimator=estimator,
            directions=m,
            keep="batch_grad",
        )
        errors += np.sum((history["batch_grad"] - g) ** 2, axis=1) / seeds
    expected, square, share = [], 0.0, 1.0
    for t in range(steps + 1):
        rho, _ = schedule(estimator, d, m, t)
        square, share = (1 - rho) ** 2 * square + rho**2 * variance, (1 - rho) * share
        expected.append(square + share**2)
    # pooled over windows of 100 rows (correlated over about 1/rho < 30): 24 seeds of 8 coordinates leave about 10 %
    for window in np.split(np.arange(1, steps + 1), 4):
        assert np.mean(errors[window]) == pytest.approx(np.mean(np.asarray(expected)[window]), rel=0.3)
    assert expected[-1] == pytest.approx(0.5 * rho * variance, rel=0.15)


@pytest.mark.slow
def test_the_error_of_the_average_grows_like_the_cube_root_of_the_dimension():
    """RDSA on linear functions with ‖g‖ = 1, at one late t: the norm of the error over (d + 1)^(1/3) is the same for all d."""
    scaled = []
    for d in (4, 16, 64):
        g = np.linspace(1.0, 2.0, d) / np.linalg.norm(np.linspace(1.0, 2.0, d))
        problem, squares = linear(g, so.sets.Simplex(d)), []
        for seed in range(4):
            history = so.minimize(problem, METHOD, steps=1500, tol=0, seed=seed, estimator="rdsa", keep="batch_grad")
            squares.append(np.mean(np.sum((history["batch_grad"][750:] - g) ** 2, axis=1)))
        scaled.append(math.sqrt(np.mean(squares)) / d ** (1.0 / 3.0))
    slope = np.polyfit(np.log([4, 16, 64]), np.log(scaled), 1)[0]
    assert abs(slope) < 0.12, "the exponent is 1/3; 1/2 or 0 would be off by more"


# ----------------------------------------------------------------------------------------------------- the theorem


def constants(problem, d, sigma):
    """L, D and the two constants that the chapter derives for KWSA."""
    L, D = 1.0, problem.constraint.diameter
    Q = 1.6 * (L * D) ** 2 + 2.5 * L**2 + 10.0 * sigma**2
    h = problem.f(problem.x0) - problem.f_star
    return Q, max(2.0 * h, 1.2 * D * math.sqrt(Q) + 0.3 * L * D**2)


@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_kwsa_keeps_the_bounds_with_their_constants_at_every_step(sigma):
    d, seeds = 6, 6
    problem = distance(d, sigma)
    Q, R = constants(problem, d, sigma)
    errors, gaps = 0.0, 0.0
    for seed in range(seeds):
        history = so.minimize(
            problem, METHOD, steps=400, tol=0, seed=seed, batch_size=1 if sigma else None, estimator="kwsa",
            keep=("x", "batch_grad"),
        )  # fmt: skip
        errors = errors + np.sum(
            [(g - problem.grad(x)) ** 2 for g, x in zip(history["batch_grad"], history["x"])], axis=1
        )
        gaps = gaps + np.asarray([problem.f(x) - problem.f_star for x in history["x"]])
    s = np.arange(401) + 8.0
    assert np.all(errors / seeds <= Q / s ** (2.0 / 3.0))
    assert np.all(gaps / seeds <= R / s ** (1.0 / 3.0))
    if not sigma:  # the bias alone: the bound on the error is of the right order
        assert errors[-1] / seeds >= 0.02 * Q / s[-1] ** (2.0 / 3.0)


def test_without_noise_kwsa_is_as_good_as_its_bias():
    """ĝ is the gradient of f + (c/2)Σx_i, whose minimiser is c away: a gap of order c, hence t^(-1/3), and f of order c²."""
    problem = distance(10)
    history = so.minimize(problem, METHOD, steps=4000, tol=0, estimator="kwsa")
    late = slice(400, None)
    t = np.log(np.arange(4001)[late] + 8.0)
    assert np.polyfit(t, np.log(history["gap"][late]), 1)[0] == pytest.approx(-1.0 / 3.0, abs=0.12)
    assert np.polyfit(t, np.log(history.f[late] - problem.f_star), 1)[0] == pytest.approx(-2.0 / 3.0, abs=0.2)


@pytest.mark.slow
def test_the_exponent_one_third_is_met_by_a_linear_function_with_ties_at_every_scale():
    """On the simplex with prices 0, and 1e-3 to 1 evenly in logarithm, an error e of the estimate costs about e."""
    d, seeds, values = 32, 6, 0.0
    g = np.concatenate([[0.0], np.geomspace(1e-3, 1.0, d - 1)])
    problem = linear(g - 1.0, so.sets.Simplex(d), 1.0, np.eye(d)[-1])
    for seed in range(seeds):
        history = so.minimize(problem, METHOD, steps=4000, tol=0, seed=seed, batch_size=1, estimator="rdsa", keep="x")
        values = values + history["x"] @ g / seeds
    late = np.arange(300, 4001)
    slope = np.polyfit(np.log(late + 8.0), np.log(values[late]), 1)[0]
    assert slope == pytest.approx(-1.0 / 3.0, abs=0.12)


@pytest.mark.parametrize(("estimator", "m"), [("rdsa", 1), ("i-rdsa", 4)])
def test_the_gap_falls_with_averaging_and_stalls_without(estimator, m):
    problem, last, stalled = distance(10), [], []
    for seed in range(3):
        for averaging, gaps in ((True, last), (False, stalled)):
            history = so.minimize(
                problem, METHOD, steps=1200, tol=0, seed=seed, estimator=estimator, directions=m, averaging=averaging
            )
            gaps.append([history["gap"][s].mean() for s in (slice(50, 150), slice(800, None))])
    (early, late), (before, after) = np.mean(last, axis=0), np.mean(stalled, axis=0)
    assert late < 0.5 * early, "averaging"
    assert after > 4.0 * late and (m > 1 or after > 0.5 * before), "no averaging"


def test_more_directions_come_nearer():
    problem = distance(10)
    runs = {}
    for m in (1, 6, 36):
        tails = [
            so.minimize(problem, METHOD, steps=500, tol=0, seed=seed, directions=m)["gap"][300:].mean()
            for seed in range(3)
        ]
        runs[m] = np.mean(tails)
    assert runs[36] < 0.75 * runs[6] < 0.75 * 0.75 * runs[1]


def test_which_length_of_i_rdsa_is_right_shows_in_float32_only(monkeypatch):
    """2√m and 2/√m give the same gap where rounding is negligible; where it is not, the longer differences win."""
    from secondorder.frank_wolfe import zeroth_order

    def shorter(estimator, d, m, t):
        rho, c = schedule(estimator, d, m, t)
        return rho, c / m

    problem = distance(30)
    x = problem.constraint.project(problem.grad(problem.x0) * -1.0)
    gaps, errors = {}, {}
    for label, rule in (("longer", schedule), ("shorter", shorter)):
        monkeypatch.setattr(zeroth_order, "schedule", rule)
        runs = [so.minimize(problem, METHOD, steps=600, tol=0, seed=seed, directions=16) for seed in range(3)]
        gaps[label] = np.mean([run["gap"][300:] for run in runs])
        _, c = rule("i-rdsa", 30, 16, 1000)
        single = so.Problem(lambda x: np.float32(problem.f(x)), x0=x.astype(np.float32))
        exact, rounded = (
            draws(p, x.astype(kind), "i-rdsa", 16, c, 20) for p, kind in ((problem, np.float64), (single, np.float32))
        )
        errors[label] = np.linalg.norm(exact - rounded, axis=1).mean() / np.linalg.norm(problem.grad(x))
    assert gaps["longer"] == pytest.approx(gaps["shorter"], rel=0.25)
    assert errors["shorter"] > 5.0 * errors["longer"]


def test_rounding_divides_by_the_length():
    """The difference of a function whose value is large errs by eps |f| / c, and never by more than a few times that."""
    g, big = np.asarray([1.0, -2.0, 0.5, 3.0]), 1e6
    problem, x = so.Problem(lambda x: big + float(g @ x), x0=np.zeros(4)), 0.1 * np.ones(4)
    eps, errors = np.finfo(float).eps, []
    for c in (1e-2, 1e-4, 1e-6):
        (estimate,) = draws(problem, x, "kwsa", 1, c, 1)
        errors.append(np.abs(estimate - g).max())
        assert errors[-1] <= 2.0 * eps * big / c
    assert errors[-1] > 0.02 * eps * big / 1e-6


# -------------------------------------------------------------------------------------------- sets, seeds, libraries


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("make", [so.sets.Simplex, so.sets.L1Ball])
def test_every_point_is_feasible(estimator, make):
    problem = linear(np.linspace(-1.0, 1.0, 6), make(6), 1.0)
    history = so.minimize(problem, METHOD, steps=300, tol=0, estimator=estimator, batch_size=1, keep="x")
    assert max(problem.constraint.violation(x) for x in history["x"]) <= 1e-12


def test_one_seed_one_history_and_batches_do_not_shift_directions():
    problem = distance(6, sigma=0.5)
    runs = [so.minimize(problem, METHOD, steps=30, tol=0, seed=s, keep="x", batch_size=1)["x"] for s in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.max(np.abs(runs[0] - runs[2])) > 1e-3
    first = [
        so.minimize(distance(6, sigma=1e-12), METHOD, steps=30, tol=0, batch_size=b, keep="x")["x"] for b in (None, 1)
    ]
    np.testing.assert_allclose(*first, atol=1e-9)


def test_strict_arrays_take_the_same_steps():
    from secondorder.arrays import to_numpy

    problem = so.problems.quadratic(np.arange(1.0, 6.0)).subject_to(so.sets.Simplex(5))
    strict = so.to_device(problem, "array_api_strict")
    for estimator in ESTIMATORS:
        ours, theirs = (so.minimize(p, METHOD, steps=20, tol=0, estimator=estimator).x for p in (problem, strict))
        assert type(theirs) is type(strict.x0)
        np.testing.assert_allclose(to_numpy(theirs), ours, rtol=0, atol=1e-12)


def test_a_difference_that_leaves_the_domain_is_halved():
    """Logarithms on the simplex: without the domain every long difference would be a NaN."""
    weights = np.asarray([0.5, 0.3, 0.2])
    problem = so.Problem(
        lambda x: -float(weights @ np.log(x)), lambda x: -weights / x, domain=lambda x: bool(np.all(x > 0.0)),
        constraint=so.sets.Simplex(3),
    )  # fmt: skip
    history = so.minimize(problem, METHOD, steps=3000, tol=0, keep="batch_grad")
    assert history.status == "step_limit" and np.all(np.isfinite(history["batch_grad"]))
    np.testing.assert_allclose(history.x, weights, atol=0.1)


def test_without_a_gradient_nothing_is_certified():
    problem = so.Problem(lambda x: float(x @ x), constraint=so.sets.Simplex(3))
    history = so.minimize(problem, METHOD, steps=50, seed=0)
    assert history.status == "step_limit" and "gap" not in history.names and "grad_norm" not in history.names


def test_a_function_that_is_nowhere_finite_ends_the_run():
    problem = so.Problem(lambda x: float("nan"), constraint=so.sets.Simplex(3))
    with pytest.raises(ValueError, match="cannot be evaluated at the start"):
        so.minimize(problem, METHOD, steps=5)
