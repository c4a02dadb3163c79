"""The 27 nonlinear regressions of the Statistical Reference Datasets of NIST, with certified answers.

>>> p = nist("Misra1a", start=2)
>>> p, p.level, p.certified, p.certified_rss
(<Nist 'nist:Misra1a', d=2: f, grad, hess, hvp, residual, jac>, 'lower', \
array([2.38942129e+02, 5.50156432e-04]), 0.12455138894)
>>> p.log_relative_error(p.certified), round(p.log_relative_error(p.x0), 2)
(11.0, 1.04)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from secondorder.arrays import Array, to_numpy
from secondorder.catalogue import nearest
from secondorder.problems.jets import atan, coordinates, cos, exp, power, sin
from secondorder.problems.sums_of_squares import Formula

MOST_DIGITS = 11.0
"""The certified values have eleven digits."""


class Fit(NamedTuple):
    """A model y ≈ model(b, t), b an array or a jet, and the indices of the parameters in which it is affine."""

    model: Callable[[Any, Array], Any]
    linear: tuple[int, ...] = (0,)


def _misra1a(b: Any, t: Array) -> Any:
    b1, b2 = coordinates(b)
    return b1 * (1.0 - exp(-b2 * t))


def _misra1b(b: Any, t: Array) -> Any:
    b1, b2 = coordinates(b)
    return b1 * (1.0 - (1.0 + b2 * t / 2.0) ** -2.0)


def _misra1c(b: Any, t: Array) -> Any:
    b1, b2 = coordinates(b)
    return b1 * (1.0 - (1.0 + 2.0 * b2 * t) ** -0.5)


def _misra1d(b: Any, t: Array) -> Any:
    b1, b2 = coordinates(b)
    return b1 * b2 * t / (1.0 + b2 * t)


def _chwirut(b: Any, t: Array) -> Any:
    b1, b2, b3 = coordinates(b)
    return exp(-b1 * t) / (b2 + b3 * t)


def _lanczos(b: Any, t: Array) -> Any:
    b1, b2, b3, b4, b5, b6 = coordinates(b)
    return b1 * exp(-b2 * t) + b3 * exp(-b4 * t) + b5 * exp(-b6 * t)


def _gauss(b: Any, t: Array) -> Any:
    b1, b2, b3, b4, b5, b6, b7, b8 = coordinates(b)
    return b1 * exp(-b2 * t) + b3 * exp(-(((b4 - t) / b5) ** 2)) + b6 * exp(-(((b7 - t) / b8) ** 2))


def _danwood(b: Any, t: Array) -> Any:
    b1, b2 = coordinates(b)
    return b1 * power(t, b2)


def _kirby2(b: Any, t: Array) -> Any:
    b1, b2, b3, b4, b5 = coordinates(b)
    return (b1 + b2 * t + b3 * t**2) / (1.0 + b4 * t + b5 * t**2)


def _cubic_over_cubic(b: Any, t: Array) -> Any:
    b1, b2, b3, b4, b5, b6, b7 = coordinates(b)
    return (b1 + b2 * t + b3 * t**2 + b4 * t**3) / (1.0 + b5 * t + b6 * t**2 + b7 * t**3)


def _nelson(b: Any, t: Array) -> Any:
    b1, b2, b3 = coordinates(b)
    return b1 - b2 * t[:, 0] * exp(-b3 * t[:, 1])


def _mgh17(b: Any, t: Array) -> Any:
    b1, b2, b3, b4, b5 = coordinates(b)
    return b1 + b2 * exp(-b4 * t) + b3 * exp(-b5 * t)


def _roszman1(b: Any, t: Array) -> Any:
    b1, b2, b3, b4 = coordinates(b)
    return b1 - b2 * t - atan(b3 / (-b4 + t)) / math.pi


def _enso(b: Any, t: Array) -> Any:
    b1, b2, b3, b4, b5, b6, b7, b8, b9 = coordinates(b)
    year = 2.0 * math.pi / 12.0 * t
    first, second = 2.0 * math.pi / b4 * t, 2.0 * math.pi / b7 * t
    return (
        b1
        + (b2 * cos(year) + b3 * sin(year))
        + (b5 * cos(first) + b6 * sin(first))
        + (b8 * cos(second) + b9 * sin(second))
    )


def _mgh09(b: Any, t: Array) -> Any:
    b1, b2, b3, b4 = coordinates(b)
    return b1 * (b2 * t + t**2) / (b3 * t + b4 + t**2)


def _rat42(b: Any, t: Array) -> Any:
    b1, b2, b3 = coordinates(b)
    return b1 / (1.0 + exp(b2 - b3 * t))


def _mgh10(b: Any, t: Array) -> Any:
    b1, b2, b3 = coordinates(b)
    return b1 * exp(b2 / (b3 + t))


def _eckerle4(b: Any, t: Array) -> Any:
    b1, b2, b3 = coordinates(b)
    return b1 / b2 * exp(-0.5 * ((b3 - t) / b2) ** 2)


def _rat43(b: Any, t: Array) -> Any:
    b1, b2, b3, b4 = coordinates(b)
    return b1 * power(1.0 + exp(b2 - b3 * t), -1.0 / b4)


def _bennett5(b: Any, t: Array) -> Any:
    b1, b2, b3 = coordinates(b)
    return b1 * power(b2 + t, -1.0 / b3)


FITS = {
    "Misra1a": Fit(_misra1a),
    "Chwirut2": Fit(_chwirut, ()),
    "Chwirut1": Fit(_chwirut, ()),
    "Lanczos3": Fit(_lanczos, (0, 2, 4)),
    "Gauss1": Fit(_gauss, (0, 2, 5)),
    "Gauss2": Fit(_gauss, (0, 2, 5)),
    "DanWood": Fit(_danwood),
    "Misra1b": Fit(_misra1b),
    "Kirby2": Fit(_kirby2, (0, 1, 2)),
    "Hahn1": Fit(_cubic_over_cubic, (0, 1, 2, 3)),
    "Nelson": Fit(_nelson, (0, 1)),
    "MGH17": Fit(_mgh17, (0, 1, 2)),
    "Lanczos1": Fit(_lanczos, (0, 2, 4)),
    "Lanczos2": Fit(_lanczos, (0, 2, 4)),
    "Gauss3": Fit(_gauss, (0, 2, 5)),
    "Misra1c": Fit(_misra1c),
    "Misra1d": Fit(_misra1d),
    "Roszman1": Fit(_roszman1, (0, 1)),
    "ENSO": Fit(_enso, (0, 1, 2, 4, 5, 7, 8)),
    "MGH09": Fit(_mgh09),
    "Thurber": Fit(_cubic_over_cubic, (0, 1, 2, 3)),
    "BoxBOD": Fit(_misra1a),
    "Rat42": Fit(_rat42),
    "MGH10": Fit(_mgh10),
    "Eckerle4": Fit(_eckerle4),
    "Rat43": Fit(_rat43),
    "Bennett5": Fit(_bennett5),
}
"""The fits in the order of NIST: lower, average, higher difficulty."""

PLATEAUS = {"BoxBOD": (0.5 * 1168.0088766, 0.5 * 9771.5)}
"""The known minima of the fits that have more than one: that of BoxBOD with b2 at infinity fits the mean of y."""


class Nist(Formula):
    r"""A fit with certified answer, :math:`f=\frac12\sum_i(m(x,t_i)-y_i)^2`; made by :func:`nist`.

    Attributes
    ----------
    certified, certified_std : array (d,)
        The parameters and their standard deviations.
    certified_rss : float
        The residual sum of squares, twice the least value of f.
    starts : array (2, d)
        The two starts; the second is the closer one.
    level : "lower", "average" or "higher"
        The difficulty that NIST gives it.
    linear : tuple of int
        The parameters in which the model is affine, for given others.
    t, y : array
        The data: t of shape (n,), or (n, 2) for Nelson; for Nelson y is the logarithm of the observations.
    """

    residual_weight = 0.5

    def __init__(self, name: str, start: int = 1) -> None:
        text = files("secondorder.problems").joinpath("nist_strd", f"{name}.dat").read_text("ascii")
        table = np.asarray([line.split() for line in re.findall(r"^ +b\d+ = +(.*)$", text, re.MULTILINE)], dtype=float)
        data = np.asarray([line.split() for line in text.split("Data:")[-1].splitlines()[1:] if line.strip()], float)
        y, t = data[:, 0], data[:, 1:]
        rss = float(_found(r"^Residual Sum of Squares: +(\S+)", text))
        self.certified, self.certified_std, self.certified_rss = table[:, 2].copy(), table[:, 3].copy(), rss
        self.starts = table[:, :2].T.copy()
        self.level = _found(r"^ +(\w+) Level of Difficulty", text).lower()
        self.model, self.linear = FITS[name]
        super().__init__(
            f"nist:{name}",
            partial(_misfit, self.model),
            self.starts[start - 1],
            PLATEAUS.get(name, (0.5 * rss,)),
            self.certified,
            t=t[:, 0].copy() if t.shape[1] == 1 else t.copy(),
            y=np.log(y) if name == "Nelson" else y.copy(),
        )

    def log_relative_error(self, x: Array) -> float:
        """The number of correct digits of the worst parameter, at most 11; minus infinity if one is not finite."""
        off = np.abs(to_numpy(x) - to_numpy(self.certified)) / np.abs(to_numpy(self.certified))
        worst = float(np.max(off))
        return -math.inf if math.isnan(worst) else min(MOST_DIGITS, -math.log10(max(worst, 1e-300)))


def _misfit(model: Callable[[Any, Array], Any], x: Any, t: Array, y: Array) -> Any:
    return model(x, t) - y


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    assert match, f"no {pattern!r} in the file"
    return match.group(1)


def nist(name: str | None = None, start: int = 1) -> Nist:
    r"""A nonlinear regression of the NIST Statistical Reference Datasets, with certified parameters.

    The 27 fits, of lower (8), average (11) and higher (8) difficulty, test software: NIST publishes for each two
    starts and the answer to eleven digits.

    .. math:: f(b)=\tfrac12\sum_{i=1}^n\big(m(b,t_i)-y_i\big)^2

    Parameters
    ----------
    name : str
        One of those that ``nist()`` lists.
    start : 1 (default) or 2
        Which of the two starts is ``x0``; the first is far from the answer, the second closer.

    Returns
    -------
    Nist
        With ``certified``, ``certified_rss``, ``certified_std``, ``starts``, ``level``, ``linear``, the data ``t`` and
        ``y``, ``model(b, t)`` and ``log_relative_error(b)``.

    Raises ``ValueError`` for an unknown name or no name, listing the known ones, and for another start.

    >>> p = nist("Nelson")
    >>> p.t.shape, p.linear, p.starts[1]
    ((128, 2), (0, 1), array([ 2.5e+00,  5.0e-09, -5.0e-02]))
    >>> nist("Mirsa1a")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: unknown fit 'Mirsa1a' (did you mean 'Misra1a'?); known: Misra1a, Chwirut2, ...
    """
    if not isinstance(name, str) or name not in FITS:
        what = "name a fit" if name is None else f"unknown fit {name!r}{nearest(str(name), FITS)}"
        raise ValueError(f"{what}; known: {', '.join(FITS)}")
    if start not in (1, 2):
        raise ValueError(f"start must be 1 or 2; got {start!r}")
    return Nist(name, start)
