"""The built book, opened as files: its explorers under the keyboard, its links, its slides, nothing from a network."""

from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from secondorder.labs import Slider, get_view

SOURCES = Path(__file__).parents[2] / "book"
CHAPTERS = sorted(
    file.relative_to(SOURCES).with_suffix("").as_posix()
    for file in SOURCES.rglob("*.md")
    if "{explorer}" in file.read_text(encoding="utf-8")
)
pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def quiet(page_requests, console_errors):
    """Fails the test when a page asks for something that is not a file, or complains."""
    yield
    assert page_requests == []
    assert console_errors == []


def visit(tab, address):
    """Open a page and wait until its formulas and letters stand."""
    tab.goto(address)
    tab.evaluate("Promise.all([window.MathJax?.startup.promise, document.fonts.ready])")


def explorers(tab):
    """The explorers of the page, each with its view."""
    figures = tab.locator("figure.so-explorer").all()
    return [(figure, get_view(figure.get_attribute("data-view"))) for figure in figures]


def wait_for(figure, sentence):
    figure.locator(".so-sentence", has_text=sentence).wait_for(timeout=10_000)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_control_moves_the_picture_and_the_sentence(tab, chapter, look, name):
    visit(tab, chapter(name))
    assert explorers(tab)
    for figure, view in explorers(tab):
        start = look(figure)
        assert start[1] == view().sentence
        figure.locator("input, select").first.focus()
        for control in view.controls:
            assert tab.evaluate("document.activeElement.name") == control.name
            back, on = ("ArrowLeft", "ArrowRight") if isinstance(control, Slider) else ("ArrowUp", "ArrowDown")
            tab.keyboard.press("Home")
            looks = []
            for value in control.values:
                if looks:
                    tab.keyboard.press(on)
                looks.append(look(figure))
                assert looks[-1][1] == view(**{control.name: value}).sentence
            for part, seen in zip(("picture", "sentence"), zip(*looks)):
                assert len(set(seen)) > 1, f"{control.name} never changes the {part} of {view.name}"
            for _ in control.values[control.values.index(control.default) + 1 :]:
                tab.keyboard.press(back)
            assert look(figure) == start
            tab.keyboard.press("Tab")


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_link_to_a_state_shows_it(tab, chapter, name):
    visit(tab, chapter(name))
    found = {view.name: (figure, view) for figure, view in explorers(tab)}
    states = {name: {} for name in found}
    for figure, view in found.values():
        presets = figure.locator(".so-presets a").all()
        assert {link.inner_text(): asked(link)[1] for link in presets} == view.presets
    for link in tab.locator("article a[href^='#'][href*='=']").all():
        name, state = asked(link)
        figure, view = found[name]
        states[name] |= state
        link.focus()
        tab.keyboard.press("Enter")
        wait_for(figure, view(**states[name]).sentence)


def asked(link):
    """The view and the state for which a link asks; an error where the view has no such state."""
    texts = dict(parse_qsl(link.evaluate("node => node.hash")[1:]))
    name = texts.pop("view", None) or link.page.locator("figure.so-explorer").get_attribute("data-view")
    controls = {control.name: control for control in get_view(name).controls}
    return name, {control: written(controls[control], text) for control, text in texts.items()}


def written(control, text):
    """The value of the control that this text writes: a number may be 1e-8 or 1e-08."""
    if isinstance(control, Slider):
        return control.values[control.values.index(float(text))]
    return control.values[control.values.index(text)]


def test_the_lesson_links_to_states(tab, chapter):
    visit(tab, chapter("newton/lazy_lesson"))
    links = tab.locator("article a[href*='.html#'][href*='=']").all()
    wanted = [(link.evaluate("node => node.href"), *asked(link)) for link in links]
    assert wanted
    for address, name, state in wanted:  # whole states: what one shows does not depend on those before
        tab.goto(address)
        wait_for(tab.locator(f"[data-view={name}]"), get_view(name)(**state).sentence)


def test_the_address_sets_the_state(tab, chapter):
    visit(tab, chapter("newton/lazy") + "#view=lazy_path&period=3&M=1000&step=10")
    (path, lazy_path), (cost, lazy_cost) = explorers(tab)
    wait_for(path, lazy_path(period=3, M="1000", step=10).sentence)
    wait_for(cost, lazy_cost().sentence)
    tab.evaluate("location.hash = '#view=lazy_cost&period=80'")
    wait_for(cost, lazy_cost(period=80).sentence)
    wait_for(path, lazy_path(period=3, M="1000", step=10).sentence)
    tab.reload()
    wait_for(cost, lazy_cost(period=80).sentence)
    wait_for(path, lazy_path().sentence)


def test_every_page_is_light_and_every_picture_has_words(tab, book, look):
    tab.goto((book / "index.html").as_uri())
    tab.wait_for_url("**/book/intro.html")
    pages = [file for file in sorted(book.rglob("*.html")) if "_static" not in file.parts and file.name != "index.html"]
    assert len(pages) > len(CHAPTERS)
    for file in pages:
        visit(tab, file.as_uri())
        assert tab.locator("mjx-merror").count() == 0, file
        assert tab.locator("img:not([alt]), img[alt='']").count() == 0, file
        data = tab.locator("script[type='application/json']").all_text_contents()
        assert sum(len(text.encode()) for text in data) < 2e6, file
        for figure, _ in explorers(tab):
            look(figure)


def test_the_slides_turn_with_the_arrows_and_end_with_escape(tab, chapter):
    visit(tab, chapter("newton/lazy_slides"))
    article = tab.locator("article").inner_text()
    slides, present = tab.locator(".reveal .slides > section"), tab.locator("section.present")
    tab.get_by_role("button", name="Present").focus()
    tab.keyboard.press("Enter")
    tab.locator(".reveal.ready").wait_for()
    assert slides.count() > 5
    for number in range(slides.count()):
        slides.nth(number).and_(present).wait_for()
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowLeft")
    slides.nth(-2).and_(present).wait_for()
    tab.keyboard.press("Escape")
    tab.wait_for_function("text => document.querySelector('article').innerText === text", arg=article)
    assert tab.locator(".reveal").count() == 0


@pytest.mark.parametrize("name", CHAPTERS)
def test_without_a_script_there_is_a_picture_with_words(browser, chapter, name):
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(chapter(name))
        assert explorers(tab)
        for figure, view in explorers(tab):
            assert figure.get_by_role("img", name=view().sentence, exact=True).bounding_box()["width"] > 300
