"""AdaHessian."""

from __future__ import annotations

import functools
import itertools
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.catalogue import below_one, count, method, nonnegative, positive, unit
from secondorder.ledger import Ledger
from secondorder.linalg import block_means, hutchinson_diagonal, random_probes
from secondorder.run import Iterate, Iterates


@method(
    paper="yao2021adahessian",
    needs=("grad", "hvp"),
    variants={
        "means of magnitudes": {"averaging": "absolute"},
        "no spatial averaging": {"block_size": 1},
        "constant probe": {"probe": "constant"},
    },
)
def adahessian(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    learning_rate: positive = 0.15,
    beta1: below_one = 0.9,
    beta2: below_one = 0.999,
    epsilon: positive = 1e-4,
    hessian_power: unit = 1.0,
    block_size: count = 4,
    averaging: Literal["signed", "absolute"] = "signed",
    refresh: count = 1,
    samples: count = 1,
    probe: Literal["rademacher", "gaussian", "constant"] = "rademacher",
    weight_decay: nonnegative = 0.0,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""AdaHessian: Adam with an estimate of the Hessian's diagonal in the place of the gradient under the root.

    Reference: :cite:`yao2021adahessian`, Algorithm 1. A product with a vector z of random signs has the diagonal as its mean,
    :math:`\mathbb E\,z\odot Hz=\operatorname{diag}H`. With everything elementwise and :math:`m_0=v_0=0`,

    .. math::

        D_t=\overline{z\odot H_tz},\quad m_t=\beta_1m_{t-1}+(1-\beta_1)g_t,\quad v_t=\beta_2v_{t-1}+(1-\beta_2)D_t^2,

    .. math::

        x_t=x_{t-1}-\eta\Bigl(\frac{m_t/(1-\beta_1^t)}{\bigl(\sqrt{v_t/(1-\beta_2^t)}\bigr)^k+\epsilon}+\lambda x_{t-1}\Bigr),

    the bar being the mean over blocks of neighbouring weights of a layer.

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``hvp``, or ``hess`` in its place.
    x : array (d,)
        The start.
    batch_size : int, optional
        Examples in each step's batch, by default all; gradient and product are of the same batch.
    learning_rate : float > 0, default 0.15
        :math:`\eta`; without a unit for k = 1, where 1 is Newton's step if H is diagonal.
    beta1, beta2 : float in [0, 1), default 0.9 and 0.999
        :math:`\beta_1,\beta_2`.
    epsilon : float > 0, default 1e-4
        :math:`\epsilon`, in units of the curvature to the power k.
    hessian_power : float in [0, 1], default 1
        k; 0 is gradient descent with momentum.
    block_size : int, default 4
        Spatial averaging: D is averaged over so many neighbouring weights into the same unit of a layer, the last block of a
        row being shorter and biases apart; 1 for none. A problem without layers has no neighbours, and D stays.
    averaging : "signed" (default) or "absolute"
        Means of D, or of its magnitudes.
    refresh : int, default 1
        D is estimated at the first and every so many steps, and stands in between.
    samples : int, default 1
        Probes in an estimate.
    probe : "rademacher" (default), "gaussian" or "constant"
        Random signs, normal numbers, or -1 everywhere, by which D becomes the sums of the rows of H.
    weight_decay : float >= 0, default 0
        :math:`\lambda`; a step takes the fraction :math:`\eta\lambda` of x away.

    Yields
    ------
    Iterate
        ``grad`` (``batch_grad`` with a batch size); ``hessian_diagonal`` (D, averaged), ``first_moment`` and
        ``second_moment`` (m and v, not corrected) and ``step``.

    Guarantee: none for a nonconvex f. On a quadratic with a positive diagonal H it is Newton's method with the step
    :math:`\eta` as long as the momentum is off.
    Cost: a gradient an iteration and a product for each probe, three gradients in all; three vectors.

    Departures: a block that does not fit is shorter here. The authors' code averages magnitudes
    (``averaging="absolute"``); ``pytorch_optimizer`` averages nothing (``block_size=1``), and its version 3.10.0 has -1 for all
    random signs (``probe="constant"``).

    >>> import secondorder as so
    >>> hyper = {"beta1": 0.0, "learning_rate": 1.0, "epsilon": 1e-12}
    >>> so.minimize(so.problems.quadratic([1.0, 100.0]), "adahessian", steps=1, **hyper).x.round(9) + 0.0
    array([0., 0.])
    """
    batch_rng, probe_rng = (rng or np.random.default_rng(0)).spawn(2)
    xp, name = namespace(x), "grad" if batch_size is None else "batch_grad"
    m = v = xp.zeros_like(x)
    account: dict[str, Any] = {}
    for t, batch in zip(itertools.count(1), problem.batches(batch_size, batch_rng)):
        grad = batch.grad(x)
        yield Iterate(x, **{name: grad}, **account)
        if (t - 1) % refresh == 0:
            probes = random_probes(probe_rng, x, samples, probe)
            D = hutchinson_diagonal(functools.partial(batch.hvp, x), probes)
            D = spatial_means(problem, xp.abs(D) if averaging == "absolute" else D, block_size)
        m = beta1 * m + (1.0 - beta1) * grad
        v = beta2 * v + (1.0 - beta2) * D * D
        if not bool(xp.all(xp.isfinite(v))):
            raise FloatingPointError("the squares of the estimated diagonal are not finite")
        scale = xp.sqrt(v / (1.0 - beta2**t)) ** hessian_power + epsilon
        step = -learning_rate * (m / (1.0 - beta1**t) / scale + weight_decay * x)
        x = x + step
        account = {"hessian_diagonal": D, "first_moment": m, "second_moment": v, "step": step}
    return "finished"


def spatial_means(problem: Ledger, D: Array, block_size: int) -> Array:
    """Means over blocks of neighbouring weights in the rows of a network's matrices [W b], its biases as they are."""
    matrices = problem.split(D) if block_size > 1 and hasattr(problem, "split") else D
    if not isinstance(matrices, tuple):
        return D
    xp = namespace(D)
    averaged = [xp.concat([block_means(W[:, :-1], block_size), W[:, -1:]], axis=1) for W in matrices]
    return problem.join(averaged)
