"""wm_recorder as a process of its own, through real DDS."""

import os
import re
import signal
import subprocess
import sys
import time
from uuid import uuid4

import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterEvent
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from wm_msgs.msg import ActiveBundle, Drift, Intervention, RecorderStatus

from wm_bags.storage.reading import Bag
from wm_bags.storage.repair import repair
from wm_core.qos import LATCHED, SENSOR, STATE

os.environ.setdefault("ROS_DOMAIN_ID", "37")
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]


class Run:
    """A recorder, and a node that publishes what it is to record."""

    def __init__(self, folder, *parameters: str) -> None:
        self.folder, self.space = folder, f"record_{uuid4().hex[:8]}"
        self.node = rclpy.create_node("robot", namespace=self.space)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.status: list[RecorderStatus] = []
        self.node.create_subscription(RecorderStatus, "wm/recorder_status", self.status.append, STATE)
        self.diagnostics: list[DiagnosticArray] = []
        self.node.create_subscription(DiagnosticArray, "diagnostics", self.diagnostics.append, STATE)
        self.publishers: dict[str, object] = {}
        self.parameters = parameters
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.executor.shutdown()
        self.node.destroy_node()

    def start(self) -> None:
        parameters = [f"folder:={self.folder}", "min_free_bytes:=0", *self.parameters]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wm_bags.record.recorder", "--ros-args", "-r", f"__ns:=/{self.space}"]
            + [word for parameter in parameters for word in ("-p", parameter)]
        )

    def until(self, condition) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "nothing came"
            assert self.process is None or self.process.poll() is None, "the recorder has ended"
            self.executor.spin_once(timeout_sec=0.05)

    def diagnosed(self, key: str) -> str:
        """A value of the recorder's last diagnostics; empty without."""
        values = [{each.key: each.value for each in array.status[0].values} for array in self.diagnostics[-1:]]
        return values[0].get(key, "") if values else ""

    def publisher(self, kind, topic, qos):
        self.publishers[topic] = self.node.create_publisher(kind, topic, qos)
        return self.publishers[topic]

    def connected(self) -> None:
        """Wait until nothing that is published from now on is missed."""
        client = self.node.create_client(Trigger, "wm/recorder_connected")
        assert client.wait_for_service(60)
        self.until(lambda: all(publisher.get_subscription_count() for publisher in self.publishers.values()))
        while True:
            future = client.call_async(Trigger.Request())
            self.executor.spin_until_future_complete(future, timeout_sec=2.0)
            if future.done() and future.result().success:
                return

    def written(self, count: int) -> None:
        self.until(lambda: self.status and self.status[-1].messages >= count)

    def end(self, number=signal.SIGINT) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.wait(30) == 0


def contents(folder):
    """Serialised messages by topic, without the namespace."""
    found: dict[str, list[bytes]] = {}
    with Reader(folder) as reader:
        for connection, _, data in reader.messages():
            found.setdefault(connection.topic.split("/", 2)[2], []).append(bytes(data))
    return found


def padded(messages):
    """As they arrive: DDS pads to a multiple of four bytes."""
    return [message + bytes(-len(message) % 4) for message in messages]


def states(count):
    """Serialised, once: the padding between fields is not the same each time."""
    return [serialize_message(JointState(name=[f"panda_joint{i}"], position=[float(i)])) for i in range(count)]


