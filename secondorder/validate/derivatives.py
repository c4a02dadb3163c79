r"""Derivatives written by hand: are they those of the function, and if not, what is wrong with them?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from secondorder.arrays import Array, norm
from secondorder.checks import whole
from secondorder.oracles import point
from secondorder.validate.recording import in_one_line
from secondorder.validate.verdict import Finding

SIZES = 0.5 ** np.arange(41)
"""The step sizes at which remainders are taken."""

CURVATURE = (("f", "hess"), ("f", "hvp"))
"""What second differences of the function judge."""

CLOSE = 1e-5
"""How far, of its size, an explained derivative may be from the differences: they have some nine digits."""

FACTORS = {0.5: "lacks a factor 2", 2.0: "has a factor 2 too many", -1.0: "has the wrong sign", 0.0: "is zero"}


class Slope(NamedTuple):
    """The order of a Taylor remainder, and the step size below which it is rounding."""

    order: float
    rounding: float


def check_derivatives(
    f: Callable[[Array], Any] | None = None,
    grad: Callable[[Array], Any] | None = None,
    hess: Callable[[Array], Any] | None = None,
    hvp: Callable[[Array, Array], Any] | None = None,
    *,
    x0: Any,
    residual: Callable[[Array], Any] | None = None,
    jac: Callable[[Array], Any] | None = None,
    points: int = 3,
    seed: int = 0,
) -> Finding:
    r"""Hold derivatives against the function they belong to, by the order of Taylor remainders.

    If g is the gradient, the remainder of the linear model is of second order in t,

    .. math:: |f(x+tv)-f(x)-t\,g^\top v|=O(t^2),

    and of first order with any other vector. So it is for each function and its derivative: the gradient and H, the
    residual and its Jacobian. Without a gradient, H is judged by :math:`f(x+tv)-2f(x)+f(x-tv)-t^2v^\top Hv=O(t^4)`.
    The order is measured as a slope, down to the step size at which rounding takes over. What fails is compared with
    central differences, to say how it is wrong.

    Parameters
    ----------
    f : function of an array (d,), optional
    grad : function with values (d,), optional
    hess : function with values (d, d), optional
    hvp : function ``(x, v) -> H v`` with values (d,), optional
    x0 : array (d,)
        Where to look; with ``points`` > 1 also at random points around it, an eighth of the size of its entries away.
    residual, jac : functions with values (m,) and (m, d), optional
    points : int, default 3
        Each with a random direction.
    seed : int, default 0

    Returns
    -------
    Finding
        ``measured[name]`` for each derivative: ``passed``, ``words``, and of its remainder the least ``order`` (infinite
        where nothing but rounding remains) and the step size ``rounding``.

    Raises ``TypeError`` or ``ValueError`` for what is no function, for a derivative without a function to hold it against, and
    for a start that is not finite; a function that raises has failed.

    Cost: some 50 values of f or of the gradient for each derivative and point; 4 d more for one that is wrong.

    >>> import numpy as np
    >>> finding = check_derivatives(lambda x: x @ x, grad=lambda x: x, hess=lambda x: 2.0 * np.eye(2), x0=[1.0, 2.0])
    >>> print(finding)
    derivatives: FAILED. grad lacks a factor 2
    >>> check_derivatives(lambda x: np.sum(x**4), grad=lambda x: 4.0 * x**3, x0=[1.0, 2.0]).passed
    True
    """
    given = {"f": f, "grad": grad, "hess": hess, "hvp": hvp, "residual": residual, "jac": jac}
    for name, function in given.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function; got {type(function).__name__}")
    x, count = point(x0), whole("points", points)
    pairs = _pairs(given)
    if not pairs:
        raise ValueError(
            "give a function and a derivative: f and grad, hess or hvp; grad and hess or hvp; residual and jac"
        )
    rng = np.random.default_rng(seed)
    places = [x + (k > 0) * 0.125 * np.maximum(1.0, np.abs(x)) * rng.standard_normal(x.shape) for k in range(count)]
    directions = [v / norm(v) for v in rng.standard_normal((count, *x.shape))]
    measured: dict[str, dict[str, Any]] = {}
    for name, base in pairs.items():
        if base == "grad" and given["f"] and not measured.get("grad", {"passed": True})["passed"]:
            base = "f"
        try:
            measured[name] = _judged(name, given, base, places, directions)
        except Exception as error:
            measured[name] = {"passed": False, "words": f"breaks down with {in_one_line(error)}"}
    wrong = [f"{name} {each['words']}" for name, each in measured.items() if not each["passed"]]
    passed = ", ".join(f"{name} {each['words']}" for name, each in measured.items() if each["passed"])
    return Finding("derivatives", not wrong, "; ".join(wrong) or passed, measured)


def taylor_slope(sizes: Array, remainders: Array, noise: float = 0.0) -> Slope:
    """The order of a remainder, from the smallest step sizes at which it is above rounding: 30 times the noise, and 30 times
    the last quarter of the remainders.

    >>> t = 0.5 ** np.arange(41)
    >>> taylor_slope(t, 3.0 * t**2 + 1e-16).order.__round__(2)
    2.0
    """
    finite = np.isfinite(remainders)
    floor = max(noise, float(np.max(remainders[finite][-len(sizes) // 4 :], initial=0.0)))
    window = np.flatnonzero(finite & (remainders > 30.0 * floor))[-7:]
    if len(window) < 3:
        return Slope(math.inf, float(sizes[0]))
    order = np.polyfit(np.log(sizes[window]), np.log(remainders[window]), 1)[0]
    return Slope(float(order), float(sizes[window[-1]]))


def _pairs(given: dict[str, Any]) -> dict[str, str]:
    """For each derivative what it is held against."""
    pairs = {}
    if given["f"] and given["grad"]:
        pairs["grad"] = "f"
    for name in ("hess", "hvp"):
        if given[name] and (given["grad"] or given["f"]):
            pairs[name] = "grad" if given["grad"] else "f"
    if given["residual"] and given["jac"]:
        pairs["jac"] = "residual"
    return pairs


def _judged(
    name: str, given: dict[str, Any], base: str, places: list[Array], directions: list[Array]
) -> dict[str, Any]:
    function, derivative = _array(given[base]), _array(given[name])
    slopes = []
    for x, v in zip(places, directions):
        shape = {"grad": x.shape, "hess": (*x.shape, *x.shape), "hvp": x.shape}.get(name)
        value = derivative(x, v) if name == "hvp" else derivative(x)
        shape = (*function(x).shape, *x.shape) if name == "jac" else shape
        if value.shape != shape:
            return {"passed": False, "words": f"has shape {value.shape}, not {shape}"}
        if not np.all(np.isfinite(value)):
            return {"passed": False, "words": "is not finite"}
        if not np.all(np.isfinite(function(x))):
            if x is places[0]:
                return {"passed": False, "words": f"cannot be judged: {base} is not finite at x0"}
            continue
        product = value if name == "hvp" else value @ v
        slope = _central(function, x, v, product) if (base, name) in CURVATURE else _forward(function, x, v, product)
        slopes.append(slope)
        if slope.order < (3.0 if (base, name) in CURVATURE else 1.7):
            words = explained(name, value, function, x, v, base)
            return {"passed": False, "words": words, "order": slope.order, "rounding": slope.rounding}
    worst = min(slopes)
    words = "exact to rounding" if math.isinf(worst.order) else f"right: remainders of order {worst.order:.1f}"
    found = {"passed": True, "words": words, "order": worst.order, "rounding": worst.rounding}
    if name in ("hess", "hvp"):
        found |= _consistent(name, given, places[0], directions) or {}
    return found


def _forward(function: Callable[..., Array], x: Array, v: Array, product: Array) -> Slope:
    start = function(x)
    with np.errstate(all="ignore"):
        values = np.stack([function(x + t * v) for t in SIZES])
        linear = np.multiply.outer(SIZES, product)
        return _slope(values - start - linear, start)


def _central(function: Callable[..., Array], x: Array, v: Array, product: Array) -> Slope:
    start, curvature = function(x), float(v @ product)
    with np.errstate(all="ignore"):
        values = np.stack([function(x + t * v) + function(x - t * v) for t in SIZES])
        return _slope(values - 2.0 * start - SIZES**2 * curvature, start)


def _slope(remainders: Array, start: Array) -> Slope:
    largest = np.max(np.abs(remainders.reshape(len(SIZES), -1)), axis=1)
    return taylor_slope(SIZES, largest, float(np.finfo(np.float64).eps) * float(np.max(np.abs(start), initial=0.0)))


def _consistent(name: str, given: dict[str, Any], x: Array, directions: list[Array]) -> dict[str, Any] | None:
    """Symmetry, and the product against the matrix."""
    hess, hvp = given["hess"], given["hvp"]
    if name == "hess":
        H = _array(hess)(x)
        off = np.max(np.abs(H - H.T)) / max(np.max(np.abs(H)), 1e-300)
        if off > 1e-8:
            i, j = np.unravel_index(np.argmax(np.abs(H - H.T)), H.shape)
            return {"passed": False, "words": f"is not symmetric: entries ({i}, {j}) and ({j}, {i}) differ"}
        return None
    u, v = directions[0], directions[-1] if len(directions) > 1 else np.roll(directions[0], 1)
    product = _array(hvp)
    if hess is not None:
        dense = _array(hess)(x) @ v
        if norm(product(x, v) - dense) > 1e-8 * max(norm(dense), 1e-300):
            return {"passed": False, "words": "differs from the product with hess"}
    left, right = float(u @ product(x, v)), float(v @ product(x, u))
    if abs(left - right) > 1e-8 * max(norm(product(x, v)), norm(product(x, u))):
        return {"passed": False, "words": "is not symmetric: u'(H v) and v'(H u) differ"}
    return None


def explained(name: str, value: Array, function: Callable[..., Array], x: Array, v: Array, base: str) -> str:
    """In words, how a derivative differs from central differences."""
    if name == "hvp":
        true = _second(function, x) @ v if base == "f" else _difference(function, x, v)
    else:
        true = _second(function, x) if base == "f" and name == "hess" else _jacobian(function, x)
    size = max(norm(true), 1e-300)
    if not np.all(np.isfinite(value)):
        return "is not finite"
    close = 10.0 * CLOSE if base == "f" and name != "grad" else CLOSE
    if norm(value - true) <= close * size:
        return "is slightly wrong, in about the sixth digit or beyond: a difference quotient itself?"
    factor = float(np.sum(value * true)) / size**2
    if norm(value - factor * true) <= close * size:
        known = [words for c, words in FACTORS.items() if abs(factor - c) <= close]
        return known[0] if known else f"is {factor:.6g} times the derivative"
    if value.ndim == 2 and value.T.shape == true.shape and norm(value.T - true) <= close * size:
        return "is transposed"
    if value.shape == true.shape and norm(np.abs(value) - np.abs(true)) <= close * size:
        wrong = np.argwhere(np.abs(value - true) > close * size)
        return f"has the wrong sign in {_places(wrong)}"
    wrong = np.argwhere(np.abs(value - true) > close * np.max(np.abs(true), initial=1e-300))
    if 0 < len(wrong) < value.size and len(wrong) <= max(2, value.size // 4):
        place = tuple(wrong[0])
        return f"is wrong in {_places(wrong)}: {value[place]:.6g} where differences give {true[place]:.6g}"
    if value.ndim == 2:
        diagonal = np.diag(np.diag(true)) if value.shape[0] == value.shape[1] else None
        if diagonal is not None and norm(value - diagonal) <= close * size:
            return "holds the diagonal alone"
        for axis, lines in ((1, "rows"), (0, "columns")):
            bad = np.flatnonzero(np.linalg.norm(value - true, axis=axis) > close * size)
            if len(bad) <= value.shape[1 - axis] // 2:
                return f"is wrong in the {lines} {', '.join(map(str, bad))}"
    return f"is not the derivative: off by {norm(value - true) / size:.2g} of its size"


def _places(wrong: Array) -> str:
    names = [str(int(i[0])) if len(i) == 1 else str(tuple(map(int, i))) for i in wrong[:4]]
    return f"{'entry' if len(wrong) == 1 else 'entries'} {', '.join(names)}{' …' if len(wrong) > 4 else ''}"


def _jacobian(function: Callable[..., Array], x: Array) -> Array:
    """The derivative by central differences, of the shape of the value and then of x."""
    columns = [_difference(function, x, unit) for unit in np.eye(len(x))]
    return np.stack(columns, axis=-1)


def _difference(function: Callable[..., Array], x: Array, v: Array) -> Array:
    """Along v, of fourth order."""
    h = 1e-3 * max(1.0, float(np.max(np.abs(x))))
    near, far = function(x + h * v) - function(x - h * v), function(x + 2.0 * h * v) - function(x - 2.0 * h * v)
    return (8.0 * near - far) / (12.0 * h)


def _second(function: Callable[..., Array], x: Array) -> Array:
    """The Hessian of a value."""
    return _jacobian(lambda y: _jacobian(function, y), x)


def _array(function: Callable[..., Any]) -> Callable[..., Array]:
    """The same on copies, with an array of numbers as its value."""

    def converted(*arguments: Array) -> Array:
        return np.array(function(*(np.array(a) for a in arguments)), dtype=np.float64)

    return converted
