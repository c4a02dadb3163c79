"""Implementations of elsewhere as candidates. Each adapter imports the other library when it runs, and none before."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import importlib.util
import inspect
import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from secondorder.arrays import Array
from secondorder.ledger import Ledger
from secondorder.run import Iterate, Iterates
from secondorder.schedules import NoiseGrid
from secondorder.validate.files import read_run
from secondorder.validate.recording import Candidate, Recording

NAMES = {
    **dict.fromkeys(("m", "mu", "exp_avg", "first_moment"), "first_moment"),
    **dict.fromkeys(("v", "nu", "exp_avg_sq", "exp_hessian_diag_sq", "second_moment"), "second_moment"),
    **dict.fromkeys(("hessian", "exp_hessian_diag", "hessian_diagonal"), "hessian_diagonal"),
}
"""What other libraries call a quantity, and what it is called here."""

TAKEN = ("x", "self")
"""What a row has already, and no state can be shown as."""

ELSEWHERE = ("step", "count", "n_iter", "func_evals", "f", "grad", "x")
"""What other libraries keep under names that mean something else here, or what the problem has told."""


def as_candidate(candidate: Any) -> Candidate | Recording:
    """A candidate from what stands for one: itself, a method or generator function, the path of a recorded run, a class
    of ``torch.optim`` or an optax transformation."""
    if isinstance(candidate, (Candidate, Recording)):
        return candidate
    if isinstance(candidate, (str, os.PathLike)):
        return read_run(candidate)
    name = getattr(candidate, "__name__", type(candidate).__name__)
    if hasattr(candidate, "method") or inspect.isgeneratorfunction(candidate):
        return Candidate(name, candidate)
    if inspect.isclass(candidate) and any(base.__module__.startswith("torch.optim") for base in candidate.__mro__):
        return from_torch(candidate)
    if callable(getattr(candidate, "init", None)) and callable(getattr(candidate, "update", None)):
        return from_optax(candidate)
    advice = "made by validate.from_step, from_torch, from_optax, from_scipy or from_scipy_least_squares"
    if hasattr(candidate, "param_groups"):
        advice = f"the class and its options: validate.from_torch({name}, ...), not an optimiser that has parameters"
    elif hasattr(candidate, "set_timesteps"):
        advice = "made by validate.from_scheduler(lambda: scheduler, steps)"
    elif callable(candidate):
        advice += f"; for one step of an algorithm, validate.from_step({name})"
    raise TypeError(
        f"candidate must be a method, a generator function, a recorded run, or {advice}; got {type(candidate).__name__}"
    )


def from_step(
    step: Callable[..., Any], state: Any = None, *, name: str | None = None, dtype: str = "float64"
) -> Candidate:
    """A candidate from a function that takes one step.

    Parameters
    ----------
    step : function ``(params, grad, state) -> (params, state)``
        ``params`` and ``grad`` are arrays (d,), not to be written to. A state that is a dictionary is shown to the
        comparison: its arrays and numbers under the names of the reference, or the usual ones of other libraries. If it
        names them, it is also given ``rng``, the generator to draw probes from, and ``hvp``, a function that multiplies an
        array (d,) by the Hessian at ``params``.
    state : any, default None
        What the first step is given; a copy, so that the candidate can be run again.
    dtype : str, default "float64"
        Of the arrays it is given, and the tolerance.

    Returns
    -------
    Candidate
        What the function does wrong ends in the report.

    Raises ``TypeError`` or ``ValueError`` for a dtype that is none of floating-point numbers.

    >>> import secondorder as so
    >>> def step(params, grad, state):
    ...     return params - 1e-3 * grad / (abs(grad) + 1e-8), state
    >>> so.validate.check(from_step(step), "adam", beta1=0.0, beta2=0.0).agrees
    True
    """
    if not callable(step):
        raise TypeError(f"step must be a function (params, grad, state) -> (params, state); got {type(step).__name__}")
    epsilon = _rounding_unit(dtype)
    named = set(_parameters(step)) & {"rng", "hvp"}

    def iterates(problem: Ledger, x: Array, *, batch_size: int | None = None, rng: Any = None) -> Iterates:
        params, present = np.array(x, dtype=dtype), copy.deepcopy(state)
        probes = _own_stream(rng)
        yield Iterate(params.astype(np.float64))
        for batch in problem.batches(batch_size, rng):
            point = params.astype(np.float64)
            grad = batch.grad(point).astype(dtype)
            grad.flags.writeable = params.flags.writeable = False
            offered = {"rng": probes, "hvp": _products(batch, point, dtype)}
            params, present = _stepped(step, params, grad, present, {each: offered[each] for each in named})
            yield Iterate(params.astype(np.float64), **quantities(present))
        return "finished"

    return Candidate(name or str(getattr(step, "__name__", "step")), iterates, epsilon)


def from_torch(make: Callable[..., Any], dtype: str = "float64", name: str | None = None, **options: Any) -> Candidate:
    """A candidate from an optimiser of PyTorch, or of any library with optimisers of that shape.

    Parameters
    ----------
    make : class or function
        Called with a list of parameters and ``options``, it returns an optimiser with ``step``. Where the problem has
        layers each is a parameter, a matrix [W b]; otherwise x is one vector.
    dtype : str, default "float64"
        Of the parameters, and the tolerance.
    name : str, optional
        By default that of ``make``.
    **options
        For ``make``: ``lr``, ``betas`` …

    The gradients can be differentiated once more, as after ``loss.backward(create_graph=True)``: what an optimiser asks
    of ``torch.autograd.grad`` is answered by the problem's ``hvp``. One whose ``step`` needs a closure is given it. The
    tensors in its state are shown to the comparison. It may write to ``p.grad``, which is its own.

    Returns
    -------
    Candidate
        What the optimiser does wrong ends in the report.

    Raises ``ModuleNotFoundError`` without PyTorch, ``ValueError`` for a dtype that is none of its floating-point types.

    >>> import torch                                                          # doctest: +SKIP
    >>> so.validate.check(from_torch(torch.optim.Adam, lr=1e-3), "adam").agrees   # doctest: +SKIP
    True
    """
    torch = importlib.import_module("torch")
    kind = getattr(torch, dtype, None)
    if not getattr(kind, "is_floating_point", False):
        raise ValueError(f"dtype must name a floating-point type of torch, such as 'float32'; got {dtype!r}")
    differentiated = _differentiated(torch)

    def iterates(problem: Ledger, x: Array, *, batch_size: int | None = None, rng: Any = None) -> Iterates:
        params = [torch.tensor(layer, dtype=kind, requires_grad=True) for layer in _layers(problem, x)]
        optimiser = make(params, **options)
        with_closure = _needs(optimiser.step, "closure")
        torch_rng = torch.Generator().manual_seed(int(_own_stream(rng).integers(2**62))).get_state()
        yield Iterate(_vector(params))
        for batch in problem.batches(batch_size, rng):

            def closure(batch: Ledger = batch) -> Any:
                for param, grad in zip(params, differentiated(batch, *params), strict=True):
                    param.grad = grad
                return torch.tensor(batch.f(_vector(params)) if with_closure else np.nan, dtype=kind)

            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(torch_rng)
                if with_closure:
                    optimiser.step(closure)
                else:
                    closure()
                    optimiser.step()
                torch_rng = torch.get_rng_state()
            yield Iterate(_vector(params), **_torch_state(optimiser, params))
        return "finished"

    return Candidate(name or str(getattr(make, "__name__", "optimiser")), iterates, float(torch.finfo(kind).eps))


def from_optax(transform: Any, dtype: str = "float64", name: str | None = None) -> Candidate:
    """A candidate from a gradient transformation of optax, or of that shape.

    Parameters
    ----------
    transform : object with ``init(params)`` and ``update(grads, state, params)``
        The parameters are a list of arrays: the layers where the problem has them, otherwise x. An ``update`` that takes
        ``value``, ``grad`` and ``value_fn``, as that of a line search does, is given them.
    dtype : str, default "float64"
        Of the parameters, and the tolerance; 64 bits are switched on in JAX for the time of a step.
    name : str, optional

    Where JAX is not installed, the arrays are NumPy's. Arrays and numbers in the state are shown to the comparison.

    Returns
    -------
    Candidate
        What the transformation does wrong ends in the report.

    Raises ``TypeError`` or ``ValueError`` for a dtype that is none of floating-point numbers.

    >>> import collections, secondorder as so
    >>> transform = collections.namedtuple("Transformation", "init update")   # of that shape, as those of optax are
    >>> descent = transform(lambda params: (), lambda grads, state, params: ([-1e-3 * g for g in grads], state))
    >>> so.validate.record(from_optax(descent), so.problems.quadratic([1.0, 2.0]), [1.0, 1.0], steps=1).rows[1].x
    array([0.999, 0.998])
    """

    epsilon = _rounding_unit(dtype)

    def iterates(problem: Ledger, x: Array, *, batch_size: int | None = None, rng: Any = None) -> Iterates:
        jax = importlib.import_module("jax") if importlib.util.find_spec("jax") else None
        asarray = np.array if jax is None else jax.numpy.array
        double: Callable[[], Any] = contextlib.nullcontext if jax is None else lambda: jax.enable_x64(True)
        oracles = Oracles(dtype)
        update = _updater(transform, oracles, jax)
        with double():
            params = [asarray(layer, dtype=dtype) for layer in _layers(problem, x)]
            state = transform.init(params)
        yield Iterate(_vector(params))
        for batch in problem.batches(batch_size, rng):
            with double():
                oracles.batch = batch
                updates, state = update([asarray(grad) for grad in oracles.grad(*params)], state, params)
                params = [p + u for p, u in zip(params, updates, strict=True)]
                told = _optax_state(state, params)
            yield Iterate(_vector(params), **told)
        return "finished"

    return Candidate(name or "optax transformation", iterates, epsilon)


def from_scipy(method: str = "Newton-CG", name: str | None = None, **options: Any) -> Candidate:
    """A candidate from a method of ``scipy.optimize.minimize``: its rows are what it hands to its callback.

    Parameters
    ----------
    method : str, default "Newton-CG"
        It is given ``jac``, and of ``hessp`` and ``hess`` what it takes.
    name : str, optional
    **options
        Of the method: ``gtol``, ``xtol``, ``maxiter`` …

    Returns
    -------
    Candidate
        What SciPy raises, also for an unknown method, ends in the report.

    >>> import secondorder as so
    >>> from secondorder.validate import record
    >>> record(from_scipy("trust-exact"), so.problems.rosenbrock(), steps=3).rows[3].x.round(3)
    array([-1.075,  1.152])
    """
    from scipy.optimize import minimize

    key = method.lower()
    second = {
        **dict.fromkeys(("newton-cg", "trust-ncg", "trust-krylov", "trust-constr"), "hessp"),
        **dict.fromkeys(("dogleg", "trust-exact"), "hess"),
    }
    without_gradient = key in ("nelder-mead", "powell", "cobyla", "cobyqa")

    def iterates(problem: Ledger, x: Array) -> Iterates:
        derivatives: dict[str, Any] = {} if without_gradient else {"jac": problem.grad}
        if key in second:
            derivatives[second[key]] = problem.hess if second[key] == "hess" else problem.hvp

        def solve(tell: Callable[..., None]) -> Any:
            return minimize(problem.f, np.array(x), method=method, callback=tell, options=options, **derivatives)

        yield Iterate(x)
        result = yield from handed(solve)
        return "finished" if result.success else f"stalled: {result.message}"

    return Candidate(name or f"scipy {method}", iterates)


def from_scipy_least_squares(method: str = "lm", name: str | None = None, **options: Any) -> Candidate:
    """A candidate from ``scipy.optimize.least_squares``: its rows are the points at which it asks for the Jacobian.

    Parameters
    ----------
    method : "lm" (default), "trf" or "dogbox"
        MINPACK's Levenberg-Marquardt, which has no callback, or SciPy's trust regions.
    name : str, optional
    **options
        For ``least_squares``: ``xtol``, ``x_scale`` …

    Returns
    -------
    Candidate
        What SciPy raises ends in the report.

    >>> import secondorder as so
    >>> run = so.validate.record(from_scipy_least_squares("lm"), so.problems.nist("Misra1a", start=2), steps=50)
    >>> run.status, run.rows[-1].x.round(2)
    ('finished', array([238.94,   0.  ]))
    """
    from scipy.optimize import least_squares

    def iterates(problem: Ledger, x: Array) -> Iterates:
        def solve(tell: Callable[..., None]) -> Any:
            def jac(point: Array) -> Array:
                tell(point)
                return problem.jac(point)

            result = least_squares(problem.residual, np.array(x), jac=jac, method=method, **options)
            tell(result.x)
            return result

        result = yield from handed(solve)
        return "finished" if result.success else f"stalled: {result.message}"

    return Candidate(name or f"scipy least_squares {method}", iterates)


def from_scheduler(make: Callable[[], Any], steps: int = 20, *, name: str | None = None) -> tuple[Candidate, NoiseGrid]:
    r"""A candidate from a sampler shaped like the schedulers of diffusers, and the noise levels it walks through.

    Parameters
    ----------
    make : function without arguments
        Makes a scheduler, with ``set_timesteps``, ``timesteps``, ``alphas_cumprod`` or ``sigmas`` and
        ``step(model_output, t, x).prev_sample``, whose model predicts the noise. Here the model is the exact
        :math:`-\sigma\nabla\log p_t`.
    steps : int, default 20

    Returns
    -------
    (Candidate, NoiseGrid)
        ``check(candidate, "ddim", grid=grid)`` leads both through the same levels. The tolerance is that of float32.

    Raises ``ModuleNotFoundError`` without PyTorch; what ``make`` or ``set_timesteps`` raises is passed on.

    >>> from diffusers import DDIMScheduler                                   # doctest: +SKIP
    >>> candidate, grid = from_scheduler(lambda: DDIMScheduler(clip_sample=False), 25)   # doctest: +SKIP
    >>> so.validate.check(candidate, "ddim", grid=grid).agrees                # doctest: +SKIP
    True
    """
    torch = importlib.import_module("torch")

    def ready() -> tuple[Any, list[tuple[float, float]]]:
        scheduler = make()
        scheduler.set_timesteps(steps)
        return scheduler, _levels(scheduler)

    def iterates(problem: Ledger, x: Array) -> Iterates:
        scheduler, levels = ready()
        present = torch.tensor(x)
        yield Iterate(x)
        for k, (t, (alpha, sigma)) in enumerate(zip(scheduler.timesteps, levels)):
            noise = -sigma * problem.score(present.numpy().astype(np.float64), alpha=alpha, sigma=sigma)
            present = scheduler.step(torch.tensor(noise), t, present).prev_sample
            if k + 1 == len(scheduler.timesteps) or getattr(scheduler, "state_in_first_order", True):
                yield Iterate(present.numpy().astype(np.float64))
        return "finished"

    scheduler, levels = ready()
    single = float(np.finfo(np.float32).eps)
    return Candidate(name or type(scheduler).__name__, iterates, single), NoiseGrid(dict.fromkeys(levels))


def quantities(state: Any, names: Mapping[str, str] = NAMES) -> dict[str, Any]:
    """Of a dictionary its arrays and numbers under the names of this library."""
    if not isinstance(state, Mapping):
        return {}
    numbers = (np.ndarray, float, int, np.generic)
    return {
        names.get(key, key): np.array(value)
        for key, value in state.items()
        if isinstance(key, str) and key not in TAKEN
        if isinstance(value, numbers) and not (key in ELSEWHERE and np.ndim(value) == 0)
    }


def _stepped(
    step: Callable[..., Any], params: Array, grad: Array, state: Any, more: dict[str, Any]
) -> tuple[Array, Any]:
    try:
        answer = step(params, grad, state, **more)
    except ValueError as error:
        if "read-only" in str(error):
            raise ValueError("step writes to params or grad: let it work on a copy") from error
        raise
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise TypeError(f"step must return (params, state); got {type(answer).__name__}")
    new = np.asarray(answer[0])
    if new.dtype.kind not in "fiu":
        raise TypeError(f"step must return params of real numbers; got dtype {new.dtype}")
    return new.astype(params.dtype), answer[1]


def _rounding_unit(dtype: Any) -> float:
    try:
        return float(np.finfo(np.dtype(dtype)).eps)
    except (TypeError, ValueError):
        raise ValueError(f"dtype must name a floating-point type, such as 'float32'; got {dtype!r}") from None


def _products(batch: Ledger, point: Array, dtype: str) -> Callable[[Any], Array]:
    return lambda v: batch.hvp(point, np.array(v, dtype=np.float64)).astype(dtype)


def _own_stream(rng: Any) -> np.random.Generator:
    """A stream apart from that of the batches."""
    return (np.random.default_rng(0) if rng is None else rng).spawn(1)[0]


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # built in, without a signature
        return {}


def _needs(function: Callable[..., Any], name: str) -> bool:
    found = _parameters(function).get(name)
    return found is not None and found.default is found.empty


def _takes(function: Callable[..., Any], name: str) -> bool:
    found = _parameters(function)
    return name in found or any(each.kind is each.VAR_KEYWORD for each in found.values())


def _layers(problem: Any, x: Array) -> list[Array]:
    """The matrices of a network, or x."""
    return [np.array(layer) for layer in (problem.split(x) if hasattr(problem, "split") else (x,))]


def _numbers(value: Any) -> Array:
    """A tensor or array of any library as an array of its own, in float64."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().double().numpy()
    return np.array(value, dtype=np.float64)


