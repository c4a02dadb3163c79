"""Operators with one mistake each: every one is named, and right ones pass."""

import json

import numpy as np
import pytest
from scipy.linalg import block_diag
from scipy.sparse.linalg import aslinearoperator

import secondorder as so
from secondorder.linalg import eigen
from secondorder.operators import EKFAC, GGN, KFAC, EmpiricalFisher, Fisher, Hessian
from secondorder.validate.operators import check_operator, parameter_orders
from secondorder.validate.problems import network

NETWORK = network()
X = NETWORK.x0 + 0.3 * np.random.default_rng(0).standard_normal(NETWORK.x0.shape)
N, C, L2 = NETWORK.n, 3, NETWORK.l2
D = len(X)
DENSE = {
    "hessian": Hessian(NETWORK, X).to_dense(),
    "ggn": GGN(NETWORK, X).to_dense(),
    "fisher": Fisher(NETWORK, X).to_dense(),
    "empirical_fisher": EmpiricalFisher(NETWORK, X).to_dense(),
    "kfac": KFAC(NETWORK, X).to_dense(),
    "ekfac": EKFAC(NETWORK, X).to_dense(),
    "empirical_kfac": KFAC(NETWORK, X, "empirical").to_dense(),
    "empirical_ekfac": EKFAC(NETWORK, X, "empirical").to_dense(),
}


def moments(kind="exact"):
    return [(layer.inputs, layer.signals) for layer in NETWORK.signals(X, kind, np.random.default_rng(0), 1)]


def failed(report):
    return [finding.name for finding in report.findings if finding.passed is False]


@pytest.mark.parametrize("kind", DENSE)
def test_the_references_pass_as_matrices_operators_and_functions(kind):
    matrix = DENSE[kind]
    for operator in (matrix, matrix.tolist(), aslinearoperator(matrix), lambda v: matrix @ v):
        report = check_operator(operator, kind, NETWORK, X)
        assert report and report.error <= report.tolerance < 1e-10 and report.explanation == ()
    assert check_operator(aslinearoperator(matrix.astype(np.float32)), kind, NETWORK, X).agrees
    assert not check_operator(matrix.astype(np.float32).astype(float), kind, NETWORK, X).agrees
    assert check_operator(matrix.astype(np.float32).astype(float), kind, NETWORK, X, tolerance=1e-5).agrees


@pytest.mark.parametrize("other", ["hessian", "ggn", "empirical_fisher", "kfac", "ekfac", "empirical_kfac"])
@pytest.mark.parametrize("kind", ["hessian", "fisher", "kfac", "empirical_ekfac"])
def test_another_matrix_is_called_by_its_name(kind, other):
    report = check_operator(DENSE[other], kind, NETWORK, X)
    if kind == other or {kind, other} == {"ggn", "fisher"}:
        assert report.agrees
    else:
        named = {
            "hessian": "the Hessian",
            "ggn": "the generalised Gauss-Newton matrix",
            "empirical_fisher": "the empirical Fisher",
            "kfac": "K-FAC",
            "ekfac": "EK-FAC",
            "empirical_kfac": "K-FAC of the empirical Fisher",
        }
        assert not report and report.explanation == (named[other],)
        assert report.verdict == f"it is {named[other]}"


@pytest.mark.parametrize(
    ("factor", "name"),
    [
        (N, "times N ("),
        (1 / N, "times 1/N ("),
        (1 / N**2, "times 1/N^2 ("),
        (N / (N - 1), "times N/(N - 1) ("),
        (2.0, "times 2"),
        (0.5, "times 1/2"),
        (C, "times C ("),
        (1 / C, "times 1/C ("),
        (2 / C, "times 2/C ("),
        (-1.0, "times -1"),
        (0.7391, "times 0.7391"),
    ],
)
@pytest.mark.parametrize("kind", ["hessian", "kfac"])
def test_a_factor_is_named(kind, factor, name):
    report = check_operator(factor * DENSE[kind], kind, NETWORK, X)
    assert len(report.explanation) == 2 and report.explanation[1].startswith(name)


