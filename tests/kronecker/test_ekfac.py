"""EK-FAC: its diagonal is that of the block, no other is nearer, and it is K-FAC where signals and inputs are independent."""

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import Layer

VARIANTS = so.kronecker.ekfac.method.variants
RAW = {"rescaling": "kl_clip", "learning_rate": 1.0, "momentum": 0.0, "kl_clip": 1e30}


def run(problem, steps=1, method="ekfac", **hyper):
    keep = ("x", "step", "left_factor", "right_factor", "second_moment")
    return so.minimize(problem, method, steps=steps, tol=0.0, keep=keep if method == "ekfac" else keep[:4], **hyper)


def block(layer):
    rows = np.concatenate([[np.kron(g, a) for g, a in zip(signals, layer.inputs)] for signals in layer.signals])
    return rows.T @ rows / len(layer.inputs)


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize("fisher", ["exact", "empirical"])
def test_the_moments_are_the_diagonal_of_the_block_in_the_basis_and_the_nearest(network, loss, fisher):
    problem = network(loss)
    row = run(problem, fisher=fisher).rows[1]
    for layer, A, B, S in zip(
        problem.signals(problem.x0, fisher), row["right_factor"], row["left_factor"], row["second_moment"]
    ):
        K, F = np.kron(np.linalg.eigh(B)[1], np.linalg.eigh(A)[1]), block(layer)
        np.testing.assert_allclose(S.ravel(), np.diag(K.T @ F @ K), rtol=0.0, atol=1e-13)
        ours, theirs = np.linalg.norm(F - K * S.ravel() @ K.T), np.linalg.norm(F - np.kron(B, A))
        assert ours <= theirs + 1e-13


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize(
    "hyper",
    [{}, {"damping": 0.05, "refresh": 3, "adaptation": 2}, {"damping": 0.3, "decay": 0.5, "refresh": 1}],
    ids=str,
)
def test_every_row_of_its_dense_twin(network, twin, loss, hyper):
    problem = network(loss, 0.02)
    history = run(problem, 12, fisher="exact", **hyper)
    for row, expected in zip(history.rows[1:], twin(problem, 12, diagonal=True, **hyper), strict=True):
        for name in ("damping", "scale", "momentum"):
            assert row[name] == pytest.approx(expected[name], rel=1e-6, abs=1e-9), name
        np.testing.assert_allclose(row["step"], expected["step"], rtol=0.0, atol=1e-8)
        assert ("ratio" in row) == ("ratio" in expected)
        if "ratio" in row:
            assert row["ratio"] == pytest.approx(max(-1.0, expected["ratio"]), rel=1e-5)


class Independent(so.Problem):
    """One layer whose inputs and signals are a full grid: every signal goes with every input."""

    def __init__(self):
        rng = np.random.default_rng(0)
        inputs, signals = np.hstack([rng.standard_normal((5, 2)), np.ones((5, 1))]), rng.standard_normal((7, 4))
        self.layer = Layer(np.repeat(inputs, 7, axis=0), np.tile(signals, (5, 1))[None])
        self.target = rng.standard_normal(12)
        super().__init__(x0=np.zeros(12), fresh=True)

    def f(self, x):
        return 0.5 * (x - self.target) @ (x - self.target)

    def grad(self, x):
        return x - self.target

    def signals(self, x, kind, rng=None, samples=1):
        return (self.layer,)


def test_it_is_kfac_where_signals_and_inputs_are_independent(network):
    """And is not, on a network: there the two differ in the first step."""
    hyper = {"fisher": "empirical", "damping": 0.1, **RAW}
    ours, theirs = run(Independent(), 3, **hyper), run(Independent(), 3, "kfac", damping_rule="exact", **hyper)
    np.testing.assert_allclose(ours["x"], theirs["x"], rtol=0.0, atol=1e-12)
    (A,), (B,), (S,) = (ours.rows[1][name] for name in ("right_factor", "left_factor", "second_moment"))
    np.testing.assert_allclose(S, np.outer(np.linalg.eigvalsh(B), np.linalg.eigvalsh(A)), rtol=0.0, atol=1e-13)
    ours, theirs = run(network(), **hyper), run(network(), method="kfac", damping_rule="exact", **hyper)
    assert np.linalg.norm(ours.x - theirs.x) > 1e-3


def test_the_basis_changes_at_every_refresh_and_the_moments_at_every_step(network):
    problem = network()
    history = run(problem, 7, fisher="exact", refresh=3, **RAW | {"learning_rate": 0.1})
    for layer in range(2):
        for k, row in enumerate(history.rows[1:]):
            A, B, S = (row[name][layer] for name in ("right_factor", "left_factor", "second_moment"))
            if k % 3 == 0:
                K, mean = np.kron(np.linalg.eigh(B)[1], np.linalg.eigh(A)[1]), 0.0
            age = k % 3
            diagonal = np.diag(K.T @ block(problem.signals(history["x"][k], "exact")[layer]) @ K)
            mean = (age * mean + diagonal) / (age + 1.0)
            np.testing.assert_allclose(S.ravel(), mean, rtol=0.0, atol=1e-12)


def test_moments_that_are_followed_outlast_eigenvalues_that_are_not():
    """With the basis of 50 steps ago and no step control, K-FAC leaves and EK-FAC stays."""
    problem = so.problems.mlp("two_moons", [2, 8, 2])
    hyper = {"fisher": "exact", "damping": 0.01, "refresh": 50, **RAW | {"learning_rate": 0.3}, "steps": 100}
    assert run(problem, **hyper).f[-1] < run(problem, method="kfac", damping_rule="exact", **hyper).f[-1]


@pytest.mark.parametrize("hyper", VARIANTS.values(), ids=VARIANTS)
def test_variants_are_told_apart(network, hyper):
    assert np.any(run(network(), **hyper).x != run(network()).x)


def test_the_books(network):
    history = run(network(), 11, fisher="exact")
    expected = {"f": 2 * 2, "grad": 12, "signals": 11 * 2, "ggn_product": 1 + 2 * 10}
    assert {name: n for name, n in history.oracle.items() if n} == expected
