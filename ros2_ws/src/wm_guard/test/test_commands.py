"""Commands: what is passed as it came, what is dropped of it, and what is answered with a hold. Time starts at 1 s."""

from dataclasses import replace

import numpy as np
import pytest

from wm_guard.guard import Kind, Mode
from wm_guard.limits import Request

MS = 1_000_000
T0 = 1000 * MS
LAG = 60 * MS  # of the arm behind what is commanded, with the default smoothing


def test_a_good_step_passes_as_it_came(guard, kinematics, start, step):
    request = step(dx=0.03)
    verdict = guard.check(request, T0, T0)
    assert verdict.kind is Kind.PASS and verdict.reason == ""
    assert verdict.motion.times_ns.tolist() == [100 * MS]
    np.testing.assert_allclose(verdict.motion.positions, request.positions)
    np.testing.assert_allclose(verdict.tool_start.position, kinematics.fk(start)[0], atol=1e-9)
    np.testing.assert_allclose(verdict.tool_end.position - verdict.tool_start.position, [0.03, 0, 0], atol=1e-3)
    assert verdict.effective_ns == T0 + LAG and guard.mode is Mode.PASSING and guard.counts == {"pass": 1}


def test_joints_may_come_in_any_order(guard, kinematics, step):
    request = step(dx=0.03)
    order = [3, 1, 6, 0, 2, 5, 4]
    shuffled = Request(
        [request.names[i] for i in order], 0, request.times_ns, [[request.positions[0][i] for i in order]]
    )
    verdict = guard.check(shuffled, T0, T0)
    assert verdict.kind is Kind.PASS
    np.testing.assert_allclose(verdict.motion.positions, request.positions)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: replace(r, names=["a", *r.names[1:]]), "names"),
        (lambda r: replace(r, names=r.names[1:]), "names"),
        (lambda r: replace(r, names=[r.names[1], *r.names[1:]]), "names"),
        (lambda r: replace(r, positions=[]), "size"),
        (lambda r: replace(r, positions=[r.positions[0][:6]]), "size"),
        (lambda r: replace(r, times_ns=[]), "size"),
        (lambda r: replace(r, positions=[r.positions[0] * np.nan]), "not_finite"),
        (lambda r: replace(r, positions=[r.positions[0], r.positions[0]], times_ns=[100, 100]), "time_order"),
        (lambda r: replace(r, times_ns=[-1]), "time_order"),
        (lambda r: replace(r, start_ns=T0 - 100 * MS), "late"),
        (lambda r: replace(r, start_ns=T0 + 600 * MS), "future"),
        (lambda r: replace(r, positions=[r.positions[0] + 0.4]), "jump"),
    ],
)
def test_malformed_commands_are_answered_with_a_hold(guard, kinematics, start, step, change, reason):
    verdict = guard.check(change(step(dx=0.03)), T0, T0)
    assert (verdict.kind, verdict.reason) == (Kind.REFUSED, reason)
    assert guard.mode is Mode.HOLDING and guard.reason == reason and guard.counts == {reason: 1}
    np.testing.assert_allclose(verdict.motion.positions, [start])
    np.testing.assert_allclose(verdict.tool_end.position, kinematics.fk(start)[0], atol=1e-9)
    assert guard.check(step(dx=0.03), T0, T0).kind is Kind.PASS  # recovers


def test_old_measurements_and_unknown_status_are_refused(guard, step):
    assert guard.check(step(), T0 - 201 * MS, T0).reason == "stale"
    assert guard.check(step(), T0 + 201 * MS, T0).reason == "stale"
    assert guard.check(step(), T0 - 199 * MS, T0, status=7).reason == "status"
    assert guard.check(step(), T0 - 199 * MS, T0).kind is Kind.PASS


def test_a_source_whose_time_goes_back_is_refused(guard, kinematics, start, step):
    guard.check(step(dx=0.01), T0, T0 + 10 * MS)
    later = T0 + 100 * MS
    guard.observe(kinematics.joint_names, start, later, later)
    assert guard.check(step(dx=0.01), later, later).kind is Kind.PASS
    assert guard.check(step(dx=0.02), T0 + 50 * MS, later + 10 * MS).reason == "time_back"
    assert guard.check(step(dx=0.02), later, later + 20 * MS).reason == ""  # the same measurement, answered again


def test_a_measurement_ahead_of_the_clock_moves_the_clock(guard, kinematics, start, step):
    """In lockstep the clock message may arrive after the command that answers the frame of that instant."""
    now = T0 + 100 * MS
    guard.observe(kinematics.joint_names, start, now, T0)
    verdict = guard.check(step(dx=0.03, start_ns=now), now, T0)
    assert verdict.kind is Kind.PASS and verdict.effective_ns == now + LAG


