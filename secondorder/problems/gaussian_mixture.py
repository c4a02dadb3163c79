"""Mixtures of Gaussians: the density whose score, Hessian and posterior are known at every noise level."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from secondorder.arrays import Array, is_array, namespace, to_numpy
from secondorder.checks import whole
from secondorder.oracles import Problem, point


class GaussianMixture(Problem):
    """Made by :func:`gaussian_mixture`, which explains its methods.

    ``weights`` (K,), ``means`` (K, d) and ``covariances`` (K, d, d) of the components, with the eigenvalues ``variances``
    (K, d) and eigenvectors ``axes`` (K, d, d) of the covariances; ``mean`` (d,) and ``covariance`` (d, d) of the mixture.
    """

    def __init__(self, weights: Array, means: Array, covariances: Array, x0: Array | None = None) -> None:
        self.weights, self.means, self.covariances = weights, means, covariances
        self.variances, self.axes = _eigen(covariances)
        with np.errstate(divide="ignore"):
            self.log_weights = np.log(weights)
        self.mean = weights @ means
        away = np.sqrt(weights)[:, None] * (means - self.mean)
        self.covariance = np.tensordot(weights, covariances, axes=1) + away.T @ away
        super().__init__(x0=self.mean if x0 is None else x0, name="gaussian_mixture", fresh=True)

    def f(self, x: Array) -> Array:
        return -self.log_density(x[None, :])[0]

    def grad(self, x: Array) -> Array:
        return -self.score(x[None, :])[0, :]

    def hess(self, x: Array) -> Array:
        return -self.score_hessian(x[None, :])[0, :, :]

    def hvp(self, x: Array, v: Array) -> Array:
        xp = namespace(x)
        W, Z, logs = self._whitened(x[None, :], 1.0, 0.0)
        r = _softmax(logs)
        U = _apart(r, xp.matmul(Z, xp.matrix_transpose(W)))[0, :, :]
        precisions = xp.matmul(W, (r * xp.matmul(xp.matrix_transpose(W), v))[:, :, None])[:, :, 0]
        return xp.sum(precisions, axis=0) - U.T @ (U @ v)

    def log_density(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """log p_t of each row of X (n, d), shape (n,)."""
        xp = namespace(self.means)
        _, _, logs = self._whitened(X, alpha, sigma)
        top = xp.max(logs, axis=0)
        return top + xp.log(xp.sum(xp.exp(logs - top), axis=0))

    def responsibilities(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """For each row of X (n, d) the probability that it comes from each component, shape (n, K); they add up to 1."""
        return _softmax(self._whitened(X, alpha, sigma)[2]).T

    def score(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The gradient of log p_t at each row of X (n, d), shape (n, d)."""
        xp = namespace(self.means)
        W, Z, logs = self._whitened(X, alpha, sigma)
        return -xp.sum(_softmax(logs)[:, :, None] * xp.matmul(Z, xp.matrix_transpose(W)), axis=0)

    def score_hessian(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The Hessian of log p_t at each row of X (n, d), the Jacobian of the score, shape (n, d, d)."""
        xp = namespace(self.means)
        W, Z, logs = self._whitened(X, alpha, sigma)
        r = _softmax(logs)
        return _covariance(r, xp.matmul(Z, xp.matrix_transpose(W))) - _average(r, W)

    def posterior_mean(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The mean of x_0 given each row of X (n, d) as x_t, shape (n, d)."""
        _, _, logs = self._whitened(X, alpha, sigma)
        return namespace(self.means).sum(_softmax(logs)[:, :, None] * self._conditioned(X, alpha, sigma), axis=0)

    def posterior_covariance(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The covariance of x_0 given each row of X (n, d) as x_t, shape (n, d, d)."""
        xp = namespace(self.means)
        c = self._noised(alpha, sigma)
        _, _, logs = self._whitened(X, alpha, sigma)
        r = _softmax(logs)
        remaining = self.axes * xp.sqrt(self.variances * (float(sigma) ** 2 / c))[:, None, :]
        return _covariance(r, self._conditioned(X, alpha, sigma)) + _average(r, remaining)

    def sample(
        self,
        n: int,
        rng: np.random.Generator,
        *,
        alpha: float = 1.0,
        sigma: float = 0.0,
        fixed_counts: bool = False,
    ) -> Array:
        """n draws from p_t, shape (n, d): drawn by NumPy, and the same on every array library.

        They are independent; or, with ``fixed_counts``, as many from each component as its share of n, to the next whole
        number: a reference whose counts do not fluctuate.
        """
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng must be a NumPy Generator, as np.random.default_rng(0) gives; got {rng!r}")
        alpha, sigma = _level(alpha, sigma)
        xp, n, (K, d) = namespace(self.means), whole("n", n), self.means.shape
        p = to_numpy(self.weights).astype(float)
        p = p / p.sum()
        if fixed_counts:
            labels = np.searchsorted(np.cumsum(p)[:-1], (rng.permutation(n) + 0.5) / n, side="right")
        else:
            labels = rng.choice(K, size=n, p=p)
        component = xp.asarray(labels)
        noise = xp.asarray(rng.standard_normal((n, d)), dtype=self.means.dtype)
        X = xp.zeros_like(noise)
        deviations = xp.sqrt(alpha**2 * self.variances + sigma**2)
        for k in range(K):
            draws = alpha * self.means[k, :] + noise @ (self.axes[k, :, :] * deviations[k, :]).T
            X = xp.where((component == k)[:, None], draws, X)
        return X

    def _noised(self, alpha: float, sigma: float) -> Array:
        """The eigenvalues of alpha² S + sigma² I for each covariance S, shape (K, d): the eigenvectors stay."""
        alpha, sigma = _level(alpha, sigma)
        c = alpha**2 * self.variances + sigma**2
        if not bool(namespace(c).all(c > 0.0)):
            raise ValueError(
                "sigma must be above 0 where alpha is 0 or one of the covariances is singular, for there to be "
                f"a density; got alpha={alpha!r}, sigma={sigma!r}"
            )
        return c

    def _whitened(self, X: Array, alpha: float, sigma: float) -> tuple[Array, Array, Array]:
        """For each component W (K, d, d) with WW' = C⁻¹, the rows (x - alpha mu)'W (K, n, d), and log w N(x) (K, n)."""
        d = self.means.shape[1]
        if not is_array(X) or X.ndim != 2 or X.shape[1] != d:
            seen = f"shape {tuple(X.shape)}" if is_array(X) else type(X).__name__
            raise ValueError(f"X must be an array of shape (n, {d}), a point in each row; got {seen}")
        xp, c = namespace(self.means), self._noised(alpha, sigma)
        W = self.axes / xp.sqrt(c)[:, None, :]
        Z = xp.matmul(X[None, :, :] - float(alpha) * self.means[:, None, :], W)
        constants = self.log_weights - 0.5 * xp.sum(xp.log(c), axis=1) - 0.5 * d * math.log(2.0 * math.pi)
        return W, Z, constants[:, None] - 0.5 * xp.sum(Z * Z, axis=2)

    def _conditioned(self, X: Array, alpha: float, sigma: float) -> Array:
        """The mean of x_0 given x_t and the component, shape (K, n, d)."""
        xp, means = namespace(self.means), self.means[:, None, :]
        gain = float(alpha) * self.variances / self._noised(alpha, sigma)
        along = xp.matmul(X[None, :, :] - float(alpha) * means, self.axes) * gain[:, None, :]
        return means + xp.matmul(along, xp.matrix_transpose(self.axes))


def _softmax(logs: Array) -> Array:
    """The responsibilities (K, n) from their logarithms up to a constant in each column."""
    xp = namespace(logs)
    e = xp.exp(logs - xp.max(logs, axis=0))
    return e / xp.sum(e, axis=0)


def _apart(r: Array, Y: Array) -> Array:
    """The points Y (K, n, d) less their mean under r (K, n), times the roots of r, shape (n, K, d).

    The difference first, then the square: far from all means a difference of squares would lose every digit.
    """
    xp = namespace(Y)
    centred = Y - xp.sum(r[:, :, None] * Y, axis=0)
    return xp.permute_dims(xp.sqrt(r)[:, :, None] * centred, (1, 0, 2))


def _covariance(r: Array, Y: Array) -> Array:
    """The covariance of the K points Y (K, n, d) under each column of r (K, n), shape (n, d, d)."""
    xp, A = namespace(Y), _apart(r, Y)
    return xp.matmul(xp.matrix_transpose(A), A)


def _average(r: Array, roots: Array) -> Array:
    """The mean of the K matrices RR' (K, d, d) under each column of r (K, n), shape (n, d, d)."""
    xp, (K, d, _) = namespace(r), roots.shape
    squares = xp.matmul(roots, xp.matrix_transpose(roots))
    return xp.reshape(r.T @ xp.reshape(squares, (K, d * d)), (r.shape[1], d, d))


def gaussian_mixture(
    *, weights: Any = None, means: Any = None, covariances: Any = None, x0: Any = None
) -> GaussianMixture:
    r"""The negative logarithm of a mixture of Gaussians, and the mixture itself under any amount of noise.

    .. math:: f(x)=-\log p(x),\qquad p(x)=\sum_{k=1}^Kw_k\,\mathcal N(x;\mu_k,S_k)

    To minimise f is to look for a mode; f is not convex, and between the modes its Hessian is indefinite.
    For diffusion samplers it is the target on which nothing has to be learnt: with
    :math:`x_t=\alpha x_0+\sigma\varepsilon`, :math:`\varepsilon\sim\mathcal N(0,I)`, the density :math:`p_t` of :math:`x_t`
    is the mixture with means :math:`\alpha\mu_k` and covariances :math:`C_k=\alpha^2S_k+\sigma^2I`. With
    :math:`u_k=C_k^{-1}(x-\alpha\mu_k)`, the responsibilities :math:`r_k\propto w_k\,\mathcal N(x;\alpha\mu_k,C_k)` and
    :math:`\bar u=\sum_kr_ku_k`,

    .. math::

        \nabla\log p_t(x)=-\bar u,\qquad
        \nabla^2\log p_t(x)=\sum_kr_k\big((u_k-\bar u)(u_k-\bar u)^\top-C_k^{-1}\big).

    Given also the component, :math:`x_0` is Gaussian with mean :math:`m_k=\mu_k+\alpha S_ku_k` and covariance
    :math:`V_k=\sigma^2S_kC_k^{-1}`, so that with :math:`\bar m=\sum_kr_km_k`

    .. math::

        \mathbb E[x_0\mid x_t=x]=\bar m,\qquad
        \mathrm{Cov}[x_0\mid x_t=x]=\sum_kr_k\big(V_k+(m_k-\bar m)(m_k-\bar m)^\top\big).

    Tweedie's formula :cite:`efron2011tweedie` and its second-order twin say the same in terms of the score, for any density:
    :math:`(x+\sigma^2\nabla\log p_t)/\alpha` and :math:`(\sigma/\alpha)^2(I+\sigma^2\nabla^2\log p_t)`.

    Parameters
    ----------
    weights : array (K,), optional
        :math:`w_k\ge0`, which add up to 1 within rounding; by default equal.
    means : array (K, d), optional
        :math:`\mu_k`, a row each.
    covariances : array (K, d, d), optional
        :math:`S_k`, symmetric positive semidefinite; given together with ``means``. With neither, the mixture is that of
        three separated components in the plane: w = (0.5, 0.3, 0.2), means (-2, 0), (2, 1) and (0, -2.5), covariances
        [[0.6, 0.3], [0.3, 0.5]], [[0.3, 0], [0, 1]] and [[0.8, -0.4], [-0.4, 0.4]]. Under a singular :math:`S_k` there is
        no density: all but ``sample`` then need ``sigma`` above 0. Eigenvalues that are 0 to rounding are taken as 0.
    x0 : array (d,), optional
        The start; by default the mean of the mixture.

    Returns
    -------
    GaussianMixture
        With ``weights``, ``means`` and ``covariances``, in float32 if the last two are, and ``mean`` and ``covariance`` of the
        mixture. For points in the rows of X (n, d), under the noise ``alpha`` ≥ 0, default 1, and ``sigma`` ≥ 0, default 0:
        ``log_density(X)`` (n,), ``score(X)`` (n, d), ``score_hessian(X)`` (n, d, d), ``responsibilities(X)`` (n, K),
        ``posterior_mean(X)`` (n, d) and ``posterior_covariance(X)`` (n, d, d); ``sample(n, rng)`` draws n such points with
        a NumPy Generator.

    Cost: one eigendecomposition of each covariance serves every noise level. At n points the matrices take
    :math:`O(Kd^3+Knd^2)`, everything else :math:`O(Knd^2)`, ``hvp`` :math:`O(Kd^2)`.

    Raises ``ValueError`` for arrays that do not fit together or are not finite and for weights and covariances other than
    the above; the methods for an X of another width, a negative ``alpha`` or ``sigma``, or a singular :math:`C_k`.

    >>> import secondorder as so
    >>> p = so.problems.gaussian_mixture()
    >>> p.mean, round(float(so.minimize(p, "trust_region").f[-1]), 6)
    (array([-0.4, -0.2]), 1.750564)
    >>> X = p.sample(1000, np.random.default_rng(0), alpha=0.8, sigma=0.6)
    >>> tweedie = (X + 0.6**2 * p.score(X, alpha=0.8, sigma=0.6)) / 0.8
    >>> bool(np.allclose(tweedie, p.posterior_mean(X, alpha=0.8, sigma=0.6), rtol=0, atol=1e-14))
    True
    """
    if (means is None) != (covariances is None):
        absent = "means" if means is None else "covariances"
        raise ValueError(f"means and covariances must be given together; got None as {absent}")
    if means is None:
        means = [[-2.0, 0.0], [2.0, 1.0], [0.0, -2.5]]
        covariances = [[[0.6, 0.3], [0.3, 0.5]], [[0.3, 0.0], [0.0, 1.0]], [[0.8, -0.4], [-0.4, 0.4]]]
        weights = [0.5, 0.3, 0.2] if weights is None else weights
    means = _real("means", means)
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(f"means must have shape (K, d), a mean in each row; got {means.shape}")
    K, d = means.shape
    covariances = _real("covariances", covariances)
    if covariances.shape != (K, d, d):
        raise ValueError(f"covariances must have shape ({K}, {d}, {d}), one for each mean; got {covariances.shape}")
    asymmetry = np.max(np.abs(covariances - covariances.transpose(0, 2, 1)), axis=(1, 2))
    uneven = np.flatnonzero(asymmetry > _rounding(covariances) * np.max(np.abs(covariances), axis=(1, 2)))
    if uneven.size:
        raise ValueError(f"covariances[{uneven[0]}] must be symmetric; got {covariances[uneven[0]].tolist()}")
    weights = np.full(K, 1.0 / K) if weights is None else _real("weights", weights)
    if weights.shape != (K,):
        raise ValueError(f"weights must have shape ({K},), one for each mean; got {weights.shape}")
    if np.any(weights < 0.0) or abs(float(np.sum(weights)) - 1.0) > K * _rounding(weights):
        raise ValueError(f"weights must be at least 0 and add up to 1; got {weights.tolist()}")
    dtype = np.result_type(means, covariances)
    if x0 is not None:
        x0 = to_numpy(point(x0)).astype(dtype)
        if x0.shape != (d,):
            raise ValueError(f"x0 must have shape ({d},), the dimension of the means; got {x0.shape}")
    symmetric = 0.5 * (covariances + covariances.transpose(0, 2, 1))
    return GaussianMixture(weights.astype(dtype), means.astype(dtype), symmetric.astype(dtype), x0)


def _real(name: str, values: Any) -> np.ndarray:
    """``values`` as a finite NumPy array of its own, float32 or float64, or an error that names it."""
    try:
        a = np.array(to_numpy(values) if is_array(values) else values)
    except ValueError:
        raise ValueError(f"{name} must be an array of real numbers; got {values!r}") from None
    if a.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers; got dtype {a.dtype}")
    a = a if a.dtype == np.float32 else a.astype(np.float64)
    bad = int(np.sum(~np.isfinite(a)))
    if bad:
        raise ValueError(f"{name} must be finite; got {bad} entries that are NaN or infinite")
    return a


def _rounding(a: np.ndarray) -> float:
    """What a few operations may leave in the last digits of numbers of size 1."""
    return 10.0 * float(np.finfo(a.dtype).eps)


def _eigen(covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (K, d), those within rounding of 0 made 0, and eigenvectors; ValueError where one is negative."""
    values, vectors = np.linalg.eigh(covariances)
    slack = values.shape[1] * _rounding(values) * np.max(np.abs(values), axis=1, keepdims=True)
    for k in np.flatnonzero(np.any(values < -slack, axis=1)):
        raise ValueError(f"covariances[{k}] must be positive semidefinite; its least eigenvalue is {values[k, 0]:.3g}")
    return np.where(values <= slack, 0.0, values), vectors


def _level(alpha: Any, sigma: Any) -> tuple[float, float]:
    """``alpha`` and ``sigma`` as floats, or an error that names the one that is not a number at least 0."""
    for name, value in (("alpha", alpha), ("sigma", sigma)):
        if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 <= float(value) < math.inf:
            raise ValueError(f"{name} must be a finite number, at least 0; got {value!r}")
    return float(alpha), float(sigma)
