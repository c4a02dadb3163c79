"""Losses with a logarithmic barrier: no Lipschitz gradient on their domain, but self-concordant."""

from __future__ import annotations

from typing import Any

import numpy as np

from secondorder.arrays import Array, epsilon, is_sparse, namespace
from secondorder.checks import size, whole
from secondorder.oracles import Problem
from secondorder.problems.data import matrix
from secondorder.sets.feasible_set import FeasibleSet
from secondorder.sets.polytopes import Simplex


class Logarithms(Problem):
    """A linear function less a sum of logarithms, c'x - b'log(Ax); made by :func:`log_portfolio` and
    :func:`poisson_inverse`. ``A`` (n, d), ``b`` (n,) above 0, ``c`` (d,), ``self_concordance`` (M, nu)."""

    def __init__(self, A: Array, b: Array, c: Array, constraint: FeasibleSet, name: str) -> None:
        super().__init__(x0=constraint.start.astype(A.dtype), constraint=constraint, name=name, fresh=True)
        self.A, self.b, self.c = A, b, c
        self.self_concordance = (2.0 / float(np.min(b)) ** 0.5, 3.0)

    def domain(self, x: Array) -> bool:
        return bool(namespace(x).all(self.A @ x > 0.0))

    def f(self, x: Array) -> Array:
        return self.c @ x - self.b @ namespace(x).log(self.A @ x)

    def grad(self, x: Array) -> Array:
        return self.c - self.A.T @ (self.b / (self.A @ x))

    def hess(self, x: Array) -> Array:
        root = namespace(x).sqrt(self.b) / (self.A @ x)
        scaled = root[:, None] * self.A
        return scaled.T @ scaled

    def hvp(self, x: Array, v: Array) -> Array:
        return self.A.T @ (self.b * (self.A @ v) / (self.A @ x) ** 2)


class DOptimalDesign(Problem):
    """Made by :func:`d_optimal_design`. ``points`` (k, d), ``grid`` (k,) or None, ``self_concordance`` (M, nu)."""

    self_concordance = (2.0, 3.0)

    def __init__(self, points: Array, grid: Array | None = None) -> None:
        simplex = Simplex(points.shape[0])
        super().__init__(x0=simplex.start.astype(points.dtype), constraint=simplex, name="d_optimal_design", fresh=True)
        self.points, self.grid = points, grid

    def information(self, x: Array) -> Array:
        """The information matrix of the design x, the sum of x_i a_i a_i', shape (d, d)."""
        return self.points.T @ (x[:, None] * self.points)

    def variance(self, x: Array) -> Array:
        """At each point the variance of the prediction, a' M(x)^-1 a, shape (k,)."""
        xp = namespace(x)
        return xp.sum((self.points @ xp.linalg.inv(self.information(x))) * self.points, axis=1)

    def domain(self, x: Array) -> bool:
        values = namespace(x).linalg.eigvalsh(self.information(x))
        return float(values[0]) > 10.0 * values.shape[0] * epsilon(x) * float(values[-1])

    def f(self, x: Array) -> Array:
        sign, logarithm = namespace(x).linalg.slogdet(self.information(x))
        return -logarithm if float(sign) > 0.0 else float("inf") + 0.0 * logarithm

    def grad(self, x: Array) -> Array:
        return -self.variance(x)

    def hess(self, x: Array) -> Array:
        covariances = self.points @ namespace(x).linalg.inv(self.information(x)) @ self.points.T
        return covariances * covariances

    def hvp(self, x: Array, v: Array) -> Array:
        xp = namespace(x)
        inverse = xp.linalg.inv(self.information(x))
        return xp.sum((self.points @ (inverse @ self.information(v) @ inverse)) * self.points, axis=1)


