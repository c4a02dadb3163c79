"""The built book, opened as files: its explorers under the keyboard, its links, its slides, nothing from a network."""

import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from secondorder.labs import Slider, get_view
from secondorder.labs.page import LIMIT
from secondorder.labs.scene import nearest

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


def explorers(tab):
    """The explorers of the page, each with its view."""
    figures = tab.locator("figure.so-explorer").all()
    return [(figure, get_view(figure.get_attribute("data-view"))) for figure in figures]


def look(figure):
    """Pictures and sentence, as they stand now; without the numbers that tell one drawing from the next."""
    shown = figure.locator(".so-controls, .so-scene").evaluate_all("nodes => nodes.map(node => node.outerHTML).join()")
    drawn = figure.locator(".so-panel > svg").evaluate_all("nodes => nodes.map(node => node.innerHTML).join()")
    words = figure.locator(".so-sentence").inner_text()
    assert not {"NaN", "undefined"} & set(re.findall(r"\w+", f"{shown} {words}"))
    return re.sub(r"plot-clip-\d+", "", drawn), words


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_control_moves_the_picture_and_the_sentence(tab, chapter, name):
    tab.goto(chapter(name))
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


def test_every_page_is_quiet_and_light(tab, book):
    for file in sorted(book.rglob("*.html")):
        if "_static" in file.parts:
            continue
        tab.goto(file.as_uri(), wait_until="load")
        where = file.relative_to(book).as_posix()
        assert tab.locator("img:not([alt])").count() == 0, where
        data = tab.locator("script[type='application/json']").all_text_contents()
        assert sum(len(text.encode()) for text in data) < LIMIT, where
        for figure, _ in explorers(tab):
            look(figure)
