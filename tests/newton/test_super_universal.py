"""Super-universal Newton: a dense twin, gradients only, counts on the chain, the exponent, and what it is with a given M."""

import math

import numpy as np
import pytest

import secondorder as so

METHOD = "super_universal_newton"


def logistic():
    return so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3)


CONVEX = {
    "chain": lambda: so.problems.chain(12),
    "chain p=3": lambda: so.problems.chain(12, p=3),
    "logistic": logistic,
    "soft_maximum": so.problems.soft_maximum,
    "polytope": so.problems.polytope_feasibility,
}


def twin(problem, alpha, steps):
    """As published, with the inverse written out."""
    x, H_k, points = problem.x0, 1.0, [problem.x0]
    for _ in range(steps):
        g, H, j = problem.grad(x), problem.hess(x), 0
        while True:
            damping = 4.0**j * H_k * np.linalg.norm(g) ** alpha
            x_new = x - np.linalg.inv(H + damping * np.eye(len(x))) @ g
            g_new = problem.grad(x_new)
            if g_new @ (x - x_new) >= g_new @ g_new / (4.0 * damping):
                break
            j += 1
        x, H_k = x_new, max(4.0**j * H_k / 4.0, 1e-5)
        points.append(x)
    return np.asarray(points)


@pytest.mark.parametrize("exponent", [2.0 / 3.0, 0.8, 1.0])
@pytest.mark.parametrize("make", CONVEX.values(), ids=CONVEX)
def test_it_takes_the_steps_of_the_published_method(make, exponent):
    history = so.minimize(make(), METHOD, exponent=exponent, steps=9, keep="x", tol=1e-5)
    points = twin(make(), exponent, len(history) - 1)
    assert len(history) > 4
    np.testing.assert_allclose(history["x"], points, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("make", CONVEX.values(), ids=CONVEX)
def test_the_account_is_what_happened(make):
    problem = make()
    history = so.minimize(problem, METHOD, keep=("x", "grad", "step"))
    assert history.status == "converged"
    start = 1.0
    for k, row in enumerate(history.rows[1:]):
        g, g_new, h = history["grad"][k], history["grad"][k + 1], history["step"][k + 1]
        assert row["damping"] == pytest.approx(row["M"] * np.linalg.norm(g), rel=1e-14)
        assert row["M"] == start * 4.0 ** (row["trials"] - 1)
        assert row["progress"] == pytest.approx(-g_new @ h, rel=1e-12)
        assert row["progress"] >= g_new @ g_new / (4.0 * row["damping"]) * (1.0 - 1e-12)
        assert row["radius"] == pytest.approx(np.linalg.norm(h), rel=1e-14)
        residual = problem.hess(history["x"][k]) @ h + row["damping"] * h + g
        assert np.linalg.norm(residual) <= 1e-11 * (1.0 + np.linalg.norm(g))
        start = max(row["M"] / 4.0, 1e-5)
    steps, trials = len(history) - 1, np.nansum(history["trials"])
    assert (history.oracle["hess"], history.oracle["grad"], history.oracle["f"]) == (steps, trials + 1, 0)
    assert trials <= 2 * steps + math.log(start, 4.0) + 1e-9


def test_values_are_never_used():
    """Adding a constant to f changes nothing, bitwise; neither does having no values at all."""
    problem = so.problems.chain(20)
    lifted = so.Problem(lambda x: problem.f(x) + 1e6, problem.grad, problem.hess, x0=problem.x0)
    none = so.Problem(grad=problem.grad, hess=problem.hess, x0=problem.x0)
    usual = so.minimize(problem, METHOD, keep="x")
    for other in (lifted, none):
        history = so.minimize(other, METHOD, keep="x")
        assert np.array_equal(np.stack(list(history["x"])), np.stack(list(usual["x"])))


@pytest.mark.parametrize(("p", "d", "steps"), [(2, 20, 25), (2, 50, 56), (3, 20, 29), (3, 50, 60)])
def test_steps_and_solves_on_the_chain(p, d, steps):
    history = so.minimize(so.problems.chain(d, p=p), METHOD)
    assert np.argmax(history.primal_gap <= 1e-10) == steps
    assert 1.8 <= np.nanmean(history["trials"]) <= 2.0


def test_a_given_constant_is_the_gradient_regularised_method_for_q_3():
    for M in (0.5, 8.0):
        ours = so.minimize(so.problems.chain(12), METHOD, M=M, keep="x", steps=60)
        other = so.minimize(so.problems.chain(12), "gradient_regularized_newton", M=M, keep="x", steps=60)
        assert len(ours) == len(other) > 5
        np.testing.assert_allclose(ours["x"], other["x"], rtol=1e-12, atol=1e-12)
        assert "trials" not in ours.rows[1]


@pytest.mark.parametrize("q", [2.0, 2.5, 3.0, 4.0])
def test_the_damping_of_a_given_constant(q):
    history = so.minimize(logistic(), METHOD, M=0.7, q=q, steps=5)
    powers = history.grad_norm[:-1] ** ((q - 2.0) / (q - 1.0))
    np.testing.assert_allclose(history["damping"][1:], 0.7 ** (1.0 / (q - 1.0)) * powers, rtol=1e-13)
    assert np.all(history["M"][1:] == 0.7)


@pytest.mark.parametrize("exponent", [2.0 / 3.0, 0.8, 1.0])
def test_local_order_is_one_plus_the_exponent(exponent):
    """On sums of exponentials, whose gradient keeps its digits; M ends at its floor, and is constant then."""
    from secondorder.labs.views.inexact import above_rounding, exponentials

    history = so.minimize(exponentials(1.0), METHOD, exponent=exponent, tol=1e-60, steps=60)
    norms = above_rounding(history.grad_norm)
    assert so.measured_order(norms.tolist(), floor=0.0).value == pytest.approx(1.0 + exponent, abs=0.15)


def test_with_exponent_one_a_multiple_of_f_changes_nothing():
    """M multiplies the gradient norm itself, so the damping scales with the Hessian; bitwise for a power of two."""
    problem = so.problems.chain(12)
    double = so.Problem(
        lambda x: 2.0 * problem.f(x), lambda x: 2.0 * problem.grad(x), lambda x: 2.0 * problem.hess(x), x0=problem.x0
    )
    ours, other = (so.minimize(each, METHOD, keep="x", steps=20) for each in (problem, double))
    assert np.array_equal(np.stack(list(ours["x"])), np.stack(list(other["x"])))
    ours, other = (so.minimize(each, METHOD, exponent=2.0 / 3.0, steps=5) for each in (problem, double))
    assert not np.allclose(ours.x, other.x, rtol=1e-3)


def test_a_given_constant_breaks_down_and_a_search_goes_on_where_the_matrix_is_indefinite():
    history = so.minimize(so.problems.himmelblau(), METHOD, M=1.0)
    assert history.status == "breakdown" and "positive definite" in history.message
    history = so.minimize(so.problems.himmelblau(), METHOD)
    assert history["trials"][1] > 1


def test_a_gradient_of_the_wrong_sign_stalls():
    signs = iter([1.0])
    wrong = so.Problem(grad=lambda x: next(signs, -1.0) * x, hess=lambda x: np.eye(1), x0=[1.0])
    history = so.minimize(wrong, METHOD)
    assert (history.status, len(history)) == ("stalled", 1)


def test_a_trial_where_the_gradient_overflows_has_failed():
    problem = so.problems.pseudo_huber()
    hole = so.Problem(
        grad=lambda x: problem.grad(x) if abs(x[0] - 29.0) > 0.4 else np.asarray([np.inf]), hess=problem.hess, x0=[30.0]
    )
    history = so.minimize(hole, METHOD, steps=1)
    assert history["trials"][1] == 2 and abs(history.x[0] - 29.75) < 1e-3


def test_it_ends_when_asked_for_more_than_rounding_allows():
    for make in CONVEX.values():
        history = so.minimize(make(), METHOD, tol=1e-300, steps=300)
        assert history.grad_norm.min() < 1e-9 and history.status in {"stalled", "step_limit", "converged"}


@pytest.mark.parametrize("label", ["", ", soft maximum", ", third order"])
def test_the_proven_inequality_needs_the_constant(label):
    """With a millionth of the valid M it is violated."""
    entry = so.guarantees.get("super_universal_newton: progress, known class" + label)
    problem = entry.problem()
    verdict = entry.run(M=1e-6 * entry.hyper(problem)["M"])
    assert len(verdict.violations)


@pytest.mark.parametrize("name", ["gradient", "progress", "decrease"])
def test_so_do_those_of_the_gradient_regularised_method(name):
    verdict = so.guarantees.get(f"gradient_regularized_newton: {name}").run(M=1e-4)
    assert len(verdict.violations)
