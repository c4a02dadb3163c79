"""Static figures: the data that was given, on labelled axes, in colours that can be told apart."""

import numpy as np
import pytest

import secondorder as so
from secondorder.plots import PALETTE, cloud, convergence


@pytest.fixture(scope="module")
def runs():
    return so.compare(so.problems.rosenbrock(), ["newton", "cubic_newton", "lazy_newton"])


@pytest.mark.parametrize(
    ("x", "label"), [("step", "iterations"), ("cost", "gradient-equivalents"), ("seconds", "seconds")]
)
def test_curves_are_the_histories(runs, x, label):
    (axes,) = runs.plot(x=x).axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == (label, "‖∇f(x)‖", "log")
    for line, (name, history) in zip(axes.lines, runs.items(), strict=True):
        assert line.get_label() == name
        across = {"step": np.arange(len(history)), "cost": history.cost(), "seconds": history.seconds}[x]
        np.testing.assert_array_equal(line.get_xdata(), across)
        np.testing.assert_array_equal(line.get_ydata(), history.grad_norm)


def test_other_quantities(runs):
    history = runs["cubic_newton"]
    (axes,) = history.plot(y="radius").axes
    assert axes.get_ylabel() == "radius" and axes.get_yscale() == "linear"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), history["radius"][1:])  # the first row has none
    (axes,) = history.plot(y="primal_gap").axes
    assert np.all(np.isnan(axes.lines[0].get_ydata()) == (history.primal_gap <= 0.0)), "a log axis has no zero"


@pytest.mark.parametrize("y", ["grad_norm", "f", "primal_gap"])
@pytest.mark.parametrize("x", ["step", "cost"])
def test_a_run_on_batches_is_one_curve_through_the_rows_looked_at(x, y):
    data = np.random.default_rng(0).standard_normal((12, 2)), np.arange(12) % 2
    history = so.minimize(so.problems.mlp(data, [2, 3, 2]), "adam", batch_size=3, steps=10)
    (axes,) = history.plot(x=x, y=y).axes
    rows = [0, 4, 8, 10]
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), rows if x == "step" else history.cost()[rows])
    values = {"grad_norm": history.grad_norm, "f": history.f, "primal_gap": history.primal_gap}[y][rows]
    np.testing.assert_array_equal(
        axes.lines[0].get_ydata(), np.where((y == "primal_gap") & (values <= 0.0), np.nan, values)
    )


def test_on_a_feasible_set_the_gap_is_drawn():
    """Where every curve has one; else the gradient norm, which all have."""
    problem = so.problems.quadratic([1.0, 4.0, 9.0])
    constrained = so.compare(problem.subject_to(so.sets.Simplex(3)), ["frank_wolfe", "away_step"], steps=30)
    (axes,) = constrained.plot().axes
    assert (axes.get_ylabel(), axes.get_yscale()) == ("Frank–Wolfe gap", "log")
    for line, history in zip(axes.lines, constrained.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), history["gap"])
    (axes,) = convergence({**constrained, "newton": so.minimize(problem, "newton")}).axes
    assert axes.get_ylabel() == "‖∇f(x)‖"
    (axes,) = constrained.plot(y="primal_gap").axes
    assert (axes.get_ylabel(), axes.get_yscale()) == ("f(x) − f*", "log")


def test_unknown_axes_are_refused(runs):
    with pytest.raises(ValueError, match="x must be one of step, cost, seconds; got 'time'"):
        runs.plot(x="time")
    with pytest.raises(KeyError, match="'temperature' is not on record"):
        runs.plot(y="temperature")


def test_many_curves_find_a_colour(runs):
    many = {str(i): runs["newton"] for i in range(2 * len(PALETTE) + 1)}
    (axes,) = convergence(many).axes
    assert len(axes.lines) == len(many)


def test_a_figure_is_not_left_open_in_pyplot(runs):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    runs.plot()
    assert plt.get_fignums() == before


# --------------------------------------------------------------------------------------------------------------- clouds

LINE = so.problems.gaussian_mixture(weights=[0.6, 0.4], means=[[-1.0], [1.0]], covariances=[[[0.4]], [[0.2]]])
SPACE = so.problems.gaussian_mixture(means=[[1.0, 2.0, 3.0]], covariances=[np.eye(3)])


@pytest.fixture(scope="module")
def clouds():
    return so.compare(so.problems.gaussian_mixture(), ["ddim", "dpm_solver"], particles=400)


def points(axes):
    return [line.get_xydata() for line in axes.lines if line.get_marker() == "."]


