"""Polytope feasibility: formula, a feasible point of value zero, constants, and where no derivative is left."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import secondorder as so
from secondorder.problems import polytope_feasibility


@pytest.mark.parametrize("p", [2, 2.5, 3, 4, 5])
def test_oracles_are_those_of_the_formula(p):
    problem, rng = polytope_feasibility(p, n=30, d=4, seed=3), np.random.default_rng(0)

    def naive(x):
        return anp.sum(anp.maximum(anp.dot(problem.A, x) - problem.b, 0.0) ** p)

    for x in rng.standard_normal((10, 4)):
        np.testing.assert_allclose(problem.f(x), naive(x), rtol=1e-12)
        np.testing.assert_allclose(problem.grad(x), autograd.grad(naive)(x), rtol=1e-11, atol=1e-12)
        v = problem.violation(x)
        dense = sum(p * (p - 1) * v[i] ** (p - 2) * np.outer(problem.A[i], problem.A[i]) for i in np.flatnonzero(v))
        np.testing.assert_allclose(problem.hess(x), dense, rtol=1e-11, atol=1e-12)
        if p >= 3:
            h = rng.standard_normal(4)
            third = sum(
                p * (p - 1) * (p - 2) * v[i] ** (p - 3) * (problem.A[i] @ h) ** 2 * problem.A[i]
                for i in np.flatnonzero(v)
            )
            np.testing.assert_allclose(problem.third(x, h), third, rtol=1e-11, atol=1e-12)


def test_third_derivatives_are_offered_where_there_are_any():
    assert "third" not in polytope_feasibility(2.5).oracles and "third" in polytope_feasibility(3).oracles


@pytest.mark.parametrize("p", [2, 3, 4])
def test_the_polytope_is_not_empty_and_every_derivative_vanishes_inside(p):
    problem = polytope_feasibility(p)
    x = so.minimize(polytope_feasibility(2), "cubic_newton", tol=0.0, steps=60).x
    assert np.max(problem.violation(x)) < 1e-7
    z = problem.x_star
    assert problem.f(z) == problem.f_star == 0.0
    assert not np.any(problem.grad(z)) and not np.any(problem.hess(z))
    assert problem.f(problem.x0) > 1.0 and np.any(problem.hess(problem.x0))


def test_constants_bound_the_changes_of_the_derivatives():
    problems, rng = {p: polytope_feasibility(p, n=25, d=3) for p in (2, 3, 4)}, np.random.default_rng(1)
    used = dict.fromkeys(problems, 0.0)
    for _ in range(300):
        x, h, u = 3.0 * rng.standard_normal(3), rng.standard_normal(3), rng.standard_normal(3)
        size, u = np.linalg.norm(h), u / np.linalg.norm(u)
        changes = {
            2: np.linalg.norm(problems[2].grad(x + h) - problems[2].grad(x)) / problems[2].lipschitz_grad,
            3: np.linalg.norm(problems[3].hess(x + h) - problems[3].hess(x), 2) / problems[3].lipschitz_hess,
            4: np.linalg.norm(problems[4].third(x + h, u) - problems[4].third(x, u)) / problems[4].lipschitz_third,
        }
        used = {p: max(used[p], change / size) for p, change in changes.items()}
    assert all(0.1 < most <= 1.0 for most in used.values()), used
    assert problems[3].lipschitz_grad is problems[3].lipschitz_third is problems[2].lipschitz_hess is None


def test_seed():
    assert np.array_equal(polytope_feasibility(seed=1).A, polytope_feasibility(seed=1).A)
    assert not np.array_equal(polytope_feasibility(seed=1).A, polytope_feasibility().A)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be a whole number, at least 1; got 0"),
        ({"d": 1.5}, "d must be a whole number, at least 1; got 1.5"),
        ({"p": 1.5}, "p must be a finite number, at least 2; got 1.5"),
        ({"p": "2"}, "p must be a finite number, at least 2; got '2'"),
        ({"p": np.inf}, "p must be a finite number"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        polytope_feasibility(**options)


def test_where_x_is_not_a_number_nothing_is():
    problem = polytope_feasibility(np.int64(3))
    nowhere = np.full(20, np.nan)
    assert np.isnan(problem.f(nowhere)) and np.all(np.isnan(problem.grad(nowhere)))
