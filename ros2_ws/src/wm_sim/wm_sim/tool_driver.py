"""Moves the simulated tool in space by displacements, without planner and guard: for environments, collecting and judging."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from wm_core.hand import OPENING
from wm_core.kinematics import KinematicsError
from wm_core.scene import ToolState
from wm_core.specs_schema import TOOL_FIELDS
from wm_sim.arm_sim import physics_steps
from wm_sim.scene_sim import SceneSim

YAW, PITCH = (TOOL_FIELDS.index(field) for field in ("yaw", "pitch"))


class ToolDriver:
    """Keeps the commanded joints and tool state of a SceneSim."""

    def __init__(self, sim: SceneSim, control_period: float) -> None:
        """`control_period` [s]: of a move, whole physics steps."""
        self.sim = sim
        self._steps = physics_steps(control_period)
        bounds = sim.robot.tool_bounds
        self.lower, self.upper = bounds.lower, bounds.upper
        self.anchor()

    def anchor(self) -> None:
        """Start over from the measured joints, e.g. after a reset."""
        self._q = np.asarray(self.sim.arm.joint_state()[1][: len(self.sim.kinematics.joint_names)])
        self._commanded = self.sim.kinematics.tool(self._q).values.copy()
        self._commanded[OPENING] = self.sim.arm.opening()

    @property
    def commanded(self) -> ToolState:
        """(6,)"""
        return ToolState(self._commanded.copy())

    def move(self, displacement: np.ndarray) -> np.ndarray:
        """One control period in which the commanded tool state moves by (6,) [m, rad]; returns by how much it did.

        Joints go straight to where the tool is then. Clamped to the reach; where the arm has no solution it stays.
        """
        target = np.clip(self._commanded + displacement, self.lower, self.upper)
        try:
            q = self._joints_at(target)
        except KinematicsError:
            q, target[:OPENING] = self._q, self._commanded[:OPENING]
        before = self._commanded[OPENING]
        for share in np.arange(1, self._steps + 1) / self._steps:
            self.sim.arm.set_target(self._q + (q - self._q) * share, float(before + (target[OPENING] - before) * share))
            self.sim.step()
        moved = target - self._commanded
        self._q, self._commanded = q, target
        return moved

    def teleport(self, tool: np.ndarray) -> bool:
        """The tool at (6,), at once and at rest; whether the arm gets there. Objects in the way are not pushed."""
        target = np.clip(tool, self.lower, self.upper)
        for start in (self._q, self.sim.arm.home):
            try:
                self._q = self._joints_at(target, start)
            except KinematicsError:
                continue
            self._commanded = target
            self.sim.arm.place(self._q, float(target[OPENING]))
            return True
        return False

    @contextmanager
    def saved(self) -> Iterator[Callable[[], None]]:
        """Within the block, calling what it yields brings arm and objects back to how they are now; time goes on."""
        q, commanded = self._q, self._commanded
        with self.sim.saved() as restore:

            def back() -> None:
                restore()
                self._q, self._commanded = q, commanded
                self.sim.arm.set_target(q, float(commanded[OPENING]))

            yield back

    def _joints_at(self, tool: np.ndarray, near: np.ndarray | None = None) -> np.ndarray:
        rotation, kinematics = self.sim.robot.tool.turned(float(tool[YAW]), float(tool[PITCH])), self.sim.kinematics
        if near is None:
            near = kinematics.relaxed(self._q, self.sim.arm.home)
        return kinematics.ik(tool[:3], rotation, near)
