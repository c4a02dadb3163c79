"""The orders of the four forcing terms, measured where each linear residual is exactly what the term asks for."""

import numpy as np
import pytest

import secondorder as so
from secondorder.labs.views.inexact import FORCINGS, ORDERS, exponentials, forced_norms, forced_step


@pytest.mark.parametrize("start", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("forcing", ORDERS)
def test_the_order_is_the_promised_one(forcing, start, seed):
    norms = forced_norms(exponentials(start, seed=seed), forcing)
    assert norms[-1] < 1e-12, "enough digits to tell an order"
    assert abs(so.measured_order(norms, floor=0.0).value - ORDERS[forcing]) < 0.3


@pytest.mark.parametrize("eta", [0.0, 1e-6, 0.1, 0.9])
def test_a_fraction_of_the_newton_step_has_exactly_that_residual(eta):
    problem = exponentials()
    x = problem.x0
    grad, H = problem.grad(x), problem.hess(x)
    np.testing.assert_allclose(H @ forced_step(grad, H, eta) + grad, eta * grad, atol=1e-14 * np.linalg.norm(grad))


def test_the_problem_keeps_its_digits_near_the_minimum():
    problem = exponentials()
    H, x = problem.hess(np.zeros(12)), 1e-30 * problem.x0
    np.testing.assert_allclose(problem.grad(x), H @ x, rtol=1e-12)
    np.testing.assert_allclose(problem.f(x), 0.5 * x @ H @ x, rtol=1e-12)
    x = problem.x0
    slope = (problem.f(x + 1e-6 * x) - problem.f(x - 1e-6 * x)) / 2e-6
    np.testing.assert_allclose(slope, problem.grad(x) @ x, rtol=1e-8)


@pytest.mark.parametrize("forcing", FORCINGS)
def test_conjugate_gradients_reach_what_was_asked_for(forcing):
    history = so.minimize(exponentials(), "newton_cg", tol=1e-12, **FORCINGS[forcing])
    assert history.status == "converged"
    residual, asked = history["linear_residual"][1:], history["forcing_term"][1:]
    assert np.all(residual <= 1.01 * asked + 1e-15)
