"""Optimisers of elsewhere as candidates: driven as their library drives them, and whatever they do wrong is a report.

PyTorch and optax are played by small stand-ins, so that nothing needs them; where they are installed, the real ones follow.
"""

import contextlib
import sys
import threading
import types
from typing import Any, NamedTuple

import numpy as np
import pytest

import secondorder as so
from secondorder.validate import (
    Candidate,
    Report,
    check,
    from_optax,
    from_scheduler,
    from_scipy,
    from_scipy_least_squares,
    from_step,
    from_torch,
    record,
)
from secondorder.validate.adapters import as_candidate
from secondorder.validate.problems import network

ROSENBROCK = so.problems.rosenbrock()


def adam_step(params, grad, state):
    """Adam, written here once more."""
    t = state["t"] + 1
    m = 0.9 * state["m"] + 0.1 * grad
    v = 0.999 * state["v"] + 0.001 * grad**2
    step = m / (1.0 - 0.9**t) / (np.sqrt(v / (1.0 - 0.999**t)) + 1e-8)
    return params - 1e-3 * step, {"t": t, "m": m, "v": v}


START = {"t": 0, "m": 0.0, "v": 0.0}


# One step of an algorithm


def test_a_step_is_compared_quantity_by_quantity_under_the_names_of_the_reference():
    report = check(from_step(adam_step, START), "adam", ROSENBROCK)
    assert report.agrees and {"first_moment", "second_moment", "step"} <= set(report.errors)
    assert report.match.worst < 1e-11


def test_single_precision_is_judged_by_its_own_rounding():
    report = check(from_step(adam_step, START, dtype="float32"), "adam", ROSENBROCK)
    assert report.agrees and report.epsilon == 2.0**-23 and report.match.worst > 1e-9
    # A wrong beta2 moves the second moment by far more than single precision does.
    assert not check(from_step(adam_step, START, dtype="float32"), "adam", ROSENBROCK, beta2=0.99)


def test_a_state_that_is_changed_in_place_does_not_reach_the_next_run():
    def step(params, grad, state):
        state["t"] += 1
        return params - 1e-3 * grad, state

    candidate = from_step(step, {"t": 0})
    runs = [record(candidate, ROSENBROCK, steps=3) for _ in range(2)]
    assert [int(run.rows[3].quantities["t"]) for run in runs] == [3, 3]


def test_a_number_called_step_is_not_taken_for_the_step():
    def step(params, grad, state):
        return params - 1e-3 * grad, {"step": state["step"] + 1}

    assert "step" not in record(from_step(step, {"step": 0}), ROSENBROCK, steps=2).rows[1]


def test_a_step_that_asks_for_them_gets_a_generator_and_products_with_the_hessian():
    def adahessian(params, grad, state, *, hvp, rng):
        z = 2.0 * rng.integers(0, 2, params.shape) - 1.0
        D = z * hvp(z)
        t, m, v = state["t"] + 1, 0.9 * state["m"] + 0.1 * grad, 0.999 * state["v"] + 0.001 * D**2
        step = 0.15 * m / (1.0 - 0.9**t) / (np.sqrt(v / (1.0 - 0.999**t)) + 1e-4)
        return params - step, {"t": t, "m": m, "v": v, "hessian": D}

    report = check(from_step(adahessian, START), "adahessian", block_size=1)
    assert report.agrees and "hessian_diagonal" in report.errors


WRONG_STEPS = {
    "raises": (lambda p, g, s: 1 / 0, "ZeroDivisionError"),
    "too short": (lambda p, g, s: (p[:1], s), "shape"),
    "a matrix": (lambda p, g, s: (p[:, None] - g, s), "shape"),
    "not a number": (lambda p, g, s: (p * np.nan, s), "not finite"),
    "complex": (lambda p, g, s: (p + 1j, s), "real numbers"),
    "words": (lambda p, g, s: ("nonsense", s), "real numbers"),
    "no state": (lambda p, g, s: p - g, "(params, state)"),
    "nothing": (lambda p, g, s: None, "(params, state)"),
    "writes to params": (lambda p, g, s: (p.__isub__(g), s), "work on a copy"),
    "writes to grad": (lambda p, g, s: (p - g.__imul__(2.0), s), "work on a copy"),
    "wrong arguments": (lambda p: (p, None), "TypeError"),
}


