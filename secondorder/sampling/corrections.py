r"""Corrections of a sampler's direction that keep its length, one particle a row.

All of them turn the direction e by a damped inverse, :math:`(\rho I+A)^{-1}e`, and give the result the length of e back; they
differ in what A is made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np  # noqa: F401 (the doctests)

from secondorder.arrays import Array, namespace


def levenberg_marquardt(direction: Array, previous: Array | None, rho: float, kappa: float) -> Array:
    r"""The correction of the published code :cite:`wang2025lml`: A is of rank one.

    .. math::

        p=\kappa q+(1-\kappa)e,\qquad v=e-\frac{\langle e,p\rangle}{\rho+\|p\|^2}\,p=\rho\,(\rho I+pp^\top)^{-1}e,\qquad
        \tilde e=\frac{\|e\|}{\|v\|}\,v .

    With :math:`\kappa=0` it is the identity, in exact arithmetic. In floating point v is then a difference of nearly equal
    vectors, and what is left of it has a relative error of about :math:`u\,\|e\|^2/\rho`, u the rounding unit.

    Parameters
    ----------
    direction : array (n, d)
        e.
    previous : array (n, d), or None
        q, the direction of the step before as it was; at the first step None, and p = e.
    rho : float > 0
        :math:`\rho`, the damping, in units of :math:`\|e\|^2`.
    kappa : float
        :math:`\kappa`, the share of the step before.

    Where v = 0 it returns e.

    >>> levenberg_marquardt(np.asarray([[3.0, 4.0]]), np.asarray([[4.0, 3.0]]), rho=1.0, kappa=0.0)
    array([[3., 4.]])
    """
    xp = namespace(direction)
    p = direction if previous is None else kappa * previous + (1.0 - kappa) * direction
    share = xp.sum(direction * p, axis=1, keepdims=True)
    return as_long(direction - share * p / (rho + xp.sum(p * p, axis=1, keepdims=True)), direction)


def extrapolated(direction: Array, previous: Array | None, c: float) -> Array:
    r"""An extrapolation that keeps the length, with c given.

    .. math::

        \tilde e\propto e+c\,(e-q)_\perp,\qquad a_\perp=a-\frac{\langle a,e\rangle}{\|e\|^2}\,e,\qquad\|\tilde e\|=\|e\| .

    :func:`levenberg_marquardt` is this with :math:`c=\kappa\langle e,p\rangle/(\rho+\kappa^2\|(e-q)_\perp\|^2)`, for small
    :math:`\kappa` about :math:`\kappa\|e\|^2/\rho`, a number for each particle.

    At the first step, where ``previous`` is None, it returns e.

    >>> extrapolated(np.asarray([[4.0, 0.0]]), np.asarray([[5.0, -6.0]]), c=0.5).round(12)      # (4, 3), of length 4
    array([[3.2, 2.4]])
    """
    if previous is None:
        return direction
    xp = namespace(direction)
    squared = xp.sum(direction * direction, axis=1, keepdims=True)
    along = xp.sum(direction * previous, axis=1, keepdims=True) / xp.where(squared == 0.0, 1.0, squared)
    return as_long(direction - c * (previous - along * direction), direction)


def from_memory(directions: Sequence[Array], rho: float) -> Array:
    r"""A is the mean of :math:`e_{-i}e_{-i}^\top` over the last k directions, the newest first.

    With the directions in the columns of E, :math:`(\rho I+\tfrac1kEE^\top)^{-1}E=E\,(\rho I+\tfrac1kE^\top E)^{-1}`: the
    answer is a combination of them, whose weights solve k equations. One direction is returned as it is, whatever
    :math:`\rho`: its weight is :math:`1/(\rho+\|e\|^2)`, and nothing cancels. Two give :func:`levenberg_marquardt` with
    :math:`\kappa=1` and the damping :math:`2\rho`; if they are nearly parallel their weights have opposite signs, and as
    much cancels as there.

    Parameters
    ----------
    directions : one or more arrays (n, d)
    rho : float > 0

    >>> e = np.asarray([[3.0, 4.0]])
    >>> from_memory([e, np.asarray([[4.0, -3.0]])], rho=1.0)            # at a right angle: nothing to turn
    array([[3., 4.]])
    """
    xp, k = namespace(directions[0]), len(directions)
    E = xp.stack(tuple(directions), axis=1)
    gram = xp.matmul(E, xp.matrix_transpose(E)) / k
    identity = xp.eye(k, dtype=E.dtype)
    first = xp.broadcast_to(identity[:, :1], (E.shape[0], k, 1))
    weights = xp.linalg.solve(rho * identity + gram, first)
    return as_long(xp.sum(weights * E, axis=1), directions[0])


def from_ensemble(directions: Array, rho: float) -> Array:
    r"""A is the mean of :math:`e_ie_i^\top` over all particles, the same for all of them.

    With :math:`e=-\sigma\nabla\log p_t` it is consistent for :math:`-\sigma^2\,\mathbb E[\nabla^2\log p_t]`, and for one
    Gaussian that is the Hessian everywhere.

    Parameters
    ----------
    directions : array (n, d)
    rho : float > 0

    >>> from_ensemble(np.asarray([[2.0, 0.0], [0.0, 1.0]]), rho=1.0)
    array([[2., 0.],
           [0., 1.]])
    """
    xp, (n, d) = namespace(directions), directions.shape
    A = directions.T @ directions / n + rho * xp.eye(d, dtype=directions.dtype)
    return as_long(xp.linalg.solve(A, directions.T).T, directions)


def as_long(v: Array, direction: Array) -> Array:
    """Each row of v with the length of that row of ``direction``; where v is 0, ``direction``.

    >>> as_long(np.asarray([[0.0, 2.0], [0.0, 0.0]]), np.asarray([[3.0, 4.0], [1.0, 1.0]]))
    array([[0., 5.],
           [1., 1.]])
    """
    xp = namespace(v)
    length = xp.sqrt(xp.sum(direction * direction, axis=1, keepdims=True))
    found = xp.sqrt(xp.sum(v * v, axis=1, keepdims=True))
    return xp.where(found == 0.0, direction, v * length / xp.where(found == 0.0, 1.0, found))
