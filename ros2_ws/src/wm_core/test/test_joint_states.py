"""Which joint states are believed. Joint states come every 20 ms; time starts at 1 s."""

import numpy as np
import pytest

from wm_core.joint_states import MALFORMED, JointStateError, JointStates, Others, of_gripper, read_joints
from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot

MS = 1_000_000
T0 = 1000 * MS
ARM = Kinematics(load_robot())
NAMES = list(ARM.joint_names)
HOME = np.array([0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.785])


def feed(states, places, now=T0, period=20 * MS) -> str:
    """One letter for each place: B believed, u unconfirmed, i implausible, r repeated."""
    letters = ""
    for place in places:
        now += period
        try:
            states.judge(np.asarray(place, float), now)
            letters += "B"
        except JointStateError as error:
            letters += error.reason[0]
    return letters


@pytest.fixture
def states():
    """Of an arm that stands at HOME, was placed and commanded there."""
    states = JointStates(ARM)
    states.place(HOME, T0)
    states.judge(HOME, T0)
    states.command(T0, np.array([T0 + MS]), np.array([HOME, HOME]))
    return states


def test_the_first_are_believed_after_half_a_second_without_contradiction():
    states = JointStates(ARM)
    assert feed(states, [HOME] * 30) == "u" * 25 + "B" * 5
    assert feed(JointStates(ARM, first=0.0), [HOME] * 3) == "BBB"


def test_two_publishers_from_the_start_are_never_believed():
    assert feed(JointStates(ARM), [HOME, HOME, HOME, np.zeros(7)] * 50) == "u" * 200


def test_a_second_publisher_is_found_out_before_the_arm_was_commanded():
    states = JointStates(ARM)
    feed(states, [np.zeros(7)] * 30)
    assert feed(states, [HOME, np.zeros(7)] * 20, T0 + 600 * MS) == "i" + "u" * 39
    assert not states.known


def test_after_a_reset_the_first_state_that_agrees_is_believed_whichever_comes_first():
    for placed_first in (True, False):
        states = JointStates(ARM)
        if placed_first:
            states.place(HOME, T0)
        assert feed(states, [np.zeros(7), HOME]) == ("uB" if placed_first else "uu")
        if not placed_first:
            states.place(HOME, T0)
            assert states.known
        assert feed(states, [np.zeros(7), HOME] * 3, T0 + 40 * MS) == "iB" * 3


@pytest.mark.parametrize(
    "lie",
    [
        np.zeros(7),
        -HOME,
        HOME[::-1],  # names permuted
        HOME + 0.06 * np.eye(7)[3],  # one joint is off
        HOME + 0.4,
    ],
)
def test_lies_among_true_states_are_refused_and_the_true_ones_are_not(states, lie):
    assert feed(states, [HOME, lie] * 100) == "Bi" * 100
    assert feed(states, [HOME, *[lie] * 9] * 10, T0 + 4000 * MS) == "Biiiiiiiii" * 10  # ten times as often


def test_an_arm_that_was_moved_is_believed_after_a_while_and_then_as_it_moves(states):
    moved = HOME + 0.3
    assert feed(states, [moved] * 30) == "i" * 25 + "B" * 5
    np.testing.assert_array_equal(states.left, HOME)
    by_hand = [moved + 0.01 * i for i in range(20)]
    assert feed(states, by_hand, T0 + 600 * MS) == "B" * 20
    states.command(T0 + 1000 * MS, np.array([T0 + 1100 * MS]), np.array([by_hand[-1], by_hand[-1]]))
    assert states.left is None


def test_zeros_right_after_a_reset_are_never_believed_where_it_must_be_safe():
    """They were, as the first states of all: the arm was sent there at 10 m/s."""
    states = JointStates(ARM, jumps=False)
    states.place(HOME, T0)
    assert feed(states, [np.zeros(7)] * 100) == "u" * 25 + "j" * 75
    assert feed(states, [HOME] * 40, T0 + 2000 * MS) == "u" * 25 + "B" * 15


def test_a_jump_that_no_arm_can_make_is_never_believed_where_it_must_be_safe():
    """A driver that says zeros instead of the truth, for good: nobody else contradicts it."""
    states = JointStates(ARM, jumps=False)
    feed(states, [HOME] * 30)
    states.command(T0 + 600 * MS, np.array([T0 + 601 * MS]), np.array([HOME, HOME]))
    assert feed(states, [np.zeros(7)] * 500, T0 + 600 * MS) == "i" * 25 + "j" * 475
    assert states.jumped and states.doubted_ns > 9000 * MS
    assert feed(states, [HOME] * 3, T0 + 10_600 * MS) == "BBB", "the truth is believed at once when it comes back"


