"""Each small function against its formula, differentiated by autograd."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import eigen
from secondorder.problems import chain, double_well, himmelblau, pseudo_huber, quadratic, rosenbrock, saddle

PLANE = [rosenbrock, himmelblau, saddle, double_well]


def naive_chain(x, p):
    d = len(x)
    u = [x[i] - x[i + 1] for i in range(d - 1)] + [x[d - 1]]
    return sum(anp.abs(ui) ** (p + 1) for ui in u) / (p + 1) - x[0]


NAIVE = {
    "rosenbrock": (rosenbrock, lambda z: (1 - z[0]) ** 2 + 100 * (z[1] - z[0] ** 2) ** 2),
    "himmelblau": (himmelblau, lambda z: (z[0] ** 2 + z[1] - 11) ** 2 + (z[0] + z[1] ** 2 - 7) ** 2),
    "saddle": (saddle, lambda z: z[0] ** 2 - z[1] ** 2 + z[1] ** 4 / 4),
    "double_well": (double_well, lambda z: (z[0] ** 2 - 1) ** 2 / 4 + z[1] ** 2 / 2),
    "pseudo_huber": (lambda: pseudo_huber(3), lambda z: anp.sum(anp.sqrt(1 + z**2))),
    "chain p=2": (lambda: chain(6), lambda z: naive_chain(z, 2)),
    "chain p=3": (lambda: chain(6, p=3), lambda z: naive_chain(z, 3)),
}


@pytest.mark.parametrize(("make", "naive"), NAIVE.values(), ids=NAIVE)
def test_oracles_are_those_of_the_formula(make, naive):
    problem, rng = make(), np.random.default_rng(0)
    for _ in range(20):
        x = 2.0 * rng.standard_normal(problem.x0.shape)
        np.testing.assert_allclose(problem.f(x), naive(x), rtol=1e-13, atol=1e-12)
        np.testing.assert_allclose(problem.grad(x), autograd.grad(naive)(x), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(problem.hess(x), autograd.hessian(naive)(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", PLANE)
def test_values_on_a_grid_are_those_at_its_points(make):
    problem = make()
    xmin, xmax, ymin, ymax = problem.window
    X, Y = np.meshgrid(np.linspace(xmin, xmax, 5), np.linspace(ymin, ymax, 4))
    Z = problem.values(X, Y)
    assert Z.shape == (4, 5)
    assert all(Z[i, j] == problem.f(np.asarray([X[i, j], Y[i, j]])) for i in range(4) for j in range(5))


@pytest.mark.parametrize("make", PLANE)
def test_every_listed_minimum_is_one_and_lies_with_the_start_in_the_window(make):
    problem = make()
    xmin, xmax, ymin, ymax = problem.window
    for point in problem.minima:
        assert abs(problem.f(point) - problem.f_star) < 1e-14
        assert np.linalg.norm(problem.grad(point)) < 1e-12
        assert np.min(np.linalg.eigvalsh(problem.hess(point))) > 0.1
    for x, y in [*problem.minima, problem.x0]:
        assert xmin < x < xmax and ymin < y < ymax


@pytest.mark.parametrize("make", PLANE)
@pytest.mark.parametrize("oracle", ["f", "grad", "hess"])
def test_only_vectors_of_two_are_points_of_the_plane(make, oracle):
    with pytest.raises(ValueError, match=r"shape \(2,\); got shape \(3,\)"):
        getattr(make(), oracle)(np.zeros(3))


def test_pure_newton_on_pseudo_huber_is_minus_x_cubed():
    problem = pseudo_huber(3)
    x = np.asarray([0.5, -0.9, 1.5])
    step = np.linalg.solve(problem.hess(x), -problem.grad(x))
    np.testing.assert_allclose(x + step, -(x**3), rtol=1e-13)


def test_pseudo_huber_does_not_overflow():
    x = np.asarray([1e200])
    problem = pseudo_huber()
    assert problem.f(x) == 1e200 and problem.grad(x) == 1.0 and problem.hess(x) == 0.0


@pytest.mark.parametrize("d", [1, 2, 7, 30])
def test_chain_constant_is_the_spectral_norm(d):
    problem = chain(d)
    A = np.asarray([[1.0 if i == j else -1.0 if j == i + 1 else 0.0 for j in range(d)] for i in range(d)])
    assert np.array_equal(problem.A, A)
    assert problem.lipschitz_hess == pytest.approx(2.0 * np.linalg.norm(A, 2) ** 3, rel=1e-13)
    assert problem.lipschitz_hess < 16.0 and chain(d, p=3).lipschitz_hess is None


def test_chain_constant_bounds_the_change_of_the_hessian():
    problem, rng = chain(6), np.random.default_rng(0)
    for _ in range(200):
        x, y = rng.standard_normal((2, 6))
        change = np.linalg.norm(problem.hess(x) - problem.hess(y), 2)
        assert change <= problem.lipschitz_hess * np.linalg.norm(x - y) * (1 + 1e-12)


@pytest.mark.parametrize("p", [1, 2, 3, 4.5])
def test_chain_minimiser_and_value(p):
    problem = chain(9, p=p)
    assert np.array_equal(problem.x_star, np.arange(9, 0, -1))
    assert problem.f_star == pytest.approx(-p / (p + 1) * 9, rel=1e-15)
    assert problem.f(problem.x_star) == pytest.approx(problem.f_star, rel=1e-14)
    assert np.linalg.norm(problem.grad(problem.x_star)) < 1e-14
    if p > 1:
        assert not np.any(problem.hess(problem.x0))


def test_chain_is_solved_to_its_stated_value():
    history = so.minimize(chain(10), "cubic_newton", tol=1e-10)
    assert history.status == "converged" and np.max(np.abs(history.x - np.arange(10, 0, -1))) < 1e-4


def test_quadratic_has_its_spectrum_in_any_basis():
    spectrum = [-2.0, 0.5, 0.5, 7.0]
    flat, turned = quadratic(spectrum), quadratic(spectrum, rotate=True, seed=3)
    assert np.array_equal(flat.A, np.diag(spectrum))
    np.testing.assert_allclose(eigen(turned.A).values, spectrum, atol=1e-14)
    assert np.array_equal(turned.A, turned.A.T) and np.max(np.abs(turned.A - flat.A)) > 0.1
    assert np.array_equal(turned.A, quadratic(spectrum, rotate=True, seed=3).A)
    assert not np.array_equal(turned.A, quadratic(spectrum, rotate=True, seed=4).A)
    assert flat.f_star is None and quadratic([0.0, 1.0]).f_star == 0.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: quadratic([]), r"spectrum must be a vector with at least one entry"),
        (lambda: quadratic([1.0, np.nan]), "spectrum must be finite"),
        (lambda: quadratic([[1.0]]), r"spectrum must be a vector .* shape \(1, 1\)"),
        (lambda: quadratic([1.0, 2.0], x0=[1.0]), r"x0 must have shape \(2,\).*got \(1,\)"),
        (lambda: pseudo_huber(0), "d must be a whole number, at least 1; got 0"),
        (lambda: chain(2.5), "d must be a whole number, at least 1; got 2.5"),
        (lambda: chain(5, p=0.5), "p must be a finite number, at least 1; got 0.5"),
        (lambda: chain(5, p=np.inf), "p must be a finite number"),
        (lambda: chain(5, p="2"), "p must be a finite number, at least 1; got '2'"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
