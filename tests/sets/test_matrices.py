"""Sets of matrices: one Lanczos run against dense decompositions, and x that holds a part of the matrix."""

import array_api_strict
import numpy as np
import pytest

import secondorder as so
from secondorder.sets import NuclearBall, Spectrahedron

SHAPES = [(7, 4), (4, 7), (5, 5), (1, 6), (6, 1), (1, 1), (65, 55), (55, 65)]  # Lanczos serves the last two


def nuclear_norm(X):
    return np.linalg.svd(X, compute_uv=False).sum()


def some_entries(shape, count, seed=0):
    flat = np.sort(np.random.default_rng(seed).choice(shape[0] * shape[1], count, replace=False))
    return np.divmod(flat, shape[1])


def dense(entries, values, shape):
    G = np.zeros(shape)
    G[entries] = values
    return G


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_the_vertex_attains_the_dual_norm(shape, seed):
    G = np.random.default_rng(seed).standard_normal(shape)
    v = NuclearBall(shape, 2.5).lmo(G.reshape(-1))
    # Lanczos stops at the relative residual 1e-10, which bounds the error of the value.
    assert G.reshape(-1) @ v == pytest.approx(-2.5 * np.linalg.norm(G, 2), rel=1e-10)
    assert nuclear_norm(v.reshape(shape)) == pytest.approx(2.5, rel=1e-12)
    assert np.linalg.matrix_rank(v.reshape(shape), tol=1e-10) == 1


@pytest.mark.parametrize("n", [30, 60])
def test_a_tied_top_singular_value_is_no_trouble(n):
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    for spectrum in (np.ones(n), np.append(np.full(5, 3.0), np.linspace(0.0, 2.9, n - 5))):
        G = (U * spectrum) @ V.T
        v = NuclearBall((n, n)).lmo(G.reshape(-1))
        assert G.reshape(-1) @ v == pytest.approx(-spectrum.max(), rel=1e-10)


@pytest.mark.parametrize("some", [NuclearBall((3, 2)), NuclearBall((5, 5), entries=([0, 4], [1, 1]), sketch=1)])
def test_the_zero_gradient_gives_a_feasible_point(some):
    assert some.contains(some.lmo(np.zeros(some.d))) and some.contains(some.start)


@pytest.mark.parametrize("scale", [1e-300, 1e-90, 1e90, 1e300])
@pytest.mark.parametrize(
    "some", [NuclearBall((4, 3)), NuclearBall((60, 60)), Spectrahedron(4), NuclearBall((9, 9), sketch=2)]
)
def test_the_vertex_does_not_depend_on_the_scale_of_the_gradient(some, scale):
    g = np.random.default_rng(5).uniform(-1.0, 1.0, some.d)
    np.testing.assert_allclose(some.lmo(scale * g), some.lmo(g), rtol=0, atol=1e-8)


def test_some_entries_see_the_vertex_of_the_sparse_gradient():
    shape = (9, 6)
    entries, g = some_entries(shape, 20), np.random.default_rng(1).standard_normal(20)
    G = dense(entries, g, shape)
    v = NuclearBall(shape, 2.0, entries).lmo(g)
    U, s, Vt = np.linalg.svd(G)
    np.testing.assert_allclose(v, (-2.0 * np.outer(U[:, 0], Vt[0]))[entries], rtol=0, atol=1e-9)
    assert g @ v == pytest.approx(-2.0 * s[0], rel=1e-10)


def test_the_sketch_is_linear_in_the_matrix_and_its_oracle_exact():
    """The gradient of any linear function of what x holds, also of the sketch: the value at the vertex is the least over
    random feasible matrices, and equals minus r times the norm of the adjoint image."""
    shape, rng = (9, 7), np.random.default_rng(2)
    entries = some_entries(shape, 15)
    ball = NuclearBall(shape, 3.0, entries, sketch=2)
    g = rng.standard_normal(ball.d)
    image, coimage = g[15 : 15 + 18].reshape(9, 2), g[33:].reshape(5, 7)
    G = dense(entries, g[:15], shape) + image @ ball.omega.T + ball.psi.T @ coimage
    assert g @ ball.lmo(g) == pytest.approx(-3.0 * np.linalg.norm(G, 2), rel=1e-10)
    left, right = rng.standard_normal(9), rng.standard_normal(7)
    assert g @ ball.seen(left, right) == pytest.approx(left @ G @ right, rel=1e-12)
    unit = left / np.linalg.norm(left), right / np.linalg.norm(right)
    assert np.linalg.norm(2.0 * 3.0 * ball.seen(*unit)) <= ball.diameter


