"""Faults in one running stack, in real time: what dies or hangs is restarted, and the goal goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest
import supervised

from wm_bags.storage.reading import Bag

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(420)]
DOMAIN = 67
FAULTS = [
    ("wm_perception", "killed"),
    ("wm_dynamics", "hung"),
    ("wm_planner", "killed"),
    ("wm_guard", "hung"),
    ("wm_sim", "killed"),
    ("wm_bundle_manager", "hung"),
    ("wm_recorder", "killed"),
    ("wm_lifecycle_manager", "killed"),
    ("wm_lifecycle_manager", "hung"),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A stack in real time that gives goal after goal and records: its process, an outside view and the recording."""
    folder = tmp_path_factory.mktemp("stack")
    environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    arguments = ["headless:=true", f"picture:={folder}/p.png", f"record:={folder}/bag"]
    command = [sys.executable, "-m", "wm_bringup.cli", "launch", "arm_sim.launch.py", *arguments]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    watcher = supervised.Watcher(DOMAIN)
    watcher.folder, watcher.process = folder, process
    yield watcher
    process.kill()
    watcher.close()


@pytest.mark.parametrize(("name", "how"), FAULTS)
def test_what_dies_or_hangs_is_restarted_and_the_goal_goes_on(stack, name, how):
    rest, active, pursuing = stack.fault(name, supervised.NUMBERS[how])
    print(f"{name} {how}: at rest after {rest:.2f} s, active after {active:.1f} s, goal pursued after {pursuing:.1f} s")
    if name not in supervised.WITHOUT:
        assert rest < 1.0  # however busy the machine
    assert stack.process.poll() is None


def test_an_emergency_stop_outlives_the_guard(stack):
    stack.wait(stack.pursuing, 60, "a goal")
    assert stack.call("wm/e_stop").success
    stack.spin(1.0)
    stack.e_stops.clear()
    old = stack.pids["wm_guard"]
    os.kill(old, signal.SIGKILL)
    stack.wait(lambda: stack.pids["wm_guard"] != old, 30, "another guard")
    stack.wait(lambda: stack.status == "active", 60, "recovery")
    stack.spin(2.0)
    assert set(stack.e_stops) == {True} and time.monotonic() - stack.moved_at > 2.0
    assert stack.call("wm/e_stop_reset").success
    stack.wait(stack.pursuing, 60, "the goal")


def test_a_killed_runner_leaves_no_process_and_the_recordings_complete(stack):
    stack.wait(lambda: stack.status == "active", 30, "an active stack")
    stack.process.kill()
    end = time.monotonic() + 15  # the recorder finishes its bag
    while any(map(supervised.alive, stack.pids.values())):
        assert time.monotonic() < end
        time.sleep(0.1)
    first, second = stack.folder / "bag", stack.folder / "bag_2"
    assert "recorded into" in (stack.folder / "log").read_text()
    ends = []
    for bag in (first, second):
        with Bag(bag) as reader:
            span = reader.span()
        assert span is not None
        ends.append(span)
    gap = (ends[1][0] - ends[0][1]) / 1e9
    assert 0 < gap < 15  # until the new recorder was there
