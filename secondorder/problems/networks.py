"""Multilayer perceptrons with every derivative in closed form.

Rows are examples throughout. A layer takes ``inputs`` (n, a), the last column 1 for the bias, to its ``sums``
(n, b) = inputs @ W.T; the inputs of the next layer are the activation of these; the last sums are the outputs z. What
comes back, the derivative of an example's loss with respect to the sums, is the layer's ``signals``.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from secondorder.arrays import Array, is_sparse, namespace, to_numpy
from secondorder.catalogue import nearest
from secondorder.linalg import ExampleGradients, Layer, join, split
from secondorder.oracles import Problem
from secondorder.problems import data as datasets
from secondorder.problems.linear_models import _ridge, sigmoid, softplus

DATA = ("digits", "diabetes", "two_moons")


class Activation(NamedTuple):
    """A function of the sums h and its first two derivatives, which may use its values a."""

    value: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    bend: Callable[[Array, Array], Array]
    gain: float = 1.0
    """The variance of the initial weights times the number of inputs."""


ACTIVATIONS = {
    "tanh": Activation(lambda h: namespace(h).tanh(h), lambda h, a: 1.0 - a * a, lambda h, a: -2.0 * a * (1.0 - a * a)),
    "relu": Activation(
        lambda h: 0.5 * (h + namespace(h).abs(h)),
        lambda h, a: namespace(h).astype(h > 0.0, h.dtype),
        lambda h, a: namespace(h).zeros_like(h),
        gain=2.0,
    ),
    "softplus": Activation(softplus, lambda h, a: sigmoid(h), lambda h, a: sigmoid(h) * sigmoid(-h)),
    "sine": Activation(lambda h: namespace(h).sin(h), lambda h, a: namespace(h).cos(h), lambda h, a: -a),
}


class SoftmaxLoss:
    """Cross-entropy of the probabilities p = softmax(z); its Hessian is Q = diag(p) - pp'."""

    @staticmethod
    def values(z: Array, Y: Array) -> Array:
        xp = namespace(z)
        z = z - xp.max(z, axis=1, keepdims=True)
        return xp.log(xp.sum(xp.exp(z), axis=1)) - xp.sum(Y * z, axis=1)

    @staticmethod
    def probabilities(z: Array) -> Array:
        xp = namespace(z)
        E = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        return E / xp.sum(E, axis=1, keepdims=True)

    @classmethod
    def grad(cls, z: Array, Y: Array) -> Array:
        return cls.probabilities(z) - Y

    @classmethod
    def product(cls, z: Array, U: Array) -> Array:
        """Q u for each row u of U, of shape (..., n, C)."""
        p = cls.probabilities(z)
        return p * (U - namespace(z).sum(p * U, axis=-1, keepdims=True))

    @classmethod
    def root(cls, z: Array) -> Array:
        """The columns of S = diag(sqrt p) - p sqrt(p)', for which SS' = Q; shape (C, n, C)."""
        p = cls.probabilities(z)
        return namespace(z).sqrt(p).T[:, :, None] * (units(z) - p)

    @classmethod
    def sample(cls, z: Array, rng: np.random.Generator, samples: int) -> Array:
        """p - e_y for labels y drawn from p, shape (samples, n, C)."""
        p = cls.probabilities(z)
        steps = np.cumsum(to_numpy(p)[:, :-1], axis=1)
        drawn = np.sum(steps <= rng.random((samples, len(steps), 1)), axis=-1)
        return p - namespace(z).asarray(np.eye(z.shape[1])[drawn], dtype=z.dtype)


class SquaredLoss:
    """Half the squared distance, the loss of a Gaussian with unit variance; its Hessian is Q = I."""

    @staticmethod
    def values(z: Array, Y: Array) -> Array:
        return 0.5 * namespace(z).sum((z - Y) ** 2, axis=1)

    @staticmethod
    def grad(z: Array, Y: Array) -> Array:
        return z - Y

    @staticmethod
    def product(z: Array, U: Array) -> Array:
        return U

    @staticmethod
    def root(z: Array) -> Array:
        return units(z)

    @staticmethod
    def sample(z: Array, rng: np.random.Generator, samples: int) -> Array:
        return namespace(z).asarray(rng.standard_normal((samples, *z.shape)), dtype=z.dtype)


LOSSES: dict[str, Any] = {"softmax": SoftmaxLoss, "squared": SquaredLoss}


