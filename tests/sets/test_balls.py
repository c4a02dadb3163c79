"""Balls: the oracle reaches minus the radius times the dual norm, and projections are proved by the oracle."""

import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from secondorder.oracles import Problem, to_device
from secondorder.sets import L2Ball, LpBall, NonnegativeL2Ball

SCALES = (0.1, 1.0, 30.0, 1e8)


def least(ball, grad):
    """The least inner product with ``grad``, by the norm that is dual to that of the ball."""
    if isinstance(ball, NonnegativeL2Ball):
        return -ball.radius * np.linalg.norm(np.clip(-grad, 0.0, None))
    p = getattr(ball, "p", 2.0)
    return -ball.radius * np.linalg.norm(grad, p / (p - 1.0))


@settings(deadline=None)
@given(grad=arrays(float, 5, elements=st.floats(-1e3, 1e3, allow_subnormal=False)))
@pytest.mark.parametrize("chosen", [L2Ball(5, 2.0), LpBall(5, 1.3, 0.5), LpBall(5, 6.0), NonnegativeL2Ball(5)], ids=str)
def test_the_oracle_reaches_the_dual_norm(chosen, grad):
    v = chosen.lmo(grad)
    assert chosen.violation(v) <= 4e-15 * chosen.radius
    grad = grad / (np.max(np.abs(grad)) or 1.0)  # so that no norm underflows here
    assert grad @ v == pytest.approx(least(chosen, grad), rel=1e-12, abs=1e-14)


def test_no_point_of_the_ball_is_better(ball):
    """Random points of the set, and of its boundary, as the oracle and the start span them."""
    rng = np.random.default_rng(0)
    points = [
        t * ball.lmo(g) + (1.0 - t) * ball.lmo(h) for g, h in rng.standard_normal((30, 2, ball.d)) for t in (0, 0.4)
    ]
    for grad in rng.standard_normal((30, ball.d)):
        assert grad @ ball.lmo(grad) <= min(grad @ point for point in points) + 1e-14


def test_the_oracle_at_zero_is_feasible(ball):
    v = ball.lmo(np.zeros(ball.d))
    assert v.shape == (ball.d,) and ball.violation(v) == 0.0


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_extreme_gradients_neither_overflow_nor_vanish(ball, size):
    grad = np.random.default_rng(1).standard_normal(ball.d)
    np.testing.assert_allclose(ball.lmo(size * grad), ball.lmo(grad), rtol=1e-13)


def test_the_nonnegative_oracle_stays_at_the_origin_where_the_gradient_pushes_there():
    part = NonnegativeL2Ball(3, 2.0)
    np.testing.assert_array_equal(part.lmo(np.asarray([1.0, 0.0, 3.0])), np.zeros(3))
    np.testing.assert_allclose(part.lmo(np.asarray([1.0, -5.0, 3.0])), [0.0, 2.0, 0.0])


def test_p_equal_to_2_is_the_euclidean_ball():
    for grad in np.random.default_rng(2).standard_normal((20, 6)):
        np.testing.assert_allclose(LpBall(6, 2.0, 3.0).lmo(grad), L2Ball(6, 3.0).lmo(grad), rtol=0, atol=1e-14)
    assert LpBall(6, 2.0, 3.0).diameter == L2Ball(6, 3.0).diameter


@pytest.mark.parametrize(("p", "corner"), [(1.0 + 1e-6, "largest"), (1e6, "signs")])
def test_extreme_exponents_are_nearly_the_polytopes(p, corner):
    """p near 1 gives −r sgn(g)e of the largest entry, large p gives −r sgn(g)."""
    grad = np.asarray([0.5, -2.0, 1.0])
    expected = [0.0, 1.0, 0.0] if corner == "largest" else [-1.0, 1.0, -1.0]
    np.testing.assert_allclose(LpBall(3, p).lmo(grad), expected, rtol=0, atol=1e-5)


def test_the_diameter_is_the_largest_distance(ball):
    """Attained by two points that are known, and by no pair that random directions find."""
    e, one = np.eye(ball.d)[0], np.ones(ball.d)
    match ball:
        case NonnegativeL2Ball():
            pair = ball.radius * e, ball.radius * np.eye(ball.d)[-1] if ball.d > 1 else 0.0 * e
        case LpBall() if ball.p > 2.0:
            pair = ball.radius * one / ball.d ** (1.0 / ball.p), -ball.radius * one / ball.d ** (1.0 / ball.p)
        case _:
            pair = ball.radius * e, -ball.radius * e
    assert max(ball.violation(x) for x in pair) <= 1e-14
    assert ball.diameter == pytest.approx(np.linalg.norm(pair[0] - pair[1]), rel=1e-14)
    for grad in np.random.default_rng(3).standard_normal((200, ball.d)):
        assert np.linalg.norm(ball.lmo(grad) - ball.lmo(-grad)) <= ball.diameter * (1.0 + 1e-14)