@pytest.mark.parametrize(("step", "words"), WRONG_STEPS.values(), ids=WRONG_STEPS)
def test_what_a_step_does_wrong_is_reported(step, words):
    report = check(from_step(step), "adam", ROSENBROCK, steps=3)
    assert isinstance(report, Report) and not report
    assert words in report.failure and words in str(report)
    report.to_json()


# PyTorch, played by a stand-in


class Tensor:
    def __init__(self, value, dtype, made=None):
        self.value, self.dtype, self.made, self.grad = np.array(value, dtype=dtype.name), dtype, made, None

    shape = property(lambda self: self.value.shape)

    def detach(self):
        return self

    cpu = detach

    def double(self):
        return Tensor(self.value, DOUBLE)

    def numpy(self):
        return self.value


class Function:
    @classmethod
    def apply(cls, *arguments):
        context = types.SimpleNamespace()
        answer = cls.forward(context, *arguments)
        for tensor in answer:
            tensor.made = (cls, context)
        return answer


class Kind(NamedTuple):
    name: str
    is_floating_point: bool = True


DOUBLE, SINGLE = Kind("float64"), Kind("float32")


def stand_in():
    """As much of torch as an adapter touches; its random numbers are NumPy's global ones."""
    torch = types.ModuleType("torch")
    torch.float64, torch.float32, torch.int64 = DOUBLE, SINGLE, Kind("int64", False)
    torch.Tensor = Tensor
    torch.tensor = lambda value, dtype=DOUBLE, requires_grad=False: Tensor(value, dtype)
    torch.finfo = lambda kind: np.finfo(kind.name)

    def differentiate(outputs, inputs, grad_outputs):
        cls, context = outputs[0].made
        return cls.backward(context, *grad_outputs)[1:]

    torch.autograd = types.SimpleNamespace(Function=Function, grad=differentiate)
    state = {"rng": np.random.default_rng(0)}

    @contextlib.contextmanager
    def fork_rng(devices):
        kept = state["rng"]
        yield
        state["rng"] = kept

    torch.random = types.SimpleNamespace(fork_rng=fork_rng)

    class Generator:
        def manual_seed(self, seed):
            self.seed = seed
            return self

        def get_state(self):
            return np.random.default_rng(self.seed)

    torch.Generator, torch.state = Generator, state
    torch.set_rng_state = lambda rng: state.update(rng=rng)
    torch.get_rng_state = lambda: state["rng"]
    return torch


@pytest.fixture
def torch(monkeypatch):
    module = stand_in()
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


class Optimiser:
    def __init__(self, params, lr=1e-3):
        self.params, self.lr, self.state = params, lr, {}
        self.param_groups = [{"params": params}]


class Adam(Optimiser):
    def step(self, closure=None):
        for p in self.params:
            s = self.state.setdefault(p, {"step": Tensor(0, DOUBLE), "exp_avg": 0.0, "exp_avg_sq": 0.0})
            old = {"t": float(s["step"].value), "m": getattr(s["exp_avg"], "value", 0.0)}
            params, new = adam_step(p.value, p.grad.value, {**old, "v": getattr(s["exp_avg_sq"], "value", 0.0)})
            p.value = params
            self.state[p] = {
                "step": Tensor(new["t"], DOUBLE), "exp_avg": Tensor(new["m"], DOUBLE), "exp_avg_sq": Tensor(new["v"], DOUBLE)
            }  # fmt: skip


class Searching(Optimiser):
    """Gradient descent that halves its step until the value falls; it asks for a closure."""

    def step(self, closure):
        f = float(closure().value)
        start, grads = [p.value for p in self.params], [p.grad.value for p in self.params]
        size = 1.0
        while True:
            for p, x, g in zip(self.params, start, grads, strict=True):
                p.value = x - size * g
            if float(closure().value) < f:
                return
            size /= 2.0


