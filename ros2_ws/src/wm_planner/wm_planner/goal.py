"""Goals: which are accepted, and when one is reached."""

from dataclasses import dataclass

import numpy as np

from wm_planner.exploration import ExploreGoal

WORKSPACE_LOWER = np.array([0.34, -0.26])  # [m] where the tool can still reach around an object
WORKSPACE_UPPER = np.array([0.66, 0.26])


class GoalError(ValueError):
    """A goal that cannot be pursued: says why and what is accepted."""


@dataclass(frozen=True)
class ObjectGoal:
    """Bring the object to `xy` (2,) [m] in the base frame, within `tolerance` [m]."""

    xy: np.ndarray
    tolerance: float


def object_goal(
    xy: tuple[float, float], frame: str, base_frame: str, tolerance: float, default_tolerance: float
) -> ObjectGoal:
    """Check an object goal; raises GoalError."""
    if frame != base_frame:
        raise GoalError(f"expected a goal in frame '{base_frame}', got '{frame}'; transform it first")
    place = np.asarray(xy, float)
    if not np.isfinite(place).all() or not np.isfinite(tolerance):
        raise GoalError(f"expected a finite goal, got {xy} with tolerance {tolerance}")
    if (place < WORKSPACE_LOWER).any() or (place > WORKSPACE_UPPER).any():
        raise GoalError(
            f"expected a goal within x {WORKSPACE_LOWER[0]}..{WORKSPACE_UPPER[0]}, y {WORKSPACE_LOWER[1]}..{WORKSPACE_UPPER[1]} m, got {xy}"
        )
    if tolerance < 0:
        raise GoalError(f"expected a tolerance of at least 0 m, got {tolerance}")
    return ObjectGoal(place, tolerance or default_tolerance)


class Progress:
    """Follows one goal: distance, steps, time; an object's is reached when the believed distance stays below the tolerance."""

    STABLE_CYCLES = 3

    def __init__(self, goal: ObjectGoal | ExploreGoal, timeout_s: float) -> None:
        self.goal = goal
        self.timeout = timeout_s
        self.steps = 0
        self.distance = float("nan")
        self._begin_ns: int | None = None
        self._now_ns = 0
        self._inside = 0

    def update(self, object_xy: np.ndarray, stamp_ns: int) -> None:
        """Add one belief: object position (2,) [m] at a time."""
        if isinstance(self.goal, ObjectGoal):
            self.distance = float(np.linalg.norm(object_xy - self.goal.xy))
            self._inside = self._inside + 1 if self.distance < self.goal.tolerance else 0
        self._begin_ns = stamp_ns if self._begin_ns is None else self._begin_ns
        self._now_ns = stamp_ns
        self.steps += 1

    @property
    def duration(self) -> float:
        """[s] since the first belief: no clock, so that the same beliefs end a goal at the same step."""
        return 0.0 if self._begin_ns is None else (self._now_ns - self._begin_ns) / 1e9

    @property
    def near(self) -> bool:
        """Within the tolerance right now."""
        return self._inside > 0

    @property
    def reached(self) -> bool:
        return self._inside >= self.STABLE_CYCLES

    @property
    def timed_out(self) -> bool:
        return self.duration >= self.timeout
