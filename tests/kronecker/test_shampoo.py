"""Shampoo: against dense twins, the lemma under its regret bound, the polar factor, AdaGrad, rotations, and what ports do."""

import itertools

import numpy as np
import pytest

import secondorder as so
from secondorder.linalg import blocks, inverse_root, mode_gram, mode_product, symmetric_power, unblocked

VARIANTS = so.kronecker.shampoo.method.variants


def matrix_problem(gradient, shape):
    """A problem whose parameters are one tensor, with the gradient a function of it."""
    problem = so.Problem(lambda x: 0.0, grad=lambda x: gradient(x.reshape(shape)).ravel(), x0=np.zeros(np.prod(shape)))
    problem.split = lambda x: (x.reshape(shape),)
    return problem


def least_squares(m=4, n=3, seed=0):
    """The gradient of half of the squared distance of A W B from C."""
    rng = np.random.default_rng(seed)
    A, B, C = rng.standard_normal((5, m)), rng.standard_normal((n, 4)), rng.standard_normal((5, 4))
    return lambda W: A.T @ (A @ W @ B - C) @ B.T


def network(widths=(3, 4, 2), n=12):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, widths[0]))
    return so.problems.mlp((X, rng.permutation(np.arange(n) % widths[-1])), widths)


def power(A, q):
    values, vectors = np.linalg.eigh(A)
    return vectors @ np.diag(values**q) @ vectors.T


def rows(problem, steps, **hyper):
    keep = ("x", "direction", "left_factor", *(("right_factor",) if hasattr(problem, "split") else ()))
    return so.minimize(problem, "shampoo", steps=steps, tol=0.0, keep=keep, **hyper)


def naive(problem, steps, lr=0.1, beta2=None, epsilon=1e-4, relative=False, p=0.25, mu=0.0, of="gradient", T=1, S=1):
    """A network's layers one by one, each with its dense Kronecker product; the points, L, and R of all steps."""
    x, state, found = problem.x0, {}, []
    for t in range(steps):
        found.append(x)
        new = []
        for i, (W, G) in enumerate(zip(problem.split(x), problem.split(problem.grad(x)))):
            s = state.setdefault(i, {"L": [], "M": 0 * G, "V": 0 * G})
            if t % S == 0:
                s["L"].append((G @ G.T, G.T @ G))
            if beta2 is None:
                L, R = (sum(each) for each in zip(*s["L"]))
            else:
                w = np.asarray([beta2 ** (len(s["L"]) - 1 - j) for j in range(len(s["L"]))])
                L, R = (sum(wj * F for wj, F in zip(w / w.sum(), each)) for each in zip(*s["L"]))
            if t % T == 0:
                ridges = [epsilon * np.linalg.eigvalsh(F)[-1] if relative else epsilon for F in (L, R)]
                hats = [F + ridge * np.eye(len(F)) for F, ridge in zip((L, R), ridges)]
                s["P"] = np.kron(power(hats[0], -p), power(hats[1], -p))
            s["M"] = mu * s["M"] + (1 - mu) * G if of == "gradient" else G
            D = (s["P"] @ s["M"].ravel()).reshape(G.shape)
            s["V"] = (mu * s["V"] if of == "direction" else 0.0) - lr * D
            new.append(W + s["V"])
        x = problem.join(new)
    return [*found, x]


SETTINGS = {
    "defaults": ({}, {}),
    "running average": ({"beta2": 0.9}, {"beta2": 0.9}),
    "relative ridge": ({"ridge": "relative", "epsilon": 1e-3}, {"relative": True, "epsilon": 1e-3}),
    "half powers": ({"exponent": 0.5}, {"p": 0.5}),
    "momentum of the gradient": ({"momentum": 0.8}, {"mu": 0.8}),
    "momentum of the direction": ({"momentum": 0.8, "momentum_of": "direction"}, {"mu": 0.8, "of": "direction"}),
    "roots every third step": ({"root_interval": 3, "epsilon": 0.1}, {"T": 3, "epsilon": 0.1}),
    "statistics every other step": ({"statistics_interval": 2, "beta2": 0.7}, {"S": 2, "beta2": 0.7}),
}


