"""Levenberg–Marquardt–Langevin sampling: the direction of a sampler, turned by a damped inverse made of directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from secondorder.arrays import Array
from secondorder.catalogue import Interval, count, method, positive
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.sampling.corrections import extrapolated, from_ensemble, from_memory, levenberg_marquardt
from secondorder.sampling.multistep import Prediction, multistep_increment, step_orders
from secondorder.sampling.predictions import predictions
from secondorder.schedules import Level, NoiseGrid

Base = Literal["dpm_solver", "ddim", "flow"]
Form = Literal["published", "extrapolation", "memory", "ensemble"]
Where = Literal["direction", "all"]


@method(
    paper="wang2025lml",
    needs=("score",),
    kind="sampler",
    grid=("vp", "log_snr"),
    variants={
        "extrapolation": {"form": "extrapolation"},
        "memory": {"form": "memory", "base": "ddim", "where": "all"},
        "ensemble": {"form": "ensemble", "base": "ddim"},
    },
)
def lml(
    problem: Ledger,
    x: Array,
    *,
    grid: NoiseGrid,
    base: Base = "dpm_solver",
    order: Annotated[int, Interval(1, 3, "[", "]")] = 3,
    prediction: Prediction = "noise",
    where: Where = "direction",
    form: Form = "published",
    rho: positive = 1.0,
    kappa: float = 0.0,
    c: float = 0.1,
    memory: count = 2,
) -> Iterates:
    r"""Levenberg–Marquardt–Langevin: a deterministic sampler whose direction is corrected at every step.

    Reference: :cite:`wang2025lml`, as its released code has it. A base sampler goes from the level s to the next level t by
    adding a multiple of a direction e; the code puts :math:`\tilde e` in its place,

    .. math::

        p=\kappa\,e_{\rm previous}+(1-\kappa)e,\qquad v=e-\frac{\langle e,p\rangle}{\rho+\|p\|^2}\,p,\qquad
        \tilde e=\frac{\|e\|}{\|v\|}\,v .

    Parameters
    ----------
    problem : Problem
        Offers ``score``.
    x : array (n, d)
        The particles at the first level.
    grid : NoiseGrid
        The noise levels, by default 20 steps of the variance-preserving schedule, even in :math:`\log(\alpha/\sigma)`.
    base : {"dpm_solver", "ddim", "flow"}, default "dpm_solver"
        What is corrected. ``"dpm_solver"``: e is all that a multistep solver adds to the linear part of its step, see
        :func:`~secondorder.sampling.multistep.multistep_increment`. ``"ddim"``: e is the predicted noise. ``"flow"``: e is the
        velocity :math:`\varepsilon-\hat x_0` of Euler's method, for :math:`\alpha=1-\sigma`.
    order : int from 1 to 3, default 3
        Of ``"dpm_solver"``.
    prediction : {"noise", "data"}, default "noise"
        Of ``"dpm_solver"``: the exponential solver for noise, or for data ("++").
    where : {"direction", "all"}, default "direction"
        Of ``"ddim"``: whether :math:`\tilde e` replaces the noise only on the way back up, as in
        :math:`x_t=\alpha_t\hat x_0+\sigma_t\tilde e`, the published form, or in :math:`\hat x_0` as well.
    form : {"published", "extrapolation", "memory", "ensemble"}, default "published"
        Which of the :mod:`~secondorder.sampling.corrections`: as above; the extrapolation that it amounts to, with ``c`` in
        place of ``rho`` and ``kappa``; from the last ``memory`` directions; from those of all particles.
    rho : float > 0, default 1
        :math:`\rho`, the damping, in units of :math:`\|e\|^2`.
    kappa : float, default 0
        :math:`\kappa`, the share of the direction before. With 0, the default of the code, :math:`\tilde e=e` up to rounding.
    c : float, default 0.1
        Of the extrapolation :math:`e+c\,(e-e_{\rm previous})_\perp`; for small :math:`\kappa` it is :math:`\kappa\|e\|^2/\rho`.
    memory : int, default 2
        How many directions the form ``"memory"`` keeps.

    Yields
    ------
    Iterate
        ``alpha`` and ``sigma`` of the particles; ``direction`` and ``corrected``, the :math:`e` and :math:`\tilde e` that led
        there.

    Guarantee: for :math:`\kappa=0` and ``memory=1``, that of the base. Otherwise none; with ``base="ddim"`` and
    ``where="direction"`` a fixed c leaves an error of order c however fine the grid, elsewhere one of c times
    the step.
    Cost: one score a step, four inner products and two sums of vectors; the ensemble solves a d × d system.

    Departures: the previous direction is forgotten when a run begins (the code keeps it with the object), data are not
    clipped, and where v = 0 the direction stays. The code runs on whole times of a discrete schedule, and its flow sampler
    gets the velocity from the network.

    >>> import secondorder as so
    >>> mixture = so.problems.gaussian_mixture()
    >>> plain, damped = (so.sample(mixture, "ddim"), so.sample(mixture, "lml", base="ddim", rho=1e-3))
    >>> so.distances.coupled_rmse(plain.x, damped.x) < 1e-8             # kappa = 0: DDIM, whatever rho
    True
    """
    if base == "flow" and any(abs(level.alpha + level.sigma - 1.0) > 1e-6 for level in grid.levels):
        raise ValueError('base="flow" needs alpha + sigma = 1 at every level: give schedule="flow"')
    yield Iterate(x, **grid.levels[0]._asdict())
    past: list[Array] = []
    levels: list[Level] = []
    directions: list[Array] = []
    for (s, t), now in zip(grid.steps, step_orders(len(grid.steps), order), strict=True):
        noise, data = predictions(problem, x, s)
        if base == "dpm_solver":
            past, levels = [noise if prediction == "noise" else data, *past][:now], [s, *levels][:now]
            kept, scale = (t.alpha / s.alpha if prediction == "noise" else t.sigma / s.sigma) * x, 1.0
            direction = multistep_increment(past, levels, t, prediction)
        elif base == "flow":
            kept, scale, direction = x, t.sigma - s.sigma, noise - data
        elif where == "all":
            kept, scale, direction = t.alpha / s.alpha * x, t.alpha * (t.ratio - s.ratio), noise
        else:
            kept, scale, direction = t.alpha * data, t.sigma, noise
        directions = [direction, *directions][: max(memory, 2)]
        corrected = _corrected(form, directions, rho, kappa, c, memory)
        x = kept + scale * corrected
        yield Iterate(x, **t._asdict(), direction=direction, corrected=corrected)
    return "finished"


def _corrected(form: Form, directions: Sequence[Array], rho: float, kappa: float, c: float, memory: int) -> Array:
    direction, previous = directions[0], directions[1] if len(directions) > 1 else None
    if form == "published":
        return levenberg_marquardt(direction, previous, rho, kappa)
    if form == "extrapolation":
        return extrapolated(direction, previous, c)
    return from_memory(directions[:memory], rho) if form == "memory" else from_ensemble(direction, rho)
