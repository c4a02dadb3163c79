"""The one list of methods: the book's table, the command line, the tests and the explorer all read it."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np

from secondorder.ledger import Ledger
from secondorder.oracles import CLOUD, ORACLES, Problem
from secondorder.schedules import NoiseGrid, Schedule, Spacing, noise_grid

MADE_BY = {
    **dict.fromkeys(("residual", "jac"), "; for a residual, with problems.least_squares(residual, x0=...)"),
    **dict.fromkeys(("signals", "ggn_product", "output_loss"), "; for a network, with problems.mlp(...)"),
    **dict.fromkeys(
        ("lmo", "project"), ". A feasible set gives it: problem.subject_to(sets.Simplex(d)), or another of sets"
    ),
    "metric": ". Give it as Problem(..., metric=lambda v: B @ v), or take problems.logistic(...)",
    "diagonal_rank_one": ". Give it as Problem(..., diagonal_rank_one=lambda x: (D, c)), or take problems.power_of_residual()",
    **dict.fromkeys(CLOUD, ". Give it as Problem(score=..., x0=...), or take problems.gaussian_mixture()"),
}
"""Where a problem with an oracle comes from, if not from a function."""

GIVEN = (
    ". Give it as Problem(f, grad=..., hess=..., x0=...), or derive all of them with Problem.from_function(f, x0=...)"
)

FAMILIES = ("newton", "least_squares", "natural", "kronecker", "diagonal", "frank_wolfe", "sampling")
"""The family packages of :mod:`secondorder`; importing one registers its methods."""


SPECIAL = ("rng", "grid")
"""Keywords of a method that are not hyper-parameters: a random generator, and the noise levels of a sampler."""


@dataclass(frozen=True)
class Interval:
    """The domain of a number.

    >>> Interval(0.0, math.inf, "(", ")").contains(0.0), str(Interval(1, math.inf, "[", ")"))
    (False, 'in [1, inf)')
    """

    low: float
    high: float
    left: Literal["(", "["]
    right: Literal[")", "]"]

    def contains(self, value: float) -> bool:
        above = value > self.low if self.left == "(" else value >= self.low
        below = value < self.high if self.right == ")" else value <= self.high
        return above and below

    def __str__(self) -> str:
        return f"in {self.left}{self.low:g}, {self.high:g}{self.right}"


positive = Annotated[float, Interval(0.0, math.inf, "(", ")")]
unit = Annotated[float, Interval(0.0, 1.0, "[", "]")]
nonnegative = Annotated[float, Interval(0.0, math.inf, "[", ")")]
fraction = Annotated[float, Interval(0.0, 1.0, "(", ")")]
below_one = Annotated[float, Interval(0.0, 1.0, "[", ")")]
at_least_one = Annotated[float, Interval(1.0, math.inf, "[", ")")]
above_one = Annotated[float, Interval(1.0, math.inf, "(", ")")]
count = Annotated[int, Interval(1, math.inf, "[", ")")]


@dataclass(frozen=True)
class Parameter:
    """A hyper-parameter: its name, default and domain, read from the method's signature."""

    name: str
    default: Any
    kind: type
    interval: Interval | None = None
    choices: tuple[Any, ...] = ()
    optional: bool = False

    def __str__(self) -> str:
        if self.choices:
            domain = "one of " + ", ".join(map(repr, self.choices))
        else:
            domain = {int: "a whole number", float: "a number", bool: "True or False"}[self.kind]
            domain += f" {self.interval}" if self.interval else ""
        return domain + (" or None" if self.optional else "")

    def check(self, value: Any) -> Any:
        """``value`` converted to the parameter's type, or an error that says what is expected."""
        if value is None and self.optional:
            return None
        seen = value = value.item() if isinstance(value, np.generic) else value
        if self.choices:
            good = value in self.choices
        elif self.kind is bool:
            good = isinstance(value, bool)
        else:
            good = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
            if good:
                good = self.kind is float or value == int(value)
                value = self.kind(value)
            good = good and (self.interval is None or self.interval.contains(value))
        if not good:
            raise ValueError(f"{self.name} must be {self}; got {seen!r}")
        return value


