"""What cannot be used of a bag is cut out, and the report says why."""

import json

import numpy as np
import pytest
import steps_of_bag

from wm_core.command_line import main

COLOUR, DEPTH, START_NS, JOINTS = steps_of_bag.COLOUR, steps_of_bag.DEPTH, steps_of_bag.START_NS, steps_of_bag.JOINTS
steps_of, without, spoilt, nan = steps_of_bag.steps_of, steps_of_bag.without, steps_of_bag.spoilt, steps_of_bag.nan


def frozen(topic, i, message):
    if topic == COLOUR and 30 <= i < 45:
        message.data = np.random.default_rng(29).integers(0, 255, len(message.data), np.uint8)
    return message


def back(topic, stamp_ns):
    """The robot's clock is set back by an hour after a second."""
    return stamp_ns - 3600 * 10**9 if stamp_ns >= START_NS + 10**9 else stamp_ns


CUTS = {
    "no image for a while": ({"change": without(COLOUR, DEPTH, since=30, until=45)}, "gap", 0.5),
    "no depth for a while": ({"change": without(DEPTH, since=30, until=45)}, "missing", 0.5),
    "no joints for a while": ({"change": without(JOINTS, since=100, until=150)}, "missing", 0.5),
    "a hanging driver": ({"change": frozen}, "frozen image", 0.5),
    "NaN in the joints": ({"change": spoilt(JOINTS, 100, 150, position=nan)}, "NaN", 0.5),
    "an encoding nobody knows": ({"change": spoilt(DEPTH, 30, 45, encoding=lambda _: "8UC1")}, "image", 0.5),
    "too few bytes": ({"change": spoilt(COLOUR, 30, 45, data=lambda data: data[:-9])}, "image", 0.5),
    "joints beyond their limits": ({"change": spoilt(JOINTS, 100, 150, position=lambda q: q + 9)}, "joints", 0.5),
    "a clock that is set back": ({"shift": back}, "clock jump", 0.1),
}


@pytest.mark.parametrize("name", CUTS)
def test_what_cannot_be_used_is_cut_and_the_episode_ends_there(robot, profile, tmp_path, name):
    how, kind, seconds = CUTS[name]
    steps, check = steps_of(robot.record(tmp_path / "bag", 3.0, **how), profile, robot)
    assert kind in {cut.kind for cut in check.cuts}, check.summary()
    assert len(steps) == pytest.approx(30 - 10 * seconds, abs=3)
    assert {episode.index for episode, _ in steps} == {0, 1}
    for (before, first), (after, second) in zip(steps[:-1], steps[1:], strict=True):
        if before.index == after.index:
            assert second.stamp_ns - first.stamp_ns == pytest.approx(1e8, abs=5.1e7)


def test_a_bag_of_which_nothing_is_left_says_why(robot, profile, tmp_path):
    steps, check = steps_of(
        robot.record(tmp_path / "bag", 1.0, change=without(DEPTH, since=1, until=99)), profile, robot
    )
    assert not steps
    assert f"{DEPTH} at" in check.why_nothing()
    assert "expected a message in every step, got none within 50 ms" in check.why_nothing()


def test_the_report_names_faults_and_seconds(robot, profile_file, tmp_path, capsys):
    bag = robot.record(tmp_path / "bag", 3.0, change=without(COLOUR, DEPTH, since=30, until=45))
    spoilt_bag = robot.record(tmp_path / "spoilt", 2.0, change=spoilt(JOINTS, 100, 120, position=nan))
    arguments = [
        "bag",
        "check",
        str(bag),
        str(spoilt_bag),
        "--profile",
        str(profile_file),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 0
    assert "2.5 s kept, cut: 0.5 s gap" in capsys.readouterr().out
    first, second = json.loads((tmp_path / "out" / "report.json").read_text())["bags"]
    assert first["topics"][COLOUR]["messages"] == 75
    assert first["topics"][COLOUR]["faults"] == ["gaps: 1, the longest 0.533 s"]
    assert first["topics"][JOINTS]["joint_names"][0][0] == "finger"
    assert first["topics"][COLOUR]["stamp_minus_receipt_ms"]["median"] == pytest.approx(-2)
    assert second["topics"][JOINTS]["not_finite"] == 20
    assert second["lost_s"]["NaN"] == pytest.approx(0.2)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<svg" in page and "20 messages with NaN" in page
