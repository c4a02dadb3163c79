"""Every method is documented, short, placed and shown: what the catalogue, the book and the labs rely on."""

import ast
import inspect
import re
import statistics
import sys

import pytest

import secondorder as so
from secondorder.bibliography import entries
from secondorder.catalogue import FAMILIES, SPECIAL
from secondorder.labs.scene import views

LONGEST, MEDIAN = 40, 25


def functions(info):
    """The definitions in a method's module, by name, methods of classes included."""
    tree = ast.parse(inspect.getsource(sys.modules[info.function.__module__]))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def body_lines(node):
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_the_paper_is_cited_and_in_the_bibliography(info):
    doc = inspect.getdoc(info.function)
    cited = {key.strip() for keys in re.findall(r":cite(?::\w+)?:`([^`]+)`", doc) for key in keys.split(",")}
    assert info.paper in cited
    assert cited <= set(entries())


def test_the_docstring_has_its_sections(info):
    doc = inspect.getdoc(info.function)
    assert 0 < len(info.summary) <= 120 and info.summary.endswith(".")
    assert not re.search(r"`|:\w+:", info.summary), "the command line shows it as it is"
    assert re.search(r"^Parameters\n-{10}$", doc, re.M)
    assert re.search(r"^Yields\n-{6}$", doc, re.M)
    assert re.search(r"^Cost\b", doc, re.M)
    assert ">>> " in doc


def test_every_argument_is_described(info):
    doc = inspect.getdoc(info.function)
    section = doc.partition("Parameters\n----------\n")[2].partition("\n\nYields\n")[0]
    described = re.findall(r"^(\w+(?:, \w+)*) : \S", section, re.M)
    names = [name for group in described for name in group.split(", ")]
    assert [*names] == [
        name for name in inspect.signature(info.function).parameters if name not in SPECIAL or name == "grid"
    ]


def test_variants_are_settings_that_exist(info):
    for hyper in info.variants.values():
        assert info.check(hyper) == hyper


def test_it_lives_in_its_family(info):
    package, family, *rest = info.function.__module__.split(".")
    assert (package, family) == ("secondorder", info.family)
    assert info.family in FAMILIES and rest
    assert getattr(getattr(so, info.family), info.name).method is info


def test_every_kind_is_in_the_contract(info):
    assert info.kind in {"optimiser", "sampler"}, "extend the contract to this kind of method"


def test_it_fits_on_a_screen(info):
    for name, node in functions(info).items():
        assert body_lines(node) <= LONGEST, name


def test_the_methods_are_short():
    assert statistics.median(body_lines(functions(info)[info.name]) for info in so.methods()) <= MEDIAN


def test_it_has_a_view_a_chapter_and_a_lab(info, root):
    shown = [view for view in views() if info.name in view.methods]
    assert shown, f"no view has {info.name} among its methods"
    for view in shown:
        chapter = root / "book" / f"{view.chapter}.md"
        assert chapter.is_file()
        assert re.search(rf"{{explorer}} {view.name}\b", chapter.read_text(encoding="utf-8"))
        if view.chapter != "intro":
            assert (root / "notebooks" / f"{view.chapter}.ipynb").is_file()


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_the_methods_of_a_view_exist(view):
    assert set(view.methods) <= {info.name for info in so.methods()}
