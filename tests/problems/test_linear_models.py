"""Logistic and softmax regression: naive twins, scikit-learn's solution, extremes, files and bad input."""

import gzip
import sys
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import LogisticRegression

import secondorder as so
from secondorder.problems import ill_scaled_logistic, logistic, softmax, spiked_logistic
from secondorder.problems.linear_models import sigmoid, softplus

RNG = np.random.default_rng(0)
A = RNG.standard_normal((20, 3))
TWO = RNG.integers(2, size=20)
THREE = RNG.integers(3, size=20)


def with_entry(value):
    changed = A.copy()
    changed[2, 1] = value
    return changed


# ---------------------------------------------------------------------------------------------------------------- twins


def test_logistic_is_its_formula():
    problem, x = logistic((A, TWO), l2=0.3), RNG.standard_normal(3)
    value, grad, hess = 0.15 * x @ x, 0.3 * x, 0.3 * np.eye(3)
    for a, label in zip(A, TWO, strict=True):
        y = 1.0 if label == 1 else -1.0
        p = 1.0 / (1.0 + np.exp(-a @ x))
        value += np.log(1.0 + np.exp(-y * (a @ x))) / 20
        grad += (p - label) * a / 20
        hess += p * (1.0 - p) * np.outer(a, a) / 20
    np.testing.assert_allclose(problem.f(x), value, rtol=1e-13)
    np.testing.assert_allclose(problem.grad(x), grad, atol=1e-14)
    np.testing.assert_allclose(problem.hess(x), hess, atol=1e-14)


def test_softmax_is_its_formula():
    problem, x = softmax((A, THREE), l2=0.3), RNG.standard_normal(9)
    W = np.asarray([[x[3 * j + k] for k in range(3)] for j in range(3)])
    assert np.array_equal(problem.split(x), W) and np.array_equal(problem.join(W), x)
    value, grad, hess = 0.15 * x @ x, 0.3 * x, 0.3 * np.eye(9)
    for a, k in zip(A, THREE, strict=True):
        p = np.exp(a @ W) / np.sum(np.exp(a @ W))
        value -= np.log(p[k]) / 20
        grad += np.kron(a, p - np.eye(3)[k]) / 20
        hess += np.kron(np.outer(a, a), np.diag(p) - np.outer(p, p)) / 20
    np.testing.assert_allclose(problem.f(x), value, rtol=1e-13)
    np.testing.assert_allclose(problem.grad(x), grad, atol=1e-14)
    np.testing.assert_allclose(problem.hess(x), hess, atol=1e-14)


def test_softmax_of_two_classes_is_logistic_in_the_difference():
    w = RNG.standard_normal((3, 2))
    two, one = softmax((A, TWO), l2=0.0), logistic((A, TWO), l2=0.0)
    assert two.f(two.join(w)) == pytest.approx(one.f(w[:, 1] - w[:, 0]), rel=1e-13)
    assert np.array_equal(two.predict(two.join(w)), one.predict(w[:, 1] - w[:, 0]))


def test_softmax_is_blind_to_a_vector_common_to_all_classes():
    problem = softmax((A, THREE), l2=0.0)
    x, common = RNG.standard_normal(9), problem.join(np.outer(RNG.standard_normal(3), np.ones(3)))
    assert problem.f(x + common) == pytest.approx(problem.f(x), rel=1e-13)
    # Blocks that sum to zero along rows, not a difference of large numbers: zero to rounding.
    assert np.linalg.norm(problem.hess(x) @ common) < 1e-15 * 10


@pytest.mark.parametrize(("model", "data"), [(logistic, "breast_cancer"), (softmax, "wine")])
def test_scikit_learn_agrees(model, data):
    problem = model(data, standardize=True, l2=1e-2)
    peer = LogisticRegression(C=1.0 / (problem.n * problem.l2), fit_intercept=False, tol=1e-12, max_iter=10_000)
    labels = np.asarray(problem.classes)[problem.y if model is softmax else (problem.y > 0).astype(int)]
    peer.fit(problem.A, labels)
    x = peer.coef_[0] if model is logistic else problem.join(peer.coef_.T)
    # L-BFGS stops once f no longer changes in floating point: the gradient is then near sqrt(eps).
    assert np.linalg.norm(problem.grad(x)) < 1e-6
    ours = so.minimize(problem, "newton", tol=1e-12).x
    assert np.linalg.norm(ours - x) < 1e-4 and problem.f(ours) <= problem.f(x) + 1e-15
    assert np.array_equal(problem.predict(ours), peer.predict(problem.A))
    assert problem.accuracy(ours) == peer.score(problem.A, labels) > 0.95


