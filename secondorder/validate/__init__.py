"""Hold an implementation against its reference, and be told the first thing that differs."""

from secondorder.validate.adapters import from_step
from secondorder.validate.comparison import Difference, Match
from secondorder.validate.problems import problems_for
from secondorder.validate.recording import Candidate, Query, Recording, record
from secondorder.validate.verdict import Finding, Report, assert_matches, check

__all__ = [
    "Candidate",
    "Difference",
    "Finding",
    "Match",
    "Query",
    "Recording",
    "Report",
    "assert_matches",
    "check",
    "from_step",
    "problems_for",
    "record",
]
