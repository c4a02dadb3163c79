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

METHODS = so.methods()
PROBLEMS = (lambda: so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2),)


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
def offering():
    """A function from oracle names to a fresh small problem that offers them."""

    def make(*oracles):
        for factory in PROBLEMS:
            problem = factory()
            if set(oracles) <= set(Ledger(problem).oracles):
                return problem
        pytest.fail(f"no problem in tests/contract/conftest.py offers {', '.join(oracles)}: add one")

    return make


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
