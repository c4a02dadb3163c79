"""Problems: what they offer, what they derive, and what they refuse."""

import autograd.numpy as anp
import numpy as np
import pytest

import secondorder as so
from secondorder.arrays import to_numpy
from secondorder.oracles import ORACLES, cloud, point
from secondorder.sets import FeasibleSet, Hull, Simplex


def test_oracles_are_those_given():
    assert so.Problem(abs).oracles == ("f",)
    assert so.Problem(hess=np.diag, grad=abs).oracles == ("grad", "hess")
    assert repr(so.Problem(abs, x0=[1.0, 2.0], name="corner")) == "<Problem 'corner', d=2: f>"


@pytest.mark.parametrize("name", ORACLES)
def test_an_oracle_that_is_no_function_is_named(name):
    with pytest.raises(TypeError, match=rf"^{name} must be a function \(.*; got ndarray"):
        so.Problem(**{name: np.ones(2)})


def test_every_oracle_may_be_given():
    given = dict.fromkeys(ORACLES, abs)
    assert so.Problem(**given).oracles == tuple(ORACLES)
    with pytest.raises(
        TypeError, match="Problem has no oracle 'jacobian'; it takes f, grad, hess, hvp, third, metric, residual"
    ):
        so.Problem(jacobian=abs)


def test_a_sum_over_nothing_has_one_batch_itself():
    problem = so.problems.rosenbrock()
    batches = problem.batches(3, np.random.default_rng(0))
    assert next(batches) is problem and next(batches) is problem
    assert problem.l2 == 0.0 and so.Problem(abs).residual_weight == 0.5


@pytest.mark.parametrize("make", [lambda: so.problems.get("test:box_3d"), lambda: so.problems.get("nist:Misra1a")])
def test_sums_of_squares_weigh_as_they_say(make):
    problem = make()
    x, w = problem.x0, problem.residual_weight
    r, J = problem.residual(x), problem.jac(x)
    assert float(problem.f(x)) == pytest.approx(w * r @ r, rel=1e-13)
    np.testing.assert_allclose(problem.grad(x), 2.0 * w * J.T @ r, rtol=1e-12)


def test_start_is_checked_and_not_shared():
    mine = np.asarray([1.0, 2.0])
    problem = so.Problem(abs, x0=mine)
    mine[0] = 7.0
    assert problem.x0[0] == 1.0
    with pytest.raises(ValueError, match="x0 must be finite"):
        so.Problem(abs, x0=[np.nan])


@pytest.mark.parametrize(
    ("given", "dtype"), [([1, 2], "float64"), (np.ones(2, np.float32), "float32"), ([True], "float64")]
)
def test_point_converts_what_is_no_floating_point(given, dtype):
    assert point(given).dtype == dtype


def test_derivatives_of_a_function_are_its_derivatives():
    def f(x):
        return anp.sum(anp.sin(x) ** 2) + x[0] * x[1] ** 3

    problem = so.Problem.from_function(f, x0=[0.3, 0.7])
    x, v = np.asarray([0.4, -1.1]), np.asarray([0.2, 0.5])
    grad = np.sin(2.0 * x) + np.asarray([x[1] ** 3, 3.0 * x[0] * x[1] ** 2])
    hess = np.diag(2.0 * np.cos(2.0 * x)) + np.asarray([[0.0, 3.0 * x[1] ** 2], [3.0 * x[1] ** 2, 6.0 * x[0] * x[1]]])
    np.testing.assert_allclose(problem.grad(x), grad, rtol=1e-14)
    np.testing.assert_allclose(problem.hess(x), hess, rtol=1e-14)
    np.testing.assert_allclose(problem.hvp(x, v), hess @ v, rtol=1e-14)
    assert problem.name == "f"
    assert so.minimize(problem, "cubic_newton").status == "converged"


def test_a_lambda_is_called_function():
    assert so.Problem.from_function(lambda x: anp.sum(x**2)).name == "function"


def test_unknown_name_of_a_problem_suggests_one():
    with pytest.raises(ValueError, match="did you mean 'rosenbrock'"):
        so.problems.get("rosenbrok")


# ----------------------------------------------------------------------------------------------------- feasible sets


def bowl(**options):
    return so.Problem(lambda x: float(x @ x), lambda x: 2.0 * x, **options)


def test_a_feasible_set_gives_its_oracles_and_a_start():
    triangle = Simplex(3)
    problem = bowl(constraint=triangle)
    assert problem.constraint is triangle and problem.oracles == ("f", "grad", "lmo", "project")
    np.testing.assert_array_equal(problem.x0, triangle.start)
    np.testing.assert_array_equal(problem.lmo(np.asarray([1.0, -1.0, 0.0])), [0.0, 1.0, 0.0])
    np.testing.assert_allclose(problem.project(np.asarray([2.0, 0.0, 0.0])), [1.0, 0.0, 0.0], atol=1e-15)
    assert bowl(constraint=Hull([[0.0], [1.0]])).oracles == ("f", "grad", "lmo"), "no projection onto a hull"


