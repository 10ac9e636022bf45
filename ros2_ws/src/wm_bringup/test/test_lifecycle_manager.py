"""The lifecycle manager with real lifecycle nodes, one of which cannot be configured."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import rclpy
from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import State
from rosgraph_msgs.msg import Clock
from wm_msgs.msg import ActiveBundle, Heartbeat

from wm_bringup.embedded import Runner
from wm_bringup.graph_parts import Graph, Node
from wm_bringup.supervision.ends import GAVE_UP
from wm_core.heartbeat import QOS, TOPIC
from wm_core.qos import LATCHED, SENSOR

pytestmark = pytest.mark.ros
NODE = textwrap.dedent("""
    import sys
    from wm_core.lifecycle import WmNode
    from wm_core.node_process import run
    from wm_core.params import ConfigError

    class Part(WmNode):
        def __init__(self):
            super().__init__(sys.argv[1])
        def setup(self):
            if sys.argv[1] == "broken":
                raise ConfigError("the flux is missing; buy some")
        def start(self):
            self.get_logger().info("started")
        def stop(self):
            self.get_logger().info("stopped")

    sys.exit(run(Part))
""")


@pytest.fixture
def start():
    processes = []
    environment = {**os.environ, "ROS_DOMAIN_ID": "66", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}

    def start(*command, launcher=None):
        launched = {} if launcher is None else {"WM_LAUNCHER_PID": str(launcher)}
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | launched,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def manage(start, *names, **kwargs):
    arguments = "[" + ", ".join(f"'{name}'" for name in names) + "]"
    return start("-m", "wm_bringup.lifecycle_manager", "--ros-args", "-p", f"nodes:={arguments}", **kwargs)


def read_until(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"expected '{text}' in: {''.join(lines)}")


def test_nodes_are_brought_up_and_taken_down(start):
    one, two = start("-c", NODE, "one"), start("-c", NODE, "two")
    manager = manage(start, "one", "two")
    read_until(manager, "active")
    read_until(one, "started")
    read_until(two, "started")
    manager.send_signal(signal.SIGINT)
    assert manager.wait(15) == 0
    read_until(one, "stopped")


def test_a_second_stack_ends_and_leaves_the_first_alone(start):
    """Both would command one arm, and each supervisor would take the other's nodes for its own."""
    one = start("-c", NODE, "one", launcher=os.getpid())
    manager = manage(start, "one", launcher=os.getpid())
    read_until(manager, "active")
    start("-c", NODE, "one", launcher=os.getppid())
    second = manage(start, "one", launcher=os.getppid())
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1 and f"found one (process {one.pid}) of another launch" in output
    read_until(manager, "found one")  # said there, too
    assert manager.poll() is None and one.poll() is None


@pytest.fixture
def from_elsewhere():
    """Publishes a second of heartbeats of a node `one` on another host, of a launch that is there."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=66)
    node = rclpy.create_node("elsewhere", context=context)
    publisher = node.create_publisher(Heartbeat, TOPIC, QOS)

    def publish(state):
        for _ in range(10):
            publisher.publish(Heartbeat(node="one", host="elsewhere 01234567 1", pid=5, state=state))
            time.sleep(0.1)

    yield publish
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_a_second_stack_on_another_host_is_left_alone_and_leaves_alone(start, from_elsewhere):
    one = start("-c", NODE, "one", "--ros-args", "-r", "__node:=one", launcher=os.getpid())
    manager = manage(start, "one", launcher=os.getpid())
    read_until(manager, "active")
    from_elsewhere(State.PRIMARY_STATE_UNCONFIGURED)
    said = read_until(manager, "found one (process 5 of another machine or container) of another launch")
    assert "recovering" not in said and manager.poll() is None and one.poll() is None
    for process in (manager, one):
        process.kill()
        process.wait()
    start("-c", NODE, "one", "--ros-args", "-r", "__node:=one", launcher=os.getpid())
    second = manage(start, "one", "absent", launcher=os.getpid())  # it is not up before the other is heard
    for _ in range(20):
        from_elsewhere(State.PRIMARY_STATE_ACTIVE)
        if second.poll() is not None:
            break
    output, _ = second.communicate(timeout=5)
    assert second.returncode == GAVE_UP and "failed: expected no other wm" in output and "active" not in output


def test_a_node_that_cannot_be_configured_is_named(start):
    start("-c", NODE, "good")
    broken = start("-c", NODE, "broken")
    manager = manage(start, "good", "broken")
    output, _ = manager.communicate(timeout=60)
    assert manager.returncode == 1
    assert "failed: broken could not configure: the flux is missing; buy some" in output
    read_until(broken, "the flux is missing; buy some")
    assert broken.poll() is None  # it lives, and could be mended


def test_a_stop_during_bring_up_is_no_success(start):
    start("-c", NODE, "one")
    manager = manage(start, "one", "absent")
    read_until(manager, "starting")
    manager.send_signal(signal.SIGINT)
    output, _ = manager.communicate(timeout=20)
    assert manager.returncode == 0
    assert "active" not in output and "stopped" in output


MORTAL = textwrap.dedent("""
    import os, sys
    from wm_core.lifecycle import WmNode
    from wm_core.node_process import run

    class Part(WmNode):
        def __init__(self):
            super().__init__("part")
        def start(self):
            self.every(0.3, os.abort, wall=True)

    sys.exit(run(Part))
