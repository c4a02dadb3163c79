"""AdaHessian: against a loop over the coordinates with a dense Hessian, and against the methods it becomes."""

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import random_probes

VARIANTS = so.diagonal.adahessian.method.variants
KEEP = ("x", "step", "hessian_diagonal", "first_moment", "second_moment")


def network(n=9):
    """Two layers whose rows, of 3 and 4 weights and a bias, no block of 2 fits into both times."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3))
    return so.problems.mlp((X, rng.permutation(np.arange(n) % 2)), [3, 4, 2])


def run(problem, steps=12, **hyper):
    return so.minimize(problem, "adahessian", steps=steps, tol=0.0, keep=KEEP, **hyper)


def averaged(problem, D, size):
    """Block by block, entry by entry, a bias by itself."""
    if not hasattr(problem, "shapes"):
        return D
    out, start = np.array(D), 0
    for rows, columns in problem.shapes:
        for row in range(rows):
            first = start + row * columns
            for j in range(0, columns - 1, size):
                where = slice(first + j, first + min(j + size, columns - 1))
                out[where] = np.mean(D[where])
        start += rows * columns
    return out


def naive(problem, steps, seed=0, *, learning_rate=0.15, beta1=0.9, beta2=0.999, epsilon=1e-4, hessian_power=1.0,
          block_size=4, averaging="signed", refresh=1, samples=1, probe="rademacher", weight_decay=0.0):  # fmt: skip
    """Every row's x, D, m and v, from the dense Hessian."""
    _, rng = np.random.default_rng(seed).spawn(2)
    x, m, v = problem.x0, np.zeros(problem.x0.size), np.zeros(problem.x0.size)
    rows = [(x, None, None, None)]
    for t in range(1, steps + 1):
        if t % refresh == 1 % refresh:
            Z, H = random_probes(rng, x, samples, probe), problem.hess(x)
            D = np.asarray([np.mean([z[i] * (H[i] @ z) for z in Z]) for i in range(problem.x0.size)])
            D = averaged(problem, np.abs(D) if averaging == "absolute" else D, block_size)
        g, y = problem.grad(x), np.empty_like(x)
        for i in range(problem.x0.size):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * D[i] ** 2
            below = ((v[i] / (1 - beta2**t)) ** 0.5) ** hessian_power + epsilon
            y[i] = x[i] - learning_rate * (m[i] / (1 - beta1**t) / below + weight_decay * x[i])
        x = y
        rows.append((x, D, m.copy(), v.copy()))
    return rows


SETTINGS = {
    "defaults": {},
    "other numbers": {"learning_rate": 0.05, "beta1": 0.5, "beta2": 0.9, "epsilon": 0.1, "hessian_power": 0.5},
    "no memory": {"beta1": 0.0, "beta2": 0.0, "learning_rate": 0.01},
    "held": {"refresh": 3, "samples": 2, "block_size": 2},
    "normal": {"probe": "gaussian", "samples": 3, "averaging": "absolute"},
    "decay": {"weight_decay": 0.1},
    **VARIANTS,
    "momentum": {"hessian_power": 0.0, "learning_rate": 1e-4},
}


