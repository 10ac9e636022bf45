"""Two launches, as on two machines: arm_real drives the stand-in, and does not know that it is no robot."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from wm_bringup.graph_parts import config

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(500)]
ENVIRONMENT = {**os.environ, "ROS_DOMAIN_ID": "76", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
# Nobody need hold the enabling key.
UNGUIDED = "/**/wm_guard:\n  ros__parameters: {enable_required: false}\n"


def wm(*words: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "wm_bringup.cli", *words]
    return subprocess.Popen(command, env=ENVIRONMENT, text=True, **options)


@pytest.fixture
def launched(tmp_path) -> Iterator[list]:
    """What both launches print, in files."""
    (tmp_path / "parameters.yaml").write_text(config("camera_realsense.yaml").read_text() + UNGUIDED)
    words = {
        "robot_stand_in": ["robot:=ur5e", "camera:=realsense"],
        "arm_real": ["robot:=ur5e", "rig:=one_camera", "driver:=none", "autostart:=true"]
        + [f"params_file:={tmp_path / 'parameters.yaml'}"],
    }
    logs, processes = [tmp_path / f"{name}.log" for name in words], []
    for (name, arguments), log in zip(words.items(), logs, strict=True):
        with open(log, "w") as file:
            processes.append(wm("launch", f"{name}.launch.py", *arguments, stdout=file, stderr=subprocess.STDOUT))
    yield logs
    for process in reversed(processes):
        process.send_signal(signal.SIGINT)
    try:
        for process in processes:
            process.wait(60)
    finally:
        for process in processes:
            process.kill()


def test_arm_real_reaches_a_goal_on_the_stand_in(launched):
    _, log = launched
    deadline = time.monotonic() + 180
    while "[wm_lifecycle_manager]: active" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)
    said = []
    for _ in range(4):  # on a busy machine some goals take longer than a person would wait
        goal = wm("goal", "0.5", "0.1", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said.append(goal.communicate(timeout=60)[0])
        if goal.returncode == 0:
            return
    pytest.fail("\n".join([*said, *(log.read_text()[-3000:] for log in launched)]))
