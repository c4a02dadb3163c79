r"""Curvature matrices as SciPy linear operators: Hessian, Gauss-Newton, Fisher and its Kronecker approximations.

Each is symmetric, of shape (d, d), in the dtype of x, and is taken at the point x: ``C @ v``, ``C.to_dense()``,
``C.solve(b, damping)`` for :math:`(C+\lambda I)^{-1}b`, and whatever SciPy does with a ``LinearOperator``
(``scipy.sparse.linalg.eigsh(C)``). NumPy only, as SciPy is.

The objective of a network is the mean over its examples of a loss, plus :math:`\frac{l_2}2\|x\|^2`. Only
:class:`Hessian` is that of the whole objective; the others leave the penalty out: add ``problem.l2`` to the damping.

>>> from secondorder.problems import rosenbrock
>>> C = Hessian(rosenbrock(), [1.0, 1.0])
>>> C @ [1.0, 2.0]
array([2., 0.])
>>> C.solve([2.0, 0.0])
array([1., 2.])
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from numbers import Real
from typing import Any, Literal

import numpy as np
from scipy.linalg import block_diag
from scipy.sparse.linalg import LinearOperator

from secondorder.arrays import epsilon, norm
from secondorder.ledger import Ledger
from secondorder.linalg import (
    Eigen,
    ExampleGradients,
    Layer,
    eigen,
    eigenbasis_solve,
    join,
    kronecker_factors,
    kronecker_moments,
    kronecker_solve,
    minres,
    solve_definite,
    split,
)
from secondorder.oracles import ORACLES, Problem, point

LARGEST_DENSE = 2000
"""Systems up to this size are solved by factorisation, larger ones by :func:`secondorder.linalg.minres`."""


class Curvature(LinearOperator):
    """A symmetric matrix at a point of a problem: what the operators of this module share.

    Parameters
    ----------
    problem : Problem
    x : array (d,)
        Finite, of float32 or float64; lists become float64.

    Raises
    ------
    TypeError
        ``problem`` is no Problem, or x is not a NumPy array of real numbers.
    ValueError
        The problem lacks an oracle, or x is not a finite vector of its size.
    """

    needs: str

    def __init__(self, problem: Problem, x: Any) -> None:
        self.x = point(x, "x")
        if not isinstance(self.x, np.ndarray):
            raise TypeError(f"x must be a NumPy array: SciPy's operators know no other; got {type(x).__name__}")
        if isinstance(problem, Problem) and problem.x0 is not None and problem.x0.shape != self.x.shape:
            raise ValueError(f"x must have shape {problem.x0.shape} for problem {problem.name!r}; got {self.x.shape}")
        self.problem = Ledger(problem, self.x)
        if self.needs not in self.problem.oracles:
            raise ValueError(
                f"{type(self).__name__} needs {self.needs}; problem {problem.name!r} offers "
                f"{', '.join(self.problem.oracles) or 'none'}. Missing: {self.needs} ({ORACLES[self.needs]})"
            )
        super().__init__(dtype=self.x.dtype, shape=2 * self.x.shape)

    def _adjoint(self) -> Curvature:
        return self

    _transpose = _adjoint

    def _vector(self, v: Any) -> np.ndarray:
        return np.reshape(v, (-1,)).astype(self.dtype, casting="same_kind")

    def to_dense(self) -> np.ndarray:
        """The matrix, shape (d, d); d products where there is no shorter way."""
        return self @ np.eye(self.shape[0], dtype=self.dtype)

    @functools.cached_property
    def _eigen(self) -> Eigen:
        return eigen(self.to_dense())

    def solve(self, b: Any, damping: float = 0.0) -> np.ndarray:
        r"""The solution v of :math:`(C+\lambda I)v=b`.

        Up to :data:`LARGEST_DENSE` unknowns by an eigendecomposition, kept for the next call; beyond by MINRES, which
        needs products only. The matrix need not be definite.

        Parameters
        ----------
        b : array (d,)
        damping : float >= 0, default 0
            :math:`\lambda`, in the units of the curvature.

        Raises ``ValueError`` if b is not a finite vector of size d or the damping is negative, ``LinAlgError`` if the matrix
        is singular to rounding or MINRES ends with a relative residual above :math:`\sqrt\epsilon`.
        """
        b = self._right_side(b, damping)
        if b.shape[0] <= LARGEST_DENSE:
            values = self._eigen.values + damping
            if np.min(np.abs(values)) <= b.shape[0] * epsilon(b) * np.max(np.abs(values)):
                raise self._singular()
            return self._eigen.vectors @ (self._eigen.vectors.T @ b / values)
        found = minres(lambda v: self @ v + damping * v, b, tol=epsilon(b) ** (2 / 3))
        if not found.residual_norm <= math.sqrt(epsilon(b)) * norm(b):
            raise np.linalg.LinAlgError(
                f"MINRES left a relative residual of {found.residual_norm / norm(b):.1e} after {found.iterations} "
                "iterations: give more damping"
            )
        return found.x

    def _right_side(self, b: Any, damping: float) -> np.ndarray:
        if not (isinstance(damping, Real) and 0.0 <= damping < math.inf):
            raise ValueError(f"damping must be a number in [0, inf); got {damping!r}")
        b = point(b, "b")
        if b.shape != self.x.shape:
            raise ValueError(f"b must have shape {self.x.shape}; got {tuple(b.shape)}")
        return self._vector(b)

    def _singular(self) -> np.linalg.LinAlgError:
        return np.linalg.LinAlgError(f"{type(self).__name__} + damping I is singular to rounding: give more damping")


class Hessian(Curvature):
    """The Hessian of the objective, its l2 penalty included; it may be indefinite.

    Needs ``hvp`` or ``hess``. Cost: one Hessian-vector product a column, or one Hessian where the problem has no hvp.
    """

    needs = "hvp"

    def _matvec(self, v: np.ndarray) -> np.ndarray:
        return np.array(self.problem.hvp(self.x, self._vector(v)))

    def to_dense(self) -> np.ndarray:
        return np.array(self.problem.hess(self.x)) if "hess" in self.problem.oracles else super().to_dense()


class GGN(Curvature):
    r"""The generalised Gauss-Newton matrix (:cite:`schraudolph2002fast`), without the l2 penalty.

    .. math:: \frac1n\sum_nJ_n^\top\nabla_z^2\ell_n(z_n)J_n,\qquad J_n=\partial z_n/\partial x .

    Needs ``ggn_product``. Cost: one product a column.
    """

    needs = "ggn_product"

    def _matvec(self, v: np.ndarray) -> np.ndarray:
        return np.array(self.problem.ggn_product(self.x, self._vector(v)))


class _Signals(Curvature):
    needs = "signals"

    def __init__(self, problem: Problem, x: Any, kind: str, kinds: tuple[str, ...], samples: int, seed: int) -> None:
        super().__init__(problem, x)
        if kind not in kinds:
            raise ValueError(f"kind must be one of {', '.join(map(repr, kinds))}; got {kind!r}")
        if not (isinstance(samples, (int, np.integer)) and not isinstance(samples, bool) and samples >= 1):
            raise ValueError(f"samples must be a whole number in [1, inf); got {samples!r}")
        self.layers: tuple[Layer, ...] = self.problem.signals(self.x, kind, np.random.default_rng(seed), int(samples))


class _ExampleGradients(_Signals):
    r"""The matrix :math:`\frac1nG^\top G`, G with the examples' gradients as its rows."""

    @functools.cached_property
    def gradients(self) -> ExampleGradients:
        """G, kept as its factors."""
        return ExampleGradients(self.layers)

    def _matvec(self, v: np.ndarray) -> np.ndarray:
        return self.gradients.adjoint(self.gradients.product(self._vector(v))) / self.gradients.n

    def to_dense(self) -> np.ndarray:
        G = self.gradients.dense()
        return G.T @ G / self.gradients.n

    def solve(self, b: Any, damping: float = 0.0) -> np.ndarray:
        r"""As :meth:`Curvature.solve`; with fewer rows of G than unknowns, and no more than :data:`LARGEST_DENSE`, by

        .. math:: (\tfrac1nG^\top G+\lambda I)^{-1}b=\tfrac1\lambda\bigl[b-G^\top(GG^\top+n\lambda I)^{-1}Gb\bigr] .
        """
        G, rows = self.gradients, self.gradients.K * self.gradients.n
        if rows >= self.shape[0] or rows > LARGEST_DENSE:
            return super().solve(b, damping)
        b, gram = self._right_side(b, damping), G.gram()
        if damping <= self.shape[0] * epsilon(b) * np.trace(gram) / G.n:
            raise self._singular()
        inner = solve_definite(gram + G.n * damping * np.eye(rows, dtype=b.dtype), G.product(b).reshape(-1))
        return (b - G.adjoint(inner.reshape(G.K, G.n))) / damping


