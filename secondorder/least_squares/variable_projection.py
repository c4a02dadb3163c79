"""Variable projection: the linear parameters eliminated, Levenberg-Marquardt on the others."""

from __future__ import annotations

import math
from typing import Any, Literal

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import method, positive
from secondorder.least_squares.convergence import convergence, cosine, settled
from secondorder.least_squares.levenberg_marquardt import ACCEPTANCE, nielsen, trusted
from secondorder.ledger import Ledger
from secondorder.linalg import Pseudoinverse, column_norms, damped_least_squares, pseudoinverse, reduction_ratio
from secondorder.run import Iterate, Iterates


@method(
    paper="golub1973differentiation",
    needs=("residual", "jac"),
    measure="convergence_test",
    variants={"Golub-Pereyra": {"jacobian": "golub_pereyra"}},
)
def variable_projection(
    problem: Ledger,
    x: Array,
    *,
    jacobian: Literal["kaufman", "golub_pereyra"] = "kaufman",
    initial_damping: positive = 1e-3,
) -> Iterates:
    r"""Variable projection, with the Jacobian of Kaufman or that of Golub and Pereyra.

    Reference: :cite:`golub1973differentiation`; :cite:`kaufman1975variable`. The residual is affine in some parameters
    c, :math:`r=b(\alpha)+\Phi(\alpha)c`, so the best c is known for every value of the others:

    .. math::

        c(\alpha)=c_0-\Phi^+r(\alpha,c_0),\qquad r(\alpha)=r(\alpha,c(\alpha))=P^\perp r(\alpha,c_0),\qquad
        P^\perp=I-\Phi\Phi^+ .

    :func:`levenberg_marquardt` with its scaling minimises :math:`\frac12\|r(\alpha)\|^2`, with the Jacobian

    .. math::

        \partial_jr(\alpha)=P^\perp\partial_{\alpha_j}r-(\Phi^+)^\top(\partial_j\Phi)^\top r ,

    of which Kaufman drops the second term; it is orthogonal to r, so that the gradient stays exact.

    Parameters
    ----------
    problem : Problem
        Offers ``residual`` and ``jac``, and names the parameters c in ``linear``.
    x : array (d,)
        The start; its linear parameters do not matter after the first row.
    jacobian : "kaufman" (default) or "golub_pereyra"
        The second needs one more Jacobian for each linear parameter.
    initial_damping : float > 0, default 1e-3
        As in :func:`levenberg_marquardt`.

    Yields
    ------
    Iterate
        The whole x, with ``f`` and ``grad``; ``cosine`` of the reduced residual; ``damping``, ``step`` (of the whole x),
        ``ratio``, ``accepted``, ``relative_step``, ``relative_decrease``, ``convergence_test`` as in
        :func:`levenberg_marquardt`, the last three for :math:`\alpha`. The second row is the start with the best c. Ends as
        ``stalled`` when a rejected step is below rounding.

    Raises ``ValueError`` if the problem names no linear parameter, or only such.

    Guarantee: that of Levenberg-Marquardt; the reduced function has the same minima.
    Cost: an iteration takes two residuals, a Jacobian and an SVD of :math:`\Phi`; a step that is taken, one more
    Jacobian, and one more for each linear parameter with "golub_pereyra".

    Departures: the signs are those of a residual that is model less data. :math:`\Phi` and :math:`\partial_j\Phi` are read
    off the Jacobian of the whole problem, by differences that are exact since r is affine in c.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.nist("Misra1a"), "variable_projection")
    >>> history.status, len(history) - 1, history.x.round(6)
    ('converged', 6, array([2.38942129e+02, 5.50000000e-04]))
    """
    L, N = selections(problem, x)
    xp = namespace(x)
    weight = 2.0 * problem.residual_weight
    r, J = problem.residual(x), problem.jac(x)
    angle = cosine(J, r)
    yield Iterate(x, f=0.5 * weight * float(r @ r), grad=weight * (J.T @ r), cosine=angle, convergence_test=angle)
    x, r, Phi = eliminated(problem, x, L)
    grad, J = reduced(problem, x, r, Phi, L, N, full=jacobian == "golub_pereyra")
    f, angle = 0.5 * float(r @ r), cosine(J, r)
    yield Iterate(x, f=weight * f, grad=weight * grad, cosine=angle, convergence_test=angle)
    lengths, damping, growth = column_norms(J), initial_damping, 2.0
    while angle > 0.0:
        scale = xp.where(lengths > 0.0, lengths, xp.ones_like(lengths))
        step = -damped_least_squares(J, damping, scale)(r)
        linear, damped = norm(J @ step) ** 2, damping * norm(scale * step) ** 2
        x_new, r_new, Phi_new = eliminated(problem, x + N @ step, L)
        f_new = 0.5 * float(r_new @ r_new)
        ratio = reduction_ratio(f, f_new, 0.5 * linear + damped, epsilon(x))
        accepted = ratio > ACCEPTANCE
        account: dict[str, Any] = {"damping": damping, "step": x_new - x, "ratio": ratio, "accepted": accepted}
        account |= convergence(
            x=N.T @ x, step=step, scale=scale, f=f, f_new=f_new, linear=linear, damped=damped, ratio=ratio
        )
        damping, growth = nielsen(damping, growth, trusted(ratio, f, f_new, linear, damped, epsilon(x)), accepted)
        if accepted:
            x, r, f, Phi = x_new, r_new, f_new, Phi_new
            grad, J = reduced(problem, x, r, Phi, L, N, full=jacobian == "golub_pereyra")
            angle, lengths = cosine(J, r), xp.maximum(lengths, column_norms(J))
        yield Iterate(x, f=weight * f, grad=weight * grad, cosine=angle, **settled(account, angle))
        if not accepted and account["relative_step"] < epsilon(x):
            return "stalled: the step is below the rounding of x"
    return "stalled: the gradient vanishes"


