"""Diffusion samplers of other libraries, on a law whose score is known."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from secondorder import problems
from secondorder.arrays import Array
from secondorder.catalogue import find
from secondorder.distances import draws, floor, median_row_error, sliced_wasserstein
from secondorder.ledger import a_problem
from secondorder.oracles import Problem
from secondorder.schedules import Level, NoiseGrid, noise_grid
from secondorder.validate.adapters import as_candidate
from secondorder.validate.problems import cloud
from secondorder.validate.recording import EVERY_LEVEL, Candidate, Recording, accepted, record
from secondorder.validate.verdict import Finding, Report, check

PARTICLES = 400
"""Of the cloud, unless another is given."""
FINE = 600
"""Steps of Heun's method that stand for the exact flow."""
SLACK = 0.3
"""A measured order so much below the reference's is lower."""


def check_sampler(
    candidate: Any,
    method: str | Callable[..., Any] = "ddim",
    law: Problem | None = None,
    x0: Any = None,
    *,
    steps: int = 20,
    grid: NoiseGrid | None = None,
    seed: int = 0,
    tolerance: float | None = None,
    diagnose: bool = True,
    **hyper: Any,
) -> Report:
    r"""Hold a diffusion sampler against the reference where nothing has to be learnt: on a mixture with an exact score.

    The trajectories are compared as :func:`check` does. What does not depend on their agreeing becomes ``findings``:

    - *order of convergence*: the slope of the error against the number of steps, beside the reference's;
    - *distance to the law*: sliced Wasserstein distance of the final particles to as many exact draws, beside the
      reference's, and beside what chance makes of it;
    - *last step*: whether a grid that ends at :math:`\sigma=0` leads to the predicted data
      :math:`(x+\sigma^2\nabla\log p)/\alpha` of the last point the score was asked at, as the reference does;
    - *randomness*: the same particles for the same seed, and for two seeds if the reference has them.

    Parameters
    ----------
    candidate : Candidate, method, generator function, or function of the number of steps
        The last gives a candidate and the noise levels it walks through, as
        ``lambda steps: from_scheduler(make, steps)`` does: for schedulers with noise levels of their own.
    method : str or function, default "ddim"
        The reference, a sampler.
    law : Problem, optional
        By default :func:`secondorder.problems.gaussian_mixture`.
    x0 : array (n, d), optional
        The particles; by default 400 exact draws at the first noise level.
    steps : int, default 20
    grid : NoiseGrid, optional
        For a candidate that takes one; by default that of the method with so many steps. With it the order is not measured.
    seed : int, default 0
    tolerance : float, optional
        Relative, as in :func:`check`.
    diagnose : bool, default True
        Search for what explains a difference of the trajectories.
    **hyper
        Hyper-parameters of the reference: what the candidate claims to use.

    Returns
    -------
    Report
        As of :func:`check`, with ``findings``; also for a candidate that raises or returns NaN.

    Raises ``TypeError`` or ``ValueError`` for a method that is no sampler, or a candidate that is none.

    Cost: about 20 times the steps, twice; a second or two.

    >>> import secondorder as so
    >>> report = check_sampler(so.sampling.probability_flow, "probability_flow", solver="euler", steps=10)
    >>> report.agrees, [finding.name for finding in report.findings if finding.passed is False]
    (False, [])
    >>> check_sampler(so.sampling.ddim, "ddim", steps=10).agrees
    True
    """
    function = find(method)
    info = function.method  # type: ignore[attr-defined]
    if info.kind != "sampler":
        raise TypeError(f"method must be a sampler; {info.name} is an {info.kind}")
    hyper = info.check(hyper)
    law = problems.gaussian_mixture() if law is None else a_problem(law)
    if grid is not None and not isinstance(grid, NoiseGrid):
        raise TypeError(f"grid must be a NoiseGrid; got {type(grid).__name__}")
    make = _maker(candidate, info, grid)
    made, levels = make(steps)
    if x0 is None:
        x0 = _start(law, levels, seed)
    report = check(
        made, method, law, x0, steps=steps, seed=seed, tolerance=tolerance, grid=levels, diagnose=diagnose, **hyper
    )
    if report.failure:
        return report
    trial = Trial(law, np.asarray(x0), steps, seed)
    reference = Candidate(info.name, functools.partial(function, **hyper))
    random = not np.array_equal(*(trial.end(reference, levels, seed + k) for k in (0, 1)))
    looks: dict[str, Callable[[], Finding | None]] = {}
    if levels is not None and grid is None and not random:
        looks["order of convergence"] = lambda: _order(trial, make, reference)
    looks["distance to the law"] = lambda: _distance(trial, made, reference, levels)
    looks["randomness"] = lambda: _randomness(trial, made, levels, random)
    if levels is not None:
        looks["last step"] = lambda: _last_step(trial, made, reference, levels)
    return replace(report, findings=(*report.findings, *_seen(looks)))


