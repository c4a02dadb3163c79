"""What differs is named first, and nothing that rounding can do is called a difference."""

import functools

import numpy as np
import pytest

import secondorder as so
from secondorder.validate import Candidate, Difference, record
from secondorder.validate.comparison import accounts, first_difference, match, relative_error

ROSENBROCK = so.problems.rosenbrock()


TOLD = ("first_moment", "second_moment", "step")


def adam_like(problem, x, beta1=0.9, beta2=0.999, claimed=1.0, moved=1.0, late=0, told=TOLD, turned=None):
    """Adam, with what can be wrong in one of its quantities alone."""
    m = v = 0.0 * x
    account, t, past = {}, 0, []
    while True:
        grad = problem.grad(x)
        yield so.Iterate(x, **{name: account[name] for name in told if name in account})
        t += 1
        past.append(grad)
        m = beta1 * m + (1.0 - beta1) * grad
        v = beta2 * v + (1.0 - beta2) * past[max(0, t - 1 - late)] ** 2
        step = -1e-3 * (m / (1.0 - beta1**t)) / (np.sqrt(v / (1.0 - beta2**t)) + 1e-8)
        account = {"first_moment": m, "second_moment": v, "step": claimed * step}
        if turned is not None:
            account["first_moment"] = turned(account["first_moment"])
        x = x + moved * step


def held(hyper=None, steps=8, **wrong):
    recording = record(Candidate("mine", functools.partial(adam_like, **wrong)), ROSENBROCK, steps=steps)
    return match(so.diagonal.adam, hyper or {}, recording)


def test_a_candidate_that_agrees_does_in_every_quantity_and_at_every_step():
    found = held()
    assert found.agrees and found.steps == 8 and found.first is None
    assert set(found.errors) == {"first_moment", "second_moment", "step", "x"}
    assert found.worst <= 1e-13


@pytest.mark.parametrize(
    ("wrong", "step", "quantity"),
    [
        ({"beta1": 0.8}, 1, "first_moment"),
        ({"beta2": 0.99}, 1, "second_moment"),
        ({"late": 1}, 2, "second_moment"),
        ({"claimed": 2.0}, 1, "step"),
        ({"moved": 2.0}, 1, "x"),
        ({"moved": 2.0, "told": ()}, 1, "step"),
        ({"beta2": 0.99, "told": ()}, 2, "step"),
        ({"turned": lambda m: (m, m)}, 1, "first_moment"),
    ],
)
def test_the_first_quantity_to_differ_is_named_in_the_order_of_computation(wrong, step, quantity):
    first = held(**wrong).first
    assert (first.step, first.quantity) == (step, quantity)


def test_a_step_that_is_claimed_and_not_made_is_a_difference():
    """Its own account is right in every line, and yet it goes elsewhere."""
    found = held(moved=1.0 + 1e-9)
    assert found.first.quantity == "x" and np.nanmax(found.errors["step"]) < 1e-6


@pytest.mark.parametrize("size", [1e-6, 1e-9, 1e-11])
def test_a_difference_far_above_rounding_is_seen(size):
    assert held(beta1=0.9 * (1.0 + size)).first is not None


def test_errors_are_curves_that_start_where_there_is_something_to_compare():
    found = held(late=1)
    curve = found.errors["second_moment"]
    assert np.isnan(curve[0]) and curve[1] == 0.0 and np.all(curve[2:] > 1e-3)
    assert np.shape(found.tolerances["second_moment"]) == curve.shape


@pytest.mark.parametrize(
    ("theirs", "ours", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 3.0], [1.0, 2.0], 1.0 / 3.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        (([1.0], [2.0]), ([1.0], [4.0]), 0.5),
        (([1e-9], [2.0]), ([2e-9], [2.0]), 0.5),  # each layer is measured by itself
        ([1.0], [[1.0]], np.inf),
        ([1.0], ([1.0],), np.inf),
        ("drop", "away", np.inf),
        (True, True, 0.0),
        ([np.nan], [1.0], np.inf),
        ([np.inf], [np.inf], 0.0),
    ],
)
def test_the_relative_error_is_of_the_largest_entry(theirs, ours, error):
    def arrays(value):
        return (
            tuple(map(np.array, value))
            if isinstance(value, tuple)
            else np.array(value)
            if isinstance(value, list)
            else value
        )

    assert relative_error(arrays(theirs), arrays(ours)) == pytest.approx(error, rel=1e-12)


@pytest.mark.parametrize(
    ("turned", "words"),
    [
        (lambda m: (m, m), "is a tuple of 2"),
        (lambda m: m[None], "is an array of shape (1, 2), that of the reference an array of shape (2,)"),
        (lambda m: m * np.nan, "is not finite in the candidate"),
    ],
)
def test_what_no_number_can_say_is_said_in_words(turned, words):
    assert words in str(held(turned=turned).first)


