"""The command line: every command, its exit status, and mistakes told in one line."""

import json
import subprocess
import sys

import numpy as np
import pytest

import secondorder as so
from secondorder.cli import main


def call(capsys, *arguments):
    """The exit status, and what was printed and complained about."""
    try:
        status = main(arguments)
    except SystemExit as exit:
        status = exit.code
    out, err = capsys.readouterr()
    return status, out, err


def test_list_names_methods_and_problems(capsys):
    status, out, err = call(capsys, "list")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    for info in so.methods():
        assert any(line.split()[:2] == [info.name, info.family] and info.summary in line for line in lines)
    assert lines[-1].startswith("problems: ") and "rosenbrock" in lines[-1]


def test_list_of_a_family(capsys):
    status, out, _ = call(capsys, "list", "newton")
    assert status == 0 and len(out.splitlines()) == len(so.methods("newton")) and "problems" not in out


def test_show_prints_the_source_and_the_reference(capsys):
    status, out, _ = call(capsys, "show", "lazy_newton")
    assert status == 0
    assert "def lazy_newton(" in out and "@inproceedings{doikov2023lazy" in out


def test_run_prints_the_history_and_how_good_it_is(capsys):
    status, out, err = call(capsys, "run", "newton", "--problem", "rosenbrock")
    assert (status, err) == (0, "")
    assert out.startswith("<History of newton on rosenbrock: converged")
    assert "  grad_norm = " in out and "  smallest_eigenvalue = " in out and "  newton_decrement = " in out


def test_run_takes_options_for_method_problem_and_loop(capsys):
    status, out, _ = call(
        capsys, "run", "lazy_newton", "--problem", "chain", "--with", "d=4", "--set", "period=2", "--set", "M=100",
        "--x0=-1,2,3,4", "--tol", "1e-3", "--steps", "5", "--seconds", "60", "--seed", "3",
    )  # fmt: skip
    assert status == 0 and "step_limit after 5 steps" in out and "3 hess" in out


@pytest.mark.parametrize("none", ["line_search=None"])
def test_values_may_be_none(capsys, none):
    status, out, _ = call(capsys, "run", "newton", "--problem", "saddle", "--set", none)
    assert status == 0 and "converged" in out


CONSTRAINED = ("--problem", "minimum_variance", "--with", "d=8")


def test_a_run_on_a_feasible_set_prints_the_gap(capsys, tmp_path):
    path = tmp_path / "run.npz"
    status, out, err = call(capsys, "run", "away_step", *CONSTRAINED, "--save", str(path))
    assert (status, err) == (0, "")
    line, *optimality = out.splitlines()
    assert line.startswith("<History of away_step on minimum_variance: converged after ") and ", gap=" in line
    assert [entry.split()[0] for entry in optimality] == ["grad_norm", "gap"]
    history = so.History.load(path)
    assert history.optimality["gap"] <= 1e-6 and optimality[1] == f"  gap = {history.optimality['gap']:.6g}"


def test_a_comparison_on_a_feasible_set_draws_the_gap(capsys, tmp_path):
    path = tmp_path / "picture.png"
    arguments = ("compare", "frank_wolfe", "away_step", *CONSTRAINED, "--steps", "50", "--plot", str(path))
    status, out, _ = call(capsys, *arguments)
    assert status == 0 and out.count(", gap=") == 2 and path.stat().st_size > 0


def test_save_writes_a_history(capsys, tmp_path):
    path = tmp_path / "run.npz"
    assert call(capsys, "run", "newton", "--problem", "rosenbrock", "--save", str(path))[0] == 0
    history = so.History.load(path)
    assert history.status == "converged" and "newton_decrement" in history.optimality


@pytest.mark.parametrize("across", ["step", "cost", "seconds"])
@pytest.mark.parametrize("command", [["run", "newton"], ["compare", "newton", "cubic_newton"]], ids=lambda c: c[0])
def test_plot_writes_a_picture(capsys, tmp_path, command, across):
    path = tmp_path / "picture.png"
    status, _, err = call(capsys, *command, "--problem", "rosenbrock", "--plot", str(path), "--across", across)
    assert (status, err) == (0, "")
    assert path.read_bytes().startswith(b"\x89PNG\r\n")


def test_compare_prints_a_line_a_method(capsys):
    status, out, _ = call(capsys, "compare", "newton", "cubic_newton", "--problem", "rosenbrock")
    assert status == 0
    assert [line.split()[2] for line in out.splitlines()] == ["newton", "cubic_newton"]


BAD_ENDS = {
    "breakdown": ("newton", "saddle", []),
    "divergence": ("newton", "pseudo_huber", ["--set", "line_search=None", "--x0", "1.5"]),
}


