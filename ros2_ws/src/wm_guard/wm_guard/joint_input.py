"""Joint states as they come to the guard's node: read at its own pace, from whom, and by which clock."""

from collections.abc import Callable

from sensor_msgs.msg import JointState

from wm_core.clock_offset import ClockOffset
from wm_core.joint_states import Others
from wm_core.lifecycle import WmNode
from wm_core.polled import Polled
from wm_core.robot import RobotProfile
from wm_core.stamps import NS_PER_S, to_ns

WARN_EVERY_S = 30.0
LATE_SHARE = 0.5  # of the age at which a joint state says no more where the arm is: even the quickest is later
MOST_BESIDE = 8  # publishers of other joints that are distinguished
CLOSEST_NS = 4_000_000  # after one that is believed, the next are left out: each costs time


class JointInput:
    """Gives the arm's joint states to a callback, those of other joints beside it to none. `read` and `discard` as Polled."""

    def __init__(
        self, node: WmNode, robot: RobotProfile, topic: str, callback: Callable[[JointState, int], bool]
    ) -> None:
        """`callback(message, stamp_ns)` says whether the joint state is believed."""
        self._node, self._others, self._callback = node, Others(robot), callback
        self._subscription = node.subscribe_offered(JointState, topic, self._on_message)
        self._polled = Polled(self._subscription)
        self._clock = ClockOffset("joint states", round(LATE_SHARE * node.value("joint_timeout") * NS_PER_S))
        self._sources = ""
        self._beside: set[tuple[str, ...]] = set()  # names in messages of other joints: each has a publisher of its own
        self._taken_ns = 0  # stamp of the last that was believed
        self.read, self.discard = self._polled.call_back, self._polled.discard

    @property
    def ahead_ns(self) -> int:
        """[ns] by which the clock of the joint states is ahead of this node's."""
        return self._clock.ahead_ns

    def problems(self) -> dict[str, str]:
        """What is wrong with where they come from, by name: `joint_state_publishers` when there are more than the arm's and those of
        other joints, `clock` when it is off. Warns of it, too.
        """
        found, publishers = {}, names_of_publishers(self._node, self._subscription.topic_name)
        names = ", ".join(publishers)
        if len(publishers) > 1 + len(self._beside):
            found["joint_state_publishers"] = f"joint states come from {names}"
            if names != self._sources:  # what they say cannot be distinguished
                self._node.get_logger().warning(
                    f"expected one publisher of {self._subscription.topic_name}, found {names};"
                    " states that do not follow from the last ones are not believed"
                )
        self._sources = names
        if problem := self._clock.problem():
            found["clock"] = problem
            self._node.get_logger().warning(problem, throttle_duration_sec=WARN_EVERY_S)
        return found

    def _on_message(self, message: JointState) -> None:
        if self._others.alone(message.name):
            if len(self._beside) < MOST_BESIDE:
                self._beside.add(tuple(message.name))
            return
        stamp_ns = to_ns(message.header.stamp)
        if 0 < stamp_ns - self._taken_ns < CLOSEST_NS:
            return
        if not self._node.simulated_time:
            self._clock.heard(stamp_ns, self._node.get_clock().now().nanoseconds)
        if self._callback(message, stamp_ns):
            self._taken_ns = stamp_ns


def names_of_publishers(node: WmNode, topic: str) -> list[str]:
    """Who publishes on a topic, by name."""
    found = node.get_publishers_info_by_topic(topic)
    return sorted(f"{each.node_namespace.rstrip('/')}/{each.node_name}" for each in found)
