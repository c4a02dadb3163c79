"""What a case is, and the record that is kept of it."""

from __future__ import annotations

import datetime
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from secondorder.validate import Finding, Report, diagnosis

diagnosis.SECONDS = 120.0  # nobody waits for the answer
VERDICTS = ("agrees", "departs", "differs, unexplained", "failed")


@dataclass(frozen=True)
class Case:
    """An implementation held against a reference.

    ``run`` answers with a :class:`Report`, with one or more :class:`Finding`, or with a dictionary of the fields of the
    record that it knows (at least ``verdict`` and ``words``; ``evidence`` is a dictionary of figures). ``note`` is for what
    a person must add, such as which switch of the paper's this is.
    """

    implementation: str
    reference: str
    how: str
    run: Callable[[], Report | Finding | tuple[Finding, ...] | Mapping[str, Any]]
    note: str = ""


def record_of(case: Case, package: str) -> dict[str, Any]:
    """The record of a case; one that raises is recorded as failed."""
    try:
        answer = case.run()
    except Exception as error:
        answer = {"verdict": "failed", "words": f"{type(error).__name__}: {error}"}
    found = of_report(answer) if isinstance(answer, Report) else answer
    if isinstance(found, Finding):
        found = (found,)
    if isinstance(found, tuple):
        found = _of_findings(found)
    found = dict(found)
    if case.note:
        found["words"] = f"{found['words']}. {case.note}"
    assert found["verdict"] in VERDICTS, found["verdict"]
    empty = {"evidence": {}, "explanation": None, "worst": None, "steps": None, "problem": None}
    return {
        "implementation": case.implementation,
        "package": package,
        "version": importlib.metadata.version(package).partition("+")[0],
        "reference": case.reference,
        "how": case.how,
        **empty,
        **found,
        "date": datetime.date.today().isoformat(),
    }


def of_report(report: Report) -> dict[str, Any]:
    """The fields of the record that a report tells."""
    plain = report.to_dict()
    explained = report.explanation is not None and bool(report.explanation.switches)
    kinds = {"agrees": report.agrees, "failed": bool(report.failure), "departs": explained}
    return {
        "verdict": next((kind for kind, holds in kinds.items() if holds), "differs, unexplained"),
        "words": report.verdict,
        "evidence": {
            "hyper": plain["hyper"],
            "worst": {
                name: max((e for e in curve if e is not None), default=None) for name, curve in plain["errors"].items()
            },
            "first": plain["first"],
            "findings": plain["findings"],
            "not compared": plain["missing"],
        },
        "explanation": plain["explanation"],
        "worst": plain["worst"],
        "steps": plain["steps"],
        "problem": plain["problem"],
    }


def _of_findings(findings: tuple[Finding, ...]) -> dict[str, Any]:
    failed = [finding for finding in findings if finding.passed is False]
    return {
        "verdict": "departs" if failed else "agrees",
        "words": "; ".join(f"{finding.name}: {finding.words}" for finding in failed or findings),
        "evidence": {finding.name: dict(finding.measured) for finding in findings},
    }
