"""Frank–Wolfe: what is proved of it, held against every iterate, and what is measured of its rates."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.optimize import minimize as scipy_minimize

import secondorder as so
from secondorder.sets import Box, Hull, L1Ball, L2Ball, Simplex

TRIANGLE = np.asarray([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


class Known(NamedTuple):
    """A strongly convex quadratic on a set of diameter D, with its minimum and its constants."""

    problem: so.Problem
    L: float
    mu: float
    D: float
    f_star: float


def known(place: str, d: int = 12, seed: int = 0) -> Known:
    """The target is chosen from the minimiser: a gradient that the optimality conditions allow there."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    H = (Q * np.linspace(1.0, 3.0, d)) @ Q.T
    x, grad = rng.random(d), np.zeros(d)
    simplex = place.partition(" ")[0] != "ball"
    if simplex:
        if place == "simplex face":
            x[5:], grad[5:] = 0.0, 0.2 + rng.random(d - 5)
        x = (x + 0.5 * (x > 0.0)) / np.sum(x + 0.5 * (x > 0.0))
    else:
        x *= (0.4 if place == "ball interior" else 1.0) / np.linalg.norm(x)
        grad = -1.5 * x * (place == "ball boundary")
    target = x - np.linalg.solve(H, grad)
    feasible, start = (Simplex(d), np.eye(d)[-1]) if simplex else (L2Ball(d), np.eye(d)[0])
    problem = so.Problem(
        lambda z: 0.5 * float((z - target) @ H @ (z - target)), lambda z: H @ (z - target), lambda z: H,
        x0=start, constraint=feasible,
    )  # fmt: skip
    problem.f_star = problem.f(x)
    return Known(problem, 3.0, 1.0, feasible.diameter, problem.f_star)


def distance(target, feasible, x0=None) -> so.Problem:
    """Half the squared distance to a target."""
    target = np.asarray(target, dtype=float)
    return so.Problem(
        lambda x: 0.5 * float((x - target) @ (x - target)), lambda x: x - target, x0=x0, constraint=feasible
    )


RULES = {
    "open loop": {},
    "short": {"step_rule": "short", "lipschitz": 3.0},
    "backtracking": {"step_rule": "short"},
    "exact": {"step_rule": "exact"},
}
PLACES = ("simplex interior", "simplex face", "ball interior", "ball boundary")


@pytest.fixture(scope="module")
def runs():
    """Four hundred steps of every rule at every place."""
    return {
        (place, rule): so.minimize(known(place).problem, "frank_wolfe", tol=0.0, steps=400, keep="x", **hyper)
        for place in PLACES
        for rule, hyper in RULES.items()
    }


# --------------------------------------------------------------------------------------- what the open loop is


@pytest.mark.parametrize("ell", [1.0, 2.0, 5.5])
def test_the_first_open_step_goes_to_the_first_vertex(ell):
    history = so.minimize(known("simplex face").problem, "frank_wolfe", ell=ell, steps=5, keep=("x", "vertex"))
    np.testing.assert_array_equal(history["x"][1], history["vertex"][0])
    np.testing.assert_array_equal(history["step_size"][1:], [ell / (t + ell) for t in range(5)])


