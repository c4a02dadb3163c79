"""Taylor remainders of the right order, and products that agree with the dense Hessian."""

import numpy as np

from secondorder.problems.sums_of_squares import SumOfSquares

STEPS = np.geomspace(1e-3, 1e-2, 6)


def order(remainder, rounding):
    """The slope of log |remainder(t)| against log t; None where all remainders are rounding."""
    values = np.asarray([abs(remainder(t)) for t in STEPS])
    if np.all(values < 100.0 * rounding):
        return None
    return np.polyfit(np.log(STEPS), np.log(values), 1)[0]


def test_value_less_linear_model_is_of_second_order(problem, x, v):
    f, slope = problem.f(x), problem.grad(x) @ v
    measured = order(lambda t: problem.f(x + t * v) - f - t * slope, 1e-16 * abs(f))
    # The next term bends the line by about t f''' / f'', at t = 0.01 at most a few percent a decade.
    assert measured is None or abs(measured - 2.0) < 0.1


def test_value_less_quadratic_model_is_of_third_order(problem, x, v):
    f, slope, curvature = problem.f(x), problem.grad(x) @ v, v @ problem.hess(x) @ v
    measured = order(lambda t: problem.f(x + t * v) - f - t * slope - 0.5 * t * t * curvature, 1e-16 * abs(f))
    assert measured is None or abs(measured - 3.0) < 0.2


def test_gradient_less_linear_model_is_of_second_order_in_every_entry(problem, x, v):
    """Sees every row of the Hessian, which the scalar tests do not."""
    grad, product = problem.grad(x), problem.hess(x) @ v
    for i in range(min(len(x), 12)):
        rounding = 1e-16 * (abs(grad[i]) + np.max(np.abs(product)))
        measured = order(lambda t, i=i: (problem.grad(x + t * v) - grad - t * product)[i], rounding)
        assert measured is None or measured > 1.8


def test_product_is_that_of_the_dense_hessian(problem, x, v):
    dense = problem.hess(x) @ v
    assert np.linalg.norm(problem.hvp(x, v) - dense) <= 1e-10 * np.linalg.norm(dense)


def test_hessian_is_symmetric(problem, x):
    H = problem.hess(x)
    assert np.max(np.abs(H - H.T)) <= 1e-14 * np.max(np.abs(H))


def test_known_minimiser_and_value(problem):
    if problem.x_star is None:
        assert problem.f_star is None or isinstance(problem, SumOfSquares)
        return
    assert abs(problem.f(problem.x_star) - problem.f_star) <= 1e-12 * max(1.0, abs(problem.f_star))
    eigenvalues = np.linalg.eigvalsh(problem.hess(problem.x_star))
    slack = 1e-12 + 1e-15 * eigenvalues[-1]
    assert np.linalg.norm(problem.grad(problem.x_star)) <= slack
    assert eigenvalues[0] >= -slack


def test_oracles_allocate_each_answer(problem, x, v):
    """As ``fresh = True`` promises: what a caller does to an answer changes no later one."""
    for oracle, arguments in (("grad", (x,)), ("hess", (x,)), ("hvp", (x, v))):
        answer = getattr(problem, oracle)(*arguments)
        before = answer.copy()
        answer += 1.0
        assert np.array_equal(getattr(problem, oracle)(*arguments), before), oracle


def test_third_derivative_is_that_of_the_product(problem, x, v):
    """The product with v at x + tv, less that at x, less t D^3 f(x)[v, v], is of second order in t."""
    if problem.third is None:
        return
    product, third = problem.hvp(x, v), problem.third(x, v)
    rounding = 1e-15 * (np.linalg.norm(product) + np.linalg.norm(third))
    measured = order(lambda t: np.linalg.norm(problem.hvp(x + t * v, v) - product - t * third), rounding)
    assert measured is None or measured > 1.8


def test_metric_is_symmetric_positive_definite_and_bounds_the_hessian(problem, x):
    """The eigenvalues of the Hessian relative to B are positive and finite; logistic regression has them at most 1."""
    if problem.metric is None or np.linalg.eigvalsh(problem.hess(x))[0] <= 0.0:
        return
    B = np.column_stack([problem.metric(e) for e in np.eye(len(x))])
    np.testing.assert_allclose(B, B.T, rtol=0, atol=1e-13 * np.max(np.abs(B)))
    L = np.linalg.cholesky(B)
    relative = np.linalg.eigvalsh(np.linalg.solve(L, np.linalg.solve(L, problem.hess(x)).T))
    assert relative[0] > 0.0
    if hasattr(problem, "smoothness"):
        assert relative[-1] <= 1.0 + 1e-10
