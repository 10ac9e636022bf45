"""What gives and takes permission to move: wm/start, wm/stop, the enabling key, and the driver's own state."""

from functools import partial
from importlib import import_module
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from wm_core.lifecycle import WmNode
from wm_core.params import ConfigError, Param
from wm_core.polled import Polled
from wm_guard.driver_state import EXAMPLE, DriverState, DriverStateError
from wm_guard.guard import Guard
from wm_guard.permission import NOT_STARTED, Permission

PARAMETERS = (
    Param("autostart", True, "Whether commands pass from the beginning; false: not until wm/start is called"),
    Param("enable_required", False, "Whether the arm moves only while a person holds the enabling key"),
    Param("enable_topic", "wm/enable", "What the enabling key says, at least ten times a second; silence is release"),
    Param("enable_button", -1, "Of sensor_msgs/Joy on enable_topic; -1: that is std_msgs/Bool", -1, 63),
    Param("enable_timeout", 0.15, "[s] Silence of the enabling key after which the arm is held", 0.05, 0.2),
    Param("driver_states", [], f"What the arm's driver must say for the arm to move, each as {EXAMPLE}"),
)
# The key of now, not one that waited in a queue; any publisher's offer satisfies it.
KEY = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class PermissionInput:
    """Keeps the permission of a guard."""

    def __init__(self, node: WmNode, guard: Guard) -> None:
        """Declares nothing: the node has PARAMETERS. Raises ConfigError."""
        self._node, self._guard = node, guard
        try:
            driver = [DriverState.parse(text) for text in node.value("driver_states") if text]
        except DriverStateError as error:
            raise ConfigError(f"parameter 'driver_states': {error}") from error
        enabled_for = node.value("enable_timeout") if node.value("enable_required") else 0.0
        self.permission = Permission(node.value("autostart"), enabled_for, driver)
        guard.permission = self.permission
        self._button = node.value("enable_button")
        kind, heard = (Bool, self._on_key) if self._button < 0 else (Joy, self._on_joy)
        node.subscribe(kind, node.value("enable_topic"), heard, KEY)
        self._driver = [_heard(node, state, partial(self._on_state, state)) for state in driver]
        node.service(Trigger, "wm/start", self._on_start)
        node.service(Trigger, "wm/stop", self._on_stop)

    def read(self) -> None:
        """What the driver has said: some say it at every cycle of their controllers."""
        for polled in self._driver:
            polled.call_back()

    def discard(self) -> None:
        """Forget what it has said."""
        for polled in self._driver:
            polled.discard()

    def _on_key(self, message: Bool) -> None:
        self.permission.enable(message.data)

    def _on_joy(self, message: Joy) -> None:
        buttons = message.buttons
        if self._button >= len(buttons):
            self._node.reject("joy", f"expected button {self._button} (enable_button), Joy has {len(buttons)}")
        self.permission.enable(self._button < len(buttons) and bool(buttons[self._button]))

    def _on_state(self, state: DriverState, message: Any) -> None:
        self.permission.observe(state, message)

    def _on_start(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        held = self._guard.latches.held
        if held:
            response.success, response.message = False, f"not started: {self._guard.latches.refusal()}"
            return response
        self.permission.started = True
        missing = self.permission.missing()
        waits = f"waits for: {'; '.join(missing.values())}" if missing else "moves on with the next valid command"
        response.success, response.message = True, f"started; {waits}"
        return response

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """The watchdog holds the arm at its next look, within milliseconds."""
        self.permission.started = False
        response.success, response.message = True, f"{NOT_STARTED}: held until wm/start is called"
        return response


def _heard(node: WmNode, state: DriverState, heard: partial) -> Polled:
    """A driver's topic, latched or not: transient local hears only who offers that, so both are asked for. Raises ConfigError."""
    package, _, name = state.type.split("/")
    try:
        kind = getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"parameter 'driver_states': {state.topic}: expected {state.type}, which is not installed here;"
            f" install the package {package}, or leave this line out"
        ) from error
    try:
        state.check(kind())
    except DriverStateError as error:
        raise ConfigError(f"parameter 'driver_states': {error}") from error
    node.subscribe(kind, state.topic, heard, QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    return Polled(node.subscribe_offered(kind, state.topic, heard))
