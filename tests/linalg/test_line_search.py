"""Backtracking: the inequality it promises, and what it refuses."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import armijo, rounding

EPS = 2.0**-52


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.floats(-10, 10), st.floats(-100, -1e-3), st.floats(1e-3, 1e6), st.floats(0.1, 0.9), st.floats(1e-4, 0.49))
def test_the_first_power_that_decreases_enough(f, slope, curvature, backtracking, sufficient):
    def phi(a):
        return f + slope * a + 0.5 * curvature * a * a

    found = armijo(phi, f, slope, EPS, sufficient, backtracking, max_trials=400)
    assert found is not None
    step_size, value, trials = found

    def good(a):
        return phi(a) <= f + sufficient * a * slope + rounding(f, phi(a), EPS)

    assert value == phi(step_size) and good(step_size)
    assert step_size == pytest.approx(backtracking ** (trials - 1), rel=1e-12)
    assert trials == 1 or not good(step_size / backtracking)


def test_the_full_step_is_tried_first():
    calls = []
    assert armijo(lambda a: calls.append(a) or 1.0 - a, 1.0, -1.0, EPS) == (1.0, 0.0, 1)
    assert calls == [1.0]


@pytest.mark.parametrize("outside", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_rejected(outside):
    step_size, value, trials = armijo(lambda a: outside if a > 0.3 else 1.0 - a, 1.0, -1.0, EPS)
    assert (step_size, value, trials) == (0.25, 0.75, 3)


def test_no_decrease_is_none_after_the_stated_trials():
    calls = []
    assert armijo(lambda a: calls.append(a) or 1.0 + a, 1.0, -1e9, EPS, max_trials=7) is None
    assert calls == [0.5**j for j in range(7)]
    assert armijo(lambda a: math.nan, 1.0, -1.0, EPS) is None


def test_a_rise_within_rounding_is_allowed():
    """At a minimum of value 1 the computed f may rise by rounding though the step is right."""
    assert armijo(lambda a: 1.0 + 10 * EPS, 1.0, -1e-20, EPS) is not None
    assert armijo(lambda a: 1.0 + 1e4 * EPS, 1.0, -1e-20, EPS) is None


def test_rounding_scales_with_the_larger_value():
    assert rounding(-4.0, 2.0, EPS) == rounding(2.0, -4.0, EPS) == 4e3 * EPS
    assert rounding(0.0, 0.0, EPS) == 0.0
