"""What the chapter on a measured radius of trust says of its pictures."""

import numpy as np
import pytest

from secondorder.labs.scene import get_view
from secondorder.labs.views import normalized as views
from secondorder.newton import gradient_normalized_newton


@pytest.mark.parametrize("case", views.CASES)
@pytest.mark.parametrize("start", views.STARTS)
def test_measured_radii_and_values_keep_what_the_class_promises(case, start):
    problem, run = views.case_problem(case, start), views.case_run(gradient_normalized_newton, case, start)
    assert run.status == "converged"
    half = 0.5 * views.CASES[case].radius(problem, run)
    assert np.all(run["smoothness"][2:] >= np.minimum(half[1:], 2.0 * run["smoothness"][1:-1]))
    gap, bound = views.CASES[case].values(problem, run)
    assert np.all(gap <= bound * (1.0 + 1e-9) + 1e-12 * max(1.0, abs(problem.f_star)))


@pytest.mark.parametrize(
    ("case", "slope"),
    [
        ("exact Hessian, Lipschitz: cube of a norm", 0.5),
        ("no Hessian, Lipschitz gradient: soft maximum", 1.0),
        ("Fisher term: quartic", 1.0 / 3.0),
    ],
)
def test_the_radius_is_parallel_to_its_promise(case, slope):
    """A fit over at least five decades of the gradient norm; a radius is known to a factor of 2."""
    run = views.case_run(gradient_normalized_newton, case, 1.0)
    size, radius = run.grad_norm[:-1], run["smoothness"][1:]
    later = size < 1e-1
    assert np.ptp(np.log10(size[later])) > 5.0
    assert np.polyfit(np.log(size[later]), np.log(radius[later]), 1)[0] == pytest.approx(slope, abs=0.05)


def test_with_exact_hessians_of_exponentials_the_radius_never_shrinks():
    run = views.case_run(gradient_normalized_newton, "exact Hessian, quasi-self-concordant: exponentials", 1.0)
    assert np.all(np.diff(run["smoothness"][1:]) >= 0.0)


def test_the_constant_of_the_exponentials_is_valid():
    """M bounds the longest row; the third derivative along random directions by central differences of the Hessian."""
    problem, rng = views.steep(), np.random.default_rng(0)
    for _ in range(50):
        x, u, v = rng.standard_normal((3, len(problem.x0)))
        v /= np.linalg.norm(v)
        third = u @ (problem.hess(x + 1e-5 * v) - problem.hess(x - 1e-5 * v)) @ u / 2e-5
        assert abs(third) <= problem.concordance * (u @ problem.hess(x) @ u) * (1.0 + 1e-6)


def test_the_curves_are_the_runs():
    scene = views.approximate_hessians(hessian="Gauss-Newton", mu=0.5)
    run = views.soft_run(gradient_normalized_newton, "Gauss-Newton", 0.5)
    lines = {mark.label: mark for panel in scene.panels for mark in panel.marks}
    np.testing.assert_array_equal(lines["Gauss-Newton"].y, run.grad_norm)
    np.testing.assert_array_equal(lines["trusted: radius γ"].y, run["smoothness"][1:])
    np.testing.assert_array_equal(lines["used: step ‖h‖"].y, run["radius"][1:])
    assert f"{len(run) - 1} steps" in scene.sentence


@pytest.mark.parametrize("name", ["approximate_hessians", "classes_found"])
def test_every_position_of_every_control_changes_picture_and_sentence(name):
    view = get_view(name)
    for control in view.controls:
        scenes = [view(**{control.name: value}) for value in control.values]
        assert len({scene.sentence for scene in scenes}) == len(scenes)
        curves = {b"".join(np.asarray(mark.y).tobytes() for panel in s.panels for mark in panel.marks) for s in scenes}
        assert len(curves) == len(scenes)


@pytest.mark.parametrize("name", ["approximate_hessians", "classes_found"])
def test_what_is_drawn_lies_within_the_axes(name):
    """But for gaps and gradient norms below the last decade shown."""
    view = get_view(name)
    first, second = view.controls
    for one in first.values:
        for other in second.values:
            for panel in view(**{first.name: one, second.name: other}).panels:
                for mark in panel.marks:
                    for axis, values in ((panel.x, mark.x), (panel.y, mark.y)):
                        assert np.nanmax(values) <= axis.domain[1], (one, other, axis.label)
                    assert np.nanmin(mark.x) >= panel.x.domain[0] * 0.5, (one, other)
