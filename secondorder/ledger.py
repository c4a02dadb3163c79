"""The problem as a method sees it: every oracle call counted, every answer checked, no array shared.

Methods count nothing and check nothing. It happens here, once, because each of these was seen to give silently
wrong results otherwise: a gradient that reuses one buffer, a function that changes its argument, a Hessian of the
wrong shape that broadcasts, a NaN that makes every comparison false.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

from secondorder.arrays import Array, frozen, is_array, namespace, read_only
from secondorder.oracles import ORACLES, Problem, point


class NonFinite(FloatingPointError):
    """A gradient, Hessian or product that is not finite at a finite point."""


class Ledger:
    """A problem wrapped for one run; ``counts`` holds the calls of each oracle.

    Attributes that are not oracles (``f_star``, ``name``, data) are those of the problem.

    >>> from secondorder.problems import quadratic
    >>> ledger = Ledger(quadratic([1.0, 4.0]))
    >>> _ = ledger.hvp(ledger.x, ledger.x), ledger.grad(ledger.x)
    >>> ledger.counts["hvp"], ledger.counts["grad"]
    (1, 1)
    """

    def __init__(self, problem: Problem, x: Any = None) -> None:
        if not isinstance(problem, Problem):
            raise TypeError(
                f"problem must be a Problem; got {type(problem).__name__}. "
                "Wrap a function with Problem.from_function(f, x0=...) or Problem(f, grad=..., x0=...)"
            )
        if x is None and problem.x0 is None:
            raise ValueError(f"problem {problem.name!r} has no x0 of its own: give a start x0")
        self.problem: Problem = problem
        self.x = point(problem.x0 if x is None else x)
        if problem.x0 is not None and problem.x0.shape != self.x.shape:
            raise ValueError(
                f"x0 must have shape {tuple(problem.x0.shape)} for problem {problem.name!r}; got {tuple(self.x.shape)}"
            )
        self.counts = dict.fromkeys(ORACLES, 0)
        self._dense: tuple[Array, Array] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

    @property
    def oracles(self) -> tuple[str, ...]:
        """The oracles on offer; a dense Hessian also serves for ``hvp``."""
        own = self.problem.oracles
        return (*own, "hvp") if "hess" in own and "hvp" not in own else own

    def f(self, x: Array) -> float:
        """The value as a Python float; it may be infinite or NaN outside the domain of f."""
        value = self._ask("f", x)
        if isinstance(value, Real):
            return float(value)
        if not is_array(value) or namespace(value).isdtype(value.dtype, "complex floating"):
            raise TypeError(f"f must return a real number; got {value!r}")
        if value.size != 1:
            raise ValueError(f"f must return one number; got an array of shape {tuple(value.shape)}")
        return float(namespace(value).reshape(value, ()))

    def grad(self, x: Array) -> Array:
        """The gradient, shape (d,), in the dtype of ``x``."""
        return self._checked("grad", self._ask("grad", x), x, x.shape)

    def hess(self, x: Array) -> Array:
        """The Hessian, shape (d, d), in the dtype of ``x``; symmetric to rounding."""
        H = self._checked("hess", self._ask("hess", x), x, (x.shape[0], x.shape[0]))
        xp = namespace(H)
        if float(xp.max(xp.abs(H - H.T))) > 1e-4 * float(xp.max(xp.abs(H))):
            raise ValueError("hess must return a symmetric matrix; got one that differs from its transpose")
        return H

    def hvp(self, x: Array, v: Array) -> Array:
        """The Hessian-vector product; from ``hess`` (and counted as that) where the problem has no hvp."""
        if self.problem.hvp is not None:
            return self._checked("hvp", self._ask("hvp", x, v), x, x.shape)
        if self._dense is None or self._dense[0] is not x:
            self._dense = (x, self.hess(x))
        return self._dense[1] @ v

    def _ask(self, oracle: str, *arguments: Array) -> Any:
        self.counts[oracle] += 1
        try:
            return getattr(self.problem, oracle)(*map(read_only, arguments))
        except ValueError as error:
            if "read-only" in str(error):
                raise ValueError(f"{oracle} writes to its argument: let it work on a copy of x") from error
            raise

    def _checked(self, oracle: str, answer: Array, x: Array, shape: tuple[int, ...]) -> Array:
        if not is_array(answer) or type(answer) is not type(x):
            raise TypeError(
                f"{oracle} must return {ORACLES[oracle]}, of the array library of x ({type(x).__name__}); "
                f"got {type(answer).__name__}"
            )
        if answer.shape != shape:
            raise ValueError(f"{oracle} must return an array of shape {tuple(shape)}; got {tuple(answer.shape)}")
        xp = namespace(x)
        if answer.dtype != x.dtype:
            if xp.isdtype(answer.dtype, "complex floating"):
                raise TypeError(f"{oracle} must be real; got dtype {answer.dtype}")
            answer = xp.astype(answer, x.dtype)
        elif not self.problem.fresh:
            answer = xp.asarray(answer, copy=True)
        if not bool(xp.all(xp.isfinite(answer))):
            raise NonFinite(f"{oracle} returned a value that is not finite")
        return frozen(answer)
