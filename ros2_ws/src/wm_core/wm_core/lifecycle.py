"""The base class of all wm nodes: checked parameters, lifecycle hooks and diagnostics."""

import gc
import inspect
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterEvent, ParameterType, SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from wm_core.given_parameters import check_types, refuse_unknown
from wm_core.heartbeat import beat
from wm_core.offered import OfferedSubscription
from wm_core.params import ConfigError, Param
from wm_core.qos import LATCHED, SENSOR, STATE
from wm_core.said import Said
from wm_core.steady import steady_clock

OK, WARN, ERROR, STALE = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE)
RECENT = 100  # timings kept for the quantiles of the diagnostics


class WmNode(LifecycleNode):
    """A lifecycle node. Subclasses list PARAMETERS and fill `setup`, `start`, `stop` and `teardown`."""

    PARAMETERS: tuple[Param, ...] = ()
    RETIRED: Mapping[str, str] = {}  # names of parameters that it once had: what to do instead
    CHANGEABLE = True  # whether parameters may be set while the node is configured

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.active = False
        self._specs: dict[str, Param] = {}
        self.declare(self.PARAMETERS)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._entities: list[tuple[Callable[[Any], bool], Any]] = []
        self._kept: dict[Callable[[Any], None], Any] = {}  # what was heard while inactive, by who is to hear it
        self._errors, self._last_error_log = 0, 0.0
        self.counts: Counter[str] = Counter()  # of whatever the node counts; published in its diagnostics
        self.last_problem, self._said = "", Said()
        self._timings: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))
        self._status: tuple[bytes, str, dict[str, Any]] = (STALE, "not configured", {})
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", STATE)
        # Wall-clock on purpose: a node must report even while simulated time stands still.
        self._diagnostics_timer = self.create_timer(1.0, self._publish_diagnostics, clock=steady_clock())
        beat(self, lambda: self._state_machine.current_state[0])

    # -- for subclasses ------------------------------------------------------------------------------------------

    def more_parameters(self) -> Iterable[Param]:
        """Parameters besides PARAMETERS, of which the values of those say which there are; may raise ValueError."""
        return ()

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

    @property
    def simulated_time(self) -> bool:
        """Whether this node's time is simulated, which comes by messages."""
        return bool(self.get_parameter("use_sim_time").value)

    def declare(self, params: Iterable[Param]) -> None:
        """Declare parameters of which others say which there are; one that is there with another default is made anew."""
        params = [param for param in params if self._specs.get(param.name) != param]
        check_types(self, {param.name: param.default for param in params})
        for param in params:
            if self._specs.pop(param.name, None):
                self.undeclare_parameter(param.name)
            self._specs[param.name] = param
            self._declare(param)

    def publisher(self, message: type, topic: str, qos: QoSProfile = STATE) -> Any:
        publisher = self.create_publisher(message, topic, qos)
        self._entities.append((self.destroy_publisher, publisher))
        return publisher

    def subscribe(self, message: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile = SENSOR) -> Any:
        """Subscribe; the callback runs only while the node is active, and its exceptions are counted, not fatal.

        Of a latched topic the newest message that comes before is kept until then: it may be the only one.
        """
        guarded = self._guarded(callback, topic)

        def kept(message: Any) -> None:
            if self.active:
                guarded(message)
            else:
                self._kept[guarded] = message

        latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        subscription = self.create_subscription(message, topic, kept if latched else guarded, qos)
        self._entities.append((self.destroy_subscription, subscription))
        return subscription

    def subscribe_offered(self, message: type, topic: str, callback: Callable[[Any], None]) -> OfferedSubscription:
        """Subscribe to state that drivers offer reliable or best effort; the rest as `subscribe`."""
        subscription = OfferedSubscription(self, message, topic, self._guarded(callback, topic))
        self._entities.append((OfferedSubscription.destroy, subscription))
        return subscription

    def service(self, kind: type, name: str, callback: Callable[[Any, Any], Any]) -> Any:
        """Offer a service; an exception in the callback is reported in the response where it has success and message.

        A coroutine may await a future that another thread completes: everything else goes on meanwhile.
        """

        def failed(error: Exception, response: Any) -> Any:
            self._count_error(f"service {name}", error)
            if hasattr(response, "success"):
                response.success = False
                response.message = str(error)
            return response

        def answer(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:
                return failed(error, response)

        async def answer_later(request: Any, response: Any) -> Any:
            try:
                return await callback(request, response)
            except Exception as error:
                return failed(error, response)

        if inspect.iscoroutinefunction(callback):
            service = self.create_service(kind, name, answer_later, callback_group=ReentrantCallbackGroup())
        else:
            service = self.create_service(kind, name, answer)
        self._entities.append((self.destroy_service, service))
        return service

    def every(self, seconds: float, callback: Callable[[], None], *, wall: bool = False) -> Any:
        """Call back periodically while active, in node time where that is simulated, unless `wall`."""
        clock = self.get_clock() if self.simulated_time and not wall else steady_clock()
        timer = self.create_timer(seconds, self._guarded(callback, f"timer of {seconds} s"), clock=clock)
        self._entities.append((self.destroy_timer, timer))
        return timer

    def diagnose(self, level: bytes, summary: str, **values: Any) -> None:
        """Set what is published on `diagnostics` once a second."""
        self._status = (level, summary, values)

    def reject(self, count: str, problem: str) -> None:
        """Count input that is not used, and say why unless that was said of late."""
        self.counts[count] += 1
        self.last_problem = problem
        if self._said.due(count, problem):
            self.get_logger().warning(problem)

    def timed(self, name: str, milliseconds: float) -> None:
        """Remember how long something took."""
        self._timings[name].append(milliseconds)

    def record(self) -> dict[str, str]:
        """Counts, the last problem and quantiles of the timings, for `diagnose`."""
        values = {name: str(count) for name, count in self.counts.items()}
        if self.last_problem:
            values["last_problem"] = self.last_problem
        for name, times in self._timings.items():
            for share in (50, 99):
                values[f"{name}_p{share}"] = f"{np.percentile(times, share):.2f}"
        return values

    # -- lifecycle -----------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self.declare(self.more_parameters())
            refuse_unknown(self, self.RETIRED)
            for name, param in self._specs.items():
                param.check(self.value(name))
            self.last_problem = ""
            for kept in (self.counts, self._said, self._timings):
                kept.clear()
            self.setup()
        except Exception as error:  # the node must stay alive and say why
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            self.get_logger().error(f"cannot configure: {kind}{error}")
            self.diagnose(ERROR, f"cannot configure: {error}")
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._publish_parameters()
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
        # What setup made stays: without it, the garbage collector's pauses are too short to delay a command.
        gc.collect()
        gc.freeze()
        self.diagnose(OK, "active")
        result = super().on_activate(state)
        while self._kept:
            callback, message = self._kept.popitem()
            callback(message)
        return result

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

    def _on_set_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            spec = self._specs.get(parameter.name)
            if spec is not None and parameter.value is not None:
                try:
                    spec.check(parameter.value)
                except ConfigError as error:
                    return SetParametersResult(successful=False, reason=str(error))
            if spec is not None and self._entities and not self.CHANGEABLE:
                reason = "expected to be set before the node is configured; clean it up first"
                return SetParametersResult(successful=False, reason=f"parameter '{parameter.name}': {reason}")
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
            self._kept.clear()

    def _publish_parameters(self) -> None:
        """What the node is configured with: a recording of `wm/parameters` can be replayed with the same.

        On a publisher made after all others: who hears it has found those too (wm_recorder counts on that).
        """
        parameters: dict[str, Any] = self.get_parameters_by_prefix("")  # its type hints speak of values
        values = [parameter.to_parameter_msg() for parameter in parameters.values()]
        event = ParameterEvent(node=self.get_fully_qualified_name(), new_parameters=values)
        event.stamp = self.get_clock().now().to_msg()
        self.publisher(ParameterEvent, "wm/parameters", LATCHED).publish(event)

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
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))
