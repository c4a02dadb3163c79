"""The same numbers in other array libraries, in float32 and from sparse data."""

import array_api_strict
import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array, csr_matrix

from secondorder.ledger import Ledger
from secondorder.oracles import to_device
from secondorder.problems import logistic, softmax


def answers(problem, x, v):
    more = (problem.third(x, v),) if "third" in problem.oracles else ()
    more += (problem.metric(v),) if "metric" in problem.oracles else ()
    more += (problem.ggn_product(x, v),) if "ggn_product" in problem.oracles else ()
    more += problem.diagonal_rank_one(x) if "diagonal_rank_one" in problem.oracles else ()
    return problem.f(x), problem.grad(x), problem.hess(x), problem.hvp(x, v), *more


def test_array_api_strict_gives_the_same_numbers(problem, x, v):
    """No hidden NumPy. Only the order of sums may differ (sparse data are made dense)."""
    strict = Ledger(to_device(problem, "array_api_strict"))
    got = answers(strict, array_api_strict.asarray(x), array_api_strict.asarray(v))
    for ours, theirs in zip(answers(Ledger(problem), x, v), got, strict=True):
        np.testing.assert_allclose(np.asarray(theirs), ours, rtol=0, atol=1e-14 * max(1.0, np.max(np.abs(ours))))


def test_float32_stays_float32(problem, x, v):
    single = to_device(problem, "numpy", dtype="float32")
    assert single.x0.dtype == np.float32
    x, v = x.astype(np.float32), v.astype(np.float32)
    for layer in (single, Ledger(single)):
        for ours, theirs in zip(answers(problem, x.astype(float), v.astype(float)), answers(layer, x, v), strict=True):
            if layer is single or np.ndim(theirs):
                assert theirs.dtype == np.float32
            scale = max(1.0, np.max(np.abs(ours)))
            # Sums of up to 600 terms in float32 (eps 1.2e-7); Rosenbrock cancels terms of size 1000.
            assert np.max(np.abs(theirs - ours)) <= 1e-4 * scale


@pytest.mark.parametrize("model", [logistic, softmax])
@pytest.mark.parametrize("form", [csr_array, csr_matrix, coo_array])
def test_sparse_equals_dense(model, form):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((70, 9)) * (rng.random((70, 9)) < 0.3)
    y = rng.integers(2 if model is logistic else 4, size=70)
    dense, sparse = model((A, y), l2=0.01), model((form(A), y), l2=0.01)
    assert isinstance(sparse.A, csr_array) and sparse.lipschitz_grad == pytest.approx(dense.lipschitz_grad, rel=1e-12)
    x, v = rng.standard_normal((2, dense.x0.shape[0]))
    for ours, theirs in zip(answers(dense, x, v), answers(sparse, x, v), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-12)
    assert np.array_equal(sparse.predict(x), dense.predict(x)) and sparse.accuracy(x) == dense.accuracy(x)


def test_duplicate_entries_of_sparse_data_add_up():
    A = csr_array((np.asarray([1.0, 1.0, 3.0]), [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    twice, once = logistic((A, [0, 1])), logistic((A.toarray(), [0, 1]))
    assert A.nnz == 3 and twice.A.nnz == 2
    assert np.array_equal(twice.hess(twice.x0), once.hess(once.x0)) and twice.lipschitz_hess == once.lipschitz_hess


def test_the_caller_keeps_the_data():
    A, y = np.asarray([[1.0, 2.0], [3.0, -1.0]]), np.asarray([0, 1])
    problem = logistic((A, y))
    before = problem.f(np.ones(2))
    A[0, 0] = 100.0
    y[:] = 1
    assert problem.f(np.ones(2)) == before and A.flags.writeable


def test_float32_data_are_kept():
    problem = softmax((np.ones((3, 2), dtype=np.float32), ["a", "b", "c"]))
    assert problem.A.dtype == problem.x0.dtype == problem.grad(problem.x0).dtype == np.float32
