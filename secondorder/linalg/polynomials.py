r"""Polynomials of a symmetric matrix that stand in for its inverse, and products with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.linalg.dense import eigen, solve_definite
from secondorder.linalg.krylov import lanczos, lanczos_walk


def power_traces(
    matvec: Callable[[Array], Array], like: Array, degree: int, probes: Array | None = None
) -> list[float]:
    r"""The traces of :math:`B,B^2,\dots,B^{\rm degree}` for a symmetric matrix B of which only products are known.

    Parameters
    ----------
    matvec : function from an array (d,) to Bz of shape (d,)
    like : array (d,)
        Tells dimension, precision and library.
    degree : int
    probes : array (S, d), optional
        See :func:`random_probes`: the traces are then estimated (Hutchinson), :math:`\frac1S\sum_sz_s^\top B^iz_s`; by
        default they are exact, from the d unit vectors.

    As :math:`z^\top B^{i+j}z=(B^iz)^\top B^jz`, a vector takes half as many products as the degree, rounded up.
    Cost: :math:`d\lceil\mathrm{degree}/2\rceil` products exactly, :math:`S\lceil\mathrm{degree}/2\rceil` by probes.

    >>> import numpy as np
    >>> B = np.diag([1.0, 2.0, 3.0])
    >>> power_traces(lambda v: B @ v, np.zeros(3), 3)
    [6.0, 14.0, 36.0]
    """
    xp, traces = namespace(like), [0.0] * degree
    vectors = xp.eye(like.shape[0], dtype=like.dtype) if probes is None else probes
    weight = 1.0 if probes is None else 1.0 / probes.shape[0]
    for s in range(vectors.shape[0]):
        low, size = vectors[s, :], 1.0  # the power is size * low; in single precision it may be out of range
        for power in range(1, degree + 1, 2):
            high = matvec(low)
            traces[power - 1] += weight * size**2 * float(low @ high)
            if power < degree:
                traces[power] += weight * size**2 * float(high @ high)
            grown = norm(high) or 1.0
            low, size = high / grown, size * grown
    return traces


def elementary_symmetric(power_sums: Sequence[float]) -> list[float]:
    r"""The elementary symmetric polynomials :math:`\sigma_0,\dots,\sigma_k` of numbers of which the sums of powers are known.

    Newton's identities, :math:`\sigma_k=\frac1k\sum_{i=1}^k(-1)^{i-1}\sigma_{k-i}s_i` with :math:`s_i=\sum_j\lambda_j^i`.
    The sum alternates: where few of the numbers are large, the digits of :math:`\sigma_k` are lost to cancellation.

    >>> elementary_symmetric([6.0, 14.0, 36.0])        # of 1, 2 and 3
    [1.0, 6.0, 11.0, 6.0]
    """
    sigma = [1.0]
    for k in range(1, len(power_sums) + 1):
        terms = ((-1.0) ** (i - 1) * sigma[k - i] * power_sums[i - 1] for i in range(1, k + 1))
        sigma.append(math.fsum(terms) / k)
    return sigma


def symmetric_functions(values: Array, degree: int) -> list[float]:
    r""":math:`\sigma_0,\dots,\sigma_{\rm degree}` of the numbers themselves, by sums of positive terms: nothing cancels.

    >>> import numpy as np
    >>> symmetric_functions(np.asarray([1.0, 2.0, 3.0]), 4)
    [1.0, 6.0, 11.0, 6.0, 0.0]
    """
    sigma = [1.0] + [0.0] * degree
    for j in range(values.shape[0]):
        for k in range(degree, 0, -1):
            sigma[k] += float(values[j]) * sigma[k - 1]
    return sigma


def spectrum_ratio(eigenvalues: Array, degree: int) -> float:
    r"""The factor :math:`\xi_\tau` by which the symmetric polynomial of degree :math:`\tau` shrinks the condition number.

    Reference: :cite:`doikov2023polynomial`. The eigenvalues of :math:`BP_\tau` lie in an interval of ratio
    :math:`\xi_\tau\,\lambda_1/\lambda_d`,

    .. math:: \xi_\tau=\frac{\sigma_\tau(\lambda_2,\dots,\lambda_d)}{\sigma_\tau(\lambda_1,\dots,\lambda_{d-1})}\le1 .

    Parameters
    ----------
    eigenvalues : array (d,)
        Those of B, positive, in any order.
    degree : int from 0 to d - 1

    >>> import numpy as np
    >>> ratios = [100.0 * spectrum_ratio(np.asarray([100.0, 50.0, 3.0, 2.0, 1.0]), degree) for degree in range(5)]
    >>> [round(ratio, 4) for ratio in ratios]
    [100.0, 36.129, 5.4031, 2.1467, 1.0]
    """
    values = namespace(eigenvalues).sort(eigenvalues)
    values = values / values[-1]
    return symmetric_functions(values[:-1], degree)[degree] / symmetric_functions(values[1:], degree)[degree]


class MatrixPolynomial(NamedTuple):
    r""":math:`\sum_ic_i(B/s)^i`, ``coefficients`` in ascending order and the ``scale`` s."""

    coefficients: list[float]
    scale: float

    def apply(self, matvec: Callable[[Array], Array], v: Array) -> Array:
        """The product with v by Horner's scheme, at as many products with B as its degree."""
        *rest, last = self.coefficients
        answer = last * v
        for coefficient in reversed(rest):
            answer = coefficient * v + matvec(answer) / self.scale
        return answer