@pytest.mark.parametrize("square", [False, True])
def test_a_transposed_quantity_is_called_so(square):
    matrix = np.arange(9.0).reshape(3, 3) if square else np.arange(6.0).reshape(2, 3)

    @so.method(paper="", needs=("grad",))
    def reference(problem, x):
        """Yields a matrix."""
        while True:
            yield so.Iterate(x, factor=matrix + 0.0)
            x = x - 1e-3 * problem.grad(x)

    def candidate(problem, x):
        for row in reference(problem):
            yield so.Iterate(row.x, factor=row.factor.T.copy())

    first = match(reference, {}, record(Candidate("turned", candidate), ROSENBROCK, steps=2)).first
    assert first.quantity == "factor" and str(first).endswith("transposed")


def test_where_rounding_decides_nothing_is_judged():
    """At a solution a step is nothing but rounding; so is what a candidate does there."""
    fit = so.problems.nist("Misra1a", start=2)

    def goes_its_own_way_in_the_end(problem, x):
        for k, row in enumerate(so.least_squares.gauss_newton(problem)):
            yield row if k < 9 else so.Iterate(row.x * (1.0 + 1e-12 * k))

    found = match(
        so.least_squares.gauss_newton, {}, record(Candidate("ends", goes_its_own_way_in_the_end), fit, steps=20)
    )
    assert found.agrees and 3 <= found.steps < 9 and "rounding decides" in found.ended


def test_a_float32_tolerance_lets_float32_pass_and_1e_3_not():
    def single(size):
        def iterates(problem, x):
            for row in adam_like(problem, x, beta1=0.9 * (1.0 + size)):
                yield so.Iterate(row.x.astype(np.float32).astype(float))

        return record(Candidate("single", iterates, float(np.finfo(np.float32).eps)), ROSENBROCK, steps=8)

    assert match(so.diagonal.adam, {}, single(0.0)).agrees
    assert match(so.diagonal.adam, {}, single(1e-1)).first is not None


def test_the_search_sees_what_the_full_match_sees():
    recording = record(Candidate("mine", functools.partial(adam_like, late=1)), ROSENBROCK, steps=8)
    found = match(so.diagonal.adam, {}, recording)
    quick = first_difference(so.diagonal.adam, {}, recording, found)
    assert (quick.step, quick.quantity, quick.error) == (found.first.step, found.first.quantity, found.first.error)


def test_a_reference_that_breaks_down_where_the_candidate_goes_on_is_a_difference():
    saddle = so.problems.himmelblau()  # its start is a point where the Hessian is indefinite
    recording = record(Candidate("flip", functools.partial(so.newton.newton, modification="flip")), saddle, steps=3)
    first = match(so.newton.newton, {}, recording).first
    assert isinstance(first, Difference) and "goes on, and the reference breaks down" in first.note


def test_a_step_is_the_difference_of_two_points_where_none_is_told():
    rows = [so.Iterate(np.array([1.0])), so.Iterate(np.array([3.0])), so.Iterate(np.array([3.0]), step=np.array([5.0]))]
    told = list(accounts(rows))
    assert told[0]["step"] is None and told[1] == {"step": 2.0} and told[2] == {"step": 5.0, "x": 0.0}


def textbook_levenberg_marquardt(problem, x):
    """Without any allowance for rounding in its tests of decrease."""
    weight = 2.0 * problem.residual_weight
    r, J = problem.residual(x), problem.jac(x)
    damping, growth, scale = 1e-3, 2.0, np.linalg.norm(J, axis=0)
    yield so.Iterate(x, f=weight * 0.5 * r @ r)
    while True:
        stacked = np.vstack([J, np.sqrt(damping) * np.diag(scale)])
        step = -np.linalg.lstsq(stacked, np.concatenate([r, 0.0 * x]), rcond=None)[0]
        promised = 0.5 * np.sum((J @ step) ** 2) + damping * np.sum((scale * step) ** 2)
        r_new = problem.residual(x + step)
        ratio = (0.5 * r @ r - 0.5 * r_new @ r_new) / promised
        account = {"damping": damping, "step": step, "accepted": bool(ratio > 1e-4)}
        if ratio > 1e-4:
            damping, growth = damping * max(1.0 / 3.0, 1.0 - (2.0 * ratio - 1.0) ** 3), 2.0
            x, r, J = x + step, r_new, problem.jac(x + step)
            scale = np.maximum(scale, np.linalg.norm(J, axis=0))
        else:
            damping, growth = damping * growth, 2.0 * growth
        yield so.Iterate(x, f=weight * 0.5 * r @ r, **account)


@pytest.mark.parametrize("name", ["Misra1a", "MGH09", "Chwirut2", "DanWood", "Rat42"])
def test_what_an_allowance_for_rounding_decides_is_not_held_against_a_candidate_without(name):
    recording = record(Candidate("textbook", textbook_levenberg_marquardt), so.problems.nist(name, start=1), steps=40)
    found = match(so.least_squares.levenberg_marquardt, {}, recording)
    assert found.agrees and found.steps >= 3
