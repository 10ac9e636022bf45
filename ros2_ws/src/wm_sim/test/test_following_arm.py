"""The simulated arm in place of a mocked one, before the cameras: it goes where joint states say, and says nothing of itself."""

import time

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from wm_core.params import ConfigError
from wm_core.qos import STATE
from wm_sim.node import SimNode

pytestmark = pytest.mark.ros
MOCK = "mock/joint_states"


def parameters(**values):
    return [
        Parameter(name, value=value)
        for name, value in {"follow": MOCK, "autostart": True, "rig": "one_camera", **values}.items()
    ]


@pytest.fixture
def ros():
    rclpy.init(args=[])
    yield
    rclpy.try_shutdown()


def test_the_arm_is_where_the_joint_states_say_also_after_a_reset(ros):
    node, driver, executor = (
        SimNode(parameter_overrides=parameters()),
        rclpy.create_node("mock"),
        SingleThreadedExecutor(),
    )
    for each in (node, driver):
        executor.add_node(each)
    says, heard = driver.create_publisher(JointState, MOCK, STATE), []
    driver.create_subscription(JointState, "joint_states", heard.append, STATE)
    sim = node._sim
    names, q = sim.kinematics.joint_names, sim.home + 0.3

    def until_there(q):
        end = time.monotonic() + 60
        while np.abs(sim.arm_motion()[0] - q).max() > 0.02:
            assert time.monotonic() < end, f"the arm is at {sim.arm_motion()[0]}, expected {q}"
            says.publish(JointState(name=["gripper_finger_joint"], position=[0.5]))
            says.publish(JointState(name=[*reversed(names)], position=[*map(float, reversed(q))]))
            says.publish(JointState(name=[*names], position=[float("nan")] * len(names)))
            for _ in range(20):
                executor.spin_once(timeout_sec=0.002)

    try:
        until_there(q)  # at once, from the first joint states on
        until_there(q - 0.2)  # as its servos go
        node._reset(7)
        assert np.abs(sim.arm_motion()[0] - (q - 0.2)).max() < 1e-6
        assert not heard and not driver.count_subscribers("arm_controller/joint_trajectory")
    finally:
        executor.shutdown()
        for each in (node, driver):
            each.destroy_node()


def test_time_that_does_not_go_on_by_itself_is_refused(ros):
    with pytest.raises(ConfigError, match="work"):
        SimNode(parameter_overrides=parameters(mode="lockstep"))
