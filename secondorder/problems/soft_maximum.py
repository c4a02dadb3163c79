"""The soft maximum of affine functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.checks import size, whole
from secondorder.oracles import Problem


class SoftMaximum(Problem):
    """Made by :func:`soft_maximum`. ``A`` (n, d), ``b`` (n,) and ``mu``."""

    def __init__(self, A: Array, b: Array, mu: float) -> None:
        super().__init__(x0=np.full(A.shape[1], 3.0), name="soft_maximum", fresh=True)
        self.A, self.b, self.mu = A, b, mu
        self.x_star = np.zeros(A.shape[1])
        self.f_star = float(self.f(self.x_star))
        rho = float(np.sqrt(np.max(np.sum(A * A, axis=1))))
        self.lipschitz_grad = rho**2 / mu
        self.lipschitz_hess = 2.0 * rho**3 / mu**2
        self.lipschitz_third = 2.0 * rho**4 / mu**3

    def f(self, x: Array) -> Array:
        xp = namespace(x)
        z = (self.A @ x - self.b) / self.mu
        top = xp.max(z)
        return self.mu * (top + xp.log(xp.sum(xp.exp(z - top))))

    def probabilities(self, x: Array) -> Array:
        """The weight of each affine function in the maximum, shape (n,); they add up to 1."""
        xp = namespace(x)
        z = (self.A @ x - self.b) / self.mu
        e = xp.exp(z - xp.max(z))
        return e / xp.sum(e)

    def grad(self, x: Array) -> Array:
        return self.A.T @ self.probabilities(x)

    def hess(self, x: Array) -> Array:
        """The covariance of the rows of A under the probabilities, over mu."""
        pi = self.probabilities(x)
        centred = namespace(x).sqrt(pi)[:, None] * (self.A - self.A.T @ pi)
        return centred.T @ centred / self.mu

    def hvp(self, x: Array, v: Array) -> Array:
        pi, Av = self.probabilities(x), self.A @ v
        return self.A.T @ (pi * (Av - pi @ Av)) / self.mu

    def ggn_product(self, x: Array, v: Array) -> Array:
        """The product with A' diag(pi) A / mu, the Hessian without its negative term - gg'/mu."""
        return self.A.T @ (self.probabilities(x) * (self.A @ v)) / self.mu

    def third(self, x: Array, h: Array) -> Array:
        """The covariance of the rows of A with the squared deviation of Ah, over the square of mu."""
        pi = self.probabilities(x)
        deviation = self.A @ h
        deviation = deviation - pi @ deviation
        square = deviation * deviation
        return self.A.T @ (pi * (square - pi @ square)) / self.mu**2


def soft_maximum(n: int = 200, d: int = 20, mu: float = 0.1, seed: int = 0) -> SoftMaximum:
    r"""A smooth maximum of random affine functions with its minimiser at the origin, from all entries 3.

    .. math::

        f(x)=\mu\log\sum_{i=1}^n\exp\frac{a_i^\top x-b_i}\mu,\qquad
        \nabla f=A^\top\pi,\qquad\nabla^2f=\frac1\mu\big(A^\top\mathrm{diag}(\pi)A-\nabla f\,\nabla f^\top\big)

    with :math:`\pi_i\propto e^{(a_i^\top x-b_i)/\mu}` :cite:`doikov2024super`. The entries of :math:`\hat A` and b are
    uniform on [-1, 1]; each row of A is that of :math:`\hat A` less the gradient that :math:`\hat A` gives at the
    origin, so that there the gradient of f is zero. Convex, :math:`0\le f-\max_i(a_i^\top x-b_i)\le\mu\log n`. Far out
    a single function wins and the Hessian vanishes to rounding: pure Newton fails at the start.

    Parameters
    ----------
    n : int ≥ 1, default 200
        Affine functions. With :math:`n\le d` the minimum is not unique.
    d : int ≥ 1, default 20
    mu : float > 0, default 0.1
        The smaller, the closer to the maximum and the less smooth.
    seed : int, default 0

    Returns
    -------
    SoftMaximum
        With ``A``, ``b``, ``mu``; ``lipschitz_grad`` :math:`=\rho^2/\mu`, ``lipschitz_hess``
        :math:`=2\rho^3/\mu^2` and ``lipschitz_third`` :math:`=2\rho^4/\mu^3`, :math:`\rho=\max_i\|a_i\|`, bound the
        Euclidean constants of the first three derivatives (they are cumulants of a number in an interval of length
        :math:`2\rho`); ``probabilities(x)``. ``ggn_product`` is that with the weighted Gauss-Newton matrix
        :math:`\frac1\mu A^\top\mathrm{diag}(\pi)A`.

    >>> import secondorder as so
    >>> p = so.problems.soft_maximum()
    >>> bool(np.linalg.norm(p.grad(p.x_star)) < 1e-14), round(p.f_star, 6), round(float(p.f(p.x0)), 6)
    (True, 1.215766, 25.026047)
    """
    n, d = whole("n", n), whole("d", d)
    mu = size("mu", mu)
    rng: Any = np.random.default_rng(seed)
    A, b = rng.uniform(-1.0, 1.0, (n, d)), rng.uniform(-1.0, 1.0, n)
    return SoftMaximum(A - SoftMaximum(A, b, mu).grad(np.zeros(d)), b, mu)
