"""Bags that wm did not make: what a robot's driver, controller and camera would record, and what can go wrong with them."""

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from wm_bags.steps.profile import Profile
from wm_core.bags import typestore
from wm_core.kinematics import Kinematics
from wm_core.robot import load_robot

TOOL_DOWN, TOOL_HEIGHT = load_robot().tool.rotation, load_robot().tool.height

HOME = np.array([0, -0.3, 0, -2.2, 0, 2, 0.8])
WIDTH, HEIGHT = 64, 48
START_NS = 1_700_000_000_000_000_000
COLOUR, DEPTH, INFO = "/cam/color/image_raw", "/cam/aligned_depth_to_color/image_raw", "/cam/color/camera_info"
SPEED = 0.1  # [m/s] of the tool along x


class Robot:
    """A robot with one camera at 30 Hz, joint states at 100 Hz and a trajectory every 100 ms.

    `change` gets (topic, index, message) and may return another message, or None to leave it out; `shift` gets (topic, stamp)
    and returns the stamp to write.
    """

    def __init__(self) -> None:
        self.store: Typestore = typestore()
        self.kinematics = Kinematics(load_robot())
        self._q: dict[float, np.ndarray] = {}

    def tool(self, t: float) -> np.ndarray:
        """Commanded position [m] at a time since the beginning [s]."""
        return np.array([0.4 + SPEED * t, 0.02])

    def q(self, t: float) -> np.ndarray:
        near = round(t, 1)
        for known in (near, near + 0.1):
            if known not in self._q:
                self._q[known] = self.kinematics.ik(np.array([*self.tool(known), TOOL_HEIGHT]), TOOL_DOWN, HOME)
        return self._q[near] + (t - near) / 0.1 * (self._q[near + 0.1] - self._q[near])

    def message(self, kind, **fields):
        return self.store.types[kind](**fields)

    def header(self, stamp_ns, frame=""):
        stamp = self.message("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return self.message("std_msgs/msg/Header", stamp=stamp, frame_id=frame)

    def events(self, seconds: float):
        """Topic, type, index, time since the beginning [s] in order of recording."""
        streams = {
            COLOUR: ("sensor_msgs/msg/Image", 30),
            DEPTH: ("sensor_msgs/msg/Image", 30),
            INFO: ("sensor_msgs/msg/CameraInfo", 30),
            "/joint_states": ("sensor_msgs/msg/JointState", 100),
            "/arm_controller/joint_trajectory": ("trajectory_msgs/msg/JointTrajectory", 10),
        }
        found = [
            (i / rate, order, topic, kind, i)
            for order, (topic, (kind, rate)) in enumerate(streams.items())
            for i in range(round(seconds * rate))
        ]
        return [(topic, kind, i, t) for t, _, topic, kind, i in sorted(found)]

    def make(self, topic, kind, i, t, stamp_ns):
        header = self.header(stamp_ns, "frame")
        if topic == COLOUR:
            pixels = np.random.default_rng(i).integers(0, 255, HEIGHT * WIDTH * 3, np.uint8)
            return self.image(header, "bgr8", 3, pixels)
        if topic == DEPTH:
            depth = np.random.default_rng(i).integers(800, 1000, HEIGHT * WIDTH).astype("<u2")
            return self.image(header, "16UC1", 2, depth.view(np.uint8))
        if topic == INFO:
            K = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
            roi = self.message(
                "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
            )
            return self.message(
                kind,
                header=header,
                height=HEIGHT,
                width=WIDTH,
                distortion_model="plumb_bob",
                d=np.zeros(5),
                k=K.ravel(),
                r=np.eye(3).ravel(),
                p=np.zeros(12),
                binning_x=0,
                binning_y=0,
                roi=roi,
            )
        names = list(self.kinematics.joint_names)
        if topic == "/joint_states":  # in an order of its own, and with a gripper
            position = np.array([0.01, *self.q(t)[::-1]])
            empty = np.zeros(0)
            return self.message(
                kind, header=header, name=["finger", *names[::-1]], position=position, velocity=empty, effort=empty
            )
        after = self.message("builtin_interfaces/msg/Duration", sec=0, nanosec=100_000_000)
        empty = np.zeros(0)
        point = self.message(
            "trajectory_msgs/msg/JointTrajectoryPoint",
            positions=self.q(t + 0.1),
            velocities=empty,
            accelerations=empty,
            effort=empty,
            time_from_start=after,
        )
        return self.message(kind, header=header, joint_names=names, points=[point])

    def image(self, header, encoding, size, data):
        return self.message(
            "sensor_msgs/msg/Image",
            header=header,
            height=HEIGHT,
            width=WIDTH,
            encoding=encoding,
            is_bigendian=0,
            step=size * WIDTH,
            data=data,
        )

    def record(
        self,
        path: Path,
        seconds=2.0,
        storage="mcap",
        compression="none",
        change=lambda topic, i, message: message,
        shift=lambda topic, stamp_ns: stamp_ns,
        version=9,
        extra=(),
    ) -> Path:
        """Write a bag; `extra`: (topic, type, message) written at its beginning."""
        writer = Writer(path, version=version, storage_plugin=StoragePlugin[storage.upper()])
        if compression != "none":
            writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
        connections = {}
        with writer:

            def write(topic, kind, log_ns, message):
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=self.store)
                writer.write(connections[topic], log_ns, self.store.serialize_cdr(message, kind))

            for topic, kind, message in extra:
                write(topic, kind, START_NS, message)
            for topic, kind, i, t in self.events(seconds):
                stamp_ns = START_NS + round(t * 1e9)
                message = change(topic, i, self.make(topic, kind, i, t, shift(topic, stamp_ns)))
                if message is not None:
                    write(topic, kind, stamp_ns + 2_000_000, message)
        return path


@pytest.fixture(scope="session")
def robot() -> Robot:
    return Robot()


@pytest.fixture
def profile_file(tmp_path):
    """A profile of that robot, with its rig."""
    (tmp_path / "rig.yaml").write_text(
        "frame_id: table\ncameras:\n  - {name: cam, width: 64, height: 48, fov_y_deg: 45, position: [0.5, 0, 0.9],"
        " look_at: [0.501, 0, 0]}\n"
    )
    file = tmp_path / "profile.yaml"
    file.write_text(
        f"schema: 1\nrig: rig.yaml\ncameras:\n  cam: {{color: {COLOUR}, depth: {DEPTH}, info: {INFO}}}\n"
        "joints: {topic: /joint_states}\nmotion: {source: joint_trajectory, topic: /arm_controller/joint_trajectory}\n"
    )
    return file


@pytest.fixture
def profile(profile_file):
    return Profile.load(profile_file)


@pytest.fixture(scope="session")
def whole(robot, tmp_path_factory):
    """A bag of one second of each storage."""
    folder = tmp_path_factory.mktemp("whole")
    return {storage: robot.record(folder / storage, 1.0, storage) for storage in ("mcap", "sqlite3")}
