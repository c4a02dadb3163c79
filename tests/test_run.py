"""The loop: what it counts, when it ends, what it keeps, and what reaches the caller whatever happens."""

import contextlib
import inspect
import io
import itertools
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

import secondorder as so
from secondorder.catalogue import count, positive
from secondorder.run import Iterate


def bowl(**changes):
    oracles = {
        "f": lambda x: float(x @ x),
        "grad": lambda x: 2.0 * x,
        "hess": lambda x: 2.0 * np.eye(len(x)),
        **changes,
    }
    return so.Problem(**oracles, x0=[1.0, 2.0], name="bowl")


@so.method(paper="nesterov2018lectures", needs=("grad",))
def scripted(problem, x):
    """Yields everything that an iterate may carry, and ends by itself after four rows."""
    for k in range(4):
        x = x / 2.0
        yield Iterate(
            x, layers=(x, 2.0 * x), word=f"row {k}", good=k % 2 == 0, number=np.float32(k), zero=np.asarray(k)
        )
    return "stalled"


@so.method(paper="nesterov2018lectures", needs=("grad",))
def careless(problem, x):
    """Writes to what it yielded."""
    while True:
        yield Iterate(x)
        x -= 0.1 * problem.grad(x)


# ---------------------------------------------------------------------------------------------------------- iterates


def test_iterates_hold_what_was_given():
    it = Iterate(np.zeros(2), radius=1.5, step=None, layers=(np.ones(1),))
    assert it.radius == 1.5 and "step" not in it and "radius" in it and "layers" in repr(it)
    with pytest.raises(AttributeError, match="this iterate has no 'step'; it has x, radius, layers"):
        it.step  # noqa: B018


@pytest.mark.parametrize("value", [[1.0], {"a": 1}, (1.0, 2.0), {1.0}], ids=str)
def test_iterates_refuse_what_cannot_be_kept(value):
    with pytest.raises(TypeError, match="radius must be a number, a string, an array or a tuple of arrays"):
        Iterate(np.zeros(1), radius=value)


# ------------------------------------------------------------------------------------------------------ counts and rows


def test_steps_give_one_row_more():
    history = so.minimize(bowl(), "gradient_descent", lipschitz=10.0, steps=7, tol=0.0)
    assert (history.status, len(history)) == ("step_limit", 8)


def test_recording_is_not_counted():
    """Fixed-step descent asks for no value; the history shows it all the same."""
    calls = []
    problem = bowl(f=lambda x: calls.append(1) or float(x @ x))
    history = so.minimize(problem, "gradient_descent", lipschitz=10.0, steps=7, tol=0.0)
    assert history.oracle == {"f": 0, "grad": 8, "hess": 0, "hvp": 0}
    assert len(calls) == 8 and np.all(np.diff(history.f) < 0.0)
    np.testing.assert_array_equal(history.cost(), np.arange(1.0, 9.0))


def test_what_a_method_yields_is_not_evaluated_again():
    calls = []
    problem = bowl(grad=lambda x: calls.append(1) or 2.0 * x)
    history = so.minimize(problem, "newton")
    assert len(calls) == history.oracle["grad"] == 2


def test_seconds_are_the_methods_own():
    def slow_value(x):
        time.sleep(0.01)
        return float(x @ x)

    history = so.minimize(bowl(f=slow_value), "gradient_descent", lipschitz=10.0, steps=5, tol=0.0)
    assert history.seconds[-1] < 0.01 and np.all(np.diff(history.seconds) > 0.0)


def test_a_problem_without_values_runs_and_shows():
    problem = so.Problem(grad=lambda x: 2.0 * x, hess=lambda x: 2.0 * np.eye(2), x0=[1.0, 2.0])
    history = so.minimize(problem, "newton", line_search=None)
    assert history.status == "converged" and np.all(np.isnan(history.f))
    assert "<table>" in history._repr_html_()


# -------------------------------------------------------------------------------------------------------- feasible sets


def on_a_triangle(**changes):
    """The least squared distance of the triangle to a point outside."""
    target = np.asarray([1.0, 0.6, -0.2])
    oracles = {"f": lambda x: 0.5 * float((x - target) @ (x - target)), "grad": lambda x: x - target, **changes}
    return so.Problem(**oracles, constraint=so.sets.Simplex(3), name="triangle")


@so.method(paper="beck2017first", needs=("grad", "project"), measure="gap")
def projecting(problem, x):
    """Yields no gap of its own."""
    while True:
        yield Iterate(x)
        x = problem.project(x - 0.5 * problem.grad(x))


