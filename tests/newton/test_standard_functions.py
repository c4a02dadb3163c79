"""The collection of Moré, Garbow and Hillstrom, from its own starts, with default settings."""

import numpy as np
import pytest

import secondorder as so

FUNCTIONS = so.problems.test_functions()
METHODS = ("trust_region", "arc")
MATRIX_FREE = {"trust_region": {"subproblem": "steihaug"}, "arc": {"subproblem": "krylov"}, "newton_cg": {}}

VALLEYS = {
    # Down a valley that leads to infinity, where f tends to 0.242677.
    ("trust_region", "biggs_exp6"): (0.2426, {"initial_radius": 1.0}),
    # After a first stretch with sigma at 1e6, along a valley in which sigma falls only as fast as the gradient norm.
    ("arc", "osborne_1"): (0.047, {"initial_sigma": 1.0}),
}


def reached(problem, f):
    """One of the known minima: to six digits, or 1e-8 where the value is zero."""
    return any(abs(f - known) <= (1e-6 * abs(known) or 1e-8) for known in problem.known_minima)


def assert_honest(problem, history):
    """Converged is said only where the gradient is small against the largest one met, and not only absolutely."""
    size = float(np.linalg.norm(problem.grad(history.x)))
    assert history.status != "converged" or (size <= 1e-8 and size <= 1e-5 * np.max(history.grad_norm))
    assert history.status in {"converged", "stalled", "step_limit"}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("method", METHODS)
def test_a_known_minimum_is_reached(method, name):
    problem = FUNCTIONS[name]()
    history = so.minimize(problem, method)
    assert reached(problem, history.f[-1]), history
    # The values of meyer's function are near 88, its curvatures up to 1e10: 1e-8 is below the rounding of the gradient.
    assert history.status == ("stalled" if name == "meyer" else "converged")
    assert_honest(problem, history)
    size = np.linalg.norm(problem.hess(history.x), 2)
    assert history.optimality["smallest_eigenvalue"] >= -1e-14 * size


@pytest.mark.parametrize(("method", "name"), VALLEYS)
def test_a_valley_without_end_is_not_called_converged(method, name):
    problem = FUNCTIONS[name]()
    level, hyper = VALLEYS[method, name]
    history = so.minimize(problem, method, steps=2000, **hyper)
    assert history.status == "step_limit" and history.f[-1] > level
    assert not reached(problem, history.f[-1])
    assert_honest(problem, history)


@pytest.mark.parametrize("method", MATRIX_FREE)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_matrix_free_methods_do_not_claim_too_much(name, method):
    problem = FUNCTIONS[name]()
    history = so.minimize(problem, method, steps=300, **MATRIX_FREE[method])
    assert_honest(problem, history)
    assert history.f[-1] <= history.f[0]
    assert history.status != "converged" or reached(problem, history.f[-1]), history
