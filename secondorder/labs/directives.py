"""What a chapter shows of the library itself: an explorer, the source of a function, the table of methods."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from secondorder.catalogue import methods
from secondorder.labs.page import page
from secondorder.labs.scene import views


class Explorer(SphinxDirective):
    """``{explorer} view``: the view on the grid of its controls, computed now."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", explorer_html(self.arguments[0]), format="html")]


@functools.cache
def explorer_html(view: str) -> str:
    """The static explorer of a view, computed once a build."""
    return page(view)._repr_html_()


class Listing(SphinxDirective):
    """``{listing} module.function``, or ``module.Class.function``: its source as it stands in the library, without the
    docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        owner, _, name = self.arguments[0].rpartition(".")
        try:
            source: Any = importlib.import_module(owner)
        except ModuleNotFoundError:
            module, _, class_name = owner.rpartition(".")
            source = getattr(importlib.import_module(module), class_name)
        self.env.note_dependency(inspect.getfile(source))
        body = without_docstring(getattr(source, name))
        return [nodes.literal_block(body, body, language="python")]


def without_docstring(function: Any) -> str:
    """The source of a function, its docstring left out.

    >>> print(without_docstring(without_docstring).splitlines()[0])
    def without_docstring(function: Any) -> str:
    """
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    lines = source.splitlines()
    first = ast.parse(source).body[0].body[0]  # type: ignore[attr-defined]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)


class MethodTable(SphinxDirective):
    """``{method-table}``: the catalogue."""

    def run(self) -> list[nodes.Node]:
        chapters: dict[str, list[str]] = {}
        for view in views():
            for name in view.methods:
                pages = chapters.setdefault(name, [])
                if view.chapter not in pages:
                    pages.append(view.chapter)
        rows = [["method", "what it is", "explained in", "paper", "needs", "hyper-parameters"]]
        for each in methods():
            hyper = ", ".join(f"`{p.name}={p.default!r}`" for p in each.parameters)
            links = ", ".join(f"{{doc}}`/book/{chapter}`" for chapter in chapters.get(each.name, []))
            needs = ", ".join(f"`{oracle}`" for oracle in each.oracles())
            summary = each.summary.rstrip(".")
            name = f"{{py:obj}}`{each.name} <secondorder.{each.family}.{each.name}>`"
            rows.append([name, summary, links, f"{{cite:t}}`{each.paper}`", needs, hyper])
        table = [f"| {' | '.join(row)} |" for row in rows]
        table.insert(1, "|---" * len(rows[0]) + "|")
        return self.parse_text_to_nodes("\n".join(table))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("explorer", Explorer)
    app.add_directive("listing", Listing)
    app.add_directive("method-table", MethodTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
