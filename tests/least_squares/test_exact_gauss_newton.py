"""EGN: the damped Gauss-Newton step, whatever the size of the system it is found from."""

import itertools

import numpy as np
import pytest

import secondorder as so

VARIANTS = so.least_squares.exact_gauss_newton.method.variants
FIXED = {"line_search": False}


def network(loss="softmax", l2=0.0, n=7, widths=(3, 4, 2), seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, widths[0]))
    y = rng.permutation(np.arange(n) % widths[-1]) if loss == "softmax" else rng.standard_normal((n, widths[-1]))
    return so.problems.mlp((X, y), widths, loss=loss, l2=l2)


def run(problem, steps=1, **hyper):
    return so.minimize(problem, "exact_gauss_newton", steps=steps, tol=0.0, keep=("x", "step"), **hyper)


def dense(problem, x, damping):
    """The direction from a matrix of size d x d."""
    G = problem.ggn(x) + (damping + problem.l2) * np.eye(x.size)
    return -np.linalg.solve(G, problem.grad(x))


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize("l2", [0.0, 0.05, 3.0])
@pytest.mark.parametrize("n", [2, 7, 40])
def test_every_step_is_the_damped_dense_solve(loss, l2, n):
    """Fewer rows than parameters (26) and more; the ridge in the gradient and in the matrix."""
    problem = network(loss, l2, n)
    history = run(problem, steps=4, damping=1e-2, **FIXED)
    for x, step in zip(history["x"], history["step"][1:], strict=False):
        np.testing.assert_allclose(step, dense(problem, x, 1e-2), rtol=0.0, atol=1e-10)


@pytest.mark.parametrize(
    ("loss", "widths"),
    [
        ("squared", (3, 1)),
        ("squared", (2, 3, 1)),
        ("squared", (2, 3, 3, 4)),
        ("softmax", (3, 3)),
        ("softmax", (2, 3, 3, 4)),
    ],
)
def test_other_networks(loss, widths):
    problem = network(loss, 0.1, 6, widths)
    x = problem.x0 + 0.1
    step = so.minimize(problem, "exact_gauss_newton", x, damping=1e-2, steps=1, tol=0.0, keep="step", **FIXED)["step"][
        1
    ]
    np.testing.assert_allclose(step, dense(problem, x, 1e-2), rtol=0.0, atol=1e-10)


def test_it_is_the_natural_gradient_for_softmax_and_for_squared_error():
    for loss in ("softmax", "squared"):
        problem = network(loss, 0.05)
        ours = run(problem, steps=3, damping=0.1, **FIXED)["x"]
        theirs = so.minimize(problem, "natural_gradient", damping=0.1, steps=3, tol=0.0, keep="x")["x"]
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1e-10)


def test_it_is_levenberg_marquardt_for_squared_error():
    """With residuals :math:`(z-y)/\\sqrt n` and the damping that the other chose."""
    problem, root = network("squared"), np.sqrt(7.0)
    fit = so.Problem(
        residual=lambda x: (problem.outputs(x) - problem.Y).ravel() / root,
        jac=lambda x: np.stack([problem.jvp(x, v).ravel() for v in np.eye(26)], axis=1) / root,
        x0=problem.x0,
    )
    row = so.minimize(fit, "levenberg_marquardt", scaling="identity", steps=1, keep="step").rows[1]
    ours = run(problem, damping=row["damping"], **FIXED)["step"][1]
    np.testing.assert_allclose(ours, row["step"], rtol=0.0, atol=1e-10 / row["damping"] ** 0.5)


def test_large_damping_is_gradient_descent():
    """d = -g/damping to a relative error of |G|/damping."""
    for loss in ("softmax", "squared"):
        problem = network(loss, 0.05)
        step = run(problem, damping=1e6, **FIXED)["step"][1]
        size = np.linalg.norm(problem.ggn(problem.x0), 2) + 0.05
        g = problem.grad(problem.x0)
        assert np.linalg.norm(1e6 * step + g) <= 1.01e-6 * size * np.linalg.norm(g)


def test_without_damping_the_linearised_residual_vanishes():
    """14 outputs, 26 parameters, a Jacobian of full row rank: z + Jd = y, but for 7 damping / (smallest eigenvalue of JJ')."""
    problem = network("squared")
    x = problem.x0
    J = np.stack([problem.jvp(x, v).ravel() for v in np.eye(26)], axis=1)
    smallest = np.linalg.svd(J)[1][-1] ** 2
    assert smallest > 1e-3
    step = run(problem, damping=1e-12, **FIXED)["step"][1]
    left = problem.outputs(x) + problem.jvp(x, step) - problem.Y
    assert np.linalg.norm(left) <= 7e-12 / smallest * np.linalg.norm(problem.outputs(x) - problem.Y) + 1e-12


def test_a_fixed_step_is_the_learning_rate_times_the_direction():
    problem = network()
    history = run(problem, learning_rate=0.3, **FIXED)
    np.testing.assert_allclose(history["step"][1], 0.3 * dense(problem, problem.x0, 1e-2), atol=1e-12)
    assert history["step_size"][1] == 0.3 and "trials" not in history.names and history.oracle["f"] == 0


# --------------------------------------------------------------------------------------------------- the line search


@pytest.mark.parametrize("learning_rate", [1.0, 50.0])
def test_the_line_search_takes_the_first_trial_that_gains_a_tenth(learning_rate):
    problem = network(n=20)
    history = run(problem, steps=12, damping=1e-3, learning_rate=learning_rate)
    assert np.nanmax(history["trials"]) > 1, "the test needs a refused trial"
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        d = learning_rate * dense(problem, x, 1e-3)
        f, slope, sizes = problem.f(x), problem.grad(x) @ d, 0.8 ** np.arange(60)
        gains = [problem.f(x + a * d) <= f + 0.1 * a * slope for a in sizes]
        assert row["trials"] == gains.index(True) + 1
        assert row["step_size"] == pytest.approx(learning_rate * sizes[row["trials"] - 1], rel=1e-12)
        np.testing.assert_allclose(row["step"], sizes[row["trials"] - 1] * d, rtol=0.0, atol=1e-9 * learning_rate)
    assert np.all(np.diff(history.f) < 0.0)
    assert history.oracle["f"] == np.nansum(history["trials"]) + 12