@pytest.mark.parametrize("problem", [ROSENBROCK, network()], ids=["vector", "layers"])
def test_an_optimiser_of_torch_is_driven_by_gradients_of_the_ledger(torch, problem):
    report = check(from_torch(Adam), "adam", problem)
    assert report.agrees and {"first_moment", "second_moment"} <= set(report.errors)
    run = record(from_torch(Adam), problem, steps=3)
    assert [query.oracle for query in run.queries[1]] == ["grad"]


def test_where_the_problem_has_layers_each_is_a_parameter(torch):
    shapes = []

    def make(params):
        shapes.extend(param.shape for param in params)
        return Adam(params)

    record(from_torch(make), network(), steps=1)
    assert shapes == [(4, 4), (3, 5)]


def test_options_reach_the_optimiser_and_wrong_ones_the_report(torch):
    assert check(from_torch(Adam, lr=1e-3), "adam", ROSENBROCK)
    report = check(from_torch(Adam, learning_rate=1e-3), "adam", ROSENBROCK)
    assert not report and "learning_rate" in report.failure
    with pytest.raises(ValueError, match="dtype must name a floating-point type"):
        from_torch(Adam, dtype="int64")


def test_batches_are_those_that_the_reference_is_given(torch):
    assert check(from_torch(Adam), "adam", network(), batch_size=5)


def test_an_optimiser_that_needs_a_closure_may_evaluate_it_often(torch):
    run = record(from_torch(Searching), ROSENBROCK, steps=2)
    asked = [query.oracle for query in (*run.queries[0], *run.queries[1])]
    assert not run.failure and len(run.rows) == 3
    assert asked.count("f") == asked.count("grad") > 3
    # The rows are what the same algorithm gives without an adapter.
    x = ROSENBROCK.x0
    g, size = ROSENBROCK.grad(x), 1.0
    while not ROSENBROCK.f(x - size * g) < ROSENBROCK.f(x):
        size /= 2.0
    np.testing.assert_array_equal(run.rows[1].x, x - size * g)


class AdaHessian(Optimiser):
    """Draws a probe, differentiates the gradients once more and shows what it keeps."""

    def __init__(self, params, torch, half=1.0):
        super().__init__(params, 0.15)
        self.torch, self.half, self.t = torch, half, 0

    def step(self):
        self.t += 1
        rng = self.torch.state["rng"]
        probes = [Tensor(2.0 * rng.integers(0, 2, p.shape) - 1.0, DOUBLE) for p in self.params]
        products = self.torch.autograd.grad([p.grad for p in self.params], self.params, probes)
        for p, z, Hz in zip(self.params, probes, products, strict=True):
            D, s = self.half * z.value * Hz.value, self.state.get(p, {})
            m = 0.9 * getattr(s.get("exp_avg"), "value", 0.0) + 0.1 * p.grad.value
            v = 0.999 * getattr(s.get("exp_hessian_diag_sq"), "value", 0.0) + 0.001 * D**2
            p.grad.value *= 7.0  # its own copy
            scale = np.sqrt(v / (1.0 - 0.999**self.t)) + 1e-4
            p.value = p.value - self.lr * m / (1.0 - 0.9**self.t) / scale
            kept = {"exp_avg": m, "exp_hessian_diag_sq": v, "hessian": D, "factor": np.eye(2)}
            self.state[p] = {name: Tensor(value, DOUBLE) for name, value in kept.items()}


@pytest.mark.parametrize("problem", [ROSENBROCK, network()], ids=["vector", "layers"])
def test_second_derivatives_of_the_graph_are_answered_by_hvp(torch, problem):
    def right(params):
        return AdaHessian(params, torch)

    report = check(from_torch(right), "adahessian", problem, block_size=1)
    assert report.agrees and {"hessian_diagonal", "first_moment", "second_moment"} <= set(report.errors)
    run = record(from_torch(right), problem, steps=2)
    assert [query.oracle for query in run.queries[1]] == ["grad", "hvp"]
    wrong = check(
        from_torch(lambda params: AdaHessian(params, torch, 0.5)), "adahessian", problem, block_size=1, diagnose=False
    )
    assert (wrong.first.step, wrong.first.quantity) == (1, "hessian_diagonal")


