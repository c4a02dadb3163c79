"""What the pictures of the least-squares chapter show is what the mathematics says."""

import numpy as np
import pytest

from secondorder import problems
from secondorder.labs.page import page
from secondorder.labs.views import least_squares as views
from secondorder.least_squares import gauss_newton, levenberg_marquardt
from secondorder.linalg import column_norms, pseudoinverse

BOX = problems.nist("BoxBOD", 2)


@pytest.mark.parametrize("scaling", ["marquardt", "identity"])
@pytest.mark.parametrize("unit", views.UNITS)
def test_the_step_of_the_method_lies_on_the_path(scaling, unit):
    for damping in (1e-4, 0.1, 100.0):
        step = views.first_step(levenberg_marquardt, scaling, damping, unit)
        on_path = views.all_steps(BOX, scaling, np.asarray([damping]), unit)[0]
        np.testing.assert_allclose(step, on_path, rtol=1e-9)


def test_the_path_leads_from_gauss_newton_to_the_gradient():
    r, J = BOX.residual(BOX.x0), BOX.jac(BOX.x0)
    for scaling, D in (("marquardt", column_norms(J)), ("identity", np.ones(2))):
        newton, small = views.all_steps(BOX, scaling, np.asarray([1e-14, 1e8]))
        np.testing.assert_allclose(newton, -pseudoinverse(J).solve(r), rtol=1e-6)
        downhill = -(J.T @ r) / D**2
        np.testing.assert_allclose(small / np.linalg.norm(small), downhill / np.linalg.norm(downhill), rtol=1e-6)


def test_units_move_the_unscaled_path_only():
    for unit in views.UNITS[1:]:
        np.testing.assert_allclose(views.paths(unit)[0], views.paths(1)[0], rtol=1e-8)
        assert np.max(np.abs(views.paths(unit)[1][:, 0] - views.paths(1)[1][:, 0])) > 10.0


def test_what_is_promised_falls_with_the_damping_and_is_kept_by_short_steps():
    steps = views.all_steps(BOX, "marquardt", np.geomspace(1e-6, 1e6, 60))
    promised, gained = views.gains(BOX, steps)
    assert np.all(np.diff(promised) < 0) and abs(gained[-1] / promised[-1] - 1) < 1e-3


@pytest.mark.parametrize("third", views.THIRD)
def test_the_factor_is_the_slope_of_the_map(third):
    problem, least = views.exponential(third), views.exponential_minimum(third)

    def next_x(x):
        at = np.asarray([x])
        return x - pseudoinverse(problem.jac(at)).solve(problem.residual(at))[0]

    assert abs(next_x(least) - least) < 1e-10
    slope = (next_x(least + 1e-5) - next_x(least - 1e-5)) / 2e-5
    assert abs(slope) == pytest.approx(views.predicted_factor(third), abs=1e-6, rel=1e-5)
    np.testing.assert_allclose(
        problem.hess(np.asarray([least])),
        (problem.grad(np.asarray([least + 1e-6])) - problem.grad(np.asarray([least - 1e-6])))[:, None] / 2e-6,
        rtol=1e-6,
    )


def test_the_pure_method_settles_exactly_where_the_factor_is_below_one():
    for third in views.THIRD:
        run = views.factor_run(third, 0.5, gauss_newton)
        error, factor = abs(run["x"][-1, 0] - views.exponential_minimum(third)), views.predicted_factor(third)
        assert error < factor**20 + 1e-12 if factor < 1.0 else error > 1e-4


def test_the_sentence_says_how_a_fit_ends():
    assert "not at the certified answer" in views.curve_fit(fit="BoxBOD, start 1", trial=40).sentence
    for fit in views.FITS[:-2]:
        sentence = views.curve_fit(fit=fit, trial=40).sentence
        assert "has converged." in sentence and "correct digits" in sentence
    run = views.fit_run("Misra1a, start 1", levenberg_marquardt)
    errors = views.relative_errors(views.fit_problem("Misra1a, start 1"), run)
    assert errors[-1] < 1e-8 < errors[0] and errors.min() >= 1e-11


def test_the_reduced_function_is_the_least_over_the_linear_parameter():
    best, values = views.reduced(BOX, np.asarray([0.3, 0.5472375, 2.0]))
    for b1, b2, value in zip(best, (0.3, 0.5472375, 2.0), values):
        assert abs(BOX.grad(np.asarray([b1, b2]))[0]) < 1e-9
        assert value <= BOX.f(np.asarray([b1 + 1.0, b2]))
    assert 2 * values[1] == pytest.approx(BOX.certified_rss, rel=1e-9)


def test_the_canyon_is_half_of_rosenbrock():
    rosenbrock, canyon = problems.rosenbrock(), views.canyon()
    for x in np.random.default_rng(0).standard_normal((5, 2)):
        assert 2 * canyon.f(x) == pytest.approx(rosenbrock.f(x))
        np.testing.assert_allclose(2 * canyon.grad(x), rosenbrock.grad(x))


def test_other_units_are_the_same_problem():
    units = np.asarray([1e3, 1e-2])
    other = views.rescaled(BOX, units)
    y = BOX.x0 / units
    np.testing.assert_allclose(other.residual(y), BOX.residual(BOX.x0))
    np.testing.assert_allclose(other.jac(y), BOX.jac(BOX.x0) * units)
    np.testing.assert_allclose(other.grad(y), other.jac(y).T @ other.residual(y))


@pytest.mark.parametrize("view", [views.curve_fit, views.damping_path, views.gauss_newton_factor])
def test_a_page_of_it_is_small(view):
    assert len(page(view.view.name)._repr_html_()) < 1_000_000


def test_scipy_finds_the_same_answer():
    digits, calls = views.scipy_run("Misra1a", 2, "lm")
    assert digits > 6 and 1 < calls < 50
