"""The trajectory controller: what a JointTrajectoryController takes, refuses and does in between."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wm_sim.controller import Point, TrajectoryController, TrajectoryError

NAMES = tuple(f"joint{i}" for i in range(1, 8))
MS = 1_000_000
NOW = 5_000 * MS
START = np.zeros(7)
angles = arrays(float, 7, elements=st.floats(-3, 3))


@pytest.fixture
def controller() -> TrajectoryController:
    return TrajectoryController(NAMES, START)


def point(value: float, ms: int, velocity: float | None = None) -> Point:
    return Point(ms * MS, [value] * 7, () if velocity is None else [velocity] * 7)


def test_without_a_trajectory_the_start_is_held(controller):
    assert np.array_equal(controller.sample(NOW), START)


def test_stamp_zero_starts_now_and_the_last_point_is_held(controller):
    controller.accept(NAMES, 0, [point(1.0, 100)], NOW)
    assert np.allclose(controller.sample(NOW), 0.0)
    assert np.allclose(controller.sample(NOW + 50 * MS), 0.5)
    assert np.allclose(controller.sample(NOW + 100 * MS), 1.0)
    assert np.allclose(controller.sample(NOW + 9999 * MS), 1.0)


def test_a_future_stamp_is_reached_from_the_present_desired_state(controller):
    controller.accept(NAMES, NOW + 100 * MS, [point(1.0, 100)], NOW)
    assert np.allclose(controller.sample(NOW + 100 * MS), 0.5)
    assert np.allclose(controller.sample(NOW + 200 * MS), 1.0)


def test_a_new_trajectory_replaces_the_old_one_without_a_jump(controller):
    controller.accept(NAMES, 0, [point(1.0, 100)], NOW)
    controller.accept(NAMES, 0, [point(0.0, 100)], NOW + 50 * MS)
    assert np.allclose(controller.sample(NOW + 50 * MS), 0.5)
    assert np.allclose(controller.sample(NOW + 100 * MS), 0.25)


def fastest(controller: TrajectoryController, seconds: float) -> float:
    """[rad/s] of the first joint within some time from NOW."""
    q = [controller.sample(NOW + ms * MS)[0] for ms in range(round(1000 * seconds))]
    return float(np.abs(np.diff(q)).max() / 0.001)


def test_points_that_are_past_are_left_out_and_the_arm_does_not_leap_to_the_others(controller):
    controller.accept(NAMES, NOW - 150 * MS, [point(1.0, 100), point(2.0, 250)], NOW)
    assert 6.0 < fastest(controller, 0.5) <= 1.1 * 1.0 / 0.15
    assert np.allclose(controller.sample(NOW + 400 * MS), 2.0)


def test_one_point_that_comes_late_is_late(controller):
    controller.accept(NAMES, NOW - 80 * MS, [point(0.1, 100, 0.0)], NOW)
    assert fastest(controller, 0.3) <= 1.1 * 1.5 * 0.1 / 0.1
    assert np.allclose(controller.sample(NOW + 200 * MS), 0.1)


@given(st.integers(0, 110), st.floats(0.1, 1.0), st.floats(-0.05, 0.05))
def test_a_stream_that_stutters_makes_no_joint_faster_than_itself(late_ms, speed, offset):
    """Each command goes on for 100 ms and ends at rest 120 ms later; the second one comes late, for an arm that was elsewhere."""

    def stream(begin: float) -> list[Point]:
        at = np.arange(30, 230, 10)
        speeds = speed * np.clip((220 - at) / 120, 0, 1)
        return [
            point(begin + float(np.interp(ms, at, np.cumsum(speeds) * 0.01)), int(ms), float(v))
            for ms, v in zip(at, speeds, strict=True)
        ]

    controller = TrajectoryController(NAMES, START)
    controller.accept(NAMES, NOW - 100 * MS, stream(0.0), NOW - 100 * MS)
    controller.accept(NAMES, NOW, stream(speed * 0.1 + offset), NOW + late_ms * MS)
    assert fastest(controller, 0.5) <= 1.02 * max(1.1 * speed, 0.2)


def test_time_that_is_set_ahead_does_not_move_the_arm(controller):
    controller.accept(NAMES, NOW, [point(1.0, 100)], NOW)
    controller.shift(200 * MS)
    assert np.allclose(controller.sample(NOW + 250 * MS), 0.5)


def test_velocities_make_cubic_segments(controller):
    controller.accept(NAMES, 0, [point(1.0, 100, 0.0)], NOW)
    assert np.allclose(controller.sample(NOW + 50 * MS), 0.5)
    assert np.allclose(controller.sample(NOW + 25 * MS), 3 * 0.25**2 - 2 * 0.25**3)


@given(angles, st.permutations(range(7)))
def test_any_order_of_the_joints(target, order):
    controller = TrajectoryController(NAMES, START)
    controller.accept([NAMES[i] for i in order], 0, [Point(MS, target[list(order)])], NOW)
    assert np.allclose(controller.sample(NOW + MS), target)


@given(st.lists(angles, min_size=1, max_size=5), st.integers(-200, 200), st.integers(0, 500))
def test_motion_stays_between_the_points_and_never_jumps(targets, lead_ms, ask_ms):
    """Straight segments: never beyond the points' range, and as fast as the points demand, no faster."""
    controller = TrajectoryController(NAMES, START)
    points = [Point((i + 3) * 100 * MS, target) for i, target in enumerate(targets)]
    controller.accept(NAMES, NOW + lead_ms * MS, points, NOW)
    path = np.array([START, *targets])
    q, following = controller.sample(NOW + ask_ms * MS), controller.sample(NOW + (ask_ms + 1) * MS)
    assert (q >= path.min(0) - 1e-9).all() and (q <= path.max(0) + 1e-9).all()
    assert np.abs(following - q).max() <= 6.0 / 100 + 1e-9