def test_what_is_not_shaped_like_the_layers_is_shown_as_a_tuple_of_matrices(torch):
    row = record(from_torch(lambda params: AdaHessian(params, torch)), network(), steps=1).rows[1]
    assert [factor.shape for factor in row.quantities["factor"]] == [(2, 2), (2, 2)]
    assert row.quantities["hessian_diagonal"].shape == row.x.shape


def test_one_seed_is_one_run_and_leaves_the_random_numbers_of_torch_alone(torch):
    def make(params):
        return AdaHessian(params, torch)

    own = torch.state["rng"]
    first, again = (record(from_torch(make), ROSENBROCK, steps=5, seed=3) for _ in range(2))
    other = record(from_torch(make), ROSENBROCK, steps=5, seed=4)
    assert np.array_equal(first.rows[5].x, again.rows[5].x) and not np.array_equal(first.rows[5].x, other.rows[5].x)
    probes = {query.arguments[1].tobytes() for queries in first.queries for query in queries if query.oracle == "hvp"}
    assert len(probes) > 1  # one stream over the steps, not the same draws in each
    assert torch.state["rng"] is own


def wrong(change):
    class Wrong(Optimiser):
        def step(self, closure=None):
            for p in self.params:
                p.value = change(p)

    return Wrong


WRONG_OPTIMISERS = {
    "raises": (wrong(lambda p: p.missing), "AttributeError"),
    "wrong shape": (wrong(lambda p: np.zeros(7)), "shape"),
    "not a number": (wrong(lambda p: p.value * np.nan), "not finite"),
    "no step": (Optimiser, "AttributeError"),
    "no optimiser": (lambda params: None, "AttributeError"),
    "a number for parameters": (lambda: None, "TypeError"),
}


@pytest.mark.parametrize(("make", "words"), WRONG_OPTIMISERS.values(), ids=WRONG_OPTIMISERS)
def test_what_an_optimiser_does_wrong_is_reported(torch, make, words):
    report = check(from_torch(make), "adam", ROSENBROCK, steps=3)
    assert isinstance(report, Report) and not report and words in report.failure
    report.to_json()


def test_without_torch_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match="torch"):
        from_torch(Adam)


# optax, played by a stand-in


class Transformation(NamedTuple):
    init: Any
    update: Any


class Moments(NamedTuple):
    count: int
    mu: list
    nu: list


def optax_adam(change=lambda update: update):
    def init(params):
        return (Moments(0, [0.0 * p for p in params], [0.0 * p for p in params]), ())

    def update(grads, state, params=None):
        (count, mu, nu), _ = state
        t = count + 1
        mu = [0.9 * m + 0.1 * g for m, g in zip(mu, grads, strict=True)]
        nu = [0.999 * v + 0.001 * g * g for v, g in zip(nu, grads, strict=True)]
        steps = [
            -1e-3 * m / (1.0 - 0.9**t) / ((v / (1.0 - 0.999**t)) ** 0.5 + 1e-8) for m, v in zip(mu, nu, strict=True)
        ]
        return [change(step) for step in steps], (Moments(t, mu, nu), ())

    return Transformation(init, update)


@pytest.mark.parametrize("problem", [ROSENBROCK, network()], ids=["vector", "layers"])
def test_a_transformation_of_optax_shows_its_moments(problem):
    report = check(from_optax(optax_adam(), name="mine"), "adam", problem)
    assert report.agrees and {"first_moment", "second_moment"} <= set(report.errors) and report.candidate == "mine"


