"""The third-order method: a dense twin, its inequalities, what differences cost, and what acceleration does not buy."""

import dataclasses

import numpy as np
import pytest

import secondorder as so
from secondorder.guarantees import GUARANTEES
from secondorder.linalg import rounding
from secondorder.newton.accelerated_tensor import PACE, PROGRESS, differences

METHOD = "accelerated_tensor_method"
PROVEN = {"weights": "proven", "safeguard": False, "third_derivative": "exact"}
PROBLEMS = {
    "chain": lambda: so.problems.chain(12, p=3),
    "logistic": lambda: so.problems.ill_scaled_logistic(n=60, d=5, decades=1.0, l2=1e-3),
    "soft maximum": lambda: so.problems.soft_maximum(n=60, d=6),
}


def dense_tensor_step(problem, v, M):
    """The subproblem with dense solves and bisection, from the minimiser of its part without the third derivative."""
    g, H, c, L = problem.grad(v), problem.hess(v), M / 6.0, 1.0 + 1.0 / np.sqrt(2.0)

    def quartic(z):
        low, high = 0.0, 1.0
        while c * np.sum(np.linalg.solve(H + high * np.eye(v.size), z) ** 2) > high:
            high *= 2.0
        for _ in range(200):
            s = 0.5 * (low + high)
            h = -np.linalg.solve(H + s * np.eye(v.size), z)
            low, high = (s, high) if c * (h @ h) > s else (low, s)
        return h

    h = quartic(g)
    while True:
        rho = H @ h + c * (h @ h) * h
        omega = g + 0.5 * problem.third(v, h) + rho
        if np.linalg.norm(omega) <= np.linalg.norm(problem.grad(v + h)) / 6.0:
            return v + h
        h = quartic(omega / L - rho)


def dense_accelerated(problem, M, steps):
    """The published scheme written out: the planes kept in lists, the weight by the roots of a polynomial."""
    x = x0 = problem.x0
    A, planes, rows = 0.0, [], [x]
    q = 160.0 / (63.0 * M)
    for _ in range(steps):
        roots = np.roots([1.0, -q, -3.0 * q * A, -3.0 * q * A**2, -q * A**3])
        a = max(r.real for r in roots if abs(r.imag) < 1e-9 * abs(r))
        s = sum((b * g for b, g in planes), 0.0 * x)
        y = x0 - s / np.linalg.norm(s) ** (2.0 / 3.0) if planes else x0
        x = dense_tensor_step(problem, (A * x + a * y) / (A + a), M)
        A, planes, rows = A + a, [*planes, (a, problem.grad(x))], [*rows, x]
    return np.stack(rows)


@pytest.mark.parametrize("factor", [6.0, 0.5])  # the second takes several inner steps
@pytest.mark.parametrize("name", PROBLEMS)
def test_it_follows_its_dense_twin(name, factor):
    problem = PROBLEMS[name]()
    M = factor * problem.lipschitz_third
    history = so.minimize(problem, METHOD, M=M, steps=12, tol=0.0, keep="x", **PROVEN)
    np.testing.assert_allclose(history["x"], dense_accelerated(problem, M, 12), rtol=1e-6, atol=1e-8)


def test_constants():
    """The least of the bound on the progress is at u = 5/7; 0.5 sup a^4/A^3 = 256 makes 100.8 M of it, 605 L3."""
    u = np.linspace(0.1, 3.0, 300_001)
    bound = 3.0 / 6.0 ** (2.0 / 3.0) * u ** (-2.0 / 3.0) * (35.0 / 36.0 * (1.0 + u**2) - u / 18.0)
    assert bound.min() ** 3 == pytest.approx(PROGRESS, rel=1e-9) and u[bound.argmin()] == pytest.approx(
        5.0 / 7.0, abs=1e-4
    )
    assert pytest.approx(160.0 / 63.0) == PACE and pytest.approx(100.8) == 256.0 / PACE


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("hyper", [{}, {"safeguard": False}, {"third_derivative": "exact"}], ids=str)
def test_the_invariant_holds_with_adapted_constants_too(name, hyper):
    problem = PROBLEMS[name]()
    history = so.minimize(problem, METHOD, steps=200, **hyper)
    assert np.all(history.f[1:] <= history["ceiling"][1:] + 2.0 * rounding(1.0, np.abs(history.f).max(), 2.0**-52))
    assert np.all(history["pace"][1:] >= 1.0)
    if hyper.get("safeguard", True):
        assert history.status == "converged"
        assert np.all(np.diff(history.f) <= rounding(1.0, history.f[0], 2.0**-52))


def test_an_invalid_constant_breaks_the_invariant_and_the_bound():
    for label, factor in (("invariant, chain", 1e-3), ("values, chain", 1e-2)):
        entry = dataclasses.replace(GUARANTEES[f"{METHOD}: {label}"], steps=200)
        M = entry.hyper(entry.problem())["M"]
        assert not len(entry.run().violations)
        verdict = entry.run(M=factor * M)
        assert len(verdict.violations) and verdict.history.status == "diverged"


def test_a_larger_pace_than_proven_breaks_the_invariant(monkeypatch):
    monkeypatch.setattr("secondorder.newton.accelerated_tensor.PACE", 100.0 * PACE)
    assert len(GUARANTEES[f"{METHOD}: invariant, soft maximum"].run().violations)


def test_in_one_variable_in_closed_form():
    """From 0 on x^4/4 - x, the third derivative vanishes: M/6 h^3 = 1."""
    history = so.minimize(so.problems.chain(1, p=3), METHOD, M=36.0, steps=1, accelerated=False)
    assert history.x[0] == pytest.approx((6.0 / 36.0) ** (1.0 / 3.0))