def log_portfolio(returns: Any = None, *, n: int = 200, d: int = 50, seed: int = 0) -> Logarithms:
    r"""The portfolio, rebalanced every period, that would have grown fastest: logarithmic utility on the simplex.

    .. math:: \min_{x\ge0,\ \sum_ix_i=1}\ f(x)=-\sum_{t=1}^n\log r_t^\top x

    x holds the fractions of the capital, :math:`r_t\ge0` what one unit of each asset is worth after period t. f is
    standard self-concordant, (M, ν) = (2, 3). A vertex with a return of 0 in some period lies outside the domain
    :math:`r_t^\top x>0`.

    Parameters
    ----------
    returns : array (n, d), optional
        Your own gross returns, none negative and in every period one positive. By default they are drawn: a market of 2 %
        volatility, assets of 2 to 8 % of their own, both with heavy tails, and a small drift, as of weeks.
    n : int ≥ 1, default 200
        Periods drawn.
    d : int ≥ 1, default 50
        Assets drawn.
    seed : int, default 0

    Returns
    -------
    Logarithms
        With ``A`` (the returns), ``domain``, and ``self_concordance`` = (M, ν). It starts at equal fractions.

    >>> import secondorder as so
    >>> horses = np.eye(3)[[0, 0, 1, 2]] * [1.5, 3.0, 4.0]
    >>> race = log_portfolio(horses)
    >>> so.minimize(race, "monotone_frank_wolfe", tol=1e-3).x.round(2), race.domain(np.asarray([1.0, 0.0, 0.0]))
    (array([0.5 , 0.25, 0.25]), False)
    """
    if returns is None:
        n, d, rng = whole("n", n), whole("d", d), np.random.default_rng(seed)
        heavy = rng.standard_t(4.0, (n, d + 1)) / np.sqrt(2.0)
        own, beta = rng.uniform(0.02, 0.08, d), rng.uniform(0.5, 1.5, d)
        drift = rng.normal(0.001, 0.002, d)
        returns = np.exp(drift + 0.02 * beta * heavy[:, :1] + own * heavy[:, 1:] - 0.5 * own**2)
    A = _table("returns", returns)
    return Logarithms(A, np.ones_like(A[:, 0]), np.zeros_like(A[0]), Simplex(A.shape[1]), "log_portfolio")