def units(z: Array) -> Array:
    """The C unit vectors at each example: shape (C, n, C)."""
    xp, (n, C) = namespace(z), z.shape
    return xp.eye(C, dtype=z.dtype)[:, None, :] + xp.zeros((C, n, C), dtype=z.dtype)


class Pass:
    """Forward through the layers' matrices [W b]; then derivatives forwards and backwards at the sums found there."""

    def __init__(self, X: Array, matrices: Sequence[Array], activation: str) -> None:
        xp, self.activation, a = namespace(X), ACTIVATIONS[activation], X
        self.matrices, self.weights = matrices, [W[:, :-1] for W in matrices]
        self.inputs: list[Array] = []
        self.sums: list[Array] = []
        for W in matrices:
            a = self.activation.value(self.sums[-1]) if self.sums else X
            self.inputs.append(xp.concat([a, xp.ones_like(a[:, :1])], axis=1))
            self.sums.append(self.inputs[-1] @ W.T)

    @property
    def outputs(self) -> Array:
        return self.sums[-1]

    @functools.cached_property
    def slopes(self) -> list[Array]:
        """The activation's derivative at the sums of each layer but the last."""
        return [self.activation.slope(h, a[:, :-1]) for h, a in zip(self.sums, self.inputs[1:], strict=False)]

    @functools.cached_property
    def bends(self) -> list[Array]:
        """Its second derivative."""
        return [self.activation.bend(h, a[:, :-1]) for h, a in zip(self.sums, self.inputs[1:], strict=False)]

    def signals(self, U: Array) -> list[Array]:
        """Those of each layer, for U at the outputs, of shape (..., n, C)."""
        signals = [U]
        for W, slope in zip(self.weights[:0:-1], self.slopes[::-1], strict=True):
            signals.insert(0, slope * (signals[0] @ W))
        return signals

    def adjoint(self, U: Array) -> Array:
        """J'U summed over the examples, a vector."""
        return join([s.T @ a for s, a in zip(self.signals(U), self.inputs, strict=True)])

    def tangent(self, directions: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """How fast inputs and sums of each layer change as its matrix moves in its direction."""
        tangents, rates = [namespace(self.outputs).zeros_like(self.inputs[0])], [self.inputs[0] @ directions[0].T]
        for W, V, a, slope in zip(self.matrices[1:], directions[1:], self.inputs[1:], self.slopes, strict=True):
            tangents.append(_with_zeros(slope * rates[-1]))
            rates.append(a @ V.T + tangents[-1] @ W.T)
        return tangents, rates


class Mlp(Problem):
    """Made by :func:`mlp`. ``X`` (n, inputs), ``Y`` (n, outputs): rows of 0 and 1 for classes, else the targets."""

    x0: Array

    def __init__(
        self,
        X: Array,
        Y: Array,
        classes: tuple[Any, ...] | None,
        widths: Sequence[int],
        activation: str,
        loss: str,
        l2: float,
        seed: int,
        name: str,
    ) -> None:
        self.shapes = tuple((b, a + 1) for a, b in itertools.pairwise(widths))
        rng, gain = np.random.default_rng(seed), ACTIVATIONS[activation].gain
        start = [rng.standard_normal(shape) * (gain / (shape[1] - 1)) ** 0.5 for shape in self.shapes]
        for W in start:
            W[:, -1] = 0.0
        super().__init__(x0=join(start).astype(X.dtype), name=name, fresh=True)
        self.X, self.Y, self.classes, self.n = X, Y, classes, X.shape[0]
        self.widths, self.activation, self.loss, self.l2 = tuple(widths), activation, loss, l2

    def split(self, x: Array) -> tuple[Array, ...]:
        """The layers' matrices [W b], of shape (outputs, inputs + 1), of a vector."""
        return split(x, self.shapes)

    def join(self, layers: Sequence[Array]) -> Array:
        """The vector of the layers' matrices, the inverse of :meth:`split`."""
        return join(layers)

    @property
    def _loss(self) -> Any:
        return LOSSES[self.loss]

    def _pass(self, x: Array, X: Array | None = None) -> Pass:
        X = self.X if X is None else X
        if X.ndim != 2 or X.shape[1] != self.widths[0]:
            raise ValueError(f"X must have shape (rows, {self.widths[0]}); got {tuple(X.shape)}")
        return Pass(X, self.split(x), self.activation)

    # ------------------------------------------------------------------------------------------------ oracles

    def f(self, x: Array) -> Array:
        return namespace(x).mean(self._loss.values(self.outputs(x), self.Y)) + 0.5 * self.l2 * (x @ x)

    def grad(self, x: Array) -> Array:
        net = self._pass(x)
        return net.adjoint(self._loss.grad(net.outputs, self.Y)) / self.n + self.l2 * x

    def hvp(self, x: Array, v: Array) -> Array:
        """The lines that make the gradient, each differentiated along v: :cite:`pearlmutter1994fast`."""
        net, directions = self._pass(x), self.split(v)
        tangents, rates = net.tangent(directions)
        s, R = self._loss.grad(net.outputs, self.Y), self._loss.product(net.outputs, rates[-1])
        products = [R.T @ net.inputs[-1] + s.T @ tangents[-1]]
        for i in reversed(range(len(net.slopes))):
            W, V = net.weights[i + 1], directions[i + 1][:, :-1]
            back = s @ W
            R = net.slopes[i] * (R @ W + s @ V) + net.bends[i] * rates[i] * back
            s = net.slopes[i] * back
            products.insert(0, R.T @ net.inputs[i] + s.T @ tangents[i])
        return join(products) / self.n + self.l2 * v

    def hess(self, x: Array) -> Array:
        """Dense, in O(n d^2): how the signals change with the sums of each layer, times the inputs."""
        xp, net = namespace(x), self._pass(x)
        signals = net.signals(self._loss.grad(net.outputs, self.Y))
        L, blocks = len(signals), {}
        for j in range(L):
            tangents, rates = {}, {j: units(net.sums[j])}
            for i in range(j + 1, L):
                tangents[i] = _with_zeros(net.slopes[i - 1] * rates[i - 1])
                rates[i] = tangents[i] @ net.matrices[i].T
            R = self._loss.product(net.outputs, rates[L - 1])
            for i in range(L - 1, j - 1, -1):
                block = _contract(R, net.inputs[i], net.inputs[j])
                if i > j:
                    moved = _contract(tangents[i], signals[i], net.inputs[j])
                    block = block + xp.permute_dims(moved, (1, 0, 2, 3))
                    W = net.weights[i]
                    R = net.slopes[i - 1] * (R @ W) + net.bends[i - 1] * (signals[i] @ W) * rates[i - 1]
                blocks[i, j] = xp.reshape(block, (net.matrices[i].size, net.matrices[j].size))
        rows = [[blocks[i, j] if i >= j else blocks[j, i].T for j in range(L)] for i in range(L)]
        H = xp.concat([xp.concat(row, axis=1) for row in rows], axis=0)
        return 0.5 * (H + H.T) / self.n + self.l2 * xp.eye(x.shape[0], dtype=x.dtype)

    def ggn_product(self, x: Array, v: Array) -> Array:
        """J'QJv / n, in less than two gradients: :cite:`schraudolph2002fast`."""
        net = self._pass(x)
        _, rates = net.tangent(self.split(v))
        return net.adjoint(self._loss.product(net.outputs, rates[-1])) / self.n

    def signals(
        self, x: Array, kind: str, rng: np.random.Generator | None = None, samples: int = 1
    ) -> tuple[Layer, ...]:
        """For each layer its inputs (n, a), the last of them 1, and K signals (K, n, b) of the un-averaged losses.

        ``kind`` says what goes in at the outputs: "unit", the C unit vectors; "exact", the C columns of S with SS' = Q,
        the Hessian of the loss; "monte_carlo", the gradients under ``samples`` targets drawn from the model with
        ``rng``, divided by the root of their number; "empirical", the gradient under the data's own.
        """
        net = self._pass(x)
        U = self._output_signals(net.outputs, kind, rng, samples)
        return tuple(Layer(a, s) for a, s in zip(net.inputs, net.signals(U), strict=True))

    def _output_signals(self, z: Array, kind: str, rng: np.random.Generator | None, samples: int) -> Array:
        if kind == "unit":
            return units(z)
        if kind == "exact":
            return self._loss.root(z)
        if kind == "empirical":
            return self._loss.grad(z, self.Y)[None, ...]
        if kind != "monte_carlo":
            raise ValueError(f"kind must be unit, exact, monte_carlo or empirical; got {kind!r}")
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"kind='monte_carlo' draws from the model: rng must be a NumPy Generator; got {rng!r}")
        if not _whole(samples):
            raise ValueError(f"samples must be a whole number, at least 1; got {samples!r}")
        return self._loss.sample(z, rng, samples) / samples**0.5

    def output_loss(self, x: Array) -> tuple[Array, Array]:
        """Gradient (n, C) and Hessian (n, C, C) of each example's loss with respect to its outputs."""
        z = self.outputs(x)
        return self._loss.grad(z, self.Y), namespace(x).permute_dims(self._loss.product(z, units(z)), (1, 0, 2))

    # -------------------------------------------------------------------------------------------- the network

    def outputs(self, x: Array, X: Array | None = None) -> Array:
        """The outputs z, shape (n, C), for the rows of ``X`` or by default of the data."""
        return self._pass(x, X).outputs

    def predict(self, x: Array, X: Array | None = None) -> np.ndarray:
        """The predicted labels for the rows of ``X`` or by default of the data; for real targets the outputs."""
        z = to_numpy(self.outputs(x, X))
        return z if self.classes is None else np.asarray(self.classes)[np.argmax(z, axis=1)]

    def accuracy(self, x: Array) -> float:
        """The fraction of the examples predicted right."""
        if self.classes is None:
            raise ValueError(f"accuracy needs labels; the targets of {self.name} are real numbers")
        xp, z = namespace(x), self.outputs(x)
        return float(xp.mean(xp.astype(xp.argmax(z, axis=1) == xp.argmax(self.Y, axis=1), x.dtype)))

    def jvp(self, x: Array, v: Array) -> Array:
        """How fast the outputs change along v: J v, shape (n, C)."""
        return self._pass(x).tangent(self.split(v))[1][-1]

    def vjp(self, x: Array, U: Array) -> Array:
        """J'U for weights U (n, C) of the outputs, summed over the examples: a vector (d,)."""
        return self._pass(x).adjoint(U)

    def example_gradients(self, x: Array) -> ExampleGradients:
        """The gradients of the examples' losses as rows, without the ridge."""
        return ExampleGradients(self.signals(x, "empirical"))

    def ggn(self, x: Array) -> Array:
        """The dense generalised Gauss-Newton matrix, the mean of J'QJ; for small networks."""
        xp, Q = namespace(x), self.output_loss(x)[1]
        n, C = Q.shape[:2]
        J = xp.reshape(ExampleGradients(self.signals(x, "unit")).dense(), (C, n, -1))
        QJ = Q @ xp.permute_dims(J, (1, 0, 2))
        return xp.reshape(J, (C * n, -1)).T @ xp.reshape(xp.permute_dims(QJ, (1, 0, 2)), (C * n, -1)) / n

    def fisher(self, x: Array, kind: str = "exact", rng: np.random.Generator | None = None, samples: int = 1) -> Array:
        """The dense Fisher matrix, the mean of GG' over the gradients under signals of this ``kind``; for small
        networks."""
        G = ExampleGradients(self.signals(x, kind, rng, samples)).dense()
        return G.T @ G / self.n

    def batch(self, indices: Array) -> Mlp:
        """The same network on some of the examples, given by their numbers."""
        some, xp = copy.copy(self), namespace(self.X)
        indices = xp.asarray(indices)
        if indices.ndim != 1 or not xp.isdtype(indices.dtype, "integral"):
            raise TypeError(
                f"indices must be a vector of whole numbers; got shape {tuple(indices.shape)} of {indices.dtype}"
            )
        some.X, some.Y, some.n = xp.take(self.X, indices, axis=0), xp.take(self.Y, indices, axis=0), indices.shape[0]
        return some

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[Mlp]:
        """Without end, consecutive slices of a random order of the examples, a new one each epoch; an incomplete last
        slice is dropped. ``batch_size`` ≥ n gives the problem itself."""
        while True:
            order = rng.permutation(self.n) if batch_size < self.n else None
            for start in range(0, max(1, self.n - batch_size + 1), batch_size):
                yield self if order is None else self.batch(order[start : start + batch_size])


