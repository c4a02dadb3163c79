"""Scores that are learnt: a small network that removes noise, and what it says of the law of its data."""

from __future__ import annotations

import copy
import itertools
import math
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from secondorder.arrays import Array, is_array, is_sparse, namespace, to_numpy
from secondorder.catalogue import nearest
from secondorder.checks import size, whole
from secondorder.linalg import split
from secondorder.oracles import Problem
from secondorder.problems import data as datasets
from secondorder.problems.gaussian_mixture import gaussian_mixture
from secondorder.problems.networks import Mlp, Pass, units

SETTINGS: dict[str, dict[str, Any]] = {
    "digits": {"hidden": (192, 192), "steps": 30_000},
    "plane": {"hidden": (64, 64), "steps": 12_000},
}
"""Of the networks that come with the package; the settings of "plane" are the default for data of one's own."""

ACTIVATION = "tanh"
BATCH = 256
RATES = (2e-3, 5e-4, 1e-4)
"""Adam's learning rates, each for a third of the steps."""

CENTRE, WIDTH, REACH = -0.5, 1.5, 4.5
"""Training draws log(sigma/spread) from N(CENTRE, WIDTH²); beyond REACH either way the network is told REACH."""


class Denoising(Mlp):
    """Made by :func:`denoising`. ``clean`` (N, d) are the data, ``mean`` (d,) and ``spread`` their mean and deviation."""

    def __init__(self, clean: Array, hidden: Sequence[int], seed: int, name: str) -> None:
        self.clean, self.mean = clean, np.mean(clean, axis=0)
        self.spread = float(np.sqrt(np.mean((clean - self.mean) ** 2)))
        X, Y = self.draw(max(4096, clean.shape[0]), np.random.default_rng(seed))
        widths = (X.shape[1], *hidden, Y.shape[1])
        super().__init__(X, Y, None, widths, ACTIVATION, "squared", 0.0, seed, name)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """n examples: inputs and targets of the network for data at random, noise and noise levels at random."""
        clean = to_numpy(self.clean)[rng.integers(self.clean.shape[0], size=n)] - to_numpy(self.mean)
        sigma = self.spread * np.exp(rng.normal(CENTRE, WIDTH, size=(n, 1)))
        noisy = clean + sigma * rng.standard_normal(clean.shape)
        skip, out, into = preconditioning(sigma, self.spread)
        X = np.concatenate([into * noisy, noise_features(sigma, self.spread)], axis=1)
        xp, dtype = namespace(self.clean), self.clean.dtype
        return xp.asarray(X, dtype=dtype), xp.asarray((clean - skip * noisy) / out, dtype=dtype)

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[Mlp]:
        """Without end, examples never seen before: new noise on data drawn at random."""
        while True:
            some = copy.copy(self)
            some.X, some.Y = self.draw(batch_size, rng)
            some.n = batch_size
            yield some


