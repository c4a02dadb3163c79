"""What the chapter on Newton–Langevin says of its pictures."""

import itertools
import re

import numpy as np
import pytest

from secondorder.catalogue import method, positive
from secondorder.labs.scene import get_view
from secondorder.labs.views import newton_langevin as views
from secondorder.run import sample
from secondorder.sampling import langevin, newton_langevin, rank_one_langevin


@pytest.mark.parametrize("damping", views.DAMPINGS)
@pytest.mark.parametrize("step_size", views.STEP_SIZES)
def test_the_measured_factors_are_the_promised_ones(damping, step_size):
    seen = views.differences(newton_langevin, step_size, damping)
    factors = views.promised_factors(step_size, damping)
    np.testing.assert_allclose(seen[1] / seen[0], factors, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(seen[5], factors**5, rtol=1e-6, atol=1e-10)


def test_langevin_takes_a_thousand_times_the_steps():
    newton = views.halving(views.promised_factors(0.3, 0.01))
    plain = views.halving(views.differences(langevin, views.LEAST * 0.3)[1])
    assert newton == 2 and plain == 2311


def test_the_number_of_steps_to_halve():
    assert views.halving(np.asarray([0.5, -0.5])) == 1
    assert views.halving(np.asarray([0.71, 0.1])) == 3 and views.halving(np.zeros(2)) == 1


def test_the_trace_in_the_picture_is_that_of_the_covariance():
    run = views.correction_run(rank_one_langevin, 1.0, False)
    assert views.traces(run)[50] == pytest.approx(np.trace(np.cov(run["x"][50].T, bias=True)))
    sample_of_law = views.equilibrium(100_000)
    assert np.trace(np.cov(sample_of_law.T)) == pytest.approx(views.exact_trace(), rel=0.02)


def test_only_without_the_correction_the_cloud_grows():
    """A thousand particles: the trace has a standard error of 0.25, and the exact draws of the start no less."""
    for damping in views.RHOS:
        kept = views.traces(views.correction_run(rank_one_langevin, damping, True))
        assert abs(kept[-1] - views.exact_trace()) < 4.5 * 0.25
    lost = [views.traces(views.correction_run(rank_one_langevin, damping, False))[-1] for damping in views.RHOS]
    assert lost == sorted(lost, reverse=True) and lost[0] > views.exact_trace() + 5.0
    assert lost[-1] == pytest.approx(views.exact_trace(), abs=4.5 * 0.25)


def test_the_small_step_law_is_that_of_small_steps():
    """Chains of 4000 started in p/P stay there: their share on the right has a standard error of 0.8 %."""
    x, damping, n = np.linspace(-5.0, 5.0, 20_001), 1.0, 4000
    density = views.small_step_law(x, damping)
    assert np.sum(density) * (x[1] - x[0]) == pytest.approx(1.0)
    X = np.interp((np.arange(n) + 0.5) / n, np.cumsum(density) / np.sum(density), x)
    run = sample(views.line(), newton_langevin, X[:, None], steps=150, step_size=0.05, damping=damping)
    exact, limit = views.right_shares(damping)
    assert abs(np.mean(run.x > views.valley()) - limit) < 4.5 * 0.008 and limit > exact + 0.15


def test_p_is_least_in_the_valley_and_convex_there():
    x = views.valley()
    score, hessian = (oracle(np.asarray([[x]])) for oracle in (views.line().score, views.line().score_hessian))
    assert abs(score[0, 0]) < 0.02 and hessian[0, 0, 0] > 0.0
    assert views.precision(np.asarray([x]), 0.3) == pytest.approx([0.3])


@pytest.mark.parametrize("test", views.TESTS)
def test_a_test_keeps_the_share_and_its_absence_does_not(test):
    run = views.bias_run(newton_langevin, 0.1, 0.3, views.TESTS[test])
    exact, limit = views.right_shares(0.3)
    share = float(np.mean(run.x > views.valley()))
    assert abs(share - (exact if views.TESTS[test] else limit)) < 0.05 < 0.15 < limit - exact


@pytest.mark.parametrize("test", views.TESTS)
def test_an_edited_method_has_its_own_share_and_acceptance(test):
    @method(paper="martin2012stochastic", needs=("score", "score_hessian", "log_density"), kind="sampler")
    def copied(problem, x, *, step_size: positive, damping: positive, metropolis: bool = False, rng):
        yield from newton_langevin(
            problem, x, step_size=step_size, damping=damping, metropolis=metropolis, rng=np.random.default_rng(rng)
        )

    plain, both = (views.bias(test=test, method=m).sentence for m in (None, copied))
    share, accepted = re.findall(r"\d+ %", plain)[-3], re.findall(r"\d+ % of the moves", plain)
    assert both.startswith(plain) and f"copied, {share} are there" in both
    assert re.findall(r"\d+ % of the moves", both) == 2 * accepted


@pytest.mark.parametrize("name", ["contraction", "correction", "bias"])
def test_every_control_changes_picture_and_sentence(name):
    view = get_view(name)
    for control in view.controls:
        sentences = [view(**{control.name: value}).sentence for value in control.values]
        assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("name", ["contraction", "correction", "bias"])
def test_the_axes_stand_still_and_hold_what_is_drawn(name):
    view, seen = get_view(name), set()
    for values in itertools.product(*(c.values for c in view.controls)):
        scene = view(**dict(zip((c.name for c in view.controls), values)))
        seen.add(tuple((p.x.domain, p.y.domain) for p in scene.panels))
        assert not re.search(r"\bnan\b|inf\b", scene.sentence)
        for panel in scene.panels:
            for mark in panel.marks:
                if type(mark).__name__ == "Line" and panel.y.scale == "linear":
                    low, high = panel.y.domain
                    assert np.nanmin(mark.y) >= low and np.nanmax(mark.y) <= high
    assert len(seen) == 1
