"""Watches over the supervisor, from another node: one that hangs is killed, the launcher starts another, and that adopts what runs."""

import time

from rclpy.node import Node
from wm_msgs.msg import Heartbeat

from wm_bringup.supervision.core import Policy, Supervision
from wm_bringup.supervision.processes import condition, kill, of_another_launch, process
from wm_core.heartbeat import QOS, TOPIC, host
from wm_core.steady import steady_clock

SUPERVISOR = "wm_lifecycle_manager"
PERIOD_S = 0.2
# Slower than its own: nothing moves wrongly while there is no supervisor.
POLICY = Policy(silence=2.0, long_silence=15.0, max_restarts=1000)


def watch_supervisor(node: Node) -> None:
    """From now on, for as long as `node` is served."""
    supervision = Supervision((), (SUPERVISOR,), POLICY, time.monotonic())

    def heard(message: Heartbeat) -> None:
        if message.node != SUPERVISOR or message.host != host():
            return
        found = process(message.pid)
        if found is not None and not of_another_launch(found):
            supervision.heard(SUPERVISOR, found, True, message.state, time.monotonic(), condition)

    def watch() -> None:
        for fault in supervision.watch(time.monotonic(), condition):
            if fault.kill is not None:
                node.get_logger().error(f"{fault.name} {fault.what.partition(';')[0]}")
                kill(fault.kill)

    node.create_subscription(Heartbeat, TOPIC, heard, QOS)
    node.create_timer(PERIOD_S, watch, clock=steady_clock())