def test_the_start_is_inside(ball):
    for direction in np.random.default_rng(4).standard_normal((20, ball.d)):
        assert ball.violation(ball.start + 0.01 * ball.radius * direction / np.linalg.norm(direction)) == 0.0


@pytest.mark.parametrize("scale", SCALES)
def test_the_projection_is_the_nearest_point(projectable_ball, scale):
    """Proof: ⟨x − Px, v − Px⟩ ≤ 0 for all v in the set, which the oracle checks for all at once."""
    ball = projectable_ball
    for x in scale * np.random.default_rng(5).standard_normal((40, ball.d)):
        near = ball.project(x)
        assert ball.violation(near) <= 1e-14
        assert (x - near) @ (ball.lmo(near - x) - near) <= 4e-15 * ball.radius * max(scale, 1.0)
        np.testing.assert_allclose(ball.project(near), near, rtol=0, atol=1e-14)


def test_the_projection_leaves_the_points_of_the_set():
    for ball in (L2Ball(4, 2.0), NonnegativeL2Ball(4, 2.0)):
        for x in np.random.default_rng(6).uniform(0.0, 1.0, (20, 4)):
            assert np.array_equal(ball.project(x), x)


def test_lp_balls_have_no_projection_and_no_ball_has_vertices(ball):
    assert (ball.project is None) == isinstance(ball, LpBall)
    assert ball.vertices is None and ball.decompose is None and not ball.polytope


@pytest.mark.parametrize(
    ("chosen", "x", "amount"),
    [
        (L2Ball(2), [3.0, 4.0], 4.0),
        (LpBall(2, 3.0), [1.0, -1.0], 2.0 ** (1.0 / 3.0) - 1.0),
        (LpBall(2, 3.0), [0.0, 0.5], 0.0),
        (NonnegativeL2Ball(2), [-0.25, 0.5], 0.25),
        (NonnegativeL2Ball(2), [0.0, 1.5], 0.5),
    ],
    ids=str,
)
def test_violation(chosen, x, amount):
    assert chosen.violation(np.asarray(x)) == pytest.approx(amount, abs=1e-14)
    assert chosen.contains(np.asarray(x)) == (amount == 0.0)


def test_array_api_strict_gives_the_same_numbers(ball, gradients):
    strict = to_device(Problem(constraint=ball), "array_api_strict").constraint
    for grad in gradients(ball.d):
        there = array_api_strict.asarray(grad)
        np.testing.assert_allclose(np.asarray(strict.lmo(there)), ball.lmo(grad), rtol=0, atol=1e-14)
        if ball.project:
            np.testing.assert_allclose(np.asarray(strict.project(there)), ball.project(grad), rtol=0, atol=1e-14)
        assert strict.violation(there) == pytest.approx(ball.violation(grad), abs=1e-14)


def test_float32_stays_float32(ball, gradients):
    for grad in gradients(ball.d):
        grad = grad.astype(np.float32)
        for answer in (ball.lmo(grad), *([ball.project(grad)] if ball.project else [])):
            assert answer.dtype == np.float32 and ball.violation(answer.astype(float)) <= 1e-6 * ball.radius


@pytest.mark.parametrize("make", [L2Ball, NonnegativeL2Ball, lambda d, r: LpBall(d, 3.0, r)])
def test_bad_radius_and_dimension(make, bad):
    with pytest.raises(ValueError, match="radius must be a finite number above 0; got"):
        make(3, bad)
    with pytest.raises(ValueError, match="d must be a whole number, at least 1; got"):
        make(bad, 1.0)


@pytest.mark.parametrize(("p", "message"), [(1.0, r"p must be above 1 \(for 1 there is L1Ball\); got 1.0"),
                                            (0.5, "p must be above 1"),
                                            (math.inf, "p must be a finite number above 0; got inf"),
                                            (math.nan, "p must be a finite number above 0; got nan")])  # fmt: skip
def test_bad_exponent(p, message):
    with pytest.raises(ValueError, match=message):
        LpBall(3, p)
