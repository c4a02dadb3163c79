"""Histories: columns, costs, optimality, files, and how a notebook shows them."""

import io
import json
import re
import zipfile

import numpy as np
import pytest

import secondorder as so
from secondorder.run import Iterate


@so.method(paper="nesterov2018lectures", needs=("grad",))
def motley(problem, x):
    """Yields every kind of quantity."""
    for k in range(3):
        x = x / 2.0
        extra = {"late": float(k)} if k else {}
        yield Iterate(x, layers=(x, np.eye(2) * k), word=f"row {k}", good=k == 1, bad=float("nan"), whole=k, **extra)


@pytest.fixture
def history():
    return so.minimize(so.problems.rosenbrock(), "cubic_newton", keep=("x", "step"))


@pytest.fixture
def mixed():
    return so.minimize(so.problems.quadratic([1.0, 4.0]), motley, keep=("x", "layers"))


@pytest.fixture
def constrained():
    problem = so.problems.quadratic([1.0, 4.0, 9.0]).subject_to(so.sets.Simplex(3))
    return so.minimize(problem, "away_step", keep=("x", "atoms"))


# ------------------------------------------------------------------------------------------------------------- columns


def test_columns_have_one_entry_a_row(history, mixed):
    for h in (history, mixed):
        assert all(len(h[name]) == len(h) for name in h.names)
        assert {"f", "grad_norm", "seconds"} <= set(h.names)


def test_columns_have_holes_where_a_row_has_no_entry(mixed, history):
    np.testing.assert_array_equal(mixed["late"], [np.nan, 1.0, 2.0])
    assert history["step"][0] is None and history["step"][1].shape == (2,)
    assert history["x"].shape == (len(history), 2)


def test_an_unknown_column_lists_those_on_record(history):
    with pytest.raises(KeyError, match=r"'radios' is not on record; there are f, grad_norm, .*arrays only with keep="):
        history["radios"]


def test_gap_is_above_the_least_value_or_the_best_of_the_run(history):
    np.testing.assert_array_equal(history.primal_gap, history.f)
    unknown = so.minimize(so.problems.ill_scaled_logistic(n=30, d=3), "newton")
    assert unknown.primal_gap.min() == 0.0


@pytest.fixture
def batched():
    """Some rows were looked at: the first, the last, and one for each gradient-equivalent."""
    data = np.random.default_rng(0).standard_normal((12, 2)), np.arange(12) % 2
    return so.minimize(so.problems.mlp(data, [2, 3, 2]), "kfac", batch_size=1, steps=10, keep=("x", "left_factor"))


def test_rows_not_looked_at_have_holes(batched):
    assert np.isnan(batched.f[1]) and np.isnan(batched.grad_norm[1]) and not np.isnan(batched.f[-1])
    assert np.nanmin(batched.primal_gap) == 0.0 and np.isnan(batched.primal_gap[1])
    assert not np.any(np.isnan(batched["damping"][1:])) and batched.seconds.shape == (11,)
    assert "nan" not in repr(batched) and "<img" in batched._repr_html_()
    assert len(batched.to_frame()) == 11 and batched.to_frame()["f"].isna().sum() == np.isnan(batched.f).sum()


# --------------------------------------------------------------------------------------------------------------- costs


def test_costs_of_batches_are_their_shares(batched):
    """A row's gradient, signal, products and values are a twelfth each; one signal for one sample."""
    calls = batched.oracle
    assert {name: round(12 * n) for name, n in calls.items() if n} == {
        "f": 4,
        "grad": 11,
        "signals": 10,
        "ggn_product": 1 + 2 * 9,
    }
    expected = calls["grad"] + calls["signals"] + 2.0 * calls["ggn_product"] + 0.5 * calls["f"]
    assert batched.cost()[-1] == pytest.approx(expected)
    assert batched.cost(signals=0.0, ggn_product=0.0, f=0.0)[-1] == calls["grad"]
    assert "0.916667 grad" in repr(batched) and "1.58333 ggn_product" in repr(batched)
    assert so.compare(so.problems.rosenbrock(), ["newton"]).table()["newton"].get("signals_calls") is None


def test_costs_of_least_squares_are_half_a_gradient_for_a_column():
    history = so.minimize(so.problems.get("test:box_3d"), "levenberg_marquardt")
    calls = history.oracle
    assert calls["jac"] and calls["residual"] and not calls["hess"]
    assert history.cost()[-1] == 0.5 * calls["residual"] + 1.5 * calls["jac"]  # d = 3
    assert history.cost(jac=1.0, residual=0.0)[-1] == calls["jac"]


