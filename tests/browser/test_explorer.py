"""The explorer in a real browser: in a page without a server, and as a widget with a stand-in for the kernel."""

import re
from pathlib import Path

import numpy as np
import pytest

from secondorder.labs import page, scene

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
