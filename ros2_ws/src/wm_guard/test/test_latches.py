"""Stops that stay until they are cleared."""

from itertools import pairwise

from wm_guard.guard import Kind, Mode
from wm_guard.limits import Request
from wm_guard.states import State

MS = 1_000_000
T0 = 1000 * MS


def test_the_states_in_turn(guard, kinematics, start, step):
    assert (guard.status.state, guard.status.reasons) == (State.HOLDING, ("no_command_yet",))
    guard.check(step(dx=0.02), T0, T0)
    assert guard.status.state is State.RUNNING and guard.status.speed_scale == 1.0
    guard.check(step(dx=0.10), T0, T0)
    slowed = guard.status
    assert slowed.state is State.SLOWED and slowed.reasons == ("joint_velocity",) and 0.1 < slowed.speed_scale < 0.9
    guard.watchdog(T0 + 200 * MS)
    assert (guard.status.state, guard.status.reasons) == (State.HOLDING, ("no_command",))
    guard.e_stop(T0 + 300 * MS)
    assert (guard.status.state, guard.status.reasons) == (State.STOPPED, ("e_stop",))


def test_a_latch_is_cleared_only_while_it_is_known_where_the_arm_is(guard, kinematics, start, step):
    verdict = guard.latch("contact", "joint 3 feels 40 N m", T0)
    assert verdict.kind is Kind.HOLD and guard.mode is Mode.STOPPED
    refused = guard.check(step(dx=0.01), T0, T0)
    assert refused.reason == "contact" and "call wm/clear" in refused.text and refused.expected
    later = T0 + 500 * MS
    assert "unknown where the arm is" in guard.clear(later) and guard.mode is Mode.STOPPED
    guard.observe(kinematics.joint_names, start, later, later)
    assert guard.clear(later) == "" and guard.mode is Mode.HOLDING
    assert guard.check(step(dx=0.01), later, later).kind is Kind.PASS


def test_an_emergency_stop_has_a_reset_of_its_own(guard, step):
    guard.latch("contact", "", T0)
    guard.e_stop(T0)
    assert "wm/e_stop_reset" in guard.clear(T0) and guard.status.reasons == ("e_stop",)
    guard.latch("contact", "", T0)
    guard.reset_e_stop()
    assert guard.status.reasons == ("contact",)
    assert guard.clear(T0) == ""


def test_an_arm_that_moves_faster_than_it_can_is_stopped(guard, kinematics, start, step):
    """Somebody else moves it, or its controller has gone wild."""
    guard.check(step(dx=0.01), T0, T0)
    now = T0
    for i in range(5):
        now += 20 * MS
        q = start + [0.04 * (-1) ** i, 0, 0, 0, 0, 0, 0]  # 4 rad/s, within the tolerance of what is believed
        assert guard.observe(kinematics.joint_names, q, now, now)
    verdict = guard.watchdog(now)
    assert verdict.reason == "limit_violation" and "panda_joint1" in verdict.text
    assert guard.mode is Mode.STOPPED and guard.watchdog(now + 10 * MS) is None


def test_joint_states_that_come_together_are_no_speed(guard, kinematics, start, step):
    """Two publishers, or stamps that jitter: 0.02 rad in a nanosecond."""
    guard.check(step(dx=0.01), T0, T0)
    for i in range(20):
        now = T0 + 20 * MS + i
        guard.observe(kinematics.joint_names, start + 0.02 * (-1) ** i, now, now)
    assert guard.watchdog(T0 + 21 * MS) is None and guard.mode is Mode.PASSING


def test_an_arm_that_does_not_follow_is_tried_ever_more_rarely_and_stopped_after_a_minute(guard, kinematics, start):
    """A controller that is inactive for some seconds needs nobody to clear anything."""
    now, far, passed = T0, start + [0.1, 0, 0, 0, 0, 0, 0], []
    for _ in range(4000):
        now += 20 * MS
        guard.observe(kinematics.joint_names, start, now, now)
        guard.watchdog(now)
        if guard.mode is Mode.STOPPED:
            break
        if guard.check(Request(kinematics.joint_names, 0, [100 * MS], [far]), now, now).kind is not Kind.REFUSED:
            passed.append((now - T0) / MS)
    assert guard.status.reasons == ("not_following",) and T0 + 30_000 * MS < now < T0 + 61_000 * MS
    tries = [after for before, after in pairwise(passed) if after - before > 100]
    assert tries[0] < 1500 and tries[2] < 6000 and max(after - before for before, after in pairwise(tries)) < 5000


def test_a_reset_of_the_simulator_is_no_motion(guard, kinematics, start):
    for i in range(1, 6):
        at = T0 + 10 * i * MS
        home = start + 0.4 * (i % 2)
        guard.place(home, at, at)
        guard.observe(kinematics.joint_names, home, at, at)
    assert guard.watchdog(at) is None
