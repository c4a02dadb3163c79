"""The numbers behind the pictures of the AdaHessian chapter."""

import itertools

import numpy as np
import pytest

from secondorder.labs.scene import encode
from secondorder.labs.views import adahessian as views


@pytest.mark.parametrize("coupling", views.COUPLINGS)
def test_the_promised_error_of_signs_is_that_over_all_signs(coupling):
    """Of its leading 12 rows and columns; z and -z give the same, so the first sign may be +1."""
    H = views.coupled(coupling)
    Z = np.asarray([[1.0, *rest] for rest in itertools.product([-1.0, 1.0], repeat=11)])
    part = H[:12, :12]
    error = np.sqrt(np.mean(np.sum((Z * (Z @ part) - np.diag(part)) ** 2, axis=1)))
    assert views.promised_error(part, "rademacher", np.asarray([1]))[0] == pytest.approx(error, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("probe", ["rademacher", "gaussian"])
def test_the_measured_error_is_the_promised_one_and_falls_like_the_root(probe):
    """200 runs of 16 entries: the root mean square is known to a few per cent, 15 are five standard errors."""
    measured = views.measured_errors(1.0, probe)
    np.testing.assert_allclose(
        measured, views.promised_error(views.coupled(1.0), probe, np.asarray(views.COUNTS)), rtol=0.15
    )
    assert np.polyfit(np.log(views.COUNTS), np.log(measured), 1)[0] == pytest.approx(-0.5, abs=0.05)


def test_no_number_of_constant_probes_helps():
    measured = views.measured_errors(1.0, "constant")
    np.testing.assert_allclose(measured, views.promised_error(views.coupled(1.0), "constant", np.asarray(views.COUNTS)))
    assert np.ptp(measured) < 1e-12 * measured[0]


@pytest.mark.parametrize("condition", views.CONDITIONS)
def test_the_ravine_has_its_curvatures_and_at_45_degrees_one_of_them_as_row_sums(condition):
    for angle in views.ANGLES:
        np.testing.assert_allclose(np.linalg.eigvalsh(views.ravine_matrix(angle, condition)), [1.0, condition])
    for angle, sums in ((45, 1.0), (-45, condition)):
        np.testing.assert_allclose(np.sum(views.ravine_matrix(angle, condition), axis=1), sums, rtol=1e-10)


def test_along_the_axes_every_sign_is_newtons_method_and_turned_it_is_not():
    H = views.ravine_matrix(0, 30)
    newton = views.halved(H, H, 0)[1]
    run = views.ravine_run(views.adahessian, 0, 30, "rademacher")
    np.testing.assert_allclose(run.f, newton, rtol=0.02)  # an epsilon of 1e-4 over a curvature of 1, forty times
    assert views.ravine_run(views.adahessian, 30, 30, "rademacher").f[-1] > 1e6 * newton[-1]


def test_row_sums_diverge_on_one_side_and_crawl_on_the_other():
    one, other = (views.ravine_run(views.adahessian, angle, 10, "constant").f for angle in (45, -45))
    assert one[-1] > 1e6 * one[0] and 0.0 < other[-1] < other[0]


def test_a_path_that_leaves_the_picture_ends_at_its_edge():
    x, y = views._inside([[0.0, 0.0], [1.0, 1.0], [8.4, 4.2], [0.0, 0.0]])
    np.testing.assert_allclose([x, y], [[0.0, 1.0, 4.2], [0.0, 1.0, 2.1]])


def test_races_have_like_budgets():
    costs = [views.raced(name).cost()[-1] for name in ("AdaHessian", "Adam")]
    assert max(costs) < 1.05 * min(costs)
    cost, loss = views.full_losses(views.raced("Adam"), 100)
    assert len(cost) == len(loss) and loss[-1] < 0.1 * loss[0]
    assert loss[-1] == pytest.approx(float(views.digits().f(views.raced("Adam").x)))


@pytest.mark.parametrize("name", ["diagonal_estimate", "diagonal_paths"])
def test_every_control_changes_picture_and_sentence_everywhere(name):
    view = getattr(views, name).view
    names = [control.name for control in view.controls]
    scenes = {}
    for values in itertools.product(*(control.values for control in view.controls)):
        scene = view(**dict(zip(names, values, strict=True)))
        scenes[values] = (repr(encode(scene, lambda array, axis: array.tolist())["panels"]), scene.sentence)
    for (one, shown), (other, seen) in itertools.combinations(scenes.items(), 2):
        if sum(a != b for a, b in zip(one, other, strict=True)) == 1:
            assert shown[0] != seen[0] and shown[1] != seen[1], (one, other)
