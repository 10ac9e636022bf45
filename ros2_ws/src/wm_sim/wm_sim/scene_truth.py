"""The truth about a scene, that only a simulator knows: where all objects are, and what the task of the episode asks for."""

from builtin_interfaces.msg import Time
from std_msgs.msg import Header
from wm_msgs.msg import Goal, ObjectStates

from wm_core.conversions import object_messages
from wm_core.goal_messages import scene_goal_message
from wm_core.lifecycle import WmNode
from wm_core.qos import LATCHED, STATE
from wm_sim.scene_arm import SceneArm


class SceneTruth:
    """On `ground_truth/objects` at each frame, and on `ground_truth/goal` at the beginning of each episode of a task."""

    def __init__(self, node: WmNode, sim: SceneArm, frame: str) -> None:
        self._sim, self._frame = sim, frame
        self._objects = node.publisher(ObjectStates, "ground_truth/objects", STATE)
        self._goals = node.publisher(Goal, "ground_truth/goal", LATCHED)

    def begin(self) -> None:
        """An episode begins."""
        if self._sim.goal is not None:
            self._goals.publish(scene_goal_message(self._sim.goal, self._frame))

    def publish(self, stamp: Time) -> None:
        """All objects as they are now."""
        objects = object_messages(self._sim.scene, self._sim.visibility)
        self._objects.publish(ObjectStates(header=Header(stamp=stamp, frame_id=self._frame), objects=objects))