def test_the_penalty():
    eye = np.eye(D)
    hessian = check_operator(DENSE["hessian"] - L2 * eye, "hessian", NETWORK, X)
    assert hessian.explanation == ("the Hessian", f"without the l2 penalty ({L2:g} I)")
    ggn = check_operator(DENSE["ggn"] + L2 * eye, "ggn", NETWORK, X)
    assert ggn.explanation[1] == f"plus the l2 penalty ({L2:g} I)"
    summed = check_operator(N * (DENSE["hessian"] - L2 * eye), "hessian", NETWORK, X)
    assert [each[:12] for each in summed.explanation] == ["the Hessian", "times N (N =", "without the "]
    assert check_operator(DENSE["kfac"] + 0.3 * eye, "kfac", NETWORK, X).explanation == ("K-FAC", "plus 0.3 I")


@pytest.mark.parametrize("order", ["weights, bias", "columns", "bias, weights", "bias, weights by columns"])
@pytest.mark.parametrize("kind", ["hessian", "ekfac"])
def test_an_order_of_the_parameters_is_named_and_can_be_given(kind, order):
    positions = parameter_orders(NETWORK)[order]
    matrix = DENSE[kind][np.ix_(positions, positions)]
    assert check_operator(matrix, kind, NETWORK, X, order=order).agrees
    report = check_operator(matrix, kind, NETWORK, X)
    assert report.explanation[1:] == (f"in the order {order!r} of the parameters",)
    double = check_operator(2.0 * matrix, kind, NETWORK, X, order=order)
    assert double.explanation[1:] == ("times 2",)
    ours = check_operator(DENSE[kind], kind, NETWORK, X, order=order)
    assert ours.explanation[1:] == ("in the order 'rows' of the parameters",)


def test_orders_by_hand():
    """Two inputs, two outputs: ours is W11 W12 b1 W21 W22 b2."""
    problem = so.problems.mlp(([[1.0, 2.0], [3.0, 4.0]], [0, 1]), [2, 2])
    ours = np.asarray(["W11", "W12", "b1", "W21", "W22", "b2"])
    found = {name: " ".join(ours[positions]) for name, positions in parameter_orders(problem).items()}
    assert found["rows"] == " ".join(ours)
    assert found["weights, bias"] == "W11 W12 W21 W22 b1 b2"
    assert found["columns"] == "W11 W21 W12 W22 b1 b2"
    assert found["bias, weights"] == "b1 b2 W11 W12 W21 W22"
    assert found["bias, weights by columns"] == "b1 b2 W11 W21 W12 W22"


def test_the_kronecker_product_the_other_way_round():
    swapped = block_diag(
        *(np.kron(a.T @ a / N, np.einsum("kni,knj->ij", g, g) / N) for a, g in moments())
    )  # what vectors column by column need
    assert check_operator(swapped, "kfac", NETWORK, X).explanation[1] == "in the order 'columns' of the parameters"


def test_a_factor_that_is_missing():
    for side in ("inputs", "signals"):
        blocks = []
        for a, g in moments():
            A, B = a.T @ a / N, np.einsum("kni,knj->ij", g, g) / N
            blocks.append(np.kron(B, np.eye(len(A))) if side == "inputs" else np.kron(np.eye(len(B)), A))
        report = check_operator(block_diag(*blocks), "kfac", NETWORK, X)
        assert report.explanation == (f"K-FAC without the factor of the {side}",)


def test_biases_of_their_own():
    """Built from the example's outer products, not from the code under test."""
    blocks, corrected = [], []
    for a, g in moments():
        W, B = a[:, :-1], np.einsum("kni,knj->ij", g, g) / N
        b, columns = len(B), a.shape[1]
        where = np.arange(b * columns).reshape(b, columns)
        block, other = np.zeros((b * columns, b * columns)), np.zeros((b * columns, b * columns))
        U_A, U_B = eigen(W.T @ W / N).vectors, eigen(B).vectors
        G = np.einsum("kni,nj->knij", g @ U_B, W @ U_A).reshape(-1, b * (columns - 1))
        U = np.kron(U_B, U_A)
        weights, bias = where[:, :-1].ravel(), where[:, -1]
        block[np.ix_(weights, weights)] = np.kron(B, W.T @ W / N)
        other[np.ix_(weights, weights)] = U @ np.diag(np.sum(G**2, axis=0) / N) @ U.T
        block[np.ix_(bias, bias)] = other[np.ix_(bias, bias)] = B
        blocks.append(block)
        corrected.append(other)
    assert check_operator(block_diag(*blocks), "kfac", NETWORK, X).explanation == ("K-FAC with the biases apart",)
    assert check_operator(block_diag(*corrected), "ekfac", NETWORK, X).explanation == ("EK-FAC with the biases apart",)


