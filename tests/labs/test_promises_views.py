"""What the page of promises says of its picture."""

import numpy as np
import pytest

from secondorder import guarantees
from secondorder.guarantees import Verdict
from secondorder.labs.views import promises as views


@pytest.mark.parametrize("name", views.NAMES)
def test_it_has_a_constant_and_holds_with_it(name):
    key, value = views.constant(name)
    assert key in views.CONSTANTS and value > 0.0
    assert not len(views.broken(views.verdict(name)))


@pytest.mark.parametrize("name", ["cubic_newton: decrease, not convex", "nesterov: values"])
def test_an_invalid_constant_is_marked_and_said(name):
    scene = views.promised(name=name, factor=0.001)
    assert any(getattr(mark, "label", None) == "broken" for mark in scene.panels[0].marks)
    assert "fails at" in scene.sentence
    assert "holds at all" in views.promised(name=name, factor=1.0).sentence


def test_the_bound_on_the_curvature_survives_every_factor():
    assert not any(len(views.broken(views.verdict("cubic_newton: curvature", factor))) for factor in views.FACTORS)


def test_a_side_that_is_not_finite_is_a_failure():
    left, right = np.asarray([1.0, np.inf, np.nan, 1.0]), np.asarray([2.0, 1.0, 1.0, 0.5])
    assert views.broken(Verdict(None, left, right)).tolist() == [1, 2, 3]


def test_broken_agrees_with_the_verdict():
    for name in views.NAMES:
        found = views.verdict(name, 0.1)
        assert views.broken(found).tolist() == found.violations.tolist()


def test_thinned_keeps_the_ends():
    assert views.thinned(7).tolist() == list(range(7))
    kept = views.thinned(2000)
    assert kept[0] == 0 and kept[-1] == 1999 and len(kept) <= views.SHOWN


def test_every_name_is_a_guarantee():
    assert set(views.NAMES) <= set(guarantees.GUARANTEES)
