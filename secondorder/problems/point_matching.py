"""Matching two clouds of points by their distances, relaxed to the Birkhoff polytope."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from secondorder.arrays import Array, namespace, to_numpy
from secondorder.checks import whole
from secondorder.oracles import Problem
from secondorder.sets.polytopes import Birkhoff


class PointMatching(Problem):
    """Made by :func:`point_matching`. ``A`` and ``B`` (n, n), symmetric, ``clouds`` (2, n, 2), ``permutation`` (n,)."""

    def __init__(self, A: Array, B: Array, clouds: Array, permutation: Array, f_star: float | None = None) -> None:
        super().__init__(constraint=Birkhoff(A.shape[0]), name="point_matching", f_star=f_star, fresh=True)
        self.A, self.B, self.clouds, self.permutation = A, B, clouds, permutation

    def _commutator(self, x: Array) -> Array:
        """AX - XB for the matrix X of which x holds the rows."""
        X = namespace(x).reshape(x, self.A.shape)
        return self.A @ X - X @ self.B

    def f(self, x: Array) -> Array:
        return 0.5 * namespace(x).sum(self._commutator(x) ** 2)

    def grad(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.reshape(self._commutator(xp.reshape(self._commutator(x), (-1,))), (-1,))

    def hess(self, x: Array) -> Array:
        """The square of the matrix of X -> AX - XB, of n**4 entries."""
        xp, n = namespace(x), self.A.shape[0]
        one = xp.eye(n, dtype=x.dtype)
        blocks = self.A[:, None, :, None] * one[None, :, None, :] - one[:, None, :, None] * self.B[None, :, None, :]
        K = xp.reshape(blocks, (n * n, n * n))
        return K @ K

    def hvp(self, x: Array, v: Array) -> Array:
        return self.grad(v)

    def match(self, x: Array) -> np.ndarray:
        """The permutation nearest to the matrix x: for each point of the first cloud, its partner in the second."""
        n = self.A.shape[0]
        return np.argmax(Birkhoff(n).lmo(-to_numpy(x)).reshape(n, n), axis=1)


def point_matching(n: int = 12, noise: float = 0.05, seed: int = 0) -> PointMatching:
    r"""Which point of one cloud is which of another, that has been turned, shuffled and shaken?

    .. math::

        \min_{X\text{ doubly stochastic}}\ f(X)=\tfrac12\|AX-XB\|_F^2,\qquad
        \nabla f=A(AX-XB)-(AX-XB)B

    with the matrices A and B of the distances within each cloud, which no rotation changes. A permutation matrix P with
    :math:`P_{ij}=1` where point i is point j satisfies AP = PB if there is no noise; convex relaxation in place of all n!
    permutations :cite:`aflalo2015convex`. x holds the rows of X one after the other and starts at
    :math:`X=\mathbf1\mathbf1^\top/n`. There the oracle sees only the mean distance of each point from the others, and
    matches those in order.

    Parameters
    ----------
    n : int ≥ 1, default 12
        Points, drawn from the standard normal distribution in the plane.
    noise : float ≥ 0, default 0.05
        Standard deviation of what is added to each coordinate of the second cloud.
    seed : int, default 0

    Returns
    -------
    PointMatching
        With ``A``, ``B``, ``clouds`` (2, n, 2), the true ``permutation`` (n,), and ``match(x)``, the permutation nearest
        to x, an assignment that SciPy solves in NumPy. Without noise ``f_star`` is 0 and ``x_star`` the true permutation.

    >>> import secondorder as so
    >>> problem = so.problems.point_matching(n=6, seed=1)
    >>> history = so.minimize(problem, "away_step", tol=1e-2)
    >>> bool(np.all(problem.match(history.x) == problem.permutation))
    True
    """
    n = whole("n", n)
    if isinstance(noise, bool) or not isinstance(noise, Real) or not 0.0 <= float(noise) < math.inf:
        raise ValueError(f"noise must be a finite number, at least 0; got {noise!r}")
    rng = np.random.default_rng(seed)
    first, angle, permutation = rng.standard_normal((n, 2)), rng.uniform(0.0, 2.0 * np.pi), rng.permutation(n)
    turn = np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    second = np.empty((n, 2))
    second[permutation] = first @ turn.T + float(noise) * rng.standard_normal((n, 2))
    clouds = np.stack([first, second])
    A, B = np.linalg.norm(clouds[:, :, None] - clouds[:, None], axis=3)
    problem = PointMatching(A, B, clouds, permutation, f_star=None if noise else 0.0)
    problem.x_star = None if noise else np.eye(n)[permutation].ravel()
    return problem
