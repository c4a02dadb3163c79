import runpy
from pathlib import Path

import pytest

from secondorder.labs.scene import VIEWS, view


@pytest.fixture
def demo():
    """The demo view, registered for the length of a test."""
    parts = runpy.run_path(str(Path(__file__).with_name("demo_view.py")))
    yield view(**parts["OPTIONS"])(parts["demo"])
    VIEWS.pop("demo", None)