def symmetric_polynomial(traces: Sequence[float], d: int, degree: int) -> MatrixPolynomial:
    r"""The symmetric-polynomial preconditioner of a positive definite matrix of order d.

    Reference: :cite:`doikov2023polynomial`.

    .. math:: P_\tau=\sum_{i=0}^\tau(-1)^i\,\sigma_{\tau-i}(\lambda)\,B^i,\qquad
        P_0=I,\quad P_1=\operatorname{tr}(B)I-B,\quad P_{d-1}=\det(B)B^{-1}

    Its eigenvalues are :math:`\sigma_\tau` of all eigenvalues of B but one, hence positive. B is divided by the mean
    eigenvalue, so that no coefficient overflows; the answer is :math:`P_\tau` of the scaled matrix, which
    is a multiple of that of B.

    Parameters
    ----------
    traces : sequence
        Of :math:`B,\dots,B^\tau`, and of B at least, see :func:`power_traces`.
    d : int
    degree : int from 0 to d - 1
        :math:`\tau`.

    >>> symmetric_polynomial([6.0, 14.0], 3, 2)          # of diag(1, 2, 3), whose mean is 2
    MatrixPolynomial(coefficients=[2.75, -3.0, 1.0], scale=2.0)
    """
    scale = traces[0] / d
    if not (scale > 0.0 and math.isfinite(scale)):
        raise np.linalg.LinAlgError(f"the matrix must be positive definite; its trace is {traces[0]:.3g}")
    if not all(0.0 < trace < math.inf for trace in traces[:degree]):
        told = ", ".join(f"{trace:.3g}" for trace in traces[:degree])
        raise np.linalg.LinAlgError(
            f"the traces of the powers of a positive definite matrix are positive numbers; got {told}. Scale the matrix, or "
            "take a lower degree"
        )
    sigma = elementary_symmetric([trace / scale**i for i, trace in enumerate(traces[:degree], start=1)])
    return MatrixPolynomial([(-1.0) ** i * sigma[degree - i] for i in range(degree + 1)], scale)


