"""What the chapter on damping without a line search says of its pictures."""

import numpy as np
import pytest

from secondorder.labs import get_view
from secondorder.labs.views import damping as views
from secondorder.newton import affine_invariant_cubic_newton, newton, root_newton


def lines(scene):
    return [
        [(mark.label, mark.x.tolist(), mark.y.tolist()) for mark in panel.marks if hasattr(mark, "line")]
        for panel in scene.panels
    ]


@pytest.mark.parametrize("name", ["damped_constant", "root_powers"])
def test_every_control_changes_the_picture_and_the_sentence_at_every_position(name):
    view = get_view(name)
    default = {control.name: control.default for control in view.controls}
    for case in views.CASES:
        for control in view.controls:
            scenes = [view(**{**default, "case": case, control.name: value}) for value in control.values]
            assert len({scene.sentence for scene in scenes}) == len(scenes), (name, control.name)
            pictures = [repr(lines(scene)) for scene in scenes]
            assert len(set(pictures)) == len(pictures), (name, control.name)


@pytest.mark.parametrize("case", views.CASES)
def test_pure_newton_does_not_arrive_from_ten(case):
    run = views.far_run(newton, case, 10.0, line_search=None)
    assert run.status == "step_limit" and len(views.rises(run)) > 5


def test_marks_are_where_the_picture_says():
    run = views.far_run(affine_invariant_cubic_newton, views.CASES[0], 10.0, M=0.03)
    up = views.rises(run)
    assert len(up) and all(run.f[k] > run.f[k - 1] for k in up)
    scene = views.damped_constant(M=0.03)
    (rose,) = [mark for mark in scene.panels[0].marks if mark.label == "f rose"]
    assert rose.x.tolist() == up.tolist() and f"f rises {len(up)} times" in scene.sentence


def test_the_damping_lies_on_its_line():
    scene = views.root_powers(exponent=4.0, M=10.0)
    line, _, run = scene.panels[1].marks
    slope = np.diff(np.log(line.y))[0] / np.diff(np.log(line.x))[0]
    assert slope == pytest.approx(2.0 / 3.0)
    np.testing.assert_allclose(run.y, line.y[0] * (run.x / line.x[0]) ** slope, rtol=1e-9)


def test_nothing_leaves_the_axes():
    for scene in (views.damped_constant(M=300.0, start=30.0), views.damped_constant(M=0.03, case=views.CASES[1])):
        for mark in scene.panels[1].marks:
            if hasattr(mark, "line"):
                assert np.all((mark.y >= 0.01) & (mark.y <= 1.5))


def test_the_proven_constant_is_small_on_one_problem_and_useless_on_the_other():
    assert views.proven_constant(views.CASES[0]) < 100.0 and views.proven_constant(views.CASES[1]) > 1e5
    searched = views.far_run(root_newton, views.CASES[1], 10.0)
    assert searched.status == "converged"
