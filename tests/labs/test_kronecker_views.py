"""The matrices and runs behind the pictures of the K-FAC chapter."""

import numpy as np
import pytest

from secondorder.labs.views import kronecker as views
from secondorder.linalg import kronecker_factors


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("trained", [0, 6, 20])
def test_the_pictured_blocks_are_exact_for_one_example_and_ekfac_is_never_farther(layer, trained):
    net, x = views.trained_moons(trained)
    for count in views.COUNTS:
        F, K, E = views.blocks(net.batch(np.arange(count)).signals(x, "exact")[layer])
        assert views.relative(E, F) <= views.relative(K, F) + 1e-12
        if count == 1:
            assert views.relative(K, F) < 1e-12


def test_the_exact_block_is_that_of_the_fisher_matrix():
    net, x = views.trained_moons(3)
    dense, start = net.fisher(x), 0
    for layer in net.signals(x, "exact"):
        F = views.blocks(layer)[0]
        stop = start + len(F)
        np.testing.assert_allclose(F, dense[start:stop, start:stop], atol=1e-12 * np.max(dense))
        start = stop


def test_a_square_has_the_area_of_its_entry():
    M = np.asarray([[1.0, -0.25], [0.0, 0.25]])
    x, y = views._squares(M)
    assert len(x) == len(y) == 2 * 6
    sides = np.nanmax(x.reshape(2, 6), axis=1) - np.nanmin(x.reshape(2, 6), axis=1)
    np.testing.assert_allclose(sides**2, 0.81 * np.asarray([1.0, 0.25]))
    np.testing.assert_allclose(np.nanmean(y.reshape(2, 6)[:, :4], axis=1), [2.0, 1.0])  # the first row at the top


def test_the_excess_of_the_damped_factors_is_the_dense_one_and_least_at_balance_one():
    net, x = views.trained_moons(3)
    A, B = kronecker_factors(*net.signals(x, "exact")[1])
    a, b = np.linalg.eigvalsh(A), np.linalg.eigvalsh(B)
    best = np.sqrt(np.mean(a) / np.mean(b))
    damped = views.damped_block(A, B, 0.01)
    excess = np.trace(damped - np.kron(B, A) - 0.01 * np.eye(len(damped))) / len(damped)
    curve = views._excess(a, b, 0.01, best * np.asarray([0.9, 1.0, 1.1]))
    assert curve[1] == pytest.approx(excess, rel=1e-10) and curve[1] == min(curve)


@pytest.mark.parametrize("average", [False, True])
def test_each_way_of_sharing_is_exact_where_it_says(average):
    layer = views.shared_layer(average)
    F = views.shared_block(layer)
    errors = {}
    for sharing in ("expand", "reduce"):
        A, B = kronecker_factors(*layer, sharing)
        errors[sharing] = views.relative(np.kron(B, A), F)
    good, bad = ("reduce", "expand") if average else ("expand", "reduce")
    assert errors[good] < 1e-14 < 0.1 < errors[bad]


def test_a_race_stops_at_its_target():
    history = views.to_target("autoencoder", "kfac", 0, damping=0.01)
    assert views.arrived(history) and history.f[-1] <= 0.5 < history.f[-2]
    assert views.steps_to_target(history) == len(history) - 1
    assert views.steps_to_target(views.to_target("autoencoder", "kfac", 0, 2, damping=0.01)) == float("inf")
