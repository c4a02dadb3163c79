"""Mistakes made mechanically in every optimiser with state: how many the validator sees, and how many it names.

    python benchmarks/mutations.py            # minutes; writes benchmarks/mutations.json
    python benchmarks/mutations.py --naming   # the second half alone

Every mutant of ``tests/validate/mutants.py`` is made. Left out are those that break down before their first step, hang, or
do the same as the method in free runs from other starts. The others are held against the reference for 20 steps. Of those
a random sample is diagnosed, for as long as there is time; what stands against a kind there is how often
the explanation names the changed statement, or hyper-parameters that are the same thing; those that break down say so
themselves. Two kinds were held back while the
diagnosis was written, and are counted apart.
"""

import argparse
import importlib.util
import json
import random
import sys
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

from tqdm import tqdm

HERE = Path(__file__).parent


def load_mutants():
    path = HERE.parent / "tests" / "validate" / "mutants.py"
    spec = importlib.util.spec_from_file_location("mutants", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    return module


def detection(mutants, infos):
    """For each method and kind the fates of its mutants, those that were missed, and those that were detected."""
    fates, missed, detected = {}, [], []
    for info in tqdm(infos, desc="methods", disable=None):
        fates[info.name] = defaultdict(Counter)
        for mutant in mutants.mutants(info):
            fate = mutants.fate(mutant)
            fates[info.name][mutant.kind][fate] += 1
            if fate == "missed":
                missed.append(str(mutant))
            elif fate == "detected":
                detected.append(mutant)
    return fates, missed, detected


def naming(mutants, detected, seconds):
    """How many of a kind are named, of as many as there is time for, and the others in words."""
    counts, unnamed, began = defaultdict(Counter), [], time.monotonic()
    for mutant in tqdm(detected, desc="diagnosed", disable=None):
        if time.monotonic() - began > seconds:
            break
        report = mutants.reports(mutant, diagnose=True)[-1]
        if report.failure:
            counts[mutant.kind]["broke down"] += 1
            continue
        right = mutants.named(mutant, report)
        counts[mutant.kind]["named" if right else "not named"] += 1
        if not right:
            unnamed.append({"mutant": str(mutant), "verdict": report.verdict})
    return counts, unnamed


def write(mutants, fates, missed, counts, unnamed):
    """The counts in all, as JSON beside this file."""
    result = {
        "total": sum((Counter(kind) for kinds in fates.values() for kind in kinds.values()), Counter()),
        "documented kinds": sum((counts[kind] for kind in mutants.DOCUMENTED), Counter()),
        "kinds held back": sum((counts[kind] for kind in mutants.HELD_BACK), Counter()),
        "named by kind": counts,
        "methods": fates,
        "missed": missed,
        "not named": unnamed,
    }
    (HERE / "mutations.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps({key: result[key] for key in ("total", "documented kinds", "kinds held back")}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for the sample that is diagnosed (10)")
    parser.add_argument("--seed", type=int, default=0, help="of that sample (0)")
    parser.add_argument("--naming", action="store_true", help="draw another sample, keep what is on file of detection")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    mutants = load_mutants()
    if options.naming:
        record = json.loads((HERE / "mutations.json").read_text(encoding="utf-8"))
        fates = {name: {kind: Counter(c) for kind, c in kinds.items()} for name, kinds in record["methods"].items()}
        missed = record["missed"]
        every = [mutant for info in mutants.stateful() for mutant in mutants.mutants(info)]
        random.Random(options.seed).shuffle(every)
        detected = (mutant for mutant in every if mutants.fate(mutant) == "detected")
    else:
        fates, missed, detected = detection(mutants, mutants.stateful())
        random.Random(options.seed).shuffle(detected)
    write(mutants, fates, missed, *naming(mutants, detected, 60.0 * options.minutes))


if __name__ == "__main__":
    main()
