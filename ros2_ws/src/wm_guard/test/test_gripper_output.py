"""The fingers follow commands that pass, and keep what they hold in every other case."""

from types import SimpleNamespace

import numpy as np
import pytest
from wm_msgs.msg import Command
from wm_msgs.msg import ToolState as ToolMessage

from wm_core.robot import load_robot
from wm_guard.gripper_output import GripperOutput
from wm_guard.verdicts import Kind

PANDA = load_robot("panda")


class Topics:
    """A node that remembers what it publishes."""

    def __init__(self):
        self.sent = []

    def publisher(self, kind, topic, qos):
        return SimpleNamespace(publish=lambda message: self.sent.append((topic, list(message.data))))


def sent(kind=Kind.PASS, opening=0.05, status=Command.ACTIVE, robot=PANDA):
    topics = Topics()
    command = Command(status=status, tool_end=ToolMessage(opening=opening))
    GripperOutput(topics, robot).send(SimpleNamespace(kind=kind), command)
    return topics.sent


@pytest.mark.parametrize("kind", [Kind.PASS, Kind.LIMITED])
def test_a_command_that_passed_opens_the_fingers(kind):
    assert sent(kind) == [("gripper_controller/commands", pytest.approx([0.025, 0.025]))]


def test_openings_are_kept_within_the_gripper():
    assert sent(opening=1.0)[0][1] == pytest.approx([0.04, 0.04])


@pytest.mark.parametrize(
    "given",
    [
        {"kind": Kind.REFUSED},
        {"kind": Kind.HOLD},
        {"opening": np.nan},
        {"status": Command.IDLE},
        {"robot": load_robot("ur5e")},
    ],
)
def test_what_is_held_is_not_dropped(given):
    assert sent(**given) == []
