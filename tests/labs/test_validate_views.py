"""What the chapter on checking says of its pictures."""

import numpy as np
import pytest

from secondorder import problems
from secondorder.diagonal import adam
from secondorder.labs import get_view
from secondorder.labs.views import validate as views
from secondorder.validate import Candidate, check, record


@pytest.fixture(scope="module")
def reference():
    return views.losses(views.judge(views.mistaken_adam())[0])


def test_the_candidate_without_a_mistake_is_adam(reference):
    candidate = Candidate("adam", lambda problem, x, **options: adam(problem, x, learning_rate=views.RATE, **options))
    recording, report = views.judge(candidate)
    np.testing.assert_allclose(views.losses(recording), reference, rtol=1e-9)
    assert report.agrees and views.judge(views.mistaken_adam())[1].agrees


@pytest.mark.parametrize("mistake", views.MISTAKES)
def test_a_mistake_shows_at_once_and_in_proportion_to_its_size(mistake):
    errors = []
    for size in (1e-4, 1e-6):
        report = views.judge(views.mistaken_adam(mistake, size))[1]
        assert report.first.step <= 2
        errors.append(report.errors[report.first.quantity][report.first.step])
    assert errors[0] / errors[1] == pytest.approx(100.0, rel=0.15)


@pytest.mark.parametrize("mistake", views.MISTAKES[:3])
def test_what_is_below_rounding_is_not_seen(mistake):
    assert views.judge(views.mistaken_adam(mistake, 1e-16))[1].agrees


def test_two_mistakes_do_not_show_in_the_loss_and_one_looks_better(reference):
    def apart(mistake):
        return np.max(np.abs(views.losses(views.judge(views.mistaken_adam(mistake))[0]) / reference - 1.0))

    assert apart("ε inside the root") < 1e-3 and apart("ε before the bias correction") < 1e-4
    assert views.losses(views.judge(views.mistaken_adam("no bias correction"))[0])[-1] < 0.2 * reference[-1]


@pytest.mark.parametrize("precision", views.PRECISIONS)
@pytest.mark.parametrize("rate", views.RATES)
def test_the_led_reference_agrees_however_far_the_free_runs_are_apart(rate, precision):
    recording = record(views.descent(rate, precision=precision), problems.himmelblau(), steps=views.LONG)
    report = check(recording, "gradient_descent", lipschitz=1.0 / rate, diagnose=False)
    assert report.agrees and report.steps == views.LONG
    assert (np.max(report.free) > 0.01) == (rate >= (0.034 if precision == "float64" else 0.032))
    assert report.match.worst < 1e3 * np.finfo(precision).eps


@pytest.mark.parametrize("rate", views.RATES)
def test_a_step_that_is_too_long_is_found_at_the_first(rate):
    recording = record(views.descent(rate, error=1e-9), problems.himmelblau(), steps=views.LONG)
    first = check(recording, "gradient_descent", lipschitz=1.0 / rate, diagnose=False).first
    assert (first.step, first.quantity) == (1, "step") and first.error == pytest.approx(1e-9, rel=1e-3)


def test_every_move_changes_the_picture_and_the_sentence():
    for view in map(get_view, ("validate_mistake", "validate_forcing")):
        for control in view.controls:
            scenes = [view(**{control.name: value}) for value in control.live]
            assert len({scene.sentence for scene in scenes}) == len(scenes)
            assert len({scene.panels[1].marks[-1].y.tobytes() for scene in scenes}) == len(scenes)


def test_the_sentence_names_what_the_check_found():
    sentence = views.validate_mistake(mistake="the gradient of the step before").sentence
    assert "first in first_moment, at step 2" in sentence
    assert "nothing beyond rounding" in views.validate_mistake(size=1e-14).sentence
    assert "nothing beyond rounding" in views.validate_forcing().sentence
    assert "step at step 1, off by 1.0e-06" in views.validate_forcing(error=1e-6).sentence
