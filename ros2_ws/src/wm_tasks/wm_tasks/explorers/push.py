"""Scripted exploration for data collection: pushes, grazes and random motion around the object."""

from dataclasses import dataclass

import numpy as np

from wm_core.parts import option
from wm_core.task import Region, Task
from wm_tasks.explorers import EXPLORERS
from wm_tasks.plane import period_share, plane_scale

MODES = ("push", "push", "push", "graze", "wander")
LASTING, KICK = 0.8, 0.35  # share of a wandering motion that is left after 0.1 s, and what is drawn anew


@EXPLORERS.register("push")
@dataclass
class PushExplorer:
    """Draws tool motions that touch the object often and from all sides.

    What takes time is counted in tenths of a second, whatever the task's rate.

    It reads the object's true position in simulation (or a label on a robot): it only chooses where to explore,
    nothing of it enters the model.
    """

    task: Task
    reach: Region  # of the tool
    rng: np.random.Generator
    stand_off: float = option(0.085, "[m] distance behind the object from which a push starts")
    clearance: float = option(0.075, "[m] the tool walks around the object at least this far from its centre")
    margin: float = option(0.005, "[m] outside its region from where the object is pushed back")

    def __post_init__(self) -> None:
        self._scale = plane_scale(self.task, "explorer")
        self._share = period_share(self.task)
        self._lasting = LASTING**self._share
        self._kick = KICK * ((1 - self._lasting**2) / (1 - LASTING**2)) ** 0.5
        self._region = self.task.regions.practice
        self._left = 0.0
        self._rescue = False
        self._mode = "wander"
        self._goal = np.zeros(2)
        self._speed = 1.0
        self._offset = 0.0
        self._drift = np.zeros(2)

    def action(self, tool: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Action (2,) in the unit disk for the commanded tool position and object position `target`, both (2,) [m]."""
        straying = not self._region.contains(target, self.margin)
        if self._left <= 0 or (straying and not self._rescue):
            self._choose(tool, target)
            if straying:  # bring the object back before it is out of reach
                self._mode, self._left, self._goal = "push", 25, self._region.centre
                self._speed = max(self._speed, 0.7)
        self._rescue = straying
        self._left -= self._share
        if self._mode == "push":
            wish = self._push(tool, target)
        elif self._mode == "graze":
            wish = self._goal - tool
            if np.linalg.norm(wish) < 0.02:
                self._left = 0
        else:
            self._drift = self._lasting * self._drift + self._kick * self.rng.normal(size=2)
            wish = self._scale * (self._drift + 0.25 * (target - tool) / 0.1)
        action = self._speed * wish / max(self._scale, float(np.linalg.norm(wish)))
        action = action + 0.12 * self.rng.normal(size=2)
        return action / max(1.0, float(np.linalg.norm(action)))

    def _choose(self, tool: np.ndarray, target: np.ndarray) -> None:
        rng = self.rng
        self._mode = MODES[rng.integers(len(MODES))]
        self._left = int(rng.integers(12, 40))
        self._speed = rng.uniform(0.35, 1.0)
        self._offset = rng.normal() * 0.012
        self._drift = rng.normal(size=2) * 0.5
        if self._mode == "graze":
            # A straight line that passes the object within about its own size.
            towards = target - tool
            side = np.array([-towards[1], towards[0]]) / max(1e-6, float(np.linalg.norm(towards)))
            through = target + side * rng.uniform(-0.06, 0.06)
            self._goal = np.clip(through + (through - tool) * rng.uniform(0.1, 0.4), *self.reach.corners)
            self._left = 15
        else:
            self._goal = rng.uniform(*self._region.corners)

    def _push(self, tool: np.ndarray, target: np.ndarray) -> np.ndarray:
        to_goal = self._goal - target
        distance = float(np.linalg.norm(to_goal))
        if distance < 0.015:
            self._left = 0
            return np.zeros(2)
        forward = to_goal / distance
        side = np.array([-forward[1], forward[0]])
        relative = tool - target
        along, across = float(relative @ forward), float(relative @ side)
        if along < -0.03 and abs(across - self._offset) < 0.02:
            return self._scale * forward - 0.5 * self._share * (across - self._offset) * side
        if along > -0.05 and np.linalg.norm(relative) < self.clearance + 0.04:
            # Beside or in front of the object: walk around it.
            turn = 1.0 if across >= 0 else -1.0
            outwards = relative / max(1e-6, float(np.linalg.norm(relative)))
            around = np.array([-outwards[1], outwards[0]]) * turn
            closer = self.clearance + 0.01 - float(np.linalg.norm(relative))
            return self._scale * around + self._share * closer * outwards
        return target - self.stand_off * forward + self._offset * side - tool
