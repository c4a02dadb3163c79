"""Bad input: an error that names the argument before the first step, a status after it; never a silent NaN.

Each table has one row a case. ``problem`` is a bowl in three variables, quartic in two, which takes every method several
steps. It is a sum of squares as well, and the loss of a network of one example whose outputs are its weights. A method that
asks for a feasible set gets it on a cube around the solution.
"""

import functools
import itertools
import re
import warnings
from collections import Counter

import numpy as np
import pytest

import secondorder as so
from secondorder.catalogue import find
from secondorder.linalg import Layer
from secondorder.oracles import CORE

NAN, INF = float("nan"), float("inf")
X0 = [3.0, -2.0, 1.0]
QUARTIC = np.asarray([1.0, 1.0, 0.0])


def separable(f, slope, curvature, scale=1.0):
    """The oracles of a sum over the coordinates, and of the network whose outputs are the parameters."""

    def signals(x, kind, rng=None, samples=1):
        root = np.diag(np.sqrt(scale * curvature(x)))
        U = {"unit": np.eye(x.size), "exact": root, "empirical": scale * slope(x)[None]}.get(kind)
        if U is None:
            U = rng.choice([-1.0, 1.0], (samples, x.size)) @ root / np.sqrt(samples)
        return (Layer(np.ones((1, 1)), U[:, None, :]),)

    return {
        "f": lambda x: scale * float(np.sum(f(x))),
        "grad": lambda x: scale * slope(x),
        "hess": lambda x: scale * np.diag(curvature(x)),
        "hvp": lambda x, v: scale * curvature(x) * v,
        "ggn_product": lambda x, v: scale * curvature(x) * v,
        "diagonal_rank_one": lambda x: (scale * curvature(x), 0.0),
        "signals": signals,
        "output_loss": lambda x: (scale * slope(x)[None], scale * np.diag(curvature(x))[None]),
    }


def oracles(scale=1.0):
    """The bowl, :math:`\\frac12r^2` in each coordinate; the third residual is linear."""
    root = scale**0.5
    return {
        **separable(
            lambda x: 0.25 * QUARTIC * x**4 + 0.5 * x**2,
            lambda x: QUARTIC * x**3 + x,
            lambda x: 3.0 * QUARTIC * x**2 + 1.0,
            scale,
        ),
        "metric": lambda v: scale * (27.0 * QUARTIC + 1.0) * v,
        "residual": lambda x: root * x * np.sqrt(0.5 * QUARTIC * x**2 + 1.0),
        "third": lambda x, h: scale * 6.0 * QUARTIC * x * h * h,
        "jac": lambda x: np.diag(root * (QUARTIC * x**2 + 1.0) / np.sqrt(0.5 * QUARTIC * x**2 + 1.0)),
    }


RADIUS = 4.0
CUBE = so.sets.LinfBall(3, RADIUS)
FEASIBLE = {"lmo": CUBE.lmo, "project": CUBE.project}
BOWL = {**oracles(), "domain": lambda x: True}


def on_a_set(info):
    return bool(set(FEASIBLE) & set(info.oracles()))


def offered(info):
    """The oracles of the bowl as this method may have it."""
    return {**BOWL, **(FEASIBLE if on_a_set(info) else {})}


def bowl(info, x0=X0, constraint=CUBE, **changes):
    changes = {oracle: function for oracle, function in changes.items() if oracle in offered(info)}
    problem = so.Problem(**{**BOWL, **changes}, x0=x0, constraint=constraint if on_a_set(info) else None)
    problem.linear = (2,)
    return problem


@functools.cache
def calls(name, steps):
    """How often a run of the method calls each oracle on the bowl, for the record included."""
    info, counts = find(name).method, Counter()

    def counting(oracle, function):
        def counted(*arguments):
            counts[oracle] += 1
            return function(*arguments)

        return counted

    so.minimize(bowl(info, **{o: counting(o, function) for o, function in offered(info).items()}), name, steps=steps)
    return counts


def asked(name):
    """The oracles that a run calls; the domain also beyond the check of x0."""
    counts = calls(name, 5)
    return {oracle for oracle, n in counts.items() if n > (oracle == "domain")}