def upside_down(problem):
    """The network with its gradient turned round."""
    return so.Problem(
        problem.f,
        lambda x: -problem.grad(x),
        signals=problem.signals,
        output_loss=lambda x: (-problem.output_loss(x)[0], problem.output_loss(x)[1]),
        x0=problem.x0,
    )


def test_no_decrease_on_all_of_the_data_stalls():
    history = so.minimize(upside_down(network()), "exact_gauss_newton", damping=10.0)
    assert (history.status, len(history)) == ("stalled", 1) and "no decrease" in history.message


def test_no_decrease_on_a_batch_is_no_step():
    history = run(upside_down(network()), steps=2, damping=10.0, batch_size=3)
    assert not np.any(history["step"][1]) and list(history["trials"][1:]) == [60, 60]
    assert not np.any(history["step_size"][1:])


# ---------------------------------------------------------------------------------------------- damping and momentum


@pytest.mark.parametrize("loss", ["softmax", "squared"])
@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_adaptive_damping_judges_the_whole_step_by_the_undamped_model(loss, damping):
    problem = network(loss, 0.01, n=20)
    history = run(problem, steps=15, damping=damping, adaptive_damping=True)
    seen = set()
    for x, row in zip(history["x"], history.rows[1:], strict=False):
        assert row["damping"] == pytest.approx(damping, rel=1e-14)
        d = dense(problem, x, damping)
        model = problem.grad(x) @ d + 0.5 * d @ (problem.ggn(x) + 0.01 * np.eye(x.size)) @ d
        ratio = max(-1.0, (problem.f(x + d) - problem.f(x)) / model)
        assert row["ratio"] == pytest.approx(ratio, rel=1e-6)
        factor = 1.5 if ratio < 0.25 else 0.5 if ratio > 0.75 else 1.0
        seen.add(factor)
        damping *= factor
    assert len(seen) > 1


def test_adaptive_damping_stays_within_its_bounds():
    line = so.problems.mlp((np.eye(3), np.ones(3)), [3, 1], loss="squared")
    history = run(line, steps=60, damping=2e-12, adaptive_damping=True, **FIXED)
    assert np.nanmin(history["damping"]) == 1e-12


def test_momentum_is_a_corrected_running_mean_of_the_directions():
    problem = network(n=20)
    history = run(problem, steps=8, damping=0.1, momentum=0.9, learning_rate=0.5, **FIXED)
    mean = np.zeros(26)
    for t, x, step in zip(itertools.count(1), history["x"], history["step"][1:]):
        mean = 0.9 * mean + 0.1 * dense(problem, x, 0.1)
        np.testing.assert_allclose(step, 0.5 * mean / (1.0 - 0.9**t), rtol=0.0, atol=1e-10)


def test_momentum_that_points_uphill_gives_way_to_the_direction():
    problem = network("squared", n=20)
    history = run(problem, steps=60, damping=1e-3, momentum=0.9)
    mean, replaced = np.zeros(26), 0
    for t, x, row in zip(itertools.count(1), history["x"], history.rows[1:]):
        d = dense(problem, x, 1e-3)
        mean = 0.9 * mean + 0.1 * d
        uphill = problem.grad(x) @ mean >= 0.0
        replaced += uphill
        expected = d if uphill else mean / (1.0 - 0.9**t)
        np.testing.assert_allclose(row["step"], row["step_size"] * expected, rtol=0.0, atol=1e-8)
    assert replaced and np.all(np.diff(history.f) < 0.0)


@pytest.mark.parametrize("hyper", VARIANTS.values(), ids=VARIANTS)
def test_variants_are_told_apart(hyper):
    problem = network(n=20)
    assert np.any(run(problem, 12, damping=1e-3, **hyper).x != run(problem, 12, damping=1e-3).x)


# ----------------------------------------------------------------------------------------------------------- batches


def test_a_batch_gives_its_own_step():
    problem = network(l2=0.05)
    batches = problem.batches(3, np.random.default_rng(4))
    history = run(problem, steps=3, batch_size=3, damping=0.1, seed=4, **FIXED)
    for x, step, batch in zip(history["x"], history["step"][1:], batches):
        np.testing.assert_allclose(step, dense(batch, x, 0.1), rtol=0.0, atol=1e-10)


def test_duplicated_examples_change_nothing():
    problem = network(l2=0.05)
    twice = problem.batch(np.tile(np.arange(7), 2))
    np.testing.assert_allclose(run(twice, 3).x, run(problem, 3).x, rtol=0.0, atol=1e-11)


def test_a_step_is_a_gradient_and_a_signal_for_each_output():
    history = run(network(widths=(3, 4, 3)), steps=4, **FIXED)
    assert history.oracle["grad"] == 5 and history.oracle["signals"] == 4 * 3 and history.oracle["output_loss"] == 4
    assert history.oracle["f"] == history.oracle["ggn_product"] == 0


def test_overparametrised_regression_is_fitted():
    """40 outputs and 97 parameters: residuals to 1e-8 in a few steps."""
    problem = network("squared", n=40, widths=(2, 24, 1))
    history = so.minimize(problem, "exact_gauss_newton", damping=1e-6, adaptive_damping=True, steps=500)
    assert history.f[-1] < 1e-12
