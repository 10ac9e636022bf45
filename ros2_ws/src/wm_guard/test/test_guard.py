"""The guard's decisions, one by one. Time starts at 1 s."""

from dataclasses import replace

import numpy as np
import pytest

from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_guard.guard import Guard, Kind, Mode
from wm_guard.limits import OVERSHOOT, Limits, Request
from wm_guard.states import State

TOOL_DOWN = load_robot().tool.rotation

MS = 1_000_000
T0 = 1000 * MS
LAG = 60 * MS  # of the arm behind what is commanded, with the default smoothing


def guard_of(kinematics, joints, limits=None, at=T0) -> Guard:
    """A guard of an arm that was placed and measured at `joints`."""
    guard = Guard(kinematics, limits or Limits.of(load_robot()))
    guard.place(joints, at, at)
    assert guard.observe(kinematics.joint_names, joints, at, at)
    return guard


def tool_speed(kinematics, verdict) -> float:
    """Fastest tool [m/s] of what was sent."""
    sent = verdict.sent
    return max(
        np.linalg.norm(kinematics.tool_motion(q, v)[1]) for q, v in zip(sent.positions, sent.velocities, strict=True)
    )


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


def test_extra_joints_in_the_state_are_fine_and_missing_ones_are_not(kinematics, start):
    guard = Guard(kinematics, Limits.of(load_robot()))
    guard.place(start, T0, T0)
    names, positions = [*kinematics.joint_names, "panda_finger_joint1"], [*start, 0.02]
    assert guard.observe(names, positions, T0, T0)
    assert not guard.observe(names[1:], positions[1:], T0 + MS, T0 + MS)
    assert not guard.observe(names, [*start[:6], np.nan, 0.02], T0 + MS, T0 + MS)
    assert not guard.observe(names, positions[:3], T0 + MS, T0 + MS)
    assert not guard.observe(names, positions, T0, T0 + MS)  # a driver that repeats itself
    assert not guard.observe(names, [90.0, *positions[1:]], T0 + 2 * MS, T0 + 2 * MS)  # degrees
    assert not guard.observe(names, positions, T0 + 2 * MS, T0 + 500 * MS)
    reasons = ("names", "not_finite", "size", "repeated", "impossible", "stale")
    assert guard.counts == {f"state_{reason}": 1 for reason in reasons}


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


def test_the_tool_stays_in_the_workspace_box_also_between_the_points(kinematics, start, step):
    guard = guard_of(kinematics, start, Limits.of(load_robot(), workspace_max=(0.8, 0.45, 0.101), max_jump=1.0))
    assert guard.check(step(dz=0.01), T0, T0).reason == "workspace"
    # Both ends are at the allowed height, but a straight line in joint space rises 3 mm on the way.
    assert guard.check(step(dx=-0.15, duration_ns=2000 * MS), T0, T0).reason == "workspace"
    assert guard.check(step(dy=0.1, duration_ns=2000 * MS), T0, T0).kind is Kind.PASS


def test_an_arm_outside_the_box_may_only_move_back_in(kinematics, start, step):
    guard = guard_of(
        kinematics, start, Limits.of(load_robot(), workspace_min=(0.2, -0.45, 0.15))
    )  # 5 cm above the tool
    assert guard.check(step(dz=-0.01), T0, T0).reason == "workspace"
    assert guard.check(step(dz=0.02), T0, T0).kind is Kind.PASS


def test_joint_limits_keep_their_margin(kinematics, start):
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


def test_the_speed_limit_holds_below_the_profiles(kinematics, start, step):
    """ISO 10218: at most 0.25 m/s where people are near."""
    guard = guard_of(kinematics, start, Limits.of(load_robot(), speed_limit=0.25))
    verdict = guard.check(step(dx=0.03), T0, T0)
    assert (verdict.kind, verdict.reason) == (Kind.LIMITED, "tool_speed")
    assert verdict.motion.times_ns[0] == pytest.approx(120 * MS / OVERSHOOT, rel=0.02)
    assert tool_speed(kinematics, verdict) <= 0.255


def test_near_a_singularity_the_arm_is_slowed_then_stopped_and_may_always_leave(kinematics):
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


