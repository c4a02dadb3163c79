"""Every method held against itself, and every variant against the default, on the problems of `problems_for`."""

import functools

import pytest

import secondorder as so
from secondorder.catalogue import find
from secondorder.validate import Candidate, check, record
from secondorder.validate.problems import problems_for

ALIKE = {
    (
        "adahessian",
        "constant probe",
    ): "the reference is led by the probes that the candidate was seen to use: a finding tells",
    ("adamw", "decay times learning rate"): "1e-3 times 1e-2 is the default decay of 1e-5",
}
"""Variants that follow the default step by step, and why."""


def rows():
    for info in so.methods():
        for name, hyper in {"default": {}, **info.variants}.items():
            yield pytest.param(info, name, hyper, id=f"{info.name}-{name}")


def reports(info, given, hyper):
    """Of a method with what it was given, held against what it is said to be, up to the first that differs."""
    return check(
        Candidate(info.name, functools.partial(find(info.name), **given)),
        info.name,
        diagnose=False,
        probes=False,
        **hyper,
    )


@pytest.mark.parametrize(("judged", "name", "hyper"), list(rows()))
def test_every_variant_agrees_with_itself_and_is_told_from_the_default(judged, name, hyper):
    info = judged
    itself = reports(info, hyper, hyper)
    assert itself.agrees and itself.match.worst <= 1e-12 and itself.steps >= 2, str(itself)
    changed = {key: value for key, value in hyper.items() if value != info.defaults()[key]}
    if changed:
        told = reports(info, hyper, {}).differs
        assert told != ((info.name, name) in ALIKE), f"told from the default: {told}"


@pytest.mark.parametrize("judged", so.methods(), ids=lambda info: info.name)
def test_something_is_judged_on_most_of_the_problems(judged):
    info = judged
    found = (
        [
            check(record(Candidate("itself", find(info.name)), p), info.name, diagnose=False, probes=False)
            for p in problems_for(info)
        ]
        if (info.kind == "optimiser")
        else [check(find(info.name), info.name, diagnose=False, probes=False)]
    )
    assert sum(report.steps >= 2 for report in found) > len(found) / 2
