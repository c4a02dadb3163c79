"""The runs behind the pictures of the Shampoo chapter."""

import numpy as np
import pytest

from secondorder.kronecker import shampoo
from secondorder.labs import get_view
from secondorder.labs.views import shampoo as views


@pytest.mark.parametrize("exponent", views.EXPONENTS)
@pytest.mark.parametrize("epsilon", [1e-12, 1e-4])
def test_the_marks_lie_on_the_curve(exponent, epsilon):
    curve, marks, _ = views.shampoo_roots(exponent=exponent, epsilon=epsilon).panels[0].marks
    p = views.EXPONENTS[exponent]
    np.testing.assert_allclose(marks.y, views.SINGULAR * (views.SINGULAR**2 + epsilon) ** (-2.0 * p), rtol=1e-6)
    np.testing.assert_allclose(curve.y, curve.x * (curve.x**2 + epsilon) ** (-2.0 * p))


def test_new_roots_bound_the_second_step_and_old_ones_do_not():
    for epsilon in views.EPSILONS:
        new, old = (
            np.asarray([views._turned(shampoo, angle, epsilon=epsilon, root_interval=T) for angle in views.ANGLES])
            for T in (1, 2)
        )
        assert np.max(new) <= 1.0 + 1e-9
        assert old[-1] == pytest.approx(epsilon**-0.5, rel=1e-6)


def test_the_race_keeps_the_bound_with_new_roots_and_breaks_it_with_old_ones():
    for version in ("sums", "running averages", "averages, ε = 1e-12"):
        for rate in views.RATES:
            assert np.max(views.raced(shampoo, version, 1, rate)[1]) <= views.bound(version) * (1.0 + 1e-6)
            assert np.max(views.raced(shampoo, version, 20, rate)[1]) > views.bound(version)
    assert views.bound("averages, exponent 1/2") is None


def test_every_move_changes_the_picture_and_the_sentence():
    for view in map(get_view, ("shampoo_roots", "shampoo_race")):
        for control in view.controls:
            scenes = [view(**{control.name: value}) for value in control.live]
            assert len({scene.sentence for scene in scenes}) == len(scenes)


def test_the_nearest_product_is_the_nearest_and_shampoo_squared_nearer_than_shampoo():
    for steps in (0, 20):
        found = views.cosines(steps)
        assert found["nearest"] >= max(found.values()) - 1e-12 and max(found.values()) <= 1.0 + 1e-12
        assert found["Shampoo²"] > found["Shampoo"]