def test_the_gap_is_looked_up_off_the_books_where_a_method_has_none():
    calls = []
    triangle = so.sets.Simplex(3)
    problem = on_a_triangle(lmo=lambda grad: calls.append(1) or triangle.lmo(grad))
    history = so.minimize(problem, projecting, keep="x")
    assert history.oracle["lmo"] == 0 and len(calls) == len(history)
    for row in history.rows:
        grad = problem.grad(row["x"])
        assert row["gap"] == float(grad @ (row["x"] - triangle.lmo(grad)))
    assert history.status == "converged" and history["gap"][-1] <= 1e-6 < history["gap"][-2]


def test_one_gradient_serves_its_norm_and_the_gap():
    calls = []
    problem = on_a_triangle(grad=lambda x: calls.append(1) or x - np.asarray([1.0, 0.6, -0.2]))
    history = so.minimize(problem, "zeroth_order_frank_wolfe", steps=5)
    assert history.oracle["grad"] == 0 and len(calls) == len(history) == 6


def test_the_gap_of_a_method_is_not_looked_up_again():
    calls = []
    triangle = so.sets.Simplex(3)
    problem = on_a_triangle(lmo=lambda grad: calls.append(1) or triangle.lmo(grad))
    history = so.minimize(problem, "away_step")
    assert len(calls) == history.oracle["lmo"] == len(history)


def test_the_measure_of_a_constrained_run_is_the_gap():
    """1e-6 by default, and in float32 scaled like any tolerance."""
    assert so.minimize(on_a_triangle(), "away_step").tol == 1e-6
    single = so.minimize(on_a_triangle(), "away_step", np.full(3, 1.0 / 3.0, dtype=np.float32))
    assert single.tol == pytest.approx(1e-6 * 2.0**14.5) and single.status == "converged"
    assert so.minimize(bowl(), "newton").tol == 1e-8
    coarse = so.minimize(on_a_triangle(), "frank_wolfe", tol=1e-2)
    assert coarse.status == "converged" and coarse["gap"][-1] <= 1e-2 < coarse["gap"][-2]
    assert coarse.primal_gap[-1] <= coarse["gap"][-1]


def test_without_a_linear_minimisation_there_is_no_gap_to_look_up():
    triangle = so.sets.Simplex(3)
    problem = so.Problem(lambda x: float(x @ x), lambda x: 2.0 * x, project=triangle.project, x0=[0.0, 0.0, 1.0])
    history = so.minimize(problem, projecting, steps=5)
    assert history.status == "step_limit" and "gap" not in history.names
    np.testing.assert_allclose(history.x, 1.0 / 3.0)


def test_a_gap_may_rise_for_long_before_a_run_is_stalled():
    """The patience is ten times that of another measure; rising, neither the gap nor f makes progress."""

    @so.method(paper="beck2017first", needs=("lmo",), measure="gap")
    def rising(problem, x):
        gap = 1.0
        while True:
            yield Iterate(x, f=0.0, gap=gap)
            gap += 1.0

    history = so.minimize(on_a_triangle(), rising, steps=20_000)
    assert history.status == "stalled" and len(history) == 10_001
    assert history.message.startswith("no new least value of f or of gap in 10000 steps")


def test_a_gap_of_batches_is_looked_at_once_a_gradient():
    @so.method(paper="sahu2019towards", needs=("grad", "lmo"), measure="gap")
    def stochastic(problem, x, *, batch_size: count | None = None, rng=None):
        for batch in problem.batches(batch_size, rng):
            grad = batch.grad(x)
            yield Iterate(x, batch_grad=grad)
            x = 0.9 * x + 0.1 * problem.lmo(grad)

    problem = network()
    problem = problem.subject_to(so.sets.L2Ball(problem.x0.size, 5.0))
    history = so.minimize(problem, stochastic, batch_size=3, steps=9)
    looked = np.flatnonzero(~np.isnan(history["gap"])).tolist()
    assert looked == seen(history) == [0, 4, 8, 9]
    assert history.oracle["lmo"] == 9


def test_the_start_is_looked_at_before_the_first_step():
    with pytest.raises(ValueError, match=r"x0 must lie in Simplex\(3\); it is 1 outside"):
        so.minimize(on_a_triangle(), "frank_wolfe", [1.0, 1.0, 0.0])


def test_comparing_takes_the_gap_into_the_table():
    runs = so.compare(on_a_triangle(), ["frank_wolfe", "away_step"], steps=50)
    for label, row in runs.table().items():
        assert row["gap"] == runs[label]["gap"][-1] and row["lmo_calls"] == len(runs[label])
        assert list(row)[:4] == ["status", "steps", "f", "grad_norm"] and row["gap"] >= 0.0
    assert "gap" not in so.compare(bowl(), ["newton"]).table()["newton"]
    mixed = so.run.Comparison({"on": runs["away_step"], "off": so.minimize(bowl(), "newton")})
    assert np.isnan(mixed.table()["off"]["gap"]) and "<table>" in mixed._repr_html_()


