"""The explorer in a real browser: in a page without a server, and as a widget with a stand-in for the kernel."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from secondorder.labs import Axis, Image, Panel, Points, Scene, Slider, page, scene

STATIC = Path(scene.__file__).parent / "static"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (STATIC / "page.js").exists(), reason="the front end is not built: pip install -e ."),
]


@pytest.fixture
def address(demo, tmp_path):
    """A page with one explorer, as a file."""
    return write(tmp_path, page(demo)._repr_html_())


def write(folder, body):
    file = folder / "page.html"
    script = (STATIC / "page.js").as_uri()
    file.write_text(
        f'<!doctype html><meta charset="utf-8"><title>Demo</title><body>{body}<script src="{script}"></script>',
        encoding="utf-8",
    )
    return file.as_uri()


def sentence(tab, figure=0):
    return tab.locator("figure.so-explorer").nth(figure).locator(".so-sentence").inner_text()


def picture(tab, panel=0):
    markup = tab.locator(".so-panel > svg").nth(panel).inner_html()
    return re.sub(r"plot-clip-\d+", "", markup)  # a number that grows with every drawing


def slider(tab, name, figure=0):
    return tab.locator("figure.so-explorer").nth(figure).locator(f"input[name={name}]")


def test_the_keyboard_moves_the_slider_and_the_picture_follows(tab, page_requests, address, demo):
    tab.goto(address)
    assert sentence(tab) == demo().sentence
    before, height = picture(tab), tab.locator(".so-picture").bounding_box()["height"]
    tab.get_by_label("Damping λ").focus()
    tab.keyboard.press("ArrowRight")
    assert sentence(tab) == demo(damping=1.0).sentence
    assert picture(tab) != before
    assert tab.locator(".so-panel > svg").first.get_attribute("aria-label") == demo(damping=1.0).sentence
    assert slider(tab, "damping").get_attribute("aria-valuetext") == "1"
    assert tab.locator("output").first.inner_text() == "1"
    assert tab.evaluate("location.hash") == "#damping=1&steps=10&start=left"
    assert tab.locator(".so-picture").bounding_box()["height"] == height
    tab.get_by_label("Start").select_option("right")
    assert sentence(tab) == demo(damping=1.0, start="right").sentence
    assert page_requests == []


def test_every_step_of_every_slider_changes_the_picture(tab, address):
    tab.goto(address)
    for name in ("damping", "steps"):
        slider(tab, name).focus()
        tab.keyboard.press("Home")
        seen = {sentence(tab) + picture(tab)}
        for step in range(1, 1 + int(slider(tab, name).get_attribute("max"))):
            tab.keyboard.press("ArrowRight")
            seen.add(sentence(tab) + picture(tab))
            assert len(seen) == step + 1


def test_a_preset_is_a_link_and_the_keyboard_goes_on_from_it(tab, address, demo):
    tab.goto(address)
    tab.get_by_role("link", name="slow and long").focus()
    tab.keyboard.press("Enter")
    assert_sentence(tab, demo(damping=10.0, steps=20).sentence)
    assert slider(tab, "steps").input_value() == "2"
    tab.keyboard.press("Shift+Tab")
    assert tab.evaluate("document.activeElement.textContent") == "no damping"


def test_the_address_sets_the_state(tab, address, demo):
    tab.goto(address + "#damping=8&start=right&unknown=3")
    assert sentence(tab) == demo(damping=10.0, start="right").sentence  # the nearest allowed value
    tab.evaluate("location.hash = '#steps=5&start=nowhere'")
    assert_sentence(tab, demo(damping=10.0, steps=5, start="right").sentence)
    tab.evaluate("location.hash = '#a-section'")
    tab.wait_for_timeout(50)
    assert sentence(tab) == demo(damping=10.0, steps=5, start="right").sentence
    tab.go_back()
    tab.goto(address + "#view=other&steps=20")
    tab.reload()
    assert sentence(tab) == demo().sentence


def assert_sentence(tab, expected):
    tab.wait_for_function("text => document.querySelector('.so-sentence').innerText === text", arg=expected)


def test_two_explorers_are_told_apart_by_their_view(tab, tmp_path, demo):
    def second(steps=10, start="left"):
        return demo(steps=steps, start=start)

    scene.view(title="Second", chapter="demo", controls=demo.view.controls[1:])(second)
    try:
        tab.goto(write(tmp_path, page(demo)._repr_html_() + page(second)._repr_html_()))
    finally:
        scene.VIEWS.pop("second")
    slider(tab, "steps", figure=1).focus()
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("location.hash") == "#view=second&steps=20&start=left"
    assert [sentence(tab, 0), sentence(tab, 1)] == [demo().sentence, demo(steps=20).sentence]
    tab.evaluate("location.hash = '#steps=5'")  # both have it
    assert_sentence(tab, demo(steps=5).sentence)
    assert sentence(tab, 1) == demo(steps=5).sentence


SHADES = np.array([[0, 255, 0], [255, 255, 128]])


@pytest.fixture
def picture_page(tmp_path):
    """A page with a picture of 2 x 3 pixels and a cloud, whose x-coordinates grow with the slider."""

    def sample(shift=0):
        cloud = Points([shift + 0.5, shift + 2.5, 9.0, np.nan], [0.5, 1.5, 0.5, 1.0], label="cloud", size=2)
        bare = [Axis("", domain=(0, end), ticks=False) for end in (3, 2)]
        ruled = [Axis(name, domain=(0, end)) for name, end in (("first", 4), ("second", 2))]
        picture = Panel(*bare, (Image((0, 3), (0, 2), SHADES),), title="A picture", equal=True)
        return Scene((Panel(*ruled, (cloud,)), picture), f"Moved by {shift}.")

    entry = scene.view(title="t", chapter="c", controls=[Slider("shift", (0, 1, 2), "Shift", default=0)])(sample)
    yield write(tmp_path, page(entry)._repr_html_())
    scene.VIEWS.pop("sample")


def test_a_cloud_moves_with_the_slider_and_stays_in_the_frame(tab, picture_page):
    tab.goto(picture_page)
    dots = tab.locator(".so-panel").nth(0).locator("g[aria-label=dot] circle")
    assert dots.count() == 2  # neither the gap nor what lies outside
    assert {dots.nth(i).get_attribute("r") for i in range(2)} == {"2"}
    before = [float(dots.nth(i).get_attribute("cx")) for i in range(2)]
    slider(tab, "shift").focus()
    tab.keyboard.press("ArrowRight")
    after = [float(dots.nth(i).get_attribute("cx")) for i in range(2)]
    assert before[1] - before[0] == pytest.approx(2 * (after[0] - before[0]), abs=0.1)
    tab.keyboard.press("ArrowRight")
    assert dots.count() == 1
    assert tab.locator(".so-legend").nth(0).inner_text() == "cloud"


def test_a_picture_has_crisp_pixels_with_the_first_row_at_the_top_and_no_ticks(tab, picture_page, page_requests):
    tab.goto(picture_page)
    panel = tab.locator(".so-panel").nth(1)
    assert panel.locator("svg image").count() == 1 and panel.locator("svg text").count() == 0
    assert panel.locator(":scope > svg").get_attribute("aria-label") == "A picture"
    source = panel.locator("svg image").get_attribute("href")
    shades = tab.evaluate(
        """async (source) => {
            const image = new Image();
            image.src = source;
            await image.decode();
            const context = Object.assign(document.createElement("canvas"), {width: 3, height: 2}).getContext("2d");
            context.drawImage(image, 0, 0);
            return [...context.getImageData(0, 0, 3, 2).data].filter((_, i) => i % 4 === 0);
        }""",
        source,
    )
    np.testing.assert_array_equal(np.reshape(shades, (2, 3)), SHADES)
    box = panel.locator("svg image").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(1.5, rel=0.01)
    colours = shot(tab, box)
    for row, col in np.ndindex(2, 3):  # the middle and near a corner of each pixel: one shade
        for near in (0.5, 0.1, 0.9):
            assert abs(int(colours(row + near, col + near)) - SHADES[row, col]) <= 1
    assert page_requests == []


def shot(tab, box):
    """The red value of the screen at (row, column) of a picture of 2 x 3 pixels in `box`."""
    shades = np.rint(255 * imread(io.BytesIO(tab.screenshot(clip=box)), format="png")[..., 0])
    height, width = shades.shape
    return lambda row, col: shades[int(row / 2 * height), int(col / 3 * width)]


@pytest.mark.parametrize("width", [380, 1000])
def test_nothing_is_wider_than_the_screen(tab, address, width):
    tab.set_viewport_size({"width": width, "height": 800})
    tab.goto(address)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [tab.locator(".so-panel").nth(panel).bounding_box() for panel in (0, 1)]
    assert (boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]) == (width < 600)


def test_without_a_script_there_is_a_picture_with_words(browser, address, demo):
    tab = browser.new_page(java_script_enabled=False)
    tab.goto(address)
    assert tab.get_by_role("img", name=demo().sentence).bounding_box()["width"] > 300
    tab.close()


def test_a_page_is_presented_with_its_explorer_alive(tab, page_requests, tmp_path, demo):
    article = f"""<article><section><h1>Title</h1><p>First.</p>
        <section><h2>Explorer</h2>{page(demo)._repr_html_()}</section>
        <section><h2>End</h2><p>Last.</p></section></section></article>
        <script src="{(STATIC / "slides.js").as_uri()}"></script>"""
    tab.goto(write(tmp_path, article))
    before = tab.locator("article").inner_text()
    tab.get_by_role("button", name="Present").click()
    tab.get_by_text("First.", exact=True).wait_for()
    tab.get_by_text("Last.", exact=True).wait_for(state="hidden")
    tab.keyboard.press("ArrowRight")
    tab.get_by_role("heading", name="Explorer").wait_for()
    slider(tab, "damping").focus()
    tab.keyboard.press("ArrowRight")  # moves the slider, not the slide
    assert sentence(tab) == demo(damping=1.0).sentence and slider(tab, "damping").is_visible()
    tab.keyboard.press("ArrowLeft")
    tab.get_by_role("heading", name="Explorer").click()  # leaves the slider
    tab.keyboard.press("ArrowRight")
    tab.get_by_text("Last.", exact=True).wait_for()
    tab.keyboard.press("Escape")
    assert tab.locator(".reveal").count() == 0
    assert tab.locator("article").inner_text() == before
    assert tab.evaluate("document.activeElement.textContent") == "Present"
    assert page_requests == []


KERNEL = """async ([source, traits]) => {
    const widget = (await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})))).default;
    const listeners = {};
    const pack = (node) => {  // numbers travel as DataViews
        if (node && node.numbers) {
            const bytes = new Uint8Array(8 * node.numbers.length + 3);  // not aligned on purpose
            const view = new DataView(bytes.buffer, 3);
            node.numbers.forEach((value, i) => view.setFloat64(8 * i, value ?? NaN, true));
            return {float64: view};
        }
        if (Array.isArray(node)) return node.map(pack);
        if (node === null || typeof node !== "object") return node;
        return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, pack(value)]));
    };
    window.sent = [];
    window.tell = (changes) => {
        for (const [name, value] of Object.entries(changes)) traits[name] = pack(value);
        for (const name of Object.keys(changes)) (listeners["change:" + name] ?? []).forEach((call) => call());
    };
    const model = {
        get: (name) => traits[name],
        set: (name, value) => { traits[name] = value; },
        save_changes: () => window.sent.push({...traits.state}),
        on: (name, call) => (listeners[name] ??= []).push(call),
        off: (name, call) => { listeners[name] = listeners[name].filter((other) => other !== call); },
    };
    traits = pack(traits);
    window.stop = widget.render({model, el: document.body});
}"""


def answer(demo, **state):
    """What the kernel says to a state, with arrays as lists of numbers."""

    def numbers(values, axis):
        return {"numbers": [None if np.isnan(value) else float(value) for value in values.ravel()]}

    return scene.encode(demo(**state), numbers) | {"state": state}


def test_the_widget_draws_the_answer_to_its_state_and_no_other(tab, page_requests, demo):
    start = {"damping": 0.1, "steps": 10, "start": "left"}
    controls = [scene.control_spec(control, control.live) for control in demo.view.controls]
    spec = {"title": "Demo", "controls": controls, "presets": demo.view.presets}
    traits = {"spec": spec, "state": start, "scene": answer(demo, **start), "error": ""}
    tab.goto("about:blank")
    tab.evaluate(KERNEL, [(STATIC / "explorer.js").read_text(), traits])
    words, busy = tab.locator(".so-sentence"), tab.locator("[aria-busy=true]")
    assert words.inner_text() == demo().sentence and busy.count() == 0

    tab.locator("input[name=steps]").evaluate(
        "input => { for (const _ of [1, 2]) { input.stepUp(); input.dispatchEvent(new Event('input')); } }"
    )
    assert busy.count() == 1
    tab.wait_for_function("window.sent.length")
    assert tab.evaluate("window.sent") == [start | {"steps": 12}]  # debounced

    tab.evaluate("scene => tell({scene})", answer(demo, **(start | {"steps": 11})))  # late
    assert words.inner_text() == demo().sentence and busy.count() == 1
    tab.evaluate("scene => tell({scene})", answer(demo, **(start | {"steps": 12})))
    assert words.inner_text() == demo(steps=12).sentence and busy.count() == 0

    tab.get_by_role("button", name="slow and long").click()
    tab.wait_for_function("window.sent.length === 2")
    state = tab.evaluate("window.sent[1]")
    assert state == start | {"damping": 10, "steps": 20}
    tab.evaluate("state => tell({error: 'ValueError: no', scene: {state}})", state)
    assert tab.get_by_role("alert").inner_text() == "ValueError: no"
    assert tab.locator(".so-panel").count() == 0 and words.inner_text() == ""

    tab.evaluate("([state, scene]) => tell({state, error: '', scene})", [start, answer(demo, **start)])  # from Python
    assert tab.locator("input[name=steps]").get_attribute("aria-valuetext") == "10"
    assert words.inner_text() == demo().sentence and tab.get_by_role("alert").count() == 0
    tab.evaluate("stop()")
    assert page_requests == []