def always(bad):
    return lambda oracle, first: bad


def later(bad, calls=2):
    """The true oracle for so many calls, and at least until the first row; then what ``bad`` answers."""
    return lambda oracle, first: after(oracle, bad, max(calls, first))


def after(oracle, bad, calls):
    count = 0

    def function(*arguments):
        nonlocal count
        count += 1
        return ({**BOWL, **FEASIBLE}[oracle] if count <= calls else bad)(*arguments)

    return function


def layer(signals):
    return (Layer(np.ones((1, 1)), signals),)


def broken(*points):
    raise RuntimeError("the simulator fell over")


class Silent:
    """Something that is not a number."""


# ------------------------------------------------------------------------------------------------ before the first step

STARTS = {
    "NaN": ([1.0, NAN, 1.0], ValueError, "x0 must be finite"),
    "infinite": ([1.0, INF, 1.0], ValueError, "x0 must be finite"),
    "matrix": (np.ones((3, 1)), ValueError, r"x0 must be a vector.*\(3, 1\)"),
    "number": (3.0, ValueError, "x0 must be a vector"),
    "wrong length": ([1.0, 1.0], ValueError, r"x0 must have shape \(3,\).*\(2,\)"),
    "empty": ([], ValueError, r"x0 must be a vector with at least one entry; got shape \(0,\)"),
    "complex": ([1j, 1.0, 1.0], TypeError, "x0 must be real; got dtype complex128"),
    "string": ("123", TypeError, "x0 must hold"),
    "list of strings": (["1", "2", "3"], TypeError, "x0 must hold"),
    "with None": ([1.0, None, 1.0], TypeError, "x0 must be a vector of real numbers"),
    "ragged": ([[1.0, 2.0], [1.0]], (TypeError, ValueError), "x0"),
    "float16": (np.ones(3, dtype=np.float16), TypeError, "x0 must hold float32 or float64 numbers; got dtype float16"),
}
OUTSIDE = {
    "outside the feasible set": ({}, [0.0, 4.5, 0.0], r"x0 must lie in LinfBall\(3.*\); it is 0.5 outside"),
    "far outside it": ({}, [1e60, -1e60, 1e50], r"x0 must lie in LinfBall\(3.*\); it is 1e\+60 outside"),
    "outside the domain": ({"domain": lambda x: False}, X0, "x0 must lie where 'problem' is defined"),
}


@pytest.mark.parametrize(("x0", "error", "message"), STARTS.values(), ids=STARTS)
def test_start(info, x0, error, message):
    with pytest.raises(error, match=message):
        so.minimize(bowl(info), info.name, x0)
    with pytest.raises(error, match=message):
        find(info.name)(bowl(info), x0)


@pytest.mark.parametrize(("changes", "x0", "message"), OUTSIDE.values(), ids=OUTSIDE)
def test_start_outside(info, changes, x0, message):
    if on_a_set(info) or changes:
        with pytest.raises(ValueError, match=message):
            so.minimize(bowl(info, **changes), info.name, x0)


def test_a_feasible_set_is_not_ignored(info):
    """A method that knows none refuses a problem with one, given as a set or as oracles."""
    if not on_a_set(info):
        for given in ({"constraint": CUBE}, {"lmo": CUBE.lmo}, {"project": CUBE.project}):
            with pytest.raises(
                ValueError, match=rf"{info.name} knows no constraint, and 'problem' has one: .*away_step"
            ):
                so.minimize(so.Problem(**BOWL, **given, x0=X0), info.name)


ACCEPTED = {
    "integers": np.asarray([3, -2, 1]),
    "list": [3.0, -2.0, 1.0],
    "list of integers": [3, -2, 1],
    "tuple": (3, -2, 1),
    "not contiguous": np.asarray([3.0, 0.0, -2.0, 0.0, 1.0])[::2],
    "read-only": np.broadcast_to(np.asarray(3.0), (3,)),
}


