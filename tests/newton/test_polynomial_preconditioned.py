"""Polynomial preconditioning: dense twins, closed forms on quadratics, the cut gaps, and where it ends."""

import array_api_strict
import numpy as np
import pytest

import secondorder as so
from secondorder.guarantees import polynomial as promised
from secondorder.linalg import Chebyshev, cg, spectrum_ratio, symmetric_functions
from secondorder.newton.polynomial_preconditioned import preconditioner

NAME = "polynomial_preconditioned_gradient"
SPIKED = np.asarray(promised.SPECTRUM)
EXAMPLE = [100.0, 50.0, 3.0, 2.0, 1.0]


def logistic():
    return so.problems.ill_scaled_logistic(n=60, d=6, decades=1.0, l2=1e-2)


def metric(problem):
    return np.column_stack([problem.metric(e) for e in np.eye(len(problem.x0))])


def eigenvalues_of_p(values, polynomial, degree):
    """Of P in the order of ``values``, from the definitions, with the largest eigenvalue of BP at 1."""
    if polynomial == "symmetric":
        p = np.asarray([symmetric_functions(np.delete(values, i), degree)[degree] for i in range(len(values))])
        return p / np.max(values * p)
    a, b = np.min(values), np.max(values)
    T = np.polynomial.chebyshev.Chebyshev.basis(degree + 1)
    p = (1.0 - T((a + b - 2.0 * values) / (b - a)) / T((a + b) / (b - a))) / values
    return p / (1.0 + 1.0 / T((a + b) / (b - a)))


def naive(problem, polynomial, degree, momentum, steps):
    """The same with M = 1 and the eigenvectors of B."""
    values, Q = np.linalg.eigh(metric(problem))
    P = None if polynomial == "krylov" else (Q * eigenvalues_of_p(values, polynomial, degree)) @ Q.T
    B, x, v, k, points = metric(problem), problem.x0, problem.x0, 1, [problem.x0]
    for _ in range(steps):
        g = problem.grad(v)
        if P is None:
            K = np.linalg.qr(np.column_stack([np.linalg.matrix_power(B, i) @ g for i in range(degree + 1)]))[0]
            new = v - K @ np.linalg.solve(K.T @ B @ K, K.T @ g)
        else:
            new = v - P @ g
        k = 1 if momentum == "restarted" and g @ (new - x) > 0.0 else k
        x, v, k = new, new + ((k - 1) / (k + 2) * (new - x) if momentum else 0.0), k + 1
        points.append(x)
    return np.stack(points)


@pytest.mark.parametrize("momentum", [None, "nesterov", "restarted"])
@pytest.mark.parametrize("degree", [0, 1, 2, 4])
@pytest.mark.parametrize("polynomial", ["symmetric", "chebyshev", "krylov"])
def test_the_naive_twin_agrees(polynomial, degree, momentum):
    """The twin knows the spectrum; the method estimates the scale of P to a thousandth, and a step with it."""
    hyper = {"polynomial": polynomial, "degree": degree, "momentum": momentum}
    history = so.minimize(logistic(), NAME, M=1.0, steps=12, keep="x", **hyper)
    twin = naive(logistic(), polynomial, degree, momentum, 12)
    scale = np.max(np.abs(twin))
    tolerance = 1e-7 if polynomial == "krylov" else 5e-3
    assert np.max(np.abs(np.stack(list(history["x"])) - twin)) <= tolerance * scale


@pytest.mark.parametrize("degree", range(5))
def test_the_condition_number_is_the_one_promised(degree):
    problem = so.problems.quadratic(EXAMPLE, rotate=True)
    P = preconditioner(problem.metric, problem.x0, "symmetric", degree)
    values = np.linalg.eigvals(problem.A @ np.column_stack([P(e) for e in np.eye(5)])).real
    assert values.max() / values.min() == pytest.approx(100.0 * spectrum_ratio(np.asarray(EXAMPLE), degree), rel=1e-9)
    assert 0.99 <= values.max() <= 1.0 + 1e-9


