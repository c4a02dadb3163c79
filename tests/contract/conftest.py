"""The tables over which the contract runs: every method of the catalogue, and every setting of each.

A new method is met by these tests as soon as it is in the catalogue. If it asks for oracles that none of
``PROBLEMS`` offers, add a small problem there.
"""

import inspect

import numpy as np
import pytest

import secondorder as so
from secondorder.catalogue import find
from secondorder.ledger import Ledger
from secondorder.problems.jets import coordinates, exp
from secondorder.problems.sums_of_squares import Formula

METHODS = so.methods()
CIRCLING = {"adam", "adamw"}
"""Their steps do not shrink with the gradient: they come near a solution and circle there."""


def network(loss):
    """12 examples, 3 hidden units."""
    X = np.random.default_rng(0).standard_normal((12, 2))
    y = X @ [1.0, 2.0] > 0.0 if loss == "softmax" else np.sin(X @ [[0.5, 0.0], [1.0, 0.5]])
    return so.problems.mlp((X, y), [2, 3, 2], loss=loss, l2=1e-2)


def decay(x, t, y):
    size, rate = coordinates(x)
    return size * exp(-rate * t) - y


def curve_fit():
    """An exponential with noise, linear in its first parameter."""
    t = np.linspace(0.0, 2.0, 9)
    problem = Formula("decay", decay, [1.0, 0.5], t=t, y=3.0 * np.exp(-1.5 * t) + 0.1 * np.cos(9.0 * t))
    problem.linear = (0,)
    return problem


PROBLEMS = (
    lambda: so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2),
    lambda: network("softmax"),
    lambda: network("squared"),
    curve_fit,
)


def settings(info):
    """The defaults, each variant, each choice, and each optional hyper-parameter given."""
    table = {"defaults": {}, **info.variants}
    for p in info.parameters:
        for choice in (*p.choices, *((None,) if p.choices and p.optional else ())):
            table.setdefault(f"{p.name}={choice}", {p.name: choice})
        if p.optional and p.default is None and not p.choices:
            table[f"{p.name} given"] = {p.name: p.kind(2)}
    unique = {}
    for label, hyper in table.items():
        unique.setdefault(repr({**info.defaults(), **hyper}), (label, hyper))
    return unique.values()


def pytest_generate_tests(metafunc):
    if "setting" in metafunc.fixturenames:
        rows = [(info, hyper) for info in METHODS for _, hyper in settings(info)]
        ids = [f"{info.name}-{label}" for info in METHODS for label, _ in settings(info)]
        metafunc.parametrize("setting", rows, ids=ids)
    elif "info" in metafunc.fixturenames:
        metafunc.parametrize("info", METHODS, ids=[info.name for info in METHODS])


@pytest.fixture
def offers():
    """A function from oracle names to all the small problems that offer them, fresh."""

    def make(*oracles):
        found = [p for p in (factory() for factory in PROBLEMS) if set(oracles) <= set(Ledger(p).oracles)]
        return found or pytest.fail(f"no problem in tests/contract/conftest.py offers {', '.join(oracles)}: add one")

    return make


@pytest.fixture
def offering(offers):
    """The first of them."""
    return lambda *oracles: offers(*oracles)[0]


@pytest.fixture
def divisible(offers):
    """The first of them that has batches, or else the first."""
    return lambda *oracles: max(offers(*oracles), key=lambda p: type(p).batches is not so.Problem.batches)


@pytest.fixture
def endless():
    """A function that says whether a setting may run on for ever: random batches, or steps that do not shrink."""
    return lambda info, hyper=(): info.name in CIRCLING or "batch_size" in hyper


@pytest.fixture
def begin():
    """A function that starts a method on a problem and hands back its generator of iterates."""

    def start(info, problem, hyper, seed=0):
        random = {"rng": np.random.default_rng(seed)} if "rng" in inspect.signature(info.function).parameters else {}
        return find(info.name)(problem, **hyper, **random)

    return start


@pytest.fixture
def sound():
    """A function that asserts that a history holds no silent NaN."""

    def check(history):
        assert history.status, "a finished run has a status"
        assert np.all(np.isfinite(np.asarray(history.x)))
        for row in history.rows:
            assert np.isfinite(row.get("f", 0.0)), row
            assert not any(np.isnan(value) for value in row.values() if isinstance(value, float)), row

    return check
