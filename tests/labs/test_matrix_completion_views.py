"""What the chapter on matrix completion says of its pictures."""

import numpy as np
import pytest

from secondorder.frank_wolfe import frank_wolfe
from secondorder.labs.scene import Field, Line
from secondorder.labs.views import matrix_completion as views


def line(scene, label):
    return next(mark for panel in scene.panels for mark in panel.marks if getattr(mark, "label", None) == label)


def test_the_completed_picture_is_the_iterate_the_right_way_up():
    scene = views.completed_digits(steps=8, radius=200)
    (canvas,) = [mark for mark in scene.panels[0].marks if isinstance(mark, Field)]
    image = views.completed(frank_wolfe, 200)[8].reshape(400, 8, 8)
    np.testing.assert_array_equal(canvas.z[::-1][1:9, 1:9], np.clip(image[0], 0.0, 1.0))
    np.testing.assert_array_equal(canvas.z[::-1][10:18, 10:18], np.clip(image[3], 0.0, 1.0))


def test_the_given_pixels_are_those_that_f_sees():
    problem, scene = views.digits(200), views.completed_digits(steps=1, radius=200)
    (squares,) = [mark for mark in scene.panels[0].marks if isinstance(mark, Line)]
    x, y = squares.x.reshape(-1, 6)[:, :5], squares.y.reshape(-1, 6)[:, :5]
    column, row = np.round((x.min(1) + x.max(1)) / 2).astype(int), np.round((y.min(1) + y.max(1)) / 2).astype(int)
    seen, values = (part.reshape(400, 8, 8)[:4] for part in (problem.observed, problem.targets))
    canvas = np.zeros((17, 17))
    for k in range(4):
        top, left = 9 * (k // 2), 9 * (k % 2)
        canvas[top : top + 8, left : left + 8] = seen[k] * values[k]
    np.testing.assert_allclose((np.ptp(x, axis=1) / 0.9) ** 2, canvas[16 - row, column], atol=1e-12)
    assert len(x) == np.sum(canvas > views.LEVELS[0])


def test_the_guess_by_column_means():
    problem = views.digits(200)
    seen, values = (part.reshape(400, 64) for part in (problem.observed, problem.targets))
    errors = [values[i, j] - values[seen[:, j] > 0, j].mean() for i, j in zip(*np.nonzero(1 - seen), strict=True)]
    hidden = values[seen == 0]
    assert views.baseline(problem) == pytest.approx(np.linalg.norm(errors) / np.linalg.norm(hidden), rel=1e-10)


def test_the_radius_is_measured_in_the_norm_of_the_truth():
    assert np.linalg.matrix_rank(views.truth()) == views.RANK
    noisy = views.made(0.1, 2.0)
    assert noisy.constraint.radius == pytest.approx(2.0 * np.linalg.svd(views.truth(), compute_uv=False).sum())
    noise = noisy.targets.reshape(views.SHAPE) - views.truth()
    assert 0.08 < noise.std() < 0.12


def test_the_rank_in_the_sentence_is_at_most_the_step():
    scene = views.rank_and_rules(rule="exact", step=3, known="80 %")
    singular = line(scene, "X").y
    assert np.sum(singular > 1e-8 * singular[0]) <= 3 and "X has rank 3, the truth 2" in scene.sentence
    first = views.rank_and_rules(rule="exact", step=1, known="80 %").sentence
    assert "after 1 step the gap" in first and "add up to 0 of its nuclear norm" in first
