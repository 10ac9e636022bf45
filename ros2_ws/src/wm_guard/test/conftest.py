"""A Panda whose tool stands over the table, and steps to move it by."""

import os
import time

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_guard.guard import Guard
from wm_guard.limits import Limits, Request
from wm_guard.node import GuardNode

TOOL_DOWN = load_robot().tool.rotation

os.environ.setdefault("ROS_DOMAIN_ID", "36")
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")

T0 = 1_000_000_000
READY = np.array([0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.785])


@pytest.fixture(scope="session")
def kinematics() -> Kinematics:
    return Kinematics(load_robot())


@pytest.fixture(scope="session")
def start(kinematics) -> np.ndarray:
    """Joints with the tool 10 cm over the table."""
    return kinematics.ik(np.array([0.45, 0.0, 0.10]), TOOL_DOWN, READY)


@pytest.fixture(scope="session")
def guard_of():
    """guard_of(kinematics, joints, limits) -> Guard of an arm that was placed and measured at `joints` at 1 s."""

    def build(kinematics: Kinematics, joints: np.ndarray, limits: Limits | None = None) -> Guard:
        guard = Guard(kinematics, limits or Limits.of(load_robot()))
        guard.place(joints, T0, T0)
        assert guard.observe(kinematics.joint_names, joints, T0, T0)
        return guard

    return build


@pytest.fixture
def guard(guard_of, kinematics, start) -> Guard:
    """A guard that knows where the arm is at 1 s."""
    return guard_of(kinematics, start)


@pytest.fixture(scope="session")
def step(kinematics, start):
    """step(dx, dy, dz, ...) -> Request that moves the tool from `start` by that much [m]."""

    def build(
        dx: float = 0.0, dy: float = 0.0, dz: float = 0.0, start_ns: int = 0, duration_ns: int = 100_000_000
    ) -> Request:
        target = kinematics.fk(start)[0] + [dx, dy, dz]
        joints = kinematics.ik(target, TOOL_DOWN, start)
        return Request(kinematics.joint_names, start_ns, [duration_ns], [joints])

    return build


class Wall:
    """A clock [s] that a test moves."""

    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def node():
    """node(**parameters) -> a configured and active guard, and another node beside it, which `spin(until)` serves."""
    rclpy.init(args=[])
    executor, made = SingleThreadedExecutor(), []

    def make(**parameters):
        given = [Parameter(name, value=value) for name, value in parameters.items()]
        guard, other = GuardNode(parameter_overrides=given), rclpy.create_node("person")
        for each in (guard, other):
            executor.add_node(each)
            made.append(each)
        if guard.trigger_configure() is TransitionCallbackReturn.SUCCESS:
            guard.trigger_activate()
        return guard, other

    def spin(condition):
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "nothing came"
            executor.spin_once(timeout_sec=0.05)

    def spin_for(seconds):
        end = time.monotonic() + seconds
        spin(lambda: time.monotonic() > end)

    make.spin, make.spin_for = spin, spin_for
    yield make
    executor.shutdown()
    for each in made:
        each.destroy_node()
    rclpy.try_shutdown()
