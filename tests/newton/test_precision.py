"""Where single and double precision stop, as multiples of the rounding unit; errors are judged in double precision."""

import functools

import numpy as np
import pytest

import secondorder as so
from secondorder.labs.views import precision as views
from secondorder.linalg import solve_definite

U = {"single": 2.0**-24, "double": 2.0**-53}
ZERO = ("tanh, f* = 0", "sine, f* = 0")
SECOND_ORDER = [name for name in views.LEARNERS if name not in ("gradient descent", "Adam", "L-BFGS", "BFGS")]
EXACT = [name for name in SECOND_ORDER if "flip" not in name]


@functools.cache
def ended(network, precision, learner):
    """The least f - f* of a run and the steps to 1e-10."""
    values = views.judged(network, precision, learner)[0]
    return values.min(), views.needed(values)


@pytest.mark.parametrize("network", ZERO)
@pytest.mark.parametrize("learner", EXACT)
def test_at_a_zero_optimum_the_loss_ends_at_the_square_of_the_rounding_unit(network, learner):
    """Outputs of size y are rounded by u y: half the mean square of that, with room for eight roundings on the way."""
    size = 0.5 * np.mean(views.network(network).net.Y ** 2)
    for precision, unit in U.items():
        least, _ = ended(network, precision, learner)
        assert least <= 8.0**2 * unit**2 * size, precision


@pytest.mark.parametrize("network", ZERO)
@pytest.mark.parametrize("learner", EXACT)
def test_single_precision_takes_the_same_steps_as_double(network, learner):
    single, double = (ended(network, precision, learner)[1] for precision in ("single", "double"))
    assert abs(single - double) <= 3


@pytest.mark.parametrize("learner", EXACT)
def test_sums_in_double_lower_the_floor(learner):
    assert ended(ZERO[0], "single, sums in double", learner)[0] < 0.25 * ended(ZERO[0], "single", learner)[0]


@pytest.mark.parametrize("learner", ["gradient descent", "Adam"])
def test_first_order_methods_do_not_notice(learner):
    least = [ended(ZERO[0], precision, learner)[0] for precision in views.PRECISIONS]
    assert max(least) <= 1.01 * min(least) and min(least) > 1e-6


def test_the_lifted_network_has_the_same_gradient_and_another_value():
    plain, lifted = views.network(ZERO[0]), views.network("tanh, f* = 0.045")
    for scale in (1.0, 0.3):
        x = scale * plain.x0
        assert lifted.f(x) - plain.f(x) == pytest.approx(0.045, rel=1e-12)
        np.testing.assert_allclose(lifted.grad(x), plain.grad(x), atol=1e-15)
        np.testing.assert_allclose(lifted.hess(x), plain.hess(x), atol=1e-14)


@pytest.mark.parametrize("learner", ["exact trust region", "cubic Newton", "Gauss-Newton"])
def test_tests_of_decrease_end_at_the_allowance_for_rounding(learner):
    """Within 10^3 epsilon |f*|, and more than ten thousand times above where the values of a zero optimum end."""
    for precision in ("single", "single, sums in double"):
        least, _ = ended("tanh, f* = 0.045", precision, learner)
        assert 1e4 * ended(ZERO[0], precision, learner)[0] < least <= 2.0 * 1e3 * 2.0**-23 * 0.045


def test_residuals_do_not_lose_what_values_lose():
    assert ended("tanh, f* = 0.045", "single", "Levenberg-Marquardt")[0] < 10.0 * U["single"] ** 2


