"""The command line: list, show, run, compare, check, vectors, lab. Errors are one line, and exit with 2."""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from secondorder import __version__, problems
from secondorder.bibliography import entry
from secondorder.catalogue import Method, find, methods
from secondorder.history import History
from secondorder.run import Comparison, compare, minimize, sample

OPTIONS = {
    **dict.fromkeys(("x0", "tol"), "optimiser"),
    **dict.fromkeys(("steps", "seconds", "seed"), ""),
    **dict.fromkeys(("particles", "schedule", "spacing"), "sampler"),
}
"""What is passed on to the run, and for which kind of method."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 2 for a mistake in what was asked, or 1 when a run ended badly or differs."""
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
        status = options.command(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError, ImportError, KeyError) as error:
        message = " ".join(str(error).split())
        print(f"secondorder: error: {message}", file=sys.stderr)
        return 2


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(prog="secondorder", description="Second-order optimisation, to read, move and check.")
    parser.add_argument("--version", action="version", version=f"secondorder {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the methods and the problems")
    listing.add_argument("family", nargs="?", help="only this family")
    listing.set_defaults(command=_list)

    show = commands.add_parser("show", help="a method's source with its reference")
    show.add_argument("method")
    show.set_defaults(command=_show)

    for name, help, command in (
        ("run", "minimise a problem with a method, or draw samples", _run),
        ("compare", "minimise a problem with several methods, or draw samples", _compare),
    ):
        sub = commands.add_parser(name, help=help)
        sub.add_argument("method", nargs=1 if name == "run" else "+")
        sub.add_argument("--problem", required=True, help="such as rosenbrock, gaussian_mixture, logistic:FILE.libsvm")
        sub.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="a hyper-parameter of the method"
        )
        sub.add_argument(
            "--with", dest="having", action="append", default=[], metavar="NAME=VALUE", help="an option of the problem"
        )
        sub.add_argument("--x0", type=_numbers, help="the start, numbers separated by commas, as in --x0=-1.2,1")
        sub.add_argument("--tol", type=float)
        sub.add_argument("--steps", type=int)
        sub.add_argument("--particles", type=int, help="of a sampler: how many")
        sub.add_argument("--schedule", help="of a sampler: vp, ve or flow")
        sub.add_argument("--spacing", help="of a sampler: log_snr, uniform, quadratic or edm")
        sub.add_argument("--seconds", type=float)
        sub.add_argument("--seed", type=int, default=0)
        sub.add_argument("--plot", metavar="FILE", help="write the picture of convergence or particles (png, pdf, svg)")
        sub.add_argument(
            "--across", choices=("step", "cost", "seconds"), default="cost", help="what the picture runs along"
        )
        if name == "run":
            sub.add_argument("--save", metavar="FILE.npz", help="write the history")
        sub.set_defaults(command=command)

    check = commands.add_parser("check", help="hold a recorded run against the reference: 0 agrees, 1 differs")
    check.add_argument("file", metavar="FILE", help="a run as .npz or .json, see `secondorder vectors`")
    check.add_argument("method", help="the reference, a name of `secondorder list`")
    check.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a hyper-parameter of the reference"
    )
    check.add_argument(
        "--tolerance", type=float, help="relative, by default 1000 rounding units of the run's precision"
    )
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.add_argument("--no-diagnosis", action="store_true", help="do not search for what explains a difference")
    check.set_defaults(command=_check)

    vectors = commands.add_parser(
        "vectors", help="write conformance vectors: what the reference computes, for any language"
    )
    vectors.add_argument("method", help="a name of `secondorder list`")
    vectors.add_argument("--out", required=True, metavar="DIR", help="the folder to write to")
    vectors.add_argument("--variant", action="append", metavar="NAME", help="only this variant, or 'default'")
    vectors.add_argument("--steps", type=int, default=10)
    vectors.add_argument("--seed", type=int, default=0)
    vectors.add_argument("--problem", help="such as rosenbrock; by default a small one that suits the method")
    vectors.add_argument(
        "--with", dest="having", action="append", default=[], metavar="NAME=VALUE", help="an option of the problem"
    )
    vectors.set_defaults(command=_vectors)

    lab = commands.add_parser("lab", help="copy the labs to a folder of yours and open them in JupyterLab")
    lab.add_argument("folder", nargs="?", default="secondorder-labs")
    lab.add_argument("--port", type=int, default=8888)
    lab.add_argument("--no-browser", action="store_true")
    lab.add_argument("--copy-only", action="store_true", help="copy the labs, start nothing")
    lab.set_defaults(command=_lab)
    return parser


