"""Monotone Frank–Wolfe: never up, never outside, and the proven bounds where their constants can be computed."""

import math

import numpy as np
import pytest

import secondorder as so

METHOD = "monotone_frank_wolfe"


def logistic(radius=1.0):
    return so.problems.logistic("breast_cancer", l2=0.0, standardize=True).subject_to(so.sets.L1Ball(30, radius))


PROBLEMS = {
    "portfolio": lambda: so.problems.log_portfolio(n=60, d=12),
    "logistic": logistic,
    "poisson": lambda: so.problems.poisson_inverse(n=40, d=20),
    "design": lambda: so.problems.d_optimal_design(degree=3, n=21),
}
RULES = ("open_loop", "halving")


def omega(nu, tau):
    if tau < 1e-4:
        return 0.5
    return (math.exp(tau) - tau - 1.0) / tau**2 if nu == 2 else (-tau - math.log1p(-tau)) / tau**2


def constants(problem):
    """(M, ν) of each problem: a logistic loss is self-concordant with M the longest row, in the Euclidean norm."""
    if hasattr(problem, "self_concordance"):
        return problem.self_concordance
    return float(np.max(np.linalg.norm(problem.A, axis=1))), 2.0


@pytest.fixture(scope="module")
def least():
    """The least value of each problem, to a gap of 1e-8, by the method of second order."""
    return {
        name: float(so.minimize(make(), "second_order_frank_wolfe", tol=1e-8).f[-1]) for name, make in PROBLEMS.items()
    }


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_never_up_never_outside_and_the_gap_is_a_certificate(name, rule, least):
    problem = PROBLEMS[name]()
    asked = []

    def f(x):
        asked.append(problem.domain is None or bool(problem.domain(x)))
        return problem.f(x)

    guarded = so.Problem(f, problem.grad, lmo=problem.lmo, domain=problem.domain or (lambda x: True), x0=problem.x0)
    history = so.minimize(guarded, METHOD, step_rule=rule, steps=400, tol=0, keep="x")
    assert all(asked), "f was asked outside its domain"
    assert np.all(np.diff(history.f) <= 0.0) and len(history) > 20
    rounding = 1e-13 * np.abs(history.f)
    assert np.all(history["gap"] >= history.f - least[name] - 1e-8 - rounding)
    assert max(problem.constraint.violation(x) for x in history["x"]) <= 1e-12 * max(1.0, problem.constraint.diameter)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_refused_trial_repeats_the_point_and_costs_no_gradient(name):
    history = so.minimize(PROBLEMS[name](), METHOD, steps=200, tol=0, keep=("x", "grad"))
    taken = history["accepted"][1:] == 1.0
    assert taken.any() and not taken.all()
    same = np.all(history["x"][1:] == history["x"][:-1], axis=1)
    np.testing.assert_array_equal(same, ~taken)
    assert (
        history.oracle["grad"] == history.oracle["lmo"] == 1 + np.count_nonzero(history["accepted"][1:-1]) + taken[-1]
    )
    np.testing.assert_allclose(history["step_size"][1:], 2.0 / (np.arange(200) + 2.0), rtol=1e-15)


def test_it_is_the_open_loop_until_a_trial_is_refused():
    problem = so.problems.log_portfolio(n=60, d=12)
    ours = so.minimize(problem, METHOD, steps=50, tol=0, keep="x")
    plain = so.minimize(problem, "frank_wolfe", steps=50, tol=0, keep="x")
    first = int(np.argmax(ours["accepted"][1:] == 0.0))
    assert first >= 2
    np.testing.assert_array_equal(ours["x"][: first + 1], plain["x"][: first + 1])


@pytest.mark.parametrize("name", ["poisson", "design"])
def test_the_open_loop_alone_leaves_the_domain(name):
    """Its first step is all the way to a vertex: a row without photons, a singular information matrix."""
    problem = PROBLEMS[name]()
    assert not problem.domain(problem.lmo(problem.grad(problem.x0)))
    assert len(so.minimize(problem, "frank_wolfe", steps=100)) == 1
    assert len(so.minimize(problem, METHOD, steps=100, tol=0)) == 101


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_upper_bound_of_self_concordance_at_every_step(name):
    """f(x_{t+1}) ≤ f(x_t) - γ G + γ² ω(δ) |v - x|_x² whenever δ < 1 (for ν = 2 always): the lemma of the proof.

    It holds for the trial, and after a refusal f(x_{t+1}) = f(x_t) < f(trial).
    """
    problem = PROBLEMS[name]()
    M, nu = constants(problem)
    history = so.minimize(problem, METHOD, steps=300, tol=0, keep=("x", "vertex"))
    points, vertices, used, tightest = history["x"], history["vertex"], 0, math.inf
    for t in range(300):
        u, gamma = vertices[t] - points[t], 2.0 / (t + 2.0)
        square = u @ problem.hvp(points[t], u)
        delta = gamma * M * (np.linalg.norm(u) if nu == 2.0 else 0.5 * math.sqrt(square))
        if delta >= (1.0 if nu == 3.0 else 500.0):
            continue
        used += 1
        bound = history.f[t] - gamma * history.rows[t]["gap"] + gamma**2 * omega(nu, delta) * square
        slack = bound - history.f[t + 1]
        assert slack >= -1e-12 * max(1.0, abs(history.f[t]))
        tightest = min(tightest, slack / (gamma * history.rows[t]["gap"]))
    assert used >= 100 and tightest < 0.1, "the bound is nearly attained"