@pytest.mark.parametrize("x0", ACCEPTED.values(), ids=ACCEPTED)
def test_start_is_converted(info, x0, sound):
    history = so.minimize(bowl(info), info.name, x0, steps=3)
    sound(history)
    assert history.x.dtype == np.float64
    np.testing.assert_array_equal(so.minimize(bowl(info), info.name, x0, steps=0).x, np.asarray(x0, dtype=float))


PLAIN = so.Problem(**BOWL, x0=X0)
CALLS = {
    "no start anywhere": (so.Problem(**BOWL), {}, ValueError, "has no x0 of its own: give a start x0"),
    "not a problem": (BOWL["f"], {}, TypeError, r"problem must be a Problem; got function.*from_function"),
    "negative steps": (PLAIN, {"steps": -1}, ValueError, "steps must be a whole number of at least 0; got -1"),
    "fractional steps": (PLAIN, {"steps": 2.5}, ValueError, "steps must be a whole number of at least 0; got 2.5"),
    "infinite steps": (PLAIN, {"steps": INF}, ValueError, "steps must be a whole number"),
    "NaN steps": (PLAIN, {"steps": NAN}, ValueError, "steps must be a whole number"),
    "steps in words": (PLAIN, {"steps": "ten"}, ValueError, "steps must be a whole number.*'ten'"),
    "true steps": (PLAIN, {"steps": True}, ValueError, "steps must be a whole number"),
    "negative tol": (PLAIN, {"tol": -1.0}, ValueError, "tol must be a number of at least 0; got -1.0"),
    "NaN tol": (PLAIN, {"tol": NAN}, ValueError, "tol must be a number"),
    "tol in words": (PLAIN, {"tol": "1e-8"}, ValueError, "tol must be a number.*'1e-8'"),
    "negative seconds": (PLAIN, {"seconds": -1.0}, ValueError, "seconds must be a number of at least 0"),
    "NaN seconds": (PLAIN, {"seconds": NAN}, ValueError, "seconds must be a number"),
    "callback": (PLAIN, {"callback": 3}, TypeError, "callback must be a function; got int"),
    "stop": (PLAIN, {"stop": "never"}, TypeError, "stop must be a function; got str"),
}


@pytest.mark.parametrize(("problem", "options", "error", "message"), CALLS.values(), ids=CALLS)
def test_call(info, problem, options, error, message):
    with pytest.raises(error, match=message):
        so.minimize(problem, info.name, **options)


def test_missing_oracle(setting):
    info, hyper = setting
    for name in info.oracles(hyper):
        left = {n: oracle for n, oracle in offered(info).items() if n != name and (n, name) != ("hess", "hvp")}
        how = r"Problem\(f, grad=.*from_function" if name in CORE else r"subject_to" if name in FEASIBLE else ""
        with pytest.raises(ValueError, match=rf"{info.name} needs .*Missing: {name} \(.*{how}"):
            so.minimize(so.Problem(**left, x0=X0), info.name, **hyper)


def test_hyper_parameter_outside_its_domain(info):
    for p in info.parameters:
        bad = [NAN, INF, -INF, -1, True, "1", [1.0], Silent(), 10**400]
        if p.choices or p.kind is bool:
            bad = ["nonsense", 3.5, Silent()]
        elif p.kind is int:
            bad += [1.5]
            bad.remove(10**400)
        if p.interval is not None and not p.interval.contains(0):
            bad += [0]
        bad += [] if p.optional else [None]
        for value in bad:
            with pytest.raises(ValueError, match=rf"^{p.name} must be .*; got "):
                so.minimize(bowl(info), info.name, steps=1, **{p.name: value})


def test_unknown_hyper_parameter(info):
    with pytest.raises(TypeError, match=rf"{info.name} has no hyper-parameter 'temperature_of_the_sun'.*it takes "):
        so.minimize(bowl(info), info.name, temperature_of_the_sun=1.0)
    for p in info.parameters:
        with pytest.raises(TypeError, match=f"did you mean '{p.name}'"):
            so.minimize(bowl(info), info.name, **{p.name + "_": p.default})


