"""Logarithmic losses: derivatives, the constants of self-concordance, and answers that are known in closed form."""

import array_api_strict
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array

import secondorder as so
from secondorder.ledger import Ledger
from secondorder.oracles import to_device
from secondorder.problems import d_optimal_design, log_portfolio, poisson_inverse


def random_points(k=12, d=3):
    return np.random.default_rng(3).standard_normal((k, d))


PROBLEMS = {
    "portfolio": lambda: log_portfolio(n=40, d=6),
    "poisson": lambda: poisson_inverse(n=20, d=8),
    "polynomials": lambda: d_optimal_design(n=9),
    "random points": lambda: d_optimal_design(random_points()),
}


@pytest.fixture(params=PROBLEMS.values(), ids=PROBLEMS)
def problem(request):
    return request.param()


def interior(problem, seed=0):
    """A random point of the feasible set with every entry positive."""
    x = np.random.default_rng(seed).dirichlet(np.full(problem.x0.shape[0], 2.0))
    return x * getattr(problem.constraint, "radius", 1.0)


def direction(problem, seed=1):
    """Of length 1 in the norm of the Hessian: well inside the domain up to t = 1."""
    x = interior(problem)
    u = np.random.default_rng(seed).standard_normal(x.shape)
    return u / np.sqrt(u @ problem.hess(x) @ u)


def slope(remainder, steps):
    return np.polyfit(np.log(steps), np.log([remainder(t) for t in steps]), 1)[0]


def test_taylor_remainders(problem):
    """Self-concordance bounds the next term: within t = 0.1 it bends the slopes by at most about 0.1."""
    x, u, steps = interior(problem), direction(problem), np.geomspace(3e-3, 3e-2, 5)
    f, grad, H = problem.f(x), problem.grad(x), problem.hess(x)
    assert abs(slope(lambda t: abs(problem.f(x + t * u) - f - t * grad @ u), steps) - 2.0) < 0.1
    second = [np.linalg.norm(problem.grad(x + t * u) - grad - t * H @ u) for t in steps]
    assert np.polyfit(np.log(steps), np.log(second), 1)[0] == pytest.approx(2.0, abs=0.2)
    np.testing.assert_allclose(problem.hvp(x, u), H @ u, rtol=0, atol=1e-10 * np.max(np.abs(H @ u)))
    np.testing.assert_allclose(H, H.T, rtol=0, atol=1e-12 * np.max(np.abs(H)))


def test_self_concordance_with_its_constant(problem):
    """|D³f[u, u, u]| ≤ M |u|_x³; the third derivative by central differences of u'Hu, of relative error about 1e-6."""
    M, nu = problem.self_concordance
    assert nu == 3.0
    worst = 0.0
    for seed in range(20):
        x, u = interior(problem, seed), direction(problem, seed + 50)
        u = u / np.sqrt(u @ problem.hess(x) @ u)
        third = (u @ problem.hess(x + 1e-4 * u) @ u - u @ problem.hess(x - 1e-4 * u) @ u) / 2e-4
        assert abs(third) <= M * (1.0 + 1e-4)
        worst = max(worst, abs(third))
    assert worst > 0.02 * M, "the constant is not made of air"


def test_one_logarithm_attains_the_constant():
    """-b log x has the third derivative -2 b / x³ and the second b / x²: the ratio is 2 / sqrt(b)."""
    for b in (1.0, 9.0):
        problem = poisson_inverse(([[1.0]], [b]))
        x, u = np.asarray([2.0]), np.asarray([2.0 / np.sqrt(b)])
        third = (problem.hess(x + 1e-5 * u) - problem.hess(x - 1e-5 * u))[0, 0] * u[0] ** 2 / 2e-5
        assert abs(third) == pytest.approx(problem.self_concordance[0], rel=1e-6)


def test_a_race_is_won_by_betting_the_frequencies():
    """Kelly: with one winner a race, -sum log(odds_w x_w) is least at the frequencies, whatever the odds."""
    winners, odds = [0, 0, 0, 1, 1, 2], np.asarray([1.1, 7.0, 30.0])
    race = log_portfolio(np.eye(3)[winners] * odds)
    history = so.minimize(race, "second_order_frank_wolfe", tol=1e-8)
    np.testing.assert_allclose(history.x, [1 / 2, 1 / 3, 1 / 6], atol=1e-4)  # gap 1e-8, curvature 12
    assert not any(race.domain(vertex) for vertex in np.eye(3))


