"""Kronecker factors: against dense blocks, where they are exact, where they are not, and what damping does to them."""

import itertools

import array_api_strict
import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondorder.linalg import (
    ExampleGradients,
    Layer,
    eigen,
    eigenbasis_solve,
    kronecker_damping,
    kronecker_factors,
    kronecker_moments,
    kronecker_solve,
)

seeds = st.integers(0, 2**32 - 1)


def random_layer(n=7, K=3, a=4, b=3, seed=0):
    rng = np.random.default_rng(seed)
    inputs = np.hstack([rng.standard_normal((n, a - 1)), np.ones((n, 1))])
    return Layer(inputs, rng.standard_normal((K, n, b)))


def fisher(*layers):
    G = ExampleGradients(layers).dense()
    return G.T @ G / layers[0].inputs.shape[0]


def basis(layer):
    return tuple(eigen(M).vectors for M in kronecker_factors(*layer))


def dense_ekfac(layer):
    U_A, U_B = basis(layer)
    K = np.kron(U_B, U_A)
    return (K * kronecker_moments(U_A, U_B, layer).ravel()) @ K.T


def spd(size, rank, scale, rng):
    root = scale * rng.standard_normal((size, rank))
    return root @ root.T


def test_the_order_is_row_by_row():
    rng = np.random.default_rng(0)
    A, B, X = spd(4, 4, 1.0, rng), spd(3, 3, 1.0, rng), rng.standard_normal((3, 4))
    np.testing.assert_allclose(np.kron(B, A) @ X.ravel(), (B @ X @ A.T).ravel(), atol=1e-13)
    assert not np.allclose(np.kron(A, B) @ X.ravel(), (B @ X @ A.T).ravel())


def test_factors_are_means_over_examples_and_sums_over_signals():
    inputs, signals = random_layer()
    A, B = kronecker_factors(inputs, signals)
    np.testing.assert_allclose(A, np.mean([np.outer(a, a) for a in inputs], axis=0), atol=1e-14)
    expected = np.mean([sum(np.outer(g, g) for g in signals[:, i]) for i in range(7)], axis=0)
    np.testing.assert_allclose(B, expected, atol=1e-14)


def test_one_example_is_exact():
    layer = random_layer(n=1, K=5)
    A, B = kronecker_factors(*layer)
    np.testing.assert_allclose(np.kron(B, A), fisher(layer), atol=1e-13)
    two = random_layer(n=2, K=5)
    A, B = kronecker_factors(*two)
    assert np.linalg.norm(np.kron(B, A) - fisher(two)) > 0.05 * np.linalg.norm(fisher(two))


def bias(h):
    return anp.concatenate([h, anp.ones((*h.shape[:-1], 1))], axis=-1)


def deep_linear(X, x, shapes, outputs):
    """The layers' inputs, and the outputs as a function of the weights; every layer is shared over positions, if any."""
    cuts = np.cumsum([0, *(b * a for b, a in shapes)])
    inputs, h = [], X
    for (b, a), start, stop in zip(shapes, cuts[:-1], cuts[1:], strict=True):
        inputs.append(bias(h))
        h = inputs[-1] @ anp.reshape(x[start:stop], (b, a)).T
    return inputs, outputs(h)


def later_weights(x, shapes, layer):
    """The product of the matrices after a layer, biases left out."""
    matrices = np.split(x, np.cumsum([b * a for b, a in shapes])[:-1])
    W = [m.reshape(shape)[:, :-1] for m, shape in zip(matrices, shapes, strict=True)]
    return np.linalg.multi_dot([np.eye(shapes[-1][0]), *W[:layer:-1], np.eye(shapes[layer][0])])


def diagonal_block(F, shapes, layer):
    start = sum(b * a for b, a in shapes[:layer])
    block = slice(start, start + shapes[layer][0] * shapes[layer][1])
    return F[block, block]


LINEAR = [(4, 4), (3, 5), (2, 4)]


