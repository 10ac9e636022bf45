"""Two launches, as on two machines: arm_real drives the stand-in, and does not know that it is no robot."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from wm_bringup.graph_parts import config
from wm_core.paths import bundles_dir
from wm_core.registry import Registry
from wm_data.labels import labelled
from wm_data.loading import load_data

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(500)]
ENVIRONMENT = {**os.environ, "ROS_DOMAIN_ID": "76", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
# Nobody need hold the enabling key; a recording has no truth in it.
UNGUIDED = "/**/wm_guard:\n  ros__parameters: {enable_required: false}\n"
UNGUIDED += "/**/wm_recorder:\n  ros__parameters: {exclude: ground_truth}\n"  # which no robot publishes


def wm(*words: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "wm_bringup.cli", *words]
    return subprocess.Popen(command, text=True, **{"env": ENVIRONMENT, **options})


@contextmanager
def launched(folder: Path, stand_in: Sequence[str] = (), real: Sequence[str] = ()) -> Iterator[tuple]:
    """Both launches with these arguments too: the process of arm_real, and what both print, in files."""
    (folder / "parameters.yaml").write_text(config("camera_realsense.yaml").read_text() + UNGUIDED)
    words = {
        "robot_stand_in": ["robot:=ur5e", "camera:=realsense", *stand_in],
        "arm_real": ["robot:=ur5e", "rig:=one_camera", "driver:=none", "autostart:=true", *real]
        + [f"params_file:={folder / 'parameters.yaml'}"],
    }
    logs, processes = [folder / f"{name}.log" for name in words], []
    env = {**ENVIRONMENT, "WM_REGISTRY": str(folder / "registry")}
    for (name, arguments), log in zip(words.items(), logs, strict=True):
        with open(log, "w") as file:
            options = {"env": env, "stdout": file, "stderr": subprocess.STDOUT}
            processes.append(wm("launch", f"{name}.launch.py", *arguments, **options))
    try:
        yield processes[-1], logs
        for process in reversed(processes):
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait(60)
    finally:
        for process in processes:
            process.kill()


def test_what_arm_real_explores_becomes_labelled_data_without_ground_truth(tmp_path):
    real = ("explore:=0.5", f"record:={tmp_path / 'explored'}")
    with launched(tmp_path, ("sensor:=realistic",), real) as (process, logs):
        assert process.wait(300) == 0, logs[1].read_text()[-3000:]
    data = load_data([tmp_path / "explored"], tmp_path)
    assert np.isnan(data.objects).all() and not data.video
    assert len(data.episode) > 100 and data.worlds == ["recorded"] and set(data.seeds) == {-1}
    assert len(labelled(data).episode) > 0.25 * len(data.episode)  # none once it has pushed the object out of its reach


def test_arm_real_reaches_a_goal_on_the_stand_in(tmp_path):
    with launched(tmp_path) as (_, logs):
        reach_a_goal(logs)


def test_arm_real_takes_over_a_bundle_that_is_promoted_meanwhile(tmp_path):
    registry = Registry(tmp_path / "registry")
    learned = registry.add(bundles_dir() / "default", "fine-tuned", id="learned-here")
    with launched(tmp_path, real=("bundle:=promoted",)) as (_, logs):
        said(logs[1], "[wm_lifecycle_manager]: active")
        registry.promote(learned.id, "passed the gate")
        for node in ("wm_perception", "wm_dynamics", "wm_planner"):
            said(logs[1], f"[{node}]: computes with learned-here")


def said(log: Path, what: str) -> None:
    deadline = time.monotonic() + 180
    while what not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)


def reach_a_goal(logs):
    said(logs[1], "[wm_lifecycle_manager]: active")
    answers = []
    for _ in range(4):  # on a busy machine some goals take longer than a person would wait
        goal = wm("goal", "0.5", "0.1", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        answers.append(goal.communicate(timeout=60)[0])
        if goal.returncode == 0:
            return
    pytest.fail("\n".join([*answers, *(log.read_text()[-3000:] for log in logs)]))
