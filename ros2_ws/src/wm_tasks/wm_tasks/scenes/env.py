"""Tasks in scenes as Gymnasium environments, from true poses.

import gymnasium, wm_tasks.scenes.env
env = gymnasium.make("wm/push_pose-v0")
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from wm_core.goal import Goal, PoseGoal
from wm_core.scene import SceneState
from wm_core.specs_schema import AXES
from wm_sim.scene_draw import Episode, draw_episode
from wm_sim.scene_sim import SceneSim
from wm_sim.scene_task import LIMIT, PERIOD, load_scene_task, scene_task_names
from wm_sim.tool_driver import ToolDriver
from wm_tasks.scenes.loop import begin

OBJECT = 13  # numbers of an object: position, quaternion x y z w, velocity
GOAL = 4  # numbers of an object's goal: x, y, cosine and sine of the yaw; 0 where it has none


class SceneEnv(gymnasium.Env):
    """Action (A,): displacement along the task's axes, in units of the largest in a step.

    Observation: `tool` (6,), `objects` (K * 13,), `goal` (K * 4,). Reward: minus the distance of the goal [m]. Ends when the goal is
    reached in truth.
    """

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 10}

    def __init__(self, task: str, robot: Any = None) -> None:
        """`task`: by name or path; `robot`: a RobotProfile, None for the default one."""
        self.task = load_scene_task(task)
        self._sim = SceneSim(self.task.world, robot)
        self._driver = ToolDriver(self._sim, PERIOD)
        self._axes = [AXES.index(axis) for axis in self.task.axes]
        count = len(self.task.objects)
        self.action_space = spaces.Box(-1.0, 1.0, (len(self._axes),), np.float32)
        far = np.inf
        self.observation_space = spaces.Dict(
            {
                "tool": spaces.Box(-far, far, (6,), np.float64),
                "objects": spaces.Box(-far, far, (OBJECT * count,), np.float64),
                "goal": spaces.Box(-far, far, (GOAL * count,), np.float64),
            }
        )
        self._drawn: Episode | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """`options`: `scene`, the seed of the start, in place of a drawn one."""
        super().reset(seed=seed)
        scene = (options or {}).get("scene", int(self.np_random.integers(2**31)))
        self._drawn = draw_episode(self.task, self._sim, scene)
        begin(self._driver, self._drawn)
        for slot, velocity in self._drawn.velocity.items():
            self._sim.push(slot, velocity)
        return self._observe(), self._info()

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        action = np.asarray(action, float)
        if action.shape != (len(self._axes),) or not np.isfinite(action).all():
            raise ValueError(f"expected an action of {len(self._axes)} finite numbers, got {action}")
        move = np.zeros(6)
        move[self._axes] = np.clip(action, -1, 1) * LIMIT[self._axes]
        self._driver.move(move)
        info = self._info()
        return self._observe(), -info["distance"], info["is_success"], False, info

    def close(self) -> None:
        self._sim.close()

    @property
    def scene(self) -> SceneState:
        """All objects where they truly are."""
        return self._sim.scene

    @property
    def tool(self) -> np.ndarray:
        """The commanded tool state (6,)."""
        return self._driver.commanded.values

    @property
    def goal(self) -> Goal:
        """Of this episode."""
        if self._drawn is None:
            raise ValueError("expected a reset first")
        return self._drawn.goal

    def _observe(self) -> dict[str, np.ndarray]:
        scene = self.scene
        goal = np.zeros((scene.slots, GOAL))
        for each in self.goal.parts:
            if isinstance(each, PoseGoal):
                yaw = each.pose.get("yaw")
                turn = (0.0, 0.0) if yaw is None else (np.cos(yaw), np.sin(yaw))
                goal[scene.slot(each.identity)] = each.pose["x"], each.pose["y"], *turn
        objects = np.concatenate([scene.position, scene.rotation, scene.velocity], -1)
        return {"tool": self.tool, "objects": objects.ravel(), "goal": goal.ravel()}

    def _info(self) -> dict[str, Any]:
        scene = self.scene
        return {"distance": float(self.goal.distance(scene)), "is_success": bool(self.goal.reached(scene))}


for _name in scene_task_names():
    gymnasium.register(
        f"wm/{_name}-v0",
        "wm_tasks.scenes.env:SceneEnv",
        max_episode_steps=round(load_scene_task(_name).time_limit / PERIOD),
        kwargs={"task": _name},
    )