def test_a_source_whose_time_goes_back_is_refused(guard, kinematics, start, step):
    guard.check(step(dx=0.01), T0, T0 + 10 * MS)
    later = T0 + 100 * MS
    guard.observe(kinematics.joint_names, start, later, later)
    assert guard.check(step(dx=0.01), later, later).kind is Kind.PASS
    assert guard.check(step(dx=0.02), T0 + 50 * MS, later + 10 * MS).reason == "time_back"
    assert guard.check(step(dx=0.02), later, later + 20 * MS).reason == ""  # the same measurement, answered again


def test_fast_joints_are_slowed_too(guard, kinematics, start):
    twist = start.copy()
    twist[6] += 0.3  # turns the tool on the spot: 3 rad/s
    verdict = guard.check(Request(kinematics.joint_names, 0, [100 * MS], [twist]), T0, T0)
    assert (verdict.kind, verdict.reason) == (Kind.LIMITED, "joint_velocity")
    assert verdict.motion.times_ns[0] >= 0.3 / kinematics.velocity[6] * 1e9
    assert (np.abs(verdict.sent.velocities) <= kinematics.velocity + 1e-9).all()


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


def test_speed_is_measured_from_where_the_last_command_brought_the_arm(guard, kinematics, start, step):
    """The arm lags; its controller interpolates from what it was sent, and so does the guard."""
    assert guard.check(step(dx=0.03), T0, T0).kind is Kind.PASS
    now = T0 + 100 * MS
    lagging = start + 0.5 * (np.asarray(step(dx=0.03).positions[0]) - start)
    guard.observe(kinematics.joint_names, lagging, now, now)
    verdict = guard.check(step(dx=0.06), now, now)
    assert verdict.kind is Kind.PASS
    np.testing.assert_allclose(verdict.tool_end.position - verdict.tool_start.position, [0.03, 0, 0], atol=1e-3)


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


def test_an_arm_of_which_nothing_is_heard_is_sent_nothing_once_it_rests(guard, step):
    """Its driver, or the simulator, may be starting anew with the arm elsewhere: a hold would take it back at once."""
    guard.check(step(dx=0.03), T0, T0)
    assert guard.watchdog(T0 + 200 * MS).sent is not None
    assert guard.check(step(dx=0.03), T0 + 300 * MS, T0 + 300 * MS).sent is not None
    late = guard.check(step(dx=0.03), T0 + 900 * MS, T0 + 900 * MS)
    assert late.kind is Kind.REFUSED and late.sent is None and "nobody says where" in late.text
    assert guard.e_stop(T0 + 1000 * MS).sent is None and guard.mode is Mode.STOPPED


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


def test_before_the_first_command_there_is_nothing_to_hold(guard):
    assert guard.watchdog(T0 + 1000 * MS) is None and guard.mode is Mode.WAITING


def test_the_watchdog_holds_when_joint_states_stay_away(guard, step):
    for at in (0, 80, 160):
        guard.check(step(dx=0.03), T0 + at * MS, T0 + at * MS)
    assert guard.watchdog(T0 + 169 * MS).reason == "no_state"


def test_joint_states_that_come_often_are_missed_sooner(guard, kinematics, start, step):
    """At 50 Hz after 0.1 s, whatever the planner still commands; at 10 Hz after `timeout`."""
    now = T0
    for _ in range(50):
        now += 20 * MS
        guard.observe(kinematics.joint_names, start, now, now)
    guard.check(step(dx=0.01), now, now)
    assert guard.watchdog(now + 90 * MS) is None
    assert guard.watchdog(now + 100 * MS).reason == "no_state"
    for _ in range(50):
        now += 100 * MS
        guard.observe(kinematics.joint_names, start, now, now)
    guard.check(step(dx=0.01), now, now)
    assert guard.watchdog(now + 160 * MS) is None


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


def test_repeated_holds_do_not_follow_a_sagging_arm(guard, kinematics, start):
    empty = Request((), 0, (), ())
    for i in range(10):
        now = T0 + (1 + i) * 100 * MS
        guard.observe(kinematics.joint_names, start - 0.01 * i, now, now)
        np.testing.assert_allclose(guard.check(empty, now, now).motion.positions, [start])