def test_relatives_of_the_fisher():
    G = NETWORK.example_gradients(X).dense()
    mean = G.mean(axis=0)
    cases = {
        "the outer product of the mean gradient": np.outer(mean, mean),
        "the covariance of the examples' gradients, their mean taken away,": np.cov(G.T, bias=True),
        "the empirical Fisher": G.T @ G / N,
    }
    for words, matrix in cases.items():
        assert check_operator(matrix, "fisher", NETWORK, X).explanation == (words,)
    unbiased = check_operator(np.cov(G.T), "empirical_fisher", NETWORK, X).explanation
    assert unbiased[0].startswith("the covariance") and unbiased[1].startswith("times N/(N - 1)")
    J = np.stack([NETWORK.jvp(X, v) for v in np.eye(D)], axis=-1).reshape(-1, D)
    assert check_operator(J.T @ J / N, "ggn", NETWORK, X).explanation == ("J'J, without the Hessian of the loss,",)
    blocks = np.zeros((D, D))
    blocks[:16, :16], blocks[16:, 16:] = DENSE["ggn"][:16, :16], DENSE["ggn"][16:, 16:]
    report = check_operator(blocks, "ggn", NETWORK, X)
    assert report.explanation == ("the diagonal blocks of the generalised Gauss-Newton matrix, one a layer,",)
    assert "W1 × W2" in report.findings[-1].words and "W1 × W1" not in report.findings[-1].words


def test_one_layer_off():
    matrix = np.array(DENSE["kfac"])
    matrix[16:, 16:] /= N
    report = check_operator(matrix, "kfac", NETWORK, X)
    assert report.explanation[0] == "K-FAC" and report.explanation[1].startswith("the block of layer 2 times 1/N (")


def test_an_entry_that_nothing_explains_is_located():
    matrix = np.array(DENSE["hessian"])
    matrix[3, 3] += 0.1  # the bias of the first unit
    report = check_operator(matrix, "hessian", NETWORK, X)
    assert report.explanation == () and failed(report) == ["matrix"]
    assert "b1 × b1 only" in report.verdict


def test_properties():
    matrix = DENSE["ggn"]
    skew = np.array(matrix)
    skew[0, 9] += 0.01
    assert "symmetric" in failed(check_operator(skew, "ggn", NETWORK, X))
    assert "semi-definite" in failed(check_operator(matrix - 0.01 * np.eye(D), "ggn", NETWORK, X))
    assert "semi-definite" not in [f.name for f in check_operator(DENSE["hessian"], "hessian", NETWORK, X).findings]
    assert np.linalg.eigvalsh(DENSE["hessian"])[0] < 0.0
    rng = np.random.default_rng(0)
    for wrong in (
        lambda v: np.abs(matrix @ v),
        lambda v: matrix @ v * rng.choice([0.9, 1.1]),
        lambda v: matrix @ v + 1,
    ):
        report = check_operator(wrong, "ggn", NETWORK, X)
        assert "linear" in failed(report) and report.explanation == ()


def test_broken_operators_get_a_report():
    def raises(v):
        raise RuntimeError("out of memory")

    for wrong, name in (
        (raises, "products"),
        (lambda v: v[:3], "shape"),
        (lambda v: "nothing", "products"),
        (DENSE["ggn"][:5], "shape"),
        (DENSE["ggn"][:5, :5], "products"),
        (lambda v: np.nan * v, "finite"),
        (7, "shape"),
    ):
        report = check_operator(wrong, "ggn", NETWORK, X)
        assert not report and failed(report) == [name], name
        assert json.loads(report.to_json())["agrees"] is False


def test_an_operator_that_writes_on_its_argument_does_no_harm():
    def greedy(v):
        answer = DENSE["ggn"] @ v
        v[:] = 0.0
        return answer

    assert check_operator(greedy, "ggn", NETWORK, X).agrees


@pytest.mark.parametrize("operator", [lambda v: v + 1j, 1j * np.eye(NETWORK.x0.size)])
def test_complex_numbers_are_not_dropped(operator):
    report = check_operator(operator, "ggn", NETWORK)
    assert not report and "must be real; got complex numbers" in str(report)


