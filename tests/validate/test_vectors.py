"""Recorded runs in files: every one the reference writes agrees with it, a variant differs, and a bad file is refused."""

import dataclasses
import functools
import hashlib
import json
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

import secondorder as so
from secondorder.catalogue import find
from secondorder.validate import Candidate, check, files, read_run, record, write_run, write_vectors
from secondorder.validate.problems import network, problems_for

STEPS = 3

SAME = {
    ("adamw", "decay times learning rate"): "1e-3 of 1e-2 is the default decay",
    ("adahessian", "constant probe"): "probes are taken from the recording",
    ("annealed_langevin", "denoised"): "one row more, after the reference's last",
    ("dpm_solver", "third order, as coded"): "of so few steps none is of third order",
    ("dpm_solver", "third order, corrected"): "of so few steps none is of third order",
    ("exact_gauss_newton", "adaptive damping"): "it adapts every fifth step",
    ("newton_cg", "Eisenstat-Walker 2"): "the first steps end on the same iterate",
    ("nonlinear_cg", "Hager-Zhang"): "the first steps are bounded alike",
    ("second_order_frank_wolfe", "threshold read as the inverse of h"): "the default by its name",
}
"""Variants that cannot be told from the default in so few steps."""


@pytest.fixture(scope="module")
def adam(tmp_path_factory):
    """The files of Adam, which has no variants."""
    folder = tmp_path_factory.mktemp("adam")
    write_vectors("adam", folder, steps=STEPS)
    return folder


@pytest.mark.parametrize("info", so.methods(), ids=lambda info: info.name)
def test_every_file_agrees_with_its_method_and_no_variant_with_the_default(info, tmp_path):
    paths = write_vectors(info.name, tmp_path, steps=1 if info.name == "second_order_frank_wolfe" else STEPS)
    runs = json.loads((tmp_path / "index.json").read_text())["runs"]
    assert [run["variant"] for run in runs] == ["default", *info.variants] and len(paths) == len(runs)
    for run in runs:
        for name, digest in run["sha256"].items():
            assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
            report = check(tmp_path / name, info.name, diagnose=False)
            assert report.agrees and report.match.worst == 0.0, report
        if run["variant"] != "default":
            report = check(tmp_path / next(iter(run["sha256"])), info.name, diagnose=False, **info.defaults())
            assert not report.agrees or (info.name, run["variant"]) in SAME, report


def names_the_variants(info, folder):
    write_vectors(info.name, folder, steps=STEPS)
    for run in json.loads((folder / "index.json").read_text())["runs"][1:]:
        if (info.name, run["variant"]) not in SAME:
            report = check(folder / next(iter(run["sha256"])), info.name, **info.defaults())
            assert f'the variant "{run["variant"]}"' in report.verdict, report


@pytest.mark.parametrize("method", ["newton", "zeroth_order_frank_wolfe", "ddim"])
def test_a_file_of_a_variant_is_named(method, tmp_path):
    names_the_variants(find(method).method, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("info", so.methods(), ids=lambda info: info.name)
def test_every_file_of_a_variant_is_named(info, tmp_path):
    names_the_variants(info, tmp_path)


def test_two_runs_write_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        write_vectors("langevin", tmp_path / folder, steps=STEPS, seed=3)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) > 2 and names == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_plain_program_can_be_driven_by_the_json_alone(adam):
    """Adam in plain Python, told the recorded gradients: what a program in any language would do."""
    table = json.loads((adam / "adam.json").read_text())
    hyper = table["meta"]["hyper"]
    (asked,) = table["meta"]["asked"]
    assert asked["oracle"] == "grad" and asked["rows"] == list(range(STEPS + 1))
    x, m, v = list(table["x"][0]), [0.0] * len(table["x"][0]), [0.0] * len(table["x"][0])
    for t in range(1, STEPS + 1):
        assert table["asked/0/argument/0"][t - 1] == pytest.approx(x, rel=1e-12)
        grad = table["asked/0/answer"][t - 1]
        m = [hyper["beta1"] * a + (1 - hyper["beta1"]) * g for a, g in zip(m, grad, strict=True)]
        v = [hyper["beta2"] * a + (1 - hyper["beta2"]) * g * g for a, g in zip(v, grad, strict=True)]
        for name, value in (("first_moment", m), ("second_moment", v)):
            size = max(map(abs, value))
            error = max(abs(a - b) for a, b in zip(value, table[name][t - 1], strict=True))
            assert error <= table[f"tolerance/{name}"][t] * size
        scale = [hyper["learning_rate"] / (1 - hyper["beta1"] ** t), 1 - hyper["beta2"] ** t, hyper["epsilon"]]
        x = [a - scale[0] * b / ((c / scale[1]) ** 0.5 + scale[2]) for a, b, c in zip(x, m, v, strict=True)]
    assert x == pytest.approx(table["x"][STEPS], rel=1e-12)


