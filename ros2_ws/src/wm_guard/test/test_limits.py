"""Limits: workspace, joint positions, speeds and singularities. Time starts at 1 s."""

import numpy as np
import pytest

from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_guard.guard import Guard, Kind, Mode
from wm_guard.limits import OVERSHOOT, Limits, Request

TOOL_DOWN = load_robot().tool.rotation
MS = 1_000_000
T0 = 1000 * MS


def tool_speed(kinematics, verdict) -> float:
    """Fastest tool [m/s] of what was sent."""
    sent = verdict.sent
    return max(
        np.linalg.norm(kinematics.tool_motion(q, v)[1]) for q, v in zip(sent.positions, sent.velocities, strict=True)
    )


def test_the_tool_stays_in_the_workspace_box_also_between_the_points(guard_of, kinematics, start, step):
    guard = guard_of(kinematics, start, Limits.of(load_robot(), workspace_max=(0.8, 0.45, 0.101), max_jump=1.0))
    assert guard.check(step(dz=0.01), T0, T0).reason == "workspace"
    # Both ends are at the allowed height, but a straight line in joint space rises 3 mm on the way.
    assert guard.check(step(dx=-0.15, duration_ns=2000 * MS), T0, T0).reason == "workspace"
    assert guard.check(step(dy=0.1, duration_ns=2000 * MS), T0, T0).kind is Kind.PASS


def test_an_arm_outside_the_box_may_only_move_back_in(guard_of, kinematics, start, step):
    guard = guard_of(
        kinematics, start, Limits.of(load_robot(), workspace_min=(0.2, -0.45, 0.15))
    )  # 5 cm above the tool
    assert guard.check(step(dz=-0.01), T0, T0).reason == "workspace"
    assert guard.check(step(dz=0.02), T0, T0).kind is Kind.PASS


def test_joint_limits_keep_their_margin(guard_of, kinematics, start):
    limits = Limits.of(load_robot(), workspace_min=(-2, -2, -2), workspace_max=(2, 2, 2))
    for joint in range(7):
        inside = start.copy()
        inside[joint] = kinematics.upper[joint] - 0.05
        guard = guard_of(kinematics, inside, limits)
        beyond = inside.copy()
        beyond[joint] += 0.04
        assert guard.check(Request(kinematics.joint_names, 0, [100 * MS], [beyond]), T0, T0).reason == "position_limit"


def test_fast_commands_are_slowed_not_refused(guard, kinematics, step):
    verdict = guard.check(step(dx=0.06), T0, T0)  # 0.6 m/s
    assert (verdict.kind, verdict.reason) == (Kind.LIMITED, "tool_speed")
    assert verdict.motion.times_ns[0] >= 120 * MS
    assert tool_speed(kinematics, verdict) == pytest.approx(OVERSHOOT * 0.5, rel=0.1)


def test_commands_that_are_slowed_begin_where_the_ones_before_end(guard_of):
    """What is sent goes beyond an acceleration limit if it is only smoothed, as of an arm with low limits: dynamics and data need to
    know the commanded motion all the same."""
    robot = load_robot("ur5e")
    kinematics, joints = Kinematics(robot), robot.home.joints
    guard, place = guard_of(kinematics, joints, Limits.of(robot)), kinematics.fk(joints)[0]
    slowed = 0
    for i in range(6):
        now, way = T0 + 100 * MS * i, np.array([0.03, 0.0, 0.0]) * (1 if i < 3 else -1)
        measured = guard.arm.motions.state(now)[0] if i else joints
        joints, before = kinematics.ik(place + way, robot.tool.rotation, joints), place
        place = place + way
        guard.observe(kinematics.joint_names, measured, now, now)
        verdict = guard.check(Request(kinematics.joint_names, 0, [100 * MS], [joints]), now, now)
        slowed += verdict.reason == "acceleration"
        np.testing.assert_allclose(verdict.tool_start.position, before, atol=1e-3)
        np.testing.assert_allclose(verdict.tool_end.position, place, atol=1e-3)
    assert slowed


