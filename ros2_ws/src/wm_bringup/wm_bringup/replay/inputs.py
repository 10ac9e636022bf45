"""What an observation was made from: of images and joint states that were on their way together, the order of sending does not
tell. The recorded observation does, by its cameras and by the tool position in it."""

from collections import deque

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image, JointState
from wm_msgs.msg import Observation

from wm_bags.replay.node_steps import Step
from wm_bags.replay.recorded import Recorded
from wm_bringup.replay.facts import JOINTS, TOPIC_PARAMETERS, Facts, robot_named
from wm_core.kinematics import Kinematics, KinematicsError

MEMORY = 64  # joint states that an observation may have been made with
TOLERANCE_S, TIMEOUT_S = 0.02, 0.06  # of wm_perception's pairing, where the recording does not say


class UsedInputs:
    """Puts the inputs of perception in the order that the recorded observations show."""

    def __init__(self, facts: Facts) -> None:
        parameters = facts.parameters["wm_perception"]
        self._kinds = facts.kinds
        robot = robot_named(parameters)
        self._joints = parameters.get(JOINTS) or robot.joint_topic
        self._patterns = [parameters.get(name, TOPIC_PARAMETERS[name]) for name in ("colour_topic", "depth_topic")]
        self._tolerance_ns = round(1e9 * parameters.get("sync_tolerance", TOLERANCE_S))
        self._timeout_ns = round(1e9 * parameters.get("sync_timeout", TIMEOUT_S))
        self._kinematics = Kinematics(robot)
        self._past: deque[Recorded] = deque(maxlen=MEMORY)  # joint states that the node has had
        self._given: list[Recorded] = []  # the image that it was given before its step
        self._later: list[Recorded] = []  # what came while it was busy
        self._listening = False  # until its first observation it may not have heard what the recorder did

    def order(self, step: Step) -> bool:
        """Sort the inputs of a step with an observation; False when the recording does not hold all of its images."""
        observation = deserialize_message(step.expected[0].data, Observation)
        used = {pattern.format(camera=camera) for pattern in self._patterns for camera in observation.cameras}
        inputs, place = [*self._later, *step.inputs], observation.tool.position
        late = self._late_joints(inputs, step, (place.x, place.y, place.z))
        first, unused, later = [], [], []
        for message in inputs:
            image = self._kinds[message.topic] is Image
            if image and not self._listening and message.stamp_ns < step.stamp_ns - self._tolerance_ns:
                continue
            if message in late or (image and message.stamp_ns > step.stamp_ns + self._tolerance_ns):
                later.append(message)
            elif image and message.topic not in used and self._of(message, step):
                unused.append(message)
            else:
                first.append(message)
        self._listening = True
        found = {message.topic for message in [*self._given, *first] if self._of(message, step)}
        self._past += (message for message in first if message.topic == self._joints)
        self._given = self._overdue(later, step, used)
        first += self._given
        self._later = [message for message in later if message not in first]
        step.inputs = [*first, *unused]
        return used <= found

    def _of(self, message: Recorded, step: Step) -> bool:
        """Whether a message belongs to the instant of a step."""
        return abs(message.stamp_ns - step.stamp_ns) <= self._tolerance_ns

    def _overdue(self, later: list[Recorded], step: Step, used: set[str]) -> list[Recorded]:
        """The image at which the node stopped waiting for a camera, if it did."""
        images = {topic for topic, kind in self._kinds.items() if kind is Image}
        if used >= images:
            return []
        overdue_ns = step.stamp_ns + self._timeout_ns
        return [each for each in later if self._kinds[each.topic] is Image and each.stamp_ns > overdue_ns][:1]

    def _late_joints(self, inputs: list[Recorded], step: Step, place: tuple[float, ...]) -> list[Recorded]:
        """Joint states that were not there yet: the node would have used them, or had no need of them."""
        joints = [message for message in inputs if message.topic == self._joints]
        alike = [each for each in (*self._past, *joints) if self._tool(each) == place]
        if not alike:  # the check will say so
            return []
        used = min(alike, key=lambda each: abs(each.stamp_ns - step.stamp_ns))  # an arm at rest is the same for long
        apart, newest = abs(used.stamp_ns - step.stamp_ns), max(used.stamp_ns, step.stamp_ns)
        return [
            each
            for each in joints
            if each is not used and (abs(each.stamp_ns - step.stamp_ns) < apart or each.stamp_ns > newest)
        ]

    def _tool(self, message: Recorded) -> tuple[float, ...]:
        state = deserialize_message(message.data, JointState)
        try:
            position, _ = self._kinematics.fk(self._kinematics.arm_joints(state.name, state.position))
        except KinematicsError:
            return ()
        return tuple(map(float, position))