def test_the_json_holds_what_the_npz_holds(tmp_path):
    (path,) = write_vectors("kfac", tmp_path, variants=["exact signals"], steps=2)
    one, other = read_run(path), read_run(path.with_suffix(".json"))
    assert one.hyper == other.hyper and one.seed == other.seed
    for a, b in zip(one.rows, other.rows, strict=True):
        assert list(a.quantities) == list(b.quantities) and np.array_equal(a.x, b.x)
    asked = [[query.oracle for query in row] for row in one.queries]
    assert asked == [[query.oracle for query in row] for row in other.queries] and "signals" in asked[0]
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_random_numbers_are_written_as_they_were_drawn(tmp_path):
    (path,) = write_vectors("langevin", tmp_path, variants=["default"], steps=STEPS)
    table = json.loads(path.with_suffix(".json").read_text())
    (drawn,) = table["meta"]["drawn"]
    assert drawn["distribution"] == "standard_normal" and drawn["rows"] == [0, 1, 2]
    step, score = table["meta"]["hyper"]["step_size"], np.asarray(table["asked/0/answer"])
    moved = step * score[0] + np.sqrt(2 * step) * np.asarray(table["drawn/0"][0])
    assert np.allclose(np.asarray(table["x"][0]) + moved, table["x"][1], rtol=1e-12)


def test_a_variant_is_written_where_it_tells(tmp_path):
    """Newton's modifications of an indefinite Hessian show on no convex problem."""
    (path,) = write_vectors("newton", tmp_path, variants=["eigenvalue flip"], steps=4)
    meta = json.loads(path.with_suffix(".json").read_text())["meta"]
    assert meta["problem"]["name"] != problems_for(so.newton.newton.method)[0].name
    assert meta["hyper"]["modification"] == "flip"


