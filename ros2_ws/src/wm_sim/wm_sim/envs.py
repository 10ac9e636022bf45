"""The worlds as Gymnasium environments: push the object to the goal, from cameras and joints.

import gymnasium, wm_sim.envs
env = gymnasium.make("wm_sim/PushBlock-v0")
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.robot import DEFAULT_ROBOT, load_robot
from wm_core.task import DEFAULT_TASK, load_task
from wm_sim.action_driver import ActionDriver
from wm_sim.arm_sim import ArmSim
from wm_sim.world import load_world

ARM_LENGTH = 1.2  # [m] no tool position is farther out
WORLDS = {"PushBlock": "tabletop_block", "PushMug": "tabletop_mug", "PushDisk": "tabletop_disk"}

Observation = dict[str, np.ndarray]


class PushEnv(gymnasium.Env):
    """Action (2,): displacement of the commanded tool position in the table's plane, in units of the task's scales.

    Observation: per camera `<camera>_rgb` (H, W, 3) uint8 and `<camera>_depth` (H, W) float32 [m]; `joints` (n,) [rad];
    `ee` (4,) measured and commanded tool x, y [m]; `goal` (2,) [m]. Reward: minus the distance of object and goal [m].
    `info`: true object pose, distance and success, for scoring only. Ends within the task's success distance of the goal.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        world: str,
        rig: str | None = None,
        randomise: bool = False,
        render_mode: str | None = None,
        images: bool = True,
        task: str = DEFAULT_TASK,
        robot: str = DEFAULT_ROBOT,
    ) -> None:
        """`task`: by name or path, with actions in x and y. `world`, `rig` (default: the world's) and `robot`: names or
        paths. `randomise`: vary the object.

        Without `images` the observation has no cameras, and a step costs a tenth.
        """
        self.render_mode = render_mode
        self._task = load_task(task)
        if self._task.action.axes != ("x", "y"):
            raise self._task.error("action.axes", f"expected x and y, got {', '.join(self._task.action.axes)}")
        self._images = images
        loaded = load_world(world)
        self._rig = CameraRig.load(rig_path(rig or loaded.rig))
        self._sim = ArmSim(loaded, self._rig, robot=load_robot(robot), randomise=randomise)
        self._driver = ActionDriver(self._sim, self._task.action.scales, self._task.step_duration)
        self._goal = np.zeros(2)
        seen: dict[str, spaces.Space] = {}
        for camera in self._rig.cameras if images else ():
            shape = (camera.height, camera.width)
            seen[f"{camera.name}_rgb"] = spaces.Box(0, 255, (*shape, 3), np.uint8)
            seen[f"{camera.name}_depth"] = spaces.Box(0.0, camera.far, shape, np.float32)
        arm = self._sim.kinematics
        vectors = {
            "joints": spaces.Box(arm.lower - 0.1, arm.upper + 0.1, dtype=np.float64),
            "ee": spaces.Box(-ARM_LENGTH, ARM_LENGTH, (4,), np.float64),
            "goal": spaces.Box(-ARM_LENGTH, ARM_LENGTH, (2,), np.float64),
        }
        self.observation_space = spaces.Dict({**seen, **vectors})
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, dict]:
        """`options`: `scene` the world's seed, `object_xy` and `goal_xy` (2,) [m], in place of drawn ones."""
        super().reset(seed=seed)
        options = options or {}
        scene = options.get("scene", int(self.np_random.integers(2**32)))
        drawn = self._sim.reset(scene, options.get("object_xy"))
        self._goal = np.asarray(options.get("goal_xy", drawn["goal_xy"]), float)
        self._driver.anchor(self._sim.home)
        return self._observe(), self._info()

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict]:
        action = np.asarray(action, float)
        if action.shape != (2,) or not np.isfinite(action).all():
            raise ValueError(f"expected an action of 2 finite numbers, got {action}")
        self._driver.move(self._task.action.scales * action / max(1.0, float(np.linalg.norm(action))))
        info = self._info()
        return self._observe(), -info["distance"], info["is_success"], False, info

    def render(self) -> np.ndarray | None:
        """The first camera's image (H, W, 3) uint8."""
        return self._sim.render(self._rig.cameras[0].name)[0] if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        self._sim.close()

    def _observe(self) -> Observation:
        joints = self._driver.joints()
        tool = self._sim.kinematics.tool(joints).xy
        observation = {
            "joints": joints,
            "ee": np.concatenate([tool, self._driver.commanded]),
            "goal": self._goal.copy(),
        }
        for camera in self._rig.cameras if self._images else ():
            rgb, depth = self._sim.rectified(camera.name)
            observation |= {f"{camera.name}_rgb": rgb, f"{camera.name}_depth": depth}
        return observation

    def _info(self) -> dict[str, Any]:
        position, quaternion = self._sim.object_pose()
        distance = float(np.linalg.norm(position[:2] - self._goal))
        return {
            "object_position": position,
            "object_quaternion": quaternion,
            "distance": distance,
            "is_success": distance < self._task.success.distance,
        }


for _name, _world in WORLDS.items():
    gymnasium.register(
        f"wm_sim/{_name}-v0",
        "wm_sim.envs:PushEnv",
        max_episode_steps=load_task().max_steps,
        kwargs={"world": _world},
    )
