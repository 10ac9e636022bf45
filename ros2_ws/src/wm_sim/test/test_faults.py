"""Faults that the simulator can have on request, and the observer that says what the arm did meanwhile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image, JointState

from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot
from wm_core.stamps import to_msg, to_ns
from wm_sim.faults import ARM, COLOUR, DEPTH, JOINTS, KINDS, PUSHED, FaultError, Faults
from wm_sim.limit_watch import LimitWatch

MS = 1_000_000
S = 1000 * MS


def image(value: int = 100, stamp_ns: int = 0, encoding: str = "rgb8") -> Image:
    pixel = 3 if encoding == "rgb8" else 2
    message = Image(width=4, height=4, encoding=encoding, step=4 * pixel, data=bytes([value]) * 16 * pixel)
    message.header.stamp = to_msg(stamp_ns)
    return message


def stamps(messages) -> list[int]:
    return [to_ns(message.header.stamp) // MS for message in messages]


def outputs(faults: Faults, target: str = COLOUR, count: int = 10):
    """What comes out of `count` images 100 ms apart, each when it does."""
    for i in range(count):
        yield from faults.messages("left", target, image(10 + i, 100 * i * MS), 100 * i * MS)


def through(faults: Faults, target: str = COLOUR, count: int = 10) -> list:
    return list(outputs(faults, target, count))


def test_without_a_fault_everything_passes_as_it_is():
    message = image()
    assert list(Faults().messages("left", COLOUR, message, 0)) == [message]


def test_a_fault_ends_by_itself():
    faults = Faults()
    faults.begin(COLOUR, "drop", 0.0, 0.35, 0)
    assert stamps(through(faults)) == [400, 500, 600, 700, 800, 900]
    assert faults.names == []


@pytest.mark.parametrize(("kind", "times"), [("freeze", [0, 0, 0, 0]), ("stuck", [0, 100, 200, 300])])
def test_a_frozen_camera_repeats_its_last_picture(kind, times):
    faults = Faults()
    faults.begin(COLOUR, kind, 0.0, 10.0, 0)
    out = [(stamps([message]), message.data[0]) for message in outputs(faults, count=4)]
    assert out == [([time], 10) for time in times]


def test_a_delay_keeps_the_stamps():
    faults = Faults()
    faults.begin(COLOUR, "delay", 0.3, 10.0, 0)
    assert stamps(through(faults)) == [0, 100, 200, 300, 400, 500, 600]


def test_reordered_messages_are_all_there():
    faults = Faults()
    faults.begin(COLOUR, "reorder", 0.0, 10.0, 0)
    assert stamps(through(faults, count=6)) == [100, 0, 300, 200, 500, 400]


def test_cameras_do_not_mix():
    faults = Faults()
    faults.begin(COLOUR, "stuck", 0.0, 10.0, 0)
    (left,) = faults.messages("left", COLOUR, image(1), 0)
    (right,) = faults.messages("right", COLOUR, image(2), 0)
    assert (left.data[0], right.data[0]) == (1, 2)


@pytest.mark.parametrize("kind", ["black", "covered", "swapped", "wrong_size", "nan"])
def test_the_picture_itself_is_not_changed(kind):
    """The simulator fills its messages again and again: a fault works on a copy."""
    faults, message = Faults(), image(7)
    faults.begin(COLOUR, kind, 0.0, 10.0, 0)
    (out,) = faults.messages("left", COLOUR, message, 0)
    assert out is not message and message.height == 4 and set(message.data) == {7}


def test_depth_that_is_not_a_number():
    faults = Faults()
    faults.begin(DEPTH, "nan", 0.0, 10.0, 0)
    (out,) = faults.messages("left", DEPTH, image(1, encoding="16UC1"), 0)
    assert (np.frombuffer(out.data, "<u2") == 65535).all()


@pytest.mark.parametrize(("kind", "expected"), [("zeros", [0.0, 0.0, 0.0]), ("wrong_size", [1.0])])
def test_joint_states(kind, expected):
    faults = Faults()
    faults.begin(JOINTS, kind, 0.0, 1.0, 0)
    state = JointState(name=["a", "b", "c"], position=[1.0, 2.0, 3.0], velocity=[0.0, 0.0, 0.0])
    (out,) = faults.messages("", JOINTS, state, 0)
    assert list(out.position) == expected and list(state.position) == [1.0, 2.0, 3.0]


def test_the_arm_and_the_clock():
    faults = Faults()
    faults.begin("arm", "stuck", 0.0, 1.0, 0)
    faults.begin("clock", "jump", -2.5, 1.0, 0)
    assert faults.arm(0) == "stuck" and faults.clock_ns(0) == -2500 * MS
    assert faults.arm(S) == "" and faults.clock_ns(S) == S


def test_what_is_cut_off_is_so_for_its_time_and_alone():
    faults = Faults()
    faults.begin(JOINTS, "cut", 0.0, 1.0, 0)
    assert faults.cut(JOINTS, 0) and not faults.cut(COLOUR, 0) and not faults.cut(JOINTS, S)


@pytest.mark.parametrize(("target", "kind"), [("colour", "melted"), ("wheel", "drop"), ("", "")])
def test_what_there_is_not_is_refused_with_what_there_is(target, kind):
    with pytest.raises(FaultError, match="colour: drop, freeze"):
        Faults().begin(target, kind, 0.0, 1.0, 0)


@given(st.sampled_from([(target, kind) for target in (COLOUR, DEPTH) for kind in KINDS[target]]), st.floats(0.0, 2.0))
def test_any_fault_of_a_camera_gives_images(fault, amount):
    faults = Faults()
    faults.begin(*fault, amount, 100.0, 0)
    encoding = "rgb8" if fault[0] == COLOUR else "16UC1"
    for i in range(5):
        for out in faults.messages("left", fault[0], image(i, 100 * i * MS, encoding), 100 * i * MS):
            assert isinstance(out, Image) and len(out.data) == len(image(0, 0, encoding).data)


def test_the_watch_reads_the_limits_from_the_urdf():
    kinematics = Kinematics(load_robot("ur5e"))
    watch = LimitWatch(kinematics.description, kinematics.joint_names, period=0.01)
    still = np.zeros(6)
    fast = still.copy()
    fast[2] = 1.5 * kinematics.velocity[2]
    watch.look(still, fast, np.zeros(3), still)
    watch.look(kinematics.upper + 0.1, still, np.array([0.003, 0.004, 0.0]), still + 0.2)
    seen = watch.take()
    assert seen.velocity_share == pytest.approx(1.5) and seen.velocity_joint == kinematics.joint_names[2]
    assert seen.position_excess == pytest.approx(0.1)
    assert seen.tool_speed == pytest.approx(0.5)
    assert (seen.commanded_speed, seen.arm_speed, seen.steps) == (pytest.approx(0.2), 0.0, 2)
    assert watch.take().steps == 0


def test_a_push_grows_until_the_person_lets_go():
    faults = Faults()
    assert faults.push(0) is None
    faults.begin(ARM, PUSHED, 0.2, 1.0, now_ns=0)
    turned = [faults.push(round(share * S)) for share in (0.0, 0.25, 0.5, 0.75, 0.999)]
    assert turned == sorted(turned) and turned[0] == 0 and turned[-1] == pytest.approx(0.2, abs=1e-3)
    faults.begin(ARM, "inactive", 0.0, 1.0, now_ns=0)
    assert faults.arm(0) == "inactive"  # a push alone is no failure of the arm
    assert faults.push(S) is None


@pytest.mark.parametrize("encoding", ["rgb8", "bgra8"])
def test_colours_are_swapped_and_covered_in_any_encoding(encoding):
    channels = 3 if encoding == "rgb8" else 4
    message = Image(width=1, height=1, encoding=encoding, step=channels, data=bytes(range(1, channels + 1)))
    for kind, expected in (
        ("swapped", [3, 2, 1, 4]),
        ("covered", [18, 12, 10, 255] if channels == 3 else [10, 12, 18, 255]),
    ):
        faults = Faults()
        faults.begin(COLOUR, kind, 0.0, 1.0, now_ns=0)
        (seen,) = faults.messages("camera", COLOUR, message, 0)
        assert list(seen.data) == expected[:channels]