def test_what_is_published_is_recorded_byte_for_byte_with_the_profiles_that_were_offered(ros, tmp_path):
    with Run(tmp_path / "bag", "exclude:=diagnostics") as run:
        latched = run.publisher(ActiveBundle, "wm/active_bundle", LATCHED)
        early, sent = serialize_message(ActiveBundle(model_id="said before anybody listened")), states(50)
        latched.publish(early)
        joints = run.publisher(JointState, "joint_states", STATE)
        run.start()
        run.connected()
        for message in sent:
            joints.publish(message)
        drift = run.publisher(Drift, "wm/drift", SENSOR)  # appears late, and in another way than expected
        run.until(lambda: drift.get_subscription_count())
        time.sleep(0.5)  # until this side is found too
        late = serialize_message(Drift(level=0.5))
        drift.publish(late)
        run.written(52)
        run.end()
        last = run.status[-1]
        assert (last.dropped, last.lost) == (0, 0)
    found = contents(tmp_path / "bag")
    assert (found["joint_states"], found["wm/active_bundle"], found["wm/drift"]) == tuple(
        map(padded, (sent, [early], [late]))
    )
    metadata = yaml.safe_load((tmp_path / "bag/metadata.yaml").read_text())["rosbag2_bagfile_information"]
    offered = {
        topic["topic_metadata"]["name"].split("/", 2)[2]: topic["topic_metadata"]["offered_qos_profiles"]
        for topic in metadata["topics_with_message_count"]
    }
    profiles = {name: [(each["reliability"], each["durability"]) for each in offered[name]] for name in found}
    assert profiles["wm/active_bundle"] == [("reliable", "transient_local")]
    assert profiles["joint_states"] == [("reliable", "volatile")]
    assert profiles["wm/drift"] == [("best_effort", "volatile")]


def says(node, **values):
    parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    return ParameterEvent(node=node, new_parameters=parameters)


def test_images_are_recorded_where_perception_has_them(ros, tmp_path):
    """Named as in arm_real.example.yaml: nothing of them was recorded, and nobody said so."""
    with Run(tmp_path / "bag", "rig:=one_camera") as run:
        configured = run.publisher(ParameterEvent, "wm/parameters", LATCHED)
        names = {"colour": "color/image_raw", "depth": "aligned_depth_to_color/image_raw", "info": "color/camera_info"}
        topics = {f"{kind}_topic": f"/{run.space}/{{camera}}/{{camera}}/{name}" for kind, name in names.items()}
        configured.publish(says(f"/{run.space}/wm_perception", rig="one_camera", **topics))
        image = run.publisher(Image, "camera_left/camera_left/color/image_raw", SENSOR)
        run.start()
        run.connected()
        image.publish(Image(encoding="rgb8"))
        run.written(2)
        run.until(lambda: run.diagnosed("silent"))
        silent = run.diagnosed("silent")
        assert (
            f"/{run.space}/camera_left/camera_left/aligned_depth_to_color/image_raw is silent: nobody publishes it"
            in silent
        )
        assert "/camera_left/color/image_raw" not in silent.replace("camera_left/camera_left", "")
        assert f"/{run.space}/joint_states is silent" in silent
        run.end()
    assert "camera_left/camera_left/color/image_raw" in contents(tmp_path / "bag")


def test_a_silent_topic_is_reported_with_those_that_may_be_meant(ros, tmp_path):
    with Run(tmp_path / "bag", "rig:=one_camera") as run:
        run.publisher(Image, "camera_left/camera_left/color/image_raw", SENSOR)
        run.publisher(Image, "_probe/color/image_raw", SENSOR)  # hidden, as of ./wm doctor
        run.publisher(JointState, "joint_states", SENSOR)
        run.start()
        run.until(lambda: run.diagnosed("silent"))
        silent = run.diagnosed("silent")
        # The most similar name comes first; images of others in this domain may follow.
        assert re.search(
            f"/{run.space}/camera_left/color/image_raw is silent: nobody publishes it; "
            rf"/{run.space}/camera_left/camera_left/color/image_raw(, \S+)* would be of its kind",
            silent,
        ), silent
        assert "_probe" not in silent
        assert f"/{run.space}/joint_states is silent: 1 offered it, nothing came" in silent
        run.end()


