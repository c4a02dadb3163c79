"""Array libraries: recognised, moved, frozen."""

import array_api_strict
import numpy as np
import pytest
from scipy.sparse import csr_array

import secondorder as so
from secondorder.arrays import epsilon, frozen, is_array, library, namespace, norm, read_only, to_numpy


@pytest.fixture(params=[np, array_api_strict], ids=["numpy", "strict"])
def xp(request):
    return request.param


def test_namespace_is_that_of_the_array(xp):
    x = xp.asarray([3.0, 4.0])
    assert namespace(x).__name__.endswith(xp.__name__)
    assert is_array(x) and norm(x) == 5.0 and isinstance(norm(x), float)


def test_what_is_no_array():
    assert not any(map(is_array, (1.0, np.float64(1.0), [1.0], (1.0,), "x", None, csr_array((2, 2)))))


def test_epsilon_is_of_the_dtype(xp):
    assert epsilon(xp.zeros(1, dtype=xp.float32)) == 2.0**-23
    assert epsilon(xp.zeros(1, dtype=xp.float64)) == 2.0**-52


def test_frozen_numpy_cannot_be_written_not_even_through_its_base():
    base = np.zeros(4)
    part = frozen(base[:2])
    base[0] = 1.0
    assert part[0] == 0.0 and not part.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        part[0] = 2.0


def test_frozen_of_another_library_is_a_copy():
    x = array_api_strict.zeros(2)
    held = frozen(x)
    x[0] = 1.0
    assert float(held[0]) == 0.0


def test_read_only_leaves_the_original_writable(xp):
    x = xp.zeros(2)
    view = read_only(x)
    x[0] = 1.0
    assert float(x[0]) == 1.0
    if xp is np:
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 2.0
    else:
        view[0] = 2.0
        assert float(x[0]) == 1.0


def test_library_says_what_it_knows():
    assert library("numpy").zeros(1).dtype == np.float64
    with pytest.raises(ValueError, match="numpy, cupy, array_api_strict; got 'jax'"):
        library("jax")


def test_missing_library_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "array_api_compat.cupy", None)
    with pytest.raises(ImportError, match=r"pip install 'secondorder\[gpu\]'"):
        library("cupy")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moving_keeps_values_and_sets_the_precision(dtype):
    problem = so.problems.ill_scaled_logistic(n=20, d=3)
    moved = so.to_device(problem, "array_api_strict", dtype=dtype)
    assert str(moved.x0.dtype).endswith(dtype) and str(moved.A.dtype).endswith(dtype)
    np.testing.assert_allclose(to_numpy(moved.A), problem.A, rtol=1e-6)
    assert problem.A.dtype == np.float64 and isinstance(problem.A, np.ndarray), "the original is as it was"


def test_moving_sparse_data_keeps_it_sparse_in_numpy_and_fills_it_elsewhere():
    A = csr_array(np.eye(3))
    problem = so.problems.logistic((A, [0, 1, 1]))
    single = so.to_device(problem, "numpy", dtype="float32")
    assert single.A.dtype == np.float32 and hasattr(single.A, "tocsr")
    assert type(so.to_device(problem, "array_api_strict").A).__module__.startswith("array_api_strict")