def test_a_portfolio_agrees_with_scipy():
    problem = log_portfolio(n=60, d=5)
    independent = minimize(
        problem.f, problem.x0, jac=problem.grad, bounds=[(0, 1)] * 5, method="SLSQP",
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1.0, "jac": np.ones_like}, options={"ftol": 1e-14},
    )  # fmt: skip
    ours = so.minimize(problem, "second_order_frank_wolfe", tol=1e-7)
    assert ours.status == "converged"
    assert abs(problem.f(ours.x) - independent.fun) <= 1e-7 + 1e-9


def test_counts_without_noise_give_the_truth():
    """z - b log z is least at z = b, so that b = A truth makes the truth the minimiser."""
    rng = np.random.default_rng(0)
    A, truth = rng.uniform(0.1, 1.0, (30, 5)), np.asarray([3.0, 0.0, 0.0, 8.0, 0.0])
    problem = poisson_inverse((A, A @ truth))
    np.testing.assert_allclose(problem.grad(truth), 0.0, atol=1e-12)
    history = so.minimize(problem, "second_order_frank_wolfe", tol=1e-9)
    np.testing.assert_allclose(history.x, truth, atol=5e-3)  # gap 1e-9 over a curvature of about 1e-3
    # f is positively homogeneous up to log: where the radius does not bind, the fitted total is that of the counts.
    assert problem.c @ history.x == pytest.approx(problem.b.sum(), rel=1e-5)


def test_zero_counts_only_cost():
    A = np.asarray([[1.0, 0.5], [0.25, 1.0]])
    problem = poisson_inverse((A, [2.0, 0.0]))
    x = np.asarray([0.7, 0.9])
    assert problem.A.shape == (1, 2)
    assert problem.f(x) == pytest.approx(np.sum(A @ x) - 2.0 * np.log(A[0] @ x), rel=1e-15)
    assert problem.domain(np.asarray([1.0, 0.0])) and not problem.domain(np.zeros(2))


@pytest.mark.parametrize("degree", range(1, 7))
def test_the_optimal_design_for_polynomials(degree):
    """Variance d at the support and less elsewhere, which by the equivalence theorem is optimality."""
    problem = d_optimal_design(degree=degree)
    d = degree + 1
    variance = problem.variance(problem.x_star)
    assert variance.max() == pytest.approx(d, rel=1e-9) and np.count_nonzero(problem.x_star) == d
    np.testing.assert_allclose(variance[problem.x_star > 0], d, rtol=1e-9)
    others = [problem.f(interior(problem, seed)) for seed in range(20)]
    assert problem.f_star < min(others)


def test_the_known_designs_of_low_degree():
    supports = {
        2: [-1, 0, 1],
        3: [-1, -np.sqrt(1 / 5), np.sqrt(1 / 5), 1],
        4: [-1, -np.sqrt(3 / 7), 0, np.sqrt(3 / 7), 1],
    }
    for degree, support in supports.items():
        problem = d_optimal_design(degree=degree, n=11)
        np.testing.assert_allclose(problem.grid[problem.x_star > 0], support, atol=1e-12)


def test_the_gap_is_the_excess_variance():
    """Kiefer and Wolfowitz: gap = max a'M⁻¹a - d, since the mean of a'M⁻¹a under the design is d."""
    problem = d_optimal_design(random_points())
    ledger = Ledger(problem)
    for seed in range(5):
        x = interior(problem, seed)
        grad = ledger.grad(x)
        gap = grad @ (x - ledger.lmo(grad))
        assert gap == pytest.approx(problem.variance(x).max() - 3.0, rel=1e-12)
        assert x @ problem.variance(x) == pytest.approx(3.0, rel=1e-12)


def test_the_length_of_a_step_to_a_vertex():
    """|e_i - x|_x² = (l - 1)² + d - 1 with the variance l at i: what makes the constants of the rate computable."""
    problem = d_optimal_design(random_points())
    x = interior(problem)
    for i, leverage in enumerate(problem.variance(x)):
        u = np.eye(12)[i] - x
        assert u @ problem.hvp(x, u) == pytest.approx((leverage - 1.0) ** 2 + 2.0, rel=1e-10)


