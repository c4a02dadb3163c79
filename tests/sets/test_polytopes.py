"""Oracles, projections and decompositions of polytopes, against linear programming and against all vertices."""

import itertools
import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial.distance import pdist

import secondorder as so
from secondorder.arrays import to_numpy
from secondorder.oracles import Problem, to_device
from secondorder.sets import Birkhoff, Box, CappedSimplex, Hull, KSparse, L1Ball, LinfBall, Simplex

SCALES = (0.1, 1.0, 30.0, 1e8)


def is_row(x, rows):
    """To the last bit: an atom that the oracle answers with again must be recognised."""
    return bool(np.any(np.all(rows == x, axis=1)))


def mixture(polytope, rng):
    """A random point: of a small face or of the middle, with weights of one size or of very different ones."""
    corners = polytope.vertices()
    chosen = rng.choice(len(corners), size=rng.integers(1, min(12, len(corners)) + 1), replace=False)
    return rng.dirichlet(np.full(len(chosen), rng.choice([0.05, 1.0, 50.0]))) @ corners[chosen]


def test_the_oracle_solves_the_linear_program(polytope, gradients, inequalities):
    constraints = inequalities(polytope)
    for grad in gradients(polytope.d)[::4]:
        if constraints is None:  # a hull: the linear program is over the weights
            k = len(polytope.points)
            found = linprog(polytope.points @ grad, A_eq=np.ones((1, k)), b_eq=[1.0])
        else:
            found = linprog(grad, **constraints)
        assert found.status == 0
        # HiGHS keeps its constraints to 1e-7
        assert grad @ polytope.lmo(grad) == pytest.approx(found.fun, abs=1e-6 * max(1.0, polytope.diameter))


def test_the_oracle_answers_with_the_best_vertex(polytope, gradients):
    corners = polytope.vertices()
    for grad in gradients(polytope.d):
        vertex = polytope.lmo(grad)
        assert vertex.shape == grad.shape and is_row(vertex, corners) and polytope.violation(vertex) <= 1e-14
        assert grad @ vertex <= np.min(corners @ grad) + 1e-14 * polytope.d
        np.testing.assert_array_equal(polytope.lmo(7.0 * grad), vertex)


def test_vertices_are_in_the_set_and_differ(polytope):
    corners = polytope.vertices()
    assert max(polytope.violation(corner) for corner in corners) <= 1e-14
    assert len(np.unique(corners.round(12), axis=0)) == len(corners)


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (Simplex(6), 6),
        (Simplex(6, solid=True), 7),
        (CappedSimplex(6, 0.25), math.comb(6, 4)),
        (CappedSimplex(6, 0.3), math.comb(6, 3) * 3),
        (L1Ball(6), 12),
        (Box(np.zeros(6), [0.0, 1, 2, 3, 4, 5]), 2**5),
        (LinfBall(6), 2**6),
        (KSparse(6, 2), math.comb(6, 2) * 4),
        (Birkhoff(5), math.factorial(5)),
    ],
    ids=str,
)
def test_number_of_vertices(chosen, count):
    assert chosen.vertices().shape == (count, chosen.d)


def test_the_diameter_is_the_largest_distance_of_two_vertices(polytope):
    assert polytope.diameter == pytest.approx(np.max(pdist(polytope.vertices()), initial=0.0), rel=1e-14)


def test_the_start_is_in_the_relative_interior(polytope):
    """From there one can go on a little, away from any vertex."""
    assert polytope.violation(polytope.start) <= 1e-14
    for corner in polytope.vertices():
        assert polytope.violation(polytope.start + 0.01 * (polytope.start - corner)) <= 1e-14


def atoms_at_most(polytope):
    return (polytope.n - 1) ** 2 + 1 if isinstance(polytope, Birkhoff) else polytope.d + 1


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
def test_decompose_gives_the_point_back(polytope, seed):
    x, corners = mixture(polytope, np.random.default_rng(seed)), polytope.vertices()
    atoms, weights = polytope.decompose(x)
    assert np.all(weights > 0.0) and abs(np.sum(weights) - 1.0) <= 1e-14
    assert all(is_row(atom, corners) for atom in atoms) and len(np.unique(atoms, axis=0)) == len(atoms)
    np.testing.assert_allclose(weights @ atoms, x, rtol=0, atol=1e-13 * max(1.0, np.max(np.abs(corners))))
    assert len(weights) <= atoms_at_most(polytope)


