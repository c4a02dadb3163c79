"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.catalogue import below_one, count, method, nonnegative, positive
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates


@method(paper="kingma2015adam", needs=("grad",))
def adam(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    beta1: below_one = 0.9,
    beta2: below_one = 0.999,
    epsilon: positive = 1e-8,
    learning_rate: positive = 1e-3,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""Adam: a running mean of the gradient over the root of a running mean of its square, coordinate by coordinate.

    Reference: :cite:`kingma2015adam`, Algorithm 1. With everything elementwise and :math:`m_0=v_0=0`,

    .. math::

        m_t=\beta_1m_{t-1}+(1-\beta_1)g_t,\quad v_t=\beta_2v_{t-1}+(1-\beta_2)g_t^2,\qquad
        x_t=x_{t-1}-\alpha\,\frac{m_t/(1-\beta_1^t)}{\sqrt{v_t/(1-\beta_2^t)}+\epsilon} .

    Parameters
    ----------
    problem : Problem
        Offers ``grad``.
    x : array (d,)
        The start.
    batch_size : int, optional
        Examples in each step's batch, by default all.
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
        :math:`\beta_1,\beta_2`.
    epsilon : float > 0, default 1e-8
        :math:`\epsilon`, outside the root and after the bias correction, in units of the gradient.
    learning_rate : float > 0, default 1e-3
        :math:`\alpha`, in units of x: the length of the first step in every coordinate.

    Yields
    ------
    Iterate
        ``grad`` (``batch_grad`` with a batch size); ``first_moment`` and ``second_moment`` (m and v, not corrected) and
        ``step``.

    Guarantee: none for a constant :math:`\alpha`; steps are near :math:`\alpha` in size as long as gradients keep their sign.
    Cost: a gradient an iteration; two vectors.

    Departures: none.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.quadratic([1.0, 100.0]), "adam", steps=1, keep="step")
    >>> history["step"][1].round(8)         # the size of the gradient does not matter
    array([-0.001, -0.001])
    """
    return (yield from _adam(problem, x, batch_size, beta1, beta2, epsilon, learning_rate, 0.0, rng))


@method(
    paper="loshchilov2019decoupled",
    needs=("grad",),
    variants={"decay times learning rate": {"decay_times_rate": True, "weight_decay": 1e-2}},
)
def adamw(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    beta1: below_one = 0.9,
    beta2: below_one = 0.999,
    epsilon: positive = 1e-8,
    learning_rate: positive = 1e-3,
    weight_decay: nonnegative = 1e-5,
    decay_times_rate: bool = False,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""AdamW: Adam, and apart from it a shrinking of the parameters.

    Reference: :cite:`loshchilov2019decoupled`, Algorithm 2, with the schedule multiplier at 1:

    .. math:: x_t=x_{t-1}-\alpha\,\frac{\hat m_t}{\sqrt{\hat v_t}+\epsilon}-\lambda x_{t-1},

    :math:`\hat m_t` and :math:`\hat v_t` being those of :func:`adam`. The decay does not pass through the moments, where
    :math:`\sqrt{\hat v}` would undo it.

    Parameters
    ----------
    problem : Problem
        Offers ``grad``.
    x : array (d,)
        The start.
    batch_size : int, optional
        Examples in each step's batch, by default all.
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
        :math:`\beta_1,\beta_2`.
    epsilon : float > 0, default 1e-8
        :math:`\epsilon`, in units of the gradient.
    learning_rate : float > 0, default 1e-3
        :math:`\alpha`, in units of x.
    weight_decay : float >= 0, default 1e-5
        :math:`\lambda`, the fraction of x that a step takes away.
    decay_times_rate : bool, default False
        Take away :math:`\alpha\lambda` instead, as PyTorch and optax do, whose 1e-2 and 1e-4 are meant so.

    Yields
    ------
    Iterate
        ``grad`` (``batch_grad`` with a batch size); ``first_moment``, ``second_moment`` and ``step``.

    Guarantee: none. A fixed point is not a stationary point of f: the decay pulls it towards zero.
    Cost: a gradient an iteration; two vectors.

    Departures: none by default; ``decay_times_rate`` is what popular libraries do.

    >>> import secondorder as so
    >>> flat = so.Problem(lambda x: 0.0, grad=lambda x: 0.0 * x, x0=[1.0, 2.0])
    >>> so.minimize(flat, "adamw", weight_decay=0.1, tol=0.0, steps=0).x
    array([1., 2.])
    >>> iterates = so.diagonal.adamw(flat, weight_decay=0.1)
    >>> [next(iterates).x for _ in range(2)]
    [array([1., 2.]), array([0.9, 1.8])]
    """
    decay = weight_decay * (learning_rate if decay_times_rate else 1.0)
    return (yield from _adam(problem, x, batch_size, beta1, beta2, epsilon, learning_rate, decay, rng))


def _adam(
    problem: Ledger,
    x: Array,
    batch_size: int | None,
    beta1: float,
    beta2: float,
    epsilon: float,
    learning_rate: float,
    decay: float,
    rng: np.random.Generator | None,
) -> Iterates:
    xp, name = namespace(x), "grad" if batch_size is None else "batch_grad"
    m = v = xp.zeros_like(x)
    account: dict[str, Any] = {}
    for t, batch in zip(itertools.count(1), problem.batches(batch_size, rng or np.random.default_rng(0))):
        grad = batch.grad(x)
        yield Iterate(x, **{name: grad}, **account)
        m = beta1 * m + (1.0 - beta1) * grad
        v = beta2 * v + (1.0 - beta2) * grad * grad
        corrected = (m / (1.0 - beta1**t), v / (1.0 - beta2**t))
        step = -learning_rate * corrected[0] / (xp.sqrt(corrected[1]) + epsilon) - decay * x
        x = x + step
        account = {"first_moment": m, "second_moment": v, "step": step}
    return "finished"
