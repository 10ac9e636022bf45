"""The arm moves only while it may: started, with the enabling key held where one is required, and a driver that is well."""

import contextlib
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool, Float64
from std_srvs.srv import Trigger

from wm_core.qos import LATCHED, SENSOR
from wm_core.robot import load_robot
from wm_guard.driver_state import DriverState, DriverStateError
from wm_guard.guard import Guard
from wm_guard.limits import Limits
from wm_guard.permission import Permission
from wm_guard.states import State
from wm_guard.verdicts import Kind, Mode

MS = 1_000_000
T0 = 1000 * MS
PROGRAM = "{topic: running, type: std_msgs/msg/Bool, field: data, allowed: [true], reason: protective_stop}"
SCALING = (
    "{topic: scaling, type: std_msgs/msg/Float64, field: data, at_least: 99.0, timeout: 1.0, reason: speed_scaling}"
)


def guard_of(kinematics, start, permission) -> Guard:
    guard = Guard(kinematics, Limits.of(load_robot()))
    guard.place(start, T0, T0)
    assert guard.observe(kinematics.joint_names, start, T0, T0)
    guard.permission = permission
    return guard


def test_nothing_is_sent_until_a_person_starts_the_arm(kinematics, start, step):
    guard = guard_of(kinematics, start, Permission(started=False))
    verdict = guard.check(step(dx=0.03), T0, T0)
    assert (verdict.kind, verdict.reason, verdict.sent) == (Kind.REFUSED, "not_started", None) and verdict.expected
    assert guard.watchdog(T0 + 5 * MS) is None
    assert guard.status.state is State.HOLDING and guard.status.reasons == ("not_started",)
    assert "wm/start" in guard.status.text

    guard.permission.started = True
    assert guard.check(step(dx=0.03), T0, T0 + 10 * MS).kind is Kind.PASS
    assert guard.status.state is State.RUNNING


def test_stopping_brings_a_moving_arm_to_rest_once(kinematics, start, step):
    guard = guard_of(kinematics, start, Permission())
    guard.check(step(dx=0.03), T0, T0)
    guard.permission.started = False
    hold = guard.watchdog(T0 + 5 * MS)
    assert (hold.kind, hold.reason) == (Kind.HOLD, "not_started") and not any(hold.sent.velocities[-1])
    assert guard.watchdog(T0 + 10 * MS) is None and guard.check(step(dx=0.03), T0, T0 + 10 * MS).sent is None


def test_a_command_that_comes_before_the_watchdog_is_answered_with_the_hold(kinematics, start, step):
    guard = guard_of(kinematics, start, Permission())
    guard.check(step(dx=0.03), T0, T0)
    guard.permission.started = False
    assert guard.check(step(dx=0.03), T0, T0 + 1 * MS).sent is not None and guard.mode is Mode.HOLDING


def test_a_hold_that_came_too_late_to_be_sent_is_sent_after_all(kinematics, start, step):
    guard = guard_of(kinematics, start, Permission())
    guard.check(step(dx=0.03), T0, T0)
    guard.permission.started = False
    guard.check(step(dx=0.03), T0, T0 + 5 * MS)
    guard.withdraw()
    hold = guard.check(step(dx=0.03), T0, T0 + 25 * MS)
    assert hold.reason == "not_started" and not any(hold.sent.velocities[-1])
    assert guard.counts["not_started"] == 1 and guard.check(step(dx=0.03), T0, T0 + 30 * MS).sent is None


def test_an_emergency_stop_holds_before_and_after_the_start(kinematics, start, step):
    guard = guard_of(kinematics, start, Permission(started=False))
    assert guard.e_stop(T0).sent is not None
    assert guard.check(step(), T0, T0).reason == "e_stop" and guard.status.state is State.STOPPED
    guard.reset_e_stop()
    assert guard.status.reasons == ("not_started",)


@pytest.mark.parametrize("released", [True, False], ids=["released", "silent"])
def test_the_arm_is_held_within_a_fifth_of_a_second_of_the_enabling_key(kinematics, start, step, wall, released):
    guard = guard_of(kinematics, start, Permission(enabled_for=0.18, clock=wall))
    assert guard.check(step(dx=0.03), T0, T0).reason == "not_enabled"
    guard.permission.enable(True)
    assert guard.check(step(dx=0.03), T0, T0).kind is Kind.PASS
    wall.now += 0.1
    assert guard.watchdog(T0 + 5 * MS) is None
    if released:
        guard.permission.enable(False)
    else:
        wall.now += 0.095
    assert guard.watchdog(T0 + 10 * MS).reason == "not_enabled"
    guard.permission.enable(True)
    assert guard.check(step(dx=0.03), T0, T0 + 20 * MS).kind is Kind.PASS


def test_a_protective_stop_holds_and_is_named_beside_the_rest(kinematics, start, step):
    state = DriverState.parse(PROGRAM)
    permission = Permission(started=False, driver=[state])
    assert list(permission.missing()) == ["driver_silent", "not_started"]
    permission.observe(state, Bool(data=False))
    assert permission.missing()["protective_stop"] == "running says False, expected True"
    guard = guard_of(kinematics, start, permission)
    permission.started = True
    assert guard.status.reasons == ("protective_stop",)
    permission.observe(state, Bool(data=True))
    assert guard.check(step(dx=0.03), T0, T0).kind is Kind.PASS
    permission.observe(state, Bool(data=False))
    assert guard.watchdog(T0 + 5 * MS).reason == "protective_stop"