def curvature_bounds(name, problem, excess):
    """M, ν, D, L and S: no curvature of f beyond L on the level set of the start, and no |v - x|_x beyond S."""
    M, nu = constants(problem)
    D = problem.constraint.diameter
    if name == "logistic":
        L = np.linalg.norm(problem.A, 2) ** 2 / (4.0 * problem.n)
        return M, nu, D, L, D * math.sqrt(L)
    if name == "portfolio":  # on the simplex every return lies between the least and the largest of the period
        low, high = problem.A.min(axis=1), problem.A.max(axis=1)
        L = np.linalg.norm(problem.A / low[:, None], 2) ** 2
        return M, nu, D, L, math.sqrt(np.sum(((high - low) / low) ** 2))
    # For a design with excess h the variances are at most d exp(1 + h), and |e_i - x|_x² = (l - 1)² + d - 1.
    d = problem.points.shape[1]
    leverage = d * math.exp(1.0 + excess)
    L = leverage * np.linalg.norm(problem.points, 2) ** 2 * leverage / np.min(np.sum(problem.points**2, axis=1))
    return M, nu, D, L, math.sqrt((leverage - 1.0) ** 2 + d - 1.0)


@pytest.mark.parametrize("name", ["portfolio", "logistic", "design"])
def test_the_proven_bounds_at_every_step(name, least):
    problem = PROBLEMS[name]()
    excess = problem.f(problem.x0) - least[name] + 1e-8
    M, nu, D, L, S = curvature_bounds(name, problem, excess)
    steps = 6000
    history = so.minimize(problem, METHOD, steps=steps, tol=0, keep=("x", "vertex"))
    for x, v in zip(history["x"][::50], history["vertex"][::50], strict=True):
        length = math.sqrt((v - x) @ problem.hvp(x, v - x))
        assert length <= S * (1.0 + 1e-12) <= D * math.sqrt(L) * (1.0 + 1e-10), "what the bounds rest on"
    h, gap, t = history.f - least[name], history["gap"], np.arange(steps + 1)

    published = 4.0 * M * D if nu == 2.0 else 2.0 * M * D * math.sqrt(L)
    T = max(0, math.ceil(published) - 2)
    assert np.all((h <= 4.0 * (T + 1.0) / (t + 1.0) * max(excess, L * D**2 * omega(nu, 0.5)))[T:])

    T = max(1, math.ceil(4.0 * M * D if nu == 2.0 else 2.0 * M * S) - 2)
    C = S**2 * omega(nu, 0.5)
    assert steps > 3 * T
    late = t[T:]
    assert np.all(h[T:] <= 4.0 * C / (late + 1.0) + T * (T + 1.0) / (late * (late + 1.0)) * h[T] + 1e-12)
    for s in range(T, steps // 2, 7):
        assert gap[s : 2 * s + 1].min() <= h[s] + 2.0 * C / (s + 1.0)


@pytest.mark.parametrize("name", PROBLEMS)
def test_both_gaps_fall_like_one_over_t(name, least):
    """The exponents over t from 100 to 4000: the theory promises 1, and to begin with at t = T only.

    Of logistic regression the primal gap is 5e-6 by t = 100, far under its bound, and falls more slowly for a while.
    """
    history = so.minimize(PROBLEMS[name](), METHOD, steps=4000, tol=0)
    t = np.log(np.arange(100, 4001))
    primal = np.maximum(history.f - least[name], 1e-12)
    assert np.polyfit(t, np.log(np.minimum.accumulate(history["gap"])[100:]), 1)[0] < -0.7
    assert name == "logistic" or np.polyfit(t, np.log(primal[100:]), 1)[0] < -0.7


def test_halving_keeps_its_factor():
    history = so.minimize(so.problems.d_optimal_design(degree=3, n=21), METHOD, step_rule="halving", steps=200, tol=0)
    factor = -np.log2(history["step_size"][1:] * (np.arange(200) + 2.0) / 2.0)
    np.testing.assert_allclose(factor, np.round(factor), atol=1e-9)
    assert np.all(np.diff(factor) > -1e-9) and factor[-1] >= 1.0
    grown = np.diff(np.concatenate([[0.0], factor]))
    np.testing.assert_allclose(history["trials"][1:] - 1.0, grown, atol=1e-9)
    assert np.all(history["accepted"][1:] == 1.0) and history.oracle["grad"] == 201


def test_a_value_that_is_not_a_number_is_refused():
    """Where a problem does not tell its domain, NaN is no decrease."""
    problem = so.problems.poisson_inverse(([[1.0, 0.0], [0.0, 1.0]], [3.0, 5.0]))
    blind = so.Problem(
        lambda x: problem.f(x) if problem.domain(x) else math.nan, problem.grad, lmo=problem.lmo, x0=problem.x0
    )
    one, other = (so.minimize(p, METHOD, steps=50, tol=0) for p in (problem, blind))
    np.testing.assert_array_equal(one.f, other.f)


def test_it_finishes_at_a_solution_and_stalls_when_nothing_passes():
    at_best = so.problems.d_optimal_design([[1.0, 0.0], [0.0, 1.0]])
    history = so.minimize(at_best, METHOD, tol=1e-300)
    assert history.status in ("finished", "converged") and len(history) == 1
    cliff = so.Problem(
        lambda x: float(x[0]), lambda x: -np.ones_like(x), x0=[0.5], constraint=so.sets.Hull([[0.0], [1.0]])
    )
    history = so.minimize(cliff, METHOD, step_rule="halving")
    assert history.status == "stalled" and "halved 39 times" in history.message


def test_a_start_outside_the_domain_is_an_error():
    race = so.problems.log_portfolio(np.eye(2))
    with pytest.raises(ValueError, match="x0 must lie where"):
        so.minimize(race, METHOD, [1.0, 0.0])
