import os
import re
import runpy
import shutil
from pathlib import Path

import pytest

from secondorder.labs.scene import VIEWS, view

ROOT = Path(__file__).parents[2]
QUIET = ("gpu", "quic", "background-networking", "component-update", "sync")
ARGS = ["--no-sandbox", "--no-first-run", *(f"--disable-{feature}" for feature in QUIET)]


def unavailable(reason):
    """Skip on a reader's machine, fail where nothing may be left unchecked."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("playwright is not installed: pip install 'secondorder[dev]'")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        unavailable("found no chromium, chromium-browser or google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """An empty tab; a script error in it fails the test."""
    tab = browser.new_page(viewport={"width": 1000, "height": 900})
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    tab.close()
    assert not errors


@pytest.fixture
def page_requests(tab):
    """The addresses that the tab asked for outside this machine's files."""
    requests = []
    local = ("file:", "data:", "blob:", "about:")
    tab.on("request", lambda request: request.url.startswith(local) or requests.append(request.url))
    return requests


@pytest.fixture
def console_errors(tab):
    """What the tab wrote to the console as an error."""
    errors = []
    tab.on("console", lambda message: message.type == "error" and errors.append(message.text))
    return errors


@pytest.fixture
def look():
    """A function from an explorer to what it shows: its drawings as markup, and its sentence."""

    def look(explorer):
        parts = explorer.locator(".so-controls, .so-scene").evaluate_all("nodes => nodes.map(node => node.outerHTML)")
        drawings = explorer.locator(".so-panel > svg").evaluate_all("nodes => nodes.map(node => node.innerHTML)")
        sentence = explorer.locator(".so-sentence").inner_text()
        assert not re.search(r"\b(NaN|undefined)\b", " ".join([*parts, sentence]))
        return re.sub(r"plot-clip-\d+", "", "".join(drawings)), sentence  # a number that grows with every drawing

    return look


@pytest.fixture(scope="session")
def book():
    """The folder of the built book: ``_build/html`` of this checkout, or what the variable BOOK_HTML names."""
    folder = Path(os.environ.get("BOOK_HTML") or ROOT / "_build" / "html").resolve()
    if not (folder / "index.html").exists():
        unavailable(f"there is no book in {folder}: make book")
    return folder


@pytest.fixture
def chapter(book):
    """A function from the name of a chapter, such as "newton/lazy", to its address."""

    def address(name):
        file = book / "book" / f"{name}.html"
        if not file.exists():
            unavailable(f"the built book has no chapter {name}")
        return file.as_uri()

    return address


@pytest.fixture
def demo():
    """The demo view of the labs' tests, registered for the length of a test."""
    parts = runpy.run_path(str(ROOT / "tests" / "labs" / "demo_view.py"))
    yield view(**parts["OPTIONS"])(parts["demo"])
    VIEWS.pop("demo", None)
