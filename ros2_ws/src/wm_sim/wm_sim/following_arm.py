"""An arm that goes where joint states say: those of a controller manager with mocked hardware, whose arm no camera could see."""

import numpy as np
from sensor_msgs.msg import JointState

from wm_core.kinematics import KinematicsError
from wm_core.lifecycle import WmNode
from wm_core.polled import Polled
from wm_sim.driver import Driver


class FollowingArm:
    """In place of ArmInterface: takes no trajectories, none are counted. Before the first joint states the arm stands at its home."""

    accepted = rejected = rejected_before = ignored = 0
    last_rejection = ""

    def __init__(self, node: WmNode, driver: Driver, topic: str) -> None:
        """`topic`: of joint states; those that lack joints of the arm, as a gripper's own, are left out."""
        self._node, self._driver = node, driver
        self._newest: np.ndarray | None = None
        self._polled = Polled(node.subscribe_offered(JointState, topic, self._on_joint_states))

    def look(self) -> None:
        """Before each physics step: where the arm is by now. Joint states come more often than that."""
        self._polled.call_back()

    def place(self) -> None:
        """After a reset: a robot that is not simulated stays where it is."""
        if self._newest is not None:
            self._driver.place(self._newest)

    def _on_joint_states(self, message: JointState) -> None:
        kinematics, first = self._driver.sim.kinematics, self._newest is None
        if not set(kinematics.joint_names) <= set(message.name):
            return
        try:
            self._newest = kinematics.arm_joints(message.name, message.position)
        except KinematicsError as error:
            self._node.get_logger().warning(f"joint states left out: {error}", once=True)
            return
        if first:
            self.place()
        else:
            self._driver.controller.reset(self._newest)