class Fisher(_ExampleGradients):
    r"""The Fisher information of the model's distribution of labels (:cite:`amari1998natural`), without the l2 penalty.

    .. math:: \frac1n\sum_n\mathbb E_{y\sim p(\cdot|x_n)}\nabla\ell_n(y)\nabla\ell_n(y)^\top .

    For softmax cross-entropy and for squared error it is the :class:`GGN`.

    Parameters
    ----------
    problem : Problem
        Offers ``signals``.
    x : array (d,)
    kind : "exact" (default) or "monte_carlo"
        The expectation, from one signal for each output; or unbiased from drawn labels.
    samples : int >= 1, default 1
        Labels drawn for each example.
    seed : int, default 0

    Cost: K backward passes once, K the number of outputs or of samples; :math:`O(Kd)` for each example in a product.
    """

    def __init__(
        self,
        problem: Problem,
        x: Any,
        kind: Literal["exact", "monte_carlo"] = "exact",
        *,
        samples: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(problem, x, kind, ("exact", "monte_carlo"), samples, seed)


class EmpiricalFisher(_ExampleGradients):
    r"""The second moment of the examples' gradients, with the labels of the data and without the l2 penalty.

    .. math:: \frac1n\sum_n\nabla\ell_n\nabla\ell_n^\top .

    It is not a Fisher matrix, and need not be near one (:cite:`kunstner2019limitations`).

    Needs ``signals``. Cost: one backward pass once; :math:`O(d)` for each example in a product.
    """

    def __init__(self, problem: Problem, x: Any) -> None:
        super().__init__(problem, x, "empirical", ("empirical",), 1, 0)


KINDS = ("exact", "monte_carlo", "empirical")


class _Blocks(_Signals):
    """A block diagonal matrix with one block a layer, which acts on matrices (b, a)."""

    shapes: list[tuple[int, int]]

    @abstractmethod
    def _block(self, layer: int, V: np.ndarray) -> np.ndarray:
        """The product of a layer's block with each matrix of V, shape (columns, b, a)."""

    def _matmat(self, V: np.ndarray) -> np.ndarray:
        V = np.asarray(V).astype(self.dtype, casting="same_kind")
        parts = np.split(V.T, np.cumsum([b * a for b, a in self.shapes])[:-1], axis=1)
        products = [
            self._block(layer, part.reshape(-1, *shape)).reshape(part.shape)
            for layer, (part, shape) in enumerate(zip(parts, self.shapes, strict=True))
        ]
        return np.hstack(products).T


class KFAC(_Blocks):
    r"""The Kronecker-factored Fisher of :cite:`martens2015optimizing`, block diagonal, without the l2 penalty.

    The block of a layer is :math:`A\otimes B`, in a vector that holds its matrix row by row ``kron(B, A)``, with the
    second moments of its inputs and signals, :func:`secondorder.linalg.kronecker_factors`.

    Parameters
    ----------
    problem : Problem
        Offers ``signals``.
    x : array (d,)
    kind : "exact" (default), "monte_carlo" or "empirical"
        The signals: all of the Fisher's, those of drawn labels, or those of the data's labels.
    samples : int >= 1, default 1
        Labels drawn for each example.
    seed : int, default 0
    sharing : "expand" (default) or "reduce"
        For layers that use their weights at several positions.

    ``factors`` holds (A, B) of each layer.

    Cost: K backward passes and :math:`O(nK\sum(a^2+b^2))` once; :math:`O(\sum ab(a+b))` a product.
    """

    def __init__(
        self,
        problem: Problem,
        x: Any,
        kind: Literal["exact", "monte_carlo", "empirical"] = "exact",
        *,
        samples: int = 1,
        seed: int = 0,
        sharing: Literal["expand", "reduce"] = "expand",
    ) -> None:
        super().__init__(problem, x, kind, KINDS, samples, seed)
        self.factors = tuple(kronecker_factors(*layer, sharing) for layer in self.layers)
        self.shapes = [(B.shape[0], A.shape[0]) for A, B in self.factors]

    def _block(self, layer: int, V: np.ndarray) -> np.ndarray:
        A, B = self.factors[layer]
        return B @ V @ A

    def to_dense(self) -> np.ndarray:
        return block_diag(*(np.kron(B, A) for A, B in self.factors))

    def solve(self, b: Any, damping: float = 0.0, *, pi: bool = False) -> np.ndarray:
        r"""The solution v of :math:`(C+\lambda I)v=b`, layer by layer (:func:`secondorder.linalg.kronecker_solve`).

        With ``pi`` the factors are damped instead, so that the matrix is larger than :math:`C+\lambda I`.
        Raises as :meth:`Curvature.solve`; without damping, where a factor is singular.
        """
        parts = zip(self.factors, split(self._right_side(b, damping), self.shapes), strict=True)
        return join([kronecker_solve(A, B, G, damping, pi=pi) for (A, B), G in parts])


class EKFAC(_Blocks):
    r"""K-FAC with its eigenvalues replaced by the second moments in its eigenbasis (:cite:`george2018fast`).

    The block of a layer is :math:`(U_A\otimes U_B)\operatorname{diag}(S)(U_A\otimes U_B)^\top`, with the eigenvectors of
    the factors of :class:`KFAC` and S of :func:`secondorder.linalg.kronecker_moments`. In the Frobenius norm it is at
    least as near to the block of the Fisher as that of K-FAC.

    Parameters
    ----------
    problem : Problem
        Offers ``signals``.
    x : array (d,)
    kind : "exact" (default), "monte_carlo" or "empirical"
    samples : int >= 1, default 1
    seed : int, default 0
        As for :class:`KFAC`.

    ``bases`` holds :math:`(U_A,U_B)` and ``moments`` S of each layer.

    Cost: that of :class:`KFAC`, and :math:`O(\sum(a^3+b^3)+nK\sum ab)` once.
    """

    def __init__(
        self,
        problem: Problem,
        x: Any,
        kind: Literal["exact", "monte_carlo", "empirical"] = "exact",
        *,
        samples: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(problem, x, kind, KINDS, samples, seed)
        factors = (kronecker_factors(*layer) for layer in self.layers)
        self.bases = tuple((eigen(A).vectors, eigen(B).vectors) for A, B in factors)
        self.moments = tuple(kronecker_moments(*U, layer) for U, layer in zip(self.bases, self.layers, strict=True))
        self.shapes = [S.shape for S in self.moments]

    def _block(self, layer: int, V: np.ndarray) -> np.ndarray:
        (U_A, U_B), S = self.bases[layer], self.moments[layer]
        return U_B @ (S * (U_B.T @ V @ U_A)) @ U_A.T

    def solve(self, b: Any, damping: float = 0.0) -> np.ndarray:
        r"""The solution v of :math:`(C+\lambda I)v=b` in the eigenbasis; raises as :meth:`Curvature.solve`."""
        b = self._right_side(b, damping)
        if any(np.min(S) + damping <= S.size * epsilon(b) * (np.max(S) + damping) for S in self.moments):
            raise self._singular()
        parts = zip(self.bases, self.moments, split(b, self.shapes), strict=True)
        return join([eigenbasis_solve(*U, S, G, damping) for U, S, G in parts])
