"""The 35 functions against their formulas, written entry by entry and differentiated by autograd, and their minima."""

import autograd
import autograd.numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

import secondorder as so
from secondorder.problems import more_garbow_hillstrom as mgh

FUNCTIONS = so.problems.test_functions()
SCALES = {"osborne_1": np.asarray([1.0, 1.0, 1.0, 2e-3, 2e-3])}


def one(n):
    """1, ..., n."""
    return range(1, n + 1)


def rosenbrock(x, p):
    for k in range(0, len(x), 2):
        yield 10 * (x[k + 1] - x[k] ** 2)
        yield 1 - x[k]


def powell(x, p):
    for k in range(0, len(x), 4):
        a, b, c, d = x[k : k + 4]
        yield from (a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2)


def helical_valley(x, p):
    angle = np.arctan(x[1] / x[0]) / (2 * np.pi) + (0.5 if x[0] < 0 else 0.0)
    return 10 * (x[2] - 10 * angle), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]


def watson(x, p):
    n = len(x)
    for i in one(29):
        t = i / 29
        u = sum(x[j - 1] * t ** (j - 1) for j in one(n))
        yield sum((j - 1) * x[j - 1] * t ** (j - 2) for j in range(2, n + 1)) - u**2 - 1
    yield x[0]
    yield x[1] - x[0] ** 2 - 1


def penalty_2(x, p):
    n, a = len(x), 1e-5
    yield x[0] - 0.2
    for i in range(2, n + 1):
        y = np.exp(i / 10) + np.exp((i - 1) / 10)
        yield a**0.5 * (np.exp(x[i - 1] / 10) + np.exp(x[i - 2] / 10) - y)
    for i in range(n + 1, 2 * n):
        yield a**0.5 * (np.exp(x[i - n] / 10) - np.exp(-1 / 10))
    yield sum((n - j + 1) * x[j - 1] ** 2 for j in one(n)) - 1


def variably_dimensioned(x, p):
    s = sum(j * (x[j - 1] - 1) for j in one(len(x)))
    return [*(xi - 1 for xi in x), s, s**2]


def brown_almost_linear(x, p):
    n, product = len(x), 1.0
    for xi in x:
        product = product * xi
    return [*(x[i] + sum(x) - (n + 1) for i in range(n - 1)), product - 1]


def padded(x):
    return [0.0, *x, 0.0]


def discrete_boundary_value(x, p):
    n, z = len(x), padded(x)
    h = 1 / (n + 1)
    return [2 * z[i] - z[i - 1] - z[i + 1] + h**2 / 2 * (z[i] + i * h + 1) ** 3 for i in one(n)]


def discrete_integral(x, p):
    n, z = len(x), padded(x)
    h = 1 / (n + 1)
    for i in one(n):
        left = sum(j * h * (z[j] + j * h + 1) ** 3 for j in one(i))
        right = sum((1 - j * h) * (z[j] + j * h + 1) ** 3 for j in range(i + 1, n + 1))
        yield z[i] + h / 2 * ((1 - i * h) * left + i * h * right)


def broyden_tridiagonal(x, p):
    z = padded(x)
    return [(3 - 2 * z[i]) * z[i] - z[i - 1] - 2 * z[i + 1] + 1 for i in one(len(x))]


def broyden_banded(x, p):
    n = len(x)
    for i in range(n):
        band = [j for j in range(max(0, i - 5), min(n, i + 2)) if j != i]
        yield x[i] * (2 + 5 * x[i] ** 2) + 1 - sum(x[j] * (1 + x[j]) for j in band)


def linear_full_rank(x, p):
    n, m = len(x), 20
    return [(x[i - 1] if i <= n else 0.0) - 2 / m * sum(x) - 1 for i in one(m)]


def linear_rank_one_with_zeros(x, p):
    n, m = len(x), 20
    s = sum(j * x[j - 1] for j in range(2, n))
    return [-1.0 + 0.0 * s, *((i - 1) * s - 1 for i in range(2, m)), -1.0 + 0.0 * s]


def chebyquad(x, p):
    n = len(x)
    for i in one(n):
        integral = -1 / (i**2 - 1) if i % 2 == 0 else 0.0
        yield sum(np.cos(i * np.arccos(2 * xj - 1)) for xj in x) / n - integral