class Chebyshev(NamedTuple):
    r"""The polynomial p of given ``degree`` for which :math:`|1-\lambda p(\lambda)|` is least on [``low``, ``high``],
    :math:`1-\lambda p(\lambda)=T_{\tau+1}\big(\frac{a+b-2\lambda}{b-a}\big)\big/T_{\tau+1}\big(\frac{a+b}{b-a}\big)`."""

    degree: int
    low: float
    high: float

    @property
    def deviation(self) -> float:
        r""":math:`\epsilon=1/T_{\tau+1}(\frac{a+b}{b-a})`: on the interval :math:`|1-\lambda p(\lambda)|\le\epsilon`.

        >>> round(Chebyshev(0, 1.0, 3.0).deviation, 12)          # T_1(2) = 2
        0.5
        """
        if not self.high > self.low:
            return 0.0
        return 1.0 / math.cosh((self.degree + 1) * math.acosh((self.high + self.low) / (self.high - self.low)))

    def apply(self, matvec: Callable[[Array], Array], v: Array) -> Array:
        """The product with v by the three-term recurrence of Chebyshev's iteration, at ``degree`` products with B.

        >>> import numpy as np
        >>> values = np.asarray([1.0, 2.0, 3.0])
        >>> 1.0 - values * Chebyshev(0, 1.0, 3.0).apply(lambda v: values * v, np.ones(3))
        array([ 0.5,  0. , -0.5])
        """
        centre, half = 0.5 * (self.high + self.low), 0.5 * (self.high - self.low)
        answer = change = v / centre
        factor = 2.0  # 2 (c/h) T_k(c/h) / T_{k+1}(c/h), the ratio from the recurrence of T
        for _ in range(self.degree):
            factor = 1.0 / (1.0 - 0.25 * (half / centre) ** 2 * factor)
            change = factor / centre * (v - matvec(answer)) + (factor - 1.0) * change
            answer = answer + change
        return answer


def krylov_solve(matvec: Callable[[Array], Array], b: Array, degree: int) -> Array:
    r"""The polynomial of B of given degree, applied to b, that minimises :math:`\frac12y^\top By-b^\top y`.

    That is what degree + 1 steps of conjugate gradients on :math:`By=b` find, here from the Lanczos basis, which keeps its
    orthogonality. Raises ``LinAlgError`` where B is not positive definite on it.

    Cost: degree + 1 products, and as many vectors.

    >>> import numpy as np
    >>> krylov_solve(lambda v: np.asarray([1.0, 2.0, 2.0]) * v, np.ones(3), 1).round(12)
    array([1. , 0.5, 0.5])
    """
    if not norm(b) > 0.0:
        return b
    found = lanczos(matvec, b, degree + 1)
    first = namespace(b).eye(len(found.diagonal), dtype=b.dtype)[:, 0]
    return found.vectors @ solve_definite(found.tridiagonal(), norm(b) * first)


def spectral_interval(matvec: Callable[[Array], Array], start: Array, tol: float = 1e-3) -> tuple[float, float]:
    r"""An interval with the spectrum of a positive definite matrix, from one Lanczos run.

    It ends when the residuals of the least and of the largest Ritz value are at most ``tol`` times that value.

    Returns
    -------
    (low, high)
        The least Ritz value, which is at least the least eigenvalue and close to it (no less than a rounding unit of the
        largest), and the largest plus its residual.

    Cost: one product a dimension of the subspace, d at most.

    >>> import numpy as np
    >>> low, high = spectral_interval(lambda v: np.asarray([1.0, 2.0, 4.0]) * v, np.ones(3))
    >>> round(low, 12), round(high, 12)
    (1.0, 4.0)
    """
    for k, basis in enumerate(lanczos_walk(matvec, start), start=1):
        if basis.residual > 0.0 and k % 4:
            continue
        values, vectors = eigen(basis.tridiagonal())
        low, high = float(values[0]), float(values[-1])
        outside = [basis.residual * abs(float(vectors[-1, i])) for i in (0, -1)]
        if outside[0] <= tol * low and outside[1] <= tol * high:
            break
    if not high > 0.0:
        raise np.linalg.LinAlgError(f"the matrix must be positive definite; its largest eigenvalue is {high:.3g}")
    if low < -1e4 * epsilon(start) * high:
        raise np.linalg.LinAlgError(f"the matrix must be positive definite; it has an eigenvalue of at most {low:.3g}")
    return max(low, epsilon(start) * high), high + outside[1]
