"""Logistic and softmax regression on dense or sparse data."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from numbers import Real
from typing import Any

import numpy as np

from secondorder.arrays import Array, is_sparse, namespace, to_numpy
from secondorder.oracles import Problem
from secondorder.problems import data as datasets


class LinearModel(Problem):
    """A mean loss of linear predictions Ax plus l2/2 |x|^2.

    ``A`` (n, d) is an array or CSR; ``classes`` are the labels in order; ``n`` counts the rows.
    """

    x0: Array
    smoothness: float

    def __init__(self, A: Array, classes: tuple[Any, ...], l2: float, x0: Any, columns: int, name: str) -> None:
        size = A.shape[1] * columns
        super().__init__(x0=np.zeros(size, dtype=A.dtype) if x0 is None else x0, name=name, fresh=True)
        if self.x0.shape != (size,):
            raise ValueError(f"x0 must have shape ({size},); got {tuple(self.x0.shape)}")
        self.A = A
        self.classes = classes
        self.l2 = l2
        self.n = A.shape[0]

    @functools.cached_property
    def lipschitz_grad(self) -> float:
        """An upper bound on the largest eigenvalue of the Hessian anywhere."""
        return self.smoothness * self._squared_norm() / self.n + self.l2

    def _squared_norm(self) -> float:
        """The squared spectral norm of A; beyond 2000 rows and columns |A|_1 |A|_inf or |A|_F^2, which bound it."""
        A, xp = self.A, namespace(self.x0)
        n, d = A.shape
        if min(n, d) <= 2000:
            G = A.T @ A if d <= n else A @ A.T
            return float(xp.linalg.eigvalsh(G.toarray() if is_sparse(G) else G)[-1])
        size, rows, columns = abs(A), xp.ones(n, dtype=self.x0.dtype), xp.ones(d, dtype=self.x0.dtype)
        schur = float(xp.max(size.T @ rows)) * float(xp.max(size @ columns))
        return min(schur, float(xp.sum(self._squared_row_norms())))

    def _squared_row_norms(self) -> Array:
        A = self.A
        squares = A.multiply(A) if is_sparse(A) else A * A
        return squares @ namespace(self.x0).ones(A.shape[1], dtype=self.x0.dtype)

    @abstractmethod
    def indices(self, x: Array, A: Array) -> Array:
        """For each row of ``A`` the index of the predicted class."""

    def predict(self, x: Array, A: Array | None = None) -> np.ndarray:
        """The predicted labels at the parameters ``x``, for the rows of ``A`` or by default of the data."""
        A = self.A if A is None else A
        if A.ndim != 2 or A.shape[1] != self.A.shape[1]:
            raise ValueError(f"A must have shape (rows, {self.A.shape[1]}); got {tuple(A.shape)}")
        return np.asarray(self.classes)[to_numpy(self.indices(x, A))]


class Logistic(LinearModel):
    """Made by :func:`logistic`. ``y`` (n,) holds -1 and +1."""

    smoothness = 0.25

    def __init__(self, A: Array, y: Array, classes: tuple[Any, ...], l2: float, x0: Any, name: str) -> None:
        super().__init__(A, classes, l2, x0, 1, name)
        self.y = y

    @functools.cached_property
    def lipschitz_hess(self) -> float:
        """An upper bound on the Lipschitz constant of the Hessian: the mean of |a_i|^3 over 6 sqrt(3)."""
        return float(namespace(self.y).mean(self._squared_row_norms() ** 1.5)) / (6.0 * math.sqrt(3.0))

    @functools.cached_property
    def lipschitz_third(self) -> float:
        """An upper bound on the Lipschitz constant of the third derivative: the mean of |a_i|^4 over 8."""
        return float(namespace(self.y).mean(self._squared_row_norms() ** 2)) / 8.0

    def f(self, x: Array) -> Array:
        margin = self.y * (self.A @ x)
        return namespace(x).mean(softplus(-margin)) + 0.5 * self.l2 * (x @ x)

    def grad(self, x: Array) -> Array:
        margin = self.y * (self.A @ x)
        return self.A.T @ (-self.y * sigmoid(-margin)) / self.n + self.l2 * x

    def hess(self, x: Array) -> Array:
        xp = namespace(x)
        return gram(self.A, self._weights(x)) / self.n + self.l2 * xp.eye(x.shape[0], dtype=x.dtype)

    def hvp(self, x: Array, v: Array) -> Array:
        return self.A.T @ (self._weights(x) * (self.A @ v)) / self.n + self.l2 * v

    def third(self, x: Array, h: Array) -> Array:
        z = self.A @ x
        weights = sigmoid(z) * sigmoid(-z) * (sigmoid(-z) - sigmoid(z))
        return self.A.T @ (weights * (self.A @ h) ** 2) / self.n

    def metric(self, v: Array) -> Array:
        """A'A / 4n + l2 I, which bounds the Hessian."""
        return self.A.T @ (self.A @ v) * (self.smoothness / self.n) + self.l2 * v

    def _weights(self, x: Array) -> Array:
        z = self.A @ x
        return sigmoid(z) * sigmoid(-z)

    def indices(self, x: Array, A: Array) -> Array:
        xp = namespace(x)
        return xp.astype(A @ x > 0.0, xp.int64)

    def accuracy(self, x: Array) -> float:
        """The fraction of the rows predicted right."""
        xp = namespace(x)
        return float(xp.mean(xp.astype((self.A @ x > 0.0) == (self.y > 0.0), x.dtype)))