def test_a_hold_carries_the_stamp_of_the_command_it_answers(guard, kinematics, start):
    """A simulator in lockstep advances for the command of its newest frame only."""
    empty, now = Request((), 0, (), ()), T0 + 100 * MS
    guard.observe(kinematics.joint_names, start, now, now)
    late = guard.check(empty, T0, now)
    assert late.motion.start_ns == T0 and late.motion.times_ns.tolist() == [200 * MS] and late.effective_ns == now
    assert guard.e_stop(now).motion.start_ns == 0  # answers nothing: starts on arrival


def test_late_points_are_dropped_as_the_arm_controller_does(guard, kinematics, start, step):
    request = step(dx=0.01)
    two = replace(
        request, start_ns=T0 - 150 * MS, times_ns=[100 * MS, 200 * MS], positions=[start, request.positions[0]]
    )
    verdict = guard.check(two, T0, T0)
    assert verdict.kind is Kind.PASS and len(verdict.motion.positions) == 1
    assert verdict.motion.start_ns + verdict.motion.times_ns[0] == T0 + 50 * MS + LAG


def test_a_command_that_is_early_by_the_lag_moves_the_arm_on_time(guard, kinematics, start, step):
    """A planner that knows of the lag says when the arm is to move."""
    assert guard.lag_s == LAG / 1e9
    verdict = guard.check(step(dx=0.03, start_ns=T0 + LAG), T0, T0)
    assert verdict.effective_ns == verdict.motion.start_ns == T0 + LAG
    assert verdict.motion.times_ns.tolist() == [100 * MS]
    assert verdict.sent.start_ns == T0 and verdict.sent.rest_ns == T0 + 100 * MS + 2 * LAG
    middle = 0.5 * (start + np.asarray(step(dx=0.03).positions[0]))
    at = np.flatnonzero(verdict.sent.ends_ns == T0 + 50 * MS + LAG)[0]
    np.testing.assert_allclose(verdict.sent.positions[at], middle, atol=1e-6)


def test_a_verdict_that_came_too_late_is_withdrawn_and_the_arm_goes_on(guard, step):
    """The guard's process was kept waiting for 80 ms: the command is judged again from where the arm is by now."""
    guard.check(step(dx=0.03), T0, T0)
    there = guard.arm.motions.state(T0 + 150 * MS)
    guard.check(step(dx=0.05), T0 + 70 * MS, T0 + 70 * MS)
    guard.withdraw()
    np.testing.assert_array_equal(guard.arm.motions.state(T0 + 150 * MS), there)
    np.testing.assert_allclose(guard.arm.states.path.at(T0 + 150 * MS), there[0], atol=1e-12)
    again = guard.check(step(dx=0.05), T0 + 70 * MS, T0 + 90 * MS)
    assert again.kind in (Kind.PASS, Kind.LIMITED) and again.sent.ends_ns[0] == T0 + 120 * MS


def test_the_first_command_begins_where_the_arm_is(guard, kinematics, start, step):
    """A planner whose commands did not reach the arm, for the guard knew nothing yet, is ahead of it."""
    ahead = Request(kinematics.joint_names, 0, [50 * MS], [start + 0.2])
    assert guard.check(ahead, T0, T0).reason == "jump"
    assert guard.check(step(dx=0.03), T0, T0).kind is Kind.PASS


def test_a_trajectory_may_begin_with_where_the_arm_is(guard, start, step):
    """The usual form, with a first point at 0 s: it is over when the motion begins."""
    request = step(dx=0.01)
    two = replace(request, start_ns=T0 + 40 * MS, times_ns=[0, 100 * MS], positions=[start, request.positions[0]])
    verdict = guard.check(two, T0, T0)
    assert verdict.kind is Kind.PASS and np.isfinite(verdict.sent.positions).all()
    assert np.isfinite(guard.e_stop(T0 + 50 * MS).sent.positions).all()


@pytest.mark.parametrize("seconds", [5.1, 30.0, 1e5])
def test_a_motion_that_takes_too_long_is_refused(guard, step, seconds):
    """When everything else has died the arm goes on to the last point."""
    verdict = guard.check(step(dx=0.01, duration_ns=round(seconds * 1e9)), T0, T0)
    assert (verdict.kind, verdict.reason) == (Kind.REFUSED, "too_long")


def test_a_command_that_fails_leaves_the_motion_that_the_arm_is_on(guard, step, monkeypatch):
    guard.check(step(dx=0.03), T0, T0)
    there = guard.arm.motions.state(T0 + 60 * MS)
    with monkeypatch.context() as broken, pytest.raises(ZeroDivisionError):
        broken.setattr(guard.arm.motions, "_exceeded", lambda *_: 1 / 0)
        guard.check(step(dx=0.05), T0 + 50 * MS, T0 + 50 * MS)
    np.testing.assert_array_equal(guard.arm.motions.state(T0 + 60 * MS), there)
    assert guard.e_stop(T0 + 60 * MS).sent is not None