def test_a_threshold_that_follows_the_type_stops_the_flip():
    """Raised to the root of epsilon, the eigenvalues of the sine network are lost in single precision."""
    network, threshold = views.network(ZERO[1]), 2.0**-11.5
    H = network.hess(np.asarray(views.network_run(ZERO[1], "single", "Newton, eigenvalue flip").x, dtype=float))
    sizes = np.abs(np.linalg.eigvalsh(H))
    assert np.sum(sizes < threshold * sizes.max()) > 50
    assert ended(ZERO[1], "single", "Newton, eigenvalue flip")[0] > 1e-7
    assert ended(ZERO[1], "double", "Newton, eigenvalue flip")[0] < U["double"]


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5, 1e7])
def test_the_gradient_decides_where_a_method_stops_and_the_hessian_does_not(condition):
    """Relative errors of the last iterate: kappa u with everything in one precision, u where the sums are in double."""
    end = {kind: views.errors(condition, views.quadratic_run(condition, 1e-9, kind))[-1] for kind in views.STORAGE}
    d = views.DIMENSION
    assert end["single"] <= d * condition * U["single"]
    assert end["double"] <= d * condition * U["double"]
    assert end["double, Hessian in single"] <= d * condition * U["double"]
    assert end["single, sums in double"] <= 2.0 * U["single"]
    if condition > 1e2:
        assert end["single"] > 50.0 * end["single, sums in double"]


def test_a_hessian_in_single_is_lost_beyond_its_condition_number():
    runs = {kind: views.quadratic_run(1e9, 1e-9, kind) for kind in views.STORAGE}
    assert views.errors(1e9, runs["double, Hessian in single"])[-1] > 1e-4
    assert views.errors(1e9, runs["double"])[-1] < 1e-6
    assert views.quadratic_run(1e9, 1e-12, "double, Hessian in single").status == "breakdown"


@pytest.mark.parametrize("method", ["newton", "trust_region", "cubic_newton", "gradient_regularized_newton"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_norms_of_a_logistic_regression_end_at_a_multiple_of_u(method, dtype):
    """The sum of n = 569 bounded terms of size |a|, and L u |x| for the rounding of x."""
    problem = so.problems.logistic("breast_cancer", l2=1e-3, standardize=True)
    run = so.minimize(so.to_device(problem, "numpy", dtype=dtype), method, tol=0.0, steps=150)
    x, unit = np.asarray(run.x, dtype=float), float(np.finfo(dtype).eps) / 2.0
    floor = unit * (problem.lipschitz_grad * np.linalg.norm(x) + np.mean(np.linalg.norm(problem.A, axis=1)))
    assert np.linalg.norm(problem.grad(x)) <= 10.0 * floor


def test_the_bound_of_a_rounded_newton_step_can_fail():
    """Without the rounding of x it is violated, where single precision ends."""
    verdict = so.guarantees.get("newton: in single precision").run()
    assert not len(verdict.violations)
    problem = so.problems.logistic("breast_cancer", l2=1e-3, standardize=True)
    ends = [np.linalg.norm(np.asarray(row["x"], dtype=float)) for row in verdict.history.rows[1:]]
    without = verdict.right - problem.lipschitz_grad * U["single"] * np.asarray(ends)
    assert np.any(verdict.left > without)


def test_a_damping_below_the_rounding_of_the_hessian_is_no_damping():
    H = np.diag(np.float32([1.0, 0.75]))
    assert np.all(H + np.float32(0.4 * 2.0**-24) * np.eye(2, dtype=np.float32) == H)
    assert np.all(np.diag(H + np.float32(2.0**-22) * np.eye(2, dtype=np.float32)) > np.diag(H))


@pytest.mark.parametrize("n", [10, 50])
def test_cholesky_refuses_no_matrix_below_one_over_u(n):
    """Of 20 random matrices: none at a condition number of 1e6, some at 1e9."""

    def refused(condition):
        count = 0
        for seed in range(20):
            Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
            H = ((Q * np.append(np.ones(n - 1), 1.0 / condition)) @ Q.T).astype(np.float32)
            try:
                solve_definite(0.5 * (H + H.T), np.ones(n, dtype=np.float32))
            except np.linalg.LinAlgError:
                count += 1
        return count

    assert refused(1e6) == 0 and 0 < refused(1e9) < 20
