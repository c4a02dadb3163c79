"""Sums of squares of the user's own residual: derivatives, and what is refused."""

import autograd.numpy as anp
import numpy as np
import pytest

import secondorder as so
from secondorder.problems import least_squares

T = np.asarray([0.0, 0.5, 1.0, 2.0])
X = np.asarray([1.5, 0.7])


def residual(x):
    return x[0] * anp.exp(-x[1] * T) - anp.cos(T)


def jac(x):
    decay = np.exp(-x[1] * T)
    return np.stack([decay, -x[0] * T * decay], axis=1)


def test_derived_and_given_derivatives_agree():
    derived, given = least_squares(residual, x0=X), least_squares(residual, jac, X)
    np.testing.assert_allclose(derived.jac(X), given.jac(X), rtol=1e-14)
    np.testing.assert_allclose(derived.grad(X), given.grad(X), rtol=1e-14)
    assert derived.f(X) == given.f(X) == 0.5 * float(residual(X) @ residual(X))
    assert derived.oracles == ("f", "grad", "hess", "hvp", "residual", "jac")
    assert given.oracles == ("f", "grad", "residual", "jac")


def test_the_derived_hessian_is_that_of_the_jets():
    from secondorder.problems.jets import coordinates, exp
    from secondorder.problems.sums_of_squares import Formula

    class Half(Formula):
        residual_weight = 0.5

    def formula(x, t, y):
        size, rate = coordinates(x)
        return size * exp(-rate * t) - y

    jets, ours = Half("half", formula, X, t=T, y=np.cos(T)), least_squares(residual, x0=X)
    np.testing.assert_allclose(ours.hess(X), jets.hess(X), rtol=1e-13)
    np.testing.assert_allclose(ours.hvp(X, T[:2]), jets.hvp(X, T[:2]), rtol=1e-13)
    np.testing.assert_allclose(ours.grad(X), jets.grad(X), rtol=1e-13)
    assert ours.f(X) == pytest.approx(jets.f(X), rel=1e-14)


def test_linear_and_name_are_kept():
    problem = least_squares(residual, x0=X, linear=[0], name="decay")
    assert problem.linear == (0,) and problem.name == "decay" and problem.residual_weight == 0.5
    assert least_squares(residual).name == "residual" and least_squares(residual).x0 is None


def test_a_residual_may_reuse_its_buffer():
    buffer = np.empty_like(T)

    def reused(x):
        buffer[:] = residual(x)
        return buffer

    ours = so.minimize(least_squares(reused, jac, X), "levenberg_marquardt")
    assert np.array_equal(ours.x, so.minimize(least_squares(residual, jac, X), "levenberg_marquardt").x)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3.0,), {}, TypeError, "residual must be a function; got float"),
        ((residual, np.eye(2)), {}, TypeError, "jac must be a function; got ndarray"),
        ((lambda x: x[:, None], jac, X), {}, ValueError, r"residual must return a vector.*got shape \(2, 1\)"),
        ((lambda x: x @ x, jac, X), {}, ValueError, "residual must return a vector.*got float64"),
        ((residual, lambda x: jac(x).T, X), {}, ValueError, r"jac must return .* \(4, 2\); got shape \(2, 4\)"),
        ((residual, lambda x: None, X), {}, ValueError, "jac must return .*got NoneType"),
        ((residual, None, X), {"linear": [2]}, ValueError, "linear must be different indices from 0 to d - 1, d = 2"),
        ((residual, None, X), {"linear": [0, 0]}, ValueError, "linear must be different indices"),
        ((residual,), {"linear": [-1]}, ValueError, "linear must be different indices"),
        ((residual, None, X), {"linear": [0.5]}, TypeError, "linear must be whole numbers"),
        ((residual, None, X), {"linear": 0}, TypeError, "linear must be whole numbers"),
        ((lambda x: np.asarray([float(x[0])]), None, X), {}, TypeError, "use autograd.numpy"),
        ((residual, None, [[1.0]]), {}, ValueError, "x0 must be a vector"),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        least_squares(*arguments, **options)
