r"""Solvers of the trust-region and the cubic subproblem: is what they return the global minimiser of the model?"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from secondorder.arrays import Array, norm
from secondorder.checks import size
from secondorder.linalg import cubic_step, eigen, trust_region_step
from secondorder.validate.recording import in_one_line
from secondorder.validate.verdict import Finding

SOLVERS = {"trust_region": trust_region_step, "cubic": cubic_step}

PATIENCE = 2
"""After so many cases without an answer the rest is not tried."""


class Case(NamedTuple):
    """One subproblem: gradient, Hessian, and the radius or the cubic constant."""

    name: str
    grad: Array
    H: Array
    parameter: float


def check_step_solver(
    solver: Callable[[Array, Array, float], Any],
    kind: Literal["trust_region", "cubic"] = "trust_region",
    *,
    tolerance: float = 1e-6,
    seconds: float = 5.0,
) -> Finding:
    r"""Try a solver of trust-region or cubic subproblems on a battery of cases, the hard ones included.

    A step s is the global minimiser of the model :math:`g^\top s+\tfrac12s^\top Hs` over :math:`\|s\|\le\Delta`, or with
    :math:`\tfrac M6\|s\|^3` added, exactly when for some :math:`\lambda\ge0`

    .. math:: (H+\lambda I)s=-g,\qquad H+\lambda I\succeq0,

    and :math:`\lambda(\Delta-\|s\|)=0`, or :math:`\lambda=\tfrac M2\|s\|`. Most mistakes are silent on a positive definite
    H, so the battery holds indefinite, singular and badly scaled ones, gradients that vanish, and gradients with no
    component, or nearly none, along the lowest eigenvector (the hard case), for d from 1 to 50.

    Parameters
    ----------
    solver : function ``(g, H, radius) -> step`` or ``(g, H, M) -> step``
        g has shape (d,), H (d, d), the step (d,).
    kind : "trust_region" (default) or "cubic"
        Conventions differ: the cubic term here is :math:`\tfrac M6\|s\|^3`.
    tolerance : float, default 1e-6
        How much of the decrease that the model allows may be missed, and by how much of the radius a step may be too long. A
        solver that stops early on purpose needs more: 0.2 for one that accepts lengths within a tenth of the radius.
    seconds : float, default 5
        A case that takes longer has failed.

    Returns
    -------
    Finding
        ``measured["failed"]`` says for each case that failed how; ``measured["missed"]`` for each case which part of the
        decrease was missed, NaN without an answer. A solver that raises, hangs or changes its arguments has failed that
        case.

    Raises ``TypeError`` or ``ValueError`` for a solver that is no function, an unknown kind, or a tolerance of 0 and below.

    Cost: 70 subproblems, and an eigendecomposition for each.

    >>> import numpy as np
    >>> def newton(g, H, radius):
    ...     step = -np.linalg.lstsq(H, g, rcond=None)[0]
    ...     return step * min(1.0, radius / max(np.linalg.norm(step), 1e-300))
    >>> finding = check_step_solver(newton)
    >>> finding.passed, finding.measured["failed"]["indefinite, d=2"]
    (False, 'steps to a saddle of the model: misses 99.9 % of the decrease')
    """
    if kind not in SOLVERS:
        raise ValueError(f"kind must be 'trust_region' or 'cubic'; got {kind!r}")
    if not callable(solver):
        raise TypeError(f"solver must be a function (g, H, radius or M) -> step; got {type(solver).__name__}")
    tolerance, seconds = size("tolerance", tolerance), size("seconds", seconds)
    failed: dict[str, str] = {}
    missed: dict[str, float] = {}
    silent = 0
    for case in battery():
        if silent == PATIENCE:
            break
        step, fault = answer(solver, case, seconds)
        silent += fault.startswith("no answer")
        missed[case.name] = math.nan
        if step is not None:
            missed[case.name], fault = judged(case, step, kind, tolerance)
        if fault:
            failed[case.name] = fault
    measured = {"cases": len(missed), "failed": failed, "missed": missed}
    return Finding("model optimality", not failed, _summary(failed, missed), measured)


def battery(seed: int = 0) -> Iterator[Case]:
    """The cases; the lowest eigenvalue and the component of the gradient along its eigenvector make them hard."""
    rng = np.random.default_rng(seed)
    for d in (1, 2, 5, 20, 50):
        yield _case(f"positive definite, inside, d={d}", rng, np.linspace(1.0, 3.0, d), 1.0, 100.0)
        yield _case(f"positive definite, d={d}", rng, np.linspace(1.0, 3.0, d), 1.0, 0.1)
        yield _case(f"indefinite, d={d}", rng, np.linspace(-2.0, 3.0, d), 1.0, 1.0)
        yield _case(f"negative definite, d={d}", rng, np.linspace(-3.0, -1.0, d), 1.0, 1.0)
        yield _case(f"zero gradient, positive definite, d={d}", rng, np.linspace(1.0, 3.0, d), 0.0, 1.0)
        yield _case(f"zero gradient, indefinite, d={d}", rng, np.linspace(-2.0, 3.0, d), 0.0, 1.0)
        yield _case(f"zero Hessian, d={d}", rng, np.zeros(d), 1.0, 1.0)
    for d in (2, 5, 20, 50):
        values = np.linspace(-2.0, 3.0, d)
        yield _case(f"hard, d={d}", rng, values, 0.3, 1.0, lowest=0.0)
        yield _case(f"hard on the axes, d={d}", None, values, 0.3, 1.0, lowest=0.0)
        yield _case(f"near-hard, 1e-6, d={d}", rng, values, 0.3, 1.0, lowest=1e-6)
        yield _case(f"near-hard, 1e-12, d={d}", rng, values, 0.3, 1.0, lowest=1e-12)
        yield _case(f"singular, d={d}", rng, np.linspace(0.0, 3.0, d), 1.0, 1.0)
        yield _case(f"singular, gradient in the range, d={d}", rng, np.linspace(0.0, 3.0, d), 0.1, 10.0, lowest=0.0)
        yield _case(f"badly scaled, d={d}", rng, np.geomspace(1e-8, 1e8, d), 1.0, 1.0)
        yield _case(f"badly scaled, indefinite, d={d}", rng, [-1.0, *np.geomspace(1e-6, 1e6, d - 1)], 1.0, 1.0)
    yield _case("tiny gradient", rng, [-1e-3, 1.0, 2.0], 1e-12, 1.0)
    yield _case("huge gradient", rng, [-1.0, 1.0, 2.0], 1e12, 1.0)
    yield Case("the example g=(0.1, 1), H=diag(-3, 1)", np.asarray([0.1, 1.0]), np.diag([-3.0, 1.0]), 2.0)


def answer(solver: Callable[..., Any], case: Case, seconds: float) -> tuple[Array | None, str]:
    """The step, or what went wrong."""
    grad, H = case.grad.copy(), case.H.copy()
    got: list[Any] = []

    def work() -> None:
        try:
            with np.errstate(all="ignore"):
                got.append(solver(grad, H, case.parameter))
        except BaseException as error:
            got.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not got:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        return None, f"no answer within {seconds:g} s"
    if isinstance(got[0], BaseException):
        return None, f"raises {in_one_line(got[0])}"
    if not (np.array_equal(grad, case.grad) and np.array_equal(H, case.H)):
        return None, "changes its arguments"
    try:
        step = np.asarray(got[0], dtype=np.float64)
    except (TypeError, ValueError):
        return None, f"returns {type(got[0]).__name__}, not an array of shape ({len(grad)},)"
    if step.shape != grad.shape:
        return None, f"returns shape {step.shape}, not ({len(grad)},)"
    return (step, "") if np.all(np.isfinite(step)) else (None, "returns numbers that are not finite")


def judged(case: Case, step: Array, kind: str, tolerance: float) -> tuple[float, str]:
    """The part of the decrease that the step misses, and what is wrong with it in words."""
    _, g, H, parameter = case
    spectrum = eigen(H)
    best = SOLVERS[kind](g, spectrum, parameter)
    M = parameter if kind == "cubic" else 0.0
    length, widest = norm(step), max(abs(float(spectrum.values[0])), abs(float(spectrum.values[-1])))
    terms = norm(g) * length + 0.5 * widest * length**2 + M / 6.0 * length**3
    decrease = -float(g @ step + 0.5 * step @ H @ step + M / 6.0 * length**3)
    largest = max(best.decrease, 0.0)
    deficit = largest - decrease
    rounding = 1e-12 * terms
    missed = 0.0 if deficit <= rounding else deficit / (largest or terms)
    if kind == "trust_region" and length > parameter * (1.0 + tolerance):
        return missed, f"leaves the region: length {length:.3g}, radius {parameter:.3g}"
    if missed <= tolerance:
        return missed, ""
    return missed, f"{_why(g, H, step, kind, parameter, spectrum, best)}: misses {_percent(missed)} of the decrease"


def _why(g: Array, H: Array, step: Array, kind: str, parameter: float, spectrum: Any, best: Any) -> str:
    """Which of the conditions fails."""
    length, widest = norm(step), norm(H)
    if length == 0.0:
        return "does not move" if norm(g) > 0.0 else "does not leave the saddle"
    multiplier = parameter * length / 2.0 if kind == "cubic" else max(0.0, -float((H @ step + g) @ step) / length**2)
    residual = norm(H @ step + multiplier * step + g)
    stationary = residual <= 1e-6 * (norm(g) + (widest + multiplier) * length)
    inside = kind == "trust_region" and length < parameter * (1.0 - 1e-6)
    if float(spectrum.values[0]) + multiplier < -1e-8 * max(widest, 1e-300):
        return "steps to a saddle of the model"
    lowest = spectrum.vectors[:, 0]
    nearly = abs(float(lowest @ g)) <= 1e-5 * norm(g)
    if nearly and abs(float(lowest @ step)) < 0.5 * abs(float(lowest @ best.step)):
        return "lacks the part along the lowest eigenvector (hard case)"
    if stationary and inside and multiplier > 1e-8 * widest:
        return "stops inside the region, where it need not"
    if float(g @ step) > 0.0 and norm(g) > 0.0:
        return "points uphill"
    ratio = length / best.radius if best.radius > 0.0 else math.inf
    if abs(float(step @ best.step)) > (1.0 - 1e-6) * length * best.radius and abs(ratio - 1.0) > 1e-6:
        return f"has the right direction and {ratio:.3g} times the length"
    return "is no stationary point of the model"


def _percent(part: float) -> str:
    return f"{100.0 * part:.3g} %" if part < 1e3 else f"{part:.1e} times all"


def _summary(failed: dict[str, str], missed: dict[str, float]) -> str:
    if not failed:
        worst = max(missed.values())
        return f"globally optimal in all {len(missed)} cases; at worst {worst:.1e} of the decrease is missed"
    kinds: dict[str, list[str]] = {}
    for name, fault in failed.items():
        kinds.setdefault(fault.partition(":")[0], []).append(name)
    lines = [f"{fault} ({len(names)} cases, such as {names[0]!r})" for fault, names in kinds.items()]
    return f"{len(failed)} of {len(missed)} cases fail: " + "; ".join(lines)


def _case(
    name: str,
    rng: np.random.Generator | None,
    values: Any,
    length: float,
    parameter: float,
    lowest: float | None = None,
) -> Case:
    """A Hessian with these eigenvalues, turned at random, and a gradient of this length."""
    values = np.asarray(values, dtype=np.float64)
    d = len(values)
    coordinates = np.ones(d) if rng is None else rng.standard_normal(d)
    if lowest is not None:
        coordinates[0] = lowest
    c = length * coordinates / max(norm(coordinates), 1e-300)
    if rng is None:
        return Case(name, c, np.diag(values), parameter)
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    H = (Q * values) @ Q.T
    return Case(name, Q @ c, (H + H.T) / 2.0, parameter)