def test_decompose_a_vertex_and_the_start(polytope):
    corner = polytope.vertices()[-1]
    atoms, weights = polytope.decompose(corner)
    np.testing.assert_allclose(atoms, corner[None], rtol=0, atol=1e-15)
    assert weights == pytest.approx([1.0], abs=1e-14)
    atoms, weights = polytope.decompose(polytope.start)
    np.testing.assert_allclose(weights @ atoms, polytope.start, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "large",
    [Simplex(300), CappedSimplex(300, 0.013), L1Ball(300), LinfBall(300), KSparse(300, 17), Birkhoff(20)],
    ids=str,
)
def test_decompose_in_higher_dimension(large):
    """The rounding of many peeled atoms does not add up."""
    rng = np.random.default_rng(4)
    corners = np.stack([large.lmo(rng.standard_normal(large.d)) for _ in range(150)])
    for x in (rng.dirichlet(np.ones(150)) @ corners, rng.dirichlet(np.full(150, 0.03)) @ corners, large.start):
        atoms, weights = large.decompose(x)
        np.testing.assert_allclose(weights @ atoms, x, rtol=0, atol=1e-12)
        assert len(weights) <= atoms_at_most(large)
        assert max(large.violation(atom) for atom in atoms) <= 1e-13


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_hulls_of_any_size(scale, offset):
    rng = np.random.default_rng(9)
    hull = Hull(scale * (rng.standard_normal((30, 4)) + offset))
    for weights in (*rng.dirichlet(np.ones(30), 20), *rng.dirichlet(np.full(30, 0.05), 20)):
        x = weights @ hull.points
        found = hull.decompose(x)
        assert hull.violation(x) <= 1e-14 * scale and len(found[1]) <= 5
        np.testing.assert_allclose(found[1] @ found[0], x, rtol=0, atol=1e-14 * scale)


def test_a_doubly_stochastic_matrix_of_which_the_best_assignment_passes_through_a_zero():
    """That one is of no use: its weight would be 0."""
    n = 6
    X = np.diag([0.0, *np.full(n - 1, (n - 2) / (n - 1))])
    X[0, 1:] = X[1:, 0] = 1.0 / (n - 1)
    assert Birkhoff(n).lmo(-X.ravel())[0] == 1.0 and X[0, 0] == 0.0
    atoms, weights = Birkhoff(n).decompose(X.ravel())
    np.testing.assert_allclose(weights @ atoms, X.ravel(), rtol=0, atol=1e-14)
    assert np.all(atoms[:, 0] == 0.0)


def test_the_uniform_doubly_stochastic_matrix_is_a_latin_square():
    atoms, weights = Birkhoff(6).decompose(Birkhoff(6).start)
    assert len(weights) == 6 and np.array_equal(np.sum(atoms, axis=0), np.ones(36))


@pytest.mark.parametrize("scale", SCALES)
def test_the_projection_is_the_nearest_point(projectable_polytope, scale):
    """Proof: ⟨x − Px, v − Px⟩ ≤ 0 for all v in the set, which the oracle checks for all at once."""
    polytope, rng = projectable_polytope, np.random.default_rng(2)
    for x in polytope.start + scale * rng.standard_normal((40, polytope.d)):
        near = polytope.project(x)
        assert polytope.violation(near) <= 1e-13
        best = polytope.lmo(near - x)
        # Px is known to the rounding of x
        assert (x - near) @ (best - near) <= 1e-14 * scale * np.linalg.norm(x - near) + 1e-14
        np.testing.assert_allclose(polytope.project(near), near, rtol=0, atol=1e-14)


def test_the_projection_leaves_the_points_of_the_set(projectable_polytope):
    polytope, rng = projectable_polytope, np.random.default_rng(3)
    for _ in range(40):
        x = mixture(polytope, rng)
        np.testing.assert_allclose(polytope.project(x), x, rtol=0, atol=1e-14)