def test_a_deep_linear_network_with_squared_error_is_exact():
    """The signals of unit vectors at the outputs do not depend on the example: A and B are independent."""
    rng = np.random.default_rng(0)
    X, x = rng.standard_normal((9, 3)), rng.standard_normal(sum(b * a for b, a in LINEAR))
    inputs, _ = deep_linear(X, x, LINEAR, lambda h: h)
    J = autograd.jacobian(lambda x: deep_linear(X, x, LINEAR, lambda h: h)[1])(x).reshape(-1, x.size)
    F = J.T @ J / 9
    for l, a in enumerate(inputs):
        signals = np.repeat(later_weights(x, LINEAR, l)[:, None, :], 9, axis=1)
        A, B = kronecker_factors(a, signals)
        np.testing.assert_allclose(np.kron(B, A), diagonal_block(F, LINEAR, l), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("exact", "other", "averaged"), [("expand", "reduce", False), ("reduce", "expand", True)], ids=["sum", "mean"]
)
def test_expand_and_reduce_are_exact_each_in_its_own_setting(exact, other, averaged):
    """Weights shared over positions, deep linear, squared error: of every position, or of the mean over positions."""
    rng, n, R, C = np.random.default_rng(0), 6, 5, LINEAR[-1][0]
    X, x = rng.standard_normal((n, R, 3)), rng.standard_normal(sum(b * a for b, a in LINEAR))
    outputs = (lambda h: anp.mean(h, axis=1)) if averaged else (lambda h: h)
    inputs, _ = deep_linear(X, x, LINEAR, outputs)
    J = autograd.jacobian(lambda x: deep_linear(X, x, LINEAR, outputs)[1])(x).reshape(-1, x.size)
    F = J.T @ J / n
    for l, a in enumerate(inputs):
        W = later_weights(x, LINEAR, l)
        signals = np.zeros((R, C, n, R, W.shape[1]))
        for r in range(R):
            signals[r, :, :, r, :] = W[:, None, :]
        if averaged:  # the signal of an output reaches every position
            signals = np.broadcast_to(W[:, None, None, :] / R, (C, n, R, W.shape[1]))
        signals = signals.reshape(-1, n, R, W.shape[1])
        block = diagonal_block(F, LINEAR, l)
        error = {}
        for sharing in (exact, other):
            A, B = kronecker_factors(a, signals, sharing)
            error[sharing] = np.linalg.norm(np.kron(B, A) - block) / np.linalg.norm(block)
        assert error[exact] < 1e-13 and error[other] > 0.1


def test_one_position_is_a_plain_layer():
    layer = random_layer()
    plain = kronecker_factors(*layer)
    for sharing in ("expand", "reduce"):
        for M, N in zip(kronecker_factors(layer.inputs[:, None], layer.signals[:, :, None], sharing), plain):
            np.testing.assert_allclose(M, N, atol=1e-15)


def test_duplicated_examples_change_nothing():
    layer = random_layer()
    twice = Layer(np.tile(layer.inputs, (2, 1)), np.tile(layer.signals, (1, 2, 1)))
    for M, N in zip(kronecker_factors(*twice), kronecker_factors(*layer)):
        np.testing.assert_allclose(M, N, atol=1e-14)
    U = basis(layer)
    np.testing.assert_allclose(kronecker_moments(*U, twice), kronecker_moments(*U, layer), atol=1e-14)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("damping", [1e-3, 1.0, 100.0])
def test_exact_damping_is_the_dense_solve(damping, rank):
    rng = np.random.default_rng(0)
    A, B, G = spd(5, rank, 1.0, rng), spd(3, rank, 1.0, rng), rng.standard_normal((3, 5))
    expected = np.linalg.solve(np.kron(B, A) + damping * np.eye(15), G.ravel())
    # the condition number is at most |A| |B| / damping + 1, about 1e5 here
    np.testing.assert_allclose(kronecker_solve(A, B, G, damping).ravel(), expected, rtol=0, atol=1e-10 / damping)
    A_damped, B_damped = kronecker_damping(A, B, damping)
    expected = np.linalg.solve(np.kron(B_damped, A_damped), G.ravel())
    answer = kronecker_solve(A, B, G, damping, pi=True)
    np.testing.assert_allclose(answer.ravel(), expected, rtol=0, atol=1e-10 / damping)


