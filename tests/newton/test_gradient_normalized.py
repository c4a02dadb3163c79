"""Gradient-normalised smoothness: against naive dense twins, closed forms, and its limits."""

import itertools
import math

import numpy as np
import pytest

import secondorder as so
from secondorder import guarantees
from secondorder.ledger import Ledger
from secondorder.linalg import diagonal_rank_one_solve
from secondorder.measure import measured_order
from secondorder.newton.gradient_normalized import SMOOTHNESS_MAX, judged, regularized
from secondorder.problems.power_of_residual import PowerOfResidual

NAME = "gradient_normalized_newton"
HESSIANS = ("exact", "gauss_newton", "fisher", "diagonal_rank_one", "zero")


def matrix(problem, x, hessian):
    """The approximate Hessian, dense and from its definition."""
    d, grad = len(x), problem.grad(x)
    if hessian == "exact":
        return problem.hess(x)
    if hessian == "gauss_newton":
        return np.column_stack([problem.ggn_product(x, e) for e in np.eye(d)]) + problem.l2 * np.eye(d)
    if hessian == "zero":
        return np.zeros((d, d))
    diagonal, weight = problem.diagonal_rank_one(x)
    return (hessian == "diagonal_rank_one") * np.diag(diagonal) + weight * np.outer(grad, grad)


def twin(problem, hessian, steps, metric=None):
    """The method in a few lines, with a dense matrix and general solves; norms of gradients are dual to the metric."""
    x, gamma = problem.x0, 0.5
    B = np.eye(len(x)) if metric is None else metric
    size = lambda g: math.sqrt(g @ np.linalg.solve(B, g))  # noqa: E731
    path = [(x, None)]
    for _ in range(steps):
        f, g, H = problem.f(x), problem.grad(x), matrix(problem, x, hessian)
        gamma *= 2.0
        while True:
            damping = size(g) / gamma
            y = x - np.linalg.inv(H + damping * B) @ g
            if f - problem.f(y) >= size(problem.grad(y)) ** 2 / (8.0 * damping):
                break
            gamma /= 2.0
        x = y
        path.append((x, gamma))
    return path


CASES = [
    *((h, lambda: so.problems.soft_maximum(n=40, d=6, mu=0.4)) for h in ("exact", "gauss_newton", "zero")),
    *((h, lambda: so.problems.power_of_residual(n=30, d=6)) for h in HESSIANS),
    *((h, lambda: so.problems.chebyshev_rosenbrock(4, 3)) for h in ("gauss_newton", "fisher", "diagonal_rank_one")),
]


@pytest.mark.parametrize(("hessian", "make"), CASES)
def test_it_is_its_dense_twin(hessian, make):
    """Fisher and diagonal plus rank one by Sherman and Morrison, here by a dense inverse; 6 steps lose some 3 digits."""
    problem = make()
    history = so.minimize(problem, NAME, hessian=hessian, steps=6, keep=("x",))
    for k, (x, gamma) in enumerate(twin(problem, hessian, 6)):
        np.testing.assert_allclose(history["x"][k], x, rtol=0, atol=1e-11 * max(1.0, np.max(np.abs(x))))
        assert k == 0 or history["smoothness"][k] == gamma


@pytest.mark.parametrize("seed", range(3))
def test_diagonal_plus_rank_one_is_solved(seed):
    rng = np.random.default_rng(seed)
    D, u, b = rng.uniform(0.1, 3.0, 7), rng.standard_normal(7), rng.standard_normal(7)
    for weight in (0.0, 0.3, 1e3):
        dense = np.linalg.solve(np.diag(D) + weight * np.outer(u, u), b)
        np.testing.assert_allclose(diagonal_rank_one_solve(D, weight, u, b), dense, rtol=1e-9, atol=1e-10)


def test_zero_hessian_with_the_smoothness_of_the_class_is_gradient_descent():
    """Bitwise: the damping is then L1 itself."""
    problem = Ledger(so.problems.soft_maximum(n=30, d=4, mu=1.0))
    L = 4.0
    points = so.newton.gradient_descent(problem, lipschitz=L)
    for old, new in itertools.pairwise(itertools.islice(points, 10)):
        step = regularized(problem, old.x, old.grad, "zero")(L)
        np.testing.assert_array_equal(old.x + step, new.x)


def test_the_fisher_step_is_parallel_to_the_gradient():
    problem = so.problems.power_of_residual(n=30, d=6)
    history = so.minimize(problem, NAME, hessian="fisher", keep=("x", "step"), tol=1e-6)
    for k in range(1, len(history)):
        grad, step = problem.grad(history["x"][k - 1]), history["step"][k]
        damping, weight = history["damping"][k], problem.diagonal_rank_one(history["x"][k - 1])[1]
        length = np.linalg.norm(grad) / (damping + weight * (grad @ grad))
        np.testing.assert_allclose(step, -length * grad / np.linalg.norm(grad), rtol=1e-11, atol=1e-14)


