"""EK-FAC."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array
from secondorder.catalogue import below_one, count, method, positive
from secondorder.kronecker.rescaling import averaged_factors, judged_damping, kl_step, model_step
from secondorder.ledger import Ledger
from secondorder.linalg import (
    eigen,
    eigenbasis_solve,
    join,
    kronecker_moments,
    split,
)
from secondorder.run import Iterate, Iterates


@method(
    paper="george2018fast",
    needs=lambda hyper: (
        ("f", "grad", "signals", "ggn_product") if hyper["rescaling"] == "model" else ("grad", "signals")
    ),
    variants={
        "exact signals": {"fisher": "exact"},
        "empirical Fisher": {"fisher": "empirical"},
        "KL clipping": {"rescaling": "kl_clip"},
    },
)
def ekfac(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    fisher: Literal["monte_carlo", "exact", "empirical"] = "monte_carlo",
    samples: count = 1,
    decay: below_one = 0.95,
    damping: positive = 0.01,
    refresh: count = 5,
    rescaling: Literal["model", "kl_clip"] = "model",
    adaptation: count = 5,
    learning_rate: positive = 0.1,
    momentum: below_one = 0.9,
    kl_clip: positive = 1e-3,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""EK-FAC: the eigenbasis of K-FAC, with the true second moments along it.

    Reference: :cite:`george2018fast`. With the eigenvectors :math:`U_A,U_B` of the factors of :func:`kfac`,

    .. math::

        S_l=\frac1N\sum_n\big(U_B^\top g_n\bar a_n^\top U_A\big)^{\odot2},\qquad
        D_l=-U_B\Big[\big(U_B^\top\,\nabla_{\bar W_l}f\,U_A\big)\oslash(S_l+\lambda)\Big]U_A^\top .

    S is the diagonal of the block in that basis, of all diagonals the nearest; K-FAC puts the products of the eigenvalues
    there.

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
        The signals, as in :func:`kfac`.
    samples : int, default 1
        Labels drawn for each example.
    decay : float in [0, 1), default 0.95
        Of the running averages of the factors, and of S since the last change of the basis.
    damping : float > 0, default 0.01
        :math:`\lambda` at the start, in units of f over x²; the problem's ``l2`` is added to it.
    refresh : int, default 5
        The eigenbases are computed at every so many steps, S at every step.
    rescaling : "model" (default) or "kl_clip"
        As in :func:`kfac`, and so are the following.
    adaptation : int, default 5
        Steps between two judgements of :math:`\lambda`.
    learning_rate, momentum, kl_clip : float, default 0.1, 0.9 and 1e-3
        Of "kl_clip".

    Yields
    ------
    Iterate
        ``grad`` (``batch_grad`` with a batch size); ``right_factor`` and ``left_factor`` (A and B of each layer),
        ``second_moment`` (S of each layer), ``damping``, ``scale``, ``momentum``, ``step``; ``ratio`` when
        :math:`\lambda` is judged.

    Guarantee: none for the whole; S in its basis is never farther from the block, in the Frobenius norm, than K-FAC.
    Cost: that of :func:`kfac` with eigendecompositions for inverses, and :math:`O(n\sum(d_A^2+Kd_B^2))` more for S.

    Departures: the paper scales by a learning rate alone; the rescalings are those of K-FAC. S begins anew with each
    basis, where one variant of the authors' code averages on across the change.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.mlp("two_moons", [2, 8, 2]), "ekfac", steps=30)
    >>> bool(history.f[-1] < 0.1 * history.f[0])
    True
    """
    batch_rng, label_rng = (rng or np.random.default_rng(0)).spawn(2)
    name = "grad" if batch_size is None else "batch_grad"
    factors: list[tuple[Array, Array]] = []
    moments: list[Array] = []
    account: dict[str, Any] = {}
    step = None
    for k, batch in zip(itertools.count(), problem.batches(batch_size, batch_rng)):
        grad = batch.grad(x)
        yield Iterate(x, **{name: grad}, **account)
        layers = batch.signals(x, fisher, label_rng, samples)
        factors = averaged_factors(factors, layers, min(k / (k + 1.0), decay))
        age = k % refresh
        if age == 0:
            bases, moments = [(eigen(A).vectors, eigen(B).vectors) for A, B in factors], []
        past, total = min(age / (age + 1.0), decay), damping + problem.l2
        squares = [kronecker_moments(*basis, layer) for basis, layer in zip(bases, layers, strict=True)]
        moments = [past * S + (1.0 - past) * S_new for S, S_new in zip(moments or squares, squares, strict=True)]
        matrices = split(grad, [layer.shape for layer in layers])
        parts = zip(bases, moments, matrices, strict=True)
        direction = -join([eigenbasis_solve(*basis, S, G, total) for basis, S, G in parts])
        if rescaling == "model":
            step, account = model_step(batch, x, grad, direction, step, total)
        else:
            step, account = kl_step(grad, direction, step, learning_rate, momentum, kl_clip)
        account |= {"damping": damping, "step": step, "second_moment": tuple(moments)}
        account |= {"right_factor": tuple(A for A, _ in factors), "left_factor": tuple(B for _, B in factors)}
        if rescaling == "model" and (k + 1) % adaptation == 0:
            damping, account["ratio"] = judged_damping(batch, x, grad, step, damping, adaptation)
        x = x + step
    return "finished"
