"""Joint states: which are believed, and what happens where they are not or the arm is elsewhere than commanded. Time starts at 1 s."""

import numpy as np
import pytest

from wm_core.robot import load_robot
from wm_guard.guard import Guard, Kind, Mode
from wm_guard.limits import Limits, Request
from wm_guard.states import State

MS = 1_000_000
T0 = 1000 * MS


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


def test_repeated_holds_do_not_follow_a_sagging_arm(guard, kinematics, start):
    empty = Request((), 0, (), ())
    for i in range(10):
        now = T0 + (1 + i) * 100 * MS
        guard.observe(kinematics.joint_names, start - 0.01 * i, now, now)
        hold = guard.check(empty, now, now)
        if i <= 6:
            np.testing.assert_allclose(hold.motion.positions, [start])
        else:  # it is elsewhere than its controller: nothing is sent
            assert hold.sent is None


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
            assert wait.reason == "catching_up" and wait.sent is None
    assert guard.check(stay, now, now).kind is Kind.PASS


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
        if sent[-1].sent is not None:
            by_the_next = sent[-1].sent.ends_ns <= now + 100 * MS
            ahead = np.abs(sent[-1].sent.positions[by_the_next] - start).max(initial=0.0)
            assert ahead < 0.24, f"command {i} is {ahead:.2f} rad ahead"
    reasons = [verdict.reason for verdict in sent]
    assert "not_following" in reasons and "controller" in sent[reasons.index("not_following")].text
    held = ("not_following", "catching_up")
    assert reasons[-1] in ("", "joint_velocity", *held)
    again = [v for v in sent[reasons.index("not_following") :] if v.reason not in held][0]
    assert np.abs(again.motion.positions[-1] - start).max() < 0.08  # goes on from where the arm is


@pytest.mark.parametrize("stop", ["hold", "e_stop", "latch"])
def test_no_stop_takes_an_arm_back_that_a_person_has_moved(guard, kinematics, start, step, stop):
    """Its controller was started anew meanwhile, and rests where the arm is: not where it was left."""
    guard.check(step(dx=0.01), T0, T0)
    moved, now = start + [0.3, 0, 0, 0, 0, 0, 0], T0 + 1000 * MS
    for _ in range(40):
        now += 20 * MS
        guard.observe(kinematics.joint_names, moved, now, now)
    stops = {
        "hold": lambda: guard.hold("deactivated", now),
        "e_stop": lambda: guard.e_stop(now),
        "latch": lambda: guard.latch("contact", "touched", now),
    }
    verdict = stops[stop]()
    assert verdict.sent is None and "nothing sent" in verdict.text


@pytest.mark.parametrize("per_step", [0.003, 0.0018], ids=["fast", "slow"])
@pytest.mark.parametrize("moves", [True, False], ids=["in motion", "from rest"])
def test_an_arm_that_is_stuck_is_brought_to_rest_once_and_soon(guard, kinematics, start, step, moves, per_step):
    """Either its joint states are, or it is and its controller may go on any moment: no stop is a leap from where it is measured.

    When it rests elsewhere than commanded, nothing more is sent.
    """
    found, at = [], start
    for i in range(1, 60):
        now = T0 + 10 * i * MS
        if moves and i < 32 and guard.arm.states.path:
            at = guard.arm.states.path.at(now - 20 * MS)
        guard.observe(kinematics.joint_names, at, now, now)
        verdict = guard.watchdog(now) if i % 10 else guard.check(step(dx=min(per_step * i, 0.15)), now, now)
        if verdict is not None and verdict.reason == "not_following":
            rest_ns = guard.arm.motions.rest_ns(now) if verdict.sent is None else int(verdict.sent.ends_ns[-1])
            found.append((now, rest_ns, verdict.sent))
    first_ns, rest_ns, sent = found[0]
    assert first_ns - (T0 + (310 if moves else 100) * MS) <= (100 if moves else 250) * MS
    assert rest_ns - first_ns <= 260 * MS
    if sent is not None:
        way = np.linalg.norm(kinematics.fk(sent.positions[0])[0] - kinematics.fk(at)[0])
        assert 1.875 * way / ((sent.ends_ns[0] - first_ns) / 1e9) <= kinematics.robot.tool_speed
    assert len(found) > 2 and all(each is None for _, _, each in found[1:])


def test_an_arm_that_did_not_follow_is_slow_until_it_has_followed_again(guard, kinematics, start):
    """Brakes that are released in the middle of a command would make the arm leap to where it is commanded."""
    now, at = T0, start.copy()

    def go_on(seconds, stuck):
        """The arm is sent ever farther. Returns how fast it is commanded, (m,) [rad/s], and how fast it would go to the first points that
        its controller is sent if that were where the arm is, (k,) [share of the limit].
        """
        nonlocal now, at
        speeds, leaps = [], []
        for i in range(round(100 * seconds)):
            now += 10 * MS
            path = guard.arm.states.path
            if path and not stuck:
                at = path.at(now - 20 * MS)
            guard.observe(kinematics.joint_names, at, now, now)
            verdicts = [guard.watchdog(now)]
            if i % 10 == 0:
                target = at + 0.12 * np.eye(7)[0]  # at 1.2 rad/s
                verdicts.append(guard.check(Request(kinematics.joint_names, now, [100 * MS], [target]), now, now))
            for sent in (each.sent for each in verdicts if each is not None and each.sent is not None):
                first = int(np.searchsorted(sent.ends_ns, now, side="right"))
                seconds_left = (sent.ends_ns[first] - now) / 1e9
                leaps.append(float((np.abs(sent.positions[first] - at) / kinematics.velocity).max() / seconds_left))
            if path:
                speeds.append(float(np.abs(path.at(now) - path.at(now - 10 * MS)).max()) * 100)
        return np.array(speeds), np.array(leaps)

    free, _ = go_on(0.5, stuck=False)
    go_on(1.0, stuck=True)
    _, leaps = go_on(4.0, stuck=True)  # it is tried again now and then
    assert free.max() > 0.8 and len(leaps) > 1 and leaps.max() < 0.3
    again, _ = go_on(4.0, stuck=False)
    slow = again[: int((np.cumsum(again) * 0.01 < 0.05).sum())]
    assert slow.max() < 0.6 and again.max() > 0.8
