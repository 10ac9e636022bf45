"""Stops: how the arm comes to rest, and the emergency stop that latches. Time starts at 1 s."""

import numpy as np
import pytest

from wm_core.robot import load_robot
from wm_guard.guard import Kind, Mode
from wm_guard.limits import Limits

MS = 1_000_000
T0 = 1000 * MS


def test_a_stop_slows_down_on_the_commanded_way(guard, kinematics, start, step):
    request = step(dx=0.09, duration_ns=600 * MS)
    assert guard.check(request, T0, T0).kind is Kind.PASS
    sent = guard.e_stop(T0 + 200 * MS).sent
    full = np.abs(request.positions[0] - start) / 0.6
    speeds = np.abs(sent.velocities)
    assert (
        (speeds[0] >= full - 0.03 * kinematics.acceleration - 1e-6).all()  # the first point is 30 ms ahead
        and (speeds[0] <= full + 1e-6).all()
        and not speeds[-1].any()
    )
    assert (np.diff(speeds, axis=0) <= 1e-9).all()
    assert (np.abs(sent.accelerations) <= kinematics.acceleration + 1e-6).all()
    assert sent.rest_ns <= T0 + 300 * MS
    assert (
        np.abs(sent.positions - start) <= np.abs(request.positions[0] - start) + 1e-9
    ).all()  # not beyond where it was sent
    later = guard.hold("again", T0 + 500 * MS)
    np.testing.assert_allclose(later.motion.positions, sent.positions[-1:])


def test_a_stop_of_category_0_leaves_the_rest_to_the_arm(guard_of, kinematics, start, step):
    guard = guard_of(kinematics, start, Limits.of(load_robot(), stop_category=0))
    moving = guard.check(step(dx=0.03), T0, T0).sent
    sent = guard.e_stop(T0 + 50 * MS).sent
    assert len(sent.positions) == 1 and not sent.velocities.any()
    np.testing.assert_allclose(sent.positions[0], moving.positions[2])  # where it was at 50 ms


def test_e_stop_latches(guard, step):
    guard.check(step(dx=0.03), T0, T0)
    verdict = guard.e_stop(T0 + 50 * MS)
    assert verdict.kind is Kind.HOLD and verdict.motion is not None
    for at in (60, 100):
        refused = guard.check(step(dx=0.03), T0 + at * MS, T0 + at * MS)
        assert refused.reason == "e_stop" and refused.expected  # the stop was news, that it goes on is none
    assert guard.mode is Mode.STOPPED
    guard.reset_e_stop()
    assert guard.mode is Mode.HOLDING
    assert guard.check(step(dx=0.03), T0 + 150 * MS, T0 + 150 * MS).kind is Kind.PASS


def test_an_emergency_stop_latches_whatever_fails_after_it(guard, step, monkeypatch):
    guard.check(step(dx=0.03), T0, T0)
    monkeypatch.setattr(guard.arm, "hold", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        guard.e_stop(T0 + 50 * MS)
    assert guard.mode is Mode.STOPPED and guard.reason == "e_stop"
