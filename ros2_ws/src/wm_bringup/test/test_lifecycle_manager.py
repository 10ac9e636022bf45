"""The lifecycle manager with real lifecycle nodes, one of which cannot be configured."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

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

    def start(*command):
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def manage(start, *names):
    arguments = "[" + ", ".join(f"'{name}'" for name in names) + "]"
    return start("-m", "wm_bringup.lifecycle_manager", "--ros-args", "-p", f"nodes:={arguments}")


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