def test_without_damping_both_rules_are_the_inverse_and_refuse_singular_factors():
    rng = np.random.default_rng(0)
    A, B, G = spd(4, 9, 1.0, rng), spd(3, 9, 1.0, rng), rng.standard_normal((3, 4))
    for pi in (False, True):
        np.testing.assert_allclose(B @ kronecker_solve(A, B, G, 0.0, pi=pi) @ A, G, atol=1e-12)
        for singular in ((spd(4, 3, 1.0, rng), B), (A, spd(3, 2, 1.0, rng)), (A, np.zeros((3, 3)))):
            with pytest.raises(np.linalg.LinAlgError, match="singular: give damping > 0"):
                kronecker_solve(*singular, G, 0.0, pi=pi)


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    a=st.integers(1, 5),
    b=st.integers(1, 5),
    rank=st.integers(1, 5),
    scale=st.floats(-3, 3),
    damping=st.floats(-4, 4),
)
def test_pi_damping_dominates_exact_damping(seed, a, b, rank, scale, damping):
    """The difference is the two cross terms, both positive semi-definite and of equal trace."""
    rng, damping = np.random.default_rng(seed), 10.0**damping
    A, B = spd(a, rank, 10.0**scale, rng), spd(b, rank, 1.0, rng)
    A_damped, B_damped = kronecker_damping(A, B, damping)
    total = np.kron(B_damped, A_damped)
    gap = total - np.kron(B, A) - damping * np.eye(a * b)
    assert np.linalg.eigvalsh(gap)[0] >= -1e-13 * np.linalg.norm(total)
    of_inputs = np.kron(np.eye(b), A) * (B_damped - B)[0, 0]
    of_signals = np.kron(B, np.eye(a)) * (A_damped - A)[0, 0]
    size = np.linalg.norm(total)
    assert np.trace(of_inputs) == pytest.approx(np.trace(of_signals), rel=1e-10, abs=1e-11 * size)


@pytest.mark.parametrize("dead", ["A", "B", "both"])
def test_pi_is_one_for_a_dead_factor(dead):
    A, B = np.zeros((3, 3)) if dead != "B" else np.eye(3), np.zeros((2, 2)) if dead != "A" else np.eye(2)
    A_damped, B_damped = kronecker_damping(A, B, 0.04)
    np.testing.assert_allclose(A_damped - A, 0.2 * np.eye(3), atol=1e-15)
    np.testing.assert_allclose(B_damped - B, 0.2 * np.eye(2), atol=1e-15)


@pytest.mark.parametrize("K", [1, 4])
def test_moments_are_the_diagonal_of_the_block_in_the_basis(K):
    layer = random_layer(K=K)
    U_A, U_B = basis(layer)
    S = kronecker_moments(U_A, U_B, layer)
    rotation = np.kron(U_B, U_A)
    np.testing.assert_allclose(S.ravel(), np.diag(rotation.T @ fisher(layer) @ rotation), atol=1e-12)
    naive = sum((U_B.T @ np.outer(g[i], layer.inputs[i]) @ U_A) ** 2 for g in layer.signals for i in range(7)) / 7
    np.testing.assert_allclose(S, naive, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, n=st.integers(1, 8), K=st.integers(1, 3), a=st.integers(1, 4), b=st.integers(1, 4))
def test_moments_are_never_worse_than_the_factors_eigenvalues(seed, n, K, a, b):
    layer = random_layer(n, K, a, b, seed)
    F, (A, B) = fisher(layer), kronecker_factors(*layer)
    kfac, ekfac = np.linalg.norm(F - np.kron(B, A)), np.linalg.norm(F - dense_ekfac(layer))
    assert ekfac <= kfac + 1e-12 * np.linalg.norm(F)


def test_the_two_agree_where_inputs_and_signals_are_independent():
    """On a full grid of inputs and signals they are independent exactly, and both are the block itself."""
    inputs, signals = random_layer().inputs, random_layer(n=5, K=2, seed=1).signals
    pairs = list(itertools.product(range(7), range(5)))
    layer = Layer(np.stack([inputs[i] for i, _ in pairs]), np.stack([signals[:, j] for _, j in pairs], axis=1))
    A, B = kronecker_factors(*layer)
    np.testing.assert_allclose(np.kron(B, A), fisher(layer), atol=1e-12)
    np.testing.assert_allclose(dense_ekfac(layer), fisher(layer), atol=1e-12)
    values = np.outer(eigen(B).values, eigen(A).values)
    np.testing.assert_allclose(kronecker_moments(*basis(layer), layer), values, atol=1e-12)