def test_when_time_goes_back_the_guard_starts_afresh(guard, kinematics, start, step):
    guard.check(step(dx=0.03), T0, T0)
    assert guard.watchdog(0) is None and guard.mode is Mode.WAITING
    guard.place(start, 0, 0)
    guard.observe(kinematics.joint_names, start, 0, 0)
    assert guard.check(step(dx=0.03), 0, 0).kind is Kind.PASS


def test_after_the_arm_was_moved_by_hand_the_guard_starts_from_the_measured_joints(guard, kinematics, start, step):
    guard.check(step(dx=0.03), T0, T0)
    moved, back = start + [0.5, 0, 0, 0, 0, 0, 0], T0 + 1000 * MS
    now = back
    while now < back + 700 * MS:
        now += 20 * MS
        believed = guard.observe(kinematics.joint_names, moved, now, now)
        assert believed == (now >= back + 520 * MS)  # not at once: it might be somebody else's
    far = guard.check(step(dx=0.03), now, now)
    assert far.reason == "jump" and far.motion is None  # a hold goes neither there nor back
    stay = Request(kinematics.joint_names, 0, [100 * MS], [moved])
    verdict = guard.check(stay, now, now)
    # At no joint's full speed from where the controller was left, should it still be there.
    assert (verdict.kind, verdict.reason) == (Kind.LIMITED, "joint_velocity")
    assert verdict.motion.times_ns[0] >= 0.499 / kinematics.velocity[0] * 1e9
    np.testing.assert_allclose(verdict.tool_start.position, kinematics.fk(moved)[0])
    rest = verdict.sent.ends_ns[-1]
    while now < rest:  # the next command would make it leap there
        now += 20 * MS
        guard.observe(kinematics.joint_names, moved, now, now)
        if now < rest:
            wait = guard.check(stay, now, now)
            assert wait.reason == "catching_up" and wait.sent.ends_ns[-1] == rest
    assert guard.check(stay, now, now).kind is Kind.PASS


def test_joint_states_that_jump_for_good_hold_the_arm_until_a_person_says_that_they_are_right(
    guard, kinematics, start, step
):
    """All joint states are zeros from one to the next: a driver that lost its encoders, and nobody who contradicts."""
    guard.check(step(dx=0.01), T0, T0)
    now, zeros, sent = T0, np.zeros(7), []
    for _ in range(250):
        now += 20 * MS
        assert not guard.observe(kinematics.joint_names, zeros, now, now)
        sent.append(guard.watchdog(now))
        sent.append(guard.check(Request(kinematics.joint_names, 0, [100 * MS], [zeros]), now, now))
    assert {verdict.kind for verdict in sent if verdict} <= {Kind.HOLD, Kind.REFUSED}
    places = [verdict.sent.positions for verdict in sent if verdict and verdict.sent]
    assert np.abs(np.vstack(places) - start).max() < 0.1, "it stays near where it truly is"
    assert guard.status.state is State.HOLDING
    assert "believed now, if they agree" in guard.clear(now)
    for _ in range(30):
        now += 20 * MS
        guard.observe(kinematics.joint_names, zeros, now, now)
    slow = guard.check(Request(kinematics.joint_names, 0, [100 * MS], [zeros]), now, now)
    assert slow.kind is Kind.LIMITED and slow.sent.ends_ns[0] - now > 200 * MS, (
        "slow, should the controller be elsewhere"
    )


@pytest.mark.parametrize("stop", ["hold", "watchdog", "e_stop"])
@pytest.mark.parametrize("lie", [0.0, 0.9, -1.0])
def test_one_joint_state_of_another_place_moves_no_stop(guard, kinematics, start, step, stop, lie):
    """Two publishers, one with default values: the arm was driven to the zero pose in 0.1 s."""
    guard.check(step(dx=0.01), T0, T0)
    there, now = step(dx=0.01).positions[0], T0 + 100 * MS
    assert guard.observe(kinematics.joint_names, there, now, now)
    assert not guard.observe(kinematics.joint_names, lie * start, now + 1, now + 1)
    if stop == "watchdog":
        verdict = guard.watchdog(now + 250 * MS)
    else:
        verdict = guard.e_stop(now + 2) if stop == "e_stop" else guard.hold("deactivated", now + 2)
    # Stopped on the way there.
    assert (np.abs(verdict.sent.positions - start) <= np.abs(there - start) + 1e-9).all()
    assert (np.abs(verdict.sent.positions - there) <= np.abs(there - start) + 1e-9).all()
    assert sum(count for reason, count in guard.counts.items() if reason.startswith("state_")) == 1


