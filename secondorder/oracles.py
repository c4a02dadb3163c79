"""What a method may ask of a problem.

A problem offers some of the oracles in :data:`ORACLES`; a method names those that it needs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from secondorder.arrays import Array, is_array, is_sparse, library, namespace, to_numpy
from secondorder.sets.feasible_set import FeasibleSet

ORACLES = {
    "f": "the value f(x), a number",
    "grad": "the gradient, an array shaped like x",
    "hess": "the dense Hessian, an array of shape (d, d)",
    "hvp": "the Hessian-vector product hvp(x, v), an array shaped like x",
    "third": "third(x, h), the third derivative applied to h twice, D^3 f(x)[h, h], an array shaped like x",
    "metric": "metric(v), the product Bv with a fixed matrix B, mu B <= Hessian <= L B at every x, shaped like v",
    "residual": "the residual vector r(x), an array of shape (m,)",
    "jac": "the Jacobian of the residual, an array of shape (m, d)",
    "ggn_product": "the product ggn_product(x, v) with the generalised Gauss-Newton matrix, an array shaped like x",
    "diagonal_rank_one": "the diagonal D >= 0 and the weight c >= 0 of an approximate Hessian diag(D) + c g g', a pair",
    "signals": "signals(x, kind, rng, samples), for each layer its inputs and back-propagated signals",
    "output_loss": "for each example gradient (n, C) and Hessian (n, C, C) of its loss with respect to its outputs",
    "lmo": "lmo(grad), a point v of the feasible set with the least <grad, v>, an array shaped like x",
    "project": "project(x), the point of the feasible set nearest to x, an array shaped like x",
    "domain": "domain(x), True where f is defined; without it, everywhere",
    "score": "score(X, alpha=, sigma=), for each row of X (n, d) the gradient of log p_t, an array shaped like X",
    "score_hessian": "score_hessian(X, alpha=, sigma=), for each row of X the Hessian of log p_t, of shape (n, d, d)",
    "log_density": "log_density(X, alpha=, sigma=), for each row of X log p_t up to a constant, of shape (n,)",
}
CORE = ("f", "grad", "hess", "hvp")
"""The oracles of any smooth function."""
RARE = ("third", "metric", "diagonal_rank_one")
"""Oracles that few methods ask for: they are in the books from their first call on."""
CLOUD = ("score", "score_hessian", "log_density")
"""The oracles of a law to draw samples from: of all particles at once, at the noise level x_t = alpha x_0 + sigma noise."""


class Problem:
    r"""A function to minimise, given by its oracles.

    Parameters
    ----------
    f, grad, hess : callable of one array of shape (d,)
        Value, gradient of shape (d,) and Hessian of shape (d, d). Give those that you have.
    hvp : callable of two arrays of shape (d,)
        The product of the Hessian at the first with the second. Without it, methods that need it use ``hess``.
    third : callable of two arrays of shape (d,), optional
        :math:`D^3f(x)[h,h]`, shape (d,): how the product :math:`\nabla^2f(x)h` changes when x moves along h.
    metric : callable of one array of shape (d,), optional
        The product with a fixed positive definite matrix B that bounds the Hessian, :math:`\mu B\preceq\nabla^2f(x)\preceq LB`.
    diagonal_rank_one : callable of one array of shape (d,), optional
        A pair of D, shape (d,), and a number c, such that :math:`\mathrm{diag}(D)+c\,\nabla f\,\nabla f^\top` is near the
        Hessian; neither is negative.
    residual, jac, ggn_product, signals, output_loss : callable, optional
        For sums of squares, see :func:`secondorder.problems.least_squares`, and for networks, see
        :func:`secondorder.problems.mlp`, which define them.
    constraint : FeasibleSet, optional
        Where x must lie, see :mod:`secondorder.sets`: it gives ``lmo`` and ``project``, and a start if ``x0`` is not given.
    lmo, project, domain : callable, optional
        Linear minimisation oracle and projection of a set of your own, before those of ``constraint``; where f is defined.
    score, score_hessian, log_density : callable of an array (n, d) and the keywords alpha and sigma, optional
        For :func:`secondorder.sample`: of every particle at once, gradient and Hessian of :math:`\log p_t`, and
        :math:`\log p_t` up to a constant, :math:`p_t` being the law of :math:`\alpha x_0+\sigma\varepsilon`.
    x0 : array of shape (d,), optional
        Where a method starts when it is given no start of its own.
    name : str
        What pictures and histories call it.
    f_star : float, optional
        The least value, where known: histories then show the gap.
    fresh : bool, default False
        Whether the oracles allocate each answer anew. Otherwise answers are copied, since a function that fills
        one buffer again and again would change answers already given.

    Built-in problems are subclasses that define the oracles as methods and keep their data in attributes,
    so that :func:`to_device` can move them.

    >>> p = Problem(lambda x: float(x @ x), grad=lambda x: 2 * x, x0=[3.0, 4.0])
    >>> p.oracles, p.x0
    (('f', 'grad'), array([3., 4.]))
    """

    f: Any = None
    grad: Any = None
    hess: Any = None
    hvp: Any = None
    third: Any = None
    metric: Any = None
    residual: Any = None
    jac: Any = None
    ggn_product: Any = None
    diagonal_rank_one: Any = None
    signals: Any = None
    output_loss: Any = None
    lmo: Any = None
    project: Any = None
    domain: Any = None
    score: Any = None
    score_hessian: Any = None
    log_density: Any = None
    constraint: FeasibleSet | None = None
    residual_weight: float = 0.5
    """f is this times the squared norm of the residual."""
    l2: float = 0.0
    """f holds l2/2 |x|^2, which is not in ``ggn_product`` and ``signals``."""
    f_star: float | None = None
    x_star: Array | None = None
    fresh = True

    def __init__(
        self,
        f: Callable[[Array], float] | None = None,
        grad: Callable[[Array], Array] | None = None,
        hess: Callable[[Array], Array] | None = None,
        hvp: Callable[[Array, Array], Array] | None = None,
        *,
        x0: Any = None,
        name: str = "problem",
        f_star: float | None = None,
        fresh: bool = False,
        constraint: FeasibleSet | None = None,
        **more: Callable[..., Any],
    ) -> None:
        self.name = name
        self.x0 = None if x0 is None else point(x0, "x0")
        if constraint is not None:
            self._constrain(constraint)
        for oracle, given in {"f": f, "grad": grad, "hess": hess, "hvp": hvp, **more}.items():
            if oracle not in ORACLES:
                raise TypeError(f"Problem has no oracle {oracle!r}; it takes {', '.join(ORACLES)}")
            if given is not None:
                if not callable(given):
                    raise TypeError(f"{oracle} must be a function ({ORACLES[oracle]}); got {type(given).__name__}")
                setattr(self, oracle, given)
        self.f_star = f_star
        self.fresh = fresh

    @property
    def oracles(self) -> tuple[str, ...]:
        """The names of the oracles that this problem offers."""
        return tuple(name for name in ORACLES if getattr(self, name) is not None)

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[Problem]:
        """Without end, the problem restricted to random batches of its data; one without data is its own only batch."""
        while True:
            yield self

    def subject_to(self, constraint: FeasibleSet) -> Problem:
        """The same function on a feasible set, from its own start if that is feasible, else from that of the set.

        >>> from secondorder.problems import quadratic
        >>> from secondorder.sets import Simplex
        >>> quadratic([1.0, 2.0]).subject_to(Simplex(2))
        <Quadratic 'quadratic on Simplex(2)', d=2: f, grad, hess, hvp, third, metric, lmo, project>
        """
        problem = copy.copy(self)
        problem.f_star = problem.x_star = None
        problem._constrain(constraint)
        if not constraint.contains(problem.x0):
            like: Array = problem.x0
            problem.x0 = namespace(like).asarray(constraint.start, dtype=like.dtype)
        problem.name = f"{self.name} on {constraint}"
        return problem

    def _constrain(self, constraint: FeasibleSet) -> None:
        if not isinstance(constraint, FeasibleSet):
            raise TypeError(f"constraint must be a set of secondorder.sets; got {type(constraint).__name__}")
        if self.x0 is not None and self.x0.shape[0] != constraint.d:
            raise ValueError(
                f"constraint {constraint} has dimension {constraint.d}; the problem has {self.x0.shape[0]}"
            )
        self.constraint, self.lmo, self.project = constraint, constraint.lmo, constraint.project
        if self.x0 is None:
            self.x0 = constraint.start

    @staticmethod
    def from_function(f: Callable[[Array], Any], x0: Any = None, name: str | None = None) -> Problem:
        """A problem from a function written with ``autograd.numpy``: gradient, Hessian, hvp and third are derived.

        NumPy only. ``linalg.vector_norm`` has no derivative rule in autograd; write ``np.sqrt(np.sum(x * x))``.

        >>> import autograd.numpy as anp
        >>> p = Problem.from_function(lambda x: anp.sum(anp.cosh(x)), x0=[1.0, 2.0])
        >>> bool(np.allclose(p.grad(p.x0), np.sinh(p.x0)))
        True
        """
        import autograd

        label = name or getattr(f, "__name__", "function").replace("<lambda>", "function")
        grad, hess, hvp = map(
            explained_derivative, (autograd.grad(f), autograd.hessian(f), autograd.hessian_vector_product(f))
        )
        curvature = autograd.hessian_vector_product(f)
        third = explained_derivative(lambda x, h: autograd.grad(lambda z: curvature(z, h) @ h)(x))
        problem = Problem(f, grad, hess, hvp, x0=x0, name=label, third=third)
        problem.fresh = True
        return problem

    def __repr__(self) -> str:
        size = "" if self.x0 is None else f", d={self.x0.shape[0]}"
        return f"<{type(self).__name__} {self.name!r}{size}: {', '.join(self.oracles)}>"


def explained_derivative(derivative: Callable[..., Array], name: str = "f") -> Callable[..., Array]:
    """The same derivative, with autograd's two commonest errors in words."""

    def explained(*arguments: Array) -> Array:
        try:
            return derivative(*arguments)
        except TypeError as error:
            if "ArrayBox" in str(error):
                raise TypeError(
                    f"{name} cannot be differentiated: use autograd.numpy in it, not math or float()"
                ) from error
            if "scalar-output" in str(error):
                raise TypeError("f must return one number to be differentiated") from error
            raise

    return explained


