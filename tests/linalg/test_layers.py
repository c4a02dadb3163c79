"""Per-example gradients as factors: every product against the matrix written out row by row."""

import array_api_strict
import numpy as np
import pytest

from secondorder.linalg import ExampleGradients, Layer, join, split

SHAPES = [[(4, 3)], [(3, 5), (1, 4)], [(4, 3), (2, 5), (3, 3)]]


def random_layers(shapes, n=6, K=3, seed=0):
    rng = np.random.default_rng(seed)
    return [Layer(rng.standard_normal((n, a)), rng.standard_normal((K, n, b))) for b, a in shapes]


def rows(layers):
    """G by its definition: signal by signal, example by example, the outer products row by row."""
    K, n, _ = layers[0].signals.shape
    return np.stack(
        [np.hstack([np.outer(g[k, i], a[i]).ravel() for a, g in layers]) for k in range(K) for i in range(n)]
    )


def test_split_is_row_by_row_and_join_undoes_it():
    x = np.arange(17.0)
    first, second = split(x, [(3, 5), (1, 2)])
    np.testing.assert_array_equal(first, np.arange(15.0).reshape(3, 5))
    np.testing.assert_array_equal(second, [[15.0, 16.0]])
    np.testing.assert_array_equal(join([first, second]), x)


@pytest.mark.parametrize("K", [1, 3])
@pytest.mark.parametrize("shapes", SHAPES, ids=len)
def test_products_are_those_of_the_dense_matrix(shapes, K):
    layers = random_layers(shapes, K=K)
    assert [layer.shape for layer in layers] == shapes
    G, dense = ExampleGradients(layers), rows(layers)
    rng = np.random.default_rng(1)
    v, w = rng.standard_normal(dense.shape[1]), rng.standard_normal((K, 6))
    np.testing.assert_array_equal(G.dense(), dense)
    np.testing.assert_allclose(G.product(v), (dense @ v).reshape(K, 6), rtol=0, atol=1e-13)
    np.testing.assert_allclose(G.adjoint(w), dense.T @ w.ravel(), rtol=0, atol=1e-13)
    np.testing.assert_allclose(G.gram(), dense @ dense.T, rtol=0, atol=1e-13)


def test_the_mean_gradient_is_the_adjoint_of_ones():
    layers = random_layers(SHAPES[1], K=1)
    mean = [layer.signals[0].T @ layer.inputs / 6 for layer in layers]
    np.testing.assert_allclose(ExampleGradients(layers).adjoint(np.full((1, 6), 1 / 6)), join(mean), atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_strict_arrays_give_the_same_numbers(dtype):
    layers = [Layer(*(part.astype(dtype) for part in layer)) for layer in random_layers(SHAPES[2])]
    strict = [Layer(*map(array_api_strict.asarray, layer)) for layer in layers]
    G, H = ExampleGradients(layers), ExampleGradients(strict)
    v, w = np.arange(G.dense().shape[1]).astype(dtype), np.ones((3, 6), dtype)
    v_strict, w_strict = map(array_api_strict.asarray, (v, w))
    pairs = [
        (H.product(v_strict), G.product(v)),
        (H.adjoint(w_strict), G.adjoint(w)),
        (H.gram(), G.gram()),
        (H.dense(), G.dense()),
    ]
    for answer, expected in pairs:
        assert answer.dtype == getattr(array_api_strict, dtype)
        np.testing.assert_array_equal(np.asarray(answer), expected)
