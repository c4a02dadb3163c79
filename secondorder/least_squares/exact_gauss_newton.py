"""Gauss-Newton for networks, solved exactly in the space of the outputs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from secondorder.arrays import Array, epsilon, namespace
from secondorder.catalogue import below_one, count, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import ExampleGradients, armijo, reduction_ratio
from secondorder.run import Iterate, Iterates, along


@method(
    paper="korbit2024exact",
    needs=lambda hyper: (
        *(("f",) if hyper["line_search"] or hyper["adaptive_damping"] else ()), "grad", "signals", "output_loss",
    ),
    variants={
        "fixed step": {"line_search": False},
        "adaptive damping": {"adaptive_damping": True},
        "momentum": {"momentum": 0.9},
    },
)  # fmt: skip
def exact_gauss_newton(
    problem: Ledger,
    x: Array,
    *,
    batch_size: count | None = None,
    damping: positive = 1e-2,
    adaptive_damping: bool = False,
    momentum: below_one = 0.0,
    line_search: bool = True,
    learning_rate: positive = 1.0,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""EGN: the damped Gauss-Newton step of a network from a system as large as the batch's outputs.

    Reference: :cite:`korbit2024exact`. For a batch of b examples with C outputs each, let J (bC, d) be the Jacobian of
    the outputs, r the stacked gradients of the losses with respect to them and Q their block-diagonal Hessian. Then
    :math:`\nabla f=\frac1bJ^\top r`, the generalised Gauss-Newton matrix is :math:`\frac1bJ^\top QJ`, and by the identity
    of Duncan and Guttman

    .. math::

        d=-\Big(\frac1bJ^\top QJ+\lambda I\Big)^{-1}\nabla f=-J^\top\big(QJJ^\top+b\lambda I\big)^{-1}r .

    Nothing of size d × d is formed, and Q, which is singular for softmax, is not inverted.

    Parameters
    ----------
    problem : Problem
        Offers ``grad``, ``signals``, ``output_loss``: a network, :func:`secondorder.problems.mlp`; ``f`` for the line search
        and for adaptive damping.
    x : array (d,)
        The start.
    batch_size : int, optional
        Examples in each step's batch, by default all.
    damping : float > 0, default 1e-2
        :math:`\lambda`, in units of f over x²; the problem's ``l2`` is added to it.
    adaptive_damping : bool, default False
        Judge the whole step d by the ratio :math:`\rho` of what f gains to what the undamped model promises; multiply
        :math:`\lambda` by 1.5 if :math:`\rho<\frac14`, halve it if :math:`\rho>\frac34`, within [1e-12, 1e6].
    momentum : float in [0, 1), default 0
        :math:`\beta`: the direction is :math:`m_t/(1-\beta^t)` with :math:`m_t=\beta m_{t-1}+(1-\beta)d_t`.
    line_search : bool, default True
        Shrink the step by 0.8 until f falls by 0.1 of what the slope promises on the batch, 60 times at most. A
        direction that momentum has turned uphill is replaced by d.
    learning_rate : float > 0, default 1
        The step without a line search, and its first trial with one.

    Yields
    ------
    Iterate
        ``grad`` (``batch_grad`` with a batch size); ``damping``, ``ratio`` (adaptive), ``step_size``, ``trials`` (line
        search), ``step``. Ends as ``stalled`` when the line search finds no decrease on all of the data.

    Guarantee: with the line search and all of the data f never rises.
    Cost: a gradient, C signals, a value a trial and one for the ratio; :math:`O((bC)^2\sum_l(d_l+d_{l-1})+(bC)^3)`
    operations, :math:`O((bC)^2)` memory.

    Departures: the constants are those of the authors' code, which searches no more than 15 trials and begins each at 1.5
    times the last step size; ``l2`` enters through the same identity.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.mlp("two_moons", [2, 8, 2]), "exact_gauss_newton", steps=20)
    >>> bool(history.f[-1] < 0.02 * history.f[0])
    True
    """
    name = "grad" if batch_size is None else "batch_grad"
    xp = namespace(x)
    average = xp.zeros_like(x)
    account: dict[str, Any] = {}
    batches = problem.batches(batch_size, rng or np.random.default_rng(0))
    for t, batch in zip(itertools.count(1), batches):
        grad = batch.grad(x)
        yield Iterate(x, **{name: grad}, **account)
        J = ExampleGradients(batch.signals(x, "unit"))
        r, Q = batch.output_loss(x)
        direction = _direction(J, r, Q, x, damping, problem.l2)
        account = {"damping": damping}
        if adaptive_damping:
            f = batch.f(x)
            Jd = J.product(direction).T
            bend = float(xp.sum(Jd * _each(Q, Jd))) / J.n + problem.l2 * float(direction @ direction)
            promised = -float(grad @ direction) - 0.5 * bend
            ratio = reduction_ratio(f, batch.f(x + direction), promised, epsilon(x))
            factor = 1.5 if ratio < 0.25 else 0.5 if ratio > 0.75 else 1.0
            damping, account["ratio"] = min(max(factor * damping, 1e-12), 1e6), ratio
        average = momentum * average + (1.0 - momentum) * direction
        step = average / (1.0 - momentum**t)
        step = learning_rate * (step if float(grad @ step) < 0.0 or not line_search else direction)
        step_size = 1.0
        if line_search:
            slope = float(grad @ step)
            found = armijo(along(batch, x, step), batch.f(x), slope, epsilon(x), 0.1, 0.8) if slope < 0.0 else None
            if found is None:
                if batch_size is None:
                    return "stalled: the line search found no decrease; is the gradient right?"
                found = (0.0, 0.0, 60)
            step_size, _, account["trials"] = found
        account |= {"step_size": learning_rate * step_size, "step": step_size * step}
        x = x + account["step"]
    return "finished"


def _direction(J: ExampleGradients, r: Array, Q: Array, x: Array, damping: float, l2: float) -> Array:
    """The solution d of (J'QJ / b + (damping + l2) I) d = -(J'r / b + l2 x)."""
    xp, shift = namespace(x), damping + l2
    b, C = r.shape
    ridge = (l2 / shift) * x
    K = xp.permute_dims(xp.reshape(J.gram(), (C, b, C * b)), (1, 0, 2))
    K = xp.reshape(xp.permute_dims(Q @ K, (1, 0, 2)), (C * b, C * b)) + b * shift * xp.eye(C * b, dtype=x.dtype)
    right = xp.reshape((r - _each(Q, J.product(ridge).T)).T, (C * b,))
    delta = xp.reshape(xp.linalg.solve(K, right), (C, b))
    return -(J.adjoint(delta) + ridge)


def _each(Q: Array, u: Array) -> Array:
    """Q_n u_n for each example n."""
    return namespace(u).sum(Q * u[:, None, :], axis=-1)
