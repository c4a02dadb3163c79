"""Variable projection: the reduced residual and its two Jacobians, and fewer iterations to the same minimum."""

import numpy as np
import pytest

import secondorder as so
from secondorder.arrays import namespace
from secondorder.least_squares.variable_projection import eliminated, reduced, selections
from secondorder.ledger import Ledger
from secondorder.problems import least_squares

T = np.linspace(0.0, 4.0, 30)
Y = 2.0 * np.exp(-0.6 * T) + 1.0 * np.exp(-3.0 * T) + 0.01 * np.cos(9.0 * T)


def two_exponentials(x0=(1.0, 1.0, 0.3, 6.0)):
    """c1 exp(-a1 t) + c2 exp(-a2 t), x = (c1, c2, a1, a2)."""
    import autograd.numpy as anp

    def residual(x):
        return x[0] * anp.exp(-x[2] * T) + x[1] * anp.exp(-x[3] * T) - Y

    return least_squares(residual, x0=np.asarray(x0), linear=(0, 1), name="two exponentials")


def best(problem, alpha):
    """The reduced residual, by NumPy."""
    Phi = np.exp(-np.outer(T, alpha))
    c = np.linalg.lstsq(Phi, Y, rcond=None)[0]
    return Phi @ c - Y, c


def at(alpha, full):
    ledger = Ledger(two_exponentials())
    L, N = selections(ledger, ledger.x)
    x, r, Phi = eliminated(ledger, np.concatenate([[5.0, -3.0], alpha]), L)
    return x, r, *reduced(ledger, x, r, Phi, L, N, full=full)


def test_the_best_linear_parameters():
    alpha = np.asarray([0.5, 2.0])
    x, r, grad, _ = at(alpha, False)
    expected, c = best(None, alpha)
    np.testing.assert_allclose(x, [*c, *alpha], rtol=1e-12)
    np.testing.assert_allclose(r, expected, atol=1e-13)
    np.testing.assert_allclose(grad[:2], 0.0, atol=1e-12)


def test_golub_and_pereyra_have_the_jacobian_of_the_reduced_residual_and_kaufman_its_gradient():
    alpha, width = np.asarray([0.5, 2.0]), 1e-6
    exact = np.stack(
        [(best(None, alpha + h)[0] - best(None, alpha - h)[0]) / (2 * width) for h in width * np.eye(2)], 1
    )
    _, r, grad, golub_pereyra = at(alpha, True)
    _, _, _, kaufman = at(alpha, False)
    np.testing.assert_allclose(golub_pereyra, exact, atol=1e-8)
    assert np.max(np.abs(kaufman - exact)) > 1e-3
    for J in (golub_pereyra, kaufman):
        np.testing.assert_allclose(J.T @ r, grad[2:], rtol=1e-9)


@pytest.mark.parametrize("jacobian", ["kaufman", "golub_pereyra"])
def test_the_same_minimum_in_fewer_iterations(jacobian):
    problem = two_exponentials()
    joint = so.minimize(problem, "levenberg_marquardt")
    history = so.minimize(problem, "variable_projection", jacobian=jacobian)
    assert joint.status == history.status == "converged"
    np.testing.assert_allclose(history.x, joint.x, rtol=1e-7)
    assert len(history) < len(joint)


def test_rows_are_points_of_the_whole_problem():
    problem = two_exponentials()
    history = so.minimize(problem, "variable_projection", keep=("x", "step"))
    np.testing.assert_array_equal(history["x"][0], problem.x0)
    for before, row in zip(history.rows, history.rows[1:], strict=False):
        assert row["f"] == pytest.approx(float(problem.f(row["x"])), rel=1e-12)
        grad = problem.grad(row["x"])
        assert row["grad_norm"] == pytest.approx(np.linalg.norm(grad), rel=1e-6, abs=1e-13)
        assert np.linalg.norm(grad[:2]) <= 1e-12
        if row.get("accepted"):
            np.testing.assert_allclose(row["x"], before["x"] + row["step"], rtol=1e-14)


def test_the_linear_start_does_not_matter():
    runs = [so.minimize(two_exponentials((*c, 0.3, 6.0)), "variable_projection") for c in ((1.0, 1.0), (-50.0, 1e4))]
    assert len(runs[0]) == len(runs[1])
    np.testing.assert_allclose(runs[0].f[1:], runs[1].f[1:], rtol=1e-9)


def test_oracle_calls():
    history = so.minimize(two_exponentials(), "variable_projection")
    trials, accepted = len(history) - 2, int(np.nansum(history["accepted"]))
    assert history.oracle["residual"] == 1 + 2 * (trials + 1)
    assert history.oracle["jac"] == 1 + (trials + 1) + (accepted + 1)


@pytest.mark.parametrize("name", ["Misra1a", "BoxBOD", "MGH10", "Lanczos3", "Hahn1", "ENSO", "Thurber"])
def test_nist_from_the_far_start(name):
    """Also where the full method needs thousands of steps (MGH10) or ends on a plateau (BoxBOD)."""
    problem = so.problems.nist(name)
    history = so.minimize(problem, "variable_projection")
    assert history.status == "converged" and problem.log_relative_error(history.x) > 6.0
    assert len(history) < 120


def test_mgh17_with_its_two_exponentials_in_either_order():
    """From start 1 the second exponential of the certified fit may come first: the same fit, the same sum of squares."""
    problem = so.problems.nist("MGH17")
    history = so.minimize(problem, "variable_projection")
    assert max(problem.log_relative_error(x) for x in (history.x, history.x[[0, 2, 1, 4, 3]])) > 6.0
    assert 2.0 * history.f[-1] == pytest.approx(problem.certified_rss, rel=1e-9)


def test_selections_take_columns():
    ledger = Ledger(so.problems.nist("MGH17"))
    L, N = selections(ledger, ledger.x)
    np.testing.assert_array_equal(L.T @ ledger.x, ledger.x[:3])
    np.testing.assert_array_equal(N.T @ ledger.x, ledger.x[3:])
    assert namespace(L) is namespace(ledger.x)


@pytest.mark.parametrize("problem", [so.problems.get("test:rosenbrock"), so.problems.nist("Chwirut1")], ids=str)
def test_a_problem_without_linear_parameters_is_refused(problem):
    with pytest.raises(ValueError, match="needs a problem that names its linear parameters"):
        so.minimize(problem, "variable_projection")


def test_nothing_but_linear_parameters_is_refused():
    problem = least_squares(lambda x: x - 1.0, lambda x: np.eye(2), [0.0, 0.0], linear=(0, 1))
    with pytest.raises(ValueError, match="but not all"):
        so.minimize(problem, "variable_projection")


def test_a_parameter_that_the_linear_ones_can_replace_stays():
    A, b = np.asarray([[1.0, 1.0], [2.0, 2.0]]), np.asarray([1.0, 5.0])
    problem = so.problems.least_squares(lambda x: A @ x - b, lambda x: A, [0.5, 0.25], linear=[0])
    history = so.minimize(problem, "variable_projection")
    assert len(history) == 2 and history.x[1] == 0.25
    np.testing.assert_allclose(history.x[0] + 0.25, 2.2, rtol=1e-14)
