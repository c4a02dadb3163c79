"""L-BFGS: in every step the direction of dense BFGS on the remembered pairs, from the newest scaling."""

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import cg, rounding

EPS = np.finfo(float).eps


def logistic():
    return so.problems.ill_scaled_logistic(n=200, d=12, decades=1.0, l2=1e-3)


PROBLEMS = {"rosenbrock": so.problems.rosenbrock, "logistic": logistic, "chain": lambda: so.problems.chain(8)}


def dense(pairs, d):
    """BFGS on these pairs, oldest first, from the scaling of the newest."""
    s, y = pairs[-1]
    G, eye = (s @ y) / (y @ y) * np.eye(d), np.eye(d)
    for s, y in pairs:
        rho = 1.0 / (y @ s)
        G = (eye - rho * np.outer(s, y)) @ G @ (eye - rho * np.outer(y, s)) + rho * np.outer(s, s)
    return G


@pytest.mark.parametrize("memory", [1, 3, 10, 1000])
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_every_direction_is_that_of_a_dense_twin(make, memory):
    problem = make()
    history = so.minimize(problem, "lbfgs", memory=memory, keep=("x", "step"), tol=1e-5)
    assert history.status == "converged"
    pairs = []
    for k in range(len(history) - 1):
        g, row = problem.grad(history["x"][k]), history.rows[k + 1]
        G = dense(pairs[-memory:], history.d) if pairs else np.eye(history.d)
        expected = -row["step_size"] * G @ g
        # The pairs are differences of points and of gradients, which carry their rounding.
        np.testing.assert_allclose(row["step"], expected, rtol=0, atol=1e-6 * np.linalg.norm(expected))
        s, y = row["step"], problem.grad(history["x"][k + 1]) - g
        if s @ y > 1e-8 * np.linalg.norm(s) * np.linalg.norm(y):
            pairs.append((s, y))
        assert row["pairs"] == min(len(pairs), memory)


def test_both_wolfe_conditions_hold_at_every_step():
    problem = so.problems.rosenbrock()
    history = so.minimize(problem, "lbfgs", curvature=0.5, keep=("x", "step"))
    assert history.status == "converged"
    for k in range(len(history) - 1):
        f, f_new, step = history.f[k], history.f[k + 1], history.rows[k + 1]["step"]
        slope = problem.grad(history["x"][k]) @ step
        assert slope < 0.0 and f_new <= f + 1e-4 * slope + rounding(f, f_new, EPS)
        assert abs(problem.grad(history["x"][k + 1]) @ step) <= 0.5 * abs(slope) * (1.0 + 1e-8)


@pytest.mark.parametrize("memory", [1, 4, 20])
def test_with_exact_searches_on_a_quadratic_it_is_conjugate_gradients(memory):
    """Whatever the memory: with exact searches one pair is enough."""
    problem = so.problems.quadratic([1.0, 2.0, 5.0, 20.0, 50.0], rotate=True, x0=np.arange(1.0, 6.0))
    history = so.minimize(problem, "lbfgs", memory=memory, curvature=1e-10, keep="x", steps=5, tol=0.0)
    g = problem.grad(problem.x0)
    for k in range(1, 6):
        expected = problem.x0 + cg(lambda v: problem.A @ v, -g, tol=0.0, max_iterations=k).x
        np.testing.assert_allclose(history["x"][k], expected, atol=1e-7)


def test_one_value_and_one_gradient_a_trial():
    history = so.minimize(so.problems.rosenbrock(), "lbfgs")
    trials = np.nansum(history["trials"])
    assert history.oracle == {"f": 1 + trials, "grad": 1 + trials, "hess": 0, "hvp": 0}


def test_a_thousand_variables_need_no_matrix():
    problem = so.problems.quadratic(np.geomspace(1.0, 1e3, 1000))
    history = so.minimize(problem, "lbfgs", tol=1e-6)
    assert history.status == "converged" and len(history) < 500


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, x0=[1.0])
    history = so.minimize(spike, "lbfgs")
    assert (history.status, len(history)) == ("stalled", 1)


def test_a_fixed_step_is_that_of_the_recursion_and_the_first_at_most_one_in_sum():
    problem = logistic()
    for fixed_step in (1.0, 0.5):
        history = so.minimize(problem, "lbfgs", fixed_step=fixed_step, keep=("x", "step"), steps=8)
        first = problem.grad(problem.x0)
        size = fixed_step * min(1.0, 1.0 / np.abs(first).sum())
        np.testing.assert_allclose(history["step"][1], -size * first, rtol=1e-12)
        assert history.oracle["f"] == 0 and history.oracle["grad"] == 9
        assert set(history["step_size"][2:]) == {fixed_step} and set(history["trials"][1:]) == {1}
        x = history["x"]
        pairs = [(x[k + 1] - x[k], problem.grad(x[k + 1]) - problem.grad(x[k])) for k in range(4)]
        expected = -fixed_step * dense(pairs, history.d) @ problem.grad(x[4])
        np.testing.assert_allclose(history["step"][5], expected, rtol=0, atol=1e-6 * np.linalg.norm(expected))


def test_the_first_fixed_step_is_cut_where_the_gradient_is_long():
    problem = so.problems.quadratic([1.0, 100.0], x0=[3.0, 4.0])
    step = so.minimize(problem, "lbfgs", fixed_step=1.0, keep="step", steps=1)["step"][1]
    assert np.abs(step).sum() == pytest.approx(1.0, rel=1e-12)
