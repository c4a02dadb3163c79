"""A recording holds what a candidate did and was told, and says in words what went wrong."""

import sys
import time

import numpy as np
import pytest

import secondorder as so
from secondorder.validate import Candidate, record


def quadratic():
    return so.problems.quadratic([1.0, 4.0])


def descent(problem, x):
    while True:
        yield so.Iterate(x)
        x = x - 0.1 * problem.grad(x)


def run(iterates, steps=5, problem=None, **options):
    return record(Candidate("mine", iterates), problem or quadratic(), steps=steps, **options)


def test_rows_and_queries_belong_together():
    recording = run(descent, steps=3)
    assert [len(queries) for queries in recording.queries] == [
        1,
        1,
        1,
        0,
    ]  # the last gradient is asked for the next row
    for row, (query,) in zip(recording.rows, recording.queries[:-1], strict=False):
        assert query.oracle == "grad"
        np.testing.assert_array_equal(query.arguments[0], row.x)
        np.testing.assert_array_equal(query.answer, quadratic().grad(row.x))
    assert recording.one_point and recording.failure == recording.status == ""


def test_trial_points_between_two_rows_belong_to_the_first():
    def searching(problem, x):
        while True:
            yield so.Iterate(x)
            problem.f(x + 1.0)
            x = x - 0.1 * problem.grad(x)

    recording = run(searching, steps=2)
    assert [[query.oracle for query in queries] for queries in recording.queries] == [["f", "grad"]] * 2 + [[]]
    assert not recording.one_point


def test_nothing_asked_while_the_start_is_prepared_is_on_record():
    constrained = quadratic().subject_to(so.sets.Simplex(2))
    recording = record(Candidate("mine", so.frank_wolfe.frank_wolfe), constrained, steps=1)
    assert [query.oracle for query in recording.queries[0]].count("lmo") == 1


def test_batches_are_drawn_from_the_seed_and_kept_with_their_queries():
    problem = so.validate.problems_for(so.diagonal.adam.method)[0]

    def runs(seed):
        recording = record(Candidate("adam", so.diagonal.adam), problem, steps=3, seed=seed, batch_size=4)
        return recording, np.stack([row.x for row in recording.rows])

    (first, x), (_, again), (_, other) = runs(1), runs(1), runs(2)
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, other)
    assert {query.problem.n for queries in first.queries for query in queries} == {4}


def test_arrays_on_record_do_not_change_when_the_candidate_goes_on():
    def reusing(problem, x):
        x, buffer = x.copy(), np.zeros(2)
        while True:
            yield so.Iterate(x.copy())
            buffer[:] = x
            x = x - 0.1 * problem.grad(buffer)

    recording = run(reusing)
    for row, queries in zip(recording.rows, recording.queries, strict=True):
        for query in queries:
            np.testing.assert_array_equal(query.arguments[0], row.x)


def raises(problem, x):
    yield so.Iterate(x)
    raise ZeroDivisionError("of my own\nmaking")


def exits(problem, x):
    yield so.Iterate(x)
    sys.exit(3)


def wrong_shape(problem, x):
    yield so.Iterate(x)
    yield so.Iterate(np.zeros(3))


def not_finite(problem, x):
    yield so.Iterate(x)
    yield so.Iterate(x * np.nan)


def an_array(problem, x):
    yield x


def writes_to_x(problem, x):
    yield so.Iterate(x)
    x -= 1.0
    yield so.Iterate(x)


def writes_to_an_answer(problem, x):
    yield so.Iterate(x)
    grad = problem.grad(x)
    grad *= 0.1
    yield so.Iterate(x - grad)


def asks_for_more(problem, x):
    yield so.Iterate(x)
    problem.residual(x)


@pytest.mark.parametrize(
    ("bad", "rows", "words"),
    [
        (raises, 1, "step 1: ZeroDivisionError: of my own making"),
        (exits, 1, "step 1: SystemExit: 3"),
        (wrong_shape, 1, "x must have shape (2,); got (3,)"),
        (not_finite, 1, "x is not finite"),
        (an_array, 0, "step 0: TypeError: a candidate yields secondorder.Iterate(x, ...); got ndarray"),
        (writes_to_x, 1, "must not be written to"),
        (writes_to_an_answer, 1, "must not be written to"),
        (asks_for_more, 1, "step 1: "),
        (lambda problem, y: iter(()), 0, ""),
    ],
)
def test_what_goes_wrong_is_said_in_one_line_and_the_rows_so_far_are_kept(bad, rows, words):
    recording = run(bad)
    assert len(recording.rows) == rows
    assert words in recording.failure and "\n" not in recording.failure


def test_the_callers_problem_and_start_are_left_as_they_were():
    problem, x0 = quadratic(), np.ones(2)
    run(writes_to_x, problem=problem, x0=x0)
    np.testing.assert_array_equal(x0, 1.0)
    assert vars(problem).keys() == vars(quadratic()).keys()


@pytest.mark.parametrize("asking", [False, True])
def test_what_hangs_is_left_when_the_time_is_over(asking):
    def hangs(problem, x):
        yield so.Iterate(x)
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            time.sleep(0.01)
            if asking:
                problem.grad(x)
        yield so.Iterate(x)

    began = time.monotonic()
    recording = run(hangs, seconds=0.3)
    assert time.monotonic() - began < 5.0
    assert recording.failure == "step 1: it took longer than 0.3 s" and len(recording.rows) == 1


def test_an_end_of_its_own_is_a_status():
    def ends(problem, x):
        yield so.Iterate(x)
        return "stalled: here"

    assert run(ends).status == "stalled: here"
    assert run(lambda problem, x: iter([so.Iterate(x)])).status == "finished"


def test_a_float32_candidate_starts_at_a_float32_number():
    recording = record(Candidate("single", descent, 2.0**-23), quadratic(), [0.1, 0.2], steps=1)
    np.testing.assert_array_equal(recording.rows[0].x, np.float32([0.1, 0.2]).astype(float))


def test_only_a_bad_problem_or_start_raises():
    with pytest.raises(TypeError, match="problem must be a Problem"):
        run(descent, problem=lambda x: 0.0)
    with pytest.raises(ValueError, match=r"x0 must have shape \(2,\)"):
        run(descent, x0=[1.0, 2.0, 3.0])