def _vector(layers: Sequence[Any]) -> Array:
    return np.concatenate([_numbers(layer).ravel() for layer in layers])


def _shaped(vector: Array, like: Sequence[Any]) -> list[Array]:
    ends = np.cumsum([np.prod(each.shape, dtype=int) for each in like])
    return [part.reshape(each.shape) for part, each in zip(np.split(vector, ends[:-1]), like)]


def _joined(values: Sequence[Any], params: Sequence[Any]) -> Any:
    """What is kept of each layer: one vector if it is shaped like the layers, a number if it is the same for all."""
    arrays = [_numbers(value) for value in values]
    shapes = [array.shape for array in arrays]
    if shapes == [tuple(param.shape) for param in params]:
        return _vector(arrays)
    if not any(shapes):
        return float(arrays[0]) if len({float(array) for array in arrays}) == 1 else None
    return tuple(arrays)


def _differentiated(torch: Any) -> Callable[..., Any]:
    """The gradient at the parameters, a tensor for each, which can itself be differentiated."""

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, batch: Ledger, *params: Any) -> Any:
            context.batch, context.point, context.like = batch, _vector(params), params
            return _tensors(torch, batch.grad(context.point), params)

        @staticmethod
        def backward(context: Any, *directions: Any) -> Any:
            product = context.batch.hvp(context.point, _vector(directions))
            return None, *_tensors(torch, product, context.like)

    return Gradient.apply