@dataclass(frozen=True)
class Method:
    """What is known of a method without running it."""

    name: str
    family: str
    kind: str
    paper: str
    function: Callable[..., Any]
    needs: tuple[str, ...] | Callable[[Mapping[str, Any]], tuple[str, ...]]
    measure: str
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    grid: tuple[Schedule, Spacing] | None = None

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def defaults(self) -> dict[str, Any]:
        return {p.name: p.default for p in self.parameters}

    def oracles(self, hyper: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """The oracles needed under these hyper-parameters (by default under the defaults)."""
        return self.needs({**self.defaults(), **(hyper or {})}) if callable(self.needs) else self.needs

    def check(self, hyper: Mapping[str, Any]) -> dict[str, Any]:
        """The hyper-parameters, checked and converted; an unknown one raises TypeError."""
        known = {p.name: p for p in self.parameters}
        for name in hyper:
            if name not in known:
                raise TypeError(
                    f"{self.name} has no hyper-parameter {name!r}{nearest(name, known)}; "
                    f"it takes {', '.join(known) or 'none'}"
                )
        return {name: known[name].check(value) for name, value in hyper.items()}

    def require_kind(self, kind: str) -> None:
        """Raise unless it is an optimiser, or a sampler, as asked."""
        if self.kind != kind:
            raise ValueError(
                f"{self.name} draws samples, it does not minimise: use sample(problem, {self.name!r}, ...)"
                if kind == "optimiser"
                else f"{self.name} minimises, it draws no samples: use minimize(problem, {self.name!r}, ...)"
            )

    def require(self, ledger: Ledger, hyper: Mapping[str, Any]) -> None:
        """Raise unless the problem offers every oracle the method needs."""
        needed = self.oracles(hyper)
        constrained = ledger.constraint is not None or {"lmo", "project"} & set(ledger.oracles)
        if constrained and not {"lmo", "project"} & set(needed):
            raise ValueError(
                f"{self.name} knows no constraint, and {ledger.name!r} has one: take a method of the family frank_wolfe, "
                "such as 'away_step'"
            )
        missing = [name for name in needed if name not in ledger.oracles]
        if missing:
            raise ValueError(
                f"{self.name} needs {', '.join(needed)}; problem {ledger.name!r} offers "
                f"{', '.join(ledger.oracles) or 'none'}. Missing: "
                + "; ".join(f"{name} ({ORACLES[name]})" for name in missing)
                + ("" if set(missing) <= {"lmo", "project", *CLOUD} else GIVEN)
                + MADE_BY.get(missing[0], "")
            )


CATALOGUE: dict[str, Method] = {}


def method(
    *,
    paper: str,
    needs: tuple[str, ...] | Callable[[Mapping[str, Any]], tuple[str, ...]],
    measure: str = "grad_norm",
    kind: Literal["optimiser", "sampler"] = "optimiser",
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    grid: tuple[Schedule, Spacing] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a generator of iterates a method: named, checked, and listed if it belongs to the package.

    Parameters
    ----------
    paper : str
        The BibTeX key of the reference, in ``book/references.bib``.
    needs : tuple of str, or a function from the hyper-parameters to one
        The oracles it calls.
    measure : str, default "grad_norm"
        The quantity that ``tol`` is compared with.
    kind : {"optimiser", "sampler"}, default "optimiser"
        Whether its x is one point (d,), for :func:`minimize`, or particles (n, d), for :func:`sample`.
    variants : mapping from a name to hyper-parameters
        Documented departures from the paper, and its own named settings.
    grid : (schedule, spacing), optional
        Of a sampler that walks through noise levels, and takes them as ``grid``: those of the paper, see
        :func:`secondorder.schedules.noise_grid`.

    Hyper-parameters are keyword-only and annotated with their domain; a method that draws random numbers takes a
    NumPy ``Generator`` as ``rng``.

    The decorated function is called as ``method(problem, x0=None, **hyper)``. Arguments are checked at the call,
    before the first iterate. An edited copy in a notebook works the same and is not added to the catalogue.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        package, _, rest = (function.__module__ or "").partition(".")
        if ("grid" in inspect.signature(function).parameters) != (grid is not None):
            raise TypeError(
                f"{function.__name__} must take the keyword grid, and name its noise levels in @method(grid=...), or neither"
            )
        info = Method(
            name=function.__name__,
            family=rest.partition(".")[0] if package == "secondorder" else "",
            kind=kind,
            paper=paper,
            function=function,
            needs=needs,
            measure=measure,
            variants=variants or {},
            parameters=_parameters(function),
            grid=grid,
        )

        @functools.wraps(function)
        def checked(problem: Problem | Ledger, x0: Any = None, **hyper: Any) -> Any:
            if not isinstance(problem, Ledger):
                problem = Ledger(problem, x0, particles=kind == "sampler")
            special = {name: hyper.pop(name) for name in SPECIAL if name in hyper}
            if info.grid is not None:
                special["grid"] = _grid(special.get("grid"), info)
            hyper = info.check(hyper)
            info.require(problem, hyper)
            return function(problem, problem.x, **hyper, **special)

        checked.method = info  # type: ignore[attr-defined]
        if info.family:
            CATALOGUE[info.name] = info
        return checked

    return decorate


def _grid(grid: Any, info: Method) -> NoiseGrid:
    if grid is None:
        return noise_grid(20, *info.grid)  # type: ignore[misc]
    if not isinstance(grid, NoiseGrid):
        made = "as schedules.noise_grid(20) gives, or schedules.NoiseGrid(pairs) of alpha and sigma"
        raise TypeError(f"grid must be a NoiseGrid, {made}; got {type(grid).__name__}")
    return grid


def _parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    hints = typing.get_type_hints(function, include_extras=True)
    return tuple(
        _parameter(p.name, hints[p.name], p.default)
        for p in inspect.signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in SPECIAL
    )


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    optional = type(None) in options
    (hint,) = (o for o in options if o is not type(None))
    if typing.get_origin(hint) is Literal:
        return Parameter(name, default, str, choices=typing.get_args(hint), optional=optional)
    if typing.get_origin(hint) is Annotated:
        kind, interval = typing.get_args(hint)
        return Parameter(name, default, kind, interval=interval, optional=optional)
    return Parameter(name, default, hint, optional=optional)


def methods(family: str | None = None, kind: str | None = None) -> list[Method]:
    """All methods of the package, or those of one family or kind ("optimiser", "sampler"), in the order of the catalogue.

    >>> [m.name for m in methods("newton")][:2]
    ['gradient_descent', 'nesterov']
    """
    for name in FAMILIES:
        importlib.import_module(f"secondorder.{name}")
    if family is not None and family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}; got {family!r}")
    if kind not in (None, "optimiser", "sampler"):
        raise ValueError(f"kind must be optimiser or sampler; got {kind!r}")
    return [m for m in CATALOGUE.values() if family in (None, m.family) and kind in (None, m.kind)]


def find(name: str | Callable[..., Any]) -> Callable[..., Any]:
    """The method called ``name``; a function decorated with :func:`method` is its own answer."""
    if callable(name):
        if not hasattr(name, "method"):
            raise TypeError(
                f"{getattr(name, '__name__', name)!r} is not a method: decorate it with @secondorder.method"
            )
        return name
    known = {m.name: m for m in methods()}
    if name not in known:
        raise ValueError(f"unknown method {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    return getattr(importlib.import_module(f"secondorder.{known[name].family}"), name)


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt name, or nothing.

    >>> nearest("lazy_newtn", ["newton", "lazy_newton"])
    " (did you mean 'lazy_newton'?)"
    """
    match = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""