AT_THE_START = {
    "f is NaN": ({"f": lambda x: NAN}, ValueError, "cannot be evaluated at the start: f is (nan|not finite)"),
    "f is infinite": ({"f": lambda x: INF}, ValueError, "cannot be evaluated at the start: f is (inf|not finite)"),
    "f is an array": ({"f": lambda x: x}, ValueError, r"f must return one number; got an array of shape \(3,\)"),
    "f is None": ({"f": lambda x: None}, TypeError, "f must return a real number; got None"),
    "f is complex": ({"f": lambda x: 1 + 2j}, TypeError, "f must return a real number; got .1.2j."),
    "f is a complex array": ({"f": lambda x: np.sum(x + 1j)}, TypeError, "f must return a real number; got "),
    "f is text": ({"f": lambda x: "low"}, TypeError, "f must return a real number; got .low."),
    "f raises": ({"f": broken}, RuntimeError, "the simulator fell over"),
    "grad is NaN": ({"grad": lambda x: x * NAN}, ValueError, "cannot be evaluated at the start: grad"),
    "grad is a list": ({"grad": lambda x: list(x)}, TypeError, "grad must return the gradient.*got list"),
    "grad is a number": ({"grad": lambda x: 1.0}, TypeError, "grad must return the gradient.*got float"),
    "grad is a column": (
        {"grad": lambda x: x[:, None]},
        ValueError,
        r"grad must return an array of shape \(3,\).*\(3, 1\)",
    ),
    "grad is short": ({"grad": lambda x: x[:2]}, ValueError, r"grad must return an array of shape \(3,\); got \(2,\)"),
    "grad is complex": ({"grad": lambda x: x + 1j}, TypeError, "grad must be real; got dtype complex128"),
    "grad raises": ({"grad": broken}, RuntimeError, "the simulator fell over"),
    "residual is NaN": ({"residual": lambda x: x * NAN}, ValueError, "cannot be evaluated at the start"),
    "residual is infinite": ({"residual": lambda x: x * INF}, ValueError, "cannot be evaluated at the start"),
    "residual is a number": ({"residual": lambda x: 1.0}, TypeError, "residual must return the residual.*got float"),
    "residual is a column": (
        {"residual": lambda x: x[:, None]},
        ValueError,
        r"residual must return an array of shape \(3,\); got \(3, 1\)",
    ),
    "residual raises": ({"residual": broken}, RuntimeError, "the simulator fell over"),
    "jac is NaN": ({"jac": lambda x: np.diag(x * NAN)}, ValueError, "cannot be evaluated at the start: jac"),
    "jac is a vector": (
        {"jac": lambda x: x},
        ValueError,
        r"jac must return an array of shape \(3, 3\); got \(3,\)",
    ),
    "jac has a row too few": (
        {"jac": lambda x: BOWL["jac"](x)[:2]},
        ValueError,
        r"jac must return an array of shape \(3, 3\); got \(2, 3\)",
    ),
    "jac is a list": ({"jac": lambda x: np.eye(3).tolist()}, TypeError, "jac must return the Jacobian.*got list"),
    "lmo is NaN": ({"lmo": lambda g: g * NAN}, ValueError, "cannot be evaluated at the start: lmo"),
    "lmo is a list": ({"lmo": list}, TypeError, "lmo must return lmo.grad., a point v .*got list"),
    "lmo is a number": ({"lmo": lambda g: 1}, TypeError, "lmo must return lmo.grad., a point v .*got int"),
    "lmo is short": ({"lmo": lambda g: g[:2]}, ValueError, r"lmo must return an array of shape \(3,\); got \(2,\)"),
    "lmo is complex": ({"lmo": lambda g: g + 1j}, TypeError, "lmo must be real; got dtype complex128"),
    "lmo raises": ({"lmo": broken}, RuntimeError, "the simulator fell over"),
}
"""Of oracles that are asked for before the first row, or for its record."""


@pytest.mark.parametrize(("changes", "error", "message"), AT_THE_START.values(), ids=AT_THE_START)
def test_at_the_start(info, changes, error, message):
    if set(changes) <= asked(info.name):
        with pytest.raises(error, match=message):
            so.minimize(bowl(info, **changes), info.name)
    else:
        assert not so.minimize(bowl(info, **changes), info.name, steps=5).message


