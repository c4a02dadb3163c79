"""The arithmetic of the released LML schedulers, written out here from its formula: their code is not run."""

from __future__ import annotations

from typing import Any

import numpy as np

from production.records import Case, of_report
from secondorder.run import Iterate
from secondorder.schedules import noise_grid
from secondorder.validate import Candidate, check_sampler

RHO = 0.7


def sampler(base: str, kappa: float, dtype: str = "float64") -> Candidate:
    """One particle at a time: damp the direction by what it shares with the last one, restore its length."""

    def turned(e: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        p = e if before is None else kappa * before + (1.0 - kappa) * e
        inverse = (np.eye(len(e), dtype=dtype) - np.outer(p, p) / (RHO + p @ p)) / RHO
        v = inverse @ e
        return v * np.linalg.norm(e) / np.linalg.norm(v)

    def iterates(problem: Any, x: Any, grid: Any) -> Any:
        yield Iterate(x)
        before: list[Any] = [None] * len(x)
        for s, t in grid.steps:
            noise = (-s.sigma * problem.score(x, alpha=s.alpha, sigma=s.sigma)).astype(dtype)
            data = (x.astype(dtype) - s.sigma * noise) / s.alpha
            e = noise if base == "ddim" else noise - data
            corrected = np.stack([turned(*pair) for pair in zip(e, before, strict=True)])
            before = list(e)
            x = t.alpha * data + t.sigma * corrected if base == "ddim" else x + (t.sigma - s.sigma) * corrected
            x = x.astype(np.float64)
            yield Iterate(x)
        return "finished"

    return Candidate(f"LML on {base}", iterates, float(np.finfo(dtype).eps))


def held(base: str, kappa: float) -> dict[str, Any]:
    """Against ``lml`` with the same constants."""
    grid = {"grid": noise_grid(20, "flow")} if base == "flow" else {}
    report = check_sampler(sampler(base, kappa), "lml", base=base, kappa=kappa, rho=RHO, **grid)
    return {**of_report(report), **SOURCE}


def plain() -> dict[str, Any]:
    """With kappa = 0 against DDIM, in double and single precision."""
    double = check_sampler(sampler("ddim", 0.0), "ddim")
    single = check_sampler(sampler("ddim", 0.0, "float32"), "ddim")
    found = {**of_report(double), **SOURCE}
    assert single.free is not None
    residue = float(single.free[-1])
    found["evidence"] = {**found["evidence"], "float32": residue}
    found["words"] += (
        f"; with kappa = 0 the correction is the identity: in float32 the particles end {residue:.1e} apart"
    )
    return found


SOURCE = {"package": "LML schedulers (formula written out)", "version": "as published"}


def cases() -> list[Case]:
    """The published default, kappa = 0, and a correction that does something."""
    how = "20 steps, every particle, float64; a transcription of the formula, not the released code"
    return [
        Case("LML on DDIM, kappa=0", "ddim", how, plain),
        Case("LML on DDIM, kappa=0.2", "lml", how, lambda: held("ddim", 0.2)),
        Case("LML on a flow, kappa=0.2", "lml", how, lambda: held("flow", 0.2)),
    ]
