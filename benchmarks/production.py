"""Production implementations held against the references, each in an environment of its own that is thrown away after.

Run with ``python benchmarks/production.py``, or with names of groups to run only those (``torch``, ``optax`` …). It writes
``benchmarks/production.json``, from which the book's page is made; records of groups that are not run are kept. A group is
a set of pinned versions and a module in ``benchmarks/production`` whose ``cases()`` are a list of
:class:`production.records.Case`. torch is its CPU build.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDS = HERE / "production.json"
BUILD = () if "UV_FIND_LINKS" in os.environ else ("--torch-backend", "cpu")
"""torch's CPU build: from its own index, or from the folder of wheels that the environment names."""


@dataclass(frozen=True)
class Group:
    """What to install (the first pin names the package that is judged) and the module with the cases."""

    pins: tuple[str, ...]
    module: str

    @property
    def package(self) -> str:
        return re.split(r"[=\[]", self.pins[0])[0]


GROUPS = {
    "torch": Group(("torch==2.13.0",), "torch_optimisers"),
    "optax": Group(("optax==0.2.8", "jax==0.10.2", "jaxlib==0.10.2"), "optax_transformations"),
    "pytorch_optimizer 3.10": Group(("pytorch_optimizer==3.10.0", "torch==2.13.0"), "pytorch_optimizer"),
    "pytorch_optimizer 4.1": Group(("pytorch_optimizer==4.1.0", "torch==2.13.0"), "pytorch_optimizer"),
    "curvlinops": Group(("curvlinops-for-pytorch==3.0.1", "torch==2.13.0"), "curvature"),
    "hooks": Group(("torch==2.13.0",), "hooks"),
    "scipy": Group(("scipy==1.17.1",), "scipy_solvers"),
    "scikit-learn": Group(("scikit-learn==1.9.1",), "scikit_learn"),
    "copt": Group(("copt==0.9.2",), "frank_wolfe_copt"),
    "diffusers": Group(("diffusers==0.42.1", "torch==2.13.0"), "schedulers"),
    "lml": Group(("numpy==2.4.6",), "lml_formula"),
}


def main() -> None:
    """Run the groups asked for, and merge what they found into the file of records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; a beginning will do; by default all")
    parser.add_argument("--inside", metavar="GROUP", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(inside(GROUPS[arguments.inside]), default=lambda value: value.tolist()))
        return
    wanted = [name for name in GROUPS if not arguments.groups or name.startswith(tuple(arguments.groups))]
    if not wanted:
        parser.error(f"no such group: {' '.join(arguments.groups)}; there are {', '.join(GROUPS)}")
    for name in wanted:
        print(f"{name}: {', '.join(GROUPS[name].pins)}", flush=True)
        found = in_environment(name, GROUPS[name])
        for record in found:
            print(f"  {record['implementation']}: {record['verdict']}. {record['words']}", flush=True)
        merge(found)


def inside(group: Group) -> list[dict]:
    """The records of a group, in whose environment this is called."""
    records = importlib.import_module("production.records")
    cases = importlib.import_module(f"production.{group.module}").cases()
    return [records.record_of(case, group.package) for case in cases]


def in_environment(name: str, group: Group) -> list[dict]:
    """The records of a group, from an environment that is made for it and thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "env", "bin", "python")
        pinned = {re.split(r"[=\[]", pin)[0] for pin in group.pins}
        own = [f"{each}=={importlib.metadata.version(each)}" for each in dependencies() if each not in pinned]
        uv("venv", "--quiet", "--python", sys.executable, str(python.parents[1]))
        uv("pip", "install", "--quiet", "--python", str(python), *BUILD, *group.pins, *own)
        surroundings = {**os.environ, "PYTHONPATH": str(HERE.parent), "OPENBLAS_NUM_THREADS": "1"}
        command = [str(python), __file__, "--inside", name]
        answer = subprocess.run(command, env=surroundings, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def uv(*arguments: str) -> None:
    """Run uv, from this environment if it is there."""
    beside = Path(sys.executable).parent / "uv"
    subprocess.run([str(beside) if beside.exists() else "uv", *arguments], check=True)


def dependencies() -> list[str]:
    """The names of what the package itself needs."""
    needed = importlib.metadata.requires("secondorder") or []
    return [re.split(r"[^A-Za-z0-9_.-]", line)[0] for line in needed if "extra ==" not in line]


def merge(found: list[dict]) -> None:
    """Put the records in the place of older ones of the same implementation and version."""
    kept = json.loads(RECORDS.read_text()) if RECORDS.exists() else []
    records = {(each["package"], each["implementation"], each["version"]): each for each in [*kept, *found]}
    RECORDS.write_text(json.dumps([records[key] for key in sorted(records)], indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
