"""Replaying bags through real DDS: what arrives, in which order, when, and what is refused."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import rclpy
from hypothesis import given
from hypothesis import strategies as st
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

from wm_bags.replay.options import Pace, ReplayError, ReplayOptions, moment, remappings
from wm_bags.replay.player import Player
from wm_bags.replay.source import publisher_qos
from wm_core import command_line
from wm_core.stamps import to_ns

ros = pytest.mark.ros
BEGIN_NS = 1_700_000_000 * 10**9
FOREVER = QosTime(9223372036, 854775807)
STORE = get_typestore(Stores.ROS2_JAZZY)
TEXT = STORE.types["std_msgs/msg/String"]


def offered(reliability, durability=QosDurability.VOLATILE, depth=5):
    return Qos(
        QosHistory.KEEP_LAST, depth, reliability, durability, FOREVER, FOREVER, QosLiveliness.AUTOMATIC, FOREVER, False
    )


def write_bag(path: Path, times_s=(0.0, 0.1, 0.2), topics=("/a", "/b"), storage=StoragePlugin.MCAP, qos=()) -> Path:
    """A bag whose message k of each topic says `topic k`."""
    with Writer(path, version=9, storage_plugin=storage) as writer:
        connections = {
            topic: writer.add_connection(topic, "std_msgs/msg/String", typestore=STORE, offered_qos_profiles=qos)
            for topic in topics
        }
        for index, seconds in enumerate(times_s):
            for topic, connection in connections.items():
                data = STORE.serialize_cdr(TEXT(data=f"{topic} {index}"), "std_msgs/msg/String")
                writer.write(connection, BEGIN_NS + round(seconds * 1e9), data)
    return path


class Listener:
    """A node of its own that keeps what it hears, and when."""

    def __init__(self, topics=("/a", "/b"), qos=None, busy_s=0.0):
        self.heard, self.times, self.clocks = [], [], []
        self._busy_s = busy_s
        self._context = Context()
        rclpy.init(context=self._context)
        self.node = Node("listener", context=self._context)
        profile = qos or QoSProfile(depth=1000)
        for topic in topics:
            self.node.create_subscription(String, topic, self._on_text, profile)
        self.node.create_subscription(Clock, "/clock", lambda m: self.clocks.append(to_ns(m.clock)), 1000)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()

    def _on_text(self, message):
        self.heard.append(message.data)
        self.times.append(time.monotonic())
        time.sleep(self._busy_s)

    def until(self, condition):
        end = time.monotonic() + 30
        while not condition() and time.monotonic() < end:
            time.sleep(0.01)
        assert condition(), self.heard

    def close(self):
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)


def choice(**options):
    """However slow the machine is: nothing is published before it is listened to."""
    return ReplayOptions(delay_s=30.0, **options)


@contextmanager
def replaying(bag):
    """`./wm replay` in a process of its own, ended as by Ctrl-C."""
    command = [sys.executable, "-m", "wm_bringup.cli", "replay", str(bag), "--delay", "30"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


@pytest.fixture
def listen():
    listeners = []

    def start(**options):
        listeners.append(Listener(**options))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


@ros
@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_everything_arrives_in_order_and_not_before_its_time(listen, tmp_path, storage):
    listener = listen()
    outcome = Player(write_bag(tmp_path / "bag", storage=storage), choice()).run()
    listener.until(lambda: len(listener.heard) == 6)
    for topic in ("/a", "/b"):
        assert [text for text in listener.heard if text.startswith(topic)] == [f"{topic} {k}" for k in range(3)]
    assert listener.times[-1] - listener.times[0] > 0.15  # no bound from above: the machine may be busy
    assert outcome.published == {"/a": 3, "/b": 3} and outcome.passes == 1


@ros
def test_the_rate_stretches_time(listen, tmp_path):
    listener = listen()
    outcome = Player(write_bag(tmp_path / "bag"), choice(rate=0.5)).run()
    listener.until(lambda: len(listener.heard) == 6)
    assert outcome.seconds >= 0.4


@ros
def test_part_of_a_bag_under_other_names(listen, tmp_path):
    bag = write_bag(tmp_path / "bag", times_s=[0.0, 1.0, 2.0, 3.0])
    listener = listen(topics=("/c", "/b"))
    part = choice(rate=100, start="1", end=str(BEGIN_NS // 10**9 + 2), remap=remappings(["a:=c"]), exclude=("/b",))
    assert Player(bag, part).run().published == {"/a": 2}
    listener.until(lambda: listener.heard == ["/a 1", "/a 2"])


@ros
def test_the_clock_runs_from_the_first_message_to_the_last_and_never_back(listen, tmp_path):
    listener = listen()
    Player(write_bag(tmp_path / "bag"), choice(clock_hz=50.0)).run()
    listener.until(lambda: len(listener.clocks) == 11)
    assert listener.clocks == [BEGIN_NS + k * 20_000_000 for k in range(11)]


@ros
def test_a_loop_begins_again_until_it_is_stopped(listen, tmp_path):
    listener = listen(topics=("/a",))
    player = Player(write_bag(tmp_path / "bag", topics=("/a",)), choice(rate=10, loop=True))
    thread = threading.Thread(target=player.run)
    thread.start()
    listener.until(lambda: len(listener.heard) >= 8)
    player.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert listener.heard[:8] == [f"/a {k % 3}" for k in range(8)]


SLOW = """
import sys, time, rclpy
from std_msgs.msg import String
def take(message):
    print(message.data, flush=True)
    time.sleep(0.002)
