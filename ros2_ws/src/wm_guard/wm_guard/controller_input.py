"""What the arm's controller says of itself, on the topic controller_state beside the one that takes trajectories."""

from control_msgs.msg import JointTrajectoryControllerState

from wm_core.lifecycle import WmNode
from wm_core.polled import Polled
from wm_core.robot import controller_states
from wm_guard.controller_watch import ControllerWatch


class ControllerInput:
    """Tells a ControllerWatch. `read` and `discard` as Polled: a controller speaks at each of its cycles, and what it says is not looked
    at.
    """

    def __init__(self, node: WmNode, trajectory_topic: str, watch: ControllerWatch) -> None:
        topic = controller_states(trajectory_topic)
        offered = node.subscribe_offered(JointTrajectoryControllerState, topic, lambda _: watch.heard())
        self._polled = Polled(offered, raw=True)
        self.read, self.discard = self._polled.call_back, self._polled.discard