def _list(options: argparse.Namespace) -> int:
    for each in methods(options.family):
        print(f"{each.name:38}{each.family:15}{each.summary}")
    if options.family is None:
        print(f"\nproblems: {', '.join(problems.names())}")
    return 0


def _show(options: argparse.Namespace) -> int:
    info: Method = find(options.method).method  # type: ignore[attr-defined]
    print(inspect.getsource(sys.modules[info.function.__module__]))
    print(entry(info.paper))
    return 0


def _run(options: argparse.Namespace) -> int:
    _check_plot(options.plot)
    kind = find(options.method[0]).method.kind  # type: ignore[attr-defined]
    history = (sample if kind == "sampler" else minimize)(_problem(options), options.method[0], **_settings(options))
    _print(history)
    if options.save:
        history.save(options.save)
    return _finish(Comparison({history.method: history}), options)


def _compare(options: argparse.Namespace) -> int:
    _check_plot(options.plot)
    runs = compare(_problem(options), options.method, **_settings(options))
    for history in runs.values():
        (_print if history.particles else print)(history)
    return _finish(runs, options)


def _print(history: History) -> None:
    print(history)
    for name, value in history.optimality.items():
        print(f"  {name} = {value:.6g}")


def _check_plot(path: str | None) -> None:
    if path is not None and Path(path).suffix not in (".png", ".pdf", ".svg"):
        raise ValueError(f"--plot must name a .png, .pdf or .svg file; got {path!r}")


def _finish(runs: Comparison, options: argparse.Namespace) -> int:
    if options.plot:
        runs.plot(x=options.across).savefig(options.plot, dpi=150)
    return int(any(h.status in ("breakdown", "diverged", "stalled") for h in runs.values()))


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    settings = _assignments(options.set)
    clash = set(settings) & {*OPTIONS, "stop", "keep", "callback", "progress"}
    if clash:
        raise ValueError(f"{min(clash)} is not a hyper-parameter: use --{min(clash)}")
    kinds = {find(name).method.kind for name in options.method}  # type: ignore[attr-defined]
    given = {name: getattr(options, name) for name in OPTIONS if getattr(options, name) is not None}
    foreign = [name for name in given if OPTIONS[name] not in ("", *kinds)]
    if foreign:
        raise ValueError(f"--{foreign[0]} is for {OPTIONS[foreign[0]]}s; {', '.join(options.method)} is none")
    return settings | given


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas; got {text!r}") from None


def _problem(options: argparse.Namespace) -> Any:
    return problems.get(options.problem, **_assignments(options.having))


def _assignments(given: Sequence[str]) -> dict[str, Any]:
    values = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not (name and equals and text):
            raise ValueError(f"expected NAME=VALUE; got {item!r}")
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            values[name] = text
    return values


def _check(options: argparse.Namespace) -> int:
    from secondorder.validate import Report
    from secondorder.validate import check as held

    given = {"tolerance": options.tolerance, "diagnose": not options.no_diagnosis}
    settings = _assignments(options.set)
    clash = sorted({*inspect.signature(held).parameters} & set(settings))
    if clash:
        raise ValueError(f"{clash[0]} is not a hyper-parameter")
    report: Report = held(options.file, options.method, **given, **settings)
    if report.first is None and not report.steps and not report.failure:
        raise ValueError(report.verdict)
    print(report.to_json() if options.json else report)
    return int(not report.agrees)


def _vectors(options: argparse.Namespace) -> int:
    from secondorder.validate.vectors import write_vectors

    if options.having and options.problem is None:
        raise ValueError("--with is for a problem: name it with --problem")
    problem = None if options.problem is None else _problem(options)
    for path in write_vectors(
        options.method, options.out, variants=options.variant, problem=problem, steps=options.steps, seed=options.seed
    ):
        print(path)
    return 0


def _lab(options: argparse.Namespace) -> int:
    from secondorder.labs.notebooks import copy_labs, open_labs

    folder = copy_labs(options.folder)
    print(f"labs copied to {folder}")
    return 0 if options.copy_only else open_labs(folder, port=options.port, browser=not options.no_browser)
