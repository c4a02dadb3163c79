"""Problems: what they offer, what they derive, and what they refuse."""

import autograd.numpy as anp
import numpy as np
import pytest

import secondorder as so
from secondorder.oracles import ORACLES, point


def test_oracles_are_those_given():
    assert so.Problem(abs).oracles == ("f",)
    assert so.Problem(hess=np.diag, grad=abs).oracles == ("grad", "hess")
    assert repr(so.Problem(abs, x0=[1.0, 2.0], name="corner")) == "<Problem 'corner', d=2: f>"


@pytest.mark.parametrize("name", ORACLES)
def test_an_oracle_that_is_no_function_is_named(name):
    with pytest.raises(TypeError, match=rf"^{name} must be a function \(.*; got ndarray"):
        so.Problem(**{name: np.ones(2)})


def test_every_oracle_may_be_given():
    given = dict.fromkeys(ORACLES, abs)
    assert so.Problem(**given).oracles == tuple(ORACLES)
    with pytest.raises(TypeError, match="Problem has no oracle 'jacobian'; it takes f, grad, hess, hvp, residual, jac"):
        so.Problem(jacobian=abs)


def test_a_sum_over_nothing_has_one_batch_itself():
    problem = so.problems.rosenbrock()
    batches = problem.batches(3, np.random.default_rng(0))
    assert next(batches) is problem and next(batches) is problem
    assert problem.l2 == 0.0 and so.Problem(abs).residual_weight == 0.5


@pytest.mark.parametrize("make", [lambda: so.problems.get("test:box_3d"), lambda: so.problems.get("nist:Misra1a")])
def test_sums_of_squares_weigh_as_they_say(make):
    problem = make()
    x, w = problem.x0, problem.residual_weight
    r, J = problem.residual(x), problem.jac(x)
    assert float(problem.f(x)) == pytest.approx(w * r @ r, rel=1e-13)
    np.testing.assert_allclose(problem.grad(x), 2.0 * w * J.T @ r, rtol=1e-12)


def test_start_is_checked_and_not_shared():
    mine = np.asarray([1.0, 2.0])
    problem = so.Problem(abs, x0=mine)
    mine[0] = 7.0
    assert problem.x0[0] == 1.0
    with pytest.raises(ValueError, match="x0 must be finite"):
        so.Problem(abs, x0=[np.nan])


@pytest.mark.parametrize(
    ("given", "dtype"), [([1, 2], "float64"), (np.ones(2, np.float32), "float32"), ([True], "float64")]
)
def test_point_converts_what_is_no_floating_point(given, dtype):
    assert point(given).dtype == dtype


def test_derivatives_of_a_function_are_its_derivatives():
    def f(x):
        return anp.sum(anp.sin(x) ** 2) + x[0] * x[1] ** 3

    problem = so.Problem.from_function(f, x0=[0.3, 0.7])
    x, v = np.asarray([0.4, -1.1]), np.asarray([0.2, 0.5])
    grad = np.sin(2.0 * x) + np.asarray([x[1] ** 3, 3.0 * x[0] * x[1] ** 2])
    hess = np.diag(2.0 * np.cos(2.0 * x)) + np.asarray([[0.0, 3.0 * x[1] ** 2], [3.0 * x[1] ** 2, 6.0 * x[0] * x[1]]])
    np.testing.assert_allclose(problem.grad(x), grad, rtol=1e-14)
    np.testing.assert_allclose(problem.hess(x), hess, rtol=1e-14)
    np.testing.assert_allclose(problem.hvp(x, v), hess @ v, rtol=1e-14)
    assert problem.name == "f"
    assert so.minimize(problem, "cubic_newton").status == "converged"


def test_a_lambda_is_called_function():
    assert so.Problem.from_function(lambda x: anp.sum(x**2)).name == "function"


def test_unknown_name_of_a_problem_suggests_one():
    with pytest.raises(ValueError, match="did you mean 'rosenbrock'"):
        so.problems.get("rosenbrok")
