r"""What products with a few random vectors say of a matrix that is never formed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from secondorder.arrays import Array, namespace, standard_normal


def random_probes(
    rng: np.random.Generator,
    like: Array,
    count: int = 1,
    kind: Literal["rademacher", "gaussian", "constant"] = "rademacher",
) -> Array:
    r"""Vectors z with :math:`\mathbb E\,zz^\top=I`, as rows, shape (count, d), d and the array library those of ``like``.

    Parameters
    ----------
    rng : Generator
        Drawn from by NumPy, whatever the library.
    like : array (d,)
    count : int, default 1
    kind : "rademacher" (default), "gaussian" or "constant"
        Independent signs; standard normal numbers; or -1 in every place, which is no probe:
        :math:`zz^\top` is then the matrix of ones. It is what signs become whose upper end was meant to be included.

    >>> random_probes(np.random.default_rng(0), np.zeros(3), 2)
    array([[ 1.,  1.,  1.],
           [-1., -1., -1.]])
    """
    xp, shape = namespace(like), (count, *like.shape)
    if count < 1 or not xp.isdtype(like.dtype, "real floating"):
        raise ValueError(f"count must be at least 1 and like of real floating numbers; got {count!r} and {like.dtype}")
    if kind == "gaussian":
        return standard_normal(rng, xp.zeros(shape, dtype=like.dtype))
    if kind == "rademacher":
        return xp.asarray(2.0 * rng.integers(0, 2, shape) - 1.0, dtype=like.dtype)
    if kind == "constant":
        return -xp.ones(shape, dtype=like.dtype)
    raise ValueError(f"kind must be one of 'rademacher', 'gaussian', 'constant'; got {kind!r}")


def hutchinson_diagonal(matvec: Callable[[Array], Array], probes: Array) -> Array:
    r"""An estimate of the diagonal of a square matrix H from products with it :cite:`bekas2007estimator`.

    .. math:: D=\frac1S\sum_{s=1}^Sz_s\odot Hz_s,\qquad D_i=H_{ii}\,\overline{z_i^2}+\sum_{j\ne i}H_{ij}\,\overline{z_iz_j},

    the bars being means over the S probes. So :math:`\mathbb E\,D=\operatorname{diag}H` if :math:`\mathbb E\,zz^\top=I`, and

    .. math::

        \operatorname{Var}D_i=\frac1S\sum_{j\ne i}H_{ij}^2\ \text{ for signs},\qquad
        \frac1S\Bigl(2H_{ii}^2+\sum_{j\ne i}H_{ij}^2\Bigr)\ \text{ for normal numbers.}

    Signs are exact for a diagonal matrix, and for any other of the smallest variance among independent entries.

    Parameters
    ----------
    matvec : function from an array (d,) to Hz of shape (d,)
    probes : array (S, d)
        See :func:`random_probes`.

    Cost: S products.

    >>> H = np.asarray([[3.0, 1.0], [1.0, 2.0]])
    >>> signs = np.asarray([[1.0, 1.0], [1.0, -1.0]])        # the other two only repeat these
    >>> hutchinson_diagonal(lambda z: H @ z, signs), hutchinson_diagonal(lambda z: H @ z, signs[:1])
    (array([3., 2.]), array([4., 3.]))
    """
    xp = namespace(probes)
    if probes.ndim != 2 or probes.shape[0] < 1:
        raise ValueError(f"probes must have shape (S, d), a row for each probe; got {tuple(probes.shape)}")
    products = xp.stack([matvec(probes[s, :]) for s in range(probes.shape[0])])
    if products.shape != probes.shape:
        raise ValueError(
            f"matvec must return an array of shape {tuple(probes.shape[1:])}; got {tuple(products.shape[1:])}"
        )
    return xp.mean(probes * products, axis=0)


def block_means(values: Array, size: int) -> Array:
    """Each number replaced by the mean over its block: ``size`` neighbours along the last axis, fewer in the last block.

    >>> block_means(np.asarray([1.0, 3.0, 5.0, 7.0, 9.0]), 2)
    array([2., 2., 6., 6., 9.])
    """
    if size < 1:
        raise ValueError(f"size must be a whole number, at least 1; got {size!r}")
    xp, length = namespace(values), values.shape[-1]
    means = []
    for start in range(0, length, size):
        block = values[..., start : min(start + size, length)]
        means.append(xp.broadcast_to(xp.mean(block, axis=-1, keepdims=True), block.shape))
    return xp.concat(means, axis=-1)
