"""Static figures: the data that was given, on labelled axes, in colours that can be told apart."""

import numpy as np
import pytest

import secondorder as so
from secondorder.plots import PALETTE, convergence


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
