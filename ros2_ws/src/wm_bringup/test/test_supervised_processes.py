"""Processes as the supervisor finds, judges and ends them, what follows from an end, and the shared memory of the dead."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from wm_bringup.supervision.ends import End, after
from wm_bringup.supervision.processes import Condition, condition, far, find, kill, process
from wm_bringup.supervision.shared_memory import clean
from wm_core.launched import CANNOT_RUN

pytestmark = pytest.mark.ros


def test_a_process_is_found_by_its_node_and_its_launcher(monkeypatch):
    monkeypatch.setenv("WM_LAUNCHER_PID", str(os.getpid()))
    command = [sys.executable, "-c", "import time; time.sleep(60)", "--ros-args", "-r", "__node:=wm_lost"]
    other = subprocess.Popen(command, env={**os.environ, "WM_LAUNCHER_PID": "1"})
    time.sleep(0.2)
    assert find("wm_lost") is None
    mine = subprocess.Popen(command)
    time.sleep(0.2)
    assert find("wm_lost") == process(mine.pid) and find("wm_los") is None
    for child in (other, mine):
        child.kill()
        child.wait()


def test_a_process_of_several_nodes_is_found_by_each_of_them(monkeypatch):
    monkeypatch.setenv("WM_LAUNCHER_PID", str(os.getpid()))
    rules = [word for name in ("wm_lost", "wm_other") for word in ("-r", f"{name}:__node:={name}")]
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "--ros-args", *rules])
    time.sleep(0.2)
    try:
        assert find("wm_lost") == find("wm_other") == process(child.pid)
        assert find("lost") is None and find("wm_othe") is None
    finally:
        child.kill()
        child.wait()


def test_processes_are_known_by_their_start_too():
    child = subprocess.Popen(["sleep", "60"])
    found = process(child.pid)
    assert condition(found) is Condition.RUNNING
    kill(found._replace(started=found.started - 1))  # another process with the same id
    time.sleep(0.05)
    assert child.poll() is None
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(0.05)
    assert condition(found) is Condition.STOPPED
    kill(found)
    time.sleep(0.1)
    assert condition(found) is Condition.GONE  # not waited for yet
    child.wait()
    assert condition(found) is Condition.GONE and process(child.pid) is None
    kill(found)


@pytest.mark.parametrize("pid", [0, 2**22 + 1])
def test_a_process_that_is_not_there(pid):
    assert process(pid) is None


def test_shared_memory_of_the_dead_is_given_back(tmp_path):
    names = ("fastrtps_0123456789abcdef", "fastrtps_0123456789abcde0", "fastrtps_0123456789abcde1", "fastrtps_port7411")
    for name in names:
        (tmp_path / name).write_bytes(b"data")
        (tmp_path / f"{name}_el").touch()
        os.utime(tmp_path / f"{name}_el", (0, 0))
    os.utime(tmp_path / f"{names[2]}_el")  # just made
    with open(tmp_path / f"{names[1]}_el") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert clean(tmp_path) == 1
    assert not (tmp_path / names[0]).exists() and not (tmp_path / f"{names[0]}_el").exists()
    assert all((tmp_path / name).exists() and (tmp_path / f"{name}_el").exists() for name in names[1:])


@pytest.mark.parametrize(
    ("respawn", "final", "ends_all", "status", "end"),
    [
        (True, (), True, -9, End.BEGUN_ANEW),
        (True, (), True, 1, End.BEGUN_ANEW),
        (True, (), True, CANNOT_RUN, End.OF_ALL),
        (True, (), False, CANNOT_RUN, End.ALONE),
        (True, (0, 1), True, 1, End.OF_ALL),  # the supervisor gave up
        (True, (0, 1), True, -9, End.BEGUN_ANEW),
        (False, (), True, 0, End.OF_ALL),  # what was asked for is done
        (False, (), False, -9, End.ALONE),
    ],
)
def test_what_follows_from_an_end(respawn, final, ends_all, status, end):
    assert after(respawn, final, ends_all, status) is end


def test_processes_of_other_machines_differ_by_their_host():
    assert far(7, "a 1 1") == far(7, "a 1 1") != far(7, "b 1 1")
    assert far(7, "a 1 1").away and not process(os.getpid()).away
