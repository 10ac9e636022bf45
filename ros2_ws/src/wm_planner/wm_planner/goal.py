"""Goals: which are accepted, and when one is reached."""

from dataclasses import dataclass

import numpy as np

from wm_core.task import Task
from wm_planner.exploration import ExploreGoal


class GoalError(ValueError):
    """A goal that cannot be pursued: says why and what is accepted."""


@dataclass(frozen=True)
class ObjectGoal:
    """Bring the object to `xy` (2,) [m] in the base frame, within `tolerance` [m]."""

    xy: np.ndarray
    tolerance: float


def object_goal(xy: tuple[float, float], frame: str, table_frame: str, tolerance: float, task: Task) -> ObjectGoal:
    """Check an object goal against a task's region and, where the tolerance is 0, with its tolerance; raises GoalError."""
    if frame != table_frame:
        raise GoalError(f"expected a goal in frame '{table_frame}', got '{frame}'; transform it first")
    place = np.asarray(xy, float)
    if not np.isfinite(place).all() or not np.isfinite(tolerance):
        raise GoalError(f"expected a finite goal, got {xy} with tolerance {tolerance}")
    if not task.regions.goals.contains(place):
        raise GoalError(f"expected a goal within {task.regions.goals} (task '{task.name}'), got {xy}")
    if tolerance < 0:
        raise GoalError(f"expected a tolerance of at least 0 m, got {tolerance}")
    return ObjectGoal(place, tolerance or task.success.tolerance)


class Progress:
    """Follows one goal: distance, steps, time; an object's is reached when the believed distance stays below the tolerance."""

    def __init__(self, goal: ObjectGoal | ExploreGoal, timeout_s: float, cycles: int) -> None:
        """`cycles`: in a row within the tolerance, then the goal is reached."""
        self.goal = goal
        self._cycles = cycles
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
        return self._inside >= self._cycles

    @property
    def timed_out(self) -> bool:
        return self.duration >= self.timeout