class Softmax(LinearModel):
    """Made by :func:`softmax`. ``y`` (n,) holds the index of each row's class, ``Y`` (n, K) its row of 0 and 1."""

    smoothness = 0.5

    def __init__(self, A: Array, y: Array, classes: tuple[Any, ...], l2: float, x0: Any, name: str) -> None:
        super().__init__(A, classes, l2, x0, len(classes), name)
        self.y = y
        self.Y = np.eye(len(classes), dtype=A.dtype)[y]

    def split(self, x: Array) -> Array:
        """``x`` as the matrix (d, K) whose column k weighs the features for class k: entry (j, k) is x[j K + k]."""
        return namespace(x).reshape(x, (self.A.shape[1], len(self.classes)))

    def join(self, W: Array) -> Array:
        """The vector of a matrix (d, K), the inverse of :meth:`split`."""
        return namespace(W).reshape(W, (-1,))

    def f(self, x: Array) -> Array:
        xp = namespace(x)
        Z = self._scores(x)
        losses = xp.log(xp.sum(xp.exp(Z), axis=1)) - xp.sum(self.Y * Z, axis=1)
        return xp.mean(losses) + 0.5 * self.l2 * (x @ x)

    def grad(self, x: Array) -> Array:
        return self.join(self.A.T @ (self.probabilities(x) - self.Y)) / self.n + self.l2 * x

    def hess(self, x: Array) -> Array:
        """Block (k, m) is -A' diag(p_k p_m) A / n, and each row of blocks sums to 0, as in a graph's Laplacian."""
        xp = namespace(x)
        P = self.probabilities(x)
        d, K = self.A.shape[1], len(self.classes)
        blocks = xp.zeros((d, K, d, K), dtype=P.dtype)
        for k in range(K):
            for m in range(k):
                block = gram(self.A, P[:, k] * P[:, m]) / self.n
                blocks[:, k, :, m] -= block
                blocks[:, m, :, k] -= block
                blocks[:, k, :, k] += block
                blocks[:, m, :, m] += block
        return xp.reshape(blocks, (d * K, d * K)) + self.l2 * xp.eye(d * K, dtype=P.dtype)

    def hvp(self, x: Array, v: Array) -> Array:
        P = self.probabilities(x)
        Q = P * (self.A @ self.split(v))
        return self.join(self.A.T @ (Q - P * namespace(x).sum(Q, axis=1, keepdims=True))) / self.n + self.l2 * v

    def metric(self, v: Array) -> Array:
        """(I - ee'/K) x A'A / 2n + l2 I, e the vector of ones: it bounds the Hessian, as diag(p) - pp' <= (I - ee'/K) / 2."""
        xp = namespace(v)
        Q = self.A @ self.split(v)
        Q = Q - xp.mean(Q, axis=1, keepdims=True)
        return self.join(self.A.T @ Q) * (self.smoothness / self.n) + self.l2 * v

    def probabilities(self, x: Array) -> Array:
        """The predicted probabilities, shape (n, K)."""
        xp = namespace(x)
        E = xp.exp(self._scores(x))
        return E / xp.sum(E, axis=1, keepdims=True)

    def _scores(self, x: Array) -> Array:
        """AW with the largest entry of each row taken off, so that no exponential overflows."""
        Z = self.A @ self.split(x)
        return Z - namespace(x).max(Z, axis=1, keepdims=True)

    def indices(self, x: Array, A: Array) -> Array:
        return namespace(x).argmax(A @ self.split(x), axis=1)

    def accuracy(self, x: Array) -> float:
        """The fraction of the rows predicted right."""
        xp = namespace(x)
        return float(xp.mean(xp.astype(self.indices(x, self.A) == self.y, x.dtype)))


