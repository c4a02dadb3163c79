"""The contract of a sampler: purity, one seed one history, true needs, bad input, and no silent NaN.

It runs over every sampler of the catalogue and each of its settings, on a mixture of two Gaussians in the plane, in a few
steps from large noise or, for a chain, from near the means.
"""

import copy
import inspect
import itertools
import re
import warnings

import numpy as np
import pytest

import secondorder as so
from secondorder.arrays import is_array, to_numpy
from secondorder.catalogue import find
from secondorder.ledger import Ledger
from secondorder.run import Iterate

NAN, INF = float("nan"), float("inf")
STEPS, PARTICLES = 5, 6
LAW = ("score", "score_hessian", "log_density")


def law(scale=1.0):
    """Two Gaussians; ``scale`` is the unit of length."""
    return so.problems.gaussian_mixture(
        weights=[0.6, 0.4],
        means=[[-scale, 0.0], [scale, 0.5 * scale]],
        covariances=[
            [[0.6 * scale**2, 0.2 * scale**2], [0.2 * scale**2, 0.5 * scale**2]],
            np.diag([0.3, 0.8]) * scale**2,
        ],
    )


PLANE = law()
LINE = so.problems.gaussian_mixture(weights=[0.6, 0.4], means=[[-1.0], [1.0]], covariances=[[[0.4]], [[0.2]]])


def noise_levels(info, hyper, steps=STEPS):
    """The grid of a setting, or None for a chain."""
    if info.grid is None:
        return None
    if hyper.get("base") == "flow":
        return so.schedules.noise_grid(steps, "flow")
    return so.schedules.noise_grid(steps, *info.grid)


def options(info, hyper, steps=STEPS):
    """How :func:`secondorder.sample` is told the steps of a setting."""
    grid = noise_levels(info, hyper, steps)
    return {"steps": steps, **hyper} if grid is None else {"grid": grid, **hyper}


def start(info, hyper, n=PARTICLES, d=2):
    grid = noise_levels(info, hyper)
    return (1.0 if grid is None else grid.levels[0].sigma) * np.random.default_rng(1).standard_normal((n, d))


def draw(problem, info, hyper, x=None, seed=0, **more):
    return so.sample(
        problem, info.name, start(info, hyper) if x is None else x, seed=seed, **options(info, hyper), **more
    )


def begin(problem, info, hyper, x, rng=None):
    """The generator of iterates, and of a chain the first few."""
    random = {"rng": rng or np.random.default_rng(0)} if "rng" in inspect.signature(info.function).parameters else {}
    grid = noise_levels(info, hyper)
    walk = find(info.name)(problem, x, **hyper, **random, **({} if grid is None else {"grid": grid}))
    return itertools.islice(walk, STEPS + 1) if grid is None else walk


def own(names, wrap=lambda name, oracle: oracle, problem=PLANE, **changes):
    """A problem of the caller's own with these oracles of a law, each wrapped."""
    oracles = {name: wrap(name, getattr(problem, name)) for name in names}
    return so.Problem(**{**oracles, **{name: f for name, f in changes.items() if name in names}}, x0=problem.x0)


def parts(iterate):
    found = {"x": iterate.x}
    for name, value in iterate.quantities.items():
        each = {f"{name}[{i}]": part for i, part in enumerate(value)} if isinstance(value, tuple) else {name: value}
        found |= {label: part for label, part in each.items() if is_array(part)}
    return found


def numbers(iterate):
    return {name: value for name, value in iterate.quantities.items() if isinstance(value, (int, float))}


def columns(history):
    """What a run records, less the clock."""
    scalars = {name: history[name] for name in history.names if name != "seconds"}
    return {**scalars, **{f"#{name}": calls for name, calls in history.counts.items()}, "end": history.x}


def assert_same(one, other):
    assert (one.status, one.message) == (other.status, other.message)
    one, other = columns(one), columns(other)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def fine(info):
    return "step_limit" if info.grid is None else "finished"


# --------------------------------------------------------------------------------------------------------------- purity


