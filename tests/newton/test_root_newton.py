"""Root Newton: its formula and its search against a dense twin, the least damping that is proven, invariances, rates."""

import math

import numpy as np
import pytest

import secondorder as so
from secondorder.guarantees import GUARANTEES
from secondorder.guarantees.stepsized import far_logistic, smoothness, valid_root

METHOD = "root_newton"


def twin(problem, x, steps, theta, search=False, sigma=1.0):
    """With the inverse of the Hessian, from the formulas; ``theta`` is a function of sigma and the decrement."""
    points, trials = [x], []
    for _ in range(steps):
        g, inverse = problem.grad(x), np.linalg.inv(problem.hess(x))
        n, decrement = inverse @ g, math.sqrt(g @ inverse @ g)
        for j in range(100):
            damping = theta(2.0**j * sigma, decrement)
            y = x - n / (1.0 + damping)
            g_new = problem.grad(y)
            if not search or 2.0 * damping / (1.0 + damping) * (g_new @ n) >= g_new @ inverse @ g_new:
                break
        x, sigma = y, 2.0 ** (j - 1) * sigma
        points.append(x)
        trials.append(j + 1)
    return np.stack(points), trials


@pytest.mark.parametrize("q", [2.0, 2.5, 3.0, 4.0])
def test_the_formula(q):
    problem, M = far_logistic(), 0.7
    history = so.minimize(problem, METHOD, M=M, exponent=q, keep="x", steps=6, tol=0.0)
    points, _ = twin(problem, problem.x0, 6, lambda _, a: (9 * M) ** (1 / (q - 1)) * a ** ((q - 2) / (q - 1)))
    np.testing.assert_allclose(history["x"], points, rtol=1e-9, atol=1e-9)
    if q == 2.0:
        np.testing.assert_allclose(history["step_size"][1:], 1.0 / (1.0 + 9.0 * M), rtol=1e-14)
    if q == 3.0:
        np.testing.assert_allclose(history["damping"][1:], 3.0 * np.sqrt(M * history["decrement"][1:]), rtol=1e-14)


@pytest.mark.parametrize("power", [2.0 / 3.0, 0.8, 1.0])
def test_the_search(power):
    problem = far_logistic()
    history = so.minimize(problem, METHOD, power=power, keep="x", steps=5, tol=0.0)
    points, trials = twin(problem, problem.x0, 5, lambda sigma, a: sigma * a**power, search=True)
    np.testing.assert_allclose(history["x"], points, rtol=1e-9, atol=1e-9)
    assert history["trials"][1:].tolist() == trials
    assert history.oracle["grad"] == 1 + sum(trials) and history.oracle["hess"] == 5 and history.oracle["f"] == 0


def test_the_least_damping_that_is_proven_is_the_cubic_one():
    """theta (1 + theta) = L/2 decrement is the step of affine-invariant cubic Newton; the square root is never less."""
    problem, L = far_logistic(), smoothness(far_logistic())
    cubic = so.minimize(problem, "affine_invariant_cubic_newton", M=L)
    theta = 1.0 / cubic["step_size"][1:-1] - 1.0
    np.testing.assert_allclose(theta * (1.0 + theta), L / 2.0 * cubic["decrement"][1:-1], rtol=1e-9)
    root = so.minimize(problem, METHOD, M=valid_root(problem))
    np.testing.assert_allclose(root["damping"][1:], np.sqrt(L / 2.0 * root["decrement"][1:]), rtol=1e-14)
    assert root["step_size"][1] < cubic["step_size"][1]


