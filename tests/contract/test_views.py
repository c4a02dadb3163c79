"""Every view is a pure function to a scene, at the ends of its controls and with an edited copy of a method."""

import dataclasses

import numpy as np
import pytest

from secondorder.catalogue import CATALOGUE
from secondorder.labs import Scene
from secondorder.labs.notebooks import source
from secondorder.labs.scene import views

VIEWS = views()
WHERE = [(view, label) for view in VIEWS for label in ("default", "minimum", "maximum")]
EDITED = [(view, name) for view in VIEWS for name in view.methods]


def corners(view, label):
    """The default; or each control alone at that end, and then all of them together."""
    if label == "default":
        return [{}]
    ends = {control.name: control.live[0 if label == "minimum" else -1] for control in view.controls}
    return [*({name: value} for name, value in ends.items()), ends]


def assert_equal(one, other, where="scene"):
    assert type(one) is type(other), where
    if dataclasses.is_dataclass(one):
        for item in dataclasses.fields(one):
            assert_equal(getattr(one, item.name), getattr(other, item.name), f"{where}.{item.name}")
    elif isinstance(one, tuple):
        assert len(one) == len(other), where
        for i, parts in enumerate(zip(one, other, strict=True)):
            assert_equal(*parts, f"{where}[{i}]")
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, err_msg=where)
    else:
        assert one == other, where


def labels(scene):
    return [str(getattr(mark, "label", "")) for panel in scene.panels for mark in panel.marks]


@pytest.mark.parametrize(("view", "label"), WHERE, ids=[f"{view.name}-{label}" for view, label in WHERE])
def test_it_is_a_pure_function_to_a_scene(view, label):
    for values in corners(view, label):
        scene = view(**values)
        assert isinstance(scene, Scene)
        assert "nan" not in scene.sentence.split()
        assert_equal(scene, view(**values))


@pytest.mark.parametrize(("view", "name"), EDITED, ids=[f"{view.name}-{name}" for view, name in EDITED])
def test_an_edited_copy_runs_beside_the_library(view, name):
    """The cell that a lab offers, run as a cell: in a namespace of its own."""
    catalogue = dict(CATALOGUE)
    cell = {"__name__": "__main__"}
    exec(source(name), cell)
    scene = view(method=cell[name])
    assert any(f"your {name}" in label for label in labels(scene))
    assert not any("your" in label for label in labels(view()))
    assert catalogue == CATALOGUE, "a copy does not enter the catalogue"
