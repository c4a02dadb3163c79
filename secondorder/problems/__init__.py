"""What is solved: each problem is a few oracles and the arrays they need.

>>> import secondorder as so
>>> so.problems.get("logistic:breast_cancer", l2=1e-3).oracles
('f', 'grad', 'hess', 'hvp')
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from secondorder.catalogue import nearest
from secondorder.oracles import Problem
from secondorder.problems.classics import chain, double_well, himmelblau, pseudo_huber, rosenbrock, saddle
from secondorder.problems.linear_models import ill_scaled_logistic, logistic, softmax
from secondorder.problems.quadratic import quadratic

__all__ = [
    "chain",
    "double_well",
    "get",
    "himmelblau",
    "ill_scaled_logistic",
    "logistic",
    "names",
    "pseudo_huber",
    "quadratic",
    "rosenbrock",
    "saddle",
    "softmax",
]

_PLAIN = (quadratic, rosenbrock, himmelblau, saddle, double_well, pseudo_huber, chain, ill_scaled_logistic)
_ON_DATA = {"logistic": (logistic, ("breast_cancer",)), "softmax": (softmax, ("wine", "digits", "breast_cancer"))}


def names() -> dict[str, Callable[..., Problem]]:
    """The problems that a string names, each with the function that makes it.

    >>> list(names())[-4:]
    ['logistic:breast_cancer', 'softmax:wine', 'softmax:digits', 'softmax:breast_cancer']
    """
    plain: dict[str, Callable[..., Problem]] = {factory.__name__: factory for factory in _PLAIN}
    on_data = {f"{model}:{data}": partial(make, data) for model, (make, sets) in _ON_DATA.items() for data in sets}
    return {**plain, **on_data}


def get(name: str, **options: Any) -> Problem:
    """The problem that a string names.

    Parameters
    ----------
    name : str
        One of :func:`names`, or ``"logistic:PATH"`` and ``"softmax:PATH"`` with the path of a LIBSVM file.
    **options
        Go to the function that makes the problem.

    Raises ``ValueError`` for an unknown name, listing the known ones.

    >>> get("chain", d=5)
    <Chain 'chain', d=5: f, grad, hess, hvp>
    >>> get("rosenbrok")
    Traceback (most recent call last):
    ValueError: unknown problem 'rosenbrok' (did you mean 'rosenbrock'?); known: quadratic, rosenbrock, himmelblau, \
saddle, double_well, pseudo_huber, chain, ill_scaled_logistic, logistic:breast_cancer, softmax:wine, softmax:digits, \
softmax:breast_cancer, logistic:PATH, softmax:PATH
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
        raise ValueError(f"{model} needs data, as in {model}:{_ON_DATA[model][1][0]} or {model}:PATH (a LIBSVM file)")
    if colon and model in known:
        raise ValueError(f"{model} takes no data; got {name!r}")
    everything = [*known, *(f"{model}:PATH" for model in _ON_DATA)]
    raise ValueError(f"unknown problem {name!r}{nearest(name, everything)}; known: {', '.join(everything)}")
