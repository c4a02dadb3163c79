"""Inputs are never modified, outputs never change, one seed is one history, and ``needs`` is true."""

import copy
import itertools

import numpy as np

import secondorder as so
from secondorder.ledger import Ledger


def from_oracles(problem, names, **changes):
    """A problem of the caller's own, with the named oracles of a built-in one."""
    oracles = {name: getattr(problem, name) for name in names if getattr(problem, name) is not None}
    return so.Problem(**{**oracles, **changes}, x0=problem.x0)


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
    x0 = problem.x0 + 0.25
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

    def keeping(function):
        def kept(*points):
            answers.append(function(*points))
            return answers[-1]

        return kept

    changes = {name: keeping(getattr(problem, name)) for name in problem.oracles if name != "f"}
    so.minimize(from_oracles(problem, problem.oracles, **changes), info.name, steps=10, **hyper)
    assert answers and all(answer.flags.writeable for answer in answers)


def test_functions_cannot_change_the_iterate(setting, offering):
    """A function that writes to its argument raises; where it tries and fails, it does no harm."""
    info, hyper = setting
    problem = offering(*info.oracles(hyper))
    clean = so.minimize(from_oracles(problem, problem.oracles), info.name, steps=10, **hyper)

    def trying(function):
        def tried(*points):
            for point in points:
                try:
                    point[0] = 7.0
                except ValueError as error:
                    assert "read-only" in str(error)
                else:
                    raise AssertionError("the write went through")
            return function(*points)

        return tried

    changes = {name: trying(getattr(problem, name)) for name in problem.oracles}
    assert_same(so.minimize(from_oracles(problem, problem.oracles, **changes), info.name, steps=10, **hyper), clean)


def test_functions_may_reuse_one_buffer(setting, offering):
    info, hyper = setting
    problem = offering(*info.oracles(hyper))
    clean = so.minimize(from_oracles(problem, problem.oracles), info.name, steps=30, **hyper)

    def buffered(function):
        buffer = np.empty_like(function(*[problem.x0] * (2 if function == problem.hvp else 1)))

        def filled(*points):
            buffer[...] = function(*points)
            return buffer

        return filled

    changes = {name: buffered(getattr(problem, name)) for name in problem.oracles if name != "f"}
    assert_same(so.minimize(from_oracles(problem, problem.oracles, **changes), info.name, steps=30, **hyper), clean)


def test_one_seed_is_one_history(setting, offering):
    info, hyper = setting
    runs = [so.minimize(offering(*info.oracles(hyper)), info.name, seed=3, steps=50, **hyper) for _ in range(2)]
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


def test_needs_are_enough_and_all_used(setting, offering, sound):
    info, hyper = setting
    names = info.oracles(hyper)
    history = so.minimize(from_oracles(offering(*names), names), info.name, **hyper)
    sound(history)
    assert history.status in {"converged", "finished", "stalled", "step_limit"}
    assert {name for name, calls in history.oracle.items() if calls} == set(names)


def test_iterates_are_of_the_problem_asked(setting, offering, begin):
    """A problem wrapped by the caller is counted in the caller's own ledger."""
    info, hyper = setting
    ledger = Ledger(offering(*info.oracles(hyper)))
    for _ in itertools.islice(begin(info, ledger, hyper), 3):
        pass
    assert sum(ledger.counts.values()) > 0
