"""The cubic model's global minimiser: its optimality conditions over thousands of cases, and values known by hand."""

import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import Eigen, cubic_step, eigen

EPS = np.finfo(float).eps


def model(g, H, M, h):
    return g @ h + 0.5 * h @ H @ h + M / 6.0 * np.linalg.norm(h) ** 3


def check(g, H, M, rng, accuracy=1e-10):
    """Every property of the answer, whatever the case."""
    answer = cubic_step(g, eigen(H), M)
    h, s = answer.step, answer.multiplier
    size = np.linalg.norm(H, 2)
    assert np.all(np.isfinite(h)) and s >= 0.0
    assert answer.radius == pytest.approx(np.linalg.norm(h), rel=1e-13)
    # The length determines the multiplier.
    assert abs(answer.radius - 2.0 * s / M) <= accuracy * 2.0 * s / M
    # (H + sI) h = -g, up to the rounding of its own terms and of the eigendecomposition.
    residual = np.linalg.norm(H @ h + s * h + g)
    assert residual <= 1e-12 * ((size + s) * answer.radius + np.linalg.norm(g))
    # H + sI is positive semidefinite.
    assert np.linalg.eigvalsh(H)[0] + s >= -1e-14 * max(size, s)
    # The stated decrease is the model's, and at least M/12 |h|^3.
    terms = np.linalg.norm(g) * answer.radius + 0.5 * (size + s) * answer.radius**2
    assert abs(model(g, H, M, h) + answer.decrease) <= 1e-12 * terms
    assert answer.decrease >= M / 12.0 * answer.radius**3 * (1.0 - 1e-12)
    # Nothing is lower: near the answer, on its sphere, and at any scale.
    d, scale = len(g), max(answer.radius, np.linalg.norm(g), 1e-300)
    for _ in range(10):
        u = rng.standard_normal(d)
        u /= np.linalg.norm(u)
        for other in (h + 1e-3 * scale * u, answer.radius * u, -h, 10.0 ** rng.uniform(-6, 3) * scale * u):
            length = np.linalg.norm(other)
            allowance = 1e-12 * (terms + np.linalg.norm(g) * length + size * length**2 + M * length**3)
            assert model(g, H, M, other) >= -answer.decrease - allowance
    return answer


@st.composite
def cases(draw):
    """(g, H, M, rng): any signature, repeated eigenvalues, a first component that is tiny or exactly zero."""
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
    first = draw(st.sampled_from([None, 0.0, 1e-3, 1e-8, 1e-11, 1e-14]))
    if first is not None:
        c = np.where(values == values[0], first * c, c)
    M = 10.0 ** draw(st.floats(-6, 6))
    if draw(st.booleans()):
        return c, np.diag(values), M, rng
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    H = (Q * values) @ Q.T
    return Q @ c, 0.5 * (H + H.T), M, rng


@settings(max_examples=2000, deadline=None, derandomize=True, database=None)
@given(cases())
def test_optimality_conditions(case):
    check(*case)


@pytest.mark.parametrize("first", [10.0**-k for k in range(0, 17, 2)] + [1e-30, 1e-100, 0.0])
@pytest.mark.parametrize("M", [1e-6, 1e-2, 1.0, 1e2, 1e6])
def test_nearly_and_exactly_hard(first, M):
    g, H = np.asarray([first, 1.0, -0.5]), np.diag([-2.0, 1.0, 3.0])
    answer = check(g, H, M, np.random.default_rng(0), accuracy=1e-13)
    # |h(2)| = |(1/3, 0.5/5)|: longer than 2 * 2 / M for the largest two M, where no hard case is possible.
    possible = math.hypot(1 / 3, 0.1) <= 4.0 / M
    assert answer.hard == (first == 0.0 and possible)
    if possible and first < 1e-7:
        assert answer.multiplier == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("M", [0.5, 1.0, 20.0])
def test_hard_case_with_a_repeated_lowest_eigenvalue(M):
    g, H = np.asarray([0.0, 0.0, 1.0]), np.diag([-2.0, -2.0, 1.0])
    assert check(g, H, M, np.random.default_rng(0)).hard == (M <= 12.0)


@pytest.mark.parametrize(("M", "minimum"), [(1.0, -18.726), (2.0, -4.926)])
def test_named_value(M, minimum):
    answer = check(np.asarray([0.1, 1.0]), np.diag([-3.0, 1.0]), M, np.random.default_rng(0))
    assert round(-answer.decrease, 3) == minimum and not answer.hard


