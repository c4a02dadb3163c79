"""What the chapter on learnt scores says of its pictures."""

import numpy as np
import pytest

from secondorder import problems
from secondorder.labs.scene import Image, get_view
from secondorder.labs.views import learned_scores as views
from secondorder.run import sample
from secondorder.sampling import ddim, dpm_solver


def pictures(panel, columns):
    """The 8 x 8 pictures of a mosaic, row by row, in shades from 0 to 255."""
    (image,) = panel.marks
    assert isinstance(image, Image)
    shades = image.bytes()
    rows = shades.shape[0] // 10
    cells = shades.reshape(rows, 10, columns, 10).transpose(0, 2, 1, 3).reshape(-1, 10, 10)
    assert not cells[:, [0, -1]].any() and not cells[:, :, [0, -1]].any(), "a dark frame"
    return cells[:, 1:9, 1:9].reshape(-1, 64).astype(int)


def shades(X):
    return np.rint(255 * np.clip((X + 1) / 2, 0, 1)).astype(int)


def test_a_mosaic_goes_row_by_row_from_the_top():
    X = np.linspace(-1, 1, 5)[:, None] * np.ones(64)
    X[0, 7], X[0, 8] = 1, 0.5  # the end of the first row, the start of the second
    image = views.mosaic(X, 3)
    assert image.z.shape == (20, 30) and (image.x.tolist(), image.y.tolist()) == ([0, 3], [0, 2])
    assert image.z[1, 8] == 1 and image.z[2, 1] == 0.5 and image.z[15, 15] == 1
    assert (image.z[10:, 20:] == -1).all()


@pytest.mark.parametrize(("solver", "evaluations"), [("DDIM", 5), ("Heun", 13), ("DPM-Solver++(2M)", 49)])
def test_the_samples_are_runs_with_so_many_evaluations(solver, evaluations):
    name = views.SOLVERS[solver].method.name
    steps = (evaluations + 1) // 2 if solver == "Heun" else evaluations
    run = sample(problems.score_network("digits"), name, particles=24, steps=steps, schedule="ve", spacing="edm")
    assert run.oracle["score"] == evaluations
    scene = get_view("learned_digits")(solver=solver, evaluations=evaluations)
    np.testing.assert_array_equal(pictures(scene.panels[0], 6), shades(run.x))
    assert scene.sentence.startswith(f"{solver} with {evaluations} evaluations")


def test_the_nearest_image_is_the_nearest():
    pool = np.random.default_rng(0).uniform(-1, 1, (50, 64))
    X = np.random.default_rng(1).uniform(-1, 1, (7, 64))
    nearest, distances = views.nearest_images(X, pool)
    gaps = np.sqrt(np.mean((X[:, None] - pool) ** 2, axis=2))
    np.testing.assert_array_equal(nearest, pool[np.argmin(gaps, axis=1)])
    np.testing.assert_allclose(distances, gaps.min(axis=1), rtol=1e-10)
    np.testing.assert_allclose(views.nearest_images(pool, pool)[1], 0.0, atol=1e-12)
    assert views.nearest_images(pool, pool, itself=True)[1].min() > 0.1


def test_a_solver_of_order_two_comes_nearer_to_the_flow_of_the_network():
    first, second = (views.grey(views.digits_run(method, 49), views.flow()) for method in (ddim, dpm_solver))
    assert second < 0.3 * first
    finer = sample(
        problems.score_network("digits"), "probability_flow", particles=24, steps=400, schedule="ve", spacing="edm"
    )
    assert views.grey(views.flow(), finer.x) < 0.1 * second, "the reference is good enough to measure against"


def test_the_mean_is_moved_along_orthogonal_axes_of_the_covariance():
    noisy, mean, values, vectors = views.posterior(4, 1.0)
    covariance = problems.score_network("digits").posterior_covariance(noisy[None, :], sigma=1.0)[0]
    assert np.all(np.diff(values) <= 0)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(64), atol=1e-10)
    np.testing.assert_allclose((vectors.T * values) @ vectors, covariance, atol=1e-10)
    scene = get_view("uncertain_strokes")(sigma=1.0, digit=4)
    moved = pictures(scene.panels[1], 5)
    for k in range(3):
        np.testing.assert_array_equal(moved[5 * k + 2], shades(mean))
        np.testing.assert_array_equal(moved[5 * k + 4], shades(mean + 2 * np.sqrt(values[k]) * vectors[k]))


def test_the_noise_is_the_same_at_every_level_and_the_image_is_held_out():
    assert not np.any(np.all(np.isclose(views.images(), views.example(4)), axis=1))
    small, large = (views.posterior(4, sigma)[0] - views.example(4) for sigma in (0.1, 5.0))
    np.testing.assert_allclose(large, 50 * small, atol=1e-10)


def test_little_noise_spoils_the_score_and_not_the_denoiser():
    errors = np.asarray([views.plane_errors(sigma, "where the law is") for sigma in views.LEVELS])
    assert np.all(np.diff(errors[:, 0]) < 0), "the score becomes better with the noise"
    assert errors[0, 0] > 0.5 and errors[-1, 0] < 0.01 and errors[0, 1] < 0.005


def test_the_arrows_are_the_scores():
    X, V = np.asarray([[0.0, 1.0], [2.0, 3.0]]), np.asarray([[1.0, 1.0], [-1.0, 0.0]])
    x, y = views.arrows(X, V)
    np.testing.assert_array_equal(x, [0, 1, np.nan, 2, 1, np.nan])
    np.testing.assert_array_equal(y, [1, 2, np.nan, 3, 3, np.nan])
