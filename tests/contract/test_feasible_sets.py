"""On a feasible set: every iterate is in it, and the gap is there in every row and bounds the error of a convex function."""

import numpy as np
import pytest

import secondorder as so

STEPS = 30


def regression(constraint):
    """Least squares, ill-conditioned, with a solution outside the set."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((12, constraint.d)) * np.logspace(0.0, -1.0, constraint.d)
    b = A @ np.linspace(-3.0, 3.0, constraint.d)
    return so.Problem(
        lambda x: 0.5 * float((A @ x - b) @ (A @ x - b)),
        lambda x: A.T @ (A @ x - b),
        lambda x: A.T @ A,
        constraint=constraint,
        name="regression",
    )


SETS = {
    "simplex": lambda: so.sets.Simplex(5),
    "solid simplex": lambda: so.sets.Simplex(5, radius=2.0, solid=True),
    "l1 ball": lambda: so.sets.L1Ball(5, 1.5),
    "cube": lambda: so.sets.LinfBall(5, 0.7),
    "ball": lambda: so.sets.L2Ball(5, 1.2),
    "box": lambda: so.sets.Box(np.linspace(-1.0, 0.0, 5), np.linspace(0.5, 2.0, 5)),
}


def barrier():
    """Its formula is finite outside the domain as well, and lower there."""
    return so.Problem(
        lambda x: float(np.sum(x - np.log(np.abs(1.0 + x)))),
        lambda x: x / (1.0 + x),
        lambda x: np.diag(1.0 / (1.0 + x) ** 2),
        domain=lambda x: bool(np.all(x > -1.0)),
        x0=[3.0, 2.0, 1.0],
        constraint=so.sets.LinfBall(3, 4.0),
        f_star=0.0,
    )


@pytest.fixture(scope="module")
def least():
    """The least value of the regression on a set, to a gap of 1e-9, by projections."""
    return {name: float(best(regression(make())).f[-1]) for name, make in SETS.items()}


def best(problem):
    history = so.minimize(problem, "projected_gradient", tol=1e-9)
    assert history.status in {"converged", "finished"}, history
    return history


@pytest.mark.parametrize("name", SETS)
def test_every_iterate_is_feasible_and_certified(setting_on_a_set, name, least):
    info, hyper = setting_on_a_set
    problem = regression(SETS[name]())
    history = so.minimize(problem, info.name, steps=STEPS, keep="x", **hyper)
    assert max(map(problem.constraint.violation, history["x"])) <= 1e-12
    grads = np.stack([problem.grad(x) for x in history["x"]])
    gaps = [grad @ (x - problem.lmo(grad)) for grad, x in zip(grads, history["x"], strict=True)]
    np.testing.assert_allclose(history["gap"], gaps, rtol=1e-9, atol=1e-12)
    assert np.all(history.f - least[name] <= history["gap"] + 1e-12)


def scheduled(info, hyper):
    """Whether a step may be longer than what keeps it inside, and the domain is not asked for."""
    chosen = {**info.defaults(), **hyper}
    blind = chosen.get("step_rule") == "open_loop" or info.name == "zeroth_order_frank_wolfe"
    return blind or chosen.get("lipschitz") is not None or chosen.get("threshold") == "reciprocal"


def test_every_iterate_is_in_the_domain(setting_on_a_set, offers, sound):
    """Of the logarithms, where no vertex is. A step that looks at nothing may leave it: then the run ends, and says so."""
    info, hyper = setting_on_a_set
    (problem,) = [problem for problem in offers(*info.oracles(hyper)) if problem.domain is not None]
    history = so.minimize(problem, info.name, steps=STEPS, keep="x", **hyper)
    sound(history)
    assert all(map(problem.domain, history["x"]))
    allowed = {"diverged"} if scheduled(info, hyper) else set()
    assert history.status in {"converged", "finished", "stalled", "step_limit"} | allowed
    assert np.all(history.primal_gap <= history["gap"] + 1e-12)


def test_low_values_outside_the_domain_do_not_tempt(setting_on_a_set):
    info, hyper = setting_on_a_set
    if not scheduled(info, hyper):
        problem = barrier()
        history = so.minimize(problem, info.name, steps=STEPS, keep="x", **hyper)
        assert all(map(problem.domain, history["x"]))
        assert history.primal_gap[-1] < 0.2 * history.primal_gap[0]
