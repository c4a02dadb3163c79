"""What the chapter on acceleration and inexactness says of its pictures."""

import numpy as np
import pytest

from secondorder.labs.scene import get_view
from secondorder.labs.views import accelerated as views
from secondorder.newton import accelerated_cubic_newton, accelerated_inexact_newton, cubic_newton


def line(panel, label):
    return next(mark for mark in panel.marks if getattr(mark, "label", None) == label)


@pytest.mark.parametrize("scheme", [*views.SCHEMES][:2])
def test_gap_ceiling_and_bound_lie_in_this_order(scheme):
    _, right = get_view("accelerated_chain")(d=10, scheme=scheme).panels
    gap, ceiling, bound = (line(right, label).y for label in ("gap", "ceiling", "bound"))
    assert np.all(gap <= ceiling + 1e-11) and np.all(ceiling <= bound + 1e-11)


def test_cubic_newton_leads_is_overtaken_and_is_exact_first():
    cubic, fast = (views.chain_run(m, 30, "the theorem's constants") for m in (cubic_newton, accelerated_cubic_newton))
    assert cubic.primal_gap[50] < fast.primal_gap[50]
    assert views.first_below(fast, 1e-6) < views.first_below(cubic, 1e-6)
    assert views.first_below(cubic, 1e-10) is not None and views.first_below(fast, 1e-10) is None


def test_the_count_changes_the_axis_only():
    one, other = (get_view("accelerated_chain")(d=5, across=across) for across in views.ACROSS)
    a, b = (line(scene.panels[0], "accelerated_cubic_newton") for scene in (one, other))
    np.testing.assert_array_equal(a.y, b.y)
    assert b.x[0] > a.x[0] and one.sentence != other.sentence


def test_hessian_noise_is_survived_with_compensation_and_not_without():
    runs = {held: views.dial_run(accelerated_inexact_newton, 0.0, 10.0, held) for held in (True, False)}
    assert views.broken(runs[True]) == 0 < views.broken(runs[False])
    assert runs[True].primal_gap[-1] < 0.2 * runs[False].primal_gap[-1]
    assert "is broken at" in get_view("noise_dials")(hessian_noise=10.0, compensation="without").sentence


def test_with_noisy_gradients_the_careful_method_is_behind():
    ends = [views.dial_run(accelerated_inexact_newton, 0.1, 0.0, held).primal_gap[-1] for held in (True, False)]
    assert ends[1] < ends[0]
    assert "in expectation only" in get_view("noise_dials")(gradient_noise=0.1).sentence
