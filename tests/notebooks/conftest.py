import asyncio

import pytest

from secondorder.labs.notebooks import labs

NOTEBOOKS = sorted(file for file in labs().rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts)
STATE = "application/vnd.jupyter.widget-state+json"


def name(file):
    return file.relative_to(labs()).as_posix()


def pytest_generate_tests(metafunc):
    if "notebook_file" in metafunc.fixturenames:
        metafunc.parametrize("notebook_file", NOTEBOOKS, ids=name)


@pytest.fixture
def notebook(notebook_file):
    """A notebook as it is stored."""
    nbformat = pytest.importorskip("nbformat", reason="needs secondorder[lab]")
    return nbformat.read(notebook_file, as_version=4)


async def listen(client):
    """Look for messages that came unnoticed: on a busy machine the event loop sometimes misses the one sign that a socket
    gives, and a cell that is done waits for its time limit."""
    zmq = pytest.importorskip("zmq", reason="needs secondorder[lab]")
    while True:
        await asyncio.sleep(0.5)
        for channel in (client.kc.shell_channel, client.kc.iopub_channel):
            channel.socket.get(zmq.EVENTS)


@pytest.fixture
def execute(tmp_path):
    """Run the cells of a notebook in a fresh kernel, in an empty folder; errors stay in its outputs."""
    nbclient = pytest.importorskip("nbclient", reason="needs secondorder[lab]")

    def execute(notebook):
        client = nbclient.NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            allow_errors=True,
            store_widget_state=True,
            resources={"metadata": {"path": str(tmp_path)}},
        )
        listening = []
        client.on_notebook_start = lambda **_: listening.append(asyncio.ensure_future(listen(client)))
        client.on_notebook_complete = lambda **_: listening.pop().cancel()
        try:
            return client.execute()
        except RuntimeError as error:
            if "died before replying" not in str(error):
                raise
            return client.execute()  # two kernels that start together may draw the same port

    return execute


@pytest.fixture
def mishaps():
    """What went wrong in an executed notebook, also where a widget hides it."""
    return find_mishaps


def find_mishaps(notebook):
    found = [text for cell in notebook.cells for text in map(_mishap, cell.get("outputs", ())) if text]
    widgets = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    for widget in widgets.values():
        state = widget["state"]
        if state.get("error"):  # an explorer whose view failed
            found.append(state["error"])
        found += [text for text in map(_mishap, state.get("outputs", ())) if text]  # an Output, as in interact
    return found


def _mishap(output):
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    parts = [output.get("text", ""), *output.get("data", {}).values()]
    return next((text for text in map(str, parts) if "Traceback (most recent call last)" in text), None)