def test_the_open_loop_is_the_average_of_its_vertices_with_weights_1_2_3():
    """x_t = sum of 2 (s + 1) / (t (t + 1)) v_s over s < t."""
    history = so.minimize(known("simplex face").problem, "frank_wolfe", tol=0.0, steps=60, keep=("x", "vertex"))
    for t in range(1, 61):
        weights = 2.0 * np.arange(1, t + 1) / (t * (t + 1))
        np.testing.assert_allclose(history["x"][t], weights @ history["vertex"][:t], atol=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_an_iterate_has_at_most_one_atom_a_step(runs, rule):
    for place in ("simplex interior", "simplex face"):
        atoms = np.count_nonzero(runs[place, rule]["x"], axis=1)
        assert np.all(atoms <= np.arange(len(atoms)) + 1)


def test_sparse_iterates_of_the_simplex_cannot_be_better():
    """|x|² is at least 1/t on t atoms, so f − f* is at least ½ (1/t − 1/d) there; half of it after d/2 steps and more."""
    d = 200
    for hyper in RULES.values():
        problem = distance(np.zeros(d), Simplex(d), np.eye(d)[0])
        history = so.minimize(problem, "frank_wolfe", tol=0.0, steps=d, **{**hyper, "lipschitz": None})
        atoms, error = np.arange(d + 1) + 1.0, history.f - 0.5 / d
        floor = 0.5 * (1.0 / atoms - 1.0 / d)
        assert np.all(error >= floor[: len(error)] - 1e-15)
    t = np.arange(1, d + 1)
    error = so.minimize(distance(np.zeros(d), Simplex(d)), "frank_wolfe", np.eye(d)[0], tol=0.0, steps=d).f - 0.5 / d
    assert np.all(error[1:] >= 0.5 * (1.0 / t - 1.0 / d) - 1e-15), (
        "the open loop has one atom less: it leaves its start"
    )


# ---------------------------------------------------------------------------------- bounds at every single step


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("place", PLACES)
def test_the_error_is_below_its_bound_and_below_the_gap_at_every_step(runs, place, rule):
    history, (_, L, _, D, f_star) = runs[place, rule], known(place)
    error, t = history.f - f_star, np.arange(len(history))
    bound = 2.0 * L * D**2 / (t + 2.0) * (2.0 if rule == "backtracking" else 1.0)
    assert np.all(error[1:] <= bound[1:])
    assert np.all(error <= history["gap"] + 1e-14)


@pytest.mark.parametrize("ell", [1.5, 2.0, 4.0, 8.0])
def test_the_bound_of_the_general_open_loop(ell):
    r"""h_{t+1} ≤ (1 − γ) h_t + γ² L D²/2 gives ℓ² L D² / (2 (ℓ − 1) (t + ℓ)) by induction."""
    for place in PLACES:
        problem, L, _, D, f_star = known(place)
        error = so.minimize(problem, "frank_wolfe", tol=0.0, steps=300, ell=ell).f - f_star
        t = np.arange(1, len(error))
        assert np.all(error[1:] <= ell**2 * L * D**2 / (2.0 * (ell - 1.0) * (t + ell)))


def least_gap_bound(T: int) -> float:
    r"""In units of L D²: from Σ γ_s G_s ≤ h_a + Σ γ_s²/2 over s = a … T, with h_a ≤ 2/(a + 2), at the best a."""
    step = 2.0 / (np.arange(T + 1) + 2.0)
    tails, squares = np.cumsum(step[::-1])[::-1], np.cumsum(step[::-1] ** 2)[::-1]
    start = 2.0 / (np.arange(T + 1) + 2.0)
    return float(np.min(((start + 0.5 * squares) / tails)[1:]))


@pytest.mark.parametrize("rule", ["open loop", "short", "exact"])
def test_the_least_gap_is_below_its_bound(runs, rule):
    bounds = np.asarray([least_gap_bound(T) for T in range(1, 401)])
    assert np.all(bounds * (np.arange(1, 401) + 2.0) <= 27.0 / 4.0), "sharper than the constant of Jaggi"
    for place in PLACES:
        history, (_, L, _, D, _) = runs[place, rule], known(place)
        least = np.minimum.accumulate(history["gap"])[1:]
        assert np.all(least <= L * D**2 * bounds[: len(least)])


@pytest.mark.parametrize("rule", ["short", "exact"])
def test_without_convexity_the_least_gap_falls_like_the_root(rule):
    """Each step decreases f by min(G/2, G²/(2 L D²)); their sum is at most f(x₀) − f(x_T)."""
    rng = np.random.default_rng(3)
    d = 20
    Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    H = (Q * np.concatenate([np.linspace(-1.0, -0.2, 5), np.linspace(0.5, 3.0, d - 5)])) @ Q.T
    b = 0.3 * rng.standard_normal(d)
    problem = so.Problem(lambda x: float(0.5 * x @ H @ x + b @ x), lambda x: H @ x + b, constraint=L1Ball(d, 3.0))
    history = so.minimize(
        problem, "frank_wolfe", tol=0.0, steps=2000, step_rule=rule, lipschitz=3.0 if rule == "short" else None
    )
    assert np.linalg.eigvalsh(H)[0] < 0.0 and len(history) > 500
    gap, drop, scale = history["gap"], history.f[0] - history.f, 3.0 * problem.constraint.diameter**2
    steps = np.arange(1, len(history))
    least = np.minimum.accumulate(gap)[:-1]
    assert np.all(least <= np.maximum(2.0 * drop[1:] / steps, np.sqrt(2.0 * drop[1:] * scale / steps)) * (1.0 + 1e-12))


# ------------------------------------------------------------------------------------------ faster than 1/t


def test_interior_optimum_open_loop_falls_like_the_square():
    """With r the distance of the optimum from the boundary: f − f* ≤ 8 L² D⁴ / (μ r² (t + 2)²), and not faster."""
    problem, L, mu, D, f_star = known("ball interior")
    history = so.minimize(problem, "frank_wolfe", tol=0.0, steps=3000)
    t = np.arange(1, len(history))
    assert np.all((history.f - f_star)[1:] <= 8.0 * L**2 * D**4 / (mu * 0.6**2 * (t + 2.0) ** 2))
    assert so.measured_rate(history).value == pytest.approx(2.0, abs=0.25)


@pytest.mark.parametrize("rule", ["short", "exact"])
def test_interior_optimum_searched_steps_are_linear(rule):
    """G ≥ r |∇f| ≥ r √(2 μ h), so each step takes at least the fraction μ r² / (L D²) of the error."""
    problem, L, mu, D, f_star = known("ball interior")
    error = so.minimize(problem, "frank_wolfe", tol=0.0, steps=60, **RULES[rule]).f - f_star
    error = error[error > 1e-12]
    assert len(error) > 10 and np.all(error[1:] <= (1.0 - mu * 0.6**2 / (L * D**2)) * error[:-1])


@pytest.mark.parametrize("rule", ["short", "exact"])
def test_on_a_ball_the_gap_is_curved_and_searched_steps_are_linear(rule):
    """G ≥ |∇f| |x − v|² / (2 R), so a step takes at least the fraction min(½, |∇f| / (4 R L)) of the error."""
    problem, L, _, _, f_star = known("ball boundary")
    history = so.minimize(problem, "frank_wolfe", tol=1e-12, steps=300, keep=("x", "vertex"), **RULES[rule])
    assert history.status == "converged" and len(history) < 100
    chords = np.sum((history["x"] - history["vertex"]) ** 2, axis=1)
    assert np.all(history["gap"] >= history.grad_norm * chords / 2.0 - 1e-14)
    error = history.f - f_star
    fraction = np.minimum(0.5, history.grad_norm / (4.0 * L))
    assert np.all(error[1:] <= (1.0 - fraction[:-1]) * error[:-1] + 1e-14)


@pytest.mark.parametrize("ell", [1.0, 2.0, 4.0])
def test_on_a_ball_with_the_optimum_outside_the_exponent_of_the_open_loop_is_ell(ell):
    """h_{t+1} ≤ (1 − γ + γ² L R / |∇f|) h_t once that is below 1; without more, the product falls like t^−ℓ."""
    problem, L, _, _, f_star = known("ball boundary")
    history = so.minimize(problem, "frank_wolfe", tol=0.0, steps=2000, ell=ell, keep="step_size")
    error, step_size = history.f - f_star, history["step_size"][1:]
    factor = 1.0 - step_size + step_size**2 * L / history.grad_norm[:-1]
    safe = error[1:] > 1e-13
    assert np.all((error[1:] <= factor * error[:-1] + 1e-14)[(step_size * L / history.grad_norm[:-1] <= 1.0) & safe])
    assert so.measured_rate(error).value == pytest.approx(ell, rel=0.1)


def sheared(ell):
    """A face whose first answer of the oracle is not on it: its weight in x is what the open loop remembers."""
    H = np.asarray([[1.0, 1.5], [1.5, 4.0]])
    target = np.asarray([0.2137 + 0.15, -0.1])
    problem = so.Problem(
        lambda x: 0.5 * float((x - target) @ H @ (x - target)), lambda x: H @ (x - target),
        x0=[-1.0, 0.0], constraint=Hull(TRIANGLE),
    )  # fmt: skip
    problem.f_star = problem.f(np.asarray([0.2137, 0.0]))
    return so.minimize(problem, "frank_wolfe", tol=0.0, steps=10000, ell=ell, keep=("x", "vertex"))


@pytest.mark.parametrize("ell", [1.0, 2.0, 4.0])
def test_on_a_face_the_open_loop_has_the_exponent_ell_or_two(ell):
    history = sheared(ell)
    off = np.nonzero(history["vertex"][:, 1] > 0.5)[0]
    last, height = int(off[-1]), history["x"][:, 1]
    assert off[0] == 0 and last < 20
    t = np.arange(last + 1, len(history) - 1)
    np.testing.assert_allclose(height[t + 1], t / (t + ell) * height[t], rtol=1e-9, atol=1e-300)
    assert so.measured_rate(history).value == pytest.approx(min(ell, 2.0), abs=0.3)


def zigzag(rule, steps=3000):
    problem = distance([0.2137, -0.5], Hull(TRIANGLE), [0.0, 1.0])
    problem.f_star = 0.125
    return so.minimize(problem, "frank_wolfe", tol=0.0, steps=steps, keep=("x", "vertex"), **rule)


def test_line_search_zigzags_on_a_face_with_a_known_constant():
    """t (f − f*) tends to 2 / (1/a + 1/c)², a and c the distances of the optimum from the ends of the base."""
    history, a, c = zigzag({"step_rule": "exact"}), 1.0 - 0.2137, 1.0 + 0.2137
    ends = history["vertex"][10:-1, 0]
    assert np.all(ends[1:] == -ends[:-1]), "the two ends of the base in turn"
    error, t = history.primal_gap, np.arange(len(history))
    assert t[-1] * error[-1] == pytest.approx(2.0 / (1.0 / a + 1.0 / c) ** 2, rel=0.02)
    assert so.measured_rate(error).value == pytest.approx(1.0, abs=0.2)


def test_the_open_loop_beats_line_search_on_a_face_and_loses_on_a_ball():
    open_loop, exact = zigzag({}), zigzag({"step_rule": "exact"})
    assert so.measured_rate(open_loop).value == pytest.approx(2.0, abs=0.5)
    assert np.max(open_loop.primal_gap[1000:]) < 0.2 * np.min(exact.primal_gap[1000:])
    problem, *_, f_star = known("ball boundary")
    searched = so.minimize(problem, "frank_wolfe", tol=1e-12, step_rule="exact", steps=300)
    looped = so.minimize(problem, "frank_wolfe", tol=1e-12, steps=len(searched))
    assert searched.status == "converged" and looped.f[-1] - f_star > 1e4 * max(searched.f[-1] - f_star, 1e-16)


# ------------------------------------------------------------------------------- invariance, feasibility, dtype


@pytest.mark.parametrize("hyper", [{}, {"step_rule": "exact"}], ids=["open loop", "exact"])
def test_affine_changes_of_variable_change_nothing(hyper):
    rng = np.random.default_rng(5)
    points, target, M = rng.standard_normal((9, 4)), rng.standard_normal(4), rng.standard_normal((4, 4))
    M = M + 3.0 * np.eye(4)
    x0 = points.mean(axis=0)
    plain = distance(target, Hull(points), x0)
    moved = so.Problem(
        lambda y: plain.f(M @ y), lambda y: M.T @ plain.grad(M @ y),
        x0=np.linalg.solve(M, x0), constraint=Hull(np.linalg.solve(M, points.T).T),
    )  # fmt: skip
    one, two = (so.minimize(p, "frank_wolfe", tol=0.0, steps=60, keep="x", **hyper) for p in (plain, moved))
    np.testing.assert_allclose(two["x"] @ M.T, one["x"], atol=1e-8)
    np.testing.assert_allclose(two["gap"], one["gap"], atol=1e-8)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("feasible", [Simplex(6), L1Ball(6, 2.0), L2Ball(6), Box([-1.0] * 6, [2.0] * 6)], ids=str)
def test_every_iterate_is_feasible(feasible, rule):
    target = np.asarray([3.0, -2.0, 0.4, 0.3, 0.2, 0.1])
    history = so.minimize(distance(target, feasible), "frank_wolfe", tol=0.0, steps=300, keep="x", **RULES[rule])
    assert max(feasible.violation(x) for x in history["x"]) <= 1e-12


@pytest.mark.parametrize("rule", RULES)
def test_single_precision(rule):
    target = np.asarray([0.5, 0.3, -0.2, -0.4], dtype=np.float32)
    problem = so.Problem(
        lambda x: 0.5 * float((x - target) @ (x - target)), lambda x: x - target,
        x0=np.asarray([0.25] * 4, dtype=np.float32), constraint=Simplex(4),
    )  # fmt: skip
    history = so.minimize(problem, "frank_wolfe", tol=2e-3, steps=3000, keep=("x", "grad", "vertex"), **RULES[rule])
    assert history.status == "converged" and history.x.dtype == np.float32
    assert {history[name].dtype for name in ("x", "grad", "vertex")} == {np.dtype(np.float32)}
    np.testing.assert_allclose(history.x, [0.6, 0.4, 0.0, 0.0], atol=0.07)


def test_where_the_hessian_is_a_multiple_of_the_identity_the_short_step_is_the_exact_one():
    problem = distance([0.2137, -0.5], Hull(TRIANGLE), [0.0, 1.0])
    short = so.minimize(problem, "frank_wolfe", tol=0.0, steps=100, keep="x", step_rule="short", lipschitz=1.0)
    exact = so.minimize(problem, "frank_wolfe", tol=0.0, steps=100, keep="x", step_rule="exact")
    np.testing.assert_allclose(short["x"], exact["x"], atol=1e-10)


# --------------------------------------------------------------------------------- an independent second opinion


@pytest.mark.parametrize("rule", RULES)
def test_a_linear_function_takes_one_step_to_the_answer_of_linprog(rule):
    rng = np.random.default_rng(2)
    c, points = rng.standard_normal(5), rng.standard_normal((12, 5))
    for feasible in (Simplex(5), L1Ball(5, 2.0), Box([-1.0] * 5, [0.5] * 5), Hull(points)):
        vertices = feasible.vertices()
        best = linprog(
            vertices @ c, A_eq=np.ones((1, len(vertices))), b_eq=[1.0]
        )  # over the weights of a convex combination
        history = so.minimize(so.Problem(lambda x: float(c @ x), lambda x: c, constraint=feasible), "frank_wolfe",
                              tol=1e-12, **{**RULES[rule], "lipschitz": None})  # fmt: skip
        assert len(history) <= 2 and history.f[-1] == pytest.approx(best.fun, abs=1e-10)


@pytest.mark.parametrize("hyper", [{}, {"step_rule": "exact"}], ids=["open loop", "exact"])
def test_scipy_finds_no_better_point_of_the_simplex_than_the_gap_allows(hyper):
    problem = known("simplex interior", seed=4).problem
    history = so.minimize(problem, "frank_wolfe", tol=1e-4, **hyper)
    found = scipy_minimize(
        problem.f, problem.constraint.start, jac=problem.grad, method="SLSQP", bounds=[(0.0, None)] * 12,
        constraints={"type": "eq", "fun": lambda x: np.sum(x) - 1.0, "jac": lambda x: np.ones(12)},
        options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    assert history.status == "converged"
    assert found.fun - 1e-9 <= history.f[-1] <= found.fun + history["gap"][-1] + 1e-9


def test_scikit_learn_finds_the_same_sparse_classifier():
    """Its penalised problem has the solution of ours at the radius that its solution has."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    problem = so.problems.logistic("breast_cancer", l2=0.0, standardize=True)
    fitted = linear_model.LogisticRegression(
        l1_ratio=1.0, C=0.1, solver="liblinear", fit_intercept=False, tol=1e-10, max_iter=10000
    )
    fitted.fit(problem.A, problem.y)
    w = fitted.coef_[0]
    radius = float(np.sum(np.abs(w)))
    history = so.minimize(problem.subject_to(L1Ball(problem.A.shape[1], radius)), "away_step", tol=1e-7)
    assert history.status == "converged" and np.count_nonzero(np.abs(w) > 1e-6) < 15
    assert problem.f(w) - 1e-7 <= history.f[-1] <= problem.f(w) + history["gap"][-1] + 1e-12
    np.testing.assert_allclose(history.x, w, atol=2e-3 * np.max(np.abs(w)))
