"""wm_lifecycle_manager: brings the nodes up in order, restarts those that die or hang, and takes all down in reverse.

Jazzy's launch_ros cannot start lifecycle nodes by itself, and a failure must say which node and why. The launcher starts a process
that has ended again; this node decides what becomes of it (supervision/core.py), and adopts what runs when it is restarted itself.
"""

import os
import signal
import time
import traceback

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger
from wm_msgs.msg import Heartbeat

from wm_bringup.supervision.core import Change, Fault, Policy, Step, Supervision
from wm_bringup.supervision.ends import GAVE_UP
from wm_bringup.supervision.processes import condition, far, find, kill, process
from wm_bringup.supervision.shared_memory import clean
from wm_bringup.supervision.steps import SIMULATOR, Steps
from wm_bringup.supervision.strangers import Strangers
from wm_core.given_parameters import check_types, refuse_unknown
from wm_core.heartbeat import QOS, TOPIC, beat, host
from wm_core.launched import CANNOT_RUN, die_with_launcher
from wm_core.node_process import ignore_stop_signals
from wm_core.params import Param
from wm_core.qos import LATCHED, STATE
from wm_core.stamps import to_ns
from wm_core.steady import steady_clock

LOOK_S = 0.1  # between two looks at the processes
RECORDER_S = 30.0  # until it is connected
RECORDER_PAUSE_S = 0.1  # between two questions to the recorder
STRANGERS_S = 30.0  # between two words about them
PARAMETERS = (
    Param("recorded", False, "Wait for wm_recorder before the first node becomes active"),
    Param("simulated_time", False, "The simulator makes the time: a new one continues it"),
    Param(
        "heartbeat_timeout",
        Policy.silence,
        "[s] Silence after which a stopped node hangs; four times as long for others",
        0.5,
        60.0,
    ),
    Param("max_restarts", Policy.max_restarts, "Of one node within restart_window; then all ends", 0, 1000),
    Param("restart_window", Policy.window, "[s]", 1.0, 1e6),
    Param("restart_delay", Policy.first_delay, "[s] Before a node is brought up again; doubles each time", 0.0, 60.0),
)


