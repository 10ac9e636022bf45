"""The model-free learner to compare with: SAC with hindsight goals (Stable-Baselines3) on the true state."""

from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import wm_sim.envs
from wm_core.task import load_task
from wm_sim.envs import PushEnv

ENVS = {world: name for name, world in wm_sim.envs.WORLDS.items()}


class StatePush(gymnasium.Env):
    """wm_sim's push with goals as Stable-Baselines3 wants them: the true object position in place of images.

    Observation: `observation` (6,) tool, commanded tool and object relative to the tool, `achieved_goal` and `desired_goal` (2,)
    [m]. Reward: 0 within 2 cm of the goal, otherwise -1. An episode goes on at the goal.
    """

    def __init__(self, world: str) -> None:
        self._env = PushEnv(world, images=False)
        self._close = load_task().success.distance
        self.action_space = self._env.action_space
        boxes = {"observation": (6,), "achieved_goal": (2,), "desired_goal": (2,)}
        self.observation_space = spaces.Dict(
            {k: spaces.Box(-2.0, 2.0, shape, np.float32) for k, shape in boxes.items()}
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        observation, info = self._env.reset(seed=seed, options=options)
        return self._state(observation, info), info

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        observation, _, _, _, info = self._env.step(action)
        state = self._state(observation, info)
        reward = float(self.compute_reward(state["achieved_goal"], state["desired_goal"], info))
        return state, reward, False, False, info

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
        return -(np.linalg.norm(achieved - desired, axis=-1) > self._close).astype(np.float32)

    def _state(self, observation: dict[str, np.ndarray], info: dict) -> dict[str, np.ndarray]:
        object_xy, ee = info["object_position"][:2], observation["ee"]
        values = {
            "observation": np.concatenate([ee, object_xy - ee[:2]]),
            "achieved_goal": object_xy,
            "desired_goal": observation["goal"],
        }
        return {name: np.asarray(value, np.float32) for name, value in values.items()}


def learn(world: str, steps: int, goals: Iterable[int], seed: int) -> list[bool]:
    """Learn for some steps of robot time, then try the goals drawn with some seeds: success within 2 cm in 100 steps."""
    from stable_baselines3 import SAC, HerReplayBuffer

    env = gymnasium.wrappers.TimeLimit(StatePush(world), 100)
    model = SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
        learning_starts=min(500, steps // 2),
        gamma=0.95,
        batch_size=256,
        seed=seed,
        device="cpu",
    )
    model.learn(steps)
    return [_reaches(model, StatePush(world), goal) for goal in goals]


def _reaches(model: Any, env: StatePush, goal: int) -> bool:
    state, info = env.reset(options={"scene": goal})
    for _ in range(100):
        action, _ = model.predict(state, deterministic=True)
        state, _, _, _, info = env.step(action)
        if info["is_success"]:
            return True
    return False
