"""K-FAC."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.catalogue import below_one, count, method, positive
from secondorder.kronecker.rescaling import averaged_factors, judged_damping, kl_step, model_step
from secondorder.ledger import Ledger
from secondorder.linalg import (
    eigen,
    eigenbasis_solve,
    join,
    kronecker_damping,
    split,
)
from secondorder.run import Iterate, Iterates


@method(
    paper="martens2015optimizing",
    needs=lambda hyper: (
        ("f", "grad", "signals", "ggn_product") if hyper["rescaling"] == "model" else ("grad", "signals")
    ),
    variants={
        "exact signals": {"fisher": "exact"},
        "empirical Fisher": {"fisher": "empirical"},
        "exact damping": {"damping_rule": "exact"},
        "KL clipping": {"rescaling": "kl_clip"},
    },
)
def kfac(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    fisher: Literal["monte_carlo", "exact", "empirical"] = "monte_carlo",
    samples: count = 1,
    decay: below_one = 0.95,
    damping: positive = 0.01,
    damping_rule: Literal["pi", "exact"] = "pi",
    refresh: count = 5,
    rescaling: Literal["model", "kl_clip"] = "model",
    adaptation: count = 5,
    learning_rate: positive = 0.1,
    momentum: below_one = 0.9,
    kl_clip: positive = 1e-3,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""K-FAC: the Fisher matrix of a network, layer by layer, as a Kronecker product.

    Reference: :cite:`martens2015optimizing`, the block-diagonal method. A layer's gradient for one example is
    :math:`g\bar a^\top`, the signal that comes back times the input with a 1 for the bias. Its block of the Fisher matrix,
    :math:`\mathbb E[\bar a\bar a^\top\otimes gg^\top]`, is taken for the product of the expectations :math:`A\otimes B`, so

    .. math::

        D_l=-\hat B_l^{-1}\,\nabla_{\bar W_l}f\,\hat A_l^{-1},\qquad
        \hat A=A+\pi\sqrt\lambda I,\quad\hat B=B+\frac{\sqrt\lambda}\pi I,\quad
        \pi=\sqrt{\frac{\operatorname{tr}A/d_A}{\operatorname{tr}B/d_B}} .

    The step :math:`\alpha D+\mu\delta_0` is the best in the span of D and the last step for the exact damped quadratic model.

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``signals``, ``f`` and ``ggn_product`` for the rescaling by the model: a network,
        :func:`secondorder.problems.mlp`.
    x : array (d,)
        The start.
    batch_size : int, optional
        Examples in each step's batch, by default all.
    fisher : "monte_carlo" (default), "exact" or "empirical"
        Signals of labels drawn from the model, of the expectation over them in closed form (one for each output), or of
        the training labels.
    samples : int, default 1
        Labels drawn for each example.
    decay : float in [0, 1), default 0.95
        The factors are running averages with weight :math:`\min(1-1/k,\text{decay})` on the past.
    damping : float > 0, default 0.01
        :math:`\lambda` at the start, in units of f over x²; the problem's ``l2`` is added to it. The paper's 150
        is for far larger networks.
    damping_rule : "pi" (default) or "exact"
        As above, or :math:`\lambda` added to the eigenvalues of the product.
    refresh : int, default 5
        The inverses are computed at every so many steps.
    rescaling : "model" (default) or "kl_clip"
        As above, with :math:`\lambda` adapted; or heavy ball with a bound on the squared length
        :math:`\eta^2|g^\top D|`, :math:`\lambda` being fixed.
    adaptation : int, default 5
        "model": every so many steps T, :math:`\lambda\leftarrow(\frac{19}{20})^T\lambda` if the change of f on the batch is
        more than :math:`\frac34` of the model's, and the inverse if it is less than :math:`\frac14`.
    learning_rate, momentum, kl_clip : float, default 0.1, 0.9 and 1e-3
        :math:`\eta`, :math:`\mu` and :math:`\kappa` of "kl_clip".

    Yields
    ------
    Iterate
        ``grad`` (``batch_grad`` with a batch size); ``right_factor`` and ``left_factor`` (A and B of each layer),
        ``damping``, ``scale`` (:math:`\alpha`, or the clipping), ``momentum`` (:math:`\mu`), ``step``; ``ratio`` when
        :math:`\lambda` is judged.

    Guarantee: none for the whole; the undamped direction does not change under affine maps of the inputs and of the
    activations of any layer.
    Cost: a gradient and the signals, two ``ggn_product`` and now and then two values for the model;
    :math:`O(n\sum(d_A^2+d_B^2))` for the factors, :math:`O(\sum(d_A^3+d_B^3))` for the inverses, memory of both.

    Departures: the paper adapts the :math:`\gamma` that stands here as :math:`\sqrt\lambda`, and inverts every 20 steps.
    Popular libraries take the training labels for the model's (``fisher="empirical"``), ``rescaling="kl_clip"``, signals of the
    *mean* loss, which makes B smaller by :math:`n^2`, or separate blocks for the biases.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.mlp("two_moons", [2, 8, 2]), "kfac", steps=30)
    >>> bool(history.f[-1] < 0.1 * history.f[0])
    True
    """
    batch_rng, label_rng = (rng or np.random.default_rng(0)).spawn(2)
    name = "grad" if batch_size is None else "batch_grad"
    factors: list[tuple[Array, Array]] = []
    account: dict[str, Any] = {}
    step = None
    for k, batch in zip(itertools.count(), problem.batches(batch_size, batch_rng)):
        grad = batch.grad(x)
        yield Iterate(x, **{name: grad}, **account)
        layers = batch.signals(x, fisher, label_rng, samples)
        factors = averaged_factors(factors, layers, min(k / (k + 1.0), decay))
        total = damping + problem.l2
        if k % refresh == 0:
            solvers = [_solver(A, B, total, damping_rule) for A, B in factors]
        matrices = split(grad, [layer.shape for layer in layers])
        direction = -join([solve(G) for solve, G in zip(solvers, matrices, strict=True)])
        if rescaling == "model":
            step, account = model_step(batch, x, grad, direction, step, total)
        else:
            step, account = kl_step(grad, direction, step, learning_rate, momentum, kl_clip)
        account |= {"damping": damping, "step": step}
        account |= {"right_factor": tuple(A for A, _ in factors), "left_factor": tuple(B for _, B in factors)}
        if rescaling == "model" and (k + 1) % adaptation == 0:
            damping, account["ratio"] = judged_damping(batch, x, grad, step, damping, adaptation)
        x = x + step
    return "finished"


def _solver(A: Array, B: Array, damping: float, rule: str) -> Callable[[Array], Array]:
    xp = namespace(A)
    if rule == "pi":
        A_inverse, B_inverse = map(xp.linalg.inv, kronecker_damping(A, B, damping))
        return lambda G: B_inverse @ G @ A_inverse
    (a, U_A), (b, U_B) = eigen(A), eigen(B)
    return lambda G: eigenbasis_solve(U_A, U_B, b[:, None] * a[None, :], G, damping)
