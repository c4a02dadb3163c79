"""Implementations of elsewhere as candidates."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from secondorder.arrays import Array
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.validate.recording import Candidate, Recording

NAMES = {
    **dict.fromkeys(("m", "mu", "exp_avg", "first_moment"), "first_moment"),
    **dict.fromkeys(("v", "nu", "exp_avg_sq", "exp_hessian_diag_sq", "second_moment"), "second_moment"),
    **dict.fromkeys(("exp_hessian_diag", "hessian_diagonal"), "hessian_diagonal"),
}
"""What other libraries call a quantity, and what it is called here."""


def as_candidate(candidate: Any) -> Candidate | Recording:
    """A candidate from what stands for one: itself, a method or generator function, or the path of a recorded run."""
    if isinstance(candidate, (Candidate, Recording)):
        return candidate
    if isinstance(candidate, (str, os.PathLike)):
        from secondorder.validate.vectors import read_run

        return read_run(candidate)
    name = getattr(candidate, "__name__", type(candidate).__name__)
    if hasattr(candidate, "method") or inspect.isgeneratorfunction(candidate):
        return Candidate(name, candidate)
    raise TypeError(
        f"candidate must be a method, a generator function, a recorded run, or made by validate.from_torch, from_optax, "
        f"from_scipy or from_step; got {name}"
    )


def from_step(
    step: Callable[..., Any], state: Any = None, *, name: str | None = None, dtype: str = "float64"
) -> Candidate:
    """A candidate from a function that takes one step.

    Parameters
    ----------
    step : function ``(params, grad, state) -> (params, state)``
        ``params`` and ``grad`` are arrays (d,). A state that is a dictionary is shown to the comparison: its arrays and
        numbers under the names of the reference, or the usual ones of other libraries.
    state : any, default None
        What the first step is given.
    dtype : str, default "float64"
        Of the arrays it is given, and the tolerance.

    >>> import secondorder as so
    >>> def step(params, grad, state):
    ...     return params - 1e-3 * grad / (abs(grad) + 1e-8), state
    >>> so.validate.check(from_step(step), "adam", beta1=0.0, beta2=0.0).agrees
    True
    """

    def iterates(problem: Ledger, x: Array, *, batch_size: int | None = None, rng: Any = None) -> Iterates:
        params, present = np.array(x, dtype=dtype), state
        yield Iterate(x)
        for batch in problem.batches(batch_size, rng):
            grad = batch.grad(np.asarray(params, dtype=np.float64)).astype(dtype)
            grad.flags.writeable = False
            params.flags.writeable = False
            params, present = step(params, grad, present)
            params = np.array(params)
            yield Iterate(np.asarray(params, dtype=np.float64), **quantities(present))
        return "finished"

    return Candidate(name or str(getattr(step, "__name__", "step")), iterates, float(np.finfo(dtype).eps))


def quantities(state: Any, names: Mapping[str, str] = NAMES) -> dict[str, Any]:
    """Of a dictionary its arrays and numbers under the names of this library."""
    if not isinstance(state, Mapping):
        return {}
    numbers = (np.ndarray, float, int, np.generic)
    return {names.get(key, key): np.array(value) for key, value in state.items() if isinstance(value, numbers)}
