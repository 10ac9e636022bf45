"""Resets of a simulator and time that goes back: what follows from them is no news. Time starts at 1 s."""

import numpy as np

from wm_guard.guard import Kind, Mode
from wm_guard.limits import Request

MS = 1_000_000
T0 = 1000 * MS


def test_when_time_goes_back_the_guard_starts_afresh(guard, kinematics, start, step):
    guard.check(step(dx=0.03), T0, T0)
    assert guard.watchdog(0) is None and guard.mode is Mode.WAITING
    guard.place(start, 0, 0)
    guard.observe(kinematics.joint_names, start, 0, 0)
    assert guard.check(step(dx=0.03), 0, 0).kind is Kind.PASS


def test_refusals_right_after_a_reset_are_no_news(guard, kinematics, start, step):
    guard.check(step(dx=0.03), T0, T0)
    home, now = start + 0.4, T0 + 100 * MS
    guard.place(home, now, now)
    guard.observe(kinematics.joint_names, home, now, now)
    verdict = guard.check(step(dx=0.03), now, now)
    assert verdict.reason == "jump" and verdict.expected
    np.testing.assert_allclose(verdict.motion.positions, [home])
    assert not guard.check(Request((), 0, (), ()), now, now).expected  # this one is
    assert guard.check(Request(kinematics.joint_names, 0, [100 * MS], [home]), now, now).kind is Kind.PASS
    assert not guard.check(step(dx=0.03), now, now).expected


def test_the_first_command_after_a_reset_is_slowed_and_no_news(guard, kinematics, start, step):
    far = Request(kinematics.joint_names, 0, [100 * MS], [start + 0.2])
    assert guard.check(far, T0, T0).kind is Kind.LIMITED
    now = T0 + 200 * MS
    guard.place(start, now, now)
    guard.observe(kinematics.joint_names, start, now, now)
    verdict = guard.check(far, now, now)
    assert verdict.kind is Kind.LIMITED and verdict.expected
    again = guard.check(far, now, now)
    assert again.kind is Kind.LIMITED and not again.expected


def test_silence_right_after_a_reset_is_held_and_no_news(guard, kinematics, step, start):
    guard.check(step(dx=0.03), T0, T0)
    assert not guard.watchdog(T0 + 200 * MS).expected
    guard.observe(kinematics.joint_names, step(dx=0.03).positions[0], T0 + 199 * MS, T0 + 200 * MS)
    guard.check(step(dx=0.03), T0 + 200 * MS, T0 + 200 * MS)
    guard.place(start, T0 + 400 * MS, T0 + 400 * MS)  # a simulator's time goes on with its reset
    verdict = guard.watchdog(T0 + 400 * MS)
    assert verdict.reason == "no_command" and verdict.expected and guard.mode is Mode.HOLDING


def test_no_joint_state_right_after_a_reset_is_held_and_no_news(guard, step, start):
    guard.check(step(dx=0.03), T0, T0)
    guard.place(start, T0 + 50 * MS, T0 + 50 * MS)
    verdict = guard.watchdog(T0 + 50 * MS)
    assert verdict.reason == "no_state" and verdict.expected
