"""Samplers with one mistake each: the named checks find it, and right ones pass."""

import functools

import numpy as np
import pytest

import secondorder as so
from secondorder.run import Iterate
from secondorder.sampling.predictions import predictions
from secondorder.schedules import NoiseGrid, noise_grid
from secondorder.validate.recording import Candidate
from secondorder.validate.samplers import check_sampler, exact_flow

looked_at = functools.partial(check_sampler, diagnose=False)

MIXTURE = so.problems.gaussian_mixture()


def failed(report):
    return [finding.name for finding in report.findings if finding.passed is False]


def found(report, name):
    return next(finding for finding in report.findings if finding.name == name)


def written_out(problem, x, grid):
    """DDIM, once more."""
    yield Iterate(x)
    for s, t in grid.steps:
        noise = -s.sigma * problem.score(x, alpha=s.alpha, sigma=s.sigma)
        x = t.alpha / s.alpha * (x - s.sigma * noise) + t.sigma * noise
        yield Iterate(x)
    return "finished"


def mistaken(change):
    """DDIM with its new particles changed: ``change(x, k, last, rng)``."""

    def sampler(problem, x, grid, rng):
        yield Iterate(x)
        for k, (s, t) in enumerate(grid.steps):
            noise, data = predictions(problem, x, s)
            x = change(t.alpha * data + t.sigma * noise, k, k + 1 == len(grid.steps), rng)
            yield Iterate(x)
        return "finished"

    return sampler


@pytest.mark.parametrize(
    ("method", "hyper"),
    [("ddim", {}), ("ddpm", {}), ("dpm_solver", {"order": 2}), ("probability_flow", {}), ("lml", {"kappa": 0.2})],
)
def test_the_library_itself_passes_every_check(method, hyper):
    function = getattr(so.sampling, method)

    def itself(problem, x, **options):
        if method != "ddpm":
            del options["rng"]
        return (yield from function(problem, x, **options, **hyper))

    report = check_sampler(itself, method, steps=10, **hyper)
    assert report.agrees and report.match.worst == 0.0
    names = [finding.name for finding in report.findings]
    expected = ["order of convergence"] * (method != "ddpm") + ["distance to the law", "randomness", "last step"]
    assert names[-len(expected) :] == expected


def test_a_sampler_written_anew_passes():
    report = check_sampler(written_out, "ddim", steps=10)
    assert report.agrees and 0.0 < report.match.worst < 1e-11
    assert found(report, "order of convergence").measured["order"] == pytest.approx(1.0, abs=0.1)


def test_the_order_of_convergence_is_measured():
    """Euler's method said to be Heun's, and a Heun's method that forgets the second slope every other step."""
    first = found(looked_at(so.sampling.probability_flow, "dpm_solver", steps=10), "order of convergence")
    assert first.passed and 1.8 < first.measured["order"] < 2.6
    report = looked_at(written_out, "probability_flow", steps=20)
    assert "order of convergence" in failed(report)
    order = found(report, "order of convergence").measured
    assert order["order"] == pytest.approx(1.0, abs=0.15) and order["reference"] > 1.8


def test_the_exact_flow_of_one_gaussian():
    """x sqrt((a_t^2 v + s_t^2) / (a_s^2 v + s_s^2)) along each axis, for a mean of 0."""
    law = so.problems.gaussian_mixture(means=[[0.0, 0.0]], covariances=[np.diag([4.0, 0.25])])
    X = np.random.default_rng(0).standard_normal((20, 2))
    levels = noise_grid(2).levels
    for first, last in ((levels[0], levels[-1]), (levels[0], so.schedules.Level(1.0, 0.0))):
        v = np.asarray([4.0, 0.25])
        scale = np.sqrt((last.alpha**2 * v + last.sigma**2) / (first.alpha**2 * v + first.sigma**2))
        np.testing.assert_allclose(exact_flow(law, X, first, last), X * scale, rtol=2e-4)


def test_the_last_step():
    """Noise that is left at the end: the last level is not reached."""

    def short(problem, x, grid):
        return (yield from written_out(problem, x, NoiseGrid([*grid.levels[:-1], (1.0, 1e-3)])))

    report = looked_at(short, "ddim", steps=10, grid=noise_grid(10, spacing="edm"))
    assert "last step" in failed(report) and report.first.step == 10
    assert "last step" not in failed(looked_at(written_out, "ddim", steps=10, grid=noise_grid(10, spacing="edm")))


def test_randomness():
    hidden = np.random.default_rng(0)
    drawn = looked_at(mistaken(lambda x, k, last, rng: x + 1e-9 * rng.standard_normal(x.shape)), "ddim", steps=5)
    assert "randomness" in failed(drawn) and found(drawn, "randomness").measured == {"repeats": True, "random": True}
    global_draws = mistaken(lambda x, k, last, rng: x + 1e-9 * hidden.standard_normal(x.shape))
    assert found(looked_at(global_draws, "ddim", steps=5), "randomness").measured["repeats"] is False
    unseeded = found(looked_at(global_draws, "ddim", steps=5, eta=1.0), "randomness")
    assert unseeded.passed is False and unseeded.measured == {"repeats": False, "random": True}
    still = found(looked_at(written_out, "ddim", steps=5, eta=1.0), "randomness")
    assert still.passed is False and "the reference is random" in still.words


def test_the_distance_to_the_law():
    report = looked_at(mistaken(lambda x, k, last, rng: 0.6 * x if last else x), "ddim", steps=10)
    assert "distance to the law" in failed(report)
    distance = found(report, "distance to the law").measured
    assert distance["distance"] > distance["reference"] + distance["floor"] > distance["floor"] > 0.0


def test_schedulers_that_bring_their_own_levels():
    def scheduler(steps):
        grid = noise_grid(steps, spacing="quadratic")

        def walk(problem, x):
            return (yield from written_out(problem, x, grid))

        return Candidate("mine", walk), grid

    report = looked_at(scheduler, "ddim", steps=10)
    assert report.agrees and report.candidate == "mine" and report.steps == 10
    assert "last step" not in [finding.name for finding in report.findings]  # its levels do not end at 0
    with pytest.raises(ValueError, match="grid must not be given"):
        looked_at(scheduler, "ddim", grid=noise_grid(5))


def test_what_breaks_gets_a_report():
    def late(x, k, last, rng):
        return x * np.nan if k > 12 else x

    report = looked_at(mistaken(late), "ddim", steps=10)
    order = found(report, "order of convergence")
    assert not report.agrees and order.passed is False and "broke down at step 14: FloatingPointError" in order.words

    def raises(problem, x, grid):
        yield Iterate(x)
        raise RuntimeError("no such timestep")

    broken = looked_at(raises, "ddim", steps=4)
    assert not broken.agrees and "no such timestep" in broken.failure


def test_samplers_without_levels_and_what_is_no_sampler():
    report = looked_at(so.sampling.langevin, "langevin", steps=5)
    assert report.agrees and "order of convergence" not in [finding.name for finding in report.findings]
    with pytest.raises(TypeError, match="must be a sampler; newton is an optimiser"):
        looked_at(written_out, "newton")
    with pytest.raises(TypeError, match="candidate must be"):
        looked_at(3.0, "ddim")
