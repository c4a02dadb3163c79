"""Nothing is hidden in NumPy, and float32 stays float32."""

import itertools

import numpy as np
import pytest

import secondorder as so
from secondorder.arrays import is_array, to_numpy

ROWS = 11


def arrays(iterate):
    """Every array of an iterate by name, those of a tuple one by one."""
    found = {"x": iterate.x}
    for name, value in iterate.quantities.items():
        parts = {f"{name}[{i}]": part for i, part in enumerate(value)} if isinstance(value, tuple) else {name: value}
        found |= {label: part for label, part in parts.items() if is_array(part)}
    return found


def numbers(iterate):
    return {name: value for name, value in iterate.quantities.items() if isinstance(value, (int, float))}


def test_array_api_strict_gives_what_numpy_gives(setting, offers, begin):
    info, hyper = setting
    first, *others = offers(*info.oracles(hyper))
    for problem in (first, *(p for p in others if type(p) is type(first))):
        strict = so.to_device(problem, "array_api_strict")
        walks = [itertools.islice(begin(info, p, hyper), ROWS) for p in (problem, strict)]
        rows, ours = 0, None
        for ours, theirs in zip(*walks, strict=True):
            rows += 1
            assert all(type(a) is type(strict.x0) for a in arrays(theirs).values())
            assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-12, abs=1e-14)
            assert arrays(ours).keys() == arrays(theirs).keys()
            for name, value in arrays(ours).items():
                np.testing.assert_allclose(to_numpy(arrays(theirs)[name]), value, rtol=1e-12, atol=1e-14, err_msg=name)
        grad = problem.grad(to_numpy(ours.x))
        measure = np.linalg.norm(grad) if problem.lmo is None else grad @ (ours.x - problem.lmo(grad))
        assert rows == ROWS or measure < 1e-14, "it ends early at the solution only"


def test_float32_stays_float32_and_terminates(setting, offering, begin, endless, sound):
    info, hyper = setting
    problem = so.to_device(offering(*info.oracles(hyper)), "numpy", dtype="float32")
    for iterate in itertools.islice(begin(info, problem, hyper), ROWS):
        assert {name: a.dtype.name for name, a in arrays(iterate).items() if a.dtype.kind == "f"} == {
            name: "float32" for name, a in arrays(iterate).items() if a.dtype.kind == "f"
        }
    history = so.minimize(problem, info.name, steps=300 if endless(info, hyper) else 10_000, **hyper)
    sound(history)
    assert history.x.dtype == np.float32
    slow = endless(info, hyper) or info.oracles(hyper) in (("grad",), ("f", "grad"))
    assert history.status in {"converged", "finished", "stalled"} | ({"step_limit"} if slow else set())
