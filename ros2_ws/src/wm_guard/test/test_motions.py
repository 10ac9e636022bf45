"""Motions of an arm: what is sent never exceeds a limit, whatever is commanded, and always ends at rest."""

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from wm_guard.jerk_limited import TINY, JointLimits, move, stop
from wm_guard.motions import FINE, NS, MotionError, Motions

MS = 1_000_000
LIMITS = JointLimits(np.array([2.0, 1.0]), np.array([7.5, 15.0]), np.array([3750.0, 500.0]))
LOWER, UPPER = np.array([-1.0, -1.0]), np.array([1.0, 1.0])
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]  # a failure is short enough as it is
FASTEST = 1.5  # of the tool, here the norm of the joint velocities


def allowed(positions, velocities) -> float:
    return min(1.0, FASTEST / max(1e-9, np.linalg.norm(velocities, axis=1).max()))


def motions(q=(0.0, 0.0), now=0, smoothing=0.1) -> Motions:
    made = Motions(LIMITS, LOWER, UPPER, smoothing)
    made.place(np.array(q), now)
    return made


def test_a_step_is_smooth_and_ends_at_rest_after_the_averages():
    arm = motions()
    sent = arm.follow(0, np.array([100 * MS]), np.array([[0.05, -0.02]]), LIMITS, allowed)
    assert sent.limit == "" and sent.ends_ns.tolist() == [10 * MS * i for i in range(23)]
    np.testing.assert_allclose(sent.positions[-1], [0.05, -0.02])
    assert not sent.velocities[-1].any() and not sent.accelerations[-1].any()
    assert (np.abs(sent.velocities) <= [0.5, 0.2]).all()  # no faster than commanded
    assert (np.diff(sent.positions, axis=0) * [1, -1] >= 0).all()
    assert np.abs(sent.accelerations).max(axis=0) == pytest.approx(
        [5.0, 2.0], rel=1e-6
    )  # velocity by the first average


def test_a_stream_of_steps_keeps_its_speed():
    arm = motions()
    for i in range(10):
        sent = arm.follow(
            100 * i * MS, np.array([100 * (i + 1) * MS]), np.array([[0.05 * (i + 1), 0]]), LIMITS, allowed
        )
        assert sent.limit == ""
        if i > 2:
            assert arm.state(100 * i * MS)[1] == pytest.approx([0.5, 0])
            assert arm.commanded(100 * i * MS) - arm.state(100 * i * MS)[0] == pytest.approx([0.03, 0])  # 60 ms behind


def test_what_is_too_sudden_takes_as_long_as_the_limits_ask_for():
    arm = motions()
    sent = arm.follow(0, np.array([100 * MS]), np.array([[0.15, 0.0]]), LIMITS, allowed)
    assert sent.limit == "acceleration"
    assert np.abs(sent.accelerations).max() <= 7.5 + 1e-6
    assert sent.rest_ns > 280 * MS  # 2 sqrt(d / a)
    np.testing.assert_allclose(sent.positions[-1], [0.15, 0])


def test_a_command_during_a_fastest_motion_is_added_on_top():
    arm = motions()
    arm.follow(0, np.array([100 * MS]), np.array([[0.15, 0.0]]), LIMITS, allowed)
    sent = arm.follow(200 * MS, np.array([300 * MS]), np.array([[0.155, 0.01]]), LIMITS, allowed)
    assert sent.limit == ""
    np.testing.assert_allclose(sent.positions[-1], [0.155, 0.01])


def test_a_stop_is_on_the_way_and_no_longer_than_the_motion_itself():
    arm = motions()
    arm.follow(0, np.array([300 * MS]), np.array([[0.2, 0.08]]), LIMITS, allowed)
    position, velocity, _ = arm.state(200 * MS)
    sent = arm.stop(200 * MS, 100 * MS)
    assert sent.rest_ns - 200 * MS < 105 * MS  # 0.67 rad/s by 95 % of 7.5 rad/s^2, and a ramp of 10 ms
    way = sent.positions[-1] - position
    assert way[1] / way[0] == pytest.approx(velocity[1] / velocity[0], rel=1e-3)  # straight
    assert (np.diff(sent.positions, axis=0) >= -1e-12).all() and (sent.positions[-1] < [0.2, 0.08]).all()