def test_constants_bound_the_derivatives():
    for problem in (logistic((3.0 * A, TWO)), softmax((3.0 * A, THREE))):
        for _ in range(100):
            x, y = RNG.standard_normal((2, problem.x0.shape[0]))
            H = problem.hess(x)
            assert np.linalg.norm(H, 2) <= problem.lipschitz_grad * (1 + 1e-12)
            if isinstance(problem, type(logistic((A, TWO)))):
                change = np.linalg.norm(H - problem.hess(y), 2)
                assert change <= problem.lipschitz_hess * np.linalg.norm(x - y)
    one_row = logistic((np.asarray([[2.0], [2.0]]), TWO[:2] * 0 + [0, 1]), l2=0.0)
    assert one_row.hess(np.zeros(1))[0, 0] == pytest.approx(one_row.lipschitz_grad, rel=1e-14)


def test_bound_for_large_data_is_one():
    from scipy.sparse import random_array
    from scipy.sparse.linalg import svds

    big = random_array((2100, 2050), density=2e-3, rng=np.random.default_rng(0), format="csr")
    problem = logistic((big, np.arange(2100) % 2), l2=0.0)
    exact = svds(big, k=1, return_singular_vectors=False, rng=0)[0] ** 2 / (4 * 2100)
    assert exact <= problem.lipschitz_grad <= 10 * exact


def test_ill_scaled_columns_span_the_decades():
    problem = ill_scaled_logistic(n=20_000, d=5, decades=3.0)
    # The deviation of a standard deviation over 20000 draws is 0.5 %.
    np.testing.assert_allclose(np.std(problem.A, axis=0), 10.0 ** -np.linspace(0, 3, 5), rtol=0.03)
    assert 0.3 < np.mean(problem.y > 0) < 0.7
    again, other = ill_scaled_logistic(seed=1), ill_scaled_logistic(seed=2)
    assert np.array_equal(again.A, ill_scaled_logistic(seed=1).A) and not np.array_equal(again.A, other.A)
    assert problem.accuracy(so.minimize(problem, "newton").x) < 0.95


# ------------------------------------------------------------------------------------------------------------- extremes


