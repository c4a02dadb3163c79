import json
import re

import pytest

from secondorder.labs import get_view, views
from secondorder.labs.notebooks import copy_labs, labs

MOVE_EVERYTHING = """
import gc
from secondorder.labs.explorer import Explorer

for widget in [each for each in gc.get_objects() if type(each) is Explorer]:
    start = dict(widget.state)
    for name, values in widget._allowed.items():
        for value in (values[0], values[-1]):
            widget.state = start | {name: value}
            assert not widget.error, f"{widget._view.name} at {name}={value}: {widget.error}"
    widget.state = start
"""


def sources(notebook, kind="code"):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_it_is_stored_without_outputs(notebook_file):
    stored = json.loads(notebook_file.read_text(encoding="utf-8"))
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "widgets" not in stored["metadata"]
    assert (stored["nbformat"], stored["nbformat_minor"]) == (4, 5) and all(cell.get("id") for cell in stored["cells"])
    assert stored["metadata"]["kernelspec"]["name"] == "python3"


def test_it_runs_and_every_control_can_be_moved(notebook, execute, mishaps):
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("secondorder.labs.explorer", reason="needs secondorder[lab] and the built front end")
    notebook.cells.append(nbformat.v4.new_code_cell(MOVE_EVERYTHING))
    assert mishaps(execute(notebook)) == []


@pytest.mark.parametrize("chapter", sorted({view.chapter for view in views() if "/" in view.chapter}))
def test_a_chapter_has_a_lab_that_shows_its_views_and_the_plain_pattern(chapter):
    nbformat = pytest.importorskip("nbformat", reason="needs secondorder[lab]")
    lab = nbformat.read(labs() / f"{chapter}.ipynb", as_version=4)
    code = "\n\n".join(sources(lab))
    shown = set(re.findall(r'so\.labs\.explore\(\s*"(\w+)"', code))
    assert shown >= {view.name for view in views() if view.chapter == chapter}
    (plain,) = [cell for cell in sources(lab) if "ipywidgets.interact" in cell]
    assert ".plot()" in plain and any(f"{name}(" in plain for name in shown)
    assert "so.labs.source(" in code and "@so.method(" in code and "method=" in code
    if chapter.startswith("sampling/"):
        assert "so.Problem(score=" in code.replace("\n    ", "") and "so.problems.gaussian_mixture(" in code
    else:
        assert "so.Problem.from_function(" in code and "so.problems.logistic(" in code
    for word in ("Predict", "Move", "Explain"):
        assert f"**{word}" in "\n".join(sources(lab, "markdown"))


def test_the_scan_finds_what_widgets_hide(execute, mishaps):
    nbformat = pytest.importorskip("nbformat", reason="needs secondorder[lab]")
    pytest.importorskip("secondorder.labs.explorer", reason="needs secondorder[lab] and the built front end")
    cells = {
        "error": "1 / 0",
        "printed": "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()",
        "interact": "import ipywidgets\n_ = ipywidgets.interact(lambda x: {}[x], x=(0, 2))",
        "Output": "out = ipywidgets.Output()\nwith out:\n    raise OverflowError('in an Output')\nout",
        "explorer": (
            "from secondorder.labs import Axis, Line, Panel, Scene, Slider, explore, view\n"
            "@view(title='', chapter='', controls=[Slider('p', (0, 1), 'p', 1)])\n"
            "def fails(p=1):\n"
            "    return Scene((Panel(Axis('x'), Axis('y'), (Line([0, [1, 2].index(p)], [0, 1]),)),), 'Words.')\n"
            "explorer = explore('fails')\n"
            "explorer.state = {'p': 0}\n"
            "explorer"
        ),
    }
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells.values()])
    found = mishaps(execute(notebook))
    for word in ("ZeroDivisionError: ", "Traceback", "KeyError: 1", "OverflowError: in an Output", "0 is not in list"):
        assert any(word in text for text in found), word
    assert len(found) == len(cells)


def test_copying_keeps_what_is_there_and_parts_exercises_from_solutions(tmp_path):
    copy_labs(tmp_path)
    copies = {file.relative_to(tmp_path).as_posix(): file for file in tmp_path.rglob("*.ipynb")}
    here = {
        file.relative_to(labs()).as_posix(): file
        for file in labs().rglob("*.ipynb")
        if ".ipynb_checkpoints" not in str(file)
    }
    parted = [name for name, file in here.items() if '"solution"' in file.read_text(encoding="utf-8")]
    assert set(copies) == set(here) | {f"solutions/{name}" for name in parted} and parted
    for name, file in here.items():
        whole = copies[f"solutions/{name}" if name in parted else name]
        assert json.loads(whole.read_text(encoding="utf-8")) == json.loads(file.read_text(encoding="utf-8"))
    mine = copies[parted[0]]
    mine.write_text("my answer", encoding="utf-8")
    copy_labs(tmp_path)
    assert mine.read_text(encoding="utf-8") == "my answer"
    with pytest.raises(NotADirectoryError, match="name a folder"):
        copy_labs(mine)


def test_an_edited_source_is_a_method_that_runs_beside_the_original():
    import secondorder as so

    listed = [each.name for each in so.methods()]
    cell = {"__name__": "__main__"}
    text = so.labs.notebooks.source("lazy_newton")
    assert "def lazy_loop(" in text and len(text.splitlines()) < 100  # the code, without its reference pages
    exec(compile(text, "<cell>", "exec"), cell)
    mine = cell["lazy_newton"]
    assert mine is not so.newton.lazy_newton and [each.name for each in so.methods()] == listed
    original, copy = (so.minimize(so.problems.rosenbrock(), method) for method in ("lazy_newton", mine))
    assert (original.f == copy.f).all()
    for name in ("lazy_path", "lazy_cost"):
        scene = get_view(name)(method=mine)
        labels = [mark.label for panel in scene.panels for mark in panel.marks if getattr(mark, "label", None)]
        assert any("your lazy_newton" in label for label in labels) and any(
            label.startswith("lazy_newton") for label in labels
        )
