"""Motions and stops in the shortest time within limits of velocity, acceleration and jerk (ruckig)."""

from dataclasses import dataclass, replace

import numpy as np
from ruckig import ControlInterface, InputParameter, Result, Ruckig, RuckigError, Synchronization, Trajectory

from wm_guard.smoothing import States


@dataclass(frozen=True)
class JointLimits:
    """Of each joint, (n,): [rad/s, rad/s^2, rad/s^3]."""

    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray

    def slower(self, share: float) -> "JointLimits":
        return replace(self, velocity=share * self.velocity)


TINY = 1e-9  # below which ruckig finds no motion at times
LOOKS = 50  # at a motion, for where it comes
State = tuple[np.ndarray, np.ndarray, np.ndarray]  # position, velocity, acceleration (n,)


@dataclass(frozen=True)
class Profile:
    """A motion of constant jerks, at rest after `duration` [s]; each joint has times of its own.

    `times` (k, n) [s]: when the jerks begin; `table` (4, k, n): position, velocity, acceleration then, and jerk from then on.
    `target` (n,): where it ends.
    """

    duration: float
    target: np.ndarray
    times: np.ndarray
    table: np.ndarray

    def range(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest positions (n,) on the way."""
        positions = self.at(np.linspace(0.0, self.duration, LOOKS)).position
        return positions.min(axis=0), positions.max(axis=0)

    def at(self, times: np.ndarray) -> States:
        """At `times` (m,) [s] from its start, not before it."""
        ended = times >= self.duration
        times = np.minimum(times, self.duration)
        row = np.maximum((times[:, None, None] >= self.times).sum(axis=1) - 1, 0)
        joints = np.arange(self.times.shape[1])
        p, v, a, j = self.table[:, row, joints]
        t = times[:, None] - self.times[row, joints]
        states = States(p + t * (v + t * (a / 2 + t * j / 6)), v + t * (a + t * j / 2), a + t * j, j)
        states.velocity[ended] = states.acceleration[ended] = states.jerk[ended] = 0.0
        return states


def move(now: State, target: np.ndarray, limits: JointLimits, least: float) -> Profile | None:
    """From position, velocity, acceleration (n,) `now` to rest at `target` (n,), in `least` [s] or more; None where ruckig finds none."""
    given = _input(now, limits)
    given.target_position = np.where(np.abs(target - now[0]) < TINY, now[0], target)
    given.minimum_duration = least
    return _calculate(given)


def stop(now: State, limits: JointLimits, least: float = 0.0, together: bool = True) -> Profile | None:
    """To rest as soon as possible, in `least` [s] or more, wherever that is; `together`: all joints at once, on a straight way where
    that can be; else each as soon as it can.
    """
    given = _input(now, limits)
    given.control_interface = ControlInterface.Velocity
    given.synchronization = Synchronization.Phase if together else Synchronization.No
    given.minimum_duration = least
    return _calculate(given)


def _input(now: State, limits: JointLimits) -> InputParameter:
    given = InputParameter(len(now[0]))
    given.current_position = now[0]
    given.current_velocity, given.current_acceleration = (np.where(np.abs(each) < TINY, 0.0, each) for each in now[1:])
    given.max_velocity, given.max_acceleration, given.max_jerk = limits.velocity, limits.acceleration, limits.jerk
    given.target_velocity = given.target_acceleration = np.zeros(len(now[0]))
    return given


def _calculate(given: InputParameter) -> Profile | None:
    otg, trajectory = Ruckig(given.degrees_of_freedom), Trajectory(given.degrees_of_freedom)
    try:
        result = otg.calculate(given, trajectory)
    except (RuckigError, RuntimeError):  # input that it refuses, or finds no motion for
        return None
    return _profile(trajectory, given) if result in (Result.Working, Result.Finished) else None


def _profile(trajectory: Trajectory, given: InputParameter) -> Profile:
    """As arrays: ruckig's own object would be complained about at the end of the process, and gives no jerks."""
    joints = trajectory.profiles[0]
    lasts = np.array([[*joint.brake.t, *joint.t] for joint in joints]).T
    lasts[:2] *= np.array([joint.brake.duration > 0 for joint in joints])
    jerk = np.array([[*joint.brake.j, *joint.j, 0.0] for joint in joints]).T
    p, v, a = (
        [np.array(each)] for each in (given.current_position, given.current_velocity, given.current_acceleration)
    )
    for t, j in zip(lasts, jerk, strict=False):
        p.append(p[-1] + t * (v[-1] + t * (a[-1] / 2 + t * j / 6)))
        v.append(v[-1] + t * (a[-1] + t * j / 2))
        a.append(a[-1] + t * j)
    times = np.vstack([np.zeros(len(joints)), np.cumsum(lasts, axis=0)])
    return Profile(trajectory.duration, p[-1], times, np.array([p, v, a, jerk]))
