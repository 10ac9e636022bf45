"""Policies to compare with: they see the true object position, or nothing. Each maps positions to one action."""

import numpy as np

ACTION_SCALE = 0.03  # [m] per step, as the bundle's


class ScriptedPusher:
    """Walks behind the object and pushes it towards the goal, on the true object position."""

    STAND_OFF = 0.085  # [m] behind the object's centre where a push starts
    CLEARANCE = 0.095  # [m] from the object's centre while walking around it
    REACHED = 0.008  # [m]

    def __call__(self, tool: np.ndarray, target: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Action (2,) in the unit disk for commanded tool position, object position and goal, each (2,) [m]."""
        to_goal = goal - target
        distance = float(np.linalg.norm(to_goal))
        if distance < self.REACHED:
            return np.zeros(2)
        forward = to_goal / distance
        side = np.array([-forward[1], forward[0]])
        relative = tool - target
        along, across = float(relative @ forward), float(relative @ side)
        behind = target - self.STAND_OFF * forward
        if (
            along < -0.02 and abs(across) < 0.012
        ):  # behind it: push, and steer the contact point under the line to the goal
            advance = np.clip(0.4 * distance + max(0.0, -along - 0.05), 0.004, 0.6 * ACTION_SCALE)
            wish = advance * forward - 0.6 * across * side
        elif (
            along < -0.06
            or np.linalg.norm(relative) > self.CLEARANCE + 0.03
            and np.dot(behind - tool, -relative) < 0
            or along < -0.03
            and np.linalg.norm(relative) > 0.075
        ):
            wish = behind - tool
        else:  # beside or in front of it: walk around, away from the centre
            turn = 1.0 if across >= 0 else -1.0
            reach = float(np.linalg.norm(relative))
            outwards = relative / max(1e-6, reach)
            around = turn * np.array([-outwards[1], outwards[0]])
            wish = ACTION_SCALE * around + (self.CLEARANCE - reach) * outwards
        action = wish / ACTION_SCALE
        return action / max(1.0, float(np.linalg.norm(action)))


class RandomPolicy:
    """Uniform directions that last a few steps: the floor of every table."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._left = 0
        self._action = np.zeros(2)

    def __call__(self, tool: np.ndarray, target: np.ndarray, goal: np.ndarray) -> np.ndarray:
        if self._left == 0:
            angle = self._rng.uniform(-np.pi, np.pi)
            self._action, self._left = np.array([np.cos(angle), np.sin(angle)]), int(self._rng.integers(3, 10))
        self._left -= 1
        return self._action