def test_a_step_is_no_longer_than_the_smoothness():
    for hessian, make in CASES[:8]:
        history = so.minimize(make(), NAME, hessian=hessian, steps=30)
        assert np.all(history["radius"][1:] <= history["smoothness"][1:] * (1.0 + 1e-12))
        np.testing.assert_allclose(history["damping"][1:], history.grad_norm[:-1] / history["smoothness"][1:])


@pytest.mark.parametrize("hessian", ["fisher", "exact", "zero"])
def test_a_metric_is_a_change_of_variables(hessian):
    """Orthonormal columns of A in new variables y = Rx, and the metric A'A in the old: the same points."""
    problem = so.problems.power_of_residual(n=30, d=6)
    Q, R = np.linalg.qr(problem.A)
    other = PowerOfResidual(Q, problem.b, 4.0, R @ problem.x_star)
    history = so.minimize(other, NAME, hessian=hessian, steps=8, keep=("x",))
    for k, (x, gamma) in enumerate(twin(problem, hessian, 8, metric=problem.A.T @ problem.A)):
        np.testing.assert_allclose(np.linalg.solve(R, history["x"][k]), x, rtol=0, atol=1e-9)
        assert k == 0 or history["smoothness"][k] == gamma


def test_multiplying_f_by_a_power_of_two_changes_no_bit():
    """The damping grows with the gradient, the radius of trust is a length in x."""
    p = so.problems.soft_maximum(n=30, d=4, mu=0.5)
    scaled = so.Problem(lambda x: 8 * p.f(x), lambda x: 8 * p.grad(x), lambda x: 8 * p.hess(x), x0=p.x0)
    one, other = (so.minimize(each, NAME, steps=6, tol=0.0, keep=("x",)) for each in (p, scaled))
    np.testing.assert_array_equal(one["x"], other["x"])
    np.testing.assert_array_equal(one["smoothness"], other["smoothness"])


def test_on_a_quadratic_the_smoothness_doubles_up_to_its_end():
    problem = so.problems.quadratic([1e-12, 1.0], x0=[1e20, 1.0])
    history = so.minimize(problem, NAME, tol=0.0, steps=45)
    np.testing.assert_array_equal(history["smoothness"][1:], np.minimum(2.0 ** np.arange(45), SMOOTHNESS_MAX))
    assert np.all(history["trials"][1:] == 1)


def test_the_ridge_is_in_the_gauss_newton_matrix():
    problem = so.problems.mlp("two_moons", [2, 3, 2], l2=0.3)
    grad = problem.grad(problem.x0)
    step = regularized(Ledger(problem), problem.x0, grad, "gauss_newton")(0.7)
    H = problem.ggn(problem.x0) + np.eye(len(grad))
    np.testing.assert_allclose(step, -np.linalg.solve(H, grad), rtol=1e-10)


def test_a_given_smoothness_asks_for_no_values_and_is_kept():
    problem = so.problems.ill_scaled_logistic(n=40, d=5)
    history = so.minimize(problem, NAME, smoothness=2.0)
    assert history.status == "converged" and history.oracle["f"] == 0 and set(history["smoothness"][1:]) == {2.0}
    assert "trials" not in history.names
    x, g = problem.x0, problem.grad(problem.x0)
    first = x - np.linalg.solve(problem.hess(x) + np.linalg.norm(g) / 2.0 * np.eye(5), g)
    np.testing.assert_allclose(so.minimize(problem, NAME, smoothness=2.0, steps=1).x, first, rtol=1e-11)


def test_an_indefinite_hessian_shrinks_the_smoothness_and_breaks_a_given_one():
    """At (0.1, 0) of the saddle the Hessian has the eigenvalue -1: a damping above 1 is needed."""
    problem = so.problems.saddle()
    history = so.minimize(problem, NAME, x0=[0.1, 0.05])
    assert history.status == "converged" and history.f[-1] == pytest.approx(problem.f_star, abs=1e-12)
    assert history["trials"][1] > 1 and history["damping"][1] > 0.5
    given = so.minimize(problem, NAME, x0=[0.1, 0.05], smoothness=10.0)
    assert given.status == "breakdown" and "a smaller smoothness" in given.message


def test_the_local_order_is_that_of_the_class():
    """Where the smoothness stays above 1/M the damping is of the order of the gradient: order 2."""
    history = so.minimize(so.problems.logistic("breast_cancer", standardize=True, l2=1e-2), NAME, tol=1e-13)
    assert measured_order(history).value > 1.7


