"""Which joint state an observation was made with: of several that were on their way, the order of sending does not tell."""

from collections import deque

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from wm_msgs.msg import Observation

from wm_bags.replay_recording import Recorded
from wm_bags.replay_steps import Step
from wm_bringup.replay_facts import JOINTS, TOPIC_PARAMETERS, Facts
from wm_core.kinematics import Kinematics, KinematicsError
from wm_core.paths import urdf_path

MEMORY = 64  # joint states that an observation may have been made with


class UsedJoints:
    """Puts the inputs of perception in the order that the recorded observation shows, by the tool position in it."""

    def __init__(self, facts: Facts) -> None:
        parameters = facts.parameters["wm_perception"]
        self._topic = parameters.get(JOINTS, TOPIC_PARAMETERS[JOINTS])
        self._kinematics = Kinematics(parameters.get("urdf") or urdf_path())
        self._past: deque[Recorded] = deque(maxlen=MEMORY)  # what the node has had

    def order(self, step: Step) -> list[Recorded]:
        """The inputs of a step; joint states that are newer than the one that was used come last."""
        joints = [message for message in step.inputs if message.topic == self._topic]
        tool = deserialize_message(step.expected[0].data, Observation).ee
        place = (tool.x, tool.y, tool.z)
        used = next((each for each in reversed([*self._past, *joints]) if self._tool(each) == place), None)
        self._past += joints
        if used is None:  # the check will say so
            return step.inputs
        late = [message for message in joints if message.stamp_ns > used.stamp_ns]
        nearer = [each for each in late if abs(each.stamp_ns - step.stamp_ns) < abs(used.stamp_ns - step.stamp_ns)]
        if not nearer:  # it was chosen among all that had come
            return step.inputs
        return [message for message in step.inputs if message not in nearer] + nearer

    def _tool(self, message: Recorded) -> tuple[float, ...]:
        state = deserialize_message(message.data, JointState)
        try:
            position, _ = self._kinematics.fk(self._kinematics.arm_joints(state.name, state.position))
        except KinematicsError:
            return ()
        return tuple(map(float, position))
