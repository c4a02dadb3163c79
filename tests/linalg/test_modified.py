"""Solves with a Hessian that was made positive definite: against their definitions, and against dense twins."""

import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import secondorder as so
from secondorder.linalg import flipped_solve, modified_cholesky, shifted_solve
from secondorder.newton.newton import direction

EPS = np.finfo(float).eps


def spectral(spectrum, seed):
    """A symmetric matrix with that spectrum, in a random basis."""
    spectrum = np.asarray(spectrum, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum), len(spectrum))))[0]
    A = (Q * spectrum) @ Q.T
    return 0.5 * (A + A.T)


def textbook(H):
    """Gill, Murray and Wright's algorithm, written out on the whole Schur complement."""
    n = len(H)
    gamma, xi = np.max(np.abs(np.diag(H))), np.max(np.abs(H - np.diag(np.diag(H))))
    beta2 = max(gamma, xi / math.sqrt(max(1, n * n - 1)), EPS)
    delta = EPS * max(gamma + xi, 1.0)
    S, left, D, E, order = H.astype(float).copy(), list(range(n)), [], np.zeros(n), []
    while left:
        q = max(left, key=lambda i: abs(S[i, i]))
        left.remove(q)
        theta = max((abs(S[i, q]) for i in left), default=0.0)
        d = max(abs(S[q, q]), theta**2 / beta2, delta)
        E[q] = d - S[q, q]
        for i in left:
            for k in left:
                S[i, k] -= S[i, q] * S[k, q] / d
        D.append(d)
        order.append(q)
    return np.asarray(D), E, order


def bound(H):
    """The largest E that the algorithm can add."""
    n = len(H)
    gamma, xi = np.max(np.abs(np.diag(H))), np.max(np.abs(H - np.diag(np.diag(H))))
    beta = math.sqrt(max(gamma, xi / math.sqrt(max(1, n * n - 1)), EPS))
    return (xi / beta + (n - 1) * beta) ** 2 + 2.0 * (gamma + (n - 1) * beta**2) + EPS * max(gamma + xi, 1.0)


entries = st.floats(-1e3, 1e3, allow_subnormal=False)
matrices = st.integers(1, 7).flatmap(
    lambda n: st.lists(entries, min_size=n * n, max_size=n * n).map(
        lambda v: np.tril(np.reshape(v, (n, n))) + np.tril(np.reshape(v, (n, n)), -1).T
    )
)


@settings(max_examples=300, deadline=None)
@given(matrices)
def test_the_factors_are_those_of_h_plus_a_non_negative_diagonal(H):
    L, D, E = modified_cholesky(H)
    size = max(np.max(np.abs(H)), np.max(D), 1.0)
    assert np.max(np.abs((L * D) @ L.T - H - np.diag(E))) <= 1e-13 * len(H) * size
    assert np.all(E >= 0.0) and np.all(D > 0.0)
    assert np.max(E) <= bound(H) * (1.0 + 1e-12)
    # Once the rows are in the order of elimination, L is unit lower triangular.
    order = np.argsort([np.max(np.nonzero(row)[0]) for row in L])
    np.testing.assert_array_equal(np.triu(L[order]), np.eye(len(H)))


@settings(max_examples=300, deadline=None)
@given(st.integers(2, 8), st.integers(0, 10**6))
def test_h_plus_e_is_positive_definite(n, seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n)) * 10.0 ** rng.uniform(-1, 1, n)
    H = 0.5 * (A + A.T)
    L, D, E = modified_cholesky(H)
    np.linalg.cholesky(H + np.diag(E))
    twin_D, twin_E, order = textbook(H)
    np.testing.assert_allclose(D, twin_D, rtol=1e-9)
    np.testing.assert_allclose(E, twin_E, rtol=1e-9, atol=1e-9 * np.max(np.abs(H)))
    np.testing.assert_array_equal(np.triu(L[order]), np.eye(n))
    # It adds at least what the least eigenvalue lacks.
    assert np.max(E) >= -np.linalg.eigvalsh(H)[0] * (1.0 - 1e-12)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10), st.floats(0.0, 10.0), st.floats(-3.0, 3.0), st.integers(0, 10**6))
def test_a_safely_positive_definite_matrix_is_left_alone(n, decades, scale, seed):
    H = spectral(10.0**scale * np.logspace(0.0, decades, n), seed)
    L, D, E = modified_cholesky(H)
    assert not np.any(E)
    assert np.max(np.abs((L * D) @ L.T - H)) <= 1e-14 * n * np.max(np.abs(H))


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 7), st.integers(0, 10**6))
def test_modified_cholesky_does_not_care_for_the_order_of_the_variables(n, seed):
    rng = np.random.default_rng(seed)
    H = rng.standard_normal((n, n))
    H, p = H + H.T, rng.permutation(n)
    np.testing.assert_allclose(modified_cholesky(H[np.ix_(p, p)])[2], modified_cholesky(H)[2][p], rtol=1e-8, atol=1e-10)


