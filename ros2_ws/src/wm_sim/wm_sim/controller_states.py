"""What a trajectory controller says of itself while it is active, as ros2_control's does on ~/controller_state."""

import numpy as np
from control_msgs.msg import JointTrajectoryControllerState
from trajectory_msgs.msg import JointTrajectoryPoint

from wm_core.lifecycle import WmNode
from wm_core.qos import STATE
from wm_core.robot import controller_states
from wm_core.stamps import to_msg
from wm_sim.driver import Driver


class ControllerStates:
    """Of a Driver's controller, at most at a rate."""

    def __init__(self, node: WmNode, driver: Driver, trajectory_topic: str, rate: float) -> None:
        """`rate` [Hz]; 0: it says nothing."""
        self._driver, self._period_ns = driver, round(1e9 / rate) if rate else 0
        self._said_ns = 0
        if rate:
            self._publisher = node.publisher(JointTrajectoryControllerState, controller_states(trajectory_topic), STATE)

    def publish(self, now_ns: int) -> None:
        """An active controller's, if it is due."""
        if not self._period_ns or 0 <= now_ns - self._said_ns < self._period_ns:
            return
        self._said_ns = now_ns
        arm = self._driver.sim.kinematics.joint_names
        wanted, speed = self._driver.controller.sample(now_ns), self._driver.controller.speed(now_ns)
        here, velocity, _ = self._driver.sim.arm_motion()
        message = JointTrajectoryControllerState(joint_names=arm, speed_scaling_factor=1.0)
        message.header.stamp = to_msg(now_ns)
        message.reference = message.output = _point(wanted, speed)
        message.feedback, message.error = _point(here, velocity), _point(wanted - here, speed - velocity)
        self._publisher.publish(message)


def _point(positions: np.ndarray, velocities: np.ndarray) -> JointTrajectoryPoint:
    return JointTrajectoryPoint(positions=positions.tolist(), velocities=velocities.tolist())
