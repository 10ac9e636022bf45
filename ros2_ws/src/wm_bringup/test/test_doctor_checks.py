"""What the checks of `wm doctor --live` say of endpoints and times; bench/_doctor_faults_test.py plants faults into whole systems."""

import pytest

from wm_bringup.doctor.checks import timing, topics
from wm_bringup.doctor.observed import IMAGE, Endpoint, Heard, Machine, Observed, Stream
from wm_bringup.doctor.setup import setup_of
from wm_core.robot import load_robot

STATE, BOOL = "/robot_program_running", "std_msgs/msg/Bool"
COLOUR = "camera_left/color/image_raw"


def observed(**fields) -> Observed:
    """Ten seconds in which nobody said anything."""
    machine = Machine(8, 1.0, 1e9, 0.5, (), True)
    whole = {"setup": setup_of(load_robot("panda"), {}, []), "begin_ns": 0, "end_ns": 10**10, "machine": machine}
    return Observed(**{"streams": {}, "endpoints": [], **whole, **fields})


def driver_and(*latched: bool, other: str = "/wm_guard") -> Observed:
    """A driver that does not latch its state, the guard that asks for it as it is offered, and these subscriptions of a node."""
    found = [Endpoint(STATE, BOOL, "/driver", True), Endpoint(STATE, BOOL, "/wm_guard", False, True)]
    return observed(endpoints=[*found, *(Endpoint(STATE, BOOL, other, False, True, each) for each in latched)])


def test_a_node_that_asks_for_a_topic_in_two_ways_hears_it_by_one():
    """As the guard does of each driver's state, since some drivers latch it and some do not."""
    assert list(topics.qos(driver_and(True))) == []


def test_a_node_that_asks_for_more_than_is_offered_is_deaf_whoever_else_hears():
    (found,) = topics.qos(driver_and(True, other="/my_logger"))
    assert found.check == "qos_durability" and found.expected == "transient local, as /my_logger asks"
    assert "set the durability of /my_logger's subscription to volatile" in found.remedy


def heard(*seconds: float) -> Observed:
    """A camera whose images came at these times of ten seconds."""
    times = [round(1e9 * each) for each in seconds]
    return observed(streams={COLOUR: Stream(COLOUR, IMAGE, [Heard(each, each) for each in times])})


def gaps(seen: Observed) -> list[tuple[str, str]]:
    return [(each.severity, each.found) for each in timing.regularity(seen) if each.check == "gap"]


@pytest.mark.parametrize("count", [1, 2, 9, 10])
def test_a_camera_that_died_at_once_is_found(count: int):
    ((severity, said),) = gaps(heard(*(0.5 + i / 30 for i in range(count))))
    silence = 1000 * (10 - 0.5 - (count - 1) / 30)
    assert (severity, said) == ("error", f"none for {silence:.0f} ms, and none since")


def test_a_camera_that_began_late_is_found():
    assert gaps(heard(*(7 + i / 30 for i in range(90)))) == [("error", "none for 5000 ms, before the first")]


def test_what_nodes_need_to_find_each_other_is_no_gap():
    assert gaps(heard(*(1.9 + i / 30 for i in range(243)))) == []


def test_a_slow_stream_has_no_gap():
    """Its rate is found by another check."""
    assert gaps(heard(0.5, 2.5, 4.5, 6.5, 8.5)) == []
