"""Sums of squares of the user's own residual."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from secondorder.arrays import Array, is_array
from secondorder.oracles import Problem, explained_derivative


class LeastSquares(Problem):
    """Half the squared length of a residual; made by :func:`least_squares`."""

    def __init__(
        self, residual: Callable[[Array], Array], jac: Callable[[Array], Array] | None, x0: Any, name: str
    ) -> None:
        super().__init__(x0=x0, name=name)
        self.residual, self.jac = residual, jac
        self.linear: tuple[int, ...] = ()
        if jac is None:
            import autograd

            def f(x: Array) -> Any:
                r = residual(x)
                return 0.5 * (r @ r)

            derivatives = (autograd.jacobian(residual), autograd.hessian(f), autograd.hessian_vector_product(f))
            self.jac, self.hess, self.hvp = (explained_derivative(each, "residual") for each in derivatives)

    def f(self, x: Array) -> Any:
        r = self.residual(x)
        return 0.5 * (r @ r)

    def grad(self, x: Array) -> Array:
        return self.jac(x).T @ self.residual(x)


def least_squares(
    residual: Callable[[Array], Array],
    jac: Callable[[Array], Array] | None = None,
    x0: Any = None,
    *,
    linear: Iterable[int] = (),
    name: str | None = None,
) -> LeastSquares:
    r"""A nonlinear least-squares problem from a residual.

    .. math:: f(x)=\tfrac12\|r(x)\|^2,\qquad \nabla f=J^\top r

    Parameters
    ----------
    residual : callable of an array (d,)
        r(x), shape (m,). For a fit: model less data. It may hold infinities or NaN outside the domain.
    jac : callable of an array (d,), optional
        The Jacobian of r, shape (m, d). Without it ``residual`` must be written with ``autograd.numpy``; its Jacobian is
        derived, and the Hessian of f and products with it as well.
    x0 : array (d,), optional
        Where a method starts when it is given no start of its own.
    linear : indices, default none
        The parameters in which r is affine, for given others: ``variable_projection`` eliminates them.
    name : str, optional
        What pictures and histories call it.

    Raises ``TypeError`` or ``ValueError`` for what is no function, for a residual or Jacobian of the wrong shape at
    ``x0``, and for indices that are no parameters.

    >>> import autograd.numpy as anp
    >>> t = anp.asarray([0.0, 1.0, 2.0])
    >>> def decay(x):
    ...     return x[0] * anp.exp(-x[1] * t) - anp.asarray([2.0, 1.0, 0.5])
    >>> p = least_squares(decay, x0=[1.0, 1.0], linear=[0])
    >>> p
    <LeastSquares 'decay', d=2: f, grad, hess, hvp, residual, jac>
    >>> import secondorder as so
    >>> so.minimize(p, "levenberg_marquardt").x.round(6)
    array([2.      , 0.693147])
    """
    for what, given in (("residual", residual), ("jac", jac)):
        if not callable(given) and not (what == "jac" and given is None):
            raise TypeError(f"{what} must be a function; got {type(given).__name__}")
    label = name or getattr(residual, "__name__", "least_squares").replace("<lambda>", "least_squares")
    problem = LeastSquares(residual, jac, x0, label)
    try:
        problem.linear = tuple(operator.index(j) for j in linear)
    except TypeError:
        raise TypeError(f"linear must be whole numbers, the indices of parameters; got {linear!r}") from None
    d = None if problem.x0 is None else problem.x0.shape[0]
    if len(set(problem.linear)) < len(problem.linear) or any(j < 0 or j >= (d or j + 1) for j in problem.linear):
        raise ValueError(f"linear must be different indices from 0 to d - 1, d = {d or 'unknown'}; got {linear!r}")
    if d is not None:
        r, J = problem.residual(problem.x0), problem.jac(problem.x0)
        if not is_array(r) or r.ndim != 1:
            shape = f"shape {tuple(r.shape)}" if is_array(r) else type(r).__name__
            raise ValueError(f"residual must return a vector, an array of shape (m,); got {shape}")
        if not is_array(J) or J.shape != (r.shape[0], d):
            shape = f"shape {tuple(J.shape)}" if is_array(J) else type(J).__name__
            raise ValueError(f"jac must return an array of shape {(r.shape[0], d)}; got {shape}")
    return problem
