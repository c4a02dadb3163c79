"""L-BFGS: BFGS that remembers only the last few pairs."""

from __future__ import annotations

from collections import deque

from secondorder.arrays import Array, epsilon, namespace, norm
from secondorder.catalogue import count, fraction, method, positive
from secondorder.ledger import Ledger
from secondorder.linalg import wolfe
from secondorder.run import Iterate, Iterates, ray


@method(
    paper="liu1989limited",
    needs=lambda hyper: ("f", "grad") if hyper["fixed_step"] is None else ("grad",),
    variants={"fixed step": {"fixed_step": 1.0}},
)
def lbfgs(
    problem: Ledger, x: Array, *, memory: count = 10, curvature: fraction = 0.9, fixed_step: positive | None = None
) -> Iterates:
    r"""Limited-memory BFGS with a strong Wolfe search.

    Reference: :cite:`liu1989limited`; :cite:`nocedal2006numerical`, Algorithms 7.4 and 7.5. The product
    :math:`G_k\nabla f(x_k)` is formed from the last m pairs :math:`s=x_{i+1}-x_i`, :math:`y=\nabla f(x_{i+1})-\nabla f(x_i)`
    by the two-loop recursion, from :math:`G^0_k=\frac{s^\top y}{y^\top y}I` of the newest pair (eq. 7.20).

    Parameters
    ----------
    problem : Problem
        Offers ``f`` and ``grad``.
    x : array (d,)
        The start.
    memory : int ≥ 1, default 10
        m, the pairs remembered.
    curvature : float in (0, 1), default 0.9
        :math:`c_2` of the strong Wolfe conditions; :math:`c_1=10^{-4}`.
    fixed_step : float > 0, optional
        Search nothing, and need no ``f``: every step has this size, the first, along the gradient, at most
        :math:`1/\|g\|_1` of it.

    Yields
    ------
    Iterate
        ``f``, ``grad``; ``step``, ``step_size``, ``trials``, ``pairs`` (how many are remembered) that led there.
        Ends as ``stalled`` when 100 trials find no Wolfe point, even along the gradient.

    Guarantee: linear on strongly convex functions; with ``memory`` of at least the step count, BFGS started anew from
    the newest scaling.
    Cost: a value and a gradient a trial, :math:`4md` operations; memory :math:`2md`.

    Departures: pairs with :math:`s^\top y\le10^{-8}\|s\|\|y\|` are not remembered. PyTorch does not search unless asked
    (``fixed_step=1.0``), and leaves out pairs with :math:`s^\top y\le10^{-10}`, whatever their length.

    >>> import secondorder as so
    >>> so.minimize(so.problems.rosenbrock(), "lbfgs").status
    'converged'
    """
    grad, pairs = problem.grad(x), deque(maxlen=memory)  # type: ignore[var-annotated]
    yield Iterate(x, grad=grad)
    f = problem.f(x) if fixed_step is None else None
    while True:
        direction = two_loop(pairs, grad)
        slope, first = float(grad @ direction), 1.0 if pairs else 1.0 / max(norm(grad), 1e-300)
        found: tuple[float, float | None, Array, int] | None = None
        if fixed_step is not None:
            size = fixed_step if pairs else fixed_step * min(1.0, 1.0 / max(_one_norm(grad), 1e-300))
            found = size, None, problem.grad(x + size * direction), 1
        elif f is not None and slope < 0.0:
            found = wolfe(ray(problem, x, direction), f, slope, epsilon(x), curvature=curvature, first=first)
        if found is None:
            if not pairs:
                return "stalled: no Wolfe point even along the gradient: is the gradient right, and f bounded below?"
            pairs.clear()
            continue
        step_size, f, grad_new, trials = found
        step, y = step_size * direction, grad_new - grad
        if float(step @ y) > 1e-8 * norm(step) * norm(y):
            pairs.append((step, y, float(step @ y)))
        x, grad = x + step, grad_new
        yield Iterate(x, f=f, grad=grad, step=step, step_size=step_size, trials=trials, pairs=len(pairs))


def _one_norm(vector: Array) -> float:
    xp = namespace(vector)
    return float(xp.sum(xp.abs(vector)))


def two_loop(pairs: deque[tuple[Array, Array, float]], grad: Array) -> Array:
    """The direction -G grad of the pairs (s, y, s·y), oldest first."""
    q, weights = -grad, []
    for s, y, sy in reversed(pairs):
        weights.append(float(s @ q) / sy)
        q = q - weights[-1] * y
    if pairs:
        _, y, sy = pairs[-1]
        q = sy / float(y @ y) * q
    for (s, y, sy), weight in zip(pairs, reversed(weights), strict=True):
        q = q + (weight - float(y @ q) / sy) * s
    return q
