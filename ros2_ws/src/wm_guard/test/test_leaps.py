"""Whatever joint states and clocks say: the arm's controller, which knows where the arm is, is never sent to another place at once."""

import numpy as np
import pytest

from wm_guard.limits import Request

MS = 1_000_000
T0 = 1000 * MS


class Controller:
    """The arm's controller, which is where it is whatever joint states say: goes straight to each point by its time."""

    def __init__(self, q):
        self.q, self.now, self.fastest = np.array(q), T0, 0.0
        self.ends, self.points = np.zeros(0), np.zeros((0, len(q)))

    def until(self, now):
        """Go on; `fastest` [rad/s] of all joints so far is kept."""
        while self.now < now:
            coming = self.ends > self.now
            self.ends, self.points = self.ends[coming], self.points[coming]
            at = min(self.now + 5 * MS, now)
            if len(self.ends):
                moved = (self.points[0] - self.q) * min(1.0, (at - self.now) / (self.ends[0] - self.now))
                self.fastest = max(self.fastest, np.abs(moved).max() / (at - self.now) * 1e9)
                self.q = self.q + moved
            self.now = at

    def take(self, verdict, offset=0):
        """A verdict, by a clock that is ahead by `offset` [ns]."""
        if verdict is not None and verdict.sent is not None:
            self.ends, self.points = verdict.sent.ends_ns - offset, verdict.sent.positions


def deceived(guard, kinematics, start, step, gap, back, seconds=4.0):
    """Joint states become zeros while the stamps leap by `gap` [ns], and back after 2 s if `back`; the planner believes them."""
    arm, offset, zeros = Controller(start), 0, np.zeros(7)
    arm.take(guard.check(step(dx=0.01), T0, T0))
    for tick in range(1, int(seconds * 50)):
        now = T0 + tick * 20 * MS
        arm.until(now)
        offset = gap if tick >= 5 and not (back and tick > 105) else 0
        said = start if tick < 5 else zeros
        guard.observe(kinematics.joint_names, said, now + offset, now + offset)
        arm.take(guard.watchdog(now + offset), offset)
        if tick % 5 == 0:
            there = Request(kinematics.joint_names, now + offset, [100 * MS], [said + 0.01])
            arm.take(guard.check(there, now + offset, now + offset), offset)
    return arm


@pytest.mark.parametrize("gap", [0, 300 * MS, 2000 * MS, -2000 * MS])
@pytest.mark.parametrize("back", [False, True])
def test_whatever_joint_states_and_clocks_say_the_arm_never_leaps(guard, kinematics, start, step, gap, back):
    """Where it may have come to the place in the time that passed by the stamps, it goes there, slowly."""
    arm = deceived(guard, kinematics, start, step, gap, back)
    assert arm.fastest < kinematics.velocity.max(), f"{arm.fastest:.1f} rad/s, now at {arm.q.round(2)}"
