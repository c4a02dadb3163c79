"""What a score says of a noisy point: which noise is in it, and which clean point is behind it."""

from __future__ import annotations

import numpy as np  # noqa: F401 (the doctest)

from secondorder.arrays import Array
from secondorder.ledger import Ledger
from secondorder.schedules import Level


def predictions(problem: Ledger, x: Array, level: Level) -> tuple[Array, Array]:
    r"""The noise prediction :math:`\varepsilon=-\sigma\nabla\log p_t(x)` and the data prediction
    :math:`\hat x_0=(x-\sigma\varepsilon)/\alpha` of each particle, from one evaluation of the score.

    For the exact score they are the posterior means of the noise and of :math:`x_0` (Tweedie's formula
    :cite:`efron2011tweedie`).

    >>> import secondorder as so
    >>> problem = so.problems.gaussian_mixture(means=[[2.0]], covariances=[[[1.0]]])
    >>> predictions(Ledger(problem, [[1.4]], particles=True), np.asarray([[1.4]]), Level(0.6, 0.8))
    (array([[0.16]]), array([[2.12]]))
    """
    noise = -level.sigma * problem.score(x, *level)
    return noise, (x - level.sigma * noise) / level.alpha
