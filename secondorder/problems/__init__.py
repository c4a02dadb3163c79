"""What is solved: each problem is a few oracles and the arrays they need.

>>> import secondorder as so
>>> so.problems.get("logistic:breast_cancer", l2=1e-3).oracles
('f', 'grad', 'hess', 'hvp', 'third', 'metric')
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from secondorder.catalogue import nearest
from secondorder.oracles import Problem
from secondorder.problems.analytic_center import analytic_center
from secondorder.problems.chebyshev_rosenbrock import chebyshev_rosenbrock
from secondorder.problems.classics import chain, double_well, himmelblau, pseudo_huber, rosenbrock, saddle
from secondorder.problems.gaussian_mixture import gaussian_mixture
from secondorder.problems.l1_logistic import l1_logistic
from secondorder.problems.least_squares import least_squares
from secondorder.problems.linear_models import ill_scaled_logistic, logistic, softmax, spiked_logistic
from secondorder.problems.matrix_completion import matrix_completion
from secondorder.problems.more_garbow_hillstrom import TEST_FUNCTIONS
from secondorder.problems.networks import mlp
from secondorder.problems.nist import FITS, nist
from secondorder.problems.planes import (
    beale,
    booth,
    branin,
    goldstein_price,
    matyas,
    mccormick,
    monkey_saddle,
    six_hump_camel,
    styblinski_tang,
    three_hump_camel,
)
from secondorder.problems.point_matching import point_matching
from secondorder.problems.polytope_feasibility import polytope_feasibility
from secondorder.problems.portfolio import minimum_variance
from secondorder.problems.power_of_residual import power_of_residual
from secondorder.problems.quadratic import quadratic
from secondorder.problems.score_network import denoising, score_network
from secondorder.problems.self_concordant import d_optimal_design, log_portfolio, poisson_inverse
from secondorder.problems.soft_maximum import soft_maximum

__all__ = [
    "analytic_center",
    "beale",
    "booth",
    "branin",
    "chain",
    "chebyshev_rosenbrock",
    "d_optimal_design",
    "denoising",
    "double_well",
    "gaussian_mixture",
    "get",
    "goldstein_price",
    "himmelblau",
    "ill_scaled_logistic",
    "l1_logistic",
    "least_squares",
    "log_portfolio",
    "logistic",
    "matrix_completion",
    "matyas",
    "mccormick",
    "minimum_variance",
    "mlp",
    "monkey_saddle",
    "names",
    "nist",
    "point_matching",
    "poisson_inverse",
    "polytope_feasibility",
    "power_of_residual",
    "pseudo_huber",
    "quadratic",
    "rosenbrock",
    "saddle",
    "score_network",
    "six_hump_camel",
    "soft_maximum",
    "softmax",
    "spiked_logistic",
    "styblinski_tang",
    "test_functions",
    "three_hump_camel",
]

_PLAIN = (
    *(quadratic, rosenbrock, himmelblau, saddle, double_well, beale, booth, matyas, three_hump_camel, six_hump_camel),
    *(branin, goldstein_price, mccormick, styblinski_tang, monkey_saddle),
    *(pseudo_huber, chain, chebyshev_rosenbrock, power_of_residual, soft_maximum, ill_scaled_logistic),
    spiked_logistic,
    polytope_feasibility,
    *(minimum_variance, point_matching, gaussian_mixture),
    *(log_portfolio, poisson_inverse, d_optimal_design, analytic_center),
)
_ON_DATA: dict[str, tuple[Callable[..., Problem], tuple[str, ...]]] = {
    "logistic": (logistic, ("breast_cancer",)),
    "l1_logistic": (l1_logistic, ("breast_cancer",)),
    "softmax": (softmax, ("wine", "digits", "breast_cancer")),
    "mlp": (mlp, ("digits", "diabetes", "two_moons")),
    "matrix_completion": (matrix_completion, ("digits", "low_rank")),
    "score_network": (score_network, ("digits", "plane")),
}
_READ_FILES = ("logistic", "l1_logistic", "softmax")


def test_functions() -> dict[str, Callable[..., Problem]]:
    """The 35 functions of :cite:`more1981testing`, each with the function that makes it; the order is theirs.

    All are sums of squares, with the standard start ``x0``, ``known_minima`` (the values at the known local minima) and
    ``f_star``, the least of them; also ``residual(x)``, ``jac(x)`` and ``curvature(x, w)``. Those for any dimension take
    it as ``d``. :func:`get` knows them as ``"test:NAME"``.

    >>> problems = test_functions()
    >>> len(problems), problems["freudenstein_roth"]().known_minima
    (35, (0.0, 48.98425367924))
    """
    return dict(TEST_FUNCTIONS)


def names() -> dict[str, Callable[..., Problem]]:
    """The problems that a string names, each with the function that makes it.

    >>> list(names())[-4:]
    ['test:linear_full_rank', 'test:linear_rank_one', 'test:linear_rank_one_with_zeros', 'test:chebyquad']
    """
    plain: dict[str, Callable[..., Problem]] = {factory.__name__: factory for factory in _PLAIN}
    on_data = {f"{model}:{data}": partial(make, data) for model, (make, sets) in _ON_DATA.items() for data in sets}
    fits = {f"nist:{name}": partial(nist, name) for name in FITS}
    return {**plain, **on_data, **fits, **{f"test:{name}": make for name, make in TEST_FUNCTIONS.items()}}


def get(name: str, **options: Any) -> Problem:
    """The problem that a string names.

    Parameters
    ----------
    name : str
        One of :func:`names`, or ``"logistic:PATH"`` and ``"softmax:PATH"`` with the path of a LIBSVM file.
    **options
        Go to the function that makes the problem.

    Raises ``ValueError`` for an unknown name, listing the known ones.

    >>> get("chain", d=5), get("test:wood")
    (<Chain 'chain', d=5: f, grad, hess, hvp, third>, <Powers 'test:wood', d=4: f, grad, hess, hvp, residual, jac>)
    >>> get("rosenbrok")
    Traceback (most recent call last):
    ValueError: unknown problem 'rosenbrok' (did you mean 'rosenbrock'?); known: quadratic, rosenbrock, himmelblau, \
