"""Whatever a candidate does, a report comes back; and the report says what an engineer needs."""

import functools
import json
import math
import time

import numpy as np
import pytest

import secondorder as so
from secondorder.validate import Candidate, assert_matches, check, from_step, problems_for, record

ROSENBROCK = so.problems.rosenbrock()


def adam_step(params, grad, state, beta1=0.9, beta2=0.999, rate=1e-3):
    """Adam as it is often written: the corrections inside the rate, in the precision of its arguments."""
    t = state["t"] + 1
    m = state["m"] + (1 - beta1) * (grad - state["m"])
    v = beta2 * state["v"] + (1 - beta2) * np.square(grad)
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + 1e-8
    return params - rate / (1 - beta1**t) * m / root, {"t": t, "m": m, "v": v}


def of_adam(dtype="float64", **changed):
    zero = np.zeros(1, dtype)
    return from_step(functools.partial(adam_step, **changed), {"t": 0, "m": zero, "v": zero}, name="adam", dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_adam_in_other_arithmetic_agrees_on_every_problem(dtype):
    report = check(of_adam(dtype), "adam")
    assert report.agrees and report.steps == 20, str(report)
    assert report.headline.endswith("on mlp and rosenbrock: agrees")
    assert report.match.worst < 1000.0 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_minibatches_are_the_same_for_both(dtype):
    network = problems_for(so.diagonal.adam.method)[0]
    assert check(of_adam(dtype), "adam", network, batch_size=5, seed=3).agrees

    def generator(problem, x, *, batch_size=None, rng=None):
        yield from so.diagonal.adam(problem, batch_size=batch_size, rng=rng)

    assert check(generator, "adam", network, batch_size=5, seed=3).agrees

    def another_batch(problem, x, *, batch_size=None, rng=None):
        yield from so.diagonal.adam(problem, batch_size=batch_size, rng=np.random.default_rng(8))

    assert check(
        another_batch, "adam", network, batch_size=5, seed=3
    ).agrees  # judged by the batches that it was seen to use


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wrong_adam_differs_in_either_precision(dtype):
    report = check(of_adam(dtype, beta2=0.99), "adam", diagnose=False)
    assert (report.first.step, report.first.quantity) == (1, "second_moment")


def shampoo_by_singular_values(problem, x, dtype=np.float64):
    """Shampoo of the default settings, roots by a singular value decomposition."""
    factors = None
    while True:
        grad = problem.grad(x)
        yield so.Iterate(x, grad=grad)
        layers = [np.asarray(G, dtype=dtype) for G in problem.split(grad)]
        if factors is None:
            factors = [(dtype(0.0) * (G @ G.T), dtype(0.0) * (G.T @ G)) for G in layers]
        factors = [(L + G @ G.T, R + G.T @ G) for (L, R), G in zip(factors, layers, strict=True)]
        moves = [_root(L) @ G @ _root(R) for (L, R), G in zip(factors, layers, strict=True)]
        x = x - np.asarray(0.1 * problem.join(moves), float)
        x = x.astype(dtype).astype(float)


def _root(factor):
    U, s, _ = np.linalg.svd(factor + np.asarray(1e-4, factor.dtype) * np.eye(len(factor), dtype=factor.dtype))
    return (U * s ** np.asarray(-0.25, factor.dtype)) @ U.T


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_shampoo_by_singular_values_agrees(dtype):
    network = problems_for(so.kronecker.shampoo.method)[0]
    candidate = Candidate("svd", functools.partial(shampoo_by_singular_values, dtype=dtype), float(np.finfo(dtype).eps))
    report = check(candidate, "shampoo", network)
    assert report.agrees and report.steps == 20, str(report)


# Bad candidates.


def nothing(problem, x):
    return
    yield


def only_the_start(problem, x):
    yield so.Iterate(x)


def at_once(problem, x):
    raise RuntimeError("no licence")
    yield


def later(problem, x):
    for k, row in enumerate(so.diagonal.adam(problem)):
        if k == 4:
            raise RuntimeError("out of paper")
        yield row


def another_shape(problem, x):
    for k, row in enumerate(so.diagonal.adam(problem)):
        yield row if k < 2 else so.Iterate(np.zeros(7))


def to_nan(problem, x):
    for k, row in enumerate(so.diagonal.adam(problem)):
        yield row if k < 2 else so.Iterate(row.x * np.nan)


def in_place(problem, x):
    while True:
        yield so.Iterate(x)
        x -= 0.1 * problem.grad(x)


def a_number(problem, x):
    yield 3.0


def a_quantity_of_objects(problem, x):
    yield so.Iterate(x, first_moment=object())


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (nothing, "nothing could be judged"),
        (only_the_start, "nothing could be judged"),
        (at_once, "it broke down at step 0: RuntimeError: no licence"),
        (later, "it broke down at step 4: RuntimeError: out of paper"),
        (another_shape, "it broke down at step 2: ValueError: x must have shape"),
        (to_nan, "it broke down at step 2: FloatingPointError: x is not finite"),
        (in_place, "must not be written to"),
        (a_number, "a candidate yields secondorder.Iterate(x, ...); got float"),
        (a_quantity_of_objects, "first_moment must be a number, a string, an array"),
    ],
)
def test_a_bad_candidate_gets_a_report(bad, words):
    report = check(bad, "adam")
    assert not report and words in report.verdict
    for text in (str(report), report._repr_html_(), report.to_json()):
        assert "Traceback" not in text
    report.plot()