def test_a_cloud_is_its_particles_on_contours_of_the_law(clouds):
    figure = clouds.plot(x="cost")
    for axes, (label, history) in zip(figure.axes, clouds.items(), strict=True):
        np.testing.assert_array_equal(points(axes), [history.x])
        assert axes.get_title().split("\n")[0] == label and (axes.get_aspect(), len(axes.collections)) == (1.0, 1)
        assert axes.get_xlim() == figure.axes[0].get_xlim()


def test_the_contours_hold_what_they_say():
    """90, 60 and 30 % of a Gaussian lie within known radii; the quantiles are those of 2000 draws: 5 standard errors."""
    law = so.problems.gaussian_mixture(means=[[0.0, 0.0]], covariances=[np.eye(2)])
    (axes,) = so.sample(law, "ddim", particles=5).plot().axes
    contours = axes.collections[0]
    for held, path in zip((0.9, 0.6, 0.3), contours.get_paths(), strict=True):
        radius = np.linalg.norm(path.vertices, axis=1)
        inside = 1.0 - np.exp(-0.5 * np.mean(radius) ** 2)
        assert abs(inside - held) < 5.0 * np.sqrt(held * (1.0 - held) / 2000) + 0.005
        assert np.ptp(radius) < 0.2


def test_in_one_dimension_a_histogram_stands_under_the_density():
    history = so.sample(LINE, "ddpm", particles=500)
    (axes,) = history.plot().axes
    assert sum(bar.get_height() * bar.get_width() for bar in axes.patches) == pytest.approx(1.0, abs=0.02)
    (curve,) = axes.lines
    sigma = history["sigma"][-1]
    np.testing.assert_allclose(
        curve.get_ydata(), np.exp(LINE.log_density(curve.get_xdata()[:, None], alpha=history["alpha"][-1], sigma=sigma)),
        rtol=1e-4, atol=1e-12,
    )  # fmt: skip


def test_in_more_dimensions_exact_draws_stand_behind():
    history = so.sample(SPACE, "ddim", particles=30)
    (axes,) = history.plot().axes
    behind, particles = points(axes)
    np.testing.assert_array_equal(particles, history.x[:, :2])
    assert np.mean(behind, axis=0) == pytest.approx([1.0, 2.0], abs=5.0 / np.sqrt(len(behind)))


def test_what_lies_outside_is_counted():
    history = so.sample(
        so.problems.gaussian_mixture(), "langevin", np.full((4, 2), 1e9) * [[0.0], [0.0], [0.0], [1.0]], steps=0
    )
    (axes,) = history.plot().axes
    assert axes.get_title() == "langevin\n25% outside"


def broken(X, alpha, sigma):
    raise RuntimeError("no density here")


@pytest.mark.parametrize(
    "law", [{}, {"log_density": broken}, {"log_density": lambda X, alpha, sigma: np.nan * X[:, 0]}]
)
def test_without_a_law_the_particles_are_drawn_alone(law):
    history = so.sample(so.Problem(score=lambda X, alpha, sigma: -X, x0=[0.0, 0.0], **law), "langevin", steps=3)
    (axes,) = history.plot().axes
    np.testing.assert_array_equal(points(axes), [history.x])
    assert not axes.collections


def test_a_density_without_draws_has_contours_too():
    law = so.Problem(
        score=lambda X, alpha, sigma: -X, log_density=lambda X, alpha, sigma: -0.5 * np.sum(X**2, axis=1), x0=[0.0, 0.0]
    )
    (axes,) = so.sample(law, "langevin", steps=3).plot().axes
    assert len(axes.collections) == 1 and len(axes.collections[0].get_paths()) == 3


def test_large_clouds_are_thinned():
    history = so.sample(SPACE, "langevin", particles=5000, steps=0)
    (axes,) = history.plot().axes
    np.testing.assert_array_equal(points(axes)[1], history.x[::3, :2])


def test_other_quantities_of_a_sampler_are_curves(clouds):
    history = so.sample(LINE, "langevin", metropolis=True, steps=5)
    (axes,) = history.plot(y="acceptance").axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), history["acceptance"][1:])
    with pytest.raises(ValueError, match="x must be one of step, cost, seconds; got 'time'"):
        clouds.plot(x="time")


def test_a_cloud_is_of_particles(runs):
    with pytest.raises(ValueError, match="newton has no particles: cloud draws histories of sample"):
        cloud(runs)
    with pytest.raises(ValueError, match="cloud needs a history"):
        cloud({})


@pytest.mark.parametrize(("n", "shape"), [(1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3))])
def test_panels_are_laid_out(clouds, n, shape):
    figure = cloud({str(i): clouds["ddim"] for i in range(n)})
    assert figure.axes[0].get_gridspec().get_geometry() == shape
    assert sum(axes.get_visible() for axes in figure.axes) == n
