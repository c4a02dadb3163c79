"""Newton's method regularised with the gradient: a fixed constant, a searched one, and every class at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from secondorder.guarantees.classical import CHAIN, cubed_residual, distances
from secondorder.guarantees.core import guarantee
from secondorder.history import History
from secondorder.oracles import Problem
from secondorder.problems import chain, soft_maximum

HALF_HESSIAN = {**CHAIN, "hyper": lambda problem: {"M": problem.lipschitz_hess / 2.0}}
SEARCHED = {"problem": lambda: chain(30), "steps": 900}


def half_hessian(problem: Any) -> float:
    return problem.lipschitz_hess / 2.0


def half_third(problem: Any) -> float:
    return problem.lipschitz_third / 2.0


def known_class(constant: Callable[[Any], float], q: float, problem: Any) -> dict[str, float]:
    """The hyper-parameters that the theory asks for."""
    return {"M": constant(problem), "q": q}


def progress(history: History) -> np.ndarray:
    """The gradient after each step, times the way back; the run has to keep ``grad`` and ``step``."""
    grads, steps = np.stack(list(history["grad"])[1:]), np.stack(list(history["step"])[1:])
    return -np.sum(grads * steps, axis=1)


def sublinear(problem: Problem, history: History, s: float, c: float, growth: float) -> np.ndarray:
    r"""What holds of :math:`\delta_k=f(x_k)-f^*` when gradient norms grow by ``growth`` at most, :math:`a\ge2`, in a step,
    and each step whose gradient norm does not fall by more than :math:`a^2` has
    :math:`\delta_k-\delta_{k+1}\ge c\,\delta_{k+1}^{1+s}`.

    Of k steps either half are such, or :math:`\|\nabla f(x_k)\|\le a^{-k/2}\|\nabla f(x_0)\|`, since
    :math:`G<k/2` of them give :math:`a^G(a^{-2})^{k-G}`; and then :math:`\delta_k\le D\,\|\nabla f(x_k)\|`. With
    :math:`u=c\,\delta_{k+1}^s` each such step adds to :math:`\delta^{-s}` at least
    :math:`\delta_{k+1}^{-s}\big(1-(1+u)^{-s}\big)=c\,\varphi(u)`, :math:`\varphi(u)=\big(1-(1+u)^{-s}\big)/u`, which falls
    with u, so :math:`c\,\varphi(c\,\delta_0^s)` at least.
    """
    k, first = np.arange(1, len(history)), history.primal_gap[0]
    u = c * first**s
    phi = -np.expm1(-s * np.log1p(u)) / u
    slow = (first**-s + c * phi * k / 2.0) ** (-1.0 / s)
    return np.maximum(slow, distances(problem, history).max() * history.grad_norm[0] * growth ** (-k / 2.0))


@guarantee(
    "gradient_regularized_newton",
    "step",
    r"\|h_k\|\le\frac{\lambda_k}M",
    source="mishchenko2023regularized",
    **HALF_HESSIAN,  # type: ignore[arg-type]
)
def gradient_regularized_step(problem: Any, history: History) -> tuple[Any, Any]:
    return history["radius"][1:], history["damping"][1:] / history["M"][1:]


@guarantee(
    "gradient_regularized_newton",
    "gradient",
    r"\|\nabla f(x_{k+1})\|\le2\lambda_k\|h_k\|",
    source="mishchenko2023regularized",
    **HALF_HESSIAN,  # type: ignore[arg-type]
)
def gradient_regularized_gradient(problem: Any, history: History) -> tuple[Any, Any]:
    return history.grad_norm[1:], 2.0 * history["damping"][1:] * history["radius"][1:]


@guarantee(
    "gradient_regularized_newton",
    "progress",
    r"\frac{\|\nabla f(x_{k+1})\|^2}{2\lambda_k}\le\nabla f(x_{k+1})^\top(x_k-x_{k+1})",
    source="mishchenko2023regularized",
    proof="here",
    keep=("grad", "step"),
    **HALF_HESSIAN,  # type: ignore[arg-type]
)
def gradient_regularized_progress(problem: Any, history: History) -> tuple[Any, Any]:
    return history.grad_norm[1:] ** 2 / (2.0 * history["damping"][1:]), progress(history)


@guarantee(
    "gradient_regularized_newton",
    "decrease",
    r"\tfrac23\lambda_k\|h_k\|^2\le f(x_k)-f(x_{k+1})",
    source="mishchenko2023regularized",
    **HALF_HESSIAN,  # type: ignore[arg-type]
)
def gradient_regularized_decrease(problem: Any, history: History) -> tuple[Any, Any]:
    return 2.0 / 3.0 * history["damping"][1:] * history["radius"][1:] ** 2, -np.diff(history.f)


RATE = r"\max\Big\{\Big(\delta_0^{-1/2}+\tfrac k2c\,\varphi\Big)^{-2},\ 2^{-k/2}D\,\|\nabla f(x_0)\|\Big\}"


@guarantee(
    "gradient_regularized_newton",
    "values, cubed residual",
    r"f(x_k)-f^*\le" + RATE + r",\quad c=\frac1{4\sqrt{MD^3}}",
    source="mishchenko2023regularized",
    proof="here",
    problem=cubed_residual,
    hyper=lambda problem: {"M": problem.lipschitz_hess / 2.0},
    steps=400,
    keep=("x",),
)
@guarantee(
    "gradient_regularized_newton",
    "values",
    r"f(x_k)-f^*\le" + RATE + r",\quad c=\frac1{4\sqrt{MD^3}}",
    source="mishchenko2023regularized",
    proof="here",
    keep=("x",),
    **HALF_HESSIAN,  # type: ignore[arg-type]
)
def gradient_regularized_values(problem: Any, history: History) -> tuple[Any, Any]:
    r"""A step decreases f by :math:`\|g_+\|^2/(2\sqrt{M\|g\|})`; with :math:`\|g\|\le4\|g_+\|` that is
    :math:`\|g_+\|^{3/2}/(4\sqrt M)` at least, and :math:`\|g_+\|\ge\delta_+/D`. See :func:`sublinear`."""
    M, D = problem.lipschitz_hess / 2.0, distances(problem, history).max()
    return history.primal_gap[1:], sublinear(problem, history, 0.5, 1.0 / (4.0 * np.sqrt(M * D**3)), 2.0)


for _where, _label in ((lambda: chain(30), ""), (soft_maximum, ", soft maximum")):

    @guarantee(
        "adaptive_gradient_regularized_newton",
        "gradient" + _label,
        r"\|\nabla f(x_{k+1})\|\le2\lambda_k\|h_k\|",
        source="mishchenko2023regularized",
        problem=_where,
        steps=900,
    )
    def adaptive_gradient(problem: Any, history: History) -> tuple[Any, Any]:
        return history.grad_norm[1:], 2.0 * history["damping"][1:] * history["radius"][1:]

    @guarantee(
        "adaptive_gradient_regularized_newton",
        "decrease" + _label,
        r"\tfrac23\lambda_k\|h_k\|^2\le f(x_k)-f(x_{k+1})",
        source="mishchenko2023regularized",
        problem=_where,
        steps=900,
    )
    def adaptive_decrease(problem: Any, history: History) -> tuple[Any, Any]:
        return 2.0 / 3.0 * history["damping"][1:] * history["radius"][1:] ** 2, -np.diff(history.f)

    @guarantee(
        "adaptive_gradient_regularized_newton",
        "constant" + _label,
        r"M_k\le\max\{1,L_2\}",
        source="mishchenko2023regularized",
        proof="here",
        problem=_where,
        steps=900,
    )
    def adaptive_constant(problem: Any, history: History) -> tuple[Any, Any]:
        """A trial that fails has M < L2/2, and the next has twice that."""
        return history["M"][1:], max(1.0, problem.lipschitz_hess)


@guarantee(
    "adaptive_gradient_regularized_newton",
    "values",
    r"f(x_k)-f^*\le" + RATE + r",\quad c=\frac1{12\sqrt{\max\{1,L_2\}D^3}}",
    source="mishchenko2023regularized",
    proof="here",
    keep=("x",),
    **SEARCHED,  # type: ignore[arg-type]
)
def adaptive_values(problem: Any, history: History) -> tuple[Any, Any]:
    r"""The two tests give a decrease of :math:`\frac23\lambda\|h\|^2\ge\|g_+\|^2/(6\lambda)`, and
    :math:`\|g_+\|\le2\lambda\|h\|\le2\|g\|`; then as with a fixed constant, :math:`M_k\le\max\{1,L_2\}`."""
    M, D = max(1.0, problem.lipschitz_hess), distances(problem, history).max()
    return history.primal_gap[1:], sublinear(problem, history, 0.5, 1.0 / (12.0 * np.sqrt(M * D**3)), 2.0)


@guarantee(
    "super_universal_newton",
    "progress",
    r"\frac{\|\nabla f(x_{k+1})\|^2}{4\lambda_k}\le\nabla f(x_{k+1})^\top(x_k-x_{k+1})",
    source="doikov2024super",
    keep=("grad", "step"),
    **SEARCHED,  # type: ignore[arg-type]
)
def super_universal_progress(problem: Any, history: History) -> tuple[Any, Any]:
    return history.grad_norm[1:] ** 2 / (4.0 * history["damping"][1:]), progress(history)


@guarantee(
    "super_universal_newton",
    "trials",
    r"\sum_{i<k}(1+j_i)\le2k+\log_4\frac{H_k}{H_0}",
    source="doikov2024super",
    **SEARCHED,  # type: ignore[arg-type]
)
def super_universal_trials(problem: Any, history: History) -> tuple[Any, Any]:
    """Each trial but the first of a step multiplies by 4, each step divides by 4, or by less at the floor."""
    k = np.arange(1, len(history))
    begin = np.maximum(history["M"][1:] / 4.0, 1e-5)
    return np.cumsum(history["trials"][1:]), 2.0 * k + np.log(begin) / np.log(4.0)


for _where, _label, _M, _q in (
    (lambda: chain(30), "", half_hessian, 3.0),
    (soft_maximum, ", soft maximum", half_hessian, 3.0),
    (lambda: chain(30, p=3), ", third order", half_third, 4.0),
):
    _valid = r"\sqrt{\tfrac12L_2\|\nabla f(x_k)\|}" if _q == 3.0 else r"\big(\tfrac12L_3\|\nabla f(x_k)\|^2\big)^{1/3}"

    @guarantee(
        "super_universal_newton",
        "decrease" + _label,
        r"\frac{\|\nabla f(x_{k+1})\|^2}{4\lambda_k}\le f(x_k)-f(x_{k+1})",
        source="doikov2024super",
        problem=_where,
        steps=900,
    )
    def super_universal_decrease(problem: Any, history: History) -> tuple[Any, Any]:
        return history.grad_norm[1:] ** 2 / (4.0 * history["damping"][1:]), -np.diff(history.f)

    @guarantee(
        "super_universal_newton",
        "search" + _label,
        r"\lambda_k\le4" + _valid + r"\text{ where }j_k>0",
        source="doikov2024super",
        proof="here",
        problem=_where,
        steps=900,
    )
    def super_universal_search(problem: Any, history: History, M: Any = _M, q: float = _q) -> tuple[Any, Any]:
        """The trial before had a quarter of the damping, and failed."""
        valid = (M(problem) * history.grad_norm[:-1] ** (q - 2.0)) ** (1.0 / (q - 1.0))
        searched = history["trials"][1:] > 1
        return history["damping"][1:][searched], 4.0 * valid[searched]

    @guarantee(
        "super_universal_newton",
        "progress, known class" + _label,
        r"\frac{\|\nabla f(x_{k+1})\|^2}{2\lambda_k}\le\nabla f(x_{k+1})^\top(x_k-x_{k+1}),\quad\lambda_k=" + _valid,
        source="doikov2024super",
        proof="here",
        problem=_where,
        hyper=partial(known_class, _M, _q),
        steps=900,
        keep=("grad", "step"),
    )
    def super_universal_known(problem: Any, history: History) -> tuple[Any, Any]:
        r"""With :math:`e=\nabla f(x+h)-\nabla f(x)-\nabla^2f(x)h` the step gives :math:`g_++\lambda h=e`, and the claim is
        :math:`\|e\|\le\lambda\|h\|`. q = 3: :math:`\|e\|\le\frac{L_2}2\|h\|^2` and :math:`\|h\|\le\|g\|/\lambda`. q = 4:
        :math:`\|e\|\le\frac12\|D^3f[h,h]\|+\frac{L_3}6\|h\|^3`; as :math:`\nabla^2f(x\pm\tau u)\succeq0` for every
        :math:`\tau`, :math:`|D^3f[u,h,h]|\le\sqrt{2L_3h^\top\nabla^2f\,h}\,\|h\|\,\|u\|`, and
        :math:`h^\top\nabla^2f\,h\le\|g\|^2/(4\lambda)`, so
        :math:`\|e\|/(\lambda\|h\|)\le\frac14\sqrt{2t}+\frac t6` with :math:`t=L_3\|g\|^2/\lambda^3`, at t = 2 five sixths."""
        return history.grad_norm[1:] ** 2 / (2.0 * history["damping"][1:]), progress(history)


UNIVERSAL_RATE = (
    r"f(x_k)-f^*\le\max\Big\{\Big(\delta_0^{-s}+\tfrac k2c\,\varphi\Big)^{-1/s},\ 2^{-k}D\,\|\nabla f(x_0)\|\Big\},"
    r"\quad c=4^{-2-2\alpha}C^{-s}D^{-1-s},\quad "
)

for _where, _label, _constants, _M, _q in (
    (lambda: chain(30), "values", r"s=\tfrac12,\ C=\tfrac{L_2}2", half_hessian, 3.0),
    (lambda: chain(30, p=3), "values, third order", r"s=\tfrac13,\ C=\tfrac{L_3}2", half_third, 4.0),
):

    @guarantee(
        "super_universal_newton",
        _label,
        UNIVERSAL_RATE + _constants,
        source="doikov2024super",
        proof="here",
        problem=_where,
        steps=900,
        keep=("x",),
    )
    def super_universal_values(problem: Any, history: History, M: Any = _M, q: float = _q) -> tuple[Any, Any]:
        r"""Let s = 1/(q-1). The search stops below :math:`4C^s\|g_i\|^{1-s}`, so with :math:`\|g_i\|\ge\delta_k/D` for
        :math:`i\le k` it leaves :math:`M_k\le K_k=4C^s(D/\delta_k)^{\alpha-1+s}` (as here :math:`K_0\ge1`, the first
        constant). A step with :math:`\|g\|\le16\|g_+\|` decreases f by :math:`\|g_+\|^2/(4\lambda)\ge
        \|g_+\|^{2-\alpha}/(4\cdot16^\alpha K_k)\ge(\delta_+/D)^{1+s}/(4^{2+2\alpha}C^s)`, and
        :math:`\|g_+\|\le4\|g\|`. See :func:`sublinear`."""
        s, D = 1.0 / (q - 1.0), distances(problem, history).max()
        C, first = M(problem), history.primal_gap[0]
        if 4.0 * C**s * (D / first) ** s < 1.0:
            raise ValueError("the first constant is above what the search would leave: the bound does not apply")
        return history.primal_gap[1:], sublinear(problem, history, s, D ** -(1.0 + s) / (4.0**4 * C**s), 4.0)
