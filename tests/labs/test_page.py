import json
import re

import matplotlib
import numpy as np
import pytest

from secondorder.labs import Axis, Field, Line, Panel, Scene, Slider, page, view
from secondorder.labs.page import dequantise, quantise
from secondorder.labs.scene import VIEWS

matplotlib.use("agg")


@pytest.fixture
def sized():
    """Make and register a view of one line of `size` points a state, over a shared field."""

    def make(size, count=3, name="sized"):
        rng, grid = np.random.default_rng(0), np.linspace(0, 1, 20)
        lines = rng.standard_normal((count, size))

        def function(k=0):
            axis = Axis("x")
            marks = (Field(grid, grid, np.outer(grid, grid), [0.2, 0.4]), Line(np.linspace(0, 1, size), lines[k]))
            return Scene((Panel(axis, axis, marks),), f"Line {k} </script> of {count}.")

        function.__name__ = name
        return view(title="t", chapter="c", controls=(Slider("k", range(count), "k", default=0),))(function)

    yield make
    VIEWS.pop("sized", None)


def payload(shown):
    text = re.search(r'<script type="application/json">(.*?)</script>', shown._repr_html_(), re.DOTALL).group(1)
    return json.loads(text)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_rounding_is_below_the_promised_step(scale):
    rng = np.random.default_rng(1)
    values = 10 ** rng.uniform(-12, 3, 1000) if scale == "log" else rng.normal(5, 100, 1000)
    values[[3, 500]] = np.nan
    back = dequantise(quantise(values, Axis("v", scale)))
    to = np.log10 if scale == "log" else np.array
    span = np.nanmax(to(values)) - np.nanmin(to(values))
    assert np.nanmax(np.abs(to(back) - to(values))) <= span / 65534
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))


def test_integers_gaps_constants_and_what_a_log_axis_cannot_show():
    assert quantise(np.array([3, 1]), Axis("k")) == {"list": [3, 1]}
    assert np.isnan(dequantise(quantise(np.array([np.nan, np.nan]), Axis("v")))).all()
    np.testing.assert_array_equal(dequantise(quantise(np.array([2.5, 2.5]), Axis("v"))), [2.5, 2.5])
    back = dequantise(quantise(np.array([0.0, -1.0, 1.0, 100.0]), Axis("v", "log")))
    np.testing.assert_allclose(back, [np.nan, np.nan, 1, 100])
    assert dequantise(quantise(np.array([]), Axis("v"))).size == 0


def test_a_value_far_outside_the_domain_does_not_coarsen_the_rest():
    values = np.array([0.123456, 0.5, 1e60])
    back = dequantise(quantise(values, Axis("v", domain=(0, 1))))
    np.testing.assert_allclose(back[:2], values[:2], atol=1 / 65534)
    assert back[2] > 1e30


def test_the_page_holds_every_state_and_each_array_once(sized):
    data = payload(page(sized(50)))
    assert len(data["scenes"]) == 3
    assert data["scenes"][2]["sentence"] == "Line 2 </script> of 3."
    assert sum(part.get("kind") == "field" for part in data["parts"]) == 1
    assert (
        sum("int16" in part or "list" in part for part in data["parts"]) == 1 + 1 + 1 + 3
    )  # grid, heights, x, three y


def test_states_are_in_the_order_the_browser_counts_them(demo):
    data = payload(page(demo, start="right"))
    names = [control["name"] for control in data["controls"]]
    assert names == ["damping", "steps"] and data["state"] == {"damping": 0.1, "steps": 10}
    damping, steps = (control["values"] for control in data["controls"])
    index = damping.index(1.0) * len(steps) + steps.index(20)
    assert data["scenes"][index]["sentence"] == demo(damping=1.0, steps=20, start="right").sentence


def test_fixed_controls_leave_the_presets_that_agree(demo):
    assert page(demo, damping=10.0).data["presets"] == {"slow and long": {"steps": 20}}
    with pytest.raises(ValueError, match="takes no 'dampng'"):
        page(demo, dampng=1)


def test_html_has_words_without_a_script(demo):
    html = page(demo)._repr_html_()
    sentence = demo().sentence
    assert f'alt="{sentence}"' in html and f">{sentence}</figcaption>" in html
    assert 'data-view="demo"' in html and "http" not in html


def test_too_much_is_refused(sized):
    with pytest.raises(ValueError, match=r"takes \d+\.\d MB .* reduce 40 values of k"):
        page(sized(30_000, count=40))


def test_more_than_three_controls_are_refused():
    controls = [Slider(name, (0, 1), name, default=0) for name in "abcd"]

    def four(a=0, b=0, c=0, d=0):
        raise AssertionError("must not be called")

    view(title="t", chapter="c", controls=controls)(four)
    try:
        with pytest.raises(ValueError, match="at most 3"):
            page(four)
    finally:
        VIEWS.pop("four")


def test_an_error_says_in_which_state():
    def broken(k=0):
        if k == 1:
            raise ZeroDivisionError("no")
        return Scene((Panel(Axis("x"), Axis("y"), ()),), "Fine.")

    view(title="t", chapter="c", controls=(Slider("k", (0, 1), "k", default=0),))(broken)
    try:
        with pytest.raises(ZeroDivisionError) as caught:
            page(broken)
        assert "{'k': 1}" in caught.value.__notes__[0]
    finally:
        VIEWS.pop("broken")
