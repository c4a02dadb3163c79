"""Matrices with holes."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from secondorder.arrays import Array, is_array, is_sparse, namespace, norm, to_numpy
from secondorder.catalogue import nearest
from secondorder.oracles import Problem
from secondorder.problems import data as datasets
from secondorder.sets import NuclearBall

MATRICES = ("digits", "low_rank")


class MatrixCompletion(Problem):
    """Made by :func:`matrix_completion`. ``targets`` (d,) holds the known entries, ``observed`` and ``held_out`` (d,) are 1
    where f sees one and where it is kept from f, 0 elsewhere; ``n`` counts the observed."""

    constraint: NuclearBall

    def __init__(self, targets: Array, observed: Array, held_out: Array, ball: NuclearBall, name: str) -> None:
        super().__init__(name=name, fresh=True, constraint=ball)
        self.targets, self.observed, self.held_out = targets, observed, held_out
        self.n = int(observed.sum())

    @property
    def lipschitz_grad(self) -> float:
        return 1.0 / self.n

    def f(self, x: Array) -> Array:
        residual = self.observed * (x - self.targets)
        return (residual @ residual) / (2.0 * self.n)

    def grad(self, x: Array) -> Array:
        return self.observed * (x - self.targets) / self.n

    def hvp(self, x: Array, v: Array) -> Array:
        return self.observed * v / self.n

    def held_out_error(self, x: Array) -> float:
        """The root mean square error on the entries that f does not see, relative to that of predicting zeros."""
        return norm(self.held_out * (x - self.targets)) / norm(self.held_out * self.targets)

    def factors(self, x: Array, rank: int | None = None) -> tuple[Array, Array, Array]:
        """The low-rank matrix itself, see :meth:`secondorder.sets.NuclearBall.factors`."""
        return self.constraint.factors(x, rank)

    def predict(self, x: Array, rows: Any, columns: Any, rank: int | None = None) -> Array:
        """The entries of the completed matrix at any positions, from its factors."""
        xp = namespace(x)
        U, s, V = self.factors(x, rank)
        rows, columns = xp.asarray(rows), xp.asarray(columns)
        return xp.sum(xp.take(U, rows, axis=0) * s * xp.take(V, columns, axis=0), axis=1)


def matrix_completion(
    data: Any = "digits",
    *,
    radius: float | None = None,
    observed: float = 0.3,
    held_out: float = 0.1,
    sketch: int = 0,
    seed: int = 0,
) -> MatrixCompletion:
    r"""The matrix of small nuclear norm that fits some of the entries of a given one.

    .. math:: \min_{\|X\|_*\le r}\ \frac1{2N}\sum_{(i,j)\ \text{observed}}(X_{ij}-Y_{ij})^2

    Parameters
    ----------
    data : "digits", "low_rank", array (m, n) or sparse matrix
        "digits" is 1797 images of 64 grey values between 0 and 1 (scikit-learn), one a row; "low_rank" is 1000 × 1000, a
        product of two Gaussian factors with two columns plus noise, every entry of variance 1 + 0.01, known at 2.5 % of the
        places. Of an array the entries are known where they are not NaN, of a sparse matrix where they are stored.
    radius : float > 0, optional
        r; by default the nuclear norm of a matrix of rank 5 with equal singular values and the mean square of the observed
        entries, :math:`\sqrt{5mn\,\overline{Y^2}}`.
    observed, held_out : float, default 0.3 and 0.1
        The parts of the known entries, drawn at random, that f sees, and that x holds too but f does not see. "low_rank"
        and other sparse matrices want to be seen whole: 0.8 and 0.2.
    sketch : int, default 0
        The size of the sketch from which ``factors(x)`` recovers the whole matrix.
    seed : int, default 0
        Draws the entries, and the matrix of "low_rank".

    x holds the observed and the held-out entries in the order of the rows, then the sketch (see
    :class:`~secondorder.sets.NuclearBall`). If these are all the entries of the matrix, x is the whole matrix.

    >>> problem = matrix_completion("low_rank", observed=0.8, held_out=0.2)
    >>> problem
    <MatrixCompletion 'matrix_completion:low_rank', d=25000: f, grad, hvp, lmo>
    >>> import secondorder as so
    >>> history = so.minimize(problem, "frank_wolfe", step_rule="short", steps=50)
    >>> round(problem.held_out_error(problem.x0), 12), problem.held_out_error(history.x) < 0.4
    (1.0, True)
    """
    rows, columns, values, shape, name = _known(data, seed)
    for label, part in (("observed", observed), ("held_out", held_out)):
        if isinstance(part, bool) or not isinstance(part, Real) or not 0.0 < part < 1.0:
            raise ValueError(f"{label} must be a part between 0 and 1 of the known entries; got {part!r}")
    seen, kept = round(observed * len(values)), round(held_out * len(values))
    if not (seen and kept and observed + held_out <= 1.0 + 1e-12):
        raise ValueError(
            f"observed and held_out must leave at least one entry each of {len(values)} known ones, and add up to at most 1; "
            f"got {observed!r} and {held_out!r}"
        )
    drawn = np.random.default_rng(seed).permutation(len(values))[: seen + kept]
    order = np.argsort(rows[drawn] * shape[1] + columns[drawn])
    rows, columns, values = (part[drawn][order] for part in (rows, columns, values))
    is_seen = (np.arange(drawn.size) < seen)[order]
    if radius is None:
        radius = math.sqrt(5.0 * shape[0] * shape[1] * float(np.mean(values[is_seen] ** 2)))
        if not 0.0 < radius < math.inf:
            raise ValueError(f"radius must be given: by the observed entries of data it would be {radius:g}")
    ball = NuclearBall(shape, radius, None if len(values) == shape[0] * shape[1] else (rows, columns), sketch)
    targets, visible, hidden = (
        np.concatenate([part, np.zeros(ball.d - ball.count)]) for part in (values, 1.0 * is_seen, 1.0 * ~is_seen)
    )
    return MatrixCompletion(
        targets, visible, hidden, ball, f"matrix_completion:{name}" if name else "matrix_completion"
    )


def low_rank(
    shape: tuple[int, int] = (1000, 1000), rank: int = 2, noise: float = 0.1, density: float = 0.025, seed: int = 0
) -> Any:
    r"""A sparse matrix of the known entries of :math:`AB^\top+` noise, A and B Gaussian: each entry of variance 1 + noise².

    The places are drawn row by row, as many in each: nothing of the size of the whole matrix is made.
    """
    from scipy.sparse import csr_array

    rng = np.random.default_rng(seed)
    (m, n), each = shape, max(1, round(density * shape[1]))
    A, B = rng.standard_normal((m, rank)) / math.sqrt(rank), rng.standard_normal((n, rank))
    columns = np.concatenate([np.sort(rng.choice(n, each, replace=False)) for _ in range(m)])
    rows = np.repeat(np.arange(m), each)
    values = np.sum(A[rows] * B[columns], axis=1) + noise * rng.standard_normal(rows.size)
    return csr_array((values, (rows, columns)), shape=shape)


def _known(data: Any, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int], str]:
    """Rows, columns and values of the known entries, the shape of the matrix and its name."""
    name = data if isinstance(data, str) else ""
    if isinstance(data, str):
        if data not in MATRICES:
            raise ValueError(f"unknown matrix {data!r}{nearest(data, MATRICES)}; known: {', '.join(MATRICES)}")
        data = datasets.bundled("digits")[0] / 16.0 if data == "digits" else low_rank(seed=seed)
    if is_sparse(data):
        stored = data.tocoo(copy=True)
        stored.sum_duplicates()
        rows, columns, values = (np.asarray(part) for part in (stored.row, stored.col, stored.data))
        rows, columns = rows.astype(np.int64), columns.astype(np.int64)
    else:
        data = to_numpy(data) if is_array(data) else np.asarray(data)
        if data.ndim != 2 or data.dtype.kind not in "biuf":
            raise ValueError(
                f"data must be {', '.join(MATRICES)}, a matrix with NaN where it is not known, or a sparse matrix; got {data!r}"
            )
        rows, columns = np.nonzero(~np.isnan(data))
        values = data[rows, columns]
    if not np.all(np.isfinite(values)):
        raise ValueError(f"data must be finite where it is known; got {int(np.sum(~np.isfinite(values)))} that are not")
    return rows, columns, values.astype(np.float64), data.shape, name
