"""What the chapter on samplers as solvers says of its pictures."""

import itertools

import numpy as np
import pytest

from secondorder.distances import median_row_error
from secondorder.labs.scene import get_view
from secondorder.labs.views import solvers as views
from secondorder.labs.views._mixtures import plane, sixteen, stretched
from secondorder.problems import gaussian_mixture
from secondorder.run import sample
from secondorder.sampling import ddim, probability_flow
from secondorder.schedules import NoiseGrid, noise_grid


@pytest.mark.parametrize("spacing", views.SPACINGS)
def test_every_spacing_has_the_same_ends_and_as_many_steps(spacing):
    grid, even = views.levels(9, spacing), views.levels(9)
    assert len(grid.steps) == 9
    for end in (0, -1):
        assert grid.levels[end].ratio == pytest.approx(even.levels[end].ratio, rel=1e-10)


def test_the_narrow_mixture_has_the_same_means_and_weights():
    law = views.narrow(0.3)
    np.testing.assert_array_equal(law.means, plane().means)
    np.testing.assert_allclose(law.covariances, 0.09 * plane().covariances, rtol=1e-12)
    np.testing.assert_array_equal(law.weights, plane().weights)


def test_the_exact_end_is_that_of_the_closed_form_on_one_gaussian():
    law, grid = stretched(), noise_grid(1)
    x = views.start(16, 100)
    closed = views.gaussian_flow(law, x, *grid.levels)
    assert median_row_error(views.exact(law, 100), closed) < 2e-6


def test_the_factors_are_those_of_a_step_of_the_library():
    law = gaussian_mixture(means=[[0.0]], covariances=[[[0.25]]])
    for below in (3.0, 0.4, 0.02):
        grid = NoiseGrid([(1.0, 5.0), (1.0, below)])
        factors = views.factors(0.25, 5.0, np.asarray(below))
        for name, solver in (("Euler", "euler"), ("Heun", "heun")):
            x = sample(law, "probability_flow", [[1.0]], grid=grid, solver=solver).x
            assert factors[name] == pytest.approx(x[0, 0], rel=1e-12)


@pytest.mark.parametrize("solver", views.SOLVERS)
def test_a_budget_is_kept(solver):
    method, options = views.SOLVERS[solver]
    for evaluations in views.EVALUATIONS:
        run = views.walk(method, solver, plane(), evaluations, "even in λ", views.start(2)[:2])
        assert run.oracle["score"] == evaluations
        assert {name: run.hyper[name] for name in options} == options
    assert views.evaluations_a_step(method) == (2 if method is probability_flow else 1)


def test_the_share_of_larger_errors():
    errors = np.asarray([0.1, 3.0, 0.2, 0.4])
    values, share = views.larger(errors)
    assert values.tolist() == [3.0, 0.4, 0.2, 0.1] and share.tolist() == [0.25, 0.5, 0.75, 1.0]


def test_the_orange_particles_are_those_that_change_component():
    scene = get_view("changed_basins")(evaluations=6)
    (cloud,) = [mark for mark in scene.panels[0].marks if mark.label == "ends elsewhere"]
    law, x = views.narrow(0.1), views.start(2)
    X, reference = sample(law, "ddim", x, steps=6).x, views.exact(law)
    ends, expected = (np.argmax(law.responsibilities(Y), axis=1) for Y in (X, reference))
    np.testing.assert_array_equal(np.column_stack([cloud.x, cloud.y]), x[ends != expected])
    assert f"{100.0 * np.mean(ends != expected):.3g} % of 2000" in scene.sentence


def test_they_have_the_mean_error_only_where_the_components_are_apart():
    def carried(width):
        law, reference = views.narrow(width), views.exact(views.narrow(width))
        X = views.end(ddim, "Euler (DDIM)", law, 16, "even in λ", views.PARTICLES)
        errors = np.sum((X - reference) ** 2, axis=1)
        return np.sum(errors[views.other_mode(law, X, reference)]) / np.sum(errors)

    assert carried(0.1) > 0.9 and carried(1.0) < 0.4


def test_the_median_shows_the_promised_order():
    laws = list(views.LAWS)[:2]
    for law, (name, promised) in itertools.product(laws, views.PROMISED.items()):
        errors = views.curve(views.SOLVERS[name][0], name, law, "median", "even in λ")
        assert views.slopes(errors)[-1] == pytest.approx(promised, rel=0.2)


def test_the_exact_start_of_the_third_order_is_exact():
    assert views.third_order_error(2, corrected=True) < 1e-12
    assert views.third_order_error(40, corrected=True) < 0.3 * views.third_order_error(40, corrected=False)


def test_an_edited_copy_runs_with_the_options_of_the_solver_it_was_made_from():
    order = views.SOLVERS["Adams 2"]
    for chosen in ("Adams 2", "Adams 4"):
        *_, (label, _, name) = views.beside(order[0], chosen)
        assert (label, name) == ("your adams_bashforth", chosen)
    *_, (_, _, name) = views.beside(probability_flow, "Euler (DDIM)")
    assert name == "Heun"


@pytest.mark.parametrize("name", ["sampler_paths", "changed_basins", "solver_errors"])
def test_every_control_changes_the_sentence(name):
    """From each position of the others in which the browser test may stand; without the most expensive law."""
    view = get_view(name)
    start = {control.name: control.default for control in view.controls}
    if "law" in start:
        start["law"] = "one Gaussian, d = 16"
    for control in view.controls:
        values = [value for value in control.values if value != "four components, d = 16"]
        sentences = [view(**(start | {control.name: value})).sentence for value in values]
        assert len(set(sentences)) == len(values), control.name


def test_the_laws():
    assert sixteen().means.shape == (4, 16) and stretched(5).means.shape == (1, 5)
    np.testing.assert_allclose(np.diagonal(stretched().covariances[0])[[0, -1]], [1e-3, 1.0])
    assert np.all(np.linalg.eigvalsh(sixteen().covariances) > 0.02 - 1e-12) and plane() is plane()
