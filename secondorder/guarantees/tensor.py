r"""The third-order method, plain and accelerated, with :math:`M=6L_3`.

Everything rests on one step from v to :math:`u=v+h`, with :math:`G=\nabla f(u)` and the subproblem solved to
:math:`\|\nabla\Omega(h)\|\le\frac16\|G\|`. As :math:`\|\nabla f(v+h)-\nabla\Phi(h)\|\le\frac{L_3}6\|h\|^3` for the Taylor
polynomial :math:`\Phi` and :math:`\nabla\Omega=\nabla\Phi+\frac M6\|h\|^2h`,

.. math:: \big\|G+\tfrac M6\|h\|^2h\big\|\le\tfrac{M}{36}\|h\|^3+\tfrac16\|G\| .

By the triangle inequality :math:`\|G\|\le\frac{7M}{30}\|h\|^3`. The square, divided by :math:`\frac M3\|h\|^2`, bounds
:math:`-G^\top h` from below; least over :math:`\|h\|`, at :math:`\frac M6\|h\|^3=\frac57\|G\|`, it says
:math:`-G^\top h\ge(\frac{30}{7M}\|G\|^4)^{1/3}`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from secondorder.guarantees.core import guarantee
from secondorder.history import History
from secondorder.oracles import Problem
from secondorder.problems import chain, ill_scaled_logistic, soft_maximum

PLAIN = {"accelerated": False, "third_derivative": "exact"}
PROVEN = {"weights": "proven", "safeguard": False, "third_derivative": "exact"}


def third_order_chain() -> Problem:
    return chain(20, p=3)


def far_logistic() -> Problem:
    problem = ill_scaled_logistic(n=200, d=5, decades=1.0, l2=1e-3)
    problem.x0 = np.full(5, 10.0)
    return problem


def valid(setting: dict[str, Any]) -> Any:
    """The setting with M from the known constant of the problem."""
    return lambda problem: {"M": 6.0 * problem.lipschitz_third, **setting}


def plain_model(problem: Any, history: History) -> tuple[Any, Any]:
    """f(x + h) is at most the model there, which exceeds Taylor's polynomial by M/24 |h|^4, four times what is needed."""
    return history["decrease"][1:], -np.diff(history.f)


def plain_progress(problem: Any, history: History) -> tuple[Any, Any]:
    """Convexity, f(x_k) - f(x_{k+1}) >= -G'h, and the inequality of the step."""
    return (30.0 / (7.0 * history["M"][1:]) * history.grad_norm[1:] ** 4) ** (1.0 / 3.0), -np.diff(history.f)


def gradient(problem: Any, history: History) -> tuple[Any, Any]:
    return history.grad_norm[1:], 7.0 / 30.0 * history["M"][1:] * history["radius"][1:] ** 3


def plain_values(problem: Any, history: History) -> tuple[Any, Any]:
    r"""With :math:`\delta_k=f(x_k)-f^*`, weights :math:`a_i` and their sums :math:`A_i`: :math:`A_{k-1}\delta_k\le
    A_{k-1}(\delta_{k-1}+G^\top h)` and :math:`a_k\delta_k\le a_k(\|G\|D+G^\top h)` add up to :math:`A_k\delta_k\le
    A_{k-1}\delta_{k-1}+a_k\|G\|D-A_k(\frac{30}{7M}\|G\|^4)^{1/3}\le A_{k-1}\delta_{k-1}+\frac{63}{2560}MD^4a_k^4/A_k^3`.
    With :math:`A_k=k(k+1)(k+2)(k+3)` the quotient is below 256."""
    k, M = np.arange(1, len(history)), history["M"][1:]
    D = np.linalg.norm(np.stack(list(history["x"])) - problem.x_star, axis=1).max()
    return history.primal_gap[1:], 6.3 * M * D**4 / ((k + 1.0) * (k + 2.0) * (k + 3.0))


def invariant(problem: Any, history: History) -> tuple[Any, Any]:
    """Less the least value, where it is known, on both sides."""
    floor = problem.f_star or 0.0
    return history.f[1:] - floor, history["ceiling"][1:] - floor


def accelerated_values(problem: Any, history: History) -> tuple[Any, Any]:
    r""":math:`A_tf(x_t)\le\min\psi_t\le\psi_t(x^*)\le A_tf^*+\frac14R^4`, and :math:`A_t\ge\frac q{256}(t+3)^4` as each
    step adds at least :math:`\frac14q^{1/4}` to :math:`A^{1/4}`, the first :math:`q^{1/4}`; :math:`q=\frac{160}{63M}`."""
    t, R = np.arange(1, len(history)), np.linalg.norm(problem.x0 - problem.x_star)
    return history.primal_gap[1:], 25.2 * history["M"][1:] * R**4 / (t + 3.0) ** 4


CASES = {"chain": third_order_chain, "soft maximum": soft_maximum}
PLAIN_MODEL = r"-\Omega(h_k)\le f(x_k)-f(x_{k+1})"
PLAIN_PROGRESS = r"\Big(\frac{30}{7M}\|\nabla f(x_{k+1})\|^4\Big)^{1/3}\le f(x_k)-f(x_{k+1})"
GRADIENT = r"\|\nabla f(x_{k+1})\|\le\frac{7M}{30}\|h_k\|^3"
PLAIN_VALUES = r"f(x_k)-f^*\le\frac{6.3\,MD^4}{(k+1)(k+2)(k+3)}"
INVARIANT = r"A_tf(x_t)\le\min\psi_t"
VALUES = r"f(x_t)-f^*\le\frac{25.2\,M\|x_0-x^*\|^4}{(t+3)^4}"


def enter(label: str, statement: str, sides: Any, problem: Any, setting: dict[str, Any], steps: int) -> None:
    guarantee(
        "accelerated_tensor_method",
        label,
        statement,
        source="nesterov2021implementable",
        proof="here",
        problem=problem,
        hyper=valid(setting),
        steps=steps,
        keep=("x",),
    )(sides)


for name, problem in (*CASES.items(), ("logistic", far_logistic)):
    enter(f"model, {name}", PLAIN_MODEL, plain_model, problem, PLAIN, 300)
    enter(f"progress, {name}", PLAIN_PROGRESS, plain_progress, problem, PLAIN, 300)
    enter(f"gradient, {name}", GRADIENT, gradient, problem, PLAIN, 300)
    enter(f"invariant, {name}", INVARIANT, invariant, problem, PROVEN, 300)
    enter(f"invariant with searched weights, {name}", INVARIANT, invariant, problem, {}, 300)
for name, problem in CASES.items():
    enter(f"plain values, {name}", PLAIN_VALUES, plain_values, problem, PLAIN, 600)
    enter(f"values, {name}", VALUES, accelerated_values, problem, PROVEN, 600)
