"""Cubic Newton: closed form, the identities of its step, its rate at every k, and saddles that it leaves."""

import itertools
import math

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import rounding

EPS = np.finfo(float).eps


def slack(f, f_new):
    return rounding(f, f_new, EPS)


def first_step(problem, M):
    return next(itertools.islice(so.newton.cubic_newton(problem, M=M), 1, 2))


@pytest.mark.parametrize("M", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("H", [-2.0, -1e-8, 0.0, 1e-3, 5.0])
@pytest.mark.parametrize("g", [-7.0, 1e-6, 0.5])
def test_one_dimension_in_closed_form(g, H, M):
    line = so.Problem(grad=lambda x: np.asarray([g]), hess=lambda x: np.asarray([[H]]), x0=[0.0])
    expected = -math.copysign((-H + math.sqrt(H * H + 2.0 * M * abs(g))) / M, g)
    np.testing.assert_allclose(first_step(line, M).step[0], expected, rtol=1e-7)


def test_flight_from_a_maximum():
    top = so.Problem(grad=lambda x: 0.0 * x, hess=lambda x: np.asarray([[-1.0]]), x0=[0.0])
    for M in (0.5, 1.0, 8.0):
        it = first_step(top, M)
        assert it.hard and abs(it.step[0]) == pytest.approx(2.0 / M, rel=1e-14)


IDENTITIES = {
    "chain": lambda: so.problems.chain(12),
    "logistic": lambda: so.problems.ill_scaled_logistic(n=200, d=8, decades=1.0, l2=1e-3),
}


@pytest.mark.parametrize("make", IDENTITIES.values(), ids=IDENTITIES)
def test_four_identities_at_every_step(make):
    problem = make()
    L2 = M = problem.lipschitz_hess
    history = so.minimize(problem, "cubic_newton", M=M, keep=("x", "step"), steps=400)
    assert len(history) > 10
    for k in range(len(history) - 1):
        x, h, r = history["x"][k], history["step"][k + 1], history["radius"][k + 1]
        g, H = problem.grad(x), problem.hess(x)
        assert r == pytest.approx(np.linalg.norm(h), rel=1e-14)
        # the model at the step
        model = g @ h + 0.5 * h @ H @ h + M / 6.0 * r**3
        explicit = -0.5 * h @ (H @ h + 0.5 * M * r * h) - M / 12.0 * r**3
        assert model == pytest.approx(explicit, rel=1e-8, abs=1e-18)
        assert history["decrease"][k + 1] == pytest.approx(-model, rel=1e-8, abs=1e-18)
        assert model <= -M / 12.0 * r**3 * (1.0 - 1e-8)
        # the decrease of f, the new gradient, the new curvature
        f, f_new = history.f[k], history.f[k + 1]
        assert f - f_new >= M / 12.0 * r**3 - slack(f, f_new)
        assert history.grad_norm[k + 1] <= 0.5 * (L2 + M) * r**2 * (1.0 + 1e-10) + 1e-14
        smallest = np.linalg.eigvalsh(problem.hess(history["x"][k + 1]))[0]
        assert smallest >= -(L2 + 0.5 * M) * r - 1e-12


def test_rate_of_convex_functions_holds_at_every_step():
    r"""f(x_k) - f* ≤ 9 L₂ D³ / (k + 4)² on the chain.

    The proof moves from x_k towards x*, so D may be the largest distance of an iterate. The level set bounds it: with
    u = Ax, f - f* is the sum of (|u_i|³ - 3u_i + 2)/3 ≥ (u_i - 1)²/2, and f(x_0) - f* = 2d/3, hence
    D ≤ ‖A⁻¹‖ √(4d/3) with ‖A⁻¹‖ = 1/(2 sin(π/(4d + 2))).
    """
    d = 30
    problem = so.problems.chain(d)
    history = so.minimize(problem, "cubic_newton", M=problem.lipschitz_hess, keep="x")
    assert history.status == "converged"
    D = np.max(np.linalg.norm(history["x"] - problem.x_star, axis=1))
    bound = math.sqrt(4.0 * d / 3.0) / (2.0 * math.sin(math.pi / (4 * d + 2)))
    assert bound >= D
    k = np.arange(1, len(history))
    assert np.all(history.primal_gap[1:] <= 9.0 * problem.lipschitz_hess * D**3 / (k + 4.0) ** 2)


def test_adapted_constant_unlocks_the_chain_in_about_d_steps():
    d = 30
    problem = so.problems.chain(d)
    history = so.minimize(problem, "cubic_newton", stop=so.stopping.target(problem.f_star + 1e-10), tol=0.0)
    assert history.status == "converged"
    assert d <= len(history) - 1 <= 1.5 * d


@pytest.mark.parametrize(
    "problem", [so.problems.chain(12), so.problems.rosenbrock(), so.problems.himmelblau()], ids=lambda p: p.name
)
def test_adapted_steps_stay_below_the_model(problem):
    history = so.minimize(problem, "cubic_newton")
    assert history.status == "converged"
    f, M = history.f, history["M"]
    for k in range(len(history) - 1):
        assert f[k + 1] <= f[k] - history["decrease"][k + 1] + slack(f[k], f[k + 1])
        start = M[k] / 2.0 if k else 1.0
        assert M[k + 1] == start * 2.0 ** (history["trials"][k + 1] - 1)
    steps = len(history) - 1
    assert history.oracle == {"f": 1 + np.nansum(history["trials"]), "grad": steps + 1, "hess": steps, "hvp": 0}
    if getattr(problem, "lipschitz_hess", None):
        assert np.nanmax(M) <= max(1.0, 2.0 * problem.lipschitz_hess)


@pytest.mark.parametrize("M", [None, 2.0])
def test_it_leaves_a_saddle_to_which_the_gradient_points(M):
    """From (1, 0) every gradient is along the first axis; the hard case leaves along the second."""
    history = so.minimize(so.problems.saddle(), "cubic_newton", [1.0, 0.0], M=M)
    assert history.status == "converged" and np.any(history["hard"] == 1)
    np.testing.assert_allclose(np.abs(history.x), [0.0, math.sqrt(2.0)], atol=1e-6)
    assert history.optimality["smallest_eigenvalue"] > 0.0


def test_local_order_is_two():
    history = so.minimize(so.problems.rosenbrock(), "cubic_newton")
    assert abs(so.measured_order(history).value - 2.0) < 0.3


def smallest_on_grids(g, H, M):
    """The model's minimiser in the plane by grids, each a quarter as wide; a bound on its length gives the first."""
    smallest = np.linalg.eigvalsh(H)[0]
    half = (-smallest + math.sqrt(smallest**2 + 2.0 * M * np.linalg.norm(g))) / M
    best = np.zeros(2)
    for _ in range(18):
        axis = np.linspace(-half, half, 61)
        h = best + np.stack(np.meshgrid(axis, axis), axis=-1)
        r2 = np.sum(h * h, axis=-1)
        values = h @ g + 0.5 * np.sum(h * (h @ H), axis=-1) + M / 6.0 * r2**1.5
        best = h.reshape(-1, 2)[np.argmin(values)]
        half /= 4.0
    return best


@pytest.mark.parametrize("M", [0.5, 20.0, 500.0])
@pytest.mark.parametrize("name", ["rosenbrock", "himmelblau", "double_well", "saddle"])
def test_grid_search_finds_the_same_step(name, M):
    problem = so.problems.get(name)
    history = so.minimize(problem, "cubic_newton", M=M, steps=5, keep=("x", "step"))
    for x, step in zip(history["x"], history["step"][1:], strict=False):
        np.testing.assert_allclose(step, smallest_on_grids(problem.grad(x), problem.hess(x), M), rtol=1e-5, atol=1e-6)


def test_a_gradient_that_promises_too_much_stalls():
    spike = so.Problem(lambda x: float(x[0] != 1.0), np.ones_like, lambda x: np.eye(1), x0=[1.0])
    history = so.minimize(spike, "cubic_newton")
    assert (history.status, len(history)) == ("stalled", 1)
