"""The arm's controller as the guard's node sees it: who takes trajectories, and what it says on controller_state beside that topic."""

from typing import Any

from control_msgs.msg import JointTrajectoryControllerState

from wm_core.lifecycle import WmNode
from wm_core.polled import Polled
from wm_core.robot import controller_states
from wm_guard.controller_watch import ControllerWatch

BESIDE = ("wm_recorder",)  # nodes that hear trajectories, and move no arm
LOOK_S = 0.5  # between two looks at who they are


class ControllerInput:
    """Tells a ControllerWatch. `read` and `discard` as Polled: a controller speaks at each of its cycles, and what it says is not looked
    at.
    """

    def __init__(self, node: WmNode, trajectories: Any, watch: ControllerWatch) -> None:
        """`trajectories`: the publisher of them."""
        self._node, self._trajectories, self._watch = node, trajectories, watch
        self._beside = 0
        topic = controller_states(trajectories.topic_name)
        offered = node.subscribe_offered(JointTrajectoryControllerState, topic, lambda _: watch.heard())
        self._polled = Polled(offered, raw=True)
        self.discard = self._polled.discard
        node.every(LOOK_S, self._look, wall=True)

    def read(self) -> None:
        self._watch.listens(self._trajectories.get_subscription_count() > self._beside)
        self._polled.call_back()

    def _look(self) -> None:
        found = self._node.get_subscriptions_info_by_topic(self._trajectories.topic_name)
        self._beside = sum(each.node_name in BESIDE for each in found)