def test_start_and_data_are_not_modified(sampling):
    info, hyper = sampling
    problem, x = law(), start(info, hyper)
    before, first = copy.deepcopy(vars(problem)), x.copy()
    assert draw(problem, info, hyper, x).status == fine(info)
    np.testing.assert_array_equal(x, first)
    assert x.flags.writeable
    for name, value in before.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(vars(problem)[name], value, err_msg=name)
            assert vars(problem)[name].flags.writeable == value.flags.writeable, name


def test_what_was_yielded_never_changes(sampling):
    info, hyper = sampling
    held = [parts(iterate) for iterate in begin(PLANE, info, hyper, start(info, hyper))]
    copies = [{name: array.copy() for name, array in row.items()} for row in held]
    for row, before in zip(held, copies, strict=True):
        for name, array in row.items():
            assert not array.flags.writeable, name
            assert array.shape[0] == PARTICLES, "a particle in each row"
            np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_a_row_tells_its_noise_level(sampling):
    """Of a method that walks through noise levels ``alpha`` and ``sigma``, from the first level to the last."""
    info, hyper = sampling
    rows, grid = list(begin(PLANE, info, hyper, start(info, hyper))), noise_levels(info, hyper)
    np.testing.assert_array_equal(rows[0].x, start(info, hyper))
    if grid is None:
        assert len(rows) == STEPS + 1
        return
    assert (rows[0].alpha, rows[0].sigma) == grid.levels[0]
    seen = [row.sigma / row.alpha for row in rows]
    assert all(s >= t for s, t in itertools.pairwise(seen)), (
        "noise falls; a last row may be cleaner than the last level"
    )
    assert {level.ratio for level in grid.levels} <= set(seen)


def test_score_functions_may_reuse_one_buffer_and_keep_it(sampling):
    info, hyper = sampling
    names = info.oracles(hyper)
    clean = draw(own(names), info, hyper)
    answers = []

    def buffered(name, function):
        buffers = {}

        def filled(X, alpha, sigma):
            answer = function(X, alpha=alpha, sigma=sigma)
            buffer = buffers.setdefault(answer.shape, np.empty_like(answer))
            buffer[...] = answer
            answers.append(buffer)
            return buffer

        return filled

    assert_same(draw(own(names, buffered), info, hyper), clean)
    assert answers and all(answer.flags.writeable for answer in answers)


def test_score_functions_cannot_change_the_particles(sampling):
    info, hyper = sampling
    names = info.oracles(hyper)

    def trying(name, function):
        def tried(X, alpha, sigma):
            with pytest.raises(ValueError, match="read-only"):
                X[0] = 7.0
            return function(X, alpha=alpha, sigma=sigma)

        return tried

    assert_same(draw(own(names, trying), info, hyper), draw(own(names), info, hyper))


def writing(X, alpha, sigma):
    X -= 1.0
    return X


def test_a_score_function_that_writes_to_the_particles_is_told_so(sampler):
    with pytest.warns(UserWarning, match="score writes to its argument: let it work on a copy of x"):
        history = draw(own(sampler.oracles(), score=writing), sampler, {})
    assert history.status == "breakdown" and np.all(np.isfinite(history.x))


def test_one_seed_is_one_history_and_another_is_another(sampling):
    """Another seed is another history if anything was drawn; and it is drawn from the generator given, no other."""
    info, hyper = sampling
    x, everywhere = start(info, hyper), np.random.get_state()[1].copy()
    one, same, other = (draw(law(), info, hyper, x, seed=seed) for seed in (3, 3, 4))
    assert_same(one, same)
    assert ("seed" in one.hyper) == ("rng" in inspect.signature(info.function).parameters)
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    for _ in begin(PLANE, info, hyper, x, rng):
        pass
    assert np.any(one.x != other.x) == (rng.bit_generator.state != before)
    np.testing.assert_array_equal(np.random.get_state()[1], everywhere)


def test_the_start_is_drawn_from_the_seed(sampler):
    one, same, other = (
        so.sample(PLANE, sampler.name, particles=4, seed=seed, keep="x", **options(sampler, {}, 1))
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one["x"][0], same["x"][0])
    assert np.all(one["x"][0] != other["x"][0])


