"""Only what is sent to a standing arm is a step."""

from _commanded_steps import CommandedSteps

MS = 1_000_000


def arm_that_stands_and_then_moves() -> CommandedSteps:
    """It stands at 0 for 0.5 s, and moves at 1 rad/s then."""
    arm = CommandedSteps()
    for ms in range(0, 1000, 2):
        arm.measured(ms * MS, [0.0, max(0.0, 0.001 * (ms - 500))])
    return arm


def test_a_step_from_a_standing_arm_is_that_of_its_farthest_joint():
    arm = arm_that_stands_and_then_moves()
    arm.commanded(400 * MS, [[0.02, -0.05]])
    assert arm.steps(0) == [0.05]


def test_a_moving_arm_is_ahead_of_its_joint_states_and_no_step_is_counted():
    arm = arm_that_stands_and_then_moves()
    arm.commanded(700 * MS, [[0.0, 0.25]])
    assert arm.steps(0) == []


def test_nothing_is_known_of_an_arm_without_joint_states_before():
    arm = arm_that_stands_and_then_moves()
    arm.commanded(20 * MS, [[0.1, 0.1]])
    arm.commanded(5000 * MS, [[0.1, 0.1]])
    assert arm.steps(0) == []


def test_a_motion_that_goes_on_before_the_arm_has_begun_it_is_no_step():
    arm = arm_that_stands_and_then_moves()
    arm.commanded(400 * MS, [[0.0, 0.001], [0.0, 0.04]])
    arm.commanded(450 * MS, [[0.0, 0.03], [0.0, 0.1]])
    assert arm.steps(0) == [0.001]


def test_trajectories_before_and_while_excused_do_not_count():
    arm = arm_that_stands_and_then_moves()
    for ms in (200, 300, 400):
        arm.commanded(ms * MS, [[0.001 * ms, 0.0]])
    assert arm.steps(0) == [0.2] and arm.steps(250 * MS) == []
    assert arm.steps(250 * MS, [(150 * MS, 250 * MS), (350 * MS, 450 * MS)]) == [0.3]


def test_joint_states_that_are_not_newer_are_left_out():
    arm = arm_that_stands_and_then_moves()
    arm.measured(100 * MS, [3.0, 3.0])
    arm.commanded(400 * MS, [[0.01, 0.0]])
    assert arm.steps(0) == [0.01]
