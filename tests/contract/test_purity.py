"""Inputs are never modified, outputs never change, one seed is one history, and ``needs`` is true."""

import copy
import itertools

import numpy as np

import secondorder as so
from secondorder.ledger import Ledger


def from_oracles(problem, names, wrap=lambda name, oracle: oracle):
    """A problem of the caller's own, with the named oracles of a built-in one, each wrapped."""
    oracles = {name: wrap(name, getattr(problem, name)) for name in names if getattr(problem, name) is not None}
    mine = so.Problem(**oracles, x0=problem.x0)
    for name in ("l2", "residual_weight", "linear", "n", "constraint"):
        if hasattr(problem, name):
            setattr(mine, name, getattr(problem, name))
    mine.batches = lambda size, rng: (from_oracles(batch, names, wrap) for batch in problem.batches(size, rng))
    return mine


def parts(answer):
    """The arrays of what an oracle answers."""
    return [part for each in answer for part in parts(each)] if isinstance(answer, tuple) else [answer]


def columns(history):
    """What a run records, less the clock."""
    scalars = {name: history[name] for name in history.names if name != "seconds"}
    return {**scalars, **{f"#{name}": calls for name, calls in history.counts.items()}, "end": history.x}


def assert_same(one, other):
    assert one.status == other.status
    one, other = columns(one), columns(other)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_start_and_data_are_not_modified(setting, offering):
    info, hyper = setting
    problem = offering(*info.oracles(hyper))
    before = copy.deepcopy(vars(problem))
    aside = problem.x0 + 1.0 if problem.lmo is None else problem.lmo(np.ones(problem.x0.shape))
    x0 = 0.75 * problem.x0 + 0.25 * aside
    start = x0.copy()
    so.minimize(problem, info.name, x0, steps=20, **hyper)
    np.testing.assert_array_equal(x0, start)
    assert x0.flags.writeable
    for name, value in before.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(vars(problem)[name], value, err_msg=name)
            assert vars(problem)[name].flags.writeable == value.flags.writeable, name


def test_answers_of_a_function_are_not_frozen_in_its_hands(setting, offering):
    """A function that answers with an array it keeps finds it as writable as before."""
    info, hyper = setting
    problem = offering(*info.oracles(hyper))
    answers = []

    def keeping(name, function):
        def kept(*arguments):
            answer = function(*arguments)
            answers.extend((part, part.flags.writeable) for part in parts(answer) if name != "f")
            return answer

        return kept

    so.minimize(from_oracles(problem, problem.oracles, keeping), info.name, steps=10, **hyper)
    assert answers and all(answer.flags.writeable == before for answer, before in answers)


def test_functions_cannot_change_the_iterate(setting, offering):
    """A function that writes to its argument raises; where it tries and fails, it does no harm."""
    info, hyper = setting
    problem = offering(*info.oracles(hyper))
    clean = so.minimize(from_oracles(problem, problem.oracles), info.name, steps=10, **hyper)

    def trying(name, function):
        def tried(*arguments):
            for point in (a for a in arguments if isinstance(a, np.ndarray)):
                try:
                    point[0] = 7.0
                except ValueError as error:
                    assert "read-only" in str(error)
                else:
                    raise AssertionError("the write went through")
            return function(*arguments)

        return tried

    assert_same(so.minimize(from_oracles(problem, problem.oracles, trying), info.name, steps=10, **hyper), clean)


def test_functions_may_reuse_one_buffer(setting, offering):
    info, hyper = setting
    problem = offering(*info.oracles(hyper))
    clean = so.minimize(from_oracles(problem, problem.oracles), info.name, steps=30, **hyper)

    def buffered(name, function):
        buffers = {}

        def filled(*arguments):
            return fill(function(*arguments), ())

        def fill(answer, place):
            if isinstance(answer, tuple):
                filled_parts = [fill(part, (*place, i)) for i, part in enumerate(answer)]
                return type(answer)(*filled_parts) if hasattr(answer, "_fields") else tuple(filled_parts)
            if name == "f":
                return answer
            buffer = buffers.setdefault((*place, answer.shape), np.empty_like(answer))
            buffer[...] = answer
            return buffer

        return filled

    assert_same(so.minimize(from_oracles(problem, problem.oracles, buffered), info.name, steps=30, **hyper), clean)


def test_one_seed_is_one_history(setting, offering, at_most):
    info, hyper = setting
    problems, steps = [offering(*info.oracles(hyper)) for _ in range(2)], at_most(info, 50)
    runs = [so.minimize(problem, info.name, seed=3, steps=steps, **hyper) for problem in problems]
    assert_same(*runs)


def test_what_was_yielded_never_changes(setting, offering, begin):
    info, hyper = setting
    seen, copies = [], []
    for iterate in itertools.islice(begin(info, offering(*info.oracles(hyper)), hyper), 30):
        held = [
            ("x", iterate.x),
            *((n, v) for n, v in iterate.quantities.items() if isinstance(v, (np.ndarray, tuple))),
        ]
        held = [(n, part) for n, v in held for part in (v if isinstance(v, tuple) else (v,))]
        assert all(not array.flags.writeable for _, array in held)
        seen.append(held)
        copies.append([(n, array.copy()) for n, array in held])
    for held, kept in zip(seen, copies, strict=True):
        for (name, array), (_, before) in zip(held, kept, strict=True):
            np.testing.assert_array_equal(array, before, err_msg=name)


def test_needs_are_enough_and_all_used(setting, offering, endless, at_most, sound):
    info, hyper = setting
    names, steps = info.oracles(hyper), at_most(info, 300) if endless(info, hyper) else 10_000
    history = so.minimize(from_oracles(offering(*names), names), info.name, steps=steps, **hyper)
    sound(history)
    assert history.status in {"converged", "finished", "stalled", "step_limit"}
    assert {name for name, calls in history.oracle.items() if calls} == set(names)


def test_seeds_tell_random_runs_apart(setting, divisible):
    """A setting that draws gives another history for another seed; any other, the same."""
    info, hyper = setting
    problem = divisible(*info.oracles(hyper))
    one, other = (so.minimize(problem, info.name, seed=seed, steps=5, **hyper).x for seed in (0, 1))
    chosen = {**info.defaults(), **hyper}
    draws = chosen.get("fisher") == "monte_carlo" or chosen.get("estimator") in ("rdsa", "i-rdsa")
    draws = draws or chosen.get("probe") in ("rademacher", "gaussian") or "perturbation" in chosen
    draws = draws or ("batch_size" in hyper and type(problem).batches is not so.Problem.batches)
    draws = draws or chosen.get("hessian_noise", 0.0) > 0.0
    assert np.any(one != other) == draws


def test_batches_as_large_as_the_data_are_the_data(setting, divisible):
    info, hyper = setting
    if "batch_size" in hyper:
        problem = divisible(*info.oracles(hyper))
        runs = [so.minimize(problem, info.name, steps=10, **{**hyper, "batch_size": size}) for size in (None, 12, 13)]
        for run in runs[1:]:
            np.testing.assert_array_equal(run.x, runs[0].x)
            assert run.oracle == runs[0].oracle and run.f[-1] == runs[0].f[-1]


def test_iterates_are_of_the_problem_asked(setting, offering, begin):
    """A problem wrapped by the caller is counted in the caller's own ledger."""
    info, hyper = setting
    ledger = Ledger(offering(*info.oracles(hyper)))
    for _ in itertools.islice(begin(info, ledger, hyper), 3):
        pass
    assert sum(ledger.counts.values()) > 0