def data(model, t):
    """Residuals of a model at t(1), ..., t(m) against the y of the problem."""
    return lambda x, p: [model(x, t(i)) - p.y[i - 1] for i in one(len(p.y))]


def osborne_2(x, t):
    bells = sum(x[k] * np.exp(-((t - x[k + 7]) ** 2) * x[k + 4]) for k in (1, 2, 3))
    return x[0] * np.exp(-t * x[4]) + bells


U = [4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]
NAIVE = {
    "rosenbrock": rosenbrock,
    "freudenstein_roth": lambda x, p: (
        -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1],
        -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1],
    ),
    "powell_badly_scaled": lambda x, p: (1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001),
    "brown_badly_scaled": lambda x, p: (x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2),
    "beale": data(lambda x, i: x[0] * (1 - x[1] ** i), lambda i: i),
    "jennrich_sampson": lambda x, p: [2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1])) for i in one(10)],
    "helical_valley": helical_valley,
    "bard": data(lambda x, i: x[0] + i / ((16 - i) * x[1] + min(i, 16 - i) * x[2]), lambda i: i),
    "gaussian": data(lambda x, t: x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2), lambda i: (8 - i) / 2),
    "meyer": data(lambda x, t: x[0] * np.exp(x[1] / (t + x[2])), lambda i: 45 + 5 * i),
    "gulf": lambda x, p: [
        np.exp(-(abs(25 + (-50 * np.log(i / 100)) ** (2 / 3) - x[1]) ** x[2]) / x[0]) - i / 100 for i in one(99)
    ],
    "box_3d": lambda x, p: [
        np.exp(-i / 10 * x[0]) - np.exp(-i / 10 * x[1]) - x[2] * (np.exp(-i / 10) - np.exp(-i)) for i in one(10)
    ],
    "powell_singular": powell,
    "wood": lambda x, p: (
        10 * (x[1] - x[0] ** 2),
        1 - x[0],
        90**0.5 * (x[3] - x[2] ** 2),
        1 - x[2],
        10**0.5 * (x[1] + x[3] - 2),
        10**-0.5 * (x[1] - x[3]),
    ),
    "kowalik_osborne": data(lambda x, u: x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3]), lambda i: U[i - 1]),
    "brown_dennis": lambda x, p: [
        (x[0] + i / 5 * x[1] - np.exp(i / 5)) ** 2 + (x[2] + x[3] * np.sin(i / 5) - np.cos(i / 5)) ** 2 for i in one(20)
    ],
    "osborne_1": data(lambda x, t: x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]), lambda i: 10 * (i - 1)),
    "biggs_exp6": lambda x, p: [
        x[2] * np.exp(-t * x[0])
        - x[3] * np.exp(-t * x[1])
        + x[5] * np.exp(-t * x[4])
        - (np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t))
        for t in (i / 10 for i in one(13))
    ],
    "osborne_2": data(osborne_2, lambda i: (i - 1) / 10),
    "watson": watson,
    "extended_rosenbrock": rosenbrock,
    "extended_powell": powell,
    "penalty_1": lambda x, p: [*(1e-5**0.5 * (xi - 1) for xi in x), sum(xi**2 for xi in x) - 0.25],
    "penalty_2": penalty_2,
    "variably_dimensioned": variably_dimensioned,
    "trigonometric": lambda x, p: [
        len(x) - sum(np.cos(xj) for xj in x) + i * (1 - np.cos(x[i - 1])) - np.sin(x[i - 1]) for i in one(len(x))
    ],
    "brown_almost_linear": brown_almost_linear,
    "discrete_boundary_value": discrete_boundary_value,
    "discrete_integral": discrete_integral,
    "broyden_tridiagonal": broyden_tridiagonal,
    "broyden_banded": broyden_banded,
    "linear_full_rank": linear_full_rank,
    "linear_rank_one": lambda x, p: [i * sum(j * x[j - 1] for j in one(len(x))) - 1 for i in one(20)],
    "linear_rank_one_with_zeros": linear_rank_one_with_zeros,
    "chebyquad": chebyquad,
}


def test_all_are_here():
    assert list(NAIVE) == list(FUNCTIONS) and len(NAIVE) == 35