@pytest.mark.parametrize("polynomial", ["symmetric", "chebyshev"])
def test_the_scale_holds_on_a_spectrum_with_a_gap(polynomial):
    """Chebyshev's polynomial has 1 + epsilon between eigenvalues, and need not have it at one."""
    problem = promised.bowl()
    for degree in range(5):
        P = preconditioner(problem.metric, problem.x0, polynomial, degree)
        values = np.linalg.eigvals(problem.A @ np.column_stack([P(e) for e in np.eye(50)])).real
        assert (0.99 if polynomial == "symmetric" else 0.5) <= values.max() <= 1.0 + 1e-9, degree


@pytest.mark.parametrize("polynomial", ["symmetric", "krylov"])
def test_with_degree_d_minus_1_a_quadratic_takes_one_step(polynomial):
    problem = so.problems.quadratic(EXAMPLE, rotate=True)
    history = so.minimize(problem, NAME, polynomial=polynomial, degree=4, M=1.0, tol=1e-7)
    assert (history.status, len(history)) == ("converged", 2)


def test_a_larger_degree_than_d_minus_1_is_that():
    problem = so.problems.quadratic([3.0, 1.0])
    runs = [so.minimize(problem, NAME, degree=degree, M=1.0, keep="x") for degree in (1, 7)]
    np.testing.assert_array_equal(*(np.stack(list(run["x"])) for run in runs))
    assert so.minimize(so.problems.quadratic([5.0]), NAME, M=1.0).status == "converged"


def test_a_krylov_step_is_so_many_steps_of_conjugate_gradients():
    problem = logistic()
    history = so.minimize(problem, NAME, polynomial="krylov", degree=2, M=2.0, steps=6, keep=("x", "step"))
    for k in range(6):
        grad = problem.grad(history["x"][k])
        h = cg(lambda v: 2.0 * problem.metric(v), -grad, tol=0.0, max_iterations=3).x
        np.testing.assert_allclose(history["step"][k + 1], h, rtol=1e-9)
        assert history["decrease"][k + 1] == pytest.approx(-(grad @ h + h @ problem.metric(h)), rel=1e-10)
    assert history.oracle["metric"] == 6 * 3


def test_degree_0_is_gradient_descent():
    problem = so.problems.quadratic([4.0, 2.0, 1.0])
    ours = so.minimize(problem, NAME, degree=0, M=1.0, steps=20, keep="x")
    theirs = so.minimize(problem, "gradient_descent", lipschitz=4.0, steps=20, keep="x")
    np.testing.assert_allclose(np.stack(list(ours["x"])), np.stack(list(theirs["x"])), rtol=1e-2, atol=1e-6)


def test_the_last_degree_does_not_see_a_change_of_variables():
    """With degree d - 1 P is a multiple of the inverse of B, and the iterates are those of any coordinates."""
    problem, T = logistic(), np.asarray([[2.0, 1.0], [0.0, 0.5]])
    T = np.kron(np.eye(3), T)
    moved = so.Problem(
        lambda y: problem.f(T @ y), lambda y: T.T @ problem.grad(T @ y), metric=lambda v: T.T @ problem.metric(T @ v),
        x0=np.linalg.solve(T, problem.x0),
    )  # fmt: skip
    hyper = {"polynomial": "krylov", "degree": 5, "M": 1.0, "steps": 8, "keep": "x"}
    one, other = (so.minimize(p, NAME, **hyper) for p in (problem, moved))
    np.testing.assert_allclose(np.stack(list(one["x"])), np.stack(list(other["x"])) @ T.T, rtol=1e-6, atol=1e-9)


def steps_to(values, p, gap, limit=400_000):
    """In closed form, the steps of x - Pg on a quadratic from ones until the value has fallen by ``gap``."""
    factors, k = np.square(1.0 - values * p), np.unique(np.geomspace(1, limit, 4000).astype(int))
    left = np.asarray([values @ factors**n for n in k]) / np.sum(values)
    return int(k[np.argmax(left <= gap)])


