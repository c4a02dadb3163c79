"""The one loop: it drives any generator of iterates and hands back a history."""

from __future__ import annotations

import copy
import inspect
import math
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from secondorder.arrays import Array, epsilon, frozen, is_array, namespace, norm, standard_normal, to_numpy
from secondorder.catalogue import Method, find
from secondorder.history import COSTS, History
from secondorder.ledger import Ledger, NonFinite, a_problem
from secondorder.oracles import ORACLES, Problem
from secondorder.schedules import NoiseGrid, Schedule, Spacing, noise_grid
from secondorder.stopping import StoppingRule, any_of, no_progress, step_limit, time_limit, tolerance

PATIENCE = 2.0
"""Seconds before a progress bar appears."""


TOLERANCE = {"gap": 1e-6}
"""The default tolerance of a measure, where it is not 1e-8."""


class Iterate:
    """A point and the account of how it was reached; quantities given as None are left out.

    ``x``, ``f`` and ``grad`` are at the point; ``step``, ``radius``, ``accepted`` … belong to the step that led
    there. Arrays are frozen, so what was yielded never changes: write ``x = x + step``, not ``x += step``.

    >>> it = Iterate(np.zeros(2), radius=1.5, step=None)
    >>> it.radius, "step" in it, list(it.quantities)
    (1.5, False, ['radius'])
    """

    __slots__ = ("quantities", "x")

    def __init__(self, x: Array, **quantities: Any) -> None:
        self.x = frozen(x)
        self.quantities = {name: _plain(name, value) for name, value in quantities.items() if value is not None}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.quantities[name]
        except KeyError:
            raise AttributeError(f"this iterate has no {name!r}; it has x, {', '.join(self.quantities)}") from None

    def __contains__(self, name: str) -> bool:
        return name in self.quantities

    def __repr__(self) -> str:
        return f"Iterate(x={self.x!r}, {', '.join(f'{k}={v!r}' for k, v in self.quantities.items())})"


Iterates = Generator[Iterate, None, str]
"""What a method is: it yields iterates, and if it ends by itself it returns the status, with a reason:
``"stalled: why"``."""


def along(problem: Ledger, x: Array, step: Array) -> Callable[[float], float]:
    """The value along a direction, for a line search."""
    return lambda step_size: problem.f(x + step_size * step)


def products(problem: Ledger, x: Array) -> Callable[[Array], Array]:
    """The products with the Hessian at x, for a Krylov method."""
    return lambda v: problem.hvp(x, v)


def ray(problem: Ledger, x: Array, step: Array) -> Callable[[float], tuple[float, float, Array]]:
    """Value, slope and gradient along a direction, for a Wolfe search; no gradient where the value is not finite."""

    def phi(step_size: float) -> tuple[float, float, Array]:
        point = x + step_size * step
        f = problem.f(point)
        grad = problem.grad(point) if math.isfinite(f) else step
        return f, float(grad @ step), grad

    return phi


