"""Shared by the tests of the entry script: a way to call its shell functions."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what the entry script reads, where nothing is set up."""
    for name in ("wm", "packages.apt", "constraints.txt", "tools", *(path.name for path in ROOT.glob("requirements*"))):
        (tmp_path / name).symlink_to(ROOT / name)
    package = tmp_path / "ros2_ws/src/wm_example"
    package.mkdir(parents=True)
    (package / "package.xml").write_text("<package/>")
    return tmp_path


@pytest.fixture
def shell(checkout: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs a bash script with the functions of tools/ loaded and ROOT = `checkout`, outside of any ROS 2."""

    def run(script: str) -> subprocess.CompletedProcess:
        head = f'set -euo pipefail; ROOT="{checkout}"; . "$ROOT/tools/environment.sh"; . "$ROOT/tools/setup.sh"\n'
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(checkout)}
        return subprocess.run(["bash", "-c", head + script], capture_output=True, text=True, env=environment)

    return run
