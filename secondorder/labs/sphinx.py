"""The Sphinx extension of the book: explorers and slides, nothing from a network, no picture without words.

A page with `slides: true` in its front matter gets a button that presents its sections. A link `[words](#period=20)`,
or from another page `[words](lazy.md#period=20)`, moves the explorers of the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

STATIC = Path(__file__).parent / "static"
MATHJAX = STATIC / "mathjax" / "mathjax.js"
IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
WORDS = re.compile(r"""\balt=(["'])\s*[^"'\s]""", re.IGNORECASE)
ENTRY = re.compile(r"\*{0,2}\w+(, \*{0,2}\w+)* : ")

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension; ExtensionError where the front end was not built."""
    if not (STATIC / "page.js").exists():
        raise ExtensionError("secondorder: labs/static/page.js is missing; build it with: pip install -e .")
    app.connect("config-inited", _stay_local, priority=100)
    app.connect("doctree-read", _link_presets)
    app.connect("doctree-resolved", check_alt)
    app.connect("html-page-context", _add_scripts, priority=900)
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", end_sections, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def end_sections(app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """End a section of a docstring (Parameters, Yields …) at the next paragraph that is not indented, unless that is another
    of its entries: napoleon would read what follows as entries too, and two empty lines stop it."""
    inside, found = False, []
    for i, line in enumerate(lines):
        header = i + 1 < len(lines) and len(line) > 2 and lines[i + 1] == "-" * len(line)
        new = line[:1].strip() and i > 0 and not lines[i - 1].strip()
        if inside and new and not header and not ENTRY.match(line):
            found.append("")
            inside = False
        inside = inside or header
        found.append(line)
    lines[:] = found


def _stay_local(app: Sphinx, config: Config) -> None:
    """Serve our scripts and MathJax from the book's own folder, and load no ipywidgets manager."""
    config.html_static_path = [*config.html_static_path, str(STATIC / "page.js"), str(STATIC / "slides.js")]
    config.nb_ipywidgets_js = {}
    if MATHJAX.exists():
        config.html_static_path.append(str(MATHJAX))
        config.mathjax_path = MATHJAX.name
    else:
        logger.warning("secondorder: MathJax is missing (wheels leave it out), so formulas would load from a network")


def _link_presets(app: Sphinx, doctree: nodes.document) -> None:
    """Let `#name=value` be the state of an explorer, not the name of a section."""
    for node in list(doctree.findall(pending_xref)):
        here = node.get("refdomain") != "doc"
        state = node.get("reftarget" if here else "reftargetid") or ""
        if node.get("reftype") == "myst" and "=" in state:
            page = "" if here else app.builder.get_relative_uri(node["refdoc"], node["reftarget"])
            node.replace_self(nodes.reference("", "", *node.children, refuri=f"{page}#{state}", internal=True))


def _add_scripts(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Add our scripts; drop Thebe's, which jupyter-book adds (twice) even where no button uses it."""
    context["script_files"][:] = [script for script in context["script_files"] if not _is_thebe(script)]
    app.add_js_file("page.js", loading_method="defer")
    if str(app.env.metadata.get(pagename, {}).get("slides", "")).lower() == "true":
        app.add_js_file("slides.js", loading_method="defer")


def _is_thebe(script: Any) -> bool:
    text = f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', {}).get('body', '')}"
    return "thebe" in text.lower()


def check_alt(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Warn of every picture in an HTML page that has no alternative text."""
    if app.builder.format != "html":
        return
    for node in doctree.findall(nodes.image):
        if not str(node.get("alt", "")).strip():
            logger.warning("picture without alternative text: %s", node.get("uri", ""), location=node)
    for raw in doctree.findall(nodes.raw):
        for tag in IMAGE.findall(raw.astext()):
            if not WORDS.search(tag):
                logger.warning("picture without alternative text: %.80s", tag, location=raw)
