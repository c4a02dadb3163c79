"""The natural gradient."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, namespace
from secondorder.catalogue import count, method, nonnegative, positive
from secondorder.ledger import Ledger
from secondorder.linalg import ExampleGradients, cg, solve_definite
from secondorder.run import Iterate, Iterates


@method(
    paper="amari1998natural",
    needs=("grad", "signals"),
    variants={
        "Monte-Carlo Fisher": {"fisher": "monte_carlo"},
        "empirical Fisher": {"fisher": "empirical"},
        "conjugate gradients": {"solver": "cg"},
    },
)
def natural_gradient(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    fisher: Literal["exact", "monte_carlo", "empirical"] = "exact",
    samples: count = 1,
    damping: nonnegative = 0.1,
    solver: Literal["dense", "cg"] = "dense",
    learning_rate: positive = 1.0,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""Natural gradient descent with the exact, a sampled or the empirical Fisher matrix.

    Reference: :cite:`amari1998natural`; the variants of the Fisher matrix :cite:`martens2020new`, §5 and §11. With the
    scores :math:`s_n(\hat y)=\nabla_x\log p(\hat y\mid z_n(x))` of the model's own distribution,

    .. math::

        F=\frac1N\sum_n\mathbb E_{\hat y\sim p(\cdot\mid z_n)}\big[s_n(\hat y)\,s_n(\hat y)^\top\big],\qquad
        x\leftarrow x-\eta\,(F+\lambda I)^{-1}\nabla f(x) .

    Parameters
    ----------
    problem : Problem
        Offers ``grad`` and ``signals``: a network, :func:`secondorder.problems.mlp`.
    x : array (d,)
        The start.
    batch_size : int, optional
        Examples in each step's batch, by default all.
    fisher : "exact" (default), "monte_carlo" or "empirical"
        The expectation over the labels in closed form; from labels drawn from the model; or the training labels in
        their place, which is not the Fisher matrix of any point but the optimum of a true model
        (:cite:`kunstner2019limitations`).
    samples : int, default 1
        Labels drawn for each example; "monte_carlo" only.
    damping : float >= 0, default 0.1
        :math:`\lambda`, in units of f over x², the problem's ``l2`` being added to it. Nothing else holds the step back: on
        networks less than 0.01 can diverge, on a convex problem much less is better.
    solver : "dense" (default) or "cg"
        "dense" forms F and factorises it; "cg" takes products with the per-example gradients, to a relative residual
        of 1e-6 or 2 d products.
    learning_rate : float > 0, default 1
        :math:`\eta`.

    Yields
    ------
    Iterate
        ``grad`` (``batch_grad`` with a batch size); ``step`` and ``decrement``
        (:math:`\sqrt{g^\top(F+\lambda I)^{-1}g}`); ``products`` (cg). Ends as breakdown where
        :math:`F+\lambda I` is not positive definite ("dense").

    Guarantee: the undamped step does not depend on the parameterisation, for linear ones exactly, else to first order.
    Cost: a gradient and K signals (the outputs' number, ``samples`` or 1); dense :math:`O(NKd^2+d^3)`, cg
    :math:`O(NKd)` a product.

    Departures: the paper has no damping, :math:`\lambda=0`.

    >>> import secondorder as so
    >>> import numpy as np
    >>> A = np.random.default_rng(0).standard_normal((20, 3))
    >>> line = so.problems.mlp((A, A @ [1.0, 2.0, 3.0]), widths=[3, 1], loss="squared")
    >>> history = so.minimize(line, "natural_gradient", damping=0.0, tol=1e-12)     # linear: one step
    >>> len(history) - 1, history.x[:3].round(6)
    (1, array([1., 2., 3.]))
    """
    batch_rng, label_rng = (rng or np.random.default_rng(0)).spawn(2)
    name, damping = "grad" if batch_size is None else "batch_grad", damping + problem.l2
    xp = namespace(x)
    account: dict[str, Any] = {}
    for batch in problem.batches(batch_size, batch_rng):
        grad = batch.grad(x)
        yield Iterate(x, **{name: grad}, **account)
        G = ExampleGradients(batch.signals(x, fisher, label_rng, samples))
        if solver == "dense":
            rows = G.dense()
            F = rows.T @ rows / G.n + damping * xp.eye(x.shape[0], dtype=x.dtype)
            direction, products = solve_definite(F, grad), None
        else:
            solution = cg(partial(_damped, G, damping), grad, tol=1e-6)
            direction, products = solution.x, solution.iterations
        step = -learning_rate * direction
        x = x + step
        account = {"step": step, "decrement": math.sqrt(max(0.0, float(grad @ direction))), "products": products}
    return "finished"


def _damped(G: ExampleGradients, damping: float, v: Array) -> Array:
    return G.adjoint(G.product(v)) / G.n + damping * v
