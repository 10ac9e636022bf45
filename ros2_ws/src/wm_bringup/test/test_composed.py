"""One process of three nodes in a running stack: when it dies or stops, all three become active again, and the others go on."""

import os
import signal
import subprocess
import sys

import pytest
import supervised

from wm_bringup.graph_parts import COMPOSED

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(300)]
DOMAIN = 68


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("composed")
    environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    arguments = ["composed:=true", "headless:=true", "picture:=false", "episodes:=none"]
    command = [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *arguments]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    watcher = supervised.Watcher(DOMAIN)
    watcher.process = process
    yield watcher
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(90) == 0
    finally:
        process.kill()
        watcher.close()


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_all_nodes_of_the_process_become_active_again(stack, how):
    stack.wait(lambda: stack.status == "active" and stack.pids.keys() >= {*COMPOSED, "wm_guard"}, 90, "an active stack")
    before = dict(stack.pids)
    assert len({before[name] for name in COMPOSED}) == 1
    assert before["wm_guard"] not in {before[name] for name in COMPOSED}
    os.kill(before["wm_planner"], supervised.NUMBERS[how])
    stack.wait(lambda: stack.status.startswith("recovering"), 20, "the supervisor to notice")
    stack.wait(lambda: all(stack.pids[name] != before[name] for name in COMPOSED), 60, "another process")
    stack.wait(lambda: stack.status == "active", 90, "recovery")
    assert len({stack.pids[name] for name in COMPOSED}) == 1
    assert stack.pids["wm_guard"] == before["wm_guard"] and stack.process.poll() is None
    assert not supervised.alive(before["wm_planner"])