def point(x: Any, name: str = "x0") -> Array:
    """``x`` as a floating-point vector, or an error that says what is wrong with it.

    Lists and integers become float64; float32 and float64 arrays are kept as they are; a copy is never shared
    with the caller.

    >>> point([1, 2])
    array([1., 2.])
    """
    if not is_array(x):
        try:
            x = np.asarray(x)
        except ValueError:
            raise ValueError(f"{name} must be a vector of real numbers; got {x!r}") from None
        if x.dtype == object:
            raise TypeError(f"{name} must be a vector of real numbers; got {x.tolist()!r}")
    xp = namespace(x)
    if xp.isdtype(x.dtype, "complex floating"):
        raise TypeError(f"{name} must be real; got dtype {x.dtype}")
    if xp.isdtype(x.dtype, ("integral", "bool")):
        x = xp.astype(x, xp.float64)
    elif x.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"{name} must hold float32 or float64 numbers; got dtype {x.dtype}")
    if x.ndim != 1 or x.shape[0] == 0:
        raise ValueError(f"{name} must be a vector with at least one entry; got shape {tuple(x.shape)}")
    if not bool(xp.all(xp.isfinite(x))):
        raise ValueError(f"{name} must be finite; got {x!r}")
    return xp.asarray(x, copy=True)


