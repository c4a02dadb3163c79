"""Gauss-Newton: the residual made linear, and the linear least-squares problem solved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import fraction, method
from secondorder.least_squares.convergence import convergence, cosine, settled
from secondorder.ledger import Ledger
from secondorder.linalg import armijo, column_norms, pseudoinverse, reduction_ratio
from secondorder.run import Iterate, Iterates


@method(
    paper="nocedal2006numerical",
    needs=("residual", "jac"),
    measure="convergence_test",
    variants={"pure": {"line_search": None}},
)
def gauss_newton(
    problem: Ledger,
    x: Array,
    *,
    line_search: Literal["armijo"] | None = "armijo",
    sufficient_decrease: fraction = 1e-4,
    backtracking: fraction = 0.5,
) -> Iterates:
    r"""The Gauss-Newton method, with a line search or pure.

    Reference: :cite:`nocedal2006numerical`, §10.3. Newton's method for :math:`\frac12\|r\|^2` without the second
    derivatives of r:

    .. math::

        h=\arg\min_h\|r+Jh\|,\qquad x\leftarrow x+\alpha h .

    The linear problem is solved from the singular values of J (:func:`secondorder.linalg.pseudoinverse`);
    :math:`J^\top J` would square the condition number.

    Parameters
    ----------
    problem : Problem
        Offers ``residual`` and ``jac``.
    x : array (d,)
        The start.
    line_search : "armijo" (default) or None
        The first :math:`\alpha` of :math:`1,\beta,\beta^2,\dots` with a sufficient decrease of
        :math:`\frac12\|r\|^2`; None takes :math:`\alpha=1`.
    sufficient_decrease, backtracking : float in (0, 1), default 1e-4 and 0.5
        :math:`c_1` and :math:`\beta`.

    Yields
    ------
    Iterate
        ``f``, ``grad``, ``cosine``; ``step`` (the whole :math:`\alpha h`), with a line search ``step_size`` and
        ``trials``; ``ratio`` (actual over predicted decrease); of the whole h, however short the search made the step,
        ``relative_step``, ``relative_decrease`` and ``convergence_test``
        (:func:`secondorder.least_squares.convergence.convergence`; in the first row the cosine).
        Ends as ``stalled`` when 60 trials find no decrease.

    Guarantee: near a solution with J of full rank, linear convergence with the factor
    :math:`\rho\big((J^\top J)^{-1}\sum_ir_i\nabla^2r_i\big)` if that is below 1; quadratic where r is zero. If it is
    above 1, the pure method leaves even a strict minimum.
    Cost: a Jacobian, a residual for each trial, and an SVD of order :math:`md^2`.

    Departures: where J is rank-deficient, h is the shortest solution in units of the column lengths of J; the book
    assumes full rank.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.get("test:rosenbrock"), "gauss_newton", line_search=None)
    >>> history.status, len(history) - 1, history.x
    ('converged', 3, array([1., 1.]))
    """
    xp = namespace(x)
    weight = 2.0 * problem.residual_weight
    r, J = problem.residual(x), problem.jac(x)
    f, grad, angle = 0.5 * float(r @ r), J.T @ r, cosine(J, r)
    yield Iterate(x, f=weight * f, grad=weight * grad, cosine=angle, convergence_test=angle)
    scale = column_norms(J)
    while angle > 0.0:
        step = -pseudoinverse(J).solve(r)
        linear, step_size = norm(J @ step) ** 2, 1.0
        account: dict[str, Any] = {}
        if line_search is None:
            r = problem.residual(x + step)
        else:
            slope, seen = float(grad @ step), [r]
            found = armijo(along(problem, x, step, seen), f, slope, epsilon(x), sufficient_decrease, backtracking)
            if found is None:
                return "stalled: 60 trials found no decrease along the Gauss-Newton direction; is the Jacobian right?"
            step_size, _, account["trials"] = found
            account["step_size"], r = step_size, seen[-1]
        f_new = 0.5 * float(r @ r)
        ratio = reduction_ratio(f, f_new, (1.0 - 0.5 * step_size) * step_size * linear, epsilon(x))
        account |= {"step": step_size * step, "ratio": ratio}
        account |= convergence(x=x, step=step, scale=scale, f=f, f_new=f_new, linear=linear, damped=0.0, ratio=ratio)
        x, f = x + step_size * step, f_new
        J = problem.jac(x)
        grad, angle, scale = J.T @ r, cosine(J, r), xp.maximum(scale, column_norms(J))
        yield Iterate(x, f=weight * f, grad=weight * grad, cosine=angle, **settled(account, angle))
    return "stalled: the gradient vanishes"


def along(problem: Ledger, x: Array, step: Array, seen: list[Array]) -> Callable[[float], float]:
    """Half the squared residual along a direction, for a line search; ``seen`` keeps the last residual."""

    def phi(step_size: float) -> float:
        seen[:] = [problem.residual(x + step_size * step)]
        return 0.5 * float(seen[0] @ seen[0])

    return phi
