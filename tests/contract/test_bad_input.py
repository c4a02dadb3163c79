"""Bad input: an error that names the argument before the first step, a status after it; never a silent NaN.

Each table has one row a case. ``problem`` is a quartic bowl in three variables, which takes every method several steps.
"""

import itertools
import re
import warnings

import numpy as np
import pytest

import secondorder as so
from secondorder.catalogue import find

NAN, INF = float("nan"), float("inf")
X0 = [3.0, -2.0, 1.0]
BOWL = {
    "f": lambda x: float(0.25 * x**2 @ x**2 + 0.5 * x @ x),
    "grad": lambda x: x**3 + x,
    "hess": lambda x: np.diag(3.0 * x**2 + 1.0),
    "hvp": lambda x, v: (3.0 * x**2 + 1.0) * v,
}


def bowl(x0=X0, **changes):
    return so.Problem(**{**BOWL, **changes}, x0=x0)


def always(bad):
    return lambda oracle: bad


def later(bad, calls=2):
    """The true oracle for so many calls, then what ``bad`` answers."""
    return lambda oracle: after(oracle, bad, calls)


def after(oracle, bad, calls):
    count = 0

    def function(*points):
        nonlocal count
        count += 1
        return (BOWL[oracle] if count <= calls else bad)(*points)

    return function


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


@pytest.mark.parametrize(("x0", "error", "message"), STARTS.values(), ids=STARTS)
def test_start(info, x0, error, message):
    with pytest.raises(error, match=message):
        so.minimize(bowl(), info.name, x0)
    with pytest.raises(error, match=message):
        find(info.name)(bowl(), x0)


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
    history = so.minimize(bowl(), info.name, x0, steps=3)
    sound(history)
    assert history.x.dtype == np.float64
    np.testing.assert_array_equal(so.minimize(bowl(), info.name, x0, steps=0).x, np.asarray(x0, dtype=float))


CALLS = {
    "no start anywhere": (bowl(x0=None), {}, ValueError, "has no x0 of its own: give a start x0"),
    "not a problem": (BOWL["f"], {}, TypeError, r"problem must be a Problem; got function.*from_function"),
    "negative steps": (bowl(), {"steps": -1}, ValueError, "steps must be a whole number of at least 0; got -1"),
    "fractional steps": (bowl(), {"steps": 2.5}, ValueError, "steps must be a whole number of at least 0; got 2.5"),
    "infinite steps": (bowl(), {"steps": INF}, ValueError, "steps must be a whole number"),
    "NaN steps": (bowl(), {"steps": NAN}, ValueError, "steps must be a whole number"),
    "steps in words": (bowl(), {"steps": "ten"}, ValueError, "steps must be a whole number.*'ten'"),
    "true steps": (bowl(), {"steps": True}, ValueError, "steps must be a whole number"),
    "negative tol": (bowl(), {"tol": -1.0}, ValueError, "tol must be a number of at least 0; got -1.0"),
    "NaN tol": (bowl(), {"tol": NAN}, ValueError, "tol must be a number"),
    "tol in words": (bowl(), {"tol": "1e-8"}, ValueError, "tol must be a number.*'1e-8'"),
    "negative seconds": (bowl(), {"seconds": -1.0}, ValueError, "seconds must be a number of at least 0"),
    "NaN seconds": (bowl(), {"seconds": NAN}, ValueError, "seconds must be a number"),
    "callback": (bowl(), {"callback": 3}, TypeError, "callback must be a function; got int"),
    "stop": (bowl(), {"stop": "never"}, TypeError, "stop must be a function; got str"),
}


@pytest.mark.parametrize(("problem", "options", "error", "message"), CALLS.values(), ids=CALLS)
def test_call(info, problem, options, error, message):
    with pytest.raises(error, match=message):
        so.minimize(problem, info.name, **options)


def test_missing_oracle(setting):
    info, hyper = setting
    for name in info.oracles(hyper):
        offered = {n: oracle for n, oracle in BOWL.items() if n != name and (n, name) != ("hess", "hvp")}
        with pytest.raises(
            ValueError, match=rf"{info.name} needs .*Missing: {name} \(.*Problem\(f, grad=.*from_function"
        ):
            so.minimize(so.Problem(**offered, x0=X0), info.name, **hyper)


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
                so.minimize(bowl(), info.name, steps=1, **{p.name: value})