def test_the_step_in_the_eigenbasis_is_the_dense_solve():
    layer, G = random_layer(), np.random.default_rng(1).standard_normal((3, 4))
    U_A, U_B = basis(layer)
    answer = eigenbasis_solve(U_A, U_B, kronecker_moments(U_A, U_B, layer), G, 0.1)
    expected = np.linalg.solve(dense_ekfac(layer) + 0.1 * np.eye(12), G.ravel())
    np.testing.assert_allclose(answer.ravel(), expected, atol=1e-12)


def update(layer, damping, pi=False):
    """The K-FAC step for the gradient that the first signals give."""
    G = layer.signals[0].T @ layer.inputs / layer.inputs.shape[0]
    return kronecker_solve(*kronecker_factors(*layer), G, damping, pi=pi)


@pytest.mark.parametrize("pi", [False, True])
def test_the_undamped_step_is_invariant_under_affine_maps(pi):
    """Inputs T a, outputs M h: the weights become M W T^-1, signals M^-T g, and the step follows the weights."""
    rng = np.random.default_rng(2)
    layer = random_layer(n=20, seed=1)
    T = np.vstack([rng.standard_normal((3, 4)), [0.0, 0.0, 0.0, 1.0]])
    M = rng.standard_normal((3, 3))
    moved = Layer(layer.inputs @ T.T, layer.signals @ np.linalg.inv(M))
    np.testing.assert_array_equal(moved.inputs[:, -1], 1.0)
    D, D_moved = update(layer, 0.0, pi), update(moved, 0.0, pi)
    # the factors of T and M enter squared, so that their condition numbers (below 30) cost four digits
    np.testing.assert_allclose(np.linalg.inv(M) @ D_moved @ T, D, rtol=0, atol=1e-11 * np.linalg.norm(D))
    D, D_moved = update(layer, 1.0, pi), update(moved, 1.0, pi)
    assert np.linalg.norm(np.linalg.inv(M) @ D_moved @ T - D) > 0.1 * np.linalg.norm(D)


def test_with_identity_for_the_signals_the_step_is_a_ridge_regression():
    """The matrix that maps inputs to signals with the least mean square error and penalty."""
    (inputs, signals), damping = random_layer(n=20, K=1), 0.3
    G = signals[0].T @ inputs / 20
    stacked = np.vstack([inputs / np.sqrt(20), np.sqrt(damping) * np.eye(4)])
    target = np.vstack([signals[0] / np.sqrt(20), np.zeros((4, 3))])
    ridge = np.linalg.lstsq(stacked, target, rcond=None)[0].T
    np.testing.assert_allclose(kronecker_solve(inputs.T @ inputs / 20, np.eye(3), G, damping), ridge, atol=1e-13)


def test_an_unknown_sharing_is_an_error():
    with pytest.raises(ValueError, match="sharing must be one of 'expand', 'reduce'; got 'mean'"):
        kronecker_factors(*random_layer(), sharing="mean")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_strict_arrays_give_the_same_numbers(dtype):
    layer = Layer(*(part.astype(dtype) for part in random_layer()))
    shared = [part.astype(dtype) for part in (np.ones((3, 2, 4)), np.ones((2, 3, 2, 5)))]
    G = np.arange(12.0).reshape(3, 4).astype(dtype)

    def everything(layer, shared, G):
        A, B = kronecker_factors(*layer)
        U_A, U_B = eigen(A).vectors, eigen(B).vectors
        S = kronecker_moments(U_A, U_B, layer)
        steps = [kronecker_solve(A, B, G, 0.1, pi=pi) for pi in (False, True)]
        factors = [*kronecker_factors(*shared), *kronecker_factors(*shared, sharing="reduce")]
        return [A, B, *kronecker_damping(A, B, 0.1), S, eigenbasis_solve(U_A, U_B, S, G, 0.1), *steps, *factors]

    to_strict = array_api_strict.asarray
    answers = everything(Layer(*map(to_strict, layer)), [*map(to_strict, shared)], to_strict(G))
    for answer, expected in zip(answers, everything(layer, shared, G), strict=True):
        assert type(answer) is type(to_strict(G)) and answer.dtype == getattr(array_api_strict, dtype)
        assert expected.dtype == dtype
        np.testing.assert_array_equal(np.asarray(answer), expected)
