"""Conjugate gradients and Lanczos against dense linear algebra."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import cg, lanczos


def symmetric(spectrum, seed=0):
    spectrum = np.asarray(spectrum, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum), len(spectrum))))[0]
    A = (Q * spectrum) @ Q.T
    return 0.5 * (A + A.T)


def krylov(A, b, k):
    """An orthonormal basis of span(b, Ab, ..., A^(k-1) b)."""
    vectors = [b / np.linalg.norm(b)]
    for _ in range(k - 1):
        vectors.append(A @ vectors[-1])
        vectors[-1] /= np.linalg.norm(vectors[-1])
    return np.linalg.qr(np.stack(vectors, axis=1))[0]


# ------------------------------------------------------------------------------------------------------------------- CG


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_cg_takes_one_step_for_each_distinct_eigenvalue(m):
    A = symmetric(np.repeat(1.0 + np.arange(m), 4))
    b = np.random.default_rng(1).standard_normal(4 * m)
    answer = cg(lambda v: A @ v, b)
    assert answer.iterations == m and answer.curvature is None
    np.testing.assert_allclose(answer.x, np.linalg.solve(A, b), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_cg_minimises_the_energy_of_the_error_over_the_krylov_space(k):
    A = symmetric(np.geomspace(1.0, 100.0, 12))
    b = np.random.default_rng(1).standard_normal(12)
    V = krylov(A, b, k)
    best = V @ np.linalg.solve(V.T @ A @ V, V.T @ b)
    answer = cg(lambda v: A @ v, b, max_iterations=k)
    assert answer.iterations == k
    np.testing.assert_allclose(answer.x, best, rtol=0, atol=1e-10 * np.linalg.norm(best))
    assert answer.residual_norm == pytest.approx(np.linalg.norm(b - A @ best), rel=1e-8)


def test_cg_keeps_the_classical_bound():
    spectrum = np.linspace(1.0, 50.0, 40)
    A = symmetric(spectrum)
    b = np.random.default_rng(1).standard_normal(40)
    solution = np.linalg.solve(A, b)
    root = np.sqrt(50.0)
    for k in range(1, 25):
        error = cg(lambda v: A @ v, b, max_iterations=k).x - solution
        bound = 2.0 * ((root - 1.0) / (root + 1.0)) ** k * np.sqrt(solution @ A @ solution)
        assert np.sqrt(error @ A @ error) <= bound * (1 + 1e-10)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 15), st.integers(0, 10_000), st.floats(0.0, 4.0), st.floats(-8.0, 8.0))
def test_cg_solves_to_its_tolerance(d, seed, decades, scale):
    A = 10.0**scale * symmetric(np.geomspace(1.0, 10.0**decades, d), seed)
    b = np.random.default_rng(seed).standard_normal(d)
    answer = cg(lambda v: A @ v, b, tol=1e-8, max_iterations=50 * d)
    # The recurred residual met the tolerance; the true one differs by about eps * condition number.
    assert answer.curvature is None
    assert answer.residual_norm <= (1e-8 + 1e-15 * 10.0**decades * 10) * np.linalg.norm(b)


def test_cg_with_the_matrix_itself_as_preconditioner_takes_one_step():
    A = symmetric(np.geomspace(1.0, 1e6, 20))
    b = np.random.default_rng(1).standard_normal(20)
    answer = cg(lambda v: A @ v, b, preconditioner=lambda r: np.linalg.solve(A, r), tol=1e-8)
    assert answer.iterations == 1


def test_preconditioned_cg_is_cg_on_the_transformed_system():
    rng = np.random.default_rng(2)
    A, P = symmetric(np.geomspace(1.0, 100.0, 10)), symmetric(np.geomspace(1.0, 5.0, 10), seed=3)
    b = rng.standard_normal(10)
    values, vectors = np.linalg.eigh(P)
    root = (vectors / np.sqrt(values)) @ vectors.T
    for k in range(1, 6):
        ours = cg(lambda v: A @ v, b, preconditioner=lambda r: np.linalg.solve(P, r), max_iterations=k).x
        transformed = cg(lambda v: root @ A @ root @ v, root @ b, max_iterations=k).x
        np.testing.assert_allclose(ours, root @ transformed, atol=1e-11)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 10), st.integers(0, 10_000), st.floats(-6.0, 3.0))
def test_cg_meets_negative_curvature_and_says_where(d, seed, size):
    """With one eigenvalue negative, b has a component on it and CG cannot converge without seeing it."""
    A = symmetric(np.concatenate([[-(10.0**size)], np.linspace(1.0, 3.0, d)]), seed)
    b = np.random.default_rng(seed).standard_normal(d + 1)
    answer = cg(lambda v: A @ v, b, tol=1e-12)
    p = answer.curvature
    assert p is not None and np.linalg.norm(p) > 0.0
    # Not positive, up to the rounding allowance that the function states.
    assert p @ A @ p <= 20 * np.finfo(float).eps * np.linalg.norm(p) * np.linalg.norm(A @ p)
    assert answer.residual_norm == pytest.approx(np.linalg.norm(b - A @ answer.x), rel=1e-12)
    # The iterate before it lowered the quadratic.
    assert 0.5 * answer.x @ A @ answer.x - b @ answer.x <= 1e-12


def test_cg_on_a_negative_definite_matrix_returns_b():
    b = np.asarray([1.0, 2.0])
    answer = cg(lambda v: -v, b)
    assert np.array_equal(answer.curvature, b) and not np.any(answer.x) and answer.iterations == 0


def test_cg_on_the_zero_matrix_returns_a_direction_of_zero_curvature():
    answer = cg(lambda v: 0.0 * v, np.ones(3))
    assert answer.curvature is not None and answer.residual_norm == pytest.approx(np.sqrt(3.0))


@pytest.mark.parametrize("seed", range(20))
def test_cg_notices_a_direction_of_zero_curvature_up_to_rounding(seed):
    """A singular system without a solution: the direction tends to the null vector, on which A p is rounding too."""
    A = symmetric([0.0, 0.3, 1.4, 2.7, 4.2, 5.3, 7.4], seed)
    b = np.random.default_rng(seed).standard_normal(7)
    answer = cg(lambda v: A @ v, b, tol=1e-12)
    p = answer.curvature
    assert p is not None and p @ A @ p <= 1e-13 * (p @ p)
    assert b @ answer.x > 0.0, "the iterate is a direction of ascent along b, whatever its length"


def test_cg_for_zero_asks_for_no_step():
    answer = cg(lambda v: v, np.zeros(3))
    assert not np.any(answer.x) and answer.iterations == 0
    assert answer.residual_norm == 0.0 and answer.curvature is None


def test_cg_leaves_b_alone_and_counts_its_products():
    calls, b = [], np.ones(3)
    b.flags.writeable = False
    answer = cg(lambda v: calls.append(1) or np.asarray([1.0, 2.0, 3.0]) * v, b)
    assert len(calls) == answer.iterations + 1 == 4


# -------------------------------------------------------------------------------------------------------------- Lanczos

HARD = np.concatenate([np.geomspace(1e-8, 1.0, 40), [1e3, 1e3 + 1e-6, 1e4]])


@pytest.mark.parametrize("k", [1, 5, 20, 43])
def test_lanczos_relation_and_orthogonality(k):
    """Isolated large eigenvalues converge first, which ruins orthogonality in the plain recurrence."""
    A = symmetric(HARD)
    q = np.random.default_rng(1).standard_normal(len(HARD))
    answer = lanczos(lambda v: A @ v, q, k)
    Q, T = answer.vectors, answer.tridiagonal()
    steps = Q.shape[1]
    assert np.max(np.abs(Q.T @ Q - np.eye(steps))) < 1e-12
    remainder = A @ Q - Q @ T
    assert np.max(np.abs(remainder[:, :-1]), initial=0.0) < 1e-11 * 1e4
    assert np.linalg.norm(remainder[:, -1]) == pytest.approx(answer.residual, abs=1e-11 * 1e4)
    assert np.max(np.abs(Q.T @ remainder)) < 1e-11 * 1e4
    np.testing.assert_allclose(Q[:, 0], q / np.linalg.norm(q), rtol=1e-14)


def test_lanczos_in_full_has_the_spectrum():
    A = symmetric(np.geomspace(0.1, 10.0, 15))
    answer = lanczos(lambda v: A @ v, np.random.default_rng(1).standard_normal(15), 99)
    assert answer.residual == 0.0 and answer.vectors.shape == (15, 15)
    np.testing.assert_allclose(np.linalg.eigvalsh(answer.tridiagonal()), np.geomspace(0.1, 10.0, 15), rtol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_lanczos_matches_twice_its_steps_in_moments(k):
    """e1' T^j e1 = q' A^j q for j up to 2k - 1, and not beyond."""
    A = symmetric(np.linspace(-1.0, 1.0, 12))
    q = np.random.default_rng(1).standard_normal(12)
    q /= np.linalg.norm(q)
    T = lanczos(lambda v: A @ v, q, k).tridiagonal()

    def moment(B, v, j):
        return v @ np.linalg.matrix_power(B, j) @ v

    gaps = [abs(moment(T, np.eye(k)[0], j) - moment(A, q, j)) for j in range(2 * k + 1)]
    assert max(gaps[:-1]) < 1e-14 and gaps[-1] > 1e-6


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000), st.floats(-8.0, 8.0))
def test_lanczos_stops_on_an_invariant_subspace(m, copies, seed, scale):
    """m distinct eigenvalues: the Krylov subspace is invariant after m steps, at any scale of A.

    The residual there is rounding, up to some thousand eps |A| once it has been divided by the m - 1 before it; above
    ten it goes on from that rounding, which is a new start in what is left and harms nothing.
    """
    spectrum = 10.0**scale * np.repeat(np.arange(1.0, m + 1.0), copies)
    A = symmetric(spectrum, seed)
    answer = lanczos(lambda v: A @ v, np.random.default_rng(seed).standard_normal(m * copies), m * copies)
    steps = answer.vectors.shape[1]
    assert steps >= m and (steps == m or answer.off_diagonal[m - 1] < 1e-11 * np.max(spectrum))
    ritz = np.linalg.eigvalsh(answer.tridiagonal())
    assert np.max(np.min(np.abs(ritz[:, None] - spectrum), axis=1)) < 1e-10 * 10.0**scale * m


def test_lanczos_from_an_eigenvector_is_one_step():
    answer = lanczos(lambda v: np.asarray([1.0, 2.0, 3.0]) * v, np.asarray([0.0, 5.0, 0.0]), 3)
    assert answer.diagonal == [2.0] and answer.off_diagonal == [] and answer.residual == 0.0


def test_lanczos_of_zero_matrix_and_zero_start():
    answer = lanczos(lambda v: 0.0 * v, np.ones(3), 3)
    assert answer.diagonal == [0.0] and answer.residual == 0.0
    with pytest.raises(ValueError, match="q must not be zero"):
        lanczos(lambda v: v, np.zeros(3), 2)


def test_array_api_strict_gives_the_same_numbers():
    A = symmetric(np.linspace(1.0, 4.0, 5))
    strict, b = array_api_strict.asarray(A), np.arange(1.0, 6.0)
    ours, theirs = cg(lambda v: A @ v, b), cg(lambda v: strict @ v, array_api_strict.asarray(b))
    assert np.array_equal(np.asarray(theirs.x), ours.x) and theirs.residual_norm == ours.residual_norm
    ours, theirs = lanczos(lambda v: A @ v, b, 3), lanczos(lambda v: strict @ v, array_api_strict.asarray(b), 3)
    np.testing.assert_allclose(np.asarray(theirs.vectors), ours.vectors, atol=1e-15)
    np.testing.assert_allclose(np.asarray(theirs.tridiagonal()), ours.tridiagonal(), atol=1e-14)
