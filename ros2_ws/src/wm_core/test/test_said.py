"""What is said and judged by what happened of late."""

from wm_core.publishers import meant
from wm_core.recent import RecentCounts
from wm_core.said import MOST, Said


def said_of(messages, times):
    """Those of (name, text) that are said, one a time [s]."""
    now = iter(times)
    said = Said(10.0, lambda: next(now))
    return [text for name, text in messages if said.due(name, text)]


def test_two_cameras_with_different_faults_are_each_said_once_in_a_while():
    left, right = ("bad_depth", "left: no alignment"), ("bad_colour", "right: rgb24")
    steps = [0.1 * step for step in range(110)]
    assert said_of([left, right] * 55, steps) == [left[1], right[1], left[1], right[1]]  # at 0 and at 10 s


def test_a_new_problem_is_said_at_once_and_one_with_other_numbers_is_not_new():
    messages = [("holds", f"got one of {age} s") for age in (0.31, 0.35, "1.2e-05", -4)]
    assert said_of([*messages, ("holds", "camera_2: late")], range(5)) == ["got one of 0.31 s", "camera_2: late"]
    assert (
        len(said_of([("bad", "camera_1: late"), ("bad", "camera_2: late"), ("worse", "camera_2: late")], range(3))) == 3
    )


def test_memory_is_bounded():
    said = Said()
    assert all(said.due(f"count_{chr(i)}", "text") for i in range(100, 100 + 3 * MOST))
    assert len(said._at) == MOST


def test_a_count_that_no_longer_grows_is_forgotten():
    recent = RecentCounts(window_s=5.0)
    assert recent.grown({"late": 3}, 1.0) == {"late": 3}  # since the beginning
    assert recent.grown({"late": 4, "partial": 1}, 2.0) == {"late": 1, "partial": 1}
    assert recent.grown({"late": 4, "partial": 1}, 6.9) == {"late": 1, "partial": 1}
    assert recent.grown({"late": 4, "partial": 1}, 7.0) == {}
    assert recent.grown({"late": 5, "partial": 1}, 60.0) == {"late": 1}


def test_a_topic_that_may_be_meant_is_named():
    images = ["/cam/color/image_raw/compressed", "/cam/colour/image_raw", "/other/depth"]
    assert "/cam/color/image_raw/compressed is published" in meant("/cam/color/image_raw", images)
    assert meant("/cam/color/image_raw", images[1:]) == ", but /cam/colour/image_raw is published"
    assert meant("/cam/color/image_raw", images[2:]) == ""