def test_an_arm_that_had_time_to_get_there_is_believed_without_anybody_s_help():
    states = JointStates(ARM, jumps=False)
    feed(states, [HOME] * 30)
    states.command(T0 + 600 * MS, np.array([T0 + 601 * MS]), np.array([HOME, HOME]))
    assert feed(states, [HOME + 0.3] * 30, T0 + 2000 * MS) == "i" * 25 + "B" * 5
    by_hand = [HOME + 0.3 + 0.02 * i for i in range(60)]  # 1 rad/s, beside what was commanded
    states.command(T0 + 2600 * MS, np.array([T0 + 2601 * MS]), np.array([HOME + 0.3, HOME + 0.3]))
    assert feed(states, by_hand, T0 + 2600 * MS)[-10:] == "B" * 10


def test_an_arm_follows_with_a_lag(states):
    goal = HOME + 0.08
    states.command(T0, np.array([T0 + 100 * MS]), np.array([HOME, goal]))
    late = [HOME + (goal - HOME) * min(1.0, max(0.0, (20 * i - 80) / 100)) for i in range(1, 20)]
    assert feed(states, late) == "B" * 19


def test_an_arm_that_stays_behind_is_named(states):
    states.command(T0, np.array([T0 + 100 * MS]), np.array([HOME, HOME + 0.2 * np.eye(7)[2]]))
    assert feed(states, [HOME] * 15) == "B" * 6 + "i" * 9
    assert "panda_joint3 is measured at 0.000 rad" in states.doubts() and "0.200" in states.doubts()


def test_what_the_guard_sends_explains_what_was_measured(states):
    """A planner hears of a reset by the hold at the arm's new place."""
    home = HOME + 1.0
    assert feed(states, [home]) == "i"
    states.command(T0 + 20 * MS, np.array([T0 + 120 * MS]), np.array([home, home]))
    np.testing.assert_array_equal(states.position, home)
    assert feed(states, [home] * 3, T0 + 20 * MS) == "BBB"


def test_a_clock_that_was_set_back_is_believed_after_a_while_a_repeating_driver_never(states):
    assert feed(states, [HOME] * 5) == "BBBBB"
    assert feed(states, [HOME] * 5) == "rrrrr"
    assert feed(states, [HOME] * 30, T0 - 900 * MS) == "r" * 25 + "B" * 5
    for _ in range(100):
        with pytest.raises(JointStateError, match="newer"):
            states.judge(HOME, T0 - 300 * MS)


@pytest.mark.parametrize(
    ("names", "positions", "velocities", "reason"),
    [
        (NAMES, HOME[:6], (), "size"),
        (NAMES, HOME, [0.0], "size"),
        (NAMES[:6], HOME[:6], (), "names"),
        ([*NAMES[:6], "other"], HOME, (), "names"),
        ([*NAMES, NAMES[0]], [*HOME, 0.0], (), "duplicate"),
        (NAMES, [*HOME[:6], np.nan], (), "not_finite"),
        (NAMES, [*HOME[:6], -np.inf], (), "not_finite"),
        (NAMES, np.degrees(HOME), (), "impossible"),
        (NAMES, HOME, [0.0] * 6 + [1e3], "velocity"),
        (NAMES, HOME, [0.0] * 6 + [np.inf], "velocity"),
    ],
)
def test_malformed_states_are_refused_by_name(names, positions, velocities, reason):
    with pytest.raises(JointStateError) as caught:
        read_joints(ARM, names, positions, velocities)
    assert caught.value.reason == reason and reason in MALFORMED


def test_other_joints_any_order_and_unmeasured_velocities_are_fine():
    order = [6, 0, 5, 1, 4, 2, 3]
    names = ["finger", *(NAMES[i] for i in order), "finger"]
    q = read_joints(ARM, names, [0.1, *HOME[order], 0.1], [np.nan] * 9)
    np.testing.assert_array_equal(q, HOME)


def test_a_grippers_own_joint_states_on_the_arms_topic_are_distinguished():
    robot = load_robot("panda")
    fingers = list(robot.gripper.joints)
    assert of_gripper(robot, fingers)
    assert (
        not of_gripper(robot, [*robot.joints, *fingers])
        and not of_gripper(robot, ["elbow"])
        and not of_gripper(robot, [])
    )


def test_states_of_other_joints_are_left_alone_once_the_arm_was_heard():
    """A gripper that the profile does not know, or a second arm, publishes on the same topic."""
    others = Others(load_robot("ur5e"))
    robotiq, arm = ["robotiq_85_left_knuckle_joint"], list(load_robot("ur5e").joints)
    assert not others.alone(robotiq)  # the arm's under a wrong prefix, for all that is known
    assert not others.alone(arm[:3])
    assert not others.alone(robotiq)
    assert not others.alone(["rail", *arm])
    assert others.alone(robotiq) and others.alone([f"right_{joint}" for joint in arm])
    assert not others.alone(arm[:3]) and not others.alone([])
