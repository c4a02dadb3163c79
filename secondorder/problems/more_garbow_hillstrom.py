"""The 35 functions of the collection of Moré, Garbow and Hillstrom :cite:`more1981testing`, in its order.

All are sums of squares without the half. Indices i and j count from 1; r is the residual, m its length; where r compares
a model with data its sign is model less data. Each function starts where the collection starts it and lists the values
at the local minima known for its size: those of the collection and some that it does not have.

>>> p = wood()
>>> p, float(p.f(p.x0)), p.known_minima
(<Powers 'test:wood', d=4: f, grad, hess, hvp, residual, jac>, 19192.0, (0.0,))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from secondorder.arrays import Array
from secondorder.checks import whole
from secondorder.problems.jets import absolute, atan, coordinates, cos, exp, join, log, sin, sqrt, total
from secondorder.problems.sums_of_squares import Formula, Powers, SumOfSquares

SQRT10, SQRT90 = math.sqrt(10.0), math.sqrt(90.0)


def rosenbrock() -> SumOfSquares:
    r"""The curved valley :cite:`rosenbrock1960automatic`: :math:`r=(10(x_2-x_1^2),\ 1-x_1)`."""
    return _rosenbrock("rosenbrock", 2)


def freudenstein_roth() -> SumOfSquares:
    r"""Two cubic equations: :math:`r=(-13+x_1+((5-x_2)x_2-2)x_2,\ -29+x_1+((x_2+1)x_2-14)x_2)`.

    Zero at (5, 4); most methods end at the local minimum near (11.41, -0.90).
    """
    return Powers(
        "test:freudenstein_roth",
        [0.5, -2.0],
        (0.0, 48.98425367924),
        [5.0, 4.0],
        c=[-13.0, -29.0],
        L=[[1.0, -2.0], [1.0, -14.0]],
        M=[[0.0, 1.0], [0.0, 1.0]],
        p=[2.0, 3.0],
        P=[[5.0, -1.0], [1.0, 1.0]],
    )


def powell_badly_scaled() -> SumOfSquares:
    r"""Solutions of very different size: :math:`r=(10^4x_1x_2-1,\ e^{-x_1}+e^{-x_2}-1.0001)`.

    Zero near (1.098e-5, 9.106); a second minimum, which the collection does not list, is at
    :math:`x_1=x_2\approx-0.00995`.
    """

    def formula(x: Any) -> Any:
        x1, x2 = coordinates(x)
        return join([1e4 * x1 * x2 - 1.0, exp(-x1) + exp(-x2) - 1.0001])

    return Formula("test:powell_badly_scaled", formula, [0.0, 1.0], (0.0, 1.0402940039616))


def brown_badly_scaled() -> SumOfSquares:
    r"""Units that differ by twelve orders: :math:`r=(x_1-10^6,\ x_2-2\cdot10^{-6},\ x_1x_2-2)`."""

    def formula(x: Any) -> Any:
        x1, x2 = coordinates(x)
        return join([x1 - 1e6, x2 - 2e-6, x1 * x2 - 2.0])

    return Formula("test:brown_badly_scaled", formula, [1.0, 1.0], (0.0,), [1e6, 2e-6])


def beale() -> SumOfSquares:
    r""":math:`r_i=x_1(1-x_2^i)-y_i` with y = (1.5, 2.25, 2.625).

    Zero at (3, 1/2). The larger value is approached as :math:`x_1\to-\infty`, :math:`x_2\to1`.
    """

    def formula(x: Any, y: Array) -> Any:
        x1, x2 = coordinates(x)
        return x1 * join([1.0 - x2, 1.0 - x2**2, 1.0 - x2**3]) - y

    y = np.asarray([1.5, 2.25, 2.625])
    return Formula("test:beale", formula, [1.0, 1.0], (0.0, 0.4520089285714), [3.0, 0.5], y=y)


def jennrich_sampson() -> SumOfSquares:
    r"""A large residual: :math:`r_i=e^{ix_1}+e^{ix_2}-2-2i`, m = 10.

    The minimum is at :math:`x_1=x_2\approx0.2578`.
    """

    def formula(x: Any, i: Array) -> Any:
        x1, x2 = coordinates(x)
        return exp(x1 * i) + exp(x2 * i) - (2.0 + 2.0 * i)

    return Formula("test:jennrich_sampson", formula, [0.3, 0.4], (124.36218235561,), i=_count(10))


def helical_valley() -> SumOfSquares:
    r"""A valley that winds about the third axis, with :math:`\theta` the angle of :math:`(x_1,x_2)` in turns:

    .. math:: r=\Big(10(x_3-10\theta),\ 10\big(\sqrt{x_1^2+x_2^2}-1\big),\ x_3\Big),\qquad -\tfrac14<\theta<\tfrac34

    The angle jumps across :math:`x_1=0,\ x_2<0`. Zero at (1, 0, 0).
    """

    def formula(x: Any) -> Any:
        x1, x2, x3 = coordinates(x)
        radius = sqrt(x1**2 + x2**2)
        turns = 0.25 - atan(x1 / (radius + x2)) / math.pi  # half of the angle from the axis of x2
        return join([10.0 * (x3 - 10.0 * turns), 10.0 * (radius - 1.0), x3])

    return Formula("test:helical_valley", formula, [-1.0, 0.0, 0.0], (0.0,), [1.0, 0.0, 0.0])


def bard() -> SumOfSquares:
    r""":math:`r_i=x_1+\frac{i}{v_ix_2+w_ix_3}-y_i` with :math:`v_i=16-i`, :math:`w_i=\min(i,v_i)`, m = 15.

    The larger value is approached as :math:`x_2,x_3\to-\infty`.
    """
    y = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
    i = _count(15)

    def formula(x: Any, y: Array, i: Array, v: Array, w: Array) -> Any:
        x1, x2, x3 = coordinates(x)
        return x1 + (x2 * v + x3 * w) ** -1.0 * i - y

    data = {"y": np.asarray(y), "i": i, "v": 16.0 - i, "w": np.minimum(i, 16.0 - i)}
    return Formula("test:bard", formula, [1.0, 1.0, 1.0], (0.0082148773065790, 17.428693333333), **data)


def gaussian() -> SumOfSquares:
    r"""A bell curve: :math:`r_i=x_1e^{-x_2(t_i-x_3)^2/2}-y_i` at :math:`t_i=\frac{8-i}2`, m = 15."""
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]

    def formula(x: Any, t: Array, y: Array) -> Any:
        x1, x2, x3 = coordinates(x)
        return x1 * exp(-0.5 * x2 * (x3 - t) ** 2) - y

    data = {"t": (8.0 - _count(15)) / 2.0, "y": np.asarray([*half, 0.3989, *half[::-1]])}
    return Formula("test:gaussian", formula, [0.4, 1.0, 0.0], (1.1279327696190e-8,), **data)


def meyer() -> SumOfSquares:
    r"""A thermistor: :math:`r_i=x_1e^{x_2/(t_i+x_3)}-y_i` at :math:`t_i=45+5i`, m = 16. Very badly scaled.

    The start is 1.7e9 high, the minimum near (0.00561, 6181, 345). There rounding alone leaves a gradient of 1e-4.
    """
    y = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]

    def formula(x: Any, t: Array, y: Array) -> Any:
        x1, x2, x3 = coordinates(x)
        return x1 * exp(x2 / (x3 + t)) - y

    data = {"t": 45.0 + 5.0 * _count(16), "y": np.asarray(y, dtype=np.float64)}
    return Formula("test:meyer", formula, [0.02, 4000.0, 250.0], (87.945855170851,), **data)


def gulf() -> SumOfSquares:
    r"""Weibull-like: :math:`r_i=e^{-|y_i-x_2|^{x_3}/x_1}-t_i`, :math:`t_i=\frac i{100}`,
    :math:`y_i=25+(-50\log t_i)^{2/3}`, m = 99.

    Zero at (50, 25, 1.5). The collection prints the term in bars as a product; this is what its data fit.
    """
    t = _count(99) / 100.0

    def formula(x: Any, t: Array, y: Array) -> Any:
        x1, x2, x3 = coordinates(x)
        return exp(-exp(x3 * log(absolute(x2 - y))) / x1) - t

    data = {"t": t, "y": 25.0 + (-50.0 * np.log(t)) ** (2.0 / 3.0)}
    return Formula("test:gulf", formula, [5.0, 2.5, 0.15], (0.0,), [50.0, 25.0, 1.5], **data)


def box_3d() -> SumOfSquares:
    r""":math:`r_i=e^{-t_ix_1}-e^{-t_ix_2}-x_3(e^{-t_i}-e^{-10t_i})` at :math:`t_i=\frac i{10}`, m = 10.

    Zero at (1, 10, 1), at (10, 1, -1) and on the line :math:`x_1=x_2`, :math:`x_3=0`.
    """

    def formula(x: Any, t: Array) -> Any:
        x1, x2, x3 = coordinates(x)
        return exp(-x1 * t) - exp(-x2 * t) - x3 * (exp(-t) - exp(-10.0 * t))

    return Formula("test:box_3d", formula, [0.0, 10.0, 20.0], (0.0,), [1.0, 10.0, 1.0], t=_count(10) / 10.0)


def powell_singular() -> SumOfSquares:
    r""":math:`r=(x_1+10x_2,\ \sqrt5(x_3-x_4),\ (x_2-2x_3)^2,\ \sqrt{10}(x_1-x_4)^2)`.

    Zero at the origin, where the Hessian has rank 2: Newton's method converges linearly.
    """
    return _powell("powell_singular", 4)


def wood() -> SumOfSquares:
    r"""Two Rosenbrock valleys, coupled:

    .. math::

        r=\Big(10(x_2-x_1^2),\,1-x_1,\,\sqrt{90}(x_4-x_3^2),\,1-x_3,\,\sqrt{10}(x_2+x_4-2),\,\tfrac1{\sqrt{10}}(x_2-x_4)\Big)

    Zero at (1, 1, 1, 1). Near (-1, 1, -1, 1) is a saddle of height 7.88 that holds up many methods.
    """
    L, P = np.zeros((6, 4)), np.zeros((6, 2))
    L[0, 1], L[1, 0], L[2, 3], L[3, 2] = 10.0, -1.0, SQRT90, -1.0
    L[4, [1, 3]], L[5, [1, 3]] = SQRT10, (1.0 / SQRT10, -1.0 / SQRT10)
    P[0, 0], P[2, 1] = -10.0, -SQRT90
    c = np.asarray([0.0, 1.0, 0.0, 1.0, -2.0 * SQRT10, 0.0])
    return Powers("test:wood", [-3.0, -1.0, -3.0, -1.0], (0.0,), np.ones(4), c=c, L=L, P=P, M=np.eye(4)[[0, 2]])


def kowalik_osborne() -> SumOfSquares:
    r"""Enzyme kinetics: :math:`r_i=\frac{x_1(u_i^2+u_ix_2)}{u_i^2+u_ix_3+x_4}-y_i`, m = 11.

    The larger value is approached as :math:`x_1\to\infty`, :math:`x_2\to-14.07\dots`, :math:`x_3,x_4\to-\infty`.
    """
    y = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
    u = [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]

    def formula(x: Any, y: Array, u: Array) -> Any:
        x1, x2, x3, x4 = coordinates(x)
        return x1 * (x2 * u + u**2) / (x3 * u + x4 + u**2) - y

    data = {"y": np.asarray(y), "u": np.asarray(u)}
    known = (3.0750560384924e-4, 1.0273430486955e-3)
    return Formula("test:kowalik_osborne", formula, [0.25, 0.39, 0.415, 0.39], known, **data)


def brown_dennis() -> SumOfSquares:
    r"""A large residual: :math:`r_i=(x_1+t_ix_2-e^{t_i})^2+(x_3+x_4\sin t_i-\cos t_i)^2`, :math:`t_i=\frac i5`, m = 20."""
    t = _count(20) / 5.0
    one, zero = np.ones(20), np.zeros(20)
    return Powers(
        "test:brown_dennis",
        [25.0, 5.0, -5.0, -1.0],
        (85822.201626356,),
        L=np.zeros((20, 4)),
        M=np.concatenate([np.stack([one, t, zero, zero], axis=1), np.stack([zero, zero, one, np.sin(t)], axis=1)]),
        a=-np.concatenate([np.exp(t), np.cos(t)]),
        P=np.concatenate([np.eye(20), np.eye(20)], axis=1),
    )


def osborne_1() -> SumOfSquares:
    r"""Two decays: :math:`r_i=x_1+x_2e^{-t_ix_4}+x_3e^{-t_ix_5}-y_i` at :math:`t_i=10(i-1)`, m = 33."""
    y = [
        *[0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751],
        *[0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490],
        *[0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406],
    ]

    def formula(x: Any, t: Array, y: Array) -> Any:
        x1, x2, x3, x4, x5 = coordinates(x)
        return x1 + x2 * exp(-x4 * t) + x3 * exp(-x5 * t) - y

    data = {"t": 10.0 * (_count(33) - 1.0), "y": np.asarray(y)}
    return Formula("test:osborne_1", formula, [0.5, 1.5, -1.0, 0.01, 0.02], (5.4648946974829e-5,), **data)


def biggs_exp6() -> SumOfSquares:
    r""":math:`r_i=x_3e^{-t_ix_1}-x_4e^{-t_ix_2}+x_6e^{-t_ix_5}-y_i`, :math:`t_i=\frac i{10}`,
    :math:`y_i=e^{-t_i}-5e^{-10t_i}+3e^{-4t_i}`, m = 13.

    Zero at (1, 10, 1, 5, 4, 3) and where the terms trade places. At the local minimum :math:`x_1=x_5`: two terms are
    one, and only the sum of :math:`x_3` and :math:`x_6` counts. A valley runs to infinity at the height 0.2427.
    """
    t = _count(13) / 10.0

    def formula(x: Any, t: Array, y: Array) -> Any:
        x1, x2, x3, x4, x5, x6 = coordinates(x)
        return x3 * exp(-x1 * t) - x4 * exp(-x2 * t) + x6 * exp(-x5 * t) - y

    data = {"t": t, "y": np.exp(-t) - 5.0 * np.exp(-10.0 * t) + 3.0 * np.exp(-4.0 * t)}
    x0, x_star = [1.0, 2.0, 1.0, 1.0, 1.0, 1.0], [1.0, 10.0, 1.0, 5.0, 4.0, 3.0]
    return Formula("test:biggs_exp6", formula, x0, (0.0, 5.6556499254999e-3), x_star, **data)


def osborne_2() -> SumOfSquares:
    r"""A decay and three bells, at :math:`t_i=\frac{i-1}{10}`, m = 65:

    .. math:: r_i=x_1e^{-t_ix_5}+\sum_{k=2}^4x_ke^{-(t_i-x_{k+7})^2x_{k+4}}-y_i
    """
    y = [
        *[1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608],
        *[0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661],
        *[0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428],
        *[0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559],
        *[0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054],
    ]

    def formula(x: Any, t: Array, y: Array) -> Any:
        size, rate, centre = coordinates(x[0:4]), coordinates(x[4:8]), coordinates(x[8:11])
        fit = size[0] * exp(-rate[0] * t)
        for k in (1, 2, 3):
            fit = fit + size[k] * exp(-rate[k] * (centre[k - 1] - t) ** 2)
        return fit - y

    x0 = [1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5]
    data = {"t": (_count(65) - 1.0) / 10.0, "y": np.asarray(y)}
    return Formula("test:osborne_2", formula, x0, (0.040137736293548,), **data)


def watson(d: int = 6) -> SumOfSquares:
    r"""A polynomial :math:`u(t)=\sum_jx_jt^{j-1}` for the equation :math:`u'-u^2=1`, :math:`u(0)=0`, m = 31:

    .. math:: r_i=u'(t_i)-u(t_i)^2-1,\quad t_i=\tfrac i{29},\quad i\le29,\qquad r_{30}=x_1,\qquad r_{31}=x_2-x_1^2-1

    The more coefficients, the worse conditioned; the minimum is known for d = 6, 9 and 12.
    """
    d = whole("d", d)
    if not 2 <= d <= 31:
        raise ValueError(f"d must be at least 2 and at most 31; got {d}")
    j, t = np.arange(d), (_count(29) / 29.0)[:, None]
    M = np.concatenate([t**j, np.eye(d)[:1]])
    L = np.concatenate([j * t ** np.maximum(j - 1, 0), np.eye(d)[:2]])
    P, c = np.zeros((31, 30)), np.full(31, -1.0)
    P[:29, :29], P[30, 29], c[29] = -np.eye(29), -1.0, 0.0
    known = {6: (2.2876700535524e-3,), 9: (1.3997601380987e-6,), 12: (4.7223811072934e-10,)}
    return Powers("test:watson", np.zeros(d), known.get(d, ()), c=c, L=L, M=M, P=P)


def extended_rosenbrock(d: int = 10) -> SumOfSquares:
    r"""d/2 Rosenbrock valleys: :math:`r_{2i-1}=10(x_{2i}-x_{2i-1}^2)`, :math:`r_{2i}=1-x_{2i-1}`. Zero at the ones."""
    return _rosenbrock("extended_rosenbrock", _multiple(d, 2))


def extended_powell(d: int = 12) -> SumOfSquares:
    r"""d/4 copies of :func:`powell_singular`, in groups of four coordinates. Zero at the origin."""
    return _powell("extended_powell", _multiple(d, 4))


def penalty_1(d: int = 10) -> SumOfSquares:
    r"""A weak pull to the ones against a sphere: :math:`r_i=\sqrt{a}\,(x_i-1)`, :math:`r_{d+1}=\sum_jx_j^2-\frac14`,
    :math:`a=10^{-5}`.

    By symmetry the minimiser has equal entries, the positive root of :math:`2d\xi^3+(a-\frac12)\xi=a`.
    """
    d, a = whole("d", d), 1e-5
    cubic = np.roots([2.0 * d, 0.0, a - 0.5, -a])
    xi = float(np.max(np.real(cubic)))
    for _ in range(2):
        xi -= (2.0 * d * xi**3 + (a - 0.5) * xi - a) / (6.0 * d * xi**2 + a - 0.5)
    f_star = a * d * (xi - 1.0) ** 2 + (d * xi**2 - 0.25) ** 2
    c = np.append(np.full(d, -math.sqrt(a)), -0.25)
    L, P = np.concatenate([math.sqrt(a) * np.eye(d), np.zeros((1, d))]), np.zeros((d + 1, d))
    P[d] = 1.0
    return Powers("test:penalty_1", _count(d), (f_star,), np.full(d, xi), c=c, L=L, M=np.eye(d), P=P)


def penalty_2(d: int = 10) -> SumOfSquares:
    r"""With :math:`a=10^{-5}`, :math:`y_i=e^{i/10}+e^{(i-1)/10}` and m = 2d,

    .. math::

        r_1=x_1-\tfrac15,\qquad r_i=\sqrt a\,(e^{x_i/10}+e^{x_{i-1}/10}-y_i),\quad
        r_{d+i-1}=\sqrt a\,(e^{x_i/10}-e^{-1/10}),\quad 2\le i\le d,\qquad
        r_{2d}=\sum_j(d-j+1)x_j^2-1.

    The minimum is known for d = 4 and 10.
    """
    d = whole("d", d)
    i, root = _count(d), math.sqrt(1e-5)

    def formula(x: Any, y: Array, weights: Array) -> Any:
        e = exp(0.1 * x)
        fits = (e[1:] + e[:-1] - y, e[1:] - math.exp(-0.1))
        return join([x[0:1] - 0.2, *(root * fit for fit in fits), total(x**2 * weights) - 1.0])

    data = {"y": np.exp(0.1 * i[1:]) + np.exp(0.1 * i[:-1]), "weights": d - i + 1.0}
    known = {4: (9.3762930073554e-6,), 10: (2.9366053745675e-4,)}
    return Formula("test:penalty_2", formula, np.full(d, 0.5), known.get(d, ()), **data)


def variably_dimensioned(d: int = 10) -> SumOfSquares:
    r""":math:`r_i=x_i-1`, :math:`r_{d+1}=s`, :math:`r_{d+2}=s^2` with :math:`s=\sum_jj(x_j-1)`. Zero at the ones."""
    d = whole("d", d)
    j = _count(d)
    return Powers(
        "test:variably_dimensioned",
        1.0 - j / d,
        (0.0,),
        np.ones(d),
        c=np.concatenate([-np.ones(d), [-np.sum(j), 0.0]]),
        L=np.concatenate([np.eye(d), [j], np.zeros((1, d))]),
        M=j[None, :],
        a=-np.sum(j),
        P=np.eye(d + 2)[:, d + 1 :],
    )


def trigonometric(d: int = 10) -> SumOfSquares:
    r""":math:`r_i=d-\sum_j\cos x_j+i(1-\cos x_i)-\sin x_i`. Zero at the origin, but not only there.

    Methods that descend without leaping end at 2.795e-5 from the start for d = 10, one of four local minima known.
    """
    d = whole("d", d)
    known = {10: (0.0, 4.4735658128063e-7, 2.7950561218795e-5, 4.2186338879237e-5, 8.7882252182190e-4)}

    def formula(x: Any, i: Array) -> Any:
        return d - total(cos(x)) + (1.0 - cos(x)) * i - sin(x)

    return Formula("test:trigonometric", formula, np.full(d, 1.0 / d), known.get(d, (0.0,)), np.zeros(d), i=_count(d))


def brown_almost_linear(d: int = 10) -> SumOfSquares:
    r""":math:`r_i=x_i+\sum_jx_j-(d+1)` for i < d and :math:`r_d=\prod_jx_j-1`. Zero at the ones.

    The collection lists f = 1 at (0, ..., 0, d + 1) too. It is stationary but no minimum: for small t > 0 the point
    (t, ..., t, d + 1 - dt) keeps the first residuals zero and brings the last closer to it, by a multiple of
    :math:`t^{d-1}`. For d = 10 there is a local minimum that the collection does not list.
    """
    d = whole("d", d)
    known = {10: (0.0, 1.8412483660885)}

    def formula(x: Any) -> Any:
        product = math.prod(coordinates(x)[1:], start=x[0:1])
        return join([x[:-1] + total(x) - (d + 1.0), product - 1.0])

    return Formula("test:brown_almost_linear", formula, np.full(d, 0.5), known.get(d, (0.0,)), np.ones(d))


def discrete_boundary_value(d: int = 10) -> SumOfSquares:
    r"""Differences for :math:`u''=\frac12(u+t+1)^3`, :math:`u(0)=u(1)=0`:
    :math:`r_i=2x_i-x_{i-1}-x_{i+1}+\frac{h^2}2(x_i+t_i+1)^3`, :math:`h=\frac1{d+1}`, :math:`t_i=ih`."""
    d = whole("d", d)
    h = 1.0 / (d + 1)
    t = h * _count(d)
    L = 2.0 * np.eye(d) - np.eye(d, k=1) - np.eye(d, k=-1)
    name = "test:discrete_boundary_value"
    return Powers(name, t * (t - 1.0), (0.0,), L=L, M=np.eye(d), a=t + 1.0, p=3.0, P=0.5 * h**2 * np.eye(d))


def discrete_integral(d: int = 10) -> SumOfSquares:
    r"""The same equation as :func:`discrete_boundary_value`, as an integral:

    .. math::

        r_i=x_i+\tfrac h2\Big((1-t_i)\sum_{j\le i}t_j(x_j+t_j+1)^3+t_i\sum_{j>i}(1-t_j)(x_j+t_j+1)^3\Big)
    """
    d = whole("d", d)
    h = 1.0 / (d + 1)
    t = h * _count(d)
    green = np.minimum(t[:, None], t) * (1.0 - np.maximum(t[:, None], t))
    name = "test:discrete_integral"
    return Powers(name, t * (t - 1.0), (0.0,), L=np.eye(d), M=np.eye(d), a=t + 1.0, p=3.0, P=0.5 * h * green)


def broyden_tridiagonal(d: int = 10) -> SumOfSquares:
    r""":math:`r_i=(3-2x_i)x_i-x_{i-1}-2x_{i+1}+1` with :math:`x_0=x_{d+1}=0`."""
    d = whole("d", d)
    L = 3.0 * np.eye(d) - np.eye(d, k=-1) - 2.0 * np.eye(d, k=1)
    return Powers("test:broyden_tridiagonal", -np.ones(d), (0.0,), c=1.0, L=L, M=np.eye(d), P=-2.0 * np.eye(d))


def broyden_banded(d: int = 10) -> SumOfSquares:
    r""":math:`r_i=x_i(2+5x_i^2)+1-\sum_jx_j(1+x_j)` over the j ≠ i from i - 5 to i + 1."""
    d = whole("d", d)
    band = sum(np.eye(d, k=k) for k in (-5, -4, -3, -2, -1, 1))
    return Powers(
        "test:broyden_banded",
        -np.ones(d),
        (0.0,),
        c=1.0,
        L=2.0 * np.eye(d) - band,
        M=np.concatenate([np.eye(d), np.eye(d)]),
        p=np.repeat([2.0, 3.0], d),
        P=np.concatenate([-band, 5.0 * np.eye(d)], axis=1),
    )


def linear_full_rank(d: int = 10, m: int = 20) -> SumOfSquares:
    r""":math:`r_i=x_i[i\le d]-\frac2m\sum_jx_j-1`, m ≥ d. The minimum m - d is at minus the ones."""
    d, m = _sizes(d, m, 1)
    return _linear("linear_full_rank", np.eye(m, d) - 2.0 / m, -np.ones(m), m - d, -np.ones(d))


def linear_rank_one(d: int = 10, m: int = 20) -> SumOfSquares:
    r""":math:`r_i=i\sum_jjx_j-1`, m ≥ d. The minimum is :math:`\frac{m(m-1)}{2(2m+1)}`, at every x with
    :math:`\sum_jjx_j=\frac3{2m+1}`."""
    d, m = _sizes(d, m, 1)
    L, x_star = np.outer(_count(m), _count(d)), np.eye(d)[0] * 3.0 / (2 * m + 1)
    return _linear("linear_rank_one", L, -np.ones(m), m * (m - 1) / (2 * (2 * m + 1)), x_star)


def linear_rank_one_with_zeros(d: int = 10, m: int = 20) -> SumOfSquares:
    r""":math:`r_i=(i-1)\sum_{1<j<d}jx_j-1` for 1 < i < m, and :math:`r_1=r_m=-1`, m ≥ d ≥ 3.

    The minimum is :math:`\frac{m^2+3m-6}{2(2m-3)}`, at every x with :math:`\sum_{1<j<d}jx_j=\frac3{2m-3}`.
    """
    d, m = _sizes(d, m, 3)
    rows, columns = _count(m) - 1.0, _count(d)
    rows[-1] = columns[0] = columns[-1] = 0.0
    f_star, x_star = (m**2 + 3 * m - 6) / (2 * (2 * m - 3)), np.eye(d)[1] * 1.5 / (2 * m - 3)
    return _linear("linear_rank_one_with_zeros", np.outer(rows, columns), -np.ones(m), f_star, x_star)


def chebyquad(d: int = 8) -> SumOfSquares:
    r"""Nodes of equal weight that integrate the shifted Chebyshev polynomials :math:`T_i` up to degree m = d on [0, 1]:

    .. math:: r_i=\frac1d\sum_jT_i(x_j)-\int_0^1T_i

    The nodes exist, and the minimum is 0, for d ≤ 7 and d = 9; it is known for d = 8 and 10 too.
    """
    d = whole("d", d)

    def formula(x: Any, integrals: Array) -> Any:
        t = 2.0 * x - 1.0
        before, now, means = 1.0, t, []
        for _ in range(d):
            means.append(total(now) / d)
            before, now = now, 2.0 * t * now - before
        return join(means) - integrals

    i = _count(d)
    integrals = np.where(i % 2 == 0, -1.0 / np.maximum(i**2 - 1.0, 1.0), 0.0)
    known = {8: (3.5168737256779e-3,), 10: (4.7727136963753e-3, 6.5039548008823e-3, 9.5006288502217e-3)}
    minima = known.get(d, (0.0,) if d <= 9 else ())
    return Formula("test:chebyquad", formula, i / (d + 1), minima, integrals=integrals)


def _count(n: int) -> Array:
    """1, 2, ..., n as floats."""
    return np.arange(1.0, n + 1.0)


def _rosenbrock(name: str, d: int) -> SumOfSquares:
    pairs = np.eye(d // 2)
    return Powers(
        f"test:{name}",
        np.tile([-1.2, 1.0], d // 2),
        (0.0,),
        np.ones(d),
        c=np.tile([0.0, 1.0], d // 2),
        L=np.kron(pairs, [[0.0, 10.0], [-1.0, 0.0]]),
        M=np.kron(pairs, [[1.0, 0.0]]),
        P=np.kron(pairs, [[-10.0], [0.0]]),
    )


def _powell(name: str, d: int) -> SumOfSquares:
    fours, root5 = np.eye(d // 4), math.sqrt(5.0)
    return Powers(
        f"test:{name}",
        np.tile([3.0, -1.0, 0.0, 1.0], d // 4),
        (0.0,),
        np.zeros(d),
        L=np.kron(fours, [[1.0, 10.0, 0.0, 0.0], [0.0, 0.0, root5, -root5], [0.0] * 4, [0.0] * 4]),
        M=np.kron(fours, [[0.0, 1.0, -2.0, 0.0], [1.0, 0.0, 0.0, -1.0]]),
        P=np.kron(fours, [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, SQRT10]]),
    )


def _linear(name: str, L: Array, c: Array, f_star: float, x_star: Array) -> SumOfSquares:
    m, d = L.shape
    x0 = np.ones(d)
    return Powers(f"test:{name}", x0, (float(f_star),), x_star, c=c, L=L, M=np.zeros((0, d)), P=np.zeros((m, 0)))


def _multiple(d: int, k: int) -> int:
    if whole("d", d) % k:
        raise ValueError(f"d must be a multiple of {k}; got {d}")
    return int(d)


def _sizes(d: int, m: int, least: int) -> tuple[int, int]:
    if not least <= whole("d", d) <= whole("m", m):
        raise ValueError(f"d must be at least {least} and at most m; got d={d}, m={m}")
    return int(d), int(m)


TEST_FUNCTIONS: dict[str, Callable[..., SumOfSquares]] = {
    factory.__name__: factory
    for factory in (
        *(rosenbrock, freudenstein_roth, powell_badly_scaled, brown_badly_scaled, beale, jennrich_sampson),
        *(helical_valley, bard, gaussian, meyer, gulf, box_3d),
        *(powell_singular, wood, kowalik_osborne, brown_dennis, osborne_1, biggs_exp6, osborne_2, watson),
        *(extended_rosenbrock, extended_powell, penalty_1, penalty_2, variably_dimensioned, trigonometric),
        *(brown_almost_linear, discrete_boundary_value, discrete_integral, broyden_tridiagonal, broyden_banded),
        *(linear_full_rank, linear_rank_one, linear_rank_one_with_zeros, chebyquad),
    )
}
"""The collection by name, in its order."""