def test_a_candidate_that_hangs_gets_a_report():
    def hangs(problem, x):
        yield so.Iterate(x)
        time.sleep(20.0)
        yield so.Iterate(x)

    began = time.monotonic()
    report = check(record(Candidate("hangs", hangs), ROSENBROCK, seconds=0.2), "adam")
    assert time.monotonic() - began < 5.0
    assert report.verdict == "it broke down at step 1: it took longer than 0.2 s"


def test_what_differs_before_it_breaks_down_is_said_first():
    def both(problem, x):
        for k, row in enumerate(so.diagonal.adam(problem, beta1=0.5)):
            if k == 4:
                raise RuntimeError("out of paper")
            yield row

    verdict = check(both, "adam", diagnose=False).verdict
    assert verdict.startswith("step 1, `first_moment`") and verdict.endswith("step 4: RuntimeError: out of paper")


def test_an_end_of_its_own_is_told():
    def converged(problem, x):
        for _, row in zip(range(6), so.diagonal.adam(problem), strict=False):
            yield row
        return "finished"

    report = check(converged, "adam")
    assert report.agrees and report.steps == 5 and "the candidate ended by itself: finished" in str(report)


def test_giving_up_where_the_reference_goes_on_is_a_difference():
    def gives_up(problem, x):
        for _, row in zip(range(6), so.diagonal.adam(problem), strict=False):
            yield row
        return "stalled: no progress"

    assert "ends (stalled: no progress)" in check(gives_up, "adam").verdict


@pytest.mark.parametrize("more", [-3, 2])
def test_a_sampler_takes_as_many_steps_as_there_are_noise_levels(more):
    def other(problem, x, *, grid):
        rows = list(so.sampling.ddim(problem, x, grid=grid))
        yield from rows[:more] if more < 0 else [*rows, *rows[-1:] * more]
        return "finished"

    report = check(other, "ddim", diagnose=False)
    assert not report and (f"ends after {20 + more} steps, the reference after 20") in report.verdict


def test_a_candidate_and_a_reference_that_break_down_alike_are_judged_elsewhere():
    """At Himmelblau's start the Hessian is not positive definite: Newton's method in its plain form has no step there."""
    report = check(so.newton.newton, "newton")
    assert report.agrees and "himmelblau" not in report.headline
    alone = check(so.newton.newton, "newton", so.problems.himmelblau())
    assert not alone.agrees and not alone.differs and "NOT JUDGED" in alone.headline


def test_a_difference_on_a_later_problem_names_those_before():
    def wrong_in_a_valley(problem, x):
        yield from so.diagonal.adam(problem, beta1=0.5 if problem.name == "rosenbrock" else 0.9)

    report = check(wrong_in_a_valley, "adam", diagnose=False)
    assert report.agreed == ("mlp",) and report.problem == "rosenbrock"
    assert report.headline.endswith("on rosenbrock: DIFFERS (agrees on mlp)")


# The report.


def test_the_report_is_a_table_a_picture_and_json():
    report = check(of_adam(beta2=0.99), "adam", diagnose=False)
    lines = str(report).splitlines()
    assert len({len(line) for line in lines[2:6]}) == 1  # the columns stand one below the other
    axes = report.plot().axes[0]
    assert axes.get_yscale() == "log"
    labels = [text.get_text() for text in report.plot().legends[0].get_texts()]
    assert labels == [*report.errors, "allowed", "first difference"]
    html = report._repr_html_()
    assert html.count("<tr>") == 1 + len(report.errors) and "<strong>" in html
    assert json.loads(report.to_json())["first"]["quantity"] == "second_moment"


def test_markup_in_a_name_stays_text():
    report = check(Candidate("<script>", so.diagonal.adam), "adam", steps=2)
    assert "<script>" not in report._repr_html_() and "&lt;script&gt;" in report._repr_html_()


def test_a_report_in_json_has_no_nan():
    report = check(another_shape, "adam")
    json.loads(report.to_json(), parse_constant=lambda name: pytest.fail(name))


def test_what_the_candidate_does_not_expose_is_named():
    report = check(from_step(lambda x, g, s: (x, s), name="still"), "adam", diagnose=False)
    assert report.missing == ("first_moment", "second_moment")


def test_assert_matches_fails_with_the_report():
    assert_matches(of_adam(), "adam", ROSENBROCK)
    with pytest.raises(
        AssertionError, match=r"adam against adam\(\) on rosenbrock: DIFFERS\n  step 1, `second_moment`"
    ):
        assert_matches(of_adam(beta2=0.99), "adam", ROSENBROCK, diagnose=False)


@pytest.mark.parametrize(
    ("arguments", "hyper", "words"),
    [
        ((so.diagonal.adam, "adamm"), {}, "adam"),
        ((so.diagonal.adam, "adam"), {"beta3": 0.1}, "no hyper-parameter 'beta3'"),
        ((so.diagonal.adam, "adam"), {"beta1": 2.0}, "beta1 must be"),
        ((3, "adam"), {}, "candidate must be"),
        ((so.diagonal.adam, "adam", 3), {}, "problem must be a Problem"),
        ((so.newton.newton, "newton", so.Problem(lambda x: 0.0, grad=lambda x: x, x0=[1.0])), {}, "newton needs"),
    ],
)
def test_a_wrong_call_raises_and_names_the_argument(arguments, hyper, words):
    with pytest.raises((TypeError, ValueError, KeyError), match=words):
        check(*arguments, **hyper)