rclpy.init()
node = rclpy.create_node("slow")
for topic in ("/a", "/b"):
    node.create_subscription(String, topic, take, 2)
while True:
    rclpy.spin_once(node)
"""


@ros
def test_flat_out_a_slow_process_with_a_short_queue_misses_nothing(tmp_path):
    bag = write_bag(tmp_path / "bag", [k * 1e-3 for k in range(200)], topics=("/a", "/b"))
    process = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True)
    try:
        outcome = Player(bag, choice(flat_out=True)).run()
    finally:
        process.kill()
    heard = process.communicate()[0].splitlines()
    for topic in ("/a", "/b"):
        assert [text for text in heard if text.startswith(topic)] == [f"{topic} {k}" for k in range(200)]
    assert outcome.kept_up == ("/slow",) and outcome.mute == ()


SENSOR = offered(QosReliability.BEST_EFFORT)
LATCHED = offered(QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, depth=1)


@ros
def test_what_was_latched_reaches_who_comes_late(listen, tmp_path):
    early = listen(topics=("/a",))
    with replaying(write_bag(tmp_path / "bag", [0.0, 100.0], topics=("/a",), qos=(LATCHED,))):
        early.until(lambda: early.heard == ["/a 0"])
        late = listen(topics=("/a",), qos=QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        late.until(lambda: late.heard == ["/a 0"])


@ros
def test_a_subscriber_whose_qos_does_not_fit_is_named(listen, tmp_path):
    said = []
    listener = listen(topics=("/a",))  # reliable
    bag = write_bag(tmp_path / "bag", topics=("/a",), qos=(SENSOR,))
    Player(bag, choice(), said.append).run()
    assert listener.heard == [] and "/a" in said[0] and "--qos reliable" in said[0]
    Player(bag, choice(qos="reliable")).run()
    listener.until(lambda: len(listener.heard) == 3)


def test_a_bag_may_leave_out_the_slash_of_its_topics():
    choice = ReplayOptions(topics=("/a", "b"), exclude=("a",), remap=remappings(["b:=c"]))
    assert choice.select(["a", "b"]) == ["b"] and choice.name("b") == "/c" and choice.name("d") == "/d"


def test_offered_qos_is_that_of_the_recording():
    assert publisher_qos([SENSOR]).reliability is ReliabilityPolicy.BEST_EFFORT
    assert publisher_qos([SENSOR], "reliable").reliability is ReliabilityPolicy.RELIABLE
    assert publisher_qos([LATCHED]).durability is DurabilityPolicy.TRANSIENT_LOCAL
    assert publisher_qos([]).reliability is ReliabilityPolicy.RELIABLE
    both = publisher_qos([SENSOR, LATCHED])  # whoever heard one of the two publishers hears this one
    assert (both.reliability, both.depth) == (ReliabilityPolicy.RELIABLE, 5)


@ros
def test_a_type_that_is_not_installed_or_was_another_is_skipped_by_name(listen, tmp_path):
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg("int32 x", "foreign_msgs/msg/Number"))
    store.register(get_types_from_msg("int32 level", "wm_msgs/msg/Drift"))
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, kind, fields in (
            ("/number", "foreign_msgs/msg/Number", {"x": 1}),
            ("/drift", "wm_msgs/msg/Drift", {"level": 1}),
            ("/a", "std_msgs/msg/String", {"data": "/a 0"}),
        ):
            connection = writer.add_connection(topic, kind, typestore=store)
            writer.write(connection, BEGIN_NS, store.serialize_cdr(store.types[kind](**fields), kind))
    said, listener = [], listen(topics=("/a",))
    assert Player(tmp_path / "bag", choice(), said.append).run().published == {"/a": 1}
    listener.until(lambda: listener.heard == ["/a 0"])
    assert "/drift" in said[0] and "another definition" in said[0]
    assert "/number" in said[1] and "foreign_msgs/msg/Number is not installed" in said[1]


def test_what_cannot_be_replayed_is_refused_with_the_reason(tmp_path, capsys):
    bag, empty = write_bag(tmp_path / "bag"), write_bag(tmp_path / "empty", times_s=())
    for arguments, expected in (
        ([tmp_path / "none"], "got nothing; check the name"),
        ([empty], "the bag is empty"),
        ([bag, "--start", "5"], "lasts 0.200 s"),
        ([bag, "--start", "0.15", "--end", "0.1"], "after the start"),
        ([bag, "--start", "soon"], "got 'soon'"),
        ([bag, "--rate", "0"], "--rate"),
        ([bag, "--topics", "/c"], "(/a, /b), got '/c'"),
        ([bag, "--exclude", "/a", "/b"], "leave none"),
        ([bag, "--remap", "a=c"], "from:=to"),
    ):
        assert command_line.main(["replay", *map(str, arguments)]) == 2
        assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--check", "--rate", "2"], "--rate goes without --check only"),
        (["--set", "wm_planner.seed=1"], "--set goes with --check only"),
    ],
)
def test_options_of_publishing_and_of_checking_do_not_mix(words, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        command_line.main(["replay", str(tmp_path), *words])
    assert ended.value.code == 2 and said in capsys.readouterr().err


@ros
def test_ctrl_c_ends_it_well(listen, tmp_path):
    listener = listen()
    with replaying(write_bag(tmp_path / "bag", [0.0, 100.0])) as process:
        listener.until(lambda: len(listener.heard) == 2)
    assert process.returncode == 0 and "2 messages of 2 topics" in process.stdout.read()


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.floats(0.001, 1000))
def test_what_was_recorded_later_is_due_later_by_the_rate(one_ns, other_ns, rate):
    pace = Pace(BEGIN_NS, 5, rate)
    apart = pace.due(BEGIN_NS + other_ns) - pace.due(BEGIN_NS + one_ns)
    assert apart == pytest.approx((other_ns - one_ns) / rate, abs=1.5, rel=1e-9)


@given(st.integers(0, 10**8 - 1), st.integers(0, 10**9 - 1))
def test_moments_are_exact_to_the_nanosecond(seconds, nanoseconds):
    assert moment("--start", f"{seconds}.{nanoseconds:09d}", BEGIN_NS) == BEGIN_NS + seconds * 10**9 + nanoseconds
    assert (
        moment("--start", f"{10**8 + seconds}.{nanoseconds:09d}", BEGIN_NS) == (10**8 + seconds) * 10**9 + nanoseconds
    )


@pytest.mark.parametrize("text", ["", "-1", "nan", "inf", "1s"])
def test_a_moment_that_is_none_is_refused(text):
    with pytest.raises(ReplayError, match="seconds into the bag"):
        moment("--start", text, BEGIN_NS)
