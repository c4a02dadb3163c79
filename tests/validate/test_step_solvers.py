"""The battery of subproblems: right solvers pass, and each kind of wrong one fails where it is wrong, in words."""

import time

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from secondorder.linalg import cubic_step, eigen, trust_region_step
from secondorder.validate import check_step_solver
from secondorder.validate.step_solvers import battery, judged


def trust_region(g, H, radius):
    return trust_region_step(g, eigen(H), radius).step


def cubic(g, H, M):
    return cubic_step(g, eigen(H), M).step


def newton(g, H, radius):
    step = -np.linalg.lstsq(H, g, rcond=None)[0]
    return step * min(1.0, radius / max(np.linalg.norm(step), 1e-300))


def by_search(g, H, radius):
    """A second right solver: bisection for the multiplier, and the eigenvector where no multiplier is long enough."""
    values, Q = np.linalg.eigh(H)
    c = Q.T @ g
    low = max(0.0, -values[0])

    def step(shift):
        positive = values + shift > 1e-14 * max(1.0, np.max(np.abs(values)))
        return np.where(positive, -c / np.where(positive, values + shift, 1.0), 0.0)

    reach = np.abs(c[values + low <= 1e-14 * max(1.0, np.max(np.abs(values)))])
    if np.all(reach <= 1e-300) and np.linalg.norm(step(low)) <= radius:
        h = step(low)
        if values[0] < 0.0:
            h[0] = np.sqrt(radius**2 - h @ h)
        return Q @ h
    low, high = low, low + np.linalg.norm(g) / radius
    for _ in range(200):
        middle = (low + high) / 2.0
        low, high = (middle, high) if np.linalg.norm(c / (values + middle)) > radius else (low, middle)
    return -Q @ (c / (values + high))


@pytest.mark.parametrize(("solver", "kind"), [(trust_region, "trust_region"), (cubic, "cubic")])
def test_the_solvers_of_the_package_pass(solver, kind):
    finding = check_step_solver(solver, kind)
    assert finding and finding.passed is True and finding.name == "model optimality"
    assert finding.measured["cases"] == len(list(battery())) and not finding.measured["failed"]
    assert "globally optimal in all" in finding.words


def test_another_right_solver_fails_nowhere_but_at_extremes():
    """Bisection on the multiplier itself loses what a tiny component along the lowest eigenvector needs."""
    failed = check_step_solver(by_search).measured["failed"]
    assert all(name.startswith(("near-hard, 1e-12", "hard, d=")) for name in failed), failed


def test_a_newton_step_cut_to_the_radius_is_a_saddle_of_an_indefinite_model():
    finding = check_step_solver(newton)
    failed = finding.measured["failed"]
    assert not finding and finding.passed is False
    assert failed["indefinite, d=5"].startswith("steps to a saddle of the model: misses ")
    assert failed["zero gradient, indefinite, d=5"].startswith("does not leave the saddle")
    assert "positive definite, inside, d=5" not in failed
    assert finding.words.startswith(f"{len(failed)} of {finding.measured['cases']} cases fail: ")


def test_the_hard_case_without_the_eigenvector_is_named():
    def without(g, H, radius):
        lowest, step = np.linalg.eigh(H)[1][:, 0], trust_region(g, H, radius)
        return step - lowest * (lowest @ step) if abs(lowest @ g) <= 1e-5 * np.linalg.norm(g) else step

    failed = check_step_solver(without).measured["failed"]
    assert failed and all("hard" in name or "zero gradient, indefinite" in name for name in failed)
    assert failed["hard, d=5"].startswith("lacks the part along the lowest eigenvector (hard case): misses ")
    assert "indefinite, d=5" not in failed


def test_another_convention_of_the_cubic_term_is_a_wrong_length():
    """M/3 for M/6: right directions for one dimension, steps that are too short."""
    finding = check_step_solver(lambda g, H, M: cubic(g, H, 2.0 * M), "cubic")
    assert finding.measured["failed"]["zero Hessian, d=1"].startswith(
        "has the right direction and 0.707 times the length"
    )
    assert not finding