@pytest.mark.parametrize(
    "hyper", [{}, {"power": 2.0 / 3.0}, {"M": 1.0}, {"M": 1.0, "exponent": 4.0}], ids=["1", "2/3", "q=3", "q=4"]
)
def test_it_does_not_depend_on_the_coordinates(hyper):
    problem = so.problems.ill_scaled_logistic(n=80, d=5, decades=0.5, l2=1e-2)
    A = np.random.default_rng(1).standard_normal((5, 5)) * [1.0, 10.0, 0.1, 3.0, 1.0]
    other = so.Problem(
        lambda y: problem.f(A @ y), lambda y: A.T @ problem.grad(A @ y), lambda y: A.T @ problem.hess(A @ y) @ A,
        x0=np.linalg.solve(A, problem.x0),
    )  # fmt: skip
    options = {"steps": 5, "tol": 0.0, "keep": "x", **hyper}
    x, y = so.minimize(problem, METHOD, **options), so.minimize(other, METHOD, **options)
    np.testing.assert_allclose(y["x"] @ A.T, x["x"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(y["decrement"][1:], x["decrement"][1:], rtol=1e-6, atol=1e-10)


def test_values_are_never_asked_for():
    """Nor needed: a constant added to f changes nothing, bit by bit."""
    problem = far_logistic()
    lifted = so.Problem(lambda x: problem.f(x) + 1e6, problem.grad, problem.hess, x0=problem.x0)
    ours, theirs = (so.minimize(p, METHOD, keep="x") for p in (problem, lifted))
    assert np.array_equal(ours["x"], theirs["x"]) and ours.oracle["f"] == 0


@pytest.mark.parametrize("hyper", [{"M": None}, {"power": 2.0 / 3.0}, {"exponent": 3.0}, {"exponent": 4.0}])
def test_it_converges_from_where_pure_newton_cycles(hyper):
    problem = far_logistic()
    if "exponent" in hyper:
        hyper = {"M": valid_root(problem, int(hyper["exponent"])), **hyper}
    history = so.minimize(problem, METHOD, **hyper)
    assert history.status == "converged" and np.all(np.diff(history.f) <= 1e-14)
    assert so.minimize(problem, "newton", line_search=None, steps=300).status == "step_limit"


def test_the_counts_of_a_far_start():
    """Gaussian rows, m = 400, d = 10, a ridge of 1e-3, from all entries 10; M = 1."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 10))
    y = np.sign(X @ rng.standard_normal(10) + 0.5 * rng.standard_normal(400))
    problem = so.problems.logistic((X, y), l2=1e-3, x0=np.full(10, 10.0))
    for q, steps in ((3.0, 18), (4.0, 15)):
        history = so.minimize(problem, METHOD, M=1.0, exponent=q, tol=1e-13, steps=60)
        assert abs(len(history) - 1 - steps) <= 1 and np.all(np.diff(history.f) <= 1e-14)


def test_on_a_self_concordant_function_it_begins_as_damped_newton():
    """With sigma = 1 and power 1 the step size is 1 / (1 + decrement), the classical one, which always passes."""
    problem = so.problems.analytic_center(n=30, d=4, closeness=1e-2)
    history = so.minimize(problem, METHOD, keep="x", tol=1e-8)
    g, H = problem.grad(problem.x0), problem.hess(problem.x0)
    n = np.linalg.solve(H, g)
    np.testing.assert_allclose(history["x"][1], problem.x0 - n / (1.0 + math.sqrt(g @ n)), rtol=1e-9)
    assert history["sigma"][1:].max() <= 1.0 and np.nansum(history["trials"]) <= 2 * len(history)
    assert all(problem.domain(x) for x in history["x"])


@pytest.mark.parametrize("power", [2.0 / 3.0, 1.0])
def test_the_end_is_of_order_one_plus_the_power(power):
    """On exp(x) - x the step is x+ = x - (1 - e^-x) / (1 + theta), hence theta x at the end, and theta = sigma x^power."""
    problem = so.Problem(
        lambda x: float(np.sum(np.exp(x) - x)), np.expm1, lambda x: np.diag(np.exp(x)), x0=[1e-3]
    )  # fmt: skip
    history = so.minimize(problem, METHOD, power=power, keep="x", tol=1e-13, steps=3)
    x = np.abs(np.concatenate(list(history["x"])))
    for k in range(len(x) - 1):
        theta = history["sigma"][k + 1] * x[k] ** power
        assert x[k + 1] == pytest.approx(theta * x[k] + x[k] ** 2 / 2.0, rel=0.1, abs=1e-16)


def test_a_trial_outside_the_domain_is_not_tested():
    """One wall at -1, ten at 1/10: from -0.7 the first trial, with the decrement of 1e-4 f, leaves through the single wall."""
    A, b = np.asarray([[-1.0], *[[1.0]] * 10]), np.asarray([1.0, *[0.1] * 10])
    inside, asked = (lambda x: bool(np.all(A @ x < b))), []

    def grad(x):
        asked.append(inside(x))
        return 1e-8 * A.T @ (1.0 / (b - A @ x))

    problem = so.Problem(lambda x: 0.0, grad, lambda x: 1e-8 * (A.T / (b - A @ x) ** 2) @ A, x0=[-0.7], domain=inside)
    history = so.minimize(problem, METHOD, steps=3, tol=0.0)
    assert history["trials"][1] > 1 and all(asked)


def test_a_trial_whose_gradient_overflows_has_failed():
    """exp(x) - x/1000 from -30: Newton's step is 1e10 long, and the first trials end where exp overflows."""
    slope = 1e-3
    problem = so.Problem(
        lambda x: float(np.exp(x[0]) - slope * x[0]),
        lambda x: np.exp(x) - slope,
        lambda x: np.diag(np.exp(x)),
        x0=[-30.0],
    )
    history = so.minimize(problem, METHOD)
    assert history.status == "converged" and history["trials"][1] > 1
    assert history.x[0] == pytest.approx(np.log(slope), abs=1e-4)
    assert so.minimize(problem, METHOD, M=1e-3).status == "diverged"


def test_a_hessian_that_is_not_definite_ends_the_run():
    history = so.minimize(so.problems.himmelblau(), METHOD)
    assert history.status == "breakdown" and "not positive definite" in history.message


def test_the_wrong_gradient_never_passes():
    """After the first, every gradient points the other way."""
    calls = [0]

    def first_then_uphill(x):
        calls[0] += 1
        return np.ones(2) if calls[0] == 1 else -np.ones(2)

    problem = so.Problem(lambda x: float(x @ x), first_then_uphill, lambda x: np.eye(2), x0=[1.0, 1.0])
    history = so.minimize(problem, METHOD)
    assert history.status == "stalled" and "is the gradient right?" in history.message


def test_at_the_accuracy_of_the_numbers_it_ends():
    for dtype in ("float32", "float64"):
        problem = so.oracles.to_device(so.problems.ill_scaled_logistic(n=60, d=5), "numpy", dtype)
        history = so.minimize(problem, METHOD, tol=1e-30, steps=200)
        assert history.x.dtype == dtype and history.status in ("step_limit", "converged", "stalled")
        assert history.grad_norm.min() <= 1e3 * np.finfo(dtype).eps


@pytest.mark.parametrize("q", [3, 4])
@pytest.mark.parametrize("label", ["progress", "half the slope"])
def test_an_invalid_constant_breaks_the_inequality(q, label):
    guarantee = GUARANTEES[f"root_newton: {label}, q = {q}"]
    assert len(guarantee.run(M=1e-6 * valid_root(guarantee.problem(), q)).violations)


def test_every_valid_constant_of_fourth_order_has_the_damping_that_the_proof_needs():
    """With s the length of the step times the root of L4, theta >= s/sqrt(2) + s^2/6 for every decrement if 9M = L4/2."""
    u = np.geomspace(1e-8, 1e8, 400)
    theta = (0.5 * u**2) ** (1.0 / 3.0)
    s = u / (1.0 + theta)
    assert np.all(theta >= s / math.sqrt(2.0) + s**2 / 6.0)


@pytest.mark.parametrize(
    ("hyper", "message"),
    [({"exponent": 4.5}, "exponent must be a number in"), ({"power": 0.5}, "power must be"), ({"M": 0.0}, "M must be")],
)
def test_bad_hyper_parameters(hyper, message):
    with pytest.raises(ValueError, match=message):
        so.minimize(far_logistic(), METHOD, **hyper)
