"""Matrix completion: sparse all the way, the same iterates as the dense algorithm, and a held-out error that falls."""

import tracemalloc

import array_api_strict
import numpy as np
import pytest
from scipy.sparse import coo_array

import secondorder as so
from secondorder.oracles import to_device
from secondorder.problems.matrix_completion import low_rank, matrix_completion


@pytest.fixture(scope="module")
def small():
    """A matrix of rank 3 with noise, 30 × 20, with NaN in about a third of the places."""
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((30, 3)) @ rng.standard_normal((3, 20)) + 0.1 * rng.standard_normal((30, 20))
    Y[rng.random(Y.shape) < 0.3] = np.nan
    return Y


@pytest.fixture(scope="module")
def large():
    """1,000 × 1,000 of which f sees 2 %."""
    return matrix_completion("low_rank", observed=0.8, held_out=0.2)


@pytest.fixture
def no_dense_decomposition(monkeypatch):
    """No singular values of a matrix whose sides both exceed 200."""
    svd = np.linalg.svd

    def guarded(a, *arguments, **options):
        assert min(np.shape(a)) <= 200
        return svd(a, *arguments, **options)

    monkeypatch.setattr(np.linalg, "svd", guarded)


def test_x_holds_the_entries_in_the_order_of_the_rows(small):
    problem = matrix_completion(small, observed=0.6, held_out=0.3)
    rows, columns = problem.constraint.rows, problem.constraint.columns
    known = int(np.sum(~np.isnan(small)))
    assert problem.n == round(0.6 * known) and problem.held_out.sum() == round(0.3 * known)
    assert np.all(problem.observed + problem.held_out == 1.0) and np.all(np.diff(rows * 20 + columns) > 0)
    assert np.array_equal(problem.targets, small[rows, columns])


def test_arrays_with_holes_and_sparse_matrices_are_the_same_data(small):
    rows, columns = np.nonzero(~np.isnan(small))
    shuffled = np.random.default_rng(1).permutation(rows.size)
    values = small[rows, columns]
    sparse = coo_array((values[shuffled], (rows[shuffled], columns[shuffled])), shape=small.shape)
    first, second = (matrix_completion(data, observed=0.6, held_out=0.4) for data in (small, sparse.tocsr()))
    assert np.array_equal(first.targets, second.targets) and np.array_equal(first.observed, second.observed)
    assert first.constraint.radius == second.constraint.radius
    halves = coo_array((np.tile(values / 2.0, 2), (np.tile(rows, 2), np.tile(columns, 2))), shape=small.shape)
    assert np.array_equal(matrix_completion(halves, observed=0.6, held_out=0.4).targets, first.targets)


def test_derivatives(small):
    """The function is quadratic: a central difference of the value and one of the gradient are exact but for rounding."""
    problem, rng = matrix_completion(small, observed=0.5, held_out=0.3, sketch=2), np.random.default_rng(2)
    x, v = rng.standard_normal((2, problem.constraint.d))
    slope = (problem.f(x + v) - problem.f(x - v)) / 2.0
    assert problem.grad(x) @ v == pytest.approx(slope, rel=1e-12)
    np.testing.assert_allclose(problem.hvp(x, v), problem.grad(x + v) - problem.grad(x), rtol=0, atol=1e-14)
    assert np.max(problem.hvp(x, np.ones_like(x))) == pytest.approx(problem.lipschitz_grad)


@pytest.mark.parametrize("step_rule", ["open_loop", "exact"])
def test_the_entries_are_those_of_the_dense_algorithm(small, step_rule):
    """Written out with full matrices and full singular value decompositions; the sketch changes nothing."""
    sketched = matrix_completion(small, observed=0.5, held_out=0.3, sketch=9)
    ball, r = sketched.constraint, sketched.constraint.radius
    rows, columns = ball.rows, ball.columns
    seen, Y = np.zeros(small.shape), np.zeros(small.shape)
    seen[rows, columns], Y[rows, columns] = sketched.observed[: ball.count], sketched.targets[: ball.count]
    X, steps = np.zeros(small.shape), 7
    history = so.minimize(sketched, "frank_wolfe", step_rule=step_rule, steps=steps, keep=["x"])
    for t in range(steps + 1):
        # A vertex is known to about 1e-10 and enters the next gradient; the largest difference is 5e-10 here.
        np.testing.assert_allclose(history["x"][t][: ball.count], X[rows, columns], rtol=0, atol=1e-7)
        G = seen * (X - Y) / sketched.n
        U, s, Vt = np.linalg.svd(G)
        D = -r * np.outer(U[:, 0], Vt[0]) - X
        assert history["gap"][t] == pytest.approx(-np.sum(G * D), rel=1e-6)
        exact = min(1.0, -np.sum(G * D) / (np.sum((seen * D) ** 2) / sketched.n))
        last, X = X, X + (2.0 / (t + 2.0) if step_rule == "open_loop" else exact) * D
    U, s, V = sketched.factors(history.x)
    np.testing.assert_allclose((U * s) @ V.T, last, rtol=0, atol=1e-6)
    predicted = sketched.predict(history.x, rows, columns)
    np.testing.assert_allclose(predicted, history.x[: ball.count], rtol=0, atol=1e-10 * r)


