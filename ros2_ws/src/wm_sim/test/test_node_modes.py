"""The simulator's process in real time and as fast as it can, what is cut off in it, and a configuration that cannot work."""

import time

import numpy as np
import pytest
import sim_process
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from wm_msgs.msg import ArmWatch
from wm_msgs.srv import SimFault, StepWorld

from wm_core.qos import STATE
from wm_core.stamps import to_ns

simulator, image = sim_process.simulator, sim_process.image

pytestmark = pytest.mark.ros


def test_real_time_keeps_pace_and_follows(ros):
    with simulator("depth_encoding:=32FC1") as robot:
        robot.bring_up()
        robot.frame(0)
        first_ns = robot.now_ns
        assert abs(time.time_ns() - first_ns) < 1_000_000_000  # stamps are system time
        q = np.array(robot.messages["joint_states"][-1].position[:7])
        robot.move(q + [0.1, 0, 0, 0, 0, 0, 0], nanosec=500_000_000)
        robot.until(lambda: robot.now_ns > first_ns + 2_000_000_000)
        assert robot.messages["joint_states"][-1].position[0] == pytest.approx(q[0] + 0.1, abs=2e-3)
        stamps = [to_ns(m.header.stamp) for m in robot.messages["joint_states"]]
        assert stamps == sorted(set(stamps))
        images = sorted({to_ns(m.header.stamp) for m in robot.messages["camera_left/color/image_raw"]})
        assert np.median(np.diff(images)) == pytest.approx(100_000_000, abs=2)
        assert not robot.messages["clock"]
        depth = image(robot.messages["camera_left/aligned_depth_to_color/image_raw"][-1])
        assert 0.4 < np.median(depth) < 1.5  # metres
        refused = robot.ask(StepWorld, "sim/step", periods=1)
        assert not refused.success and "pause" in refused.message


def test_what_is_cut_off_is_not_heard_and_comes_back(ros):
    with simulator() as robot:
        watched: list[ArmWatch] = []
        robot.node.create_subscription(ArmWatch, "ground_truth/arm_watch", watched.append, STATE)
        robot.bring_up()
        robot.frame(0)
        for target in ("joints", "colour", "arm"):
            assert robot.ask(SimFault, "sim/fault", target=target, kind="cut", amount=0.0, duration=1.5).success
        robot.until(lambda: robot.arm.get_subscription_count() == 0)
        before_ns = robot.now_ns
        robot.until(lambda: robot.arm.get_subscription_count())
        robot.frame(before_ns + 1_000_000_000)
        for topic in ("joint_states", "camera_left/color/image_raw"):
            assert max(np.diff([to_ns(m.header.stamp) for m in robot.messages[topic]])) > 1_000_000_000
        assert (
            np.median(np.diff([to_ns(m.header.stamp) for m in watched])) < 20_000_000
        )  # the observer goes on, and often


def test_fast_runs_by_itself_and_tells_the_time(ros):
    with simulator("mode:=fast", "world:=tabletop_disk") as robot:
        robot.bring_up()
        robot.frame(0)
        start_ns = robot.now_ns
        robot.until(lambda: robot.now_ns - start_ns > 5_000_000_000)
        assert robot.messages["clock"]


def test_a_configuration_that_cannot_work_leaves_the_node_alive(ros):
    with simulator("world:=atlantis") as robot:
        assert not robot.transition(Transition.TRANSITION_CONFIGURE)
        for parameter, value in {"world": "tabletop_mug", "rig": "no_such_rig", "mode": "fast"}.items():
            wrong = Parameter(parameter, value=value).to_parameter_msg()
            assert robot.ask(SetParameters, "wm_sim/set_parameters", parameters=[wrong]).results[0].successful
        assert not robot.transition(Transition.TRANSITION_CONFIGURE)
        heard = robot.messages["diagnostics"]
        robot.until(lambda: heard and "no_such_rig" in heard[-1].status[0].message)
        right = Parameter("rig", value="one_camera").to_parameter_msg()
        assert robot.ask(SetParameters, "wm_sim/set_parameters", parameters=[right]).results[0].successful
        assert robot.transition(Transition.TRANSITION_CONFIGURE)