@pytest.mark.parametrize(("hyper", "twin"), SETTINGS.values(), ids=SETTINGS)
def test_it_is_its_algorithm(hyper, twin):
    """Twelve steps: a rounding error of a step is amplified by at most about 1/epsilon."""
    problem = network()
    for ours, theirs in zip(rows(problem, 12, **hyper)["x"], naive(problem, 12, **twin), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("seed", range(20))
def test_the_lemma_under_the_regret(seed):
    """L^(1/2) x R^(1/2) dominates eps I + (1/r) sum of vec G vec G' for gradients of rank at most r, rows stacked; with the
    factors in the other order a single gradient breaks it."""
    rng = np.random.default_rng(seed)
    m, n, r, epsilon = 3, 5, int(rng.integers(1, 4)), 0.1
    L, R, H = epsilon * np.eye(m), epsilon * np.eye(n), epsilon * np.eye(m * n)
    for step in range(int(rng.integers(1, 6))):
        G = rng.standard_normal((m, r)) @ rng.standard_normal((r, n))
        L, R, H = L + mode_gram(G, 0), R + mode_gram(G, 1), H + np.outer(G.ravel(), G.ravel()) / r
        right, wrong = np.kron(power(L, 0.5), power(R, 0.5)), np.kron(power(R, 0.5), power(L, 0.5))
        assert np.linalg.eigvalsh(right - H)[0] >= -1e-10 * np.trace(H)
        if step == 0:
            assert np.linalg.eigvalsh(wrong - H)[0] < -1e-3


def test_the_first_direction_is_the_polar_factor():
    """As epsilon vanishes against the least singular value squared; half powers give the inverse of the singular values."""
    G = np.random.default_rng(0).standard_normal((4, 3))
    U, s, Vt = np.linalg.svd(G, full_matrices=False)
    problem = matrix_problem(lambda W: G, G.shape)
    for hyper, values in (({}, s**0), ({"exponent": 0.5}, 1.0 / s), ({"exponent": 0.125}, s**0.5)):
        D = rows(problem, 1, epsilon=1e-13, **hyper)["direction"][1].reshape(G.shape)
        np.testing.assert_allclose(D, U * values @ Vt, atol=1e-6)


def test_sequential_statistics_hide_half_powers_in_the_first_step_and_not_in_the_second():
    """R of L^(-1/2) G is the identity where G is full: one gradient cannot tell this port from the paper, two can."""
    gradient = least_squares(3, 3)
    problem, tiny = matrix_problem(gradient, (3, 3)), {"epsilon": 1e-13}
    paper = rows(problem, 2, **tiny)["direction"]
    port = rows(problem, 2, **{**VARIANTS["sequential statistics"], **tiny})["direction"]
    np.testing.assert_allclose(port[1], paper[1], atol=1e-6)
    assert np.linalg.norm(port[2] - paper[2]) > 0.01 * np.linalg.norm(paper[2])
    G = np.stack([gradient(np.reshape(x, (3, 3))) for x in rows(problem, 1, **tiny)["x"]])
    L1, L2 = mode_gram(G[0], 0), mode_gram(G[0], 0) + mode_gram(G[1], 0)
    half = [power(L1, -0.5) @ G[0], power(L2, -0.5) @ G[1]]
    by_hand = half[1] @ power(half[0].T @ half[0] + half[1].T @ half[1], -0.5)
    np.testing.assert_allclose(port[2].reshape(3, 3), by_hand, atol=1e-5)


def test_fed_back_momentum_is_the_loop_of_the_ports():
    """The buffer starts as the first gradient, is mixed into the next ones, statistics included, and replaced."""
    problem = network()
    hyper = {"momentum": 0.7, "momentum_of": "feedback", "epsilon": 1e-2}
    x, buffers, factors = problem.x0, None, None
    for ours in rows(problem, 6, **hyper)["x"]:
        np.testing.assert_allclose(ours, x, rtol=1e-9, atol=1e-12)
        gradients = problem.split(problem.grad(x))
        buffers = buffers or gradients
        mixed = [0.3 * G + 0.7 * buffer for G, buffer in zip(gradients, buffers)]
        factors = factors or [(1e-2 * np.eye(len(G)), 1e-2 * np.eye(G.shape[1])) for G in mixed]
        factors = [(L + G @ G.T, R + G.T @ G) for (L, R), G in zip(factors, mixed)]
        buffers = [power(L, -0.25) @ G @ power(R, -0.25) for (L, R), G in zip(factors, mixed)]
        x = x - 0.1 * problem.join(buffers)


def test_the_places_of_momentum_differ():
    problem = network()
    ends = [rows(problem, 5, momentum=0.9, momentum_of=of).x for of in ("gradient", "direction", "feedback")]
    assert all(np.linalg.norm(a - b) > 1e-3 for a, b in itertools.combinations(ends, 2))


def test_a_row_starts_as_adagrad_with_its_full_matrix_and_parts_from_it():
    """g/|g|, and from the second step on something else: two factors with fourth roots are no vector's square root."""
    gradient = least_squares(1, 4)
    row, vector = matrix_problem(gradient, (1, 4)), matrix_problem(gradient, (1, 4))
    del vector.split
    one, other = (rows(p, 2, epsilon=1e-13)["direction"] for p in (row, vector))
    g = gradient(np.zeros((1, 4))).ravel()
    for direction in (one[1], other[1]):
        np.testing.assert_allclose(direction, g / np.linalg.norm(g), atol=1e-6)
    assert np.linalg.norm(one[2] - other[2]) > 1e-2


def test_a_vector_is_full_matrix_adagrad():
    problem = so.problems.quadratic([1.0, 10.0, 100.0], rotate=True)
    x, H = problem.x0, 1e-4 * np.eye(3)
    for ours in rows(problem, 10)["x"]:
        np.testing.assert_allclose(ours, x, rtol=1e-8)
        g = problem.grad(x)
        H = H + np.outer(g, g)
        x = x - 0.1 * power(H, -0.5) @ g


def test_diagonal_gradients_make_it_diagonal_adagrad():
    target = np.diag([1.0, -20.0, 300.0])
    problem = matrix_problem(lambda W: np.diag(np.diag(W - target)) * [1.0, 2.0, 3.0], (3, 3))
    w, h = np.zeros(3), np.full(3, 1e-4)
    for ours in rows(problem, 10)["x"]:
        np.testing.assert_allclose(ours.reshape(3, 3), np.diag(w), rtol=1e-9)
        g = (w - np.diag(target)) * [1.0, 2.0, 3.0]
        h = h + g**2
        w = w - 0.1 * g / np.sqrt(h)


def test_the_path_turns_with_the_rows_and_the_columns():
    """f(W) = h(P'WQ) for orthogonal P, Q: the path is P V Q' of the path V of h; and that of the transpose the transpose."""
    gradient = least_squares()
    rng = np.random.default_rng(1)
    P, Q = (np.linalg.qr(rng.standard_normal((d, d)))[0] for d in (4, 3))
    plain = rows(matrix_problem(gradient, (4, 3)), 10)["x"].reshape(-1, 4, 3)
    turned = rows(matrix_problem(lambda W: P @ gradient(P.T @ W @ Q) @ Q.T, (4, 3)), 10)["x"].reshape(-1, 4, 3)
    transposed = rows(matrix_problem(lambda W: gradient(W.T).T, (3, 4)), 10)["x"].reshape(-1, 3, 4)
    np.testing.assert_allclose(turned, P @ plain @ Q.T, atol=1e-8)
    np.testing.assert_allclose(transposed, plain.transpose(0, 2, 1), atol=1e-8)


@pytest.mark.parametrize(
    ("hyper", "degree"), [({}, 0), ({"exponent": 0.5, "trace_scale": True}, 0), ({"exponent": 0.5}, -1)]
)
def test_the_scale_of_the_loss(hyper, degree):
    """Directions have the degree 1 - 4p in the gradient, and with the trace 1 - 2p."""
    G = np.random.default_rng(0).standard_normal((4, 3))
    one, other = (
        rows(matrix_problem(lambda W, c=c: c * G, G.shape), 1, epsilon=1e-9, ridge="relative", **hyper)["direction"][1]
        for c in (1.0, 1e3)
    )
    np.testing.assert_allclose(other, 1e3**degree * one, rtol=1e-6)


def test_shampoo_squared_is_one_power_step_to_the_nearest_kronecker_product():
    """L x R / tr L is the rearranged second moment applied to the identity from both sides; it keeps the trace; and the
    direction is its inverse root times the gradient."""
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((30, 3, 2)) * rng.standard_normal((30, 1, 1))
    H = np.mean([np.outer(G.ravel(), G.ravel()) for G in gradients], axis=0)
    rearranged = H.reshape(3, 2, 3, 2).transpose(0, 2, 1, 3).reshape(9, 4)
    L, R = np.mean([G @ G.T for G in gradients], axis=0), np.mean([G.T @ G for G in gradients], axis=0)
    np.testing.assert_allclose(rearranged @ np.eye(2).ravel(), L.ravel(), atol=1e-12)
    np.testing.assert_allclose(rearranged.T @ np.eye(3).ravel(), R.ravel(), atol=1e-12)
    assert np.trace(np.kron(L, R)) / np.trace(L) == pytest.approx(np.trace(H), rel=1e-12)
    G = gradients[0]
    for p in (0.5, 1.0):
        problem = matrix_problem(lambda W: G, G.shape)
        D = rows(problem, 1, exponent=p, trace_scale=True, epsilon=1e-3)["direction"][1]
        hats = [mode_gram(G, i) + 1e-3 * np.eye(G.shape[i]) for i in (0, 1)]
        metric = np.kron(*hats) / np.sum(G**2)
        np.testing.assert_allclose(D, power(metric, -p) @ G.ravel(), rtol=1e-9)


@pytest.mark.parametrize("beta2", [None, 0.9, 0.5])
def test_new_roots_bound_the_step_and_old_ones_do_not(beta2):
    """With roots of this step's factors no direction is longer in the spectral norm than 1 for sums, and than
    ((1 - beta^t)/(1 - beta))^(1/2) for averages; a gradient that old roots have not seen is multiplied by eps^(-1/2)."""
    rng = np.random.default_rng(2)
    table = {t: rng.standard_normal((4, 3)) * 10.0 ** rng.uniform(-3, 3) for t in range(30)}
    seen = itertools.count()
    problem = matrix_problem(lambda W: table[next(seen) % 30], (4, 3))
    iterates = so.kronecker.shampoo(problem, beta2=beta2, epsilon=1e-9)
    for t, iterate in enumerate(itertools.islice(iterates, 30)):
        if t:
            bound = 1.0 if beta2 is None else np.sqrt((1.0 - beta2**t) / (1.0 - beta2))
            assert np.linalg.norm(iterate.direction.reshape(4, 3), 2) <= bound * (1.0 + 1e-6)
    unit = np.eye(2)
    turning = matrix_problem(lambda W: np.outer(unit[int(np.any(W))], unit[int(np.any(W))]), (2, 2))
    for epsilon in (1e-4, 1e-8):
        old, new = (rows(turning, 2, epsilon=epsilon, root_interval=T)["direction"][2] for T in (2, 1))
        assert np.linalg.norm(old) == pytest.approx(epsilon**-0.5, rel=1e-9) and np.linalg.norm(new) <= 1.0


@pytest.mark.parametrize("grafting", ["sgd", "adagrad", "adam"])
def test_a_grafted_layer_has_the_length_that_was_lent(grafting):
    problem = network()
    history = rows(problem, 8, grafting=grafting)
    plain = rows(problem, 1)["direction"][1]
    second = np.zeros_like(problem.x0)
    for t, (x, D) in enumerate(zip(history["x"], history["direction"][1:]), start=1):
        g = problem.grad(x)
        second = {"sgd": second, "adagrad": second + g * g, "adam": 0.999 * second + 0.001 * g * g}[grafting]
        mean = second / (1.0 - 0.999**t) if grafting == "adam" else second
        lender = g if grafting == "sgd" else g / (np.sqrt(mean) + 1e-8)
        for own, other in zip(problem.split(D), problem.split(lender), strict=True):
            assert np.linalg.norm(own) == pytest.approx(np.linalg.norm(other), rel=1e-10)
        if t == 1:
            for own, other in zip(problem.split(D), problem.split(plain), strict=True):
                np.testing.assert_allclose(own / np.linalg.norm(own), other / np.linalg.norm(other), atol=1e-12)


def test_a_lender_with_momentum_is_the_momentum():
    problem = network()
    history = rows(problem, 5, grafting="sgd", momentum=0.6)
    moment = np.zeros_like(problem.x0)
    for x, D in zip(history["x"], history["direction"][1:]):
        moment = 0.6 * moment + 0.4 * problem.grad(x)
        assert [np.linalg.norm(W) for W in problem.split(D)] == pytest.approx(
            [np.linalg.norm(W) for W in problem.split(moment)], rel=1e-10
        )


def test_grafting_to_sgd_with_a_huge_ridge_is_sgd():
    problem = network()
    x = problem.x0
    for ours in rows(problem, 8, grafting="sgd", epsilon=1e12)["x"]:
        np.testing.assert_allclose(ours, x, rtol=1e-9)
        x = x - 0.1 * problem.grad(x)


def test_one_block_is_no_blocking_and_small_blocks_are_problems_of_their_own():
    problem = network()
    np.testing.assert_array_equal(rows(problem, 6, block_size=5).x, rows(problem, 6).x)
    gradient = least_squares()
    history = rows(matrix_problem(gradient, (4, 3)), 6, block_size=2)
    assert [F.shape for F in history["left_factor"][1]] == [(2, 2)] * 4
    assert [F.shape for F in history["right_factor"][1]] == [(2, 2), (1, 1)] * 2
    G = np.stack([gradient(x.reshape(4, 3)) for x in history["x"]])
    for rows_, columns in itertools.product((slice(0, 2), slice(2, 4)), (slice(0, 2), slice(2, 3))):
        part = G[:6, rows_, columns]
        L, R = (1e-4 * np.eye(d) for d in part.shape[1:])
        L, R = L + sum(g @ g.T for g in part), R + sum(g.T @ g for g in part)
        wanted = power(L, -0.25) @ part[-1] @ power(R, -0.25)
        np.testing.assert_allclose(history["direction"][6].reshape(4, 3)[rows_, columns], wanted, atol=1e-8)


def test_blocks_of_one_entry_are_adagrad():
    """Without coupling: g / (s + eps)^(1/4 + 1/4)."""
    problem = network()
    x, s = problem.x0, np.full_like(problem.x0, 1e-4)
    for ours in rows(problem, 8, block_size=1)["x"]:
        np.testing.assert_allclose(ours, x, rtol=1e-9, atol=1e-12)
        g = problem.grad(x)
        s = s + g * g
        x = x - 0.1 * g / np.sqrt(s)


def test_a_tensor_of_three_axes_has_three_factors_and_sixth_roots():
    T = np.random.default_rng(0).standard_normal((3, 2, 4))
    D = rows(matrix_problem(lambda W: T, T.shape), 1, epsilon=1e-3)["direction"][1].reshape(T.shape)
    roots = [power(mode_gram(T, i) + 1e-3 * np.eye(T.shape[i]), -1.0 / 6.0) for i in range(3)]
    np.testing.assert_allclose(D, np.einsum("ia,jb,kc,abc->ijk", *roots, T), atol=1e-10)


@pytest.mark.parametrize("p", [2, 4])
def test_the_coupled_newton_iteration_gives_the_same_root(p):
    """At condition numbers of at most 1e6, to what rounding leaves of the small eigenvalues."""
    rng = np.random.default_rng(p)
    U = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    for condition in (1e2, 1e4, 1e6):
        A = U * np.geomspace(1.0, condition, 6) @ U.T
        ours = symmetric_power(A, -1.0 / p)
        np.testing.assert_allclose(inverse_root(A, p).value, ours, atol=1e-9 * np.max(np.abs(ours)))


def test_tensors_are_cut_and_joined_and_multiplied_along_their_axes():
    rng = np.random.default_rng(0)
    T, A = rng.standard_normal((5, 3, 4)), rng.standard_normal((2, 3))
    for size in (None, 1, 2, 3, 9):
        np.testing.assert_array_equal(unblocked(iter(blocks(T, size)), T.shape, size), T)
    assert len(blocks(T, 2)) == 3 * 2 * 2
    np.testing.assert_allclose(mode_product(A, T, 1), np.einsum("ab,ibk->iak", A, T), atol=1e-14)
    np.testing.assert_allclose(mode_gram(T, 2), np.einsum("ijk,ijl->kl", T, T), atol=1e-13)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_another_path(variant):
    problem = network((3, 4, 2))
    one, other = (rows(problem, 15, **hyper)["direction"] for hyper in (VARIANTS[variant], {}))
    assert max(np.max(np.abs(a - b)) for a, b in zip(one[1:], other[1:])) > 1e-3


def test_batches_are_drawn_in_turn():
    problem = network()
    history = rows(problem, 6, batch_size=4, seed=3)
    L = [0.0, 0.0]
    for x, row, batch in zip(history["x"], history.rows[1:], problem.batches(4, np.random.default_rng(3))):
        L = [F + G @ G.T for F, G in zip(L, problem.split(batch.grad(x)))]
        for ours, theirs in zip(row["left_factor"], L):
            np.testing.assert_allclose(ours, theirs, atol=1e-13)


def test_statistics_that_overflow_end_the_run():
    steep = so.Problem(lambda x: 0.0, grad=lambda x: 1e200 * np.ones_like(x), x0=np.zeros(2))
    history = so.minimize(steep, "shampoo", steps=5)
    assert history.status == "diverged" and "not finite" in history.message
