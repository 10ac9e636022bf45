"""Processes that do not outlive their launcher, however it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.ros

CHILD = """
import os, signal, sys, time
from wm_core.launched import die_with_launcher
if sys.argv[1] == "late":
    os.kill(int(os.environ["WM_LAUNCHER_PID"]), signal.SIGKILL)
    time.sleep(0.3)
def stop(number, frame):
    open(sys.argv[2], "w").write("finished")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
die_with_launcher(clean=sys.argv[1] == "clean")
print(os.getpid(), flush=True)
time.sleep(60)
"""
LAUNCHER = """
import os, subprocess, sys, time
os.environ["WM_LAUNCHER_PID"] = str(os.getpid())
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
print(child.pid, flush=True)
time.sleep(60)
"""


def gone(pid):
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("how", ["at once", "clean", "late"])
def test_a_process_ends_with_its_launcher(tmp_path, how, number):
    done = tmp_path / "done"
    command = [sys.executable, "-c", LAUNCHER, CHILD, how, str(done)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    child = int(launcher.stdout.readline())
    if how != "late":
        assert int(launcher.stdout.readline()) == child
        launcher.send_signal(number)
    launcher.wait(10)
    assert gone(child)
    assert done.exists() == (how == "clean")


def test_without_a_launcher_nothing_changes(monkeypatch):
    from wm_core.launched import die_with_launcher

    monkeypatch.delenv("WM_LAUNCHER_PID", raising=False)
    die_with_launcher()