# ------------------------------------------------------------------------------------------------------------- batches


@so.method(paper="nesterov2018lectures", needs=("grad",))
def sgd(problem, x, *, batch_size: count | None = None, learning_rate: positive = 0.1, rng=None):
    """Gradient descent on batches."""
    name = "grad" if batch_size is None else "batch_grad"
    for batch in problem.batches(batch_size, rng):
        grad = batch.grad(x)
        yield Iterate(x, **{name: grad}, step_size=learning_rate)
        x = x - learning_rate * grad


def network(n=12, **options):
    X = np.random.default_rng(0).standard_normal((n, 2))
    return so.problems.mlp((X, np.arange(n) % 2), [2, 3, 2], **options)


def seen(history):
    return np.flatnonzero(~np.isnan(history.f)).tolist()


def test_a_batch_counts_as_its_share():
    history = so.minimize(network(), sgd, batch_size=3, steps=10)
    assert history.oracle["grad"] == 11 * 0.25
    np.testing.assert_array_equal(history.counts["grad"], 0.25 * np.arange(1, 12))
    signals = so.minimize(network(), "natural_gradient", batch_size=3, fisher="monte_carlo", samples=5, steps=2)
    assert signals.oracle["signals"] == 2 * 5 * 0.25


@pytest.mark.parametrize(("batch_size", "every"), [(3, 4), (5, 3), (6, 2), (11, 2), (12, 1), (100, 1)])
def test_a_run_on_batches_is_looked_at_once_a_gradient(batch_size, every):
    """At the start, whenever a gradient-equivalent was spent since the last look, and at the end."""
    calls = []
    problem = network()
    value = problem.f
    problem.f = lambda x: calls.append(1) or value(x)
    history = so.minimize(problem, sgd, batch_size=batch_size, steps=9)
    assert history.status == "step_limit" and len(history) == 10
    assert seen(history) == sorted({*range(0, 10, every), 9})
    assert len(calls) == len(seen(history))
    np.testing.assert_array_equal(np.isnan(history.f), np.isnan(history.grad_norm))
    assert np.all(history["step_size"] == 0.1), "what costs nothing is in every row"


def test_on_all_of_the_data_every_row_is_complete():
    history = so.minimize(network(), sgd, steps=9)
    assert seen(history) == list(range(10)) and "grad_norm" in history.rows[4]


def test_the_whole_as_a_batch_is_the_whole():
    whole = so.minimize(network(), sgd, steps=9)
    for size in (12, 13):
        history = so.minimize(network(), sgd, batch_size=size, steps=9)
        np.testing.assert_array_equal(history.f, whole.f)
        assert history.oracle == whole.oracle


def test_the_values_seen_are_those_of_all_the_data():
    problem = network()
    history = so.minimize(problem, sgd, batch_size=5, steps=8, keep="x")
    for row in history.rows:
        if "f" in row:
            assert row["f"] == float(problem.f(row["x"]))
            assert row["grad_norm"] == pytest.approx(np.linalg.norm(problem.grad(row["x"])), rel=1e-14)
    assert history["x"].shape == (9, problem.x0.size)
    kept = so.minimize(problem, sgd, batch_size=5, steps=8, keep="batch_grad")["batch_grad"]
    batch = next(problem.batches(5, np.random.default_rng(0)))
    np.testing.assert_array_equal(kept[0], batch.grad(problem.x0))