@pytest.mark.parametrize(("method", "problem", "more"), BAD_ENDS.values(), ids=BAD_ENDS)
def test_a_run_that_ends_badly_exits_with_one(capsys, method, problem, more):
    status, out, err = call(capsys, "run", method, "--problem", problem, *more)
    assert (status, err) == (1, "") and ("breakdown (" in out or "diverged (" in out)


def test_labs_are_copied_and_the_readers_files_kept(capsys, tmp_path, root):
    folder = tmp_path / "mine"
    status, out, _ = call(capsys, "lab", str(folder), "--copy-only")
    assert status == 0 and out == f"labs copied to {folder}\n"
    copies = sorted(path.relative_to(folder) for path in folder.rglob("*.ipynb"))
    sources = [path.relative_to(root / "notebooks") for path in (root / "notebooks").rglob("*.ipynb")]
    assert {path for path in sources if ".ipynb_checkpoints" not in path.parts} <= set(copies)
    if copies:
        (folder / copies[0]).write_text("{}")
        call(capsys, "lab", str(folder), "--copy-only")
        assert json.loads((folder / copies[0]).read_text()) == {}


RUN = ("run", "newton", "--problem", "rosenbrock")
MISTAKES = {
    "no command": ([], "COMMAND"),
    "unknown command": (["rum"], "rum"),
    "unknown family": (["list", "newtn"], "family must be one of newton"),
    "unknown method": (["run", "newtn", "--problem", "rosenbrock"], "unknown method 'newtn' (did you mean 'newton'?)"),
    "unknown method to show": (["show", "newtn"], "unknown method 'newtn' (did you mean 'newton'?)"),
    "unknown method to compare": (["compare", "newton", "newtn", "--problem", "chain"], "unknown method 'newtn'"),
    "no problem": (["run", "newton"], "--problem"),
    "no feasible set": (["run", "away_step", "--problem", "rosenbrock"], "problem.subject_to(sets.Simplex(d))"),
    "no method for one": (["run", "newton", *CONSTRAINED], "newton knows no constraint"),
    "unknown problem": (["run", "newton", "--problem", "rosenbrok"], "did you mean 'rosenbrock'?"),
    "missing file": (["run", "newton", "--problem", "logistic:nowhere.libsvm"], "nowhere.libsvm"),
    "unknown option of the problem": (["run", "newton", "--problem", "chain", "--with", "size=3"], "size"),
    "bad option of the problem": (["run", "newton", "--problem", "chain", "--with", "d=0"], "d must be a whole number"),
    "unknown hyper-parameter": ([*RUN, "--set", "backtrack=0.5"], "did you mean 'backtracking'?"),
    "bad hyper-parameter": ([*RUN, "--set", "backtracking=2"], "backtracking must be a number in (0, 1); got 2"),
    "words for a number": ([*RUN, "--set", "backtracking=half"], "backtracking must be a number in (0, 1); got 'half'"),
    "set without a value": ([*RUN, "--set", "backtracking"], "expected NAME=VALUE; got 'backtracking'"),
    "set without a name": ([*RUN, "--set", "=3"], "expected NAME=VALUE; got '=3'"),
    "set of an option": ([*RUN, "--set", "steps=3"], "steps is not a hyper-parameter: use --steps"),
    "start of the wrong length": ([*RUN, "--x0", "1,2,3"], "x0 must have shape (2,)"),
    "start in words": ([*RUN, "--x0", "1,two"], "--x0"),
    "start with a hole": ([*RUN, "--x0", "1,,2"], "--x0"),
    "negative tolerance": ([*RUN, "--tol", "-1"], "tol must be a number of at least 0; got -1.0"),
    "tolerance in words": ([*RUN, "--tol", "small"], "--tol: invalid float value: 'small'"),
    "negative steps": ([*RUN, "--steps", "-3"], "steps must be a whole number of at least 0; got -3"),
    "fractional steps": ([*RUN, "--steps", "2.5"], "--steps: invalid int value: '2.5'"),
    "unwritable picture": ([*RUN, "--plot", "nowhere/picture.png"], "nowhere/picture.png"),
    "picture of no format": ([*RUN, "--plot", "picture.doc"], "doc"),
    "unwritable history": ([*RUN, "--save", "nowhere/run.npz"], "nowhere/run.npz"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_exits_with_two(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = call(capsys, *arguments)
    assert status == 2
    assert err.count("\n") == 1 and err.startswith("secondorder") and ": error: " in err
    assert message in err


def test_a_lab_folder_that_is_a_file_is_a_mistake(capsys, tmp_path):
    (tmp_path / "mine").write_text("")
    status, _, err = call(capsys, "lab", str(tmp_path / "mine"), "--copy-only")
    assert status == 2 and err.count("\n") == 1 and "is a file" in err


def test_the_program_itself():
    code = "import sys; from secondorder.cli import main; sys.exit(main(['run', 'newtn', '--problem', 'chain']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


# ------------------------------------------------------------------------------------------------------------- samplers

MIXTURE = ("--problem", "gaussian_mixture")


def test_a_sampler_is_run_drawn_and_saved(capsys, tmp_path):
    picture, path = tmp_path / "out.png", tmp_path / "run.npz"
    status, out, err = call(
        capsys, "run", "ddim", *MIXTURE, "--steps", "20", "--plot", str(picture), "--save", str(path)
    )
    assert (status, err) == (0, "")
    line, *quality = out.splitlines()
    assert line.startswith(
        "<History of ddim on gaussian_mixture: finished after 20 steps, 1000 particles in 2 dimensions; "
    )
    names = ["sliced_wasserstein", "sliced_wasserstein_floor", "energy_distance", "mean_log_density"]
    assert [entry.split()[0] for entry in quality] == names
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    history = so.History.load(path)
    assert history.particles == 1000 and quality[0] == f"  {names[0]} = {history.optimality[names[0]]:.6g}"


def test_samplers_are_compared(capsys, tmp_path):
    picture = tmp_path / "out.svg"
    arguments = ("compare", "ddim", "dpm_solver", *MIXTURE, "--particles", "50", "--plot", str(picture))
    status, out, _ = call(capsys, *arguments)
    assert status == 0 and out.count("50 particles") == out.count("sliced_wasserstein =") == 2
    assert "<svg" in picture.read_text()


def test_steps_and_noise_levels_are_the_methods_own_or_asked_for(capsys):
    status, out, _ = call(capsys, "run", "ddim", *MIXTURE)
    assert status == 0 and "finished after 20 steps" in out
    status, out, _ = call(capsys, "run", "langevin", *MIXTURE, "--particles", "3", "--set", "step_size=0.2")
    assert status == 0 and "step_limit after 1000 steps, 3 particles" in out
    asked = ("--schedule", "ve", "--spacing", "edm", "--steps", "7", "--seed", "5")
    status, out, _ = call(capsys, "run", "ddim", *MIXTURE, *asked)
    mine = so.sample(so.problems.gaussian_mixture(), "ddim", schedule="ve", spacing="edm", steps=7, seed=5)
    assert status == 0 and f"  sliced_wasserstein = {mine.optimality['sliced_wasserstein']:.6g}\n" in out


MISTAKES_OF_SAMPLERS = {
    "no score": (["run", "ddim", "--problem", "rosenbrock"], "Missing: score"),
    "tolerance": (["run", "ddim", *MIXTURE, "--tol", "1e-3"], "--tol is for optimisers; ddim is none"),
    "start": (["run", "ddim", *MIXTURE, "--x0", "1,2"], "--x0 is for optimisers; ddim is none"),
    "particles": ([*RUN, "--particles", "9"], "--particles is for samplers; newton is none"),
    "no particles": (["run", "ddim", *MIXTURE, "--particles", "0"], "particles must be a whole number of at least 1"),
    "no steps": (["run", "ddim", *MIXTURE, "--steps", "0"], "steps must be a whole number, at least 1; got 0"),
    "schedule": (["run", "ddim", *MIXTURE, "--schedule", "vq"], "schedule must be one of 'vp', 've', 'flow'; got 'vq'"),
    "spacing": (["run", "ddim", *MIXTURE, "--spacing", "odd"], "spacing must be one of"),
    "levels of a chain": (["run", "langevin", *MIXTURE, "--schedule", "vp"], "langevin stays at one noise level"),
    "set of an option": (["run", "ddim", *MIXTURE, "--set", "particles=3"], "use --particles"),
    "both kinds": (["compare", "ddim", "newton", *MIXTURE], "methods must be all optimisers or all samplers"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES_OF_SAMPLERS.values(), ids=MISTAKES_OF_SAMPLERS)
def test_a_mistake_with_samplers_is_one_line(capsys, arguments, message):
    status, _, err = call(capsys, *arguments)
    assert status == 2 and err.count("\n") == 1 and message in err


# ------------------------------------------------------------------------------------------------------------ validator


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder of conformance vectors of AdaHessian, and a run of one's own with another beta2."""
    folder = tmp_path_factory.mktemp("vectors")
    so.validate.write_vectors("adahessian", folder, steps=3)
    problem = so.problems.rosenbrock()
    x = np.stack([row.x for row, _ in zip(so.diagonal.adam(problem, beta2=0.9), range(4), strict=False)])
    so.validate.write_run(folder / "mine.npz", x=x, grad=np.stack([problem.grad(point) for point in x]))
    return folder


def test_vectors_are_written_and_agree(capsys, tmp_path):
    status, out, err = call(capsys, "vectors", "adamw", "--out", str(tmp_path / "new"), "--steps", "2", "--seed", "5")
    assert (status, err) == (0, "")
    paths = out.splitlines()
    assert [path.rpartition("/")[2] for path in paths] == ["adamw.npz", "adamw-decay-times-learning-rate.npz"]
    for path in paths:
        status, out, err = call(capsys, "check", path, "adamw")
        assert (status, err) == (0, "") and "recorded: agrees\n" in out and "for 2 steps" in out


def test_vectors_of_one_variant_on_a_problem(capsys, tmp_path):
    arguments = ("--out", str(tmp_path), "--steps", "2", "--problem", "chain", "--with", "d=3", "--variant", "shifted")
    status, out, _ = call(capsys, "vectors", "newton", *arguments)
    assert status == 0 and out == f"{tmp_path / 'newton-shifted.npz'}\n"
    meta = json.loads((tmp_path / "newton-shifted.json").read_text())["meta"]
    assert meta["problem"]["name"] == "chain" and meta["variant"] == "shifted"


def test_a_run_that_differs_exits_with_one(capsys, recorded):
    status, out, err = call(capsys, "check", str(recorded / "mine.npz"), "adam", "--no-diagnosis")
    assert (status, err) == (1, "") and "DIFFERS" in out and "step 2, `step`" in out
    status, out, _ = call(capsys, "check", str(recorded / "mine.npz"), "adam", "--set", "beta2=0.9")
    assert status == 0 and "beta2=0.9" in out
    status, _, err = call(capsys, "check", str(recorded / "mine.npz"), "adam", "--tolerance", "2", "--no-diagnosis")
    assert status == 2 and "tolerance must be" in err


def test_a_report_for_machines_is_strict_json(capsys, recorded):
    for method, expected in (("adam", 1), ("adamw", 1)):
        status, out, _ = call(capsys, "check", str(recorded / "mine.npz"), method, "--json", "--no-diagnosis")
        report = json.loads(out, parse_constant=pytest.fail)
        assert status == expected and report["agrees"] is False and report["first"]["quantity"] == "step"
        assert None in report["errors"]["step"]  # there is none at the start: no NaN in JSON


def test_a_difference_is_explained_by_the_variant(capsys, recorded):
    path = str(recorded / "adahessian-no-spatial-averaging.npz")
    assert call(capsys, "check", path, "adahessian")[0] == 0
    status, out, _ = call(capsys, "check", path, "adahessian", "--set", "block_size=9")
    assert status == 1 and "block_size" in out.splitlines()[1]


MISTAKES_OF_CHECKS = {
    "no file": (["check", "nowhere.npz", "adam"], "nowhere.npz"),
    "no run": (["check", "words.npz", "adam"], "'words.npz' is neither .npz nor .json of a recorded run"),
    "unknown method": (["check", "{mine}", "adm"], "unknown method 'adm' (did you mean 'adam'?)"),
    "too little on record": (["check", "{mine}", "newton"], "newton asks f, hess too"),
    "unknown hyper-parameter": (["check", "{mine}", "adam", "--set", "beta3=1"], "did you mean 'beta2'?"),
    "set of an option": (["check", "{mine}", "adam", "--set", "steps=3"], "steps is not a hyper-parameter"),
    "tolerance in words": (["check", "{mine}", "adam", "--tolerance", "small"], "invalid float value: 'small'"),
    "no folder": (["vectors", "adam"], "--out"),
    "folder that is a file": (["vectors", "adam", "--out", "words.npz"], "words.npz"),
    "unknown variant": (["vectors", "newton", "--out", "x", "--variant", "pur"], "did you mean 'pure'?"),
    "no steps": (["vectors", "adam", "--out", "x", "--steps", "0"], "steps must be at least 1; got 0"),
    "option of no problem": (["vectors", "adam", "--out", "x", "--with", "d=3"], "name it with --problem"),
    "problem without the oracle": (["vectors", "ddim", "--out", "x", "--problem", "chain"], "chain"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES_OF_CHECKS.values(), ids=MISTAKES_OF_CHECKS)
def test_a_mistake_in_a_check_is_one_line(capsys, recorded, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.npz").write_text("words")
    status, out, err = call(capsys, *(part.format(mine=recorded / "mine.npz") for part in arguments))
    assert (status, out, err.count("\n")) == (2, "", 1) and message in err
