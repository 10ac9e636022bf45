"""Silence of commands and of joint states. Time starts at 1 s."""

from wm_core.robot import load_robot
from wm_guard.guard import Guard, Kind, Mode
from wm_guard.limits import Limits

MS = 1_000_000
T0 = 1000 * MS


def test_the_watchdog_holds_once_within_its_timeout_and_the_next_command_recovers(guard, kinematics, start, step):
    guard.check(step(dx=0.03), T0, T0)
    there = step(dx=0.03).positions[0]
    guard.observe(kinematics.joint_names, guard.arm.motions.state(T0 + 90 * MS)[0], T0 + 90 * MS, T0 + 90 * MS)
    assert guard.watchdog(T0 + 100 * MS) is None
    assert guard.watchdog(T0 + 100 * MS) is None  # time stands still
    guard.observe(kinematics.joint_names, there, T0 + 180 * MS, T0 + 180 * MS)
    held = guard.watchdog(T0 + 199 * MS)
    assert held.reason == "no_command" and guard.mode is Mode.HOLDING
    assert guard.watchdog(T0 + 400 * MS) is None  # one hold is enough
    guard.observe(kinematics.joint_names, there, T0 + 400 * MS, T0 + 400 * MS)
    assert guard.check(step(dx=0.03), T0 + 400 * MS, T0 + 400 * MS).kind is Kind.PASS and guard.mode is Mode.PASSING


def test_before_the_first_command_there_is_nothing_to_hold(guard):
    assert guard.watchdog(T0 + 1000 * MS) is None and guard.mode is Mode.WAITING


def test_without_joint_state_nothing_moves(kinematics, start, step):
    guard = Guard(kinematics, Limits.of(load_robot()))
    verdict = guard.check(step(dx=0.03), T0, T0)
    assert verdict.reason == "no_state" and verdict.motion is None
    guard.place(start, T0, T0)
    guard.observe(kinematics.joint_names, start, T0, T0)
    assert guard.check(step(dx=0.03), T0 + 150 * MS, T0 + 150 * MS).kind is Kind.PASS
    later = T0 + 250 * MS  # the state is now too old, but where to hold is known
    verdict = guard.check(step(dx=0.03), later, later)
    assert verdict.reason == "no_state" and verdict.motion is not None


def test_the_watchdog_holds_when_joint_states_stay_away(guard, step):
    for at in (0, 70, 140):
        guard.check(step(dx=0.03), T0 + at * MS, T0 + at * MS)
    assert guard.watchdog(T0 + 149 * MS).reason == "no_state"


def test_joint_states_that_come_often_are_missed_sooner(guard, kinematics, start, step):
    """At 50 Hz after 0.08 s, whatever the planner still commands; at 10 Hz after `timeout`."""
    now = T0
    for _ in range(50):
        now += 20 * MS
        guard.observe(kinematics.joint_names, start, now, now)
    guard.check(step(dx=0.01), now, now)
    assert guard.watchdog(now + 70 * MS) is None
    assert guard.watchdog(now + 80 * MS).reason == "no_state"
    for _ in range(50):
        now += 100 * MS
        guard.observe(kinematics.joint_names, start, now, now)
    guard.check(step(dx=0.01), now, now)
    assert guard.watchdog(now + 140 * MS) is None


def test_an_arm_of_which_nothing_is_heard_is_sent_nothing_once_it_rests(guard, step):
    """Its driver, or the simulator, may be starting anew with the arm elsewhere: a hold would take it back at once."""
    guard.check(step(dx=0.03), T0, T0)
    assert guard.watchdog(T0 + 200 * MS).sent is not None
    assert guard.check(step(dx=0.03), T0 + 300 * MS, T0 + 300 * MS).sent is not None
    late = guard.check(step(dx=0.03), T0 + 900 * MS, T0 + 900 * MS)
    assert late.kind is Kind.REFUSED and late.sent is None and "nobody says where" in late.text
    assert guard.e_stop(T0 + 1000 * MS).sent is None and guard.mode is Mode.STOPPED


def test_an_arm_that_was_never_commanded_is_not_sent_where_it_was_an_hour_ago(guard):
    assert guard.e_stop(T0 + 3600 * 1000 * MS).sent is None and guard.mode is Mode.STOPPED
