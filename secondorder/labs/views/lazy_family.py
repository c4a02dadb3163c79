"""The picture of the chapter on all lazy and approximate Hessians. Everything in it is a run of the library."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from secondorder import problems
from secondorder.history import History
from secondorder.kronecker import kfac
from secondorder.labs.scene import Axis, Choice, Line, Panel, Rule, Scene, Slider, Text, view
from secondorder.labs.views.newton import Method, edited
from secondorder.natural import natural_gradient
from secondorder.newton import bfgs, gradient_normalized_newton, lazy_newton, lbfgs, nesterov, newton_cg, sr1
from secondorder.oracles import Problem
from secondorder.run import minimize

GOAL = 1e-6
STEPS = 20_000
CASES: dict[str, Callable[[], Problem]] = {
    "ill-scaled logistic, d = 40": problems.ill_scaled_logistic,
    "soft maximum, d = 20": problems.soft_maximum,
    "small network, d = 42": lambda: problems.mlp("two_moons", widths=[2, 8, 2], l2=1e-3),
}
NETWORK = "small network, d = 42"
PRICES = (1, 3, 10, 30, 100)
PERIODS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
TOTALS = (100, 1000, 10_000)


class Setting(NamedTuple):
    """One position of a dial."""

    label: str
    method: Method
    hyper: dict[str, Any]


def forcing(eta: float) -> Setting:
    return Setting(f"η = {eta:g}", newton_cg, {"forcing": "fixed", "forcing_term": eta})


def normalized(label: str, hessian: str) -> Setting:
    return Setting(label, gradient_normalized_newton, {"hessian": hessian})


DIALS: dict[str, list[Setting]] = {
    "period": [Setting(f"m = {m}", lazy_newton, {"period": m}) for m in PERIODS],
    "memory": [
        *(Setting(f"{pairs} pair{'s' * (pairs > 1)}", lbfgs, {"memory": pairs}) for pairs in (1, 3, 10, 30)),
        Setting("every pair, BFGS", bfgs, {}),
        Setting("every pair, SR1", sr1, {}),
    ],
    "inner accuracy": [forcing(eta) for eta in (0.99, 0.9, 0.5, 0.1, 1e-2, 1e-4, 1e-10)],
    "model of the Hessian": [
        Setting("none, Nesterov", nesterov, {}),
        Setting("Kronecker factors", kfac, {"fisher": "exact"}),
        Setting("Fisher matrix", natural_gradient, {"damping": 0.03}),
        normalized("Gauss-Newton", "gauss_newton"),
        normalized("exact", "exact"),
    ],
}
"""Each dial from its laziest position to its most diligent."""
SHORT = {"none, Nesterov": "Nesterov", "Kronecker factors": "Kronecker", "Fisher matrix": "Fisher"}
"""What is written beside a point in the place of a long label."""


def offered(case: str, setting: Setting) -> bool:
    """Whether the problem has what the setting is made from."""
    needs = set(setting.method.method.oracles(setting.hyper))  # type: ignore[attr-defined]
    return needs <= set(case_problem(case).oracles)


@functools.lru_cache(maxsize=8)
def case_problem(case: str) -> Problem:
    return CASES[case]()


@functools.lru_cache(maxsize=256)
def _run(case: str, method: Method, hyper: tuple[tuple[str, Any], ...]) -> History:
    return minimize(case_problem(case), method, tol=GOAL, steps=STEPS, **dict(hyper))


def dial_run(case: str, setting: Setting) -> History:
    """The run of a setting down to a gradient norm of ``GOAL``."""
    return _run(case, setting.method, tuple(setting.hyper.items()))


def settings(case: str, dial: str) -> list[Setting]:
    """The positions of a dial that the problem allows."""
    return [setting for setting in DIALS[dial] if offered(case, setting)]


def spent(history: History, price: float) -> tuple[float, int]:
    """Gradient-equivalents and steps (those taken back included) to the goal; infinite where it was not reached."""
    total = float(history.cost(hess=price)[-1]) if history.status == "converged" else np.inf
    return total, len(history) - 1


def cheapest(case: str, price: float) -> tuple[str, Setting, float]:
    """Dial, setting and total of the cheapest run when a Hessian costs ``price`` gradients."""
    totals = [
        (spent(dial_run(case, setting), price)[0], dial, setting) for dial in DIALS for setting in settings(case, dial)
    ]
    total, dial, setting = min(totals, key=lambda each: each[0])
    return dial, setting, total


@view(
    title="Every lazy and approximate Hessian in one plane",
    chapter="newton/lazy_family",
    methods=("lazy_newton",),
    controls=(
        Choice("dial", tuple(DIALS), "dial", "period"),
        Choice("case", tuple(CASES), "problem", "ill-scaled logistic, d = 40"),
        Slider("price", PRICES, "a Hessian costs … gradients", 30),
    ),
    presets={
        "Hessians for a song": {"price": 1},
        "Hessians at 100 gradients": {"price": 100},
        "a network": {"case": NETWORK, "dial": "model of the Hessian"},
    },
)
def laziness(
    *,
    dial: str = "period",
    case: str = "ill-scaled logistic, d = 40",
    price: int = 30,
    method: Method | None = None,
) -> Scene:
    """Cost of a step against number of steps, for every setting of four dials, and the total along one of them."""
    plane: list[Any] = [
        Line([0.5, 5e3], [total / 0.5, total / 5e3], color="muted", dash=True, width=1.0) for total in TOTALS
    ]
    plane.append(Text([0.55] * 3, (25.0, 1900.0, 19000.0), tuple(f"{total} in all" for total in TOTALS)))
    along: list[Any] = []
    for color, name in enumerate(DIALS):
        runs = [(name, settings(case, name))]
        if name == "period":
            runs += [
                (label, [each._replace(method=run) for each in DIALS[name]])
                for label, run in edited(method, lazy_newton)[1:]
            ]
        for label, positions in runs:
            paint = color if label == name else len(DIALS)
            points = [spent(dial_run(case, setting), price) for setting in positions]
            total, steps = np.asarray([p[0] for p in points]), np.asarray([p[1] for p in points])
            chosen = name == dial
            plane.append(
                Line(
                    total / steps,
                    steps,
                    label=label,
                    color=paint,
                    width=2.5 if chosen else 1.2,
                    markers=True,
                    line=name != "model of the Hessian",
                )
            )
            if chosen:
                along.append(Line(np.arange(1, len(total) + 1), total, label=label, color=paint, markers=True))
    totals = [spent(dial_run(case, setting), price)[0] for setting in settings(case, dial)]
    best, place = min(totals), int(np.argmin(totals))
    shown = range(len(totals)) if len(totals) <= 5 else sorted({0, place, len(totals) - 1})
    along.append(Text([i + 1 for i in shown], [totals[i] for i in shown],
                      tuple(SHORT.get(label, label) for label in (settings(case, dial)[i].label for i in shown))))  # fmt: skip
    where, winner, least = cheapest(case, price)
    along.append(Rule(y=least, label="the cheapest of all"))
    return Scene(
        (
            Panel(
                Axis("gradient-equivalents a step", "log", domain=(0.5, 5e2)),
                Axis("steps to a gradient norm of 1e-6", "log", domain=(2.0, 3e4)), tuple(plane), title="the plane",
            ),
            Panel(
                Axis("position of the dial: lazy … diligent", domain=(0.5, len(totals) + 1.5)),
                Axis("gradient-equivalents in all", "log", domain=(3e1, 3e4)), tuple(along), title=f"the dial: {dial}",
            ),
        ),
        _sentence(dial, case, price, settings(case, dial)[place], best, where, winner, least),
    )  # fmt: skip


def _sentence(
    dial: str, case: str, price: int, setting: Setting, best: float, where: str, winner: Setting, least: float
) -> str:
    own = f"The cheapest position of the dial “{dial}” is {setting.label}, {best:.0f} gradient-equivalents"
    if where == dial:
        rest = "; no other dial is cheaper."
    else:
        rest = f"; cheaper is the dial “{where}” at {winner.label}, {least:.0f}."
    gradients = "gradient" if price == 1 else "gradients"
    return f"{case[0].upper()}{case[1:]}, a Hessian at {price} {gradients}. {own}{rest}"
