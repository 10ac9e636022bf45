"""The commanded tool position at any time, from whatever a bag has of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wm_bags.storage.errors import BagError
from wm_core.executed import ExecutedMotion, nothing_sent
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.scene import ToolState

MEMORY = 4096  # motions kept: at 1 kHz, four seconds
FINEST_NS = 5_000_000  # sampled positions nearer to each other than this add nothing
HELD_NS = 200_000_000  # commands farther apart than this are held, nearer ones are steps of one motion


class CommandedMotion:
    """target(t) of docs/architecture.md: executed commands and trajectories as they are, sampled commands joined by lines."""

    def __init__(
        self, source: str, kinematics: Kinematics, names: Mapping[str, str], degrees: bool, step_ns: int
    ) -> None:
        """`names`: the bag's joint name by the robot's, where they differ; `degrees`: the bag's joints are in degrees."""
        self._add = {
            "executed": self._command,
            "tool_pose": self._tool_pose,
            "joint_trajectory": self._joint_trajectory,
            "joint_positions": self._joint_positions,
            "measured": self._joint_positions,
        }[source]
        self._kinematics = kinematics
        self._names = {other: own for own, other in names.items()}
        self._unit = np.pi / 180 if degrees else 1.0
        self._step_ns = step_ns
        self.clear()

    def clear(self) -> None:
        """Forget everything: the clock has jumped."""
        self._path = ExecutedMotion(MEMORY)
        self._last: tuple[int, ToolState] | None = None

    def add(self, message: Any, stamp_ns: int) -> None:
        """Take a command with its stamp; raises BagError for one that is not finite or does not fit the robot."""
        try:
            self._add(message, stamp_ns)
        except (KinematicsError, ValueError, AttributeError, IndexError) as error:
            raise BagError(str(error)) from error

    def target(self, t_ns: int) -> ToolState | None:
        """Commanded tool (6,); None before the first command."""
        return self._path.target(t_ns) if len(self._path) else None

    def _command(self, message: Any, stamp_ns: int) -> None:
        if nothing_sent(message):
            return
        points = message.trajectory.points
        duration_ns = _nanoseconds(points[-1].time_from_start) if len(points) else self._step_ns
        self._path.record(_nanoseconds(message.effective), duration_ns, *tool_motion(message))

    def _tool_pose(self, message: Any, stamp_ns: int) -> None:
        self._sample(stamp_ns, _tool_at(message.pose.position))

    def _joint_trajectory(self, message: Any, stamp_ns: int) -> None:
        begin = _nanoseconds(message.header.stamp) or stamp_ns
        before, start = begin, self.target(begin)
        for point in message.points:
            place = self._tool(message.joint_names, point.positions)
            at = begin + _nanoseconds(point.time_from_start)
            self._path.record(before, at - before, place if start is None else start, place)
            before, start = at, place

    def _joint_positions(self, message: Any, stamp_ns: int) -> None:
        if self._last is not None and 0 <= stamp_ns - self._last[0] < FINEST_NS:
            return
        if hasattr(message, "data"):  # Float64MultiArray: the robot's joints in order
            names, positions = self._kinematics.joint_names, message.data
            if len(positions) != len(names):
                raise ValueError(f"expected {len(names)} joint positions, got {len(positions)}")
        elif hasattr(message, "joint_names"):  # a controller's state
            wanted = message.reference if hasattr(message, "reference") else message.desired
            names, positions = message.joint_names, wanted.positions
        else:
            names, positions = message.name, message.position
        self._sample(stamp_ns, self._tool(names, positions))

    def _tool(self, names: Sequence[str], positions: Sequence[float]) -> ToolState:
        own = [self._names.get(name, name) for name in names]
        return self._kinematics.tool(self._kinematics.arm_joints(own, np.asarray(positions, float) * self._unit))

    def _sample(self, stamp_ns: int, place: ToolState) -> None:
        if self._last is not None and 0 < stamp_ns - self._last[0] <= HELD_NS:
            before, start = self._last
            self._path.record(before, stamp_ns - before, start, place)
        else:
            self._path.record(stamp_ns, 0, place, place)
        self._last = stamp_ns, place


def tool_motion(command: Any) -> tuple[ToolState, ToolState]:
    """Where a recorded wm_msgs/Command of any version moves the tool from and to; of the first one, only points are known."""
    if hasattr(command, "ee_start"):
        return _tool_at(command.ee_start), _tool_at(command.ee_end)
    return _tool_at(command.tool_start.position), _tool_at(command.tool_end.position)


def _tool_at(point: Any) -> ToolState:
    """A tool of which only the position is known."""
    return ToolState.at(point.x, point.y, point.z, np.nan, np.nan, np.nan)


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