def test_the_steps_fall_as_the_cut_gaps():
    """d = 50 and a gap of 1000 after three eigenvalues: the closed form is the run, and its counts follow the ratios."""
    problem = so.problems.quadratic(SPIKED)
    for degree in (0, 3):
        p = np.diag(
            np.column_stack([preconditioner(problem.metric, problem.x0, "symmetric", degree)(e) for e in np.eye(50)])
        )
        history = so.minimize(problem, NAME, degree=degree, M=1.0, steps=200)
        k = np.arange(201)
        np.testing.assert_allclose(history.f, 0.5 * (SPIKED @ np.square(1.0 - SPIKED * p)[:, None] ** k), rtol=1e-7)
    condition = [spectrum_ratio(SPIKED, degree) * SPIKED[0] / SPIKED[-1] for degree in range(5)]
    counts = [steps_to(SPIKED, eigenvalues_of_p(SPIKED, "symmetric", degree), 1e-9) for degree in range(5)]
    assert np.all(np.diff(counts) < 0) and counts[0] > 100 * counts[3]
    ratios = np.asarray(counts) / condition
    assert ratios.max() < 1.6 * ratios.min()
    # What remains after the spikes counts by its trace, not by its largest: about sum / least, not largest / least = 4.
    assert condition[3] == pytest.approx(np.sum(SPIKED[3:]) / SPIKED[-1], rel=0.1)


def test_krylov_needs_the_fewest_products_of_the_three_and_conjugate_gradients_fewer():
    problem = so.problems.spiked_logistic(gap=100.0)
    runs = {
        p: so.minimize(problem, NAME, polynomial=p, degree=3, tol=1e-6) for p in ("symmetric", "chebyshev", "krylov")
    }
    assert all(run.status == "converged" for run in runs.values())
    products = {p: run.oracle["metric"] for p, run in runs.items()}
    assert 10 * products["krylov"] < min(products["symmetric"], products["chebyshev"])
    newton = so.minimize(problem, "newton_cg", tol=1e-6)
    assert newton.cost()[-1] < runs["krylov"].cost()[-1] < so.minimize(problem, "gradient_descent", tol=1e-6).cost()[-1]


def test_what_it_costs():
    problem, d = so.problems.quadratic(SPIKED, rotate=True), 50
    for degree, traces in ((0, d), (1, d), (2, d), (3, 2 * d)):
        history = so.minimize(problem, NAME, degree=degree, M=1.0, steps=10)
        setup = history.oracle["metric"] - 10 * degree
        assert traces < setup <= traces + 30 * (degree + 1) and setup - traces < 60
        assert history.oracle["f"] == 0 and history.oracle["grad"] == 11
    krylov = so.minimize(problem, NAME, polynomial="krylov", degree=2, M=1.0, steps=10)
    assert krylov.oracle["metric"] == 30


@pytest.mark.parametrize("label", [name for name in so.guarantees.GUARANTEES if name.startswith(NAME)])
def test_a_constant_that_is_too_small_breaks_what_is_promised(label):
    """At M = 0.2 the step is five times too long. Krylov's model decreases as promised whatever M is; f does not."""
    verdict = so.guarantees.get(label).run(M=0.2)
    assert len(verdict.violations) or verdict.history.status == "diverged" or np.any(np.diff(verdict.history.f) > 0.0)


@pytest.mark.parametrize("polynomial", ["symmetric", "chebyshev", "krylov"])
def test_the_adapted_constant(polynomial):
    problem = so.problems.spiked_logistic(gap=10.0, l2=1e-2)
    history = so.minimize(problem, NAME, polynomial=polynomial, tol=1e-4)
    assert history.status == "converged" and np.all(history["M"][1:] <= 2.0)
    assert np.all(history["decrease"][1:] <= -np.diff(history.f) + 1e-13)


def test_it_reaches_rounding_and_ends():
    """With no tolerance the values cannot tell a decrease; the gradient can, and the end is an end."""
    for hyper in ({}, {"polynomial": "krylov"}, {"momentum": "restarted"}, {"polynomial": "chebyshev"}):
        history = so.minimize(logistic(), NAME, tol=0.0, steps=3000, **hyper)
        assert history.status in {"converged", "stalled", "step_limit"}, hyper
        assert history.optimality["grad_norm"] < 1e-9, hyper


