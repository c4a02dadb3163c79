"""The strong Wolfe search: both conditions, on whatever smooth function is bounded below."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from secondorder.linalg import rounding, wolfe

EPS = 2.0**-52
C1 = 1e-4


class Quartic:
    """c0 + c1 a + c2 a² + c3 a³ + c4 a⁴ with c4 > 0 and any number of bumps."""

    def __init__(self, rng):
        self.c = np.asarray([*rng.standard_normal(4) * 10.0 ** rng.uniform(-2, 2, 4), 10.0 ** rng.uniform(-1, 2)])

    def __call__(self, a):
        powers = a ** np.arange(5.0)
        return float(self.c @ powers), float(self.c[1:] @ (np.arange(1.0, 5.0) * powers[:-1]))


class Cosines:
    """Along a direction, a sum of plane waves: many minima, bounded both ways."""

    def __init__(self, rng):
        n = int(rng.integers(1, 8))
        self.size, self.frequency = rng.standard_normal(n), 10.0 ** rng.uniform(-1, 1.5, n)
        self.phase = rng.uniform(0.0, 2.0 * math.pi, n)

    def __call__(self, a):
        angle = self.frequency * a + self.phase
        return float(self.size @ np.cos(angle)), float(-(self.size * self.frequency) @ np.sin(angle))


class Wall:
    """A gentle slope to a steep wall, as of an exponential loss: -sa + exp(k(a - 1))."""

    def __init__(self, rng):
        self.slope, self.k = 10.0 ** rng.uniform(-2, 1), 10.0 ** rng.uniform(0, 7)

    def __call__(self, a):
        e = math.exp(self.k * (a - 1.0)) if self.k * (a - 1.0) < 700.0 else math.inf
        return -self.slope * a + e, -self.slope + self.k * e


class Logistic:
    """A mean of losses log(1 + exp(z)), nearly straight at both ends."""

    def __init__(self, rng):
        self.z, self.b = rng.standard_normal(9) * 10.0 ** rng.uniform(-1, 2), rng.standard_normal(9)

    def __call__(self, a):
        z = self.z * a + self.b
        return float(np.mean(np.logaddexp(0.0, z))), float(np.mean(self.z / (1.0 + np.exp(np.clip(-z, -700, 700)))))


def reversed_if_rising(phi):
    return phi if phi(0.0)[1] <= 0.0 else (lambda a: (phi(-a)[0], -phi(-a)[1]))


@settings(max_examples=2000, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from([Quartic, Cosines, Wall, Logistic]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.9, 0.1, 0.01]),
    st.floats(-3, 3),
)
def test_both_conditions_hold(kind, seed, curvature, decades):
    phi = reversed_if_rising(kind(np.random.default_rng(seed)))
    f, slope = phi(0.0)
    assume(slope < -1e-6)
    calls = []

    def counted(a):
        calls.append(a)
        return *phi(a), a

    found = wolfe(counted, f, slope, EPS, curvature=curvature, first=10.0**decades)
    assert found is not None
    step_size, value, answer, trials = found
    assert (answer, trials, value) == (step_size, len(calls), phi(step_size)[0])
    assert value <= f + C1 * step_size * slope + rounding(f, value, EPS)
    assert abs(phi(step_size)[1]) <= curvature * abs(slope)
    assert step_size > 0.0 and calls[0] == 10.0**decades


def quadratic(a):
    return 0.5 * (a - 1.0) ** 2, a - 1.0, a


@pytest.mark.parametrize("first", [1e-8, 0.3, 1.0, 1e8])
@pytest.mark.parametrize("curvature", [0.9, 0.1, 1e-6])
def test_a_quadratic_is_minimised_by_its_first_interpolation(first, curvature):
    """Once there is an upper end, the parabola through the lower end is the function itself."""
    step_size, _, _, trials = wolfe(quadratic, 0.5, -1.0, EPS, curvature=curvature, first=first)
    assert abs(step_size - 1.0) <= curvature + 1e-12
    doublings = max(0, math.ceil(math.log2(1.0 / first)) + 1)
    assert trials <= doublings + max(0.0, math.log10(first)) + 4


def test_outside_the_domain_is_an_upper_end():
    def barrier(a):
        return (-a - 1e-6 * math.log(1.0 - a), -1.0 + 1e-6 / (1.0 - a), a) if a < 1.0 else (math.inf, math.nan, a)

    step_size = wolfe(barrier, 0.0, -1.0, EPS, curvature=0.5)[0]
    assert 1.0 - 3e-6 <= step_size < 1.0 and abs(barrier(step_size)[1]) <= 0.5
    assert wolfe(lambda a: (math.nan, math.nan, a), 0.0, -1.0, EPS) is None


def test_none_after_the_stated_trials():
    calls = []
    assert wolfe(lambda a: calls.append(a) or (-a, -1.0, a), 0.0, -1.0, EPS, max_trials=7) is None
    assert calls == [2.0**j for j in range(7)], "a function without a lower bound: the interval never closes"
    assert wolfe(lambda a: (1.0 + a, -1.0, a), 1.0, -1e9, EPS, max_trials=7) is None


def test_a_rise_within_rounding_is_allowed():
    found = wolfe(lambda a: (1.0 + 10.0 * EPS, 0.0, a), 1.0, -1e-20, EPS)
    assert found is not None and found[0] == 1.0
