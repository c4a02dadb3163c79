"""Logistic regression on an ℓ1 ball."""

from __future__ import annotations

from typing import Any

from secondorder.oracles import Problem
from secondorder.problems.linear_models import logistic
from secondorder.sets import L1Ball


def l1_logistic(data: Any = "breast_cancer", *, radius: float = 1.0, standardize: bool = True) -> Problem:
    r"""Logistic regression whose weights have a limited ℓ1 norm, so that most of them are zero.

    .. math:: \min_{\|x\|_1\le r}\ \frac1n\sum_{i=1}^n\log\big(1+e^{-y_ia_i^\top x}\big)

    Parameters
    ----------
    data : str, Path or pair, default "breast_cancer"
        As in :func:`logistic`.
    radius : float > 0, default 1
        r. The loss with the penalty :math:`\lambda\|x\|_1` has the same solution for
        :math:`\lambda=\|\nabla f(x)\|_\infty` there.
    standardize : bool, default True
        Whether the columns of A are brought to mean 0 and variance 1. Dense A only.

    Returns
    -------
    Logistic
        ``subject_to`` an :class:`~secondorder.sets.L1Ball`, from zero.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.l1_logistic(), "pairwise")
    >>> history.status, int((abs(history.x) > 0.1).sum())
    ('converged', 3)
    """
    problem = logistic(data, l2=0.0, standardize=standardize)
    bounded = problem.subject_to(L1Ball(problem.A.shape[1], radius))
    bounded.name = f"l1_{problem.name}"
    return bounded