def logistic(data: Any, *, l2: float = 1e-4, standardize: bool = False, x0: Any = None) -> Logistic:
    r"""Logistic regression, no intercept.

    .. math::

        f(x)=\frac1n\sum_{i=1}^n\log\big(1+e^{-y_ia_i^\top x}\big)+\frac{\ell_2}2\|x\|^2,\qquad
        \nabla^2f(x)=\frac1nA^\top\mathrm{diag}\big(\sigma_i(1-\sigma_i)\big)A+\ell_2I

    Parameters
    ----------
    data : str, Path or pair
        ``"breast_cancer"`` (bundled with scikit-learn), the path of a LIBSVM file (recognised by a separator or a
        suffix, or because it exists), or ``(A, y)``: A of shape (n, d), dense or SciPy sparse, and n labels. Any two
        labels will do, **the larger one is +1**. For an intercept, append a column of ones to A.
    l2 : float ≥ 0, default 1e-4
        The weight of the ridge. At 0 separable data have no minimiser.
    standardize : bool, default False
        Whether the columns of A are brought to mean 0 and variance 1 (constant ones to 0). Dense A only.
    x0 : array (d,), optional
        The start; by default zero.

    Returns
    -------
    Logistic
        With ``A`` (dense, or CSR, never filled in), ``y`` (-1 and +1), ``classes``, ``n``, ``l2``;
        ``lipschitz_grad`` :math:`=\|A\|_2^2/4n+\ell_2` and ``lipschitz_hess``
        :math:`=\frac1{6\sqrt3}\frac1n\sum\|a_i\|^3` bound the constants of gradient and Hessian, ``lipschitz_third``
        :math:`=\frac1{8n}\sum\|a_i\|^4` that of the third derivative (beyond 2000 rows and columns :math:`\|A\|_2^2` is
        replaced by a bound); ``predict(x, A=None)``, ``accuracy(x)``.

    Raises ``ValueError`` or ``TypeError`` naming ``data``, ``A``, ``y``, ``l2`` or ``x0``; ``FileNotFoundError``;
    ``ImportError`` where the data need scikit-learn and it is missing.

    Cost: f, gradient and product are one or two passes over A; the Hessian :math:`O(nd^2)` dense, for sparse A the sum
    of the squared numbers of entries in the rows.

    >>> import secondorder as so
    >>> p = so.problems.logistic("breast_cancer", standardize=True)
    >>> p.A.shape, p.classes, round(float(p.f(p.x0)), 6)
    ((569, 30), (0, 1), 0.693147)
    >>> p.accuracy(so.minimize(p, "newton").x) > 0.97
    True
    """
    A, y, name = datasets.load(data)
    classes, index = datasets.classes(y)
    if len(classes) > 2:
        raise ValueError(
            f"y must hold two different labels; got {len(classes)}, {_few(classes)}. For more classes there is softmax"
        )
    A = datasets.standardized(A) if standardize else A
    signs = (2.0 * index - 1.0).astype(A.dtype)
    return Logistic(A, signs, classes, _ridge(l2), x0, ":".join(filter(None, ("logistic", name))))


