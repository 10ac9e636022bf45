"""Bundles swapped in the running graph: in at a safe moment without a missed cycle, and out again when they are bad."""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
import rclpy
from _bad_bundles import nonsense
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from wm_msgs.msg import ActiveBundle, Belief, Command, Observation, PredictionError

from wm_bringup.swap import VISIBLE, missed
from wm_bringup.swap_watch import BLOCK, LiveErrors
from wm_core.conversions import object_xy
from wm_core.qos import LATCHED, STATE
from wm_core.registry import FORCED, PROMOTED, ROLLED_BACK, STARTED, Registry
from wm_core.stamps import to_ns

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(400)]
DOMAIN = 72
STEP_NS = 100_000_000
AROUND_NS = 2_000_000_000
EVERY = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)  # however late this process gets its turn


class Robot:
    """The launched graph, and what it says."""

    def __init__(self, registry):
        self.registry = registry
        environment = {
            **os.environ,
            "ROS_DOMAIN_ID": str(DOMAIN),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "WM_REGISTRY": str(registry.folder),
        }
        words = ["launch", "arm_sim.launch.py", "bundle:=promoted", "real_time:=false"]
        self.log = registry.folder.parent / "log"
        with open(self.log, "w") as log:
            command = [sys.executable, "-m", "wm_bringup.cli", *words]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        self.context = rclpy.context.Context()
        rclpy.init(context=self.context, domain_id=DOMAIN)
        self.me = rclpy.create_node("person", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.me)
        self.active, self.stamps, self.models = [], [], []
        self.states = []  # that wm_bundle_manager says in its diagnostics
        self.errors = defaultdict(LiveErrors)  # by bundle, as wm_bundle_manager counts them
        self.me.create_subscription(ActiveBundle, "wm/active_bundle", self.active.append, LATCHED)
        self.me.create_subscription(Command, "wm/command", lambda m: self.stamps.append(to_ns(m.header.stamp)), EVERY)
        self.me.create_subscription(Belief, "wm/belief", lambda m: self.models.append(m.model_id), STATE)
        self.me.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, EVERY)
        self.me.create_subscription(Observation, "wm/observation", self._on_observation, EVERY)
        self.me.create_subscription(PredictionError, "wm/prediction_error", self._on_error, EVERY)

    def _on_observation(self, message):
        seen = message.objects[0].visibility > VISIBLE
        self.errors[message.model_id].observe(to_ns(message.header.stamp), *object_xy(message.objects), seen)

    def _on_diagnostics(self, message):
        for status in message.status:
            if "bundle_manager" in status.name:
                self.states += [pair.value for pair in status.values if pair.key == "state"]

    def _on_error(self, message):
        self.errors[message.model_id].add(to_ns(message.header.stamp), message.error)

    def until(self, condition, seconds=90.0):
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.05)
        assert condition(), self.log.read_text()[-5000:]

    def goes_on(self):
        count = len(self.stamps)
        self.until(lambda: len(self.stamps) > count + 10, 30)

    def missed(self):
        """Control cycles without a command in the seconds around every change of bundles; at a new scene one may miss."""
        changes = [to_ns(active.header.stamp) for active in self.active[1:]]
        return [missed([s for s in self.stamps if abs(s - at) <= AROUND_NS], STEP_NS) for at in changes]

    def manager(self):
        """Process id of wm_bundle_manager."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(pid) for pid in children if b"bundle_manager" in Path(f"/proc/{pid}/cmdline").read_bytes())

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self.me.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def robot(tmp_path):
    robot = Robot(Registry(tmp_path / "registry"))
    yield robot
    robot.end()


def test_promoted_bundles_come_into_use_and_bad_ones_go_again(robot, another, tmp_path):
    registry = robot.registry
    root = registry.promoted().id
    robot.until(lambda: robot.active and len(robot.stamps) > 30)
    assert (robot.active[0].model_id, robot.active[0].reason) == (root, STARTED)

    registry.add(another)
    registry.promote("another", "to try")
    robot.until(lambda: robot.active[-1].model_id == "another")
    assert robot.active[-1].previous_id == root and robot.active[-1].reason == f"{PROMOTED}: to try"
    assert robot.models[-1] == "another"
    assert max(robot.missed()) <= 1, robot.missed()

    torn = registry.add(another, id="torn").id
    (registry.path(torn) / "filter.onnx").write_bytes(b"no graph")
    registry.promote(torn, "not looked at", forced=True)
    robot.until(lambda: registry.promoted().id == "another")
    robot.until(lambda: "filter.onnx" in robot.active[-1].reason)
    assert robot.active[-1].model_id == robot.models[-1] == "another"
    assert "torn" not in robot.models
    said = len(robot.states)
    robot.until(lambda: len(robot.states) > said + 1)
    assert robot.states[-1] == "watching", "the bundle in use is watched on"

    # The less is known of a bundle, the worse its successor must be to be found; how far a busy machine got says nothing.
    robot.until(lambda: len(robot.errors["another"].moving) >= 5 * BLOCK, 120)
    wild = registry.add(nonsense(another, tmp_path / "wild", 0.2)).id
    registry.promote(wild, "not looked at", forced=True)
    robot.until(lambda: wild in robot.models)
    robot.until(lambda: robot.models[-1] == "another" and robot.active[-1].reason.startswith(ROLLED_BACK), 150)
    assert registry.promoted().id == "another"
    kinds = [event.kind for event in registry.state().history]
    assert kinds == [STARTED, PROMOTED, FORCED, ROLLED_BACK, FORCED, ROLLED_BACK]
    assert "prediction error" in registry.state().history[-1].why
    assert max(robot.missed()) <= 1, robot.missed()

    os.kill(robot.manager(), signal.SIGKILL)  # control does not need it
    robot.goes_on()
