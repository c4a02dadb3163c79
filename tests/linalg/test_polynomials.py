"""Symmetric polynomials against the eigenvalues, Chebyshev's against NumPy's, Krylov's against conjugate gradients."""

import itertools
import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.polynomial import chebyshev

from secondorder.linalg import (
    Chebyshev,
    MatrixPolynomial,
    cg,
    elementary_symmetric,
    krylov_solve,
    power_traces,
    random_probes,
    spectral_interval,
    spectrum_ratio,
    symmetric_functions,
    symmetric_polynomial,
)

EXAMPLE = np.asarray([100.0, 50.0, 3.0, 2.0, 1.0])
POSITIVE = arrays(float, st.integers(1, 7), elements=st.floats(0.1, 10.0))


def naive(values, k):
    """The sum over all subsets of k numbers of their product."""
    return sum(math.prod(subset) for subset in itertools.combinations(values, k))


def spd(values, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return (Q * values) @ Q.T


def dense(polynomial, B):
    """The matrix of a polynomial, by products with the unit vectors; not scaled back."""
    return np.column_stack([polynomial.apply(lambda v: B @ v, e) for e in np.eye(len(B))])


def unscaled(B, degree):
    """P of B itself: that of B / s times s to the degree."""
    polynomial = symmetric_polynomial(power_traces(lambda v: B @ v, B[0], max(degree, 1)), len(B), degree)
    return dense(polynomial, B) * polynomial.scale**degree


@given(POSITIVE)
def test_newtons_identities_and_the_stable_sum_are_the_sums_over_subsets(values):
    """At most seven numbers between 0.1 and 10: cancellation costs the identities 1e-16 of s_1^k, below 70^7 = 8e12 of 1e-7."""
    exact = [naive(values, k) for k in range(len(values) + 1)]
    np.testing.assert_allclose(symmetric_functions(values, len(values)), exact, rtol=1e-12)
    by_traces = elementary_symmetric([np.sum(values**i) for i in range(1, len(values) + 1)])
    allowance = [1e-14 * np.sum(values) ** k for k in range(len(values) + 1)]
    assert np.all(np.abs(np.subtract(by_traces, exact)) <= allowance)


def test_the_example_of_the_paper():
    cut = [100.0 * spectrum_ratio(EXAMPLE, degree) for degree in range(5)]
    np.testing.assert_allclose(cut, [100.0, 36.129, 5.4031, 2.1467, 1.0], rtol=2e-5)


@given(POSITIVE, st.data())
def test_no_degree_makes_it_worse_and_the_last_makes_it_perfect(values, data):
    top = np.max(values) / np.min(values)
    ratios = [spectrum_ratio(values, degree) for degree in range(len(values))]
    assert np.all(np.diff(ratios) <= 1e-12) and ratios[0] == 1.0
    assert ratios[-1] == pytest.approx(1.0 / top, rel=1e-10)
    np.testing.assert_allclose(
        spectrum_ratio(data.draw(st.permutations(list(values))) * np.ones(1), len(values) - 1), ratios[-1], rtol=1e-12
    )


@pytest.mark.parametrize("degree", range(5))
def test_the_eigenvalues_are_those_of_all_others(degree):
    """Rounding is relative to the largest terms of the alternating sum, below 2^5 tr(B)^4 = 2e10 of the eigenvalues here."""
    values = np.asarray([9.0, 4.0, 2.0, 1.5, 1.0])
    B = spd(values)
    P = unscaled(B, degree)
    wanted = [naive(np.delete(values, i), degree) for i in range(5)]
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(P)), np.sort(wanted), rtol=1e-10)
    np.testing.assert_allclose(P @ B, B @ P, rtol=0, atol=1e-9 * np.linalg.norm(P @ B))
    relative = np.linalg.eigvalsh(P @ B)
    assert relative[-1] / relative[0] == pytest.approx(spectrum_ratio(values, degree) * 9.0, rel=1e-10)


def test_the_first_three_and_the_last_in_closed_form():
    B = spd(np.asarray([5.0, 3.0, 2.0, 1.0]))
    identity, t = np.eye(4), np.trace(B)
    np.testing.assert_allclose(unscaled(B, 0), identity, atol=1e-15)
    np.testing.assert_allclose(unscaled(B, 1), t * identity - B, atol=1e-12)
    np.testing.assert_allclose(unscaled(B, 2), 0.5 * (t**2 - np.trace(B @ B)) * identity - t * B + B @ B, atol=1e-11)
    np.testing.assert_allclose(unscaled(B, 3), np.linalg.det(B) * np.linalg.inv(B), atol=1e-10)


@given(POSITIVE)
@settings(max_examples=30)
def test_the_recursion(values):
    r""":math:`\tau P_\tau=\sum_{i=1}^\tau(-1)^{i-1}P_{\tau-i}(\operatorname{tr}(B^i)I-B^i)`."""
    B = spd(values)
    for degree in range(1, len(values)):
        terms = [
            (-1.0) ** (i - 1)
            * unscaled(B, degree - i)
            @ (np.sum(values**i) * np.eye(len(B)) - np.linalg.matrix_power(B, i))
            for i in range(1, degree + 1)
        ]
        allowance = 1e-13 * degree * np.sum(values) ** degree
        np.testing.assert_allclose(degree * unscaled(B, degree), np.sum(terms, axis=0), rtol=0, atol=allowance)


