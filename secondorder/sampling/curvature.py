r"""Curvature for Langevin dynamics: three matrices P(x), and what each makes of the score and of the noise.

With any symmetric positive definite :math:`P(x)` the diffusion

.. math::

    dx=\big(P(x)\,s(x)+\Gamma(x)\big)\,dt+\sqrt2\,P(x)^{1/2}\,dB,\qquad s=\nabla\log p,\qquad
    \Gamma_i=\sum_j\frac{\partial P_{ij}}{\partial x_j}

leaves the density p as it is :cite:`ma2015complete,xifara2014langevin`. Each function here returns the drift, shape (n, d), and
the function :math:`z\mapsto P^{1/2}z` that spreads the noise; a step is ``x + eta * drift + sqrt(2 * eta) * spread(z)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np  # noqa: F401 (the doctests)

from secondorder.arrays import Array, namespace

Spread = Callable[[Array], Array]
Move = tuple[Array, Spread]


def damped_newton(score: Array, hessian: Array, damping: float) -> Move:
    r"""The damped Hessian, a matrix for each particle: :math:`P=(\max(-J,0)+\rho I)^{-1}`, with J the Hessian of log p.

    Directions of positive curvature of log p count as flat. :math:`\Gamma` is left out: where P changes with x the law is
    biased, unless a Metropolis test repairs it. Of one Gaussian J is constant and :math:`\Gamma=0`.

    >>> drift, spread = damped_newton(np.asarray([[-3.0]]), np.asarray([[[-3.0]]]), 1.0)
    >>> drift, spread(np.asarray([[1.0]]))
    (array([[-0.75]]), array([[0.5]]))
    """
    precision, axes = damped_eigen(hessian, damping)
    return along(axes, 1.0 / precision, score), lambda z: along(axes, precision**-0.5, z)


def damped_eigen(hessian: Array, damping: float) -> tuple[Array, Array]:
    r"""Eigenvalues :math:`\max(h,0)+\rho` (n, d) of :math:`P^{-1}`, and eigenvectors (n, d, d), where h are those of
    ``-hessian``."""
    xp = namespace(hessian)
    h, axes = xp.linalg.eigh(-hessian)
    return xp.where(h > 0.0, h, xp.zeros_like(h)) + damping, axes


def along(axes: Array, factors: Array, v: Array) -> Array:
    """Each row of v (n, d), multiplied along its own axes (n, d, d) by factors (n, d)."""
    xp = namespace(v)
    turned = xp.matmul(xp.matrix_transpose(axes), v[:, :, None])
    return xp.matmul(axes, factors[:, :, None] * turned)[:, :, 0]


def ensemble(score: Array, damping: float) -> Move:
    r"""One matrix for the whole cloud, :math:`P=(\frac1n\sum_is_is_i^\top+\rho I)^{-1}`.

    For particles distributed like p the mean of :math:`ss^\top` is that of :math:`-J` (Fisher's identity). That P depends on
    the cloud is neglected: so is :math:`\Gamma`.

    >>> drift, spread = ensemble(np.asarray([[2.0], [-2.0]]), 5.0)                # 1 / (4 + 5)
    >>> drift.T.round(4), spread(np.asarray([[1.0]])).round(4)
    (array([[ 0.2222, -0.2222]]), array([[0.3333]]))
    """
    xp = namespace(score)
    fisher, axes = xp.linalg.eigh(score.T @ score / score.shape[0])
    precision = xp.where(fisher > 0.0, fisher, xp.zeros_like(fisher)) + damping
    return (score @ axes / precision) @ axes.T, lambda z: (z @ axes * precision**-0.5) @ axes.T


def rank_one(score: Array, damping: float, hessian: Array | None = None) -> Move:
    r"""The score for curvature: :math:`\rho P` with :math:`P=(\rho I+ss^\top)^{-1}`, so that :math:`\rho\to\infty` is Langevin.

    With :math:`n=\|s\|^2`, in closed form (Sherman and Morrison) and with nothing to divide by where s = 0,

    .. math::

        \rho Ps=\frac{\rho}{\rho+n}\,s,\qquad
        \sqrt\rho\,P^{1/2}z=z-\frac{\langle s,z\rangle}{\rho+n+\sqrt{\rho(\rho+n)}}\,s,\qquad
        \rho\,\Gamma=\frac{2\langle s,Js\rangle}{(\rho+n)^2}\,s-\frac{Js+\operatorname{tr}(J)\,s}{\rho+n} .

    :math:`\rho\Gamma` is part of the drift if ``hessian``, J, is given.

    >>> drift, spread = rank_one(np.asarray([[0.0, 2.0]]), 0.5)
    >>> drift.round(4), spread(np.asarray([[3.0, 3.0]]))                         # 1/9 along the score, and its root
    (array([[0.    , 0.2222]]), array([[3., 1.]]))
    """
    xp = namespace(score)
    total = damping + xp.sum(score**2, axis=1, keepdims=True)
    drift = (damping / total) * score
    if hessian is not None:
        product = xp.matmul(hessian, score[:, :, None])[:, :, 0]
        trace = xp.linalg.trace(hessian)[:, None]
        curvature = xp.sum(score * product, axis=1, keepdims=True)
        drift = drift + (2.0 * curvature / total**2) * score - (product + trace * score) / total

    def spread(z: Array) -> Array:
        inner = xp.sum(score * z, axis=1, keepdims=True)
        return z - inner / (total + xp.sqrt(damping * total)) * score

    return drift, spread
