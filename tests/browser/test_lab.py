"""A lab in JupyterLab, as `secondorder lab` starts it: a slider asks the kernel, and the picture is its answer."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from secondorder.labs import get_view

TOKEN = "of-this-test"
PATIENCE = 120  # seconds, for JupyterLab, for its page, and for the kernel
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass
class Lab:
    """A running JupyterLab."""

    port: int
    folder: Path

    def answer(self, path, method="GET", **headers):
        """The status of the answer to a request, and where it sends the client."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.getheader("Location", "")


@pytest.fixture
def lab(tmp_path):
    """JupyterLab over a fresh copy of the labs, with settings of its own; it ends with the test."""
    pytest.importorskip("jupyterlab", reason="needs secondorder[lab]")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        lab = Lab(free.getsockname()[1], tmp_path / "labs")
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_TOKEN": TOKEN}
    settings = {"ServerApp": {"allow_root": True, "port_retries": 0}}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "jupyter_server_config.json").write_text(json.dumps(settings))
    log = tmp_path / "log.txt"
    script = "from secondorder.cli import main; main()"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "-c", script, "lab", str(lab.folder), "--no-browser", f"--port={lab.port}"],
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError):
                lab.answer("/api")
                break
            if server.poll() is not None or time.monotonic() > end:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield lab
    finally:
        try:
            with suppress(OSError):  # has ended by itself
                lab.answer("/api/shutdown", "POST", Authorization=f"token {TOKEN}")
            server.wait(30)  # ends its kernels first
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def test_a_slider_moves_the_picture_to_what_the_kernel_answers(lab, tab, page_requests, look):
    assert lab.answer("/api/contents")[0] == 403
    assert lab.answer("/files/newton/lazy.ipynb") == (302, "/login?next=%2Ffiles%2Fnewton%2Flazy.ipynb")

    tab.set_viewport_size({"width": 1400, "height": 1000})
    tab.set_default_timeout(PATIENCE * 1000)
    tab.goto(f"http://127.0.0.1:{lab.port}/lab/tree/newton/lazy.ipynb?token={TOKEN}")
    tab.get_by_text(re.compile(r"^Python 3 .*\| Idle$")).wait_for()  # the status bar, on the kernel
    tab.locator(".jp-Notebook .jp-Cell").first.click()
    cells = json.loads((lab.folder / "newton" / "lazy.ipynb").read_text(encoding="utf-8"))["cells"]
    first = next(number for number, cell in enumerate(cells) if 'explore("lazy_path")' in "".join(cell["source"]))
    for _ in range(first + 1):
        tab.keyboard.press("Shift+Enter")
    explorer = tab.locator(".so-explorer").first
    explorer.locator(".so-panel > svg").first.wait_for()
    view = get_view("lazy_path")
    picture, sentence = look(explorer)
    assert sentence == view().sentence

    control = view.controls[0]
    explorer.locator("input").first.focus()
    tab.keyboard.press("ArrowRight")
    value = control.live[control.live.index(control.default) + 1]
    answer = view(**{control.name: value}).sentence
    explorer.locator(".so-sentence", has_text=answer).wait_for()
    assert look(explorer)[0] != picture
    assert tab.locator("[data-mime-type*='error'], [data-mime-type*='stderr']").count() == 0
    assert [url for url in page_requests if not url.startswith(f"http://127.0.0.1:{lab.port}/")] == []