def test_needs_are_enough_and_all_used(sampling, sound):
    info, hyper = sampling
    names = info.oracles(hyper)
    assert set(names) <= set(LAW)
    history = draw(own(names), info, hyper)
    sound(history)
    assert history.status == fine(info)
    assert {name for name, calls in history.oracle.items() if calls} == set(names)
    np.testing.assert_array_equal(history.x, draw(PLANE, info, hyper).x)


def test_missing_oracle(sampling):
    info, hyper = sampling
    for name in info.oracles(hyper):
        left = [n for n in LAW if n != name]
        with pytest.raises(ValueError, match=rf"{info.name} needs .*Missing: {name} \(.*gaussian_mixture"):
            draw(own(left), info, hyper)


def test_iterates_are_of_the_problem_asked(sampling):
    """A problem wrapped by the caller is counted in the caller's own ledger."""
    info, hyper = sampling
    ledger = Ledger(PLANE, start(info, hyper), particles=True)
    rows = list(begin(ledger, info, hyper, None))
    assert ledger.counts["score"] > 0
    np.testing.assert_array_equal(rows[-1].x, list(begin(PLANE, info, hyper, start(info, hyper)))[-1].x)


def test_particles_of_one_step_at_a_time_are_those_of_a_run(sampling):
    """The last row of the generator is the history's x."""
    info, hyper = sampling
    seen = []
    history = draw(PLANE, info, hyper, keep="x", callback=lambda it: seen.append(it.x))
    np.testing.assert_array_equal(history["x"], np.stack(seen))
    np.testing.assert_array_equal(history["x"][-1], history.x)


# --------------------------------------------------------------------------------------------------------------- arrays


def test_array_api_strict_gives_what_numpy_gives(sampling):
    info, hyper = sampling
    strict = so.to_device(PLANE, "array_api_strict")
    x = start(info, hyper)
    walks = (
        begin(PLANE, info, hyper, x),
        begin(strict, info, hyper, strict.means.__array_namespace__().asarray(x)),
    )
    rows = 0
    for ours, theirs in zip(*walks, strict=True):
        rows += 1
        assert all(type(a) is type(strict.x0) for a in parts(theirs).values())
        assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-12, abs=1e-14)
        assert parts(ours).keys() == parts(theirs).keys()
        for name, value in parts(ours).items():
            np.testing.assert_allclose(to_numpy(parts(theirs)[name]), value, rtol=1e-12, atol=1e-12, err_msg=name)
    assert rows > STEPS


def test_float32_stays_float32(sampling, sound):
    """And ends near the float64 run, where nothing magnifies rounding."""
    info, hyper = sampling
    single = so.to_device(PLANE, "numpy", dtype="float32")
    x = start(info, hyper).astype(np.float32)
    for iterate in begin(single, info, hyper, x):
        kinds = {name: a.dtype.name for name, a in parts(iterate).items() if a.dtype.kind == "f"}
        assert set(kinds.values()) == {"float32"}, kinds
    history = draw(single, info, hyper, x)
    sound(history)
    assert history.status == fine(info) and history.x.dtype == np.float32
    mixed = draw(own(info.oracles(hyper)), info, hyper, x)
    assert mixed.x.dtype == np.float32, "the answers of a float64 score are converted"


def test_the_start_is_drawn_in_the_precision_of_the_law(sampler):
    single = so.to_device(PLANE, "numpy", dtype="float32")
    history = so.sample(single, sampler.name, particles=4, **options(sampler, {}, 2))
    assert history.x.dtype == np.float32 and history.x.shape == (4, 2)


# ------------------------------------------------------------------------------------------------ before the first step

