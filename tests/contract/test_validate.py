"""Every method held against itself, and every variant against the default, on the problems of `problems_for`."""

import functools

import pytest

import secondorder as so
from secondorder.catalogue import find
from secondorder.validate import Candidate, check, record
from secondorder.validate.problems import problems_for

ALIKE = {
    ("accelerated_tensor_method", "not accelerated"): "on these problems the safeguard keeps the plain step every time",
    ("adahessian", "constant probe"): "the reference is led by the candidate's own probes: a finding tells",
    ("adamw", "decay times learning rate"): "1e-3 times 1e-2 is the default decay of 1e-5",
}
"""Variants that follow the default step by step, and why."""


def rows():
    for info in so.methods():
        for name, hyper in {"default": {}, **info.variants}.items():
            yield pytest.param(info, name, hyper, id=f"{info.name}-{name}")


def report(method, given, hyper):
    """Of a method with what it was given, held against what it is said to be, up to the first that differs."""
    candidate = Candidate(method.name, functools.partial(find(method.name), **given))
    return check(candidate, method.name, diagnose=False, probes=False, **hyper)


@pytest.mark.parametrize(("method", "name", "hyper"), list(rows()))
def test_every_variant_agrees_with_itself_and_is_told_from_the_default(method, name, hyper):
    itself = report(method, hyper, hyper)
    assert itself.agrees and itself.match.worst <= 1e-12 and itself.steps >= 2, str(itself)
    if any(value != method.defaults()[key] for key, value in hyper.items()):
        told = report(method, hyper, {}).differs
        assert told != ((method.name, name) in ALIKE), f"told from the default: {told}"


@pytest.mark.parametrize("method", so.methods(), ids=lambda method: method.name)
def test_something_is_judged_on_most_of_the_problems(method):
    function = find(method.name)
    given = [function]
    if method.kind == "optimiser":
        given = [record(Candidate("itself", function), problem) for problem in problems_for(method)]
    found = [check(each, method.name, diagnose=False, probes=False) for each in given]
    assert sum(each.steps >= 2 for each in found) > len(found) / 2
