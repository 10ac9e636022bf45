"""ros2_control's JointTrajectoryController on arrays: what it accepts, what it refuses and how it moves in between.

Behaviour after ros2_controllers, joint_trajectory_controller (Jazzy, position command interface, default parameters):
a new trajectory replaces the old one at once, points that are past are left out, the way to the first of the others starts at the
present desired state. One difference: the arm does not leap to a motion that comes late, as no arm does whose driver limits the
rate of what it is streamed; it joins the motion at the motion's own speed, and is late itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FASTER = 1.1  # times as fast as a motion itself may be the way to it
SLOWEST = 0.2  # [rad/s] that a joint may have on that way in any case
LONGER = 1.2  # the factor between tries of how long that way takes


class TrajectoryError(ValueError):
    """A trajectory that is refused; the arm goes on with what it was doing."""


@dataclass(frozen=True)
class Point:
    """One waypoint; `velocities` may be empty. Order as the names of the trajectory [rad, rad/s, ns]."""

    time_from_start_ns: int
    positions: Sequence[float]
    velocities: Sequence[float] = ()


class TrajectoryController:
    """Desired joint positions over time. Times are integer nanoseconds of one clock."""

    def __init__(self, joint_names: Sequence[str], position: np.ndarray) -> None:
        """`position` (J,) [rad]: held until the first trajectory."""
        self.joint_names = tuple(joint_names)
        self.reset(position)

    def reset(self, position: np.ndarray) -> None:
        """Forget the trajectory and hold `position` (J,) [rad]."""
        self._times = np.zeros(1, np.int64)
        self._positions = np.array(position, float)[None]
        self._velocities: np.ndarray | None = None  # (K, J): cubic segments; None: straight ones

    def accept(self, names: Sequence[str], stamp_ns: int, points: Sequence[Point], now_ns: int) -> None:
        """Replace the present trajectory; `stamp_ns` 0 starts it now. TrajectoryError, and no change, if unfit."""
        order = self._order(names)
        times = np.array([point.time_from_start_ns for point in points], np.int64)
        if not len(points):
            raise TrajectoryError("expected at least one point, got an empty trajectory")
        if times[0] < 0 or (np.diff(times) <= 0).any():
            raise TrajectoryError(
                f"expected strictly increasing time_from_start from 0 on, got {(times / 1e9).tolist()} s"
            )
        positions = self._matrix("positions", [point.positions for point in points])[:, order]
        velocities = self._velocities_of(points, order)
        times = times + (stamp_ns or now_ns)
        if times[-1] < now_ns:
            late = (now_ns - times[-1]) / 1e9
            raise TrajectoryError(
                f"expected a point in the future, the last one ended {late:.3f} s ago; check stamp and clock"
            )
        coming = slice(int(np.searchsorted(times[:-1], now_ns, side="right")), None)
        here, speed = self._state(now_ns)
        most = np.maximum(
            FASTER * np.maximum(_fastest(points, times, positions, velocities, here), np.abs(speed)), SLOWEST
        )
        # A waypoint due now has no way to it: the arm is asked to be there in the next instant.
        times, positions = np.maximum(times[coming], now_ns + 1), positions[coming]
        if velocities is not None:
            velocities = np.vstack([speed, velocities[coming]])
        ends = None if velocities is None else velocities[:2]
        duration = (times[0] - now_ns) / 1e9
        while (_peak(here, positions[0], ends, duration) > most).any():
            duration = max(duration, 0.001) * LONGER
        times = times + round(duration * 1e9 - float(times[0] - now_ns))
        self._times = np.concatenate([[now_ns], times])
        self._positions = np.vstack([here, positions])
        self._velocities = velocities

    def shift(self, nanoseconds: int) -> None:
        """Time was set ahead while the arm stood still: the rest of the trajectory comes later by as much."""
        self._times = self._times + nanoseconds

    def sample(self, now_ns: int) -> np.ndarray:
        """Desired joint positions (J,) [rad]; the last point is held."""
        return self._state(now_ns)[0]

    def speed(self, now_ns: int) -> np.ndarray:
        """Desired joint velocities (J,) [rad/s]; zero after the last point."""
        return self._state(now_ns)[1]

    def _state(self, now_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Desired positions (J,) and velocities (J,)."""
        end = int(np.searchsorted(self._times, now_ns, side="right"))
        if end == 0 or end == len(self._times):
            still = self._positions[min(end, len(self._times) - 1)]
            return still.copy(), np.zeros_like(still)
        start = end - 1
        duration = (self._times[end] - self._times[start]) / 1e9
        share = (now_ns - self._times[start]) / 1e9 / duration
        p0, p1 = self._positions[start], self._positions[end]
        if self._velocities is None:
            return p0 + share * (p1 - p0), (p1 - p0) / duration
        # Cubic Hermite segment: meets both positions and both velocities.
        m0, m1 = duration * self._velocities[start], duration * self._velocities[end]
        c2, c3 = 3 * (p1 - p0) - 2 * m0 - m1, 2 * (p0 - p1) + m0 + m1
        position = p0 + share * (m0 + share * (c2 + share * c3))
        return position, (m0 + share * (2 * c2 + 3 * share * c3)) / duration

    def _order(self, names: Sequence[str]) -> list[int]:
        """Where each of the controller's joints stands in a trajectory's names."""
        if len(set(names)) != len(names):
            raise TrajectoryError(f"expected every joint once, got {list(names)}")
        unknown = [name for name in names if name not in self.joint_names]
        if unknown:
            raise TrajectoryError(f"expected joints {list(self.joint_names)}, got unknown {unknown}")
        missing = [name for name in self.joint_names if name not in names]
        if missing:
            raise TrajectoryError(f"expected all {len(self.joint_names)} joints, {missing} are missing")
        return [list(names).index(name) for name in self.joint_names]

    def _matrix(self, kind: str, rows: Sequence[Sequence[float]]) -> np.ndarray:
        for index, row in enumerate(rows):
            if len(row) != len(self.joint_names):
                raise TrajectoryError(f"point {index}: expected {len(self.joint_names)} {kind}, got {len(row)}")
        matrix = np.array([list(row) for row in rows], float)
        if not np.isfinite(matrix).all():
            raise TrajectoryError(f"expected finite {kind}, got NaN or infinity")
        return matrix

    def _velocities_of(self, points: Sequence[Point], order: list[int]) -> np.ndarray | None:
        """Velocities (K, J), or None where any point has none: then all segments are straight."""
        for index, point in enumerate(points):
            if len(point.velocities) not in (0, len(self.joint_names)):
                raise TrajectoryError(
                    f"point {index}: expected {len(self.joint_names)} velocities or none, got {len(point.velocities)}"
                )
        last = np.array(list(points[-1].velocities), float)
        if last.any():  # NaN counts as not zero
            raise TrajectoryError(f"expected zero velocities at the last point, got {last.tolist()}")
        if not all(len(point.velocities) for point in points):
            return None
        return self._matrix("velocities", [point.velocities for point in points])[:, order]


