"""Networks: autograd's derivatives, Taylor slopes, the identities between curvature matrices, batches and bad input."""

import itertools
import warnings

import array_api_strict
import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import secondorder as so
from secondorder.ledger import Ledger
from secondorder.linalg import ExampleGradients
from secondorder.problems import mlp, softmax
from secondorder.problems.networks import ACTIVATIONS, LOSSES, SoftmaxLoss

RNG = np.random.default_rng(0)
X = RNG.standard_normal((7, 3))
LABELS = np.asarray([0, 1, 2, 0, 1, 2, 2])
TARGETS = RNG.standard_normal((7, 2))
KINDS = ("unit", "exact", "monte_carlo", "empirical")


def small(loss="softmax", activation="tanh", hidden=(4,), l2=0.0, seed=0):
    """A network on seven examples with three inputs, and a generic point and direction."""
    y = LABELS if loss == "softmax" else TARGETS
    problem = mlp((X, y), [3, *hidden, 3 if loss == "softmax" else 2], activation, l2=l2)
    rng = np.random.default_rng(seed)
    return problem, *rng.standard_normal((2, problem.x0.shape[0]))


@pytest.fixture(
    params=itertools.product(LOSSES, ACTIVATIONS, [(), (4,), (5, 2, 3)]), ids=lambda p: f"{p[0]}-{p[1]}-{len(p[2])}"
)
def network(request):
    loss, activation, hidden = request.param
    return small(loss, activation, hidden, l2=0.3)


@pytest.fixture(params=LOSSES)
def loss(request):
    return request.param


# ---------------------------------------------------------------------------------------------------------- naive twins

PHI = {
    "tanh": anp.tanh,
    "relu": lambda h: anp.maximum(h, 0.0),
    "softplus": lambda h: anp.log(1.0 + anp.exp(h)),
    "sine": anp.sin,
}


def naive_outputs(problem, x, a):
    """The outputs of one example, layer by layer from the vector."""
    start, last = 0, len(problem.widths) - 2
    for i, (m, n) in enumerate(itertools.pairwise(problem.widths)):
        W = anp.reshape(x[start : start + n * (m + 1)], (n, m + 1))
        a = W[:, :m] @ a + W[:, m]
        a = a if i == last else PHI[problem.activation](a)
        start += n * (m + 1)
    return a


def naive_loss(problem, z, y):
    return 0.5 * anp.sum((z - y) ** 2) if problem.loss == "squared" else anp.log(anp.sum(anp.exp(z))) - anp.sum(y * z)


def naive_f(problem):
    def f(x):
        losses = [naive_loss(problem, naive_outputs(problem, x, a), y) for a, y in zip(problem.X, problem.Y)]
        return sum(losses) / len(losses) + 0.5 * problem.l2 * anp.sum(x * x)

    return f


def naive_jacobians(problem, x):
    return np.asarray([autograd.jacobian(lambda x, a=a: naive_outputs(problem, x, a))(x) for a in problem.X])


def naive_output_hessians(problem, x):
    return np.asarray(
        [
            autograd.hessian(lambda z, y=y: naive_loss(problem, z, y))(naive_outputs(problem, x, a))
            for a, y in zip(problem.X, problem.Y)
        ]
    )


