"""The trust-region step: its optimality conditions over thousands of cases, the hard case, and values known by hand."""

import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import Eigen, eigen, trust_region_step


def check(g, H, radius, rng):
    """Every property of the answer, whatever the case: it is a global minimiser exactly when the first four hold."""
    answer = trust_region_step(g, eigen(H), radius)
    h, multiplier = answer.step, answer.multiplier
    size, length = np.linalg.norm(H, 2), np.linalg.norm(h)
    assert np.all(np.isfinite(h)) and answer.radius == pytest.approx(length, rel=1e-13)
    # Feasible, and complementary: on the boundary or without a multiplier.
    assert length <= radius * (1.0 + 1e-12)
    assert multiplier == 0.0 or abs(length - radius) <= 1e-12 * radius
    # (H + multiplier I) h = -g, up to the rounding of its own terms and of the eigendecomposition.
    residual = np.linalg.norm(H @ h + multiplier * h + g)
    assert residual <= 1e-12 * ((size + multiplier) * length + np.linalg.norm(g))
    # H + multiplier I is positive semidefinite, and the multiplier not negative.
    assert multiplier >= 0.0
    assert np.linalg.eigvalsh(H)[0] + multiplier >= -1e-14 * max(size, multiplier)
    # The stated decrease is the model's.
    terms = np.linalg.norm(g) * length + 0.5 * (size + multiplier) * length**2
    assert abs(g @ h + 0.5 * h @ H @ h + answer.decrease) <= 1e-12 * terms
    assert answer.decrease >= 0.0
    # No feasible point is lower: near the answer, on the boundary, and at any scale.
    for _ in range(10):
        u = rng.standard_normal(len(g))
        u /= np.linalg.norm(u)
        near = h + 1e-3 * radius * u
        for other in (near * min(1.0, radius / np.linalg.norm(near)), radius * u, -h, rng.uniform() ** 8 * radius * u):
            far = np.linalg.norm(other)
            allowance = 1e-12 * (terms + np.linalg.norm(g) * far + size * far**2)
            assert g @ other + 0.5 * other @ H @ other >= -answer.decrease - allowance
    return answer


@st.composite
def cases(draw):
    """(g, H, radius, rng): any signature, repeated eigenvalues, a first component that is tiny or exactly zero."""
    d = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.standard_normal(d) * 10.0 ** draw(st.floats(-3, 3))
    kind = draw(st.sampled_from(["generic", "integer", "repeated lowest", "positive", "semidefinite", "zero"]))
    if kind == "integer":
        values = rng.integers(-2, 3, size=d).astype(float)
    if kind == "repeated lowest":
        values[: (d + 1) // 2] = -np.max(np.abs(values))
    if kind == "positive":
        values = np.abs(values)
    if kind == "semidefinite":
        values = np.abs(values) - np.min(np.abs(values))
    if kind == "zero":
        values = np.zeros(d)
    values = np.sort(values)
    c = rng.standard_normal(d) * 10.0 ** draw(st.floats(-6, 6))
    first = draw(st.sampled_from([None, 0.0, 1e-3, 1e-8, 1e-14, 1e-30, 1e-100]))
    if first is not None:
        c = np.where(values == values[0], first * c, c)
    radius = 10.0 ** draw(st.floats(-6, 6))
    if draw(st.booleans()):
        return c, np.diag(values), radius, rng
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    H = (Q * values) @ Q.T
    return Q @ c, 0.5 * (H + H.T), radius, rng


@settings(max_examples=2000, deadline=None, derandomize=True, database=None)
@given(cases())
def test_optimality_conditions(case):
    check(*case)


@pytest.mark.parametrize("first", [10.0**-k for k in range(0, 17, 2)] + [1e-30, 1e-100, 0.0])
@pytest.mark.parametrize("radius", [1e-6, 1e-2, 0.3, 0.4, 1.0, 1e2, 1e6])
def test_nearly_and_exactly_hard(first, radius):
    """At the pole 2 the rest of the step is (1/3, 0.5/5): with a shorter radius no hard case is possible."""
    answer = check(np.asarray([first, 1.0, -0.5]), np.diag([-2.0, 1.0, 3.0]), radius, np.random.default_rng(0))
    possible = math.hypot(1.0 / 3.0, 0.1) <= radius
    assert answer.hard == (first == 0.0 and possible)
    if possible and first < 1e-7:
        assert answer.multiplier == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("radius", [1.0 / 3.0, 0.34, 1.0, 7.0, 1e6])
def test_named_hard_case(radius):
    answer = check(np.asarray([0.0, 1.0]), np.diag([-2.0, 1.0]), radius, np.random.default_rng(0))
    along = math.sqrt(max(0.0, radius**2 - 1.0 / 9.0))
    assert answer.hard and answer.multiplier == 2.0
    np.testing.assert_allclose(np.abs(answer.step), [along, 1.0 / 3.0], rtol=1e-14, atol=1e-8)
    assert answer.step[1] < 0.0
    # m = -h1² + h2 + h2²/2 at h2 = -1/3
    assert answer.decrease == pytest.approx(along**2 + 5.0 / 18.0, rel=1e-14)


@pytest.mark.parametrize("radius", [0.1, 1.0, 20.0])
def test_hard_case_with_a_repeated_lowest_eigenvalue(radius):
    answer = check(np.asarray([0.0, 0.0, 1.0]), np.diag([-2.0, -2.0, 1.0]), radius, np.random.default_rng(0))
    assert answer.hard == (radius >= 1.0 / 3.0)


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.floats(-1e6, 1e6).filter(lambda g: abs(g) > 1e-12), st.floats(-1e3, 1e3), st.floats(1e-6, 1e6))
def test_one_dimension_in_closed_form(g, a, radius):
    newton = abs(g) / a if a > 0.0 else math.inf
    h = trust_region_step(np.asarray([g]), eigen(np.asarray([[a]])), radius).step[0]
    assert h == pytest.approx(-math.copysign(min(newton, radius), g), rel=1e-12)