def test_an_indefinite_metric_is_reported():
    problem = so.problems.quadratic([2.0, -1.0, 1.0])
    for polynomial in ("symmetric", "krylov"):
        history = so.minimize(problem, NAME, polynomial=polynomial, degree=2)
        assert history.status in {"breakdown", "diverged"}, polynomial


def test_where_the_sum_loses_all_its_digits_the_run_does_not_converge():
    """The gap of a thousand: degree 7 is the fastest, degree 10 is indefinite by rounding, and M adapted meets that."""
    problem = so.problems.quadratic(SPIKED, rotate=True)
    runs = {degree: so.minimize(problem, NAME, degree=degree, steps=2000) for degree in (5, 7, 10)}
    assert len(runs[7]) < len(runs[5]) and runs[7].status == "converged"
    assert runs[10].status in {"breakdown", "step_limit", "stalled"}
    assert runs[10].status != "breakdown" or "positive definite" in runs[10].message


def test_a_wrong_gradient_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, metric=lambda v: v, x0=[1.0])
    history = so.minimize(spike, NAME)
    assert (history.status, len(history)) == ("stalled", 1)


@pytest.mark.parametrize("polynomial", ["symmetric", "chebyshev", "krylov"])
def test_single_precision_and_another_library(polynomial):
    problem = so.problems.ill_scaled_logistic(n=60, d=6, decades=0.5, l2=1e-2)
    single = so.to_device(problem, "numpy", "float32")
    strict = so.to_device(problem, "array_api_strict")
    history = so.minimize(single, NAME, polynomial=polynomial)
    assert history.status == "converged" and history.x.dtype == np.float32
    ours, theirs = (so.minimize(p, NAME, polynomial=polynomial, steps=20) for p in (problem, strict))
    assert isinstance(theirs.x, type(array_api_strict.zeros(1)))
    np.testing.assert_allclose(ours.x, np.asarray(theirs.x), rtol=1e-9)


@pytest.mark.parametrize("hyper", [{"degree": 3}, {"polynomial": "krylov", "degree": 4}], ids=str)
def test_the_standardised_tumours(hyper):
    history = so.minimize(so.problems.logistic("breast_cancer", l2=1e-4, standardize=True), NAME, **hyper)
    assert history.status == "converged" and history.optimality["grad_norm"] <= 1e-8
    assert history.optimality["smallest_eigenvalue"] >= 0.9e-4


def test_the_raw_tumours_are_beyond_a_first_order_method():
    """A condition number near 1e9, of which the first few eigenvalues are only a part."""
    raw = so.minimize(so.problems.logistic("breast_cancer", l2=1e-4), NAME, polynomial="krylov", degree=4, steps=500)
    assert raw.status in {"step_limit", "stalled"} and raw.optimality["grad_norm"] > 1e-4


def test_no_polynomial_beats_the_inverse_itself():
    """What B does not know, how the weights of the rows fall, stays: with the highest degree 20 times the cost of Newton-CG."""
    problem = so.problems.logistic("breast_cancer", l2=1e-4, standardize=True)
    high = so.minimize(problem, NAME, polynomial="krylov", degree=29, tol=1e-3)
    low = so.minimize(problem, NAME, polynomial="krylov", degree=4, tol=1e-3)
    assert len(high) > 0.5 * len(low) and high.cost()[-1] > 3.0 * low.cost()[-1]
    assert high.cost()[-1] > 20.0 * so.minimize(problem, "newton_cg", tol=1e-3).cost()[-1]


def test_the_deviation_of_chebyshev_is_the_condition_number():
    problem = promised.bowl()
    values = np.linalg.eigvals(promised.matrix(problem) @ promised.matrix(problem, "chebyshev")).real
    epsilon = Chebyshev(promised.DEGREE, SPIKED[-1], SPIKED[0]).deviation
    assert values.max() / values.min() <= (1.0 + epsilon) / (1.0 - epsilon) * 1.001