STARTS = {
    "vector": ([1.0, 2.0], ValueError, r"x must have shape \(n, 2\), a particle in each row; got \(2,\)"),
    "number": (3.0, ValueError, r"x must have shape \(n, 2\)"),
    "three axes": (np.ones((2, 2, 2)), ValueError, r"x must have shape \(n, 2\).*\(2, 2, 2\)"),
    "wrong width": (np.ones((4, 3)), ValueError, r"x must have shape \(n, 2\).*\(4, 3\)"),
    "no particles": (np.ones((0, 2)), ValueError, r"x must have shape \(n, 2\).*\(0, 2\)"),
    "no columns": (np.ones((2, 0)), ValueError, r"x must have shape \(n, 2\).*\(2, 0\)"),
    "empty": ([], ValueError, r"x must have shape \(n, 2\)"),
    "NaN": ([[1.0, NAN]], ValueError, "x must be finite"),
    "infinite": ([[1.0, INF]], ValueError, "x must be finite"),
    "complex": ([[1j, 1.0]], TypeError, "x must be real; got dtype complex128"),
    "text": ("cloud", ValueError, r"x must have shape \(n, 2\)"),
    "strings": ([["1", "2"]], TypeError, "x must hold float32 or float64"),
    "with None": ([[1.0, None]], TypeError, "x must hold a particle in each row, of real numbers"),
    "ragged": ([[1.0, 2.0], [1.0]], ValueError, "x must hold a particle in each row"),
    "float16": (
        np.ones((2, 2), dtype=np.float16),
        TypeError,
        "x must hold float32 or float64 numbers; got dtype float16",
    ),
}


@pytest.mark.parametrize(("x", "error", "message"), STARTS.values(), ids=STARTS)
def test_start(sampler, x, error, message):
    with pytest.raises(error, match=message):
        so.sample(PLANE, sampler.name, x, **options(sampler, {}))
    with pytest.raises(error, match=message):
        find(sampler.name)(PLANE, x)


ACCEPTED = {
    "integers": np.asarray([[3, -2], [1, 0]]),
    "lists": [[3, -2], [1, 0]],
    "tuples": ((3.0, -2.0), (1.0, 0.0)),
    "not contiguous": np.asarray([[3.0, 9.0, -2.0, 9.0], [1.0, 9.0, 0.0, 9.0]])[:, ::2],
    "transposed": np.asarray([[3.0, 1.0], [-2.0, 0.0]]).T,
    "read-only": np.broadcast_to(np.asarray([3.0, -2.0]), (2, 2)),
}


@pytest.mark.parametrize("x", ACCEPTED.values(), ids=ACCEPTED)
def test_start_is_converted(sampler, x, sound):
    history = draw(PLANE, sampler, {}, x, keep="x")
    sound(history)
    assert history.x.dtype == np.float64
    np.testing.assert_array_equal(history["x"][0], np.asarray(x, dtype=float))


NOWHERE = so.Problem(score=PLANE.score, score_hessian=PLANE.score_hessian, log_density=PLANE.log_density)
CALLS = {
    "no dimension": (NOWHERE, {}, ValueError, "x must be given where the problem has no x0"),
    "not a problem": (PLANE.score, {}, TypeError, "problem must be a Problem; got "),
    "no particles": (PLANE, {"particles": 0}, ValueError, "particles must be a whole number of at least 1; got 0"),
    "half a particle": (
        PLANE,
        {"particles": 2.5},
        ValueError,
        "particles must be a whole number of at least 1; got 2.5",
    ),
    "particles in words": (PLANE, {"particles": "ten"}, ValueError, "particles must be a whole number"),
    "negative steps": (PLANE, {"steps": -1}, ValueError, "steps must be a whole number"),
    "fractional steps": (PLANE, {"steps": 2.5}, ValueError, "steps must be a whole number"),
    "steps in words": (PLANE, {"steps": "ten"}, ValueError, "steps must be a whole number.*'ten'"),
    "true steps": (PLANE, {"steps": True}, ValueError, "steps must be a whole number"),
    "NaN steps": (PLANE, {"steps": NAN}, ValueError, "steps must be a whole number"),
    "negative seconds": (PLANE, {"seconds": -1.0}, ValueError, "seconds must be a number of at least 0"),
    "negative seed": (PLANE, {"seed": -1}, ValueError, "seed must be a whole number, at least 0, or None; got -1"),
    "seed in words": (PLANE, {"seed": "first"}, ValueError, "seed must be a whole number"),
    "callback": (PLANE, {"callback": 3}, TypeError, "callback must be a function; got int"),
    "stop": (PLANE, {"stop": "never"}, TypeError, "stop must be a function; got str"),
}


@pytest.mark.parametrize(("problem", "given", "error", "message"), CALLS.values(), ids=CALLS)
def test_call(sampler, problem, given, error, message):
    with pytest.raises(error, match=message):
        so.sample(problem, sampler.name, **given)