def _with_zeros(a: Array) -> Array:
    """A last column, that of the bias, which does not move."""
    xp = namespace(a)
    return xp.concat([a, xp.zeros_like(a[..., :1])], axis=-1)


def _contract(R: Array, A: Array, B: Array) -> Array:
    """The sum over n of R[j, n, i] A[n, p] B[n, q], at [i, p, j, q]."""
    xp, (J, n, i), p, q = namespace(R), R.shape, A.shape[1], B.shape[1]
    left = xp.reshape(xp.permute_dims(R, (2, 0, 1)), (i * J, n))
    right = xp.reshape(A[:, :, None] * B[:, None, :], (n, p * q))
    return xp.permute_dims(xp.reshape(left @ right, (i, J, p, q)), (0, 2, 1, 3))


def mlp(
    data: Any = "digits",
    widths: Sequence[int] | None = None,
    activation: str = "tanh",
    loss: str | None = None,
    *,
    l2: float = 0.0,
    seed: int = 0,
) -> Mlp:
    r"""A multilayer perceptron on data, every derivative in closed form and vectorised over the examples.

    .. math::

        f(x)=\frac1n\sum_{i=1}^n\ell(z_i,y_i)+\frac{\ell_2}2\|x\|^2,\qquad
        z_i=h_L,\quad h_l=\bar W_l\begin{bmatrix}a_{l-1}\\1\end{bmatrix},\quad a_l=\phi(h_l),\quad a_0=\text{row }i
        \text{ of }X

    with :math:`\ell` the cross-entropy :math:`\log\sum_ce^{z_c}-z_y` ("softmax") or
    :math:`\frac12\|z-y\|^2` ("squared", a Gaussian with unit variance). The parameters x are the matrices
    :math:`\bar W_l=[W_l\;b_l]` of shape (outputs, inputs + 1), each **row by row**, one after another; so the block of a
    curvature matrix that belongs to a layer is close to ``kron(B, A)``, with B of the signals and A of the inputs.

    Parameters
    ----------
    data : str or pair, default "digits"
        ``"digits"``: 1797 images of 64 pixels, scaled to [0, 1], in 10 classes; ``"diabetes"``: 442 rows of 10 columns
        and one real target, all brought to mean 0 and variance 1 (both bundled with scikit-learn); ``"two_moons"``: 200
        points of the plane in 2 classes, the same for every ``seed``. Or ``(X, y)``, used as they are: X dense (n,
        inputs); y of n labels, or of real targets (n,) or (n, outputs). ``(X, X)`` with a loss "squared" is an autoencoder.
    widths : sequence of int, optional
        From the inputs to the outputs, both included; by default ``[inputs, 32, outputs]``. ``[inputs, outputs]`` is
        linear or softmax regression.
    activation : "tanh" (default), "relu", "softplus" or "sine"
        After every layer but the last. The derivatives of ReLU at 0 are taken as 0.
    loss : "softmax" or "squared", optional
        By default "softmax" for classes, "squared" for real targets; of a y of one's own, floating-point numbers
        are targets and everything else is labels. "squared" on ``"digits"`` and ``"two_moons"`` has rows of 0 and 1 as
        targets.
    l2 : float ≥ 0, default 0
        The weight of the ridge, on biases too. In ``f``, ``grad``, ``hvp`` and ``hess`` only.
    seed : int, default 0
        Of the start ``x0``: weights drawn from :math:`N(0,1/\text{inputs of the layer})`, for ReLU twice the
        variance; biases 0.

    Returns
    -------
    Mlp
        With the data ``X``, ``Y`` (labels as rows of 0 and 1), ``n`` and ``classes`` (None for real targets); the matrices of
        a vector ``split(x)`` and back ``join(matrices)``.

        - ``f``, ``grad``, ``hess``; ``hvp``, exact, by the R-operator of :cite:`pearlmutter1994fast`.
        - ``outputs(x)`` (n, C); ``jvp(x, v)`` (n, C) is Jv and ``vjp(x, U)`` (d,) is :math:`\sum_iJ_i^\top u_i`.
        - ``output_loss(x)``: gradient (n, C) and Hessian Q (n, C, C) of each :math:`\ell` with respect to z.
        - ``ggn_product(x, v)`` and ``ggn(x)``: the generalised Gauss-Newton matrix
          :math:`\frac1n\sum_iJ_i^\top Q_iJ_i` :cite:`schraudolph2002fast`, which for these two losses is the Fisher matrix
          :cite:`martens2020new`.
        - ``signals(x, kind, rng, samples)``: for each layer its inputs (n, a) and back-propagated signals (K, n, b), **of
          the un-averaged losses**; ``fisher(x, kind, ...)`` is the mean of the outer products of the gradients that they
          make, and ``example_gradients(x)`` those gradients under the data's own targets.
        - ``batch(indices)``, the same network on some examples; ``batches(batch_size, rng)``, in random order without end.
        - ``predict(x, X=None)`` (labels, or real outputs), ``accuracy(x)``.

    Raises ``ValueError`` or ``TypeError`` naming ``data``, ``X``, ``y``, ``widths``, ``activation``, ``loss`` or ``l2``;
    ``ImportError`` where the data need scikit-learn and it is missing.

    Cost: with P weights the matrix products of ``f`` take 2nP operations, of ``grad`` 6nP, of ``ggn_product`` 10nP, of
    ``hvp`` 16nP, of ``signals`` 2nP(K + 1); ``hess`` takes :math:`O(nP^2)`, and memory for n squares of the widest inputs.
    Nothing is kept between calls.

    >>> import secondorder as so
    >>> p = so.problems.mlp("digits", widths=[64, 32, 10])
    >>> p, [W.shape for W in p.split(p.x0)]
    (<Mlp 'mlp:digits', d=2410: f, grad, hess, hvp, ggn_product, signals, output_loss>, [(32, 65), (10, 33)])
    >>> q = so.problems.mlp("two_moons", widths=[2, 5, 2], l2=1e-3)
    >>> bool(np.allclose(q.fisher(q.x0), q.ggn(q.x0)))
    True
    >>> q.accuracy(so.minimize(q, "trust_region").x) > 0.95
    True
    """
    for name, value, known in (("activation", activation, ACTIVATIONS), ("loss", loss, LOSSES)):
        if not (isinstance(value, str) and value in known) and not (name == "loss" and value is None):
            raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}{nearest(str(value), known)}")
    X, Y, classes, loss, name = _examples(data, loss)
    widths = _widths(widths, X.shape[1], Y.shape[1])
    return Mlp(X, Y, classes, widths, activation, loss, _ridge(l2), seed, ":".join(filter(None, ("mlp", name))))


