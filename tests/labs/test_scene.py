import base64
import io

import matplotlib
import numpy as np
import pytest

from secondorder.labs import (
    Axis,
    Band,
    Choice,
    Field,
    Image,
    Line,
    Panel,
    Points,
    Rule,
    Scene,
    Slider,
    Text,
    draw,
    get_view,
    view,
    views,
)
from secondorder.labs.scene import MUTED, PALETTE, VIEWS, encode, nearest

matplotlib.use("agg")
LINEAR, LOG = Axis("x"), Axis("error", "log")


def test_infinities_become_gaps_and_the_callers_array_is_untouched():
    y = np.array([1.0, np.inf, np.nan, -np.inf, 2.0])
    line = Line(range(5), y)
    np.testing.assert_array_equal(np.isnan(line.y), [False, True, True, True, False])
    assert np.isinf(y[1]) and y.flags.writeable and not line.y.flags.writeable


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Line([1, 2], [1, 2, 3]), "x has 2 values, but y has 3"),
        (lambda: Line([[1]], [[1]]), "x has shape"),
        (lambda: Line([1], ["a"]), "y has dtype"),
        (lambda: Line([1], [1], color=99), "color is 99"),
        (lambda: Line([1], [1], line=False), "draws nothing"),
        (lambda: Band([1], [1], [1, 2]), "x has 1 values, but high has 2"),
        (lambda: Field([1, 2], [1, 2, 3], np.ones((2, 3)), [1]), r"expected \(len\(y\), len\(x\)\) = \(3, 2\)"),
        (lambda: Field([1, 2], [1, 2], np.ones((2, 2)), [2, 1]), "levels"),
        (lambda: Points([1, 2], [1]), "x has 2 values, but y has 1"),
        (lambda: Points([1], [1], size=0), "size is 0"),
        (lambda: Points([1], [1], opacity=1.5), "opacity 1.5"),
        (lambda: Image((1, 0), (0, 1), np.ones((2, 2))), "x must be two finite numbers"),
        (lambda: Image((0, 1), (0, 1), np.ones(2)), "z has shape"),
        (lambda: Image((0, 1), (0, 1), [[np.nan]]), "finite"),
        (lambda: Image((0, 1), (0, 1), [[1.0]], low=2), "low is 2.0, high is 1.0"),
        (lambda: Panel(LINEAR, LOG, (Image((1, 2), (1, 2), [[1]]),)), "linear axes"),
        (lambda: Rule(), "either x or y"),
        (lambda: Rule(x=np.nan), "x is nan"),
        (lambda: Text([1], [1], ("a", "b")), "2 texts for 1 points"),
        (lambda: Axis("t", "cubic"), "scale is 'cubic'"),
        (lambda: Axis("t", domain=(1, 1)), "domain"),
        (lambda: Axis("t", "log", domain=(0, 1)), "positive"),
        (lambda: Panel(LINEAR, LOG, (Line([1], [0.0]),)), "y of Line has no positive value"),
        (lambda: Panel(LINEAR, LOG, (), equal=True), "linear"),
        (lambda: Panel(LINEAR, LINEAR, ([1],)), "list is not a mark"),
        (lambda: Panel(LINEAR, LINEAR, (Field([1, 2, 4], [1, 2], np.ones((2, 3)), [1]),)), "equal steps"),
        (lambda: Scene((), "words"), "panels is empty"),
        (lambda: Scene((Panel(LINEAR, LINEAR, ()),), " "), "sentence is empty"),
        (lambda: Slider("a", (), "A", default=1), "at least one"),
        (lambda: Slider("a", (2, 1), "A", default=1), "must increase"),
        (lambda: Slider("a", (1, 2), "A", default=3), "default 3"),
        (lambda: Slider("a", (1, 2), "A", default=1, live=(2, 3)), "not among its live"),
        (lambda: Choice("a", ("x",), "A", default="y"), "default 'y'"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_even_grid_on_a_log_axis_is_geometric():
    x = 10.0 ** np.arange(3)
    Panel(Axis("x", "log"), LINEAR, (Field(x, [0, 1], np.ones((2, 3)), [1]),))


def register(controls=(), presets=None, name="sample", **defaults):
    def sample(period=5):
        return Scene((Panel(LINEAR, LINEAR, ()),), "Nothing.")

    sample.__name__ = name
    return view(title="t", chapter="c", controls=controls, presets=presets)(sample)


PERIOD = Slider("period", (1, 5, 20), "Period", default=5)


@pytest.mark.parametrize(
    ("controls", "presets", "message"),
    [
        ((PERIOD, PERIOD), {}, "same name"),
        ((Slider("M", (1,), "M", default=1),), {}, "control 'M' is not a keyword"),
        ((Slider("period", (1, 5), "P", default=1),), {}, "starts at 1, the function at 5"),
        ((PERIOD,), {"a": {"M": 1}}, "'a' sets 'M', which is not a control"),
        ((PERIOD,), {"a": {"period": 2}}, "period=2, not among"),
    ],
)
def test_a_view_that_does_not_fit_its_controls_is_refused(controls, presets, message):
    with pytest.raises(ValueError, match=message):
        register(controls, presets)
    assert "sample" not in VIEWS


def test_a_view_stays_a_function_and_is_found_by_name(demo):
    assert demo().sentence == demo(damping=0.1, steps=10, start="left").sentence
    assert get_view("demo") is get_view(demo) is demo.view
    assert demo.view in views()
    assert demo.view(steps=5).sentence == demo(steps=5).sentence
    with pytest.raises(ValueError, match="did you mean 'demo'"):
        get_view("dmo")
    with pytest.raises(ValueError, match="decorate it with @view"):
        get_view(len)


def test_a_view_is_replaced_by_its_own_module_only(demo):
    with pytest.raises(ValueError, match="already registered"):
        register(name="demo")


def test_nearest():
    assert nearest((0.1, 1.0, 10.0), 3) == 1.0
    with pytest.raises(ValueError, match="'bfgs' is not one of 'newton', 'cubic'"):
        nearest(("newton", "cubic"), "bfgs")


def test_matplotlib_draws_every_mark_and_the_legend_over_no_curve(demo):
    figure = demo().plot()
    figure.draw_without_rendering()
    assert len(figure.subfigs) == 2
    for part in figure.subfigs:
        (axes,) = part.axes
        assert axes.get_xlabel() and axes.get_ylabel()
        (legend,) = part.legends
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    assert draw(demo(), figure) is figure


def test_encoding_keeps_numbers_words_and_scales(demo):
    axes = {}

    def array(values, axis):
        axes.setdefault(axis.scale, []).append(values)
        return values.tolist()

    out = encode(demo(), array)
    field, path, words = out["panels"][0]["marks"]
    assert [field["kind"], path["kind"], words["kind"]] == ["field", "line", "text"]
    assert path["color"] == PALETTE[0] and words["text"] == ["start", "after 10"]
    assert out["panels"][0]["equal"] and out["panels"][1]["y"]["domain"] == [1e-16, 10]
    assert any(values.shape == (51, 61) for values in axes["log"])  # heights whose levels span decades


PICTURE = np.array([[0.0, 1.0, 2.0], [4.0, 3.0, 9.0]])


def test_a_picture_is_grey_between_its_ends():
    np.testing.assert_array_equal(Image((0, 3), (0, 2), PICTURE, high=4).bytes(), [[0, 64, 128], [255, 191, 255]])
    np.testing.assert_array_equal(Image((0, 3), (0, 2), PICTURE, low=3).bytes(), [[0, 0, 0], [42, 0, 255]])
    np.testing.assert_array_equal(Image((0, 1), (0, 1), [[5, 5]]).bytes(), [[0, 0]])
    assert Image((0, 1), (0, 1), [[1, 5]]).bytes().dtype == np.uint8


def test_a_picture_travels_as_a_png_of_its_shades():
    image = Image((0, 3), (0, 2), PICTURE)
    panel = Panel(Axis("", domain=(0, 3), ticks=False), Axis("row", domain=(0, 2)), (image,))
    out = encode(Scene((panel,), "A picture."), lambda values, axis: values.tolist())["panels"][0]
    (mark,) = out["marks"]
    assert (mark["kind"], mark["x"], mark["y"]) == ("image", [0, 3], [0, 2])
    assert (out["x"]["ticks"], out["y"]["ticks"]) == (False, True)
    start, picture = mark["source"].split(",")
    assert start == "data:image/png;base64"
    shades = matplotlib.image.imread(io.BytesIO(base64.b64decode(picture)), format="png")  # 0 to 1
    np.testing.assert_array_equal(np.rint(255 * shades), image.bytes())


def test_matplotlib_draws_a_picture_with_its_first_row_at_the_top_and_a_cloud_of_dots():
    marks = (
        Image((0, 3), (0, 2), PICTURE),
        Points([0.5, np.nan], [0.5, 1], label="cloud", color=1, size=2, opacity=0.3),
    )
    panel = Panel(Axis("", domain=(0, 3), ticks=False), Axis("", domain=(0, 2), ticks=False), marks, equal=True)
    figure = Scene((panel,), "A picture.").plot()
    figure.draw_without_rendering()
    (axes,) = figure.subfigs[0].axes
    (picture,), (cloud,) = axes.images, axes.collections
    np.testing.assert_array_equal(picture.get_array(), marks[0].bytes())
    assert picture.get_extent() == [0, 3, 0, 2] and picture.origin == "upper"
    assert axes.get_aspect() == 1 and not axes.get_xticks().size and not axes.get_yticks().size
    assert cloud.get_sizes() == [9.0] and cloud.get_alpha() == 0.3
    assert [text.get_text() for text in figure.subfigs[0].legends[0].get_texts()] == ["cloud"]


def test_every_colour_is_legible_on_white_and_on_dark():
    def luminance(color):
        parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        parts = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return parts @ [0.2126, 0.7152, 0.0722]

    for color in (*PALETTE, MUTED):
        assert 1.05 / (luminance(color) + 0.05) >= 3, color
        assert (luminance(color) + 0.05) / (luminance("#121212") + 0.05) >= 3, color