def close(ours, theirs, tol=1e-12):
    """To rounding: both are sums of a few hundred terms of about the size of the largest entry."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tol * max(1.0, np.max(np.abs(theirs))))


def test_value_gradient_and_hessian_are_those_of_autograd(network):
    problem, x, v = network
    f, H = naive_f(problem), problem.hess(x)
    close(problem.f(x), f(x))
    close(problem.grad(x), autograd.grad(f)(x))
    close(H, autograd.hessian(f)(x))
    close(problem.hvp(x, v), H @ v)
    assert np.array_equal(H, H.T)


def test_outputs_and_jacobian_products_are_those_of_autograd(network):
    problem, x, v = network
    J, U = naive_jacobians(problem, x), RNG.standard_normal(problem.Y.shape)
    close(problem.outputs(x), [naive_outputs(problem, x, a) for a in X])
    close(problem.jvp(x, v), J @ v)
    close(problem.vjp(x, U), np.tensordot(U, J, 2))
    rows = ExampleGradients(problem.signals(x, "unit")).dense()
    close(rows, np.concatenate([J[:, c] for c in range(J.shape[1])]))


def test_generalised_gauss_newton_is_its_definition(network):
    problem, x, v = network
    J, Q = naive_jacobians(problem, x), naive_output_hessians(problem, x)
    G = sum(j.T @ q @ j for j, q in zip(J, Q)) / problem.n
    close(problem.output_loss(x)[1], Q)
    close(problem.ggn(x), G)
    close(problem.ggn_product(x, v), G @ v)


def test_example_gradients_are_those_of_autograd_one_by_one(network):
    problem, x, _ = network
    gradients = [
        autograd.grad(lambda x, a=a, y=y: naive_loss(problem, naive_outputs(problem, x, a), y))(x)
        for a, y in zip(problem.X, problem.Y)
    ]
    G = problem.example_gradients(x).dense()
    close(G, gradients)
    close(np.mean(G, axis=0) + problem.l2 * x, problem.grad(x))
    close(problem.fisher(x, "empirical"), sum(np.outer(g, g) for g in gradients) / problem.n)
    first = np.asarray(
        [autograd.grad(lambda z, y=y: naive_loss(problem, z, y))(z) for z, y in zip(problem.outputs(x), problem.Y)]
    )
    close(problem.output_loss(x)[0], first)


# ------------------------------------------------------------------------------------------------------- Taylor's slopes


def order(remainder):
    """The slope of log |remainder(t)| against log t."""
    steps = np.geomspace(1e-3, 1e-2, 6)
    return np.polyfit(np.log(steps), np.log([np.linalg.norm(remainder(t)) for t in steps]), 1)[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_taylor_remainders_have_their_order(loss, activation):
    problem, x, v = small(loss, activation, (4, 5), l2=0.3)
    v = v / np.linalg.norm(v)
    signs = [np.sign(problem._pass(x + t * v).sums[i]) for t in (0.0, 1e-2) for i in range(2)]
    assert np.array_equal(signs[0], signs[2]) and np.array_equal(signs[1], signs[3]), "ReLU: no kink on the way"
    f, g, Hv = problem.f(x), problem.grad(x), problem.hvp(x, v)
    z, Jv = problem.outputs(x), problem.jvp(x, v)
    # The next term bends the line by about 0.01 |f'''/f''| a decade.
    assert order(lambda t: problem.f(x + t * v) - f - t * g @ v) == pytest.approx(2.0, abs=0.1)
    assert order(lambda t: problem.f(x + t * v) - f - t * g @ v - t * t / 2 * v @ Hv) == pytest.approx(3.0, abs=0.2)
    assert order(lambda t: problem.grad(x + t * v) - g - t * Hv) == pytest.approx(2.0, abs=0.1)
    assert order(lambda t: problem.outputs(x + t * v) - z - t * Jv) == pytest.approx(2.0, abs=0.1)


# ------------------------------------------------------------------------------------------------------------ identities


def test_fisher_is_the_generalised_gauss_newton_matrix(network):
    problem, x, _ = network
    close(problem.fisher(x), problem.ggn(x), 1e-13)


def test_exact_signals_are_a_root_of_the_output_hessian(network):
    problem, x, _ = network
    S = problem.signals(x, "exact")[-1].signals
    close(np.einsum("knc,kne->nce", S, S), problem.output_loss(x)[1], 1e-14)


def test_jacobian_products_are_adjoint(network):
    problem, x, v = network
    U = RNG.standard_normal(problem.Y.shape)
    assert np.sum(problem.jvp(x, v) * U) == pytest.approx(v @ problem.vjp(x, U), rel=1e-11, abs=1e-11)


def test_hessian_less_gauss_newton_is_the_curvature_of_the_outputs(loss):
    """H = GGN + the mean of the outputs' Hessians, weighed by the loss's gradient."""
    problem, x, _ = small(loss, hidden=(4, 3))
    weights = problem.output_loss(x)[0] / problem.n
    rest = autograd.hessian(lambda x: sum(w @ naive_outputs(problem, x, a) for w, a in zip(weights, X)))(x)
    close(problem.hess(x) - problem.ggn(x), rest)


@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_hessian_of_a_linear_network_is_gauss_newton(loss, l2):
    problem, x, _ = small(loss, hidden=(), l2=l2)
    close(problem.hess(x), problem.ggn(x) + l2 * np.eye(len(x)), 1e-14)


def test_hessian_at_interpolation_is_gauss_newton():
    problem, x, _ = small("squared", hidden=(4, 3))
    problem.Y = problem.outputs(x)
    close(problem.hess(x), problem.ggn(x), 1e-14)
    assert np.max(np.abs(problem.fisher(x, "empirical"))) == 0.0 < np.max(problem.fisher(x))


def test_one_layer_is_softmax_regression_with_an_intercept():
    problem, x, v = small(hidden=(), l2=0.2)
    plain = softmax((np.column_stack([X, np.ones(7)]), LABELS), l2=0.2)

    def swap(x):
        return plain.join(problem.split(x)[0].T)

    assert problem.f(x) == pytest.approx(plain.f(swap(x)), rel=1e-14)
    close(swap(problem.grad(x)), plain.grad(swap(x)), 1e-14)
    close(swap(problem.hvp(x, v)), plain.hvp(swap(x), swap(v)), 1e-14)


def test_one_newton_step_solves_a_linear_network_with_squared_error():
    problem, x, _ = small("squared", hidden=())
    best = np.linalg.lstsq(np.column_stack([X, np.ones(7)]), TARGETS, rcond=None)[0].T
    close(x - np.linalg.solve(problem.hess(x), problem.grad(x)), problem.join([best]))


@pytest.mark.parametrize("activation", ["tanh", "sine"])
def test_an_odd_activation_leaves_the_signs_of_hidden_units_free(loss, activation):
    problem, x, _ = small(loss, activation)
    W, V = (M.copy() for M in problem.split(x))
    W[1] *= -1.0
    V[:, 1] *= -1.0
    assert problem.f(problem.join([W, V])) == pytest.approx(problem.f(x), rel=1e-14)


def test_rescaled_layers_of_relu_are_the_same_network(loss):
    problem, x, _ = small(loss, "relu")
    W, V = (M.copy() for M in problem.split(x))
    W *= 4.0
    V[:, :-1] /= 4.0
    close(problem.outputs(problem.join([W, V])), problem.outputs(x), 1e-14)


def test_duplicated_examples_change_nothing(loss):
    problem, x, v = small(loss, hidden=(4, 3), l2=0.1)
    twice = problem.batch(np.tile(np.arange(problem.n), 2))
    assert twice.n == 2 * problem.n
    for of in (
        lambda p: p.f(x),
        lambda p: p.grad(x),
        lambda p: p.hess(x),
        lambda p: p.hvp(x, v),
        lambda p: p.ggn(x),
        lambda p: p.ggn_product(x, v),
        lambda p: p.fisher(x),
        lambda p: p.fisher(x, "empirical"),
    ):
        close(of(twice), of(problem), 1e-14)


def test_layers_of_signals_have_the_shapes_and_scale_of_the_convention(loss):
    problem, x, _ = small(loss, hidden=(4, 5))
    C = problem.widths[-1]
    for kind, K in (("unit", C), ("exact", C), ("monte_carlo", 6), ("empirical", 1)):
        layers = problem.signals(x, kind, np.random.default_rng(0), 6)
        assert [layer.shape for layer in layers] == list(problem.shapes)
        for layer, (b, a) in zip(layers, problem.shapes):
            assert layer.inputs.shape == (7, a) and layer.signals.shape == (K, 7, b)
            assert np.all(layer.inputs[:, -1] == 1.0)
    # Un-averaged: the mean of the outer products is the gradient, and row-major order is that of `join`.
    empirical = problem.signals(x, "empirical")
    close(problem.join([layer.signals[0].T @ layer.inputs / 7 for layer in empirical]), problem.grad(x), 1e-14)


def test_block_of_a_layer_is_kron_of_signals_and_inputs_for_one_example(loss):
    problem, x, _ = small(loss, hidden=(4,))
    one = problem.batch([2])
    (A, S), _ = one.signals(x, "exact")
    block = np.kron(np.einsum("kni,knj->ij", S, S), A.T @ A)
    close(one.ggn(x)[: block.shape[0], : block.shape[0]], block, 1e-14)


@given(hidden=st.lists(st.integers(1, 5), max_size=4), n=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_identities_hold_for_all_widths(hidden, n, seed):
    rng = np.random.default_rng(seed)
    activation, widths = rng.choice(list(ACTIVATIONS)), [2, *hidden, 3]
    problem = mlp((rng.standard_normal((n, 2)), rng.standard_normal((n, 3))), widths, activation)
    if n > 1 and seed % 2:
        problem = mlp((problem.X, [f"{i % 3}" for i in range(n)]), [2, *hidden, min(n, 3)], activation)
    assert problem.x0.shape == (sum((a + 1) * b for a, b in itertools.pairwise(problem.widths)),)
    x, v = rng.standard_normal((2, *problem.x0.shape))
    assert np.array_equal(problem.join(problem.split(x)), x)
    close(problem.fisher(x), problem.ggn(x))
    close(problem.ggn(x) @ v, problem.ggn_product(x, v))
    close(problem.hess(x) @ v, problem.hvp(x, v))
    close(np.mean(problem.example_gradients(x).dense(), axis=0), problem.grad(x))


# ----------------------------------------------------------------------------------------------------------- Monte Carlo


def test_error_of_the_sampled_fisher_falls_like_one_over_the_root_of_the_samples(loss):
    problem, x, _ = small(loss)
    exact, rng, counts = problem.fisher(x), np.random.default_rng(0), 4 ** np.arange(1, 7)
    errors = [
        np.sqrt(np.mean([np.linalg.norm(problem.fisher(x, "monte_carlo", rng, K) - exact) ** 2 for _ in range(40)]))
        for K in counts
    ]
    # The root mean square of 40 errors is known to about 15 %, over three decades of K: 0.03 of a slope. A bias
    # would make the line level out.
    assert np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.1)


def test_sampled_labels_have_their_probabilities():
    z = np.asarray([[0.0, 1.0, -1.0], [-np.inf, 0.0, 0.0], [0.0, -np.inf, -np.inf]])
    signals = SoftmaxLoss.sample(z, np.random.default_rng(0), 20_000)
    p = SoftmaxLoss.probabilities(z)
    # Five standard deviations of a frequency over 20000 draws; none where p is 0 or 1.
    assert np.all(np.abs(np.mean(signals, axis=0)) <= 5 * np.sqrt(p * (1 - p) / 20_000))


def test_sampled_signals_follow_the_seed_and_average(loss):
    problem, x, _ = small(loss)
    first, again, other = (problem.fisher(x, "monte_carlo", np.random.default_rng(s), 2) for s in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    rng = np.random.default_rng(0)
    halves = [problem.signals(x, "monte_carlo", rng)[-1].signals for _ in range(2)]
    both = problem.signals(x, "monte_carlo", np.random.default_rng(0), 2)[-1].signals
    close(both, np.concatenate(halves) / np.sqrt(2.0), 1e-14)


# --------------------------------------------------------------------------------------------------------------- batches


def test_batches_partition_each_epoch():
    problem, *_ = small(l2=0.1)
    problem.X = np.arange(21.0).reshape(7, 3)
    batches = problem.batches(3, np.random.default_rng(0))
    epochs = [[next(batches) for _ in range(2)] for _ in range(50)]
    rows = [np.concatenate([batch.X for batch in epoch])[:, 0] // 3 for epoch in epochs]
    assert all(batch.n == 3 for epoch in epochs for batch in epoch)
    assert all(len(set(epoch)) == 6 for epoch in rows), "no example twice"
    assert len({tuple(epoch) for epoch in rows}) > 45 and set(np.concatenate(rows)) == set(range(7))
    assert np.array_equal(epochs[0][0].Y, problem.Y[rows[0][:3].astype(int)]), "targets stay with their inputs"


def test_gradients_of_an_epoch_average_to_the_gradient(loss):
    problem, x, _ = small(loss, l2=0.1)
    batches = problem.batches(1, np.random.default_rng(0))
    close(np.mean([next(batches).grad(x) for _ in range(7)], axis=0), problem.grad(x), 1e-14)


@pytest.mark.parametrize("batch_size", [7, 8, 1000])
def test_a_batch_of_everything_is_the_problem_itself(batch_size):
    problem, *_ = small()
    assert all(batch is problem for batch in itertools.islice(problem.batches(batch_size, np.random.default_rng(0)), 3))


@pytest.mark.parametrize("indices", [np.ones(7, dtype=bool), [0.5], [[0, 1]], []])
def test_a_batch_takes_numbers_of_examples(indices):
    problem, *_ = small()
    with pytest.raises(TypeError, match="indices must be a vector of whole numbers; got shape"):
        problem.batch(indices)


def test_the_ledger_counts_batches_and_signals_by_their_share(loss):
    problem, x, _ = small(loss)
    ledger = Ledger(problem, x)
    batch = next(ledger.batches(2, np.random.default_rng(0)))
    batch.grad(x), batch.signals(x, "exact"), batch.ggn_product(x, x), batch.output_loss(x)
    C = problem.widths[-1]
    assert ledger.counts["grad"] == ledger.counts["ggn_product"] == pytest.approx(2 / 7)
    assert ledger.counts["signals"] == pytest.approx(C * 2 / 7)


# ---------------------------------------------------------------------------------------------------- arrays and numbers


def everything(problem, x, v):
    yield from (problem.f(x), problem.grad(x), problem.hess(x), problem.hvp(x, v), problem.ggn_product(x, v))
    yield from (problem.outputs(x), problem.jvp(x, v), problem.vjp(x, problem.jvp(x, v)), *problem.output_loss(x))
    for kind in KINDS:
        yield problem.fisher(x, kind, np.random.default_rng(0), 2)
        yield from itertools.chain(*problem.signals(x, kind, np.random.default_rng(0), 2))
    yield from (problem.ggn(x), problem.example_gradients(x).gram())
    yield problem.batch([1, 4]).grad(x)
    yield next(problem.batches(3, np.random.default_rng(0))).grad(x)


def test_array_api_strict_gives_the_same_numbers(network):
    problem, x, v = network
    strict = so.to_device(problem, "array_api_strict")
    there = [array_api_strict.asarray(a) for a in (x, v)]
    for ours, theirs in zip(everything(problem, x, v), everything(strict, *there), strict=True):
        assert type(theirs) is type(there[0])
        close(np.asarray(theirs), ours, 1e-14)
    assert np.array_equal(strict.predict(there[0]), problem.predict(x))
    if problem.classes is not None:
        assert strict.accuracy(there[0]) == problem.accuracy(x)


def test_float32_stays_float32(network):
    problem, x, v = network
    single = so.to_device(problem, "numpy", dtype="float32")
    x, v = x.astype(np.float32), v.astype(np.float32)
    for ours, theirs in zip(everything(single, x, v), everything(problem, *map(np.float64, (x, v))), strict=True):
        assert ours.dtype == np.float32
        # Sums of a few hundred terms at an eps of 1.2e-7; labels are drawn from probabilities that differ by that much.
        close(ours, theirs, 1e-4)


def test_float32_data_are_kept():
    problem = mlp((X.astype(np.float32), TARGETS))
    assert problem.X.dtype == problem.Y.dtype == problem.x0.dtype == problem.grad(problem.x0).dtype == np.float32


def test_outputs_of_a_million_neither_overflow_nor_warn():
    problem, x, v = small(activation="softplus", hidden=(4,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scale in (1e3, -1e3):
            for answer in everything(problem, scale * x, v):
                assert np.all(np.isfinite(answer))


def test_oracles_allocate_each_answer(network):
    problem, x, v = network
    for once, again in zip(everything(problem, x, v), everything(problem, x, v), strict=True):
        before = np.array(again)
        if isinstance(once, np.ndarray):
            once += 1.0
        assert np.array_equal(again, before)
    assert np.array_equal(problem.X, X)


# ------------------------------------------------------------------------------------------------------------------ data


def test_data_sets_have_the_scale_they_are_said_to_have():
    digits, diabetes, moons = (mlp(name) for name in ("digits", "diabetes", "two_moons"))
    assert digits.widths == (64, 32, 10) and digits.loss == "softmax" and digits.classes == tuple(range(10))
    assert digits.X.min() == 0.0 and digits.X.max() == 1.0 and np.all(digits.Y.sum(axis=1) == 1.0)
    assert diabetes.widths == (10, 32, 1) and diabetes.loss == "squared" and diabetes.classes is None
    for a in (diabetes.X, diabetes.Y):
        np.testing.assert_allclose(a.mean(axis=0), 0.0, atol=1e-14)
        np.testing.assert_allclose(a.std(axis=0), 1.0, rtol=1e-14)
    assert moons.widths == (2, 32, 2) and moons.n == 200 and np.all(moons.Y.sum(axis=0) == 100)
    assert np.array_equal(moons.X, mlp("two_moons", seed=5).X)
    assert mlp("digits", loss="squared").Y.shape == (1797, 10)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_start_has_the_stated_variance(activation):
    problem = mlp("digits", [64, 200, 100, 10], activation)
    for W in problem.split(problem.x0):
        fan_in, gain = W.shape[1] - 1, 2.0 if activation == "relu" else 1.0
        # The variance of at least 1000 draws is known to 5 %.
        assert np.var(W[:, :-1]) * fan_in / gain == pytest.approx(1.0, abs=0.15)
        assert np.all(W[:, -1] == 0.0)
    assert np.array_equal(problem.x0, mlp("digits", [64, 200, 100, 10], activation).x0)
    assert not np.array_equal(problem.x0, mlp("digits", [64, 200, 100, 10], activation, seed=1).x0)


def test_labels_may_be_anything_and_predictions_are_labels():
    named = mlp((X, np.asarray(["a", "b", "c"])[LABELS]), [3, 8, 3])
    x = so.minimize(named, "trust_region", steps=200).x
    assert named.accuracy(x) == 1.0 and list(named.predict(x)) == list(np.asarray(["a", "b", "c"])[LABELS])
    assert named.predict(x, X[:2]).shape == (2,)
    assert mlp((X, LABELS.astype(float)), loss="softmax").classes == (0.0, 1.0, 2.0)


def test_real_targets_are_one_column_or_many():
    problem = mlp((X, TARGETS[:, 0]))
    assert problem.widths == (3, 32, 1) and problem.predict(problem.x0).shape == (7, 1)
    assert mlp((X, X), [3, 2, 3]).loss == "squared", "an autoencoder"
    assert mlp((X, LABELS), loss="squared").Y[:, 0].tolist() == LABELS.tolist()


def test_the_caller_keeps_the_data():
    A, y = X.copy(), TARGETS.copy()
    problem = mlp((A, y))
    before = problem.f(problem.x0)
    A += 1.0
    y += 1.0
    assert problem.f(problem.x0) == before


def test_names():
    for name in ("mlp:digits", "mlp:diabetes", "mlp:two_moons"):
        assert name in so.problems.names() and so.problems.get(name).name == name
    assert so.problems.get("mlp:diabetes", widths=[10, 1], activation="sine").x0.shape == (11,)
    with pytest.raises(ValueError, match="mlp:digits has no option 'width'"):
        so.problems.get("mlp:digits", width=[64, 10])
    with pytest.raises(ValueError, match=r"mlp needs data, as in mlp:digits$"):
        so.problems.get("mlp")


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (
            "digit",
            {},
            ValueError,
            r"unknown data set 'digit' \(did you mean 'digits'\?\); known: digits, diabetes, two",
        ),
        (5, {}, TypeError, "data must be one of digits, diabetes, two_moons, or a pair .* got int"),
        ((X,), {}, ValueError, r"data must be a pair \(X, y\); got 1 items"),
        ((csr_array(X), LABELS), {}, TypeError, "X must be dense"),
        ((X[:, 0], LABELS), {}, ValueError, r"X must be a matrix .* got shape \(7,\)"),
        ((X * 1j, LABELS), {}, TypeError, "X must hold real numbers"),
        ((np.full((7, 3), np.nan), LABELS), {}, ValueError, "X must be finite; got 21"),
        ((X, LABELS[:5]), {}, ValueError, r"y must have shape \(7,\) or \(7, outputs\), .* got \(5,\)"),
        ((X, 3), {}, ValueError, r"y must have shape .* got \(\)"),
        ((X, np.full(7, np.nan)), {}, ValueError, "y must be finite"),
        ((X, np.eye(7, dtype=int)), {}, ValueError, r"y must have shape \(7,\), one label for .* got \(7, 7\)"),
        ((X, ["a"] * 7), {}, ValueError, "y must hold at least two different labels"),
        ((X, ["a", "b"] * 3 + ["a"]), {"loss": "squared"}, TypeError, "y must hold real numbers"),
        ("diabetes", {"loss": "softmax"}, ValueError, "loss='softmax' needs labels"),
        ("digits", {"loss": "mse"}, ValueError, "loss must be one of softmax, squared; got 'mse'"),
        (
            "digits",
            {"activation": "tan"},
            ValueError,
            r"activation must be one of tanh, .*'tan' \(did you mean 'tanh'\?\)",
        ),
        (
            "digits",
            {"widths": [64, 32]},
            ValueError,
            r"widths must .* from the 64 inputs to the 10 outputs.* got \[64, 32\]",
        ),
        ("digits", {"widths": [32, 10]}, ValueError, "widths must be"),
        ("digits", {"widths": [64]}, ValueError, "widths must be"),
        ("digits", {"widths": [64, 0, 10]}, ValueError, "widths must be"),
        ("digits", {"widths": [64, 2.5, 10]}, ValueError, "widths must be"),
        ("digits", {"widths": 32}, ValueError, "widths must be .* got 32"),
        ("digits", {"l2": -1.0}, ValueError, "l2 must be a finite number, at least 0; got -1.0"),
    ],
)
def test_bad_data_and_options(data, options, error, message):
    with pytest.raises(error, match=message):
        mlp(data, **options)


def test_bad_questions():
    problem, x, _ = small()
    with pytest.raises(ValueError, match="kind must be unit, exact, monte_carlo or empirical; got 'true'"):
        problem.signals(x, "true")
    with pytest.raises(TypeError, match="rng must be a NumPy Generator; got None"):
        problem.fisher(x, "monte_carlo")
    with pytest.raises(ValueError, match="samples must be a whole number, at least 1; got 0"):
        problem.signals(x, "monte_carlo", np.random.default_rng(0), 0)
    with pytest.raises(ValueError, match=r"X must have shape \(rows, 3\); got \(7, 2\)"):
        problem.predict(x, X[:, :2])
    with pytest.raises(ValueError, match="accuracy needs labels"):
        small("squared")[0].accuracy(small("squared")[1])
