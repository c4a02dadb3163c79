r"""Kronecker factors: a block of curvature of a layer as :math:`A\otimes B`, A of its inputs and B of its signals.

A layer's gradient is a matrix G (b, a), outputs by inputs, and a vector is that matrix row by row. The block is then
``kron(B, A)``, and ``kron(B, A) @ X.ravel()`` is ``(B @ X @ A.T).ravel()``. It is never formed here.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from secondorder.arrays import Array, epsilon, namespace
from secondorder.linalg.dense import eigen
from secondorder.linalg.layers import Layer


def kronecker_factors(
    inputs: Array, signals: Array, sharing: Literal["expand", "reduce"] = "expand"
) -> tuple[Array, Array]:
    r"""The factors of K-FAC (:cite:`martens2015optimizing`), second moments of inputs and of signals.

    .. math::

        A=\frac1n\sum_n\bar a_n\bar a_n^\top,\qquad B=\frac1n\sum_n\sum_kg_{n,k}g_{n,k}^\top .

    A layer that uses its weights at R positions of an example (:cite:`eschenhagen2023kronecker`) has

    - *expand*: A the mean over examples and positions, B the mean over examples of the sum over positions;
    - *reduce*: the inputs of an example first averaged, its signals first summed, over its positions.

    Parameters
    ----------
    inputs : array (n, a) or (n, R, a)
        The 1 of the bias included.
    signals : array (K, n, b) or (K, n, R, b)
        Of the un-averaged loss of each example, scaled so that the sum over k is meant.
    sharing : "expand" (default) or "reduce"
        For R positions; the same for one.

    Returns
    -------
    A : array (a, a)
    B : array (b, b)

    Cost: :math:`O(nR(a^2+Kb^2))`.

    >>> A, B = kronecker_factors(np.asarray([[1.0, 1.0], [3.0, 1.0]]), np.asarray([[[2.0], [4.0]]]))
    >>> A, B
    (array([[5., 2.],
           [2., 1.]]), array([[10.]]))
    """
    if sharing not in ("expand", "reduce"):
        raise ValueError(f"sharing must be one of 'expand', 'reduce'; got {sharing!r}")
    xp, n = namespace(inputs), inputs.shape[0]
    if inputs.ndim == 3 and sharing == "reduce":
        inputs, signals = xp.mean(inputs, axis=1), xp.sum(signals, axis=2)
    inputs = xp.reshape(inputs, (-1, inputs.shape[-1]))
    signals = xp.reshape(signals, (-1, signals.shape[-1]))
    return inputs.T @ inputs / inputs.shape[0], signals.T @ signals / n


def kronecker_damping(A: Array, B: Array, damping: float) -> tuple[Array, Array]:
    r"""The damping of both factors by which their product dominates :math:`A\otimes B+\lambda I`.

    Reference: :cite:`martens2015optimizing`, factored Tikhonov regularisation.

    .. math::

        \hat A=A+\pi\sqrt\lambda I,\quad\hat B=B+\frac{\sqrt\lambda}\pi I,\qquad
        \pi=\sqrt{\frac{\operatorname{tr}A/a}{\operatorname{tr}B/b}},

    which balances the two terms :math:`\pi\sqrt\lambda\,I\otimes B` and :math:`\sqrt\lambda/\pi\,A\otimes I` that are added
    beside :math:`\lambda I`. :math:`\pi=1` where a trace is 0, as in a layer that no signal reaches.

    >>> A, B = kronecker_damping(np.diag([4.0, 4.0]), np.asarray([[1.0]]), 0.01)
    >>> A, B
    (array([[4.2, 0. ],
           [0. , 4.2]]), array([[1.05]]))
    """
    if not damping >= 0.0:
        raise ValueError(f"damping must be a number in [0, inf); got {damping!r}")
    xp = namespace(A)
    size_A, size_B = (float(xp.linalg.trace(M)) / M.shape[0] for M in (A, B))
    pi = math.sqrt(size_A) / math.sqrt(size_B) if size_A > 0.0 and size_B > 0.0 else 1.0
    root = math.sqrt(damping)
    return A + pi * root * xp.eye(A.shape[0], dtype=A.dtype), B + root / pi * xp.eye(B.shape[0], dtype=B.dtype)


def kronecker_moments(U_A: Array, U_B: Array, layer: Layer) -> Array:
    r"""The second moments of the gradients of the examples in a Kronecker basis, shape (b, a) (:cite:`george2018fast`).

    .. math::

        S=\frac1n\sum_n\sum_k\bigl(U_B^\top g_{n,k}\bar a_n^\top U_A\bigr)^{\odot2}
         =\frac1n\Bigl(\sum_k(g_kU_B)^{\odot2}\Bigr)^\top(\bar aU_A)^{\odot2} :

    the square of a rank-one matrix is the outer product of the squares. S is the diagonal of the block in that basis, so
    that no other diagonal is nearer to it in the Frobenius norm.

    >>> rng = np.random.default_rng(0)
    >>> layer = Layer(rng.standard_normal((5, 3)), rng.standard_normal((2, 5, 4)))
    >>> G = np.concatenate([np.einsum("nb,na->nba", g, layer.inputs) for g in layer.signals])
    >>> bool(np.allclose(kronecker_moments(np.eye(3), np.eye(4), layer), np.sum(G**2, axis=0) / 5))
    True
    """
    if layer.inputs.ndim != 2:
        raise ValueError("inputs must have shape (n, a): only K-FAC has factors for several positions, (n, R, a)")
    xp = namespace(U_A)
    inputs, signals = layer.inputs @ U_A, layer.signals @ U_B
    return xp.sum(signals * signals, axis=0).T @ (inputs * inputs) / inputs.shape[0]


def kronecker_solve(A: Array, B: Array, G: Array, damping: float, *, pi: bool = False) -> Array:
    r"""The matrix X that solves :math:`BXA+\lambda X=G`, the step of K-FAC with exact damping.

    With :math:`A=U_A\Lambda_AU_A^\top`, :math:`B=U_B\Lambda_BU_B^\top`:

    .. math:: X=U_B\bigl[(U_B^\top GU_A)\oslash(\lambda_B\lambda_A^\top+\lambda)\bigr]U_A^\top .

    With ``pi``, both factors are damped instead (:func:`kronecker_damping`): :math:`X=\hat B^{-1}G\hat A^{-1}`.

    Parameters
    ----------
    A : array (a, a)
    B : array (b, b)
        Symmetric, positive semi-definite.
    G : array (b, a)
    damping : float >= 0
        :math:`\lambda`, in the units of the curvature.
    pi : bool, default False

    Raises ``LinAlgError`` if the damping is 0 and a factor is singular to rounding.

    Cost: :math:`O(a^3+b^3+ab(a+b))`.

    >>> kronecker_solve(np.diag([1.0, 2.0]), np.asarray([[3.0]]), np.asarray([[4.0, 7.0]]), 1.0)
    array([[1., 1.]])
    """
    xp = namespace(A)
    if not damping >= 0.0:
        raise ValueError(f"damping must be a number in [0, inf); got {damping!r}")
    if damping == 0.0 and any(_singular(M) for M in (A, B)):
        raise np.linalg.LinAlgError("a Kronecker factor is singular: give damping > 0")
    if pi:
        A, B = kronecker_damping(A, B, damping)
        return xp.linalg.solve(B, xp.linalg.solve(A, G.T).T)
    right, left = eigen(A), eigen(B)
    S = xp.clip(left.values[:, None] * right.values[None, :], min=0.0)
    return eigenbasis_solve(right.vectors, left.vectors, S, G, damping)


def eigenbasis_solve(U_A: Array, U_B: Array, S: Array, G: Array, damping: float) -> Array:
    r""":math:`U_B\bigl[(U_B^\top GU_A)\oslash(S+\lambda)\bigr]U_A^\top`, the step of EK-FAC (:cite:`george2018fast`).

    >>> eigenbasis_solve(np.eye(2), np.eye(1), np.asarray([[1.0, 3.0]]), np.asarray([[4.0, 8.0]]), 1.0)
    array([[2., 2.]])
    """
    return U_B @ ((U_B.T @ G @ U_A) / (S + damping)) @ U_A.T


def _singular(M: Array) -> bool:
    values = eigen(M).values
    return float(values[0]) <= M.shape[0] * epsilon(M) * float(values[-1])
