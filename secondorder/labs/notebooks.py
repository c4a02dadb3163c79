"""The labs as files: where they are, a copy for the reader, JupyterLab over it, and a method's source in a cell."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from secondorder.catalogue import find
from secondorder.labs.exercise import student, tagged


def labs() -> Path:
    """The folder of the labs, in the installed package or in a checkout."""
    packaged = Path(str(files("secondorder.labs"))) / "notebooks"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "notebooks"


def copy_labs(folder: str | Path) -> Path:
    """Copy the labs into ``folder`` and return it. A file that is already there is the reader's and is kept.

    An exercise is copied without its solution; the whole of it goes to the folder ``solutions``.

    Raises ``NotADirectoryError`` when ``folder`` is a file.
    """
    target = Path(folder).expanduser().resolve()
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file: name a folder for the labs")
    for source in sorted(labs().rglob("*.ipynb")):
        if ".ipynb_checkpoints" in source.parts:
            continue
        place = source.relative_to(labs())
        text = source.read_text(encoding="utf-8")
        notebook = json.loads(text)
        if tagged(notebook, "solution"):
            _keep_or_write(target / "solutions" / place, text)
            text = json.dumps(student(notebook), indent=1, ensure_ascii=False) + "\n"
        _keep_or_write(target / place, text)
    return target


def _keep_or_write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(text, encoding="utf-8")


def open_labs(folder: Path, port: int = 8888, browser: bool = True) -> int:
    """Start JupyterLab over ``folder`` on localhost with its token on; returns its exit status."""
    try:
        import jupyterlab  # noqa: F401
    except ImportError as error:
        raise ImportError("the labs need JupyterLab: pip install 'secondorder[lab]'") from error
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += [f"--ServerApp.root_dir={folder}"] + ([] if browser else ["--no-browser"])
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container; JupyterLab would refuse
        command.append("--allow-root")
    try:
        return subprocess.run(command).returncode
    except KeyboardInterrupt:
        return 0


def source(method: str) -> Any:
    """Put the source of a method in a new cell below, to be edited and run; outside a notebook, return it.

    It is the whole module, so that it runs as it stands, with docstrings cut to their first paragraph. The edited copy
    is a method like any other: pass it as ``method=`` to a view or to ``minimize``.

    >>> source("newton").splitlines()[0]
    '\"\"\"Newton\\'s method, pure and with a line search.\"\"\"'
    """
    module = sys.modules[find(method).method.function.__module__]  # type: ignore[attr-defined]
    text = _brief(inspect.getsource(module))
    shell = _shell()
    if shell is None:
        return text
    shell.set_next_input(text.rstrip(), replace=False)
    return None


def _brief(text: str) -> str:
    """The source ``text`` with the docstring of each function cut to its first paragraph."""
    lines = text.splitlines()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda node: -node.lineno):
        first = function.body[0]
        if ast.get_docstring(function) and "" in lines[first.lineno : first.end_lineno]:
            end = lines.index("", first.lineno)
            lines[end - 1 : first.end_lineno] = [lines[end - 1] + '"""']
    return "\n".join(lines) + "\n"


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