def test_all_topics_of_a_kind_are_found_when_they_appear(ros, tmp_path):
    with Run(tmp_path / "bag", "regex:=/special/", "exclude:=secret") as run:
        run.start()
        publishers = [run.publisher(String, topic, STATE) for topic in ("special/a", "special/b")]
        run.connected()
        for publisher in publishers:
            publisher.publish(String(data="here"))
        secret = run.node.create_publisher(String, "special/secret", STATE)
        run.written(2)
        assert secret.get_subscription_count() == 0
        run.end(signal.SIGTERM)
    assert set(contents(tmp_path / "bag")) == {"special/a", "special/b"}


def test_kill_9_leaves_what_was_reported_as_written(ros, tmp_path):
    sent = states(100)
    with Run(tmp_path / "bag") as run:
        joints = run.publisher(JointState, "joint_states", STATE)
        run.start()
        run.connected()
        for message in sent:
            joints.publish(message)
            run.executor.spin_once(timeout_sec=0)
        run.written(100)
        run.process.kill()
        run.process.wait()
    with Bag(tmp_path / "bag") as unrepaired:
        assert sum(message.topic.endswith("/joint_states") for message in unrepaired.messages()) == 100
    repair(tmp_path / "bag")
    assert contents(tmp_path / "bag")["joint_states"] == padded(sent)


def test_a_restarted_recorder_goes_on_beside_what_is_there(ros, tmp_path):
    first, second = states(20), states(30)
    for sent in (first, second):
        with Run(tmp_path / "bag", "beside:=true") as run:
            joints = run.publisher(JointState, "joint_states", STATE)
            run.start()
            run.connected()
            for message in sent:
                joints.publish(message)
                run.executor.spin_once(timeout_sec=0)
            run.written(len(sent))
            run.process.kill()
            run.process.wait()
    repair(tmp_path / "bag")
    repair(tmp_path / "bag_2")
    assert contents(tmp_path / "bag")["joint_states"] == padded(first)
    assert contents(tmp_path / "bag_2")["joint_states"] == padded(second)


@pytest.mark.parametrize("trigger", ["service", "drift", "intervention"])
def test_a_snapshot_holds_what_was_before_its_trigger(ros, tmp_path, trigger):
    sent = states(20)
    with Run(tmp_path / "bags", "mode:=snapshot", "after:=0.0", "triggers:=[drift,e_stop]") as run:
        joints = run.publisher(JointState, "joint_states", STATE)
        drift = run.publisher(Drift, "wm/drift", STATE)
        intervention = run.publisher(Intervention, "wm/intervention", STATE)
        run.start()
        run.connected()
        for message in sent:
            joints.publish(message)
        drift.publish(Drift(drifting=False))
        intervention.publish(Intervention(kind=Intervention.LIMITED))
        run.until(lambda: len(run.status) >= 2)
        assert run.status[-1].state == "waiting" and not list((tmp_path / "bags").iterdir())
        if trigger == "service":
            client = run.node.create_client(Trigger, "wm/save_recording")
            assert client.wait_for_service(30)
            run.until(client.call_async(Trigger.Request()).done)
        elif trigger == "drift":
            drift.publish(Drift(drifting=True))
        else:
            intervention.publish(Intervention(kind=Intervention.E_STOP))
        run.written(22)
        run.end()
    (folder,) = (tmp_path / "bags").iterdir()
    assert contents(folder)["joint_states"] == padded(sent)


def test_the_verb_records_the_topics_of_a_launch_with_a_namespace(ros, tmp_path):
    """Two robots in one network: `wm record OUT --namespace left` is of the left one, as other verbs are."""
    sent = states(20)
    with Run(tmp_path / "bag") as run:
        joints = run.publisher(JointState, "joint_states", STATE)
        command = [sys.executable, "-m", "wm_bringup.cli", "record", run.folder, "--min-free-bytes", "0"]
        run.process = subprocess.Popen([*command, "--namespace", f"/{run.space}"], stdout=subprocess.DEVNULL)
        run.connected()
        for message in sent:
            joints.publish(message)
        run.written(len(sent))
        run.end()
    assert contents(tmp_path / "bag")["joint_states"] == padded(sent)
