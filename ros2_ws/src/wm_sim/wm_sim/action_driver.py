"""Moves the simulated tool by actions, without planner and guard: for environments, for collecting and for judging."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from wm_core.kinematics import KinematicsError
from wm_sim.arm_sim import ArmSim, physics_steps


class ActionDriver:
    """Keeps the commanded joints and tool position of a simulated arm; the tool stays at the robot's height, as at rest."""

    def __init__(self, sim: ArmSim, scale: float | np.ndarray, control_period: float) -> None:
        """`scale` [m], one or (2,): displacement of the commanded tool position under an action of 1. `control_period` [s]:
        of an action, whole physics steps."""
        self.sim = sim
        self._scale = scale
        self._steps = physics_steps(control_period)
        self.anchor()

    def anchor(self, q: np.ndarray | None = None) -> None:
        """Start over from joints (n,) [rad], without any: from the measured ones, e.g. after a reset."""
        self._q = self.joints() if q is None else np.array(q, float)
        self._commanded = self.sim.kinematics.tool(self._q).xy

    @property
    def commanded(self) -> np.ndarray:
        """Commanded tool position (2,) [m]."""
        return self._commanded.copy()

    def joints(self) -> np.ndarray:
        """Measured joints (n,) [rad] of the arm."""
        return np.asarray(self.sim.joint_state()[1][: len(self.sim.kinematics.joint_names)])

    def act(self, action: np.ndarray) -> np.ndarray:
        """One control period under an action (2,); returns the one that was executed, within the tool's reach."""
        return self.move(self._scale * action) / self._scale

    def move(self, displacement: np.ndarray) -> np.ndarray:
        """One control period in which the commanded tool position moves by (2,) [m]; returns by how much it did.

        Joints go straight to where the tool is then. Clamped to the reach; where the arm has no solution it stays.
        """
        tool = self.sim.robot.tool
        target = np.clip(self._commanded + displacement, *self.sim.robot.reach_region.corners)
        try:
            q = self.sim.kinematics.ik(np.array([*target, tool.height]), tool.rotation, self._q)
        except KinematicsError:
            target, q = self._commanded, self._q
        for i in range(1, self._steps + 1):
            self.sim.set_target(self._q + (q - self._q) * i / self._steps)
            self.sim.step(1)
        moved = target - self._commanded
        self._q, self._commanded = q, target
        return moved

    @contextmanager
    def saved(self) -> Iterator[Callable[[], None]]:
        """Within the block, calling what it yields brings arm and object back to how they are now; time goes on."""
        q, commanded = self._q, self._commanded
        with self.sim.saved() as restore:

            def back() -> None:
                restore()
                self._q, self._commanded = q, commanded

            yield back
