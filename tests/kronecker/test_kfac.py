"""K-FAC: every step against its blocks as dense matrices, where these are exact, and the schedule of its parts."""

import numpy as np
import pytest

import secondorder as so

VARIANTS = so.kronecker.kfac.method.variants
RAW = {"rescaling": "kl_clip", "learning_rate": 1.0, "momentum": 0.0, "kl_clip": 1e30}
"""The step is the direction itself."""


def run(problem, steps=1, **hyper):
    keep = ("x", "step", "left_factor", "right_factor")
    return so.minimize(problem, "kfac", steps=steps, tol=0.0, keep=keep, **hyper)


def blocks(layers):
    """The factors of each layer, by loops."""
    return [
        (
            sum(np.outer(a, a) for a in layer.inputs) / len(layer.inputs),
            sum(np.outer(g, g) for signals in layer.signals for g in signals) / len(layer.inputs),
        )
        for layer in layers
    ]


def solved(matrices, g):
    cuts = np.cumsum([len(C) for C in matrices])[:-1]
    return -np.concatenate([np.linalg.solve(C, part) for C, part in zip(matrices, np.split(g, cuts))])


# ------------------------------------------------------------------------------------------------------ the direction


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("fisher", ["exact", "empirical"])
def test_the_first_direction_is_the_dense_formula(network, loss, l2, fisher):
    problem = network(loss, l2)
    g, pairs, total = problem.grad(problem.x0), blocks(problem.signals(problem.x0, fisher)), 0.1 + l2
    damped = []
    for A, B in pairs:
        pi = np.sqrt((np.trace(A) / len(A)) / (np.trace(B) / len(B)))
        A_hat, B_hat = A + pi * total**0.5 * np.eye(len(A)), B + total**0.5 / pi * np.eye(len(B))
        damped.append(np.kron(B_hat, A_hat))
    step = run(problem, fisher=fisher, damping=0.1, **RAW)["step"][1]
    np.testing.assert_allclose(step, solved(damped, g), rtol=0.0, atol=1e-11)
    exact = [np.kron(B, A) + total * np.eye(len(A) * len(B)) for A, B in pairs]
    step = run(problem, fisher=fisher, damping=0.1, damping_rule="exact", **RAW)["step"][1]
    np.testing.assert_allclose(step, solved(exact, g), rtol=0.0, atol=1e-11)


def test_sampled_labels_come_from_their_own_stream(network):
    problem = network()
    layers = problem.signals(problem.x0, "monte_carlo", np.random.default_rng(7).spawn(2)[1], 3)
    history = run(problem, samples=3, seed=7)
    for (A, B), right, left in zip(blocks(layers), history["right_factor"][1], history["left_factor"][1]):
        np.testing.assert_allclose(right, A, atol=1e-14)
        np.testing.assert_allclose(left, B, atol=1e-14)


def test_one_example_is_its_block_of_the_fisher(network):
    """All signals share the input: the direction is that of the damped diagonal blocks."""
    problem = network("squared", n=1)
    F, cut = problem.fisher(problem.x0), 16
    damped = [F[:cut, :cut] + 0.1 * np.eye(cut), F[cut:, cut:] + 0.1 * np.eye(F.shape[0] - cut)]
    step = run(problem, fisher="exact", damping=0.1, damping_rule="exact", **RAW)["step"][1]
    np.testing.assert_allclose(step, solved(damped, problem.grad(problem.x0)), rtol=0.0, atol=1e-11)


def test_linear_regression_is_the_natural_gradient(network):
    """One layer with squared error: A times the identity is the whole Fisher matrix."""
    problem = network("squared", 0.05, widths=(3, 2))
    natural = so.minimize(problem, "natural_gradient", damping=0.1, steps=1, keep="step")["step"][1]
    hyper = {"fisher": "exact", "damping": 0.1, "damping_rule": "exact"}
    np.testing.assert_allclose(run(problem, **hyper, **RAW)["step"][1], natural, rtol=0.0, atol=1e-12)
    undamped = run(problem, fisher="exact", damping=1e-10, **RAW)
    assert undamped.f[1] < undamped.f[0]


def test_the_loss_is_not_averaged_in_the_signals(network):
    """The same examples twice: the same steps. Signals of the mean loss would have made B four times smaller."""
    problem = network(l2=0.1)
    twice = problem.batch(np.tile(np.arange(12), 2))
    np.testing.assert_allclose(run(twice, 6, fisher="exact").x, run(problem, 6, fisher="exact").x, atol=1e-11)


def test_a_dead_layer_stands_still(network):
    """No signal comes back through a ReLU that is off for every example: the first layer's B is 0."""
    problem = network(activation="relu", widths=(3, 2, 2))
    x = problem.x0.copy()
    x[[3, 7]], x[-1] = -100.0, 1.0  # the biases
    history = so.minimize(problem, "kfac", x, steps=10, keep="x")
    assert history.status in {"step_limit", "converged"} and np.all(np.isfinite(history.f))
    np.testing.assert_array_equal(history.x[:8], x[:8])
    assert history.f[-1] < history.f[0]