def softmax(data: Any, *, l2: float = 1e-4, standardize: bool = False, x0: Any = None) -> Softmax:
    r"""Softmax (multinomial logistic) regression on K classes, no intercept.

    .. math::

        f(x)=\frac1n\sum_{i=1}^n\Big(\log\sum_ke^{a_i^\top w_k}-a_i^\top w_{y_i}\Big)+\frac{\ell_2}2\|x\|^2,\qquad
        \nabla^2_{km}f=\frac1nA^\top\mathrm{diag}\big(p_k\odot(\delta_{km}-p_m)\big)A+\delta_{km}\ell_2I

    Parameters
    ----------
    data : str, Path or pair
        ``"digits"``, ``"wine"`` or ``"breast_cancer"`` (bundled with scikit-learn), the path of a LIBSVM file, or
        ``(A, y)``: A of shape (n, d), dense or SciPy sparse, and n labels of at least two kinds.
    l2 : float ≥ 0, default 1e-4
        The weight of the ridge. Without it the minimum is never unique: one vector can be added to all :math:`w_k`.
    standardize : bool, default False
        Whether the columns of A are brought to mean 0 and variance 1 (constant ones to 0). Dense A only.
    x0 : array (d K,), optional
        The start; by default zero.

    Returns
    -------
    Softmax
        With ``A``, ``y`` (class indices), ``Y`` (the same as rows of 0 and 1), ``classes`` in ascending order, ``n``,
        ``l2``; ``split(x)``, the weights as a matrix (d, K) in row-major order (entry (j, k) is ``x[j * K + k]``) and
        its inverse ``join``; ``lipschitz_grad`` :math:`=\|A\|_2^2/2n+\ell_2`; ``probabilities(x)``,
        ``predict(x, A=None)``, ``accuracy(x)``.

    Raises as :func:`logistic` does.

    Cost: f, gradient and product are one or two passes over A; the Hessian :math:`\frac{K(K-1)}2` Gram matrices of A.

    >>> import secondorder as so
    >>> p = so.problems.softmax("digits")
    >>> p.x0.shape, p.split(p.x0).shape, round(float(p.f(p.x0)), 6)
    ((640,), (64, 10), 2.302585)
    """
    A, y, name = datasets.load(data)
    classes, index = datasets.classes(y)
    A = datasets.standardized(A) if standardize else A
    return Softmax(A, index, classes, _ridge(l2), x0, ":".join(filter(None, ("softmax", name))))


