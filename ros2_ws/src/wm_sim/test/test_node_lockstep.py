"""The simulator's process in lockstep: frames, trajectories, services, bad input."""

import hashlib

import numpy as np
import pytest
import sim_process
from geometry_msgs.msg import Vector3
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import SetBool
from wm_msgs.srv import DisturbObject, ResetWorld, StepWorld

from wm_core.stamps import to_ns

ARM, CAMERAS, Robot = sim_process.ARM, sim_process.CAMERAS, sim_process.Robot
simulator, image = sim_process.simulator, sim_process.image

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def lockstep(ros):
    with simulator("mode:=lockstep", "seed:=3") as robot:
        robot.bring_up()
        yield robot


@pytest.fixture
def fresh(lockstep):
    """The lockstep world just reset; `robot.first` is its first frame."""
    lockstep.frame(0)
    before_ns = lockstep.now_ns
    assert lockstep.ask(ResetWorld, "sim/reset", seed=3).success
    lockstep.first = lockstep.frame(before_ns)
    return lockstep


def test_a_frame_is_what_a_robots_drivers_publish(fresh):
    for camera in CAMERAS:
        colour = fresh.first[f"{camera}/color/image_raw"]
        depth = fresh.first[f"{camera}/aligned_depth_to_color/image_raw"]
        info = fresh.first[f"{camera}/color/camera_info"]
        assert (colour.encoding, depth.encoding) == ("rgb8", "16UC1")
        assert (colour.step, depth.step, len(colour.data), len(depth.data)) == (384, 256, 49152, 32768)
        assert (
            colour.header.frame_id == depth.header.frame_id == info.header.frame_id == f"{camera}_color_optical_frame"
        )
        assert 400 < np.median(image(depth)) < 1500  # millimetres
        assert info.k[0] == info.k[4] > 0 and info.k[2] == info.p[2] == 63.5
    joints = fresh.first["joint_states"]
    assert joints.name == [*ARM, "panda_finger_joint1", "panda_finger_joint2"]
    assert fresh.first["ground_truth/object_pose"].header.frame_id == "table"


def test_one_trajectory_advances_one_period(fresh):
    start_ns, q = fresh.now_ns, np.array(fresh.first["joint_states"].position[:7])
    target = q + [0.05, 0, 0, 0, 0, 0, 0]
    fresh.move(target, start_ns)
    frame = fresh.frame(start_ns)
    assert fresh.now_ns - start_ns == pytest.approx(100_000_000, abs=1)
    assert frame["joint_states"].position[0] == pytest.approx(target[0], abs=5e-3)
    assert to_ns(fresh.messages["clock"][-1].clock) == fresh.now_ns


def test_a_period_is_the_task_s(ros):
    with simulator("mode:=lockstep", "task:=push_20hz") as robot:
        robot.bring_up()
        robot.frame(0)
        start_ns = robot.now_ns
        assert robot.ask(StepWorld, "sim/step", periods=1).success
        robot.frame(start_ns)
        assert robot.now_ns - start_ns == pytest.approx(50_000_000, abs=1)


def test_an_answer_to_an_older_frame_does_not_advance_time(fresh):
    start_ns, q = fresh.now_ns, fresh.first["joint_states"].position[:7]
    fresh.move(q, start_ns)
    fresh.frame(start_ns)
    second_ns = fresh.now_ns
    fresh.move(q, start_ns, nanosec=200_000_000)
    assert fresh.status()["trajectories_accepted"] != "0"
    assert fresh.now_ns == second_ns


def test_where_nothing_is_sent_any_more_time_goes_on_at_last(fresh):
    """The guard sends nothing while the arm ends its motion by itself, and judges by this clock when that is over."""
    start_ns, q = fresh.now_ns, fresh.first["joint_states"].position[:7]
    fresh.move(q, start_ns)
    fresh.frame(start_ns)
    second_ns = fresh.now_ns
    fresh.frame(second_ns)
    assert fresh.now_ns - second_ns == pytest.approx(100_000_000, abs=1)