def _tensors(torch: Any, vector: Array, like: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(torch.tensor(part, dtype=each.dtype) for part, each in zip(_shaped(vector, like), like))


def _torch_state(optimiser: Any, params: Sequence[Any]) -> dict[str, Any]:
    kept: Mapping[Any, Any] = getattr(optimiser, "state", {})
    states = [kept[param] for param in params if param in kept]
    told: dict[str, Any] = {}
    for key in dict.fromkeys(key for state in states for key in state if key not in ELSEWHERE):
        values = [state[key] for state in states if key in state]
        if all(hasattr(value, "detach") or isinstance(value, (int, float)) for value in values):
            told[NAMES.get(key, key)] = _joined(values, params)
    return told


def _optax_state(state: Any, params: Sequence[Any]) -> dict[str, Any]:
    """The fields of the named tuples in a state, those inside others included."""
    told: dict[str, Any] = {}
    if hasattr(state, "_fields"):
        for key, value in zip(state._fields, state):
            leaves = value if isinstance(value, list) else [value]
            if key not in ELSEWHERE and all(
                hasattr(leaf, "shape") or isinstance(leaf, (int, float)) for leaf in leaves
            ):
                told[NAMES.get(key, key)] = _joined(leaves, params)
    for inner in state if isinstance(state, (tuple, list)) else ():
        told = {**_optax_state(inner, params), **told}
    return told


class Oracles:
    """Value and gradient of the present batch at parameters in layers; a compiled program may ask for them."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.batch: Any = None
        self.errors: list[Exception] = []

    def value(self, *layers: Any) -> Any:
        return np.asarray(self._told(lambda: self.batch.f(_vector(layers))), dtype=self.dtype)

    def grad(self, *layers: Any) -> list[Array]:
        vector = self._told(lambda: self.batch.grad(_vector(layers)))
        return [part.astype(self.dtype) for part in _shaped(vector, layers)]

    def _told(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as error:
            self.errors.append(error)
            raise


def _updater(transform: Any, oracles: Oracles, jax: Any) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """Updates and new state from gradients, state and parameters, with what else the transformation takes."""
    searches = _takes(transform.update, "value_fn")
    value_fn = _value_function(oracles, jax)

    def update(grads: Any, state: Any, params: Any) -> Any:
        offered = {"value": lambda: value_fn(params), "grad": lambda: grads, "value_fn": lambda: value_fn}
        more = {name: make() for name, make in offered.items() if _takes(transform.update, name)}
        return transform.update(grads, state, params, **more)

    compiled = jax.jit(update) if searches and jax is not None else update
    undecided = () if jax is None else (jax.errors.ConcretizationTypeError,)  # branches on values: not to be compiled

    def run(grads: Any, state: Any, params: Any) -> Any:
        try:
            try:
                return compiled(grads, state, params)
            except undecided:
                return update(grads, state, params)
        except Exception as error:  # of a callback in a compiled program, as it was
            raise (oracles.errors[0] if oracles.errors else error) from None

    return run


def _value_function(oracles: Oracles, jax: Any) -> Callable[[Any], Any]:
    """The value as a function of the parameters that a line search can evaluate and differentiate."""
    if jax is None:
        return lambda params: oracles.value(*params)
    shape = jax.ShapeDtypeStruct

    @jax.custom_vjp
    def value(params: Any) -> Any:
        return jax.pure_callback(oracles.value, shape((), oracles.dtype), *params)

    def backward(params: Any, along: Any) -> Any:
        grads = jax.pure_callback(oracles.grad, [shape(p.shape, p.dtype) for p in params], *params)
        return ([along * grad for grad in grads],)

    value.defvjp(lambda params: (value(params), params), backward)
    return lambda params: value(params)


class Abandoned(BaseException):
    """Nobody asks for further iterates."""


def handed(solve: Callable[[Callable[..., None]], Any]) -> Any:
    """What a solver hands to its callback, one iterate at a time; it runs in a thread that waits to be asked for more.

    The generator returns what the solver does, and raises what it raises.
    """
    handed: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def tell(x: Any, *_: Any) -> None:
        handed.put(("row", np.array(x, dtype=np.float64)))
        if not wanted.get():
            raise Abandoned

    def work() -> None:
        try:
            handed.put(("result", solve(tell)))
        except BaseException as error:
            handed.put(("error", error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
    thread.start()
    try:
        while True:
            what, value = handed.get()
            if what == "error":
                raise value
            if what == "result":
                return value
            yield Iterate(value)
            wanted.put(True)
    finally:
        wanted.put(False)
        thread.join()


def _levels(scheduler: Any) -> list[tuple[float, float]]:
    """The pairs (alpha, sigma) at the timesteps of a scheduler and after the last."""
    if not hasattr(scheduler, "sigmas"):
        alpha_bar = scheduler.alphas_cumprod.double().numpy()
        kept = [float(alpha_bar[int(t)]) for t in scheduler.timesteps]
        kept.append(float(getattr(scheduler, "final_alpha_cumprod", 1.0)))
        return [(a**0.5, (1.0 - a) ** 0.5) for a in kept]
    sigmas = scheduler.sigmas.double().tolist()
    if float(scheduler.init_noise_sigma) != 1.0:
        return [(1.0, sigma) for sigma in sigmas]
    return [(1.0 / (1.0 + sigma**2) ** 0.5, sigma / (1.0 + sigma**2) ** 0.5) for sigma in sigmas]
