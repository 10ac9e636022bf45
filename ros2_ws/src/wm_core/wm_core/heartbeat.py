"""Signs of life on `wm/heartbeat`, by which the supervisor knows who has died and who hangs."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from lifecycle_msgs.msg import State
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header
from wm_msgs.msg import Heartbeat

from wm_core.steady import steady_clock

PERIOD_S = 0.2
TOPIC = "wm/heartbeat"
# All nodes of a stack publish on the one topic; a lost beat does not matter, the next one comes soon.
QOS = QoSProfile(depth=50, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)


@cache
def host() -> str:
    """Where this process's id means something: a machine since its start, which has an id, and a namespace of processes (containers
    have their own). Not the machine's name, which may change meanwhile.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"


def beat(node: Node, state: Callable[[], int] = lambda: State.PRIMARY_STATE_ACTIVE) -> None:
    """Let a node's executor publish signs of life for as long as the node exists. `state`: of its life cycle."""
    publisher = node.create_publisher(Heartbeat, TOPIC, QOS)

    def publish() -> None:
        header = Header(stamp=node.get_clock().now().to_msg())
        publisher.publish(Heartbeat(header=header, node=node.get_name(), host=host(), pid=os.getpid(), state=state()))

    node.create_timer(PERIOD_S, publish, clock=steady_clock())  # wall clock: also while simulated time stands still
