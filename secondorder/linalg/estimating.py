"""Estimating functions: sums of tangent planes held up by powers of the distance to a centre."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from secondorder.arrays import Array, norm


@dataclass(frozen=True)
class EstimatingFunction:
    r"""A sum of tangent planes, and powers of the distance to a centre c that keep it from falling for ever.

    Reference: :cite:`nesterov2008accelerating`.

    .. math:: \psi(x)=\sum_ia_i\big(f(x_i)+g_i^\top(x-x_i)\big)+\frac{\kappa_2}2\|x-c\|^2+\frac{\kappa_3}3\|x-c\|^3

    ``centre`` is c, ``slope`` :math:`s=\sum a_ig_i`, ``constant`` the value of the planes at c, ``total_weight``
    :math:`A=\sum a_i`; ``cubic`` and ``quadratic`` are :math:`\kappa_3` and :math:`\kappa_2`. The minimiser is

    .. math:: y=c-\rho\frac s{\|s\|},\qquad\kappa_2\rho+\kappa_3\rho^2=\|s\| .

    >>> import numpy as np
    >>> psi = EstimatingFunction(np.zeros(2), np.zeros(2), cubic=2.0).plus(1.0, np.zeros(2), 5.0, np.asarray([0.0, 8.0]))
    >>> psi.minimiser, psi.minimum.__round__(9)
    (array([ 0., -2.]), -5.666666667)
    """

    centre: Array
    slope: Array
    cubic: float
    quadratic: float = 0.0
    constant: float = 0.0
    total_weight: float = 0.0

    def plus(self, weight: float, x: Array, f: float, grad: Array) -> EstimatingFunction:
        """With one more plane: value ``f`` and slope ``grad`` at ``x``."""
        return replace(
            self,
            slope=self.slope + weight * grad,
            constant=self.constant + weight * (f + float(grad @ (self.centre - x))),
            total_weight=self.total_weight + weight,
        )

    @property
    def distance(self) -> float:
        r""":math:`\rho`, how far from the centre the minimiser lies."""
        size = norm(self.slope)
        root = self.quadratic + math.sqrt(self.quadratic**2 + 4.0 * self.cubic * size)
        return 2.0 * size / root if root > 0.0 else 0.0

    @property
    def minimiser(self) -> Array:
        size = norm(self.slope)
        return self.centre - (self.distance / size) * self.slope if size > 0.0 else self.centre

    @property
    def minimum(self) -> float:
        r"""The least value, in which :math:`\|s\|\rho=\kappa_2\rho^2+\kappa_3\rho^3`."""
        rho = self.distance
        return self.constant - 0.5 * self.quadratic * rho**2 - 2.0 / 3.0 * self.cubic * rho**3

    @property
    def ceiling(self) -> float:
        r""":math:`\min\psi/A`, which the invariant of accelerated methods holds above the value of the iterate."""
        return self.minimum / self.total_weight

    def mixture(self, weight: float, x: Array) -> Array:
        r""":math:`(Ax+ay)/(A+a)`, y the minimiser and a ``weight``."""
        y = self.minimiser
        return y + (self.total_weight / (self.total_weight + weight)) * (x - y)
