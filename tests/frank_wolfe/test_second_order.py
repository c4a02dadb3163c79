"""Newton's method with Frank–Wolfe inside: the inequalities of its proof, one by one, and when it is Newton's method."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

import secondorder as so
from secondorder.frank_wolfe.second_order import BETA, SAFETY, SIGMA, THRESHOLDS, C, distance_bound
from secondorder.sets import Hull, L1Ball

METHOD = "second_order_frank_wolfe"

PROBLEMS = {
    "portfolio": lambda: so.problems.log_portfolio(n=60, d=12),
    "poisson": lambda: so.problems.poisson_inverse(n=40, d=20),
    "design": lambda: so.problems.d_optimal_design(degree=3, n=21),
}


def norm_at(problem, x, u):
    return math.sqrt(max(0.0, u @ problem.hvp(x, u)))


@pytest.fixture(scope="module")
def runs():
    return {name: so.minimize(make(), METHOD, tol=1e-7, keep="x") for name, make in PROBLEMS.items()}


@pytest.fixture(scope="module")
def solutions():
    return {name: so.minimize(make(), METHOD, tol=1e-11).x for name, make in PROBLEMS.items()}


def test_the_constants_fit_together_without_play():
    """beta, sigma, C satisfy the two conditions of the proof with equality, and the threshold is the inverse of h."""
    contraction = 1.0 / (C * (1.0 - BETA)) + BETA / ((1.0 - 2.0 * BETA) * (1.0 - BETA) ** 2)
    other = 1.0 / C + 1.0 / (1.0 - 2.0 * BETA)
    assert contraction == pytest.approx(SIGMA, rel=1e-12) and other == pytest.approx(2.0, rel=1e-12)
    root = brentq(lambda t: distance_bound(t) - BETA, 1e-3, 0.2)
    assert root - 1e-5 < THRESHOLDS["inverse"] <= root
    for t in np.linspace(0.0, 0.25, 11):  # h is r / (1 - r) for the triangle through z: t + t² / ((1 - 2t)(1 - t)) = r
        r = t + t**2 / ((1.0 - 2.0 * t) * (1.0 - t))
        assert distance_bound(t) == pytest.approx(r / (1.0 - r), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", PROBLEMS)
def test_it_converges_inside_the_domain_and_the_gap_is_a_certificate(name, runs, solutions):
    problem, history = PROBLEMS[name](), runs[name]
    assert history.status == "converged"
    assert all(problem.domain(x) for x in history["x"])
    assert max(problem.constraint.violation(x) for x in history["x"]) <= 1e-12 * max(1.0, problem.constraint.diameter)
    least = problem.f(solutions[name])
    assert np.all(history["gap"] >= history.f - least - 1e-11 - 1e-13 * abs(least))


@pytest.mark.parametrize("name", PROBLEMS)
def test_damped_steps_lower_f_by_what_is_promised(name, runs):
    """f(x) - f(x + a d) ≥ a (γ² - η²) + a γ + log(1 - a γ), and the first full step comes where γ + η is small."""
    history = runs[name]
    full = int(np.argmax(history["decrement"][1:] + history["accuracy"][1:] <= THRESHOLDS["inverse"])) + 1
    assert np.all(history["step_size"][full:] == 1.0) and np.all(history["step_size"][1:full] < 1.0) and full > 2
    for k in range(1, full):
        gamma, eta, a = history["decrement"][k], history["accuracy"][k], history["step_size"][k]
        assert a == pytest.approx(SAFETY * (gamma**2 - eta**2) / (gamma**3 + gamma**2 - gamma * eta**2), rel=1e-12)
        promised = a * (gamma**2 - eta**2) + a * gamma + math.log1p(-a * gamma)
        assert promised > 0.0
        assert history.f[k - 1] - history.f[k] >= promised - 1e-12 * abs(history.f[k])
    np.testing.assert_allclose(
        history["accuracy"][full:], history["accuracy"][1] * SIGMA ** np.arange(len(history) - full)
    )


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_distance_is_bounded_before_and_after_the_first_full_step(name, runs, solutions):
    """|x - x*|_{x*} ≤ h(γ + η) where that is small, and β σ^k in the k-th full step: what the threshold is made for."""
    problem, history, best = PROBLEMS[name](), runs[name], solutions[name]
    distance = [norm_at(problem, best, x - best) for x in history["x"]]
    t = history["decrement"][1:] + history["accuracy"][1:]
    near = np.flatnonzero(t <= THRESHOLDS["inverse"])
    assert len(near) > 20
    for k in near:
        assert distance[k] <= distance_bound(t[k]) + 1e-5
    first = near[0]
    assert distance[first] > 1e-3
    for k in range(first, len(history)):
        assert distance[k] <= BETA * SIGMA ** (k - first) + 1e-5


@pytest.mark.parametrize("inner", ["away_step", "frank_wolfe"])
def test_the_model_is_solved_to_its_accuracy(inner, runs):
    """A gap of η² in the model means |z - z*|_x ≤ η, since the model is strongly convex with constant 1 in that norm."""
    problem = PROBLEMS["portfolio"]()
    history = so.minimize(problem, METHOD, inner=inner, steps=6, tol=0, keep="x")
    for k in range(1, 6):
        x = history["x"][k - 1]
        z = x + (history["x"][k] - x) / history["step_size"][k]
        grad, H = problem.grad(x), problem.hess(x)
        model = so.Problem(
            lambda u, x=x, g=grad, H=H: float(g @ (u - x) + 0.5 * (u - x) @ H @ (u - x)),
            lambda u, x=x, g=grad, H=H: g + H @ (u - x), x0=x, constraint=problem.constraint,
        )  # fmt: skip
        exact = so.minimize(model, "away_step", step_rule="exact", tol=1e-11, steps=5000)
        assert exact.status == "converged"
        assert norm_at(problem, x, z - exact.x) <= history["accuracy"][k] + 1e-5
        slope = model.grad(z)
        assert slope @ (z - problem.lmo(slope)) <= history["accuracy"][k] ** 2 + 1e-12


@pytest.mark.parametrize("name", PROBLEMS)
def test_in_the_end_the_gap_is_the_accuracy_of_the_model(name):
    """The gap of f at z is that of the model, at most η_k² ~ σ^{2k}, up to an error of third order in the step.

    The envelope comes near it: Frank–Wolfe stops as soon as it may, and waits where it has more than it was asked for.
    """
    history = so.minimize(PROBLEMS[name](), METHOD, tol=1e-10)
    full = int(np.argmax(history["step_size"][1:] == 1.0)) + 1
    ratio = history["gap"][full:] / history["accuracy"][full:] ** 2
    assert history.status == "converged" and len(ratio) > 100
    assert np.all(ratio[10:] <= 1.1) and np.max(ratio[-100:]) > 0.2


def test_on_a_wide_interval_it_is_damped_newton():
    """f = x - 3 log x from 60: Frank–Wolfe solves the model of one variable exactly, and nothing binds."""
    problem = so.Problem(
        lambda x: float(x[0] - 3.0 * math.log(x[0])), lambda x: 1.0 - 3.0 / x, lambda x: np.asarray([[3.0 / x[0] ** 2]]),
        domain=lambda x: x[0] > 0.0, x0=[60.0], constraint=Hull([[-1e4], [1e4]]),
    )  # fmt: skip
    history = so.minimize(problem, METHOD, tol=1e-9, keep="x")
    x = history["x"][: np.count_nonzero(history["inner_iterations"] == 1), 0]  # then the model is good enough as it is
    newton = -(1.0 - 3.0 / x) / (3.0 / x**2)
    decrement = np.abs(newton) * math.sqrt(3.0) / x
    np.testing.assert_allclose(history["decrement"][1:6], decrement[:5], rtol=1e-9)
    step_size, eta = history["step_size"][1 : len(x)], history["accuracy"][1]
    np.testing.assert_allclose(np.diff(x), step_size * newton[:-1], rtol=1e-6, atol=1e-12)
    damped = step_size < 1.0
    ratio = step_size[damped] * (1.0 + decrement[:-1][damped]) / SAFETY
    far = 1.0 - 1.5 * (eta / decrement[:-1][damped]) ** 2  # the two differ by a factor 1 - (η/γ)² and one nearer to 1
    assert damped.sum() > 3 and np.all(ratio <= 1.0) and np.all(ratio >= far)
    assert abs(x[-1] - 3.0) < 1e-6


def test_away_steps_inside_save_most_of_the_work():
    problem = PROBLEMS["portfolio"]()
    runs = {inner: so.minimize(problem, METHOD, inner=inner, tol=1e-4) for inner in ("away_step", "frank_wolfe")}
    assert all(run.status == "converged" for run in runs.values())
    assert runs["away_step"].oracle["hvp"] < 0.5 * runs["frank_wolfe"].oracle["hvp"]
    assert abs(runs["away_step"].f[-1] - runs["frank_wolfe"].f[-1]) <= 1e-4


def test_the_optimal_design_for_polynomials():
    problem = so.problems.d_optimal_design(degree=4, n=41)
    history = so.minimize(problem, METHOD, tol=1e-8)
    assert history.status == "converged" and -1e-12 <= history.primal_gap[-1] <= 1e-8
    assert np.abs(history.x - problem.x_star).max() < 1e-3


def test_logistic_regression_on_a_ball():
    problem = so.problems.logistic("breast_cancer", l2=0.0, standardize=True).subject_to(L1Ball(30, 1.0))
    history = so.minimize(problem, METHOD, tol=1e-6)
    away = so.minimize(problem, "away_step", tol=1e-6)
    assert history.status == away.status == "converged"
    assert abs(history.f[-1] - away.f[-1]) <= 1e-6
    assert history.oracle["grad"] < 0.5 * away.oracle["grad"]


def test_the_other_reading_of_the_threshold_can_leave_the_domain():
    """x - log x from 3: γ = 2 is below 1/h(β), the full step ends at the bound 0, where the logarithm has none."""
    problem = so.problems.poisson_inverse(([[1.0]], [1.0]), radius=10.0)
    assert so.minimize(problem, METHOD, [3.0], threshold="reciprocal").status == "diverged"
    history = so.minimize(problem, METHOD, [3.0])
    assert history.status == "converged" and history.x[0] == pytest.approx(1.0, abs=2e-3)


def test_where_the_model_cannot_be_solved_the_run_says_so():
    history = so.minimize(PROBLEMS["design"](), METHOD, inner="frank_wolfe", max_inner=10)
    assert history.status == "stalled" and "10 inner steps leave a gap" in history.message
    assert history.oracle["hvp"] <= 10 * len(history)


def test_costs_are_a_product_and_an_oracle_call_an_inner_step():
    history = so.minimize(PROBLEMS["portfolio"](), METHOD, tol=1e-5)
    inner = np.nansum(history["inner_iterations"])
    assert history.oracle["hvp"] == inner and history.oracle["grad"] == len(history)
    assert history.oracle["lmo"] == len(history) + inner


def test_a_step_too_long_for_the_powers_of_its_length():
    """γ³ overflows here; the damped step is 1/(1 + γ) all the same."""
    huge = so.Problem(
        lambda x: 1e210 * float(0.5 * x[0] ** 2 + 3.0 * x[0]), lambda x: 1e210 * (x + 3.0), lambda x: np.asarray([[1e210]]),
        x0=[1.0], constraint=Hull([[-2.0], [2.0]]),
    )  # fmt: skip
    history = so.minimize(huge, METHOD, steps=3, tol=0)
    gamma = history["decrement"][1]
    assert history.status == "step_limit" and gamma == pytest.approx(3e105)
    assert history["step_size"][1] == pytest.approx(SAFETY / gamma, rel=1e-12)