@pytest.mark.parametrize("shape", [(40, 30), (30, 40)])
def test_a_sketch_as_large_as_the_rank_gives_the_matrix_back(shape):
    rng = np.random.default_rng(3)
    ball = NuclearBall(shape, 1.0, some_entries(shape, 50), sketch=6)
    pairs = [(rng.standard_normal(shape[0]), rng.standard_normal(shape[1])) for _ in range(6)]
    x, X = sum(ball.seen(*pair) for pair in pairs), sum(np.outer(*pair) for pair in pairs)
    U, s, V = ball.factors(x)
    np.testing.assert_allclose((U * s) @ V.T, X, rtol=0, atol=1e-10 * np.linalg.norm(X, 2))
    np.testing.assert_allclose(s, np.linalg.svd(X, compute_uv=False)[:6], rtol=1e-10)


def test_a_smaller_sketch_is_near_the_best_of_its_rank():
    """Rank 20 with falling singular values; the sketch of size 10 is asked for rank 4."""
    rng, shape = np.random.default_rng(4), (60, 50)
    ball = NuclearBall(shape, 1.0, some_entries(shape, 50), sketch=10)
    U, V = (np.linalg.qr(rng.standard_normal((n, 20)))[0] for n in shape)
    s = 2.0 ** -np.arange(20.0)
    x, X = sum(ball.seen(s[i] * U[:, i], V[:, i]) for i in range(20)), (U * s) @ V.T
    best = np.linalg.norm(s[4:])
    L, t, R = ball.factors(x, rank=4)
    assert t.shape == (4,) and best <= np.linalg.norm((L * t) @ R.T - X) <= 1.1 * best  # 1.0003 here


def test_projection_is_the_nearest_point():
    """By the variational inequality over the vertices that the oracle finds, and by a dense proximal point."""
    rng, ball = np.random.default_rng(5), NuclearBall((6, 4), 2.0)
    for _ in range(10):
        x = 3.0 * rng.standard_normal(24)
        p = ball.project(x)
        assert ball.violation(p) <= 1e-12 and ball.violation(x) > 0.1
        assert (x - p) @ (p - ball.lmo(p - x)) >= -1e-10  # <x - p, v - p> <= 0 for the worst v
        np.testing.assert_allclose(ball.project(p), p, rtol=0, atol=1e-12)
    inside = 0.1 * rng.standard_normal(24)
    np.testing.assert_allclose(ball.project(inside), inside, rtol=0, atol=1e-14)


@pytest.mark.parametrize("some", [NuclearBall((6, 4), 2.0), Spectrahedron(4, 2.0), Spectrahedron(4, 2.0, solid=True)])
def test_decomposition_gives_vertices_and_weights(some):
    rng = np.random.default_rng(6)
    for scale in (0.0, 0.3, 10.0):
        x = some.project(scale * rng.standard_normal(some.d))
        atoms, weights = some.decompose(x)
        np.testing.assert_allclose(weights @ atoms, x, rtol=0, atol=1e-13)
        assert weights.min() > 0.0 and weights.sum() == pytest.approx(1.0, abs=1e-14)
        for atom in atoms:
            side = round(some.d**0.5) if isinstance(some, Spectrahedron) else 4
            norms = np.linalg.svd(atom.reshape(-1, side), compute_uv=False)
            extreme = norms[0] == pytest.approx(2.0) and norms[1:].max() < 1e-12
            assert extreme or (np.all(atom == 0.0) and getattr(some, "solid", False))


def test_of_some_entries_the_violation_is_a_lower_bound():
    shape, rng = (8, 5), np.random.default_rng(7)
    entries = some_entries(shape, 12)
    whole, part = NuclearBall(shape, 1.0), NuclearBall(shape, 1.0, entries)
    X = rng.standard_normal(shape)
    assert 0.0 < part.violation(X[entries]) <= whole.violation(X.reshape(-1))
    assert part.project is None and part.decompose is None


