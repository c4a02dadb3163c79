"""The barrier of a polytope: its centre, its start, its self-concordance, and what is refused."""

import numpy as np
import pytest

import secondorder as so
from secondorder.problems import analytic_center


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "d"), [(40, 10), (5, 4), (12, 1)])
def test_the_origin_is_the_centre_of_a_bounded_polytope(n, d, seed):
    problem = analytic_center(n, d, seed=seed)
    weights = 1.0 / problem.b
    assert np.all(problem.b > 0.0) and np.linalg.norm(weights @ problem.A) <= 1e-12 * n
    assert (
        np.linalg.matrix_rank(problem.A) == d
    )  # a positive combination of spanning rows vanishes: no ray stays inside
    assert problem.f_star == pytest.approx(-np.sum(np.log(problem.b)))
    history = so.minimize(problem, "newton")
    assert history.status == "converged" and np.linalg.norm(history.x) <= 1e-7


@pytest.mark.parametrize("closeness", [1.0, 0.5, 1e-6])
def test_the_start_is_as_close_to_a_wall_as_asked(closeness):
    problem = analytic_center(closeness=closeness)
    slack = (problem.b - problem.A @ problem.x0) / problem.b
    assert slack.min() == pytest.approx(closeness, rel=1e-8) and problem.domain(problem.x0)
    assert not problem.domain(problem.x0 / (1.0 - closeness) * 1.001) if closeness < 1.0 else np.all(problem.x0 == 0.0)


def inside(problem, rng):
    x, v = rng.standard_normal((2, len(problem.x0)))
    return x * rng.uniform(0.0, 0.99) / np.max(problem.A @ x / problem.b), v


def test_self_concordance_and_the_barrier_parameter():
    """|D^3 f[v,v,v]| <= 2 |v|_x^3, and the Newton decrement is at most sqrt(n)."""
    problem, rng = analytic_center(), np.random.default_rng(0)
    M, nu = problem.self_concordance
    for _ in range(100):
        x, v = inside(problem, rng)
        H, g = problem.hess(x), problem.grad(x)
        assert abs(problem.third(x, v) @ v) <= M * (v @ H @ v) ** (nu / 2.0)
        assert g @ np.linalg.solve(H, g) <= problem.n
    # With one wall close, along its normal the constant is attained.
    near = analytic_center(closeness=1e-8)
    normal = near.A[np.argmin(near.b - near.A @ near.x0)]
    assert abs(near.third(near.x0, normal) @ normal) == pytest.approx(
        2.0 * (normal @ near.hess(near.x0) @ normal) ** 1.5
    )


def test_the_bounds_of_a_self_concordant_function():
    """omega*(r) = -r - log(1 - r) above the quadratic... and r^2/(1-r) for the gradient, in the Dikin ellipsoid."""
    problem, rng = analytic_center(), np.random.default_rng(1)
    for _ in range(100):
        x, v = inside(problem, rng)
        H, r = problem.hess(x), rng.uniform(0.01, 0.95)
        h = r * v / np.sqrt(v @ H @ v)
        error = problem.grad(x + h) - problem.grad(x) - H @ h
        assert problem.domain(x + h)
        assert problem.f(x + h) <= problem.f(x) + problem.grad(x) @ h - r - np.log(1.0 - r) + 1e-12
        assert np.sqrt(error @ np.linalg.solve(H, error)) <= r**2 / (1.0 - r) * (1.0 + 1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 10}, "n must be above d: a bounded polytope of 10 dimensions has at least 11 walls; got 10"),
        ({"d": 0}, "d must be a whole number"),
        ({"closeness": 0.0}, r"closeness must be in \(0, 1\]; got 0.0"),
        ({"closeness": float("nan")}, "closeness must be in"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        analytic_center(**options)