@pytest.mark.parametrize("make", [network, so.problems.rosenbrock], ids=["network", "rosenbrock"])
@pytest.mark.parametrize("hyper", SETTINGS.values(), ids=SETTINGS)
def test_it_is_its_algorithm(make, hyper):
    problem = make()
    for row, (x, D, m, v) in zip(run(problem, **hyper).rows, naive(problem, 12, **hyper), strict=True):
        np.testing.assert_allclose(row["x"], x, rtol=1e-8, atol=1e-10)  # rounding of H z, divided by an epsilon of 1e-4
        for name, wanted in (("hessian_diagonal", D), ("first_moment", m), ("second_moment", v)):
            if wanted is not None:
                np.testing.assert_allclose(row[name], wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("probe", ["rademacher", "constant"])
def test_a_diagonal_hessian_makes_it_newtons_method(probe):
    """For any signs, and for no signs; with normal numbers in the mean only."""
    h = np.asarray([1e-2, 1.0, 1e4])
    problem, hyper = so.problems.quadratic(h), {"beta1": 0.0, "beta2": 0.0, "learning_rate": 1.0, "epsilon": 1e-14}
    history = run(problem, 1, probe=probe, **hyper)
    np.testing.assert_allclose(history["hessian_diagonal"][1], h, rtol=1e-12)
    assert np.linalg.norm(history.x) < 1e-10 * np.linalg.norm(problem.x0)
    assert np.linalg.norm(run(problem, 1, probe="gaussian", **hyper).x) > 0.01 * np.linalg.norm(problem.x0)


def test_power_zero_is_momentum_and_curvature_is_forgotten():
    problem, x, m = network(), network().x0, 0.0
    history = run(problem, hessian_power=0.0, epsilon=0.25, learning_rate=0.1)
    for t in range(1, 13):
        m = 0.9 * m + 0.1 * problem.grad(x)
        x = x - 0.1 / 1.25 * m / (1 - 0.9**t)
        np.testing.assert_allclose(history["x"][t], x, rtol=1e-12)


def test_units_of_the_coordinates_drop_out_where_the_hessian_is_diagonal():
    """x = S y turns H into SHS: one path, in other units, as long as epsilon does not count."""
    plain, scaled = so.problems.quadratic([1.0, 10.0]), so.problems.quadratic([1.0 * 4.0, 10.0 * 9.0])
    walk, walked = (run(p, 30, x0=x0, epsilon=1e-30)["x"] for p, x0 in ((plain, [2.0, 3.0]), (scaled, [1.0, 1.0])))
    np.testing.assert_allclose(np.stack(walked) * [2.0, 3.0], np.stack(walk), rtol=1e-9, atol=1e-12)


def test_a_rotation_does_matter():
    """By 45 degrees the exact diagonal is a multiple of the identity, and the path that of gradient descent."""
    turn = np.asarray([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5
    H = turn @ np.diag([1.0, 100.0]) @ turn.T
    np.testing.assert_allclose(np.diag(H), 50.5)
    rotated = so.Problem(lambda x: 0.5 * float(x @ H @ x), lambda x: H @ x, hess=lambda x: H, x0=turn @ [1.0, 1.0])
    plain = so.problems.quadratic([1.0, 100.0])
    hyper = {"learning_rate": 1.0, "beta1": 0.0, "epsilon": 1e-12, "samples": 64}
    one, other = run(plain, 20, x0=[1.0, 1.0], **hyper), run(rotated, 20, **hyper)
    assert one.f[1] < 1e-18 and other.f[-1] > 1e-2 * other.f[0]


def test_the_units_of_f_do_not_matter_up_to_epsilon():
    problem = network()
    scaled = so.Problem(
        lambda x: 1e3 * problem.f(x), lambda x: 1e3 * problem.grad(x), hvp=lambda x, v: 1e3 * problem.hvp(x, v),
        x0=problem.x0,
    )  # fmt: skip
    one = run(problem, epsilon=1e-20, block_size=1)
    np.testing.assert_allclose(run(scaled, epsilon=1e-20).x, one.x, rtol=1e-7)


def test_negative_curvature_counts_by_its_magnitude():
    """From beside the saddle of (x^2 - y^2)/2 Newton's method jumps to it; here y runs away from it."""
    H = np.diag([1.0, -1.0])
    saddle = so.Problem(lambda x: 0.5 * float(x @ H @ x), lambda x: H @ x, hess=lambda x: H, x0=[1.0, 1.0])
    history = run(saddle, 1, learning_rate=0.5, beta1=0.0, epsilon=1e-14)
    np.testing.assert_allclose(history.x, [0.5, 1.5], rtol=1e-12)
    np.testing.assert_array_equal(history["hessian_diagonal"][1], [1.0, -1.0])


def test_the_second_moment_is_too_large_by_the_variance():
    """Over many seeds the mean of D_i^2 is H_ii^2 plus the squares beside it: what is left out acts as damping."""
    problem = network()
    H = problem.hess(problem.x0)
    D = np.stack([run(problem, 1, block_size=1, seed=seed)["hessian_diagonal"][1] for seed in range(1500)])
    error = np.std(D**2, axis=0) / 1500**0.5
    assert np.all(np.abs(np.mean(D**2, axis=0) - np.sum(H**2, axis=1)) < 5.0 * error + 1e-14)
    spread = np.std(D, axis=0) / 1500**0.5
    assert np.all(np.abs(np.mean(D, axis=0) - np.diag(H)) < 5.0 * spread + 1e-14)


def test_constant_probes_give_row_sums_and_the_seed_does_not_matter():
    problem = network()
    rows = np.sum(problem.hess(problem.x0), axis=1)
    for seed in (0, 1):
        D = run(problem, 1, probe="constant", block_size=1, seed=seed)["hessian_diagonal"][1]
        np.testing.assert_allclose(D, rows, atol=1e-14)
    assert np.max(np.abs(rows - np.diag(problem.hess(problem.x0)))) > 0.01


def test_the_kinds_of_average_are_told_apart():
    """Signs that differ within a block cancel in the paper's, and the magnitudes of the others are never smaller."""
    problem = network()
    plain, signed, absolute = (
        run(problem, 1, **hyper)["hessian_diagonal"][1]
        for hyper in ({"block_size": 1}, {"block_size": 2}, {"block_size": 2, "averaging": "absolute"})
    )
    np.testing.assert_array_equal(signed, averaged(problem, plain, 2))
    np.testing.assert_array_equal(absolute, averaged(problem, np.abs(plain), 2))
    assert np.all(absolute >= np.abs(signed) - 1e-15) and np.max(absolute - np.abs(signed)) > 1e-3
    biases = problem.join([W[:, -1:] for W in problem.split(np.arange(26))])
    np.testing.assert_array_equal(signed[biases], plain[biases])


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_is_another_method(name):
    assert np.linalg.norm(run(network(), **VARIANTS[name]).x - run(network()).x) > 1e-3


def test_without_layers_there_is_nothing_to_average():
    for problem in (so.problems.rosenbrock(), so.problems.softmax("digits", l2=1e-3)):
        one, other = run(problem, 3, block_size=1), run(problem, 3, block_size=4)
        np.testing.assert_array_equal(one.x, other.x)


def test_it_is_held_between_refreshes_and_products_are_saved():
    history = run(network(), 7, refresh=3, samples=2)
    D = history["hessian_diagonal"][1:]
    for k in range(7):
        assert np.array_equal(D[k], D[k - k % 3]) and (k < 3 or not np.array_equal(D[k], D[k - 3]))
    assert history.oracle["hvp"] == 6 and history.oracle["grad"] == 8


def test_gradient_and_product_are_of_the_same_batch():
    problem = network()
    batches, probes = np.random.default_rng(3).spawn(2)
    history = run(problem, 6, batch_size=4, block_size=1, seed=3)
    for x, row, batch in zip(history["x"], history.rows[1:], problem.batches(4, batches)):
        z = random_probes(probes, x)[0]
        np.testing.assert_allclose(row["hessian_diagonal"], z * batch.hvp(x, z), atol=1e-13)
    assert history.oracle["hvp"] == pytest.approx(6 * 4 / 9)


def test_decay_is_a_fraction_of_x_beside_the_step():
    flat = so.Problem(lambda x: 0.0, grad=lambda x: 0.0 * x, hvp=lambda x, v: v, x0=[1.0, -2.0])
    iterates = so.diagonal.adahessian(flat, weight_decay=0.1, learning_rate=0.5)
    for k in range(4):
        np.testing.assert_allclose(next(iterates).x, 0.95**k * np.asarray([1.0, -2.0]), rtol=1e-14)


def test_a_curvature_whose_square_overflows_ends_the_run_instead_of_stalling_it():
    steep = so.Problem(lambda x: 1e160 * float(x @ x), lambda x: 2e160 * x, hvp=lambda x, v: 2e160 * v, x0=[1.0, 2.0])
    history = so.minimize(steep, "adahessian", steps=3)
    assert history.status == "diverged" and "squares" in history.message
