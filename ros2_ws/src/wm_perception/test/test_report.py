"""The diagnostics of perception: what is wrong now, and nothing that was wrong once."""

from types import SimpleNamespace

import pytest

from wm_core.lifecycle import OK, WARN
from wm_perception.report import Report
from wm_perception.streams import COLOUR, DEPTH, INFO


class Node:
    """What a report asks of its node; `said` is its log."""

    simulated_time, last_problem = True, "cam: late"

    def __init__(self):
        self.said = []

    def get_logger(self):
        return SimpleNamespace(warning=lambda text, **_: self.said.append(text))

    def count_publishers(self, topic):
        return int(topic != "/cam/info")

    def get_topic_names_and_types(self):
        return [("/cam/cam_info", ["sensor_msgs/msg/CameraInfo"]), ("/cam/colour", ["sensor_msgs/msg/Image"])]


class Watched:
    """A camera that sends ten images a second, judged once a second."""

    def __init__(self):
        self.now, self.node, self.counts = 0.0, Node(), {"observations": 1}
        self.report = Report(self.node, ["cam"], lambda: self.now)
        for kind in (COLOUR, DEPTH, INFO):
            self.report.streams.add(kind, f"/cam/{kind}", "cam")

    def after(self, seconds, **counts):
        self.counts |= counts
        for _ in range(seconds):
            for step in range(10):
                self.now += 0.1
                for kind in (COLOUR, DEPTH):
                    self.report.heard(kind, step, "cam")
            judged = self.report.judge(self.counts, "")
        return judged


@pytest.fixture
def watched():
    return Watched()


def test_what_was_counted_is_warned_of_for_five_seconds(watched):
    watched.report.streams.informed("cam")
    assert watched.after(2) == (OK, "1 observations")
    assert watched.after(1, late=3) == (WARN, "1 observations; last problem: cam: late")
    assert watched.after(3)[0] == WARN
    assert watched.after(5) == (OK, "1 observations")


def test_pixels_without_a_reading_are_no_fault(watched):
    watched.report.streams.informed("cam")
    for second in range(1, 10):
        assert watched.after(1, invalid_depth_pixels=1000 * second, complete=second)[0] == OK


def test_a_camera_without_camera_info_is_a_warning_and_stands_in_the_log_once(watched):
    level, summary = watched.after(6)
    assert level == WARN and "no camera_info on /cam/info (0 publishers, but /cam/cam_info is" in summary
    assert len(watched.node.said) == 1 and watched.node.said[0].startswith("cam: no camera_info")
    watched.report.streams.informed("cam")
    assert watched.after(1) == (OK, "1 observations")


def test_without_observations_all_is_not_well(watched):
    watched.report.streams.informed("cam")
    assert watched.after(1, observations=0)[0] == WARN
