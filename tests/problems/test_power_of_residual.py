"""The power of a norm, and the approximate Hessians of it, of Chebyshev-Rosenbrock and of the soft maximum."""

import numpy as np
import pytest

from secondorder.problems import chebyshev_rosenbrock, power_of_residual, soft_maximum
from secondorder.problems.power_of_residual import PowerOfResidual


def dense(problem, x):
    return np.stack([problem.ggn_product(x, e) for e in np.eye(len(x))], axis=1)


@pytest.mark.parametrize("p", [2, 2.5, 3, 4, 6])
def test_the_hessian_is_the_gram_matrix_and_a_term_of_rank_one(p):
    problem = power_of_residual(p, n=9, d=4, seed=1)
    x = np.random.default_rng(0).standard_normal(4)
    u, (diagonal, weight) = problem.inner(x), problem.diagonal_rank_one(x)
    gram, grad = np.linalg.norm(u) ** (p - 2) * problem.A.T @ problem.A, problem.grad(x)
    np.testing.assert_allclose(problem.hess(x), gram + weight * np.outer(grad, grad), rtol=1e-12)
    np.testing.assert_allclose(dense(problem, x), problem.hess(x), rtol=1e-12)
    np.testing.assert_allclose(diagonal, np.diag(gram), rtol=1e-12)
    assert weight == pytest.approx((p - 2) / (p * problem.f(x)), rel=1e-12)


def test_the_square_is_least_squares():
    problem = power_of_residual(2, n=9, d=4)
    x = np.ones(4)
    assert problem.f(x) == pytest.approx(0.5 * np.sum((problem.A @ x - problem.b) ** 2), rel=1e-14)
    assert problem.diagonal_rank_one(x)[1] == 0.0


@pytest.mark.parametrize("p", [2, 4])
def test_at_the_solution_everything_is_finite(p):
    problem = power_of_residual(p, n=9, d=4)
    x = problem.x_star
    assert problem.f(x) == 0.0 and not np.any(problem.grad(x))
    assert np.all(np.isfinite(problem.hess(x))) and problem.diagonal_rank_one(x)[1] == 0.0
    assert np.all(np.isfinite(problem.ggn_product(x, x)))


@pytest.mark.parametrize("p", [2, 3.5])
def test_chebyshev_rosenbrock_lacks_only_the_bend_of_its_residual(p):
    problem = chebyshev_rosenbrock(5, p)
    x = np.random.default_rng(3).standard_normal(5)
    u, J, grad = problem.residual(x), problem.jac(x), problem.grad(x)
    size = np.linalg.norm(u)
    bend = size ** (p - 2) * np.diag(np.append(-4.0 * u[1:], 0.0))
    np.testing.assert_allclose(dense(problem, x), problem.hess(x) - bend, atol=1e-11)
    diagonal, weight = problem.diagonal_rank_one(x)
    np.testing.assert_allclose(diagonal, size ** (p - 2) * np.diag(J.T @ J), rtol=1e-12)
    np.testing.assert_allclose(weight * np.outer(grad, grad), (p - 2) * size ** (p - 4) * np.outer(J.T @ u, J.T @ u))


def test_the_soft_maximum_lacks_only_its_negative_term():
    problem = soft_maximum(n=30, d=5, mu=0.3)
    x = np.random.default_rng(3).standard_normal(5)
    grad = problem.grad(x)
    np.testing.assert_allclose(dense(problem, x), problem.hess(x) + np.outer(grad, grad) / 0.3, atol=1e-12)


def test_a_power_may_be_a_number_of_numpy():
    assert power_of_residual(np.int64(3)).p == power_of_residual(np.float32(3.0)).p == 3.0


@pytest.mark.parametrize("p", [1.5, True, "4", np.inf])
def test_a_bad_power_is_named(p):
    with pytest.raises(ValueError, match="p must be a finite number, at least 2"):
        power_of_residual(p)


def test_new_variables_make_the_columns_orthonormal():
    problem = power_of_residual(n=30, d=6)
    Q, R = np.linalg.qr(problem.A)
    other = PowerOfResidual(Q, problem.b, 4.0, R @ problem.x_star)
    x = np.random.default_rng(0).standard_normal(6)
    assert other.f(R @ x) == pytest.approx(problem.f(x), rel=1e-12)
    np.testing.assert_allclose(R.T @ other.grad(R @ x), problem.grad(x), rtol=1e-11)