def test_away_steps_find_the_projection(projectable_polytope):
    """Oracle and decomposition against projection: ½|x − Pb|² is at most the gap."""
    polytope, b = projectable_polytope, np.random.default_rng(10).standard_normal(projectable_polytope.d)
    near = Problem(lambda x: 0.5 * float((x - b) @ (x - b)), lambda x: x - b, constraint=polytope)
    history = so.minimize(near, "away_step", tol=1e-12, keep="x")
    assert history.status in {"converged", "finished"}
    assert np.linalg.norm(history.x - polytope.project(b)) <= np.sqrt(2e-12)
    assert max(map(polytope.violation, history["x"])) <= 1e-12


def test_birkhoff_and_hull_have_no_projection():
    assert Birkhoff(3).project is None and Hull([[0.0], [1.0]]).project is None


@pytest.mark.parametrize("n", range(1, 7))
def test_assignments_against_all_permutations(n):
    rng = np.random.default_rng(n)
    orders = np.asarray(list(itertools.permutations(range(n))))
    for cost in (*rng.standard_normal((10, n, n)), *rng.integers(0, 3, (10, n, n)).astype(float)):
        best = np.min(np.sum(cost[np.arange(n), orders], axis=1))
        P = Birkhoff(n).lmo(cost.ravel()).reshape(n, n)
        assert np.array_equal(np.sort(P, axis=1)[:, -1], np.ones(n)) and np.array_equal(P @ P.T, np.eye(n))
        assert np.sum(cost * P) == pytest.approx(best, abs=1e-13)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KSparse(5, 1, 2.0), L1Ball(5, 2.0)),
        (KSparse(5, 5, 2.0), LinfBall(5, 2.0)),
        (CappedSimplex(5, cap=2.0, radius=2.0), Simplex(5, 2.0)),
        (CappedSimplex(5, cap=7.0, radius=2.0), Simplex(5, 2.0)),
        (LinfBall(5, 2.0), Box(np.full(5, -2.0), np.full(5, 2.0))),
    ],
    ids=lambda polytope: str(polytope),
)
def test_sets_that_coincide(one, other):
    rng = np.random.default_rng(6)
    assert one.diameter == pytest.approx(other.diameter, rel=1e-15) and one.d == other.d
    for x in 2.0 * rng.standard_normal((30, 5)):
        np.testing.assert_array_equal(one.lmo(x), other.lmo(x))
        np.testing.assert_allclose(one.project(x), other.project(x), rtol=0, atol=1e-14)
        assert one.contains(x) == other.contains(x)


def test_the_capped_simplex_is_the_simplex_within_the_box():
    simplex, box, both = Simplex(6), Box(np.zeros(6), np.full(6, 0.3)), CappedSimplex(6, 0.3)
    rng, inside = np.random.default_rng(8), 0
    for x in rng.dirichlet(np.ones(6), 200):
        assert both.contains(x) == (simplex.contains(x) and box.contains(x))
        inside += both.contains(x)
    assert 0 < inside < 200


@pytest.mark.parametrize("cap", [0.1, 0.7, 1e-9])
def test_a_cap_that_fits_a_whole_number_of_times_leaves_no_rounding(cap):
    """0.7 / 0.1 is 6.999999999999999: the vertices have seven entries all the same, and no eighth of 1e-17."""
    assert 0.7 / 0.1 < 7.0
    for full in range(1, 12):
        for radius in (full * cap, round(full * cap, 10)):
            vertex = CappedSimplex(12, cap, radius).lmo(np.arange(12.0))
            assert np.count_nonzero(vertex) == full and np.all(vertex[:full] == cap)


