"""MINRES: least squares over the Krylov subspace, for indefinite and singular matrices."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import minres


def symmetric(spectrum, seed=0):
    spectrum = np.asarray(spectrum, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum), len(spectrum))))[0]
    A = (Q * spectrum) @ Q.T
    return 0.5 * (A + A.T)


def krylov(A, b, k):
    """An orthonormal basis of span(b, Ab, ..., A^(k-1) b)."""
    V = (b / np.linalg.norm(b))[:, None]
    for _ in range(k - 1):
        w = A @ V[:, -1]
        for _ in range(2):
            w = w - V @ (V.T @ w)
        V = np.column_stack([V, w / np.linalg.norm(w)])
    return V


SPECTRA = {
    "definite": np.geomspace(1.0, 100.0, 12),
    "indefinite": np.concatenate([-np.geomspace(1.0, 30.0, 5), np.geomspace(0.5, 60.0, 7)]),
    "symmetric about zero": np.concatenate([-np.arange(1.0, 7.0), np.arange(1.0, 7.0)]),
    "singular": np.concatenate([[0.0, 0.0], np.linspace(-3.0, 5.0, 10)]),
}


@pytest.mark.parametrize("spectrum", SPECTRA.values(), ids=SPECTRA)
def test_the_residual_is_the_least_over_the_krylov_space(spectrum):
    A = symmetric(spectrum)
    b = np.random.default_rng(1).standard_normal(12)
    previous = np.linalg.norm(b)
    for k in range(1, 9):
        V = krylov(A, b, k)
        best = V @ np.linalg.lstsq(A @ V, b, rcond=None)[0]
        least = np.linalg.norm(b - A @ best)
        answer = minres(lambda v: A @ v, b, max_iterations=k)
        assert answer.iterations == k
        assert answer.residual_norm == pytest.approx(least, rel=1e-8)
        assert answer.residual_norm == pytest.approx(np.linalg.norm(b - A @ answer.x), rel=1e-12)
        np.testing.assert_allclose(answer.x, best, rtol=0, atol=1e-7 * np.linalg.norm(best))
        assert answer.residual_norm <= previous * (1.0 + 1e-12)
        previous = answer.residual_norm


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_one_step_for_each_distinct_eigenvalue(m):
    A = symmetric(np.repeat((-1.0) ** np.arange(m) * (1.0 + np.arange(m)), 4))
    b = np.random.default_rng(1).standard_normal(4 * m)
    answer = minres(lambda v: A @ v, b)
    assert answer.iterations == m
    np.testing.assert_allclose(answer.x, np.linalg.solve(A, b), rtol=1e-9, atol=1e-10)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 15), st.integers(0, 10_000), st.floats(0.0, 3.0), st.floats(-8.0, 8.0))
def test_it_solves_indefinite_systems_to_its_tolerance(d, seed, decades, scale):
    """The recurred residual meets the tolerance; the true one differs by about eps times the condition number, squared
    at worst: the recurrence builds up x from directions as large as that."""
    rng = np.random.default_rng(seed)
    A = 10.0**scale * symmetric(np.geomspace(1.0, 10.0**decades, d) * rng.choice([-1.0, 1.0], d), seed)
    b = rng.standard_normal(d)
    answer = minres(lambda v: A @ v, b, tol=1e-8, max_iterations=50 * d)
    assert answer.residual_norm <= (1e-8 + 1e-15 * 10.0 ** (2 * decades)) * np.linalg.norm(b)


def test_a_consistent_singular_system_gives_the_shortest_solution():
    A = symmetric([0.0, 0.0, -1.0, 2.0, 3.0, 7.0])
    b = A @ np.random.default_rng(1).standard_normal(6)
    answer = minres(lambda v: A @ v, b)
    assert answer.iterations == 4 and answer.residual_norm <= 1e-10 * np.linalg.norm(b)
    np.testing.assert_allclose(answer.x, np.linalg.pinv(A, rcond=1e-10) @ b, atol=1e-10)


@pytest.mark.parametrize("d", [3, 6, 20])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_an_inconsistent_singular_system_ends_at_the_least_squares_residual(d, scale):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        A = scale * symmetric(
            np.concatenate([[0.0, 0.0], rng.uniform(0.5, 5.0, d - 2) * rng.choice([-1, 1], d - 2)]), seed
        )
        b = rng.standard_normal(d)
        least = np.linalg.norm(b - A @ np.linalg.pinv(A, rcond=1e-10) @ b)
        answer = minres(lambda v, A=A: A @ v, b, tol=1e-8)
        assert answer.residual_norm == pytest.approx(least, rel=1e-12)


def test_the_zero_matrix_and_the_zero_side():
    answer = minres(lambda v: 0.0 * v, np.ones(3))
    assert not np.any(answer.x) and answer.residual_norm == pytest.approx(np.sqrt(3.0))
    answer = minres(lambda v: v, np.zeros(3))
    assert not np.any(answer.x) and (answer.residual_norm, answer.iterations) == (0.0, 0)


def test_it_leaves_b_alone_and_counts_its_products():
    calls, b = [], np.ones(3)
    b.flags.writeable = False
    answer = minres(lambda v: calls.append(1) or np.asarray([1.0, -2.0, 3.0]) * v, b)
    assert len(calls) == answer.iterations + 1 == 4


def test_array_api_strict_gives_the_same_numbers():
    A, b = symmetric([-1.0, 1.0, 2.0, 4.0]), np.arange(1.0, 5.0)
    strict = array_api_strict.asarray(A)
    ours, theirs = minres(lambda v: A @ v, b), minres(lambda v: strict @ v, array_api_strict.asarray(b))
    np.testing.assert_allclose(np.asarray(theirs.x), ours.x, rtol=1e-13)
    assert theirs.iterations == ours.iterations
