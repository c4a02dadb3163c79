"""What the chapter on Levenberg–Marquardt–Langevin says of its pictures."""

import itertools
import math

import numpy as np
import pytest

from secondorder.labs.scene import get_view
from secondorder.labs.views import lml as views
from secondorder.sampling import lml


def test_the_residue_is_a_few_steps_of_the_last_place():
    """v is a multiple of the spacing of e, so that with few steps left many entries share a value."""
    delta, before, after = views.residue(3072, 1e-3, "single (32 bits)")
    assert delta == pytest.approx(views.ROUNDINGS * 2.0**-24 * 3072 / 1e-3, rel=0.25)
    assert len(np.unique(before)) == 400 and len(np.unique(after)) < 150
    assert np.corrcoef(before, after)[0, 1] > 0.98
    delta, before, after = views.residue(3072, 1e-3, "double (64 bits)")
    assert delta < 1e-9 and len(np.unique(after)) == 400


@pytest.mark.parametrize("d", views.DIMENSIONS)
def test_the_estimate_holds_where_it_is_below_a_tenth(d):
    for rho, precision in itertools.product(views.RHOS, views.PRECISIONS):
        estimate = views.ROUNDINGS * views.unit_roundoff(precision) * d / rho
        if 5.0 * views.unit_roundoff(precision) < estimate < 0.1:
            assert 0.5 <= views.residue(d, rho, precision)[0] / estimate <= 1.6


def test_published_settings_are_on_the_curves():
    for d, rho in views.PUBLISHED.values():
        assert d in views.DIMENSIONS and rho in views.RHOS
        assert 0.02 < views.residue(d, rho, "single (32 bits)")[0] < 1.0


@pytest.mark.parametrize("steps", views.STEPS[1:])
def test_the_error_falls_on_the_side_that_the_base_wants(steps):
    for base, sign in (("DDIM, in the direction only", -1), ("DDIM, everywhere", 1)):
        hyper = {**views.BASES[base], "form": "extrapolation"}
        small = 0.05 * sign
        errors = [views.error(lml, "plane", steps, c=c, **hyper) for c in (small, 0.0, -small)]
        assert errors == sorted(errors)
        best = views.second_order(base, steps)
        assert math.copysign(1.0, best) == sign and abs(best) < 0.5


def test_the_sentences_say_what_the_picture_shows():
    scene = get_view("extrapolation")
    assert "c = 0 is the base itself" in scene(c=0.0).sentence
    assert "less" in scene(base="DDIM, everywhere", c=0.1).sentence and "more" in scene(c=0.1).sentence
    assert "Second order" not in scene(base="multistep, order 3").sentence
    assert "lost" in get_view("rounding_residue")(rho=1e-5, d=65536).sentence


@pytest.mark.parametrize("name", ["rounding_residue", "extrapolation", "turned_directions"])
def test_every_control_changes_the_sentence(name):
    scene = get_view(name)
    assert math.prod(len(control.values) for control in scene.controls) <= 200
    for control in scene.controls:
        said = [scene(**{control.name: value}).sentence for value in control.values]
        assert len(set(said)) == len(said)


def test_nothing_happens_without_memory_and_the_crowd_harms():
    plain = views.ends(lml, "plane", 10, base="ddim")
    for rho in views.DAMPINGS:
        x = views.ends(lml, "plane", 10, base="ddim", rho=rho, form="published", kappa=0.0)
        np.testing.assert_allclose(x, plain, atol=1e-9)

    def error(rho, where, **form):
        return views.error(lml, "plane", 10, base="ddim", rho=rho, where=where, **form)

    base = error(1.0, "all", form="published")
    assert error(1.0, "all", form="memory", memory=2) < base < error(1.0, "direction", form="memory", memory=2)
    for rho, where in itertools.product(views.DAMPINGS, ("all", "direction")):
        assert error(rho, where, form="ensemble") > (base if rho <= 1.0 else 0.99 * base), "it gains next to nothing"


@pytest.mark.parametrize("base", views.BASES)
@pytest.mark.parametrize("steps", views.STEPS)
def test_all_of_the_curve_lies_in_the_picture(base, steps):
    panel = get_view("extrapolation")(base=base, steps=steps).panels[0]
    inside = {"x": panel.x.domain, "y": panel.y.domain}
    for mark in panel.marks:
        for name, (low, high) in inside.items():
            values = getattr(mark, name)
            assert values is None or (np.min(values) > low and np.max(values) < high)


def test_the_points_move_before_the_law_does():
    plain = views.rounding_run(1.0, "double", 500)[1]
    moved, law = views.rounding_run(1e-5, "single", 500)
    assert moved > 1.0 and abs(law - plain) < 0.5 * views.chance("sixteen", 500)