def test_a_slowed_driver_holds_and_so_does_one_that_falls_silent(wall):
    state = DriverState.parse(SCALING)
    permission = Permission(driver=[state], clock=wall)
    for percent, missing in ((100.0, []), (50.0, ["speed_scaling"]), (float("nan"), ["speed_scaling"]), (99.0, [])):
        permission.observe(state, Float64(data=percent))
        assert list(permission.missing()) == missing
    wall.now += 1.1
    assert permission.missing() == {"driver_silent": "nothing heard on scaling for 1.1 s"}


def test_fields_of_fields_are_read_and_missing_ones_named():
    state = DriverState.parse("{topic: t, type: a/msg/B, field: mode.mode, allowed: [1, 2], reason: reflex}")
    message = SimpleNamespace(mode=SimpleNamespace(mode=2))
    assert state.problem(state.read(message)) == "" and state.problem(4) == "t says 4, expected 1 or 2"
    assert state.problem(True) != ""  # a truth value is no number
    with pytest.raises(DriverStateError, match="a/msg/B has no field 'mode.mode'"):
        state.read(SimpleNamespace(mode=3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("running", "expected YAML as"),
        ("{topic", "expected YAML as"),
        (PROGRAM.replace("reason", "cause"), "unknown key 'cause'"),
        (PROGRAM.replace("field: data, ", ""), "'field': expected text, got None"),
        (PROGRAM.replace("std_msgs/msg/Bool", "Bool"), "'type': expected package/msg/Name"),
        (PROGRAM.replace("[true]", "true"), "'allowed': expected a list"),
        (PROGRAM.replace("[true]", "[[true]]"), "'allowed': expected a list of numbers or words"),
        (PROGRAM.replace("allowed: [true], ", ""), "one of 'allowed' and 'at_least'"),
        (SCALING.replace("99.0", "fast"), "'at_least': expected a number, got 'fast'"),
        (SCALING.replace("1.0", "-1.0"), "'timeout': expected at least 0 s"),
    ],
)
def test_descriptions_that_cannot_be_used_are_refused(text, expected):
    with pytest.raises(DriverStateError, match=expected):
        DriverState.parse(text)


@given(st.text())
def test_any_text_is_parsed_or_refused(text):
    with contextlib.suppress(DriverStateError):
        DriverState.parse(text)


# -- the node --------------------------------------------------------------------------------------------------------


def call(node, other, service: str) -> Trigger.Response:
    client = other.create_client(Trigger, service)
    node.spin(client.service_is_ready)
    future = client.call_async(Trigger.Request())
    node.spin(future.done)
    return future.result()


@pytest.mark.ros
def test_start_and_stop_are_services(node):
    guard, other = node(autostart=False, enable_required=True)
    assert list(guard.guard.permission.missing()) == ["not_started", "not_enabled"]
    answer = call(node, other, "wm/start")
    assert answer.success and "waits for: nobody holds the enabling key" in answer.message
    assert list(guard.guard.permission.missing()) == ["not_enabled"]
    assert call(node, other, "wm/stop").success and not guard.guard.permission.started
    guard.guard.e_stop(guard.get_clock().now().nanoseconds)
    answer = call(node, other, "wm/start")
    assert not answer.success and "wm/e_stop_reset" in answer.message and not guard.guard.permission.started


@pytest.mark.ros
@pytest.mark.parametrize(
    ("button", "message", "released"),
    [(-1, Bool(data=True), Bool()), (1, Joy(buttons=[0, 1]), Joy(buttons=[0]))],
    ids=["key", "joystick"],
)
def test_the_enabling_key_is_heard(node, button, message, released):
    guard, other = node(enable_required=True, enable_button=button)
    key = other.create_publisher(type(message), "wm/enable", SENSOR)

    def says(said, missing):
        key.publish(said)
        return list(guard.guard.permission.missing()) == missing

    node.spin(lambda: says(message, []))
    node.spin(lambda: says(released, ["not_enabled"]))


@pytest.mark.ros
def test_a_driver_is_heard_whether_it_latches_or_not(node):
    guard, other = node(driver_states=[PROGRAM, SCALING])
    other.create_publisher(Bool, "running", LATCHED).publish(Bool(data=True))
    scaling = other.create_publisher(Float64, "scaling", SENSOR)

    def heard():
        scaling.publish(Float64(data=100.0))
        return not guard.guard.permission.missing()

    node.spin(heard)


@pytest.mark.ros
def test_a_message_that_is_not_installed_is_named(node, capfd):
    node(driver_states=[PROGRAM.replace("std_msgs/msg/Bool", "their_msgs/msg/Mode")])
    assert "their_msgs/msg/Mode, which is not installed" in capfd.readouterr().err


@pytest.mark.ros
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (PROGRAM.replace("field: data", "field: error"), "std_msgs/msg/Bool has no field 'error'; there are data"),
        (PROGRAM.replace("[true]", "[1]"), "'allowed': expected values of a bool, as 'data' is .False., got 1"),
        (SCALING.replace("Float64", "Bool"), "'at_least': expected 'data' to be a number, it is a bool"),
    ],
)
def test_a_description_that_no_message_can_fulfil_is_refused(node, capfd, state, expected):
    """The driver would be called silent, or the arm held for ever."""
    node(driver_states=[state])
    assert re.search(f"cannot configure: parameter 'driver_states': .*{expected}", capfd.readouterr().err)


def test_a_driver_that_speaks_only_of_changes_may_not_have_spoken_yet():
    permission = Permission(driver=[DriverState.parse(PROGRAM), DriverState.parse(SCALING)])
    text = permission.missing()["driver_silent"]
    assert "running (std_msgs/msg/Bool); does the arm's driver run, or is it protective_stop since its start?" in text
    assert text.endswith("scaling (std_msgs/msg/Float64); does the arm's driver run?")