GRIDS = {
    "unknown schedule": ({"schedule": "cosine"}, ValueError, "schedule must be one of 'vp', 've', 'flow'; got 'cosine'"),
    "unknown spacing": ({"spacing": "even"}, ValueError, "spacing must be one of .*; got 'even'"),
    "no steps": ({"steps": 0}, ValueError, "steps must be a whole number, at least 1; got 0"),
    "grid of numbers": ({"grid": [3.0, 2.0]}, TypeError, "grid must be a NoiseGrid, as schedules.noise_grid.*; got list"),
    "grid by name": ({"grid": "vp"}, TypeError, "grid must be a NoiseGrid.*; got str"),
    "grid and steps": ({"grid": so.schedules.noise_grid(3), "steps": 3}, ValueError, "grid takes the place of steps"),
    "grid and schedule": ({"grid": so.schedules.noise_grid(3), "schedule": "vp"}, ValueError, "grid takes the place of"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "error", "message"), GRIDS.values(), ids=GRIDS)
def test_noise_levels(sampler, given, error, message):
    if sampler.grid is not None:
        with pytest.raises(error, match=message):
            so.sample(PLANE, sampler.name, **given)
    elif given != {"steps": 0}:
        with pytest.raises(
            ValueError, match=f"{sampler.name} stays at one noise level: it takes no schedule, spacing or"
        ):
            so.sample(PLANE, sampler.name, **given)


def test_hyper_parameter_outside_its_domain(sampler):
    for p in sampler.parameters:
        bad = [NAN, INF, -INF, -1, True, "1", [1.0], 10**400]
        if p.choices or p.kind is bool:
            bad = ["nonsense", 3.5, [1.0]]
        elif p.kind is int:
            bad = [*bad[:-1], 1.5]
        elif p.interval is None or p.interval.contains(-1.0):
            bad.remove(-1)
        if p.interval is not None and not p.interval.contains(0):
            bad += [0]
        bad += [] if p.optional else [None]
        for value in bad:
            with pytest.raises(ValueError, match=rf"^{p.name} must be .*; got "):
                draw(PLANE, sampler, {p.name: value})


def test_unknown_hyper_parameter(sampler):
    with pytest.raises(TypeError, match=rf"{sampler.name} has no hyper-parameter 'temperature_of_the_sun'.*it takes "):
        draw(PLANE, sampler, {"temperature_of_the_sun": 1.0})
    for p in sampler.parameters:
        with pytest.raises(TypeError, match=f"did you mean '{p.name}'"):
            draw(PLANE, sampler, {p.name + "_": p.default})


def test_an_oracle_without_noise_levels_is_told_so(sampler):
    """Before the first step, whatever the noise."""
    for name in sampler.oracles():
        with pytest.raises(TypeError, match=f"{name} must take the keywords alpha and sigma"):
            draw(own(sampler.oracles(), **{name: lambda X: X}), sampler, {})


def test_a_feasible_set_is_not_ignored(sampler):
    problem = so.Problem(**{name: getattr(PLANE, name) for name in LAW}, constraint=so.sets.LinfBall(2, 9.0))
    with pytest.raises(ValueError, match=f"{sampler.name} knows no constraint"):
        draw(problem, sampler, {})


def test_it_is_not_minimised(sampler):
    message = rf"{sampler.name} draws samples, it does not minimise: use sample\(problem, '{sampler.name}', \.\.\.\)"
    with pytest.raises(ValueError, match=message):
        so.minimize(PLANE, sampler.name)
    with pytest.raises(ValueError, match=message):
        so.as_scipy(sampler.name)


# ------------------------------------------------------------------------------------------------------ during the run


def broken(*arguments, **level):
    raise RuntimeError("the simulator fell over")


def spoiled(oracle, bad, after):
    """The true oracle for so many calls, then what ``bad`` makes of its answer."""
    true, calls = getattr(PLANE, oracle), itertools.count()

    def function(X, alpha, sigma):
        return true(X, alpha=alpha, sigma=sigma) if next(calls) < after else bad(true(X, alpha=alpha, sigma=sigma))

    return function


