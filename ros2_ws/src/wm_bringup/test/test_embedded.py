"""The embedded runner with small real processes: exit status, Ctrl-C, nothing left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest

from wm_bringup.embedded import Runner
from wm_bringup.graph_parts import Graph, Node

pytestmark = pytest.mark.ros

SLEEPER = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *a: sys.exit(0))
print('ready', flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
for s in (signal.SIGINT, signal.SIGTERM):
    signal.signal(s, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(60)
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Writes modules that the runner can start with python -m."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(**sources):
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
        return Graph(tuple(Node("test", name, name, name) for name in sources), (), "", "info", {"GREETING": "hello"})

    return write


def test_the_first_end_ends_all_and_gives_the_status(modules, capfd):
    graph = modules(sleeper=SLEEPER, worker="import sys, time; time.sleep(0.5); print('done'); sys.exit(3)")
    assert Runner(graph).run() == 3
    out = capfd.readouterr().out
    assert "[worker] done" in out and "worker ended with exit status 3" in out


def test_a_clean_end_is_status_0(modules):
    assert Runner(modules(sleeper=SLEEPER, worker="import time; time.sleep(0.3)")).run() == 0


def test_the_end_of_a_client_is_reported_and_the_others_go_on(modules, capfd):
    graph = modules(client="import sys; sys.exit(3)", worker="import time; time.sleep(1.5); print('done')")
    client, worker = graph.nodes
    graph = replace(graph, nodes=(replace(client, ends_all=False), worker))
    assert Runner(graph).run() == 0
    out = capfd.readouterr().out
    assert out.count("client ended with exit status 3: the others go on") == 1 and "[worker] done" in out


def test_the_environment_of_the_graph_reaches_the_nodes(modules, capfd):
    Runner(modules(worker="import os; print(os.environ['GREETING'])")).run()
    assert "[worker] hello" in capfd.readouterr().out


def test_a_crash_is_named(modules, capfd):
    assert Runner(modules(sleeper=SLEEPER, worker="import os; os.abort()")).run() == 128 + signal.SIGABRT
    assert "signal SIGABRT" in capfd.readouterr().out


def start_runner(tmp_path, longest=8.0, **sources):
    """A runner in a process of its own, and the process ids of its children once they are ready."""
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source.replace("'ready'", "'pid', __import__('os').getpid()"))
    script = textwrap.dedent(f"""
        import wm_bringup.embedded as e
        from wm_bringup.graph_parts import Graph, Node
        e.GRACE_S = e.KILL_S = 0.5
        e.LONGEST_S = {longest}
        nodes = tuple(Node("test", n, n, n) for n in {list(sources)!r})
        raise SystemExit(e.Runner(Graph(nodes, (), "", "info", {{}})).run())
    """)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    runner = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    pids = []
    while len(pids) < len(sources):
        line = runner.stdout.readline()
        assert line, "the runner ended early"
        if " pid " in line:
            pids.append(int(line.split()[-1]))
    return runner, pids


def gone(pid, seconds=5.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_with_status_0(tmp_path, number):
    runner, pids = start_runner(tmp_path, one=SLEEPER, two=SLEEPER)
    runner.send_signal(number)
    assert runner.wait(10) == 0
    assert all(gone(pid) for pid in pids)


def test_stubborn_processes_are_killed(tmp_path):
    runner, pids = start_runner(tmp_path, one=STUBBORN)
    runner.send_signal(signal.SIGINT)
    assert runner.wait(10) == 0
    assert all(gone(pid) for pid in pids)


BUSY = """
import signal, sys, time
def end(*_):
    until = time.monotonic() + {seconds}
    while time.monotonic() < until:  # writes, closes, frees: on a loaded machine this takes long
        pass
    print('closed', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('ready', flush=True)
time.sleep(60)
"""


def test_who_still_works_is_given_time_to_end(tmp_path):
    """After GRACE_S it was killed: "wm_sim did not end: SIGKILL"."""
    runner, pids = start_runner(tmp_path, worker=BUSY.format(seconds=2), other=SLEEPER)
    runner.send_signal(signal.SIGTERM)
    out = runner.stdout.read()
    assert runner.wait(10) == 0
    assert "closed" in out and "did not end" not in out


def test_but_not_for_ever(tmp_path):
    runner, pids = start_runner(tmp_path, longest=1.5, worker=BUSY.format(seconds=50), other=SLEEPER)
    runner.send_signal(signal.SIGTERM)
    out = runner.stdout.read()
    assert runner.wait(20) == 0
    assert "worker did not end within" in out and "other" not in out.partition("did not end")[0].splitlines()[-1]
    assert all(gone(pid) for pid in pids)


HANGING = """
import faulthandler, signal, time
def waits_for_what_never_comes():
    time.sleep(60)
faulthandler.register(signal.SIGUSR1)
signal.signal(signal.SIGTERM, lambda *_: waits_for_what_never_comes())
print('ready', flush=True)
time.sleep(60)
"""


def test_who_hangs_says_where_before_it_is_killed(tmp_path):
    runner, pids = start_runner(tmp_path, one=HANGING)
    runner.send_signal(signal.SIGTERM)
    out = runner.stdout.read()
    assert runner.wait(10) == 0
    assert "one did not end within" in out and "waits_for_what_never_comes" in out


def test_no_orphans_when_the_runner_is_killed(tmp_path):
    runner, pids = start_runner(tmp_path, one=STUBBORN)
    runner.kill()
    runner.wait(5)
    assert all(gone(pid) for pid in pids)