def ill_scaled_logistic(n: int = 400, d: int = 40, decades: float = 2.0, l2: float = 1e-4, seed: int = 0) -> Logistic:
    r"""Synthetic logistic regression whose columns differ in scale by orders of magnitude.

    .. math::

        A=G\,\mathrm{diag}(s),\quad s_j=10^{-\mathrm{decades}\,\frac{j-1}{d-1}},\qquad
        P(y_i=1)=\sigma\big((Gw)_i\big),\quad w\sim N\big(0,\tfrac9dI\big)

    with G standard normal. Every column carries as much information as the next, but a gradient step sees only the
    large ones; Newton's method sees no difference but the ridge.

    Parameters
    ----------
    n : int ≥ 2, default 400
        Rows.
    d : int ≥ 1, default 40
        Columns.
    decades : float ≥ 0, default 2
        The scales run evenly on a logarithmic axis from 1 down to :math:`10^{-\mathrm{decades}}`.
    l2 : float ≥ 0, default 1e-4
    seed : int, default 0

    >>> import secondorder as so
    >>> p = so.problems.ill_scaled_logistic()
    >>> scale = np.std(p.A, axis=0)
    >>> p.A.shape, bool(50 < scale[0] / scale[-1] < 200)
    ((400, 40), True)
    """
    for name, value, least in (("n", n, 2), ("d", d, 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name} must be a whole number, at least {least}; got {value!r}")
    if not isinstance(decades, Real) or not 0.0 <= float(decades) < math.inf:
        raise ValueError(f"decades must be a finite number, at least 0; got {decades!r}")
    rng = np.random.default_rng(seed)
    G = rng.standard_normal((n, d))
    w = 3.0 / math.sqrt(d) * rng.standard_normal(d)
    y = np.where(rng.random(n) < sigmoid(G @ w), 1, -1)
    problem = logistic((G * 10.0 ** -np.linspace(0.0, float(decades), d), y), l2=l2)
    problem.name = "ill_scaled_logistic"
    return problem


def spiked_logistic(
    n: int = 400, d: int = 50, spikes: int = 3, gap: float = 1e3, l2: float = 1e-3, seed: int = 0
) -> Logistic:
    r"""Synthetic logistic regression with a few huge eigenvalues: the covariance of the data is known exactly.

    .. math::

        A=\sqrt n\,U\,\mathrm{diag}(\lambda)^{1/2}V^\top,\qquad \tfrac1nA^\top A=V\,\mathrm{diag}(\lambda)V^\top,\qquad
        P(y_i=1)=\sigma\big((Aw)_i\big),\quad w=V\,\mathrm{diag}(\lambda)^{-1/2}u,\quad u\sim N\big(0,\tfrac9dI\big)

    with U and V random, of orthonormal columns. The first ``spikes`` eigenvalues run evenly on a logarithmic axis from
    4 ``gap`` to ``gap``, the others from 1 to :math:`\frac14`.

    Parameters
    ----------
    n : int ≥ d, default 400
        Rows.
    d : int ≥ 2, default 50
        Columns.
    spikes : int from 0 to d - 1, default 3
    gap : float ≥ 1, default 1000
        The least of the large eigenvalues over the largest of the others.
    l2 : float ≥ 0, default 1e-3
    seed : int, default 0

    >>> import secondorder as so
    >>> p = so.problems.spiked_logistic(n=60, d=10)
    >>> np.linalg.eigvalsh(p.A.T @ p.A / p.n)[-5:].round(3).tolist()
    [0.794, 1.0, 1000.0, 2000.0, 4000.0]
    """
    for name, value, least, most in (("d", d, 2, n), ("n", n, d, math.inf), ("spikes", spikes, 0, d - 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
            raise ValueError(f"{name} must be a whole number from {least} to {most:g}; got {value!r}")
    if isinstance(gap, bool) or not isinstance(gap, Real) or not 1.0 <= float(gap) < math.inf:
        raise ValueError(f"gap must be a finite number, at least 1; got {gap!r}")
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((n, d)))[0]
    V = np.linalg.qr(rng.standard_normal((d, d)))[0]
    values = np.concatenate([np.geomspace(4.0 * gap, gap, spikes), np.geomspace(1.0, 0.25, d - spikes)])
    y = np.where(rng.random(n) < sigmoid(math.sqrt(n) * U @ (3.0 / math.sqrt(d) * rng.standard_normal(d))), 1, -1)
    problem = logistic((math.sqrt(n) * (U * np.sqrt(values)) @ V.T, y), l2=l2)
    problem.name = "spiked_logistic"
    return problem


def softplus(z: Array) -> Array:
    """log(1 + e^z) without overflow."""
    xp = namespace(z)
    return xp.log1p(xp.exp(-xp.abs(z))) + 0.5 * (xp.abs(z) + z)


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z) to full relative accuracy, without overflow."""
    xp = namespace(z)
    e = xp.exp(-xp.abs(z))
    return xp.where(z < 0.0, e, xp.ones_like(e)) / (1.0 + e)


def gram(A: Array, weights: Array) -> Array:
    """A' diag(weights) A as a dense array, for weights that are not negative; exactly symmetric."""
    root = namespace(weights).sqrt(weights)[:, None]
    if is_sparse(A):
        B = A.multiply(root).tocsr()
        return (B.T @ B).toarray()
    B = root * A
    return B.T @ B


def _ridge(l2: Any) -> float:
    if isinstance(l2, bool) or not isinstance(l2, Real) or not 0.0 <= float(l2) < math.inf:
        raise ValueError(f"l2 must be a finite number, at least 0; got {l2!r}")
    return float(l2)


def _few(values: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, values[:5])) + (", ..." if len(values) > 5 else "")