def test_costs_are_gradient_equivalents(history):
    calls = history.oracle
    assert history.cost()[-1] == calls["grad"] + 0.5 * calls["f"] + 2 * calls["hess"]  # d = 2
    assert np.all(np.diff(history.cost()) > 0.0)
    assert history.cost(f=0.0, hess=10.0)[-1] == calls["grad"] + 10.0 * calls["hess"]
    np.testing.assert_array_equal(history.cost(f=0.0, grad=0.0, hess=0.0), np.zeros(len(history)))
    with pytest.raises(TypeError, match="unknown oracle 'hessian'; weights are for f, grad, hess, hvp"):
        history.cost(hessian=3.0)


# ---------------------------------------------------------------------------------------------------------- optimality


def test_optimality_says_how_good_the_answer_is():
    problem = so.problems.quadratic([1.0, 4.0])
    answer = so.minimize(problem, "gradient_descent", lipschitz=8.0, steps=3).optimality
    x = np.asarray([(1.0 - 1.0 / 8.0) ** 3, 0.5**3])
    assert answer["grad_norm"] == pytest.approx(np.linalg.norm([x[0], 4.0 * x[1]]))
    assert answer["smallest_eigenvalue"] == pytest.approx(1.0)
    assert answer["newton_decrement"] == pytest.approx(np.sqrt(x[0] ** 2 + 4.0 * x[1] ** 2))


def test_optimality_is_computed_once_and_off_the_books(history):
    before = history.oracle
    assert history.optimality is history.optimality and history.oracle == before


def test_optimality_without_a_hessian_is_the_gradient():
    problem = so.Problem(lambda x: float(x @ x), grad=lambda x: 2.0 * x, x0=[1.0])
    assert set(so.minimize(problem, "gradient_descent").optimality) == {"grad_norm"}


def test_optimality_on_a_feasible_set_is_the_gap(constrained):
    answer = constrained.optimality
    assert set(answer) == {"grad_norm", "gap"}
    assert answer["gap"] == pytest.approx(constrained["gap"][-1], abs=1e-15) and 0.0 <= answer["gap"] <= 1e-6


def test_costs_of_a_feasible_set_are_counted_beside(constrained):
    calls = constrained.oracle
    assert calls["lmo"] == len(constrained)
    assert constrained.cost()[-1] == calls["grad"] + 0.5 * calls["f"]
    assert constrained.cost(lmo=3.0)[-1] == constrained.cost()[-1] + 3.0 * calls["lmo"]


def test_the_gap_stands_where_the_gradient_norm_did(constrained):
    gap = constrained["gap"][-1]
    assert f"gap={gap:.3g}; " in repr(constrained) and "grad_norm" not in repr(constrained)
    assert 'alt="Frank–Wolfe gap against iterations. away_step: converged' in constrained._repr_html_()


# --------------------------------------------------------------------------------------------------------------- files