WRONG = {
    "NaN": (lambda a: a * NAN, "diverged", "{} returned a value that is not finite"),
    "one NaN": (
        lambda a: np.where(np.arange(a.size).reshape(a.shape) == 3, NAN, a),
        "diverged",
        "{} returned a value that",
    ),
    "infinite": (lambda a: a + INF, "diverged", "{} returned a value that is not finite"),
    "overflow": (lambda a: a * 1e308 * 1e308, "diverged", "{} returned a value that is not finite"),
    "list": (lambda a: a.tolist(), "breakdown", "{} must return .*got list"),
    "None": (lambda a: None, "breakdown", "{} must return .*got NoneType"),
    "number": (lambda a: 1.0, "breakdown", "{} must return .*got float"),
    "complex": (lambda a: a + 1j, "breakdown", "{} must be real; got dtype complex128"),
    "a particle short": (lambda a: a[:-1], "breakdown", r"{} must return an array of shape \(6.*; got \(5"),
    "one for all": (lambda a: a[:1], "breakdown", r"{} must return an array of shape \(6.*; got \(1"),
    "flat": (lambda a: a.reshape(-1, 1, 1, 1), "breakdown", r"{} must return an array of shape \(6"),
    "raises": (broken, "breakdown", "RuntimeError: the simulator fell over"),
}


@pytest.mark.parametrize("after", [0, 2], ids=["at once", "later"])
@pytest.mark.parametrize(("bad", "status", "message"), WRONG.values(), ids=WRONG)
def test_wrong_answers_are_a_status_that_says_which(sampling, bad, status, message, after, sound):
    info, hyper = sampling
    for name in info.oracles(hyper):
        if name == "log_density" and status == "diverged":
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = draw(own(info.oracles(hyper), **{name: spoiled(name, bad, after)}), info, hyper)
        sound(history)
        assert history.status == status, (name, history)
        assert re.search(message.format(name), history.message), (name, history)
        assert len(history) >= 1 and history.oracle[name] == after + 1
        if status == "breakdown":
            assert any(str(w.message).startswith(f"{info.name} stopped at step {len(history)}") for w in caught)
        else:
            assert not caught


@pytest.mark.parametrize("bad", [NAN, -INF, INF])
def test_where_there_is_no_density_no_particle_goes(sampling, bad, sound):
    """A proposal whose log-density is minus infinity or NaN is rejected; one that is infinite is a mode and is kept."""
    info, hyper = sampling
    if "log_density" in info.oracles(hyper):

        def walled(X, alpha, sigma):
            return np.where(X[:, 0] > 0.0, bad, PLANE.log_density(X, alpha=alpha, sigma=sigma))

        x = start(info, hyper)
        x = np.stack([-np.abs(x[:, 0]), x[:, 1]], axis=1)
        history = so.sample(own(info.oracles(hyper), log_density=walled), info.name, x, steps=30, **hyper)
        sound(history)
        assert history.status == "step_limit"
        assert bad == INF or np.all(history.x[:, 0] <= 0.0)
        lost = so.sample(own(info.oracles(hyper), log_density=walled), info.name, -x, steps=30, **hyper)
        sound(lost)


@pytest.mark.parametrize("after", [0, 3])
def test_control_c_keeps_the_history(sampling, after):
    info, hyper = sampling
    calls = itertools.count()

    def score(X, alpha, sigma):
        if next(calls) == after:
            raise KeyboardInterrupt
        return PLANE.score(X, alpha=alpha, sigma=sigma)

    history = draw(own(info.oracles(hyper), score=score), info, hyper)
    assert history.status == "interrupted" and len(history) >= 1 and np.all(np.isfinite(history.x))
    np.testing.assert_array_equal(history.x, draw(PLANE, info, hyper, keep="x")["x"][len(history) - 1])


def test_a_callback_stops_and_a_rule_may(sampling):
    info, hyper = sampling
    seen = []
    history = draw(PLANE, info, hyper, callback=lambda it: seen.append(it) or len(seen) == 3)
    assert (history.status, len(history)) == ("stopped", 3)
    assert all(isinstance(it, Iterate) for it in seen)
    history = draw(PLANE, info, hyper, stop=lambda row: "time_limit: enough" if row["step"] == 2 else None)
    assert (history.status, history.message, len(history)) == ("time_limit", "enough", 3)


