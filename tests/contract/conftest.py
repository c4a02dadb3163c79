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

METHODS = so.methods(kind="optimiser")
SAMPLERS = so.methods(kind="sampler")
CIRCLING = {"adam", "adamw", "shampoo", "perturbed_zeroth_order"}
"""Their steps do not shrink with the gradient: they come near a solution and circle there. Shampoo's do, by default, but are
divided by the root of the sum of all past ones. The perturbation of perturbed_zeroth_order is as large in its last step as in
its first."""
SUBLINEAR = {
    "frank_wolfe": "a gap of order 1/t where the solution lies on a face, and of 1/t^2 at best in an open loop",
    "monotone_frank_wolfe": "the open loop, less the steps that do not decrease f",
    "second_order_frank_wolfe": "the inner accuracy, and with it the gap, shrinks by a fixed 0.96^2 a step",
    "zeroth_order_frank_wolfe": "the estimate of the gradient forgets its noise like t^(-2/3)",
}
"""They converge, but not within a few hundred steps to the default tolerance; and why."""


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


def on_a_ball():
    """A solution inside a face of the ball, with one coordinate zero."""
    return so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2).subject_to(so.sets.L1Ball(5, 3.0))


def races():
    """Logarithmic utility of bets on four horses in nine races. Every vertex lies outside the domain: who bets on one horse
    alone loses everything in some race. The solution is how often each horse wins."""
    problem = so.problems.log_portfolio(np.eye(4)[[0, 0, 0, 1, 1, 2, 2, 3, 3]] * [2.0, 3.0, 4.0, 5.0])
    problem.x_star = np.asarray([3.0, 2.0, 2.0, 2.0]) / 9.0
    problem.f_star = float(problem.f(problem.x_star))
    return problem


PROBLEMS = (
    lambda: so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2),
    lambda: network("softmax"),
    lambda: network("squared"),
    curve_fit,
    lambda: so.problems.power_of_residual(3, n=12, d=4),
    on_a_ball,
    races,
)


def constrained(oracles):
    """Whether a method with these needs works on a feasible set."""
    return bool({"lmo", "project"} & set(oracles))


def settings(info):
    """The defaults, each variant, each choice, and each optional hyper-parameter given."""
    table = {"defaults": {}, **info.variants}
    for p in info.parameters:
        for choice in (*p.choices, *((None,) if p.choices and p.optional else ())):
            table.setdefault(f"{p.name}={choice}", {p.name: choice})
        if p.optional and p.default is None and not p.choices:
            given = 2 if p.interval is None or p.interval.contains(2) else 0.5
            table[f"{p.name} given"] = {p.name: p.kind(given)}
    unique = {}
    for label, hyper in table.items():
        unique.setdefault(repr({**info.defaults(), **hyper}), (label, hyper))
    return unique.values()


def pytest_generate_tests(metafunc):
    on_a_set = [m for m in METHODS if constrained(m.oracles())]
    for name, chosen in (("setting", METHODS), ("setting_on_a_set", on_a_set), ("sampling", SAMPLERS)):
        if name in metafunc.fixturenames:
            rows = [(info, hyper) for info in chosen for _, hyper in settings(info)]
            ids = [f"{info.name}-{label}" for info in chosen for label, _ in settings(info)]
            metafunc.parametrize(name, rows, ids=ids)
    if "info" in metafunc.fixturenames:
        documented = metafunc.module.__name__.endswith("test_documentation")
        infos = [*METHODS, *SAMPLERS] if documented else METHODS
        metafunc.parametrize("info", infos, ids=[info.name for info in infos])
    if "sampler" in metafunc.fixturenames:
        metafunc.parametrize("sampler", SAMPLERS, ids=[info.name for info in SAMPLERS])


@pytest.fixture
def offers():
    """A function from oracle names to all the small problems that offer them, fresh; with a feasible set if they ask
    for one, else without."""

    def make(*oracles):
        problems = [p for p in (factory() for factory in PROBLEMS) if constrained(p.oracles) == constrained(oracles)]
        found = [p for p in problems if set(oracles) <= set(Ledger(p).oracles)]
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
    """A function that says whether a setting may run on for long: random batches, steps that do not shrink, or a
    sublinear rate."""
    return lambda info, hyper=(): info.name in CIRCLING or info.name in SUBLINEAR or "batch_size" in hyper


@pytest.fixture
def sublinear():
    """A function that says whether a method is known to be slow, not wrong."""
    return lambda info: info.name in SUBLINEAR


@pytest.fixture
def at_most(sublinear):
    """A function to the steps of a run that need not arrive: so many, or a hundred on a feasible set, twenty if slow."""
    return lambda info, steps: min(steps, 20 if sublinear(info) else 100 if constrained(info.oracles()) else steps)


@pytest.fixture
def unfinished(sublinear):
    """A function to how a few steps of such a method end: one with a sublinear rate may be there by luck."""
    return lambda info: {"step_limit", "converged", "finished"} if sublinear(info) else {"step_limit"}


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
