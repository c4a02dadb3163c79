"""Adam and AdamW: against a loop over the coordinates, against PyTorch where it is installed, and where they rest."""

import numpy as np
import pytest

import secondorder as so


def network(n=9):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3))
    return so.problems.mlp((X, rng.permutation(np.arange(n) % 2)), [3, 4, 2])


PROBLEMS = {"rosenbrock": so.problems.rosenbrock, "network": network}
SETTINGS = {
    "defaults": {},
    "other betas": {"beta1": 0.5, "beta2": 0.9, "learning_rate": 0.03},
    "no memory": {"beta1": 0.0, "beta2": 0.0, "learning_rate": 0.01},
    "large epsilon": {"epsilon": 1.0, "learning_rate": 0.1},
}


def naive(problem, x, steps, beta1=0.9, beta2=0.999, epsilon=1e-8, learning_rate=1e-3, decay=0.0):
    """Algorithm 1, coordinate by coordinate; every row's x, m and v."""
    x, d = [float(v) for v in x], len(x)
    m, v, rows = [0.0] * d, [0.0] * d, [(np.asarray(x), None, None)]
    for t in range(1, steps + 1):
        g = problem.grad(np.asarray(x))
        for i in range(d):
            m[i] = beta1 * m[i] + (1.0 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1.0 - beta2) * g[i] ** 2
            m_hat, v_hat = m[i] / (1.0 - beta1**t), v[i] / (1.0 - beta2**t)
            x[i] = x[i] - learning_rate * m_hat / (v_hat**0.5 + epsilon) - decay * x[i]
        rows.append((np.asarray(x), np.asarray(m), np.asarray(v)))
    return rows


def run(problem, method="adam", steps=40, **hyper):
    keep = ("x", "step", "first_moment", "second_moment")
    return so.minimize(problem, method, steps=steps, tol=0.0, keep=keep, **hyper)