def test_a_line_search_is_given_value_gradient_and_the_function():
    def update(grads, state, params, *, value, grad, value_fn):
        size = 1.0
        while not value_fn([p - size * g for p, g in zip(params, grad, strict=True)]) < value:
            size /= 2.0
        return [-size * g for g in grads], state

    run = record(from_optax(Transformation(lambda params: (), update)), ROSENBROCK, steps=2)
    assert not run.failure and ROSENBROCK.f(run.rows[2].x) < ROSENBROCK.f(run.rows[1].x) < ROSENBROCK.f(run.rows[0].x)


WRONG_TRANSFORMATIONS = {
    "raises": (optax_adam(lambda update: update.missing), "AttributeError"),
    "wrong shape": (optax_adam(lambda update: np.zeros((5, 2))), "shape"),
    "not a number": (optax_adam(lambda update: update * np.nan), "not finite"),
    "nothing": (Transformation(lambda params: None, lambda grads, state, params: None), "TypeError"),
    "too few": (Transformation(lambda params: None, lambda grads, state, params: ([], None)), "ValueError"),
}


@pytest.mark.parametrize(("transform", "words"), WRONG_TRANSFORMATIONS.values(), ids=WRONG_TRANSFORMATIONS)
def test_what_a_transformation_does_wrong_is_reported(transform, words):
    report = check(from_optax(transform), "adam", ROSENBROCK, steps=3)
    assert isinstance(report, Report) and not report and words in report.failure


# SciPy


@pytest.mark.parametrize("method", ["Newton-CG", "trust-exact", "trust-krylov", "BFGS", "L-BFGS-B", "trust-constr"])
def test_the_rows_are_the_iterates_of_scipy_one_at_a_time(method):
    from scipy.optimize import minimize

    seen = []
    more = {"BFGS": {}, "L-BFGS-B": {}, "trust-exact": {"hess": ROSENBROCK.hess}}.get(method, {"hessp": ROSENBROCK.hvp})
    minimize(
        ROSENBROCK.f,
        ROSENBROCK.x0,
        jac=ROSENBROCK.grad,
        method=method,
        callback=lambda x, *_: seen.append(x.copy()),
        **more,
    )
    run = record(from_scipy(method), ROSENBROCK, steps=6)
    np.testing.assert_array_equal([row.x for row in run.rows[1:]], seen[:6])
    assert sum(map(bool, run.queries)) >= 4  # asked step by step, not all before the first


def test_scipy_ends_as_it_ends_by_itself_and_leaves_no_thread_behind():
    before = threading.active_count()
    run = record(from_scipy("trust-exact", gtol=1e-6), ROSENBROCK, steps=200)
    assert run.status == "finished" and np.linalg.norm(ROSENBROCK.grad(run.rows[-1].x)) <= 1e-6
    record(from_scipy("trust-exact"), ROSENBROCK, steps=2)
    assert "ValueError" in record(from_scipy("nonsense"), ROSENBROCK, steps=2).failure
    assert threading.active_count() == before


def test_an_oracle_that_fails_in_the_middle_of_scipy_is_reported():
    def grad(x):
        return ROSENBROCK.grad(x) if x[0] < -1.1 else np.full(2, np.nan)

    problem = so.Problem(ROSENBROCK.f, grad, ROSENBROCK.hess, x0=ROSENBROCK.x0)
    report = check(from_scipy("trust-exact"), "trust_region", problem, diagnose=False)
    assert not report and "grad returned a value that is not finite" in report.failure


def test_least_squares_without_a_callback_shows_where_it_asks_for_the_jacobian():
    problem = so.problems.nist("Misra1a", start=2)
    run = record(from_scipy_least_squares("lm"), problem, steps=100)
    points = [row.x for row in run.rows]
    assert run.status == "finished" and np.array_equal(points[0], problem.x0)
    assert np.all(np.diff([problem.f(x) for x in points]) <= 0.0)
    np.testing.assert_allclose(points[-1], problem.certified, rtol=1e-6)


# Samplers


