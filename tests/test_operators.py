"""Curvature operators: against dense matrices from autograd, as SciPy's operators, and as equations to solve."""

import array_api_strict
import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from scipy.linalg import block_diag
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg, eigsh

import secondorder as so
from secondorder import operators
from secondorder.linalg import ExampleGradients, Layer, kronecker_damping
from secondorder.operators import EKFAC, GGN, KFAC, EmpiricalFisher, Fisher, Hessian

LOSSES = ("softmax", "squared")


def network(loss, n=12, widths=(3, 4, 3), l2=0.1, copies=1):
    rng = np.random.default_rng(n)
    X, y = rng.standard_normal((n, widths[0])), rng.standard_normal((n, widths[-1]))
    y = np.arange(n) % widths[-1] if loss == "softmax" else y
    return so.problems.mlp(
        (np.concatenate([X] * copies), np.concatenate([y] * copies)), widths=widths, loss=loss, l2=l2, seed=3
    )


def start(problem):
    """The biases of a fresh network are 0: move away from that."""
    return problem.x0 + 0.3 * np.random.default_rng(0).standard_normal(problem.x0.shape)


def outputs(problem, x):
    h, matrices = problem.X, []
    for b, a in problem.shapes:
        matrices.append(anp.reshape(x[: b * a], (b, a)))
        x = x[b * a :]
    for W in matrices[:-1]:
        h = anp.tanh(h @ W[:, :-1].T + W[:, -1])
    return h @ matrices[-1][:, :-1].T + matrices[-1][:, -1]


def mean_loss(problem, z):
    if problem.loss == "squared":
        return 0.5 * anp.mean(anp.sum((z - problem.Y) ** 2, axis=1))
    return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - anp.sum(problem.Y * z, axis=1))