@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("hyper", SETTINGS.values(), ids=SETTINGS)
def test_adam_is_its_algorithm(make, hyper):
    problem = make()
    rows = naive(problem, problem.x0, 40, **hyper)
    for row, (x, m, v) in zip(run(problem, **hyper).rows, rows, strict=True):
        np.testing.assert_allclose(row["x"], x, rtol=1e-10, atol=1e-12)
        if m is not None:
            np.testing.assert_allclose(row["first_moment"], m, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(row["second_moment"], v, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("hyper", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("times_rate", [False, True])
def test_adamw_takes_a_share_of_x_away_beside_it(make, hyper, times_rate):
    problem = make()
    decay = 0.1 * ({"learning_rate": 1e-3, **hyper}["learning_rate"] if times_rate else 1.0)
    rows = naive(problem, problem.x0, 40, **hyper, decay=decay)
    history = run(problem, "adamw", weight_decay=0.1, decay_times_rate=times_rate, **hyper)
    for row, (x, _, _) in zip(history.rows, rows, strict=True):
        np.testing.assert_allclose(row["x"], x, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("method", ["adam", "adamw"])
@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_pytorch_takes_the_same_steps(method, make):
    torch = pytest.importorskip("torch")
    problem = make()
    x = torch.tensor(problem.x0, dtype=torch.float64, requires_grad=True)
    if method == "adam":
        theirs, hyper = torch.optim.Adam([x], lr=0.02, betas=(0.8, 0.99), eps=1e-6), {}
    else:
        theirs = torch.optim.AdamW([x], lr=0.02, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.3)
        hyper = {"decay_times_rate": True, "weight_decay": 0.3}
    ours = run(problem, method, beta1=0.8, beta2=0.99, epsilon=1e-6, learning_rate=0.02, **hyper)["x"]
    for row in ours:
        np.testing.assert_allclose(x.detach().numpy(), row, rtol=1e-10, atol=1e-12)
        x.grad = torch.tensor(problem.grad(x.detach().numpy()))
        theirs.step()


def test_without_memory_every_step_is_the_sign_of_the_gradient():
    problem = so.problems.quadratic([1.0, 1e6])
    history = run(problem, beta1=0.0, beta2=0.0, epsilon=1e-30, learning_rate=0.01, steps=5)
    for x, step in zip(history["x"], history["step"][1:], strict=False):
        np.testing.assert_allclose(step, -0.01 * np.sign(problem.grad(x)), rtol=1e-12)


def test_the_scale_of_f_does_not_matter_up_to_epsilon():
    problem = network()
    scaled = so.Problem(lambda x: 1e6 * problem.f(x), lambda x: 1e6 * problem.grad(x), x0=problem.x0)
    one, other = run(problem, epsilon=1e-20), run(scaled, epsilon=1e-20)
    np.testing.assert_allclose(one.x, other.x, rtol=1e-9)


def test_the_scale_of_a_coordinate_matters_not_its_rotation():
    """Steps are the same along the axes whatever the curvatures, and not for a rotated function."""
    plain, rotated = so.problems.quadratic([1.0, 100.0]), so.problems.quadratic([1.0, 100.0], rotate=True)
    assert np.ptp(np.abs(run(plain, steps=1)["step"][1])) < 1e-10
    assert run(plain, steps=200, learning_rate=0.05).f[-1] != pytest.approx(
        run(rotated, steps=200, learning_rate=0.05).f[-1], rel=0.1
    )


def test_decay_beside_adam_is_no_ridge_inside_it():
    """A ridge goes through the moments, and its pull is undone by their root: the first steps differ by that."""
    problem = network()
    ridge = so.Problem(lambda x: problem.f(x) + 0.05 * float(x @ x), lambda x: problem.grad(x) + 0.1 * x, x0=problem.x0)
    decoupled = run(problem, "adamw", weight_decay=0.1, decay_times_rate=True, steps=1)["step"][1]
    inside = run(ridge, "adam", steps=1)["step"][1]
    assert np.max(np.abs(inside)) <= 1e-3 < np.max(np.abs(decoupled))
    np.testing.assert_allclose(decoupled, run(problem, steps=1)["step"][1] - 1e-4 * problem.x0, rtol=1e-12)


def test_the_conventions_of_the_decay_are_told_apart():
    """The paper's takes away the fraction 0.01 of x in a step, the libraries' 0.01 times the learning rate."""
    flat = so.Problem(lambda x: 0.0, grad=lambda x: 0.0 * x, x0=[1.0, -2.0])
    for hyper, left in (({"weight_decay": 0.01}, 0.99), ({"weight_decay": 0.01, "decay_times_rate": True}, 1.0 - 1e-5)):
        iterates = so.diagonal.adamw(flat, **hyper)
        for k in range(4):
            np.testing.assert_allclose(next(iterates).x, left**k * np.asarray([1.0, -2.0]), rtol=1e-14)


def test_the_fixed_point_of_adamw_is_where_the_pull_balances_the_step():
    """f = x^2/2 - x: under a gradient that keeps its sign a step is alpha, and x settles where decay times x is that."""
    line = so.Problem(lambda x: float(0.5 * x @ x - x[0]), lambda x: x - 1.0, x0=[0.0])
    hyper = {"steps": 3000, "learning_rate": 0.01, "beta2": 0.9}
    assert run(line, "adamw", weight_decay=0.02, **hyper).x[0] == pytest.approx(0.5, abs=1e-7)
    assert run(line, "adam", **hyper).x[0] == pytest.approx(1.0, abs=0.02)


def test_no_decay_is_adam():
    problem = network()
    np.testing.assert_array_equal(run(problem, "adamw", weight_decay=0.0).x, run(problem).x)


def test_the_variant_is_the_default_at_the_default_learning_rate_and_at_no_other():
    """1e-2 times 1e-3 is 1e-5."""
    (variant,) = so.diagonal.adamw.method.variants.values()
    np.testing.assert_allclose(run(network(), "adamw", **variant).x, run(network(), "adamw").x, rtol=1e-12)
    one, other = (run(network(), "adamw", learning_rate=0.01, **hyper).x for hyper in (variant, {}))
    assert np.linalg.norm(one - other) > 1e-3


@pytest.mark.parametrize("method", ["adam", "adamw"])
def test_batches_are_drawn_in_turn(method):
    problem = network()
    batches = problem.batches(4, np.random.default_rng(3))
    history = run(problem, method, steps=6, batch_size=4, seed=3)
    m = np.zeros(26)
    for x, row, batch in zip(history["x"], history.rows[1:], batches):
        m = 0.9 * m + 0.1 * batch.grad(x)
        np.testing.assert_allclose(row["first_moment"], m, rtol=0.0, atol=1e-15)
    assert history.oracle["grad"] == pytest.approx(7 * 4 / 9)
