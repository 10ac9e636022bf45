"""What takes commands for the fingers: positions of their joints, as a controller of ros2_control does that forwards them."""

from collections.abc import Sequence

import numpy as np
from std_msgs.msg import Float64MultiArray

from wm_core.lifecycle import WmNode
from wm_core.qos import STATE
from wm_core.robot import RobotProfile
from wm_sim.scene_arm import SceneArm


class GripperInterface:
    """Of a robot with a gripper; of another it does nothing. What is no finite position for each finger is refused and counted."""

    def __init__(self, node: WmNode, sim: SceneArm, robot: RobotProfile) -> None:
        self._node, self._sim, self._gripper = node, sim, robot.gripper
        if robot.gripper is not None:
            node.subscribe(
                Float64MultiArray, robot.gripper.topic, lambda message: self._on_positions(message.data), STATE
            )

    def _on_positions(self, positions: Sequence[float]) -> None:
        assert self._gripper is not None
        fingers = len(self._gripper.joints)
        if len(positions) != fingers or not np.isfinite(positions).all():
            got = [round(float(position), 4) for position in positions]
            self._node.reject(
                "bad_gripper_command", f"{self._gripper.topic}: expected {fingers} finite positions, got {got}"
            )
            return
        self._sim.open_to(self._gripper.opening_at(float(np.mean(positions))))
