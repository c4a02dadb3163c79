"""A power of the norm of a linear residual, whose Hessian is a Gram matrix and a term of rank one."""

from __future__ import annotations

from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.checks import whole
from secondorder.problems.power_of_norm import PowerOfNorm, exponent


class PowerOfResidual(PowerOfNorm):
    """Made by :func:`power_of_residual`. ``A`` (n, d), ``b`` (n,) and ``p``."""

    def __init__(self, A: Array, b: Array, p: float, x_star: Array) -> None:
        super().__init__(x0=np.zeros(A.shape[1]), name="power_of_residual", f_star=0.0, fresh=True)
        self.A, self.b, self.p, self.x_star = A, b, p, x_star
        norm_of_A = float(np.linalg.norm(A, 2))
        self.lipschitz_hess = 2.0 * norm_of_A**3 if p == 3 else None
        self.lipschitz_third = 6.0 * norm_of_A**4 if p == 4 else None

    def inner(self, x: Array) -> Array:
        return self.A @ x - self.b

    def inner_jac(self, x: Array) -> Array:
        return self.A

    def hess(self, x: Array) -> Array:
        xp, u = namespace(x), self.inner(x)
        size = xp.linalg.vector_norm(u)
        H = size ** (self.p - 2.0) * (self.A.T @ self.A)
        if not size > 0.0:
            return H
        s = self.A.T @ (u / size)
        return H + (self.p - 2.0) * size ** (self.p - 2.0) * s[:, None] * s

    hvp = PowerOfNorm.ggn_product


def power_of_residual(p: float = 4, n: int = 200, d: int = 20, seed: int = 0) -> PowerOfResidual:
    r"""A power of the norm of a linear residual that can be made zero, from the origin.

    .. math::

        f(x)=\frac1p\|Ax-b\|^p,\qquad
        \nabla^2f=\|u\|^{p-2}A^\top A+\frac{p-2}{\|u\|^p}\,\nabla f\,\nabla f^\top,\quad u=Ax-b

    Convex; the entries of A are uniform on [-1, 1] and :math:`b=Ax^*` with a standard normal :math:`x^*`. For p > 2 the
    Hessian at the solution is zero, and no constant bounds that of the gradient everywhere.

    Parameters
    ----------
    p : float ≥ 2, default 4
    n : int ≥ 1, default 200
        Rows. With fewer than d the minimum is not unique.
    d : int ≥ 1, default 20
    seed : int, default 0

    Returns
    -------
    PowerOfResidual
        With ``A``, ``b``, ``p``, ``x_star``; ``lipschitz_hess`` :math:`=2\|A\|^3` for p = 3 and ``lipschitz_third``
        :math:`=6\|A\|^4` for p = 4, otherwise None. ``diagonal_rank_one`` answers the diagonal of
        :math:`\|u\|^{p-2}A^\top A` and :math:`(p-2)/\|u\|^p`; ``ggn_product`` is the product with the Hessian, u being linear.

    >>> import secondorder as so
    >>> p = so.problems.power_of_residual(p=3, n=5, d=2)
    >>> float(p.f(p.x_star)), bool(np.linalg.norm(p.grad(p.x_star)) < 1e-15)
    (0.0, True)
    """
    n, d, p = whole("n", n), whole("d", d), exponent(p)
    rng: Any = np.random.default_rng(seed)
    A, x_star = rng.uniform(-1.0, 1.0, (n, d)), rng.standard_normal(d)
    return PowerOfResidual(A, A @ x_star, p, x_star)