@pytest.mark.parametrize("n", [1, 2, 9])
@pytest.mark.parametrize("solid", [False, True])
def test_spectrahedron_oracle_against_the_dense_eigenvalues(n, solid):
    rng, ball = np.random.default_rng(8), Spectrahedron(n, 3.0, solid)
    for shift in (-5.0, 0.0, 5.0):
        G = rng.standard_normal((n, n)) + shift * np.eye(n)
        least = np.linalg.eigvalsh(0.5 * (G + G.T))[0]
        v = ball.lmo(G.reshape(-1))
        expected = min(0.0, 3.0 * least) if solid else 3.0 * least
        assert G.reshape(-1) @ v == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert ball.violation(v) <= 1e-12 and ball.contains(ball.start)


def test_projection_onto_the_spectrahedron():
    rng = np.random.default_rng(9)
    for ball in (Spectrahedron(5, 2.0), Spectrahedron(5, 2.0, solid=True)):
        for _ in range(10):
            x = rng.standard_normal(25)
            p = ball.project(x)
            assert ball.violation(p) <= 1e-12
            assert (x - p) @ (p - ball.lmo(p - x)) >= -1e-9


def test_a_linear_function_is_minimised_in_one_step():
    """max <C, X> over trace one is the largest eigenvalue (the relaxation of the largest cut has this form)."""
    adjacency = np.triu(np.random.default_rng(10).random((12, 12)) < 0.4, 1).astype(float)
    laplacian = np.diag((adjacency + adjacency.T).sum(0)) - adjacency - adjacency.T
    problem = so.Problem(
        lambda x: -float(laplacian.reshape(-1) @ x),
        lambda x: -laplacian.reshape(-1),
        constraint=Spectrahedron(12),
    )
    history = so.minimize(problem, "frank_wolfe", tol=1e-8)
    assert len(history) == 2 and history.status == "converged"
    assert -history.f[-1] == pytest.approx(np.linalg.eigvalsh(laplacian)[-1], rel=1e-9)


def test_float32_and_another_array_library():
    entries = some_entries((8, 5), 20)
    for ball in (
        NuclearBall((8, 5), 2.0),
        NuclearBall((5, 8), 2.0, entries[::-1], sketch=2),
        Spectrahedron(5),
        Spectrahedron(5, solid=True),
    ):
        g = np.random.default_rng(11).standard_normal(ball.d)
        v = ball.lmo(g)
        strict = ball.lmo(array_api_strict.asarray(g))
        np.testing.assert_allclose(np.asarray(strict), v, rtol=0, atol=1e-8)
        single = ball.lmo(g.astype(np.float32))
        assert single.dtype == np.float32
        # Lanczos ends at 1e4 rounding units; the value is second order in that.
        assert g @ single == pytest.approx(g @ v, rel=1e-4)
        if ball.project is not None:
            p = ball.project(array_api_strict.asarray(g))
            np.testing.assert_allclose(np.asarray(p), ball.project(g), rtol=0, atol=1e-12)
            assert ball.violation(array_api_strict.asarray(g)) == pytest.approx(ball.violation(g))
            atoms, weights = ball.decompose(p)
            np.testing.assert_allclose(np.asarray(weights @ atoms), ball.project(g), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NuclearBall(5), "shape must be the numbers of rows and columns; got 5"),
        (lambda: NuclearBall((2, 0)), r"shape\[1\] must be a whole number, at least 1; got 0"),
        (lambda: NuclearBall((2, 2), radius=-1.0), "radius must be a finite number above 0; got -1.0"),
        (lambda: NuclearBall((2, 2), entries=[0, 1]), "two integer arrays of one length; got rows"),
        (lambda: NuclearBall((2, 2), entries=([0, 1], [0])), "two integer arrays of one length; got columns"),
        (lambda: NuclearBall((2, 2), entries=([0.5], [0])), "two integer arrays"),
        (lambda: NuclearBall((2, 3), entries=([0], [3])), r"columns of entries must lie in 0, …, 2; got 3 to 3"),
        (lambda: NuclearBall((2, 3), entries=7), "entries must be two arrays"),
        (lambda: NuclearBall((4, 4), sketch=2), r"2 sketch \+ 1 ≤ min\(shape\) = 4; got 2"),
        (lambda: NuclearBall((4, 4), entries=([0], [0])).factors(np.ones(1)), "factors needs a sketch"),
        (lambda: Spectrahedron(2.5), "n must be a whole number"),
        (lambda: Spectrahedron(2, 0.0), "radius must be a finite number above 0"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
