"""Stopping rules, alone and composed."""

import pytest

import secondorder as so
from secondorder.stopping import all_of, any_of, step_limit, target, time_limit, tolerance

ROW = {"step": 3, "elapsed": 0.5, "f": 1.0, "grad_norm": 1e-3}
RULES = [
    (tolerance("grad_norm", 1e-3), "converged"),
    (tolerance("grad_norm", 9e-4), None),
    (tolerance("gap", 1.0), None),
    (target(1.0), "converged"),
    (target(0.9), None),
    (step_limit(3), "step_limit"),
    (step_limit(4), None),
    (time_limit(0.5), "time_limit"),
    (time_limit(0.6), None),
    (any_of(step_limit(4), target(1.0), time_limit(0.0)), "converged"),
    (any_of(), None),
    (all_of(step_limit(3), target(1.0)), "converged"),
    (all_of(step_limit(4), target(1.0)), None),
]


@pytest.mark.parametrize(("rule", "status"), RULES)
def test_rule(rule, status):
    assert rule(ROW) == status


def test_a_rule_is_one_more_of_a_run():
    problem = so.problems.rosenbrock()
    history = so.minimize(problem, "newton", stop=target(1e-3))
    assert history.status == "converged" and history.f[-1] <= 1e-3 < history.f[-2]
    both = so.minimize(problem, "newton", stop=all_of(target(1e-3), step_limit(18)))
    assert (both.status, len(both)) == ("step_limit", 19)


def test_a_rule_of_ones_own_names_the_status():
    history = so.minimize(so.problems.rosenbrock(), "newton", stop=lambda row: "stalled" if row["step"] == 2 else None)
    assert (history.status, len(history)) == ("stalled", 3)


def test_the_time_limit_is_wall_time():
    def slow(x):
        __import__("time").sleep(0.02)
        return float(x @ x)

    problem = so.Problem(slow, grad=lambda x: 2e-3 * x, x0=[1.0])
    history = so.minimize(problem, "gradient_descent", lipschitz=1.0, seconds=0.1, tol=0.0)
    assert history.status == "time_limit" and 2 <= len(history) <= 7
