"""The schedulers of diffusers on a mixture whose score is exact."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from diffusers import schedulers

import secondorder as so
from production.records import Case, of_report
from secondorder.validate import check, check_sampler, from_scheduler, record

BETAS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
STEPS = 25
"""It and its double and fourfold divide the 1000 timesteps."""

UNEVEN = 30


def scheduler_case(name: str, method: str, hyper: dict[str, Any], note: str = "", **options: Any) -> Case:
    """One scheduler, on noise levels of its own."""
    make = functools.partial(getattr(schedulers, name), **BETAS, **options)

    def run() -> dict[str, Any]:
        report = check_sampler(lambda steps: from_scheduler(make, steps, name=name), method, steps=STEPS, **hyper)
        found = of_report(report)
        if report.free is not None:
            found["evidence"]["free"] = float(report.free[-1])
            found["words"] += f"; running free the particles end {report.free[-1]:.1e} apart"
        return found

    told = ", ".join(f"{option}={value!r}" for option, value in options.items())
    how = f"{STEPS} steps, every particle, float32; order of convergence, distance to the law, last step"
    return Case(f"diffusers.{name}({told})", method, how, run, note)


def uneven() -> dict[str, Any]:
    """DDIM with trailing timesteps whose number does not divide 1000: where does a step go?"""
    make = functools.partial(schedulers.DDIMScheduler, **BETAS, clip_sample=False, timestep_spacing="trailing")
    candidate, grid = from_scheduler(make, UNEVEN, name="DDIMScheduler")
    law = so.problems.gaussian_mixture()
    report = check(candidate, "ddim", law, grid=grid, probes=False, diagnose=False)
    scheduler = make()
    scheduler.set_timesteps(UNEVEN)
    alpha_bar = scheduler.alphas_cumprod.double().numpy()
    start = np.random.default_rng(0).standard_normal((50, 2))
    theirs = record(candidate, law, start, steps=UNEVEN, particles=True).rows[-1].x
    x = start
    for t in scheduler.timesteps.tolist():
        later = t - 1000 // UNEVEN
        (s, n), (s_next, n_next) = (
            (float(a) ** 0.5, (1.0 - float(a)) ** 0.5) for a in (alpha_bar[t], alpha_bar[later] if later >= 0 else 1.0)
        )
        noise = -n * law.score(x, alpha=s, sigma=n)
        x = s_next * (x - n * noise) / s + n_next * noise
    apart = float(np.max(np.abs(x - theirs)) / np.max(np.abs(theirs)))
    found = of_report(report)
    if not report.agrees and apart < 1e-5:
        found["verdict"] = "departs"
        found["words"] += (
            f"; a step goes to the noise level of timestep t - 1000 // {UNEVEN}, while the next step begins at the rounded "
            f"1000 - 1000 k/{UNEVEN}: with that, particles end {apart:.1e} apart"
        )
        found["explanation"] = [f"steps land at t - 1000 // {UNEVEN}"]
    return found


def cases() -> list[Case]:
    """DDIM, Heun and the multistep solvers."""
    found = [
        scheduler_case("DDIMScheduler", "ddim", {}, clip_sample=False, timestep_spacing=spacing)
        for spacing in ("leading", "trailing")
    ]
    name = f"diffusers.DDIMScheduler(clip_sample=False, timestep_spacing='trailing'), {UNEVEN} steps"
    found.append(Case(name, "ddim", f"{UNEVEN} steps led along, a number that does not divide 1000; float32", uneven))
    found.append(scheduler_case("HeunDiscreteScheduler", "probability_flow", {}))
    found += [
        scheduler_case(
            "DPMSolverMultistepScheduler",
            "dpm_solver",
            {"order": order, "prediction": prediction},
            algorithm_type=algorithm,
            solver_order=order,
            final_sigmas_type=last,
        )
        for algorithm, prediction, last in (("dpmsolver++", "data", "zero"), ("dpmsolver", "noise", "sigma_min"))
        for order in (1, 2, 3)
    ]
    return found
