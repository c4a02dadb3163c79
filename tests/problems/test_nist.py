"""The 27 fits of NIST: the files read in full, the formulas those of the files, the derivatives theirs."""

import re
from importlib.resources import files

import array_api_strict
import numpy as np
import pytest

import secondorder as so
from secondorder.problems.nist import FITS

STARTS = [(name, start) for name in FITS for start in (1, 2)]


def text(name):
    return files("secondorder.problems").joinpath("nist_strd", f"{name}.dat").read_text("ascii")


@pytest.fixture(params=FITS, scope="module")
def fit(request):
    return so.problems.nist(request.param, start=2)


def test_every_number_of_the_file_is_there(fit):
    source = text(fit.name[5:])
    n = int(re.search(r"Number of Observations: +(\d+)", source)[1])
    d = int(re.search(r"(\d+) Parameters", source)[1])
    predictors = int(re.search(r"(\d+) Predictor", source)[1])
    assert fit.y.shape == (n,) and fit.t.shape == ((n,) if predictors == 1 else (n, predictors))
    assert fit.x0.shape == fit.certified.shape == fit.certified_std.shape == (d,) and fit.starts.shape == (2, d)
    scale = float(re.search(r"Residual Standard Deviation: +(\S+)", source)[1])
    assert fit.certified_rss == pytest.approx((n - d) * scale**2, rel=1e-9)


def test_residual_sum_of_squares_and_standard_deviations_are_the_certified(fit):
    """Both from our formulas, at the certified parameters. Those of Lanczos1, rounded to 11 digits, are further from the
    solution than its residual of 1e-13 shows; its data have 14 digits."""
    n, d = fit.jac(fit.certified).shape
    rss = 2.0 * fit.f(fit.certified)
    if fit.name == "nist:Lanczos1":
        assert rss < n * (1e-11 * np.max(fit.y) * d) ** 2
    else:
        assert rss == pytest.approx(fit.certified_rss, rel=2e-10)
    J = fit.jac(fit.certified)
    lengths = np.linalg.norm(J, axis=0)
    covariance = np.linalg.inv((J / lengths).T @ (J / lengths)) * fit.certified_rss / (n - d)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)) / lengths, fit.certified_std, rtol=1e-5)


@pytest.mark.parametrize(("name", "start"), STARTS)
def test_derivatives_are_those_of_finite_differences(name, start):
    """Central differences of relative width 1e-5: an error of 1e-10 of the third derivative, and rounding of 1e-11."""
    p = so.problems.nist(name, start)
    width = 1e-5 * np.abs(p.x0)
    J, H = p.jac(p.x0), p.hess(p.x0)
    sizes = np.linalg.norm(J, axis=0) * np.abs(p.x0)
    for j, h in enumerate(np.diag(width)):
        first = (p.residual(p.x0 + h) - p.residual(p.x0 - h)) / (2e-5)
        slack = 1e-11 * np.linalg.norm(p.model(p.x0, p.t)) / 1e-5
        assert np.linalg.norm(first - J[:, j] * abs(p.x0[j])) <= 1e-6 * sizes[j] + slack
        second = (p.grad(p.x0 + h) - p.grad(p.x0 - h)) / (2e-5) * np.abs(p.x0)
        size = np.linalg.norm(np.abs(p.x0) * H[:, j] * abs(p.x0[j]))
        assert np.linalg.norm(second - np.abs(p.x0) * H[:, j] * abs(p.x0[j])) <= 1e-6 * size + 1e-9 * np.max(sizes) ** 2
    np.testing.assert_array_equal(H, H.T)
    np.testing.assert_allclose(p.grad(p.x0), J.T @ p.residual(p.x0), rtol=1e-12, atol=1e-13 * np.max(np.abs(J)))


def test_the_residual_is_affine_in_the_linear_parameters(fit):
    rng = np.random.default_rng(0)
    step = np.zeros_like(fit.x0)
    step[list(fit.linear)] = rng.standard_normal(len(fit.linear)) * fit.x0[list(fit.linear)]
    middle, one, other = fit.residual(fit.x0), fit.residual(fit.x0 + step), fit.residual(fit.x0 - step)
    size = np.max(np.abs(one)) + np.max(np.abs(other)) + np.max(np.abs(fit.y))
    np.testing.assert_allclose(one + other - 2.0 * middle, 0.0, atol=1e-13 * size * 10.0 ** (len(fit.x0) > 6))
    if fit.linear:
        assert np.linalg.norm(step) > 0.0


def test_levels_are_the_sections_of_nist():
    levels = [so.problems.nist(name).level for name in FITS]
    assert levels == ["lower"] * 8 + ["average"] * 11 + ["higher"] * 8


def test_log_relative_error_counts_the_digits_of_the_worst_parameter():
    p = so.problems.nist("Misra1a")
    off = p.certified * np.asarray([1.0 + 1e-9, 1.0 - 1e-5])
    assert p.log_relative_error(off) == pytest.approx(5.0, abs=1e-6)
    assert p.log_relative_error(p.certified) == 11.0
    assert p.log_relative_error(10.0 * p.certified) == pytest.approx(-np.log10(9.0))


def test_another_library_gets_data_and_answers():
    p = so.to_device(so.problems.nist("Nelson", start=2), "array_api_strict")
    for name in ("t", "y", "x0", "certified", "certified_std", "starts"):
        assert type(getattr(p, name)) is type(array_api_strict.asarray(1.0)), name
    reference = so.problems.nist("Nelson", start=2)
    np.testing.assert_allclose(np.asarray(p.jac(p.x0)), reference.jac(reference.x0), rtol=1e-14)
    assert p.log_relative_error(p.x0) == reference.log_relative_error(reference.x0)


def test_the_plateau_of_boxbod_is_a_known_minimum():
    p = so.problems.nist("BoxBOD")
    assert p.known_minima[0] == p.f_star == p.certified_rss / 2.0
    plateau = np.asarray([np.mean(p.y), 1e3])
    assert p.f(plateau) == pytest.approx(p.known_minima[1], rel=1e-14) and np.linalg.norm(p.grad(plateau)) < 1e-12


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_not_finite_has_no_digits(value):
    p = so.problems.nist("Misra1a")
    assert p.log_relative_error(np.asarray([p.certified[0], value])) == -np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["Misra1a"],), r"unknown fit \['Misra1a'\]"),
        ((), "name a fit; known: Misra1a, .*Bennett5"),
        (("misra1a",), r"unknown fit 'misra1a' \(did you mean 'Misra1a'\?\); known: Misra1a"),
        (("Misra1a", 3), "start must be 1 or 2; got 3"),
    ],
)
def test_bad_names_and_starts(arguments, message):
    with pytest.raises(ValueError, match=message):
        so.problems.nist(*arguments)