@pytest.mark.parametrize("model", [logistic, softmax])
def test_margins_of_a_million_neither_overflow_nor_warn(model):
    problem = model((1e6 * A, TWO), l2=0.0)
    x = np.ones(problem.x0.shape) if model is logistic else problem.join(np.outer(np.ones(3), [1.0, -1.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(problem.f(x)) and np.all(np.isfinite(problem.grad(x)))
        assert np.all(problem.hess(x) == problem.hess(x).T) and np.all(np.isfinite(problem.hvp(x, x)))
        assert np.isfinite(problem.accuracy(x))


def test_softplus_and_sigmoid_are_accurate_everywhere():
    z = np.asarray([-800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0])
    small = np.exp(np.asarray([-40.0]))[0]
    np.testing.assert_allclose(softplus(z)[[0, 1, 3, 5, 6]], [0.0, small, np.log(2), 40.0, 800.0], rtol=1e-15)
    np.testing.assert_allclose(sigmoid(z)[[0, 1, 3, 5, 6]], [0.0, small, 0.5, 1.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(sigmoid(z) + sigmoid(-z), 1.0, rtol=1e-15)


# ---------------------------------------------------------------------------------------------------------- data, files


def test_the_larger_label_is_plus_one():
    assert logistic((A, np.where(TWO, 2, 7))).classes == (2, 7)
    assert np.array_equal(logistic((A, np.where(TWO, 2, 7))).y, np.where(TWO, -1.0, 1.0))
    named = logistic((A, np.where(TWO, "yes", "no")))
    assert set(named.predict(np.ones(3))) <= {"no", "yes"} and named.predict(np.ones(3), A[:2]).shape == (2,)
    assert logistic((A, TWO.astype(bool))).classes == (False, True)


def test_standardized_columns():
    data = np.column_stack([A * [1.0, 100.0, 1e-3] + 5.0, np.full(20, 0.1)])
    scaled = logistic((data, TWO), standardize=True).A
    # 5 ± 1e-3: subtracting the mean loses four digits.
    np.testing.assert_allclose(np.mean(scaled, axis=0), 0.0, atol=1e-11)
    np.testing.assert_allclose(np.std(scaled, axis=0), [1.0, 1.0, 1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("zero_based", [True, False])
@pytest.mark.parametrize("as_text", [True, False])
def test_libsvm_file_round_trip(tmp_path, zero_based, as_text):
    path = tmp_path / "data.libsvm"
    dump_svmlight_file(A, np.where(TWO, 1, -1), str(path), zero_based=zero_based)
    problem = logistic(str(path) if as_text else path)
    assert isinstance(problem.A, csr_array) and problem.name == "logistic:data.libsvm"
    # The file holds 16 digits.
    np.testing.assert_allclose(problem.A.toarray(), A, rtol=1e-15)
    assert np.array_equal(problem.y, np.where(TWO, 1.0, -1.0)) and problem.classes == (-1.0, 1.0)


def test_libsvm_file_may_be_compressed_or_have_no_suffix(tmp_path, monkeypatch):
    text = b"1 1:0.5 3:2\n2 2:1\n3 1:-1 # a comment\n"
    (tmp_path / "train").write_bytes(text)
    (tmp_path / "train.gz").write_bytes(gzip.compress(text))
    monkeypatch.chdir(tmp_path)
    for data in ("train", "./train", "train.gz"):
        problem = softmax(data)
        assert np.array_equal(problem.A.toarray(), [[0.5, 0, 2], [0, 1, 0], [-1, 0, 0]])
        assert problem.classes == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    "text",
    [b"1 1:0.5 2\n", b"hello world\n", b"\x89PNG\r\n\x1a\n\x00\x00", b"1 1:0.5\n2 5:x\n", b"1 3:1 2:1\n", b"1 -4:1\n"],
)
def test_malformed_file(tmp_path, text):
    path = tmp_path / "broken.libsvm"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"broken\.libsvm"):
        logistic(path)


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"1 1:nan\n2 1:1\n", b"1\n2\n", b"nan 1:1\n2 1:1\n"])
def test_file_without_usable_data(tmp_path, text):
    path = tmp_path / "useless.libsvm"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"useless\.libsvm"):
        logistic(path)


def test_truncated_archive(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1 1:0.5\n" * 1000)[:-20])
    (tmp_path / "b.gz").write_bytes(b"1 1:0.5\n")
    for name in ("a.gz", "b.gz"):
        with pytest.raises(ValueError, match=name):
            logistic(tmp_path / name)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.libsvm"):
        logistic(tmp_path / "absent.libsvm")
    with pytest.raises(FileNotFoundError, match=r"no such file: data/a9a\.txt"):
        softmax("data/a9a.txt")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        logistic(tmp_path)


def test_scikit_learn_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'secondorder\[lab\]'"):
        logistic("breast_cancer")
    logistic((A, TWO))


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("model", [logistic, softmax])
@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        ("brest_cancer", {}, ValueError, r"unknown data set 'brest_cancer' \(did you mean 'breast_cancer'\?\); known:"),
        ("iris", {}, ValueError, "known: breast_cancer, digits, wine. Or give the path"),
        (5, {}, TypeError, "data must be one of .* got int"),
        (A, {}, TypeError, "data must be .* got ndarray"),
        ((A,), {}, ValueError, r"data must be a pair \(A, y\); got 1 items"),
        ((A, TWO, TWO), {}, ValueError, "got 3 items"),
        ((A, TWO[:5]), {}, ValueError, r"y must have shape \(20,\), one label for each row of A; got \(5,\)"),
        ((A, TWO[:, None]), {}, ValueError, r"y must have shape \(20,\).*got \(20, 1\)"),
        ((A[:, 0], TWO), {}, ValueError, r"A must be a matrix .* got shape \(20,\)"),
        ((A[:0], TWO[:0]), {}, ValueError, r"A must be a matrix with at least one row .* \(0, 3\)"),
        ((A[:, :0], TWO), {}, ValueError, r"at least one row and one column; got shape \(20, 0\)"),
        ((csr_array((20, 0)), TWO), {}, ValueError, r"A must be a matrix .* \(20, 0\)"),
        ((with_entry(np.nan), TWO), {}, ValueError, "A must be finite; got 1 entries that are NaN"),
        ((csr_array(with_entry(np.inf)), TWO), {}, ValueError, "A must be finite; got 1 entries"),
        ((A * 1j, TWO), {}, TypeError, "A must hold real numbers; got dtype complex128"),
        ((csr_array(A * 1j), TWO), {}, TypeError, "A must hold real numbers; got dtype complex128"),
        (([["a", "b"]], [1]), {}, TypeError, "A must hold real numbers"),
        (([[1, 2], [3]], [0, 1]), {}, ValueError, "A must be an array: .*inhomogeneous"),
        ((A, np.ones(20)), {}, ValueError, "y must hold at least two different labels; got only 1.0"),
        ((A, np.where(TWO, np.nan, 1.0)), {}, ValueError, "y must be finite"),
        ((A, np.asarray([0, "a"] * 10, dtype=object)), {}, TypeError, "y must hold labels that can be ordered"),
        ((A, TWO), {"l2": -1.0}, ValueError, "l2 must be a finite number, at least 0; got -1.0"),
        ((A, TWO), {"l2": np.nan}, ValueError, "l2 must be a finite number, at least 0; got nan"),
        ((A, TWO), {"l2": np.inf}, ValueError, "l2 must be"),
        ((A, TWO), {"l2": "1e-3"}, ValueError, "l2 must be .* got '1e-3'"),
        ((A, TWO), {"x0": np.zeros(5)}, ValueError, r"x0 must have shape \([36],\); got \(5,\)"),
        ((A, TWO), {"x0": [np.nan] * 3}, ValueError, "x0 must be finite"),
        ((csr_array(A), TWO), {"standardize": True}, ValueError, "standardize=True needs a dense A"),
    ],
)
def test_bad_input(model, data, options, error, message):
    with pytest.raises(error, match=message):
        model(data, **options)


def test_more_than_two_classes_point_to_softmax():
    with pytest.raises(ValueError, match=r"y must hold two different labels; got 3, 0, 1, 2. For more .* softmax"):
        logistic("wine")


def test_predict_checks_its_rows():
    with pytest.raises(ValueError, match=r"A must have shape \(rows, 3\); got \(20, 2\)"):
        logistic((A, TWO)).predict(np.zeros(3), A[:, :2])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n": 1}, "n must be a whole number, at least 2"), ({"d": 0}, "d must be"), ({"decades": -1}, "decades must be")],
)
def test_ill_scaled_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        ill_scaled_logistic(**options)


@pytest.mark.parametrize("spikes", [0, 2])
def test_spiked_data_have_the_spectrum_they_say(spikes):
    problem = spiked_logistic(n=40, d=6, spikes=spikes, gap=10.0, l2=0.1)
    wanted = np.concatenate([np.geomspace(40.0, 10.0, spikes), np.geomspace(1.0, 0.25, 6 - spikes)])
    np.testing.assert_allclose(np.linalg.eigvalsh(problem.A.T @ problem.A / 40), np.sort(wanted), rtol=1e-10)
    B = np.column_stack([problem.metric(e) for e in np.eye(6)])
    np.testing.assert_allclose(np.linalg.eigvalsh(B), np.sort(wanted) / 4.0 + 0.1, rtol=1e-10)
    assert np.array_equal(problem.A, spiked_logistic(n=40, d=6, spikes=spikes, gap=10.0).A)
    assert not np.array_equal(problem.A, spiked_logistic(n=40, d=6, spikes=spikes, gap=10.0, seed=1).A)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 5, "d": 6}, "d must be"),
        ({"d": 1}, "d must be"),
        ({"spikes": 50}, "spikes must be"),
        ({"gap": 0.5}, "gap must be"),
    ],
)
def test_spiked_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        spiked_logistic(**options)
