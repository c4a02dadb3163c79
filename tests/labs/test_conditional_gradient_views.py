"""What the chapter on the conditional gradient idea says of its pictures."""

import numpy as np
import pytest

from secondorder.frank_wolfe import frank_wolfe
from secondorder.labs.views import conditional_gradient as views


@pytest.mark.parametrize("rule", views.RULES)
@pytest.mark.parametrize("target", views.TARGETS)
def test_the_weights_are_those_of_the_iterates(target, rule):
    run = views.path(frank_wolfe, target, rule)
    shares, _ = views.weights(run, views.PENTAGON)
    assert len(shares) == len(run) and np.min(shares) >= 0.0
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(shares @ views.PENTAGON, run["x"], atol=1e-12)


@pytest.mark.parametrize("target", views.TARGETS)
def test_the_minimum_lies_where_its_name_says(target):
    problem = views.nearest_point(target)
    grad = problem.grad(problem.x_star)
    least = np.sum(views.PENTAGON @ grad <= grad @ problem.x_star + 1e-6)
    assert least == {"interior": 5, "face": 2, "vertex": 1}[target]


@pytest.mark.parametrize("over", views.SETS)
def test_no_listed_answer_is_beaten_by_another(over):
    angles, answers = views.answers(over)
    gradients = np.stack([views.direction(angle) for angle in angles])
    values = gradients @ answers.T
    np.testing.assert_allclose(np.diagonal(values), values.min(axis=1), atol=1e-12)


def test_a_tie_is_told():
    assert "all of an edge" in views.linear_minimisation(over="square", angle=90).sentence
    assert "same vertex" in views.linear_minimisation(over="square", angle=60).sentence
    assert "every turn" in views.linear_minimisation(over="l2 ball", angle=60).sentence


def test_the_same_vertex_answers_over_the_angle_of_its_normal_cone():
    """Between the normals of the two edges that meet there: 90 degrees at a corner of a square."""
    assert "over about 90° of" in views.linear_minimisation(over="square", angle=60).sentence


def test_a_run_that_ended_says_so():
    scene = views.conditional_gradient(target="vertex", rule="exact line search", step=50)
    assert "after 2 steps, where the run ended" in scene.sentence