def test_interchanges_keep_h_plus_e_away_from_singular():
    # Without them the first pivot here leaves exactly h_22 - beta^2 = 0 for the second.
    H = np.asarray([[-0.125, 0.35], [0.35, 0.351]])
    assert np.linalg.eigvalsh(H + np.diag(modified_cholesky(H)[2]))[0] > 0.1


def test_on_a_diagonal_matrix_it_flips():
    H = np.diag([3.0, -2.0, -5.0, 1.0])
    np.testing.assert_array_equal(modified_cholesky(H)[2], [0.0, 4.0, 10.0, 0.0])


def test_the_smallest_matrices():
    for value, e in ((2.0, 0.0), (-2.0, 4.0), (0.0, EPS)):
        L, D, E = modified_cholesky(np.asarray([[value]]))
        assert (L[0, 0], D[0], E[0]) == (1.0, value + e, e)
    H = np.zeros((3, 3))
    np.testing.assert_array_equal(modified_cholesky(H)[2], np.full(3, EPS))


spectra = st.lists(st.floats(-10.0, 10.0).filter(lambda v: abs(v) > 1e-3), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(spectra, st.integers(0, 10**6))
def test_the_flip_solves_with_the_absolute_value(spectrum, seed):
    spectrum = np.sort(spectrum)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum), len(spectrum))))[0]
    H, b = (Q * spectrum) @ Q.T, np.random.default_rng(seed + 1).standard_normal(len(spectrum))
    twin = np.linalg.solve((Q * np.abs(spectrum)) @ Q.T, b)
    np.testing.assert_allclose(flipped_solve(0.5 * (H + H.T), b), twin, rtol=1e-8, atol=1e-8)


def test_the_flip_raises_what_is_tiny():
    x = flipped_solve(np.diag([1e-12, -4.0]), np.ones(2))
    np.testing.assert_allclose(x, [1.0 / (4.0 * math.sqrt(EPS)), 0.25])


@settings(max_examples=200, deadline=None)
@given(spectra, st.integers(0, 10**6))
def test_the_shift_is_the_first_of_its_sequence_that_suffices(spectrum, seed):
    H = spectral(spectrum, seed)
    b = np.random.default_rng(seed + 1).standard_normal(len(H))
    x, shift = shifted_solve(H, b)
    least, lowest = np.min(np.diag(H)), np.linalg.eigvalsh(H)[0]
    tau = 0.0 if least > 0.0 else 1e-3 - least
    while np.linalg.eigvalsh(H + tau * np.eye(len(H)))[0] <= 0.0:
        tau = max(2.0 * tau, 1e-3)
    assert shift == tau
    assert shift == 0.0 or shift <= max(-2.0 * lowest, 1e-3 - least)  # at most twice the least shift
    np.testing.assert_allclose((H + shift * np.eye(len(H))) @ x, b, atol=1e-9 * (1.0 + np.max(np.abs(x))) * 40.0)


@pytest.mark.parametrize("modification", ["flip", "shift", "cholesky"])
def test_every_modification_points_downhill_and_leaves_a_definite_hessian_alone(modification):
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 12):
        A = rng.standard_normal((n, n))
        g = rng.standard_normal(n)
        indefinite = A + A.T - 0.1 * n * np.eye(n)
        step, modified = direction(indefinite, g, modification)
        assert modified == (np.linalg.eigvalsh(indefinite)[0] <= 0.0) and g @ step < 0.0
        definite = A @ A.T + np.eye(n)
        step, modified = direction(definite, g, modification)
        assert not modified
        np.testing.assert_allclose(definite @ step, -g, atol=1e-10)


@pytest.mark.parametrize("solve", [flipped_solve, lambda H, b: shifted_solve(H, b)[0]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_needs_no_more_than_the_array_api(solve, dtype):
    kind = getattr(array_api_strict, dtype)
    H, b = np.asarray([[1.0, 2.0], [2.0, 1.0]], dtype), np.asarray([1.0, -1.0], dtype)
    answer = solve(array_api_strict.asarray(H, dtype=kind), array_api_strict.asarray(b, dtype=kind))
    assert answer.dtype == kind
    np.testing.assert_allclose(np.asarray(answer), solve(H, b), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_modified_cholesky_needs_no_more_than_the_array_api(dtype):
    kind = getattr(array_api_strict, dtype)
    H = np.asarray([[1.0, 2.0, 0.5], [2.0, 1.0, 0.0], [0.5, 0.0, -3.0]], dtype)
    parts = modified_cholesky(array_api_strict.asarray(H, dtype=kind))
    for part, twin in zip(parts, modified_cholesky(H)):
        assert part.dtype == kind
        np.testing.assert_allclose(np.asarray(part), twin, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("modification", ["flip", "cholesky"])
def test_on_a_diagonal_hessian_flip_and_modified_cholesky_walk_the_same_path(modification):
    run = so.minimize(so.problems.saddle(), "newton", x0=[1.0, 1e-4], modification=modification, keep="x")
    assert run.status == "converged" and run.optimality["smallest_eigenvalue"] > 0.0
    np.testing.assert_allclose(run["x"][1:8, 1] / run["x"][:7, 1], 2.0, rtol=1e-2)
