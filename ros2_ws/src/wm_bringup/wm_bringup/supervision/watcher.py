"""Watches over the supervisor, from another node: one that hangs is killed, the launcher starts another, and that adopts what runs."""

import time

from lifecycle_msgs.msg import State
from rclpy.node import Node
from wm_msgs.msg import Heartbeat

from wm_bringup.supervision.core import Policy, Supervision
from wm_bringup.supervision.processes import Condition, Process, condition, find, kill, of_another_launch, process
from wm_core.heartbeat import QOS, TOPIC, host
from wm_core.steady import steady_clock

SUPERVISOR = "wm_lifecycle_manager"
PERIOD_S = 0.2
UNHEARD_S = (
    1.0  # after which it is looked for: one that is stopped before its first heartbeat arrives here says nothing
)
# Slower than its own: nothing moves wrongly while there is no supervisor.
POLICY = Policy(silence=2.0, long_silence=15.0, max_restarts=1000)


def watch_supervisor(node: Node) -> None:
    """From now on, for as long as `node` is served."""
    supervision = Supervision((), (SUPERVISOR,), POLICY, time.monotonic())
    heard_at = time.monotonic()
    stopped: Process | None = None

    def heard(message: Heartbeat) -> None:
        nonlocal heard_at
        if message.node != SUPERVISOR or message.host != host():
            return
        heard_at, found = time.monotonic(), process(message.pid)
        if found is not None and not of_another_launch(found):
            supervision.heard(SUPERVISOR, found, True, message.state, time.monotonic(), condition)

    def look_for(now: float) -> None:
        nonlocal stopped
        found = find(SUPERVISOR)
        if found is not None and found != stopped and condition(found) is Condition.STOPPED:
            stopped = found
            supervision.heard(SUPERVISOR, found, True, State.PRIMARY_STATE_UNKNOWN, now, condition)

    def watch() -> None:
        now = time.monotonic()
        if now - heard_at > UNHEARD_S:
            look_for(now)
        for fault in supervision.watch(now, condition):
            if fault.kill is not None:
                node.get_logger().error(f"{fault.name} {fault.what.partition(';')[0]}")
                kill(fault.kill)

    node.create_subscription(Heartbeat, TOPIC, heard, QOS)
    node.create_timer(PERIOD_S, watch, clock=steady_clock())
