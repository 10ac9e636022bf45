"""The base class of all wm nodes: checked parameters, lifecycle hooks, diagnostics, and a main that ends cleanly."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, ParameterType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile

from wm_core.qos import SENSOR, STATE

OK, WARN, ERROR, STALE = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE)
_HUGE = 1e300


class ConfigError(ValueError):
    """A configuration that cannot work; raised in `setup`, reported by the node, which stays alive and unconfigured."""


@dataclass(frozen=True)
class Param:
    """One node parameter; its type is that of `default` (lists: string, float or integer arrays)."""

    name: str
    default: Any
    description: str
    lower: float | None = None
    upper: float | None = None
    choices: tuple = ()

    def descriptor(self) -> ParameterDescriptor:
        descriptor = ParameterDescriptor(description=self.description, additional_constraints=self.constraints())
        if isinstance(self.default, bool) or (self.lower is None and self.upper is None):
            return descriptor
        lower = -_HUGE if self.lower is None else self.lower
        upper = _HUGE if self.upper is None else self.upper
        if isinstance(self.default, int):
            descriptor.integer_range = [
                IntegerRange(from_value=int(max(lower, -(2**62))), to_value=int(min(upper, 2**62)), step=0)
            ]
        elif isinstance(self.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(lower), to_value=float(upper), step=0.0)
            ]
        return descriptor

    def constraints(self) -> str:
        return f"one of {', '.join(map(str, self.choices))}" if self.choices else ""

    def check(self, value: Any) -> None:
        """Raise ConfigError, naming the parameter, unless the value is allowed."""
        if self.choices and value not in self.choices:
            raise ConfigError(f"parameter '{self.name}': expected {self.constraints()}, got {value!r}")
        values = value if isinstance(value, list | tuple) else [value]
        for number in values:
            if isinstance(number, int | float) and not isinstance(number, bool):
                below = self.lower is not None and not number >= self.lower
                above = self.upper is not None and not number <= self.upper
                if below or above or number != number:
                    raise ConfigError(f"parameter '{self.name}': expected {self.lower} to {self.upper}, got {number}")


class WmNode(LifecycleNode):
    """A lifecycle node. Subclasses list PARAMETERS and fill `setup`, `start`, `stop` and `teardown`."""

    PARAMETERS: tuple[Param, ...] = ()

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.active = False
        self._specs = {param.name: param for param in self.PARAMETERS}
        for param in self.PARAMETERS:
            self._declare(param)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._entities: list[tuple[Callable[[Any], bool], Any]] = []
        self._errors = 0
        self._last_error_log = 0.0
        self._status: tuple[bytes, str, dict[str, Any]] = (STALE, "not configured", {})
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", STATE)
        # Wall-clock on purpose: a node must report even while simulated time stands still.
        self._diagnostics_timer = self.create_timer(1.0, self._publish_diagnostics, clock=rclpy.clock.Clock())

    # -- for subclasses ------------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Build the core and the ROS entities; raise ConfigError or ValueError when the configuration cannot work."""

    def start(self) -> None:
        """Called when the node becomes active."""

    def stop(self) -> None:
        """Called before the node becomes inactive."""

    def teardown(self) -> None:
        """Release what `setup` made besides the ROS entities."""

    def value(self, name: str) -> Any:
        """Value of a declared parameter; arrays come as lists."""
        value = self.get_parameter(name).value
        return list(value) if isinstance(self._specs[name].default, list) else value

    def publisher(self, message: type, topic: str, qos: QoSProfile = STATE) -> Any:
        publisher = self.create_publisher(message, topic, qos)
        self._entities.append((self.destroy_publisher, publisher))
        return publisher

    def subscribe(self, message: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile = SENSOR) -> Any:
        """Subscribe; the callback runs only while the node is active, and its exceptions are counted, not fatal."""
        subscription = self.create_subscription(message, topic, self._guarded(callback, topic), qos)
        self._entities.append((self.destroy_subscription, subscription))
        return subscription

    def service(self, kind: type, name: str, callback: Callable[[Any, Any], Any]) -> Any:
        """Offer a service; an exception in the callback is reported in the response where it has success and message."""

        def answer(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:
                self._count_error(f"service {name}", error)
                if hasattr(response, "success"):
                    response.success = False
                    response.message = str(error)
                return response

        service = self.create_service(kind, name, answer)
        self._entities.append((self.destroy_service, service))
        return service

    def every(self, seconds: float, callback: Callable[[], None], *, wall: bool = False) -> Any:
        """Call back periodically while active, in node time (or wall time)."""
        clock = rclpy.clock.Clock() if wall else self.get_clock()
        timer = self.create_timer(seconds, self._guarded(callback, f"timer of {seconds} s"), clock=clock)
        self._entities.append((self.destroy_timer, timer))
        return timer

    def diagnose(self, level: bytes, summary: str, **values: Any) -> None:
        """Set what is published on `diagnostics` once a second."""
        self._status = (level, summary, values)

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            for name, param in self._specs.items():
                param.check(self.value(name))
            self.setup()
        except Exception as error:  # the node must stay alive and say why
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            self.get_logger().error(f"cannot configure: {kind}{error}")
            self.diagnose(ERROR, f"cannot configure: {error}")
            self._release()
            return TransitionCallbackReturn.FAILURE
        self.diagnose(OK, "configured")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self.start()
        except Exception as error:
            self.get_logger().error(f"cannot activate: {error}")
            self.diagnose(ERROR, f"cannot activate: {error}")
            return TransitionCallbackReturn.FAILURE
        self.active = True
        self.diagnose(OK, "active")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.active = False
        self.stop()
        self.diagnose(OK, "inactive")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        self.diagnose(STALE, "not configured")
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self.active:
            self.active = False
            self.stop()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    # -- inside --------------------------------------------------------------------------------------------------

    def _declare(self, param: Param) -> None:
        descriptor = param.descriptor()
        if isinstance(param.default, list) and not param.default:
            descriptor.type = ParameterType.PARAMETER_STRING_ARRAY
            self.declare_parameter(param.name, Parameter.Type.STRING_ARRAY, descriptor)
            if self.get_parameter_or(param.name).type_ == Parameter.Type.NOT_SET:
                self.set_parameters([Parameter(param.name, Parameter.Type.STRING_ARRAY, [])])
        else:
            self.declare_parameter(param.name, param.default, descriptor)

    def _on_set_parameters(self, parameters: list[Parameter]) -> Any:
        from rcl_interfaces.msg import SetParametersResult

        for parameter in parameters:
            spec = self._specs.get(parameter.name)
            if spec is not None and parameter.value is not None:
                try:
                    spec.check(parameter.value)
                except ConfigError as error:
                    return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _guarded(self, callback: Callable[..., None], where: str) -> Callable[..., None]:
        def guarded(*args: Any) -> None:
            if not self.active:
                return
            try:
                callback(*args)
            except Exception as error:
                self._count_error(where, error)

        return guarded

    def _count_error(self, where: str, error: Exception) -> None:
        self._errors += 1
        now = time.monotonic()
        if now - self._last_error_log > 1.0:
            self._last_error_log = now
            self.get_logger().error(f"{where}: {type(error).__name__}: {error} ({self._errors} errors so far)")

    def _release(self) -> None:
        try:
            self.teardown()
        finally:
            for destroy, entity in reversed(self._entities):
                destroy(entity)
            self._entities.clear()

    def _publish_diagnostics(self) -> None:
        level, summary, values = self._status
        if self._errors:
            values = {**values, "callback_errors": self._errors}
        status = DiagnosticStatus(
            level=level,
            name=self.get_fully_qualified_name().lstrip("/"),
            message=summary,
            hardware_id="wm",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        self._diagnostics.publish(DiagnosticArray(header=_stamped(self), status=[status]))


def _stamped(node: LifecycleNode) -> Any:
    from std_msgs.msg import Header

    return Header(stamp=node.get_clock().now().to_msg())


def ignore_stop_signals() -> None:
    """For the very end of a main: launch and terminal each send SIGINT, and the second one would kill the interpreter as it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def run(node_class: Callable[[], WmNode], args: list[str] | None = None) -> int:
    """Run one node until SIGINT or SIGTERM; returns the exit code (0 on a requested end)."""
    rclpy.init(args=args, signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    stopping = False

    def stop(signum: int, frame: Any) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    node: WmNode | None = None
    try:
        node = node_class()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not stopping:
            executor.spin_once(timeout_sec=0.2)
        if node.active:
            node.trigger_deactivate()
    except ExternalShutdownException:
        pass
    except Exception as error:
        if node is None:  # a parameter refused at declaration, a wrong argument
            print(f"[error] {type(error).__name__}: {error}", flush=True)
            return 1
        raise
    finally:
        ignore_stop_signals()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
