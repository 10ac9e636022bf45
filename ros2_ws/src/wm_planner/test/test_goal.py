"""Goals and delays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.goal import ExploreGoal, GoalError, PoseGoal
from wm_core.scene import SceneState, rotation_of
from wm_core.task import load_task
from wm_planner.delay import DelayEstimator
from wm_planner.goal import Progress, pose_goal

BASE = "table"
TASK = load_task("push")
SECOND = 10**9
GOAL = PoseGoal({"x": 0.5, "y": 0.0}, 0.01)


def seen(x):
    """A scene with the object at (x, 0)."""
    return SceneState.of_pose(np.array([x, 0.0, 0.0]), rotation_of(np.array(0.0)))


@pytest.mark.parametrize(
    ("xy", "frame", "tolerance", "expected"),
    [
        ((0.5, 0.0), "camera", 0.0, "frame 'table'"),
        ((np.nan, 0.0), BASE, 0.0, "finite"),
        ((0.5, 0.9), BASE, 0.0, "within x 0.34..0.66, y -0.26..0.26 m .task 'push'."),
        ((0.5, 0.0), BASE, -1.0, "tolerance"),
    ],
)
def test_goals_that_cannot_be_pursued_are_refused(xy, frame, tolerance, expected):
    with pytest.raises(GoalError, match=expected):
        pose_goal(dict(zip("xy", xy, strict=True)), frame, BASE, tolerance, TASK)


def test_a_goal_without_a_frame_is_in_the_table_frame_whatever_its_name_is():
    assert pose_goal(GOAL.pose, "", "workbench", 0.01, TASK) == pose_goal(
        GOAL.pose, "workbench", "workbench", 0.01, TASK
    )
    with pytest.raises(
        GoalError, match="expected a goal in frame 'workbench', got 'table'; transform it first, or leave its frame_id"
    ):
        pose_goal(GOAL.pose, "table", "workbench", 0.01, TASK)


def test_no_tolerance_means_the_task_s():
    assert pose_goal(GOAL.pose, BASE, BASE, 0.0, TASK).tolerance == 0.01
    assert pose_goal(GOAL.pose, BASE, BASE, 0.02, TASK).tolerance == 0.02


def test_reached_means_staying_there():
    progress = Progress(GOAL, 10.0, cycles=3)
    for step, x in enumerate([0.4, 0.495, 0.47, 0.495, 0.5, 0.505], 1):
        progress.update(seen(x), step * SECOND // 10)
        assert progress.reached == (step == 6)
    assert progress.steps == 6 and progress.duration == pytest.approx(0.5)  # since the first belief


def test_what_is_not_seen_is_not_reached():
    """Believed at the goal, but out of sight: one waits for it, and then has a look."""
    progress = Progress(GOAL, 10.0, cycles=3)
    for step in range(1, 30):
        progress.update(seen(0.5), step * SECOND // 10, unseen_s=0.1 * (step - 1))
        assert progress.reached == (3 <= step <= 6)
        assert progress.near == (step <= 11)
    progress.update(seen(0.5), 4 * SECOND, unseen_s=0.0)
    assert progress.near and not progress.reached


def test_time_runs_out():
    progress = Progress(GOAL, 1.0, cycles=3)
    for stamp_ns in (5 * SECOND, 6 * SECOND - 1):  # from the first belief, whatever the clock says
        progress.update(seen(0.4), stamp_ns)
        assert not progress.timed_out
    progress.update(seen(0.4), 6 * SECOND)
    assert progress.timed_out


def test_exploring_is_over_with_its_time_and_never_reached():
    progress = Progress(ExploreGoal(), 1.0, 3)
    for step in range(11):
        assert not progress.timed_out
        progress.update(seen(0.5), step * SECOND // 10)
    assert progress.timed_out and not progress.reached and not progress.near and np.isnan(progress.distance)


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=100))
def test_the_delay_stays_between_zero_and_a_second(samples):
    delay = DelayEstimator(0.04, 0.1)
    for whole, computing in samples:
        delay.measured(whole, computing)
    assert 0 <= delay.delay_s() < 1.0


def test_the_delay_follows_the_slow_cycles():
    delay = DelayEstimator(0.02, 0.1)
    for i in range(50):
        delay.measured(0.05 if i % 10 == 0 else 0.03, 0.01)
    assert delay.delay_s() == pytest.approx(0.05)


def test_a_late_belief_is_answered_for_later():
    delay = DelayEstimator(0.04, 0.1)
    for _ in range(50):
        delay.measured(0.04, 0.015)
    assert delay.delay_s(age_s=0.02) == pytest.approx(0.04)
    assert delay.delay_s(age_s=0.20) == pytest.approx(0.215)