def test_beyond_the_rounding_of_f_the_gradients_decide():
    """Values near 1e6 are rounded to 1e-10, with the allowance 1e-7: gradients below 1e-4 are out of their sight."""
    p = so.problems.soft_maximum(n=100, d=5, mu=1.0)
    shifted = so.Problem(lambda x: p.f(x) + 1e6, p.grad, p.hess, x0=p.x0)
    for hessian in ("exact", "zero"):
        history = so.minimize(shifted, NAME, hessian=hessian, tol=1e-11)
        assert history.status == "converged", hessian


@pytest.mark.parametrize(("damping", "kept"), [(0.9, False), (1.1, True)])
def test_the_second_test_is_the_definition_of_the_smoothness(damping, kept):
    """The gradient x and H = 0: |g+ + damping h| = |x| / damping against |x|. Values of 1e20 cannot tell."""
    p = Ledger(so.Problem(lambda x: 1e20, lambda x: x, lambda x: np.eye(2), x0=[3.0, 4.0]))
    _, grad = judged(p, p.x, -p.x / damping, damping, 1e20)
    assert (grad is not None) == kept


def test_a_wrong_gradient_ends_as_stalled():
    problem = so.Problem(lambda x: float(x @ x), lambda x: -2.0 * x, lambda x: 2.0 * np.eye(2), x0=[1.0, 2.0])
    history = so.minimize(problem, NAME)
    assert history.status == "stalled" and "is the gradient right?" in history.message


def test_an_infinite_value_is_a_failed_trial():
    problem = so.Problem(
        lambda x: float(np.sum(x - np.log(x))) if np.all(x > 0.0) else math.inf,
        lambda x: 1.0 - 1.0 / x,
        lambda x: np.diag(x**-2.0),
        x0=[5.0, 0.1],
    )
    history = so.minimize(problem, NAME)
    assert history.status == "converged"
    np.testing.assert_allclose(history.x, 1.0, atol=1e-8)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"Missing: diagonal_rank_one .*power_of_residual\(\)"):
        so.minimize(so.problems.rosenbrock(), NAME, hessian="fisher")


# ------------------------------------------------------------------------------------------------ what it is good for


def undamped(problem, hessian, steps):
    """Steps of the approximate Hessian alone (the pseudo-inverse, where it is singular); the values."""
    x, values = problem.x0, []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            H = matrix(problem, x, hessian)
            if not np.all(np.isfinite(H)):
                return np.asarray([*values, np.inf])
            x = x - np.linalg.pinv(H) @ problem.grad(x)
            values.append(problem.f(x))
    return np.asarray(values)


def test_the_undamped_gauss_newton_step_diverges_on_a_network_and_this_converges():
    problem = so.problems.mlp("two_moons", [2, 4, 2], l2=1e-3)
    values = undamped(problem, "gauss_newton", 30)
    assert not values[-1] < problem.f(problem.x0)
    history = so.minimize(problem, NAME, hessian="gauss_newton", steps=2000)
    assert history.status == "converged" and np.all(np.diff(history.f) <= 1e-13)


@pytest.mark.parametrize("p", [2.2, 2.4, 2.75, 4.0])
def test_the_undamped_fisher_step_is_that_of_polyak_times_p_over_p_less_2(p):
    """Its length is p f / ((p - 2) |g|). Where the columns of A are orthonormal it multiplies u by 1 - 1/(p - 2), and leads
    away for p < 5/2; the damped step of the library converges."""
    given = so.problems.power_of_residual(p, n=30, d=6)
    Q, R = np.linalg.qr(given.A)
    problem = PowerOfResidual(Q, given.b, p, R @ given.x_star)
    values = undamped(problem, "fisher", 10)
    factor = abs(1.0 - 1.0 / (p - 2.0)) ** p
    np.testing.assert_allclose(values, problem.f(problem.x0) * factor ** np.arange(1, 11), rtol=1e-9)
    assert (factor > 1.0) == (p < 2.5)
    assert so.minimize(problem, NAME, hessian="fisher").status == "converged"


def test_in_a_bent_valley_the_undamped_fisher_step_climbs_and_this_descends():
    problem = so.problems.chebyshev_rosenbrock(4, 4)
    assert np.max(undamped(problem, "fisher", 200)) > 10.0 * problem.f(problem.x0)
    history = so.minimize(problem, NAME, hessian="fisher", steps=300)
    assert np.all(np.diff(history.f) < 0.0)


def test_on_a_soft_maximum_gauss_newton_is_close_for_large_mu_only():
    steps = {}
    for mu in (1.0, 0.1):
        for hessian in ("exact", "gauss_newton", "zero"):
            history = so.minimize(so.problems.soft_maximum(mu=mu), NAME, hessian=hessian, tol=1e-10)
            assert history.status == "converged"
            steps[mu, hessian] = len(history) - 1
    assert steps[1.0, "exact"] <= 12 and steps[0.1, "exact"] <= 25
    assert steps[1.0, "gauss_newton"] <= 4 * steps[1.0, "exact"]
    assert steps[0.1, "gauss_newton"] >= 8 * steps[0.1, "exact"]
    assert steps[0.1, "zero"] > steps[0.1, "gauss_newton"]