def test_a_change_of_regressors_changes_nothing_but_a_constant():
    points, T = random_points(), np.random.default_rng(8).standard_normal((3, 3))
    one, other = d_optimal_design(points), d_optimal_design(points @ T)
    x, y = interior(one), interior(one, 5)
    shift = -2.0 * np.linalg.slogdet(T)[1]
    assert other.f(x) - one.f(x) == pytest.approx(shift, rel=1e-9) == other.f(y) - one.f(y)
    np.testing.assert_allclose(other.grad(x), one.grad(x), rtol=1e-9)


def test_the_domain_of_a_design():
    problem = d_optimal_design(degree=2)
    three, two = np.zeros_like(problem.x0), np.zeros_like(problem.x0)
    three[[0, 5, 9]] = 1 / 3
    two[[0, 5]] = 1 / 2
    assert problem.domain(three) and not problem.domain(two)
    assert problem.f(-problem.x0) == np.inf, "three negative eigenvalues, a negative determinant"


def test_array_api_strict_and_float32(problem):
    x, u = interior(problem), direction(problem)
    strict, single = to_device(problem, "array_api_strict"), to_device(problem, "numpy", dtype="float32")
    ours = (problem.f(x), problem.grad(x), problem.hess(x), problem.hvp(x, u))
    ledger, a, b = Ledger(strict), array_api_strict.asarray(x), array_api_strict.asarray(u)
    for mine, theirs in zip(ours, (ledger.f(a), ledger.grad(a), ledger.hess(a), ledger.hvp(a, b)), strict=True):
        np.testing.assert_allclose(np.asarray(theirs), mine, rtol=0, atol=1e-13 * max(1.0, np.max(np.abs(mine))))
    assert ledger.domain(a) and Ledger(single).domain(x.astype(np.float32))
    assert single.x0.dtype == single.grad(x.astype(np.float32)).dtype == np.float32
    assert single.hess(x.astype(np.float32)).dtype == np.float32


def test_float32_data_are_kept():
    assert log_portfolio(np.ones((3, 2), dtype=np.float32)).x0.dtype == np.float32
    assert d_optimal_design(random_points().astype(np.float32)).points.dtype == np.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: log_portfolio([1.0, 2.0]), r"returns must be a matrix .* got shape \(2,\)"),
        (lambda: log_portfolio([[1.0, -0.1]]), "returns must hold no negative number"),
        (lambda: log_portfolio([[1.0, 1.0], [0.0, 0.0]]), "in every row a positive one"),
        (lambda: log_portfolio([[np.nan, 1.0]]), "returns must be finite; got 1 entries"),
        (lambda: log_portfolio(n=0), "n must be a whole number, at least 1; got 0"),
        (lambda: poisson_inverse(([[1.0]], [1.0, 2.0])), r"data\[1\] must hold 1 counts"),
        (lambda: poisson_inverse(([[1.0]], [0.0])), "not all zero"),
        (lambda: poisson_inverse(([[1.0]], ["one"])), r"data\[1\] must hold 1 counts"),
        (lambda: poisson_inverse(([[1.0]],)), r"data must be a pair \(A, b\)"),
        (lambda: poisson_inverse(5), r"data must be a pair \(A, b\); got 5"),
        (lambda: poisson_inverse(([[1.0, 0.0]], [1.0])), "radius must be given"),
        (lambda: poisson_inverse(radius=-1.0), "radius must be a finite number above 0; got -1.0"),
        (lambda: d_optimal_design([1.0]), r"points must be a matrix .* got shape \(1,\)"),
        (lambda: d_optimal_design([[1.0, 2.0], [2.0, 4.0]]), "points must span the space of 2 dimensions"),
        (lambda: d_optimal_design(degree=0), "degree must be a whole number, at least 1; got 0"),
        (lambda: d_optimal_design(n=1), "n must be at least 2; got 1"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [log_portfolio, d_optimal_design, lambda values: poisson_inverse((values, [1.0]))])
def test_what_is_not_a_real_number(make):
    for values in (["a", "b"], [[1.0, None]], [[1.0, 1.0j]]):
        with pytest.raises(TypeError, match=r"(returns|points|data\[0\]) must hold real numbers; got dtype"):
            make(values)


def test_sparse_data_become_dense():
    A = np.asarray([[1.0, 0.0], [0.5, 2.0]])
    assert np.array_equal(log_portfolio(csr_array(A)).A, A) and np.array_equal(d_optimal_design(csr_array(A)).points, A)