class Broken(Exception):
    """A candidate went wrong in a run."""


def _seen(looks: Mapping[str, Callable[[], Finding | None]]) -> Iterator[Finding]:
    for name, look in looks.items():
        try:
            found = look()
        except Broken as broken:
            found = Finding(name, False, f"it broke down at {broken}")
        if found is not None:
            yield found


@dataclass(frozen=True)
class Trial:
    """What both are run on."""

    law: Problem
    x0: Array
    steps: int
    seed: int

    def run(self, candidate: Candidate, levels: NoiseGrid | None, seed: int | None = None) -> Recording:
        """A run from the common particles, along all noise levels if there are any."""
        recording = record(
            candidate,
            self.law,
            self.x0,
            steps=self.steps if levels is None else EVERY_LEVEL,
            seed=self.seed if seed is None else seed,
            grid=levels,
            particles=True,
        )
        if recording.failure:
            raise Broken(recording.failure)
        return recording

    def end(self, candidate: Candidate, levels: NoiseGrid | None, seed: int | None = None) -> Array:
        """Where the particles are in the end."""
        return np.asarray(self.run(candidate, levels, seed).rows[-1].x)


def _maker(candidate: Any, info: Any, grid: NoiseGrid | None) -> Callable[[int], tuple[Candidate, NoiseGrid | None]]:
    plain = inspect.isfunction(candidate) and not inspect.isgeneratorfunction(candidate)
    if plain and not hasattr(candidate, "method"):
        if grid is not None:
            raise ValueError("grid must not be given with a function of the number of steps, which gives its own")
        return candidate
    known = as_candidate(candidate)
    if isinstance(known, Recording):
        raise TypeError("candidate must be one that can be run again; a recorded run is for check")

    def make(steps: int) -> tuple[Candidate, NoiseGrid | None]:
        own = noise_grid(steps, *info.grid) if grid is None and info.grid is not None else grid
        return known, own

    return make


def _start(law: Problem, levels: NoiseGrid | None, seed: int) -> Array:
    """Exact draws at the first noise level; normal numbers where there are none."""
    exact = None if levels is None else draws(law, PARTICLES, np.random.default_rng(seed), *levels.levels[0])
    return cloud(law, levels, PARTICLES, seed) if exact is None else np.asarray(exact)


def exact_flow(law: Problem, x0: Array, first: Level, last: Level) -> Array:
    r"""Where the probability flow takes the particles from one noise level to another, by Heun's method in many steps.

    Steps are even in :math:`\log(\sigma/\alpha)`, and so is the way down to where :math:`\sigma/\alpha` is 1e-5 before it ends
    at 0. The levels between have :math:`\alpha` interpolated, which the flow in :math:`x/\alpha` does not depend on.
    """
    from secondorder.sampling.probability_flow import probability_flow

    ratios = np.geomspace(first.ratio, last.ratio if last.sigma > 0.0 else 1e-5, FINE + 1)
    alphas = np.linspace(first.alpha, last.alpha, FINE + 1)
    levels = [(alpha, alpha * ratio) for alpha, ratio in zip(alphas, ratios, strict=True)]
    fine = NoiseGrid([*levels, (last.alpha, 0.0)] if last.sigma == 0.0 else levels)
    run = record(Candidate("flow", probability_flow), law, x0, steps=EVERY_LEVEL, grid=fine, particles=True)
    return np.asarray(run.rows[-1].x)


