"""What wm_recorder and its verb refuse, by name and before anything is recorded."""

import re
import subprocess
import sys

import pytest

from wm_core.launched import CANNOT_RUN

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("compression:=rar", "compression"),
        ("triggers:=[boredom]", "triggers.*boredom"),
        ("min_free_bytes:=1000000000000000", "expected 1000000000 MB to stay free"),
        ("regex:=(", "regex: expected a regular expression"),
    ],
)
def test_what_cannot_be_recorded_is_refused_by_name(tmp_path, parameter, expected):
    command = [
        sys.executable,
        "-m",
        "wm_bags.record.recorder",
        "--ros-args",
        "-p",
        f"folder:={tmp_path / 'bag'}",
        "-p",
        parameter,
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == CANNOT_RUN and "cannot record" in result.stdout
    assert re.search(expected, result.stdout)


def test_an_existing_folder_is_refused(tmp_path):
    (tmp_path / "bag").mkdir()
    command = [sys.executable, "-m", "wm_bringup.cli", "record", tmp_path / "bag"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "expected a new folder" in result.stderr
