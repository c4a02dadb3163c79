"""What the chapter on regularising with the gradient says of its pictures."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.labs.views import regularized as views


@pytest.mark.parametrize(("gradient", "curvature"), [(0.1, 0.0), (1.0, 0.1), (0.3, 1.0)])
def test_with_the_sufficient_damping_every_test_passes(gradient, curvature):
    for times in (1.0, 2.0, 4.0):
        sentence = views.damping_test(times=times, gradient=gradient, curvature=curvature).sentence
        assert "both tests of AdaN and that of the super-universal method pass" in sentence


def test_too_little_damping_is_seen():
    sentence = views.damping_test(times=0.25, gradient=1.0, curvature=0.0).sentence
    assert "AdaN's tests and that of the super-universal method fail" in sentence and "f rises" in sentence
    assert "fails" in views.damping_test(times=0.6, gradient=1.0, curvature=0.1).sentence


def test_the_step_is_that_of_the_formula():
    problem = views.waves(0.7, 0.2)
    step, left = views.damped(problem, 0.7, 0.5, so.newton.gradient_regularized_newton)
    assert step == pytest.approx(-0.7 / (0.2 + 0.5), rel=1e-14)
    assert left == pytest.approx(0.7 + 0.2 * step + 2.0 * (step - math.sin(step)), rel=1e-13)


@pytest.mark.parametrize("case", views.CASES)
def test_every_searched_damping_is_below_four_times_what_is_always_enough(case):
    run = views.case_run(so.newton.super_universal_newton, case, "1")
    enough = views.sufficient_damping(views.case_problem(case), run.grad_norm[:-1])
    searched = run["trials"][1:] > 1
    if np.any(np.isfinite(enough)):
        assert np.all(run["damping"][1:][searched] <= 4.0 * enough[searched])
    assert run.primal_gap[-1] <= 1.01 * views.GAP and run.primal_gap.min() > -1e-12


def test_constant_damping_is_constant():
    run = views.constant_damping("tumours", 0.01)
    assert run.status == "converged" and np.ptp(run["damping"][1:]) == 0.0


@pytest.mark.parametrize("setting", views.ORDERS)
def test_the_order_is_one_plus_the_exponent(setting):
    promised = 1.0 + views.ORDERS[setting][0]
    measured = so.measured_order(views.local_norms(setting).tolist(), floor=0.0)
    assert abs(measured.value - promised) < 0.16