def _examples(data: Any, loss: str | None) -> tuple[Array, Array, tuple[Any, ...] | None, str, str]:
    """Inputs (n, inputs), targets (n, outputs), the classes if there are any, the loss and a name."""
    if isinstance(data, str):
        if data not in DATA:
            raise ValueError(
                f"unknown data set {data!r}{nearest(data, DATA)}; known: {', '.join(DATA)}. Or give a pair (X, y)"
            )
        if data == "two_moons":
            X, y = datasets.two_moons()
        else:
            X, y = datasets.bundled(data)
        if data == "diabetes":
            X, y, loss = datasets.standardized(X), datasets.standardized(y), loss or "squared"
            if loss == "softmax":
                raise ValueError("loss='softmax' needs labels; the targets of diabetes are real numbers")
            return X, y[:, None], None, loss, data
        X = X / 16.0 if data == "digits" else X
        return *_one_hot(X, y), loss or "softmax", data
    if not isinstance(data, (tuple, list)):
        raise TypeError(f"data must be one of {', '.join(DATA)}, or a pair (X, y); got {type(data).__name__}")
    if len(data) != 2:
        raise ValueError(f"data must be a pair (X, y); got {len(data)} items")
    if is_sparse(data[0]):
        raise TypeError("X must be dense; give X.toarray()")
    X, y = datasets.matrix(data[0], "X"), datasets._array(data[1], "y")
    if y.ndim not in (1, 2) or y.shape[0] != X.shape[0]:
        raise ValueError(
            f"y must have shape ({X.shape[0]},) or ({X.shape[0]}, outputs), a row for each row of X; got {y.shape}"
        )
    loss = loss or ("squared" if y.dtype.kind == "f" else "softmax")
    if loss == "squared":
        Y = datasets.matrix(y if y.ndim == 2 else y[:, None], "y")
        return X, Y.astype(X.dtype), None, loss, ""
    if y.ndim == 2:
        raise ValueError(
            f"y must have shape ({X.shape[0]},), one label for each row of X; got {y.shape}. "
            "For targets give floating-point numbers, or loss='squared'"
        )
    return *_one_hot(X, datasets.labels(y, X.shape[0])), loss, ""


def _one_hot(X: Array, y: Array) -> tuple[Array, Array, tuple[Any, ...]]:
    classes, index = datasets.classes(y)
    return X, np.eye(len(classes), dtype=X.dtype)[index], classes


def _widths(widths: Any, inputs: int, outputs: int) -> tuple[int, ...]:
    if widths is None:
        return inputs, 32, outputs
    try:
        sizes = tuple(widths)
    except TypeError:
        sizes = ()
    if len(sizes) < 2 or not all(map(_whole, sizes)) or sizes[0] != inputs or sizes[-1] != outputs:
        raise ValueError(
            f"widths must be whole numbers from the {inputs} inputs to the {outputs} outputs, "
            f"as in [{inputs}, 32, {outputs}]; got {widths!r}"
        )
    return tuple(int(w) for w in sizes)


def _whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) > 0
