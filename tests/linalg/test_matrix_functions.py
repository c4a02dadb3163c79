"""Sign, polar factor and roots of matrices against eigenvalue and singular value decompositions."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import inverse_root, matrix_sign, polar_factor, square_roots

EPS = np.finfo(float).eps


def basis(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


def definite(n, condition, seed=0):
    """Symmetric, with eigenvalues spread evenly in the logarithm, and any function of it."""
    Q, values = basis(n, seed), np.logspace(0.0, -np.log10(condition), n)
    return (Q * values) @ Q.T, lambda function: (Q * function(values)) @ Q.T


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 12), decades=st.floats(0.0, 8.0), seed=st.integers(0, 10**6), scale=st.floats(-100.0, 100.0))
def test_square_roots_are_those_of_the_eigenvalues(n, decades, seed, scale):
    """A root has relative errors of at most the square root of the condition number, in rounding units of A."""
    A, function = definite(n, 10.0**decades, seed)
    found = square_roots(10.0**scale * A)
    allowed = 1e3 * n * EPS * 10.0 ** (decades / 2.0)
    root, inverse = function(np.sqrt), function(lambda values: values**-0.5)
    unit = 10.0 ** (scale / 2.0)
    assert np.linalg.norm(found.root / unit - root) <= allowed * np.linalg.norm(root)
    assert np.linalg.norm(found.inverse_root * unit - inverse) <= allowed * 10.0 ** (decades / 2.0) * np.linalg.norm(
        inverse
    )


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 10), decades=st.floats(0.0, 4.0), seed=st.integers(0, 10**6), p=st.integers(1, 8))
def test_inverse_roots_are_those_of_the_eigenvalues(n, decades, seed, p):
    A, function = definite(n, 10.0**decades, seed)
    expected = function(lambda values: values ** (-1.0 / p))
    found = inverse_root(A, p)
    assert np.linalg.norm(found.value - expected) <= 1e3 * n * EPS * 10.0**decades * np.linalg.norm(expected)
    assert found.residual <= 1e3 * n * EPS * 10.0**decades


def test_the_inverse_square_root_is_that_of_both_iterations():
    A, _ = definite(6, 100.0)
    np.testing.assert_allclose(inverse_root(A, 2).value, square_roots(A).inverse_root, rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(inverse_root(A, 1).value, np.linalg.inv(A), rtol=0.0, atol=1e-11)


def test_a_number_follows_the_scalar_map():
    """The p-th root of one number: m <- m ((p + 1 - m) / p)^p, from m = (p + 1) / 2."""
    p, m, steps = 4, 2.5, 0
    while abs(1.0 - m) > 4.0 * EPS:
        m, steps = m * ((p + 1.0 - m) / p) ** p, steps + 1
    found = inverse_root(np.asarray([[7.0]]), p)
    assert abs(found.iterations - steps) <= 1
    assert found.value[0, 0] == pytest.approx(7.0 ** (-0.25), rel=1e-14)


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (1, 1), (4, 1)])
def test_the_polar_factor_is_that_of_the_singular_vectors(shape):
    A = np.random.default_rng(2).standard_normal(shape)
    U, _, Vt = np.linalg.svd(A, full_matrices=False)
    np.testing.assert_allclose(polar_factor(1e30 * A).value, U @ Vt, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("decades", [0.5, 3.0, 8.0])
def test_singular_values_follow_the_cubic_map(decades):
    """The smallest decides how many steps it takes; it grows by 3/2 in each while it is small."""
    Q, R, values = basis(6, 0), basis(6, 1), np.logspace(0.0, -decades, 6)
    sigma, steps = values / np.linalg.norm(values), 0
    while np.linalg.norm(1.0 - sigma**2) > 1e-10:
        sigma, steps = 0.5 * sigma * (3.0 - sigma**2), steps + 1
    found = polar_factor((Q * values) @ R.T, tol=1e-10)
    assert found.iterations == steps and found.residual <= 1e-10
    np.testing.assert_allclose(found.value, Q @ R.T, rtol=0.0, atol=1e2 * EPS * 10.0**decades)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 10), seed=st.integers(0, 10**6))
def test_the_sign_of_a_symmetric_matrix_is_that_of_its_eigenvalues(n, seed):
    rng, Q = np.random.default_rng(seed), basis(n, seed)
    values = rng.choice([-1.0, 1.0], n) * rng.uniform(0.1, 10.0, n)
    found = matrix_sign((Q * values) @ Q.T)
    np.testing.assert_allclose(found.value, (Q * np.sign(values)) @ Q.T, rtol=0.0, atol=1e-11)
    assert found.residual <= 4.0 * n * EPS or found.residual <= 1e-12


def test_the_sign_of_a_block_matrix_holds_the_square_roots():
    A, _ = definite(4, 5.0)
    sign = matrix_sign(np.block([[np.zeros((4, 4)), A], [np.eye(4), np.zeros((4, 4))]])).value
    roots = square_roots(A)
    expected = np.block([[np.zeros((4, 4)), roots.root], [roots.inverse_root, np.zeros((4, 4))]])
    np.testing.assert_allclose(sign, expected, rtol=0.0, atol=1e-12)


INDEFINITE, SINGULAR = np.diag([1.0, -1.0]), np.diag([1.0, 0.0])
REFUSED = {
    "root of an indefinite matrix": (square_roots, INDEFINITE, "square roots need a positive definite matrix"),
    "root of a singular matrix": (square_roots, SINGULAR, "square roots need a positive definite matrix"),
    "inverse root of an indefinite matrix": (lambda A: inverse_root(A, 3), INDEFINITE, "an inverse root needs"),
    "inverse root of a singular matrix": (lambda A: inverse_root(A, 3), SINGULAR, "an inverse root needs"),
    "sign of a singular matrix": (matrix_sign, SINGULAR, "sign needs eigenvalues that are not zero"),
    "polar factor without full rank": (polar_factor, SINGULAR, "the polar factor needs full rank"),
    "NaN": (square_roots, np.full((2, 2), np.nan), "finite and not zero"),
    "zero": (polar_factor, np.zeros((2, 2)), "finite and not zero"),
}


@pytest.mark.parametrize(("function", "A", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(function, A, message):
    with np.errstate(all="ignore"), pytest.raises(np.linalg.LinAlgError, match=message):
        function(A)


@pytest.mark.parametrize("p", [0, -1, 2.5])
def test_the_order_of_the_root_is_a_whole_number(p):
    with pytest.raises(ValueError, match="p must be a whole number, at least 1"):
        inverse_root(np.eye(2), p)


@pytest.mark.parametrize("function", [matrix_sign, polar_factor, square_roots, lambda A: inverse_root(A, 4)])
def test_other_arrays_and_single_precision(function):
    A, _ = definite(5, 20.0)
    ours, theirs = function(A), function(array_api_strict.asarray(A))
    assert ours[-1] == theirs[-1]
    np.testing.assert_allclose(np.asarray(theirs[0]), ours[0], rtol=1e-12, atol=1e-13)
    single = function(A.astype(np.float32))
    assert single[0].dtype == np.float32
    np.testing.assert_allclose(single[0], ours[0], rtol=0.0, atol=1e-4)
