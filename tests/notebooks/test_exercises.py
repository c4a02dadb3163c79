import copy

import pytest

from secondorder.labs.exercise import student, tagged

TAGS = ("stub", "solution", "check")


def words(cells):
    """The lines of code cells that are more than a signature or a docstring."""
    return {line.strip() for cell in cells for line in cell["source"].splitlines() if len(line.strip()) > 12}


@pytest.fixture
def exercise(notebook):
    if not tagged(notebook, "check"):
        pytest.skip("no exercise")
    return notebook


def test_the_solution_passes(exercise, execute, mishaps):
    assert mishaps(execute(exercise)) == []


def test_each_blank_stub_fails_its_check_and_says_why(exercise, execute):
    blank = execute(student(exercise))
    for check in tagged(blank, "check"):
        (error,) = [output for output in check["outputs"] if output["output_type"] == "error"]
        assert error["ename"] == "AssertionError" and len(error["evalue"]) > 20
    others = [
        cell
        for cell in blank["cells"]
        if cell["cell_type"] == "code" and "check" not in cell["metadata"].get("tags", ())
    ]
    assert not [output for cell in others for output in cell["outputs"] if output["output_type"] == "error"]


def test_the_students_version_has_no_solution(exercise):
    before = copy.deepcopy(exercise)
    handed_out = student(exercise)
    assert exercise == before and not tagged(handed_out, "solution")
    assert [cell["source"] for cell in handed_out["cells"]] == [
        cell["source"] for cell in exercise["cells"] if "solution" not in cell["metadata"].get("tags", ())
    ]
    answers = words(tagged(exercise, "solution")) - words(tagged(exercise, "stub"))
    code = [cell for cell in handed_out["cells"] if cell["cell_type"] == "code"]
    assert answers and not answers & words(code)


def test_stub_hint_solution_and_check_stand_in_this_order(exercise):
    order = [tag for cell in exercise["cells"] for tag in cell["metadata"].get("tags", ()) if tag in TAGS]
    assert order == list(TAGS) * (len(order) // len(TAGS))
    assert tagged(exercise, "hint") and all("<summary>" in cell["source"] for cell in tagged(exercise, "hint"))
    assert all("hide-cell" in cell["metadata"]["tags"] for cell in tagged(exercise, "solution"))
