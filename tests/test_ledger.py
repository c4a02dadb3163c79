"""The problem as a method sees it: calls counted, answers checked, nothing shared."""

import array_api_strict
import numpy as np
import pytest

import secondorder as so
from secondorder.ledger import Ledger, NonFinite


def line(**changes):
    oracles = {"f": lambda x: float(x @ x), "grad": lambda x: 2.0 * x, "hess": lambda x: 2.0 * np.eye(2), **changes}
    return Ledger(so.Problem(**oracles, x0=[1.0, 2.0]))


def test_every_call_is_counted_once():
    ledger = line(hvp=lambda x, v: 2.0 * v)
    for _ in range(3):
        ledger.f(ledger.x)
    ledger.grad(ledger.x), ledger.hess(ledger.x), ledger.hvp(ledger.x, ledger.x), ledger.hvp(ledger.x, ledger.x)
    assert ledger.counts == {"f": 3, "grad": 1, "hess": 1, "hvp": 2}


def test_products_of_a_dense_hessian_count_as_that_hessian_once_a_point():
    ledger = line()
    assert ledger.oracles == ("f", "grad", "hess", "hvp")
    elsewhere = ledger.x + 1.0
    for _ in range(4):
        np.testing.assert_array_equal(ledger.hvp(ledger.x, ledger.x), 2.0 * ledger.x)
    ledger.hvp(elsewhere, ledger.x)
    assert ledger.counts == {"f": 0, "grad": 0, "hess": 2, "hvp": 0}


@pytest.mark.parametrize("value", [3.0, 3, np.float32(3.0), np.asarray(3.0), np.asarray([3.0]), np.asarray([[3]])])
def test_value_is_a_python_float(value):
    answer = line(f=lambda x: value).f(np.ones(2))
    assert type(answer) is float and answer == 3.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_value_may_be_outside_the_domain(value):
    assert not np.isfinite(line(f=lambda x: value).f(np.ones(2)))


@pytest.mark.parametrize("oracle", ["grad", "hess", "hvp"])
def test_derivatives_may_not(oracle):
    shape = (2, 2) if oracle == "hess" else (2,)
    ledger = line(**{oracle: lambda *points: np.full(shape, np.inf)})
    with pytest.raises(NonFinite, match=f"{oracle} returned a value that is not finite"):
        getattr(ledger, oracle)(*[ledger.x] * (2 if oracle == "hvp" else 1))


def test_answers_take_the_precision_of_the_point():
    x = np.ones(2, dtype=np.float32)
    assert line().grad(x).dtype == np.float32
    assert line().hess(x).dtype == np.float32
    assert line(grad=lambda x: np.asarray([2, 2])).grad(np.ones(2)).dtype == np.float64


def test_answers_are_frozen_and_not_the_callers():
    buffer = np.empty(2)

    def grad(x):
        buffer[...] = 2.0 * x
        return buffer

    ledger = line(grad=grad)
    first = ledger.grad(ledger.x)
    ledger.grad(ledger.x + 1.0)
    np.testing.assert_array_equal(first, [2.0, 4.0])
    assert not first.flags.writeable and buffer.flags.writeable


def test_another_array_library_is_refused():
    with pytest.raises(TypeError, match=r"grad must return the gradient.*of the array library of x \(ndarray\)"):
        line(grad=lambda x: array_api_strict.asarray([1.0, 2.0])).grad(np.ones(2))


def test_a_nearly_symmetric_hessian_passes_and_another_does_not():
    skew = np.asarray([[2.0, 1e-6], [0.0, 2.0]])
    line(hess=lambda x: skew).hess(np.ones(2))
    with pytest.raises(ValueError, match="hess must return a symmetric matrix"):
        line(hess=lambda x: 1e4 * skew - np.diag([2e4, 2e4])).hess(np.ones(2))


def test_data_and_names_shine_through():
    problem = so.problems.quadratic([1.0, 2.0])
    ledger = Ledger(problem)
    assert ledger.A is problem.A and ledger.name == "quadratic" and ledger.f_star == 0.0
    with pytest.raises(AttributeError):
        ledger.nothing_of_the_kind  # noqa: B018
