"""How far to go: the searches against closed forms, at the edge of the domain and at the edge of rounding."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.frank_wolfe.step_rules import GROW, SHRINK, Search, short_step
from secondorder.ledger import Ledger
from secondorder.sets import Simplex


def quadratic(seed, d=8, scale=1.0):
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    H, b = (Q * np.linspace(0.5, 4.0, d)) @ Q.T, scale * rng.standard_normal(d)
    problem = so.Problem(lambda x: float(0.5 * x @ H @ x + b @ x), lambda x: H @ x + b, x0=rng.standard_normal(d))
    direction = rng.standard_normal(d)
    grad = problem.grad(problem.x0)
    return Ledger(problem), H, grad, -math.copysign(1.0, grad @ direction) * direction


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("largest", [math.inf, 0.3, 1e-3])
def test_the_exact_search_finds_the_closed_form_of_a_quadratic(seed, largest):
    problem, H, grad, d = quadratic(seed)
    best = -float(grad @ d) / float(d @ H @ d)
    largest = min(largest, 10.0 * best)
    step_size, account = Search(problem, "exact", None)(problem.x, grad, d, largest)
    assert step_size == pytest.approx(min(best, largest), rel=1e-10)
    assert account["trials"] == problem.counts["grad"] <= 8 and problem.counts["f"] == 0


def barrier(seed=0, d=5):
    """A linear function and the barrier of the positive orthant, with its domain."""
    c = np.random.default_rng(seed).random(d)
    return Ledger(
        so.Problem(
            lambda x: float(c @ x - 0.01 * np.sum(np.log(x))), lambda x: c - 0.01 / x,
            domain=lambda x: bool(np.all(x > 0.0)), x0=np.full(d, 1.0 / d),
        )
    )  # fmt: skip


@pytest.mark.parametrize("rule", ["exact", "short"])
def test_a_search_stays_in_the_domain_and_decreases(rule):
    problem = barrier()
    x, grad = problem.x, problem.grad(problem.x)
    for i in range(5):
        direction = 2.0 * np.eye(5)[i] - x  # the whole step leaves the orthant
        if grad @ direction < 0.0:
            step_size, _ = Search(problem, rule, None)(x, grad, direction, 1.0)
            point = x + step_size * direction
            assert 0.0 < step_size < 1.0 and problem.domain(point) and problem.f(point) < problem.f(x)
            if rule == "exact":
                slope = abs(float(problem.grad(point) @ direction))
                assert slope <= 1e-8 * abs(float(grad @ direction)) and problem.grad(point) @ direction <= 0.0


@pytest.mark.parametrize("rule", ["exact", "short"])
def test_a_wall_stops_a_search_though_f_falls_behind_it(rule):
    problem = Ledger(
        so.Problem(lambda x: -float(x[0]), lambda x: np.asarray([-1.0, 0.0]), domain=lambda x: bool(x[0] < 0.3),
                   x0=np.zeros(2))
    )  # fmt: skip
    step_size, _ = Search(problem, rule, None)(problem.x, problem.grad(problem.x), np.asarray([1.0, 0.0]), 1.0)
    assert 0.1 < step_size < 0.3


def test_a_direction_of_ascent_gets_no_step():
    problem, _, grad, d = quadratic(1)
    for rule in ("exact", "short"):
        assert Search(problem, rule, 1.0)(problem.x, grad, -d, 1.0) == (0.0, {})
        assert Search(problem, rule, 1.0)(problem.x, grad, d, 0.0) == (0.0, {})


@pytest.mark.parametrize("curvature", [0.0, 5e-324, 0.3, 4.0, 1e300])
def test_the_short_step_minimises_its_model(curvature):
    step_size = short_step(1.0, curvature, 0.7)
    grid = np.linspace(0.0, 0.7, 1001)
    model = -grid + 0.5 * grid**2 * curvature
    assert 0.0 < step_size <= 0.7
    assert -step_size + 0.5 * step_size**2 * curvature <= np.min(model) + 1e-15 * step_size


def run(seed=0, steps=200):
    """A quadratic with L₁ = 4 on the simplex, by backtracking."""
    problem = quadratic(seed, scale=0.2)[0].problem.subject_to(Simplex(8))
    history = so.minimize(problem, "frank_wolfe", tol=0.0, steps=steps, step_rule="short", keep=("x", "vertex"))
    assert len(history) == steps + 1
    return history


def test_backtracking_keeps_its_promise_and_its_constant():
    history = run()
    L, step_size, chord = history["lipschitz"][1:], history["step_size"][1:], history["x"] - history["vertex"]
    square = np.sum(chord[:-1] ** 2, axis=1)
    promised = step_size * history["gap"][:-1] - 0.5 * step_size**2 * L * square
    assert np.all(history.f[1:] <= history.f[:-1] - promised + 1e-12)
    assert np.all(step_size <= np.minimum(1.0, history["gap"][:-1] / (L * square)) * (1.0 + 1e-12))
    assert np.all(L <= GROW * 4.0)


def test_trials_are_paid_by_the_doublings():
    """Each step multiplies the constant by 0.9 · 2^(trials − 1), and it ends below 2 L₁: that bounds the sum."""
    history = run()
    L, trials = history["lipschitz"][1:], history["trials"][1:]
    np.testing.assert_allclose(L[1:], L[:-1] * SHRINK * GROW ** (trials[1:] - 1.0), rtol=1e-12)
    steps = len(L)
    most = steps + (math.log(GROW * 4.0 / L[0]) - (steps - 1) * math.log(SHRINK)) / math.log(GROW) + trials[0]
    assert trials.sum() <= most <= 1.2 * steps + 10.0
    assert history.oracle["f"] == trials.sum() + 1


@pytest.mark.parametrize("rule", ["exact", "short"])
def test_a_search_goes_on_where_the_values_are_rounded(rule):
    """The constant 1e6 hides decreases below 1e-10 from f; the slopes still tell, down to a gap of 1e-13."""
    target = np.asarray([0.4, 0.3, 0.2, 0.1])
    problem = so.Problem(
        lambda x: 1e6 + 0.5 * float((x - target) @ (x - target)), lambda x: x - target, constraint=Simplex(4)
    )
    history = so.minimize(problem, "frank_wolfe", tol=1e-13, steps=2000, step_rule=rule)
    assert history.status == "converged"


def test_of_a_linear_function_the_first_step_is_the_largest():
    c = np.asarray([1e-9, 2e-9, 0.0])
    problem = Ledger(so.Problem(lambda x: float(c @ x), lambda x: c, x0=np.ones(3)))
    for largest in (1.0, 1e-3):
        direction = np.asarray([-1.0, -1.0, 0.0])
        step_size, account = Search(problem, "short", None)(problem.x, problem.grad(problem.x), direction, largest)
        assert step_size == largest and account["trials"] == 1


def test_a_search_gives_up_on_a_wrong_gradient():
    problem = Ledger(so.Problem(lambda x: float(x @ x), lambda x: -2.0 * x, x0=np.ones(3)))
    search = Search(problem, "short", None)
    step_size, account = search(problem.x, problem.grad(problem.x), np.ones(3), 1.0)
    assert problem.counts["f"] <= 101 and step_size < 1e-12 and account.get("trials", 100) <= 100


def test_a_search_in_single_precision_takes_few_trials():
    x = np.asarray([0.9, 0.05, 0.05], dtype=np.float32)
    problem = Ledger(so.Problem(lambda x: float(np.sum(np.exp(x))), lambda x: np.exp(x), x0=x))
    grad = problem.grad(x)
    direction = np.asarray([0.0, 0.5, 0.5], dtype=np.float32) - x
    step_size, account = Search(problem, "exact", None)(x, grad, direction, 1.0)
    point = x + step_size * direction
    assert point.dtype == np.float32 and account["trials"] <= 25
    assert abs(float(np.exp(point) @ direction)) <= 1e-5 * abs(float(grad @ direction))
