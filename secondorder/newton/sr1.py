"""SR1: the symmetric rank-one update, indefinite when the function is, in a trust region."""

from __future__ import annotations

import math

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import fraction, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import eigen, reduction_ratio, trust_region_step
from secondorder.run import Iterate, Iterates


@method(paper="conn1991convergence", needs=("f", "grad"))
def sr1(
    problem: Ledger, x: Array, *, initial_radius: positive = 1.0, acceptance: fraction = 1e-3, skip: fraction = 1e-8
) -> Iterates:
    r"""The symmetric rank-one method in a trust region.

    Reference: :cite:`conn1991convergence`; :cite:`nocedal2006numerical`, eq. 6.24 and Algorithm 6.2. The approximation B
    of the Hessian learns from every trial :math:`s`, taken or not, with :math:`y=\nabla f(x+s)-\nabla f(x)`:

    .. math:: B\leftarrow B+\frac{(y-Bs)(y-Bs)^\top}{(y-Bs)^\top s}

    Parameters
    ----------
    problem : Problem
        Offers ``f`` and ``grad``.
    x : array (d,)
        The start; :math:`B_0=I`.
    initial_radius : float > 0, default 1
        :math:`\Delta_0` of the trust region, in the units of x.
    acceptance : float in (0, 1), default 1e-3
        A trial is taken if the ratio of achieved to promised decrease exceeds it.
    skip : float in (0, 1), default 1e-8
        No update where :math:`|(y-Bs)^\top s|<\mathrm{skip}\,\|s\|\|y-Bs\|`.

    Yields
    ------
    Iterate
        ``f``, ``grad``; ``trust_radius``, ``step``, ``radius`` (its length), ``decrease``, ``ratio``, ``updated``,
        ``accepted``. A rejected trial is a row. Ends as ``stalled`` when the step falls below rounding.

    Guarantee: on a quadratic, after d independent steps B is the Hessian, whatever the searches; superlinear
    in :math:`d+1` steps near a minimum (:cite:`khalfan1993theoretical`).
    Cost: a value and a gradient an iteration, an eigendecomposition of B (about :math:`9d^3`).

    Departures from Algorithm 6.2: the radius shrinks to half the step, not half the radius; a trial outside the domain
    quarters it and teaches nothing; a rounding allowance in the ratio.

    >>> import secondorder as so
    >>> so.minimize(so.problems.rosenbrock(), "sr1").status
    'converged'
    """
    xp, grad, trust_radius = namespace(x), problem.grad(x), initial_radius
    yield Iterate(x, grad=grad)
    f, B = problem.f(x), xp.eye(x.shape[0], dtype=x.dtype)
    while True:
        found, tried = trust_region_step(grad, eigen(B), trust_radius), trust_radius
        if not found.radius > epsilon(x) * norm(x):
            return "stalled: the step is below the rounding of x"
        f_new = problem.f(x + found.step)
        ratio = reduction_ratio(f, f_new, found.decrease, epsilon(x))
        if not math.isfinite(f_new):
            trust_radius, updated, accepted = found.radius / 4.0, False, False
        else:
            grad_new = problem.grad(x + found.step)
            misfit = grad_new - grad - B @ found.step
            along = float(misfit @ found.step)
            updated = abs(along) >= skip * found.radius * norm(misfit) > 0.0
            B = B + xp.linalg.outer(misfit, misfit) / along if updated else B
            if ratio > 0.75 and found.radius > 0.8 * trust_radius:
                trust_radius *= 2.0
            elif ratio < 0.1:
                trust_radius = found.radius / 2.0
            accepted = ratio > acceptance
        if accepted:
            x, f, grad = x + found.step, f_new, grad_new
        account = {k: v for k, v in found._asdict().items() if k in ("step", "radius", "decrease")}
        yield Iterate(x, f=f, grad=grad, trust_radius=tried, **account, ratio=ratio, updated=updated, accepted=accepted)
