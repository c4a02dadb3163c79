"""curvlinops' operators on the network of this library, and K-FAC as it is made from hooks on the mean loss."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

import secondorder as so
from production.records import Case
from secondorder.validate import OperatorReport, check_operator

ORDER = "weights, bias"
SEEDS = range(20)


@functools.cache
def network(loss: str) -> tuple[Any, np.ndarray]:
    """3 inputs, 4 hidden units, 3 outputs; 24 examples; away from biases of 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((24, 3))
    Y = X @ rng.standard_normal((3, 3))
    problem = so.problems.mlp((X, np.argmax(Y, axis=1) if loss == "softmax" else Y), [3, 4, 3], loss=loss)
    return problem, problem.x0 + 0.3 * np.random.default_rng(1).standard_normal(problem.x0.shape)


@functools.cache
def twin(loss: str) -> tuple[Any, Any, list[Any], list[Any]]:
    """The same network in torch: itself, its loss, its parameters, its data."""
    problem, x = network(loss)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)).double()
    with torch.no_grad():
        for layer, W in zip((model[0], model[2]), problem.split(x), strict=True):
            layer.weight.copy_(torch.tensor(W[:, :-1]))
            layer.bias.copy_(torch.tensor(W[:, -1]))
    targets = torch.tensor(np.argmax(problem.Y, axis=1) if loss == "softmax" else problem.Y)
    criterion = torch.nn.CrossEntropyLoss() if loss == "softmax" else torch.nn.MSELoss()
    return model, criterion, list(model.parameters()), [(torch.tensor(problem.X), targets)]


def judged(operator: Any, kind: str, loss: str = "softmax") -> dict[str, Any]:
    """The fields of the record."""
    problem, x = network(loss)
    return fields(check_operator(operator, kind, problem, x, order=ORDER))


def fields(report: OperatorReport) -> dict[str, Any]:
    """Of a report those that a record has."""
    plain = report.to_dict()
    verdict = "agrees" if report.agrees else "departs" if report.explanation else "differs, unexplained"
    return {
        "verdict": verdict,
        "words": report.verdict,
        "evidence": {"error": plain["error"], "tolerance": plain["tolerance"], "findings": plain["findings"]},
        "explanation": list(report.explanation) or None,
        "worst": None if report.kind.startswith("monte_carlo") else plain["error"],
        "problem": f"{report.problem}, {report.d} parameters",
    }


def curvlinops_case(name: str, kind: str, loss: str = "softmax", note: str = "", **options: Any) -> Case:
    """One operator of curvlinops; of a Monte-Carlo kind one for each seed."""

    def run() -> dict[str, Any]:
        import curvlinops

        make = functools.partial(getattr(curvlinops, name), *twin(loss), **options)
        if kind.startswith("monte_carlo"):
            return judged([make(seed=seed).to_scipy() for seed in SEEDS], kind, loss)
        return judged(make().to_scipy(), kind, loss)

    told = ", ".join([f"{option}={value!r}" for option, value in options.items()] + ["MSELoss"] * (loss == "squared"))
    draws = f", {len(SEEDS)} seeds" if kind.startswith("monte_carlo") else ""
    how = f"every entry of the matrix, from products with the unit vectors, float64{draws}"
    return Case(f"curvlinops.{name}{f' ({told})' if told else ''}", f"operators: {kind}", how, run, note)


def cases() -> list[Case]:
    """Each operator as its documentation has it, and K-FAC and EK-FAC with their options."""
    apart = "treating weights and biases apart is the default, and an option"
    squared = "the loss differs by that factor, not the operator: torch's mean squared error has no 1/2 and is a mean"
    found = [
        curvlinops_case("HessianLinearOperator", "hessian"),
        curvlinops_case("HessianLinearOperator", "hessian", "squared", squared),
        curvlinops_case("GGNLinearOperator", "ggn"),
        curvlinops_case("GGNLinearOperator", "ggn", "squared", squared),
        curvlinops_case("EFLinearOperator", "empirical_fisher"),
        curvlinops_case("FisherMCLinearOperator", "monte_carlo_fisher"),
    ]
    for name, kind in (("KFACLinearOperator", "kfac"), ("EKFACLinearOperator", "ekfac")):
        for fisher_type, prefix in (("type-2", ""), ("mc", "monte_carlo_"), ("empirical", "empirical_")):
            joint = {"fisher_type": fisher_type, "separate_weight_and_bias": False}
            found.append(curvlinops_case(name, prefix + kind, **joint))
            if prefix != "monte_carlo_":
                found.append(curvlinops_case(name, prefix + kind, note=apart, fisher_type=fisher_type))
    joint = {"fisher_type": "forward-only", "separate_weight_and_bias": False}
    found.append(curvlinops_case("KFACLinearOperator", "kfac", **joint))
    return found