class ScoreNetwork(Problem):
    """Made by :func:`score_network`, which explains its methods.

    ``parameters`` (a vector) and ``widths`` of the network, ``mean`` (d,) and ``spread`` of its data.
    """

    def __init__(self, parameters: Array, widths: Sequence[int], mean: Array, spread: float, name: str) -> None:
        super().__init__(x0=mean, name=name, fresh=True)
        self.parameters, self.mean = parameters, mean
        self.widths, self.spread = tuple(int(w) for w in widths), float(spread)

    def score(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The network's gradient of log p_t at each row of X (n, d), shape (n, d)."""
        return (float(alpha) * self.posterior_mean(X, alpha=alpha, sigma=sigma) - X) / float(sigma) ** 2

    def score_hessian(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The symmetric part of the Jacobian of the score at each row of X (n, d), shape (n, d, d)."""
        J = self.denoiser_jacobian(X, alpha=alpha, sigma=sigma)
        xp = namespace(J)
        return (0.5 * (J + xp.matrix_transpose(J)) - xp.eye(J.shape[1], dtype=J.dtype)) / float(sigma) ** 2

    def posterior_mean(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The denoiser D: the network's mean of x_0 given each row of X (n, d) as x_t, shape (n, d)."""
        net, centred, (skip, out, _) = self._evaluated(X, alpha, sigma)
        return self.mean + skip * centred + out * net.outputs

    def posterior_covariance(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """The network's covariance of x_0 given each row of X (n, d) as x_t, shape (n, d, d); eigenvalues may be negative."""
        J = self.denoiser_jacobian(X, alpha=alpha, sigma=sigma)
        return (0.5 * (float(sigma) / float(alpha)) ** 2) * (J + namespace(J).matrix_transpose(J))

    def denoiser_jacobian(self, X: Array, *, alpha: float = 1.0, sigma: float = 0.0) -> Array:
        """How D(x_t/alpha) changes with its argument at each row of X (n, d), shape (n, d, d)."""
        net, _, (skip, out, into) = self._evaluated(X, alpha, sigma)
        xp, d = namespace(X), X.shape[1]
        rows = xp.matmul(net.signals(units(net.outputs))[0], net.weights[0][:, :d])
        return skip * xp.eye(d, dtype=X.dtype) + out * into * xp.permute_dims(rows, (1, 0, 2))

    def _evaluated(self, X: Array, alpha: Any, sigma: Any) -> tuple[Pass, Array, tuple[float, float, float]]:
        """The network at X, the rows of X/alpha less the mean, and the preconditioning."""
        if np.array_equal(sigma, 0):
            raise ValueError(
                "sigma must be a finite number above 0; got 0. Without noise there is no learnt score: "
                'give a level, as in sample(problem, "langevin", sigma=0.1)'
            )
        alpha, sigma, xp = size("alpha", alpha), size("sigma", sigma), namespace(self.mean)
        if not is_array(X) or X.ndim != 2 or X.shape[1] != self.mean.shape[0]:
            seen = f"shape {tuple(X.shape)}" if is_array(X) else type(X).__name__
            raise ValueError(f"X must be an array of shape (n, {self.mean.shape[0]}), a point in each row; got {seen}")
        ratio = np.asarray([[sigma / alpha]])
        skip, out, into = (float(c[0, 0]) for c in preconditioning(ratio, self.spread))
        told = xp.asarray(noise_features(ratio, self.spread), dtype=X.dtype)
        centred = X / alpha - self.mean
        inputs = xp.concat([into * centred, xp.zeros((X.shape[0], 1), dtype=X.dtype) + told], axis=1)
        return Pass(inputs, self._matrices(), ACTIVATION), centred, (skip, out, into)

    def _matrices(self) -> tuple[Array, ...]:
        return split(self.parameters, tuple((b, a + 1) for a, b in itertools.pairwise(self.widths)))


def preconditioning(sigma: np.ndarray, spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""c_skip, c_out and c_in of :cite:`karras2022elucidating`: inputs and targets of the network have variance 1.

    .. math::

        c_\text{skip}=\frac{\sigma_d^2}{\sigma^2+\sigma_d^2},\qquad
        c_\text{out}=\frac{\sigma\sigma_d}{\sqrt{\sigma^2+\sigma_d^2}},\qquad c_\text{in}=\frac1{\sqrt{\sigma^2+\sigma_d^2}}
    """
    total = np.sqrt(sigma**2 + spread**2)
    return spread**2 / total**2, sigma * spread / total, 1.0 / total


def noise_features(sigma: np.ndarray, spread: float) -> np.ndarray:
    """What the network is told of the noise levels (n, 1): a logarithm, and waves of it, shape (n, 5)."""
    level = np.clip(np.log(sigma / spread), -REACH, REACH) / REACH
    waves = [wave(k * np.pi / 2 * level) for k in (1, 2) for wave in (np.sin, np.cos)]
    return np.concatenate([level, *waves], axis=1)


def denoising(data: Any = "digits", *, hidden: Sequence[int] | None = None, seed: int = 0) -> Denoising:
    r"""The regression that teaches a network to remove noise: a multilayer perceptron on examples that never end.

    .. math::

        f(x)=\mathbb E\,\tfrac12\Big\|F_x\big(c_\text{in}y,\ \sigma\big)-\frac{y_0-c_\text{skip}\,y}{c_\text{out}}\Big\|^2,
        \qquad y=y_0+\sigma\varepsilon,

    with a row :math:`y_0` of the data, less their mean, noise :math:`\varepsilon\sim\mathcal N(0,I)` and
    :math:`\log(\sigma/\sigma_d)\sim\mathcal N(-0.5,1.5^2)`; :math:`\sigma_d` is the standard deviation of the data. The
    factors are those of :cite:`karras2022elucidating`, under which inputs and targets have variance 1 at every noise level.
    Its minimiser over all functions is the mean of :math:`y_0` given y; that is denoising score matching
    :cite:`vincent2011connection`. The network is also told :math:`\ell=\log(\sigma/\sigma_d)/4.5`, clipped to [-1, 1], and
    the sines and cosines of :math:`\tfrac\pi2\ell` and :math:`\pi\ell`.

    Parameters
    ----------
    data : "digits", "plane" or array (n, d), default "digits"
        ``"digits"``: 1498 of the 1797 images of 64 pixels in scikit-learn, scaled to [-1, 1]; ``"plane"``: 20 000 draws from
        :func:`gaussian_mixture` with its defaults. Or points of your own, one in each row.
    hidden : sequence of int, optional
        The widths of the hidden layers, with tanh after each; by default (192, 192) for ``"digits"``, else (64, 64).
    seed : int, default 0
        Of the start, and of the examples on which ``f`` and ``grad`` are evaluated.

    Returns
    -------
    Denoising
        What :func:`mlp` returns, in float32 unless the data are your own. ``f`` and ``grad`` are the mean over examples drawn
        once; the ``batches`` of a stochastic method hold new noise each time.

    Raises ``ValueError`` or ``TypeError`` naming ``data`` or ``hidden``.

    >>> import secondorder as so
    >>> p = so.problems.denoising("plane", hidden=(16,))
    >>> p, bool(p.f(so.minimize(p, "adam", batch_size=64, steps=300).x) < 0.8 * p.f(p.x0))
    (<Denoising 'denoising:plane', d=162: f, grad, hess, hvp, ggn_product, signals, output_loss>, True)
    """
    clean, name = _clean(data)
    return Denoising(clean, _hidden(SETTINGS.get(name, SETTINGS["plane"])["hidden"] if hidden is None else hidden),
                     seed, ":".join(filter(None, ("denoising", name))))  # fmt: skip


def score_network(
    data: Any = "digits",
    *,
    hidden: Sequence[int] | None = None,
    steps: int | None = None,
    seed: int | None = None,
    progress: bool | None = None,
) -> ScoreNetwork:
    r"""A law that is known by examples only: its score at every noise level, learnt by a small network.

    A network with parameters fitted by :func:`denoising` removes noise: with :math:`z=x_t/\alpha`,
    :math:`g=\sigma/\alpha`, and :math:`c_\text{skip},c_\text{out},c_\text{in}` at :math:`g`,

    .. math::

        D(z,g)=m+c_\text{skip}\,(z-m)+c_\text{out}\,F\big(c_\text{in}(z-m),\ g\big)\approx\mathbb E[x_0\mid x_t],

    m being the mean of the data. By Tweedie's formula :cite:`efron2011tweedie` and its derivative, J that of D with
    respect to z,

    .. math::

        \nabla\log p_t(x_t)\approx\frac{\alpha D-x_t}{\sigma^2},\qquad
        \nabla^2\log p_t(x_t)\approx\frac{\tfrac12(J+J^\top)-I}{\sigma^2},\qquad
        \mathrm{Cov}[x_0\mid x_t]\approx\frac{g^2}2(J+J^\top) .

    For the exact denoiser J is symmetric and positive semidefinite. A network need not be the gradient of anything.

    Parameters
    ----------
    data : "digits", "plane" or array (n, d), default "digits"
        As for :func:`denoising`. The networks for the two names come with the package; one for points of your own is
        trained now, which takes a minute.
    hidden : sequence of int, optional
        As for :func:`denoising`.
    steps : int, optional
        Of Adam with batches of 256 new examples, a third each with the learning rates 2e-3, 5e-4 and 1e-4; by default
        30 000 for ``"digits"``, else 12 000.
    seed : int, optional
        Of start and examples, by default 0. With ``hidden``, ``steps`` or ``seed`` the network of a name is trained now as
        well: ``seed=0`` repeats the training of the one in the package.
    progress : bool, optional
        A progress bar while it is trained: by default at a terminal only.

    Returns
    -------
    ScoreNetwork
        For points in the rows of X (n, d), under the noise ``alpha`` > 0 and ``sigma`` > 0: ``score(X)`` (n, d),
        ``score_hessian(X)`` (n, d, d), ``posterior_mean(X)`` (n, d), which is D, ``posterior_covariance(X)`` (n, d, d), and
        ``denoiser_jacobian(X)`` (n, d, d), which is J. ``x0`` is m.

    Cost: at n points with P weights the score takes 2nP operations, J 2ndP.

    Raises ``ValueError`` or ``TypeError`` naming ``data``, ``hidden`` or ``steps``; the methods for an X of another width or
    noise that is not above 0.

    >>> import secondorder as so
    >>> p = so.problems.score_network("plane")
    >>> p
    <ScoreNetwork 'score_network:plane', d=2: score, score_hessian>
    >>> law = so.problems.gaussian_mixture()
    >>> X = law.sample(1000, np.random.default_rng(0), alpha=0.8, sigma=0.6)
    >>> exact = law.score(X, alpha=0.8, sigma=0.6)
    >>> error = p.score(X, alpha=0.8, sigma=0.6) - exact
    >>> bool(np.mean(error**2) < 0.1**2 * np.mean(exact**2))
    True
    """
    if isinstance(data, str) and data in SETTINGS and hidden is None and steps is None and seed is None:
        return _stored(data)
    problem = denoising(data, hidden=hidden, seed=0 if seed is None else seed)
    name = problem.name.replace("denoising", "score_network")
    steps = SETTINGS.get(name.partition(":")[2], SETTINGS["plane"])["steps"] if steps is None else whole("steps", steps)
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    parameters = _train(problem, steps, 0 if seed is None else seed, progress)
    return ScoreNetwork(parameters, problem.widths, problem.mean, problem.spread, name)


def training_data(name: str, held_out: bool = False) -> np.ndarray:
    """The points (n, d) on which the network of a name was trained, or others of the same law, float32.

    Of the digits every sixth image is held out; of the plane, draws are made with another seed.

    >>> training_data("plane").shape, training_data("digits").shape, training_data("digits", held_out=True).shape
    ((20000, 2), (1498, 64), (299, 64))
    """
    if name not in SETTINGS:
        raise ValueError(
            f"unknown data set {name!r}{nearest(str(name), SETTINGS)}; known: {', '.join(SETTINGS)}. "
            "Or give an array with a point in each row"
        )
    if name == "digits":
        X = datasets.bundled("digits")[0] / 8.0 - 1.0
        return X[(np.arange(len(X)) % 6 == 5) == held_out].astype(np.float32)
    return gaussian_mixture().sample(20_000, np.random.default_rng(int(held_out))).astype(np.float32)


def _train(problem: Denoising, steps: int, seed: int, progress: bool = False) -> Array:
    """Adam, with a learning rate that falls in three stages."""
    from tqdm.auto import tqdm

    from secondorder.diagonal import adam  # a method, which needs the problems first

    x, rng, stage = problem.x0, np.random.default_rng(seed), math.ceil(steps / len(RATES))
    with tqdm(total=steps, desc=problem.name, disable=not progress, leave=False) as bar:
        for rate in RATES:
            iterates = adam(problem, x, batch_size=BATCH, learning_rate=rate, rng=rng)
            for iterate in itertools.islice(iterates, stage + 1):
                x = iterate.x
                bar.update()
    return x


def _stored(name: str) -> ScoreNetwork:
    with files("secondorder.problems").joinpath("score_networks", f"{name}.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        parameters, mean = stored["parameters"].astype(float), stored["mean"].astype(float)
        return ScoreNetwork(
            parameters, stored["widths"].tolist(), mean, float(stored["spread"]), f"score_network:{name}"
        )


def store(network: ScoreNetwork, file: Any) -> None:
    """Write a network to a file, in float32 without pickles, as those in the package are."""
    np.savez(
        file,
        parameters=to_numpy(network.parameters).astype(np.float32),
        mean=to_numpy(network.mean).astype(np.float32),
        widths=np.asarray(network.widths),
        spread=np.float64(network.spread),
    )


def _clean(data: Any) -> tuple[np.ndarray, str]:
    """The points, and their name if they have one."""
    if isinstance(data, str):
        return training_data(data), data
    if is_sparse(data):
        raise TypeError("data must be dense; give data.toarray()")
    clean = datasets.matrix(data, "data")
    if np.all(clean == clean[0]):
        raise ValueError(f"data must hold at least two different points; got {len(clean)} equal rows")
    return clean, ""


def _hidden(hidden: Any) -> tuple[int, ...]:
    try:
        return tuple(whole("hidden", width) for width in hidden)
    except (TypeError, ValueError):
        raise ValueError(f"hidden must be whole numbers, as in (64, 64); got {hidden!r}") from None
