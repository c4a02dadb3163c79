"""Away steps, and what the three methods that keep an active set have in common."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

import secondorder as so
from secondorder.frank_wolfe.active_set import ActiveSet
from secondorder.oracles import Problem

METHODS = ("away_step", "pairwise", "blended_pairwise")
TRIANGLE = [[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
B = np.asarray([0.2137, -0.5])


def nearest_point(b, constraint, x0=None, f_star=None, half=0.5):
    """½|x − b|² on a set (|x − b|² with half = 1)."""
    return Problem(
        lambda x: half * float((x - b) @ (x - b)),
        lambda x: 2.0 * half * (x - b),
        x0=x0,
        constraint=constraint,
        f_star=f_star,
        fresh=True,
    )


def triangle():
    """|x − b|² over a triangle: the answer (0.2137, 0) lies on the side opposite to the start."""
    return nearest_point(B, so.sets.Hull(TRIANGLE), x0=[0.0, 1.0], f_star=0.25, half=1.0)


def on_simplex(d=12, seed=0):
    """½|x − b|² on the simplex, from a vertex; the projection is the answer, on a face."""
    b, simplex = 0.5 * np.random.default_rng(seed).standard_normal(d), so.sets.Simplex(d)
    answer = simplex.project(b)
    assert 1 < np.count_nonzero(answer) < d
    return nearest_point(b, simplex, np.eye(d)[0], f_star=0.5 * float((answer - b) @ (answer - b)))


def on_cube(d=6, seed=1):
    """A diagonal quadratic on [0, 1]^d, from the vertex 1; clipping is the answer, and the curvatures are 1 to 4."""
    rng = np.random.default_rng(seed)
    cube = so.sets.Hull(list(itertools.product([0.0, 1.0], repeat=d)))
    weights, b = np.linspace(1.0, 4.0, d), rng.uniform(-0.5, 1.0, d)
    error = np.clip(b, 0.0, 1.0) - b
    return Problem(
        lambda x: 0.5 * float(weights @ (x - b) ** 2), lambda x: weights * (x - b), x0=np.ones(d), constraint=cube,
        f_star=0.5 * float(weights @ error**2), fresh=True,
    )  # fmt: skip


def least_squares(constraint, m=30, seed=2):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((m, constraint.d)), rng.standard_normal(m)
    return Problem(
        lambda x: 0.5 * float((A @ x - b) @ (A @ x - b)), lambda x: A.T @ (A @ x - b), lambda x: A.T @ A,
        constraint=constraint, fresh=True,
    )  # fmt: skip


def drawn_hull(k=15, d=4, seed=3):
    return so.sets.Hull(np.random.default_rng(seed).standard_normal((k, d)))


PROBLEMS = {"triangle": triangle, "simplex": on_simplex, "cube": on_cube, "hull": lambda: least_squares(drawn_hull())}


def runs(problem, method, steps=1000, **options):
    for hyper in ({}, {"step_rule": "exact"}):
        yield so.minimize(problem, method, tol=1e-10, steps=steps, keep=("x", "atoms", "weights"), **hyper, **options)


# ---------------------------------------------------------------------------------------------------- the active set


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_point_is_the_convex_combination_on_record(name, method):
    problem = PROBLEMS[name]()
    corners = problem.constraint.vertices()
    for history in runs(problem, method):
        assert history.status == "converged"
        for row in history.rows:
            atoms, weights = row["atoms"], row["weights"]
            assert np.all(weights > 0.0) and abs(weights.sum() - 1.0) <= 1e-12
            np.testing.assert_allclose(weights @ atoms, row["x"], rtol=0.0, atol=1e-12)
            assert len(np.unique(atoms, axis=0)) == len(atoms) == row["active"], "no atom stands there twice"
            assert all(np.any(np.all(corners == atom, axis=1)) for atom in atoms), "every atom is a vertex"
            assert problem.constraint.violation(row["x"]) <= 1e-12


def test_the_start_is_decomposed_where_the_set_can_do_it():
    problem = on_simplex()
    row = next(iter(so.frank_wolfe.away_step(problem, problem.constraint.start)))
    np.testing.assert_allclose(row.weights, 1.0 / 12.0)
    corners = Problem(problem.f, problem.grad, lmo=problem.lmo, x0=problem.constraint.start)
    row = next(iter(so.frank_wolfe.away_step(corners)))
    assert row.weights.tolist() == [1.0] and np.array_equal(row.atoms[0], corners.x0)


def test_to_drop_an_atom_is_the_longest_step_away_from_it():
    rng = np.random.default_rng(0)
    for _ in range(500):
        weights = np.clip(rng.dirichlet(np.full(4, 0.05)), 1e-6, None)
        active = ActiveSet(np.eye(4), weights / weights.sum())
        i = int(np.argmax(active.weights))
        rest, w = np.delete(active.weights, i), active.weights[i]
        dropped = active.without(i)
        assert np.array_equal(dropped.atoms, np.delete(np.eye(4), i, axis=0))
        np.testing.assert_allclose(dropped.weights, rest / rest.sum(), rtol=1e-14)
        far = active.point() + w / (1.0 - w) * (active.point() - active.atoms[i])
        np.testing.assert_allclose(dropped.point(), far, atol=1e-14 / (1.0 - w))


def test_a_vertex_in_use_is_found_and_a_new_one_has_no_weight_yet():
    active = ActiveSet(np.eye(3)[:2], np.asarray([0.25, 0.75]))
    same, i = active.including(np.eye(3)[1])
    assert same is active and i == 1
    more, i = active.including(np.eye(3)[2])
    assert i == 2 and more.weights.tolist() == [0.25, 0.75, 0.0]
    assert more.towards(2, 1.0).atoms.tolist() == [[0.0, 0.0, 1.0]]


# ---------------------------------------------------------------------------------------- certificate, monotone values


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["triangle", "simplex", "cube"])
def test_the_gap_bounds_the_error_and_no_step_rises(name, method):
    problem = PROBLEMS[name]()
    for history in runs(problem, method):
        assert np.all(history["gap"] >= history.primal_gap - 1e-14)
        assert np.all(np.diff(history.f) <= 1e-15)
        assert history.primal_gap[-1] <= 1e-10


@pytest.mark.parametrize("method", METHODS)
def test_the_answer_is_that_of_an_independent_solver(method):
    problem = least_squares(so.sets.Simplex(8))
    expected = scipy_minimize(
        problem.f, problem.x0, jac=problem.grad, method="SLSQP", bounds=[(0.0, None)] * 8,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1.0}, options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    history = so.minimize(problem, method, tol=1e-10)
    assert history.f[-1] - expected.fun <= 1e-10 + 1e-9 and history.f[-1] >= expected.fun - 1e-7
    np.testing.assert_allclose(history.x, expected.x, atol=1e-5)


# ------------------------------------------------------------------------------------------------------ linear rates


def bound_on_the_rate(name, d):
    """μδ²/(4 L D²) with the pyramidal widths 2/√d of the simplex (d even) and 1/√d of the cube."""
    if name == "simplex":
        return (2.0 / np.sqrt(d)) ** 2 / (4.0 * 2.0)
    return 1.0 / (4.0 * 4.0 * d * d)


@pytest.mark.parametrize("rule", ["exact", "short", "adapted"])
@pytest.mark.parametrize("method", ["away_step", "blended_pairwise"])
@pytest.mark.parametrize("name", ["simplex", "cube"])
def test_the_error_is_below_the_linear_bound_at_every_step(name, method, rule):
    problem, largest = PROBLEMS[name](), 4.0 if name == "cube" else 1.0
    hyper = {"exact": {"step_rule": "exact"}, "short": {"lipschitz": largest}, "adapted": {}}[rule]
    history = so.minimize(problem, method, tol=1e-11, **hyper)
    assert history.status == "converged"
    rate = bound_on_the_rate(name, problem.x0.shape[0])
    if rule == "adapted":
        assert np.nanmax(history["lipschitz"]) <= 2.0 * largest * (1.0 + 1e-6), "doubled once above L at most"
        rate /= 2.0
    h = np.maximum(history.primal_gap, 0.0)
    assert np.all(h <= (1.0 - rate) ** (0.5 * np.arange(len(h))) * h[0] + 1e-15)
    for move, before, after in zip(history["move"][1:], h, h[1:]):
        assert move == "drop" or after <= (1.0 - rate) * before + 1e-15, "what is not a drop keeps the promise alone"


def test_the_bound_is_one_that_frank_wolfe_breaks():
    """On the triangle δ = 1 and D = 2: the distance of (0, 1) from the opposite side, and the length of that side."""
    problem, rate = triangle(), 1.0 / 16.0
    promised = (1.0 - rate) ** (0.5 * np.arange(401)) * problem.f(problem.x0)
    plain = so.minimize(problem, "frank_wolfe", step_rule="exact", steps=400)
    assert plain.primal_gap[-1] > 100.0 * promised[-1]
    away = so.minimize(problem, "away_step", step_rule="exact", tol=1e-12)
    assert np.all(away.primal_gap <= promised[: len(away)] + 1e-15)


def test_frank_wolfe_zigzags_where_the_others_finish():
    r"""Near the side, two exact steps take :math:`2y^2/(1-b_1^2)^2` from the height y, so :math:`ty_t\to(1-b_1^2)^2`."""
    problem = triangle()
    plain = so.minimize(problem, "frank_wolfe", step_rule="exact", steps=1000, keep="x")
    assert 0.65 <= so.measured_rate(plain).value <= 1.1
    assert 0.96 <= 1000.0 * plain["x"][-1, 1] / (1.0 - B[0] ** 2) ** 2 <= 1.01
    signs = np.sign(np.diff(plain["x"][10:, 0]))
    assert np.array_equal(signs[1:], -signs[:-1]), "left and right in turn"
    for method in METHODS:
        for hyper in ({"step_rule": "exact"}, {"lipschitz": 2.0}):
            history = so.minimize(problem, method, tol=1e-12, **hyper)
            assert history.status == "converged" and len(history) - 1 <= 5
            np.testing.assert_allclose(history.x, [B[0], 0.0], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_straight_on_logarithmic_paper_where_frank_wolfe_has_slope_one(method):
    problem = least_squares(so.sets.Simplex(20), m=40)
    history = so.minimize(problem, method, step_rule="exact", tol=1e-10)
    assert history.status == "converged" and 2 <= np.count_nonzero(history.x > 1e-9) <= 18, "the answer is on a face"
    least = np.minimum.accumulate(history["gap"])
    at = [int(np.argmax(least <= level)) for level in (1e-1, 1e-4, 1e-7, 1e-10)]
    pieces = np.diff(at)
    assert max(pieces) <= 2.5 * min(pieces), "as many steps for three digits late as early"
    values = np.linalg.eigvalsh(problem.hess(problem.x0))
    promised = 1.0 - bound_on_the_rate("simplex", 20) * values[0] / values[-1]
    assert 10.0 ** (-9.0 / (at[-1] - at[0])) <= promised
    plain = so.minimize(problem, "frank_wolfe", step_rule="exact", steps=1000)
    assert 0.7 <= so.measured_rate(np.minimum.accumulate(plain["gap"])).value <= 1.2
    assert plain["gap"].min() > 1e5 * history["gap"].min()


@pytest.mark.parametrize("name", PROBLEMS)
def test_at_most_half_of_the_steps_are_drops(name):
    problem = PROBLEMS[name]()
    for history in runs(problem, "away_step"):
        moves, active = history["move"][1:].tolist(), history["active"]
        assert {"frank_wolfe", "away", "drop"} >= set(moves)
        for t in range(len(moves) + 1):
            drops, added = moves[:t].count("drop"), moves[:t].count("frank_wolfe")
            assert drops <= added + active[0] - 1
        for move, before, after in zip(moves, active, active[1:]):
            assert move != "drop" or after == before - 1
            assert move != "away" or after == before


def test_a_step_away_goes_to_the_end_or_to_the_minimum_on_the_way():
    problem = on_cube()
    history = so.minimize(problem, "away_step", step_rule="exact", tol=1e-10, keep=("x", "atoms", "weights"))
    rows, met = history.rows, set()
    for row, after in itertools.pairwise(rows):
        if after["move"] == "frank_wolfe":
            continue
        grad = problem.grad(row["x"])
        away = int(np.argmax(row["atoms"] @ grad))
        direction, weight = row["x"] - row["atoms"][away], row["weights"][away]
        np.testing.assert_allclose(after["x"], row["x"] + after["step_size"] * direction, atol=1e-12)
        assert weight < 0.5
        longest = weight / (1.0 - weight)
        slope = problem.grad(after["x"]) @ direction
        met.add(after["move"])
        if after["move"] == "drop":
            assert after["step_size"] == pytest.approx(longest, rel=1e-12) and slope <= 1e-12
        else:
            assert after["step_size"] < longest and abs(slope) <= 1e-9 * abs(grad @ direction) + 1e-13
    assert met == {"away", "drop"}


@pytest.mark.parametrize("method", METHODS)
def test_float32_stays_float32(method):
    problem = so.to_device(so.problems.quadratic([1.0, 4.0, 4.0]), "numpy", "float32").subject_to(so.sets.Simplex(3))
    problem = so.to_device(problem, "numpy", "float32")
    history = so.minimize(problem, method, keep=("weights", "atoms"))
    assert history.status == "converged" and history.x.dtype == np.float32
    assert history.rows[-1]["weights"].dtype == history.rows[-1]["atoms"].dtype == np.float32


def test_it_goes_the_steeper_of_the_two_ways():
    history = so.minimize(on_cube(), "away_step", step_rule="exact", tol=1e-9, keep=("x", "atoms"))
    problem = on_cube()
    for row, after in zip(history.rows, history.rows[1:]):
        away = float((row["atoms"] @ problem.grad(row["x"])).max() - problem.grad(row["x"]) @ row["x"])
        assert (after["move"] == "frank_wolfe") == (row["gap"] >= away)
