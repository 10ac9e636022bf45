"""What a command that passed says of the fingers, to the gripper's controller."""

import math

from std_msgs.msg import Float64MultiArray
from wm_msgs.msg import Command

from wm_core.lifecycle import WmNode
from wm_core.qos import STATE
from wm_core.robot import RobotProfile
from wm_guard.verdicts import Kind, Verdict


class GripperOutput:
    """Positions of all finger joints, within their range, on the topic of the robot's profile; a hold leaves the fingers as they are:
    what they carry is not dropped. Nothing is sent for a robot without a gripper, nor where a command says nothing of an opening.
    """

    def __init__(self, node: WmNode, robot: RobotProfile) -> None:
        self._gripper = robot.gripper
        self._publisher = node.publisher(Float64MultiArray, robot.gripper.topic, STATE) if robot.gripper else None

    def send(self, verdict: Verdict, command: Command | None) -> None:
        """Before the arm's trajectory is sent."""
        if command is None or self._gripper is None or self._publisher is None:
            return
        opening = command.tool_end.opening
        if verdict.kind in (Kind.PASS, Kind.LIMITED) and command.status == Command.ACTIVE and math.isfinite(opening):
            positions = [self._gripper.joint_at(opening)] * len(self._gripper.joints)
            self._publisher.publish(Float64MultiArray(data=positions))
