"""Shampoo."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, namespace, norm
from secondorder.catalogue import below_one, count, fraction, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import blocks, join, mode_gram, mode_product, symmetric_power, unblocked
from secondorder.run import Iterate, Iterates

GRAFT_DECAY, GRAFT_EPSILON = 0.999, 1e-8
"""Of the second moment of Adam, and what is added to the root of a second moment, where they lend their length."""


@method(
    paper="gupta2018shampoo",
    needs=("grad",),
    variants={
        "running average": {"beta2": 0.95},
        "half powers": {"exponent": 0.5},
        "Shampoo squared": {"exponent": 0.5, "trace_scale": True},
        "grafted": {
            "grafting": "adagrad",
            "ridge": "relative",
            "epsilon": 1e-6,
            "root_interval": 10,
            "block_size": 128,
        },
        "momentum of the direction": {"momentum": 0.9, "momentum_of": "direction"},
        "momentum fed back": {"momentum": 0.9, "momentum_of": "feedback"},
        "sequential statistics": {"exponent": 0.5, "statistics": "sequential", "epsilon": 1e-6},
    },
)
def shampoo(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    learning_rate: positive = 0.1,
    beta2: fraction | None = None,
    epsilon: positive = 1e-4,
    ridge: Literal["absolute", "relative"] = "absolute",
    exponent: positive | None = None,
    trace_scale: bool = False,
    momentum: below_one = 0.0,
    momentum_of: Literal["gradient", "direction", "feedback"] = "gradient",
    grafting: Literal["sgd", "adagrad", "adam"] | None = None,
    block_size: count | None = None,
    statistics: Literal["gradient", "sequential"] = "gradient",
    statistics_interval: count = 1,
    root_interval: count = 1,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""Shampoo: AdaGrad for matrices, with one preconditioner for the rows and one for the columns.

    Reference: :cite:`gupta2018shampoo`, Algorithms 1 and 2; grafting, blocks and intervals :cite:`anil2020scalable`. For a
    layer with the gradient G (m, n),

    .. math::

        L\leftarrow L+GG^\top,\quad R\leftarrow R+G^\top G,\qquad
        W\leftarrow W-\eta\,(L+\epsilon I)^{-1/4}\,G\,(R+\epsilon I)^{-1/4} .

    A tensor with k axes has k factors and the exponent :math:`-1/(2k)`; a vector, and a problem that is not made of
    layers, is one axis with :math:`-1/2`, AdaGrad with its full matrix :cite:`duchi2011adaptive`.

    Parameters
    ----------
    problem : Problem
        Offers ``grad``; one with ``split``, as a network has, is read in its layers.
    x : array (d,)
        The start.
    batch_size : int, optional
        Examples in each step's batch, by default all.
    learning_rate : float > 0, default 0.1
        :math:`\eta`, in units of x: by default no step of a layer is longer in the spectral norm.
    beta2 : float in (0, 1), optional
        By default L and R are sums. If given, they are running averages with this weight on the past, corrected for their
        start at 0.
    epsilon : float > 0, default 1e-4
        :math:`\epsilon`, in units of the squared gradient.
    ridge : "absolute" (default) or "relative"
        Add :math:`\epsilon I`, or :math:`\epsilon\lambda_{\max}I` of each factor.
    exponent : float > 0, optional
        p in :math:`L^{-p}GR^{-p}`, by default :math:`1/(2k)`.
    trace_scale : bool, default False
        Read :math:`L\otimes R/\operatorname{tr}L` for :math:`L\otimes R`, the nearer product :cite:`morwani2025new`.
    momentum : float in [0, 1), default 0
        :math:`\mu`.
    momentum_of : "gradient" (default), "direction" or "feedback"
        Precondition :math:`M\leftarrow\mu M+(1-\mu)G` in place of G; or add :math:`\mu` times the last step; or put
        :math:`(1-\mu)G+\mu D`, D the last direction, in the place of G, statistics included.
    grafting : "sgd", "adagrad" or "adam", optional
        Give each layer's direction the length of that method's; momentum of the direction comes after.
    block_size : int, optional
        Cut each axis into pieces of at most this length, with factors of their own.
    statistics : "gradient" (default) or "sequential"
        Or take R of what is multiplied by the root of L already.
    statistics_interval, root_interval : int, default 1
        Every so many steps, from the first on, the factors are brought up to date, and their roots.

    Yields
    ------
    Iterate
        ``grad`` (``batch_grad`` with a batch size); ``left_factor``, ``right_factor`` (L and R of each layer or block,
        without :math:`\epsilon`; the last of vectors is missing), ``direction`` and ``step``.

    Guarantee: for convex f and the defaults, regret :math:`O(\sqrt T)`.
    Cost: a gradient; :math:`O(mn(m+n))` and, for roots, :math:`O(m^3+n^3)` a layer; memory :math:`2(m^2+n^2)`.

    Departures: roots by eigendecomposition. ``torch_optimizer`` and ``pytorch_optimizer`` 3.10 have "sequential
    statistics", half powers included, ``pytorch_optimizer`` 4.1 has not; all three have "momentum fed back". Distributed
    Shampoo offers "grafted", with other numbers.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.mlp("two_moons", [2, 8, 2]), "shampoo", steps=100, learning_rate=1.0)
    >>> bool(history.f[-1] < 0.1 * history.f[0])
    True
    """
    xp, name = namespace(x), "grad" if batch_size is None else "batch_grad"
    split = getattr(problem, "split", lambda vector: (vector,))
    direction = moment = second = step = xp.zeros_like(x)
    sides: list[Sides] = []
    account: dict[str, Any] = {}
    for t, batch in zip(itertools.count(), problem.batches(batch_size, rng or np.random.default_rng(0))):
        grad = batch.grad(x)
        yield Iterate(x, **{name: grad}, **account)
        if momentum_of == "feedback":
            grad = (1.0 - momentum) * grad + momentum * (direction if t else grad)
        moment = momentum * moment + (1.0 - momentum) * grad if momentum_of == "gradient" else grad
        weights = _weights(beta2, t // statistics_interval) if t % statistics_interval == 0 else None
        root = _root(exponent, epsilon, ridge == "relative", trace_scale) if t % root_interval == 0 else None
        G, M = _parts(split(grad), block_size), _parts(split(moment), block_size)
        old = sides or [[(0.0, None)] * part.ndim for part in G]
        swept = [_sweep(*block, weights, root, statistics == "sequential") for block in zip(old, G, M, strict=True)]
        sides, parts = [each for each, _ in swept], iter([D for _, D in swept])
        layers = [unblocked(parts, layer.shape, block_size) for layer in split(x)]
        if grafting is not None:
            lender, second = _lender(grafting, grad, moment, second, t + 1)
            layers = [_with_length(D, norm(other)) for D, other in zip(layers, split(lender), strict=True)]
        direction = join(layers)
        step = -learning_rate * direction + (momentum * step if momentum_of == "direction" else 0.0)
        account = {"left_factor": tuple(side[0][0] for side in sides), "direction": direction, "step": step}
        account["right_factor"] = tuple(side[-1][0] for side in sides if len(side) > 1) or None
        x = x + step
    return "finished"


def _parts(layers: Sequence[Array], size: int | None) -> list[Array]:
    return [part for layer in layers for part in blocks(layer, size)]


Sides = list[tuple[Array, Array]]
"""For each axis of a block its factor and the negative power of it that is in use."""


def _weights(beta2: float | None, seen: int) -> tuple[float, float]:
    """Of the past and of the new gradient in a sum, or in a running average divided by the sum of its weights."""
    if beta2 is None:
        return 1.0, 1.0
    total = 1.0 - beta2 ** (seen + 1)
    return beta2 * (1.0 - beta2**seen) / total, (1.0 - beta2) / total


def _root(exponent: float | None, epsilon: float, relative: bool, scaled: bool) -> Callable[[Array, int], Array]:
    """The function from a factor, one of k, to the power that is applied; the k powers share the trace among them."""

    def root(factor: Array, k: int) -> Array:
        p = exponent or 1.0 / (2.0 * k)
        trace = float(namespace(factor).linalg.trace(factor))
        scale = trace ** (p * (k - 1) / k) if scaled else 1.0
        return scale * symmetric_power(factor, -p, epsilon, relative=relative)

    return root


def _sweep(
    sides: Sides,
    G: Array,
    M: Array,
    weights: tuple[float, float] | None,
    root: Callable[[Array, int], Array] | None,
    sequential: bool,
) -> tuple[Sides, Array]:
    """One block: for each axis the factor and its root, as far as they are due; and M times the roots."""
    found: Sides = []
    for axis in range(G.ndim):
        factor, power = sides[axis]
        if weights is not None:
            factor = weights[0] * factor + weights[1] * mode_gram(M if sequential else G, axis)
        if root is not None:
            power = root(factor, G.ndim)
        M = mode_product(power, M, axis)
        found.append((factor, power))
    return found, M


def _lender(kind: str, grad: Array, moment: Array, second: Array, t: int) -> tuple[Array, Array]:
    """The direction that lends its length, and its second moment."""
    if kind == "sgd":
        return moment, second
    past, new = (1.0, 1.0) if kind == "adagrad" else _weights(GRAFT_DECAY, t - 1)
    second = past * second + new * grad * grad
    return moment / (namespace(grad).sqrt(second) + GRAFT_EPSILON), second


def _with_length(D: Array, length: float) -> Array:
    own = norm(D)
    return D * (length / own) if own > 0.0 else D