# --------------------------------------------------------------------------------------------------- the whole method


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize(
    "hyper",
    [
        {},
        {"damping": 0.01, "refresh": 3, "adaptation": 2},
        {"damping": 0.3, "decay": 0.5, "refresh": 1},
        {"damping": 30.0, "refresh": 20},
    ],
    ids=str,
)
@pytest.mark.parametrize("rule", ["pi", "exact"])
def test_every_row_of_its_dense_twin(network, twin, loss, hyper, rule):
    """Averages, refreshes, scale and momentum, judgement of the damping, for twelve steps."""
    problem = network(loss, 0.02)
    history = run(problem, 12, fisher="exact", damping_rule=rule, **hyper)
    for row, expected in zip(history.rows[1:], twin(problem, 12, rule=rule, **hyper), strict=True):
        for name in ("damping", "scale", "momentum"):
            assert row[name] == pytest.approx(expected[name], rel=1e-6, abs=1e-9), name
        np.testing.assert_allclose(row["step"], expected["step"], rtol=0.0, atol=1e-8)
        for (A, B), right, left in zip(expected["factors"], row["right_factor"], row["left_factor"]):
            np.testing.assert_allclose(right, A, rtol=0.0, atol=1e-8)
            np.testing.assert_allclose(left, B, rtol=0.0, atol=1e-8)
        assert ("ratio" in row) == ("ratio" in expected)
        if "ratio" in row:
            assert row["ratio"] == pytest.approx(max(-1.0, expected["ratio"]), rel=1e-5)


def test_sampled_and_training_labels_in_every_row_of_the_twin(network, twin):
    problem = network(l2=0.02)
    for fisher, labels in (("monte_carlo", np.random.default_rng(0).spawn(2)[1]), ("empirical", None)):
        history = run(problem, 8, fisher=fisher, samples=2)
        rows = twin(problem, 8, fisher=fisher, labels=labels, samples=2)
        for step, expected in zip(history["step"][1:], rows, strict=True):
            np.testing.assert_allclose(step, expected["step"], rtol=0.0, atol=1e-9)


def test_the_first_batch_counts_in_full_and_the_past_at_most_by_the_decay(network):
    """Weights 0, 1/2, 2/3, … up to the decay: means of what was seen, while that is below it."""
    problem = network()
    history = run(problem, 6, fisher="exact", decay=0.7)
    seen = [blocks(problem.signals(x, "exact")) for x in history["x"]]
    for layer in range(2):
        B = [pairs[layer][1] for pairs in seen]
        left = [row["left_factor"][layer] for row in history.rows[1:]]
        for k in range(3):
            np.testing.assert_allclose(left[k], np.mean(B[: k + 1], axis=0), atol=1e-13)
        np.testing.assert_allclose(left[4], 0.7 * left[3] + 0.3 * B[4], atol=1e-13)


def test_inverses_change_at_every_refresh_only(network):
    """Direction and gradient tell the matrix: between refreshes the same maps one to the other."""
    problem = network()
    history = run(
        problem, 7, fisher="exact", refresh=3, damping=0.1, damping_rule="exact", **RAW | {"learning_rate": 0.1}
    )
    used = []
    for k, (x, row) in enumerate(zip(history["x"], history.rows[1:], strict=False)):
        of_now = [
            np.kron(B, A) + 0.1 * np.eye(len(A) * len(B)) for A, B in zip(row["right_factor"], row["left_factor"])
        ]
        used = of_now if k % 3 == 0 else used
        g = problem.grad(x)
        np.testing.assert_allclose(row["step"], 0.1 * solved(used, g), rtol=0.0, atol=1e-11)
        assert k % 3 == 0 or np.linalg.norm(row["step"] - 0.1 * solved(of_now, g)) > 1e-6


def test_a_batch_gives_its_own_step(network, twin):
    problem = network(l2=0.05)
    batch = next(problem.batches(5, np.random.default_rng(6).spawn(2)[0]))
    history = run(problem, 1, batch_size=5, fisher="exact", seed=6)
    np.testing.assert_allclose(history["step"][1], twin(batch, 1)[0]["step"], rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("hyper", VARIANTS.values(), ids=VARIANTS)
def test_variants_are_told_apart(network, hyper):
    assert np.any(run(network(), **hyper).x != run(network()).x)


@pytest.mark.parametrize(("fisher", "signals"), [("exact", 2), ("empirical", 1), ("monte_carlo", 3)])
def test_the_books(network, fisher, signals):
    """A gradient and the signals a step, a product in the first and two in the others, two values a judgement."""
    history = run(network(), 11, fisher=fisher, samples=3)
    expected = {"f": 2 * 2, "grad": 12, "signals": 11 * signals, "ggn_product": 1 + 2 * 10}
    assert {name: n for name, n in history.oracle.items() if n} == expected
    clipped = run(network(), 11, fisher=fisher, samples=3, rescaling="kl_clip")
    assert {name: n for name, n in clipped.oracle.items() if n} == {"grad": 12, "signals": 11 * signals}


def test_it_needs_fewer_steps_than_gradient_descent():
    """Two moons: K-FAC is below 0.05 within 60 steps, gradient descent is above 0.1."""
    problem = so.problems.mlp("two_moons", [2, 8, 2])
    assert so.minimize(problem, "kfac", steps=60).f[-1] < 0.05
    assert so.minimize(problem, "gradient_descent", steps=60).f[-1] > 0.1