def rotated(problem, Q):
    return so.Problem(
        lambda y: problem.f(Q @ y),
        lambda y: Q.T @ problem.grad(Q @ y),
        lambda y: Q.T @ problem.hess(Q @ y) @ Q,
        third=lambda y, h: Q.T @ problem.third(Q @ y, Q @ h),
        x0=Q.T @ problem.x0,
    )


@pytest.mark.parametrize("third_derivative", ["differences", "exact"])
def test_it_does_not_depend_on_the_coordinates(third_derivative):
    problem = PROBLEMS["logistic"]()
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0]
    runs = [
        so.minimize(p, METHOD, steps=6, tol=0.0, keep="x", third_derivative=third_derivative)
        for p in (problem, rotated(problem, Q))
    ]
    np.testing.assert_allclose(runs[1]["x"] @ Q.T, runs[0]["x"], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", PROBLEMS)
def test_differences_err_by_a_third_of_the_neglected_term(name):
    problem = PROBLEMS[name]()
    rng, tau = np.random.default_rng(1), 2.0**-6.5
    for size in (1e-2, 0.3, 3.0):
        v, h = rng.standard_normal(problem.x0.size), size * rng.standard_normal(problem.x0.size)
        error = np.linalg.norm(differences(problem, v, problem.grad(v))(h) - problem.third(v, h))
        noise = 2e-15 * np.linalg.norm(problem.hess(v)) * (1.0 + np.linalg.norm(v)) / tau**2
        assert error <= problem.lipschitz_third / 3.0 * tau * np.linalg.norm(h) ** 3 + noise + 1e-11


@pytest.mark.parametrize("hyper", [{}, {"accelerated": False}], ids=str)
@pytest.mark.parametrize("scale", [1e4, 1e6])
def test_differences_reach_a_small_gradient_of_a_large_function(scale, hyper):
    """Near the solution their rounding has to vanish with the step."""
    logistic = PROBLEMS["logistic"]()
    problem = so.Problem(
        lambda x: scale * logistic.f(x), lambda x: scale * logistic.grad(x), lambda x: scale * logistic.hess(x),
        x0=logistic.x0,
    )  # fmt: skip
    assert so.minimize(problem, METHOD, steps=40, **hyper).status == "converged"


def test_the_price_of_third_order():
    """Differences ask for no third derivative; an inner step is two gradients and one more, or a product and one."""
    problem = PROBLEMS["logistic"]()
    M = 6.0 * problem.lipschitz_third
    for kind in ("differences", "exact"):
        history = so.minimize(problem, METHOD, M=M, accelerated=False, third_derivative=kind, steps=30)
        steps, inner = len(history) - 1, int(np.nansum(history["inner"]))
        assert history.oracle["hess"] == steps and history.oracle["f"] == 0
        assert history.oracle.get("third", 0) == (inner if kind == "exact" else 0)
        assert history.oracle["grad"] == 1 + (inner if kind == "exact" else 3 * inner)
        assert history["inner"][1:].mean() <= 4.0


@pytest.mark.parametrize("name", PROBLEMS)
def test_exact_derivatives_and_differences_take_about_the_same_steps(name):
    problem = PROBLEMS[name]()
    one, other = (
        so.minimize(problem, METHOD, accelerated=False, third_derivative=kind) for kind in ("differences", "exact")
    )
    assert one.status == other.status == "converged" and abs(len(one) - len(other)) <= 3


def test_the_local_order_is_three():
    """From the bound on the new gradient by the cubed step; by then the third difference is exact to what counts."""
    problem = so.Problem.from_function(quartic_bowl, x0=[0.6, -0.5, 0.4])
    history = so.minimize(problem, METHOD, M=150.0, accelerated=False, third_derivative="exact", tol=0.0, steps=8)
    g = history.grad_norm[history.grad_norm > 1e-13]
    orders = np.log(g[2:] / g[1:-1]) / np.log(g[1:-1] / g[:-2])
    assert orders[-1] > 2.5


def quartic_bowl(x):
    u = x + 0.3 * x[::-1]
    return (u * u).sum() / 2.0 + (u**3).sum() / 6.0 + (u**4).sum() / 4.0


def test_constants_of_acceleration_are_pessimistic():
    """On its own worst case: 150 steps with the constants of the proof, and with a search for the weights."""
    problem = so.problems.chain(10, p=3)
    M = 6.0 * problem.lipschitz_third
    gap = {
        label: so.minimize(problem, METHOD, M=M, steps=150, tol=0.0, **hyper).primal_gap[-1]
        for label, hyper in {
            "plain": {"accelerated": False},
            "proven": PROVEN,
            "searched": {"safeguard": False},
        }.items()
    }
    assert 0.2 < gap["proven"] < 0.5 and gap["plain"] < 1e-5 and gap["searched"] < 1e-10


def test_a_gradient_that_promises_too_much_stalls():
    problem = so.problems.quadratic([1.0, 3.0])
    wrong = so.Problem(problem.f, lambda x: np.asarray([1.0, -1.0]) * problem.grad(x), problem.hess, x0=problem.x0)
    history = so.minimize(wrong, METHOD, accelerated=False, steps=200)
    assert history.status in {"stalled", "step_limit", "diverged"}


@pytest.mark.parametrize("hyper", [{}, {"accelerated": False}, PROVEN], ids=str)
def test_rounding_ends_it(hyper):
    for name in PROBLEMS:
        history = so.minimize(PROBLEMS[name](), METHOD, tol=0.0, steps=120, **hyper)
        assert history.status in {"stalled", "step_limit", "converged"} and np.all(np.isfinite(history.x))