# ------------------------------------------------------------------------------------------------------ during the run

FINE = {"converged", "finished"}
ENDS = {"diverged", "stalled"}
DURING = {
    "f is NaN later": ("f", later(lambda x: NAN), ENDS, ""),
    "f is infinite later": ("f", later(lambda x: INF), ENDS, ""),
    "f is minus infinity later": ("f", later(lambda x: -INF), ENDS, ""),
    "f is an array later": ("f", later(lambda x: x), {"breakdown"}, "f must return one number"),
    "f raises later": ("f", later(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "grad is NaN later": ("grad", later(lambda x: x * NAN), ENDS, ""),
    "grad has the wrong shape later": ("grad", later(lambda x: x[:2]), {"breakdown"}, "grad must return an array"),
    "grad is a list later": ("grad", later(list), {"breakdown"}, "grad must return the gradient"),
    "grad raises later": ("grad", later(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "hess is NaN": ("hess", always(lambda x: np.full((3, 3), NAN)), ENDS, ""),
    "hess has the wrong shape": (
        "hess",
        always(lambda x: x),
        {"breakdown"},
        r"hess must return an array of shape \(3, 3\)",
    ),
    "hess is not symmetric": (
        "hess",
        always(lambda x: np.triu(np.ones((3, 3)))),
        {"breakdown"},
        "hess must return a symmetric",
    ),
    "hess is a list": (
        "hess",
        always(lambda x: np.eye(3).tolist()),
        {"breakdown"},
        "hess must return the dense Hessian",
    ),
    "hess is NaN later": ("hess", later(lambda x: np.full((3, 3), NAN), 1), ENDS, ""),
    "hess raises later": ("hess", later(broken, 1), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "hvp is NaN": ("hvp", always(lambda x, v: v * NAN), ENDS, ""),
    "hvp has the wrong shape": ("hvp", always(lambda x, v: v[:2]), {"breakdown"}, "hvp must return an array of shape"),
    "hvp raises": ("hvp", always(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "residual is NaN later": ("residual", later(lambda x: x * NAN), ENDS, ""),
    "residual grows by a row later": (
        "residual",
        later(lambda x: np.ones(4)),
        {"breakdown"},
        r"residual must return an array of shape \(3,\)",
    ),
    "residual raises later": ("residual", later(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "jac is NaN later": ("jac", later(lambda x: np.full((3, 3), NAN)), ENDS, ""),
    "jac raises later": ("jac", later(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "ggn_product is NaN": ("ggn_product", always(lambda x, v: v * NAN), ENDS, ""),
    "ggn_product has the wrong shape": (
        "ggn_product",
        always(lambda x, v: v[:2]),
        {"breakdown"},
        r"ggn_product must return an array of shape \(3,\)",
    ),
    "ggn_product raises": ("ggn_product", always(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "signals are NaN": ("signals", always(lambda x, *how: layer(x[None, None, :] * NAN)), ENDS, ""),
    "signals are NaN later": ("signals", later(lambda x, *how: layer(x[None, None, :] * NAN)), ENDS, ""),
    "signals are None": (
        "signals",
        always(lambda x, *how: None),
        {"breakdown"},
        "signals must return for each layer a pair of arrays .*; got NoneType",
    ),
    "signals are arrays": (
        "signals",
        always(lambda x, *how: (x, x)),
        {"breakdown"},
        "signals must return for each layer a pair of arrays .*; got tuple of 2",
    ),
    "signals are empty": (
        "signals",
        always(lambda x, *how: ()),
        {"breakdown"},
        "signals must return .*; got tuple of 0",
    ),
    "signals of lists": (
        "signals",
        always(lambda x, *how: (([[1.0]], [[x.tolist()]]),)),
        {"breakdown"},
        "signals must return for each layer a pair of arrays",
    ),
    "signals without their axis": (
        "signals",
        always(lambda x, *how: layer(x[None, :])),
        {"breakdown"},
        r"signals must return inputs \(n, a\) and signals \(K, n, b\).*got \(\(1, 1\), \(1, 3\)\)",
    ),
    "signals of two examples for one": (
        "signals",
        always(lambda x, *how: layer(np.ones((1, 2, 3)))),
        {"breakdown"},
        r"signals must return .*got \(\(1, 1\), \(1, 2, 3\)\)",
    ),
    "signals of another size": (
        "signals",
        always(lambda x, *how: layer(np.ones((1, 1, 2)))),
        {"breakdown"},
        "signals must return .*the products a b adding up to 3",
    ),
    "signals raise": ("signals", always(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "output_loss is NaN": (
        "output_loss",
        always(lambda x: (np.ones((1, 3)), np.full((1, 3, 3), NAN))),
        ENDS,
        "",
    ),
    "output_loss is one array": (
        "output_loss",
        always(lambda x: x[None]),
        {"breakdown"},
        "output_loss must return for each example gradient .*two arrays; got ndarray",
    ),
    "output_loss has the wrong shapes": (
        "output_loss",
        always(lambda x: (np.ones((1, 3)), np.ones((1, 3)))),
        {"breakdown"},
        r"output_loss must return arrays of shapes \(n, C\) and \(n, C, C\); got \(\(1, 3\), \(1, 3\)\)",
    ),
    "output_loss raises": ("output_loss", always(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "lmo is NaN later": ("lmo", later(lambda g: g * NAN), ENDS, ""),
    "lmo has the wrong shape later": (
        "lmo",
        later(lambda g: g[:2]),
        {"breakdown"},
        "lmo must return an array of shape",
    ),
    "lmo is a list later": ("lmo", later(list), {"breakdown"}, "lmo must return lmo.grad., a point v"),
    "lmo raises later": ("lmo", later(broken), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "project is NaN": ("project", always(lambda x: x * NAN), ENDS, ""),
    "project has the wrong shape": ("project", always(lambda x: x[:2]), {"breakdown"}, "project must return an array"),
    "project is a list later": ("project", later(list, 1), {"breakdown"}, "project must return project.x., the point"),
    "project raises later": ("project", later(broken, 1), {"breakdown"}, "RuntimeError: the simulator fell over"),
    "domain ends": ("domain", later(lambda x: False, 1), FINE | ENDS | {"step_limit"}, ""),
    "domain is NaN": ("domain", later(lambda x: NAN, 1), {"breakdown"}, "domain must return True or False; got nan"),
    "domain is an array": ("domain", later(lambda x: x > 0.0, 1), {"breakdown"}, "domain must return True or False"),
    "domain raises": ("domain", later(broken, 1), {"breakdown"}, "RuntimeError: the simulator fell over"),
}


@pytest.mark.parametrize(("oracle", "function", "statuses", "message"), DURING.values(), ids=DURING)
def test_during_the_run(info, oracle, function, statuses, message, endless, unfinished, sound):
    used = oracle in asked(info.name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        problem = bowl(info, **{oracle: function(oracle, calls(info.name, 0)[oracle])})
        history = so.minimize(problem, info.name, steps=50 if endless(info) else 10_000)
    sound(history)
    assert len(history) >= 1
    fine = unfinished(info) if endless(info) else FINE
    refused = {"step_limit"} if "accepted" in history.names and endless(info) else set()  # and tried again, shorter
    assert history.status in (statuses | refused if used else fine), history
    if used and message:
        assert any(str(w.message).startswith(f"{info.name} stopped at step {len(history)}") for w in caught)
        assert re.search(message, history.message)
    else:
        assert not caught


def test_the_bowl_is_solved(info, endless, sublinear, sound):
    """To the default tolerance; by a method that circles, to the size of its steps; at a sublinear rate, to a thousandth.

    In the cube the gap is :math:`\\sum_i(g_ix_i+R|g_i|)\\ge R\\|x\\|_1`.
    """
    history = so.minimize(bowl(info), info.name, steps=1000 if sublinear(info) else 10_000)
    if sublinear(info):
        sound(history)
        assert np.nanmin(history["gap"]) <= 1e-3 * history["gap"][0]
        assert RADIUS * np.sum(np.abs(history.x)) <= (1.0 + 1e-9) * history.optimality["gap"]
    elif endless(info):
        hyper = info.defaults()
        assert history.status == "step_limit" or (history.status == "stalled" and "perturbation" in hyper)
        assert np.max(np.abs(history.x)) <= 3.0 * hyper.get("learning_rate", hyper.get("perturbation"))
    else:
        assert history.status in FINE
        assert np.max(np.abs(history.x)) <= 1e-6


def test_start_at_the_solution_takes_no_step(info):
    history = so.minimize(bowl(info, x0=[0.0, 0.0, 0.0]), info.name)
    assert (history.status, len(history)) == ("converged", 1)
    later = ("hess", "ggn_product", "diagonal_rank_one", "signals", "output_loss", "project", "metric")
    assert not any(history.oracle.get(name) for name in later), "what only the next step needs is not computed"


def test_iterating_by_hand_past_the_solution_raises_nothing(setting, begin):
    info, hyper = setting
    for iterate in itertools.islice(begin(info, bowl(info, x0=[0.0, 0.0, 0.0]), hyper), 5):
        if set(info.oracles(hyper)) == {"f", "lmo"}:  # values alone do not tell a solution
            assert CUBE.contains(iterate.x)
        elif "perturbation" in info.defaults():
            assert np.max(np.abs(iterate.x)) <= info.defaults()["perturbation"]
        else:
            assert not np.any(iterate.x)


def test_singular_hessian_is_survived_or_reported(info, endless, sound):
    quartic = np.asarray([0.0, 1.0])
    flat = so.Problem(
        **separable(
            lambda x: 0.25 * quartic * x**4 + 0.5 * (1.0 - quartic) * x**2,
            lambda x: quartic * x**3 + (1.0 - quartic) * x,
            lambda x: 3.0 * quartic * x**2 + (1.0 - quartic),
        ),
        metric=lambda v: v,
        residual=lambda x: np.asarray([x[0], x[1] ** 2 / np.sqrt(2.0)]),
        jac=lambda x: np.diag([1.0, np.sqrt(2.0) * x[1]]),
        x0=[1.0, 0.0],
        constraint=so.sets.LinfBall(2, RADIUS) if on_a_set(info) else None,
    )
    flat.linear = (0,)
    history = so.minimize(flat, info.name, steps=50 if endless(info) else 1000 if on_a_set(info) else 10_000)
    sound(history)
    if on_a_set(info):  # no linear rate without strong convexity
        assert history.status in FINE | {"step_limit"}
        assert np.nanmin(history["gap"]) <= 0.1 * history["gap"][0]
    else:
        assert history.status in ({"step_limit"} if endless(info) else FINE | {"breakdown"})
        assert history.status != "breakdown" or "positive definite" in history.message


@pytest.mark.parametrize("options", [{"steps": 0}, {"seconds": 0.0}], ids=str)
def test_no_steps_is_one_row(info, options, sound):
    history = so.minimize(bowl(info), info.name, **options)
    sound(history)
    assert len(history) == 1 and history.status == ("step_limit" if "steps" in options else "time_limit")


def test_zero_tolerance_ends_soundly(setting, offering, at_most, sound):
    info, hyper = setting
    history = so.minimize(offering(*info.oracles(hyper)), info.name, tol=0.0, steps=at_most(info, 300), **hyper)
    sound(history)
    assert history.status in {"converged", "step_limit", "stalled", "finished"}


def test_huge_and_tiny_scales_end_soundly(setting, at_most, sound):
    info, hyper = setting
    steps = at_most(info, 500)
    for scale in (1e-150, 1e-30, 1e30, 1e100):
        history = so.minimize(bowl(info, **oracles(scale)), info.name, tol=1e-12 * scale, steps=steps, **hyper)
        sound(history)


def test_far_start_ends_soundly(setting, at_most, sound):
    info, hyper = setting
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wide = bowl(info, constraint=so.sets.LinfBall(3, 1e60))
        sound(so.minimize(wide, info.name, [1e60, -1e60, 1e50], steps=at_most(info, 500), **hyper))
