"""Hold an implementation against its reference, and be told the first thing that differs."""

from secondorder.validate.adapters import (
    from_optax,
    from_scheduler,
    from_scipy,
    from_scipy_least_squares,
    from_step,
    from_torch,
)
from secondorder.validate.comparison import Difference, Match
from secondorder.validate.derivatives import check_derivatives
from secondorder.validate.diagnosis import Explanation, Switch
from secondorder.validate.files import read_run, write_run
from secondorder.validate.operators import OperatorReport, check_operator, parameter_orders
from secondorder.validate.probes import (
    basis_permutation,
    batch_duplication,
    equivariance,
    matrix_exponent,
    model_optimality,
    placement_of_epsilon,
    placement_of_momentum,
    placement_of_weight_decay,
    refresh_schedule,
    unbiased_diagonal,
    unbiased_probes,
)
from secondorder.validate.problems import problems_for
from secondorder.validate.recording import Candidate, Query, Recording, record
from secondorder.validate.samplers import check_sampler
from secondorder.validate.step_solvers import check_step_solver
from secondorder.validate.vectors import write_vectors
from secondorder.validate.verdict import Finding, Report, assert_matches, check

__all__ = [
    "Candidate",
    "Difference",
    "Explanation",
    "Finding",
    "Match",
    "OperatorReport",
    "Query",
    "Recording",
    "Report",
    "Switch",
    "assert_matches",
    "basis_permutation",
    "batch_duplication",
    "check",
    "check_derivatives",
    "check_operator",
    "check_sampler",
    "check_step_solver",
    "equivariance",
    "from_optax",
    "from_scheduler",
    "from_scipy",
    "from_scipy_least_squares",
    "from_step",
    "from_torch",
    "matrix_exponent",
    "model_optimality",
    "parameter_orders",
    "placement_of_epsilon",
    "placement_of_momentum",
    "placement_of_weight_decay",
    "problems_for",
    "read_run",
    "record",
    "refresh_schedule",
    "unbiased_diagonal",
    "unbiased_probes",
    "write_run",
    "write_vectors",
]
