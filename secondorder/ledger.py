"""The problem as a method sees it: every oracle call counted, every answer checked, no array shared.

Methods count nothing and check nothing. It happens here, once, because each of these was seen to give silently
wrong results otherwise: a gradient that reuses one buffer, a function that changes its argument, a Hessian of the
wrong shape that broadcasts, a NaN that makes every comparison false.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np

from secondorder.arrays import Array, epsilon, frozen, is_array, namespace, norm, read_only
from secondorder.linalg.layers import Layer
from secondorder.oracles import CLOUD, CORE, ORACLES, RARE, Problem, cloud, point


class NonFinite(FloatingPointError):
    """A gradient, Hessian or product that is not finite at a finite point."""


class Ledger:
    """A problem wrapped for one run; ``counts`` holds the calls of each oracle, those of a batch as its share.

    Attributes that are not oracles (``f_star``, ``name``, data) are those of the problem.

    >>> from secondorder.problems import quadratic
    >>> ledger = Ledger(quadratic([1.0, 4.0]))
    >>> _ = ledger.hvp(ledger.x, ledger.x), ledger.grad(ledger.x)
    >>> ledger.counts["hvp"], ledger.counts["grad"]
    (1, 1)
    """

    def __init__(self, problem: Problem, x: Any = None, particles: bool = False) -> None:
        self.problem = a_problem(problem)
        offered = {*CORE, *problem.oracles} - set(RARE)
        self.counts: dict[str, float] = dict.fromkeys(sorted(offered, key=list(ORACLES).index), 0)
        self.share: float = 1
        self._dense: tuple[Array, Array] | None = None
        self._rows: int | None = None
        self.particles = particles
        if particles:
            _check_law(problem)
            self.x = cloud(x, None if problem.x0 is None else problem.x0.shape[0])
            return
        if x is None and problem.x0 is None:
            raise ValueError(f"problem {problem.name!r} has no x0 of its own: give a start x0")
        self.x = point(problem.x0 if x is None else x)
        if problem.x0 is not None and problem.x0.shape != self.x.shape:
            raise ValueError(
                f"x0 must have shape {tuple(problem.x0.shape)} for problem {problem.name!r}; got {tuple(self.x.shape)}"
            )
        if problem.constraint is not None and not problem.constraint.contains(self.x):
            raise ValueError(
                f"x0 must lie in {problem.constraint}; it is {problem.constraint.violation(self.x):.2g} outside"
            )
        if not self.domain(self.x):
            raise ValueError(f"x0 must lie where {problem.name!r} is defined; its domain says that it does not")
        self.counts = dict.fromkeys(self.counts, 0)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a copy is asked for some before it has a problem
            raise AttributeError(name)
        return getattr(self.problem, name)

    @property
    def oracles(self) -> tuple[str, ...]:
        """The oracles on offer; a dense Hessian also serves for ``hvp``."""
        own = self.problem.oracles
        return (*own, "hvp") if "hess" in own and "hvp" not in own else own

    def batches(self, batch_size: int | None, rng: np.random.Generator) -> Iterator[Ledger]:
        """Random batches of the data without end; the whole of it for None."""
        if batch_size is None:
            while True:
                yield self
        for problem in self.problem.batches(batch_size, rng):
            batch = copy.copy(self)
            batch.problem, batch._dense = problem, None
            if problem is not self.problem:
                batch.share = problem.n / self.problem.n  # type: ignore[attr-defined]
            yield batch

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
        return _symmetric("hess", self._checked("hess", self._ask("hess", x), x, (x.shape[0], x.shape[0])))

    def hvp(self, x: Array, v: Array) -> Array:
        """The Hessian-vector product; from ``hess`` (and counted as that) where the problem has no hvp."""
        if self.problem.hvp is not None:
            return self._checked("hvp", self._ask("hvp", x, v), x, x.shape)
        if self._dense is None or self._dense[0] is not x:
            self._dense = (x, self.hess(x))
        return self._dense[1] @ v

    def third(self, x: Array, h: Array) -> Array:
        """The third derivative applied to h twice, shape (d,)."""
        return self._checked("third", self._ask("third", x, h), x, x.shape)

    def metric(self, v: Array) -> Array:
        """The product with the fixed matrix that bounds the Hessian, shape (d,)."""
        return self._checked("metric", self._ask("metric", v), v, v.shape)

    def residual(self, x: Array) -> Array:
        """The residual, shape (m,), m as the first time; it may hold infinities or NaN outside the domain."""
        r = self._ask("residual", x)
        r = self._checked("residual", r, x, (self._rows or max(1, getattr(r, "size", 0)),), finite=False)
        self._rows = r.shape[0]
        return r

    def jac(self, x: Array) -> Array:
        """The Jacobian of the residual, shape (m, d)."""
        J = self._ask("jac", x)
        return self._checked("jac", J, x, (self._rows or max(1, *getattr(J, "shape", (1,))[:1]), x.shape[0]))

    def ggn_product(self, x: Array, v: Array) -> Array:
        """The product with the generalised Gauss-Newton matrix, shape (d,)."""
        return self._checked("ggn_product", self._ask("ggn_product", x, v), x, x.shape)

    def diagonal_rank_one(self, x: Array) -> tuple[Array, float]:
        """The diagonal (d,) of an approximate Hessian and the weight of its term gg', neither negative."""
        answer = self._ask("diagonal_rank_one", x)
        if not isinstance(answer, tuple) or len(answer) != 2 or not is_array(answer[0]):
            raise TypeError(f"diagonal_rank_one must return {ORACLES['diagonal_rank_one']}; got {_kind(answer)}")
        diagonal = self._checked("diagonal_rank_one", answer[0], x, x.shape)
        weight = float(answer[1])
        if not math.isfinite(weight):
            raise NonFinite("diagonal_rank_one returned a weight that is not finite")
        if weight < 0.0 or bool(namespace(x).any(diagonal < 0.0)):
            raise ValueError("diagonal_rank_one must return a diagonal and a weight that are not negative")
        return diagonal, weight

    def lmo(self, grad: Array) -> Array:
        """A vertex of the feasible set that minimises the inner product with ``grad``, shape (d,)."""
        vertex = self._checked("lmo", self._ask("lmo", grad), grad, grad.shape)
        step = vertex - self.x
        above = float(grad @ step)
        if above > 0.0:  # more than at the start, which is feasible; a set may answer with a few digits only
            allowance = 1e-2 * norm(step) + math.sqrt(epsilon(grad)) * (norm(vertex) + norm(self.x))
            if above > norm(grad) * allowance:
                raise ValueError(
                    "lmo must return a point v of the feasible set with the least <grad, v>; at the start x0 it is "
                    f"{above:.2g} less than at the answer. Does lmo maximise, or is x0 not in the set?"
                )
        return vertex

    def project(self, x: Array) -> Array:
        """The point of the feasible set nearest to x, shape (d,)."""
        first, feasible = not self.counts["project"], self.problem.constraint
        nearest = self._checked("project", self._ask("project", x), x, x.shape)
        if first and feasible is not None:  # with allowance for the rounding of an x far away
            outside = feasible.violation(nearest)
            if outside > math.sqrt(epsilon(x)) * max(feasible.diameter, norm(x)):
                raise ValueError(f"project must return a point of {feasible}; its answer is {outside:.2g} outside")
        return nearest

    def domain(self, x: Array) -> bool:
        """Whether f is defined at x; True for a problem that does not say."""
        if self.problem.domain is None:
            return True
        inside = self._ask("domain", x)
        if isinstance(inside, (bool, np.bool_)) or (is_array(inside) and inside.ndim == 0):
            return bool(inside)
        raise TypeError(f"domain must return True or False; got {inside!r}")

    def output_loss(self, x: Array) -> tuple[Array, Array]:
        """Gradient (n, C) and Hessian (n, C, C) of each example's loss with respect to its outputs."""
        answer = self._ask("output_loss", x)
        if not _is_pair(answer):
            raise TypeError(f"output_loss must return {ORACLES['output_loss']}: two arrays; got {_kind(answer)}")
        shapes = tuple(tuple(part.shape) for part in answer)
        if len(shapes[0]) != 2 or shapes[1] != (*shapes[0], shapes[0][1]):
            raise ValueError(f"output_loss must return arrays of shapes (n, C) and (n, C, C); got {shapes}")
        first, second = (self._checked("output_loss", part, x, part.shape) for part in answer)
        return first, second

    def signals(
        self, x: Array, kind: str, rng: np.random.Generator | None = None, samples: int = 1
    ) -> tuple[Layer, ...]:
        """For each layer its inputs (n, a) and back-propagated signals (K, n, b); counted K times."""
        layers = self._ask("signals", x, kind, rng, samples)
        if not isinstance(layers, (tuple, list)) or not layers or not all(map(_is_pair, layers)):
            raise TypeError(
                f"signals must return for each layer a pair of arrays (inputs, signals); got {_kind(layers)}"
            )
        shapes = [(tuple(inputs.shape), tuple(signals.shape)) for inputs, signals in layers]
        n, K = shapes[0][0][:1], shapes[0][1][:1]
        fitting = all(len(a) in (2, 3) and a[:1] == n and s[:-1] == K + a[:-1] for a, s in shapes)
        if not fitting or sum(a[-1] * s[-1] for a, s in shapes) != x.shape[0]:
            raise ValueError(
                "signals must return inputs (n, a) and signals (K, n, b), or for R positions (n, R, a) and (K, n, R, b), "
                "n and K the same for all layers and the "
                f"products a b adding up to {x.shape[0]}; got {', '.join(map(str, shapes))}"
            )
        self.counts["signals"] += (K[0] - 1) * self.share
        return tuple(Layer(*(self._checked("signals", part, x, part.shape) for part in layer)) for layer in layers)

    def score(self, x: Array, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The gradient of log p_t of each particle, shape (n, d); counted once for all of them."""
        return self._checked("score", self._ask("score", x, alpha=alpha, sigma=sigma), x, x.shape)

    def score_hessian(self, x: Array, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The Hessian of log p_t of each particle, shape (n, d, d)."""
        answer = self._ask("score_hessian", x, alpha=alpha, sigma=sigma)
        return _symmetric("score_hessian", self._checked("score_hessian", answer, x, (*x.shape, x.shape[1])))

    def log_density(self, x: Array, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """log p_t of each particle up to a constant, shape (n,); it may be infinite or NaN where there is no density."""
        answer = self._ask("log_density", x, alpha=alpha, sigma=sigma)
        return self._checked("log_density", answer, x, x.shape[:1], finite=False)

    def _ask(self, oracle: str, *arguments: Any, **level: float) -> Any:
        self.counts[oracle] = self.counts.get(oracle, 0) + self.share
        try:
            return getattr(self.problem, oracle)(*(read_only(a) if is_array(a) else a for a in arguments), **level)
        except ValueError as error:
            if "read-only" in str(error):
                raise ValueError(f"{oracle} writes to its argument: let it work on a copy of x") from error
            raise

    def _checked(self, oracle: str, answer: Array, x: Array, shape: tuple[int, ...], finite: bool = True) -> Array:
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
        elif not self.problem.fresh or oracle in ("lmo", "project"):  # fresh says nothing of the feasible set
            answer = xp.asarray(answer, copy=True)
        if finite and not bool(xp.all(xp.isfinite(answer))):
            raise NonFinite(f"{oracle} returned a value that is not finite")
        return frozen(answer)


def a_problem(problem: Any) -> Problem:
    """``problem``, or an error that says how to make one."""
    if not isinstance(problem, Problem):
        raise TypeError(
            f"problem must be a Problem; got {type(problem).__name__}. "
            "Wrap a function with Problem.from_function(f, x0=...) or Problem(f, grad=..., x0=...)"
        )
    return problem


def _check_law(problem: Problem) -> None:
    for name in CLOUD:
        oracle = getattr(problem, name)
        if oracle is not None:
            try:
                inspect.signature(oracle).bind(None, alpha=1.0, sigma=0.0)
            except TypeError:
                raise TypeError(f"{name} must take the keywords alpha and sigma: {ORACLES[name]}") from None
            except ValueError:  # built in, without a signature
                continue


def _symmetric(oracle: str, H: Array) -> Array:
    xp = namespace(H)
    if float(xp.max(xp.abs(H - xp.matrix_transpose(H)))) > 1e-4 * float(xp.max(xp.abs(H))):
        raise ValueError(f"{oracle} must return a symmetric matrix; got one that differs from its transpose")
    return H


def _is_pair(answer: Any) -> bool:
    return isinstance(answer, tuple) and len(answer) == 2 and all(map(is_array, answer))


def _kind(answer: Any) -> str:
    return f"{type(answer).__name__} of {len(answer)}" if isinstance(answer, (tuple, list)) else type(answer).__name__
