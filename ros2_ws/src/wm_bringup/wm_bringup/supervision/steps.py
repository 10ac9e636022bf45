"""Takes a node one step further through its life cycle, with what it must know before: services of the node, nothing else."""

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State as StateId
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from wm_msgs.msg import ActiveBundle

from wm_bringup.supervision.core import Step
from wm_core.qos import LATCHED, STATE
from wm_core.services import await_answers

GUARD, SIMULATOR = "wm_guard", "wm_sim"
WITH_BUNDLE = ("wm_perception", "wm_dynamics", "wm_planner")
TRANSITION_S = 60.0  # until a transition has answered: configuring loads models
AGAIN_S = 1.0  # until a question that may have got lost is asked again
REASON_S = 2.5  # until a node that failed has said why on `diagnostics`, which it does once a second
IDS = {Step.CONFIGURE: Transition.TRANSITION_CONFIGURE, Step.ACTIVATE: Transition.TRANSITION_ACTIVATE}


class Steps:
    """Configures, activates and takes down nodes.

    A restarted node gets to know what happened since the launch: the bundle in use, an emergency stop that is set, and
    (the simulator) how far simulated time has come.
    """

    def __init__(self, node: Node, names: list[str], spin: Callable[[float], None]) -> None:
        """`spin(seconds)` serves `node`, which asks."""
        self._node, self._spin = node, spin
        self.e_stopped = False
        self.simulated_s = 0.0  # [s] newest simulated time; 0: there is none
        self._bundle = ""
        self._problems: dict[str, str] = {}
        self._e_stop = node.create_client(Trigger, "wm/e_stop")
        self._set = {name: node.create_client(SetParameters, f"{name}/set_parameters") for name in names}
        self._change = {name: node.create_client(ChangeState, f"{name}/change_state") for name in names}
        # Last: who answers these has discovered the others.
        self._get = {name: node.create_client(GetState, f"{name}/get_state") for name in names}
        node.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, STATE)
        node.create_subscription(Bool, "wm/e_stopped", self._on_e_stopped, LATCHED)
        node.create_subscription(ActiveBundle, "wm/active_bundle", self._on_bundle, LATCHED)

    def take(self, name: str, step: Step, going: Callable[[], bool]) -> tuple[str, bool]:
        """Why the step failed (empty: it did not), and whether the node did not answer; given up once `going()` is false."""
        deadline = time.monotonic() + TRANSITION_S
        self._problems.pop(name, None)
        silent = f"did not {step.value} within {TRANSITION_S:.0f} s"
        if not await_answers(self._get[name], self._spin, TRANSITION_S, lambda: not going()):
            return silent, True
        if step is Step.CONFIGURE:
            self._inform(name, going)
        elif name == GUARD and self.e_stopped:
            self._latch(going)
        request = ChangeState.Request(transition=Transition(id=IDS[step]))
        response = self.call(self._change[name], request, deadline - time.monotonic(), going)
        if response is None:
            return silent, True
        return ("", False) if response.success else (f"could not {step.value}: {self._reason(name, going)}", False)

    def down(self, name: str) -> None:
        """Deactivated and cleaned up, as far as it has come; a node that is gone is skipped."""
        for transition, wanted in (
            (Transition.TRANSITION_DEACTIVATE, StateId.PRIMARY_STATE_ACTIVE),
            (Transition.TRANSITION_CLEANUP, StateId.PRIMARY_STATE_INACTIVE),
        ):
            state = self.call(self._get[name], GetState.Request(), 1.0)
            if state is not None and state.current_state.id == wanted:
                self.call(self._change[name], ChangeState.Request(transition=Transition(id=transition)), 2.0)

    def call(self, client: Client, request: Any, timeout: float, going: Callable[[], bool] = lambda: True) -> Any:
        """The answer of a service; none when it does not come in time."""
        if not client.service_is_ready():
            return None
        future = client.call_async(request)
        deadline = time.monotonic() + timeout
        while going() and not future.done() and time.monotonic() < deadline:
            self._spin(0.05)
        if future.done():
            return future.result()
        client.remove_pending_request(future)
        return None

    # -- what a restarted node does not know ---------------------------------------------------------------------

    def _inform(self, name: str, going: Callable[[], bool]) -> None:
        values: dict[str, Any] = {}
        if name in WITH_BUNDLE and self._bundle:
            values["bundle"] = self._bundle
        if name == SIMULATOR and self.simulated_s:
            values["start_time"] = self.simulated_s
        if values:
            parameters = [Parameter(key, value=value).to_parameter_msg() for key, value in values.items()]
            response = self.call(self._set[name], SetParameters.Request(parameters=parameters), AGAIN_S, going)
            refused = ["no answer"] if response is None else [each.reason for each in response.results if each.reason]
            if refused:
                self._node.get_logger().warning(f"{name} does not take {', '.join(values)}: {refused[0]}")

    def _latch(self, going: Callable[[], bool]) -> None:
        """Until the guard has it: it must not become active before."""
        while going():
            response = self.call(self._e_stop, Trigger.Request(), AGAIN_S, going)
            if response is not None and response.success:
                self._node.get_logger().warning("the emergency stop was set: it is set again in the new guard")
                return
            self._spin(0.05)

    # -- what is heard -------------------------------------------------------------------------------------------

    def _on_e_stopped(self, message: Bool) -> None:
        self.e_stopped = message.data

    def _on_bundle(self, message: ActiveBundle) -> None:
        self._bundle = message.folder

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.ERROR:
                self._problems[status.name.rpartition("/")[2]] = status.message

    def _reason(self, name: str, going: Callable[[], bool]) -> str:
        deadline = time.monotonic() + REASON_S
        while name not in self._problems and going() and time.monotonic() < deadline:
            self._spin(0.1)
        reason = self._problems.get(name, "its own error above says why")
        return reason.removeprefix("cannot configure: ").removeprefix("cannot activate: ")