def test_a_trajectory_from_before_a_reset_does_not_reach_the_new_scene(fresh):
    old_ns, q = fresh.now_ns, np.array(fresh.first["joint_states"].position[:7])
    assert fresh.ask(ResetWorld, "sim/reset", seed=4).success
    frame = fresh.frame(old_ns)
    new_ns = to_ns(frame["joint_states"].header.stamp)
    assert new_ns - old_ns == pytest.approx(100_000_000, abs=1)  # no jump that would set off a watchdog
    fresh.move(q + 0.3, old_ns)
    assert "reset" in fresh.status()["last_rejection"]
    fresh.move(q, new_ns)
    assert fresh.frame(new_ns)["joint_states"].position[:7] == pytest.approx(q, abs=2e-3)


def digest(frame: dict[str, object]) -> str:
    total = hashlib.sha256()
    for topic in sorted(frame):
        message = frame[topic]
        if isinstance(message, Image):
            total.update(bytes(message.data))
        elif isinstance(message, JointState):
            total.update(np.array([*message.position, *message.velocity]).tobytes())
    return total.hexdigest()


def play(robot: Robot, first: dict[str, object]) -> list[str]:
    q = np.array(first["joint_states"].position[:7])
    frames = [digest(first)]
    for step in range(1, 7):
        stamp_ns = robot.now_ns
        robot.move(q + step * np.array([0.02, 0.02, 0, 0.02, 0, 0, 0]), stamp_ns)
        frames.append(digest(robot.frame(stamp_ns)))
    return frames


def test_the_same_seed_and_commands_give_the_same_bytes(fresh):
    here = play(fresh, fresh.first)
    with simulator("mode:=lockstep", "seed:=3") as other:
        other.bring_up()
        assert play(other, other.frame(0)) == here
    assert len(set(here)) == len(here)


BAD = [
    {"names": [*ARM[:6], "elbow"]},
    {"positions": [0.0] * 6, "names": ARM[:6]},
    {"positions": [0.0] * 5},
    {"positions": [float("nan")] * 7},
    {"stamp_ns": 1},
]


def test_bad_trajectories_are_counted_and_the_world_stands_still(fresh):
    before, now_ns = int(fresh.status()["trajectories_rejected"]), fresh.now_ns
    for change in BAD:
        fresh.move(**{"positions": [0.0] * 7, **change})
    fresh.until(lambda: int(fresh.status()["trajectories_rejected"]) == before + len(BAD))
    assert "expected" in fresh.status()["last_rejection"]
    assert fresh.now_ns == now_ns


def test_lost_frames_come_again(fresh):
    topic = "camera_left/color/image_raw"
    count, stamp_ns = len(fresh.messages[topic]), fresh.now_ns
    fresh.until(lambda: len(fresh.messages[topic]) > count)
    assert to_ns(fresh.messages[topic][-1].header.stamp) == stamp_ns


def test_services(fresh):
    placed = fresh.ask(ResetWorld, "sim/reset", seed=1, set_object=True, object_xy=[0.5, 0.1])
    assert placed.success and placed.object.position.x == pytest.approx(0.5, abs=2e-3)
    refused = fresh.ask(ResetWorld, "sim/reset", seed=1, set_object=True, object_xy=[7.0, 0.0])
    assert not refused.success and "on the table" in refused.message
    stepped = fresh.ask(StepWorld, "sim/step", periods=2)
    assert stepped.success
    fresh.until(lambda: fresh.now_ns == to_ns(stepped.time))
    assert not fresh.ask(StepWorld, "sim/step", periods=10**9).success
    assert fresh.ask(DisturbObject, "sim/disturb", displacement=Vector3(x=0.05), hidden=True).success
    assert not fresh.ask(DisturbObject, "sim/disturb", impulse=Vector3(x=float("nan"))).success
    before_ns = fresh.now_ns
    assert fresh.ask(StepWorld, "sim/step", periods=1).success
    frame = fresh.frame(before_ns)
    assert frame["ground_truth/object_pose"].pose.position.x == pytest.approx(0.55, abs=3e-3)
    red = image(frame["camera_left/color/image_raw"]).astype(int)
    assert not (red[..., 0] > 2 * red[..., 1]).any()


def test_while_paused_a_trajectory_waits(fresh):
    now_ns = fresh.now_ns
    assert fresh.ask(SetBool, "sim/pause", data=True).success
    fresh.move(fresh.first["joint_states"].position[:7])
    fresh.status()
    assert fresh.now_ns == now_ns
    assert fresh.ask(SetBool, "sim/pause", data=False).success
    fresh.frame(now_ns)
