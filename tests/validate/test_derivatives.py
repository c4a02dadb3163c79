"""Derivatives with a known mistake: found, and named."""

import numpy as np
import pytest

import secondorder as so
from secondorder.validate import check_derivatives
from secondorder.validate.derivatives import taylor_slope

P = so.problems.rosenbrock()
X = np.asarray([-1.2, 1.0])


def check(**changed):
    return check_derivatives(**{"f": P.f, "grad": P.grad, "hess": P.hess, "hvp": P.hvp, "x0": X, **changed})


PROBLEMS = {
    "rosenbrock": so.problems.rosenbrock,
    "beale": so.problems.beale,
    "quadratic": lambda: so.problems.quadratic([-3.0, 1.0, 30.0], rotate=True),
    "flat": lambda: so.problems.quadratic([0.0, 0.0]),
    "logistic": lambda: so.problems.ill_scaled_logistic(n=50, d=6),
    "network": lambda: so.problems.mlp("two_moons", [2, 5, 2], l2=1e-2),
    "residual": lambda: so.problems.get("test:box_3d"),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_right_derivatives_pass(make, seed):
    p = make()
    finding = check_derivatives(p.f, p.grad, p.hess, p.hvp, residual=p.residual, jac=p.jac, x0=p.x0, seed=seed)
    assert finding and finding.passed is True, str(finding)
    for each in finding.measured.values():
        assert each["order"] > 1.8


GRADIENTS = {
    "half": (lambda x: P.grad(x) / 2.0, "grad lacks a factor 2"),
    "twice": (lambda x: P.grad(x) * 2.0, "grad has a factor 2 too many"),
    "sign": (lambda x: -P.grad(x), "grad has the wrong sign"),
    "scaled": (lambda x: 3.0 * P.grad(x), "grad is 3 times the derivative"),
    "a mean": (lambda x: P.grad(x) / 40.0, "grad is 0.025 times the derivative"),
    "zero": (lambda x: 0.0 * x, "grad is zero"),
    "one entry": (lambda x: P.grad(x) * [1.0, 1.01], "grad is wrong in entry 1: -88.88 where differences give -88"),
    "a sign": (lambda x: P.grad(x) * [1.0, -1.0], "grad has the wrong sign in entry 1"),
    "a little": (lambda x: P.grad(x) * (1.0 + 1e-6), "grad is slightly wrong"),
    "shape": (lambda x: P.grad(x)[:, None], "grad has shape (2, 1), not (2,)"),
    "noise": (lambda x: np.asarray([1.0, 2.0]), "grad is not the derivative: off by "),
    "raises": (lambda x: 1 / 0, "grad breaks down with ZeroDivisionError"),
}


@pytest.mark.parametrize(("grad", "words"), GRADIENTS.values(), ids=GRADIENTS)
def test_a_wrong_gradient_is_named_and_the_hessian_held_against_the_function(grad, words):
    finding = check(grad=grad)
    assert finding.passed is False and finding.words.startswith(words), finding.words
    assert finding.measured["hess"]["passed"] and finding.measured["hvp"]["passed"], finding.words


HESSIANS = {
    "half": (lambda x: P.hess(x) / 2.0, "hess lacks a factor 2"),
    "diagonal": (
        lambda x: np.diag(np.diag(P.hess(x))) if len(x) > 2 else 2.0 * P.hess(x),
        "hess has a factor 2 too many",
    ),
    "one entry": (
        lambda x: P.hess(x) + np.asarray([[0.0, 1.0], [0.0, 0.0]]),
        "hess is wrong in entry (0, 1): 481 where differences give 480",
    ),
    "sign": (lambda x: -P.hess(x), "hess has the wrong sign"),
    "shape": (lambda x: P.hess(x)[0], "hess has shape (2,), not (2, 2)"),
}


@pytest.mark.parametrize("against", ["grad", "f"])
@pytest.mark.parametrize(("hess", "words"), HESSIANS.values(), ids=HESSIANS)
def test_a_wrong_hessian_is_named(hess, words, against):
    finding = check(hess=hess, hvp=None, **({"grad": None} if against == "f" else {}))
    assert finding.passed is False and finding.words.startswith(words.split(":")[0]), finding.words


def test_a_larger_hessian_that_is_diagonal_or_wrong_in_a_row():
    p = so.problems.ill_scaled_logistic(n=50, d=8)
    x = p.x0 + 0.3

    def row(x):
        H = np.array(p.hess(x))
        H[3] *= 1.5
        return H

    for hess, words in (
        (lambda x: np.diag(np.diag(p.hess(x))), "hess holds the diagonal alone"),
        (row, "hess is wrong in entries (3, 0)"),
    ):
        finding = check_derivatives(p.f, p.grad, hess, x0=x)
        assert finding.words.startswith(words), finding.words


def test_products_are_held_against_the_matrix_and_for_symmetry():
    assert check(hvp=lambda x, v: -P.hvp(x, v)).words == "hvp has the wrong sign"
    assert check(hvp=lambda x, v: P.hess(x).diagonal() * v).passed is False
    turned = np.asarray([[0.0, 1.0], [-1.0, 0.0]])
    linear = check_derivatives(grad=lambda x: turned @ x, hvp=lambda x, v: turned @ v, x0=X)
    assert linear.words == "hvp is not symmetric: u'(H v) and v'(H u) differ", "no gradient of anything"
    dense = check_derivatives(grad=lambda x: turned @ x, hess=lambda x: turned, x0=X)
    assert dense.words == "hess is not symmetric: entries (0, 1) and (1, 0) differ"


def test_a_jacobian_that_is_transposed_or_negative():
    A = np.random.default_rng(0).standard_normal((3, 3))

    def of(jac):
        return check_derivatives(residual=lambda x: A @ x**2, jac=jac, x0=[1.0, 2.0, 0.5])

    assert of(lambda x: 2.0 * A * x).passed
    assert of(lambda x: (2.0 * A * x).T).words == "jac is transposed"
    assert of(lambda x: -2.0 * A * x).words == "jac has the wrong sign"
    wide = check_derivatives(residual=lambda x: A[:2] @ x, jac=lambda x: A[:2].T, x0=np.ones(3))
    assert wide.words == "jac has shape (3, 2), not (2, 3)"


@pytest.mark.parametrize("error", [1e-2, 1e-4, 1e-6])
def test_small_errors_show_in_the_slope(error):
    """The remainder is error * t until it is lost in rounding at about 1e-14 / error: more than three halvings for 1e-6."""
    finding = check(grad=lambda x: P.grad(x) + error * np.asarray([300.0, -200.0]), hess=None, hvp=None)
    assert finding.passed is False
    assert finding.measured["grad"]["order"] < 1.6


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("noise", [0.0, 1e-16, 1e-10])
def test_slopes_are_orders_down_to_the_noise(order, noise):
    t = 0.5 ** np.arange(41)
    rough = np.abs(np.random.default_rng(0).standard_normal(41)) * noise
    slope = taylor_slope(t, 5.0 * t**order + rough, noise)
    assert slope.order == pytest.approx(order, abs=0.05)
    if noise and order > 1:
        assert 30.0 * noise < 5.0 * slope.rounding**order < 1e4 * noise * 2.0**order


def test_nothing_but_rounding_is_exact():
    linear = check_derivatives(lambda x: float(x @ [1.0, 2.0]), lambda x: np.asarray([1.0, 2.0]), x0=[0.3, 0.4])
    assert linear.passed and linear.words == "grad exact to rounding"


def test_functions_may_change_their_argument_and_reuse_one_buffer():
    buffer = np.empty(2)

    def grad(x):
        buffer[:] = P.grad(x)
        x[:] = 7.0
        return buffer

    assert check(grad=grad).passed


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="grad must be a function; got ndarray"):
        check(grad=np.ones(2))
    with pytest.raises(ValueError, match="give a function and a derivative"):
        check_derivatives(P.f, x0=X)
    with pytest.raises(ValueError, match="points must be a whole number"):
        check(points=0)
    with pytest.raises(ValueError, match="x0 must be finite"):
        check(x0=[np.nan, 1.0])