""")


def test_a_node_that_dies_again_and_again_ends_everything(tmp_path, monkeypatch, capfd):
    (tmp_path / "mortal.py").write_text(MORTAL)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setenv("ROS_DOMAIN_ID", "66")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    given = {"nodes": ["part"], "max_restarts": 2, "restart_delay": 0.1}
    module = "wm_bringup.lifecycle_manager"
    manager = Node("wm_bringup", "", module, "wm_lifecycle_manager", given, respawn=True, final=(0, GAVE_UP))
    part = Node("wm_bringup", "", "mortal", "part", respawn=True)
    assert Runner(Graph((part, manager), (), "", "info", {})).run() == GAVE_UP
    out = capfd.readouterr().out
    assert out.count("part ended with signal SIGABRT: it is started again") == 3
    assert "failed: part died; failure 3 within 120 s" in out


INFORMED = textwrap.dedent("""
    import sys
    from wm_core.lifecycle import WmNode
    from wm_core.node_process import run
    from wm_core.params import Param

    class Part(WmNode):
        PARAMETERS = (Param("bundle", "old", "a folder"), Param("start_time", 0.0, "[s]"))
        def __init__(self):
            super().__init__(sys.argv[1])
        def setup(self):
            self.get_logger().info(f"bundle {self.value('bundle')}, from {self.value('start_time'):.0f} s on")

    sys.exit(run(Part))
""")


def test_a_restarted_node_gets_to_know_what_happened_since_the_launch(start):
    """The bundle that was swapped in, and how far simulated time has come."""

    def part(name):
        return start("-c", INFORMED, name, "--ros-args", "-p", f"use_sim_time:={str(name != 'wm_sim').lower()}")

    planner, sim = part("wm_planner"), part("wm_sim")
    settings = ("nodes:=['wm_planner', 'wm_sim']", "simulated_time:=true", "restart_delay:=0.1")
    options = [option for setting in settings for option in ("-p", setting)]
    manager = start("-m", "wm_bringup.lifecycle_manager", "--ros-args", *options)
    for process in (planner, sim):
        read_until(process, "bundle old, from 0 s on")
    read_until(manager, "]: active")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=66)
    outside = rclpy.create_node("outside", context=context)
    bundle = outside.create_publisher(ActiveBundle, "wm/active_bundle", LATCHED)
    clock = outside.create_publisher(Clock, "/clock", SENSOR)
    bundle.publish(ActiveBundle(folder="/new"))
    for _ in range(20):
        clock.publish(Clock(clock=Time(sec=1234)))
        time.sleep(0.1)
    for name, process, line in (
        ("wm_planner", planner, "bundle /new, from 0 s on"),
        ("wm_sim", sim, "bundle old, from 1234 s on"),
    ):
        process.kill()
        process.wait()
        read_until(part(name), line)
        read_until(manager, "]: active")
    outside.destroy_node()
    rclpy.shutdown(context=context)
