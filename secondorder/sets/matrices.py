"""Sets of matrices, seen as vectors: their vertices have rank one, and one Lanczos run finds the best of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace, norm, to_numpy
from secondorder.checks import size, whole
from secondorder.linalg import eigen, least_eigenpair, top_singular_pair
from secondorder.sets.feasible_set import FeasibleSet
from secondorder.sets.polytopes import Simplex, convex_combination

Product = Callable[[Array], Array]

SMALL = 50
"""The shorter side up to which a full decomposition takes less time than a Lanczos run."""


class NuclearBall(FeasibleSet):
    r"""The nuclear-norm ball :math:`\{X\in\mathbb R^{m\times n}:\sum_i\sigma_i(X)\le r\}`, seen through some of the entries.

    .. math:: \mathrm{lmo}(G)=-r\,u_1v_1^\top,\qquad\langle G,\mathrm{lmo}(G)\rangle=-r\,\sigma_1(G)

    with the top singular pair of G from one Lanczos run (:func:`~secondorder.linalg.top_singular_pair`), to the relative
    residual 1e-10; a gap computed from the vertex is at most :math:`10^{-10}\,r\,\sigma_1(G)` below the true one. Of a small
    matrix held whole, with a side of at most 50, a full decomposition finds the pair sooner.

    x holds the entries of X at ``entries``, by default all, row by row. A step of Frank–Wolfe is linear in X, so nothing
    but these entries needs to be kept, and the gradient is a sparse matrix: the memory is
    :math:`O(|{\rm entries}|+k(m+n))`, k being the dimension that Lanczos needs.

    With a sketch of size k, x goes on with :math:`X\Omega` (m, k) and :math:`\Psi X` (2k + 1, n), row by row, for fixed
    random :math:`\Omega` and :math:`\Psi` with orthonormal columns and rows: they change with X, whatever f is, and
    :meth:`factors` recovers X from them at the end (:cite:`yurtsever2017sketchy`).

    Parameters
    ----------
    shape : (int, int)
        (m, n).
    radius : float > 0, default 1
    entries : pair of integer arrays (e,), optional
        Rows and columns of the entries of X that x holds.
    sketch : int ≥ 0, default 0
        With :math:`2k+1\le\min(m,n)`.

    ``project`` and ``decompose``, by singular value decompositions, are None unless x holds exactly the whole matrix. The
    gradient is a SciPy matrix for NumPy arrays; other array libraries make it dense.

    >>> ball = NuclearBall((2, 2))
    >>> ball.lmo(np.asarray([3.0, 0.0, 0.0, 1.0])).round(12) + 0.0
    array([-1.,  0.,  0.,  0.])
    >>> ball.project(np.asarray([1.0, 0.0, 0.0, 0.5])).round(12) + 0.0
    array([0.75, 0.  , 0.  , 0.25])
    >>> NuclearBall((1000, 1000), entries=([0, 5], [7, 7])).lmo(np.asarray([-3.0, -4.0])).round(12)
    array([0.6, 0.8])
    """

    rows: Array | None = None
    columns: Array | None = None
    sketch: int
    count: int
    omega: Array
    psi: Array

    def __init__(self, shape: Any, radius: float = 1.0, entries: Any = None, sketch: int = 0) -> None:
        try:
            m, n = shape
        except (TypeError, ValueError):
            raise ValueError(f"shape must be the numbers of rows and columns; got {shape!r}") from None
        self.shape = m, n = whole("shape[0]", m), whole("shape[1]", n)
        self.radius = size("radius", radius)
        if entries is not None:
            self.rows, self.columns = _entries(entries, self.shape)
        if isinstance(sketch, bool) or not isinstance(sketch, Integral) or not 0 <= sketch <= (min(m, n) - 1) // 2:
            raise ValueError(
                f"sketch must be an integer with 0 ≤ 2 sketch + 1 ≤ min(shape) = {min(m, n)}; got {sketch!r}"
            )
        self.sketch = int(sketch)
        self.count = m * n if self.rows is None else self.rows.shape[0]
        if sketch:
            rng = np.random.default_rng(0)
            self.omega = np.linalg.qr(rng.standard_normal((n, self.sketch)))[0]
            self.psi = np.linalg.qr(rng.standard_normal((m, 2 * self.sketch + 1)))[0].T
        self.d = self.count + (self.sketch * m + (2 * self.sketch + 1) * n if sketch else 0)
        self.start, self.diameter = np.zeros(self.d), 2.0 * self.radius * math.sqrt(3.0 if sketch else 1.0)
        if self.rows is not None or sketch:
            self.project = self.decompose = None

    def lmo(self, grad: Array) -> Array:
        m, n = self.shape
        if self.rows is None and not self.sketch and min(m, n) <= SMALL:
            U, _, V = self.factors(grad, 1)
            return self.seen(-self.radius * U[:, 0], V[:, 0])
        product, adjoint = self._operator(_scaled(grad))
        if m >= n:
            pair = top_singular_pair(product, adjoint, _start(n, grad))
            return self.seen(-self.radius * pair.left, pair.right)
        pair = top_singular_pair(adjoint, product, _start(m, grad))
        return self.seen(-self.radius * pair.right, pair.left)

    def seen(self, left: Array, right: Array) -> Array:
        r"""What x holds of the matrix :math:`\ell r^\top`, of rank one."""
        xp = namespace(left)
        if self.rows is None:
            entries = xp.reshape(left[:, None] * right[None, :], (-1,))
        else:
            entries = xp.take(left, xp.asarray(self.rows)) * xp.take(right, xp.asarray(self.columns))
        if not self.sketch:
            return entries
        omega, psi = (xp.asarray(part, dtype=left.dtype) for part in (self.omega, self.psi))
        images = left[:, None] * (right @ omega)[None, :], (psi @ left)[:, None] * right[None, :]
        return xp.concat([entries, *(xp.reshape(image, (-1,)) for image in images)])

    def factors(self, x: Array, rank: int | None = None) -> tuple[Array, Array, Array]:
        r"""Singular vectors and values of X, the leading ``rank`` of them: :math:`X\approx U\,{\rm diag}(s)\,V^\top`.

        From the sketch, with :math:`Q` an orthonormal basis of :math:`X\Omega`, those of
        :math:`Q(\Psi Q)^+\Psi X`, which is X if its rank is at most the size of the sketch. Without a sketch x must hold the
        whole matrix.
        """
        xp = namespace(x)
        m, n = self.shape
        if self.sketch:
            split = self.count + self.sketch * m
            image, coimage = xp.reshape(x[self.count : split], (m, -1)), xp.reshape(x[split:], (-1, n))
            Q = xp.linalg.qr(image)[0]
            small = xp.linalg.pinv(xp.asarray(self.psi, dtype=x.dtype) @ Q) @ coimage
            U, s, Vt = xp.linalg.svd(small, full_matrices=False)
            U = Q @ U
        elif self.rows is None:
            U, s, Vt = xp.linalg.svd(xp.reshape(x, self.shape), full_matrices=False)
        else:
            raise ValueError("factors needs a sketch, or x that holds all entries: make the set with sketch=k")
        return U[:, :rank], s[:rank], Vt.T[:, :rank]

    def project(self, x: Array) -> Array:
        U, s, V = self.factors(x)
        s = Simplex(s.shape[0], self.radius, solid=True).project(s)
        return namespace(x).reshape((U * s) @ V.T, (-1,))

    def violation(self, x: Array) -> float:
        r"""The excess of the nuclear norm over r. Of a part of the entries, that of their Euclidean norm, which is no larger:
        whether some X in the ball has these entries is a semidefinite programme."""
        whole = self.rows is None and not self.sketch
        return max(0.0, (float(sum(self.factors(x)[1])) if whole else norm(x[: self.count])) - self.radius)

    def decompose(self, x: Array) -> tuple[Array, Array]:
        U, s, V = map(to_numpy, self.factors(x))
        atoms = self.radius * (U.T[:, :, None] * V.T[:, None, :]).reshape(s.size, -1)
        weights, rest = s / self.radius, max(0.0, 1.0 - s.sum() / self.radius)
        weights[0] += rest / 2.0  # what is missing is spent on two opposite vertices
        return convex_combination(np.vstack([atoms, -atoms[:1]]), np.append(weights, rest / 2.0), x)

    def _operator(self, grad: Array) -> tuple[Product, Product]:
        """The products of G, and of its transpose, with a vector, where <G, X> is the inner product of ``grad`` and x."""
        xp = namespace(grad)
        m, n = self.shape
        G = self._matrix(grad[: self.count])
        sketched = grad[self.count :]
        if not self.sketch or not bool(xp.any(sketched != 0.0)):
            return lambda z: G @ z, lambda z: G.T @ z
        split = self.sketch * m
        image, coimage = xp.reshape(sketched[:split], (m, -1)), xp.reshape(sketched[split:], (-1, n))
        omega, psi = (xp.asarray(part, dtype=grad.dtype) for part in (self.omega, self.psi))
        return (
            lambda z: G @ z + image @ (omega.T @ z) + psi.T @ (coimage @ z),
            lambda z: G.T @ z + omega @ (image.T @ z) + coimage.T @ (psi @ z),
        )

    def _matrix(self, entries: Array) -> Any:
        """The matrix with these entries and zeros elsewhere."""
        from scipy.sparse import csr_array

        xp = namespace(entries)
        if self.rows is None:
            return xp.reshape(entries, self.shape)
        sparse = csr_array((to_numpy(entries), (to_numpy(self.rows), to_numpy(self.columns))), shape=self.shape)
        return sparse if isinstance(entries, np.ndarray) else xp.asarray(sparse.toarray(), dtype=entries.dtype)

    def __str__(self) -> str:
        m, n = self.shape
        return f"NuclearBall(({m}, {n}), radius={self.radius:g})"


class Spectrahedron(FeasibleSet):
    r"""The spectrahedron :math:`\{X\in\mathbb R^{n\times n}:X\succeq0,\ \operatorname{tr}X=r\}`, or the solid one with
    :math:`\operatorname{tr}X\le r`; x is X row by row.

    .. math:: \mathrm{lmo}(G)=r\,qq^\top,\quad q\text{ for }\lambda_{\min}\big(\tfrac12(G+G^\top)\big)
        \qquad(\text{solid: }0\text{ if }\lambda_{\min}\ge0)

    with q from one Lanczos run (:func:`~secondorder.linalg.least_eigenpair`), to the residual 1e-10 relative to the largest
    eigenvalue in size.

    Parameters
    ----------
    n : int ≥ 1
    radius : float > 0, default 1
    solid : bool, default False
        Whether matrices of smaller trace belong to it too.

    The projection takes an eigendecomposition, and the projection of the eigenvalues onto a simplex; the atoms of x are
    the projectors on its eigenvectors (and the zero matrix).

    >>> Spectrahedron(2).lmo(np.asarray([3.0, 0.0, 0.0, 1.0])).round(12) + 0.0
    array([0., 0., 0., 1.])
    """

    def __init__(self, n: int, radius: float = 1.0, solid: bool = False) -> None:
        self.n, self.radius, self.solid = whole("n", n), size("radius", radius), bool(solid)
        self.d = self.n**2
        self.start = (np.eye(self.n) * (self.radius / (self.n + self.solid))).reshape(-1)
        self.diameter = self.radius * (math.sqrt(2.0) if self.n > 1 else float(self.solid))

    def lmo(self, grad: Array) -> Array:
        G = self._symmetric(_scaled(grad))
        pair = least_eigenpair(lambda z: G @ z, _start(self.n, grad))
        length = 0.0 if self.solid and pair.value >= 0.0 else self.radius
        return namespace(grad).reshape(length * pair.vector[:, None] * pair.vector[None, :], (-1,))

    def project(self, x: Array) -> Array:
        values, vectors = eigen(self._symmetric(x))
        values = Simplex(self.n, self.radius, self.solid).project(values)
        return namespace(x).reshape((vectors * values) @ vectors.T, (-1,))

    def violation(self, x: Array) -> float:
        xp = namespace(x)
        X = xp.reshape(x, (self.n, self.n))
        values = eigen(self._symmetric(x)).values
        excess = float(xp.sum(values)) - self.radius
        asymmetry = float(xp.max(xp.abs(X - X.T)))
        return max(0.0, -float(values[0]), asymmetry, excess if self.solid else abs(excess))

    def decompose(self, x: Array) -> tuple[Array, Array]:
        values, vectors = map(to_numpy, eigen(self._symmetric(x)))
        atoms = self.radius * (vectors.T[:, :, None] * vectors.T[:, None, :]).reshape(self.n, -1)
        weights = values / self.radius
        if self.solid:
            atoms, weights = np.vstack([atoms, np.zeros(self.d)]), np.append(weights, 1.0 - weights.sum())
        return convex_combination(atoms, weights, x)

    def _symmetric(self, x: Array) -> Array:
        X = namespace(x).reshape(x, (self.n, self.n))
        return 0.5 * (X + X.T)

    def __str__(self) -> str:
        return f"Spectrahedron({self.n})"


def _start(n: int, like: Array) -> Array:
    """Where Lanczos starts: a fixed Gaussian vector, in general position to whatever singular vectors are sought."""
    return namespace(like).asarray(np.random.default_rng(0).standard_normal(n), dtype=like.dtype)


def _scaled(grad: Array) -> Array:
    """``grad`` over the power of two below its largest entry: squares of squares neither overflow nor vanish."""
    xp = namespace(grad)
    return grad / 2.0 ** (math.frexp(float(xp.max(xp.abs(grad))))[1] - 1)


def _entries(entries: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    try:
        rows, columns = (np.asarray(part) for part in entries)
    except (TypeError, ValueError):
        raise ValueError(f"entries must be two arrays, of rows and of columns; got {entries!r}") from None
    for name, part, length in (("rows", rows, shape[0]), ("columns", columns, shape[1])):
        if part.ndim != 1 or not part.size or part.dtype.kind not in "iu" or part.shape != rows.shape:
            raise ValueError(f"entries must be two integer arrays of one length; got {name} {part!r}")
        if part.min() < 0 or part.max() >= length:
            raise ValueError(f"{name} of entries must lie in 0, …, {length - 1}; got {part.min()} to {part.max()}")
    return rows, columns
