"""Runs the simulated arm under its trajectory controller, on the time line of its messages."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wm_sim.arm_sim import PHYSICS_HZ, physics_steps
from wm_sim.controller import TrajectoryController
from wm_sim.lag import ArmLag
from wm_sim.limit_watch import LimitWatch
from wm_sim.simulated import Simulated

GIVE_WAY = 0.4  # [rad/s] how fast a person who holds the arm gives way


class Due(NamedTuple):
    """What is to be measured after a physics step."""

    joints: bool
    frames: bool


class Driver:
    """Physics steps under control; says when joint states and, once per control period, camera frames are due."""

    def __init__(
        self,
        sim: Simulated,
        control_period: float,
        joint_state_rate: float | None,
        start_ns: int = 0,
        watch: LimitWatch | None = None,
        lag: ArmLag | None = None,
    ) -> None:
        """`control_period` [s]: whole physics steps. `joint_state_rate` [Hz]; None: with the frames only. `start_ns`: where time
        begins. `watch`: sees every step. `lag`: of the arm behind its controller.
        """
        self.sim = sim
        self._stuck = False
        self._controlled = True
        self._push = 0.0
        self._watch = watch
        self._lag = lag or ArmLag(0.0, 0.0, PHYSICS_HZ)
        self._lag.reset(sim.home)
        self.steps_per_period = physics_steps(control_period)
        self._joint_state_rate = joint_state_rate
        self.controller = TrajectoryController(sim.kinematics.joint_names, sim.home)
        self._offset_ns = start_ns
        self._count = 0

    @property
    def now_ns(self) -> int:
        """Time of the world as it is now [ns]."""
        return self.sim.time_ns + self._offset_ns

    @property
    def steps(self) -> int:
        """Physics steps since the last reset."""
        return self._count

    def set_now(self, now_ns: int) -> None:
        """From here on the world's present has this time: real time starts or goes on after a pause."""
        self.controller.shift(now_ns - self.now_ns)
        self._offset_ns = now_ns - self.sim.time_ns

    def reset(self, seed: int, object_xy: Sequence[float] | None = None) -> None:
        """A new episode; the arm holds its home. Time goes on by one control period, however long the object settles."""
        next_ns = self.now_ns + self.steps_per_period * 1_000_000_000 // PHYSICS_HZ
        self.sim.reset(seed, object_xy)
        self.set_now(next_ns)
        self._hold(self.sim.home)
        self._count = 0

    def place(self, q: np.ndarray) -> None:
        """The arm at rest at joints `q` (n,) [rad], at once, and held there."""
        self.sim.place(q)
        self._hold(q)

    @property
    def stuck(self) -> bool:
        """Whether the arm's brakes are on, whatever its controller says. When they are released, that begins where the arm is."""
        return self._stuck

    @stuck.setter
    def stuck(self, stuck: bool) -> None:
        if self._stuck and not stuck:
            self._hold(self.sim.arm_motion()[0])
        self._stuck = stuck

    @property
    def controlled(self) -> bool:
        """Whether the controller is active. While it is not, the arm stays where it was commanded last."""
        return self._controlled

    def activate(self) -> None:
        """The controller begins where the arm is."""
        self._hold(self.sim.arm_motion()[0])
        self._controlled = True

    def deactivate(self) -> None:
        """The controller lets go: what it was doing is forgotten."""
        self.controller.reset(self.controller.sample(self.now_ns))
        self._controlled = False

    def step(self) -> Due:
        """One physics step towards where the controller wants the arm at the step's end."""
        end_ns = self.now_ns + 1_000_000_000 // PHYSICS_HZ
        if not self._stuck:
            self.sim.set_target(self._pushed(self._lag.follow(self.controller.sample(end_ns))))
        self.sim.step(1)
        if self._watch is not None:
            self._watch.look(*self.sim.arm_motion(), self.controller.speed(end_ns))
        self._count += 1
        frames = self._count % self.steps_per_period == 0
        return Due(frames or self._joints_due(), frames)

    def push(self, turned: float | None) -> None:
        """A person holds the first joint turned by that much [rad] from where it is commanded; None: nobody does any more.

        The controller then draws the arm back as a person gives way: it does not leap. Where it is inactive the arm stays where it
        was left.
        """
        if turned is not None:
            self._push = turned
        elif self._push and not self._controlled:
            self._hold(self.sim.arm_motion()[0])
            self._push = 0.0
        elif self._push:
            self._push -= float(np.clip(self._push, -GIVE_WAY / PHYSICS_HZ, GIVE_WAY / PHYSICS_HZ))

    def _pushed(self, q: np.ndarray) -> np.ndarray:
        return q + self._push * np.eye(len(q))[0] if self._push else q

    def _hold(self, q: np.ndarray) -> None:
        self.controller.reset(q)
        self._lag.reset(q)

    def _joints_due(self) -> bool:
        if self._joint_state_rate is None:
            return False
        before, after = (
            int(count * self._joint_state_rate / PHYSICS_HZ + 1e-9) for count in (self._count - 1, self._count)
        )
        return after > before