def test_a_late_stop_goes_on_with_the_motion_that_ends_sooner():
    arm = motions()
    sent = arm.follow(0, np.array([100 * MS]), np.array([[0.05, 0.0]]), LIMITS, allowed)
    assert arm.stop(200 * MS, 100 * MS).rest_ns <= sent.rest_ns
    arm = motions(q=(0.9, 0))  # where a stop as fast as possible would leave the range
    sent = arm.follow(0, np.array([100 * MS]), np.array([[1.0, 0.0]]), LIMITS, allowed)
    stopped = arm.stop(150 * MS, 300 * MS)
    assert stopped.rest_ns <= sent.rest_ns and stopped.ends_ns[-1] == 450 * MS
    assert (stopped.positions <= 1.0).all()


def test_a_stop_of_category_0_is_where_the_arm_is():
    arm = motions()
    arm.follow(0, np.array([100 * MS]), np.array([[0.05, 0.0]]), LIMITS, allowed)
    here = arm.state(80 * MS)[0]
    sent = arm.halt(80 * MS, 100 * MS)
    np.testing.assert_array_equal(sent.positions, [here])
    assert not arm.state(90 * MS)[1].any()


def test_a_stop_near_the_end_of_a_range_is_no_less_a_stop():
    """The joints together would need longer than the first one has room: it went on to the far end of its way, for 1.35 s."""
    here = np.array([-0.996, -0.017]), np.array([-0.242, -0.610]), np.array([7.5, -6.06])
    on_its_way = move(here, np.array([0.31, -0.90]), LIMITS, 1.35)
    together = stop(here, LIMITS)
    assert together is not None and together.target[0] < LOWER[0]
    arm = motions()
    arm._rest_at(on_its_way.target, 0, on_its_way)
    sent = arm.stop(0, 0)
    assert sent.rest_ns < 150 * MS
    assert_within_limits(arm, 0, sent.rest_ns)


def test_a_motion_that_cannot_be_made_leaves_the_one_before():
    arm = motions()
    arm.follow(0, np.array([100 * MS]), np.array([[0.05, 0.0]]), LIMITS, allowed)
    before = arm.state(120 * MS)
    with pytest.raises(MotionError, match="must not"):
        arm.follow(100 * MS, np.array([200 * MS]), np.array([[0.1, 0.0]]), LIMITS, lambda *_: 0.0)
    np.testing.assert_array_equal(arm.state(120 * MS), before)
    assert arm.rest_ns(120 * MS) == 220 * MS


def assert_within_limits(arm: Motions, begin_ns: int, end_ns: int) -> None:
    at = np.arange(begin_ns, end_ns, int(FINE * NS / 2))
    q, v, a = (np.array(rows) for rows in zip(*(arm.state(int(t)) for t in at), strict=True)) if len(at) else [[]] * 3
    if not len(at):
        return
    assert (q >= LOWER - 1e-6).all() and (q <= UPPER + 1e-6).all()
    assert (np.abs(v) <= LIMITS.velocity * 1.001).all() and (np.abs(a) <= LIMITS.acceleration * 1.001).all()
    if len(at) > 1:
        assert (np.abs(np.diff(a, axis=0)) <= LIMITS.jerk * np.diff(at)[:, None] / NS * 1.001 + 1e-6).all()
        np.testing.assert_allclose(np.diff(q, axis=0), v[1:] * np.diff(at)[:, None] / NS, atol=2e-4)
    assert np.linalg.norm(v, axis=1).max() <= FASTEST * 1.02


step = st.fixed_dictionaries(
    {
        "way": st.lists(st.one_of(st.floats(-0.05, 0.05), st.floats(-1.5, 1.5)), min_size=2, max_size=2),
        "points": st.integers(1, 3),
        "takes_ms": st.integers(5, 400),
        "wait_ms": st.integers(0, 300),
        "then": st.sampled_from(["go on"] * 6 + ["stop"]),
    }
)


