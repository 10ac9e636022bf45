"""The scripted pusher."""

from dataclasses import dataclass

import numpy as np

from wm_core.parts import option
from wm_core.task import Task
from wm_tasks.experts import EXPERTS
from wm_tasks.plane import period_share, plane_scale


@EXPERTS.register("push")
@dataclass
class ScriptedPusher:
    """Walks behind the object and pushes it towards the goal, on the true object position."""

    task: Task
    stand_off: float = option(0.085, "[m] behind the object's centre where a push starts")
    clearance: float = option(0.095, "[m] from the object's centre while walking around it")
    reached: float = option(0.008, "[m] from the goal, within which it stops")

    def __post_init__(self) -> None:
        self._scale = plane_scale(self.task, "expert")
        self._share = period_share(self.task)

    def __call__(self, tool: np.ndarray, target: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Action (2,) in the unit disk for commanded tool position, object position and goal, each (2,) [m]."""
        to_goal = goal - target
        distance = float(np.linalg.norm(to_goal))
        if distance < self.reached:
            return np.zeros(2)
        forward = to_goal / distance
        side = np.array([-forward[1], forward[0]])
        relative = tool - target
        along, across = float(relative @ forward), float(relative @ side)
        behind = target - self.stand_off * forward
        if (
            along < -0.02 and abs(across) < 0.012
        ):  # behind it: push, and steer the contact point under the line to the goal
            advance = self._share * max(0.4 * distance + max(0.0, -along - 0.05), 0.004)
            wish = min(advance, 0.6 * self._scale) * forward - 0.6 * self._share * across * side
        elif (
            along < -0.06
            or np.linalg.norm(relative) > self.clearance + 0.03
            and np.dot(behind - tool, -relative) < 0
            or along < -0.03
            and np.linalg.norm(relative) > 0.075
        ):
            wish = behind - tool
        else:  # beside or in front of it: walk around, away from the centre
            turn = 1.0 if across >= 0 else -1.0
            gap = float(np.linalg.norm(relative))
            outwards = relative / max(1e-6, gap)
            around = turn * np.array([-outwards[1], outwards[0]])
            wish = self._scale * around + self._share * (self.clearance - gap) * outwards
        action = wish / self._scale
        return action / max(1.0, float(np.linalg.norm(action)))