def cloud(x: Any, d: int | None = None) -> Array:
    """``x`` as particles, a floating-point array of shape (n, d), or an error that says what is wrong with it.

    >>> cloud([[1, 2], [3, 4], [5, 6]], 2).shape
    (3, 2)
    """
    flat = x
    if not is_array(x):
        try:
            flat = x = np.asarray(x)
        except ValueError:
            raise ValueError(f"x must hold a particle in each row; got {x!r}") from None
        if x.dtype == object:
            raise TypeError(f"x must hold a particle in each row, of real numbers; got {x.tolist()!r}")
    if flat.ndim != 2 or 0 in flat.shape or d not in (None, flat.shape[1]):
        raise ValueError(f"x must have shape (n, {d or 'd'}), a particle in each row; got {tuple(flat.shape)}")
    return namespace(x).reshape(point(namespace(x).reshape(x, (-1,)), "x"), x.shape)


def to_device(problem: Problem, name: str, dtype: str | None = None) -> Problem:
    """The same problem with its data in another array library, ``"cupy"`` for the GPU.

    Parameters
    ----------
    problem : Problem
        A built-in problem, or your own whose functions work on arrays of that library.
    name : str
        ``"numpy"``, ``"cupy"`` or ``"array_api_strict"``.
    dtype : str, optional
        ``"float32"`` or ``"float64"``; by default the data keeps its precision.

    >>> from secondorder.problems import quadratic
    >>> to_device(quadratic([1.0, 2.0]), "numpy", dtype="float32").x0.dtype
    dtype('float32')
    """
    xp = library(name)
    moved = copy.copy(problem)
    for attribute, value in vars(problem).items():
        if is_sparse(value):
            if name == "cupy":
                from cupyx.scipy import sparse as cupy_sparse

                value = cupy_sparse.csr_matrix(value)
            elif name != "numpy":
                value = value.toarray()
            if dtype is not None:
                value = value.astype(dtype)
        if is_array(value) and not is_sparse(value):
            value = _moved(value, xp, dtype)
        setattr(moved, attribute, value)
    if problem.constraint is not None:
        moved.constraint = moved_set = copy.copy(problem.constraint)
        for attribute, value in vars(moved_set).items():
            if is_array(value):
                setattr(moved_set, attribute, _moved(value, xp, dtype))
        for oracle in ("lmo", "project"):
            if getattr(problem, oracle) == getattr(problem.constraint, oracle):
                setattr(moved, oracle, getattr(moved_set, oracle))
    return moved


def _moved(value: Array, xp: Any, dtype: str | None) -> Array:
    value = to_numpy(value)
    kind = value.dtype if dtype is None or value.dtype.kind != "f" else np.dtype(dtype)
    return xp.asarray(value.astype(kind), dtype=getattr(xp, kind.name))
