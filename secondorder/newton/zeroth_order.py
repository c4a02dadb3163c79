"""Differences of values and a perturbation at every step: descent without derivatives that leaves saddles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from secondorder.arrays import Array, epsilon, namespace, standard_normal
from secondorder.catalogue import count, method, nonnegative, positive
from secondorder.ledger import Ledger, NonFinite
from secondorder.linalg import rounding
from secondorder.run import Iterate, Iterates

Estimator = Literal["gaussian", "coordinates"]


@method(
    paper="ren2023escaping",
    needs=("f",),
    variants={"coordinate differences": {"estimator": "coordinates"}},
)
def perturbed_zeroth_order(
    problem: Ledger,
    x: Array,
    *,
    directions: count = 10,
    smoothing: positive = 1e-4,
    perturbation: nonnegative = 1e-2,
    lipschitz: positive | None = None,
    estimator: Estimator = "gaussian",
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""Descent along an estimate of the gradient from 2m values, with noise at every step so that it leaves saddles.

    Reference: :cite:`ren2023escaping`. With m directions :math:`z_i\sim N(0,I)` and :math:`\Xi_k\sim N(0,\frac{r^2}dI)`,

    .. math::

        \hat g_k=\frac1m\sum_{i=1}^m\frac{f(x_k+uz_i)-f(x_k-uz_i)}{2u}z_i,\qquad
        x_{k+1}=x_k-\eta(\hat g_k+\Xi_k),\qquad\eta=\frac m{4L_1(d+m)}

    Parameters
    ----------
    problem : Problem
        Offers ``f``.
    x : array (d,)
        The start.
    directions : int, default 10
        m; with ``estimator="coordinates"`` it is d.
    smoothing : float > 0, default 1e-4
        u, the length of a difference relative to z, in units of x. It is halved while a difference is not finite.
    perturbation : float >= 0, default 1e-2
        r, in units of the gradient: the norm below which gradients do not matter.
    lipschitz : float > 0, optional
        :math:`L_1`, kept as given. By default it starts at 1 and doubles until, with s the mean square of the m slopes,
        :math:`f(x-\eta\hat g)\le f(x)-\eta s+\frac{L_1}2\eta^2\|\hat g\|^2` (up to rounding); it never falls.
    estimator : "gaussian" (default) or "coordinates"
        Random directions, or d of the form :math:`\sqrt d\,e_i`, which are not random: :math:`\frac1d\sum_iz_iz_i^\top=I` too.

    Yields
    ------
    Iterate
        ``batch_grad`` (:math:`\hat g`) and ``slope_square`` (s) at x; ``step``, ``step_size`` (:math:`\eta`), ``lipschitz``
        and ``noise`` (:math:`\Xi`) that led there; ``trials`` when adaptive.
        Ends as ``stalled`` when 100 doublings find no decrease.

    Guarantees: on a quadratic :math:`\hat g=\frac1m\sum_iz_iz_i^\top\nabla f(x)` whatever u is, hence
    :math:`\mathbb E\hat g=\nabla f(x)`, :math:`\mathbb E\|\hat g\|^2=(1+\frac{d+1}m)\|\nabla f(x)\|^2` and
    :math:`\langle\nabla f(x),\hat g\rangle=s`: the test of the adaptive constant is the descent lemma. The paper proves that
    the published method finds points with a small gradient and no strongly negative curvature, with high probability and
    any :math:`m\le d`.
    Cost: 2m values an iteration; adaptive, one more and one a trial.

    Departures: :math:`\eta`, u and r are this library's, where the paper's hold up to unnamed constants and logarithms; the
    adaptive :math:`L_1`; coordinate differences, for contrast. At a saddle :math:`\hat g` vanishes, and :math:`\Xi` alone
    moves x. The perturbation does not shrink, so the run ends in a ball around a minimum, of gradient norms below r.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.saddle(), "perturbed_zeroth_order", [1.0, 0.0], steps=400, directions=1)
    >>> bool(history.f.min() < -0.99), history.oracle["grad"]
    (True, 0)
    """
    rng = rng or np.random.default_rng(0)
    adaptive, lipschitz, d = lipschitz is None, lipschitz or 1.0, x.shape[0]
    m = directions if estimator == "gaussian" else d
    account: dict[str, Any] = {}
    while True:
        batch_grad, slope_square = estimated_gradient(problem, x, estimator, m, smoothing, rng)
        yield Iterate(x, batch_grad=batch_grad, slope_square=slope_square, **account)
        noise = perturbation / math.sqrt(d) * standard_normal(rng, x)
        step_size = m / (4.0 * lipschitz * (d + m))
        if adaptive:
            f, square = problem.f(x), float(batch_grad @ batch_grad)
            for trials in range(1, 101):  # noqa: B007 (it is yielded)
                step_size = m / (4.0 * lipschitz * (d + m))
                f_new = problem.f(x - step_size * batch_grad)
                bound = f - step_size * slope_square + lipschitz / 2.0 * step_size**2 * square
                if math.isfinite(f_new) and f_new <= bound + rounding(f, f_new, epsilon(x)):
                    break
                lipschitz *= 2.0
            else:
                return "stalled: 100 doublings of L found no decrease; is f smooth?"
            account["trials"] = trials
        step = -step_size * (batch_grad + noise)
        account |= {"step": step, "step_size": step_size, "lipschitz": lipschitz, "noise": noise}
        x = x + step


def estimated_gradient(
    problem: Ledger, x: Array, estimator: Estimator, directions: int, smoothing: float, rng: np.random.Generator
) -> tuple[Array, float]:
    r"""The estimate :math:`\hat g`, and the mean of the squared slopes."""
    total, squares = 0.0 * x, 0.0
    for z in _axes(x) if estimator == "coordinates" else (standard_normal(rng, x) for _ in range(directions)):
        slope = _central_slope(problem, x, z, smoothing)
        total, squares = total + slope * z, squares + slope * slope
    return total / directions, squares / directions


def _axes(x: Array) -> Iterator[Array]:
    """The coordinates, of the length of a Gaussian vector: the mean of their products zz' is the identity too."""
    xp, d = namespace(x), x.shape[0]
    yield from (math.sqrt(d) * xp.astype(xp.arange(d) == i, x.dtype) for i in range(d))


def _central_slope(problem: Ledger, x: Array, z: Array, smoothing: float) -> float:
    """The central difference along z, halved in length as long as an end lies outside the domain of f."""
    for _ in range(60):
        slope = (problem.f(x + smoothing * z) - problem.f(x - smoothing * z)) / (2.0 * smoothing)
        if math.isfinite(slope):
            return slope
        smoothing /= 2.0
    raise NonFinite("f is not finite, at x or at any distance from it")
