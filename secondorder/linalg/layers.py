"""Matrices of per-example gradients of a network, kept as their factors.

The gradient of one example with respect to the weights of a layer, bias included, is an outer product: the signal that
comes back times the input that went in. Vectors are the layers' matrices (outputs by inputs), row by row, one after another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from secondorder.arrays import Array, namespace


class Layer(NamedTuple):
    """``inputs`` (n, a), the last of them a constant 1 for the bias, and ``signals`` (K, n, b), K for each example."""

    inputs: Array
    signals: Array

    @property
    def shape(self) -> tuple[int, int]:
        """(b, a), that of the layer's matrix of weights."""
        return self.signals.shape[-1], self.inputs.shape[-1]


def split(x: Array, shapes: Sequence[tuple[int, int]]) -> tuple[Array, ...]:
    """The matrices of a vector.

    >>> import numpy as np
    >>> [W.shape for W in split(np.zeros(8), [(2, 3), (1, 2)])]
    [(2, 3), (1, 2)]
    """
    xp, parts, start = namespace(x), [], 0
    for shape in shapes:
        parts.append(xp.reshape(x[start : start + math.prod(shape)], shape))
        start += math.prod(shape)
    return tuple(parts)


def join(matrices: Sequence[Array]) -> Array:
    """The vector of some matrices, the inverse of :func:`split`."""
    xp = namespace(matrices[0])
    return xp.concat([xp.reshape(matrix, (-1,)) for matrix in matrices])


def blocks(T: Array, size: int | None) -> list[Array]:
    """The blocks of a tensor whose axes are cut into pieces of at most this length; the tensor itself for None.

    >>> import numpy as np
    >>> [B.shape for B in blocks(np.zeros((3, 2)), 2)]
    [(2, 2), (1, 2)]
    """
    parts = [T]
    for axis, length in enumerate(T.shape):
        starts = range(0, length, size or length)
        cuts = [(*[slice(None)] * axis, slice(i, min(i + (size or length), length)), ...) for i in starts]
        parts = [part[cut] for part in parts for cut in cuts]
    return parts


def unblocked(parts: Iterator[Array], shape: Sequence[int], size: int | None) -> Array:
    """The tensor of this shape from the next of the blocks, the inverse of :func:`blocks`.

    >>> import numpy as np
    >>> T = np.reshape(np.arange(15), (3, 5))
    >>> bool(np.all(unblocked(iter(blocks(T, 2)), T.shape, 2) == T))
    True
    """

    def joined(axis: int) -> Array:
        if axis == len(shape):
            return next(parts)
        pieces = [joined(axis + 1) for _ in range(0, shape[axis], size or shape[axis])]
        return namespace(pieces[0]).concat(pieces, axis=axis)

    return joined(0)


def mode_gram(T: Array, axis: int) -> Array:
    """The inner products of the slices of a tensor along an axis: for a matrix T T' and T'T.

    >>> import numpy as np
    >>> mode_gram(np.asarray([[1.0, 2.0]]), 0), mode_gram(np.asarray([[1.0, 2.0]]), 1)
    (array([[5.]]), array([[1., 2.],
           [2., 4.]]))
    """
    xp = namespace(T)
    unfolded = xp.reshape(xp.moveaxis(T, axis, 0), (T.shape[axis], -1))
    return unfolded @ unfolded.T


def mode_product(A: Array, T: Array, axis: int) -> Array:
    """A matrix times a tensor along an axis: for a matrix T A T and T A'.

    >>> import numpy as np
    >>> mode_product(np.diag([1.0, 10.0]), np.asarray([[1.0, 2.0]]), 1)
    array([[ 1., 20.]])
    """
    xp = namespace(T)
    return xp.moveaxis(xp.tensordot(A, T, axes=((1,), (axis,))), 0, axis)


class ExampleGradients:
    r"""The matrix G (K n, d) with the gradients of n examples under K signals each as rows, never formed.

    With the right signals :math:`\frac1nG^\top G` is the Fisher or the Gauss-Newton matrix of a network.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> G = ExampleGradients([Layer(rng.standard_normal((4, 3)), rng.standard_normal((2, 4, 5)))])
    >>> v = rng.standard_normal(15)
    >>> bool(np.allclose(G.product(v), np.reshape(G.dense() @ v, (2, 4))))
    True
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        if any(inputs.ndim != 2 for inputs, _ in layers):
            raise ValueError("inputs must have shape (n, a): only K-FAC has factors for several positions, (n, R, a)")
        self.layers = layers
        self.K, self.n, _ = layers[0].signals.shape

    def _with(self, v: Array) -> Iterator[tuple[Layer, Array]]:
        return zip(self.layers, split(v, [layer.shape for layer in self.layers]), strict=True)

    def product(self, v: Array) -> Array:
        """G v, shape (K, n)."""
        xp = namespace(v)
        return sum(xp.sum(layer.signals * (layer.inputs @ V.T), axis=-1) for layer, V in self._with(v))

    def adjoint(self, w: Array) -> Array:
        """The transpose of G times w of shape (K, n): a vector (d,)."""
        xp = namespace(w)
        return join([xp.sum(w[..., None] * layer.signals, axis=0).T @ layer.inputs for layer in self.layers])

    def gram(self) -> Array:
        """G times its transpose, shape (K n, K n), in O(n^2 K (K b + a)) for each layer."""
        xp, size = namespace(self.layers[0].inputs), self.K * self.n
        G = 0.0
        for inputs, signals in self.layers:
            flat = xp.reshape(signals, (size, signals.shape[2]))
            G = G + (flat @ flat.T) * xp.tile(inputs @ inputs.T, (self.K, self.K))
        return G

    def dense(self) -> Array:
        """G itself, shape (K n, d), the rows of the first signal first."""
        xp = namespace(self.layers[0].inputs)
        blocks = [xp.reshape(s[..., :, None] * a[:, None, :], (self.K * self.n, -1)) for a, s in self.layers]
        return xp.concat(blocks, axis=1)
