"""A simulated arm watched by all bundles at once: rendered once, perceived and believed by each."""

from collections.abc import Mapping

import numpy as np

from wm_core.bundle import Bundle
from wm_core.executed import ExecutedMotion
from wm_core.paths import rig_path
from wm_core.rig import CameraRig
from wm_core.scene import ToolState
from wm_dynamics.belief import BeliefState
from wm_sim.action_driver import ActionDriver
from wm_sim.arm_sim import ArmSim
from wm_sim.world import World
from wm_tasks.estimator import StateEstimator, capture
from wm_tasks.settings import ACTION_SCALE, REACH, STEP_NS, TASK


class Stage:
    """One world; a step is: `observe`, then `act`. The object varies with the seed as in data collection.

    To see what else could have happened, branch with `drive.saved()` and `drive.act`, which beliefs know nothing of.
    """

    def __init__(
        self,
        bundles: Mapping[str, Bundle],
        world: World,
        *,
        taken_for: CameraRig | None = None,
        rig: CameraRig | None = None,
    ) -> None:
        """`rig`: the cameras there are (default: the world's); `taken_for`: what perception takes them for (default: the same)."""
        rig = rig or CameraRig.load(rig_path(world.rig))
        self.sim = ArmSim(world, rig, randomise=True)
        self.drive = ActionDriver(self.sim, ACTION_SCALE, TASK.step_duration)
        self.labels = tuple(bundles)
        self._estimators = {
            label: StateEstimator(bundle, taken_for or rig, self.sim.kinematics) for label, bundle in bundles.items()
        }

    def reset(self, seed: int) -> np.ndarray:
        """A new episode; returns the goal (2,) [m] drawn with the seed."""
        start = self.sim.reset(seed)
        self.drive.anchor()
        self._motion = ExecutedMotion()
        self._now_ns = STEP_NS
        for estimator in self._estimators.values():
            estimator.reset()
        return start["goal_xy"]

    @property
    def object(self) -> np.ndarray:
        """True position (2,) [m] of the object."""
        return self.sim.scene.xy[0]

    @property
    def tool(self) -> np.ndarray:
        """Measured position (2,) [m] of the tool."""
        return self.sim.kinematics.tool(self.drive.joints()).xy

    @property
    def within_reach(self) -> bool:
        """Whether the object is where the tool can reach it."""
        return bool(REACH.contains(self.object))

    def observe(self) -> dict[str, BeliefState]:
        """What each bundle believes after seeing what there is now."""
        joints, frames = self.drive.joints(), capture(self.sim)
        return {
            label: estimator.update(self._now_ns, frames, joints, self._motion).belief
            for label, estimator in self._estimators.items()
        }

    def act(self, action: np.ndarray) -> np.ndarray:
        """One control period under an action (2,); returns the action that was executed, within the tool's reach."""
        start = self._commanded()
        executed = self.drive.act(action)
        self._motion.record(self._now_ns, STEP_NS, start, self._commanded())
        self._now_ns += STEP_NS
        return executed

    def _commanded(self) -> ToolState:
        return ToolState(TASK.action.tool_state(self.drive.commanded))

    def close(self) -> None:
        self.sim.close()
