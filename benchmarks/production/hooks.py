"""K-FAC as hooks on a torch module see its factors, with the scalings that are met: worked examples of their effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.linalg import block_diag

from production.curvature import judged, twin
from production.records import Case


def from_hooks(reduction: str, scale: Callable[[int], float]) -> np.ndarray:
    """kron(G, A) of each layer, G the second moment of what comes back from this loss, times a scale; biases last."""
    model, _, _, [(inputs, targets)] = twin("softmax")
    seen: dict[Any, dict[str, torch.Tensor]] = {model[0]: {}, model[2]: {}}
    hooks = []
    for layer, told in seen.items():
        hooks.append(layer.register_forward_pre_hook(lambda _, given, told=told: told.update(a=given[0].detach())))
        hooks.append(layer.register_full_backward_hook(lambda *found, told=told: told.update(g=found[2][0].detach())))
    torch.nn.CrossEntropyLoss(reduction=reduction)(model(inputs.clone().requires_grad_()), targets).backward()
    for hook in hooks:
        hook.remove()
    model.zero_grad()
    blocks = []
    for told in seen.values():
        a, g = told["a"].numpy(), told["g"].numpy()
        n = len(a)
        a = np.hstack([a, np.ones((n, 1))])
        block = np.kron(g.T @ g * scale(n), a.T @ a / n)
        rows = np.arange(len(block)).reshape(g.shape[1], a.shape[1])
        order = np.append(rows[:, :-1], rows[:, -1])
        blocks.append(block[np.ix_(order, order)])
    return block_diag(*blocks)


def cases() -> list[Case]:
    """The right scale first."""
    told = {
        "the sum of the losses, G = g'g/N": ("sum", lambda n: 1.0 / n),
        "the mean loss, G = N g'g": ("mean", float),
        "the mean loss, G = g'g": ("mean", lambda n: 1.0),
        "the mean loss, G = g'g/N": ("mean", lambda n: 1.0 / n),
        "the sum of the losses, G = g'g": ("sum", lambda n: 1.0),
    }
    return [
        Case(
            f"K-FAC from hooks, signals of {words}",
            "operators: empirical_kfac",
            "worked example: every entry of the matrix, float64",
            lambda reduction=reduction, scale=scale: judged(from_hooks(reduction, scale), "empirical_kfac"),
        )
        for words, (reduction, scale) in told.items()
    ]
