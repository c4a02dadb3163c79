"""Any optimiser of the catalogue as a method of ``scipy.optimize.minimize``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from secondorder.catalogue import find
from secondorder.oracles import CORE, Problem
from secondorder.run import Iterate, minimize

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

STATUS = {"converged": 0, "finished": 0, "step_limit": 1, "time_limit": 1, "stalled": 2, "breakdown": 3, "diverged": 4}


def as_scipy(method: str | Callable[..., Any], **hyper: Any) -> Callable[..., OptimizeResult]:
    """A function to pass as ``method=`` to ``scipy.optimize.minimize``.

    Parameters
    ----------
    method : str or function
        A method of the catalogue.
    **hyper
        Its hyper-parameters.

    Raises ``ValueError`` for a method that needs more of a problem than value, gradient and Hessian.

    SciPy's ``jac`` (a function, or True), ``hess`` (a function, or ``"2-point"``, ``"3-point"``, ``"cs"``: differences
    of the gradient), ``hessp``, ``args``, ``tol``, ``callback`` (called with x, or with ``intermediate_result`` if that
    is its argument's name; StopIteration ends the run) and the options ``gtol`` and ``maxiter`` are honoured. Bounds,
    constraints, ``HessianUpdateStrategy`` objects and other options raise ``ValueError``. Without ``jac`` the gradient
    is taken by forward differences, as SciPy does. ``nfev``, ``njev`` and ``nhev`` count every call of your functions,
    those for differences and for the record included; ``result.history.oracle`` counts what the method asked for.

    >>> import scipy.optimize as opt, secondorder as so
    >>> answer = opt.minimize(opt.rosen, [-1.2, 1.0], jac=opt.rosen_der, hess=opt.rosen_hess,
    ...                       method=so.as_scipy("cubic_newton"))
    >>> answer.success, answer.x.round(6)
    (True, array([1., 1.]))
    """
    function = find(method)
    name = function.method.name  # type: ignore[attr-defined]
    function.method.require_kind("optimiser")  # type: ignore[attr-defined]
    function.method.check(hyper)  # type: ignore[attr-defined]
    foreign = [oracle for oracle in function.method.oracles(hyper) if oracle not in CORE]  # type: ignore[attr-defined]
    if foreign:
        raise ValueError(f"{name} needs {', '.join(foreign)}, which scipy.optimize.minimize cannot pass on")

    def scipy_method(
        fun: Callable[..., float],
        x0: Any,
        args: tuple[Any, ...] = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Any = None,
        tol: float | None = None,
        gtol: float | None = None,
        maxiter: int | None = None,
        **options: Any,
    ) -> OptimizeResult:
        from scipy.optimize import OptimizeResult, approx_fprime

        if bounds is not None or (constraints is not None and len(np.atleast_1d(constraints))):
            raise ValueError(f"{name} is unconstrained: it cannot honour bounds or constraints")
        if set(options) - {"disp"}:
            raise ValueError(
                f"unknown option {min(set(options) - {'disp'})!r}; {name} understands gtol, maxiter and disp"
            )
        if isinstance(hess, str) and not callable(jac):
            raise ValueError(f"hess={hess!r} takes differences of the gradient: it needs jac, a function or True")
        calls: Counter[str] = Counter()

        def counted(oracle: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def ask(*arguments: Any) -> np.ndarray:
                calls[oracle] += 1
                answer = function(*arguments, *args)
                return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)

            return ask

        value = counted("f", fun)
        grad = counted("grad", jac) if callable(jac) else (lambda x: approx_fprime(x, value, 1.5e-8))
        problem = Problem(
            value,
            grad,
            counted("hess", hess) if callable(hess) else _differences(hess, grad),
            None if hessp is None else counted("hvp", hessp),
            x0=np.atleast_1d(x0),
            name=getattr(fun, "__name__", "fun"),
        )
        steps = 10_000 if maxiter is None else maxiter
        tol = tol if gtol is None else gtol
        history = minimize(problem, function, tol=tol, steps=steps, callback=_callback(callback, problem), **hyper)
        result = OptimizeResult(
            x=history.x,
            fun=float(history.f[-1]),
            jac=problem.grad(history.x),
            nit=len(history) - 1,
            nfev=calls["f"],
            njev=calls["grad"],
            nhev=calls["hess"] + calls["hvp"],
            success=history.status in ("converged", "finished"),
            status=STATUS.get(history.status, 99),
            message=f"{history.status} {history.message}".strip(),
            history=history,
        )
        if options.get("disp"):
            print(history)
        return result

    return scipy_method


def _differences(hess: Any, grad: Callable[[Any], Any]) -> Callable[[Any], Any] | None:
    if hess is None:
        return None
    if hess not in ("2-point", "3-point", "cs"):
        raise ValueError(f"hess must be a function, '2-point', '3-point' or 'cs'; got {hess!r}")

    def differences(x: np.ndarray) -> np.ndarray:
        eps = np.finfo(float).eps
        steps = {"2-point": eps**0.5, "3-point": eps ** (1 / 3), "cs": 1e-30}[hess] * np.maximum(1.0, np.abs(x))
        E = np.diag(steps)
        if hess == "cs":
            columns = [np.imag(grad(x + 1j * e)) for e in E]
        elif hess == "3-point":
            columns = [(grad(x + e) - grad(x - e)) / 2.0 for e in E]
        else:
            g = grad(x)
            columns = [grad(x + e) - g for e in E]
        H = np.stack(columns, axis=1) / steps
        return (H + H.T) / 2.0

    return differences


def _callback(callback: Any, problem: Problem) -> Callable[[Iterate], bool] | None:
    """The callback after each step, as SciPy calls it: not at the start."""
    if callback is None:
        return None
    import inspect

    from scipy.optimize import OptimizeResult

    named = "intermediate_result" in inspect.signature(callback).parameters
    started = False

    def wrapped(iterate: Iterate) -> bool:
        nonlocal started
        if not started:
            started = True
            return False
        x = np.array(iterate.x)
        try:
            if named:
                fun = iterate.f if "f" in iterate else problem.f(x)
                callback(intermediate_result=OptimizeResult(x=x, fun=fun, **iterate.quantities))
            else:
                callback(x)
        except StopIteration:
            return True
        return False

    return wrapped