class LifecycleManager(Node):
    """Publishes `wm/bringup` (std_msgs/String, latched): starting, active, recovering: NODES, failed: WHY, stopped.

    `nodes`: those with a life cycle, in the order in which they become active. `watched`: others, that are only restarted.
    """

    def __init__(self) -> None:
        super().__init__("wm_lifecycle_manager")
        check_types(self, {param.name: param.default for param in PARAMETERS})
        for param in PARAMETERS:
            param.check(self.declare_parameter(param.name, param.default, param.descriptor()).value)
        value = {param.name: self.get_parameter(param.name).value for param in PARAMETERS}
        self._recorded, self._simulated = value["recorded"], value["simulated_time"]
        self._names, watched = self._strings("nodes"), self._strings("watched")
        refuse_unknown(self, {})
        policy = Policy(
            silence=value["heartbeat_timeout"],
            long_silence=4 * value["heartbeat_timeout"],
            max_restarts=value["max_restarts"],
            window=value["restart_window"],
            first_delay=value["restart_delay"],
        )
        self.stopping = self._ending = False
        self._said = ""
        self._looked = 0.0
        self._status = self.create_publisher(String, "wm/bringup", LATCHED)
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", STATE)
        self._recorder = self.create_client(Trigger, "wm/recorder_connected")
        self._steps = Steps(self, self._names, self._spin)
        self._supervision = Supervision(self._names, watched, policy, time.monotonic())
        self._strangers = Strangers([*self._names, *watched], time.monotonic())
        self.create_subscription(Heartbeat, TOPIC, self._on_heartbeat, QOS)
        self.create_timer(1.0, self._diagnose, clock=steady_clock())
        beat(self)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def run(self) -> int:
        """Until the end is asked for, or there is no use in going on; returns the exit status."""
        while not self.stopping:
            self._spin(0.1)
            self._look_for_others()
            now = time.monotonic()
            quiet = self._supervision.failed or self._strangers.waiting(now)
            change = None if quiet else self._supervision.due(now)
            if change is not None:
                self._carry_out(change)
            if self._supervision.failed:
                self._say(self._supervision.status)
                time.sleep(0.3)  # until the latched status is out
                return GAVE_UP
        return 0

    def take_down(self) -> None:
        """Deactivate and clean up in reverse order; nodes that are gone already are skipped."""
        self._ending = True
        # Services have the names of nodes: those of another launch would be taken down, too. The own ones end by themselves.
        second = self._strangers.problem(time.monotonic()) and not self._supervision.been_up
        for name in reversed([] if second else self._names):
            if self._supervision.process(name) is not None and not self._supervision.shared(name, time.monotonic()):
                self._steps.down(name)
        self._announce("stopped")

    # -- inside --------------------------------------------------------------------------------------------------

    def _strings(self, name: str) -> list[str]:
        return [each for each in self.declare_parameter(name, Parameter.Type.STRING_ARRAY).value or () if each]

    def _on_heartbeat(self, message: Heartbeat) -> None:
        now, name, here = time.monotonic(), message.node, message.host == host()
        found = process(message.pid) if here else far(message.pid, message.host)
        if found is None:  # it died meanwhile
            return
        if self._strangers.heard(name, found, now):
            self._supervision.beside(name, found, now)
            return
        other = self._supervision.heard(name, found, here, message.state, now, condition)
        if other is not None:
            self._strangers.met(name, other, now)
        if self._simulated and name in self._names and name != SIMULATOR and found == self._supervision.process(name):
            self._steps.simulated_s = max(self._steps.simulated_s, to_ns(message.header.stamp) / 1e9)

    def _spin(self, seconds: float) -> None:
        """Serve this node, and look after the others."""
        self._executor.spin_once(timeout_sec=seconds)
        now = time.monotonic()
        if self._ending or now - self._looked < LOOK_S:
            return
        self._looked = now
        for fault in self._supervision.watch(now, condition, find):
            self._heed(fault)
        if not self._supervision.failed:
            self._say(self._supervision.status)

    def _look_for_others(self) -> None:
        """Who comes second ends; who was here first goes on."""
        now = time.monotonic()
        problem = self._strangers.problem(now)
        if not problem or self._strangers.waiting(now):
            return
        if self._supervision.been_up:
            self.get_logger().error(problem, throttle_duration_sec=STRANGERS_S)
        else:
            self._supervision.failed = self._supervision.failed or problem

    def _heed(self, fault: Fault) -> None:
        self.get_logger().error(f"{fault.name} {fault.what}")
        if fault.kill is not None:
            kill(fault.kill)

    def _carry_out(self, change: Change) -> None:
        def going() -> bool:
            return not self.stopping and self._supervision.going(change)

        if self._recorded and change.step is Step.ACTIVATE:
            self._wait_for_recorder()
            self._recorded = False
        problem, hangs = self._steps.take(change.name, change.step, going)
        if self.stopping:
            return
        for fault in self._supervision.ended(change, problem, time.monotonic(), hangs):
            self._heed(fault)

    def _wait_for_recorder(self) -> None:
        """Until it is connected to all that the configured nodes will say: a run that is to be replayed is recorded from its
        first frame."""
        deadline, missing = time.monotonic() + RECORDER_S, "everything"
        while time.monotonic() < deadline and not self.stopping:
            answer = self._steps.call(self._recorder, Trigger.Request(), 1.0, lambda: not self.stopping)
            if answer is not None and answer.success:
                return
            missing = missing if answer is None else answer.message
            self._spin(RECORDER_PAUSE_S)
        if not self.stopping:
            self.get_logger().warning(f"the recording begins without {missing}: the recorder is not connected to it")

    def _say(self, status: str) -> None:
        if status and status != self._said:
            self._announce(status)
            if status == "active":
                clean()
        self._said = status or self._said

    def _announce(self, status: str) -> None:
        self._status.publish(String(data=status))
        self.get_logger().info(status)

    def _diagnose(self) -> None:
        supervision = self._supervision
        values = {f"restarts_{name}": str(count) for name, count in supervision.restarts.items() if count}
        if supervision.deactivated:
            values["deactivated_by_others"] = ", ".join(supervision.deactivated)
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if supervision.status == "active" else DiagnosticStatus.WARN,
            name=self.get_fully_qualified_name().lstrip("/"),
            message=supervision.status or "waiting for the nodes",
            hardware_id="wm",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))


def main() -> int:
    die_with_launcher()
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    try:
        manager = LifecycleManager()
    except ValueError as error:
        print(f"wm_lifecycle_manager: {error}", flush=True)
        return CANNOT_RUN

    def stop(number: int, frame: object) -> None:
        manager.stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        status = manager.run()
        manager.take_down()
    except Exception:  # an error of its own is no reason to end what it watches over: the launcher starts it again
        traceback.print_exc()
        status = os.EX_SOFTWARE
    ignore_stop_signals()
    manager.destroy_node()
    rclpy.try_shutdown()
    return status


if __name__ == "__main__":
    raise SystemExit(main())
