"""Chebyshev-Rosenbrock: formula, valley and the powers at the minimiser."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from secondorder.problems import chebyshev_rosenbrock


@pytest.mark.parametrize(("d", "p"), [(1, 2), (4, 2), (4, 3), (3, 2.5), (5, 4)])
def test_oracles_are_those_of_the_formula(d, p):
    problem, rng = chebyshev_rosenbrock(d, p), np.random.default_rng(0)

    def residual(x):
        return anp.array([0.5 * (1 - x[0])] + [x[i] - 2 * x[i - 1] ** 2 + 1 for i in range(1, d)])

    def naive(x):
        return anp.sqrt(anp.sum(residual(x) ** 2)) ** p / p

    for x in rng.standard_normal((10, d)):
        np.testing.assert_allclose(problem.f(x), naive(x), rtol=1e-12)
        np.testing.assert_allclose(problem.grad(x), autograd.grad(naive)(x), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(problem.hess(x), autograd.hessian(naive)(x), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(problem.residual(x), residual(x), atol=1e-14)
        np.testing.assert_allclose(problem.jac(x), autograd.jacobian(residual)(x), atol=1e-14)


@pytest.mark.parametrize("p", [2, 2.5, 3, 4, 6])
def test_minimiser(p):
    problem = chebyshev_rosenbrock(5, p)
    one = np.ones(5)
    assert problem.f(one) == problem.f_star == 0.0 and not np.any(problem.grad(one))
    H = problem.hess(one)
    assert np.all(np.isfinite(H)) and (p == 2 or not np.any(H))
    if p == 2:
        assert np.min(np.linalg.eigvalsh(H)) > 0.0


def test_the_valley_is_a_chebyshev_polynomial():
    problem = chebyshev_rosenbrock(5)
    for x1 in np.linspace(-1, 1, 7):
        x = np.cos(2.0 ** np.arange(5) * np.arccos(x1))
        np.testing.assert_allclose(problem.residual(x), [(1 - x1) / 2, 0, 0, 0, 0], atol=1e-13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d": 0}, "d must be a whole number, at least 1; got 0"),
        ({"p": 1.5}, "p must be a finite number, at least 2; got 1.5"),
        ({"p": "2"}, "p must be a finite number, at least 2; got '2'"),
        ({"p": np.inf}, "p must be a finite number"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        chebyshev_rosenbrock(**options)