@pytest.mark.parametrize("name", NAIVE)
def test_every_derivative_is_that_of_the_formula(name):
    problem, rng = FUNCTIONS[name](), np.random.default_rng(0)

    def naive(x):
        return np.array(list(NAIVE[name](x, problem)))

    spread = 0.05 if name == "chebyquad" else 0.2 * SCALES.get(name, 1.0)
    for _ in range(2):
        x = problem.x0 + spread * rng.standard_normal(problem.x0.shape)
        r, J = naive(x), autograd.jacobian(naive)(x)
        sign = 1.0 if np.linalg.norm(problem.residual(x) - r) < np.linalg.norm(problem.residual(x) + r) else -1.0
        w = rng.standard_normal(r.shape)
        bend = autograd.hessian(lambda x, w=w: np.sum(w * naive(x)))(x)
        for ours, theirs in (
            (problem.residual(x), sign * r),
            (problem.jac(x), sign * J),
            (problem.curvature(x, w), sign * bend),
            (problem.f(x), np.sum(r**2)),
            (problem.grad(x), 2 * J.T @ r),
            (problem.hess(x), 2 * (J.T @ J + sign * problem.curvature(x, r))),
        ):
            assert_allclose(ours, theirs, rtol=0, atol=1e-11 * max(1.0, np.max(np.abs(theirs))))


# The values at these starts, where they are easy to check by hand or long known.
AT_START = {
    "rosenbrock": 24.2,
    "freudenstein_roth": 400.5,
    "beale": 14.203125,
    "helical_valley": 2500.0,
    "box_3d": 1031.1538106093985,
    "powell_singular": 215.0,
    "wood": 19192.0,
    "brown_dennis": 7926693.33699744,
    "biggs_exp6": 0.7790700756559702,
    "watson": 30.0,
    "extended_rosenbrock": 121.0,
    "extended_powell": 645.0,
}


@pytest.mark.parametrize("name", AT_START)
def test_value_at_the_standard_start(name):
    problem = FUNCTIONS[name]()
    assert problem.f(problem.x0) == pytest.approx(AT_START[name], rel=1e-12)


def scaling(H):
    """Makes the diagonal of H one, or keeps it zero."""
    size = np.abs(np.diag(H))
    return 1.0 / np.sqrt(np.where(size > 0.0, size, 1.0))


def descended(problem, x0):
    """A stationary point: the exact trust region of SciPy, then Newton steps in scaled variables."""
    result = minimize(
        problem.f,
        x0,
        jac=problem.grad,
        hess=problem.hess,
        method="trust-exact",
        options={"gtol": 1e-10, "maxiter": 2000},
    )
    x = result.x
    for _ in range(20):
        g, H = problem.grad(x), problem.hess(x)
        s = scaling(H)
        step = -s * np.linalg.lstsq(s[:, None] * H * s, s * g, rcond=1e-14)[0]
        if not np.linalg.norm(s * problem.grad(x + step)) < 0.5 * np.linalg.norm(s * g):
            break
        x = x + step
    return x


TRIGONOMETRIC = {
    1: [0.0515, 0.0530, 0.0547, 0.0566, 0.0589, 0.0616, 0.2184, 0.0695, 0.1437, 0.0925],
    3: [0.0539, 0.0555, 0.0573, 0.0593, 0.0617, 0.2579, 0.0681, 0.0726, 0.0785, 0.0838],
    4: [0.0625, 0.0645, 0.0667, 0.0692, 0.2754, 0.0755, 0.0790, 0.0823, 0.0836, 0.0821],
}
CHEBYQUAD = {
    1: [0.0596, 0.1667, 0.2392, 0.3989, 0.3989, 0.6011, 0.6011, 0.7608, 0.8333, 0.9404],
    2: [0.0271, 0.1318, 0.2077, 0.3851, 0.3851, 0.6149, 0.6149, 0.7923, 0.8682, 0.9729],
}
# (name, options, which of the known minima, start): by default the first, from the standard start.
MINIMA = [
    *((name, {}, 0, None) for name in FUNCTIONS if name not in ("freudenstein_roth", "trigonometric")),
    ("freudenstein_roth", {}, 0, [5.2, 4.1]),
    ("freudenstein_roth", {}, 1, None),
    ("powell_badly_scaled", {}, 1, [-0.01, -0.01]),
    ("biggs_exp6", {}, 1, [1.7, 17.7, -4.0, 5.2, 1.7, 6.4]),
    ("watson", {"d": 9}, 0, None),
    ("watson", {"d": 12}, 0, None),
    ("penalty_1", {"d": 4}, 0, None),
    ("penalty_2", {"d": 4}, 0, None),
    ("trigonometric", {}, 0, [0.0] * 10),
    ("trigonometric", {}, 2, None),
    *(("trigonometric", {}, which, start) for which, start in TRIGONOMETRIC.items()),
    ("brown_almost_linear", {}, 1, [1.37] * 5 + [-0.067] + [1.37] * 3 + [-1.1]),
    *(("chebyquad", {"d": d}, 0, None) for d in (1, 2, 5, 7, 9, 10)),
    *(("chebyquad", {"d": 10}, which, start) for which, start in CHEBYQUAD.items()),
    ("broyden_tridiagonal", {"d": 1}, 0, None),
    ("discrete_integral", {"d": 3}, 0, None),
]


