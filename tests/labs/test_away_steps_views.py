"""What the chapter on away steps says of its pictures."""

import itertools

import numpy as np
import pytest

from secondorder.frank_wolfe import away_step, frank_wolfe
from secondorder.labs.scene import get_view
from secondorder.labs.views import away_steps as views
from secondorder.run import minimize


@pytest.mark.parametrize("answer", views.TARGETS)
def test_the_bars_are_the_weights_that_the_method_keeps(answer):
    run = minimize(views.triangle(answer), away_step, step_rule="exact", tol=1e-12, keep=("x", "atoms", "weights"))
    assert run.status == "converged" and run.primal_gap[-1] == pytest.approx(0.0, abs=1e-12)
    for row in run.rows:
        kept = {tuple(atom): weight for atom, weight in zip(row["atoms"], row["weights"])}
        expected = [kept.get(tuple(corner), 0.0) for corner in views.CORNERS]
        np.testing.assert_allclose(views.shares(row["x"]), expected, atol=1e-12)


def test_the_sentence_names_the_move():
    scene = get_view("triangle_weights")
    assert "moves the whole weight of a vertex to a new one" in scene(run="pairwise", step=2).sentence
    assert "takes the last weight from a vertex" in scene(run="away steps", step=3).sentence
    assert "starts at the corner" in scene(step=0).sentence
    assert "finished" in scene(run="blended pairwise", step=12).sentence and "finished" not in scene(step=12).sentence


def test_one_over_the_weight_grows_by_the_law_of_the_zigzag():
    y = views.triangle_run(frank_wolfe, "on a side", 200)["x"][:, 1]
    assert 0.95 <= (1.0 / y[200] - 1.0 / y[100]) / 100.0 * (1.0 - views.B1**2) ** 2 <= 1.05


def test_the_width_over_all_faces_is_that_of_the_formula():
    cube = np.asarray(list(itertools.product([0.0, 1.0], repeat=3)))
    for points, expected in (
        (np.eye(2), views.width("simplex", 2)),
        (np.eye(4), views.width("simplex", 4)),
        (np.eye(5), views.width("simplex", 5)),
        (cube, views.width("cube", 3)),
        (views.CORNERS, 1.0),
        (np.vstack([np.eye(3), -np.eye(3)]), 2.0**-0.5),
    ):
        assert views.pyramidal_width(points) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("polytope", views.POLYTOPES)
def test_the_minimum_of_the_quadratic_is_where_it_was_put(polytope):
    problem, answer = views.quadratic_on(polytope, 8), views.width_run(away_step, polytope, 8)
    assert answer.status == "converged" and abs(answer.primal_gap[-1]) <= 1e-10
    assert np.count_nonzero(answer.x > 1e-6) == 4, "half of the coordinates are 0"
    np.testing.assert_allclose(np.linalg.eigvalsh(problem.hess(problem.x0))[[0, -1]], views.CURVATURES, rtol=1e-12)


def test_a_step_takes_more_than_it_has_to():
    for polytope, d in itertools.product(views.POLYTOPES, (8, 16)):
        run = views.width_run(away_step, polytope, d)
        assert views.measured_decrease(run) > views.promised_decrease(polytope, d)
