"""What the chapter on precision says of its pictures."""

import numpy as np
import pytest

import secondorder as so
from secondorder.labs.scene import get_view
from secondorder.labs.views import precision as views


def line(panel, label):
    return next(mark for mark in panel.marks if getattr(mark, "label", None) == label)


def test_the_solution_of_the_system_is_exact_to_the_last_digit():
    H, b, x = views.system(1e9)
    assert np.linalg.cond(H) == pytest.approx(1e9, rel=1e-3)
    exact = [sum(views.Fraction(h) * views.Fraction(v) for h, v in zip(row, x, strict=True)) for row in H]
    left = np.asarray([float(views.Fraction(s) - e) for s, e in zip(b, exact, strict=True)])
    assert np.linalg.norm(np.linalg.solve(H, left)) <= 2.0**-52 * np.linalg.norm(x)


def test_a_wrapped_problem_rounds_what_it_is_told():
    problem = so.problems.ill_scaled_logistic(n=20, d=3)
    mixed, only = views.mixed(problem), views.mixed(problem, "float64")
    x = mixed.x0 + np.float32(0.1)
    assert x.dtype == mixed.grad(x).dtype == mixed.hess(x).dtype == np.float32
    np.testing.assert_array_equal(mixed.grad(x), problem.grad(x.astype(float)).astype(np.float32))
    wide = x.astype(float)
    assert only.grad(wide).dtype == only.hess(wide).dtype == np.float64
    np.testing.assert_array_equal(only.grad(wide), problem.grad(wide))
    np.testing.assert_array_equal(only.hess(wide), problem.hess(wide).astype(np.float32).astype(float))


def test_a_network_as_least_squares_is_the_network():
    problem = views.network(views.NETWORKS[0])
    r, J = problem.residual(problem.x0), problem.jac(problem.x0)
    assert 0.5 * float(r @ r) == pytest.approx(float(problem.f(problem.x0)), rel=1e-12)
    np.testing.assert_allclose(J.T @ r, problem.grad(problem.x0), rtol=1e-10, atol=1e-14)


def test_the_errors_on_the_left_end_where_the_right_shows_them():
    for storage in views.STORAGE:
        left, right = get_view("digits_and_conditioning")(condition=1e7, M=1e-9, storage=storage).panels
        curve = line(right, storage)
        assert curve.y[list(curve.x).index(1e7)] == pytest.approx(line(left, "gradient_regularized_newton").y[-1])


def test_the_sentences_tell_the_precisions_apart():
    view = get_view("digits_and_conditioning")
    sentences = [view(condition=c, M=1e-9, storage=s).sentence for c in views.CONDITIONS for s in views.STORAGE]
    assert len(set(sentences)) == len(sentences)
    assert "breaks down" in view(condition=1e9, M=1e-12, storage="double, Hessian in single").sentence
    stops = get_view("where_it_stops")
    assert "never below 1e-10" in stops(learner="exact trust region", name=views.NETWORKS[2]).sentence
    assert "in single: below 1e-10 after" in stops(learner="Levenberg-Marquardt", name=views.NETWORKS[2]).sentence
