"""Whether the container does its work: exit status 0 and one line, or 1 and what is wrong.

wm is healthy while its supervisor says `active` on `wm/bringup`, the stand-in (--joints) while joint states come.
"""

import argparse
import os
import sys

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from wm_core.qos import LATCHED, SENSOR

WAIT_S = 8.0  # to be found, and to hear; less than the health check's time limit


def heard(node: Node, kind: type, topic: str, qos: QoSProfile) -> str | JointState | None:
    """The first message of a topic within WAIT_S, None where none came."""
    messages: list = []
    node.create_subscription(kind, topic, messages.append, qos)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    end = node.get_clock().now().nanoseconds + WAIT_S * 1e9
    while not messages and node.get_clock().now().nanoseconds < end:
        executor.spin_once(timeout_sec=0.2)
    return messages[0] if messages else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    launched = os.environ.get("WM_NAMESPACE", "")
    parser.add_argument("--namespace", default=launched, help="of the launch, if it has one (default: $WM_NAMESPACE)")
    parser.add_argument("--joints", action="store_true", help="joint states are enough: a robot without wm")
    options = parser.parse_args()
    rclpy.init(args=[])
    node = Node("healthy", namespace=options.namespace.strip("/"))
    if options.joints:
        healthy = heard(node, JointState, "joint_states", SENSOR) is not None
        said = "joint states come" if healthy else f"no joint states in {WAIT_S:g} s"
    else:
        status = heard(node, String, "wm/bringup", LATCHED)
        healthy = status is not None and status.data == "active"
        said = f"wm/bringup: {status.data}" if status is not None else f"wm/bringup: silent for {WAIT_S:g} s"
    print(said)
    rclpy.shutdown()
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