def test_named_hard_case():
    answer = check(np.asarray([0.0, 1.0]), np.diag([-2.0, 1.0]), 1.0, np.random.default_rng(0))
    assert answer.hard and answer.multiplier == 2.0 and answer.decrease == pytest.approx(5.5, rel=1e-14)
    np.testing.assert_allclose(np.abs(answer.step), [math.sqrt(16.0 - 1.0 / 9.0), 1.0 / 3.0], rtol=1e-14)


@given(st.floats(-1e6, 1e6).filter(lambda g: abs(g) > 1e-12), st.floats(-1e3, 1e3), st.floats(1e-6, 1e6))
@settings(max_examples=500, deadline=None, derandomize=True, database=None)
def test_one_dimension_in_closed_form(g, a, M):
    """|h| is the positive root of M/2 r^2 + a r - |g| = 0, against the sign of g."""
    root = math.sqrt(a * a + 2.0 * M * abs(g))
    radius = 2.0 * abs(g) / (a + root) if a > 0.0 else (root - a) / M
    h = cubic_step(np.asarray([g]), eigen(np.asarray([[a]])), M).step[0]
    assert h == pytest.approx(-math.copysign(radius, g), rel=1e-12)


@pytest.mark.parametrize("values", [[0.0, 0.0], [0.0, 1.0], [1.0, 2.0]])
def test_no_gradient_and_no_negative_curvature_is_no_step(values):
    answer = cubic_step(np.zeros(2), eigen(np.diag(values)), 1.0)
    assert not np.any(answer.step)
    assert (answer.radius, answer.multiplier, answer.decrease, answer.hard) == (0.0, 0.0, 0.0, False)


def test_no_gradient_at_a_maximum_is_the_hard_case():
    answer = cubic_step(np.zeros(2), eigen(np.diag([-3.0, -1.0])), 2.0)
    assert answer.hard and answer.radius == 3.0 and answer.decrease == pytest.approx(2.0 / 12.0 * 27.0, rel=1e-15)


def test_large_M_is_a_short_gradient_step_and_small_M_is_newton():
    g, H = np.asarray([3.0, 4.0]), np.diag([1.0, 2.0])
    np.testing.assert_allclose(cubic_step(g, eigen(H), 1e-12).step, [-3.0, -2.0], rtol=1e-10)
    # s = sqrt(M |g| / 2) = 1.6e6 outweighs H by that factor.
    np.testing.assert_allclose(cubic_step(g, eigen(H), 1e12).step, -g * math.sqrt(2.0 / (5.0 * 1e12)), rtol=1e-5)


@pytest.mark.parametrize("size", [1e-100, 1e-120, 1e-162, 1e-200, 1e-300])
@pytest.mark.parametrize("M", [1e-6, 1.0, 1e6])
def test_tiny_gradient_is_a_newton_step(size, M):
    """Cubic convergence gets there within a few steps of 1e-5."""
    answer = cubic_step(np.asarray([size, -size]), eigen(np.diag([1.0, 2.0])), M)
    np.testing.assert_allclose(answer.step, [-size, 0.5 * size], rtol=1e-14)


def test_tiny_curvature_does_not_overflow():
    """The Hessian of a saturated logistic loss without a ridge."""
    answer = cubic_step(np.asarray([2.0, 0.0]), eigen(np.diag([1e-308, 1e-300])), 1.0)
    np.testing.assert_allclose(answer.step, [-2.0, 0.0], rtol=1e-14)


def test_array_api_strict_gives_the_same_numbers():
    rng = np.random.default_rng(0)
    strict = array_api_strict.asarray
    for first in (1.0, 0.0):
        g, (values, vectors) = rng.standard_normal(4), eigen(np.diag([-1.0, 0.5, 2.0, 3.0]))
        g[0] *= first
        ours = cubic_step(g, Eigen(values, vectors), 0.7)
        theirs = cubic_step(strict(g), Eigen(strict(values), strict(vectors)), 0.7)
        assert np.array_equal(np.asarray(theirs.step), ours.step) and theirs[1:] == ours[1:]


def test_float32():
    g, H = np.asarray([0.1, 1.0], dtype=np.float32), np.diag(np.asarray([-3.0, 1.0], dtype=np.float32))
    answer = cubic_step(g, eigen(H), 1.0)
    assert answer.step.dtype == np.float32 and answer.decrease == pytest.approx(18.726, rel=1e-4)
