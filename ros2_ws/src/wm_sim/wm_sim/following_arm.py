"""An arm that goes where joint states say: those of a controller manager with mocked hardware, whose arm no camera could see."""

import numpy as np
from sensor_msgs.msg import JointState

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
        self._names = driver.sim.kinematics.joint_names
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
        at = dict(zip(message.name, message.position, strict=False))
        if not at.keys() >= set(self._names):
            return
        q, first = np.array([at[name] for name in self._names]), self._newest is None
        if not np.isfinite(q).all():
            self._node.get_logger().warning(f"joint states left out: expected finite positions, got {q}", once=True)
            return
        self._newest = q
        if first:
            self.place()
        else:
            self._driver.controller.reset(q)
