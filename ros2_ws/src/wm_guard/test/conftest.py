"""A Panda whose tool stands over the table, and steps to move it by."""

import os

import numpy as np
import pytest

from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_guard.guard import Guard
from wm_guard.limits import Limits, Request

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
