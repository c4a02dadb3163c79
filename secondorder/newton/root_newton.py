"""Newton's step, divided by one plus a power of the Newton decrement."""

from __future__ import annotations

from typing import Annotated, Any

from secondorder.arrays import Array, epsilon, norm
from secondorder.catalogue import Interval, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import rounding, whitening
from secondorder.run import Iterate, Iterates

SIGMA_MIN = 1e-10


@method(
    paper="hanzely2024revisited",
    needs=("grad", "hess"),
    variants={
        "constant given, q = 3": {"M": 1.0},
        "constant given, q = 4": {"M": 1.0, "exponent": 4.0},
        "least power": {"power": 2.0 / 3.0},
    },
)
def root_newton(
    problem: Ledger,
    x: Array,
    *,
    M: positive | None = None,
    exponent: Annotated[float, Interval(2.0, 4.0, "[", "]")] = 3.0,
    power: Annotated[float, Interval(2.0 / 3.0, 1.0, "[", "]")] = 1.0,
) -> Iterates:
    r"""Newton's step, shortened by a root of the Newton decrement: for every order of smoothness a formula.

    Reference: :cite:`hanzely2024revisited`. The factor 9 and the rules for :math:`\sigma` are those of published
    experiments with the method, and may differ from the paper's; the guarantees below are derived for them here.

    With the Newton decrement :math:`\lambda_k=\sqrt{\nabla f(x_k)^\top\nabla^2f(x_k)^{-1}\nabla f(x_k)}`,

    .. math::

        x_{k+1}=x_k-\frac1{1+\theta_k}\nabla^2f(x_k)^{-1}\nabla f(x_k),\qquad
        \theta_k=(9M)^{\frac1{q-1}}\lambda_k^{\frac{q-2}{q-1}}\quad\text{or}\quad\theta_k=\sigma_k\lambda_k^\beta .

    Parameters
    ----------
    problem : Problem
        Convex; offers ``grad`` and ``hess``, positive definite.
    x : array (d,)
        The start.
    M : float > 0, optional
        The constant of the first formula, kept as given. By default the second one is used: :math:`\sigma` starts at 1,
        doubles until :math:`2\theta\,\nabla f(x^+)^\top(x-x^+)\ge\|\nabla f(x^+)\|_x^{*2}` (or until
        that norm is rounding, :math:`10^3\epsilon` of the largest decrement so far), and halves after each step (not below
        1e-10). The values of f are never asked for.
    exponent : float in [2, 4], default 3
        q of the first formula: :math:`q=2+\nu` for a Hessian that is Hölder continuous of order :math:`\nu` in the local norms,
        :math:`\|\nabla^2f(y)-\nabla^2f(x)\|_x\le L_q\|y-x\|_x^\nu`; 4 for a Lipschitz third derivative.
        :math:`9M\ge L_q/(q-1)` is enough for :math:`q\le3`, :math:`9M\ge L_4/2` for :math:`q=4`.
    power : float in [2/3, 1], default 1
        :math:`\beta` of the second formula. It is at least :math:`(q-2)/(q-1)` for every q up to 4.

    Yields
    ------
    Iterate
        ``grad``; ``damping`` (:math:`\theta`, relative to the Hessian), ``step``, ``step_size`` (:math:`\alpha=1/(1+\theta)`),
        ``decrement`` (:math:`\lambda`) and ``radius`` (:math:`\alpha\lambda`, the length of the step in the local norm) of the
        step that led there; ``sigma`` and ``trials`` when adaptive. Ends as ``breakdown`` where the Hessian is not positive
        definite, as ``stalled`` when 100 doublings do not pass the test.

    Guarantees, for convex f and a valid M: :math:`\|\nabla f(x^+)\|_x^{*2}\le2\theta\,\nabla f(x^+)^\top(x-x^+)`,
    :math:`f(x)-f(x^+)\ge\frac\alpha2\lambda^2`, and while :math:`\theta_k\ge1`, with D a bound on
    :math:`\|x_k-x^*\|_{x_k}`,
    :math:`f(x_k)-f^*\le9M\big(\frac{4(q-1)}k\big)^{q-1}D^q`: up to :math:`O(k^{-3})`. In the adaptive form the test
    itself secures :math:`f(x)-f(x^+)\ge\|\nabla f(x^+)\|_x^{*2}/(2\theta)`. In other coordinates, x = Ay, the iterates are the
    same points.
    Cost: a gradient, a Hessian, and a Cholesky factor with its inverse, of order :math:`d^3`; adaptive, a gradient and
    :math:`O(d^2)` a trial.

    Departures: one step back of :math:`\sigma` is a factor 2 as well, the power used by default is the one with a
    quadratic end, and a trial outside the domain, or where the gradient is not finite, has failed. On a standard
    self-concordant function it starts as the classical damped Newton method, :math:`\alpha=1/(1+\lambda)`, and
    :math:`\sigma\le1` throughout.

    >>> import secondorder as so
    >>> history = so.minimize(so.problems.analytic_center(), "root_newton")
    >>> history.status, history.oracle["f"], bool(history["sigma"][1:].max() <= 1.0)
    ('converged', 0, True)
    """
    adaptive, sigma, largest = M is None, 1.0, 0.0
    if M is not None:
        sigma, power = (9.0 * M) ** (1.0 / (exponent - 1.0)), (exponent - 2.0) / (exponent - 1.0)
    grad = problem.grad(x)
    account: dict[str, Any] = {}
    while True:
        yield Iterate(x, grad=grad, **account)
        W = whitening(problem.hess(x))
        whitened = W @ grad
        newton_step, decrement = -(W.T @ whitened), norm(whitened)
        largest = max(largest, decrement)
        sigma = max(sigma / 2.0, SIGMA_MIN) if adaptive and account else sigma
        for trials in range(1, 101):  # noqa: B007 (it is yielded)
            damping = sigma * decrement**power
            step = newton_step / (1.0 + damping)
            try:
                if not adaptive or problem.domain(x + step):
                    grad = problem.grad(x + step)
                    size = norm(W @ grad)
                    passes = size**2 <= -2.0 * damping * float(grad @ step)
                    if passes or size <= rounding(largest, 0.0, epsilon(x)) or not adaptive:
                        break
            except ArithmeticError:  # the gradient is not finite so far away: the trial has failed
                if not adaptive:
                    raise
            sigma *= 2.0
        else:
            return "stalled: 100 doublings of sigma did not pass the test; is the gradient right?"
        x, account = x + step, {"damping": damping, "step": step, "step_size": 1.0 / (1.0 + damping)}
        account |= {"decrement": decrement, "radius": decrement / (1.0 + damping)}
        account |= {"sigma": sigma, "trials": trials} if adaptive else {}
