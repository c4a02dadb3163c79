"""Polytopes: their vertices are the atoms that away and pairwise steps move weight between."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder.arrays import Array, epsilon, namespace, to_numpy
from secondorder.checks import size, whole
from secondorder.sets.feasible_set import FeasibleSet, table

LISTED = 4_000_000
"""``vertices()`` lists at most so many numbers."""


class Simplex(FeasibleSet):
    r"""The simplex :math:`\{x\ge0,\ \sum_ix_i=r\}`, or the solid one with :math:`\sum_ix_i\le r`.

    .. math:: \mathrm{lmo}(g)=r\,e_i,\quad i=\arg\min_jg_j\qquad(\text{solid: }0\text{ if }\min_jg_j\ge0)

    Parameters
    ----------
    d : int ≥ 1
    radius : float > 0, default 1
    solid : bool, default False
        Whether the origin belongs to it too.

    The projection takes a sort, :math:`O(d\log d)`; the atoms of x are its positive coordinates (and the origin).

    >>> triangle = Simplex(3)
    >>> triangle.lmo(np.asarray([0.5, -1.0, 2.0])), triangle.project(np.asarray([1.0, 0.5, -1.0]))
    (array([0., 1., 0.]), array([0.75, 0.25, 0.  ]))
    """

    polytope = True

    def __init__(self, d: int, radius: float = 1.0, solid: bool = False) -> None:
        self.d, self.radius, self.solid = whole("d", d), size("radius", radius), bool(solid)
        self.start = np.full(self.d, self.radius / (self.d + self.solid))
        self.diameter = self.radius * (math.sqrt(2.0) if self.d > 1 else float(self.solid))

    def lmo(self, grad: Array) -> Array:
        xp = namespace(grad)
        i = int(xp.argmin(grad))
        return _along(grad, i, 0.0 if self.solid and float(grad[i]) >= 0.0 else self.radius)

    def project(self, x: Array) -> Array:
        xp = namespace(x)
        inside = xp.clip(x, 0.0, None)
        if self.solid and float(xp.sum(inside)) <= self.radius:
            return inside
        x = x - xp.max(x)  # no digit is lost where all of x is large
        falling = xp.sort(x, descending=True)
        shifts = (xp.cumulative_sum(falling) - self.radius) / xp.astype(xp.arange(1, self.d + 1), x.dtype)
        return xp.clip(x - xp.max(shifts), 0.0, None)

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        excess = float(xp.sum(x)) - self.radius
        return max(0.0, -float(xp.min(x)), excess if self.solid else abs(excess))

    def decompose(self, x: Array) -> tuple[Array, Array]:
        shares = to_numpy(x).astype(float) / self.radius
        held = np.flatnonzero(shares > 0.0)
        atoms, weights = _along_axes(self.d, held, self.radius), shares[held]
        if self.solid:
            atoms, weights = np.vstack([atoms, np.zeros(self.d)]), np.append(weights, 1.0 - weights.sum())
        return convex_combination(atoms, weights, x)

    def vertices(self) -> Array:
        _listable(self, self.d + self.solid)
        corners = _along_axes(self.d, np.arange(self.d), self.radius)
        return np.vstack([corners, np.zeros(self.d)]) if self.solid else corners


class CappedSimplex(FeasibleSet):
    r"""The part :math:`\{0\le x\le c,\ \sum_ix_i=r\}` of the simplex in which no coordinate exceeds a cap.

    .. math:: \mathrm{lmo}(g)_i=\min\{c,\max\{0,r-c\rho_i\}\},\quad\rho_i=\text{how many entries of g come before }g_i

    The oracle fills the coordinates of the least gradient, one after the other, up to the cap.

    Parameters
    ----------
    d : int ≥ 1
    cap : float > 0
        At least radius / d.
    radius : float > 0, default 1

    Every vertex is a permutation of ``amounts``: as many caps as fit, and what is left. The projection subtracts a number
    from all coordinates and clips them, :math:`O(d\log d)`. x has at most d + 1 atoms.

    >>> portfolio = CappedSimplex(4, cap=0.4)
    >>> portfolio.lmo(np.asarray([0.5, -1.0, 2.0, 0.0])), portfolio.project(np.asarray([1.0, 0.5, 0.0, -1.0]))
    (array([0.2, 0.4, 0. , 0.4]), array([0.4, 0.4, 0.2, 0. ]))
    """

    polytope = True

    def __init__(self, d: int, cap: float, radius: float = 1.0) -> None:
        self.d, self.cap, self.radius = whole("d", d), size("cap", cap), size("radius", radius)
        ratio = self.radius / self.cap
        if ratio > self.d * (1.0 + 1e-12):
            raise ValueError(f"cap must be at least radius / d = {self.radius / self.d:.6g}; got {cap!r}")
        full = round(ratio) if math.isclose(ratio, round(ratio), rel_tol=1e-12) else math.floor(ratio)
        self.amounts = np.zeros(self.d)
        self.amounts[:full] = self.cap
        if full < self.d and not math.isclose(ratio, full, rel_tol=1e-12):
            self.amounts[full] = self.radius - full * self.cap
        self.start = np.full(self.d, self.radius / self.d)
        self.diameter = float(np.linalg.norm(self.amounts - self.amounts[::-1]))

    def lmo(self, grad: Array) -> Array:
        xp = namespace(grad)
        return xp.astype(xp.take(self.amounts, xp.argsort(xp.argsort(grad))), grad.dtype)

    def project(self, x: Array) -> Array:
        return _clipped_to_sum(x, self.cap, self.radius)

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        excess = abs(float(xp.sum(x)) - self.radius)
        return max(0.0, -float(xp.min(x)), float(xp.max(x)) - self.cap, excess)

    def decompose(self, x: Array) -> tuple[Array, Array]:
        def longest(rest: np.ndarray, left: float, vertex: np.ndarray) -> float:
            above = vertex < self.cap
            steps = (self.cap * left - rest)[above] / (self.cap - vertex)[above]
            return min([*(rest[vertex > 0.0] / vertex[vertex > 0.0]), *steps])

        host = CappedSimplex(self.d, self.cap, self.radius)
        return _peeled(x, lambda rest: host.lmo(-rest), longest)

    def vertices(self) -> Array:
        amounts = to_numpy(self.amounts)
        full, rest = int(np.sum(amounts == self.cap)), amounts[(amounts > 0.0) & (amounts < self.cap)]
        _listable(self, math.comb(self.d, full) * (self.d - full if rest.size else 1))
        corners = []
        for capped in itertools.combinations(range(self.d), full):
            for last in set(range(self.d)) - set(capped) if rest.size else [None]:
                corner = np.zeros(self.d)
                corner[list(capped)] = self.cap
                if last is not None:
                    corner[last] = rest[0]
                corners.append(corner)
        return np.stack(corners)

    def __str__(self) -> str:
        return f"CappedSimplex({self.d}, {self.cap:g})"


class L1Ball(FeasibleSet):
    r"""The cross-polytope :math:`\{\|x\|_1\le r\}`: sparse vectors are its corners.

    .. math:: \mathrm{lmo}(g)=-r\,\mathrm{sgn}(g_i)\,e_i,\quad i=\arg\max_j|g_j|

    Parameters
    ----------
    d : int ≥ 1
    radius : float > 0, default 1

    The projection is that of :math:`|x|` onto the solid simplex, with the signs of x. The atoms of x are its coordinates
    with their signs; what is missing from the radius is split between two opposite ones.

    >>> ball = L1Ball(3)
    >>> ball.lmo(np.asarray([0.5, -1.0, 2.0])), ball.project(np.asarray([1.0, 0.5, -1.0]))
    (array([ 0.,  0., -1.]), array([ 0.5,  0. , -0.5]))
    """

    polytope = True

    def __init__(self, d: int, radius: float = 1.0) -> None:
        self.d, self.radius = whole("d", d), size("radius", radius)
        self.start, self.diameter = np.zeros(self.d), 2.0 * self.radius

    def lmo(self, grad: Array) -> Array:
        xp = namespace(grad)
        i = int(xp.argmax(xp.abs(grad)))
        return _along(grad, i, -self.radius if float(grad[i]) > 0.0 else self.radius)

    def project(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.sign(x) * Simplex(self.d, self.radius, solid=True).project(xp.abs(x))

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        return max(0.0, float(xp.sum(xp.abs(x))) - self.radius)

    def decompose(self, x: Array) -> tuple[Array, Array]:
        shares = to_numpy(x).astype(float) / self.radius
        weights = np.concatenate([np.clip(shares, 0.0, None), np.clip(-shares, 0.0, None)])
        i = int(np.argmax(np.abs(shares)))
        weights[[i, i + self.d]] += 0.5 * (1.0 - weights.sum())
        held = np.flatnonzero(weights > 0.0)
        return convex_combination(self._corners(held), weights[held], x)

    def vertices(self) -> Array:
        _listable(self, 2 * self.d)
        return self._corners(np.arange(2 * self.d))

    def _corners(self, chosen: np.ndarray) -> np.ndarray:
        """Those of the vertices in the order of the axes, the positive ones first."""
        return _along_axes(self.d, chosen % self.d, np.where(chosen < self.d, self.radius, -self.radius))


class Box(FeasibleSet):
    r"""The box :math:`\{l\le x\le u\}`.

    .. math:: \mathrm{lmo}(g)_i=l_i\text{ if }g_i>0,\text{ else }u_i

    Parameters
    ----------
    low, high : array (d,)
        The bounds, low ≤ high.

    The projection clips. The atoms of x are a staircase of at most d + 1 vertices: with :math:`t_i=(x_i-l_i)/(u_i-l_i)`,
    the vertex at the level :math:`\theta` has :math:`u_i` where :math:`t_i>\theta`, and its weight is the length of the
    levels that give it.

    >>> box = Box([0.0, -1.0], [2.0, 1.0])
    >>> box.lmo(np.asarray([1.0, -3.0])), box.decompose(np.asarray([0.5, 0.0]))
    (array([0., 1.]), (array([[ 0., -1.],
           [ 0.,  1.],
           [ 2.,  1.]]), array([0.5 , 0.25, 0.25])))
    """

    polytope = True

    def __init__(self, low: Any, high: Any) -> None:
        self.low, self.high = table("low", low, ("d",)), table("high", high, ("d",))
        if self.low.shape != self.high.shape or not np.all(self.low <= self.high):
            raise ValueError(f"high must be as long as low and nowhere below it; got {self.low!r} and {self.high!r}")
        self.d = self.low.shape[0]
        self.start, self.diameter = 0.5 * (self.low + self.high), float(np.linalg.norm(self.high - self.low))

    def lmo(self, grad: Array) -> Array:
        return namespace(grad).where(grad > 0.0, *self._bounds(grad))

    def project(self, x: Array) -> Array:
        xp = namespace(x)
        low, high = self._bounds(x)
        return xp.minimum(xp.maximum(x, low), high)

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        low, high = self._bounds(x)
        return max(0.0, float(xp.max(low - x)), float(xp.max(x - high)))

    def decompose(self, x: Array) -> tuple[Array, Array]:
        low, high = to_numpy(self.low).astype(float), to_numpy(self.high).astype(float)
        t = np.clip((to_numpy(x) - low) / np.where(high > low, high - low, math.inf), 0.0, 1.0)
        levels = np.unique(np.concatenate([[0.0, 1.0], t]))[::-1]
        return convex_combination(np.where(t > levels[1:, None], high, low), -np.diff(levels), x)

    def vertices(self) -> Array:
        ends = [sorted({low, high}) for low, high in zip(self.low.tolist(), self.high.tolist())]
        _listable(self, math.prod(map(len, ends)))
        return np.asarray(list(itertools.product(*ends)))

    def _bounds(self, x: Array) -> tuple[Array, Array]:
        xp = namespace(x)
        return xp.astype(self.low, x.dtype, copy=False), xp.astype(self.high, x.dtype, copy=False)


class LinfBall(Box):
    r"""The cube :math:`\{\|x\|_\infty\le r\}`, a :class:`Box`.

    .. math:: \mathrm{lmo}(g)_i=-r\text{ if }g_i>0,\text{ else }r

    Parameters
    ----------
    d : int ≥ 1
    radius : float > 0, default 1

    >>> LinfBall(3, radius=2.0).lmo(np.asarray([0.5, -1.0, 2.0]))
    array([-2.,  2., -2.])
    """

    def __init__(self, d: int, radius: float = 1.0) -> None:
        self.radius = size("radius", radius)
        high = np.full(whole("d", d), self.radius)
        super().__init__(-high, high)


class KSparse(FeasibleSet):
    r"""The k-sparse polytope :math:`\{\|x\|_\infty\le r,\ \|x\|_1\le kr\}`, the hull of the vectors with k entries ±r.

    .. math:: \mathrm{lmo}(g)_i=-r\,\mathrm{sgn}(g_i)\text{ for the k largest }|g_i|,\text{ else }0

    Parameters
    ----------
    d : int ≥ 1
    k : int, 1 ≤ k ≤ d
        With 1 it is the ℓ1 ball, with d the cube.
    radius : float > 0, default 1

    The projection subtracts a number from all :math:`|x_i|` and clips them, :math:`O(d\log d)`. x has at most d + 1 atoms.

    >>> pairs = KSparse(4, 2)
    >>> pairs.lmo(np.asarray([0.5, -1.0, 2.0, 0.0])), pairs.project(np.asarray([3.0, -1.0, 0.5, 0.0]))
    (array([ 0.,  1., -1.,  0.]), array([ 1.  , -0.75,  0.25,  0.  ]))
    """

    polytope = True

    def __init__(self, d: int, k: int, radius: float = 1.0) -> None:
        self.d, self.k, self.radius = whole("d", d), whole("k", k), size("radius", radius)
        if self.k > self.d:
            raise ValueError(f"k must be at most d = {self.d}; got {k!r}")
        self.start, self.diameter = np.zeros(self.d), 2.0 * self.radius * math.sqrt(self.k)

    def lmo(self, grad: Array) -> Array:
        xp = namespace(grad)
        rank = xp.argsort(xp.argsort(xp.abs(grad), descending=True))
        length = xp.full_like(grad, self.radius)
        return xp.where(rank < self.k, xp.where(grad > 0.0, -length, length), xp.zeros_like(grad))

    def project(self, x: Array) -> Array:
        xp = namespace(x)
        clipped = xp.clip(xp.abs(x), 0.0, self.radius)
        if float(xp.sum(clipped)) > self.k * self.radius:
            clipped = _clipped_to_sum(xp.abs(x), self.radius, self.k * self.radius)
        return xp.sign(x) * clipped

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        sizes = xp.abs(x)
        return max(0.0, float(xp.max(sizes)) - self.radius, float(xp.sum(sizes)) - self.k * self.radius)

    def decompose(self, x: Array) -> tuple[Array, Array]:
        def longest(rest: np.ndarray, left: float, vertex: np.ndarray) -> float:
            sizes = np.abs(rest) / self.radius
            used, unused = np.sort(sizes[vertex != 0.0]), sizes[vertex == 0.0]
            slack = max(0.0, self.k * left - sizes.sum())
            sums = (0.5 * slack + np.cumsum(used)) / np.arange(1, self.k + 1)
            return min([*(left - unused), 0.5 * (used[0] + left), *sums])

        return _peeled(x, lambda rest: self.lmo(-rest), longest)

    def vertices(self) -> Array:
        _listable(self, math.comb(self.d, self.k) * 2**self.k)
        corners = []
        for chosen in itertools.combinations(range(self.d), self.k):
            for signs in itertools.product([-self.radius, self.radius], repeat=self.k):
                corner = np.zeros(self.d)
                corner[list(chosen)] = signs
                corners.append(corner)
        return np.stack(corners)

    def __str__(self) -> str:
        return f"KSparse({self.d}, {self.k})"


class Birkhoff(FeasibleSet):
    r"""The Birkhoff polytope of the doubly stochastic n × n matrices X, as vectors of :math:`n^2` entries, row by row.

    .. math:: \{X\ge0,\ X\mathbf1=\mathbf1,\ X^\top\mathbf1=\mathbf1\},\qquad
        \mathrm{lmo}(G)=\text{the permutation matrix P with the least }\langle G,P\rangle

    Parameters
    ----------
    n : int ≥ 1

    The oracle is an assignment problem, :math:`O(n^3)`, which SciPy solves: NumPy only, arrays of another library go there
    and back. The atoms of X are those of Birkhoff and von Neumann, found by assignments within the positive entries, at
    most :math:`(n-1)^2+1`. There is no ``project``.

    >>> Birkhoff(2).lmo(np.asarray([1.0, 0.0, 0.0, 3.0]))
    array([0., 1., 1., 0.])
    """

    polytope = True

    def __init__(self, n: int) -> None:
        self.n = whole("n", n)
        self.d = self.n**2
        self.start = np.full(self.d, 1.0 / self.n)
        self.diameter = math.sqrt(2.0 * self.n) if self.n > 1 else 0.0

    def lmo(self, grad: Array) -> Array:
        return namespace(grad).asarray(self._assignment(to_numpy(grad)), dtype=grad.dtype)

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        X = xp.reshape(x, (self.n, self.n))
        sums = xp.concat([xp.sum(X, axis=0), xp.sum(X, axis=1)])
        return max(0.0, -float(xp.min(x)), float(xp.max(xp.abs(sums - 1.0))))

    def decompose(self, x: Array) -> tuple[Array, Array]:
        tiny = 4.0 * epsilon(x)

        def vertex(rest: np.ndarray) -> np.ndarray:
            return self._assignment(np.where(rest > tiny, -rest, 2.0 * self.n))

        return _peeled(x, vertex, lambda rest, left, vertex: float(np.min(rest[vertex > 0.0])))

    def vertices(self) -> Array:
        _listable(self, math.factorial(self.n), "n")
        return np.stack([np.eye(self.n)[list(order)].ravel() for order in itertools.permutations(range(self.n))])

    def _assignment(self, cost: np.ndarray) -> np.ndarray:
        from scipy.optimize import linear_sum_assignment

        permutation = np.zeros((self.n, self.n))
        permutation[linear_sum_assignment(cost.reshape(self.n, self.n))] = 1.0
        return permutation.ravel()

    def __str__(self) -> str:
        return f"Birkhoff({self.n})"


class Hull(FeasibleSet):
    r"""The convex hull of given points, one a row: any polytope that is small enough to list.

    .. math:: \mathrm{lmo}(g)=v_i,\quad i=\arg\min_j\langle g,v_j\rangle

    Parameters
    ----------
    points : array (k, d)

    The atoms of x come from a nonnegative least-squares problem, which SciPy solves in NumPy; at most d + 1.

    >>> Hull([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]).lmo(np.asarray([1.0, -1.0]))
    array([0., 2.])
    """

    polytope = True

    def __init__(self, points: Any) -> None:
        from scipy.spatial.distance import pdist

        self.points = table("points", points, ("k", "d"))
        self.d = self.points.shape[1]
        self.start = self.points.mean(axis=0)
        self.diameter = float(np.max(pdist(self.points), initial=0.0))

    def lmo(self, grad: Array) -> Array:
        xp = namespace(grad)
        points = xp.astype(self.points, grad.dtype, copy=False)
        return points[int(xp.argmin(points @ grad)), ...]

    def violation(self, x: Array) -> float:
        return float(np.max(np.abs(self._weights(x) @ to_numpy(self.points) - to_numpy(x))))

    def decompose(self, x: Array) -> tuple[Array, Array]:
        return convex_combination(to_numpy(self.points), self._weights(x), x)

    def vertices(self) -> Array:
        return self.points

    def _weights(self, x: Array) -> np.ndarray:
        r"""The convex weights of the point nearest to x.

        Nonnegative :math:`w=su`, :math:`\sum u=1`, in :math:`\|\sum_iw_i(v_i-x)\|^2+h^2(1-\sum_iw_i)^2`: whatever s is,
        the best u gives the nearest point.
        """
        from scipy.optimize import nnls

        shifted = to_numpy(self.points).astype(float) - to_numpy(x)
        h = float(np.max(np.abs(shifted))) or 1.0
        weights = nnls(np.vstack([shifted.T, np.full(shifted.shape[0], h)]), np.append(np.zeros(self.d), h))[0]
        return weights / weights.sum()


def convex_combination(atoms: np.ndarray, weights: np.ndarray, like: Array) -> tuple[Array, Array]:
    """The atoms whose weight is more than rounding, in the array library and precision of ``like``; weights add up to 1."""
    xp = namespace(like)
    keep = weights > 2.0 * epsilon(like)
    kept = weights[keep] / weights[keep].sum()
    return xp.asarray(atoms[keep], dtype=like.dtype), xp.asarray(kept, dtype=like.dtype)


def _peeled(
    x: Array,
    vertex: Callable[[np.ndarray], np.ndarray],
    longest: Callable[[np.ndarray, float, np.ndarray], float],
) -> tuple[Array, Array]:
    r"""x as a convex combination, a vertex at a time, each with as much weight as the rest can give.

    The rest :math:`x-\sum w_is_i` lies in the set scaled by :math:`m=1-\sum w_i`; ``vertex(rest)`` is one of the face
    that it lies in, ``longest(rest, m, vertex)`` the largest weight after which it still does. Then the new rest lies in
    a smaller face, so that there are at most d + 1.
    """
    rest, left = to_numpy(x).astype(float), 1.0
    atoms: list[np.ndarray] = []
    weights: list[float] = []
    while left > 2.0 * epsilon(x) and len(atoms) <= rest.shape[0]:
        atoms.append(vertex(rest))
        weights.append(min(left, longest(rest, left, atoms[-1])))
        rest, left = rest - weights[-1] * atoms[-1], left - weights[-1]
    return convex_combination(np.stack(atoms), np.asarray(weights), x)


def _clipped_to_sum(x: Array, cap: float, total: float) -> Array:
    r"""The numbers :math:`\min\{c,\max\{0,x_i-\tau\}\}` with :math:`\tau` such that they add up to ``total``.

    The sum falls with :math:`\tau`, linearly between the sorted :math:`x_i` and :math:`x_i-c`: bisection finds the piece.
    A second pass, on the shifted numbers, gives back the digits that a large x costs the first.
    """
    xp = namespace(x)
    for _ in range(2):
        bends = xp.sort(xp.concat([x - cap, x]))
        i, j = 0, bends.shape[0] - 1
        sums = {i: float(xp.sum(xp.clip(x - bends[i], 0.0, cap))), j: 0.0}
        target = min(total, sums[i])
        while j - i > 1:
            middle = (i + j) // 2
            sums[middle] = float(xp.sum(xp.clip(x - bends[middle], 0.0, cap)))
            i, j = (middle, j) if sums[middle] >= target else (i, middle)
        share = (sums[i] - target) / (sums[i] - sums[j])
        x = x - (bends[i] + share * (bends[j] - bends[i]))
    return xp.clip(x, 0.0, cap)


def _along(grad: Array, i: int, length: float) -> Array:
    """The vector with ``length`` at i and 0 elsewhere."""
    xp = namespace(grad)
    return xp.where(xp.arange(grad.shape[0]) == i, xp.asarray(length, dtype=grad.dtype), xp.zeros_like(grad))


def _along_axes(d: int, axes: np.ndarray, lengths: Any) -> np.ndarray:
    """The vectors with one of ``lengths`` on one of ``axes`` and 0 elsewhere, as rows."""
    rows = np.zeros((axes.size, d))
    rows[np.arange(axes.size), axes] = lengths
    return rows


def _listable(polytope: FeasibleSet, count: int, name: str = "d") -> None:
    if count * polytope.d > LISTED:
        raise ValueError(f"{name} is too large to list the vertices: {polytope} has {count}")
