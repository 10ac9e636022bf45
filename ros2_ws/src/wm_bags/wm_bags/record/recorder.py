"""wm_recorder: writes a run into rosbag2 bags that rosbag2, Foxglove and wm's learning read.

Messages are taken as they come, without deserialising them, and written by a thread of its own. A recording that ends
before its time (a full disk) says so on `wm/recorder_status` and in the diagnostics, and the robot's run goes on.
"""

import signal
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterEvent
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.serialization import deserialize_message
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from wm_msgs.msg import Drift, Intervention, RecorderStatus

from wm_bags.record.expected import PERCEPTION, expected_of
from wm_bags.record.parameters import CONTINUOUS, DRIFT, INTERVENTIONS, PARAMETERS, SNAPSHOT, TRIGGERS
from wm_bags.record.recording import OneBag, Recording, Status, Target
from wm_bags.record.ring import Snapshots
from wm_bags.record.silence import Silence
from wm_bags.record.streams import Streams
from wm_bags.record.topics import CAMERA_TOPICS, Choice
from wm_bags.record.topics import PARAMETERS as PARAMETERS_TOPIC
from wm_bags.storage.metadata import Topic
from wm_bags.storage.writer import Storage
from wm_core.given_parameters import check_types, refuse_unknown
from wm_core.heartbeat import beat
from wm_core.launched import CANNOT_RUN, die_with_launcher
from wm_core.lifecycle import ERROR, OK, WARN
from wm_core.node_process import ignore_stop_signals
from wm_core.qos import STATE
from wm_core.steady import steady_clock

POLL_S = 0.005  # between two looks at which messages have come
SERVE_S = 0.02  # between two looks at timers, triggers and services
DISCOVERY_S = 0.25  # between two looks at which topics there are


