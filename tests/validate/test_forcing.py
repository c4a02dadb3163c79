"""Why the reference is led by points rather than by the order of calls, or by a shift alone; with numbers."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest

import secondorder as so
from secondorder.arrays import norm
from secondorder.validate import Candidate, record
from secondorder.validate.comparison import match
from secondorder.validate.forcing import Replay, follow

ROSENBROCK = so.problems.rosenbrock()
CHAOTIC = so.Problem(lambda x: float(np.sum(-np.cos(40.0 * x))), lambda x: 40.0 * np.sin(40.0 * x), x0=[1.0, 0.3])


def step_errors(rows, recording):
    return max(
        norm((b.x - a.x) - (d.x - c.x)) / norm(d.x - c.x)
        for (a, b), (c, d) in zip(itertools.pairwise(rows), itertools.pairwise(recording.rows), strict=False)
    )


def one_call_more(problem, x):
    """Newton, which looks at f once in every step, to no purpose."""
    while True:
        grad = problem.grad(x)
        yield so.Iterate(x, grad=grad)
        problem.grad(x + 1.0)
        x = x - np.linalg.solve(problem.hess(x), grad)


def test_replaying_by_the_order_of_calls_breaks_with_one_call_more():
    logistic = so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2)
    recording = record(Candidate("one more", one_call_more), logistic, steps=6)
    answers = iter([query.answer for queries in recording.queries for query in queries if query.oracle == "grad"])
    in_order = so.Problem(logistic.f, lambda x: next(answers), logistic.hess, x0=logistic.x0)
    by_order = list(itertools.islice(so.newton.newton(in_order, line_search=None), 5))
    by_point = list(follow(so.newton.newton, {"line_search": None}, recording))
    assert step_errors(by_order, recording) > 0.1
    assert step_errors(by_point, recording) < 1e-10


def test_points_that_coincide_get_the_answer_on_record_bit_for_bit():
    recording = record(Candidate("gd", so.newton.gradient_descent), ROSENBROCK, steps=3)
    replay = Replay(recording)
    replay.row, replay.x = 1, recording.rows[1].x * (1.0 + 1e-15)
    query = next(
        q for q in recording.queries[1] if q.oracle == "grad" and np.array_equal(q.arguments[0], recording.rows[1].x)
    )
    answer = replay.answer(ROSENBROCK, "grad", replay.x)
    np.testing.assert_array_equal(answer, query.answer)
    assert not np.array_equal(answer, ROSENBROCK.grad(replay.x))


@so.method(paper="", needs=("grad",))
def heavy_ball(problem, x, *, rounding: so.catalogue.nonnegative = 0.0):
    """Gradient descent with momentum, each velocity off by this much of itself."""
    velocity = 0.0 * x
    while True:
        grad = problem.grad(x)
        yield so.Iterate(x, grad=grad)
        velocity = (0.9 * velocity - 1e-3 * grad) * (1.0 + rounding)
        x = x + velocity


def test_a_reference_that_runs_free_drifts_away_and_one_that_is_led_does_not():
    """A difference of 1e-13 a step: after 400 steps the gradients, and with them the steps, have nothing in common any more.
    The forced reference differs by what was put in, in no step by more than ten times as much."""
    recording = record(Candidate("drifting", functools.partial(heavy_ball, rounding=1e-13)), CHAOTIC, steps=400)
    free = list(itertools.islice(heavy_ball(CHAOTIC), 401))
    led = list(follow(heavy_ball, {}, recording))
    assert step_errors(free, recording) > 1e-10
    assert step_errors(led, recording) < 3e-12


def test_shifting_the_questions_alone_is_worse_than_giving_the_answers_on_record():
    """The reference asks at its point less its offset, which is the candidate's point but for rounding; so small a shift is
    magnified by the curvature at a steep place, and the answer on record has no such error."""
    steep = so.Problem(lambda x: float(np.sum(np.cos(1e9 * x)) / 1e9), lambda x: -np.sin(1e9 * x), x0=[1.0, 2.0])
    recording = record(Candidate("drifting", functools.partial(heavy_ball, rounding=1e-13)), steep, steps=20)
    led = list(follow(heavy_ball, {}, recording))
    with_answers = step_errors(led, recording)
    shifted = step_errors(list(follow(heavy_ball, {}, without_answers(recording))), recording)
    assert 1e3 * with_answers < shifted


def without_answers(recording):
    """The same, but with nothing to look up: every question goes to the problem, at the shifted point."""
    none = tuple(() for _ in recording.queries)
    return dataclasses.replace(recording, queries=none, facts={"searched": True})


@pytest.mark.parametrize("method", ["adahessian", "kfac"])
def test_probes_are_those_of_the_candidate(method):
    """Whatever generator it draws from: the reference is led by the vectors that were multiplied by the Hessian, and is given
    the signals that were drawn."""
    function = getattr(so.diagonal, method, None) or getattr(so.kronecker, method)

    def own_seed(problem, x):
        yield from function(problem, rng=np.random.default_rng(77))

    recording = record(Candidate(method, own_seed), so.validate.problems_for(function.method)[0], steps=5, seed=0)
    assert match(function, {}, recording).agrees


def test_with_rounding_every_answer_moves_by_a_rounding_unit_and_a_hessian_stays_symmetric():
    recording = record(Candidate("newton", so.newton.newton), ROSENBROCK, steps=2)
    replay = Replay(recording, np.random.default_rng(0))
    H, exact = replay.answer(ROSENBROCK, "hess", recording.rows[0].x), ROSENBROCK.hess(recording.rows[0].x)
    np.testing.assert_array_equal(H, H.T)
    assert 0.0 < np.max(np.abs(H - exact)) <= 2.0**-52 * np.max(np.abs(exact))
