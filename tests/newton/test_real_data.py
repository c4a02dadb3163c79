"""From zero, with default settings: who solves real regressions to a gradient norm of 1e-8, and who does not."""

import pytest

import secondorder as so

FIRST_ORDER = ("gradient_descent", "nesterov", "nonlinear_cg")
QUASI_NEWTON = ("lbfgs", "bfgs", "sr1")
METHODS = [info.name for info in so.methods("newton") if {"hess", "hvp"} & set(info.oracles())]
MATRIX_FREE = {"trust_region": {"subproblem": "steihaug"}, "arc": {"subproblem": "krylov"}}
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


def assert_solved(problem, history):
    assert history.status == "converged"
    assert history.optimality["grad_norm"] <= 1e-8
    assert history.optimality["smallest_eigenvalue"] >= 0.9 * problem.l2


@pytest.mark.parametrize("method", METHODS)
def test_it_converges(problem, method):
    assert_solved(problem, so.minimize(problem, method))


@pytest.mark.parametrize("method", MATRIX_FREE)
def test_so_does_its_matrix_free_variant(problem, method):
    history = so.minimize(problem, method, **MATRIX_FREE[method])
    assert history.oracle["hess"] == 0
    assert_solved(problem, history)


@pytest.mark.parametrize("forcing", ["fixed", "square_root", "eisenstat_walker_1"])
def test_so_does_every_forcing_term(forcing):
    for name in ("breast_cancer", "breast_cancer standardised"):
        problem = PROBLEMS[name](None)
        assert_solved(problem, so.minimize(problem, "newton_cg", forcing=forcing))


@pytest.mark.parametrize("method", ["nesterov", "nonlinear_cg", *QUASI_NEWTON])
def test_standardised_features_are_solved_without_second_derivatives(method):
    problem = PROBLEMS["breast_cancer standardised"](None)
    history = so.minimize(problem, method)
    assert history.oracle["hess"] == history.oracle["hvp"] == 0
    assert_solved(problem, history)


@pytest.mark.parametrize("method", ["bfgs", "sr1"])
def test_raw_features_are_solved_by_dense_quasi_newton_methods(method):
    problem = PROBLEMS["breast_cancer"](None)
    assert_solved(problem, so.minimize(problem, method))


@pytest.mark.parametrize("method", [*FIRST_ORDER, "lbfgs"])
def test_raw_features_are_too_ill_conditioned_without_a_matrix(method):
    """Scales from 1e-3 to 1e3, and a condition number near 1e9: ten thousand steps do not suffice, and the end says so."""
    problem = PROBLEMS["breast_cancer"](None)
    history = so.minimize(problem, method)
    assert history.status in {"step_limit", "stalled"}
    assert history.optimality["grad_norm"] > 1e-8
    best = so.minimize(problem, "newton")
    assert history.f[-1] > best.f[-1]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "l2"), [("lbfgs", 1e-4), ("nonlinear_cg", 1e-4), ("nesterov", 1e-2)])
def test_raw_features_are_solved_with_patience(method, l2):
    """Some 15 000, 40 000 and 130 000 steps."""
    problem = so.problems.logistic("breast_cancer", l2=l2)
    assert_solved(problem, so.minimize(problem, method, steps=10**6))
