"""Newton's method: one step, affine invariance, order two, and every way in which the pure method fails."""

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import rounding

EPS = np.finfo(float).eps
PURE = {"line_search": None}


def logistic(**options):
    return so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3, **options)


@pytest.mark.parametrize("hyper", [{}, PURE], ids=str)
@pytest.mark.parametrize("spectrum", [[1.0, 1e6], [1e-3, 1.0, 2.0, 50.0]], ids=str)
def test_quadratic_takes_one_step(hyper, spectrum):
    problem = so.problems.quadratic(spectrum, rotate=True)
    history = so.minimize(problem, "newton", **hyper)
    assert (history.status, len(history)) == ("converged", 2)
    np.testing.assert_allclose(history.x, 0.0, atol=1e-9)


class Changed(so.Problem):
    """f(By): the same function in other variables."""

    def __init__(self, problem, B):
        super().__init__(x0=np.linalg.solve(B, problem.x0), fresh=True)
        self.problem, self.B = problem, B

    def f(self, y):
        return self.problem.f(self.B @ y)

    def grad(self, y):
        return self.B.T @ self.problem.grad(self.B @ y)

    def hess(self, y):
        H = self.B.T @ self.problem.hess(self.B @ y) @ self.B
        return 0.5 * (H + H.T)


@pytest.mark.parametrize("hyper", [{}, PURE], ids=str)
@pytest.mark.parametrize("make", [so.problems.rosenbrock, logistic], ids=lambda make: make.__name__)
def test_affine_invariance(make, hyper):
    problem = make()
    d = len(problem.x0)
    B = np.random.default_rng(2).standard_normal((d, d)) + 2.0 * np.eye(d)
    runs = [so.minimize(p, "newton", tol=0.0, steps=6, keep="x", **hyper) for p in (problem, Changed(problem, B))]
    assert len(runs[0]) == len(runs[1]) == 7
    np.testing.assert_allclose(runs[1]["x"] @ B.T, runs[0]["x"], atol=1e-8)


@pytest.mark.parametrize(("make", "hyper"), [(so.problems.rosenbrock, {}), (logistic, {}), (logistic, PURE)])
def test_local_order_is_two(make, hyper):
    history = so.minimize(make(), "newton", **hyper)
    assert history.status == "converged"
    assert abs(so.measured_order(history).value - 2.0) < 0.3


def test_local_bound_holds_at_every_step():
    """‖x⁺ − x*‖ ≤ L₂/μ ‖x − x*‖² within μ/(2L₂) of the solution."""
    problem = logistic()
    x_star = so.minimize(problem, "newton", tol=1e-14, steps=50).x
    ratio = problem.lipschitz_hess / np.linalg.eigvalsh(problem.hess(x_star))[0]
    direction = np.ones(8) / np.sqrt(8.0)
    history = so.minimize(problem, "newton", x_star + 0.49 / ratio * direction, line_search=None, keep="x")
    errors = np.linalg.norm(history["x"] - x_star, axis=1)
    assert len(errors) >= 2
    assert np.all(errors[1:] <= ratio * errors[:-1] ** 2 + 1e-12)


def test_line_search_is_armijo_at_every_step():
    problem = so.problems.rosenbrock()
    c, beta = 0.1, 0.7
    history = so.minimize(problem, "newton", sufficient_decrease=c, backtracking=beta, keep=("x", "step"))
    x, f = history["x"], history.f
    assert max(history["trials"][1:]) > 1, "the test needs a step that was cut"
    for k in range(len(history) - 1):
        step, slack = history["step"][k + 1], rounding(f[k], f[k + 1], EPS)
        slope = float(problem.grad(x[k]) @ step)
        assert f[k + 1] <= f[k] + c * slope + slack
        assert history["step_size"][k + 1] == pytest.approx(beta ** (history["trials"][k + 1] - 1), rel=1e-14)
        if history["trials"][k + 1] > 1:
            assert problem.f(x[k] + step / beta) > f[k] + c * slope / beta, "the longer step would have done"


def test_one_value_a_trial_and_one_at_the_start():
    history = so.minimize(so.problems.rosenbrock(), "newton")
    steps = len(history) - 1
    assert history.oracle == {"f": 1 + np.nansum(history["trials"]), "grad": steps + 1, "hess": steps, "hvp": 0}
    assert so.minimize(logistic(), "newton", line_search=None).oracle["f"] == 0


def test_the_naive_loop_agrees():
    problem = logistic()
    x0 = np.full(8, 3.0)
    history = so.minimize(problem, "newton", x0, steps=12, keep="x")
    x = x0
    for point in history["x"]:
        np.testing.assert_allclose(point, x, rtol=1e-10, atol=1e-10)
        g = problem.grad(x)
        p, a = -np.linalg.inv(problem.hess(x)) @ g, 1.0
        while problem.f(x + a * p) > problem.f(x) + 1e-4 * a * (g @ p) + 1e3 * EPS * problem.f(x):
            a /= 2.0
        x = x + a * p


# ------------------------------------------------------------------------------------------ how the pure method fails


@pytest.mark.parametrize("start", [0.3, -0.9, 1.0, 1.2, 2.0])
def test_pure_step_on_pseudo_huber_is_minus_the_cube(start):
    history = so.minimize(so.problems.pseudo_huber(), "newton", [start], steps=4, tol=0.0, keep="x", **PURE)
    x = history["x"][:, 0]
    np.testing.assert_allclose(x[1:], -(x[:-1] ** 3), rtol=1e-13, atol=4 * EPS * np.max(np.abs(x[:2])))


