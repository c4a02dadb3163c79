import numpy as np
import pytest

from secondorder.labs import Axis, Line, Panel, Scene, Slider, view
from secondorder.labs.scene import VIEWS

explorer = pytest.importorskip("secondorder.labs.explorer", reason="needs secondorder[lab] and the built front end")


@pytest.fixture
def powers():
    """A view that fails at one of its values, and takes a function that is not a control."""

    @view(
        title="Powers",
        chapter="c",
        controls=(Slider("p", (0, 1, 2), "Power", default=1, live=range(6)),),
        presets={"square": {"p": 2}},
    )
    def powers(p=1, method=None):
        if p == 3:
            raise ZeroDivisionError("division\nby zero")
        y = np.linspace(0, 1, 5) ** p if method is None else method(p)
        return Scene((Panel(Axis("x"), Axis("y"), (Line(np.linspace(0, 1, 5), y),)),), f"Power {p}.")

    yield powers
    VIEWS.pop("powers")


def y(widget):
    return np.frombuffer(widget.scene["panels"][0]["marks"][0]["y"]["float64"], "<f8")


def test_a_new_state_gives_a_new_scene(powers):
    widget = explorer.explore(powers)
    assert widget.state == {"p": 1} and widget.scene["state"] == {"p": 1}
    widget.state = {"p": 5}
    assert widget.scene["sentence"] == "Power 5." and widget.scene["state"] == {"p": 5}
    np.testing.assert_array_equal(y(widget), np.linspace(0, 1, 5) ** 5)
    assert widget.current.sentence == "Power 5."


def test_an_error_clears_the_picture_and_the_next_state_brings_it_back(powers):
    widget = explorer.explore(powers)
    widget.state = {"p": 3}
    assert widget.error == "ZeroDivisionError: division by zero"
    assert widget.scene == {"state": {"p": 3}} and widget.current is None
    widget.state = {"p": 2}
    assert widget.error == "" and widget.scene["sentence"] == "Power 2."


def test_a_state_that_no_control_can_reach_is_an_error(powers):
    widget = explorer.explore(powers)
    widget.state = {"p": 2.4}
    assert "p=2.4 is not an allowed value; the nearest is 2" in widget.error
    widget.state = {"q": 2}
    assert "state has q, expected p" in widget.error


def test_allowed_values_can_be_replaced(powers):
    widget = explorer.explore(powers, controls={"p": np.arange(10, 13)})
    assert widget.spec["controls"][0]["values"] == [10, 11, 12] and widget.state == {"p": 10}
    with pytest.raises(ValueError, match="no control 'q' to set; it has p"):
        explorer.explore(powers, controls={"q": [1]})
    with pytest.raises(ValueError, match="'p' has no values"):
        explorer.explore(powers, controls={"p": []})


def test_fixed_keywords_reach_the_view(powers):
    widget = explorer.explore("powers", method=lambda p: np.full(5, p), p=2)
    assert widget.spec["controls"] == [] and widget.spec["presets"] == {}
    np.testing.assert_array_equal(y(widget), np.full(5, 2.0))
    with pytest.raises(ValueError, match="takes no 'methd'"):
        explorer.explore(powers, methd=None)


def test_a_view_that_fails_at_once_raises(powers):
    with pytest.raises(ZeroDivisionError):
        explorer.explore(powers, p=3)