GOOD = [point(0.5, 100), point(1.0, 200)]
BAD = {
    "unknown joint": ([*NAMES[:6], "elbow"], 0, GOOD, "unknown"),
    "missing joint": (NAMES[:6], 0, GOOD, "missing"),
    "duplicate joint": ([*NAMES, NAMES[0]], 0, GOOD, "once"),
    "no joints": ([], 0, GOOD, "missing"),
    "no points": (NAMES, 0, [], "empty"),
    "too few positions": (NAMES, 0, [Point(MS, [1.0] * 6)], "expected 7 positions, got 6"),
    "no positions": (NAMES, 0, [Point(MS, [])], "expected 7 positions, got 0"),
    "nan": (NAMES, 0, [Point(MS, [float("nan")] * 7)], "finite"),
    "infinite": (NAMES, 0, [Point(MS, [float("inf")] * 7)], "finite"),
    "same time": (NAMES, 0, [point(0, 100), point(1, 100)], "increasing"),
    "backwards": (NAMES, 0, [point(0, 200), point(1, 100)], "increasing"),
    "negative time": (NAMES, 0, [point(0, -100)], "increasing"),
    "in the past": (NAMES, NOW - 300 * MS, GOOD, "ago"),
    "moving at the end": (NAMES, 0, [point(1.0, 100, 0.2)], "zero velocities"),
    "nan at the end": (NAMES, 0, [point(1.0, 100, float("nan"))], "zero velocities"),
    "too few velocities": (NAMES, 0, [replace(GOOD[0], velocities=[0.0])], "velocities"),
}


@pytest.mark.parametrize(("names", "stamp", "points", "reason"), BAD.values(), ids=BAD)
def test_bad_trajectories_are_refused_and_the_present_one_goes_on(controller, names, stamp, points, reason):
    controller.accept(NAMES, 0, [point(1.0, 100)], NOW - 50 * MS)
    with pytest.raises(TrajectoryError, match=reason):
        controller.accept(names, stamp, points, NOW)
    assert np.allclose(controller.sample(NOW), 0.5)
    assert np.allclose(controller.sample(NOW + 50 * MS), 1.0)
