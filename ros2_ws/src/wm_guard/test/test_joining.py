"""How what is sent begins, as joint_trajectory_controller takes it: no step where one trajectory replaces another."""

import numpy as np
import pytest

from wm_guard.limits import Request

MS = 1_000_000
T0 = 1000 * MS
PERIOD = 2 * MS  # of the controller, as of a UR
MEETS = np.linalg.inv(  # coefficients of a quintic on [0, 1] from positions, velocities and accelerations at both ends
    [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 2, 0, 0, 0], [1] * 6, [0, 1, 2, 3, 4, 5], [0, 0, 2, 6, 12, 20]]
)


class JointTrajectoryController:
    """With interpolate_from_desired_state, after its source (ros2_controllers 4.17 to 4.42, position command interface): the command
    is where the trajectory will be one period later; the way to a first point that is still to come begins at the last command, at the
    time of that update. Positions, velocities and accelerations (3, n).
    """

    def __init__(self, q):
        self.last = np.vstack([q, np.zeros((2, len(q)))])
        self.last_ns = T0
        self.ends, self.points, self.commands = np.array([T0]), self.last[None], [np.array(q)]

    def take(self, sent):
        self.ends = np.concatenate([[self.last_ns], sent.ends_ns])
        self.points = np.concatenate(
            [self.last[None], np.stack([sent.positions, sent.velocities, sent.accelerations], axis=1)]
        )
        first = int(np.searchsorted(sent.ends_ns, self.last_ns, side="right")) - 1
        if first >= 0:  # due already
            self.ends, self.points = self.ends[1 + first :], self.points[1 + first :]

    def until(self, now_ns):
        while self.last_ns + PERIOD <= now_ns:
            self.last_ns += PERIOD
            self.last = self._at(self.last_ns + PERIOD)
            self.commands.append(self.last[0])

    def _at(self, ns):
        end = int(np.searchsorted(self.ends, ns, side="right"))
        if end == len(self.ends):
            return np.vstack([self.points[-1][0], np.zeros((2, len(self.last[0])))])
        long = (self.ends[end] - self.ends[end - 1]) / 1e9
        powers = long ** np.arange(3)[:, None]
        ends = np.vstack([self.points[end - 1] * powers, self.points[end] * powers])
        x = (ns - self.ends[end - 1]) / 1e9 / long
        rows = np.array([[k**0 * x**k for k in range(6)], [k * x ** max(k - 1, 0) for k in range(6)]])
        rows = np.vstack([rows, [k * (k - 1) * x ** max(k - 2, 0) for k in range(6)]])
        return rows @ (MEETS @ ends) / powers


def streamed(guard, kinematics, start, late, stamped, off=0.0):
    """A joint turns at 0.5 rad/s, by commands that the controller hears of `late` [ns] after they are judged; the arm is measured
    `off` [rad] from where it is commanded.
    """
    controller, way = JointTrajectoryController(start), np.eye(7)[0]
    for tick in range(10):
        now = T0 + 100 * tick * MS
        controller.until(now)
        guard.observe(kinematics.joint_names, controller.last[0] + off * way, now, now)
        target = start + 0.05 * (tick + 1) * way
        verdict = guard.check(Request(kinematics.joint_names, now * stamped, [100 * MS], [target]), now, now)
        assert verdict.sent is not None
        controller.until(now + late)
        controller.take(verdict.sent)
    controller.until(now + 400 * MS)
    return verdict.sent, np.abs(np.diff(controller.commands, n=2, axis=0)).max() / (PERIOD / 1e9) ** 2


@pytest.mark.parametrize("late", [0, 3 * MS, 6 * MS])
def test_an_arm_that_is_where_it_is_commanded_goes_on_without_a_step(guard, kinematics, start, late):
    sent, acceleration = streamed(guard, kinematics, start, late, stamped=True)
    assert acceleration < 2 * kinematics.acceleration[0]
    assert sent.ends_ns[0] == T0 + 900 * MS  # now: when the controller hears of it, it is on the motion


def test_an_arm_that_is_elsewhere_has_some_time_to_get_there(guard, kinematics, start):
    """Its controller may be elsewhere, too: stopped and active again."""
    sent, _ = streamed(guard, kinematics, start, 3 * MS, stamped=True, off=0.02)
    assert sent.ends_ns[0] == T0 + 930 * MS


def test_so_has_one_whose_trajectories_start_when_they_arrive(guard, kinematics, start):
    sent, _ = streamed(guard, kinematics, start, 3 * MS, stamped=False)
    assert sent.ends_ns[0] == T0 + 930 * MS
