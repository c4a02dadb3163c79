"""What the chapter on polynomial preconditioning says of its pictures."""

import numpy as np
import pytest

from secondorder.labs.views import polynomial as views
from secondorder.newton import lbfgs, newton_cg, polynomial_preconditioned_gradient


@pytest.mark.parametrize("polynomial", ["symmetric", "chebyshev"])
@pytest.mark.parametrize("spectrum", ["three huge", "one huge"])
def test_the_closed_form_counts_the_steps_of_the_run(spectrum, polynomial):
    for degree in (4, 6):
        steps = views.steps_needed(spectrum, polynomial, degree)
        run = views.quadratic_run(polynomial_preconditioned_gradient, spectrum, polynomial, degree)
        assert len(run) - 1 == min(steps, views.STEPS)
        assert run.status == ("finished" if steps <= views.STEPS else "step_limit")


@pytest.mark.parametrize("spectrum", views.SPECTRA)
def test_what_is_drawn_has_the_condition_number_that_is_said(spectrum):
    for degree in views.DEGREES:
        made = views.after(spectrum, "symmetric", degree)
        # Rounding of the alternating sums, which the chapter speaks of, is 3e-6 at degree 6 with three huge ones.
        assert made.max() / made.min() == pytest.approx(views.condition(spectrum, "symmetric", degree), rel=1e-4)
        made = views.after(spectrum, "chebyshev", degree)
        assert made.max() / made.min() <= 1.001 * views.condition(spectrum, "chebyshev", degree)


@pytest.mark.parametrize("spectrum", views.SPECTRA)
def test_conjugate_gradients_are_below_every_run_at_the_same_products(spectrum):
    exact = views.conjugate_gradients(spectrum)
    for polynomial in views.POLYNOMIALS:
        run = views.quadratic_run(polynomial_preconditioned_gradient, spectrum, polynomial, 3)
        # k steps of degree 3 lie in the Krylov space of 4 k products.
        for k in range(1, min(len(run), (len(exact) - 1) // 4 + 1)):
            assert exact[4 * k] <= run.f[k] / run.f[0] * (1.0 + 1e-5) + 1e-12, "up to lost orthogonality"


def test_the_interval_of_the_hessian_relative_to_b():
    for case in views.CASES:
        problem = views.regression(case)
        low, high = views.relative_spectrum(case, problem.x0)
        assert low == pytest.approx(1.0, rel=1e-6) and high == pytest.approx(1.0, rel=1e-6), "at 0 every weight is 1/4"
        low, high = views.relative_spectrum(case, views.other_run(newton_cg, case).x)
        assert 0.0 < low < 0.1 and high < 1.0


def test_the_second_picture_tells_the_methods_apart():
    costs = [views.other_run(method, "tumours").cost()[-1] for method in (newton_cg, lbfgs)]
    low, high = (views.regression_run(polynomial_preconditioned_gradient, "tumours", "krylov", d) for d in (0, 8))
    assert max(costs) < low.cost()[-1] < high.cost()[-1] / 3.0
    assert np.all(low["M"][1:] <= 2.0)
    assert "is 1e-8" in views.fixed_metric(degree=0, case="tumours").sentence
    assert "is still" in views.fixed_metric(degree=0, polynomial="symmetric").sentence
