"""A lab in JupyterLab, as `secondorder lab` starts it: the sliders move the picture, the kernel computes it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest

from secondorder.labs.scene import get_view, nearest

TOKEN = "a-token-of-this-test"
START = 120  # seconds at most for JupyterLab, and as many for the kernel
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def status(port, path):
    """The status of the answer to a request with no more than ``path``."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


@pytest.fixture
def lab(tmp_path):
    """The port of a JupyterLab over a fresh copy of the labs, and the folder of the copy."""
    pytest.importorskip("jupyterlab", reason="needs secondorder[lab]")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder, log = tmp_path / "labs", tmp_path / "server.log"
    own = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    script = "import sys; from secondorder.cli import main; sys.exit(main())"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "-c", script, "lab", str(folder), f"--port={port}", "--no-browser"],
            env={**os.environ, **own, "IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_TOKEN": TOKEN},
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        give_up = time.monotonic() + START
        while True:
            try:
                status(port, "/api")
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > give_up:
                    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")
                time.sleep(0.2)
        yield port, folder
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        ...
