"""The model-free learner to compare with in scenes: SAC with hindsight goals (Stable-Baselines3) on the true state."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from wm_core.goal import Goal, PoseGoal
from wm_core.rotations import wrapped
from wm_core.scene import SceneState
from wm_core.specs_schema import AXES
from wm_sim.scene_task import LIMIT, PERIOD
from wm_tasks.scenes.env import SceneEnv

HELD = 5  # steps for which the goal must be reached until the policy says so


class GoalScene(gymnasium.Env):
    """A task with one goal of a pose as Stable-Baselines3 wants it.

    Observation: `observation`: tool (6,), and of each object its position relative to the tool, cosine and sine of its yaw, velocity;
    `achieved_goal`, `desired_goal` (4,): x, y, cosine and sine of the yaw, which are 0 where it does not matter. Reward: 0 at the
    goal, otherwise -1.
    """

    def __init__(self, task: str) -> None:
        self._env = SceneEnv(task)
        self.action_space = self._env.action_space
        self._success = self._env.task.success
        boxes = {"observation": (len(self._env.reset(seed=0)[0]["objects"]) // 13 * 8 + 6,)}
        boxes |= {"achieved_goal": (4,), "desired_goal": (4,)}
        self.observation_space = spaces.Dict({k: spaces.Box(-10, 10, size, np.float32) for k, size in boxes.items()})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        super().reset(seed=seed)
        self._env.reset(seed=seed, options={"scene": int(self.np_random.integers(10_000))})
        return self._state(), {}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        self._env.step(action)
        state = self._state()
        return state, float(self.compute_reward(state["achieved_goal"], state["desired_goal"], {})), False, False, {}

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
        near = np.linalg.norm(achieved[..., :2] - desired[..., :2], axis=-1) < self._success.tolerance
        angles = [np.arctan2(each[..., 3], each[..., 2]) for each in (achieved, desired)]
        turned = np.abs(wrapped(angles[0] - angles[1])) < self._success.yaw_tolerance
        return -1.0 + (near & (turned | (np.abs(desired[..., 2:]).max(-1) == 0))).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return state_of(self._env.scene, self._env.tool, self._env.goal)


def state_of(scene: SceneState, tool: np.ndarray, goal: Goal) -> dict[str, np.ndarray]:
    """What the policy is given."""
    (target,) = [each for each in goal.parts if isinstance(each, PoseGoal)]
    slot, yaw = scene.slot(target.identity), scene.yaw
    order = [slot, *(each for each in range(scene.slots) if each != slot)]
    turns = np.stack([np.cos(yaw), np.sin(yaw)], -1)
    objects = np.concatenate([scene.position - tool[:3], turns, scene.velocity[:, :3]], -1)[order]
    wanted = target.pose.get("yaw")
    values = {
        "observation": np.concatenate([tool, objects.ravel()]),
        "achieved_goal": np.array([*scene.position[slot, :2], *(turns[slot] * (wanted is not None))]),
        "desired_goal": np.array(
            [target.pose["x"], target.pose["y"], *((0.0, 0.0) if wanted is None else (np.cos(wanted), np.sin(wanted)))]
        ),
    }
    return {name: value.astype(np.float32) for name, value in values.items()}


class Learner:
    """Explores and learns by itself in a task."""

    def __init__(self, task: str, seed: int) -> None:
        from stable_baselines3 import SAC, HerReplayBuffer

        env = GoalScene(task)
        self._axes = [AXES.index(axis) for axis in env._env.task.axes]
        most = round(env._env.task.time_limit / PERIOD)
        self._model = SAC(
            "MultiInputPolicy",
            gymnasium.wrappers.TimeLimit(env, min(most, 100)),
            replay_buffer_class=HerReplayBuffer,
            replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
            learning_starts=500,
            gamma=0.95,
            batch_size=256,
            seed=seed,
            device="cpu",
        )

    def learn(self, steps: int) -> None:
        """Until it has made so many steps in all."""
        missing = steps - self._model.num_timesteps
        if missing > 0:
            self._model.learn(missing, reset_num_timesteps=False)

    def policy(self) -> "_Policy":
        return _Policy(self._model, self._axes)


class _Policy:
    """For one episode of a SceneLoop: (true scene, tool (6,), goal) -> displacement (6,), NaN when the goal was reached for a while."""

    def __init__(self, model: Any, axes: list[int]) -> None:
        self._model, self._axes, self._reached = model, axes, 0

    def __call__(self, scene: SceneState, tool: np.ndarray, goal: Goal) -> np.ndarray:
        self._reached = self._reached + 1 if bool(goal.reached(scene)) else 0
        if self._reached > HELD:
            return np.full(6, np.nan)
        action, _ = self._model.predict(state_of(scene, tool, goal), deterministic=True)
        move = np.zeros(6)
        move[self._axes] = action * LIMIT[self._axes]
        return move
