"""Goals: which are accepted, and how far one is."""

from collections.abc import Mapping

from wm_core.goal import Goal, GoalError, PoseGoal
from wm_core.scene import SceneState
from wm_core.task import Task

SEEN_WITHIN = 0.5  # [s] before: of what was not seen for longer nobody knows that it is where it should be
LOOK_AFTER = 1.0  # [s] out of sight, then the tool backs off: most often it is the hand that hides the object


def pose_goal(pose: Mapping[str, float], frame: str, table_frame: str, tolerance: float, task: Task) -> PoseGoal:
    """The goal of bringing the object to a pose within a task's region, within the task's tolerance where it is 0; raises GoalError.

    `frame`: of the pose; empty: the table frame.
    """
    if frame not in ("", table_frame):
        raise GoalError(
            f"expected a goal in frame '{table_frame}', got '{frame}'; transform it first, or leave its frame_id empty for '{table_frame}'"
        )
    goal = PoseGoal(pose, tolerance or task.success.tolerance)
    if not task.regions.goals.contains(goal.position):
        raise GoalError(f"expected a goal within {task.regions.goals} (task '{task.name}'), got {dict(pose)}")
    return goal


class Progress:
    """Follows one goal: distance, steps, time; it is reached when the scene is seen to stay within its tolerances."""

    def __init__(self, goal: Goal, timeout_s: float, cycles: int) -> None:
        """`cycles`: in a row within the tolerances, then the goal is reached."""
        self.goal = goal
        self._cycles = cycles
        self.timeout = timeout_s
        self.steps = 0
        self.distance = float("nan")
        self._begin_ns: int | None = None
        self._now_ns = 0
        self._inside = 0
        self._near = False

    def update(self, scene: SceneState, stamp_ns: int, unseen_s: float = 0.0) -> None:
        """Add one belief: the scene at a time, and for how long [s] it was not seen."""
        self.distance = float(self.goal.distance(scene))
        within = bool(self.goal.reached(scene))
        self._near = within and unseen_s <= LOOK_AFTER
        self._inside = self._inside + 1 if within and unseen_s <= SEEN_WITHIN else 0
        self.passed(stamp_ns)
        self.steps += 1

    def passed(self, stamp_ns: int) -> None:
        """Time goes on, with a belief or without one that can be used."""
        self._begin_ns = stamp_ns if self._begin_ns is None else self._begin_ns
        self._now_ns = stamp_ns

    @property
    def duration(self) -> float:
        """[s] since the first belief: no clock, so that the same beliefs end a goal at the same step."""
        return 0.0 if self._begin_ns is None else (self._now_ns - self._begin_ns) / 1e9

    @property
    def near(self) -> bool:
        """Within the tolerances right now, as far as one knows: to be waited for, or looked at after a while."""
        return self._near

    @property
    def reached(self) -> bool:
        return self._inside >= self._cycles

    @property
    def timed_out(self) -> bool:
        return self.duration >= self.timeout
