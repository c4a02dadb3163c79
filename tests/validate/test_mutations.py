"""A seeded sample of the mechanical mutants of every optimiser with state; all of them are in `benchmarks/mutations.py`."""

import importlib.util
import json
import random
import sys
from pathlib import Path

import pytest


def _loaded():
    spec = importlib.util.spec_from_file_location("mutants", Path(__file__).with_name("mutants.py"))
    module = sys.modules["mutants"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mutants = _loaded()
STATELESS = {"newton", "gauss_newton", "exact_gauss_newton", "natural_gradient", "second_order_frank_wolfe"}
RECORDED = Path(__file__).parents[2] / "benchmarks" / "mutations.json"


def test_what_carries_more_than_x_from_step_to_step():
    names = {info.name for info in mutants.stateful()}
    assert not names & STATELESS and {"adam", "adamw", "adahessian", "shampoo", "lbfgs", "kfac"} <= names


@pytest.mark.parametrize("name", ["adam", "adahessian", "shampoo", "lbfgs", "levenberg_marquardt", "away_step"])
def test_no_mutant_of_a_seeded_sample_is_missed(name):
    info = next(info for info in mutants.stateful() if info.name == name)
    every = list(mutants.mutants(info))
    assert {mutant.kind for mutant in every} >= {"constant", "sign", "operator", "delay", "dropped line"}
    fates = {str(mutant): mutants.fate(mutant) for mutant in random.Random(1).sample(every, 15)}
    assert not [mutant for mutant, fate in fates.items() if fate == "missed"]
    assert sum(fate == "detected" for fate in fates.values()) >= 4  # the check for equivalence lets most through


def test_the_method_itself_is_equivalent_to_itself_and_a_mutant_that_changes_it_is_not():
    info = next(info for info in mutants.stateful() if info.name == "adam")
    same = mutants.Mutant("adam", "none", 0, "", "", mutants.find("adam"))
    assert mutants.fate(same) == "equivalent"
    squares = [m for m in mutants.mutants(info) if m.before == "(1.0 - beta2) * grad * grad"]
    assert squares and all(mutants.fate(m) == "detected" for m in squares)


@pytest.mark.skipif(not RECORDED.is_file(), reason="benchmarks/mutations.py was not run")
def test_what_is_on_record_is_what_is_claimed():
    record = json.loads(RECORDED.read_text(encoding="utf-8"))
    named = record["documented kinds"]
    assert record["missed"] == [] and record["total"]["detected"] > 1000
    assert named["named"] >= 0.8 * (named["named"] + named["not named"]) >= 40