@pytest.mark.parametrize("degree", range(5))
def test_volume_sampling(degree):
    """The same matrix is the sum over blocks of degree + 1 coordinates of their inverses, weighted by their determinants."""
    B = spd(np.asarray([9.0, 4.0, 2.0, 1.5, 1.0]))
    total = np.zeros_like(B)
    for subset in itertools.combinations(range(5), degree + 1):
        block = np.ix_(subset, subset)
        total[block] += np.linalg.det(B[block]) * np.linalg.inv(B[block])
    np.testing.assert_allclose(unscaled(B, degree), total, rtol=0, atol=1e-11 * np.max(np.abs(total)))


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 7])
def test_traces_and_what_they_cost(degree):
    B, count = spd(EXAMPLE), itertools.count()
    traces = power_traces(lambda v: (next(count), B @ v)[1], B[0], degree)
    np.testing.assert_allclose(traces, [np.sum(EXAMPLE**i) for i in range(1, degree + 1)], rtol=1e-12)
    assert next(count) == 5 * math.ceil(degree / 2)


def test_estimated_traces_are_unbiased_over_all_signs():
    B = spd(np.asarray([3.0, 2.0, 1.0]))
    signs = np.asarray(list(itertools.product([-1.0, 1.0], repeat=3)))
    traces = power_traces(lambda v: B @ v, B[0], 3, signs)
    np.testing.assert_allclose(traces, [6.0, 14.0, 36.0], rtol=1e-13)
    one = power_traces(lambda v: B @ v, B[0], 3, random_probes(np.random.default_rng(0), B[0], 1))
    assert abs(one[0] - 6.0) > 1e-3


def test_one_poor_probe_makes_the_preconditioner_indefinite():
    """tr(B) I - B with an estimate of the trace below the largest eigenvalue, here of a matrix of ones and one sign vector."""
    B = np.ones((2, 2)) + 0.01 * np.eye(2)
    traces = power_traces(lambda v: B @ v, B[0], 1, np.asarray([[1.0, -1.0]]))
    P = dense(symmetric_polynomial(traces, 2, 1), B)
    assert np.linalg.eigvalsh(P)[0] < 0.0 < np.linalg.eigvalsh(unscaled(B, 1))[0]


def lost(values, degree):
    """The relative error of the least eigenvalue of the symmetric polynomial, by Horner on the diagonal matrix."""
    traces = [float(np.sum(values**i)) for i in range(1, degree + 1)]
    polynomial = symmetric_polynomial(traces, len(values), degree)
    least = polynomial.apply(lambda v: values * v, np.ones(len(values)))[np.argmax(values)]
    exact = symmetric_functions(np.delete(values, np.argmax(values)) / polynomial.scale, degree)[degree]
    return abs(least - exact) / exact


def test_scaling_postpones_overflow_and_nothing_prevents_cancellation():
    """With eigenvalues within a factor of four no digit is lost up to degree 12; with a gap of a thousand after the third
    about two a degree from the fourth on, and at degree 8 none is left: the preconditioner is indefinite."""
    huge = 1e200 * np.asarray([4.0, 2.0, 1.0])
    coefficients = symmetric_polynomial([float(np.sum(huge)), np.inf], 3, 1).coefficients
    assert np.all(np.isfinite(coefficients))
    even, spiked = np.geomspace(1.0, 4.0, 50), np.concatenate([np.geomspace(1e3, 4e3, 3), np.geomspace(0.25, 1.0, 47)])
    assert lost(even, 12) < 1e-13
    assert lost(spiked, 3) < 1e-12 and 1e-8 < lost(spiked, 6) < 1e-4 and lost(spiked, 8) > 1.0
    B = spd(spiked)
    assert np.linalg.eigvalsh(unscaled(B, 6))[0] > 0.0 > np.linalg.eigvalsh(unscaled(B, 10))[0]


@pytest.mark.parametrize("degree", range(7))
def test_chebyshevs_polynomial_is_numpys(degree):
    low, high = 0.5, 40.0
    values = np.linspace(low, high, 101)
    polynomial = Chebyshev(degree, low, high)
    T = chebyshev.Chebyshev.basis(degree + 1)
    residual = 1.0 - values * polynomial.apply(lambda v: values * v, np.ones(101))
    wanted = T((low + high - 2.0 * values) / (high - low)) / T((low + high) / (high - low))
    np.testing.assert_allclose(residual, wanted, atol=1e-13)
    assert polynomial.deviation == pytest.approx(1.0 / T((low + high) / (high - low)), rel=1e-12)
    assert np.max(np.abs(residual)) == pytest.approx(polynomial.deviation, rel=1e-12)


