"""Moves the simulated tool action by action, without a planner: for collecting and for judging."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from wm_core.kinematics import TOOL_DOWN, TOOL_HEIGHT, KinematicsError
from wm_sim.arm_sim import ArmSim
from wm_tasks.settings import ACTION_SCALE, PHYSICS_PER_STEP, REACH_BOX


class Drive:
    """Keeps the commanded joints and tool position of a simulated arm."""

    def __init__(self, sim: ArmSim) -> None:
        self.sim = sim
        self.anchor()

    def anchor(self) -> None:
        """Start over from where the arm is, e.g. after a reset."""
        self._q = self.joints()
        self._commanded = self.sim.kinematics.fk(self._q)[0][:2]

    @property
    def commanded(self) -> np.ndarray:
        """Commanded tool position (2,) [m]."""
        return self._commanded.copy()

    def joints(self) -> np.ndarray:
        """Measured joints (7,) [rad] of the arm."""
        return np.asarray(self.sim.joint_state()[1][: len(self.sim.kinematics.joint_names)])

    def act(self, action: np.ndarray) -> np.ndarray:
        """One control period under an action (2,) in the unit disk; returns the one that was executed, within the tool's reach."""
        target = np.clip(self._commanded + ACTION_SCALE * action, *REACH_BOX)
        try:
            q = self.sim.kinematics.ik(np.array([*target, TOOL_HEIGHT]), TOOL_DOWN, self._q)
        except KinematicsError:
            target, q = self._commanded, self._q
        for i in range(1, PHYSICS_PER_STEP + 1):
            self.sim.set_target(self._q + (q - self._q) * i / PHYSICS_PER_STEP)
            self.sim.step(1)
        executed = (target - self._commanded) / ACTION_SCALE
        self._q, self._commanded = q, target
        return executed

    @contextmanager
    def saved(self) -> Iterator[Callable[[], None]]:
        """Within the block, calling what it yields brings arm and object back to how they are now; time goes on."""
        q, commanded = self._q, self._commanded
        with self.sim.saved() as restore:

            def back() -> None:
                restore()
                self._q, self._commanded = q, commanded

            yield back