class Scheduler:
    """DDIM over four levels."""

    init_noise_sigma = 1.0

    def __init__(self, torch):
        self.torch = torch
        self.alphas_cumprod = Tensor(np.linspace(0.99, 0.01, 100), DOUBLE)

    def set_timesteps(self, steps):
        self.timesteps = np.arange(steps)[::-1] * (100 // steps)

    def step(self, noise, t, x):
        k = list(self.timesteps).index(t)
        now = self.alphas_cumprod.value[t]
        after = self.alphas_cumprod.value[self.timesteps[k + 1]] if k + 1 < len(self.timesteps) else 1.0
        data = (x.value - np.sqrt(1.0 - now) * noise.value) / np.sqrt(now)
        new = np.sqrt(after) * data + np.sqrt(1.0 - after) * noise.value
        return types.SimpleNamespace(prev_sample=Tensor(new, DOUBLE))


def test_a_scheduler_and_the_levels_it_walks_through(torch):
    candidate, grid = from_scheduler(lambda: Scheduler(torch), 10)
    assert len(grid.steps) == 10 and grid.levels[-1] == (1.0, 0.0)
    report = check(candidate, "ddim", so.problems.gaussian_mixture(), grid=grid)
    assert report.agrees and report.steps == 10


# What stands for a candidate


def test_what_can_be_recognised_is_taken_as_it_is(torch):
    kind = type("Adam", (Adam,), {"__module__": "torch.optim.adam"})
    assert check(kind, "adam", ROSENBROCK, steps=3) and check(optax_adam(), "adam", ROSENBROCK, steps=3)
    candidate = Candidate("mine", so.diagonal.adam)
    assert as_candidate(candidate) is candidate


def test_what_cannot_is_told_the_line_to_write(torch):
    for given, words in {
        adam_step: r"from_step\(adam_step\)",
        Adam([]): r"from_torch\(Adam",
        Scheduler(torch): "from_scheduler",
        3: "from_step, from_torch",
    }.items():
        with pytest.raises(TypeError, match=words):
            as_candidate(given)


# The real ones, where they are installed


def test_adam_of_torch():
    optim = pytest.importorskip("torch.optim")
    for problem in (ROSENBROCK, network()):
        report = check(optim.Adam, "adam", problem)
        assert report.agrees and report.match.worst < 1e-10


def test_the_graph_of_torch_leads_to_hvp():
    torch = pytest.importorskip("torch")

    class Newton(torch.optim.Optimizer):
        """x - H g: a product is all it does."""

        def __init__(self, params):
            super().__init__(params, {})

        def step(self, closure=None):
            params = self.param_groups[0]["params"]
            grads = [p.grad for p in params]
            products = torch.autograd.grad(grads, params, [g.detach() for g in grads])
            with torch.no_grad():
                for p, Hg in zip(params, products, strict=True):
                    p.sub_(1e-3 * Hg)

    problem = network()
    run = record(from_torch(Newton), problem, steps=2)
    x, g = run.rows[1].x, problem.grad(run.rows[1].x)
    np.testing.assert_allclose(run.rows[2].x, x - 1e-3 * problem.hvp(x, g), rtol=1e-12)


def test_lbfgs_of_torch_takes_the_fixed_step_of_the_reference():
    torch = pytest.importorskip("torch")
    options = {"max_iter": 1, "tolerance_grad": 0.0, "tolerance_change": 0.0}
    problem = so.problems.ill_scaled_logistic(n=40, d=5, decades=0.5, l2=1e-2)
    report = check(from_torch(torch.optim.LBFGS, **options), "lbfgs", problem, steps=8, memory=100, fixed_step=1.0)
    assert report.agrees and report.steps == 8 and report.match.worst < 1e-10


def test_adam_and_lbfgs_of_optax():
    optax = pytest.importorskip("optax")
    assert check(optax.adam(1e-3), "adam", ROSENBROCK).match.worst < 1e-10
    run = record(from_optax(optax.lbfgs()), ROSENBROCK, steps=5)
    assert not run.failure and ROSENBROCK.f(run.rows[5].x) < ROSENBROCK.f(run.rows[0].x)
