"""A power of the norm of a function: its Gauss-Newton matrix, and its diagonal with a term of rank one."""

from __future__ import annotations

import math
from abc import abstractmethod
from numbers import Real
from typing import Any

from secondorder.arrays import Array, namespace
from secondorder.oracles import Problem


class PowerOfNorm(Problem):
    r"""The function :math:`\frac1p\|u(x)\|^p` of the ``inner`` function u with Jacobian ``inner_jac``."""

    p: float

    @abstractmethod
    def inner(self, x: Array) -> Array:
        """u(x)."""

    @abstractmethod
    def inner_jac(self, x: Array) -> Array:
        """Its Jacobian."""

    def f(self, x: Array) -> Array:
        return namespace(x).linalg.vector_norm(self.inner(x)) ** self.p / self.p

    def grad(self, x: Array) -> Array:
        u = self.inner(x)
        return namespace(x).linalg.vector_norm(u) ** (self.p - 2.0) * (self.inner_jac(x).T @ u)

    def ggn_product(self, x: Array, v: Array) -> Array:
        """The product with the Hessian less its term with the second derivatives of u."""
        u, J = self.inner(x), self.inner_jac(x)
        size = namespace(x).linalg.vector_norm(u)
        if not size > 0.0:
            return size ** (self.p - 2.0) * (J.T @ (J @ v))
        s = J.T @ (u / size)
        return size ** (self.p - 2.0) * (J.T @ (J @ v) + (self.p - 2.0) * (s @ v) * s)

    def diagonal_rank_one(self, x: Array) -> tuple[Array, Array]:
        """The diagonal of |u|^(p-2) J'J, and (p - 2) / |u|^p, which makes of gg' the term of rank one."""
        xp = namespace(x)
        size = xp.linalg.vector_norm(self.inner(x))
        diagonal = size ** (self.p - 2.0) * xp.sum(self.inner_jac(x) ** 2, axis=0)
        return diagonal, (self.p - 2.0) / size**self.p if size**self.p > 0.0 else xp.zeros_like(size)


def exponent(p: Any) -> float:
    """A power of the norm that is twice differentiable, or an error that names it."""
    if isinstance(p, bool) or not isinstance(p, Real) or not 2.0 <= float(p) < math.inf:
        raise ValueError(f"p must be a finite number, at least 2; got {p!r}")
    return float(p)