@pytest.mark.parametrize(("name", "options", "which", "start"), MINIMA)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # trial points that overflow are not taken
def test_known_minimum(name, options, which, start):
    problem = FUNCTIONS[name](**options)
    x = descended(problem, problem.x0 if start is None else np.asarray(start))
    H = problem.hess(x)
    s = scaling(H)
    assert problem.f(x) == pytest.approx(problem.known_minima[which], rel=1e-9, abs=1e-16)
    assert np.linalg.norm(s * problem.grad(x)) < 1e-7 * max(1.0, problem.f(x))
    assert np.min(np.linalg.eigvalsh(s[:, None] * H * s)) > -1e-9
    assert problem.f_star == min(problem.known_minima) == problem.known_minima[0]


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("beale", [-1e6, 1.0 + 0.9910714285714286e-6]),
        ("bard", [0.84066666666666667, -1e9, -1e9]),
        ("kowalik_osborne", [1e9, -14.07588359, -45.25719256e9, -28.23149724e9]),
    ],
)
def test_minima_approached_at_infinity(name, x):
    problem = FUNCTIONS[name]()
    assert problem.f(np.asarray(x)) == pytest.approx(problem.known_minima[1], rel=1e-5)


def test_the_second_point_listed_for_brown_almost_linear_is_no_minimum():
    problem, d = mgh.brown_almost_linear(), 10
    listed = np.append(np.zeros(d - 1), d + 1.0)
    assert problem.f(listed) == 1.0 and not np.any(problem.grad(listed))
    t = 0.1
    assert problem.f(np.append(np.full(d - 1, t), d + 1.0 - d * t)) < 1.0 - 1e-8


def test_sizes():
    for name in ("penalty_1", "penalty_2", "variably_dimensioned", "trigonometric", "brown_almost_linear"):
        assert FUNCTIONS[name](d=3).x0.shape == (3,)
    assert mgh.watson(7).f_star is None and mgh.penalty_2(5).known_minima == () and mgh.chebyquad(11).f_star is None
    assert mgh.trigonometric(5).known_minima == (0.0,)
    assert mgh.linear_full_rank(4, m=9).residual(np.ones(4)).shape == (9,)


def test_products_need_no_hessian():
    problem = mgh.extended_rosenbrock(400)
    problem.hess = None
    assert problem.hvp(problem.x0, np.ones(400)).shape == (400,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mgh.watson(1), "d must be at least 2 and at most 31; got 1"),
        (lambda: mgh.watson(32), "d must be at least 2 and at most 31; got 32"),
        (lambda: mgh.extended_rosenbrock(5), "d must be a multiple of 2; got 5"),
        (lambda: mgh.extended_powell(6), "d must be a multiple of 4; got 6"),
        (lambda: mgh.linear_rank_one(5, m=4), "d must be at least 1 and at most m; got d=5, m=4"),
        (lambda: mgh.linear_rank_one_with_zeros(2), "d must be at least 3 and at most m; got d=2, m=20"),
        (lambda: mgh.chebyquad(0), "d must be a whole number, at least 1; got 0"),
        (lambda: mgh.penalty_1(2.5), "d must be a whole number, at least 1; got 2.5"),
    ],
)
def test_bad_sizes(make, message):
    with pytest.raises(ValueError, match=message):
        make()
