"""Logistic regression on an l1 ball."""

import numpy as np
import pytest

import secondorder as so
from secondorder.problems import l1_logistic


@pytest.mark.parametrize("radius", [0.5, 2.0])
def test_the_solution_meets_the_conditions_of_the_penalised_problem(radius):
    """On the sphere, with the gradient -lambda sign(x_i) on the support and no larger elsewhere."""
    problem = l1_logistic(radius=radius)
    x = so.minimize(problem, "pairwise", step_rule="exact", tol=1e-12).x
    grad, support = problem.grad(x), np.abs(x) > 1e-6
    largest = np.max(np.abs(grad))
    assert abs(np.sum(np.abs(x)) - radius) <= 1e-12
    np.testing.assert_allclose(grad[support], -largest * np.sign(x[support]), rtol=1e-4)
    assert 0 < support.sum() < x.size


def test_it_is_the_logistic_problem_without_a_ridge():
    problem, plain = l1_logistic(radius=3.0), so.problems.logistic("breast_cancer", l2=0.0, standardize=True)
    x = problem.lmo(plain.grad(plain.x0))
    assert problem.f(x) == plain.f(x) and np.abs(x).sum() == 3.0
    with pytest.raises(ValueError, match="radius must be a finite number above 0; got 0"):
        l1_logistic(radius=0)
