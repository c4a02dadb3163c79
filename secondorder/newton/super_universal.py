"""Newton's method regularised with a power of the gradient norm, for every class of convex functions at once."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from secondorder.arrays import Array, namespace, norm
from secondorder.catalogue import Interval, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import solve_definite
from secondorder.run import Iterate, Iterates

M_MIN = 1e-5


@method(
    paper="doikov2024super",
    needs=("grad", "hess"),
    variants={"smallest exponent": {"exponent": 2.0 / 3.0}, "known class": {"M": 1.0, "q": 4.0}},
)
def super_universal_newton(
    problem: Ledger,
    x: Array,
    *,
    exponent: Annotated[float, Interval(2.0 / 3.0, 1.0, "[", "]")] = 1.0,
    M: positive | None = None,
    q: Annotated[float, Interval(2.0, 4.0, "[", "]")] = 3.0,
) -> Iterates:
    r"""Newton's method damped by a power of the gradient norm, with a search that looks at gradients only.

    Reference: :cite:`doikov2024super`, the adaptive method (there :math:`H_k=M_k`).

    .. math:: x_{k+1}=x_k-\big(\nabla^2f(x_k)+\lambda_kI\big)^{-1}\nabla f(x_k),\qquad\lambda_k=M_k\|\nabla f(x_k)\|^\alpha

    :math:`M_k` is a quarter of :math:`M_{k-1}` at first and is multiplied by 4 until

    .. math:: \nabla f(x_{k+1})^\top(x_k-x_{k+1})\ge\frac{\|\nabla f(x_{k+1})\|^2}{4\lambda_k} .

    No value of f is ever asked for.

    Parameters
    ----------
    problem : Problem
        Convex; offers ``grad`` and ``hess``.
    x : array (d,)
        The start.
    exponent : float in [2/3, 1], default 1
        :math:`\alpha`, of the search.
    M : float > 0, optional
        Kept as given, then :math:`\lambda_k=(M\|\nabla f(x_k)\|^{q-2})^{1/(q-1)}` and nothing is tested. By default it is
        searched, from 1 and not below 1e-5.
    q : float in [2, 4], default 3
        The class that a given ``M`` belongs to: Hessians that are bounded (2) or Lipschitz continuous (3), third
        derivatives that are Lipschitz continuous (4). Without ``M`` it is not used.

    Yields
    ------
    Iterate
        ``grad``; ``M``, ``damping`` (:math:`\lambda_k`), ``step``, ``radius`` and ``progress``, the left-hand side of the
        test; ``trials`` when searched. Ends as ``stalled`` when 40 trials do not pass; with a given ``M`` as ``breakdown``
        where :math:`\nabla^2f+\lambda I` is not positive definite.

    Guarantee, for convex f: the test holds, even with :math:`2\lambda_k`, where :math:`\lambda_k\ge\sqrt{L_2\|\nabla f\|/2}`
    or :math:`\lambda_k\ge(L_3\|\nabla f\|^2/2)^{1/3}`; hence :math:`M=L_2/2` with q = 3 and :math:`M=L_3/2` with q = 4 are
    enough. A step decreases f by :math:`\|\nabla f(x_{k+1})\|^2/(4\lambda_k)` at least, and k steps take at most
    :math:`2k+\log_4(H_k/H_0)` trials, :math:`H_k` being where the next search begins. The values fall like :math:`1/k` where
    the variation of the Hessian is bounded, :math:`1/k^2` for a finite :math:`L_2`, :math:`1/k^3` for a finite
    :math:`L_3`, whichever is best, unknown to the method; for strongly convex f the local order is :math:`1+\alpha`.
    Cost: a Hessian; a gradient and a solve of order :math:`d^3` a trial, on average two trials a step.

    Departures: norms are Euclidean, :math:`B=I`. The constants of a given ``M`` are this library's own, proved in the
    book; a matrix that is not positive definite is a trial that failed.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.chain(), "super_universal_newton")
    >>> history.status, history.oracle["f"]
    ('converged', 0)
    """
    adaptive, start = M is None, M or 1.0
    grad, identity = problem.grad(x), namespace(x).eye(x.shape[0], dtype=x.dtype)
    account: dict[str, Any] = {}
    while True:
        yield Iterate(x, grad=grad, **account)
        H, size = problem.hess(x), norm(grad)
        for trials in range(1, 41):
            M = start * 4.0 ** (trials - 1)
            damping = M * size**exponent if adaptive else (M * size ** (q - 2.0)) ** (1.0 / (q - 1.0))
            try:
                step = solve_definite(H + damping * identity, -grad)
                grad_new = problem.grad(x + step)
                progress = -float(grad_new @ step)
                if not adaptive or progress >= norm(grad_new) ** 2 / (4.0 * damping):
                    break
            except (ArithmeticError, np.linalg.LinAlgError):
                if not adaptive:
                    raise
        else:
            return "stalled: 40 trials passed no test; is the gradient right?"
        account = {"M": M, "damping": damping, "step": step, "radius": norm(step), "progress": progress}
        account |= {"trials": trials} if adaptive else {}
        x, grad, start = x + step, grad_new, max(M / 4.0, M_MIN) if adaptive else start