class Recorder(Node):
    """Records the complete list for its rig, or the parameter `topics`, `all` or `regex`; see PARAMETERS.

    `nodes` names lifecycle nodes of which `wm/recorder_connected` is to say whether all that they publish is recorded.
    Snapshots are triggered by the service `wm/save_recording` and by what `triggers` names: drift, limited, hold, e_stop,
    person.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("wm_recorder", **kwargs)
        check_types(self, {param.name: param.default for param in PARAMETERS})
        for param in PARAMETERS:
            param.check(self.declare_parameter(param.name, param.default, param.descriptor()).value)
        names = self._strings("topics")
        triggers = self._strings("triggers") or TRIGGERS
        self._awaited = set(self._strings("nodes"))
        self._configured: list[ParameterEvent] = []  # what nodes said on wm/parameters
        refuse_unknown(self, {})
        self._says_parameters = self.resolve_topic_name(PARAMETERS_TOPIC)
        value = {param.name: self.get_parameter(param.name).value for param in PARAMETERS}
        if not value["folder"]:
            raise ValueError("parameter 'folder': expected a folder to record into, got none")
        if unknown := set(triggers) - {DRIFT, *INTERVENTIONS}:
            raise ValueError(
                f"parameter 'triggers': expected {', '.join((DRIFT, *INTERVENTIONS))}, got {', '.join(unknown)}"
            )
        everything = value["all"] or bool(value["regex"])
        self._learns = not everything and not names  # where topics are, from wm_perception
        self._given = {name: value[name] for name in ("rig", *CAMERA_TOPICS)}
        expected = expected_of(self._given) if self._learns else ()
        choice = Choice(
            frozenset(self.resolve_topic_name(name) for name in names),
            value["all"],
            value["regex"],
            value["exclude"],
        )
        self.reported: Callable[[RecorderStatus], None] = lambda status: None  # called with each status
        folder = Path(value["folder"]).expanduser()
        if value["beside"] and value["mode"] == CONTINUOUS and folder.exists():
            folder = beside(folder)
            self.get_logger().warning(f"{value['folder']} is there already: what follows is recorded into {folder}")
        self.recording = Recording(_target(value, folder), value["max_waiting_bytes"], value["min_free_bytes"])
        self._before = self.recording.status()
        self._before_at = time.monotonic()
        self._streams = Streams(self, choice, self._put)
        self._silence, self._warned = Silence(time.monotonic()), set[str]()
        needed = self._streams.expect(expected) or [self.resolve_topic_name(name) for name in names]
        self._silence.need(needed, time.monotonic())
        if value["mode"] == SNAPSHOT:
            self._listen_for_triggers(triggers)
        self.create_service(Trigger, "wm/recorder_connected", self._on_connected)
        self._status = self.create_publisher(RecorderStatus, "wm/recorder_status", STATE)
        self._diagnostics = self.create_publisher(DiagnosticArray, "diagnostics", STATE)
        wall = steady_clock()
        self.create_timer(DISCOVERY_S, self._discover, clock=wall)
        self.create_timer(1.0, self.report, clock=wall)
        beat(self)
        self._discover()

    @property
    def stopped(self) -> bool:
        """Whether the recording has ended by itself, before it was asked to."""
        return self.recording.status().state.startswith("stopped")

    def poll(self) -> None:
        """Take every message that has come."""
        self._streams.poll()
        while self._configured:
            self._learn(self._configured.pop(0))

    def close(self) -> None:
        """Write what is waiting, and finish."""
        try:
            self.poll()
        finally:
            self.recording.close()
        last = self.report()
        self.get_logger().info(
            f"{last.messages} messages, {last.bytes / 1e6:.1f} MB, {last.dropped} dropped, {last.lost} lost: {last.state}"
        )
        if never := self._silence.never():
            self.get_logger().warning(f"no message was recorded of {', '.join(never)}")

    @property
    def silent(self) -> list[str]:
        """Topics that the recording should hold and that say nothing, or nothing any more."""
        return list(self._silence.silent(time.monotonic()))

    def report(self) -> RecorderStatus:
        """Publish how it is going."""
        status, now = self.recording.status(), time.monotonic()
        seconds = max(now - self._before_at, 1e-3)
        message = RecorderStatus(
            header=Header(stamp=self.get_clock().now().to_msg()),
            folder=status.folder,
            state=status.state,
            messages=status.messages,
            dropped=status.dropped,
            lost=self._streams.lost,
            bytes=status.bytes,
            messages_per_second=(status.messages - self._before.messages) / seconds,
            bytes_per_second=(status.bytes - self._before.bytes) / seconds,
            free_bytes=status.free_bytes,
        )
        silent = self._tell_silent()
        warn = status.dropped or self._streams.lost or silent
        level = ERROR if status.state.startswith("stopped") else WARN if warn else OK
        if status.state != self._before.state and level == ERROR:
            self.get_logger().error(f"recording {status.state}")
        self._before, self._before_at = status, now
        self._status.publish(message)
        self.reported(message)
        self._diagnostics.publish(self._diagnosed(level, status, silent))
        return message

    # -- inside --------------------------------------------------------------------------------------------------

    def _strings(self, name: str) -> tuple[str, ...]:
        return tuple(self.declare_parameter(name, Parameter.Type.STRING_ARRAY).value or ())

    def _put(self, topic: Topic, data: bytes, received_ns: int, sent_ns: int) -> None:
        self._silence.heard(topic.name, time.monotonic())
        self.recording.put(topic, data, received_ns, sent_ns)
        if topic.name == self._says_parameters:
            self._configured.append(deserialize_message(data, ParameterEvent))

    def _learn(self, event: ParameterEvent) -> None:
        """A node says how it is set up: perception, where the cameras' topics are."""
        node = event.node.rpartition("/")[2]
        self._awaited.discard(node)
        if node != PERCEPTION or not self._learns:
            return
        says = {each.name: parameter_value_to_python(each.value) for each in event.new_parameters}
        says |= {name: value for name, value in self._given.items() if value and name in CAMERA_TOPICS}
        try:
            self._silence.need(self._streams.expect(expected_of(says)), time.monotonic())
        except (ValueError, OSError) as error:
            self.get_logger().warning(f"recorded are the topics of rig '{self._given['rig']}' only: {error}")

    def _tell_silent(self) -> str:
        """Silent topics, why; each is said once, and again after it was heard."""
        silent = self.silent
        why = {topic: f"{topic} is silent: {self._streams.why_silent(topic)}" for topic in silent}
        for topic in set(silent) - self._warned:
            self.get_logger().warning(f"{why[topic]}; what is recorded lacks it")
        self._warned = set(silent)
        return "; ".join(why.values())

    def _discover(self) -> None:
        for topic in self._streams.discover():
            self.recording.announce(topic)

    def _listen_for_triggers(self, triggers: tuple[str, ...]) -> None:
        kinds = {kind for name, kind in INTERVENTIONS.items() if name in triggers}

        def drifted(message: Drift) -> None:
            if message.drifting:
                self.recording.trigger(f"drift: {message.cause}")

        def intervened(message: Intervention) -> None:
            if message.kind in kinds:
                self.recording.trigger(f"{message.source}: {message.reason}")

        if DRIFT in triggers:
            self.create_subscription(Drift, "wm/drift", drifted, STATE)
        if kinds:
            self.create_subscription(Intervention, "wm/intervention", intervened, STATE)
        self.create_service(Trigger, "wm/save_recording", self._on_save)

    def _on_connected(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Whether nothing that its topics' publishers say from now on is missed.

        Of the nodes in `nodes` that is certain: DDS tells of endpoints in the order of their making. Whoever gets the
        parameters of a node, on a publisher made last, has found all others of that node; who made the subscription to them
        last has been found by the node with all others.
        """
        late = [*sorted(self._awaited), *self._streams.unconnected()]
        response.success, response.message = not late, ", ".join(late)
        return response

    def _on_save(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        state = self.recording.status().state
        response.success = not state.startswith("stopped")
        response.message = state
        if response.success:
            self.recording.trigger("wm/save_recording")
            response.message = "writing the last seconds, and those that follow"
        return response

    def _diagnosed(self, level: bytes, status: Status, silent: str) -> DiagnosticArray:
        values = {
            "folder": status.folder,
            "messages": status.messages,
            "dropped": status.dropped,
            "lost": self._streams.lost,
            "bytes": status.bytes,
            "free_bytes": status.free_bytes,
            "waiting_bytes": status.waiting_bytes,
        } | ({"silent": silent} if silent else {})
        summary = DiagnosticStatus(
            level=level,
            name=self.get_fully_qualified_name().lstrip("/"),
            message=f"{status.state}; {silent}" if silent else status.state,
            hardware_id="wm",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        return DiagnosticArray(header=Header(stamp=self.get_clock().now().to_msg()), status=[summary])


def beside(folder: Path) -> Path:
    """The first of FOLDER_2, FOLDER_3, ... that is not there yet."""
    numbered = (folder.with_name(f"{folder.name}_{number}") for number in count(2))
    return next(new for new in numbered if not new.exists())


def _target(value: dict[str, Any], folder: Path) -> Target:
    storage = Storage(value["compression"], value["max_bag_bytes"], value["max_bag_seconds"])
    if value["mode"] == SNAPSHOT:
        return Snapshots(folder, storage, value["before"], value["after"], value["max_ring_bytes"])
    return OneBag(folder, storage)


def spin(recorder: Recorder, going: Callable[[], bool]) -> None:
    """Record while `going()`, and finish; stop signals are ignored from then on."""
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    served = 0.0
    try:
        while going():
            recorder.poll()
            if time.monotonic() - served >= SERVE_S:
                executor.spin_once(timeout_sec=0)
                served = time.monotonic()
            time.sleep(POLL_S)
    finally:
        ignore_stop_signals()
        recorder.close()
        executor.shutdown()
        recorder.destroy_node()
        rclpy.try_shutdown()


def main(arguments: list[str] | None = None) -> int:
    """Record until SIGINT or SIGTERM; returns the exit status: CANNOT_RUN when nothing can be recorded."""
    die_with_launcher(clean=True)  # what waits for the disk is to be written
    rclpy.init(args=arguments, signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        recorder = Recorder()
    except (ValueError, OSError) as error:  # a run that is to be recorded must not go on unrecorded
        print(f"wm_recorder: cannot record: {error}", flush=True)
        rclpy.try_shutdown()
        return CANNOT_RUN
    spin(recorder, lambda: not stopping.is_set())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