def test_a_large_radius_is_newton_and_a_small_one_a_gradient_step():
    rng = np.random.default_rng(1)
    B = rng.standard_normal((5, 5))
    g, H = rng.standard_normal(5), B @ B.T + np.eye(5)
    answer = check(g, H, 1e12, rng)
    assert answer.multiplier == 0.0 and not answer.hard
    np.testing.assert_allclose(answer.step, -np.linalg.solve(H, g), rtol=1e-12)
    # The multiplier |g| / radius outweighs H by about 1e12.
    np.testing.assert_allclose(
        trust_region_step(g, eigen(H), 1e-12).step, -1e-12 * g / np.linalg.norm(g), atol=1e-12 * 1e-9
    )


@pytest.mark.parametrize("values", [[0.0, 0.0], [0.0, 1.0], [1.0, 2.0]])
def test_no_gradient_and_no_negative_curvature_is_no_step(values):
    answer = trust_region_step(np.zeros(2), eigen(np.diag(values)), 1.0)
    assert not np.any(answer.step)
    assert (answer.radius, answer.multiplier, answer.decrease, answer.hard) == (0.0, 0.0, 0.0, False)


def test_no_gradient_at_a_maximum_is_the_hard_case():
    answer = trust_region_step(np.zeros(2), eigen(np.diag([-3.0, -1.0])), 2.0)
    assert answer.hard and answer.radius == 2.0 and answer.decrease == 6.0


@pytest.mark.parametrize("size", [1e-100, 1e-162, 1e-200, 1e-300])
def test_tiny_gradient_is_a_newton_step(size):
    answer = trust_region_step(np.asarray([size, -size]), eigen(np.diag([1.0, 2.0])), 1.0)
    np.testing.assert_allclose(answer.step, [-size, 0.5 * size], rtol=1e-14)


def test_tiny_curvature_does_not_overflow():
    answer = trust_region_step(np.asarray([2.0, 0.0]), eigen(np.diag([1e-308, 1e-300])), 1.0)
    np.testing.assert_allclose(answer.step, [-1.0, 0.0], rtol=1e-14)


def test_array_api_strict_gives_the_same_numbers():
    rng = np.random.default_rng(0)
    strict = array_api_strict.asarray
    for first in (1.0, 0.0):
        g, (values, vectors) = rng.standard_normal(4), eigen(np.diag([-1.0, 0.5, 2.0, 3.0]))
        g[0] *= first
        ours = trust_region_step(g, Eigen(values, vectors), 0.7)
        theirs = trust_region_step(strict(g), Eigen(strict(values), strict(vectors)), 0.7)
        assert np.array_equal(np.asarray(theirs.step), ours.step) and theirs[1:] == ours[1:]


def test_float32():
    g, H = np.asarray([0.0, 1.0], dtype=np.float32), np.diag(np.asarray([-2.0, 1.0], dtype=np.float32))
    answer = trust_region_step(g, eigen(H), 1.0)
    assert answer.step.dtype == np.float32 and answer.decrease == pytest.approx(8.0 / 9.0 + 5.0 / 18.0, rel=1e-6)
