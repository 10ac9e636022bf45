"""What wm_bundle_manager says: which bundle is in use and why, in the log, in the diagnostics and on a latched topic."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from std_msgs.msg import Header
from wm_msgs.msg import ActiveBundle

from wm_bringup.swap import Used
from wm_core.heartbeat import beat
from wm_core.qos import LATCHED, STATE
from wm_core.stamps import to_msg


class BundleNews:
    """Publishes on `wm/active_bundle`, `diagnostics` and `wm/heartbeat` for a node."""

    def __init__(self, node: Node) -> None:
        self.problem = ""  # the newest that has not been overcome
        self._said = "started"
        self._node = node
        self._announcements = node.create_publisher(ActiveBundle, "wm/active_bundle", LATCHED)
        self._diagnostics = node.create_publisher(DiagnosticArray, "diagnostics", STATE)
        beat(node)

    def in_use(self, bundle: Used, reason: str, previous: str, stamp_ns: int | None = None) -> None:
        """The nodes use `bundle` after the one of id `previous`, since the measurement of `stamp_ns` (default: now)."""
        stamp = self._node.get_clock().now().nanoseconds if stamp_ns is None else stamp_ns
        self._announcements.publish(
            ActiveBundle(
                header=Header(stamp=to_msg(stamp)),
                model_id=bundle.id,
                folder=bundle.folder,
                previous_id=previous,
                reason=reason,
            )
        )

    def say(self, text: str) -> None:
        self._said = text
        self._node.get_logger().info(text)

    def complain(self, text: str) -> None:
        """Warn, unless that was the last complaint."""
        if text != self.problem:
            self._node.get_logger().warning(text)
        self.problem = text

    def report(self, bundle: Used, **values: str) -> None:
        """The diagnostics while `bundle` is in use."""
        values = {"model_id": bundle.id, **values, "newest": self._said}
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if self.problem else DiagnosticStatus.OK,
            name=self._node.get_fully_qualified_name().lstrip("/"),
            message=self.problem or f"runs {bundle.id}",
            hardware_id="wm",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))