def _fastest(
    points: Sequence[Point], times: np.ndarray, positions: np.ndarray, velocities: np.ndarray | None, here: np.ndarray
) -> np.ndarray:
    """Greatest speed (n,) [rad/s] of each joint in a motion through `positions` (K, n) at `times` (K,) [ns]; that of a motion with
    one point is what it takes to get there in time, from `here` (n,).
    """
    if len(points) == 1:
        return _peak(
            here,
            positions[0],
            None if velocities is None else np.zeros((2, len(here))),
            points[0].time_from_start_ns / 1e9,
        )
    fastest = np.abs(np.diff(positions, axis=0) / np.diff(times)[:, None] * 1e9).max(axis=0)
    return fastest if velocities is None else np.maximum(fastest, np.abs(velocities).max(axis=0))


def _peak(here: np.ndarray, there: np.ndarray, velocities: np.ndarray | None, duration: float) -> np.ndarray:
    """Greatest speed (n,) [rad/s] on the way between points (n,) in `duration` [s]; `velocities` (2, n) at both, None: a straight way."""
    mean = (there - here) / max(duration, 1e-9)
    if velocities is None:
        return np.abs(mean)
    v0, v1 = velocities
    share = np.linspace(0.0, 1.0, 9)[:, None]
    return np.abs(v0 + share * (2 * (3 * mean - 2 * v0 - v1) + 3 * share * (v0 + v1 - 2 * mean))).max(axis=0)
