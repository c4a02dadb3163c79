"""The catalogue: parameters read from signatures, names found, methods of one's own."""

import itertools
import math
from typing import Literal

import numpy as np
import pytest

import secondorder as so
from secondorder.catalogue import CATALOGUE, Interval, count, find, fraction, nonnegative, positive
from secondorder.run import Iterate


@so.method(paper="nesterov2018lectures", needs=("grad",), variants={"heavy": {"momentum": 0.9}})
def momentum_descent(
    problem,
    x,
    *,
    rate: positive = 0.1,
    momentum: nonnegative = 0.5,
    mix: fraction = 0.5,
    period: count | None = None,
    nesterov: bool = False,
    rule: Literal["plain", "clipped"] | None = "plain",
):
    """Gradient descent with momentum."""
    velocity = 0.0 * x
    for _ in itertools.count():
        grad = problem.grad(x)
        yield Iterate(x, grad=grad, velocity=velocity)
        velocity = momentum * velocity - rate * grad
        x = x + velocity


INFO = momentum_descent.method


def test_parameters_are_read_from_the_signature():
    domains = {p.name: str(p) for p in INFO.parameters}
    assert domains == {
        "rate": "a number in (0, inf)",
        "momentum": "a number in [0, inf)",
        "mix": "a number in (0, 1)",
        "period": "a whole number in [1, inf) or None",
        "nesterov": "True or False",
        "rule": "one of 'plain', 'clipped' or None",
    }
    assert INFO.defaults()["rate"] == 0.1
    assert INFO.summary == "Gradient descent with momentum."


GOOD = {
    "rate": (1, 1.0),
    "momentum": (0, 0.0),
    "mix": (np.float32(0.5), 0.5),
    "period": (3.0, 3),
    "nesterov": (np.True_, True),
    "rule": (None, None),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_values_are_converted(name):
    given, expected = GOOD[name]
    checked = INFO.check({name: given})[name]
    assert checked == expected and type(checked) is type(expected)


BAD = [
    ("rate", 0.0),
    ("momentum", -1e-9),
    ("mix", 1.0),
    ("period", 0),
    ("period", 1.5),
    ("nesterov", 1),
    ("rule", "plane"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_values_are_named_with_their_domain(name, value):
    parameter = next(p for p in INFO.parameters if p.name == name)
    with pytest.raises(ValueError) as caught:
        INFO.check({name: value})
    assert str(caught.value) == f"{name} must be {parameter}; got {value!r}"


def test_interval_ends():
    closed, opened = Interval(0.0, 1.0, "[", "]"), Interval(0.0, 1.0, "(", ")")
    assert closed.contains(0.0) and closed.contains(1.0)
    assert not opened.contains(0.0) and not opened.contains(1.0) and not opened.contains(math.nan)


def test_a_method_of_ones_own_runs_but_is_not_listed():
    history = so.minimize(so.problems.quadratic([1.0, 4.0]), momentum_descent, momentum=0.3)
    assert history.status == "converged" and history.method == "momentum_descent"
    assert "momentum_descent" not in CATALOGUE


def test_names_are_found_with_a_suggestion():
    assert find("newton") is so.newton.newton
    assert find(so.newton.newton) is so.newton.newton
    with pytest.raises(ValueError, match=r"unknown method 'lazy_newtn' \(did you mean 'lazy_newton'\?\); known: "):
        find("lazy_newtn")
    with pytest.raises(TypeError, match=r"'norm' is not a method: decorate it with @secondorder\.method"):
        find(np.linalg.norm)


def test_the_list_by_family():
    assert {info.name for info in so.methods("newton")} <= {info.name for info in so.methods()}
    with pytest.raises(ValueError, match="family must be one of newton"):
        so.methods("newtn")


def test_needs_may_depend_on_the_hyper_parameters():
    info = find("cubic_newton").method
    assert info.oracles() == ("f", "grad", "hess") and info.oracles({"M": 1.0}) == ("grad", "hess")


def test_methods_of_feasible_sets_are_told_from_the_others():
    """By their needs, before the run: neither gets the other's problem, and what is missing is said how to get."""
    free = so.problems.quadratic([1.0, 4.0])
    with pytest.raises(
        ValueError, match=r"Missing: lmo \(lmo\(grad\), .*problem\.subject_to\(sets\.Simplex\(d\)\)"
    ) as caught:
        so.minimize(free, "away_step")
    assert "from_function" not in str(caught.value), "a gradient is not what it lacks"
    with pytest.raises(ValueError, match=r"Missing: grad .*from_function"):
        so.minimize(so.Problem(free.f, constraint=so.sets.Simplex(2)), "away_step")
    with pytest.raises(ValueError, match=r"newton knows no constraint, and 'quadratic on Simplex\(2\)' has one"):
        so.minimize(free.subject_to(so.sets.Simplex(2)), "newton")
    with pytest.raises(ValueError, match="momentum_descent knows no constraint"):
        so.minimize(free.subject_to(so.sets.Simplex(2)), momentum_descent)


def test_names_of_families_are_methods_whatever_was_imported_first():
    import secondorder.frank_wolfe.frank_wolfe
    import secondorder.newton.newton

    assert callable(so.newton.newton) and secondorder.newton.newton is so.newton.newton
    assert so.frank_wolfe.frank_wolfe.method.name == "frank_wolfe"
    assert secondorder.frank_wolfe.frank_wolfe is so.frank_wolfe.frank_wolfe


def test_the_list_by_kind():
    optimisers, samplers = so.methods(kind="optimiser"), so.methods(kind="sampler")
    assert {m.name for m in optimisers} | {m.name for m in samplers} == {m.name for m in so.methods()}
    assert {m.name for m in samplers} == {m.name for m in so.methods("sampling")} and not so.methods(
        "newton", "sampler"
    )
    with pytest.raises(ValueError, match="kind must be optimiser or sampler; got 'pruner'"):
        so.methods(kind="pruner")


def test_noise_levels_are_no_hyper_parameter():
    """A grid is a matter of the run: it is not set, drawn by no slider, and told apart from a chain by the catalogue."""
    for info in so.methods():
        assert not {"grid", "rng"} & {p.name for p in info.parameters}
        assert info.grid is None or info.kind == "sampler"
        if info.grid is not None:
            assert len(so.schedules.noise_grid(3, *info.grid).levels) == 4
    with pytest.raises(TypeError, match="ddim has no hyper-parameter 'grid'"):
        find("ddim").method.check({"grid": 3})
