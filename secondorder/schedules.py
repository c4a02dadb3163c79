"""Noise levels and how a sampler walks through them: from nothing but noise to the data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np

from secondorder.checks import size, whole

Schedule = Literal["vp", "ve", "flow"]
Spacing = Literal["log_snr", "uniform", "quadratic", "edm"]

BETA_0, BETA_1 = 0.1, 20.0
ENDS = {"vp": (1.0, 1e-3), "ve": (80.0, 0.002), "flow": (0.999, 0.001)}
"""Where time begins and ends. For "vp" it is the t of the stochastic differential equation, for the others it is sigma."""


class Level(NamedTuple):
    r"""A noise level: :math:`x_t=\alpha x_0+\sigma\varepsilon`.

    >>> Level(0.8, 0.6).ratio, round(Level(0.8, 0.6).half_log_snr, 4)
    (0.7499999999999999, 0.2877)
    """

    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        r""":math:`\sigma/\alpha`, the noise on :math:`x_t/\alpha`."""
        return self.sigma / self.alpha

    @property
    def half_log_snr(self) -> float:
        r""":math:`\lambda=\log(\alpha/\sigma)`, half the logarithm of the signal-to-noise ratio."""
        return math.log(self.alpha / self.sigma) if self.sigma else math.inf


@dataclass(frozen=True)
class NoiseGrid:
    r"""Noise levels in the order in which a sampler walks through them, :math:`\sigma/\alpha` falling.

    Parameters
    ----------
    levels : pairs (alpha, sigma)
        At least two, :math:`\alpha>0` and :math:`\sigma\ge0`; only the last may have :math:`\sigma=0`. Those of your own model
        are ``NoiseGrid(zip(alphas, sigmas))``.

    Raises ``ValueError`` for other levels.

    >>> grid = NoiseGrid([(0.6, 0.8), (0.8, 0.6), (1.0, 0.0)])
    >>> [(s.sigma, t.sigma) for s, t in grid.steps]
    [(0.8, 0.6), (0.6, 0.0)]
    """

    levels: tuple[Level, ...]

    def __init__(self, levels: Iterable[Any]) -> None:
        try:
            found = tuple(Level(float(alpha), float(sigma)) for alpha, sigma in levels)
        except (TypeError, ValueError):
            raise ValueError(f"levels must be pairs of numbers (alpha, sigma); got {levels!r}") from None
        if len(found) < 2:
            raise ValueError(f"levels must be at least two pairs (alpha, sigma), for one step; got {len(found)}")
        for alpha, sigma in found:
            if not (0.0 < alpha < math.inf and 0.0 <= sigma < math.inf):
                raise ValueError(f"levels must have alpha > 0 and sigma >= 0; got alpha={alpha!r}, sigma={sigma!r}")
        for k, (s, t) in enumerate(itertools.pairwise(found)):
            if not s.ratio > t.ratio:
                raise ValueError(
                    f"levels must fall in sigma/alpha, from noise to data; levels {k} and {k + 1} have "
                    f"{s.ratio:g} and {t.ratio:g}"
                )
        object.__setattr__(self, "levels", found)

    @property
    def steps(self) -> tuple[tuple[Level, Level], ...]:
        """The pairs (from, to) of neighbouring levels."""
        return tuple(itertools.pairwise(self.levels))


def noise_grid(
    steps: int = 20,
    schedule: Schedule = "vp",
    spacing: Spacing = "log_snr",
    *,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
) -> NoiseGrid:
    r"""The noise levels of a sampler with so many steps.

    Parameters
    ----------
    steps : int, default 20
        N; the grid has N + 1 levels.
    schedule : {"vp", "ve", "flow"}, default "vp"
        How :math:`\alpha` goes with :math:`\sigma`. ``"vp"``, variance preserving :cite:`song2021score`:
        :math:`\alpha^2+\sigma^2=1` and :math:`\log\alpha=-\tfrac14t^2(\beta_1-\beta_0)-\tfrac12t\beta_0` with
        :math:`\beta_0=0.1,\beta_1=20`, t from 1 to 0.001. ``"ve"``, variance exploding: :math:`\alpha=1`, :math:`\sigma` from
        80 to 0.002 :cite:`karras2022elucidating`. ``"flow"``, rectified flow :cite:`liu2023flow`: :math:`\alpha=1-\sigma`,
        :math:`\sigma` from 0.999 to 0.001.
    spacing : {"log_snr", "uniform", "quadratic", "edm"}, default "log_snr"
        Equal steps in :math:`\lambda=\log(\alpha/\sigma)`, in t (for ``"ve"`` and ``"flow"`` in :math:`\sigma`), in its square
        root; or equal steps of :math:`(\sigma/\alpha)^{1/7}` to the last noise level and from there to :math:`\sigma=0`
        :cite:`karras2022elucidating`, equation 5.
    sigma_min, sigma_max : float > 0, optional
        Other ends for ``"ve"``; ``"flow"`` takes them below 1, ``"vp"`` not at all.

    Returns
    -------
    NoiseGrid

    Raises ``ValueError`` for anything else.

    >>> [round(level.sigma, 3) for level in noise_grid(4, "ve", "edm", sigma_min=0.02, sigma_max=8.0).levels]
    [8.0, 1.803, 0.271, 0.02, 0.0]
    >>> vp = noise_grid(3).levels
    >>> [round(level.half_log_snr, 3) for level in vp], max(abs(a * a + s * s - 1.0) for a, s in vp) < 1e-15
    ([-5.025, -1.831, 1.363, 4.558], True)
    """
    n = whole("steps", steps)
    _one_of("schedule", schedule, Schedule)
    _one_of("spacing", spacing, Spacing)
    first, last = _ends(schedule, sigma_min, sigma_max)
    if spacing in ("uniform", "quadratic"):
        power = 1.0 if spacing == "uniform" else 2.0
        return NoiseGrid(_at(schedule, float(t)) for t in _between(first, last, n + 1, power))
    high, low = (_at(schedule, end).ratio for end in (first, last))
    falling = [*_between(high, low, n, 7.0), 0.0] if spacing == "edm" else np.geomspace(high, low, n + 1)
    return NoiseGrid(_with_ratio(schedule, float(g)) for g in falling)


def _at(schedule: str, t: float) -> Level:
    if schedule == "vp":
        log_alpha = -0.25 * t * t * (BETA_1 - BETA_0) - 0.5 * t * BETA_0
        return Level(math.exp(log_alpha), math.sqrt(-math.expm1(2.0 * log_alpha)))
    return Level(1.0 if schedule == "ve" else 1.0 - t, t)


def _with_ratio(schedule: str, ratio: float) -> Level:
    total = {"vp": math.hypot(1.0, ratio), "ve": 1.0, "flow": 1.0 + ratio}[schedule]
    return Level(1.0 / total, ratio / total)


def _between(first: float, last: float, n: int, power: float) -> np.ndarray:
    """n numbers, whose roots are evenly spaced."""
    return np.linspace(first ** (1.0 / power), last ** (1.0 / power), n) ** power


def _ends(schedule: str, sigma_min: float | None, sigma_max: float | None) -> tuple[float, float]:
    first, last = ENDS[schedule]
    if schedule == "vp" and (sigma_min, sigma_max) != (None, None):
        raise ValueError("sigma_min and sigma_max are for the schedules 've' and 'flow'; those of 'vp' follow from t")
    for name, end in (("sigma_min", sigma_min), ("sigma_max", sigma_max)):
        if not (end is None or (isinstance(end, Real) and end <= 0.0)):  # of which the order below says more
            size(name, end)
    first, last = first if sigma_max is None else sigma_max, last if sigma_min is None else sigma_min
    if not 0.0 < last < first < (1.0 if schedule == "flow" else math.inf):
        below = " < 1" if schedule == "flow" else ""
        raise ValueError(f"sigma_min and sigma_max must have 0 < sigma_min < sigma_max{below}; got {last!r}, {first!r}")
    return float(first), float(last)


def _one_of(name: str, value: Any, known: Any) -> None:
    if value not in known.__args__:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known.__args__))}; got {value!r}")