def test_without_layers_there_is_only_one_order():
    quadratic = so.problems.quadratic([1.0, 4.0, 9.0])
    H = np.diag([1.0, 4.0, 9.0])
    assert list(parameter_orders(quadratic)) == ["rows"]
    assert check_operator(H, "hessian", quadratic, np.ones(3)).agrees
    assert check_operator(2 * H, "hessian", quadratic, np.ones(3)).explanation == ("the Hessian", "times 2")
    with pytest.raises(ValueError, match="order must be one of 'rows'"):
        check_operator(H, "hessian", quadratic, order="columns")
    with pytest.raises(ValueError, match="needs ggn_product"):
        check_operator(H, "ggn", quadratic)
    with pytest.raises(ValueError, match="kind must be one of hessian, ggn"):
        check_operator(H, "gauss_newton", quadratic)


# ------------------------------------------------------------------------------------------------ Monte-Carlo kinds

MAKE = {"monte_carlo_fisher": Fisher, "monte_carlo_kfac": KFAC, "monte_carlo_ekfac": EKFAC}


def drawn(kind, seeds, samples=1):
    return [MAKE[kind](NETWORK, X, "monte_carlo", samples=samples, seed=10_000 + s).to_dense() for s in seeds]


@pytest.mark.parametrize("kind", MAKE)
def test_draws_pass_one_by_one_and_together(kind):
    for s in range(2):
        assert check_operator(drawn(kind, [s])[0], kind, NETWORK, X).agrees
    assert check_operator(drawn(kind, range(10)), kind, NETWORK, X).agrees
    assert check_operator(drawn(kind, range(10), 4), kind, NETWORK, X, samples=4).agrees


@pytest.mark.parametrize(
    ("kind", "draws"), [("monte_carlo_fisher", 1), ("monte_carlo_fisher", 20), ("monte_carlo_kfac", 10)]
)
def test_a_biased_draw_is_found_and_named(kind, draws):
    matrices = drawn(kind, range(draws))
    for factor, name in ((1 / N, "times 1/N ("), (1 / N**2, "times 1/N^2 (")):
        report = check_operator([factor * each for each in matrices], kind, NETWORK, X)
        assert "unbiased" in failed(report) and report.explanation[-1].startswith(name)
    report = check_operator([2.0 * each for each in matrices], kind, NETWORK, X)
    assert not report and (draws == 1 or report.explanation[-1] == "times 2")


def test_a_drawn_matrix_in_another_order():
    positions = parameter_orders(NETWORK)["weights, bias"]
    matrices = [each[np.ix_(positions, positions)] for each in drawn("monte_carlo_fisher", range(20))]
    report = check_operator(matrices, "monte_carlo_fisher", NETWORK, X)
    assert report.explanation == ("the Fisher", "in the order 'weights, bias' of the parameters")
    assert check_operator(matrices, "monte_carlo_fisher", NETWORK, X, order="weights, bias").agrees


def test_what_is_not_drawn_is_no_monte_carlo_fisher():
    for kind, words in (("empirical_fisher", "the empirical Fisher"), ("fisher", "the Fisher")):
        report = check_operator(DENSE[kind], "monte_carlo_fisher", NETWORK, X)
        assert "drawn" in failed(report) and report.explanation == (words,)


def test_the_number_of_labels_drawn_shows_in_the_spread():
    report = check_operator(drawn("monte_carlo_fisher", range(20)), "monte_carlo_fisher", NETWORK, X, samples=4)
    assert failed(report) == ["spread"] and 3.0 < report.findings[-1].measured["ratio"] < 6.0


def test_labels_drawn_from_the_wrong_distribution():
    """Uniform labels in place of those of the model: right on average only where that is uniform."""
    rng, signals = np.random.default_rng(0), NETWORK.signals(X, "unit")
    p = np.exp(NETWORK.outputs(X))
    p /= p.sum(axis=1, keepdims=True)
    matrices = []
    for _ in range(30):
        U = p - np.eye(C)[rng.integers(C, size=N)]
        G = np.concatenate(
            [np.einsum("cn,cni,nj->nij", U.T, s, a).reshape(N, -1) for a, s in signals], axis=1
        )  # the signals of the unit vectors, weighted
        matrices.append(G.T @ G / N)
    assert "unbiased" in failed(check_operator(matrices, "monte_carlo_fisher", NETWORK, X))