def test_two_places_in_turn_are_never_believed_at_the_start(kinematics, start, step):
    guard, now = Guard(kinematics, Limits.of(load_robot())), T0
    for i in range(100):
        now += 20 * MS
        assert not guard.observe(kinematics.joint_names, start if i % 2 else np.zeros(7), now, now)
    assert guard.check(step(), now, now).reason == "no_state"
    assert guard.e_stop(now).motion is None  # nobody knows where to hold
    assert guard.counts["state_unconfirmed"] == 100


def test_lies_between_true_states_stop_nothing(guard, kinematics, start, step):
    now, there = T0, start
    for i in range(30):
        now += 50 * MS
        assert guard.observe(kinematics.joint_names, there, now, now)
        assert not guard.observe(kinematics.joint_names, np.zeros(7), now + 1, now + 1)
        if i % 2:
            there = step(dx=0.002 * i).positions[0]
            assert guard.check(Request(kinematics.joint_names, 0, [50 * MS], [there]), now, now + 2).kind is Kind.PASS
    assert guard.counts["state_implausible"] == 30


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


def test_a_stop_of_category_0_leaves_the_rest_to_the_arm(kinematics, start, step):
    guard = guard_of(kinematics, start, Limits.of(load_robot(), stop_category=0))
    moving = guard.check(step(dx=0.03), T0, T0).sent
    sent = guard.e_stop(T0 + 50 * MS).sent
    assert len(sent.positions) == 1 and not sent.velocities.any()
    np.testing.assert_allclose(sent.positions[0], moving.positions[2])  # where it was at 50 ms


def test_an_arm_that_does_not_follow_is_held_and_then_followed(guard, kinematics, start, step):
    """A controller that is inactive, and activated later: commands must not run ahead of the arm."""
    now, dx, sent = T0, 0.0, []
    for i in range(20):  # 0.2 m/s forwards, while the arm stays
        for _ in range(2):
            now += 50 * MS
            guard.observe(kinematics.joint_names, start, now, now)
            sent.extend(filter(None, [guard.watchdog(now)]))
        dx = dx + 0.02 if guard.mode is not Mode.HOLDING else 0.0
        sent.append(guard.check(step(dx=dx), now, now))
        # By the next command, with the way that a stop takes.
        by_the_next = sent[-1].sent.ends_ns <= now + 100 * MS
        ahead = np.abs(sent[-1].sent.positions[by_the_next] - start).max(initial=0.0)
        assert ahead < 0.24, f"command {i} is {ahead:.2f} rad ahead"
    reasons = [verdict.reason for verdict in sent]
    assert "not_following" in reasons and "controller" in sent[reasons.index("not_following")].text
    assert reasons[-1] in ("", "joint_velocity", "not_following")
    again = [v for v in sent[reasons.index("not_following") :] if v.reason != "not_following"][0]
    assert np.abs(again.motion.positions[-1] - start).max() < 0.08  # goes on from where the arm is


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


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan, np.inf])
def test_an_arm_without_velocity_limits_is_refused_and_would_still_be_stopped(limit):
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


def test_an_emergency_stop_latches_whatever_fails_after_it(guard, step, monkeypatch):
    guard.check(step(dx=0.03), T0, T0)
    monkeypatch.setattr(guard.arm, "hold", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        guard.e_stop(T0 + 50 * MS)
    assert guard.mode is Mode.STOPPED and guard.reason == "e_stop"


def test_the_first_command_begins_where_the_arm_is(guard, kinematics, start, step):
    """A planner whose commands did not reach the arm, for the guard knew nothing yet, is ahead of it."""
    ahead = Request(kinematics.joint_names, 0, [50 * MS], [start + 0.2])
    assert guard.check(ahead, T0, T0).reason == "jump"
    assert guard.check(step(dx=0.03), T0, T0).kind is Kind.PASS