def test_the_speed_limit_holds_below_the_profiles(guard_of, kinematics, start, step):
    """ISO 10218: at most 0.25 m/s where people are near."""
    guard = guard_of(kinematics, start, Limits.of(load_robot(), speed_limit=0.25))
    verdict = guard.check(step(dx=0.03), T0, T0)
    assert (verdict.kind, verdict.reason) == (Kind.LIMITED, "tool_speed")
    assert verdict.motion.times_ns[0] == pytest.approx(120 * MS / OVERSHOOT, rel=0.02)
    assert tool_speed(kinematics, verdict) <= 0.255


def test_fast_joints_are_slowed_too(guard, kinematics, start):
    twist = start.copy()
    twist[6] += 0.3  # turns the tool on the spot: 3 rad/s
    verdict = guard.check(Request(kinematics.joint_names, 0, [100 * MS], [twist]), T0, T0)
    assert (verdict.kind, verdict.reason) == (Kind.LIMITED, "joint_velocity")
    assert verdict.motion.times_ns[0] >= 0.3 / kinematics.velocity[6] * 1e9
    assert (np.abs(verdict.sent.velocities) <= kinematics.velocity + 1e-9).all()


def test_speed_is_measured_from_where_the_last_command_brought_the_arm(guard, kinematics, start, step):
    """The arm lags; its controller interpolates from what it was sent, and so does the guard."""
    assert guard.check(step(dx=0.03), T0, T0).kind is Kind.PASS
    now = T0 + 100 * MS
    lagging = start + 0.5 * (np.asarray(step(dx=0.03).positions[0]) - start)
    guard.observe(kinematics.joint_names, lagging, now, now)
    verdict = guard.check(step(dx=0.06), now, now)
    assert verdict.kind is Kind.PASS
    np.testing.assert_allclose(verdict.tool_end.position - verdict.tool_start.position, [0.03, 0, 0], atol=1e-3)


def test_near_a_singularity_the_arm_is_slowed_then_stopped_and_may_always_leave(guard_of, kinematics):
    """The Panda's arm stretched out: its elbow nearly straight."""
    limits = Limits.of(load_robot(), workspace_min=(-2, -2, -2), workspace_max=(2, 2, 2))
    stretched = np.array([0.0, 0.6, 0.0, -0.5, 0.0, 1.6, 0.785])
    towards, away = [], []
    for elbow in (-1.2, -0.75, -0.7, -0.65, -0.6):
        at = stretched.copy()
        at[3] = elbow
        for way, verdicts in ((0.02, towards), (-0.02, away)):
            guard = guard_of(kinematics, at, limits)
            there = at + [0, 0, 0, way, 0, 0, 0]
            verdict = guard.check(Request(kinematics.joint_names, 0, [100 * MS], [there]), T0, T0)
            verdicts.append((verdict.kind, verdict.reason))
    assert set(away) == {(Kind.PASS, "")}
    assert towards[0] == (Kind.PASS, "") and towards[-1] == (Kind.REFUSED, "singularity")
    assert towards[2] == (Kind.LIMITED, "singularity")


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan, np.inf])
def test_an_arm_without_velocity_limits_is_refused_and_would_still_be_stopped(guard_of, limit):
    """0.3 rad in 20 ms passed, the hold raised, and the emergency stop did not latch."""
    arm = Kinematics(load_robot())
    q = arm.ik(np.array([0.45, 0.0, 0.10]), TOOL_DOWN, np.array([0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.785]))
    guard = guard_of(arm, q)
    assert guard.check(Request(arm.joint_names, 0, [100 * MS], [q + 0.02]), T0, T0).kind is Kind.PASS
    arm.velocity[2] = limit
    with pytest.raises(ValueError, match="velocity limit above 0"):
        Guard(arm, Limits.of(load_robot()))
    for stop in (lambda now: guard.hold("again", now), guard.e_stop):
        verdict = stop(T0 + 50 * MS)
        assert np.isfinite(verdict.motion.positions).all() and (np.diff(verdict.motion.times_ns) > 0).all()
    assert guard.mode is Mode.STOPPED
