"""The natural gradient: against dense solves, what it does not depend on, and which Fisher matrix is which."""

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import Layer

LAMBDA = 1e-2
VARIANTS = so.natural.natural_gradient.method.variants


def network(loss="softmax", l2=0.0, n=7, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    y = rng.integers(2, size=n) if loss == "softmax" else rng.standard_normal((n, 2))
    return so.problems.mlp((X, y), [3, 4, 2], loss=loss, l2=l2)


def first_step(problem, **hyper):
    return so.minimize(problem, "natural_gradient", steps=1, tol=0.0, keep=("x", "step"), **hyper)["step"][1]


# ------------------------------------------------------------------------------------------------ the step it takes


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("fisher", ["exact", "empirical"])
def test_every_step_is_the_damped_dense_solve(loss, l2, fisher):
    problem = network(loss, l2)
    history = so.minimize(
        problem, "natural_gradient", fisher=fisher, damping=LAMBDA, learning_rate=0.3, steps=4, keep=("x", "step")
    )
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        g, F = problem.grad(x), problem.fisher(x, fisher) + (LAMBDA + l2) * np.eye(26)
        direction = np.linalg.solve(F, g)
        np.testing.assert_allclose(row["step"], -0.3 * direction, rtol=0.0, atol=1e-11)
        assert row["decrement"] == pytest.approx(np.sqrt(g @ direction), rel=1e-10)


def test_a_sampled_fisher_is_that_of_the_labels_drawn():
    """Two spawned streams, batches first: the second draws the labels."""
    problem = network()
    labels = np.random.default_rng(5).spawn(2)[1]
    F = problem.fisher(problem.x0, "monte_carlo", labels, 3) + LAMBDA * np.eye(26)
    step = first_step(problem, fisher="monte_carlo", samples=3, damping=LAMBDA, seed=5)
    np.testing.assert_allclose(step, -np.linalg.solve(F, problem.grad(problem.x0)), rtol=0.0, atol=1e-11)


def test_many_samples_come_near_the_exact_fisher():
    problem = network()
    exact = first_step(problem, damping=0.1)
    errors = [
        np.linalg.norm(first_step(problem, fisher="monte_carlo", samples=K, damping=0.1) - exact)
        for K in (10, 1000, 30_000)
    ]
    # K^(-1/2): factors of 10 and 5.5, each within a factor of 4, for one draw each
    assert errors[0] / 40.0 < errors[1] < errors[0] / 2.5 and errors[1] / 22.0 < errors[2] < errors[1] / 1.4


def test_the_empirical_fisher_is_made_of_the_gradients_of_the_examples():
    problem = network()
    rows = [problem.batch([i]).grad(problem.x0) for i in range(7)]
    F = sum(np.outer(g, g) for g in rows) / 7.0 + LAMBDA * np.eye(26)
    step = first_step(problem, fisher="empirical", damping=LAMBDA)
    np.testing.assert_allclose(step, -np.linalg.solve(F, problem.grad(problem.x0)), rtol=0.0, atol=1e-11)


def test_at_interpolation_the_empirical_fisher_vanishes_and_the_fisher_does_not():
    """Squared error, one output: the mean of r^2 J'J, against the mean of J'J."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 2))
    truth = so.problems.mlp((X, np.zeros(9)), [2, 3, 1], loss="squared")
    problem = so.problems.mlp((X, truth.outputs(truth.x0)), [2, 3, 1], loss="squared")
    assert not np.any(problem.fisher(problem.x0, "empirical"))
    assert np.linalg.norm(problem.fisher(problem.x0)) > 0.1


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize("fisher", ["exact", "empirical", "monte_carlo"])
def test_conjugate_gradients_take_the_dense_step(loss, fisher):
    """To the residual of 1e-6, times the condition number of F + I/10."""
    problem = network(loss, l2=0.05)
    hyper = {"fisher": fisher, "damping": 0.05}
    dense, cg = (first_step(problem, solver=solver, **hyper) for solver in ("dense", "cg"))
    size = np.linalg.norm(problem.fisher(problem.x0, "exact"), 2)
    assert 0.0 < np.linalg.norm(cg - dense) <= 1e-6 * (10.0 * size + 1.0) * 10.0 * np.linalg.norm(dense)


def test_conjugate_gradients_say_how_many_products_they_took():
    history = so.minimize(network(), "natural_gradient", solver="cg", steps=3, keep="step")
    assert (
        np.all(history["products"][1:] >= 1)
        and "products" not in so.minimize(network(), "natural_gradient", steps=3).names
    )


def test_a_batch_gives_its_own_gradient_and_fisher():
    problem = network(l2=0.1)
    batch = next(problem.batches(3, np.random.default_rng(2).spawn(2)[0]))
    F = batch.fisher(problem.x0) + (LAMBDA + 0.1) * np.eye(26)
    step = first_step(problem, batch_size=3, damping=LAMBDA, seed=2)
    np.testing.assert_allclose(step, -np.linalg.solve(F, batch.grad(problem.x0)), rtol=0.0, atol=1e-11)


def test_a_fisher_that_is_singular_is_a_breakdown():
    history = so.minimize(network(), "natural_gradient", damping=0.0)
    assert history.status == "breakdown" and "positive definite" in history.message and len(history) == 1


@pytest.mark.parametrize("hyper", VARIANTS.values(), ids=VARIANTS)
def test_variants_are_told_apart(hyper):
    assert np.any(first_step(network(), **hyper) != first_step(network()))


# ---------------------------------------------------------------------------------------------------- closed forms


def test_one_step_solves_linear_regression():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((20, 4)), rng.standard_normal((20, 2))
    problem = so.problems.mlp((X, Y), [4, 2], loss="squared")
    history = so.minimize(problem, "natural_gradient", damping=0.0, steps=1)
    solution = np.linalg.lstsq(np.hstack([X, np.ones((20, 1))]), Y)[0].T
    np.testing.assert_allclose(problem.split(history.x)[0], solution, atol=1e-12)


def test_the_empirical_fisher_does_not():
    """Its steps are as 1/r for residuals r: after 20 steps the relative error is above 1/100 still."""
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((200, 8)), rng.standard_normal(8)
    problem = so.problems.mlp((X, X @ w + 0.01 * rng.standard_normal(200)), [8, 1], loss="squared")
    error = [
        np.linalg.norm(so.minimize(problem, "natural_gradient", fisher=fisher, damping=1e-8, steps=20).x[:8] - w)
        / np.linalg.norm(w)
        for fisher in ("exact", "empirical")
    ]
    assert error[0] < 0.01 < error[1]


def test_badly_scaled_features_cost_nothing():
    """Logistic regression with columns of scale 1e-2 to 1e2: a gap of 1e-6 within 8 steps; 1000 of gradient descent
    leave 0.05."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 10)) * np.geomspace(1e-2, 1e2, 10)
    margins = X / np.geomspace(1e-2, 1e2, 10) @ rng.standard_normal(10)
    y = rng.random(300) < 1.0 / (1.0 + np.exp(-margins))
    problem = so.problems.logistic((X, y), l2=0.0)
    least = so.minimize(problem, "newton", tol=1e-10).f[-1]
    flat = so.problems.mlp((X, y), [10, 2])
    start = np.zeros(22)
    history = so.minimize(flat, "natural_gradient", start, damping=1e-8, steps=8)
    unbounded = so.minimize(flat, "gradient_descent", start, steps=1000)
    assert history.f[-1] <= least + 1e-6 and unbounded.f[-1] > least + 0.05


# ------------------------------------------------------------------------------------------------------- invariance


class Reparameterised(so.Problem):
    """The network as a function of phi, its parameters being A phi: as one layer of outputs that are numbered.

    Its Jacobian is that of the network times A; one layer with inputs 1 and the rows of the Jacobian as signals is a
    network whose matrix of gradients is that.
    """

    def __init__(self, network, A):
        super().__init__(x0=np.linalg.solve(A, network.x0), name="reparameterised", fresh=True)
        self.network, self.A, self.n = network, A, network.n

    def f(self, phi):
        return self.network.f(self.A @ phi)

    def grad(self, phi):
        return self.A.T @ self.network.grad(self.A @ phi)

    def signals(self, phi, kind, rng=None, samples=1):
        layers = self.network.signals(self.A @ phi, kind, rng, samples)
        rows = so.linalg.ExampleGradients(layers).dense() @ self.A
        K, n, _ = layers[0].signals.shape
        return (Layer(np.ones((n, 1)), rows.reshape(K, n, -1)),)


A = np.random.default_rng(1).standard_normal((26, 26)) + 5.0 * np.eye(26)


def both(method, **hyper):
    """The first step of the network and that of its reparameterisation, both in its own parameters."""
    problem = network("squared", n=30)  # 60 rows of the Jacobian for 26 parameters
    ours, theirs = (
        so.minimize(p, method, steps=1, tol=0.0, keep="x", **hyper).x for p in (problem, Reparameterised(problem, A))
    )
    return problem, ours - problem.x0, A @ theirs - problem.x0


@pytest.mark.parametrize("fisher", ["exact", "empirical"])
def test_the_undamped_step_does_not_depend_on_a_linear_parameterisation(fisher):
    """To rounding, times the condition number of A'FA."""
    problem, ours, theirs = both("natural_gradient", fisher=fisher, damping=0.0)
    condition = np.linalg.cond(A.T @ problem.fisher(problem.x0, fisher) @ A)
    assert condition < 1e11
    assert np.linalg.norm(theirs - ours) <= 2.0**-52 * condition * np.linalg.norm(ours)


def test_damping_and_gradient_descent_do_depend_on_it():
    for method, hyper in (("natural_gradient", {"damping": 0.1}), ("gradient_descent", {"lipschitz": 1000.0})):
        _, ours, theirs = both(method, **hyper)
        assert np.linalg.norm(theirs - ours) > np.linalg.norm(ours)


# ----------------------------------------------------------------------------------------------------------- the books


@pytest.mark.parametrize(("fisher", "signals"), [("exact", 2), ("empirical", 1), ("monte_carlo", 5)])
def test_a_step_is_a_gradient_and_its_signals(fisher, signals):
    history = so.minimize(network(), "natural_gradient", fisher=fisher, samples=5, steps=4, tol=0.0)
    assert history.oracle["grad"] == 5 and history.oracle["signals"] == 4 * signals
    assert history.oracle["f"] == history.oracle["hess"] == 0
    batched = so.minimize(network(), "natural_gradient", fisher=fisher, samples=5, steps=4, batch_size=3)
    assert batched.oracle["grad"] == pytest.approx(5 * 3 / 7)
    assert batched.oracle["signals"] == pytest.approx(4 * signals * 3 / 7)