def steps_of(*rows) -> list[dict]:
    return [dict(zip(("way", "points", "takes_ms", "wait_ms", "then"), row, strict=True)) for row in rows]


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(st.lists(step, min_size=1, max_size=8))
@example(  # what was added on top of fast motions went 0.03 rad beyond the first joint's range
    steps_of(
        ([-0.7382746, -0.8631504], 1, 221, 286, "go on"),
        ([-0.0294554, 0.35], 1, 185, 228, "stop"),
        ([-1.4578421, 0.0331127], 2, 100, 84, "go on"),
        ([-0.793414, 0.0], 1, 203, 120, "go on"),
        ([-1.1099833, 0.0], 2, 120, 76, "go on"),
        ([0.0448196, 0.814905], 3, 150, 43, "go on"),
        ([0.0462793, 0.0], 3, 113, 170, "go on"),
        ([-0.7309119, -0.0027521], 1, 200, 178, "go on"),
    )
)
def test_whatever_is_commanded_no_limit_is_exceeded_and_the_arm_comes_to_rest(steps):
    arm, now = motions(), 0
    for each in steps:
        here = arm.commanded(now)
        target = np.clip(here + each["way"], LOWER, UPPER)
        shares = np.arange(1, each["points"] + 1)[:, None] / each["points"]
        points = here + shares * (target - here)
        ends = now + (each["takes_ms"] * MS * shares[:, 0]).astype(np.int64)
        before, rested = arm.state(now), arm.rest_ns(now)
        try:
            sent = arm.follow(now, ends, points, LIMITS, allowed)
            np.testing.assert_allclose(sent.positions[-1], target, atol=1e-9)
            if sent.limit == "":
                assert sent.rest_ns <= max(rested, ends[-1] + arm.settle_ns)
        except MotionError:
            sent = arm.stop(now, 100 * MS)
        for a, b in zip(before, arm.state(now), strict=True):  # goes on from where it was
            np.testing.assert_allclose(a, b, atol=1e-6)
        later = now + each["wait_ms"] * MS
        assert_within_limits(arm, now, later)
        now = later
        if each["then"] == "stop":
            rested = arm.rest_ns(now)
            before = arm.state(now)
            sent = arm.stop(now, 0)
            assert sent.rest_ns <= rested
            way = np.abs(sent.positions[-1] - before[0])
            assert (way <= 0.5 * (LIMITS.velocity**2 / LIMITS.acceleration) + LIMITS.velocity * 0.1 + 1e-6).all()
        assert not sent.velocities[-1].any() and sent.ends_ns[-1] >= sent.rest_ns
    assert_within_limits(arm, now, sent.rest_ns)
    assert not np.any(arm.state(sent.rest_ns)[1:][0] > 1e-9)


@settings(max_examples=50, deadline=None, phases=PHASES)
@given(
    points=st.lists(st.lists(st.floats(-0.02, 0.02), min_size=2, max_size=2), min_size=1, max_size=5),
    smoothing=st.floats(0.02, 0.2),
)
def test_smoothing_stays_in_the_hull_of_what_was_commanded(points, smoothing):
    arm = motions(smoothing=smoothing)
    ends = 100 * MS * np.arange(1, len(points) + 1)
    sent = arm.follow(0, ends, np.array(points), LIMITS, allowed)
    if sent.limit == "":
        low, high = np.vstack([[0, 0], points]).min(axis=0), np.vstack([[0, 0], points]).max(axis=0)
        assert (sent.positions >= low - 1e-9).all() and (sent.positions <= high + 1e-9).all()


@settings(max_examples=100, deadline=None, phases=PHASES)
@given(
    state=st.lists(st.tuples(st.floats(-1, 1), st.floats(-0.9, 0.9), st.floats(-7, 7)), min_size=2, max_size=2),
    target=st.lists(st.floats(-1, 1), min_size=2, max_size=2),
    least=st.floats(0, 1),
    stopping=st.booleans(),
)
def test_profiles_are_smooth_and_end_at_rest(state, target, least, stopping):
    now = tuple(np.array(state).T)
    profile = stop(now, LIMITS) if stopping else move(now, np.array(target), LIMITS, least)
    assert profile is not None and (stopping or profile.duration >= least - 1e-9)
    states = profile.at(np.array([0.0, profile.duration - 1e-12, profile.duration + 1.0]))
    for ours, given_ in zip((states.position, states.velocity, states.acceleration), now, strict=True):
        np.testing.assert_allclose(ours[0], given_, atol=TINY)
    np.testing.assert_allclose(states.velocity[1:], 0, atol=1e-6)
    np.testing.assert_allclose(states.position[1], states.position[2], atol=1e-6)
    if not stopping:
        np.testing.assert_allclose(profile.target, target, atol=1e-6)
    fine = profile.at(np.linspace(0, profile.duration, 400))
    np.testing.assert_allclose(np.gradient(fine.position, axis=0), fine.velocity * profile.duration / 399, atol=1e-3)
    assert (np.abs(fine.velocity) <= LIMITS.velocity + 1e-6).all()
    assert (np.abs(fine.acceleration) <= LIMITS.acceleration + 1e-6).all()
    assert (np.abs(fine.jerk) <= LIMITS.jerk + 1e-6).all()