def probabilities(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def dense_hessian(problem, x):
    return autograd.hessian(lambda x: mean_loss(problem, outputs(problem, x)) + 0.5 * problem.l2 * anp.sum(x * x))(x)


def dense_ggn(problem, x):
    """The Hessian of the loss of the linearised network."""
    z, J = outputs(problem, x), autograd.jacobian(lambda x: outputs(problem, x))(x)
    return autograd.hessian(lambda y: mean_loss(problem, z + J @ (y - x)))(x)


def dense_fisher(problem, x):
    """The expectation over the labels written out: a sum over classes, or unit covariance for a Gaussian."""
    z, J = outputs(problem, x), autograd.jacobian(lambda x: outputs(problem, x))(x)
    n, C, d = J.shape
    if problem.loss == "squared":
        return J.reshape(-1, d).T @ J.reshape(-1, d) / n
    p, F = probabilities(z), np.zeros((d, d))
    for i in range(n):
        for c in range(C):
            score = (p[i] - np.eye(C)[c]) @ J[i]
            F += p[i, c] * np.outer(score, score) / n
    return F


def dense_empirical(problem, x):
    z, J = outputs(problem, x), autograd.jacobian(lambda x: outputs(problem, x))(x)
    first = z - problem.Y if problem.loss == "squared" else probabilities(z) - problem.Y
    grads = np.einsum("nc,ncd->nd", first, J)
    return grads.T @ grads / len(grads)


def gradients(problem, x, kind="exact", samples=1, seed=0):
    """For each layer the matrix of its examples' gradients, and the layer."""
    layers = problem.signals(x, kind, np.random.default_rng(seed), samples)
    return [(ExampleGradients([layer]).dense(), layer) for layer in layers]


def dense_kfac(problem, x, **how):
    def block(layer):
        A = np.mean([np.outer(a, a) for a in layer.inputs], axis=0)
        B = np.mean([sum(np.outer(g, g) for g in signals) for signals in np.swapaxes(layer.signals, 0, 1)], axis=0)
        return np.kron(B, A)

    return block_diag(*(block(layer) for _, layer in gradients(problem, x, **how)))


def dense_ekfac(problem, x, **how):
    """Each block of the Fisher in the eigenbasis of K-FAC's, its diagonal kept."""
    blocks = []
    for G, layer in gradients(problem, x, **how):
        flat = layer.signals.reshape(-1, layer.signals.shape[2])
        U = np.kron(np.linalg.eigh(flat.T @ flat)[1], np.linalg.eigh(layer.inputs.T @ layer.inputs)[1])
        blocks.append((U * np.diag(U.T @ G.T @ G @ U / problem.n)) @ U.T)
    return block_diag(*blocks)


def dense_monte_carlo(problem, x):
    G = np.hstack([G for G, _ in gradients(problem, x, "monte_carlo", 2, 5)])
    return G.T @ G / problem.n


DRAWN = {"kind": "monte_carlo", "samples": 2, "seed": 5}
OPERATORS = {
    "Hessian": (Hessian, {}, dense_hessian),
    "GGN": (GGN, {}, dense_ggn),
    "Fisher": (Fisher, {}, dense_fisher),
    "Fisher, drawn": (Fisher, DRAWN, dense_monte_carlo),
    "EmpiricalFisher": (EmpiricalFisher, {}, dense_empirical),
    "KFAC": (KFAC, {}, dense_kfac),
    "KFAC, drawn": (KFAC, DRAWN, lambda p, x: dense_kfac(p, x, **DRAWN)),
    "KFAC, empirical": (KFAC, {"kind": "empirical"}, lambda p, x: dense_kfac(p, x, kind="empirical")),
    "EKFAC": (EKFAC, {}, dense_ekfac),
    "EKFAC, drawn": (EKFAC, DRAWN, lambda p, x: dense_ekfac(p, x, **DRAWN)),
    "EKFAC, empirical": (EKFAC, {"kind": "empirical"}, lambda p, x: dense_ekfac(p, x, kind="empirical")),
}
each_operator = pytest.mark.parametrize(("make", "how", "dense"), OPERATORS.values(), ids=OPERATORS)
each_class = pytest.mark.parametrize("make", [Hessian, GGN, Fisher, EmpiricalFisher, KFAC, EKFAC])


@pytest.mark.parametrize("loss", LOSSES)
@each_operator
def test_it_is_the_dense_matrix(make, how, dense, loss):
    problem = network(loss)
    x = start(problem)
    C, expected = make(problem, x, **how), dense(problem, x)
    tol = 1e-12 * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(C.to_dense(), expected, rtol=0, atol=tol)
    np.testing.assert_allclose(C @ np.eye(len(x)), expected, rtol=0, atol=tol)
    np.testing.assert_allclose(C.to_dense(), C.to_dense().T, rtol=0, atol=tol)


@each_operator
def test_it_keeps_scipys_conventions(make, how, dense):
    problem = network("softmax")
    x, rng = start(problem), np.random.default_rng(1)
    d = len(x)
    C, M = make(problem, x, **how), dense(problem, x)
    v, V = rng.standard_normal(d), rng.standard_normal((d, 3))
    assert isinstance(C, LinearOperator) and aslinearoperator(C) is C
    assert C.shape == (d, d) and C.dtype == np.float64
    assert C.H is C and C.T is C
    close = {"rtol": 0, "atol": 1e-11}
    for product in (C.matvec(v), C.rmatvec(v), C @ v, C.dot(v), C(v), C @ v.tolist(), v @ C):
        assert product.shape == (d,)
        np.testing.assert_allclose(product, M @ v, **close)
    np.testing.assert_allclose(C.matvec(v[:, None]), (M @ v)[:, None], **close)
    for product in (C.matmat(V), C.rmatmat(V), C @ V, C @ np.asfortranarray(V), (V.T @ C).T):
        np.testing.assert_allclose(product, M @ V, **close)
    np.testing.assert_allclose((2.0 * C + C) @ v, 3.0 * M @ v, **close)
    np.testing.assert_allclose((C @ C) @ v, M @ (M @ v), **close)
    np.testing.assert_allclose(C @ np.arange(d), M @ np.arange(d), rtol=0, atol=1e-9)
    product = C @ v
    product += 1.0
    largest = eigsh(C, k=3, v0=v, return_eigenvectors=False, which="LA")
    np.testing.assert_allclose(np.sort(largest), np.linalg.eigvalsh(M)[-3:], rtol=1e-9)
    shifted = C + 10.0 * aslinearoperator(np.eye(d))
    np.testing.assert_allclose(shifted @ cg(shifted, v, rtol=1e-10)[0], v, atol=1e-8)
    for wrong in (v[1:], V[1:], np.ones((d, 2, 2))):
        with pytest.raises(ValueError):
            C @ wrong
    with pytest.raises(TypeError):
        C @ (1j * v)


@each_class
def test_single_precision_stays_single(make):
    problem = so.to_device(network("softmax"), "numpy", dtype="float32")
    x = start(network("softmax")).astype(np.float32)
    C, b = make(problem, x), np.ones(len(x))
    assert C.dtype == np.float32
    assert {(C @ b).dtype, C.to_dense().dtype, C.solve(b, 1.0).dtype} == {np.dtype(np.float32)}
    np.testing.assert_allclose(C.to_dense(), make(network("softmax"), x.astype(float)).to_dense(), atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n", [5, 20], ids=["fewer rows than unknowns", "more rows"])
@pytest.mark.parametrize("damping", [1e-3, 1.0, 1e3])
@each_operator
def test_solve_is_the_dense_solve(make, how, dense, damping, n, loss):
    problem = network(loss, n)
    x, b = start(problem), np.random.default_rng(1).standard_normal(31)
    M = dense(problem, x) + damping * np.eye(31)
    # an eigenvalue of the Hessian plus the damping may be small: the condition number sets the tolerance
    expected, tol = np.linalg.solve(M, b), 1e-13 * np.linalg.cond(M)
    assert np.linalg.norm(make(problem, x, **how).solve(b, damping) - expected) <= tol * np.linalg.norm(expected)


@pytest.mark.parametrize("make", [Hessian, GGN, Fisher, EmpiricalFisher])
def test_large_systems_are_solved_from_products(make, monkeypatch):
    problem = network("softmax")
    x, b = start(problem), np.random.default_rng(1).standard_normal(31)
    direct = make(problem, x).solve(b, 0.1)
    monkeypatch.setattr(operators, "LARGEST_DENSE", 3)
    monkeypatch.setattr(make, "to_dense", None)
    C = make(problem, x)
    np.testing.assert_allclose(C.solve(b, 0.1), direct, rtol=0, atol=1e-8 * np.linalg.norm(direct))
    if make is not Hessian:
        with pytest.raises(np.linalg.LinAlgError, match=r"MINRES left a relative residual of .* give more damping"):
            C.solve(b)


@pytest.mark.parametrize("n", [5, 20])
def test_a_singular_matrix_is_not_solved(n):
    """Softmax does not see a constant added to its outputs, whatever n: all but the Hessian are singular."""
    problem = network("softmax", n)
    x, b = start(problem), np.ones(31)
    for make in (GGN, Fisher, EmpiricalFisher, KFAC, EKFAC):
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            make(problem, x).solve(b)
    H = Hessian(problem, x)
    with pytest.raises(np.linalg.LinAlgError, match="Hessian \\+ damping I is singular to rounding: give more damping"):
        smallest = np.linalg.eigvalsh(H.to_dense())[0]
        assert smallest < 0.0
        H.solve(b, -smallest)


def test_undamped_solves_where_the_factors_have_full_rank():
    problem = network("squared", n=40)
    x, b = start(problem), np.ones(31)
    for make in (GGN, Fisher, KFAC, EKFAC):
        C = make(problem, x)
        np.testing.assert_allclose(C @ C.solve(b), b, atol=1e-13 * np.linalg.cond(C.to_dense()))


def test_the_pi_rule_damps_the_factors():
    problem = network("softmax")
    x, b = start(problem), np.random.default_rng(1).standard_normal(31)
    C = KFAC(problem, x)
    damped = block_diag(*(np.kron(*kronecker_damping(A, B, 0.1)[::-1]) for A, B in C.factors))
    np.testing.assert_allclose(C.solve(b, 0.1, pi=True), np.linalg.solve(damped, b), atol=1e-12)
    assert b @ C.solve(b, 0.1, pi=True) < b @ C.solve(b, 0.1)


@pytest.mark.parametrize("loss", LOSSES)
def test_fisher_is_gauss_newton_and_neither_holds_the_penalty(loss):
    problem, plain = network(loss, l2=0.1), network(loss, l2=0.0)
    x = start(problem)
    np.testing.assert_allclose(Fisher(problem, x).to_dense(), GGN(problem, x).to_dense(), rtol=0, atol=1e-13)
    for make in (GGN, Fisher, EmpiricalFisher, KFAC, EKFAC):
        np.testing.assert_array_equal(make(problem, x).to_dense(), make(plain, x).to_dense())
    penalty = Hessian(problem, x).to_dense() - Hessian(plain, x).to_dense()
    np.testing.assert_allclose(penalty, 0.1 * np.eye(31), atol=1e-15)


@each_class
@pytest.mark.parametrize("loss", LOSSES)
def test_duplicated_data_change_nothing(make, loss):
    once, twice = network(loss), network(loss, copies=2)
    x = start(once)
    np.testing.assert_allclose(make(twice, x).to_dense(), make(once, x).to_dense(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("loss", LOSSES)
def test_drawn_labels_converge_to_the_fisher(loss):
    """100 times the samples, a tenth of the error: the ratio of two random errors is within a factor of 3 of that."""
    problem = network(loss)
    x = start(problem)
    F = Fisher(problem, x).to_dense()
    few, many = (np.linalg.norm(Fisher(problem, x, "monte_carlo", samples=K).to_dense() - F) for K in (50, 5000))
    assert many < 0.05 * np.linalg.norm(F)
    assert 10.0 / 3.0 < few / many < 30.0


def test_the_seed_is_the_draw():
    problem = network("softmax")
    x = start(problem)
    first, again, other = (Fisher(problem, x, "monte_carlo", seed=seed).to_dense() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("loss", LOSSES)
def test_kfac_of_one_example_is_the_block_diagonal_of_the_fisher(loss):
    problem = network("squared", n=1) if loss == "squared" else network(loss, n=3).batch(np.asarray([1]))
    x = start(problem)
    F, cut = Fisher(problem, x).to_dense(), 16
    blocks = block_diag(F[:cut, :cut], F[cut:, cut:])
    np.testing.assert_allclose(KFAC(problem, x).to_dense(), blocks, rtol=0, atol=1e-13)
    np.testing.assert_allclose(EKFAC(problem, x).to_dense(), blocks, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ["exact", "monte_carlo", "empirical"])
@pytest.mark.parametrize("loss", LOSSES)
def test_ekfac_is_never_farther_from_the_fisher_than_kfac(loss, kind):
    problem = network(loss)
    for seed in range(10):
        x = problem.x0 + np.random.default_rng(seed).standard_normal(31)
        G = np.hstack([G for G, _ in gradients(problem, x, kind)])
        F = G.T @ G / problem.n
        far, near = (np.linalg.norm(F - make(problem, x, kind).to_dense()) for make in (KFAC, EKFAC))
        assert near <= far * (1.0 + 1e-12)


def test_sharing_is_named():
    """A problem with weights at several positions: no factors are formed but those of the convention."""
    rng = np.random.default_rng(0)
    layer = Layer(rng.standard_normal((6, 5, 3)), rng.standard_normal((4, 6, 5, 2)))
    problem = so.Problem(signals=lambda x, kind, rng, samples: (layer,), x0=np.ones(6))
    rows, flat = layer.inputs.reshape(-1, 3), layer.signals.reshape(-1, 2)
    expand = np.kron(flat.T @ flat / 6, rows.T @ rows / 30)
    mean, total = layer.inputs.mean(axis=1), layer.signals.sum(axis=2).reshape(-1, 2)
    reduce = np.kron(total.T @ total / 6, mean.T @ mean / 6)
    np.testing.assert_allclose(KFAC(problem, problem.x0).to_dense(), expand, atol=1e-13)
    np.testing.assert_allclose(KFAC(problem, problem.x0, sharing="reduce").to_dense(), reduce, atol=1e-13)
    np.testing.assert_allclose(KFAC(problem, problem.x0, sharing="reduce") @ np.eye(6), reduce, atol=1e-13)


def test_a_function_without_a_network_has_a_hessian_operator():
    problem = so.problems.rosenbrock()
    np.testing.assert_array_equal(Hessian(problem, problem.x0).to_dense(), problem.hess(problem.x0))
    dense = so.Problem(lambda x: float(x @ x), hess=lambda x: 2.0 * np.eye(2), x0=[1.0, 2.0])
    np.testing.assert_array_equal(Hessian(dense, dense.x0) @ [1.0, 2.0], [2.0, 4.0])
    free = so.Problem(hvp=lambda x, v: 2.0 * v, x0=[1.0, 2.0])
    np.testing.assert_array_equal(Hessian(free, free.x0).to_dense(), 2.0 * np.eye(2))


@pytest.mark.parametrize(
    ("make", "needs"), [(GGN, "ggn_product"), (Fisher, "signals"), (EmpiricalFisher, "signals"), (EKFAC, "signals")]
)
def test_a_missing_oracle_is_named(make, needs):
    problem = so.problems.rosenbrock()
    with pytest.raises(ValueError, match=rf"{make.__name__} needs {needs}; problem 'rosenbrock' offers .* {needs} \("):
        make(problem, problem.x0)
    with pytest.raises(ValueError, match=r"offers f, grad\. Missing: hvp"):
        Hessian(so.Problem(lambda x: x @ x, lambda x: 2.0 * x, x0=[1.0]), [1.0])


@each_class
def test_bad_points_and_right_sides_are_refused(make):
    problem = network("softmax")
    with pytest.raises(TypeError, match="problem must be a Problem"):
        make(lambda x: x, problem.x0)
    with pytest.raises(ValueError, match=r"x must have shape \(31,\) .* got \(30,\)"):
        make(problem, problem.x0[1:])
    with pytest.raises(ValueError, match="x must be finite"):
        make(problem, np.full(31, np.nan))
    with pytest.raises(ValueError, match="x must be a vector"):
        make(problem, np.ones((31, 1)))
    with pytest.raises(TypeError, match="x must be a NumPy array"):
        make(problem, array_api_strict.ones(31))
    C = make(problem, problem.x0)
    for damping in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"damping must be a number in \[0, inf\)"):
            C.solve(np.ones(31), damping)
    with pytest.raises(ValueError, match=r"b must have shape \(31,\); got \(30,\)"):
        C.solve(np.ones(30), 1.0)
    with pytest.raises(ValueError, match="b must be finite"):
        C.solve(np.full(31, np.inf), 1.0)


def test_bad_kinds_are_refused():
    problem = network("softmax")
    with pytest.raises(ValueError, match="kind must be one of 'exact', 'monte_carlo'; got 'empirical'"):
        Fisher(problem, problem.x0, "empirical")
    for make in (KFAC, EKFAC):
        with pytest.raises(ValueError, match="kind must be one of 'exact', 'monte_carlo', 'empirical'; got 'type-2'"):
            make(problem, problem.x0, "type-2")
    for samples in (0, 1.5):
        with pytest.raises(ValueError, match=r"samples must be a whole number in \[1, inf\)"):
            Fisher(problem, problem.x0, "monte_carlo", samples=samples)
    with pytest.raises(ValueError, match="sharing must be one of"):
        KFAC(problem, problem.x0, sharing="mean")


def test_later_changes_of_the_point_do_not_reach_the_operator():
    problem = network("softmax")
    x = start(problem)
    C, before = Hessian(problem, x), Hessian(problem, x).to_dense()
    x[:] = 0.0
    np.testing.assert_array_equal(C.to_dense(), before)