def test_pure_newton_cycles_between_one_and_minus_one():
    history = so.minimize(so.problems.pseudo_huber(), "newton", [1.0], steps=10, keep="x", **PURE)
    assert history.status == "step_limit"
    np.testing.assert_allclose(history["x"][:, 0], (-1.0) ** np.arange(11), atol=1e-10)


def test_pure_newton_diverges_and_says_so():
    history = so.minimize(so.problems.pseudo_huber(), "newton", [1.5], **PURE)
    assert history.status in {"diverged", "breakdown"} and history.message
    assert np.all(np.isfinite(history.x))
    assert so.minimize(so.problems.pseudo_huber(), "newton", [1.5]).status == "converged"


STATIONARY = {"saddle": (so.problems.saddle, [0.0, 0.0]), "maximum": (so.problems.himmelblau, [-0.270845, -0.923039])}


@pytest.mark.parametrize(("make", "where"), STATIONARY.values(), ids=STATIONARY)
def test_pure_newton_converges_to_what_is_no_minimum(make, where):
    history = so.minimize(make(), "newton", **PURE)
    assert history.status == "converged"
    np.testing.assert_allclose(history.x, where, atol=1e-5)
    assert history.optimality["smallest_eigenvalue"] < -1.0
    assert "newton_decrement" not in history.optimality


@pytest.mark.parametrize("make", [so.problems.saddle, so.problems.chain], ids=lambda make: make.__name__)
def test_line_search_breaks_down_where_the_hessian_is_not_positive_definite(make):
    history = so.minimize(make(), "newton")
    assert (history.status, len(history)) == ("breakdown", 1)
    assert history.message == "the matrix is not positive definite"


def test_pure_newton_breaks_down_at_a_singular_hessian():
    history = so.minimize(so.problems.chain(5), "newton", **PURE)
    assert (history.status, len(history)) == ("breakdown", 1)
    assert "ingular" in history.message


def test_a_step_outside_the_domain_is_cut():
    def f(x):
        return float(x[0] - np.log(x[0])) if x[0] > 0.0 else float("inf")

    inside = so.Problem(f, lambda x: 1.0 - 1.0 / x, lambda x: np.diag(x**-2.0), x0=[5.0])
    history = so.minimize(inside, "newton")
    assert history["trials"][1] > 1 and history.status == "converged"
    np.testing.assert_allclose(history.x, 1.0)


# ------------------------------------------------------------------------------------- where the Hessian is indefinite

MODIFICATIONS = ("flip", "shift", "cholesky")
INDEFINITE = {
    "rosenbrock above its parabola": lambda: (so.problems.rosenbrock(), [0.0, 1.0]),
    "himmelblau": lambda: (so.problems.himmelblau(), None),
    "saddle": lambda: (so.problems.saddle(), None),
    "double well": lambda: (so.problems.double_well(), None),
    "chain": lambda: (so.problems.chain(8), None),
}


@pytest.mark.parametrize("modification", MODIFICATIONS)
@pytest.mark.parametrize("make", INDEFINITE.values(), ids=INDEFINITE)
def test_a_modified_hessian_descends_to_a_minimum(make, modification):
    problem, start = make()
    history = so.minimize(problem, "newton", start, modification=modification, keep=("x", "step"))
    assert history.status == "converged" and history["modified"][1]
    assert history.optimality["smallest_eigenvalue"] > -1e-8
    for k in range(len(history) - 1):
        x, row = history["x"][k], history.rows[k + 1]
        slope = float(problem.grad(x) @ row["step"])
        assert slope < 0.0
        assert row["f"] <= history.f[k] + 1e-4 * slope + rounding(history.f[k], row["f"], EPS)
        H = problem.hess(x)
        smallest = np.linalg.eigvalsh(H)[0] / max(np.linalg.norm(H, 2), 1e-300)
        assert row["modified"] == (smallest < 0.0) or abs(smallest) < 1e-12
        if smallest > 1e-12:
            newton_step = -np.linalg.solve(H, problem.grad(x))
            np.testing.assert_allclose(row["step"], row["step_size"] * newton_step, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("modification", MODIFICATIONS)
def test_where_the_hessian_is_positive_definite_nothing_is_modified(modification):
    problem = logistic()
    plain = so.minimize(problem, "newton", np.full(8, 3.0), keep="x")
    ours = so.minimize(problem, "newton", np.full(8, 3.0), modification=modification, keep="x")
    np.testing.assert_array_equal(ours["x"], plain["x"])
    assert not np.nansum(ours["modified"])


def test_the_flipped_step_follows_negative_curvature_away_from_the_saddle():
    """H = diag(2, -1.97) and g = (2, -0.199) at (1, 0.1): the first entry is Newton's, the second is reversed."""
    problem = so.problems.saddle()
    history = so.minimize(problem, "newton", modification="flip", keep="step")
    g, H = problem.grad(problem.x0), np.diag(problem.hess(problem.x0))
    np.testing.assert_allclose(history.rows[1]["step"], -history["step_size"][1] * g / np.abs(H), rtol=1e-12)


def test_the_pure_method_ignores_the_modification():
    for modification in MODIFICATIONS:
        history = so.minimize(so.problems.saddle(), "newton", modification=modification, **PURE)
        np.testing.assert_allclose(history.x, 0.0, atol=1e-5)
