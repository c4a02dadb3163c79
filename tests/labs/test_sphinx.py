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