def violations():
    return [
        (Simplex(3), [0.25, 0.5, 0.5], 0.25),
        (Simplex(3), [1.1, -0.1, 0.0], 0.1),
        (Simplex(3, solid=True), [0.5, 0.0, 0.0], 0.0),
        (Simplex(3, solid=True), [1.5, 0.0, 0.0], 0.5),
        (CappedSimplex(3, 0.5), [0.75, 0.25, 0.0], 0.25),
        (CappedSimplex(3, 0.5), [0.5, 0.25, 0.0], 0.25),
        (L1Ball(3), [1.0, -0.5, 0.25], 0.75),
        (Box([0.0, 0.0], [1.0, 2.0]), [-0.5, 2.25], 0.5),
        (Box([0.0, 0.0], [1.0, 2.0]), [0.5, 2.25], 0.25),
        (LinfBall(2), [0.5, -3.0], 2.0),
        (KSparse(3, 2), [1.25, 0.0, 0.0], 0.25),
        (KSparse(3, 2), [1.0, -1.0, 0.5], 0.5),
        (Birkhoff(2), [0.5, 0.625, 0.5, 0.5], 0.125),
        (Birkhoff(2), [1.25, -0.25, -0.25, 1.25], 0.25),
        (Hull([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), [1.0, 1.0], 0.5),
        (Hull([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), [0.25, 0.5], 0.0),
    ]


@pytest.mark.parametrize(("chosen", "x", "amount"), violations())
def test_violation(chosen, x, amount):
    x = np.asarray(x)
    assert chosen.violation(x) == pytest.approx(amount, abs=1e-14) and chosen.contains(x) == (amount == 0.0)


def on_device(chosen, name, dtype=None):
    """The set as a problem that has moved offers it."""
    return to_device(Problem(constraint=chosen), name, dtype).constraint


def test_array_api_strict_gives_the_same_numbers(polytope, gradients):
    strict, rng = on_device(polytope, "array_api_strict"), np.random.default_rng(5)
    for grad in gradients(polytope.d)[::3]:
        there = array_api_strict.asarray(grad)
        np.testing.assert_array_equal(np.asarray(strict.lmo(there)), polytope.lmo(grad))
        if polytope.project:
            np.testing.assert_allclose(np.asarray(strict.project(there)), polytope.project(grad), rtol=0, atol=1e-14)
        assert strict.violation(there) == pytest.approx(polytope.violation(grad), abs=1e-14)
    x = mixture(polytope, rng)
    for theirs, ours in zip(strict.decompose(array_api_strict.asarray(x)), polytope.decompose(x), strict=True):
        assert type(theirs) is type(there)
        np.testing.assert_allclose(np.asarray(theirs), ours, rtol=0, atol=1e-14)


@pytest.mark.parametrize("moved", [False, True], ids=["double set", "single set"])
def test_float32_stays_float32(polytope, gradients, moved):
    single = on_device(polytope, "numpy", "float32") if moved else polytope
    size = max(1.0, np.max(np.abs(polytope.vertices())))
    for grad in gradients(polytope.d)[::3]:
        grad = grad.astype(np.float32)
        answers = [single.lmo(grad), *([single.project(grad)] if single.project else [])]
        assert all(answer.dtype == np.float32 for answer in answers)
        assert max(polytope.violation(answer.astype(float)) for answer in answers) <= 1e-6 * size
    x = mixture(polytope, np.random.default_rng(1)).astype(np.float32)
    atoms, weights = single.decompose(x)
    assert atoms.dtype == weights.dtype == np.float32
    np.testing.assert_allclose(weights @ atoms, x, rtol=0, atol=2e-6 * size)
    assert all(is_row(atom, polytope.vertices().astype(np.float32)) for atom in atoms)


RADIUS = {
    "Simplex": lambda r: Simplex(3, r),
    "L1Ball": lambda r: L1Ball(3, r),
    "LinfBall": lambda r: LinfBall(3, r),
    "KSparse": lambda r: KSparse(3, 1, r),
    "CappedSimplex": lambda r: CappedSimplex(3, 1.0, r),
}
DIMENSION = {
    "Simplex": Simplex,
    "L1Ball": L1Ball,
    "LinfBall": LinfBall,
    "KSparse": lambda d: KSparse(d, 1),
    "CappedSimplex": lambda d: CappedSimplex(d, 1.0),
}


@pytest.mark.parametrize("make", RADIUS.values(), ids=RADIUS)
def test_a_bad_radius(make, bad):
    with pytest.raises(ValueError, match="radius must be a finite number above 0; got"):
        make(bad)


@pytest.mark.parametrize("make", DIMENSION.values(), ids=DIMENSION)
@pytest.mark.parametrize("d", [0, -2, 2.5, math.inf, True, "3", None])
def test_a_bad_dimension(make, d):
    with pytest.raises(ValueError, match="d must be a whole number, at least 1; got"):
        make(d)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CappedSimplex(4, 0.2), "cap must be at least radius / d = 0.25; got 0.2"),
        (lambda: CappedSimplex(4, -1.0), "cap must be a finite number above 0; got -1.0"),
        (lambda: KSparse(4, 5), "k must be at most d = 4; got 5"),
        (lambda: KSparse(4, 0), "k must be a whole number, at least 1; got 0"),
        (lambda: Birkhoff(0), "n must be a whole number, at least 1; got 0"),
        (lambda: Box([0.0], [math.inf]), r"high must be a finite array of shape \(d,\); got \[inf\]"),
        (lambda: Box([], []), r"low must be a finite array of shape \(d,\)"),
        (lambda: Box([[0.0]], [1.0]), r"low must be a finite array of shape \(d,\)"),
        (lambda: Box([0.0, 1.0], [1.0, 0.5]), "high must be as long as low and nowhere below it"),
        (lambda: Box([0.0, 1.0], [1.0]), "high must be as long as low and nowhere below it"),
        (lambda: Hull([1.0, 2.0]), r"points must be a finite array of shape \(k, d\)"),
        (lambda: Hull([[1.0, math.nan]]), r"points must be a finite array of shape \(k, d\)"),
        (lambda: Hull([[]]), r"points must be a finite array of shape \(k, d\)"),
        (lambda: Hull([[1.0, 2.0], [3.0]]), r"points must be a finite array of shape \(k, d\)"),
        (lambda: Box("a", "b"), r"low must be a finite array of shape \(d,\); got 'a'"),
        (lambda: LinfBall(30).vertices(), r"d is too large to list the vertices: LinfBall\(30\) has 1073741824"),
        (lambda: KSparse(40, 10).vertices(), r"d is too large to list the vertices: KSparse\(40, 10\) has"),
        (
            lambda: CappedSimplex(50, 0.1).vertices(),
            r"d is too large to list the vertices: CappedSimplex\(50, 0.1\) has",
        ),
        (lambda: L1Ball(10_000).vertices(), r"d is too large to list the vertices: L1Ball\(10000\) has 20000"),
        (lambda: Simplex(10_000).vertices(), r"d is too large to list the vertices: Simplex\(10000\) has 10000"),
        (lambda: Birkhoff(10).vertices(), r"n is too large to list the vertices: Birkhoff\(10\) has 3628800"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_caller_keeps_the_arrays():
    low, points = np.zeros(2), np.eye(2)
    box, hull = Box(low, np.ones(2)), Hull(points)
    low[0] = points[0, 0] = 9.0
    assert np.array_equal(to_numpy(box.low), np.zeros(2)) and np.array_equal(to_numpy(hull.points), np.eye(2))


@pytest.mark.parametrize("r", [1e-12, 1e-9, 1.0, 1e9])
def test_a_point_is_judged_by_the_size_of_the_set(r):
    for feasible in (Simplex(3, r), L1Ball(3, r), CappedSimplex(3, 0.5 * r, r), KSparse(3, 2, r), Hull(r * np.eye(3))):
        x = r * np.asarray([0.5, 0.3, 0.2])
        assert feasible.contains(x) and not feasible.contains(3.0 * x), feasible
        assert feasible.contains(feasible.start)
    outside = Problem(lambda x: float(x @ x), lambda x: 2.0 * x, x0=np.zeros(3), constraint=Simplex(3, r))
    with pytest.raises(ValueError, match=r"x0 must lie in Simplex\(3\)"):
        so.minimize(outside, "away_step")
    single = Hull([[r, -r]])
    assert single.contains(np.asarray([r, -r])) and not single.contains(np.asarray([r, -0.99 * r]))
