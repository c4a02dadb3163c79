"""Accelerated cubic Newton with inexact gradients and Hessians, and what they are hedged with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from secondorder.arrays import Array, namespace, standard_normal
from secondorder.catalogue import method, nonnegative, positive
from secondorder.ledger import Ledger
from secondorder.newton.accelerated_cubic import accelerated_loop, exact
from secondorder.run import Iterates


@method(
    paper="agafonov2024advancing",
    needs=("f", "grad", "hess"),
    variants={
        "theorem": {"M": 1.0},
        "noisy Hessian": {"M": 1.0, "hessian_noise": 0.1},
        "without compensation": {"M": 1.0, "hessian_noise": 0.1, "compensation": False},
    },
)
def accelerated_inexact_newton(
    problem: Ledger,
    x: Array,
    *,
    M: positive | None = None,
    gradient_noise: nonnegative = 0.0,
    hessian_noise: nonnegative = 0.0,
    distance: positive = 1.0,
    compensation: bool = True,
    rng: np.random.Generator | None = None,
) -> Iterates:
    r"""Accelerated cubic Newton that pays for noise with quadratic terms, in the model and in the estimating function.

    Reference: :cite:`agafonov2024advancing`; the constants are this library's. It is :func:`accelerated_cubic_newton` from
    derivatives with a noise dial each,

    .. math::

        g(x)=\nabla f(x)+\xi,\quad\mathbb E\xi=0,\ \mathbb E\|\xi\|^2=\sigma_1^2,\qquad
        H(x)=\nabla^2f(x)+\delta_2W,\quad\|W\|_2=1,

    drawn anew at every call: :math:`\xi` Gaussian, W symmetric. The step minimises

    .. math::

        g(v)^\top h+\tfrac12h^\top\big(H(v)+\bar\delta_tI\big)h+\tfrac M6\|h\|^3,\qquad
        \bar\delta_t=2\delta_2+\tfrac{\sigma_1}R(t+3)^{3/2},

    and :math:`\psi_t` holds in addition :math:`\frac{\kappa_2}2\|x-x_0\|^2` with

    .. math:: \kappa_2=\max_{i\le t}\Big(\frac{2\bar\delta_ia_i^2}{A_{i+1}}+\tfrac{\sigma_1}R(i+3)^{5/2}\Big),

    raised before :math:`y_t` is computed; :math:`\kappa_3=\frac{17}2M`, or :math:`\frac{21}2M` for noisy gradients.

    Parameters
    ----------
    problem : Problem
        Convex; offers ``f``, ``grad`` and ``hess``. The value enters the yielded ``ceiling``, and the step where M is adapted.
    x : array (d,)
        The start.
    M : float > 0, optional
        Kept as given; :math:`M\ge2L_2` is enough. By default adapted, with restarts, as in
        :func:`accelerated_cubic_newton`; noise then meets tests that are made for exact derivatives.
    gradient_noise : float ≥ 0, default 0
        :math:`\sigma_1`, in units of the gradient.
    hessian_noise : float ≥ 0, default 0
        :math:`\delta_2`, in units of the Hessian.
    distance : float > 0, default 1
        R, the distance to the solution that the compensation of ``gradient_noise`` reckons with.
    compensation : bool, default True
        False takes :math:`\bar\delta=\kappa_2=0`: the exact method on noisy derivatives.

    Yields
    ------
    Iterate
        ``f``, ``ceiling``, ``weight``, ``total_weight``, ``minimiser``, ``mixture``, ``M``, ``step``, ``radius``,
        ``multiplier``, ``decrease``, ``hard``, ``restarted`` as for :func:`accelerated_cubic_newton`; ``damping``
        (:math:`\bar\delta_t`), ``quadratic`` and ``cubic`` (:math:`\kappa_2,\kappa_3`); ``grad``, or ``sampled_grad`` where
        it is noisy. Then the gradient on record is the exact one, off the books.

    Guarantee, for convex f, :math:`M=2L_2` and exact gradients: :math:`A_tf(x_t)\le\min\psi_t` whatever W, hence with
    :math:`\kappa_2\le6\delta_2t`

    .. math:: f(x_t)-f^*\le\frac6{t(t+1)(t+2)}\Big(\frac{\kappa_2}2R^2+\frac{17}3L_2R^3\Big)
        =O\Big(\frac{\delta_2R^2}{t^2}+\frac{L_2R^3}{t^3}\Big).

    With noisy gradients, :math:`R\ge\|x_0-x^*\|`, in expectation the same with :math:`\frac{21}3L_2R^3` and
    :math:`\sigma_1^2\sum_i\big(\frac{a_i^2}{2\bar\lambda_i}+\frac{A_{i+1}}{\bar\delta_i}\big)`,
    :math:`\bar\lambda_i=\frac{\sigma_1}R(i+3)^{5/2}`, in the bracket: :math:`O(\sigma_1R/\sqrt t)` more.
    Cost: a value, two gradients, a Hessian and its eigendecomposition.

    Departures: the paper's constants and its rule for the inner accuracy are other ones; here the model is minimised exactly.

    >>> import secondorder as so
    >>> problem = so.problems.chain(10)
    >>> given = {"M": 2 * problem.lipschitz_hess, "hessian_noise": 10.0, "steps": 100}
    >>> held, free = (
    ...     so.minimize(problem, "accelerated_inexact_newton", compensation=c, **given) for c in (True, False)
    ... )
    >>> bool(all(held.f[1:] <= held["ceiling"][1:])), bool(all(free.f[1:] <= free["ceiling"][1:]))
    (True, False)
    """

    def hedge(t: int, weight: float, total_weight: float) -> tuple[float, float]:
        slope = gradient_noise / distance
        damping = 2.0 * hessian_noise + slope * (t + 3.0) ** 1.5
        return damping, 2.0 * damping * weight**2 / total_weight + slope * (t + 3.0) ** 2.5

    noisy = Noisy(problem, gradient_noise, hessian_noise, rng or np.random.default_rng(0))
    kappa, name = (10.5, "sampled_grad") if gradient_noise else (8.5, "grad")
    return (yield from accelerated_loop(noisy, x, M, None, kappa, hedge if compensation else exact, name))


@dataclass(frozen=True)
class Noisy:
    """The oracles of a problem, with noise of a given size in gradient and Hessian."""

    problem: Ledger
    gradient_noise: float
    hessian_noise: float
    rng: np.random.Generator

    def f(self, x: Array) -> float:
        return self.problem.f(x)

    def grad(self, x: Array) -> Array:
        grad = self.problem.grad(x)
        if not self.gradient_noise:
            return grad
        return grad + self.gradient_noise / math.sqrt(x.shape[0]) * standard_normal(self.rng, x)

    def hess(self, x: Array) -> Array:
        H = self.problem.hess(x)
        return H + self.hessian_noise * symmetric_noise(self.rng, H) if self.hessian_noise else H


def symmetric_noise(rng: np.random.Generator, like: Array) -> Array:
    """A random symmetric matrix of spectral norm 1, from independent normal numbers."""
    G = rng.standard_normal(tuple(like.shape))
    W = G + G.T
    return namespace(like).asarray(W / np.linalg.norm(W, 2), dtype=like.dtype)
