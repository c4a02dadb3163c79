"""The classics of two variables against their formulas, differentiated by autograd."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import secondorder as so


def goldstein_price(z):
    x, y = z
    a = 19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2
    b = 18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2
    return (1 + (x + y + 1) ** 2 * a) * (30 + (2 * x - 3 * y) ** 2 * b)


def branin(z):
    x, y = z
    b, c, t = 5.1 / (4 * anp.pi**2), 5 / anp.pi, 1 / (8 * anp.pi)
    return (y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * anp.cos(x) + 10


NAIVE = {
    "beale": lambda z: sum((c - z[0] + z[0] * z[1] ** i) ** 2 for i, c in ((1, 1.5), (2, 2.25), (3, 2.625))),
    "booth": lambda z: (z[0] + 2 * z[1] - 7) ** 2 + (2 * z[0] + z[1] - 5) ** 2,
    "matyas": lambda z: 0.26 * (z[0] ** 2 + z[1] ** 2) - 0.48 * z[0] * z[1],
    "three_hump_camel": lambda z: 2 * z[0] ** 2 - 1.05 * z[0] ** 4 + z[0] ** 6 / 6 + z[0] * z[1] + z[1] ** 2,
    "six_hump_camel": lambda z: (
        (4 - 2.1 * z[0] ** 2 + z[0] ** 4 / 3) * z[0] ** 2 + z[0] * z[1] + (4 * z[1] ** 2 - 4) * z[1] ** 2
    ),
    "branin": branin,
    "goldstein_price": goldstein_price,
    "mccormick": lambda z: anp.sin(z[0] + z[1]) + (z[0] - z[1]) ** 2 - 1.5 * z[0] + 2.5 * z[1] + 1,
    "styblinski_tang": lambda z: anp.sum(z**4 - 16 * z**2 + 5 * z) / 2,
    "monkey_saddle": lambda z: z[0] ** 3 - 3 * z[0] * z[1] ** 2 + (z[0] ** 2 + z[1] ** 2) ** 2 / 4,
}


@pytest.mark.parametrize("name", NAIVE)
def test_oracles_are_those_of_the_formula(name):
    problem, naive, rng = so.problems.get(name), NAIVE[name], np.random.default_rng(0)
    for _ in range(20):
        x = 2.0 * rng.standard_normal(2)
        for ours, theirs in zip(
            (problem.f(x), problem.grad(x), problem.hess(x)),
            (naive(x), autograd.grad(naive)(x), autograd.hessian(naive)(x)),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12 * max(1.0, np.max(np.abs(theirs))))


@pytest.mark.parametrize("name", NAIVE)
def test_values_on_a_grid_are_those_at_its_points(name):
    problem = so.problems.get(name)
    xmin, xmax, ymin, ymax = problem.window
    X, Y = np.meshgrid(np.linspace(xmin, xmax, 5), np.linspace(ymin, ymax, 4))
    Z = problem.values(X, Y)
    assert Z.shape == (4, 5)
    ours = [[problem.f(np.asarray([X[i, j], Y[i, j]])) for j in range(5)] for i in range(4)]
    np.testing.assert_allclose(Z, ours, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", NAIVE)
def test_every_listed_minimum_is_one_and_none_in_the_window_is_lower(name):
    problem = so.problems.get(name)
    xmin, xmax, ymin, ymax = problem.window
    for point in problem.minima:
        H = problem.hess(point)
        assert abs(problem.f(point) - problem.f_star) < 1e-13 * max(1.0, abs(problem.f_star))
        assert np.linalg.norm(problem.grad(point)) < 1e-15 * np.linalg.norm(H) + 1e-14
        assert np.min(np.linalg.eigvalsh(H)) > 0.03
    for x, y in [*problem.minima, problem.x0]:
        assert xmin < x < xmax and ymin < y < ymax
    X, Y = np.meshgrid(np.linspace(xmin, xmax, 301), np.linspace(ymin, ymax, 301))
    Z = problem.values(X, Y)
    assert np.min(Z) >= problem.f_star - 1e-13 * max(1.0, abs(problem.f_star))
    near = np.min([np.hypot(X - x, Y - y) for x, y in problem.minima], axis=0) < 0.1 * (xmax - xmin)
    assert np.min(Z[~near]) > problem.f_star + 1e-3


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [
        ("three_hump_camel", (1.7475523346, -0.8737761673), 0.2986384422),
        ("six_hump_camel", (-1.7036067, 0.7960836), -0.2154638),
        ("six_hump_camel", (1.6071048, 0.5686515), 2.1042503),
        ("goldstein_price", (-0.6, -0.4), 30.0),
        ("goldstein_price", (1.8, 0.2), 84.0),
        ("goldstein_price", (1.2, 0.8), 840.0),
        ("styblinski_tang", (2.7468028, -2.9035340), -64.1956124),
        ("styblinski_tang", (2.7468028, 2.7468028), -50.0588933),
        ("mccormick", (-np.pi / 3 + 0.5 - np.pi, -np.pi / 3 - 0.5 - np.pi), -1.9132229550 - np.pi),
    ],
)
def test_local_minima_of_the_descriptions(name, x, value):
    problem, x = so.problems.get(name), np.asarray(x)
    H = problem.hess(x)
    assert problem.f(x) == pytest.approx(value, abs=1e-6)
    assert np.linalg.norm(problem.grad(x)) < 1e-6 * np.linalg.norm(H) and np.min(np.linalg.eigvalsh(H)) > 0.1


def test_monkey_saddle_has_neither_gradient_nor_hessian_at_the_origin():
    problem, zero = so.problems.monkey_saddle(), np.zeros(2)
    assert not np.any(problem.grad(zero)) and not np.any(problem.hess(zero))
    down = [problem.f(0.1 * np.asarray([np.cos(a), np.sin(a)])) < 0 for a in np.arange(12) * np.pi / 6 + 0.1]
    assert down == [False, True, True, False, False, True, True, False, False, True, True, False]


def test_beale_of_the_plane_is_that_of_the_collection():
    plane, table = so.problems.beale(), so.problems.get("test:beale")
    x = np.asarray([0.3, -1.2])
    assert plane.f(x) == pytest.approx(table.f(x), rel=1e-14)
    np.testing.assert_allclose(plane.hess(x), table.hess(x), rtol=1e-13)


def test_the_beale_valley_runs_into_infinity():
    history = so.minimize(so.problems.beale(), "cubic_newton", x0=[-1.0, 1.5], steps=200)
    assert history.status != "converged" and history.x[0] < -2.0 and history.f[-1] > 0.452