def test_chebyshev_of_one_point_is_its_inverse():
    assert Chebyshev(2, 3.0, 3.0).deviation == 0.0
    np.testing.assert_allclose(Chebyshev(2, 3.0, 3.0).apply(lambda v: 3.0 * v, np.ones(2)), 1.0 / 3.0, rtol=1e-15)


@pytest.mark.parametrize("degree", range(5))
def test_krylov_is_conjugate_gradients(degree):
    B, b, count = spd(EXAMPLE), np.asarray([1.0, -2.0, 0.5, 3.0, 1.0]), itertools.count()
    found = krylov_solve(lambda v: (next(count), B @ v)[1], b, degree)
    reference = cg(lambda v: B @ v, b, tol=0.0, max_iterations=degree + 1)
    assert next(count) == degree + 1
    np.testing.assert_allclose(found, reference.x, rtol=1e-9, atol=1e-11)
    K = np.linalg.qr(np.column_stack([np.linalg.matrix_power(B / 100.0, i) @ b for i in range(degree + 1)]))[0]
    np.testing.assert_allclose(found, K @ np.linalg.solve(K.T @ B @ K, K.T @ b), rtol=1e-6, atol=1e-9)


def test_krylov_of_nothing_is_nothing_and_refuses_an_indefinite_matrix():
    np.testing.assert_array_equal(krylov_solve(lambda v: v, np.zeros(3), 2), np.zeros(3))
    with pytest.raises(np.linalg.LinAlgError):
        krylov_solve(lambda v: np.asarray([1.0, -1.0]) * v, np.ones(2), 1)


@given(
    arrays(float, 6, elements=st.floats(0.1, 10.0)), arrays(float, 6, elements=st.floats(-1.0, 1.0)), st.integers(0, 5)
)
@settings(max_examples=50)
def test_no_polynomial_of_its_degree_beats_krylovs(values, b, degree):
    y = krylov_solve(lambda v: values * v, b, degree)

    def model(y):
        return 0.5 * y @ (values * y) - b @ y

    for polynomial in (
        Chebyshev(degree, float(np.min(values)), float(np.max(values))),
        symmetric_polynomial([float(np.sum(values**i)) for i in range(1, max(degree, 1) + 1)], 6, degree),
        MatrixPolynomial([1.0] + [-0.1] * degree, 10.0),
    ):
        other = polynomial.apply(lambda v: values * v, b)
        curvature = other @ (values * other)
        best = other * (b @ other / curvature) if curvature > 0.0 else other
        assert model(y) <= model(best) + 1e-12 * (b @ b)


@pytest.mark.parametrize("values", [EXAMPLE, np.geomspace(1e-3, 1e3, 40), np.ones(7)], ids=["five", "forty", "ones"])
def test_the_interval_holds_the_spectrum(values):
    B = spd(values)
    low, high = spectral_interval(lambda v: B @ v, np.random.default_rng(1).standard_normal(len(values)))
    top = float(np.max(values))
    assert top * (1.0 - 1e-12) <= high <= top * 1.01
    assert np.min(values) * (1.0 - 1e-9) - 1e-13 * top <= low <= 1.01 * np.min(values)


def test_what_is_not_positive_definite_is_refused():
    with pytest.raises(ValueError, match="positive definite"):
        spectral_interval(lambda v: -v, np.ones(3))
    with pytest.raises(ValueError, match="an eigenvalue of at most -2"):
        spectral_interval(lambda v: np.asarray([50.0, 1.0, -2.0]) * v, np.ones(3))
    with pytest.raises(ValueError, match="positive definite"):
        symmetric_polynomial([-1.0], 3, 1)


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_powers_out_of_the_range_of_a_float_are_refused(factor):
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="take a lower degree"):
        symmetric_polynomial(power_traces(lambda v: factor * v, np.ones(3), 2), 3, 2)


def test_traces_in_single_precision_may_exceed_its_range():
    values = 1e10 * np.asarray([3.0, 2.0, 1.0], dtype=np.float32)
    traces = power_traces(lambda v: values * v, values, 8)
    np.testing.assert_allclose(traces, [np.sum(values.astype(float) ** i) for i in range(1, 9)], rtol=1e-5)


def test_on_any_library_in_any_precision():
    b = np.asarray([1.0, 2.0, -1.0, 0.5], dtype=np.float32)
    values = np.asarray([4.0, 3.0, 2.0, 1.0], dtype=np.float32)
    strict_b, strict_values = array_api_strict.asarray(b), array_api_strict.asarray(values)
    for solve in (
        lambda v, b: symmetric_polynomial(power_traces(lambda w: v * w, b, 2), 4, 2).apply(lambda w: v * w, b),
        lambda v, b: Chebyshev(2, *spectral_interval(lambda w: v * w, b)).apply(lambda w: v * w, b),
        lambda v, b: krylov_solve(lambda w: v * w, b, 2),
    ):
        ours, theirs = solve(values, b), solve(strict_values, strict_b)
        assert ours.dtype == np.float32 and theirs.dtype == array_api_strict.float32
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-5)