def test_unknown_hyper_parameter(info):
    with pytest.raises(TypeError, match=rf"{info.name} has no hyper-parameter 'temperature_of_the_sun'.*it takes "):
        so.minimize(bowl(), info.name, temperature_of_the_sun=1.0)
    for p in info.parameters:
        with pytest.raises(TypeError, match=f"did you mean '{p.name}'"):
            so.minimize(bowl(), info.name, **{p.name + "_": p.default})


AT_THE_START = {
    "f is NaN": ({"f": lambda x: NAN}, ValueError, "cannot be evaluated at the start: f is nan"),
    "f is infinite": ({"f": lambda x: INF}, ValueError, "cannot be evaluated at the start: f is inf"),
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
}


@pytest.mark.parametrize(("changes", "error", "message"), AT_THE_START.values(), ids=AT_THE_START)
def test_at_the_start(info, changes, error, message):
    with pytest.raises(error, match=message):
        so.minimize(bowl(**changes), info.name)


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
}


@pytest.mark.parametrize(("oracle", "function", "statuses", "message"), DURING.values(), ids=DURING)
def test_during_the_run(info, oracle, function, statuses, message, sound):
    used = oracle in (*info.oracles(), "f", "grad")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = so.minimize(bowl(**{oracle: function(oracle)}), info.name)
    sound(history)
    assert len(history) >= 1
    assert history.status in (statuses if used else FINE), history
    if used and message:
        assert any(str(w.message).startswith(f"{info.name} stopped at step {len(history)}") for w in caught)
        assert re.search(message, history.message)
    else:
        assert not caught


def test_start_at_the_solution_takes_no_step(info):
    history = so.minimize(bowl(x0=[0.0, 0.0, 0.0]), info.name)
    assert (history.status, len(history)) == ("converged", 1)
    assert not history.oracle["hess"], "what only the next step needs is not computed"


def test_iterating_by_hand_past_the_solution_raises_nothing(setting, begin):
    info, hyper = setting
    for iterate in itertools.islice(begin(info, bowl(x0=[0.0, 0.0, 0.0]), hyper), 5):
        assert not np.any(iterate.x)


def test_singular_hessian_is_survived_or_reported(info, sound):
    flat = so.Problem(
        lambda x: float(0.5 * x[0] ** 2 + 0.25 * x[1] ** 4),
        grad=lambda x: np.asarray([x[0], x[1] ** 3]),
        hess=lambda x: np.diag([1.0, 3.0 * x[1] ** 2]),
        x0=[1.0, 0.0],
    )
    history = so.minimize(flat, info.name)
    sound(history)
    assert history.status in FINE | {"breakdown"}
    assert history.status != "breakdown" or "positive definite" in history.message


@pytest.mark.parametrize("options", [{"steps": 0}, {"seconds": 0.0}], ids=str)
def test_no_steps_is_one_row(info, options, sound):
    history = so.minimize(bowl(), info.name, **options)
    sound(history)
    assert len(history) == 1 and history.status == ("step_limit" if "steps" in options else "time_limit")


def test_zero_tolerance_ends_soundly(setting, offering, sound):
    info, hyper = setting
    history = so.minimize(offering(*info.oracles(hyper)), info.name, tol=0.0, steps=300, **hyper)
    sound(history)
    assert history.status in {"converged", "step_limit", "stalled", "finished"}


def test_huge_and_tiny_scales_end_soundly(setting, sound):
    info, hyper = setting
    for scale in (1e-150, 1e-30, 1e30, 1e100):
        history = so.minimize(
            bowl(
                f=lambda x, s=scale: s * BOWL["f"](x),
                grad=lambda x, s=scale: s * BOWL["grad"](x),
                hess=lambda x, s=scale: s * BOWL["hess"](x),
                hvp=lambda x, v, s=scale: s * BOWL["hvp"](x, v),
            ),
            info.name,
            tol=1e-12 * scale,
            steps=500,
            **hyper,
        )
        sound(history)


def test_far_start_ends_soundly(setting, sound):
    info, hyper = setting
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sound(so.minimize(bowl(), info.name, [1e60, -1e60, 1e50], steps=500, **hyper))
