"""From zero, with default settings, every Newton-type method solves real regressions to a gradient norm of 1e-8."""

import pytest

import secondorder as so

METHODS = [info.name for info in so.methods("newton") if "hess" in info.oracles()]
PROBLEMS = {
    "breast_cancer": lambda load: so.problems.logistic("breast_cancer", l2=1e-4),
    "breast_cancer standardised": lambda load: so.problems.logistic("breast_cancer", l2=1e-4, standardize=True),
    "digits": lambda load: so.problems.softmax("digits", l2=1e-4),
    "a9a": lambda load: so.problems.logistic(load("a9a"), l2=1e-6),
    "w8a": lambda load: so.problems.logistic(load("w8a"), l2=1e-6),
}


@pytest.fixture(params=PROBLEMS.values(), ids=PROBLEMS, scope="module")
def problem(request, classification):
    return request.param(classification)


@pytest.mark.parametrize("method", METHODS)
def test_it_converges(problem, method):
    history = so.minimize(problem, method)
    assert history.status == "converged"
    assert history.optimality["grad_norm"] <= 1e-8
    assert history.optimality["smallest_eigenvalue"] >= 0.9 * problem.l2
