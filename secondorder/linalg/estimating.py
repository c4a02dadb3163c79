"""Estimating functions: sums of tangent planes held up by powers of the distance to a centre."""

from __future__ import annotations

from dataclasses import dataclass, replace

from secondorder.arrays import Array, norm


@dataclass(frozen=True)
class EstimatingFunction:
    r"""A sum of tangent planes, and powers of the distance to a centre c that keep it from falling for ever.

    Reference: :cite:`nesterov2008accelerating`.

    .. math:: \psi(x)=\sum_ia_i\big(f(x_i)+g_i^\top(x-x_i)\big)+\sum_{p=2}^4\frac{\kappa_p}p\|x-c\|^p

    ``centre`` is c, ``slope`` :math:`s=\sum a_ig_i`, ``constant`` the value of the planes at c, ``total_weight``
    :math:`A=\sum a_i`; ``quadratic``, ``cubic`` and ``quartic`` are :math:`\kappa_2,\kappa_3,\kappa_4`. The minimiser is

    .. math:: y=c-\rho\frac s{\|s\|},\qquad\kappa_2\rho+\kappa_3\rho^2+\kappa_4\rho^3=\|s\| .

    >>> import numpy as np
    >>> psi = EstimatingFunction(np.zeros(2), np.zeros(2), cubic=2.0).plus(1.0, np.zeros(2), 5.0, np.asarray([0.0, 8.0]))
    >>> psi.minimiser, psi.minimum.__round__(9)
    (array([ 0., -2.]), -5.666666667)
    """

    centre: Array
    slope: Array
    cubic: float = 0.0
    quadratic: float = 0.0
    quartic: float = 0.0
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
        r""":math:`\rho`, how far from the centre the minimiser lies: by Newton's method from the right, from the least of
        the roots that the powers have by themselves."""
        size, k2, k3, k4 = norm(self.slope), self.quadratic, self.cubic, self.quartic
        roots = [(size / k) ** (1.0 / p) for p, k in ((1, k2), (2, k3), (3, k4)) if k > 0.0]
        rho = min(roots) if roots and size > 0.0 else 0.0
        while rho > 0.0:
            lower = rho - (((k4 * rho + k3) * rho + k2) * rho - size) / ((3.0 * k4 * rho + 2.0 * k3) * rho + k2)
            if not lower < rho:
                break
            rho = lower
        return rho

    @property
    def minimiser(self) -> Array:
        size = norm(self.slope)
        return self.centre - (self.distance / size) * self.slope if size > 0.0 else self.centre

    @property
    def minimum(self) -> float:
        r"""The least value, in which :math:`\|s\|\rho=\kappa_2\rho^2+\kappa_3\rho^3+\kappa_4\rho^4`."""
        rho = self.distance
        held = (0.75 * self.quartic * rho + 2.0 / 3.0 * self.cubic) * rho + 0.5 * self.quadratic
        return self.constant - held * rho * rho

    @property
    def ceiling(self) -> float:
        r""":math:`\min\psi/A`, which the invariant of accelerated methods holds above the value of the iterate."""
        return self.minimum / self.total_weight

    def mixture(self, weight: float, x: Array) -> Array:
        r""":math:`(Ax+ay)/(A+a)`, y the minimiser and a ``weight``."""
        y = self.minimiser
        return y + (self.total_weight / (self.total_weight + weight)) * (x - y)

    def next_weight(self, pace: float) -> float:
        r"""The positive a with :math:`a^4=q(A+a)^3`, ``pace`` q; then :math:`(A+a)^{1/4}\ge A^{1/4}+\tfrac14q^{1/4}`.

        With :math:`b=(A+a)^{1/4}` it is :math:`b^4-q^{1/4}b^3=A`, solved by Newton's method from the right.

        >>> import numpy as np
        >>> round(EstimatingFunction(np.zeros(1), np.zeros(1), quartic=1.0).next_weight(3.0), 12)
        3.0
        """
        k, A = pace**0.25, self.total_weight
        b = k + A**0.25
        while True:
            lower = b - (b**4 - k * b**3 - A) / (4.0 * b**3 - 3.0 * k * b**2)
            if not lower < b:
                return k * b**3
            b = lower