def selections(problem: Ledger, x: Array) -> tuple[Array, Array]:
    """The columns of the identity that belong to the linear parameters, and the others."""
    xp, d = namespace(x), x.shape[0]
    linear = tuple(getattr(problem, "linear", ()))
    others = [j for j in range(d) if j not in linear]
    if not linear or not others or len(linear) + len(others) != d:
        raise ValueError(
            f"variable_projection needs a problem that names its linear parameters, some of {d}, but not all, in "
            f"`linear`, as problems.least_squares(..., linear=(0,)) does; {problem.name!r} has {linear}"
        )
    identity = xp.eye(d, dtype=x.dtype)
    return xp.take(identity, xp.asarray(linear), axis=1), xp.take(identity, xp.asarray(others), axis=1)


def eliminated(problem: Ledger, x: Array, L: Array) -> tuple[Array, Array, Pseudoinverse | None]:
    """x with the best linear parameters, its residual, and the factors of their columns; x itself outside the domain."""
    r = problem.residual(x)
    if not math.isfinite(norm(r)):
        return x, r, None
    Phi = pseudoinverse(problem.jac(x) @ L)
    x = x - L @ Phi.solve(r)
    return x, problem.residual(x), Phi


def reduced(
    problem: Ledger, x: Array, r: Array, Phi: Pseudoinverse | None, L: Array, N: Array, full: bool
) -> tuple[Array, Array]:
    """J'r, and the Jacobian of the reduced residual, by Golub and Pereyra if ``full``, else by Kaufman."""
    if Phi is None:
        raise FloatingPointError("the residual is not finite")
    J = problem.jac(x)
    K, xp = Phi.outside(J @ N), namespace(x)
    noise = max(J.shape) * epsilon(x) * column_norms(J @ N)
    K = xp.where(column_norms(K) > noise, K, xp.zeros_like(K))  # what the linear parameters can do as well
    if full:
        rows = []
        for k in range(L.shape[1]):
            width = abs(float(L[:, k] @ x)) or 1.0
            rows.append(((problem.jac(x + width * L[:, k]) - J) @ N).T @ r / width)
        K = K - Phi.range @ (Phi.inverse.T @ xp.stack(rows))
    return J.T @ r, K