def poisson_inverse(
    data: Any = None, *, radius: float | None = None, n: int = 100, d: int = 60, seed: int = 0
) -> Logarithms:
    r"""An image from photon counts: the Poisson likelihood of a linear inverse problem on the solid simplex.

    .. math:: \min_{x\ge0,\ \sum_jx_j\le r}\ f(x)=\sum_{i=1}^na_i^\top x-b_i\log a_i^\top x

    with counts :math:`b_i\sim\mathrm{Poisson}(a_i^\top x)`. f is self-concordant with
    :math:`(M,\nu)=(2/\sqrt{\min_{b_i>0}b_i},\,3)`.

    Parameters
    ----------
    data : pair (A, b), optional
        Your own A (n, d), none negative and in every row one positive, and counts b (n,), none negative and not all zero.
        By default A has random entries, a fifth of them positive, with columns that add up to 1, and b is drawn
        from a truth with a tenth of its entries positive.
    radius : float > 0, optional
        r. By default the sum of the truth, or for your own data :math:`\sum_ib_i/\min_j\sum_iA_{ij}`, which no minimiser
        over :math:`x\ge0` exceeds.
    n : int ≥ 1, default 100
    d : int ≥ 1, default 60
    seed : int, default 0

    Returns
    -------
    Logarithms
        With ``A`` and ``b`` (the rows with a positive count; the others are in the linear part ``c``), ``truth`` (d,) or None,
        ``domain``, and ``self_concordance`` = (M, ν). It starts at equal entries.

    >>> problem = poisson_inverse()
    >>> int(np.count_nonzero(problem.truth)), problem.domain(problem.x0)
    (6, True)
    """
    truth = None
    if data is None:
        n, d, rng = whole("n", n), whole("d", d), np.random.default_rng(seed)
        A = rng.uniform(0.5, 1.5, (n, d)) * (rng.random((n, d)) < 0.2)
        A[np.arange(n), rng.integers(d, size=n)] += 1.0
        A[rng.integers(n, size=d), np.arange(d)] += 1.0
        A /= A.sum(axis=0)
        truth = np.zeros(d)
        truth[rng.choice(d, -(-d // 10), replace=False)] = rng.uniform(50.0, 200.0, -(-d // 10))
        b = rng.poisson(A @ truth).astype(float)
        radius = float(truth.sum()) if radius is None else radius
    else:
        if not isinstance(data, (tuple, list)) or len(data) != 2:
            raise ValueError(f"data must be a pair (A, b); got {data!r}")
        A = _table("data[0]", data[0])
        try:
            b = np.asarray(data[1], dtype=A.dtype)
        except (TypeError, ValueError):
            b = np.zeros(0)
        if b.shape != A.shape[:1] or not np.all(np.isfinite(b)) or np.any(b < 0.0) or not np.any(b > 0.0):
            raise ValueError(f"data[1] must hold {A.shape[0]} counts, none negative, not all zero; got {data[1]!r}")
        columns = A.sum(axis=0)
        if radius is None and np.any(columns == 0.0):
            raise ValueError("radius must be given where a column of data[0] is zero")
        radius = float(b.sum() / columns.min()) if radius is None else radius
    seen = b > 0.0
    problem = Logarithms(
        A[seen], b[seen], A.sum(axis=0), Simplex(A.shape[1], size("radius", radius), solid=True), "poisson_inverse"
    )
    problem.truth = truth  # type: ignore[attr-defined]
    return problem


def d_optimal_design(points: Any = None, *, degree: int = 3, n: int = 101) -> DOptimalDesign:
    r"""The experiment that determines d coefficients best: the D-optimal design on the simplex.

    .. math:: \min_{x\ge0,\ \sum_ix_i=1}\ f(x)=-\log\det M(x),\qquad M(x)=\sum_{i=1}^kx_ia_ia_i^\top

    x holds the fractions of the measurements made at each of k points. The gradient is less the variance of the prediction,
    :math:`\nabla_if=-a_i^\top M(x)^{-1}a_i`, and since the mean of these under x is d, the Frank–Wolfe gap is
    :math:`\max_ia_i^\top M(x)^{-1}a_i-d`: it vanishes just at the optimum, the equivalence theorem of
    :cite:`kiefer1960equivalence`. f is standard self-concordant, (M, ν) = (2, 3), and no vertex is in its domain for d ≥ 2.

    Parameters
    ----------
    points : array (k, d), optional
        Your own regressors :math:`a_i`, which span :math:`\mathbb R^d`. By default polynomials of one variable on a grid of
        [-1, 1]. Their optimum is known: equal weights at the roots of
        :math:`(1-t^2)P_p'(t)`, with :math:`P_p` Legendre's polynomial, and the grid contains them.
    degree : int ≥ 1, default 3
        p of the polynomials, so that d = p + 1.
    n : int ≥ 2, default 101
        Equally spaced points of the grid, before the roots are added.

    Returns
    -------
    DOptimalDesign
        With ``points``, ``grid`` (the abscissae; None for your own points), ``information(x)``, ``variance(x)``, ``domain``,
        ``self_concordance`` = (M, ν), and for polynomials ``x_star`` and ``f_star``. It starts at equal weights.

    >>> problem = d_optimal_design(degree=2)
    >>> problem.grid[problem.x_star > 0.0], problem.variance(problem.x_star).max().round(12)
    (array([-1.,  0.,  1.]), np.float64(3.0))
    """
    if points is not None:
        points = matrix(points, "points")
        problem = DOptimalDesign(points.toarray() if is_sparse(points) else points)
        if not problem.domain(problem.x0):
            raise ValueError(
                f"points must span the space of {points.shape[1]} dimensions, well enough to be seen in digits"
            )
        return problem
    degree, legendre = whole("degree", degree), np.polynomial.legendre
    if whole("n", n) < 2:
        raise ValueError(f"n must be at least 2; got {n!r}")
    inner = legendre.legroots(legendre.legder(np.eye(degree + 1)[degree])) if degree > 1 else np.zeros(0)
    support = np.concatenate([[-1.0], np.where(np.abs(inner) < 1e-12, 0.0, inner), [1.0]])
    grid = np.linspace(-1.0, 1.0, n)
    away = np.min(np.abs(grid[:, None] - support), axis=1) > 1e-9
    grid = np.sort(np.concatenate([grid[away], support]))
    problem = DOptimalDesign(legendre.legvander(grid, degree) * np.sqrt(2.0 * np.arange(degree + 1) + 1.0), grid)
    problem.x_star = np.isin(grid, support) / (degree + 1.0)
    problem.f_star = float(problem.f(problem.x_star))
    return problem


def _table(name: str, values: Any) -> np.ndarray:
    """``values`` as an array of non-negative numbers with a positive one in each row, or an error that names it."""
    A = matrix(values, name)
    A = A.toarray() if is_sparse(A) else A
    if np.any(A < 0.0) or not np.all(np.any(A > 0.0, axis=1)):
        raise ValueError(f"{name} must hold no negative number, and in every row a positive one")
    return A