def assert_same(one, other):
    assert one.names == other.names and len(one) == len(other)
    for a, b in zip(one.rows, other.rows, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert type(a[name]) is type(b[name]), name
            np.testing.assert_equal(b[name], a[name])
    for name in ("method", "problem_name", "d", "f_star", "status", "message", "tol", "hyper"):
        assert getattr(one, name) == getattr(other, name)
    np.testing.assert_array_equal(one.x, other.x)
    assert one.x.dtype == other.x.dtype


@pytest.mark.parametrize("which", ["history", "mixed", "batched", "constrained"])
def test_files_give_back_what_was_saved(which, request, tmp_path):
    h = request.getfixturevalue(which)
    h.save(tmp_path / "run.npz")
    loaded = so.History.load(tmp_path / "run.npz")
    assert_same(h, loaded)
    np.testing.assert_array_equal(h.cost(), loaded.cost())
    assert "<img" in loaded._repr_html_()


def test_float32_stays_float32(tmp_path):
    problem = so.to_device(so.problems.quadratic([1.0, 3.0]), "numpy", dtype="float32")
    h = so.minimize(problem, "newton", keep="x")
    h.save(tmp_path / "run.npz")
    assert so.History.load(str(tmp_path / "run.npz")).rows[0]["x"].dtype == np.float32


def test_optimality_is_saved_if_it_was_looked_at(history, tmp_path):
    history.save(tmp_path / "before.npz")
    with pytest.raises(ValueError, match="optimality was not computed before this history was saved"):
        so.History.load(tmp_path / "before.npz").optimality  # noqa: B018
    expected = history.optimality
    history.save(tmp_path / "after.npz")
    assert so.History.load(tmp_path / "after.npz").optimality == expected


def test_hyper_parameters_without_a_plain_form_are_kept_in_words(history, tmp_path):
    history.hyper["rng"] = np.random.default_rng(0)
    history.save(tmp_path / "run.npz")
    assert "Generator" in so.History.load(tmp_path / "run.npz").hyper["rng"]


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def emptied():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w"):
        pass
    return buffer.getvalue()


GARBAGE = {
    "nothing": b"",
    "text": b"a history of the world",
    "random bytes": np.random.default_rng(0).bytes(500),
    "another array": npy(np.arange(3)),
    "an archive without meta": npz(x=np.arange(3)),
    "an empty archive": emptied(),
    "meta that is not JSON": npz(meta=np.asarray("{")),
    "meta without a history": npz(meta=np.asarray("{}")),
    "meta that is a list": npz(meta=np.asarray("[1, 2]")),
    "pickled objects": npz(meta=np.asarray([{"method": "newton"}], dtype=object)),
    "a missing array": npz(
        meta=np.asarray(json.dumps({"method": "m", "hyper": {}, "problem_name": "p", "d": 1, "f_star": None,
                                    "status": "", "message": "", "tol": 0, "x": {"array": "array0"}, "rows": []}))
    ),
}  # fmt: skip


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_another_file_is_a_value_error_that_names_it(content, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"'{re.escape(str(path))}' is not a saved history"):
        so.History.load(path)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_truncated_or_damaged_file_is_a_value_error(history, keep, tmp_path):
    path = tmp_path / "run.npz"
    history.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ValueError, match="is not a saved history"):
        so.History.load(path)
    where = int(keep * len(content))
    path.write_bytes(content[:where] + bytes(64) + content[where + 64 :])
    with pytest.raises(ValueError, match="is not a saved history"):
        so.History.load(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        so.History.load(tmp_path / "nowhere.npz")


# -------------------------------------------------------------------------------------------------------- in a notebook


def test_html_has_a_table_and_a_picture_in_words(history):
    page = history._repr_html_()
    assert "<table>" in page and "<th>status</th>" in page and "converged" in page
    (alt,) = re.findall(r'<img alt="([^"]*)"', page)
    assert alt == f"Gradient norm against iterations. cubic_newton: converged after {len(history) - 1} steps"
    assert 'src="data:image/png;base64,' in page


def test_html_of_a_comparison_escapes_labels():
    runs = so.compare(so.problems.rosenbrock(), {"<m & n>": ("newton", {})})
    page = runs._repr_html_()
    assert "&lt;m &amp; n&gt;" in page and "<m & n>" not in page


def test_repr_is_one_line_that_says_how_it_ended(history):
    assert "\n" not in repr(history)
    assert repr(history).startswith(
        f"<History of cubic_newton on rosenbrock: converged after {len(history) - 1} steps, f="
    )


def test_frame_has_one_row_a_step(history, mixed):
    frame = history.to_frame()
    assert len(frame) == len(history) and frame.index.name == "step"
    assert frame["hess_calls"].iloc[-1] == history.oracle["hess"] and "hvp_calls" not in frame
    assert len(mixed.to_frame()) == len(mixed)


# ----------------------------------------------------------------------------------------------------------- particles


@pytest.fixture
def cloud():
    return so.sample(so.problems.gaussian_mixture(), "ddim", particles=30, steps=4, keep=("x", "noise"))


def test_a_cloud_says_how_many_there_are(cloud):
    assert cloud.particles == 30 and cloud.d == 2 and cloud.x.shape == (30, 2)
    assert repr(cloud).startswith(
        "<History of ddim on gaussian_mixture: finished after 4 steps, 30 particles in 2 dimensions; 4 score; "
    )
    assert "f=" not in repr(cloud) and "\n" not in repr(cloud)
    assert so.minimize(so.problems.rosenbrock(), "newton").particles == 0


def test_columns_of_a_cloud(cloud):
    assert cloud["x"].shape == (5, 30, 2) and cloud["sigma"].shape == (5,)
    assert [a is None for a in cloud["noise"]] == [True, False, False, False, False]
    np.testing.assert_array_equal(cloud["x"][-1], cloud.x)
    np.testing.assert_array_equal(cloud.counts["score"], [0, 1, 2, 3, 4])
    with pytest.raises(KeyError, match="'data' is not on record"):
        cloud["data"]


def test_costs_of_a_cloud(cloud):
    """A score is a gradient, its Hessian d of them, a density half of one; for all particles at once."""
    np.testing.assert_array_equal(cloud.cost(), [0.0, 1.0, 2.0, 3.0, 4.0])
    assert cloud.cost(score=3.0)[-1] == 12.0
    calls = so.sample(so.problems.gaussian_mixture(), "newton_langevin", particles=4, steps=3, metropolis=True)
    n = calls.oracle
    assert calls.cost()[-1] == n["score"] + 2.0 * n["score_hessian"] + 0.5 * n["log_density"]


def test_files_give_back_a_cloud(cloud, tmp_path):
    cloud.save(tmp_path / "run.npz")
    loaded = so.History.load(tmp_path / "run.npz")
    assert_same(cloud, loaded)
    assert loaded.particles == 30 and "<img" in loaded._repr_html_()
    with pytest.raises(ValueError, match="optimality was not computed before this history was saved"):
        loaded.optimality  # noqa: B018
    quality = cloud.optimality
    cloud.save(tmp_path / "run.npz")
    loaded = so.History.load(tmp_path / "run.npz")
    assert loaded.optimality == quality and "<th>sliced_wasserstein</th>" in loaded._repr_html_()


def test_optimality_of_a_cloud_is_its_distance_to_the_law_at_its_noise(cloud):
    from secondorder.distances import quality

    law, level = so.problems.gaussian_mixture(), {"alpha": cloud["alpha"][-1], "sigma": cloud["sigma"][-1]}
    assert cloud.optimality == quality(law, cloud.x, **level) and level["sigma"] > 0.0
    stopped = so.sample(law, "ddim", particles=30, callback=lambda it: True)
    assert stopped["sigma"][-1] > 0.99 and stopped.optimality["sliced_wasserstein"] < 1.0


def test_html_of_a_cloud(cloud):
    page = cloud._repr_html_()
    assert "<th>particles</th>" in page and "<td>30</td>" in page and "<th>f</th>" not in page
    (alt,) = re.findall(r'<img alt="([^"]*)"', page)
    assert alt == "Particles in the first two coordinates. ddim: finished after 4 steps"
    line = so.problems.gaussian_mixture(means=[[0.0]], covariances=[[[1.0]]])
    page = so.sample(line, "langevin", particles=9, steps=2)._repr_html_()
    assert 'alt="Histogram of the particles. langevin: step_limit after 2 steps"' in page


def test_frame_of_a_cloud(cloud):
    frame = cloud.to_frame()
    assert len(frame) == 5 and frame["score_calls"].iloc[-1] == 4 and frame["x"].iloc[0].shape == (30, 2)
    assert not frame["sigma"].isna().any()


def test_a_cloud_interrupted_at_once_can_be_looked_at():
    @so.method(paper="roberts1996exponential", needs=("score",), kind="sampler")
    def hasty(problem, x):
        problem.score(x)
        yield Iterate(x)

    def score(X, alpha, sigma):
        raise KeyboardInterrupt

    history = so.sample(so.Problem(score=score, x0=[0.0, 0.0]), hasty, particles=3)
    assert (history.status, len(history)) == ("interrupted", 0)
    assert "no rows" in repr(history) and "<img" in history._repr_html_() and history.optimality == {}


def test_a_cloud_of_another_library_is_looked_at_and_saved(tmp_path):
    law = so.problems.gaussian_mixture()
    ours, theirs = (so.sample(p, "ddim", particles=30, steps=4) for p in (law, so.to_device(law, "array_api_strict")))
    assert theirs.optimality == pytest.approx(ours.optimality, rel=1e-9)
    assert (re.findall("<td>30</td>", theirs._repr_html_()), len(theirs.plot().axes[0].collections)) == (
        ["<td>30</td>"],
        1,
    )
    theirs.save(tmp_path / "run.npz")
    np.testing.assert_allclose(so.History.load(tmp_path / "run.npz").x, ours.x, rtol=1e-12)