def test_no_time_is_one_row(sampler):
    history = draw(PLANE, sampler, {}, seconds=0.0)
    assert (history.status, len(history)) == ("time_limit", 1)
    np.testing.assert_array_equal(history.x, start(sampler, {}))


def test_no_steps_of_a_chain_is_one_row(sampler):
    if sampler.grid is None:
        history = so.sample(PLANE, sampler.name, start(sampler, {}), steps=0)
        assert (history.status, len(history), history.oracle["score"]) == ("step_limit", 1, 0)


# ------------------------------------------------------------------------------------------------------------- extremes


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("spacing", ["log_snr", "uniform", "quadratic", "edm"])
@pytest.mark.parametrize("schedule", ["vp", "ve", "flow"])
def test_every_noise_grid(sampling, schedule, spacing, steps, sound):
    """In one step too, and to noise zero."""
    info, hyper = sampling
    if info.grid is not None and (hyper.get("base") != "flow" or schedule == "flow"):
        grid = so.schedules.noise_grid(steps, schedule, spacing)
        x = grid.levels[0].sigma * np.random.default_rng(0).standard_normal((PARTICLES, 2))
        history = so.sample(PLANE, info.name, x, grid=grid, **hyper)
        sound(history)
        assert history.status == "finished", history


def test_one_particle_and_one_dimension(sampling, sound):
    info, hyper = sampling
    for problem, n, d in ((PLANE, 1, 2), (LINE, PARTICLES, 1), (LINE, 1, 1)):
        history = draw(problem, info, hyper, start(info, hyper, n, d))
        sound(history)
        assert history.status == fine(info) and history.x.shape == (n, d)


def test_particles_that_coincide(sampling, sound):
    info, hyper = sampling
    history = draw(PLANE, info, hyper, np.ones((PARTICLES, 2)))
    sound(history)
    assert history.status == fine(info)


def test_a_score_of_zero(sampling, sound):
    """A flat density: nothing to divide by."""
    info, hyper = sampling
    flat = {
        "score": lambda X, alpha, sigma: 0.0 * X,
        "score_hessian": lambda X, alpha, sigma: np.zeros((*X.shape, X.shape[1])),
        "log_density": lambda X, alpha, sigma: 0.0 * X[:, 0],
    }
    history = draw(own(info.oracles(hyper), **flat), info, hyper)
    sound(history)
    assert history.status == fine(info), history


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e100])
def test_huge_and_tiny_laws_end_soundly(sampling, scale, sound):
    """The law in another unit of length, so that its score is as much smaller or larger."""
    info, hyper = sampling
    scaled = {
        "score": lambda X, alpha, sigma: PLANE.score(X / scale, alpha=alpha, sigma=sigma / scale) / scale,
        "score_hessian": lambda X, alpha, sigma: (
            PLANE.score_hessian(X / scale, alpha=alpha, sigma=sigma / scale) / scale / scale
        ),
        "log_density": lambda X, alpha, sigma: PLANE.log_density(X / scale, alpha=alpha, sigma=sigma / scale),
    }
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for x in (start(info, hyper), scale * start(info, hyper)):
            history = draw(own(info.oracles(hyper), **scaled), info, hyper, x)
            sound(history)
            assert history.status in {fine(info), "diverged", "breakdown"}


@pytest.mark.parametrize("far", [1e6, 1e60, 1e200])
def test_a_far_start_ends_soundly(sampling, far, sound):
    info, hyper = sampling
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = draw(PLANE, info, hyper, far * start(info, hyper))
    sound(history)
    assert history.status in {fine(info), "diverged"}


def test_rows_do_not_see_each_other(sampling):
    """A particle's path is its own, unless the method is told to look at all of them; and noise is drawn by the row."""
    info, hyper = sampling
    chosen = {**info.defaults(), **hyper}
    shared = "ensemble" in chosen.values() or chosen.get("variance") == "optimal"
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    x = start(info, hyper)
    whole = list(begin(PLANE, info, hyper, x, rng))
    if rng.bit_generator.state == before and not shared:
        order = np.asarray([3, 0, 5])
        some = list(begin(PLANE, info, hyper, x[order]))
        np.testing.assert_allclose(some[-1].x, whole[-1].x[order], rtol=1e-10, atol=1e-12)
