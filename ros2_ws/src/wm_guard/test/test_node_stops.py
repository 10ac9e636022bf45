"""The guard's process and what stops the arm: emergency stops, latches and what clears them, deactivation."""

import guard_process
import pytest
from std_msgs.msg import Bool
from wm_msgs.msg import Command, GuardState, Intervention

from wm_core.qos import LATCHED

CONFIGURE, ACTIVATE, DEACTIVATE = guard_process.CONFIGURE, guard_process.ACTIVATE, guard_process.DEACTIVATE
Robot, guarded_robot = guard_process.Robot, guard_process.guarded_robot
robot = guard_process.robot

pytestmark = pytest.mark.ros


def test_an_emergency_stop_outlives_the_guard(ros, kinematics, start, tmp_path):
    """The guard that is started next is stopped from its first moment, whoever has forgotten; a reset ends it for good."""
    kept = tmp_path / "stopped"
    for _ in range(2):
        with Robot(kinematics, start, "-p", f"stop_file:={kept}") as robot:
            assert robot.transition(CONFIGURE) and robot.transition(ACTIVATE)
            robot.until(lambda: robot.stopped)
            assert robot.stopped == [kept.exists()]
            assert robot.trigger("wm/e_stop").success and kept.exists()
    with Robot(kinematics, start, "-p", f"stop_file:={kept}") as robot:
        assert robot.transition(CONFIGURE) and robot.transition(ACTIVATE)
        robot.until(lambda: robot.stopped == [True])
        assert robot.trigger("wm/e_stop_reset").message.startswith("reset") and not kept.exists()


def test_the_emergency_stop_latches(robot, step):
    robot.command(step(dx=0.02))
    for _ in range(2):  # again is no second stop
        assert robot.trigger("wm/e_stop").success
    robot.until(lambda: robot.stopped and robot.stopped[-1])
    robot.until(lambda: robot.executed[-1].reason.startswith("e_stop"))
    for _ in range(2):
        _, executed = robot.command(step(dx=0.01))
        assert executed.status == Command.HOLD and executed.reason.startswith("e_stop")
    late: list[bool] = []
    robot.node.create_subscription(Bool, "wm/e_stopped", lambda m: late.append(m.data), LATCHED)
    robot.until(lambda: late)
    assert late == [True]
    assert robot.trigger("wm/e_stop_reset").success
    robot.until(lambda: not robot.stopped[-1])
    while robot.command(step(dx=0.01))[1].status != Command.ACTIVE:  # joint states may have grown old in these calls
        assert not robot.executed[-1].reason.startswith("e_stop")
    assert not robot.trigger("wm/e_stop_reset").message.startswith("reset")
    stop_and_reset = [Intervention.E_STOP, Intervention.E_STOP_RESET]
    robot.until(lambda: [each.kind for each in robot.interventions if each.kind in stop_and_reset] == stop_and_reset)


def test_the_state_is_latched_and_a_latch_is_cleared_by_a_service(robot, step):
    states: list[GuardState] = []
    robot.node.create_subscription(GuardState, "wm/guard_state", states.append, LATCHED)
    robot.until(lambda: states)
    robot.command(step(dx=0.02))
    robot.until(lambda: states[-1].state == GuardState.RUNNING and states[-1].speed_scale == 1.0)
    robot.until(lambda: states[-1].state == GuardState.HOLDING and list(states[-1].reasons) == ["no_command"])
    assert robot.trigger("wm/e_stop").success
    robot.until(lambda: states[-1].state == GuardState.STOPPED and list(states[-1].reasons) == ["e_stop"])
    answer = robot.trigger("wm/clear")
    assert not answer.success and "wm/e_stop_reset" in answer.message
    assert robot.trigger("wm/e_stop_reset").success
    assert robot.trigger("wm/clear").success
    robot.until(lambda: states[-1].state == GuardState.HOLDING)
    robot.command(step(dx=0.02))
    robot.until(lambda: states[-1].state == GuardState.RUNNING)
    assert robot.transition(DEACTIVATE)
    robot.until(lambda: states[-1].state == GuardState.HOLDING and list(states[-1].reasons) == ["deactivated"])
    assert robot.transition(ACTIVATE)


def test_deactivation_holds_the_arm(robot, step):
    robot.command(step(dx=0.02))
    assert robot.transition(DEACTIVATE)
    robot.until(lambda: robot.executed[-1].reason.startswith("deactivated") and robot.answered())
    assert robot.transition(ACTIVATE)
