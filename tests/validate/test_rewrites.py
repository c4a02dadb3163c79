"""Changes to the source of a method: each runs, none touches the method, and each says where it is."""

from pathlib import Path

import numpy as np
import pytest

import secondorder as so
from secondorder.catalogue import find
from secondorder.ledger import Ledger
from secondorder.validate.rewrites import KINDS, edits, literals, places, rewritten

PACKAGE = Path(so.__file__).parent.parent


def run(function, steps=3, **hyper):
    iterates = function(Ledger(so.problems.rosenbrock()), **hyper)
    return np.array([next(iterates).x for _ in range(steps + 1)])


def one(function, kind, part):
    return next(edit for edit in edits(function) if edit.switch.kind == kind and part in edit.switch.words)


def test_nothing_changed_is_the_method_itself():
    assert np.array_equal(run(rewritten(so.diagonal.adam, ())), run(so.diagonal.adam))


def test_epsilon_inside_the_root():
    function = rewritten(so.diagonal.adam, (one(so.diagonal.adam, "epsilon", "inside the root"),))
    grad = so.problems.rosenbrock().grad(so.problems.rosenbrock().x0)
    x = run(function, 1, epsilon=100.0)
    assert x[1] - x[0] == pytest.approx(-1e-3 * grad / np.sqrt(grad**2 + 100.0), rel=1e-12)


def test_no_bias_correction():
    function = rewritten(so.diagonal.adam, (one(so.diagonal.adam, "bias correction", "without bias corrections"),))
    x = run(function, 1)
    assert np.abs(x[1] - x[0]) == pytest.approx(1e-3 * 0.1 / np.sqrt(0.001), rel=1e-5)


def test_a_value_of_the_last_step():
    late = [e for e in edits(so.diagonal.adam) if e.switch.kind == "delay" and e.switch.words == "`grad` one step late"]
    own, delayed = run(so.diagonal.adam, 1), [run(rewritten(so.diagonal.adam, (edit,)), 2) for edit in late]
    assert all(np.array_equal(x[:2], own[:2]) for x in delayed), "at first there is no other"
    assert any(not np.array_equal(x[2], run(so.diagonal.adam, 2)[2]) for x in delayed)


def test_two_changes_at_once():
    root = [edit for edit in edits(so.diagonal.adam) if "in place of `xp.sqrt(corrected[1])`" in edit.switch.words]
    changes = (root[0], root[1])
    with pytest.raises(LookupError, match="nothing left to change"):
        rewritten(so.diagonal.adam, changes)
    first, second = one(so.diagonal.adam, "bias correction", "beta1 ** t"), one(so.diagonal.adam, "sign", "x - step")
    x = run(rewritten(so.diagonal.adam, (first, second)), 1)
    assert np.abs(x[1] - x[0]) == pytest.approx(1e-3 * 0.1, rel=1e-5)
    assert np.sign(x[1] - x[0]) == pytest.approx(-np.sign(run(so.diagonal.adam, 1)[1] - x[0]))


def test_another_number():
    half = next(literal for literal in literals(so.kronecker.shampoo) if literal.value == 2.0)
    edit = half.edit(3.5)
    assert "`3.5` in place of `2.0`" in edit.switch.words
    assert edit.switch.where[0] == "secondorder/kronecker/shampoo.py"


@pytest.mark.parametrize("info", so.methods(), ids=lambda info: info.name)
def test_all_changes_compile_and_say_where(info):
    """None is added to the catalogue, and the line that is named is about what the words say."""
    function = find(info.name)
    known = [method.name for method in so.methods()]
    found = edits(function)
    for edit in found[:: max(1, len(found) // 10)]:
        assert rewritten(function, (edit,)).method.name == info.name
        assert edit.switch.kind in KINDS
        path, line = edit.switch.where
        assert not Path(path).is_absolute()
        assert (PACKAGE / path).read_text().splitlines()[line - 1].strip(), edit.switch
    assert [method.name for method in so.methods()] == known
    assert find(info.name) is function


def test_changes_of_the_words():
    text = (PACKAGE / "secondorder/diagonal/adam.py").read_text().splitlines()
    for edit in edits(so.diagonal.adam):
        if edit.switch.kind == "constant":
            assert str(edit.switch.change["old"]) in text[edit.switch.where[1] - 1]


def test_where_a_hyperparameter_acts():
    path, line = places(so.kronecker.shampoo, "exponent")
    assert "p = exponent or" in (PACKAGE / path).read_text().splitlines()[line - 1]
    assert places(so.kronecker.shampoo, "no_such_name") is None


@so.method(paper="", needs=("grad",))
def halving(problem, x):
    """Takes steps of a length that it finds by halving."""
    while True:
        yield so.Iterate(x)
        length = 1.0
        while length > 0.1:
            length = length / 2.0
        x = x - length * problem.grad(x)


def test_a_loop_without_end_is_left():
    (two,) = (literal for literal in literals(halving) if literal.value == 2.0)
    quicker, endless = (rewritten(halving, (two.edit(number),)) for number in (4.0, 1.0))
    problem = so.problems.quadratic([1.0, 2.0], x0=[1.0, 1.0])
    assert [row.x.tolist() for row, _ in zip(quicker(Ledger(problem)), range(2))] == [[1.0, 1.0], [0.9375, 0.875]]
    with pytest.raises(RuntimeError, match="a loop of a rewritten function does not end"):
        list(zip(endless(Ledger(problem)), range(2)))