def test_a_gauss_newton_step_on_a_soft_maximum_is_no_longer_than_mu_over_the_gradient():
    """H >= gg'/mu by Cauchy and Schwarz, so g'(H + damping)^-1 g <= mu: f is promised to fall by mu a step at most."""
    problem = so.problems.soft_maximum(mu=0.1)
    history = so.minimize(problem, NAME, hessian="gauss_newton", keep=("x", "step"))
    slopes = [problem.grad(x) @ h for x, h in zip(history["x"][:-1], history["step"][1:], strict=True)]
    assert np.all(-np.asarray(slopes) <= problem.mu * (1.0 + 1e-12))
    assert len(history) - 1 >= 0.9 * (history.f[0] - history.f[-1]) / problem.mu


def test_the_fisher_term_is_far_ahead_of_fixed_steps_and_not_of_measured_ones():
    problem = so.problems.power_of_residual()
    steps = {h: len(so.minimize(problem, NAME, hessian=h)) - 1 for h in HESSIANS}
    u0 = np.linalg.norm(problem.b)
    fixed = so.minimize(
        problem, "gradient_descent", lipschitz=3.0 * u0**2 * np.linalg.norm(problem.A, 2) ** 2, steps=5000
    )
    assert fixed.status == "step_limit" and fixed.grad_norm[-1] > 1e-6
    assert 10 <= steps["fisher"] <= 25 < 40 and 15 <= steps["exact"] <= 40
    assert steps["zero"] <= 1.2 * steps["fisher"]


def test_in_the_bent_valley_the_fisher_term_is_as_slow_as_no_hessian():
    problem = so.problems.chebyshev_rosenbrock(4, 4)
    runs = {h: so.minimize(problem, NAME, hessian=h, steps=1000) for h in ("gauss_newton", "fisher", "zero")}
    assert runs["gauss_newton"].status == "converged" and len(runs["gauss_newton"]) < 250
    assert runs["fisher"].status == runs["zero"].status == "step_limit"
    assert runs["fisher"].f[-1] == pytest.approx(runs["zero"].f[-1], rel=0.1)


@pytest.mark.parametrize("label", ["decrease, given smoothness", "gradient, given smoothness"])
def test_an_invalid_smoothness_breaks_the_inequality(label):
    entry = guarantees.get(f"{NAME}: {label}")
    problem = entry.problem()
    assert not len(entry.run().violations)
    assert len(entry.run(smoothness=100.0 / problem.concordance).violations)


@pytest.mark.parametrize("hessian", ["exact", "gauss_newton"])
def test_the_constant_of_quasi_self_concordance_bounds_the_error_of_the_model(hessian):
    """On random h in the region of the definition, not only at the steps taken."""
    from secondorder.guarantees.normalized import soft

    problem, rng = soft(), np.random.default_rng(0)
    worst = 0.0
    for _ in range(300):
        x = rng.standard_normal(10) * 10.0 ** rng.uniform(-2.0, 0.5)
        g, H = problem.grad(x), matrix(problem, x, hessian)
        size = np.linalg.norm(g)
        gamma = 1.0 / (problem.concordance + (hessian == "gauss_newton") * size / problem.mu)
        h = rng.standard_normal(10)
        h *= gamma * rng.uniform() / np.linalg.norm(h)
        h *= min(1.0, size * np.linalg.norm(h) / (h @ H @ h))
        error = np.linalg.norm(problem.grad(x + h) - g - H @ h)
        worst = max(worst, error * gamma / (size * np.linalg.norm(h)))
    assert 0.01 < worst <= 1.0


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (np.ones(2), TypeError, "diagonal_rank_one must return the diagonal D >= 0 and the weight c >= 0"),
        ((np.ones(3), 1.0), ValueError, r"must return an array of shape \(2,\); got \(3,\)"),
        ((np.asarray([1.0, -1.0]), 1.0), ValueError, "that are not negative"),
        ((np.ones(2), -1.0), ValueError, "that are not negative"),
        ((np.ones(2), math.inf), FloatingPointError, "a weight that is not finite"),
    ],
    ids=str,
)
def test_bad_answers_of_the_oracle_are_named(answer, error, message):
    ledger = Ledger(so.Problem(diagonal_rank_one=lambda x: answer, x0=[1.0, 2.0]))
    with pytest.raises(error, match=message):
        ledger.diagonal_rank_one(ledger.x)