def test_a_start_that_was_given_is_kept_and_looked_at_by_the_run():
    problem = bowl(constraint=Simplex(2), x0=[2.0, 0.0])
    np.testing.assert_array_equal(problem.x0, [2.0, 0.0])
    with pytest.raises(ValueError, match=r"x0 must lie in Simplex\(2\); it is 1 outside"):
        so.minimize(problem, "frank_wolfe")


def test_a_problem_on_a_set_is_another_problem():
    """Its start is its own if that is feasible, else the set's; of its least value nothing is known."""
    free = so.problems.quadratic([1.0, 4.0])
    assert free.f_star == 0.0
    problem = free.subject_to(Simplex(2))
    assert (free.constraint, free.lmo, free.name, free.f_star) == (None, None, "quadratic", 0.0)
    assert problem.name == "quadratic on Simplex(2)" and problem.A is free.A
    assert problem.f_star is None and problem.x_star is None
    np.testing.assert_array_equal(problem.x0, [0.5, 0.5])
    inside = bowl(x0=[0.25, 0.75]).subject_to(Simplex(2))
    np.testing.assert_array_equal(inside.x0, [0.25, 0.75])
    again = inside.subject_to(Simplex(2, radius=3.0))
    np.testing.assert_array_equal(again.x0, [1.5, 1.5])
    np.testing.assert_array_equal(again.lmo(np.asarray([1.0, 0.0])), [0.0, 3.0])


def test_the_start_of_a_set_takes_the_precision_of_the_problem():
    single = so.to_device(so.problems.quadratic([1.0, 4.0]), "numpy", dtype="float32")
    assert single.subject_to(Simplex(2)).x0.dtype == np.float32


@pytest.mark.parametrize("given", [[0.0, 1.0], (0.0, 1.0), "simplex", Simplex])
def test_a_constraint_is_a_feasible_set(given):
    for make in (bowl().subject_to, lambda given: bowl(constraint=given)):
        with pytest.raises(TypeError, match=r"constraint must be a set of secondorder\.sets; got "):
            make(given)


def test_a_constraint_has_the_dimension_of_the_problem():
    for make in (bowl(x0=[1.0, 2.0]).subject_to, lambda given: bowl(x0=[1.0, 2.0], constraint=given)):
        with pytest.raises(ValueError, match=r"constraint Simplex\(3\) has dimension 3; the problem has 2"):
            make(Simplex(3))


def test_oracles_of_ones_own_go_before_those_of_the_set():
    mine = {"lmo": lambda grad: np.asarray([1.0, 0.0]), "project": lambda x: np.asarray([0.0, 1.0])}
    problem = bowl(constraint=Simplex(2), **mine)
    for each in (problem, so.to_device(problem, "numpy", dtype="float32")):
        assert each.lmo is mine["lmo"] and each.project is mine["project"]


@pytest.mark.parametrize("name", ["numpy", "array_api_strict"])
def test_the_set_moves_with_the_problem(name):
    corners = np.asarray([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    problem = so.problems.quadratic([1.0, 4.0]).subject_to(Hull(corners))
    moved = so.to_device(problem, name, dtype="float32")
    assert moved.constraint is not problem.constraint and moved.constraint.d == 2
    vertex = moved.lmo(moved.grad(moved.x0))
    assert type(vertex) is type(moved.x0) and vertex.dtype == moved.x0.dtype == moved.constraint.points.dtype
    np.testing.assert_array_equal(to_numpy(vertex), problem.lmo(problem.grad(problem.x0)))
    assert problem.constraint.points.dtype == np.float64 and problem.x0.dtype == np.float64


def test_a_set_of_ones_own():
    """What the base class asks for is enough."""

    class Segment(FeasibleSet):
        d, diameter, start = 1, 2.0, np.asarray([0.5])

        def lmo(self, grad):
            return -np.sign(grad)

        def violation(self, x):
            return max(0.0, float(np.max(np.abs(x))) - 1.0)

    problem = so.Problem(lambda x: float((x - 3.0) @ (x - 3.0)), lambda x: 2.0 * (x - 3.0), constraint=Segment())
    assert str(problem.constraint) == "Segment(1)" and problem.constraint.contains(np.ones(1))
    history = so.minimize(problem, "away_step")
    assert history.status in {"converged", "finished"} and history.x[0] == 1.0


CLOUDS = {
    "lists of integers": ([[1, 2], [3, 4]], np.float64),
    "float32": (np.ones((3, 2), dtype=np.float32), np.float32),
    "a read-only view": (np.broadcast_to(np.asarray([1.0, 2.0]), (4, 2)), np.float64),
    "booleans": ([[True, False]], np.float64),
}


@pytest.mark.parametrize(("given", "dtype"), CLOUDS.values(), ids=CLOUDS)
def test_cloud_converts_and_copies(given, dtype):
    X = cloud(given, 2)
    np.testing.assert_array_equal(X, np.asarray(given, dtype=dtype))
    assert X.dtype == dtype and not np.shares_memory(X, np.asarray(given))


def test_a_law_is_a_problem():
    law = so.Problem(score=lambda X, alpha, sigma: -X, x0=[0.0, 0.0], name="normal")
    assert law.oracles == ("score",) and repr(law) == "<Problem 'normal', d=2: score>"
    with pytest.raises(TypeError, match=r"score must be a function \(score\(X, alpha=, sigma=\).*; got float"):
        so.Problem(score=3.0)