def test_the_silent_wrong_step_of_the_example_is_found():
    """g = (0.1, 1), H = diag(-3, 1), |s|^3/3: the stationary point on the wrong side of the pole has the value -0.346."""

    def on_the_wrong_side(g, H, M):
        values, Q = np.linalg.eigh(H)
        c = Q.T @ g
        found = minimize_scalar(
            lambda s: (np.linalg.norm(c / (values + s)) - 2.0 * s / M) ** 2,
            bounds=(1e-9, max(1e-8, -values[0] - 1e-6) if values[0] < 0 else 100.0),
            method="bounded",
        ).x
        return -Q @ (c / (values + found))

    failed = check_step_solver(on_the_wrong_side, "cubic").measured["failed"]
    name = "the example g=(0.1, 1), H=diag(-3, 1)"
    assert failed[name].startswith("steps to a saddle of the model: misses 9")
    case = next(case for case in battery() if case.name == name)
    best = cubic_step(case.grad, eigen(case.H), case.parameter)
    assert -best.decrease == pytest.approx(-4.926, abs=5e-4)


def test_steps_out_of_the_region_and_short_steps():
    long = check_step_solver(lambda g, H, radius: 1.01 * trust_region(g, H, radius)).measured["failed"]
    assert long["indefinite, d=5"] == "leaves the region: length 1.01, radius 1"
    short = check_step_solver(lambda g, H, radius: 0.9 * trust_region(g, H, radius)).measured["failed"]
    assert "0.9 times the length" in short["indefinite, d=20"]
    assert check_step_solver(lambda g, H, radius: 0.95 * trust_region(g, H, radius), tolerance=0.2).passed


FAULTS = {
    "raises": (lambda g, H, r: 1 / 0, "raises ZeroDivisionError: division by zero"),
    "shape": (lambda g, H, r: np.zeros((len(g), 1)), "returns shape (1, 1), not (1,)"),
    "nan": (lambda g, H, r: g * np.nan, "returns numbers that are not finite"),
    "text": (lambda g, H, r: "south", "returns str, not an array of shape (1,)"),
    "exit": (lambda g, H, r: exit(), "raises SystemExit: None"),
}


@pytest.mark.parametrize(("solver", "words"), FAULTS.values(), ids=FAULTS)
def test_what_goes_wrong_is_a_failed_case_and_no_traceback(solver, words):
    finding = check_step_solver(solver)
    assert set(finding.measured["failed"]) == {case.name for case in battery()}
    assert finding.measured["failed"]["positive definite, d=1"] == words


def test_arguments_must_be_left_alone():
    def greedy(g, H, radius):
        step = trust_region(g, H, radius)
        H += np.eye(len(g))
        return step

    assert set(check_step_solver(greedy).measured["failed"].values()) == {"changes its arguments"}


def test_a_solver_that_hangs_is_stopped_and_the_rest_not_tried():
    alive = []

    def hangs(g, H, radius):
        while True:
            alive.append(time.perf_counter())
            time.sleep(0.01)

    finding = check_step_solver(hangs, seconds=0.1)
    assert finding.measured["cases"] == 2
    assert set(finding.measured["failed"].values()) == {"no answer within 0.1 s"}
    time.sleep(0.05)
    beats = len(alive)
    time.sleep(0.1)
    assert len(alive) <= beats + 1, "the thread has ended"


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="kind must be 'trust_region' or 'cubic'; got 'quartic'"):
        check_step_solver(trust_region, "quartic")
    with pytest.raises(TypeError, match="solver must be a function"):
        check_step_solver(3.0)
    with pytest.raises(ValueError, match="tolerance must be a finite number above 0"):
        check_step_solver(trust_region, tolerance=0.0)


def test_a_step_is_judged_by_the_model_not_by_the_path_to_it():
    """Of the two minimisers of an even model either will do."""
    case = next(case for case in battery() if case.name == "zero gradient, indefinite, d=5")
    step = trust_region(case.grad, case.H, case.parameter)
    assert judged(case, step, "trust_region", 1e-9) == judged(case, -step, "trust_region", 1e-9) == (0.0, "")
