"""Every proven inequality at every iteration of its run, and that the test can fail."""

import functools

import numpy as np
import pytest

import secondorder as so
from secondorder.guarantees import GUARANTEES, RATES


@functools.cache
def run(name):
    return GUARANTEES[name].run()


@pytest.mark.parametrize("name", GUARANTEES)
def test_it_holds_at_every_iteration(name):
    verdict = run(name)
    assert len(verdict.left) >= 5
    assert np.all(np.isfinite(verdict.left)) and np.all(np.isfinite(verdict.right))
    assert not len(verdict.violations), verdict.left[verdict.violations] - verdict.right[verdict.violations]


@pytest.mark.parametrize("name", GUARANTEES)
def test_it_says_something(name):
    """At some step the left-hand side is above rounding and not absurdly far below the right-hand one."""
    assert run(name).tightness.max() > 1e-6


@pytest.mark.parametrize("name", RATES)
def test_its_rate_is_measured(name):
    """An upper bound may be beaten, so only a slower run contradicts it; 0.3 is what a fit on the middle third is good for."""
    _, measured = RATES[name].run()
    assert measured.value >= RATES[name].exponent - 0.3


def test_a_violated_inequality_is_seen():
    verdict = so.guarantees.get("cubic_newton: gradient").run(M=1e-3)
    assert len(verdict.violations) or np.any(np.diff(verdict.history.f) > 0.0)
    with pytest.raises(ValueError, match="did you mean"):
        so.guarantees.get("cubic_newton: value")
