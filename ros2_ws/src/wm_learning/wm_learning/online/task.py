"""A Gymnasium environment of vectors as the agent sees it: a state, a goal where there is one, actions of length at most 1."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


@dataclass(frozen=True)
class Situation:
    """What is known before an action."""

    state: np.ndarray  # (S,) float32
    goal: np.ndarray  # (G,) float32; empty without goals
    success: bool = False  # the environment says that the goal is reached
    reward: float = 0.0  # sum since the last action
    terminated: bool = False
    truncated: bool = False

    @property
    def ended(self) -> bool:
        return self.terminated or self.truncated


class Task:
    """Goal environments (`observation`, `achieved_goal`, `desired_goal`) have the state [observation, achieved goal], so that its
    last G numbers are to meet the goal; the observations of others are flattened.
    """

    def __init__(self, env: gymnasium.Env, repeat: int = 1) -> None:
        """`repeat`: environment steps for each action. Raises ValueError for spaces that are not bounded boxes of actions."""
        if not isinstance(env.action_space, spaces.Box) or not env.action_space.is_bounded():
            raise ValueError(f"expected a bounded box of actions, got {env.action_space}")
        self.env = env
        self.repeat = repeat
        self._low, self._high = env.action_space.low, env.action_space.high
        self.action_size = int(np.prod(env.action_space.shape))
        space = env.observation_space
        self._has_goal = isinstance(space, spaces.Dict) and {"achieved_goal", "desired_goal"} <= set(space)
        first = self._situation(space.sample())
        self.state_size, self.goal_size = len(first.state), len(first.goal)

    def reset(self, seed: int) -> Situation:
        observation, info = self.env.reset(seed=seed)
        return self._situation(observation, info)

    def step(self, action: np.ndarray) -> Situation:
        """Do an action (A,), |a| <= 1, `repeat` times or until the episode ends."""
        share = (ball_to_box(action).reshape(self._low.shape) + 1) / 2
        command = (self._low + share * (self._high - self._low)).astype(self._low.dtype)
        total = 0.0
        for _ in range(self.repeat):
            observation, reward, terminated, truncated, info = self.env.step(command)
            total += float(reward)
            if terminated or truncated:
                break
        return self._situation(observation, info, total, terminated, truncated)

    def _situation(
        self,
        observation: Any,
        info: dict[str, Any] | None = None,
        reward: float = 0.0,
        terminated: bool = False,
        truncated: bool = False,
    ) -> Situation:
        if self._has_goal:
            state = np.concatenate([observation["observation"], observation["achieved_goal"]])
            goal = np.asarray(observation["desired_goal"])
        else:
            state = np.asarray(spaces.flatten(self.env.observation_space, observation))
            goal = np.empty(0)
        success = bool((info or {}).get("is_success", False))
        state, goal = state.astype(np.float32), goal.astype(np.float32)
        return Situation(state, goal, success, reward, terminated, truncated)


def ball_to_box(action: np.ndarray) -> np.ndarray:
    """Actions (..., A) of the unit ball, stretched along their direction onto the box [-1, 1]^A."""
    length = np.linalg.norm(action, axis=-1, keepdims=True)
    widest = np.abs(action).max(-1, keepdims=True)
    return np.clip(action * length / np.maximum(widest, 1e-9), -1.0, 1.0)
