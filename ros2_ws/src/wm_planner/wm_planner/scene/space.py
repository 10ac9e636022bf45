"""Where a robot's tool may be in a scene, and where it may bring objects."""

import numpy as np

from wm_core.robot import RobotProfile

FARTHEST = 0.04  # [m] objects may be brought from the edge of the tool's reach


def tool_bounds(robot: RobotProfile) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (6,) of tool states [m, rad]."""
    opening = robot.gripper.opening if robot.gripper else (0.0, 0.0)
    reach, pitch = robot.reach, robot.pitch
    return np.array([*reach.lower, pitch[0], opening[0]]), np.array([*reach.upper, pitch[1], opening[1]])


def region_within(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (2,) [m] of where objects may be brought, for bounds (6,) of tool states."""
    return lower[:2] + FARTHEST, upper[:2] - FARTHEST
