"""How a recording is cut into steps, and how messages are compared: without nodes."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajectory_msgs.msg import JointTrajectoryPoint
from wm_msgs.msg import Belief, Command, Plan

from wm_bags.replay.compare import Difference, Tally, differences, pair, table
from wm_bags.replay.node_steps import Role, Steps
from wm_bags.replay.options import ReplayError
from wm_bags.replay.recorded import Recorded, in_order, open_recording

MS = 1_000_000
PLANNER = Role("planner", frozenset({"joints", "executed"}), frozenset({"command", "plan"}), "belief", "goal")
SEEING = Role(
    "seeing", frozenset({"joints", "image"}), frozenset({"observation"}), once=frozenset({"image", "observation"})
)


def message(topic, sent_ms, stamp_ms=0):
    """Bytes that begin as those of a message with a header."""
    return Recorded(topic, sent_ms * MS, struct.pack("<4xiI", 0, stamp_ms * MS))


def cut(role, *messages):
    steps = Steps(role)
    found = [step for each in messages for step in steps.add(each)]
    return steps, [*found, *steps.end()]


def names(messages):
    return [each.topic for each in messages]


def test_a_step_holds_what_came_before_its_trigger_and_what_answered_it():
    _, (first, second) = cut(
        PLANNER,
        message("joints", 1),
        message("belief", 2, 100),
        message("command", 3, 100),
        message("executed", 4, 100),
        message("plan", 5, 100),
        message("joints", 6),
        message("belief", 7, 200),
        message("command", 8, 200),
    )
    assert names(first.inputs) == ["joints"] and names(first.expected) == ["command", "plan"]
    assert names(second.inputs) == ["executed", "joints"] and names(second.expected) == ["command"]


def test_frames_that_were_sent_again_while_the_node_was_busy_are_one_step():
    sent = [
        message("joints", 1, 100),
        message("image", 1, 100),
        message("image", 1001, 100),
        message("observation", 1100, 100),
        message("observation", 1101, 100),
        message("image", 1200, 200),
        message("observation", 1201, 200),
    ]
    _, steps = cut(SEEING, *sent)
    assert [names(step.inputs) for step in steps] == [["joints", "image"], ["image"]]
    assert [names(step.expected) for step in steps] == [["observation"], ["observation"]]


def test_a_belief_that_was_sent_again_is_a_step_where_it_was_answered():
    """The planner answers again where nothing of its first command went to the arm."""
    steps, found = cut(
        PLANNER,
        message("joints", 1, 100),
        message("belief", 2, 100),
        message("command", 3, 100),
        message("executed", 4, 100),
        message("belief", 1002, 100),
        message("command", 1003, 100),
        message("belief", 2002, 100),
        message("belief", 2005, 200),
        message("command", 2006, 200),
    )
    assert [(step.stamp_ns // MS, step.again, names(step.inputs), names(step.expected)) for step in found] == [
        (100, False, ["joints"], ["command"]),
        (100, True, ["executed"], ["command"]),
        (200, False, [], ["command"]),
    ]
    assert steps.unanswered == 0


def test_an_answer_that_came_after_the_belief_was_sent_again_is_expected_once():
    steps, found = cut(
        PLANNER,
        message("joints", 1, 100),
        message("belief", 2, 100),
        message("belief", 1002, 100),
        message("command", 1003, 100),
        message("plan", 1004, 100),
        message("belief", 1005, 200),
        message("command", 1006, 200),
    )
    assert [names(step.expected) for step in found if step.trigger] == [["command", "plan"], ["command"]]


def test_a_goal_begins_after_the_belief_that_it_names_whenever_it_was_sent():
    _, (before, first, second) = cut(
        PLANNER,
        message("goal", 1, 0),
        message("belief", 2, 100),
        message("command", 3, 100),
        message("belief", 5, 200),
        message("goal", 6, 100),
        message("command", 7, 200),
    )
    assert names(before.events) == ["goal"] and before.trigger is None
    assert names(first.events) == ["goal"] and first.stamp_ns == 100 * MS
    assert names(second.events) == []


def test_a_goal_may_begin_before_the_first_belief_is_answered():
    hours = 3_600_000
    _, (before, first) = cut(
        PLANNER, message("belief", hours, 100), message("goal", hours + 1, 0), message("command", hours + 2, 100)
    )
    assert names(before.events) == ["goal"] and names(first.events) == [] and names(first.expected) == ["command"]


def test_what_came_while_the_trigger_waited_was_taken_in_first():
    role = replace(PLANNER, worked_ns=lambda answers: 3 * MS)
    _, (first, second) = cut(
        role,
        message("belief", 1, 100),
        message("belief", 2, 200),
        message("command", 4, 100),
        message("executed", 5, 100),
        message("joints", 8),
        message("command", 10, 200),
    )
    assert names(first.inputs) == [] and first.stamp_ns == 100 * MS
    assert names(second.inputs) == ["executed"]  # the node began to plan at 7 ms


@pytest.mark.parametrize("answered_ms", [2, 4, 7, 9])
def test_what_a_node_waits_for_came_before_its_answer_however_close_to_it_that_was_sent(answered_ms):
    role = replace(
        PLANNER,
        worked_ns=lambda answers: 3 * MS,
        awaits=lambda message, stamp_ns: message.topic == "executed" and message.stamp_ns < stamp_ns,
    )
    answers = [
        message("executed", answered_ms, 100),
        message("joints", answered_ms, 200),
        message("executed", answered_ms, 200),
    ]
    begins = [message("belief", 0, 100), message("command", 1, 100), message("belief", 3, 200)]
    in_order = sorted([*begins, *answers, message("command", 10, 200)], key=lambda each: each.sent_ns)
    _, (_, second, *_) = cut(role, *in_order)
    assert [each.topic for each in second.inputs if each.stamp_ns == 100 * MS] == ["executed"]
    assert (len(second.inputs) == 3) == (answered_ms < 7)  # of the others only what was sent before it began


def test_what_was_sent_before_what_a_node_waited_for_came_before_it():
    role = replace(PLANNER, worked_ns=lambda answers: 3 * MS, awaits=lambda each, stamp_ns: each.stamp_ns < stamp_ns)
    _, (_, second, *_) = cut(
        role,
        message("belief", 0, 100),
        message("command", 1, 100),
        message("belief", 2, 200),
        message("executed", 8, 200),  # a hold by the guard itself
        message("executed", 9, 100),
        message("command", 10, 200),
    )
    assert [each.stamp_ns // MS for each in second.inputs] == [200, 100]


def test_what_was_not_answered_or_not_asked_is_not_expected():
    steps, found = cut(
        PLANNER, message("command", 1, 50), message("joints", 2), message("belief", 3, 100), message("belief", 4, 200)
    )
    assert steps.unasked == 1 and steps.unanswered == 2
    assert [(names(step.inputs), step.trigger) for step in found] == [(["joints"], None)]


def test_without_a_trigger_every_answer_ends_a_step():
    _, (first, second) = cut(
        SEEING,
        message("joints", 1, 100),
        message("image", 2, 100),
        message("observation", 3, 100),
        message("image", 4, 200),
        message("observation", 5, 200),
    )
    assert names(first.inputs) == ["joints", "image"] and names(second.inputs) == ["image"]
    assert [step.stamp_ns for step in (first, second)] == [100 * MS, 200 * MS]


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 4_000)), max_size=50))
def test_messages_come_in_the_order_in_which_they_were_sent(times):
    recorded = sorted((sent + delay, sent) for sent, delay in times)
    messages = [(logged * MS, message("a", sent)) for logged, sent in recorded]
    assert [each.sent_ns for each in in_order(messages)] == sorted(sent * MS for sent, _ in times)


def test_a_recording_may_begin_with_what_a_node_said_long_before():
    """Latched messages reach a recorder that is started later than the nodes."""
    said, later = message("parameters", 0), message("image", 60_000)
    assert list(in_order([(60_000 * MS, said), (60_001 * MS, later)])) == [said, later]


def test_equal_means_the_same_bits():
    nan = float("nan")
    one, other = (Plan(cost=nan, actions=[0.1, nan], cost_names=["goal"], plan_ms=ms) for ms in (1.0, 2.0))
    assert list(differences(one, other, ("plan_ms",))) == []
    assert [each.field for each in differences(one, other)] == ["plan_ms"]
    assert list(differences(Plan(cost=0.0), Plan(cost=-0.0))) == [Difference("cost", 0.0, -0.0)]


def test_a_difference_is_named_down_to_the_element():
    def command(value):
        message = Command(reason="x")
        message.trajectory.points = [JointTrajectoryPoint(), JointTrajectoryPoint(positions=[0.0, value])]
        return message

    assert list(differences(command(1.0), command(2.0))) == [Difference("trajectory.points[1].positions[1]", 1.0, 2.0)]
    assert list(differences(Belief(mean=[1.0]), Belief(mean=[1.0, 2.0]))) == [Difference("len(mean)", 1, 2)]


@given(st.lists(st.floats(width=32), max_size=8), st.integers(0, 7), st.integers(1, 2**31))
def test_one_flipped_bit_is_found(values, index, bits):
    one = np.array(values, np.float32)
    other = one.copy()
    if index < len(values):
        other.view(np.uint32)[index] ^= np.uint32(bits)
    found = list(differences(Belief(mean=one), Belief(mean=other)))
    same = one.tobytes() == Belief(mean=other).mean.tobytes()  # a signalling not-a-number may be quietened on the way
    assert bool(found) != same and all(each.field == f"mean[{index}]" for each in found)


def test_the_table_names_the_first_difference():
    tally = Tally("wm/plan")
    tally.add(1, 0, Plan(cost=1.0, plan_ms=3.0), Plan(cost=1.0, plan_ms=4.0))
    tally.add(2, 100 * MS, Plan(cost=1.0), Plan(cost=2.0))
    tally.add(3, 200 * MS, Plan(cost=1.0), None)
    tally.add(4, 300 * MS, None, Plan())
    assert (tally.recorded, tally.equal, tally.different, tally.missing, tally.more) == (3, 1, 1, 1, 1)
    assert not tally.good and "step 2 at 0.100 s: cost was 1.0, is 2.0" in table([tally])


def test_answers_are_paired_by_topic_and_stamp():
    recorded = [message("a", 1, 100), message("a", 2, 100), message("b", 3, 100)]
    replayed = [message("b", 7, 100), message("a", 8, 100), message("a", 9, 200)]
    assert [(one and one.sent_ns // MS, other and other.sent_ns // MS) for one, other in pair(recorded, replayed)] == [
        (1, 8),
        (2, None),
        (None, 9),
        (3, 7),
    ]


def test_a_folder_that_is_no_recording_of_wm_is_refused(tmp_path):
    with pytest.raises(ReplayError, match=r"metadata.yaml"):
        open_recording(tmp_path)