def _plain(name: str, value: Any) -> Any:
    if type(value) in (float, int, bool, str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if is_array(value):
        return frozen(value) if value.ndim else float(value)
    if isinstance(value, tuple) and all(map(is_array, value)):
        return tuple(map(frozen, value))
    raise TypeError(f"{name} must be a number, a string, an array or a tuple of arrays; got {type(value).__name__}")


@np.errstate(all="ignore")  # what overflows is seen by the checks, and ends the run with a status
def run(
    iterates: Iterable[Iterate],
    ledger: Ledger,
    *,
    stop: StoppingRule,
    history: History,
    keep: Sequence[str] = (),
    callback: Callable[[Iterate], Any] | None = None,
    progress: int | None = None,
) -> History:
    """Drive ``iterates`` until they end or ``stop`` answers, and return ``history`` with a row for each.

    ``f`` and ``grad`` are taken from the iterate where it has them, otherwise evaluated off the books: recording
    costs nothing that is counted or timed. Of a method that yields ``batch_grad`` they are evaluated in the first
    and the last row, and whenever a gradient-equivalent was spent since the last time; of particles never. An
    exception before the first row is raised; a later one ends the run with a status and the rows so far. ``progress``,
    a number of steps, shows a bar once the run takes two seconds.
    """
    bar: tqdm | None = None
    looker = copy.copy(ledger)
    looker.counts = dict.fromkeys(ledger.counts, 0)
    walk, began, own = iter(iterates), time.perf_counter(), 0.0
    history.x = ledger.x
    spent, complete = -1.0, True
    try:
        while not history.status:
            tick = time.perf_counter()
            try:
                iterate = next(walk)
                own += time.perf_counter() - tick
                if not _is_finite(iterate.x):
                    raise NonFinite("x is not finite")
                cost = sum(COSTS.get(name, ledger.x.shape[-1]) * n for name, n in ledger.counts.items())
                look = not ledger.particles and ("batch_grad" not in iterate or cost >= spent + 1.0)
                row = {**_row(iterate, looker, keep, look), "seconds": own}
            except StopIteration as end:
                history.status, _, history.message = (end.value or "finished").partition(": ")
                break
            except Exception as error:
                _failed(history, error)
                break
            row.update({"#" + name: n for name, n in ledger.counts.items()})
            history.rows.append(row)
            history.x, complete, spent = iterate.x, look or ledger.particles, cost if look else spent
            if bar is not None:
                bar.update()
            elif progress and time.perf_counter() - began > PATIENCE:
                bar = tqdm(total=progress, initial=len(history) - 1, desc=history.method, leave=False)
            if callback is not None and _asks_to_stop(callback, iterate):
                history.status = "stopped"
                break
            answer = stop({**row, "step": len(history) - 1, "elapsed": time.perf_counter() - began})
            if not isinstance(answer, str | None):
                raise TypeError(f"a stopping rule answers a status or None; got {answer!r}")
            history.status, _, history.message = (answer or "").partition(": ")
    except KeyboardInterrupt:
        history.status = "interrupted"
    except Exception as error:  # of the callback or the stopping rule: theirs to mend, and nothing is lost
        if history.rows:
            error.history = history  # type: ignore[attr-defined]
            error.add_note("the run up to here is this exception's .history")
        raise
    finally:
        if not complete:
            try:
                history.rows[-1] = {**_row(Iterate(history.x), looker, ()), **history.rows[-1]}
            except ArithmeticError as error:
                history.status, history.message = "diverged", str(error)
        history.oracle = dict(ledger.counts)
        if bar is not None:
            bar.close()
    return history


def _is_finite(x: Array) -> bool:
    """A norm is a quick look; that of a finite x may overflow."""
    return math.isfinite(norm(x)) or bool(namespace(x).all(namespace(x).isfinite(x)))


def _failed(history: History, error: Exception) -> None:
    """Turn what a method or an oracle raised into a status; before the first row, raise it."""
    if not history.rows:
        if isinstance(error, ArithmeticError):
            raise ValueError(f"{history.problem_name!r} cannot be evaluated at the start: {error}") from error
        raise error
    if isinstance(error, ArithmeticError):
        history.status, history.message = "diverged", str(error)
    elif isinstance(error, np.linalg.LinAlgError):
        history.status, history.message = "breakdown", str(error)
    else:
        history.status, history.message = "breakdown", f"{type(error).__name__}: {error}"
        if "read-only" in history.message:
            history.message += " (iterates are frozen once yielded: write x = x + step, not x += step)"
        warnings.warn(f"{history.method} stopped at step {len(history)}: {history.message}", stacklevel=6)


def _asks_to_stop(callback: Callable[[Iterate], Any], iterate: Iterate) -> bool:
    try:
        return bool(callback(iterate))
    except StopIteration:
        return True


def _row(iterate: Iterate, looker: Ledger, keep: Sequence[str], look: bool = True) -> dict[str, Any]:
    given = iterate.quantities
    row: dict[str, Any] = {}
    if "f" in given or (look and looker.problem.f is not None):
        row["f"] = given["f"] if "f" in given else looker.f(iterate.x)
        if not math.isfinite(row["f"]):
            raise NonFinite(f"f is {row['f']:g}")
    grad = given.get("grad")
    if grad is None and look and looker.problem.grad is not None:
        grad = looker.grad(iterate.x)
    if grad is not None:
        row["grad_norm"] = norm(grad)
    row.update({k: v for k, v in given.items() if isinstance(v, (float, int, str)) and k != "f"})
    if "gap" not in row and look and looker.problem.lmo is not None and grad is not None:
        row["gap"] = float(grad @ (iterate.x - looker.lmo(grad)))
    if "x" in keep:
        row["x"] = to_numpy(iterate.x)
    row.update({k: _host(v) for k, v in given.items() if k in keep and k not in row})
    return row


def _host(value: Any) -> Any:
    return tuple(map(to_numpy, value)) if isinstance(value, tuple) else to_numpy(value)


def minimize(
    problem: Problem,
    method: str | Callable[..., Iterator[Iterate]],
    x0: Any = None,
    *,
    tol: float | None = None,
    steps: int = 10_000,
    seconds: float | None = None,
    stop: StoppingRule | None = None,
    seed: int | None = 0,
    keep: str | Sequence[str] = (),
    callback: Callable[[Iterate], Any] | None = None,
    progress: bool | None = None,
    **hyper: Any,
) -> History:
    """Minimise ``problem`` with ``method`` and return what happened.

    Parameters
    ----------
    problem : Problem
    method : str or function
        A name from :func:`secondorder.methods`, or a function decorated with :func:`secondorder.method`.
    x0 : array (d,), optional
        The start; by default the problem's own.
    tol : float, optional
        Converged when the method's measure (``grad_norm`` unless it says otherwise) is at most this. By default
        1e-8 (1e-6 for a Frank–Wolfe gap) in float64, scaled with the square root of the rounding unit in float32.
        ``tol=0`` never converges except at an exact solution.
    steps : int, default 10000
        At most this many steps, hence ``steps + 1`` rows.
    seconds : float, optional
        At most this much wall time.
    stop : stopping rule, optional
        One more rule, see :mod:`secondorder.stopping`.
    seed : int, default 0
        For methods that draw random numbers.
    keep : names, default none
        Arrays to keep in every row, such as ``("x", "step")``. They are copies.
    callback : function of an Iterate, optional
        Called after each row; a true answer stops the run.
    progress : bool, optional
        A progress bar once the run takes two seconds: by default at a terminal only.
    **hyper
        The method's hyper-parameters.

    Returns
    -------
    History
        Also when the run is interrupted, diverges or breaks down; ``status`` tells. A run that finds no new least value
        of f nor of its measure in 1000 steps (10 d, if that is more; ten times that for a Frank–Wolfe gap, which may
        rise for long) ends as ``stalled``.

    Raises
    ------
    TypeError, ValueError
        For whatever can be known before the first step, naming the argument.

    Examples
    --------
    >>> import secondorder as so
    >>> history = so.minimize(so.problems.rosenbrock(), "newton")
    >>> history.status, len(history), history.x.round(6)
    ('converged', 22, array([1., 1.]))
    """
    function = find(method)
    info = function.method  # type: ignore[attr-defined]
    info.require_kind("optimiser")
    _check_functions(stop=stop, callback=callback)
    ledger = Ledger(problem, x0)
    default = TOLERANCE.get(info.measure, 1e-8) * math.sqrt(epsilon(ledger.x) / np.finfo(np.float64).eps)
    tol = default if tol is None else _number("tol", tol, 0.0)
    steps = int(_number("steps", steps, 0, whole=True))
    patience = max(1000, 10 * ledger.x.shape[0]) * (10 if info.measure == "gap" else 1)
    rules = [tolerance(info.measure, tol), step_limit(steps)]
    if hyper.get("batch_size") is None:
        rules.append(no_progress(info.measure, patience))
    if seconds is not None:
        rules.insert(1, time_limit(_number("seconds", seconds, 0.0)))
    rng = {"rng": _generator(seed)} if _draws(info) else {}
    return _started(
        function(ledger, **hyper, **rng), info, ledger, hyper, rules=rules, stop=stop, seed=seed, keep=keep,
        callback=callback, progress=progress, expected=steps, tol=tol,
    )  # fmt: skip


def sample(
    problem: Problem,
    method: str | Callable[..., Iterator[Iterate]],
    x: Any = None,
    *,
    particles: int = 1000,
    steps: int | None = None,
    schedule: Schedule | None = None,
    spacing: Spacing | None = None,
    grid: NoiseGrid | None = None,
    seconds: float | None = None,
    stop: StoppingRule | None = None,
    seed: int | None = 0,
    keep: str | Sequence[str] = (),
    callback: Callable[[Iterate], Any] | None = None,
    progress: bool | None = None,
    **hyper: Any,
) -> History:
    """Draw samples of ``problem``'s law with ``method`` and return what happened; ``history.x`` is the cloud of particles.

    Parameters
    ----------
    problem : Problem
        Offers ``score``, for some methods also ``score_hessian`` or ``log_density``: a mixture of Gaussians, a trained
        score network, or ``Problem(score=..., x0=...)`` of your own.
    method : str or function
        A sampler's name, or a function decorated with ``@secondorder.method(kind="sampler")``.
    x : array (n, d), optional
        The particles at the start. By default ``particles`` standard normal draws, times the noise of the first level if the
        method walks through noise levels.
    particles : int, default 1000
        How many to draw where ``x`` is not given.
    steps : int, optional
        Of a method that walks through noise levels, their number less one, default 20; of a chain, at most this many
        updates, default 1000.
    schedule, spacing : str, optional
        The noise levels, see :func:`secondorder.schedules.noise_grid`; by default the method's own.
    grid : NoiseGrid, optional
        The noise levels themselves, in place of ``steps``, ``schedule`` and ``spacing``.
    seconds, stop, seed, keep, callback, progress
        As for :func:`minimize`. The start and the walk draw from streams of their own.
    **hyper
        The method's hyper-parameters.

    Returns
    -------
    History
        A method that comes to the end of its noise levels is ``finished``, a chain ends at its ``step_limit``. A row has the
        noise level ``alpha``, ``sigma``; ``keep="x"`` keeps every cloud. ``history.oracle["score"]`` is the number of
        network evaluations per particle, ``history.optimality`` the distance to the law where that can be drawn from: where
        the problem has ``sample(n, rng, alpha=, sigma=)``, as mixtures do.

    Raises
    ------
    TypeError, ValueError
        For whatever can be known before the first step, naming the argument.

    Examples
    --------
    >>> import secondorder as so
    >>> history = so.sample(so.problems.gaussian_mixture(), "ddim", steps=10)
    >>> history.status, history.x.shape, history.oracle["score"]
    ('finished', (1000, 2), 10)
    """
    function = find(method)
    info = function.method  # type: ignore[attr-defined]
    info.require_kind("sampler")
    _check_functions(stop=stop, callback=callback)
    rules = [] if seconds is None else [time_limit(_number("seconds", seconds, 0.0))]
    steps = None if steps is None else int(_number("steps", steps, 0, whole=True))
    levels: dict[str, Any] = {}
    if info.grid is not None:
        if grid is None:
            steps = 20 if steps is None else steps
            grid = noise_grid(steps, schedule or info.grid[0], spacing or info.grid[1])
        elif (steps, schedule, spacing) != (None, None, None):
            raise ValueError("grid takes the place of steps, schedule and spacing: give it alone")
        levels = {"grid": grid}
    elif (schedule, spacing, grid) != (None, None, None):
        raise ValueError(f"{info.name} stays at one noise level: it takes no schedule, spacing or grid")
    else:
        steps = 1000 if steps is None else steps
        rules.append(step_limit(steps))
    start, walk = _generator(seed).spawn(2)
    if x is None:
        like = a_problem(problem).x0
        if like is None:
            raise ValueError("x must be given where the problem has no x0 that tells its dimension")
        shape = (int(_number("particles", particles, 1, whole=True)), like.shape[0])
        x = standard_normal(start, namespace(like).empty(shape, dtype=like.dtype))
        if isinstance(grid, NoiseGrid):
            x = grid.levels[0].sigma * x
    ledger = Ledger(problem, x, particles=True)
    rng = {"rng": walk} if _draws(info) else {}
    iterates = function(ledger, **hyper, **rng, **levels)
    updates = {**info.defaults(), **hyper}.get("updates", 1)
    return _started(
        iterates, info, ledger, hyper, rules=rules, stop=stop, seed=seed, keep=keep, callback=callback, progress=progress,
        expected=steps if grid is None else len(grid.steps) * updates,
    )  # fmt: skip


def _check_functions(**given: Any) -> None:
    for name, function in given.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function; got {type(function).__name__}")


def _draws(info: Method) -> bool:
    return "rng" in inspect.signature(info.function).parameters


def _started(
    iterates: Iterable[Iterate],
    info: Method,
    ledger: Ledger,
    hyper: Mapping[str, Any],
    *,
    rules: Sequence[StoppingRule],
    stop: StoppingRule | None,
    seed: int | None,
    keep: str | Sequence[str],
    callback: Callable[[Iterate], Any] | None,
    progress: bool | None,
    expected: int | None,
    tol: float | None = None,
) -> History:
    """The history of a method run to its end."""
    keep = (keep,) if isinstance(keep, str) else tuple(keep)
    settings = {**info.defaults(), **hyper, **({"seed": seed} if _draws(info) else {})}
    history = History(info.name, settings, ledger.name, ledger.x.shape[-1], ledger.f_star)
    history.tol, history._problem = tol, ledger.problem
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    run(
        iterates, ledger, stop=any_of(*rules, *([] if stop is None else [stop])), history=history, keep=keep,
        callback=callback, progress=expected if progress else None,
    )  # fmt: skip
    unseen = [name for name in keep if len(history) > 1 and name not in history.names]
    if unseen:
        warnings.warn(
            f"keep: {history.method} has no {', '.join(unseen)}; on record are {', '.join(history.names)}",
            stacklevel=3,
        )
    return history


def _generator(seed: Any) -> np.random.Generator:
    if not (seed is None or isinstance(seed, (int, np.integer))) or isinstance(seed, bool) or (seed or 0) < 0:
        raise ValueError(f"seed must be a whole number, at least 0, or None; got {seed!r}")
    return np.random.default_rng(seed)


def _number(name: str, value: Any, low: float, whole: bool = False) -> float:
    good = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool) and value >= low
    if not good or (whole and value % 1 != 0):
        raise ValueError(f"{name} must be a {'whole ' if whole else ''}number of at least {low:g}; got {value!r}")
    return value


