"""wm_lifecycle_manager: configures and activates the nodes in order, takes them down in reverse.

Jazzy's launch_ros cannot start lifecycle nodes by itself, and a failure must say which node and why.
"""

import signal
import time
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from wm_core.given_parameters import refuse_unknown
from wm_core.node_process import ignore_stop_signals
from wm_core.qos import LATCHED, STATE
from wm_core.services import await_answers

APPEAR_S = 30.0  # until a node's services are there
TRANSITION_S = 60.0  # until a transition has answered: configuring loads models
RECORDER_PAUSE_S = 0.1  # between two questions to the recorder
REASON_S = 2.5  # until a node that failed has said why on `diagnostics`, which it does once a second


class BringupError(RuntimeError):
    """A node that did not come up: names the node, the transition and the reason."""


class StopRequestedError(Exception):
    """The end was asked for before everything was up."""


class LifecycleManager(Node):
    """Publishes `wm/bringup` (std_msgs/String, latched): starting, active, failed: ..., stopped."""

    def __init__(self) -> None:
        super().__init__("wm_lifecycle_manager")
        self.declare_parameter("nodes", [""])
        self._recorded = self.declare_parameter("recorded", False).value
        refuse_unknown(self, {})
        self.names = [name for name in self.get_parameter("nodes").value if name]
        self.stopping = False
        self._status = self.create_publisher(String, "wm/bringup", LATCHED)
        self._remote = {
            name: (
                self.create_client(ChangeState, f"{name}/change_state"),
                self.create_client(GetState, f"{name}/get_state"),
            )
            for name in self.names
        }
        self._recorder = self.create_client(Trigger, "wm/recorder_connected")
        self._up: list[str] = []
        self._problems: dict[str, str] = {}
        self.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, STATE)

    def announce(self, status: str) -> None:
        self._status.publish(String(data=status))
        self.get_logger().info(status)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.ERROR:
                self._problems[status.name.rpartition("/")[2]] = status.message

    def bring_up(self) -> None:
        """Configure all, then activate all, in order; raises BringupError, or StopRequestedError."""
        self.announce("starting")
        for name in self.names:
            self._wait_for(name)
        for transition, label in (
            (Transition.TRANSITION_CONFIGURE, "configure"),
            (Transition.TRANSITION_ACTIVATE, "activate"),
        ):
            if self._recorded and label == "activate":
                self._wait_for_recorder()
            for name in self.names:
                self._change(name, transition, label)
                if label == "configure":
                    self._up.append(name)
        self.announce("active")

    def take_down(self) -> None:
        """Deactivate and clean up in reverse order; nodes that are gone already are skipped."""
        self.stopping = False
        for transition, wanted in (
            (Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_ACTIVE),
            (Transition.TRANSITION_CLEANUP, State.PRIMARY_STATE_INACTIVE),
        ):
            for name in reversed(self._up):
                if self._state(name) == wanted:
                    self._call(self._remote[name][0], ChangeState.Request(transition=Transition(id=transition)), 2.0)
        self._up.clear()
        self.announce("stopped")

    def _wait_for(self, name: str) -> None:
        answers = await_answers(self._remote[name][1], self._spin, APPEAR_S, lambda: self.stopping)
        self._heed_stop()
        if not answers:
            raise BringupError(f"{name} did not appear within {APPEAR_S:.0f} s; look for its error above")

    def _wait_for_recorder(self) -> None:
        """Until it is connected to all that the configured nodes will say: a run that is to be replayed is recorded from its
        first frame."""
        deadline, missing = time.monotonic() + APPEAR_S, "everything"
        while time.monotonic() < deadline:
            self._heed_stop()
            answer = self._call(self._recorder, Trigger.Request(), 1.0)
            if answer is not None and answer.success:
                return
            missing = missing if answer is None else answer.message
            self._spin(RECORDER_PAUSE_S)
        self.get_logger().warning(f"the recording begins without {missing}: the recorder is not connected to it")

    def _change(self, name: str, transition: int, label: str) -> None:
        self._heed_stop()
        response = self._call(
            self._remote[name][0], ChangeState.Request(transition=Transition(id=transition)), TRANSITION_S
        )
        self._heed_stop()
        if response is None:
            raise BringupError(f"{name} did not {label} within {TRANSITION_S:.0f} s")
        if not response.success:
            raise BringupError(f"{name} could not {label}: {self._reason(name)}")

    def _heed_stop(self) -> None:
        if self.stopping:
            raise StopRequestedError

    def _reason(self, name: str) -> str:
        deadline = time.monotonic() + REASON_S
        while name not in self._problems and not self.stopping and time.monotonic() < deadline:
            self._spin(0.1)
        return self._problems.get(name, "its own error above says why").removeprefix("cannot configure: ")

    def _state(self, name: str) -> int:
        response = self._call(self._remote[name][1], GetState.Request(), 1.0)
        return State.PRIMARY_STATE_UNKNOWN if response is None else response.current_state.id

    def _spin(self, seconds: float) -> None:
        rclpy.spin_once(self, timeout_sec=seconds)

    def _call(self, client: rclpy.client.Client, request: Any, timeout: float) -> Any:
        if not client.service_is_ready():
            return None
        future = client.call_async(request)
        deadline = time.monotonic() + timeout
        while not (self.stopping or future.done()) and time.monotonic() < deadline:
            self._spin(0.05)
        return future.result() if future.done() else None


def main() -> int:
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    try:
        manager = LifecycleManager()
    except ValueError as error:
        print(f"wm_lifecycle_manager: {error}", flush=True)
        return 1

    def stop(number: int, frame: object) -> None:
        manager.stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    status = 0
    try:
        manager.bring_up()
        while not manager.stopping:
            rclpy.spin_once(manager, timeout_sec=0.2)
    except StopRequestedError:
        pass
    except BringupError as error:
        manager.announce(f"failed: {error}")
        time.sleep(0.3)  # until the latched status is out
        status = 1
    finally:
        manager.take_down()
        ignore_stop_signals()
        manager.destroy_node()
        rclpy.try_shutdown()
    return status


if __name__ == "__main__":
    raise SystemExit(main())