saddle, double_well, beale, booth, matyas, three_hump_camel, six_hump_camel, branin, goldstein_price, mccormick, \
styblinski_tang, monkey_saddle, pseudo_huber, chain, chebyshev_rosenbrock, power_of_residual, soft_maximum, \
ill_scaled_logistic, spiked_logistic, polytope_feasibility, minimum_variance, point_matching, gaussian_mixture, \
log_portfolio, poisson_inverse, d_optimal_design, \
analytic_center, logistic:breast_cancer, l1_logistic:breast_cancer, softmax:wine, softmax:digits, softmax:breast_cancer, \
mlp:digits, mlp:diabetes, mlp:two_moons, matrix_completion:digits, matrix_completion:low_rank, score_network:digits, \
score_network:plane, logistic:PATH, l1_logistic:PATH, softmax:PATH, test:NAME with a NAME of test_functions(), \
nist:NAME with a NAME of nist()
    """
    known = names()
    model, colon, data = str(name).partition(":")
    if name in known or (model in _ON_DATA and data):
        make = known[name] if name in known else partial(_ON_DATA[model][0], data)
        takes = [p for p in inspect.signature(make).parameters if p != "data"]
        for option in options:
            if option not in takes:
                raise ValueError(
                    f"{name} has no option {option!r}{nearest(option, takes)}; it takes {', '.join(takes) or 'none'}"
                )
        return make(**options)
    if model in _ON_DATA:
        path = f" or {model}:PATH (a LIBSVM file)" if model in _READ_FILES else ""
        raise ValueError(f"{model} needs data, as in {model}:{_ON_DATA[model][1][0]}{path}")
    if model == "test":
        raise ValueError(
            f"unknown test function {data!r}{nearest(data, TEST_FUNCTIONS)}; known: {', '.join(TEST_FUNCTIONS)}"
        )
    if model == "nist":
        return nist(data)
    if colon and model in known:
        raise ValueError(f"{model} takes no data; got {name!r}")
    everything = [
        *(each for each in known if not each.startswith(("test:", "nist:"))),
        *(f"{model}:PATH" for model in _READ_FILES),
    ]
    listed = ", ".join([*everything, "test:NAME with a NAME of test_functions()", "nist:NAME with a NAME of nist()"])
    raise ValueError(f"unknown problem {name!r}{nearest(str(name), everything)}; known: {listed}")