def test_a_problem_of_ones_own(tmp_path):
    (path,) = write_vectors("adam", tmp_path, problem=so.problems.quadratic([1.0, 9.0]), steps=2)
    table = json.loads(path.with_suffix(".json").read_text())
    assert table["meta"]["problem"]["name"] == "quadratic" and np.shape(table["x"]) == (3, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variants": ["flipped"]}, "has no variant 'flipped'; known: default, pure"),
        ({"steps": 0}, "steps must be at least 1; got 0"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        write_vectors("newton", tmp_path, **options)


# ------------------------------------------------------------------------------------------------------- one's own runs


def run_of(method, problem, steps=5, **hyper):
    """The points of a run of the reference, its rows, and what it asked."""
    return record(Candidate(method, functools.partial(find(method), **hyper)), problem, steps=steps)


def points(run):
    return np.stack([row.x for row in run.rows])


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("left_out", [0, 1])
def test_points_and_gradients_are_enough_for_adam(tmp_path, suffix, left_out):
    """The gradient at the last point, which no step depends on, may be missing; the last step is judged all the same."""
    problem = so.problems.rosenbrock()
    x = points(run_of("adam", problem))
    grad = np.stack([problem.grad(point) for point in x[: len(x) - left_out]])
    path = tmp_path / f"mine{suffix}"
    write_run(path, x=x, grad=grad)
    report = check(path, "adam", diagnose=False)
    assert report.agrees and report.steps == 5 and {"first_moment", "second_moment"} <= set(report.missing)
    x[5, 1] += 1e-6
    write_run(path, x=x, grad=grad)
    report = check(path, "adam", diagnose=False)
    assert not report.agrees and (report.first.step, report.first.quantity) == (5, "step")


def test_gradients_of_batches_are_answers_too(tmp_path):
    problem = network()
    run = record(Candidate("adam", so.diagonal.adam.method.function), problem, steps=5, batch_size=8)
    path = tmp_path / "mine.npz"
    write_run(path, x=points(run), batch_grad=np.stack([row.batch_grad for row in run.rows]))
    assert check(path, "adam", diagnose=False).steps == 5 and check(path, "adam", diagnose=False).agrees


def test_quantities_belong_to_the_step_that_led_to_their_row(tmp_path):
    problem = so.problems.rosenbrock()
    run = run_of("adam", problem)
    moments = np.stack([row.first_moment for row in run.rows[1:]])
    path = tmp_path / "mine.npz"
    given = {"x": points(run), "grad": np.stack([row.grad for row in run.rows])}
    write_run(path, **given, first_moment=moments)
    assert check(path, "adam", diagnose=False).agrees
    write_run(path, **given, first_moment=moments / 0.9)
    report = check(path, "adam", diagnose=False)
    assert (report.first.step, report.first.quantity) == (1, "first_moment")


def test_matrices_are_told_by_the_shapes_of_the_layers(tmp_path):
    problem = network()
    run = run_of("shampoo", problem)
    shapes = [W.shape for W in problem.split(problem.x0)]
    factors = tuple(np.stack([row.left_factor[i] for row in run.rows[1:]]) for i in range(2))
    path = tmp_path / "mine.npz"
    given = {"x": points(run), "grad": np.stack([row.grad for row in run.rows])}
    write_run(path, **given, left_factor=factors, layers=shapes, method="shampoo")
    report = check(path, "shampoo", diagnose=False)
    assert report.agrees and "left_factor" in report.errors and report.candidate == "shampoo"
    write_run(path, **given)
    assert not check(path, "shampoo", diagnose=False).agrees  # one long vector is another method


def test_products_with_the_hessian_come_with_their_vectors(tmp_path):
    problem = network()
    run = run_of("adahessian", problem)
    asked = [query for row in run.queries for query in row if query.oracle == "hvp"]
    path = tmp_path / "mine.npz"
    given = {"x": points(run), "grad": np.stack([row.grad for row in run.rows])}
    given["hvp"] = np.stack([query.answer for query in asked])
    shapes = [W.shape for W in problem.split(problem.x0)]
    write_run(path, **given, probe=np.stack([query.arguments[1] for query in asked]), layers=shapes)
    assert check(path, "adahessian", diagnose=False).agrees
    with pytest.raises(ValueError, match="has 'hvp' in row 0 without 'probe'"):
        write_run(path, **given)


def test_a_float32_run_is_judged_at_its_precision(tmp_path):
    problem = so.problems.rosenbrock()
    x = points(run_of("adam", problem)).astype(np.float32)
    grad = np.stack([problem.grad(point.astype(np.float64)) for point in x]).astype(np.float32)
    write_run(tmp_path / "single.npz", x=x, grad=grad)
    write_run(tmp_path / "double.npz", x=x.astype(np.float64), grad=grad)
    assert check(tmp_path / "single.npz", "adam", diagnose=False).agrees
    assert not check(tmp_path / "double.npz", "adam", diagnose=False).agrees


def test_a_sampler_needs_its_scores_and_noise_levels(tmp_path):
    mixture, grid = so.problems.gaussian_mixture(), so.schedules.noise_grid(6)
    start = np.random.default_rng(0).standard_normal((4, 2))
    rows = [row.x for row in so.sampling.ddim(mixture, start, grid=grid)]
    levels = np.asarray(grid.levels)
    score = np.stack([mixture.score(x, alpha=a, sigma=s) for x, (a, s) in zip(rows, levels, strict=True)])
    write_run(tmp_path / "mine.npz", x=np.stack(rows), score=score, grid=levels)
    report = check(tmp_path / "mine.npz", "ddim", diagnose=False)
    assert report.agrees and report.steps == 6
    assert not check(tmp_path / "mine.npz", "ddim", diagnose=False, eta=1.0).agrees


def test_a_file_without_an_oracle_is_told_which(tmp_path):
    problem = so.problems.rosenbrock()
    x = points(run_of("lbfgs", problem))
    given = {"x": x, "grad": np.stack([problem.grad(point) for point in x])}
    path = tmp_path / "mine.npz"
    write_run(path, **given)
    with pytest.raises(ValueError, match=r"mine has answers of grad; lbfgs asks f too: add f \(the value f\(x\)"):
        check(path, "lbfgs")
    with pytest.raises(ValueError, match="newton asks f, hess too"):
        check(path, "newton")
    write_run(path, **given, f=np.asarray([problem.f(point) for point in x]))
    with pytest.raises(ValueError, match="the reference asks f at a point that the recording has no answer for"):
        check(path, "lbfgs")  # its line search asked between the iterates, which such a file does not tell


def test_hyper_parameters_on_record_are_used_and_can_be_overruled(tmp_path):
    problem = so.problems.rosenbrock()
    x = points(run_of("adam", problem, beta2=0.9))
    grad = np.stack([problem.grad(point) for point in x])
    path = tmp_path / "mine.npz"
    write_run(path, x=x, grad=grad, method="adam", hyper={"beta2": 0.9})
    assert check(path, "adam", diagnose=False).agrees
    assert not check(path, "adam", diagnose=False, beta2=0.999).agrees
    with pytest.raises(TypeError, match="shampoo has no hyper-parameter"):
        write_run(path, x=x, grad=grad, hyper={"beta1": 0.9})
        check(path, "shampoo")


def test_the_recorded_facts_stand_for_the_problem(tmp_path):
    """What is read of a problem besides its oracles: its layers, its ridge, its linear parameters, its vertices."""
    known = {"exact_gauss_newton": "shapes", "variable_projection": "linear", "pairwise": "atoms"}
    for method, fact in known.items():
        (path,) = write_vectors(method, tmp_path, variants=["default"], steps=2)
        recording = read_run(path)
        assert fact in recording.facts and recording.problem is None
        bare = dataclasses.replace(recording, facts={"oracles": recording.facts["oracles"]})
        try:
            differs = not check(bare, method, diagnose=False).agrees
        except ValueError:
            differs = True
        assert differs


# ----------------------------------------------------------------------------------------------------------- bad files


def read_quietly(path):
    """True for a file that was read, False for one that was refused in one line; anything else fails."""
    try:
        read_run(path)
    except OSError:
        return False
    except ValueError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return False
    return True


@pytest.mark.parametrize("name", ["adam.npz", "adam.json"])
def test_a_truncated_file_is_refused(adam, tmp_path, name):
    whole, path = (adam / name).read_bytes(), tmp_path / name
    for length in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        assert not read_quietly(path)


@pytest.mark.parametrize("name", ["adam.npz", "adam.json"])
def test_a_file_with_flipped_bytes_is_refused_or_read(adam, tmp_path, name):
    whole, path, rng = (adam / name).read_bytes(), tmp_path / name, random.Random(0)
    refused = 0
    for _ in range(300):
        flipped = bytearray(whole)
        for _ in range(rng.choice([1, 1, 4])):
            flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        refused += not read_quietly(path)
    assert refused > 100


JUNK = [None, True, -1, 0, 1e308, "Infinity", "NaN", "x", [], [[]], {}, [1, 2, 3], {"0": 1}, 10**30, [[1e300]]]


def branches(value, path=()):
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(min(3, len(value))) if isinstance(value, list) else ():
        yield from branches(value[key], (*path, key))


@pytest.mark.parametrize("method", ["shampoo", "away_step", "ddim"])
def test_a_json_with_anything_in_it_is_refused_or_judged(tmp_path, method):
    (file,) = write_vectors(method, tmp_path, variants=["default"], steps=2)
    text, path, rng = file.with_suffix(".json").read_text(), tmp_path / "other.json", random.Random(1)
    places = list(branches(json.loads(text)))
    for _ in range(60):
        table = json.loads(text)
        *way, last = rng.choice(places)
        branch = table
        for key in way:
            branch = branch[key]
        branch[last] = rng.choice(JUNK)
        path.write_text(json.dumps(table))
        if read_quietly(path):
            try:
                check(path, method, diagnose=False)
            except (ValueError, TypeError) as error:
                assert "\n" not in str(error)


def npz(path, **arrays):
    np.savez(path, **arrays)


X, G = np.arange(6.0).reshape(3, 2), np.ones((3, 2))
MALFORMED = {
    "no x": ({"grad": G}, "has no array 'x'; it has grad"),
    "NaN in x": ({"x": np.where(X == 3.0, np.nan, X), "grad": G}, "has 'x' not finite in row 1"),
    "NaN in grad": ({"x": X, "grad": np.full((3, 2), np.nan)}, "has NaN in 'grad'"),
    "infinite gradient": ({"x": X, "grad": np.full((3, 2), np.inf)}, "answer of grad that is not finite"),
    "NaN in a moment": ({"x": X, "grad": G, "first_moment": np.full((3, 2), np.nan)}, "has NaN in 'first_moment'"),
    "too few gradients": ({"x": X, "grad": G[:1]}, "has 'grad' with 1 rows; 2 or 3 are expected, as x has 3"),
    "gradients of another length": (
        {"x": X, "grad": np.ones((3, 5))},
        r"has 'grad' of shape \(5,\) where x has \(2,\)",
    ),
    "a point alone": ({"x": X[:1], "grad": G[:1]}, r"has 'x' of shape \(1, 2\)"),
    "x of no rows": ({"x": np.arange(3.0)}, r"has 'x' of shape \(3,\)"),
    "x in words": ({"x": np.asarray([["a", "b"]] * 3)}, "has 'x' of shape"),
    "complex x": ({"x": X + 1j}, "of dtype complex128; numbers, booleans and strings are read"),
    "a quantity without rows": ({"x": X, "radius": np.asarray(1.0)}, "has 'radius' without rows"),
    "parts missing": ({"x": X, "left_factor/1": np.ones((2, 2, 2))}, "has parts of 'left_factor' missing"),
    "an odd name": ({"x": X, "left_factor/one": G}, "whose name is none of the schema"),
    "a row beyond the last": ({"x": X, "atoms@7": G}, "has 'atoms@7' in row 7; rows are 0 to 2"),
    "meta no string": ({"x": X, "meta": np.ones(3)}, "has a meta that is no string"),
    "meta no JSON": ({"x": X, "meta": np.asarray("{")}, "is damaged: JSONDecodeError"),
    "meta a list": ({"x": X, "meta": np.asarray("[1]")}, "has a meta that is no object, but list"),
    "another version": ({"x": X, "meta": np.asarray('{"version": 2}')}, "is of version 2 of the schema; 1 is read"),
    "another schema": ({"x": X, "meta": np.asarray('{"schema": "other"}')}, "is of the schema 'other'"),
    "no seed": ({"x": X, "meta": np.asarray('{"seed": -1}')}, "has the seed -1"),
    "no precision": ({"x": X, "meta": np.asarray('{"precision": "int4"}')}, "has the precision 'int4'"),
    "layers too large": (
        {"x": X, "meta": np.asarray('{"problem": {"layers": [[2, 2]]}}')},
        "has layers of 4 numbers where x has 2",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_refused_in_one_line(tmp_path, arrays, message):
    path = tmp_path / "mine.npz"
    npz(path, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read_run(path)
    assert "\n" not in str(caught.value) and "mine.npz" in str(caught.value)


TEXTS = {
    "a list": ("[1, 2]", "is neither .npz nor .json"),
    "words": ("hello", "is neither .npz nor .json"),
    "nothing": ("", "is neither .npz nor .json"),
    "rows of two lengths": ('{"x": [[1, 2], [3]]}', "has 'x', which is no array: its rows differ in length"),
    "a hole": ('{"x": [[1, 2], [3, null]]}', "has 'x', which is no array of numbers"),
    "NaN": ('{"x": [[1, 2], [3, NaN]]}', "has 'x' not finite in row 1"),
    "NaN as a word": ('{"x": [[1, 2], [3, "NaN"]]}', "has 'x' not finite in row 1"),
    "deeper than any array": ('{"x": ' + "[" * 100_000, "is damaged: RecursionError"),
    "a number too long": ('{"x": [[1, 2], [3, 1' + "0" * 40 + "]]}", "has 'x', which is no array of numbers"),
}


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=TEXTS)
def test_malformed_json_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_run(path)
    assert "\n" not in str(caught.value)


def test_pickles_are_not_read(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, x=np.asarray([{"a": 1}, None], dtype=object))
    with pytest.raises(ValueError, match="has 'x' of dtype object; numbers, booleans and strings are read"):
        read_run(path)


def peak(path, message):
    """The memory that refusing takes, in bytes."""
    tracemalloc.start()
    with pytest.raises(ValueError, match=message):
        read_run(path)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_an_oversized_file_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("x", "grad"):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(
                    member, {"descr": "<f8", "fortran_order": False, "shape": (2, 9_000_000)}
                )
                for _ in range(144):
                    member.write(bytes(1_000_000))
    assert path.stat().st_size < 2_000_000
    assert peak(path, "is too large: 288000256 bytes when unpacked; at most 268435456 are read") < 2_000_000


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**6)})
        member.write(bytes(64))
    assert peak(path, r"has 'x' of shape \(1000000000000, 1000000\)") < 1_000_000


def test_a_size_that_lies_is_found_out(tmp_path):
    """The directory promises 192 bytes of a member that unpacks to more: no more than promised is unpacked."""
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (4, 2)})
        for _ in range(50):
            member.write(bytes(1_000_000))
    data = bytearray(path.read_bytes())
    true = struct.pack("<I", 128 + 50_000_000)
    assert data.count(true) == 2
    path.write_bytes(bytes(data).replace(true, struct.pack("<I", 192)))
    assert peak(path, "is damaged: BadZipFile|ends in the middle") < 2_000_000


def test_a_large_json_is_refused_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "JSON_LIMIT", 100)
    path = tmp_path / "mine.json"
    write_run(path, x=X, grad=G)
    with pytest.raises(ValueError, match=r"is too large: \d+ bytes of JSON; at most 100 are read \(write .npz\)"):
        read_run(path)


def test_a_missing_file_and_a_folder_are_errors_of_the_system(tmp_path):
    for path in (tmp_path / "nowhere.npz", tmp_path):
        with pytest.raises(OSError, match=path.name):
            read_run(path)


def test_a_run_is_checked_before_it_is_written(tmp_path):
    path = tmp_path / "mine.npz"
    with pytest.raises(ValueError, match="has 'grad' with 1 rows"):
        write_run(path, x=X, grad=G[:1])
    with pytest.raises(ValueError, match=r"path must end in \.npz or \.json"):
        write_run(tmp_path / "mine.csv", x=X, grad=G)
    assert not path.exists()