def test_agrees_with_projected_gradient_to_the_gap():
    """Where x is the whole matrix, it can be projected: the minimum of the two methods is one, and the gap bounds the
    error at every iterate."""
    rng = np.random.default_rng(3)
    Y = rng.standard_normal((20, 2)) @ rng.standard_normal((2, 15))
    problem = matrix_completion(Y, observed=0.7, held_out=0.3, radius=25.0)
    assert problem.x0.shape == (300,) and problem.project is not None
    x = problem.x0
    for _ in range(2000):
        x = problem.project(x - problem.n * problem.grad(x))
    lowest = problem.f(x)
    assert problem.grad(x) @ (x - problem.lmo(problem.grad(x))) <= 1e-9  # a certificate of the reference itself
    history = so.minimize(problem, "frank_wolfe", step_rule="short", tol=1e-3, steps=3000)
    assert history.status == "converged"
    assert np.all(history.f - lowest <= history["gap"] + 1e-12) and np.all(history.f >= lowest - 1e-9)
    assert problem.constraint.violation(history.x) <= 1e-12 * 25.0


def test_a_large_sparse_matrix_takes_one_lanczos_run_a_step(large, no_dense_decomposition, monkeypatch):
    from secondorder.sets import matrices

    products = []

    def counted(*arguments, **options):
        pair = so.linalg.top_singular_pair(*arguments, **options)
        products.append(pair.products)
        assert pair.residual <= 1e-10 * pair.value
        return pair

    monkeypatch.setattr(matrices, "top_singular_pair", counted)
    history = so.minimize(large, "frank_wolfe", step_rule="short", steps=30)
    assert history.oracle["lmo"] == len(products) == len(history)
    assert max(products) <= 100  # 21 to 57 here
    assert large.held_out_error(history.x) <= 0.45 * large.held_out_error(large.x0)  # 0.31


def test_the_memory_is_that_of_the_entries_and_the_lanczos_vectors(no_dense_decomposition):
    """A few vectors like x, and the Lanczos basis held twice: six times the two together, where the matrix has 128 MB."""
    problem = matrix_completion(low_rank((4000, 4000), density=0.005), observed=0.8, held_out=0.2, sketch=5)
    so.minimize(problem, "frank_wolfe", steps=2)  # what is imported on the way is not counted
    tracemalloc.start()
    history = so.minimize(problem, "frank_wolfe", step_rule="short", steps=30)
    problem.factors(history.x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 6 * 8 * (problem.x0.size + 60 * 4000) < 0.25 * 8 * 4000**2


def test_too_large_a_radius_fits_the_noise():
    """The fit improves with the radius; the held-out error is least near the nuclear norm of the truth."""
    A = low_rank((60, 40), rank=2, noise=0.1, density=0.5, seed=2)
    truth = np.sqrt(60.0 * 40.0 * 2.0)
    fits, errors = [], []
    for part in (0.4, 1.0, 3.0):
        problem = matrix_completion(A, radius=part * truth, observed=0.8, held_out=0.2)
        x = so.minimize(problem, "frank_wolfe", step_rule="short", steps=60).x
        fits.append(problem.f(x))
        errors.append(problem.held_out_error(x))
    assert fits[0] > fits[1] > fits[2]
    assert errors[1] < 0.5 * errors[0] and errors[1] < 0.75 * errors[2]  # 0.64, 0.21 and 0.38 here


def test_other_array_libraries_and_float32(small):
    problem = matrix_completion(small, observed=0.5, held_out=0.3, sketch=3)
    ours = so.minimize(problem, "frank_wolfe", step_rule="short", steps=5)
    strict = so.minimize(to_device(problem, "array_api_strict"), "frank_wolfe", step_rule="short", steps=5)
    np.testing.assert_allclose(np.asarray(strict.x), ours.x, rtol=0, atol=1e-6)
    single = so.minimize(to_device(problem, "numpy", "float32"), "frank_wolfe", step_rule="short", steps=5)
    assert single.x.dtype == np.float32 and single.f[-1] == pytest.approx(ours.f[-1], rel=1e-2)
    x = array_api_strict.asarray(ours.x)
    assert to_device(problem, "array_api_strict").held_out_error(x) == pytest.approx(problem.held_out_error(ours.x))
    whole = matrix_completion(np.nan_to_num(small), observed=0.5, held_out=0.5)
    assert whole.constraint.rows is None and whole.x0.size == 600


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("digit",), {}, r"unknown matrix 'digit' \(did you mean 'digits'\?\); known: digits, low_rank"),
        (([1.0, 2.0],), {}, "data must be digits, low_rank, a matrix with NaN"),
        (([[1.0, np.inf]],), {"observed": 0.5, "held_out": 0.5}, "data must be finite where it is known; got 1"),
        (([[1.0, 2.0]],), {"observed": 0.1, "held_out": 0.5}, "leave at least one entry each of 2 known ones"),
        (("digits",), {"observed": 0.8, "held_out": 0.4}, "add up to at most 1; got 0.8 and 0.4"),
        (("digits",), {"observed": 1.0}, "observed must be a part between 0 and 1 of the known entries; got 1.0"),
        (("digits",), {"held_out": None}, "held_out must be a part between 0 and 1"),
        (("digits",), {"radius": 0.0}, "radius must be a finite number above 0"),
        (("digits",), {"sketch": 32}, "sketch must be an integer"),
        ((np.zeros((4, 4)),), {}, "radius must be given: by the observed entries of data it would be 0"),
    ],
)
def test_bad_arguments_are_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        matrix_completion(*arguments, **options)