def test_one_seed_is_one_history_and_another_is_another():
    one, same, other = (so.minimize(network(), sgd, batch_size=5, steps=8, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.x, same.x)
    assert np.any(one.x != other.x)


def test_the_seed_is_on_record_where_there_is_one():
    assert so.minimize(network(), sgd, seed=3, steps=1).hyper == {"batch_size": None, "learning_rate": 0.1, "seed": 3}
    assert "seed" not in so.minimize(bowl(), "newton", seed=3).hyper


def test_a_batch_run_converges_in_a_row_that_was_looked_at():
    problem = network(l2=1.0)
    start = so.minimize(problem, "newton").x
    history = so.minimize(problem, sgd, start, batch_size=3)
    assert (history.status, len(history)) == ("converged", 1)
    history = so.minimize(problem, sgd, batch_size=11, tol=0.05)
    assert history.status == "converged" and not np.isnan(history.grad_norm[-1])


@pytest.mark.parametrize("end", ["callback", "interrupt", "ends", "breaks", "NaN", "overflow", "time"])
def test_however_it_ends_the_last_row_is_complete(end):
    """After 6 rows of a quarter each, the last not looked at before."""

    @so.method(paper="nesterov2018lectures", needs=("grad",))
    def ending(problem, x, *, batch_size: count | None = 3, rng=None):
        for k, batch in enumerate(problem.batches(batch_size, rng)):
            if k == 6 and end == "ends":
                return "stalled"
            if k == 6 and end == "breaks":
                raise np.linalg.LinAlgError("singular")
            if k == 6 and end == "interrupt":
                raise KeyboardInterrupt
            grad = batch.grad(x)
            if k == 6 and end in ("NaN", "overflow"):
                x = x * (np.nan if end == "NaN" else np.inf)
            yield Iterate(x, batch_grad=grad)
            x = x - 0.01 * grad

    rows = []
    options = {"callback": lambda it: rows.append(it) or len(rows) == 6} if end == "callback" else {}
    if end == "time":
        options = {"stop": lambda row: "time_limit" if row["step"] == 5 else None}
    history = so.minimize(network(), ending, batch_size=3, keep="x", **options)
    status = {"callback": "stopped", "interrupt": "interrupted", "ends": "stalled", "breaks": "breakdown",
              "time": "time_limit"}.get(end, "diverged")  # fmt: skip
    assert (history.status, len(history)) == (status, 6)
    assert history.f[-1] == float(network().f(history.x)) and not np.isnan(history.grad_norm[-1])
    np.testing.assert_array_equal(history.rows[-1]["x"], history.x)


@pytest.mark.parametrize("steps", [2, 200])
def test_a_value_that_is_infinite_where_it_is_looked_at_is_a_divergence(steps):
    """x is finite all the time. Looked at in rows 0, 4, … and the last, which may be the first that is infinite; when a
    row is refused for it, the one before, not looked at yet, is."""
    problem = network()
    value, start, rows = problem.f, problem.x0, 1 if steps == 2 else 3
    far = [it.x for it in itertools.islice(sgd(network(), batch_size=3, rng=np.random.default_rng(0)), 5)][rows]
    problem.f = lambda x: value(x) if np.linalg.norm(x - start) <= np.linalg.norm(far - start) else float("inf")
    history = so.minimize(problem, sgd, batch_size=3, steps=steps)
    assert history.status == "diverged" and "f is inf" in history.message
    assert len(history) == (3 if steps == 2 else 4)
    if steps == 200:
        assert history.f[-1] == value(history.x) and "grad_norm" in history.rows[-1]


def test_batch_runs_are_not_stalled_by_noise():
    history = so.minimize(network(), sgd, batch_size=1, learning_rate=1e-9, steps=1500, tol=0.0)
    assert history.status == "step_limit"


# ---------------------------------------------------------------------------------------------------------------- keep


def test_keep_keeps_copies_of_arrays():
    history = so.minimize(bowl(), scripted, keep=("x", "layers"))
    np.testing.assert_array_equal(history["x"][:, 0], 0.5 ** np.arange(1.0, 5.0))
    assert isinstance(history["layers"][2], tuple)
    np.testing.assert_array_equal(history["layers"][2][1], [0.25, 0.5])
    assert "layers" not in so.minimize(bowl(), scripted).names


def test_keep_takes_one_name():
    assert so.minimize(bowl(), "newton", keep="step")["step"][0] is None


def test_scalars_are_recorded_without_asking():
    history = so.minimize(bowl(), scripted)
    assert history["word"].tolist() == [f"row {k}" for k in range(4)]
    assert history["good"].tolist() == [True, False, True, False]
    assert history["number"].tolist() == history["zero"].tolist() == [0.0, 1.0, 2.0, 3.0]


# ------------------------------------------------------------------------------------------------------------- endings


def test_a_method_may_end_by_itself():
    history = so.minimize(bowl(), scripted)
    assert (history.status, len(history)) == ("stalled", 4)


def test_a_true_answer_of_the_callback_stops():
    seen = []
    history = so.minimize(
        bowl(), "gradient_descent", lipschitz=10.0, callback=lambda it: seen.append(it.x) or len(seen) == 3
    )
    assert (history.status, len(history)) == ("stopped", 3)
    np.testing.assert_array_equal(history.x, seen[-1])


@pytest.mark.parametrize("where", ["f", "grad", "callback"])
def test_control_c_returns_the_history_so_far(where):
    calls = itertools.count(1)

    def interrupt(answer):
        if next(calls) == 4:
            raise KeyboardInterrupt
        return answer

    changes = {"f": {"f": lambda x: interrupt(float(x @ x))}, "grad": {"grad": lambda x: interrupt(2.0 * x)}}
    callback = (lambda it: interrupt(False)) if where == "callback" else None
    history = so.minimize(bowl(**changes.get(where, {})), "gradient_descent", lipschitz=10.0, callback=callback)
    assert history.status == "interrupted" and len(history) in (3, 4)
    assert all({"f", "grad_norm", "seconds", "#grad"} <= row.keys() for row in history.rows), "only whole rows"
    np.testing.assert_allclose(float(history.x @ history.x), history.f[-1])


def test_control_c_before_the_first_row_still_returns_something_to_look_at(tmp_path):
    def interrupted(x):
        raise KeyboardInterrupt

    history = so.minimize(bowl(grad=interrupted), "newton")
    assert (history.status, len(history)) == ("interrupted", 0)
    assert history.oracle["grad"] == 1 and len(history.f) == 0
    assert "no rows" in repr(history) and "<table>" in history._repr_html_()
    history.save(tmp_path / "run.npz")
    assert so.History.load(tmp_path / "run.npz").status == "interrupted"


def test_control_c_ends_a_comparison_with_the_runs_so_far():
    calls = itertools.count()

    def value(x):
        if next(calls) > 20:
            raise KeyboardInterrupt
        return float(x @ x)

    runs = so.compare(
        bowl(f=value), {"a": ("newton", {}), "b": ("gradient_descent", {"lipschitz": 90.0}), "c": ("newton", {})}
    )
    assert [h.status for h in runs.values()] == ["converged", "interrupted"]


def test_a_method_that_writes_to_its_iterate_is_told_so():
    with pytest.warns(UserWarning, match="careless stopped at step 1: .*write x = x [+] step, not x [+]= step"):
        history = so.minimize(bowl(), careless)
    assert (history.status, len(history)) == ("breakdown", 1)


def test_a_callback_that_fails_keeps_the_history():
    def callback(iterate):
        raise RuntimeError("the plot window is gone")

    with pytest.raises(RuntimeError, match="the plot window is gone") as failure:
        so.minimize(bowl(), "newton", callback=callback)
    assert len(failure.value.history) == 1 and ".history" in failure.value.__notes__[0]


def test_a_callback_may_stop_as_scipys_do():
    def callback(iterate):
        raise StopIteration

    assert so.minimize(bowl(), "newton", callback=callback).status == "stopped"


def test_a_stopping_rule_answers_a_status():
    with pytest.raises(TypeError, match="a stopping rule answers a status or None; got True"):
        so.minimize(bowl(), "newton", stop=lambda row: True)
    history = so.minimize(bowl(), "newton", stop=lambda row: "stalled: enough seen")
    assert (history.status, history.message) == ("stalled", "enough seen")


def test_a_constant_added_to_f_does_not_spoil_the_search():
    """Within rounding of f the gradients judge: 1 + f converges like f."""
    plain, raised = (
        so.Problem(
            lambda x, c=c: c + float(x[0] ** 2 + 10 * x[1] ** 2) / 2,
            lambda x: x * np.asarray([1.0, 10.0]),
            x0=[3.0, 1.0],
        )
        for c in (0.0, 1.0)
    )
    steps = [len(so.minimize(p, "gradient_descent")) for p in (plain, raised)]
    assert so.minimize(raised, "gradient_descent").status == "converged" and steps[1] <= 3 * steps[0]


def test_compare_says_what_it_takes():
    with pytest.raises(TypeError, match="a list of names"):
        so.compare(bowl(), "newton")
    with pytest.raises(ValueError, match="must differ in name"):
        so.compare(bowl(), ["newton", "newton"])
    assert list(so.compare(bowl(), {"a": "newton"})) == ["a"]


def test_a_name_in_keep_that_is_never_seen_is_said():
    with pytest.warns(UserWarning, match="has no stp; on record are"):
        so.minimize(bowl(), "newton", keep="stp")


def test_overflow_in_the_users_function_is_a_status_not_a_warning():
    problem = so.Problem(lambda x: float(np.exp(x[0] ** 2)), lambda x: 2.0 * x * np.exp(x**2), x0=[5.0], name="steep")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = so.minimize(problem, "gradient_descent", lipschitz=1e-3)
    assert history.status == "diverged" and history.message
    assert np.all(np.isfinite(history.x)) and np.all(np.isfinite(history.f))


# --------------------------------------------------------------------------------------------------------- progress bar


def slow_run(progress):
    """A run of a little over two seconds, and what it wrote to stderr."""

    def grad(x):
        time.sleep(0.1)
        return 2.0 * x

    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        history = so.minimize(bowl(grad=grad), "gradient_descent", lipschitz=1e3, steps=23, progress=progress)
    assert len(history) == 24
    return stderr.getvalue()


def test_progress_appears_after_two_seconds_when_asked():
    written = slow_run(True)
    assert "gradient_descent" in written and "/23" in written


def test_no_progress_off_a_terminal_by_default():
    assert slow_run(None) == ""


def test_no_progress_for_a_short_run(capsys):
    so.minimize(bowl(), "newton", progress=True)
    assert capsys.readouterr().err.strip() == ""


# -------------------------------------------------------------------------------------------------------------- compare


def test_compare_labels_and_tabulates():
    problem = so.problems.rosenbrock()
    runs = so.compare(
        problem, {"m = 1": ("lazy_newton", {"period": 1}), "m = 3": ("lazy_newton", {"period": 9})}, steps=20
    )
    assert list(runs) == ["m = 1", "m = 3"] and all(len(h) == 21 for h in runs.values())
    table = runs.table()
    assert table["m = 1"]["hess_calls"] > table["m = 3"]["hess_calls"] and "hvp_calls" not in table["m = 1"]
    assert list(runs.to_frame().index) == list(runs)


def test_compare_passes_options_and_takes_functions():
    runs = so.compare(so.problems.rosenbrock(), [so.newton.newton, "cubic_newton"], [0.5, 0.5], tol=1e-3)
    assert list(runs) == ["newton", "cubic_newton"] and all(h.tol == 1e-3 for h in runs.values())


# --------------------------------------------------------------------------------------------------------------- import


def test_import_is_light():
    heavy = ("matplotlib", "autograd", "scipy", "sklearn", "anywidget", "pandas", "IPython", "cupy", "jupyterlab")
    code = (
        f"import sys, secondorder; print(*sorted({{name.partition('.')[0] for name in sys.modules}} & {set(heavy)!r}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""
    code = "import sys, secondorder as so; so.problems.rosenbrock(); print('secondorder.newton.newton' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False", "families are imported when first asked for"


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'quasi'"):
        so.quasi  # noqa: B018
    assert {"newton", "problems", "plots", "minimize"} <= set(dir(so))


# --------------------------------------------------------------------------------------------------------------- sample


LAW = so.problems.gaussian_mixture()


@so.method(paper="roberts1996exponential", needs=("score",), kind="sampler")
def climbing(problem, x, *, step_size: positive = 0.1):
    """A chain of one's own, that draws nothing."""
    while True:
        yield Iterate(x, quadratic=float(np.sum(x * x)))
        x = x + step_size * problem.score(x)


@so.method(paper="song2021denoising", needs=("score",), kind="sampler", grid=("ve", "edm"))
def euler(problem, x, *, grid, rng):
    """A walk of one's own through noise levels, that draws."""
    yield Iterate(x, sigma=grid.levels[0].sigma)
    for s, t in grid.steps:
        x = x + (s.sigma - t.sigma) * s.sigma * problem.score(x, *s) + 1e-3 * rng.standard_normal(x.shape)
        yield Iterate(x, sigma=t.sigma)
    return "finished: clean"


def test_a_chain_ends_at_its_steps_and_a_walk_at_the_end_of_its_levels():
    chain = so.sample(LAW, climbing, particles=5)
    assert (chain.status, len(chain), chain.oracle["score"]) == ("step_limit", 1001, 1000)
    assert len(so.sample(LAW, climbing, particles=5, steps=7)) == 8
    walk = so.sample(LAW, euler, particles=5)
    assert (walk.status, walk.message, len(walk), walk.oracle["score"]) == ("finished", "clean", 21, 20)
    levels = so.schedules.noise_grid(20, "ve", "edm").levels
    np.testing.assert_array_equal(walk["sigma"], [level.sigma for level in levels])


def test_schedule_spacing_and_steps_make_the_grid_or_it_is_given():
    one = so.sample(LAW, euler, particles=5, steps=4, schedule="flow", spacing="uniform")
    grid = so.schedules.noise_grid(4, "flow", "uniform")
    other = so.sample(LAW, euler, particles=5, grid=grid)
    np.testing.assert_array_equal(one["sigma"], [level.sigma for level in grid.levels])
    np.testing.assert_array_equal(one.x, other.x)


@pytest.mark.parametrize("given", [{"steps": 4}, {"schedule": "ve"}, {"spacing": "edm"}])
def test_a_grid_is_given_alone(given):
    with pytest.raises(ValueError, match="grid takes the place of steps, schedule and spacing: give it alone"):
        so.sample(LAW, euler, grid=so.schedules.noise_grid(4), **given)


def test_no_steps_through_noise_levels_is_an_error_and_of_a_chain_one_row():
    with pytest.raises(ValueError, match="steps must be a whole number, at least 1; got 0"):
        so.sample(LAW, euler, steps=0)
    assert len(so.sample(LAW, climbing, steps=0)) == 1


def test_the_start_is_normal_times_the_first_noise():
    """Standard deviations of 20 000 numbers: within 5 standard errors."""
    for method, scale in ((climbing, 1.0), (euler, 80.0)):
        x = so.sample(LAW, method, particles=10_000, seconds=0.0).x
        assert x.shape == (10_000, 2)
        assert abs(np.std(x) / scale - 1.0) < 5.0 / np.sqrt(2 * 20_000) and abs(np.mean(x)) < 5.0 * scale / np.sqrt(
            20_000
        )


def test_start_and_walk_draw_from_streams_of_their_own():
    """The draws of a walk are the same whether or not the start was drawn, and other than those of the start."""
    drawn = so.sample(LAW, euler, particles=6, steps=3, keep="x")
    given = so.sample(LAW, euler, drawn["x"][0], steps=3)
    np.testing.assert_array_equal(given.x, drawn.x)
    start, walk = np.random.default_rng(0).spawn(2)
    np.testing.assert_array_equal(drawn["x"][0], 80.0 * start.standard_normal((6, 2)))
    assert np.all(walk.standard_normal((6, 2)) != drawn["x"][0] / 80.0)


def test_no_seed_is_another_run_each_time():
    one, other = (so.sample(LAW, euler, particles=3, steps=2, seed=None).x for _ in range(2))
    assert np.all(one != other)


def test_particles_are_never_looked_at():
    """A mixture has value and gradient of a point; a cloud has not, and nothing is spent on it."""
    calls = []
    law = so.Problem(score=LAW.score, f=lambda x: calls.append(1), grad=lambda x: calls.append(1), x0=[0.0, 0.0])
    history = so.sample(law, climbing, particles=4, steps=3)
    assert not calls and "f" not in history.names and "grad_norm" not in history.names
    assert history.oracle == {"f": 0, "grad": 0, "hess": 0, "hvp": 0, "score": 3}
    assert len(history["quadratic"]) == 4 and history.cost()[-1] == 3.0


def test_the_law_is_asked_at_the_level_and_once_for_all():
    asked = []

    def score(X, alpha, sigma):
        asked.append((X.shape, alpha, sigma))
        return -X

    grid = so.schedules.NoiseGrid([(0.5, 2.0), (0.8, 0.5), (1.0, 0.0)])
    so.sample(so.Problem(score=score, x0=[0.0]), "ddim", particles=9, grid=grid)
    assert asked == [((9, 1), 0.5, 2.0), ((9, 1), 0.8, 0.5)]


def test_kinds_are_not_confused():
    with pytest.raises(
        ValueError, match=r"climbing draws samples, it does not minimise: use sample\(problem, 'climbing', "
    ):
        so.minimize(LAW, climbing)
    with pytest.raises(ValueError, match=r"newton minimises, it draws no samples: use minimize\(problem, 'newton', "):
        so.sample(LAW, "newton")
    with pytest.raises(ValueError, match="methods must be all optimisers or all samplers"):
        so.compare(LAW, ["newton", "ddim"])
    with pytest.raises(ValueError, match="ddim draws samples"):
        so.as_scipy("ddim")
    with pytest.raises(
        ValueError, match=r"ddim needs score; problem 'bowl' offers .*Missing: score .*gaussian_mixture"
    ):
        so.sample(bowl(), "ddim")


def test_a_copy_of_a_sampler_runs_beside_it_and_is_not_listed():
    listed = [info.name for info in so.methods()]
    code = inspect.getsource(inspect.unwrap(so.sampling.ddim)).replace("t.alpha * data", "0.9 * t.alpha * data")
    cell = vars(sys.modules[so.sampling.ddim.__module__]) | {"__name__": "__main__"}
    exec(compile(code, "cell", "exec"), cell)
    runs = so.compare(LAW, {"library": "ddim", "your ddim": cell["ddim"]}, particles=20)
    assert np.mean(runs["your ddim"].x ** 2) < np.mean(runs["library"].x ** 2)
    assert [info.name for info in so.methods()] == listed and so.sampling.ddim.method.function is not cell["ddim"]


@pytest.mark.parametrize(("grid", "takes"), [(None, True), (("vp", "log_snr"), False)])
def test_a_method_that_takes_a_grid_names_one(grid, takes):
    def without(problem, x):
        yield Iterate(x)

    def with_one(problem, x, *, grid):
        yield Iterate(x)

    with pytest.raises(TypeError, match="must take the keyword grid, and name its noise levels in @method"):
        so.method(paper="song2021denoising", needs=("score",), kind="sampler", grid=grid)(
            with_one if takes else without
        )


def test_a_walk_by_hand_has_twenty_steps():
    rows = list(euler(LAW, [[1.0, 2.0]], rng=np.random.default_rng(0)))
    assert len(rows) == 21 and rows[0].sigma == 80.0
    with pytest.raises(
        TypeError, match=r"grid must be a NoiseGrid, as schedules\.noise_grid\(20\) gives, or .*; got int"
    ):
        euler(LAW, [[1.0, 2.0]], grid=20, rng=np.random.default_rng(0))


def test_samplers_are_compared_from_one_start():
    X = np.random.default_rng(0).standard_normal((7, 2))
    for runs in (
        so.compare(LAW, ["ddim", "langevin"], X, steps=5),
        so.compare(LAW, ["ddim", "langevin"], x=X, steps=5),
    ):
        assert [len(h) for h in runs.values()] == [6, 6] and all(h.particles == 7 for h in runs.values())
    alike = so.compare(LAW, {"a": "ddim", "b": ("ddim", {"steps": 5})}, particles=7, seed=3, steps=9)
    assert [len(h) for h in alike.values()] == [10, 6]
    one, other = so.compare(LAW, {"a": "ddim", "b": "dpm_solver"}, particles=7, keep="x").values()
    np.testing.assert_array_equal(one["x"][0], other["x"][0])


def test_the_table_of_samplers_has_particles_and_distance():
    runs = so.compare(LAW, ["ddim", "langevin"], particles=50, steps=5)
    for label, row in runs.table().items():
        assert list(row) == [
            "status", "steps", "particles", "sliced_wasserstein", "sliced_wasserstein_floor", "score_calls",
            "gradient-equivalents", "seconds",
        ]  # fmt: skip
        assert row["particles"] == 50 and row["score_calls"] == 5
        assert row["sliced_wasserstein"] == runs[label].optimality["sliced_wasserstein"]
    assert list(runs.to_frame().index) == ["ddim", "langevin"] and "<table>" in runs._repr_html_()
    unknown = so.compare(so.Problem(score=LAW.score, x0=LAW.x0), ["ddim"], particles=5)
    assert "sliced_wasserstein" not in unknown.table()["ddim"] and "f" not in unknown.table()["ddim"]
    mixed = so.Comparison({"cloud": runs["ddim"], "point": so.minimize(LAW, "trust_region")})
    assert {"f", "particles"} <= set(mixed.to_frame().columns) and "<table>" in mixed._repr_html_()


def test_a_norm_that_overflows_is_no_divergence():
    law = so.Problem(score=lambda X, alpha, sigma: 0.0 * X, x0=[0.0, 0.0])
    assert so.sample(law, climbing, [[1e200, -1e300]], steps=3).status == "step_limit"
    law = so.Problem(score=lambda X, alpha, sigma: X, x0=[0.0, 0.0])
    history = so.sample(law, climbing, [[1.0, -1e300]], step_size=1e4)
    assert (history.status, history.message) == ("diverged", "x is not finite") and np.all(np.isfinite(history.x))


def test_a_sampler_shows_its_progress():
    @so.method(paper="song2021denoising", needs=("score",), kind="sampler", grid=("vp", "log_snr"))
    def slow(problem, x, *, grid):
        for level in grid.levels:
            time.sleep(0.1)
            yield Iterate(x, sigma=level.sigma)
        return "finished"

    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        so.sample(LAW, slow, particles=2, steps=22, progress=True)
    assert "slow" in stderr.getvalue() and "/22" in stderr.getvalue()


def test_a_warning_points_at_the_callers_line():
    def score(X, alpha, sigma):
        raise RuntimeError("the simulator fell over")

    with pytest.warns(UserWarning, match="ddim stopped at step 1: RuntimeError: the simulator fell over") as caught:
        so.sample(so.Problem(score=score, x0=[0.0]), "ddim", particles=3)
    assert [w.filename for w in caught] == [__file__]
    with pytest.warns(UserWarning, match="keep: ddim has no temperature; on record are alpha, sigma") as caught:
        so.sample(LAW, "ddim", particles=3, keep="temperature")
    assert [w.filename for w in caught] == [__file__]
