"""Krylov subspaces: conjugate gradients that notice negative curvature, and Lanczos that stays orthogonal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.linalg.dense import Eigen, eigen
from secondorder.linalg.secular import ModelStep


class CG(NamedTuple):
    """The answer of :func:`cg`: ``residual`` is b - A x, ``curvature`` a direction of no positive curvature or None."""

    x: Array
    residual: Array
    iterations: int
    curvature: Array | None

    @property
    def residual_norm(self) -> float:
        return norm(self.residual)


def cg(
    matvec: Callable[[Array], Array],
    b: Array,
    *,
    tol: float = 1e-10,
    max_iterations: int | None = None,
    preconditioner: Callable[[Array], Array] | None = None,
) -> CG:
    r"""Conjugate gradients for :math:`Ax=b` from :math:`x=0` (:cite:`hestenes1952methods`).

    .. math::

        \alpha=\frac{r^\top z}{p^\top Ap},\quad x\leftarrow x+\alpha p,\quad r\leftarrow r-\alpha Ap,\quad
        z=P^{-1}r,\quad \beta=\frac{r_+^\top z_+}{r^\top z},\quad p\leftarrow z_++\beta p .

    Parameters
    ----------
    matvec : callable
        The product with the symmetric matrix A.
    b : array (d,)
    tol : float, default 1e-10
        Stops at :math:`\|r\|\le\mathrm{tol}\,\|b\|`.
    max_iterations : int, default 2 d
    preconditioner : callable, optional
        The product with :math:`P^{-1}`, symmetric positive definite.

    Returns
    -------
    CG
        With the true residual :math:`b-Ax`, recomputed at the end. If a direction with
        :math:`p^\top Ap\le10\,\epsilon\,a\,\|p\|^2` is met, a being the largest :math:`\|Ap\|/\|p\|` so far, the iteration
        stops, ``x`` is the last iterate before it and ``curvature`` is that direction.

    Cost: one product an iteration and one at the end; four vectors.

    >>> import numpy as np
    >>> answer = cg(lambda v: np.asarray([1.0, 2.0, 2.0]) * v, np.ones(3))
    >>> answer.iterations, answer.x
    (2, array([1. , 0.5, 0.5]))
    """
    xp = namespace(b)
    apply = preconditioner or (lambda r: r)
    x, r = xp.zeros_like(b), b
    z = apply(r)
    p, rz, target = z, float(r @ z), tol * norm(b)
    iterations, curvature, scale = 0, None, 0.0
    limit = 2 * b.shape[0] if max_iterations is None else max_iterations
    while iterations < limit and norm(r) > target:
        Ap = matvec(p)
        pAp, size = float(p @ Ap), norm(p)
        scale = max(scale, norm(Ap) / size)
        if pAp <= 10.0 * epsilon(b) * scale * size**2:
            curvature = p
            break
        x = x + (rz / pAp) * p
        r = r - (rz / pAp) * Ap
        z = apply(r)
        rz, previous = float(r @ z), rz
        p = z + (rz / previous) * p
        iterations += 1
    return CG(x, b - matvec(x), iterations, curvature)


class Lanczos(NamedTuple):
    r""":math:`AQ_k=Q_kT_k+\beta_kq_{k+1}e_k^\top`: ``vectors`` is Q (d, k), ``diagonal`` and ``off_diagonal`` hold T,
    ``residual`` is :math:`\beta_k` (0 when the subspace is invariant)."""

    vectors: Array
    diagonal: list[float]
    off_diagonal: list[float]
    residual: float

    def tridiagonal(self) -> Array:
        """T as a dense (k, k) array."""
        xp = namespace(self.vectors)
        k = len(self.diagonal)
        rows = [
            [self.diagonal[i] if i == j else self.off_diagonal[min(i, j)] if abs(i - j) == 1 else 0.0 for j in range(k)]
            for i in range(k)
        ]
        return xp.asarray(rows, dtype=self.vectors.dtype)


def lanczos(matvec: Callable[[Array], Array], q: Array, k: int) -> Lanczos:
    r"""``k`` steps of Lanczos from ``q``, with two passes of full re-orthogonalisation.

    Reference: :cite:`golub2013matrix`, §10.1.

    Stops early, with residual 0, when the Krylov subspace is invariant: a residual below 1e4 rounding units.

    Parameters
    ----------
    matvec : callable
        The product with the symmetric matrix A.
    q : array (d,)
        The start, not zero; it is normalised.
    k : int
        At most ``d`` steps are useful.

    Cost: ``k`` products, :math:`O(k^2d)` for the orthogonality, ``k`` vectors of memory.

    >>> import numpy as np
    >>> answer = lanczos(lambda v: np.asarray([1.0, 2.0, 3.0]) * v, np.ones(3), 3)
    >>> np.linalg.eigvalsh(answer.tridiagonal()).round(12)
    array([1., 2., 3.])
    """
    if k < 1:
        raise ValueError(f"k must be at least 1; got {k}")
    *_, answer = itertools.islice(lanczos_walk(matvec, q), k)
    return answer


def lanczos_walk(matvec: Callable[[Array], Array], q: Array) -> Iterator[Lanczos]:
    """The decompositions of :func:`lanczos` after 1, 2, 3, … steps, up to d or until the subspace is invariant."""
    xp = namespace(q)
    if not norm(q) > 0.0:
        raise ValueError("q must not be zero")
    basis: list[Array] = [q / norm(q)]
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    scale = 0.0
    while True:
        w = matvec(basis[-1])
        scale = max(scale, norm(w))
        diagonal.append(float(basis[-1] @ w))
        Q = xp.stack(basis, axis=1)
        for _ in range(2):
            w = w - Q @ (Q.T @ w)
        beta = norm(w)
        last = beta <= 1e4 * epsilon(q) * scale or len(basis) == q.shape[0]
        yield Lanczos(Q, diagonal.copy(), off_diagonal.copy(), 0.0 if last else beta)
        if last:
            return
        off_diagonal.append(beta)
        basis.append(w / beta)


class EigenPair(NamedTuple):
    r"""An eigenvalue and its vector, of length 1: ``residual`` is :math:`\|Aq-\lambda q\|`, ``products`` those with A."""

    value: float
    vector: Array
    residual: float
    products: int


def least_eigenpair(
    matvec: Callable[[Array], Array], start: Array, *, tol: float = 1e-10, max_dimension: int | None = None
) -> EigenPair:
    r"""The least eigenvalue of a symmetric matrix and its vector, by one Lanczos run.

    Reference: :cite:`golub2013matrix`, §10.1. The least eigenvalue :math:`\theta` of the tridiagonal matrix is at least that
    of A, and some eigenvalue of A lies within the residual :math:`\beta_k|y_k|` of it, y being its vector.

    Parameters
    ----------
    matvec : callable
        The product with A.
    start : array (d,)
        Not orthogonal to what is sought; a random vector is not.
    tol : float, default 1e-10
        Stops when the residual is at most ``tol`` times the largest eigenvalue in size; tested at every fourth step.
    max_dimension : int, default d

    Cost: one product a dimension k and :math:`O(k^2d)`; k + 1 vectors of memory, twice.

    >>> import numpy as np
    >>> pair = least_eigenpair(lambda v: np.asarray([1.0, 2.0, -3.0]) * v, np.ones(3))
    >>> round(pair.value, 12), np.abs(pair.vector).round(12)
    (-3.0, array([0., 0., 1.]))
    """
    for k, basis in enumerate(lanczos_walk(matvec, start), start=1):
        last = basis.residual == 0.0 or k == max_dimension
        if not last and k % 4:
            continue
        values, vectors = eigen(basis.tridiagonal())
        residual = basis.residual * abs(float(vectors[-1, 0]))
        if last or residual <= tol * max(abs(float(values[0])), abs(float(values[-1]))):
            break
    vector = basis.vectors @ vectors[:, 0]
    return EigenPair(float(values[0]), vector / norm(vector), residual, k)


class SingularPair(NamedTuple):
    r"""A singular value and its vectors, :math:`Av=\sigma u`: ``residual`` is :math:`\|A^\top u-\sigma v\|`, ``products``
    those with A."""

    left: Array
    value: float
    right: Array
    residual: float
    products: int


def top_singular_pair(
    matvec: Callable[[Array], Array],
    rmatvec: Callable[[Array], Array],
    start: Array,
    *,
    tol: float = 1e-10,
    max_dimension: int | None = None,
) -> SingularPair:
    r"""The largest singular value of an (m, n) matrix and its vectors, by one Lanczos run on :math:`A^\top A`.

    Squaring the singular values costs accuracy in the small ones only. Best used with :math:`n\le m`: transpose otherwise.

    Parameters
    ----------
    matvec, rmatvec : callable
        The products with A and with its transpose.
    start : array (n,)
    tol : float, default 1e-10
        Stops at :math:`\|A^\top u-\sigma v\|\le\mathrm{tol}\,\sigma`.
    max_dimension : int, default n

    Of the zero matrix the left vector is zero. Cost: one product with A and one with its transpose a dimension, and one at
    the end.

    >>> import numpy as np
    >>> A = np.asarray([[0.0, 2.0], [0.0, 0.0], [1.0, 0.0]])
    >>> pair = top_singular_pair(lambda v: A @ v, lambda u: A.T @ u, np.ones(2))
    >>> round(pair.value, 12), (pair.left[:, None] * pair.right).round(12) + 0.0
    (2.0, array([[0., 1.],
           [0., 0.],
           [0., 0.]]))
    """
    square = least_eigenpair(lambda v: -rmatvec(matvec(v)), start, tol=tol, max_dimension=max_dimension)
    left = matvec(square.vector)
    value = norm(left)
    if not value > 0.0:
        return SingularPair(left, 0.0, square.vector, 0.0, square.products + 1)
    return SingularPair(left / value, value, square.vector, square.residual / value, square.products + 1)


class MINRES(NamedTuple):
    """The answer of :func:`minres`; ``residual_norm`` is the true one, recomputed at the end."""

    x: Array
    residual_norm: float
    iterations: int


def minres(
    matvec: Callable[[Array], Array], b: Array, *, tol: float = 1e-10, max_iterations: int | None = None
) -> MINRES:
    r"""The minimal residual method for :math:`Ax=b`, A symmetric and possibly indefinite, from :math:`x=0`.

    Reference: :cite:`paige1975solution`. The Lanczos recurrence
    :math:`\gamma_{j+1}v_{j+1}=Av_j-\delta_jv_j-\gamma_jv_{j-1}` is reduced to triangular form by Givens rotations
    (c, s) as it grows; the iterate has the least residual over the Krylov subspace, so residuals never increase.

    Parameters
    ----------
    matvec : callable
        The product with the symmetric matrix A.
    b : array (d,)
    tol : float, default 1e-10
        Stops at :math:`\|r\|\le\mathrm{tol}\,\|b\|` with :math:`r=b-Ax`; or at
        :math:`\|Ar\|\le\mathrm{tol}\,\|A\|\|r\|`, the least squares of a system without a solution.
    max_iterations : int, default 5 d

    Cost: one product an iteration and one at the end; six vectors.

    >>> import numpy as np
    >>> answer = minres(lambda v: np.asarray([1.0, -2.0, -2.0]) * v, np.ones(3))
    >>> answer.iterations, answer.x.round(12)
    (2, array([ 1. , -0.5, -0.5]))
    """
    xp = namespace(b)
    x, v_old, w_old, w = (xp.zeros_like(b) for _ in range(4))
    v, gamma = b, norm(b)
    eta, target = gamma, tol * gamma
    c_old, c, s_old, s = 1.0, 1.0, 0.0, 0.0
    iterations, scale = 0, 0.0
    limit = 5 * b.shape[0] if max_iterations is None else max_iterations
    while iterations < limit and abs(eta) > target:
        v = v / gamma
        Av = matvec(v)
        delta, scale = float(v @ Av), max(scale, norm(Av))
        v_next = Av - delta * v - gamma * v_old
        gamma_next = norm(v_next)
        r1, r2, r3 = c * delta - c_old * s * gamma, s * delta + c_old * c * gamma, s_old * gamma
        pivot = math.hypot(r1, gamma_next)
        if math.hypot(r1, c * gamma_next) <= max(tol, 10.0 * epsilon(b)) * scale:  # |Ar| / |r|
            break
        w_old, w = w, (v - r3 * w_old - r2 * w) / pivot
        c_old, c, s_old, s = c, r1 / pivot, s, gamma_next / pivot
        x, eta = x + c * eta * w, -s * eta
        v_old, v, gamma, iterations = v, v_next, gamma_next, iterations + 1
        if gamma_next <= 10.0 * epsilon(b) * scale:
            break
    return MINRES(x, norm(b - matvec(x)), iterations)


class KrylovStep(NamedTuple):
    r"""A step from a Krylov subspace. ``residual`` is the gradient norm of the whole model at it,
    :math:`\beta_k|u_k|` by the Lanczos relation; ``products`` counts matrix-vector products."""

    step: Array
    multiplier: float
    decrease: float
    residual: float
    products: int


def krylov_step(
    solve: Callable[[Array, Eigen], ModelStep],
    matvec: Callable[[Array], Array],
    grad: Array,
    *,
    tol: float = 1e-8,
    max_dimension: int | None = None,
    restart: Array | None = None,
) -> KrylovStep:
    r"""The minimiser of a cubic or trust-region model over a Krylov subspace.

    Reference: :cite:`gould1999solving`, :cite:`cartis2011adaptive`. With :math:`V_k` a basis of
    :math:`\mathcal K_k(H,g)` and :math:`T_k=V_k^\top HV_k`, the small model in :math:`(\|g\|e_1,T_k)` is solved
    exactly; the gradient of the whole model at :math:`V_ku` then has norm :math:`\beta_k|u_k|`, tested at
    k = 1, 2, 4, … and at the end.

    A Krylov subspace that starts at g never sees an eigenvector orthogonal to g: it cannot solve the hard case.
    ``restart`` is the remedy, a **randomised restart**: the subspace then starts at
    :math:`g+10^{-10}\|g\|\,\xi/\|\xi\|` with the given random vector :math:`\xi`, and grows to ``max_dimension``,
    since the residual cannot see what is missing.

    Parameters
    ----------
    solve : callable of (gradient, Eigen)
        ``lambda g, H: cubic_step(g, H, M)`` or ``lambda g, H: trust_region_step(g, H, radius)``.
    matvec : callable
        The product with the Hessian.
    grad : array (d,), not zero
    tol : float, default 1e-8
        Stops when the residual is at most ``tol * norm(grad)``.
    max_dimension : int, default d
    restart : array (d,), optional

    Cost: one product a dimension, :math:`O(k^2d+k^3)`.

    >>> import numpy as np
    >>> from secondorder.linalg import cubic_step
    >>> H, g = np.diag([-3.0, 1.0, 2.0]), np.asarray([0.1, 1.0, 1.0])
    >>> answer = krylov_step(lambda g, T: cubic_step(g, T, 1.0), lambda v: H @ v, g)
    >>> answer.products, answer.residual < 1e-12
    (3, True)
    """
    start = grad if restart is None else grad + 1e-10 * norm(grad) / norm(restart) * restart
    for k, basis in enumerate(lanczos_walk(matvec, start), start=1):
        last = basis.residual == 0.0 or k == max_dimension
        if not last and k & (k - 1):
            continue
        found = solve(basis.vectors.T @ grad, eigen(basis.tridiagonal()))
        residual = basis.residual * abs(float(found.step[-1]))
        if last or (restart is None and residual <= tol * norm(grad)):
            break
    return KrylovStep(basis.vectors @ found.step, found.multiplier, found.decrease, residual, k)


class TruncatedStep(NamedTuple):
    """The answer of :func:`steihaug`; ``ended`` is "residual", "boundary", "curvature" or "limit"."""

    step: Array
    decrease: float
    iterations: int
    ended: str


def steihaug(
    matvec: Callable[[Array], Array], grad: Array, radius: float, *, tol: float, max_iterations: int | None = None
) -> TruncatedStep:
    r"""Conjugate gradients on :math:`Hp=-g`, stopped at the trust-region boundary or at non-positive curvature.

    Reference: :cite:`steihaug1983conjugate`, :cite:`nocedal2006numerical`, Algorithm 7.2. The iterates grow in length
    and lower the model; the first that would leave the ball, or a direction z with :math:`z^\top Hz\le0`, is followed
    to the boundary.

    Parameters
    ----------
    matvec : callable
        The product with H.
    grad : array (d,)
    radius : float > 0
        The trust radius.
    tol : float
        Stops at :math:`\|Hp+g\|\le\mathrm{tol}\,\|g\|`.
    max_iterations : int, default 2 d

    Cost: one product an iteration. The decrease is at least that of the Cauchy point.

    >>> import numpy as np
    >>> answer = steihaug(lambda v: np.asarray([1.0, -1.0]) * v, np.ones(2), 1.0, tol=0.1)
    >>> answer.ended, round(float(np.linalg.norm(answer.step)), 12)
    ('curvature', 1.0)
    """
    xp = namespace(grad)
    p, r = xp.zeros_like(grad), grad
    z, rr, target = -grad, float(grad @ grad), tol * norm(grad)
    decrease, iterations, ended = 0.0, 0, "limit" if rr > 0.0 else "residual"
    limit = 2 * grad.shape[0] if max_iterations is None else max_iterations
    while iterations < limit and ended == "limit":
        Hz = matvec(z)
        zHz, zr = float(z @ Hz), float(z @ r)
        iterations += 1
        alpha = rr / zHz if zHz > 0.0 else math.inf
        if zHz <= 0.0 or norm(p + alpha * z) >= radius:
            zz, pz = float(z @ z), float(p @ z)
            gap = max(0.0, radius**2 - float(p @ p))
            alpha = gap / (pz + math.sqrt(pz**2 + zz * gap)) if gap else 0.0
            ended = "boundary" if zHz > 0.0 else "curvature"
        decrease -= alpha * (zr + 0.5 * alpha * zHz)
        p, r = p + alpha * z, r + alpha * Hz
        rr, previous = float(r @ r), rr
        if ended == "limit" and math.sqrt(rr) <= target:
            ended = "residual"
        z = -r + (rr / previous) * z
    return TruncatedStep(p, decrease, iterations, ended)