def _order(
    trial: Trial, make: Callable[[int], tuple[Candidate, NoiseGrid | None]], reference: Candidate
) -> Finding | None:
    errors: dict[str, list[float]] = {"candidate": [], "reference": []}
    exact: dict[tuple[Level, Level], Array] = {}
    for steps in (trial.steps, 2 * trial.steps, 4 * trial.steps):
        candidate, levels = make(steps)
        assert levels is not None
        ends = levels.levels[0], levels.levels[-1]
        if ends not in exact:
            exact[ends] = exact_flow(trial.law, trial.x0, *ends)
        for name, each in (("candidate", candidate), ("reference", reference)):
            errors[name].append(median_row_error(trial.end(each, levels), exact[ends]))
    if not all(error > 0.0 for error in errors["candidate"]) or errors["candidate"][-1] < 1e-5:
        return None
    theirs, ours = (math.log2(errors[name][-2] / errors[name][-1]) for name in errors)
    falling = ", ".join(f"{error:.1e}" for error in errors["candidate"])
    return Finding(
        "order of convergence",
        theirs >= ours - SLACK,
        f"the error falls as {falling} for {trial.steps}, {2 * trial.steps} and {4 * trial.steps} steps, with order "
        f"{theirs:.2f}; that of the reference with {ours:.2f}",
        {"order": theirs, "reference": ours, "errors": errors["candidate"], "reference_errors": errors["reference"]},
    )


def _distance(trial: Trial, candidate: Candidate, reference: Candidate, levels: NoiseGrid | None) -> Finding | None:
    last = Level(1.0, 0.0) if levels is None else levels.levels[-1]
    exact = draws(trial.law, len(trial.x0), np.random.default_rng(trial.seed + 1), *last)
    if exact is None:
        return None
    theirs, ours = (sliced_wasserstein(trial.end(each, levels), exact) for each in (candidate, reference))
    chance = floor(sliced_wasserstein, trial.law, len(trial.x0), alpha=last.alpha, sigma=last.sigma)
    return Finding(
        "distance to the law",
        theirs <= ours + chance,
        f"sliced Wasserstein {theirs:.2g} to exact draws; the reference {ours:.2g}, two exact samples {chance:.2g}",
        {"distance": theirs, "reference": ours, "floor": chance},
    )


def _randomness(trial: Trial, candidate: Candidate, levels: NoiseGrid | None, random: bool) -> Finding:
    first, again, other = (trial.end(candidate, levels, trial.seed + k) for k in (0, 0, 1))
    repeats, differs = np.array_equal(first, again), not np.array_equal(first, other)
    words = "the same particles for the same seed" if repeats else "other particles each time, for the same seed"
    words += (
        f", and {'others' if differs else 'the same'} for another; the reference is {'random' if random else 'not'}"
    )
    return Finding("randomness", repeats and differs == random, words, {"repeats": repeats, "random": differs})


def _last_step(trial: Trial, candidate: Candidate, reference: Candidate, levels: NoiseGrid) -> Finding | None:
    """Only on levels that end at sigma = 0: those given, or some that do for a candidate that takes any."""
    if levels.levels[-1].sigma > 0.0:
        if not accepted(candidate.iterates, {"grid": levels}):
            return None
        levels = NoiseGrid([*levels.levels[:-1], (1.0, 0.0)])
    theirs, ours = (_from_data(trial.run(each, levels)) for each in (candidate, reference))
    if theirs is None or ours is None:
        return None
    unit = 1e4 * candidate.epsilon
    return Finding(
        "last step",
        theirs <= max(unit, 1.01 * ours),
        f"on levels that end at sigma = 0 it ends {theirs:.1e} from the predicted data, relative to their size; the "
        f"reference {ours:.1e}",
        {"error": theirs, "reference": ours},
    )


def _from_data(recording: Recording) -> float | None:
    """How far the particles end from the data predicted at the last point the score was asked at."""
    asked = [query for queries in recording.queries for query in queries if query.oracle == "score"]
    if not asked:
        return None
    last = asked[-1]
    levels = {**dict(zip(("alpha", "sigma"), last.arguments[1:], strict=False)), **last.options}
    data = (last.arguments[0] + levels["sigma"] ** 2 * last.answer) / levels["alpha"]
    return float(np.max(np.abs(recording.rows[-1].x - data)) / np.max(np.abs(data)))