class Comparison(dict[str, History]):
    """Histories by label, from :func:`compare`."""

    def plot(self, x: str = "step", y: str | None = None) -> Any:
        """One picture of them all; see :func:`secondorder.plots.convergence`, for particles :func:`secondorder.plots.cloud`."""
        from secondorder.plots import picture

        return picture(self, x=x, y=y)

    def to_frame(self) -> Any:
        """One line a method: status, steps, final value, gradient norm and Frank–Wolfe gap if any has one, oracle calls,
        seconds. Of a sampler the particles and, where the law can be drawn from, their sliced Wasserstein distance to it,
        beside its floor, instead of value and gradient."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install 'secondorder[lab]'") from error
        return pandas.DataFrame(self.table()).T

    def table(self) -> dict[str, dict[str, Any]]:
        """What :meth:`to_frame` shows, as plain dictionaries."""
        called = [name for name in ORACLES if any(h.oracle.get(name) for h in self.values())]
        certified = any("gap" in h.names for h in self.values())
        table = {}
        for label, h in self.items():
            if h.particles:
                found = {"particles": h.particles, **_distance(h)}
            else:
                gap = {"gap": _last(h["gap"]) if "gap" in h.names else math.nan} if certified else {}
                found = {"f": _last(h.f), "grad_norm": _last(h.grad_norm), **gap}
            table[label] = {
                "status": h.status, "steps": max(len(h) - 1, 0), **found,
                **{f"{name}_calls": h.oracle.get(name, 0) for name in called},
                "gradient-equivalents": _last(h.cost()), "seconds": _last(h.seconds),
            }  # fmt: skip
        return table

    def _repr_html_(self) -> str:
        from secondorder.plots import html

        return html(self)


def _distance(history: History) -> dict[str, float]:
    """The sliced Wasserstein distance and its floor, where there are exact draws or it is on record."""
    if history._optimality is None and (history._problem is None or not hasattr(history._problem, "sample")):
        return {}
    names = ("sliced_wasserstein", "sliced_wasserstein_floor")
    return {name: history.optimality[name] for name in names if name in history.optimality}


def _last(column: np.ndarray) -> float:
    return float(column[-1]) if len(column) else math.nan


def compare(
    problem: Problem,
    methods: Sequence[str | Callable[..., Any]] | Mapping[str, Any],
    x0: Any = None,
    **options: Any,
) -> Comparison:
    """Run several methods from one start: optimisers with :func:`minimize`, samplers with :func:`sample`.

    Parameters
    ----------
    problem : Problem
    methods : list of names or functions; or a mapping from labels to a method or ``(method, hyper-parameters)``
        ``{"m = 5": ("lazy_newton", {"period": 5}), "m = 50": ("lazy_newton", {"period": 50})}``. All of one kind.
    x0, **options
        As for :func:`minimize`, or for :func:`sample`, whose particles are ``x0`` or ``x``; without them every sampler draws
        its own start, from the same seed.

    >>> import secondorder as so
    >>> runs = so.compare(so.problems.rosenbrock(), ["newton", "cubic_newton"])
    >>> [h.status for h in runs.values()]
    ['converged', 'converged']
    """
    if isinstance(methods, str) or callable(methods):
        raise TypeError(f"methods must be a list of names or functions, or a mapping from labels; got {methods!r}")
    if not isinstance(methods, Mapping):
        names = [find(m).method.name for m in methods]  # type: ignore[attr-defined]
        if len(set(names)) < len(names):
            raise ValueError(f"methods must differ in name; got {names}. Label them: {{'label': (method, {{...}})}}")
        methods = dict(zip(names, methods, strict=True))
    given = {label: each if isinstance(each, tuple) else (each, {}) for label, each in methods.items()}
    kinds = {find(m).method.kind for m, _ in given.values()}  # type: ignore[attr-defined]
    if len(kinds) > 1:
        raise ValueError("methods must be all optimisers or all samplers: what they find cannot be compared")
    if kinds == {"sampler"} and x0 is None:
        x0 = options.pop("x", None)
    go: Callable[..., History] = sample if kinds == {"sampler"} else minimize
    runs = Comparison()
    for label, (m, hyper) in given.items():
        runs[label] = go(problem, m, x0, **{**options, **hyper})
        if runs[label].status == "interrupted":
            break
    return runs
