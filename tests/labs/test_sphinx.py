import io
import re

import pytest

pytest.importorskip("myst_parser", reason="needs secondorder[book]")
from sphinx.application import Sphinx

PAGE = """---
slides: true
---
# One

![words](a.png) ![](a.png) [slow](#period=20)

<img src="a.png"> <img src="a.png" alt="words">

$x$
"""
OTHER = "---\norphan: true\n---\n# Two\n\n[slow, there](index.md#period=20&M=1)\n\n$x$\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A book of two pages: its folder and the warnings."""
    root = tmp_path_factory.mktemp("book")
    (root / "index.md").write_text(PAGE)
    (root / "other.md").write_text(OTHER)
    (root / "a.png").write_bytes(b"")
    config = {
        "extensions": ["myst_parser", "sphinx.ext.mathjax", "secondorder.labs.sphinx"],
        "myst_enable_extensions": ["dollarmath"],
    }
    warnings = io.StringIO()
    app = Sphinx(root, None, root / "out", root / "doctrees", "html", config, status=None, warning=warnings)
    app.build()
    return root / "out", warnings.getvalue()


def test_pictures_without_words_are_reported_and_no_other_thing(built):
    lines = built[1].strip().splitlines()
    assert len(lines) == 2 and all("picture without alternative text" in line and "index.md" in line for line in lines)


def test_links_to_a_state_are_kept(built):
    assert 'href="#period=20"' in (built[0] / "index.html").read_text()
    assert 'href="index.html#period=20&amp;M=1"' in (built[0] / "other.html").read_text()


def test_scripts_come_from_the_books_own_folder(built):
    scripts = {}
    for name in ("index", "other"):
        scripts[name] = re.findall(r'<script[^>]* src="([^"?]*)', (built[0] / f"{name}.html").read_text())
        assert all((built[0] / script).exists() for script in scripts[name])
        assert {"_static/page.js", "_static/mathjax.js"} <= set(scripts[name])
    assert "_static/slides.js" in scripts["index"] and "_static/slides.js" not in scripts["other"]


SECTIONS = """One line.

Parameters
----------
x : array
    The point.

y, **more : float
    Apart.

What follows the entries.

Yields
------
Iterate
    ``sigma``.

    And more of it.

Guarantee: none.
Cost: one.

>>> 1 + 1
2
"""


def test_what_follows_a_section_is_no_entry_of_it():
    from sphinx.ext.napoleon import Config, NumpyDocstring

    from secondorder.labs.sphinx import end_sections

    lines = SECTIONS.splitlines()
    end_sections(None, "function", "f", None, None, lines)
    assert [line for line in lines if line] == [line for line in SECTIONS.splitlines() if line]
    text = (
        str(NumpyDocstring(lines, Config(napoleon_use_param=False, napoleon_use_rtype=False), what="function")) + "\n"
    )
    for prose in ("What follows the entries.", "Guarantee: none.\nCost: one.", ">>> 1 + 1\n2"):
        assert f"\n\n{prose}\n" in text, text
    assert "* **x** (*array*) -- The point." in text and "* **y, \\*\\*more** (*float*) -- Apart." in text
    assert "*Iterate* -- ``sigma``." in text
    once = list(lines)
    end_sections(None, "function", "f", None, None, once)
    assert (
        NumpyDocstring(once, Config(), what="function").lines()
        == NumpyDocstring(lines, Config(), what="function").lines()
    )
